/* tensors.c: where the elements of a weight lie in net_params, and copying whole tensors in and out.
 *
 * A generated network keeps its weights as its code reads them: channels out innermost, padded to whole vectors. Files and
 * programs see PyTorch's order; here the two meet. */
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
