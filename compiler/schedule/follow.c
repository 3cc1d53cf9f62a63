/* follow.c: what is done with the values that a tile holds, beyond one value after the other.
 *
 * Where a tile holds whole rows of an output (all classes of a sample, all channels of a pixel), sums and
 * maxima over a row, and what is worked out from them, need no memory. So `fc 10; softmax` makes its loss
 * and its gradient where the sums of fc are:
 *
 *     before:   for s by 8:   s0 ... s7;  fc.out[s, o] = s0 ... s7
 *               for s:        max[s] max= fc.out[s, c];
 *                             exp[s, c] = exp(fc.out[s, c] - max[s]);  sum[s] += exp[s, c];
 *                             nll[s] = log(sum[s]) + ...;  loss += nll[s] * 1/samples;
 *                             d_fc.out[s, c] = (exp[s, c] / sum[s] - (target[s] == c ? 1 : 0)) * 1/samples
 *
 *     after:    for s by 8:   s0 ... s7;  max0 = the greatest lane of s0;
 *                             exp0 = exp(s0 - max0);  sum0 = exp0's lanes added;
 *                             nll0 = ...;  d_fc.out[s, c] = ...;  ... max7 ...;
 *                             loss += (nll0 + ... + nll7) * 1/samples
 *
 * A follower is a kernel written in the indices of the one whose tiles it runs on, in their order. It is
 * one of
 *
 *     an element       out = f(what is held, and what is in memory), at each place
 *     a row's number   out (=, += from a first value, max=) f(...), over the row or of what rows give
 *     a sum            out += f(...), onto a number in memory, over whatever a tile holds: a loss
 *     a spread     out[2y + ky, 2x + kx] = f(...), all ky and kx of it written out: the gradient of a pooling
 *
 * fuse.c finds what can follow and sees to it that all else that it reads is there; tile.c takes tiles
 * that hold whole rows. */
#include <string.h>

#include "schedule/schedule.h"

enum { MOST_SPREAD = 16 }; /* places to which one value goes */

static int count_followers(const Kernel *k)
{
    int n = 0;
    for (const Kernel *f = k->followers; f; f = f->next)
        n++;
    return n;
}

/* ---- What a follower is ---------------------------------------------------------------------- */

/* ---- Written in the maker's indices ---------------------------------------------------------- */

typedef struct Mapping {
    const Kernel *maker;
    const Statement *s;  /* of the consumer */
    Affine map[MAX_INDEX];
    bool known[MAX_INDEX], fits;
} Mapping;

/* The only index of an affine form, which it takes as it is; -1: it is another form. */
static int plain_index(const Affine *a, const Statement *s)
{
    int found = -1;
    for (int i = 0; i < s->nindex; i++)
        if (a->coefficient[i]) {
            if (found >= 0 || a->coefficient[i] != 1)
                return -1;
            found = i;
        }
    return a->constant ? -1 : found;
}

/* What is read of a tile's values says which of the maker's indices the consumer's are. */
static void map_indices(const Access *access, void *context)
{
    Mapping *m = context;
    const Access *held = held_in_registers(m->maker, access->tensor);
    for (int d = 0; held && d < access->tensor->rank; d++) {
        const Affine *at = &access->at[d], zero = affine(0);
        int i = plain_index(at, m->s);
        if (i < 0) {
            m->fits &= affine_equal(at, &zero) && affine_equal(&held->at[d], &zero);
            continue;
        }
        m->fits &= m->s->extent[i] == access->tensor->dim[d]
                && (!m->known[i] || affine_equal(&m->map[i], &held->at[d]));
        m->map[i] = held->at[d];
        m->known[i] = true;
    }
}

/* Are they other indices of the maker for each of the consumer's? One point of it is then one of the
 * maker's. */
static bool apart(const Mapping *m)
{
    for (int i = 0; i < output_indices(statement_of(m->maker)); i++) {
        int n = 0;
        for (int k = 0; k < m->s->nindex; k++)
            n += m->known[k] && m->map[k].coefficient[i];
        if (n > 1)
            return false;
    }
    return true;
}

/* Indices of its own get numbers behind the maker's: those of a spread. */
static bool add_own_indices(Mapping *m, Statement *to)
{
    int64_t places = 1;
    for (int i = 0; i < m->s->nindex; i++) {
        if (m->known[i])
            continue;
        if (to->nindex == MAX_INDEX || m->s->store != STORE_SET || !depends_on(&m->s->out, i))
            return false;
        places *= m->s->extent[i];
        to->index_name[to->nindex] = m->s->index_name[i];
        to->extent[to->nindex] = m->s->extent[i];
        m->map[i].coefficient[to->nindex++] = 1;
    }
    return places <= MOST_SPREAD;
}

static Statement *in_indices(const Statement *indices, const Mapping *m, const Statement *s)
{
    if (!s)
        return NULL;
    Statement *copy = NEW(Statement);
    *copy = *s;
    copy->next = NULL;
    copy->nindex = indices->nindex;
    memcpy(copy->index_name, indices->index_name, sizeof copy->index_name);
    memcpy(copy->extent, indices->extent, sizeof copy->extent);
    copy->out = substitute_access(s->out, m->map);
    copy->rhs = substitute_expr(s->rhs, m->map);
    return copy;
}

/* The maker's index over which alone the consumer reduces, all of it; -1: it is another reduction, or
 * none. */
static int reduced_row(const Mapping *m)
{
    const Statement *s = m->s, *maker = statement_of(m->maker);
    int outputs = output_indices(s),
        row = s->nindex == outputs + 1 ? plain_index(&m->map[outputs], maker) : -1;
    return row >= 0 && row < output_indices(maker) && maker->extent[row] == s->extent[outputs] ? row : -1;
}

/* Does each of the maker's outputs have a place of its own there, but for those of one row? */
static bool has_places(const Kernel *maker, const Access *out, int row)
{
    const Statement *s = statement_of(maker);
    for (int i = 0; i < output_indices(s); i++)
        if (i != row && s->extent[i] > 1 && !depends_on(out, i))
            return false;
    return true;
}

/* A point that is left out can't be left out of a tile. */
static bool leaves_out_points(const Kernel *consumer)
{
    bool found = needs_guard(statement_of(consumer));
    for (int i = 0; i < consumer->nthen; i++)
        found |= needs_guard(consumer->then[i]);
    return found;
}

static void append(Kernel *maker, Statement *first, Statement *body)
{
    Kernel **end = &maker->followers;
    while (*end)
        end = &(*end)->next;
    *end = NEW(Kernel);
    **end = (Kernel){.first = first, .body = body, .samples = -1, .row = -1};
}

bool add_follower(Kernel *maker, const Kernel *consumer)
{
    const Statement *s = statement_of(consumer);
    Mapping m = {.maker = maker, .s = s, .fits = true};
    if (consumer->window || s->position || picked_index(s) >= 0 || leaves_out_points(consumer)
        || count_followers(maker) + 1 + consumer->nthen > MAX_FOLLOWERS)
        return false;
    visit_loads(s->rhs, map_indices, &m);
    if (consumer->first)
        visit_loads(consumer->first->rhs, map_indices, &m);
    for (int i = 0; i < consumer->nthen; i++)
        visit_loads(consumer->then[i]->rhs, map_indices, &m);
    Statement indices = *statement_of(maker);
    indices.nindex = output_indices(&indices);
    if (!m.fits || !apart(&m) || !add_own_indices(&m, &indices))
        return false;
    Kernel f = {.first = in_indices(&indices, &m, consumer->first),
                .body = in_indices(&indices, &m, consumer->body)};
    if (adds_to_memory(&f) ? consumer->nthen || f.body->nindex > indices.nindex
                           : is_spread(maker, &f) && consumer->nthen)
        return false;
    if (f.body && !adds_to_memory(&f)) {
        int row = reduced_row(&m);
        if (row < 0 || (maker->row >= 0 && maker->row != row) || !has_places(maker, &f.body->out, row))
            return false;
        maker->row = row;
    }
    if (!f.body) {
        bool of_row = maker->row >= 0 && !rhs_depends_on(f.first, maker->row);
        if (!has_places(maker, &f.first->out, of_row ? maker->row : -1))
            return false;
    }
    append(maker, f.first, f.body);
    for (int i = 0; i < consumer->nthen; i++)
        append(maker, in_indices(&indices, &m, consumer->then[i]), NULL);
    return true;
}
