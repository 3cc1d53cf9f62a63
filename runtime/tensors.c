/* tensors.c: where the elements of a weight lie in net_params, and copying whole tensors in and out.
 *
 * A generated network keeps its weights as its code reads them: channels out innermost, padded to whole vectors. Files and
 * programs see PyTorch's order; here the two meet. */
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

void nn_get(const nn_tensor *tensor, const void *params, float *to)
{
    for (size_t k = 0; k < tensor->count; k++)
        to[k] = ((const float *)params)[nn_place(tensor, k)];
}

void nn_set(const nn_tensor *tensor, void *params, const float *from)
{
    for (size_t k = 0; k < tensor->count; k++)
        ((float *)params)[nn_place(tensor, k)] = from[k];
}

uint64_t nn_stamp(const nn_model *model, const void *params)
{
    uint64_t stamp = 14695981039346656037u; /* FNV-1a, word by word */

    for (int t = 0; t < model->ntensors; t++) {
        const nn_tensor *tensor = &model->tensors[t];
        size_t last = tensor->offset;
        uint32_t bits[2];

        if (tensor->axis[0] == 0)
            last += tensor->count - 1;
        else
            for (int d = 0; d < NN_MAX_DIMS; d++)
                last += (size_t)(tensor->axis[d] - 1) * tensor->stride[d];
        memcpy(&bits[0], (const float *)params + tensor->offset, sizeof bits[0]);
        memcpy(&bits[1], (const float *)params + last, sizeof bits[1]);
        for (int i = 0; i < 2; i++)
            stamp = (stamp ^ bits[i]) * 1099511628211u;
    }
    return stamp | 1;
}
