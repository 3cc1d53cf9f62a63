/* block.c: kernels that pass tensors on run block by block, in one loop.
 *
 * In: the kernels of a function, one behind the other, fused. Where all that touch a tensor step through
 * one of its dimensions, they can share a loop over blocks of it, and the tensor holds one block at a
 * time: what is passed on stays in the near caches, and takes less memory. A transform, a batch of
 * products and a transform back, in two blocks:
 *
 *     before:   for ty<4 tx<4 c:  tiles[4ty + tx, c] = ...                                    tiles[16][32]
 *               for t<16 o c:     products[t, o] += taps[c, o] * tiles[t, c]                 products[16][32]
 *               for ty<4 tx<4 o:  out[4ty + ..., o] = ... products[4ty + tx, o]
 *
 *     after:    for block<2 {
 *                   for ty<2 tx<4 c:  tiles[4ty + tx, c] = ...                                tiles[8][32]
 *                   for t<8 o c:      products[t, o] += taps[c, o] * tiles[t, c]              products[8][32]
 *                   for ty<2 tx<4 o:  out[8block + 4ty + ..., o] = ... products[4ty + tx, o]
 *               }
 *
 * A kernel's index can be cut where it alone says in which block of the tensor an access lies: each of its
 * steps passes `unit` elements, and all else that the access adds stays below that. So each block reads
 * what the same block wrote, and the order of blocks does not matter. A sum is cut where it goes on from
 * what is in memory. What stands between the kernels and does without them, such as the zeros around an
 * output, goes before the loop. The number of blocks is one that divides all that is cut, the one that is
 * predicted to be fastest. */
#include <math.h>
#include <string.h>

#include "schedule/schedule.h"

/* Of buffers that are larger than the second cache, smaller ones are worth a little time. */
static const double worth_memory = 1.03;

enum { MOST_MEMBERS = 12, MOST_PASSED = 12 };

typedef struct Group {   /* kernels of a function that may share a loop */
    Pass *pass;
    Function *function;
    Tensor *const *near; /* what the function's kernels touch, NULL at the end */
    Kernel *member[MOST_MEMBERS];
    int cut[MOST_MEMBERS]; /* the index of each that is cut */
    int n;
    Tensor *passed[MOST_PASSED]; /* what they pass on, in blocks along that dimension */
    int dimension[MOST_PASSED];
    int npassed;
} Group;

/* ---- What touches what ----------------------------------------------------------------------- */

typedef struct Touch {
    const Pass *pass;
    const Tensor *tensor;
    void (*visit)(const Access *, struct Touch *); /* of each access to it */
    const Kernel *kernel;
    const Statement *s;  /* of the kernel, or of the window on it */
    bool in_window;
    int dimension, index;
    int accesses;
    bool fits;
} Touch;

static void touch_access(const Access *access, void *context)
{
    Touch *touch = context;
    if (touch->pass->root[access->tensor->id] != touch->pass->root[touch->tensor->id])
        return;
    touch->accesses++;
    if (touch->visit)
        touch->visit(access, touch);
}

/* Of the parts of a kernel those before this one are its own, the others its window's. */
static int own_parts(const Kernel *k)
{
    int n = (k->first != NULL) + (k->body != NULL) + k->nthen;
    for (const Kernel *f = k->followers; f; f = f->next)
        n += (f->first != NULL) + (f->body != NULL);
    return n;
}

/* The window's index that goes with one of the kernel's; -1: there is none. */
static int window_index(const Kernel *k, int index)
{
    for (int i = 0; i < output_indices(k->window->body); i++)
        if (k->along[i] == index)
            return i;
    return -1;
}

/* All accesses of a kernel to the touched tensor; how many. */
static int touch_kernel(Touch *touch, Kernel *k, bool reads, bool writes)
{
    Statement **part[MAX_PARTS];
    int n;
    touch->accesses = 0;
    touch->kernel = k;
    for (parts_of(k, part, &n); n--;) {
        const Statement *s = touch->s = *part[n];
        touch->in_window = n >= own_parts(k);
        if (reads)
            visit_loads(s->rhs, touch_access, touch);
        if (writes)
            touch_access(&s->out, touch);
        if (writes && s->position) {
            Access position = same_place(s->out, s->position);
            touch_access(&position, touch);
        }
    }
    return touch->accesses;
}

static bool touches(const Pass *pass, Kernel *k, const Tensor *t)
{
    Touch touch = {.pass = pass, .tensor = t};
    return touch_kernel(&touch, k, true, true);
}

static bool writes(const Pass *pass, Kernel *k, const Tensor *t)
{
    Touch touch = {.pass = pass, .tensor = t};
    return touch_kernel(&touch, k, false, true);
}

typedef struct Near {
    Tensor **tensor;     /* NULL at the end */
    int n, room;
} Near;

static void note_near(const Access *access, void *context)
{
    Near *near = context;
    for (int i = 0; i < near->n; i++)
        if (near->tensor[i]->id == access->tensor->id)
            return;
    if (near->n + 1 >= near->room) {
        Tensor **old = near->tensor;
        near->room = near->room ? 2 * near->room : 16;
        near->tensor = NEW_ARRAY(Tensor *, near->room);
        if (old)
            memcpy(near->tensor, old, (size_t)near->n * sizeof *old);
    }
    near->tensor[near->n++] = access->tensor;
}

/* All tensors that a function's kernels touch, NULL at the end. */
static Tensor *const *tensors_near(const Function *f)
{
    Near near = {NULL, 0, 0};
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            Statement *s = *part[n];
            visit_loads(s->rhs, note_near, &near);
            note_near(&s->out, &near);
            if (s->position)
                note_near(&(Access){.tensor = s->position}, &near);
        }
    return near.tensor;
}

/* Does one of them write what the other touches? */
static bool conflict(const Group *g, Kernel *a, Kernel *b)
{
    for (Tensor *const *t = g->near; *t; t++)
        if ((writes(g->pass, a, *t) && touches(g->pass, b, *t))
            || (writes(g->pass, b, *t) && touches(g->pass, a, *t)))
            return true;
    return false;
}

/* ---- Where an index can be cut --------------------------------------------------------------- */

static bool says_block(const Access *access, const Statement *s, int dimension, int index)
{
    const Affine *at = &access->at[dimension];
    int64_t unit = at->coefficient[index], least, most;
    if (unit <= 0 || unit * s->extent[index] != access->tensor->dim[dimension])
        return false;
    Affine rest = *at;
    rest.coefficient[index] = 0;
    affine_range(&rest, s, &least, &most);
    for (int d = 0; d < access->tensor->rank; d++)
        if (d != dimension && access->at[d].coefficient[index])
            return false;
    return least >= 0 && most < unit;
}

static void find_index(const Access *access, Touch *touch)
{
    int found = -1;
    for (int i = 0; i < touch->s->nindex; i++)
        if (says_block(access, touch->s, touch->dimension, i))
            found = touch->in_window ? touch->kernel->along[i] : i;
    touch->fits &=
        found >= 0 && (touch->index < 0 || found == touch->index) && access->tensor == touch->tensor;
    touch->index = found;
}

/* A transform is one piece; a sum can be cut where it goes on from what is in memory. */
static bool can_cut(const Kernel *k, int index)
{
    const Statement *s = statement_of(k);
    for (int matrix = 0; k->body && is_transform(s) && matrix < 2; matrix++)
        if (index == matrix_index(s, matrix, false) || index == matrix_index(s, matrix, true))
            return false;
    if ((k->window && window_index(k, index) < 0) || index == k->row)
        return false;
    return index < output_indices(s) || (s->store == STORE_ADD && !k->first && !k->nthen && !k->followers);
}

static bool is_free(Kernel *k)
{
    Statement **part[MAX_PARTS];
    int n;
    bool free = k->regions && !k->blocks && !k->recurrence && k->samples < 0
             && !takes_samples_in(statement_of(k));
    for (parts_of(k, part, &n); n--;)
        free &= !needs_guard(*part[n]);
    return free;
}

/* The index of the kernel that says in which block of the tensor all its accesses lie; -1: there is none. */
static int index_along(const Pass *pass, Kernel *k, const Tensor *t, int dimension)
{
    Touch touch = {
        .pass = pass, .tensor = t, .visit = find_index, .dimension = dimension, .index = -1, .fits = true};
    touch_kernel(&touch, k, true, true);
    return touch.fits && touch.index >= 0 && can_cut(k, touch.index) ? touch.index : -1;
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static int member_of(const Group *g, const Kernel *k)
{
    for (int i = 0; i < g->n; i++)
        if (g->member[i] == k)
            return i;
    return -1;
}

static bool is_passed(const Group *g, const Tensor *t)
{
    for (int i = 0; i < g->npassed; i++)
        if (g->passed[i] == t)
            return true;
    return false;
}

/* Is it a maximum whose place is noted, or that note? One lies as the other does. */
static bool has_position(const Function *f, const Tensor *t)
{
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;)
            if ((*part[n])->position && ((*part[n])->position == t || (*part[n])->out.tensor == t))
                return true;
    return false;
}

/* Can it hold one block at a time? Then nobody else may touch it, nor it have zeros around it along that
 * dimension. */
static bool can_shrink(const Group *g, const Tensor *t, int dimension)
{
    bool own = t->role == TENSOR_VALUE && t->per_sample && t->rank && dimension < t->rank - 1
            && g->pass->root[t->id] == t && !t->before[dimension]
            && (t->spaced || t->room[dimension] == t->dim[dimension]) && !has_position(g->function, t);
    own = own && !g->pass->shared[t->id];
    const Users *users = &g->pass->users[t->id];
    for (int i = 0; i < users->n && own; i++)
        for (Kernel *k = users->function[i]->kernels; k && own; k = k->next)
            own = users->function[i] == g->function || !touches(g->pass, k, t);
    return own;
}

/* Takes in all kernels that touch the tensor. */
static bool pass_on(Group *g, Tensor *t, int dimension)
{
    if (g->npassed == MOST_PASSED || !can_shrink(g, t, dimension))
        return false;
    g->passed[g->npassed] = t;
    g->dimension[g->npassed++] = dimension;
    for (Kernel *k = g->function->kernels; k; k = k->next) {
        if (!touches(g->pass, k, t))
            continue;
        int index = index_along(g->pass, k, t, dimension), known = member_of(g, k);
        if (index < 0 || (known < 0 && (g->n == MOST_MEMBERS || !is_free(k)))
            || (known >= 0 && g->cut[known] != index))
            return false;
        if (known < 0) {
            g->member[g->n] = k;
            g->cut[g->n++] = index;
        }
    }
    return true;
}

/* Along which dimension a member steps through a tensor by the index that is cut; -1: it does not. */
static int dimension_of(const Group *g, int member, const Tensor *t)
{
    for (int d = 0; d < t->rank; d++)
        if (touches(g->pass, g->member[member], t)
            && index_along(g->pass, g->member[member], t, d) == g->cut[member])
            return d;
    return -1;
}

/* What else the members pass on, and to whom. */
static void grow(Group *g)
{
    for (int i = 0; i < g->n; i++)
        for (Tensor *const *t = g->near; *t; t++) {
            int dimension = is_passed(g, *t) ? -1 : dimension_of(g, i, *t);
            const Group before = *g;
            if (dimension >= 0 && !pass_on(g, *t, dimension))
                *g = before;
        }
}

/* Of what stays whole members may only share what none of them writes, or what each touches in its own
 * block. */
static bool members_agree(const Group *g)
{
    for (Tensor *const *t = g->near; *t; t++) {
        int touching = 0, dimension = -2;
        bool written = false, same = true;
        for (int i = 0; i < g->n; i++) {
            if (!touches(g->pass, g->member[i], *t))
                continue;
            int d = dimension_of(g, i, *t);
            same &= d >= 0 && (dimension == -2 || d == dimension);
            dimension = d;
            touching++;
            written |= writes(g->pass, g->member[i], *t);
        }
        if (touching > 1 && written && !same)
            return false;
    }
    return true;
}

/* Moves what stands between the members before them; false where something has to stay. */
static bool bring_together(const Group *g, bool move)
{
    Kernel **first = &g->function->kernels;
    int passed = 0;
    while (member_of(g, *first) < 0)
        first = &(*first)->next;
    for (Kernel **link = first; passed < g->n;) {
        Kernel *k = *link;
        if (member_of(g, k) >= 0) {
            passed++;
            link = &k->next;
            continue;
        }
        for (Kernel *before = *first; before != k; before = before->next)
            if (member_of(g, before) >= 0 && conflict(g, before, k))
                return false;
        link = &k->next;
        if (!move)
            continue;
        Kernel **from = first;
        while (*from != k)
            from = &(*from)->next;
        *from = k->next;
        link = from;
        k->next = *first;
        *first = k;
        first = &k->next;
    }
    return true;
}

static bool find_group(Group *g, Kernel *first, Tensor *t, int dimension)
{
    if (!pass_on(g, t, dimension) || g->n < 2 || member_of(g, first) < 0)
        return false;
    grow(g);
    return members_agree(g) && bring_together(g, false);
}

/* ---- Cutting --------------------------------------------------------------------------------- */

/* The statement for one of the blocks; the first of them alone is all that a prediction asks for. */
static Statement *cut_statement(const Statement *s, int index, int64_t blocks, bool first)
{
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i < MAX_INDEX; i++)
        map[i].coefficient[i] = 1;
    map[index].coefficient[BLOCK] = s->extent[index] / blocks;
    Statement *copy = NEW(Statement);
    *copy = *s;
    copy->extent[index] /= blocks;
    if (first)
        return copy;
    copy->blocks = blocks;
    copy->out = substitute_access(s->out, map);
    copy->rhs = substitute_expr(s->rhs, map);
    return copy;
}

static void cut_kernel(Kernel *k, int index, int64_t blocks, bool first)
{
    Statement **part[MAX_PARTS];
    int n, of_window = k->window ? window_index(k, index) : -1;
    if (k->window) {
        Kernel *window = NEW(Kernel);
        *window = *k->window;
        k->window = window;
    }
    for (Kernel **link = &k->followers; *link; link = &(*link)->next) {
        Kernel *follower = NEW(Kernel);
        *follower = **link;
        *link = follower;
    }
    for (parts_of(k, part, &n); n--;)
        *part[n] = cut_statement(*part[n], n < own_parts(k) ? index : of_window, blocks, first);
    k->blocks = blocks;
}

/* The block at hand is all there is. */
static void forget_block(Access *access, const Tensor *t, int dimension)
{
    if (access->tensor == t)
        access->at[dimension].coefficient[BLOCK] = 0;
}

static void forget_block_of_loads(Expr *e, const Tensor *t, int dimension)
{
    if (e->op == OP_LOAD)
        forget_block(&e->access, t, dimension);
    for (int i = 0; i < op_info[e->op].arity; i++)
        forget_block_of_loads(e->arg[i], t, dimension);
}

static void shrink(const Group *g, Tensor *t, int dimension, int64_t blocks)
{
    for (int i = 0; i < g->n; i++) {
        Statement **part[MAX_PARTS];
        int n;
        for (parts_of(g->member[i], part, &n); n--;) {
            forget_block(&(*part[n])->out, t, dimension);
            forget_block_of_loads((*part[n])->rhs, t, dimension);
        }
    }
    int64_t behind = t->room[dimension] - t->dim[dimension];
    t->count /= blocks;
    t->dim[dimension] /= blocks;
    t->cut[dimension] = t->dim[dimension];
    t->floats /= t->room[dimension];
    t->room[dimension] = t->dim[dimension] + behind;
    t->floats *= t->room[dimension];
}

static void cut_group(const Group *g, int64_t blocks)
{
    bring_together(g, true);
    bool joins = false;
    for (Kernel *k = g->function->kernels; k; k = k->next) {
        int i = member_of(g, k);
        if (i < 0)
            continue;
        cut_kernel(k, g->cut[i], blocks, false);
        k->joins = joins;
        joins = true;
    }
    for (int i = 0; i < g->npassed; i++)
        shrink(g, g->passed[i], g->dimension[i], blocks);
}

static void find_step(const Access *access, Touch *touch)
{
    touch->fits &=
        depends_on(access, touch->in_window ? window_index(touch->kernel, touch->index) : touch->index);
}

/* Does the member touch another part of it in each block? */
static bool steps_through(const Group *g, int member, const Tensor *t)
{
    const Kernel *k = g->member[member];
    Touch touch = {.pass = g->pass, .tensor = t, .visit = find_step, .index = g->cut[member], .fits = true};
    touch_kernel(&touch, (Kernel *)k, true, true);
    return touch.fits;
}

/* ---- How many blocks ------------------------------------------------------------------------- */

/* Can all members be cut into so many? */
static bool divides(const Group *g, int64_t blocks)
{
    for (int i = 0; i < g->n; i++) {
        const Kernel *k = g->member[i];
        if (statement_of(k)->extent[g->cut[i]] % blocks
            || (k->window && k->window->body->extent[window_index(k, g->cut[i])] % blocks))
            return false;
    }
    return true;
}

/* What a block takes: its kernels, cut. */
static double block_cycles(const Group *g, int64_t blocks, const Target *target)
{
    double cycles = 0;
    for (int i = 0; i < g->n; i++) {
        Kernel k = *g->member[i];
        Region whole = {.empty = false};
        cut_kernel(&k, g->cut[i], blocks, true);
        const Statement *s = statement_of(&k);
        for (int index = 0; index < s->nindex; index++)
            whole.count[index] = s->extent[index];
        k.regions = &whole;
        choose_tiles(&k, target);
        cycles += k.cycles;
    }
    return cycles;
}

/* Bytes of all that the members pass on. */
static double bytes_passed(const Group *g)
{
    double bytes = 0;
    for (int i = 0; i < g->npassed; i++)
        bytes += 4 * (double)g->passed[i]->floats;
    return bytes;
}

/* Bytes of what each block reads from one end to the other, twice those of what it writes, too. */
static double bytes_whole(const Group *g, bool traffic)
{
    double bytes = 0;
    for (Tensor *const *near = g->near; *near; near++) {
        const Tensor *t = *near;
        int times = 0;
        for (int i = 0; i < g->n; i++)
            if (t->role != TENSOR_CONSTANT && !is_passed(g, t) && touches(g->pass, g->member[i], t)
                && !steps_through(g, i, t))
                times = traffic && writes(g->pass, g->member[i], t) ? 2 : 1;
        bytes += 4.0 * times * (double)t->floats;
    }
    return bytes;
}

/* The share of what is touched again, after so many other bytes, that has to come from beyond the near
 * cache. */
static double share_beyond(double bytes, const Target *target)
{
    double share = log2(bytes / (double)target->machine->second_cache) / 2 + 0.5;
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* What is passed on waits until about half of all that is whole has been read, and what is whole until the
 * next block. What a block touches also puts other things out of the near cache, once. */
static double predict(const Group *g, int64_t blocks, double whole, double moved, const Target *target)
{
    double n = (double)blocks, all = bytes_passed(g), block = all / n;
    double far = 2 * all * share_beyond(0.75 * block + whole / 2, target)
               + block * share_beyond(block, target)
               + moved * (1 + (n - 1) * share_beyond(block + whole, target));
    return n * block_cycles(g, blocks, target) + n * moved / target->machine->second_pace
         + far / target->machine->far_pace;
}

/* The most that divide all that is cut, up to a number of them. */
static int64_t most_blocks(const Group *g, int64_t limit)
{
    int64_t most = 1;
    for (int64_t blocks = 2; blocks <= limit; blocks++)
        if (divides(g, blocks))
            most = blocks;
    return most;
}

static int64_t choose_blocks(const Group *g, const Target *target)
{
    int64_t extent = statement_of(g->member[0])->extent[g->cut[0]], best = 1;
    if (target->options->blocks)
        return most_blocks(g, target->options->blocks < extent ? target->options->blocks : extent);
    double least = INFINITY, whole = bytes_whole(g, false), moved = bytes_whole(g, true);
    for (int64_t blocks = 1; blocks <= extent; blocks++) {
        double cycles = divides(g, blocks) ? predict(g, blocks, whole, moved, target) : INFINITY;
        bool large = bytes_passed(g) / (double)best > (double)target->machine->second_cache;
        if (cycles >= (large ? worth_memory : 1) * least)
            continue;
        best = blocks;
        least = cycles < least ? cycles : least;
    }
    return best;
}

/* Of all groups the one that saves the most memory; 0: none is worth it. */
static int64_t best_group(Pass *pass, Function *f, const Target *target, Group *best)
{
    Tensor *const *near = tensors_near(f);
    int64_t most = 1;
    double saved = 0;
    for (Kernel *k = f->kernels; k; k = k->next) {
        Tensor *t = statement_of(k)->out.tensor;
        for (int d = 0; d + 1 < t->rank && !k->blocks; d++) {
            Group g = {.pass = pass, .function = f, .near = near};
            int64_t blocks = find_group(&g, k, t, d) ? choose_blocks(&g, target) : 1;
            double saves = bytes_passed(&g) * (1 - 1 / (double)blocks);
            if (saves <= saved)
                continue;
            *best = g;
            most = blocks;
            saved = saves;
        }
    }
    return saved > 0 ? most : 0;
}

void run_in_blocks(Pass *pass, const Target *target)
{
    for (Function *f = pass->functions; f; f = f->next) {
        if (f->unroll != UNROLL_TILE || f->per_call || f->batched || !f->kernels->next)
            continue;
        Group g;
        for (int64_t blocks; (blocks = best_group(pass, f, target, &g));)
            cut_group(&g, blocks);
    }
}
