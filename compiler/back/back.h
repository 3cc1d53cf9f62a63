/* back.h: Plan to C. Nothing else prints C. */
#ifndef NNC_BACK_BACK_H
#define NNC_BACK_BACK_H

#include "schedule/schedule.h"

/* ---- emit.c: net.c --------------------------------------------------------------------------- */

/* header_name NULL: what the header declares stands in net.c. */
void emit_source(FILE *, const Plan *, const char *header_name);

/* ---- model.c: net_model, net_init ------------------------------------------------------------ */

struct FixedWord;
void put_model(FILE *, const Plan *, const struct FixedWord *words);

/* ---- header.c: net.h ------------------------------------------------------------------------- */

void emit_header(FILE *, const Plan *);
/* net_backward writes to the weights it is given where it keeps statistics. */
const char *const_of_params(const Pass *pass, const Plan *plan);
const char *backward_const(const Plan *plan);
bool counts_positions(const Pass *next);                   /* does net_next end behind so many? */
const char *input_type(const Net *);                       /* of x, in C: "float" or "int" */
int64_t state_floats(const Plan *, const Tensor *);        /* that net_state has for a tensor */
const struct FixedWord *net_words(const Plan *);

/* ---- report.c: the head of net.c ------------------------------------------------------------- */

const char *how_function(const Function *f);
const char *how_layer(const Plan *, const Layer *, bool backward); /* how a layer is unrolled */
void put_head(FILE *f, const Plan *plan);

/* ---- function.c: functions ------------------------------------------------------------------- */

typedef struct Uses {    /* what the printed functions call by name */
    bool vectors, all, load_first, store_first, first, select, greater, absolute, lanes, each, sum, greatest,
        unrolled;
    unsigned scalar_math, vector_math;
} Uses;

/* Notes in tables[] (by tensor id of the function's Prog) which constants the code reads by name, and its
 * uses. kind stands behind the names of what vectors are and what is done with them. */
void emit_function(FILE *, const Function *, const char *kind, bool *tables, Uses *);

/* ---- layers.c: constants, and the layers' functions ------------------------------------------- */

enum { MOST_PASSES = 5 }; /* that net.c has, in its order */
const Pass *pass_of(const Plan *, int number);             /* NULL: there is none */
/* tables: by pass and id of the tensor */
void put_constants(FILE *, const Plan *, bool *const tables[MOST_PASSES]);
void put_layers_functions(FILE *, const Plan *, const Pass *, bool *tables, Uses *);

/* ---- calls.c: calls of the layers' functions ------------------------------------------------- */

/* One loop over the samples of a call, or over chunks of them: its functions are those from begin on, up
 * to but not end. Those from `once` on are called before it. */
typedef struct Loop {
    const Plan *plan;
    const Pass *pass;
    const Function *once, *begin, *end;
    bool const_params;   /* the weights are only read */
    bool chunks;         /* samples are taken chunk by chunk: m samples from `first` on */
    bool apart;          /* in a function of its own: see put_steps */
    bool prepares;       /* in net_prepare */
    /* from these on up to, but not, the other: the functions called where the buffers are declared */
    const Function *declared, *declared_end;
} Loop;

const char *target_name(const Net *);
const char *targets_macro(const Net *);
bool holds_all_answers(const Pass *);
const char *answer_at(const Loop *, const char *sample);
const char *all_samples(const Loop *, const Tensor *root);
void put_layer_call(FILE *, const Loop *, const Function *, int depth);

/* ---- buffers.c: buffers, and how calls are given them ----------------------------------------- */

void put_buffer(FILE *, const Loop *, const Buffer *);
/* What the functions from `begin` on, up to but not `end`, touch, in its order; how many. */
int buffers_of(const Pass *, const Function *begin, const Function *end, const Buffer ***);
void put_buffer_argument(FILE *, const Loop *, const Function *, int param);

/* ---- fixed.c: C that is the same for all networks, but for names and numbers ------------------- */

/* An identifier, and what stands for it. One that ends in _ stands for all that begin with it, one that
 * begins with _ for all that end in it. The first of a list that fits is taken; a list ends with {0}. */
typedef struct FixedWord {
    const char *word, *text;
} FixedWord;

/* The section "FILE: NAME" of the C files in fixed/. words NULL: as it stands. */
void put_fixed(FILE *, const char *section, const FixedWord *words);
const char *fixed_text(const char *section, const FixedWord *words);
/* For what fixed/ says of vectors; kind stands behind their names. */
const FixedWord *vector_words(int lanes, const char *kind);

/* ---- prelude.c: what the functions call by name ---------------------------------------------- */

/* uses[0]: of the plan's vectors, and of numbers; uses[1]: of training's, where they are others. calls:
 * some function may not be inlined. */
const char *kind_of(const Plan *, const Pass *);            /* behind the names of its vectors: "16", or "" */
void put_prelude(FILE *f, const Plan *plan, const char *header_name, const Uses uses[2], bool calls);

/* ---- lines.c: text on its way into C --------------------------------------------------------- */

/* Text from outside, made harmless inside a C comment. */
const char *comment_text(const char *text);
const char *dims_text(int rank, const int64_t *dim, const char *before, const char *between,
                      const char *after);
/* The lines of what was printed to memory. Frees it. */
void put_lines(FILE *f, TextStream *memory);

/* ---- math.c: exp, tanh, sigmoid, log, log1p, erf and sqrt for net.c -------------------------- */

enum {
    MATH_EXP = 1,
    MATH_TANH = 2,
    MATH_SIGMOID = 4,
    MATH_LOG = 8,
    MATH_LOG1P = 16,
    MATH_ERF = 32,
    MATH_SQRT = 64
};

/* Prints those of exp_f, tanh_f, ... (on float) that are in scalar_set and those of exp_v, tanh_v, ... (on
 * `vec`, a vector of `lanes` floats; macros that evaluate x once) that are in vector_set, with what they
 * need; nothing for 0. Before them stand math.h, stdint.h, string.h and the typedef of vec. kind stands
 * behind vec and each name: exp_v16. */
void emit_math(FILE *, int lanes, const char *kind, unsigned scalar_set, unsigned vector_set);

/* ---- summary.c: --summary -------------------------------------------------------------------- */

void print_summary(FILE *, const Plan *);
void print_summary_json(FILE *, const Plan *);
/* Does it fit into so many bytes of RAM and of flash? Says so, and what is in the way. */
bool print_fits(FILE *, const Plan *, int64_t ram, int64_t flash);

#endif
