/* loops.h: what the C of a function will be, in terms and not in text. It stands between nests and C:
 *
 *     Kernel --lower--> Node --print--> C
 *                        |
 *                        +-- verify_loops, run_loops, count_loops
 *
 * A Node is a statement of C, a Term what it computes, a Register a variable, an Access a place in memory. Of
 * `out[o] = bias[o]` and `out[o] += w[o, c] * in[c]` lower makes
 *
 *     LOOP o from 0 to 6
 *         LET sum = LOAD bias[o]
 *         LOOP c from 0 to 4
 *             ADD sum, OP * (LOAD w[o, c], LOAD in[c])
 *         STORE out[o] = REGISTER sum
 *
 * and with a tile of 8 lanes, one term in all lanes, and vectors of memory
 *
 *     LET s0 = LOAD bias[0] of width 8
 *     LOOP c from 0 to 4
 *         ADD s0, OP * (LOAD w[0, c] of width 8, LOAD in[c])
 *     STORE out[0] = REGISTER s0 of width 8
 *
 * Affine forms are those of the statements: coefficient[i] belongs to the innermost loop around whose index
 * is i. What is written out has a number in its place. */
#ifndef NNC_BACK_LOOPS_H
#define NNC_BACK_LOOPS_H

#include "back/back.h"

/* ---- Nodes and terms ------------------------------------------------------------------------- */

typedef struct Register {
    const char *name;    /* "sum", "v1" */
    int number;          /* 0, 1, ... in its function */
    int width;           /* floats in it: 1, or those of a vector */
    bool is_int;         /* a class label */
    bool changes;        /* behind LET there is an ADD or a SET */
    int rows, columns;   /* of an array of them, which takes so many numbers; 0: it is one */
} Register;

typedef enum TermKind {
    TERM_NUMBER,         /* number; a vector only where it is the first value of a register, and 0 */
    TERM_INDEX,          /* affine; in lane i of a vector affine + i * step */
    TERM_LOAD,           /* what is in memory at place, and for a vector behind it */
    TERM_EACH,           /* place in each of the samples that lanes take: in lane i sample i */
    TERM_REGISTER,       /* what is in reg; in that of an array whose row and column affine[] says */
    TERM_OP,             /* op of arg[], lane by lane; OP_RANDOM: draw number `affine` */
    TERM_GREATER,        /* arg[0] > arg[1] or arg[0] is NaN ? arg[2] : arg[3] */
    TERM_EQUAL,          /* arg[0] == arg[1], two ints: a test */
    TERM_SPLAT,          /* arg[0], a number, in all lanes */
    TERM_FIRST,          /* arg[0] in the first lanes, `number` in the others: 0 or -INFINITY */
    TERM_SUM,            /* of all lanes of arg[0] */
    TERM_GREATEST        /* the same */
} TermKind;

/* A number among the operands of a vector stands for a vector of it. */
typedef struct Term {
    TermKind kind;
    Op op;
    int width;           /* 1: a number; else the lanes of a vector */
    int first;           /* FIRST; LOAD: only so many lanes are read, the others are 0. 0: all */
    bool is_int;         /* as an int of C, since a class label is compared with it */
    bool clamped;        /* LOAD of samples: behind the last one at hand it is that one's */
    double number;
    int64_t step;
    int64_t position;    /* LOAD of a place without indices: of the element in memory */
    const Affine *affine;
    const Access *place;
    const Register *reg;
    const struct Term *arg[4];
} Term;

/* A condition on the loops around: at < end, or 0 <= at where end is 0. */
typedef struct Test {
    Affine at;
    int64_t end;
    struct Test *next;
} Test;

typedef enum NodeKind {
    NODE_LOOP,           /* body for index = from, from + step, ... below to: see Range */
    NODE_WHEN,           /* body if all tests hold, or where there is a value, if that isn't 0 */
    NODE_BLOCK,          /* body, whose registers nobody else sees */
    NODE_WINDOWS,        /* body, in which index i is what it is around, divided by per[i] */
    NODE_LET,            /* a new register and its first value; value NULL: a SET comes before it is read */
    NODE_SET,            /* reg = value; of an array: the one whose row and column at[] says */
    NODE_ADD,            /* reg += value */
    NODE_STORE,          /* place = value, or where it adds place += value; a vector at place and behind */
    NODE_FILL            /* zeros into all the room of place.tensor */
} NodeKind;

typedef enum Range {     /* what a loop runs over */
    RANGE_ALL,           /* from .. to */
    RANGE_BLOCKS,        /* the blocks of a sum, of `step` terms each; each round goes on with its sums */
    RANGE_BLOCK,         /* one of them: from where the loop around stands, `many` terms and not over to */
    RANGE_SAMPLES,       /* the samples at hand, `step` at a time; those that are left over aren't taken */
    RANGE_LEFT,          /* those that a loop of `many` at a time leaves over. `to`: the most samples */
    RANGE_PICKED         /* the one that value is, an int; none if that isn't from .. to */
} Range;

typedef struct Node {
    NodeKind kind;
    Range range;
    int index;
    const char *name;    /* of the index */
    int64_t from, to, step, many;
    bool unrolled;       /* LOOP: the C compiler is asked to write its few rounds out */
    /* LOOP: not beyond `last`, and from the first round that reaches `since` on; NULL: no such bound */
    const Affine *last, *since;
    bool always;         /* they lie within from .. to */
    const Test *tests;
    const int64_t *per;
    const Register *reg;
    const Affine *at;
    const Term *value;
    const Access *place;
    int width;           /* STORE: floats of the value */
    int first;           /* STORE: only so many lanes of it count; 0: all */
    bool whole;          /* they all are stored: the others fall into the padding of a row */
    bool adds;
    int64_t points;      /* on the first node of a piece of straight-line code: terms that it works out */
    struct Node *body, *otherwise, *next;
} Node;

/* ---- lower.c: nests to nodes ----------------------------------------------------------------- */

/* What is numbered through all nests of a function. */
typedef struct Numbering {
    int registers, operands;
} Numbering;

/* step: of its recurrence, where that is written out; -1: it isn't */
Node *lower_kernel(const Kernel *, Unroll, int64_t step, Numbering *);
int64_t steps_written(const Kernel *, Unroll);             /* of its recurrence; 1: it is a loop, or none */

/* ---- verify_loops.c: what must hold of the nodes of a nest ----------------------------------- */

void verify_loops(const Function *, const Kernel *, const Node *);

/* ---- print.c: nodes to C --------------------------------------------------------------------- */

typedef struct Text {
    char *data;
    size_t length, room;
} Text;

void put(Text *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void indent(Text *, int depth);

/* Which parameters of its function the printed C names. */
typedef struct Named {
    bool *param;         /* by number */
    bool step, rng, mean, samples;
} Named;

typedef struct Printer {
    Text *out;
    const Function *function;
    Named *named;
    bool *tables;        /* by id of the tensor: constants that are read from memory */
    Uses *uses;
    const char *kind;    /* behind the names of vectors and what is done with them: "", "16" */
    const char *index[MAX_TERMS]; /* the names of the loops around, "block" for BLOCK, "step" for STEP */
} Printer;

void print_node(Printer *, const Node *, int depth);
void print_nodes(Printer *, const Node *, int depth);      /* those behind it, too */

/* ---- run.c: executes the nodes of a pass ----------------------------------------------------- */

void run_loops(const Plan *, const Pass *, Binding *);
void run_prepare(const Plan *, float *params);              /* of the plan's net_params */

/* ---- count.c: what the nodes of a nest do ---------------------------------------------------- */

/* A vector counts once, as the machine does it. */
typedef struct Counts {
    double loads, stores;/* of memory */
    double madds;        /* sum += u * v */
    double flops;        /* additions, multiplications, divisions and comparisons, two for each madd */
    double functions;    /* exp, sqrt, ... */
    double trips;        /* rounds of loops */
    double bytes;        /* of the smallest box in each tensor that holds all that is touched */
} Counts;

Counts count_loops(const Node *);

#endif
