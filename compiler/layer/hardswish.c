/* hardswish: x times hardsigmoid(x), in pieces (Hardswish). */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *hardswish(Expr *in, const Layer *layer)
{
    (void)layer;
    Expr *between = mul(mul(in, add(in, constant(3))), constant(1.0 / 6));
    return if_le(in, constant(-3), constant(0), if_le(constant(3), in, in, between));
}

static void lower_hardswish(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, hardswish);
}

const Kind kind_hardswish = {
    .name = "hardswish",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "hardswish",
    .help = "x hardsigmoid(x) (Hardswish)",
    .params = params,
    .shape = same_shape,
    .lower = lower_hardswish,
    .torch = "F.hardswish(x)",
    .examples = "input 2x3x4; hardswish|input 9; hardswish|input 7; normalize mean=0 std=0.2; hardswish",
};
