/* crossentropy: CrossEntropyLoss from logits and class labels, the mean over samples (and positions).
 *
 *     nll = log(sum over c of exp(in[c] - max)) + (max - in[target])
 *     d_in[c] = (softmax(in)[c] - (c == target)) / count
 *
 * With weights and smoothing each class has a share of the target, which need not sum to 1,
 *
 *     q[c] = weight[c] ((1 - smooth) (c == target) + smooth / C)
 *     nll = sum over c of q[c] (log(...) + (max - in[c]))
 *
 * d_in[c] = (softmax(in)[c] sum of q - q[c]) / count, and count is the sum of the targets' weights, not
 * their number.
 *
 * A position with the label -100 is not counted (ignore_index): its nll, its gradient and its part of count
 * are 0. Where none counts, the loss is NaN and the gradient 0.
 *
 * After softmax it takes softmax's input, where p - t is exact and nothing overflows. Any other label that
 * names no class makes the loss NaN. */
#include <math.h>

#include "layer/layer.h"

enum { IGNORED = -100 };

static const Param params[] = {
    {"smooth", PARAM_NUMBER, false, "0", 0, 1, NULL, "share of the target that all classes get alike"},
    {"weights", PARAM_NUMBERS, false, "", 0, 1e30, NULL, "weight of each class"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    Shape in = layer->in->shape;
    const Arg *weights = arg_of(layer, "weights");
    if (weights->n && weights->n != in.c) {
        error_at(weights->loc,
                 "the argument 'weights' has %d number%s, but there are %lld classes: give one for each",
                 weights->n, weights->n == 1 ? "" : "s", (long long)in.c);
        return false;
    }
    net->class_weights = weights->list;
    net->targets = in.h * in.w;
    net->int_targets = true;
    net->ignored = IGNORED;
    net->ignores = true;
    return true;
}

static Expr *label(Prog *prog, Access of_position)
{
    return load(same_place(of_position, prog->t));
}

static Expr *if_target(Prog *prog, Access each, Expr *then, Expr *otherwise)
{
    return if_eq(label(prog, without_channel(each, prog->t)), index_value(channel_index(&each)), then,
                 otherwise);
}

static bool is_plain(const Layer *layer)
{
    return !arg_of(layer, "weights")->n && arg_of(layer, "smooth")->list[0] == 0;
}

/* weight[c] */
static Expr *weight(Prog *prog, const Layer *layer, Affine c)
{
    const Arg *weights = arg_of(layer, "weights");
    int64_t n = weights->n;
    if (!n)
        return constant(1);
    Tensor *table =
        prog->backward ? find_part(prog, "weights") : constant_tensor(prog, "weights", 1, &n, weights->list);
    return load(access_at(table, c));
}

/* 0 in the place of the value, where the label is not counted. */
static Expr *if_counted(Prog *prog, Access position, Expr *value)
{
    return if_eq(label(prog, position), constant(IGNORED), constant(0), value);
}

/* q[c] times a factor; without smoothing, that of the target alone. */
static Expr *share_of(Prog *prog, const Layer *layer, Access each, Expr *factor)
{
    double smooth = arg_of(layer, "smooth")->list[0], rest = smooth / (double)layer->in->shape.c;
    factor = mul(weight(prog, layer, channel_index(&each)), factor);
    if (smooth == 0)
        return if_target(prog, each, factor, constant(0));
    return mul(factor, if_target(prog, each, constant(1 - smooth + rest), constant(rest)));
}

/* The value; 0 where the label is not counted, NaN where it names no class. */
static Expr *check_label(Prog *prog, const Layer *layer, Access position, Expr *value)
{
    return if_le(
        constant(0), label(prog, position),
        if_le(label(prog, position), constant((double)(layer->in->shape.c - 1)), value, constant(NAN)),
        if_counted(prog, position, constant(NAN)));
}

/* A part of the softmax that works out the answer of the same logits; NULL: there is none. */
static Tensor *part_of_answer(const Prog *prog, const Layer *layer, const char *part)
{
    const Value *out = prog->net->out;
    return prog->answers && layer->in != out ? find_tensor(prog, format("%s.%s", out->producer->name, part))
                                             : NULL;
}

/* The greatest logit and the sum of exp(in[c] - max), at each position. */
void lower_softmax_sum(Prog *prog, const Layer *layer, Tensor **greatest, Tensor **total)
{
    *greatest = part_of_answer(prog, layer, "max");
    *total = part_of_answer(prog, layer, "sum");
    if (*total)
        return;
    Tensor *in = tensor_of(prog, layer->in);
    Tensor *max = *greatest = part_without_channel(prog, "max", in);
    Tensor *power = part_like(prog, "exp", in);
    Tensor *sum = *total = part_without_channel(prog, "sum", in);

    Statement *s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_MAX, without_channel(each, max), load(each));

    s = new_statement(prog);
    each = element(s, in);
    store(prog, s, STORE_SET, same_place(each, power),
          unary(OP_EXP, sub(load(each), load(without_channel(each, max)))));

    s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, sum), constant(0));

    s = new_statement(prog);
    each = element(s, power);
    store(prog, s, STORE_ADD, without_channel(each, sum), load(each));
}

static void lower_crossentropy(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *max, *sum;
    lower_softmax_sum(prog, layer, &max, &sum);
    /* Of many positions the logarithm is a statement of its own, which labels don't keep out of vectors. */
    Tensor *whole = is_plain(layer) && in->rank == 1 ? NULL : part_without_channel(prog, "whole", in);
    Tensor *nll = part_without_channel(prog, "nll", in);

    Statement *s = new_statement(prog);
    Access here = element(s, whole ? whole : nll);
    Expr *logarithm = unary(OP_LOG, load(same_place(here, sum)));
    store(prog, s, STORE_SET, here, whole ? logarithm : check_label(prog, layer, here, logarithm));

    if (whole) {
        s = new_statement(prog);
        here = element(s, nll);
        store(prog, s, STORE_SET, here,
              check_label(prog, layer, here, is_plain(layer) ? load(same_place(here, whole)) : constant(0)));
    }

    s = new_statement(prog);
    Access each = element(s, in);
    /* max + log loses the digits of a small log */
    Expr *below = sub(load(without_channel(each, max)), load(each)), *term;
    if (is_plain(layer))
        term = if_target(prog, each, below, constant(0));
    else
        term = if_counted(prog, without_channel(each, prog->t),
                          share_of(prog, layer, each, add(load(without_channel(each, whole)), below)));
    store(prog, s, STORE_ADD, without_channel(each, nll), term);

    s = new_statement(prog);
    add_to_loss(prog, s, load(element(s, nll)));
}

/* The sum of q at each position. */
static Tensor *total_share(Prog *prog, const Layer *layer, Tensor *in)
{
    const Arg *weights = arg_of(layer, "weights");
    double smooth = arg_of(layer, "smooth")->list[0], all = 0;
    for (int c = 0; c < weights->n; c++)
        all += weights->list[c];
    Tensor *total = part_without_channel(prog, "share", in);
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, total), constant(all * smooth / (double)in->dim[in->channel]));
    s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_ADD, without_channel(each, total),
          if_target(prog, each, mul(weight(prog, layer, channel_index(&each)), constant(1 - smooth)),
                    constant(0)));
    return total;
}

static void gradient(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    Tensor *total = arg_of(layer, "weights")->n ? total_share(prog, layer, in) : NULL;
    Statement *s = new_statement(prog);
    Access each = element(s, in);
    Tensor *power = find_part(prog, "exp"), *sum = find_part(prog, "sum");
    Expr *p = divide(load(same_place(each, power)), load(without_channel(each, sum)));
    if (total)
        p = mul(p, load(without_channel(each, total)));
    Expr *q = is_plain(layer) ? if_target(prog, each, constant(1), constant(0))
                              : share_of(prog, layer, each, constant(1));
    Expr *share = if_counted(prog, without_channel(each, prog->t), share_of_mean(prog));
    add_to_adjoint(prog, s, each, mul(sub(p, q), share));
}

const Kind kind_crossentropy = {
    .name = "crossentropy",
    .role = ROLE_LOSS,
    .syntax = "loss crossentropy [smooth=0] [weights=W[,W...]]",
    .help = "CrossEntropyLoss; the default after softmax; takes logits after any other layer",
    .params = params,
    .shape = shape,
    .lower = lower_crossentropy,
    .gradient = gradient,
    .absorbs = "softmax",
    .torch = "sequence weights ? F.cross_entropy(y.transpose(1, 2), t, torch.tensor({weights}).to(y), "
             "label_smoothing={smooth})|sequence ? F.cross_entropy(y.transpose(1, 2), t, "
             "label_smoothing={smooth})|weights ? F.cross_entropy(y, t, torch.tensor({weights}).to(y), "
             "label_smoothing={smooth})|F.cross_entropy(y, t, label_smoothing={smooth})",
    .examples = "input 5; loss crossentropy|input 5; softmax|input 3x2x4; loss crossentropy|input 3x2x4; "
                "softmax|input 1; softmax|"
                "input 4x3; softmax|input 3x4; fc 2; loss crossentropy smooth=0.2 weights=2,1|"
                "input 5; loss crossentropy smooth=0.1|input 3x2x3; loss crossentropy weights=1,0.5,3|"
                "input 3; softmax; loss crossentropy smooth=0.3 weights=0.5,2,1|input 2x3x2; loss "
                "crossentropy smooth=1 weights=1,4",
};
