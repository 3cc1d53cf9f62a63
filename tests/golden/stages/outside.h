/* The network of outside.nn as C, made by nnc 0.2.0-dev.
 *
 *     static outside_params p;                         the weights
 *     static outside_work w;                           scratch memory; one per thread
 *     outside_init(&p, 1);                             or nn_load(&outside_model, &p, "file.safetensors")
 *     outside_forward_train(&p, &w, n, x, y);          answers, of which dy is worked out
 *     outside_backward(&p, &w, n, x, dy, &g, NULL);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, OUTSIDE_FLOATS);
 *     outside_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     outside_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     outside_params *p = new outside_params;            C++17; C++11: alignas(64) char memory[sizeof(outside_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define OUTSIDE_INPUT   2          /* floats in one sample */
#define OUTSIDE_OUTPUT  1          /* floats in one answer */
#define OUTSIDE_BATCH   4          /* maximum number of samples in a call */
#define OUTSIDE_PARAMS  13         /* learnable parameters */
#define OUTSIDE_FLOATS  64         /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that outside_backward writes have the same type, so an
 * optimizer takes both as OUTSIDE_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, OUTSIDE_FLOATS). */
typedef struct outside_params {
    NN_ALIGNED float fc1_weight[3][2];   /* fc1.weight [3, 2] */
    float padding1[10];
    float fc1_bias[3];   /* fc1.bias [3] */
    float padding2[13];
    float fc2_weight[1][3];   /* fc2.weight [1, 3] */
    float padding3[13];
    float fc2_bias[1];   /* fc2.bias [1] */
    float padding4[15];
} outside_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct outside_work {
    NN_ALIGNED float arena[48];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: outside_backward adds to g instead of writing over it */
} outside_work;

extern const nn_model outside_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void outside_init(outside_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= OUTSIDE_BATCH: x is n x OUTSIDE_INPUT floats, y gets n x OUTSIDE_OUTPUT.
 * x and y must not overlap. */
void outside_forward(const outside_params *p, outside_work *w, int n, const float *x, float *y);

/* The answers as in training for n samples, 1 <= n <= OUTSIDE_BATCH: dropout drops, and batchnorm takes the statistics
 * of these samples. It moves neither w->rng nor running statistics, so that outside_backward, called with the same p, w, n
 * and x, works on the same answers. */
void outside_forward_train(const outside_params *p, outside_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 1 <= n <= OUTSIDE_BATCH: forward as outside_forward_train does, then backward from dy,
 * n x OUTSIDE_OUTPUT floats: the gradient, with respect to the answers, of what is minimised, undivided. It writes the
 * gradient of the weights over g (sizeof *g bytes, padding included) and that of x over dx, n x OUTSIDE_INPUT floats, which
 * must not overlap x or dy. g and dx may be NULL: not wanted.
 * Dropout draws from w->rng, which the caller sets once; each call moves it on.
 * With w->add 1 the gradient is added to what g holds. */
void outside_backward(const outside_params *p, outside_work *w, int n, const float *x, const float *dy, outside_params *g,
        float *dx);

#ifdef __cplusplus
}
#endif

#endif
