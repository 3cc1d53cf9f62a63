/* The network of blocks.nn as C, made by nnc 0.2.0-dev.
 *
 *     static blocks_params p;                         the weights
 *     static blocks_work w;                           scratch memory; one per thread
 *     blocks_init(&p, 1);                             or nn_load(&blocks_model, &p, "file.safetensors")
 *     loss = blocks_backward(&p, &w, n, x, t, &g);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, BLOCKS_FLOATS);
 *     loss = blocks_loss(&p, &w, n, x, t, NULL);      of samples that are not learned
 *     blocks_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     blocks_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     blocks_params *p = new blocks_params;             C++17; C++11: alignas(64) char memory[sizeof(blocks_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BLOCKS_INPUT   128        /* floats in one sample, C,H,W order */
#define BLOCKS_OUTPUT  2          /* floats in one answer */
#define BLOCKS_TARGETS 1          /* labels of one sample */
#define BLOCKS_BATCH   2          /* maximum number of samples in a call */
#define BLOCKS_PARAMS  770        /* learnable parameters */
#define BLOCKS_FLOATS  896        /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that blocks_backward writes have the same type, so an
 * optimizer takes both as BLOCKS_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, BLOCKS_FLOATS). */
typedef struct blocks_params {
    NN_ALIGNED float stem_unit1_conv1_weight[3][2][3][3];   /* stem.unit1.conv1.weight [3, 2, 3, 3] */
    float padding1[10];
    float stem_last_conv1_weight[3][3][3][3];   /* stem.last.conv1.weight [3, 3, 3, 3] */
    float padding2[15];
    float stem_conv1_weight[3][2][1][1];   /* stem.conv1.weight [3, 2, 1, 1] */
    float padding3[10];
    float stem_conv1_bias[3];   /* stem.conv1.bias [3] */
    float padding4[13];
    float down2_unit1_conv1_weight[4][3][3][3];   /* down2.unit1.conv1.weight [4, 3, 3, 3] */
    float padding5[4];
    float down2_last_conv1_weight[4][4][3][3];   /* down2.last.conv1.weight [4, 4, 3, 3] */
    float down2_conv1_weight[4][3][1][1];   /* down2.conv1.weight [4, 3, 1, 1] */
    float padding6[4];
    float down2_conv1_bias[4];   /* down2.conv1.bias [4] */
    float padding7[12];
    float conv1_weight[4][4][1][1];   /* conv1.weight [4, 4, 1, 1] */
    float conv1_bias[4];   /* conv1.bias [4] */
    float padding8[12];
    float down3_unit1_conv1_weight[4][4][3][3];   /* down3.unit1.conv1.weight [4, 4, 3, 3] */
    float down3_last_conv1_weight[4][4][3][3];   /* down3.last.conv1.weight [4, 4, 3, 3] */
    float down3_conv1_weight[4][4][1][1];   /* down3.conv1.weight [4, 4, 1, 1] */
    float down3_conv1_bias[4];   /* down3.conv1.bias [4] */
    float padding9[12];
    float conv2_weight[4][4][1][1];   /* conv2.weight [4, 4, 1, 1] */
    float conv2_bias[4];   /* conv2.bias [4] */
    float padding10[12];
    float fc1_weight[2][4];   /* fc1.weight [2, 4] */
    float padding11[8];
    float fc1_bias[2];   /* fc1.bias [2] */
    float padding12[14];
} blocks_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct blocks_work {
    NN_ALIGNED float arena[384];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: blocks_backward adds to g instead of writing over it */
} blocks_work;

extern const nn_model blocks_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void blocks_init(blocks_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= BLOCKS_BATCH: x is n x BLOCKS_INPUT floats, y gets n x BLOCKS_OUTPUT probabilities.
 * x and y must not overlap. */
void blocks_forward(const blocks_params *p, blocks_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 1 <= n <= BLOCKS_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,
 * padding included), and returns that loss. x is n x BLOCKS_INPUT floats; t: n class labels, 0 to 1.
 * A label of -100 is not counted; where none is, the loss is NaN and the gradient 0. Another outside that range
 * makes the loss NaN.
 * With w->add 1 the gradient is added to what g holds. */
float blocks_backward(const blocks_params *p, blocks_work *w, int n, const float *x, const int *t, blocks_params *g);

/* The mean loss of what blocks_forward answers to n samples, 1 <= n <= BLOCKS_BATCH. t is as in blocks_backward.
 * y gets the answers; NULL: they are not wanted. */
float blocks_loss(const blocks_params *p, blocks_work *w, int n, const float *x, const int *t, float *y);

#ifdef __cplusplus
}
#endif

#endif
