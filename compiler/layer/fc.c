/* fc: Linear over the flattened sample; on a sequence, over the features of each position.
 *
 *     out[o] = bias[o] + sum over i of weight[o, i] in[i]
 *     out[t, o] = bias[o] + sum over c of weight[o, c] in[t, c]
 *
 * with i the number of an element in C, H, W order. */
#include <string.h>

#include "layer/layer.h"

static const Param params[] = {
    {"O", PARAM_CHANNELS, true, NULL, 1, MOST_ELEMENTS, NULL, "output features, or input->output"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds a bias"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    Shape from = layer->in->shape;
    int64_t in = from.rank == 2 ? from.c : shape_count(from), out = arg_of(layer, "O")->i[1];
    layer->out->shape = from.rank == 2 ? sequence_shape(from.h, out) : flat_shape(out);
    if (!check_channels(layer, in))
        return false;
    const int64_t dim[] = {out, in};
    return add_weight(net, layer, "weight", in, 2, dim)
           && (!arg_of(layer, "bias")->i[0] || add_weight(net, layer, "bias", in, 1, dim));
}

/* What a layer reads when those before it only flatten: the C, H and W of the value stay apart, and the
 * weights' i with them, so that no flat copy is made. */
static const Value *unflattened(const Value *value)
{
    while (value->producer && !strcmp(value->producer->kind->name, "flatten"))
        value = value->producer->in;
    return value;
}

/* Weights that are shared are seen alike by all who read them: as [O, I] where their inputs differ. */
static bool sees_elements(const Prog *prog, const Layer *layer)
{
    const Value *in = unflattened(layer->in);
    if (!layer->weight[0]->shared)
        return true;
    for (const Layer *other = prog->net->layers; other; other = other->next)
        for (int i = 0; i < other->nweights; i++)
            if (other->weight[i] == layer->weight[0]
                && (other->kind != layer->kind || other->out->shape.rank == 2
                    || !same_shapes(unflattened(other->in), in)))
                return false;
    return true;
}

static Expr *first_value(Prog *prog, const Layer *layer, Affine o)
{
    return layer->nweights > 1 ? load(access_at(weight_tensor(prog, layer->weight[1]), o)) : constant(0);
}

static void lower_on_positions(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    for (int step = 0; step < 2; step++) {
        Statement *s = new_statement(prog);
        Affine t = index_of(s, "t", out->dim[0]), o = index_of(s, "o", out->dim[1]);
        Access here = access_at(out, t, o);
        if (step == 0) {
            store(prog, s, STORE_SET, here, first_value(prog, layer, o));
            continue;
        }
        Affine c = index_of(s, "c", in->dim[1]);
        store(prog, s, STORE_ADD, here,
              mul(load(access_at(weight_tensor(prog, layer->weight[0]), o, c)), load(access_at(in, t, c))));
    }
}

static void lower_fc(Prog *prog, const Layer *layer)
{
    if (layer->out->shape.rank == 2) {
        lower_on_positions(prog, layer);
        return;
    }
    Tensor *in = tensor_of(prog, unflattened(layer->in)), *out = tensor_of(prog, layer->out);
    int64_t dim[MAX_RANK] = {out->dim[0]};
    for (int d = 0; d < in->rank; d++)
        dim[d + 1] = in->dim[d];
    bool elements = sees_elements(prog, layer);
    Tensor *weight = elements ? weight_view(prog, layer->weight[0], in->rank + 1, dim)
                              : weight_tensor(prog, layer->weight[0]);

    Statement *s = new_statement(prog);
    Affine o = index_of(s, "o", out->dim[0]);
    store(prog, s, STORE_SET, access_at(out, o), first_value(prog, layer, o));

    s = new_statement(prog);
    o = index_of(s, "o", out->dim[0]);
    Access each = in->rank > 1 ? element(s, in) : access_at(in, index_of(s, "i", in->dim[0])),
           w = {.tensor = weight, .at = {o}};
    for (int d = 0; d < in->rank && elements; d++)
        w.at[d + 1] = each.at[d];
    if (!elements)
        w.at[1] = position_of(each);
    store(prog, s, STORE_ADD, access_at(out, o), mul(load(w), load(each)));
}

const Kind kind_fc = {
    .name = "fc",
    .each_position = true,
    .features = true,
    .role = ROLE_LAYER,
    .linear = true,
    .syntax = "fc [I->]O [bias=true]",
    .help = "fully connected layer over the flattened sample, on a sequence over the features of each "
            "position "
            "(Linear)",
    .params = params,
    .shape = shape,
    .lower = lower_fc,
    .torch = "sequence ? nn.Linear({in}, {O}, bias={bias})|flat ? nn.Linear({in}, {O}, bias={bias})|"
             "nn.Linear({count}, {O}, bias={bias}) => @(x.flatten(1))",
    .examples = "input 7; fc 5|input 5; fc 5->1|input 2x3x4; fc 24->3 bias=false|input 1; fc 1|"
                "input 6x4; fc 5|input 3x5; tanh; fc 2 bias=false|input 1x3; fc 4|input 4x1; fc 1|"
                "input 4; a: fc 4; tanh; fc 4 weights=a|input 3x4; a: fc 4 bias=false; fc 4 weights=a|"
                "input 2x2x3; x: fc 3; y:; from x; tanh; fc 12; sigmoid; fc 3 weights=x; add y",
};
