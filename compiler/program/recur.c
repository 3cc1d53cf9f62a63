/* recur.c: statements that run step by step, each step with what the one before has made.
 *
 * A recurrence is a loop around consecutive statements. Its step is no index of theirs: in all accesses STEP
 * stands for it, and the statements of one step are like any others. So what looks at one statement alone
 * (its form, its tile, its layout) needs to know nothing of it; what moves statements keeps those of a
 * recurrence together.
 *
 *     step by step, 9 times:
 *         sum[step, o] += w[o, c] * h[step, c]       for o<4 c<4         h[0] is set before, to 0
 *         h[step + 1, o] = tanh(sum[step, o])        for o<4
 *
 * What the steps make is kept for each step (verify_recurrences), so that the way back finds it. That is a
 * recurrence, too: the adjoints of the statements in turned order, and of the last step first. What of them
 * no step needs is taken out and stands behind it, with the step for an index:
 *
 *     d_sum[step, o] = 0 and d_h[step, c] += ...                         before, for all steps
 *     step by step, 9 times:
 *         d_sum[8 - step, o] += d_h[9 - step, o] * (1 - h[9 - step, o]^2)
 *         d_h[8 - step, c] += d_sum[8 - step, o] * w[o, c]
 *     d_w[o, c] += d_sum[t, o] * h[t, c]             for o<4 c<4 t<9
 *
 * The last one is a contraction like that of any layer: the gradient of the weights is summed up in
 * registers, not step by step in memory. */
#include "program/program.h"

/* ---- Making them ----------------------------------------------------------------------------- */

Affine begin_steps(Prog *prog, int64_t steps)
{
    Affine step = affine(0);
    if (prog->recurrence)
        bug("%s: a recurrence in a recurrence", prog->layer->name);
    if (steps == 1)
        return step;
    Recurrence *recurrence = NEW(Recurrence);
    recurrence->steps = steps;
    prog->recurrence = recurrence;
    step.coefficient[STEP] = 1;
    return step;
}

Affine begin_position(Prog *prog)
{
    Affine step = affine(0);
    Recurrence *recurrence = NEW(Recurrence);
    *recurrence = (Recurrence){.steps = prog->positions, .outside = true};
    prog->recurrence = recurrence;
    step.coefficient[STEP] = 1;
    return step;
}

void end_steps(Prog *prog)
{
    prog->recurrence = NULL;
}

/* ---- Questions ------------------------------------------------------------------------------- */

bool in_one_recurrence(const Statement *a, const Statement *b)
{
    return a->recurrence && a->recurrence == b->recurrence;
}

Statement *behind_recurrence(const Statement *s)
{
    const Statement *end = s->next;
    while (end && in_one_recurrence(s, end))
        end = end->next;
    return (Statement *)end;
}

static bool has_step(const Access *access)
{
    for (int d = 0; d < access->tensor->rank; d++)
        if (access->at[d].coefficient[STEP])
            return true;
    return false;
}

typedef struct Search {
    const Statement *s;
    int index;
} Search;

static void note_history(const Access *access, void *context)
{
    Search *search = context;
    const int d = access->tensor->history - 1;
    for (int i = 0; d >= 0 && i < search->s->nindex; i++) {
        Affine only = affine(0);
        only.coefficient[i] = 1;
        if (affine_equal(&only, &access->at[d]))
            search->index = i;
    }
}

int index_in_history(const Statement *s)
{
    Search search = {s, -1};
    if (s->recurrence && s->recurrence->outside)
        visit_loads(s->rhs, note_history, &search);
    return search.index;
}

static void note_step(const Access *access, void *found)
{
    *(bool *)found |= has_step(access);
}

static bool counts_with(const Expr *e)
{
    bool found = e->op == OP_INDEX && e->index.coefficient[STEP];
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= counts_with(e->arg[i]);
    return found;
}

bool asks_position(const Statement *s)
{
    bool found = has_step(&s->out) || counts_with(s->rhs) || index_in_history(s) >= 0;
    visit_loads(s->rhs, note_step, &found);
    return found && s->recurrence && s->recurrence->outside;
}

bool same_time(const Access *a, const Access *b)
{
    bool same = has_step(a) && a->tensor->rank == b->tensor->rank;
    for (int d = 0; same && d < a->tensor->rank; d++)
        if (a->at[d].coefficient[STEP] || b->at[d].coefficient[STEP])
            same = affine_equal(&a->at[d], &b->at[d]);
    return same;
}

/* ---- Other steps in the place of the step ---------------------------------------------------- */

static Affine index_at_step(Affine index, const void *step)
{
    int64_t times = index.coefficient[STEP];
    index.coefficient[STEP] = 0;
    return affine_add(index, affine_scale(*(const Affine *)step, times));
}

static Access access_at_step(Access access, const void *step)
{
    for (int d = 0; d < access.tensor->rank; d++)
        access.at[d] = index_at_step(access.at[d], step);
    return access;
}

static Expr *expr_at_step(const Expr *e, Affine step)
{
    return copy_expr(e, access_at_step, index_at_step, &step);
}

/* s - 1 - step */
static Affine from_the_last(Affine step, int64_t steps)
{
    return affine_add(affine(steps - 1), affine_scale(step, -1));
}

/* Does its first access that knows the step count it down? */
static bool counts_down(const Access *access)
{
    int64_t first = 0;
    for (int d = 0; d < access->tensor->rank && !first; d++)
        first = access->at[d].coefficient[STEP];
    return first < 0;
}

static void note_down(const Access *access, void *down)
{
    *(bool *)down |= counts_down(access);
}

/* All steps at once: the step is an index. In a sum their order means nothing. */
static void take_all_steps(Statement *s)
{
    const int64_t steps = s->recurrence->steps;
    bool down = counts_down(&s->out);
    visit_loads(s->rhs, note_down, &down);
    Affine t = index_of(s, "t", steps);
    if (down)
        t = from_the_last(t, steps);
    s->recurrence = NULL;
    complete(s, s->store, access_at_step(s->out, &t), expr_at_step(s->rhs, t));
}

static void turn(Statement *s)
{
    Affine step = affine(0);
    step.coefficient[STEP] = 1;
    step = from_the_last(step, s->recurrence->steps);
    s->out = access_at_step(s->out, &step);
    s->rhs = expr_at_step(s->rhs, step);
}

/* ---- The way back ---------------------------------------------------------------------------- */

typedef struct Body {    /* the statements of a step, in order */
    Statement **all;
    int n, at;           /* the statement at hand */
    bool good;
} Body;

static void note_same(const Access *access, void *context)
{
    Body *pair = context;
    pair->good &= access->tensor != pair->all[pair->at]->out.tensor;
}

/* Is what is read there final, and does no other step change it? */
static void note_final(const Access *access, void *context)
{
    Body *body = context;
    for (int i = 0; i < body->n; i++)
        if (body->all[i]->out.tensor == access->tensor)
            body->good &= i < body->at && same_time(access, &body->all[i]->out);
}

/* May it wait until all steps are through? Where it sums up what no step reads, of what each step leaves as
 * it is. */
static bool can_wait(Body *body, int at)
{
    body->at = at;
    body->good = body->all[at]->store == STORE_ADD;
    for (int i = 0; i < body->n; i++)
        visit_loads(body->all[i]->rhs, note_same, body);
    visit_loads(body->all[at]->rhs, note_final, body);
    return body->good;
}

static void append_all(Prog *prog, Statement *const *all, int n)
{
    for (int i = 0; i < n; i++) {
        *(prog->last_statement ? &prog->last_statement->next : &prog->statements) = all[i];
        prog->last_statement = all[i];
        all[i]->next = NULL;
    }
}

/* First zeros for all steps, then the loop, then what can wait. */
void finish_adjoints(Prog *prog, Statement *before)
{
    Statement *begin = before ? before->next : prog->statements;
    int n = 0, nzeros = 0, nlate = 0;
    for (Statement *s = begin; s; s = s->next)
        n++;
    Statement **zeros = NEW_ARRAY(Statement *, n + 1), **late = NEW_ARRAY(Statement *, n + 1);
    Body body = {NEW_ARRAY(Statement *, n + 1), 0, 0, true};
    for (Statement *s = begin; s; s = s->next)
        *(s->recurrence ? &body.all[body.n++] : &zeros[nzeros++]) = s;
    bool *waits = NEW_ARRAY(bool, n + 1);
    for (int i = 0; i < body.n; i++)
        waits[i] = can_wait(&body, i);
    n = 0;
    for (int i = 0; i < body.n; i++) {
        (waits[i] ? take_all_steps : turn)(body.all[i]);
        *(waits[i] ? &late[nlate++] : &body.all[n++]) = body.all[i];
    }
    prog->last_statement = before;
    append_all(prog, zeros, nzeros);
    append_all(prog, body.all, n);
    append_all(prog, late, nlate);
}

/* ---- The verifier ---------------------------------------------------------------------------- */

static void verify_kept(const Access *access, void *context)
{
    const Statement *s = context;
    if (access->tensor == s->out.tensor && (!has_step(access) || !has_step(&s->out)))
        bug("%s: %s is read in a recurrence that writes it, and not kept for each step", s->layer->name,
            access->tensor->name);
}

/* The statements of a recurrence are neighbours and run for the same samples, and each step makes values of
 * its own, which are kept; but where the loop is the caller's, in net_state. */
void verify_recurrences(const Statement *statements)
{
    for (const Statement *s = statements, *end; s; s = end) {
        end = behind_recurrence(s);
        if (!s->recurrence)
            continue;
        for (const Statement *other = end; other; other = other->next)
            if (in_one_recurrence(s, other))
                bug("%s: a recurrence in two pieces", s->layer->name);
        for (const Statement *a = s; a != end; a = a->next) {
            bool outside = a->recurrence->outside;
            if (a->recurrence->steps < 2 - outside || a->per_sample != s->per_sample || a->phase != s->phase
                || a->layer != s->layer || a->backward != s->backward || a->purpose != s->purpose)
                bug("%s: a recurrence of statements that don't go together", s->layer->name);
            if (outside)
                continue;
            if (a->store != STORE_ADD && !has_step(&a->out))
                bug("%s: %s is set in each step", s->layer->name, a->out.tensor->name);
            for (const Statement *b = s; b != end; b = b->next)
                visit_loads(b->rhs, verify_kept, (void *)a);
        }
    }
}
