/* nnc.h: the one header of the compiler. The structs stand in the order of the stages,
 *
 *     text --parse--> Ast --resolve--> Net --lower--> Prog --differentiate--> Prog --plan--> Plan --emit--> C
 *
 * then the prototypes, by file. Each stage is one struct, one verb, one dump and one verifier. No stage looks
 * back, and none changes what the one before it made (differentiate adds to the Prog it is given).
 *
 * All memory comes from one arena (memory.c) and is freed with it, so no struct here says who owns what.
 */
#ifndef NNC_H
#define NNC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NNC_VERSION "0.2.0-dev"
#define NNC_INTERFACE 2   /* the NN_INTERFACE of the nn.h and libnn.a that generated code works with */

#if defined(__GNUC__)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN __attribute__((noreturn))
#else
#define PRINTF_LIKE(f, a)
#define NORETURN
#endif

/* ---- Places in the text ---------------------------------------------------------------------- */

/* Where something stands in the user's text: line and column from 1, the column in bytes. line 0: it
 * stands on the command line. */
typedef struct Loc {
    int line, column, length;
} Loc;

/* Where a piece of the network is used that stands elsewhere in the text, as a block does. */
typedef struct Use {
    Loc loc;
    const char *what;        /* "block down" */
    const struct Use *up;    /* and where that is used; NULL: in the network */
    const void *definition;
} Use;

typedef struct Source {
    const char *name;    /* as diagnostics print it: "net.nn", "<stdin>" */
    const char *text;    /* NUL-terminated, without a byte order mark */
    size_t length;
} Source;

typedef enum Warning { /* -W names in diag.c */
    WARN_UNROLL,       /* --unroll=full predicted to be unreasonable */
    WARN_PADDING,      /* a window that covers nothing but padding */
    WARN_LOSS,         /* a loss that takes probabilities for logits */
    WARN_UNUSED,       /* a branch whose output nobody uses */
    WARN_BATCH,        /* a batch too small for its statistics */
    WARN_LANES,        /* --lanes=samples where it does nothing */
    WARN_CHANNELS,     /* an input with its channels last */
    WARN_MOMENTUM,     /* batchnorm's momentum as Keras means it */
    WARN_SHORTCUT,     /* a label that names a branch's first layer where what comes in is meant */
    WARN_LABEL,        /* a label that nobody reads */
    NWARNINGS
} Warning;

/* ---- Ast: what was written -------------------------------------------------------------------- */

typedef struct Token {
    const char *text;    /* "16", "3x32x32", "1e-5", "reflect": what it means is the kind's affair */
    Loc loc;
} Token;

typedef enum ArgForm {
    ARG_PLAIN,           /* 10   3x32x32   k3x5   crossentropy:   value[0] */
    ARG_ARROW,           /* 3->16:                                value[0] -> value[1] */
    ARG_NAMED            /* pad=reflect   mean=0.49,0.48:         name, value[0..nvalues) */
} ArgForm;

typedef struct AstArg {
    ArgForm form;
    Loc loc;
    Token name;
    Token *value;
    int nvalues;
    struct AstArg *next;
} AstArg;

typedef struct AstStatement {
    Loc loc;             /* from the kind's first letter to the last argument's last, or to the ')' */
    Token label;         /* text NULL: none */
    Token kind;          /* text NULL: the label stands alone */
    AstArg *args;
    bool listed;         /* a list in parentheses follows: list[0..nlist) */
    Token *list;
    int nlist;
    bool braced;         /* statements in braces follow: body */
    struct AstStatement *body;
    struct AstStatement *next;
} AstStatement;

typedef struct Ast {
    const Source *source;
    AstStatement *statements;
} Ast;

/* ---- Kinds: the table of what a statement may be ----------------------------------------------- */

typedef struct Kind Kind;
typedef struct Layer Layer;
typedef struct Net Net;
typedef struct Prog Prog;
typedef struct Tensor Tensor;
typedef struct Statement Statement;

typedef enum ParamType {
    PARAM_PAIR,          /* 3 or 3x5, height x width: i[0], i[1] */
    PARAM_INT,           /* 4: i[0] */
    PARAM_NUMBER,        /* 0.01: list[0] */
    PARAM_NUMBERS,       /* 0.49,0.48,0.45: list[0..n) */
    PARAM_FLAG,          /* true or false: i[0] */
    PARAM_CHOICE,        /* one of the words in choices: i[0] is its number */
    PARAM_CHANNELS,      /* 16 or 3->16: i[0] is I or -1, i[1] is O */
    PARAM_SIZE,          /* 3x32x32 or 784: n sizes in i[] */
    PARAM_LABELS         /* names of tensors, all the rest of the statement: label[0..n); `most` of them */
} ParamType;

/* One argument that a kind takes; a table of these ends with name NULL. */
typedef struct Param {
    const char *name;    /* "k", "pad"; in capitals: has no name in the language, only a position */
    ParamType type;
    bool positional;     /* may be written without its name (`maxpool 2`, `conv 16`) */
    const char *fallback;/* its value when left out, as text; "": the kind's own; NULL: must be given */
    double least, most;  /* the range of its numbers, ends included */
    const char *choices; /* PARAM_CHOICE: "zeros|reflect|replicate|circular" */
    const char *help;
} Param;

/* The value of one argument, after resolve checked its form and range. */
typedef struct Arg {
    bool given;
    Loc loc;             /* of the argument, or of the statement if left out */
    int64_t i[3];
    int n;
    double *list;
    const Token *label;
} Arg;

typedef enum Role {
    ROLE_SETTING,        /* input, batch: says something of the network, computes nothing */
    ROLE_LAYER,
    ROLE_STRUCTURE,      /* repeat, block: gone once expand has written the network out */
    ROLE_FLOW,           /* from, freeze: computes nothing, but what follows starts from elsewhere, or what came learns not */
    ROLE_LOSS_STATEMENT, /* `loss`: its first word names the kind that does the work */
    ROLE_LOSS
} Role;

enum { MAX_ARGS = 12 };

struct Kind {
    const char *name;
    Role role;
    const char *syntax;  /* for the documentation and for errors: "conv [I->]O kK [sS] ..." */
    const char *help;
    const Param *params;
    /* Settings: writes itself into net. Layers: checks in's shape, sets out's shape, adds weights. Losses:
     * checks in's shape, sets the targets. Reports at the argument's place; false after an error. */
    bool (*shape)(Net *, Layer *);
    /* Writes the layer's meaning as statements; prog->training says which of two meanings. */
    void (*lower)(Prog *, const Layer *);
    /* Its own adjoint, where that is better than what the rules give; NULL: the rules. */
    void (*gradient)(Prog *, const Layer *);
    /* Layers: out is the greatest of some of in. And: a function of single elements that never falls, and doesn't rise where it
     * gives the same for two: it may follow on a maximum as well as go before it (commute.c). */
    bool greatest, rises;
    /* Losses: the kind whose input this one takes directly when it stands last ("softmax"). */
    const char *absorbs;
    /* Random examples for the tests that walk the table: statements separated by '|'. */
    const char *examples;
};

/* ---- Net: layers with shapes -------------------------------------------------------------------- */

/* The shape of one sample. A flat value has rank 1 and lies in c; h and w are then 1. */
typedef struct Shape {
    int rank;            /* 1: N; 3: C,H,W */
    int64_t c, h, w;
} Shape;

/* What flows between layers. */
typedef struct Value {
    int id;              /* 0, 1, ... in the order of the text */
    Shape shape;
    Layer *producer;     /* NULL: the network's input */
} Value;

typedef struct Weight {
    const char *name;    /* "conv1.weight" */
    int id;              /* its number in net->weights */
    int rank;
    int64_t dim[4];
    int64_t count;
    double low, high;    /* PyTorch's default initialisation: uniform in [low, high) */
    bool frozen;         /* does not learn: its gradient stays 0 */
    bool statistic;      /* no parameter, but what training keeps of the data: lies behind the first NET_FLOATS floats */
    /* Where it lies in net_params, set by plan: its axes in PyTorch's order, each with its stride. */
    int64_t offset, axis[4], stride[4];
    const Tensor *array; /* the tensor as it lies there */
    struct Weight *next;
} Weight;

struct Layer {
    const Kind *kind;
    const char *name;    /* its label, or kind and number */
    Loc loc;
    const Use *use;      /* of the block that it stands in; NULL: none */
    const char *text;    /* the statement as written, one line, with arguments put in */
    Arg arg[MAX_ARGS];   /* parallel to kind->params */
    const Token *label;  /* with which it begins a branch, a block, a repeat or the network; NULL: it does not */
    Arg freeze;          /* freeze=true, which every layer with weights takes */
    Value *in, *out;
    Value **more;        /* further inputs, for those that name some: add, concat, mul */
    int nmore;
    Weight *weight[4];
    int nweights;
    Layer *next;
};

struct Net {
    const Source *source;
    const char *file;    /* base name of the source file */
    Shape input;
    int64_t batch;
    bool inference;      /* nobody trains it here */
    Value *in, *out;     /* the network's input and its answer */
    int nvalues;
    Layer *layers, *last;
    Layer *loss;         /* kind's role is ROLE_LOSS */
    Value *loss_in;      /* what the loss reads: out, or the input of the layer that it absorbs */
    int64_t targets;     /* elements of one sample's target */
    bool int_targets;
    const double *class_weights; /* crossentropy's, one for each class; or NULL */
    Weight *weights, *last_weight; /* of all layers, in order */
    int nweights;
    int64_t nparams;
};

/* ---- Prog: loop statements ------------------------------------------------------------------------ */

enum { MAX_RANK = 5, MAX_INDEX = 8, BLOCK = MAX_INDEX, MAX_TERMS };

/* constant + sum of coefficient[i] * index i. BLOCK is no index of the statement: it stands for the number of the block where
 * kernels run block by block (block.c), and occurs in no Prog. */
typedef struct Affine {
    int64_t constant;
    int64_t coefficient[MAX_TERMS];
} Affine;

typedef enum TensorRole {
    TENSOR_INPUT,        /* x */
    TENSOR_OUTPUT,       /* y */
    TENSOR_TARGET,       /* t */
    TENSOR_WEIGHT,       /* a tensor of p */
    TENSOR_GRADIENT,     /* a tensor of g; zero when net_backward begins */
    TENSOR_LOSS,         /* the returned mean loss; zero when net_backward begins */
    TENSOR_CONSTANT,     /* data known here */
    TENSOR_VALUE         /* everything else: lies in the arena */
} TensorRole;

struct Tensor {
    int id;
    const char *name;    /* "conv1.out", "d_conv1.out"; unique in its Prog */
    TensorRole role;
    bool per_sample;     /* one for each sample of the call; accessed only at the sample at hand */
    bool is_int;         /* class labels */
    int rank;            /* 0: a single number */
    int64_t dim[MAX_RANK];
    int64_t count;
    /* How it lies in memory, once plan laid it out: row-major, along each dimension `room` floats, of which the
     * first `before` and those behind the last element are zeros (a halo) or padding to whole vectors. */
    int64_t before[MAX_RANK], room[MAX_RANK];
    int64_t floats;      /* product of room */
    bool overrun;        /* vectors that are read from it may reach behind its end: plan leaves room there */
    bool spaced;         /* the room behind its rows means nothing: planes a power of two apart would share lines of the cache */
    int axis[MAX_RANK];  /* which dimension of the network's tensor this one is */
    const Tensor *of;    /* this is that tensor, of all samples of a chunk; its id is the same */
    const Tensor *sum;   /* which its lanes add up to once the samples are through: samples.c */
    bool ragged;         /* dimension 0 is the sample: m of them are there, and what is read behind them is the last one's */
    const double *data;  /* TENSOR_CONSTANT */
    const Weight *weight;/* TENSOR_WEIGHT, TENSOR_GRADIENT */
    Tensor *adjoint;     /* its gradient, once differentiate made one */
    bool active;         /* depends on a weight, so its gradient is wanted */
    bool folded;         /* TENSOR_VALUE: a weight tensor, scaled; lies as that one does */
    Tensor *next, *same_hash;
};

typedef struct Access {
    Tensor *tensor;
    Affine at[MAX_RANK];
    bool padded;         /* may fall outside the tensor: windows over padding and leftover rows */
} Access;

typedef enum Op {
    OP_CONSTANT,         /* value */
    OP_LOAD,             /* access */
    OP_INDEX,            /* the number index, an affine form */
    OP_RANDOM,           /* uniform number in [0,1), number index of the sample's draws */
    OP_MEAN,             /* 1 / samples of the call; with class_weights 1 / sum of those of the call's targets */
    OP_SAMPLES,          /* samples of the call */
    OP_AT_HAND,          /* m, the samples that the lanes take at once: fewer than there are lanes at the end of a call */
    OP_ADD, OP_SUB, OP_MUL, OP_DIV,
    OP_EXP, OP_LOG, OP_LOG1P, OP_TANH, OP_SIGMOID, OP_ERF, OP_SQRT, OP_ABS,
    OP_IF_LE,            /* a <= b ? c : d */
    OP_IF_EQ,            /* a == b ? c : d */
    NOPS
} Op;

typedef struct OpInfo {
    const char *name;
    int arity;
    const char *text;    /* how a dump writes it, % for the operands in turn */
} OpInfo;
extern const OpInfo op_info[NOPS];

typedef struct Expr {
    Op op;
    struct Expr *arg[4];
    double value;
    Access access;
    Affine index;
} Expr;

typedef enum Store {
    STORE_SET,           /* out  = rhs, each element at most once */
    STORE_ADD,           /* out += rhs */
    STORE_MAX            /* out  = the greatest rhs, -inf where there is none; a NaN wins. position, where
                            given, gets the number of the first greatest: the indices that don't occur in
                            out, as one mixed-radix number, in their order */
} Store;

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
    int64_t macs;        /* multiply-adds of the contraction whose work it does another way; 0: it is as it was written */
    const char *method;  /* that way, and how many times as fast it is predicted to be */
    double gain;
    int phase;           /* which of the loops over samples it runs in, or before: see phases.c */
    int64_t blocks;      /* that the loop around it counts; 0: there is none */
    Statement *next;
};

typedef struct Commuted { /* a layer that does its work on other values than were written: see commute.c */
    const Layer *layer, *work;
    const struct Commuted *next;
} Commuted;

typedef struct Folded {  /* what a layer does is done by the weights of another: see fold.c */
    const Layer *layer, *into;
    const struct Folded *next;
} Folded;

enum { NAME_BUCKETS = 1021 };

struct Prog {
    const Net *net;
    bool training;
    Tensor *tensors, *last_tensor;
    Tensor *names[NAME_BUCKETS]; /* the tensors by the hash of their name in C */
    int ntensors;
    Statement *statements, *last_statement;
    Tensor *x, *y, *t, *loss;
    Tensor **value;      /* by Value id: the tensor that holds it, or NULL so far */
    Tensor **weight;     /* by Weight id */
    const Layer *layer;  /* statements made now belong to this one */
    bool backward;
    int64_t draws;       /* random numbers that one sample takes */
    const Commuted *commuted;
    int ncommuted;
    const Folded *folded;/* layers that have none of the statements that run for each sample */
};

/* ---- Plan: functions, tiles and buffers ------------------------------------------------------------ */

typedef enum Unroll { UNROLL_AUTO, UNROLL_FULL, UNROLL_TILE, UNROLL_NONE } Unroll;
typedef enum Math { MATH_AUTO, MATH_DIRECT, MATH_WINOGRAD } Math;
typedef enum Lanes { LANES_AUTO, LANES_CHANNELS, LANES_SAMPLES } Lanes;
typedef enum TargetName { TARGET_GENERIC, TARGET_SCALAR, TARGET_AVX2, TARGET_AVX512, TARGET_NEON, NTARGETS } TargetName;

typedef struct Target {
    const char *name;
    int lanes;           /* floats in a vector; 1: no vectors */
    int registers;       /* that hold a vector */
    const char *cflags;  /* the compile line that the head of net.c shows */
    int rows, vectors;   /* --tile: the only tile to take where it fits; 0: the best one */
    int blocks;          /* --blocks: the number of blocks to take where it fits; 0: the best one */
    struct Chosen **chosen; /* tiles that tile.c has chosen in this compilation; NULL: they aren't kept */
} Target;
extern const Target targets[NTARGETS];

typedef struct Options {
    const char *input_file, *output_file, *prefix;
    Unroll unroll;
    TargetName target;
    Math math;
    const char *filter;      /* MATH_WINOGRAD: the only one to use, by filter_option; NULL: the fastest that fits */
    Lanes lanes;
    int tile_rows, tile_vectors; /* --tile; 0: not given */
    int blocks;              /* --blocks; 0: not given */
    bool inference;
    const char *input_size;  /* --input, as text */
    const char *batch_size;  /* --batch, as text */
} Options;

typedef enum Form { /* what a statement looks like to the schedule */
    FORM_FILL,           /* out = constant */
    FORM_MOVE,           /* out = in */
    FORM_POINTWISE,      /* out = f(in...), no reduction */
    FORM_CONTRACTION,    /* out += u * v */
    FORM_TRANSFORM,      /* out += constant matrix * constant matrix * in: winograd.c's */
    FORM_WINDOW,         /* out max= in, or out += in times a constant, over a few taps */
    FORM_REDUCTION,      /* anything else that reduces */
    NFORMS
} Form;

/* How a region of a loop nest runs: a block of outputs in named registers. -1: no such index. */
typedef struct Tile {
    int lane;            /* the output index whose values lie in one vector */
    int width;           /* floats in a vector: the target's lanes, or 1 */
    int64_t factor[MAX_INDEX]; /* outputs in registers along each index, along the lane in vectors */
    bool unrolled[MAX_INDEX];  /* reduction indices written out: kernel taps */
    int parted;          /* the reduction index of which every parts-th point goes to another partial sum */
    int64_t parts;
    int blocked;         /* the reduction index that is cut into blocks, so that a block's operands stay near */
    int64_t block;
    double cycles;       /* predicted, for the whole region */
} Tile;

/* A part of a statement's box in which no access falls outside. */
typedef struct Region {
    int64_t begin[MAX_INDEX], count[MAX_INDEX];
    bool empty;          /* no tap of it lies inside: out keeps its first value */
    Tile tile;
    Tile rest;           /* for the samples that are left over by a tile of several */
    struct Region *next;
} Region;

enum { MAX_THEN = 4, MAX_FOLLOWERS = 14 };

/* One loop nest: an optional first value of out and the statement that accumulates onto it. */
typedef struct Kernel {
    Form form;
    Statement *first;    /* STORE_SET, or NULL: out holds its first value already (or -inf for max) */
    Statement *body;     /* STORE_ADD or STORE_MAX, or NULL */
    Region *regions;     /* under tile and full, the largest first; NULL: plain loops with tests, or under full no vectors */
    int64_t terms;       /* points of body that lie inside, else of first */
    bool straight;       /* each tile is code of its own: no loop but that over the samples */
    Statement *then[MAX_THEN]; /* pointwise statements on the value just made, while it is in registers */
    int nthen;
    bool dropped[MAX_THEN + 1]; /* out, then[0].out, ...: only the next of `then` reads it, so it isn't stored */
    struct Kernel *window; /* a nest over windows on the last value, run where a tile of it is in registers; or NULL */
    struct Kernel *followers; /* what else is done with the values in the registers of a tile: see follow.c */
    int row;             /* the index along which followers take sums or maxima, so that tiles hold all of it; -1: none does */
    int64_t step[MAX_INDEX]; /* for each of this nest's outputs' indices: how many points of it one window takes, */
    int along[MAX_INDEX]; /* and for each of the window's: which of this nest's it goes with */
    int samples;         /* the index that runs over the samples of a chunk, or -1 */
    int64_t blocks;      /* it runs in a loop over so many blocks (block.c); 0: it does not */
    bool joins;          /* that loop is the one of the kernel before it */
    double cycles;       /* predicted */
    struct Kernel *next;
} Kernel;

/* What one layer does in one direction: a static function of net.c. */
typedef struct Function {
    const char *name;    /* "conv1_forward" */
    const Layer *layer;
    bool backward;
    const char *signature; /* what its code depends on */
    const struct Function *twin; /* an earlier one with the same code, which is called in its place; or NULL */
    Kernel *kernels;
    Tensor **param;      /* formal parameters: what it reads, then what it writes */
    bool *param_written;
    int nparams;
    Unroll unroll;       /* FULL, TILE or NONE */
    Kernel *straight;    /* under auto: what it would be under full; NULL: that is not to be had, or decided */
    bool uses_random, uses_mean, uses_samples, uses_at_hand;
    bool per_call;       /* runs once, before the samples of its phase, of which there may be none */
    int phase;
    bool batched;        /* takes all samples of a chunk at once */
    bool brief;          /* so short that the C compiler may inline it */
    bool gone;           /* all it did is done by others */
    int64_t macs;        /* multiply-adds of its contractions */
    int64_t terms;       /* instances of its statements for one sample, under full of their vectors */
    double cycles;       /* predicted for one sample */
    const char *why;     /* why auto chose as it did; a phrase */
    struct Function *next;
} Function;

typedef struct Buffer {  /* an interval of the arena, for one tensor (and those that share it) */
    Tensor *tensor;
    int64_t offset, size;/* floats; of all its samples */
    int64_t samples;     /* how many samples' it holds: 1, the pass's chunk, or the batch where it lives on into another phase */
    bool whole_batch;
    bool prepared;       /* lies with what is worked out of the weights beforehand, not in the arena */
    bool lasting;        /* is touched by what runs for each sample */
    int begin, end;      /* first and last call that touches it */
    struct Buffer *next;
} Buffer;

typedef struct Pass {    /* net_forward, or net_backward */
    Prog *prog;
    const Target *target;/* whose vectors it has: the plan's, but for the lanes where they lie over samples */
    int64_t samples;     /* that lie in the lanes of a vector, one in each (samples.c); 0: lanes lie over channels */
    Function *functions; /* called in this order for each sample, or for as many as lie in lanes */
    Tensor **root;       /* by tensor id: the tensor whose memory it shares, often itself */
    Buffer *buffers;
    int64_t chunk;       /* samples that are taken through the batched functions together; 0: there are none */
    int64_t batch;       /* the most samples of a call */
    bool prepares;       /* what it does once a call, which asks the weights alone, is done beforehand where it can be */
    int64_t prepared;    /* floats of that; where it can't, they lie at the end of the arena */
    int64_t arena;       /* floats */
} Pass;

typedef struct Plan {
    const Net *net;
    const Options *options;
    const Target *target;
    const char *prefix, *PREFIX;
    Pass forward, training;
    int64_t floats;      /* of net_params, without the statistics behind them */
    int64_t all_floats;  /* with them; behind lies what is prepared */
    int64_t arena;       /* floats of net_work's arena */
} Plan;

/* ---- memory.c: the arena --------------------------------------------------------------------------- */

void *allocate(size_t count, size_t size);                 /* zeroed; exits 2 when there is none */
#define NEW(type) ((type *)allocate(1, sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)allocate((size_t)(n), sizeof(type)))
char *format(const char *fmt, ...) PRINTF_LIKE(1, 2);      /* sprintf into the arena */
char *vformat(const char *fmt, va_list) PRINTF_LIKE(1, 0);
char *copy_text(const char *text, size_t length);
void free_all(void);

/* A stream into memory. Whoever opened it reads text when it is closed, and frees it. */
typedef struct TextStream {
    FILE *file;
    char *text;                    /* NUL-terminated */
    size_t length, room;
} TextStream;

FILE *open_text(TextStream *);
void close_text(TextStream *);                             /* exits 2 when something of it was lost */

/* ---- diag.c: the three voices for errors ------------------------------------------------------------- */

typedef enum Color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } Color;

/* Starts a compilation: where messages go, and whose text they quote. */
void diag_start(FILE *out, const Source *source, Color color);
bool warning_option(const char *name);                     /* "unroll", "no-unroll", "error", ...; false: unknown */
void warning_reset(void);
const char *warning_names(void);                           /* for --help */
const char *closest_warning(const char *name);             /* or NULL */

void error_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);      /* the user's text is wrong: goes on */
void note_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);       /* belongs to the message before it */
void help_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);       /* the same: what to write instead */
void diag_inside(const Use *);                                   /* messages from now on are about the text inside; NULL: none */
void warning_at(Warning, Loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
int  error_count(void);
bool errors_are_shown(void);                                     /* false: there are so many that the next is not */
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;      /* the environment failed: exits 2 */
void bug(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;       /* we are wrong: aborts */
const char *closest(const char *word, const char *const *candidates, int n); /* "did you mean"; or NULL */

/* ---- options.c: the command line ---------------------------------------------------------------------- */

typedef enum Dump { DUMP_NONE, DUMP_AST, DUMP_NET, DUMP_PROG, DUMP_GRAD, DUMP_PLAN } Dump;

/* What the command line asks for: Options for the stages, the rest for main. */
typedef struct Command {
    Options options;
    bool check, summary;
    Dump dump;
    bool writes;                   /* FILE.c and FILE.h are wanted */
    const char *header_file;       /* FILE.h */
    const char *dependency_file;   /* -MD: where to; NULL: none */
    const char *dependency_target; /* -MT; NULL: both files */
    Color color;
} Command;

Command parse_options(int argc, char **argv);              /* exits 2 on misuse, 0 after --help */

/* ---- files.c: reading a network, writing whole files or none -------------------------------------------- */

void start_files(void);                                    /* before anything is opened */
Source *read_source(const char *path);                     /* "-": standard input */
FILE *open_output(const char *path);                       /* a new file, unseen until install_outputs */
void install_outputs(void);                                /* all of them, or none and exit 2 */
void finish_stdout(void);                                  /* exits 2 if what was printed did not arrive */
bool same_file(const char *a, const char *b);

/* ---- parse.c and grammar/: text to Ast ---------------------------------------------------------------- */

Ast *parse(const Source *);                                /* NULL after errors */
void dump_ast(FILE *, const Ast *);
void verify_ast(const Ast *);
bool is_identifier(const char *);

/* ---- expand.c: repeats written out, blocks in the place of their calls ---------------------------------- */

typedef struct Scope Scope;
typedef struct Written { /* a statement of the network */
    const AstStatement *statement; /* arguments put in */
    const AstStatement *origin;    /* as it was written */
    const char *text;
    const Scope *scope;
    const Use *use;      /* NULL: it stands in the network itself */
    bool end_of_call;    /* none: here ends a call, whose label this is */
    Layer *layer;        /* once read; NULL: a label alone */
} Written;

Written *expand(const Ast *, const Scope *, int *count);   /* what there is after errors, too */

/* ---- names.c: what layers and labels are called -------------------------------------------------------- */

typedef struct Names Names;                                /* all names of a network */
struct Scope {           /* where a label can be seen */
    Names *names;
    int id;
    const struct Scope *outer; /* whose labels can be seen too; NULL: none */
    const char *prefix;  /* of the names in it: "", "stem." */
    bool repeated;       /* labels stand in it several times: they get numbers as well */
};

Names *new_names(void);
Scope *new_scope(Names *, const Scope *outer, const char *prefix, bool repeated);
/* The next name for a label, or where its text is NULL for a word: "conv2". NULL after an error: it is taken. */
const char *take_name(const Scope *, const Token *label, const char *word, const char *what, Loc);
void set_label(const Scope *, const Token *label, const char *what, Value *, Loc);
Value *find_label(const Scope *, const Token *label);      /* NULL after an error */
void warn_of_labels(const Names *);                        /* that are never used */

/* ---- kinds.c and layer/: the table --------------------------------------------------------------------- */

extern const Kind *const kinds[];
extern const int nkinds;
const Kind *find_kind(const char *name);                   /* NULL: none */

/* ---- words.c: what other tools call things ---------------------------------------------------------------- */

typedef enum WordUse { WORD_KIND, WORD_LOSS, WORD_ARGUMENT, WORD_VALUE } WordUse;

typedef struct Word {
    WordUse use;
    const char *word;    /* in small letters, without '_' */
    const char *ours;    /* what nnc has for it; "": nothing, and nothing is needed; NULL: see say */
    const char *say;     /* what ours does not say: "is not in ...", "write ..." */
} Word;
extern const Word foreign_words[];
extern const int nforeign_words;
const Word *find_word(WordUse, const char *text, const Word *after); /* the next row behind that; NULL: none */
bool same_word(const char *, const char *);                /* but for upper and lower case and '_' */

/* ---- resolve.c, arguments.c: Ast to Net ---------------------------------------------------------------------- */

enum { MOST_ELEMENTS = 0x7fffffff };                       /* of a tensor: so that an int counts them */

Net *resolve(const Ast *, const Options *);                /* NULL after errors */
void dump_net(FILE *, const Net *);
void verify_net(const Net *);
/* False after errors. Then *corrected is the statement as it should be, if that is known; else NULL. */
bool read_arguments(const AstStatement *, const Kind *, Layer *, const char **corrected);
const Kind *kind_meant(const char *word, bool loss);       /* by another spelling or tool; or NULL */
const char *shape_text(Shape);                             /* "16x8x8" or "784" */
int64_t shape_count(Shape);
Shape flat_shape(int64_t n);
Shape image_shape(int64_t c, int64_t h, int64_t w);
/* For the kinds' shape functions. */
const Arg *arg_of(const Layer *, const char *param);
bool same_shape(Net *, Layer *);                           /* out is as in: a whole shape function */
bool pool_shape(Net *, Layer *);                           /* out has the channels of in and a window's h and w */
bool add_weight(Net *, Layer *, const char *name, int64_t fan_in, int rank, const int64_t *dim);
int64_t parameters_of(const Layer *);                       /* that are learnt */
bool add_statistic(Net *, Layer *, const char *name, double start, int rank, const int64_t *dim);
bool check_channels(const Layer *, int64_t come_in);       /* I of `I->O` */
bool groups_divide(const Arg *groups, int64_t channels, const char *what); /* "input channels" */
bool want_image(const Layer *);                            /* error unless the input is CxHxW */
void say_where_from(const Value *);                        /* a note: which layer gives it, and its shape */
/* Gives out's h and w for a window with the arguments k, s, p and d (those that the kind has). */
bool slide_window(const Layer *, int64_t *h, int64_t *w);

typedef struct Window { /* a window's geometry; [0] is height, [1] width */
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} Window;
Window window_of(const Layer *);                           /* after shape */

/* ---- summary.c ------------------------------------------------------------------------------------------------- */

void print_summary(FILE *, const Plan *);

/* ---- commute.c: functions that may follow on a maximum do so --------------------------------------------------- */

bool follows_maximum(const Net *, const Layer *);          /* is it lowered with the maximum that reads it? */
const Layer *followed_by(const Net *, const Layer *);      /* the layer that follows on this one instead of going before; or NULL */
void lower_commuted(Prog *, const Layer *maximum, const Layer *follower);
const Layer *work_of(const Prog *, const Layer *);         /* the layer with the values that it works on */

/* ---- prog.c: building, dumping and verifying statements --------------------------------------------------- */

Prog *lower(const Net *, bool training);
void dump_prog(FILE *, const Prog *);
void dump_statement(FILE *, const Statement *);
void verify_prog(const Prog *);

Tensor *new_tensor(Prog *, TensorRole, const char *name, bool per_sample, int rank, const int64_t *dim);
Tensor *tensor_of(Prog *, const Value *);                  /* the tensor that holds a value */
Tensor *weight_tensor(Prog *, const Weight *);
Tensor *weight_view(Prog *, const Weight *, int rank, const int64_t *dim); /* its numbers under another shape */
Tensor *part_of(Prog *, const char *part, int rank, const int64_t *dim); /* per sample: "softmax1.sum" */
Tensor *shared_part_of(Prog *, const char *part, int rank, const int64_t *dim); /* one for all samples of the call */
Tensor *find_part(Prog *, const char *part);               /* made earlier for the layer at hand */
Tensor *constant_tensor(Prog *, const char *part, int rank, const int64_t *dim, const double *data);
int shape_dims(Shape, int64_t dim[MAX_RANK]);              /* C,H,W or N; gives the rank */
void lower_pointwise(Prog *, const Layer *, Expr *(*function)(Expr *in, const Layer *)); /* out = function(in) */

Statement *new_statement(Prog *);                          /* becomes part of prog when store() completes it */
Affine index_of(Statement *, const char *name, int64_t extent); /* a new index; the constant 0 if extent is 1 */
/* Where tap `tap` of the window at `position` lies along axis 0 (height) or 1 (width). */
Affine window_at(const Window *, int axis, Affine position, Affine tap);
Affine affine(int64_t constant);
Affine affine_add(Affine, Affine);
Affine affine_scale(Affine, int64_t);
bool affine_equal(const Affine *, const Affine *);
bool affine_is_constant(const Affine *);
void affine_range(const Affine *, const Statement *, int64_t *least, int64_t *most); /* over the box */
Access access_at(Tensor *, ...);                           /* tensor->rank Affines */
Access padded(Access);
Access element(Statement *, Tensor *);                     /* each element once: makes the indices c y x */
Access same_place(Access, Tensor *);                       /* the same indices in a tensor of the same shape */
Access without_channel(Access, Tensor *);                  /* C,H,W to H,W, and N to a single number */
bool access_equal(const Access *, const Access *);
Affine position_of(Access);                                /* of the element in memory, row-major */
void store(Prog *, Statement *, Store, Access out, Expr *rhs); /* completes a statement and appends it */
void complete(Statement *, Store, Access out, Expr *rhs);  /* without appending; orders the indices */
Affine substitute(Affine, const Affine *map);              /* map[i] in the place of index i */
Access substitute_access(Access, const Affine *map);
Expr *substitute_expr(const Expr *, const Affine *map);
void add_to_loss(Prog *, Statement *, Expr *term);         /* loss += the mean of term over elements and samples */
Statement **insert_statement(Statement **link, Statement *); /* gives the link behind it */
int output_indices(const Statement *);                     /* how many indices occur in out; they come first */
bool covers_tensor(const Statement *, const Access *);     /* every point another element, and all of them */

Expr *constant(double);
Expr *load(Access);
Expr *index_value(Affine);
Expr *random_value(Affine);
Expr *mean_value(void);
Expr *samples_value(void);
Expr *at_hand_value(void);
Expr *share_of_mean(const Prog *);                         /* 1 / (samples * elements of a target), or OP_MEAN */
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

/* ---- differentiate.c: reverse mode ---------------------------------------------------------------------------- */

void differentiate(Prog *);
/* For the kinds' own gradients: the gradient that came in for an element, and a contribution to another. */
Expr *adjoint_at(Prog *, Access);
void add_to_adjoint(Prog *, Statement *, Access of, Expr *rhs);
void remove_unused(Prog *);                                /* statements whose result nobody reads */

/* ---- fold.c: scales and shifts into the sums before them --------------------------------------------------------- */

void fold(Prog *);                                         /* of inference */

/* ---- phases.c: which statements may run in one loop over the samples --------------------------------------------- */

void order_phases(Prog *);                                 /* sets phase, sorts the statements by it */

/* ---- interpret.c: the oracle -------------------------------------------------------------------------------------- */

typedef struct Binding {  /* what a run reads and writes; all in double, samples outermost */
    int n;
    const double *x, *t;
    double *y;
    double **weights, **gradients;  /* by number of the weight in net->weights */
    double loss;
    uint64_t rng;
} Binding;

void interpret(const Prog *, Binding *);
double mean_of(const Net *, const Binding *);               /* OP_MEAN of the call */

/* ---- plan.c and its rewrites: Prog to Plan ------------------------------------------------------------------ */

Plan *make_plan(const Net *, Prog *forward, Prog *training, const Options *);
void dump_plan(FILE *, const Plan *);
void verify_plan(const Plan *);
int64_t box_volume(const Statement *);
Form form_of(const Statement *);
const char *form_name(Form);
const Statement *statement_of(const Kernel *);               /* the one that gives the nest its indices: body, or else first */
int64_t predicted_bytes(const Function *);                 /* of machine code, written out */
double predicted_seconds(const Function *);                /* of gcc -O2 on that */

Prog *lay_out(const Prog *, const Target *, const Options *); /* layout.c: a copy, with every tensor's place in memory */
/* The same with the samples in the lanes of `over`; weights lie as the first target has them. */
Prog *lay_out_samples(const Prog *, const Target *, const Target *over);
bool samples_fit_lanes(const Prog *);                      /* samples.c: can each lane take a sample? */
void warn_of_lanes(const Prog *training, const Options *); /* samples.c: where --lanes=samples does nothing */
void put_samples_in_lanes(Prog *, int lanes);              /* samples.c: after weights are laid out, before anything else */
bool worth_a_halo(const Statement *, const Target *);       /* layout.c: few points more with zeros around what it reads */
void use_winograd(Prog *, const Target *, const Options *);  /* winograd.c */
const char *filter_option(int number);                       /* winograd.c: as --math names a filter; NULL behind the last */
double filter_error(int number, double products);            /* winograd.c: a bound, relative to the largest result */
#define MOST_FORWARD_ERROR 1e-5                              /* where that is more, --math=auto does not take a filter */
#define MOST_GRADIENT_ERROR 1e-4
double predicted_cycles(const Statement *first, const Statement *body, const Target *); /* plan.c: as one kernel */
Kernel *gather(const Statement *first, const Statement *scatter); /* gather.c; NULL: can't be */
/* plan.c: the statements of a kernel: first, body, then what follows on them; those of its window last. */
enum { MAX_PARTS = 2 * (2 + MAX_THEN) + 2 * MAX_FOLLOWERS };
void parts_of(Kernel *, Statement **part[MAX_PARTS], int *n);
void run_in_blocks(Pass *, const Target *);                /* block.c */
bool uses_op(const Expr *, Op);
int64_t weights_used_once(const Function *);               /* how many it uses once for each sample; 0 if they are few */
void fuse(Pass *);                                         /* fuse.c: runs what is done with a value where it is in a register */
/* split.c: false where it can't be; partition: each output belongs to exactly one region. exchange has a bit for each
 * condition of which the other index is to be cut; false behind the last. */
bool split_regions(const Statement *, int lanes, unsigned exchange, Region **regions, bool *partition);
enum { MOST_REGIONS = 64 };
/* tile.c: the split that is predicted to be fastest; NULL: there is none of few regions. */
Region *best_split(const Statement *, const Target *, bool *partition, double *cycles);
bool needs_guard(const Statement *);                       /* does some access fall outside? */
bool gathers(const Statement *);                           /* gather.c: is each output summed in one place? */
struct Chosen **no_tiles_chosen(void);
void choose_tiles(Kernel *, const Target *);               /* tile.c: for each region; cycles INFINITY: none fits the window */
bool set_window(Kernel *, const Kernel *window);           /* window.c: those in its part; false where tiles can't hold whole ones */
int64_t places_taken(const Access *, const Statement *);   /* elements that it takes; 0: not a box of them, each once */
int64_t elements_made(const Kernel *);                     /* of its last value; 0: not a box of them, each once */
/* follow.c: appends what the consumer does to what follows on the maker's tiles; false where that can't be. */
bool add_follower(Kernel *maker, const Kernel *consumer);
const Access *held_in_registers(const Kernel *, const Tensor *); /* where its tiles hold that value; NULL: they don't */
bool adds_to_memory(const Kernel *follower);
bool is_spread(const Kernel *maker, const Kernel *follower);
bool rhs_depends_on(const Statement *, int index);
bool follower_in_vectors(const Kernel *follower, int lane); /* tile.c: may the maker's index lie in lanes? */
Region window_region(const Kernel *, const Region *);      /* what the window does where the kernel does that region */
Tile window_tile(const Kernel *, const Tile *);
Tile no_tile(void);
bool is_contraction(const Statement *);                    /* out += u v */
bool is_transform(const Statement *);                      /* out += p q v, with constants p and q */
bool takes_samples_in(const Statement *);                  /* samples.c: moves what the caller gives into lanes */
bool adds_up_lanes(const Statement *);                     /* samples.c: gives the sum of what lanes have summed up */
int matrix_index(const Statement *, int matrix, bool output); /* tile.c: the index by which a transform's matrix steps */
bool is_batch(const Statement *, int index);               /* tile.c: is it an index of all three of out += u v? */
bool in_vectors(const Statement *, int lane);              /* tile.c: can that index lie in lanes? */
double expr_cycles(const Expr *, int width);               /* tile.c: a prediction */
int64_t region_volume(const Region *, const Statement *);
bool depends_on(const Access *, int index);
int64_t stride_of(const Access *, int index);              /* in elements, row-major */
void share_moves(Pass *);                                  /* place.c: moves that change nothing share memory */
void place(Pass *, int lanes);                             /* place.c: an offset for each buffer */
const Buffer *buffer_of(const Pass *, const Tensor *);     /* NULL: not in the arena */

/* ---- emit.c, kernel.c: Plan to C ----------------------------------------------------------------------------- */

void emit_header(FILE *, const Plan *);
void emit_source(FILE *, const Plan *, const char *header_name);
typedef struct Uses {    /* what the printed functions call by name */
    bool vectors, all, load_first, store_first, first, select, greater, absolute, lanes, each, sum, greatest;
    unsigned scalar_math, vector_math;
} Uses;

/* Notes in tables[] (by tensor id of the function's Prog) which constants the code reads by name, and its uses. kind stands
 * behind the names of what vectors are and what is done with them. */
void emit_function(FILE *, const Plan *, const Function *, const char *kind, bool *tables, Uses *);
const char *c_name(const char *);                          /* "conv1.weight" as an identifier */
const char *c_float(double);                               /* a literal that reads back exactly */

/* ---- math.c: exp, tanh, sigmoid, log, log1p, erf and sqrt for net.c ------------------------------------------------------------ */

enum { MATH_EXP = 1, MATH_TANH = 2, MATH_SIGMOID = 4, MATH_LOG = 8, MATH_LOG1P = 16, MATH_ERF = 32, MATH_SQRT = 64 };

/* Prints those of exp_f, tanh_f, ... (on float) that are in scalar_set and those of exp_v, tanh_v, ... (on `vec`, a
 * vector of `lanes` floats; macros that evaluate x once) that are in vector_set, with what they need; nothing for 0.
 * Before them stand math.h, stdint.h, string.h and the typedef of vec. kind stands behind vec and each name: exp_v16. */
void emit_math(FILE *, int lanes, const char *kind, unsigned scalar_set, unsigned vector_set);

#endif
