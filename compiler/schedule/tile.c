/* tile.c: chooses how the regions of a kernel run: which index lies in lanes, and how many outputs are
 * held in registers at once.
 *
 * Lanes: an output index that steps by one element, or not at all, in every tensor, so that a vector is
 * loaded and stored as it lies; or, where that is predicted to be faster, such an index of what is summed
 * up, whose lanes are added up in the end. The factor of an index is how many of its values (along the
 * lane: vectors) are held in registers while the sum runs: each operand loaded then serves several
 * outputs. A model of the machine tries all tiles that the registers have room for and takes the one that
 * it predicts to be fastest:
 *
 *     two fused multiply-adds and two loads a cycle; a sum can take its next term after some five cycles
 *
 * which holds, closely enough to choose by, for x86-64 cores since 2013 and for the larger ARM cores. */
#include <math.h>
#include <string.h>

#include "schedule/schedule.h"

enum { MOST_TAPS = 32, MOST_UNROLLED = 400, SMALL = 8, MOST_VECTORS = 8, MOST_FACTOR = 12, MOST_PARTS = 8 };

/* of tiles over several products of a batch: each has operands of its own, so that nothing is shared, and
 * they meet in the cache; 1.2 to 1.9 measured */
static const double batch_penalty = 1.5;

/* ---- Lanes ----------------------------------------------------------------------------------- */

static bool steps_by_one_or_not(const Access *access, int index)
{
    return !depends_on(access, index)
        || (stride_of(access, index) == 1 && !access->tensor->is_int && !access->tensor->ragged);
}

static bool expr_in_vectors(const Expr *e, int lane)
{
    if (e->op == OP_LOAD)
        return steps_by_one_or_not(&e->access, lane);
    if (e->op == OP_RANDOM)
        return e->index.coefficient[lane] == 0;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (!expr_in_vectors(e->arg[i], lane))
            return false;
    return true;
}

bool in_vectors(const Statement *s, int lane)
{
    return depends_on(&s->out, lane) && stride_of(&s->out, lane) == 1 && !s->out.tensor->is_int
           && expr_in_vectors(s->rhs, lane);
}

/* What is summed up over lanes, or the same in all of them, is no vector. */
bool follower_in_vectors(const Kernel *follower, int lane)
{
    const Statement *part[] = {follower->first, follower->body};
    for (int i = 0; i < 2; i++)
        if (part[i]
            && !(depends_on(&part[i]->out, lane) ? in_vectors(part[i], lane)
                                                 : expr_in_vectors(part[i]->rhs, lane)))
            return false;
    return true;
}

static bool window_in_vectors(const Kernel *k, int lane)
{
    for (int i = 0; k->window && i < output_indices(k->window->body); i++)
        if (k->along[i] == lane)
            return k->step[lane] == 1 && in_vectors(k->window->body, i);
    return !k->window;
}

static int choose_lane(const Kernel *k, const Region *box)
{
    const Statement *s = k->body ? k->body : k->first;
    int best = -1;
    for (int i = 0; i < output_indices(s); i++) {
        bool fits = !is_picked(s, i) && in_vectors(s, i)
                 && (!k->first || !k->body || in_vectors(k->first, i));
        for (int n = 0; n < k->nthen; n++)
            fits &= in_vectors(k->then[n], i);
        for (const Kernel *f = k->followers; f; f = f->next)
            fits &= follower_in_vectors(f, i);
        fits &= window_in_vectors(k, i);
        for (int matrix = 0; fits && k->body && is_transform(s) && matrix < 2; matrix++)
            fits = i != matrix_index(s, matrix, true);
        if (fits && i != k->samples && (best < 0 || box->count[i] > box->count[best]))
            best = i;
    }
    return best;
}

/* The index that is summed up, or of which the greatest is taken, that steps by one or not in all that is
 * read, so that lanes can lie over it: -1: there is none that fills a vector. */
static int reduced_lane(const Kernel *k, const Region *box, int lanes)
{
    const Statement *s = k->body;
    int best = -1;
    if (!s || k->straight || s->store == STORE_SET || s->position || is_transform(s))
        return -1;
    for (int i = output_indices(s); i < s->nindex; i++)
        if (i != k->samples && box->count[i] >= lanes && expr_in_vectors(s->rhs, i) && rhs_depends_on(s, i)
            && (best < 0 || box->count[i] >= box->count[best]))
            best = i;
    return best;
}

/* ---- What a tile costs ----------------------------------------------------------------------- */

typedef struct Model {
    const Kernel *kernel;
    const Statement *s;
    const Region *box;
    const Target *target;
    int outputs;
    bool contraction;
    double one_sample;   /* cycles of a sample alone, as those are taken that a tile of several leaves over */
} Model;

/* How many different vectors or numbers an operand of one reduction step is, over the outputs of a tile. */
static double distinct_loads(const Model *m, const Access *access, const Tile *tile, const int64_t *held)
{
    double n = 1;
    for (int i = 0; i < m->outputs; i++)
        if (depends_on(access, i))
            n *= (double)held[i];
    /* Windows that are written out share what they read. */
    double taps = 1, reach = n;
    for (int i = m->outputs; i < m->s->nindex; i++)
        if (tile->unrolled[i]) {
            taps *= (double)m->box->count[i];
            if (depends_on(access, i))
                reach *= (double)m->box->count[i];
        }
    for (int d = 0; d < access->tensor->rank; d++) {
        double product = 1, span = 1;
        for (int i = 0; i < m->s->nindex; i++) {
            int64_t c = access->at[d].coefficient[i] < 0 ? -access->at[d].coefficient[i]
                                                         : access->at[d].coefficient[i];
            double count = i < m->outputs    ? (double)held[i]
                         : tile->unrolled[i] ? (double)m->box->count[i]
                                             : 1;
            if (c && i != tile->lane) {
                product *= count;
                span += (double)c * (count - 1);
            }
        }
        if (span < product)
            reach *= span / product;
    }
    return reach / taps;
}

/* One tile with held[] outputs along each index: cycles for all its points. */
static double tile_cycles(const Model *m, const Tile *tile, const int64_t *held)
{
    double accumulators = 1, steps = 1, unrolled = 1;
    for (int i = 0; i < m->outputs; i++)
        accumulators *= (double)held[i];
    for (int i = m->outputs; i < m->s->nindex; i++) {
        steps *= i == tile->lane ? ceil((double)m->box->count[i] / tile->width) : (double)m->box->count[i];
        if (tile->unrolled[i])
            unrolled *= (double)m->box->count[i];
    }
    const Machine *core = m->target->machine;
    double arithmetic, loads;
    if (m->contraction) {
        arithmetic = accumulators / core->products;
        loads = distinct_loads(m, &m->s->rhs->arg[0]->access, tile, held)
                + distinct_loads(m, &m->s->rhs->arg[1]->access, tile, held);
    } else {
        arithmetic = accumulators * window_cycles(m->s);
        loads = accumulators;
    }
    double ops =
        (m->contraction ? accumulators : 2 * arithmetic) + loads + 2 / (unrolled * (double)tile->parts);
    double step = arithmetic > loads / core->loads ? arithmetic : loads / core->loads;
    step = step > ops / core->issue ? step : ops / core->issue;
    step += core->load_share * loads;
    /* While one tile waits for its sums, the next ones begin, as far as the core looks ahead. */
    double ahead = 1 + core->looks_ahead / (steps * ops + 4 * accumulators * (double)tile->parts);
    double latency = core->latency / (double)tile->parts / ahead;
    if (m->s->store != STORE_SET && m->outputs < m->s->nindex && step < latency)
        step = latency;
    double loop = m->kernel->straight ? 0 : core->loop_cycles;
    double ends = 2 * accumulators * (double)tile->parts,
           then = tile->lane >= m->outputs ? core->lanes_cycles : 0;
    for (int n = 0; n < m->kernel->nthen; n++)
        then += expr_cycles(m->kernel->then[n]->rhs);
    if (m->kernel->window)
        then += held_window_cycles(m->kernel);
    bool whole = true;
    for (int i = 0; i < m->outputs; i++)
        whole &= held[i] * (i == tile->lane ? tile->width : 1) >= m->box->count[i];
    double row = m->kernel->row >= 0 ? (double)held[m->kernel->row] : 1;
    double follow = followers_cycles(m->kernel, core, tile, accumulators, row, whole);
    if (m->outputs == m->s->nindex) /* no sum: one after the other, nothing waits */
        return step + accumulators * (then + 0.5) + follow + loop;
    return steps * step + ends / 2 + accumulators * then + follow + loop + core->latency / ahead;
}

/* All tiles of a region, whole ones and the rests along each index. */
static double region_cycles(const Model *m, const Tile *tile)
{
    int64_t held[MAX_INDEX], whole[MAX_INDEX], rest[MAX_INDEX];
    int index[MAX_INDEX], n = 0;
    double others = 1, sum = 0;
    for (int i = 0; i < m->outputs; i++) {
        int64_t count =
            i == tile->lane ? (m->box->count[i] + tile->width - 1) / tile->width : m->box->count[i];
        held[i] = tile->factor[i];
        whole[i] = count / tile->factor[i];
        rest[i] = count % tile->factor[i];
        if (rest[i] && i != m->kernel->samples)
            index[n++] = i;
        else
            others *= (double)whole[i];
        if (i == m->kernel->samples)
            sum += (double)rest[i] * m->one_sample;
    }
    for (int set = 0; set < 1 << n; set++) {
        double tiles = others;
        for (int k = 0; k < n; k++) {
            bool is_rest = set >> k & 1;
            held[index[k]] = is_rest ? rest[index[k]] : tile->factor[index[k]];
            tiles *= is_rest ? 1 : (double)whole[index[k]];
        }
        if (tiles > 0)
            sum += tiles * tile_cycles(m, tile, held);
    }
    return sum;
}

/* ---- The choice ------------------------------------------------------------------------------ */

/* Taps are written out, from the innermost, while the code stays small. */
static void unroll_taps(const Model *m, Tile *tile, bool main)
{
    int64_t taps = 1, accumulators = 1;
    for (int i = 0; i < m->outputs; i++)
        accumulators *= tile->factor[i];
    memset(tile->unrolled, 0, sizeof tile->unrolled);
    for (int i = m->s->nindex - 1; i >= m->outputs && main; i--) {
        if (i == m->kernel->samples || i == tile->lane)
            continue;
        int64_t count = m->box->count[i];
        if (count > SMALL || taps * count > MOST_TAPS || taps * count * accumulators > MOST_UNROLLED)
            return;
        tile->unrolled[i] = true;
        taps *= count;
    }
}

/* The points of one round of its loops. */
static int64_t written_out(const Model *m, const Tile *tile)
{
    int64_t points = 1;
    for (int i = 0; i < m->s->nindex; i++)
        points *= i < m->outputs ? tile->factor[i] : tile->unrolled[i] ? m->box->count[i] : 1;
    return points;
}

static int innermost_loop(const Model *m, const Tile *tile)
{
    for (int i = m->s->nindex - 1; i >= m->outputs; i--)
        if (!tile->unrolled[i] && i != m->kernel->samples && i != tile->lane)
            return i;
    return -1;
}

/* Do outputs that are held read what taps that are written out have read? C compilers keep that in
 * registers, too. */
static bool shares_reads(const Model *m, const Tile *tile)
{
    for (int u = 0; u < 2; u++) {
        const Access *access = &m->s->rhs->arg[u]->access;
        for (int d = 0; d < access->tensor->rank; d++) {
            bool held = false, tap = false;
            for (int i = 0; i < m->s->nindex; i++)
                if (access->at[d].coefficient[i] && i != tile->lane)
                    *(i < m->outputs ? &held : &tap) |=
                        i < m->outputs ? tile->factor[i] > 1 : tile->unrolled[i];
            if (held && tap)
                return true;
        }
    }
    return false;
}

static bool fits_registers(const Model *m, const Tile *tile)
{
    int64_t accumulators = tile->parts, vectors = 1, rows = 1;
    for (int i = 0; i < m->outputs; i++) {
        accumulators *= tile->factor[i];
        *(i == tile->lane ? &vectors : &rows) *= tile->factor[i];
    }
    if (!m->contraction)
        return accumulators <= m->target->machine->registers / 2;
    if (shares_reads(m, tile) && 4 * accumulators > 3 * m->target->machine->registers)
        return false;
    return accumulators + (rows > 1 ? vectors : 0) + (m->target->machine->registers > 16 ? 2 : 1)
        <= m->target->machine->registers;
}

/* Is it the tile that --tile asks for? */
static bool is_wanted(const Model *m, const Tile *tile)
{
    int64_t rows = 1;
    for (int i = 0; i < m->outputs; i++)
        if (i != tile->lane)
            rows *= tile->factor[i];
    return !m->target->options->tile_rows || !m->contraction
        || (rows == m->target->options->tile_rows
            && (tile->lane < 0 || tile->factor[tile->lane] == m->target->options->tile_vectors));
}

static bool holds_batch(const Model *m, const Tile *tile)
{
    for (int i = 0; i < m->outputs; i++)
        if (i != tile->lane && tile->factor[i] > 1 && is_batch(m->s, i))
            return true;
    return false;
}

/* Do the tiles hold whole rows? */
static bool holds_rows(const Model *m, const Tile *tile)
{
    int row = m->kernel->row;
    return row < 0 || tile->factor[row] * (row == tile->lane ? tile->width : 1) >= m->box->count[row];
}

/* Do the tiles hold whole windows? */
static bool holds_windows(const Model *m, const Tile *tile)
{
    for (int i = 0; m->kernel->window && i < m->outputs; i++)
        if (tile->factor[i] % m->kernel->step[i])
            return false;
    return true;
}

/* ---- Transforms ------------------------------------------------------------------------------
 *
 * All that is summed for a vector of channels is loaded, multiplied by one matrix and by the other, and
 * stored: one body of straight-line code, in which additions of zero don't occur and multiplications by
 * one cost nothing. */

/* Vector additions for one row of the operand. */
static double matrix_operations(const Statement *s, int matrix)
{
    const Tensor *m = s->rhs->arg[0]->arg[matrix]->access.tensor;
    double entries = 0;
    for (int64_t i = 0; i < m->count; i++)
        entries += m->data[i] != 0;
    return 0.75 * (entries - (double)s->extent[matrix_index(s, matrix, true)]);
}

static Tile transform_tile(const Kernel *k, const Region *box, const Target *target, int lane)
{
    const Statement *s = k->body;
    Tile tile = no_tile();
    tile.lane = lane;
    tile.width = lane >= 0 ? target->lanes : 1;
    double times = 1, in = 1, out = 1, then = k->first && k->first->rhs->op == OP_CONSTANT ? 0 : 0.5;
    for (int i = 0; i < s->nindex; i++)
        times *= i == lane ? (double)((box->count[i] + tile.width - 1) / tile.width) : (double)box->count[i];
    for (int matrix = 0; matrix < 2; matrix++) {
        int to = matrix_index(s, matrix, true), from = matrix_index(s, matrix, false);
        tile.factor[to] = box->count[to];
        tile.unrolled[from] = true;
        out *= (double)box->count[to];
        in *= (double)box->count[from];
    }
    int rows = matrix_index(s, 0, true), columns = matrix_index(s, 1, false);
    double between = (double)(box->count[rows] * box->count[columns]);
    double operations = matrix_operations(s, 0) * (double)box->count[columns]
                      + matrix_operations(s, 1) * (double)box->count[rows];
    for (int n = 0; n < k->nthen; n++)
        then += expr_cycles(k->then[n]->rhs);
    if (k->window)
        then += held_window_cycles(k);
    then += followers_cycles(k, target->machine, &tile, out, 1, times == in * out) / out;
    tile.cycles = times / in / out * (0.5 * operations + 0.5 * in + 0.5 * between + out * (1 + then) + 4);
    return tile;
}

static void consider(const Model *m, Tile *best, Tile *tile, bool main)
{
    if (!holds_windows(m, tile) || !holds_rows(m, tile))
        return;
    unroll_taps(m, tile, main);
    int loop = innermost_loop(m, tile);
    for (int64_t parts = 1; parts <= MOST_PARTS; parts *= 2) {
        tile->parts = parts;
        tile->parted = parts > 1 ? loop : -1;
        if (parts > 1 && (loop < 0 || m->s->store != STORE_ADD || m->box->count[loop] < 2 * parts
                          || parts * written_out(m, tile) > MOST_UNROLLED))
            break;
        if (!fits_registers(m, tile))
            break;
        tile->cycles = region_cycles(m, tile) * (is_wanted(m, tile) ? 1 : 1e6)
                     * (holds_batch(m, tile) ? batch_penalty : 1);
        if (tile->cycles < 0.98 * best->cycles)
            *best = *tile;
    }
    tile->parts = 1;
    tile->parted = -1;
}

static int64_t most_factor(const Model *m, const Tile *tile, int i, int64_t most)
{
    int64_t count = m->box->count[i];
    if (i == tile->lane) {
        count = (count + tile->width - 1) / tile->width;
        most = most < MOST_VECTORS ? most : MOST_VECTORS;
    }
    return count < most ? count : most;
}

/* Tries all factors of the lane and of up to two other output indices. */
static Tile best_tile_in(const Model *m, int lane, bool main)
{
    Tile tile = no_tile();
    tile.lane = lane;
    tile.width = lane >= 0 ? m->target->lanes : 1;
    if (lane < 0 && m->outputs)
        tile.lane = -1;
    int64_t least[MAX_INDEX];
    for (int i = 0; m->kernel->window && i < m->outputs; i++)
        tile.factor[i] = m->kernel->step[i];
    memcpy(least, tile.factor, sizeof least);
    Tile best = tile;
    best.cycles = INFINITY;
    consider(m, &best, &tile, main);
    if (turn_in_lines(m->kernel, m->box, m->target, &best))
        best.cycles = region_cycles(m, &best);
    if (!m->contraction && !(m->s->store == STORE_ADD && m->outputs < m->s->nindex))
        return best;
    int64_t most = m->contraction ? MOST_FACTOR : 4;
    bool output = lane >= 0 && lane < m->outputs;
    for (int64_t v = 1; output ? v <= most_factor(m, &tile, lane, most) : v == 1; v++) {
        if (output)
            tile.factor[lane] = v;
        consider(m, &best, &tile, main);
        for (int i = 0; m->contraction && i < m->outputs; i++) {
            if (i == lane)
                continue;
            for (int64_t f = least[i] + 1; f <= most_factor(m, &tile, i, most); f++) {
                tile.factor[i] = f;
                consider(m, &best, &tile, main);
                for (int k = i + 1; k < m->outputs; k++) {
                    if (k == lane)
                        continue;
                    for (int64_t g = least[k] + 1;
                         g <= most_factor(m, &tile, k, most) && f * g * v < m->target->machine->registers;
                         g++) {
                        tile.factor[k] = g;
                        consider(m, &best, &tile, main);
                    }
                    tile.factor[k] = least[k];
                }
            }
            tile.factor[i] = least[i];
        }
    }
    return best;
}

/* In lanes over outputs, or over what is summed up. */
static Tile search_tile(const Model *m, int lane, bool main)
{
    Tile best = best_tile_in(m, lane, main);
    int across = m->target->lanes > 1 ? reduced_lane(m->kernel, m->box, m->target->lanes) : -1;
    if (across < 0)
        return best;
    Tile other = best_tile_in(m, across, main);
    return other.cycles < best.cycles ? other : best;
}

/* ---- What was chosen before ------------------------------------------------------------------
 *
 * Equal layers ask for the same tiles, and a kernel is asked about several times while the plan is made. A
 * contraction's tile follows from the numbers of its key. */

enum { CHOSEN_BUCKETS = 256, KEY_NUMBERS = 16 + 2 * MAX_INDEX + 3 * (4 + MAX_RANK * (2 + MAX_INDEX)) };

typedef struct Chosen {
    int64_t key[KEY_NUMBERS];
    Tile tile;
    struct Chosen *next;
} Chosen;

struct Chosen **no_tiles_chosen(void)
{
    return NEW_ARRAY(Chosen *, CHOSEN_BUCKETS);
}

static int64_t *note_access(int64_t *key, const Access *access, const Statement *s)
{
    const Tensor *t = access->tensor;
    *key++ = t->rank;
    *key++ = t->role;
    *key++ = t->is_int;
    *key++ = t->ragged;
    for (int d = 0; d < t->rank; d++) {
        *key++ = t->room[d];
        for (int i = 0; i < s->nindex; i++)
            *key++ = access->at[d].coefficient[i];
    }
    return key;
}

/* All that the search asks of a contraction without followers or windows. */
static void make_key(int64_t *key, const Model *m, int lane, bool main)
{
    const Kernel *k = m->kernel;
    const int64_t numbers[] = {lane,
                               main,
                               k->straight,
                               k->samples,
                               k->row,
                               m->outputs,
                               m->s->nindex,
                               m->target->lanes,
                               m->target->machine->registers,
                               m->target->options->tile_rows,
                               m->target->options->tile_vectors,
                               k->nthen};
    double then = 0;
    for (int n = 0; n < k->nthen; n++)
        then += expr_cycles(k->then[n]->rhs);
    memcpy(key, numbers, sizeof numbers);
    key += sizeof numbers / sizeof *numbers;
    memcpy(key++, &then, sizeof then);
    for (int i = 0; i < m->s->nindex; i++)
        *key++ = m->box->count[i];
    key = note_access(key, &m->s->out, m->s);
    for (int u = 0; u < 2; u++)
        key = note_access(key, &m->s->rhs->arg[u]->access, m->s);
}

static Tile best_tile(const Model *m, int lane, bool main)
{
    if (!m->target->chosen || !m->contraction || m->kernel->followers || m->kernel->window)
        return search_tile(m, lane, main);
    int64_t key[KEY_NUMBERS] = {0};
    make_key(key, m, lane, main);
    uint64_t hash = 0;
    for (int i = 0; i < KEY_NUMBERS; i++)
        hash = hash * 31 + (uint64_t)key[i];
    Chosen **bucket = &m->target->chosen[(hash ^ hash >> 32) % CHOSEN_BUCKETS];
    for (const Chosen *before = *bucket; before; before = before->next)
        if (!memcmp(before->key, key, sizeof key))
            return before->tile;
    Tile tile = search_tile(m, lane, main);
    begin_lasting();
    Chosen *chosen = NEW(Chosen);
    end_lasting();
    *chosen = (Chosen){.tile = tile, .next = *bucket};
    memcpy(chosen->key, key, sizeof key);
    *bucket = chosen;
    return chosen->tile;
}

/* The sum over the outermost index is taken block by block where its operands don't stay in L1 from one
 * tile of outputs to the next. */
static void choose_block(const Model *m, Tile *tile)
{
    int i = m->outputs;
    if (!m->contraction || i == m->s->nindex || m->kernel->first || tile->unrolled[i] || i == tile->parted
        || i == tile->lane || i == m->kernel->samples)
        return;
    int64_t bytes = 0, tiles = 1;
    for (int u = 0; u < 2; u++) {
        const Access *access = &m->s->rhs->arg[u]->access;
        int64_t touched = 4;
        for (int d = 0; d < access->tensor->rank; d++) {
            int64_t span = 1;
            for (int k = 0; k < m->s->nindex; k++)
                if (k != i && !is_batch(m->s, k))
                    span += (access->at[d].coefficient[k] < 0 ? -1 : 1) * access->at[d].coefficient[k]
                          * (m->box->count[k] - 1);
            touched *= span;
        }
        bytes += touched;
    }
    for (int k = 0; k < m->outputs; k++)
        if (!is_batch(m->s, k))
            tiles *= (m->box->count[k] + tile->factor[k] - 1) / tile->factor[k];
    int64_t count = m->box->count[i], block = m->target->machine->operand_bytes / (bytes + 1);
    if (tiles < 3 || block >= count)
        return;
    block = block < 1 ? 1 : block;
    for (int64_t b = block; b > block / 2; b--)
        if (count % b == 0) {
            block = b;
            break;
        }
    tile->blocked = i;
    tile->block = block;
}

void choose_tiles(Kernel *k, const Target *target)
{
    const Statement *s = k->body ? k->body : k->first;
    int64_t largest = 0;
    for (const Region *r = k->regions; r; r = r->next)
        if (region_volume(r, s) > largest)
            largest = region_volume(r, s);
    k->cycles = 0;
    for (Region *r = k->regions; r; r = r->next) {
        r->tile = r->rest = no_tile();
        if (r->empty)
            continue;
        Model m = {k, s, r, target, output_indices(s), k->body && is_contraction(k->body), 0};
        bool main = 4 * region_volume(r, s) >= largest && !k->compact;
        int lane = target->lanes > 1 ? choose_lane(k, r) : -1;
        if (k->body && is_transform(s)) {
            r->tile = transform_tile(k, r, target, lane);
            if (!holds_rows(&m, &r->tile))
                r->tile.cycles = INFINITY;
            k->cycles += r->tile.cycles;
            continue;
        }
        if (picked_index(s) >= 0) { /* each is loaded twice and stored once */
            r->tile.lane = lane;
            r->tile.width = lane >= 0 ? target->lanes : 1;
            r->tile.cycles = 2 * (double)(region_volume(r, s) / s->extent[picked_index(s)]) / r->tile.width;
            k->cycles += r->tile.cycles;
            continue;
        }
        if (takes_samples_in(s) || adds_up_lanes(s)) {
            r->tile.cycles = target->machine->lanes_cycles * (double)region_volume(r, s) / target->lanes;
            k->cycles += r->tile.cycles;
            continue;
        }
        Tile alone = no_tile();
        if (k->samples >= 0 && k->samples < m.outputs && r->count[k->samples] > 1) {
            Region one = *r;
            one.count[k->samples] = 1;
            m.box = &one;
            alone = best_tile(&m, lane, main);
            m = (Model){k, s, r, target, m.outputs, m.contraction, alone.cycles};
        }
        r->tile = best_tile(&m, lane, main);
        k->cycles += r->tile.cycles;
        if (m.one_sample > 0 && r->tile.factor[k->samples] > 1)
            r->rest = alone;
        else
            choose_block(&m, &r->tile);
    }
}

double text_of_tiles(const Kernel *k)
{
    static const double bytes_a_region = 400, bytes_a_point = 50;
    const Statement *s = statement_of(k);
    double bytes = 0;
    for (const Region *r = k->regions; r; r = r->next) {
        double points = r->empty ? 0 : (double)r->tile.parts;
        for (int i = 0; i < s->nindex && !is_transform(s); i++) {
            const int64_t factor = r->tile.factor[i],
                          count = r->tile.lane == i ? r->count[i] / r->tile.width : r->count[i];
            bool rest = count > factor && count % factor; /* a tile of its own at the end */
            bool part = r->tile.lane == i && count && r->count[i] % r->tile.width; /* a vector in part, too */
            points *= (r->tile.unrolled[i] ? (double)r->count[i] : (double)factor)
                    * (part ? 2 : rest ? 1.5 : 1);
        }
        bytes += bytes_a_region + bytes_a_point * points;
    }
    return bytes;
}

/* What each output costs where regions add to it in memory: its first value, and what could have followed
 * in a register. */
static const double apart_cycles = 2;

Region *best_split(const Statement *s, const Target *target, bool *partition, double *cycles)
{
    Region *best = NULL, *regions;
    bool parts;
    for (unsigned exchange = 0; split_regions(s, target->lanes, exchange, &regions, &parts); exchange++) {
        int n = 0;
        for (const Region *r = regions; r; r = r->next)
            n++;
        if (!regions || n > MOST_REGIONS || (!parts && s->store != STORE_ADD))
            continue;
        Kernel k = {.body = (Statement *)s, .regions = regions, .samples = -1, .row = -1};
        choose_tiles(&k, target);
        if (!parts) {
            double outputs = 1;
            for (int i = 0; i < output_indices(s); i++)
                outputs *= (double)s->extent[i];
            k.cycles += apart_cycles * outputs / target->lanes;
        }
        if (!best || k.cycles < 0.95 * *cycles) {
            best = regions;
            *partition = parts;
            *cycles = k.cycles;
        }
    }
    return best;
}
