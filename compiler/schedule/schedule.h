/* schedule.h: Prog to Plan: loop nests with tiles, functions, and a place in memory for every tensor. */
#ifndef NNC_SCHEDULE_SCHEDULE_H
#define NNC_SCHEDULE_SCHEDULE_H

#include "program/program.h"

/* ---- Plan: functions, tiles and buffers ------------------------------------------------------ */

/* A core, as the predictions see it. Cycles are those of one core; a vector is one of all its lanes. */
typedef struct Machine {
    const char *name;    /* of --target */
    const char *cflags;  /* the compile line that the head of net.c shows */
    int lanes;           /* floats in a vector; 1: no vectors */
    int registers;       /* that hold a vector */
    /* cycles of a vector of all its lanes, in those of half as many: 1 where the units are as wide as the
     * vectors, 2 where they are half as wide. Of AVX-512 cores there are both kinds: 1.25 weighs them */
    double width_cost;
    double products;     /* multiply-adds of vectors a cycle: data sheets, and tests/bench/peak.c */
    double loads;        /* vectors loaded a cycle: data sheets */
    double issue;        /* instructions a cycle, sustained: measured */
    /* cycles that a load takes even where multiply-adds bound the loop: measured, C32 and C64 */
    double load_share;
    /* cycles before a sum takes its next term: measured, with what the loop adds; data sheets say 4 */
    double latency;
    /* instructions that wait or run at once: data sheets say 224 to 512, fewer of one kind */
    double looks_ahead;
    double loop_cycles;  /* what a round of a loop costs beside its body: measured */
    double lanes_cycles; /* to gather a vector of numbers that lie apart, or to add up its lanes: measured */
    /* to compare all lanes of a row's vector, or to add them up, with what waits for it: measured, softmax
     * over 2 to 20 classes of a sample and 4 to 12 channels of a pixel */
    double compare_cycles, sum_cycles;
    double store_cycles; /* to add to what has just been stored: measured, the losses of the examples */
    double scalar_cycles;/* of a multiply-add without vectors in straight-line code: measured */
    /* bytes: data sheets; the second is what half of it may hold of one kind */
    int64_t first_cache, second_cache;
    int ways;            /* lines that a set of either cache holds: data sheets say 8, some 12 or 16 */
    /* that a block of a sum may touch: the first cache and a little of the second; measured */
    int64_t operand_bytes;
    double second_pace, far_pace; /* bytes a cycle from the second cache, and from beyond it: measured */
    int64_t line;        /* bytes of a line of the caches */
    int64_t code_bytes;  /* of machine code that a pass may write out: half of the instruction cache */
} Machine;

extern const Machine machines[NTARGETS];

/* A machine as this compilation uses it. */
typedef struct Target {
    const Machine *machine;
    int lanes;           /* floats in a vector: the machine's, or fewer */
    const Options *options; /* --tile and --blocks, which ask for other tiles and blocks than the best */
    struct Chosen **chosen; /* tiles that tile.c has chosen in this compilation; NULL: they aren't kept */
    Map *decided;        /* filters that winograd.c has, by what is alike in the convolutions */
} Target;

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
    /* the reduction index that is cut into blocks, so that a block's operands stay near */
    int blocked;
    int64_t block;
    /* the outputs' indices, the outermost loop first, where order.c has chosen it */
    bool ordered;
    int order[MAX_INDEX];
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
    /* under tile and full, the largest first; NULL: plain loops with tests, or under full no vectors */
    Region *regions;
    int64_t terms;       /* points of body that lie inside, else of first */
    bool compact;        /* the taps of its tiles stay loops: written out, the function would be too much C */
    bool straight;       /* each tile is code of its own: no loop but that over the samples */
    Statement *then[MAX_THEN]; /* pointwise statements on the value just made, while it is in registers */
    int nthen;
    /* out, then[0].out, ...: only the next of `then` reads it, so it isn't stored */
    bool dropped[MAX_THEN + 1];
    /* a nest over windows on the last value, run where a tile of it is in registers; or NULL */
    struct Kernel *window;
    struct Kernel *followers; /* what else is done with the values in the registers of a tile: see follow.c */
    /* the index along which followers take sums or maxima, so that tiles hold all of it; -1: none does */
    int row;
    /* for each of this nest's outputs' indices: how many points of it one window takes, */
    int64_t step[MAX_INDEX];
    int along[MAX_INDEX]; /* and for each of the window's: which of this nest's it goes with */
    int samples;         /* the index that runs over the samples of a chunk, or -1 */
    int64_t blocks;      /* it runs in a loop over so many blocks (block.c); 0: it does not */
    bool joins;          /* that loop is the one of the kernel before it */
    const Recurrence *recurrence; /* it runs in that loop, with its neighbours there; NULL: in none */
    double cycles;       /* predicted */
    struct Kernel *next;
} Kernel;

/* What one layer does in one direction: a static function of net.c. */
typedef struct Function {
    const char *name;    /* "conv1_forward" */
    const Layer *layer;
    bool backward;
    const char *signature; /* what its code depends on */
    /* an earlier one with the same code, which is called in its place; or NULL */
    const struct Function *twin;
    bool shared;         /* other layers have one with the same code: its name is that of the task */
    Kernel *kernels;
    Tensor **param;      /* formal parameters: what it reads, then what it writes */
    bool *param_written;
    int nparams;
    Unroll unroll;       /* FULL, TILE or NONE */
    /* under auto: what it would be under full; NULL: that is not to be had, or decided */
    Kernel *straight;
    bool uses_step;      /* is given the number of the position: net_next */
    bool uses_random, uses_mean, uses_samples, uses_at_hand;
    Purpose purpose;     /* of its statements */
    bool per_call;       /* runs once, before the samples of its phase, of which there may be none */
    int phase;
    bool batched;        /* takes all samples of a chunk at once */
    bool brief;          /* so short that the C compiler may inline it */
    bool gone;           /* all it did is done by others */
    int number;          /* in the order of the pass, from 0 */
    /* the next one of the same layer and direction that runs for each sample; or NULL */
    const struct Function *same_layer;
    int64_t macs;        /* multiply-adds of its contractions */
    int64_t terms;       /* instances of its statements for one sample, under full of their vectors */
    double cycles;       /* predicted for one sample */
    const char *why;     /* why auto chose as it did; a phrase */
    struct Function *next;
} Function;

typedef struct Buffer {  /* an interval of the arena, for one tensor (and those that share it) */
    int number;          /* in the order of their first calls */
    Tensor *tensor;
    int64_t offset, size;/* floats; of all its samples */
    /* how many samples' it holds: 1, the pass's chunk, or the batch where it lives on into another phase */
    int64_t samples;
    bool whole_batch;
    bool prepared;       /* lies in net_params, beside the weights or in their place, not in the arena */
    bool lasting;        /* is touched by what runs for each sample */
    int begin, end;      /* first and last call that touches it; -1: loaded before the first */
    struct Buffer *next;
} Buffer;

typedef struct Pass {    /* net_forward, net_backward, net_forward_train, net_loss or net_next */
    Prog *prog;
    const Target *target;/* whose vectors it has: the plan's, but for the lanes where they lie over samples */
    /* that lie in the lanes of a vector, one in each (samples.c); 0: lanes lie over channels */
    int64_t samples;
    /* by 2 * layer's id + backward: the first of its functions that run for each sample; or NULL */
    const Function **of_layer;
    const Function **host; /* likewise: the first that does some of the layer's work for each sample */
    bool *in_place;      /* likewise: is a move of its a second name for the same memory? */
    Function *functions; /* called in this order for each sample, or for as many as lie in lanes */
    Tensor **root;       /* by tensor id: the tensor whose memory it shares, often itself */
    bool *shared;        /* by tensor id: does it share memory with another? */
    struct Users *users; /* by tensor id: which functions may touch it: users.c */
    Buffer *buffers;
    Buffer **buffer;     /* by tensor id; NULL: it has none of its own */
    /* samples that are taken through the batched functions together; 0: there are none */
    int64_t chunk;
    int64_t batch;       /* the most samples of a call */
    /* what it does once a call, which asks the weights alone, is done beforehand where it can be */
    bool prepares;
    /* floats of net_params, in which weights and what is made of them share memory; 0: nothing is made */
    int64_t prepared;
    int64_t kept;        /* of these, up to the last that is read once it has been made */
    int64_t mark;        /* the float among them that says that it has been made */
    int64_t arena;       /* floats */
    int64_t unwanted;    /* net_loss: where answers go that the caller doesn't want */
    struct Trace *trace; /* what each step left behind, where that is asked for */
} Pass;

typedef struct Trace {
    const char *name;    /* of the step */
    const char *text;
    struct Trace *next;
} Trace;

/* What a step of the schedule works on. */
typedef struct Draft {
    const struct Plan *plan;
    const Options *options;
    const Target *weights; /* whose vectors the weights are laid out for */
    const Pass *forward, *training; /* the passes planned before this one; NULL: none */
    Pass *pass;
} Draft;

typedef struct Plan {
    const Net *net;
    const Options *options;
    const Target *target;
    const char *prefix, *PREFIX;
    Pass forward, training;
    Pass forward_train;  /* where the caller gives the gradient of the answer; else its prog is NULL */
    Pass evaluation;     /* net_loss, where there is a loss; else its prog is NULL */
    Pass next;           /* net_next, with --stream; else its prog is NULL */
    int64_t floats;      /* of net_params, without the statistics behind them */
    int64_t all_floats;  /* with them */
    int64_t arena;       /* floats of net_work's arena */
    const int64_t *macs; /* by layer->id: multiply-adds for a sample, as the text has it */
    const float *weights; /* --weights: net_params; NULL: not given */
} Plan;

/* ---- schedule.c: the steps, in order --------------------------------------------------------- */

Plan *make_plan(const Net *, Prog *forward, Prog *training, const Options *);
const Target *new_target(const Options *);                 /* the one that the options name */
/* The statements as the step of that name leaves them, one before `functions`. */
Prog *statements_after(const char *name, const Prog *, const Options *);
const char *step_name(int number);                         /* as --dump=NAME calls it; NULL behind the last */

/* ---- dump.c: a Plan as text ------------------------------------------------------------------ */

void dump_plan(FILE *, const Plan *);
const char *pass_text(const Pass *);                       /* as it is so far */
/* what that step left behind; NULL: each of them */
void dump_steps(FILE *, const Plan *, const char *name);

/* ---- verify.c: what holds of every Plan ------------------------------------------------------ */

void verify_statements(const Pass *);                      /* behind each step that changes statements */
void verify_nests(const Pass *);                           /* behind each that changes nests */
/* sums over samples in lanes are cleared and added up once */
void verify_lanes(const Pass *);
void verify_blocks(const Pass *);
void verify_regions(const Pass *);
void verify_places(const Pass *);
void verify_plan(const Plan *);                            /* net_params */

/* ---- nest.c: questions about one loop nest --------------------------------------------------- */

/* The statements of a kernel: first, body, then what follows on them; those of its window last. */
enum { MAX_PARTS = 2 * (2 + MAX_THEN) + 2 * MAX_FOLLOWERS };

Form form_of(const Statement *);
const char *form_name(Form);
/* the one that gives the nest its indices: body, or else first */
const Statement *statement_of(const Kernel *);
void parts_of(Kernel *, Statement **part[MAX_PARTS], int *n);
int64_t steps_of(const Kernel *);                          /* of its recurrence; 1: it has none */
/* behind those with which it shares a loop over blocks or steps, or behind it */
const Kernel *behind_loop(const Kernel *);
/* where its tiles hold that value; NULL: they don't */
const Access *held_in_registers(const Kernel *, const Tensor *);
bool adds_to_memory(const Kernel *follower);
bool is_spread(const Kernel *maker, const Kernel *follower);
/* what the window does where the kernel does that region */
Region window_region(const Kernel *, const Region *);
Tile window_tile(const Kernel *, const Tile *);
Tile no_tile(void);
int64_t region_volume(const Region *, const Statement *);
void add_parts(Kernel *k, Statement **part[MAX_PARTS], int *n);
bool stores(const Kernel *k, const Statement *s);
/* A value that a statement of the kernel makes and a later one takes out of its register. */
bool passes_on(const Kernel *k, const Tensor *t);
Region *whole_box(const Statement *s);
/* Does some region have an index in lanes? */
bool has_vectors(const Kernel *k);
/* What its tiles do over the first n indices, written out: vectors count once. */
int64_t vectors_of(const Kernel *k, int n);

/* ---- layout.c: where the elements of a tensor lie -------------------------------------------- */

Prog *copy_prog(const Prog *);
/* Gives every tensor its order and its padding to whole vectors; values false: only the weights. */
void lay_out(Prog *, const Target *, bool values);
bool lies_as_weight(const Tensor *);                       /* a weight, its gradient, or made of one */
/* Channels innermost? Very few of them, as in pictures, would leave most lanes empty. */
bool enough_channels(int64_t channels, int lanes);
bool wants_channels_last(const Tensor *, int lanes);
int innermost_dimension(const Tensor *, int lanes);        /* the one that lay_out puts last */
void visit_statement(Statement *, void (*visit)(Access *, void *), void *context);
void gather_all(Prog *);                                   /* gather.c, for each statement that scatters */
/* what lies far apart is the outer loop of a sum */
void order_sums(Prog *);
/* once a call, where lanes would step through rows of them */
void transpose_weights(Prog *, const Target *);
/* zeros around values that are read beyond their edge */
void add_halos(Prog *, const Target *);

/* ---- interface.c: images of the caller with channels last ------------------------------------- */

void move_interface(Prog *, int lanes);

/* ---- halo.c: zeros around a value ------------------------------------------------------------ */

/* few points more with zeros around what it reads */
bool worth_a_halo(const Statement *, const Target *);

/* ---- samples.c: a sample in each lane -------------------------------------------------------- */

bool samples_fit_lanes(const Prog *);                      /* can each lane take a sample? */
void warn_of_lanes(const Prog *training, const Options *); /* where --lanes=samples does nothing */
/* after weights are laid out, before anything else */
void put_samples_in_lanes(Prog *, int lanes);

/* ---- convolution.c: what slides a kernel over data ------------------------------------------- */

/* One of the two directions that the window slides in: data[y + k] or data[y - k]. */
typedef struct Axis {
    int y, k;                 /* indices of the statement */
    int data, kernel, result; /* the dimensions in which they occur */
    bool turned;              /* y - k */
} Axis;

typedef struct Convolution {
    Statement *first, *s;     /* first: sets the result just before; or NULL */
    const Access *data, *kernel, *result;
    bool gives_kernel;        /* the sum is the kernel, not the result */
    Axis axis[2];
} Convolution;

bool is_convolution(Convolution *, Statement *first, Statement *s); /* first: the one before s */
bool is_spatial(const Convolution *, int index);
int  channel_of(const Convolution *, const Access *);

/* ---- winograd.c: 3x3 convolutions with fewer multiplications --------------------------------- */

/* Where its error is more, --math=auto does not take a filter. */
#define MOST_FORWARD_ERROR 1e-5
#define MOST_GRADIENT_ERROR 1e-4

void use_winograd(Prog *, const Target *, const Options *);
/* as --math names a filter; NULL behind the last */
const char *filter_option(int number);
double filter_error(int number, double products);            /* a bound, relative to the largest result */

/* ---- phases.c: which statements may run in one loop over the samples ------------------------- */

void order_phases(Prog *);                                 /* sets phase, sorts the statements by it */

/* ---- gather.c: scattering statements become gathering ones ----------------------------------- */

Kernel *gather(const Statement *first, const Statement *scatter); /* gather.c; NULL: can't be */
/* NULL: it is as it should be, or can't be */
Statement *first_by_indices_of(const Statement *first, const Statement *sum);

/* ---- split.c: regions in which nothing falls outside ----------------------------------------- */

enum { MOST_REGIONS = 64 };

/* false where it can't be; regions NULL: none, or more than MOST_REGIONS; partition: each output belongs
 * to exactly one. exchange has a bit for each condition of which the other index is to be cut; false
 * behind the last. */
bool split_regions(const Statement *, int lanes, unsigned exchange, Region **regions, bool *partition);
/* at which no access falls outside; -1: can't be told */
int64_t points_inside(const Statement *);
bool needs_guard(const Statement *);                       /* does some access fall outside? */

/* ---- cost.c: cycles ------------------------------------------------------------------------- */

/* Predictions, in cycles of the machine, for a number or a vector of them. */
double expr_cycles(const Expr *);
double window_cycles(const Statement *);                   /* of a point of a sum or a maximum */
/* Of a point of the windows of a nest, which is in a register. */
double held_window_cycles(const Kernel *);
/* Of what follows on a tile of so many vectors, or numbers, `row` of them in each row; whole: it is the only
 * tile. */
double followers_cycles(const Kernel *, const Machine *, const Tile *, double vectors, double row,
                        bool whole);

/* ---- tile.c: register tiles ------------------------------------------------------------------ */

struct Chosen **no_tiles_chosen(void);

/* the split that is predicted to be fastest; NULL: there is none of few regions. */
Region *best_split(const Statement *, const Target *, bool *partition, double *cycles);
double text_of_tiles(const Kernel *);                      /* bytes of C, roughly */
/* for each region; cycles INFINITY: none fits the window */
void choose_tiles(Kernel *, const Target *);
bool follower_in_vectors(const Kernel *follower, int lane); /* may the maker's index lie in lanes? */
bool in_vectors(const Statement *, int lane);              /* can that index lie in lanes? */

/* ---- order.c: in which order the loops around a tile run ------------------------------------- */

/* the indices of the outputs, the outermost loop first; how many */
int loops_in_order(const Kernel *, const Tile *, int order[MAX_INDEX]);
void choose_order(Kernel *, const Target *);

/* ---- move.c: moves that turn an array --------------------------------------------------------- */

bool turn_in_lines(const Kernel *, const Region *, const Target *, Tile *); /* false: it is no such move */

/* ---- kernels.c: statements to loop nests ----------------------------------------------------- */

double predicted_cycles(const Statement *first, const Statement *body, const Target *); /* as one kernel */
Kernel *finish_kernels(Kernel *kernels, Unroll unroll, const Target *target);
/* Pairs a first value with the statement that accumulates onto it. */
Kernel *make_kernels(const Pass *pass, Statement *begin, const Statement *end);

/* ---- budget.c: what written-out code costs, and what auto writes out ------------------------- */

int64_t predicted_bytes(const Function *);                 /* of machine code, written out */
double predicted_seconds(const Function *);                /* of gcc -O2 on that */
/* how many it uses once for each sample; 0 if they are few */
int64_t weights_used_once(const Function *);
int64_t count_terms(const Kernel *kernels, Unroll unroll);
const char *thousands(int64_t n);
double cycles_of_kernels(const Kernel *kernels);
/* Scalars in straight-line code take more than their points where they wait for one another, and what they
 * store waits some 25 cycles before it can be loaded as a vector: measured with small networks. */
double straight_cycles(const Kernel *kernels, int64_t terms, const Target *target);
/* would all of it fit the room for written-out code? */
bool is_small(const Function *, const Target *);
bool is_brief(const Function *, const Pass *);             /* may the C compiler inline it? */
void write_out_what_pays(const Pass *pass);
void warn_if_unreasonable(const Plan *plan);
void warn_of_size(const Plan *, int64_t text);             /* once it is so many bytes of C */
/* How many samples a function takes at once that isn't given a chunk of them. */
int64_t samples_of(const Pass *pass);
double samples_at_once(const Pass *pass, const Function *f);
double c_bytes_of(const Kernel *kernels);

/* ---- users.c: which functions touch a tensor ------------------------------------------------- */

/* users.c: which functions touch a tensor, so that nobody has to ask all of them. In the order of the
 * pass; some may do so no longer. */
typedef struct Users {
    Function **function;
    int n, room;
} Users;

void find_users(Pass *);                                   /* numbers the functions, too */
void note_users(Pass *, Function *);                       /* after kernels have moved into it */
/* The tensors that a statement reads, each once, in the order of their ids; how many. */
int tensors_read(const Statement *, Tensor ***);

/* ---- likeness.c: what statements have in common, as text ------------------------------------- */

enum { MOST_NUMBERED = 192 };
typedef struct Likeness {
    TextStream memory;
    Tensor *tensor[MOST_NUMBERED];    /* that go by their number, */
    const char *name[MOST_NUMBERED];  /* and their own names */
    int n;
} Likeness;

void begin_likeness(Likeness *);
int number_tensor(Likeness *, Tensor *);                      /* its number, by which it goes from now on */
void note_likeness(Likeness *, const Statement *);
char *end_likeness(Likeness *);                                  /* gives the tensors their names back */

/* ---- functions.c: nests to functions --------------------------------------------------------- */

void make_functions(const Plan *, Pass *);                 /* of the statements, in order */
/* regions, tiles, cycles and parameters of what is final */
void finish_functions(Pass *);
void find_layers_functions(Pass *, int nlayers);           /* which functions work for a layer */
void name_functions(const Plan *, Pass *, const Pass *forward, const Pass *training);

/* ---- fuse.c: what is done with a value runs where it is in a register ------------------------ */

void fuse(Pass *);                                         /* pointwise statements, element by element */
void fuse_windows(Pass *);                                 /* windows, where a tile holds whole ones */

/* The nests that make a value, each a part of it. */
enum { MOST_MAKERS = 16 };
typedef struct Makers {
    Function *function;
    Kernel *kernel[MOST_MAKERS];
    int n;
} Makers;

Statement *last_of(const Kernel *);                         /* what gives its last value */
/* False where they are too many, of several functions, or not yet complete. */
bool find_makers(const Pass *, const Tensor *, Makers *);
bool nest_writes(Kernel *, const Tensor *);                     /* does a statement of the nest write it? */
bool nest_reads(Kernel *, const Tensor *);
bool is_halo_fill(const Kernel *);                         /* does it only write the zeros around a value? */
bool has_alias(const Pass *, const Tensor *);              /* does another tensor lie in its memory? */
void remove_kernel(Function *, const Kernel *);

/* ---- fuse_rows.c: what follows on the rows of tiles ------------------------------------------ */

/* Sums and maxima over rows, and what is worked out of them. */
void fuse_rows(Pass *);

/* ---- follow.c: sums and maxima over a row of a tile ------------------------------------------ */

/* appends what the consumer does to what follows on the maker's tiles; false where that can't be. */
bool add_follower(Kernel *maker, const Kernel *consumer);

/* ---- window.c: windows on the tiles of what they look at ------------------------------------- */

/* those in its part; false where tiles can't hold whole ones */
bool set_window(Kernel *, const Kernel *window);
/* elements that it takes; 0: not a box of them, each once */
int64_t places_taken(const Access *, const Statement *);
/* of its last value; 0: not a box of them, each once */
int64_t elements_made(const Kernel *);

/* ---- together.c: several samples through a function together --------------------------------- */

void take_samples_together(Pass *pass);

/* ---- block.c: block by block ----------------------------------------------------------------- */

void run_in_blocks(Pass *, const Target *);

/* ---- place.c: an offset for every buffer ----------------------------------------------------- */

void share_moves(Pass *);                                  /* moves that change nothing share memory */
void place(Pass *, int lanes);                             /* an offset for each buffer */
const Buffer *buffer_of(const Pass *, const Tensor *);     /* NULL: not in the arena */
void note_overruns(const Pass *pass, const Function *f);

#endif
