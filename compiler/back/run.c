/* run.c: executes the nodes of a whole pass in double precision, in memory as the plan lays it out.
 *
 * This is how schedules are tested without a C compiler: what run_loops gives must equal what interpret
 * gives. It does what net_forward and net_backward do: parameters lie where the plan has them, buffers share
 * the arena, functions are called in their order for one sample after the other, for a chunk of them or for
 * as many as lie in lanes, the first of several twins for all of them. What nobody wrote is NaN. */
#include <math.h>
#include <string.h>

#include "../runtime/nn.h"
#include "back/loops.h"

enum { MOST_LANES = 16, ROOM_BEHIND = 2 * MOST_LANES };

typedef struct Run {
    const Plan *plan;
    const Pass *pass;
    Binding *binding;
    const Function *function;
    double *params, *gradients, *arena;
    double **state;      /* by id of the tensor: net_state, as the plan lays it out */
    double **memory;     /* by id of the parameter of the function at hand: where it begins */
    double *reg;         /* by number, MOST_LANES each */
    double mean;
    int first, at_hand;  /* the samples of the chunk, or of the lanes, at hand */
    int sample;          /* among these */
    int64_t index[MAX_TERMS];
} Run;

/* ---- Nodes ----------------------------------------------------------------------------------- */

static int64_t affine_value(const Run *run, const Affine *a)
{
    int64_t value = a->constant;
    for (int i = 0; i < MAX_TERMS; i++)
        value += a->coefficient[i] * run->index[i];
    return value;
}

/* Where the element is. Vectors that are read may reach behind the last. */
static double *element_at(const Run *run, const Access *place, bool clamped)
{
    const Tensor *t = place->tensor;
    int64_t position = 0;
    for (int d = 0; d < t->rank; d++) {
        int64_t at = affine_value(run, &place->at[d]);
        if (clamped && d == 0 && at >= run->at_hand)
            at = run->at_hand - 1;
        position = position * t->room[d] + t->before[d] + at;
    }
    if (position < 0 || position >= t->floats)
        bug("%s: element %lld of %s", run->function->name, (long long)position, t->name);
    return (t->role == TENSOR_CONSTANT ? (double *)t->data : run->memory[t->id]) + position;
}

/* The sample's draws begin behind those of the samples before it. */
static int64_t draw_number(const Run *run, const Term *v)
{
    return (run->first + run->sample) * run->pass->prog->draws + affine_value(run, v->affine);
}

static double loaded(const Run *run, const Term *v, int lane)
{
    if (v->first && lane >= v->first)
        return 0;
    return element_at(run, v->place, v->clamped)[v->width > 1 ? lane : 0];
}

/* Of the same place in the sample in that lane. */
static double loaded_of_each(const Run *run, const Term *v, int lane)
{
    Access place = *v->place;
    place.at[0].constant += lane;
    return *element_at(run, &place, false);
}

/* at: its row and column, where it is one of an array. */
static double *register_at(const Run *run, const Register *reg, const Affine *at)
{
    int64_t number = reg->number;
    if (reg->rows)
        number += affine_value(run, &at[0]) * reg->columns + affine_value(run, &at[1]);
    return &run->reg[number * MOST_LANES];
}

static double evaluate(const Run *run, const Term *v, int lane);

static double across(const Run *run, const Term *v)
{
    double all = evaluate(run, v->arg[0], 0);
    for (int lane = 1; lane < v->arg[0]->width; lane++) {
        double other = evaluate(run, v->arg[0], lane);
        if (v->kind == TERM_SUM)
            all += other;
        else if (other > all || isnan(other))
            all = other;
    }
    return all;
}

/* What a vector is in that lane. */
static double evaluate(const Run *run, const Term *v, int lane)
{
    double a[4] = {0, 0, 0, 0};
    if (v->kind == TERM_FIRST && lane >= v->first)
        return v->number;
    if (v->kind == TERM_SUM || v->kind == TERM_GREATEST)
        return across(run, v);
    for (int i = 0; i < 4 && v->arg[i]; i++)
        a[i] = evaluate(run, v->arg[i], lane);
    switch (v->kind) {
    case TERM_NUMBER: return v->number;
    case TERM_INDEX: return (double)(affine_value(run, v->affine) + (v->width > 1 ? lane * v->step : 0));
    case TERM_LOAD: return loaded(run, v, lane);
    case TERM_EACH: return loaded_of_each(run, v, lane);
    case TERM_REGISTER: return register_at(run, v->reg, v->affine)[v->width > 1 ? lane : 0];
    case TERM_GREATER: return a[0] > a[1] || isnan(a[0]) ? a[2] : a[3];
    case TERM_EQUAL: return a[0] == a[1];
    case TERM_SPLAT:
    case TERM_FIRST: return a[0];
    default: break;
    }
    switch (v->op) {
    case OP_RANDOM: return nn_uniform_at(run->binding->rng, (uint64_t)draw_number(run, v));
    case OP_MEAN: return run->mean;
    case OP_SAMPLES: return run->binding->n;
    case OP_AT_HAND: return run->at_hand;
    default: return operation(v->op, a);
    }
}

static bool holds(const Run *run, const Test *tests)
{
    for (const Test *t = tests; t; t = t->next) {
        int64_t at = affine_value(run, &t->at);
        if (t->end ? at >= t->end : at < 0)
            return false;
    }
    return true;
}

static void run_nodes(Run *run, const Node *n);

/* A token picks one round, or none. */
static void run_loop(Run *run, const Node *n)
{
    int64_t *index = &run->index[n->index], around = *index, from = n->from, to = n->to;
    if (n->range == RANGE_BLOCK) {
        from = around;
        to = from + n->many < to ? from + n->many : to;
    }
    if (n->range == RANGE_PICKED) {
        from = (int64_t)evaluate(run, n->value, 0);
        to = from >= n->from && from < to ? from + 1 : from;
    }
    if (n->range == RANGE_LEFT)
        from = run->at_hand - run->at_hand % n->many;
    if (n->range == RANGE_SAMPLES || n->range == RANGE_LEFT)
        to = run->at_hand - n->step + 1;
    if (n->last && to > affine_value(run, n->last) + 1)
        to = affine_value(run, n->last) + 1;
    if (n->since && affine_value(run, n->since) > from)
        from += (affine_value(run, n->since) - from) / n->step * n->step;
    for (*index = from; *index < to; *index += n->step)
        run_nodes(run, n->body);
    *index = around;
}

static void run_windows(Run *run, const Node *n)
{
    int64_t index[MAX_TERMS];
    memcpy(index, run->index, sizeof index);
    for (int i = 0; i < MAX_TERMS; i++)
        run->index[i] /= n->per[i];
    run_nodes(run, n->body);
    memcpy(run->index, index, sizeof index);
}

/* The lanes of a vector one after the other: none of them asks another. */
static void run_value(Run *run, const Node *n)
{
    const int width = n->reg ? n->reg->width : n->first && !n->whole ? n->first : n->width;
    if (n->reg && n->reg->rows && n->kind == NODE_LET)
        return;
    double *to = n->reg ? register_at(run, n->reg, n->at) : element_at(run, n->place, false);
    const bool adds = n->kind == NODE_ADD || n->adds;
    for (int lane = 0; lane < width; lane++) {
        double value = n->value ? evaluate(run, n->value, lane) : NAN;
        to[lane] = adds ? to[lane] + value : value;
    }
}

static void run_node(Run *run, const Node *n)
{
    const Tensor *t = n->place ? n->place->tensor : NULL;
    switch (n->kind) {
    case NODE_LOOP: run_loop(run, n); break;
    case NODE_WHEN:
        if (n->value ? evaluate(run, n->value, 0) != 0 : holds(run, n->tests))
            run_nodes(run, n->body);
        else
            run_nodes(run, n->otherwise);
        break;
    case NODE_BLOCK: run_nodes(run, n->body); break;
    case NODE_WINDOWS: run_windows(run, n); break;
    case NODE_LET:
    case NODE_SET:
    case NODE_ADD:
    case NODE_STORE: run_value(run, n); break;
    case NODE_FILL: memset(run->memory[t->id], 0, (size_t)t->floats * sizeof(double)); break;
    }
}

static void run_nodes(Run *run, const Node *n)
{
    for (; n; n = n->next)
        run_node(run, n);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Where element i of a weight, in PyTorch's order, lies among the parameters. */
static int64_t place_in_params(const Weight *w, int64_t i)
{
    int64_t at = w->offset;
    for (int d = 3; d >= 0; d--) {
        at += i % w->axis[d] * w->stride[d];
        i /= w->axis[d];
    }
    return at;
}

static double *buffer_at(const Run *run, const Tensor *tensor)
{
    const Buffer *b = buffer_of(run->pass, tensor);
    double *base = b->prepared ? run->params : run->arena; /* what is prepared takes the place of weights */
    const int64_t sample = b->whole_batch ? run->first + run->sample : b->samples > 1 ? run->sample : 0;
    return base + b->offset + sample * b->tensor->floats;
}

static double *memory_of(const Run *run, const Tensor *tensor)
{
    const Tensor *root = run->pass->root[tensor->id];
    const Net *net = run->pass->prog->net;
    const Binding *b = run->binding;
    const int64_t sample = run->first + run->sample;
    switch (root->role) {
    case TENSOR_INPUT: return (double *)b->x + sample * shape_count(net->input);
    case TENSOR_OUTPUT: return b->y + sample * shape_count(net->out->shape);
    case TENSOR_TARGET: return (double *)b->t + sample * net->targets;
    case TENSOR_WEIGHT: return run->params + root->weight->offset;
    case TENSOR_GRADIENT: return run->gradients + root->weight->offset;
    case TENSOR_INPUT_GRADIENT: return b->dx + sample * shape_count(net->input);
    case TENSOR_LOSS:
        return run->pass->prog->training ? &run->binding->loss : &run->binding->inference_loss;
    case TENSOR_VALUE: return buffer_at(run, tensor);
    case TENSOR_STATE: return run->state[root->id];
    case TENSOR_CONSTANT: break;
    }
    bug("%s is no parameter of a function", tensor->name);
}

/* From where the caller has the weights to where the plan has them, or back. */
static void copy_weights(const Net *net, double **weights, double *params, bool back, bool statistics)
{
    for (const Weight *w = net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count && (w->statistic || !statistics); i++) {
            double *ours = &params[place_in_params(w, i)], *theirs = &weights[w->id][i];
            *(back ? theirs : ours) = *(back ? ours : theirs);
        }
}

static double *array_of(int64_t count, double value)
{
    double *array = NEW_ARRAY(double, count + 1);
    for (int64_t i = 0; i < count && value != 0; i++)
        array[i] = value;
    return array;
}

/* The tensors of net_state from where the caller has them, one behind the other, to where the plan has them,
 * or back. */
static void copy_state(Run *run, bool back)
{
    double *theirs = run->binding->state;
    for (const Tensor *t = run->pass->prog->tensors; t; t = t->next) {
        if (t->role != TENSOR_STATE)
            continue;
        if (!back)
            run->state[t->id] = array_of(t->floats + ROOM_BEHIND, NAN);
        for (int64_t i = 0; i < t->count; i++, theirs++) {
            int64_t at = 0, rest = i, stride = 1;
            for (int d = t->rank - 1; d >= 0; d--) {
                at += (rest % t->dim[d] + t->before[d]) * stride;
                stride *= t->room[d];
                rest /= t->dim[d];
            }
            double *ours = &run->state[t->id][at];
            *(back ? theirs : ours) = *(back ? ours : theirs);
        }
    }
}

/* ---- Functions ------------------------------------------------------------------------------- */

typedef struct Code {    /* the nodes of a function */
    const Function *function;
    Node **nests;
    Numbering numbering;
} Code;

static Code code_of(const Function *f)
{
    Code code = {.function = f->twin ? f->twin : f};
    int nests = 0;
    const Unroll unroll = code.function->unroll;
    for (const Kernel *k = code.function->kernels; k; k = k->next)
        nests += (int)steps_written(k, unroll);
    code.nests = NEW_ARRAY(Node *, nests + 1);
    nests = 0;
    for (const Kernel *k = code.function->kernels, *end; k; k = end) {
        const int64_t written = steps_written(k, unroll);
        end = behind_loop(k);
        for (int64_t step = 0; step < written; step++)
            for (const Kernel *of = k; of != end; of = of->next) {
                Node *nodes = lower_kernel(of, unroll, written > 1 ? step : -1, &code.numbering);
                code.nests[nests++] = nodes;
                verify_loops(code.function, of, nodes);
            }
    }
    return code;
}

static void call(Run *run, const Function *f, const Code *code)
{
    for (int i = 0; i < f->nparams; i++)
        run->memory[code->function->param[i]->id] = memory_of(run, f->param[i]);
    run->function = f;
    run->reg = array_of(code->numbering.registers * MOST_LANES, NAN);
    Node **nests = code->nests;
    for (const Kernel *k = code->function->kernels, *end; k; k = end) {
        const int64_t written = steps_written(k, code->function->unroll);
        const int64_t rounds = k->blocks ? k->blocks : steps_of(k) / written;
        int64_t n = 0;
        end = behind_loop(k);
        for (const Kernel *of = k; of != end; of = of->next)
            n += written;
        for (int64_t round = 0; round < rounds; round++) {
            const bool outside = k->recurrence && k->recurrence->outside;
            run->index[BLOCK] = round;
            run->index[STEP] = outside ? run->binding->position : round;
            for (int64_t i = 0; i < n; i++)
                run_nodes(run, nests[i]);
        }
        nests += n;
    }
    run->index[BLOCK] = run->index[STEP] = 0;
}

/* The samples of a chunk: some functions take all of them, others one after the other. */
static void call_for_chunk(Run *run, const Function *begin, const Function *end, const Code *code)
{
    const bool lanes = run->pass->samples > 0;
    const Function *f = begin, *behind;
    while (f != end) {
        int n = 0;
        for (behind = f; behind != end && behind->batched == f->batched; behind = behind->next)
            n++;
        const int samples = f->batched || lanes ? 1 : run->at_hand;
        for (run->sample = 0; run->sample < samples; run->sample++) {
            const Code *c = code;
            for (const Function *g = f; g != behind; g = g->next)
                call(run, g, c++);
        }
        run->sample = 0;
        code += n;
        f = behind;
    }
}

/* What runs once, then what runs for each sample, phase by phase; what can be prepared is. */
static void call_functions(Run *run, const Code *code)
{
    const Pass *pass = run->pass;
    const Function *f = pass->functions, *begin;
    const int n = run->binding->n;
    for (int i = 0; pass->prepares && f; f = f->next, i++)
        if (f->per_call)
            call(run, f, &code[i]);
    f = pass->functions;
    while (f) {
        for (; f && f->per_call; f = f->next, code++)
            if (!pass->prepares)
                call(run, f, code);
        const Code *of_begin = code;
        bool chunks = false;
        for (begin = f; f && !f->per_call && f->phase == begin->phase; f = f->next, code++)
            chunks |= f->batched && pass->chunk < pass->batch;
        const int most = (int)(pass->samples ? pass->samples : chunks ? pass->chunk : n);
        for (run->first = 0; begin != f && run->first < n; run->first += most) {
            run->at_hand = n - run->first < most ? n - run->first : most;
            call_for_chunk(run, begin, f, of_begin);
        }
        run->first = 0;
    }
}

void run_loops(const Plan *plan, const Pass *pass, Binding *b)
{
    Run run = {.plan = plan, .pass = pass, .binding = b};
    int functions = 0, tensors = pass->prog->ntensors + plan->forward.prog->ntensors;
    for (const Function *f = pass->functions; f; f = f->next)
        functions++;
    Code *code = NEW_ARRAY(Code, functions + 1);
    functions = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        code[functions++] = code_of(f);
    run.memory = NEW_ARRAY(double *, tensors);
    run.params = array_of(plan->all_floats + ROOM_BEHIND, 0);
    run.gradients = array_of(plan->all_floats + ROOM_BEHIND, 0);
    run.arena = array_of(plan->arena + ROOM_BEHIND, NAN);
    run.mean = pass->prog->loss ? mean_of(plan->net, b) : NAN;
    if (pass->prog->training || pass->prog->loss)
        *(pass->prog->training ? &b->loss : &b->inference_loss) = 0;
    copy_weights(plan->net, b->weights, run.params, false, false);
    run.state = NEW_ARRAY(double *, tensors);
    copy_state(&run, false);
    call_functions(&run, code);
    copy_state(&run, true);
    if (!pass->prog->answers) { /* in inference their place may hold what is prepared */
        copy_weights(plan->net, b->weights, run.params, true, true);
        copy_weights(plan->net, b->gradients, run.gradients, true, false);
    }
}

/* net_prepare: what is loaded becomes what net_forward reads. */
void run_prepare(const Plan *plan, float *params)
{
    const Pass *pass = &plan->forward;
    Binding none = {.n = 1};
    Run run = {.plan = plan, .pass = pass, .binding = &none};
    run.memory = NEW_ARRAY(double *, pass->prog->ntensors);
    run.params = array_of(plan->all_floats + ROOM_BEHIND, 0);
    run.arena = array_of(plan->arena + ROOM_BEHIND, NAN);
    for (int64_t i = 0; i < plan->all_floats; i++)
        run.params[i] = params[i];
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->per_call) {
            Code code = code_of(f);
            call(&run, f, &code);
        }
    for (int64_t i = 0; i < plan->all_floats; i++)
        params[i] = (float)run.params[i];
}
