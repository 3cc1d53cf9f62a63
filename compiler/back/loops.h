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
 * Affine forms are those of the statements: coefficient[i] belongs to the innermost loop around whose index
 * is i. What is written out has a number in its place. */
#ifndef NNC_BACK_LOOPS_H
#define NNC_BACK_LOOPS_H

#include "back/back.h"

/* ---- Nodes and terms ------------------------------------------------------------------------- */

typedef struct Register {
    const char *name;    /* "sum", "v1" */
    int number;          /* 0, 1, ... in its function */
    bool is_int;         /* a class label */
    bool changes;        /* behind LET there is an ADD or a SET */
} Register;

typedef enum TermKind {
    TERM_NUMBER,        /* number */
    TERM_INDEX,         /* affine */
    TERM_LOAD,          /* what is in memory at place */
    TERM_REGISTER,      /* what is in reg */
    TERM_OP,            /* op of arg[]; OP_RANDOM: draw number `affine` */
    TERM_GREATER        /* arg[0] > arg[1] or arg[0] is NaN ? arg[2] : arg[3] */
} TermKind;

typedef struct Term {
    TermKind kind;
    Op op;
    bool is_int;         /* NUMBER, INDEX: as an int of C, since a class label is compared with it */
    double number;
    Affine affine;
    Access place;
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
    NODE_LOOP,           /* body for index = from, from + step, ... below to */
    NODE_WHEN,           /* body if all tests hold */
    NODE_BLOCK,          /* body, whose registers nobody else sees */
    NODE_LET,            /* a new register and its first value; value NULL: a SET comes before it is read */
    NODE_SET,            /* reg = value */
    NODE_ADD,            /* reg += value */
    NODE_STORE,          /* place = value, or where it adds place += value */
    NODE_FILL            /* zeros into all the room of place.tensor */
} NodeKind;

typedef struct Node {
    NodeKind kind;
    int index;
    const char *name;    /* of the index */
    int64_t from, to, step;
    bool at_hand;        /* LOOP: over the samples in lanes, of which there may be fewer than `to`: m */
    const Test *tests;
    const Register *reg;
    const Term *value;
    Access place;
    bool adds;
    struct Node *body, *next;
} Node;

/* ---- lower.c: nests to nodes ----------------------------------------------------------------- */

/* What is numbered through all nests of a function. */
typedef struct Numbering {
    int registers, operands;
} Numbering;

bool is_plain(const Kernel *, Unroll);       /* has it no tiles? Then lower makes its loops */
Node *lower_kernel(const Kernel *, Numbering *);

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
    bool rng, mean, samples;
} Named;

typedef struct Printer {
    Text *out;
    const Function *function;
    Named *named;
    bool *tables;        /* by id of the tensor: constants that are read from memory */
    Uses *uses;
    const char *index[MAX_TERMS]; /* the names of the loops around, "block" for BLOCK */
} Printer;

void print_nodes(Printer *, const Node *, int depth);

/* ---- run.c: executes the nodes of a pass ----------------------------------------------------- */

void run_loops(const Plan *, const Pass *, Binding *);

/* ---- count.c: what the nodes of a nest do ---------------------------------------------------- */

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
