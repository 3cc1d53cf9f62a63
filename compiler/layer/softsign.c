/* softsign: x / (1 + |x|) (Softsign). Its derivative is 1 / (1 + |x|)^2. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *spread(Expr *in)
{
    return add(constant(1), unary(OP_ABS, in));
}

static Expr *softsign(Expr *in, const Layer *layer)
{
    (void)layer;
    return divide(in, spread(in));
}

static void lower_softsign(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, softsign);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *d_out = adjoint_at(prog, same_place(in, tensor_of(prog, layer->out)));
    add_to_adjoint(prog, s, in, divide(divide(d_out, spread(load(in))), spread(load(in))));
}

const Kind kind_softsign = {
    .name = "softsign",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "softsign",
    .help = "x / (1 + |x|) (Softsign)",
    .params = params,
    .shape = same_shape,
    .rises = true,
    .lower = lower_softsign,
    .gradient = gradient,
    .torch = "F.softsign(x)",
    .examples = "input 2x3x4; softsign|input 9; softsign|input 2x5x4; softsign; maxpool 2",
};
