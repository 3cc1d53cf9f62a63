/* mish: x tanh(softplus(x)) (Mish). With e = exp(x) and n = e (e + 2)
 *
 *     out = x n / (n + 2)        its derivative: n / (n + 2) + x 4 e (e + 1) / (n + 2)^2
 *
 * which lose no digits on either side of 0. Above 20 out is x to the last digit of a float. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *with_two(Expr *e)
{
    return add(mul(e, add(e, constant(2))), constant(2));
}

static Expr *share(Expr *e)
{
    return divide(mul(e, add(e, constant(2))), with_two(e));
}

static Expr *mish(Expr *in, const Layer *layer)
{
    (void)layer;
    return if_le(in, constant(20), mul(in, share(unary(OP_EXP, in))), in);
}

static void lower_mish(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, mish);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *e = unary(OP_EXP, load(in)), *rise = mul(mul(constant(4), e), add(e, constant(1)));
    Expr *slope = add(share(e), mul(load(in), divide(divide(rise, with_two(e)), with_two(e))));
    Expr *d_out = adjoint_at(prog, same_place(in, tensor_of(prog, layer->out)));
    add_to_adjoint(prog, s, in, if_le(load(in), constant(20), mul(d_out, slope), d_out));
}

const Kind kind_mish = {
    .name = "mish",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "mish",
    .help = "x tanh(softplus(x)) (Mish)",
    .params = params,
    .shape = same_shape,
    .lower = lower_mish,
    .gradient = gradient,
    .torch = "F.mish(x)",
    .examples = "input 2x3x4; mish|input 9; mish|input 5; normalize mean=0 std=0.04; mish",
};
