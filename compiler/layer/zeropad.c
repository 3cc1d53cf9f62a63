/* zeropad: zeros around the image, on each side as many as are said (ZeroPad2d). The frame and what lies in
 * it are moves of rectangles. */
#include "layer/layer.h"

static const Param params[] = {
    {"SIDES", PARAM_SIDES, true, NULL, 0, MOST_ELEMENTS, NULL, "padding"},
    {0},
};

enum { TOP, BOTTOM, LEFT, RIGHT };

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    if (!want_image(layer))
        return false;
    const int64_t *side = layer->arg[0].i;
    Shape in = layer->in->shape;
    layer->out->shape = image_shape(in.c, in.h + side[TOP] + side[BOTTOM], in.w + side[LEFT] + side[RIGHT]);
    return true;
}

/* A rectangle of out: zeros, or what lies in `in` from its first row and column on. */
static void fill(Prog *prog, Tensor *out, const int64_t begin[2], const int64_t size[2], Tensor *in)
{
    if (!size[0] || !size[1])
        return;
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", out->dim[0]), y = index_of(s, "y", size[0]), x = index_of(s, "x", size[1]);
    store(prog, s, STORE_SET,
          access_at(out, c, affine_add(y, affine(begin[0])), affine_add(x, affine(begin[1]))),
          in ? load(access_at(in, c, y, x)) : constant(0));
}

static void lower_zeropad(Prog *prog, const Layer *layer)
{
    const int64_t *side = layer->arg[0].i;
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    int64_t h = in->dim[1], w = in->dim[2];
    fill(prog, out, (int64_t[]){0, 0}, (int64_t[]){side[TOP], out->dim[2]}, NULL);
    fill(prog, out, (int64_t[]){side[TOP] + h, 0}, (int64_t[]){side[BOTTOM], out->dim[2]}, NULL);
    fill(prog, out, (int64_t[]){side[TOP], 0}, (int64_t[]){h, side[LEFT]}, NULL);
    fill(prog, out, (int64_t[]){side[TOP], side[LEFT] + w}, (int64_t[]){h, side[RIGHT]}, NULL);
    fill(prog, out, (int64_t[]){side[TOP], side[LEFT]}, (int64_t[]){h, w}, in);
}

const Kind kind_zeropad = {
    .name = "zeropad",
    .role = ROLE_LAYER,
    .syntax = "zeropad N | zeropad TxBxLxR",
    .help = "zeros around the image: N on each side, or rows above and below, columns left and right "
            "(ZeroPad2d)",
    .params = params,
    .shape = shape,
    .lower = lower_zeropad,
    .torch = "F.pad(x, ({SIDES.2}, {SIDES.3}, {SIDES.0}, {SIDES.1}))",
    .examples = "input 2x3x4; zeropad 1; tanh|input 3x2x3; zeropad 0x1x2x3; conv 2 k2|input 1x4x4; zeropad "
                "0x1x0x1; conv 2 k3 s2|input 2x2x2; zeropad 0|input 1x1x1; zeropad 2x0x0x1",
};
