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
 *
 * Each file may be gzipped. Samples are counted from 0, in the file's order, lines from 1. Memory stays
 * small whatever the size: plain files are mapped, others unpacked into a temporary file (in TMPDIR, or
 * /tmp) that is mapped and has no name; pictures are decoded when they are read.
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
    int   no_targets;      /* 1: without targets, for prediction; those in the data are passed over */
    const nn_data *like;   /* has the names of the classes: the training data, for test data; NULL: none */
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

/* Whether nn_data_read gives targets: always, but under no_targets. */
int nn_data_has_targets(const nn_data *);

/* How many classes have names, and the name of one; 0 and NULL where they are plain numbers. */
size_t      nn_data_classes(const nn_data *);
const char *nn_data_class(const nn_data *, size_t);

/* The file of a sample that has one of its own (a picture), or NULL. */
const char *nn_data_file(const nn_data *, size_t index);

void nn_data_close(nn_data *);

#ifdef __cplusplus
}
#endif

#endif
