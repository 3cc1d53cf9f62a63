/* The network of prepared.nn as C, made by nnc 0.2.0-dev.
 *
 *     static prepared_params p;                         the weights
 *     static prepared_work w;                           scratch memory; one per thread
 *     prepared_init(&p, 1);                             or nn_load(&prepared_model, &p, "file.safetensors")
 *     prepared_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     prepared_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     prepared_params *p = new prepared_params;           C++17; C++11: alignas(64) char memory[sizeof(prepared_params)]
 *
 * does. No pointer may be NULL. A call with one, with memory that is not aligned, or with an n outside its bounds prints
 * what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead, -DNDEBUG has nothing checked. */
#ifndef PREPARED_H
#define PREPARED_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 2
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PREPARED_INPUT   16         /* floats in one sample, C,H,W order */
#define PREPARED_OUTPUT  8          /* floats in one answer, C,H,W order */
#define PREPARED_TARGETS 8          /* floats in one sample's target */
#define PREPARED_BATCH   32         /* maximum number of samples in a call */
#define PREPARED_PARAMS  22         /* learnable parameters */
#define PREPARED_FLOATS  112        /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. */
typedef struct prepared_params {
    NN_ALIGNED float conv1_weight[3][3][1][8];   /* conv1.weight [2, 1, 3, 3] */
    float padding1[8];
    float batchnorm1_weight[8];   /* batchnorm1.weight [2] */
    float padding2[8];
    float batchnorm1_bias[8];   /* batchnorm1.bias [2] */
    float padding3[8];
    /* Running statistics, as training left them: */
    float batchnorm1_running_mean[8];   /* batchnorm1.running_mean [2] */
    float padding4[8];
    float batchnorm1_running_var[8];   /* batchnorm1.running_var [2] */
    float padding5[8];
    /* What prepared_prepare computes from the weights above, and a stamp of those weights. */
    float prepared[112];
    uint64_t prepared_for;
} prepared_params;

/* Scratch memory of a call; it needs no first value. Between calls only rng keeps its value. */
typedef struct prepared_work {
    NN_ALIGNED float arena[112];
    uint64_t rng;   /* where dropout draws from */
} prepared_work;

extern const nn_model prepared_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void prepared_init(prepared_params *p, uint64_t seed);

/* Computes from the weights what prepared_forward also reads (folded or transformed copies). prepared_init and nn_load call it.
 * Call it yourself after changing weights in another way, such as nn_set. If you don't, each prepared_forward computes it
 * again when it sees a change: it looks at the first and the last weight of each tensor. */
void prepared_prepare(prepared_params *p);

/* Inference for n samples, 1 <= n <= PREPARED_BATCH: x is n x PREPARED_INPUT floats, y gets n x PREPARED_OUTPUT.
 * x and y must not overlap. */
void prepared_forward(const prepared_params *p, prepared_work *w, int n, const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
