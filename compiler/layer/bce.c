/* bce: BCEWithLogitsLoss, the mean over all elements of
 *
 *     max(z, 0) - z t + log(1 + exp(-|z|))       d_z = (sigmoid(z) - t) / count
 *
 * After sigmoid it takes sigmoid's input and so is BCELoss without its overflow. */
#include "../nnc.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_bce(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *z = load(in), *t = load(same_place(in, prog->t));
    Expr *rest = unary(OP_LOG1P, unary(OP_EXP, sub(constant(0), unary(OP_ABS, z))));
    Expr *loss = add(sub(if_le(z, constant(0), constant(0), z), mul(z, t)), rest);
    add_to_loss(prog, s, loss);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    add_to_adjoint(prog, s, in,
                   mul(sub(unary(OP_SIGMOID, load(in)), load(same_place(in, prog->t))), share_of_mean(prog)));
}

const Kind kind_bce = {
    .name = "bce",
    .role = ROLE_LOSS,
    .syntax = "loss bce",
    .help = "BCELoss; the default after sigmoid; takes logits after any other layer (BCEWithLogitsLoss)",
    .params = params,
    .shape = shape,
    .lower = lower_bce,
    .gradient = gradient,
    .absorbs = "sigmoid",
    .examples = "input 5; sigmoid|input 5; loss bce|input 3x2x4; sigmoid; loss bce|input 2x2x2; tanh; loss bce",
};
