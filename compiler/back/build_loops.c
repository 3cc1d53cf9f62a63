/* build_loops.c: what all that lowers nests builds with: terms of expressions, registers, places.
 *
 * Each index of a statement is a loop, a number, or lies in the lanes of a vector. An expression becomes a
 * vector where something in it varies from lane to lane; what does not stays a number.
 *
 * What a conditional expression reads in only one of its branches is read before it: gcc 12 -O3 makes masked
 * vector loads of such branches, and for AVX and some lengths it makes wrong ones. */
#include <string.h>

#include "back/lowering.h"

void begin_statement(Lowering *l, const Statement *s)
{
    l->s = s;
    l->lane = -1;
    l->width = 1;
    l->partial = 0;
    l->loop = NULL;
    memset(l->fixed, 0, sizeof l->fixed);
    memset(l->offset, 0, sizeof l->offset);
}

Node *append(Lowering *l, Node node)
{
    Node *copy = *l->end = NEW(Node);
    *copy = node;
    l->end = &copy->next;
    return copy;
}

void append_around(Lowering *l, Node node)
{
    l->end = &append(l, node)->body;
}

void append_behind(Lowering *l, Node **from)
{
    for (l->end = from; *l->end;)
        l->end = &(*l->end)->next;
}

/* ---- Terms ----------------------------------------------------------------------------------- */

const Term *new_term(Term value)
{
    Term *copy = NEW(Term);
    *copy = value;
    copy->width = value.width ? value.width : 1;
    return copy;
}

const Term *number_term(double number, bool is_int)
{
    return new_term((Term){.kind = TERM_NUMBER, .number = number, .is_int = is_int});
}

const Term *register_term(const Register *reg)
{
    return new_term((Term){.kind = TERM_REGISTER, .reg = reg, .width = reg->width});
}

bool is_vector_term(const Term *v)
{
    return v->width > 1;
}

static int wider(const Term *a, const Term *b)
{
    return a->width > b->width ? a->width : b->width;
}

const Term *op_term(Op op, const Term *a, const Term *b)
{
    return new_term((Term){.kind = TERM_OP, .op = op, .width = wider(a, b), .arg = {a, b}});
}

const Term *as_vector(const Lowering *l, const Term *v)
{
    return is_vector_term(v) ? v : new_term((Term){.kind = TERM_SPLAT, .width = l->width, .arg = {v}});
}

const Term *first_lanes(const Lowering *l, const Term *v, double others)
{
    Term first = {.kind = TERM_FIRST, .width = l->width, .first = (int)l->partial, .number = others};
    first.arg[0] = v;
    return l->partial ? new_term(first) : v;
}

const Term *across_term(bool maximum, const Term *v)
{
    return new_term((Term){.kind = maximum ? TERM_GREATEST : TERM_SUM, .arg = {v}});
}

Register *new_register(Lowering *l, const char *name, bool changes)
{
    Register *reg = NEW(Register);
    *reg = (Register){.name = name, .number = l->numbering->registers++, .width = 1, .changes = changes};
    return reg;
}

const Register *let(Lowering *l, const char *name, bool changes, const Term *value)
{
    Register *reg = new_register(l, name, changes);
    reg->width = value->width;
    append(l, (Node){.kind = NODE_LET, .reg = reg, .value = value});
    return reg;
}

void store_term(Lowering *l, const Access *place, const Term *value, bool adds)
{
    append(l, (Node){.kind = NODE_STORE, .place = place_of(l, place), .value = value, .width = value->width,
                     .adds = adds});
}

/* ---- Places ---------------------------------------------------------------------------------- */

Affine in_loops(const Lowering *l, Affine a)
{
    Affine in = affine(a.constant);
    in.coefficient[BLOCK] = a.coefficient[BLOCK];
    if (l->step >= 0)
        in.constant += a.coefficient[STEP] * l->step;
    else
        in.coefficient[STEP] = a.coefficient[STEP];
    for (int i = 0; i < MAX_INDEX; i++) {
        in.constant += a.coefficient[i] * l->offset[i];
        if (!l->fixed[i] && a.coefficient[i]) /* loop[i] is -1 where the statement has no such index */
            in.coefficient[l->loop ? l->loop[i] : i] += a.coefficient[i];
    }
    return in;
}

const Access *place_of(const Lowering *l, const Access *access)
{
    Access *place = NEW(Access);
    place->tensor = access->tensor;
    for (int d = 0; d < place->tensor->rank; d++)
        place->at[d] = in_loops(l, access->at[d]);
    return place;
}

static const Affine *affine_of(const Lowering *l, Affine a)
{
    Affine *copy = NEW(Affine);
    *copy = in_loops(l, a);
    return copy;
}

static bool in_lanes(const Lowering *l, const Access *access)
{
    return l->lane >= 0 && depends_on(access, l->lane);
}

/* May the whole vector that begins there be read? Behind a sample's value place.c leaves room for one. */
static bool vector_inside(const Lowering *l, const Access *access)
{
    const Tensor *t = access->tensor;
    if (is_own(t) && (t->per_sample || t->of))
        return true;
    Affine at = position_of(*access);
    int64_t least, most;
    affine_range(&at, l->s, &least, &most);
    return most + l->width - l->partial < access->tensor->floats;
}

/* ---- Expressions ----------------------------------------------------------------------------- */

const Term *lower_index(const Lowering *l, Affine a, bool is_int)
{
    const int64_t step = l->lane >= 0 ? a.coefficient[l->lane] : 0;
    Term index = {.kind = TERM_INDEX, .affine = affine_of(l, a), .is_int = is_int, .step = step};
    index.width = step ? l->width : 1;
    if (!step && affine_is_constant(index.affine))
        return number_term((double)index.affine->constant, is_int);
    return new_term(index);
}

static const Register *operand_of(const Lowering *l, const Access *access)
{
    for (int i = 0; i < l->noperands; i++)
        if (access_equal(l->operand[i].place, access))
            return l->operand[i].reg;
    return NULL;
}

static const Term *held_term(const Lowering *l, const Access *access)
{
    for (int i = 0; i < l->nheld; i++)
        if (access_equal(l->held[i].place, access))
            return l->held[i].term;
    return NULL;
}

/* Where a load of that element is kept, or should be. Straight-line code has very many of few elements. */
static const Term **known_load(const Lowering *l, const Term *load)
{
    size_t i = (size_t)load->place->tensor->id * 0x9e3779b97f4a7c15u + (size_t)load->position * 0x9e3779b9u;
    for (i += i >> 29;; i++) {
        const Term **known = &l->known[i % l->known_room], *other = *known;
        if (!other || (other->place->tensor == load->place->tensor && other->position == load->position
                       && other->width == load->width && other->first == load->first))
            return known;
    }
}

static void make_room_for_known(Lowering *l)
{
    const Lowering old = *l;
    l->known_room = 4 * old.nknown + 64;
    l->known = NEW_ARRAY(const Term *, l->known_room);
    for (size_t i = 0; i < old.known_room; i++)
        if (old.known[i])
            *known_load(l, old.known[i]) = old.known[i];
}

/* Is the place without indices that are loops? Then it is that element in memory. */
static bool has_position(const Lowering *l, const Access *access, int64_t *position)
{
    const Tensor *t = access->tensor;
    *position = 0;
    for (int d = 0; d < t->rank; d++) {
        const Affine *a = &access->at[d];
        int64_t at = a->constant;
        for (int i = 0; i < MAX_INDEX; i++) {
            if (a->coefficient[i] && !l->fixed[i])
                return false;
            at += a->coefficient[i] * l->offset[i];
        }
        if (a->coefficient[BLOCK] || (a->coefficient[STEP] && l->step < 0))
            return false;
        at += l->step >= 0 ? a->coefficient[STEP] * l->step : 0;
        *position = *position * t->room[d] + t->before[d] + at;
    }
    return true;
}

/* What is read from memory, but for what is known here. */
static const Term *memory_term(Lowering *l, const Access *access)
{
    const Tensor *t = access->tensor;
    const bool vector = in_lanes(l, access);
    Term load = {.kind = TERM_LOAD, .place = access, .is_int = t->is_int && l->lane < 0};
    const bool constant = has_position(l, access, &load.position);
    if (t->role == TENSOR_CONSTANT && constant && !vector)
        return number_term(t->data[load.position], false);
    load.width = vector ? l->width : 1;
    load.first = vector && l->partial && !vector_inside(l, access) ? (int)l->partial : 0;
    load.clamped = t->ragged;
    const Term **known = NULL;
    if (constant) {
        if (2 * l->nknown >= l->known_room)
            make_room_for_known(l);
        known = known_load(l, &load);
    }
    if (known && *known && (*known)->is_int == load.is_int)
        return *known;
    load.place = place_of(l, access);
    const Term *term = new_term(load);
    if (known && !*known) {
        *known = term;
        l->nknown++;
    }
    return term;
}

static bool same_load(const Term *a, const Term *b)
{
    if (a->kind != b->kind || a->width != b->width || a->first != b->first || a->is_int != b->is_int)
        return false;
    return a->kind == TERM_NUMBER ? a->number == b->number
         : a->kind == TERM_REGISTER ? a->reg == b->reg : access_equal(a->place, b->place);
}

static const Register *shared_register(const Lowering *l, const Term *load)
{
    for (int i = 0; i < l->nshared; i++)
        if (same_load(l->shared[i].load, load))
            return l->shared[i].reg;
    return NULL;
}

const Term *lower_load(Lowering *l, const Access *access)
{
    const Term *held = held_term(l, access);
    if (held)
        return held;
    const Register *reg = operand_of(l, access);
    const Term *load = reg ? register_term(reg) : memory_term(l, access);
    const Register *shared = l->sharing ? shared_register(l, load) : NULL;
    return shared ? register_term(shared) : load;
}

static bool is_label(const Expr *e)
{
    return e->op == OP_LOAD && e->access.tensor->is_int;
}

static bool branches(const Expr *e)
{
    return e->op == OP_IF_LE || e->op == OP_IF_EQ;
}

static bool varies(const Lowering *l, const Expr *e)
{
    if (l->lane < 0)
        return false;
    if (e->op == OP_LOAD)
        return in_lanes(l, &e->access);
    if (e->op == OP_INDEX)
        return e->index.coefficient[l->lane] != 0;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (varies(l, e->arg[i]))
            return true;
    return false;
}

const Term *lower_expr(Lowering *l, const Expr *e, bool is_int)
{
    switch (e->op) {
    case OP_CONSTANT: return number_term(e->value, is_int);
    case OP_INDEX: return lower_index(l, e->index, is_int);
    case OP_LOAD: return lower_load(l, &e->access);
    default: break;
    }
    const bool vector = varies(l, e);
    Term value = {.kind = TERM_OP, .op = e->op, .width = vector ? l->width : 1};
    value.affine = e->op == OP_RANDOM ? affine_of(l, e->index) : NULL;
    bool ints = branches(e) && !vector && (is_label(e->arg[0]) || is_label(e->arg[1]));
    for (int i = 0; i < op_info[e->op].arity; i++) {
        value.arg[i] = lower_expr(l, e->arg[i], ints && i < 2);
        if (branches(e) && vector && i >= 2)
            value.arg[i] = as_vector(l, value.arg[i]);
    }
    return new_term(value);
}

/* ---- Operands of branches -------------------------------------------------------------------- */

static bool reads_below(const Expr *e, bool in_branch)
{
    bool found = e->op == OP_LOAD && in_branch;
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= reads_below(e->arg[i], in_branch || (branches(e) && i >= 2));
    return found;
}

bool reads_in_branch(const Expr *e)
{
    return reads_below(e, false);
}

static void read_operands_in(Lowering *l, const Expr *e, bool in_branch)
{
    for (int i = 0; i < op_info[e->op].arity; i++)
        read_operands_in(l, e->arg[i], in_branch || (branches(e) && i >= 2));
    if (e->op != OP_LOAD || !in_branch || l->noperands == MOST_OPERANDS || held_term(l, &e->access)
        || operand_of(l, &e->access))
        return;
    Term load = {.kind = TERM_LOAD, .place = place_of(l, &e->access), .is_int = e->access.tensor->is_int,
                 .clamped = e->access.tensor->ragged};
    Register *reg = new_register(l, format("v%d", ++l->numbering->operands), false);
    reg->is_int = e->access.tensor->is_int;
    append(l, (Node){.kind = NODE_LET, .reg = reg, .value = new_term(load)});
    l->operand[l->noperands].place = &e->access;
    l->operand[l->noperands++].reg = reg;
}

/* Vectors are selected lane by lane, and need no operands read before. */
const Term *lower_with_operands(Lowering *l, const Expr *e)
{
    l->noperands = 0;
    if (l->lane < 0)
        read_operands_in(l, e, false);
    if (l->sharing)
        share_loads(l, e);
    const Term *value = lower_expr(l, e, false);
    l->noperands = 0;
    return value;
}

/* ---- Values in registers --------------------------------------------------------------------- */

void hold(Lowering *l, const Access *place, const Term *term)
{
    l->held[l->nheld].place = place;
    l->held[l->nheld++].term = term;
}

static void share_load(const Access *access, void *context)
{
    Lowering *l = context;
    l->sharing = false;
    const Term *load = lower_load(l, access);
    l->sharing = true;
    if (shared_register(l, load) || l->nshared == MOST_SHARED)
        return;
    l->shared[l->nshared].load = load;
    l->shared[l->nshared].uses = 0;
    l->shared[l->nshared++].reg = (Register *)let(l, "", false, load);
}

void share_loads(Lowering *l, const Expr *e)
{
    visit_loads(e, share_load, l);
}

static void count_uses(Lowering *l, const Term *v)
{
    for (int i = 0; v->kind == TERM_REGISTER && i < l->nshared; i++)
        l->shared[i].uses += l->shared[i].reg == v->reg;
    for (int k = 0; k < 4 && v->arg[k]; k++)
        count_uses(l, v->arg[k]);
}

/* With loads in the place of the registers that only one reads. */
static const Term *without_single_uses(const Lowering *l, const Term *v)
{
    for (int i = 0; v->kind == TERM_REGISTER && i < l->nshared; i++)
        if (l->shared[i].reg == v->reg && l->shared[i].uses == 1)
            return l->shared[i].load;
    const Term *arg[4] = {NULL};
    bool same = true;
    for (int k = 0; k < 4 && v->arg[k]; k++) {
        arg[k] = without_single_uses(l, v->arg[k]);
        same &= arg[k] == v->arg[k];
    }
    if (same)
        return v;
    Term copy = *v;
    memcpy(copy.arg, arg, sizeof arg);
    return new_term(copy);
}

void name_shared(Lowering *l, Node **nodes)
{
    int named[2] = {0, 0};
    for (const Node *n = *nodes; n; n = n->next)
        count_uses(l, n->value);
    for (int i = 0; i < l->nshared; i++) {
        const bool vector = is_vector_term(l->shared[i].load);
        if (l->shared[i].uses > 1)
            l->shared[i].reg->name = format("%s%d", vector ? "v" : "a", named[vector]++);
    }
    while (*nodes) {
        Node *n = *nodes;
        n->value = without_single_uses(l, n->value);
        if (n->kind == NODE_LET && !*n->reg->name)
            *nodes = n->next;
        else
            nodes = &n->next;
    }
    l->end = nodes;
    l->nshared = 0;
}

/* ---- Maxima ---------------------------------------------------------------------------------- */

const Term *number_of_point(const Lowering *l)
{
    Affine number = affine(0);
    for (int i = output_indices(l->s); i < l->s->nindex; i++) {
        number = affine_scale(number, l->s->extent[i]);
        number.coefficient[i] = 1;
    }
    return lower_index(l, number, false);
}

void set_where_greater(Lowering *l, const Register *reg, const Term *v, const Register *best, const Term *a)
{
    Term greater = {.kind = TERM_GREATER, .width = reg->width,
                    .arg = {v, register_term(best), a, register_term(reg)}};
    append(l, (Node){.kind = NODE_SET, .reg = reg, .value = new_term(greater)});
}

/* ---- Points that are numbers ----------------------------------------------------------------- */

bool access_inside(const Lowering *l, const Access *access)
{
    for (int d = 0; access->padded && d < access->tensor->rank; d++) {
        int64_t at = access->at[d].constant + access->at[d].coefficient[STEP] * l->step;
        for (int i = 0; i < MAX_INDEX; i++)
            at += access->at[d].coefficient[i] * l->offset[i];
        if (at < 0 || at >= access->tensor->dim[d])
            return false;
    }
    return true;
}

bool point_inside(const Lowering *l, const Expr *e)
{
    if (e->op == OP_LOAD && !access_inside(l, &e->access))
        return false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (!point_inside(l, e->arg[i]))
            return false;
    return true;
}

bool next_point(Lowering *l, int begin, int end)
{
    for (int i = end - 1; i >= begin; i--) {
        if (++l->offset[i] < l->s->extent[i])
            return true;
        l->offset[i] = 0;
    }
    return false;
}
