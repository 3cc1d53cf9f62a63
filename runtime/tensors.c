/* tensors.c: where the elements of a weight lie in net_params, and copying whole tensors in and out.
 *
 * A generated network keeps its weights as its code reads them: channels out innermost, padded to whole
 * vectors. Files and programs see PyTorch's order; here the two meet. What net_prepare has made of them
 * has no such order: it can't be copied. */
#define NN_COMPUTES
#include "nn.h"

#include <string.h>

size_t nn_place(const nn_tensor *tensor, size_t k)
{
    size_t at = tensor->offset;

    if (tensor->axis[0] == 0)
        return at + k;
    for (int d = NN_MAX_DIMS - 1; d >= 0; d--) {
        at += k % (size_t)tensor->axis[d] * tensor->stride[d];
        k /= (size_t)tensor->axis[d];
    }
    return at;
}

const nn_tensor *nn_find(const nn_model *model, const char *name)
{
    for (int t = 0; t < model->ntensors; t++)
        if (strcmp(model->tensors[t].name, name) == 0)
            return &model->tensors[t];
    return NULL;
}

int nn_is_prepared(const nn_tensor *tensor, const void *params)
{
    uint32_t mark;

    if (tensor->mark == 0)
        return 0;
    memcpy(&mark, (const float *)params + tensor->mark - 1, sizeof mark);
    return mark == NN_PREPARED;
}

int nn_get(const nn_tensor *tensor, const void *params, float *to)
{
    const uint32_t nan = 0x7fc00000;
    int gone = nn_is_prepared(tensor, params);

    for (size_t k = 0; k < tensor->count; k++)
        if (gone)
            memcpy(&to[k], &nan, sizeof nan);
        else
            to[k] = ((const float *)params)[nn_place(tensor, k)];
    return gone ? NN_EPREPARED : NN_OK;
}

int nn_set(const nn_tensor *tensor, void *params, const float *from)
{
    if (nn_is_prepared(tensor, params))
        return NN_EPREPARED;
    for (size_t k = 0; k < tensor->count; k++)
        ((float *)params)[nn_place(tensor, k)] = from[k];
    return NN_OK;
}
