/* order.c: in which order the loops around a tile run.
 *
 * Each tile of outputs reads what it sums up from one end to the other. Which loop runs innermost decides
 * what stays in the near caches from one tile to the next. 32 samples of `fc 1024->1024`, the gradient of
 * the input, in tiles of 2 samples x 5 inputs:
 *
 *     before:   for s<32 by 2  for i<1024 by 5     reads all weights, 4 MB, for each two samples
 *     after:    for i<1024 by 5  for s<32 by 2     reads them once: 5 rows stay in L1 for all samples
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

enum { OPERANDS = 3, MOST_LOOPS = 6 };

typedef struct Loops {   /* around a tile, the outermost first */
    const Statement *s;
    const Machine *core;
    const Access *access[OPERANDS];
    double times[OPERANDS];    /* that each is moved: what is read and written twice */
    int64_t tile[MAX_INDEX];   /* how many values of each index a tile takes */
    int64_t count[MAX_INDEX];
    int index[MOST_LOOPS], n;
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

/* From beyond a cache: how many of the loops, the outermost first, run outside of what it holds; values:
 * those that each index has within. */
static int loops_outside(const Loops *l, int64_t cache, int64_t values[MAX_INDEX])
{
    memcpy(values, l->tile, sizeof l->tile);
    for (int outside = l->n; outside > 0; outside--) {
        const int i = l->index[outside - 1];
        const int64_t before = values[i];
        double room = 0;
        values[i] = l->count[i];
        for (int u = 0; u < OPERANDS; u++)
            room += room_in_cache(l, l->access[u], values, cache);
        if (room > (double)cache) {
            values[i] = before;
            return outside;
        }
    }
    return 0;
}

/* Cycles of what comes from beyond a cache. */
static double moving_cycles(const Loops *l, int64_t cache, double pace, double run_cost)
{
    int64_t values[MAX_INDEX];
    const int outside = loops_outside(l, cache, values);
    double cycles = 0;
    for (int u = 0; u < OPERANDS; u++) {
        double run, bytes = bytes_of(l->access[u], l->s->nindex, values, &run), times = l->times[u];
        bool stays = true, first = true;
        for (int loop = outside - 1; loop >= 0; loop--) {
            stays = stays && !depends_on(l->access[u], l->index[loop]);
            times *= stays ? 1 : rounds(l, loop);
            if (!stays && first) { /* the loop that takes it to its next bytes: do they lie behind? */
                int64_t more[MAX_INDEX];
                memcpy(more, values, sizeof more);
                more[l->index[loop]] = l->count[l->index[loop]];
                bytes_of(l->access[u], l->s->nindex, more, &run);
                bytes = bytes < (double)l->core->line ? (double)l->core->line : bytes;
                first = false;
            }
        }
        const double line = (double)l->core->line;
        run = run < line ? line : run;
        cycles += times * bytes * (1 / pace + run_cost / run);
    }
    return cycles;
}

static double order_cycles(const Loops *l)
{
    return moving_cycles(l, l->core->first_cache, l->core->second_pace, 0)
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

/* Tries the orders of the loops from `from` on. */
static void permute(Loops *l, int from, double *least, Loops *best)
{
    if (from == l->n) {
        const double cycles = order_cycles(l);
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
        permute(&other, from + 1, least, best);
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

/* Of one tile; `samples`: as many of them, where they are an index of the outputs. */
static void order_tile(const Kernel *k, const Region *box, Tile *tile, int64_t samples, const Target *target)
{
    const Statement *s = k->body;
    const int outputs = output_indices(s);
    Loops l = {s, target->machine, {&s->out, &s->rhs->arg[0]->access, &s->rhs->arg[1]->access},
               .times = {k->first ? 1 : 2, 1, 1}};
    int order[MAX_INDEX], n = loops_in_order(k, tile, order), batches = 0;
    for (int i = 0; i < s->nindex; i++) {
        l.count[i] = i == k->samples && i < outputs ? samples : box->count[i];
        l.tile[i] = i >= outputs ? (i == tile->blocked ? tile->block : l.count[i])
                                 : tile->factor[i] * (i == tile->lane ? tile->width : 1);
        l.tile[i] = l.tile[i] < l.count[i] ? l.tile[i] : l.count[i];
    }
    for (int i = 0; i < n; i++) {
        const bool batch = is_batch(s, order[i]);
        batches += batch;
        if (batch || l.tile[order[i]] == l.count[order[i]])
            continue;
        if (l.n == MOST_LOOPS)
            return;
        l.index[l.n++] = order[i];
    }
    if (l.n < 2 || batches || is_near(&l))
        return;
    Loops best = l;
    const double as_it_is = order_cycles(&l);
    double least = as_it_is;
    permute(&l, 0, &least, &best);
    if (least > least_share * as_it_is || as_it_is - least < least_gain * tile->cycles)
        return;
    int m = 0;
    for (int i = 0; i < n; i++) /* loops of one round stand outside */
        if (l.tile[order[i]] == l.count[order[i]])
            tile->order[m++] = order[i];
    memcpy(tile->order + m, best.index, (size_t)best.n * sizeof *best.index);
    tile->ordered = true;
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
        order_tile(k, r, &r->tile, together ? s->extent[k->samples] : 1, target);
        if (together && r->tile.factor[k->samples] > 1)
            order_tile(k, r, &r->rest, r->tile.factor[k->samples] - 1, target);
    }
}
