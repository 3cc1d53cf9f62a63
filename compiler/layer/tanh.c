/* tanh: the hyperbolic tangent. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *hyperbolic_tangent(Expr *in, const Layer *layer)
{
    (void)layer;
    return unary(OP_TANH, in);
}

static void lower_tanh(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, hyperbolic_tangent);
}

const Kind kind_tanh = {
    .name = "tanh",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "tanh",
    .help = "hyperbolic tangent",
    .params = params,
    .shape = same_shape,
    .lower = lower_tanh,
    .torch = "torch.tanh(x)",
    .examples = "input 2x3x4; tanh|input 9; tanh",
};
