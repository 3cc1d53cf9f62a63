/* The network of card.nn as C, made by nnc 0.2.0-dev.
 *
 *     static card_params p;                         the weights
 *     static card_work w;                           scratch memory; one per thread
 *     card_init(&p, 1);                             or nn_load(&card_model, &p, "file.safetensors")
 *     loss = card_backward(&p, &w, n, x, t, &g);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, CARD_FLOATS);
 *     loss = card_loss(&p, &w, n, x, t, NULL);      of samples that are not learned
 *     card_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     card_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     card_params *p = new card_params;               C++17; C++11: alignas(64) char memory[sizeof(card_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef CARD_H
#define CARD_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CARD_INPUT   3072       /* floats in one sample, C,H,W order */
#define CARD_OUTPUT  10         /* floats in one answer */
#define CARD_TARGETS 1          /* labels of one sample */
#define CARD_BATCH   32         /* maximum number of samples in a call */
#define CARD_PARAMS  10698      /* learnable parameters */
#define CARD_FLOATS  16848      /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. The gradients that card_backward writes have the same type, so an
 * optimizer takes both as CARD_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, CARD_FLOATS). */
typedef struct card_params {
    NN_ALIGNED float conv1_weight[3][3][3][16];   /* conv1.weight [16, 3, 3, 3] */
    float conv1_bias[16];   /* conv1.bias [16] */
    float fc1_weight[8][8][16][16];   /* fc1.weight [10, 1024] */
    float fc1_bias[16];   /* fc1.bias [10] */
} card_params;

/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
typedef struct card_work {
    NN_ALIGNED float arena[34944];
    uint64_t rng;   /* where dropout draws from */
    int add;        /* 1: card_backward adds to g instead of writing over it */
} card_work;

extern const nn_model card_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void card_init(card_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= CARD_BATCH: x is n x CARD_INPUT floats, y gets n x CARD_OUTPUT probabilities.
 * x and y must not overlap. */
void card_forward(const card_params *p, card_work *w, int n, const float *x, float *y);

/* One training pass for n samples, 1 <= n <= CARD_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,
 * padding included), and returns that loss. x is n x CARD_INPUT floats; t: n class labels, 0 to 9.
 * A label of -100 is not counted; where none is, the loss is NaN and the gradient 0. Another outside that range
 * makes the loss NaN.
 * With w->add 1 the gradient is added to what g holds. */
float card_backward(const card_params *p, card_work *w, int n, const float *x, const int *t, card_params *g);

/* The mean loss of what card_forward answers to n samples, 1 <= n <= CARD_BATCH. t is as in card_backward.
 * y gets the answers; NULL: they are not wanted. */
float card_loss(const card_params *p, card_work *w, int n, const float *x, const int *t, float *y);

#ifdef __cplusplus
}
#endif

#endif
