/* engine.h: what the files of the training engine share; nobody else includes it. */
#ifndef NNKIT_ENGINE_H
#define NNKIT_ENGINE_H

#include "nnkit.h"

#include <stdbool.h>

enum {
    CHUNK = 8192,        /* weights that one call of nn_step takes; a checkpoint's layout depends on it */
    MOST_LEVELS = 31,    /* of the tree over the shards of a step */
};

/* Shards lo .. hi-1, which are summed up: a node of the tree. */
typedef struct node { int lo, hi; } node;

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
    double counted;      /* how many samples' worth of targets the mean is of */
    int  error;
    char message[240];
} shard_result;

/* What counts of n samples in the mean of the loss, as a number of samples: all of them, or the share of
 * their labels that are counted. */
double kit_counted(const nn_model *model, int n, const void *t);

struct nn_trainer {
    const nn_model    *model;
    nn_trainer_options options;
    nn_team           *team;
    worker            *workers;
    int                threads;     /* that the next step uses */

    float  *weights, *average;      /* model->params_bytes; average NULL: none */
    size_t  floats, all;            /* learnable; with the statistics behind them */
    node   *groups;                 /* of shards, of the present step */
    int     ngroups;
    float **sums;                   /* gradients of the groups; of the first at least */
    int     nsums;
    int     nprocesses;
    float  *received;               /* a gradient from another process; NULL: there is none */
    nn_message *messages;           /* room for two for each process */
    size_t *begins;                 /* of each process's part of what is gathered, and the end */
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

/* ---- tree.c ---------------------------------------------------------------------------------- */

node kit_left_of(node);
node kit_right_of(node);
void kit_add_to(float *restrict sum, const float *restrict more, size_t n);
/* The shards of a process. */
node kit_shards_of(const nn_trainer *, int shards, int rank);
/* Cuts a process's shards into nodes of at most so many, a power of two; returns how many. */
int  kit_cut_groups(int shards, node own, int group, node *groups);
/* Adds the trainer's groups as far as the process can alone, for n floats from at on. */
void kit_sum_groups(const nn_trainer *, int shards, node own, size_t at, size_t n);
/* Then the sum over all processes comes into sums[0]. */
void kit_join_processes(nn_trainer *, int shards, node own);

/* ---- diagnose.c ------------------------------------------------------------------------------ */

/* Are all weights finite? If not, says where that came from. 0 or NNKIT_EDIVERGED. */
int kit_check_weights(const nn_trainer *, int epoch);
/* Says where a loss came from that is not finite, in a step with these samples. Gives NNKIT_EDIVERGED. */
int kit_explain_loss(nn_trainer *, const nn_source *, const size_t *samples, int n, int epoch);

/* ---- processes.c: all processes call these; p NULL: this one is alone ------------------------ */

/* `each` bytes of every process, to be freed. */
void *kit_gather(const nn_processes *p, const void *mine, size_t each);
/* The parts of a whole of so many elements, of which each process has kit_part(rank) .. kit_part(rank+1). */
size_t kit_part(const nn_processes *p, size_t whole, int rank);
void kit_gather_parts(const nn_processes *p, void *bytes, size_t whole, size_t each);
/* All get the error, with its message, of the first process that has one; 0: none has. */
int  kit_agree(const nn_processes *p, int error);
bool kit_any(const nn_processes *p, bool mine);
bool kit_same(const nn_processes *p, uint64_t mine);

#endif
