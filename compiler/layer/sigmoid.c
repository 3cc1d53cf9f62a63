/* sigmoid: 1 / (1 + exp(-x)). */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *sigmoid(Expr *in, const Layer *layer)
{
    (void)layer;
    return unary(OP_SIGMOID, in);
}

static void lower_sigmoid(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, sigmoid);
}

const Kind kind_sigmoid = {
    .name = "sigmoid",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "sigmoid",
    .help = "1 / (1 + exp(-x))",
    .params = params,
    .shape = same_shape,
    .lower = lower_sigmoid,
    .torch = "torch.sigmoid(x)",
    .examples = "input 2x3x4; sigmoid; loss mse|input 9; sigmoid; loss mse",
};
