/* picks.c: nests in which tokens pick an index. It is no loop: what it is stands in memory, and only where
 * that lies in its range is there anything to do.
 *
 *     nest:     out[t, c] += (token[t] == v ? w[v, c] : 0)          for t<6 c<16 v<100
 *
 *     nodes:    LOOP t
 *                   BLOCK
 *                       LOOP v picked by LOAD token[t]
 *                           STORE out[t, 0] = LOAD out[t, 0] + LOAD w[v, 0] of width 8
 *                           STORE out[t, 8] = ...
 *
 * The loops that know the token are outermost. Memory is added to, since a row may be picked several times,
 * in the order of the loops, so that sums are the same each time. In straight-line code all other indices
 * are numbers. */
#include "back/lowering.h"

typedef struct Picks {
    Lowering *l;
    const Kernel *kernel;
    Unroll unroll;
    int picked, lane;
    int order[MAX_INDEX]; /* of the loops */
    int64_t points;      /* of one token: vectors of them */
} Picks;

static void lower_from(Picks *p, int level);

/* Those that know the token, the one that is picked, the others with the lanes innermost. */
static void order_loops(Picks *p)
{
    const Statement *s = p->kernel->body;
    int n = 0;
    for (int i = 0; i < s->nindex; i++)
        if (depends_on(token_of(s), i))
            p->order[n++] = i;
    p->order[n++] = p->picked;
    for (int i = 0; i < s->nindex; i++)
        if (i != p->picked && i != p->lane && !depends_on(token_of(s), i))
            p->order[n++] = i;
    if (p->lane >= 0)
        p->order[n] = p->lane;
    p->points = 1;
    for (n = 0; n < s->nindex; n++)
        if (p->order[n] == p->lane)
            p->points *= (s->extent[p->lane] + p->l->width - 1) / p->l->width;
        else if (p->order[n] != p->picked && !depends_on(token_of(s), p->order[n]))
            p->points *= s->extent[p->order[n]];
}

static void add_at_point(const Picks *p)
{
    Lowering *l = p->l;
    const Statement *s = p->kernel->body;
    const Term *value = lower_expr(l, s->rhs->arg[2], false);
    if (p->lane < 0) {
        store_term(l, &s->out, value, true);
        return;
    }
    value = op_term(OP_ADD, lower_load(l, &s->out), as_vector(l, value));
    append(l, (Node){.kind = NODE_STORE, .place = place_of(l, &s->out), .value = value, .width = l->width,
                     .first = (int)l->partial});
}

/* The index from `begin` on in steps, as a loop or written out. */
static void lower_range(Picks *p, int level, int64_t begin, int64_t count, int64_t step)
{
    Lowering *l = p->l;
    const int i = p->order[level];
    if (!count)
        return;
    l->fixed[i] = p->unroll == UNROLL_FULL || count == step;
    if (l->fixed[i])
        for (l->offset[i] = begin; l->offset[i] < begin + count; l->offset[i] += step)
            lower_from(p, level + 1);
    else {
        Node **around = l->end;
        append_around(l, (Node){.kind = NODE_LOOP, .index = i, .name = l->s->index_name[i], .from = begin,
                                .to = begin + count, .step = step});
        lower_from(p, level + 1);
        append_behind(l, around);
    }
    l->fixed[i] = false;
    l->offset[i] = 0;
}

/* Whole vectors, then what is left over. */
static void lower_lanes(Picks *p, int level)
{
    Lowering *l = p->l;
    const int64_t extent = l->s->extent[p->lane], rest = extent % l->width;
    l->lane = p->lane;
    lower_range(p, level, 0, extent - rest, l->width);
    l->partial = rest;
    lower_range(p, level, extent - rest, rest ? l->width : 0, l->width);
    l->partial = 0;
    l->lane = -1;
}

/* A block of its own, since the index is a variable of it. */
static void lower_picked(Picks *p, int level)
{
    Lowering *l = p->l;
    const Statement *s = l->s;
    Node **around = l->end;
    append_around(l, (Node){.kind = NODE_BLOCK, .points = p->points});
    append_around(l, (Node){.kind = NODE_LOOP, .range = RANGE_PICKED, .index = p->picked, .step = 1,
                            .name = s->index_name[p->picked], .to = s->extent[p->picked],
                            .value = lower_expr(l, s->rhs->arg[0], true)});
    lower_from(p, level + 1);
    append_behind(l, around);
}

static void lower_from(Picks *p, int level)
{
    if (level == p->l->s->nindex)
        add_at_point(p);
    else if (p->order[level] == p->picked)
        lower_picked(p, level);
    else if (p->order[level] == p->lane)
        lower_lanes(p, level);
    else
        lower_range(p, level, 0, p->l->s->extent[p->order[level]], 1);
}

void lower_picks(const Kernel *k, Unroll unroll, Numbering *numbering, Node **end)
{
    const Region *r = k->regions;
    Lowering *l = NEW(Lowering);
    Picks p = {l, k, unroll, picked_index(k->body), r && r->tile.width > 1 ? r->tile.lane : -1, {0}, 0};
    *l = (Lowering){.numbering = numbering, .end = end, .step = -1};
    if (k->nthen || k->window || k->followers || k->samples >= 0 || k->recurrence || k->blocks || k->first)
        bug("%s picks rows and more", k->body->out.tensor->name);
    begin_statement(l, k->body);
    l->width = r ? r->tile.width : 1;
    order_loops(&p);
    lower_from(&p, 0);
}
