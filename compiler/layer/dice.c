/* dice: how little probabilities and masks overlap, 1 - (2 sum of p t + smooth) / (sum of p + t + smooth):
 * over the positions of each channel, where there are any, else over all features; then the mean over samples
 * and channels. It takes probabilities: put sigmoid or softmax before it. */
#include "layer/layer.h"

static const Param params[] = {
    {"smooth", PARAM_NUMBER, false, "1", 0, 1e30, NULL, "added above and below"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

/* The sums that an element goes to. */
static Access sum_at(Access each, Tensor *sum)
{
    return sum->rank ? access_at(sum, channel_index(&each)) : access_at(sum);
}

static void lower_dice(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    int64_t channels = in->dim[in->channel];
    double smooth = arg_of(layer, "smooth")->list[0];
    Tensor *both = part_of(prog, "both", in->rank > 1, &channels);
    Tensor *all = part_of(prog, "all", in->rank > 1, &channels);
    for (int i = 0; i < 2; i++) {
        Statement *s = new_statement(prog);
        store(prog, s, STORE_SET, element(s, i ? all : both), constant(0));
        s = new_statement(prog);
        Access each = element(s, in);
        Expr *p = load(each), *t = load(same_place(each, prog->t));
        store(prog, s, STORE_ADD, sum_at(each, i ? all : both), i ? add(p, t) : mul(p, t));
    }
    Statement *s = new_statement(prog);
    Access here = element(s, both);
    Expr *above = add(mul(constant(2), load(here)), constant(smooth));
    Expr *share = divide(above, add(load(same_place(here, all)), constant(smooth)));
    /* add_to_loss divides by all elements, and there are fewer terms */
    double elements = (double)in->count / (in->rank > 1 ? (double)channels : 1);
    add_to_loss(prog, s, mul(sub(constant(1), share), constant(elements)));
}

/* ((2 both + smooth) - 2 t (all + smooth)) / (all + smooth)^2 */
static void gradient(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    double smooth = arg_of(layer, "smooth")->list[0];
    double elements = (double)in->count / (in->rank > 1 ? (double)in->dim[in->channel] : 1);
    Statement *s = new_statement(prog);
    Access each = element(s, in);
    Expr *above = add(mul(constant(2), load(sum_at(each, find_part(prog, "both")))), constant(smooth));
    Expr *below = add(load(sum_at(each, find_part(prog, "all"))), constant(smooth));
    Expr *t = load(same_place(each, prog->t));
    Expr *d = divide(sub(divide(above, below), mul(constant(2), t)), below);
    add_to_adjoint(prog, s, each, mul(mul(d, constant(elements)), share_of_mean(prog)));
}

const Kind kind_dice = {
    .name = "dice",
    .role = ROLE_LOSS,
    .syntax = "loss dice [smooth=1]",
    .help = "1 - 2 |p t| / (|p| + |t|) of each channel, from probabilities: sigmoid or softmax before it",
    .params = params,
    .shape = shape,
    .lower = lower_dice,
    .gradient = gradient,
    .torch = "image ? dice(y, t, (2, 3), {smooth})|dice(y, t, (1,), {smooth})",
    .torch_helper =
        "def dice(y, t, over, smooth):\n"
        "    shares = (2 * (y * t).sum(over) + smooth) / (y.sum(over) + t.sum(over) + smooth)\n"
        "    return (1 - shares).mean()\n",
    .examples = "input 5; sigmoid; loss dice|input 3x2x4; sigmoid; loss dice|input 2x3x3; softmax; loss dice "
                "smooth=0.1|input 4x3; sigmoid; loss dice",
};
