/* classtoken: a learnt position before the first, as vision transformers have it.
 *
 *     out[0, c] = weight[c]        out[t + 1, c] = in[t, c] */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    if (!want_sequence(layer))
        return false;
    int64_t features = layer->in->shape.c;
    layer->out->shape = sequence_shape(layer->in->shape.h + 1, features);
    if (!add_weight(net, layer, "weight", 1, 1, &features))
        return false;
    layer->weight[0]->low = layer->weight[0]->high = 0;
    return true;
}

static void lower_classtoken(Prog *prog, const Layer *layer)
{
    Tensor *out = tensor_of(prog, layer->out);
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", out->dim[1]);
    store(prog, s, STORE_SET, access_at(out, affine(0), c),
          load(access_at(weight_tensor(prog, layer->weight[0]), c)));

    s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, access_at(out, affine_add(each.at[0], affine(1)), each.at[1]), load(each));
}

const Kind kind_classtoken = {
    .name = "classtoken",
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "classtoken",
    .help = "a learnt position before the first: (T+1)xC; zeros at first",
    .params = params,
    .shape = shape,
    .lower = lower_classtoken,
    .torch = "Weight({in}, deviation=0) => torch.cat((@.weight.expand(len(x), 1, -1), x), 1)",
    .examples = "input 3x4; classtoken|input 2x9; classtoken; fc 3|input 1x1; classtoken; first|"
                "input 2x3; a: classtoken; tanh; classtoken weights=a",
};
