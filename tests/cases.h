/* cases.h: random networks, numbers for them, and what the interpreter makes of both.
 *
 *     draw_from(test_seed());
 *     Case c = {.options = {.unroll = UNROLL_TILE}};
 *     draw_chain(&c);
 *     Binding b = draw_numbers(&c, (int)c.net->batch);
 *     answer(&c, &b); */
#ifndef CASES_H
#define CASES_H

#include "back/back.h"

#define TOLERANCE 1e-4        /* of the array's largest value */
#define NOTHING 3e-7          /* where all is about 0: a few roundings of a probability */
/* As much more where convolutions are done with fewer multiplications: of 8600 draws of networks without
 * softmax none needed more than 0.13 of the usual, but behind a saturated softmax (22, as p - t cancels); the
 * rest is for layers behind that magnify. */
#define FEWER 4

typedef struct Case {         /* a network, how it is compiled, and its meaning */
    const char *text, *prefix, *cc;
    const char *flags;        /* for the C compiler beside the usual ones; NULL: none */
    bool optimized;           /* by the C compiler, too */
    Options options;
    bool whole;               /* whole numbers: results are exact */
    int bits;                 /* binary places that its layers add */
    const Net *net;
    const Prog *forward, *backward;
} Case;

/* ---- Drawing ---- */

void draw_from(uint64_t seed); /* from which all draws follow */

int between(int low, int high);
double uniform(double low, double high);
int draw_size(void);
/* ` k3` or ` k3x5` with a chance of 1 in `rarity`, else "". */
const char *draw_pair(const char *letter, int low, int high, int rarity);
const char *draw_conv(Shape in);
const char *draw_fc(void);

/* Layers, each drawn until one fits on what comes before: a chain, or branches that leave labelled tensors
 * and come together again, some of them in blocks and repeats. c->net is NULL where nothing came of it. */
void draw_chain(Case *c);
/* Makes the rest of a case of its text and options; false: no network, or none that tests can afford. */
bool understand(Case *c);
bool is_exact(const Case *c); /* are all sums exact in float? */
int64_t points_of(const Prog *);
int power_of_two(int64_t n);  /* which n is, or -1 */

/* ---- Numbers and answers ---- */

Binding draw_numbers(const Case *c, int n);
/* How many floats of y are compared: the answers and, where the caller gives their gradient, behind them those of
 * net_forward_train. */
int64_t answers_in(const Case *c, int n);
/* interpret's: y, loss, inference_loss, gradients, dx; in the place of a statistic's gradient what backward made of it. */
void answer(const Case *c, Binding *b);
/* A copy whose numbers are all passed through change; with room for an answer of its own. */
Binding changed(const Case *c, const Binding *b, double (*change)(double));
double largest(const double *v, int64_t count);

/* Describes the first difference between two answers to the same question, beyond `share` of what rounding
 * to float explains; NULL: none. */
const char *difference(const Case *c, const Binding *right, const Binding *other, double share);

#endif
