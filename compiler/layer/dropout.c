/* dropout: in training each element becomes 0 with probability P, else is divided by 1 - P; in inference
 * nothing happens. Numbers are drawn by position, so the backward pass draws the forward pass's again. */
#include "layer/layer.h"

static const Param params[] = {
    {"P", PARAM_NUMBER, true, "0.5", 0, 1, NULL, "probability"},
    {0},
};

static void lower_dropout(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Expr *value = load(in);
    float p = (float)layer->arg[0].list[0];
    if (prog->training && p > 0) {
        Affine number = position_of(in);
        number.constant += prog->draws;
        prog->draws += in.tensor->count;
        value = if_le(constant(p), random_value(number),
                      mul(value, constant(p < 1 ? 1 / (1 - (double)p) : 0)), constant(0));
    }
    store(prog, s, STORE_SET, same_place(in, tensor_of(prog, layer->out)), value);
}

const Kind kind_dropout = {
    .name = "dropout",
    .each_position = true,
    .role = ROLE_LAYER,
    .drops = true,
    .syntax = "dropout [0.5]",
    .help = "drops elements at random, in training only (Dropout)",
    .params = params,
    .shape = same_shape,
    .lower = lower_dropout,
    .torch = "nn.Dropout({P})",
    .examples = "input 2x3x4; tanh; dropout|input 9; tanh; dropout 0.1|input 5; tanh; dropout 0|input 5; "
                "tanh; dropout 1|input 4x3; tanh; dropout 0.3",
};
