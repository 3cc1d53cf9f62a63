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
    return dims_text(w->array->rank, w->array->room, "[", "][", "]");
}

/* ---- Long lines -------------------------------------------------------------------------------------------------------- */

enum { COLUMNS = 130, LEAST_PIECE = 16, NO_BREAK = 1 << 30 };

/* How little a line should end before c, with so many parentheses open there; a bracket counts as three. */
static int cost_of_break(const char *c, int open)
{
    static const struct { const char *text; int cost; } operators[] = {
        {"for ", -1}, {"? ", 0}, {": ", 0}, {"+ ", 1}, {"- ", 1}, {"<= ", 2}, {"== ", 2}, {"* ", 3}, {"/ ", 3},
    };
    if (c[-1] == ' ' && c[-2] == ',')
        return 4 * open;
    if (c[-1] == ' ' && c[-2] == '=')
        return 4 * open + 5;
    for (size_t i = 0; c[-1] == ' ' && i < sizeof operators / sizeof *operators; i++)
        if (!strncmp(c, operators[i].text, strlen(operators[i].text)))
            return 4 * open + operators[i].cost;
    return NO_BREAK;
}

/* A line of C or of a comment; too long a one goes on in the next, farther in. Strings stay whole. */
static void put_line(FILE *f, const char *line, int length)
{
    const char *c = line, *end = line + length;
    bool begins = !strncmp(line, "/*", 2), comment = begins || !strncmp(line, " *", 2);
    int margin = begins ? 3 : 2 * comment + (int)strspn(line + 2 * comment, " ") + 8;
    int room = COLUMNS, open = 0, least_piece = margin + LEAST_PIECE;
    while (end - line > room) {
        const char *best = NULL;
        int least = NO_BREAK, open_there = 0;
        bool quoted = false;
        for (c = line; c <= line + room + 1 && c < end; c++) {
            int cost = quoted || c - line < least_piece ? NO_BREAK : cost_of_break(c, open);
            if (cost <= least && cost < NO_BREAK) {
                best = c;
                least = cost;
                open_there = open;
            }
            quoted ^= *c == '"' && !comment;
            open += (*c == '(' || *c == '{') - (*c == ')' || *c == '}') + 3 * (*c == '[') - 3 * (*c == ']');
        }
        if (!best)
            break;
        for (c = best; c[-1] == ' ';)
            c--;
        fprintf(f, "%.*s\n%-*s", (int)(c - line), line, margin, comment ? " *" : "");
        line = best;
        open = open_there;
        room = COLUMNS - margin;
        least_piece = LEAST_PIECE;
    }
    fprintf(f, "%.*s\n", (int)(end - line), line);
}

/* The lines of what was printed to memory. Frees it. */
static void put_lines(FILE *f, TextStream *memory)
{
    for (const char *line = memory->text, *end; (end = strchr(line, '\n')); line = end + 1)
        put_line(f, line, (int)(end - line));
    free(memory->text);
}

/* ---- net.h ------------------------------------------------------------------------------------------ */

static const Weight *next_weight(const Weight *w, bool statistic)
{
    while (w && w->statistic != statistic)
        w = w->next;
    return w;
}

/* net_backward writes to the weights it is given where it keeps statistics. */
static const char *const_of_params(const Pass *pass, const Plan *plan)
{
    return pass->prog->training && next_weight(plan->net->weights, true) ? "" : "const ";
}

static const char *backward_const(const Plan *plan)
{
    return const_of_params(&plan->training, plan);
}

/* Where net_prepare makes something of the weights, what is loaded and what is made of it lie in the same memory. */
static void put_prepared_struct(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    fprintf(f, "/* Weights: as they were loaded, each where nn_place says, until %s_prepare has computed from them what\n"
               " * %s_forward reads, and written that over them. Loaded are:\n *\n", p, p);
    for (const Weight *w = plan->net->weights; w; w = w->next)
        fprintf(f, " *     %s %s\n", w->name, weight_shape(w));
    fprintf(f, " */\ntypedef struct %s_params {\n    NN_ALIGNED float weights[%s_FLOATS];\n} %s_params;\n\n", p, plan->PREFIX, p);
}

static void put_params_struct(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    if (plan->forward.prepared) {
        put_prepared_struct(f, plan);
        return;
    }
    if (plan->training.prog)
        fprintf(f, "/* Weights, as plain arrays in this order. The gradients that %s_backward writes have the same type, so an\n"
                   " * optimizer takes both as %s_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, %s_FLOATS). */\n",
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
            fprintf(f, "    %sfloat %s%s;   /* %s %s */\n", align, c_name(w->name), weight_arrays(w), w->name, weight_shape(w));
            align = "";
            int64_t at = w->offset + w->array->floats;
            int64_t end = next ? next->offset : statistics ? plan->all_floats : plan->floats;
            if (end > at)
                fprintf(f, "    float padding%d[%lld];\n", ++padding, (long long)(end - at));
        }
        if (!statistics && !next_weight(plan->net->weights, false))
            fprintf(f, "    %sfloat padding%d[%lld];   /* the network has no parameters */\n", align, ++padding, (long long)plan->floats);
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
    return format("n x %lld class labels (H, W order), 0 to %lld", (long long)net->targets, (long long)(net->out->shape.c - 1));
}

static void put_prototypes(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix, *P = plan->PREFIX;
    fprintf(f, "/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */\n"
               "void %s_init(%s_params *p, uint64_t seed);\n\n", p, p);
    if (plan->forward.prepared)
        fprintf(f, "/* Computes from the weights what %s_forward reads, in their place. %s_init and nn_load call it.\n"
                   " * To write weights in another way, clear the whole %s_params, write all tensors (nn_set), then call it\n"
                   " * once; before that %s_forward gives NaN. Afterwards what was loaded is gone: nn_set, nn_get and\n"
                   " * nn_save give an error. To call it again does nothing. */\n"
                   "void %s_prepare(%s_params *p);\n\n", p, p, p, p, p, p);
    fprintf(f, "/* Inference for n samples, 1 <= n <= %s_BATCH: x is n x %s_INPUT floats, y gets n x %s_OUTPUT", P, P, P);
    fprintf(f, "%s.\n * x and y must not overlap. */\n", !strcmp(plan->net->out->producer->kind->name, "softmax") ? " probabilities" : "");
    fprintf(f, "void %s_forward(const %s_params *p, %s_work *w, int n, const float *x, float *y);\n\n", p, p, p);
    if (!plan->training.prog)
        return;
    const int64_t least = least_samples(plan->training.prog);
    fprintf(f, "/* One training pass for n samples, %lld <= n <= %s_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,\n"
               " * padding included), and returns that loss. x is n x %s_INPUT floats; t: %s.%s%s", (long long)least, P, P, target_text(plan),
            plan->net->int_targets ? "\n * A label outside that range makes the loss NaN." : "",
            plan->training.prog->draws ? "\n * Dropout draws from w->rng, which the caller sets once; each call moves it on." : "");
    if (!*backward_const(plan))
        fprintf(f, "\n * It also updates the running statistics in p.%s", least == 1 ? "" :
                " The variance of one sample alone is none, so that\n * a rest of one sample at the end of an epoch has to be left out or joined with others, as in PyTorch.");
    fprintf(f, " */\n");
    fprintf(f, "float %s_backward(%s%s_params *p, %s_work *w, int n, const float *x, const %s *t, %s_params *g);\n\n",
            p, backward_const(plan), p, p, plan->net->int_targets ? "int" : "float", p);
}

static void put_header(FILE *f, const Plan *plan)
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
               " * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but\n"
               " *\n"
               " *     %s_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h\n"
               " *     %s_params *p = %-31sC++17; C++11: alignas(64) char memory[sizeof(%s_params)]\n"
               " *\n"
               " * does. No pointer may be NULL. A call with one, with memory that is not aligned, or with an n outside its bounds prints\n"
               " * what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead, -DNDEBUG has nothing checked. */\n",
            p, p, format("new %s_params;", p), p);
    fprintf(f, "#ifndef %s_H\n#define %s_H\n\n#include \"nn.h\"\n\n", P, P);
    fprintf(f, "#if !defined(NN_INTERFACE) || NN_INTERFACE != %d\n#error \"this file was made by nnc %s, but nn.h is of another \\\n"
               "version: have this file made anew, or give -I with the folder of that nnc's nn.h\"\n#endif\n\n",
            NNC_INTERFACE, NNC_VERSION);
    fprintf(f, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    struct { const char *name; int64_t value; const char *text; } sizes[] = {
        {"INPUT", shape_count(net->input), net->input.rank == 3 ? "floats in one sample, C,H,W order" : "floats in one sample"},
        {"OUTPUT", shape_count(net->out->shape), net->out->shape.rank == 3 ? "floats in one answer, C,H,W order" : "floats in one answer"},
        {"TARGETS", net->targets, net->int_targets ? "labels of one sample" : "floats in one sample's target"},
        {"BATCH", net->batch, "maximum number of samples in a call"},
        {"PARAMS", net->nparams, "learnable parameters"},
        {"FLOATS", plan->floats, plan->forward.prepared ? "floats in the weights and in what is made of them"
                                                        : "floats in the weights, padding (always 0) included"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fprintf(f, "#define %s_%-7s %-10lld /* %s */\n", P, sizes[i].name, (long long)sizes[i].value, sizes[i].text);
    fprintf(f, "\n");
    put_params_struct(f, plan);
    fprintf(f, "/* Scratch memory of a call; it needs no first value. Between calls only rng keeps its value. */\ntypedef struct %s_work {\n", p);
    fprintf(f, "    NN_ALIGNED float arena[%lld];\n", (long long)(plan->arena ? plan->arena : 16));
    fprintf(f, "    uint64_t rng;   /* where dropout draws from */\n} %s_work;\n\n", p);
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

/* ---- The head of net.c -------------------------------------------------------------------------------- */

/* The loss, if it does the layer's work in training: that of a softmax, which it takes the logits of. */
static const Layer *absorbed_by(const Net *net, const Layer *layer)
{
    return layer->out == net->out && layer->in == net->loss_in ? net->loss : NULL;
}

static const char *tile_text(const Statement *s, const Tile *tile)
{
    char *text = format("tile");
    for (int i = 0; i < output_indices(s); i++)
        if (i != tile->lane && tile->factor[i] > 1)
            text = format("%s %lld%s", text, (long long)tile->factor[i], s->index_name[i]);
    return tile->lane >= 0 ? format("%s %lldx%d%s", text, (long long)tile->factor[tile->lane], tile->width, s->index_name[tile->lane])
                           : text;
}

static const char *full_text(int64_t bytes)
{
    return bytes < 1000 ? format("full, %lld bytes", (long long)bytes) : format("full, %.1f kB", (double)bytes / 1000);
}

static const char *how_function(const Function *f)
{
    if (f->unroll == UNROLL_NONE)
        return "loops";
    if (f->unroll == UNROLL_FULL)
        return full_text(predicted_bytes(f));
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->form == FORM_CONTRACTION && k->regions) {
            const char *tile = tile_text(k->body, &k->regions->tile);
            const char *blocks = k->blocks ? format(", %lld blocks", (long long)k->blocks) : "";
            const char *taps = k->compact ? ", taps as loops" : "";
            return k->body->method ? format("%s, %s%s", k->body->method, tile, blocks) : format("%s%s%s", tile, blocks, taps);
        }
    return "tile";
}

/* The functions of a layer and direction, those in full as one, or the one that takes its value out of a register. */
static const char *how(const Pass *pass, const Layer *layer, bool backward)
{
    const char *text = NULL, *last = "";
    int64_t full = 0;
    const int at = 2 * layer->id + backward;
    for (const Function *f = pass->functions ? pass->of_layer[at] : NULL; f; f = f->same_layer) {
        const char *one = how_function(f);
        if (f->unroll == UNROLL_FULL)
            full += predicted_bytes(f);
        else if (strcmp(one, last))
            text = text ? format("%s; %s", text, last = one) : (last = one);
    }
    if (full)
        text = text ? format("%s; %s", full_text(full), text) : full_text(full);
    const Layer *loss = pass->prog && pass->prog->training ? absorbed_by(pass->prog->net, layer) : NULL;
    const Function *host = text || !pass->functions ? NULL : pass->host[2 * (loss ? loss : layer)->id + backward];
    if (text || host)
        return text ? text : format("in %s", host->name);
    for (const Folded *fold = pass->prog ? pass->prog->folded : NULL; fold; fold = fold->next)
        if (fold->layer == layer)
            return format("folded into %s", fold->into->name);
    return "-";
}

static int max_width(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

/* The table of layers has a column for each of these: TRAINING, which is its forward pass, where that is not like FORWARD. */
enum { FORWARD, TRAINING, BACKWARD, NPASSES };

typedef struct Column {
    const char *title;
    bool shown;
    int width;
} Column;

static const char *how_in(const Plan *plan, const Layer *layer, int pass)
{
    return how(pass == FORWARD ? &plan->forward : &plan->training, layer, pass == BACKWARD);
}

/* Has the layer another form in training than in inference? That it runs in a function of another name is none. */
static bool trains_otherwise(const Plan *plan, const Layer *layer)
{
    const char *forward = how_in(plan, layer, FORWARD), *training = how_in(plan, layer, TRAINING);
    bool hosted = !strncmp(forward, "in ", 3) && !strncmp(training, "in ", 3);
    return strcmp(training, "-") && strcmp(training, forward) && !hosted;
}

/* The columns at the end of a row. layer NULL: their titles. */
static void put_columns(FILE *f, const Plan *plan, const Column *columns, const Layer *layer)
{
    int space = 2;
    for (int i = 0; i < NPASSES; i++) {
        if (!columns[i].shown)
            continue;
        const char *text = layer ? how_in(plan, layer, i) : columns[i].title;
        fprintf(f, "%*s%s", space, "", text);
        space = columns[i].width + 2 - (int)strlen(text);
    }
    fprintf(f, "\n");
}

static void put_layers(FILE *f, const Plan *plan)
{
    const bool trains = plan->training.prog;
    Column columns[NPASSES] = {{"forward", true, 22}, {"training", false, 8}, {"backward", trains, 8}};
    int name = 12, output = 11;
    for (const Layer *layer = plan->net->layers; layer; layer = layer->next) {
        name = max_width(name, layer->name);
        output = max_width(output, shape_text(layer->out->shape));
        for (int i = 0; i < NPASSES; i++)
            columns[i].width = max_width(columns[i].width, how_in(plan, layer, i));
        columns[TRAINING].shown |= trains && trains_otherwise(plan, layer);
    }
    fprintf(f, " * %-*s %-*s %10s %10s", name, "layer", output, "output", "parameters", "MACs");
    put_columns(f, plan, columns, NULL);
    for (const Layer *layer = plan->net->layers; layer; layer = layer->next) {
        const Function *forward = plan->forward.of_layer[2 * layer->id];
        fprintf(f, " * %-*s %-*s %10lld %10lld", name, layer->name, output, shape_text(layer->out->shape),
                (long long)parameters_of(layer), (long long)(forward ? forward->macs : 0));
        put_columns(f, plan, columns, layer);
    }
}

static void put_head(FILE *f, const Plan *plan)
{
    static const char *const unrolls[] = {"auto", "full", "tile", "none"};
    const Net *net = plan->net;
    const Options *o = plan->options;
    static const char *const maths[] = {"", " --math=direct", " --math=winograd"};
    static const char *const lanes[] = {"", " --lanes=channels", " --lanes=samples"};
    const char *math = o->filter ? format(" --math=%s", o->filter) : maths[o->math];
    const char *tile = o->tile_rows ? format(" --tile=%dx%d", o->tile_rows, o->tile_vectors) : "";
    const char *blocks = o->blocks ? format(" --blocks=%d", o->blocks) : "";
    fprintf(f, "/* The network of %s as C, made by nnc %s with --unroll=%s --target=%s%s%s%s%s%s.\n", comment_text(net->file), NNC_VERSION,
            unrolls[o->unroll], plan->target->name, math, lanes[o->lanes], tile, blocks, o->inference ? " --inference" : "");
    fprintf(f, " * Compile with: cc %s -I<folder of nn.h> -c; link with libnn.a -lm.\n", plan->target->cflags);
    if (plan->training.samples)
        fprintf(f, " * Training takes %lld samples at once, one in each lane of a vector.\n", (long long)plan->training.samples);
    fprintf(f, " *\n");
    put_layers(f, plan);
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

/* ---- What the functions call by name ------------------------------------------------------------------------- */

static void put_lanes(FILE *f, int lanes, const char *text)
{
    for (int i = 0; i < lanes; i++)
        fprintf(f, "%s%s", i ? ", " : "", text ? text : format("%d", i));
}

/* What stands behind the names of what a pass's vectors are: their size, where the plan has another. */
static const char *kind_of(const Plan *plan, const Pass *pass)
{
    return pass->target && pass->target->lanes != plan->target->lanes ? format("%d", pass->target->lanes) : "";
}

static void put_of_lanes(FILE *f, const char *kind, const char *macro, const char *function)
{
    fprintf(f, "#define %s%s(v) __extension__({ const vec%s v_ = (v); %s%s((const float *)&v_); })\n\n", macro, kind, kind, function,
            *kind ? kind : "_lanes");
}

/* Macros, since a function that takes or returns a vector wider than the machine's makes C compilers talk. */
static void put_vectors(FILE *f, int lanes, const char *kind, const Uses *uses)
{
    fprintf(f, "/* %d floats that are worked on together; in memory they may lie at any address. */\n", lanes);
    fprintf(f, "typedef float vec%s __attribute__((vector_size(%d)));\n", kind, 4 * lanes);
    fprintf(f, "typedef float vec_memory%s __attribute__((vector_size(%d), aligned(4), may_alias));\n", kind, 4 * lanes);
    if (uses->select || uses->absolute || uses->first)
        fprintf(f, "typedef int vec_mask%s __attribute__((vector_size(%d)));\n", kind, 4 * lanes);
    fprintf(f, "#define LOAD%s(a) (*(const vec_memory%s *)&(a))\n#define STORE%s(a, v) (*(vec_memory%s *)&(a) = (v))\n", kind, kind,
            kind, kind);
    if (uses->load_first || uses->store_first)
        fprintf(f, "/* The first k floats of a vector, at the end of a row that is no whole number of vectors. */\n");
    if (uses->load_first)
        fprintf(f, "#define LOAD_FIRST%s(k, a) __extension__({ vec%s v_ = {0}; memcpy(&v_, &(a), (k) * sizeof(float)); v_; })\n", kind, kind);
    if (uses->store_first)
        fprintf(f, "#define STORE_FIRST%s(k, a, v) __extension__({ const vec%s v_ = (v); memcpy(&(a), &v_, (k) * sizeof(float)); })\n",
                kind, kind);
    if (uses->first) {
        fprintf(f, "/* 0 in all lanes but the first k. */\n#define FIRST%s(k, v) ((vec%s)((vec_mask%s)(v) & ((vec_mask%s){", kind, kind, kind, kind);
        put_lanes(f, lanes, NULL);
        fprintf(f, "} < (k))))\n");
    }
    if (uses->all) {
        fprintf(f, "#define ALL%s(x) __extension__({ const float x_ = (x); %s(vec%s){", kind, lanes > 8 ? "\\\n    " : "", kind);
        put_lanes(f, lanes, "x_");
        fprintf(f, "}; })\n");
    }
    if (uses->select)
        fprintf(f, "/* In each lane a where the test holds, else b. */\n#define SELECT%s(test, a, b) __extension__({ \\\n"
                   "    const vec_mask%s m_ = (vec_mask%s)(test); \\\n    (vec%s)(((vec_mask%s)(a) & m_) | ((vec_mask%s)(b) & ~m_)); })\n",
                kind, kind, kind, kind, kind, kind);
    if (uses->absolute)
        fprintf(f, "#define ABS%s(v) ((vec%s)((vec_mask%s)(v) & 0x7fffffff))\n", kind, kind, kind);
    if (uses->lanes) {
        fprintf(f, "#define LANES%s ((vec%s){", kind, kind);
        put_lanes(f, lanes, NULL);
        fprintf(f, "})\n");
    }
    if (uses->each) {
        fprintf(f, "/* An element of each of %d samples. */\n#define EACH%s(x, element) ((vec%s){", lanes, kind, kind);
        for (int i = 0; i < lanes; i++)
            fprintf(f, "%sx[%d] element", !i ? " \\\n    " : i % 8 ? ", " : ", \\\n    ", i);
        fprintf(f, "})\n");
    }
    fprintf(f, "\n");
    if (uses->sum) {
        fprintf(f, "/* The sum of %d floats. */\nstatic inline float sum%s(const float *a)\n{\n", lanes, *kind ? kind : "_lanes");
        fprintf(f, "    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));\n    const four v = ");
        for (int i = 0; i < lanes; i += 4)
            fprintf(f, "%s*(const four *)%s", i ? " + " : "", i ? format("(a + %d)", i) : "a");
        fprintf(f, ";\n    return (v[0] + v[1]) + (v[2] + v[3]);\n}\n");
        put_of_lanes(f, kind, "SUM", "sum");
    }
    if (uses->greatest) {
        fprintf(f, "/* The greatest of %d floats. */\nstatic inline float greatest%s(const float *a)\n{\n", lanes, *kind ? kind : "_lanes");
        fprintf(f, "    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));\n"
                   "    typedef int four_mask __attribute__((vector_size(16)));\n    four best = *(const four *)a, v;\n    four_mask m;\n");
        for (int i = 4; i < lanes + 8; i += 4) {
            if (i < lanes)
                fprintf(f, "    v = *(const four *)(a + %d);\n", i);
            else
                fprintf(f, "    v = (four){best[%s]};\n", i == lanes ? "2], best[3], best[0], best[1" : "1], best[0], best[3], best[2");
            fprintf(f, "    m = GREATER(v, best);\n    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));\n");
        }
        fprintf(f, "    return best[0];\n}\n");
        put_of_lanes(f, kind, "GREATEST", "greatest");
    }
}

/* Code for vectors that the C compiler is not told of is right, but slow: it then says which flag it misses. It says so in a
 * message, which -Werror doesn't make an error. Vectors of 4 need no flags on x86. */
static void put_advice(FILE *f, const Target *target)
{
    const bool wide = target->lanes > 8;
    const char *flags = strchr(target->cflags, ' ');
    fprintf(f, "/* Where the C compiler may not use the vectors that this file is shaped for, it says so. NN_ANY_PROCESSOR silences it. */\n"
               "#if !defined(__OPTIMIZE__) || defined(NN_ANY_PROCESSOR)\n");
    if (target->lanes > 4)
        fprintf(f, "#elif (defined(__x86_64__) || defined(__i386__)) && %s\n"
                   "#pragma message(\"nnc: this file is many times slower without %s: compile with%s, or use nnc --target=scalar\")\n",
                wide ? "!defined(__AVX512F__)" : "!(defined(__AVX2__) && defined(__FMA__))", wide ? "AVX-512" : "AVX2 and FMA",
                flags ? flags : " -march=native");
    fprintf(f, "#elif defined(__arm__) && !defined(__ARM_NEON)\n"
               "#pragma message(\"nnc: this file is many times slower without NEON: compile with -mfpu=neon, or use nnc --target=scalar\")\n"
               "#endif\n\n");
}

/* uses[0]: of the plan's vectors, and of numbers; uses[1]: of training's, where they are others. calls: some function may not be
 * inlined. */
static void put_prelude(FILE *f, const Plan *plan, const char *header_name, const Uses uses[2], bool calls)
{
    fprintf(f, "#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */\n#include \"nn.h\"\n"
               "#include \"%s\"\n\n#include <math.h>\n#include <string.h>\n\n", header_name);
    if (uses[0].vectors || uses[1].vectors)
        put_advice(f, plan->target);
    if (calls)
        fprintf(f, "/* -fsanitize=undefined would test each of the many sums below for an overflow of its address, and a C compiler\n"
                   " * would take hours. So it leaves layers out, unless NN_SANITIZE is defined; other sanitizers look at them. */\n"
                   "#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 8) && !defined(NN_SANITIZE)\n"
                   "#define NO_UBSAN __attribute__((no_sanitize(\"undefined\")))\n#else\n#define NO_UBSAN\n#endif\n\n"
                   "/* Layers stay functions of their own: gcc 12 -O2 confuses what restrict says of several that it inlines into one\n"
                   " * block, and computes wrong numbers. Also, it digests short functions more quickly. The briefest ones, where a\n"
                   " * call would count, may be inlined, and so do without restrict. */\n"
                   "#if defined(__GNUC__)\n#define NOINLINE __attribute__((noinline)) NO_UBSAN\n#else\n#define NOINLINE\n#endif\n\n");
    if (uses[0].greater || uses[1].greater)
        fprintf(f, "/* A maximum of numbers one of which is NaN is NaN. */\n#define GREATER(v, best) (((v) > (best)) | ((v) != (v)))\n\n");
    if (uses[0].vectors)
        put_vectors(f, plan->target->lanes, "", &uses[0]);
    emit_math(f, plan->target->lanes, "", uses[0].scalar_math | uses[1].scalar_math, uses[0].vector_math);
    if (uses[1].vectors) {
        const char *kind = kind_of(plan, &plan->training);
        put_vectors(f, plan->training.target->lanes, kind, &uses[1]);
        emit_math(f, plan->training.target->lanes, kind, 0, uses[1].vector_math);
    }
}
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
    Writers writers = {NEW_ARRAY(struct Writer *, prog->ntensors), NEW_ARRAY(struct Writer *, prog->ntensors)};
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
    return part->layer == s->layer && part->backward == s->backward && s->per_sample != fn->per_call && s->phase == fn->phase;
}

/* The statements that the function does, in their order, as they were before they were put into its kernels. */
static void put_statements(FILE *f, const Writers *writers, const Function *fn)
{
    Statement **part[MAX_PARTS];
    int n, last = -1;
    for (;;) {
        const struct Writer *next = NULL;
        for (Kernel *k = fn->kernels; k; k = k->next)
            for (parts_of(k, part, &n); n--;)
                for (const struct Writer *w = writers->first[(*part[n])->out.tensor->id]; w; w = w->next)
                    if (w->number > last && (!next || w->number < next->number) && does(fn, *part[n], w->statement))
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
        fprintf(f, "/* %s%s\n * %s: %s, %lld point%s\n *\n", comment_text(layer->text), fn->backward ? ", backward" : "", shapes,
                how_function(fn), (long long)fn->terms, fn->terms == 1 ? "" : "s");
        put_statements(f, &writers, fn);
        fprintf(f, " */\n");
        emit_function(f, plan, fn, kind_of(plan, pass), tables, uses);
    }
}

/* ---- net_forward, net_backward --------------------------------------------------------------------------------- */

/* One loop over the samples of a call, or over chunks of them: its functions are those from begin on, up to but not end. */
typedef struct Loop {
    const Plan *plan;
    const Pass *pass;
    const Function *begin, *end;
    bool chunks;         /* samples are taken chunk by chunk: m samples from `first` on */
} Loop;

/* Where the first sample of the call or of the chunk lies. */
static const char *all_samples(const Loop *loop, const Tensor *root)
{
    const Buffer *b = buffer_of(loop->pass, root);
    if (b && b->whole_batch && loop->chunks)
        return format("(all_%s + (size_t)first * %lld)", c_name(root->name), (long long)b->tensor->floats);
    if (b || loop->chunks)
        return format("all_%s", c_name(root->name));
    return root->role == TENSOR_INPUT ? "x" : root->role == TENSOR_OUTPUT ? "y" : "t";
}

/* What a function is called with. Buffers are void pointers and fit every parameter; of the others those that
 * the callee sees with other dimensions need a cast. A function that takes a chunk of samples gets the first. */
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
            fprintf(f, "(const %s (*)%s)", type, dims_text(tensor->rank - 1, tensor->room + 1, "[", "][", "]"));
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
        fprintf(f, "%*sconst float *const input = %s + (size_t)s * %s_INPUT;\n", in, "", all_samples(loop, pass->prog->x), P);
    if (group_touches_role(pass, begin, end, TENSOR_OUTPUT))
        fprintf(f, "%*svoid *const %s = %s + (size_t)s * %s_OUTPUT;\n", in, "", c_name(pass->prog->y->name),
                all_samples(loop, pass->prog->y), P);
    if (group_touches_role(pass, begin, end, TENSOR_TARGET))
        fprintf(f, "%*sconst %s *const target = %s + (size_t)s * %s_TARGETS;\n", in, "", loop->plan->net->int_targets ? "int" : "float",
                all_samples(loop, pass->prog->t), P);
    const char *number = loop->chunks ? "(first + s)" : "s";
    if (group_draws(begin, end))
        fprintf(f, "%*sconst uint64_t rng = w->rng + (uint64_t)%s * %lldu * NN_GAMMA;\n", in, "", number, (long long)pass->prog->draws);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if ((b->samples > 1 || b->whole_batch) && group_touches(pass, begin, end, b->tensor))
            fprintf(f, "%*svoid *const %s = all_%s + (size_t)%s * %lld;\n", in, "", c_name(b->tensor->name), c_name(b->tensor->name),
                    b->whole_batch ? number : "s", (long long)b->tensor->floats);
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
    fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->chunk, (long long)pass->chunk);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const float *const all_input = x + (size_t)first * %s_INPUT;\n", P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_OUTPUT))
        fprintf(f, "        float *const all_%s = y + (size_t)first * %s_OUTPUT;\n", c_name(pass->prog->y->name), P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const all_target = t + (size_t)first * %s_TARGETS;\n", type, P);
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
        fprintf(f, "        const int m = n - first < %lld ? n - first : %lld;\n", (long long)pass->samples, (long long)pass->samples);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_INPUT))
        fprintf(f, "        const float *const input = x + (size_t)first * %s_INPUT;\n", P);
    if (group_touches_role(pass, loop->begin, loop->end, TENSOR_TARGET))
        fprintf(f, "        const %s *const target = t + (size_t)first * %s_TARGETS;\n", loop->plan->net->int_targets ? "int" : "float", P);
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

/* What lies in net_params. In net_forward that is only read, which is const: ISO C makes no pointer to const rows out of one to const
 * void, so that the calls cast it. */
static void name_prepared(FILE *f, const Pass *pass, bool forward)
{
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if (b->prepared && (forward ? b->lasting : touched_once(pass, b)))
            fprintf(f, "    %s *const %s = p->weights + %lld;   /* %s */\n", forward ? "const float" : "void", c_name(b->tensor->name),
                    (long long)b->offset, dims_text(b->tensor->rank, b->tensor->room, "", "x", ""));
}

/* At the head of a public function: is it called rightly? */
static void put_checks(FILE *f, const Plan *plan, bool training)
{
    const char *p = plan->prefix, *P = plan->PREFIX;
    long long least = training ? least_samples(plan->training.prog) : 1, batch = plan->net->batch;
    fprintf(f, "    NN_CHECK_MEMORY(p, %s_params);\n    NN_CHECK_MEMORY(w, %s_work);\n", p, p);
    if (training)
        fprintf(f, "    NN_CHECK_MEMORY(g, %s_params);\n    NN_CHECK(g != p, \"g is p: the gradient needs memory of its own\");\n", p);
    const char *why = least > 1 ? ": batchnorm takes the variance of n numbers, and one has none"
                                : ": make several calls, or compile with a larger batch";
    fprintf(f, "    NN_CHECK(n >= %lld && n <= %s_BATCH, \"n must be from %lld to %s_BATCH, %lld%s\");\n", least, P, least, P, batch, why);
    const char *other = training ? "t" : "y";
    fprintf(f, "    NN_CHECK(x != NULL && %s != NULL, \"x or %s is NULL\");\n", other, other);
}

/* What depends on the weights alone, once for all calls. What has been folded must not be folded again. */
static void put_prepare(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    const Pass *pass = &plan->forward;
    fprintf(f, "static int %s_is_prepared(const %s_params *p)\n{\n    uint32_t mark;\n    memcpy(&mark, p->weights + %lld, sizeof mark);\n"
               "    return mark == NN_PREPARED;\n}\n\n", p, p, (long long)pass->mark);
    fprintf(f, "void %s_prepare(%s_params *p)\n{\n    const uint32_t mark = NN_PREPARED;\n    NN_CHECK_MEMORY(p, %s_params);\n"
               "    if (%s_is_prepared(p))\n        return;\n", p, p, p, p);
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
    fprintf(f, "    if (!%s_is_prepared(p)) {\n"
               "        for (size_t i = 0; i < (size_t)n * %s_OUTPUT; i++)\n            y[i] = NAN;\n        return;\n    }\n",
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
            fprintf(f, "    float *const all_%s = w->arena + %lld;   /* %lldx%s */\n", c_name(t->name), (long long)b->offset,
                    (long long)b->samples, dims);
        else
            fprintf(f, "    void *const %s = w->arena + %lld;   /* %s */\n", c_name(t->name), (long long)b->offset, dims);
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

static void put_forward(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    if (plan->forward.prepared)
        put_prepare(f, plan);
    fprintf(f, "void %s_forward(const %s_params *p, %s_work *w, int n, const float *x, float *y)\n{\n", p, p, p);
    put_checks(f, plan, false);
    if (plan->forward.prepared)
        use_prepared(f, plan);
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

static bool uses_samples(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->uses_samples)
            return true;
    return false;
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
        fprintf(f, "%s%s", c % 10 ? ", " : c ? ",\n        " : classes > 10 ? "\n        " : "", c_float(net->class_weights[c]));
    fprintf(f, "};\n    double weights = 0;\n    for (size_t i = 0; i < (size_t)n * %lld; i++)\n"
               "        weights += t[i] >= 0 && t[i] < %lld ? class_weight[t[i]] : NAN;\n"
               "    const float mean = (float)(1 / weights);\n", (long long)net->targets, (long long)classes);
}

static void put_backward(FILE *f, const Plan *plan)
{
    const char *p = plan->prefix;
    const Pass *pass = &plan->training;
    fprintf(f, "float %s_backward(%s%s_params *p, %s_work *w, int n, const float *x, const %s *t, %s_params *g)\n{\n", p,
            backward_const(plan), p, p, plan->net->int_targets ? "int" : "float", p);
    put_checks(f, plan, true);
    put_buffers(f, pass);
    if (uses_mean(pass))
        put_mean(f, plan->net);
    if (uses_samples(pass))
        fprintf(f, "    const float samples = (float)n;\n");
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
            fprintf(f, "    {\"%s\", %d, {%s}, %lld, %lld, %s, %s, {%s}, {%s}, %s},\n", w->name, w->rank, dims_text(w->rank, w->dim, "", ", ", ""),
                    (long long)w->offset, (long long)w->count, c_float(w->low), c_float(w->high),
                    dims_text(4, w->axis, "", ", ", ""), dims_text(4, w->stride, "", ", ", ""),
                    plan->forward.prepared ? format("%lld", (long long)plan->forward.mark + 1) : "0");
        fprintf(f, "};\n\n");
    }
    fprintf(f, "static void %s_model_forward(const void *params, void *work, int n, const float *x, float *y)\n{\n"
               "    %s_forward(params, work, n, x, y);\n}\n\n", p, p);
    if (plan->training.prog)
        fprintf(f, "static float %s_model_backward(void *params, void *work, int n, const float *x, const void *t, void *gradients)\n"
                   "{\n    return %s_backward(params, work, n, x, t, gradients);\n}\n\n"
                   "static void %s_model_set_rng(void *work, uint64_t rng)\n{\n    ((%s_work *)work)->rng = rng;\n}\n\n", p, p, p, p);
    if (plan->forward.prepared)
        fprintf(f, "static void %s_model_prepare(void *params)\n{\n    %s_prepare(params);\n}\n\n", p, p);
    fprintf(f, "const nn_model %s_model = {\n    .name = \"%s\",\n", p, p);
    fprintf(f, "    .input_shape = {%lld, %lld, %lld},\n", (long long)net->input.c, (long long)net->input.h, (long long)net->input.w);
    fprintf(f, "    .input = %s_INPUT,\n    .output = %s_OUTPUT,\n    .targets = %s_TARGETS,\n    .int_targets = %d,\n", P, P, P,
            net->int_targets);
    fprintf(f, "    .batch = %s_BATCH,\n    .params = %s_PARAMS,\n    .floats = %s_FLOATS,\n", P, P, P);
    fprintf(f, "    .params_bytes = sizeof(%s_params),\n    .work_bytes = sizeof(%s_work),\n", p, p);
    fprintf(f, "    .ntensors = %d,\n    .tensors = %s,\n", net->nweights,
            net->weights ? format("%s_tensors", p) : "NULL");
    bool trains = plan->training.prog;
    fprintf(f, "    .forward = %s_model_forward,\n    .backward = %s,\n    .set_rng = %s,\n    .prepare = %s,\n"
               "    .runtime = &nn_interface_%d,   /* the linker misses it: libnn.a is of another version than this file */\n};\n\n", p,
            trains ? format("%s_model_backward", p) : "NULL", trains ? format("%s_model_set_rng", p) : "NULL",
            plan->forward.prepared ? format("%s_model_prepare", p) : "NULL", NNC_INTERFACE);
    fprintf(f, "void %s_init(%s_params *p, uint64_t seed)\n{\n    NN_CHECK_MEMORY(p, %s_params);\n    nn_init(&%s_model, p, seed);\n}\n",
            p, p, p, p);
}

void emit_source(FILE *f, const Plan *plan, const char *header_name)
{
    put_head(f, plan);
    Uses uses[2] = {{0}};
    bool *forward = NEW_ARRAY(bool, plan->forward.prog->ntensors), *training = NULL;
    TextStream memory;
    FILE *functions = open_text(&memory);
    put_functions(functions, plan, &plan->forward, forward, &uses[0]);
    if (plan->training.prog) {
        training = NEW_ARRAY(bool, plan->training.prog->ntensors);
        put_functions(functions, plan, &plan->training, training, &uses[*kind_of(plan, &plan->training) != 0]);
    }
    put_forward(functions, plan);
    if (plan->training.prog)
        put_backward(functions, plan);
    put_model(functions, plan);
    close_text(&memory);
    put_prelude(f, plan, header_name, uses, strstr(memory.text, "NOINLINE"));
    put_constants(f, plan, forward, training);
    put_lines(f, &memory);
}
