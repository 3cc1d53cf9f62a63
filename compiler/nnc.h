/* nnc.h: what all stages share: the version, places in the text, what the command line asks for.
 *
 *     text --front--> Ast, Net --layer--> Prog --program--> Prog --schedule--> Plan --back--> C
 *
 * Each folder has one header of its own, which includes those of the folders that it may call:
 * base, front, program, layer, schedule, back, in this order. main.c and options.c stand above them.
 *
 * All memory comes from one arena (base/memory.c) and is freed with it, so no struct says who owns what. */
#ifndef NNC_H
#define NNC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NNC_VERSION "0.2.0-dev"
#define NNC_INTERFACE 5   /* the NN_INTERFACE of the nn.h and libnn.a that generated code works with */

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
typedef struct Source Source;
typedef struct Loc {
    int line, column, length;
    const Source *source;    /* NULL: the file that is compiled */
} Loc;

/* Where a piece of the network is used that stands elsewhere in the text, as a block does. */
typedef struct Use {
    Loc loc;
    const char *what;        /* "block down" */
    const struct Use *up;    /* and where that is used; NULL: in the network */
    const void *definition;
} Use;

struct Source {
    const char *name;    /* as diagnostics print it: "net.nn", "<stdin>" */
    const char *text;    /* NUL-terminated, without a byte order mark */
    size_t length;
    Loc included;        /* where it is included; line 0: nowhere */
};

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
    WARN_SOFTMAX,      /* softmax of a softmax */
    WARN_LINEAR,       /* two linear layers with nothing between them */
    WARN_DROPOUT,      /* dropout of what the loss sees */
    WARN_RELU,         /* logits that cannot be below 0 */
    WARN_ROWS,         /* a window that leaves rows out */
    WARN_DEFINE,       /* -D of what the text does not use */
    NWARNINGS
} Warning;

/* ---- What the command line asks for ---------------------------------------------------------- */

typedef enum Unroll { UNROLL_AUTO, UNROLL_FULL, UNROLL_TILE, UNROLL_NONE } Unroll;
typedef enum Math { MATH_AUTO, MATH_DIRECT, MATH_WINOGRAD } Math;
typedef enum Lanes { LANES_AUTO, LANES_CHANNELS, LANES_SAMPLES } Lanes;
typedef enum TargetName {
    TARGET_GENERIC,
    TARGET_SCALAR,
    TARGET_AVX2,
    TARGET_AVX512,
    TARGET_NEON,
    NTARGETS
} TargetName;
typedef struct Options {
    const char *input_file, *output_file, *prefix;
    Unroll unroll;
    TargetName target;
    Math math;
    /* MATH_WINOGRAD: the only one to use, by filter_option; NULL: the fastest that fits */
    const char *filter;
    Lanes lanes;
    int tile_rows, tile_vectors; /* --tile; 0: not given */
    int blocks;              /* --blocks; 0: not given */
    bool inference;
    const char *weights_file; /* --weights; NULL: not given */
    bool is_static;          /* --static: one file, no name of which other files see */
    bool stream;             /* --stream: one position of a sequence at a time, too */
    bool main;               /* --main: the program around the network */
    bool mpi;                /* --main=mpi: as one of several processes */
    bool traced;             /* --dump=STEP, --dump=all: each step of the schedule is kept as text */
    const char *input_size;  /* --input, as text */
    const char *batch_size;  /* --batch, as text */
    const char *loss;        /* --loss: a kind's name, whatever the text says; NULL: as it says */
    const char **folders;    /* -I */
    int nfolders;
    const char **define;     /* -D: "NAME=VALUE" */
    int ndefines;
} Options;

typedef enum DiagnosticsFormat { DIAGNOSTICS_TEXT, DIAGNOSTICS_JSON, DIAGNOSTICS_SARIF } DiagnosticsFormat;
typedef enum Graph { GRAPH_NONE, GRAPH_DOT, GRAPH_SVG } Graph;
typedef enum Color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } Color;

typedef enum Dump {
    DUMP_NONE,
    DUMP_AST,
    DUMP_NET,
    DUMP_PROG,
    DUMP_GRAD,
    DUMP_PLAN,
    DUMP_ALL,
    DUMP_STEP
} Dump;
/* What the command line asks for: Options for the stages, the rest for main. */
typedef struct Command {
    Options options;
    bool check, summary;
    Graph graph;                   /* --graph */
    bool pytorch;                  /* --pytorch */
    bool json;                     /* --summary=json */
    int64_t ram, flash;            /* --fits: bytes; 0: not asked */
    unsigned modes;                /* --verify: a bit for each Unroll; 0: not asked */
    uint64_t seed;                 /* and of its numbers */
    Dump dump;
    const char *step;              /* DUMP_STEP: its name */
    bool writes;                   /* FILE.c and FILE.h are wanted */
    bool to_stdout;                /* -o -: the C goes there */
    const char *header_file;       /* FILE.h; NULL: what it holds stands in the C */
    bool dependencies;             /* -MD */
    bool phony;                    /* -MP */
    const char *dependency_file;   /* -MD: where to; NULL: none */
    const char *dependency_target; /* -MT; NULL: both files */
    Color color;
    DiagnosticsFormat format;
    struct Command *next;          /* for the next of several networks */
} Command;

struct Net;
struct Plan;
const float *constant_weights(const struct Plan *, const char *path); /* weights.c: net_params; exits 2 */
float *read_weights(const struct Plan *, const char *path); /* the same, not prepared */
struct Command;
bool verify_network(const struct Command *, const struct Net *); /* verify.c: prints it; false: it is wrong */
extern const char words_of_pytorch[];                      /* that a label may be and an attribute may not */
void print_pytorch(FILE *, const struct Net *, const char *prefix); /* pytorch.c */
void print_layers(const char *kind);                       /* about.c; NULL: all; exits 2: unknown */
struct Param;
const char *param_form(const struct Param *);              /* about.c: how it is written: "kN or kHxW" */
void print_example(const char *name);
/* outputs.c: a command for each network, with the names of what it writes; exits 2 where that can't be */
Command name_outputs(const Command *all, const char *const *inputs, int ninputs);
Command parse_options(int argc, char **argv);              /* exits 2 on misuse, 0 after --help */

#endif
