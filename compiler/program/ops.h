/* ops.h: the table of operations: one row for each, with all that any stage knows of it.
 *
 * A new operation is a row here and its derivative in differentiate.c (without it nnc does not link), and
 * back/print.c is told how to print it. Where C has no operator or function of that name, its function is in
 * back/math.c.
 *
 *     op       OP_op in the code
 *     n        its operands
 *     dump     how --dump writes it, % for each operand
 *     C        how C writes it: an operator between its operands, or the name of a function; "" is the
 *              printer's affair
 *     cycles   of a core, for a number or a vector of them, with others in flight: measured with gcc 12 -O2
 *              on AVX2 and AVX-512; exp and its kin are polynomials of back/math.c
 *     bytes    of machine code where it is written out: see schedule/budget.c
 *     each     the bytes are taken for each lane of a vector
 *     value    in double precision, of the operands v[0] to v[3]; leaves are the interpreter's affair
 * / */
#ifndef NNC_PROGRAM_OPS_H
#define NNC_PROGRAM_OPS_H

/*      op        n  dump                C           cycles bytes each   value */
#define OPS(row) \
    row(CONSTANT, 0, "",                 "",         0,     0,    false, 0) \
    row(LOAD,     0, "",                 "",         0.5,   4,    false, 0) \
    row(INDEX,    0, "",                 "",         0,     0,    false, 0) \
    row(RANDOM,   0, "",                 "",         8,     90,   true,  0) \
    row(MEAN,     0, "1/samples",        "mean",     0,     0,    false, 0) \
    row(SAMPLES,  0, "samples",          "samples",  0,     0,    false, 0) \
    row(AT_HAND,  0, "m",                "(float)m", 0,     0,    false, 0) \
    row(ADD,      2, "(% + %)",          "+",        0.5,   4,    false, v[0] + v[1]) \
    row(SUB,      2, "(% - %)",          "-",        0.5,   4,    false, v[0] - v[1]) \
    row(MUL,      2, "% * %",            "*",        0.5,   4,    false, v[0] * v[1]) \
    row(DIV,      2, "% / %",            "/",        4,     20,   false, v[0] / v[1]) \
    row(EXP,      1, "exp(%)",           "exp_f",    12,    180,  false, exp(v[0])) \
    row(LOG,      1, "log(%)",           "log_f",    16,    150,  false, log(v[0])) \
    row(LOG1P,    1, "log1p(%)",         "log1p_f",  20,    150,  false, log1p(v[0])) \
    row(TANH,     1, "tanh(%)",          "tanh_f",   20,    180,  false, tanh(v[0])) \
    row(SIGMOID,  1, "sigmoid(%)",       "sigmoid_f",16,    180,  false, 1 / (1 + exp(-v[0]))) \
    row(ERF,      1, "erf(%)",           "erf_f",    20,    60,   false, erf(v[0])) \
    row(SQRT,     1, "sqrt(%)",          "sqrt_f",   6,     150,  true,  sqrt(v[0])) \
    row(ABS,      1, "abs(%)",           "fabsf",    0.5,   4,    false, fabs(v[0])) \
    row(IF_LE,    4, "(% <= % ? % : %)", "<=",       1.5,   18,   false, v[0] <= v[1] ? v[2] : v[3]) \
    row(IF_EQ,    4, "(% == % ? % : %)", "==",       1.5,   18,   false, v[0] == v[1] ? v[2] : v[3])

/* What the leaves are:
 *     CONSTANT   a number known here
 *     LOAD       an element of a tensor
 *     INDEX      an affine form of the indices, as a number
 *     RANDOM     uniform in [0, 1): that number of the sample's draws
 *     MEAN       1 / samples of the call; with class weights 1 / the sum of those of the call's targets
 *     SAMPLES    samples of the call
 *     AT_HAND    the samples that the lanes take at once: fewer than there are lanes at the end of a call */
typedef enum Op {
#define OP_ENUM(op, ...) OP_##op,
    OPS(OP_ENUM)
#undef OP_ENUM
    NOPS
} Op;

typedef struct OpInfo {
    int arity;
    const char *text;    /* of a dump */
    const char *c;       /* in C */
    double cycles;
    int bytes;
    bool bytes_each;     /* for each lane */
} OpInfo;
extern const OpInfo op_info[NOPS];

#endif
