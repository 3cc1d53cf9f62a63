/* statement.c: questions about one statement.
 *
 * They look at nothing else: what form it has, which indices it depends on, how it steps through memory.
 * Whoever schedules asks them; none of them changes anything. */
#include <stdlib.h>

#include "program/program.h"

/* ---- Its box and its indices ----------------------------------------------------------------- */

int64_t box_volume(const Statement *s)
{
    int64_t volume = 1;
    for (int i = 0; i < s->nindex; i++)
        volume *= s->extent[i];
    return volume;
}

int output_indices(const Statement *s)
{
    int n = 0;
    while (n < s->nindex && depends_on(&s->out, n))
        n++;
    return n;
}

bool covers_tensor(const Statement *s, const Access *access)
{
    bool used[MAX_INDEX] = {false};
    for (int d = 0; d < access->tensor->rank; d++) {
        const Affine *a = &access->at[d];
        if (a->constant)
            return false;
        /* One dimension may be a mixed-radix number of several indices: sort them by coefficient. */
        int64_t unit = 1;
        for (;;) {
            int next = -1;
            for (int i = 0; i < s->nindex; i++)
                if (a->coefficient[i] == unit && !used[i])
                    next = i;
            if (next < 0)
                break;
            used[next] = true;
            unit *= s->extent[next];
        }
        if (unit != access->tensor->dim[d])
            return false;
        for (int i = 0; i < s->nindex; i++)
            if (a->coefficient[i] && !used[i])
                return false;
    }
    for (int i = 0; i < s->nindex; i++)
        if (!used[i])
            return false;
    return true;
}

bool depends_on(const Access *access, int index)
{
    for (int d = 0; d < access->tensor->rank; d++)
        if (access->at[d].coefficient[index])
            return true;
    return false;
}

int64_t stride_of(const Access *access, int index)
{
    return position_of(*access).coefficient[index];
}

typedef struct Dependence {
    int index;
    bool found;
} Dependence;

static void note_dependence(const Access *access, void *context)
{
    Dependence *d = context;
    d->found |= depends_on(access, d->index);
}

static bool expr_index_depends(const Expr *e, int index)
{
    if ((e->op == OP_INDEX || e->op == OP_RANDOM) && e->index.coefficient[index])
        return true;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (expr_index_depends(e->arg[i], index))
            return true;
    return false;
}

bool rhs_depends_on(const Statement *s, int index)
{
    Dependence d = {index, false};
    visit_loads(s->rhs, note_dependence, &d);
    return d.found || expr_index_depends(s->rhs, index);
}

/* ---- Its form -------------------------------------------------------------------------------- */

bool uses_op(const Expr *e, Op op)
{
    if (e->op == op)
        return true;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (uses_op(e->arg[i], op))
            return true;
    return false;
}

bool is_contraction(const Statement *s)
{
    const Expr *e = s->rhs;
    return s->store == STORE_ADD && e->op == OP_MUL && e->arg[0]->op == OP_LOAD && e->arg[1]->op == OP_LOAD;
}

const Access *token_of(const Statement *s)
{
    return &s->rhs->arg[0]->access;
}

/* out += (token == i ? u : 0) */
int picked_index(const Statement *s)
{
    const Expr *e = s->rhs;
    if (s->store != STORE_ADD || e->op != OP_IF_EQ || e->arg[0]->op != OP_LOAD || e->arg[1]->op != OP_INDEX
        || !expr_is(e->arg[3], 0))
        return -1;
    if (!token_of(s)->tensor->is_int || token_of(s)->tensor->role != TENSOR_INPUT)
        return -1;
    for (int i = 0; i < s->nindex; i++) {
        Affine only = affine(0);
        only.coefficient[i] = 1;
        if (affine_equal(&e->arg[1]->index, &only))
            return depends_on(token_of(s), i) ? -1 : i;
    }
    return -1;
}

bool is_picked(const Statement *s, int index)
{
    return index >= 0 && index == picked_index(s);
}

bool is_transform(const Statement *s)
{
    const Expr *e = s->rhs;
    if (s->store != STORE_ADD || e->op != OP_MUL || e->arg[0]->op != OP_MUL || e->arg[1]->op != OP_LOAD)
        return false;
    for (int i = 0; i < 2; i++)
        if (e->arg[0]->arg[i]->op != OP_LOAD || e->arg[0]->arg[i]->access.tensor->role != TENSOR_CONSTANT)
            return false;
    return true;
}

bool is_batch(const Statement *s, int index)
{
    return is_contraction(s) && depends_on(&s->out, index) && depends_on(&s->rhs->arg[0]->access, index)
           && depends_on(&s->rhs->arg[1]->access, index);
}

/* The index of the statement by which a matrix steps that occurs in out, or that does not. */
int matrix_index(const Statement *s, int matrix, bool output)
{
    const Access *m = &s->rhs->arg[0]->arg[matrix]->access;
    for (int i = 0; i < s->nindex; i++)
        if (depends_on(m, i) && (i < output_indices(s)) == output)
            return i;
    bug("a matrix without an index");
}

/* Each index of out in one dimension only, nothing overlapping, nothing outside. */
bool gathers(const Statement *s)
{
    bool used[MAX_INDEX] = {false};
    for (int d = 0; d < s->out.tensor->rank; d++) {
        const Affine *at = &s->out.at[d];
        int64_t least, most;
        affine_range(at, s, &least, &most);
        if (least < 0 || most >= s->out.tensor->dim[d])
            return false;
        /* From the smallest coefficient up, each must step over all that the smaller ones reach. */
        int64_t reach = 0;
        for (;;) {
            int next = -1;
            for (int i = 0; i < s->nindex; i++)
                if (at->coefficient[i] && !used[i]
                    && (next < 0 || llabs(at->coefficient[i]) < llabs(at->coefficient[next])))
                    next = i;
            if (next < 0)
                break;
            if (llabs(at->coefficient[next]) <= reach)
                return false;
            reach += llabs(at->coefficient[next]) * (s->extent[next] - 1);
            used[next] = true;
        }
        for (int later = d + 1; later < s->out.tensor->rank; later++)
            for (int i = 0; i < s->nindex; i++)
                if (at->coefficient[i] && s->out.at[later].coefficient[i])
                    return false;
    }
    return true;
}

bool takes_samples_in(const Statement *s)
{
    return s->store == STORE_SET && s->rhs->op == OP_LOAD && s->rhs->access.tensor->ragged;
}

bool gives_samples_out(const Statement *s)
{
    return s->out.tensor->ragged;
}

bool adds_up_lanes(const Statement *s)
{
    return s->store == STORE_ADD && s->rhs->op == OP_LOAD && s->rhs->access.tensor->sum == s->out.tensor;
}
