/* triangle.c: points above a diagonal, which may be left out.
 *
 * Attention with causal=true looks at no later position. Its tensors have a row for each position (for each
 * head of it) and in it an element for each position that is looked at (`heads`). What lies in the columns of
 * later positions is 0 in some of them, and in the others read by nobody (`unread`). So a sum over what is 0
 * there need not take those points, and of what nobody reads they need not be made:
 *
 *     mixed[t, d] += p[t, u] * v[u, d]       for t<64 d<32 u<64      u <= t: p is 0 above
 *     scores[t, u] += q[t, d] * k[u, d]      for t<64 u<64 d<32      u <= t: nobody reads the others
 *     sum[t] += (u <= t ? exp[t, u] : 0)     for t<64 u<64           u <= t: says so itself
 *
 * With --stream, in the place of t, stands the step: of what lies behind it in a history all is 0.
 *
 * Leaving them out is a matter of speed alone: a nest may take any of them, as tiles on the diagonal do, and
 * who copies a tensor without `heads` or works on other shapes loses nothing but time. */
#include <float.h>

#include "program/program.h"

/* By how much an element lies above the diagonal of its tensor; false: it has none, or not in this form. */
static bool gap_in(const Access *access, const Statement *s, Affine *gap)
{
    const Tensor *t = access->tensor;
    if (!t->heads || t->rank != 2)
        return false;
    Affine row = access->at[0], position = affine(0);
    *gap = access->at[1];
    row.coefficient[BLOCK] += t->cut[0];
    gap->coefficient[BLOCK] += t->cut[1];
    position.constant = row.constant / t->heads;
    bool known = row.constant >= 0 && row.constant % t->heads == 0, head = false;
    for (int i = 0; i < MAX_TERMS; i++) {
        const int64_t k = row.coefficient[i];
        if (k % t->heads == 0)
            position.coefficient[i] = k / t->heads;
        else {
            known &= !head && k == 1 && i < s->nindex && s->extent[i] <= t->heads;
            head = true;
        }
    }
    *gap = affine_add(*gap, affine_scale(position, -1));
    return known;
}

/* The gap has one index of either sign, or none that lowers it but the step. */
static bool take(Triangle *triangle, const Affine *gap)
{
    *triangle = (Triangle){.later = -1, .at = -1, .gap = *gap};
    for (int i = 0; i < MAX_INDEX; i++) {
        const int64_t k = gap->coefficient[i];
        int *index = k > 0 ? &triangle->later : &triangle->at;
        if (k && (*index >= 0 || (k != 1 && k != -1)))
            return false;
        if (k)
            *index = i;
    }
    return triangle->later >= 0 && (triangle->at >= 0 || gap->coefficient[STEP] == -1);
}

/* Nothing is added, or nothing can be the greatest. */
static bool counts_for_nothing(const Statement *s, const Expr *e)
{
    return e->op == OP_CONSTANT
        && (s->store == STORE_ADD ? e->value == 0 : s->store == STORE_MAX && e->value <= -(double)FLT_MAX);
}

/* Is one of the two an output's index, and the other one over which is summed up? */
static bool sums_along(const Statement *s, Triangle *triangle)
{
    const int outputs = output_indices(s);
    triangle->sums = true;
    return (triangle->later < outputs) != (triangle->at < outputs);
}

bool triangle_of(const Statement *s, Triangle *triangle)
{
    Affine gap;
    const Expr *e = s->rhs;
    if (s->store == STORE_SET)
        ;
    else if (e->op == OP_IF_LE && e->arg[0]->op == OP_INDEX && e->arg[1]->op == OP_INDEX
             && counts_for_nothing(s, e->arg[3])) {
        gap = affine_add(e->arg[0]->index, affine_scale(e->arg[1]->index, -1));
        if (take(triangle, &gap) && sums_along(s, triangle))
            return true;
    } else if (is_contraction(s)) {
        for (int u = 0; u < 2; u++) {
            const Access *factor = &e->arg[u]->access;
            if (!factor->tensor->unread && gap_in(factor, s, &gap) && take(triangle, &gap)
                && sums_along(s, triangle))
                return true;
        }
    }
    return s->out.tensor->unread && gap_in(&s->out, s, &gap) && take(triangle, &gap);
}
