/* mse: MSELoss, the mean of (in - target)^2 over all elements. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_mse(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *difference = sub(load(in), load(same_place(in, prog->t)));
    add_to_loss(prog, s, mul(difference, difference));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *difference = sub(load(in), load(same_place(in, prog->t)));
    add_to_adjoint(prog, s, in, mul(mul(constant(2), difference), share_of_mean(prog)));
}

const Kind kind_mse = {
    .name = "mse",
    .fallback = true,
    .role = ROLE_LOSS,
    .syntax = "loss mse",
    .help = "MSELoss; the default after all layers but softmax and sigmoid",
    .params = params,
    .shape = shape,
    .lower = lower_mse,
    .gradient = gradient,
    .torch = "F.mse_loss(y, t)",
    .examples =
        "input 5; tanh|input 3x4; tanh; loss mse|input 3x2x4; tanh; loss mse|input 4; softmax; loss mse|"
        "input 4; sigmoid; loss mse",
};
