/* mul: the product with a named tensor. One of the two may be C or Cx1x1 against CxHxW: then each channel
 * has one factor (a gate, as squeeze-and-excite has them); or C against TxC. Or one is 1xHxW: then each pixel
 * has one (a mask, as spatial attention has it). */
#include "layer/layer.h"

static const Param params[] = {
    {"L", PARAM_LABELS, true, NULL, 1, 1, NULL, "label"},
    {0},
};

/* Has `gate` one number for each channel of `image`, or one for each pixel? */
static bool gates(Shape gate, Shape image)
{
    bool channels = image.rank >= 2 && gate.c == image.c && gate.h == 1 && gate.w == 1
                    && (gate.rank == 1 || gate.rank == image.rank);
    bool pixels =
        image.rank == 3 && gate.rank == 3 && gate.c == 1 && gate.h == image.h && gate.w == image.w;
    return channels || pixels;
}

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    Shape a = layer->in->shape, b = layer->more[0]->shape;
    bool equal = a.rank == b.rank && a.c == b.c && a.h == b.h && a.w == b.w;
    if (!equal && !gates(a, b) && !gates(b, a)) {
        const Token *label = &layer->arg[0].label[0];
        error_at(label->loc, "mul expects equal shapes, C against CxHxW or TxC, or 1xHxW against "
                             "CxHxW, but its input is %s and %s is %s",
                 shape_text(a), label->text, shape_text(b));
        say_where_from(layer->in);
        say_where_from(layer->more[0]);
        return false;
    }
    layer->out->shape = !equal && gates(a, b) && !(gates(b, a) && a.rank > 1) ? b : a;
    return true;
}

/* A tensor's element that goes with one of out. */
static Access factor(Access out, Tensor *tensor)
{
    Access access = same_place(out, tensor);
    if (tensor->rank == 1)
        access.at[0] = channel_index(&out);
    for (int d = 0; d < tensor->rank; d++)
        if (tensor->dim[d] == 1)
            access.at[d] = affine(0);
    return access;
}

static void lower_mul(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    store(prog, s, STORE_SET, out,
          mul(load(factor(out, tensor_of(prog, layer->in))),
              load(factor(out, tensor_of(prog, layer->more[0])))));
}

const Kind kind_mul = {
    .name = "mul",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "mul L",
    .help = "product with the tensor named; one may be C, Cx1x1 or 1xHxW against CxHxW, or C "
            "against TxC",
    .params = params,
    .shape = shape,
    .lower = lower_mul,
    .torch = "flat 0=image ? x[:, :, None, None] * {0}|flat 0=sequence ? x[:, None] * {0}|"
             "image 0=flat ? x * {0}[:, :, None, None]|sequence 0=flat ? x * {0}[:, None]|x * {0}",
    .examples = "input 2x3x4; x: tanh; conv 2 k1; mul x|input 5; x: tanh; fc 5; sigmoid; mul x|input 3; x: "
                "tanh; mul x|"
                "input 3x4x2; x: conv 3 k1; globalavgpool; fc 3; sigmoid; mul x; relu|input 8x2x2; x: conv 8 "
                "k1; avgpool 2; tanh; g:; "
                "from x; tanh; mul g|input 4; g: tanh; fc 4; mul g|input 2x1x1; x: tanh; flatten; mul x|"
                "input 2x1x1; y: tanh; flatten; x:; from y; mul x|input 3x4; x: tanh; fc 4; mul x|"
                "input 3x2x4; x: tanh; conv 1 k1; sigmoid; mul x|input 9x2x2; x: conv 9 k1; m: conv 1 k1; "
                "from x; tanh; mul m",
};
