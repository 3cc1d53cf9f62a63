/* adaptiveavgpool: AdaptiveAvgPool2d. Of n rows that become m, row o is the mean of rows floor(o n / m) to
 * ceil((o + 1) n / m) - 1; columns likewise, and one after the other.
 *
 * With g the greatest common divisor of n and m the same windows come again after every m / g outputs and
 * n / g inputs, so there are m / g statements, and only one where n is a multiple of m. */
#include "layer/layer.h"

static const Param params[] = {
    {"SIZE", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "size"},
    {0},
};

enum { MOST_WINDOWS = 1024 }; /* that differ: each is a statement */

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    if (!want_image(layer))
        return false;
    const Arg *size = &layer->arg[0];
    for (int axis = 0; axis < 2; axis++) {
        int64_t from = axis ? layer->in->shape.w : layer->in->shape.h, to = size->i[axis];
        int64_t windows = to / common_divisor(from, to);
        if (from != to && windows > MOST_WINDOWS) {
            error_at(size->loc, "%lld %s from %lld need %lld different windows, more than %d", (long long)to,
                     axis ? "columns" : "rows", (long long)from, (long long)windows, MOST_WINDOWS);
            return false;
        }
    }
    layer->out->shape = image_shape(layer->in->shape.c, size->i[0], size->i[1]);
    return true;
}

/* Means along axis 1 (rows) or 2 (columns). */
static void average(Prog *prog, Tensor *in, Tensor *out, int axis)
{
    static const char *const names[] = {"c", "y", "x"};
    int64_t periods = common_divisor(in->dim[axis], out->dim[axis]);
    int64_t inputs = in->dim[axis] / periods, outputs = out->dim[axis] / periods;
    Statement *s = new_statement(prog);
    Access all = element(s, out);
    store(prog, s, STORE_SET, all, constant(0));
    for (int64_t o = 0; o < outputs; o++) {
        int64_t begin = o * inputs / outputs, end = ((o + 1) * inputs + outputs - 1) / outputs;
        s = new_statement(prog);
        Access to = {.tensor = out};
        for (int d = 0; d < 3; d++)
            to.at[d] = index_of(s, names[d], d == axis ? periods : out->dim[d]);
        Affine period = to.at[axis], k = index_of(s, "k", end - begin);
        Access from = same_place(to, in);
        to.at[axis] = affine_add(affine_scale(period, outputs), affine(o));
        from.at[axis] = affine_add(affine_add(affine_scale(period, inputs), affine(begin)), k);
        store(prog, s, STORE_ADD, to, mul(load(from), constant(1.0 / (double)(end - begin))));
    }
}

static void lower_adaptiveavgpool(Prog *prog, const Layer *layer)
{
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    bool same_rows = in->dim[1] == out->dim[1], same_columns = in->dim[2] == out->dim[2];
    if (same_rows && same_columns) {
        Statement *s = new_statement(prog);
        Access each = element(s, in);
        store(prog, s, STORE_SET, same_place(each, out), load(each));
        return;
    }
    const int64_t dim[] = {in->dim[0], out->dim[1], in->dim[2]};
    Tensor *rows = same_rows ? in : same_columns ? out : part_of(prog, "rows", 3, dim);
    if (!same_rows)
        average(prog, in, rows, 1);
    if (!same_columns)
        average(prog, rows, out, 2);
}

const Kind kind_adaptiveavgpool = {
    .name = "adaptiveavgpool",
    .role = ROLE_LAYER,
    .syntax = "adaptiveavgpool HxW",
    .help = "mean over windows that give HxW outputs (AdaptiveAvgPool2d)",
    .params = params,
    .shape = shape,
    .lower = lower_adaptiveavgpool,
    .torch = "F.adaptive_avg_pool2d(x, {SIZE})",
    .examples =
        "input 2x6x4; adaptiveavgpool 3x2|input 2x7x5; adaptiveavgpool 3|input 1x4x9; adaptiveavgpool 4x6|"
        "input 2x3x2; adaptiveavgpool 5x3|input 3x4x5; adaptiveavgpool 1|input 1x3x4; adaptiveavgpool 3x4",
};
