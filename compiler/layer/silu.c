/* silu: x sigmoid(x), also called swish (SiLU). With s = sigmoid(x) its derivative is s (1 + x (1 - s)). */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *silu(Expr *in, const Layer *layer)
{
    (void)layer;
    return mul(in, unary(OP_SIGMOID, in));
}

static void lower_silu(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, silu);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *share = unary(OP_SIGMOID, load(in));
    Expr *slope = mul(share, add(constant(1), mul(load(in), sub(constant(1), share))));
    add_to_adjoint(prog, s, in, mul(adjoint_at(prog, same_place(in, tensor_of(prog, layer->out))), slope));
}

const Kind kind_silu = {
    .name = "silu",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "silu",
    .help = "x sigmoid(x) (SiLU)",
    .params = params,
    .shape = same_shape,
    .lower = lower_silu,
    .gradient = gradient,
    .torch = "F.silu(x)",
    .examples = "input 2x3x4; silu|input 9; silu",
};
