/* tiles.c: nests with tiles: outputs in named registers, one index in the lanes of vectors, taps written out.
 *
 *     nest:     out[o] = bias[o]     out[o] += w[c, o] * in[c]     for o<16 c<4     tile 2 vectors o
 *
 *     nodes:    LET s0 = LOAD bias[0]      LET s1 = LOAD bias[8]
 *               LOOP c
 *                   LET v0 = LOAD w[c, 0]      LET a1 = in[c]      ADD s0, v0 * a1
 *                   LET v2 = LOAD w[c, 8]      ADD s1, v2 * a1
 *               STORE out[0] = s0      STORE out[8] = s1
 *
 * What a tile's factors leave over of a region is a nest of its own. In straight-line code each tile is one,
 * in which every index is a number. */
#include <math.h>
#include <string.h>

#include "back/lowering.h"

/* The registers of a tile's sums or maxima, by output and partial sum. */
typedef struct Sum {
    const Register *reg;
    const Register *v;   /* of a maximum: the point at hand, */
    const Register *at;  /* and which the greatest was; NULL: nobody asks */
} Sum;

static Sum *sum_at(Sum *sums, const Nest *nest, const Output *o, int64_t part)
{
    return &sums[output_number(nest, o) * nest->tile.parts + part];
}

/* A number in each lane, or in one. */
static const Term *in_tile(Lowering *l, const Nest *nest, const Term *value)
{
    return nest_has_vectors(nest) ? as_vector(l, value) : value;
}

/* ---- Accumulation ---------------------------------------------------------------------------- */

static const Term *first_value(Lowering *l, const Nest *nest, int64_t part)
{
    const Kernel *k = nest->kernel;
    if (part || (k->first && expr_is(k->first->rhs, 0)) || (is_across(nest) && k->body->store == STORE_ADD))
        return new_term((Term){.kind = TERM_NUMBER, .width = nest_has_vectors(nest) ? l->width : 1});
    if (k->body->store == STORE_MAX)
        return in_tile(l, nest, number_term(-INFINITY, false));
    return in_tile(l, nest, k->first ? lower_with_operands(l, k->first->rhs) : lower_load(l, &k->body->out));
}

static void begin_sum(Lowering *l, const Nest *nest, const Output *o, int64_t part, Sum *sum)
{
    const Statement *s = nest->kernel->body;
    const char *letter = part ? format("%c", (int)('a' + part)) : "";
    const char *suffix = format("%s%s", output_suffix(nest, o), letter);
    const char *name = format("%s%s%s", is_across(nest) ? "all_" : "", output_name(nest, o), letter);
    sum->reg = let(l, name, true, first_value(l, nest, part));
    if (s->store != STORE_MAX)
        return;
    Register *v = new_register(l, format("v%s", suffix), true);
    v->width = sum->reg->width;
    append(l, (Node){.kind = NODE_LET, .reg = v});
    sum->v = v;
    if (s->position)
        sum->at = let(l, format("at%s", suffix), true, in_tile(l, nest, number_term(-1, false)));
}

/* One accumulation at the point at hand. */
static void accumulate(Lowering *l, const Nest *nest, const Sum *sum)
{
    const Statement *s = nest->kernel->body;
    const bool maximum = s->store == STORE_MAX;
    l->sharing = !maximum && outputs_held(nest) > 1;
    const Term *value = in_tile(l, nest, lower_with_operands(l, s->rhs));
    l->sharing = false;
    if (is_across(nest))
        value = first_lanes(l, value, maximum ? -INFINITY : 0);
    if (!maximum) {
        append(l, (Node){.kind = NODE_ADD, .reg = sum->reg, .value = value});
        return;
    }
    append(l, (Node){.kind = NODE_SET, .reg = sum->v, .value = value});
    const Term *v = register_term(sum->v);
    if (sum->at)
        set_where_greater(l, sum->at, v, sum->reg, in_tile(l, nest, number_of_point(l)));
    set_where_greater(l, sum->reg, v, sum->reg, v);
}

/* The partial sum to which the point at hand goes, where the index that is parted is written out. */
static int64_t part_at(Lowering *l, const Nest *nest)
{
    int i = nest->tile.parted;
    return i >= 0 && nest->tile.unrolled[i] ? (l->offset[i] - nest->begin[i]) % nest->tile.parts : 0;
}

static bool reads_constants_along(const Expr *e, int i)
{
    bool reads = e->op == OP_LOAD && e->access.tensor->role == TENSOR_CONSTANT && depends_on(&e->access, i);
    for (int k = 0; k < op_info[e->op].arity; k++)
        reads |= reads_constants_along(e->arg[k], i);
    return reads;
}

/* Taps that are the same but for their numbers are a loop, which the C compiler writes out. Constants are
 * numbers only where taps are written out here, and so are those that go to one partial sum or another. */
static bool in_loop(const Nest *nest, int i)
{
    const Statement *s = nest->kernel->body;
    return nest->tile.unrolled[i] && !nest->written_out && nest->count[i] > 1 && s->store == STORE_ADD
        && i != nest->tile.parted && !reads_constants_along(s->rhs, i);
}

/* The next of the taps that are written out. */
static bool next_tap(Lowering *l, const Nest *nest)
{
    for (int i = l->s->nindex - 1; i >= output_indices(l->s); i--)
        if (nest->tile.unrolled[i] && !in_loop(nest, i)) {
            if (++l->offset[i] < nest->begin[i] + nest->count[i])
                return true;
            l->offset[i] = nest->begin[i];
        }
    return false;
}

/* For each tap that is written out, and each partial sum, all outputs of the tile. */
static void lower_taps(Lowering *l, const Nest *nest, Sum *sums, Output *o, bool parts)
{
    const Statement *s = nest->kernel->body;
    const Tile *tile = &nest->tile;
    const bool looped = tile->parted >= 0 && !tile->unrolled[tile->parted];
    int64_t taps = 1, from = looped ? l->offset[tile->parted] : 0;
    Node **loops = l->end;
    for (int i = output_indices(s); i < s->nindex; i++) {
        const bool loop = in_loop(nest, i);
        if (!tile->unrolled[i])
            continue;
        l->fixed[i] = !loop;
        l->offset[i] = loop ? 0 : nest->begin[i];
        taps *= loop ? 1 : nest->count[i];
        if (loop)
            append_around(l, (Node){.kind = NODE_LOOP, .index = i, .name = s->index_name[i],
                                    .from = nest->begin[i], .to = nest->begin[i] + nest->count[i], .step = 1,
                                    .unrolled = true});
    }
    bool blocks = outputs_held(nest) > 1 && s->store == STORE_ADD
               && (taps > 1 || (parts && looped && tile->parts > 1));
    do {
        for (int64_t part = 0; part < (parts && looped ? tile->parts : 1); part++) {
            Node **begin = l->end;
            if (looped)
                l->offset[tile->parted] = from + part;
            l->nshared = 0;
            if (blocks)
                append_around(l, (Node){.kind = NODE_BLOCK});
            Node **accumulated = l->end;
            first_output(l, nest, o);
            do
                accumulate(l, nest, sum_at(sums, nest, o, looped ? part : part_at(l, nest)));
            while (next_output(l, nest, o));
            name_shared(l, accumulated);
            if (blocks)
                append_behind(l, begin);
        }
        if (looped)
            l->offset[tile->parted] = from;
    } while (next_tap(l, nest));
    append_behind(l, loops);
}

/* The loop over partial sums: whole rounds of them, then the terms that are left over. */
static void lower_parts(Lowering *l, const Nest *nest, Sum *sums, Output *o)
{
    int i = nest->tile.parted;
    int64_t whole = nest->count[i] / nest->tile.parts * nest->tile.parts;
    Node **begin = l->end;
    open_index(l, nest, i);
    lower_taps(l, nest, sums, o, true);
    append_behind(l, begin);
    Nest rest = *nest;
    rest.begin[i] += whole;
    rest.count[i] -= whole;
    rest.tile.parted = -1;
    l->fixed[i] = false;
    l->offset[i] = 0;
    if (!rest.count[i])
        return;
    begin = l->end;
    open_index(l, &rest, i);
    lower_taps(l, &rest, sums, o, false);
    append_behind(l, begin);
}

static void lower_reduction(Lowering *l, const Nest *nest, Sum *sums, Output *o)
{
    const Statement *s = nest->kernel->body;
    const Tile *tile = &nest->tile;
    Node **begin = l->end;
    for (int i = output_indices(s); i < s->nindex; i++)
        if (!tile->unrolled[i] && i != tile->parted)
            open_index(l, nest, i);
    if (tile->parted >= 0 && !tile->unrolled[tile->parted])
        lower_parts(l, nest, sums, o);
    else
        lower_taps(l, nest, sums, o, true);
    append_behind(l, begin);
}

/* In a block of its own, since a loop of one round is none. */
static void lower_part_of_reduction(Lowering *l, const Nest *nest, Sum *sums, Output *o)
{
    Node **begin = l->end;
    if (outputs_held(nest) > 1 && nest->kernel->body->store == STORE_ADD)
        append_around(l, (Node){.kind = NODE_BLOCK});
    lower_reduction(l, nest, sums, o);
    append_behind(l, begin);
}

/* All of the reduction; where lanes lie over it, whole vectors, then what is left over. */
static void lower_whole_reduction(Lowering *l, const Nest *nest, Sum *sums, Output *o)
{
    int lane = nest->tile.lane;
    Nest whole = *nest, rest = *nest;
    rest.partial = is_across(nest) ? nest->count[lane] % nest->tile.width : 0;
    if (!rest.partial) {
        lower_reduction(l, nest, sums, o);
        return;
    }
    whole.count[lane] -= rest.partial;
    lower_part_of_reduction(l, &whole, sums, o);
    rest.begin[lane] += whole.count[lane];
    rest.count[lane] = nest->tile.width;
    for (int i = output_indices(l->s); i < l->s->nindex; i++) {
        l->fixed[i] = false;
        l->offset[i] = 0;
    }
    lower_part_of_reduction(l, &rest, sums, o);
    l->partial = 0;
}

/* ---- Nests ----------------------------------------------------------------------------------- */

/* What the lanes give together, with the first value: a number. */
static const Register *add_up_lanes(Lowering *l, const Nest *flat, const Output *o, const Register *lanes)
{
    const Kernel *k = flat->kernel;
    const bool maximum = k->body->store == STORE_MAX;
    const Term *all = across_term(maximum, register_term(lanes));
    l->lane = -1;
    l->partial = 0;
    if (!maximum && !(k->first && expr_is(k->first->rhs, 0)))
        all = op_term(OP_ADD,
                      k->first ? lower_with_operands(l, k->first->rhs) : lower_load(l, &k->body->out), all);
    return let(l, output_name(flat, o), false, all);
}

static void add_up_parts(Lowering *l, const Nest *nest, const Sum *sum)
{
    const Term *others = NULL;
    for (int64_t part = 1; part < nest->tile.parts; part++) {
        const Term *other = register_term(sum[part].reg);
        others = others ? op_term(OP_ADD, others, other) : other;
    }
    if (others)
        append(l, (Node){.kind = NODE_ADD, .reg = sum->reg, .value = others});
}

static void lower_sums(Lowering *l, Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body;
    Node **begin = l->end;
    Output o;
    Sum *sums = NEW_ARRAY(Sum, outputs_held(nest) * nest->tile.parts);
    open_tile(l, nest, &o, true);
    do
        for (int64_t part = 0; part < nest->tile.parts; part++)
            begin_sum(l, nest, &o, part, sum_at(sums, nest, &o, part));
    while (next_output(l, nest, &o));
    lower_whole_reduction(l, nest, sums, &o);
    Nest flat = *nest; /* without the lanes that are added up */
    if (is_across(nest)) {
        flat.tile.lane = -1;
        flat.tile.width = 1;
    }
    first_output(l, nest, &o);
    do {
        const Sum *sum = sum_at(sums, nest, &o, 0);
        const Register *reg = sum->reg;
        add_up_parts(l, nest, sum);
        if (is_across(nest))
            reg = add_up_lanes(l, &flat, &o, reg);
        lower_results(l, &flat, &o, reg->name, register_term(reg));
        if (sum->at) {
            Access position = same_place(s->out, s->position);
            store_value(l, &flat, &position, register_term(sum->at));
        }
    } while (next_output(l, nest, &o));
    if (k->window)
        lower_windows(l, &flat, &o, -1);
    if (k->followers)
        lower_followers(l, &flat, &o);
    append_behind(l, begin);
}

/* A nest without a sum: each output is computed and stored. */
static void lower_elements(Lowering *l, Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->first;
    const bool more = k->nthen || k->window || k->followers;
    Node **begin = l->end;
    Output o;
    open_tile(l, nest, &o, more || (!nest_has_vectors(nest) && reads_in_branch(s->rhs)));
    do {
        const char *name = output_name(nest, &o);
        const Term *value = in_tile(l, nest, lower_with_operands(l, s->rhs));
        lower_results(l, nest, &o, name, more ? register_term(let(l, name, false, value)) : value);
    } while (next_output(l, nest, &o));
    if (k->window)
        lower_windows(l, nest, &o, -1);
    if (k->followers)
        lower_followers(l, nest, &o);
    append_behind(l, begin);
}

/* ---- Between samples and lanes --------------------------------------------------------------- */

static void open_elements(Lowering *l, const Nest *nest, int indices)
{
    for (int i = 0; i < indices; i++) {
        l->fixed[i] = false;
        l->offset[i] = 0;
        open_index(l, nest, i);
    }
}

/* Into the lanes what a group of samples begins with, as whole vectors where all samples are there. */
static void lower_samples(Lowering *l, const Nest *nest)
{
    const Statement *s = nest->kernel->first;
    const Access *from = &s->rhs->access;
    const int lane = s->nindex - 1;
    const bool apart = stride_of(from, lane) > 1;
    begin_statement(l, s);
    const Term *at_hand = new_term((Term){.kind = TERM_OP, .op = OP_AT_HAND, .is_int = true});
    const Term *all_there = new_term((Term){.kind = TERM_EQUAL, .is_int = true,
                                            .arg = {at_hand, number_term((double)s->extent[lane], true)}});
    Node *when = append(l, (Node){.kind = NODE_WHEN, .value = all_there});
    Node **behind = l->end;
    l->end = &when->body;
    open_elements(l, nest, lane + !apart);
    if (apart)
        l->fixed[lane] = true;
    Term element = {.kind = apart ? TERM_EACH : TERM_LOAD, .place = place_of(l, from),
                    .width = apart ? (int)s->extent[lane] : 1, .is_int = from->tensor->is_int};
    store_term(l, &s->out, new_term(element), false);
    l->end = &when->otherwise;
    open_elements(l, nest, lane + 1);
    store_term(l, &s->out, lower_load(l, from), false);
    l->end = behind;
}

/* What the lanes have summed up is added up. */
static void lower_sum_of_lanes(Lowering *l, const Nest *nest)
{
    const Statement *s = nest->kernel->body;
    const int lane = s->nindex - 1;
    Node **begin = l->end;
    begin_statement(l, s);
    open_elements(l, nest, output_indices(s));
    l->fixed[lane] = true;
    Term lanes = {.kind = TERM_LOAD, .place = place_of(l, &s->rhs->access), .width = (int)s->extent[lane]};
    store_term(l, &s->out, across_term(false, new_term(lanes)), true);
    append_behind(l, begin);
}

static void lower_nest(Lowering *l, Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = statement_of(k);
    if (takes_samples_in(s))
        lower_samples(l, nest);
    else if (adds_up_lanes(s))
        lower_sum_of_lanes(l, nest);
    else if (!k->body)
        lower_elements(l, nest);
    else if (is_transform(s))
        lower_transform(l, nest);
    else
        lower_sums(l, nest);
}

/* ---- Regions --------------------------------------------------------------------------------- */

/* Each tile is a block of straight-line code, in which what is loaded lives no longer than it is needed. */
static void lower_written_out(Lowering *l, Nest nest)
{
    const Statement *s = statement_of(nest.kernel);
    int outputs = output_indices(s);
    for (int i = 0; i < outputs; i++) {
        int64_t step = nest.tile.factor[i] * (i == nest.tile.lane ? nest.tile.width : 1);
        int64_t end = nest.begin[i] + nest.count[i];
        if (nest.count[i] <= step)
            continue;
        for (nest.count[i] = step; nest.begin[i] < end; nest.begin[i] += step)
            lower_written_out(l, nest);
        return;
    }
    int64_t points = outputs_held(&nest);
    nest.tile.blocked = -1;
    nest.written_out = true;
    for (int i = outputs; i < s->nindex; i++) {
        nest.tile.unrolled[i] = true;
        points *= nest.count[i];
    }
    Node **begin = l->end;
    lower_nest(l, &nest);
    (*begin)->points = points;
}

static void lower_as_told(Lowering *l, const Nest *nest, Unroll unroll)
{
    Nest copy = *nest;
    if (unroll == UNROLL_FULL)
        lower_written_out(l, copy);
    else
        lower_nest(l, &copy);
}

/* Cuts a nest at the last whole multiple of its factors; the rests are nests of their own. */
static void lower_with_tails(Lowering *l, Nest nest, Unroll unroll)
{
    Tile *tile = &nest.tile;
    int outputs = output_indices(statement_of(nest.kernel));
    for (int i = 0; i < outputs; i++) {
        bool lane = i == tile->lane;
        int64_t width = lane ? tile->width : 1, step = tile->factor[i] * width;
        int64_t rest_count = nest.count[i] % step;
        if (i == nest.kernel->samples || !rest_count || (lane && nest.partial))
            continue;
        Nest rest = nest;
        rest.begin[i] += nest.count[i] - rest_count;
        rest.count[i] = rest_count;
        rest.tile.factor[i] = (rest_count + width - 1) / width;
        rest.count[i] = rest.tile.factor[i] * width;
        if (lane)
            rest.partial = rest_count % width;
        nest.count[i] -= rest_count;
        if (nest.count[i])
            lower_with_tails(l, nest, unroll);
        lower_with_tails(l, rest, unroll);
        return;
    }
    lower_as_told(l, &nest, unroll);
}

/* A region whose taps all lie outside: out gets its first value, or -inf. */
static void lower_empty_region(Lowering *l, const Kernel *k, const Region *r, Unroll unroll)
{
    const Statement *s = k->body;
    Statement *first = NEW(Statement), *position = NEW(Statement);
    *first = *s;
    first->nindex = output_indices(s);
    first->store = STORE_SET;
    first->rhs = s->store == STORE_MAX ? constant(-INFINITY) : k->first ? k->first->rhs : NULL;
    Kernel fill = {
        .first = first, .nthen = k->nthen, .followers = k->followers, .row = k->row, .samples = k->samples};
    memcpy(fill.then, k->then, sizeof fill.then);
    memcpy(fill.dropped, k->dropped, sizeof fill.dropped);
    Nest nest = {.kernel = &fill, .tile = no_tile()};
    memcpy(nest.begin, r->begin, sizeof nest.begin);
    memcpy(nest.count, r->count, sizeof nest.count);
    if (!first->rhs)
        return;
    lower_as_told(l, &nest, unroll);
    if (s->position) {
        *position = *first;
        position->out = same_place(first->out, s->position);
        position->rhs = constant(-1);
        Kernel positions = {.first = position, .row = -1, .samples = k->samples};
        nest.kernel = &positions;
        lower_as_told(l, &nest, unroll);
    }
}

void lower_tiles(const Kernel *k, Unroll unroll, int64_t step, Numbering *numbering, Node **end)
{
    const Statement *s = statement_of(k);
    Nest nest = {.kernel = k, .tile = no_tile()};
    Lowering *l = NEW(Lowering);
    *l = (Lowering){.numbering = numbering, .end = end, .step = step};
    for (int i = 0; i < s->nindex; i++)
        nest.count[i] = s->extent[i];
    if (!k->regions)
        lower_nest(l, &nest);
    for (const Region *r = k->regions; r; r = r->next) {
        if (r->empty) {
            lower_empty_region(l, k, r, unroll);
            continue;
        }
        memcpy(nest.begin, r->begin, sizeof nest.begin);
        memcpy(nest.count, r->count, sizeof nest.count);
        nest.tile = r->tile;
        nest.whole = 0;
        lower_with_tails(l, nest, unroll);
        if (k->samples >= 0 && k->samples < output_indices(s) && r->tile.factor[k->samples] > 1) {
            nest.whole = r->tile.factor[k->samples];
            nest.tile = r->rest;
            lower_with_tails(l, nest, unroll);
        }
    }
}
