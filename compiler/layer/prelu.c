/* prelu: x above 0, slope x below, with a slope that is learnt: one, or one for each channel (PReLU). */
#include "layer/layer.h"

static const Param params[] = {
    {"SLOPE", PARAM_NUMBER, true, "0.25", -1e30, 1e30, NULL, "slope at first"},
    {"channels", PARAM_FLAG, false, "false", 0, 1, NULL, "a slope for each channel"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    int64_t slopes = arg_of(layer, "channels")->i[0] ? layer->in->shape.c : 1;
    if (!add_weight(net, layer, "weight", 1, 1, &slopes))
        return false;
    layer->weight[0]->low = layer->weight[0]->high = layer->arg[0].list[0];
    return same_shape(net, layer);
}

static void lower_prelu(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    Affine slope = arg_of(layer, "channels")->i[0] ? channel_index(&in) : affine(0);
    store(prog, s, STORE_SET, same_place(in, tensor_of(prog, layer->out)),
          if_le(load(in), constant(0),
                mul(load(access_at(weight_tensor(prog, layer->weight[0]), slope)), load(in)), load(in)));
}

const Kind kind_prelu = {
    .name = "prelu",
    .each_position = true,
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "prelu [0.25] [channels=false]",
    .help = "x above 0, a learnt slope times x below; channels=true: a slope for each channel (PReLU)",
    .params = params,
    .shape = shape,
    .lower = lower_prelu,
    .torch = "channels=true sequence ? nn.PReLU({in}, {SLOPE}) => @(x.transpose(1, 2)).transpose(1, 2)|"
             "channels=true ? nn.PReLU({in}, {SLOPE})|nn.PReLU(1, {SLOPE})",
    .examples = "input 2x3x4; prelu|input 9; prelu 0.1|input 3x2x5; prelu channels=true|input 5; prelu "
                "channels=true|input 2x4x4; conv 9 k3; prelu 0.2 channels=true; conv 2 k1; prelu|input "
                "4x3; prelu channels=true|"
                "input 3x2x2; a: prelu channels=true; conv 3 k1; prelu 0 channels=true weights=a",
};
