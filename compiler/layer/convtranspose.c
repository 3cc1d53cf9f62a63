/* convtranspose: ConvTranspose2d, the adjoint of a convolution: what conv gathers, it scatters.
 *
 *     out[o, y s + ky d - p, x s + kx d - p] += weight[c, o, ky, kx] in[c, y, x]    out[o] begins as bias[o]
 *
 * with o and c in the same group. */
#include "layer/layer.h"

static const Param params[] = {
    {"O", PARAM_CHANNELS, true, NULL, 1, MOST_ELEMENTS, NULL, "output channels, or input->output"},
    {"k", PARAM_PAIR, false, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_PAIR, false, "1", 1, MOST_ELEMENTS, NULL, "stride"},
    {"p", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"o", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "output padding"},
    {"d", PARAM_PAIR, false, "1", 1, MOST_ELEMENTS, NULL, "dilation"},
    {"g", PARAM_INT, false, "1", 1, MOST_ELEMENTS, NULL, "number of groups"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds a bias"},
    {0},
};

/* The size of the output along one axis; 0 after an error. */
static int64_t output_size(const Layer *layer, int axis)
{
    const Arg *k = arg_of(layer, "k"), *s = arg_of(layer, "s"), *p = arg_of(layer, "p"),
              *o = arg_of(layer, "o"), *d = arg_of(layer, "d");
    const char *side = axis ? "width" : "height";
    int64_t in = axis ? layer->in->shape.w : layer->in->shape.h;
    if (o->i[axis] >= s->i[axis] && o->i[axis] >= d->i[axis]) {
        bool dilated = d->i[axis] > s->i[axis];
        error_at(o->loc, "the output padding must be smaller than the %s: output padding %lld, %s %lld",
                 dilated ? "dilation" : "stride", (long long)o->i[axis], dilated ? "dilation" : "stride",
                 (long long)(dilated ? d->i[axis] : s->i[axis]));
        return 0;
    }
    int64_t field = product(d->i[axis], k->i[axis] - 1) + 1;
    if ((in > 1 && s->i[axis] > MOST_ELEMENTS / (in - 1)) || field > MOST_ELEMENTS) {
        error_at(layer->loc, "the output of %s is too large: a tensor can have %d elements",
                 layer->kind->name, MOST_ELEMENTS);
        return 0;
    }
    int64_t out = (in - 1) * s->i[axis] - 2 * p->i[axis] + field + o->i[axis];
    if (out < 1)
        error_at(layer->loc,
                 "the padding of %s cuts off its whole output: %s %lld, padding %lld on each side",
                 layer->kind->name, side, (long long)(out + 2 * p->i[axis]), (long long)p->i[axis]);
    return out < 1 ? 0 : out;
}

static bool shape(Net *net, Layer *layer)
{
    if (!want_image(layer))
        return false;
    const Arg *o = arg_of(layer, "O"), *k = arg_of(layer, "k"), *g = arg_of(layer, "g");
    int64_t in = layer->in->shape.c, out = o->i[1], groups = g->i[0], h, w;
    if (!check_channels(layer, in))
        return false;
    if (!groups_divide(g, in, "input channels") || !groups_divide(g, out, "output channels"))
        return false;
    if (!(h = output_size(layer, 0)) || !(w = output_size(layer, 1)))
        return false;
    layer->out->shape = image_shape(out, h, w);
    Shape kernel = image_shape(out / groups, k->i[0], k->i[1]); /* what PyTorch takes for fan in here */
    const int64_t dim[] = {in, kernel.c, kernel.h, kernel.w};
    return add_weight(net, layer, "weight", shape_count(kernel), 4, dim)
           && (!arg_of(layer, "bias")->i[0] || add_weight(net, layer, "bias", shape_count(kernel), 1, &out));
}

static Affine in_group(Affine group, int64_t size, Affine channel)
{
    return affine_add(affine_scale(group, size), channel);
}

static void lower_convtranspose(Prog *prog, const Layer *layer)
{
    const Arg *k = arg_of(layer, "k"), *stride = arg_of(layer, "s"), *p = arg_of(layer, "p"),
              *d = arg_of(layer, "d");
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    Tensor *weight = weight_tensor(prog, layer->weight[0]);
    int64_t groups = arg_of(layer, "g")->i[0], of_group = weight->dim[1];
    const Window w = {.kernel = {k->i[0], k->i[1]}, .stride = {stride->i[0], stride->i[1]},
                      .padding = {p->i[0], p->i[1]}, .dilation = {d->i[0], d->i[1]}};

    Statement *s = new_statement(prog);
    Access here = element(s, out);
    bool bias = layer->nweights > 1;
    store(prog, s, STORE_SET, here,
          bias ? load(access_at(weight_tensor(prog, layer->weight[1]), here.at[0])) : constant(0));

    s = new_statement(prog);
    Affine g = index_of(s, "g", groups), o = index_of(s, "o", of_group);
    Affine y = index_of(s, "y", in->dim[1]), x = index_of(s, "x", in->dim[2]);
    Affine ky = index_of(s, "ky", w.kernel[0]), kx = index_of(s, "kx", w.kernel[1]);
    Affine c = in_group(g, in->dim[0] / groups, index_of(s, "c", in->dim[0] / groups));
    Access tap = access_at(out, in_group(g, of_group, o), window_at(&w, 0, y, ky), window_at(&w, 1, x, kx));
    store(prog, s, STORE_ADD, padded(tap),
          mul(load(access_at(weight, c, o, ky, kx)), load(access_at(in, c, y, x))));
}

const Kind kind_convtranspose = {
    .name = "convtranspose",
    .role = ROLE_LAYER,
    .linear = true,
    .syntax = "convtranspose [I->]O kK [sS] [pP] [oOP] [dD] [gG] [bias=true]",
    .help = "transposed 2-D convolution (ConvTranspose2d); o is the output padding",
    .params = params,
    .shape = shape,
    .lower = lower_convtranspose,
    .torch = "nn.ConvTranspose2d({in}, {O}, {k}, stride={s}, padding={p}, output_padding={o}, groups={g}, "
             "bias={bias}, dilation={d})",
    .examples = "input 3x3x4; convtranspose 2 k3|input 2x3x2; convtranspose 2->3 k2 s2|input 2x3x4; "
                "convtranspose 3 k3x2 s2x3 p1 o1x2|"
                "input 4x3x3; convtranspose 6 k3 s2 p1 o1 g2 bias=false|input 3x2x3; convtranspose 3 k2x3 s3 "
                "g3 bias=false|"
                "input 2x1x5; convtranspose 1 k1x4 s1x2 p0x1|input 1x1x1; convtranspose 1 k1|input 2x2x2; "
                "convtranspose 2 k1 s3 o2|"
                "input 1x4x3; convtranspose 2 k3 p2 bias=false|input 2x3x2; convtranspose 3 k3x2 s2x1 "
                "d2x3 p1x0 o1x2|"
                "input 4x2x3; convtranspose 4 k2 d2 g2|input 2x1x3; convtranspose 2 k1 p0x1|"
                "input 2x5x4; a: conv 3 k3; tanh; convtranspose 2 k3 weights=a",
};
