/* The network of fold.nn as C, made by nnc 0.2.0-dev with --unroll=none --target=generic --inference.
 * Compile with: cc -O2 -march=native -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer          output      parameters       MACs  forward
 * conv1          4x4x3               40        432  loops
 * batchnorm1     4x4x3                8          0  folded into conv1
 * relu1          4x4x3                0          0  loops
 * batchnorm2     4x4x3                8          0  loops
 * convtranspose1 3x8x6               48        576  loops
 * batchnorm3     3x8x6                6          0  folded into convtranspose1
 * batchnorm4     3x8x6                6          0  folded into convtranspose1
 * x              3x8x6               12        432  loops
 * batchnorm5     3x8x6                6          0  loops
 * add1           3x8x6                0          0  loops
 * fc1            2                  290        288  loops
 * batchnorm6     2                    4          0  folded into fc1
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "fold.h"

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

#define root_f(x) sqrtf(x)

/* the C library's */
static inline float sqrt_f(float x)
{
    float y = root_f(x);
    return y;
}

/* batchnorm
 * 4x4x3 -> 4x4x3: loops, 48 points
 *
 *     batchnorm1.weight[c] = batchnorm1.weight[c] / sqrt((batchnorm1.running_var[c] + 1e-05))   for c<4
 *     batchnorm1.bias[c] = (batchnorm1.bias[c] - batchnorm1.running_mean[c] * batchnorm1.weight[c])   for c<4
 *     conv1.weight[2g + o, 0, ky, kx] = conv1.weight[2g + o, 0, ky, kx] * batchnorm1.weight[2g + o]   for g<2 o<2 ky<3 kx<3
 *     conv1.bias[2g + o] = (conv1.bias[2g + o] * batchnorm1.weight[2g + o] + batchnorm1.bias[2g + o])   for g<2 o<2
 */
static NOINLINE void batchnorm1_weight_once(float batchnorm1_weight[restrict 4],
                                            const float batchnorm1_running_var[restrict 4],
                                            float batchnorm1_bias[restrict 4],
                                            const float batchnorm1_running_mean[restrict 4],
                                            float conv1_weight[restrict 4][1][3][3],
                                            float conv1_bias[restrict 4])
{
    for (int c = 0; c < 4; c++)
        batchnorm1_weight[c] = batchnorm1_weight[c] / sqrt_f(batchnorm1_running_var[c] + 1e-05f);
    for (int c = 0; c < 4; c++)
        batchnorm1_bias[c] = batchnorm1_bias[c] - batchnorm1_running_mean[c] * batchnorm1_weight[c];
    for (int g = 0; g < 2; g++)
        for (int o = 0; o < 2; o++)
            for (int ky = 0; ky < 3; ky++)
                for (int kx = 0; kx < 3; kx++)
                    conv1_weight[2 * g + o][0][ky][kx] = conv1_weight[2 * g + o][0][ky][kx] * batchnorm1_weight[2 * g + o];
    for (int g = 0; g < 2; g++)
        for (int o = 0; o < 2; o++)
            conv1_bias[2 * g + o] = conv1_bias[2 * g + o] * batchnorm1_weight[2 * g + o] + batchnorm1_bias[2 * g + o];
}

/* batchnorm eps=0.001
 * 4x4x3 -> 4x4x3: loops, 8 points
 *
 *     batchnorm2.weight[c] = batchnorm2.weight[c] / sqrt((batchnorm2.running_var[c] + 0.001))   for c<4
 *     batchnorm2.bias[c] = (batchnorm2.bias[c] - batchnorm2.running_mean[c] * batchnorm2.weight[c])   for c<4
 */
static NOINLINE void batchnorm2_weight_once(float batchnorm2_weight[restrict 4],
                                            const float batchnorm2_running_var[restrict 4],
                                            float batchnorm2_bias[restrict 4],
                                            const float batchnorm2_running_mean[restrict 4])
{
    for (int c = 0; c < 4; c++)
        batchnorm2_weight[c] = batchnorm2_weight[c] / sqrt_f(batchnorm2_running_var[c] + 0.001f);
    for (int c = 0; c < 4; c++)
        batchnorm2_bias[c] = batchnorm2_bias[c] - batchnorm2_running_mean[c] * batchnorm2_weight[c];
}

/* batchnorm
 * 3x8x6 -> 3x8x6: loops, 54 points
 *
 *     batchnorm3.weight[c] = batchnorm3.weight[c] / sqrt((batchnorm3.running_var[c] + 1e-05))   for c<3
 *     batchnorm3.bias[c] = (batchnorm3.bias[c] - batchnorm3.running_mean[c] * batchnorm3.weight[c])   for c<3
 *     convtranspose1.weight[c, o, ky, kx] = convtranspose1.weight[c, o, ky, kx] * batchnorm3.weight[o]   for c<4 o<3 ky<2 kx<2
 */
static NOINLINE void batchnorm3_weight_once(float batchnorm3_weight[restrict 3],
                                            const float batchnorm3_running_var[restrict 3],
                                            float batchnorm3_bias[restrict 3],
                                            const float batchnorm3_running_mean[restrict 3],
                                            float convtranspose1_weight[restrict 4][3][2][2])
{
    for (int c = 0; c < 3; c++)
        batchnorm3_weight[c] = batchnorm3_weight[c] / sqrt_f(batchnorm3_running_var[c] + 1e-05f);
    for (int c = 0; c < 3; c++)
        batchnorm3_bias[c] = batchnorm3_bias[c] - batchnorm3_running_mean[c] * batchnorm3_weight[c];
    for (int c = 0; c < 4; c++)
        for (int o = 0; o < 3; o++)
            for (int ky = 0; ky < 2; ky++)
                for (int kx = 0; kx < 2; kx++)
                    convtranspose1_weight[c][o][ky][kx] = convtranspose1_weight[c][o][ky][kx] * batchnorm3_weight[o];
}

/* batchnorm
 * 3x8x6 -> 3x8x6: loops, 57 points
 *
 *     batchnorm4.weight[c] = batchnorm4.weight[c] / sqrt((batchnorm4.running_var[c] + 1e-05))   for c<3
 *     batchnorm4.bias[c] = (batchnorm4.bias[c] - batchnorm4.running_mean[c] * batchnorm4.weight[c])   for c<3
 *     convtranspose1.weight[c, o, ky, kx] = convtranspose1.weight[c, o, ky, kx] * batchnorm4.weight[o]   for c<4 o<3 ky<2 kx<2
 *     batchnorm3.bias[c] = (batchnorm3.bias[c] * batchnorm4.weight[c] + batchnorm4.bias[c])   for c<3
 */
static NOINLINE void batchnorm4_weight_once(float batchnorm4_weight[restrict 3],
                                            const float batchnorm4_running_var[restrict 3],
                                            float batchnorm4_bias[restrict 3],
                                            const float batchnorm4_running_mean[restrict 3],
                                            float convtranspose1_weight[restrict 4][3][2][2],
                                            float batchnorm3_bias[restrict 3])
{
    for (int c = 0; c < 3; c++)
        batchnorm4_weight[c] = batchnorm4_weight[c] / sqrt_f(batchnorm4_running_var[c] + 1e-05f);
    for (int c = 0; c < 3; c++)
        batchnorm4_bias[c] = batchnorm4_bias[c] - batchnorm4_running_mean[c] * batchnorm4_weight[c];
    for (int c = 0; c < 4; c++)
        for (int o = 0; o < 3; o++)
            for (int ky = 0; ky < 2; ky++)
                for (int kx = 0; kx < 2; kx++)
                    convtranspose1_weight[c][o][ky][kx] = convtranspose1_weight[c][o][ky][kx] * batchnorm4_weight[o];
    for (int c = 0; c < 3; c++)
        batchnorm3_bias[c] = batchnorm3_bias[c] * batchnorm4_weight[c] + batchnorm4_bias[c];
}

/* batchnorm
 * 3x8x6 -> 3x8x6: loops, 6 points
 *
 *     batchnorm5.weight[c] = batchnorm5.weight[c] / sqrt((batchnorm5.running_var[c] + 1e-05))   for c<3
 *     batchnorm5.bias[c] = (batchnorm5.bias[c] - batchnorm5.running_mean[c] * batchnorm5.weight[c])   for c<3
 */
static NOINLINE void batchnorm5_weight_once(float batchnorm5_weight[restrict 3],
                                            const float batchnorm5_running_var[restrict 3],
                                            float batchnorm5_bias[restrict 3],
                                            const float batchnorm5_running_mean[restrict 3])
{
    for (int c = 0; c < 3; c++)
        batchnorm5_weight[c] = batchnorm5_weight[c] / sqrt_f(batchnorm5_running_var[c] + 1e-05f);
    for (int c = 0; c < 3; c++)
        batchnorm5_bias[c] = batchnorm5_bias[c] - batchnorm5_running_mean[c] * batchnorm5_weight[c];
}

/* batchnorm
 * 2 -> 2: loops, 294 points
 *
 *     batchnorm6.weight[c] = batchnorm6.weight[c] / sqrt((batchnorm6.running_var[c] + 1e-05))   for c<2
 *     batchnorm6.bias[c] = (batchnorm6.bias[c] - batchnorm6.running_mean[c] * batchnorm6.weight[c])   for c<2
 *     fc1.weight[o, c, y, x] = fc1.weight[o, c, y, x] * batchnorm6.weight[o]   for o<2 c<3 y<8 x<6
 *     fc1.bias[o] = (fc1.bias[o] * batchnorm6.weight[o] + batchnorm6.bias[o])   for o<2
 */
static NOINLINE void batchnorm6_weight_once(float batchnorm6_weight[restrict 2],
                                            const float batchnorm6_running_var[restrict 2],
                                            float batchnorm6_bias[restrict 2],
                                            const float batchnorm6_running_mean[restrict 2],
                                            float fc1_weight[restrict 2][3][8][6],
                                            float fc1_bias[restrict 2])
{
    for (int c = 0; c < 2; c++)
        batchnorm6_weight[c] = batchnorm6_weight[c] / sqrt_f(batchnorm6_running_var[c] + 1e-05f);
    for (int c = 0; c < 2; c++)
        batchnorm6_bias[c] = batchnorm6_bias[c] - batchnorm6_running_mean[c] * batchnorm6_weight[c];
    for (int o = 0; o < 2; o++)
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 6; x++)
                    fc1_weight[o][c][y][x] = fc1_weight[o][c][y][x] * batchnorm6_weight[o];
    for (int o = 0; o < 2; o++)
        fc1_bias[o] = fc1_bias[o] * batchnorm6_weight[o] + batchnorm6_bias[o];
}

/* conv 4 k3 p1 g2
 * 2x4x3 -> 4x4x3: loops, 280 points
 *
 *     batchnorm1.out[2g + o, y, x] = conv1.bias[2g + o]   for g<2 o<2 y<4 x<3
 *     batchnorm1.out[2g + o, y, x] += conv1.weight[2g + o, 0, ky, kx] * input[g, y + ky - 1, x + kx - 1]
 *             for g<2 o<2 y<4 x<3 ky<3 kx<3
 */
static NOINLINE void conv1_forward(const float conv1_weight[restrict 4][1][3][3],
                                   const float input[restrict 2][4][3],
                                   const float conv1_bias[restrict 4],
                                   float batchnorm1_out[restrict 4][4][3])
{
    for (int g = 0; g < 2; g++)
        for (int o = 0; o < 2; o++)
            for (int y = 0; y < 4; y++)
                for (int x = 0; x < 3; x++) {
                    float sum = conv1_bias[2 * g + o];
                    for (int ky = 0; ky < 3; ky++)
                        if (y + ky - 1 >= 0 && y + ky - 1 < 4)
                            for (int kx = 0; kx < 3; kx++)
                                if (x + kx - 1 >= 0 && x + kx - 1 < 3)
                                    sum += conv1_weight[2 * g + o][0][ky][kx] * input[g][y + ky - 1][x + kx - 1];
                    batchnorm1_out[2 * g + o][y][x] = sum;
                }
}

/* relu
 * 4x4x3 -> 4x4x3: loops, 48 points
 *
 *     relu1.out[c, y, x] = (batchnorm1.out[c, y, x] <= 0 ? 0 : batchnorm1.out[c, y, x])   for c<4 y<4 x<3
 */
static NOINLINE void relu1_forward(const float batchnorm1_out[restrict 4][4][3],
                                   float relu1_out[restrict 4][4][3])
{
    for (int c = 0; c < 4; c++)
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 3; x++) {
                const float v1 = batchnorm1_out[c][y][x];
                relu1_out[c][y][x] = v1 <= 0.0f ? 0.0f : v1;
            }
}

/* batchnorm eps=0.001
 * 4x4x3 -> 4x4x3: loops, 48 points
 *
 *     batchnorm2.out[c, y, x] = (relu1.out[c, y, x] * batchnorm2.weight[c] + batchnorm2.bias[c])   for c<4 y<4 x<3
 */
static NOINLINE void batchnorm2_forward(const float relu1_out[restrict 4][4][3],
                                        const float batchnorm2_weight[restrict 4],
                                        const float batchnorm2_bias[restrict 4],
                                        float batchnorm2_out[restrict 4][4][3])
{
    for (int c = 0; c < 4; c++)
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 3; x++)
                batchnorm2_out[c][y][x] = relu1_out[c][y][x] * batchnorm2_weight[c] + batchnorm2_bias[c];
}

/* convtranspose 3 k2 s2 bias=false
 * 4x4x3 -> 3x8x6: loops, 720 points
 *
 *     batchnorm4.out[c, y, x] = batchnorm3.bias[c]   for c<3 y<8 x<6
 *     batchnorm4.out[o, 2y + ky, 2x + kx] += convtranspose1.weight[c, o, ky, kx] * batchnorm2.out[c, y, x]
 *             for o<3 y<4 ky<2 x<3 kx<2 c<4
 */
static NOINLINE void convtranspose1_forward(const float batchnorm3_bias[restrict 3],
                                            const float convtranspose1_weight[restrict 4][3][2][2],
                                            const float batchnorm2_out[restrict 4][4][3],
                                            float batchnorm4_out[restrict 3][8][6])
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 6; x++)
                batchnorm4_out[c][y][x] = batchnorm3_bias[c];
    for (int o = 0; o < 3; o++)
        for (int y = 0; y < 4; y++)
            for (int ky = 0; ky < 2; ky++)
                for (int x = 0; x < 3; x++)
                    for (int kx = 0; kx < 2; kx++) {
                        float sum = batchnorm4_out[o][2 * y + ky][2 * x + kx];
                        for (int c = 0; c < 4; c++)
                            sum += convtranspose1_weight[c][o][ky][kx] * batchnorm2_out[c][y][x];
                        batchnorm4_out[o][2 * y + ky][2 * x + kx] = sum;
                    }
}

/* conv 3 k1
 * 3x8x6 -> 3x8x6: loops, 432 points
 *
 *     x.out[o, y, x] = x.bias[o]   for o<3 y<8 x<6
 *     x.out[o, y, x] += x.weight[o, c, 0, 0] * batchnorm4.out[c, y, x]   for o<3 y<8 x<6 c<3
 */
static NOINLINE void x_forward(const float x_weight[restrict 3][3][1][1],
                               const float batchnorm4_out[restrict 3][8][6],
                               const float x_bias[restrict 3],
                               float x_out[restrict 3][8][6])
{
    for (int o = 0; o < 3; o++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 6; x++) {
                float sum = x_bias[o];
                for (int c = 0; c < 3; c++)
                    sum += x_weight[o][c][0][0] * batchnorm4_out[c][y][x];
                x_out[o][y][x] = sum;
            }
}

/* batchnorm
 * 3x8x6 -> 3x8x6: loops, 144 points
 *
 *     batchnorm5.out[c, y, x] = (x.out[c, y, x] * batchnorm5.weight[c] + batchnorm5.bias[c])   for c<3 y<8 x<6
 */
static NOINLINE void batchnorm5_forward(const float x_out[restrict 3][8][6],
                                        const float batchnorm5_weight[restrict 3],
                                        const float batchnorm5_bias[restrict 3],
                                        float batchnorm5_out[restrict 3][8][6])
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 6; x++)
                batchnorm5_out[c][y][x] = x_out[c][y][x] * batchnorm5_weight[c] + batchnorm5_bias[c];
}

/* add x
 * 3x8x6 -> 3x8x6: loops, 144 points
 *
 *     add1.out[c, y, x] = (batchnorm5.out[c, y, x] + x.out[c, y, x])   for c<3 y<8 x<6
 */
static NOINLINE void add1_forward(const float batchnorm5_out[restrict 3][8][6],
                                  const float x_out[restrict 3][8][6],
                                  float add1_out[restrict 3][8][6])
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 6; x++)
                add1_out[c][y][x] = batchnorm5_out[c][y][x] + x_out[c][y][x];
}

/* fc 2
 * 3x8x6 -> 2: loops, 288 points
 *
 *     batchnorm6.out[o] = fc1.bias[o]   for o<2
 *     batchnorm6.out[o] += fc1.weight[o, c, y, x] * add1.out[c, y, x]   for o<2 c<3 y<8 x<6
 */
static NOINLINE void fc1_forward(const float fc1_weight[restrict 2][3][8][6],
                                 const float add1_out[restrict 3][8][6],
                                 const float fc1_bias[restrict 2],
                                 float batchnorm6_out[restrict 2])
{
    for (int o = 0; o < 2; o++) {
        float sum = fc1_bias[o];
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 6; x++)
                    sum += fc1_weight[o][c][y][x] * add1_out[c][y][x];
        batchnorm6_out[o] = sum;
    }
}

static int fold_is_prepared(const fold_params *p)
{
    uint32_t mark;
    memcpy(&mark, p->weights + 528, sizeof mark);
    return mark == NN_PREPARED;
}

void fold_prepare(fold_params *p)
{
    const uint32_t mark = NN_PREPARED;
    NN_CHECK_MEMORY(p, fold_params);
    if (fold_is_prepared(p))
        return;
    float (*const conv1_weight)[1][3][3] = (void *)(p->weights + 0);
    float *const conv1_bias = p->weights + 48;   /* 4 */
    const float *const batchnorm1_running_var = p->weights + 768;   /* 4 */
    float *const batchnorm1_weight = p->weights + 784;   /* 4 */
    const float *const batchnorm1_running_mean = p->weights + 800;   /* 4 */
    float *const batchnorm1_bias = p->weights + 816;   /* 4 */
    const float *const batchnorm2_running_var = p->weights + 736;   /* 4 */
    float *const batchnorm2_weight = p->weights + 64;   /* 4 */
    const float *const batchnorm2_running_mean = p->weights + 752;   /* 4 */
    float *const batchnorm2_bias = p->weights + 80;   /* 4 */
    float (*const convtranspose1_weight)[3][2][2] = (void *)(p->weights + 96);
    const float *const batchnorm3_running_var = p->weights + 688;   /* 3 */
    float *const batchnorm3_weight = p->weights + 704;   /* 3 */
    const float *const batchnorm3_running_mean = p->weights + 720;   /* 3 */
    float *const batchnorm3_bias = p->weights + 144;   /* 3 */
    const float *const batchnorm4_running_var = p->weights + 624;   /* 3 */
    float *const batchnorm4_weight = p->weights + 640;   /* 3 */
    const float *const batchnorm4_running_mean = p->weights + 656;   /* 3 */
    float *const batchnorm4_bias = p->weights + 672;   /* 3 */
    const float *const batchnorm5_running_var = p->weights + 592;   /* 3 */
    float *const batchnorm5_weight = p->weights + 192;   /* 3 */
    const float *const batchnorm5_running_mean = p->weights + 608;   /* 3 */
    float *const batchnorm5_bias = p->weights + 208;   /* 3 */
    float (*const fc1_weight)[3][8][6] = (void *)(p->weights + 224);
    float *const fc1_bias = p->weights + 512;   /* 2 */
    const float *const batchnorm6_running_var = p->weights + 528;   /* 2 */
    float *const batchnorm6_weight = p->weights + 544;   /* 2 */
    const float *const batchnorm6_running_mean = p->weights + 560;   /* 2 */
    float *const batchnorm6_bias = p->weights + 576;   /* 2 */
    batchnorm1_weight_once(batchnorm1_weight, batchnorm1_running_var, batchnorm1_bias, batchnorm1_running_mean,
        conv1_weight, conv1_bias);
    batchnorm2_weight_once(batchnorm2_weight, batchnorm2_running_var, batchnorm2_bias, batchnorm2_running_mean);
    batchnorm3_weight_once(batchnorm3_weight, batchnorm3_running_var, batchnorm3_bias, batchnorm3_running_mean,
        convtranspose1_weight);
    batchnorm4_weight_once(batchnorm4_weight, batchnorm4_running_var, batchnorm4_bias, batchnorm4_running_mean,
        convtranspose1_weight, batchnorm3_bias);
    batchnorm5_weight_once(batchnorm5_weight, batchnorm5_running_var, batchnorm5_bias, batchnorm5_running_mean);
    batchnorm6_weight_once(batchnorm6_weight, batchnorm6_running_var, batchnorm6_bias, batchnorm6_running_mean,
        fc1_weight, fc1_bias);
    memcpy(p->weights + 528, &mark, sizeof mark);
}

void fold_forward(const fold_params *p, fold_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, fold_params);
    NN_CHECK_MEMORY(w, fold_work);
    NN_CHECK(n >= 1 && n <= FOLD_BATCH, "n must be from 1 to FOLD_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    if (!fold_is_prepared(p)) {
        for (size_t i = 0; i < (size_t)n * FOLD_OUTPUT; i++)
            y[i] = NAN;
        return;
    }
    const float (*const conv1_weight)[1][3][3] = (void *)(p->weights + 0);
    const float *const conv1_bias = p->weights + 48;   /* 4 */
    const float *const batchnorm2_weight = p->weights + 64;   /* 4 */
    const float *const batchnorm2_bias = p->weights + 80;   /* 4 */
    const float (*const convtranspose1_weight)[3][2][2] = (void *)(p->weights + 96);
    const float *const batchnorm3_bias = p->weights + 144;   /* 3 */
    const float (*const x_weight)[3][1][1] = (void *)(p->weights + 160);
    const float *const x_bias = p->weights + 176;   /* 3 */
    const float *const batchnorm5_weight = p->weights + 192;   /* 3 */
    const float *const batchnorm5_bias = p->weights + 208;   /* 3 */
    const float (*const fc1_weight)[3][8][6] = (void *)(p->weights + 224);
    const float *const fc1_bias = p->weights + 512;   /* 2 */
    float (*const batchnorm1_out)[4][3] = (void *)(w->arena + 0);
    float (*const relu1_out)[4][3] = (void *)(w->arena + 48);
    float (*const batchnorm2_out)[4][3] = (void *)(w->arena + 144);
    float (*const batchnorm4_out)[8][6] = (void *)(w->arena + 0);
    float (*const x_out)[8][6] = (void *)(w->arena + 144);
    float (*const batchnorm5_out)[8][6] = (void *)(w->arena + 0);
    float (*const add1_out)[8][6] = (void *)(w->arena + 288);
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * FOLD_INPUT;
        float *const batchnorm6_out = y + (size_t)s * FOLD_OUTPUT;
        conv1_forward(conv1_weight, (const float (*)[4][3])input, conv1_bias, batchnorm1_out);
        relu1_forward((void *)batchnorm1_out, relu1_out);
        batchnorm2_forward((void *)relu1_out, batchnorm2_weight, batchnorm2_bias, batchnorm2_out);
        convtranspose1_forward(batchnorm3_bias, convtranspose1_weight, (void *)batchnorm2_out, batchnorm4_out);
        x_forward(x_weight, (void *)batchnorm4_out, x_bias, x_out);
        batchnorm5_forward((void *)x_out, batchnorm5_weight, batchnorm5_bias, batchnorm5_out);
        add1_forward((void *)batchnorm5_out, (void *)x_out, add1_out);
        fc1_forward(fc1_weight, (void *)add1_out, fc1_bias, batchnorm6_out);
    }
}

static const nn_tensor fold_tensors[] = {
    {"conv1.weight", 4, {4, 1, 3, 3}, 0, 36, -0.33333334f, 0.33333334f, {4, 1, 3, 3}, {9, 9, 3, 1}, 529},
    {"conv1.bias", 1, {4}, 48, 4, -0.33333334f, 0.33333334f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm1.weight", 1, {4}, 784, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm1.bias", 1, {4}, 816, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm1.running_mean", 1, {4}, 800, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm1.running_var", 1, {4}, 768, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm2.weight", 1, {4}, 64, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm2.bias", 1, {4}, 80, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm2.running_mean", 1, {4}, 752, 4, 0.0f, 0.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm2.running_var", 1, {4}, 736, 4, 1.0f, 1.0f, {4, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"convtranspose1.weight", 4, {4, 3, 2, 2}, 96, 48, -0.28867513f, 0.28867513f, {4, 3, 2, 2}, {12, 4, 2, 1}, 529},
    {"batchnorm3.weight", 1, {3}, 704, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm3.bias", 1, {3}, 144, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm3.running_mean", 1, {3}, 720, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm3.running_var", 1, {3}, 688, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm4.weight", 1, {3}, 640, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm4.bias", 1, {3}, 672, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm4.running_mean", 1, {3}, 656, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm4.running_var", 1, {3}, 624, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"x.weight", 4, {3, 3, 1, 1}, 160, 9, -0.57735026f, 0.57735026f, {3, 3, 1, 1}, {3, 1, 1, 1}, 529},
    {"x.bias", 1, {3}, 176, 3, -0.57735026f, 0.57735026f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm5.weight", 1, {3}, 192, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm5.bias", 1, {3}, 208, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm5.running_mean", 1, {3}, 608, 3, 0.0f, 0.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm5.running_var", 1, {3}, 592, 3, 1.0f, 1.0f, {3, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"fc1.weight", 2, {2, 144}, 224, 288, -0.083333336f, 0.083333336f, {2, 3, 8, 6}, {144, 48, 6, 1}, 529},
    {"fc1.bias", 1, {2}, 512, 2, -0.083333336f, 0.083333336f, {2, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm6.weight", 1, {2}, 544, 2, 1.0f, 1.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm6.bias", 1, {2}, 576, 2, 0.0f, 0.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm6.running_mean", 1, {2}, 560, 2, 0.0f, 0.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 529},
    {"batchnorm6.running_var", 1, {2}, 528, 2, 1.0f, 1.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 529},
};

static void fold_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    fold_forward(params, work, n, x, y);
}

static void fold_model_prepare(void *params)
{
    fold_prepare(params);
}

const nn_model fold_model = {
    .name = "fold",
    .input_shape = {2, 4, 3},
    .input = FOLD_INPUT,
    .output = FOLD_OUTPUT,
    .targets = FOLD_TARGETS,
    .int_targets = 0,
    .vocabulary = 0,
    .loss_name = "mse",
    .logits = 0,
    .batch = FOLD_BATCH,
    .params = FOLD_PARAMS,
    .floats = FOLD_FLOATS,
    .params_bytes = sizeof(fold_params),
    .work_bytes = sizeof(fold_work),
    .ntensors = 31,
    .tensors = fold_tensors,
    .forward = fold_model_forward,
    .backward = NULL,
    .loss = NULL,
    .set_rng = NULL,
    .set_add = NULL,
    .prepare = fold_model_prepare,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void fold_init(fold_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, fold_params);
    nn_init(&fold_model, p, seed);
}
