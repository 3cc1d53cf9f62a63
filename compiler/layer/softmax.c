/* softmax: over channels (features, where it is no image), at each position on its own.
 *
 *     max = max over c of in;   exp[c] = exp(in[c] - max);   sum = sum of exp;   out[c] = exp[c] / sum
 *
 * Its gradient needs the output alone:   d_in[c] += out[c] (d_out[c] - sum over k of d_out[k] out[k]) */
#include "layer/layer.h"

static const Param params[] = {{0}};

static void lower_softmax(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    Tensor *max = part_without_channel(prog, "max", in);
    Tensor *power = part_like(prog, "exp", in);
    Tensor *sum = part_without_channel(prog, "sum", in);

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

    s = new_statement(prog);
    each = element(s, power);
    store(prog, s, STORE_SET, same_place(each, out), divide(load(each), load(without_channel(each, sum))));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Tensor *out = tensor_of(prog, layer->out);
    Tensor *dot = part_without_channel(prog, "dot", out);

    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, dot), constant(0));

    s = new_statement(prog);
    Access each = element(s, out);
    store(prog, s, STORE_ADD, without_channel(each, dot), mul(adjoint_at(prog, each), load(each)));

    s = new_statement(prog);
    each = element(s, out);
    add_to_adjoint(prog, s, same_place(each, tensor_of(prog, layer->in)),
                   mul(load(each), sub(adjoint_at(prog, each), load(without_channel(each, dot)))));
}

const Kind kind_softmax = {
    .name = "softmax",
    .each_position = true,
    .probabilities = true,
    .role = ROLE_LAYER,
    .syntax = "softmax",
    .help = "exp(x) / sum of exp(x), over channels (features after fc)",
    .params = params,
    .shape = same_shape,
    .lower = lower_softmax,
    .gradient = gradient,
    .torch = "sequence ? F.softmax(x, 2)|F.softmax(x, 1)",
    .examples = "input 5; softmax; loss mse|input 3x2x4; softmax; loss mse|input 1; softmax; fc 2|"
                "input 1x2x2; softmax; loss mse|input 3x5; softmax; loss mse",
};
