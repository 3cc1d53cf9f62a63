/* kl: KLDivLoss from logits and probabilities t, with reduction="batchmean":
 *
 *     the sum over all elements of t (log t - log_softmax(in)), divided by the samples
 *     d_in[c] = (softmax(in)[c] sum of t - t[c]) / samples
 *
 * with 0 log 0 = 0. Positions are summed up, as PyTorch does: only so it is the divergence of a sample. After
 * softmax it takes softmax's input. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_kl(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *max, *sum;
    lower_softmax_sum(prog, layer, &max, &sum);
    Tensor *whole = part_without_channel(prog, "whole", in), *total = part_of(prog, "total", 0, NULL);
    Statement *s = new_statement(prog);
    Access here = element(s, whole);
    store(prog, s, STORE_SET, here, unary(OP_LOG, load(same_place(here, sum))));

    store(prog, new_statement(prog), STORE_SET, access_at(total), constant(0));
    s = new_statement(prog);
    Access each = element(s, in);
    Expr *t = load(same_place(each, prog->t));
    /* max + log loses the digits of a small log */
    Expr *below = sub(load(without_channel(each, max)), load(each));
    Expr *rest = add(load(without_channel(each, whole)), below);
    Expr *entropy = if_eq(t, constant(0), constant(0), mul(t, unary(OP_LOG, t)));
    store(prog, s, STORE_ADD, access_at(total), add(entropy, mul(t, rest)));
    store(prog, new_statement(prog), STORE_ADD, access_at(prog->loss),
          mul(load(access_at(total)), mean_value()));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *weight = part_without_channel(prog, "weight", in);
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, weight), constant(0));
    s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_ADD, without_channel(each, weight), load(same_place(each, prog->t)));

    s = new_statement(prog);
    each = element(s, in);
    Tensor *power = find_part(prog, "exp"), *sum = find_part(prog, "sum");
    Expr *p = divide(load(same_place(each, power)), load(without_channel(each, sum)));
    Expr *d = sub(mul(p, load(without_channel(each, weight))), load(same_place(each, prog->t)));
    add_to_adjoint(prog, s, each, mul(d, mean_value()));
}

const Kind kind_kl = {
    .name = "kl",
    .role = ROLE_LOSS,
    .syntax = "loss kl",
    .help = "divergence from probabilities t, summed over each sample (KLDivLoss of log_softmax, "
            "reduction=batchmean); takes logits, or softmax's",
    .params = params,
    .shape = shape,
    .lower = lower_kl,
    .gradient = gradient,
    .absorbs = "softmax",
    .torch = "sequence ? F.kl_div(F.log_softmax(y, 2), t, reduction=\"batchmean\")|"
             "F.kl_div(F.log_softmax(y, 1), t, reduction=\"batchmean\")",
    .examples = "input 5; loss kl|input 5; softmax; loss kl|input 3x2x4; softmax; loss kl|input 4x3; loss kl|"
                "input 6; fc 3; tanh; loss kl|input 1; loss kl",
};
