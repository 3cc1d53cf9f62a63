/* avgpool: AvgPool2d. The mean of each window; with countpad the padding counts as zeros, without it only the
 * elements inside the input count, so that windows at the border divide by less. */
#include "layer/layer.h"

static const Param params[] = {
    {"k", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_PAIR, false, "", 1, MOST_ELEMENTS, NULL, "stride; the kernel if left out"},
    {"p", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"countpad", PARAM_FLAG, false, "true", 0, 1, NULL, "padding counts as zeros"},
    {0},
};

/* 1 / (elements of the window that lie inside the input), for each row or column of windows */
static Tensor *shares(Prog *prog, const Window *w, int axis)
{
    double *share = NEW_ARRAY(double, w->out[axis]);
    for (int64_t y = 0; y < w->out[axis]; y++) {
        int64_t begin = y * w->stride[axis] - w->padding[axis], end = begin + w->kernel[axis];
        begin = begin < 0 ? 0 : begin;
        end = end > w->in[axis] ? w->in[axis] : end;
        share[y] = 1.0 / (double)(end - begin);
    }
    return constant_tensor(prog, axis ? "share_x" : "share_y", 1, &w->out[axis], share);
}

static void lower_avgpool(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    bool whole = arg_of(layer, "countpad")->i[0] || (!w.padding[0] && !w.padding[1]);
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
        Expr *divisor = mul(load(access_at(shares(prog, &w, 0), here.at[1])),
                            load(access_at(shares(prog, &w, 1), here.at[2])));
        store(prog, s, STORE_SET, same_place(here, out), mul(load(here), divisor));
    }
}

const Kind kind_avgpool = {
    .name = "avgpool",
    .role = ROLE_LAYER,
    .syntax = "avgpool K [sS] [pP] [countpad=true]",
    .help = "mean of each window (AvgPool2d); the stride is K if left out",
    .params = params,
    .shape = pool_shape,
    .lower = lower_avgpool,
    .examples =
        "input 2x6x5; avgpool 2|input 2x5x7; avgpool k3x2 s2 p1|input 2x5x7; avgpool k3x2 s2 p1 "
        "countpad=false|"
        "input 1x5x5; avgpool 3 s1 p1 countpad=false|input 1x3x4; avgpool k3x4|input 2x5x5; avgpool 2 s3",
};
