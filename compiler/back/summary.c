/* summary.c: --summary, the table of layers with their costs; --summary=json, the same for programs; --fits.
 *
 * The one idea: one struct of figures, which all three print. */
#include <string.h>

#include "back/back.h"

/* ---- Receptive fields ------------------------------------------------------------------------ */

/* How much of the input one element of a tensor sees along both axes, and how far apart neighbours' fields
 * lie, as PyTorch's documentation and Araujo et al. (2019) count. size 0: all of it, or it has no axes. */
typedef struct Field {
    double size[2], step[2];
} Field;

static const Arg *argument(const Layer *layer, const char *name)
{
    for (const Param *p = layer->kind->params; p->name; p++)
        if (!strcmp(p->name, name) && p->type == PARAM_PAIR)
            return &layer->arg[p - layer->kind->params];
    return NULL;
}

static Field widest(Field a, Field b)
{
    for (int axis = 0; axis < 2; axis++) {
        bool all = !a.size[axis] || !b.size[axis];
        a.size[axis] = all ? 0 : a.size[axis] > b.size[axis] ? a.size[axis] : b.size[axis];
        a.step[axis] = a.step[axis] > b.step[axis] ? a.step[axis] : b.step[axis];
    }
    return a;
}

static Field field_behind(const Layer *layer, Field field)
{
    Shape in = layer->in->shape, out = layer->out->shape;
    const Arg *kernel = argument(layer, "k"), *dilation = argument(layer, "d");
    if (in.rank != 3 || out.rank != 3)
        return (Field){0};
    const int64_t from[2] = {in.h, in.w}, to[2] = {out.h, out.w};
    for (int axis = 0; axis < 2; axis++) {
        bool grows = to[axis] > from[axis];
        double taps = kernel ? (double)(kernel->i[axis] - 1) : 0, step = field.step[axis];
        if (!kernel && to[axis] < from[axis]) {     /* a mean over all, or over windows of its own */
            field.size[axis] = 0;
            continue;
        }
        if (kernel && grows)                        /* each output sees every s-th tap */
            taps = (taps + 1) * (double)from[axis] / (double)to[axis];
        else if (dilation)
            taps *= (double)dilation->i[axis];
        if (field.size[axis])
            field.size[axis] += grows && taps < 1 ? 0 : (double)(int64_t)taps * step;
        if (kernel && !grows) {
            Window w = window_of(layer);
            field.step[axis] *= (double)w.stride[axis];
        } else if (grows) {
            field.step[axis] *= (double)from[axis] / (double)to[axis];
        }
    }
    return field;
}

/* Those of all layers, by id. */
static Field *fields_of(const Net *net)
{
    Field *of_value = NEW_ARRAY(Field, net->nvalues), *of_layer = NEW_ARRAY(Field, net->nlayers + 1);
    of_value[net->in->id] = (Field){{1, 1}, {1, 1}};
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        Field field = of_value[layer->in->id];
        for (int i = 0; i < layer->nmore; i++)
            field = widest(field, of_value[layer->more[i]->id]);
        if (layer->in->shape.rank != 3 && layer->out->shape.rank == 3)
            field = (Field){{1, 1}, {1, 1}};        /* an image begins here */
        else
            field = field_behind(layer, field);
        of_layer[layer->id] = of_value[layer->out->id] = field;
    }
    return of_layer;
}

static const char *field_text(const Net *net, const Layer *layer, const Field *field)
{
    if (layer->out->shape.rank == 2)
        return "-";
    if (!field->size[0] || !field->size[1] || layer->out->shape.rank == 1)
        return "all";
    bool all = net->input.rank == 3 && field->size[0] >= (double)net->input.h
               && field->size[1] >= (double)net->input.w;
    return all ? "all" : format("%.0fx%.0f", field->size[0], field->size[1]);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

enum { STATE_HEAD = 16 };            /* floats before an optimizer's arrays: NN_STATE_HEAD of the runtime */

static const struct {
    const char *name;
    int arrays;
} optimizers[] = {{"sgd", 0}, {"momentum", 1}, {"adagrad", 1}, {"rmsprop", 1}, {"adam", 2}};
enum { NOPTIMIZERS = sizeof optimizers / sizeof *optimizers };

typedef struct Memory {              /* in bytes */
    long long weights, inference, training; /* training: scratch memory, as inference */
    long long sample, target, answer;
    long long state[NOPTIMIZERS];
    long long kept, next;            /* net_state, and the scratch memory of net_next */
} Memory;

static Memory memory_of(const Plan *plan)
{
    const Net *net = plan->net;
    Memory m = {.weights = 4 * (long long)plan->all_floats, .inference = 4 * (long long)plan->forward.arena};
    m.training = plan->training.prog ? 4 * (long long)plan->training.arena : 0;
    for (const Tensor *t = plan->next.prog ? plan->next.prog->tensors : NULL; t; t = t->next)
        m.kept += t->role == TENSOR_STATE ? 4 * (long long)state_floats(plan, t) : 0;
    m.next = plan->next.prog ? 4 * (long long)plan->next.arena : 0;
    m.sample = 4 * (long long)shape_count(net->input);
    m.target = 4 * (long long)net->targets;
    m.answer = 4 * (long long)shape_count(net->out->shape);
    for (int i = 0; i < NOPTIMIZERS; i++)
        m.state[i] = optimizers[i].arrays ? 4 * (STATE_HEAD + optimizers[i].arrays * (long long)plan->floats)
                                          : 0;
    return m;
}

/* All that a program needs beside its code to train a full batch, but for the optimizer's state. */
static long long all_of_training(const Plan *plan, const Memory *m)
{
    return 2 * m->weights + m->training + (long long)plan->net->batch * (m->sample + m->target);
}

static int64_t frozen_of(const Net *net)
{
    int64_t frozen = 0;
    for (const Weight *w = net->weights; w; w = w->next)
        frozen += w->frozen && !w->statistic ? w->count : 0;
    return frozen;
}

/* ---- The table ------------------------------------------------------------------------------- */

static int wider(int width, const char *text)
{
    int length = (int)strlen(text);
    return length > width ? length : width;
}

void print_summary(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const Field *fields = fields_of(net);
    int64_t total_macs = 0, total_bytes = 0;
    int width = 14, in = 11, out = 11, how = 7;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        width = wider(width, layer->name);
        in = wider(in, shape_text(layer->in->shape));
        out = wider(out, shape_text(layer->out->shape));
        how = wider(how, how_layer(plan, layer, false));
    }
    width = width > 40 ? 40 : width;
    fprintf(f, "%-*s %-*s %-*s %10s %12s %10s %9s  "
               "%-*s%s\n", width, "layer", in, "input", out, "output", "parameters",
            "MACs", "bytes", "field", how, "forward", plan->training.prog ? "  backward" : "");
    fprintf(f, "%-*s %-*s %-*s %10s %12s "
               "%10lld\n", width, "input", in, "", out, shape_text(net->input), "", "",
            4 * (long long)shape_count(net->input));
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        int64_t params = parameters_of(layer), bytes = 4 * shape_count(layer->out->shape);
        total_macs += plan->macs[layer->id];
        total_bytes += bytes;
        fprintf(f, "%-*s %-*s %-*s %10lld %12lld %10lld %9s  "
                   "", width, layer->name, in, shape_text(layer->in->shape),
                out, shape_text(layer->out->shape), (long long)params, (long long)plan->macs[layer->id],
                (long long)bytes, field_text(net, layer, &fields[layer->id]));
        if (plan->training.prog)
            fprintf(f, "%-*s  %s\n", how, how_layer(plan, layer, false), how_layer(plan, layer, true));
        else
            fprintf(f, "%s\n", how_layer(plan, layer, false));
    }
    fprintf(f, "%-*s %-*s %-*s %10lld %12lld "
               "%10lld\n", width, "total", in, "", out, "", (long long)net->nparams,
            (long long)total_macs, (long long)total_bytes);
    fprintf(f, "\nloss %s; batch %lld\n", net->loss->kind->name, (long long)net->batch);
    if (frozen_of(net))
        fprintf(f, "%lld parameters are frozen\n", (long long)frozen_of(net));
    Memory m = memory_of(plan);
    fprintf(f, "weights %lld bytes; scratch memory %lld bytes for inference", m.weights, m.inference);
    if (plan->training.prog)
        fprintf(f, ", %lld bytes for training", m.training);
    fprintf(f, "\n");
    if (plan->next.prog)
        fprintf(f, "one position at a time: %lld bytes of state, scratch memory %lld bytes\n", m.kept,
                m.next);
    if (!plan->training.prog)
        return;
    fprintf(f, "training with a batch of %lld: %lld bytes in all, and for the optimizer's "
               "state:", (long long)net->batch,
            all_of_training(plan, &m));
    for (int i = 0; i < NOPTIMIZERS; i++)
        fprintf(f, "%s %s %lld", i ? "," : "", optimizers[i].name, m.state[i]);
    fprintf(f, "\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_string(FILE *f, const char *text)
{
    char shown[16];
    fputc('"', f);
    for (size_t i = 0, length = strlen(text), bytes; i < length; i += bytes) {
        show_character(text + i, length - i, shown, &bytes);
        for (const char *c = *shown == '\t' ? " " : shown; *c; c++)
            fprintf(f, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    fputc('"', f);
}

static void put_shape(FILE *f, const char *name, Shape s)
{
    fprintf(f, "\"%s\": [", name);
    if (s.rank == 1)
        fprintf(f, "%lld], ", (long long)s.c);
    else if (s.rank == 2)
        fprintf(f, "%lld, %lld], ", (long long)s.h, (long long)s.c);
    else
        fprintf(f, "%lld, %lld, %lld], ", (long long)s.c, (long long)s.h, (long long)s.w);
}

static void put_layer(FILE *f, const Plan *plan, const Layer *layer, const Field *field)
{
    fprintf(f, "    {\"name\": \"%s\", \"kind\": \"%s\", \"text\": ", layer->name, layer->kind->name);
    put_string(f, layer->text);
    fprintf(f, ", ");
    put_shape(f, "input", layer->in->shape);
    put_shape(f, "output", layer->out->shape);
    fprintf(f, "\"parameters\": %lld, \"macs\": %lld, \"weight_bytes\": %lld, \"output_bytes\": %lld, "
               "\"field\": \"%s\", ",
            (long long)parameters_of(layer), (long long)plan->macs[layer->id],
            4 * (long long)parameters_of(layer), 4 * (long long)shape_count(layer->out->shape),
            field_text(plan->net, layer, field));
    fprintf(f, "\"forward\": \"%s\"", how_layer(plan, layer, false));
    if (plan->training.prog)
        fprintf(f, ", \"backward\": \"%s\"", how_layer(plan, layer, true));
    fprintf(f, "}%s\n", layer->next ? "," : "");
}

void print_summary_json(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    const Field *fields = fields_of(net);
    Memory m = memory_of(plan);
    int64_t macs = 0;
    fprintf(f, "{\n  \"file\": ");
    put_string(f, net->file);
    fprintf(f, ", ");
    put_shape(f, "input", net->input);
    fprintf(f, "\"batch\": %lld, \"loss\": \"%s\",\n  \"layers\": "
               "[\n", (long long)net->batch, net->loss->kind->name);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        put_layer(f, plan, layer, &fields[layer->id]);
        macs += plan->macs[layer->id];
    }
    fprintf(f, "  ],\n  \"parameters\": %lld, \"frozen\": %lld, \"macs\": %lld,\n", (long long)net->nparams,
            (long long)frozen_of(net), (long long)macs);
    fprintf(f, "  \"bytes\": {\"weights\": %lld, \"inference\": %lld", m.weights, m.inference);
    if (plan->next.prog)
        fprintf(f, ", \"state\": %lld, \"position\": %lld", m.kept, m.next);
    if (plan->training.prog) {
        fprintf(f, ", \"scratch_for_training\": %lld, \"training\": %lld, \"optimizers\": {", m.training,
                all_of_training(plan, &m));
        for (int i = 0; i < NOPTIMIZERS; i++)
            fprintf(f, "%s\"%s\": %lld", i ? ", " : "", optimizers[i].name, m.state[i]);
        fprintf(f, "}");
    }
    fprintf(f, "}\n}\n");
}

/* ---- --fits ---------------------------------------------------------------------------------- */

/* Bytes of machine code of a function in tiles and in loops: the means of those of LeNet, ResNet-20 and a
 * U-Net by gcc 12 -O2 for AVX2. */
enum { TILE_BYTES = 4500, LOOP_BYTES = 700 };

static int64_t code_of(const Pass *pass)
{
    int64_t bytes = 0;
    for (const Function *f = pass->prog ? pass->functions : NULL; f; f = f->next)
        bytes += f->twin || f->gone         ? 0
                 : f->unroll == UNROLL_FULL ? predicted_bytes(f)
                 : f->unroll == UNROLL_TILE ? TILE_BYTES
                                            : LOOP_BYTES;
    return bytes;
}

/* The layer with the most weights, and the one that has the most in memory at once. */
static void find_largest(const Net *net, const Layer **weights, const Layer **values)
{
    *weights = *values = net->layers;
    int64_t most = -1;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        if (parameters_of(layer) > parameters_of(*weights))
            *weights = layer;
        int64_t both = shape_count(layer->in->shape) + shape_count(layer->out->shape);
        if (both > most) {
            most = both;
            *values = layer;
        }
    }
}

bool print_fits(FILE *f, const Plan *plan, int64_t ram, int64_t flash)
{
    const Layer *weights, *values;
    Memory m = memory_of(plan);
    bool trains = plan->training.prog != NULL;
    long long code = code_of(&plan->forward) + code_of(&plan->training) + code_of(&plan->forward_train)
                   + code_of(&plan->next);
    long long needs_ram = m.kept + (trains ? all_of_training(plan, &m) : m.inference + m.sample + m.answer);
    long long needs_flash = trains ? code : code + m.weights;
    bool good_ram = needs_ram <= ram, good_flash = needs_flash <= flash;
    find_largest(plan->net, &weights, &values);
    fprintf(f, "%s: %s needs %lld of %lld bytes of RAM and about %lld of %lld bytes of flash\n",
            good_ram && good_flash ? "yes" : "no", trains ? "training" : "inference", needs_ram,
            (long long)ram, needs_flash, (long long)flash);
    bool of_weights = trains && 2 * m.weights > m.training;
    const Layer *layer = of_weights ? weights : values;
    if (!good_ram && of_weights)
        fprintf(f, "RAM: %s is in the way, with %lld "
                   "weights\n", layer->name, (long long)parameters_of(layer));
    else if (!good_ram)
        fprintf(f, "RAM: %s is in the way, from %s to %s\n", layer->name, shape_text(layer->in->shape),
                shape_text(layer->out->shape));
    if (!good_flash && (trains || code > m.weights))
        fprintf(f, "flash: the code is in the way, with %lld bytes; --unroll=none makes less of it\n", code);
    else if (!good_flash)
        fprintf(f, "flash: %s is in the way, with %lld "
                   "weights\n", weights->name, (long long)parameters_of(weights));
    return good_ram && good_flash;
}
