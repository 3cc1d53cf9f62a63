/* evaluate.c: answers held against targets: loss, accuracy, confusion, errors.
 *
 * Samples are taken in shards as large as a call may be. What is counted is a whole number, and may be
 * added in any order; sums of doubles are kept for each shard and added in the order of the shards, a wave
 * of them at a time, so that the number of threads changes no bit and the memory stays the same however
 * many samples there are. Of several processes each takes its part of a wave. */
#include "engine.h"
#include "messages.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAVE = 64,
    MOST_CLASSES = 1000, /* for which there is a confusion matrix */
};

/* Of one answer's errors, over samples. */
typedef struct sums {
    double absolute, squares;          /* of answer - target */
    double target, target_squares;
} sums;

/* What judges count: of class labels, and of yes-or-no answers (bce) by answers and by samples. HOT: samples
 * of which one answer is yes, so that it is a class; STRANGE: targets that are neither 0 nor 1. */
enum { LABELS, RIGHT, HOT, HOT_RIGHT, STRANGE, NCOUNTS };

/* What a thread works with. */
typedef struct judge {
    void  *work;
    float *x, *y;
    void  *t;
    size_t counts[NCOUNTS];
    size_t *confusion;
    char   apart[64];
} judge;

typedef struct exam {
    const nn_model *model;
    const void *weights;
    const nn_source *source;
    const size_t *samples;
    size_t n, shard, shards;
    double all;          /* what counts of the n samples */
    size_t classes, positions;
    size_t class_step, position_step; /* how far apart an answer's classes and its positions lie */
    bool yes_or_no;               /* the targets may be 0 and 1, each of them an answer */
    size_t width;                 /* of the confusion matrix */
    judge *judges;
    int njudges;
    /* of the present wave: for each shard a loss and the sums of each answer */
    size_t first;
    double *loss, *counted; /* counted: how many samples' worth of targets the loss is the mean of */
    sums *errors;
    size_t begin, end;            /* this process's part of a wave */
    _Alignas(64) atomic_int next;
    atomic_int error;
    char message[512];
} exam;

/* The class of the greatest of an answer's `classes` numbers, which lie `step` apart; -1: NaN is among
 * them. */
static int greatest(const float *y, size_t classes, size_t step)
{
    size_t best = 0;

    for (size_t c = 0; c < classes; c++) {
        if (isnan(y[c * step]))
            return -1;
        if (y[c * step] > y[best * step])
            best = c;
    }
    return (int)best;
}

static void judge_labels(const exam *e, judge *j, int n)
{
    const int *t = j->t;

    for (int i = 0; i < n; i++)
        for (size_t p = 0; p < e->positions; p++) {
            const int label = t[(size_t)i * e->positions + p];
            const float *y = j->y + (size_t)i * e->model->output + p * e->position_step;
            const int answer = greatest(y, e->classes, e->class_step);

            if (label < 0 || (size_t)label >= e->classes)
                continue;
            j->counts[LABELS]++;
            j->counts[RIGHT] += label == answer;
            if (answer >= 0 && e->width)
                j->confusion[(size_t)label * e->width + (size_t)answer]++;
        }
}

static void judge_numbers(const exam *e, const judge *j, int n, sums *errors)
{
    const size_t outputs = e->model->output;
    const float *t = j->t;

    memset(errors, 0, outputs * sizeof *errors);
    for (size_t i = 0; i < (size_t)n * outputs; i++) {
        const double target = t[i], error = (double)j->y[i] - target;
        sums *s = &errors[i % outputs];

        s->absolute += fabs(error);
        s->squares += error * error;
        s->target += target;
        s->target_squares += target * target;
    }
}

/* Yes is 1, of which the answer is the probability, or the logit. */
static void judge_yes_or_no(const exam *e, judge *j, int n)
{
    const size_t outputs = e->model->output;
    const float half = e->model->logits ? 0 : 0.5f;

    for (int i = 0; i < n; i++) {
        const float *y = j->y + (size_t)i * outputs, *t = (const float *)j->t + (size_t)i * outputs;
        const int answer = outputs == 1 ? y[0] > half : greatest(y, outputs, 1);
        size_t yes = 0, label = 0;

        for (size_t k = 0; k < outputs; k++) {
            j->counts[STRANGE] += t[k] != 0 && t[k] != 1;
            j->counts[LABELS]++;
            j->counts[RIGHT] += (t[k] != 0) == (y[k] > half);
            yes += t[k] != 0;
            label = t[k] != 0 ? k : label;
        }
        if (outputs == 1)
            label = yes;
        else if (yes != 1)
            continue;
        j->counts[HOT]++;
        j->counts[HOT_RIGHT] += (size_t)answer == label;
        if (answer >= 0 && e->width)
            j->confusion[label * e->width + (size_t)answer]++;
    }
}

static int read_samples(const exam *e, judge *j, size_t first, int n)
{
    const nn_model *model = e->model;
    int error = 0;

    for (int i = 0; i < n && !error; i++) {
        const size_t k = first + (size_t)i;

        error =
            e->source->read(e->source->data, e->samples ? e->samples[k] : k, j->x + (size_t)i * model->input,
                            (char *)j->t + (size_t)i * model->targets * sizeof(float));
    }
    return error;
}

static void judge_shards(void *context, int thread, int threads)
{
    exam *e = context;
    judge *j = &e->judges[thread];
    const nn_model *model = e->model;

    (void)threads;
    for (size_t k; (k = (size_t)atomic_fetch_add(&e->next, 1)) < e->end && e->first + k < e->shards;) {
        const size_t first = (e->first + k) * e->shard;
        const int n = (int)(e->n - first < e->shard ? e->n - first : e->shard);
        const int error = read_samples(e, j, first, n);
        int none = 0;

        if (error) {
            if (atomic_compare_exchange_strong(&e->error, &none, error))
                kit_copy_message(e->message, sizeof e->message);
            return;
        }
        e->loss[k] = NAN;
        if (model->loss)
            e->loss[k] = (double)model->loss(e->weights, j->work, n, j->x, j->t, j->y);
        else
            model->forward(e->weights, j->work, n, j->x, j->y);
        e->counted[k] = kit_counted(model, n, j->t);
        if (e->classes)
            judge_labels(e, j, n);
        else
            judge_numbers(e, j, n, e->errors + k * model->output);
        if (e->yes_or_no)
            judge_yes_or_no(e, j, n);
    }
}

/* Of the confusion matrix. */
static size_t cells_of(const exam *e)
{
    return e->width * e->width;
}

static bool make_exam(exam *e)
{
    const nn_model *model = e->model;

    e->judges = kit_memory((size_t)e->njudges * sizeof *e->judges);
    e->loss = calloc(WAVE, sizeof *e->loss);
    e->counted = calloc(WAVE, sizeof *e->counted);
    e->errors = calloc((e->classes ? 0 : WAVE * model->output) + 1, sizeof *e->errors);
    for (int i = 0; e->judges && i < e->njudges; i++) {
        judge *j = &e->judges[i];

        j->work = kit_memory(model->work_bytes);
        j->x = kit_memory(e->shard * model->input * sizeof(float));
        j->y = kit_memory(e->shard * model->output * sizeof(float));
        j->t = kit_memory(e->shard * model->targets * sizeof(float));
        j->confusion = calloc(cells_of(e) + 1, sizeof *j->confusion);
        if (!j->work || !j->x || !j->y || !j->t || !j->confusion)
            return false;
    }
    return e->judges && e->loss && e->counted && e->errors;
}

static void free_exam(exam *e)
{
    for (int i = 0; e->judges && i < e->njudges; i++) {
        free(e->judges[i].work);
        free(e->judges[i].x);
        free(e->judges[i].y);
        free(e->judges[i].t);
        free(e->judges[i].confusion);
    }
    free(e->judges);
    free(e->loss);
    free(e->counted);
    free(e->errors);
}

/* Adds a wave's sums in the order of its shards. */
static void add_wave(exam *e, double *loss, sums *total)
{
    const size_t outputs = e->model->output;

    for (size_t k = 0; k < WAVE && e->first + k < e->shards; k++) {
        if (e->counted[k] != 0) /* else the loss is NaN, and means nothing */
            *loss += e->loss[k] * e->counted[k];
        e->all += e->counted[k];
        for (size_t i = 0; !e->classes && i < outputs; i++) {
            const sums *s = &e->errors[k * outputs + i];

            total[i].absolute += s->absolute;
            total[i].squares += s->squares;
            total[i].target += s->target;
            total[i].target_squares += s->target_squares;
        }
    }
}

/* ---- Several processes ----------------------------------------------------------------------- */

/* What the others found in their parts of the wave. */
static int share_wave(exam *e, const nn_processes *p)
{
    const int error = kit_agree(p, e->error ? kit_fail(e->error, "%s", e->message) : 0);

    if (error)
        return error;
    kit_gather_parts(p, e->loss, WAVE, sizeof *e->loss);
    kit_gather_parts(p, e->counted, WAVE, sizeof *e->counted);
    if (!e->classes)
        kit_gather_parts(p, e->errors, WAVE, e->model->output * sizeof *e->errors);
    return 0;
}

/* All counts of all processes, into the first judge's. */
static int share_counts(exam *e, const nn_processes *p)
{
    const size_t each = NCOUNTS + cells_of(e);
    size_t *own = calloc(each, sizeof *own), *all;
    judge *first = &e->judges[0];
    const int error = kit_agree(p, own ? 0 : kit_no_memory());

    if (error) {
        free(own);
        return error;
    }
    for (int i = 0; i < e->njudges; i++) {
        judge *j = &e->judges[i];

        for (size_t k = 0; k < each; k++)
            own[k] += k < NCOUNTS ? j->counts[k] : j->confusion[k - NCOUNTS];
        memset(j->counts, 0, sizeof j->counts);
        memset(j->confusion, 0, cells_of(e) * sizeof *j->confusion);
    }
    all = kit_gather(p, own, each * sizeof *all);
    for (size_t i = 0; i < (size_t)p->count * each; i++)
        *(i % each < NCOUNTS ? &first->counts[i % each] : &first->confusion[i % each - NCOUNTS]) += all[i];
    free(own);
    free(all);
    return 0;
}

/* Were the answers classes, after all, or yes and no? Numbers otherwise. */
static void conclude_counts(const exam *e, nn_evaluation *result)
{
    size_t counts[NCOUNTS] = {0};

    for (int i = 0; i < e->njudges; i++) {
        for (int k = 0; k < NCOUNTS; k++)
            counts[k] += e->judges[i].counts[k];
        for (size_t k = 0; k < cells_of(e); k++)
            result->confusion[k] += e->judges[i].confusion[k];
    }
    result->labels = counts[STRANGE] ? 0 : counts[LABELS];
    result->right = counts[STRANGE] ? 0 : counts[RIGHT];
    if (e->classes)
        return;
    if (e->yes_or_no && counts[HOT] == e->n && !counts[STRANGE]) {
        result->labels = counts[HOT];
        result->right = counts[HOT_RIGHT];
        result->classes = e->model->output == 1 ? 2 : e->model->output;
    } else {
        free(result->confusion);
        result->confusion = NULL;
    }
}

static void conclude(const exam *e, double loss, const sums *total, nn_evaluation *result)
{
    const size_t outputs = e->model->output;
    double varying = 0;

    result->loss = loss / e->all;
    conclude_counts(e, result);
    result->mse = result->mae = result->r2 = e->classes ? NAN : 0;
    for (size_t i = 0; !e->classes && i < outputs; i++) {
        const double variance = total[i].target_squares - total[i].target * total[i].target / (double)e->n;

        result->mse += total[i].squares / (double)e->n / (double)outputs;
        result->mae += total[i].absolute / (double)e->n / (double)outputs;
        if (variance > 1e-12 * total[i].target_squares) {
            result->r2 += 1 - total[i].squares / variance;
            varying++;
        }
    }
    if (!e->classes)
        result->r2 = varying > 0 ? result->r2 / varying : NAN;
}

/* Judges the samples from e->first on, as many as a wave has, and adds up what they give. */
static int judge_wave(exam *e, nn_team *team, const nn_processes *p)
{
    int error = 0;

    atomic_store(&e->next, (int)e->begin);
    if (!e->error && team && e->njudges > 1)
        nn_team_run(team, e->njudges, judge_shards, e);
    else if (!e->error)
        judge_shards(e, 0, 1);
    if (p)
        error = share_wave(e, p);
    else if (e->error)
        error = kit_fail(e->error, "%s", e->message);
    return error;
}

/* What kind of answers there are, and how they lie. */
static void look_at_answers(exam *e)
{
    const nn_model *model = e->model;
    /* positions come first in a sequence, in an image the classes */
    const bool sequence = model->input_shape[2] == 0 || model->vocabulary > 0;

    e->positions = model->targets;
    e->classes = model->int_targets && model->targets ? model->output / model->targets : 0;
    e->class_step = sequence ? 1 : e->positions;
    e->position_step = sequence ? e->classes : 1;
    e->yes_or_no = !model->int_targets && model->targets == model->output && model->loss_name
                && (strcmp(model->loss_name, "bce") == 0 || strcmp(model->loss_name, "focal") == 0);
    const size_t kinds = model->output == 1 ? 2 : model->output;
    const size_t classes = e->yes_or_no ? kinds : e->classes;
    e->width = classes <= MOST_CLASSES ? classes : 0;
}

int nn_evaluate(const nn_model *model, const void *weights, nn_team *team, const nn_source *source,
                const size_t *samples, size_t n, nn_evaluation *result)
{
    exam e = {.model = model, .weights = weights, .source = source, .samples = samples, .n = n};
    const nn_processes *p = team ? nn_team_processes(team) : NULL;
    sums *total = calloc(model->output, sizeof *total);
    double loss = 0;
    int error = 0;

    e.shard = (size_t)model->batch < 64 ? (size_t)model->batch : 64;
    e.shards = (n + e.shard - 1) / e.shard;
    e.begin = p ? kit_part(p, WAVE, p->rank) : 0;
    e.end = p ? kit_part(p, WAVE, p->rank + 1) : WAVE;
    look_at_answers(&e);
    e.njudges = team ? nn_team_threads(team) : 1;
    if (n < (size_t)e.njudges * e.shard)
        e.njudges = 1;
    *result = (nn_evaluation){.samples = n, .classes = e.classes};
    if (cells_of(&e) > 0)
        result->confusion = calloc(cells_of(&e), sizeof *result->confusion);
    if (!make_exam(&e) || !total || (cells_of(&e) > 0 && !result->confusion)) {
        e.error = kit_no_memory();
        kit_copy_message(e.message, sizeof e.message);
    }
    for (; !error && e.first < e.shards; e.first += WAVE) {
        error = judge_wave(&e, team, p);
        if (!error)
            add_wave(&e, &loss, total);
    }
    if (!error && e.error)
        error = e.error;
    if (!error && p)
        error = share_counts(&e, p);
    if (!error)
        conclude(&e, loss, total, result);
    else
        nn_evaluation_release(result);
    free_exam(&e);
    free(total);
    return error;
}

void nn_evaluation_release(nn_evaluation *result)
{
    free(result->confusion);
    result->confusion = NULL;
}
