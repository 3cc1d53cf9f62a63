/* sequence, image, transpose: the same numbers in another order.
 *
 *     sequence     CxHxW to (H W)xC: one position for each pixel, row after row (flatten(2).transpose(1, 2))
 *     image HxW    (H W)xC to CxHxW, the way back
 *     transpose    TxC to CxT */
#include "layer/layer.h"

static const Param none[] = {{0}};
static const Param image_params[] = {
    {"HxW", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "height and width"},
    {0},
};

static bool sequence_of_image(Net *net, Layer *layer)
{
    (void)net;
    if (!want_image(layer))
        return false;
    layer->out->shape = sequence_shape(layer->in->shape.h * layer->in->shape.w, layer->in->shape.c);
    return true;
}

static bool image_of_sequence(Net *net, Layer *layer)
{
    (void)net;
    if (!want_sequence(layer))
        return false;
    const Arg *size = &layer->arg[0];
    if (product(size->i[0], size->i[1]) != layer->in->shape.h) {
        error_at(size->loc, "an image of %lldx%lld has %lld pixels, but the input has %lld position%s",
                 (long long)size->i[0], (long long)size->i[1], (long long)product(size->i[0], size->i[1]),
                 (long long)layer->in->shape.h, layer->in->shape.h == 1 ? "" : "s");
        say_where_from(layer->in);
        return false;
    }
    layer->out->shape = image_shape(layer->in->shape.c, size->i[0], size->i[1]);
    return true;
}

static bool transposed(Net *net, Layer *layer)
{
    (void)net;
    if (!want_sequence(layer))
        return false;
    layer->out->shape = sequence_shape(layer->in->shape.c, layer->in->shape.h);
    return true;
}

/* The element of a sequence where that pixel of an image lies. */
static Access in_sequence(Tensor *sequence, Access pixel)
{
    return access_at(sequence, affine_add(affine_scale(pixel.at[1], pixel.tensor->dim[2]), pixel.at[2]),
                     pixel.at[0]);
}

static void lower_sequence(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access pixel = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, in_sequence(tensor_of(prog, layer->out), pixel), load(pixel));
}

static void lower_image(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access pixel = element(s, tensor_of(prog, layer->out));
    store(prog, s, STORE_SET, pixel, load(in_sequence(tensor_of(prog, layer->in), pixel)));
}

static void lower_transpose(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, access_at(tensor_of(prog, layer->out), each.at[1], each.at[0]), load(each));
}

const Kind kind_sequence = {
    .name = "sequence",
    .role = ROLE_LAYER,
    .syntax = "sequence",
    .help = "CxHxW to a sequence of HW positions of C features, row after row",
    .params = none,
    .shape = sequence_of_image,
    .lower = lower_sequence,
    .torch = "x.flatten(2).transpose(1, 2)",
    .examples = "input 3x2x4; sequence|input 2x3x3; conv 9 k2; sequence; fc 2|input 1x1x1; sequence",
};

const Kind kind_image = {
    .name = "image",
    .role = ROLE_LAYER,
    .syntax = "image HxW",
    .help = "a sequence of HW positions of C features to CxHxW",
    .params = image_params,
    .shape = image_of_sequence,
    .lower = lower_image,
    .torch = "x.transpose(1, 2).reshape(len(x), {out_shape})",
    .examples = "input 6x4; image 2x3|input 9x2; tanh; image 3; conv 2 k2|input 3x9; image 1x3",
};

const Kind kind_transpose = {
    .name = "transpose",
    .role = ROLE_LAYER,
    .syntax = "transpose",
    .help = "TxC to CxT: features become positions",
    .params = none,
    .shape = transposed,
    .lower = lower_transpose,
    .torch = "x.transpose(1, 2)",
    .examples = "input 3x5; transpose|input 4x9; tanh; transpose; fc 3; transpose|input 1x4; transpose",
};
