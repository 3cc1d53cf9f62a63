/* net.h: the manual of a network, and what it declares. Emitted are those sections that the network has. */

// section manual
/* The network of SOURCE_FILE as C, made by nnc NNC_VERSION.
 *
 *     static net_params p;                         the weights
 *     static net_work w;                           scratch memory; one per thread
 *     net_init(&p, 1);                             or nn_load(&net_model, &p, "file.safetensors")
// section manual of training
 *     loss = net_backward(&p, &w, n, x, t, &g);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, NET_FLOATS);
 *     loss = net_loss(&p, &w, n, x, t, NULL);      of samples that are not learned
// section manual of training from the caller
 *     net_forward_train(&p, &w, n, x, y);          answers, of which dy is worked out
 *     net_backward(&p, &w, n, x, dy, &g, NULL);    gradients of one batch
 *     nn_step(&o, (float *)&p, (const float *)&g, state, NET_FLOATS);
// section manual of one position
 *     static net_state s;                          a sequence so far; all zero: the beginning
 *     net_next(&p, &s, &w, x, y);                  one position in, the answer at it out
// section manual of memory
 *     net_forward(&p, &w, n, x, y);                answers
 *
 * Nothing here allocates, does I/O, recurses or keeps state outside its arguments. Both types hold no pointers
 * and may be static, on the stack, on the heap or in a mapped file, aligned to 64 bytes: malloc does not see to that, but
 *
 *     net_params *p = aligned_alloc(64, sizeof *p);   C11, stdlib.h
 *     net_params *p = NEW_PARAMS C++17; C++11: alignas(64) char memory[sizeof(net_params)]
 *
 * does. No pointer may be NULL but where its function says so. A call with one, with memory that is not aligned, or with an
 * n outside its bounds prints what is wrong and aborts; NN_CHECK in nn.h says how to have something else done instead,
 * -DNDEBUG has nothing checked. */
#ifndef NET_H
#define NET_H

#include "nn.h"

// end
/* The sizes are the network's; these are some, for whoever compiles this file as it stands. */
#define NNC_INTERFACE NN_INTERFACE
#define EXTERN extern
#define KEPT 16
#define EXTERN_void void
#define EXTERN_float float
#define EXTERN_const const
#define EXTERN_int int
#define NET_INPUT 3
#define NET_OUTPUT 2
#define NET_TARGETS 1
#define NET_BATCH 32
#define NET_PARAMS 16
#define NET_FLOATS 16
#define WEIGHT_FLOATS 16
#define ARENA_FLOATS 16
#define POSITIONS 64
#define PARAMS const net_params
#define TARGET int
#define ELEMENT float

// section interface
#if !defined(NN_INTERFACE) || NN_INTERFACE != NNC_INTERFACE
#error "this file was made by nnc NNC_VERSION, but nn.h is of another \
version: have this file made anew, or give -I with the folder of that nnc's nn.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

// end
#ifdef PREPARED
// section prepared weights
/* Weights: as they were loaded, each where nn_place says, until net_prepare has computed from them what
 * net_forward reads, and written that over them. Loaded are:
 *
// section prepared params
 */
typedef struct net_params {
    NN_ALIGNED float weights[NET_FLOATS];
} net_params;

// end
#else
// section weights and gradients
/* Weights, as plain arrays in this order. The gradients that net_backward writes have the same type, so an
 * optimizer takes both as NET_FLOATS floats: nn_step(&o, (float *)p, (const float *)g, state, NET_FLOATS). */
// section weights
/* Weights, as plain arrays in this order. */
// section params
typedef struct net_params {
// end
    NN_ALIGNED float conv1_weight[WEIGHT_FLOATS];
// section statistics of inference
    /* Running statistics, as training left them: */
// section statistics of training
    /* Running statistics, which net_backward updates and no optimizer changes: */
// section end of params
} net_params;

// end
#endif

// section work of inference
/* Scratch memory of a call; it needs no first value. */
// section work
/* Scratch memory of a call, of which only rng and add mean something between calls. Clear a new one, as static and calloc do. */
// section work begins
typedef struct net_work {
    NN_ALIGNED float arena[ARENA_FLOATS];
    uint64_t rng;   /* where dropout draws from */
// section work adds
    int add;        /* 1: net_backward adds to g instead of writing over it */
// section work ends
} net_work;

// end
#ifdef STREAMS
// section state
/* What net_next keeps of the positions so far; all zero: none. It may be copied, which keeps a place to go on from. */
typedef struct net_state {
// end
    NN_ALIGNED float rnn1_last_state[16];
// section position of state
    int position;   /* how many there were, at most POSITIONS */
// section no state
    NN_ALIGNED char nothing;   /* no position asks what came before */
// section end of state
} net_state;

// end
#endif
// section model
EXTERN const nn_model net_model;   /* names, sizes and functions, for the runtime */

// section init
/* Fills p with PyTorch's default initialisation; the same seed gives the same weights on every machine. */
EXTERN_void net_init(net_params *p, uint64_t seed);

// section prepare
/* Computes from the weights what net_forward reads, in their place. net_init and nn_load call it.
 * To write weights in another way, clear the whole net_params, write all tensors (nn_set), then call it
 * once; before that net_forward gives NaN. Afterwards what was loaded is gone: nn_set, nn_get and
 * nn_save give an error. To call it again does nothing. */
EXTERN_void net_prepare(net_params *p);

// section forward
/* Inference for n samples, 1 <= n <= NET_BATCH: x is n x NET_INPUT ELEMENTS, y gets n x ANSWERS.
 * x and y must not overlap. */
EXTERN_void net_forward(const net_params *p, net_work *w, int n, const ELEMENT *x, float *y);

// end
#ifdef FROM_CALLER
// section forward_train
/* The answers as in training for n samples, LEAST <= n <= NET_BATCH: dropout drops, and batchnorm takes the statistics
 * of these samples. It moves neither w->rng nor running statistics, so that net_backward, called with the same p, w, n
 * and x, works on the same answers. */
EXTERN_void net_forward_train(const net_params *p, net_work *w, int n, const ELEMENT *x, float *y);

// section backward from the caller
/* One training pass for n samples, LEAST <= n <= NET_BATCH: forward as net_forward_train does, then backward from dy,
 * n x NET_OUTPUT floats: the gradient, with respect to the answers, of what is minimised, undivided. It writes the
 * gradient of the weights over g (sizeof *g bytes, padding included) and that of x over dx, n x NET_INPUT floats, which
 * must not overlap x or dy. g and dx may be NULL: not wanted.
// end
 */
// section backward of tokens from the caller
/* One training pass for n samples, LEAST <= n <= NET_BATCH: forward as net_forward_train does, then backward from dy,
 * n x NET_OUTPUT floats: the gradient, with respect to the answers, of what is minimised, undivided. It writes the
 * gradient of the weights over g (sizeof *g bytes, padding included); g may be NULL: not wanted. Tokens have no gradient:
 * dx must be NULL.
// end
 */
// section backward from the caller itself
EXTERN_void net_backward(PARAMS *p, net_work *w, int n, const ELEMENT *x, const float *dy, net_params *g, float *dx);

// end
#else
// section backward
/* One training pass for n samples, LEAST <= n <= NET_BATCH: writes the gradient of their mean loss over g (sizeof *g bytes,
 * padding included), and returns that loss. x is n x NET_INPUT ELEMENTS; t: TARGETS.
// section backward with labels
 * A label outside that range makes the loss NaN.
// section backward with labels not counted
 * A label of IGNORED is not counted; where none is, the loss is NaN and the gradient 0. Another outside that range
 * makes the loss NaN.
// section backward with add
 * With w->add 1 the gradient is added to what g holds.
// section backward with dropout
 * Dropout draws from w->rng, which the caller sets once; each call moves it on.
// section backward with statistics
 * It also updates the running statistics in p.
// section backward with variances
 * It also updates the running statistics in p. The variance of one sample alone is none, so that
 * a rest of one sample at the end of an epoch has to be left out or joined with others, as in PyTorch.
// end
 */
// section backward itself
EXTERN_float net_backward(PARAMS *p, net_work *w, int n, const ELEMENT *x, const TARGET *t, net_params *g);

// end
#endif
#ifndef FROM_CALLER
// section loss
/* The mean loss of what net_forward answers to n samples, 1 <= n <= NET_BATCH. t is as in net_backward.
 * y gets the answers; NULL: they are not wanted. */
EXTERN_float net_loss(const net_params *p, net_work *w, int n, const ELEMENT *x, const TARGET *t, float *y);

// end
#endif
#ifdef STREAMS
// section next
/* Inference for one position of a sequence, the one behind those that s has seen: x is STEP_INPUT ELEMENTS, y gets
 * STEP_OUTPUT, to rounding what net_forward gives at that position. x and y must not overlap. Each sequence has an s of
 * its own, cleared before its first position. NEXT_RETURNS. */
EXTERN_int net_next(const net_params *p, net_state *s, net_work *w, const ELEMENT *x, float *y);

// end
#endif
// section weights of a file

/* The weights of WEIGHTS_FILE: net_forward(&net_weights, &w, n, x, y). */
EXTERN const net_params net_weights;

// section prepared weights of a file

/* The weights of WEIGHTS_FILE, prepared: net_forward(&net_weights, &w, n, x, y). They end with the last that net_forward
 * reads, which is before the end of a net_params: so &net_weights is for net_forward, and not to be copied. */
EXTERN const float net_prepared_weights[KEPT] NN_ALIGNED;
#define net_weights (*(const net_params *)(const void *)net_prepared_weights)

// section end of header
#ifdef __cplusplus
}
#endif

#endif
// end
