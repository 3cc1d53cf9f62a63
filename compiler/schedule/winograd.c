/* winograd.c: convolutions with fewer multiplications.
 *
 * In: the statements of a pass, laid out. A contraction that slides a kernel over data, step by step,
 *
 *     before:   result[y, x, o] += kernel[ky, kx, c, o] * data[y + ky, x + kx, c]           for y x o ky kx c
 *
 * takes m r multiplications for m neighbouring results of r taps, along each axis. Minimal filtering
 * (Winograd 1980; for such layers Lavin and Gray 2016) takes m + r - 1: with matrices B, G and A of small
 * numbers
 *
 *     result = A ((G kernel) * (B data))              * element by element
 *
 * so that, in tiles t of m x m results, of which each element e has a product of its own, over channels
 * only,
 *
 *     after:    tiles[e, t, c]    = the sum of B[i, k] * B[j, l] * data[m ty + k, m tx + l, c]      over k l
 *               products[e, t, o] = the sum of taps[e, c, o] * tiles[e, t, c]                         over c
 *               result[m ty + p, m tx + q, o] += A[p, i] * A[q, j] * products[e, t, o]                for i j
 *
 * with taps[e, c, o] = the sum of G[i, ky] * G[j, kx] * kernel[ky, kx, c, o], which depends on no sample
 * and is made once a call. What is linear in each of three things has three transposes: the input gradient
 * has the form above with the kernel turned round, and where the kernel is what is asked for, it is
 *
 *     before:   kernel[ky, kx, c, o] += result[y, x, o] * data[y + ky, x + kx, c]
 *     after:    tiles as above
 *               results[e, t, o]  = the sum of A[p, i] * A[q, j] * result[m ty + p, m tx + q, o]     over p q
 *               taps[e, c, o]    += the sum of results[e, t, o] * tiles[e, t, c]                     over t
 *               sum[ky, kx, c, o]   = the sum of G[i, ky] * G[j, kx] * taps[e, c, o]               over i j
 *               most[c, o]         max= |taps[e, c, o]|                                                over e
 *               kernel[ky, kx, c, o] += |sum[ky, kx, c, o]| < most[c, o] / 2^22 ? 0 : sum[ky, kx, c, o]
 *
 * the last three of them once a call, behind the samples. (So little is what was rounded: where the result
 * and the data under a tap are never both other than 0, the sum has to be 0, but 36 elements that meet in
 * other taps were rounded on their way to it. See least_share.) Rows and columns that fill no tile are
 * statements of the first form, and are tried again with smaller tiles. What is a convolution says
 * convolution.c.
 *
 * Taken is the form that the model of the machine predicts to be fastest, where that is not the direct
 * one, of those that round little enough. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- The matrices ---------------------------------------------------------------------------- */

/* F(m, r): m results of r taps from a = m + r - 1 elements. */
typedef struct Filter {
    const char *name;
    int results, taps;
    const double *data, *kernel, *result; /* B [a][a], G [a][r], A [m][a] */
    double error;                         /* see filter_error */
} Filter;

static const Filter filters[] = {
    {"F(4x4,3x3)", 4, 3, /* from the points 0, +-3/4, +-3/2: a third of the error that 0, +-1, +-2 leave */
     (const double[]){81. / 64,         0, -45. / 16,        0, 1, 0,
                      0,       -27. / 16,   -9. / 4,   3. / 4, 1, 0,
                      0,        27. / 16,   -9. / 4,  -3. / 4, 1, 0,
                      0,       -27. / 32,  -9. / 16,   3. / 2, 1, 0,
                      0,        27. / 32,  -9. / 16,  -3. / 2, 1, 0,
                      0,        81. / 64,         0, -45. / 16, 0, 1},
     (const double[]){64. / 81,           0,        0,
                      -128. / 243, -32. / 81, -8. / 27,
                      -128. / 243,  32. / 81, -8. / 27,
                      32. / 243,    16. / 81,  8. / 27,
                      32. / 243,   -16. / 81,  8. / 27,
                      0,                   0,        1},
     (const double[]){1,        1,         1,       1,        1, 0,
                      0,  3. / 4,   -3. / 4,  3. / 2,  -3. / 2, 0,
                      0, 9. / 16,   9. / 16,  9. / 4,   9. / 4, 0,
                      0, 27. / 64, -27. / 64, 27. / 8, -27. / 8, 1}, 4.2e-7},
    {"F(2x2,3x3)", 2, 3,
     (const double[]){1,  0, -1,  0,
                      0,  1,  1,  0,
                      0, -1,  1,  0,
                      0,  1,  0, -1},
     (const double[]){1,   0,    0,
                      0.5, 0.5,  0.5,
                      0.5, -0.5, 0.5,
                      0,   0,    1},
     (const double[]){1, 1,  1,  0,
                      0, 1, -1, -1}, 1.2e-7},
};
enum { NFILTERS = sizeof filters / sizeof *filters };

/* The name without what shells would read otherwise: "F4x4,3x3". */
const char *filter_option(int number)
{
    if (number >= NFILTERS)
        return NULL;
    char *option = format("%s", filters[number].name), *end = option;
    for (const char *c = filters[number].name; *c; c++)
        if (*c != '(' && *c != ')')
            *end++ = *c;
    *end = '\0';
    return option;
}

/* In single precision results are off by less than this, relative to the largest: what the transforms
 * round is multiplied by their matrices, and grows with the root of the number of products that a sum has.
 * The factors are measured (tests/test_winograd.c, which holds them), with half as much again for what was
 * not met. */
double filter_error(int number, double products)
{
    return filters[number].error * sqrt(16 + products);
}

static int elements_of(const Filter *f)
{
    return f->results + f->taps - 1;
}

/* ---- The statements -------------------------------------------------------------------------- */

typedef struct Rewrite {
    Prog *prog;
    const Target *target;
    const Convolution *c;
    const Filter *filter;
    Tensor *B, *G, *A;
    int64_t tiles[2];    /* along each axis */
    Statement *begin, **end; /* what takes the convolution's place */
    Statement *product;  /* the batch of products among them */
} Rewrite;

static void append_statement(Rewrite *r, Statement *s)
{
    *r->end = s;
    r->end = &s->next;
}

static Statement *fresh_statement(const Rewrite *r)
{
    Statement *s = NEW(Statement);
    s->layer = r->c->s->layer;
    s->backward = r->c->s->backward;
    return s;
}

/* Of a filter's matrix, one for all statements of the Prog. */
static Tensor *matrix(Prog *prog, const Filter *f, const char *part, const double *data, int rows,
                      int columns)
{
    const char *name = format("winograd%d.%s", f->results, part);
    Tensor *t = find_tensor(prog, name);
    if (t && t->role == TENSOR_CONSTANT)
        return t;
    const int64_t dim[] = {rows, columns};
    t = new_tensor(prog, TENSOR_CONSTANT, name, false, 2, dim);
    t->data = data;
    return t;
}

/* A tensor [elements][rows][channels] of whole vectors. */
static Tensor *element_tensor(const Rewrite *r, const char *what, bool per_sample, int64_t rows,
                              int64_t channels)
{
    const int a = elements_of(r->filter), lanes = r->target->lanes;
    const int64_t dim[] = {a * a, rows, channels};
    const char *of = (r->c->gives_kernel || !per_sample ? r->c->kernel : &r->c->s->out)->tensor->name;
    Tensor *t = new_tensor(r->prog, TENSOR_VALUE, format("%s.%s", of, what), per_sample, 3, dim);
    t->spaced = true;
    t->room[1] += 1;
    t->room[2] = (channels + lanes - 1) / lanes * lanes;
    t->floats = t->room[0] * t->room[1] * t->room[2];
    if (r->c->gives_kernel)
        t->weight = r->c->kernel->tensor->weight;
    return t;
}

/* M[row, column], or M[column, row] where M is used transposed. */
static Expr *entry(Tensor *m, Affine row, Affine column, bool transposed)
{
    return load(transposed ? access_at(m, column, row) : access_at(m, row, column));
}

static Affine number(Affine high, int64_t count, Affine low)
{
    return affine_add(affine_scale(high, count), low);
}

/* `to` = 0, then `to` += rhs. */
static void append_sum(Rewrite *r, Statement *s, Access to, Expr *rhs)
{
    complete(s, STORE_ADD, to, rhs);
    Statement *zero = NEW(Statement);
    *zero = *s;
    zero->nindex = output_indices(s);
    zero->store = STORE_SET;
    zero->rhs = constant(0);
    zero->per_sample = to.tensor->per_sample;
    append_statement(r, zero);
    append_statement(r, s);
}

/* Of each tile of what lies there, the a x a elements: from[m ty + k, m tx + l] by the matrix. */
static Tensor *take_apart(Rewrite *r, const Access *source, Tensor *m, bool transposed, int positions,
                          const char *what)
{
    const Convolution *c = r->c;
    const int a = elements_of(r->filter), channel = channel_of(c, source);
    Tensor *to = element_tensor(r, what, true, r->tiles[0] * r->tiles[1], source->tensor->dim[channel]);
    Statement *s = fresh_statement(r);
    Affine i = index_of(s, "i", a), j = index_of(s, "j", a);
    Affine t[2] = {index_of(s, "ty", r->tiles[0]), index_of(s, "tx", r->tiles[1])};
    Affine ch = index_of(s, "c", source->tensor->dim[channel]);
    Affine k[2] = {index_of(s, "k", positions), index_of(s, "l", positions)};
    Access from = {.tensor = source->tensor, .padded = source->padded};
    from.at[channel] = ch;
    for (int axis = 0; axis < 2; axis++) {
        bool data = source == c->data;
        int d = data ? c->axis[axis].data : c->axis[axis].result;
        int64_t begin = source->at[d].constant - (data && c->axis[axis].turned ? r->filter->taps - 1 : 0);
        from.at[d] = affine_add(number(t[axis], r->filter->results, k[axis]), affine(begin));
    }
    append_sum(r, s, access_at(to, number(i, a, j), number(t[0], r->tiles[1], t[1]), ch),
               mul(mul(entry(m, i, k[0], transposed), entry(m, j, k[1], transposed)), load(from)));
    return to;
}

/* The kernel's two dimensions of channels, the one along which the sum runs first. */
static void kernel_channels(const Convolution *c, int dimension[2])
{
    int n = 0;
    for (int d = 0; d < 4; d++)
        if (d != c->axis[0].kernel && d != c->axis[1].kernel)
            dimension[n++] = d;
    bool exchange = false;
    for (int i = 0; i < c->s->nindex; i++)
        exchange |=
            depends_on(c->result, i) && !depends_on(c->data, i) && c->kernel->at[dimension[0]].coefficient[i];
    if (exchange) {
        int first = dimension[0];
        dimension[0] = dimension[1];
        dimension[1] = first;
    }
}

/* The elements of the kernel, [e][c][o]. */
static Tensor *kernel_elements(Rewrite *r)
{
    int channel[2];
    kernel_channels(r->c, channel);
    const Tensor *kernel = r->c->kernel->tensor;
    return element_tensor(r, r->filter->results == 4 ? "taps" : "taps2", false, kernel->dim[channel[0]],
                          kernel->dim[channel[1]]);
}

/* A tensor for all samples, beside the kernel's gradient, of whole vectors. */
static Tensor *shared_tensor(const Rewrite *r, const char *what, int rank, const int64_t *dim)
{
    const Tensor *kernel = r->c->kernel->tensor;
    const int lanes = r->target->lanes;
    const char *name = format("%s.%s%d", kernel->name, what, r->filter->results);
    Tensor *t = new_tensor(r->prog, TENSOR_VALUE, name, false, rank, dim);
    t->room[rank - 1] = (dim[rank - 1] + lanes - 1) / lanes * lanes;
    t->floats = t->count / dim[rank - 1] * t->room[rank - 1];
    t->weight = kernel->weight;
    return t;
}

/* A tap's gradient below this share of the largest of its elements is 0. What rounding leaves of a sum of
 * zeros was met up to 1.8 / 2^24 of it, and errors of other sums up to 3.4 / 2^24 (over both forms, images of
 * 8x8 to 32x32, values of which from a thousandth to all are other than 0). So no tap loses more by this than
 * rounding takes from others. */
static const double least_share = 1.0 / (1 << 22);

/* kernel += sum, where it is more than rounding. An infinite one stays: the difference is no number then. */
static void append_kernel(Rewrite *r, Tensor *taps, Tensor *sum)
{
    Tensor *most = shared_tensor(r, "most", 2, taps->dim + 1), *kernel = r->c->kernel->tensor;
    int channel[2];
    kernel_channels(r->c, channel);
    Statement *greatest = fresh_statement(r), *s = fresh_statement(r);
    Affine c = index_of(greatest, "c", most->dim[0]), o = index_of(greatest, "o", most->dim[1]);
    Affine e = index_of(greatest, "e", taps->dim[0]);
    complete(greatest, STORE_MAX, access_at(most, c, o), unary(OP_ABS, load(access_at(taps, e, c, o))));
    Access out = {.tensor = kernel}, from = {.tensor = sum}, of = {.tensor = most};
    static const char *const names[] = {"a", "b", "c", "d"};
    for (int d = 0; d < 4; d++)
        out.at[d] = from.at[d] = index_of(s, names[d], kernel->dim[d]);
    for (int n = 0; n < 2; n++)
        of.at[n] = out.at[channel[n]];
    Expr *above = sub(unary(OP_ABS, load(from)), mul(constant(least_share), load(of)));
    complete(s, STORE_ADD, out, if_le(above, constant(0), constant(0), load(from)));
    append_statement(r, greatest);
    append_statement(r, s);
}

/* Between the kernel and its elements, element by element: taps = G kernel, or kernel += G taps. */
static void transform_kernel(Rewrite *r, Tensor *taps)
{
    const Convolution *c = r->c;
    const int a = elements_of(r->filter);
    int channel[2];
    kernel_channels(c, channel);
    Statement *s = fresh_statement(r);
    Affine i = index_of(s, "i", a), j = index_of(s, "j", a);
    Affine k[2] = {index_of(s, "k", r->filter->taps), index_of(s, "l", r->filter->taps)};
    Access elements = {.tensor = taps}, kernel = {.tensor = c->kernel->tensor};
    elements.at[0] = number(i, a, j);
    static const char *const names[] = {"c", "o"};
    for (int n = 0; n < 2; n++)
        elements.at[n + 1] = kernel.at[channel[n]] = index_of(s, names[n], taps->dim[n + 1]);
    for (int axis = 0; axis < 2; axis++)
        kernel.at[c->axis[axis].kernel] =
            c->axis[axis].turned ? affine_add(affine(r->filter->taps - 1), affine_scale(k[axis], -1))
                                 : k[axis];
    Expr *g = mul(entry(r->G, i, k[0], false), entry(r->G, j, k[1], false));
    if (!c->gives_kernel) {
        append_sum(r, s, elements, mul(g, load(kernel)));
        return;
    }
    Tensor *sum = shared_tensor(r, "sum", 4, kernel.tensor->dim);
    Access each = kernel;
    each.tensor = sum;
    append_sum(r, s, each, mul(g, load(elements)));
    append_kernel(r, taps, sum);
}

/* Channels as the convolution has them, for a statement that has all its other indices. */
static void other_indices(const Rewrite *r, Statement *s, Affine *map, const Access *of)
{
    const Convolution *c = r->c;
    memset(map, 0, MAX_INDEX * sizeof *map);
    for (int i = 0; i < c->s->nindex; i++)
        if (!is_spatial(c, i) && (!of || depends_on(of, i)))
            map[i] = index_of(s, c->s->index_name[i], c->s->extent[i]);
}

/* For each element the product, over channels or over tiles. */
static void multiply(Rewrite *r, Tensor *taps, Tensor *tiles, Tensor *results)
{
    const Convolution *c = r->c;
    const int a = elements_of(r->filter);
    int channel[2];
    kernel_channels(c, channel);
    Statement *s = fresh_statement(r);
    Affine e = index_of(s, "e", a * a), t = index_of(s, "t", r->tiles[0] * r->tiles[1]), map[MAX_INDEX];
    other_indices(r, s, map, NULL);
    Access u = access_at(taps, e, substitute(c->kernel->at[channel[0]], map),
                         substitute(c->kernel->at[channel[1]], map));
    Access v = access_at(tiles, e, t, substitute(c->data->at[channel_of(c, c->data)], map));
    Access w = access_at(results, e, t, substitute(c->result->at[channel_of(c, c->result)], map));
    if (c->gives_kernel) {
        complete(s, STORE_ADD, u, mul(load(w), load(v)));
        append_statement(r, s);
    } else
        append_sum(r, s, w, mul(load(u), load(v)));
    r->product = s;
    s->macs = box_volume(c->s); /* of what the tiles fill: the rest counts its own */
    for (int axis = 0; axis < 2; axis++)
        s->macs = s->macs / c->s->extent[c->axis[axis].y] * r->tiles[axis] * r->filter->results;
    s->method = r->filter->name;
}

/* A statement over some of the convolution's outputs: out and rhs with other things in the place of its
 * indices. */
static Statement *with_indices(const Statement *like, Statement *s, const Affine *map)
{
    complete(s, like->store, substitute_access(like->out, map), substitute_expr(like->rhs, map));
    return s;
}

/* The results from their elements, onto what they begin with. */
static void put_together(Rewrite *r, Tensor *products)
{
    const Convolution *c = r->c;
    const int a = elements_of(r->filter);
    for (int part = 0; part < 2; part++) {
        if (!part && !c->first)
            continue;
        Statement *s = fresh_statement(r);
        Affine map[MAX_INDEX];
        other_indices(r, s, map, c->result);
        Affine t[2] = {index_of(s, "ty", r->tiles[0]), index_of(s, "tx", r->tiles[1])};
        Affine p[2] = {index_of(s, "p", r->filter->results), index_of(s, "q", r->filter->results)};
        for (int axis = 0; axis < 2; axis++)
            map[c->axis[axis].y] = number(t[axis], r->filter->results, p[axis]);
        if (!part) {
            append_statement(r, with_indices(c->first, s, map));
            continue;
        }
        Affine i = index_of(s, "i", a), j = index_of(s, "j", a);
        Access from = access_at(products, number(i, a, j), number(t[0], r->tiles[1], t[1]),
                                substitute(c->result->at[channel_of(c, c->result)], map));
        complete(s, STORE_ADD, substitute_access(*c->result, map),
                 mul(mul(entry(r->A, p[0], i, false), entry(r->A, p[1], j, false)), load(from)));
        append_statement(r, s);
    }
}

/* The same statement for some of the points along the axes. */
static Statement *restricted(const Rewrite *r, const Statement *like, const int64_t begin[2],
                             const int64_t count[2])
{
    Statement *s = fresh_statement(r);
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i < like->nindex; i++) {
        int axis = i == r->c->axis[0].y ? 0 : i == r->c->axis[1].y ? 1 : -1;
        map[i] = index_of(s, like->index_name[i], axis < 0 ? like->extent[i] : count[axis]);
        if (axis >= 0)
            map[i].constant = begin[axis];
    }
    return with_indices(like, s, map);
}

/* What fills no tile: below the tiles, and beside them. */
static void append_rest(Rewrite *r)
{
    const Convolution *c = r->c;
    int64_t size[2], tiled[2];
    for (int axis = 0; axis < 2; axis++) {
        size[axis] = c->s->extent[c->axis[axis].y];
        tiled[axis] = r->tiles[axis] * r->filter->results;
    }
    const int64_t begin[2][2] = {{tiled[0], 0}, {0, tiled[1]}};
    const int64_t count[2][2] = {{size[0] - tiled[0], size[1]}, {tiled[0], size[1] - tiled[1]}};
    for (int side = 0; side < 2; side++) {
        if (!count[side][0] || !count[side][1])
            continue;
        if (c->first)
            append_statement(r, restricted(r, c->first, begin[side], count[side]));
        append_statement(r, restricted(r, c->s, begin[side], count[side]));
    }
}

/* ---- The choice ------------------------------------------------------------------------------ */

static void in_halo(Expr *e)
{
    if (e->op == OP_LOAD)
        e->access.padded = false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        in_halo(e->arg[i]);
}

/* As one kernel, whose operands have the halo that they will get. */
static double cycles_in_place(const Statement *first, const Statement *body, const Target *target)
{
    if (!body || !needs_guard(body) || !worth_a_halo(body, target))
        return predicted_cycles(first, body, target);
    Affine same[MAX_INDEX] = {{0}};
    for (int i = 0; i < MAX_INDEX; i++)
        same[i].coefficient[i] = 1;
    Statement copy = *body;
    copy.rhs = substitute_expr(body->rhs, same);
    in_halo(copy.rhs);
    return predicted_cycles(first, &copy, target);
}

/* What statements of the list take, for one of n samples; pairs of a first value and a sum are one kernel. */
static double cycles_of_list(const Statement *list, const Target *target, double calls)
{
    double cycles = 0;
    for (const Statement *s = list, *next; s; s = next) {
        bool pair = s->store == STORE_SET && s->next && s->next->store == STORE_ADD
                 && s->next->out.tensor == s->out.tensor;
        next = pair ? s->next->next : s->next;
        const Statement *body = pair ? s->next : s->store == STORE_SET ? NULL : s;
        cycles += cycles_in_place(s->store == STORE_SET ? s : NULL, body, target)
                * (s->per_sample || (body && body->per_sample) ? 1 : calls);
    }
    return cycles;
}

static void build(Rewrite *r)
{
    const Convolution *c = r->c;
    const Filter *f = r->filter;
    const int a = elements_of(f), m = f->results;
    r->end = &r->begin;
    r->B = matrix(r->prog, f, "B", f->data, a, a);
    r->G = matrix(r->prog, f, "G", f->kernel, a, f->taps);
    r->A = matrix(r->prog, f, "A", f->result, m, a);
    Tensor *taps = kernel_elements(r);
    int64_t tiles = r->tiles[0] * r->tiles[1], channels = c->result->tensor->dim[channel_of(c, c->result)];
    if (c->gives_kernel) {
        Statement *clear = fresh_statement(r);
        Access each = {.tensor = taps};
        static const char *const names[] = {"e", "c", "o"};
        for (int d = 0; d < 3; d++)
            each.at[d] = index_of(clear, names[d], taps->dim[d]);
        complete(clear, STORE_SET, each, constant(0));
        append_statement(r, clear);
        Tensor *data = take_apart(r, c->data, r->B, false, a, "tiles");
        Tensor *results = take_apart(r, c->result, r->A, true, m, "results");
        multiply(r, taps, data, results);
        append_rest(r);
        transform_kernel(r, taps);
        return;
    }
    transform_kernel(r, taps);
    Tensor *data = take_apart(r, c->data, r->B, false, a, "tiles");
    Tensor *products = element_tensor(r, "products", true, tiles, channels);
    multiply(r, taps, data, products);
    put_together(r, products);
    append_rest(r);
}

/* How many products each element of a sum has: one for each channel, or for each tile of all samples. */
static double products_of(const Rewrite *r)
{
    const Convolution *c = r->c;
    double products = 1;
    for (int i = 0; i < c->s->nindex; i++)
        if (!is_spatial(c, i) && !depends_on(&c->s->out, i))
            products *= (double)c->s->extent[i];
    return c->gives_kernel ? (double)(r->tiles[0] * r->tiles[1] * r->prog->net->batch) : products;
}

/* What auto promises. */
static bool is_precise(const Rewrite *r)
{
    return filter_error((int)(r->filter - filters), products_of(r))
        <= (r->c->s->backward ? MOST_GRADIENT_ERROR : MOST_FORWARD_ERROR);
}

/* How many tiles there are along each axis; false: the filter does not fit. */
static bool count_tiles(Rewrite *r)
{
    for (int axis = 0; axis < 2; axis++) {
        r->tiles[axis] = r->c->s->extent[r->c->axis[axis].y] / r->filter->results;
        if (!r->tiles[axis] || r->c->s->extent[r->c->axis[axis].k] != r->filter->taps)
            return false;
    }
    return true;
}

/* Tries a filter; the gain that is predicted over the direct form, 0 where it does not fit. */
static double attempt(Rewrite *r, double direct, double calls)
{
    if (!count_tiles(r))
        return 0;
    build(r);
    return direct / cycles_of_list(r->begin, r->target, calls);
}

/* A gain below this is within the model's error. */
static const double least_gain = 1.1;

typedef struct Decision {
    const Filter *filter; /* NULL: the direct form */
    double gain;
} Decision;

/* Under --inference taps cost no time, since they are made beforehand, but up to four times the memory of
 * the kernel. So they are counted there as net_forward has to count them elsewhere, for one call with one
 * sample: a deployed network has the same filters, and needs no more memory than one that can train. */
static Decision decide(const Rewrite *like, const Options *options)
{
    Prog *prog = like->prog;
    double calls = prog->training ? 1.0 / (double)prog->net->batch : 1, best = 0;
    double cycles = cycles_in_place(like->c->first, like->c->s, like->target);
    Decision decision = {NULL, 0};
    Prog before = *prog;
    Tensor *last = prog->last_tensor;
    for (int i = 0; i < NFILTERS; i++) {
        Rewrite r = *like;
        r.filter = &filters[i];
        if (options->filter && strcmp(options->filter, filter_option(i)))
            continue;
        double gain = attempt(&r, cycles, calls);
        *prog = before;
        last->next = NULL;
        if (gain <= best || (options->math == MATH_AUTO && !is_precise(&r)))
            continue;
        best = gain;
        bool clear = gain >= least_gain || options->math == MATH_WINOGRAD;
        decision = (Decision){clear ? r.filter : NULL, gain};
    }
    return decision;
}

static void print_kind(const Access *access, void *stream)
{
    const Tensor *t = access->tensor;
    fprintf(stream, "%d%d%d%d", t->role, t->is_int, t->per_sample, access->padded);
    for (int d = 0; d < t->rank; d++)
        fprintf(stream, " %lld", (long long)t->dim[d]);
    fputc('\n', stream);
}

static void number_load(const Access *access, void *like)
{
    number_tensor(like, access->tensor);
}

/* All that the decision asks. */
static char *text_of(const Rewrite *r)
{
    const Statement *const part[] = {r->c->s, r->c->first};
    Likeness like;
    begin_likeness(&like);
    fprintf(like.memory.file, "%d %d %d\n", r->target->lanes, r->prog->training, r->c->s->backward);
    for (int i = 0; i < 2 && part[i]; i++) {
        number_tensor(&like, part[i]->out.tensor);
        visit_loads(part[i]->rhs, number_load, &like);
        note_likeness(&like, part[i]);
        print_kind(&part[i]->out, like.memory.file);
        visit_loads(part[i]->rhs, print_kind, like.memory.file);
    }
    return end_likeness(&like);
}

static const Decision *note_decision(Map *decided, const char *text, Decision decision)
{
    begin_lasting();
    Decision *lasting = NEW(Decision);
    *lasting = decision;
    map_set(decided, format("%s", text), lasting);
    end_lasting();
    return lasting;
}

/* Equal convolutions of a network, and of its passes, are decided about once. */
static void rewrite(Prog *prog, Statement **link, Statement *s, const Convolution *c, const Target *target,
                    const Options *options)
{
    Rewrite r = {.prog = prog, .target = target, .c = c};
    const char *text = text_of(&r);
    const Decision *decision = map_find(target->decided, text);
    if (!decision)
        decision = note_decision(target->decided, text, decide(&r, options));
    if (!decision->filter)
        return;
    r.filter = decision->filter;
    count_tiles(&r);
    build(&r);
    r.product->gain = decision->gain;
    *r.end = s->next;
    *link = r.begin;
}

void use_winograd(Prog *prog, const Target *target, const Options *options)
{
    if (options->math == MATH_DIRECT)
        return;
    Statement **before = NULL;
    for (Statement **link = &prog->statements; *link; before = link, link = &(*link)->next) {
        Statement *s = *link, *first = before ? *before : NULL;
        Convolution c;
        if (!is_convolution(&c, first, s))
            continue;
        Statement **at = c.first ? before : link;
        rewrite(prog, at, s, &c, target, options);
        if (*at != s && *at != c.first)
            link = at; /* what is left over comes in its turn */
    }
    prog->last_statement = NULL;
    for (Statement *s = prog->statements; s; s = s->next)
        prog->last_statement = s;
}
