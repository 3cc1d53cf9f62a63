/* slice: the channels (features where it is no image) from A to B - 1, as x[:, A:B] gives them. */
#include "layer/layer.h"

static const Param params[] = {
    {"A", PARAM_INT, true, NULL, 0, MOST_ELEMENTS, NULL, "first channel"},
    {"B", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "channel behind the last"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    const Arg *from = &layer->arg[0], *to = &layer->arg[1];
    Shape in = layer->in->shape;
    const char *what = in.rank == 3 ? "channel" : "feature";
    if (from->i[0] >= to->i[0]) {
        error_at(to->loc, "slice gives the %ss from A to B - 1, so B must be greater than A: %lld, %lld",
                 what, (long long)from->i[0], (long long)to->i[0]);
        return false;
    }
    if (to->i[0] > in.c) {
        error_at(to->loc, "slice ends at %s %lld, but its input has %lld: %s", what, (long long)to->i[0] - 1,
                 (long long)in.c, shape_text(in));
        say_where_from(layer->in);
        return false;
    }
    layer->out->shape = in;
    layer->out->shape.c = to->i[0] - from->i[0];
    return true;
}

static void lower_slice(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out)), in = same_place(out, tensor_of(prog, layer->in));
    int channels = in.tensor->channel;
    in.at[channels] = affine_add(in.at[channels], affine(layer->arg[0].i[0]));
    store(prog, s, STORE_SET, out, load(in));
}

const Kind kind_slice = {
    .name = "slice",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "slice A B",
    .help = "the channels (features) from A to B - 1",
    .params = params,
    .shape = shape,
    .lower = lower_slice,
    .torch = "sequence ? x[:, :, {A}:{B}]|x[:, {A}:{B}]",
    .examples = "input 5x3x2; slice 1 4|input 9; slice 0 1|input 3x2x2; slice 0 3|input 4x5; slice 1 3|"
                "input 7; x: tanh; slice 3 7; y: sigmoid; from x; slice 0 4; mul y",
};
