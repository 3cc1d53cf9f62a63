/* positions: says to each position where it is, by a vector that is added: learnt, or fixed sinusoids
 * ("Attention is all you need"),
 *
 *     table[t, 2i] = sin(t / 10000^(2i / C))        table[t, 2i + 1] = cos(t / 10000^(2i / C)) */
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"HOW", PARAM_CHOICE, true, "learnt", 0, 0, "learnt|sincos", "what is added"},
    {0},
};

enum { LEARNT, SINCOS };

static bool shape(Net *net, Layer *layer)
{
    if (!want_sequence(layer))
        return false;
    Shape in = layer->in->shape;
    if (layer->arg[0].i[0] == SINCOS && in.c % 2) {
        error_at(layer->arg[0].loc, "positions sincos expects an even number of features, but there %s %lld",
                 in.c == 1 ? "is" : "are", (long long)in.c);
        say_where_from(layer->in);
        return false;
    }
    if (layer->arg[0].i[0] == LEARNT) {
        const int64_t dim[] = {in.h, in.c};
        if (!add_weight(net, layer, "weight", 1, 2, dim))
            return false;
        draw_normal(layer->weight[0], 0.02);
        layer->weight[0]->rows = true;
    }
    return same_shape(net, layer);
}

static Tensor *sinusoids(Prog *prog, const Tensor *in)
{
    int64_t features = in->dim[1];
    const int64_t count = prog->positions ? prog->positions * features : in->count;
    double *table = NEW_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++) {
        int64_t t = i / features, c = i % features;
        double angle = (double)t / pow(10000, (double)(c - c % 2) / (double)features);
        table[i] = (double)(float)(c % 2 ? cos(angle) : sin(angle));
    }
    return constant_tensor(prog, "table", 1, &count, table);
}

static void lower_positions(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    const Affine here = prog->positions ? begin_position(prog) : affine(0);
    Statement *s = new_statement(prog);
    Access each = element(s, in), added = {.at = {affine_add(each.at[0], here), each.at[1]}};
    if (layer->nweights)
        added.tensor = weight_tensor(prog, layer->weight[0]);
    else
        added = access_at(sinusoids(prog, in),
                          affine_add(affine_scale(added.at[0], in->dim[1]), added.at[1]));
    store(prog, s, STORE_SET, same_place(each, tensor_of(prog, layer->out)), add(load(each), load(added)));
    end_steps(prog);
}

const Kind kind_positions = {
    .name = "positions",
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "positions [sincos]",
    .help = "adds a learnt vector to each position; sincos: the fixed sinusoids of \"Attention is all you "
            "need\"",
    .params = params,
    .shape = shape,
    .lower = lower_positions,
    .next = lower_positions,
    .torch = "HOW=learnt ? Weight({length}, {in}, deviation=0.02) => x + @.weight|"
             "x + sinusoids({length}, {in}).to(x)",
    .torch_helper =
        "def sinusoids(positions, features):\n"
        "    place = torch.arange(positions, dtype=torch.float64)[:, None]\n"
        "    angle = place / 10000 ** (torch.arange(0, features, 2, dtype=torch.float64) / features)\n"
        "    return torch.stack((angle.sin(), angle.cos()), 2).flatten(1)\n",
    .examples = "input 4x3; positions|input 5x6; positions sincos|input 3x9; positions; fc 2|"
                "input 1x2; positions sincos|"
                "input 3x2; a: positions; tanh; positions weights=a",
};
