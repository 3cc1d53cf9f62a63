/* relu6: the greater of x and 0, but at most 6. Its gradient asks the output, so that the input need not
 * be kept. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static Expr *relu6(Expr *in, const Layer *layer)
{
    (void)layer;
    return if_le(in, constant(0), constant(0), if_le(constant(6), in, constant(6), in));
}

static void lower_relu6(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, relu6);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    add_to_adjoint(prog, s, same_place(out, tensor_of(prog, layer->in)),
                   if_le(load(out), constant(0), constant(0),
                         if_le(constant(6), load(out), constant(0), adjoint_at(prog, out))));
}

const Kind kind_relu6 = {
    .name = "relu6",
    .each_position = true,
    .role = ROLE_LAYER,
    .clips = true,
    .syntax = "relu6",
    .help = "min(max(x, 0), 6) (ReLU6)",
    .params = params,
    .shape = same_shape,
    .rises = true,
    .lower = lower_relu6,
    .gradient = gradient,
    .torch = "F.relu6(x)",
    .examples = "input 2x3x4; relu6|input 9; relu6|input 7; normalize mean=-1 std=0.1; relu6",
};
