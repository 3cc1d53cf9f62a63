/* affine.c: affine forms of indices, and accesses to tensors by them.
 *
 * An access is one affine form for each dimension of its tensor. What is asked of them is asked here:
 * their range over a box, their sum, whether two are the same, and where in memory they lead. */
#include <stdarg.h>
#include <stdlib.h>

#include "program/program.h"

/* ---- Affine forms and accesses --------------------------------------------------------------- */

Affine affine(int64_t value)
{
    Affine a = {.constant = value};
    return a;
}

Affine affine_add(Affine a, Affine b)
{
    a.constant += b.constant;
    for (int i = 0; i < MAX_TERMS; i++)
        a.coefficient[i] += b.coefficient[i];
    return a;
}

Affine affine_scale(Affine a, int64_t factor)
{
    a.constant *= factor;
    for (int i = 0; i < MAX_TERMS; i++)
        a.coefficient[i] *= factor;
    return a;
}

bool affine_equal(const Affine *a, const Affine *b)
{
    bool equal = a->constant == b->constant;
    for (int i = 0; i < MAX_TERMS; i++)
        equal = equal && a->coefficient[i] == b->coefficient[i];
    return equal;
}

bool affine_is_constant(const Affine *a)
{
    for (int i = 0; i < MAX_TERMS; i++)
        if (a->coefficient[i])
            return false;
    return true;
}

void affine_range(const Affine *a, const Statement *s, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < s->nindex; i++) {
        int64_t reach = a->coefficient[i] * (s->extent[i] - 1);
        *(reach < 0 ? least : most) += reach;
    }
    int64_t reach = s->blocks ? a->coefficient[BLOCK] * (s->blocks - 1) : 0;
    *(reach < 0 ? least : most) += reach;
    reach = s->recurrence ? a->coefficient[STEP] * (s->recurrence->steps - 1) : 0;
    *(reach < 0 ? least : most) += reach;
}

Access access_at(Tensor *tensor, ...)
{
    Access access = {.tensor = tensor};
    va_list ap;
    va_start(ap, tensor);
    for (int i = 0; i < tensor->rank; i++)
        access.at[i] = va_arg(ap, Affine);
    va_end(ap);
    return access;
}

Access padded(Access access)
{
    access.padded = true;
    return access;
}

Access same_place(Access access, Tensor *tensor)
{
    access.tensor = tensor;
    return access;
}

Access without_channel(Access access, Tensor *tensor)
{
    Access rest = {.tensor = tensor};
    for (int i = 0; i < tensor->rank; i++)
        rest.at[i] = access.at[i + (i >= access.tensor->channel)];
    return rest;
}

bool is_own(const Tensor *tensor)
{
    return tensor->role == TENSOR_VALUE || tensor->role == TENSOR_STATE;
}

Affine channel_index(const Access *access)
{
    return access->at[access->tensor->channel];
}

bool access_equal(const Access *a, const Access *b)
{
    bool equal = a->tensor == b->tensor;
    for (int i = 0; equal && i < a->tensor->rank; i++)
        equal = affine_equal(&a->at[i], &b->at[i]);
    return equal;
}

/* Where one and the other lie in a dimension that no index runs through, and differ there. */
bool never_meet(const Access *a, const Access *b)
{
    for (int d = 0; d < a->tensor->rank; d++) {
        Affine difference = affine_add(a->at[d], affine_scale(b->at[d], -1));
        bool runs = false;
        for (int i = 0; i < MAX_INDEX; i++)
            runs |= a->at[d].coefficient[i] || b->at[d].coefficient[i];
        if (!runs && affine_is_constant(&difference) && difference.constant)
            return true;
    }
    return false;
}

Affine position_of(Access access)
{
    Affine position = affine(0);
    for (int i = 0; i < access.tensor->rank; i++)
        position = affine_add(affine_scale(position, access.tensor->room[i]),
                              affine_add(access.at[i], affine(access.tensor->before[i])));
    return position;
}

Affine substitute(Affine a, const Affine *map)
{
    Affine result = affine(a.constant);
    for (int i = MAX_INDEX; i < MAX_TERMS; i++)
        result.coefficient[i] = a.coefficient[i];
    for (int i = 0; i < MAX_INDEX; i++)
        if (a.coefficient[i])
            result = affine_add(result, affine_scale(map[i], a.coefficient[i]));
    return result;
}

Access substitute_access(Access access, const Affine *map)
{
    for (int i = 0; i < access.tensor->rank; i++)
        access.at[i] = substitute(access.at[i], map);
    return access;
}
