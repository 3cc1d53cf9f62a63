/* reshape: the same numbers in the same order under another shape (Unflatten, view). */
#include "layer/layer.h"

static const Param params[] = {
    {"SHAPE", PARAM_SIZE, true, NULL, 1, MOST_ELEMENTS, NULL, "new shape"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    const Arg *size = &layer->arg[0];
    Shape in = layer->in->shape;
    layer->out->shape = size->n == 1   ? flat_shape(size->i[0])
                        : size->n == 2 ? sequence_shape(size->i[0], size->i[1])
                                       : image_shape(size->i[0], size->i[1], size->i[2]);
    if (shape_count(in) == shape_count(layer->out->shape))
        return true;
    error_at(size->loc, "reshape expects as many numbers as its input has: %s are %lld, but %s are %lld",
             shape_text(in), (long long)shape_count(in), shape_text(layer->out->shape),
             (long long)shape_count(layer->out->shape));
    say_where_from(layer->in);
    return false;
}

/* By way of the numbers in a row: an affine form has no division. */
static void lower_reshape(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    int64_t n = in->count;
    Tensor *row = in->rank == 1 ? in : out->rank == 1 ? out : part_of(prog, "row", 1, &n);
    if (in != row) {
        Statement *s = new_statement(prog);
        Access each = element(s, in);
        store(prog, s, STORE_SET, access_at(row, position_of(each)), load(each));
    }
    if (row != out) {
        Statement *s = new_statement(prog);
        Access each = element(s, out);
        store(prog, s, STORE_SET, each, load(access_at(row, position_of(each))));
    }
}

const Kind kind_reshape = {
    .name = "reshape",
    .role = ROLE_LAYER,
    .syntax = "reshape CxHxW|TxC|N",
    .help = "the same numbers in the same order under another shape (Unflatten, view)",
    .params = params,
    .shape = shape,
    .lower = lower_reshape,
    .torch = "x.reshape(len(x), {out_shape})",
    .examples = "input 12; reshape 3x2x2|input 2x3x4; reshape 4x3x2|input 2x3x4; reshape 24|input 6; reshape "
                "6; tanh|input 5; fc 18; relu; reshape 2x3x3; convtranspose 2 k2 s2|"
                "input 12; reshape 4x3; fc 2|input 4x3; reshape 2x6|input 4x3; reshape 3x2x2",
};
