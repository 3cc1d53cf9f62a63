/* test_gradients.c: the gradients that differentiate derives, against finite differences.
 *
 * interpret() runs a Prog in double precision, so
 *
 *     (loss(w + h) - loss(w - h)) / 2h        with h = 1e-5
 *
 * has about ten digits, and asks nothing but the forward meaning of a network. Every weight is moved in turn and
 * compared. The networks are the examples in the table of kinds, so that a new kind is tested by having a row, and
 * random chains and branched networks whose statements are drawn from the same table by the types of their parameters.
 *
 * Many examples have no weight in front of the kind they show. So each network runs twice: as it stands, and with a
 * `conv C->C k1` or `fc N->N` put in front, whose gradient is right only if that of the kind's input is.
 *
 * Kinks: relu and maxpool have no derivative where two branches meet. Then the differences over h and 2h disagree,
 * which is told from the forward pass alone; the numbers are drawn again, and a network for which that
 * never helps fails.
 *
 * Each network also passes the verifiers of all stages, under every unroll mode and target, and is dumped. */
#include "networks.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-5
#define TOLERANCE 1e-6        /* of the tensor's largest gradient */
#define ROUNDING 1e-9         /* of the loss, or of 1 if that is more: what the differences lose */

enum { RANDOM_NETWORKS = 100, MAX_LAYERS = 6, MAX_ELEMENTS = 150, MAX_WEIGHTS = 400, MAX_DRAWS = 20 };

static uint64_t rng;
static int failures;          /* of the test at hand; the first few are shown */

static double uniform(double low, double high)
{
    return low + (high - low) * (double)nn_uniform(&rng);
}

static int below(int n)
{
    return (int)(nn_bits(&rng) % (uint64_t)n);
}

__attribute__((format(printf, 2, 3))) static void report(const char *text, const char *fmt, ...)
{
    if (failures++ > 5)
        return;
    va_list list;
    va_start(list, fmt);
    fprintf(stderr, "\n`%s`: ", text);
    vfprintf(stderr, fmt, list);
    fprintf(stderr, "\n");
    va_end(list);
}

/* ---- Text to Net ---------------------------------------------------------------------------------- */

static const Options options = {.input_file = "net.nn", .output_file = "net.c", .prefix = "net"};

/* The same network behind a layer that keeps its shape and has weights. */
static const char *with_weights_in_front(const char *text)
{
    const char *rest = strchr(text, ';');
    int c, h, w, sizes = sscanf(text, " input %dx%dx%d", &c, &h, &w);
    bool image = sizes == 3;
    if (sizes < 1)
        bug("`%s` does not begin with its input", text);
    if (sizes == 2)
        c = h;
    return image ? format("%.*s; conv %d->%d k1%s", (int)(rest - text), text, c, c, rest)
                 : format("%.*s; fc %d->%d%s", (int)(rest - text), text, c, c, rest);
}

/* ---- Verifiers and dumps ----------------------------------------------------------------------------- */

static void dump_all(FILE *f, int stage, const Net *net, const Prog *prog, const Plan *plan)
{
    switch (stage) {
    case 0: dump_net(f, net); break;
    case 1: dump_prog(f, prog); break;
    case 2: dump_plan(f, plan); break;
    case 3: print_summary(f, plan); break;
    case 4: emit_header(f, plan); break;
    case 5: emit_source(f, plan, "net.h"); break;
    }
}

/* Which combinations of unroll mode, target and --inference a network is planned for: a share of them, where another form of
 * the same network takes the rest. */
typedef enum Share { ALL, EVEN, ODD } Share;

/* A plan for each of these; a verifier that objects aborts. */
static void check_stages(const char *text, const Net *net, Share share)
{
    for (int i = 0; i < 4 * NTARGETS * 2; i++) {
        if (share != ALL && (i + i / 4 + i / 4 / NTARGETS) % 2 != (share == ODD))
            continue;
        Options o = options;
        o.unroll = (Unroll)(i % 4);
        o.target = (TargetName)(i / 4 % NTARGETS);
        o.inference = i / 4 / NTARGETS;
        Prog *forward = lower(net, false), *training = o.inference ? NULL : lower(net, true);
        verify_prog(forward);
        if (training) {
            verify_prog(training);
            differentiate(training);
            verify_prog(training);
        }
        Plan *plan = make_plan(net, forward, training, &o);
        if (!plan || error_count() > 0) {
            report(text, "no plan");
            return;
        }
        verify_plan(plan);
        for (int stage = 0; stage < 6; stage++) {
            char *printed = NULL;
            size_t length = 0;
            FILE *f = open_memstream(&printed, &length);
            dump_all(f, stage, net, training ? training : forward, plan);
            fclose(f);
            if (length < 10 || memchr(printed, '\0', length))
                report(text, "stage %d prints nothing, or a NUL", stage);
            free(printed);
        }
    }
}

/* ---- Gradients ------------------------------------------------------------------------------------------ */

typedef struct Trial {        /* a network with numbers in it */
    const char *text;
    const Net *net;
    const Prog *forward, *backward;
    Binding binding;
} Trial;

static double *numbers(int64_t count, double low, double high)
{
    double *v = NEW_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++)
        v[i] = uniform(low, high);
    return v;
}

static void draw_numbers(Trial *t, int n)
{
    const Net *net = t->net;
    int64_t inputs = n * shape_count(net->input), nlabels = n * net->targets;
    double *labels = numbers(nlabels, 0, 1), *x = numbers(inputs, -1.5, 1.5);
    for (int64_t i = 0; net->input.of && i < inputs; i++)
        x[i] = below((int)net->input.of);
    for (int64_t i = 0; net->int_targets && i < nlabels; i++)
        labels[i] = net->ignores && i && !below(6) ? net->ignored : below((int)net->loss_in->shape.c);
    t->binding = (Binding){.n = n, .x = x, .t = labels,
                           .y = NEW_ARRAY(double, n * shape_count(net->out->shape)), .dx = NEW_ARRAY(double, inputs),
                           .weights = NEW_ARRAY(double *, net->nweights), .gradients = NEW_ARRAY(double *, net->nweights),
                           .rng = nn_bits(&rng)};
    for (const Weight *w = net->weights; w; w = w->next) {
        t->binding.weights[w->id] = numbers(w->count, -1, 1);
        t->binding.gradients[w->id] = NEW_ARRAY(double, w->count);
    }
}

/* The loss; where the caller gives the gradient of the answer, the sum of answers times it. */
static double loss_of(Trial *t)
{
    Binding *b = &t->binding;
    interpret(t->forward, b);
    for (int64_t i = 0; t->net->from_caller && i < b->n * t->net->targets; i++)
        b->loss += b->y[i] * b->t[i];
    return b->loss;
}

static double loss_at(Trial *t, double *weight, double value)
{
    double old = *weight;
    *weight = value;
    double loss = loss_of(t);
    *weight = old;
    return loss;
}

static double difference(Trial *t, double *weight, double h)
{
    return (loss_at(t, weight, *weight + h) - loss_at(t, weight, *weight - h)) / (2 * h);
}

typedef enum Verdict { RIGHT, WRONG, KINK } Verdict;

/* The gradient d of count numbers at `at`. */
static Verdict compare_array(Trial *t, const char *name, const double *d, double *at, int64_t count, bool frozen, double loss)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(d[i]));
    for (int64_t i = 0; i < count; i++) {
        double expected = frozen ? 0 : difference(t, &at[i], STEP), error = TOLERANCE * largest + ROUNDING * (1 + fabs(loss));
        if (fabs(d[i] - expected) <= error)
            continue;
        double wide = frozen ? 0 : difference(t, &at[i], 2 * STEP);
        if (!(fabs(wide - expected) <= error / 2))
            return KINK;
        report(t->text, "n %d: the gradient of %s[%" PRId64 "] is %.10g, by differences %.10g", t->binding.n, name, i, d[i],
               expected);
        return WRONG;
    }
    return RIGHT;
}

static Verdict compare(Trial *t)
{
    Binding *b = &t->binding;
    interpret(t->backward, b);
    interpret(t->backward, b);   /* does not add to what was there */
    double loss = b->loss, without = loss_of(t);
    if (t->net->from_caller)
        loss = without;
    if (!isfinite(loss) || fabs(loss - without) > 1e-12 * (1 + fabs(loss))) {
        report(t->text, "the loss is %.17g with and %.17g without the gradients", loss, without);
        return WRONG;
    }
    Verdict verdict = RIGHT;
    for (const Weight *w = t->net->weights; w && verdict == RIGHT; w = w->next)
        verdict = compare_array(t, w->name, b->gradients[w->id], b->weights[w->id], w->count, w->frozen, loss);
    if (t->net->from_caller && !t->net->input.of && verdict == RIGHT)
        verdict = compare_array(t, "x", b->dx, (double *)b->x, b->n * shape_count(t->net->input), false, loss);
    return verdict;
}

static void check_gradients(const char *text, const Net *net, int n)
{
    Prog *backward = lower(net, true);
    differentiate(backward);
    Trial t = {.text = text, .net = net, .forward = net->from_caller ? backward->forward_train : lower(net, true),
               .backward = backward};
    Verdict verdict = KINK;
    for (int draw = 0; draw < MAX_DRAWS && verdict == KINK; draw++) {
        draw_numbers(&t, n);
        verdict = compare(&t);
    }
    if (verdict == KINK)
        report(text, "n %d: the loss has a kink wherever it is looked at", n);
}

/* As it stands, and with weights in front, which nothing can be of tokens. A loss alone is no network as it stands. */
static void check_network(const char *text)
{
    const char *rest = strchr(text, ';'), *of = strstr(text, " of ");
    bool bare = !strncmp(rest, "; loss", 6);
    for (int front = bare; front < (of && of < rest ? 1 : 2); front++) {
        const char *whole = front ? with_weights_in_front(text) : text;
        Net *net = network_of(whole, &options);
        if (!net) {
            report(whole, "does not compile");
            return;
        }
        check_stages(whole, net, bare ? ALL : front ? ODD : EVEN);
        check_gradients(whole, net, front ? 1 : 3);
    }
    /* And without a loss, so that it is the kind's own gradient of x that comes out. */
    Options o = options;
    o.loss = "none";
    const Net *net = network_of(text, &o);
    if (bare)
        return;
    if (!net)
        report(text, "does not compile with --loss=none");
    else
        check_gradients(format("%s; loss none", text), net, 2);
}

static void examples_of_kinds(void)
{
    int examples = 0;
    failures = 0;
    for (int i = 0; i < nkinds; i++) {
        if (kinds[i]->role != ROLE_LAYER && kinds[i]->role != ROLE_LOSS)
            continue;
        const char *rest = kinds[i]->examples;
        if (!rest || !*rest) {
            report(kinds[i]->name, "this kind has no examples");
            continue;
        }
        while (*rest) {
            size_t length = strcspn(rest, "|");
            char text[500];
            snprintf(text, sizeof text, "%.*s", (int)length, rest);
            check_network(text);
            free_all();
            examples++;
            rest += length + (rest[length] == '|');
        }
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(examples > 0);
}

/* ---- Random networks ----------------------------------------------------------------------------------------- */

static int nlabels;           /* of the network being drawn: l0, l1, ... */

/* A value for the parameter; most are small, so that most fit. */
static const char *draw_value(const Param *p, Shape in)
{
    int least = (int)fmax(p->least, 0), most = (int)fmin(p->most, least + 3);
    int a = least + below(most - least + 1), b = least + below(most - least + 1);
    switch (p->type) {
    case PARAM_PAIR: return below(2) ? format("%d", a) : format("%dx%d", a, b);
    case PARAM_INT: return format("%d", below(2) ? a : (int)(1 + (in.c - 1) * below(2)));
    case PARAM_NUMBER: return format("%.3f", uniform(fmax(p->least, -1), fmin(p->most, 1)));
    case PARAM_NUMBERS: {
        const char *list = format("%.3f", uniform(0.5, 2));
        for (int i = 1; i < in.c && a % 2; i++)
            list = format("%s,%.3f", list, uniform(0.5, 2));
        return list;
    }
    case PARAM_FLAG: return below(2) ? "true" : "false";
    case PARAM_CHANNELS: return format("%d", below(4) ? 1 + below(6) : (int)in.c);
    case PARAM_SIZE: return below(2) ? format("%d", (int)shape_count(in)) : format("%dx%dx%d", (int)in.h, (int)in.c, (int)in.w);
    case PARAM_OF: return format("%s %d", p->name, a);
    case PARAM_SIDES: return below(2) ? format("%d", a) : format("%dx%dx%dx%d", a, b, below(3), below(3));
    case PARAM_LABELS: {
        const char *list = format("l%d", below(nlabels));
        for (int i = 1; i < p->most && below(3) == 0; i++)
            list = format("%s l%d", list, below(nlabels));
        return list;
    }
    case PARAM_CHOICE: {
        const char *word = p->choices;
        for (int skip = below(8); skip > 0; skip--)
            word = strchr(word, '|') ? strchr(word, '|') + 1 : p->choices;
        return format("%.*s", (int)strcspn(word, "|"), word);
    }
    }
    return "";
}

static const char *draw_statement(const Kind *kind, Shape in)
{
    const char *text = kind->name;
    for (const Param *p = kind->params; p->name; p++) {
        if (p->fallback && (below(2) || (p->type == PARAM_LABELS && !nlabels)))
            continue;
        const char *value = draw_value(p, in);
        bool unnamed = isupper((unsigned char)p->name[0]);
        text = format("%s %s%s%s", text, unnamed ? "" : p->name, unnamed || !p->name[1] ? "" : "=", value);
    }
    return text;
}

static const Kind *draw_kind(Role role)
{
    const Kind *kind;
    do
        kind = kinds[below(nkinds)];
    while (kind->role != role);
    return kind;
}

/* Layers, each drawn until one fits on what comes before. With labels, they read what any earlier one gave, and more
 * often than not the branches come together again. */
static const char *draw_network(void)
{
    bool branches = below(2);
    nlabels = 0;
    const char *text = below(3) ? format("input %dx%dx%d", 1 + below(4), 1 + below(7), 1 + below(7))
                     : below(2) ? format("input %dx%d", 1 + below(5), 1 + below(5))
                                : format("input %d", 1 + below(9));
    Shape shape = image_shape(1, 1, 1);
    for (int layers = 1 + below(MAX_LAYERS), tries = 0; layers > 0 && tries < 100; tries++) {
        const Kind *kind = branches && below(3) == 0 ? find_kind(below(2) ? "add" : below(2) ? "mul" : "concat")
                                                     : draw_kind(ROLE_LAYER);
        if (!nlabels && kind->params->type == PARAM_LABELS)
            continue;
        const char *from = nlabels && below(3) == 0 ? format("; from l%d", below(nlabels)) : "";
        const char *longer = format("%s%s; %s", text, from, draw_statement(kind, shape));
        if (below(8) == 0) /* refused where there are no weights */
            longer = format("%s%s", longer, below(2) ? " freeze=true" : "; freeze");
        if (branches && below(3))
            longer = format("%s; l%d:", longer, nlabels);
        const Net *net = network_of(longer, &options);
        if (!net || shape_count(net->out->shape) > MAX_ELEMENTS || net->nparams > MAX_WEIGHTS)
            continue;
        nlabels += strlen(longer) > 0 && longer[strlen(longer) - 1] == ':';
        text = longer;
        shape = net->out->shape;
        layers--;
    }
    if (!strchr(text, ';'))
        text = format("%s; tanh", text);
    return below(2) ? text : format("%s; loss %s", text, draw_kind(ROLE_LOSS)->name);
}

static void random_networks(void)
{
    failures = 0;
    for (int i = 0; i < RANDOM_NETWORKS; i++) {
        warning_option("error");  /* windows that cover nothing but padding give -inf */
        warning_option("no-channels");
        warning_option("no-unused");
        const char *text = draw_network();
        while (!network_of(text, &options) || !network_of(with_weights_in_front(text), &options))
            text = draw_network();
        warning_reset();
        check_network(text);
        free_all();
    }
    CU_ASSERT_EQUAL(failures, 0);
}

/* ---- Several inputs, several answers ------------------------------------------------------------------------ */

/* Each order of inputs and answers; an answer that others read, too; a shape of each kind. */
static void several(void)
{
    static const char *const inputs[] = {"left: input 4; right: input 2x3x2", "right: input 2x3x2; left: input 4"};
    static const char *const answers[] = {"a", "a b", "b a", "c a b", "b c"};
    failures = 0;
    for (int i = 0; i < 10; i++) {
        const char *text = format("%s; from left; fc 5; tanh; x:; from right; conv 2 k2; sigmoid; c:; fc 5; add x; a: fc 2; from a; relu; "
                                  "add a; b: softmax; output %s; loss none", inputs[i % 2], answers[i / 2]);
        const Net *net = network_of(text, &options);
        if (!net)
            report(text, "does not compile");
        else
            check_gradients(text, net, 2);
        if (net && i < 2)
            check_stages(text, net, ALL);
        free_all();
    }
    /* The sum over c is taken where dy is moved to channels last; that move took tiles of pixels, not of whole c. */
    const char *text = "a: input 4x4x5; b: input 1x4x5; batch 2; from b; mul a; loss none";
    const Net *net = network_of(text, &options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(net);
    check_stages(text, net, ALL);
    free_all();
    CU_ASSERT_EQUAL(failures, 0);
}

/* ---- By hand ------------------------------------------------------------------------------------------------- */

/* `input 2; fc 3; sigmoid; fc 2; softmax`, one sample, by the chain rule:
 *
 *     a = W1 x + b1    h = sigmoid(a)    z = W2 h + b2    p = softmax(z)    loss = -log p[t]
 *     dz = p - e_t     dW2 = dz h'       db2 = dz         dh = W2' dz       da = dh h (1 - h)      dW1 = da x'   db1 = da */
static void two_three_two(void)
{
    double x[2] = {0.7, -1.3}, t[1] = {1}, y[2];
    double w1[3][2] = {{0.3, -0.8}, {-0.5, 0.1}, {0.9, 0.4}}, b1[3] = {0.05, -0.2, 0.6};
    double w2[2][3] = {{0.2, -0.7, 0.5}, {-0.4, 0.6, 0.8}}, b2[2] = {-0.1, 0.3};
    double dw1[6], db1[3], dw2[6], db2[2];
    double *weights[] = {w1[0], b1, w2[0], b2}, *gradients[] = {dw1, db1, dw2, db2};
    Net *net = network_of("input 2; fc 3; sigmoid; fc 2; softmax", &options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(net);
    CU_ASSERT_EQUAL_FATAL(net->nweights, 4);
    Binding b = {.n = 1, .x = x, .t = t, .y = y, .weights = weights, .gradients = gradients};
    Prog *prog = lower(net, true);
    differentiate(prog);
    interpret(prog, &b);

    double h[3], p[2], total = 0;
    for (int i = 0; i < 3; i++)
        h[i] = 1 / (1 + exp(-(w1[i][0] * x[0] + w1[i][1] * x[1] + b1[i])));
    for (int o = 0; o < 2; o++)
        total += p[o] = exp(w2[o][0] * h[0] + w2[o][1] * h[1] + w2[o][2] * h[2] + b2[o]);
    p[0] /= total;
    p[1] /= total;
    CU_ASSERT_DOUBLE_EQUAL(b.loss, -log(p[1]), 1e-14);
    double dz[2] = {p[0], p[1] - 1};
    for (int i = 0; i < 3; i++) {
        double da = (w2[0][i] * dz[0] + w2[1][i] * dz[1]) * h[i] * (1 - h[i]);
        for (int k = 0; k < 2; k++) {
            CU_ASSERT_DOUBLE_EQUAL(dw2[3 * k + i], dz[k] * h[i], 1e-14);
            CU_ASSERT_DOUBLE_EQUAL(dw1[2 * i + k], da * x[k], 1e-14);
        }
        CU_ASSERT_DOUBLE_EQUAL(db1[i], da, 1e-14);
    }
    for (int k = 0; k < 2; k++)
        CU_ASSERT_DOUBLE_EQUAL(db2[k], dz[k], 1e-14);

    interpret(lower(net, false), &b);
    for (int k = 0; k < 2; k++)
        CU_ASSERT_DOUBLE_EQUAL(y[k], p[k], 1e-14);
    free_all();
}

/* ---- A maximum before relu and behind it --------------------------------------------------------------------
 *
 * leakyrelu with a slope of 0 is relu, but stays before the maximum: values and gradients must be the same, also where many
 * points of a window are equal, as small whole numbers are. */

static const struct {
    const char *text;         /* @: the function */
    bool follows;
} maxima[] = {
    {"input 2x6x7; batch 3; conv 3 k2; @; maxpool 2; fc 2; loss mse", true},
    {"input 2x7x7; batch 2; conv 3 k3 p1; @; maxpool k3 s2 p1; conv 2 k1; loss mse", true},
    {"input 3x6x5; batch 2; conv 2 k1; @; maxpool k2x3 s1; @; maxpool 2; loss mse", true},
    {"input 2x4x4; batch 2; conv 2 k1; @; maxpool 2 d2; loss mse", true},
    {"input 2x4x5; batch 3; conv 3 k2; @; globalmaxpool; fc 2; loss mse", true},
    {"input 5x2; batch 2; fc 3; @; globalmaxpool; @; loss mse", true},
    {"input 2x5x5; batch 2; conv 2 k1; @; maxpool 3 s2 d3 p1; fc 1; loss mse", false},          /* windows of nothing but padding */
    {"input 2x4x4; batch 2; x: conv 2 k1; y: @; maxpool k2 s1 p1; globalavgpool; mul y; loss mse", false}, /* others read it */
};

static const char *put_in(const char *text, const char *function)
{
    const char *at = strchr(text, '@');
    return at ? format("%.*s%s%s", (int)(at - text), text, function, put_in(at + 1, function)) : text;
}

/* The network with that function, run with the same numbers. */
static Trial with_function(const char *text, const char *function, const Binding *same)
{
    Trial t = {.text = put_in(text, function)};
    t.net = network_of(t.text, &options);
    CU_ASSERT_FATAL(t.net != NULL);
    Prog *forward = lower(t.net, false), *training = lower(t.net, true);
    differentiate(training);
    verify_prog(training);
    t.forward = forward;
    t.backward = training;
    draw_numbers(&t, (int)t.net->batch);
    if (same) {
        t.binding.x = same->x;
        t.binding.t = same->t;
        t.binding.weights = same->weights;
    } else {
        for (int64_t i = 0; i < t.net->batch * shape_count(t.net->input); i++)
            ((double *)t.binding.x)[i] = below(5) - 2;
        for (const Weight *w = t.net->weights; w; w = w->next)
            for (int64_t i = 0; i < w->count; i++)
                t.binding.weights[w->id][i] = below(3) - 1;
    }
    interpret(t.forward, &t.binding);
    interpret(t.backward, &t.binding);
    return t;
}

static int64_t differing(const double *a, const double *b, int64_t count)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        n += a[i] != b[i];
    return n;
}

static void relu_behind_a_maximum(void)
{
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++)
        for (int round = 0; round < 5; round++) {
            Trial before = with_function(maxima[i].text, "leakyrelu 0", NULL);
            Trial behind = with_function(maxima[i].text, "relu", &before.binding);
            CU_ASSERT(before.backward->ncommuted == 0);
            CU_ASSERT_EQUAL(behind.backward->ncommuted > 0, maxima[i].follows);
            CU_ASSERT_EQUAL(behind.binding.loss, before.binding.loss);
            CU_ASSERT_EQUAL(differing(behind.binding.y, before.binding.y, before.net->batch * shape_count(before.net->out->shape)), 0);
            for (const Weight *w = before.net->weights; w; w = w->next)
                CU_ASSERT_EQUAL(differing(behind.binding.gradients[w->id], before.binding.gradients[w->id], w->count), 0);
        }
    free_all();
}

static int start(void)
{
    rng = test_seed();
    return networks_start();
}

void add_gradients_suite(void)
{
    static CU_TestInfo tests[] = {
        {"every example of every kind", examples_of_kinds},
        {"several inputs and answers", several},
        {"random networks", random_networks},
        {"two, three, two by hand", two_three_two},
        {"relu behind a maximum", relu_behind_a_maximum},
        CU_TEST_INFO_NULL,
    };
    add_suite("gradients", start, networks_end, tests);
}
