/* elu: x above 0, alpha (exp(x) - 1) below (ELU). selu: scale times that, for an alpha and a scale that keep
 * mean 0 and deviation 1 from layer to layer (SELU; Klambauer and others 2017).
 *
 * Near 0 that difference would lose its digits, so it is written tanh(x/2) (exp(x) + 1). The gradient
 * below 0 is scale alpha exp(x) = out + scale alpha. */
#include "layer/layer.h"

static const Param params[] = {
    {"ALPHA", PARAM_NUMBER, true, "1", -1e30, 1e30, NULL, "alpha"},
    {0},
};

static const Param selu_params[] = {{0}};

static double scale_of(const Layer *layer)
{
    return layer->kind->params == selu_params ? 1.0507009873554804934193349852946 : 1;
}

/* scale alpha */
static double depth_of(const Layer *layer)
{
    if (layer->kind->params == selu_params)
        return scale_of(layer) * 1.6732632423543772848170429916717;
    return layer->arg[0].list[0];
}

static Expr *elu(Expr *in, const Layer *layer)
{
    Expr *below = mul(unary(OP_TANH, mul(in, constant(0.5))), add(unary(OP_EXP, in), constant(1)));
    return if_le(in, constant(0), mul(below, constant(depth_of(layer))), mul(in, constant(scale_of(layer))));
}

static void lower_elu(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, elu);
}

static void gradient(Prog *prog, const Layer *layer)
{
    double depth = depth_of(layer);
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out)), in = same_place(out, tensor_of(prog, layer->in));
    Access sign = depth >= 0 ? out : in; /* so that the input need not be kept */
    Expr *d_out = adjoint_at(prog, out);
    add_to_adjoint(prog, s, in,
                   if_le(load(sign), constant(0), mul(d_out, add(load(out), constant(depth))),
                         mul(d_out, constant(scale_of(layer)))));
}

const Kind kind_elu = {
    .name = "elu",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "elu [1]",
    .help = "x above 0, alpha times (exp(x) - 1) below (ELU)",
    .params = params,
    .shape = same_shape,
    .lower = lower_elu,
    .gradient = gradient,
    .torch = "F.elu(x, {ALPHA})",
    .examples = "input 2x3x4; elu|input 9; elu 0.3|input 5; elu -0.5|input 5; elu 0",
};

const Kind kind_selu = {
    .name = "selu",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "selu",
    .help = "elu that keeps mean 0 and deviation 1 from layer to layer (SELU)",
    .params = selu_params,
    .shape = same_shape,
    .lower = lower_elu,
    .gradient = gradient,
    .torch = "F.selu(x)",
    .examples = "input 2x3x4; selu|input 9; selu",
};
