/* lower.c: a nest without tiles to nodes, in which every index is a loop.
 *
 * An index of one value is a number. Points at which an access falls outside its tensor are left out by
 * tests, each in the outermost loop that knows all of its indices. Where each output is summed up in one
 * place, its sum is in a register:
 *
 *     nest:     out[y] = bias     out[y] += w[k] * in[y + k - 1]     for y<5 k<3     points outside left out
 *
 *     nodes:    LOOP y
 *                   LET sum = bias
 *                   LOOP k
 *                       WHEN y + k - 1 >= 0, y + k - 1 < 5
 *                           ADD sum, w[k] * in[y + k - 1]
 *                   STORE out[y] = sum
 *
 * Where it isn't, memory is added to point by point. A maximum has its position in a register, too: the first
 * greatest.
 *
 * What a conditional expression reads in only one of its branches is read before it: gcc 12 -O3 makes masked
 * vector loads of such branches, and for AVX and some lengths it makes wrong ones. */
#include <math.h>

#include "back/loops.h"

enum { MOST_OPERANDS = 16 };

typedef struct Lowering {
    const Statement *s;
    Numbering *numbering;
    Node **end;          /* where the next node goes */
    struct {             /* what is read before the statement at hand */
        const Access *place;
        const Register *reg;
    } operand[MOST_OPERANDS];
    int noperands;
} Lowering;

static Node *append(Lowering *l, Node node)
{
    Node *copy = *l->end = NEW(Node);
    *copy = node;
    l->end = &copy->next;
    return copy;
}

/* What comes next goes into the node. */
static void append_around(Lowering *l, Node node)
{
    l->end = &append(l, node)->body;
}

static Register *new_register(Lowering *l, const char *name, bool is_int, bool changes)
{
    Register *reg = NEW(Register);
    *reg = (Register){name, l->numbering->registers++, is_int, changes};
    return reg;
}

/* ---- Terms ----------------------------------------------------------------------------------- */

/* Indices of one value, which is 0, have no loop. */
static Affine in_loops(const Lowering *l, Affine a)
{
    for (int i = 0; i < l->s->nindex; i++)
        if (l->s->extent[i] == 1)
            a.coefficient[i] = 0;
    return a;
}

static Access place_of(const Lowering *l, const Access *access)
{
    Access place = *access;
    if (place.tensor->ragged && access != &l->s->out)
        bug("%s is read sample by sample", place.tensor->name);
    for (int d = 0; d < place.tensor->rank; d++)
        place.at[d] = in_loops(l, place.at[d]);
    return place;
}

static const Term *new_term(Term value)
{
    Term *copy = NEW(Term);
    *copy = value;
    return copy;
}

static const Term *number_term(double number, bool is_int)
{
    return new_term((Term){.kind = TERM_NUMBER, .number = number, .is_int = is_int});
}

static const Term *register_term(const Register *reg)
{
    return new_term((Term){.kind = TERM_REGISTER, .reg = reg});
}

static const Term *lower_index(const Lowering *l, Affine a, bool is_int)
{
    a = in_loops(l, a);
    if (affine_is_constant(&a))
        return number_term((double)a.constant, is_int);
    return new_term((Term){.kind = TERM_INDEX, .affine = a, .is_int = is_int});
}

static const Register *operand_of(const Lowering *l, const Access *access)
{
    for (int i = 0; i < l->noperands; i++)
        if (access_equal(l->operand[i].place, access))
            return l->operand[i].reg;
    return NULL;
}

static const Term *lower_load(const Lowering *l, const Access *access)
{
    const Register *reg = operand_of(l, access);
    if (reg)
        return register_term(reg);
    Term load = {.kind = TERM_LOAD, .place = place_of(l, access)};
    Affine at = position_of(load.place);
    if (access->tensor->role == TENSOR_CONSTANT && affine_is_constant(&at))
        return number_term(access->tensor->data[at.constant], false);
    return new_term(load);
}

static bool is_label(const Expr *e)
{
    return e->op == OP_LOAD && e->access.tensor->is_int;
}

static bool branches(const Expr *e)
{
    return e->op == OP_IF_LE || e->op == OP_IF_EQ;
}

static const Term *lower_expr(const Lowering *l, const Expr *e, bool is_int)
{
    switch (e->op) {
    case OP_CONSTANT: return number_term(e->value, is_int);
    case OP_INDEX: return lower_index(l, e->index, is_int);
    case OP_LOAD: return lower_load(l, &e->access);
    default: break;
    }
    Term value = {.kind = TERM_OP, .op = e->op, .affine = in_loops(l, e->index)};
    bool ints = branches(e) && (is_label(e->arg[0]) || is_label(e->arg[1]));
    for (int i = 0; i < op_info[e->op].arity; i++)
        value.arg[i] = lower_expr(l, e->arg[i], ints && i < 2);
    return new_term(value);
}

/* ---- Operands of branches -------------------------------------------------------------------- */

static void read_operands_in(Lowering *l, const Expr *e, bool in_branch)
{
    for (int i = 0; i < op_info[e->op].arity; i++)
        read_operands_in(l, e->arg[i], in_branch || (branches(e) && i >= 2));
    if (e->op != OP_LOAD || !in_branch || l->noperands == MOST_OPERANDS || operand_of(l, &e->access))
        return;
    Term load = {.kind = TERM_LOAD, .place = place_of(l, &e->access)};
    const char *name = format("v%d", ++l->numbering->operands);
    const Register *reg = new_register(l, name, e->access.tensor->is_int, false);
    append(l, (Node){.kind = NODE_LET, .reg = reg, .value = new_term(load)});
    l->operand[l->noperands].place = &e->access;
    l->operand[l->noperands++].reg = reg;
}

/* Reads the operands of e's branches, then gives its value. */
static const Term *lower_with_operands(Lowering *l, const Expr *e)
{
    l->noperands = 0;
    read_operands_in(l, e, false);
    const Term *value = lower_expr(l, e, false);
    l->noperands = 0;
    return value;
}

/* ---- Loops and tests ------------------------------------------------------------------------- */

static void open_loop(Lowering *l, int i)
{
    const Statement *s = l->s;
    Node loop = {.kind = NODE_LOOP, .index = i, .name = s->index_name[i], .to = s->extent[i], .step = 1};
    loop.at_hand = gives_samples_out(s) && s->out.at[0].coefficient[i];
    if (s->extent[i] > 1)
        append_around(l, loop);
}

typedef struct Tests {   /* those that loop `level` is the last to know an index of; -1: no loop is */
    const Lowering *l;
    int level;
    Test *first;
} Tests;

static void add_test(Tests *tests, Affine at, int64_t end)
{
    Test **link = &tests->first;
    for (; *link; link = &(*link)->next)
        if ((*link)->end == end && affine_equal(&(*link)->at, &at))
            return;
    *link = NEW(Test);
    **link = (Test){at, end, NULL};
}

static void add_tests(const Access *access, void *context)
{
    Tests *tests = context;
    const Statement *s = tests->l->s;
    for (int d = 0; access->padded && d < access->tensor->rank; d++) {
        int64_t least, most, size = access->tensor->dim[d];
        int last = -1;
        affine_range(&access->at[d], s, &least, &most);
        for (int i = 0; i < s->nindex; i++)
            if (access->at[d].coefficient[i])
                last = i;
        if (last == tests->level && least < 0)
            add_test(tests, in_loops(tests->l, access->at[d]), 0);
        if (last == tests->level && most >= size)
            add_test(tests, in_loops(tests->l, access->at[d]), size);
    }
}

static void open_tests(Lowering *l, int level)
{
    Tests tests = {l, level, NULL};
    add_tests(&l->s->out, &tests);
    visit_loads(l->s->rhs, add_tests, &tests);
    if (tests.first)
        append_around(l, (Node){.kind = NODE_WHEN, .tests = tests.first});
}

/* ---- Nests ----------------------------------------------------------------------------------- */

/* out = rhs or out += rhs at each point, one after the other. */
static void lower_points(Lowering *l, bool adds)
{
    open_tests(l, -1);
    for (int i = 0; i < l->s->nindex; i++) {
        open_loop(l, i);
        open_tests(l, i);
    }
    const Term *value = lower_with_operands(l, l->s->rhs);
    append(l, (Node){.kind = NODE_STORE, .place = place_of(l, &l->s->out), .value = value, .adds = adds});
}

/* Which of the points over which a maximum is taken is at hand. */
static const Term *number_of_point(const Lowering *l)
{
    Affine number = affine(0);
    for (int i = output_indices(l->s); i < l->s->nindex; i++) {
        number = affine_scale(number, l->s->extent[i]);
        number.coefficient[i] = 1;
    }
    return lower_index(l, number, false);
}

/* reg becomes a where v is greater than best. */
static void set_where_greater(Lowering *l, const Register *reg, const Register *v, const Register *best,
                              const Term *a)
{
    const Term *arg[] = {register_term(v), register_term(best), a, register_term(reg)};
    Term greater = {.kind = TERM_GREATER, .arg = {arg[0], arg[1], arg[2], arg[3]}};
    append(l, (Node){.kind = NODE_SET, .reg = reg, .value = new_term(greater)});
}

/* Each output is the sum, or the greatest, of its points; a sum begins with `first`, or NULL: with what is
 * in memory. */
static void lower_sums(Lowering *l, const Expr *first)
{
    const Statement *s = l->s;
    const bool maximum = s->store == STORE_MAX;
    const int outputs = output_indices(s);
    for (int i = 0; i < outputs; i++)
        open_loop(l, i);
    const Term *begin = maximum ? number_term(-INFINITY, false)
                         : first ? lower_with_operands(l, first) : lower_load(l, &s->out);
    const Register *sum = new_register(l, maximum ? "best" : "sum", false, true), *v = NULL, *at = NULL;
    append(l, (Node){.kind = NODE_LET, .reg = sum, .value = begin});
    if (maximum)
        append(l, (Node){.kind = NODE_LET, .reg = v = new_register(l, "v", false, true)});
    if (s->position) {
        at = new_register(l, "at", false, true);
        append(l, (Node){.kind = NODE_LET, .reg = at, .value = number_term(-1, false)});
    }
    Node **points = l->end;
    for (int i = -1; i < outputs; i++)
        open_tests(l, i);
    for (int i = outputs; i < s->nindex; i++) {
        open_loop(l, i);
        open_tests(l, i);
    }
    const Term *value = lower_with_operands(l, s->rhs);
    append(l, (Node){.kind = maximum ? NODE_SET : NODE_ADD, .reg = maximum ? v : sum, .value = value});
    if (at)
        set_where_greater(l, at, v, sum, number_of_point(l));
    if (maximum)
        set_where_greater(l, sum, v, sum, register_term(v));
    for (l->end = points; *l->end;)
        l->end = &(*l->end)->next;
    Node store = {.kind = NODE_STORE, .place = place_of(l, &s->out), .value = register_term(sum)};
    append(l, store);
    if (at) {
        store.place = same_place(store.place, s->position);
        store.value = register_term(at);
        append(l, store);
    }
}

/* Has each output several points, or at least a first value before its point? */
static bool sums_up(const Kernel *k)
{
    const Statement *s = k->body;
    return s && gathers(s) && (s->store == STORE_MAX || k->first || output_indices(s) < s->nindex);
}

static bool is_zero_fill(const Kernel *k)
{
    return !k->body && !k->nthen && expr_is(k->first->rhs, 0) && covers_tensor(k->first, &k->first->out);
}

bool is_plain(const Kernel *k, Unroll unroll)
{
    const Statement *s = statement_of(k);
    if (is_zero_fill(k) && !k->window && !k->followers && (unroll == UNROLL_FULL || k->samples < 0))
        return true;
    return unroll != UNROLL_FULL && !k->regions && !takes_samples_in(s) && !adds_up_lanes(s);
}

Node *lower_kernel(const Kernel *k, Numbering *numbering)
{
    Node *nodes = NULL;
    const Statement *s = statement_of(k);
    Lowering l = {.s = s, .numbering = numbering, .end = &nodes};
    if (k->nthen || k->window || k->followers || k->samples >= 0)
        bug("%s has plain loops and more than a sum", s->out.tensor->name);
    if (is_zero_fill(k))
        append(&l, (Node){.kind = NODE_FILL, .place = s->out});
    else if (sums_up(k))
        lower_sums(&l, k->first ? k->first->rhs : NULL);
    else
        lower_points(&l, k->body != NULL);
    if (nodes->next) {
        Node *block = NEW(Node);
        *block = (Node){.kind = NODE_BLOCK, .body = nodes};
        return block;
    }
    return nodes;
}
