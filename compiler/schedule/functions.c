/* functions.c: nests to the functions of net.c.
 *
 * In: the statements of one layer and direction. Out: a function with its nests, its parameters, its name,
 * and the earlier function that is the same code, if there is one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

typedef struct Params {
    Tensor *tensor[64];
    bool written[64];
    int n;
} Params;

static void add_param(Params *params, Tensor *tensor, bool written)
{
    for (int i = 0; i < params->n; i++)
        if (params->tensor[i] == tensor) {
            params->written[i] |= written;
            return;
        }
    if (params->n == 64)
        bug("a function with more than 64 tensors");
    params->tensor[params->n] = tensor;
    params->written[params->n++] = written;
}

static void add_read(const Access *access, void *params)
{
    if (access->tensor->role != TENSOR_CONSTANT)
        add_param(params, access->tensor, false);
}

typedef struct Reads {
    const Kernel *kernel;
    Params *params;
} Reads;

static void add_kernel_read(const Access *access, void *context)
{
    Reads *reads = context;
    if (!passes_on(reads->kernel, access->tensor))
        add_read(access, reads->params);
}

static void collect_params(Function *f)
{
    Params params = {.n = 0};
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next) {
        Reads reads = {k, &params};
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            visit_loads(s->rhs, add_kernel_read, &reads);
            f->uses_step |= asks_position(s);
            f->uses_random |= uses_op(s->rhs, OP_RANDOM);
            f->uses_mean |= uses_op(s->rhs, OP_MEAN);
            f->uses_samples |= uses_op(s->rhs, OP_SAMPLES);
            f->uses_at_hand |= uses_op(s->rhs, OP_AT_HAND);
        }
    }
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            if (stores(k, s))
                add_param(&params, s->out.tensor, true);
            if (s->position)
                add_param(&params, s->position, true);
        }
    for (int i = 0; i < params.n; i++)
        f->uses_at_hand |= params.tensor[i]->ragged;
    f->nparams = params.n;
    f->param = NEW_ARRAY(Tensor *, params.n + 1);
    f->param_written = NEW_ARRAY(bool, params.n + 1);
    memcpy(f->param, params.tensor, (size_t)params.n * sizeof *f->param);
    memcpy(f->param_written, params.written, (size_t)params.n * sizeof *f->param_written);
}

/* ---- Making them ----------------------------------------------------------------------------- */

/* Where a function has so many regions or statements that its tiles would be out of proportion to what it
 * does, the taps stay loops, or it gets plain loops with tests. The reason; NULL: all is well. No layer of
 * some 80 networks comes near the limit. */
static const char *keep_in_proportion(const Pass *pass, Function *f, Statement *begin, const Statement *end)
{
    enum { MOST_TEXT = 110000 };
    double bytes = c_bytes_of(f->kernels);
    if (bytes <= MOST_TEXT)
        return NULL;
    const char *too_large = format("written out it would be some %.0f kB of C", bytes / 1000);
    Kernel *kernels = make_kernels(pass, begin, end);
    for (Kernel *k = kernels; k; k = k->next)
        k->compact = true;
    f->kernels = finish_kernels(kernels, UNROLL_TILE, pass->target);
    if (c_bytes_of(f->kernels) <= MOST_TEXT)
        return format("%s, so taps are loops", too_large);
    f->unroll = UNROLL_NONE;
    f->kernels = finish_kernels(make_kernels(pass, begin, end), UNROLL_NONE, pass->target);
    return format("%s, so it is plain loops", too_large);
}

static Function *make_function(const Plan *plan, const Pass *pass, Statement *begin, const Statement *end)
{
    Function *f = NEW(Function);
    f->layer = begin->layer;
    f->backward = begin->backward;
    f->per_call = !begin->per_sample;
    f->phase = begin->phase;
    f->purpose = begin->purpose;
    Unroll wish = plan->options->unroll;
    /* and not worth straight-line code */
    bool beforehand = f->per_call && pass->prepares && wish == UNROLL_FULL;
    f->unroll = wish == UNROLL_AUTO || beforehand ? UNROLL_TILE : wish;
    f->kernels = finish_kernels(make_kernels(pass, begin, end), f->unroll, pass->target);
    const char *too_large = f->unroll == UNROLL_TILE ? keep_in_proportion(pass, f, begin, end) : NULL;
    f->terms = count_terms(f->kernels, f->unroll);
    f->why = beforehand || (wish == UNROLL_AUTO && f->per_call) ? "too rare for full"
             : wish == UNROLL_AUTO && pass->samples ? "lanes over samples" : "as told";
    f->cycles = f->unroll == UNROLL_FULL ? straight_cycles(f->kernels, f->terms, pass->target)
                                         : cycles_of_kernels(f->kernels);
    bool small = is_small(f, pass->target);
    if (wish == UNROLL_AUTO && !f->per_call && !pass->samples)
        f->why = format("%s points are too many for full", thousands(f->terms));
    if (wish == UNROLL_AUTO && !f->per_call && !pass->samples && small)
        f->straight = finish_kernels(make_kernels(pass, begin, end), UNROLL_FULL, pass->target);
    if (too_large)
        f->why = too_large;
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->body && is_contraction(k->body)) /* forward with the padding, as they are commonly counted */
            f->macs += k->body->macs   ? k->body->macs
                       : f->backward ? k->terms / samples_of(pass)
                                     : box_volume(k->body) * steps_of(k) / samples_of(pass);
    return f->kernels ? f : NULL;
}

static bool makes_gradient(const Statement *s)
{
    return s->out.tensor->role == TENSOR_GRADIENT
        || (s->out.tensor->role == TENSOR_VALUE && s->out.tensor->weight);
}

typedef struct Made { /* is the tensor written by the statements from..end that don't make gradients? */
    const Statement *from, *end;
    bool found;
} Made;

static void note_made(const Access *access, void *context)
{
    Made *made = context;
    for (const Statement *s = made->from; s != made->end; s = s->next)
        made->found |=
            !makes_gradient(s) && (s->out.tensor == access->tensor || s->position == access->tensor);
}

/* The gradients of a layer's weights come first and are a function of their own, unless they need what the
 * rest of its backward pass works out. `begin` and the result are links of the list: where the layer's
 * statements begin, where its gradients end. */
static Statement **gradients_first(Statement **begin, Statement *end)
{
    Made made = {*begin, end, false};
    for (const Statement *s = *begin; s != end; s = s->next)
        if (makes_gradient(s))
            visit_loads(s->rhs, note_made, &made);
    if (made.found)
        return begin;
    Statement *gradients = NULL, **last = &gradients, *rest = NULL, **last_rest = &rest;
    for (Statement *s = *begin; s != end; s = s->next) {
        Statement ***to = makes_gradient(s) && !s->recurrence ? &last : &last_rest;
        **to = s;
        *to = &s->next;
    }
    *last_rest = end;
    if (!gradients)
        return begin;
    *last = rest ? rest : end;
    *begin = gradients;
    return last;
}

/* ---- Equal code ------------------------------------------------------------------------------ */

/* What the code of a function depends on, as text: equal texts are equal functions. The tensors that it is
 * given go by their number, constants by their name. */
static char *signature(const Function *f, int lanes)
{
    Likeness like;
    Statement **part[MAX_PARTS];
    int n;
    begin_likeness(&like);
    FILE *stream = like.memory.file;
    for (int i = 0; i < f->nparams; i++)
        number_tensor(&like, f->param[i]);
    for (Kernel *k = f->kernels; k; k = k->next) /* and the values that stay in registers */
        for (parts_of(k, part, &n); n--;)
            number_tensor(&like, (*part[n])->out.tensor);
    for (int i = 0; i < like.n; i++)
        fprintf(stream, "%d%d ", like.tensor[i]->is_int, i < f->nparams ? f->param_written[i] : 2);
    fprintf(stream, "%d %d %d %d %d %d\n", f->uses_step, f->unroll, f->per_call, f->batched, f->brief, lanes);
    for (Kernel *k = f->kernels; k; k = k->next)
        for (fprintf(stream, "%lld%d %lld%d ", (long long)k->blocks, k->joins, (long long)steps_of(k),
                     behind_loop(k) != k->next), parts_of(k, part, &n); n--;) {
            fprintf(stream, "%d ", stores(k, *part[n]));
            note_likeness(&like, *part[n]);
        }
    return end_likeness(&like);
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef struct Taken {
    Map *names;          /* in net.c */
    Map *code;           /* by signature: the first function of that code */
} Taken;

static Taken taken_by(const Plan *plan, const Pass *forward, const Pass *training)
{
    static const char *const reserved[] = {
        "init",           "forward",       "backward",      "model",         "tensors",
        "model_forward",  "model_backward", "model_set_rng", "model_set_add", "prepare",
        "model_prepare",  "is_prepared",   "forward_train", "model_forward_train", "model_backward_from",
        "loss",           "model_loss",    "next",          "model_next",    "state"};
    const Pass *earlier[] = {forward, training};
    Taken taken = {new_map(), new_map()};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        map_set(taken.names, format("%s_%s", plan->prefix, reserved[i]), &taken);
    for (Function *f = plan->forward.functions; f; f = f->next)
        map_set(taken.names, f->name, f);
    for (Function *f = training ? training->functions : NULL; f; f = f->next)
        map_set(taken.names, f->name, f);
    for (int i = 0; i < 2; i++)
        for (Function *f = earlier[i] ? earlier[i]->functions : NULL; f; f = f->next)
            if (!f->twin)
                map_set(taken.code, f->signature, f);
    return taken;
}

/* What a layer computes, as a name for those that do the same: conv3x3_16_32_on_8x8, batchnorm_16_on_32x32,
 * fc_64_10. What else they have in common (a stride, who follows in registers) it doesn't say. */
static const char *task_name(const Layer *layer)
{
    const Shape in = layer->in->shape, out = layer->out ? layer->out->shape : in;
    const Weight *w = layer->nweights ? layer->weight[0] : NULL;
    const char *window =
        w && w->rank == 4 ? format("%lldx%lld", (long long)w->dim[2], (long long)w->dim[3]) : "";
    const char *channels =
        out.c == in.c && !*window ? format("%lld", (long long)in.c)
                                  : format("%lld_%lld", (long long)in.c, (long long)out.c);
    const char *plane = in.rank == 3 ? format("_on_%lldx%lld", (long long)in.h, (long long)in.w) : "";
    return format("%s%s_%s%s", layer->kind->name, window, channels, plane);
}

/* The function's name in net.c: of its layer, or of the task where several layers share it. A label may ask
 * for one that is taken; and C promises to tell names apart by their first 63 characters. */
static const char *function_name(const Taken *taken, const Function *f, const char *direction)
{
    enum { MOST = 60 };
    const char *task = f->shared ? format("%s_%s", task_name(f->layer), direction) : NULL;
    const char *first = task && strlen(task) <= MOST ? task
                                                     : format("%s_%s", c_name(f->layer->name), direction);
    const char *name = first;
    for (int number = 2; map_find(taken->names, name); number++)
        name = format("%s%d", first, number);
    return name;
}

/* "backward", or which half of it where there are two. */
static const char *part_name(const Function *f)
{
    bool gradients = false, others = false;
    for (const Kernel *k = f->kernels; k; k = k->next) {
        bool gradient = makes_gradient(k->body ? k->body : k->first);
        gradients |= gradient;
        others |= !gradient;
    }
    return gradients && !others             ? "backward_weights"
         : f->layer->nweights && !gradients ? "backward_input"
                                            : "backward";
}

/* Does its layer do nothing there but add up what all samples share? Gradients don't count: they are what
 * a pass is for. */
static bool adds_up(const Function *f)
{
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            const Tensor *t = (*part[n])->out.tensor;
            if ((*part[n])->layer == f->layer && t->role == TENSOR_VALUE && !t->per_sample && !t->of
                && !t->weight && !t->sum)
                return true;
        }
    return false;
}

/* What a function makes, but for the name of its layer: "slope", "weight_taps". A gradient, or else the first
 * value, or else the first that it changes. */
static const char *made_name(const Function *f)
{
    int i = -1, best = -1;
    for (int p = 0; p < f->nparams; p++) {
        const TensorRole role = f->param[p]->role;
        int weight = !f->param_written[p] ? -1 : role == TENSOR_GRADIENT ? 2 : role == TENSOR_VALUE;
        if (weight > best) {
            best = weight;
            i = p;
        }
    }
    const char *name = f->param[i < 0 ? 0 : i]->name, *layer = f->layer->name;
    name += 2 * !strncmp(name, "d_", 2);
    bool own = !strncmp(name, layer, strlen(layer)) && name[strlen(layer)] == '.';
    return c_name(own ? name + strlen(layer) + 1 : name);
}

/* Of what is done around the loops over samples. */
static const char *purpose_name(const Function *f)
{
    bool moves = f->per_call, fills = f->per_call, lanes = f->per_call;
    for (const Kernel *k = f->kernels; k; k = k->next) {
        moves &= k->form == FORM_MOVE;
        fills &= k->form == FORM_FILL;
        lanes &= k->body && adds_up_lanes(k->body);
    }
    return moves ? "transpose"
         : lanes ? "add_up"
                 : format("%s%s", f->backward ? "backward_" : "",
                          fills         ? "clear"
                          : f->per_call ? format("%s_once", made_name(f))
                                        : "sums");
}

/* Finds the first function of equal code, for each function. */
static void find_twins(const Taken *taken, Pass *pass)
{
    for (Function *f = pass->functions; f; f = f->next) {
        f->signature = signature(f, pass->target->lanes);
        Function *first = map_find(taken->code, f->signature);
        f->twin = first;
        if (!first)
            map_set(taken->code, f->signature, f);
        else if (!first->name)
            first->shared |= first->layer != f->layer;
    }
}

void name_functions(const Plan *plan, Pass *pass, const Pass *forward, const Pass *training)
{
    const Taken taken = taken_by(plan, forward, training);
    find_twins(&taken, pass);
    for (Function *f = pass->functions; f; f = f->next) {
        bool forward_too = forward && !f->backward && !f->per_call && forward->of_layer[2 * f->layer->id];
        const char *direction = f->per_call || adds_up(f) ? purpose_name(f)
                                : f->backward ? part_name(f)
                                : pass->prog->positions ? "next"
                                : !forward_too ? "forward" : pass->prog->training ? "training" : "loss";
        f->name = f->twin ? f->twin->name : function_name(&taken, f, direction);
        map_set(taken.names, f->name, f);
    }
}

/* ---- What works for a layer ------------------------------------------------------------------ */

static void note_hosted(Pass *pass, const Function *f, const Statement *s)
{
    const Function **host = &pass->host[2 * s->layer->id + s->backward];
    if (!*host)
        *host = f;
}

/* Which functions work for a layer. */
void find_layers_functions(Pass *pass, int nlayers)
{
    Function **last = NEW_ARRAY(Function *, 2 * (nlayers + 1));
    pass->of_layer = NEW_ARRAY(const Function *, 2 * (nlayers + 1));
    pass->host = NEW_ARRAY(const Function *, 2 * (nlayers + 1));
    for (Function *f = pass->functions; f; f = f->next) {
        int at = 2 * f->layer->id + f->backward;
        if (!f->per_call) {
            *(last[at] ? &last[at]->same_layer : &pass->of_layer[at]) = f;
            last[at] = f;
        }
        Statement **part[MAX_PARTS];
        int n;
        for (Kernel *k = f->per_call ? NULL : f->kernels; k; k = k->next)
            for (parts_of(k, part, &n); n--;)
                note_hosted(pass, f, *part[n]);
    }
}

/* ---- What is for one gradient alone -----------------------------------------------------------
 *
 * Where the caller gives the gradient of the answer, it may want that of the weights, that of the input, or
 * both. What leads to one of them alone is in functions of its own, which are called only where that one is
 * wanted. */

enum { WEIGHTS = 1, INPUT = 2, BOTH = WEIGHTS | INPUT };

typedef struct Led {
    unsigned *to;        /* by tensor id */
    unsigned here;       /* what the statement at hand leads to */
} Led;

static void note_led(const Access *access, void *context)
{
    Led *led = context;
    led->to[access->tensor->id] |= led->here;
}

static unsigned leads_to(const Statement *s, const unsigned *to)
{
    switch (s->out.tensor->role) {
    case TENSOR_GRADIENT: return WEIGHTS;
    case TENSOR_INPUT_GRADIENT: return INPUT | to[s->out.tensor->id];
    case TENSOR_VALUE: return to[s->out.tensor->id] | (s->position ? to[s->position->id] : 0);
    default: return BOTH; /* statistics are kept whatever is wanted */
    }
}

static void find_purposes(const Prog *prog)
{
    Led led = {NEW_ARRAY(unsigned, prog->ntensors), 0};
    int n = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        n++;
    Statement **all = NEW_ARRAY(Statement *, n + 1);
    n = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        all[n++] = s;
    for (int begin; n; n = begin) { /* a recurrence is one piece */
        for (begin = n - 1; begin && in_one_recurrence(all[begin - 1], all[n - 1]);)
            begin--;
        led.here = 0;
        for (int i = begin; i < n; i++)
            led.here |= leads_to(all[i], led.to);
        for (int i = begin; i < n; i++) {
            visit_loads(all[i]->rhs, note_led, &led);
            all[i]->purpose = led.here == WEIGHTS ? FOR_WEIGHTS : led.here == INPUT ? FOR_INPUT : FOR_ALL;
        }
    }
}

/* The loss of answers that are there anyway is apart from what makes them, so that net_loss calls
 * net_forward's functions. */
static void set_loss_apart(const Prog *prog)
{
    const Net *net = prog->net;
    for (Statement *s = prog->statements; s && net->loss_in == net->out; s = s->next)
        s->purpose = s->layer == net->loss ? FOR_LOSS : FOR_ALL;
}

/* ---- All of a pass --------------------------------------------------------------------------- */

/* A function for each layer and direction; the statements stand in the order of the phases. */
void make_functions(const Plan *plan, Pass *pass)
{
    Function **last = &pass->functions;
    if (from_the_caller(pass->prog))
        find_purposes(pass->prog);
    else if (pass->prog->answers && pass->prog->loss)
        set_loss_apart(pass->prog);
    for (Statement **link = &pass->prog->statements, *end; *link;) {
        const Statement *first = *link;
        for (end = *link; end && end->layer == first->layer && end->backward == first->backward
                          && end->per_sample == first->per_sample && end->phase == first->phase;)
            end = end->next;
        const Statement *middle = *gradients_first(link, end);
        for (Statement *begin = *link, *next = NULL; begin != end; begin = next) {
            for (next = begin->next; next != end && next != middle && next->purpose == begin->purpose;)
                next = next->next;
            Function *f = make_function(plan, pass, begin, next);
            if (!f)
                continue;
            *last = f;
            last = &f->next;
        }
        while (*link != end)
            link = &(*link)->next;
    }
}

/* Once all nests are what they will be: their regions and tiles, and what the function takes. */
void finish_functions(Pass *pass)
{
    for (Function *f = pass->functions; f; f = f->next) {
        f->kernels = finish_kernels(f->kernels, f->unroll, pass->target);
        for (Kernel *k = f->kernels; k; k = k->next)
            choose_order(k, pass->target);
        f->cycles = f->unroll == UNROLL_FULL ? straight_cycles(f->kernels, f->terms, pass->target)
                    : cycles_of_kernels(f->kernels) / (f->per_call ? 1 : samples_at_once(pass, f));
        collect_params(f);
        note_overruns(pass, f);
        f->brief = is_brief(f, pass);
    }
}
