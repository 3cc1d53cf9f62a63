/* program.h: Prog: loop statements, how they are built, asked, rewritten, differentiated and interpreted. */
#ifndef NNC_PROGRAM_PROGRAM_H
#define NNC_PROGRAM_PROGRAM_H

#include "front/front.h"
#include "program/ops.h"

/* ---- Prog: loop statements ------------------------------------------------------------------- */

enum { MAX_RANK = 5, MAX_INDEX = 8, BLOCK = MAX_INDEX, STEP, MAX_TERMS };
/* constant + sum of coefficient[i] * index i. BLOCK and STEP are no indices of the statement. BLOCK stands
 * for the number of the block where kernels run block by block (block.c), and occurs in no Prog; STEP for
 * the step of the statement's recurrence. */
typedef struct Affine {
    int64_t constant;
    int64_t coefficient[MAX_TERMS];
} Affine;

typedef enum TensorRole {
    TENSOR_INPUT,        /* x */
    TENSOR_OUTPUT,       /* y */
    TENSOR_TARGET,       /* t */
    TENSOR_WEIGHT,       /* a tensor of p */
    TENSOR_GRADIENT,     /* a tensor of g, which is only added to: it may hold what the caller has in it */
    TENSOR_INPUT_GRADIENT, /* dx */
    TENSOR_LOSS,         /* the returned mean loss; zero when net_backward or net_loss begins */
    TENSOR_CONSTANT,     /* data known here */
    TENSOR_STATE,        /* a tensor of net_state, which lasts from one position to the next; zero at first */
    TENSOR_VALUE         /* everything else: lies in the arena */
} TensorRole;

struct Tensor {
    int id;
    const char *name;    /* "conv1.out", "d_conv1.out"; unique in its Prog */
    TensorRole role;
    bool per_sample;     /* one for each sample of the call; accessed only at the sample at hand */
    bool is_int;         /* class labels, tokens */
    int rank;            /* 0: a single number */
    int64_t dim[MAX_RANK];
    int64_t count;
    /* How it lies in memory, once plan laid it out: row-major, along each dimension `room` floats, of
     * which the first `before` and those behind the last element are zeros (a halo) or padding to whole
     * vectors. */
    int64_t before[MAX_RANK], room[MAX_RANK];
    int64_t floats;      /* product of room */
    bool overrun;        /* vectors that are read from it may reach behind its end: plan leaves room there */
    /* the room behind its rows means nothing: planes a power of two apart would share lines of the cache */
    bool spaced;
    int axis[MAX_RANK];  /* which dimension of the network's tensor this one is */
    /* which holds channels or features: 0, of a sequence and of a table of rows 1; in a Prog */
    int channel;
    const Tensor *of;    /* this is that tensor, of all samples of a chunk; its id is the same */
    const Tensor *sum;   /* which its lanes add up to once the samples are through: samples.c */
    /* dimension 0 is the sample: m of them are there, and what is read behind them is the last one's */
    bool ragged;
    const double *data;  /* TENSOR_CONSTANT */
    const Weight *weight;/* TENSOR_WEIGHT, TENSOR_GRADIENT */
    Tensor *adjoint;     /* its gradient, once differentiate made one */
    bool active;         /* depends on a weight, so its gradient is wanted */
    bool folded;         /* TENSOR_VALUE: a weight tensor, scaled; lies as that one does */
    /* TENSOR_STATE: 1 + the dimension in which each position has an element of its own, which is zero before
     * that position comes; 0: there is none */
    int history;
    /* Rows of positions, so many to each, and columns of positions that are looked at: what lies in those of
     * later ones is 0, or read by nobody. 0: it is no such tensor. See triangle.c */
    int64_t heads;
    bool unread;
    /* along each dimension: of a block of so many it holds the one at hand (block.c); 0: it holds all */
    int64_t cut[MAX_RANK];
    Tensor *next, *same_hash;
};

typedef struct Access {
    Tensor *tensor;
    Affine at[MAX_RANK];
    bool padded;         /* may fall outside the tensor: windows over padding and leftover rows */
} Access;

/* There is only as much of it as its operation needs: copy_expr copies it. */
typedef struct Expr {
    Op op;
    struct Expr *arg[4];
    double value;        /* OP_CONSTANT */
    Affine index;        /* OP_INDEX, OP_RANDOM */
    Access access;       /* OP_LOAD */
} Expr;

typedef enum Store {
    STORE_SET,           /* out  = rhs, each element at most once */
    STORE_ADD,           /* out += rhs */
    STORE_MAX            /* out  = the greatest rhs, -inf where there is none; a NaN wins. position, where
                            given, gets the number of the first greatest: the indices that don't occur in
                            out, as one mixed-radix number, in their order */
} Store;

/* Who needs a statement where the caller may want one gradient and not the other, and what only works out the
 * loss of answers: statements of another purpose are in functions of their own. See functions.c. */
typedef enum Purpose { FOR_ALL, FOR_WEIGHTS, FOR_INPUT, FOR_LOSS } Purpose;

/* A loop around consecutive statements: for step 0, 1, ... all of them, one behind the other. They may read
 * what earlier steps have made. See recur.c. */
typedef struct Recurrence {
    int64_t steps;       /* at least 2 */
    bool outside;        /* the caller's: the statements are one step's, and net_state has its number */
} Recurrence;

/* for all points of the box: out[...] op rhs.
 * A point where some access falls outside its tensor is left out: this is how padding and leftover rows are
 * said. A statement that touches a per-sample tensor runs for each sample. Indices that occur in out come
 * before those that don't. */
struct Statement {
    const Layer *layer;  /* whose meaning it is */
    bool backward;
    int nindex;
    const char *index_name[MAX_INDEX];
    int64_t extent[MAX_INDEX];
    Store store;
    Access out;
    Tensor *position;    /* STORE_MAX: see above, same shape as out; or NULL */
    Expr *rhs;
    bool per_sample;
    const Recurrence *recurrence; /* the loop that it runs in; NULL: none */
    /* multiply-adds of the contraction whose work it does another way; 0: it is as it was written */
    int64_t macs;
    const char *method;  /* that way, and how many times as fast it is predicted to be */
    double gain;
    Purpose purpose;     /* set by functions.c */
    int phase;           /* which of the loops over samples it runs in, or before: see phases.c */
    int64_t blocks;      /* that the loop around it counts; 0: there is none */
    Statement *next;
    Statement *before;   /* while fold.c works */
};

typedef struct Commuted { /* a layer that does its work on other values than were written: see commute.c */
    const Layer *layer, *work;
    const struct Commuted *next;
} Commuted;

typedef struct Folded {  /* what a layer does is done by the weights of another: see fold.c */
    const Layer *layer, *into;
    const struct Folded *next;
} Folded;

enum { NAME_BUCKETS = 4093 };
struct Prog {
    const Net *net;
    bool training;
    Tensor *tensors, *last_tensor;
    Tensor *names[NAME_BUCKETS]; /* the tensors by the hash of their name in C */
    int ntensors;
    Statement *statements, *last_statement;
    Tensor *x, *y, *t, *loss;
    Tensor *dx;          /* the gradient of x, where the caller gives that of the answer; else NULL */
    /* training where the caller gives the gradient of the answer: what net_forward_train computes; or NULL */
    struct Prog *forward_train;
    struct Prog *evaluation; /* training where there is a loss: what net_loss computes; or NULL */
    struct Prog *next;   /* inference, and --stream: what net_next computes; or NULL */
    bool answers;        /* it ends in the answer, y, and perhaps its loss; else in what training asks for */
    Tensor **value;      /* by Value id: the tensor that holds it, or NULL so far */
    Tensor **weight;     /* by Weight id */
    const Layer *layer;  /* statements made now belong to this one */
    bool backward;
    const Recurrence *recurrence; /* and run in this one, or NULL */
    int64_t positions;   /* what net_next computes: of the sequence of which it takes one; else 0 */
    int64_t draws;       /* random numbers that one sample takes */
    const Commuted *commuted;
    int ncommuted;
    const Folded *folded;/* layers that have none of the statements that run for each sample */
};

/* ---- affine.c: affine forms and accesses ----------------------------------------------------- */

Affine affine(int64_t constant);
Affine affine_add(Affine, Affine);
Affine affine_scale(Affine, int64_t);
bool affine_equal(const Affine *, const Affine *);
bool affine_is_constant(const Affine *);
void affine_range(const Affine *, const Statement *, int64_t *least, int64_t *most); /* over the box */
Access access_at(Tensor *, ...);                           /* tensor->rank Affines */
Access padded(Access);
/* the same indices in a tensor of the same shape */
Access same_place(Access, Tensor *);
Access without_channel(Access, Tensor *);                  /* C,H,W to H,W, and N to a single number */
Affine channel_index(const Access *);
bool is_own(const Tensor *);                               /* a value or a state: its padding means nothing */
bool access_equal(const Access *, const Access *);
bool never_meet(const Access *, const Access *);           /* are they different elements in each step? */
Affine position_of(Access);                                /* of the element in memory, row-major */
Affine substitute(Affine, const Affine *map);              /* map[i] in the place of index i */
Access substitute_access(Access, const Affine *map);

/* ---- expr.c: expressions --------------------------------------------------------------------- */

/* with other accesses and indices */
Expr *copy_expr(const Expr *, Access (*access)(Access, const void *), Affine (*index)(Affine, const void *),
                const void *context);
Expr *substitute_expr(const Expr *, const Affine *map);
Expr *constant(double);
Expr *load(Access);
Expr *index_value(Affine);
Expr *random_value(Affine);
Expr *mean_value(void);
Expr *samples_value(void);
Expr *at_hand_value(void);
/* 1 / (samples * elements of a target), or OP_MEAN where not all of them count alike */
Expr *share_of_mean(const Prog *);
Expr *unary(Op, Expr *);
Expr *binary(Op, Expr *, Expr *);
Expr *if_le(Expr *a, Expr *b, Expr *c, Expr *d);
Expr *if_eq(Expr *a, Expr *b, Expr *c, Expr *d);
Expr *add(Expr *, Expr *);
Expr *sub(Expr *, Expr *);
Expr *mul(Expr *, Expr *);
Expr *divide(Expr *, Expr *);
bool expr_is(const Expr *, double);                        /* that constant? */
/* Calls visit for each load of e. */
void visit_loads(const Expr *e, void (*visit)(const Access *, void *), void *context);

/* ---- build.c: tensors and statements --------------------------------------------------------- */

Tensor *new_tensor(Prog *, TensorRole, const char *name, bool per_sample, int rank, const int64_t *dim);
Tensor *tensor_like(Prog *, TensorRole, const char *name, const Tensor *);
Tensor *tensor_of(Prog *, const Value *);                  /* the tensor that holds a value */
Tensor *weight_tensor(Prog *, const Weight *);
/* its numbers under another shape */
Tensor *weight_view(Prog *, const Weight *, int rank, const int64_t *dim);
Tensor *part_of(Prog *, const char *part, int rank, const int64_t *dim); /* per sample: "softmax1.sum" */
Tensor *part_like(Prog *, const char *part, const Tensor *);  /* the same dimensions */
Tensor *sequence_part(Prog *, const char *part, const int64_t dim[2]); /* positions, features */
/* those but the channels */
Tensor *part_without_channel(Prog *, const char *part, const Tensor *);
/* one for all samples of the call */
Tensor *shared_part_of(Prog *, const char *part, int rank, const int64_t *dim);
/* of net_state; history: see Tensor */
Tensor *kept_state(Prog *, const char *part, int rank, const int64_t *dim, int history);
Tensor *find_tensor(const Prog *, const char *name);       /* NULL: there is none */
Tensor *find_part(Prog *, const char *part);               /* made earlier for the layer at hand */
Tensor *constant_tensor(Prog *, const char *part, int rank, const int64_t *dim, const double *data);
int shape_dims(Shape, int64_t dim[MAX_RANK]);              /* C,H,W or T,C or N; gives the rank */
/* out = function(in) */
void lower_pointwise(Prog *, const Layer *, Expr *(*function)(Expr *in, const Layer *));
/* becomes part of prog when store() completes it */
Statement *new_statement(Prog *);
/* a new index; the constant 0 if extent is 1 */
Affine index_of(Statement *, const char *name, int64_t extent);
/* Where tap `tap` of the window at `position` lies along axis 0 (height) or 1 (width). */
Affine window_at(const Window *, int axis, Affine position, Affine tap);
Access element(Statement *, Tensor *);                     /* each element once: makes the indices c y x */
void store(Prog *, Statement *, Store, Access out, Expr *rhs); /* completes a statement and appends it */
void complete(Statement *, Store, Access out, Expr *rhs);  /* without appending; orders the indices */
/* loss += the mean of term over elements and samples */
void add_to_loss(Prog *, Statement *, Expr *term);
Statement **insert_statement(Statement **link, Statement *); /* gives the link behind it */
int64_t least_samples(const Prog *);                       /* that a call of it needs, at least 1 */

/* ---- recur.c: statements that run step by step ----------------------------------------------- */

/* The statements made from here to end_steps run so many times in turn; gives the number of the step. */
Affine begin_steps(Prog *, int64_t steps);
void end_steps(Prog *);
/* The same for those that ask for the number of the position that net_next takes, or write to net_state: they
 * run in the order in which they stand, for they are steps of the loop around the caller's calls. */
Affine begin_position(Prog *);
bool asks_position(const Statement *);                     /* needs that number */
/* The index that needs no values above the step: nothing lies there in the history it reads. -1: none. */
int index_in_history(const Statement *);
/* behind the last statement of s's recurrence, or behind s */
Statement *behind_recurrence(const Statement *s);
bool in_one_recurrence(const Statement *, const Statement *);
/* Do both lie at the place of the same step, which is another one in each? Of one tensor's shape. */
bool same_time(const Access *, const Access *);
/* Those behind `before` (NULL: all), which are the adjoints of one step, become those of all steps. */
void finish_adjoints(Prog *, Statement *before);
void verify_recurrences(const Statement *statements);

/* ---- triangle.c: points above a diagonal, which may be left out ------------------------------- */

typedef struct Triangle {
    int later, at;       /* the indices whose difference counts; at -1: the step is in its place */
    Affine gap;          /* points where it is above 0 may be left out */
    bool sums;           /* by a loop over what is summed up alone: each output is made */
} Triangle;

bool triangle_of(const Statement *, Triangle *);           /* false: all points count */

/* ---- statement.c: questions about one statement ---------------------------------------------- */

/* how many indices occur in out; they come first */
int output_indices(const Statement *);
bool covers_tensor(const Statement *, const Access *);     /* every point another element, and all of them */
int64_t box_volume(const Statement *);
bool uses_op(const Expr *, Op);
bool gathers(const Statement *);                           /* is each output summed in one place? */
bool rhs_depends_on(const Statement *, int index);
bool is_contraction(const Statement *);                    /* out += u v */
/* the index of which a token picks the one value at which something is added; -1: there is none */
int picked_index(const Statement *);
bool is_picked(const Statement *, int index);
const Access *token_of(const Statement *);                 /* that token */
bool is_transform(const Statement *);                      /* out += p q v, with constants p and q */
bool takes_samples_in(const Statement *);                  /* moves what the caller gives into lanes */
bool gives_samples_out(const Statement *);                 /* moves out of lanes what the caller gets */
bool adds_up_lanes(const Statement *);                     /* gives the sum of what lanes have summed up */
/* the index by which a transform's matrix steps */
int matrix_index(const Statement *, int matrix, bool output);
bool is_batch(const Statement *, int index);               /* is it an index of all three of out += u v? */
bool depends_on(const Access *, int index);
int64_t stride_of(const Access *, int index);              /* in elements, row-major */

/* ---- prog.c: Net to Prog, its dump and its verifier ------------------------------------------ */

Prog *lower(const Net *, bool training);
Prog *lower_next(const Net *);                             /* for --stream: one position */
void dump_prog(FILE *, const Prog *);
void dump_statement(FILE *, const Statement *);
void verify_prog(const Prog *);
bool from_the_caller(const Prog *);                        /* does the way back begin with its gradient? */

/* ---- commute.c: functions that may follow on a maximum do so --------------------------------- */

bool follows_maximum(const Net *, const Layer *);          /* is it lowered with the maximum that reads it? */
/* the layer that follows on this one instead of going before; or NULL */
const Layer *followed_by(const Net *, const Layer *);
void lower_commuted(Prog *, const Layer *maximum, const Layer *follower);
const Layer *work_of(const Prog *, const Layer *);         /* the layer with the values that it works on */

/* ---- differentiate.c: reverse mode ----------------------------------------------------------- */

void differentiate(Prog *);
/* For the kinds' own gradients: the gradient that came in for an element, and a contribution to another. */
Expr *adjoint_at(Prog *, Access);
/* The tensor of the gradients, which the caller sees to where nothing has been added to them yet. */
Tensor *adjoint_of(Prog *, Tensor *);
void add_to_adjoint(Prog *, Statement *, Access of, Expr *rhs);

/* ---- unused.c: what nobody reads ------------------------------------------------------------- */

void remove_unused(Prog *);                                /* statements whose result nobody reads */

/* ---- merge.c: what is made twice ------------------------------------------------------------- */

void merge_equal(Prog *);                                  /* of what is made once a call */

/* ---- fold.c: scales and shifts into the sums before them ------------------------------------- */

void fold(Prog *);                                         /* of inference */

/* ---- interpret.c: the oracle ----------------------------------------------------------------- */

typedef struct Binding {  /* what a run reads and writes; all in double, samples outermost */
    int n;
    const double *x, *t;
    double *y;
    double *dx;                     /* may be NULL */
    double *state;                  /* net_next's: the tensors of net_state one behind the other */
    int64_t position;               /* and the number of the position */
    double **weights, **gradients;  /* by number of the weight in net->weights */
    double loss, inference_loss;    /* the mean loss in training, and that of the answers of inference */
    uint64_t rng;
    /* relative error of each result, at most, drawn from that seed: so it shows what rounding does to the
     * answers; 0: none */
    double rounding;
    uint64_t rounding_seed;
} Binding;

void interpret(const Prog *, Binding *);
double operation(Op, const double v[4]);                   /* the value of one that has operands */
double mean_of(const Net *, const Binding *);               /* OP_MEAN of the call */

#endif
