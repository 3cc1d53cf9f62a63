/* straight.c: nests without tiles in straight-line code: one statement for each output, one term for each of
 * its points that lies inside. */
#include <math.h>

#include "back/lowering.h"

enum { TERMS_A_SUM = 64 };

/* A sum of which a class label picks the term: tests one after the other, since a C compiler may take very
 * long over a sum of as many conditional terms. */
static bool picks_by_label(const Expr *e)
{
    return e->op == OP_IF_EQ && e->arg[0]->op == OP_LOAD && e->arg[0]->access.tensor->is_int
        && expr_is(e->arg[3], 0);
}

static void first_point(Lowering *l)
{
    for (int i = output_indices(l->s); i < l->s->nindex; i++)
        l->offset[i] = 0;
}

/* Each gives how many terms it is. */
static int64_t lower_pick(Lowering *l, const Kernel *k)
{
    const Expr *e = k->body->rhs;
    int64_t terms = 0;
    first_point(l);
    if (k->first)
        store_term(l, &k->body->out, lower_expr(l, k->first->rhs, false), false);
    do
        if (point_inside(l, e)) {
            Term equal = {.kind = TERM_EQUAL, .is_int = true,
                          .arg = {lower_expr(l, e->arg[0], true), lower_expr(l, e->arg[1], true)}};
            Node **begin = l->end;
            append_around(l, (Node){.kind = NODE_WHEN, .value = new_term(equal)});
            store_term(l, &k->body->out, lower_expr(l, e->arg[2], false), true);
            append_behind(l, begin);
            terms++;
        }
    while (next_point(l, output_indices(l->s), l->s->nindex));
    return terms;
}

static int64_t points_inside_of(Lowering *l)
{
    int64_t points = 0;
    first_point(l);
    do
        points += point_inside(l, l->s->rhs);
    while (next_point(l, output_indices(l->s), l->s->nindex));
    return points;
}

/* One expression, or several onto a register if there are very many terms. */
static int64_t lower_sum(Lowering *l, const Kernel *k)
{
    const Statement *s = k->body;
    const int64_t points = points_inside_of(l);
    const bool very_many = points > TERMS_A_SUM;
    const Register *sum = NULL;
    const Term *value = NULL;
    int64_t terms = 0;
    Node **begin = l->end;
    if (!points && !k->first)
        return 0;
    if (very_many)
        append_around(l, (Node){.kind = NODE_BLOCK});
    if (k->first && !(expr_is(k->first->rhs, 0) && points))
        value = lower_expr(l, k->first->rhs, false);
    do
        if (point_inside(l, s->rhs)) {
            const Term *term = lower_expr(l, s->rhs, false);
            if (terms && terms % TERMS_A_SUM == 0) {
                if (sum)
                    append(l, (Node){.kind = NODE_ADD, .reg = sum, .value = value});
                else
                    sum = let(l, "sum", true, value);
                value = NULL;
            }
            value = value ? op_term(OP_ADD, value, term) : term;
            terms++;
        }
    while (next_point(l, output_indices(s), s->nindex));
    if (sum) {
        append(l, (Node){.kind = NODE_ADD, .reg = sum, .value = value});
        value = register_term(sum);
    }
    store_term(l, &s->out, value, !k->first);
    append_behind(l, begin);
    return terms;
}

/* The greatest of the points of one output, and which it was. */
static int64_t lower_maximum(Lowering *l, const Kernel *k)
{
    const Statement *s = k->body;
    const Register *best = NULL, *v = NULL, *at = NULL;
    int64_t number = 0, candidates = 0;
    Node **begin = l->end;
    append_around(l, (Node){.kind = NODE_BLOCK});
    first_point(l);
    do {
        if (point_inside(l, s->rhs)) {
            const Term *value = lower_expr(l, s->rhs, false), *here = number_term((double)number, false);
            if (!candidates++) {
                best = let(l, "best", true, value);
                at = s->position ? let(l, "at", true, here) : NULL;
            } else {
                if (v)
                    append(l, (Node){.kind = NODE_SET, .reg = v, .value = value});
                else
                    v = let(l, "v", true, value);
                if (at)
                    set_where_greater(l, at, register_term(v), best, here);
                set_where_greater(l, best, register_term(v), best, register_term(v));
            }
        }
        number++;
    } while (next_point(l, output_indices(s), s->nindex));
    store_term(l, &s->out, best ? register_term(best) : number_term(-INFINITY, false), false);
    if (s->position) {
        Access position = same_place(s->out, s->position);
        store_term(l, &position, at ? register_term(at) : number_term(-1, false), false);
    }
    append_behind(l, begin);
    return candidates;
}

void lower_straight(const Kernel *k, int64_t step, Numbering *numbering, Node **end)
{
    const Statement *s = statement_of(k);
    Lowering *l = NEW(Lowering);
    *l = (Lowering){.numbering = numbering, .end = end, .step = step};
    begin_statement(l, s);
    for (int i = 0; i < s->nindex; i++)
        l->fixed[i] = true;
    bool sums = k->body && gathers(s);
    do {
        int64_t points = 1;
        Node **begin = l->end;
        if (!sums && (!point_inside(l, s->rhs) || !access_inside(l, &s->out)))
            continue;
        if (sums && s->store == STORE_MAX)
            points = lower_maximum(l, k);
        else if (sums && picks_by_label(s->rhs))
            points = lower_pick(l, k);
        else if (sums)
            points = lower_sum(l, k);
        else
            store_term(l, &s->out, lower_expr(l, s->rhs, false), k->body != NULL);
        if (*begin)
            (*begin)->points = points;
    } while (next_point(l, 0, sums ? output_indices(s) : s->nindex));
}
