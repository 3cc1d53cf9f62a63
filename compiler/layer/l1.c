/* l1: L1Loss, the mean of |in - target| over all elements. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_l1(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    add_to_loss(prog, s, unary(OP_ABS, sub(load(in), load(same_place(in, prog->t)))));
}

/* Its sign; 0 where they are equal. */
static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *z = load(in), *t = load(same_place(in, prog->t)), *share = share_of_mean(prog);
    add_to_adjoint(prog, s, in,
                   if_le(z, t, if_eq(z, t, constant(0), sub(constant(0), share)), share));
}

const Kind kind_l1 = {
    .name = "l1",
    .role = ROLE_LOSS,
    .syntax = "loss l1",
    .help = "L1Loss",
    .params = params,
    .shape = shape,
    .lower = lower_l1,
    .gradient = gradient,
    .torch = "F.l1_loss(y, t)",
    .examples = "input 5; loss l1|input 3x2x5; tanh; loss l1|input 4; softmax; loss l1",
};
