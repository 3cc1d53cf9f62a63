/* interpret.c: executes a Prog, slowly, in double precision.
 *
 * This is the oracle: generated C is held against it, and it against finite differences and recorded values.
 * So it takes the meaning of a statement literally, point by point, and shares nothing with the planner. */
#include <math.h>
#include <string.h>

#include "../runtime/nn.h"
#include "program/program.h"

/* An affine form, followed from point to point: what it is here, and what it gains where index i goes up by
 * one and those behind it start again. */
typedef struct Follower {
    int64_t here, gain[MAX_INDEX];
    int64_t first, each_sample, each_step;    /* at the first point of a sample and of a recurrence's step */
} Follower;

/* An access of a statement, or an index that it computes with: then there is no memory. */
typedef struct Place {
    double *memory;
    Follower at;                              /* the element, or the index */
    int nbounded;                             /* positions that may lie outside the tensor, and its extent */
    Follower bounded[MAX_RANK];
    int64_t extent[MAX_RANK];
} Place;

typedef struct Run {
    const Prog *prog;
    Binding *binding;
    double **memory;     /* by tensor id; the samples of a per-sample tensor one behind the other */
    double mean;         /* of OP_MEAN */
    int sample;
    int64_t step;        /* of the recurrence */
    const Place *load;   /* the next that evaluate meets */
    bool outside;        /* has a load fallen outside its tensor? */
    uint64_t roundings;  /* how many results were rounded: see Binding.rounding */
} Run;

/* A statement and its places: where it stores, where the position of its maximum, what its value meets. */
typedef struct Ready {
    const Statement *statement;
    Place *places;
    int nplaces;
} Ready;

/* ---- Places ------------------------------------------------------------------------------------------- */

static Follower follow(const Affine *a, const Statement *s, int64_t each_sample)
{
    Follower f = {.first = a->constant, .each_sample = each_sample, .each_step = a->coefficient[STEP]};
    int64_t behind = 0;    /* what is lost where the indices behind start again */
    for (int i = s->nindex - 1; i >= 0; i--) {
        f.gain[i] = a->coefficient[i] - behind;
        behind += a->coefficient[i] * (s->extent[i] - 1);
    }
    return f;
}

static bool may_leave(const Affine *a, const Statement *s, int64_t extent)
{
    int64_t least, most;
    affine_range(a, s, &least, &most);
    return least < 0 || most >= extent || a->coefficient[STEP] != 0;
}

static Place place_for(const Access *access, const Statement *s, const Run *run)
{
    const Tensor *tensor = access->tensor;
    Place place = {.memory = run->memory[tensor->id]};
    Affine at = {0};
    for (int i = 0; i < tensor->rank; i++) {
        const Affine *k = &access->at[i];
        at = affine_add(affine_scale(at, tensor->dim[i]), *k);
        if (may_leave(k, s, tensor->dim[i])) {
            place.extent[place.nbounded] = tensor->dim[i];
            place.bounded[place.nbounded++] = follow(k, s, 0);
        }
    }
    place.at = follow(&at, s, tensor->per_sample ? tensor->count : 0);
    return place;
}

static bool has_place(const Expr *e)
{
    return e->op == OP_LOAD || e->op == OP_INDEX || e->op == OP_RANDOM;
}

static int count_places(const Expr *e)
{
    int count = has_place(e);
    for (int i = 0; i < op_info[e->op].arity; i++)
        count += count_places(e->arg[i]);
    return count;
}

/* In evaluate's order: first those of the arguments. */
static Place *add_places(Place *next, const Expr *e, const Statement *s, const Run *run)
{
    for (int i = 0; i < op_info[e->op].arity; i++)
        next = add_places(next, e->arg[i], s, run);
    if (e->op == OP_LOAD)
        *next = place_for(&e->access, s, run);
    else if (has_place(e))
        next->at = follow(&e->index, s, 0);
    return next + has_place(e);
}

enum { OUT, POSITION, VALUE };    /* the order of places */

static Ready make_ready(const Statement *s, const Run *run)
{
    Ready r = {s, NULL, VALUE + count_places(s->rhs)};
    r.places = NEW_ARRAY(Place, r.nplaces);
    Access position = s->position ? same_place(s->out, s->position) : s->out;
    r.places[OUT] = place_for(&s->out, s, run);
    r.places[POSITION] = place_for(&position, s, run);
    add_places(r.places + VALUE, s->rhs, s, run);
    return r;
}

static void start(Follower *f, const Run *run)
{
    f->here = f->first + f->each_sample * run->sample + f->each_step * run->step;
}

static void start_places(const Ready *r, const Run *run)
{
    for (Place *p = r->places; p < r->places + r->nplaces; p++) {
        start(&p->at, run);
        for (int i = 0; i < p->nbounded; i++)
            start(&p->bounded[i], run);
    }
}

static void advance_places(const Ready *r, int index)
{
    for (Place *p = r->places; p < r->places + r->nplaces; p++) {
        p->at.here += p->at.gain[index];
        for (int i = 0; i < p->nbounded; i++)
            p->bounded[i].here += p->bounded[i].gain[index];
    }
}

/* Where the element lies; NULL outside the tensor. */
static double *element_at(const Place *place)
{
    for (int i = 0; i < place->nbounded; i++)
        if (place->bounded[i].here < 0 || place->bounded[i].here >= place->extent[i])
            return NULL;
    return place->memory + place->at.here;
}

/* ---- Values ------------------------------------------------------------------------------------------- */

/* A result as arithmetic that rounds might give it. */
static double rounded(double value, Run *run)
{
    const Binding *b = run->binding;
    if (b->rounding == 0)
        return value;
    return value * (1 + b->rounding * (2 * (double)nn_uniform_at(b->rounding_seed, run->roundings++) - 1));
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
        const double *place = element_at(run->load++);
        run->outside |= !place;
        return place ? *place : NAN;
    }
    case OP_INDEX: return (double)run->load++->at.here;
    case OP_RANDOM:
        return nn_uniform_at(run->binding->rng,
                             (uint64_t)(run->sample * run->prog->draws + run->load++->at.here));
    case OP_MEAN: return run->mean;
    case OP_SAMPLES: return run->binding->n;
    case OP_AT_HAND: bug("no Prog before the schedule has lanes over samples");
    case OP_ABS: case OP_IF_LE: case OP_IF_EQ: return operation(e->op, v);
    default: return rounded(operation(e->op, v), run);
    }
}

static void execute_point(const Ready *r, int64_t competitor, Run *run)
{
    const Statement *s = r->statement;
    double *out = element_at(&r->places[OUT]);
    if (!out)
        return;
    run->outside = false;
    run->load = r->places + VALUE;
    double value = evaluate(s->rhs, run);
    if (run->outside)
        return;
    if (s->store == STORE_SET)
        *out = value;
    else if (s->store == STORE_ADD)
        *out = rounded(*out + value, run);
    else if (value > *out || isnan(value)) {
        *out = value;
        if (s->position)
            *element_at(&r->places[POSITION]) = (double)competitor;
    }
}

static void execute(const Ready *r, Run *run)
{
    const Statement *s = r->statement;
    int outputs = output_indices(s);
    int64_t index[MAX_INDEX] = {0};
    start_places(r, run);
    for (;;) {
        int64_t competitor = 0;
        for (int i = outputs; i < s->nindex; i++)
            competitor = competitor * s->extent[i] + index[i];
        execute_point(r, competitor, run);
        int i = s->nindex - 1;
        while (i >= 0 && ++index[i] == s->extent[i])
            index[i--] = 0;
        if (i < 0)
            return;
        advance_places(r, i);
    }
}

/* The statements up to `end`, which are one or those of a recurrence. */
static void execute_steps(const Ready *begin, const Ready *end, Run *run)
{
    const Recurrence *recurrence = begin->statement->recurrence;
    const bool outside = recurrence && recurrence->outside;
    const int64_t first = outside ? run->binding->position : 0;
    const int64_t steps = recurrence && !outside ? recurrence->steps : 1;
    for (run->step = first; run->step < first + steps; run->step++)
        for (const Ready *r = begin; r != end; r++)
            execute(r, run);
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
    int count = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        count++;
    Ready *ready = NEW_ARRAY(Ready, count + 1), *next = ready;    /* the last has no statement: the end */
    for (const Statement *s = prog->statements; s; s = s->next)
        *next++ = make_ready(s, &run);
    for (const Ready *r = ready, *end; r->statement; r = end) {
        for (end = r; end->statement != behind_recurrence(r->statement); end++)
            ;
        for (run.sample = 0; run.sample < (r->statement->per_sample ? b->n : 1); run.sample++)
            execute_steps(r, end, &run);
    }
}
