/* The network of prepared.nn as C, made by nnc 0.2.0-dev with --unroll=auto --target=generic --inference.
 * Compile with: cc -O2 -march=native -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer        output      parameters       MACs  forward
 * conv1        2x2x2               18         72  tile 2o 2y 1x8x
 * batchnorm1   2x2x2                4          0  folded into conv1
 * relu1        2x2x2                0          0  in conv1_forward
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "prepared.h"

#include <math.h>
#include <string.h>

/* Where the C compiler may not use the vectors that this file is shaped for, it says so. NN_ANY_PROCESSOR silences it. */
#if !defined(__OPTIMIZE__) || defined(NN_ANY_PROCESSOR)
#elif (defined(__x86_64__) || defined(__i386__)) && !(defined(__AVX2__) && defined(__FMA__))
#pragma message("nnc: this file is many times slower without AVX2 and FMA: compile with -march=native, or use nnc --target=scalar")
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

/* 8 floats that are worked on together; in memory they may lie at any address. */
typedef float vec __attribute__((vector_size(32)));
typedef float vec_memory __attribute__((vector_size(32), aligned(4), may_alias));
typedef int vec_mask __attribute__((vector_size(32)));
#define LOAD(a) (*(const vec_memory *)&(a))
#define STORE(a, v) (*(vec_memory *)&(a) = (v))
/* The first k floats of a vector, at the end of a row that is no whole number of vectors. */
#define LOAD_FIRST(k, a) __extension__({ vec v_ = {0}; memcpy(&v_, &(a), (k) * sizeof(float)); v_; })
#define STORE_FIRST(k, a, v) __extension__({ const vec v_ = (v); memcpy(&(a), &v_, (k) * sizeof(float)); })
/* 0 in all lanes but the first k. */
#define FIRST(k, v) ((vec)((vec_mask)(v) & ((vec_mask){0, 1, 2, 3, 4, 5, 6, 7} < (k))))
#define ALL(x) __extension__({ const float x_ = (x); (vec){x_, x_, x_, x_, x_, x_, x_, x_}; })
/* In each lane a where the test holds, else b. */
#define SELECT(test, a, b) __extension__({ \
    const vec_mask m_ = (vec_mask)(test); \
    (vec)(((vec_mask)(a) & m_) | ((vec_mask)(b) & ~m_)); })

#define root_v(x) ((vec){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3]), \
    sqrtf((x)[4]), sqrtf((x)[5]), sqrtf((x)[6]), sqrtf((x)[7])})

/* the C library's */
static inline void sqrt_in_place(vec *at)
{
    vec x = *at;
    vec y = root_v(x);
    *at = y;
}

#define sqrt_v(x) __extension__({ vec at_ = (x); sqrt_in_place(&at_); at_; })

/* batchnorm
 * 2x2x2 -> 2x2x2: tile, 22 points
 *
 *     batchnorm1.weight[c] = batchnorm1.weight[c] / sqrt((batchnorm1.running_var[c] + 1e-05))   for c<2
 *     batchnorm1.bias[c] = (batchnorm1.bias[c] - batchnorm1.running_mean[c] * batchnorm1.weight[c])   for c<2
 *     conv1.weight[ky, kx, 0, o] = conv1.weight[ky, kx, 0, o] * batchnorm1.weight[o]   for ky<3 kx<3 o<2
 */
static NOINLINE void batchnorm1_weight_once(float batchnorm1_weight[restrict 8],
                                            const float batchnorm1_running_var[restrict 8],
                                            float batchnorm1_bias[restrict 8],
                                            const float batchnorm1_running_mean[restrict 8],
                                            float conv1_weight[restrict 3][3][1][8])
{
    STORE(batchnorm1_weight[0], FIRST(2, LOAD(batchnorm1_weight[0]) / sqrt_v(LOAD(batchnorm1_running_var[0]) + 1e-05f)));
    STORE(batchnorm1_bias[0], FIRST(2, LOAD(batchnorm1_bias[0]) - LOAD(batchnorm1_running_mean[0]) * LOAD(batchnorm1_weight[0])));
    for (int ky = 0; ky < 3; ky++)
        for (int kx = 0; kx < 3; kx++)
            STORE(conv1_weight[ky][kx][0][0], FIRST(2, LOAD(conv1_weight[ky][kx][0][0]) * LOAD(batchnorm1_weight[0])));
}

/* conv 2 k3 bias=false
 * 1x4x4 -> 2x2x2: tile 2o 2y 1x8x, 72 points
 *
 *     batchnorm1.out[o, y, x] = batchnorm1.bias[o]   for o<2 y<2 x<2
 *     batchnorm1.out[o, y, x] += conv1.weight[ky, kx, 0, o] * input[0, y + ky, x + kx]   for o<2 y<2 x<2 ky<3 kx<3
 *     relu1.out[c, y, x] = (batchnorm1.out[c, y, x] <= 0 ? 0 : batchnorm1.out[c, y, x])   for c<2 y<2 x<2
 */
static NOINLINE void conv1_forward(const float conv1_weight[restrict 3][3][1][8],
                                   const float input[restrict 1][4][4],
                                   const float batchnorm1_bias[restrict 8],
                                   float relu1_out[restrict 2][2][2])
{
    {
        vec s0 = ALL(batchnorm1_bias[0]);
        vec s1 = ALL(batchnorm1_bias[0]);
        vec s2 = ALL(batchnorm1_bias[1]);
        vec s3 = ALL(batchnorm1_bias[1]);
        UNROLLED for (int ky = 0; ky < 3; ky++)
            UNROLLED for (int kx = 0; kx < 3; kx++) {
                const float a0 = conv1_weight[ky][kx][0][0];
                const vec v0 = LOAD_FIRST(2, input[0][ky][kx]);
                s0 += a0 * v0;
                const vec v1 = LOAD_FIRST(2, input[0][ky + 1][kx]);
                s1 += a0 * v1;
                const float a1 = conv1_weight[ky][kx][0][1];
                s2 += a1 * v0;
                s3 += a1 * v1;
            }
        STORE_FIRST(2, relu1_out[0][0][0], SELECT(s0 <= 0.0f, ALL(0.0f), s0));
        STORE_FIRST(2, relu1_out[0][1][0], SELECT(s1 <= 0.0f, ALL(0.0f), s1));
        STORE_FIRST(2, relu1_out[1][0][0], SELECT(s2 <= 0.0f, ALL(0.0f), s2));
        STORE_FIRST(2, relu1_out[1][1][0], SELECT(s3 <= 0.0f, ALL(0.0f), s3));
    }
}

static int prepared_is_prepared(const prepared_params *p)
{
    uint32_t mark;
    memcpy(&mark, p->weights + 96, sizeof mark);
    return mark == NN_PREPARED;
}

void prepared_prepare(prepared_params *p)
{
    const uint32_t mark = NN_PREPARED;
    NN_CHECK_MEMORY(p, prepared_params);
    if (prepared_is_prepared(p))
        return;
    float (*const conv1_weight)[3][1][8] = (void *)(p->weights + 0);
    const float *const batchnorm1_running_var = p->weights + 96;   /* 8 */
    float *const batchnorm1_weight = p->weights + 112;   /* 8 */
    const float *const batchnorm1_running_mean = p->weights + 128;   /* 8 */
    float *const batchnorm1_bias = p->weights + 80;   /* 8 */
    batchnorm1_weight_once(batchnorm1_weight, batchnorm1_running_var, batchnorm1_bias, batchnorm1_running_mean,
        conv1_weight);
    memcpy(p->weights + 96, &mark, sizeof mark);
}

void prepared_forward(const prepared_params *p, prepared_work *w, int n, const float *x, float *y)
{
    NN_CHECK_MEMORY(p, prepared_params);
    NN_CHECK_MEMORY(w, prepared_work);
    NN_CHECK(n >= 1 && n <= PREPARED_BATCH,
            "n must be from 1 to PREPARED_BATCH, 32: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    if (!prepared_is_prepared(p)) {
        for (size_t i = 0; i < (size_t)n * PREPARED_OUTPUT; i++)
            y[i] = NAN;
        return;
    }
    const float (*const conv1_weight)[3][1][8] = (void *)(p->weights + 0);
    const float *const batchnorm1_bias = p->weights + 80;   /* 8 */
    (void)w;
    for (int s = 0; s < n; s++) {
        const float *const input = x + (size_t)s * PREPARED_INPUT;
        float *const relu1_out = y + (size_t)s * PREPARED_OUTPUT;
        conv1_forward(conv1_weight, (const float (*)[4][4])input, batchnorm1_bias, (void *)relu1_out);
    }
}

static const nn_tensor prepared_tensors[] = {
    {"conv1.weight", 4, {2, 1, 3, 3}, 0, 18, -0.33333334f, 0.33333334f, {2, 1, 3, 3}, {1, 8, 24, 8}, 97},
    {"batchnorm1.weight", 1, {2}, 112, 2, 1.0f, 1.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 97},
    {"batchnorm1.bias", 1, {2}, 80, 2, 0.0f, 0.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 97},
    {"batchnorm1.running_mean", 1, {2}, 128, 2, 0.0f, 0.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 97},
    {"batchnorm1.running_var", 1, {2}, 96, 2, 1.0f, 1.0f, {2, 1, 1, 1}, {1, 0, 0, 0}, 97},
};

static void prepared_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    prepared_forward(params, work, n, x, y);
}

static void prepared_model_prepare(void *params)
{
    prepared_prepare(params);
}

const nn_model prepared_model = {
    .name = "prepared",
    .input_shape = {1, 4, 4},
    .input = PREPARED_INPUT,
    .output = PREPARED_OUTPUT,
    .targets = PREPARED_TARGETS,
    .int_targets = 0,
    .vocabulary = 0,
    .loss_name = "mse",
    .logits = 0,
    .batch = PREPARED_BATCH,
    .params = PREPARED_PARAMS,
    .floats = PREPARED_FLOATS,
    .params_bytes = sizeof(prepared_params),
    .work_bytes = sizeof(prepared_work),
    .ntensors = 5,
    .tensors = prepared_tensors,
    .forward = prepared_model_forward,
    .backward = NULL,
    .loss = NULL,
    .set_rng = NULL,
    .set_add = NULL,
    .prepare = prepared_model_prepare,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void prepared_init(prepared_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, prepared_params);
    nn_init(&prepared_model, p, seed);
}
