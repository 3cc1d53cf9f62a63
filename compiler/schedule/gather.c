/* gather.c: turns a statement that scatters into statements that gather.
 *
 * The input gradient of a window scatters: the outputs it adds to overlap,
 *
 *     before:   out[a y + b k + c] += f(y, k)                            for y, k
 *
 * Seen from one element z = a q + r of out, only the taps with a y = z - b k - c take part. They are every
 * (a / gcd(a, b))-th one, beginning at some k0 that depends on the residue r alone, so for each r
 *
 *     after:    out[a q + r] += f(q + e - h j, k0 + t j)                  for q, j
 *               with t = a / gcd(a, b),  h = b t / a,  e = (r - c - b k0) / a
 *
 * and each output is summed in one place, in registers. The bounds of y are kept by an access that falls
 * outside its tensor exactly where y leaves them.
 *
 * Either index of the pair could be y. It is never the one that runs through a kernel: that has the
 * dilation for its coefficient, so there would be so many residues along each axis, each with rows of
 * outputs too short for vectors. */
#include <stdlib.h>

#include "schedule/schedule.h"

static int64_t gcd(int64_t a, int64_t b)
{
    return b ? gcd(b, a % b) : a;
}

static int64_t modulo(int64_t a, int64_t n)
{
    return (a % n + n) % n;
}

/* One dimension of out that two indices share: y with coefficient a, k with coefficient b. */
typedef struct Overlap {
    int dimension, y, k;
    int64_t a, b, c;
} Overlap;

/* Does it fall outside exactly when index y is outside its extent? */
static bool ends_with_index(const Access *access, int y, int64_t extent)
{
    Affine only = affine(0);
    only.coefficient[y] = 1;
    for (int d = 0; d < access->tensor->rank; d++)
        if (affine_equal(&access->at[d], &only) && access->tensor->dim[d] == extent)
            return true;
    return false;
}

/* Is there a load that is not of a kernel and ends with index y? */
static bool is_position(const Expr *e, int y, int64_t extent)
{
    if (e->op == OP_LOAD && e->access.tensor->role != TENSOR_WEIGHT && !e->access.tensor->folded)
        return ends_with_index(&e->access, y, extent);
    bool found = false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= is_position(e->arg[i], y, extent);
    return found;
}

/* Is there a load that ends with index y? Then mark it so. */
static bool keeps_bounds(Expr *e, int y, int64_t extent)
{
    if (e->op == OP_LOAD && ends_with_index(&e->access, y, extent))
        return e->access.padded = true;
    bool found = false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= keeps_bounds(e->arg[i], y, extent);
    return found;
}

/* The dimensions of out in which windows overlap; -1 where out has another form than above. */
static int find_overlaps(const Statement *s, Overlap overlap[MAX_RANK])
{
    int n = 0;
    bool used[MAX_INDEX] = {false};
    for (int d = 0; d < s->out.tensor->rank; d++) {
        const Affine *at = &s->out.at[d];
        int index[MAX_INDEX], count = 0;
        for (int i = 0; i < s->nindex; i++)
            if (at->coefficient[i]) {
                if (used[i] || at->coefficient[i] < 0)
                    return -1;
                used[i] = true;
                index[count++] = i;
            }
        int64_t least, most;
        affine_range(at, s, &least, &most);
        bool inside = least >= 0 && most < s->out.tensor->dim[d];
        /* Mixed radix (groups and channels) does not overlap and stays. */
        int64_t units = count == 2 ? at->coefficient[index[0]] : 0;
        bool radix = count == 2 && inside && at->coefficient[index[1]] == 1 && s->extent[index[1]] == units;
        if (count == 0 || (count == 1 && inside && at->coefficient[index[0]] == 1 && !at->constant)
            || radix) {
            if (count == 0 && (at->constant < 0 || at->constant >= s->out.tensor->dim[d]))
                return -1;
            continue;
        }
        if (count > 2)
            return -1;
        bool exchange = count == 2 && !is_position(s->rhs, index[0], s->extent[index[0]])
                        && is_position(s->rhs, index[1], s->extent[index[1]]);
        int y = index[exchange], k = count == 2 ? index[!exchange] : -1;
        overlap[n++] = (Overlap){d, y, k, at->coefficient[y], k < 0 ? 0 : at->coefficient[k], at->constant};
    }
    return n;
}

/* What first sets the elements to that out runs through. */
static Expr *first_value(const Statement *first, const Access *out)
{
    Affine map[MAX_INDEX] = {{0}};
    for (int d = 0; d < out->tensor->rank; d++)
        for (int i = 0; i < first->nindex; i++)
            if (first->out.at[d].coefficient[i])
                map[i] = out->at[d];
    return substitute_expr(first->rhs, map);
}

/* The kernel for one residue of each overlapping dimension; its body is NULL where no tap takes part. */
static Kernel *one_residue(const Statement *first, const Statement *scatter, const Overlap *overlap, int n,
                           const int64_t *residue)
{
    Statement *body = NEW(Statement), *fill = NEW(Statement);
    body->layer = fill->layer = scatter->layer;
    body->backward = fill->backward = scatter->backward;
    body->recurrence = fill->recurrence = scatter->recurrence;
    Affine map[MAX_INDEX] = {{0}}, fill_map[MAX_INDEX] = {{0}}, out_map[MAX_INDEX] = {{0}}, row[MAX_RANK];
    Access out = scatter->out;
    bool mapped[MAX_INDEX] = {false}, taps = true;
    for (int i = 0; i < n; i++) {
        const Overlap *o = &overlap[i];
        const char *y_name = scatter->index_name[o->y];
        int64_t r = residue[i], rows = (out.tensor->dim[o->dimension] - r + o->a - 1) / o->a;
        int64_t kernel = o->k < 0 ? 1 : scatter->extent[o->k];
        int64_t step = o->b ? o->a / gcd(o->a, o->b) : 1, k0 = 0;
        while (k0 < kernel && modulo(r - o->c - o->b * k0, o->a))
            k0++;
        int64_t count = k0 < kernel ? (kernel - k0 + step - 1) / step : 0;
        taps &= count > 0;
        Affine q = row[i] = index_of(body, y_name, rows);
        Affine j = count && o->k >= 0 ? index_of(body, scatter->index_name[o->k], count) : affine(0);
        if (o->k >= 0) {
            mapped[o->k] = true;
            map[o->k] = affine_add(affine(k0), affine_scale(j, step));
        }
        mapped[o->y] = true;
        map[o->y] = affine_add(affine_add(q, affine((r - o->c - o->b * k0) / o->a)),
                               affine_scale(j, -o->b * step / o->a));
        /* In out the pair becomes a q + r: say so through y alone, with k and the constant gone. */
        Affine at = affine(r);
        at.coefficient[o->y] = o->a;
        out.at[o->dimension] = at;
        fill_map[o->y] = index_of(fill, y_name, rows);
    }
    for (int i = 0; i < scatter->nindex; i++) {
        if (!mapped[i]) {
            map[i] = index_of(body, scatter->index_name[i], scatter->extent[i]);
            if (depends_on(&out, i))
                fill_map[i] = index_of(fill, scatter->index_name[i], scatter->extent[i]);
        }
        out_map[i] = map[i];
    }
    for (int i = 0; i < n; i++)
        out_map[overlap[i].y] = row[i];
    out.padded = false;
    Kernel *kernel = NEW(Kernel);
    if (first) {
        Access filled = substitute_access(out, fill_map);
        complete(fill, STORE_SET, filled, first_value(first, &filled));
        kernel->first = fill;
    }
    if (taps) {
        complete(body, STORE_ADD, substitute_access(out, out_map), substitute_expr(scatter->rhs, map));
        kernel->body = body;
    }
    return kernel;
}

/* Do the dimensions in which nothing overlaps reach every element? */
static bool reaches_all(const Statement *s, const Overlap *overlap, int n)
{
    for (int d = 0; d < s->out.tensor->rank; d++) {
        int64_t reached = 1;
        for (int i = 0; i < s->nindex; i++)
            if (s->out.at[d].coefficient[i])
                reached *= s->extent[i];
        for (int i = 0; i < n; i++)
            if (overlap[i].dimension == d)
                reached = s->out.tensor->dim[d];
        if (reached != s->out.tensor->dim[d])
            return false;
    }
    return true;
}

static void note_padded(const Access *access, void *padded)
{
    *(bool *)padded |= access->padded;
}

/* Does it set every element, with an index of its own along each dimension? */
static bool sets_each(const Statement *first)
{
    bool padded = false;
    visit_loads(first->rhs, note_padded, &padded);
    for (int d = 0; d < first->out.tensor->rank; d++) {
        int n = 0;
        for (int i = 0; i < first->nindex; i++)
            n += first->out.at[d].coefficient[i] != 0;
        if (n > 1)
            return false;
    }
    return !padded && covers_tensor(first, &first->out);
}

/* Where a sum reaches each output by other indices than its first value is set by, as where the windows of
 * a transposed convolution stand side by side: the first value set by the sum's indices, so that each sum
 * begins with its own in a register:
 *
 *     before:   out[z] = f(z)                   out[a y + k] += ...          for k < a
 *     after:    out[a y + k] = f(a y + k)       out[a y + k] += ...
 *
 * NULL: it is so already, or can't be. */
Statement *first_by_indices_of(const Statement *first, const Statement *sum)
{
    Statement outputs = *sum;
    outputs.nindex = output_indices(sum);
    if (!sets_each(first) || access_equal(&first->out, &sum->out)
        || !covers_tensor(&outputs, &sum->out))
        return NULL;
    Statement *fill = NEW(Statement);
    *fill = *first;
    fill->nindex = outputs.nindex;
    for (int i = 0; i < outputs.nindex; i++) {
        fill->index_name[i] = sum->index_name[i];
        fill->extent[i] = sum->extent[i];
    }
    fill->rhs = first_value(first, &sum->out);
    fill->out = sum->out;
    return fill;
}

/* each is a statement of its own: of more, plain loops that scatter are less to compile */
enum { MOST_RESIDUES = 256 };

/* first, if given, sets out just before. */
Kernel *gather(const Statement *first, const Statement *scatter)
{
    Overlap overlap[MAX_RANK];
    int n = find_overlaps(scatter, overlap);
    if (n <= 0 || (first && !sets_each(first)))
        return NULL;
    if (first && !reaches_all(scatter, overlap, n)) {
        Kernel *fill = NEW(Kernel);
        fill->first = (Statement *)first;
        fill->next = gather(NULL, scatter);
        return fill->next ? fill : NULL;
    }
    Affine same[MAX_INDEX] = {{0}};
    for (int i = 0; i < scatter->nindex; i++)
        same[i].coefficient[i] = 1;
    Statement copy = *scatter;
    copy.rhs = substitute_expr(scatter->rhs, same);
    for (int i = 0; i < n; i++)
        if (!keeps_bounds(copy.rhs, overlap[i].y, scatter->extent[overlap[i].y]))
            return NULL;
    int64_t residues = 1;
    for (int i = 0; i < n; i++)
        residues *= overlap[i].a;
    if (residues > MOST_RESIDUES)
        return NULL;
    Kernel *kernels = NULL, **end = &kernels;
    int64_t residue[MAX_RANK] = {0};
    for (;;) {
        bool rows = true;
        for (int i = 0; i < n; i++)
            rows &= residue[i] < scatter->out.tensor->dim[overlap[i].dimension];
        if (rows) {
            *end = one_residue(first, &copy, overlap, n, residue);
            if ((*end)->first || (*end)->body)
                end = &(*end)->next;
            else
                *end = NULL;
        }
        int i = n - 1;
        while (i >= 0 && ++residue[i] == overlap[i].a)
            residue[i--] = 0;
        if (i < 0)
            return kernels;
    }
}
