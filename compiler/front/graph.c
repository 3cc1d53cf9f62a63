/* graph.c: --graph: the network as a picture, in graphviz's language.
 *
 *     "conv1" [label="conv 6 k5 p2\n6x28x28"];   "input" -> "conv1";
 *
 * A node for each layer, an edge for each tensor that it reads, a box around what a block holds. */
#include <string.h>

#include "front/front.h"

enum { DEEPEST = 24 };               /* blocks within blocks: expand.c allows fewer */

static void put_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    char shown[16];
    for (size_t i = 0, length = strlen(text), bytes; i < length; i += bytes) {
        show_character(text + i, length - i, shown, &bytes);
        for (const char *c = *shown == '\t' ? " " : shown; *c; c++)
            fprintf(f, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    fputc('"', f);
}

/* The blocks that a layer stands in, outermost first; gives their number. */
static int blocks_around(const Layer *layer, const Use *chain[DEEPEST])
{
    int n = 0;
    for (const Use *use = layer->use; use && n < DEEPEST; use = use->up)
        n++;
    const Use *use = layer->use;
    for (int i = n - 1; i >= 0; i--, use = use->up)
        chain[i] = use;
    return n;
}

static void put_node(FILE *f, const Layer *layer, int depth)
{
    fprintf(f, "%*s", 4 * (depth + 1), "");
    put_quoted(f, layer->name);
    fprintf(f, " [label=");
    put_quoted(f, layer->text);
    fprintf(f, ", xlabel=");
    put_quoted(f, shape_text(layer->out->shape));
    fprintf(f, "];\n");
}

static void put_edges(FILE *f, const Layer *layer)
{
    for (int i = -1; i < layer->nmore; i++) {
        const Value *from = i < 0 ? layer->in : layer->more[i];
        fprintf(f, "    ");
        put_quoted(f, from->producer ? from->producer->name : "input");
        fprintf(f, " -> ");
        put_quoted(f, layer->name);
        fprintf(f, ";\n");
    }
}

void print_graph(FILE *f, const Net *net)
{
    const Use *open[DEEPEST];
    int depth = 0, clusters = 0;
    fprintf(f, "digraph network {\n    node [shape=box, style=rounded, fontname=\"Helvetica\"];\n");
    fprintf(f, "    \"input\" [label=\"input %s\", shape=plain];\n", shape_text(net->input));
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const Use *around[DEEPEST];
        int n = blocks_around(layer, around), same = 0;
        while (same < n && same < depth && around[same] == open[same])
            same++;
        for (; depth > same; depth--)
            fprintf(f, "%*s}\n", 4 * depth, "");
        for (; depth < n; depth++) {
            open[depth] = around[depth];
            fprintf(f, "%*ssubgraph cluster%d {\n", 4 * (depth + 1), "", ++clusters);
            fprintf(f, "%*slabel=", 4 * (depth + 2), "");
            put_quoted(f, around[depth]->what);
            fprintf(f, ";\n");
        }
        put_node(f, layer, depth);
    }
    for (; depth > 0; depth--)
        fprintf(f, "%*s}\n", 4 * depth, "");
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        put_edges(f, layer);
    fprintf(f, "}\n");
}
