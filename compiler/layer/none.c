/* none: no loss is worked out here. net_backward begins with the gradient of the answer, which the caller
 * gives in the place of targets, so that any loss, or several, can be minimised. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    net->from_caller = true;
    net->targets = shape_count(layer->in->shape);
    return true;
}

static void lower_none(Prog *prog, const Layer *layer)
{
    (void)prog, (void)layer;
}

static void gradient(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    add_to_adjoint(prog, s, in, load(same_place(in, prog->t)));
}

const Kind kind_none = {
    .name = "none",
    .role = ROLE_LOSS,
    .syntax = "loss none",
    .help = "the caller's: net_backward takes the gradient of the answer, and gives that of the input, too",
    .params = params,
    .shape = shape,
    .lower = lower_none,
    .gradient = gradient,
    .torch = "None",
    .examples = "input 5; tanh; loss none|input 3x2x4; sigmoid; loss none|input 4; softmax; loss none|"
                "input 3x4x5; maxpool 2; relu; loss none|input 6; batchnorm; loss none|input 4x3; fc 2; "
                "loss none",
};
