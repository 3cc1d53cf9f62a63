/* header.c: Plan to net.h, the manual of its network: sizes, types, functions, who owns what. */
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

static const char *weight_shape(const Weight *w)
{
    return dims_text(w->rank, w->dim, "[", ", ", "]");
}

static const char *weight_arrays(const Weight *w)
{
    return dims_text(w->array->rank, w->array->room, "[", "][", "]");
}

/* ---- net.h ----------------------------------------------------------------------------------- */

static const Weight *next_weight(const Weight *w, bool statistic)
{
    while (w && w->statistic != statistic)
        w = w->next;
    return w;
}

/* net_backward writes to the weights it is given where it keeps statistics. */
const char *const_of_params(const Pass *pass, const Plan *plan)
{
    bool keeps = pass->prog->training && !pass->prog->answers && next_weight(plan->net->weights, true);
    return keeps ? "" : "const ";
}

const char *backward_const(const Plan *plan)
{
    return const_of_params(&plan->training, plan);
}

const char *backward_text(const Plan *plan)
{
    const char *p = plan->prefix;
    const Net *net = plan->net;
    const char *head = format("%s %s_backward(%s%s_params *p, %s_work *w, int n, const float *x",
                              net->from_caller ? "void" : "float", p, backward_const(plan), p, p);
    if (net->from_caller)
        return format("%s, const float *dy, %s_params *g, float *dx)", head, p);
    return format("%s, const %s *t, %s_params *g)", head, net->int_targets ? "int" : "float", p);
}

/* Where net_prepare makes something of the weights, what is loaded and what is made of it lie in the same
 * memory. */
static void put_prepared_struct(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    fprintf(f,
            "/* Weights: as they were loaded, each where nn_place says, until %s_prepare has computed from "
            "them what\n"
            " * %s_forward reads, and written that over them. Loaded are:\n *\n",
            p, p);
    for (const Weight *w = plan->net->weights; w; w = w->next)
        fprintf(f, " *     %s %s\n", w->name, weight_shape(w));
    fprintf(f, " */\ntypedef struct %s_params {\n    NN_ALIGNED float weights[%s_FLOATS];\n} %s_params;\n\n",
            p, plan->PREFIX, p);
}

static void put_params_struct(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    if (plan->forward.prepared) {
        put_prepared_struct(f, plan);
        return;
    }
    if (plan->training.prog)
        fprintf(f,
                "/* Weights, as plain arrays in this order. The gradients that %s_backward writes have the "
                "same type, so an\n"
                " * optimizer takes both as %s_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, "
                "state, %s_FLOATS). */\n",
                p, plan->PREFIX, plan->PREFIX);
    else
        fprintf(f, "/* Weights, as plain arrays in this order. */\n");
    fprintf(f, "typedef struct %s_params {\n", p);
    int padding = 0;
    const char *align = "NN_ALIGNED ";
    for (int statistics = 0; statistics < 2; statistics++) {
        const Weight *w = next_weight(plan->net->weights, statistics);
        if (statistics && w)
            fprintf(f, "    /* Running statistics, %s: */\n",
                    plan->training.prog ? format("which %s_backward updates and no optimizer changes", p)
                                        : "as training left them");
        for (const Weight *next; w; w = next) {
            next = next_weight(w->next, statistics);
            fprintf(f, "    %sfloat %s%s;   /* %s %s */\n", align, c_name(w->name), weight_arrays(w), w->name,
                    weight_shape(w));
            align = "";
            int64_t at = w->offset + w->array->floats;
            int64_t end = next ? next->offset : statistics ? plan->all_floats : plan->floats;
            if (end > at)
                fprintf(f, "    float padding%d[%lld];\n", ++padding, (long long)(end - at));
        }
        if (!statistics && !next_weight(plan->net->weights, false))
            fprintf(f, "    %sfloat padding%d[%lld];   /* the network has no parameters */\n", align,
                    ++padding, (long long)plan->floats);
        align = "";
    }
    fprintf(f, "} %s_params;\n\n", p);
}

static const char *target_text(const Plan *plan)
{
    const Net *net = plan->net;
    if (!net->int_targets)
        return format("n x %lld numbers, one for each output", (long long)net->targets);
    if (net->targets == 1)
        return format("n class labels, 0 to %lld", (long long)(net->out->shape.c - 1));
    return format("n x %lld class labels (H, W order), 0 to %lld", (long long)net->targets,
                  (long long)(net->out->shape.c - 1));
}

/* What is said of statistics and dropout, in both kinds of training. */
static void put_notes(FILE *f, const Plan *plan)
{
    const int64_t least = least_samples(plan->training.prog);
    if (plan->training.prog->draws)
        fprintf(f, "\n * Dropout draws from w->rng, which the caller sets once; each call moves it on.");
    fprintf(f, "\n * With w->add 1 the gradient is added to what g holds.");
    if (!*backward_const(plan))
        fprintf(f, "\n * It also updates the running statistics in p.%s",
                least == 1 ? ""
                           : " The variance of one sample alone is none, so that\n * a rest of one sample at "
                             "the end of an epoch has to be left out or joined with others, as in PyTorch.");
    fprintf(f, " */\n%s;\n\n", backward_text(plan));
}

/* Where the caller gives the gradient of the answer. */
static void put_from_caller(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix, *P = plan->PREFIX;
    const int64_t least = least_samples(plan->training.prog);
    fprintf(f,
            "/* The answers as in training for n samples, %lld <= n <= %s_BATCH: dropout drops, and\n"
            " * batchnorm takes the statistics of these samples. It moves neither w->rng nor running\n"
            " * statistics, so that %s_backward, called with the same p, w, n and x, works on the same\n"
            " * answers. */\n"
            "void %s_forward_train(const %s_params *p, %s_work *w, int n, const float *x, float *y);\n\n",
            (long long)least, P, p, p, p, p);
    fprintf(f,
            "/* One training pass for n samples, %lld <= n <= %s_BATCH: forward as %s_forward_train does,\n"
            " * then backward from dy, n x %s_OUTPUT floats: the gradient, with respect to the answers, of\n"
            " * what is minimised, undivided. It writes the gradient of the weights over g (sizeof *g bytes\n"
            " * with padding) and that of x over dx, n x %s_INPUT floats, which must not overlap x or dy. g\n"
            " * and dx may be NULL: not wanted.",
            (long long)least, P, p, P, P);
    put_notes(f, plan);
}

static void put_prototypes(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix, *P = plan->PREFIX;
    fprintf(f,
            "/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every "
            "machine. */\n"
            "void %s_init(%s_params *p, uint64_t seed);\n\n",
            p, p);
    if (plan->forward.prepared)
        fprintf(f,
                "/* Computes from the weights what %s_forward reads, in their place. %s_init and nn_load "
                "call it.\n"
                " * To write weights in another way, clear the whole %s_params, write all tensors (nn_set), "
                "then call it\n"
                " * once; before that %s_forward gives NaN. Afterwards what was loaded is gone: nn_set, "
                "nn_get and\n"
                " * nn_save give an error. To call it again does nothing. */\n"
                "void %s_prepare(%s_params *p);\n\n",
                p, p, p, p, p, p);
    fprintf(f,
            "/* Inference for n samples, 1 <= n <= %s_BATCH: x is n x %s_INPUT floats, y gets n x %s_OUTPUT",
            P, P, P);
    fprintf(f, "%s.\n * x and y must not overlap. */\n",
            plan->net->out->producer->kind->probabilities ? " probabilities" : "");
    fprintf(f, "void %s_forward(const %s_params *p, %s_work *w, int n, const float *x, float *y);\n\n", p, p,
            p);
    if (!plan->training.prog)
        return;
    if (plan->net->from_caller) {
        put_from_caller(f, plan);
        return;
    }
    const int64_t least = least_samples(plan->training.prog);
    fprintf(f,
            "/* One training pass for n samples, %lld <= n <= %s_BATCH: writes the gradient of their mean "
            "loss over g (sizeof *g bytes,\n"
            " * padding included), and returns that loss. x is n x %s_INPUT floats; t: %s.%s",
            (long long)least, P, P, target_text(plan),
            plan->net->int_targets ? "\n * A label outside that range makes the loss NaN." : "");
    put_notes(f, plan);
}

/* Where each of several inputs, or answers, lies within a sample. */
static void put_part_sizes(FILE *f, const char *P, const char *what, const Part *parts)
{
    int width = 0;
    for (const Part *part = parts; part; part = part->next)
        width = (int)strlen(part->label) > width ? (int)strlen(part->label) : width;
    for (const Part *part = parts; part; part = part->next) {
        fprintf(f, "#define %s_%s_%-*s %-10lld /* its floats in each sample, %s, */\n", P, what, width,
                part->label, (long long)shape_count(part->value->shape), shape_text(part->value->shape));
        fprintf(f, "#define %s_AT_%-*s %-10lld /* which begin here */\n", P, width + (int)strlen(what) - 2,
                part->label, (long long)part->at);
    }
}

static void put_header(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const char *p = plan->prefix, *P = plan->PREFIX;
    fprintf(f, "/* The network of %s as C, made by nnc %s.\n *\n", comment_text(net->file), NNC_VERSION);
    fprintf(f, " *     static %s_params p;                         the weights\n", p);
    fprintf(f, " *     static %s_work w;                           scratch memory; one per thread\n", p);
    fprintf(f,
            " *     %s_init(&p, 1);                             or nn_load(&%s_model, &p, "
            "\"file.safetensors\")\n",
            p, p);
    if (plan->training.prog && net->from_caller)
        fprintf(f, " *     %s_forward_train(&p, &w, n, x, y);          answers, of which dy is worked out\n"
                   " *     %s_backward(&p, &w, n, x, dy, &g, NULL);    gradients of one batch\n", p, p);
    else if (plan->training.prog)
        fprintf(f, " *     loss = %s_backward(&p, &w, n, x, t, &g);    gradients of one batch\n", p);
    if (plan->training.prog)
        fprintf(f, " *     nn_step(&o, (float *)&p, (const float *)&g, state, %s_FLOATS);\n", P);
    fprintf(f, " *     %s_forward(&p, &w, n, x, y);                answers\n *\n", p);
    fprintf(f,
            " * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types "
            "hold no pointers\n"
            " * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: "
            "malloc does not see to that, but\n"
            " *\n"
            " *     %s_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h\n"
            " *     %s_params *p = %-31sC++17; C++11: alignas(64) char memory[sizeof(%s_params)]\n"
            " *\n"
            " * does. No pointer may be NULL. A call with one, with memory that is not aligned, or with an n "
            "outside its bounds prints\n"
            " * what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead, "
            "-DNDEBUG has nothing checked. */\n",
            p, p, format("new %s_params;", p), p);
    fprintf(f, "#ifndef %s_H\n#define %s_H\n\n#include \"nn.h\"\n\n", P, P);
    fprintf(f,
            "#if !defined(NN_INTERFACE) || NN_INTERFACE != %d\n#error \"this file was made by nnc %s, but "
            "nn.h is of another \\\n"
            "version: have this file made anew, or give -I with the folder of that nnc's nn.h\"\n#endif\n\n",
            NNC_INTERFACE, NNC_VERSION);
    fprintf(f, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    struct { const char *name; int64_t value; const char *text;
    } sizes[] = {
        {"INPUT", shape_count(net->input),
         net->input.rank == 3 ? "floats in one sample, C,H,W order" : "floats in one sample"},
        {"OUTPUT", shape_count(net->out->shape),
         net->out->shape.rank == 3 ? "floats in one answer, C,H,W order" : "floats in one answer"},
        {"TARGETS", net->targets,
         net->from_caller   ? NULL
         : net->int_targets ? "labels of one sample"
                            : "floats in one sample's target"},
        {"BATCH", net->batch, "maximum number of samples in a call"},
        {"PARAMS", net->nparams, "learnable parameters"},
        {"FLOATS", plan->floats,
         plan->forward.prepared ? "floats in the weights and in what is made of them"
                                : "floats in the weights, padding (always 0) included"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].text)
            fprintf(f, "#define %s_%-7s %-10lld /* %s */\n", P, sizes[i].name, (long long)sizes[i].value,
                    sizes[i].text);
    put_part_sizes(f, P, "INPUT", net->inputs);
    put_part_sizes(f, P, "OUTPUT", net->answers);
    fprintf(f, "\n");
    put_params_struct(f, plan);
    fprintf(f, "/* Scratch memory of a call%s */\ntypedef struct %s_work {\n",
            plan->training.prog ? ", of which only rng and add mean something between calls. Clear a new "
                                  "one, as static and calloc do."
                                : "; it needs no first value.",
            p);
    fprintf(f, "    NN_ALIGNED float arena[%lld];\n", (long long)(plan->arena ? plan->arena : 16));
    fprintf(f, "    uint64_t rng;   /* where dropout draws from */\n");
    if (plan->training.prog)
        fprintf(f, "    int add;        /* 1: %s_backward adds to g instead of writing over it */\n", p);
    fprintf(f, "} %s_work;\n\n", p);
    fprintf(f, "extern const nn_model %s_model;   /* names, sizes and functions, for the runtime */\n\n", p);
    put_prototypes(f, plan);
    fprintf(f, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

void emit_header(FILE *f, const Plan *plan)
{
    TextStream header;
    put_header(open_text(&header), plan);
    close_text(&header);
    put_lines(f, &header);
}
