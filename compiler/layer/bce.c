/* bce: BCEWithLogitsLoss, the mean over all elements of
 *
 *     (1 - t) z + (1 + (p - 1) t) (max(-z, 0) + log(1 + exp(-|z|)))
 *     d_z = ((1 + (p - 1) t) sigmoid(z) - p t) / count
 *
 * with p the posweight, which without it is 1. With smooth, (1 - smooth) t + smooth / 2 stands for t. After
 * sigmoid it takes sigmoid's input and so is BCELoss without its overflow. */
#include "layer/layer.h"

static const Param params[] = {
    {"posweight", PARAM_NUMBERS, false, "1", 0, 1e30, NULL, "weight of the positive answers"},
    {"smooth", PARAM_NUMBER, false, "0", 0, 1, NULL, "share of the target that both answers get alike"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    const Arg *weight = arg_of(layer, "posweight");
    int64_t channels = layer->in->shape.c;
    if (weight->n != 1 && weight->n != channels) {
        error_at(weight->loc,
                 "the argument 'posweight' has %d numbers, but the input has %lld channel%s: "
                 "give one number, or one for each",
                 weight->n, (long long)channels, channels == 1 ? "" : "s");
        return false;
    }
    net->targets = shape_count(layer->in->shape);
    return true;
}

static Expr *posweight(Prog *prog, const Layer *layer, Affine channel)
{
    const Arg *weight = arg_of(layer, "posweight");
    int64_t n = weight->n;
    if (n == 1)
        return constant(weight->list[0]);
    Tensor *table = prog->backward ? find_part(prog, "posweight")
                                   : constant_tensor(prog, "posweight", 1, &n, weight->list);
    return load(access_at(table, channel));
}

static Expr *target(const Prog *prog, const Layer *layer, Access place)
{
    double smooth = arg_of(layer, "smooth")->list[0];
    return add(mul(load(same_place(place, prog->t)), constant(1 - smooth)), constant(smooth / 2));
}

/* 1 + (p - 1) t */
static Expr *weight_of(Expr *p, Expr *t)
{
    return expr_is(p, 1)
             ? p
             : add(constant(1), mul(p->op == OP_CONSTANT ? constant(p->value - 1) : sub(p, constant(1)), t));
}

static void lower_bce(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *z = load(in), *t = target(prog, layer, in), *p = posweight(prog, layer, channel_index(&in));
    Expr *rest = unary(OP_LOG1P, unary(OP_EXP, sub(constant(0), unary(OP_ABS, z))));
    if (expr_is(p, 1)) {
        add_to_loss(prog, s, add(sub(if_le(z, constant(0), constant(0), z), mul(z, t)), rest));
        return;
    }
    Expr *below = if_le(z, constant(0), sub(constant(0), z), constant(0));
    add_to_loss(prog, s, add(mul(sub(constant(1), t), z), mul(weight_of(p, t), add(below, rest))));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *t = target(prog, layer, in), *p = posweight(prog, layer, channel_index(&in));
    add_to_adjoint(
        prog, s, in,
        mul(sub(mul(weight_of(p, t), unary(OP_SIGMOID, load(in))), mul(p, t)), share_of_mean(prog)));
}

const Kind kind_bce = {
    .name = "bce",
    .role = ROLE_LOSS,
    .syntax = "loss bce [posweight=P[,P...]] [smooth=0]",
    .help = "BCELoss; the default after sigmoid; takes logits after any other layer (BCEWithLogitsLoss)",
    .params = params,
    .shape = shape,
    .lower = lower_bce,
    .gradient = gradient,
    .absorbs = "sigmoid",
    .torch = "smooth image ? F.binary_cross_entropy_with_logits(y, t * (1 - {smooth}) + {smooth} / 2, "
             "pos_weight=torch.tensor({posweight}).to(y).reshape(-1, 1, 1))|"
             "smooth ? F.binary_cross_entropy_with_logits(y, t * (1 - {smooth}) + {smooth} / 2, "
             "pos_weight=torch.tensor({posweight}).to(y))|"
             "image ? F.binary_cross_entropy_with_logits(y, t, "
             "pos_weight=torch.tensor({posweight}).to(y).reshape(-1, 1, 1))|"
             "F.binary_cross_entropy_with_logits(y, t, pos_weight=torch.tensor({posweight}).to(y))",
    .examples =
        "input 5; sigmoid|input 5; loss bce|input 3x2x4; sigmoid; loss bce|input 2x2x2; tanh; loss bce|"
        "input 5; loss bce posweight=2|input 3x2; sigmoid; loss bce posweight=2,0.5|input 3x2x3; sigmoid; "
        "loss bce posweight=0.5,3,1|input 1; loss bce "
        "posweight=0|input 5; sigmoid; loss bce smooth=0.2|input 3x2; fc 3; loss bce smooth=0.5 "
        "posweight=2,0.5,1",
};
