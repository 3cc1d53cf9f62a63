/* focal: the focal loss of Lin et al. on logits, as torchvision's sigmoid_focal_loss has it: the mean over
 * all elements of
 *
 *     a q^gamma b        a = alpha t + (1 - alpha) (1 - t)        q = p (1 - t) + (1 - p) t
 *
 * with p = sigmoid(z) and b = bce of z and t. An alpha below 0 leaves a out. After sigmoid it takes sigmoid's
 * input. Its derivative is a (q^gamma (p - t) + b gamma q^(gamma - 1) (1 - 2 t) p (1 - p)). */
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"alpha", PARAM_NUMBER, false, "0.25", -1e30, 1, NULL, "weight of the positive answers"},
    {"gamma", PARAM_NUMBER, false, "2", 0, 1e30, NULL, "how much less easy answers count"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

typedef struct Terms {
    Expr *z, *t, *p, *not_p, *a, *b, *q;
} Terms;

static Terms terms_of(Prog *prog, const Layer *layer, Access in)
{
    double alpha = arg_of(layer, "alpha")->list[0];
    Terms e = {.z = load(in), .t = load(same_place(in, prog->t))};
    Expr *minus = sub(constant(0), e.z), *not_t = sub(constant(1), e.t);
    e.p = unary(OP_SIGMOID, e.z);
    e.not_p = unary(OP_SIGMOID, minus);
    e.a = alpha < 0 ? constant(1) : add(mul(constant(alpha), e.t), mul(constant(1 - alpha), not_t));
    Expr *rest = unary(OP_LOG1P, unary(OP_EXP, sub(constant(0), unary(OP_ABS, e.z))));
    e.b = add(sub(if_le(e.z, constant(0), constant(0), e.z), mul(e.z, e.t)), rest);
    e.q = add(mul(e.p, not_t), mul(e.not_p, e.t));
    return e;
}

/* q^n, for small whole numbers by multiplications */
static Expr *power(Expr *q, double n)
{
    if (n == 0)
        return constant(1);
    if (n == floor(n) && n > 0 && n <= 8)
        return n == 1 ? q : mul(power(q, n - 1), q);
    return if_le(q, constant(0), constant(n > 0 ? 0 : INFINITY),
                 unary(OP_EXP, mul(constant(n), unary(OP_LOG, q))));
}

static void lower_focal(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Terms e = terms_of(prog, layer, element(s, tensor_of(prog, layer->in)));
    add_to_loss(prog, s, mul(mul(e.a, power(e.q, arg_of(layer, "gamma")->list[0])), e.b));
}

static void gradient(Prog *prog, const Layer *layer)
{
    double gamma = arg_of(layer, "gamma")->list[0];
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Terms e = terms_of(prog, layer, in);
    Expr *d = mul(power(e.q, gamma), sub(e.p, e.t));
    if (gamma != 0) {
        Expr *d_q = mul(sub(constant(1), mul(constant(2), e.t)), mul(e.p, e.not_p));
        d = add(d, mul(mul(e.b, mul(constant(gamma), power(e.q, gamma - 1))), d_q));
    }
    add_to_adjoint(prog, s, in, mul(mul(e.a, d), share_of_mean(prog)));
}

const Kind kind_focal = {
    .name = "focal",
    .role = ROLE_LOSS,
    .syntax = "loss focal [alpha=0.25] [gamma=2]",
    .help = "focal loss of sigmoid answers (torchvision's sigmoid_focal_loss); takes logits after "
            "other layers",
    .params = params,
    .shape = shape,
    .lower = lower_focal,
    .gradient = gradient,
    .absorbs = "sigmoid",
    .torch = "focal(y, t, {alpha}, {gamma})",
    .torch_helper =
        "def focal(y, t, alpha, gamma):\n"
        "    p = torch.sigmoid(y)\n"
        "    share = alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else 1\n"
        "    loss = F.binary_cross_entropy_with_logits(y, t, reduction='none')\n"
        "    return (share * loss * (1 - p * t - (1 - p) * (1 - t)) ** gamma).mean()\n",
    .examples = "input 5; loss focal|input 3x2x4; sigmoid; loss focal alpha=0.5 gamma=1|input 4x3; sigmoid; "
                "loss focal gamma=1.5|input 4; loss focal alpha=-1 gamma=0|input 3; loss focal gamma=3",
};
