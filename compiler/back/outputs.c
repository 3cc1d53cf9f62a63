/* outputs.c: the outputs of a tile: their numbers and names, the loops around, their way to memory.
 *
 * A tile holds a block of outputs in registers, factor[i] of them along each index, along the lane in
 * vectors:
 *
 *     tile 2 y 2 vectors o:      s00 s01        y, o..o+7 and o+8..o+15
 *                                s10 s11        y + 1
 */
#include <string.h>

#include "back/lowering.h"

bool nest_has_vectors(const Nest *nest)
{
    return nest->tile.lane >= 0 && nest->tile.width > 1;
}

bool is_across(const Nest *nest)
{
    return nest_has_vectors(nest) && nest->tile.lane >= output_indices(statement_of(nest->kernel));
}

/* ---- Which output is at hand ----------------------------------------------------------------- */

int64_t outputs_held(const Nest *nest)
{
    int64_t n = 1;
    for (int i = 0; i < MAX_INDEX; i++)
        n *= nest->tile.factor[i];
    return n;
}

void number_output(const Nest *nest, Output *o)
{
    o->row = o->vector = 0;
    for (int i = 0; i < output_indices(statement_of(nest->kernel)); i++)
        if (i == nest->tile.lane)
            o->vector = o->at[i];
        else
            o->row = o->row * nest->tile.factor[i] + o->at[i];
}

int64_t output_number(const Nest *nest, const Output *o)
{
    int64_t number = 0;
    for (int i = 0; i < output_indices(statement_of(nest->kernel)); i++)
        number = number * nest->tile.factor[i] + o->at[i];
    if (number >= outputs_held(nest))
        bug("a tile without output %lld", (long long)number);
    return number;
}

void move_to(Lowering *l, const Nest *nest, Output *o)
{
    int outputs = output_indices(l->s), lane = nest->tile.lane;
    for (int i = 0; i < outputs; i++)
        l->offset[i] = o->base[i] + o->at[i] * (i == lane ? nest->tile.width : 1);
    number_output(nest, o);
    l->partial = lane >= 0 && nest->partial && o->at[lane] == nest->tile.factor[lane] - 1 ? nest->partial : 0;
}

void first_output(Lowering *l, const Nest *nest, Output *o)
{
    memset(o->at, 0, sizeof o->at);
    move_to(l, nest, o);
}

bool next_along(Lowering *l, const Nest *nest, const bool *along, Output *o)
{
    bool more = false;
    for (int i = output_indices(l->s) - 1; i >= 0 && !more; i--) {
        if (!along[i])
            continue;
        more = ++o->at[i] < nest->tile.factor[i];
        o->at[i] = more ? o->at[i] : 0;
    }
    move_to(l, nest, o);
    return more;
}

bool next_output(Lowering *l, const Nest *nest, Output *o)
{
    static const bool all[MAX_INDEX] = {true, true, true, true, true, true, true, true};
    return next_along(l, nest, all, o);
}

const char *output_suffix(const Nest *nest, const Output *o)
{
    const Statement *s = statement_of(nest->kernel);
    int64_t vectors = nest->tile.lane >= 0 ? nest->tile.factor[nest->tile.lane] : 1;
    int64_t held = outputs_held(nest);
    if (is_transform(s)) /* row and column */
        return format("%lld%lld", (long long)o->at[matrix_index(s, 0, true)],
                      (long long)o->at[matrix_index(s, 1, true)]);
    if (held == 1)
        return "";
    if (vectors > 1 && vectors < held)
        return format("%lld%s%lld", (long long)o->row, o->row > 9 ? "_" : "", (long long)o->vector);
    return format("%lld", (long long)(o->row + o->vector));
}

const char *output_name(const Nest *nest, const Output *o)
{
    const Statement *s = statement_of(nest->kernel);
    const char *suffix = output_suffix(nest, o);
    return format("%s%s", s->store == STORE_MAX ? "best" : *suffix ? "s" : "sum", suffix);
}

/* ---- The loops around ------------------------------------------------------------------------ */

void open_index(Lowering *l, const Nest *nest, int i)
{
    Node loop = {.kind = NODE_LOOP, .index = i, .name = l->s->index_name[i], .from = nest->begin[i],
                 .to = nest->begin[i] + nest->count[i], .step = nest->tile.factor[i]};
    if (i == nest->kernel->samples) {
        loop.range = nest->whole ? RANGE_LEFT : RANGE_SAMPLES;
        loop.many = nest->whole;
        loop.step = nest->whole ? 1 : loop.step;
        append_around(l, loop);
        return;
    }
    if (i == nest->tile.lane)
        loop.step *= nest->tile.width;
    if (i == nest->tile.parted) {
        loop.step = nest->tile.parts;
        loop.to = loop.from + nest->count[i] / loop.step * loop.step;
    }
    if (nest->count[i] <= loop.step) {
        l->fixed[i] = true;
        l->offset[i] = nest->begin[i];
        return;
    }
    if (i == nest->tile.blocked) {
        loop.range = RANGE_BLOCK;
        loop.many = nest->tile.block;
    }
    append_around(l, loop);
}

static void open_outputs(Lowering *l, const Nest *nest)
{
    const int i = nest->tile.blocked;
    int order[MAX_INDEX], n = loops_in_order(nest->kernel, &nest->tile, order);
    if (i >= 0)
        append_around(l, (Node){.kind = NODE_LOOP, .range = RANGE_BLOCKS, .index = i,
                                .name = format("%s0", l->s->index_name[i]), .from = nest->begin[i],
                                .to = nest->begin[i] + nest->count[i], .step = nest->tile.block});
    for (int at = 0; at < n; at++)
        open_index(l, nest, order[at]);
}

void open_tile(Lowering *l, Nest *nest, Output *o, bool block)
{
    Node **begin = l->end;
    begin_statement(l, statement_of(nest->kernel));
    l->lane = nest_has_vectors(nest) ? nest->tile.lane : -1;
    l->width = (int)nest->tile.width;
    nest->value = NEW_ARRAY(const Term *, outputs_held(nest) * (MAX_THEN + 1));
    open_outputs(l, nest);
    if (block && l->end == begin)
        append_around(l, (Node){.kind = NODE_BLOCK});
    memset(o, 0, sizeof *o);
    memcpy(o->base, l->offset, sizeof o->base);
    first_output(l, nest, o);
}

/* ---- Values and their way to memory ---------------------------------------------------------- */

/* Does a vector that is stored whole at the end of a row write only into that row's padding? */
static bool ends_in_padding(Lowering *l, const Access *access)
{
    const Tensor *t = access->tensor;
    int d = t->rank - 1;
    if (d < 0 || t->before[d])
        return false;
    Affine only = affine(access->at[d].constant);
    only.coefficient[l->lane] = 1;
    int64_t begin = access->at[d].constant + l->offset[l->lane];
    return affine_equal(&only, &access->at[d]) && l->fixed[l->lane] && begin + l->partial == t->dim[d]
        && begin + l->width <= t->room[d];
}

/* The padding of values means nothing, that of weights and gradients is zero. */
void store_value(Lowering *l, const Nest *nest, const Access *access, const Term *value)
{
    Node store = {.kind = NODE_STORE, .place = place_of(l, access), .value = value, .width = value->width};
    if (nest_has_vectors(nest)) {
        store.first = (int)l->partial;
        store.whole = l->partial && ends_in_padding(l, access);
        store.value = as_vector(l, value);
        store.width = l->width;
        if (store.whole && !is_own(access->tensor))
            store.value = first_lanes(l, store.value, 0);
    }
    append(l, store);
}

const Term *value_of(const Nest *nest, const Output *o, int then)
{
    return nest->value[output_number(nest, o) * (MAX_THEN + 1) + then];
}

void lower_results(Lowering *l, const Nest *nest, const Output *o, const char *name, const Term *value)
{
    const Kernel *k = nest->kernel;
    const Term **values = &nest->value[output_number(nest, o) * (MAX_THEN + 1)];
    const Access *made = &statement_of(k)->out;
    values[0] = value;
    if (!k->dropped[0])
        store_value(l, nest, made, value);
    for (int i = 0; i < k->nthen; i++) {
        hold(l, made, value);
        value = lower_with_operands(l, k->then[i]->rhs);
        value = nest_has_vectors(nest) ? as_vector(l, value) : value;
        l->nheld = 0;
        if (i + 1 < k->nthen || k->window || k->followers)
            value = register_term(let(l, format("then%d_%s", i + 1, name), false, value));
        made = &k->then[i]->out;
        values[i + 1] = value;
        if (!k->dropped[i + 1])
            store_value(l, nest, made, value);
    }
}
