/* test_fold.c: scales and shifts that go into the sums before them.
 *
 * In double precision the folded statements give the same numbers, but for rounding: the interpreter executes both. What is
 * folded, and what may not be, is counted. That generated code is right, too, in every mode and for every target, is held by
 * "folded" in test_generated.c. */
#include "networks.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME 1e-11            /* relative to the largest number */

static uint64_t rng;
static const Options inference = {.inference = true};

static double *draw_array(int64_t count, double low, double high)
{
    double *v = NEW_ARRAY(double, count + 1);
    for (int64_t i = 0; i < count; i++)
        v[i] = low + (high - low) * (double)nn_uniform(&rng);
    return v;
}

static Binding draw_numbers(const Net *net)
{
    Binding b = {.n = (int)net->batch, .weights = NEW_ARRAY(double *, net->nweights + 1)};
    b.x = draw_array(b.n * shape_count(net->input), -1, 1);
    for (const Weight *w = net->weights; w; w = w->next)
        b.weights[w->id] = draw_array(w->count, w->statistic ? 0.3 : -1, 2);
    return b;
}

static double *answer_of(const Prog *prog, Binding b)
{
    b.y = NEW_ARRAY(double, b.n * shape_count(prog->net->out->shape));
    interpret(prog, &b);
    return b.y;
}

static int count_folds(const Prog *prog)
{
    int n = 0;
    for (const Folded *f = prog->folded; f; f = f->next)
        n++;
    return n;
}

/* Statements that run for each sample. */
static int count_per_sample(const Prog *prog)
{
    int n = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        n += s->per_sample;
    return n;
}

static const struct {
    const char *text;
    int folds;
} networks[] = {
    {"input 1x3x3; batch 2; conv 1 k2; batchnorm", 1},
    {"input 3x5x7; batch 2; conv 4 k3 p1; batchnorm; relu; conv 5 k1 s2 bias=false; batchnorm; x:; tanh; concat x", 2},
    {"input 4x6x5; batch 2; conv 6 k3x2 p1 g2 bias=false; batchnorm; conv 6 k3 g6 s2x1; batchnorm; relu6", 2},
    {"input 2x4x6; batch 2; conv 3 k3 p2 pad=reflect; batchnorm; conv 2 k3 p1x2 d1x2 pad=circular; batchnorm", 2},
    {"input 3x4x3; batch 2; convtranspose 4 k3 s2 p1 o1; batchnorm; relu; convtranspose 2 k2 bias=false; batchnorm", 2},
    {"input 4x3x3; batch 2; convtranspose 6 k3x2 s2x3 g2; batchnorm; convtranspose 6 k1 s2 g6; batchnorm", 2},
    {"input 7; batch 3; fc 5; batchnorm; relu; fc 1 bias=false; batchnorm", 2},
    {"input 3x2x4; batch 2; fc 6; batchnorm", 1},
    {"input 2x4x4; batch 2; conv 3 k3; relu; flatten; fc 5 bias=false; batchnorm; softmax", 1},
    {"input 2x5x5; batch 2; conv 3 k3 p1; batchnorm; batchnorm eps=0.1; fc 4 bias=false; batchnorm; batchnorm; batchnorm", 5},
    {"input 2x5x5; batch 2; conv 3 k3 p1; normalize mean=0.5 std=2; conv 2 k2; normalize mean=1,2 std=0.5,0.25", 2},
    {"input 2x5x5; batch 2; x:; conv 2 k3 p1; batchnorm; y:; from x; conv 2 k1; batchnorm; add x y; relu", 2},
    /* weights that layers share, folded by one scale, by several, or by one and by none */
    {"input 2x4x4; batch 2; x:; a: conv 3 k3; b: batchnorm; y:; from x; tanh; conv 3 k3 weights=a; batchnorm weights=b; add y", 2},
    {"input 3x4x4; batch 2; a: conv 3 k3 p1; batchnorm; relu; conv 3 k3 p1 weights=a; batchnorm; relu; conv 3 k3 weights=a", 2},
    {"input 3x4x4; batch 2; a: conv 3 k3 p1 bias=false; relu; conv 3 k3 p1 weights=a; batchnorm; relu; conv 3 k3 p1 weights=a", 1},
    {"input 6; batch 2; a: fc 6; batchnorm; tanh; fc 6 weights=a bias=false; normalize mean=1 std=2", 2},
    /* the sum is wanted elsewhere, too */
    {"input 2x4x4; batch 2; conv 3 k3 p1; x:; batchnorm; add x", 0},
    {"input 2x4x4; batch 2; conv 3 k3 p1; x:; batchnorm; y:; from x; batchnorm; concat y", 0},
    /* or is no sum, or not one of weights, or reaches the scale as something else */
    {"input 2x4x4; batch 2; batchnorm; conv 3 k3", 0},
    {"input 2x4x4; batch 2; conv 3 k3; relu; batchnorm", 0},
    {"input 2x4x4; batch 2; conv 3 k3; maxpool 2; batchnorm", 0},
    {"input 2x4x4; batch 2; conv 3 k3; avgpool 2; batchnorm; globalavgpool; batchnorm", 0},
    {"input 2x4x4; batch 2; x:; conv 2 k3 p1; add x; batchnorm", 0},
    {"input 2x4x4; batch 2; x:; conv 2 k3 p1; concat x; batchnorm", 0},
    {"input 2x4x4; batch 2; conv 2 k3 p1; x:; globalavgpool; mul x; batchnorm", 0},
    {"input 2x4x4; batch 2; conv 2 k3 p1; flatten; batchnorm", 0},
    {"input 2x2x3; batch 2; conv 2 k1; upsample 2 mode=bilinear; batchnorm; adaptiveavgpool 3x2; batchnorm", 0},
    {"input 2x4x4; batch 2; conv 4 k3; layernorm; conv 4 k1; groupnorm 2", 0},
    {"input 2x4x4; batch 2; conv 2 k3; leakyrelu 0.5; relu; softmax", 0},
};

static void same_numbers(void)
{
    rng = test_seed();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const Net *net = network_of(networks[i].text, &inference);
        CU_ASSERT_FATAL(net != NULL);
        const Prog *before = lower(net, false);
        Prog *after = lower(net, false);
        fold(after);
        verify_prog(after);
        int folds = count_folds(after), gone = count_per_sample(before) - count_per_sample(after);
        if (folds != networks[i].folds || gone != folds) {
            fprintf(stderr, "\n`%s`: %d folded, %d statements gone, not %d\n", networks[i].text, folds, gone, networks[i].folds);
            CU_FAIL("other folds than expected");
        }
        Binding b = draw_numbers(net);
        const double *right = answer_of(before, b), *y = answer_of(after, b);
        double most = 0, largest = 0;
        int64_t outputs = b.n * shape_count(net->out->shape);
        for (int64_t k = 0; k < outputs; k++) {
            largest = fmax(largest, fabs(right[k]));
            most = fabs(y[k] - right[k]) <= most ? most : fabs(y[k] - right[k]);
        }
        if (!(most <= SAME * largest)) {
            fprintf(stderr, "\n`%s`: differs by %g, the largest is %g\n", networks[i].text, most, largest);
            CU_FAIL("folding changes the numbers");
        }
    }
    free_all();
}

/* Every layer of the list is gone but for what is done once, in the order of their folding. */
static void said_where(void)
{
    const Net *net = network_of("input 2x5x5; conv 3 k3 p1; a: batchnorm; b: batchnorm; relu; c: conv 2 k3; d: batchnorm", &inference);
    CU_ASSERT_FATAL(net != NULL);
    static const char *const expected[][2] = {{"d", "c"}, {"b", "conv1"}, {"a", "conv1"}};
    Prog *prog = lower(net, false);
    fold(prog);
    int n = 0;
    for (const Folded *f = prog->folded; f && n < 3; f = f->next, n++) {
        CU_ASSERT_STRING_EQUAL(f->layer->name, expected[n][0]);
        CU_ASSERT_STRING_EQUAL(f->into->name, expected[n][1]);
    }
    CU_ASSERT_EQUAL(n, 3);
    for (const Statement *s = prog->statements; s; s = s->next)
        CU_ASSERT(!s->per_sample || strcmp(s->layer->kind->name, "batchnorm") != 0);
    free_all();
}

/* Where samples share a sum, as in training, nothing is folded. */
static void not_in_training(void)
{
    const Net *net = network_of("input 2x5x5; batch 2; conv 3 k3 p1; batchnorm; conv 2 k3; normalize mean=0.5 std=2", &inference);
    CU_ASSERT_FATAL(net != NULL);
    Prog *prog = lower(net, true);
    int statements = count_per_sample(prog);
    fold(prog);
    CU_ASSERT_EQUAL(count_folds(prog), 0);
    CU_ASSERT_EQUAL(count_per_sample(prog), statements);
    free_all();
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------ */

/* Bytes of weights and of scratch memory, as --summary prints them. */
typedef struct Bytes {
    long long weights, inference, training;
} Bytes;

static Bytes bytes_of(const char *text, Options options)
{
    char *printed = NULL;
    size_t size = 0;
    Bytes bytes = {0};
    const Net *net = network_of(text, &options);
    CU_ASSERT_FATAL(net != NULL);
    Prog *forward = lower(net, false), *training = options.inference ? NULL : lower(net, true);
    if (training)
        differentiate(training);
    else
        fold(forward);
    Plan *plan = make_plan(net, forward, training, &options);
    verify_plan(plan);
    FILE *memory = open_memstream(&printed, &size);
    CU_ASSERT_FATAL(memory != NULL);
    print_summary(memory, plan);
    fclose(memory);
    const char *line = strstr(printed, "\nweights ");
    int found = line ? sscanf(line, "\nweights %lld bytes; scratch memory %lld bytes for inference, %lld bytes for training",
                              &bytes.weights, &bytes.inference, &bytes.training) : 0;
    CU_ASSERT_EQUAL(found, options.inference ? 2 : 3);
    free(printed);
    free_all();
    return bytes;
}

/* --inference once kept the folded weights beside the loaded ones, and had room for folding them again in scratch memory: a network
 * needed twice the memory of one that can train. What is folded now takes the place of what was loaded. */
static void no_more_than_training(void)
{
    static const char *const texts[] = {
        "input 16x8x8; batch 1; conv 16 k3 p1 bias=false; batchnorm; relu",
        "input 16x8x8; batch 1; conv 16 k3 p1; batchnorm; relu; conv 24 k3 p1; batchnorm; batchnorm; relu6; fc 10; softmax",
        "input 3x32x32; conv 32 k3 p1 bias=false; batchnorm; relu; x:; conv 32 k3 p1 bias=false; batchnorm; add x; relu; "
        "conv 64 k3 s2 p1 bias=false; batchnorm; relu; y:; conv 64 k3 p1 bias=false; batchnorm; add y; globalavgpool; fc 10",
        "input 3x96x96; batch 1; conv 8 k3 s2 p1 bias=false; batchnorm; relu6; conv 8 k3 p1 g8 bias=false; batchnorm; relu6; "
        "conv 16 k1 bias=false; batchnorm; globalavgpool; fc 2",
        "input 1x49x10; conv 64 k10x4 s2 p4x1 bias=false; batchnorm; relu; conv 64 k3 p1 g64; batchnorm; relu; conv 64 k1; batchnorm; fc 12",
        "input 128x4x4; batch 1; repeat 2 { conv 128 k3 p1 bias=false; batchnorm; relu }; conv 512 k3 p1 bias=false; batchnorm; relu",
        "input 8x6x6; batchnorm; relu; convtranspose 12 k3 s2; batchnorm; tanh; batchnorm; convtranspose 3 k2 bias=false",
        "input 40; fc 60; batchnorm; relu; fc 60 bias=false; batchnorm; relu; fc 7; batchnorm; softmax",
        "input 5; batchnorm",
        "input 32x16x16; batch 1; conv 32 k3 p1; groupnorm 4; relu", /* nothing is folded, but Winograd's taps are made of the weights */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int unroll = 0; unroll < 4; unroll++)
            for (int target = 0; target < NTARGETS; target++) {
                Options options = {.unroll = unroll, .target = target, .prefix = "net"};
                if (unroll == UNROLL_FULL && strlen(texts[i]) > 100)
                    continue; /* too large to be written out */
                Bytes trains = bytes_of(texts[i], options);
                options.inference = true;
                Bytes deployed = bytes_of(texts[i], options);
                if (deployed.weights + deployed.inference > trains.weights + trains.inference) {
                    fprintf(stderr, "\n`%s`, unroll %d, target %d: %lld + %lld bytes, %lld + %lld without --inference\n", texts[i], unroll,
                            target, deployed.weights, deployed.inference, trains.weights, trains.inference);
                    CU_FAIL("--inference takes more memory");
                }
            }
}

/* An input gradient once read all weights from transposed copies: 845 MB of scratch memory for one sample of VGG-11, 320 MB more
 * than its weights. Those of large fully connected layers are read as they are. */
static void no_large_copies(void)
{
    static const char *const text = "input 64x6x6; batch 1; maxpool 2; fc 512; relu; fc 512; relu; dropout; fc 512; relu; fc 10; softmax";
    for (int unroll = 0; unroll < 4; unroll++)
        for (int target = 0; target < NTARGETS; target++) {
            if (unroll == UNROLL_FULL)
                continue;
            Bytes bytes = bytes_of(text, (Options){.unroll = unroll, .target = target, .prefix = "net"});
            if (bytes.training > bytes.weights / 16) {
                fprintf(stderr, "\nunroll %d, target %d: %lld bytes of weights, %lld to train\n", unroll, target, bytes.weights, bytes.training);
                CU_FAIL("weights are copied");
            }
        }
}

void add_fold_suite(void)
{
    static CU_TestInfo tests[] = {
        {"the same numbers", same_numbers}, {"said where", said_where}, {"not in training", not_in_training},
        {"no more memory than training", no_more_than_training}, {"no large copies", no_large_copies}, CU_TEST_INFO_NULL,
    };
    add_suite("fold", networks_start, networks_end, tests);
    add_to_check("fold", NULL);
}
