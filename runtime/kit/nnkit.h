/* nnkit.h: what a program around a network is made of: data, training, checkpoints.
 *
 *     cc program.c net.c -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread
 */
#ifndef NNKIT_H
#define NNKIT_H

#include "nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The message of the last function of this thread that returned an error: one line. Never NULL. */
const char *nnkit_error(void);

/* ---- Data ------------------------------------------------------------------------------------
 *
 * A data set is opened for a network, held against its input and its targets, and then read sample by
 * sample, in any order. What it is, is seen from its content, not from its name:
 *
 *     IMAGES or IMAGES:LABELS    IDX files; the labels' file is found beside IMAGES under MNIST's names
 *     X.npy or X.npy:Y.npy       arrays of NumPy: samples along the first axis
 *     FILE.csv                   one sample a line, with or without a line of names; the label last
 *     FILE.bin                   CIFAR-10 batches, or a folder of them
 *     FOLDER                     one folder for each class, with PNG, JPEG, PGM or PPM pictures in it
 *     DATA,DATA                  several, one after the other
 *     FILE                       a text, for a network of tokens: bytes, or an alphabet's characters
 *
 * Each file may be gzipped. Samples are counted from 0, in the file's order, lines from 1. Memory stays
 * small whatever the size: plain files are mapped, others unpacked into a temporary file (in TMPDIR, or
 * /tmp) that is mapped and has no name; pictures are decoded when they are read. Files must stay as they are
 * while they are open: a mapped file that is cut off ends the program with SIGBUS.
 *
 * Classes are whole numbers from 0. Where they are names (folders, words in a CSV file), the sorted names
 * are counted. Targets, by the network's loss: class labels; floats, as many as the network has targets, or
 * from class labels (one target: the label; one for each class: 1 for the label's, else 0); the sample
 * itself, where the network has as many targets as inputs, and the data no floats for them (autoencoders). */

typedef struct nn_data nn_data;

/* All zero: the defaults. */
typedef struct nn_data_options {
    int   no_scale;        /* 1: bytes stay 0..255; else they become 0..1 */
    float scale;           /* what each number is multiplied by; 0: bytes by 1/255, others by 1 */
    const char *label;     /* CSV: the label's column, a name or a number from 1; "a,b,c" for several
                              targets; NULL: the last one (as many as the network has targets) */
    const char *alphabet;  /* texts: a file with the characters that are tokens 0, 1, ...: those it has, in
                              the order in which they first come (UTF-8); NULL: tokens are bytes */
    int   no_targets;      /* 1: without targets, for prediction; those in the data are passed over */
    const nn_data *like;   /* has the names of the classes, and the alphabet: the training data, for test
                              data; NULL: none */
} nn_data_options;

/* Opens data for a network. NULL: nnkit_error says what is wrong, where, and what to do. The model must
 * outlive the data; the options, and what they point to, need not. */
nn_data *nn_data_open(const char *spec, const nn_model *model, const nn_data_options *options);

/* How many samples; at least one. */
size_t nn_data_count(const nn_data *);

/* Reads one sample, index < nn_data_count: model->input floats to x, model->targets ints or floats to t
 * (NULL: not wanted). 0, or an error that nnkit_error describes: a number that is not finite, a damaged
 * picture. Several threads may read at the same time. */
int nn_data_read(const nn_data *, size_t index, float *x, void *t);

/* Of a text, the sample is a window of as many tokens as the network reads (x becomes ints), its target the
 * next one at each position, or that behind the last. Windows follow each other without a gap. This reads
 * the window that begins `shift` tokens later, but for the last, which ends with the text. Of other data it
 * is nn_data_read. */
int nn_data_read_shifted(const nn_data *, size_t index, size_t shift, float *x, void *t);

/* Whether nn_data_read gives targets: always, but under no_targets. */
int nn_data_has_targets(const nn_data *);

/* How many classes have names, and the name of one; 0 and NULL where they are plain numbers. */
size_t      nn_data_classes(const nn_data *);
const char *nn_data_class(const nn_data *, size_t);

/* Weights with the names of the data's classes and its alphabet, as notes of the file; and these, as data of
 * no samples, for nn_data_options.like (NULL: an error; to be closed). 0 or an error. */
int      nn_data_save(const nn_data *, const nn_model *, const void *weights, const char *path);
nn_data *nn_data_names(const nn_model *, const char *weights);

/* The file of a sample that has one of its own (a picture), or NULL. */
const char *nn_data_file(const nn_data *, size_t index);

void nn_data_close(nn_data *);

/* Random changes of training pictures. What comes in from outside a picture is 0. All zero: none. */
typedef struct nn_augment {
    int   flip;            /* 1: every other picture is mirrored, left to right */
    float shift;           /* moved by up to so many pixels and parts of one, across and down, interpolated */
    float rotate;          /* turned by up to so many degrees, about the middle, interpolated */
    int   crop;            /* moved by up to so many whole pixels: the picture with so many zeros around it,
                              cut to its size at a random place, as torchvision's RandomCrop(padding=crop) */
    float noise;           /* standard deviation of what is added to each number */
} nn_augment;

/* Reads "flip,shift=2,rotate=10,crop=4,noise=0.1", any of them, for a network. 0 or an error. */
int nn_augment_parse(const char *text, const nn_model *, nn_augment *to);

/* Changes one sample, as nn_data_read gives it, in the order of nn_augment's fields (turned before moved).
 * What happens depends on seed, epoch and sample alone, not on the thread, and the same is drawn for a
 * field whether or not others are set. 0 or an error. */
int nn_data_augment(const nn_augment *, const nn_model *, float *x, uint64_t seed, uint64_t epoch,
                    uint64_t sample);

/* Errors beside those of nn.h. */
enum {
    NNKIT_EDIVERGED = 20,   /* a loss is NaN or infinite */
    NNKIT_EUSAGE = 21,      /* settings that can't be, or not together */
    NNKIT_EWRITE = 22       /* a file can't be written */
};

/* ---- Processes -------------------------------------------------------------------------------
 *
 * Several machines can do one thing together, with a process on each (or several on one). Something else
 * starts the processes and carries what they send each other: nnmpi.h has MPI for that. All call the same
 * functions with the same settings and the same data. Without processes (NULL, or a count of 1) a process
 * is alone. */

/* A message to or from another process: send or receive is NULL. */
typedef struct nn_message {
    int         other;
    const void *send;
    void       *receive;
    size_t      bytes;
} nn_message;

/* These functions don't return where what they do fails: they end all processes. */
typedef struct nn_processes {
    int rank, count;          /* this process's number, from 0; of how many */
    /* All n messages at once, of any size. Between two processes they come in the order of the calls. */
    void (*exchange)(const struct nn_processes *, const nn_message *messages, int n);
    /* Called with bytes begin[rank] .. begin[rank+1]-1 written, returns with those of all the others. */
    void (*gather)(const struct nn_processes *, void *bytes, const size_t *begin);
    /* v becomes the sum over all processes, the same in each, added in any order. */
    void (*sum)(const struct nn_processes *, float *v, size_t n);
} nn_processes;

/* ---- Threads ---------------------------------------------------------------------------------
 *
 * A team works on one thing at a time: nn_team_run calls work(context, thread, threads) once in each of its
 * threads, thread 0 being the caller's, and returns when all have returned. */

typedef struct nn_team nn_team;

/* threads: with the caller's; 0: one for each core that this process may use. NULL: no memory. */
nn_team *nn_team_open(int threads);
int      nn_team_threads(const nn_team *);
/* threads: how many take part, 0: all */
void nn_team_run(nn_team *, int threads, void (*work)(void *context, int thread, int threads), void *context);
void     nn_team_close(nn_team *);
/* Of several processes, each has a team; those work together in nn_evaluate. NULL: alone, as at first. */
void                nn_team_connect(nn_team *, const nn_processes *);
const nn_processes *nn_team_processes(const nn_team *);

/* ---- Steps of training -----------------------------------------------------------------------
 *
 * A batch is cut into shards of a fixed number of samples. Each thread takes shards, and the gradients of
 * the shards are added in one binary tree, which depends on the number of shards alone. So the weights
 * after a step are the same to the bit for every number of threads and of processes. Of several processes
 * each takes consecutive shards, as many as the others or one more; all call nn_trainer_step with the same
 * samples, and all have the same weights. The loss is the mean over the shards,
 * weighted by their samples. Batchnorm takes the statistics of a shard; running statistics become the same
 * mean of what the shards would make them. Dropout draws by seed, step and shard. */

/* Samples by number, from several threads at once: writes one sample and its target (NULL: not wanted) and
 * returns 0, or an error that nnkit_error describes. */
typedef struct nn_source {
    int (*read)(const void *data, size_t index, float *x, void *t);
    const void *data;
} nn_source;

typedef struct nn_trainer_options {
    nn_optimizer optimizer;
    uint64_t seed;      /* of the weights and of dropout */
    int   batch;        /* most samples in a step */
    int   shard;        /* samples in a shard; 0: 16, or the network's batch where that is smaller */
    int threads; /* 0: as many as are fastest, which the first steps measure, one for each core at most */
    float clip;         /* greatest norm of the gradient, as nn_clip; 0: any */
    float average;      /* decay of a moving average of the weights, by nn_ema; 0: none */
    int   decay_ndim;   /* weight decay is for tensors of so many dimensions or more; 0: for all */
    const nn_processes *processes; /* that train together; NULL: this one alone */
    int   allreduce;    /* 1: processes->sum adds their gradients: faster where these are large, but then the
                           bits depend on the number of processes */
} nn_trainer_options;

typedef struct nn_trainer nn_trainer;

/* A trainer with weights drawn by net_init. NULL: an error, which nnkit_error describes. */
nn_trainer *nn_trainer_open(const nn_model *, const nn_trainer_options *);
/* One step with n samples, 1 <= n <= batch. Returns 0 and the mean loss of the samples under the weights
 * before the step; or an error. A loss that is no finite number is one, and leaves the weights as they
 * are. The mean, and its gradient, are those of all labels that are counted; where none is, the loss is NaN,
 * the gradient 0, and that is no error. */
int  nn_trainer_step(nn_trainer *, const nn_source *, const size_t *samples, int n, float *loss);
/* The weights (model->params_bytes), which may be written between steps, and their average (the weights
 * themselves where there is none). */
void       *nn_trainer_weights(nn_trainer *);
const void *nn_trainer_average(const nn_trainer *);
/* Its fields may be changed between steps, as nn.h says. */
nn_optimizer *nn_trainer_optimizer(nn_trainer *);
uint64_t    nn_trainer_steps(const nn_trainer *);
nn_team    *nn_trainer_team(nn_trainer *);
void        nn_trainer_close(nn_trainer *);

/* ---- Checkpoints -----------------------------------------------------------------------------
 *
 * A file that holds all a trainer needs to go on to the same bits (weights, statistics, the optimizer's
 * state, averages, the number of steps) and whatever the caller adds. It is written beside its place,
 * brought to the disk and renamed: whatever ends the program leaves the old file or the whole new one. */

int nn_trainer_save(const nn_trainer *, const char *path, const void *extra, size_t extra_bytes);

typedef struct nn_checkpoint nn_checkpoint;

/* Reads and checks a whole file. NULL: an error. */
nn_checkpoint *nn_checkpoint_open(const char *path);
/* What the caller added; valid until the checkpoint is closed. */
const void    *nn_checkpoint_extra(const nn_checkpoint *, size_t *bytes);
/* Makes the trainer what it was: of the same network, optimizer, batch, shard, seed and average; any
 * number of threads. */
int            nn_trainer_restore(nn_trainer *, const nn_checkpoint *);
void           nn_checkpoint_close(nn_checkpoint *);

/* ---- Evaluation ------------------------------------------------------------------------------ */

typedef struct nn_evaluation {
    size_t  samples;
    double  loss;             /* mean; NaN where the network has none (--inference, loss none) */
    /* class labels, and those whose class has the greatest answer; or, with bce, yes-or-no answers and those
     * that are on the right side of one half; 0: numbers */
    size_t  labels, right;
    size_t  classes;          /* 0: none. With bce 2 of one answer, or all if one of them is yes each time */
    size_t *confusion;        /* classes x classes: [label][answer]; NULL: no classes, or over 1000 */
    double  mse, mae, r2;     /* of float targets; r2 is the mean over the answers that vary */
} nn_evaluation;

/* Answers for n samples (NULL: 0 .. n-1), held against their targets. team NULL: one thread. The same bits
 * for every number of threads. Returns 0 or an error; release frees what the result holds. */
int nn_evaluate(const nn_model *, const void *weights, nn_team *team, const nn_source *,
                const size_t *samples, size_t n, nn_evaluation *);
void nn_evaluation_release(nn_evaluation *);

/* ---- The program -----------------------------------------------------------------------------
 *
 * What the command line sets, with the options' names. nn_defaults fills it; fields that are 0 or NULL
 * there are options left out. */

typedef struct nn_settings {
    const char *data, *test;
    float       split;
    int         epochs, batch;
    const char *optimizer;
    float       lr, momentum, weight_decay;      /* NaN: what the optimizer has */
    int         no_decay_on_vectors;
    int         nesterov;
    const char *schedule;
    int         warmup;
    float       clip, average;
    long long   seed;
    const char *augment;
    float       scale;
    int         no_scale;
    const char *label, *alphabet;
    const char *weights, *output;
    const char *checkpoint;
    int         every, resume;
    const char *log, *plot;
    int         patience, threads, shard, quiet;
    const char *format;
    int         top, json;
    const char *prompt;
    int         length, top_k;
    float       temperature;
    int         allreduce;
    const nn_processes *processes;
} nn_settings;

void nn_defaults(nn_settings *);

/* ./net train: the whole of it. Returns the exit status: 0 done, 1 bad data or weights, 2 usage or
 * environment, 130 interrupted and saved. Messages go to stderr, progress to stdout. */
int nn_train(const nn_model *, const nn_settings *);

/* The program around a network: what main() of nnc --main calls. Returns the exit status. */
int nn_main(const nn_model *, int argc, char **argv);
/* The same as one of several processes, of which number 0 alone prints and writes. */
int nn_main_of(const nn_model *, const nn_processes *, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
