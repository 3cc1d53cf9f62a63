/* verify_loops.c: what must hold of the nodes of a nest, whatever rewrote them. A breach is a bug of ours.
 *
 * - Each load and store lies within its tensor's room, by the ranges of the loops around and the tests; only
 *   where plan leaves room behind a tensor, a vector that is read may reach there.
 * - Numbers and vectors are not confused.
 * - The function is given each tensor that is touched, to write where it is written.
 * - A register is defined once, has a value before it is read, and is no constant where it changes.
 * - Each element of a nest's output is stored once: every loop around a store moves it to another place, and
 *   all of its stores together are as many as the outputs. (Not so where memory is added to, or tests leave
 *   out points.) */
#include <stdlib.h>
#include <string.h>

#include "back/loops.h"

typedef enum RegisterState { UNDEFINED, NO_VALUE, HAS_VALUE } RegisterState;

typedef struct Check {
    const Function *function;
    const Kernel *kernel;
    const Node *around[2 * MAX_TERMS + MAX_INDEX]; /* loops, tests and windows, the outermost first */
    int naround;
    RegisterState *state; /* by number */
    int room;
    int64_t stored[2];   /* elements of the output and of the position of a maximum */
    bool tested;         /* some store is behind a test */
} Check;

/* ---- Places ---------------------------------------------------------------------------------- */

/* The first value of a loop's index and the last, where as many samples are at hand as can be. */
static int64_t first_value(const Node *loop)
{
    return loop->range == RANGE_LEFT ? loop->to - loop->to % loop->many : loop->from;
}

static int64_t last_value(const Node *loop)
{
    const int64_t to = loop->range == RANGE_SAMPLES ? loop->to / loop->step * loop->step : loop->to;
    return loop->from + (to - 1 - loop->from) / loop->step * loop->step;
}

static int64_t rounds(const Node *loop)
{
    return (last_value(loop) - first_value(loop)) / loop->step + 1;
}

/* By how much an index is divided in what is inside around[inside]. */
static int64_t divided_by(const Check *c, int index, int inside)
{
    int64_t per = 1;
    for (int i = inside + 1; i < c->naround; i++)
        if (c->around[i]->kind == NODE_WINDOWS)
            per *= c->around[i]->per[index];
    return per;
}

static int loop_of(const Check *c, int index)
{
    for (int i = c->naround - 1; i >= 0; i--)
        if (c->around[i]->kind == NODE_LOOP && c->around[i]->index == index)
            return i;
    return -1;
}

/* All values of an index: with fewer samples at hand, other ones are left over. */
static void index_range(const Check *c, int index, int64_t *from, int64_t *last)
{
    const int i = loop_of(c, index);
    if (index == BLOCK && c->kernel->blocks) { /* function.c opens that loop */
        *from = 0;
        *last = c->kernel->blocks - 1;
        return;
    }
    if (index == STEP && c->kernel->recurrence) { /* and that */
        *from = 0;
        *last = c->kernel->recurrence->steps - 1;
        return;
    }
    if (i < 0)
        bug("%s: a nest uses an index without a loop", c->function->name);
    const int64_t per = divided_by(c, index, i);
    if (c->around[i]->from % per || c->around[i]->step % per)
        bug("%s: windows begin between two values of %s", c->function->name, c->around[i]->name);
    *from = c->around[i]->from / per;
    *last = last_value(c->around[i]) / per;
}

/* The least and the greatest value, as the loops say, and where there is a test of that very form, the
 * test. */
static void range_of(const Check *c, const Affine *a, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < MAX_TERMS; i++) {
        int64_t k = a->coefficient[i], from, last;
        if (!k)
            continue;
        index_range(c, i, &from, &last);
        *least += k * (k < 0 ? last : from);
        *most += k * (k < 0 ? from : last);
    }
    for (int i = 0; i < c->naround; i++)
        for (const Test *t = c->around[i]->tests; t; t = t->next)
            if (affine_equal(&t->at, a)) {
                *least = !t->end && *least < 0 ? 0 : *least;
                *most = t->end && *most >= t->end ? t->end - 1 : *most;
            }
}

/* Is there room behind the last element for the rest of a vector that is read? */
static bool has_room_behind(const Tensor *t)
{
    return t->overrun || (is_own(t) && (t->per_sample || t->of));
}

/* lanes: floats that are touched from there on. */
static void check_place(const Check *c, const Access *place, bool written, int lanes)
{
    const Tensor *t = place->tensor;
    bool given = t->role == TENSOR_CONSTANT && !written;
    for (int i = 0; i < c->function->nparams; i++)
        given |= c->function->param[i] == t && (!written || c->function->param_written[i]);
    if (!given)
        bug("%s: the function is not given %s", c->function->name, t->name);
    for (int d = 0; d < t->rank; d++) {
        int64_t least, most;
        range_of(c, &place->at[d], &least, &most);
        if (least < -t->before[d] || most >= t->room[d] - t->before[d])
            bug("%s: dimension %d of %s, %lld to %lld, lies outside", c->function->name, d, t->name,
                (long long)least, (long long)most);
    }
    if (lanes > 1 && (written || !has_room_behind(t))) {
        int64_t least, most;
        Affine at = position_of(*place);
        range_of(c, &at, &least, &most);
        if (most + lanes > t->floats)
            bug("%s: a vector reaches behind %s", c->function->name, t->name);
    }
}

/* ---- Registers ------------------------------------------------------------------------------- */

static RegisterState *state_of(Check *c, const Register *reg)
{
    if (reg->number >= c->room) {
        const int room = 2 * reg->number + 64;
        RegisterState *state = NEW_ARRAY(RegisterState, room);
        if (c->room)
            memcpy(state, c->state, (size_t)c->room * sizeof *state);
        c->state = state;
        c->room = room;
    }
    return &c->state[reg->number];
}

static void define(Check *c, const Register *reg, bool has_value)
{
    if (*state_of(c, reg) != UNDEFINED)
        bug("%s: register %s is defined twice", c->function->name, reg->name);
    *state_of(c, reg) = has_value ? HAS_VALUE : NO_VALUE;
}

static void change(Check *c, const Register *reg, bool reads)
{
    RegisterState *state = state_of(c, reg);
    if (*state == UNDEFINED || !reg->changes || (reads && *state == NO_VALUE))
        bug("%s: register %s cannot be changed here", c->function->name, reg->name);
    *state = HAS_VALUE;
}

static void check_place_in_array(const Check *c, const Register *reg, const Affine *at)
{
    for (int d = 0; reg->rows && d < 2; d++) {
        int64_t least, most;
        range_of(c, &at[d], &least, &most);
        if (least < 0 || most >= (d ? reg->columns : reg->rows))
            bug("%s: %lld to %lld of register %s", c->function->name, (long long)least, (long long)most,
                reg->name);
    }
}

static void check_term(Check *c, const Term *v)
{
    int64_t least, most;
    if (v->kind == TERM_LOAD || v->kind == TERM_EACH)
        check_place(c, v->place, false, v->kind == TERM_EACH ? 1 : v->first ? v->first : v->width);
    if (v->affine)
        range_of(c, v->affine, &least, &most);
    if (v->kind == TERM_REGISTER && (*state_of(c, v->reg) != HAS_VALUE || v->width != v->reg->width))
        bug("%s: register %s has no value where it is read", c->function->name, v->reg->name);
    if (v->kind == TERM_REGISTER)
        check_place_in_array(c, v->reg, v->affine);
    for (int k = 0; k < 4 && v->arg[k]; k++) {
        const bool vector = v->arg[k]->width > 1, wanted = v->width > 1;
        if (vector && !wanted && v->kind != TERM_SUM && v->kind != TERM_GREATEST)
            bug("%s: a number is made of a vector", c->function->name);
        check_term(c, v->arg[k]);
    }
}

/* ---- Stores ---------------------------------------------------------------------------------- */

/* Does each round store elsewhere? Blocks of a sum go on with what the round before has stored. */
static bool counts(const Node *n)
{
    return n->kind == NODE_LOOP && n->range != RANGE_BLOCKS && rounds(n) != 1;
}

/* The loop around that steps by the least, of those that step by more than `than`. */
static int64_t next_step(const Check *c, const Affine *at, int64_t than, int64_t *reach)
{
    int64_t least = 0;
    for (int i = 0; i < c->naround; i++) {
        const Node *loop = c->around[i];
        if (!counts(loop))
            continue;
        const int64_t k = llabs(at->coefficient[loop->index]), per = divided_by(c, loop->index, i);
        if (k * loop->step / per <= than || (least && k * loop->step / per >= least))
            continue;
        least = k * loop->step / per;
        *reach = k * (last_value(loop) - first_value(loop)) / per;
    }
    return least;
}

/* From the smallest step up, each loop must step over all that the smaller ones reach. Gives how often it
 * runs. */
static int64_t check_once(const Check *c, const Access *place)
{
    Affine at = position_of(*place);
    int64_t times = 1, reached = 0, reach = 0, step = 0;
    int loops = 0;
    for (int i = 0; i < c->naround; i++)
        if (counts(c->around[i])) {
            times *= rounds(c->around[i]);
            loops++;
        }
    while ((step = next_step(c, &at, step, &reach))) {
        if (step <= reached)
            bug("%s: %s is stored twice", c->function->name, place->tensor->name);
        reached += reach;
        loops--;
    }
    if (loops)
        bug("%s: %s is stored again and again", c->function->name, place->tensor->name);
    return times;
}

/* Is what is in memory a part of the new value? Of a statement that sets it, once, it may be the old one. */
static bool adds_to_memory_at(const Statement *s, const Node *n)
{
    if (n->place->tensor == s->out.tensor && s->store == STORE_SET)
        return false;
    const Term *old = n->value->kind == TERM_OP && n->value->op == OP_ADD ? n->value->arg[0] : NULL;
    return n->adds || (old && old->kind == TERM_LOAD && access_equal(old->place, n->place));
}

static void check_store(Check *c, const Node *n)
{
    const Statement *s = statement_of(c->kernel);
    const int lanes = n->first ? n->first : n->width;
    check_place(c, n->place, true, n->whole ? n->width : lanes);
    if (n->value->width > n->width)
        bug("%s: a number of %s is stored as a vector", c->function->name, n->place->tensor->name);
    for (int i = 0; i < c->naround; i++)
        c->tested |= c->around[i]->kind == NODE_WHEN;
    if (adds_to_memory_at(s, n))
        return;
    int64_t times = check_once(c, n->place) * lanes;
    c->stored[0] += n->place->tensor == s->out.tensor ? times : 0;
    c->stored[1] += n->place->tensor == s->position ? times : 0;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void check_nodes(Check *c, const Node *nodes)
{
    for (const Node *n = nodes; n; n = n->next) {
        for (const Test *t = n->tests; t; t = t->next) {
            int64_t least, most;
            range_of(c, &t->at, &least, &most);
        }
        if (n->value)
            check_term(c, n->value);
        if (n->value && n->reg && n->value->width > n->reg->width)
            bug("%s: register %s is too narrow", c->function->name, n->reg->name);
        if (n->kind == NODE_LET)
            define(c, n->reg, n->value != NULL);
        if (n->kind == NODE_SET || n->kind == NODE_ADD) {
            change(c, n->reg, n->kind == NODE_ADD);
            check_place_in_array(c, n->reg, n->at);
        }
        if (n->kind == NODE_STORE)
            check_store(c, n);
        if (n->kind == NODE_FILL)
            c->stored[0] += n->place->tensor->count;
        if (n->kind == NODE_LOOP && (n->step < 1 || n->from >= n->to))
            bug("%s: a loop that never runs", c->function->name);
        const bool around = n->kind == NODE_LOOP || n->kind == NODE_WHEN || n->kind == NODE_WINDOWS;
        if (around)
            c->around[c->naround++] = n;
        check_nodes(c, n->body);
        check_nodes(c, n->otherwise);
        c->naround -= around;
    }
    for (const Node *n = nodes; n; n = n->next) /* nobody sees them any more */
        if (n->kind == NODE_LET)
            *state_of(c, n->reg) = UNDEFINED;
}

/* Outputs that a nest stores: those of each of its regions. */
static int64_t outputs_of(const Kernel *k)
{
    const Statement *s = statement_of(k);
    const int outputs = output_indices(s);
    int64_t sum = 0, all = 1;
    for (int i = 0; i < outputs; i++)
        all *= s->extent[i];
    for (const Region *r = k->regions; r; r = r->next) {
        int64_t volume = !r->empty || k->first || s->store == STORE_MAX;
        for (int i = 0; i < outputs; i++)
            volume *= r->count[i];
        sum += volume;
    }
    return k->regions ? sum : all;
}

void verify_loops(const Function *f, const Kernel *k, const Node *nodes)
{
    Check c = {.function = f, .kernel = k};
    const Statement *s = statement_of(k);
    const int64_t outputs = outputs_of(k);
    check_nodes(&c, nodes);
    if (!c.tested && c.stored[0] && c.stored[0] != outputs)
        bug("%s: %s is stored %lld times, not %lld", f->name, s->out.tensor->name, (long long)c.stored[0],
            (long long)outputs);
    if (s->position && c.stored[0] && c.stored[1] != c.stored[0])
        bug("%s: %s is not stored with its maximum", f->name, s->position->name);
}
