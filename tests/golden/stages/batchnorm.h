/* The network of batchnorm.nn as C, made by nnc 0.2.0-dev.
 *
 *     static batchnorm_params p;                         the weights
 *     static batchnorm_work w;                           scratch memory; one per thread
 *     batchnorm_init(&p, 1);                             or nn_load(&batchnorm_model, &p, "file.safetensors")
 *     loss = batchnorm_backward(&p, &w, n, x, t, &g);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, BATCHNORM_FLOATS);
 *     loss = batchnorm_loss(&p, &w, n, x, t, NULL);      of samples that are not learned
 *     batchnorm_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     batchnorm_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     batchnorm_params *p = new batchnorm_params;          C++17; C++11: alignas(64) char memory[sizeof(batchnorm_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef BATCHNORM_H
#define BATCHNORM_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BATCHNORM_INPUT   30         /* floats in one sample, C,H,W order */
#define BATCHNORM_OUTPUT  3          /* floats in one answer */
#define BATCHNORM_TARGETS 1          /* labels of one sample */
#define BATCHNORM_BATCH   32         /* maximum number of samples in a call */
#define BATCHNORM_PARAMS  125        /* learnable parameters */
#define BATCHNORM_FLOATS  208        /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that batchnorm_backward writes have the same type, so an
 * optimizer takes both as BATCHNORM_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, BATCHNORM_FLOATS). */
typedef struct batchnorm_params {
    NN_ALIGNED float conv1_weight[3][3][2][4];   /* conv1.weight [4, 2, 3, 3] */
    float padding1[8];
    float batchnorm1_weight[4];   /* batchnorm1.weight [4] */
    float padding2[12];
    float batchnorm1_bias[4];   /* batchnorm1.bias [4] */
    float padding3[12];
    float fc1_weight[1][3][4][4];   /* fc1.weight [3, 12] */
    float fc1_bias[4];   /* fc1.bias [3] */
    float padding4[12];
    float batchnorm2_weight[4];   /* batchnorm2.weight [3] */
    float padding5[12];
    float batchnorm2_bias[4];   /* batchnorm2.bias [3] */
    float padding6[12];
    /* Running statistics, which batchnorm_backward updates and no optimizer changes: */
    float batchnorm1_running_mean[4];   /* batchnorm1.running_mean [4] */
    float padding7[12];
    float batchnorm1_running_var[4];   /* batchnorm1.running_var [4] */
    float padding8[12];
    float batchnorm2_running_mean[4];   /* batchnorm2.running_mean [3] */
    float padding9[12];
    float batchnorm2_running_var[4];   /* batchnorm2.running_var [3] */
    float padding10[12];
} batchnorm_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct batchnorm_work {
    NN_ALIGNED float arena[1616];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: batchnorm_backward adds to g instead of writing over it */
} batchnorm_work;

extern const nn_model batchnorm_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void batchnorm_init(batchnorm_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= BATCHNORM_BATCH: x is n x BATCHNORM_INPUT floats, y gets n x BATCHNORM_OUTPUT probabilities.
 * x and y must not overlap. */
void batchnorm_forward(const batchnorm_params *p, batchnorm_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 2 <= n <= BATCHNORM_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,
 * padding included), and returns that loss. x is n x BATCHNORM_INPUT floats; t: n class labels, 0 to 2.
 * A label of -100 is not counted; where none is, the loss is NaN and the gradient 0. Another outside that range
 * makes the loss NaN.
 * With w->add 1 the gradient is added to what g holds.
 * It also updates the running statistics in p. The variance of one sample alone is none, so that
 * a rest of one sample at the end of an epoch has to be left out or joined with others, as in PyTorch. */
float batchnorm_backward(batchnorm_params *p, batchnorm_work *w, int n, const float *x, const int *t, batchnorm_params *g);

/* The mean loss of what batchnorm_forward answers to n samples, 1 <= n <= BATCHNORM_BATCH. t is as in batchnorm_backward.
 * y gets the answers; NULL: they are not wanted. */
float batchnorm_loss(const batchnorm_params *p, batchnorm_work *w, int n, const float *x, const int *t, float *y);

#ifdef __cplusplus
}
#endif

#endif
