/* trainer.c: one step of training by several threads, with the same bits for every number of them.
 *
 * A batch is cut into shards, whose gradients are added in one binary tree (tree.c). In the first half of a
 * step each thread takes group after group of shards and adds within it while the gradients lie in its
 * cache; in the second each thread takes its part of the weights (chunks) and adds the groups there, divides
 * by the number of samples, and makes the optimizer's step. Of several processes each takes its part of the
 * shards; between the halves they exchange what the shards gave and their sums. All make the same step.
 *
 * Running statistics lie behind the weights in net_params, where a gradient has nothing: a shard's are put
 * there, and take the same way through the tree. */
#include "engine.h"
#include "messages.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- How a batch is cut ---------------------------------------------------------------------- */

/* Shards of n samples. Batchnorm can't take one sample: then the shard before gives one to a rest of one. */
typedef struct cut {
    int n, shard, shards;
    bool pairs;          /* a shard of one sample must not be */
} cut;

static cut cut_batch(const nn_trainer *t, int n)
{
    const int shard = t->options.shard;

    return (cut){n, shard, (n + shard - 1) / shard, t->all > t->floats};
}

static int first_of(const cut *c, int k)
{
    const bool lends = c->pairs && c->n % c->shard == 1 && c->shards > 1;

    return k >= c->shards ? c->n : k * c->shard - (lends && k == c->shards - 1);
}

static int count_of(const cut *c, int k)
{
    return first_of(c, k + 1) - first_of(c, k);
}

/* How many shards a group has: one, since what is added in the second half goes through memory once; but
 * more where the groups' gradients would take much memory, as long as the threads finish no later for it. */
static int group_of(int shards, int threads, size_t bytes)
{
    const size_t plenty = (size_t)64 << 20;
    int best = 1;

    for (int group = 2; group < 2 * shards; group *= 2) {
        const int groups = (shards + group - 1) / group;
        const int time = (groups + threads - 1) / threads * group;

        if ((size_t)shards / (size_t)best * bytes <= plenty)
            break;
        if ((time < shards ? time : shards) <= (shards + threads - 1) / threads)
            best = group;
    }
    return best;
}

/* ---- The first half: gradients of groups ----------------------------------------------------- */

typedef struct step {
    nn_trainer *t;
    const nn_source *source;
    const size_t *samples;
    cut cut;
    node own;                     /* this process's shards */
    double counted;               /* what counts of the batch, once the first half is done */
    _Alignas(64) atomic_int next; /* the next group to be taken */
} step;

double kit_counted(const nn_model *model, int n, const void *t)
{
    return model->counted ? model->counted(n, t) / (double)model->targets : n;
}

/* The gradient of shard k, weighted by what counts of its samples, with full shards having the weight 1; its
 * statistics are weighted by the samples. */
static void run_shard(const step *s, worker *w, int k, float *gradient)
{
    const nn_trainer *t = s->t;
    const nn_model *model = t->model;
    const int first = first_of(&s->cut, k), n = count_of(&s->cut, k);
    shard_result *result = &t->results[k];
    float *params = w->params ? w->params : t->weights;
    const size_t statistics = (t->all - t->floats) * sizeof(float);
    const size_t target = model->targets * sizeof(float); /* an int has that size, too */

    result->error = 0;
    for (int i = 0; i < n && !result->error; i++)
        result->error = s->source->read(s->source->data, s->samples[first + i],
                                        w->x + (size_t)i * model->input, (char *)w->t + (size_t)i * target);
    if (result->error) {
        kit_copy_message(result->message, sizeof result->message);
        return;
    }
    if (statistics)
        memcpy(params + t->floats, t->weights + t->floats, statistics);
    model->set_rng(w->work, nn_bits_at(nn_bits_at(t->options.seed, t->steps), (uint64_t)k));
    result->loss = model->backward(params, w->work, n, w->x, w->t, gradient);
    if (statistics)
        memcpy(gradient + t->floats, params + t->floats, statistics);
    result->counted = kit_counted(model, n, w->t);
    if (result->counted != s->cut.shard)
        nn_scale(gradient, t->floats, (float)result->counted / (float)s->cut.shard);
    if (n != s->cut.shard)
        nn_scale(gradient + t->floats, t->all - t->floats, (float)n / (float)s->cut.shard);
}

static void no_memory(nn_trainer *t, int shard)
{
    t->results[shard].error = kit_no_memory();
    kit_copy_message(t->results[shard].message, sizeof t->results[shard].message);
}

/* The sum over the shards of a node. level: of the tree, from which the worker's gradients are free. */
static void sum_shards(const step *s, worker *w, node v, float *sum, int level)
{
    if (v.hi - v.lo == 1) {
        run_shard(s, w, v.lo, sum);
        return;
    }
    if (w->sums[level] == NULL && (w->sums[level] = kit_memory(s->t->model->params_bytes)) == NULL) {
        no_memory(s->t, v.lo);
        return;
    }
    sum_shards(s, w, kit_left_of(v), sum, level);
    sum_shards(s, w, kit_right_of(v), w->sums[level], level + 1);
    kit_add_to(sum, w->sums[level], s->t->all);
}

static void run_groups(void *context, int thread, int threads)
{
    step *s = context;
    nn_trainer *t = s->t;
    worker *w = &t->workers[thread];

    (void)threads;
    if (w->params)
        memcpy(w->params, t->weights, t->floats * sizeof(float));
    for (int g; (g = atomic_fetch_add(&s->next, 1)) < t->ngroups;)
        sum_shards(s, w, t->groups[g], t->sums[g], 0);
}

/* ---- The second half: the weights' step ------------------------------------------------------ */

/* Adds the groups, for the weights from at on, by blocks that stay in the nearest cache. */
static void sum_part(const step *s, size_t at, size_t n)
{
    enum { BLOCK = 1024 };

    for (size_t done = 0; done < n; done += BLOCK)
        kit_sum_groups(s->t, s->cut.shards, s->own, at + done, n - done < BLOCK ? n - done : BLOCK);
}

/* The mean's gradient, into the first group's. Several processes have added already. */
static void sum_chunk(const step *s, size_t at, size_t n)
{
    nn_trainer *t = s->t;
    const double all = at < t->floats ? s->counted : s->cut.n;

    if (t->nprocesses == 1)
        sum_part(s, at, n);
    if (all != s->cut.shard && all > 0) /* where none counts, the gradient is 0 */
        nn_scale(t->sums[0] + at, n, (float)s->cut.shard / (float)all);
}

static void average(nn_trainer *t, size_t at, size_t n)
{
    nn_ema(t->average + at, t->weights + at, n, t->options.average, t->steps);
}

/* A chunk's step where weight decay is for some of the tensors, whose floats go on to those of the next. */
static void step_tensors(nn_trainer *t, const chunk *c)
{
    const nn_model *model = t->model;
    nn_optimizer plain = t->options.optimizer;
    size_t end = c->count;

    plain.weight_decay = 0;
    nn_count_step(c->state);
    for (int i = model->ntensors; i-- > 0 && end > 0;) { /* in the order of their places, statistics last */
        const nn_tensor *tensor = &model->tensors[i];
        const size_t begin = tensor->offset > c->at ? tensor->offset - c->at : 0;

        if (tensor->offset >= t->floats || begin >= end)
            continue;
        nn_step_part(tensor->ndim < t->options.decay_ndim ? &plain : &t->options.optimizer,
                     t->weights + c->at, t->sums[0] + c->at, c->state, c->count, begin, end);
        end = begin;
    }
}

static void step_chunk(nn_trainer *t, const chunk *c)
{
    if (t->options.decay_ndim > 0)
        step_tensors(t, c);
    else
        nn_step(&t->options.optimizer, t->weights + c->at, t->sums[0] + c->at, c->state, c->count);
    if (t->average)
        average(t, c->at, c->count);
}

/* This thread's part of all chunks. */
static int first_chunk(const nn_trainer *t, int thread, int threads)
{
    return (int)((long long)t->nchunks * thread / threads);
}

static void step_statistics(const step *s)
{
    nn_trainer *t = s->t;
    const size_t n = t->all - t->floats;

    if (n == 0)
        return;
    sum_chunk(s, t->floats, n);
    memcpy(t->weights + t->floats, t->sums[0] + t->floats, n * sizeof(float));
    if (t->average)
        average(t, t->floats, n);
}

static void run_chunks(void *context, int thread, int threads)
{
    const step *s = context;
    nn_trainer *t = s->t;

    for (int i = first_chunk(t, thread, threads); i < first_chunk(t, thread + 1, threads); i++) {
        sum_chunk(s, t->chunks[i].at, t->chunks[i].count);
        step_chunk(t, &t->chunks[i]);
    }
    if (thread == 0)
        step_statistics(s);
}

/* With clipping the norm of the whole gradient comes first. */
static void measure_chunks(void *context, int thread, int threads)
{
    const step *s = context;
    nn_trainer *t = s->t;

    for (int i = first_chunk(t, thread, threads); i < first_chunk(t, thread + 1, threads); i++) {
        chunk *c = &t->chunks[i];

        sum_chunk(s, c->at, c->count);
        c->squares = nn_squares(t->sums[0] + c->at, c->count);
    }
}

static void clip_chunks(void *context, int thread, int threads)
{
    const step *s = context;
    nn_trainer *t = s->t;
    double squares = 0;

    for (int i = 0; i < t->nchunks; i++)
        squares += t->chunks[i].squares;
    const float factor = (float)(t->options.clip / (sqrt(squares) + 1e-6));
    for (int i = first_chunk(t, thread, threads); i < first_chunk(t, thread + 1, threads); i++) {
        if (factor < 1)
            nn_scale(t->sums[0] + t->chunks[i].at, t->chunks[i].count, factor);
        step_chunk(t, &t->chunks[i]);
    }
    if (thread == 0)
        step_statistics(s);
}

/* ---- Several processes ----------------------------------------------------------------------- */

/* Each gets to know what all the shards gave. */
static void share_results(const step *s)
{
    nn_trainer *t = s->t;

    for (int p = 0; p <= t->nprocesses; p++)
        t->begins[p] = (size_t)kit_shards_of(t, s->cut.shards, p).lo * sizeof *t->results;
    t->options.processes->gather(t->options.processes, t->results, t->begins);
}

static void sum_own(void *context, int thread, int threads)
{
    const step *s = context;
    const nn_trainer *t = s->t;

    for (int i = first_chunk(t, thread, threads); i < first_chunk(t, thread + 1, threads); i++)
        sum_part(s, t->chunks[i].at, t->chunks[i].count);
    if (thread == 0 && t->all > t->floats)
        sum_part(s, t->floats, t->all - t->floats);
}

static void sum_all(step *s)
{
    nn_trainer *t = s->t;

    if (t->ngroups > 1)
        nn_team_run(t->team, t->threads, sum_own, s);
    if (!t->options.allreduce) {
        kit_join_processes(t, s->cut.shards, s->own);
        return;
    }
    if (t->ngroups == 0)
        memset(t->sums[0], 0, t->all * sizeof(float));
    t->options.processes->sum(t->options.processes, t->sums[0], t->all);
}

/* ---- The whole step -------------------------------------------------------------------------- */

/* Memory for the gradients of that many groups. */
static bool make_sums(nn_trainer *t, int groups)
{
    for (; t->nsums < groups; t->nsums++)
        if ((t->sums[t->nsums] = kit_memory(t->model->params_bytes)) == NULL)
            return false;
    return true;
}

/* The mean loss, and what counts of the batch. NaN where none of its labels counts. */
static int check_loss(step *s, float *loss)
{
    const nn_trainer *t = s->t;
    double sum = 0;

    for (int k = 0; k < s->cut.shards; k++) {
        if (t->results[k].error)
            return kit_fail(t->results[k].error, "%s", t->results[k].message);
        if (t->results[k].counted != 0) /* else its loss is NaN, and means nothing */
            sum += (double)t->results[k].loss * t->results[k].counted;
        s->counted += t->results[k].counted;
    }
    *loss = (float)(sum / s->counted);
    if (s->counted == 0)
        return 0;
    return isfinite(*loss) ? 0
                           : kit_fail(NNKIT_EDIVERGED, "the loss is %s in step %llu",
                                      isnan(*loss) ? "NaN" : "infinite", (unsigned long long)t->steps + 1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Notes how long a step took, and settles on one thread where all of them are no faster. */
static void measure_step(nn_trainer *t, double took)
{
    enum { TRIALS = 16, FEW = 8 }; /* FEW: three by one thread count by then, of which two may be held up */
    const double enough = 2e-3;    /* a step that takes as long by one thread is worth being divided */
    const int all = nn_team_threads(t->team);
    double *least = t->threads == 1 ? &t->trial.one : &t->trial.all;

    if (t->trial.step >= 2 && took < *least) /* the first steps fill the caches */
        *least = took;
    t->trial.step++;
    t->threads = t->threads == 1 ? all : 1;
    if (t->trial.step < TRIALS && !(t->trial.step >= FEW && t->trial.one > enough))
        return;
    t->trial.settled = true;
    t->threads = t->trial.one > enough || t->trial.all < t->trial.one ? all : 1;
}

int nn_trainer_step(nn_trainer *t, const nn_source *source, const size_t *samples, int n, float *loss)
{
    step s = {.t = t, .source = source, .samples = samples, .cut = cut_batch(t, n)};
    const double start = t->trial.settled ? 0 : seconds();
    int error;

    if (n < 1 || n > t->options.batch)
        return kit_fail(NN_EMODEL, "a step of %d samples: must be 1 to %d, the trainer's batch", n,
                        t->options.batch);
    s.own = kit_shards_of(t, s.cut.shards, t->options.processes ? t->options.processes->rank : 0);
    const int group = group_of(s.own.hi - s.own.lo, t->threads, t->model->params_bytes);
    t->ngroups = kit_cut_groups(s.cut.shards, s.own, group, t->groups);
    atomic_init(&s.next, 0);
    if (make_sums(t, t->ngroups))
        nn_team_run(t->team, t->threads, run_groups, &s);
    else
        no_memory(t, s.own.lo);
    if (t->nprocesses > 1)
        share_results(&s);
    error = check_loss(&s, loss);
    if (error)
        return error;
    if (t->nprocesses > 1)
        sum_all(&s);
    if (t->options.clip > 0) {
        nn_team_run(t->team, t->threads, measure_chunks, &s);
        nn_team_run(t->team, t->threads, clip_chunks, &s);
    } else {
        nn_team_run(t->team, t->threads, run_chunks, &s);
    }
    t->steps++;
    if (!t->trial.settled)
        measure_step(t, seconds() - start);
    return 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static bool make_worker(nn_trainer *t, worker *w)
{
    const nn_model *model = t->model;
    const size_t shard = (size_t)t->options.shard;

    w->work = kit_memory(model->work_bytes);
    w->x = kit_memory(shard * model->input * sizeof(float));
    w->t = kit_memory(shard * model->targets * sizeof(float));
    if (t->all > t->floats)
        w->params = kit_memory(model->params_bytes);
    return w->work && w->x && w->t && (w->params || t->all == t->floats);
}

static bool make_chunks(nn_trainer *t)
{
    t->nchunks = (int)((t->floats + CHUNK - 1) / CHUNK);
    t->chunks = calloc((size_t)t->nchunks + 1, sizeof *t->chunks);
    for (int i = 0; t->chunks && i < t->nchunks; i++) {
        chunk *c = &t->chunks[i];

        c->at = (size_t)i * CHUNK;
        c->count = t->floats - c->at < CHUNK ? t->floats - c->at : CHUNK;
        const size_t state = nn_state_size(&t->options.optimizer, c->count);
        if (state > 0 && (c->state = kit_memory(state * sizeof(float))) == NULL)
            return false;
    }
    return t->chunks != NULL;
}

/* What several processes need beside. */
static bool make_exchange(nn_trainer *t)
{
    const size_t n = (size_t)t->nprocesses;

    t->received = kit_memory(t->model->params_bytes);
    t->messages = calloc(2 * n, sizeof *t->messages);
    t->begins = calloc(n + 1, sizeof *t->begins);
    return t->received && t->messages && t->begins && make_sums(t, 1);
}

static bool make_all(nn_trainer *t)
{
    const nn_trainer_options *o = &t->options;

    t->nresults = (o->batch + o->shard - 1) / o->shard;
    t->results = kit_memory((size_t)t->nresults * sizeof *t->results);
    t->sums = calloc((size_t)t->nresults, sizeof *t->sums);
    t->groups = calloc((size_t)t->nresults, sizeof *t->groups);
    t->weights = kit_memory(t->model->params_bytes);
    t->average = o->average > 0 ? kit_memory(t->model->params_bytes) : NULL;
    t->team = nn_team_open(o->threads);
    if (!t->results || !t->sums || !t->groups || !t->weights || !t->team || (o->average > 0 && !t->average))
        return false;
    nn_team_connect(t->team, o->processes);
    if (t->nprocesses > 1 && !make_exchange(t))
        return false;
    t->threads = nn_team_threads(t->team);
    t->workers = kit_memory((size_t)t->threads * sizeof *t->workers);
    for (int i = 0; i < t->threads; i++)
        if (!t->workers || !make_worker(t, &t->workers[i]))
            return false;
    return make_chunks(t);
}

/* What can't be trained, or not so. */
static int check_options(const nn_model *model, const nn_trainer_options *o)
{
    if (!model->backward)
        return kit_fail(NN_EMODEL, model->forward_train
                                       ? "the network has `loss none`: its loss is the caller's, "
                                         "who writes the loop, too"
                                       : "the network was compiled with --inference and can't be trained");
    if (o->batch < 1)
        return kit_fail(NNKIT_EUSAGE, "a batch of %d: must be 1 or more", o->batch);
    if (o->shard < 0 || o->shard > model->batch)
        return kit_fail(NNKIT_EUSAGE,
                        "a shard of %d samples: must be 1 to %d, the most samples in a call of this "
                        "network; compile it with --batch=%d or more",
                        o->shard, model->batch, o->shard);
    return 0;
}

nn_trainer *nn_trainer_open(const nn_model *model, const nn_trainer_options *options)
{
    if (check_options(model, options))
        return NULL;
    nn_trainer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        kit_no_memory();
        return NULL;
    }
    t->model = model;
    t->options = *options;
    t->nprocesses = options->processes ? options->processes->count : 1;
    t->floats = model->floats;
    t->all = model->params_bytes / sizeof(float);
    if (t->options.shard == 0)
        t->options.shard = model->batch < 16 ? model->batch : 16;
    if (t->options.shard == 1 && t->all > t->floats) {
        kit_fail(NN_EMODEL,
                 "a shard of 1 sample: batchnorm takes the variance of a shard's samples, and one has none");
        nn_trainer_close(t);
        return NULL;
    }
    t->trial.settled = options->threads > 0;
    t->trial.one = t->trial.all = HUGE_VAL;
    if (!make_all(t)) {
        kit_no_memory();
        nn_trainer_close(t);
        return NULL;
    }
    t->trial.settled |= t->threads == 1;
    nn_init(model, t->weights, options->seed);
    return t;
}

void nn_trainer_close(nn_trainer *t)
{
    if (t == NULL)
        return;
    for (int i = 0; t->workers && i < nn_team_threads(t->team); i++) {
        worker *w = &t->workers[i];

        free(w->work);
        free(w->params);
        free(w->x);
        free(w->t);
        for (int level = 0; level < MOST_LEVELS; level++)
            free(w->sums[level]);
    }
    nn_team_close(t->team);
    free(t->workers);
    for (int i = 0; i < t->nsums; i++)
        free(t->sums[i]);
    free(t->sums);
    free(t->groups);
    free(t->received);
    free(t->messages);
    free(t->begins);
    for (int i = 0; t->chunks && i < t->nchunks; i++)
        free(t->chunks[i].state);
    free(t->chunks);
    free(t->results);
    free(t->weights);
    free(t->average);
    free(t);
}

void *nn_trainer_weights(nn_trainer *t)
{
    return t->weights;
}

const void *nn_trainer_average(const nn_trainer *t)
{
    return t->average ? t->average : t->weights;
}

nn_optimizer *nn_trainer_optimizer(nn_trainer *t)
{
    return &t->options.optimizer;
}

uint64_t nn_trainer_steps(const nn_trainer *t)
{
    return t->steps;
}

nn_team *nn_trainer_team(nn_trainer *t)
{
    return t->team;
}
