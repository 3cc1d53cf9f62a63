/* optimizer.c: one step of SGD, Adagrad, RMSprop, Adam or AdamW.
 *
 * In: n weights, their n gradients, and the state that the method keeps from step to step. Out: the same
 * weights and state, one step further. The arithmetic, down to the order of the float operations, is that
 * of torch.optim (PyTorch 1.13, torch/optim/NAME.py, function _single_tensor_NAME).
 *
 * The one idea: what is the same for the whole step (bias corrections, decays, signs) is computed once in
 * double precision and rounded to float factors; then a single loop without branches runs over the arrays.
 * An option that is a factor stays one and takes its neutral value when it is off (weight_decay 0, sign
 * 1). Only an option that adds an array has a loop of its own.
 *
 * Layout of the state: NN_STATE_HEAD floats, the first 8 bytes of which hold the number of steps done
 * (uint64_t); then one array of n floats for each moment, in the order of the functions' parameters.
 *
 * A weight of 0 with gradient 0 stays 0 under every method: d, all moments and the numerator are 0, and
 * the denominator is at least FLT_MIN. Hence the padding between tensors stays 0. */
#define NN_COMPUTES
#include "nn.h"
#include "arithmetic.h"

#include <float.h>
#include <math.h>
#include <string.h>

nn_optimizer nn_sgd(float lr)
{
    nn_optimizer o = {.method = NN_SGD, .lr = lr};
    return o;
}

nn_optimizer nn_momentum(float lr, float momentum)
{
    nn_optimizer o = {.method = NN_SGD, .lr = lr, .momentum = momentum};
    return o;
}

nn_optimizer nn_adagrad(float lr)
{
    nn_optimizer o = {.method = NN_ADAGRAD, .lr = lr, .eps = 1e-10f};
    return o;
}

nn_optimizer nn_rmsprop(float lr)
{
    nn_optimizer o = {.method = NN_RMSPROP, .lr = lr, .alpha = 0.99f, .eps = 1e-8f};
    return o;
}

nn_optimizer nn_adam(float lr)
{
    nn_optimizer o = {.method = NN_ADAM, .lr = lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    return o;
}

size_t nn_state_size(const nn_optimizer *o, size_t n)
{
    size_t arrays = 0;

    switch (o->method) {
    case NN_SGD:     arrays = o->momentum != 0; break;
    case NN_ADAGRAD: arrays = 1; break;
    case NN_RMSPROP: arrays = 1 + (o->centered != 0) + (o->momentum != 0); break;
    case NN_ADAM:    arrays = 2 + (o->amsgrad != 0); break;
    }
    return arrays == 0 ? 0 : NN_STATE_HEAD + arrays * n;
}

/* PyTorch divides 0 by 0 when eps is 0 and a gradient has always been 0; the padding must survive that. */
static float positive(float eps)
{
    return eps > FLT_MIN ? eps : FLT_MIN;
}

/* In all loops: w weight, g gradient, d the gradient to descend along, which is +-g + weight_decay w. */

WIDTHS static void sgd(const nn_optimizer *o, float *restrict w, const float *restrict g, size_t n)
{
    const float lr = o->lr, sign = o->maximize ? -1.0f : 1.0f, decay = o->weight_decay;

    for (size_t i = 0; i < n; i++) {
        float d = sign * g[i] + decay * w[i];
        w[i] -= lr * d;
    }
}

/* b is the momentum buffer; the step is b, or d + momentum b under Nesterov. */
WIDTHS static void sgd_momentum(const nn_optimizer *o, uint64_t step, float *restrict w,
                                const float *restrict g, float *restrict b, size_t n)
{
    const float lr = o->lr, sign = o->maximize ? -1.0f : 1.0f, decay = o->weight_decay,
                momentum = o->momentum;
    const float take = step == 1 ? 1.0f : (float)(1 - decimal(o->dampening));
    const float of_d = o->nesterov ? 1.0f : 0.0f, of_b = o->nesterov ? momentum : 1.0f;

    for (size_t i = 0; i < n; i++) {
        float d = sign * g[i] + decay * w[i];
        b[i] = momentum * b[i] + take * d;
        w[i] -= lr * (of_d * d + of_b * b[i]);
    }
}

WIDTHS static void adagrad(const nn_optimizer *o, uint64_t step, float *restrict w, const float *restrict g,
                           float *restrict sum, size_t n)
{
    const float lr = (float)(o->lr / (1 + (double)(step - 1) * o->lr_decay));
    const float sign = o->maximize ? -1.0f : 1.0f, decay = o->weight_decay, eps = positive(o->eps);

    if (step == 1)
        for (size_t i = 0; i < n; i++)
            sum[i] = o->initial_accumulator_value;
    for (size_t i = 0; i < n; i++) {
        float d = sign * g[i] + decay * w[i];
        sum[i] += d * d;
        w[i] -= lr * d / (sqrtf(sum[i]) + eps);
    }
}

/* square and mean: running averages of d*d and, if centered, of d; b: the momentum buffer. The variance
 * square - mean*mean can round to less than 0 when d hardly changes; it counts as 0 then, where PyTorch
 * gets NaN. */
WIDTHS static void rmsprop(const nn_optimizer *o, float *restrict w, const float *restrict g,
                           float *restrict square, float *restrict mean, float *restrict b, size_t n)
{
    const float lr = o->lr, sign = o->maximize ? -1.0f : 1.0f, decay = o->weight_decay,
                momentum = o->momentum;
    const float keep = o->alpha, take = (float)(1 - decimal(o->alpha)), eps = positive(o->eps);

    if (!o->centered && momentum == 0) {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i];
            square[i] = square[i] * keep + take * d * d;
            w[i] -= lr * d / (sqrtf(square[i]) + eps);
        }
    } else if (!o->centered) {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i];
            square[i] = square[i] * keep + take * d * d;
            b[i] = b[i] * momentum + d / (sqrtf(square[i]) + eps);
            w[i] -= lr * b[i];
        }
    } else if (momentum == 0) {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i], variance;
            square[i] = square[i] * keep + take * d * d;
            mean[i] = mean[i] * keep + take * d;
            variance = square[i] - mean[i] * mean[i];
            w[i] -= lr * d / (sqrtf(variance < 0 ? 0 : variance) + eps);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i], variance;
            square[i] = square[i] * keep + take * d * d;
            mean[i] = mean[i] * keep + take * d;
            variance = square[i] - mean[i] * mean[i];
            b[i] = b[i] * momentum + d / (sqrtf(variance < 0 ? 0 : variance) + eps);
            w[i] -= lr * b[i];
        }
    }
}

/* m, v: first and second moment; most: the largest v so far (AMSGrad). Kingma and Ba 2015, with the bias
 * corrections 1 - beta^step folded into the learning rate and the root. Decoupled weight decay (Loshchilov
 * and Hutter 2019) shrinks the weight and leaves the gradient alone. */
WIDTHS static void adam(const nn_optimizer *o, uint64_t step, float *restrict w, const float *restrict g,
                        float *restrict m, float *restrict v, float *restrict most, size_t n)
{
    const double beta1 = decimal(o->beta1), beta2 = decimal(o->beta2);
    const float keep1 = (float)beta1, take1 = (float)(1 - beta1);
    const float keep2 = (float)beta2, take2 = (float)(1 - beta2);
    const float lr = (float)(o->lr / (1 - power(beta1, step)));
    const float root = (float)sqrt(1 - power(beta2, step));
    const float sign = o->maximize ? -1.0f : 1.0f, eps = positive(o->eps);
    const float decay = o->decoupled ? 0.0f : o->weight_decay;
    const float shrink = o->decoupled ? (float)(1 - (double)o->lr * o->weight_decay) : 1.0f;

    if (!o->amsgrad) {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i];
            m[i] = m[i] * keep1 + take1 * d;
            v[i] = v[i] * keep2 + take2 * d * d;
            w[i] = w[i] * shrink - lr * m[i] / (sqrtf(v[i]) / root + eps);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            float d = sign * g[i] + decay * w[i];
            m[i] = m[i] * keep1 + take1 * d;
            v[i] = v[i] * keep2 + take2 * d * d;
            most[i] = most[i] > v[i] ? most[i] : v[i];
            w[i] = w[i] * shrink - lr * m[i] / (sqrtf(most[i]) / root + eps);
        }
    }
}

void nn_count_step(float *state)
{
    uint64_t step;

    if (!state)
        return;
    memcpy(&step, state, sizeof step);
    step++;
    memcpy(state, &step, sizeof step);
}

void nn_step_part(const nn_optimizer *o, float *weights, const float *gradients, float *state, size_t n,
                  size_t begin, size_t end)
{
    const size_t count = end - begin;
    float *w = weights + begin, *moments;
    const float *g = gradients + begin;
    uint64_t step;

    if (nn_state_size(o, n) == 0) {
        sgd(o, w, g, count);
        return;
    }
    memcpy(&step, state, sizeof step);
    moments = state + NN_STATE_HEAD + begin;
    switch (o->method) {
    case NN_SGD:
        sgd_momentum(o, step, w, g, moments, count);
        break;
    case NN_ADAGRAD:
        adagrad(o, step, w, g, moments, count);
        break;
    case NN_RMSPROP:
        rmsprop(o, w, g, moments, moments + n, moments + (o->centered ? 2 * n : n), count);
        break;
    case NN_ADAM:
        adam(o, step, w, g, moments, moments + n, moments + 2 * n, count);
        break;
    }
}

void nn_step(const nn_optimizer *o, float *weights, const float *gradients, float *state, size_t n)
{
    if (nn_state_size(o, n) > 0)
        nn_count_step(state);
    nn_step_part(o, weights, gradients, state, n, 0, n);
}
