/* model.c: the end of net.c: net_model, which describes the network to the runtime, and net_init. */
#include "back/back.h"

void put_model(FILE *f, const Plan *plan, const FixedWord *words)
{
    const Net *net = plan->net;
    if (net->weights) {
        fprintf(f, "static const nn_tensor %s_tensors[] = {\n", plan->prefix);
        for (const Weight *w = net->weights; w; w = w->next)
            fprintf(f, "    {\"%s\", %d, {%s}, %lld, %lld, %s, %s, {%s}, {%s}, %s},\n", w->name, w->rank,
                    dims_text(w->rank, w->dim, "", ", ", ""), (long long)w->offset, (long long)w->count,
                    c_float(w->low), c_float(w->high), dims_text(4, w->axis, "", ", ", ""),
                    dims_text(4, w->stride, "", ", ", ""),
                    plan->forward.prepared ? format("%lld", (long long)plan->forward.mark + 1) : "0");
        fprintf(f, "};\n\n");
    }
    put_fixed(f, "net.c: model forward", words);
    const bool trains = plan->training.prog, from_caller = trains && net->from_caller;
    if (trains)
        put_fixed(f, from_caller ? "net.c: model backward from the caller" : "net.c: model backward", words);
    if (plan->evaluation.prog)
        put_fixed(f, "net.c: model loss", words);
    if (plan->evaluation.prog && net->ignores)
        put_fixed(f, "net.c: model counted", words);
    if (trains)
        put_fixed(f, "net.c: model settings", words);
    if (plan->forward.prepared)
        put_fixed(f, "net.c: model prepare", words);
    if (plan->next.prog)
        put_fixed(f, "net.c: model next", words);
    put_fixed(f, "net.c: model", words);
    if (from_caller)
        put_fixed(f, "net.c: model from the caller", words);
    if (plan->evaluation.prog && net->ignores)
        put_fixed(f, "net.c: model with counted", words);
    if (plan->next.prog)
        put_fixed(f, "net.c: model with next", words);
    put_fixed(f, "net.c: model ends", words);
    put_fixed(f, "net.c: init", words);
    if (plan->options->main)
        put_fixed(f, plan->options->mpi ? "net.c: main of processes" : "net.c: main", words);
}
