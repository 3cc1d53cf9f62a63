/* The network of outside.nn as C, made by nnc 0.2.0-dev with --unroll=none --target=scalar.
 * Compile with: cc -std=c99 -O2 -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer        output      parameters       MACs  forward                 training  backward
 * fc1          3                    9          6  loops                   loops     loops
 * relu1        3                    0          0  loops                   loops     loops
 * dropout1     3                    0          0  in place                loops     loops
 * fc2          1                    4          3  loops                   -         loops
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "outside.h"

#include <math.h>
#include <string.h>

/* -fsanitize=undefined would test each of the many sums below for an overflow of its address, and a C compiler
 * would take hours. So it leaves layers out, unless NN_SANITIZE is defined; other sanitizers look at them. */
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 8) && !defined(NN_SANITIZE)
#define NO_UBSAN __attribute__((no_sanitize("undefined")))
#else
#define NO_UBSAN
#endif

/* Layers stay functions of their own: gcc 12 -O2 confuses what restrict says of several that it inlines into one
 * block, and computes wrong numbers. Also, it digests short functions more quickly. The briefest ones, where a
 * call would count, may be inlined, and so do without restrict. */
#if defined(__GNUC__)
#define NOINLINE __attribute__((noinline)) NO_UBSAN
#else
#define NOINLINE
#endif

/* fc 3
 * 2 -> 3: loops, 6 points
 *
 *     fc1.out[o] = fc1.bias[o]   for o<3
 *     fc1.out[o] += fc1.weight[o, i] * input[i]   for o<3 i<2
 */
static NOINLINE void fc1_forward(const float fc1_weight[restrict 3][2],
                                 const float input[restrict 2],
                                 const float fc1_bias[restrict 3],
                                 float fc1_out[restrict 3])
{
    for (int o = 0; o < 3; o++) {
        float sum = fc1_bias[o];
        for (int i = 0; i < 2; i++)
            sum += fc1_weight[o][i] * input[i];
        fc1_out[o] = sum;
    }
}

/* relu
 * 3 -> 3: loops, 3 points
 *
 *     relu1.out[c] = (fc1.out[c] <= 0 ? 0 : fc1.out[c])   for c<3
 */
static NOINLINE void relu1_forward(const float fc1_out[restrict 3],
                                   float relu1_out[restrict 3])
{
    for (int c = 0; c < 3; c++) {
        const float v1 = fc1_out[c];
        relu1_out[c] = v1 <= 0.0f ? 0.0f : v1;
    }
}

/* fc 1
 * 3 -> 1: loops, 3 points
 *
 *     fc2.out[0] = fc2.bias[0]
 *     fc2.out[0] += fc2.weight[0, i] * relu1.out[i]   for i<3
 */
static NOINLINE void fc2_forward(const float fc2_weight[restrict 1][3],
                                 const float relu1_out[restrict 3],
                                 const float fc2_bias[restrict 1],
                                 float fc2_out[restrict 1])
{
    {
        float sum = fc2_bias[0];
        for (int i = 0; i < 3; i++)
            sum += fc2_weight[0][i] * relu1_out[i];
        fc2_out[0] = sum;
    }
}

/* dropout
 * 3 -> 3: loops, 3 points
 *
 *     dropout1.out[c] = (0.5 <= random(c) ? relu1.out[c] * 2 : 0)   for c<3
 */
static NOINLINE void dropout1_forward(const float relu1_out[restrict 3],
                                      float dropout1_out[restrict 3], uint64_t rng)
{
    for (int c = 0; c < 3; c++) {
        const float v1 = relu1_out[c];
        dropout1_out[c] = 0.5f <= nn_uniform_at(rng, (uint64_t)(c)) ? v1 * 2.0f : 0.0f;
    }
}

/* fc 1, backward
 * 3 -> 1: loops, 4 points
 *
 *     d_fc2.weight[0, i] += d_output[0] * dropout1.out[i]   for i<3
 *     d_fc2.bias[0] += d_output[0]
 */
static NOINLINE void fc2_backward_weights(const float d_output[restrict 1],
                                          const float dropout1_out[restrict 3],
                                          float d_fc2_weight[restrict 1][3],
                                          float d_fc2_bias[restrict 1])
{
    for (int i = 0; i < 3; i++)
        d_fc2_weight[0][i] += d_output[0] * dropout1_out[i];
    d_fc2_bias[0] += d_output[0];
}

/* fc 1, backward
 * 3 -> 1: loops, 3 points
 *
 *     d_dropout1.out[i] = d_output[0] * fc2.weight[0, i]   for i<3
 */
static NOINLINE void fc2_backward_input(const float d_output[restrict 1],
                                        const float fc2_weight[restrict 1][3],
                                        float d_dropout1_out[restrict 3])
{
    for (int i = 0; i < 3; i++)
        d_dropout1_out[i] = d_output[0] * fc2_weight[0][i];
}

/* dropout, backward
 * 3 -> 3: loops, 3 points
 *
 *     d_relu1.out[c] = d_dropout1.out[c] * (0.5 <= random(c) ? 2 : 0)   for c<3
 */
static NOINLINE void dropout1_backward(const float d_dropout1_out[restrict 3],
                                       float d_relu1_out[restrict 3], uint64_t rng)
{
    for (int c = 0; c < 3; c++)
        d_relu1_out[c] = d_dropout1_out[c] * (0.5f <= nn_uniform_at(rng, (uint64_t)(c)) ? 2.0f : 0.0f);
}

/* relu, backward
 * 3 -> 3: loops, 3 points
 *
 *     d_fc1.out[c] = (relu1.out[c] <= 0 ? 0 : d_relu1.out[c])   for c<3
 */
static NOINLINE void relu1_backward(const float relu1_out[restrict 3],
                                    const float d_relu1_out[restrict 3],
                                    float d_fc1_out[restrict 3])
{
    for (int c = 0; c < 3; c++) {
        const float v1 = d_relu1_out[c];
        d_fc1_out[c] = relu1_out[c] <= 0.0f ? 0.0f : v1;
    }
}

/* fc 3, backward
 * 2 -> 3: loops, 9 points
 *
 *     d_fc1.weight[o, i] += d_fc1.out[o] * input[i]   for o<3 i<2
 *     d_fc1.bias[o] += d_fc1.out[o]   for o<3
 */
static NOINLINE void fc1_backward_weights(const float d_fc1_out[restrict 3],
                                          const float input[restrict 2],
                                          float d_fc1_weight[restrict 3][2],
                                          float d_fc1_bias[restrict 3])
{
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < 2; i++)
            d_fc1_weight[o][i] += d_fc1_out[o] * input[i];
    for (int o = 0; o < 3; o++)
        d_fc1_bias[o] += d_fc1_out[o];
}

/* fc 3, backward
 * 2 -> 3: loops, 6 points
 *
 *     d_input[c] = 0   for c<2
 *     d_input[i] += d_fc1.out[o] * fc1.weight[o, i]   for i<2 o<3
 */
static NOINLINE void fc1_backward_input(const float d_fc1_out[restrict 3],
                                        const float fc1_weight[restrict 3][2],
                                        float d_input[restrict 2])
{
    for (int i = 0; i < 2; i++) {
        float sum = 0.0f;
        for (int o = 0; o < 3; o++)
            sum += d_fc1_out[o] * fc1_weight[o][i];
        d_input[i] = sum;
    }
}

void outside_forward(const outside_params *p, outside_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, outside_params);
    NN_CHECK_MEMORY(w, outside_work);
    NN_CHECK(n >= 1 && n <= OUTSIDE_BATCH,
            "n must be from 1 to OUTSIDE_BATCH, 4: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const relu1_out = w->arena + 16;   /* 3 */
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * OUTSIDE_INPUT;
        float *const fc2_out = y + (size_t)s * OUTSIDE_OUTPUT;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        relu1_forward(fc1_out, relu1_out);
        fc2_forward(p->fc2_weight, relu1_out, p->fc2_bias, fc2_out);
    }
}

void outside_forward_train(const outside_params *p, outside_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, outside_params);
    NN_CHECK_MEMORY(w, outside_work);
    NN_CHECK(n >= 1 && n <= OUTSIDE_BATCH,
            "n must be from 1 to OUTSIDE_BATCH, 4: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const relu1_out = w->arena + 16;   /* 3 */
    float *const dropout1_out = w->arena + 0;   /* 3 */
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * OUTSIDE_INPUT;
        float *const fc2_out = y + (size_t)s * OUTSIDE_OUTPUT;
        const uint64_t rng = w->rng + (uint64_t)s * 3u * NN_GAMMA;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        relu1_forward(fc1_out, relu1_out);
        dropout1_forward(relu1_out, dropout1_out, rng);
        fc2_forward(p->fc2_weight, dropout1_out, p->fc2_bias, fc2_out);
    }
}

void outside_backward(const outside_params *p, outside_work *w, int n, const float *x, const float *dy, outside_params *g,
        float *dx)
{
    NN_CHECK_MEMORY(p, outside_params);
    NN_CHECK_MEMORY(w, outside_work);
    if (g)
        NN_CHECK_MEMORY(g, outside_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
    NN_CHECK(n >= 1 && n <= OUTSIDE_BATCH,
            "n must be from 1 to OUTSIDE_BATCH, 4: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && dy != NULL, "x or dy is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const relu1_out = w->arena + 16;   /* 3 */
    float *const dropout1_out = w->arena + 0;   /* 3 */
    float *const d_dropout1_out = w->arena + 0;   /* 3 */
    float *const d_relu1_out = w->arena + 32;   /* 3 */
    float *const d_fc1_out = w->arena + 0;   /* 3 */
    if (g && w->add != 1)
        memset(g, 0, sizeof *g);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * OUTSIDE_INPUT;
        const float *const d_output = dy + (size_t)s * OUTSIDE_OUTPUT;
        float *const d_input = dx ? dx + (size_t)s * OUTSIDE_INPUT : NULL;
        const uint64_t rng = w->rng + (uint64_t)s * 3u * NN_GAMMA;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        relu1_forward(fc1_out, relu1_out);
        if (g)
            dropout1_forward(relu1_out, dropout1_out, rng);
        if (g)
            fc2_backward_weights(d_output, dropout1_out, g->fc2_weight, g->fc2_bias);
        fc2_backward_input(d_output, p->fc2_weight, d_dropout1_out);
        dropout1_backward(d_dropout1_out, d_relu1_out, rng);
        relu1_backward(relu1_out, d_relu1_out, d_fc1_out);
        if (g)
            fc1_backward_weights(d_fc1_out, input, g->fc1_weight, g->fc1_bias);
        if (dx)
            fc1_backward_input(d_fc1_out, p->fc1_weight, d_input);
    }
    w->rng += (uint64_t)n * 3u * NN_GAMMA;
}

static const nn_tensor outside_tensors[] = {
    {"fc1.weight", 2, {3, 2}, 0, 6, -0.70710677f, 0.70710677f, {3, 2, 1, 1}, {2, 1, 0, 0}, 0},
    {"fc1.bias", 1, {3}, 16, 3, -0.70710677f, 0.70710677f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"fc2.weight", 2, {1, 3}, 32, 3, -0.57735026f, 0.57735026f, {1, 3, 1, 1}, {3, 1, 0, 0}, 0},
    {"fc2.bias", 1, {1}, 48, 1, -0.57735026f, 0.57735026f, {1, 1, 1, 1}, {1, 0, 0, 0}, 0},
};

static void outside_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    outside_forward(params, work, n, x, y);
}

static void outside_model_forward_train(const void *params, void *work, int n, const void *x, float *y)
{
    outside_forward_train(params, work, n, x, y);
}

static void outside_model_backward_from(void *params, void *work, int n, const void *x, const float *dy, void *gradients,
        float *dx)
{
    outside_backward(params, work, n, x, dy, gradients, dx);
}

static void outside_model_set_rng(void *work, uint64_t rng)
{
    ((outside_work *)work)->rng = rng;
}

static void outside_model_set_add(void *work, int add)
{
    ((outside_work *)work)->add = add;
}

const nn_model outside_model = {
    .name = "outside",
    .input_shape = {2, 1, 1},
    .input = OUTSIDE_INPUT,
    .output = OUTSIDE_OUTPUT,
    .targets = 0,
    .int_targets = 0,
    .vocabulary = 0,
    .loss_name = "none",
    .logits = 0,
    .batch = OUTSIDE_BATCH,
    .params = OUTSIDE_PARAMS,
    .floats = OUTSIDE_FLOATS,
    .params_bytes = sizeof(outside_params),
    .work_bytes = sizeof(outside_work),
    .ntensors = 4,
    .tensors = outside_tensors,
    .forward = outside_model_forward,
    .backward = NULL,
    .loss = NULL,
    .set_rng = outside_model_set_rng,
    .set_add = outside_model_set_add,
    .prepare = NULL,
    .forward_train = outside_model_forward_train,
    .backward_from = outside_model_backward_from,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void outside_init(outside_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, outside_params);
    nn_init(&outside_model, p, seed);
}
