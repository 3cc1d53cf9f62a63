/* maxpool1d, avgpool1d: the greatest, and the mean, of each window along the positions of a sequence
 * (MaxPool1d; AvgPool1d, whose padding counts).
 *
 *     out[t, c] max= in[t s + k - p, c]            out[t, c] += in[t s + k - p, c] / K */
#include "layer/layer.h"

static const Param params[] = {
    {"k", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "kernel size"},
    {"s", PARAM_INT, false, "", 1, MOST_ELEMENTS, NULL, "stride; the kernel if left out"},
    {"p", PARAM_INT, false, "0", 0, MOST_ELEMENTS, NULL, "padding"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    int64_t t, one;
    if (!want_sequence(layer) || !slide_window(layer, &t, &one))
        return false;
    layer->out->shape = sequence_shape(t, layer->in->shape.c);
    return true;
}

static void lower_window(Prog *prog, const Layer *layer, Store how, double share)
{
    Window w = window_of(layer);
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    Affine k = index_of(s, "k", w.kernel[0]);
    Tensor *in = tensor_of(prog, layer->in);
    Expr *tap = load(padded(access_at(in, window_at(&w, 0, out.at[0], k), out.at[1])));
    store(prog, s, how, out, how == STORE_ADD ? mul(tap, constant(share)) : tap);
}

static void lower_maxpool1d(Prog *prog, const Layer *layer)
{
    lower_window(prog, layer, STORE_MAX, 1);
}

static void lower_avgpool1d(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, element(s, tensor_of(prog, layer->out)), constant(0));
    lower_window(prog, layer, STORE_ADD, 1.0 / (double)window_of(layer).kernel[0]);
}

const Kind kind_maxpool1d = {
    .name = "maxpool1d",
    .role = ROLE_LAYER,
    .syntax = "maxpool1d K [sS] [pP]",
    .help = "greatest of each window along the positions (MaxPool1d); the stride is K if left out",
    .params = params,
    .shape = shape,
    .greatest = true,
    .lower = lower_maxpool1d,
    .torch = "nn.MaxPool1d({k}, stride={s}, padding={p}) => @(x.transpose(1, 2)).transpose(1, 2)",
    .examples = "input 6x3; maxpool1d 2|input 7x2; maxpool1d 3 s1 p1|input 7x9; maxpool1d 2 s3|"
                "input 5x1; maxpool1d 5|input 4x3; maxpool1d 1",
};

const Kind kind_avgpool1d = {
    .name = "avgpool1d",
    .role = ROLE_LAYER,
    .syntax = "avgpool1d K [sS] [pP]",
    .help = "mean of each window along the positions (AvgPool1d); the stride is K if left out",
    .params = params,
    .shape = shape,
    .lower = lower_avgpool1d,
    .torch = "nn.AvgPool1d({k}, stride={s}, padding={p}) => @(x.transpose(1, 2)).transpose(1, 2)",
    .examples = "input 6x3; avgpool1d 2|input 7x2; avgpool1d 3 s1 p1|input 7x9; avgpool1d 2 s3|"
                "input 5x1; avgpool1d 5",
};
