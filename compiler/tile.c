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

/* At most `most`, and rather a smaller one that leaves no rest. */
static int64_t factor_for(int64_t count, int64_t most)
{
    if (count <= most)
        return count;
    for (int64_t factor = most; factor > most / 2; factor--)
        if (count % factor == 0)
            return factor;
    return most;
}

static Tile tile_of_contraction(const Kernel *kernel, const Region *box, const Target *target, bool main)
{
    const Statement *s = kernel->body;
    const Access *u = &s->rhs->arg[0]->access, *v = &s->rhs->arg[1]->access;
    Tile tile = no_tile();
    if (target->lanes > 1)
        tile.lane = choose_lane(kernel, box, target->lanes);
    for (int side = 0; side < 2; side++) {
        const Access *has = side ? v : u, *lacks = side ? u : v;
        for (int i = 0; i < output_indices(s); i++)
            if (i != tile.lane && depends_on(has, i) && !depends_on(lacks, i)
                && (tile.index[side] < 0 || box->count[i] > box->count[tile.index[side]]))
                tile.index[side] = i;
    }
    /* Eight registers: four by two, or four of one side alone. Borders do with one side. */
    bool only_one = tile.index[0] < 0 || tile.index[1] < 0 || !main;
    for (int side = 0; side < 2; side++)
        if (tile.index[side] >= 0)
            tile.factor[side] = side && !only_one ? factor_for(box->count[tile.index[side]], 2)
                                : side && tile.index[0] >= 0 ? 1 : factor_for(box->count[tile.index[side]], 4);
    return tile;
}

int64_t region_volume(const Region *r, const Statement *s)
{
    int64_t volume = !r->empty;
    for (int i = 0; i < s->nindex; i++)
        volume *= r->count[i];
    return volume;
}

/* Taps are written out where most of the work is; borders keep loops over them, so that the code stays small. */
void choose_tiles(Kernel *kernel, const Target *target)
{
    const Statement *s = kernel->body;
    int64_t largest = kernel->regions ? region_volume(kernel->regions, s) : 0;
    for (Region *r = kernel->regions; r; r = r->next) {
        bool main = region_volume(r, s) >= largest / 2;
        r->tile = no_tile();
        if (kernel->form == FORM_CONTRACTION && !r->empty)
            r->tile = tile_of_contraction(kernel, r, target, main);
        if (!main)
            continue;
        int64_t taps = 1;
        for (int i = s->nindex - 1; i >= output_indices(s); i--)
            if (i != r->tile.lane && r->count[i] < SMALL && taps * r->count[i] <= MOST_TAPS) {
                r->tile.unrolled[i] = true;
                taps *= r->count[i];
            }
    }
}
