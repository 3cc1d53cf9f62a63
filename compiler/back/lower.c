/* lower.c: a nest to nodes: with tiles in tiles.c, without them as straight-line code in straight.c, and else
 * here, where every index is a loop.
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
 * greatest. */
#include <math.h>

#include "back/lowering.h"

/* ---- Loops and tests ------------------------------------------------------------------------- */

/* Indices of one value, which is 0, have no loop. */
static void open_loop(Lowering *l, int i)
{
    const Statement *s = l->s;
    Node loop = {.kind = NODE_LOOP, .index = i, .name = s->index_name[i], .to = s->extent[i], .step = 1};
    if (gives_samples_out(s) && s->out.at[0].coefficient[i])
        loop.range = RANGE_SAMPLES;
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
    store_term(l, &l->s->out, lower_with_operands(l, l->s->rhs), adds);
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
    const Register *sum = let(l, maximum ? "best" : "sum", true, begin), *v = NULL, *at = NULL;
    if (maximum)
        append(l, (Node){.kind = NODE_LET, .reg = v = new_register(l, "v", true)});
    if (s->position)
        at = let(l, "at", true, number_term(-1, false));
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
        set_where_greater(l, at, register_term(v), sum, number_of_point(l));
    if (maximum)
        set_where_greater(l, sum, register_term(v), sum, register_term(v));
    append_behind(l, points);
    store_term(l, &s->out, register_term(sum), false);
    if (at) {
        Access position = same_place(s->out, s->position);
        store_term(l, &position, register_term(at), false);
    }
}

/* Has each output several points, or at least a first value before its point? */
static bool sums_up(const Kernel *k)
{
    const Statement *s = k->body;
    return s && gathers(s) && (s->store == STORE_MAX || k->first || output_indices(s) < s->nindex);
}

static Node *lower_plain(const Kernel *k, Numbering *numbering)
{
    Node *nodes = NULL;
    const Statement *s = statement_of(k);
    Lowering l = {.numbering = numbering, .end = &nodes, .step = -1};
    if (k->nthen || k->window || k->followers || k->samples >= 0)
        bug("%s has plain loops and more than a sum", s->out.tensor->name);
    begin_statement(&l, s);
    for (int i = 0; i < s->nindex; i++)
        l.fixed[i] = s->extent[i] == 1;
    if (sums_up(k))
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

static bool is_zero_fill(const Kernel *k)
{
    return !k->body && !k->nthen && !k->window && !k->followers && expr_is(k->first->rhs, 0)
        && covers_tensor(k->first, &k->first->out);
}

/* ---- Bounds of loops ------------------------------------------------------------------------- */

/* Points above the diagonal, and the loops that are open around what is at hand. */
typedef struct Bounds {
    const Kernel *kernel;
    Triangle triangle;
    int outputs;
    const Node *later, *at;
} Bounds;

/* Its greatest value (sign -1: its least), where the loop around runs over its index. */
static int64_t extreme(const Bounds *b, const Affine *a, const Node *around, int sign)
{
    const Recurrence *recurrence = b->kernel->recurrence;
    int64_t value = a->constant;
    for (int i = 0; i < MAX_TERMS; i++) {
        const int64_t k = a->coefficient[i];
        int64_t low = 0, high = i == BLOCK ? b->kernel->blocks - 1 : recurrence ? recurrence->steps - 1 : 0;
        if (k && i < BLOCK) {
            low = around->from;
            high = low + (around->to - 1 - low) / around->step * around->step;
        }
        value += k * (sign * k > 0 ? high : low);
    }
    return value;
}

/* Up to the last row that the tile at hand holds; where the step takes the rows' place, up to that. */
static void end_at_diagonal(const Bounds *b, Node *n)
{
    Affine *last = NEW(Affine);
    *last = affine_scale(b->triangle.gap, -1);
    last->coefficient[b->triangle.later] = 0;
    last->constant += b->at ? b->at->step - 1 : 0;
    n->last = last;
    n->always = n->range == RANGE_ALL && extreme(b, last, b->at, 1) < n->to;
}

/* From the first column on that the tile at hand holds. */
static void begin_at_diagonal(const Bounds *b, Node *n)
{
    Affine *since = NEW(Affine);
    *since = b->triangle.gap;
    since->coefficient[b->triangle.at] = 0;
    n->since = since;
    n->always = extreme(b, since, b->later, -1) >= n->from;
}

static void bound_loops(Bounds b, Node *n)
{
    const Triangle *t = &b.triangle;
    for (; n; n = n->next) {
        Bounds inside = b;
        const bool later = n->kind == NODE_LOOP && n->index == t->later,
                   at = n->kind == NODE_LOOP && n->index == t->at;
        const bool may = !t->sums || n->index >= b.outputs;
        if (later && may && (b.at || t->at < 0) && n->range != RANGE_BLOCKS)
            end_at_diagonal(&b, n);
        if (at && may && b.later && n->range == RANGE_ALL)
            begin_at_diagonal(&b, n);
        if (later && n->range != RANGE_BLOCKS)
            inside.later = n;
        if (at && n->range != RANGE_BLOCKS)
            inside.at = n;
        bound_loops(inside, n->body);
        bound_loops(inside, n->otherwise);
    }
}

/* Leaves points out that count for nothing: behind the step in a history, above a diagonal. */
static void bound_nest(const Kernel *k, Node *nodes)
{
    const Statement *s = statement_of(k);
    Bounds b = {.kernel = k, .outputs = output_indices(s)};
    const int index = index_in_history(s);
    if (index >= 0) {
        b.triangle = (Triangle){.later = index, .at = -1};
        b.triangle.gap.coefficient[index] = 1;
        b.triangle.gap.coefficient[STEP] = -1;
    } else if (!triangle_of(s, &b.triangle)
               || (!b.triangle.sums && (k->nthen || k->window || k->followers)))
        return;
    bound_loops(b, nodes);
}

int64_t steps_written(const Kernel *k, Unroll unroll)
{
    return unroll == UNROLL_FULL ? steps_of(k) : 1;
}

Node *lower_kernel(const Kernel *k, Unroll unroll, int64_t step, Numbering *numbering)
{
    Node *nodes = NULL;
    const Statement *s = statement_of(k);
    if (is_zero_fill(k) && (unroll == UNROLL_FULL || k->samples < 0)) {
        nodes = NEW(Node);
        *nodes = (Node){.kind = NODE_FILL, .place = &s->out};
    } else if (k->body && picked_index(k->body) >= 0)
        lower_picks(k, unroll, numbering, &nodes);
    else if (k->regions || (unroll != UNROLL_FULL && (takes_samples_in(s) || adds_up_lanes(s))))
        lower_tiles(k, unroll, step, numbering, &nodes);
    else if (unroll == UNROLL_FULL)
        lower_straight(k, step, numbering, &nodes);
    else
        nodes = lower_plain(k, numbering);
    bound_nest(k, nodes);
    return nodes;
}
