/* flatten: CxHxW becomes the N = C H W numbers, in that order, TxC the T C. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    layer->out->shape = flat_shape(shape_count(layer->in->shape));
    return true;
}

static void lower_flatten(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, access_at(tensor_of(prog, layer->out), position_of(each)), load(each));
}

const Kind kind_flatten = {
    .name = "flatten",
    .role = ROLE_LAYER,
    .syntax = "flatten",
    .help = "CxHxW or TxC to N numbers, in that order",
    .params = params,
    .shape = shape,
    .lower = lower_flatten,
    .torch = "x.flatten(1)",
    .examples = "input 2x3x4; flatten|input 9; flatten; tanh|input 3x4; tanh; flatten; fc 2",
};
