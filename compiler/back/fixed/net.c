/* net.c: the functions of a network, around what its layers do. Emitted are those sections that the network has. */
#define NN_COMPUTES
#include "net.h"

#include <math.h>
#include <string.h>

/* What the network says, for whoever compiles this file as it stands. */
#define RUNTIME_OF(version) nn_interface_##version
#define RUNTIME_(version) RUNTIME_OF(version)
#define RUNTIME RUNTIME_(NN_INTERFACE)
#define LEAST 1
#define MARK 0
#define CLASSES 2
#define DRAWS 1u
#define LABELS ((size_t)n * NET_TARGETS)
#define IGNORED (-100)
#define TARGETS_OR_NONE NET_TARGETS
#define IS_INT_TARGETS 1
#define VOCABULARY 0
#define LOSS_NAME "crossentropy"
#define ARE_LOGITS 0
#define INPUT_C 3
#define INPUT_H 1
#define INPUT_W 1
#define NTENSORS 0
#define TENSORS NULL
#define BACKWARD net_model_backward
#define LOSS net_model_loss
#define SET_RNG net_model_set_rng
#define SET_ADD net_model_set_add
#ifdef FROM_CALLER
#undef BACKWARD
#undef LOSS
#define BACKWARD NULL
#define LOSS NULL
#endif
#ifdef PREPARED
#define PREPARE net_model_prepare
#else
#define PREPARE NULL
#endif

#ifdef PREPARED
// section is_prepared
static int net_is_prepared(const net_params *p)
{
    uint32_t mark;
    memcpy(&mark, p->weights + MARK, sizeof mark);
    return mark == NN_PREPARED;
}

// section prepare begins
EXTERN_void net_prepare(net_params *p)
{
    const uint32_t mark = NN_PREPARED;
    NN_CHECK_MEMORY(p, net_params);
    if (net_is_prepared(p))
        return;
// section prepare ends
    memcpy(p->weights + MARK, &mark, sizeof mark);
}

// end
#endif

// section forward begins
EXTERN_void net_forward(const net_params *p, net_work *w, int n, const ELEMENT *x, float *y)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(w, net_work);
    NN_CHECK(n >= 1 && n <= NET_BATCH, "n must be from 1 to NET_BATCH, MOST: make several calls, or compile with a larger batch");
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
// end
#ifdef PREPARED
// section forward is prepared
    if (!net_is_prepared(p)) {
        for (size_t i = 0; i < (size_t)n * NET_OUTPUT; i++)
            y[i] = NAN;
        return;
    }
// end
#endif
// section unused x
    (void)x;
// section unused p
    (void)p;
// section unused w
    (void)w;
// section forward ends
}

// end
#ifdef FROM_CALLER
// section forward_train begins
EXTERN_void net_forward_train(const net_params *p, net_work *w, int n, const ELEMENT *x, float *y)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(w, net_work);
// end
    (void)n;
// section forward_train checks x and y
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
// end
}

// section backward from the caller begins
EXTERN_void net_backward(PARAMS *p, net_work *w, int n, const ELEMENT *x, const float *dy, net_params *g, float *dx)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(w, net_work);
    if (g)
        NN_CHECK_MEMORY(g, net_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
// section backward checks x and dy
    NN_CHECK(x != NULL && dy != NULL, "x or dy is NULL");
// end
    (void)dx;
// section tokens have no gradient
    NN_CHECK(dx == NULL, "dx must be NULL: tokens have no gradient");
    (void)dx;
// section unused dy
    (void)dy;
// section clear wanted gradients
    if (g && w->add != 1)
        memset(g, 0, sizeof *g);
// end
    w->rng += (uint64_t)n * DRAWS * NN_GAMMA;
// section backward from the caller ends
}

// end
#else
#ifndef EVERY_TARGET
#ifndef CLASS_WEIGHTS
// section counted
/* How many of n labels there are that are not IGNORED. Sixteen at a time become vectors at -O2, too. */
static size_t net_counted(const int *t, size_t n)
{
    size_t count = n;
    for (; n >= 16; n -= 16, t += 16) {
        int ignored = 0;
        for (int i = 0; i < 16; i++)
            ignored += t[i] == IGNORED;
        count -= (size_t)ignored;
    }
    for (; n > 0; n--, t++)
        count -= *t == IGNORED;
    return count;
}

// end
#else
// section counted by weights begins
/* What the weights of n labels sum to, but for those that are IGNORED. */
static double net_counted(const int *t, size_t n)
{
// end
    static const float class_weight[CLASSES] = {1, 2};
// section counted by weights ends
    double weights = 0;
    for (; n > 0; n--, t++)
        if (*t != IGNORED)
            weights += *t >= 0 && *t < CLASSES ? class_weight[*t] : NAN;
    return weights;
}

// end
#endif
#endif
// section backward begins
EXTERN_float net_backward(PARAMS *p, net_work *w, int n, const ELEMENT *x, const TARGET *t, net_params *g)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(w, net_work);
    NN_CHECK_MEMORY(g, net_params);
    NN_CHECK(g != p, "g is p: the gradient needs memory of its own");
// section backward checks n
    NN_CHECK(n >= 1 && n <= NET_BATCH, "n must be from 1 to NET_BATCH, MOST: make several calls, or compile with a larger batch");
// section backward checks n for a variance
    NN_CHECK(n >= LEAST && n <= NET_BATCH,
            "n must be from LEAST to NET_BATCH, MOST: batchnorm takes the variance of n numbers, and one has none");
// section backward checks x and t
    NN_CHECK(x != NULL && t != NULL, "x or t is NULL");
// end
#ifdef EVERY_TARGET
// section mean
    const float mean = 1.0f / (float)n;
// end
#elif !defined CLASS_WEIGHTS
// section mean of those counted
    const float mean = 1.0f / (float)net_counted(t, LABELS);
// end
#else
// section mean with class weights
    const float mean = (float)(1 / net_counted(t, LABELS));
// end
#endif
// section samples
    const float samples = (float)n;
// section loss
    float loss = 0.0f;
// end
    (void)x;
    (void)p;
    loss += samples * mean;
// section clear gradients
    if (w->add != 1)
        memset(g, 0, sizeof *g);
// section move rng
    w->rng += (uint64_t)n * DRAWS * NN_GAMMA;
// section backward ends
    return loss;
}

// section loss begins
EXTERN_float net_loss(const net_params *p, net_work *w, int n, const ELEMENT *x, const TARGET *t, float *y)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(w, net_work);
// end
    (void)n, (void)x, (void)t, (void)y;
    return 0;
}

#endif
#ifdef STREAMS
// section next begins
EXTERN_int net_next(const net_params *p, net_state *s, net_work *w, const ELEMENT *x, float *y)
{
    NN_CHECK_MEMORY(p, net_params);
    NN_CHECK_MEMORY(s, net_state);
    NN_CHECK_MEMORY(w, net_work);
    NN_CHECK(x != NULL && y != NULL, "x or y is NULL");
// section next counts
    if (s->position >= POSITIONS)
        return 0;
    const int step = s->position++;
// end
    (void)step;
    (void)x, (void)y, (void)p, (void)w;
// section unused s
    (void)s;
// section next ends
    return 1;
}

// end
#endif
// section model forward
static void net_model_forward(const void *params, void *work, int n, const void *x, float *y)
{
    net_forward(params, work, n, x, y);
}

// end
#ifdef FROM_CALLER
// section model backward from the caller
static void net_model_forward_train(const void *params, void *work, int n, const void *x, float *y)
{
    net_forward_train(params, work, n, x, y);
}

static void net_model_backward_from(void *params, void *work, int n, const void *x, const float *dy, void *gradients, float *dx)
{
    net_backward(params, work, n, x, dy, gradients, dx);
}

// end
#else
// section model backward
static float net_model_backward(void *params, void *work, int n, const void *x, const void *t, void *gradients)
{
    return net_backward(params, work, n, x, t, gradients);
}

// section model loss
static float net_model_loss(const void *params, void *work, int n, const void *x, const void *t, float *y)
{
    return net_loss(params, work, n, x, t, y);
}

// end
#endif
#if !defined EVERY_TARGET && !defined FROM_CALLER
// section model counted
static double net_model_counted(int n, const void *t)
{
    return (double)net_counted(t, LABELS);
}

// end
#endif
// section model settings
static void net_model_set_rng(void *work, uint64_t rng)
{
    ((net_work *)work)->rng = rng;
}

static void net_model_set_add(void *work, int add)
{
    ((net_work *)work)->add = add;
}

// end
#ifdef PREPARED
// section model prepare
static void net_model_prepare(void *params)
{
    net_prepare(params);
}

// end
#endif
#ifdef STREAMS
// section model next
static int net_model_next(const void *params, void *state, void *work, const void *x, float *y)
{
    return net_next(params, state, work, x, y);
}

// end
#endif
// section model
EXTERN_const nn_model net_model = {
    .name = "net",
    .input_shape = {INPUT_C, INPUT_H, INPUT_W},
    .input = NET_INPUT,
    .output = NET_OUTPUT,
    .targets = TARGETS_OR_NONE,
    .int_targets = IS_INT_TARGETS,
    .vocabulary = VOCABULARY,
    .loss_name = LOSS_NAME,
    .logits = ARE_LOGITS,
    .batch = NET_BATCH,
    .params = NET_PARAMS,
    .floats = NET_FLOATS,
    .params_bytes = sizeof(net_params),
    .work_bytes = sizeof(net_work),
    .ntensors = NTENSORS,
    .tensors = TENSORS,
    .forward = net_model_forward,
    .backward = BACKWARD,
    .loss = LOSS,
    .set_rng = SET_RNG,
    .set_add = SET_ADD,
    .prepare = PREPARE,
// end
#ifdef FROM_CALLER
// section model from the caller
    .forward_train = net_model_forward_train,
    .backward_from = net_model_backward_from,
// end
#endif
#if !defined EVERY_TARGET && !defined FROM_CALLER
// section model with counted
    .counted = net_model_counted,
// end
#endif
#ifdef STREAMS
// section model with next
    .state_bytes = sizeof(net_state),
    .next = net_model_next,
// end
#endif
// section model ends
    .runtime = &RUNTIME,   /* the linker misses it: libnn.a is of another version than this file */
};

// section init
EXTERN_void net_init(net_params *p, uint64_t seed)
{
    NN_CHECK_MEMORY(p, net_params);
    nn_init(&net_model, p, seed);
}
// end
#ifndef PROCESSES
// section main

int nn_main(const nn_model *model, int argc, char **argv);   /* nnkit.h */

int main(int argc, char **argv)
{
    return nn_main(&net_model, argc, argv);
}
// end
#else
// section main of processes

int nn_mpi_main(const nn_model *model, int argc, char **argv);   /* nnmpi.h */

int main(int argc, char **argv)
{
    return nn_mpi_main(&net_model, argc, argv);
}
// end
#endif
