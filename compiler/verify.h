/* verify.h: --verify: what generated C answers, held against the interpreter. */
#ifndef NNC_VERIFY_H
#define NNC_VERIFY_H

#include "../runtime/nn.h"
#include "back/back.h"

nn_tensor tensor_of_weight(const Weight *);                /* weights.c: where the plan at hand has it */

/* ---- verify_numbers.c: what is right, and how far C may be from it ------------------------------- */

/* What a network answers, an array each; those of the gradients of weights follow, by the weight's number. */
enum {
    ANSWERS,
    FIRST_ANSWER,            /* of the first sample, in a call of its own */
    STREAMED,                /* the same from net_next */
    LOSS,                    /* of net_loss */
    ANSWERS_IN_TRAINING,     /* of net_forward_train */
    INPUT_GRADIENT,
    LOSS_IN_TRAINING,        /* of net_backward */
    GRADIENTS                /* of a statistic: what training makes of it */
};

/* A network with numbers in it. */
typedef struct Trial {
    const char *prefix;      /* in its C */
    const Net *net;
    const Options *options;
    const Layer *layer;      /* of the user's network, which it is alone; NULL: it is the whole */
    Prog *forward, *training; /* training NULL: inference */
    const float *params;     /* --weights: its weights as that plan's C has them; else they are drawn */
    double points;           /* of statements: what the interpreter may take for it, twice */
    Binding numbers;
    double **exact;          /* by array; NULL: there is none */
    double *rounded;         /* by array: how far rounding moves an element, at most */
    /* finite differences: how many gradients of how many, the largest error, and what is wrong or NULL */
    int64_t differences, gradients;
    double difference;
    const char *wrong;
    struct Trial *next;
} Trial;

int array_count(const Trial *);
int64_t array_floats(const Trial *, int array);            /* 0: there is none */
Prog *oracle(const Net *, bool training);                  /* for interpret: with gradients, not folded */
void fill_trial(Trial *, uint64_t seed);                   /* numbers, exact, rounded */
void take_differences(Trial *, uint64_t seed);             /* interpret's gradients, by its losses */
double largest_of(const double *, int64_t count);

/* ---- verify_alone.c: each layer as a network --------------------------------------------------- */

Net *network_alone(const Layer *, const Net *of, const Options *, const char **text); /* NULL: it can't be */

/* ---- verify_run.c: compiling and running --------------------------------------------------------- */

/* Compiles the networks of the plans, a NULL behind the last, and gives what each answers, laid out as
 * Trial.exact. Exits 2 where that can't be done. NULL: the program crashed, which *how says. */
typedef struct CompiledTrial {
    const Trial *trial;
    const Plan *plan;
    double **answers;
} CompiledTrial;
const char *compiler_line(const Options *);                /* "cc -O2 -march=native" */
const char *run_compiled(CompiledTrial *, int count);      /* how it crashed; NULL: it did not */

#endif
