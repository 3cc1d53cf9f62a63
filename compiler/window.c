/* window.c: a nest over windows that runs on the outputs of another's tiles.
 *
 * Where windows stand side by side (a pooling whose stride is its size) and a tile of what they look at covers whole ones,
 * each window finds its points in registers: what it reads need not be loaded again, nor stored if nobody else reads it.
 * `conv 8 k3; relu; maxpool 2` in tiles of 2 y and 4 x:
 *
 *     before:   for y<28 by 2, x<28 by 4:  s0 ... s7;  relu.out[y + 0..1, x + 0..3] = relu(s0 ... s7)
 *               for y<14, x<14:            pool.out[y, x] = the greatest of relu.out[2y + 0..1, 2x + 0..1]
 *
 *     after:    for y<28 by 2, x<28 by 4:  s0 ... s7;  r0 ... r7 = relu(s0 ... s7)
 *                                          pool.out[y/2, x/2] = the greatest of r0 r1 r4 r5
 *                                          pool.out[y/2, x/2 + 1] = the greatest of r2 r3 r6 r7
 *
 * The rest of the plan sees to it that tiles and regions begin and end with whole windows (tile.c), that it is done where
 * it is predicted to be faster (plan.c), and prints it (kernel.c). */
#include "nnc.h"

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

/* Windows side by side on all of the tensor, each of whose indices is one of the kernel's. */
static bool finds_indices(Kernel *k, const Kernel *window, const Access *value)
{
    const Statement *made = k->nthen ? k->then[k->nthen - 1] : k->body ? k->body : k->first, *s = window->body;
    int outputs = output_indices(s), found = 0;
    for (int d = 0; d < value->tensor->rank; d++) {
        const Affine *at = &value->at[d], *out = &made->out.at[d];
        int64_t one = 1, step = 1, tap = 1;
        int of_kernel = sole_index(out, 0, made->nindex, &one);
        if (value->tensor->dim[d] == 1 && affine_is_constant(at))
            continue;
        int of_window = sole_index(at, 0, outputs, &step), reduced = sole_index(at, outputs, s->nindex, &tap);
        if (of_kernel < 0 || of_window < 0 || one != 1 || tap != 1 || out->constant || at->constant)
            return false;
        if (step != (reduced < 0 ? 1 : s->extent[reduced]) || s->extent[of_window] * step != value->tensor->dim[d])
            return false;
        if (in_vectors(k->body ? k->body : k->first, of_kernel) && (step != 1 || !in_vectors(s, of_window)))
            return false;
        k->along[of_window] = of_kernel;
        k->step[of_window] = step;
        found++;
    }
    return found == outputs;
}

bool set_window(Kernel *k, Kernel *window)
{
    const Access *value = looked_at(window);
    if (!value || k->samples >= 0 || !finds_indices(k, window, value))
        return false;
    for (int n = 0; n < window->nthen; n++)
        for (int i = 0; i < output_indices(window->body); i++)
            if (in_vectors(window->body, i) && !in_vectors(window->then[n], i))
                return false;
    for (const Region *r = k->regions; r; r = r->next)
        for (int i = 0; i < output_indices(window->body); i++)
            if (r->empty || r->begin[k->along[i]] % k->step[i] || r->count[k->along[i]] % k->step[i])
                return false;
    k->window = window;
    return true;
}

Region window_region(const Kernel *k, const Region *r)
{
    const Statement *s = k->window->body;
    int outputs = output_indices(s);
    Region region = {.begin = {0}};
    for (int i = 0; i < s->nindex; i++) {
        region.begin[i] = i < outputs ? r->begin[k->along[i]] / k->step[i] : 0;
        region.count[i] = i < outputs ? r->count[k->along[i]] / k->step[i] : s->extent[i];
    }
    return region;
}

Tile window_tile(const Kernel *k, const Tile *of)
{
    Tile tile = no_tile();
    tile.width = of->width;
    for (int i = 0; i < output_indices(k->window->body); i++) {
        tile.factor[i] = of->factor[k->along[i]] / k->step[i];
        if (of->lane >= 0 && k->along[i] == of->lane)
            tile.lane = i;
    }
    return tile;
}
