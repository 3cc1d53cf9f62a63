/* window.c: a nest over windows that runs on the outputs of another's tiles.
 *
 * Where windows stand side by side (a pooling whose stride is its size) and a tile of what they look at
 * covers whole ones, each window finds its points in registers: what it reads need not be loaded again,
 * nor stored if nobody else reads it. `conv 8 k3; relu; maxpool 2` in tiles of 2 y and 4 x:
 *
 *     before:   for y<28 by 2, x<28 by 4:  s0 ... s7;  relu.out[y + 0..1, x + 0..3] = relu(s0 ... s7)
 *               for y<14, x<14:            pool.out[y, x] = the greatest of relu.out[2y + 0..1, 2x + 0..1]
 *
 *     after:    for y<28 by 2, x<28 by 4:  s0 ... s7;  r0 ... r7 = relu(s0 ... s7)
 *                                          pool.out[y/2, x/2] = the greatest of r0 r1 r4 r5
 *                                          pool.out[y/2, x/2 + 1] = the greatest of r2 r3 r6 r7
 *
 * A place that windows lie along may be made up of several indices of the kernel, one of which has the
 * places of a tile: so are the results of Winograd's tiles, y = 4ty + p. The window's statements are
 * written in the indices of the kernel whose tiles they run on. Several kernels that make one value each
 * get the windows that lie in their part of it:
 *
 *     before:   for ty<7, tx<7:            relu.out[4ty + p, 4tx + q] = relu(...)             for p<4 q<4
 *               for y<28, x<2:             relu.out[y, x + 28] = relu(...)
 *               for y<14, x<15:            pool.out[y, x] = the greatest of relu.out[2y + ky, 2x + kx]
 *
 *     after:    for ty<7, tx<7:            pool.out[2ty + p, 2tx + q] = the greatest of
 *                                          relu.out[4ty + 2p + ky, 4tx + 2q + kx]
 *               for y<14:                  pool.out[y, 14] = the greatest of relu.out[2y + ky, kx + 28]
 *
 * The rest of the plan sees to it that tiles and regions begin and end with whole windows (tile.c), and that
 * it is done where it is predicted to be faster (fuse.c); back/epilogues.c lowers it. */
#include <string.h>

#include "schedule/schedule.h"

/* The index that alone, in steps of `step`, gives a place; -1: there is no such index. */
static int sole_index(const Affine *a, int begin, int end, int64_t *step)
{
    int found = -1;
    for (int i = begin; i < end; i++)
        if (a->coefficient[i]) {
            if (found >= 0)
                return -1;
            found = i;
            *step = a->coefficient[i];
        }
    return found;
}

static void note_load(const Access *access, void *context)
{
    *(const Access **)context = access;
}

/* What the windows look at; NULL: not one tensor alone, or more than windows on it. */
static const Access *looked_at(const Kernel *window)
{
    const Statement *s = window->body;
    const Access *access = NULL;
    if (!s || s->store == STORE_SET || (window->first && window->first->rhs->op != OP_CONSTANT))
        return NULL;
    if (s->store == STORE_ADD && !window->first)
        return NULL;
    const Expr *e = s->rhs;
    bool scaled = e->op == OP_MUL && e->arg[0]->op == OP_LOAD && e->arg[1]->op == OP_CONSTANT;
    if (e->op == OP_LOAD || scaled)
        visit_loads(e, note_load, &access);
    return access;
}

static const Access *made_by(const Kernel *k)
{
    return k->nthen ? &k->then[k->nthen - 1]->out : &statement_of(k)->out;
}

/* How many places lie side by side that a takes, each of them once; 0: it takes others. */
static int64_t places(const Affine *a, const Statement *s)
{
    int64_t count = 1, least, most;
    for (int i = 0; i < s->nindex; i++)
        if (a->coefficient[i] == count) {
            count *= s->extent[i];
            i = -1; /* the next may stand before it */
        }
    affine_range(a, s, &least, &most);
    return most - least + 1 == count ? count : 0;
}

int64_t places_taken(const Access *access, const Statement *s)
{
    int64_t count = 1;
    for (int d = 0; d < access->tensor->rank; d++)
        count *= places(&access->at[d], s);
    return count;
}

int64_t elements_made(const Kernel *k)
{
    return places_taken(made_by(k), statement_of(k));
}

/* One dimension of the value, in which the kernel makes `made` and the windows look `at`: sets how many
 * points of the kernel's index a window takes, and which the window's indices are: output, tap (-1: none). */
static bool lies_along(Kernel *k, const Kernel *window, const Affine *made, const Affine *at, int64_t size,
                       int *output, int *tap)
{
    const Statement *s = window->body, *maker = statement_of(k);
    int outputs = output_indices(s);
    int64_t stride = 1, one = 1;
    *output = sole_index(at, 0, outputs, &stride);
    *tap = sole_index(at, outputs, s->nindex, &one);
    int64_t step = *tap < 0 ? 1 : s->extent[*tap], windows = *output < 0 ? 1 : s->extent[*output];
    if (at->constant || one != 1 || (*output >= 0 && stride != step) || windows * step != size)
        return false;
    if (made->constant % step || !places(made, maker) || places(made, maker) % step)
        return false;
    for (int i = 0; i < output_indices(maker); i++) {
        if (made->coefficient[i] % step == 0)
            continue;
        if (made->coefficient[i] != 1 || maker->extent[i] % step)
            return false;
        k->step[i] = step;
        k->along[*tap] = i;
    }
    return true;
}

/* How the window's statements are written in the kernel's indices. */
typedef struct Indices {
    const Kernel *kernel;
    int outputs, count;  /* of the indices then */
    int number[MAX_INDEX]; /* of each of the kernel's; -1: one window takes all its points */
    Affine map[MAX_INDEX]; /* the window's in these */
} Indices;

static Indices indices_on(const Kernel *k, int taps)
{
    const Statement *maker = statement_of(k);
    Indices indices = {.kernel = k};
    for (int i = 0; i < output_indices(maker); i++)
        indices.number[i] = maker->extent[i] == k->step[i] ? -1 : indices.outputs++;
    indices.count = indices.outputs + taps;
    return indices;
}

/* A window's place where the kernel's is `made`. */
static Affine place_of_window(const Indices *indices, const Affine *made, int64_t step)
{
    const Kernel *k = indices->kernel;
    Affine place = affine(made->constant / step);
    for (int i = 0; i < output_indices(statement_of(k)); i++)
        if (indices->number[i] >= 0)
            place.coefficient[indices->number[i]] = made->coefficient[i] * k->step[i] / step;
    return place;
}

static Statement *rewritten(const Indices *indices, const Statement *s)
{
    if (!s)
        return NULL;
    const Kernel *k = indices->kernel;
    const Statement *maker = statement_of(k);
    Statement *copy = NEW(Statement);
    *copy = *s;
    copy->next = NULL;
    copy->nindex = indices->outputs;
    for (int i = 0; i < output_indices(maker); i++)
        if (indices->number[i] >= 0) {
            copy->index_name[indices->number[i]] = maker->index_name[i];
            copy->extent[indices->number[i]] = maker->extent[i] / k->step[i];
        }
    for (int i = output_indices(s); i < s->nindex; i++) {
        copy->index_name[copy->nindex] = s->index_name[i];
        copy->extent[copy->nindex++] = s->extent[i];
    }
    copy->out = substitute_access(s->out, indices->map);
    copy->rhs = substitute_expr(s->rhs, indices->map);
    return copy;
}

/* Can the windows lie in the same lanes as the outputs of the tile, whichever these are? */
static bool keeps_lanes(const Indices *indices, const Kernel *window)
{
    const Kernel *k = indices->kernel;
    for (int i = 0; i < output_indices(statement_of(k)); i++) {
        if (!in_vectors(statement_of(k), i))
            continue;
        bool kept = k->step[i] == 1 && in_vectors(window->body, indices->number[i]);
        for (int n = 0; n < window->nthen && kept; n++)
            kept = in_vectors(window->then[n], indices->number[i]);
        if (!kept)
            return false;
    }
    return true;
}

static bool regions_hold_windows(const Kernel *k)
{
    for (const Region *r = k->regions; r; r = r->next)
        for (int i = 0; i < output_indices(statement_of(k)); i++)
            if (r->empty || r->begin[i] % k->step[i] || r->count[i] % k->step[i])
                return false;
    return true;
}

bool set_window(Kernel *k, const Kernel *window)
{
    const Access *value = looked_at(window), *made = made_by(k);
    if (!value || k->samples >= 0)
        return false;
    int outputs = output_indices(window->body), taps = window->body->nindex - outputs,
        rank = value->tensor->rank;
    int output[MAX_RANK], tap[MAX_RANK], found = 0;
    for (int i = 0; i < MAX_INDEX; i++) {
        k->step[i] = 1;
        k->along[i] = -1;
    }
    for (int d = 0; d < rank; d++) {
        if (!lies_along(k, window, &made->at[d], &value->at[d], value->tensor->dim[d], &output[d], &tap[d]))
            return false;
        found += output[d] >= 0;
    }
    Indices indices = indices_on(k, taps);
    if (found != outputs || indices.count > MAX_INDEX)
        return false;
    int along[MAX_INDEX];
    memcpy(along, k->along, sizeof along);
    for (int d = 0; d < rank; d++)
        if (output[d] >= 0)
            indices.map[output[d]] =
                place_of_window(&indices, &made->at[d], tap[d] < 0 ? 1 : window->body->extent[tap[d]]);
    for (int t = 0; t < taps; t++) {
        indices.map[outputs + t].coefficient[indices.outputs + t] = 1;
        k->along[indices.outputs + t] = along[outputs + t];
    }
    for (int i = 0; i < output_indices(statement_of(k)); i++)
        if (indices.number[i] >= 0)
            k->along[indices.number[i]] = i;
    Kernel *on_tiles = NEW(Kernel);
    *on_tiles = *window;
    on_tiles->first = rewritten(&indices, window->first);
    on_tiles->body = rewritten(&indices, window->body);
    for (int n = 0; n < window->nthen; n++)
        on_tiles->then[n] = rewritten(&indices, window->then[n]);
    k->window = on_tiles;
    return keeps_lanes(&indices, on_tiles) && regions_hold_windows(k);
}
