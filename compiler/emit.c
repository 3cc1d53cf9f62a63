/* emit.c: Plan to net.h and net.c. With kernel.c, the only code that prints C.
 *
 * net.h is the manual: sizes, types, functions, who owns what. net.c begins with what was compiled and how,
 * then has a function for each layer and direction in the network's order, then net_forward and net_backward,
 * which read like the network's text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "nnc.h"

/* Text from outside, made harmless inside a C comment. */
static const char *comment_text(const char *text)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        if (!isprint((unsigned char)*c) || (*c == '*' && c[1] == '/') || (*c == '/' && c[1] == '*'))
            *c = '?';
    return copy;
}

static const char *dims_text(int rank, const int64_t *dim, const char *before, const char *between, const char *after)
{
    char *text = format("%s", "");
    for (int i = 0; i < rank; i++)
        text = format("%s%s%lld%s", text, i ? between : before, (long long)dim[i], i == rank - 1 ? after : "");
    return text;
}

static const char *weight_shape(const Weight *w)
{
    return dims_text(w->rank, w->dim, "[", ", ", "]");
}

static const char *weight_arrays(const Weight *w)
{
    return dims_text(w->rank, w->dim, "[", "][", "]");
}

/* ---- net.h ------------------------------------------------------------------------------------------ */

static void put_params_struct(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    if (plan->training.prog)
        fprintf(f, "/* Weights, as plain arrays in this order. The gradients that %s_backward writes have the same type, so an\n"
                   " * optimizer takes both as %s_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, %s_FLOATS). */\n",
                p, plan->PREFIX, plan->PREFIX);
    else
        fprintf(f, "/* Weights, as plain arrays in this order. */\n");
    fprintf(f, "typedef struct %s_params {\n", p);
    int64_t at = 0;
    int padding = 0;
    const char *align = "NN_ALIGNED ";
    for (const Weight *w = plan->net->weights; w; w = w->next) {
        fprintf(f, "    %sfloat %s%s;   /* %s %s */\n", align, c_name(w->name), weight_arrays(w), w->name, weight_shape(w));
        align = "";
        at = w->offset + w->count;
        int64_t next = w->next ? w->next->offset : plan->floats;
        if (next > at)
            fprintf(f, "    float padding%d[%lld];\n", ++padding, (long long)(next - at));
    }
    if (!plan->net->weights)
        fprintf(f, "    %sfloat padding%d[%lld];   /* the network has no weights */\n", align, ++padding, (long long)plan->floats);
    fprintf(f, "} %s_params;\n\n", p);
}

static const char *target_text(const Plan *plan)
{
    const Net *net = plan->net;
    if (!net->int_targets)
        return format("n x %lld numbers, as the answer has", (long long)net->targets);
    if (net->targets == 1)
        return format("n class labels, 0 to %lld", (long long)(net->out->shape.c - 1));
    return format("n x %lld class labels (H, W order), 0 to %lld", (long long)net->targets, (long long)(net->out->shape.c - 1));
}

static void put_prototypes(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix, *P = plan->PREFIX;
    fprintf(f, "/* PyTorch's default initialisation; the same seed gives the same weights on every machine. */\n"
               "void %s_init(%s_params *p, uint64_t seed);\n\n", p, p);
    fprintf(f, "/* Inference for n samples, 1 <= n <= %s_BATCH: x is n x %s_INPUT, y gets n x %s_OUTPUT", P, P, P);
    fprintf(f, "%s.\n * x and y must not overlap. */\n", !strcmp(plan->net->last->kind->name, "softmax") ? " probabilities" : "");
    fprintf(f, "void %s_forward(const %s_params *p, %s_work *w, int n, const float *x, float *y);\n\n", p, p, p);
    if (!plan->training.prog)
        return;
    fprintf(f, "/* One training pass for n samples: writes the gradient of the mean loss over g, padding included, and returns\n"
               " * that loss. t: %s.%s%s */\n", target_text(plan),
            plan->net->int_targets ? "\n * A label outside that range makes the loss NaN." : "",
            plan->training.prog->draws ? "\n * Dropout draws from w->rng, which the caller sets once; each call moves it on." : "");
    fprintf(f, "float %s_backward(const %s_params *p, %s_work *w, int n, const float *x, const %s *t, %s_params *g);\n\n",
            p, p, p, plan->net->int_targets ? "int" : "float", p);
}

void emit_header(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const char *p = plan->prefix, *P = plan->PREFIX;
    fprintf(f, "/* The network of %s as C, made by nnc %s.\n *\n", comment_text(net->file), NNC_VERSION);
    fprintf(f, " *     static %s_params p;                         the weights\n", p);
    fprintf(f, " *     static %s_work w;                           scratch memory; one per thread\n", p);
    fprintf(f, " *     %s_init(&p, 1);                             or nn_load(&%s_model, &p, \"file.safetensors\")\n", p, p);
    if (plan->training.prog)
        fprintf(f, " *     loss = %s_backward(&p, &w, n, x, t, &g);    gradients of one batch\n"
                   " *     nn_step(&o, (float *)&p, (const float *)&g, state, %s_FLOATS);\n", p, P);
    fprintf(f, " *     %s_forward(&p, &w, n, x, y);                answers\n *\n", p);
    fprintf(f, " * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers\n"
               " * and may be static, on the heap or in a mapped file, aligned to 64 bytes. */\n");
    fprintf(f, "#ifndef %s_H\n#define %s_H\n\n#include \"nn.h\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", P, P);
    struct { const char *name; int64_t value; const char *text; } sizes[] = {
        {"INPUT", shape_count(net->input), net->input.rank == 3 ? "floats in one sample, C,H,W order" : "floats in one sample"},
        {"OUTPUT", shape_count(net->out->shape), net->out->shape.rank == 3 ? "floats in one answer, C,H,W order" : "floats in one answer"},
        {"TARGETS", net->targets, net->int_targets ? "labels of one sample" : "floats in one sample's target"},
        {"BATCH", net->batch, "the most samples a call may carry"},
        {"PARAMS", net->nparams, "learnable parameters"},
        {"FLOATS", plan->floats, "floats in the weights, padding (always 0) included"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fprintf(f, "#define %s_%-7s %-10lld /* %s */\n", P, sizes[i].name, (long long)sizes[i].value, sizes[i].text);
    fprintf(f, "\n");
    put_params_struct(f, plan);
    fprintf(f, "/* Scratch memory of a call; its contents mean nothing between calls, but for rng. */\ntypedef struct %s_work {\n", p);
    fprintf(f, "    NN_ALIGNED float arena[%lld];\n", (long long)(plan->arena ? plan->arena : 16));
    fprintf(f, "    uint64_t rng;   /* where dropout draws from */\n} %s_work;\n\n", p);
    fprintf(f, "extern const nn_model %s_model;   /* names, sizes and functions, for the runtime */\n\n", p);
    put_prototypes(f, plan);
    fprintf(f, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* ---- The head of net.c -------------------------------------------------------------------------------- */

static const Function *function_of(const Pass *pass, const Layer *layer, bool backward)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->layer == layer && f->backward == backward)
            return f;
    return NULL;
}

static const char *how(const Function *f)
{
    if (!f)
        return "-";
    if (f->unroll == UNROLL_NONE)
        return "loops";
    if (f->unroll == UNROLL_FULL)
        return format("full, %.1f kB", (double)predicted_bytes(f) / 1000);
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->form == FORM_CONTRACTION && k->regions) {
            const Tile *tile = &k->regions->tile;
            char *text = format("tile");
            for (int side = 0; side < 2; side++)
                if (tile->index[side] >= 0)
                    text = format("%s %lld%s", text, (long long)tile->factor[side], k->body->index_name[tile->index[side]]);
            return tile->lane >= 0 ? format("%s lanes %s", text, k->body->index_name[tile->lane]) : text;
        }
    return "tile";
}

static void put_head(FILE *f, const Plan *plan)
{
    static const char *const unrolls[] = {"auto", "full", "tile", "none"};
    const Net *net = plan->net;
    const Options *o = plan->options;
    fprintf(f, "/* The network of %s as C, made by nnc %s with --unroll=%s --target=%s%s.\n", comment_text(net->file), NNC_VERSION,
            unrolls[o->unroll], plan->target->name, o->inference ? " --inference" : "");
    fprintf(f, " * Compile with: cc %s -I<folder of nn.h> -c; link with libnn.a -lm.\n *\n", plan->target->cflags);
    fprintf(f, " * %-12s %-11s %10s %10s  %-22s %s\n", "layer", "output", "parameters", "MACs", "forward", "backward");
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        int64_t params = 0;
        for (int i = 0; i < layer->nweights; i++)
            params += layer->weight[i]->count;
        const Function *forward = function_of(&plan->forward, layer, false), *backward = NULL;
        if (plan->training.prog)
            backward = function_of(&plan->training, layer, true);
        fprintf(f, " * %-12s %-11s %10lld %10lld  %-22s %s\n", layer->name, shape_text(layer->out->shape), (long long)params,
                (long long)(forward ? forward->macs : 0), how(forward), how(backward));
    }
    fprintf(f, " */\n");
}

/* ---- The layers' functions ---------------------------------------------------------------------------------- */

static void put_constant(FILE *f, const Tensor *tensor)
{
    fprintf(f, "static const float %s%s = {", c_name(tensor->name),
            dims_text(tensor->rank, tensor->dim, "[", "][", "]"));
    for (int64_t i = 0; i < tensor->count; i++)
        fprintf(f, "%s%s", i % 8 ? ", " : i ? ",\n    " : "\n    ", c_float(tensor->data[i]));
    fprintf(f, "\n};\n\n");
}

/* The constants that the functions of a pass read by name; both passes have the same ones by the same names. */
static void put_constants(FILE *f, const Plan *plan, const bool *forward, const bool *training)
{
    for (const Tensor *t = plan->forward.prog->tensors; t; t = t->next)
        if (forward[t->id])
            put_constant(f, t);
    for (const Tensor *t = plan->training.prog ? plan->training.prog->tensors : NULL; t; t = t->next) {
        bool done = !training[t->id];
        for (const Tensor *other = plan->forward.prog->tensors; other; other = other->next)
            done |= forward[other->id] && !strcmp(other->name, t->name);
        if (!done)
            put_constant(f, t);
    }
}

static bool any(const Plan *plan, bool (*test)(const Function *))
{
    for (const Pass *pass = &plan->forward; pass; pass = pass == &plan->forward ? &plan->training : NULL)
        for (const Function *f = pass->functions; f; f = f->next)
            if (!f->twin && test(f))
                return true;
    return false;
}

static bool has_vectors(const Function *f)
{
    for (const Kernel *k = f->kernels; k; k = k->next)
        for (const Region *r = k->regions; r; r = r->next)
            if (r->tile.lane >= 0)
                return true;
    return false;
}

static bool has_maxima(const Function *f)
{
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->body && k->body->store == STORE_MAX)
            return true;
    return false;
}

static void put_prelude(FILE *f, const Plan *plan, const char *header_name)
{
    fprintf(f, "#include \"%s\"\n\n#include <math.h>\n#include <string.h>\n\n", header_name);
    fprintf(f, "/* Layers stay functions of their own: gcc 12 -O2 confuses what restrict says of several that it inlines into one\n"
               " * block, and computes wrong numbers. Also, it digests short functions more quickly. */\n"
               "#if defined(__GNUC__)\n#define NOINLINE __attribute__((noinline))\n#else\n#define NOINLINE\n#endif\n\n");
    if (any(plan, has_maxima))
        fprintf(f, "/* A maximum of numbers one of which is NaN is NaN. */\n#define GREATER(v, best) (((v) > (best)) | ((v) != (v)))\n\n");
    if (!any(plan, has_vectors))
        return;
    fprintf(f, "/* %d floats that are worked on together; in memory they may lie at any address. */\n", plan->target->lanes);
    fprintf(f, "typedef float vec __attribute__((vector_size(%d)));\n", 4 * plan->target->lanes);
    fprintf(f, "typedef float vec_memory __attribute__((vector_size(%d), aligned(4), may_alias));\n", 4 * plan->target->lanes);
    fprintf(f, "#define LOAD(a) (*(const vec_memory *)&(a))\n#define STORE(a, v) (*(vec_memory *)&(a) = (v))\n");
    int lanes = plan->target->lanes;
    fprintf(f, "#define ALL(x) ((vec){0} + (x))\n#define SUM(v) (");
    for (int i = 0; i < lanes; i++)
        fprintf(f, "%s(v)[%d]", i ? " + " : "", i);
    fprintf(f, ")\n\n/* The last k lanes of v, and 0 before them: for the end of a row that is no whole number of vectors. */\n"
               "typedef int vec_mask __attribute__((vector_size(%d)));\n#define LAST(k, v) ((vec)((vec_mask)(v) & (vec_mask){", 4 * lanes);
    for (int i = 0; i < lanes; i++)
        fprintf(f, "%s-((k) > %d)", i ? ", " : "", lanes - 1 - i);
    fprintf(f, "}))\n\n");
}

static void put_functions(FILE *f, const Plan *plan, const Pass *pass, bool *tables)
{
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        if (fn->twin)
            continue;
        const Layer *layer = fn->layer;
        const char *shapes = format("%s -> %s", shape_text(layer->in->shape),
                                    layer->out ? shape_text(layer->out->shape) : "a number");
        fprintf(f, "/* %s%s\n * %s: %s, %lld points\n *\n", comment_text(layer->text), fn->backward ? ", backward" : "", shapes,
                how(fn), (long long)fn->terms);
        for (const Statement *s = pass->prog->statements; s; s = s->next)
            if (s->layer == layer && s->backward == fn->backward) {
                fprintf(f, " *     ");
                dump_statement(f, s);
            }
        fprintf(f, " */\n");
        emit_function(f, plan, fn, tables);
    }
}

/* ---- net_forward, net_backward --------------------------------------------------------------------------------- */

/* What a function is called with. Buffers are void pointers and fit every parameter; of the others those that
 * the callee sees with other dimensions need a cast. */
static void put_argument(FILE *f, const Pass *pass, const Function *fn, int i)
{
    const Tensor *tensor = fn->param[i], *root = pass->root[tensor->id];
    bool flat = fn->unroll == UNROLL_FULL || tensor->rank < 2;
    const char *type = tensor->is_int ? "int" : "float";
    switch (root->role) {
    case TENSOR_WEIGHT:
    case TENSOR_GRADIENT:
        fprintf(f, "%s%s->%s", !flat || tensor->rank < 2 ? "" : fn->param_written[i] ? "(float *)" : "(const float *)",
                root->role == TENSOR_WEIGHT ? "p" : "g", c_name(tensor->weight->name));
        break;
    case TENSOR_INPUT:
    case TENSOR_TARGET:
        if (!flat)
            fprintf(f, "(const %s (*)%s)", type, dims_text(tensor->rank - 1, tensor->dim + 1, "[", "][", "]"));
        fprintf(f, "%s", c_name(root->name));
        break;
    case TENSOR_LOSS:
        fprintf(f, "&loss");
        break;
    default:
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

static void put_calls(FILE *f, const Plan *plan, const Pass *pass)
{
    const char *P = plan->PREFIX;
    fprintf(f, "    for (int s = 0; s < n; s++) {\n");
    if (touches(pass, TENSOR_INPUT))
        fprintf(f, "        const float *const input = x + (size_t)s * %s_INPUT;\n", P);
    if (touches(pass, TENSOR_OUTPUT))
        fprintf(f, "        void *const %s = y + (size_t)s * %s_OUTPUT;\n", c_name(pass->prog->y->name), P);
    if (touches(pass, TENSOR_TARGET))
        fprintf(f, "        const %s *const target = t + (size_t)s * %s_TARGETS;\n",
                plan->net->int_targets ? "int" : "float", P);
    if (pass->prog->draws)
        fprintf(f, "        const uint64_t rng = w->rng + (uint64_t)s * %lldu * NN_GAMMA;\n", (long long)pass->prog->draws);
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        int column = fprintf(f, "        %s(", fn->name);
        const char *separator = "";
        char *text = NULL;
        size_t size = 0;
        for (int i = 0; i < fn->nparams; i++) {
            FILE *memory = open_memstream(&text, &size);
            if (!memory)
                fail("out of memory");
            put_argument(memory, pass, fn, i);
            fclose(memory);
            bool wrap = column + (int)size > 114;
            column = wrap ? 12 + (int)size : column + (int)size + 2;
            fprintf(f, "%s%s%s", separator, wrap ? "\n            " : *separator ? " " : "", text);
            free(text);
            separator = ",";
        }
        if (fn->uses_random)
            fprintf(f, "%s rng", separator), separator = ",";
        if (fn->uses_mean)
            fprintf(f, "%s mean", separator);
        fprintf(f, ");\n");
    }
    fprintf(f, "    }\n");
}

static void put_buffers(FILE *f, const Pass *pass)
{
    for (const Buffer *b = pass->buffers; b; b = b->next)
        fprintf(f, "    void *const %s = w->arena + %lld;   /* %s */\n", c_name(b->tensor->name), (long long)b->offset,
                b->tensor->rank ? dims_text(b->tensor->rank, b->tensor->dim, "", "x", "") : "1");
}

static void put_unused(FILE *f, const Pass *pass, bool uses_w)
{
    if (!touches(pass, TENSOR_INPUT))
        fprintf(f, "    (void)x;\n");
    if (!touches(pass, TENSOR_WEIGHT))
        fprintf(f, "    (void)p;\n");
    if (!pass->buffers && !uses_w)
        fprintf(f, "    (void)w;\n");
}

static void put_forward(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    fprintf(f, "void %s_forward(const %s_params *p, %s_work *w, int n, const float *x, float *y)\n{\n", p, p, p);
    put_buffers(f, &plan->forward);
    put_unused(f, &plan->forward, false);
    put_calls(f, plan, &plan->forward);
    fprintf(f, "}\n\n");
}

static bool uses_mean(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_mean)
            return true;
    return false;
}

static void put_backward(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    const Pass *pass = &plan->training;
    fprintf(f, "float %s_backward(const %s_params *p, %s_work *w, int n, const float *x, const %s *t, %s_params *g)\n{\n", p, p, p,
            plan->net->int_targets ? "int" : "float", p);
    put_buffers(f, pass);
    if (uses_mean(pass))
        fprintf(f, "    const float mean = 1.0f / (float)n;\n");
    fprintf(f, "    float loss = 0.0f;\n");
    put_unused(f, pass, pass->prog->draws > 0);
    fprintf(f, "    memset(g, 0, sizeof *g);\n");
    put_calls(f, plan, pass);
    if (pass->prog->draws)
        fprintf(f, "    w->rng += (uint64_t)n * %lldu * NN_GAMMA;\n", (long long)pass->prog->draws);
    fprintf(f, "    return loss;\n}\n\n");
}

/* ---- net_init, net_model --------------------------------------------------------------------------------------------- */

static void put_model(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const char *p = plan->prefix, *P = plan->PREFIX;
    if (net->weights) {
        fprintf(f, "static const nn_tensor %s_tensors[] = {\n", p);
        for (const Weight *w = net->weights; w; w = w->next)
            fprintf(f, "    {\"%s\", %d, {%s}, %lld, %lld, %s, %s},\n", w->name, w->rank, dims_text(w->rank, w->dim, "", ", ", ""),
                    (long long)w->offset, (long long)w->count, c_float(w->low), c_float(w->high));
        fprintf(f, "};\n\n");
    }
    fprintf(f, "static void %s_model_forward(const void *params, void *work, int n, const float *x, float *y)\n{\n"
               "    %s_forward(params, work, n, x, y);\n}\n\n", p, p);
    if (plan->training.prog)
        fprintf(f, "static float %s_model_backward(void *params, void *work, int n, const float *x, const void *t, void *gradients)\n"
                   "{\n    return %s_backward(params, work, n, x, t, gradients);\n}\n\n"
                   "static void %s_model_set_rng(void *work, uint64_t rng)\n{\n    ((%s_work *)work)->rng = rng;\n}\n\n", p, p, p, p);
    fprintf(f, "const nn_model %s_model = {\n    .name = \"%s\",\n", p, p);
    fprintf(f, "    .input_shape = {%lld, %lld, %lld},\n", (long long)net->input.c, (long long)net->input.h, (long long)net->input.w);
    fprintf(f, "    .input = %s_INPUT,\n    .output = %s_OUTPUT,\n    .targets = %s_TARGETS,\n    .int_targets = %d,\n", P, P, P,
            net->int_targets);
    fprintf(f, "    .batch = %s_BATCH,\n    .params = %s_PARAMS,\n    .floats = %s_FLOATS,\n", P, P, P);
    fprintf(f, "    .params_bytes = sizeof(%s_params),\n    .work_bytes = sizeof(%s_work),\n", p, p);
    fprintf(f, "    .ntensors = %d,\n    .tensors = %s,\n", net->nweights,
            net->weights ? format("%s_tensors", p) : "NULL");
    bool trains = plan->training.prog;
    fprintf(f, "    .forward = %s_model_forward,\n    .backward = %s,\n    .set_rng = %s,\n};\n\n", p,
            trains ? format("%s_model_backward", p) : "NULL", trains ? format("%s_model_set_rng", p) : "NULL");
    fprintf(f, "void %s_init(%s_params *p, uint64_t seed)\n{\n    nn_init(&%s_model, p, seed);\n}\n", p, p, p);
}

void emit_source(FILE *f, const Plan *plan, const char *header_name)
{
    put_head(f, plan);
    put_prelude(f, plan, header_name);
    bool *forward = NEW_ARRAY(bool, plan->forward.prog->ntensors), *training = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *functions = open_memstream(&text, &size);
    if (!functions)
        fail("out of memory");
    put_functions(functions, plan, &plan->forward, forward);
    if (plan->training.prog) {
        training = NEW_ARRAY(bool, plan->training.prog->ntensors);
        put_functions(functions, plan, &plan->training, training);
    }
    if (fclose(functions))
        fail("out of memory");
    put_constants(f, plan, forward, training);
    fwrite(text, 1, size, f);
    free(text);
    put_forward(f, plan);
    if (plan->training.prog)
        put_backward(f, plan);
    put_model(f, plan);
}
