/* nn.h: the runtime of nnc, the part of a network that is the same for every network.
 *
 * Two halves. The core (optimizers, losses, initialisation, random numbers) works on plain arrays of float,
 * needs no operating system and no heap, and serves any network or none. The files half (nn_save,
 * nn_load) reads and writes safetensors through stdio.
 *
 *     cc program.c net.c -lnn -lm
 *
 * Ownership: every array belongs to the caller; nothing here allocates memory that outlives a call.
 * Threads: no function keeps state outside its arguments, except nn_error's message (one per thread).
 */
#ifndef NN_H
#define NN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NN_VERSION "0.2.0-dev"
/* 10000 major + 100 minor + patch; a version ending in -dev is before that one. */
#define NN_VERSION_NUMBER 200

/* What this file, libnn.a and generated code must agree on. It is raised when one of them wouldn't work
 * with older ones of the others. Each net.h checks it against this file's when it is compiled, and each
 * net.c refers to a name that holds it, so that a libnn.a of another interface is an error of the linker:
 * undefined reference to nn_interface_5. */
#define NN_INTERFACE 5
extern const int nn_interface_5;

/* Alignment of a type to a cache line, where the compiler can say it. NN_ALIGNMENT: its bytes, 1 where it
 * can't. */
#if defined(__GNUC__)
#define NN_ALIGNED __attribute__((aligned(64)))
#define NN_ALIGNMENT 64
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define NN_ALIGNED _Alignas(64)
#define NN_ALIGNMENT 64
#else
#define NN_ALIGNED
#define NN_ALIGNMENT 1
#endif

/* ---- Checks ----------------------------------------------------------------------------------
 *
 * The public functions of a generated net.c begin by looking at what they are called with:
 * NN_CHECK(condition, message) for pointers that must not be NULL, alignment, and the number of samples.
 * Where the condition is false, nn_misused prints the function and the message to stderr and calls abort,
 * as assert does. Compiled with -DNDEBUG, net.c has no checks.
 *
 * A handler of your own: define a function nn_misused in your program, and the linker takes it in the
 * place of libnn.a's; or have NN_CHECK defined before net.c includes this file (-include my_checks.h).
 * nn_misused must not return. libnn.a's needs stdio and abort; built with -ffreestanding, it stops without
 * them, in an endless loop. */
#ifdef __GNUC__
__attribute__((noreturn, cold))
#endif
void nn_misused(const char *function, const char *message);

#ifndef NN_CHECK
#ifdef NDEBUG
#define NN_CHECK(condition, message) ((void)0)
#else
#define NN_CHECK(condition, message) ((condition) ? (void)0 : nn_misused(__func__, message))
#endif
#endif

/* Does the pointer point to memory for that type, as far as can be seen? */
#define NN_CHECK_MEMORY(pointer, type) \
    NN_CHECK((pointer) != NULL && (uintptr_t)(pointer) % NN_ALIGNMENT == 0, \
             #pointer " is NULL or not aligned to 64 bytes, as memory from malloc may be: make it a static " \
             "variable, or take aligned_alloc(64, sizeof(" #type "))")

/* ---- Optimizers ------------------------------------------------------------------------------
 *
 * Arithmetic and defaults are those of PyTorch's torch.optim.SGD, Adagrad, RMSprop, Adam and AdamW; each
 * field has the name that PyTorch gives the argument. Make one with a constructor below, then change
 * fields at will, also between steps (a schedule sets lr), except that nn_state_size must stay the same
 * from the first step on. dampening, alpha, beta1 and beta2 count to seven decimals: 0.999f acts as 0.999
 * does in PyTorch, where these are doubles. eps below FLT_MIN acts as FLT_MIN, so 0 / 0 does not arise. */

typedef enum nn_method { NN_SGD, NN_ADAGRAD, NN_RMSPROP, NN_ADAM } nn_method;

typedef struct nn_optimizer {
    nn_method method;
    float lr;                        /* learning rate */
    float weight_decay;              /* L2 penalty, 0: none (all methods) */
    float momentum;                  /* SGD, RMSprop */
    float dampening;                 /* SGD: of the momentum; not on the first step */
    int   nesterov;                  /* SGD: wants momentum > 0 and dampening 0, as in PyTorch */
    float lr_decay;                  /* Adagrad: lr / (1 + (step-1) lr_decay) */
    float initial_accumulator_value; /* Adagrad: where the sum of squares starts */
    float alpha;                     /* RMSprop: smoothing constant */
    int   centered;                  /* RMSprop: divide by the standard deviation */
    float beta1, beta2;              /* Adam: decay of the two moments */
    int   amsgrad;                   /* Adam: divide by the largest second moment so far */
    int   decoupled;                 /* Adam: weight decay apart from the gradient; this is AdamW */
    float eps;                       /* Adagrad, RMSprop, Adam: added to the denominator */
    int   maximize;                  /* all: climb instead of descend */
} nn_optimizer;

nn_optimizer nn_sgd(float lr);                     /* SGD(lr) */
nn_optimizer nn_momentum(float lr, float momentum);/* SGD(lr, momentum) */
nn_optimizer nn_adagrad(float lr);                 /* Adagrad(lr): lr_decay 0, eps 1e-10 */
nn_optimizer nn_rmsprop(float lr);                 /* RMSprop(lr): alpha 0.99, eps 1e-8 */
nn_optimizer nn_adam(float lr);                    /* Adam(lr): betas 0.9 0.999, eps 1e-8 */

/* Floats of state that nn_step needs for n weights under o's present fields; 0 when none. The first
 * NN_STATE_HEAD of them count the steps, the rest are the moments, so that a saved state resumes
 * exactly. Copy and save them as bytes: the count is a uint64_t in the first 8. The state must be all zero
 * before the first step. */
#define NN_STATE_HEAD 16
size_t nn_state_size(const nn_optimizer *o, size_t n);

/* One step: updates n weights in place from n gradients. state: nn_state_size(o, n) floats, or NULL when
 * that is 0. The three arrays must not overlap. A weight of 0 whose gradient is 0 stays 0. */
void nn_step(const nn_optimizer *o, float *weights, const float *gradients, float *state, size_t n);

/* The same in parts, which threads may take at once: nn_step is nn_count_step, then nn_step_part from 0
 * to n, and so are parts that cover 0 .. n in any order, to the bit. Behind its head the state has arrays
 * of n floats, one for each moment, of which element i belongs to weight i; so a part, the weights from
 * begin to end - 1, touches no more than these elements of each array. state NULL: there is none. */
void nn_count_step(float *state);
void nn_step_part(const nn_optimizer *o, float *weights, const float *gradients, float *state, size_t n,
                  size_t begin, size_t end);

/* ---- Around a step ---------------------------------------------------------------------------
 *
 * As torch.nn.utils, torch.optim.lr_scheduler and torch.optim.swa_utils have it, on plain arrays. */

/* clip_grad_norm_: scales all n gradients so that their norm, which is given back, is no more than most:
 *     float norm = nn_clip((float *)&g, NET_FLOATS, 1.0f);
 * nn_squares is the sum of squares, for who works out the norm in parts; nn_scale multiplies. */
float  nn_clip(float *gradients, size_t n, float most);
double nn_squares(const float *v, size_t n);
void   nn_scale(float *v, size_t n, float factor);

/* Learning rates as functions of the step (or epoch), from 0. Since lr comes in and goes out, they can be
 * put one into another: nn_lr_linear(nn_lr_cosine(0.1f, step, steps, 0), step, 500, 0.01f) warms up.
 *     nn_lr_constant   lr
 *     nn_lr_step       StepLR: lr gamma^k, where k is step / size, rounded down
 *     nn_lr_cosine     CosineAnnealingLR: from lr to least in so many steps (and behind them up again)
 *     nn_lr_linear     LinearLR: from factor lr to lr in so many steps, then lr
 *     nn_lr_onecycle   OneCycleLR: in 3/10 of the steps from most / 25 to most, then to most / 250000, along
 *                      cosines; nn_momentum_onecycle goes from 0.95 to 0.85 and back (or Adam's beta1) */
float nn_lr_constant(float lr, uint64_t step);
float nn_lr_step(float lr, uint64_t step, uint64_t size, float gamma);
float nn_lr_cosine(float lr, uint64_t step, uint64_t steps, float least);
float nn_lr_linear(float lr, uint64_t step, uint64_t steps, float factor);
float nn_lr_onecycle(float most, uint64_t step, uint64_t steps);
float nn_momentum_onecycle(uint64_t step, uint64_t steps);

/* AveragedModel: one more set of n weights goes into an average that holds `count` so far; 0: it becomes
 * a copy. nn_average is the mean of all, nn_ema decay average + (1 - decay) weights. n is NET_FLOATS, or
 * sizeof(net_params) / sizeof(float) with running statistics (use_buffers). */
void nn_average(float *average, const float *weights, size_t n, uint64_t count);
void nn_ema(float *average, const float *weights, size_t n, float decay, uint64_t count);

/* ---- Losses ----------------------------------------------------------------------------------
 *
 * For networks with `loss none`, on plain arrays: what is given back is the mean, and d, which may be NULL,
 * gets its gradient, as the PyTorch modules named here have them with reduction "mean". So losses can be
 * mixed and weighted: net_backward takes any sum of such gradients. d overlaps no other array, but may be
 * logits or y itself. Sums are double; n = 0 gives NaN. */

/* CrossEntropyLoss: the mean over rows i of log(sum over c of exp(logits[i][c])) - logits[i][t[i]], for n
 * rows of `classes`. A row with t[i] = -100 is not counted (ignore_index) and has the gradient 0; where none
 * is counted the mean is NaN. Another label outside 0 .. classes-1 makes the mean and its row of d NaN. */
float nn_crossentropy(size_t n, size_t classes, const float *logits, const int *t, float *d);
/* KLDivLoss of log_softmax(logits), reduction "batchmean": the mean over n rows of the sum over c of
 * t[i][c] (log t[i][c] - log_softmax(logits[i])[c]); 0 log 0 is 0 */
float nn_kl(size_t n, size_t classes, const float *logits, const float *t, float *d);
/* BCEWithLogitsLoss: the mean of log(1 + exp(x)) - x t over n elements, x a logit */
float nn_bce(size_t n, const float *logits, const float *t, float *d);
/* MSELoss: the mean of (y - t)^2 */
float nn_mse(size_t n, const float *y, const float *t, float *d);
/* L1Loss: the mean of |y - t|; its gradient where y = t is 0 */
float nn_l1(size_t n, const float *y, const float *t, float *d);
/* HuberLoss: the mean of e^2 / 2 where |e| <= delta, else of delta (|e| - delta / 2); e = y - t */
float nn_huber(size_t n, float delta, const float *y, const float *t, float *d);

/* ---- Random numbers --------------------------------------------------------------------------
 *
 * splitmix64 (Steele, Lea, Flood 2014): number k of the stream that begins at rng can be had without
 * those before it, so that code may draw in any order and still get the same numbers. */

#define NN_GAMMA 0x9e3779b97f4a7c15u

static inline uint64_t nn_bits_at(uint64_t rng, uint64_t k)
{
    uint64_t z = rng + (k + 1) * (uint64_t)NN_GAMMA;
    z = (z ^ (z >> 30)) * (uint64_t)0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * (uint64_t)0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0,1), a multiple of 2^-24. */
static inline float nn_uniform_at(uint64_t rng, uint64_t k)
{
    return (float)(nn_bits_at(rng, k) >> 40) * (1.0f / 16777216.0f);
}

/* The next number of the stream; moves *rng on by one. */
uint64_t nn_bits(uint64_t *rng);
float    nn_uniform(uint64_t *rng);
/* Standard normal (Box and Muller 1958); takes two uniforms. */
float    nn_normal(uint64_t *rng);
/* Writes 0 .. n-1 in random order (Fisher and Yates), for taking samples in a new order each epoch; takes n
 * numbers of the stream. */
void     nn_shuffle(uint64_t *rng, int *order, int n);

/* ---- Models: what a generated net.c says about itself ---------------------------------------- */

enum { NN_MAX_DIMS = 4 };

typedef struct nn_tensor {
    const char *name;          /* "conv1.weight", as in PyTorch's state_dict and in safetensors */
    int         ndim;          /* 1 .. NN_MAX_DIMS */
    int         shape[NN_MAX_DIMS];
    size_t      offset;        /* its first float in net_params */
    size_t      count;         /* product of shape */
    /* initialised uniformly in [low, high); to the constant low if equal; where low is above high, from the
     * normal distribution with mean 0 and deviation low */
    float       low, high;
    /* How it lies there. Its elements in PyTorch's order (row-major over shape) are numbered by up to four
     * axes, the last one fastest, whose product is count; most often they are shape, but an fc behind
     * CxHxW has the axes O, C, H, W. A step along axis d is stride[d] floats. What is between the elements
     * is padding, always 0. axis[0] 0: row-major. */
    int         axis[NN_MAX_DIMS];
    size_t      stride[NN_MAX_DIMS];
    /* params are prepared once the bits of their float number mark - 1 are NN_PREPARED; 0: they never are */
    size_t      mark;
} nn_tensor;

/* A network compiled with --inference may have net_prepare, which works out of the weights, in their
 * place, what net_forward reads. What was loaded is gone then. These bits in net_params say that it has
 * been done: a NaN that no calculation gives, since a weight may have been loaded in their place. */
enum { NN_PREPARED = 0x7fca6e6e };

typedef struct nn_model {
    const char *name;                 /* the prefix: "net" */
    int         input_shape[3];       /* C, H, W of a sample; N, 1, 1 when flat; T, C, 0 of
                                       * T positions of C features */
    size_t      input, output;        /* floats (or tokens) in one sample, floats in one answer */
    /* not 0: the network reads tokens. Then x is const int, each token from 0 to vocabulary - 1 (of several
     * inputs, the smallest of their vocabularies), and has no gradient. 0: x is const float */
    size_t      vocabulary;
    size_t      targets;              /* elements in one sample's target */
    int         int_targets;          /* 1: class labels (const int), 0: const float */
    const char *loss_name;            /* its kind: "crossentropy", "bce", "mse", ..., "none" */
    int         logits;               /* 1: the answers are logits to crossentropy, bce or focal */
    int         batch;                /* maximum number of samples in a call */
    size_t      params;               /* learnable parameters */
    size_t      floats;               /* floats that an optimizer sees (padding included) */
    size_t      params_bytes;         /* sizeof(net_params) */
    size_t      work_bytes;           /* sizeof(net_work) */
    int                ntensors;
    const nn_tensor   *tensors;
    /* The functions of net.h, which says what they take and what they refuse: n samples, 1 <= n <= batch,
     * x of n x input floats or tokens, y of n x output, t of n x targets ints or floats; params and
     * gradients of params_bytes, work of work_bytes, aligned to 64 bytes (aligned_alloc(64,
     * model->params_bytes): both are multiples of 64). A new work is cleared before its first use. */
    void  (*forward)(const void *params, void *work, int n, const void *x, float *y);
    float (*backward)(void *params, void *work, int n, const void *x, const void *t, void *gradients);
                                      /* NULL under --inference and with `loss none` */
    /* net_loss: the mean loss of what forward answers; y may be NULL. NULL where backward is */
    float (*loss)(const void *params, void *work, int n, const void *x, const void *t, float *y);
    void  (*set_rng)(void *work, uint64_t rng); /* sets work->rng; NULL under --inference */
    /* What the mean of the loss of n samples is divided by, as means over several calls need it: how many of
     * their labels are counted, or what the class weights of these sum to. NULL: n x targets */
    double (*counted)(int n, const void *t);
    /* sets work->add; 1: backward adds to gradients instead of writing over them; NULL under --inference */
    void  (*set_add)(void *work, int add);
    /* net_prepare, which nn_init and nn_load call; NULL where there is nothing to prepare */
    void  (*prepare)(void *params);
    /* Of a network with `loss none`, which has no targets and, in the place of backward, these two:
     * net_forward_train and net_backward of its net.h; NULL in others. gradients and dx may be NULL. */
    void  (*forward_train)(const void *params, void *work, int n, const void *x, float *y);
    void  (*backward_from)(void *params, void *work, int n, const void *x, const float *dy, void *gradients,
                           float *dx);
    /* Of a network made with --stream: net_next, and sizeof(net_state), a multiple of 64. A state is aligned
     * as work is, and all zero at the beginning. NULL and 0 in others. */
    size_t state_bytes;
    int   (*next)(const void *params, void *state, void *work, const void *x, float *y);
    const int *runtime;                         /* &nn_interface_5: see NN_INTERFACE */
} nn_model;

/* Element k, counted in PyTorch's order, is ((float *)params)[nn_place(tensor, k)]; the same in a
 * gradient. */
size_t nn_place(const nn_tensor *tensor, size_t k);

/* The tensor of that name, or NULL. */
const nn_tensor *nn_find(const nn_model *model, const char *name);

/* Copy a whole tensor (count floats in PyTorch's order) out of params or a gradient, and into params. 0,
 * or NN_EPREPARED where params are prepared: then nn_get gives NaN, and nn_set changes nothing. Weights lie
 * as the generated code reads them, often transposed and with padding; so this is how to look at them:
 *
 *     float bias[10];
 *     nn_get(nn_find(&net_model, "fc2.bias"), &gradients, bias);
 *
 * Of a tensor w of shape [10, 128], ((float *)&weights)[nn_place(w, 128 * i + k)] is element [i][k]. */
int nn_get(const nn_tensor *tensor, const void *params, float *to);
int nn_set(const nn_tensor *tensor, void *params, const float *from);

/* One optimizer for some tensors and another for others, as PyTorch's parameter groups. A tensor belongs
 * to the first group whose names fits the beginning of its name ("": all do) and that has no more
 * dimensions than it:
 *
 *     nn_group groups[] = {{"head.", 0, fast}, {"", 2, decaying}, {"", 0, plain}};
 *     nn_step_groups(&net_model, groups, 3, &p, &g, state);
 *
 * One that belongs to none stays as it is. The optimizers must have states of one size; the state is
 * that of an nn_step of model->floats weights, and where they are alike in everything so are its bits.
 * Tensors that are no parameters (running statistics) take no part. nn_step_groups_part is to it as
 * nn_step_part to nn_step: nn_count_step goes before, and begin and end count the floats of params. */
typedef struct nn_group {
    const char  *names;        /* "head." */
    int          ndim;         /* at least; 2: no biases */
    nn_optimizer optimizer;
} nn_group;

void nn_step_groups(const nn_model *model, const nn_group *groups, size_t ngroups, void *params,
                    const void *gradients, float *state);
void nn_step_groups_part(const nn_model *model, const nn_group *groups, size_t ngroups, void *params,
                         const void *gradients, float *state, size_t begin, size_t end);

/* Are these weights prepared for net_forward, so that the tensors are no longer there? */
int nn_is_prepared(const nn_tensor *tensor, const void *params);

/* Fills params (model->params_bytes, aligned to 64 bytes) with PyTorch's default initialisation: padding
 * 0, each tensor drawn from its own [low, high). The same seed gives the same weights on every machine. */
void nn_init(const nn_model *model, void *params, uint64_t seed);

/* ---- Weight files ----------------------------------------------------------------------------
 *
 * safetensors, names and shapes as PyTorch's; written as F32. All return 0, or an error code that nn_error
 * describes together with the file and the tensor. nn_save writes a new file beside path
 * (.nn_save-XXXXXXXX, which stays only where the process is killed) and renames it, so path is the old file
 * or the whole new one; permissions stay, a symbolic link stays one, and what is no ordinary file (a
 * device, a pipe) is refused, by nn_load too. nn_load checks the whole file (all of the format's rules;
 * each tensor of the model present with its shape and dtype F32, or F64, F16 or BF16, which become floats;
 * unknown names are an error, but for PyTorch's NAME.num_batches_tracked, which is left out of account)
 * before it writes the first weight: a bad file changes nothing. While it runs, nn_load needs memory for the
 * file's header and data. nn_save refuses what is prepared (NN_EPREPARED): save from a build without
 * --inference. */

enum { NN_OK = 0, NN_EIO = 1, NN_EFORMAT = 2, NN_EMODEL = 3, NN_ENOMEM = 4, NN_EPREPARED = 5 };

int nn_save(const nn_model *model, const void *params, const char *path);
int nn_load(const nn_model *model, void *params, const char *path);

/* The same with flags. NN_LOAD_MORE: the file may hold more tensors than the model, which are passed over.
 * NN_LOAD_FEWER: it may hold fewer; the others stay as they are in params, so these must be weights by then
 * (net_init). Prepared weights are none to keep (NN_EPREPARED): clear the params before. Once all is loaded,
 * left, unless it is NULL, is called for each tensor that was left out: of the file (in_file 1), or of the
 * model (0). name lasts as long as that call; one of the file may hold any characters. */
enum { NN_LOAD_MORE = 1, NN_LOAD_FEWER = 2 };
typedef void nn_left(void *context, const char *name, int in_file);
int nn_load_with(const nn_model *model, void *params, const char *path, int flags, nn_left *left,
                 void *context);

/* Notes: texts by their names, which a file holds beside the tensors (safetensors' __metadata__).
 * nn_save_noted is nn_save with notes, the last of which has the name NULL. nn_read_note copies the text of
 * a note, ended by NUL and cut where room bytes are too few, and returns its whole length; -1: the file
 * has none of that name; -2: it can't be read (nn_error). */
typedef struct nn_note { const char *name, *text; } nn_note;
int  nn_save_noted(const nn_model *model, const void *params, const nn_note *notes, const char *path);
long nn_read_note(const char *path, const char *name, char *to, size_t room);

/* The message of the last call of this thread that returned error: "net.safetensors: conv1.weight has
 * shape [16, 3, 3, 3] in the file, [8, 3, 3, 3] in the network; load it into ...": the file, what is
 * wrong, what to do. One line of UTF-8, in which a file's own control characters are written as \u001B.
 * Never NULL; valid until the next error. */
const char *nn_error(int error);

#ifdef __cplusplus
}
#endif

#endif

/* ---- For the files that compute --------------------------------------------------------------
 *
 * Generated code and the runtime define NN_COMPUTES before they include this file. They rest on what a
 * float is: sums are made in the order in which they are written, each result is rounded to a float, and
 * NaN and infinity are numbers that tests find. Some flags let the compiler assume otherwise, and then
 * exp, tanh and others are wrong by up to 14 %. Here their effect is taken back as far as that can be done
 * from within a file; what is left is an error. These flags may stay on for the rest of a program. */
#if defined(NN_COMPUTES)
#include <float.h>

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0
#error "nnc: NaN and infinity are needed here. Compile this file without -ffast-math, -Ofast and \
-ffinite-math-only, or with -fno-finite-math-only behind them"
#elif (defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 2) \
    || (defined(__i386__) && defined(__GNUC__) && !defined(__SSE_MATH__) && !defined(__SSE2_MATH__)) \
    || (defined(__i386__) && defined(__GNUC__) && !defined(__clang__) && FLT_EVAL_METHOD != 0)
#error "nnc: the x87 keeps more bits than a float has, which makes the numbers wrong. Compile with \
-msse2 -mfpmath=sse"
#elif defined(__clang__) && __clang_major__ < 11 && defined(__FAST_MATH__)
#error "nnc: sums must be made in the order in which they are written. Compile this file without \
-ffast-math and -Ofast"
#endif

#if defined(__clang__) && __clang_major__ >= 11
#pragma clang fp reassociate(off)
#elif defined(__GNUC__) && !defined(__clang__) && (__GNUC__ < 12 || defined(__ASSOCIATIVE_MATH__) \
    || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__))
/* Before version 12 gcc doesn't tell which of these flags are on. Where none is, the pragma changes
 * nothing. */
#pragma GCC optimize("no-unsafe-math-optimizations", "no-associative-math", "no-reciprocal-math", \
                     "signed-zeros", "no-finite-math-only")
#endif
#endif
