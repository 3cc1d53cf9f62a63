/* train.c: a whole training: data, epochs, tests, checkpoints, weights.
 *
 * What happens in an epoch depends on the seed and its number alone, so where a run stands is said by
 * epoch, the samples taken in it, and what they gave so far. This, the rows of the epochs before, the best
 * weights and the settings are what a checkpoint holds beside the trainer. */
#include "engine.h"
#include "files.h"
#include "messages.h"
#include "program.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* What the seed is used for: each has a stream of its own. */
enum { STREAM_SPLIT = 1, STREAM_ORDER = 2, STREAM_SHIFT = 3 };

/* Where a run stands. Kept in a checkpoint as it is. */
typedef struct place {
    int    epoch;                 /* from 1 */
    int    best_epoch;            /* 0: none yet */
    size_t taken;                 /* samples of this epoch */
    size_t samples;               /* of training, to see that the data are the same */
    double loss;                  /* sum over the samples taken */
    double seconds;               /* of this epoch, in runs before */
    double right, test_loss;      /* what best_epoch reached: the share of right labels, 0 without labels */
} place;

typedef struct run {
    const nn_model *model;
    command_line *line;
    const nn_settings *settings;
    nn_data *data, *test;
    nn_source source, test_source;
    nn_augment augment;
    int    *members;              /* samples of training: all, or with --split some */
    size_t  nmembers;
    size_t *examined;             /* samples of the test; NULL: all of test */
    size_t  nexamined;            /* 0: there is no test */
    int    *order;                /* of members, in this epoch */
    size_t  shift;                /* of a text's windows, in this epoch */
    size_t *batch;
    nn_trainer *trainer;
    float  *best;                 /* the best weights; NULL: nothing to compare by */
    float   lr;                   /* before the schedule */
    place   at;
    history history;
    display display;
    const nn_processes *processes; /* that train together; NULL: this one alone */
    bool    leads;                /* of the processes the one that writes */
    bool    silent;
    bool    stopped;              /* by a signal, to this process or another */
    char    checkpoint[4096], output[4096];
} run;

/* ---- Interruption ----------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL); /* the second time it ends the program */
}

/* Should the run stop here? All processes get the same answer. */
static bool stops(run *r)
{
    return r->stopped = kit_any(r->processes, interrupted);
}

/* ---- Settings --------------------------------------------------------------------------------- */

static nn_optimizer optimizer_of(const nn_settings *s)
{
    const bool slow = strcmp(s->optimizer, "sgd") == 0 || strcmp(s->optimizer, "momentum") == 0
                   || strcmp(s->optimizer, "adagrad") == 0;
    const float lr = isnan(s->lr) ? (slow ? 1e-2f : 1e-3f) : s->lr;
    nn_optimizer o = nn_adam(lr);

    if (strcmp(s->optimizer, "sgd") == 0)
        o = nn_sgd(lr);
    else if (strcmp(s->optimizer, "momentum") == 0)
        o = nn_momentum(lr, 0.9f);
    else if (strcmp(s->optimizer, "adagrad") == 0)
        o = nn_adagrad(lr);
    else if (strcmp(s->optimizer, "rmsprop") == 0)
        o = nn_rmsprop(lr);
    else if (strcmp(s->optimizer, "adamw") == 0) {
        o.decoupled = 1;
        o.weight_decay = 0.01f;
    }
    if (!isnan(s->momentum))
        o.momentum = s->momentum;
    if (!isnan(s->weight_decay))
        o.weight_decay = s->weight_decay;
    o.nesterov = s->nesterov;
    return o;
}

static int check_settings(const run *r)
{
    const nn_settings *s = r->settings;
    const nn_optimizer o = optimizer_of(s);

    if (!r->model->backward && r->model->forward_train)
        return kit_fail(NNKIT_EUSAGE, "the network has `loss none`: train it by a loop of your own (nn.h)");
    if (!r->model->backward)
        return kit_fail(NNKIT_EUSAGE, "the network was compiled with --inference and can't be trained");
    if (s->test && s->split > 0)
        return kit_fail(NNKIT_EUSAGE, "--test and --split: one of them says what to test with");
    if (o.nesterov && (o.method != NN_SGD || o.momentum <= 0))
        return kit_fail(NNKIT_EUSAGE, "--nesterov needs --optimizer momentum, or sgd with --momentum");
    if (!isnan(s->momentum) && o.method != NN_SGD && o.method != NN_RMSPROP)
        return kit_fail(NNKIT_EUSAGE, "--momentum is for sgd, momentum and rmsprop; %s has none",
                        s->optimizer);
    if (s->no_decay_on_vectors && o.weight_decay <= 0)
        return kit_fail(NNKIT_EUSAGE, "--no-decay-on-vectors needs --weight-decay, or --optimizer adamw");
    if (s->allreduce && !r->processes)
        return kit_fail(NNKIT_EUSAGE, "--allreduce is for several processes: nnc --main=mpi, and mpirun");
    if (s->patience && !s->test && s->split <= 0)
        return kit_fail(NNKIT_EUSAGE, "--patience needs a test: --test DATA or --split F");
    return 0;
}

/* The learning rate of a step. */
static float rate_at(const run *r, uint64_t step, uint64_t steps)
{
    const char *schedule = r->settings->schedule;
    const uint64_t warmup = (uint64_t)r->settings->warmup;
    float lr = r->lr;

    if (strcmp(schedule, "cosine") == 0)
        lr = nn_lr_cosine(lr, step, steps, 0);
    else if (strcmp(schedule, "step") == 0)
        lr = nn_lr_step(lr, step, (steps + 2) / 3, 0.1f);
    else if (strcmp(schedule, "onecycle") == 0)
        lr = nn_lr_onecycle(lr, step, steps);
    return warmup > 0 ? nn_lr_linear(lr, step, warmup, 1.0f / (float)warmup) : lr;
}

/* ---- Data ------------------------------------------------------------------------------------- */

int read_data(const void *data, size_t index, float *x, void *t)
{
    return nn_data_read(data, index, x, t);
}

/* Samples of training, which --augment changes; what it draws depends on seed, epoch and sample. */
static int read_training(const void *data, size_t index, float *x, void *t)
{
    const run *r = data;
    /* of a text, the last window before those of the test must not go on into them */
    const size_t shift = index + 1 < r->nmembers || r->settings->split <= 0 ? r->shift : 0;
    const int error = nn_data_read_shifted(r->data, index, shift, x, t);

    if (error || !r->settings->augment)
        return error;
    return nn_data_augment(&r->augment, r->model, x, (uint64_t)r->settings->seed, (uint64_t)r->at.epoch,
                           index);
}

nn_data *open_data(const nn_model *model, const nn_settings *s, const char *spec, const nn_data *like,
                   bool targets)
{
    const nn_data_options options = {.no_scale = s->no_scale, .scale = s->scale,
                                     .label = s->label, .alphabet = s->alphabet, .no_targets = !targets,
                                     .like = like};

    return nn_data_open(spec, model, &options);
}

/* Draws what is for the test, of n samples. */
static int split_data(run *r, int n)
{
    uint64_t rng = nn_bits_at((uint64_t)r->settings->seed, STREAM_SPLIT);
    size_t test = (size_t)((double)n * r->settings->split + 0.5);

    if (r->settings->split > 0 && r->model->vocabulary == 0)
        nn_shuffle(&rng, r->members, n);
    else /* of a text, the end is for the test: windows side by side have too much in common */
        for (int i = 0; i < n; i++)
            r->members[i] = i;
    if (r->settings->split > 0 && (test < 1 || test >= (size_t)n))
        return kit_fail(NNKIT_EUSAGE, "--split %g of %d samples leaves %s", (double)r->settings->split, n,
                        test < 1 ? "none to test with" : "none to train with");
    r->nmembers = (size_t)n - test;
    r->nexamined = test;
    for (size_t i = 0; i < test; i++)
        r->examined[i] = (size_t)r->members[r->nmembers + i];
    return 0;
}

static int open_all_data(run *r)
{
    const nn_settings *s = r->settings;

    if (s->augment && r->model->vocabulary > 0)
        return kit_fail(NNKIT_EUSAGE, "--augment is for pictures; the network reads tokens");
    if (s->augment && nn_augment_parse(s->augment, r->model, &r->augment))
        return NNKIT_EUSAGE;
    r->data = open_data(r->model, s, r->line->operands[0], NULL, true);
    if (!r->data)
        return NN_EFORMAT;
    const size_t n = nn_data_count(r->data);
    if (n > INT32_MAX)
        return kit_fail(NN_EFORMAT, "%s: over 2147483647 samples", r->line->operands[0]);
    r->members = malloc(n * sizeof *r->members);
    r->order = malloc(n * sizeof *r->order);
    r->examined = malloc(n * sizeof *r->examined);
    r->batch = malloc((size_t)s->batch * sizeof *r->batch);
    if (!r->members || !r->order || !r->examined || !r->batch)
        return kit_no_memory();
    if (split_data(r, (int)n))
        return NNKIT_EUSAGE;
    r->source = (nn_source){read_training, r};
    r->test_source = (nn_source){read_data, r->data};
    if (s->test) {
        r->test = open_data(r->model, s, s->test, r->data, true);
        if (!r->test)
            return NN_EFORMAT;
        r->test_source.data = r->test;
        r->nexamined = nn_data_count(r->test);
        free(r->examined);
        r->examined = NULL;
    }
    return 0;
}

/* Each epoch takes the samples in an order of its own. */
static void draw_order(run *r)
{
    uint64_t rng = nn_bits_at(nn_bits_at((uint64_t)r->settings->seed, STREAM_ORDER), (uint64_t)r->at.epoch);

    nn_shuffle(&rng, r->order, (int)r->nmembers);
    if (r->model->vocabulary > 0) {
        rng = nn_bits_at((uint64_t)r->settings->seed, STREAM_SHIFT);
        r->shift = (size_t)(nn_bits_at(rng, (uint64_t)r->at.epoch) % r->model->input);
    }
}

/* ---- Checkpoints ------------------------------------------------------------------------------ */

/* What the run adds to a checkpoint: place, number of rows, rows, whether there are best weights, these,
 * settings. */
static int save_checkpoint(run *r)
{
    const size_t best = r->best && r->at.best_epoch ? r->model->params_bytes : 0;
    const size_t rows = (size_t)r->history.nrows * sizeof *r->history.rows;
    const uint64_t sizes[2] = {rows, best};
    char *settings = text_of_run(r->settings);
    const size_t length = settings ? strlen(settings) + 1 : 0;
    char *extra = malloc(sizeof r->at + sizeof sizes + rows + best + length), *to = extra;
    int error;

    if (!settings || !extra) {
        free(settings);
        free(extra);
        return kit_no_memory();
    }
    const struct { const void *from; size_t bytes;
    } parts[] = {{&r->at, sizeof r->at},
                 {sizes, sizeof sizes},
                 {r->history.rows, rows},
                 {r->best, best},
                 {settings, length}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; to += parts[i++].bytes)
        if (parts[i].bytes)
            memcpy(to, parts[i].from, parts[i].bytes);
    error = nn_trainer_save(r->trainer, r->checkpoint, extra, (size_t)(to - extra));
    free(settings);
    free(extra);
    return error;
}

/* Of several processes one writes; all get to know how that ended. */
static int keep_checkpoint(run *r)
{
    int error = kit_check_weights(r->trainer, r->at.epoch);

    if (!error && r->leads)
        error = save_checkpoint(r);
    return kit_agree(r->processes, error);
}

/* Where the parts of extra are; false: it is not what save_checkpoint writes. */
typedef struct parts {
    place at;
    const char *rows, *best, *settings;
    uint64_t sizes[2];
} parts;

static bool read_parts(const nn_checkpoint *c, parts *p)
{
    size_t length;
    const char *extra = nn_checkpoint_extra(c, &length);

    if (length < sizeof p->at + sizeof p->sizes + 1 || extra[length - 1] != '\0')
        return false;
    memcpy(&p->at, extra, sizeof p->at);
    memcpy(p->sizes, extra + sizeof p->at, sizeof p->sizes);
    length -= sizeof p->at + sizeof p->sizes + 1;
    if (p->sizes[0] > length || p->sizes[1] > length - p->sizes[0] || p->sizes[0] % sizeof(epoch_row))
        return false;
    p->rows = extra + sizeof p->at + sizeof p->sizes;
    p->best = p->rows + p->sizes[0];
    p->settings = p->best + p->sizes[1];
    return true;
}

/* Before anything is opened: the settings of the run that goes on. */
static int take_settings(run *r, nn_checkpoint **c)
{
    parts p;

    *c = nn_checkpoint_open(r->checkpoint);
    if (!*c)
        return NN_EFORMAT;
    if (!read_parts(*c, &p))
        return kit_fail(NN_EFORMAT, "%s: this checkpoint is not one of this program", r->checkpoint);
    return settings_of_run(r->line, p.settings, r->checkpoint);
}

static int restore(run *r, const nn_checkpoint *c)
{
    parts p;

    read_parts(c, &p);
    if (p.at.samples != r->nmembers)
        return kit_fail(NN_EMODEL, "%s was made with %zu samples; %s has %zu", r->checkpoint, p.at.samples,
                        r->line->operands[0], r->nmembers);
    if (nn_trainer_restore(r->trainer, c))
        return NN_EMODEL;
    r->at = p.at;
    for (size_t i = 0; i < p.sizes[0] / sizeof(epoch_row); i++) {
        epoch_row row;

        memcpy(&row, p.rows + i * sizeof row, sizeof row);
        if (add_row(&r->history, &row))
            return NN_ENOMEM;
    }
    if (r->best && p.sizes[1] == r->model->params_bytes)
        memcpy(r->best, p.best, p.sizes[1]);
    return 0;
}

/* ---- An epoch --------------------------------------------------------------------------------- */

/* How many samples the next step takes. With statistics a rest of one can't be taken. */
static int next_count(const run *r)
{
    const size_t left = r->nmembers - r->at.taken, batch = (size_t)r->settings->batch;
    const bool statistics = r->model->params_bytes / sizeof(float) > r->model->floats;

    return left == 1 && statistics ? 0 : (int)(left < batch ? left : batch);
}

static uint64_t steps_of_epoch(const run *r)
{
    const size_t batch = (size_t)r->settings->batch;

    return (r->nmembers + batch - 1) / batch;
}

/* Steps to the end of the epoch; stops where it is interrupted. */
static int run_steps(run *r)
{
    const nn_settings *s = r->settings;
    const uint64_t per_epoch = steps_of_epoch(r), all = per_epoch * (uint64_t)s->epochs;
    const uint64_t first = nn_trainer_steps(r->trainer);
    const double start = now(), before = r->at.seconds;
    int n, error = 0;

    while (!error && r->at.taken < r->nmembers && (n = next_count(r)) > 0 && !stops(r)) {
        const uint64_t step = nn_trainer_steps(r->trainer);
        float loss;

        nn_trainer_optimizer(r->trainer)->lr = rate_at(r, step, all);
        for (int i = 0; i < n; i++)
            r->batch[i] = (size_t)r->members[r->order[r->at.taken + (size_t)i]];
        error = nn_trainer_step(r->trainer, &r->source, r->batch, n, &loss);
        if (error == NNKIT_EDIVERGED)
            error = kit_explain_loss(r->trainer, &r->source, r->batch, n, r->at.epoch);
        if (error)
            break;
        r->at.taken += (size_t)n;
        if (!isnan(loss)) /* of a batch of which no label counts */
            r->at.loss += (double)loss * n;
        if (!r->silent && (step % 16 == 0 || r->model->params > 100000)) {
            const double time = now() - start, each = time / (double)(step + 1 - first);

            show_step(&r->display, r->at.epoch, (size_t)(step % per_epoch) + 1, (size_t)per_epoch,
                      r->at.loss / (double)r->at.taken, (double)(step + 1 - first) * s->batch / time,
                      each * (double)(all - step - 1));
        }
        if (s->every && (step + 1) % (uint64_t)s->every == 0) {
            r->at.seconds = before + now() - start;
            error = keep_checkpoint(r);
        }
    }
    r->at.seconds = before + now() - start;
    return error;
}

static uint64_t hash_of_weights(const run *r)
{
    return crc32_z(0, (const Bytef *)nn_trainer_weights(r->trainer), r->model->params_bytes);
}

/* What changes with an epoch on the disk, but for the checkpoint. */
static int write_epoch(const run *r, bool best)
{
    const nn_settings *s = r->settings;

    if (best && nn_data_save(r->data, r->model, r->best, r->output))
        return NNKIT_EWRITE;
    if ((s->log && write_log(&r->history, s->log)) ||
        (s->plot && write_plot(&r->history, s->plot, r->model->name)))
        return NNKIT_EWRITE;
    return 0;
}

/* The test after an epoch, its row, and whether it is the best so far. */
static int end_epoch(run *r)
{
    const nn_settings *s = r->settings;
    const void *weights = nn_trainer_average(r->trainer);
    const uint64_t steps = nn_trainer_steps(r->trainer), all = steps_of_epoch(r) * (uint64_t)s->epochs;
    epoch_row row = {.epoch = r->at.epoch, .lr = rate_at(r, steps - 1, all),
                     .loss = r->at.loss / (double)r->at.taken, .test_loss = NAN, .accuracy = NAN,
                     .seconds = r->at.seconds, .images = (double)r->at.taken / r->at.seconds};
    bool best = r->nexamined == 0;

    if (kit_check_weights(r->trainer, r->at.epoch))
        return NNKIT_EDIVERGED;
    if (r->nexamined > 0) {
        nn_evaluation e;

        if (nn_evaluate(r->model, weights, nn_trainer_team(r->trainer), &r->test_source, r->examined,
                        r->nexamined, &e))
            return NN_EFORMAT;
        row.test_loss = e.loss;
        row.accuracy = e.labels ? (double)e.right / (double)e.labels : NAN;
        const double right = e.labels ? row.accuracy : 0;
        best = r->at.best_epoch == 0 || right > r->at.right ||
               (right == r->at.right && e.loss < r->at.test_loss);
        if (best) {
            r->at.right = right;
            r->at.test_loss = e.loss;
        }
        nn_evaluation_release(&e);
    }
    if (best) {
        r->at.best_epoch = r->at.epoch;
        memcpy(r->best, weights, r->model->params_bytes);
    }
    if (add_row(&r->history, &row))
        return NN_ENOMEM;
    show_row(&r->display, &row, best);
    r->at.epoch++;
    r->at.taken = 0;
    r->at.loss = r->at.seconds = 0;
    if (!kit_same(r->processes, hash_of_weights(r)))
        return kit_fail(NN_EMODEL, "the processes' weights differ after epoch %d: all must run the same "
                        "program, compiled for one kind of processor, on the same data", row.epoch);
    const int error = kit_agree(r->processes, r->leads ? write_epoch(r, best) : 0);
    return error || !s->checkpoint ? error : keep_checkpoint(r);
}

static int run_epochs(run *r)
{
    const nn_settings *s = r->settings;
    int error = 0;

    while (!error && r->at.epoch <= s->epochs && !r->stopped) {
        if (s->patience && r->at.best_epoch && r->at.epoch - 1 - r->at.best_epoch >= s->patience) {
            if (!r->silent)
                printf("no better epoch for %d: stopped\n", s->patience);
            break;
        }
        draw_order(r);
        error = run_steps(r);
        if (!error && !r->stopped)
            error = end_epoch(r);
    }
    return error;
}

/* Before hours are spent: may files be made in the folder of each that will be written? */
static int check_places(const run *r)
{
    const nn_settings *s = r->settings;
    const char *const paths[] = {r->output, s->checkpoint, s->log, s->plot};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *slash = paths[i] ? strrchr(paths[i], '/') : NULL;
        char folder[4096] = ".";

        if (slash)
            snprintf(folder, sizeof folder, "%.*s", (int)(slash - paths[i]) + 1, paths[i]);
        if (paths[i] && access(folder, W_OK | X_OK) != 0) {
            nn_refused(paths[i], "cannot write", errno);
            return kit_fail(NNKIT_EWRITE, "%s", nn_error(nn_last_error()));
        }
    }
    return 0;
}

/* ---- The run ---------------------------------------------------------------------------------- */

static int open_run(run *r, const nn_checkpoint *c)
{
    const nn_settings *s = r->settings;
    const nn_trainer_options options = {.optimizer = optimizer_of(s),
                                        .seed = (uint64_t)s->seed,
                                        .batch = s->batch,
                                        .shard = s->shard,
                                        .threads = s->threads,
                                        .clip = s->clip,
                                        .average = s->average,
                                        .decay_ndim = s->no_decay_on_vectors ? 2 : 0,
                                        .processes = s->processes,
                                        .allreduce = s->allreduce};

    int error = check_settings(r);

    if (!error && r->leads)
        error = check_places(r);
    if (!error)
        error = open_all_data(r);
    if (error)
        return error;
    r->trainer = nn_trainer_open(r->model, &options);
    r->best = kit_memory(r->model->params_bytes);
    r->lr = options.optimizer.lr;
    if (!r->trainer || !r->best)
        return r->trainer ? kit_no_memory() : NNKIT_EUSAGE;
    r->at = (place){.epoch = 1, .samples = r->nmembers};
    if (s->weights && !c && nn_load(r->model, nn_trainer_weights(r->trainer), s->weights))
        return kit_fail(NN_EFORMAT, "%s", nn_error(nn_last_error()));
    return c ? restore(r, c) : 0;
}

static void say_beginning(const run *r, bool resumed)
{
    const nn_settings *s = r->settings;

    if (r->silent)
        return;
    printf("%zu samples for training", r->nmembers);
    if (r->nexamined)
        printf(", %zu for testing", r->nexamined);
    printf("; %zu weights; %s, batches of %d", r->model->params, s->optimizer, s->batch);
    if (r->processes)
        printf("; %d processes", r->processes->count);
    printf("\n");
    if (resumed)
        printf("going on in epoch %d at sample %zu\n", r->at.epoch, r->at.taken);
}

static int say_end(run *r, int error)
{
    const nn_settings *s = r->settings;

    clear_line(&r->display);
    fflush(stdout);
    if (!error && r->stopped)
        error = keep_checkpoint(r);
    if (!r->leads)
        return error == NNKIT_EUSAGE || error == NNKIT_EWRITE || error == NN_ENOMEM ? MISUSED
             : error ? BAD : r->stopped ? INTERRUPTED : DONE;
    if (error == NNKIT_EUSAGE || error == NNKIT_EWRITE || error == NN_ENOMEM)
        return misused(r->line->program, "%s", nnkit_error());
    if (error)
        return bad(r->line->program, nnkit_error());
    if (r->stopped) {
        fprintf(stderr, "%s: interrupted in epoch %d and saved; to go on, type the same with --resume%s%s\n",
                r->line->program, r->at.epoch, s->checkpoint ? "" : " --checkpoint ",
                s->checkpoint ? "" : r->checkpoint);
        return INTERRUPTED;
    }
    if (!r->silent && r->nexamined && r->history.nrows &&
        !isnan(r->history.rows[r->at.best_epoch - 1].accuracy))
        printf("best: epoch %d, %.2f %% right; its weights are in %s\n", r->at.best_epoch,
               100 * r->history.rows[r->at.best_epoch - 1].accuracy, r->output);
    else if (!r->silent)
        printf("the weights of epoch %d are in %s\n", r->at.best_epoch, r->output);
    return DONE;
}

static void close_run(run *r)
{
    nn_trainer_close(r->trainer);
    nn_data_close(r->test);
    nn_data_close(r->data);
    free(r->members);
    free(r->order);
    free(r->examined);
    free(r->batch);
    free(r->best);
    free(r->history.rows);
}

static int train(const nn_model *model, command_line *line)
{
    const nn_settings *s = &line->settings;
    const nn_processes *p = s->processes && s->processes->count > 1 ? s->processes : NULL;
    run r = {.model = model, .line = line, .settings = s, .processes = p, .leads = !p || p->rank == 0};
    nn_checkpoint *c = NULL;
    int error = 0;

    r.silent = s->quiet || !r.leads;
    snprintf(r.output, sizeof r.output, "%s%s", s->output ? s->output : model->name,
             s->output ? "" : ".safetensors");
    snprintf(r.checkpoint, sizeof r.checkpoint, "%s%s", s->checkpoint ? s->checkpoint : model->name,
             s->checkpoint ? "" : ".checkpoint");
    if (s->resume)
        error = take_settings(&r, &c);
    if (!error)
        error = open_run(&r, c);
    error = kit_agree(p, error);
    nn_checkpoint_close(c);
    if (!error && !kit_same(p, r.nmembers))
        error = kit_fail(NN_EMODEL, "the processes have different numbers of samples: all must have the same "
                         "data, as from a file system that they share");
    if (!error) {
        interrupted = 0;
        void (*const old_int)(int) = signal(SIGINT, interrupt),
                     (*const old_term)(int) = signal(SIGTERM, interrupt);

        say_beginning(&r, s->resume);
        start_display(&r.display, r.silent, s->epochs, r.nexamined > 0,
                      model->int_targets || (model->loss_name && strcmp(model->loss_name, "bce") == 0));
        error = run_epochs(&r);
        signal(SIGINT, old_int);
        signal(SIGTERM, old_term);
    }
    const int status = say_end(&r, error);
    close_run(&r);
    return status;
}

int train_command(const nn_model *model, command_line *line)
{
    if (line->noperands != 1)
        return misused(line->program,
                       line->noperands ? "several DATA given: join them with commas"
                                       : "no DATA given; "
                                         "the usage is: %s train DATA [options]",
                       line->program);
    return train(model, line);
}

int nn_train(const nn_model *model, const nn_settings *settings)
{
    char *data = (char *)(uintptr_t)settings->data;
    command_line line = {
        .settings = *settings, .program = model->name, .command = TRAIN, .operands = &data, .noperands = 1};

    return train(model, &line);
}
