/* avgpool: AvgPool2d. The mean of each window; with countpad the padding counts as zeros, without it only the
 * elements inside the input count, so that windows at the border divide by less. What ceil lets a window
 * reach beyond the padding never counts. */
#include "layer/layer.h"

static const Param params[] = {
    {"k", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_PAIR, false, "", 1, MOST_ELEMENTS, NULL, "stride; the kernel if left out"},
    {"p", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"countpad", PARAM_FLAG, false, "true", 0, 1, NULL, "padding counts as zeros"},
    {"ceil", PARAM_FLAG, false, "false", 0, 1, NULL, "windows beyond the last whole one"},
    {0},
};

/* How far on both sides of the input elements count. */
static int64_t counted_padding(const Layer *layer, const Window *w, int axis)
{
    return arg_of(layer, "countpad")->i[0] ? w->padding[axis] : 0;
}

/* Do all elements of all windows count? */
static bool counts_all(const Layer *layer, const Window *w)
{
    for (int axis = 0; axis < 2; axis++) {
        int64_t outside = w->padding[axis] - counted_padding(layer, w, axis);
        int64_t end = (w->out[axis] - 1) * w->stride[axis] - w->padding[axis] + w->kernel[axis];
        if (outside || end > w->in[axis] + w->padding[axis])
            return false;
    }
    return true;
}

/* 1 / (elements of the window that count), for each row or column of windows */
static Tensor *shares(Prog *prog, const Layer *layer, const Window *w, int axis)
{
    double *share = NEW_ARRAY(double, w->out[axis]);
    int64_t padding = counted_padding(layer, w, axis);
    for (int64_t y = 0; y < w->out[axis]; y++) {
        int64_t begin = y * w->stride[axis] - w->padding[axis], end = begin + w->kernel[axis];
        begin = begin < -padding ? -padding : begin;
        end = end > w->in[axis] + padding ? w->in[axis] + padding : end;
        share[y] = 1.0 / (double)(end - begin);
    }
    return constant_tensor(prog, axis ? "share_x" : "share_y", 1, &w->out[axis], share);
}

static void lower_avgpool(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    bool whole = counts_all(layer, &w);
    Tensor *sum = whole ? out : part_of(prog, "sum", 3, out->dim);

    Statement *s = new_statement(prog);
    Access here = element(s, sum);
    store(prog, s, STORE_SET, here, constant(0));

    s = new_statement(prog);
    here = element(s, sum);
    Affine ky = index_of(s, "ky", w.kernel[0]), kx = index_of(s, "kx", w.kernel[1]);
    Access tap =
        access_at(in, here.at[0], window_at(&w, 0, here.at[1], ky), window_at(&w, 1, here.at[2], kx));
    double share = whole ? 1.0 / ((double)w.kernel[0] * (double)w.kernel[1]) : 1;
    store(prog, s, STORE_ADD, here, mul(load(padded(tap)), constant(share)));

    if (!whole) {
        s = new_statement(prog);
        here = element(s, sum);
        Expr *divisor = mul(load(access_at(shares(prog, layer, &w, 0), here.at[1])),
                            load(access_at(shares(prog, layer, &w, 1), here.at[2])));
        store(prog, s, STORE_SET, same_place(here, out), mul(load(here), divisor));
    }
}

const Kind kind_avgpool = {
    .name = "avgpool",
    .role = ROLE_LAYER,
    .syntax = "avgpool K [sS] [pP] [countpad=true] [ceil=false]",
    .help = "mean of each window (AvgPool2d); the stride is K if left out; ceil=true: "
            "ceil_mode",
    .params = params,
    .shape = pool_shape,
    .lower = lower_avgpool,
    .torch = "nn.AvgPool2d({k}, stride={s}, padding={p}, ceil_mode={ceil}, count_include_pad={countpad})",
    .examples =
        "input 2x6x5; avgpool 2|input 2x5x7; avgpool k3x2 s2 p1|input 2x5x7; avgpool k3x2 s2 p1 "
        "countpad=false|"
        "input 1x5x5; avgpool 3 s1 p1 countpad=false|input "
        "1x3x4; avgpool k3x4|input 2x5x4; avgpool 2x3 ceil=true|"
        "input 1x6x7; avgpool 3 s2 p1 ceil=true|input 1x6x7; avgpool 3 s2 p1 ceil=true countpad=false|input "
        "1x2x3; avgpool 3 s2 ceil=true|input 1x5x5; avgpool k2 s3 ceil=true|input 2x5x5; avgpool 2 s3",
};
