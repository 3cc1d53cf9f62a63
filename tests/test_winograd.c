/* test_winograd.c: convolutions with fewer multiplications, beside the ones they take the place of.
 *
 * In double precision the rewritten statements give the same numbers, but for rounding: the interpreter executes both.
 *
 * In single precision they round more. How much is measured with generated code over many shapes, for random inputs and for hard
 * ones (a large mean, magnitudes that differ by thousands), relative to the largest number of the tensor; it may not be
 * more than what --math=auto promises. ERRORS=1 build/tests/run winograd prints the table. */
#include "generated.h"
#include "nnc.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME 1e-11            /* in double precision, relative to the largest number */
#define MOST_FORWARD 1e-5     /* in single precision: what auto promises */
#define MOST_BACKWARD 1e-4

static uint64_t rng;
static FILE *nowhere;

static Net *network_of(const char *text, const Options *options)
{
    Source *source = NEW(Source);
    *source = (Source){"net.nn", text, strlen(text)};
    diag_start(nowhere, source, COLOR_NEVER);
    const Ast *ast = parse(source);
    Net *net = ast ? resolve(ast, options) : NULL;
    return net && error_count() == 0 ? net : NULL;
}

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

static double gradient_error(const Net *net, const Binding *right, const Binding *b)
{
    double most = 0;
    for (const Weight *w = net->weights; w; w = w->next)
        most = fmax(most, error_of(right->gradients[w->id], b->gradients[w->id], w->count));
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
            Prog *laid_out = lay_out(prog, &targets[TARGET_SCALAR], &options);
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

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* The layer in question is the second, so that all three passes run; none of them is followed by anything that bends. */
static const char *const shapes[] = {
    "input 8x8x8; batch 4; conv 8 k1 bias=false; conv 8 k3 p1; loss mse",
    "input 16x10x10; batch 2; conv 16 k1 bias=false; conv 16 k3; loss mse",
    "input 3x14x14; batch 2; conv 24 k1 bias=false; conv 40 k3 p1; loss mse",
    "input 32x16x16; batch 2; conv 32 k1 bias=false; conv 32 k3 p1; loss mse",
    "input 64x8x8; batch 4; conv 64 k1 bias=false; conv 64 k3 p1; loss mse",
    "input 16x32x32; batch 1; conv 16 k1 bias=false; conv 16 k3 p1; loss mse",
    "input 128x6x6; batch 2; conv 128 k1 bias=false; conv 64 k3 p1; loss mse",
    "input 32x7x7; batch 4; conv 32 k1 bias=false; conv 32 k3 p1; loss mse",
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

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
    void *params = generated_memory(m->params_bytes), *gradients = generated_memory(m->params_bytes), *work = generated_memory(m->work_bytes);
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

static void errors(void)
{
    static const char *const math[] = {"direct", "winograd", "auto"};
    generated nets[3 * SHAPES];
    for (int i = 0; i < 3 * SHAPES; i++)
        nets[i] = (generated){format("net%d", i), shapes[i / 3], format("--math=%s -Wno-all", math[i % 3]), GENERATED_GNU, NULL};
    void *library = generated_build("build/tests/tmp/winograd", nets, 3 * SHAPES, NULL);
    bool table = getenv("ERRORS");
    const int draws = table ? 4 : 1;
    rng = table ? test_seed() : 1;
    if (table)
        printf("\n| inputs | --math | forward | gradients |\n|---|---|---|---|\n");
    for (int hardness = 0; hardness < NHARDNESS; hardness++) {
        double forward[3] = {0}, backward[3] = {0};
        for (int i = 0; i < 3 * SHAPES; i += 3)
            for (int n = 0; n < draws; n++) {
                const Options options = {.target = TARGET_GENERIC};
                const Net *net = network_of(shapes[i / 3], &options);
                Binding right = draw_numbers(net, (Hardness)hardness);
                Prog *training = lower(net, true);
                differentiate(training);
                interpret(lower(net, false), &right);
                interpret(training, &right);
                for (int k = 0; k < 3; k++) {
                    CU_ASSERT_FATAL(nets[i + k].model != NULL);
                    Binding b = run(net, nets[i + k].model, &right);
                    forward[k] = fmax(forward[k], error_of(right.y, b.y, right.n * shape_count(net->out->shape)));
                    backward[k] = fmax(backward[k], gradient_error(net, &right, &b));
                }
            }
        for (int k = 0; k < 3 && table; k++)
            printf("| %s | %s | %.1e | %.1e |\n", hardness_names[hardness], math[k], forward[k], backward[k]);
        for (int k = 0; k < 3; k++)
            CU_ASSERT(forward[k] <= MOST_FORWARD && backward[k] <= MOST_BACKWARD);
    }
    generated_close(library);
    free_all();
}

static int start(void)
{
    nowhere = fopen("/dev/null", "w");
    return nowhere == NULL;
}

static int end(void)
{
    diag_start(NULL, NULL, COLOR_AUTO);
    return fclose(nowhere);
}

void add_winograd_suite(void)
{
    static CU_TestInfo tests[] = {
        {"the same numbers", same_numbers},
        {"blocks", blocks},
        {"errors", errors},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"winograd", start, end, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    if (CU_register_suites(suites) != CUE_SUCCESS)
        fprintf(stderr, "%s\n", CU_get_error_msg());
}
