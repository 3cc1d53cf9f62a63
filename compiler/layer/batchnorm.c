/* batchnorm: each channel to mean 0 and deviation 1, over the samples and positions of the batch.
 *
 *     n = (in - mean) scale        scale = 1 / sqrt(variance + eps)        out = n weight + bias
 *
 * In training mean and variance are those of the batch, and the running ones move towards them,
 *
 *     running_mean = (1 - momentum) running_mean + momentum mean
 *     running_var likewise, with the variance over count - 1
 *
 * with count = samples x positions; in inference the running ones are taken (BatchNorm1d, BatchNorm2d).
 * The variance is summed up in two parts, around each sample's own mean and of these around the batch's,
 * so that no digits are lost where the mean is far from 0 and each sample is gone through while it is
 * near. Means are taken of distances: those within a sample from the element in its middle, the batch's
 * from a first, rounded one (`around`). So a channel that is the same number everywhere has exactly that
 * mean, and n, the gradient of its weight and what a relu behind makes of it are exactly 0, as in PyTorch:
 * what rounding leaves instead, an optimizer like Adam makes whole steps of. With d = d_out
 *
 *     d_in = weight scale (d - mean of d - n (mean of d n)) */
#include "layer/layer.h"

static const Param params[] = {
    {"eps", PARAM_NUMBER, false, "1e-5", 0, 1e30, NULL, "added to the variance"},
    {"momentum", PARAM_NUMBER, false, "0.1", 0, 1, NULL, "share of the batch in the running statistics"},
    {0},
};

enum { WEIGHT, BIAS, RUNNING_MEAN, RUNNING_VAR };

static bool shape(Net *net, Layer *layer)
{
    int64_t channels = layer->in->shape.c;
    /* one number has no variance */
    layer->least_samples = layer->in->shape.h * layer->in->shape.w == 1 ? 2 : 1;
    if (net->batch * layer->in->shape.h * layer->in->shape.w == 1 && !net->inference)
        warning_at(WARN_BATCH, layer->loc,
                   "%s has only one value per channel with a batch of 1: training needs a larger batch",
                   layer->name);
    const Arg *momentum = arg_of(layer, "momentum");
    if (momentum->list[0] > 0.5 && !net->inference) {
        warning_at(WARN_MOMENTUM, momentum->loc,
                   "momentum is the weight of the newest batch in the running statistics, as in PyTorch; "
                   "Keras means the "
                   "opposite");
        help_at(momentum->loc, "write `momentum=%g` for what Keras calls %g", 1 - momentum->list[0],
                momentum->list[0]);
    }
    for (int i = WEIGHT; i <= BIAS; i++) {
        if (!add_weight(net, layer, i == BIAS ? "bias" : "weight", 1, 1, &channels))
            return false;
        layer->weight[i]->low = layer->weight[i]->high = i == BIAS ? 0 : 1;
    }
    return add_statistic(net, layer, "running_mean", 0, 1, &channels)
           && add_statistic(net, layer, "running_var", 1, 1, &channels) && same_shape(net, layer);
}

static double positions(const Layer *layer)
{
    return (double)(layer->in->shape.h * layer->in->shape.w);
}

/* Elements of a channel in the batch. */
static Expr *count(const Layer *layer)
{
    return mul(samples_value(), constant(positions(layer)));
}

/* ---- Accesses -------------------------------------------------------------------------------- */

static Expr *at(Tensor *tensor, Affine c)
{
    return load(access_at(tensor, c));
}

static Expr *part(Prog *prog, const char *name, Affine c)
{
    return at(find_part(prog, name), c);
}

static Expr *weight(Prog *prog, const Layer *layer, int number, Affine c)
{
    return at(weight_tensor(prog, layer->weight[number]), c);
}

/* Each element of the sample. */
static Access each_element(Prog *prog, Statement *s, const Layer *layer)
{
    return element(s, tensor_of(prog, layer->in));
}

static Expr *centred(Prog *prog, Access in)
{
    return sub(load(in), part(prog, "mean", channel_index(&in)));
}

/* ---- Sums and what is worked out once a call ------------------------------------------------- */

static Tensor *zeros(Prog *prog, Tensor *tensor, int64_t channels)
{
    Statement *s = new_statement(prog);
    store(prog, s, STORE_SET, access_at(tensor, index_of(s, "c", channels)), constant(0));
    return tensor;
}

/* part[c] += term, over the samples and their positions. */
static void sum_over_batch(Prog *prog, const Layer *layer, const char *name,
                           Expr *(*term)(Prog *, const Layer *, Access in))
{
    int64_t channels = layer->in->shape.c;
    Tensor *sum = zeros(prog, shared_part_of(prog, name, 1, &channels), channels);
    Statement *s = new_statement(prog);
    Access in = each_element(prog, s, layer);
    store(prog, s, STORE_ADD, access_at(sum, channel_index(&in)), term(prog, layer, in));
}

/* to[c] = value(c), once a call. */
static void once(Prog *prog, const Layer *layer, Tensor *to, Expr *(*value)(Prog *, const Layer *, Affine c))
{
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", layer->in->shape.c);
    store(prog, s, STORE_SET, access_at(to, c), value(prog, layer, c));
}

static void new_part_once(Prog *prog, const Layer *layer, const char *name,
                          Expr *(*value)(Prog *, const Layer *, Affine c))
{
    once(prog, layer, shared_part_of(prog, name, 1, &layer->in->shape.c), value);
}

/* ---- The statistics of the batch ------------------------------------------------------------- */

static Expr *element_of(Prog *prog, const Layer *layer, Access in)
{
    (void)prog, (void)layer;
    return load(in);
}

/* The mean but for what its sum has rounded. */
static Expr *around(Prog *prog, const Layer *layer, Affine c)
{
    (void)layer;
    return divide(part(prog, "sum", c), samples_value());
}

static Expr *distance(Prog *prog, const Layer *layer, Access in)
{
    (void)layer;
    return sub(load(in), part(prog, "around", channel_index(&in)));
}

static Expr *mean(Prog *prog, const Layer *layer, Affine c)
{
    (void)layer;
    return add(part(prog, "around", c), divide(part(prog, "drift", c), samples_value()));
}

static Expr *squared(Expr *e)
{
    return mul(e, e);
}

static Expr *squared_distance(Prog *prog, const Layer *layer, Access in)
{
    return squared(distance(prog, layer, in));
}

static Expr *variance(Prog *prog, const Layer *layer, Affine c)
{
    return divide(part(prog, "squares", c), count(layer));
}

static Expr *scale(Prog *prog, const Layer *layer, Affine c)
{
    return divide(constant(1),
                  unary(OP_SQRT, add(variance(prog, layer, c), constant(arg_of(layer, "eps")->list[0]))));
}

static Expr *slope(Prog *prog, const Layer *layer, Affine c)
{
    return mul(weight(prog, layer, WEIGHT, c), part(prog, "scale", c));
}

/* The element in the middle of its channel. */
static Expr *middle(const Layer *layer, Tensor *in, Affine c)
{
    Affine y = affine(layer->in->shape.h / 2), x = affine(layer->in->shape.w / 2);
    return load(in->channel ? access_at(in, y, c) : access_at(in, c, y, x));
}

/* The sum of the samples' means, which it makes first, and what there is of squares within samples. */
static void sum_samples(Prog *prog, const Layer *layer)
{
    int64_t channels = layer->in->shape.c;
    Tensor *total = part_of(prog, "sample_sum", 1, &channels),
           *own = part_of(prog, "sample_mean", 1, &channels);
    zeros(prog, total, channels);
    Statement *s = new_statement(prog);
    Access in = each_element(prog, s, layer);
    store(prog, s, STORE_ADD, access_at(total, channel_index(&in)),
          sub(load(in), middle(layer, in.tensor, channel_index(&in))));

    s = new_statement(prog);
    Affine c = index_of(s, "c", channels);
    store(prog, s, STORE_SET, access_at(own, c),
          add(middle(layer, in.tensor, c), mul(at(total, c), constant(1 / positions(layer)))));

    zeros(prog, shared_part_of(prog, "sum", 1, &channels), channels);
    s = new_statement(prog);
    c = index_of(s, "c", channels);
    store(prog, s, STORE_ADD, access_at(find_part(prog, "sum"), c), at(own, c));

    zeros(prog, shared_part_of(prog, "squares", 1, &channels), channels);
    s = new_statement(prog);
    in = each_element(prog, s, layer);
    store(prog, s, STORE_ADD, access_at(find_part(prog, "squares"), channel_index(&in)),
          squared(sub(load(in), at(own, channel_index(&in)))));
}

/* And of squares between samples, once there is something to measure them from. */
static void add_squares_between(Prog *prog, const Layer *layer)
{
    int64_t channels = layer->in->shape.c;
    Statement *s = new_statement(prog);
    Affine c = index_of(s, "c", channels);
    Expr *from = sub(part(prog, "sample_mean", c), part(prog, "around", c));
    store(prog, s, STORE_ADD, access_at(find_part(prog, "squares"), c),
          mul(squared(from), constant(positions(layer))));

    zeros(prog, shared_part_of(prog, "drift", 1, &channels), channels);
    s = new_statement(prog);
    c = index_of(s, "c", channels);
    store(prog, s, STORE_ADD, access_at(find_part(prog, "drift"), c),
          sub(part(prog, "sample_mean", c), part(prog, "around", c)));
}

/* A running statistic moves towards the batch's. */
static Expr *moved(Prog *prog, const Layer *layer, int statistic, Expr *of_batch, Affine c)
{
    double momentum = arg_of(layer, "momentum")->list[0];
    return add(mul(weight(prog, layer, statistic, c), constant(1 - momentum)),
               mul(of_batch, constant(momentum)));
}

static Expr *next_mean(Prog *prog, const Layer *layer, Affine c)
{
    return moved(prog, layer, RUNNING_MEAN, part(prog, "mean", c), c);
}

/* The variance over count - 1; where there is but one element, 0. */
static Expr *next_variance(Prog *prog, const Layer *layer, Affine c)
{
    Expr *others = if_le(count(layer), constant(1), constant(1), sub(count(layer), constant(1)));
    return moved(prog, layer, RUNNING_VAR, divide(part(prog, "squares", c), others), c);
}

static Expr *kept_mean(Prog *prog, const Layer *layer, Affine c)
{
    (void)layer;
    return part(prog, "next_mean", c);
}

static Expr *kept_variance(Prog *prog, const Layer *layer, Affine c)
{
    (void)layer;
    return part(prog, "next_var", c);
}

static void measure_batch(Prog *prog, const Layer *layer)
{
    bool one = layer->in->shape.h * layer->in->shape.w == 1;
    if (one)
        sum_over_batch(prog, layer, "sum", element_of);
    else
        sum_samples(prog, layer);
    new_part_once(prog, layer, "around", around);
    if (one) {
        sum_over_batch(prog, layer, "squares", squared_distance);
        sum_over_batch(prog, layer, "drift", distance);
    } else
        add_squares_between(prog, layer);
    new_part_once(prog, layer, "mean", mean);
    new_part_once(prog, layer, "next_mean", next_mean);
    new_part_once(prog, layer, "next_var", next_variance);
    once(prog, layer, weight_tensor(prog, layer->weight[RUNNING_MEAN]), kept_mean);
    once(prog, layer, weight_tensor(prog, layer->weight[RUNNING_VAR]), kept_variance);
    new_part_once(prog, layer, "scale", scale);
    new_part_once(prog, layer, "slope", slope);
}

/* ---- Forward --------------------------------------------------------------------------------- */

static Expr *running_slope(Prog *prog, const Layer *layer, Affine c)
{
    Expr *spread =
        unary(OP_SQRT, add(weight(prog, layer, RUNNING_VAR, c), constant(arg_of(layer, "eps")->list[0])));
    return divide(weight(prog, layer, WEIGHT, c), spread);
}

static Expr *running_shift(Prog *prog, const Layer *layer, Affine c)
{
    return sub(weight(prog, layer, BIAS, c),
               mul(weight(prog, layer, RUNNING_MEAN, c), part(prog, "slope", c)));
}

static Expr *around_batch(Prog *prog, const Layer *layer, Access in)
{
    Affine c = channel_index(&in);
    return add(mul(centred(prog, in), part(prog, "slope", c)), weight(prog, layer, BIAS, c));
}

static Expr *around_running(Prog *prog, const Layer *layer, Access in)
{
    (void)layer;
    Affine c = channel_index(&in);
    return add(mul(load(in), part(prog, "slope", c)), part(prog, "shift", c));
}

static void lower_batchnorm(Prog *prog, const Layer *layer)
{
    if (prog->training)
        measure_batch(prog, layer);
    else {
        new_part_once(prog, layer, "slope", running_slope);
        new_part_once(prog, layer, "shift", running_shift);
    }
    Statement *s = new_statement(prog);
    Access in = each_element(prog, s, layer);
    store(prog, s, STORE_SET, same_place(in, tensor_of(prog, layer->out)),
          prog->training ? around_batch(prog, layer, in) : around_running(prog, layer, in));
}

/* ---- Backward -------------------------------------------------------------------------------- */

static Expr *adjoint(Prog *prog, const Layer *layer, Access in)
{
    return adjoint_at(prog, same_place(in, tensor_of(prog, layer->out)));
}

static Expr *adjoint_by_distance(Prog *prog, const Layer *layer, Access in)
{
    return mul(adjoint(prog, layer, in), centred(prog, in));
}

/* d_in = slope d + tilt (in - mean) + shift */
static Expr *tilt(Prog *prog, const Layer *layer, Affine c)
{
    Expr *share = divide(mul(part(prog, "scale", c), part(prog, "d_weight", c)), count(layer));
    return sub(constant(0), mul(part(prog, "slope", c), share));
}

static Expr *shift(Prog *prog, const Layer *layer, Affine c)
{
    return sub(constant(0), divide(mul(part(prog, "slope", c), part(prog, "d_sum", c)), count(layer)));
}

static Expr *gradient_of_weight(Prog *prog, const Layer *layer, Affine c)
{
    (void)layer;
    return mul(part(prog, "d_distances", c), part(prog, "scale", c));
}

static void gradient(Prog *prog, const Layer *layer)
{
    sum_over_batch(prog, layer, "d_sum", adjoint);
    sum_over_batch(prog, layer, "d_distances", adjoint_by_distance);
    new_part_once(prog, layer, "d_weight", gradient_of_weight);
    for (int i = WEIGHT; i <= BIAS; i++) {
        Statement *s = new_statement(prog);
        Affine c = index_of(s, "c", layer->in->shape.c);
        add_to_adjoint(prog, s, access_at(weight_tensor(prog, layer->weight[i]), c),
                       part(prog, i == BIAS ? "d_sum" : "d_weight", c));
    }
    new_part_once(prog, layer, "tilt", tilt);
    new_part_once(prog, layer, "shift", shift);
    Statement *s = new_statement(prog);
    Access in = each_element(prog, s, layer);
    Affine c = channel_index(&in);
    add_to_adjoint(prog, s, in,
                   add(add(mul(adjoint(prog, layer, in), part(prog, "slope", c)),
                           mul(centred(prog, in), part(prog, "tilt", c))),
                       part(prog, "shift", c)));
}

const Kind kind_batchnorm = {
    .name = "batchnorm",
    .each_position = true,
    .sizes_itself = true,
    .role = ROLE_LAYER,
    .syntax = "batchnorm [eps=1e-5] [momentum=0.1]",
    .help = "each channel to mean 0 and deviation 1 over the batch, then a weight and a bias each "
            "(BatchNorm1d, BatchNorm2d)",
    .params = params,
    .shape = shape,
    .lower = lower_batchnorm,
    .gradient = gradient,
    .torch = "flat ? nn.BatchNorm1d({in}, eps={eps}, momentum={momentum})|"
             "sequence ? nn.BatchNorm1d({in}, eps={eps}, momentum={momentum}) => "
             "@(x.transpose(1, 2)).transpose(1, 2)|nn.BatchNorm2d({in}, eps={eps}, momentum={momentum})",
    .examples = "input 3x4x5; batchnorm|input 7; batchnorm|input 8x2x3; batchnorm eps=0.01 "
                "momentum=0.3|input 5x1x1; batchnorm|"
                "input 1x3x3; batchnorm momentum=1|input 5x3; batchnorm|"
                "input 3x2x3; a: batchnorm; conv 3 k1; tanh; batchnorm weights=a",
};
