/* emit.c: Plan to net.c. It begins with what was compiled and how (report.c) and what its functions call by
 * name (prelude.c, math.c), then has a function for each layer and direction in the network's order
 * (function.c), then net_forward and net_backward, which read like the network's text.
 * What is the same in all of them lies in fixed/net.c. */
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
enum { MOST_PASSES = 5 };

static const Pass *pass_of(const Plan *plan, int number)
{
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation,
                            &plan->next};
    return passes[number]->prog ? passes[number] : NULL;
}

/* The constants that the functions of a pass read by name; all passes have the same ones by the same names.
 * tables: by pass and id of the tensor. */
static void put_constants(FILE *f, const Plan *plan, bool *const tables[MOST_PASSES])
{
    Map *done = new_map();
    for (int i = 0; i < MOST_PASSES; i++) {
        const Pass *pass = pass_of(plan, i);
        for (Tensor *t = pass ? pass->prog->tensors : NULL; t; t = t->next)
            if (tables[i][t->id] && !map_find(done, t->name)) {
                put_constant(f, t);
                map_set(done, t->name, t);
            }
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
        emit_function(f, fn, kind_of(plan, pass), tables, uses);
    }
}

/* ---- net_forward, net_backward --------------------------------------------------------------- */

/* One loop over the samples of a call, or over chunks of them: its functions are those from begin on, up
 * to but not end. */
typedef struct Loop {
    const Plan *plan;
    const Pass *pass;
    const Function *begin, *end;
    bool const_params;   /* the weights are only read */
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

/* Does the scratch memory of net_loss hold the answers of all samples, where the caller doesn't want them?
 * Else it holds those of the samples at hand. */
static bool holds_all_answers(const Pass *pass)
{
    return pass->chunk >= pass->batch;
}

/* Where the answer of that sample of the call begins. */
static const char *answer_at(const Loop *loop, const char *sample)
{
    const char *at = format("y + (size_t)%s * %s_OUTPUT", sample, loop->plan->PREFIX);
    return loop->pass != &loop->plan->evaluation || holds_all_answers(loop->pass)
             ? at
             : format("y ? %s : w->arena + %lld", at, (long long)loop->pass->unwanted);
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
        bool adds_const = root->role == TENSOR_WEIGHT && !loop->const_params;
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
    case TENSOR_STATE:
        fprintf(f, "%ss->%s", flat ? "" : "(void *)", c_name(root->name));
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

/* What stands behind a call's tensors: other arguments, and whose work a function does that several layers
 * share. */
static const char *end_of_call(const Loop *loop, const Function *fn)
{
    const Function *code = fn->twin ? fn->twin : fn;
    const char *separator = fn->nparams ? ", " : "", *text = "";
    const struct { bool given; const char *name;
    } others[] = {
        {fn->uses_step, "step"},
        {fn->uses_random, "rng"},
        {fn->uses_mean, "mean"},
        {fn->uses_samples, "samples"},
        {fn->batched || fn->uses_at_hand, loop->chunks || fn->uses_at_hand ? "m" : "n"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].given) {
            text = format("%s%s%s", text, separator, others[i].name);
            separator = ", ";
        }
    bool shared = code->shared || code->layer != fn->layer;
    return shared ? format("%s);   /* %s */\n", text, comment_text(fn->layer->name)) : format("%s);\n", text);
}

static void put_call(FILE *f, const Loop *loop, const Function *fn, int depth)
{
    enum { MOST = 114, MOST_WITH_COMMENT = 130 };
    const char *end = end_of_call(loop, fn);
    if (fn->purpose == FOR_WEIGHTS || fn->purpose == FOR_INPUT)
        fprintf(f, "%*sif (%s)\n", 4 * depth++, "", fn->purpose == FOR_WEIGHTS ? "g" : "dx");
    int column = fprintf(f, "%*s%s(", 4 * depth, "", fn->name);
    for (int i = 0; i < fn->nparams; i++) {
        TextStream argument;
        put_argument(open_text(&argument), loop, fn, i);
        close_text(&argument);
        int size = (int)argument.length;
        bool last = i == fn->nparams - 1 && strchr(end, '/');
        bool wrap = column + size > MOST || (last && column + size + (int)strlen(end) > MOST_WITH_COMMENT);
        column = wrap ? 4 * depth + 4 + size : column + size + 2;
        fprintf(f, "%s%s%s", i ? "," : "", wrap ? format("\n%*s", 4 * depth + 4, "") : i ? " " : "",
                argument.text);
        free(argument.text);
    }
    fprintf(f, "%s", end);
}

static int by_number(const void *a, const void *b)
{
    return (*(const Buffer *const *)a)->number - (*(const Buffer *const *)b)->number;
}

/* The buffers that the functions from `begin` on, up to but not `end`, touch, in their order; how many. */
static int buffers_of(const Pass *pass, const Function *begin, const Function *end, const Buffer ***buffers)
{
    int n = 0, kept = 0;
    for (const Function *f = begin; f != end; f = f->next)
        n += f->nparams;
    const Buffer **list = *buffers = NEW_ARRAY(const Buffer *, n + 1);
    n = 0;
    for (const Function *f = begin; f != end; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (buffer_of(pass, f->param[i]))
                list[n++] = buffer_of(pass, f->param[i]);
    qsort(list, (size_t)n, sizeof *list, by_number);
    for (int i = 0; i < n; i++)
        if (!i || list[i] != list[i - 1])
            list[kept++] = list[i];
    return kept;
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
        fprintf(f, "%*sconst %s *const input = %s + (size_t)s * %s_INPUT;\n", in, "",
                input_type(loop->plan->net), all_samples(loop, pass->prog->x), P);
    if (group_touches_role(pass, begin, end, TENSOR_OUTPUT))
        fprintf(f, "%*svoid *const %s = %s;\n", in, "", c_name(pass->prog->y->name),
                loop->chunks ? format("%s + (size_t)s * %s_OUTPUT", all_samples(loop, pass->prog->y), P)
                             : answer_at(loop, "s"));
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
    const Buffer **buffers;
    int n = buffers_of(pass, begin, end, &buffers);
    for (int i = 0; i < n; i++)
        if (buffers[i]->samples > 1 || buffers[i]->whole_batch) {
            const char *name = c_name(buffers[i]->tensor->name);
            fprintf(f, "%*svoid *const %s = all_%s + (size_t)%s * %lld;\n", in, "", name, name,
                    buffers[i]->whole_batch ? number : "s", (long long)buffers[i]->tensor->floats);
        }
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
        fprintf(f, "        const %s *const all_input = x + (size_t)first * %s_INPUT;\n",
                input_type(loop->plan->net), P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_OUTPUT))
        fprintf(f, "        float *const all_%s = %s;\n", c_name(pass->prog->y->name),
                answer_at(loop, "first"));
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
        fprintf(f, "        const %s *const input = x + (size_t)first * %s_INPUT;\n",
                input_type(loop->plan->net), P);
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
        loop->chunks |= fn->batched && pass->chunk < pass->batch;
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
    bool const_params = *const_of_params(pass, plan);
    for (const Function *fn = pass->functions; fn;) {
        Loop loop = {plan, pass, fn, fn, const_params, false};
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

/* By a buffer's number: is it touched by what is done once? */
static bool *touched_once(const Pass *pass)
{
    int n = 0;
    for (const Buffer *b = pass->buffers; b; b = b->next)
        n++;
    bool *touched = NEW_ARRAY(bool, n + 1);
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        for (int i = 0; fn->per_call && i < fn->nparams; i++)
            if (buffer_of(pass, fn->param[i]))
                touched[buffer_of(pass, fn->param[i])->number] = true;
    return touched;
}

/* What lies in net_params. In net_forward that is only read, which is const: ISO C makes no pointer to
 * const rows out of one to const void, so that the calls cast it. */
static void name_prepared(FILE *f, const Pass *pass, bool forward)
{
    const bool *once = touched_once(pass);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if (b->prepared && (forward ? b->lasting : once[b->number]))
            fprintf(f, "    %s *const %s = p->weights + %lld;   /* %s */\n", forward ? "const float" : "void",
                    c_name(b->tensor->name), (long long)b->offset,
                    dims_text(b->tensor->rank, b->tensor->room, "", "x", ""));
}

/* What depends on the weights alone, once for all calls. What has been folded must not be folded again. */
static void put_prepare(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward;
    put_fixed(f, "net.c: is_prepared", words);
    put_fixed(f, "net.c: prepare begins", words);
    name_prepared(f, pass, false);
    Loop loop = {plan, pass, pass->functions, NULL, *const_of_params(pass, plan), false};
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        if (fn->per_call)
            put_call(f, &loop, fn, 1);
    put_fixed(f, "net.c: prepare ends", words);
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
        put_fixed(f, "net.c: unused x", NULL);
    if (!touches(pass, TENSOR_WEIGHT) && !pass->prepared)
        put_fixed(f, "net.c: unused p", NULL);
    if (!pass->arena && !uses_w)
        put_fixed(f, "net.c: unused w", NULL);
}

/* Weights as they were loaded mean nothing to net_forward; and no answer is better than a wrong one. */
static void put_forward(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward;
    if (pass->prepared)
        put_prepare(f, plan, words);
    put_fixed(f, "net.c: forward begins", words);
    if (pass->prepared) {
        put_fixed(f, "net.c: forward is prepared", words);
        name_prepared(f, pass, true);
    }
    put_buffers(f, pass);
    put_unused(f, pass, false);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: forward ends", words);
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

/* What a mean over the call divides by: its samples, or what the weights of their targets sum to. */
static void put_mean(FILE *f, const Net *net, const FixedWord *words)
{
    if (!net->class_weights) {
        put_fixed(f, "net.c: mean", words);
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
    fprintf(f, "};\n");
    put_fixed(f, "net.c: mean with class weights", words);
}

static void check_samples(FILE *f, const Pass *pass, const FixedWord *words)
{
    put_fixed(f, least_samples(pass->prog) > 1 ? "net.c: backward checks n for a variance"
                                               : "net.c: backward checks n", words);
}

static void put_forward_train(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->forward_train;
    put_fixed(f, "net.c: forward_train begins", words);
    check_samples(f, pass, words);
    put_fixed(f, "net.c: forward_train checks x and y", words);
    put_buffers(f, pass);
    if (uses_samples(pass))
        put_fixed(f, "net.c: samples", words);
    put_unused(f, pass, pass->prog->draws > 0);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: forward ends", words);
}

static void put_backward(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->training;
    const bool from_caller = plan->net->from_caller;
    put_fixed(f, from_caller ? "net.c: backward from the caller begins" : "net.c: backward begins", words);
    check_samples(f, pass, words);
    put_fixed(f, from_caller ? "net.c: backward checks x and dy" : "net.c: backward checks x and t", words);
    put_buffers(f, pass);
    if (uses_mean(pass))
        put_mean(f, plan->net, words);
    if (uses_samples(pass))
        put_fixed(f, "net.c: samples", words);
    if (!from_caller)
        put_fixed(f, "net.c: loss", words);
    put_unused(f, pass, true);
    if (from_caller && plan->net->input.of)
        put_fixed(f, "net.c: tokens have no gradient", words);
    if (from_caller && !touches(pass, TENSOR_TARGET))
        put_fixed(f, "net.c: unused dy", words);
    put_fixed(f, from_caller ? "net.c: clear wanted gradients" : "net.c: clear gradients", words);
    put_calls(f, plan, pass);
    if (pass->prog->draws)
        put_fixed(f, "net.c: move rng", words);
    put_fixed(f, from_caller ? "net.c: backward from the caller ends" : "net.c: backward ends", words);
}

static void put_loss(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->evaluation;
    put_fixed(f, "net.c: loss begins", words);
    put_fixed(f, "net.c: backward checks n", words);
    put_fixed(f, "net.c: backward checks x and t", words);
    put_buffers(f, pass);
    if (holds_all_answers(pass))
        fprintf(f, "    if (!y)\n        y = w->arena + %lld;\n", (long long)pass->unwanted);
    put_mean(f, plan->net, words);
    put_fixed(f, "net.c: loss", words);
    put_unused(f, pass, false);
    put_calls(f, plan, pass);
    put_fixed(f, "net.c: backward ends", words);
}

/* ---- net_next -------------------------------------------------------------------------------- */

/* The calls of the one position: no loop. */
static void put_next(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Pass *pass = &plan->next;
    const bool counts = counts_positions(pass);
    put_fixed(f, "net.c: next begins", words);
    if (counts)
        put_fixed(f, "net.c: next counts", words);
    put_buffers(f, pass);
    put_unused(f, pass, false);
    if (!counts && !touches(pass, TENSOR_STATE))
        put_fixed(f, "net.c: unused s", NULL);
    if (touches(pass, TENSOR_INPUT))
        fprintf(f, "    const %s *const %s = x;\n", input_type(plan->net), c_name(pass->prog->x->name));
    fprintf(f, "    void *const %s = y;\n", c_name(pass->prog->y->name));
    Loop loop = {plan, pass, pass->functions, NULL, true, false};
    for (const Function *fn = pass->functions; fn; fn = fn->next)
        put_call(f, &loop, fn, 1);
    put_fixed(f, "net.c: next ends", words);
}

void emit_source(FILE *f, const Plan *plan, const char *header_name)
{
    put_head(f, plan);
    const FixedWord *words = net_words(plan);
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
    put_forward(functions, plan, words);
    if (plan->forward_train.prog)
        put_forward_train(functions, plan, words);
    if (plan->training.prog)
        put_backward(functions, plan, words);
    if (plan->evaluation.prog)
        put_loss(functions, plan, words);
    if (plan->next.prog)
        put_next(functions, plan, words);
    put_model(functions, plan, words);
    close_text(&memory);
    put_prelude(f, plan, header_name, uses, strstr(memory.text, "NOINLINE"));
    put_constants(f, plan, tables);
    put_lines(f, &memory);
}
