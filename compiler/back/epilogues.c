/* epilogues.c: windows and followers: what runs on a tile while its values are in registers.
 *
 * Each window takes its own points out of the registers of the tile. Its indices go with those of the tile,
 * which count `step` times as fast:
 *
 *     tile 2 y 2 x:    best00 best01         LET most = best00
 *                      best10 best11         SET most = the greater of it and best01 ...
 *
 * Followers (follow.c) run on one row after the other, each value in a register of its own: elements of the
 * row and numbers of it; in the end what is added to memory, which takes from all rows. */
#include <math.h>
#include <string.h>

#include "back/lowering.h"

/* ---- Windows --------------------------------------------------------------------------------- */

/* What a window's points are in: the tile's registers. */
static const Term *point_at(Lowering *l, const Nest *nest, const Output *window)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->window->body;
    Output o = {.row = 0};
    for (int i = 0; i < s->nindex; i++)
        o.at[k->along[i]] += i < output_indices(s) ? window->at[i] * k->step[k->along[i]] : l->offset[i];
    return value_of(nest, &o, k->nthen);
}

static const Access *looked_at(const Statement *window)
{
    return window->rhs->op == OP_LOAD ? &window->rhs->access : &window->rhs->arg[0]->access;
}

/* e, of the window's point at hand. */
static const Term *lower_point(Lowering *l, const Expr *e, const Term *point)
{
    hold(l, looked_at(l->s), point);
    const Term *value = lower_expr(l, e, false);
    l->nheld = 0;
    return l->lane >= 0 ? as_vector(l, value) : value;
}

static const Term *point_number(Lowering *l)
{
    const Term *number = number_of_point(l);
    return l->lane >= 0 ? as_vector(l, number) : number;
}

/* All points of the window at hand, then what follows on it. */
static void lower_window(Lowering *l, const Nest *nest, const Nest *inner, const Output *o)
{
    const Kernel *k = inner->kernel;
    const bool maximum = l->s->store == STORE_MAX;
    const int outputs = output_indices(l->s);
    const char *suffix = output_suffix(inner, o);
    const char *name = format("%s%s", maximum ? "most" : "total", suffix);
    const Register *where = NULL;
    for (int i = outputs; i < l->s->nindex; i++) {
        l->fixed[i] = true;
        l->offset[i] = 0;
    }
    if (l->s->position)
        where = let(l, format("where%s", suffix), true, point_number(l));
    Expr *first = maximum || expr_is(k->first->rhs, 0) ? l->s->rhs : add(k->first->rhs, l->s->rhs);
    const Register *result = let(l, name, true, lower_point(l, first, point_at(l, nest, o)));
    while (next_point(l, outputs, l->s->nindex)) {
        const Term *value = lower_point(l, l->s->rhs, point_at(l, nest, o));
        if (where)
            set_where_greater(l, where, value, result, point_number(l));
        if (maximum)
            set_where_greater(l, result, value, result, value);
        else
            append(l, (Node){.kind = NODE_ADD, .reg = result, .value = value});
    }
    lower_results(l, inner, o, name, register_term(result));
    if (where) {
        Access position = same_place(l->s->out, l->s->position);
        store_value(l, inner, &position, register_term(where));
    }
}

void lower_windows(Lowering *l, const Nest *nest, const Output *outer, int index)
{
    const Kernel *k = nest->kernel;
    const Lowering before = *l;
    Nest inner = {.kernel = k->window, .tile = window_tile(k, &nest->tile), .partial = nest->partial};
    inner.value = NEW_ARRAY(const Term *, outputs_held(&inner) * (MAX_THEN + 1));
    int64_t *per = NEW_ARRAY(int64_t, MAX_TERMS);
    for (int i = 0; i < MAX_TERMS; i++)
        per[i] = 1;
    begin_statement(l, k->window->body);
    l->width = before.width;
    l->lane = nest_has_vectors(nest) ? inner.tile.lane : -1;
    l->loop = k->along;
    Output o = {.row = 0};
    int along = -1;
    for (int i = 0; i < output_indices(l->s); i++) {
        int of = k->along[i];
        l->fixed[i] = before.fixed[of];
        per[of] = k->step[of] > 1 ? k->step[of] : 1;
        o.base[i] = outer->base[of] / k->step[of];
        along = of == index ? i : along;
    }
    append_around(l, (Node){.kind = NODE_WINDOWS, .per = per});
    first_output(l, &inner, &o);
    do {
        int64_t windows = along < 0 ? 1 : o.at[along] + 1;
        if (index < 0 || windows * k->step[index] == outer->at[index] + 1)
            lower_window(l, nest, &inner, &o);
    } while (next_output(l, &inner, &o));
    l->s = before.s;
    l->lane = before.lane;
    l->loop = before.loop;
    l->partial = before.partial;
    memcpy(l->fixed, before.fixed, sizeof l->fixed);
    memcpy(l->offset, before.offset, sizeof l->offset);
    append_behind(l, before.end);
}

/* ---- Followers ------------------------------------------------------------------------------- */

/* The followers of a tile while they are lowered. */
typedef struct Follow {
    Lowering *l;
    const Nest *nest;
    Output o;            /* at hand */
    const Term **value;  /* in registers: by follower and output */
} Follow;

static bool is_several(const Nest *nest, const Kernel *follower)
{
    const int row = nest->kernel->row;
    return row >= 0 && depends_on(&statement_of(follower)->out, row) && nest->tile.factor[row] > 1;
}

/* Where a follower's value for the output at hand is: one for each element of the row, or one for all. */
static const Term **follower_value(const Follow *f, const Kernel *follower)
{
    int64_t number = 0;
    Output o = f->o;
    for (const Kernel *k = f->nest->kernel->followers; k != follower; k = k->next)
        number++;
    if (f->nest->kernel->row >= 0 && !is_several(f->nest, follower))
        o.at[f->nest->kernel->row] = 0;
    return &f->value[number * outputs_held(f->nest) + output_number(f->nest, &o)];
}

static const char *follower_name(const Follow *f, const Kernel *follower)
{
    const Kernel *k = f->nest->kernel;
    int64_t row = 0;
    for (int i = 0; i < output_indices(statement_of(k)); i++)
        if (i != k->row)
            row = row * f->nest->tile.factor[i] + f->o.at[i];
    const char *name = format("%s%lld", c_name(statement_of(follower)->out.tensor->name), (long long)row);
    return is_several(f->nest, follower) ? format("%s_%lld", name, (long long)f->o.at[k->row]) : name;
}

/* All that is in registers for the output at hand when a follower runs; NULL: the last one has. */
static void hold_output(const Follow *f, const Kernel *until)
{
    const Kernel *k = f->nest->kernel;
    f->l->nheld = 0;
    hold(f->l, &statement_of(k)->out, value_of(f->nest, &f->o, 0));
    for (int i = 0; i < k->nthen; i++)
        hold(f->l, &k->then[i]->out, value_of(f->nest, &f->o, i + 1));
    for (const Kernel *g = k->followers; g != until; g = g->next)
        if (!adds_to_memory(g) && !is_spread(k, g))
            hold(f->l, &statement_of(g)->out, *follower_value(f, g));
}

/* A follower's expression for the output at hand. */
static const Term *follower_term(const Follow *f, const Kernel *follower, const Statement *s, bool vector)
{
    Lowering *l = f->l;
    const Statement *maker = l->s;
    hold_output(f, follower);
    l->s = s;
    const Term *value = lower_with_operands(l, s->rhs);
    l->s = maker;
    return vector ? as_vector(l, value) : value;
}

static void store_follower(const Follow *f, const Statement *s, const Term *value)
{
    if (f->l->lane >= 0 && depends_on(&s->out, f->l->lane))
        store_value(f->l, f->nest, &s->out, value);
    else
        store_term(f->l, &s->out, value, false);
}

static const Term *lanes_that_count(Lowering *l, const Term *value, bool maximum)
{
    return first_lanes(l, value, maximum ? -HUGE_VAL : 0);
}

/* The elements of the row at hand, one after the other, onto one register; first: what it begins with, or
 * NULL. */
static const Term *lower_row(Follow *f, const Kernel *follower, const char *name, const Term *first,
                             bool across, bool vector)
{
    Lowering *l = f->l;
    const Statement *s = follower->body;
    const int row = f->nest->kernel->row;
    const int64_t count = f->nest->tile.factor[row];
    const bool maximum = s->store == STORE_MAX;
    const Register *all = NULL;
    for (f->o.at[row] = 0; f->o.at[row] < count; f->o.at[row]++) {
        move_to(l, f->nest, &f->o);
        const Term *value = follower_term(f, follower, s, vector);
        if (across)
            value = lanes_that_count(l, value, maximum);
        if (across && count == 1) {
            f->o.at[row] = 0;
            return value;
        }
        if (!all)
            all = let(l, name, count > 1, first ? op_term(OP_ADD, first, value) : value);
        else if (!maximum)
            append(l, (Node){.kind = NODE_ADD, .reg = all, .value = value});
        else {
            const char *other = format("%s_%lld", name, (long long)f->o.at[row]);
            const Term *v = register_term(let(l, other, false, value));
            set_where_greater(l, all, v, all, v);
        }
    }
    f->o.at[row] = 0;
    move_to(l, f->nest, &f->o);
    return register_term(all);
}

/* The sum or the maximum of the row at hand. Where lanes lie along it, their vectors first, then of these
 * one number. */
static void lower_row_number(Follow *f, const Kernel *follower)
{
    Lowering *l = f->l;
    const Statement *s = follower->body;
    bool maximum = s->store == STORE_MAX, across = l->lane == f->nest->kernel->row,
         vector = across || (l->lane >= 0 && depends_on(&s->out, l->lane));
    const char *name = follower_name(f, follower), *lanes = across ? format("all_%s", name) : name;
    const Term *first = NULL;
    if (follower->first && !expr_is(follower->first->rhs, 0))
        first = follower_term(f, follower, follower->first, vector && !across);
    const Term *all = lower_row(f, follower, lanes, across ? NULL : first, across, vector);
    if (across) {
        all = across_term(maximum, all);
        all = register_term(let(l, name, false, first ? op_term(OP_ADD, first, all) : all));
    }
    *follower_value(f, follower) = all;
    if (!follower->dropped[0])
        store_follower(f, s, all);
}

/* At one output: a number, or a vector of them, or where it is spread all of its places. */
static void lower_follower(Follow *f, const Kernel *follower)
{
    Lowering *l = f->l;
    const Statement *s = follower->first, *maker = l->s;
    int outputs = output_indices(statement_of(f->nest->kernel));
    bool vector = l->lane >= 0 && depends_on(&s->out, l->lane);
    for (int i = outputs; i < s->nindex; i++) {
        l->fixed[i] = true;
        l->offset[i] = 0;
    }
    do {
        const Term *value = follower_term(f, follower, s, vector);
        if (!is_spread(f->nest->kernel, follower)) {
            value = register_term(let(l, follower_name(f, follower), false, value));
            *follower_value(f, follower) = value;
        }
        l->s = s;
        if (!follower->dropped[0])
            store_follower(f, s, value);
    } while (next_point(l, outputs, s->nindex));
    l->s = maker;
}

/* All that follows on the row at hand, or where there are no rows on the output; f->o is the first of it. */
static void lower_followers_of_row(Follow *f)
{
    const int row = f->nest->kernel->row;
    for (const Kernel *g = f->nest->kernel->followers; g; g = g->next) {
        if (adds_to_memory(g))
            continue;
        if (g->body) {
            lower_row_number(f, g);
            continue;
        }
        lower_follower(f, g);
        if (row < 0 || !depends_on(&g->first->out, row))
            continue;
        while (++f->o.at[row] < f->nest->tile.factor[row]) {
            move_to(f->l, f->nest, &f->o);
            lower_follower(f, g);
        }
        f->o.at[row] = 0;
        move_to(f->l, f->nest, &f->o);
    }
}

/* A place gets what the outputs that differ in the indices `terms` add to it. */
static void lower_sum_to_place(Follow *f, const Kernel *follower, const char *name, const bool *terms)
{
    Lowering *l = f->l;
    const Statement *s = follower->body, *maker = l->s;
    bool vector = l->lane >= 0 && depends_on(&s->out, l->lane), across = false;
    const Register *sum = NULL;
    do {
        hold_output(f, NULL);
        l->s = s;
        const Term *value = lower_expr(l, s->rhs, false);
        across = !vector && is_vector_term(value);
        value = vector ? as_vector(l, value) : across ? lanes_that_count(l, value, false) : value;
        l->s = maker;
        if (sum)
            append(l, (Node){.kind = NODE_ADD, .reg = sum, .value = value});
        else
            sum = let(l, name, true, value);
    } while (next_along(l, f->nest, terms, &f->o));
    l->s = s;
    const Term *value = register_term(sum);
    if (vector) /* what is in memory comes last: the next tile waits for it */
        store_value(l, f->nest, &s->out, op_term(OP_ADD, lower_load(l, &s->out), value));
    else
        store_term(l, &s->out, across ? across_term(false, value) : value, true);
    l->s = maker;
}

/* What all outputs of a tile add to memory: where that has several places, sum by sum. */
static void lower_sums_to_memory(Follow *f, const Kernel *follower)
{
    const Statement *s = follower->body;
    bool places[MAX_INDEX], terms[MAX_INDEX], more = true;
    for (int i = 0; i < MAX_INDEX; i++) {
        places[i] = depends_on(&s->out, i);
        terms[i] = !places[i] && rhs_depends_on(s, i);
    }
    first_output(f->l, f->nest, &f->o);
    for (int sums = 0; more; sums++) {
        lower_sum_to_place(f, follower, format("%s%d", c_name(s->out.tensor->name), sums), terms);
        more = next_along(f->l, f->nest, places, &f->o);
    }
}

void lower_followers(Lowering *l, const Nest *nest, const Output *outer)
{
    const Kernel *k = nest->kernel;
    const Lowering before = *l;
    Follow f = {.l = l, .nest = nest, .o = *outer};
    int64_t followers = 0;
    for (const Kernel *g = k->followers; g; g = g->next)
        followers++;
    f.value = NEW_ARRAY(const Term *, followers * outputs_held(nest));
    first_output(l, nest, &f.o);
    do
        if (k->row < 0 || !f.o.at[k->row])
            lower_followers_of_row(&f);
    while (next_output(l, nest, &f.o));
    for (const Kernel *g = k->followers; g; g = g->next)
        if (adds_to_memory(g))
            lower_sums_to_memory(&f, g);
    l->nheld = 0;
    memcpy(l->fixed, before.fixed, sizeof l->fixed);
    memcpy(l->offset, before.offset, sizeof l->offset);
}
