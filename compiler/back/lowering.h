/* lowering.h: how nests become nodes: what lower.c, tiles.c and straight.c build with. */
#ifndef NNC_BACK_LOWERING_H
#define NNC_BACK_LOWERING_H

#include "back/loops.h"

/* ---- build_loops.c: terms, registers, loops -------------------------------------------------- */

enum { MOST_OPERANDS = 16, MOST_SHARED = 64 };

/* The statement at hand, what its indices are, and which values are in registers. */
typedef struct Lowering {
    const Statement *s;
    Numbering *numbering;
    Node **end;          /* where the next node goes */
    bool fixed[MAX_INDEX]; /* a number, not a loop */
    int64_t step;        /* of the recurrence, where it is a number; -1: it is a loop */
    int64_t offset[MAX_INDEX]; /* added to the loop's variable, or the number itself */
    const int *loop;     /* which loop an index stands for, where the loops are another statement's */
    int lane;            /* the index in the lanes of a vector, or -1 */
    int width;           /* of that vector */
    int64_t partial;     /* of the vector at hand only so many lanes count; 0: all */
    struct {             /* what is read before the statement at hand */
        const Access *place;
        const Register *reg;
    } operand[MOST_OPERANDS];
    int noperands;
    struct {             /* values that are in registers */
        const Access *place;
        const Term *term;
    } held[2 + MAX_THEN + MAX_FOLLOWERS];
    int nheld;
    struct {             /* loads that several outputs of a tile share */
        const Term *load;
        Register *reg;
        int uses;
    } shared[MOST_SHARED];
    int nshared;
    bool sharing;
    const Term **known;  /* loads of a place that is a number, by their hash */
    size_t nknown, known_room;
} Lowering;

/* No index of it is fixed, none in lanes. */
void begin_statement(Lowering *, const Statement *);
Node *append(Lowering *, Node);
void append_around(Lowering *, Node);    /* what comes next goes into the node */
/* What comes next stands behind all that has been appended from that place on. */
void append_behind(Lowering *, Node **from);

const Term *new_term(Term);
const Term *number_term(double, bool is_int);
const Term *register_term(const Register *);
const Term *op_term(Op, const Term *, const Term *);
bool is_vector_term(const Term *);
const Term *as_vector(const Lowering *, const Term *);     /* where it is a number, in all lanes */
const Term *first_lanes(const Lowering *, const Term *, double others); /* only those that count */
const Term *across_term(bool maximum, const Term *);       /* a number of all lanes */
Register *new_register(Lowering *, const char *name, bool changes);
/* A register of that value. */
const Register *let(Lowering *, const char *name, bool changes, const Term *);
void store_term(Lowering *, const Access *, const Term *, bool adds);

Affine in_loops(const Lowering *, Affine);
const Access *place_of(const Lowering *, const Access *);
const Term *lower_index(const Lowering *, Affine, bool is_int);
const Term *lower_load(Lowering *, const Access *);
const Term *lower_expr(Lowering *, const Expr *, bool is_int);
/* Reads the operands of e's branches, then gives its value. */
const Term *lower_with_operands(Lowering *, const Expr *);
bool reads_in_branch(const Expr *);
/* Which of the points over which a maximum is taken is at hand. */
const Term *number_of_point(const Lowering *);
/* reg becomes a where v is greater than best. */
void set_where_greater(Lowering *, const Register *reg, const Term *v, const Register *best, const Term *a);
void hold(Lowering *, const Access *, const Term *);
/* Loads of e that aren't in registers yet get one, for all that follows in the block. */
void share_loads(Lowering *, const Expr *);
/* The registers that they got get names, but a load that only one of these nodes reads goes back there. */
void name_shared(Lowering *, Node **nodes);
bool access_inside(const Lowering *, const Access *);      /* of a point that is all numbers */
bool point_inside(const Lowering *, const Expr *);
/* The next point of the box over the indices begin .. end-1; false behind the last. */
bool next_point(Lowering *, int begin, int end);

/* ---- outputs.c: the outputs of a tile -------------------------------------------------------- */

/* One nest: a box, the outputs held in registers, the taps written out, one index in lanes. */
typedef struct Nest {
    const Kernel *kernel;
    int64_t begin[MAX_INDEX], count[MAX_INDEX];
    Tile tile;
    bool written_out;    /* in straight-line code: no loops */
    int64_t partial;     /* of the last vector along the lane only so many count; 0: all */
    int64_t whole;       /* samples that a tile takes; this nest does those left over. 0: it does not */
    const Term **value;  /* by output: what was made, then what each of the kernel's `then` made of it */
} Nest;

/* Where each loop of outputs stands, and which of the tile's outputs is at hand. */
typedef struct Output {
    int64_t base[MAX_INDEX], at[MAX_INDEX];
    int64_t row, vector; /* number of the vector along the lane, and of the row among all others */
} Output;

bool nest_has_vectors(const Nest *);
bool is_across(const Nest *);            /* do lanes lie over an index that is summed up? */
int64_t outputs_held(const Nest *);
void number_output(const Nest *, Output *);
int64_t output_number(const Nest *, const Output *);       /* among those that are held */
void move_to(Lowering *, const Nest *, Output *);
void first_output(Lowering *, const Nest *, Output *);
/* The next of the outputs that differ in the indices `along`; the last is followed by the first, and
 * false. */
bool next_along(Lowering *, const Nest *, const bool *along, Output *);
bool next_output(Lowering *, const Nest *, Output *);
const char *output_suffix(const Nest *, const Output *);   /* "", "3", "12" */
const char *output_name(const Nest *, const Output *);     /* "sum", "best3" */
void open_index(Lowering *, const Nest *, int i);          /* a loop, or a number where it is one round */
/* The loops over outputs, or where there is none a block if that is wanted; o: the first output. */
void open_tile(Lowering *, Nest *, Output *, bool block);
void store_value(Lowering *, const Nest *, const Access *, const Term *);
const Term *value_of(const Nest *, const Output *, int then);
/* What follows on a value, and the way of all of them to memory. */
void lower_results(Lowering *, const Nest *, const Output *, const char *name, const Term *value);

/* ---- epilogues.c: windows and followers on a tile -------------------------------------------- */

/* index: only those windows that end, along that index of the tile, in the output at hand; -1: all */
void lower_windows(Lowering *, const Nest *, const Output *, int index);
void lower_followers(Lowering *, const Nest *, const Output *);

/* ---- transform.c, tiles.c, straight.c, picks.c: nests ---------------------------------------- */

void lower_picks(const Kernel *, Unroll, Numbering *, Node **end);
void lower_transform(Lowering *, Nest *);
void lower_tiles(const Kernel *, Unroll, int64_t step, Numbering *, Node **end);
void lower_straight(const Kernel *, int64_t step, Numbering *, Node **end);

#endif
