/* upsample: Upsample by a whole factor, align_corners=False.
 *
 * nearest: every pixel N times. bilinear: each row and then each column on its own; of the N outputs
 * between the centres of in[y] and in[y + 1], with half = N / 2 rounded down,
 *
 *     out[N y + half + i] = (1 - share[i]) in[y] + share[i] in[y + 1]   share[i] = (half + i + 1/2) / N - 1/2
 *
 * and those before the first and behind the last centre are as the pixel at the edge. */
#include "layer/layer.h"

static const Param params[] = {
    {"N", PARAM_PAIR, true, NULL, 1, MOST_ELEMENTS, NULL, "factor"},
    {"mode", PARAM_CHOICE, false, "nearest", 0, 0, "nearest|bilinear", "what lies between the pixels"},
    {0},
};

enum { NEAREST, BILINEAR };

static bool shape(Net *net, Layer *layer)
{
    (void)net;
    if (!want_image(layer))
        return false;
    const int64_t *factor = layer->arg[0].i;
    Shape in = layer->in->shape;
    if (in.h > MOST_ELEMENTS / factor[0] || in.w > MOST_ELEMENTS / factor[1]) {
        error_at(layer->loc, "the output of %s is too large: a tensor can have %d elements",
                 layer->kind->name, MOST_ELEMENTS);
        return false;
    }
    layer->out->shape = image_shape(in.c, in.h * factor[0], in.w * factor[1]);
    return true;
}

static void repeat_pixels(Prog *prog, Tensor *in, Tensor *out, const int64_t *factor)
{
    Statement *s = new_statement(prog);
    Access from = element(s, in);
    Affine i = index_of(s, "i", factor[0]), j = index_of(s, "j", factor[1]);
    store(prog, s, STORE_SET,
          access_at(out, from.at[0], affine_add(affine_scale(from.at[1], factor[0]), i),
                    affine_add(affine_scale(from.at[2], factor[1]), j)),
          load(from));
}

/* An element of out's rows (axis 1) or columns (axis 2), the other two dimensions taken whole. */
static Access at_line(Statement *s, Tensor *out, int axis, Affine line)
{
    static const char *const names[] = {"c", "y", "x"};
    Access access = {.tensor = out};
    for (int d = 0; d < 3; d++)
        access.at[d] = d == axis ? line : index_of(s, names[d], out->dim[d]);
    return access;
}

/* `count` lines of out from `begin` on are as line `from` of in. */
static void repeat_line(Prog *prog, Tensor *in, int64_t from, Tensor *out, int64_t begin, int64_t count,
                        int axis)
{
    if (!count)
        return;
    Statement *s = new_statement(prog);
    Access to = at_line(s, out, axis, affine_add(affine(begin), index_of(s, "i", count))),
           source = same_place(to, in);
    source.at[axis] = affine(from);
    store(prog, s, STORE_SET, to, load(source));
}

static void stretch(Prog *prog, Tensor *in, Tensor *out, int axis)
{
    int64_t lines = in->dim[axis], factor = out->dim[axis] / lines, half = factor / 2;
    repeat_line(prog, in, 0, out, 0, half, axis);
    if (lines > 1) {
        double *share = NEW_ARRAY(double, factor);
        for (int64_t i = 0; i < factor; i++)
            share[i] = ((double)(half + i) + 0.5) / (double)factor - 0.5;
        Tensor *table = constant_tensor(prog, axis == 1 ? "share_y" : "share_x", 1, &factor, share);
        Statement *s = new_statement(prog);
        Affine line = index_of(s, axis == 1 ? "y" : "x", lines - 1), i = index_of(s, "i", factor);
        Access to =
            at_line(s, out, axis, affine_add(affine_add(affine_scale(line, factor), i), affine(half)));
        Access here = same_place(to, in), next = here;
        here.at[axis] = line;
        next.at[axis] = affine_add(line, affine(1));
        Expr *part = load(access_at(table, i));
        store(prog, s, STORE_SET, to, add(mul(load(here), sub(constant(1), part)), mul(load(next), part)));
    }
    repeat_line(prog, in, lines - 1, out, factor * (lines - 1) + half, factor - half, axis);
}

static void lower_upsample(Prog *prog, const Layer *layer)
{
    const int64_t *factor = layer->arg[0].i;
    Tensor *in = tensor_of(prog, layer->in), *out = tensor_of(prog, layer->out);
    if (arg_of(layer, "mode")->i[0] == NEAREST || (factor[0] == 1 && factor[1] == 1)) {
        repeat_pixels(prog, in, out, factor);
        return;
    }
    const int64_t dim[] = {in->dim[0], out->dim[1], in->dim[2]};
    Tensor *rows = factor[0] == 1 ? in : factor[1] == 1 ? out : part_of(prog, "rows", 3, dim);
    if (rows != in)
        stretch(prog, in, rows, 1);
    if (rows != out)
        stretch(prog, rows, out, 2);
}

const Kind kind_upsample = {
    .name = "upsample",
    .role = ROLE_LAYER,
    .syntax = "upsample N [mode=nearest|bilinear]",
    .help = "multiplies height and width by a whole factor (Upsample, align_corners=False)",
    .params = params,
    .shape = shape,
    .lower = lower_upsample,
    .torch = "mode=nearest ? nn.Upsample(scale_factor={N}, mode='nearest')|"
             "nn.Upsample(scale_factor={N}, mode='bilinear', align_corners=False)",
    .examples = "input 2x3x4; upsample 2|input 1x2x3; upsample 3x2|input 2x3x3; upsample 2 mode=bilinear|"
                "input 1x3x2; upsample 3 mode=bilinear|input 2x1x4; upsample 4x1 mode=bilinear|"
                "input 1x2x5; upsample 1x5 mode=bilinear|input 3x1x1; upsample 2 mode=bilinear|input 2x3x2; "
                "upsample 1 mode=bilinear",
};
