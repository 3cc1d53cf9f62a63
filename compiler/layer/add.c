/* add: the sum of tensors of one shape. */
#include "layer/layer.h"

static const Param params[] = {
    {"L", PARAM_LABELS, true, NULL, 1, 15, NULL, "label"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    Shape in = layer->in->shape;
    layer->out->shape = in;
    for (int i = 0; i < layer->nmore; i++) {
        Shape other = layer->more[i]->shape;
        if (in.rank == other.rank && in.c == other.c && in.h == other.h && in.w == other.w)
            continue;
        const Token *label = &layer->arg[0].label[i];
        error_at(label->loc, "add expects equal shapes, but its input is %s and %s is %s", shape_text(in),
                 label->text, shape_text(other));
        say_where_from(layer->in);
        say_where_from(layer->more[i]);
        if (in.rank == 3 && other.rank == 3 && in.h == other.h && in.w == other.w)
            help_at(label->loc, "`from %s; conv %lld k1` is a branch of %lld channels to add it to",
                    label->text, (long long)in.c, (long long)in.c);
        return false;
    }
    return true;
}

static void lower_add(Prog *prog, const Layer *layer)
{
    Statement *s = new_statement(prog);
    Access each = element(s, tensor_of(prog, layer->in));
    Expr *sum = load(each);
    for (int i = 0; i < layer->nmore; i++)
        sum = add(sum, load(same_place(each, tensor_of(prog, layer->more[i]))));
    store(prog, s, STORE_SET, same_place(each, tensor_of(prog, layer->out)), sum);
}

const Kind kind_add = {
    .name = "add",
    .each_position = true,
    .role = ROLE_LAYER,
    .syntax = "add L...",
    .help = "sum of the current tensor and those named; equal shapes",
    .params = params,
    .shape = shape,
    .lower = lower_add,
    .torch = "{sum}",
    .examples = "input 2x3x4; x: tanh; conv 2 k1; add x|input 5; x:; sigmoid; y: tanh; fc 5; add y x|input "
                "3; x: tanh; add x|"
                "input 2x2x3; x: relu; y: conv 2 k1; from x; conv 2 k3 p1; add y; relu; add x y y|input "
                "4x3; x: fc 3; add x",
};
