/* split.c: cuts the box of a statement into regions in which no access falls outside its tensor.
 *
 *     before:   out[y, x] += w[k] in[y s + k d - p, ...], points outside left out       for y, k
 *     after:    the same without the condition, over top border, interior and bottom border
 *
 * An access that can fall outside ties one or two indices together. Along the longer of the two,
 * neighbours with the same range of the other belong to one region: its taps are a whole range, so the
 * borders become code of their own and the interior has no test. The caller may ask for the other index of
 * a condition: where taps are cut, each has all outputs that it reaches, which are then summed up in
 * memory. */
#include "schedule/schedule.h"

/* One condition 0 <= a i + b j + c < size; b is 0 where only one index takes part. */
typedef struct Condition {
    int i, j;
    int64_t a, b, c, size;
} Condition;

typedef struct Conditions {
    const Statement *s;
    int lanes;
    unsigned exchange;   /* of these conditions, by number, the other index is cut */
    Condition list[MAX_INDEX];
    int n;
    bool possible;
} Conditions;

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The values of j (or just whether any) for which the condition holds at i = value. */
static void range_at(const Condition *c, int64_t value, int64_t extent, int64_t *begin, int64_t *count)
{
    const int64_t base = c->a * value + c->c;
    int64_t first = 0, last = base >= 0 && base < c->size ? extent - 1 : -1;
    if (c->b > 0) {
        first = floor_divide(-base + c->b - 1, c->b);
        last = floor_divide(c->size - 1 - base, c->b);
    } else if (c->b < 0) {
        first = floor_divide(base - c->size - c->b, -c->b);
        last = floor_divide(base, -c->b);
    }
    first = first > 0 ? first : 0;
    last = last < extent - 1 ? last : extent - 1;
    *count = last >= first ? last - first + 1 : 0;
    *begin = *count ? first : 0;
}

static Condition exchanged(Condition c)
{
    return (Condition){c.j, c.i, c.b, c.a, c.c, c.size};
}

/* Would cutting index i, the one that lanes could take, leave no part that fills a vector, while cutting the
 * taps j does? The borders of an input gradient are wide. */
static bool starves_lanes(const Statement *s, Condition c, int lanes)
{
    if (s->store != STORE_ADD || lanes == 1 || c.i >= output_indices(s) || stride_of(&s->out, c.i) != 1)
        return false;
    Condition other = exchanged(c);
    int64_t run = 0, longest = 0, widest = 0, begin, count, last_begin = -1, last_count = -1;
    for (int64_t i = 0; i < s->extent[c.i]; i++) {
        range_at(&c, i, s->extent[c.j], &begin, &count);
        run = count && begin == last_begin && count == last_count ? run + 1 : 1;
        longest = run > longest ? run : longest;
        last_begin = begin;
        last_count = count;
    }
    for (int64_t j = 0; j < s->extent[c.j]; j++) {
        range_at(&other, j, s->extent[c.i], &begin, &count);
        widest = count > widest ? count : widest;
    }
    return longest < lanes && widest >= lanes;
}

static void find_conditions(const Access *access, void *context)
{
    Conditions *conditions = context;
    const Statement *s = conditions->s;
    for (int d = 0; access->padded && d < access->tensor->rank; d++) {
        const Affine *at = &access->at[d];
        int64_t least, most;
        affine_range(at, s, &least, &most);
        if (least >= 0 && most < access->tensor->dim[d])
            continue;
        int index[2] = {-1, -1}, count = 0;
        for (int i = 0; i < s->nindex; i++)
            if (at->coefficient[i]) {
                if (count < 2)
                    index[count] = i;
                count++;
            }
        if (at->coefficient[STEP]) /* another one in each step */
            conditions->possible = false;
        Condition c = {index[0], index[1], count ? at->coefficient[index[0]] : 0,
                       count == 2 ? at->coefficient[index[1]] : 0, at->constant, access->tensor->dim[d]};
        if (count > 2 || count == 0 || conditions->n == MAX_INDEX) {
            conditions->possible = false;
            return;
        }
        /* The longer index is the one to cut; of equals the one that occurs in out. A maximum has no
         * neutral value to begin a second region of the same output with, so its outputs are cut; a
         * transform is to stay whole. */
        bool first_in_out = c.i < output_indices(s), maximum = s->store == STORE_MAX || is_transform(s);
        if (count == 2 && s->extent[c.j] > s->extent[c.i] && !(maximum && first_in_out))
            c = exchanged(c);
        if (count == 2 && starves_lanes(s, c, conditions->lanes))
            c = exchanged(c);
        if (count == 2 && conditions->exchange >> conditions->n & 1)
            c = exchanged(c);
        for (int k = 0; k < conditions->n; k++) {
            const Condition *old = &conditions->list[k];
            if (old->i == c.i && old->j == c.j && old->a == c.a && old->b == c.b && old->c == c.c
                && old->size == c.size)
                goto known;
            if (old->i == c.i || old->j == c.i || (c.j >= 0 && (old->i == c.j || old->j == c.j)))
                conditions->possible = false;
        }
        conditions->list[conditions->n++] = c;
    known:;
    }
}

static Conditions conditions_of(const Statement *s, int lanes, unsigned exchange)
{
    Conditions conditions = {.s = s, .lanes = lanes, .exchange = exchange, .possible = true};
    find_conditions(&s->out, &conditions);
    visit_loads(s->rhs, find_conditions, &conditions);
    return conditions;
}

bool needs_guard(const Statement *s)
{
    Conditions conditions = conditions_of(s, 1, 0);
    return conditions.n || !conditions.possible;
}

/* How many parts a condition makes of a region, and how many pairs of its indices fulfil it. */
static int64_t count_parts(const Statement *s, const Condition *c, int64_t *pairs)
{
    int64_t others = c->j < 0 ? 1 : s->extent[c->j], parts = 0, begin, count, last_begin = -1,
            last_count = -1;
    *pairs = 0;
    for (int64_t i = 0; i < s->extent[c->i]; i++) {
        range_at(c, i, others, &begin, &count);
        bool same = i && count == last_count && (!count || begin == last_begin);
        parts += !same && (count || c->i < output_indices(s));
        *pairs += count;
        last_begin = begin;
        last_count = count;
    }
    return parts;
}

int64_t points_inside(const Statement *s)
{
    Conditions conditions = conditions_of(s, 1, 0);
    bool free[MAX_INDEX];
    int64_t points = 1, pairs;
    for (int i = 0; i < s->nindex; i++)
        free[i] = true;
    for (int k = 0; k < conditions.n; k++) {
        const Condition *c = &conditions.list[k];
        count_parts(s, c, &pairs);
        points *= pairs;
        free[c->i] = false;
        if (c->j >= 0)
            free[c->j] = false;
    }
    for (int i = 0; i < s->nindex; i++)
        points *= free[i] ? s->extent[i] : 1;
    return conditions.possible ? points : -1;
}

/* Replaces each region by its parts under one condition. */
static Region *cut(Region *regions, const Statement *s, const Condition *c)
{
    Region *result = NULL, **end = &result;
    int64_t others = c->j < 0 ? 1 : s->extent[c->j];
    bool reduction = c->i >= output_indices(s);
    for (const Region *r = regions; r; r = r->next)
        for (int64_t i = 0, next; i < s->extent[c->i]; i = next) {
            int64_t begin, count, b, n;
            range_at(c, i, others, &begin, &count);
            for (next = i + 1; next < s->extent[c->i]; next++) {
                range_at(c, next, others, &b, &n);
                if (n != count || (n && b != begin))
                    break;
            }
            if (!count && reduction)
                continue;
            Region *part = NEW(Region);
            *part = *r;
            part->begin[c->i] = i;
            part->count[c->i] = next - i;
            if (c->j >= 0) {
                part->begin[c->j] = begin;
                part->count[c->j] = count;
            }
            part->empty |= !count;
            part->next = NULL;
            *end = part;
            end = &part->next;
        }
    return result;
}

bool split_regions(const Statement *s, int lanes, unsigned exchange, Region **regions, bool *partition)
{
    Conditions conditions = conditions_of(s, lanes, exchange);
    *regions = NULL;
    *partition = true;
    if (!conditions.possible || exchange >> conditions.n || (exchange && s->store != STORE_ADD))
        return false;
    int64_t parts = 1, pairs;
    for (int k = 0; k < conditions.n && parts && parts <= MOST_REGIONS; k++)
        parts *= count_parts(s, &conditions.list[k], &pairs);
    if (parts == 0 || parts > MOST_REGIONS) {
        *partition = false;
        return true;
    }
    Region *all = NEW(Region);
    for (int i = 0; i < s->nindex; i++)
        all->count[i] = s->extent[i];
    for (int k = 0; k < conditions.n; k++) {
        const Condition *c = &conditions.list[k];
        if (c->i >= output_indices(s) && c->j >= 0)
            *partition = false;
        all = cut(all, s, c);
    }
    Region **largest = &all;
    for (Region **r = &all; *r; r = &(*r)->next)
        if (region_volume(*r, s) > region_volume(*largest, s))
            largest = r;
    if (*largest && largest != &all) {
        Region *first = *largest;
        *largest = first->next;
        first->next = all;
        all = first;
    }
    if (!all)
        *partition = false;
    *regions = all;
    return true;
}
