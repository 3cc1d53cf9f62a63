/* summary.c: --summary, the table of layers with their costs. */
#include <string.h>

#include "back/back.h"

void print_summary(FILE *f, const Plan *plan)
{
    const Net *net = plan->net;
    int64_t total_macs = 0, total_bytes = 0;
    int width = 14; /* of the names */
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        width = (int)strlen(layer->name) > width ? (int)strlen(layer->name) : width;
    width = width > 40 ? 40 : width;
    fprintf(f, "%-*s %-12s %12s %14s %12s\n", width, "layer", "output", "parameters", "MACs", "bytes");
    fprintf(f, "%-*s %-12s %12s %14s %12lld\n", width, "input", shape_text(net->input), "", "",
            4 * (long long)shape_count(net->input));
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        int64_t params = parameters_of(layer), bytes = 4 * shape_count(layer->out->shape);
        total_macs += plan->macs[layer->id];
        total_bytes += bytes;
        fprintf(f, "%-*s %-12s %12lld %14lld %12lld\n", width, layer->name, shape_text(layer->out->shape),
                (long long)params, (long long)plan->macs[layer->id], (long long)bytes);
    }
    fprintf(f, "%-*s %-12s %12lld %14lld %12lld\n", width, "total", "", (long long)net->nparams,
            (long long)total_macs, (long long)total_bytes);
    fprintf(f, "\nloss %s; batch %lld\n", net->loss->kind->name, (long long)net->batch);
    int64_t frozen = 0;
    for (const Weight *w = net->weights; w; w = w->next)
        frozen += w->frozen && !w->statistic ? w->count : 0;
    if (frozen)
        fprintf(f, "%lld parameters are frozen\n", (long long)frozen);
    fprintf(f, "weights %lld bytes; scratch memory %lld bytes for inference", 4 * (long long)plan->all_floats,
            4 * (long long)plan->forward.arena);
    if (plan->training.prog)
        fprintf(f, ", %lld bytes for training", 4 * (long long)plan->training.arena);
    fprintf(f, "\n");
}
