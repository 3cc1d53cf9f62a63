/* init.c: the weights before the first step.
 *
 * In: the table of tensors of a generated network, and a seed. Out: all of its params, each tensor drawn
 * uniformly from its own [low, high), or from a normal distribution, everything between and behind the
 * tensors 0. The generator has put the bounds of PyTorch's default initialisation into the table (for
 * convolutions and fully connected layers +-1/sqrt(fan in)).
 *
 * Tensor after tensor takes the next count numbers of the stream, constants too, normal ones twice as
 * many, so a weight depends only on the seed and its number. low + (high - low) u is computed in double,
 * where the product is exact for bounds whose difference is a float: the result is then the same with and
 * without fused multiplication. */
#define NN_COMPUTES
#include "nn.h"

#include <string.h>

const int nn_interface_5 = NN_INTERFACE;

void nn_init(const nn_model *model, void *params, uint64_t seed)
{
    uint64_t k = 0;

    memset(params, 0, model->params_bytes);
    for (int t = 0; t < model->ntensors; t++) {
        const nn_tensor *tensor = &model->tensors[t];
        const double low = tensor->low, range = (double)tensor->high - low;
        float *w = (float *)params;

        if (range < 0) {
            for (size_t i = 0; i < tensor->count; i++) {
                uint64_t at = seed + (k + 2 * i) * NN_GAMMA;
                w[nn_place(tensor, i)] = tensor->low * nn_normal(&at);
            }
            k += 2 * tensor->count;
            continue;
        }
        for (size_t i = 0; i < tensor->count; i++) {
            float value = (float)(low + range * nn_uniform_at(seed, k + i));
            w[nn_place(tensor, i)] = value < tensor->high ? value : tensor->low; /* rounding may reach high */
        }
        k += tensor->count;
    }
    if (model->prepare)
        model->prepare(params);
}
