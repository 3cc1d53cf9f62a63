/* embedding: to each token its row of a table of weights,
 *
 *     out[t, c] = weight[token[t], c]
 *
 * which is said as a sum in which the token picks the term, so that what statements mean stays what it was:
 *
 *     out[t, c] = 0, or NaN where the table has no such row
 *     out[t, c] += (token[t] == v ? weight[v, c] : 0)          over all v
 *     d_weight[v, c] += (token[t] == v ? d_out[t, c] : 0)      over all t
 *
 * Nobody goes through all v: the index is picked (picked_index). A token without a row reads nothing. What it
 * makes is NaN, and no row gets a gradient from it. */
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"D", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "number of features of each token"},
    {0},
};

static bool shape(Net *net, Layer *layer)
{
    const Shape in = layer->in->shape;
    const int64_t dim[] = {in.of, layer->arg[0].i[0]};
    layer->out->shape = sequence_shape(in.c, dim[1]);
    if (!add_weight(net, layer, "weight", 1, 2, dim))
        return false;
    draw_normal(layer->weight[0], 1);
    layer->weight[0]->rows = true;
    return true;
}

/* weight[v, c] and out[t, c], and the condition that the token at t is v. */
typedef struct Pick {
    Access weight, out;
    Expr *token, *row;
} Pick;

static Pick pick_at(Prog *prog, const Layer *layer, Affine t, Affine v, Affine c)
{
    return (Pick){access_at(weight_tensor(prog, layer->weight[0]), v, c),
                  access_at(tensor_of(prog, layer->out), t, c),
                  load(token_at(prog, layer->in, t)), index_value(v)};
}

static void lower_embedding(Prog *prog, const Layer *layer)
{
    const Tensor *out = tensor_of(prog, layer->out);
    const int64_t rows = layer->weight[0]->dim[0];
    Statement *s = new_statement(prog);
    Affine t = index_of(s, "t", out->dim[0]), c = index_of(s, "c", out->dim[1]);
    Pick pick = pick_at(prog, layer, t, affine(0), c);
    store(prog, s, STORE_SET, pick.out,
          if_le(constant(0), pick.token,
                if_le(pick.token, constant((double)(rows - 1)), constant(0), constant(NAN)), constant(NAN)));

    s = new_statement(prog);
    t = index_of(s, "t", out->dim[0]);
    c = index_of(s, "c", out->dim[1]);
    pick = pick_at(prog, layer, t, index_of(s, "v", rows), c);
    store(prog, s, STORE_ADD, pick.out, if_eq(pick.token, pick.row, load(pick.weight), constant(0)));
}

/* By the rules it would be d_out times 1 or 0, which is NaN in every row where d_out is NaN. */
static void gradient(Prog *prog, const Layer *layer)
{
    const Tensor *out = tensor_of(prog, layer->out);
    Statement *s = new_statement(prog);
    Affine t = index_of(s, "t", out->dim[0]), c = index_of(s, "c", out->dim[1]);
    Pick pick = pick_at(prog, layer, t, index_of(s, "v", layer->weight[0]->dim[0]), c);
    add_to_adjoint(prog, s, pick.weight,
                   if_eq(pick.token, pick.row, adjoint_at(prog, pick.out), constant(0)));
}

const Kind kind_embedding = {
    .name = "embedding",
    .role = ROLE_LAYER,
    .takes = TAKES_TOKENS,
    .each_position = true,
    .syntax = "embedding D",
    .help = "D features for each token, those of its row of the weights (Embedding)",
    .params = params,
    .shape = shape,
    .lower = lower_embedding,
    .gradient = gradient,
    .torch = "nn.Embedding({of}, {D})",
    .examples = "input 4 of 5; embedding 3|input 6 of 3; embedding 8; fc 2|input 1 of 4; embedding 1; tanh|"
                "input 3 of 1; embedding 4|input 5 of 7; embedding 9; attention 3 causal=true; loss none",
};
