/* crossentropy: CrossEntropyLoss from logits and class labels, the mean over samples (and positions).
 *
 *     nll = log(sum over c of exp(in[c] - max)) + max - in[target]       d_in[c] = (softmax(in)[c] - (c == target)) / count
 *
 * After softmax it takes softmax's input, where p - t is exact and nothing overflows. A label that names no
 * class makes the loss NaN. */
#include <math.h>

#include "../nnc.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    Shape in = layer->in->shape;
    net->targets = in.h * in.w;
    net->int_targets = true;
    return true;
}

static Expr *label(Prog *prog, Access of_position)
{
    return load(same_place(of_position, prog->t));
}

static void lower_crossentropy(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    Tensor *max = part_of(prog, "max", in->rank - 1, in->dim + 1);
    Tensor *power = part_of(prog, "exp", in->rank, in->dim);
    Tensor *sum = part_of(prog, "sum", in->rank - 1, in->dim + 1);
    Tensor *nll = part_of(prog, "nll", in->rank - 1, in->dim + 1);

    Statement *s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_MAX, without_channel(each, max), load(each));

    s = new_statement(prog);
    each = element(s, in);
    store(prog, s, STORE_SET, same_place(each, power), unary(OP_EXP, sub(load(each), load(without_channel(each, max)))));

    s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, sum), constant(0));

    s = new_statement(prog);
    each = element(s, power);
    store(prog, s, STORE_ADD, without_channel(each, sum), load(each));

    s = new_statement(prog);
    Access here = element(s, nll);
    Expr *whole = add(unary(OP_LOG, load(same_place(here, sum))), load(same_place(here, max)));
    store(prog, s, STORE_SET, here,
          if_le(constant(0), label(prog, here),
                if_le(label(prog, here), constant((double)(in->dim[0] - 1)), whole, constant(NAN)), constant(NAN)));

    s = new_statement(prog);
    each = element(s, in);
    store(prog, s, STORE_ADD, without_channel(each, nll),
          if_eq(label(prog, without_channel(each, nll)), index_value(each.at[0]), sub(constant(0), load(each)), constant(0)));

    s = new_statement(prog);
    add_to_loss(prog, s, load(element(s, nll)));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    Tensor *power = find_part(prog, "exp"), *sum = find_part(prog, "sum");
    Expr *p = divide(load(same_place(each, power)), load(without_channel(each, sum)));
    Expr *t = if_eq(label(prog, without_channel(each, sum)), index_value(each.at[0]), constant(1), constant(0));
    add_to_adjoint(prog, s, each, mul(sub(p, t), share_of_mean(prog)));
}

const Kind kind_crossentropy = {
    .name = "crossentropy",
    .role = ROLE_LOSS,
    .syntax = "loss crossentropy",
    .help = "CrossEntropyLoss; the default after softmax; takes logits after any other layer",
    .params = params,
    .shape = shape,
    .lower = lower_crossentropy,
    .gradient = gradient,
    .absorbs = "softmax",
    .examples = "input 5; loss crossentropy|input 5; softmax|input 3x2x4; loss crossentropy|input 3x2x4; softmax|input 1; softmax",
};
