/* layernorm, groupnorm, instancenorm: each sample, or each group of its channels, or each channel, to mean 0
 * and deviation 1.
 *
 *     n = (in - mean) scale        scale = 1 / sqrt(variance + eps)        out = n weight + bias
 *
 * The variance divides by the number of elements. layernorm has one group, and a weight for each element;
 * groupnorm has one for each channel (LayerNorm over the whole sample, GroupNorm), instancenorm none
 * (InstanceNorm2d). Of a sequence
 * layernorm takes each position as a group, and has a weight for each feature. Sums run over the
 * positions of each channel first, which can be done in vectors and loses fewer digits. With d = d_out
 * weight
 *
 *     d_in = scale (d - mean of d - n (mean of d n)) */
#include "layer/layer.h"

static const Param layernorm_params[] = {
    {"eps", PARAM_NUMBER, false, "1e-5", 0, 1e30, NULL, "added to the variance"},
    {0},
};

static const Param groupnorm_params[] = {
    {"G", PARAM_INT, true, NULL, 1, MOST_ELEMENTS, NULL, "number of groups"},
    {"eps", PARAM_NUMBER, false, "1e-5", 0, 1e30, NULL, "added to the variance"},
    {0},
};

static bool add_norm_weights(Net *net, Layer *layer, int rank, const int64_t *dim)
{
    for (int i = 0; i < 2; i++) {
        if (!add_weight(net, layer, i ? "bias" : "weight", 1, rank, dim))
            return false;
        layer->weight[i]->low = layer->weight[i]->high = i ? 0 : 1;
    }
    return same_shape(net, layer);
}

static bool layernorm_shape(Net *net, Layer *layer)
{
    int64_t dim[MAX_RANK];
    int rank = shape_dims(layer->in->shape, dim);
    return rank == 2 ? add_norm_weights(net, layer, 1, &dim[1]) : add_norm_weights(net, layer, rank, dim);
}

static bool groupnorm_shape(Net *net, Layer *layer)
{
    const Arg *groups = arg_of(layer, "G");
    int64_t channels = layer->in->shape.c;
    if (!groups_divide(groups, channels, "channels"))
        return false;
    return add_norm_weights(net, layer, 1, &channels);
}

static const Param instancenorm_params[] = {
    {"eps", PARAM_NUMBER, false, "1e-5", 0, 1e30, NULL, "added to the variance"},
    {0},
};

static bool instancenorm_shape(Net *net, Layer *layer)
{
    if (!want_image(layer))
        return false;
    if (layer->in->shape.h == 1 && layer->in->shape.w == 1) {
        error_at(layer->loc, "instancenorm needs more than one position in each channel: its input is %s"
                             " [shape]", shape_text(layer->in->shape));
        say_where_from(layer->in);
        return false;
    }
    return same_shape(net, layer);
}

extern const Kind kind_instancenorm;

/* Is each position on its own? */
static bool by_positions(const Layer *layer)
{
    return layer->in->shape.rank == 2 && layer->kind->params == layernorm_params;
}

static int64_t groups_of(const Layer *layer)
{
    return by_positions(layer)                  ? layer->in->shape.h
           : layer->kind == &kind_instancenorm       ? layer->in->shape.c
           : layer->kind->params == groupnorm_params ? arg_of(layer, "G")->i[0]
                                                     : 1;
}

/* An element of the sample, and its group. */
typedef struct Place {
    Access in;
    Affine group;
} Place;

static Place each_place(Prog *prog, Statement *s, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in);
    if (by_positions(layer)) {
        Access each = element(s, in);
        return (Place){each, each.at[0]};
    }
    int64_t groups = groups_of(layer), of_group = in->dim[in->channel] / groups;
    Place place = {.in = {.tensor = in}, .group = index_of(s, "g", groups)};
    place.in.at[in->channel] =
        affine_add(affine_scale(place.group, of_group), index_of(s, "c", of_group));
    for (int d = 0; d < in->rank; d++)
        if (d != in->channel)
            place.in.at[d] = index_of(s, d < 2 ? "y" : "x", in->dim[d]);
    return place;
}

static Access weight_at(Prog *prog, const Layer *layer, int number, const Place *place)
{
    Tensor *weight = weight_tensor(prog, layer->weight[number]);
    return weight->rank > 1 ? same_place(place->in, weight) : access_at(weight, channel_index(&place->in));
}

static Expr *of_group(Prog *prog, const char *part, const Place *place)
{
    return load(access_at(find_part(prog, part), place->group));
}

static Expr *centred(Prog *prog, const Place *place)
{
    return sub(load(place->in), of_group(prog, "mean", place));
}

static Expr *normal(Prog *prog, const Place *place)
{
    return mul(centred(prog, place), of_group(prog, "scale", place));
}

static Expr *weighted_adjoint(Prog *prog, const Layer *layer, const Place *place)
{
    Expr *d_out = adjoint_at(prog, same_place(place->in, tensor_of(prog, layer->out)));
    return layer->nweights ? mul(d_out, load(weight_at(prog, layer, 0, place))) : d_out;
}

/* What is averaged over a group. */
typedef Expr *Term(Prog *, const Layer *, const Place *);

static Expr *value(Prog *prog, const Layer *layer, const Place *place)
{
    (void)prog, (void)layer;
    return load(place->in);
}

static Expr *square(Prog *prog, const Layer *layer, const Place *place)
{
    (void)layer;
    return mul(centred(prog, place), centred(prog, place));
}

static Expr *adjoint_by_normal(Prog *prog, const Layer *layer, const Place *place)
{
    return mul(weighted_adjoint(prog, layer, place), normal(prog, place));
}

static void average(Prog *prog, const Layer *layer, const char *name, Term *term)
{
    Tensor *in = tensor_of(prog, layer->in);
    int64_t groups = groups_of(layer), channels = in->dim[in->channel];
    Expr *share = constant((double)groups / (double)in->count);
    Tensor *mean = part_of(prog, name, 1, &groups);
    bool of_rows = in->rank == 1 || by_positions(layer);
    Tensor *sums = of_rows ? NULL : part_of(prog, format("%s_sums", name), 1, &channels);
    if (sums) {
        Statement *s = new_statement(prog);
        store(prog, s, STORE_SET, access_at(sums, index_of(s, "c", channels)), constant(0));
        s = new_statement(prog);
        Place place = each_place(prog, s, layer);
        store(prog, s, STORE_ADD, access_at(sums, channel_index(&place.in)), term(prog, layer, &place));
    }
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, access_at(mean, index_of(s, of_rows ? "t" : "g", groups)), constant(0));
    s = new_statement(prog);
    if (of_rows) {
        Place place = each_place(prog, s, layer);
        store(prog, s, STORE_ADD, access_at(mean, place.group), mul(term(prog, layer, &place), share));
        return;
    }
    Affine group = index_of(s, "g", groups), c = index_of(s, "c", channels / groups);
    Affine channel = affine_add(affine_scale(group, channels / groups), c);
    store(prog, s, STORE_ADD, access_at(mean, group), mul(load(access_at(sums, channel)), share));
}

static void lower_norm(Prog *prog, const Layer *layer)
{
    int64_t groups = groups_of(layer);
    average(prog, layer, "mean", value);
    average(prog, layer, "variance", square);

    Tensor *scale = part_of(prog, "scale", 1, &groups);
    Statement *s = new_statement(prog);
    Access here = access_at(scale, index_of(s, by_positions(layer) ? "t" : "g", groups));
    Expr *variance =
        add(load(same_place(here, find_part(prog, "variance"))), constant(arg_of(layer, "eps")->list[0]));
    store(prog, s, STORE_SET, here, divide(constant(1), unary(OP_SQRT, variance)));

    s = new_statement(prog);
    Place place = each_place(prog, s, layer);
    store(prog, s, STORE_SET, same_place(place.in, tensor_of(prog, layer->out)),
          layer->nweights ? add(mul(normal(prog, &place), load(weight_at(prog, layer, 0, &place))),
                                load(weight_at(prog, layer, 1, &place)))
                          : normal(prog, &place));
}

static void gradient(Prog *prog, const Layer *layer)
{
    for (int i = 0; i < layer->nweights; i++) {
        Statement *s = new_statement(prog);
        Place place = each_place(prog, s, layer);
        Expr *d_out = adjoint_at(prog, same_place(place.in, tensor_of(prog, layer->out)));
        add_to_adjoint(prog, s, weight_at(prog, layer, i, &place),
                       i ? d_out : mul(d_out, normal(prog, &place)));
    }
    average(prog, layer, "d_mean", weighted_adjoint);
    average(prog, layer, "d_normal", adjoint_by_normal);
    Statement *s = new_statement(prog);
    Place place = each_place(prog, s, layer);
    Expr *rest = sub(sub(weighted_adjoint(prog, layer, &place), of_group(prog, "d_mean", &place)),
                     mul(normal(prog, &place), of_group(prog, "d_normal", &place)));
    add_to_adjoint(prog, s, place.in, mul(rest, of_group(prog, "scale", &place)));
}

const Kind kind_layernorm = {
    .name = "layernorm",
    .each_position = true,
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "layernorm [eps=1e-5]",
    .help = "each sample, of a sequence each position, to mean 0 and deviation 1, then a weight and a "
            "bias for "
            "each element (LayerNorm)",
    .params = layernorm_params,
    .shape = layernorm_shape,
    .lower = lower_norm,
    .gradient = gradient,
    .torch = "sequence ? nn.LayerNorm({in}, eps={eps})|nn.LayerNorm(({shape},), eps={eps})",
    .examples = "input 7; layernorm|input 3x4x5; layernorm|input 2x3x1; layernorm eps=0.01|input 3x5; "
            "layernorm|input 1x6; layernorm|"
                "input 2x4; a: layernorm; fc 4; tanh; layernorm weights=a",
};

const Kind kind_groupnorm = {
    .name = "groupnorm",
    .role = ROLE_LAYER,
    .syntax = "groupnorm G [eps=1e-5]",
    .help = "G groups of channels, each to mean 0 and deviation 1, then a weight and a bias for each channel "
            "(GroupNorm)",
    .params = groupnorm_params,
    .shape = groupnorm_shape,
    .lower = lower_norm,
    .gradient = gradient,
    .torch = "sequence ? nn.GroupNorm({G}, {in}, eps={eps}) => @(x.transpose(1, 2)).transpose(1, 2)|"
             "nn.GroupNorm({G}, {in}, eps={eps})",
    .examples = "input 4x3x5; groupnorm 2|input 3x4x3; groupnorm 3 eps=1e-3|input 6x2x2; groupnorm 1|input "
                "9; groupnorm 3|input 8x1x1; groupnorm 2|input 3x4; groupnorm 2|"
                "input 4x2x3; a: groupnorm 2; conv 4 k1; groupnorm 4 weights=a",
};

const Kind kind_instancenorm = {
    .name = "instancenorm",
    .role = ROLE_LAYER,
    .syntax = "instancenorm [eps=1e-5]",
    .help = "each channel of each sample to mean 0 and deviation 1 (InstanceNorm2d)",
    .params = instancenorm_params,
    .shape = instancenorm_shape,
    .lower = lower_norm,
    .gradient = gradient,
    .torch = "nn.InstanceNorm2d({in}, eps={eps})",
    .examples = "input 3x3x4; instancenorm|input 2x4x1; instancenorm eps=0.01|input 1x3x5; conv 8 k2; "
                "instancenorm; relu",
};
