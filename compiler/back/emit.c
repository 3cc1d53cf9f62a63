/* emit.c: Plan to net.c. It begins with what was compiled and how (report.c) and what its functions call by
 * name (prelude.c, math.c), then has a function for each layer and direction in the network's order
 * (kernel.c), then net_forward and net_backward, which read like the network's text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

/* ---- The layers' functions ------------------------------------------------------------------- */

static void put_constant(FILE *f, const Tensor *tensor)
{
    fprintf(f, "static const float %s%s = {", c_name(tensor->name),
            dims_text(tensor->rank, tensor->dim, "[", "][", "]"));
    for (int64_t i = 0; i < tensor->count; i++)
        fprintf(f, "%s%s", i % 8 ? ", " : i ? ",\n    " : "\n    ", c_float(tensor->data[i]));
    fprintf(f, "\n};\n\n");
}

/* The passes that net.c has, in its order. */
enum { MOST_PASSES = 3 };

static const Pass *pass_of(const Plan *plan, int number)
{
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train};
    return passes[number]->prog ? passes[number] : NULL;
}

static const Tensor *tensors_in(const Plan *plan, int number)
{
    const Pass *pass = pass_of(plan, number);
    return pass ? pass->prog->tensors : NULL;
}

/* The constants that the functions of a pass read by name; all passes have the same ones by the same names.
 * tables: by pass and id of the tensor. */
static void put_constants(FILE *f, const Plan *plan, bool *const tables[MOST_PASSES])
{
    for (int pass = 0; pass < MOST_PASSES; pass++)
        for (const Tensor *t = tensors_in(plan, pass); t; t = t->next) {
            bool done = !tables[pass][t->id];
            for (int i = 0; i < pass && !done; i++)
                for (const Tensor *o = tensors_in(plan, i); o; o = o->next)
                    done |= tables[i][o->id] && !strcmp(o->name, t->name);
            if (!done)
                put_constant(f, t);
        }
}

/* ---- What the functions call by name --------------------------------------------------------- */

/* Is the statement one of the function's? */
/* A pass's statements by the tensor that they write, each list in their order. */
typedef struct Writers {
    struct Writer {
        const Statement *statement;
        int number;
        struct Writer *next;
    } **first, **last;
} Writers;

static Writers find_writers(const Prog *prog)
{
    Writers writers = {NEW_ARRAY(struct Writer *, prog->ntensors),
                       NEW_ARRAY(struct Writer *, prog->ntensors)};
    int number = 0;
    for (const Statement *s = prog->statements; s; s = s->next) {
        struct Writer *w = NEW(struct Writer), **last = &writers.last[s->out.tensor->id];
        *w = (struct Writer){s, number++, NULL};
        *(*last ? &(*last)->next : &writers.first[s->out.tensor->id]) = w;
        *last = w;
    }
    return writers;
}

/* Is it what a part of the function does? */
static bool does(const Function *fn, const Statement *part, const Statement *s)
{
    return part->layer == s->layer && part->backward == s->backward && s->per_sample != fn->per_call
        && s->phase == fn->phase;
}

/* The statements that the function does, in their order, as they were before they were put into its
 * kernels. */
static void put_statements(FILE *f, const Writers *writers, const Function *fn)
{
    Statement **part[MAX_PARTS];
    int n, last = -1;
    for (;;) {
        const struct Writer *next = NULL;
        for (Kernel *k = fn->kernels; k; k = k->next)
            for (parts_of(k, part, &n); n--;)
                for (const struct Writer *w = writers->first[(*part[n])->out.tensor->id]; w; w = w->next)
                    if (w->number > last && (!next || w->number < next->number)
                        && does(fn, *part[n], w->statement))
                        next = w;
        if (!next)
            return;
        last = next->number;
        fprintf(f, " *     ");
        dump_statement(f, next->statement);
    }
}

static void put_functions(FILE *f, const Plan *plan, const Pass *pass, bool *tables, Uses *uses)
{
    const Writers writers = find_writers(pass->prog);
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        if (fn->twin)
            continue;
        const Layer *layer = fn->layer;
        const char *shapes = format("%s -> %s", shape_text(layer->in->shape),
                                    layer->out ? shape_text(layer->out->shape) : "a number");
        fprintf(f, "/* %s%s\n * %s: %s, %lld point%s\n *\n", comment_text(layer->text),
                fn->backward ? ", backward" : "", shapes, how_function(fn), (long long)fn->terms,
                fn->terms == 1 ? "" : "s");
        put_statements(f, &writers, fn);
        fprintf(f, " */\n");
        emit_function(f, plan, fn, kind_of(plan, pass), tables, uses);
    }
}

/* ---- net_forward, net_backward --------------------------------------------------------------- */

/* One loop over the samples of a call, or over chunks of them: its functions are those from begin on, up
 * to but not end. */
typedef struct Loop {
    const Plan *plan;
    const Pass *pass;
    const Function *begin, *end;
    bool chunks;         /* samples are taken chunk by chunk: m samples from `first` on */
} Loop;

/* What net_backward is given beside x: targets, or the gradient of the answer. */
static const char *target_name(const Net *net)
{
    return net->from_caller ? "dy" : "t";
}

static const char *targets_macro(const Net *net)
{
    return net->from_caller ? "OUTPUT" : "TARGETS";
}

/* Where the first sample of the call or of the chunk lies. */
static const char *all_samples(const Loop *loop, const Tensor *root)
{
    const Buffer *b = buffer_of(loop->pass, root);
    if (b && b->whole_batch && loop->chunks)
        return format("(all_%s + (size_t)first * %lld)", c_name(root->name), (long long)b->tensor->floats);
    if (b || loop->chunks)
        return format("all_%s", c_name(root->name));
    switch (root->role) {
    case TENSOR_INPUT: return "x";
    case TENSOR_OUTPUT: return "y";
    case TENSOR_INPUT_GRADIENT: return "dx";
    default: return target_name(loop->plan->net);
    }
}

/* What a function is called with. Buffers are void pointers and fit every parameter; of the others those
 * that the callee sees with other dimensions need a cast. A function that takes a chunk of samples gets
 * the first. */
static void put_argument(FILE *f, const Loop *loop, const Function *fn, int i)
{
    const Tensor *tensor = fn->param[i], *root = loop->pass->root[tensor->id];
    bool flat = fn->unroll == UNROLL_FULL || tensor->rank < 2;
    const char *type = tensor->is_int ? "int" : "float";
    const Buffer *b = buffer_of(loop->pass, tensor);
    switch (b ? TENSOR_VALUE : root->role) {
    case TENSOR_WEIGHT:
    case TENSOR_GRADIENT: {
        const char *cast = fn->param_written[i] ? "(float *)" : "(const float *)";
        /* ISO C makes no pointer to const rows out of one to rows. */
        bool adds_const = root->role == TENSOR_WEIGHT && !*const_of_params(loop->pass, loop->plan);
        fprintf(f, "%s%s->%s", tensor->rank < 2 ? "" : flat ? cast : adds_const ? "(void *)" : "",
                root->role == TENSOR_WEIGHT ? "p" : "g", c_name(tensor->weight->name));
        break;
    }
    case TENSOR_INPUT:
    case TENSOR_TARGET:
        if (!flat)
            fprintf(f, "(const %s (*)%s)", type,
                    dims_text(tensor->rank - 1, tensor->room + 1, "[", "][", "]"));
        fprintf(f, "%s", fn->batched ? all_samples(loop, root) : c_name(root->name));
        break;
    case TENSOR_LOSS:
        fprintf(f, "&loss");
        break;
    default:
        if (b && b->prepared && !fn->per_call && !flat) /* only read: see name_prepared */
            fprintf(f, "(const float (*)%s)", dims_text(tensor->rank - 1, tensor->room + 1, "[", "][", "]"));
        if (fn->batched && root->per_sample)
            fprintf(f, "%s%s", !flat && (!b || b->samples > 1) ? "(void *)" : "", all_samples(loop, root));
        else
            fprintf(f, "%s", c_name(root->name));
    }
}

/* Whether a function of the pass touches a tensor of that role. */
static bool touches(const Pass *pass, TensorRole role)
{
    for (const Function *f = pass->functions; f; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (pass->root[f->param[i]->id]->role == role)
                return true;
    return false;
}

static void put_call(FILE *f, const Loop *loop, const Function *fn, int depth)
{
    if (fn->purpose != FOR_ALL)
        fprintf(f, "%*sif (%s)\n", 4 * depth++, "", fn->purpose == FOR_WEIGHTS ? "g" : "dx");
    int column = fprintf(f, "%*s%s(", 4 * depth, "", fn->name);
    const char *separator = "";
    for (int i = 0; i < fn->nparams; i++) {
        TextStream argument;
        put_argument(open_text(&argument), loop, fn, i);
        close_text(&argument);
        int size = (int)argument.length;
        bool wrap = column + size > 114;
        column = wrap ? 4 * depth + 4 + size : column + size + 2;
        fprintf(f, "%s%s%s", separator, wrap ? format("\n%*s", 4 * depth + 4, "") : *separator ? " " : "",
                argument.text);
        free(argument.text);
        separator = ",";
    }
    if (fn->uses_random)
        fprintf(f, "%s rng", separator), separator = ",";
    if (fn->uses_mean)
        fprintf(f, "%s mean", separator), separator = ",";
    if (fn->uses_samples)
        fprintf(f, "%s samples", separator), separator = ",";
    if (fn->batched || fn->uses_at_hand)
        fprintf(f, "%s %s", separator, loop->chunks || fn->uses_at_hand ? "m" : "n");
    fprintf(f, ");\n");
}

/* Does a function from `begin` on, up to but not `end`, touch what shares memory with the tensor? */
static bool group_touches(const Pass *pass, const Function *begin, const Function *end, const Tensor *root)
{
    for (const Function *f = begin; f != end; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (pass->root[f->param[i]->id] == root)
                return true;
    return false;
}

static bool group_touches_role(const Pass *pass, const Function *begin, const Function *end, TensorRole role)
{
    for (const Function *f = begin; f != end; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (pass->root[f->param[i]->id]->role == role)
                return true;
    return false;
}

static bool group_draws(const Function *begin, const Function *end)
{
    for (const Function *f = begin; f != end; f = f->next)
        if (f->uses_random)
            return true;
    return false;
}

/* The loop over samples for a run of functions that take one. */
static void put_sample_loop(FILE *f, const Loop *loop, const Function *begin, const Function *end, int depth)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX;
    const int in = 4 * depth + 4;
    fprintf(f, "%*sfor (int s = 0; s < %s; s++) {\n", 4 * depth, "", loop->chunks ? "m" : "n");
    if (group_touches_role(pass, begin, end, TENSOR_INPUT))
        fprintf(f, "%*sconst float *const input = %s + (size_t)s * %s_INPUT;\n", in, "",
                all_samples(loop, pass->prog->x), P);
    if (group_touches_role(pass, begin, end, TENSOR_OUTPUT))
        fprintf(f, "%*svoid *const %s = %s + (size_t)s * %s_OUTPUT;\n", in, "", c_name(pass->prog->y->name),
                all_samples(loop, pass->prog->y), P);
    if (group_touches_role(pass, begin, end, TENSOR_TARGET))
        fprintf(f, "%*sconst %s *const %s = %s + (size_t)s * %s_%s;\n", in, "",
                loop->plan->net->int_targets ? "int" : "float", c_name(pass->prog->t->name),
                all_samples(loop, pass->prog->t), P, targets_macro(loop->plan->net));
    if (group_touches_role(pass, begin, end, TENSOR_INPUT_GRADIENT)) {
        const char *all = all_samples(loop, pass->prog->dx);
        fprintf(f, "%*svoid *const %s = %s ? %s + (size_t)s * %s_INPUT : NULL;\n", in, "",
                c_name(pass->prog->dx->name), all, all, P);
    }
    const char *number = loop->chunks ? "(first + s)" : "s";
    if (group_draws(begin, end))
        fprintf(f, "%*sconst uint64_t rng = w->rng + (uint64_t)%s * %lldu * NN_GAMMA;\n", in, "", number,
                (long long)pass->prog->draws);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if ((b->samples > 1 || b->whole_batch) && group_touches(pass, begin, end, b->tensor))
            fprintf(f, "%*svoid *const %s = all_%s + (size_t)%s * %lld;\n", in, "", c_name(b->tensor->name),
                    c_name(b->tensor->name), b->whole_batch ? number : "s", (long long)b->tensor->floats);
    for (const Function *fn = begin; fn != end; fn = fn->next)
        put_call(f, loop, fn, depth + 1);
    fprintf(f, "%*s}\n", 4 * depth, "");
}

/* Opens the loop over chunks; x, y and t of the chunk at hand get names. */
static void open_chunks(FILE *f, const Loop *loop)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX, *type = loop->plan->net->int_targets ? "int" : "float";
    fprintf(f, "    for (int first = 0; first < n; first += %lld) {\n", (long long)pass->chunk);
    fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->chunk,
            (long long)pass->chunk);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const float *const all_input = x + (size_t)first * %s_INPUT;\n", P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_OUTPUT))
        fprintf(f, "        float *const all_%s = y + (size_t)first * %s_OUTPUT;\n",
                c_name(pass->prog->y->name), P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const all_%s = %s + (size_t)first * %s_%s;\n", type,
                c_name(pass->prog->t->name), target_name(loop->plan->net), P,
                targets_macro(loop->plan->net));
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT_GRADIENT))
        fprintf(f, "        float *const all_%s = dx ? dx + (size_t)first * %s_INPUT : NULL;\n",
                c_name(pass->prog->dx->name), P);
}

/* The loop over groups of samples that lie in lanes; what the caller gives begins with the group's first. */
static void put_group_loop(FILE *f, const Loop *loop)
{
    const Pass *pass = loop->pass;
    const char *P = loop->plan->PREFIX;
    bool m = false;
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        m |= fn->uses_at_hand;
    fprintf(f, "    for (int first = 0; first < n; first += %lld) {\n", (long long)pass->samples);
    if (m)
        fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->samples,
                (long long)pass->samples);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const float *const input = x + (size_t)first * %s_INPUT;\n", P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const %s = %s + (size_t)first * %s_%s;\n",
                loop->plan->net->int_targets ? "int" : "float", c_name(pass->prog->t->name),
                target_name(loop->plan->net), P, targets_macro(loop->plan->net));
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT_GRADIENT))
        fprintf(f, "        void *const %s = dx ? dx + (size_t)first * %s_INPUT : NULL;\n",
                c_name(pass->prog->dx->name), P);
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        put_call(f, loop, fn, 2);
    fprintf(f, "    }\n");
}

static void put_loop(FILE *f, Loop *loop)
{
    const Pass *pass = loop->pass;
    if (pass->samples) {
        put_group_loop(f, loop);
        return;
    }
    for (const Function *fn = loop->begin; fn != loop->end; fn = fn->next)
        loop->chunks |= fn->batched && pass->chunk < loop->plan->net->batch;
    if (loop->chunks)
        open_chunks(f, loop);
    int depth = 1 + loop->chunks;
    for (const Function *fn = loop->begin, *end; fn != loop->end; fn = end) {
        for (end = fn; end != loop->end && end->batched == fn->batched;)
            end = end->next;
        if (fn->batched)
            for (; fn != end; fn = fn->next)
                put_call(f, loop, fn, depth);
        else
            put_sample_loop(f, loop, fn, end, depth);
    }
    if (loop->chunks)
        fprintf(f, "    }\n");
}

/* Phase by phase: what is done once, then the loop over the samples. */
static void put_calls(FILE *f, const Plan *plan, const Pass *pass)
{
    for (const Function *fn = pass->functions; fn;) {
        Loop loop = {plan, pass, fn, fn, false};
        for (; fn && fn->per_call; fn = fn->next)
            if (!pass->prepares)
                put_call(f, &loop, fn, 1);
        loop.begin = fn;
        int phase = fn ? fn->phase : 0;
        while (fn && !fn->per_call && fn->phase == phase)
            fn = fn->next;
        loop.end = fn;
        if (loop.begin != loop.end)
            put_loop(f, &loop);
    }
}

static bool touched_once(const Pass *pass, const Buffer *b)
{
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        if (fn->per_call && group_touches(pass, fn, fn->next, b->tensor))
            return true;
    return false;
}

/* What lies in net_params. In net_forward that is only read, which is const: ISO C makes no pointer to
 * const rows out of one to const void, so that the calls cast it. */
static void name_prepared(FILE *f, const Pass *pass, bool forward)
{
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if (b->prepared && (forward ? b->lasting : touched_once(pass, b)))
            fprintf(f, "    %s *const %s = p->weights + %lld;   /* %s */\n", forward ? "const float" : "void",
                    c_name(b->tensor->name), (long long)b->offset,
                    dims_text(b->tensor->rank, b->tensor->room, "", "x", ""));
}

/* At the head of a public function: is it called rightly? */
static void put_checks(FILE *f, const Plan *plan, const Pass *pass)
{
    const bool answers = pass->prog->answers, may_be_null = plan->net->from_caller;
    const char *p = plan->prefix, *P = plan->PREFIX;
    long long least = least_samples(pass->prog), batch = plan->net->batch;
    fprintf(f, "    NN_CHECK_MEMORY(p, %s_params);\n    NN_CHECK_MEMORY(w, %s_work);\n", p, p);
    if (!answers)
        fprintf(f,
                "%s    NN_CHECK_MEMORY(g, %s_params);\n    NN_CHECK(g != p, \"g is p: the gradient needs "
                "memory of its own\");\n",
                may_be_null ? "    if (g)\n    " : "", p);
    if (!answers)
        fprintf(f,
                "    NN_CHECK(w->add == 0 || w->add == 1, \"w->add is neither 0 nor 1: clear a new %s_work, "
                "as calloc does\");\n",
                p);
    const char *why = least > 1 ? ": batchnorm takes the variance of n numbers, and one has none"
                                : ": make several calls, or compile with a larger batch";
    fprintf(f, "    NN_CHECK(n >= %lld && n <= %s_BATCH, \"n must be from %lld to %s_BATCH, %lld%s\");\n",
            least, P, least, P, batch, why);
    const char *other = answers ? "y" : target_name(plan->net);
    fprintf(f, "    NN_CHECK(x != NULL && %s != NULL, \"x or %s is NULL\");\n", other, other);
}

/* What depends on the weights alone, once for all calls. What has been folded must not be folded again. */
static void put_prepare(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    const Pass *pass = &plan->forward;
    fprintf(f,
            "static int %s_is_prepared(const %s_params *p)\n{\n    uint32_t mark;\n    memcpy(&mark, "
            "p->weights + %lld, sizeof mark);\n"
            "    return mark == NN_PREPARED;\n}\n\n",
            p, p, (long long)pass->mark);
    fprintf(f,
            "void %s_prepare(%s_params *p)\n{\n    const uint32_t mark = NN_PREPARED;\n    "
            "NN_CHECK_MEMORY(p, %s_params);\n"
            "    if (%s_is_prepared(p))\n        return;\n",
            p, p, p, p);
    name_prepared(f, pass, false);
    Loop loop = {plan, pass, pass->functions, NULL, false};
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        if (fn->per_call)
            put_call(f, &loop, fn, 1);
    fprintf(f, "    memcpy(p->weights + %lld, &mark, sizeof mark);\n}\n\n", (long long)pass->mark);
}

/* Weights as they were loaded mean nothing to net_forward; and no answer is better than a wrong one. */
static void use_prepared(FILE *f, const Plan *plan)
{
    fprintf(f,
            "    if (!%s_is_prepared(p)) {\n"
            "        for (size_t i = 0; i < (size_t)n * %s_OUTPUT; i++)\n            y[i] = NAN;\n        "
            "return;\n    }\n",
            plan->prefix, plan->PREFIX);
    name_prepared(f, &plan->forward, true);
}

static void put_buffers(FILE *f, const Pass *pass)
{
    for (const Buffer *b = pass->buffers; b; b = b->next) {
        const Tensor *t = b->tensor;
        const char *dims = t->rank ? dims_text(t->rank, t->room, "", "x", "") : "1";
        if (b->prepared)
            continue;
        if (b->samples > 1 || b->whole_batch)
            fprintf(f, "    float *const all_%s = w->arena + %lld;   /* %lldx%s */\n", c_name(t->name),
                    (long long)b->offset, (long long)b->samples, dims);
        else
            fprintf(f, "    void *const %s = w->arena + %lld;   /* %s */\n", c_name(t->name),
                    (long long)b->offset, dims);
    }
}

static void put_unused(FILE *f, const Pass *pass, bool uses_w)
{
    if (!touches(pass, TENSOR_INPUT))
        fprintf(f, "    (void)x;\n");
    if (!touches(pass, TENSOR_WEIGHT) && !pass->prepared)
        fprintf(f, "    (void)p;\n");
    if (!pass->arena && !uses_w)
        fprintf(f, "    (void)w;\n");
}

static bool uses_mean(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_mean)
            return true;
    return false;
}

static bool uses_samples(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_samples)
            return true;
    return false;
}

/* net_forward, or net_forward_train. */
static void put_forward(FILE *f, const Plan *plan, const Pass *pass, const char *name)
{
    const char *p = plan->prefix;
    if (pass->prepared)
        put_prepare(f, plan);
    fprintf(f, "void %s_%s(const %s_params *p, %s_work *w, int n, const float *x, float *y)\n{\n", p, name, p,
            p);
    put_checks(f, plan, pass);
    if (pass->prepared)
        use_prepared(f, plan);
    put_buffers(f, pass);
    if (uses_samples(pass))
        fprintf(f, "    const float samples = (float)n;\n");
    put_unused(f, pass, pass->prog->draws > 0);
    put_calls(f, plan, pass);
    fprintf(f, "}\n\n");
}

/* What a mean over the call divides by: its samples, or what the weights of their targets sum to. */
static void put_mean(FILE *f, const Net *net)
{
    if (!net->class_weights) {
        fprintf(f, "    const float mean = 1.0f / (float)n;\n");
        return;
    }
    int64_t classes = net->loss_in->shape.c;
    fprintf(f, "    static const float class_weight[%lld] = {", (long long)classes);
    for (int64_t c = 0; c < classes; c++)
        fprintf(f, "%s%s",
                c % 10         ? ", "
                : c            ? ",\n        "
                : classes > 10 ? "\n        "
                               : "",
                c_float(net->class_weights[c]));
    fprintf(f, "};\n    double weights = 0;\n    for (size_t i = 0; i < (size_t)n * %lld; i++)\n"
               "        weights += t[i] >= 0 && t[i] < %lld ? class_weight[t[i]] : NAN;\n"
               "    const float mean = (float)(1 / weights);\n", (long long)net->targets, (long long)classes);
}

static void put_backward(FILE *f, const Plan *plan)
{
    const Pass *pass = &plan->training;
    const bool from_caller = plan->net->from_caller;
    fprintf(f, "%s\n{\n", backward_text(plan));
    put_checks(f, plan, pass);
    put_buffers(f, pass);
    if (uses_mean(pass))
        put_mean(f, plan->net);
    if (uses_samples(pass))
        fprintf(f, "    const float samples = (float)n;\n");
    if (!from_caller)
        fprintf(f, "    float loss = 0.0f;\n");
    put_unused(f, pass, true);
    if (from_caller && !touches(pass, TENSOR_TARGET))
        fprintf(f, "    (void)dy;\n");
    fprintf(f, "    if (%s!w->add)\n        memset(g, 0, sizeof *g);\n", from_caller ? "g && " : "");
    put_calls(f, plan, pass);
    if (pass->prog->draws)
        fprintf(f, "    w->rng += (uint64_t)n * %lldu * NN_GAMMA;\n", (long long)pass->prog->draws);
    fprintf(f, from_caller ? "}\n\n" : "    return loss;\n}\n\n");
}

/* ---- net_init, net_model --------------------------------------------------------------------- */

static void put_model(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const char *p = plan->prefix, *P = plan->PREFIX;
    if (net->weights) {
        fprintf(f, "static const nn_tensor %s_tensors[] = {\n", p);
        for (const Weight *w = net->weights; w; w = w->next)
            fprintf(f, "    {\"%s\", %d, {%s}, %lld, %lld, %s, %s, {%s}, {%s}, %s},\n", w->name, w->rank,
                    dims_text(w->rank, w->dim, "", ", ", ""), (long long)w->offset, (long long)w->count,
                    c_float(w->low), c_float(w->high), dims_text(4, w->axis, "", ", ", ""),
                    dims_text(4, w->stride, "", ", ", ""),
                    plan->forward.prepared ? format("%lld", (long long)plan->forward.mark + 1) : "0");
        fprintf(f, "};\n\n");
    }
    fprintf(
        f,
        "static void %s_model_forward(const void *params, void *work, int n, const float *x, float *y)\n{\n"
        "    %s_forward(params, work, n, x, y);\n}\n\n",
        p, p);
    if (plan->training.prog && net->from_caller)
        fprintf(f,
                "static void %s_model_forward_train(const void *params, void *work, int n, const float *x, "
                "float *y)\n{\n"
                "    %s_forward_train(params, work, n, x, y);\n}\n\n"
                "static void %s_model_backward_from(void *params, void *work, int n, const float *x, const "
                "float *dy, void *gradients, float *dx)\n"
                "{\n    %s_backward(params, work, n, x, dy, gradients, dx);\n}\n\n",
                p, p, p, p);
    else if (plan->training.prog)
        fprintf(f,
                "static float %s_model_backward(void *params, void *work, int n, const float *x, const void "
                "*t, void *gradients)\n"
                "{\n    return %s_backward(params, work, n, x, t, gradients);\n}\n\n",
                p, p);
    if (plan->training.prog)
        fprintf(f,
                "static void %s_model_set_rng(void *work, uint64_t rng)\n{\n    ((%s_work *)work)->rng = "
                "rng;\n}\n\n"
                "static void %s_model_set_add(void *work, int add)\n{\n    ((%s_work *)work)->add = "
                "add;\n}\n\n",
                p, p, p, p);
    if (plan->forward.prepared)
        fprintf(f, "static void %s_model_prepare(void *params)\n{\n    %s_prepare(params);\n}\n\n", p, p);
    fprintf(f, "const nn_model %s_model = {\n    .name = \"%s\",\n", p, p);
    fprintf(f, "    .input_shape = {%lld, %lld, %lld},\n", (long long)net->input.c, (long long)net->input.h,
            (long long)net->input.w);
    fprintf(f,
            "    .input = %s_INPUT,\n    .output = %s_OUTPUT,\n    .targets = %s,\n    .int_targets "
            "= %d,\n",
            P, P, net->from_caller ? "0" : format("%s_TARGETS", P), net->int_targets);
    fprintf(f, "    .batch = %s_BATCH,\n    .params = %s_PARAMS,\n    .floats = %s_FLOATS,\n", P, P, P);
    fprintf(f, "    .params_bytes = sizeof(%s_params),\n    .work_bytes = sizeof(%s_work),\n", p, p);
    fprintf(f, "    .ntensors = %d,\n    .tensors = %s,\n", net->nweights,
            net->weights ? format("%s_tensors", p) : "NULL");
    bool trains = plan->training.prog, from_caller = trains && net->from_caller;
    fprintf(f,
            "    .forward = %s_model_forward,\n    .backward = %s,\n    .set_rng = %s,\n    .set_add = %s,\n"
            "    .prepare = %s,\n%s"
            "    .runtime = &nn_interface_%d,   /* the linker misses it: libnn.a is of another version than "
            "this file */\n};\n\n",
            p, trains && !from_caller ? format("%s_model_backward", p) : "NULL",
            trains ? format("%s_model_set_rng", p) : "NULL",
            trains ? format("%s_model_set_add", p) : "NULL",
            plan->forward.prepared ? format("%s_model_prepare", p) : "NULL",
            from_caller ? format("    .forward_train = %s_model_forward_train,\n    .backward_from = "
                                 "%s_model_backward_from,\n", p, p)
                        : "",
            NNC_INTERFACE);
    fprintf(f,
            "void %s_init(%s_params *p, uint64_t seed)\n{\n    NN_CHECK_MEMORY(p, %s_params);\n    "
            "nn_init(&%s_model, p, seed);\n}\n",
            p, p, p, p);
}

void emit_source(FILE *f, const Plan *plan, const char *header_name)
{
    put_head(f, plan);
    Uses uses[2] = {{0}};
    bool *tables[MOST_PASSES] = {NULL};
    TextStream memory;
    FILE *functions = open_text(&memory);
    for (int i = 0; i < MOST_PASSES; i++) {
        const Pass *pass = pass_of(plan, i);
        tables[i] = NEW_ARRAY(bool, pass ? pass->prog->ntensors : 0);
        if (pass)
            put_functions(functions, plan, pass, tables[i], &uses[*kind_of(plan, pass) != 0]);
    }
    put_forward(functions, plan, &plan->forward, "forward");
    if (plan->forward_train.prog)
        put_forward(functions, plan, &plan->forward_train, "forward_train");
    if (plan->training.prog)
        put_backward(functions, plan);
    put_model(functions, plan);
    close_text(&memory);
    put_prelude(f, plan, header_name, uses, strstr(memory.text, "NOINLINE"));
    put_constants(f, plan, tables);
    put_lines(f, &memory);
}
