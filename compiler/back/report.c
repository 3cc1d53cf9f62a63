/* report.c: the head of net.c: what was compiled and how, and the table of layers. */
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

/* ---- The head of net.c ----------------------------------------------------------------------- */

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
    return tile->lane >= 0 ? format("%s %lldx%d%s", text, (long long)tile->factor[tile->lane], tile->width,
                                    s->index_name[tile->lane])
                           : text;
}

static const char *full_text(int64_t bytes)
{
    return bytes < 1000 ? format("full, %lld bytes", (long long)bytes)
                        : format("full, %.1f kB", (double)bytes / 1000);
}

const char *how_function(const Function *f)
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
            return k->body->method ? format("%s, %s%s", k->body->method, tile, blocks)
                                   : format("%s%s%s", tile, blocks, taps);
        }
    return "tile";
}

/* The functions of a layer and direction, those in full as one, or the one that takes its value out of a
 * register. "in place": what it makes has the memory of what it takes. */
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
    const Function *host =
        text || !pass->functions ? NULL : pass->host[2 * (loss ? loss : layer)->id + backward];
    if (text || host)
        return text ? text : format("in %s", host->name);
    for (const Folded *fold = pass->prog ? pass->prog->folded : NULL; fold; fold = fold->next)
        if (fold->layer == layer)
            return format("folded into %s", fold->into->name);
    return pass->in_place && pass->in_place[at] ? "in place" : "-";
}

static int max_width(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

/* The table of layers has a column for each of these: TRAINING, which is its forward pass, where that is
 * not like FORWARD. */
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

const char *how_layer(const Plan *plan, const Layer *layer, bool backward)
{
    return how_in(plan, layer, backward ? BACKWARD : FORWARD);
}

/* Has the layer another form in training than in inference? That it runs in a function of another name is
 * none. */
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
        columns[TRAINING].shown |= trains && (plan->training.samples || trains_otherwise(plan, layer));
    }
    fprintf(f, " * %-*s %-*s %10s %10s", name, "layer", output, "output", "parameters", "MACs");
    put_columns(f, plan, columns, NULL);
    for (const Layer *layer = plan->net->layers; layer; layer = layer->next) {
        fprintf(f, " * %-*s %-*s %10lld %10lld", name, layer->name, output, shape_text(layer->out->shape),
                (long long)parameters_of(layer), (long long)plan->macs[layer->id]);
        put_columns(f, plan, columns, layer);
    }
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void put_head(FILE *f, const Plan *plan)
{
    static const char *const unrolls[] = {"auto", "full", "tile", "none"};
    const Net *net = plan->net;
    const Options *o = plan->options;
    static const char *const maths[] = {"", " --math=direct", " --math=winograd"};
    static const char *const lanes[] = {"", " --lanes=channels", " --lanes=samples"};
    const char *math = o->filter ? format(" --math=%s", o->filter) : maths[o->math];
    const char *tile = o->tile_rows ? format(" --tile=%dx%d", o->tile_rows, o->tile_vectors) : "";
    const char *blocks = o->blocks ? format(" --blocks=%d", o->blocks) : "";
    fprintf(f, "/* The network of %s as C, made by nnc %s with --unroll=%s --target=%s%s%s%s%s%s%s%s.\n",
            comment_text(net->file), NNC_VERSION, unrolls[o->unroll], plan->target->machine->name, math,
            lanes[o->lanes], tile, blocks, o->loss ? format(" --loss=%s", o->loss) : "",
            format("%s%s%s", o->inference ? " --inference" : "", o->stream ? " --stream" : "",
                   o->is_static ? " --static" : ""),
            o->mpi ? " --main=mpi" : o->main ? " --main" : "");
    if (o->main) {
        const char *file = comment_text(base_name(o->output_file));
        fprintf(f, " * Compile with: %s %s %s%s -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o %.*s\n"
                   " * (-I and -L name the folders of nn.h and of the libraries, where they are not "
                   "installed).\n",
                o->mpi ? "mpicc" : "cc", plan->target->machine->cflags, file, o->mpi ? " -lnnmpi" : "",
                (int)strlen(file) - 2, file);
    } else if (o->is_static)
        fprintf(f, " * Include it in the file that uses it, compiled with: cc %s -I<folder of nn.h>; "
                   "link with libnn.a -lm.\n",
                plan->target->machine->cflags);
    else
        fprintf(f, " * Compile with: cc %s -I<folder of nn.h> -c; link with libnn.a -lm.\n",
                plan->target->machine->cflags);
    if (plan->training.samples)
        fprintf(f, " * Training takes %lld samples at once, one in each lane of a vector.\n",
                (long long)plan->training.samples);
    fprintf(f, " *\n");
    put_layers(f, plan);
    fprintf(f, " */\n");
}
