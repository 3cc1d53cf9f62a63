/* The network of learns.nn as C, made by nnc 0.2.0-dev.
 *
 *     static learns_params p;                         the weights
 *     static learns_work w;                           scratch memory; one per thread
 *     learns_init(&p, 1);                             or nn_load(&learns_model, &p, "file.safetensors")
 *     loss = learns_backward(&p, &w, n, x, t, &g);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, LEARNS_FLOATS);
 *     loss = learns_loss(&p, &w, n, x, t, NULL);      of samples that are not learned
 *     learns_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     learns_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     learns_params *p = new learns_params;             C++17; C++11: alignas(64) char memory[sizeof(learns_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef LEARNS_H
#define LEARNS_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LEARNS_INPUT   2          /* floats in one sample */
#define LEARNS_OUTPUT  2          /* floats in one answer */
#define LEARNS_TARGETS 1          /* labels of one sample */
#define LEARNS_BATCH   32         /* maximum number of samples in a call */
#define LEARNS_PARAMS  17         /* learnable parameters */
#define LEARNS_FLOATS  64         /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that learns_backward writes have the same type, so an
 * optimizer takes both as LEARNS_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, LEARNS_FLOATS). */
typedef struct learns_params {
    NN_ALIGNED float fc1_weight[3][2];   /* fc1.weight [3, 2] */
    float padding1[10];
    float fc1_bias[3];   /* fc1.bias [3] */
    float padding2[13];
    float fc2_weight[2][3];   /* fc2.weight [2, 3] */
    float padding3[10];
    float fc2_bias[2];   /* fc2.bias [2] */
    float padding4[14];
} learns_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct learns_work {
    NN_ALIGNED float arena[96];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: learns_backward adds to g instead of writing over it */
} learns_work;

extern const nn_model learns_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void learns_init(learns_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= LEARNS_BATCH: x is n x LEARNS_INPUT floats, y gets n x LEARNS_OUTPUT probabilities.
 * x and y must not overlap. */
void learns_forward(const learns_params *p, learns_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 1 <= n <= LEARNS_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,
 * padding included), and returns that loss. x is n x LEARNS_INPUT floats; t: n class labels, 0 to 1.
 * A label of -100 is not counted; where none is, the loss is NaN and the gradient 0. Another outside that range
 * makes the loss NaN.
 * With w->add 1 the gradient is added to what g holds. */
float learns_backward(const learns_params *p, learns_work *w, int n, const float *x, const int *t, learns_params *g);

/* The mean loss of what learns_forward answers to n samples, 1 <= n <= LEARNS_BATCH. t is as in learns_backward.
 * y gets the answers; NULL: they are not wanted. */
float learns_loss(const learns_params *p, learns_work *w, int n, const float *x, const int *t, float *y);

#ifdef __cplusplus
}
#endif

#endif
