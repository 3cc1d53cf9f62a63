/* engine.h: what the files of the training engine share; nobody else includes it. */
#ifndef NNKIT_ENGINE_H
#define NNKIT_ENGINE_H

#include "nnkit.h"

#include <stdbool.h>

enum {
    CHUNK = 8192,        /* weights that one call of nn_step takes; a checkpoint's layout depends on it */
    MOST_LEVELS = 31,    /* of the tree over the shards of a step */
};

/* Part of the weights, with the state that the optimizer keeps for it. */
typedef struct chunk {
    size_t at, count;
    float *state;        /* nn_state_size(optimizer, count) floats, or NULL */
    double squares;      /* of the gradient, for clipping */
} chunk;

/* What a thread works with; in memory of its own. */
typedef struct worker {
    void  *work;         /* net_work */
    float *params; /* its own copy of the weights, where a network has statistics that net_backward moves */
    float *x;
    void  *t;
    float *sums[MOST_LEVELS]; /* gradients that wait for their sibling in the tree; made when first needed */
    char   apart[64];
} worker;

/* A shard's outcome, on a cache line of its own. */
typedef struct shard_result {
    _Alignas(64) float loss;
    int  error;
    char message[252];
} shard_result;

struct nn_trainer {
    const nn_model    *model;
    nn_trainer_options options;
    nn_team           *team;
    worker            *workers;
    int                threads;     /* that the next step uses */

    float  *weights, *average;      /* model->params_bytes; average NULL: none */
    size_t  floats, all;            /* learnable; with the statistics behind them */
    float **sums;                   /* gradients of the groups of shards */
    int     nsums;
    chunk  *chunks;
    int     nchunks;
    shard_result *results;
    int     nresults;
    uint64_t steps;                 /* done */

    /* Which number of threads is fastest: measured in the first steps. */
    struct {
        bool   settled;
        int    step;
        double one, all;            /* least seconds of a step by one thread and by all */
    } trial;
};

#endif
