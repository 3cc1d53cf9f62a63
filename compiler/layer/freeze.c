/* freeze: what stands before it does not learn, so the backward pass ends there. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    if (!net->weights) {
        error_at(layer->loc, "freeze keeps the layers before it from learning, but none of them has weights");
        return false;
    }
    for (Weight *w = net->weights; w; w = w->next)
        w->frozen = true;
    return true;
}

const Kind kind_freeze = {
    .name = "freeze",
    .role = ROLE_FLOW,
    .syntax = "freeze",
    .help = "everything before it does not learn; one layer with weights: freeze=true",
    .params = params,
    .shape = shape,
};
