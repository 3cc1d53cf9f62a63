/* globalmaxpool: the greatest over height and width, of a sequence over the positions; C numbers remain
 * (AdaptiveMaxPool2d(1)). The gradient goes to the first of the greatest. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static void lower_globalmaxpool(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_MAX, access_at(tensor_of(prog, layer->out), channel_index(&each)), load(each));
}

const Kind kind_globalmaxpool = {
    .name = "globalmaxpool",
    .role = ROLE_LAYER,
    .syntax = "globalmaxpool",
    .help = "greatest over height and width, of a sequence over the positions; gives C",
    .params = params,
    .shape = channels_shape,
    .greatest = true,
    .lower = lower_globalmaxpool,
    .torch = "sequence ? x.amax(1)|x.amax((2, 3))",
    .examples = "input 3x4x5; globalmaxpool|input 2x1x1; globalmaxpool|input 1x3x1; globalmaxpool|"
                "input 2x4x4; conv 3 k3; relu; globalmaxpool|input 5x3; globalmaxpool|"
                "input 7x2; fc 9; relu; globalmaxpool",
};
