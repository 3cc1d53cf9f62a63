/* convolution.c: which contractions slide a kernel over data, step by step, for winograd.c.
 *
 * In: a statement, and the one before it. Out: which of its tensors are data, kernel and result, and for
 * both directions the indices and dimensions:
 *
 *     result[y, x, o] += kernel[ky, kx, c, o] * data[y + ky, x + kx, c]           for y x o ky kx c
 *
 * or with y - ky. A convolution is known by these affine forms, not by the layer it comes from. */
#include <stdlib.h>

#include "schedule/schedule.h"

/* The dimension of an access that is that index, plus a constant; -1 where the index occurs otherwise, or
 * not. */
static int only_dimension(const Access *access, int index)
{
    int found = -1;
    for (int d = 0; d < access->tensor->rank; d++) {
        if (!access->at[d].coefficient[index])
            continue;
        Affine only = affine(access->at[d].constant);
        only.coefficient[index] = 1;
        if (found >= 0 || !affine_equal(&only, &access->at[d]))
            return -1;
        found = d;
    }
    return found;
}

/* Dimension d of the data as y + k or y - k. */
static bool find_axis(const Convolution *c, int d, Axis *axis)
{
    const Statement *s = c->s;
    const Affine *at = &c->data->at[d];
    *axis = (Axis){.y = -1, .k = -1, .data = d};
    for (int i = 0; i < s->nindex; i++) {
        if (!at->coefficient[i])
            continue;
        bool in_kernel = depends_on(c->kernel, i), in_result = depends_on(c->result, i);
        int *slot = in_kernel ? &axis->k : &axis->y;
        if (in_kernel == in_result || *slot >= 0)
            return false;
        *slot = i;
    }
    if (axis->y < 0 || axis->k < 0)
        return false;
    for (int other = 0; other < c->data->tensor->rank; other++)
        if (other != d
            && (c->data->at[other].coefficient[axis->y] || c->data->at[other].coefficient[axis->k]))
            return false;
    axis->kernel = only_dimension(c->kernel, axis->k);
    axis->result = only_dimension(c->result, axis->y);
    axis->turned = at->coefficient[axis->k] == -1;
    return axis->kernel >= 0 && axis->result >= 0 && at->coefficient[axis->y] == 1
        && llabs(at->coefficient[axis->k]) == 1 && !c->kernel->at[axis->kernel].constant
        && s->extent[axis->k] == c->kernel->tensor->dim[axis->kernel];
}

static bool find_axes(Convolution *c)
{
    int n = 0;
    for (int d = 0; d < c->data->tensor->rank; d++) {
        Axis axis;
        if (find_axis(c, d, &axis)) {
            if (n == 2)
                return false;
            c->axis[n++] = axis;
        }
    }
    return n == 2;
}

static bool sets_result(const Statement *first, const Statement *s)
{
    bool same = first && first->store == STORE_SET && access_equal(&first->out, &s->out)
             && first->nindex == output_indices(s);
    for (int i = 0; same && i < first->nindex; i++)
        same = first->extent[i] == s->extent[i];
    return same;
}

bool is_convolution(Convolution *c, Statement *first, Statement *s)
{
    if (!is_contraction(s) || s->nindex > MAX_INDEX - 1)
        return false;
    for (int i = 0; i < 2; i++) {
        const Access *data = &s->rhs->arg[i]->access, *other = &s->rhs->arg[1 - i]->access;
        *c = (Convolution){.s = s, .data = data, .gives_kernel = !s->out.tensor->per_sample};
        c->kernel = c->gives_kernel ? &s->out : other;
        c->result = c->gives_kernel ? other : &s->out;
        const Tensor *d = data->tensor, *k = c->kernel->tensor, *r = c->result->tensor;
        bool roles = d->per_sample && r->per_sample && !k->per_sample && k->role != TENSOR_CONSTANT;
        if (roles && d->rank == 3 && r->rank == 3 && k->rank == 4 && !c->kernel->padded && !c->result->padded
            && find_axes(c)) {
            c->first = !c->gives_kernel && sets_result(first, s) ? first : NULL;
            return true;
        }
    }
    return false;
}

bool is_spatial(const Convolution *c, int index)
{
    return index == c->axis[0].y || index == c->axis[1].y || index == c->axis[0].k || index == c->axis[1].k;
}

int channel_of(const Convolution *c, const Access *access)
{
    for (int d = 0;; d++)
        if (d != (access == c->data ? c->axis[0].data : c->axis[0].result)
            && d != (access == c->data ? c->axis[1].data : c->axis[1].result))
            return d;
}
