/* The network of samples.nn as C, made by nnc 0.2.0-dev with --unroll=auto --target=avx512.
 * Compile with: cc -O2 -march=x86-64-v4 -I<folder of nn.h> -c; link with libnn.a -lm.
 * Training takes 16 samples at once, one in each lane of a vector.
 *
 * layer        output      parameters       MACs  forward                 training         backward
 * fc1          3                    9          6  full, 230 bytes         tile 3o 1x16s    tile
 * tanh1        3                    0          0  in fc1_forward          in fc1_training  in fc2_backward_input
 * fc2          2                    8          6  full, 49 bytes          tile 2o 1x16s    tile; tile 3i 1x16s
 * softmax1     2                    0          0  tile                    in fc2_training  in fc2_training
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "samples.h"

#include <math.h>
#include <string.h>

/* Where the C compiler may not use the vectors that this file is shaped for, it says so. NN_ANY_PROCESSOR silences it. */
#if !defined(__OPTIMIZE__) || defined(NN_ANY_PROCESSOR)
#elif defined(__arm__) && !defined(__ARM_NEON)
#pragma message("nnc: this file is many times slower without NEON: compile with -mfpu=neon, or use nnc --target=scalar")
#endif

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

/* The few rounds of such a loop are to be written out: what it keeps in an array is in registers then. */
#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 16")
#else
#define UNROLLED
#endif

/* A maximum of numbers one of which is NaN is NaN. */
#define GREATER(v, best) (((v) > (best)) | ((v) != (v)))

/* 4 floats that are worked on together; in memory they may lie at any address. */
typedef float vec __attribute__((vector_size(16)));
typedef float vec_memory __attribute__((vector_size(16), aligned(4), may_alias));
#define LOAD(a) (*(const vec_memory *)&(a))
#define STORE(a, v) (*(vec_memory *)&(a) = (v))
/* The first k floats of a vector, at the end of a row that is no whole number of vectors. */
#define STORE_FIRST(k, a, v) __extension__({ const vec v_ = (v); memcpy(&(a), &v_, (k) * sizeof(float)); })

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

/* Of vectors of 4: a product that is rounded, so that no compiler may fuse it with a sum, and what else the functions
 * below need for the same bits everywhere. */
#if defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__)
#define times_v(a, b) __extension__({ vec product_ = (a) * (b); __asm__("" : "+x"(product_)); product_; })
#elif defined(__x86_64__) || defined(__i386__)
#define times_v(a, b) ((a) * (b))
#elif defined(__aarch64__)
#define times_v(a, b) __extension__({ vec product_ = (a) * (b); __asm__("" : "+w"(product_)); product_; })
#else
#define times_v(a, b) \
    __extension__({ uint32_t zero_ = 0; __asm__("" : "+r"(zero_)); real_v(bits_v((a) * (b)) ^ zero_); })
#endif

typedef uint32_t vec_bits __attribute__((vector_size(16)));
#define bits_v(x) ((vec_bits)(x))
#define real_v(bits) ((vec)(bits))
#define each_v(x) ((vec){0} + (x))
#define pick_v(where, a, b) real_v((bits_v(where) & bits_v(a)) | (~bits_v(where) & bits_v(b)))

/* x = n ln 2 + r, exp(x) = 2^n (1 + v), |x| no larger than is needed for 0 and inf */
static inline void exp_in_place(vec *at)
{
    vec x = *at;
    x = pick_v(x > 89.0f, each_v(89.0f), x);
    x = pick_v(x < -104.0f, each_v(-104.0f), x);
    vec t = times_v(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    vec r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    vec low = times_v(r, 0.166665152f) + 0.5f, high = times_v(r, 0.00836940762f) + 0.041667819f;
    vec v = r + times_v(r2, low + times_v(r2, high + times_v(r2, 0.00138032075f)));
    vec_bits sum = bits_v(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    vec y = times_v((1.0f + v) * real_v(b << 23), real_v(a << 23));
    *at = y;
}

#define exp_v(x) __extension__({ vec at_ = (x); exp_in_place(&at_); at_; })

/* below 0.55 an odd polynomial, above 1 - 2 / (1 + exp(2 |x|)) */
static inline void tanh_in_place(vec *at)
{
    vec x = *at;
    vec_bits sign = bits_v(x) & 0x80000000u;
    vec size = real_v(bits_v(x) ^ sign);
    size = pick_v(size > 10.0f, each_v(10.0f), size);
    vec z = size * size;
    vec first = times_v(z, 0.133207247f) - 0.333329469f, second = times_v(z, 0.0164367948f) - 0.0526715554f;
    vec below = size + times_v(size * z, first + times_v(z * z, second));
    x = 2.0f * size;
    vec t = times_v(x, 1.44269504f) + 12583039.0f, n = t - 12583039.0f;
    vec r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    vec low = times_v(r, 0.166665152f) + 0.5f, high = times_v(r, 0.00836940762f) + 0.041667819f;
    vec v = r + times_v(r2, low + times_v(r2, high + times_v(r2, 0.00138032075f)));
    vec power = real_v(bits_v(t) << 23), above = 1.0f - 2.0f / (1.0f + power * (1.0f + v));
    vec y = real_v(bits_v(pick_v(size < 0.55f, below, above)) | sign);
    *at = y;
}

#define tanh_v(x) __extension__({ vec at_ = (x); tanh_in_place(&at_); at_; })

/* 16 floats that are worked on together; in memory they may lie at any address. */
typedef float vec16 __attribute__((vector_size(64)));
typedef float vec_memory16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int vec_mask16 __attribute__((vector_size(64)));
#define LOAD16(a) (*(const vec_memory16 *)&(a))
#define STORE16(a, v) (*(vec_memory16 *)&(a) = (v))
#define ALL16(x) __extension__({ const float x_ = (x); \
    (vec16){x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_}; })
/* In each lane a where the test holds, else b. */
#define SELECT16(test, a, b) __extension__({ \
    const vec_mask16 m_ = (vec_mask16)(test); \
    (vec16)(((vec_mask16)(a) & m_) | ((vec_mask16)(b) & ~m_)); })
#define LANES16 ((vec16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
/* An element of each of 16 samples. */
#define EACH16(x, element) ((vec16){ \
    x[0] element, x[1] element, x[2] element, x[3] element, x[4] element, x[5] element, x[6] element, x[7] element, \
    x[8] element, x[9] element, x[10] element, x[11] element, x[12] element, x[13] element, x[14] element, x[15] element})

/* The sum of 16 floats. */
static inline float sum16(const float *a)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    const four v = *(const four *)a + *(const four *)(a + 4) + *(const four *)(a + 8) + *(const four *)(a + 12);
    return (v[0] + v[1]) + (v[2] + v[3]);
}
#define SUM16(v) __extension__({ const vec16 v_ = (v); sum16((const float *)&v_); })

/* Of vectors of 16: a product that is rounded, so that no compiler may fuse it with a sum, and what else the functions
 * below need for the same bits everywhere. */
#if defined(__AVX512F__)
#define times_v16(a, b) __extension__({ vec16 product_ = (a) * (b); __asm__("" : "+v"(product_)); product_; })
#elif (defined(__x86_64__) || defined(__i386__)) && !defined(__FMA__) && !defined(__FMA4__)
#define times_v16(a, b) ((a) * (b))
#else
#define times_v16(a, b) \
    __extension__({ uint32_t zero_ = 0; __asm__("" : "+r"(zero_)); real_v16(bits_v16((a) * (b)) ^ zero_); })
#endif

typedef uint32_t vec_bits16 __attribute__((vector_size(64)));
#define bits_v16(x) ((vec_bits16)(x))
#define real_v16(bits) ((vec16)(bits))
#define each_v16(x) ((vec16){0} + (x))
#define pick_v16(where, a, b) real_v16((bits_v16(where) & bits_v16(a)) | (~bits_v16(where) & bits_v16(b)))

/* x = n ln 2 + r, exp(x) = 2^n (1 + v), |x| no larger than is needed for 0 and inf */
static inline void exp_in_place16(vec16 *at)
{
    vec16 x = *at;
    x = pick_v16(x > 89.0f, each_v16(89.0f), x);
    x = pick_v16(x < -104.0f, each_v16(-104.0f), x);
    vec16 t = times_v16(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    vec16 r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    vec16 low = times_v16(r, 0.166665152f) + 0.5f, high = times_v16(r, 0.00836940762f) + 0.041667819f;
    vec16 v = r + times_v16(r2, low + times_v16(r2, high + times_v16(r2, 0.00138032075f)));
    vec_bits16 sum = bits_v16(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    vec16 y = times_v16((1.0f + v) * real_v16(b << 23), real_v16(a << 23));
    *at = y;
}

#define exp_v16(x) __extension__({ vec16 at_ = (x); exp_in_place16(&at_); at_; })

/* below 0.55 an odd polynomial, above 1 - 2 / (1 + exp(2 |x|)) */
static inline void tanh_in_place16(vec16 *at)
{
    vec16 x = *at;
    vec_bits16 sign = bits_v16(x) & 0x80000000u;
    vec16 size = real_v16(bits_v16(x) ^ sign);
    size = pick_v16(size > 10.0f, each_v16(10.0f), size);
    vec16 z = size * size;
    vec16 first = times_v16(z, 0.133207247f) - 0.333329469f, second = times_v16(z, 0.0164367948f) - 0.0526715554f;
    vec16 below = size + times_v16(size * z, first + times_v16(z * z, second));
    x = 2.0f * size;
    vec16 t = times_v16(x, 1.44269504f) + 12583039.0f, n = t - 12583039.0f;
    vec16 r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    vec16 low = times_v16(r, 0.166665152f) + 0.5f, high = times_v16(r, 0.00836940762f) + 0.041667819f;
    vec16 v = r + times_v16(r2, low + times_v16(r2, high + times_v16(r2, 0.00138032075f)));
    vec16 power = real_v16(bits_v16(t) << 23), above = 1.0f - 2.0f / (1.0f + power * (1.0f + v));
    vec16 y = real_v16(bits_v16(pick_v16(size < 0.55f, below, above)) | sign);
    *at = y;
}

#define tanh_v16(x) __extension__({ vec16 at_ = (x); tanh_in_place16(&at_); at_; })

/* x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2) */
static inline void log_in_place16(vec16 *at)
{
    vec16 x = *at;
    vec16 shift = pick_v16(x < 0x1p-126f, each_v16(25.0f), each_v16(0.0f));
    vec_bits16 above = bits_v16(pick_v16(x < 0x1p-126f, x * 0x1p25f, x)) + (0x3f800000u - 0x3f3504f3u);
    vec16 n = real_v16((above >> 23) | 0x4b000000u) - 8388735.0f - shift;
    vec16 f = real_v16((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    vec16 s = f / (f + 2.0f), s2 = s * s, half = times_v16(0.5f * f, f);
    vec16 R = times_v16(s2, times_v16(s2, times_v16(s2, 0.298710734f) + 0.399775773f) + 0.666667759f);
    vec16 y = n * 0x1.62e4p-1f + (f - (half - (times_v16(s, half + R) + n * 0x1.7f7ep-20f)));
    y = pick_v16(x > 0.0f, y, pick_v16(x < 0.0f, each_v16(NAN), each_v16(-INFINITY)));
    y = pick_v16(x < INFINITY, y, x);
    *at = y;
}

#define log_v16(x) __extension__({ vec16 at_ = (x); log_in_place16(&at_); at_; })

/* fc 3
 * 2 -> 3: full, 230 bytes, 2 points
 *
 *     fc1.out[o] = fc1.bias[o]   for o<3
 *     fc1.out[o] += fc1.weight[i, o] * input[i]   for o<3 i<2
 *     tanh1.out[c] = tanh(fc1.out[c])   for c<3
 */
static inline void fc1_forward(const float *fc1_weight,
                               const float *input,
                               const float *fc1_bias,
                               float *tanh1_out)
{
    {
        vec sum = LOAD(fc1_bias[0]);
        sum += LOAD(fc1_weight[0]) * input[0];
        sum += LOAD(fc1_weight[4]) * input[1];
        STORE(tanh1_out[0], tanh_v(sum));
    }
}

/* fc 2
 * 3 -> 2: full, 49 bytes, 3 points
 *
 *     fc2.out[o] = fc2.bias[o]   for o<2
 *     fc2.out[o] += fc2.weight[i, o] * tanh1.out[i]   for o<2 i<3
 */
static inline void fc2_forward(const float *fc2_weight,
                               const float *tanh1_out,
                               const float *fc2_bias,
                               float *fc2_out)
{
    {
        vec sum = LOAD(fc2_bias[0]);
        sum += LOAD(fc2_weight[0]) * tanh1_out[0];
        sum += LOAD(fc2_weight[4]) * tanh1_out[1];
        sum += LOAD(fc2_weight[8]) * tanh1_out[2];
        STORE(fc2_out[0], sum);
    }
}

/* softmax
 * 2 -> 2: tile, 8 points
 *
 *     softmax1.max max= fc2.out[c]   for c<2
 *     softmax1.exp[c] = exp((fc2.out[c] - softmax1.max))   for c<2
 *     softmax1.sum = 0
 *     softmax1.sum += softmax1.exp[c]   for c<2
 *     softmax1.out[c] = softmax1.exp[c] / softmax1.sum   for c<2
 */
static inline void softmax1_forward(const float fc2_out[4],
                                    float softmax1_max[1],
                                    float softmax1_exp[4],
                                    float softmax1_sum[1],
                                    float softmax1_out[2])
{
    {
        float best = -INFINITY;
        float v;
        v = fc2_out[0];
        best = GREATER(v, best) ? v : best;
        v = fc2_out[1];
        best = GREATER(v, best) ? v : best;
        softmax1_max[0] = best;
    }
    STORE(softmax1_exp[0], exp_v(LOAD(fc2_out[0]) - softmax1_max[0]));
    {
        float sum = 0.0f;
        UNROLLED for (int c = 0; c < 2; c++)
            sum += softmax1_exp[c];
        softmax1_sum[0] = sum;
    }
    STORE_FIRST(2, softmax1_out[0], LOAD(softmax1_exp[0]) / softmax1_sum[0]);
}

/* loss crossentropy
 * 2 -> a number: tile, 16 points
 *
 *     loss.lanes[s] = 0   for s<16
 */
static NOINLINE void loss_clear(float loss_lanes[restrict 16])
{
    memset(loss_lanes, 0, 16 * sizeof(float));
}

/* fc 2, backward
 * 3 -> 2: tile, 128 points
 *
 *     d_fc2.weight.lanes[i, o, s] = 0   for i<3 o<2 s<16
 *     d_fc2.bias.lanes[o, s] = 0   for o<2 s<16
 */
static NOINLINE void fc2_backward_clear(float d_fc2_weight_lanes[restrict 3][2][16],
                                        float d_fc2_bias_lanes[restrict 2][16])
{
    memset(d_fc2_weight_lanes, 0, 96 * sizeof(float));
    memset(d_fc2_bias_lanes, 0, 32 * sizeof(float));
}

/* fc 3, backward
 * 2 -> 3: tile, 144 points
 *
 *     d_fc1.weight.lanes[i, o, s] = 0   for i<2 o<3 s<16
 *     d_fc1.bias.lanes[o, s] = 0   for o<3 s<16
 */
static NOINLINE void fc1_backward_clear(float d_fc1_weight_lanes[restrict 2][3][16],
                                        float d_fc1_bias_lanes[restrict 3][16])
{
    memset(d_fc1_weight_lanes, 0, 96 * sizeof(float));
    memset(d_fc1_bias_lanes, 0, 48 * sizeof(float));
}

/* fc 3
 * 2 -> 3: tile 3o 1x16s, 128 points
 *
 *     input.lanes[c, s] = input[s, c]   for c<2 s<16
 *     fc1.out[o, s] = fc1.bias[o]   for o<3 s<16
 *     fc1.out[o, s] += fc1.weight[i, o] * input.lanes[i, s]   for o<3 s<16 i<2
 *     tanh1.out[c, s] = tanh(fc1.out[c, s])   for c<3 s<16
 */
static inline void fc1_training(const float input[16][2],
                                const float fc1_weight[2][4],
                                float input_lanes[2][16],
                                const float fc1_bias[4],
                                float tanh1_out[3][16], int m)
{
    if (m == 16)
        for (int c = 0; c < 2; c++)
            STORE16(input_lanes[c][0], EACH16(input, [c]));
    else
        for (int c = 0; c < 2; c++)
            for (int s = 0; s < 16; s++)
                input_lanes[c][s] = input[s < m ? s : m - 1][c];
    {
        vec16 s0 = ALL16(fc1_bias[0]);
        vec16 s1 = ALL16(fc1_bias[1]);
        vec16 s2 = ALL16(fc1_bias[2]);
        UNROLLED for (int i = 0; i < 2; i++) {
            const vec16 v0 = LOAD16(input_lanes[i][0]);
            s0 += fc1_weight[i][0] * v0;
            s1 += fc1_weight[i][1] * v0;
            s2 += fc1_weight[i][2] * v0;
        }
        STORE16(tanh1_out[0][0], tanh_v16(s0));
        STORE16(tanh1_out[1][0], tanh_v16(s1));
        STORE16(tanh1_out[2][0], tanh_v16(s2));
    }
}

/* fc 2
 * 3 -> 2: tile 2o 1x16s, 96 points
 *
 *     fc2.out[o, s] = fc2.bias[o]   for o<2 s<16
 *     fc2.out[o, s] += fc2.weight[i, o] * tanh1.out[i, s]   for o<2 s<16 i<3
 *     target.lanes[0, s] = target[s, 0]   for s<16
 *     mean.lanes[s] = ((s + 1) <= m ? 1/samples : 0)   for s<16
 *     loss.max[s] max= fc2.out[c, s]   for s<16 c<2
 *     loss.exp[c, s] = exp((fc2.out[c, s] - loss.max[s]))   for c<2 s<16
 *     loss.sum[s] = 0   for s<16
 *     loss.sum[s] += loss.exp[c, s]   for s<16 c<2
 *     loss.nll[s] = (0 <= target.lanes[0, s] ? (target.lanes[0, s] <= 1 ? log(loss.sum[s]) : nan)
 *             : (target.lanes[0, s] == -100 ? 0 : nan))   for s<16
 *     loss.nll[s] += (target.lanes[0, s] == (c) ? (loss.max[s] - fc2.out[c, s]) : 0)   for s<16 c<2
 *     loss.lanes[s] += loss.nll[s] * mean.lanes[s]   for s<16
 *     d_fc2.out[c, s] = (loss.exp[c, s] / loss.sum[s] - (target.lanes[0, s] == (c) ? 1 : 0))
 *             * (target.lanes[0, s] == -100 ? 0 : mean.lanes[s])   for c<2 s<16
 */
static inline void fc2_training(const int target[16][1],
                                float target_lanes[1][16],
                                float mean_lanes[16],
                                const float fc2_weight[3][4],
                                const float tanh1_out[3][16],
                                const float fc2_bias[4],
                                float d_fc2_out[2][16],
                                float loss_lanes[16], float mean, int m)
{
    if (m == 16)
        for (int s = 0; s < 16; s++)
            target_lanes[0][s] = target[s][0];
    else
        for (int s = 0; s < 16; s++)
            target_lanes[0][s] = target[s < m ? s : m - 1][0];
    STORE16(mean_lanes[0], SELECT16((LANES16 + 1.0f) <= (float)m, ALL16(mean), ALL16(0.0f)));
    {
        vec16 s0 = ALL16(fc2_bias[0]);
        vec16 s1 = ALL16(fc2_bias[1]);
        UNROLLED for (int i = 0; i < 3; i++) {
            const vec16 v0 = LOAD16(tanh1_out[i][0]);
            s0 += fc2_weight[i][0] * v0;
            s1 += fc2_weight[i][1] * v0;
        }
        vec16 loss_max0 = s0;
        const vec16 loss_max0_1 = s1;
        loss_max0 = SELECT16(GREATER(loss_max0_1, loss_max0), loss_max0_1, loss_max0);
        const vec16 loss_exp0_0 = exp_v16(s0 - loss_max0);
        const vec16 loss_exp0_1 = exp_v16(s1 - loss_max0);
        vec16 loss_sum0 = loss_exp0_0;
        loss_sum0 += loss_exp0_1;
        vec16 loss_nll0 = SELECT16(0.0f <= LOAD16(target_lanes[0][0]),
                SELECT16(LOAD16(target_lanes[0][0]) <= 1.0f, log_v16(loss_sum0), ALL16(NAN)),
                SELECT16(LOAD16(target_lanes[0][0]) == -1e+02f, ALL16(0.0f), ALL16(NAN)))
                + SELECT16(LOAD16(target_lanes[0][0]) == 0.0f, loss_max0 - s0, ALL16(0.0f));
        loss_nll0 += SELECT16(LOAD16(target_lanes[0][0]) == 1.0f, loss_max0 - s1, ALL16(0.0f));
        const vec16 d_fc2_out0_0 = (loss_exp0_0 / loss_sum0
                - SELECT16(LOAD16(target_lanes[0][0]) == 0.0f, ALL16(1.0f), ALL16(0.0f)))
                * SELECT16(LOAD16(target_lanes[0][0]) == -1e+02f, ALL16(0.0f), LOAD16(mean_lanes[0]));
        STORE16(d_fc2_out[0][0], d_fc2_out0_0);
        const vec16 d_fc2_out0_1 = (loss_exp0_1 / loss_sum0
                - SELECT16(LOAD16(target_lanes[0][0]) == 1.0f, ALL16(1.0f), ALL16(0.0f)))
                * SELECT16(LOAD16(target_lanes[0][0]) == -1e+02f, ALL16(0.0f), LOAD16(mean_lanes[0]));
        STORE16(d_fc2_out[1][0], d_fc2_out0_1);
        vec16 loss_lanes0 = loss_nll0 * LOAD16(mean_lanes[0]);
        STORE16(loss_lanes[0], LOAD16(loss_lanes[0]) + loss_lanes0);
    }
}

/* fc 2, backward
 * 3 -> 2: tile, 128 points
 *
 *     d_fc2.weight.lanes[i, o, s] += d_fc2.out[o, s] * tanh1.out[i, s]   for i<3 o<2 s<16
 *     d_fc2.bias.lanes[o, s] += d_fc2.out[o, s]   for o<2 s<16
 */
static inline void fc2_backward_weights(const float d_fc2_out[2][16],
                                        const float tanh1_out[3][16],
                                        float d_fc2_weight_lanes[3][2][16],
                                        float d_fc2_bias_lanes[2][16])
{
    {
        vec16 s0 = LOAD16(d_fc2_weight_lanes[0][0][0]);
        vec16 s1 = LOAD16(d_fc2_weight_lanes[0][1][0]);
        vec16 s2 = LOAD16(d_fc2_weight_lanes[1][0][0]);
        vec16 s3 = LOAD16(d_fc2_weight_lanes[1][1][0]);
        vec16 s4 = LOAD16(d_fc2_weight_lanes[2][0][0]);
        vec16 s5 = LOAD16(d_fc2_weight_lanes[2][1][0]);
        const vec16 v0 = LOAD16(d_fc2_out[0][0]);
        const vec16 v1 = LOAD16(tanh1_out[0][0]);
        s0 += v0 * v1;
        const vec16 v2 = LOAD16(d_fc2_out[1][0]);
        s1 += v2 * v1;
        const vec16 v3 = LOAD16(tanh1_out[1][0]);
        s2 += v0 * v3;
        s3 += v2 * v3;
        const vec16 v4 = LOAD16(tanh1_out[2][0]);
        s4 += v0 * v4;
        s5 += v2 * v4;
        STORE16(d_fc2_weight_lanes[0][0][0], s0);
        STORE16(d_fc2_weight_lanes[0][1][0], s1);
        STORE16(d_fc2_weight_lanes[1][0][0], s2);
        STORE16(d_fc2_weight_lanes[1][1][0], s3);
        STORE16(d_fc2_weight_lanes[2][0][0], s4);
        STORE16(d_fc2_weight_lanes[2][1][0], s5);
    }
    for (int o = 0; o < 2; o++) {
        vec16 sum = LOAD16(d_fc2_bias_lanes[o][0]);
        sum += LOAD16(d_fc2_out[o][0]);
        STORE16(d_fc2_bias_lanes[o][0], sum);
    }
}

/* fc 2, backward
 * 3 -> 2: tile 3i 1x16s, 96 points
 *
 *     d_tanh1.out[c, s] = 0   for c<3 s<16
 *     d_tanh1.out[i, s] += d_fc2.out[o, s] * fc2.weight[i, o]   for i<3 s<16 o<2
 *     d_fc1.out[c, s] = d_tanh1.out[c, s] * (1 - tanh1.out[c, s] * tanh1.out[c, s])   for c<3 s<16
 */
static inline void fc2_backward_input(const float tanh1_out[3][16],
                                      const float d_fc2_out[2][16],
                                      const float fc2_weight[3][4],
                                      float d_fc1_out[3][16])
{
    {
        vec16 s0 = {0}, s1 = {0}, s2 = {0};
        UNROLLED for (int o = 0; o < 2; o++) {
            const vec16 v0 = LOAD16(d_fc2_out[o][0]);
            s0 += v0 * fc2_weight[0][o];
            s1 += v0 * fc2_weight[1][o];
            s2 += v0 * fc2_weight[2][o];
        }
        STORE16(d_fc1_out[0][0], s0 * (1.0f - LOAD16(tanh1_out[0][0]) * LOAD16(tanh1_out[0][0])));
        STORE16(d_fc1_out[1][0], s1 * (1.0f - LOAD16(tanh1_out[1][0]) * LOAD16(tanh1_out[1][0])));
        STORE16(d_fc1_out[2][0], s2 * (1.0f - LOAD16(tanh1_out[2][0]) * LOAD16(tanh1_out[2][0])));
    }
}

/* fc 3, backward
 * 2 -> 3: tile, 144 points
 *
 *     d_fc1.weight.lanes[i, o, s] += d_fc1.out[o, s] * input.lanes[i, s]   for i<2 o<3 s<16
 *     d_fc1.bias.lanes[o, s] += d_fc1.out[o, s]   for o<3 s<16
 */
static inline void fc1_backward_weights(const float d_fc1_out[3][16],
                                        const float input_lanes[2][16],
                                        float d_fc1_weight_lanes[2][3][16],
                                        float d_fc1_bias_lanes[3][16])
{
    {
        vec16 s0 = LOAD16(d_fc1_weight_lanes[0][0][0]);
        vec16 s1 = LOAD16(d_fc1_weight_lanes[0][1][0]);
        vec16 s2 = LOAD16(d_fc1_weight_lanes[0][2][0]);
        vec16 s3 = LOAD16(d_fc1_weight_lanes[1][0][0]);
        vec16 s4 = LOAD16(d_fc1_weight_lanes[1][1][0]);
        vec16 s5 = LOAD16(d_fc1_weight_lanes[1][2][0]);
        const vec16 v0 = LOAD16(d_fc1_out[0][0]);
        const vec16 v1 = LOAD16(input_lanes[0][0]);
        s0 += v0 * v1;
        const vec16 v2 = LOAD16(d_fc1_out[1][0]);
        s1 += v2 * v1;
        const vec16 v3 = LOAD16(d_fc1_out[2][0]);
        s2 += v3 * v1;
        const vec16 v4 = LOAD16(input_lanes[1][0]);
        s3 += v0 * v4;
        s4 += v2 * v4;
        s5 += v3 * v4;
        STORE16(d_fc1_weight_lanes[0][0][0], s0);
        STORE16(d_fc1_weight_lanes[0][1][0], s1);
        STORE16(d_fc1_weight_lanes[0][2][0], s2);
        STORE16(d_fc1_weight_lanes[1][0][0], s3);
        STORE16(d_fc1_weight_lanes[1][1][0], s4);
        STORE16(d_fc1_weight_lanes[1][2][0], s5);
    }
    for (int o = 0; o < 3; o++) {
        vec16 sum = LOAD16(d_fc1_bias_lanes[o][0]);
        sum += LOAD16(d_fc1_out[o][0]);
        STORE16(d_fc1_bias_lanes[o][0], sum);
    }
}

/* loss crossentropy
 * 2 -> a number: tile, 16 points
 *
 *     loss += loss.lanes[s]   for s<16
 */
static NOINLINE void loss_add_up(const float loss_lanes[restrict 16],
                                 float loss[restrict 1])
{
    loss[0] += sum16(&loss_lanes[0]);
}

/* fc 2, backward
 * 3 -> 2: tile, 128 points
 *
 *     d_fc2.weight[i, o] += d_fc2.weight.lanes[i, o, s]   for i<3 o<2 s<16
 *     d_fc2.bias[o] += d_fc2.bias.lanes[o, s]   for o<2 s<16
 */
static NOINLINE void fc2_add_up(const float d_fc2_weight_lanes[restrict 3][2][16],
                                const float d_fc2_bias_lanes[restrict 2][16],
                                float d_fc2_weight[restrict 3][4],
                                float d_fc2_bias[restrict 4])
{
    for (int i = 0; i < 3; i++)
        for (int o = 0; o < 2; o++)
            d_fc2_weight[i][o] += sum16(&d_fc2_weight_lanes[i][o][0]);
    for (int o = 0; o < 2; o++)
        d_fc2_bias[o] += sum16(&d_fc2_bias_lanes[o][0]);
}

/* fc 3, backward
 * 2 -> 3: tile, 144 points
 *
 *     d_fc1.weight[i, o] += d_fc1.weight.lanes[i, o, s]   for i<2 o<3 s<16
 *     d_fc1.bias[o] += d_fc1.bias.lanes[o, s]   for o<3 s<16
 */
static NOINLINE void fc1_add_up(const float d_fc1_weight_lanes[restrict 2][3][16],
                                const float d_fc1_bias_lanes[restrict 3][16],
                                float d_fc1_weight[restrict 2][4],
                                float d_fc1_bias[restrict 4])
{
    for (int i = 0; i < 2; i++)
        for (int o = 0; o < 3; o++)
            d_fc1_weight[i][o] += sum16(&d_fc1_weight_lanes[i][o][0]);
    for (int o = 0; o < 3; o++)
        d_fc1_bias[o] += sum16(&d_fc1_bias_lanes[o][0]);
}

/* loss crossentropy
 * 2 -> a number: tile, 3 points
 *
 *     loss.nll = (0 <= target[0] ? (target[0] <= 1 ? log(softmax1.sum) : nan) : (target[0] == -100 ? 0 : nan))
 *     loss.nll += (target[0] == (c) ? (softmax1.max - fc2.out[c]) : 0)   for c<2
 *     loss += loss.nll * 1/samples
 */
static inline void loss_forward(const int target[1],
                                const float softmax1_max[1],
                                const float fc2_out[4],
                                const float softmax1_sum[1],
                                float loss_nll[1],
                                float loss[1], float mean)
{
    {
        const int v1 = target[0];
        const float v2 = softmax1_sum[0];
        float sum = 0 <= v1 ? (v1 <= 1 ? log_f(v2) : NAN) : v1 == -100 ? 0.0f : NAN;
        UNROLLED for (int c = 0; c < 2; c++) {
            const float v3 = softmax1_max[0];
            const float v4 = fc2_out[c];
            sum += target[0] == c ? v3 - v4 : 0.0f;
        }
        loss_nll[0] = sum;
    }
    {
        float sum = loss[0];
        sum += loss_nll[0] * mean;
        loss[0] = sum;
    }
}

void samples_forward(const samples_params *p, samples_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, samples_params);
    NN_CHECK_MEMORY(w, samples_work);
    NN_CHECK(n >= 1 && n <= SAMPLES_BATCH,
            "n must be from 1 to SAMPLES_BATCH, 20: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float *const tanh1_out = w->arena + 0;   /* 4 */
    float *const fc2_out = w->arena + 16;   /* 4 */
    float *const softmax1_max = w->arena + 0;   /* 1 */
    float *const softmax1_exp = w->arena + 32;   /* 4 */
    float *const softmax1_sum = w->arena + 48;   /* 1 */
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * SAMPLES_INPUT;
        float *const softmax1_out = y + (size_t)s * SAMPLES_OUTPUT;
        fc1_forward((const float *)p->fc1_weight, input, p->fc1_bias, tanh1_out);
        fc2_forward((const float *)p->fc2_weight, tanh1_out, p->fc2_bias, fc2_out);
        softmax1_forward(fc2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
    }
}

/* How many of n labels there are that are not -100. Sixteen at a time become vectors at -O2, too. */
static size_t samples_counted(const int *t, size_t n)
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

float samples_backward(const samples_params *p, samples_work *w, int n, const float *x, const int *t, samples_params *g)
{
    NN_CHECK_MEMORY(p, samples_params);
    NN_CHECK_MEMORY(w, samples_work);
    NN_CHECK_MEMORY(g, samples_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
    NN_CHECK(n >= 1 && n <= SAMPLES_BATCH,
            "n must be from 1 to SAMPLES_BATCH, 20: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const loss_lanes = w->arena + 432;   /* 16 */
    float (*const d_fc2_weight_lanes)[2][16] = (void *)(w->arena + 0);
    float (*const d_fc2_bias_lanes)[16] = (void *)(w->arena + 336);
    float (*const d_fc1_weight_lanes)[3][16] = (void *)(w->arena + 96);
    float (*const d_fc1_bias_lanes)[16] = (void *)(w->arena + 192);
    float (*const input_lanes)[16] = (void *)(w->arena + 368);
    float (*const tanh1_out)[16] = (void *)(w->arena + 240);
    float (*const target_lanes)[16] = (void *)(w->arena + 288);
    float *const mean_lanes = w->arena + 304;   /* 16 */
    float (*const d_fc2_out)[16] = (void *)(w->arena + 400);
    float (*const d_fc1_out)[16] = (void *)(w->arena + 288);
    const float mean = 1.0f / (float)samples_counted(t, (size_t)n);
    float loss = 0.0f;
    if (w->add != 1)
        memset(g, 0, sizeof *g);
    loss_clear(loss_lanes);
    fc2_backward_clear(d_fc2_weight_lanes, d_fc2_bias_lanes);
    fc1_backward_clear(d_fc1_weight_lanes, d_fc1_bias_lanes);
    for (int first = 0; first < n; first += 16) {
        const int m = n - first < 16 ? n - first : 16;
        const float *const input = x + (size_t)first * SAMPLES_INPUT;
        const int *const target = t + (size_t)first * SAMPLES_TARGETS;
        fc1_training((const float (*)[2])input, p->fc1_weight, input_lanes, p->fc1_bias, tanh1_out, m);
        fc2_training((const int (*)[1])target, target_lanes, mean_lanes, p->fc2_weight, (void *)tanh1_out,
            p->fc2_bias, d_fc2_out, loss_lanes, mean, m);
        fc2_backward_weights((void *)d_fc2_out, (void *)tanh1_out, d_fc2_weight_lanes, d_fc2_bias_lanes);
        fc2_backward_input((void *)tanh1_out, (void *)d_fc2_out, p->fc2_weight, d_fc1_out);
        fc1_backward_weights((void *)d_fc1_out, (void *)input_lanes, d_fc1_weight_lanes, d_fc1_bias_lanes);
    }
    loss_add_up(loss_lanes, &loss);
    fc2_add_up((void *)d_fc2_weight_lanes, (void *)d_fc2_bias_lanes, g->fc2_weight, g->fc2_bias);
    fc1_add_up((void *)d_fc1_weight_lanes, (void *)d_fc1_bias_lanes, g->fc1_weight, g->fc1_bias);
    return loss;
}

float samples_loss(const samples_params *p, samples_work *w, int n, const float *x, const int *t, float *y)
{
    NN_CHECK_MEMORY(p, samples_params);
    NN_CHECK_MEMORY(w, samples_work);
    NN_CHECK(n >= 1 && n <= SAMPLES_BATCH,
            "n must be from 1 to SAMPLES_BATCH, 20: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const tanh1_out = w->arena + 0;   /* 4 */
    float *const fc2_out = w->arena + 16;   /* 4 */
    float *const softmax1_max = w->arena + 0;   /* 1 */
    float *const softmax1_exp = w->arena + 32;   /* 4 */
    float *const softmax1_sum = w->arena + 48;   /* 1 */
    float *const loss_nll = w->arena + 32;   /* 1 */
    const float mean = 1.0f / (float)samples_counted(t, (size_t)n);
    float loss = 0.0f;
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * SAMPLES_INPUT;
        float *const softmax1_out = y ? y + (size_t)s * SAMPLES_OUTPUT : w->arena + 64;
        const int *const target = t + (size_t)s * SAMPLES_TARGETS;
        fc1_forward((const float *)p->fc1_weight, input, p->fc1_bias, tanh1_out);
        fc2_forward((const float *)p->fc2_weight, tanh1_out, p->fc2_bias, fc2_out);
        softmax1_forward(fc2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
        loss_forward(target, softmax1_max, fc2_out, softmax1_sum, loss_nll, &loss, mean);
    }
    return loss;
}

static const nn_tensor samples_tensors[] = {
    {"fc1.weight", 2, {3, 2}, 0, 6, -0.70710677f, 0.70710677f, {3, 2, 1, 1}, {1, 4, 0, 0}, 0},
    {"fc1.bias", 1, {3}, 16, 3, -0.70710677f, 0.70710677f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"fc2.weight", 2, {2, 3}, 32, 6, -0.57735026f, 0.57735026f, {2, 3, 1, 1}, {1, 4, 0, 0}, 0},
    {"fc2.bias", 1, {2}, 48, 2, -0.57735026f, 0.57735026f, {2, 1, 1, 1}, {1, 0, 0, 0}, 0},
};

static void samples_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    samples_forward(params, work, n, x, y);
}

static float samples_model_backward(void *params, void *work, int n, const void *x, const void *t, void *gradients)
{
    return samples_backward(params, work, n, x, t, gradients);
}

static float samples_model_loss(const void *params, void *work, int n, const void *x, const void *t, float *y)
{
    return samples_loss(params, work, n, x, t, y);
}

static double samples_model_counted(int n, const void *t)
{
    return (double)samples_counted(t, (size_t)n);
}

static void samples_model_set_rng(void *work, uint64_t rng)
{
    ((samples_work *)work)->rng = rng;
}

static void samples_model_set_add(void *work, int add)
{
    ((samples_work *)work)->add = add;
}

const nn_model samples_model = {
    .name = "samples",
    .input_shape = {2, 1, 1},
    .input = SAMPLES_INPUT,
    .output = SAMPLES_OUTPUT,
    .targets = SAMPLES_TARGETS,
    .int_targets = 1,
    .vocabulary = 0,
    .loss_name = "crossentropy",
    .logits = 0,
    .batch = SAMPLES_BATCH,
    .params = SAMPLES_PARAMS,
    .floats = SAMPLES_FLOATS,
    .params_bytes = sizeof(samples_params),
    .work_bytes = sizeof(samples_work),
    .ntensors = 4,
    .tensors = samples_tensors,
    .forward = samples_model_forward,
    .backward = samples_model_backward,
    .loss = samples_model_loss,
    .set_rng = samples_model_set_rng,
    .set_add = samples_model_set_add,
    .prepare = NULL,
    .counted = samples_model_counted,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void samples_init(samples_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, samples_params);
    nn_init(&samples_model, p, seed);
}
