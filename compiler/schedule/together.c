/* together.c: several samples go through a function together.
 *
 * Where each weight serves a sample only once (fully connected layers), a weight that is loaded then
 * serves all of them. The sample becomes an index like any other, of tensors that have one dimension more. */
#include <string.h>

#include "schedule/schedule.h"

/* ---- Samples together ------------------------------------------------------------------------
 *
 * Where each weight serves a sample only once (fully connected layers), several samples go through the
 * function together: a weight that is loaded then serves all of them. The sample becomes an index like any
 * other, of tensors that have one dimension more. */

/* What samples pass on is kept for all that go together. While the weights stay in a near cache, more
 * samples than eight were not faster (measured with 4, 8, 16 and 32); where they come from farther away
 * each time, 32 were, by 4 to 10 %. */
enum { NEAR_SAMPLES = 8, FAR_SAMPLES = 32 };

/* Rows at such a step lie in the same set of the first cache, where 32 samples' would put each other out. */
static const int64_t bad_step = 4096;

typedef struct Samples {
    const Pass *pass;
    Tensor **view;       /* by tensor id */
    int64_t count;
    int shift, index;    /* of the other indices; of the sample */
} Samples;

/* A sample's value gets a line more where that keeps the samples' from lying at a bad step. */
static void keep_apart(const Pass *pass, Tensor *t)
{
    const int64_t line = pass->target->machine->line / (int64_t)sizeof(float);
    if (t->role != TENSOR_VALUE || t->rank != 1 || pass->shared[t->id] || t->floats < t->dim[0]
        || t->floats * (int64_t)sizeof(float) % bad_step)
        return;
    t->room[0] += line;
    t->floats += line;
}

static Tensor *view_of(const Samples *samples, Tensor *t)
{
    Tensor **view = &samples->view[t->id];
    if (*view || !t->per_sample)
        return t->per_sample ? *view : t;
    keep_apart(samples->pass, t);
    *view = NEW(Tensor);
    **view = *t;
    (*view)->of = t;
    (*view)->per_sample = false;
    (*view)->rank = t->rank + 1;
    (*view)->dim[0] = (*view)->room[0] = samples->count;
    (*view)->before[0] = 0;
    for (int d = 0; d < t->rank; d++) {
        (*view)->dim[d + 1] = t->dim[d];
        (*view)->room[d + 1] = t->room[d];
        (*view)->before[d + 1] = t->before[d];
    }
    (*view)->count *= samples->count;
    (*view)->floats *= samples->count;
    return *view;
}

/* The statement's indices, where the sample comes before them. */
static Affine index_over_samples(Affine index, const void *context)
{
    const Samples *samples = context;
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i + samples->shift < MAX_INDEX; i++)
        map[i].coefficient[i + samples->shift] = 1;
    return substitute(index, map);
}

static Access over_samples(Access access, const void *context)
{
    const Samples *samples = context;
    for (int d = 0; d < access.tensor->rank; d++)
        access.at[d] = index_over_samples(access.at[d], samples);
    if (!access.tensor->per_sample)
        return access;
    for (int d = access.tensor->rank; d > 0; d--)
        access.at[d] = access.at[d - 1];
    access.at[0] = affine(0);
    access.at[0].coefficient[samples->index] = 1;
    access.tensor = view_of(samples, access.tensor);
    return access;
}

/* nindex: how many indices it has; first: the sample comes before them. */
static Statement *statement_over_samples(Samples *samples, const Statement *s, int nindex, bool first)
{
    if (!s)
        return NULL;
    Statement *copy = NEW(Statement);
    *copy = *s;
    samples->shift = first;
    samples->index = samples->shift ? 0 : nindex;
    copy->nindex = nindex + 1;
    for (int i = 0; i < nindex; i++) {
        copy->index_name[i + samples->shift] = s->index_name[i];
        copy->extent[i + samples->shift] = s->extent[i];
    }
    copy->index_name[samples->index] = "s";
    copy->extent[samples->index] = samples->count;
    copy->rhs = copy_expr(s->rhs, over_samples, index_over_samples, samples);
    copy->position = s->position ? view_of(samples, s->position) : NULL;
    copy->out = over_samples(s->out, samples);
    return copy;
}

static void check_rank(const Access *access, void *fits)
{
    if (access->tensor->per_sample && access->tensor->rank == MAX_RANK)
        *(bool *)fits = false;
}

static bool can_batch(const Function *f)
{
    if (f->unroll != UNROLL_TILE || f->per_call || !weights_used_once(f))
        return false;
    for (Kernel *k = f->kernels; k; k = k->next) {
        Statement **part[MAX_PARTS];
        int n;
        if (k->window)
            return false;
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            bool fits = true;
            check_rank(&s->out, &fits);
            visit_loads(s->rhs, check_rank, &fits);
            if (!fits || s->nindex == MAX_INDEX || uses_op(s->rhs, OP_RANDOM) || !k->regions
                || picked_index(s) >= 0)
                return false;
        }
    }
    return true;
}

void take_samples_together(Pass *pass)
{
    Samples samples = {.pass = pass, .view = NEW_ARRAY(Tensor *, pass->prog->ntensors)};
    /* half of it is other data */
    const int64_t far = pass->target->machine->second_cache / 2 / (int64_t)sizeof(float);
    samples.count = NEAR_SAMPLES;
    for (const Function *f = pass->functions; f; f = f->next)
        if (weights_used_once(f) >= far)
            samples.count = FAR_SAMPLES;
    if (samples.count > pass->batch)
        samples.count = pass->batch;
    if (samples.count < 2)
        return;
    for (Function *f = pass->functions; f; f = f->next) {
        if (!can_batch(f))
            continue;
        f->batched = true;
        pass->chunk = samples.count;
        for (Kernel *k = f->kernels; k; k = k->next) {
            const Statement *s = statement_of(k);
            bool output = s->out.tensor->per_sample;
            int nindex = s->nindex;
            k->samples = output ? 0 : nindex;
            if (k->first)
                k->first =
                    statement_over_samples(&samples, k->first, k->body ? k->first->nindex : nindex, output);
            k->body = statement_over_samples(&samples, k->body, nindex, output);
            for (int i = 0; i < k->nthen; i++)
                k->then[i] = statement_over_samples(&samples, k->then[i], k->then[i]->nindex, output);
            for (Kernel *follower = k->followers; follower; follower = follower->next) {
                nindex = statement_of(follower)->nindex;
                follower->first = statement_over_samples(&samples, follower->first, nindex, output);
                follower->body = statement_over_samples(&samples, follower->body, nindex, output);
            }
            k->row += k->row >= 0;
            k->regions = NULL; /* of fewer indices: finish_functions makes them anew */
        }
    }
}
