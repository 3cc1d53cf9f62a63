/* conv: Conv2d.
 *
 *     out[o, y, x] = bias[o] + sum over c, ky, kx of
 *                    weight[o, c, ky, kx] in[c, y s + ky d - p, x s + kx d - p]
 *
 * with c over the channels of o's group. Zero padding is said by the accesses that fall outside; every
 * other padding is a tensor of its own, filled by moves of rectangles, so that its gradient needs nothing
 * special. */
#include "layer/layer.h"
#include "layer/padding.h"

static const Param params[] = {
    {"O", PARAM_CHANNELS, true, NULL, 1, MOST_ELEMENTS, NULL, "output channels, or input->output"},
    {"k", PARAM_PAIR, false, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_PAIR, false, "1", 1, MOST_ELEMENTS, NULL, "stride"},
    {"p", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"d", PARAM_PAIR, false, "1", 1, MOST_ELEMENTS, NULL, "dilation"},
    {"g", PARAM_INT, false, "1", 1, MOST_ELEMENTS, NULL, "number of groups"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds a bias"},
    {"pad", PARAM_CHOICE, false, "zeros", 0, 0, "zeros|reflect|replicate|circular|same",
     "what lies in the padding"},
    {0},
};

/* What pad=same excludes. */
static bool check_same(const Layer *layer)
{
    const Arg *pad = arg_of(layer, "pad"), *p = arg_of(layer, "p"), *s = arg_of(layer, "s");
    if (s->i[0] != 1 || s->i[1] != 1) {
        error_at(s->loc, "pad=same needs stride 1: with a larger one write zeropad before conv [value]");
        return false;
    }
    if (p->given)
        error_at(pad->loc, "conv takes p or pad=same, not both [argument]");
    return !p->given;
}

static bool check_padding(const Layer *layer)
{
    const Arg *pad = arg_of(layer, "pad"), *p = arg_of(layer, "p");
    if (pad->i[0] == PAD_SAME)
        return check_same(layer);
    const int64_t size[2] = {layer->in->shape.h, layer->in->shape.w};
    for (int axis = 0; axis < 2; axis++) {
        const char *side = axis ? "width" : "height";
        if (pad->i[0] == PAD_REFLECT && p->i[axis] >= size[axis]) {
            error_at(p->loc, "reflect padding must be smaller than the input's %s: padding %lld, %s %lld",
                     side, (long long)p->i[axis], side, (long long)size[axis]);
            return false;
        }
        if (pad->i[0] == PAD_CIRCULAR && p->i[axis] > size[axis]) {
            error_at(p->loc, "circular padding must be at most the input's %s: padding %lld, %s %lld", side,
                     (long long)p->i[axis], side, (long long)size[axis]);
            return false;
        }
    }
    return true;
}

static bool shape(Net *net, Layer *layer)
{
    if (!want_image(layer))
        return false;
    const Arg *o = arg_of(layer, "O"), *k = arg_of(layer, "k"), *g = arg_of(layer, "g");
    int64_t in = layer->in->shape.c, out = o->i[1], groups = g->i[0], h, w;
    bool good = check_channels(layer, in) && groups_divide(g, in, "input channels");
    good &= groups_divide(g, out, "output channels");
    good &= check_padding(layer);
    if (arg_of(layer, "pad")->i[0] == PAD_SAME) {
        h = layer->in->shape.h;
        w = layer->in->shape.w;
    } else if (!slide_window(layer, &h, &w))
        return false;
    layer->out->shape = image_shape(out, h, w);
    if (!good)
        return false;
    Shape kernel = image_shape(in / groups, k->i[0], k->i[1]);
    const int64_t dim[] = {out, kernel.c, kernel.h, kernel.w};
    return add_weight(net, layer, "weight", shape_count(kernel), 4, dim)
           && (!arg_of(layer, "bias")->i[0] || add_weight(net, layer, "bias", shape_count(kernel), 1, dim));
}

int cut_padding(int mode, int64_t size, int64_t p, Piece piece[3])
{
    piece[0] = (Piece){p, size, 0, 1};
    if (!p)
        return 1;
    piece[1] = (Piece){0, p, 0, 0};
    piece[2] = (Piece){p + size, p, size - 1, 0};
    if (mode == PAD_REFLECT) {
        piece[1].from = p;
        piece[2].from = size - 2;
        piece[1].step = piece[2].step = -1;
    } else if (mode == PAD_CIRCULAR) {
        piece[1].from = size - p;
        piece[2].from = 0;
        piece[1].step = piece[2].step = 1;
    }
    return 3;
}

Affine along_piece(Affine index, int64_t from, int64_t step)
{
    return affine_add(affine(from), affine_scale(index, step));
}

/* The input inside its padding; the window then needs none. */
static Tensor *pad_input(Prog *prog, Tensor *in, int mode, Window *w)
{
    Piece piece[2][3];
    int64_t dim[3] = {in->dim[0]};
    int n[2];
    for (int axis = 0; axis < 2; axis++) {
        dim[axis + 1] = w->in[axis] + 2 * w->padding[axis];
        n[axis] = cut_padding(mode, w->in[axis], w->padding[axis], piece[axis]);
        w->padding[axis] = 0;
    }
    Tensor *out = part_of(prog, "padded", 3, dim);
    for (int i = 0; i < n[0]; i++)
        for (int j = 0; j < n[1]; j++) {
            const Piece *row = &piece[0][i], *column = &piece[1][j];
            Statement *s = new_statement(prog);
            Affine c = index_of(s, "c", dim[0]), y = index_of(s, "y", row->length),
                   x = index_of(s, "x", column->length);
            Access to = access_at(out, c, along_piece(y, row->begin, 1), along_piece(x, column->begin, 1));
            Affine from_y = along_piece(y, row->from, row->step),
                   from_x = along_piece(x, column->from, column->step);
            store(prog, s, STORE_SET, to, load(access_at(in, c, from_y, from_x)));
        }
    return out;
}

static void lower_conv(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    Tensor *weight = weight_tensor(prog, layer->weight[0]);
    int mode = (int)arg_of(layer, "pad")->i[0];
    for (int axis = 0; axis < 2 && mode == PAD_SAME; axis++) /* where an odd number of zeros: more behind */
        w.padding[axis] = product(w.dilation[axis], w.kernel[axis] - 1) / 2;
    if (mode != PAD_ZEROS && mode != PAD_SAME && (w.padding[0] || w.padding[1]))
        in = pad_input(prog, in, mode, &w);

    int64_t groups = arg_of(layer, "g")->i[0], of_group = out->dim[0] / groups;
    for (int step = 0; step < 2; step++) {
        Statement *s = new_statement(prog);
        Affine g = index_of(s, "g", groups), o = index_of(s, "o", of_group);
        Affine y = index_of(s, "y", out->dim[1]), x = index_of(s, "x", out->dim[2]);
        Affine channel = affine_add(affine_scale(g, of_group), o);
        Access here = access_at(out, channel, y, x);
        if (step == 0) {
            bool bias = layer->nweights > 1;
            store(prog, s, STORE_SET, here,
                  bias ? load(access_at(weight_tensor(prog, layer->weight[1]), channel)) : constant(0));
            continue;
        }
        Affine c = index_of(s, "c", weight->dim[1]);
        Affine ky = index_of(s, "ky", w.kernel[0]), kx = index_of(s, "kx", w.kernel[1]);
        Access tap = access_at(in, affine_add(affine_scale(g, weight->dim[1]), c), window_at(&w, 0, y, ky),
                               window_at(&w, 1, x, kx));
        store(prog, s, STORE_ADD, here,
              mul(load(access_at(weight, channel, c, ky, kx)), load(padded(tap))));
    }
}

const Kind kind_conv = {
    .name = "conv",
    .role = ROLE_LAYER,
    .linear = true,
    .syntax = "conv [I->]O kK [sS] [pP] [dD] [gG] [bias=true] [pad=zeros|reflect|replicate|circular|same]",
    .help = "2-D convolution (Conv2d); pad=same: as many zeros as keep the size, at stride 1",
    .params = params,
    .shape = shape,
    .lower = lower_conv,
    .torch = "pad=same ? nn.Conv2d({in}, {O}, {k}, padding='same', dilation={d}, groups={g}, bias={bias})|"
             "nn.Conv2d({in}, {O}, {k}, stride={s}, padding={p}, dilation={d}, groups={g}, bias={bias}, "
             "padding_mode='{pad}')",
    .examples = "input 3x5x4; conv 4 k3|input 2x7x5; conv 2->3 k3x2 s2x3 p1x2 d1x2|input 4x5x5; conv 6 k3 g2 "
                "p1 bias=false|"
                "input 3x4x5; conv 3 k3 g3 s2 p1|input 1x5x5; conv 1->1 k2 s2 p1|input 2x4x5; conv 2 k3 p3x4 "
                "pad=reflect|"
                "input 2x2x3; conv 2 k3 p4 pad=replicate|input 2x3x4; conv 2 k2x3 p3x4 s2 pad=circular|"
                "input 1x2x2; conv 2 k3 p5 s2|input 2x4x3; conv 3 k4x2 pad=same|input 2x3x5; conv 2 "
                "k2x3 d3x2 g2 pad=same|input 1x1x2; conv 2 k3 pad=same|input 2x6x6; conv 2 k1 s3|input "
                "1x1x1; conv 1 k1|"
                "input 2x5x4; a: conv 2 k3 p1; tanh; conv 2 k3 s2 weights=a",
};
