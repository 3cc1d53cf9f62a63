/* The network of tokens.nn as C, made by nnc 0.2.0-dev with --unroll=tile --target=generic.
 * Compile with: cc -O2 -march=native -I<folder of nn.h> -c; link with libnn.a -lm.
 *
 * layer        output      parameters       MACs  forward                 backward
 * embedding1   6x9                 99          0  tile                    tile
 * positions1   6x9                 54          0  tile                    tile
 */
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
#include "tokens.h"

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

/* embedding 9
 * 6 of 11 -> 6x9: tile, 108 points
 *
 *     embedding1.out[t, c] = (0 <= input[t] ? (input[t] <= 10 ? 0 : nan) : nan)   for t<6 c<9
 *     embedding1.out[t, c] += (input[t] == (v) ? embedding1.weight[v, c] : 0)   for t<6 c<9 v<11
 */
static NOINLINE void embedding1_forward(const int input[restrict 6],
                                        const float embedding1_weight[restrict 11][16],
                                        float embedding1_out[restrict 6][16])
{
    for (int t = 0; t < 6; t++)
        STORE(embedding1_out[t][0], ALL(0 <= (float)input[t] ? ((float)input[t] <= 10 ? 0.0f : NAN) : NAN));
    for (int t = 0; t < 6; t++)
        STORE(embedding1_out[t][8], ALL(0 <= (float)input[t] ? ((float)input[t] <= 10 ? 0.0f : NAN) : NAN));
    for (int t = 0; t < 6; t++) {
        const int v = input[t];
        if (v >= 0 && v < 11) {
            STORE(embedding1_out[t][0], LOAD(embedding1_out[t][0]) + LOAD(embedding1_weight[v][0]));
            STORE_FIRST(1, embedding1_out[t][8], LOAD(embedding1_out[t][8]) + LOAD(embedding1_weight[v][8]));
        }
    }
}

/* positions
 * 6x9 -> 6x9: tile, 54 points
 *
 *     positions1.out[t, c] = (embedding1.out[t, c] + positions1.weight[t, c])   for t<6 c<9
 */
static inline void positions1_forward(const float embedding1_out[6][16],
                                      const float positions1_weight[6][16],
                                      float positions1_out[6][9])
{
    for (int t = 0; t < 6; t++)
        STORE(positions1_out[t][0], LOAD(embedding1_out[t][0]) + LOAD(positions1_weight[t][0]));
    for (int t = 0; t < 6; t++)
        STORE_FIRST(1, positions1_out[t][8], LOAD(embedding1_out[t][8]) + LOAD(positions1_weight[t][8]));
}

/* loss none, backward
 * 6x9 -> a number: tile, 54 points
 *
 *     d_positions1.out[t, c] = d_output[t, c]   for t<6 c<9
 */
static inline void loss_backward(const float d_output[6][9],
                                 float d_positions1_out[6][16])
{
    for (int t = 0; t < 6; t++)
        STORE(d_positions1_out[t][0], LOAD(d_output[t][0]));
    for (int t = 0; t < 6; t++)
        STORE(d_positions1_out[t][8], LOAD_FIRST(1, d_output[t][8]));
}

/* positions, backward
 * 6x9 -> 6x9: tile, 54 points
 *
 *     d_positions1.weight[t, c] += d_positions1.out[t, c]   for t<6 c<9
 */
static inline void positions1_backward_weights(const float d_positions1_out[6][16],
                                               float d_positions1_weight[6][16])
{
    for (int t = 0; t < 6; t++) {
        vec sum = LOAD(d_positions1_weight[t][0]);
        sum += LOAD(d_positions1_out[t][0]);
        STORE(d_positions1_weight[t][0], sum);
    }
    for (int t = 0; t < 6; t++) {
        vec sum = LOAD(d_positions1_weight[t][8]);
        sum += LOAD(d_positions1_out[t][8]);
        STORE(d_positions1_weight[t][8], FIRST(1, sum));
    }
}

/* embedding 9, backward
 * 6 of 11 -> 6x9: tile, 54 points
 *
 *     d_embedding1.weight[v, c] += (input[t] == (v) ? d_positions1.out[t, c] : 0)   for v<11 c<9 t<6
 */
static inline void embedding1_backward_weights(const int input[6],
                                               const float d_positions1_out[6][16],
                                               float d_embedding1_weight[11][16])
{
    for (int t = 0; t < 6; t++) {
        const int v = input[t];
        if (v >= 0 && v < 11) {
            STORE(d_embedding1_weight[v][0], LOAD(d_embedding1_weight[v][0]) + LOAD(d_positions1_out[t][0]));
            STORE_FIRST(1, d_embedding1_weight[v][8], LOAD(d_embedding1_weight[v][8]) + LOAD(d_positions1_out[t][8]));
        }
    }
}

void tokens_forward(const tokens_params *p, tokens_work *w, int n, const int *x, float *y)
{
    NN_CHECK_MEMORY(p, tokens_params);
    NN_CHECK_MEMORY(w, tokens_work);
    NN_CHECK(n >= 1 && n <= TOKENS_BATCH,
            "n must be from 1 to TOKENS_BATCH, 2: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float (*const embedding1_out)[16] = (void *)(w->arena + 0);
    for (int s = 0; s < n; s++) {
        const int *const input = x + (size_t)s * TOKENS_INPUT;
        float *const positions1_out = y + (size_t)s * TOKENS_OUTPUT;
        embedding1_forward(input, p->embedding1_weight, embedding1_out);
        positions1_forward((void *)embedding1_out, p->positions1_weight, (void *)positions1_out);
    }
}

void tokens_forward_train(const tokens_params *p, tokens_work *w, int n, const int *x, float *y)
{
    NN_CHECK_MEMORY(p, tokens_params);
    NN_CHECK_MEMORY(w, tokens_work);
    NN_CHECK(n >= 1 && n <= TOKENS_BATCH,
            "n must be from 1 to TOKENS_BATCH, 2: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
    float (*const embedding1_out)[16] = (void *)(w->arena + 0);
    for (int s = 0; s < n; s++) {
        const int *const input = x + (size_t)s * TOKENS_INPUT;
        float *const positions1_out = y + (size_t)s * TOKENS_OUTPUT;
        embedding1_forward(input, p->embedding1_weight, embedding1_out);
        positions1_forward((void *)embedding1_out, p->positions1_weight, (void *)positions1_out);
    }
}

void tokens_backward(const tokens_params *p, tokens_work *w, int n, const int *x, const float *dy, tokens_params *g, float *dx)
{
    NN_CHECK_MEMORY(p, tokens_params);
    NN_CHECK_MEMORY(w, tokens_work);
    if (g)
        NN_CHECK_MEMORY(g, tokens_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
    NN_CHECK(n >= 1 && n <= TOKENS_BATCH,
            "n must be from 1 to TOKENS_BATCH, 2: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && dy != NULL, "x or dy is NULL");
    float (*const d_positions1_out)[16] = (void *)(w->arena + 0);
    (void)p;
    NN_CHECK(dx == NULL, "dx must be NULL: tokens have no gradient");
    (void)dx;
    if (g && w->add != 1)
        memset(g, 0, sizeof *g);
    for (int s = 0; s < n; s++) {
        const int *const input = x + (size_t)s * TOKENS_INPUT;
        const float *const d_output = dy + (size_t)s * TOKENS_OUTPUT;
        if (g)
            loss_backward((const float (*)[9])d_output, d_positions1_out);
        if (g)
            positions1_backward_weights((void *)d_positions1_out, g->positions1_weight);
        if (g)
            embedding1_backward_weights(input, (void *)d_positions1_out, g->embedding1_weight);
    }
}

static const nn_tensor tokens_tensors[] = {
    {"embedding1.weight", 2, {11, 9}, 0, 99, 1.0f, -1.0f, {11, 9, 1, 1}, {16, 1, 0, 0}, 0},
    {"positions1.weight", 2, {6, 9}, 176, 54, 0.02f, -0.02f, {6, 9, 1, 1}, {16, 1, 0, 0}, 0},
};

static void tokens_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    tokens_forward(params, work, n, x, y);
}

static void tokens_model_forward_train(const void *params, void *work, int n, const void *x, float *y)
{
    tokens_forward_train(params, work, n, x, y);
}

static void tokens_model_backward_from(void *params, void *work, int n, const void *x, const float *dy, void *gradients,
        float *dx)
{
    tokens_backward(params, work, n, x, dy, gradients, dx);
}

static void tokens_model_set_rng(void *work, uint64_t rng)
{
    ((tokens_work *)work)->rng = rng;
}

static void tokens_model_set_add(void *work, int add)
{
    ((tokens_work *)work)->add = add;
}

const nn_model tokens_model = {
    .name = "tokens",
    .input_shape = {6, 1, 1},
    .input = TOKENS_INPUT,
    .output = TOKENS_OUTPUT,
    .targets = 0,
    .int_targets = 0,
    .vocabulary = 11,
    .loss_name = "none",
    .logits = 0,
    .batch = TOKENS_BATCH,
    .params = TOKENS_PARAMS,
    .floats = TOKENS_FLOATS,
    .params_bytes = sizeof(tokens_params),
    .work_bytes = sizeof(tokens_work),
    .ntensors = 2,
    .tensors = tokens_tensors,
    .forward = tokens_model_forward,
    .backward = NULL,
    .loss = NULL,
    .set_rng = tokens_model_set_rng,
    .set_add = tokens_model_set_add,
    .prepare = NULL,
    .forward_train = tokens_model_forward_train,
    .backward_from = tokens_model_backward_from,
    .runtime = &nn_interface_5,   /* the linker misses it: libnn.a is of another version than this file */
};

void tokens_init(tokens_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, tokens_params);
    nn_init(&tokens_model, p, seed);
}
