/* softplus: log(1 + exp(x)), which above 20 is x to the last digit of a float (Softplus). Its derivative
 * is sigmoid(x). */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *softplus(Expr *in, const Layer *layer)
{
    (void)layer;
    return if_le(in, constant(20), unary(OP_LOG1P, unary(OP_EXP, in)), in);
}

static void lower_softplus(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, softplus);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    add_to_adjoint(
        prog, s, in,
        mul(adjoint_at(prog, same_place(in, tensor_of(prog, layer->out))), unary(OP_SIGMOID, load(in))));
}

const Kind kind_softplus = {
    .name = "softplus",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "softplus",
    .help = "log(1 + exp(x)) (Softplus)",
    .params = params,
    .shape = same_shape,
    .lower = lower_softplus,
    .gradient = gradient,
    .torch = "F.softplus(x)",
    .examples = "input 2x3x4; softplus|input 9; softplus|input 5; normalize mean=0 std=0.02; softplus",
};
