/* test_winograd.c: convolutions with fewer multiplications, beside the ones they take the place of.
 *
 * In double precision the rewritten statements give the same numbers, but for rounding: the interpreter executes both.
 *
 * In single precision they round more. How much is measured with generated code, for each form and pass by itself, over many
 * shapes, for random inputs and for hard ones (a large mean, magnitudes that differ by thousands), relative to the
 * largest number of the tensor; it has to stay below what winograd.c says of the form (filter_error), by which auto keeps
 * its promise. ERRORS=40 build/tests/run winograd takes 40 random shapes more (SEED=N others) and prints the table. */
#include "generated.h"
#include "networks.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME 1e-11            /* in double precision, relative to the largest number */

static uint64_t rng;

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

typedef enum Hardness { RANDOM, LARGE_MEAN, MIXED, NHARDNESS } Hardness;
static const char *const hardness_names[] = {"random", "large mean", "mixed magnitudes"};


static double draw(Hardness hardness)
{
    double v = 2 * (double)nn_uniform(&rng) - 1;
    if (hardness == LARGE_MEAN)
        return (float)(100 + v);
    return (float)(hardness == MIXED ? v * pow(10, -3 * (double)nn_uniform(&rng)) : v);
}

static double *draw_array(int64_t count, double scale, Hardness hardness)
{
    double *v = NEW_ARRAY(double, count + 1);
    for (int64_t i = 0; i < count; i++)
        v[i] = (float)(scale * draw(hardness));
    return v;
}

/* Numbers for a network; every weight within PyTorch's bounds. */
static Binding draw_numbers(const Net *net, Hardness hardness)
{
    int n = (int)net->batch;
    Binding b = {.n = n, .weights = NEW_ARRAY(double *, net->nweights + 1), .gradients = NEW_ARRAY(double *, net->nweights + 1)};
    b.x = draw_array(n * shape_count(net->input), 1, hardness);
    b.t = draw_array(n * net->targets, 1, RANDOM);
    b.y = NEW_ARRAY(double, n * shape_count(net->out->shape));
    for (const Weight *w = net->weights; w; w = w->next) {
        b.weights[w->id] = draw_array(w->count, w->high, hardness == MIXED ? MIXED : RANDOM);
        for (int64_t i = 0; w->statistic && i < w->count; i++)
            b.weights[w->id][i] = 1 + 0.5 * draw(RANDOM);
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
    }
    return b;
}

static Binding results_of(const Net *net, const Binding *numbers)
{
    Binding b = *numbers;
    b.y = NEW_ARRAY(double, b.n * shape_count(net->out->shape));
    b.gradients = NEW_ARRAY(double *, net->nweights + 1);
    b.weights = NEW_ARRAY(double *, net->nweights + 1);
    for (const Weight *w = net->weights; w; w = w->next) {
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
        b.weights[w->id] = NEW_ARRAY(double, w->count); /* batchnorm writes its statistics */
        memcpy(b.weights[w->id], numbers->weights[w->id], (size_t)w->count * sizeof(double));
    }
    return b;
}

/* The largest difference, relative to the largest right number. */
static double error_of(const double *right, const double *v, int64_t count)
{
    double most = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(right[i]));
        most = fabs(v[i] - right[i]) <= most ? most : fabs(v[i] - right[i]);
    }
    return most == 0 ? 0 : most / largest;
}

/* A gradient so small that float would have made it of rounding is 0: least_share in winograd.c. */
static double gradient_error(const Net *net, const Binding *right, const Binding *b)
{
    double most = 0;
    for (const Weight *w = net->weights; w; w = w->next) {
        double *v = NEW_ARRAY(double, w->count + 1), largest = 0;
        for (int64_t i = 0; i < w->count; i++)
            largest = fmax(largest, fabs(right->gradients[w->id][i]));
        for (int64_t i = 0; i < w->count; i++) {
            bool tiny = b->gradients[w->id][i] == 0 && fabs(right->gradients[w->id][i]) < 1e-5 * largest;
            v[i] = tiny ? right->gradients[w->id][i] : b->gradients[w->id][i];
        }
        most = fmax(most, error_of(right->gradients[w->id], v, w->count));
    }
    return most;
}

/* ---- The same numbers -------------------------------------------------------------------------------------------- */

static const char *const networks[] = {
    "input 1x2x2; batch 2; conv 1 k3 p1",
    "input 2x4x4; batch 2; conv 3 k3 p1; conv 2 k3 p1; loss mse",
    "input 2x5x7; batch 2; conv 3 k3 p1; tanh; conv 4 k3; loss mse",
    "input 3x7x3; batch 3; conv 2 k3 p2; conv 2 k3 p1x0; loss mse",
    "input 4x6x13; batch 1; conv 6 k3 p1 g2; conv 4 k3 g2; fc 2",
    "input 2x11x6; batch 2; conv 2 k3 p1 g2; x:; conv 2 k3 p1 bias=false; add x; loss mse",
    "input 2x6x6; batch 2; conv 2 k3 p1 pad=circular; conv 2 k3 p2 pad=replicate; fc 2",
    "input 2x4x5; batch 2; convtranspose 3 k3; tanh; convtranspose 2 k3 p1; loss mse",
    "input 2x13x13; batch 2; conv 3 k3 s2 p1; conv 3 k3 d2; conv 2 k3 p1; loss mse",
    "input 2x8x8; batch 3; conv 3 k3 p1 bias=false; batchnorm; relu; conv 2 k3 p1 bias=false; batchnorm; fc 2",
};

static int rewritten(const Prog *prog, const char *method)
{
    int n = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        n += s->method && (!method || !strcmp(s->method, method));
    return n;
}

static void same_numbers(void)
{
    const Options options = {.math = MATH_WINOGRAD, .target = TARGET_SCALAR, .unroll = UNROLL_TILE};
    int small = 0, large = 0;
    rng = test_seed();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const Net *net = network_of(networks[i], &options);
        CU_ASSERT_FATAL(net != NULL);
        Binding right = draw_numbers(net, RANDOM), other = results_of(net, &right);
        for (int training = 0; training < 2; training++) {
            Prog *prog = lower(net, training);
            if (training)
                differentiate(prog);
            Prog *laid_out = statements_after("halo", prog, &options);
            order_phases(laid_out);
            if (rewritten(laid_out, NULL) <= training)
                fprintf(stderr, "\n`%s`, %s: taken %d times", networks[i], training ? "training" : "inference", rewritten(laid_out, NULL));
            CU_ASSERT(rewritten(laid_out, NULL) > training);
            small += rewritten(laid_out, "F(2x2,3x3)");
            large += rewritten(laid_out, "F(4x4,3x3)");
            interpret(prog, &right);
            interpret(laid_out, &other);
            double error = training ? fmax(gradient_error(net, &right, &other), error_of(&right.loss, &other.loss, 1))
                                    : error_of(right.y, other.y, right.n * shape_count(net->out->shape));
            if (!(error < SAME))
                fprintf(stderr, "\n`%s`, %s: an error of %g", networks[i], training ? "training" : "inference", error);
            CU_ASSERT(error < SAME);
        }
    }
    CU_ASSERT(small > 0 && large > 0);
    free_all();
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* Images of four rows of tiles. */
static const char *const images[] = {
    "input 8x16x16; batch 2; conv 8 k3 p1; relu; conv 8 k3 p1; loss mse",
    "input 8x17x17; batch 2; conv 16 k3 p1 g2; conv 8 k3 p1 bias=false; batchnorm; relu; loss mse",
};

/* The kernels of both passes that run in a loop over blocks, and how many blocks the most of them have. */
static int blocked_kernels(const Plan *plan, int64_t *most)
{
    int n = 0;
    *most = 0;
    for (int training = 0; training < 2; training++)
        for (const Function *f = (training ? &plan->training : &plan->forward)->functions; f; f = f->next)
            for (const Kernel *k = f->kernels; k; k = k->next) {
                n += k->blocks > 0;
                *most = k->blocks > *most ? k->blocks : *most;
            }
    return n;
}

/* As many as are asked for, where that many can be, and the more there are the less memory they take. What they compute
 * is the affair of the suite "generated C". */
static void blocks(void)
{
    static const int wanted[] = {1, 2, 3, 99}, expected[] = {0, 2, 2, 4};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        for (TargetName target = 0; target < NTARGETS; target++) {
            int64_t arena = INT64_MAX;
            for (int k = 0; k < 4; k++) {
                const Options options = {.math = MATH_WINOGRAD, .target = target, .unroll = UNROLL_TILE, .prefix = "net", .blocks = wanted[k]};
                const Net *net = network_of(images[i], &options);
                CU_ASSERT_FATAL(net != NULL);
                Prog *training = lower(net, true);
                differentiate(training);
                Plan *plan = make_plan(net, lower(net, false), training, &options);
                verify_plan(plan);
                int64_t most;
                int kernels = blocked_kernels(plan, &most);
                CU_ASSERT_EQUAL(most, expected[k]);
                CU_ASSERT(k ? kernels >= 3 * 5 - 1 : !kernels); /* three for each pass of each layer, but for x */
                CU_ASSERT(wanted[k] == 3 ? plan->arena == arena : plan->arena < arena);
                arena = plan->arena;
            }
        }
    free_all();
}

/* A filter that is asked for is the only one, and what it leaves over counts once: the work is that of the sums as written. */
static int64_t macs_of(const Prog *prog)
{
    int64_t macs = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        macs += s->macs ? s->macs : is_contraction(s) ? box_volume(s) : 0;
    return macs;
}

static void one_filter(void)
{
    Options options = {.math = MATH_DIRECT, .target = TARGET_AVX2, .unroll = UNROLL_TILE};
    const Net *net = network_of("input 8x10x9; batch 2; conv 16 k3 p1; conv 8 k3; loss mse", &options);
    CU_ASSERT_FATAL(net != NULL);
    const Prog *direct = statements_after("halo", lower(net, false), &options);
    CU_ASSERT(rewritten(direct, NULL) == 0 && macs_of(direct) > 0);
    options.math = MATH_WINOGRAD;
    for (int i = 0; (options.filter = filter_option(i)); i++) {
        const Prog *prog = statements_after("halo", lower(net, false), &options);
        CU_ASSERT(rewritten(prog, i ? "F(2x2,3x3)" : "F(4x4,3x3)") == 2 && rewritten(prog, NULL) == 2);
        CU_ASSERT_EQUAL(macs_of(prog), macs_of(direct));
    }
    free_all();
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

typedef enum Direction { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT, NDIRECTIONS } Direction;
static const char *const direction_names[] = {"forward", "input gradient", "weight gradient"};
static const double promised[] = {MOST_FORWARD_ERROR, MOST_GRADIENT_ERROR, MOST_GRADIENT_ERROR};

/* conv in->out k3 pP gG on height x width. */
typedef struct Trial {
    int in, out, height, width, padding, groups, batch;
} Trial;

/* The least; sizes that tiles fill and don't; groups; few and many channels on both sides; sums over many samples. */
static const Trial trials[] = {
    {1, 1, 4, 4, 1, 1, 1},  {8, 8, 8, 8, 1, 1, 1},   {16, 16, 10, 10, 0, 1, 1}, {16, 8, 15, 13, 1, 1, 1},
    {64, 8, 7, 9, 2, 1, 1}, {32, 64, 6, 13, 0, 4, 1}, {256, 4, 8, 8, 1, 1, 1},  {4, 256, 8, 8, 1, 1, 1},
    {512, 2, 8, 8, 1, 1, 1}, {2, 512, 8, 8, 1, 1, 1}, {2, 2, 16, 16, 1, 1, 64},
};
enum { FIXED = sizeof trials / sizeof *trials, MORE = 40, MOST_TRIALS = FIXED + MORE, MOST_MACS = 1 << 20 };

static Trial draw_trial(void)
{
    Trial t;
    do {
        static const int sizes[] = {4, 5, 6, 7, 8, 9, 11, 12, 14, 16, 17, 20, 23, 28, 32};
        t = (Trial){.batch = 1, .groups = 1};
        t.in = (int)pow(2, 8.01 * (double)nn_uniform(&rng));
        t.out = (int)pow(2, 8.01 * (double)nn_uniform(&rng));
        t.height = sizes[nn_bits(&rng) % 15];
        t.width = sizes[nn_bits(&rng) % 15];
        t.padding = (int)(nn_bits(&rng) % 3);
        if (nn_bits(&rng) % 4 == 0)
            t.groups = 1 << nn_bits(&rng) % 4;
        if (nn_bits(&rng) % 4 == 0)
            t.batch = 1 << nn_bits(&rng) % 6;
    } while (t.in % t.groups || t.out % t.groups || t.in / t.groups * t.out * 9 * t.height * t.width * t.batch > MOST_MACS);
    return t;
}

/* layernorm has a bias for each element: with weight 0 that is what the convolution gets, exactly, and its gradient is the
 * convolution's input gradient, where there is one sample. */
static const char *text_of(const Trial *t)
{
    return format("input %dx%dx%d; batch %d; %sconv %d k3 p%d g%d bias=false; loss mse", t->in, t->height, t->width, t->batch,
                  t->batch == 1 ? "layernorm; " : "", t->out, t->padding, t->groups);
}

/* Targets so large that the gradient of the loss is theirs: as hard as the data, but for half of the large means. */
static Binding draw_trial_numbers(const Net *net, Hardness hardness, int draw)
{
    Binding b = draw_numbers(net, hardness);
    b.t = draw_array(b.n * net->targets, 1024, hardness == LARGE_MEAN && draw % 2 ? RANDOM : hardness);
    for (const Weight *w = net->weights; w; w = w->next)
        if (!strcmp(w->name, "layernorm1.bias"))
            b.weights[w->id] = draw_array(w->count, 1, hardness);
        else if (!strcmp(w->name, "layernorm1.weight"))
            b.weights[w->id] = NEW_ARRAY(double, w->count);
    return b;
}

static void errors_of(const Net *net, const Binding *right, const Binding *b, double error[NDIRECTIONS])
{
    error[FORWARD] = error_of(right->y, b->y, right->n * shape_count(net->out->shape));
    error[INPUT_GRADIENT] = 0;
    for (const Weight *w = net->weights; w; w = w->next) {
        double e = error_of(right->gradients[w->id], b->gradients[w->id], w->count);
        if (!strcmp(w->name, "layernorm1.bias"))
            error[INPUT_GRADIENT] = e;
        else if (!strcmp(w->name, "conv1.weight"))
            error[WEIGHT_GRADIENT] = e;
    }
}

static float *floats_of(const double *v, int64_t count)
{
    float *f = generated_memory((size_t)count * sizeof *f);
    for (int64_t i = 0; i < count; i++)
        f[i] = (float)v[i];
    return f;
}

/* What generated code answers to these numbers. */
static Binding run(const Net *net, const nn_model *m, const Binding *numbers)
{
    Binding b = results_of(net, numbers);
    int64_t answers = b.n * m->output;
    float *x = floats_of(b.x, b.n * m->input), *t = floats_of(b.t, b.n * m->targets), *y = generated_memory((size_t)answers * 4);
    void *params = generated_memory(m->params_bytes), *gradients = generated_memory(m->params_bytes), *work = generated_work(m);
    memset(params, 0, m->params_bytes);
    for (const Weight *w = net->weights; w; w = w->next) {
        float *values = floats_of(b.weights[w->id], w->count);
        nn_set(&m->tensors[w->id], params, values);
        free(values);
    }
    m->forward(params, work, b.n, x, y);
    b.loss = m->backward(params, work, b.n, x, t, gradients);
    for (int64_t i = 0; i < answers; i++)
        b.y[i] = y[i];
    for (const Weight *w = net->weights; w; w = w->next) {
        float *values = generated_memory((size_t)w->count * sizeof *values);
        nn_get(&m->tensors[w->id], gradients, values);
        for (int64_t i = 0; i < w->count; i++)
            b.gradients[w->id][i] = values[i];
        free(values);
    }
    void *all[] = {x, t, y, params, gradients, work};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    return b;
}

/* The products of each sum of the transformed form, as filter_error has them. */
static double products_of(const Trial *t, Direction d, int results)
{
    int rows = (t->height + 2 * t->padding - 2) / results, columns = (t->width + 2 * t->padding - 2) / results;
    return d == FORWARD ? t->in / t->groups : d == INPUT_GRADIENT ? t->out / t->groups : rows * columns * t->batch;
}

/* ERRORS=N: N random shapes more, more draws, and a table. */
static void errors(void)
{
    const char *more = getenv("ERRORS");
    bool table = more != NULL;
    enum { AUTO = 2, DIRECT, FORMS };
    const char *forms[FORMS] = {filter_option(0), filter_option(1), "auto", "direct"};
    const int count = FIXED + (table ? atoi(more) % (MORE + 1) : 0), draws = table ? 4 : 2;
    Trial trial[MOST_TRIALS];
    generated nets[FORMS * MOST_TRIALS];
    double most[FORMS][NDIRECTIONS][NHARDNESS] = {{{0}}}, of_bound = 0;
    rng = table ? test_seed() : 1;
    for (int i = 0; i < count; i++) {
        trial[i] = i < FIXED ? trials[i] : draw_trial();
        for (int k = 0; k < FORMS; k++)
            nets[FORMS * i + k] = (generated){format("net%d", FORMS * i + k), text_of(&trial[i]),
                                               format("--math=%s -Wno-all", forms[k]), GENERATED_GNU " -O0 -march=native", NULL}; /* the same sums */
    }
    void *library = generated_build("build/tests/tmp/winograd", nets, (size_t)(FORMS * count), "clang");
    for (int i = 0; i < count; i++) {
        const Options options = {.target = TARGET_GENERIC};
        const Net *net = network_of(text_of(&trial[i]), &options);
        CU_ASSERT_FATAL(net != NULL);
        Prog *training = lower(net, true), *forward = lower(net, false);
        differentiate(training);
        for (int n = 0; n < draws * NHARDNESS; n++) {
            Binding right = draw_trial_numbers(net, (Hardness)(n / draws), n % draws);
            interpret(forward, &right);
            interpret(training, &right);
            double error[NDIRECTIONS], direct[NDIRECTIONS];
            for (int k = DIRECT; k >= 0; k--) {
                CU_ASSERT_FATAL(nets[FORMS * i + k].model != NULL);
                Binding b = run(net, nets[FORMS * i + k].model, &right);
                errors_of(net, &right, &b, error);
                for (int d = 0; d < NDIRECTIONS; d++) {
                    if (k == DIRECT)
                        direct[d] = error[d];
                    double bound = k < AUTO ? filter_error(k, products_of(&trial[i], (Direction)d, k ? 2 : 4)) : promised[d];
                    bound = fmax(bound, 2 * direct[d]); /* numbers that cancel lose digits in any form */
                    if (!(error[d] <= bound))
                        fprintf(stderr, "\n`%s`, %s, %s, %s: an error of %.2g, and not below %.2g", text_of(&trial[i]), forms[k],
                                direction_names[d], hardness_names[n / draws], error[d], bound);
                    CU_ASSERT(error[d] <= bound);
                    most[k][d][n / draws] = fmax(most[k][d][n / draws], error[d]);
                    of_bound = k < AUTO ? fmax(of_bound, error[d] / bound) : of_bound;
                }
            }
        }
    }
    if (table)
        printf("%.2f of the bound\n| --math | pass | random | large mean | mixed magnitudes |\n|---|---|---|---|---|\n", of_bound);
    for (int k = 0; k < FORMS && table; k++)
        for (int d = 0; d < NDIRECTIONS; d++)
            printf("| %s | %s | %.1e | %.1e | %.1e |\n", forms[k], direction_names[d], most[k][d][RANDOM], most[k][d][LARGE_MEAN],
                   most[k][d][MIXED]);
    generated_close(library);
    free_all();
}

/* Where the bound is more than auto promises it takes another form, however fast the first would be. */
static void promise(void)
{
    static const struct { const char *text; bool large[2]; } cases[] = { /* F(4x4,3x3) forward, and in gradients */
        {"input 128x16x16; batch 1; conv 128 k3 p1; conv 128 k3 p1; loss mse", {true, true}},
        {"input 1024x16x16; batch 1; conv 1024 k3 p1; conv 1024 k3 p1; loss mse", {false, true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Options options = {.math = MATH_AUTO, .target = TARGET_AVX512, .unroll = UNROLL_TILE};
        const Net *net = network_of(cases[i].text, &options);
        CU_ASSERT_FATAL(net != NULL);
        Prog *training = lower(net, true);
        differentiate(training);
        int taken[2] = {0};
        for (const Statement *s = statements_after("halo", training, &options)->statements; s; s = s->next)
            taken[s->backward] += s->method && !strcmp(s->method, "F(4x4,3x3)");
        for (int backward = 0; backward < 2; backward++)
            CU_ASSERT_EQUAL(taken[backward] > 0, cases[i].large[backward]);
    }
    free_all();
}

void add_winograd_suite(void)
{
    static CU_TestInfo tests[] = {
        {"the same numbers", same_numbers},
        {"blocks", blocks},
        {"one filter", one_filter},
        {"errors", errors},
        {"what auto promises", promise},
        CU_TEST_INFO_NULL,
    };
    add_suite("winograd", networks_start, networks_end, tests);
}
