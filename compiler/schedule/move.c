/* move.c: the tiles of a move that turns an array, as from C, H, W to H, W, C.
 *
 * What is read runs along another index than what is written, so that nothing lies in lanes. A tile holds
 * a line of what is read, which is then read once, and not for each of its elements again:
 *
 *     before:   for y<32 x<32 c<32:      out[y, x, c] = in[c, y, x]
 *     after:    for y<32 x<32/16 c<32:   out[y, x, c] = in[c, y, x] ... out[y, x + 15, c] = in[c, y, x + 15]
 *
 * Where what is written lies far apart, it holds half a line: lines at the same place of pages put each
 * other out of the nearest cache. 32x32x32 take 18 us so, 100 us element by element. Where a sum over a row
 * follows the move (follow.c), a tile has to hold that row, and not a line. */
#include "schedule/schedule.h"

bool turn_in_lines(const Kernel *k, const Region *box, const Target *target, Tile *tile)
{
    const Statement *s = k->first;
    const int64_t line = target->machine->line / (int64_t)sizeof(float);
    if (k->body || k->window || k->straight || s->rhs->op != OP_LOAD || tile->lane >= 0 || target->lanes == 1
        || k->row >= 0)
        return false;
    for (int i = 0; i < s->nindex; i++)
        if (i != k->samples && stride_of(&s->rhs->access, i) == 1) {
            int64_t written = stride_of(&s->out, i) * line * (int64_t)sizeof(float) * line;
            int64_t most = written > target->machine->first_cache ? line / 2 : line;
            tile->factor[i] = box->count[i] < most ? box->count[i] : most;
            return true;
        }
    return false;
}
