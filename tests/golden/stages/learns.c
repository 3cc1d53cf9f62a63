/* The network of learns.nn as C, made by nnc 0.2.0-dev with --unroll=none --target=generic.
 * Compile with: cc -O2 -march=native -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer        output      parameters       MACs  forward                 training         backward
 * fc1          3                    9          6  loops                   loops            loops
 * sigmoid1     3                    0          0  loops                   loops            loops
 * fc2          2                    8          6  loops                   loops            loops
 * softmax1     2                    0          0  loops                   in loss_forward  in loss_backward
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "learns.h"

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

/* A maximum of numbers one of which is NaN is NaN. */
#define GREATER(v, best) (((v) > (best)) | ((v) != (v)))

/* A product that is rounded, whatever becomes of it: no compiler may fuse it with a sum. That way the functions
 * below give the same bits everywhere. */
static inline float times_f(float a, float b)
{
#if defined(__GNUC__) && (defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__))
    float product = a * b;
    __asm__("" : "+x"(product));
#elif defined(__GNUC__) && defined(__aarch64__)
    float product = a * b;
    __asm__("" : "+w"(product));
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    float product = a * b;   /* here is nothing to fuse it with */
#else
    volatile float product = a * b;
#endif
    return product;
}

static inline uint32_t bits_f(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float real_f(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define each_f(x) (x)
#define pick_f(where, a, b) ((where) ? (a) : (b))

/* x = n ln 2 + r, exp(x) = 2^n (1 + v), |x| no larger than is needed for 0 and inf */
static inline float exp_f(float x)
{
    x = pick_f(x > 89.0f, each_f(89.0f), x);
    x = pick_f(x < -104.0f, each_f(-104.0f), x);
    float t = times_f(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    float low = times_f(r, 0.166665152f) + 0.5f, high = times_f(r, 0.00836940762f) + 0.041667819f;
    float v = r + times_f(r2, low + times_f(r2, high + times_f(r2, 0.00138032075f)));
    uint32_t sum = bits_f(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    float y = times_f((1.0f + v) * real_f(b << 23), real_f(a << 23));
    return y;
}

/* 1 / (1 + exp(-x)) = 2^-a / (2^-a + 2^b + 2^b v), where exp(-x) = 2^(a + b) (1 + v) */
static inline float sigmoid_f(float x)
{
    x = pick_f(x > 104.0f, each_f(104.0f), x);
    x = -pick_f(x < -104.0f, each_f(-104.0f), x);
    float t = times_f(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    float low = times_f(r, 0.166665152f) + 0.5f, high = times_f(r, 0.00836940762f) + 0.041667819f;
    float v = r + times_f(r2, low + times_f(r2, high + times_f(r2, 0.00138032075f)));
    uint32_t sum = bits_f(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    float one = real_f((254u - a) << 23), power = real_f(b << 23);
    float both = one + power, lost = one - (both - power);
    float y = one / (both + (lost + power * v));
    return y;
}

/* x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2) */
static inline float log_f(float x)
{
    float shift = pick_f(x < 0x1p-126f, each_f(25.0f), each_f(0.0f));
    uint32_t above = bits_f(pick_f(x < 0x1p-126f, x * 0x1p25f, x)) + (0x3f800000u - 0x3f3504f3u);
    float n = real_f((above >> 23) | 0x4b000000u) - 8388735.0f - shift;
    float f = real_f((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float s = f / (f + 2.0f), s2 = s * s, half = times_f(0.5f * f, f);
    float R = times_f(s2, times_f(s2, times_f(s2, 0.298710734f) + 0.399775773f) + 0.666667759f);
    float y = n * 0x1.62e4p-1f + (f - (half - (times_f(s, half + R) + n * 0x1.7f7ep-20f)));
    y = pick_f(x > 0.0f, y, pick_f(x < 0.0f, each_f(NAN), each_f(-INFINITY)));
    y = pick_f(x < INFINITY, y, x);
    return y;
}

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

/* sigmoid
 * 3 -> 3: loops, 3 points
 *
 *     sigmoid1.out[c] = sigmoid(fc1.out[c])   for c<3
 */
static NOINLINE void sigmoid1_forward(const float fc1_out[restrict 3],
                                      float sigmoid1_out[restrict 3])
{
    for (int c = 0; c < 3; c++)
        sigmoid1_out[c] = sigmoid_f(fc1_out[c]);
}

/* fc 2
 * 3 -> 2: loops, 6 points
 *
 *     fc2.out[o] = fc2.bias[o]   for o<2
 *     fc2.out[o] += fc2.weight[o, i] * sigmoid1.out[i]   for o<2 i<3
 */
static NOINLINE void fc2_forward(const float fc2_weight[restrict 2][3],
                                 const float sigmoid1_out[restrict 3],
                                 const float fc2_bias[restrict 2],
                                 float fc2_out[restrict 2])
{
    for (int o = 0; o < 2; o++) {
        float sum = fc2_bias[o];
        for (int i = 0; i < 3; i++)
            sum += fc2_weight[o][i] * sigmoid1_out[i];
        fc2_out[o] = sum;
    }
}

/* softmax
 * 2 -> 2: loops, 8 points
 *
 *     softmax1.max max= fc2.out[c]   for c<2
 *     softmax1.exp[c] = exp((fc2.out[c] - softmax1.max))   for c<2
 *     softmax1.sum = 0
 *     softmax1.sum += softmax1.exp[c]   for c<2
 *     softmax1.out[c] = softmax1.exp[c] / softmax1.sum   for c<2
 */
static NOINLINE void softmax1_forward(const float fc2_out[restrict 2],
                                      float softmax1_max[restrict 1],
                                      float softmax1_exp[restrict 2],
                                      float softmax1_sum[restrict 1],
                                      float softmax1_out[restrict 2])
{
    {
        float best = -INFINITY;
        float v;
        for (int c = 0; c < 2; c++) {
            v = fc2_out[c];
            best = GREATER(v, best) ? v : best;
        }
        softmax1_max[0] = best;
    }
    for (int c = 0; c < 2; c++)
        softmax1_exp[c] = exp_f(fc2_out[c] - softmax1_max[0]);
    {
        float sum = 0.0f;
        for (int c = 0; c < 2; c++)
            sum += softmax1_exp[c];
        softmax1_sum[0] = sum;
    }
    for (int c = 0; c < 2; c++)
        softmax1_out[c] = softmax1_exp[c] / softmax1_sum[0];
}

/* loss crossentropy
 * 2 -> a number: loops, 9 points
 *
 *     loss.max max= fc2.out[c]   for c<2
 *     loss.exp[c] = exp((fc2.out[c] - loss.max))   for c<2
 *     loss.sum = 0
 *     loss.sum += loss.exp[c]   for c<2
 *     loss.nll = (0 <= target[0] ? (target[0] <= 1 ? log(loss.sum) : nan) : (target[0] == -100 ? 0 : nan))
 *     loss.nll += (target[0] == (c) ? (loss.max - fc2.out[c]) : 0)   for c<2
 *     loss += loss.nll * 1/samples
 */
static NOINLINE void loss_forward(const float fc2_out[restrict 2],
                                  float loss_max[restrict 1],
                                  float loss_exp[restrict 2],
                                  const int target[restrict 1],
                                  float loss_sum[restrict 1],
                                  float loss_nll[restrict 1],
                                  float loss[restrict 1], float mean)
{
    {
        float best = -INFINITY;
        float v;
        for (int c = 0; c < 2; c++) {
            v = fc2_out[c];
            best = GREATER(v, best) ? v : best;
        }
        loss_max[0] = best;
    }
    for (int c = 0; c < 2; c++)
        loss_exp[c] = exp_f(fc2_out[c] - loss_max[0]);
    {
        float sum = 0.0f;
        for (int c = 0; c < 2; c++)
            sum += loss_exp[c];
        loss_sum[0] = sum;
    }
    {
        const int v1 = target[0];
        const float v2 = loss_sum[0];
        float sum = 0 <= v1 ? (v1 <= 1 ? log_f(v2) : NAN) : v1 == -100 ? 0.0f : NAN;
        for (int c = 0; c < 2; c++) {
            const float v3 = loss_max[0];
            const float v4 = fc2_out[c];
            sum += target[0] == c ? v3 - v4 : 0.0f;
        }
        loss_nll[0] = sum;
    }
    loss[0] += loss_nll[0] * mean;
}

/* loss crossentropy, backward
 * 2 -> a number: loops, 2 points
 *
 *     d_fc2.out[c] = (loss.exp[c] / loss.sum - (target[0] == (c) ? 1 : 0)) * (target[0] == -100 ? 0 : 1/samples)   for c<2
 */
static NOINLINE void loss_backward(const float loss_exp[restrict 2],
                                   const float loss_sum[restrict 1],
                                   const int target[restrict 1],
                                   float d_fc2_out[restrict 2], float mean)
{
    for (int c = 0; c < 2; c++)
        d_fc2_out[c] = (loss_exp[c] / loss_sum[0] - (target[0] == c ? 1.0f : 0.0f)) * (target[0] == -100 ? 0.0f : mean);
}

/* fc 2, backward
 * 3 -> 2: loops, 8 points
 *
 *     d_fc2.weight[o, i] += d_fc2.out[o] * sigmoid1.out[i]   for o<2 i<3
 *     d_fc2.bias[o] += d_fc2.out[o]   for o<2
 */
static NOINLINE void fc2_backward_weights(const float d_fc2_out[restrict 2],
                                          const float sigmoid1_out[restrict 3],
                                          float d_fc2_weight[restrict 2][3],
                                          float d_fc2_bias[restrict 2])
{
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < 3; i++)
            d_fc2_weight[o][i] += d_fc2_out[o] * sigmoid1_out[i];
    for (int o = 0; o < 2; o++)
        d_fc2_bias[o] += d_fc2_out[o];
}

/* fc 2, backward
 * 3 -> 2: loops, 6 points
 *
 *     d_sigmoid1.out[c] = 0   for c<3
 *     d_sigmoid1.out[i] += d_fc2.out[o] * fc2.weight[o, i]   for i<3 o<2
 */
static NOINLINE void fc2_backward_input(const float d_fc2_out[restrict 2],
                                        const float fc2_weight[restrict 2][3],
                                        float d_sigmoid1_out[restrict 3])
{
    for (int i = 0; i < 3; i++) {
        float sum = 0.0f;
        for (int o = 0; o < 2; o++)
            sum += d_fc2_out[o] * fc2_weight[o][i];
        d_sigmoid1_out[i] = sum;
    }
}

/* sigmoid, backward
 * 3 -> 3: loops, 3 points
 *
 *     d_fc1.out[c] = d_sigmoid1.out[c] * sigmoid1.out[c] * (1 - sigmoid1.out[c])   for c<3
 */
static NOINLINE void sigmoid1_backward(const float d_sigmoid1_out[restrict 3],
                                       const float sigmoid1_out[restrict 3],
                                       float d_fc1_out[restrict 3])
{
    for (int c = 0; c < 3; c++)
        d_fc1_out[c] = d_sigmoid1_out[c] * sigmoid1_out[c] * (1.0f - sigmoid1_out[c]);
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

/* loss crossentropy
 * 2 -> a number: loops, 3 points
 *
 *     loss.nll = (0 <= target[0] ? (target[0] <= 1 ? log(softmax1.sum) : nan) : (target[0] == -100 ? 0 : nan))
 *     loss.nll += (target[0] == (c) ? (softmax1.max - fc2.out[c]) : 0)   for c<2
 *     loss += loss.nll * 1/samples
 */
static NOINLINE void loss_forward2(const int target[restrict 1],
                                   const float softmax1_max[restrict 1],
                                   const float fc2_out[restrict 2],
                                   const float softmax1_sum[restrict 1],
                                   float loss_nll[restrict 1],
                                   float loss[restrict 1], float mean)
{
    {
        const int v1 = target[0];
        const float v2 = softmax1_sum[0];
        float sum = 0 <= v1 ? (v1 <= 1 ? log_f(v2) : NAN) : v1 == -100 ? 0.0f : NAN;
        for (int c = 0; c < 2; c++) {
            const float v3 = softmax1_max[0];
            const float v4 = fc2_out[c];
            sum += target[0] == c ? v3 - v4 : 0.0f;
        }
        loss_nll[0] = sum;
    }
    loss[0] += loss_nll[0] * mean;
}

void learns_forward(const learns_params *p, learns_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, learns_params);
    NN_CHECK_MEMORY(w, learns_work);
    NN_CHECK(n >= 1 && n <= LEARNS_BATCH,
            "n must be from 1 to LEARNS_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const sigmoid1_out = w->arena + 16;   /* 3 */
    float *const fc2_out = w->arena + 0;   /* 2 */
    float *const softmax1_max = w->arena + 16;   /* 1 */
    float *const softmax1_exp = w->arena + 32;   /* 2 */
    float *const softmax1_sum = w->arena + 48;   /* 1 */
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * LEARNS_INPUT;
        float *const softmax1_out = y + (size_t)s * LEARNS_OUTPUT;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        sigmoid1_forward(fc1_out, sigmoid1_out);
        fc2_forward(p->fc2_weight, sigmoid1_out, p->fc2_bias, fc2_out);
        softmax1_forward(fc2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
    }
}

/* How many of n labels there are that are not -100. Sixteen at a time become vectors at -O2, too. */
static size_t learns_counted(const int *t, size_t n)
{
    size_t count = n;
    for (; n >= 16; n -= 16, t += 16) {
        int ignored = 0;
        for (int i = 0; i < 16; i++)
            ignored += t[i] == -100;
        count -= (size_t)ignored;
    }
    for (; n > 0; n--, t++)
        count -= *t == -100;
    return count;
}

float learns_backward(const learns_params *p, learns_work *w, int n, const float *x, const int *t, learns_params *g)
{
    NN_CHECK_MEMORY(p, learns_params);
    NN_CHECK_MEMORY(w, learns_work);
    NN_CHECK_MEMORY(g, learns_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
    NN_CHECK(n >= 1 && n <= LEARNS_BATCH,
            "n must be from 1 to LEARNS_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const sigmoid1_out = w->arena + 16;   /* 3 */
    float *const fc2_out = w->arena + 0;   /* 2 */
    float *const loss_max = w->arena + 32;   /* 1 */
    float *const loss_exp = w->arena + 48;   /* 2 */
    float *const loss_sum = w->arena + 64;   /* 1 */
    float *const loss_nll = w->arena + 80;   /* 1 */
    float *const d_fc2_out = w->arena + 0;   /* 2 */
    float *const d_sigmoid1_out = w->arena + 32;   /* 3 */
    float *const d_fc1_out = w->arena + 0;   /* 3 */
    const float mean = 1.0f / (float)learns_counted(t, (size_t)n);
    float loss = 0.0f;
    if (w->add != 1)
        memset(g, 0, sizeof *g);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * LEARNS_INPUT;
        const int *const target = t + (size_t)s * LEARNS_TARGETS;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        sigmoid1_forward(fc1_out, sigmoid1_out);
        fc2_forward(p->fc2_weight, sigmoid1_out, p->fc2_bias, fc2_out);
        loss_forward(fc2_out, loss_max, loss_exp, target, loss_sum, loss_nll, &loss, mean);
        loss_backward(loss_exp, loss_sum, target, d_fc2_out, mean);
        fc2_backward_weights(d_fc2_out, sigmoid1_out, g->fc2_weight, g->fc2_bias);
        fc2_backward_input(d_fc2_out, p->fc2_weight, d_sigmoid1_out);
        sigmoid1_backward(d_sigmoid1_out, sigmoid1_out, d_fc1_out);
        fc1_backward_weights(d_fc1_out, input, g->fc1_weight, g->fc1_bias);
    }
    return loss;
}

float learns_loss(const learns_params *p, learns_work *w, int n, const float *x, const int *t, float *y)
{
    NN_CHECK_MEMORY(p, learns_params);
    NN_CHECK_MEMORY(w, learns_work);
    NN_CHECK(n >= 1 && n <= LEARNS_BATCH,
            "n must be from 1 to LEARNS_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const fc1_out = w->arena + 0;   /* 3 */
    float *const sigmoid1_out = w->arena + 16;   /* 3 */
    float *const fc2_out = w->arena + 0;   /* 2 */
    float *const softmax1_max = w->arena + 16;   /* 1 */
    float *const softmax1_exp = w->arena + 32;   /* 2 */
    float *const softmax1_sum = w->arena + 48;   /* 1 */
    float *const loss_nll = w->arena + 32;   /* 1 */
    const float mean = 1.0f / (float)learns_counted(t, (size_t)n);
    float loss = 0.0f;
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * LEARNS_INPUT;
        float *const softmax1_out = y ? y + (size_t)s * LEARNS_OUTPUT : w->arena + 64;
        const int *const target = t + (size_t)s * LEARNS_TARGETS;
        fc1_forward(p->fc1_weight, input, p->fc1_bias, fc1_out);
        sigmoid1_forward(fc1_out, sigmoid1_out);
        fc2_forward(p->fc2_weight, sigmoid1_out, p->fc2_bias, fc2_out);
        softmax1_forward(fc2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
        loss_forward2(target, softmax1_max, fc2_out, softmax1_sum, loss_nll, &loss, mean);
    }
    return loss;
}

static const nn_tensor learns_tensors[] = {
    {"fc1.weight", 2, {3, 2}, 0, 6, -0.70710677f, 0.70710677f, {3, 2, 1, 1}, {2, 1, 0, 0}, 0},
    {"fc1.bias", 1, {3}, 16, 3, -0.70710677f, 0.70710677f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"fc2.weight", 2, {2, 3}, 32, 6, -0.57735026f, 0.57735026f, {2, 3, 1, 1}, {3, 1, 0, 0}, 0},
    {"fc2.bias", 1, {2}, 48, 2, -0.57735026f, 0.57735026f, {2, 1, 1, 1}, {1, 0, 0, 0}, 0},
};

static void learns_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    learns_forward(params, work, n, x, y);
}

static float learns_model_backward(void *params, void *work, int n, const void *x, const void *t, void *gradients)
{
    return learns_backward(params, work, n, x, t, gradients);
}

static float learns_model_loss(const void *params, void *work, int n, const void *x, const void *t, float *y)
{
    return learns_loss(params, work, n, x, t, y);
}

static double learns_model_counted(int n, const void *t)
{
    return (double)learns_counted(t, (size_t)n);
}

static void learns_model_set_rng(void *work, uint64_t rng)
{
    ((learns_work *)work)->rng = rng;
}

static void learns_model_set_add(void *work, int add)
{
    ((learns_work *)work)->add = add;
}

const nn_model learns_model = {
    .name = "learns",
    .input_shape = {2, 1, 1},
    .input = LEARNS_INPUT,
    .output = LEARNS_OUTPUT,
    .targets = LEARNS_TARGETS,
    .int_targets = 1,
    .vocabulary = 0,
    .loss_name = "crossentropy",
    .logits = 0,
    .batch = LEARNS_BATCH,
    .params = LEARNS_PARAMS,
    .floats = LEARNS_FLOATS,
    .params_bytes = sizeof(learns_params),
    .work_bytes = sizeof(learns_work),
    .ntensors = 4,
    .tensors = learns_tensors,
    .forward = learns_model_forward,
    .backward = learns_model_backward,
    .loss = learns_model_loss,
    .set_rng = learns_model_set_rng,
    .set_add = learns_model_set_add,
    .prepare = NULL,
    .counted = learns_model_counted,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void learns_init(learns_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, learns_params);
    nn_init(&learns_model, p, seed);
}
