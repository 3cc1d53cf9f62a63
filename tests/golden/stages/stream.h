/* The network of stream.nn as C, made by nnc 0.2.0-dev.
 *
 *     static stream_params p;                         the weights
 *     static stream_work w;                           scratch memory; one per thread
 *     stream_init(&p, 1);                             or nn_load(&stream_model, &p, "file.safetensors")
 *     static stream_state s;                          a sequence so far; all zero: the beginning
 *     stream_next(&p, &s, &w, x, y);                  one position in, the answer at it out
 *     stream_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     stream_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     stream_params *p = new stream_params;             C++17; C++11: alignas(64) char memory[sizeof(stream_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef STREAM_H
#define STREAM_H

#include "nn.h"

#if !defined(NN_INTERFACE) || NN_INTERFACE != 5
#error "this file was made by nnc 0.2.0-dev, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define STREAM_INPUT   12         /* floats in one sample, one position behind the other */
#define STREAM_OUTPUT  8          /* floats in one answer, one position behind the other */
#define STREAM_TARGETS 8          /* floats in one sample's target */
#define STREAM_BATCH   32         /* maximum number of samples in a call */
#define STREAM_PARAMS  98         /* learnable parameters */
#define STREAM_FLOATS  192        /* floats in the weights, padding (always 0) included */

/* Weights, as plain arrays in this order. */
typedef struct stream_params {
    NN_ALIGNED float x_weight_ih_l0[8][3];   /* x.weight_ih_l0 [8, 3] */
    float padding1[8];
    float x_weight_hh_l0[8][2];   /* x.weight_hh_l0 [8, 2] */
    float x_bias_ih_l0[8];   /* x.bias_ih_l0 [8] */
    float padding2[8];
    float x_bias_hh_l0[8];   /* x.bias_hh_l0 [8] */
    float padding3[8];
    float conv1d1_weight[2][2][2];   /* conv1d1.weight [2, 2, 2] */
    float padding4[8];
    float conv1d1_bias[2];   /* conv1d1.bias [2] */
    float padding5[14];
    float positions1_weight[4][2];   /* positions1.weight [4, 2] */
    float padding6[8];
    float attention1_in_proj_weight[6][2];   /* attention1.in_proj_weight [6, 2] */
    float padding7[4];
    float attention1_in_proj_bias[6];   /* attention1.in_proj_bias [6] */
    float padding8[10];
    float attention1_out_proj_weight[2][2];   /* attention1.out_proj.weight [2, 2] */
    float padding9[12];
    float attention1_out_proj_bias[2];   /* attention1.out_proj.bias [2] */
    float padding10[14];
} stream_params;

/* Scratch memory of a call; it needs no first value. */
typedef struct stream_work {
    NN_ALIGNED float arena[176];
    uint64_t rng;   /* where dropout draws from */
} stream_work;

/* What stream_next keeps of the positions so far; all zero: none. It may be copied, which keeps a place to go on from. */
typedef struct stream_state {
    NN_ALIGNED float x_last_state[16];   /* 2 */
    float x_last_cell[16];   /* 2 */
    float conv1d1_last_inputs[16];   /* 2x2 */
    float attention1_keys[16];   /* 2x4 */
    float attention1_values[16];   /* 4x2 */
    int position;   /* how many there were, at most 4 */
} stream_state;

extern const nn_model stream_model;   /* names, sizes and functions, for the runtime */

/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
void stream_init(stream_params *p, uint64_t seed);

/* Inference for n samples, 1 <= n <= STREAM_BATCH: x is n x STREAM_INPUT floats, y gets n x STREAM_OUTPUT.
 * x and y must not overlap. */
void stream_forward(const stream_params *p, stream_work *w, int n, const float *x, float *y);

/* Inference for one position of a sequence, the one behind those that s has seen: x is STREAM_INPUT / 4 floats, y gets
 * STREAM_OUTPUT / 4, to rounding what stream_forward gives at that position. x and y must not overlap. Each sequence has an s of
 * its own, cleared before its first position. Gives 1; 0, and does nothing, once there were 4. */
int stream_next(const stream_params *p, stream_state *s, stream_work *w, const float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
