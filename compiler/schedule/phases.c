/* phases.c: which statements may run in one loop over the samples.
 *
 * A pass takes one sample after the other through its statements. That ends where a statement needs what
 * all samples have summed up, as batch normalisation needs the mean of the whole batch: the loop over the
 * samples must have ended, and another begins behind it. So a pass is a list of phases; in each, the
 * statements that run once for the call come first, then those that run for each sample:
 *
 *     before:   sum[c] = 0                        after:   phase 0    once:          sum[c] = 0
 *               sum[c] += x[c]                                        each sample:   sum[c] += x[c]
 *               mean[c] = sum[c] / samples               phase 1    once:          mean[c] = sum[c] / samples
 *               y[c] = x[c] - mean[c]                                 each sample:   y[c] = x[c] - mean[c]
 *
 * Each statement goes into the first phase in which all that it reads is there, so that the loops are as
 * few as can be. Then what is needed in later phases only waits for the first of them, if what it reads is
 * kept until then anyway: so do first values, and the tiles that a weight gradient takes of what came in.
 * What one phase passes on to another is kept for all samples of the call (place.c). Most networks have
 * one phase. */
#include "schedule/schedule.h"

typedef struct Order {
    int *written, *read;       /* by tensor id: the last phase that did so; -1: none */
    /* did statements that run for each sample? Then it is over only in the next phase */
    bool *summed, *read_by_samples;
    const Statement *s;
    int phase;
} Order;

static void not_before(Order *order, int phase, bool by_samples)
{
    if (phase >= 0 && by_samples && !order->s->per_sample)
        phase++;
    if (phase > order->phase)
        order->phase = phase;
}

static void after_writer(const Access *access, void *context)
{
    Order *order = context;
    int t = access->tensor->id;
    not_before(order, order->written[t], order->summed[t]);
}

static void note_read(const Access *access, void *context)
{
    Order *order = context;
    order->read[access->tensor->id] = order->phase;
    order->read_by_samples[access->tensor->id] = order->s->per_sample;
}

static void note_written(Order *order, const Tensor *t)
{
    order->written[t->id] = order->phase;
    order->summed[t->id] = order->s->per_sample;
}

static void wait_for_all(Order *order, const Statement *s)
{
    order->s = s;
    visit_loads(s->rhs, after_writer, order);
    after_writer(&s->out, order);
    not_before(order, order->read[s->out.tensor->id], order->read_by_samples[s->out.tensor->id]);
}

static void note_all(Order *order, Statement *s)
{
    order->s = s;
    s->phase = order->phase;
    visit_loads(s->rhs, note_read, order);
    note_written(order, s->out.tensor);
    if (s->position)
        note_written(order, s->position);
}

/* The first phase in which a statement can run, given those before it. A recurrence is one piece. */
static void first_phases(Prog *prog)
{
    int n = prog->ntensors + 1;
    Order order = {NEW_ARRAY(int, n), NEW_ARRAY(int, n), NEW_ARRAY(bool, n), NEW_ARRAY(bool, n), NULL, 0};
    for (int i = 0; i < n; i++)
        order.written[i] = order.read[i] = -1;
    int last = 0; /* of the forward pass */
    for (Statement *begin = prog->statements, *end; begin; begin = end) {
        end = behind_recurrence(begin);
        /* what the caller gives is there from the start, and of no use before the forward pass ends */
        order.phase = begin->backward && from_the_caller(prog) ? last : 0;
        for (Statement *s = begin; s != end; s = s->next)
            wait_for_all(&order, s);
        for (Statement *s = begin; s != end; s = s->next)
            note_all(&order, s);
        last = !begin->backward && order.phase > last ? order.phase : last;
    }
}

static void note_value(const Access *access, void *found)
{
    TensorRole role = access->tensor->role;
    *(bool *)found |= role != TENSOR_WEIGHT && role != TENSOR_CONSTANT;
}

typedef struct Touch {
    /* by tensor id: the first and the last phase in which a later statement touches it; -1: none */
    int *first, *last;
    bool *written;       /* by a later statement */
    int phase;
    bool there;
} Touch;

static void note_touch(const Access *access, void *context)
{
    Touch *touch = context;
    int *first = &touch->first[access->tensor->id], *last = &touch->last[access->tensor->id];
    if (*first < 0 || touch->phase < *first)
        *first = touch->phase;
    if (touch->phase > *last)
        *last = touch->phase;
}

/* Is what a statement reads there in that phase, unchanged, and kept so long for others anyway? */
static void note_there(const Access *access, void *context)
{
    Touch *touch = context;
    const Tensor *t = access->tensor;
    bool kept = !t->per_sample || t->role != TENSOR_VALUE || touch->last[t->id] >= touch->phase;
    touch->there &= kept && !touch->written[t->id];
}

/* May it wait for the first that needs what it makes, and cost no memory that way? */
static bool may_wait(const Statement *s, Touch *touch)
{
    TensorRole role = s->out.tensor->role;
    bool own = role == TENSOR_VALUE || role == TENSOR_OUTPUT || role == TENSOR_INPUT_GRADIENT;
    if (!own || s->position || s->recurrence || s->per_sample != s->out.tensor->per_sample)
        return false;
    bool from_samples = s->store != STORE_SET;
    visit_loads(s->rhs, note_value, &from_samples);
    touch->there = true;
    touch->phase = touch->first[s->out.tensor->id];
    if (from_samples)
        visit_loads(s->rhs, note_there, touch);
    return touch->there && (!from_samples || s->per_sample);
}

/* What nobody needs yet waits, so that it is not kept for all samples. */
static void delay(Statement **all, int n, int ntensors)
{
    Touch touch = {NEW_ARRAY(int, ntensors + 1), NEW_ARRAY(int, ntensors + 1), NEW_ARRAY(bool, ntensors + 1),
                   0, false};
    for (int i = 0; i < ntensors; i++)
        touch.first[i] = touch.last[i] = -1;
    for (int i = n - 1; i >= 0; i--) {
        Statement *s = all[i];
        int first = touch.first[s->out.tensor->id];
        if (first > s->phase && may_wait(s, &touch))
            s->phase = first;
        touch.phase = s->phase;
        touch.written[s->out.tensor->id] = true;
        if (s->position)
            touch.written[s->position->id] = true;
        note_touch(&s->out, &touch);
        visit_loads(s->rhs, note_touch, &touch);
    }
}

/* The statements phase by phase, in each what runs once before what runs for each sample, else as they
 * stood. */
static void sort_by_phase(Prog *prog, Statement **all, int n, int last)
{
    Statement **first = NEW_ARRAY(Statement *, 2 * (last + 1));
    Statement **end = NEW_ARRAY(Statement *, 2 * (last + 1));
    for (int i = 0; i < n; i++) {
        int at = 2 * all[i]->phase + all[i]->per_sample;
        *(end[at] ? &end[at]->next : &first[at]) = all[i];
        end[at] = all[i];
    }
    Statement **link = &prog->statements;
    prog->last_statement = NULL;
    for (int at = 0; at < 2 * (last + 1); at++)
        if (first[at]) {
            *link = first[at];
            link = &end[at]->next;
            prog->last_statement = end[at];
        }
    *link = NULL;
}

void order_phases(Prog *prog)
{
    int n = 0, last = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        n++;
    first_phases(prog);
    Statement **all = NEW_ARRAY(Statement *, n + 1);
    n = 0;
    for (Statement *s = prog->statements; s; s = s->next) {
        all[n++] = s;
        last = s->phase > last ? s->phase : last;
    }
    delay(all, n, prog->ntensors);
    sort_by_phase(prog, all, n, last);
}
