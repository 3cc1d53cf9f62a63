/* The network of batchnorm.nn as C, made by nnc 0.2.0-dev with --unroll=auto --target=generic.
 * Compile with: cc -O2 -march=native -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer        output      parameters       MACs  forward                 training               backward
 * conv1        4x1x3               72        216  tile 3x 1x4o            tile 3x 1x4o           tile 3ky 3kx 1x4o
 * batchnorm1   4x1x3                8          0  in conv1_forward        full, 454 bytes        full, 249 bytes
 * relu1        4x1x3                0          0  in conv1_forward        in batchnorm1_forward  in fc1_backward_input
 * fc1          3                   39         36  full, 186 bytes         full, 157 bytes        full, 505 bytes
 * batchnorm2   3                    6          0  in fc1_forward          full, 108 bytes        full, 95 bytes
 * softmax1     3                    0          0  tile                    in loss_forward        in loss_backward
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "batchnorm.h"

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
typedef int vec_mask __attribute__((vector_size(16)));
#define LOAD(a) (*(const vec_memory *)&(a))
#define STORE(a, v) (*(vec_memory *)&(a) = (v))
/* The first k floats of a vector, at the end of a row that is no whole number of vectors. */
#define STORE_FIRST(k, a, v) __extension__({ const vec v_ = (v); memcpy(&(a), &v_, (k) * sizeof(float)); })
/* 0 in all lanes but the first k. */
#define FIRST(k, v) ((vec)((vec_mask)(v) & ((vec_mask){0, 1, 2, 3} < (k))))
#define ALL(x) __extension__({ const float x_ = (x); (vec){x_, x_, x_, x_}; })
/* In each lane a where the test holds, else b. */
#define SELECT(test, a, b) __extension__({ \
    const vec_mask m_ = (vec_mask)(test); \
    (vec)(((vec_mask)(a) & m_) | ((vec_mask)(b) & ~m_)); })
#define LANES ((vec){0, 1, 2, 3})

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

#define root_v(x) ((vec){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3])})

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

/* the C library's */
static inline void sqrt_in_place(vec *at)
{
    vec x = *at;
    vec y = root_v(x);
    *at = y;
}

#define sqrt_v(x) __extension__({ vec at_ = (x); sqrt_in_place(&at_); at_; })

/* batchnorm
 * 4x1x3 -> 4x1x3: tile, 8 points
 *
 *     batchnorm1.slope[c] = batchnorm1.weight[c] / sqrt((batchnorm1.running_var[c] + 1e-05))   for c<4
 *     batchnorm1.shift[c] = (batchnorm1.bias[c] - batchnorm1.running_mean[c] * batchnorm1.slope[c])   for c<4
 */
static NOINLINE void batchnorm1_slope_once(const float batchnorm1_weight[restrict 4],
                                           const float batchnorm1_running_var[restrict 4],
                                           const float batchnorm1_bias[restrict 4],
                                           const float batchnorm1_running_mean[restrict 4],
                                           float batchnorm1_slope[restrict 4],
                                           float batchnorm1_shift[restrict 4])
{
    STORE(batchnorm1_slope[0], LOAD(batchnorm1_weight[0]) / sqrt_v(LOAD(batchnorm1_running_var[0]) + 1e-05f));
    STORE(batchnorm1_shift[0], LOAD(batchnorm1_bias[0]) - LOAD(batchnorm1_running_mean[0]) * LOAD(batchnorm1_slope[0]));
}

/* batchnorm eps=0.001
 * 3 -> 3: tile, 6 points
 *
 *     batchnorm2.slope[c] = batchnorm2.weight[c] / sqrt((batchnorm2.running_var[c] + 0.001))   for c<3
 *     batchnorm2.shift[c] = (batchnorm2.bias[c] - batchnorm2.running_mean[c] * batchnorm2.slope[c])   for c<3
 */
static NOINLINE void batchnorm2_slope_once(const float batchnorm2_weight[restrict 4],
                                           const float batchnorm2_running_var[restrict 4],
                                           const float batchnorm2_bias[restrict 4],
                                           const float batchnorm2_running_mean[restrict 4],
                                           float batchnorm2_slope[restrict 4],
                                           float batchnorm2_shift[restrict 4])
{
    STORE(batchnorm2_slope[0], LOAD(batchnorm2_weight[0]) / sqrt_v(LOAD(batchnorm2_running_var[0]) + 0.001f));
    STORE(batchnorm2_shift[0], LOAD(batchnorm2_bias[0]) - LOAD(batchnorm2_running_mean[0]) * LOAD(batchnorm2_slope[0]));
}

/* conv 4 k3 bias=false
 * 2x3x5 -> 4x1x3: tile 3x 1x4o, 216 points
 *
 *     conv1.out[0, x, o] = 0   for x<3 o<4
 *     conv1.out[0, x, o] += conv1.weight[ky, kx, c, o] * input[c, ky, x + kx]   for x<3 o<4 c<2 ky<3 kx<3
 *     batchnorm1.out[0, x, c] = (conv1.out[0, x, c] * batchnorm1.slope[c] + batchnorm1.shift[c])   for x<3 c<4
 *     relu1.out[0, x, c] = (batchnorm1.out[0, x, c] <= 0 ? 0 : batchnorm1.out[0, x, c])   for x<3 c<4
 */
static NOINLINE void conv1_forward(const float batchnorm1_slope[restrict 4],
                                   const float batchnorm1_shift[restrict 4],
                                   const float conv1_weight[restrict 3][3][2][4],
                                   const float input[restrict 2][3][5],
                                   float relu1_out[restrict 1][3][4])
{
    {
        vec s0 = {0}, s1 = {0}, s2 = {0};
        UNROLLED for (int c = 0; c < 2; c++)
            UNROLLED for (int ky = 0; ky < 3; ky++)
                UNROLLED for (int kx = 0; kx < 3; kx++) {
                    const vec v0 = LOAD(conv1_weight[ky][kx][c][0]);
                    s0 += v0 * input[c][ky][kx];
                    s1 += v0 * input[c][ky][kx + 1];
                    s2 += v0 * input[c][ky][kx + 2];
                }
        const vec then1_s0 = s0 * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_shift[0]);
        STORE(relu1_out[0][0][0], SELECT(then1_s0 <= 0.0f, ALL(0.0f), then1_s0));
        const vec then1_s1 = s1 * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_shift[0]);
        STORE(relu1_out[0][1][0], SELECT(then1_s1 <= 0.0f, ALL(0.0f), then1_s1));
        const vec then1_s2 = s2 * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_shift[0]);
        STORE(relu1_out[0][2][0], SELECT(then1_s2 <= 0.0f, ALL(0.0f), then1_s2));
    }
}

/* fc 3
 * 4x1x3 -> 3: full, 186 bytes, 12 points
 *
 *     fc1.out[o] = fc1.bias[o]   for o<3
 *     fc1.out[o] += fc1.weight[0, x, c, o] * relu1.out[0, x, c]   for o<3 x<3 c<4
 *     batchnorm2.out[c] = (fc1.out[c] * batchnorm2.slope[c] + batchnorm2.shift[c])   for c<3
 */
static inline void fc1_forward(const float *batchnorm2_slope,
                               const float *batchnorm2_shift,
                               const float *fc1_weight,
                               const float *relu1_out,
                               const float *fc1_bias,
                               float *batchnorm2_out)
{
    {
        vec sum = LOAD(fc1_bias[0]);
        sum += LOAD(fc1_weight[0]) * relu1_out[0];
        sum += LOAD(fc1_weight[4]) * relu1_out[1];
        sum += LOAD(fc1_weight[8]) * relu1_out[2];
        sum += LOAD(fc1_weight[12]) * relu1_out[3];
        sum += LOAD(fc1_weight[16]) * relu1_out[4];
        sum += LOAD(fc1_weight[20]) * relu1_out[5];
        sum += LOAD(fc1_weight[24]) * relu1_out[6];
        sum += LOAD(fc1_weight[28]) * relu1_out[7];
        sum += LOAD(fc1_weight[32]) * relu1_out[8];
        sum += LOAD(fc1_weight[36]) * relu1_out[9];
        sum += LOAD(fc1_weight[40]) * relu1_out[10];
        sum += LOAD(fc1_weight[44]) * relu1_out[11];
        STORE(batchnorm2_out[0], sum * LOAD(batchnorm2_slope[0]) + LOAD(batchnorm2_shift[0]));
    }
}

/* softmax
 * 3 -> 3: tile, 12 points
 *
 *     softmax1.max max= batchnorm2.out[c]   for c<3
 *     softmax1.exp[c] = exp((batchnorm2.out[c] - softmax1.max))   for c<3
 *     softmax1.sum = 0
 *     softmax1.sum += softmax1.exp[c]   for c<3
 *     softmax1.out[c] = softmax1.exp[c] / softmax1.sum   for c<3
 */
static inline void softmax1_forward(const float batchnorm2_out[4],
                                    float softmax1_max[1],
                                    float softmax1_exp[4],
                                    float softmax1_sum[1],
                                    float softmax1_out[3])
{
    {
        float best = -INFINITY;
        float v;
        v = batchnorm2_out[0];
        best = GREATER(v, best) ? v : best;
        v = batchnorm2_out[1];
        best = GREATER(v, best) ? v : best;
        v = batchnorm2_out[2];
        best = GREATER(v, best) ? v : best;
        softmax1_max[0] = best;
    }
    STORE(softmax1_exp[0], exp_v(LOAD(batchnorm2_out[0]) - softmax1_max[0]));
    {
        float sum = 0.0f;
        UNROLLED for (int c = 0; c < 3; c++)
            sum += softmax1_exp[c];
        softmax1_sum[0] = sum;
    }
    STORE_FIRST(3, softmax1_out[0], LOAD(softmax1_exp[0]) / softmax1_sum[0]);
}

/* batchnorm
 * 4x1x3 -> 4x1x3: tile, 8 points
 *
 *     batchnorm1.sum[c] = 0   for c<4
 *     batchnorm1.squares[c] = 0   for c<4
 */
static NOINLINE void batchnorm1_clear(float batchnorm1_sum[restrict 4],
                                      float batchnorm1_squares[restrict 4])
{
    memset(batchnorm1_sum, 0, 4 * sizeof(float));
    memset(batchnorm1_squares, 0, 4 * sizeof(float));
}

/* conv 4 k3 bias=false
 * 2x3x5 -> 4x1x3: tile 3x 1x4o, 216 points
 *
 *     conv1.out[0, x, o] = 0   for x<3 o<4
 *     conv1.out[0, x, o] += conv1.weight[ky, kx, c, o] * input[c, ky, x + kx]   for x<3 o<4 c<2 ky<3 kx<3
 */
static NOINLINE void conv1_training(const float conv1_weight[restrict 3][3][2][4],
                                    const float input[restrict 2][3][5],
                                    float conv1_out[restrict 1][3][4])
{
    {
        vec s0 = {0}, s1 = {0}, s2 = {0};
        UNROLLED for (int c = 0; c < 2; c++)
            UNROLLED for (int ky = 0; ky < 3; ky++)
                UNROLLED for (int kx = 0; kx < 3; kx++) {
                    const vec v0 = LOAD(conv1_weight[ky][kx][c][0]);
                    s0 += v0 * input[c][ky][kx];
                    s1 += v0 * input[c][ky][kx + 1];
                    s2 += v0 * input[c][ky][kx + 2];
                }
        STORE(conv1_out[0][0][0], s0);
        STORE(conv1_out[0][1][0], s1);
        STORE(conv1_out[0][2][0], s2);
    }
}

/* batchnorm
 * 4x1x3 -> 4x1x3: full, 176 bytes, 8 points
 *
 *     batchnorm1.sample_sum[c] = 0   for c<4
 *     batchnorm1.sample_sum[c] += (conv1.out[0, x, c] - conv1.out[0, 1, c])   for c<4 x<3
 *     batchnorm1.sample_mean[c] = (conv1.out[0, 1, c] + batchnorm1.sample_sum[c] * 0.333333333)   for c<4
 *     batchnorm1.sum[c] += batchnorm1.sample_mean[c]   for c<4
 *     batchnorm1.squares[c] += (conv1.out[0, x, c] - batchnorm1.sample_mean[c])
 *             * (conv1.out[0, x, c] - batchnorm1.sample_mean[c])   for c<4 x<3
 */
static inline void batchnorm1_sums(const float *conv1_out,
                                   float *batchnorm1_sample_sum,
                                   float *batchnorm1_sample_mean,
                                   float *batchnorm1_sum,
                                   float *batchnorm1_squares)
{
    {
        vec sum = {0};
        sum += LOAD(conv1_out[0]) - LOAD(conv1_out[4]);
        sum += LOAD(conv1_out[4]) - LOAD(conv1_out[4]);
        sum += LOAD(conv1_out[8]) - LOAD(conv1_out[4]);
        STORE(batchnorm1_sample_sum[0], sum);
    }
    STORE(batchnorm1_sample_mean[0], LOAD(conv1_out[4]) + LOAD(batchnorm1_sample_sum[0]) * 0.33333334f);
    {
        vec sum = LOAD(batchnorm1_sum[0]);
        sum += LOAD(batchnorm1_sample_mean[0]);
        STORE(batchnorm1_sum[0], sum);
    }
    {
        vec sum = LOAD(batchnorm1_squares[0]);
        sum += (LOAD(conv1_out[0]) - LOAD(batchnorm1_sample_mean[0])) * (LOAD(conv1_out[0]) - LOAD(batchnorm1_sample_mean[0]));
        sum += (LOAD(conv1_out[4]) - LOAD(batchnorm1_sample_mean[0])) * (LOAD(conv1_out[4]) - LOAD(batchnorm1_sample_mean[0]));
        sum += (LOAD(conv1_out[8]) - LOAD(batchnorm1_sample_mean[0])) * (LOAD(conv1_out[8]) - LOAD(batchnorm1_sample_mean[0]));
        STORE(batchnorm1_squares[0], sum);
    }
}

/* batchnorm
 * 4x1x3 -> 4x1x3: tile, 8 points
 *
 *     batchnorm1.around[c] = batchnorm1.sum[c] / samples   for c<4
 *     batchnorm1.drift[c] = 0   for c<4
 */
static NOINLINE void batchnorm1_around_once(const float batchnorm1_sum[restrict 4],
                                            float batchnorm1_around[restrict 4],
                                            float batchnorm1_drift[restrict 4], float samples)
{
    STORE(batchnorm1_around[0], LOAD(batchnorm1_sum[0]) / samples);
    memset(batchnorm1_drift, 0, 4 * sizeof(float));
}

/* batchnorm
 * 4x1x3 -> 4x1x3: full, 62 bytes, 2 points
 *
 *     batchnorm1.squares[c] += (batchnorm1.sample_mean[c] - batchnorm1.around[c])
 *             * (batchnorm1.sample_mean[c] - batchnorm1.around[c]) * 3   for c<4
 *     batchnorm1.drift[c] += (batchnorm1.sample_mean[c] - batchnorm1.around[c])   for c<4
 */
static inline void batchnorm1_sums2(const float *batchnorm1_sample_mean,
                                    const float *batchnorm1_around,
                                    float *batchnorm1_squares,
                                    float *batchnorm1_drift)
{
    {
        vec sum = LOAD(batchnorm1_squares[0]);
        sum += (LOAD(batchnorm1_sample_mean[0]) - LOAD(batchnorm1_around[0]))
                * (LOAD(batchnorm1_sample_mean[0]) - LOAD(batchnorm1_around[0])) * 3.0f;
        STORE(batchnorm1_squares[0], sum);
    }
    {
        vec sum = LOAD(batchnorm1_drift[0]);
        sum += LOAD(batchnorm1_sample_mean[0]) - LOAD(batchnorm1_around[0]);
        STORE(batchnorm1_drift[0], sum);
    }
}

/* batchnorm
 * 4x1x3 -> 4x1x3: tile, 28 points
 *
 *     batchnorm1.mean[c] = (batchnorm1.around[c] + batchnorm1.drift[c] / samples)   for c<4
 *     batchnorm1.next_mean[c] = (batchnorm1.running_mean[c] * 0.9 + batchnorm1.mean[c] * 0.1)   for c<4
 *     batchnorm1.next_var[c] = (batchnorm1.running_var[c] * 0.9
 *             + batchnorm1.squares[c] / (samples * 3 <= 1 ? 1 : (samples * 3 - 1)) * 0.1)   for c<4
 *     batchnorm1.running_mean[c] = batchnorm1.next_mean[c]   for c<4
 *     batchnorm1.running_var[c] = batchnorm1.next_var[c]   for c<4
 *     batchnorm1.scale[c] = 1 / sqrt((batchnorm1.squares[c] / (samples * 3) + 1e-05))   for c<4
 *     batchnorm1.slope[c] = batchnorm1.weight[c] * batchnorm1.scale[c]   for c<4
 */
static NOINLINE void batchnorm1_mean_once(const float batchnorm1_around[restrict 4],
                                          const float batchnorm1_drift[restrict 4],
                                          float batchnorm1_running_mean[restrict 4],
                                          float batchnorm1_mean[restrict 4],
                                          float batchnorm1_running_var[restrict 4],
                                          const float batchnorm1_squares[restrict 4],
                                          float batchnorm1_next_mean[restrict 4],
                                          float batchnorm1_next_var[restrict 4],
                                          const float batchnorm1_weight[restrict 4],
                                          float batchnorm1_scale[restrict 4],
                                          float batchnorm1_slope[restrict 4], float samples)
{
    STORE(batchnorm1_mean[0], LOAD(batchnorm1_around[0]) + LOAD(batchnorm1_drift[0]) / samples);
    STORE(batchnorm1_next_mean[0], LOAD(batchnorm1_running_mean[0]) * 0.9f + LOAD(batchnorm1_mean[0]) * 0.1f);
    STORE(batchnorm1_next_var[0],
            LOAD(batchnorm1_running_var[0]) * 0.9f
            + LOAD(batchnorm1_squares[0]) / (samples * 3.0f <= 1.0f ? 1.0f : samples * 3.0f - 1.0f) * 0.1f);
    STORE(batchnorm1_running_mean[0], LOAD(batchnorm1_next_mean[0]));
    STORE(batchnorm1_running_var[0], LOAD(batchnorm1_next_var[0]));
    STORE(batchnorm1_scale[0], 1.0f / sqrt_v(LOAD(batchnorm1_squares[0]) / (samples * 3.0f) + 1e-05f));
    STORE(batchnorm1_slope[0], LOAD(batchnorm1_weight[0]) * LOAD(batchnorm1_scale[0]));
}

/* batchnorm eps=0.001
 * 3 -> 3: tile, 3 points
 *
 *     batchnorm2.sum[c] = 0   for c<3
 */
static NOINLINE void batchnorm2_clear(float batchnorm2_sum[restrict 4])
{
    memset(batchnorm2_sum, 0, 4 * sizeof(float));
}

/* batchnorm
 * 4x1x3 -> 4x1x3: full, 216 bytes, 3 points
 *
 *     batchnorm1.out[0, x, c] = ((conv1.out[0, x, c] - batchnorm1.mean[c]) * batchnorm1.slope[c] + batchnorm1.bias[c])
 *             for x<3 c<4
 *     relu1.out[0, x, c] = (batchnorm1.out[0, x, c] <= 0 ? 0 : batchnorm1.out[0, x, c])   for x<3 c<4
 */
static inline void batchnorm1_forward(const float *conv1_out,
                                      const float *batchnorm1_mean,
                                      const float *batchnorm1_slope,
                                      const float *batchnorm1_bias,
                                      float *relu1_out)
{
    {
        const vec sum = (LOAD(conv1_out[0]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_bias[0]);
        STORE(relu1_out[0], SELECT(sum <= 0.0f, ALL(0.0f), sum));
    }
    {
        const vec sum = (LOAD(conv1_out[4]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_bias[0]);
        STORE(relu1_out[4], SELECT(sum <= 0.0f, ALL(0.0f), sum));
    }
    {
        const vec sum = (LOAD(conv1_out[8]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_slope[0]) + LOAD(batchnorm1_bias[0]);
        STORE(relu1_out[8], SELECT(sum <= 0.0f, ALL(0.0f), sum));
    }
}

/* fc 3
 * 4x1x3 -> 3: full, 157 bytes, 12 points
 *
 *     fc1.out[o] = fc1.bias[o]   for o<3
 *     fc1.out[o] += fc1.weight[0, x, c, o] * relu1.out[0, x, c]   for o<3 x<3 c<4
 */
static inline void fc1_training(const float *fc1_weight,
                                const float *relu1_out,
                                const float *fc1_bias,
                                float *fc1_out)
{
    {
        vec sum = LOAD(fc1_bias[0]);
        sum += LOAD(fc1_weight[0]) * relu1_out[0];
        sum += LOAD(fc1_weight[4]) * relu1_out[1];
        sum += LOAD(fc1_weight[8]) * relu1_out[2];
        sum += LOAD(fc1_weight[12]) * relu1_out[3];
        sum += LOAD(fc1_weight[16]) * relu1_out[4];
        sum += LOAD(fc1_weight[20]) * relu1_out[5];
        sum += LOAD(fc1_weight[24]) * relu1_out[6];
        sum += LOAD(fc1_weight[28]) * relu1_out[7];
        sum += LOAD(fc1_weight[32]) * relu1_out[8];
        sum += LOAD(fc1_weight[36]) * relu1_out[9];
        sum += LOAD(fc1_weight[40]) * relu1_out[10];
        sum += LOAD(fc1_weight[44]) * relu1_out[11];
        STORE(fc1_out[0], sum);
    }
}

/* batchnorm eps=0.001
 * 3 -> 3: full, 13 bytes, 1 point
 *
 *     batchnorm2.sum[c] += fc1.out[c]   for c<3
 */
static inline void batchnorm2_sums(const float *fc1_out,
                                   float *batchnorm2_sum)
{
    {
        vec sum = LOAD(batchnorm2_sum[0]);
        sum += LOAD(fc1_out[0]);
        STORE(batchnorm2_sum[0], sum);
    }
}

/* batchnorm eps=0.001
 * 3 -> 3: tile, 9 points
 *
 *     batchnorm2.around[c] = batchnorm2.sum[c] / samples   for c<3
 *     batchnorm2.squares[c] = 0   for c<3
 *     batchnorm2.drift[c] = 0   for c<3
 */
static NOINLINE void batchnorm2_around_once(const float batchnorm2_sum[restrict 4],
                                            float batchnorm2_around[restrict 4],
                                            float batchnorm2_squares[restrict 4],
                                            float batchnorm2_drift[restrict 4], float samples)
{
    STORE(batchnorm2_around[0], LOAD(batchnorm2_sum[0]) / samples);
    memset(batchnorm2_squares, 0, 4 * sizeof(float));
    memset(batchnorm2_drift, 0, 4 * sizeof(float));
}

/* batchnorm eps=0.001
 * 3 -> 3: full, 58 bytes, 2 points
 *
 *     batchnorm2.squares[c] += (fc1.out[c] - batchnorm2.around[c]) * (fc1.out[c] - batchnorm2.around[c])   for c<3
 *     batchnorm2.drift[c] += (fc1.out[c] - batchnorm2.around[c])   for c<3
 */
static inline void batchnorm2_sums2(const float *fc1_out,
                                    const float *batchnorm2_around,
                                    float *batchnorm2_squares,
                                    float *batchnorm2_drift)
{
    {
        vec sum = LOAD(batchnorm2_squares[0]);
        sum += (LOAD(fc1_out[0]) - LOAD(batchnorm2_around[0])) * (LOAD(fc1_out[0]) - LOAD(batchnorm2_around[0]));
        STORE(batchnorm2_squares[0], sum);
    }
    {
        vec sum = LOAD(batchnorm2_drift[0]);
        sum += LOAD(fc1_out[0]) - LOAD(batchnorm2_around[0]);
        STORE(batchnorm2_drift[0], sum);
    }
}

/* batchnorm eps=0.001
 * 3 -> 3: tile, 21 points
 *
 *     batchnorm2.mean[c] = (batchnorm2.around[c] + batchnorm2.drift[c] / samples)   for c<3
 *     batchnorm2.next_mean[c] = (batchnorm2.running_mean[c] * 0.9 + batchnorm2.mean[c] * 0.1)   for c<3
 *     batchnorm2.next_var[c] = (batchnorm2.running_var[c] * 0.9
 *             + batchnorm2.squares[c] / (samples <= 1 ? 1 : (samples - 1)) * 0.1)   for c<3
 *     batchnorm2.running_mean[c] = batchnorm2.next_mean[c]   for c<3
 *     batchnorm2.running_var[c] = batchnorm2.next_var[c]   for c<3
 *     batchnorm2.scale[c] = 1 / sqrt((batchnorm2.squares[c] / samples + 0.001))   for c<3
 *     batchnorm2.slope[c] = batchnorm2.weight[c] * batchnorm2.scale[c]   for c<3
 */
static NOINLINE void batchnorm2_mean_once(const float batchnorm2_around[restrict 4],
                                          const float batchnorm2_drift[restrict 4],
                                          float batchnorm2_running_mean[restrict 4],
                                          float batchnorm2_mean[restrict 4],
                                          float batchnorm2_running_var[restrict 4],
                                          const float batchnorm2_squares[restrict 4],
                                          float batchnorm2_next_mean[restrict 4],
                                          float batchnorm2_next_var[restrict 4],
                                          const float batchnorm2_weight[restrict 4],
                                          float batchnorm2_scale[restrict 4],
                                          float batchnorm2_slope[restrict 4], float samples)
{
    STORE(batchnorm2_mean[0], LOAD(batchnorm2_around[0]) + LOAD(batchnorm2_drift[0]) / samples);
    STORE(batchnorm2_next_mean[0], LOAD(batchnorm2_running_mean[0]) * 0.9f + LOAD(batchnorm2_mean[0]) * 0.1f);
    STORE(batchnorm2_next_var[0],
            LOAD(batchnorm2_running_var[0]) * 0.9f
            + LOAD(batchnorm2_squares[0]) / (samples <= 1.0f ? 1.0f : samples - 1.0f) * 0.1f);
    STORE(batchnorm2_running_mean[0], FIRST(3, LOAD(batchnorm2_next_mean[0])));
    STORE(batchnorm2_running_var[0], FIRST(3, LOAD(batchnorm2_next_var[0])));
    STORE(batchnorm2_scale[0], 1.0f / sqrt_v(LOAD(batchnorm2_squares[0]) / samples + 0.001f));
    STORE(batchnorm2_slope[0], LOAD(batchnorm2_weight[0]) * LOAD(batchnorm2_scale[0]));
}

/* batchnorm eps=0.001, backward
 * 3 -> 3: tile, 6 points
 *
 *     batchnorm2.d_sum[c] = 0   for c<3
 *     batchnorm2.d_distances[c] = 0   for c<3
 */
static NOINLINE void batchnorm2_backward_clear(float batchnorm2_d_sum[restrict 4],
                                               float batchnorm2_d_distances[restrict 4])
{
    memset(batchnorm2_d_sum, 0, 4 * sizeof(float));
    memset(batchnorm2_d_distances, 0, 4 * sizeof(float));
}

/* batchnorm eps=0.001
 * 3 -> 3: full, 37 bytes, 1 point
 *
 *     batchnorm2.out[c] = ((fc1.out[c] - batchnorm2.mean[c]) * batchnorm2.slope[c] + batchnorm2.bias[c])   for c<3
 */
static inline void batchnorm2_forward(const float *fc1_out,
                                      const float *batchnorm2_mean,
                                      const float *batchnorm2_slope,
                                      const float *batchnorm2_bias,
                                      float *batchnorm2_out)
{
    STORE(batchnorm2_out[0],
            (LOAD(fc1_out[0]) - LOAD(batchnorm2_mean[0])) * LOAD(batchnorm2_slope[0]) + LOAD(batchnorm2_bias[0]));
}

/* loss crossentropy
 * 3 -> a number: tile, 13 points
 *
 *     loss.max max= batchnorm2.out[c]   for c<3
 *     loss.exp[c] = exp((batchnorm2.out[c] - loss.max))   for c<3
 *     loss.sum = 0
 *     loss.sum += loss.exp[c]   for c<3
 *     loss.nll = (0 <= target[0] ? (target[0] <= 2 ? log(loss.sum) : nan) : (target[0] == -100 ? 0 : nan))
 *     loss.nll += (target[0] == (c) ? (loss.max - batchnorm2.out[c]) : 0)   for c<3
 *     loss += loss.nll * 1/samples
 */
static inline void loss_forward(const float batchnorm2_out[4],
                                float loss_max[1],
                                float loss_exp[4],
                                const int target[1],
                                float loss_sum[1],
                                float loss_nll[1],
                                float loss[1], float mean)
{
    {
        float best = -INFINITY;
        float v;
        v = batchnorm2_out[0];
        best = GREATER(v, best) ? v : best;
        v = batchnorm2_out[1];
        best = GREATER(v, best) ? v : best;
        v = batchnorm2_out[2];
        best = GREATER(v, best) ? v : best;
        loss_max[0] = best;
    }
    STORE(loss_exp[0], exp_v(LOAD(batchnorm2_out[0]) - loss_max[0]));
    {
        float sum = 0.0f;
        UNROLLED for (int c = 0; c < 3; c++)
            sum += loss_exp[c];
        loss_sum[0] = sum;
    }
    {
        const int v1 = target[0];
        const float v2 = loss_sum[0];
        float sum = 0 <= v1 ? (v1 <= 2 ? log_f(v2) : NAN) : v1 == -100 ? 0.0f : NAN;
        UNROLLED for (int c = 0; c < 3; c++) {
            const float v3 = loss_max[0];
            const float v4 = batchnorm2_out[c];
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

/* loss crossentropy, backward
 * 3 -> a number: full, 89 bytes, 1 point
 *
 *     d_batchnorm2.out[c] = (loss.exp[c] / loss.sum - (target[0] == (c) ? 1 : 0)) * (target[0] == -100 ? 0 : 1/samples)   for c<3
 */
static inline void loss_backward(const float *loss_exp,
                                 const float *loss_sum,
                                 const int *target,
                                 float *d_batchnorm2_out, float mean)
{
    STORE(d_batchnorm2_out[0],
            (LOAD(loss_exp[0]) / loss_sum[0] - SELECT((float)target[0] == LANES, ALL(1.0f), ALL(0.0f)))
            * ((float)target[0] == -100 ? 0.0f : mean));
}

/* batchnorm eps=0.001, backward
 * 3 -> 3: full, 42 bytes, 2 points
 *
 *     batchnorm2.d_sum[c] += d_batchnorm2.out[c]   for c<3
 *     batchnorm2.d_distances[c] += d_batchnorm2.out[c] * (fc1.out[c] - batchnorm2.mean[c])   for c<3
 */
static inline void batchnorm2_backward_sums(const float *d_batchnorm2_out,
                                            const float *fc1_out,
                                            const float *batchnorm2_mean,
                                            float *batchnorm2_d_sum,
                                            float *batchnorm2_d_distances)
{
    {
        vec sum = LOAD(batchnorm2_d_sum[0]);
        sum += LOAD(d_batchnorm2_out[0]);
        STORE(batchnorm2_d_sum[0], sum);
    }
    {
        vec sum = LOAD(batchnorm2_d_distances[0]);
        sum += LOAD(d_batchnorm2_out[0]) * (LOAD(fc1_out[0]) - LOAD(batchnorm2_mean[0]));
        STORE(batchnorm2_d_distances[0], sum);
    }
}

/* fc 3, backward
 * 4x1x3 -> 3: tile, 36 points
 *
 *     fc1.weight.transposed[0, b, c, d] = fc1.weight[0, b, d, c]   for b<3 c<3 d<4
 */
static NOINLINE void fc1_transpose(const float fc1_weight[restrict 1][3][4][4],
                                   float fc1_weight_transposed[restrict 1][3][3][4])
{
    for (int b = 0; b < 3; b++)
        for (int d = 0; d < 4; d++) {
            fc1_weight_transposed[0][b][0][d] = fc1_weight[0][b][d][0];
            fc1_weight_transposed[0][b][1][d] = fc1_weight[0][b][d][1];
            fc1_weight_transposed[0][b][2][d] = fc1_weight[0][b][d][2];
        }
}

/* batchnorm eps=0.001, backward
 * 3 -> 3: tile, 15 points
 *
 *     batchnorm2.d_weight[c] = batchnorm2.d_distances[c] * batchnorm2.scale[c]   for c<3
 *     d_batchnorm2.weight[c] += batchnorm2.d_weight[c]   for c<3
 *     d_batchnorm2.bias[c] += batchnorm2.d_sum[c]   for c<3
 *     batchnorm2.tilt[c] = (0 - batchnorm2.slope[c] * batchnorm2.scale[c] * batchnorm2.d_weight[c] / samples)   for c<3
 *     batchnorm2.shift[c] = (0 - batchnorm2.slope[c] * batchnorm2.d_sum[c] / samples)   for c<3
 */
static NOINLINE void batchnorm2_backward_weight_once(const float batchnorm2_d_distances[restrict 4],
                                                     const float batchnorm2_scale[restrict 4],
                                                     float batchnorm2_d_weight[restrict 4],
                                                     const float batchnorm2_d_sum[restrict 4],
                                                     const float batchnorm2_slope[restrict 4],
                                                     float d_batchnorm2_weight[restrict 4],
                                                     float d_batchnorm2_bias[restrict 4],
                                                     float batchnorm2_tilt[restrict 4],
                                                     float batchnorm2_shift[restrict 4], float samples)
{
    STORE(batchnorm2_d_weight[0], LOAD(batchnorm2_d_distances[0]) * LOAD(batchnorm2_scale[0]));
    {
        vec sum = LOAD(d_batchnorm2_weight[0]);
        sum += LOAD(batchnorm2_d_weight[0]);
        STORE(d_batchnorm2_weight[0], FIRST(3, sum));
    }
    {
        vec sum = LOAD(d_batchnorm2_bias[0]);
        sum += LOAD(batchnorm2_d_sum[0]);
        STORE(d_batchnorm2_bias[0], FIRST(3, sum));
    }
    STORE(batchnorm2_tilt[0], -LOAD(batchnorm2_slope[0]) * LOAD(batchnorm2_scale[0]) * LOAD(batchnorm2_d_weight[0]) / samples);
    STORE(batchnorm2_shift[0], -LOAD(batchnorm2_slope[0]) * LOAD(batchnorm2_d_sum[0]) / samples);
}

/* batchnorm eps=0.001, backward
 * 3 -> 3: full, 53 bytes, 1 point
 *
 *     d_fc1.out[c] = ((d_batchnorm2.out[c] * batchnorm2.slope[c] + (fc1.out[c] - batchnorm2.mean[c]) * batchnorm2.tilt[c])
 *             + batchnorm2.shift[c])   for c<3
 */
static inline void batchnorm2_backward_input(const float *d_batchnorm2_out,
                                             const float *batchnorm2_slope,
                                             const float *fc1_out,
                                             const float *batchnorm2_mean,
                                             const float *batchnorm2_tilt,
                                             const float *batchnorm2_shift,
                                             float *d_fc1_out)
{
    STORE(d_fc1_out[0], LOAD(d_batchnorm2_out[0]) * LOAD(batchnorm2_slope[0])
            + (LOAD(fc1_out[0]) - LOAD(batchnorm2_mean[0])) * LOAD(batchnorm2_tilt[0]) + LOAD(batchnorm2_shift[0]));
}

/* fc 3, backward
 * 4x1x3 -> 3: full, 265 bytes, 13 points
 *
 *     d_fc1.weight[0, x, c, o] += d_fc1.out[o] * relu1.out[0, x, c]   for x<3 c<4 o<3
 *     d_fc1.bias[o] += d_fc1.out[o]   for o<3
 */
static inline void fc1_backward_weights(const float *d_fc1_out,
                                        const float *relu1_out,
                                        float *d_fc1_weight,
                                        float *d_fc1_bias)
{
    {
        vec s0 = LOAD(d_fc1_weight[0]);
        vec s1 = LOAD(d_fc1_weight[4]);
        vec s2 = LOAD(d_fc1_weight[8]);
        vec s3 = LOAD(d_fc1_weight[12]);
        vec s4 = LOAD(d_fc1_weight[16]);
        vec s5 = LOAD(d_fc1_weight[20]);
        vec s6 = LOAD(d_fc1_weight[24]);
        vec s7 = LOAD(d_fc1_weight[28]);
        vec s8 = LOAD(d_fc1_weight[32]);
        vec s9 = LOAD(d_fc1_weight[36]);
        vec s10 = LOAD(d_fc1_weight[40]);
        vec s11 = LOAD(d_fc1_weight[44]);
        const vec v0 = LOAD(d_fc1_out[0]);
        s0 += v0 * relu1_out[0];
        s1 += v0 * relu1_out[1];
        s2 += v0 * relu1_out[2];
        s3 += v0 * relu1_out[3];
        s4 += v0 * relu1_out[4];
        s5 += v0 * relu1_out[5];
        s6 += v0 * relu1_out[6];
        s7 += v0 * relu1_out[7];
        s8 += v0 * relu1_out[8];
        s9 += v0 * relu1_out[9];
        s10 += v0 * relu1_out[10];
        s11 += v0 * relu1_out[11];
        STORE(d_fc1_weight[0], FIRST(3, s0));
        STORE(d_fc1_weight[4], FIRST(3, s1));
        STORE(d_fc1_weight[8], FIRST(3, s2));
        STORE(d_fc1_weight[12], FIRST(3, s3));
        STORE(d_fc1_weight[16], FIRST(3, s4));
        STORE(d_fc1_weight[20], FIRST(3, s5));
        STORE(d_fc1_weight[24], FIRST(3, s6));
        STORE(d_fc1_weight[28], FIRST(3, s7));
        STORE(d_fc1_weight[32], FIRST(3, s8));
        STORE(d_fc1_weight[36], FIRST(3, s9));
        STORE(d_fc1_weight[40], FIRST(3, s10));
        STORE(d_fc1_weight[44], FIRST(3, s11));
    }
    {
        vec sum = LOAD(d_fc1_bias[0]);
        sum += LOAD(d_fc1_out[0]);
        STORE(d_fc1_bias[0], FIRST(3, sum));
    }
}

/* fc 3, backward
 * 4x1x3 -> 3: full, 240 bytes, 9 points
 *
 *     d_relu1.out[0, x, c] = 0   for x<3 c<4
 *     d_relu1.out[0, x, c] += d_fc1.out[o] * fc1.weight.transposed[0, x, o, c]   for x<3 c<4 o<3
 *     d_batchnorm1.out[0, x, c] = (relu1.out[0, x, c] <= 0 ? 0 : d_relu1.out[0, x, c])   for x<3 c<4
 */
static inline void fc1_backward_input(const float *relu1_out,
                                      const float *d_fc1_out,
                                      const float *fc1_weight_transposed,
                                      float *d_batchnorm1_out)
{
    {
        vec s0 = {0}, s1 = {0}, s2 = {0};
        {
            const float a0 = d_fc1_out[0];
            s0 += a0 * LOAD(fc1_weight_transposed[0]);
            s1 += a0 * LOAD(fc1_weight_transposed[12]);
            s2 += a0 * LOAD(fc1_weight_transposed[24]);
        }
        {
            const float a0 = d_fc1_out[1];
            s0 += a0 * LOAD(fc1_weight_transposed[4]);
            s1 += a0 * LOAD(fc1_weight_transposed[16]);
            s2 += a0 * LOAD(fc1_weight_transposed[28]);
        }
        {
            const float a0 = d_fc1_out[2];
            s0 += a0 * LOAD(fc1_weight_transposed[8]);
            s1 += a0 * LOAD(fc1_weight_transposed[20]);
            s2 += a0 * LOAD(fc1_weight_transposed[32]);
        }
        STORE(d_batchnorm1_out[0], SELECT(LOAD(relu1_out[0]) <= 0.0f, ALL(0.0f), s0));
        STORE(d_batchnorm1_out[4], SELECT(LOAD(relu1_out[4]) <= 0.0f, ALL(0.0f), s1));
        STORE(d_batchnorm1_out[8], SELECT(LOAD(relu1_out[8]) <= 0.0f, ALL(0.0f), s2));
    }
}

/* batchnorm, backward
 * 4x1x3 -> 4x1x3: full, 90 bytes, 6 points
 *
 *     batchnorm1.d_sum[c] += d_batchnorm1.out[0, x, c]   for c<4 x<3
 *     batchnorm1.d_distances[c] += d_batchnorm1.out[0, x, c] * (conv1.out[0, x, c] - batchnorm1.mean[c])   for c<4 x<3
 */
static inline void batchnorm1_backward_sums(const float *d_batchnorm1_out,
                                            const float *conv1_out,
                                            const float *batchnorm1_mean,
                                            float *batchnorm1_d_sum,
                                            float *batchnorm1_d_distances)
{
    {
        vec sum = LOAD(batchnorm1_d_sum[0]);
        sum += LOAD(d_batchnorm1_out[0]);
        sum += LOAD(d_batchnorm1_out[4]);
        sum += LOAD(d_batchnorm1_out[8]);
        STORE(batchnorm1_d_sum[0], sum);
    }
    {
        vec sum = LOAD(batchnorm1_d_distances[0]);
        sum += LOAD(d_batchnorm1_out[0]) * (LOAD(conv1_out[0]) - LOAD(batchnorm1_mean[0]));
        sum += LOAD(d_batchnorm1_out[4]) * (LOAD(conv1_out[4]) - LOAD(batchnorm1_mean[0]));
        sum += LOAD(d_batchnorm1_out[8]) * (LOAD(conv1_out[8]) - LOAD(batchnorm1_mean[0]));
        STORE(batchnorm1_d_distances[0], sum);
    }
}

/* batchnorm, backward
 * 4x1x3 -> 4x1x3: tile, 20 points
 *
 *     batchnorm1.d_weight[c] = batchnorm1.d_distances[c] * batchnorm1.scale[c]   for c<4
 *     d_batchnorm1.weight[c] += batchnorm1.d_weight[c]   for c<4
 *     d_batchnorm1.bias[c] += batchnorm1.d_sum[c]   for c<4
 *     batchnorm1.tilt[c] = (0 - batchnorm1.slope[c] * batchnorm1.scale[c] * batchnorm1.d_weight[c] / (samples * 3))   for c<4
 *     batchnorm1.shift[c] = (0 - batchnorm1.slope[c] * batchnorm1.d_sum[c] / (samples * 3))   for c<4
 */
static NOINLINE void batchnorm1_backward_weight_once(const float batchnorm1_d_distances[restrict 4],
                                                     const float batchnorm1_scale[restrict 4],
                                                     float batchnorm1_d_weight[restrict 4],
                                                     const float batchnorm1_d_sum[restrict 4],
                                                     const float batchnorm1_slope[restrict 4],
                                                     float d_batchnorm1_weight[restrict 4],
                                                     float d_batchnorm1_bias[restrict 4],
                                                     float batchnorm1_tilt[restrict 4],
                                                     float batchnorm1_shift[restrict 4], float samples)
{
    STORE(batchnorm1_d_weight[0], LOAD(batchnorm1_d_distances[0]) * LOAD(batchnorm1_scale[0]));
    {
        vec sum = LOAD(d_batchnorm1_weight[0]);
        sum += LOAD(batchnorm1_d_weight[0]);
        STORE(d_batchnorm1_weight[0], sum);
    }
    {
        vec sum = LOAD(d_batchnorm1_bias[0]);
        sum += LOAD(batchnorm1_d_sum[0]);
        STORE(d_batchnorm1_bias[0], sum);
    }
    STORE(batchnorm1_tilt[0],
            -LOAD(batchnorm1_slope[0]) * LOAD(batchnorm1_scale[0]) * LOAD(batchnorm1_d_weight[0]) / (samples * 3.0f));
    STORE(batchnorm1_shift[0], -LOAD(batchnorm1_slope[0]) * LOAD(batchnorm1_d_sum[0]) / (samples * 3.0f));
}

/* batchnorm, backward
 * 4x1x3 -> 4x1x3: full, 159 bytes, 3 points
 *
 *     d_conv1.out[0, x, c] = ((d_batchnorm1.out[0, x, c] * batchnorm1.slope[c]
 *             + (conv1.out[0, x, c] - batchnorm1.mean[c]) * batchnorm1.tilt[c]) + batchnorm1.shift[c])   for x<3 c<4
 */
static inline void batchnorm1_backward_input(const float *d_batchnorm1_out,
                                             const float *batchnorm1_slope,
                                             const float *conv1_out,
                                             const float *batchnorm1_mean,
                                             const float *batchnorm1_tilt,
                                             const float *batchnorm1_shift,
                                             float *d_conv1_out)
{
    STORE(d_conv1_out[0], LOAD(d_batchnorm1_out[0]) * LOAD(batchnorm1_slope[0])
            + (LOAD(conv1_out[0]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_tilt[0]) + LOAD(batchnorm1_shift[0]));
    STORE(d_conv1_out[4], LOAD(d_batchnorm1_out[4]) * LOAD(batchnorm1_slope[0])
            + (LOAD(conv1_out[4]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_tilt[0]) + LOAD(batchnorm1_shift[0]));
    STORE(d_conv1_out[8], LOAD(d_batchnorm1_out[8]) * LOAD(batchnorm1_slope[0])
            + (LOAD(conv1_out[8]) - LOAD(batchnorm1_mean[0])) * LOAD(batchnorm1_tilt[0]) + LOAD(batchnorm1_shift[0]));
}

/* conv 4 k3 bias=false, backward
 * 2x3x5 -> 4x1x3: tile 3ky 3kx 1x4o, 216 points
 *
 *     d_conv1.weight[ky, kx, c, o] += d_conv1.out[0, x, o] * input[c, ky, kx + x]   for ky<3 kx<3 c<2 o<4 x<3
 */
static NOINLINE void conv1_backward_weights(const float d_conv1_out[restrict 1][3][4],
                                            const float input[restrict 2][3][5],
                                            float d_conv1_weight[restrict 3][3][2][4])
{
    for (int c = 0; c < 2; c++) {
        vec s0 = LOAD(d_conv1_weight[0][0][c][0]);
        vec s1 = LOAD(d_conv1_weight[0][1][c][0]);
        vec s2 = LOAD(d_conv1_weight[0][2][c][0]);
        vec s3 = LOAD(d_conv1_weight[1][0][c][0]);
        vec s4 = LOAD(d_conv1_weight[1][1][c][0]);
        vec s5 = LOAD(d_conv1_weight[1][2][c][0]);
        vec s6 = LOAD(d_conv1_weight[2][0][c][0]);
        vec s7 = LOAD(d_conv1_weight[2][1][c][0]);
        vec s8 = LOAD(d_conv1_weight[2][2][c][0]);
        UNROLLED for (int x = 0; x < 3; x++) {
            const vec v0 = LOAD(d_conv1_out[0][x][0]);
            s0 += v0 * input[c][0][x];
            s1 += v0 * input[c][0][x + 1];
            s2 += v0 * input[c][0][x + 2];
            s3 += v0 * input[c][1][x];
            s4 += v0 * input[c][1][x + 1];
            s5 += v0 * input[c][1][x + 2];
            s6 += v0 * input[c][2][x];
            s7 += v0 * input[c][2][x + 1];
            s8 += v0 * input[c][2][x + 2];
        }
        STORE(d_conv1_weight[0][0][c][0], s0);
        STORE(d_conv1_weight[0][1][c][0], s1);
        STORE(d_conv1_weight[0][2][c][0], s2);
        STORE(d_conv1_weight[1][0][c][0], s3);
        STORE(d_conv1_weight[1][1][c][0], s4);
        STORE(d_conv1_weight[1][2][c][0], s5);
        STORE(d_conv1_weight[2][0][c][0], s6);
        STORE(d_conv1_weight[2][1][c][0], s7);
        STORE(d_conv1_weight[2][2][c][0], s8);
    }
}

/* loss crossentropy
 * 3 -> a number: tile, 4 points
 *
 *     loss.nll = (0 <= target[0] ? (target[0] <= 2 ? log(softmax1.sum) : nan) : (target[0] == -100 ? 0 : nan))
 *     loss.nll += (target[0] == (c) ? (softmax1.max - batchnorm2.out[c]) : 0)   for c<3
 *     loss += loss.nll * 1/samples
 */
static inline void loss_forward2(const int target[1],
                                 const float softmax1_max[1],
                                 const float batchnorm2_out[4],
                                 const float softmax1_sum[1],
                                 float loss_nll[1],
                                 float loss[1], float mean)
{
    {
        const int v1 = target[0];
        const float v2 = softmax1_sum[0];
        float sum = 0 <= v1 ? (v1 <= 2 ? log_f(v2) : NAN) : v1 == -100 ? 0.0f : NAN;
        UNROLLED for (int c = 0; c < 3; c++) {
            const float v3 = softmax1_max[0];
            const float v4 = batchnorm2_out[c];
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

void batchnorm_forward(const batchnorm_params *p, batchnorm_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, batchnorm_params);
    NN_CHECK_MEMORY(w, batchnorm_work);
    NN_CHECK(n >= 1 && n <= BATCHNORM_BATCH,
            "n must be from 1 to BATCHNORM_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float *const batchnorm1_slope = w->arena + 0;   /* 4 */
    float *const batchnorm1_shift = w->arena + 16;   /* 4 */
    float *const batchnorm2_slope = w->arena + 32;   /* 4 */
    float *const batchnorm2_shift = w->arena + 48;   /* 4 */
    float (*const relu1_out)[3][4] = (void *)(w->arena + 64);
    float *const batchnorm2_out = w->arena + 80;   /* 4 */
    float *const softmax1_max = w->arena + 64;   /* 1 */
    float *const softmax1_exp = w->arena + 96;   /* 4 */
    float *const softmax1_sum = w->arena + 112;   /* 1 */
    batchnorm1_slope_once(p->batchnorm1_weight, p->batchnorm1_running_var, p->batchnorm1_bias,
        p->batchnorm1_running_mean, batchnorm1_slope, batchnorm1_shift);
    batchnorm2_slope_once(p->batchnorm2_weight, p->batchnorm2_running_var, p->batchnorm2_bias,
        p->batchnorm2_running_mean, batchnorm2_slope, batchnorm2_shift);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * BATCHNORM_INPUT;
        float *const softmax1_out = y + (size_t)s * BATCHNORM_OUTPUT;
        conv1_forward(batchnorm1_slope, batchnorm1_shift, p->conv1_weight, (const float (*)[3][5])input, relu1_out);
        fc1_forward(batchnorm2_slope, batchnorm2_shift, (const float *)p->fc1_weight, (void *)relu1_out,
            p->fc1_bias, batchnorm2_out);
        softmax1_forward(batchnorm2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
    }
}

/* How many of n labels there are that are not -100. Sixteen at a time become vectors at -O2, too. */
static size_t batchnorm_counted(const int *t, size_t n)
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

float batchnorm_backward(batchnorm_params *p, batchnorm_work *w, int n, const float *x, const int *t, batchnorm_params *g)
{
    NN_CHECK_MEMORY(p, batchnorm_params);
    NN_CHECK_MEMORY(w, batchnorm_work);
    NN_CHECK_MEMORY(g, batchnorm_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
    NN_CHECK(n >= 2 && n <= BATCHNORM_BATCH,
            "n must be from 2 to BATCHNORM_BATCH, 32: batchnorm takes the variance of n numbers, and one has none");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const batchnorm1_sum = w->arena + 512;   /* 4 */
    float *const batchnorm1_squares = w->arena + 528;   /* 4 */
    float (*const conv1_out)[1][3][4] = (void *)(w->arena + 0);
    float *const batchnorm1_sample_sum = w->arena + 544;   /* 4 */
    float (*const batchnorm1_sample_mean)[4] = (void *)(w->arena + 384);
    float *const batchnorm1_around = w->arena + 544;   /* 4 */
    float *const batchnorm1_drift = w->arena + 560;   /* 4 */
    float *const batchnorm1_mean = w->arena + 1456;   /* 4 */
    float *const batchnorm1_next_mean = w->arena + 384;   /* 4 */
    float *const batchnorm1_next_var = w->arena + 400;   /* 4 */
    float *const batchnorm1_scale = w->arena + 1472;   /* 4 */
    float *const batchnorm1_slope = w->arena + 1488;   /* 4 */
    float *const batchnorm2_sum = w->arena + 768;   /* 4 */
    float (*const relu1_out)[12] = (void *)(w->arena + 384);
    float (*const fc1_out)[4] = (void *)(w->arena + 1152);
    float *const batchnorm2_around = w->arena + 784;   /* 4 */
    float *const batchnorm2_squares = w->arena + 800;   /* 4 */
    float *const batchnorm2_drift = w->arena + 816;   /* 4 */
    float *const batchnorm2_mean = w->arena + 1504;   /* 4 */
    float *const batchnorm2_next_mean = w->arena + 768;   /* 4 */
    float *const batchnorm2_next_var = w->arena + 832;   /* 4 */
    float *const batchnorm2_scale = w->arena + 848;   /* 4 */
    float *const batchnorm2_slope = w->arena + 1520;   /* 4 */
    float *const batchnorm2_d_sum = w->arena + 768;   /* 4 */
    float *const batchnorm2_d_distances = w->arena + 784;   /* 4 */
    float *const batchnorm2_out = w->arena + 800;   /* 4 */
    float *const loss_max = w->arena + 816;   /* 1 */
    float *const loss_exp = w->arena + 832;   /* 4 */
    float *const loss_sum = w->arena + 864;   /* 1 */
    float *const loss_nll = w->arena + 880;   /* 1 */
    float (*const d_batchnorm2_out)[4] = (void *)(w->arena + 1280);
    float (*const fc1_weight_transposed)[3][3][4] = (void *)(w->arena + 1408);
    float *const batchnorm2_d_weight = w->arena + 800;   /* 4 */
    float *const batchnorm2_tilt = w->arena + 1536;   /* 4 */
    float *const batchnorm2_shift = w->arena + 1552;   /* 4 */
    float *const batchnorm1_d_sum = w->arena + 1568;   /* 4 */
    float *const batchnorm1_d_distances = w->arena + 1584;   /* 4 */
    float *const d_fc1_out = w->arena + 1600;   /* 4 */
    float (*const d_batchnorm1_out)[12] = (void *)(w->arena + 768);
    float *const batchnorm1_d_weight = w->arena + 384;   /* 4 */
    float *const batchnorm1_tilt = w->arena + 400;   /* 4 */
    float *const batchnorm1_shift = w->arena + 416;   /* 4 */
    float (*const d_conv1_out)[3][4] = (void *)(w->arena + 384);
    const float mean = 1.0f / (float)batchnorm_counted(t, (size_t)n);
    const float samples = (float)n;
    float loss = 0.0f;
    if (w->add != 1)
        memset(g, 0, sizeof *g);
    batchnorm1_clear(batchnorm1_sum, batchnorm1_squares);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * BATCHNORM_INPUT;
        conv1_training((void *)p->conv1_weight, (const float (*)[3][5])input, conv1_out[s]);
        batchnorm1_sums((void *)conv1_out[s], batchnorm1_sample_sum, batchnorm1_sample_mean[s], batchnorm1_sum,
            batchnorm1_squares);
    }
    batchnorm1_around_once(batchnorm1_sum, batchnorm1_around, batchnorm1_drift, samples);
    for (int s = 0; s < n; s++) {
        batchnorm1_sums2(batchnorm1_sample_mean[s], batchnorm1_around, batchnorm1_squares, batchnorm1_drift);
    }
    batchnorm1_mean_once(batchnorm1_around, batchnorm1_drift, p->batchnorm1_running_mean, batchnorm1_mean,
        p->batchnorm1_running_var, batchnorm1_squares, batchnorm1_next_mean, batchnorm1_next_var,
        p->batchnorm1_weight, batchnorm1_scale, batchnorm1_slope, samples);
    batchnorm2_clear(batchnorm2_sum);
    for (int s = 0; s < n; s++) {
        batchnorm1_forward((void *)conv1_out[s], batchnorm1_mean, batchnorm1_slope, p->batchnorm1_bias,
            relu1_out[s]);
        fc1_training((const float *)p->fc1_weight, relu1_out[s], p->fc1_bias, fc1_out[s]);
        batchnorm2_sums(fc1_out[s], batchnorm2_sum);
    }
    batchnorm2_around_once(batchnorm2_sum, batchnorm2_around, batchnorm2_squares, batchnorm2_drift, samples);
    for (int s = 0; s < n; s++) {
        batchnorm2_sums2(fc1_out[s], batchnorm2_around, batchnorm2_squares, batchnorm2_drift);
    }
    batchnorm2_mean_once(batchnorm2_around, batchnorm2_drift, p->batchnorm2_running_mean, batchnorm2_mean,
        p->batchnorm2_running_var, batchnorm2_squares, batchnorm2_next_mean, batchnorm2_next_var,
        p->batchnorm2_weight, batchnorm2_scale, batchnorm2_slope, samples);
    batchnorm2_backward_clear(batchnorm2_d_sum, batchnorm2_d_distances);
    for (int s = 0; s < n; s++) {
        const int *const target = t + (size_t)s * BATCHNORM_TARGETS;
        batchnorm2_forward(fc1_out[s], batchnorm2_mean, batchnorm2_slope, p->batchnorm2_bias, batchnorm2_out);
        loss_forward(batchnorm2_out, loss_max, loss_exp, target, loss_sum, loss_nll, &loss, mean);
        loss_backward(loss_exp, loss_sum, target, d_batchnorm2_out[s], mean);
        batchnorm2_backward_sums(d_batchnorm2_out[s], fc1_out[s], batchnorm2_mean, batchnorm2_d_sum,
            batchnorm2_d_distances);
    }
    fc1_transpose((void *)p->fc1_weight, fc1_weight_transposed);
    batchnorm2_backward_weight_once(batchnorm2_d_distances, batchnorm2_scale, batchnorm2_d_weight,
        batchnorm2_d_sum, batchnorm2_slope, g->batchnorm2_weight, g->batchnorm2_bias, batchnorm2_tilt,
        batchnorm2_shift, samples);
    batchnorm1_clear(batchnorm1_d_sum, batchnorm1_d_distances);
    for (int s = 0; s < n; s++) {
        batchnorm2_backward_input(d_batchnorm2_out[s], batchnorm2_slope, fc1_out[s], batchnorm2_mean,
            batchnorm2_tilt, batchnorm2_shift, d_fc1_out);
        fc1_backward_weights(d_fc1_out, relu1_out[s], (float *)g->fc1_weight, g->fc1_bias);
        fc1_backward_input(relu1_out[s], d_fc1_out, (void *)fc1_weight_transposed, d_batchnorm1_out[s]);
        batchnorm1_backward_sums(d_batchnorm1_out[s], (void *)conv1_out[s], batchnorm1_mean, batchnorm1_d_sum,
            batchnorm1_d_distances);
    }
    batchnorm1_backward_weight_once(batchnorm1_d_distances, batchnorm1_scale, batchnorm1_d_weight,
        batchnorm1_d_sum, batchnorm1_slope, g->batchnorm1_weight, g->batchnorm1_bias, batchnorm1_tilt,
        batchnorm1_shift, samples);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * BATCHNORM_INPUT;
        batchnorm1_backward_input(d_batchnorm1_out[s], batchnorm1_slope, (void *)conv1_out[s], batchnorm1_mean,
            batchnorm1_tilt, batchnorm1_shift, (void *)d_conv1_out);
        conv1_backward_weights((void *)d_conv1_out, (const float (*)[3][5])input, g->conv1_weight);
    }
    return loss;
}

float batchnorm_loss(const batchnorm_params *p, batchnorm_work *w, int n, const float *x, const int *t, float *y)
{
    NN_CHECK_MEMORY(p, batchnorm_params);
    NN_CHECK_MEMORY(w, batchnorm_work);
    NN_CHECK(n >= 1 && n <= BATCHNORM_BATCH,
            "n must be from 1 to BATCHNORM_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
    float *const batchnorm1_slope = w->arena + 0;   /* 4 */
    float *const batchnorm1_shift = w->arena + 16;   /* 4 */
    float *const batchnorm2_slope = w->arena + 32;   /* 4 */
    float *const batchnorm2_shift = w->arena + 48;   /* 4 */
    float (*const relu1_out)[3][4] = (void *)(w->arena + 64);
    float *const batchnorm2_out = w->arena + 80;   /* 4 */
    float *const softmax1_max = w->arena + 64;   /* 1 */
    float *const softmax1_exp = w->arena + 96;   /* 4 */
    float *const softmax1_sum = w->arena + 112;   /* 1 */
    float *const loss_nll = w->arena + 96;   /* 1 */
    const float mean = 1.0f / (float)batchnorm_counted(t, (size_t)n);
    float loss = 0.0f;
    batchnorm1_slope_once(p->batchnorm1_weight, p->batchnorm1_running_var, p->batchnorm1_bias,
        p->batchnorm1_running_mean, batchnorm1_slope, batchnorm1_shift);
    batchnorm2_slope_once(p->batchnorm2_weight, p->batchnorm2_running_var, p->batchnorm2_bias,
        p->batchnorm2_running_mean, batchnorm2_slope, batchnorm2_shift);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * BATCHNORM_INPUT;
        float *const softmax1_out = y ? y + (size_t)s * BATCHNORM_OUTPUT : w->arena + 128;
        const int *const target = t + (size_t)s * BATCHNORM_TARGETS;
        conv1_forward(batchnorm1_slope, batchnorm1_shift, p->conv1_weight, (const float (*)[3][5])input, relu1_out);
        fc1_forward(batchnorm2_slope, batchnorm2_shift, (const float *)p->fc1_weight, (void *)relu1_out,
            p->fc1_bias, batchnorm2_out);
        softmax1_forward(batchnorm2_out, softmax1_max, softmax1_exp, softmax1_sum, softmax1_out);
        loss_forward2(target, softmax1_max, batchnorm2_out, softmax1_sum, loss_nll, &loss, mean);
    }
    return loss;
}

static const nn_tensor batchnorm_tensors[] = {
    {"conv1.weight", 4, {4, 2, 3, 3}, 0, 72, -0.23570226f, 0.23570226f, {4, 2, 3, 3}, {1, 4, 24, 8}, 0},
    {"batchnorm1.weight", 1, {4}, 80, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm1.bias", 1, {4}, 96, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm1.running_mean", 1, {4}, 208, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm1.running_var", 1, {4}, 224, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"fc1.weight", 2, {3, 12}, 112, 36, -0.28867513f, 0.28867513f, {3, 4, 1, 3}, {1, 4, 48, 16}, 0},
    {"fc1.bias", 1, {3}, 160, 3, -0.28867513f, 0.28867513f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm2.weight", 1, {3}, 176, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm2.bias", 1, {3}, 192, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm2.running_mean", 1, {3}, 240, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"batchnorm2.running_var", 1, {3}, 256, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 0},
};

static void batchnorm_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    batchnorm_forward(params, work, n, x, y);
}

static float batchnorm_model_backward(void *params, void *work, int n, const void *x, const void *t, void *gradients)
{
    return batchnorm_backward(params, work, n, x, t, gradients);
}

static float batchnorm_model_loss(const void *params, void *work, int n, const void *x, const void *t, float *y)
{
    return batchnorm_loss(params, work, n, x, t, y);
}

static double batchnorm_model_counted(int n, const void *t)
{
    return (double)batchnorm_counted(t, (size_t)n);
}

static void batchnorm_model_set_rng(void *work, uint64_t rng)
{
    ((batchnorm_work *)work)->rng = rng;
}

static void batchnorm_model_set_add(void *work, int add)
{
    ((batchnorm_work *)work)->add = add;
}

const nn_model batchnorm_model = {
    .name = "batchnorm",
    .input_shape = {2, 3, 5},
    .input = BATCHNORM_INPUT,
    .output = BATCHNORM_OUTPUT,
    .targets = BATCHNORM_TARGETS,
    .int_targets = 1,
    .vocabulary = 0,
    .loss_name = "crossentropy",
    .logits = 0,
    .batch = BATCHNORM_BATCH,
    .params = BATCHNORM_PARAMS,
    .floats = BATCHNORM_FLOATS,
    .params_bytes = sizeof(batchnorm_params),
    .work_bytes = sizeof(batchnorm_work),
    .ntensors = 11,
    .tensors = batchnorm_tensors,
    .forward = batchnorm_model_forward,
    .backward = batchnorm_model_backward,
    .loss = batchnorm_model_loss,
    .set_rng = batchnorm_model_set_rng,
    .set_add = batchnorm_model_set_add,
    .prepare = NULL,
    .counted = batchnorm_model_counted,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void batchnorm_init(batchnorm_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, batchnorm_params);
    nn_init(&batchnorm_model, p, seed);
}
