/* test_follow.c: what follows on the values that a tile holds, and what may not.
 *
 * A softmax, a loss, a pooling have no function left where all that they do follows on the tiles of the layer before them; what
 * only these read is in no memory. The table says for networks and targets what of that is so: that it is done where it can be,
 * and that what somebody else reads is still stored, what can't be done on a tile or is predicted to take longer there stays
 * where it was. What the model merely weighs against each other by a little is not in the table.
 *
 * Then such networks are compiled and compared with the interpreter: rows that are a part of a vector, several of them, more
 * than a tile holds; losses, normalisations, poolings. Numbers are drawn once as they come and then so that the logits lie around
 * -1000, 1000 or both, where exp without the maximum taken away would give infinity or nothing. A label that is no class makes
 * the loss NaN, and so does a NaN among what comes in, but where a pooling leaves it out. Padding of gradients is 0. */
#include "back/back.h"
#include "generated.h"
#include "networks.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 2e-5        /* of the array's largest value */
#define OF_ALL 2e-6           /* of the largest gradient of the network */
#define FAR_OUT 1e-3          /* instead of both where logits are about 1000: float has them to 6e-5 */

static uint64_t rng;

/* ---- What follows ------------------------------------------------------------------------------------------------- */

/* Of the pass: -F there is no function F or F_..., such as one of layer F, but what runs once a call; +F there is one; =T the
 * tensor is stored; !T it is made, and not stored; >T something that follows makes it, or adds to it. */
static const struct {
    const char *text, *inference, *training;
    TargetName target;
} plans[] = {
    {"input 64; batch 8; fc 10; softmax", "-softmax1 !fc1.out !softmax1.exp >softmax1.out =softmax1.out",
     "-softmax1 -loss !fc1.out !loss.exp !loss.nll >loss >d_fc1.out =d_fc1.out", TARGET_AVX512},
    {"input 64; batch 8; fc 10; softmax", "-softmax1", "-loss >loss >d_fc1.out", TARGET_AVX2},
    {"input 64; batch 8; fc 10; softmax", "-softmax1", "-loss >loss >d_fc1.out", TARGET_GENERIC},
    {"input 20; batch 8; fc 10; softmax", "-softmax1", "-loss >loss >d_fc1.out", TARGET_SCALAR},
    {"input 64; batch 8; fc 10; loss crossentropy smooth=0.1 weights=1,2,3,1,2,3,1,2,3,1", "", "-loss !fc1.out >d_fc1.out",
     TARGET_AVX512},
    {"input 20; batch 8; fc 10", "=fc1.out", "-loss !fc1.out >loss.total", TARGET_AVX512},
    {"input 20; batch 8; fc 10; sigmoid", "=sigmoid1.out !fc1.out", "-loss -sigmoid1", TARGET_AVX512},
    {"input 20; batch 8; fc 10; tanh; loss huber", "", "-loss -tanh1 !d_tanh1.out =d_fc1.out", TARGET_AVX512},
    {"input 16; batch 8; fc 40; layernorm; fc 40", "-layernorm1 !fc1.out", "+layernorm1_backward -loss", TARGET_AVX512},
    {"input 16; batch 4; fc 16; batchnorm; tanh; fc 3", "-batchnorm1", "=fc1.out +batchnorm1_sums +batchnorm1_forward",
     TARGET_AVX512},
    {"input 16x8x8; batch 4; conv 16 k1; batchnorm; tanh; fc 3", "-batchnorm1",
     "=conv1.out +batchnorm1_sums", TARGET_AVX512},
    /* sums for each channel: no faster on the tiles */
    {"input 8x8x8; batch 4; conv 16 k1; globalavgpool; fc 3", "+globalavgpool1 =conv1.out", "+globalavgpool1_backward",
     TARGET_AVX512},
    {"input 8x2x2; batch 4; conv 16 k1; globalavgpool; fc 3", "-globalavgpool1 !conv1.out", "-globalavgpool1", TARGET_AVX512},
    {"input 8x8x8; batch 4; conv 16 k1; maxpool 2; conv 8 k1", "", "-maxpool1 !d_maxpool1.out >d_conv1.out =d_conv1.out",
     TARGET_AVX512},
    /* somebody else reads it */
    {"input 16; batch 8; fc 10; x: softmax; fc 10; add x; softmax", "-x -fc1.out =x.out", "=x.out =d_x.out", TARGET_AVX512},
    {"input 16; batch 8; fc 10; x:; softmax; fc 10; add x; fc 3", "=fc1.out =softmax1.out", "=fc1.out", TARGET_AVX512},
    {"input 16; batch 8; fc 10; tanh; fc 10; softmax", "=tanh1.out", "=tanh1.out -loss", TARGET_AVX512},
    /* no tile holds a row */
    {"input 20; batch 8; fc 1000; softmax", "+softmax1 =fc1.out", "+loss =fc1.out", TARGET_AVX512},
    {"input 20; batch 8; fc 100; softmax", "+softmax1 =fc1.out", "+loss =fc1.out", TARGET_SCALAR},
    {"input 4x3x3; batch 8; conv 4 k1; flatten; softmax", "+softmax1", "+loss", TARGET_AVX512},
    {"input 8x6x6; batch 8; conv 16 k1; layernorm; conv 3 k1", "+layernorm1", "+layernorm1", TARGET_AVX512},
    /* what is drawn is drawn in its own function */
    {"input 20; batch 8; fc 10; dropout; softmax", "-softmax1", "+dropout1 =dropout1.out", TARGET_AVX512},
    /* windows that overlap are summed, each place in its own register */
    {"input 8x9x9; batch 4; conv 16 k1; avgpool 3 s2; conv 8 k1", "", "+avgpool1 =d_avgpool1.out", TARGET_AVX512},
    /* a sum over the lanes of each pixel's vector would take longer: the head of a U-Net */
    {"input 8x32x32; batch 4; conv 4 k1; softmax", "+softmax1", "+loss", TARGET_AVX512},
    {"input 8x32x32; batch 4; conv 4 k1; softmax", "+softmax1", "+loss", TARGET_AVX2},
};

enum { PLANS = sizeof plans / sizeof *plans };

static bool has_function(const Pass *pass, const char *name)
{
    size_t length = strlen(name);
    for (const Function *f = pass->functions; f; f = f->next)
        if (!f->per_call && !strncmp(f->name, name, length) && strchr("_", f->name[length]))
            return true;
    return false;
}

typedef struct Making {       /* of a tensor, by all kernels that do */
    bool made, stored, follows;
} Making;

static void note_making(Making *m, const char *name, const Statement *s, bool dropped, bool follows)
{
    if (!s || strcmp(s->out.tensor->name, name) != 0)
        return;
    m->made = true;
    m->stored |= !dropped;
    m->follows |= follows;
}

static Making making_of(const Pass *pass, const char *name)
{
    Making m = {false, false, false};
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next) {
            note_making(&m, name, statement_of(k), k->dropped[0], false);
            for (int i = 0; i < k->nthen; i++)
                note_making(&m, name, k->then[i], k->dropped[i + 1], false);
            for (const Kernel *follower = k->followers; follower; follower = follower->next)
                note_making(&m, name, statement_of(follower), follower->dropped[0], true);
            for (int i = 0; k->window && i <= k->window->nthen; i++)
                note_making(&m, name, i ? k->window->then[i - 1] : k->window->body, k->window->dropped[i], false);
        }
    return m;
}

static bool is_so(const Pass *pass, char what, const char *name)
{
    Making m = making_of(pass, name);
    switch (what) {
    case '-': return !has_function(pass, name);
    case '+': return has_function(pass, name);
    case '=': return m.stored;
    case '!': return m.made && !m.stored;
    case '>': return m.follows;
    default:  return false;
    }
}

static void check_pass(int i, const Pass *pass, const char *expected)
{
    char *list = format("%s", expected), *rest = NULL;
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!is_so(pass, word[0], word + 1)) {
            fprintf(stderr, "\n`%s`, %s, %s: not so: %s; functions:", plans[i].text, machines[plans[i].target].name,
                    expected == plans[i].training ? "training" : "inference", word);
            for (const Function *f = pass->functions; f; f = f->next)
                fprintf(stderr, " %s%s", f->name, f->per_call ? " (once)" : "");
            fprintf(stderr, "\n");
            CU_FAIL("another plan than expected");
        } else
            CU_PASS("");
}

static void what_follows(void)
{
    for (int i = 0; i < PLANS; i++) {
        const Options options = {.target = plans[i].target, .unroll = UNROLL_TILE, .lanes = LANES_CHANNELS, .prefix = "net"};
        const Net *net = network_of(plans[i].text, &options);
        CU_ASSERT_FATAL(net != NULL);
        Prog *training = lower(net, true);
        differentiate(training);
        const Plan *plan = make_plan(net, lower(net, false), training, &options);
        verify_plan(plan);
        check_pass(i, &plan->forward, plans[i].inference);
        check_pass(i, &plan->training, plans[i].training);
    }
    free_all();
}

/* ---- Numbers -------------------------------------------------------------------------------------------------------- */

static const char *const heads[] = {
    "input 13; batch 9; fc 1; softmax",
    "input 13; batch 3; fc 7; softmax",
    "input 5; batch 9; tanh; fc 40; softmax",
    "input 20; batch 3; fc 10; softmax; loss crossentropy smooth=0.1 weights=1,2,0.5,1,2,0.5,1,2,0.5,3",
    "input 3x3x5; batch 3; conv 5 k1; softmax",
    "input 9x3x3; batch 2; conv 17 k2; softmax; loss crossentropy smooth=0.2",
    "input 5x2x2; batch 2; conv 16 k1; x: softmax; conv 16 k1; add x; softmax",
    "input 16; batch 9; fc 10; x:; softmax; fc 10; mul x; loss l1",
    "input 9; batch 5; fc 11; layernorm; fc 3; sigmoid",
    "input 4x3x3; batch 3; conv 8 k1; groupnorm 2; conv 3 k1; loss bce posweight=2",
    "input 4x3x3; batch 3; conv 9 k1; batchnorm; tanh; globalavgpool; fc 3; loss huber 0.3",
    "input 3x7x6; batch 2; conv 8 k1; maxpool 2; conv 9 k1; avgpool 2 s3; conv 3 k1; loss l1",
    "input 3x4x4; batch 3; conv 8 k2; avgpool 2 s2 p1; convtranspose 3 k2 s2; tanh; loss mse",
    "input 4x2x1; batch 2; conv 16 k1; upsample 2; conv 16 k1; softmax",
    "input 1x2x2; batch 2; conv 8 k2 s2; adaptiveavgpool 2x3; tanh", /* several sums onto one tensor, one on the tile */
    "input 1x3x11; batch 2; conv 11 k1 p1; globalavgpool; loss bce", /* d_conv1.out[y, x] * input[y - 1, x - 1], where that is */
};

enum { HEADS = sizeof heads / sizeof *heads };

static const struct {
    const char *options, *cflags;
} modes[] = {
    {"--target=avx512 --unroll=tile --lanes=channels -Wno-all", GENERATED_GNU " -O0 -march=native"},
    {"--target=avx2 --lanes=channels -Wno-all", GENERATED_GNU " -O0 -march=native"},
    {"--target=scalar --unroll=tile -Wno-all", GENERATED_C99 " -O0"},
    {"--target=generic --unroll=tile --lanes=samples -Wno-all", GENERATED_GNU " -O0 -march=native"},
    {"--target=avx2 --unroll=tile --lanes=channels --tile=3x2 -Wno-all", GENERATED_GNU " -O0 -march=native"}, /* all that can follow does */
};

enum { MODES = sizeof modes / sizeof *modes };

/* Each network in the first mode and in one of the others. */
static int mode_of(int i)
{
    return i % 2 ? 1 + i / 2 % (MODES - 1) : 0;
}

typedef enum Draw { USUAL, FAR_BELOW, FAR_ABOVE, FAR_APART, NAN_IN_X, NO_CLASS, DRAWS } Draw;

static double uniform(double low, double high)
{
    return (double)(float)(low + (high - low) * (double)nn_uniform(&rng));
}

static int classes_of(const Net *net)
{
    return (int)net->loss_in->shape.c;
}

/* What the last weights, biases, have added to them, so that the outputs lie there. */
static double far_out(Draw draw, int64_t i)
{
    switch (draw) {
    case FAR_BELOW: return -1000;
    case FAR_ABOVE: return 1000;
    case FAR_APART: return i % 2 ? 1000 : -1000;
    default:        return 0;
    }
}

static Binding draw_numbers(const Net *net, int n, Draw draw)
{
    int64_t inputs = n * shape_count(net->input), labels = n * net->targets;
    double *x = NEW_ARRAY(double, inputs), *t = NEW_ARRAY(double, labels);
    Binding b = {.n = n, .x = x, .t = t, .y = NEW_ARRAY(double, n * shape_count(net->out->shape)),
                 .weights = NEW_ARRAY(double *, net->nweights), .gradients = NEW_ARRAY(double *, net->nweights)};
    for (int64_t i = 0; i < inputs; i++)
        x[i] = uniform(-2, 2);
    for (int64_t i = 0; i < labels; i++)
        t[i] = net->int_targets ? floor(uniform(0, classes_of(net) - 1e-3)) : uniform(0, 1);
    for (const Weight *w = net->weights; w; w = w->next) {
        b.weights[w->id] = NEW_ARRAY(double, w->count);
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
        for (int64_t i = 0; i < w->count; i++)
            b.weights[w->id][i] = w->statistic ? uniform(0.5, 2) : uniform(-1, 1) + (w->next ? 0 : far_out(draw, i));
    }
    if (draw == NAN_IN_X)
        x[nn_bits(&rng) % (uint64_t)inputs] = (double)NAN;
    if (draw == NO_CLASS && net->int_targets)
        t[nn_bits(&rng) % (uint64_t)labels] = nn_bits(&rng) % 2 ? -1 : classes_of(net);
    return b;
}

static double largest(const double *v, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

typedef struct Case {
    const char *text, *options;
    const Net *net;
    const Prog *forward, *training;
} Case;

/* Is the array of the compiled network what the interpreter gives? NaN is NaN only. */
static bool is_same(const Case *c, const char *what, const double *is, const double *right, int64_t count, double most)
{
    for (int64_t i = 0; i < count; i++)
        if (isnan(right[i]) ? !isnan(is[i]) : !(fabs(is[i] - right[i]) <= most)) {
            fprintf(stderr, "\n`%s` (%s): %s[%" PRId64 "] is %.9g, not %.9g\n", c->text, c->options, what, i, is[i], right[i]);
            return false;
        }
    return true;
}

static float *floats_of(const double *v, int64_t count)
{
    float *f = generated_memory((size_t)count * sizeof *f);
    for (int64_t i = 0; v && i < count; i++)
        f[i] = (float)v[i];
    return f;
}

static void free_floats(float *a, float *b, float *c, float *d, float *e)
{
    free(a), free(b), free(c), free(d), free(e);
}

/* What the compiled network gives; false: padding of its gradient is not 0. */
static bool run(const Case *c, const nn_model *m, const Binding *b, Binding *result)
{
    const Net *net = c->net;
    int64_t outputs = b->n * shape_count(net->out->shape), labels = b->n * net->targets;
    int64_t floats = (int64_t)(m->params_bytes / sizeof(float));
    float *x = floats_of(b->x, b->n * shape_count(net->input)), *t = floats_of(b->t, labels), *y = floats_of(NULL, outputs);
    float *p = floats_of(NULL, floats), *g = floats_of(NULL, floats);
    void *work = generated_work(m);
    for (int64_t i = 0; net->int_targets && i < labels; i++)
        ((int *)(void *)t)[i] = (int)b->t[i];
    memset(p, 0, m->params_bytes);
    for (const Weight *w = net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count; i++)
            p[nn_place(&m->tensors[w->id], (size_t)i)] = (float)b->weights[w->id][i];
    m->forward(p, work, b->n, x, y);
    for (int64_t i = 0; i < outputs; i++)
        result->y[i] = (double)y[i];
    result->inference_loss = (double)m->loss(p, work, b->n, x, t, NULL);
    result->loss = (double)m->backward(p, work, b->n, x, t, g);
    for (const Weight *w = net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count; i++) {
            float *at = &g[nn_place(&m->tensors[w->id], (size_t)i)];
            result->gradients[w->id][i] = (double)*at;
            if (!w->statistic)
                *at = 0;
        }
    bool padded = true;
    for (size_t i = 0; i < m->floats; i++)
        padded &= g[i] == 0;
    free_floats(x, t, y, p, g);
    free(work);
    return padded;
}

static void check_draw(const Case *c, const nn_model *m, int n, Draw draw)
{
    const Net *net = c->net;
    Binding right = draw_numbers(net, n, draw), is = draw_numbers(net, n, draw);
    interpret(c->forward, &right);
    if (!run(c, m, &right, &is)) {
        fprintf(stderr, "\n`%s` (%s): padding of the gradient is not 0\n", c->text, c->options);
        CU_FAIL("padding");
    }
    interpret(c->training->evaluation, &right);
    interpret(c->training, &right); /* statistics change */
    bool far = draw >= FAR_BELOW && draw <= FAR_APART;
    double share = far ? FAR_OUT : TOLERANCE, all = 0;
    int64_t outputs = n * shape_count(net->out->shape);
    CU_ASSERT(draw >= NAN_IN_X || isfinite(is.loss));
    CU_ASSERT(draw != NO_CLASS || !net->int_targets || isnan(is.loss));
    CU_ASSERT(draw != NAN_IN_X || strstr(c->text, "pool") || isnan(is.loss));
    CU_ASSERT(is_same(c, "loss", &is.loss, &right.loss, 1, share * fabs(right.loss) + 1e-7));
    CU_ASSERT(is_same(c, "loss in inference", &is.inference_loss, &right.inference_loss, 1,
                      share * fabs(right.inference_loss) + 1e-7));
    if (draw == NAN_IN_X)
        return;
    CU_ASSERT(is_same(c, "output", is.y, right.y, outputs, share * largest(right.y, outputs)));
    for (const Weight *w = net->weights; w && draw != NO_CLASS; w = w->next)
        all = w->statistic ? all : fmax(all, largest(right.gradients[w->id], w->count));
    for (const Weight *w = net->weights; w && draw != NO_CLASS; w = w->next)
        if (!w->statistic)
            CU_ASSERT(is_same(c, w->name, is.gradients[w->id], right.gradients[w->id], w->count,
                              share * largest(right.gradients[w->id], w->count) + (far ? FAR_OUT : OF_ALL) * all));
}

static void numbers(void)
{
    static generated nets[2 * HEADS];
    rng = test_seed();
    for (int i = 0; i < 2 * HEADS; i++)
        nets[i] = (generated){format("net%d", i), heads[i / 2], modes[mode_of(i)].options, modes[mode_of(i)].cflags, NULL};
    void *library = generated_build("build/tests/tmp/follow", nets, 2 * HEADS, NULL);
    for (int i = 0; i < 2 * HEADS; i++) {
        const Options options = {.lanes = LANES_CHANNELS};
        Case c = {nets[i].text, nets[i].options, network_of(nets[i].text, &options), NULL, NULL};
        CU_ASSERT_FATAL(c.net != NULL && nets[i].model != NULL);
        Prog *training = lower(c.net, true);
        differentiate(training);
        c.training = training;
        c.forward = lower(c.net, false);
        for (Draw draw = 0; draw < DRAWS; draw++)
            check_draw(&c, nets[i].model, (int)c.net->batch - (draw & 1), draw);
    }
    generated_close(library);
    free_all();
}

void add_follow_suite(void)
{
    static CU_TestInfo tests[] = {{"what follows", what_follows}, {"numbers", numbers}, CU_TEST_INFO_NULL};
    add_suite("follow", networks_start, networks_end, tests);
}
