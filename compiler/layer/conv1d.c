/* conv1d: Conv1d along the positions of a sequence.
 *
 *     out[t, o] = bias[o] + sum over c, k of weight[o, c, k] in[t s + k d - p, c]
 *
 * with c over the features of o's group. pad=causal has d (k - 1) zeros before the first position and none
 * behind the last, so that no position sees a later one. Other paddings than zeros are a tensor of their
 * own, as those of conv. With --stream net_state keeps the last d (k - 1) inputs. */
#include "layer/layer.h"
#include "layer/padding.h"

static const Param params[] = {
    {"O", PARAM_CHANNELS, true, NULL, 1, MOST_ELEMENTS, NULL, "output features, or input->output"},
    {"k", PARAM_INT, false, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_INT, false, "1", 1, MOST_ELEMENTS, NULL, "stride"},
    {"p", PARAM_INT, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"d", PARAM_INT, false, "1", 1, MOST_ELEMENTS, NULL, "dilation"},
    {"g", PARAM_INT, false, "1", 1, MOST_ELEMENTS, NULL, "number of groups"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds a bias"},
    {"pad", PARAM_CHOICE, false, "zeros", 0, 0, "zeros|reflect|replicate|circular|causal",
     "what lies in the padding"},
    {0},
};

static bool is_causal(const Layer *layer)
{
    return arg_of(layer, "pad")->i[0] == PAD_CAUSAL;
}

static bool check_padding(const Layer *layer)
{
    const Arg *pad = arg_of(layer, "pad"), *p = arg_of(layer, "p");
    long long size = (long long)layer->in->shape.h, padding = (long long)p->i[0];
    if (pad->i[0] == PAD_REFLECT && padding >= size) {
        error_at(p->loc, "reflect padding must be smaller than the input's length: padding %lld, length %lld "
                         "[window]", padding, size);
        return false;
    }
    if (pad->i[0] == PAD_CIRCULAR && padding > size) {
        error_at(p->loc, "circular padding must be at most the input's length: padding %lld, length %lld "
                         "[window]", padding, size);
        return false;
    }
    if (is_causal(layer) && p->given) {
        error_at(p->loc, "pad=causal knows its padding, which is d (k - 1) before the first position: leave "
                         "'p' out [window]");
        return false;
    }
    return true;
}

static bool shape(Net *net, Layer *layer)
{
    if (!want_sequence(layer))
        return false;
    const Arg *o = arg_of(layer, "O"), *k = arg_of(layer, "k"), *g = arg_of(layer, "g");
    int64_t in = layer->in->shape.c, out = o->i[1], groups = g->i[0], t, one;
    if (!check_channels(layer, in) || !check_padding(layer))
        return false;
    if (!groups_divide(g, in, "input features") || !groups_divide(g, out, "output features"))
        return false;
    if (is_causal(layer))
        t = (layer->in->shape.h - 1) / arg_of(layer, "s")->i[0] + 1;
    else if (!slide_window(layer, &t, &one))
        return false;
    layer->out->shape = sequence_shape(t, out);
    const int64_t dim[] = {out, in / groups, k->i[0]}, fan_in = product(in / groups, k->i[0]);
    return add_weight(net, layer, "weight", fan_in, 3, dim)
           && (!arg_of(layer, "bias")->i[0] || add_weight(net, layer, "bias", fan_in, 1, dim));
}

/* The input inside its padding; the window then needs none. */
static Tensor *pad_input(Prog *prog, Tensor *in, int mode, Window *w)
{
    Piece piece[3];
    int64_t dim[] = {w->in[0] + 2 * w->padding[0], in->dim[1]};
    int n = cut_padding(mode, w->in[0], w->padding[0], piece);
    w->padding[0] = 0;
    Tensor *out = sequence_part(prog, "padded", dim);
    for (int i = 0; i < n; i++) {
        Statement *s = new_statement(prog);
        Affine t = index_of(s, "t", piece[i].length), c = index_of(s, "c", dim[1]);
        store(prog, s, STORE_SET, access_at(out, along_piece(t, piece[i].begin, 1), c),
              load(access_at(in, along_piece(t, piece[i].from, piece[i].step), c)));
    }
    return out;
}

static void convolve(Prog *prog, const Layer *layer, Tensor *in, const Window *w)
{
    Tensor *out = tensor_of(prog, layer->out), *weight = weight_tensor(prog, layer->weight[0]);
    int64_t groups = arg_of(layer, "g")->i[0], of_group = out->dim[1] / groups;
    for (int step = 0; step < 2; step++) {
        Statement *s = new_statement(prog);
        Affine t = index_of(s, "t", out->dim[0]);
        Affine g = index_of(s, "g", groups), o = index_of(s, "o", of_group);
        Affine feature = affine_add(affine_scale(g, of_group), o);
        Access here = access_at(out, t, feature);
        if (step == 0) {
            bool bias = layer->nweights > 1;
            store(prog, s, STORE_SET, here,
                  bias ? load(access_at(weight_tensor(prog, layer->weight[1]), feature)) : constant(0));
            continue;
        }
        Affine c = index_of(s, "c", weight->dim[1]), k = index_of(s, "k", w->kernel[0]);
        Access tap =
            access_at(in, window_at(w, 0, t, k), affine_add(affine_scale(g, weight->dim[1]), c));
        store(prog, s, STORE_ADD, here, mul(load(access_at(weight, feature, c, k)), load(padded(tap))));
    }
}

static void lower_conv1d(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Tensor *in = tensor_of(prog, layer->in);
    int mode = (int)arg_of(layer, "pad")->i[0];
    if (mode == PAD_CAUSAL)
        w.padding[0] = w.dilation[0] * (w.kernel[0] - 1);
    else if (mode != PAD_ZEROS && w.padding[0])
        in = pad_input(prog, in, mode, &w);
    convolve(prog, layer, in, &w);
}

/* ---- One position of --stream ---------------------------------------------------------------- */

static const char *looks_ahead(const Layer *layer, const char **instead)
{
    const Arg *p = arg_of(layer, "p");
    const long long s = (long long)arg_of(layer, "s")->i[0];
    if (s > 1)
        return format("with s%lld it gives fewer than come in", s);
    if (is_causal(layer) || (arg_of(layer, "k")->i[0] == 1 && !p->i[0]))
        return NULL;
    *instead = p->given ? format("pad=causal` in the place of `p%lld", (long long)p->i[0]) : "pad=causal";
    return "its window reaches beyond the position";
}

/* The window that ends in the position, its first part as net_state has it. */
static void next_conv1d(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Tensor *in = tensor_of(prog, layer->in);
    const int64_t before = w.dilation[0] * (w.kernel[0] - 1), dim[] = {before + 1, in->dim[1]};
    if (!before) {
        convolve(prog, layer, in, &w);
        return;
    }
    const int64_t of_last[] = {before, in->dim[1]};
    Tensor *last = kept_state(prog, "last_inputs", 2, of_last, 0);
    Tensor *window = sequence_part(prog, "window", dim);
    last->channel = 1;
    Statement *s = new_statement(prog);
    Access each = element(s, last);
    store(prog, s, STORE_SET, same_place(each, window), load(each));
    s = new_statement(prog);
    Affine c = index_of(s, "c", dim[1]);
    store(prog, s, STORE_SET, access_at(window, affine(before), c), load(access_at(in, affine(0), c)));
    convolve(prog, layer, window, &w);
    begin_position(prog);
    s = new_statement(prog);
    each = element(s, last);
    store(prog, s, STORE_SET, each,
          load(access_at(window, affine_add(each.at[0], affine(1)), each.at[1])));
    end_steps(prog);
}

const Kind kind_conv1d = {
    .name = "conv1d",
    .features = true,
    .role = ROLE_LAYER,
    .syntax = "conv1d [I->]O kK [sS] [pP] [dD] [gG] [bias=true] [pad=zeros|reflect|replicate|circular|"
            "causal]",
    .help = "convolution along the positions of a sequence (Conv1d); causal: no position sees a later one",
    .params = params,
    .shape = shape,
    .lower = lower_conv1d,
    .next = next_conv1d,
    .looks_ahead = looks_ahead,
    .torch = "pad=causal ? nn.Conv1d({in}, {O}, {k}, stride={s}, dilation={d}, groups={g}, bias={bias}) => "
             "@(F.pad(x.transpose(1, 2), ({d} * ({k} - 1), 0))).transpose(1, 2)|"
             "nn.Conv1d({in}, {O}, {k}, stride={s}, padding={p}, dilation={d}, groups={g}, bias={bias}, "
             "padding_mode='{pad}') => @(x.transpose(1, 2)).transpose(1, 2)",
    .examples = "input 6x3; conv1d 4 k3|input 7x2; conv1d 2->3 k3 s2 p1 d2|input 5x4; conv1d 6 k3 g2 p1 "
                "bias=false|input 6x3; conv1d 3 k2 g3 pad=causal|input 7x2; conv1d 5 k3 d2 pad=causal|"
                "input 5x2; conv1d 3 k4 s2 pad=causal|input 4x2; conv1d 2 k3 p3 pad=reflect|"
                "input 2x3; conv1d 2 k3 p4 s2 pad=replicate|input 3x2; conv1d 2 k2 p3 pad=circular|"
                "input 1x2; conv1d 2 k3 p1|input 9x1; conv1d 1 k1 s3|"
                "input 7x2; a: conv1d 2 k2; tanh; conv1d 2 k2 pad=causal weights=a",
};
