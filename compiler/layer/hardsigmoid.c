/* hardsigmoid: x/6 + 1/2, but at least 0 and at most 1 (Hardsigmoid). */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *hardsigmoid(Expr *in, const Layer *layer)
{
    (void)layer;
    Expr *between = mul(add(in, constant(3)), constant(1.0 / 6));
    return if_le(in, constant(-3), constant(0), if_le(constant(3), in, constant(1), between));
}

static void lower_hardsigmoid(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, hardsigmoid);
}

const Kind kind_hardsigmoid = {
    .name = "hardsigmoid",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "hardsigmoid",
    .help = "x/6 + 1/2, at least 0 and at most 1 (Hardsigmoid)",
    .params = params,
    .shape = same_shape,
    .lower = lower_hardsigmoid,
    .torch = "F.hardsigmoid(x)",
    .examples =
        "input 2x3x4; hardsigmoid|input 9; hardsigmoid|input 7; normalize mean=0 std=0.2; hardsigmoid",
};
