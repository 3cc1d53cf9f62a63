/* hinge: MultiMarginLoss from scores and class labels, the mean over samples (and positions) of
 *
 *     sum over c other than target of max(0, margin - in[target] + in[c]), divided by C
 *
 * A label that names no class makes the loss NaN. */
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"MARGIN", PARAM_NUMBER, true, "1", -1e30, 1e30, NULL, "margin"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    Shape in = layer->in->shape;
    net->targets = in.h * in.w;
    net->int_targets = true;
    return true;
}

/* One value where c is the target, another where it is not. */
static Expr *if_target(Prog *prog, Access each, Expr *then, Expr *otherwise)
{
    return if_eq(load(without_channel(each, prog->t)), index_value(channel_index(&each)), then, otherwise);
}

/* margin - in[target] + in[c] */
static Expr *lacking(Prog *prog, const Layer *layer, Access each)
{
    return add(sub(constant(layer->arg[0].list[0]), load(without_channel(each, find_part(prog, "score")))),
               load(each));
}

static void lower_hinge(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    Tensor *score = part_without_channel(prog, "score", in), *sum = part_without_channel(prog, "sum", in);
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, score), constant(0));
    s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_ADD, without_channel(each, score),
          if_target(prog, each, load(each), constant(0)));

    s = new_statement(prog);
    Access here = element(s, sum);
    Expr *label = load(same_place(here, prog->t)), *last = constant((double)(layer->in->shape.c - 1));
    store(prog, s, STORE_SET, here,
          if_le(constant(0), label, if_le(label, last, constant(0), constant(NAN)), constant(NAN)));
    s = new_statement(prog);
    each = element(s, in);
    Expr *lack = lacking(prog, layer, each);
    store(prog, s, STORE_ADD, without_channel(each, sum),
          mul(if_target(prog, each, constant(0), if_le(lack, constant(0), constant(0), lack)),
              constant(1.0 / (double)layer->in->shape.c)));

    s = new_statement(prog);
    add_to_loss(prog, s, load(element(s, sum)));
}

/* Each class that lacks its margin has 1 / C, and the target minus as many. */
static void gradient(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *many = part_without_channel(prog, "many", in);
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, many), constant(0));
    s = new_statement(prog);
    Access each = element(s, in);
    Expr *one = if_le(lacking(prog, layer, each), constant(0), constant(0), constant(1));
    store(prog, s, STORE_ADD, without_channel(each, many), if_target(prog, each, constant(0), one));
    s = new_statement(prog);
    each = element(s, in);
    one = if_le(lacking(prog, layer, each), constant(0), constant(0), constant(1));
    Expr *slope = if_target(prog, each, sub(constant(0), load(without_channel(each, many))), one);
    add_to_adjoint(prog, s, each,
                   mul(mul(slope, constant(1.0 / (double)layer->in->shape.c)), share_of_mean(prog)));
}

const Kind kind_hinge = {
    .name = "hinge",
    .role = ROLE_LOSS,
    .syntax = "loss hinge [1]",
    .help = "MultiMarginLoss of class labels: by how much other scores come within the margin, 1",
    .params = params,
    .shape = shape,
    .lower = lower_hinge,
    .gradient = gradient,
    .torch = "image ? F.multi_margin_loss(y.flatten(2).transpose(1, 2).reshape(-1, {in}), t.flatten(), "
             "margin={MARGIN})|F.multi_margin_loss(y.reshape(-1, {in}), t.flatten(), margin={MARGIN})",
    .examples = "input 5; loss hinge|input 3x2x4; loss hinge 0.5|input 4x3; tanh; loss hinge|input 9; fc 3; "
                "loss hinge 2",
};
