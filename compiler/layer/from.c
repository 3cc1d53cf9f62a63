/* from: a named tensor becomes the current one, so that what follows is a branch that starts there. */
#include "layer/layer.h"

static const Param params[] = {
    {"L", PARAM_LABELS, true, NULL, 1, 1, NULL, "label"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    net->out = layer->more[0];
    return true;
}

const Kind kind_from = {
    .name = "from",
    .role = ROLE_FLOW,
    .syntax = "from L",
    .help = "continues from the tensor that label L names",
    .params = params,
    .shape = shape,
};
