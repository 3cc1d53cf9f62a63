/* relu: the greater of x and 0. Its gradient asks the output, so that the input need not be kept. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *relu(Expr *in, const Layer *layer)
{
    (void)layer;
    return if_le(in, constant(0), constant(0), in);
}

static void lower_relu(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, relu);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    add_to_adjoint(prog, s, same_place(out, tensor_of(prog, layer->in)),
                   if_le(load(out), constant(0), constant(0), adjoint_at(prog, out)));
}

const Kind kind_relu = {
    .name = "relu",
    .each_position = true,
    .role = ROLE_LAYER,
    .clips = true,
    .syntax = "relu",
    .help = "max(x, 0)",
    .params = params,
    .shape = same_shape,
    .rises = true,
    .lower = lower_relu,
    .gradient = gradient,
    .torch = "F.relu(x)",
    .examples = "input 2x3x4; relu|input 9; relu|input 4x5; relu",
};
