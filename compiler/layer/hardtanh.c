/* hardtanh: x, but at least MIN and at most MAX (Hardtanh). Its gradient asks the output, so that the input
 * need not be kept; as in PyTorch it is 0 at the two ends. */
#include "layer/layer.h"

static const Param params[] = {
    {"MIN", PARAM_NUMBER, true, "-1", -1e30, 1e30, NULL, "least value"},
    {"MAX", PARAM_NUMBER, true, "1", -1e30, 1e30, NULL, "greatest value"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    const Arg *least = &layer->arg[0], *most = &layer->arg[1];
    if ((float)least->list[0] < (float)most->list[0])
        return same_shape(net, layer);
    error_at((most->given ? most : least)->loc,
             "the least value of hardtanh must be below its greatest value: %g, %g", least->list[0],
             most->list[0]);
    return false;
}

static Expr *hardtanh(Expr *in, const Layer *layer)
{
    Expr *least = constant(layer->arg[0].list[0]), *most = constant(layer->arg[1].list[0]);
    return if_le(in, least, least, if_le(most, in, most, in));
}

static void lower_hardtanh(Prog *prog, const Layer *layer)
{
    lower_pointwise(prog, layer, hardtanh);
}

static void gradient(Prog *prog, const Layer *layer)
{
    Expr *least = constant(layer->arg[0].list[0]), *most = constant(layer->arg[1].list[0]);
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    add_to_adjoint(prog, s, same_place(out, tensor_of(prog, layer->in)),
                   if_le(load(out), least, constant(0),
                         if_le(most, load(out), constant(0), adjoint_at(prog, out))));
}

const Kind kind_hardtanh = {
    .name = "hardtanh",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "hardtanh [-1 1]",
    .help = "x, but at least -1 and at most 1, or those given (Hardtanh)",
    .params = params,
    .shape = shape,
    .rises = true,
    .lower = lower_hardtanh,
    .gradient = gradient,
    .torch = "F.hardtanh(x, {MIN}, {MAX})",
    .examples = "input 2x3x4; hardtanh|input 9; hardtanh -0.3 0.5|input 5; hardtanh -2|"
                "input 2x5x4; hardtanh; maxpool 2",
};
