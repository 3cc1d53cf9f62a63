/* maxpool: MaxPool2d. out[c, y, x] is the greatest in[c, y s + ky d - p, x s + kx d - p] inside the input;
 * its gradient goes to the first of the greatest. */
#include "layer/layer.h"

static const Param params[] = {
    {"k", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_PAIR, false, "", 1, MOST_ELEMENTS, NULL, "stride; the kernel if left out"},
    {"p", PARAM_PAIR, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {"d", PARAM_PAIR, false, "1", 1, MOST_ELEMENTS, NULL, "dilation"},
    {"ceil", PARAM_FLAG, false, "false", 0, 1, NULL, "windows beyond the last whole one"},
    {0},
};

/* Dilated taps may all miss a small input. */
static void warn_of_empty_windows(const Layer *layer)
{
    Window w = window_of(layer);
    for (int axis = 0; axis < 2; axis++)
        for (int64_t y = 0; y < w.out[axis] && w.padding[axis]; y++) {
            bool any = false;
            for (int64_t k = 0; k < w.kernel[axis] && !any; k++) {
                int64_t at = y * w.stride[axis] + k * w.dilation[axis] - w.padding[axis];
                any = at >= 0 && at < w.in[axis];
            }
            if (!any) {
                warning_at(WARN_PADDING, layer->loc,
                           "the window at %s %lld covers only padding, so its maximum is -inf",
                           axis ? "column" : "row", (long long)y);
                return;
            }
        }
}

static bool shape(Net *net, Layer *layer)
{
    if (!pool_shape(net, layer))
        return false;
    warn_of_empty_windows(layer);
    return true;
}

static void lower_maxpool(Prog *prog, const Layer *layer)
{
    Window w = window_of(layer);
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    Affine ky = index_of(s, "ky", w.kernel[0]), kx = index_of(s, "kx", w.kernel[1]);
    Access tap = access_at(tensor_of(prog, layer->in), out.at[0], window_at(&w, 0, out.at[1], ky),
                           window_at(&w, 1, out.at[2], kx));
    store(prog, s, STORE_MAX, out, load(padded(tap)));
}

const Kind kind_maxpool = {
    .name = "maxpool",
    .role = ROLE_LAYER,
    .syntax = "maxpool K [sS] [pP] [dD] [ceil=false]",
    .help = "greatest of each window (MaxPool2d); the stride is K if left out; ceil=true: "
            "ceil_mode",
    .params = params,
    .shape = shape,
    .greatest = true,
    .lower = lower_maxpool,
    .torch = "nn.MaxPool2d({k}, stride={s}, padding={p}, dilation={d}, ceil_mode={ceil})",
    .examples = "input 2x6x5; maxpool 2|input 2x5x7; maxpool k3x2 s2 p1|input 1x7x7; maxpool 3 s1 d2 p1|"
                "input 3x5x5; maxpool 2 s3|input 1x3x4; maxpool k3x4|input 2x5x4; maxpool 2x3 ceil=true|"
                "input 1x6x7; maxpool 3 s2 p1 ceil=true|input 1x2x3; maxpool 3 s2 ceil=true|input 1x5x5; "
                "maxpool k2 s3 ceil=true|input 2x3x3; maxpool 1",
};
