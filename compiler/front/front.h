/* front.h: text to Ast to Net.
 *
 * Ast is what was written; Net is layers with shapes, names and checked arguments, in an order in which
 * each stands behind those that it reads. What is wrong with a network is reported here, at its place;
 * later stages may rely on a Net. */
#ifndef NNC_FRONT_FRONT_H
#define NNC_FRONT_FRONT_H

#include "base/base.h"

/* ---- Ast: what was written ------------------------------------------------------------------- */

typedef struct Token {
    const char *text;    /* "16", "3x32x32", "1e-5", "reflect": what it means is the kind's affair */
    Loc loc;
    bool quoted;         /* a label in quotes, which text leaves out and loc takes in */
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

/* What is wrong with a statement is said once, however often it is used, and what was meant is kept. */
typedef struct Mistake {
    bool made;
    const struct Kind *meant; /* the kind, where the one written is unknown; NULL: nobody knows */
} Mistake;

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
    Token file;          /* include: its name, with the quotes; its statements are body */
    const Source *included; /* include: its text; NULL: after an error */
    bool first;          /* of its file */
    bool broken;         /* by a syntax error: label and kind are what there was of them */
    Mistake *mistake;
    struct AstStatement *next;
} AstStatement;

typedef struct Ast {
    const Source *source;
    AstStatement *statements;
    const char **included; /* the paths of the files that are included */
    int nincluded;
} Ast;

/* ---- Kinds: the table of what a statement may be --------------------------------------------- */

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
    PARAM_SIZE,          /* 3x32x32, 64x128 or 784: n sizes in i[] */
    PARAM_SIDES,         /* 1 or 0x1x0x1: i[] above, below, left, right */
    PARAM_OF,            /* of 256: its name, then a number of its own: i[0] */
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
    int64_t i[4];
    int n;
    double *list;
    const Token *label;
} Arg;

typedef enum Role {
    ROLE_SETTING,        /* input, batch: says something of the network, computes nothing */
    ROLE_LAYER,
    ROLE_STRUCTURE,      /* repeat, block: gone once expand has written the network out */
    /* from, freeze: computes nothing, but what follows starts from elsewhere, or what came learns not */
    ROLE_FLOW,
    ROLE_LOSS_STATEMENT, /* `loss`: its first word names the kind that does the work */
    ROLE_LOSS
} Role;

typedef enum Takes { TAKES_NUMBERS, TAKES_TOKENS, TAKES_BOTH } Takes;

enum { MAX_ARGS = 12 };
struct Kind {
    const char *name;
    Role role;
    const char *syntax;  /* for the documentation and for errors: "conv [I->]O kK [sS] ..." */
    const char *help;
    const Param *params;
    /* Settings: writes itself into net. Layers: checks in's shape, sets out's shape, adds weights. Losses:
     * checks in's shape, sets the targets. Reports at the argument's place; false after an error: then out's
     * shape is what was meant, or is left unknown, and what follows is silent until a size is known. */
    bool (*shape)(Net *, Layer *);
    /* Writes the layer's meaning as statements; prog->training says which of two meanings. */
    void (*lower)(Prog *, const Layer *);
    /* Its own adjoint, where that is better than what the rules give; NULL: the rules. */
    void (*gradient)(Prog *, const Layer *);
    /* Layers: out is the greatest of some of in. And: a function of single elements that never falls, and
     * doesn't rise where it gives the same for two: it may follow on a maximum as well as go before it
     * (commute.c). */
    bool greatest, rises;
    /* Losses: the kind whose input this one takes directly when it stands last ("softmax"). */
    const char *absorbs;
    /* input, output: the layer that one is of several */
    const Kind *layer;
    bool fallback;       /* Losses: taken where none is given and none absorbs what stands last */
    bool probabilities;  /* Layers: the output is the probabilities of classes */
    bool begins;         /* Settings: must be the first statement of its file */
    bool features;       /* Layers: messages speak of features, not of channels */
    bool linear;         /* Layers: sums of products of weights and inputs, and no more */
    bool clips, drops;   /* Layers: nothing below 0 goes out; elements are dropped in training */
    bool sizes_itself;   /* Layers: has weights, but no argument for their number */
    /* Layers, for --stream. each_position: of a sequence it works on each position alone, so that its `lower`
     * of a sequence of one says what it does with one. next: writes that where it asks what came before, too.
     * looks_ahead: why it waits for later positions all the same; NULL: it doesn't. *instead: the argument
     * with which it doesn't, where there is one. */
    bool each_position;
    void (*next)(Prog *, const Layer *);
    const char *(*looks_ahead)(const Layer *, const char **instead);
    Takes takes;         /* Layers: what they read */
    /* Layers and losses: the same in PyTorch, as pytorch.c reads it; a function of Python that it calls */
    const char *torch, *torch_helper;
    /* Random examples for the tests that walk the table: statements separated by '|'. */
    const char *examples;
};

extern const Kind *const kinds[];
extern const int nkinds;

/* ---- Net: layers with shapes ----------------------------------------------------------------- */

/* The shape of one sample. A flat value has rank 1 and lies in c; h and w are then 1. A sequence has rank 2,
 * h positions of c features; w is then 1. */
typedef struct Shape {
    int rank;            /* 1: N; 2: T,C, the positions first; 3: C,H,W;
                          * 0: unknown, which it is only after errors */
    int64_t c, h, w;
    int64_t of;          /* c tokens, each of so many; 0: numbers */
} Shape;

/* What flows between layers. */
typedef struct Value {
    int id;              /* 0, 1, ... in the order of the text */
    Shape shape;
    Layer *producer;     /* NULL: the network's input */
    Loc loc;             /* of the input: its statement; line 0: --input */
} Value;

typedef struct Weight {
    const char *name;    /* "conv1.weight" */
    int id;              /* its number in net->weights */
    int rank;
    int64_t dim[4];
    int64_t count;
    /* PyTorch's default initialisation: uniform in [low, high); where low is above high, normal with the
     * mean 0 and the deviation low */
    double low, high;
    const Layer *layer;  /* whose name it has */
    bool shared;         /* and other layers use it, too: weights=L */
    bool frozen;         /* does not learn: its gradient stays 0 */
    bool rows;           /* its last dimension is the features of a position or of a token */
    /* no parameter, but what training keeps of the data: lies behind the first NET_FLOATS floats */
    bool statistic;
    /* Where it lies in net_params, set by plan: its axes in PyTorch's order, each with its stride. */
    int64_t offset, axis[4], stride[4];
    const Tensor *array; /* the tensor as it lies there */
    struct Weight *next;
} Weight;

struct Layer {
    int id;              /* 0, 1, ... in the order of the text */
    const Kind *kind;
    const char *name;    /* its label, or kind and number */
    Loc loc;
    const Use *use;      /* of the block that it stands in; NULL: none */
    const char *text;    /* the statement as written, one line, with arguments put in */
    Arg arg[MAX_ARGS];   /* parallel to kind->params */
    /* with which it begins a branch, a block, a repeat or the network; NULL: it does not */
    const Token *label;
    Arg freeze, weights; /* freeze=true, weights=L, which every layer with weights takes */
    int64_t least_samples; /* that training needs in a call; 0: any number will do */
    Value *in, *out;
    Value **more;        /* further inputs, for those that name some: add, concat, mul */
    int nmore;
    Weight *weight[4];
    int nweights;
    Layer *next;
};

/* One of several inputs or answers, which lie one behind the other in x and y. */
typedef struct Part {
    const char *label;
    Loc loc;
    const Value *value;
    int64_t at;          /* where it begins within a sample */
    struct Part *next;
} Part;

struct Net {
    const Source *source;
    const char *file;    /* base name of the source file */
    Shape input;
    int64_t batch;
    bool inference;      /* nobody trains it here */
    Value *in, *out;     /* the network's input and its answer */
    Part *inputs, *answers; /* what they are made of, where they have labels; NULL: they are one */
    int nvalues;
    Layer *layers, *last;
    int nlayers;         /* the loss has that number */
    Layer *loss;         /* kind's role is ROLE_LOSS */
    Value *loss_in;      /* what the loss reads: out, or the input of the layer that it absorbs */
    int64_t targets;     /* elements of one sample's target */
    bool int_targets;
    bool from_caller;    /* what targets are to others: the gradient of the answer, which the caller gives */
    const double *class_weights; /* crossentropy's, one for each class; or NULL */
    bool ignores;        /* targets with this label are not counted: */
    int ignored;
    Weight *weights, *last_weight; /* of all layers, in order */
    int nweights;
    int64_t nparams;
};

/* ---- parse.c: text to Ast, with ../../grammar ------------------------------------------------ */

/* What can be used of a text, after errors, too; NULL: nothing. */
Ast *parse(const Source *, const Options *);
const char *written_token(const Token *);                  /* with its quotes */
const char *written_arg(const AstArg *, int most);
bool may_be_label(const Token *);
void dump_ast(FILE *, const Ast *);
void verify_ast(const Ast *);

/* ---- expand.c: repeats written out, blocks in the place of their calls ----------------------- */

typedef struct Scope Scope;
typedef struct Written { /* a statement of the network */
    const AstStatement *statement; /* arguments put in */
    const AstStatement *origin;    /* as it was written */
    const char *text;
    const Scope *scope;
    const Use *use;      /* NULL: it stands in the network itself */
    bool end_of_call;    /* none: here ends a call, whose label this is */
    bool broken;         /* an error was reported: nothing more is said of it */
    /* once read; NULL: a label alone. Of a broken one: what was meant; NULL: nobody knows */
    Layer *layer;
} Written;

/* What there is after errors, too; *count -1: too much. */
Written *expand(const Ast *, const Options *, const Scope *, int *count);

/* Is it what the block around calls one of its arguments? */
bool is_argument_of(const Use *, const char *text);

/* ---- names.c: what layers and labels are called ---------------------------------------------- */

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
/* The next name for a label, or where its text is NULL for a word: "conv2". NULL after an error: it is
 * taken. */
const char *take_name(const Scope *, const Token *label, const char *word, const char *what, Loc);
void set_label(const Scope *, const Token *label, const char *what, Value *, Loc);
bool is_misquoted(const Kind *, const AstArg *);           /* a value in quotes that is no label: says so */
/* NULL after an error. first: of its statement, where no other statement can have been meant to begin */
Value *find_label(const Scope *, const Token *label, bool first);
Layer *find_labelled(const Scope *, const Token *label);   /* the layer that it stands before; likewise */
void warn_of_labels(const Names *);                        /* that are never used */

/* ---- calls.c: layers written as Python calls ------------------------------------------------- */

const char *mended_call(const char *text);   /* conv 3->16 k3; NULL: it can't be said for sure */
void error_parentheses(const Token *name); /* behind the name of a kind */
void error_equals(const char *name, Loc equals, const char *before);
const char *instead_of_dots(Loc dot);  /* what to write; NULL: unknown */

/* ---- words.c: what other tools call things --------------------------------------------------- */

typedef enum WordUse { WORD_KIND, WORD_LOSS, WORD_ARGUMENT, WORD_VALUE } WordUse;
typedef struct Word {
    WordUse use;
    const char *word;    /* in small letters, without '_' */
    const char *ours;    /* what nnc has for it; "": nothing, and nothing is needed; NULL: see say */
    const char *say;     /* what ours does not say: "is not in ...", "write ..." */
} Word;

extern const Word foreign_words[];
extern const int nforeign_words;
const Kind *find_kind(const char *name);                   /* NULL: none */
/* the next row behind that; NULL: none */
const Word *find_word(WordUse, const char *text, const Word *after);
bool same_word(const char *, const char *);                /* but for upper and lower case and '_' */
const char *positions_of(const Kind *);                    /* in PyTorch, as our parameters; NULL: unknown */
const Kind *kind_meant(const char *word, bool loss);       /* by another spelling or tool; or NULL */
bool is_statement(const Kind *kind);
bool is_choice(const Param *, const char *text);           /* one of its words? */
const Param *choice_of(const Kind *, const char *text);    /* the parameter with that word; NULL: none */
/* Says what is wrong with a name that is no kind's; gives the kind that is plainly meant, or NULL. *near:
 * that after which the message asks; NULL: none. */
const Kind *unknown_kind(const Token *name, bool loss, const Kind **near);

/* ---- arguments.c: a statement read by the table of its kind ---------------------------------- */

/* False after errors. Then *corrected is the statement as it should be, if that is known; else NULL. */
bool read_arguments(const AstStatement *, const Kind *, Layer *, const char **corrected);

/* ---- shapes.c: for the shape functions of kinds ---------------------------------------------- */

enum { MOST_ELEMENTS = 0x7fffffff };                       /* of a tensor: so that an int counts them */
enum { MOST_TOKENS = 1 << 24 };                            /* different ones: so that a float holds them */
typedef struct Window { /* a window's geometry; [0] is height, [1] width */
    int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} Window;

int64_t product(int64_t a, int64_t b);                     /* a * b, or more than MOST_ELEMENTS */
const char *shape_text(Shape);                             /* "16x8x8", "64x128", "784", "64 of 256" */
int64_t shape_count(Shape);
Shape flat_shape(int64_t n);
Shape image_shape(int64_t c, int64_t h, int64_t w);
Shape sequence_shape(int64_t t, int64_t c);
Shape shape_of_sizes(const Arg *);                         /* of a PARAM_SIZE: N, TxC or CxHxW */
/* For the kinds' shape functions. */
const Arg *arg_of(const Layer *, const char *param);
bool same_shapes(const Value *, const Value *);
bool same_shape(Net *, Layer *);                           /* out is as in: a whole shape function */
/* out has the channels of in and a window's h and w */
bool pool_shape(Net *, Layer *);
bool channels_shape(Net *, Layer *);                        /* out is a number for each channel of in */
bool add_weight(Net *, Layer *, const char *name, int64_t fan_in, int rank, const int64_t *dim);
void draw_normal(Weight *, double deviation);               /* in the place of uniform */
int64_t parameters_of(const Layer *);                       /* that are learnt */
bool add_statistic(Net *, Layer *, const char *name, double start, int rank, const int64_t *dim);
bool check_channels(const Layer *, int64_t come_in);       /* I of `I->O` */
bool groups_divide(const Arg *groups, int64_t channels, const char *what); /* "input channels" */
bool want_image(const Layer *);                            /* error unless the input is CxHxW */
bool want_sequence(const Layer *);                         /* error unless the input is TxC */
/* Error where an input is tokens and the kind works on numbers, or the other way about. */
bool want_tokens_or_numbers(const Layer *);
/* Gives out's h and w for a window with the arguments k, s, p and d (those that the kind has). */
bool slide_window(const Layer *, int64_t *h, int64_t *w);
Window window_of(const Layer *);                           /* after shape */
typedef enum ShapePart { PART_ALL, PART_CHANNELS, PART_HEIGHT, PART_WIDTH } ShapePart;
/* A note: which layer made that part of a value's shape, and which passed it on. */
void say_origin(const Value *, ShapePart);
void say_where_from(const Value *);                        /* the whole shape */
/* The formula with the numbers of one axis, and what would fit; zeros: that is what lies in the padding. */
void say_what_fits(const Layer *, const Window *, int axis, bool zeros);

/* ---- share.c: weights=L ---------------------------------------------------------------------- */

/* What every layer with weights takes: freeze, weights; NULL: it is no such name. */
const Param *common_param(const Kind *, const char *name);
Arg *common_arg(Layer *, const Param *);
/* The layer's weights, which are the last of the net, become those of `with`, as far as they are the same. */
void share_weights(Net *, Layer *, const Layer *with);

/* ---- habits.c: warnings about a whole network ------------------------------------------------ */

void warn_of_unused(const Net *);                          /* an input that is not used is an error */
void warn_of_shortcuts(const Net *);
void warn_of_habits(const Net *);                          /* the rest: it needs the loss */
void warn_of_channels(const Net *, const Layer *input);

/* ---- stream.c: one position of a sequence at a time ------------------------------------------ */

void check_stream(const Net *);                            /* errors for layers that wait for later ones */
bool streams_tokens(const Net *);                          /* one input, of tokens, and no such layer */
Net *net_of_one_position(const Net *);                     /* the same layers and weights, sequences of one */
int64_t positions_in(const Net *);                         /* of its sequences, if check_stream is content */

/* ---- resolve.c: Ast to Net ------------------------------------------------------------------- */

Net *resolve(const Ast *, const Options *);                /* NULL after errors */

/* ---- net.c ----------------------------------------------------------------------------------- */

void print_graph(FILE *, const Net *);                     /* graph.c: for graphviz */
void dump_net(FILE *, const Net *);
void verify_net(const Net *);

#endif
