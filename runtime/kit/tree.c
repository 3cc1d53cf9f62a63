/* tree.c: the binary tree in which the gradients of a step's shards are added.
 *
 * A node over shards lo .. hi-1 divides them at lo + the greatest power of two below hi - lo: the tree
 * depends on the number of shards alone. Each process has consecutive shards. Nodes within them it adds
 * alone, by groups: aligned blocks of 2^j shards, which are nodes, too. At a node that has shards of several
 * processes, those with shards on its left exchange sums with those with shards on its right, and each adds
 * the two; a + b and b + a are the same number. With 2^k processes of equally many shards, a power of two,
 * that is recursive doubling; with any other number it still gives the same bits. */
#include "arithmetic.h"
#include "engine.h"
#include "messages.h"

#include <stdlib.h>

node kit_left_of(node v)
{
    int half = 1;

    while (2 * half < v.hi - v.lo)
        half *= 2;
    return (node){v.lo, v.lo + half};
}

node kit_right_of(node v)
{
    return (node){kit_left_of(v).hi, v.hi};
}

static bool is_within(node v, node own)
{
    return v.lo >= own.lo && v.hi <= own.hi;
}

static bool is_apart(node v, node own)
{
    return v.hi <= own.lo || v.lo >= own.hi;
}

/* ---- Which process has which shards ---------------------------------------------------------- */

/* Processes that have any. */
static int active_of(const nn_trainer *t, int shards)
{
    return t->nprocesses < shards ? t->nprocesses : shards;
}

node kit_shards_of(const nn_trainer *t, int shards, int rank)
{
    const long long active = active_of(t, shards);

    if (rank >= active)
        return (node){shards, shards};
    return (node){(int)(shards * rank / active), (int)(shards * (rank + 1) / active)};
}

static int process_of(const nn_trainer *t, int shards, int shard)
{
    return (int)(((shard + 1LL) * active_of(t, shards) - 1) / shards);
}

/* ---- Within a process ------------------------------------------------------------------------ */

static void cut(node v, node own, int group, node *groups, int *n)
{
    if (is_apart(v, own))
        return;
    if (is_within(v, own) && v.hi - v.lo <= group) {
        groups[(*n)++] = v;
        return;
    }
    cut(kit_left_of(v), own, group, groups, n);
    cut(kit_right_of(v), own, group, groups, n);
}

int kit_cut_groups(int shards, node own, int group, node *groups)
{
    int n = 0;

    cut((node){0, shards}, own, group, groups, &n);
    return n;
}

WIDTHS void kit_add_to(float *restrict sum, const float *restrict more, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += more[i];
}

/* Adds the groups in v, for n floats from at on, into the first of them, and returns its number. A node
 * that has shards of others, too, stays in parts. g: the number of the next group, which goes on. */
static int sum_node(const nn_trainer *t, node v, node own, size_t at, size_t n, int *g)
{
    if (is_apart(v, own))
        return -1;
    if (t->groups[*g].lo == v.lo && t->groups[*g].hi == v.hi)
        return (*g)++;
    const int left = sum_node(t, kit_left_of(v), own, at, n, g);
    const int right = sum_node(t, kit_right_of(v), own, at, n, g);
    if (is_within(v, own))
        kit_add_to(t->sums[left] + at, t->sums[right] + at, n);
    return left;
}

void kit_sum_groups(const nn_trainer *t, int shards, node own, size_t at, size_t n)
{
    int g = 0;

    if (!t->options.allreduce)
        sum_node(t, (node){0, shards}, own, at, n, &g);
    else
        while (++g < t->ngroups) /* all are to be one */
            kit_add_to(t->sums[0] + at, t->sums[g] + at, n);
}

/* ---- Between processes ----------------------------------------------------------------------- */

typedef struct meeting {
    nn_trainer *t;
    int shards;
    node own;
} meeting;

/* Processes from first on, so many. */
typedef struct ranks { int first, count; } ranks;

static ranks ranks_of(const meeting *m, node v)
{
    const int first = process_of(m->t, m->shards, v.lo);

    return (ranks){first, process_of(m->t, m->shards, v.hi - 1) - first + 1};
}

typedef struct addition {
    float *sum;
    const float *more;
    size_t n;
} addition;

static void add_part(void *context, int thread, int threads)
{
    const addition *a = context;
    const size_t lines = (a->n + 15) / 16, begin = lines * (size_t)thread / (size_t)threads * 16,
                 end = lines * ((size_t)thread + 1) / (size_t)threads * 16, last = end < a->n ? end : a->n;

    if (begin < last)
        kit_add_to(a->sum + begin, a->more + begin, last - begin);
}

/* Messages by which the others of `to` get what the processes of `from` have, each from one of them; this
 * process's part of it. mine: what it has, or NULL where it is to get it. */
static int pass_on(const meeting *m, ranks from, ranks to, const float *mine, nn_message *messages)
{
    nn_trainer *t = m->t;
    const size_t bytes = t->all * sizeof(float);
    const int rank = t->options.processes->rank;
    int n = 0;

    for (int i = 0; i < to.count; i++) {
        const int giver = from.first + i % from.count;

        if (mine && giver == rank)
            messages[n++] = (nn_message){.other = to.first + i, .send = mine, .bytes = bytes};
        else if (!mine && to.first + i == rank)
            messages[n++] = (nn_message){.other = giver, .receive = t->received, .bytes = bytes};
    }
    return n;
}

/* The sum at a node of both its halves, of which this process has one or both. */
static float *join(const meeting *m, node v, float *left, float *right)
{
    nn_trainer *t = m->t;
    const ranks a = ranks_of(m, kit_left_of(v)), b = ranks_of(m, kit_right_of(v));
    const int both = a.first + a.count > b.first; /* one process has shards on both sides */
    const ranks only_a = {a.first, a.count - both}, only_b = {b.first + both, b.count - both};
    float *sum = left ? left : right;
    int n = 0;

    if (!sum)
        return NULL;
    n += pass_on(m, a, only_b, left, t->messages);
    n += pass_on(m, b, only_a, right, t->messages + n);
    t->options.processes->exchange(t->options.processes, t->messages, n);
    addition add = {sum, left && right ? right : t->received, t->all};
    nn_team_run(t->team, t->threads, add_part, &add);
    return sum;
}

/* The sum at v, or NULL where this process has no part in it. */
static float *meet(const meeting *m, node v, int *g)
{
    nn_trainer *t = m->t;
    const int first = *g;

    if (is_apart(v, m->own))
        return NULL;
    if (is_within(v, m->own)) {
        while (*g < t->ngroups && t->groups[*g].lo < v.hi)
            ++*g;
        return t->sums[first];
    }
    float *left = meet(m, kit_left_of(v), g);
    float *right = meet(m, kit_right_of(v), g);
    return join(m, v, left, right);
}

void kit_join_processes(nn_trainer *t, int shards, node own)
{
    const meeting m = {t, shards, own};
    const int active = active_of(t, shards), rank = t->options.processes->rank;
    const ranks have = {0, active}, others = {active, t->nprocesses - active};
    int g = 0;

    meet(&m, (node){0, shards}, &g);
    if (others.count == 0)
        return;
    const int n = pass_on(&m, have, others, rank < active ? t->sums[0] : NULL, t->messages);
    t->options.processes->exchange(t->options.processes, t->messages, n);
    if (rank >= active) {
        float *empty = t->sums[0];

        t->sums[0] = t->received;
        t->received = empty;
    }
}

