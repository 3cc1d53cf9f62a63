/* tile.c: chooses the register tile of a contraction `out += u v`.
 *
 * Lanes: the values of one index in one vector. It has to step by one element, or not at all, in every tensor:
 * an output index (each lane another output), else a reduction index (each lane a partial sum, added up once
 * at the end). Outputs unrolled: one index that u lacks, so that each u loaded serves several outputs, and one
 * that v lacks. Small reduction indices, the kernel's taps, are written out. */
#include "nnc.h"

enum { MOST_TAPS = 32, SMALL = 8 };

bool depends_on(const Access *access, int index)
{
    for (int d = 0; d < access->tensor->rank; d++)
        if (access->at[d].coefficient[index])
            return true;
    return false;
}

int64_t stride_of(const Access *access, int index)
{
    return position_of(*access).coefficient[index];
}

Tile no_tile(void)
{
    return (Tile){.lane = -1, .index = {-1, -1}, .factor = {1, 1}};
}

static bool steps_by_one_or_not(const Access *access, int index)
{
    int64_t stride = stride_of(access, index);
    return stride == 1 || (stride == 0 && !depends_on(access, index));
}

static int choose_lane(const Kernel *kernel, const Region *box, int lanes)
{
    const Statement *s = kernel->body;
    const Access *u = &s->rhs->arg[0]->access, *v = &s->rhs->arg[1]->access;
    int best = -1;
    for (int i = 0; i < s->nindex; i++) {
        bool output = i < output_indices(s);
        if (box->count[i] < lanes || !steps_by_one_or_not(u, i) || !steps_by_one_or_not(v, i))
            continue;
        if (output && stride_of(&s->out, i) != 1)
            continue;
        /* The first value must be the same for all lanes. */
        if (output && kernel->first && kernel->first->rhs->op == OP_LOAD && depends_on(&kernel->first->rhs->access, i))
            continue;
        bool better = best < 0 || (best < output_indices(s) ? output && box->count[i] > box->count[best]
                                                            : output || box->count[i] > box->count[best]);
        if (better)
            best = i;
    }
    return best;
}

/* Requires a kernel whose body has FORM_CONTRACTION and whose first region is the largest. */
Tile choose_tile(const Kernel *kernel, const Target *target)
{
    const Statement *s = kernel->body;
    const Region *box = kernel->regions;
    const Access *u = &s->rhs->arg[0]->access, *v = &s->rhs->arg[1]->access;
    Tile tile = no_tile();
    if (target->lanes > 1)
        tile.lane = choose_lane(kernel, box, target->lanes);
    static const int64_t most[2] = {4, 2};
    for (int side = 0; side < 2; side++) {
        const Access *has = side ? v : u, *lacks = side ? u : v;
        for (int i = 0; i < output_indices(s); i++)
            if (i != tile.lane && depends_on(has, i) && !depends_on(lacks, i)
                && (tile.index[side] < 0 || box->count[i] > box->count[tile.index[side]]))
                tile.index[side] = i;
    }
    /* One side alone gets the larger factor. */
    for (int side = 0; side < 2; side++)
        if (tile.index[side] >= 0) {
            int64_t count = box->count[tile.index[side]];
            int64_t factor = tile.index[!side] < 0 ? most[0] : most[side];
            tile.factor[side] = count < factor ? count : factor;
        }
    int64_t taps = 1;
    for (int i = s->nindex - 1; i >= output_indices(s); i--)
        if (i != tile.lane && box->count[i] < SMALL && taps * box->count[i] <= MOST_TAPS) {
            tile.unrolled[i] = true;
            taps *= box->count[i];
        }
    return tile;
}
