/* pixelshuffle, channelshuffle: the same numbers at other places.
 *
 *     pixelshuffle N:    out[c, y N + i, x N + j] = in[c N N + i N + j, y, x]        (PixelShuffle)
 *     channelshuffle G:  out[k G + g, y, x] = in[g C/G + k, y, x]                    (ChannelShuffle) */
#include "layer/layer.h"

static const Param pixelshuffle_params[] = {
    {"N", PARAM_INT, true, NULL, 1, 1 << 15, NULL, "factor"},
    {0},
};

static const Param channelshuffle_params[] = {
    {"G", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "number of groups"},
    {0},
};

static bool pixelshuffle_shape(Net *net, Layer *layer)
{
    (void)net;
    if (!want_image(layer))
        return false;
    int64_t n = layer->arg[0].i[0];
    Shape in = layer->in->shape;
    if (in.c % (n * n)) {
        error_at(layer->arg[0].loc,
                 "the number of channels (%lld) must be divisible by the square of the factor (%lld)",
                 (long long)in.c, (long long)(n * n));
        say_where_from(layer->in);
        return false;
    }
    layer->out->shape = image_shape(in.c / (n * n), in.h * n, in.w * n);
    return true;
}

static void lower_pixelshuffle(Prog *prog, const Layer *layer)
{
    int64_t n = layer->arg[0].i[0];
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", out->dim[0]), y = index_of(s, "y", in->dim[1]), i = index_of(s, "i", n),
           x = index_of(s, "x", in->dim[2]), j = index_of(s, "j", n);
    Affine channel = affine_add(affine_scale(affine_add(affine_scale(c, n), i), n), j);
    store(prog, s, STORE_SET,
          access_at(out, c, affine_add(affine_scale(y, n), i), affine_add(affine_scale(x, n), j)),
          load(access_at(in, channel, y, x)));
}

static bool channelshuffle_shape(Net *net, Layer *layer)
{
    return want_image(layer) && groups_divide(&layer->arg[0], layer->in->shape.c, "channels")
           && same_shape(net, layer);
}

static void lower_channelshuffle(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    int64_t groups = layer->arg[0].i[0], of_group = in->dim[0] / groups;
    Statement *s = new_statement(prog);
    Affine k = index_of(s, "k", of_group), g = index_of(s, "g", groups), y = index_of(s, "y", in->dim[1]),
           x = index_of(s, "x", in->dim[2]);
    store(prog, s, STORE_SET, access_at(out, affine_add(affine_scale(k, groups), g), y, x),
          load(access_at(in, affine_add(affine_scale(g, of_group), k), y, x)));
}

const Kind kind_pixelshuffle = {
    .name = "pixelshuffle",
    .role = ROLE_LAYER,
    .syntax = "pixelshuffle N",
    .help = "channels become pixels: C N N x H x W to C x N H x N W (PixelShuffle)",
    .params = pixelshuffle_params,
    .shape = pixelshuffle_shape,
    .lower = lower_pixelshuffle,
    .torch = "F.pixel_shuffle(x, {N})",
    .examples = "input 8x3x2; pixelshuffle 2|input 9x1x4; pixelshuffle 3|input 2x3x3; pixelshuffle 1|"
                "input 3x4x3; conv 12 k3 p1; relu; pixelshuffle 2; conv 2 k3",
};

const Kind kind_channelshuffle = {
    .name = "channelshuffle",
    .role = ROLE_LAYER,
    .syntax = "channelshuffle G",
    .help = "channels of G groups, one of each group in turn (ChannelShuffle)",
    .params = channelshuffle_params,
    .shape = channelshuffle_shape,
    .lower = lower_channelshuffle,
    .torch = "x.reshape(len(x), {G}, -1, *x.shape[2:]).transpose(1, 2).reshape(x.shape)",
    .examples = "input 6x2x3; channelshuffle 2|input 6x2x3; channelshuffle 3|input 5x1x2; channelshuffle 5|"
                "input 4x3x3; conv 8 k1 g2; relu; channelshuffle 2; conv 4 k3 g2",
};
