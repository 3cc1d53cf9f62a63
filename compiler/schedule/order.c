/* order.c: in which order the loops around a tile run.
 *
 * Each tile of outputs reads what it sums up from one end to the other. Which loop runs innermost decides
 * what stays in the near caches from one tile to the next. 32 samples of `fc 1024->1024`, the gradient of
 * the input, in tiles of 2 samples x 5 inputs:
 *
 *     before:   for s<32 by 2  for i<1024 by 5     reads all weights, 4 MB, for each two samples
 *     after:    for i<1024 by 5  for s<32 by 2     reads them once: 5 rows stay in L1 for all samples
 *
 * And a sum that is in memory already can be taken in blocks, so that what a block reads stays near, or is
 * read row by row as it lies: of one sample all outputs for the first rows of weights, then for the next.
 *
 * What an order costs is what it moves: for each of the two nearest caches, the loops that are inside of
 * the first one with which all that is touched no longer fits; each operand is read again by every loop
 * outside of them, but for the next ones, where they leave it as it is. Rows at a step that few sets of a
 * cache hold take more of its room than they have bytes. Where nothing is clearly better the order stays as
 * it is: along the lanes first, so that a slice of weights stays near, then the outputs in their order. */
#include <string.h>

#include "schedule/schedule.h"

/* Another order must save a fifth of what is moved, and a twentieth of the nest's cycles. */
static const double least_share = 0.8, least_gain = 0.05;

/* to begin a run of bytes that does not go on where the one before it ended, beyond the second cache: the
 * prefetcher does not know it, and it often lies in another page */
static const double run_cycles = 30;

/* of operands that are so many times as large as that cache: the pages of smaller ones are all known */
static const double far_bytes = 2;

/* So many runs side by side the prefetcher goes on with as if each were alone; of so many, which is what the
 * first table of pages knows, it fetches each for a while. Measured: one sample of 4096 -> 4096 takes 5.0
 * ms in blocks of 4 or 8 rows, 6.2 of 16, 9.8 of 32, 10 in no blocks; 32 samples of 64 rows no longer than
 * of 32. */
static const double few_runs = 8, most_runs = 64, lines_for_a_while = 8;

/* Pages, in the table that costs nothing to ask, and cycles to ask the next one: data sheets say 64 and 7,
 * most of which pass while products are computed. */
static const double page_bytes = 4096, known_pages = 64, find_page = 3;

/* LEAST_BLOCK: a sum goes on for so many points at least before it is put into memory */
enum { OPERANDS = 3, MOST_LOOPS = 6, LEAST_BLOCK = 4 };

typedef struct Loops {   /* around a tile, the outermost first */
    const Statement *s;
    const Machine *core;
    const Access *access[OPERANDS];
    double times[OPERANDS];    /* that each is moved: what is read and written twice */
    int64_t tile[MAX_INDEX];   /* how many values of each index a tile takes */
    int64_t count[MAX_INDEX];
    int index[MOST_LOOPS], n;
    int fixed;                 /* so many of them stay outermost: that over blocks of a sum */
} Loops;

/* ---- What some of the loops touch ------------------------------------------------------------ */

/* Bytes of an access to which the indices give so many values; *run: those that lie side by side. */
static double bytes_of(const Access *access, int nindex, const int64_t *values, double *run)
{
    const Tensor *t = access->tensor;
    double rows = 1;
    int64_t side = 1;
    bool together = true;
    for (int d = t->rank - 1; d >= 0; d--) {
        int64_t span = 1;
        for (int i = 0; i < nindex; i++) {
            const int64_t c = access->at[d].coefficient[i];
            span += (c < 0 ? -c : c) * (values[i] - 1);
        }
        span = span < t->room[d] ? span : t->room[d];
        if (together)
            side *= span;
        else
            rows *= (double)span;
        together = together && span >= t->dim[d];
    }
    *run = (double)side * (double)sizeof(float);
    return rows * *run;
}

/* The least step, in bytes, from one row of an access to the next; 0: there is but one. */
static int64_t row_step(const Access *access, int nindex, const int64_t *values, double run)
{
    int64_t least = 0;
    for (int i = 0; i < nindex; i++) {
        int64_t step = stride_of(access, i) * (int64_t)sizeof(float);
        step = step < 0 ? -step : step;
        if (values[i] > 1 && (double)step >= run && step && (!least || step < least))
            least = step;
    }
    return least;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* The room that so many bytes take in a cache: where their rows meet in few of its sets, as much as fills
 * those. */
static double room_in_cache(const Loops *l, const Access *access, const int64_t *values, int64_t cache)
{
    const double line = (double)l->core->line;
    double run, bytes = bytes_of(access, l->s->nindex, values, &run);
    const int64_t step = row_step(access, l->s->nindex, values, run), way = cache / l->core->ways;
    const double rows = bytes / run, lines = run < line ? 1 : run / line;
    if (!step)
        return rows * lines * line;
    double places = (double)(way / common_divisor(step, way)), sets = (double)way / line;
    double used = (places < rows ? places : rows) * lines;
    used = used < sets ? used : sets;
    double ways = rows * lines / used;
    return ways > (double)l->core->ways / 2 ? ways * sets * line : rows * lines * line;
}

/* ---- What an order moves --------------------------------------------------------------------- */

static double rounds(const Loops *l, int loop)
{
    const int i = l->index[loop];
    return (double)((l->count[i] + l->tile[i] - 1) / l->tile[i]);
}

/* The pages that an access touches. */
static double pages_of(const Loops *l, const Access *access, const int64_t *values)
{
    double run, bytes = bytes_of(access, l->s->nindex, values, &run), rows = bytes / run;
    const double step = (double)row_step(access, l->s->nindex, values, run);
    const double each = step < page_bytes ? step : page_bytes;
    return 1 + (rows - 1) * each / page_bytes + (run - 1) / page_bytes;
}

/* From beyond a cache, or 0: the table of pages. How many of the loops, the outermost first, run outside of
 * what it holds; values: those that each index has within. */
static int loops_outside(const Loops *l, int64_t cache, int64_t values[MAX_INDEX])
{
    memcpy(values, l->tile, sizeof l->tile);
    for (int outside = l->n; outside > 0; outside--) {
        const int i = l->index[outside - 1];
        const int64_t before = values[i];
        double room = 0;
        values[i] = l->count[i];
        for (int u = 0; u < OPERANDS; u++)
            room += cache ? room_in_cache(l, l->access[u], values, cache) : pages_of(l, l->access[u], values);
        if (room > (cache ? (double)cache : known_pages)) {
            values[i] = before;
            return outside;
        }
    }
    return 0;
}

/* The bytes that lie side by side where an operand is read: those of a tile's rows, or more where the next
 * tile goes on along them, and they are few enough to go on with. */
static double run_of(const Loops *l, const Access *access)
{
    const double line = (double)l->core->line;
    double run, longer, runs = bytes_of(access, l->s->nindex, l->tile, &run) / run;
    int64_t values[MAX_INDEX];
    int next = l->n - 1;
    while (next >= 0 && !depends_on(access, l->index[next]))
        next--;
    memcpy(values, l->tile, sizeof values);
    if (next >= 0 && runs <= most_runs) {
        values[l->index[next]] = l->count[l->index[next]];
        bytes_of(access, l->s->nindex, values, &longer);
        if (runs > few_runs && longer > lines_for_a_while * line)
            longer = lines_for_a_while * line;
        run = longer > run ? longer : run;
    }
    return run < line ? line : run;
}

/* Cycles of what comes from beyond a cache. */
static double moving_cycles(const Loops *l, int64_t cache, double pace, double run_cost)
{
    int64_t values[MAX_INDEX];
    const int outside = loops_outside(l, cache, values);
    double cycles = 0;
    for (int u = 0; u < OPERANDS; u++) {
        double run, bytes = bytes_of(l->access[u], l->s->nindex, values, &run), times = l->times[u];
        bool stays = true;
        for (int loop = outside - 1; loop >= 0; loop--) {
            stays = stays && !depends_on(l->access[u], l->index[loop]);
            times *= stays ? 1 : rounds(l, loop);
        }
        if (run < (double)l->core->line)
            bytes *= (double)l->core->line / run;
        const bool far = bytes_of(l->access[u], l->s->nindex, l->count, &run) > far_bytes * (double)cache;
        cycles += times * bytes * (1 / pace + (far ? run_cost / run_of(l, l->access[u]) : 0));
    }
    return cycles;
}

/* Cycles to find pages that the nearest table of them no longer knows. */
static double page_cycles(const Loops *l)
{
    int64_t values[MAX_INDEX];
    const int outside = loops_outside(l, 0, values);
    double cycles = 0;
    for (int u = 0; u < OPERANDS; u++) {
        double times = find_page;
        bool stays = true;
        for (int loop = outside - 1; loop >= 0; loop--) {
            stays = stays && !depends_on(l->access[u], l->index[loop]);
            times *= stays ? 1 : rounds(l, loop);
        }
        cycles += times * pages_of(l, l->access[u], values);
    }
    return cycles;
}

static double order_cycles(const Loops *l)
{
    return page_cycles(l) + moving_cycles(l, l->core->first_cache, l->core->second_pace, 0)
         + moving_cycles(l, l->core->second_cache, l->core->far_pace, run_cycles);
}

/* ---- The choice ------------------------------------------------------------------------------ */

int loops_in_order(const Kernel *k, const Tile *tile, int order[MAX_INDEX])
{
    const Statement *s = statement_of(k);
    int outputs = output_indices(s), lane = tile->lane, n = 0;
    if (tile->ordered) {
        memcpy(order, tile->order, sizeof tile->order);
        return outputs;
    }
    bool lane_first = k->body && is_contraction(k->body) && lane >= 0 && lane < outputs;
    for (int i = 0; i < outputs && lane_first; i++)
        if (i != lane && is_batch(k->body, i))
            order[n++] = i;
    if (lane_first)
        order[n++] = lane;
    for (int i = 0; i < outputs; i++)
        if (!lane_first || (i != lane && !is_batch(k->body, i)))
            order[n++] = i;
    return n;
}

/* What it takes to begin and to end with sums in memory, for each tile of each block. */
static double sums_cycles(const Loops *l, const Tile *tile)
{
    double tiles = 1, vectors = 1;
    for (int i = 0; i < output_indices(l->s); i++)
        vectors *= (double)tile->factor[i];
    for (int loop = 0; loop < l->n; loop++)
        tiles *= rounds(l, loop);
    return tiles * (vectors + l->core->latency + l->core->loop_cycles);
}

static double loops_cycles(const Loops *l, const Tile *tile)
{
    return order_cycles(l) + sums_cycles(l, tile);
}

/* Tries the orders of the loops from `from` on. */
static void permute(Loops *l, const Tile *tile, int from, double *least, Loops *best)
{
    if (from == l->n) {
        const double cycles = loops_cycles(l, tile);
        if (cycles < 0.999 * *least) {
            *least = cycles;
            *best = *l;
        }
        return;
    }
    for (int i = from; i < l->n; i++) {
        Loops other = *l;
        memmove(other.index + from + 1, other.index + from, (size_t)(i - from) * sizeof *other.index);
        other.index[from] = l->index[i];
        permute(&other, tile, from + 1, least, best);
    }
}

/* Does all of it fit the second cache? */
static bool is_near(const Loops *l)
{
    double room = 0;
    for (int u = 0; u < OPERANDS; u++)
        room += room_in_cache(l, l->access[u], l->count, l->core->second_cache);
    return room <= (double)l->core->second_cache;
}

/* The loops around a tile as it is; false where they are to stay so. */
static bool find_loops(Loops *l, const Kernel *k, const Region *box, const Tile *tile, int64_t samples)
{
    const int outputs = output_indices(l->s);
    int order[MAX_INDEX], n = loops_in_order(k, tile, order);
    for (int i = 0; i < l->s->nindex; i++) {
        l->count[i] = i == k->samples && i < outputs ? samples : box->count[i];
        l->tile[i] = i >= outputs ? (i == tile->blocked ? tile->block : l->count[i])
                                  : tile->factor[i] * (i == tile->lane ? tile->width : 1);
        l->tile[i] = l->tile[i] < l->count[i] ? l->tile[i] : l->count[i];
    }
    l->n = l->fixed = tile->blocked >= 0;
    l->index[0] = tile->blocked;
    for (int i = 0; i < n; i++) {
        if (is_batch(l->s, order[i]) || l->n == MOST_LOOPS)
            return false;
        if (l->tile[order[i]] < l->count[order[i]])
            l->index[l->n++] = order[i];
    }
    return !is_near(l);
}

/* The sum without blocks, and in blocks of each number of points that divides those of an index. */
static void try_blocks(const Loops *l, const Kernel *k, const Tile *tile, double *least, Loops *best)
{
    Loops whole = *l;
    if (l->fixed) {
        whole.fixed = 0;
        whole.tile[l->index[0]] = l->count[l->index[0]];
        memmove(whole.index, whole.index + 1, (size_t)--whole.n * sizeof *whole.index);
        permute(&whole, tile, 0, least, best);
    }
    for (int i = output_indices(l->s); i < l->s->nindex && whole.n < MOST_LOOPS; i++)
        for (int64_t block = l->count[i] / 2; block >= LEAST_BLOCK; block--) {
            if (i == k->samples || i == tile->lane || tile->unrolled[i] || l->count[i] % block)
                continue;
            Loops blocks = whole;
            memmove(blocks.index + 1, blocks.index, (size_t)blocks.n++ * sizeof *blocks.index);
            blocks.index[0] = i;
            blocks.fixed = 1;
            blocks.tile[i] = block;
            permute(&blocks, tile, 1, least, best);
        }
}

/* Is the sum in memory from the beginning, and nothing done with it in its register? */
static bool sums_in_memory(const Kernel *k)
{
    return !k->first && !k->nthen && !k->followers && k->body->store == STORE_ADD;
}

/* Of one tile; `samples`: as many of them, where they are an index of the outputs. */
static void order_tile(const Kernel *k, const Region *box, Tile *tile, int64_t samples, bool blocks,
                       const Target *target)
{
    const Statement *s = k->body;
    Loops l = {.s = s, .core = target->machine, .times = {k->first ? 1 : 2, 1, 1},
               .access = {&s->out, &s->rhs->arg[0]->access, &s->rhs->arg[1]->access}};
    if (!find_loops(&l, k, box, tile, samples))
        return;
    Loops best = l;
    const double as_it_is = loops_cycles(&l, tile);
    double least = as_it_is;
    permute(&l, tile, l.fixed, &least, &best);
    if (blocks && sums_in_memory(k))
        try_blocks(&l, k, tile, &least, &best);
    if (least > least_share * as_it_is || as_it_is - least < least_gain * tile->cycles)
        return;
    int order[MAX_INDEX], n = loops_in_order(k, tile, order), m = 0;
    for (int i = 0; i < n; i++) /* loops of one round stand outside */
        if (l.tile[order[i]] == l.count[order[i]])
            tile->order[m++] = order[i];
    for (int loop = best.fixed; loop < best.n; loop++)
        tile->order[m++] = best.index[loop];
    tile->ordered = true;
    const bool fresh = best.fixed && (!l.fixed || l.index[0] != best.index[0]);
    tile->blocked = best.fixed ? best.index[0] : -1;
    tile->block = best.fixed ? best.tile[best.index[0]] : 0;
    if (fresh) {
        tile->parted = -1;
        tile->parts = 1;
    }
}

void choose_order(Kernel *k, const Target *target)
{
    const Statement *s = k->body;
    if (!s || !is_contraction(s) || k->straight || k->window)
        return;
    const bool together = k->samples >= 0 && k->samples < output_indices(s);
    for (Region *r = k->regions; r; r = r->next) {
        if (r->empty)
            continue;
        order_tile(k, r, &r->tile, together ? s->extent[k->samples] : 1, true, target);
        if (!together || r->tile.factor[k->samples] == 1)
            continue;
        /* most often it is one, by which blocks are chosen, but the order serves several */
        order_tile(k, r, &r->rest, 1, true, target);
        order_tile(k, r, &r->rest, r->tile.factor[k->samples] - 1, false, target);
    }
}
