/* huber: HuberLoss, the mean over all elements of
 *
 *     d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)        with d = in - target */
#include "layer/layer.h"

static const Param params[] = {
    {"DELTA", PARAM_NUMBER, true, "1", -1e30, 1e30, NULL, "delta"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    const Arg *delta = &layer->arg[0];
    if (!((float)delta->list[0] > 0)) {
        error_at(delta->loc, "the delta of huber must be greater than 0");
        return false;
    }
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_huber(Prog *prog, const Layer *layer)
{
    double delta = layer->arg[0].list[0];
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *difference = sub(load(in), load(same_place(in, prog->t))), *size = unary(OP_ABS, difference);
    Expr *near = mul(mul(difference, difference), constant(0.5));
    Expr *far = mul(sub(size, constant(delta / 2)), constant(delta));
    add_to_loss(prog, s, if_le(size, constant(delta), near, far));
}

/* The difference, but at least -delta and at most delta. */
static void gradient(Prog *prog, const Layer *layer)
{
    double delta = layer->arg[0].list[0];
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *difference = sub(load(in), load(same_place(in, prog->t)));
    Expr *most = constant(delta), *least = constant(-delta);
    add_to_adjoint(
        prog, s, in,
        mul(if_le(difference, least, least, if_le(most, difference, most, difference)), share_of_mean(prog)));
}

const Kind kind_huber = {
    .name = "huber",
    .role = ROLE_LOSS,
    .syntax = "loss huber [1]",
    .help = "HuberLoss: a square up to delta, straight beyond",
    .params = params,
    .shape = shape,
    .lower = lower_huber,
    .gradient = gradient,
    .torch = "F.huber_loss(y, t, delta={DELTA})",
    .examples = "input 5; loss huber|input 3x2x5; tanh; loss huber 0.3|input 7; loss huber 1.75",
};
