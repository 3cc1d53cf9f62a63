/* run.c: executes the nodes of a whole pass in double precision, in memory as the plan lays it out.
 *
 * This is how schedules are tested without a C compiler: what run_loops gives must equal what interpret
 * gives. It does what net_forward and net_backward do: parameters lie where the plan has them, buffers share
 * the arena, functions are called in their order for one sample after the other, the first of several twins
 * for all of them. What nobody wrote is NaN. */
#include <math.h>
#include <string.h>

#include "../runtime/nn.h"
#include "back/loops.h"

typedef struct Run {
    const Plan *plan;
    const Pass *pass;
    Binding *binding;
    const Function *function;
    double *params, *gradients, *arena;
    double **memory;     /* by id of the parameter of the function at hand: where it begins */
    double *reg;         /* by number */
    double mean;
    int sample;
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

static double *element_at(const Run *run, const Access *place)
{
    const Tensor *t = place->tensor;
    int64_t position = 0;
    for (int d = 0; d < t->rank; d++)
        position = position * t->room[d] + t->before[d] + affine_value(run, &place->at[d]);
    if (position < 0 || position >= t->floats)
        bug("%s: element %lld of %s", run->function->name, (long long)position, t->name);
    return (t->role == TENSOR_CONSTANT ? (double *)t->data : run->memory[t->id]) + position;
}

/* The sample's draws begin behind those of the samples before it. */
static int64_t draw_number(const Run *run, const Term *v)
{
    return run->sample * run->pass->prog->draws + affine_value(run, &v->affine);
}

static double evaluate(const Run *run, const Term *v)
{
    double a[4] = {0, 0, 0, 0};
    for (int i = 0; i < 4 && v->arg[i]; i++)
        a[i] = evaluate(run, v->arg[i]);
    switch (v->kind) {
    case TERM_NUMBER: return v->number;
    case TERM_INDEX: return (double)affine_value(run, &v->affine);
    case TERM_LOAD: return *element_at(run, &v->place);
    case TERM_REGISTER: return run->reg[v->reg->number];
    case TERM_GREATER: return a[0] > a[1] || isnan(a[0]) ? a[2] : a[3];
    case TERM_OP: break;
    }
    switch (v->op) {
    case OP_RANDOM: return nn_uniform_at(run->binding->rng, (uint64_t)draw_number(run, v));
    case OP_MEAN: return run->mean;
    case OP_SAMPLES: return run->binding->n;
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

static void run_node(Run *run, const Node *n)
{
    double value = n->value ? evaluate(run, n->value) : NAN, *at;
    int64_t *index = &run->index[n->index];
    const Tensor *t = n->place.tensor;
    switch (n->kind) {
    case NODE_LOOP:
        for (*index = n->from; *index < n->to; *index += n->step)
            run_nodes(run, n->body);
        *index = 0;
        break;
    case NODE_WHEN:
        if (holds(run, n->tests))
            run_nodes(run, n->body);
        break;
    case NODE_BLOCK: run_nodes(run, n->body); break;
    case NODE_LET:
    case NODE_SET: run->reg[n->reg->number] = value; break;
    case NODE_ADD: run->reg[n->reg->number] += value; break;
    case NODE_STORE:
        at = element_at(run, &n->place);
        *at = n->adds ? *at + value : value;
        break;
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
    return base + b->offset + (b->whole_batch ? run->sample * b->tensor->floats : 0);
}

static double *memory_of(const Run *run, const Tensor *tensor)
{
    const Tensor *root = run->pass->root[tensor->id];
    const Net *net = run->plan->net;
    const Binding *b = run->binding;
    switch (root->role) {
    case TENSOR_INPUT: return (double *)b->x + run->sample * shape_count(net->input);
    case TENSOR_OUTPUT: return b->y + run->sample * shape_count(net->out->shape);
    case TENSOR_TARGET: return (double *)b->t + run->sample * net->targets;
    case TENSOR_WEIGHT: return run->params + root->weight->offset;
    case TENSOR_GRADIENT: return run->gradients + root->weight->offset;
    case TENSOR_INPUT_GRADIENT: return b->dx + run->sample * shape_count(net->input);
    case TENSOR_LOSS: return &run->binding->loss;
    case TENSOR_VALUE: return buffer_at(run, tensor);
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

/* ---- Functions ------------------------------------------------------------------------------- */

typedef struct Code {    /* the nodes of a function */
    const Function *function;
    Node **nests;
    int nnests;
    Numbering numbering;
} Code;

static Code code_of(const Function *f)
{
    Code code = {.function = f->twin ? f->twin : f};
    for (const Kernel *k = code.function->kernels; k; k = k->next)
        code.nnests++;
    code.nests = NEW_ARRAY(Node *, code.nnests + 1);
    code.nnests = 0;
    for (const Kernel *k = code.function->kernels; k; k = k->next) {
        if (!is_plain(k, f->unroll) || k->blocks || f->batched)
            bug("%s is not made of loops", f->name);
        Node *nodes = code.nests[code.nnests++] = lower_kernel(k, &code.numbering);
        verify_loops(code.function, k, nodes);
    }
    return code;
}

static void call(Run *run, const Function *f, const Code *code)
{
    for (int i = 0; i < f->nparams; i++)
        run->memory[code->function->param[i]->id] = memory_of(run, f->param[i]);
    run->function = f;
    run->reg = array_of(code->numbering.registers, NAN);
    for (int i = 0; i < code->nnests; i++)
        run_nodes(run, code->nests[i]);
}

/* What runs once, then what runs for each sample, phase by phase; what can be prepared is. */
static void call_functions(Run *run, const Code *code)
{
    const Function *f = run->pass->functions, *begin;
    for (int i = 0; run->pass->prepares && f; f = f->next, i++)
        if (f->per_call)
            call(run, f, &code[i]);
    f = run->pass->functions;
    while (f) {
        for (; f && f->per_call; f = f->next, code++)
            if (!run->pass->prepares)
                call(run, f, code);
        const Code *of_begin = code;
        begin = f;
        for (run->sample = 0; begin && run->sample < run->binding->n; run->sample++) {
            code = of_begin;
            for (f = begin; f && !f->per_call && f->phase == begin->phase; f = f->next)
                call(run, f, code++);
        }
        run->sample = 0;
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
    run.params = array_of(plan->all_floats, 0);
    run.gradients = array_of(plan->all_floats, 0);
    run.arena = array_of(plan->arena, NAN);
    run.mean = pass->prog->training ? mean_of(plan->net, b) : NAN;
    b->loss = 0;
    copy_weights(plan->net, b->weights, run.params, false, false);
    call_functions(&run, code);
    if (!pass->prog->answers) { /* in inference their place may hold what is prepared */
        copy_weights(plan->net, b->weights, run.params, true, true);
        copy_weights(plan->net, b->gradients, run.gradients, true, false);
    }
}
