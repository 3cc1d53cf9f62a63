/* verify_loops.c: what must hold of the nodes of a nest, whatever rewrote them. A breach is a bug of ours.
 *
 * - Each load and store lies within its tensor's room, by the ranges of the loops around and the tests.
 * - The function is given each tensor that is touched, to write where it is written.
 * - A register is defined once, has a value before it is read, and is no constant where it changes.
 * - Each element of a nest's output is stored once: every loop around a store moves it to another place, and
 *   all of its stores together are as many as the outputs. (Not so where memory is added to, or tests leave
 *   out points.) */
#include <stdlib.h>

#include "back/loops.h"

typedef struct Check {
    const Function *function;
    const Kernel *kernel;
    const Node *around[2 * MAX_TERMS + MAX_INDEX]; /* loops and tests, the outermost first */
    int naround;
    const Register *reg[64];
    bool has_value[64];
    int nregs;
    int64_t stored[2];   /* elements of the output and of the position of a maximum */
    bool tested;         /* some store is behind a test */
} Check;

/* ---- Places ---------------------------------------------------------------------------------- */

static int64_t last_value(const Node *loop)
{
    return loop->from + (loop->to - 1 - loop->from) / loop->step * loop->step;
}

static const Node *loop_of(const Check *c, int index)
{
    for (int i = c->naround - 1; i >= 0; i--)
        if (c->around[i]->kind == NODE_LOOP && c->around[i]->index == index)
            return c->around[i];
    return NULL;
}

/* The least and the greatest value, as the loops say, and where there is a test of that very form, the
 * test. */
static void range_of(const Check *c, const Affine *a, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < MAX_TERMS; i++) {
        int64_t k = a->coefficient[i];
        const Node *loop = k ? loop_of(c, i) : NULL;
        const bool blocks = i == BLOCK && c->kernel->blocks; /* kernel.c opens that loop */
        if (k && !loop && !blocks)
            bug("%s: a nest uses an index without a loop", c->function->name);
        const int64_t from = loop ? loop->from : 0;
        const int64_t last = loop ? last_value(loop) : blocks ? c->kernel->blocks - 1 : 0;
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

static void check_place(const Check *c, const Access *place, bool written)
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
}

/* ---- Registers ------------------------------------------------------------------------------- */

static int find_register(const Check *c, const Register *reg)
{
    for (int i = c->nregs - 1; i >= 0; i--)
        if (c->reg[i] == reg)
            return i;
    return -1;
}

static void define(Check *c, const Register *reg, bool has_value)
{
    if (find_register(c, reg) >= 0)
        bug("%s: register %s is defined twice", c->function->name, reg->name);
    if (c->nregs == sizeof c->reg / sizeof *c->reg)
        bug("%s: too many registers", c->function->name);
    c->has_value[c->nregs] = has_value;
    c->reg[c->nregs++] = reg;
}

static void change(Check *c, const Register *reg, bool reads)
{
    int i = find_register(c, reg);
    if (i < 0 || !reg->changes || (reads && !c->has_value[i]))
        bug("%s: register %s cannot be changed here", c->function->name, reg->name);
    c->has_value[i] = true;
}

static void check_term(Check *c, const Term *v)
{
    int64_t least, most;
    if (v->kind == TERM_LOAD)
        check_place(c, &v->place, false);
    if (v->kind == TERM_INDEX || (v->kind == TERM_OP && v->op == OP_RANDOM))
        range_of(c, &v->affine, &least, &most);
    int i = v->kind == TERM_REGISTER ? find_register(c, v->reg) : 0;
    if (i < 0 || (v->kind == TERM_REGISTER && !c->has_value[i]))
        bug("%s: register %s has no value where it is read", c->function->name, v->reg->name);
    for (int k = 0; k < 4 && v->arg[k]; k++)
        check_term(c, v->arg[k]);
}

/* ---- Stores ---------------------------------------------------------------------------------- */

/* The loop around that steps by the least, of those that step by more than `than`. */
static int64_t next_step(const Check *c, const Affine *at, int64_t than, int64_t *reach)
{
    int64_t least = 0;
    for (int i = 0; i < c->naround; i++) {
        const Node *loop = c->around[i];
        if (loop->kind != NODE_LOOP)
            continue;
        int64_t step = llabs(at->coefficient[loop->index]) * loop->step;
        if (step <= than || (least && step >= least))
            continue;
        least = step;
        *reach = llabs(at->coefficient[loop->index]) * (last_value(loop) - loop->from);
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
        if (c->around[i]->kind == NODE_LOOP) {
            times *= (last_value(c->around[i]) - c->around[i]->from) / c->around[i]->step + 1;
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

static void check_store(Check *c, const Node *n)
{
    const Statement *s = statement_of(c->kernel);
    check_place(c, &n->place, true);
    for (int i = 0; i < c->naround; i++)
        c->tested |= c->around[i]->kind == NODE_WHEN;
    if (n->adds)
        return;
    int64_t times = check_once(c, &n->place);
    c->stored[0] += n->place.tensor == s->out.tensor ? times : 0;
    c->stored[1] += n->place.tensor == s->position ? times : 0;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void check_nodes(Check *c, const Node *n)
{
    const int nregs = c->nregs;
    for (; n; n = n->next) {
        for (const Test *t = n->tests; t; t = t->next) {
            int64_t least, most;
            range_of(c, &t->at, &least, &most);
        }
        if (n->value)
            check_term(c, n->value);
        if (n->kind == NODE_LET)
            define(c, n->reg, n->value != NULL);
        if (n->kind == NODE_SET || n->kind == NODE_ADD)
            change(c, n->reg, n->kind == NODE_ADD);
        if (n->kind == NODE_STORE)
            check_store(c, n);
        if (n->kind == NODE_FILL)
            c->stored[0] += n->place.tensor->count;
        if (n->kind == NODE_LOOP && (n->step < 1 || n->from >= n->to))
            bug("%s: a loop that never runs", c->function->name);
        const bool around = n->kind == NODE_LOOP || n->kind == NODE_WHEN;
        if (around)
            c->around[c->naround++] = n;
        if (n->body)
            check_nodes(c, n->body);
        c->naround -= around;
    }
    c->nregs = nregs;
}

void verify_loops(const Function *f, const Kernel *k, const Node *nodes)
{
    Check c = {.function = f, .kernel = k};
    const Statement *s = statement_of(k);
    int64_t outputs = 1;
    for (int i = 0; i < output_indices(s); i++)
        outputs *= s->extent[i];
    check_nodes(&c, nodes);
    if (!c.tested && c.stored[0] && c.stored[0] != outputs)
        bug("%s: %s is stored %lld times, not %lld", f->name, s->out.tensor->name, (long long)c.stored[0],
            (long long)outputs);
    if (s->position && c.stored[1] != c.stored[0])
        bug("%s: %s is not stored with its maximum", f->name, s->position->name);
}
