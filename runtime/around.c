/* around.c: what is done around an optimizer's step: gradients are clipped before it, weights averaged
 * behind it.
 *
 * The definitions are PyTorch's: torch/nn/utils/clip_grad.py, torch/optim/swa_utils.py. All is done element
 * by element, and a 0 stays 0. */
#define NN_COMPUTES
#include "nn.h"
#include "arithmetic.h"

#include <string.h>

/* In double, and in the same order for each width of vectors. */
WIDTHS double nn_squares(const float *v, size_t n)
{
    double sum[8] = {0}, rest = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int lane = 0; lane < 8; lane++)
            sum[lane] += (double)v[i + (size_t)lane] * v[i + (size_t)lane];
    for (; i < n; i++)
        rest += (double)v[i] * v[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])) + rest;
}

WIDTHS void nn_scale(float *v, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        v[i] *= factor;
}

float nn_clip(float *gradients, size_t n, float most)
{
    const float norm = (float)sqrt(nn_squares(gradients, n)), factor = most / (norm + 1e-6f);

    if (!(factor >= 1)) /* a NaN makes all gradients NaN, as in PyTorch */
        nn_scale(gradients, n, factor);
    return norm;
}

WIDTHS void nn_average(float *average, const float *weights, size_t n, uint64_t count)
{
    const float all = (float)(count + 1);

    if (count == 0)
        memcpy(average, weights, n * sizeof *average);
    else
        for (size_t i = 0; i < n; i++)
            average[i] += (weights[i] - average[i]) / all;
}

WIDTHS void nn_ema(float *average, const float *weights, size_t n, float decay, uint64_t count)
{
    const float keep = (float)decimal(decay), take = (float)(1 - decimal(decay));

    if (count == 0)
        memcpy(average, weights, n * sizeof *average);
    else
        for (size_t i = 0; i < n; i++)
            average[i] = keep * average[i] + take * weights[i];
}
