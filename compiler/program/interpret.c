/* interpret.c: executes a Prog, slowly, in double precision.
 *
 * This is the oracle: generated C is held against it, and it against finite differences and recorded values.
 * So it takes the meaning of a statement literally, point by point, and shares nothing with the planner. */
#include <math.h>
#include <string.h>

#include "../runtime/nn.h"
#include "program/program.h"

typedef struct Run {
    const Prog *prog;
    Binding *binding;
    double **memory;     /* by tensor id; the samples of a per-sample tensor one behind the other */
    double mean;         /* of OP_MEAN */
    int sample;
    int nindex;          /* of the statement */
    int64_t index[MAX_INDEX];
    int64_t step;        /* of the recurrence */
    bool outside;        /* has a load fallen outside its tensor? */
} Run;

static int64_t value_of(const Affine *a, const Run *run)
{
    int64_t value = a->constant + a->coefficient[STEP] * run->step;
    for (int i = 0; i < run->nindex; i++)
        value += a->coefficient[i] * run->index[i];
    return value;
}

/* Where the element lies; NULL outside the tensor. */
static double *place_of(const Access *access, const Run *run)
{
    const Tensor *tensor = access->tensor;
    int64_t at = tensor->per_sample ? run->sample : 0;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t k = value_of(&access->at[i], run);
        if (k < 0 || k >= tensor->dim[i])
            return NULL;
        at = at * tensor->dim[i] + k;
    }
    return run->memory[tensor->id] + at;
}

double operation(Op op, const double v[4])
{
    switch (op) {
#define CASE(op, n, dump, c, cycles, bytes, each, value) case OP_##op: return value;
        OPS(CASE)
#undef CASE
    default: bug("there is no operation %d", (int)op);
    }
}

/* Says in run->outside whether a load fell outside its tensor: then there is no value. */
static double evaluate(const Expr *e, Run *run)
{
    double v[4] = {0, 0, 0, 0};
    for (int i = 0; i < op_info[e->op].arity; i++)
        v[i] = evaluate(e->arg[i], run);
    switch (e->op) {
    case OP_CONSTANT: return e->value;
    case OP_LOAD: {
        const double *place = place_of(&e->access, run);
        run->outside |= !place;
        return place ? *place : NAN;
    }
    case OP_INDEX: return (double)value_of(&e->index, run);
    case OP_RANDOM:
        return nn_uniform_at(run->binding->rng,
                             (uint64_t)(run->sample * run->prog->draws + value_of(&e->index, run)));
    case OP_MEAN: return run->mean;
    case OP_SAMPLES: return run->binding->n;
    case OP_AT_HAND: bug("no Prog before the schedule has lanes over samples");
    default: return operation(e->op, v);
    }
}

static void execute_point(const Statement *s, int64_t competitor, Run *run)
{
    double *out = place_of(&s->out, run);
    if (!out)
        return;
    run->outside = false;
    double value = evaluate(s->rhs, run);
    if (run->outside)
        return;
    if (s->store == STORE_SET)
        *out = value;
    else if (s->store == STORE_ADD)
        *out += value;
    else if (value > *out || isnan(value)) {
        *out = value;
        if (s->position) {
            Access position = same_place(s->out, s->position);
            *place_of(&position, run) = (double)competitor;
        }
    }
}

static void execute(const Statement *s, Run *run)
{
    int outputs = output_indices(s);
    memset(run->index, 0, sizeof run->index);
    run->nindex = s->nindex;
    for (;;) {
        int64_t competitor = 0;
        for (int i = outputs; i < s->nindex; i++)
            competitor = competitor * s->extent[i] + run->index[i];
        execute_point(s, competitor, run);
        int i = s->nindex - 1;
        while (i >= 0 && ++run->index[i] == s->extent[i])
            run->index[i--] = 0;
        if (i < 0)
            return;
    }
}

/* The statements up to `end`, which are one or those of a recurrence. */
static void execute_steps(const Statement *begin, const Statement *end, Run *run)
{
    const Recurrence *recurrence = begin->recurrence;
    const bool outside = recurrence && recurrence->outside;
    const int64_t first = outside ? run->binding->position : 0;
    const int64_t steps = recurrence && !outside ? recurrence->steps : 1;
    for (run->step = first; run->step < first + steps; run->step++)
        for (const Statement *s = begin; s != end; s = s->next)
            execute(s, run);
}

/* 1 / the samples of the call; where some targets are not counted, 1 / the number of those that are, or 1 /
 * what the weights of these sum to. */
double mean_of(const Net *net, const Binding *b)
{
    if (!net->ignores)
        return 1 / (double)b->n;
    double sum = 0;
    for (int64_t i = 0; i < b->n * net->targets; i++) {
        bool is_class = b->t[i] >= 0 && b->t[i] < (double)net->loss_in->shape.c;
        if (b->t[i] != net->ignored)
            sum += !net->class_weights ? 1 : is_class ? net->class_weights[(int64_t)b->t[i]] : NAN;
    }
    return 1 / sum;
}

void interpret(const Prog *prog, Binding *b)
{
    Run run = {.prog = prog, .binding = b, .memory = NEW_ARRAY(double *, prog->ntensors)};
    double *state = b->state, *loss = prog->training ? &b->loss : &b->inference_loss;
    if (prog->training || prog->loss)
        *loss = 0;
    if (prog->loss)
        run.mean = mean_of(prog->net, b);
    for (const Weight *w = prog->backward ? prog->net->weights : NULL; w; w = w->next)
        memset(b->gradients[w->id], 0, (size_t)w->count * sizeof(double));
    for (const Tensor *t = prog->tensors; t; t = t->next) {
        size_t count = (size_t)(t->count * (t->per_sample ? b->n : 1));
        double *m = NULL;
        switch (t->role) {
        case TENSOR_INPUT: m = (double *)b->x; break;
        case TENSOR_OUTPUT: m = b->y; break;
        case TENSOR_TARGET: m = (double *)b->t; break;
        case TENSOR_WEIGHT: m = b->weights[t->weight->id]; break;
        case TENSOR_CONSTANT: m = (double *)t->data; break;
        case TENSOR_INPUT_GRADIENT: m = b->dx ? b->dx : NEW_ARRAY(double, count); break;
        case TENSOR_LOSS: m = loss; break;
        case TENSOR_STATE:
            m = state;
            state += t->count;
            break;
        case TENSOR_GRADIENT: m = b->gradients[t->weight->id]; break;
        case TENSOR_VALUE: /* what is read before it is set shows */
            m = NEW_ARRAY(double, count);
            for (size_t i = 0; i < count; i++)
                m[i] = NAN;
            break;
        }
        run.memory[t->id] = m;
    }
    /* A maximum begins at -inf, its position at -1: no point. */
    for (const Statement *s = prog->statements; s; s = s->next)
        if (s->store == STORE_MAX)
            for (int64_t i = 0; i < s->out.tensor->count * (s->out.tensor->per_sample ? b->n : 1); i++) {
                run.memory[s->out.tensor->id][i] = -INFINITY;
                if (s->position)
                    run.memory[s->position->id][i] = -1;
            }
    for (const Statement *s = prog->statements, *end; s; s = end) {
        end = behind_recurrence(s);
        for (run.sample = 0; run.sample < (s->per_sample ? b->n : 1); run.sample++)
            execute_steps(s, end, &run);
    }
}
