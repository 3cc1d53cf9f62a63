/* net.c: the Net's dump, and its verifier: what later stages may rely on. */
#include <string.h>

#include "front/front.h"

static const char *value_name(const Value *value)
{
    return value->producer ? value->producer->name : "input";
}

void dump_net(FILE *f, const Net *net)
{
    const Value *before = net->in;
    fprintf(f, "net %s\n  input %s, batch %lld, %lld parameters\n", net->file, shape_text(net->input),
            (long long)net->batch, (long long)net->nparams);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        fprintf(f, "  %-12s %s -> %s   # %s", layer->name, shape_text(layer->in->shape),
                shape_text(layer->out->shape), layer->text);
        if (layer->nmore || layer->in != before) /* no chain here */
            fprintf(f, "   <- %s", value_name(layer->in));
        for (int i = 0; i < layer->nmore; i++)
            fprintf(f, ", %s", value_name(layer->more[i]));
        fputc('\n', f);
        before = layer->out;
        for (int i = 0; i < layer->nweights; i++) {
            const Weight *w = layer->weight[i];
            if (w->layer != layer) {
                fprintf(f, "      %s, shared\n", w->name);
                continue;
            }
            fprintf(f, "      %s [", w->name);
            for (int k = 0; k < w->rank; k++)
                fprintf(f, "%s%lld", k ? ", " : "", (long long)w->dim[k]);
            fprintf(f, w->low > w->high ? "] of deviation %.6g" : "] in [%.6g, %.6g)", w->low, w->high);
            fprintf(f, "%s\n", w->statistic ? ", a statistic" : w->frozen ? ", frozen" : "");
        }
    }
    fprintf(f, "  loss %s of %s, %lld %s target%s\n", net->loss->kind->name,
            value_name(net->loss_in), (long long)net->targets,
            net->int_targets ? "int" : "float", net->targets == 1 ? "" : "s");
}

void verify_net(const Net *net)
{
    int64_t params = 0;
    int weights = 0;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        Shape in = layer->in->shape, out = layer->out->shape;
        if (in.c < 1 || in.h < 1 || in.w < 1 || out.c < 1 || out.h < 1 || out.w < 1)
            bug("%s has an empty shape", layer->name);
        if ((out.rank == 1 && (out.h != 1 || out.w != 1)) || (out.rank == 2 && out.w != 1))
            bug("%s has more dimensions than its rank says", layer->name);
        if (layer->out->producer != layer || !layer->kind->lower)
            bug("%s is not connected", layer->name);
        for (int i = -1; i < layer->nmore; i++)
            if ((i < 0 ? layer->in : layer->more[i])->id >= layer->out->id)
                bug("%s reads what comes after it", layer->name);
        for (int i = 0; i < layer->nweights; i++)
            weights += layer->weight[i]->layer == layer;
        params += parameters_of(layer);
    }
    if (params != net->nparams || weights != net->nweights || !net->loss || !net->last
        || !net->out->producer || net->batch < 1)
        bug("the network's totals are wrong");
}
