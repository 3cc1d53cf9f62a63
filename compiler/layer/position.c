/* last, first: the features of one position of a sequence. */
#include "layer/layer.h"

static const Param params[] = {{0}};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    if (!want_sequence(layer))
        return false;
    layer->out->shape = flat_shape(layer->in->shape.c);
    return true;
}

static void lower_position(Prog *prog, const Layer *layer, int64_t position)
{
    Tensor *out = tensor_of(prog, layer->out);
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", out->dim[0]);
    store(prog, s, STORE_SET, access_at(out, c),
          load(access_at(tensor_of(prog, layer->in), affine(position), c)));
}

static void lower_last(Prog *prog, const Layer *layer)
{
    lower_position(prog, layer, layer->in->shape.h - 1);
}

static void lower_first(Prog *prog, const Layer *layer)
{
    lower_position(prog, layer, 0);
}

const Kind kind_last = {
    .name = "last",
    .role = ROLE_LAYER,
    .syntax = "last",
    .help = "the features of the last position",
    .params = params,
    .shape = shape,
    .lower = lower_last,
    .torch = "x[:, -1]",
    .examples = "input 4x3; last|input 5x9; tanh; last; fc 2|input 1x2; last",
};

const Kind kind_first = {
    .name = "first",
    .role = ROLE_LAYER,
    .syntax = "first",
    .help = "the features of the first position",
    .params = params,
    .shape = shape,
    .lower = lower_first,
    .torch = "x[:, 0]",
    .examples = "input 4x3; first|input 5x9; tanh; first; fc 2|input 1x2; first",
};
