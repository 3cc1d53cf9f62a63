/* gelu: x times the share of the normal distribution that lies below x (GELU),
 *
 *     x (1 + erf(x / sqrt 2)) / 2
 *
 * or its approximation x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), here written x
 * sigmoid(2 u). */
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"tanh", PARAM_FLAG, false, "false", 0, 1, NULL, "the approximation by tanh"},
    {0},
};

enum { EXACT, BY_TANH };

static const double root_half = 0.70710678118654752, root_2_by_pi = 0.79788456080286536, cubic = 0.044715;

/* 2 u */
static Expr *twice_u(Expr *in)
{
    Expr *factor = add(mul(mul(in, in), constant(2 * root_2_by_pi * cubic)), constant(2 * root_2_by_pi));
    return mul(in, factor);
}

static Expr *gelu(Expr *in, const Layer *layer)
{
    if (layer->arg[0].i[0] == BY_TANH)
        return mul(in, unary(OP_SIGMOID, twice_u(in)));
    Expr *share = add(mul(unary(OP_ERF, mul(in, constant(root_half))), constant(0.5)), constant(0.5));
    return mul(in, share);
}

static void lower_gelu(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, gelu);
}

/* The share + x times its density; or s + x s (1 - s) (2 u)'. */
static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access at = element(s, tensor_of(prog, layer->in));
    Expr *in = load(at), *square = mul(in, in), *slope;
    if (layer->arg[0].i[0] == BY_TANH) {
        Expr *share = unary(OP_SIGMOID, twice_u(in));
        Expr *inner = add(mul(square, constant(6 * root_2_by_pi * cubic)), constant(2 * root_2_by_pi));
        slope = mul(share, add(constant(1), mul(mul(in, inner), sub(constant(1), share))));
    } else {
        Expr *share = add(mul(unary(OP_ERF, mul(in, constant(root_half))), constant(0.5)), constant(0.5));
        Expr *density = mul(unary(OP_EXP, mul(square, constant(-0.5))), constant(0.5 * root_2_by_pi));
        slope = add(share, mul(in, density));
    }
    add_to_adjoint(prog, s, at, mul(adjoint_at(prog, same_place(at, tensor_of(prog, layer->out))), slope));
}

const Kind kind_gelu = {
    .name = "gelu",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "gelu [tanh=false]",
    .help = "x Phi(x), with the normal distribution function Phi (GELU); tanh=true: its approximation",
    .params = params,
    .shape = same_shape,
    .lower = lower_gelu,
    .gradient = gradient,
    .torch = "tanh=true ? F.gelu(x, approximate='tanh')|F.gelu(x)",
    .examples =
        "input 2x3x4; gelu|input 9; gelu tanh=true|input 3x5x3; gelu tanh=true|input 5; gelu tanh=false",
};
