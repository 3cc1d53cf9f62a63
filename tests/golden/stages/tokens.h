/* The network of tokens.nn as C, made by nnc 0.2.0-dev.
 *
 *     static tokens_params p;                         the weights
 *     static tokens_work w;                           scratch memory; one per thread
 *     tokens_init(&p, 1);                             or nn_load(&tokens_model, &p, "file.safetensors")
 *     tokens_forward_train(&p, &w, n, x, y);          answers, of which dy is worked out
 *     tokens_backward(&p, &w, n, x, dy, &g, NULL);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, TOKENS_FLOATS);
 *     tokens_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     tokens_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     tokens_params *p = new tokens_params;             C++17; C++11: alignas(64) char memory[sizeof(tokens_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef TOKENS_H
#define TOKENS_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TOKENS_INPUT      6          /* tokens in one sample */
#define TOKENS_VOCABULARY 11         /* tokens are ints from 0 to 10; the features of others are NaN */
#define TOKENS_OUTPUT     54         /* floats in one answer, one position behind the other */
#define TOKENS_BATCH      2          /* maximum number of samples in a call */
#define TOKENS_PARAMS     153        /* learnable parameters */
#define TOKENS_FLOATS     272        /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that tokens_backward writes have the same type, so an
 * optimizer takes both as TOKENS_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, TOKENS_FLOATS). */
typedef struct tokens_params {
    NN_ALIGNED float embedding1_weight[11][16];   /* embedding1.weight [11, 9] */
    float positions1_weight[6][16];   /* positions1.weight [6, 9] */
} tokens_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct tokens_work {
    NN_ALIGNED float arena[96];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: tokens_backward adds to g instead of writing over it */
} tokens_work;

extern const nn_model tokens_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void tokens_init(tokens_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= TOKENS_BATCH: x is n x TOKENS_INPUT tokens, y gets n x TOKENS_OUTPUT.
 * x and y must not overlap. */
void tokens_forward(const tokens_params *p, tokens_work *w, int n, const int *x, float *y);

/* The answers as in training for n samples, 1 <= n <= TOKENS_BATCH: dropout drops, and batchnorm takes the statistics
 * of these samples. It moves neither w->rng nor running statistics, so that tokens_backward, called with the same p, w, n
 * and x, works on the same answers. */
void tokens_forward_train(const tokens_params *p, tokens_work *w, int n, const int *x, float *y);

/* One training pass for n samples, 1 <= n <= TOKENS_BATCH: forward as tokens_forward_train does, then backward from dy,
 * n x TOKENS_OUTPUT floats: the gradient, with respect to the answers, of what is minimised, undivided. It writes the
 * gradient of the weights over g (sizeof *g bytes, padding included); g may be NULL: not wanted. Tokens have no gradient:
 * dx must be NULL.
 * With w->add 1 the gradient is added to what g holds. */
void tokens_backward(const tokens_params *p, tokens_work *w, int n, const int *x, const float *dy, tokens_params *g, float *dx);

#ifdef __cplusplus
}
#endif

#endif
