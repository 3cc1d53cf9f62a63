/* weights.c: --weights: a file of weights as a constant in the C, for programs that have no files.
 *
 * In: a Plan, and the name of a safetensors file. Out: net_params as nn_load would fill it, and where the
 * network prepares its weights as net_prepare would leave it. The runtime itself reads the file, so that what
 * is wrong with it is said in the words of nn_load. */
#include <stdlib.h>
#include <string.h>

#include "back/loops.h"
#include "verify.h"

nn_tensor tensor_of_weight(const Weight *w)
{
    nn_tensor t = {.name = w->name, .ndim = w->rank, .offset = (size_t)w->offset, .count = (size_t)w->count};
    for (int i = 0; i < w->rank; i++)
        t.shape[i] = (int)w->dim[i];
    for (int i = 0; i < 4; i++) {
        t.axis[i] = (int)w->axis[i];
        t.stride[i] = (size_t)w->stride[i];
    }
    return t;
}

/* As net_params holds them before they are prepared. */
float *read_weights(const Plan *plan, const char *path)
{
    const Net *net = plan->net;
    nn_tensor *tensors = NEW_ARRAY(nn_tensor, net->nweights + 1);
    for (const Weight *w = net->weights; w; w = w->next)
        tensors[w->id] = tensor_of_weight(w);
    const nn_model model = {
        .name = plan->prefix,
        .floats = (size_t)plan->floats,
        .params_bytes = (size_t)plan->all_floats * sizeof(float),
        .ntensors = net->nweights,
        .tensors = tensors,
    };
    /* aligned as nn_load wants net_params */
    char *memory = NEW_ARRAY(char, plan->all_floats * (int64_t)sizeof(float) + 64);
    float *params = (float *)(memory + 64 - (uintptr_t)memory % 64);
    int error = nn_load(&model, params, path);
    if (error)
        fail("--weights: %s [weights-file]", nn_error(error));
    return params;
}

const float *constant_weights(const Plan *plan, const char *path)
{
    float *params = read_weights(plan, path);
    if (plan->forward.prepared)
        run_prepare(plan, params);
    return params;
}
