/* leakyrelu: x above 0, slope x below (LeakyReLU). */
#include "layer/layer.h"

static const Param params[] = {
    {"SLOPE", PARAM_NUMBER, true, "0.01", -1e30, 1e30, NULL, "slope"},
    {0},
};

static Expr *leakyrelu(Expr *in, const Layer *layer)
{
    return if_le(in, constant(0), mul(in, constant(layer->arg[0].list[0])), in);
}

static void lower_leakyrelu(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, leakyrelu);
}

const Kind kind_leakyrelu = {
    .name = "leakyrelu",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "leakyrelu [0.01]",
    .help = "x above 0, slope times x below (LeakyReLU)",
    .params = params,
    .shape = same_shape,
    .lower = lower_leakyrelu,
    .torch = "F.leaky_relu(x, {SLOPE})",
    .examples = "input 2x3x4; leakyrelu|input 9; leakyrelu 0.2|input 5; leakyrelu -0.5|input 5; leakyrelu 0",
};
