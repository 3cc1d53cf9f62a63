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
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef PREPARED_H
#define PREPARED_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
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
#define PREPARED_FLOATS  144        /* floats in the weights and in what is made of them */

/* Weights: as they were loaded, each where nn_place says, until prepared_prepare has computed from them what
 * prepared_forward reads, and written that over them. Loaded are:
 *
 *     conv1.weight [2, 1, 3, 3]
 *     batchnorm1.weight [2]
 *     batchnorm1.bias [2]
 *     batchnorm1.running_mean [2]
 *     batchnorm1.running_var [2]
 */
typedef struct prepared_params {
    NN_ALIGNED float weights[PREPARED_FLOATS];
} prepared_params;

/* Scratch memory of a call; it needs no first value. */
typedef struct prepared_work {
    NN_ALIGNED float arena[16];
    uint64_t rng;   /* where dropout draws from */
} prepared_work;

extern const nn_model prepared_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void prepared_init(prepared_params *p, uint64_t seed);

/* Computes from the weights what prepared_forward reads, in their place. prepared_init and nn_load call it.
 * To write weights in another way, clear the whole prepared_params, write all tensors (nn_set), then call it
 * once; before that prepared_forward gives NaN. Afterwards what was loaded is gone: nn_set, nn_get and
 * nn_save give an error. To call it again does nothing. */
void prepared_prepare(prepared_params *p);

/* Inference for n samples, 1 <= n <= PREPARED_BATCH: x is n x PREPARED_INPUT floats, y gets n x PREPARED_OUTPUT.
 * x and y must not overlap. */
void prepared_forward(const prepared_params *p, prepared_work *w, int n, const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
