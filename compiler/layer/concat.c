/* concat: tensors one behind the other, along channels (features, where they are no images). */
#include "layer/layer.h"

static const Param params[] = {
    {"L", PARAM_LABELS, true, NULL, 1, 48, NULL, "label"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    Shape sum = layer->in->shape;
    for (int i = 0; i < layer->nmore; i++) {
        Shape other = layer->more[i]->shape;
        if (sum.rank == other.rank && sum.h == other.h && sum.w == other.w) {
            sum.c += other.c;
            continue;
        }
        const Token *label = &layer->arg[0].label[i];
        error_at(label->loc,
                 sum.rank != other.rank
                     ? "concat expects only images, only sequences or only flat tensors, but its input is %s "
                       "and %s is %s"
                 : sum.rank == 2
                     ? "concat expects equal numbers of positions, but its input is %s and %s is %s"
                     : "concat expects equal heights and widths, but its input is %s and %s is %s",
                 shape_text(layer->in->shape), label->text, shape_text(other));
        say_where_from(layer->in);
        say_where_from(layer->more[i]);
        return false;
    }
    layer->out->shape = sum;
    return true;
}

static void lower_concat(Prog *prog, const Layer *layer)
{
    int64_t begin = 0;
    for (int i = -1; i < layer->nmore; i++) {
        const Value *part = i < 0 ? layer->in : layer->more[i];
        Statement *s = new_statement(prog);
        Access from = element(s, tensor_of(prog, part)), to = same_place(from, tensor_of(prog, layer->out));
        int channels = to.tensor->channel;
        to.at[channels] = affine_add(to.at[channels], affine(begin));
        store(prog, s, STORE_SET, to, load(from));
        begin += part->shape.c;
    }
}

const Kind kind_concat = {
    .name = "concat",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "concat L...",
    .help = "the current tensor, then those named, along channels (features of a sequence)",
    .params = params,
    .shape = shape,
    .lower = lower_concat,
    .torch = "sequence ? torch.cat(({all}), 2)|torch.cat(({all}), 1)",
    .examples = "input 2x3x4; x: tanh; conv 3 k1; concat x|input 5; x:; sigmoid; y: tanh; fc 3; concat y "
                "x|input 3; x: tanh; concat x x|"
                "input 1x2x3; x: conv 8 k3 p1; y: conv 8 k1; from x; relu; concat y x; conv 2 k1|input "
                "3x2; x: tanh; fc 5; concat x",
};
