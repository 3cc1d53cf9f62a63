/* attention: MultiheadAttention(C, H, batch_first=True) of a sequence with itself, or with keys and values
 * from another.
 *
 *     q, k, v = in_proj of the positions
 *     scores[t, h, u] = sum over d of q[t, h, d] k[u, h, d]
 *     p[t, h, u] = softmax over u of scores / sqrt(D)
 *     mixed[t, h, d] = sum over u of p[t, h, u] v[u, h, d]
 *     out = out_proj of mixed
 *
 * with D = C / H. The heads of a position lie one behind the other: row H t + h of the scores is head h of
 * position t. causal=true takes u up to t alone. Its own gradient knows that the greatest score, which only
 * keeps exp from overflowing, needs none:
 *
 *     d_scores = p (d_p - sum over u of d_p p) / sqrt(D)
 *
 * Of what lies above the diagonal under causal=true p, and in training what is mixed and the gradient of the
 * scores, are 0; the rest means nothing and nobody reads it. See program/triangle.c.
 *
 * With --stream net_state keeps keys and values of the positions so far, the keys transposed, so that the
 * scores of neighbours lie in one vector. */
#include <float.h>
#include <math.h>

#include "layer/layer.h"

static const Param params[] = {
    {"H", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "number of heads"},
    {"causal", PARAM_FLAG, false, "false", 0, 1, NULL, "no position sees a later one"},
    {"from", PARAM_LABELS, false, "", 1, 1, NULL, "where keys and values come from"},
    {"bias", PARAM_FLAG, false, "true", 0, 1, NULL, "adds biases"},
    {"dropout", PARAM_NUMBER, false, "0", 0, 1, NULL, "probability with which a weight of the mean is "
    "dropped"},
    {0},
};

static bool has_bias(const Layer *layer)
{
    return arg_of(layer, "bias")->i[0];
}

static const Weight *in_weight(const Layer *layer)
{
    return layer->weight[0];
}

static const Weight *in_bias(const Layer *layer)
{
    return has_bias(layer) ? layer->weight[1] : NULL;
}

static const Weight *out_weight(const Layer *layer)
{
    return layer->weight[has_bias(layer) ? 2 : 1];
}

static const Weight *out_bias(const Layer *layer)
{
    return has_bias(layer) ? layer->weight[3] : NULL;
}

/* What gives keys and values. */
static const Value *source_of(const Layer *layer)
{
    return layer->nmore ? layer->more[0] : layer->in;
}

static bool check_source(const Layer *layer)
{
    const Arg *from = arg_of(layer, "from"), *causal = arg_of(layer, "causal");
    if (!layer->nmore)
        return true;
    Shape source = layer->more[0]->shape;
    if (source.rank != 2 || source.c != layer->in->shape.c) {
        error_at(from->loc, "attention expects a sequence of as many features, but its input is %s and %s "
        "is %s",
                 shape_text(layer->in->shape), from->label[0].text, shape_text(source));
        say_where_from(layer->in);
        say_where_from(layer->more[0]);
        return false;
    }
    if (causal->i[0]) {
        error_at(causal->loc, "causal=true is for a sequence with itself, not together with 'from' "
        "[argument]");
        return false;
    }
    return true;
}

static bool shape(Net *net, Layer *layer)
{
    if (!want_sequence(layer))
        return false;
    int64_t features = layer->in->shape.c;
    const Arg *heads = arg_of(layer, "H");
    if (features % heads->i[0]) {
        error_at(heads->loc, "the number of features (%lld) must be divisible by the number of heads (%lld)",
                 (long long)features, (long long)heads->i[0]);
        say_where_from(layer->in);
        return false;
    }
    if (!check_source(layer))
        return false;
    const int64_t in[] = {3 * features, features}, out[] = {features, features};
    bool bias = has_bias(layer);
    if (!add_weight(net, layer, "in_proj_weight", features, 2, in)
        || (bias && !add_weight(net, layer, "in_proj_bias", features, 1, in))
        || !add_weight(net, layer, "out_proj.weight", features, 2, out)
        || (bias && !add_weight(net, layer, "out_proj.bias", features, 1, out)))
        return false;
    layer->weight[0]->high = sqrt(6 / (4.0 * (double)features)); /* xavier_uniform_ */
    layer->weight[0]->low = -layer->weight[0]->high;
    for (int i = 1; bias && i < 4; i += 2)
        layer->weight[i]->low = layer->weight[i]->high = 0;
    return same_shape(net, layer);
}

/* ---- Projections ----------------------------------------------------------------------------- */

/* out[t, o] = bias[first + o] + sum over c of weight[first + o, c] in[t, c] */
typedef struct Projection {
    Tensor *in, *out;
    const Weight *weight, *bias;
    int64_t first;
} Projection;

static Affine shifted(Affine a, int64_t by)
{
    return affine_add(a, affine(by));
}

static void project(Prog *prog, const Projection *p)
{
    for (int step = 0; step < 2; step++) {
        Statement *s = new_statement(prog);
        Affine t = index_of(s, "t", p->out->dim[0]), o = index_of(s, "o", p->out->dim[1]);
        Affine row = shifted(o, p->first);
        if (step == 0) {
            store(prog, s, STORE_SET, access_at(p->out, t, o),
                  p->bias ? load(access_at(weight_tensor(prog, p->bias), row)) : constant(0));
            continue;
        }
        Affine c = index_of(s, "c", p->in->dim[1]);
        store(prog, s, STORE_ADD, access_at(p->out, t, o),
              mul(load(access_at(weight_tensor(prog, p->weight), row, c)), load(access_at(p->in, t, c))));
    }
}

static void project_back(Prog *prog, const Projection *p)
{
    for (int of = 0; of < 3 && p->out->active; of++) {
        Statement *s = new_statement(prog);
        Affine t = index_of(s, "t", p->out->dim[0]), o = index_of(s, "o", p->out->dim[1]);
        Affine row = shifted(o, p->first);
        Expr *d_out = adjoint_at(prog, access_at(p->out, t, o));
        if (of == 2) {
            if (p->bias)
                add_to_adjoint(prog, s, access_at(weight_tensor(prog, p->bias), row), d_out);
            continue;
        }
        Affine c = index_of(s, "c", p->in->dim[1]);
        Access in = access_at(p->in, t, c), weight = access_at(weight_tensor(prog, p->weight), row, c);
        add_to_adjoint(prog, s, of ? weight : in, mul(d_out, load(of ? in : weight)));
    }
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* The tensors of a layer, and where queries, keys and values begin in the features of theirs. */
typedef struct Heads {
    const Layer *layer;
    int64_t heads, width, positions, keys;
    Projection in[2], out;      /* of in: one for q, k and v of the same sequence, else one for k and v */
    int nin;
    Tensor *q, *k, *scores, *p, *mixed;
    int64_t k_first, v_first;
    /* one position of --stream: of those so far, CxT and TxC, and its number; else NULL */
    Tensor *keys_seen, *values_seen;
    Affine now;
    bool causal;
    double scale;
} Heads;

static Tensor *part(Prog *prog, const char *name, int64_t rows, int64_t columns)
{
    const int64_t dim[] = {rows, columns};
    return prog->backward ? find_part(prog, name) : sequence_part(prog, name, dim);
}

/* Of what lies above the diagonal, is it 0, or does nobody read it? */
static void note_diagonal(const Heads *h, Tensor *of_pairs, bool unread)
{
    of_pairs->heads = h->causal ? h->heads : 0;
    of_pairs->unread = h->causal && unread;
}

static Heads heads_of(Prog *prog, const Layer *layer)
{
    int64_t features = layer->in->shape.c, count = arg_of(layer, "H")->i[0];
    Heads h = {.layer = layer, .heads = count, .width = features / count, .positions = layer->in->shape.h,
               .keys = prog->positions ? prog->positions : source_of(layer)->shape.h,
               .causal = arg_of(layer, "causal")->i[0]};
    bool self = source_of(layer) == layer->in;
    Tensor *in = tensor_of(prog, layer->in), *source = tensor_of(prog, source_of(layer));
    h.scale = 1 / sqrt((double)h.width);
    h.q = part(prog, "q", h.positions, self ? 3 * features : features);
    h.k = self ? h.q : part(prog, "k", h.keys, 2 * features);
    h.k_first = self ? features : 0;
    h.v_first = h.k_first + features;
    h.nin = self ? 1 : 2;
    h.in[0] = (Projection){in, h.q, in_weight(layer), in_bias(layer), 0};
    h.in[1] = (Projection){source, h.k, in_weight(layer), in_bias(layer), features};
    h.scores = part(prog, "scores", h.positions * count, h.keys);
    h.p = part(prog, "p", h.positions * count, h.keys);
    h.mixed = part(prog, "mixed", h.positions, features);
    h.out = (Projection){h.mixed, tensor_of(prog, layer->out), out_weight(layer), out_bias(layer), 0};
    note_diagonal(&h, h.scores, true);
    note_diagonal(&h, h.p, false);
    return h;
}

/* Position t, head h, position u that it looks at, and the row of t and h. */
typedef struct Pair {
    Affine t, h, u, row;
} Pair;

static Access key_at(const Heads *h, const Pair *pair, Affine d)
{
    return h->keys_seen ? access_at(h->keys_seen, d, pair->u)
                        : access_at(h->k, pair->u, shifted(d, h->k_first));
}

static Access value_at(const Heads *h, const Pair *pair, Affine d)
{
    return h->values_seen ? access_at(h->values_seen, pair->u, d)
                          : access_at(h->k, pair->u, shifted(d, h->v_first));
}

static Pair each_row(Statement *s, const Heads *h)
{
    Pair pair = {.t = index_of(s, "t", h->positions), .h = index_of(s, "h", h->heads)};
    pair.row = affine_add(affine_scale(pair.t, h->heads), pair.h);
    return pair;
}

static Pair each_pair(Statement *s, const Heads *h)
{
    Pair pair = each_row(s, h);
    pair.u = index_of(s, "u", h->keys);
    return pair;
}

static Access at_pair(Tensor *tensor, const Pair *pair)
{
    return access_at(tensor, pair->row, pair->u);
}

/* What of a later position nobody sees. */
static Expr *if_seen(const Heads *h, const Pair *pair, Expr *then, double otherwise)
{
    const Affine now = h->keys_seen ? h->now : pair->t;
    return h->causal ? if_le(index_value(pair->u), index_value(now), then, constant(otherwise)) : then;
}

/* out += u v, a sum over all heads at once. */
typedef struct Product {
    Access out, u, v;
} Product;

static Product scores_of(Statement *s, const Heads *h)
{
    Pair pair = each_pair(s, h);
    Affine d = affine_add(affine_scale(pair.h, h->width), index_of(s, "d", h->width));
    return (Product){at_pair(h->scores, &pair), access_at(h->q, pair.t, d),
                     key_at(h, &pair, d)};
}

static Product mixture_of(Statement *s, const Heads *h, Tensor *shares)
{
    Pair pair = each_pair(s, h);
    Affine d = affine_add(affine_scale(pair.h, h->width), index_of(s, "d", h->width));
    return (Product){access_at(h->mixed, pair.t, d), at_pair(shares, &pair),
                     value_at(h, &pair, d)};
}

static Product product_of(Statement *s, const Heads *h, Tensor *shares)
{
    return shares ? mixture_of(s, h, shares) : scores_of(s, h);
}

/* Zero, before the sum that s makes there, through the same indices, so that both are one nest. */
static void clear(Prog *prog, Statement *s, Access out)
{
    for (int i = 0; i < s->nindex; i++)
        if (!depends_on(&out, i))
            s->extent[i] = 1;
    store(prog, s, STORE_SET, out, constant(0));
}

/* shares NULL: the scores; else what they mix. */
static void multiply(Prog *prog, const Heads *h, Tensor *shares)
{
    Statement *s = new_statement(prog);
    Product p = product_of(s, h, shares);
    clear(prog, s, p.out);
    s = new_statement(prog);
    p = product_of(s, h, shares);
    store(prog, s, STORE_ADD, p.out, mul(load(p.u), load(p.v)));
}

/* No other layer adds to the gradients of what the two products take. */
static void multiply_back(Prog *prog, const Heads *h, Tensor *shares)
{
    for (int of = 0; of < 2; of++) {
        Statement *s = new_statement(prog);
        Product p = product_of(s, h, shares);
        Access to = of ? p.v : p.u;
        if (to.tensor->active) {
            to.tensor = adjoint_of(prog, to.tensor);
            clear(prog, s, to);
        }
        s = new_statement(prog);
        p = product_of(s, h, shares);
        add_to_adjoint(prog, s, of ? p.v : p.u, mul(adjoint_at(prog, p.out), load(of ? p.u : p.v)));
    }
}

/* ---- The layer ------------------------------------------------------------------------------- */

static void share_out(Prog *prog, const Heads *h)
{
    int64_t rows = h->positions * h->heads;
    Tensor *max = part_of(prog, "max", 1, &rows), *power = part_like(prog, "exp", h->scores);
    Tensor *sum = part_of(prog, "sum", 1, &rows);
    note_diagonal(h, power, true);

    Statement *s = new_statement(prog);
    Pair pair = each_pair(s, h);
    store(prog, s, STORE_MAX, access_at(max, pair.row),
          if_seen(h, &pair, load(at_pair(h->scores, &pair)), -FLT_MAX));

    s = new_statement(prog);
    pair = each_pair(s, h);
    Expr *below = sub(load(at_pair(h->scores, &pair)), load(access_at(max, pair.row)));
    store(prog, s, STORE_SET, at_pair(power, &pair),
          if_seen(h, &pair, unary(OP_EXP, mul(below, constant(h->scale))), 0));

    s = new_statement(prog);
    pair = each_row(s, h);
    store(prog, s, STORE_SET, access_at(sum, pair.row), constant(0));

    s = new_statement(prog);
    pair = each_pair(s, h);
    store(prog, s, STORE_ADD, access_at(sum, pair.row), if_seen(h, &pair, load(at_pair(power, &pair)), 0));

    s = new_statement(prog);
    pair = each_pair(s, h);
    store(prog, s, STORE_SET, at_pair(h->p, &pair),
          if_seen(h, &pair, divide(load(at_pair(power, &pair)), load(access_at(sum, pair.row))), 0));
}

static bool drops(const Prog *prog, const Layer *layer)
{
    return prog->training && arg_of(layer, "dropout")->list[0] > 0;
}

/* The shares with some of them dropped; "kept" remembers which. */
static Tensor *drop(Prog *prog, const Heads *h)
{
    float p = (float)arg_of(h->layer, "dropout")->list[0];
    Tensor *kept = part_like(prog, "kept", h->p), *rest = part_like(prog, "rest", h->p);
    note_diagonal(h, rest, false);
    Statement *s = new_statement(prog);
    Pair pair = each_pair(s, h);
    Affine number = position_of(at_pair(kept, &pair));
    number.constant += prog->draws;
    prog->draws += kept->count;
    store(prog, s, STORE_SET, at_pair(kept, &pair),
          if_le(constant(p), random_value(number), constant(p < 1 ? 1 / (1 - (double)p) : 0), constant(0)));
    s = new_statement(prog);
    pair = each_pair(s, h);
    store(prog, s, STORE_SET, at_pair(rest, &pair),
          mul(load(at_pair(h->p, &pair)), load(at_pair(kept, &pair))));
    return rest;
}

static void lower_attention(Prog *prog, const Layer *layer)
{
    Heads h = heads_of(prog, layer);
    for (int i = 0; i < h.nin; i++)
        project(prog, &h.in[i]);
    multiply(prog, &h, NULL);
    share_out(prog, &h);
    multiply(prog, &h, drops(prog, layer) ? drop(prog, &h) : h.p);
    project(prog, &h.out);
}

/* One position of --stream: keys and values of it join those of the positions before. */
static void keep_position(Prog *prog, Heads *h, int64_t features)
{
    const int64_t keys[] = {features, prog->positions}, values[] = {prog->positions, features};
    h->now = begin_position(prog);
    h->keys_seen = kept_state(prog, "keys", 2, keys, 2);
    h->values_seen = kept_state(prog, "values", 2, values, 1);
    h->values_seen->channel = 1;
    for (int of = 0; of < 2; of++) {
        Statement *s = new_statement(prog);
        Affine c = index_of(s, "c", features);
        store(prog, s, STORE_SET,
              of ? access_at(h->values_seen, h->now, c) : access_at(h->keys_seen, c, h->now),
              load(access_at(h->k, affine(0), shifted(c, of ? h->v_first : h->k_first))));
    }
}

static void next_attention(Prog *prog, const Layer *layer)
{
    Heads h = heads_of(prog, layer);
    project(prog, &h.in[0]);
    keep_position(prog, &h, layer->in->shape.c);
    multiply(prog, &h, NULL);
    share_out(prog, &h);
    multiply(prog, &h, h.p);
    end_steps(prog);
    project(prog, &h.out);
}

static const char *looks_ahead(const Layer *layer, const char **instead)
{
    if (layer->nmore)
        return "from= takes keys and values from all positions";
    *instead = "causal=true";
    return arg_of(layer, "causal")->i[0] ? NULL : "each position sees all of them";
}

static void share_out_back(Prog *prog, const Heads *h)
{
    int64_t rows = h->positions * h->heads;
    Tensor *dot = part_of(prog, "dot", 1, &rows);
    Statement *s = new_statement(prog);
    Pair pair = each_row(s, h);
    store(prog, s, STORE_SET, access_at(dot, pair.row), constant(0));
    s = new_statement(prog);
    pair = each_pair(s, h);
    Access p = at_pair(h->p, &pair);
    store(prog, s, STORE_ADD, access_at(dot, pair.row),
          if_seen(h, &pair, mul(adjoint_at(prog, p), load(p)), 0));
    s = new_statement(prog);
    pair = each_pair(s, h);
    p = at_pair(h->p, &pair);
    Expr *apart = sub(adjoint_at(prog, p), load(access_at(dot, pair.row)));
    note_diagonal(h, adjoint_of(prog, h->scores), false);
    store(prog, s, STORE_SET, same_place(at_pair(h->scores, &pair), h->scores->adjoint),
          if_seen(h, &pair, mul(mul(load(p), apart), constant(h->scale)), 0));
}

static void gradient(Prog *prog, const Layer *layer)
{
    Heads h = heads_of(prog, layer);
    project_back(prog, &h.out);
    bool dropped = drops(prog, layer);
    Tensor *rest = dropped ? find_part(prog, "rest") : h.p;
    if (rest->active)
        note_diagonal(&h, adjoint_of(prog, rest), true);
    multiply_back(prog, &h, rest);
    if (!h.p->active)
        return;
    if (dropped) {
        Statement *s = new_statement(prog);
        Pair pair = each_pair(s, &h);
        add_to_adjoint(prog, s, at_pair(h.p, &pair),
                       mul(adjoint_at(prog, at_pair(rest, &pair)),
                           load(at_pair(find_part(prog, "kept"), &pair))));
    }
    note_diagonal(&h, h.p->adjoint, true);
    share_out_back(prog, &h);
    multiply_back(prog, &h, NULL);
    for (int i = h.nin - 1; i >= 0; i--)
        project_back(prog, &h.in[i]);
}

const Kind kind_attention = {
    .name = "attention",
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "attention H [causal=false] [from=L] [bias=true] [dropout=0]",
    .help = "attention of H heads of a sequence with itself, or with keys and values from L "
            "(MultiheadAttention); causal=true: no position sees a later one",
    .params = params,
    .shape = shape,
    .lower = lower_attention,
    .next = next_attention,
    .looks_ahead = looks_ahead,
    .gradient = gradient,
    .torch = "causal=true ? nn.MultiheadAttention({in}, {H}, dropout={dropout}, bias={bias}, "
             "batch_first=True) => @(x, x, x, attn_mask=torch.ones({length}, {length}, dtype=torch.bool, "
             "device=x.device).triu(1), need_weights=False)[0]|"
             "from ? nn.MultiheadAttention({in}, {H}, dropout={dropout}, bias={bias}, batch_first=True) => "
             "@(x, {0}, {0}, need_weights=False)[0]|"
             "nn.MultiheadAttention({in}, {H}, dropout={dropout}, bias={bias}, batch_first=True) => "
             "@(x, x, x, need_weights=False)[0]",
    .examples = "input 3x4; attention 2|input 5x6; attention 3 causal=true|input 4x8; attention 1 bias=false|"
                "input 3x4; x: tanh; attention 2; add x|input 6x4; x: tanh; conv1d 4 k3; attention 2 from=x|"
                "input 4x4; tanh; attention 4 dropout=0.3|input 1x2; attention 2|"
                "input 4x8; attention 2 causal=true dropout=0.2 bias=false|"
                "input 3x4; a: attention 2; tanh; attention 1 causal=true weights=a",
};
