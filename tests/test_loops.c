/* test_loops.c: what lower makes of nests, executed and counted without a C compiler.
 *
 * run_loops executes a plan's nodes in its layout and arena, in double precision; interpret executes the
 * Prog. Over random networks the two must agree to the rounding of sums in another order, and where all
 * numbers are small and whole, to the bit: outputs, loss, gradients and statistics. verify_loops runs before
 * each. What is drawn follows from SEED. */
#include "cases.h"
#include "back/loops.h"
#include "networks.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDED 1e-7          /* of what rounding to float explains: sums of doubles in another order */

enum { NETWORKS = 500 };      /* random ones, and as many of whole numbers */

/* ---- Against interpret ------------------------------------------------------------------------------ */

static Plan *plan_of(const Case *c)
{
    Options *options = NEW(Options);
    *options = c->options;
    options->prefix = "net";
    Prog *forward = lower(c->net, false), *training = NULL;
    if (options->inference)
        fold(forward);
    else {
        training = lower(c->net, true);
        differentiate(training);
    }
    Plan *plan = make_plan(c->net, forward, training, options);
    verify_plan(plan);
    return plan;
}

/* What the nodes answer; as in `answer`, statistics stand in the place of their gradients. */
static Binding run(const Case *c, const Plan *plan, const Binding *b)
{
    Binding result = *b;
    const Net *net = c->net;
    result.y = NEW_ARRAY(double, answers_in(c, b->n));
    result.dx = NEW_ARRAY(double, b->n * shape_count(net->input));
    result.weights = NEW_ARRAY(double *, net->nweights);
    result.gradients = NEW_ARRAY(double *, net->nweights);
    for (const Weight *w = net->weights; w; w = w->next) {
        result.weights[w->id] = NEW_ARRAY(double, w->count);
        result.gradients[w->id] = NEW_ARRAY(double, w->count);
        memcpy(result.weights[w->id], b->weights[w->id], (size_t)w->count * sizeof(double));
    }
    if (plan->training.prog)
        run_loops(plan, &plan->training, &result);
    if (plan->forward_train.prog) {
        Binding training = result;
        training.y += answers_in(c, b->n) / 2;
        training.weights = b->weights; /* the running statistics of before */
        run_loops(plan, &plan->forward_train, &training);
    }
    if (plan->evaluation.prog)
        run_loops(plan, &plan->evaluation, &result);
    run_loops(plan, &plan->forward, &result);
    for (const Weight *w = net->weights; w; w = w->next)
        if (w->statistic && plan->training.prog)
            memcpy(result.gradients[w->id], result.weights[w->id], (size_t)w->count * sizeof(double));
    return result;
}

/* Inference alone has no gradients to compare, and folds into the weights that it is given. */
static Binding expected(const Case *c, const Binding *b)
{
    Binding right = *b;
    if (c->options.inference) {
        right.gradients = NEW_ARRAY(double *, c->net->nweights);
        right.weights = NEW_ARRAY(double *, c->net->nweights);
        for (const Weight *w = c->net->weights; w; w = w->next) {
            right.gradients[w->id] = NEW_ARRAY(double, w->count);
            right.weights[w->id] = NEW_ARRAY(double, w->count);
            memcpy(right.weights[w->id], b->weights[w->id], (size_t)w->count * sizeof(double));
        }
        interpret(c->forward, &right);
    } else
        answer(c, &right);
    return right;
}

static const char *first_difference(const Case *c)
{
    Binding b = draw_numbers(c, between(1, (int)c->net->batch));
    if (c->whole)
        b = draw_numbers(c, 1 << between(0, power_of_two(c->net->batch)));
    const Plan *plan = plan_of(c);
    Binding right = expected(c, &b), result = run(c, plan, &b);
    return difference(c, &right, &result, ROUNDED);
}

/* Every mode for every target; the other options go round beside them. */
static Options options_of(int i, bool whole)
{
    static const int blocks[] = {0, 1, 2, 99};
    return (Options){.unroll = (Unroll)(i % 4), .target = (TargetName)(i / 4 % NTARGETS),
                     .math = whole ? MATH_DIRECT : (Math)(i / 3 % 3), .inference = i / 7 % 4 == 3,
                     .lanes = i / 5 % 2 ? LANES_SAMPLES : LANES_AUTO, .blocks = blocks[i / 11 % 4],
                     .loss = i / 3 % 5 == 4 ? "none" : NULL};
}

static const char *options_text(const Options *o)
{
    static const char *const unroll[] = {"auto", "full", "tile", "none"};
    static const char *const math[] = {"auto", "direct", "winograd"};
    return format("--unroll=%s --target=%s --math=%s%s%s%s", unroll[o->unroll], machines[o->target].name,
                  math[o->math], o->lanes == LANES_SAMPLES ? " --lanes=samples" : "",
                  o->blocks ? format(" --blocks=%d", o->blocks) : "", o->inference ? " --inference" : "");
}

static void check_networks(bool whole)
{
    int failures = 0;
    warning_option("error"); /* windows that cover nothing but padding give -inf */
    warning_option("no-channels");
    warning_option("no-unused");
    for (int i = 0; i < NETWORKS; i++) {
        Case c = {.whole = whole, .options = options_of(i, whole)};
        do
            draw_chain(&c);
        while (!c.net || (whole && !is_exact(&c)));
        const char *what = first_difference(&c);
        if (what && failures++ < 5)
            fprintf(stderr, "\n`%s` (%s%s): %s\n", c.text, options_text(&c.options),
                    whole ? ", whole numbers" : "", what);
        free_all();
    }
    warning_reset();
    CU_ASSERT_EQUAL(failures, 0);
}

static void random_networks(void)
{
    draw_from(test_seed());
    check_networks(false);
}

static void whole_numbers(void)
{
    draw_from(test_seed() + 1);
    check_networks(true);
}

/* ---- Tokens ---------------------------------------------------------------------------------------------- */

static bool same_number(double a, double b)
{
    return isnan(a) ? isnan(b) : fabs(a - b) < 1e-9;
}

/* Tokens without a row: the nodes and interpret agree on what becomes NaN, and reach behind no tensor. */
static void outside_the_vocabulary(void)
{
    for (int i = 0; i < 4 * NTARGETS; i++) {
        Case c = {.text = "input 4 of 3; batch 3; embedding 9; tanh; fc 2; loss none",
                  .options = {.unroll = (Unroll)(i % 4), .target = (TargetName)(i / 4)}};
        draw_from(7);
        CU_ASSERT_FATAL(understand(&c));
        Binding b = draw_numbers(&c, 3);
        const Weight *w = c.net->weights;
        ((double *)b.x)[2] = 3;
        ((double *)b.x)[9] = -1;
        const Plan *plan = plan_of(&c);
        Binding right = expected(&c, &b), result = run(&c, plan, &b);
        int nans = 0;
        for (int64_t k = 0; k < answers_in(&c, 3); k++) {
            CU_ASSERT(same_number(right.y[k], result.y[k]));
            nans += isnan(right.y[k]);
        }
        CU_ASSERT_EQUAL(nans, 2 * 2 * 2);
        for (int64_t k = 0; k < w->count; k++)
            CU_ASSERT(same_number(right.gradients[w->id][k], result.gradients[w->id][k])
                      && !isnan(result.gradients[w->id][k]));
        free_all();
    }
}

/* ---- In blocks ------------------------------------------------------------------------------------------- */

static int zeros_in_blocks(const Pass *pass)
{
    int n = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next)
            n += k->blocks && lower_kernel(k, f->unroll, -1, &(Numbering){0, 0})->kind == NODE_FILL;
    return n;
}

/* Zeros in a loop over blocks: lower once refused every nest without tiles that is in one. */
static void in_blocks(void)
{
    Case c = {.text = "input 21x2x3; conv 21 k1; adaptiveavgpool 4x6", .options = {.unroll = UNROLL_TILE}};
    CU_ASSERT_FATAL(understand(&c));
    const Plan *plan = plan_of(&c);
    CU_ASSERT(zeros_in_blocks(&plan->forward) > 0);
    FILE *nowhere = fopen("/dev/null", "w");
    CU_ASSERT_FATAL(nowhere != NULL);
    emit_source(nowhere, plan, "net.h");
    fclose(nowhere);
    free_all();
}

/* ---- Beyond the near caches ------------------------------------------------------------------------------ */

static int tiles_in_order(const Pass *pass, bool blocked)
{
    int n = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next)
            for (const Region *r = k->regions; r; r = r->next)
                n += blocked ? r->tile.blocked >= 0 && r->rest.blocked >= 0 : r->tile.ordered;
    return n;
}

/* Weights that no near cache holds: once every two samples read all of them again, and a tile of outputs went
 * through all rows of them. */
static void wide_layers(void)
{
    static const TargetName targets[] = {TARGET_AVX2, TARGET_AVX512};
    for (int i = 0; i < 2; i++) {
        Case c = {.text = "input 3; batch 5; fc 1024; relu; fc 300; relu; fc 3", .options = {.target = targets[i]}};
        draw_from(3);
        understand(&c); /* it has more points than networks that are drawn */
        CU_ASSERT_FATAL(c.forward != NULL);
        Binding b = draw_numbers(&c, 5 - i);
        const Plan *plan = plan_of(&c);
        Binding right = expected(&c, &b), result = run(&c, plan, &b);
        const char *what = difference(&c, &right, &result, ROUNDED);
        if (what)
            fprintf(stderr, "\n%s: %s\n", machines[targets[i]].name, what);
        CU_ASSERT(!what);
        CU_ASSERT(tiles_in_order(&plan->training, false) > 0 && tiles_in_order(&plan->training, true) > 0);
        free_all();
    }
}

/* ---- verify_loops ----------------------------------------------------------------------------------- */

/* The first node of a kind, from n on and inside. */
static Node *find_node(Node *n, NodeKind kind)
{
    for (; n; n = n->next) {
        Node *found = n->kind == kind ? n : find_node(n->body, kind);
        if (found)
            return found;
    }
    return NULL;
}

static Case case_of(const char *text, Unroll unroll, TargetName target)
{
    Case c = {.text = text, .options = {.unroll = unroll, .target = target}};
    CU_ASSERT_FATAL(understand(&c));
    return c;
}

static void widen(Node *n)       { find_node(n, NODE_LOOP)->to++; }
static void never(Node *n)       { find_node(n, NODE_LOOP)->to = 0; }
static void every_second(Node *n) { find_node(n, NODE_LOOP)->step = 2; }
static void untested(Node *n)    { find_node(n, NODE_WHEN)->tests = NULL; }
static void half_tested(Node *n) { find_node(n, NODE_WHEN)->tests = find_node(n, NODE_WHEN)->tests->next; }
static void undefined(Node *n)   { find_node(n, NODE_LET)->reg = NEW(Register); }
static void no_value(Node *n)    { find_node(n, NODE_LET)->value = NULL; }
static void one_place(Node *n)   { ((Access *)find_node(n, NODE_STORE)->place)->at[0] = affine(0); }
static void behind_end(Node *n)  { ((Access *)find_node(n, NODE_STORE)->place)->at[0].constant = 12; }
static void half_stored(Node *n) { find_node(n, NODE_STORE)->first = 4; }
static void one_lane(Node *n)    { find_node(n, NODE_STORE)->width = 1; }
static void too_narrow(Node *n)  { ((Register *)find_node(n, NODE_LET)->reg)->width = 1; }
static void less_room(Node *n)   { ((Register *)find_node(n, NODE_LET)->reg)->columns--; }
static void one_column(Node *n)  { ((Affine *)find_node(n, NODE_SET)->at)[1] = affine(6); }

/* Runs the verifier in a process of its own, which it ends: did it? */
static bool refuses(const Function *f, const Node *nodes)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        verify_loops(f, f->kernels, nodes);
        _exit(0);
    }
    bool ended = child > 0 && waitpid(child, &status, 0) == child;
    return ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void check_spoiled(Case c, void (*const *spoil)(Node *), size_t n)
{
    const Function *f = plan_of(&c)->forward.functions;
    CU_ASSERT(!refuses(f, lower_kernel(f->kernels, f->unroll, -1, &(Numbering){0, 0})));
    for (size_t i = 0; i < n; i++) {
        Node *nodes = lower_kernel(f->kernels, f->unroll, -1, &(Numbering){0, 0});
        spoil[i](nodes);
        if (!refuses(f, nodes)) {
            fprintf(stderr, "\nverify_loops does not see fault %d\n", (int)i);
            CU_FAIL("a fault goes unseen");
        }
    }
    free_all();
}

/* Each of these makes wrong loops out of those of a convolution with padding. */
static void wrong_loops(void)
{
    static void (*const spoil[])(Node *) = {widen,     never,    every_second, untested, half_tested,
                                            undefined, no_value, one_place};
    check_spoiled(case_of("input 1x4x4; conv 2 k3 p1", UNROLL_NONE, TARGET_SCALAR), spoil,
                  sizeof spoil / sizeof *spoil);
}

/* And these out of two vectors of sums. */
static void wrong_vectors(void)
{
    static void (*const spoil[])(Node *) = {behind_end, half_stored, one_lane, too_narrow};
    check_spoiled(case_of("input 4; batch 1; fc 16", UNROLL_TILE, TARGET_GENERIC), spoil,
                  sizeof spoil / sizeof *spoil);
}

/* And these out of the array of Winograd's columns. */
static void wrong_columns(void)
{
    static void (*const spoil[])(Node *) = {less_room, one_column};
    Case c = {.text = "input 1x4x4; batch 1; conv 8 k3 p1",
              .options = {.unroll = UNROLL_TILE, .target = TARGET_GENERIC, .math = MATH_WINOGRAD}};
    CU_ASSERT_FATAL(understand(&c));
    check_spoiled(c, spoil, sizeof spoil / sizeof *spoil);
}

/* ---- Predictions ------------------------------------------------------------------------------------
 *
 * What the schedule expects of a sum of products by its regions and tiles, against what lower makes of it. */

typedef struct Expected {
    double madds, loads; /* of vectors */
} Expected;

static Expected expected_of(const Kernel *k)
{
    Expected e = {0, 0};
    const Statement *s = k->body;
    for (const Region *r = k->regions; r; r = r->next) {
        double madds = 1, tile = 1, operand[2] = {1, 1};
        for (int i = 0; i < s->nindex; i++) {
            bool lane = i == r->tile.lane;
            double n = lane ? (double)((r->count[i] + r->tile.width - 1) / r->tile.width) : (double)r->count[i];
            double factor = fmin((double)r->tile.factor[i], n);
            madds *= n;
            if (i >= output_indices(s))
                continue;
            tile *= factor;
            for (int u = 0; u < 2; u++)
                operand[u] *= depends_on(&s->rhs->arg[u]->access, i) ? factor : 1;
        }
        e.madds += r->empty ? 0 : madds;
        e.loads += r->empty ? 0 : madds * (operand[0] + operand[1]) / tile;
    }
    return e;
}

/* Of sums that are worth a model. Products may come first in a sum, which counts as no multiply-add; what is left over of tiles
 * loads more often than they do. No prediction is below what the ports of the machine take by half. */
static void check_predictions(const Case *c, const Pass *pass, int *sums)
{
    enum { LEAST_MADDS = 1000, MOST_LOADS = 2 };
    for (const Function *f = pass->prog ? pass->functions : NULL; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next) {
            if (f->unroll != UNROLL_TILE || !k->body || !is_contraction(k->body) || k->recurrence || k->blocks)
                continue;
            const Expected e = expected_of(k);
            if (e.madds < LEAST_MADDS)
                continue;
            const Machine *m = pass->target->machine;
            Counts n = count_loops(lower_kernel(k, f->unroll, -1, &(Numbering){0, 0}));
            double least = fmax(n.madds / m->products, n.loads / m->loads);
            bool good = n.madds >= 0.49 * e.madds && n.madds <= 1.5 * e.madds && n.loads >= 0.95 * e.loads
                     && n.loads <= MOST_LOADS * e.loads && k->cycles >= 0.5 * least;
            if (!good)
                fprintf(stderr, "\n`%s` (%s), %s: %.0f multiply-adds and %.0f loads, expected %.0f and %.0f; %.0f cycles, at least "
                        "%.0f\n", c->text, options_text(&c->options), f->name, n.madds, n.loads, e.madds, e.loads, k->cycles, least);
            CU_ASSERT(good);
            ++*sums;
        }
}

/* The networks of the benchmark, whose sums are large. */
static void predictions_of_benchmarks(void)
{
    static const TargetName targets[] = {TARGET_GENERIC, TARGET_AVX512};
    int sums = 0;
    glob_t files;
    CU_ASSERT_EQUAL_FATAL(glob("tests/bench/*.nn", 0, NULL, &files), 0);
    for (size_t i = 0; i < 2 * files.gl_pathc; i++) {
        size_t length;
        char *text = file_read(files.gl_pathv[i / 2], &length);
        Case c = {.text = format("%s", text), .options = {.unroll = UNROLL_TILE, .target = targets[i % 2]}};
        free(text);
        c.net = network_of(c.text, &c.options);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c.net);
        Plan *plan = plan_of(&c);
        check_predictions(&c, &plan->forward, &sums);
        check_predictions(&c, &plan->training, &sums);
        free_all();
    }
    globfree(&files);
    CU_ASSERT(sums > 100);
}

/* ---- Vectors ---------------------------------------------------------------------------------------- */

/* Every sum that convolutions are made of lies in vectors, of which each counts once. What had channels of x or dx in lanes
 * had none, as the weight gradient of a transposed convolution on x, nor had few outputs of many channels. */
static void sums_are_in_vectors(void)
{
    static const char *const texts[] = {
        "input 16x8x8; convtranspose 16 k5 s3 p1; relu; convtranspose 8 k2 s2; conv 3 k1; loss none",
        "input 16x9x9; conv 16 k3 p1 g16; relu; conv 2 k3 s2; sigmoid; loss none",
        "input 16x8x8; convtranspose 3 k3 s2 p1 o1; loss none",
        "input 3x16x16; conv 16 k3 p1; relu; conv 16 k3 p4 d4 s2; relu; conv 16 k3x2 d2x3 p2; loss mse",
        "input 8x12x12; conv 16 k5 d2 p4 g2; relu; conv 16 k3 d5 p5 g16; globalavgpool; fc 10",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Case c = {.text = texts[i], .options = {.unroll = UNROLL_TILE, .target = TARGET_GENERIC, .lanes = LANES_CHANNELS}};
        c.net = network_of(c.text, &c.options);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c.net);
        const Pass *training = &plan_of(&c)->training;
        for (const Function *f = training->functions; f; f = f->next)
            for (const Kernel *k = f->kernels; k; k = k->next) {
                if (!k->body || !is_contraction(k->body) || k->terms < 4000)
                    continue;
                Counts n = count_loops(lower_kernel(k, f->unroll, -1, &(Numbering){0, 0}));
                if (n.madds > (double)k->terms / 3)
                    fprintf(stderr, "\n`%s`, %s: %lld points in %.0f\n", texts[i], f->name, (long long)k->terms, n.madds);
                CU_ASSERT(n.madds <= (double)k->terms / 3);
            }
        free_all();
    }
    Case picture = case_of("input 3x5x5; conv 8 k3", UNROLL_TILE, TARGET_NEON); /* stays as it is */
    CU_ASSERT_PTR_NULL(find_tensor(plan_of(&picture)->forward.prog, "input.hwc"));
    free_all();
}

/* ---- Counts ----------------------------------------------------------------------------------------- */

/* What the first function of a network's forward pass does. */
static Counts counts_of(const char *text, Unroll unroll, TargetName target)
{
    Case c = case_of(text, unroll, target);
    const Kernel *k = plan_of(&c)->forward.functions->kernels;
    CU_ASSERT_PTR_NULL(k->next);
    return count_loops(lower_kernel(k, unroll, -1, &(Numbering){0, 0}));
}

/* out[o] = bias[o], then += w[o, i] * in[i], for o<6 i<4. */
static void counts_of_fc(void)
{
    Counts n = counts_of("input 4; fc 6", UNROLL_NONE, TARGET_SCALAR);
    CU_ASSERT_EQUAL(n.madds, 24);
    CU_ASSERT_EQUAL(n.flops, 48);
    CU_ASSERT_EQUAL(n.loads, 6 + 2 * 24);
    CU_ASSERT_EQUAL(n.stores, 6);
    CU_ASSERT_EQUAL(n.functions, 0);
    CU_ASSERT_EQUAL(n.trips, 6 + 6 * 4);
    CU_ASSERT_EQUAL(n.bytes, 4 * (6 + 6 * 4 + 4 + 6));
    free_all();
}

/* Along each axis 2 + 3 + 3 + 2 = 10 pairs of position and tap lie inside, so 100 for each of 2 channels.
 * The test of y and ky stands in the loop over ky, that of x and kx in the one over kx, which so begins 2 *
 * 10 * 4 times. */
static void counts_of_conv(void)
{
    Counts n = counts_of("input 1x4x4; conv 2 k3 p1", UNROLL_NONE, TARGET_SCALAR);
    CU_ASSERT_EQUAL(n.madds, 200);
    CU_ASSERT_EQUAL(n.flops, 400);
    CU_ASSERT_EQUAL(n.loads, 2 * 16 + 2 * 200);
    CU_ASSERT_EQUAL(n.stores, 2 * 16);
    CU_ASSERT_EQUAL(n.trips, 2 + 2 * 4 + 2 * 16 + 2 * 16 * 3 + 2 * 10 * 4 * 3);
    CU_ASSERT_EQUAL(n.bytes, 4 * (2 + 2 * 9 + 16 + 2 * 16));
    free_all();
}

/* Two vectors of 8 sums; for each of 4 taps two vectors of weights, and the input once for both. */
static void counts_of_tile(void)
{
    Counts n = counts_of("input 4; batch 1; fc 16", UNROLL_TILE, TARGET_GENERIC);
    CU_ASSERT_EQUAL(n.madds, 2 * 4);
    CU_ASSERT_EQUAL(n.flops, 2 * 2 * 4);
    CU_ASSERT_EQUAL(n.loads, 2 + 4 * (2 + 1));
    CU_ASSERT_EQUAL(n.stores, 2);
    CU_ASSERT_EQUAL(n.trips, 0);
    CU_ASSERT_EQUAL(n.bytes, 4 * (16 + 4 * 16 + 4 + 16));
    free_all();
}

/* ---- The suite -------------------------------------------------------------------------------------- */

void add_loops_suite(void)
{
    static CU_TestInfo tests[] = {
        {"random networks: run_loops and interpret agree", random_networks},
        {"benchmarks: predictions and counts", predictions_of_benchmarks},
        {"whole numbers: to the bit", whole_numbers},
        {"tokens outside the vocabulary", outside_the_vocabulary},
        {"sums are in vectors", sums_are_in_vectors},
        {"nests without tiles in a loop over blocks", in_blocks},
        {"layers beyond the near caches", wide_layers},
        {"wrong loops are found", wrong_loops},
        {"wrong vectors are found", wrong_vectors},
        {"wrong columns are found", wrong_columns},
        {"counts of a fully connected layer", counts_of_fc},
        {"counts of a convolution with padding", counts_of_conv},
        {"counts of vectors", counts_of_tile},
        CU_TEST_INFO_NULL,
    };
    add_suite("loops", networks_start, networks_end, tests);
    add_to_check("loops", NULL);
}
