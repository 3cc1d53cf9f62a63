/* normalize: (x - mean) / std with constants, one for all channels or one for each. */
#include "layer/layer.h"

static const Param params[] = {
    {"mean", PARAM_NUMBERS, false, NULL, -1e30, 1e30, NULL, "subtracted"},
    {"std", PARAM_NUMBERS, false, NULL, -1e30, 1e30, NULL, "divided by"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    for (int i = 0; i < 2; i++) {
        const Arg *arg = &layer->arg[i];
        if (arg->n != 1 && arg->n != layer->in->shape.c) {
            error_at(arg->loc, "the argument '%s' has %d numbers, but the input has %lld channel%s: "
                     "give one number, or one for each", params[i].name, arg->n,
                     (long long)layer->in->shape.c, layer->in->shape.c == 1 ? "" : "s");
            return false;
        }
    }
    const Arg *std = arg_of(layer, "std");
    for (int i = 0; i < std->n; i++)
        if (!((float)std->list[i] > 0)) {
            error_at(std->loc, "a standard deviation must be greater than 0");
            return false;
        }
    return same_shape(net, layer);
}

static Expr *number(Prog *prog, const Arg *arg, const char *name, Affine channel)
{
    int64_t n = arg->n;
    return n == 1 ? constant(arg->list[0])
                  : load(access_at(constant_tensor(prog, name, 1, &n, arg->list), channel));
}

static void lower_normalize(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access in = element(s, tensor_of(prog, layer->in));
    store(prog, s, STORE_SET, same_place(in, tensor_of(prog, layer->out)),
          divide(sub(load(in), number(prog, arg_of(layer, "mean"), "mean", channel_index(&in))),
                 number(prog, arg_of(layer, "std"), "std", channel_index(&in))));
}

const Kind kind_normalize = {
    .name = "normalize",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "normalize mean=M[,M...] std=S[,S...]",
    .help = "(x - M) / S with constants, so that deployed code takes raw input",
    .params = params,
    .shape = shape,
    .lower = lower_normalize,
    .torch = "image ? (x - torch.tensor({mean}).to(x).reshape(-1, 1, 1)) / "
             "torch.tensor({std}).to(x).reshape(-1, 1, 1)|"
             "(x - torch.tensor({mean}).to(x)) / torch.tensor({std}).to(x)",
    .examples = "input 3x2x4; normalize mean=0.49,0.48,0.45 std=0.2,0.25,0.3|input 4; normalize mean=0.1307 "
                "std=0.3081|"
                "input 2x2x2; normalize mean=0 std=2,4|input 3x2; normalize mean=0.5,1 std=2,4|input 3; "
                "normalize mean=1,2,3 std=1",
};
