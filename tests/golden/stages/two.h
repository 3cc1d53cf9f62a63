/* The network of two.nn as C, made by nnc 0.2.0-dev.
 *
 *     static two_params p;                         the weights
 *     static two_work w;                           scratch memory; one per thread
 *     two_init(&p, 1);                             or nn_load(&two_model, &p, "file.safetensors")
 *     two_forward_train(&p, &w, n, x, y);          answers, of which dy is worked out
 *     two_backward(&p, &w, n, x, dy, &g, NULL);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, TWO_FLOATS);
 *     two_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     two_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     two_params *p = new two_params;                C++17; C++11: alignas(64) char memory[sizeof(two_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef TWO_H
#define TWO_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TWO_INPUT   6          /* floats in one sample */
#define TWO_OUTPUT  3          /* floats in one answer */
#define TWO_BATCH   4          /* maximum number of samples in a call */
#define TWO_PARAMS  19         /* learnable parameters */
#define TWO_FLOATS  96         /* floats in the weights, padding (always 0) included */
#define TWO_INPUT_left  2          /* its floats in each sample, 2, */
#define TWO_AT_left     0          /* which begin here */
#define TWO_INPUT_right 4          /* its floats in each sample, 1x2x2, */
#define TWO_AT_right    2          /* which begin here */
#define TWO_OUTPUT_c 1          /* its floats in each sample, 1, */
#define TWO_AT_c     0          /* which begin here */
#define TWO_OUTPUT_b 2          /* its floats in each sample, 2, */
#define TWO_AT_b     1          /* which begin here */

/* Weights, as plain arrays in this order. The gradients that two_backward writes have the same type, so an
 * optimizer takes both as TWO_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, TWO_FLOATS). */
typedef struct two_params {
    NN_ALIGNED float fc1_weight[2][1][2][2];   /* fc1.weight [2, 4] */
    float padding1[8];
    float fc1_bias[2];   /* fc1.bias [2] */
    float padding2[14];
    float fc2_weight[2][2];   /* fc2.weight [2, 2] */
    float padding3[12];
    float fc2_bias[2];   /* fc2.bias [2] */
    float padding4[14];
    float c_weight[1][2];   /* c.weight [1, 2] */
    float padding5[14];
    float c_bias[1];   /* c.bias [1] */
    float padding6[15];
} two_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct two_work {
    NN_ALIGNED float arena[96];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: two_backward adds to g instead of writing over it */
} two_work;

extern const nn_model two_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void two_init(two_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= TWO_BATCH: x is n x TWO_INPUT floats, y gets n x TWO_OUTPUT.
 * x and y must not overlap. */
void two_forward(const two_params *p, two_work *w, int n, const float *x, float *y);

/* The answers as in training for n samples, 1 <= n <= TWO_BATCH: dropout drops, and batchnorm takes the statistics
 * of these samples. It moves neither w->rng nor running statistics, so that two_backward, called with the same p, w, n
 * and x, works on the same answers. */
void two_forward_train(const two_params *p, two_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 1 <= n <= TWO_BATCH: forward as two_forward_train does, then backward from dy,
 * n x TWO_OUTPUT floats: the gradient, with respect to the answers, of what is minimised, undivided. It writes the
 * gradient of the weights over g (sizeof *g bytes, padding included) and that of x over dx, n x TWO_INPUT floats, which
 * must not overlap x or dy. g and dx may be NULL: not wanted.
 * With w->add 1 the gradient is added to what g holds. */
void two_backward(const two_params *p, two_work *w, int n, const float *x, const float *dy, two_params *g, float *dx);

#ifdef __cplusplus
}
#endif

#endif
