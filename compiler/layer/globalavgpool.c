/* globalavgpool: the mean over height and width, of a sequence over the positions; C numbers remain. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static void lower_globalavgpool(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, out), constant(0));
    s = new_statement(prog);
    Access each = element(s, in);
    store(prog, s, STORE_ADD, access_at(out, channel_index(&each)),
          mul(load(each), constant((double)out->count / (double)in->count)));
}

const Kind kind_globalavgpool = {
    .name = "globalavgpool",
    .role = ROLE_LAYER,
    .syntax = "globalavgpool",
    .help = "mean over height and width, of a sequence over the positions; gives C",
    .params = params,
    .shape = channels_shape,
    .lower = lower_globalavgpool,
    .torch = "sequence ? x.mean(1)|x.mean((2, 3))",
    .examples = "input 3x4x5; globalavgpool|input 2x1x1; globalavgpool|input 1x3x1; globalavgpool|input "
            "5x3; globalavgpool",
};
