/* test_torch.c: the generated C against what PyTorch computed.
 *
 * tests/torch/kinds.ref holds networks with every kind of layer and its odd arguments, and PyTorch's outputs, losses,
 * gradients and 20-step trajectories for them (tests/torch/record.py tells how; PyTorch itself is not needed here).
 * Each unroll mode and target is one test: all networks of the file are compiled with it into one shared object and
 * called. Memory that a call must write, or must not read, is full of NaN beforehand; memory it must not write
 * is checked afterwards. At the end a network is asked whether its dropout is the same in both passes, which no
 * recorded number can tell. */
#include "generated.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "tests/torch/kinds.ref"
#define SCRATCH "build/tests/tmp/torch"

/* How far float code may be from the double-precision reference, in shares of the array's largest value. The
 * second adds a share of the largest gradient of the whole network: a sum that cancels keeps its terms' rounding. */
#define FORWARD_TOLERANCE 1e-5
#define GRADIENT_TOLERANCE 1e-4
#define CANCELLATION 1e-6
#define LOSSES_TOLERANCE 1e-4
#define WEIGHTS_TOLERANCE 1e-3

enum { MAX_CASES = 500, MAX_TENSORS = 32, MAX_RUNS = 20 };

typedef struct array {
    const char *name;       /* of the tensor, for w, d and f */
    size_t      count;
    double     *values;
} array;

typedef struct run {        /* one optimizer over 20 steps */
    const char  *description;
    nn_optimizer optimizer;
    array        losses;
    array        final[MAX_TENSORS];
    int          nfinal;
} run;

typedef struct torch_case {
    const char *name, *net;
    int         n;
    array       weights[MAX_TENSORS], gradients[MAX_TENSORS], statistics[MAX_TENSORS];
    int         nweights, ngradients, nstatistics;  /* weights include the statistics' first values */
    array       x, t, y;
    int         has_loss;
    double      loss, evaluated;
    run         runs[MAX_RUNS];
    int         nruns;
} torch_case;

static torch_case cases[MAX_CASES];
static size_t ncases;

/* ---- Reading kinds.ref ----------------------------------------------------------------------- */

/* The file is ours, so anything unexpected in it ends the program. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
static void malformed(const char *what)
{
    fprintf(stderr, "%s: %s\n", REFERENCE, what);
    exit(2);
}

static char *next_word(char **cursor)
{
    char *p = *cursor;
    while (*p == ' ')
        p++;
    if (!*p)
        malformed("a line ends early");
    char *word = p;
    while (*p && *p != ' ')
        p++;
    if (*p)
        *p++ = '\0';
    *cursor = p;
    return word;
}

static array read_array(char **cursor)
{
    array a = {NULL, (size_t)strtoul(next_word(cursor), NULL, 10), NULL};
    a.values = malloc((a.count + 1) * sizeof *a.values);
    if (!a.values)
        malformed("no memory");
    for (size_t i = 0; i < a.count; i++)
        a.values[i] = strtod(next_word(cursor), NULL);
    return a;
}

static array read_tensor(char **cursor)
{
    const char *name = next_word(cursor);
    array a = read_array(cursor);
    a.name = name;
    return a;
}

/* `adam lr 0.01 amsgrad 1 end` */
static nn_optimizer read_optimizer(char **cursor)
{
    nn_optimizer o;
    const char *method = next_word(cursor), *field;
    if (!strcmp(method, "sgd"))
        o = nn_sgd(0);
    else if (!strcmp(method, "momentum"))
        o = nn_momentum(0, 0);
    else if (!strcmp(method, "adagrad"))
        o = nn_adagrad(0);
    else if (!strcmp(method, "rmsprop"))
        o = nn_rmsprop(0);
    else if (!strcmp(method, "adam"))
        o = nn_adam(0);
    else
        malformed(method);
    struct { const char *name; float *number; int *flag; } fields[] = {
        {"lr", &o.lr, NULL}, {"weight_decay", &o.weight_decay, NULL}, {"momentum", &o.momentum, NULL},
        {"dampening", &o.dampening, NULL}, {"nesterov", NULL, &o.nesterov}, {"lr_decay", &o.lr_decay, NULL},
        {"initial_accumulator_value", &o.initial_accumulator_value, NULL}, {"alpha", &o.alpha, NULL},
        {"centered", NULL, &o.centered}, {"beta1", &o.beta1, NULL}, {"beta2", &o.beta2, NULL},
        {"amsgrad", NULL, &o.amsgrad}, {"decoupled", NULL, &o.decoupled}, {"eps", &o.eps, NULL},
        {"maximize", NULL, &o.maximize},
    };
    enum { NFIELDS = sizeof fields / sizeof *fields };
    while (strcmp(field = next_word(cursor), "end")) {
        double value = strtod(next_word(cursor), NULL);
        int i = 0;
        while (i < NFIELDS && strcmp(field, fields[i].name))
            i++;
        if (i == NFIELDS)
            malformed(field);
        else if (fields[i].number)
            *fields[i].number = (float)value;
        else
            *fields[i].flag = (int)value;
    }
    return o;
}

static void read_line(char *line)
{
    char *cursor = line;
    const char *key = next_word(&cursor);
    if (!strcmp(key, "case")) {
        if (ncases == MAX_CASES)
            malformed("too many cases");
        cases[ncases++].name = cursor;
        return;
    }
    if (!ncases)
        malformed("no case yet");
    torch_case *c = &cases[ncases - 1];
    run *r = c->nruns ? &c->runs[c->nruns - 1] : NULL;
    if (c->nweights == MAX_TENSORS || c->ngradients == MAX_TENSORS || c->nruns == MAX_RUNS)
        malformed("too many tensors or runs");
    if (!strcmp(key, "net"))
        c->net = cursor;
    else if (!strcmp(key, "n"))
        c->n = atoi(cursor);
    else if (!strcmp(key, "w"))
        c->weights[c->nweights++] = read_tensor(&cursor);
    else if (!strcmp(key, "x"))
        c->x = read_array(&cursor);
    else if (!strcmp(key, "t"))
        c->t = read_array(&cursor);
    else if (!strcmp(key, "y"))
        c->y = read_array(&cursor);
    else if (!strcmp(key, "loss"))
        c->loss = strtod(cursor, NULL), c->has_loss = 1;
    else if (!strcmp(key, "evaluated"))
        c->evaluated = strtod(cursor, NULL);
    else if (!strcmp(key, "d"))
        c->gradients[c->ngradients++] = read_tensor(&cursor);
    else if (!strcmp(key, "s") && c->nstatistics < MAX_TENSORS)
        c->statistics[c->nstatistics++] = read_tensor(&cursor);
    else if (!strcmp(key, "train")) {
        r = &c->runs[c->nruns++];
        size_t length = strlen(cursor) + 1;
        char *copy = malloc(length);
        if (!copy)
            malformed("no memory");
        r->description = memcpy(copy, cursor, length);
        r->optimizer = read_optimizer(&cursor);
    } else if (!strcmp(key, "losses") && r)
        r->losses = read_array(&cursor);
    else if (!strcmp(key, "f") && r && r->nfinal < MAX_TENSORS)
        r->final[r->nfinal++] = read_tensor(&cursor);
    else
        malformed(key);
}

/* Reads the file once; names and texts in cases point into it, so it stays. */
static int read_cases(void)
{
    static char *text;
    if (text)
        return 0;
    FILE *f = fopen(REFERENCE, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        perror(REFERENCE);
        return 1;
    }
    long size = ftell(f);
    rewind(f);
    text = malloc((size_t)size + 1);
    if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
        malformed("cannot be read");
    text[size] = '\0';
    fclose(f);
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = '\0';
        if (*line && *line != '#')
            read_line(line);
    }
    return 0;
}

/* ---- One network under one combination -------------------------------------------------------- */

typedef struct network {      /* a compiled case and the memory to call it with */
    const torch_case *c;
    const nn_model   *model;
    const char       *options;
    float            *params, *gradients, *x, *y;
    void             *work, *t;
    int               failures;
} network;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void fail(network *w, const char *format, ...)
{
    va_list arguments;
    if (w->failures++ > 3)     /* the rest would say the same */
        return;
    fprintf(stderr, "\n%s (%s) `%s`: ", w->c->name, w->options, w->c->net);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

static double largest(const array *a)
{
    double m = 0;
    for (size_t i = 0; i < a->count; i++)
        m = fmax(m, fabs(a->values[i]));
    return m;
}

/* Each value within tolerance of the reference; the first that isn't is reported. */
static void compare(network *w, const char *what, const float *values, const array *reference, double tolerance)
{
    for (size_t i = 0; i < reference->count; i++)
        if (!(fabs(values[i] - reference->values[i]) <= tolerance)) {
            fail(w, "%s %s[%zu] is %.9g, PyTorch has %.9g", what, reference->name ? reference->name : "", i, values[i],
                 reference->values[i]);
            return;
        }
}

static const nn_tensor *find_tensor(const nn_model *model, const char *name)
{
    for (int i = 0; i < model->ntensors; i++)
        if (!strcmp(model->tensors[i].name, name))
            return &model->tensors[i];
    return NULL;
}

/* The model's description of itself against the reference; 0 when nothing further makes sense. */
static int check_model(network *w)
{
    const torch_case *c = w->c;
    const nn_model *m = w->model;
    size_t params = 0, n = (size_t)c->n;
    if (m->ntensors != c->nweights)
        fail(w, "%d tensors, PyTorch has %d", m->ntensors, c->nweights);
    for (int i = 0; i < c->nweights; i++) {
        const nn_tensor *t = find_tensor(m, c->weights[i].name);
        size_t product = 1;
        if (!t || t->count != c->weights[i].count || nn_place(t, t->count - 1) >= m->params_bytes / sizeof(float)) {
            fail(w, "%s is not there, or has another size", c->weights[i].name);
            return 0;
        }
        int statistic = strstr(t->name, ".running_") != NULL;
        if (statistic != (t->offset >= m->floats))
            fail(w, "%s lies on the wrong side of the first NET_FLOATS floats", t->name);
        for (int k = 0; k < t->ndim; k++)
            product *= (size_t)t->shape[k];
        if (product != t->count)
            fail(w, "%s: shape and count differ", t->name);
        if (t != &m->tensors[i])
            fail(w, "%s is not tensor %d", t->name, i);
        params += statistic ? 0 : t->count;
    }
    if (m->params != params)
        fail(w, "params is %zu, not %zu", m->params, params);
    if (m->input * n != c->x.count || m->output * n != c->y.count)
        fail(w, "input %zu, output %zu", m->input, m->output);
    else if (c->has_loss && m->targets * n != c->t.count)
        fail(w, "targets %zu", m->targets);
    else
        return 1;
    return 0;
}

static void load_weights(network *w)
{
    memset(w->params, 0, w->model->params_bytes);
    for (int i = 0; i < w->c->nweights; i++) {
        const array *a = &w->c->weights[i];
        const nn_tensor *t = find_tensor(w->model, a->name);
        for (size_t k = 0; k < a->count; k++)
            w->params[nn_place(t, k)] = (float)a->values[k];
    }
}

/* Every float outside the tensors is exactly 0. */
static void check_padding(network *w, const char *what, const float *values)
{
    char *used = calloc(w->model->params_bytes / sizeof(float) + 1, 1);
    for (int i = 0; i < w->model->ntensors; i++)
        for (size_t k = 0; k < w->model->tensors[i].count; k++)
            used[nn_place(&w->model->tensors[i], k)] = 1;
    for (size_t i = 0; i < w->model->floats; i++)
        if (!used[i] && values[i] != 0) {
            fail(w, "padding of %s at float %zu is %g", what, i, values[i]);
            break;
        }
    free(used);
}

static void check_forward(network *w)
{
    size_t total = w->model->output * (size_t)w->model->batch;
    w->model->forward(w->params, w->work, w->c->n, w->x, w->y);
    compare(w, "output", w->y, &w->c->y, FORWARD_TOLERANCE * largest(&w->c->y) + 1e-9);
    for (size_t i = w->c->y.count; i < total; i++)
        if (!isnan(w->y[i])) {
            fail(w, "forward wrote output %zu, behind the samples of the call", i);
            break;
        }
}

/* A tensor of params or a gradient in PyTorch's order; valid until the next call. */
static const float *in_order(const network *w, const float *values, const char *name)
{
    static float *copy;
    const nn_tensor *t = find_tensor(w->model, name);
    copy = realloc(copy, (t->count + 1) * sizeof *copy);
    nn_get(t, values, copy);
    return copy;
}

/* With answers and without. */
static void check_loss(network *w)
{
    const torch_case *c = w->c;
    memset(w->y, 0xff, w->model->output * (size_t)c->n * sizeof *w->y);
    for (int answers = 0; answers < 2; answers++) {
        double loss = (double)w->model->loss(w->params, w->work, c->n, w->x, w->t, answers ? w->y : NULL);
        if (!(fabs(loss - c->evaluated) <= FORWARD_TOLERANCE * fabs(c->evaluated) + 1e-9))
            fail(w, "loss is %.9g in inference, PyTorch has %.9g", loss, c->evaluated);
    }
    compare(w, "output of net_loss", w->y, &c->y, FORWARD_TOLERANCE * largest(&c->y) + 1e-9);
}

static void check_backward(network *w)
{
    const torch_case *c = w->c;
    memset(w->gradients, 0xff, w->model->params_bytes);
    double loss = (double)w->model->backward(w->params, w->work, c->n, w->x, w->t, w->gradients), all = 0;
    if (!(fabs(loss - c->loss) <= FORWARD_TOLERANCE * fabs(c->loss) + 1e-9))
        fail(w, "loss is %.9g, PyTorch has %.9g", loss, c->loss);
    for (int i = 0; i < c->ngradients; i++)
        all = fmax(all, largest(&c->gradients[i]));
    for (int i = 0; i < c->ngradients; i++) {
        const array *d = &c->gradients[i];
        compare(w, "gradient", in_order(w, w->gradients, d->name), d,
                GRADIENT_TOLERANCE * largest(d) + CANCELLATION * all + 1e-9);
    }
    check_padding(w, "the gradients", w->gradients);
    for (int i = 0; i < c->nstatistics; i++)
        compare(w, "statistic", in_order(w, w->params, c->statistics[i].name), &c->statistics[i],
                FORWARD_TOLERANCE * largest(&c->statistics[i]) + 1e-9);
}

static void check_run(network *w, const run *r)
{
    const nn_model *m = w->model;
    size_t bytes = (nn_state_size(&r->optimizer, m->floats) + 1) * sizeof(float);
    float *state = generated_memory(bytes);
    memset(state, 0, bytes);
    for (size_t step = 0; step < r->losses.count; step++) {
        double loss = (double)m->backward(w->params, w->work, w->c->n, w->x, w->t, w->gradients);
        if (!(fabs(loss - r->losses.values[step]) <= LOSSES_TOLERANCE * largest(&r->losses))) {
            fail(w, "%s: loss before step %zu is %.9g, PyTorch has %.9g", r->description, step + 1, loss,
                 r->losses.values[step]);
            break;
        }
        nn_step(&r->optimizer, w->params, w->gradients, state, m->floats);
    }
    for (int i = 0; i < r->nfinal; i++)
        compare(w, r->description, in_order(w, w->params, r->final[i].name), &r->final[i],
                WEIGHTS_TOLERANCE * largest(&r->final[i]));
    check_padding(w, "the weights", w->params);
    free(state);
}

static int check_network(const torch_case *c, const nn_model *model, const char *options)
{
    network w = {c, model, options, NULL, NULL, NULL, NULL, NULL, NULL, 0};
    size_t batch = (size_t)model->batch;
    if (!check_model(&w))
        return w.failures;
    w.params = generated_memory(model->params_bytes);
    w.gradients = generated_memory(model->params_bytes);
    w.work = generated_work(model);
    w.x = generated_memory(model->input * batch * sizeof(float));
    w.y = generated_memory(model->output * batch * sizeof(float));
    w.t = generated_memory(model->targets * batch * sizeof(float));
    for (size_t i = 0; i < c->x.count; i++)
        if (model->vocabulary)
            ((int *)(void *)w.x)[i] = (int)c->x.values[i];
        else
            w.x[i] = (float)c->x.values[i];
    for (size_t i = 0; c->has_loss && i < c->t.count; i++)
        if (model->int_targets)
            ((int *)w.t)[i] = (int)c->t.values[i];
        else
            ((float *)w.t)[i] = (float)c->t.values[i];

    load_weights(&w);
    if (model->set_rng)
        model->set_rng(w.work, 1);
    check_forward(&w);
    if (c->has_loss) {
        check_loss(&w);
        check_backward(&w);
        load_weights(&w);        /* backward moves the statistics */
        check_forward(&w);       /* the same after training, in the same work */
        check_backward(&w);      /* and backward does not add to what was there */
    }
    for (int i = 0; i < c->nruns; i++) {
        load_weights(&w);
        check_run(&w, &c->runs[i]);
    }
    free(w.params), free(w.gradients), free(w.work), free(w.x), free(w.y), free(w.t);
    return w.failures;
}

/* All cases under one unroll mode and target. */
static void check_combination(const char *unroll, const char *target)
{
    static generated nets[MAX_CASES];
    static char prefixes[MAX_CASES][32];
    static unsigned char known[MAX_CASES];
    char folder[128], options[128], cflags[128];
    int wrong = 0;
    /* Plain C, which is also what loops are for every target, is for a compiler that is quick, and what an optimizer makes of it
     * the affair of test_generated.c. clang without one takes less time than gcc, which looks at the tiles of the usual machine
     * (avx2's are generic's). Long vectors are compiled for the machine at hand: taken apart, they are much more code. */
    bool plain = !strcmp(unroll, "none") || !strcmp(target, "scalar"), usual = !strcmp(unroll, "tile") && strcmp(target, "neon")
                                                                               && strcmp(target, "avx512");
    const char *cc = plain ? generated_quick_cc() : usual ? NULL : "clang", *optimizer = plain ? "-O0" : "-O0 -march=native";
    if (read_cases() != 0) {
        CU_FAIL(REFERENCE " is missing");
        return;
    }
    snprintf(folder, sizeof folder, SCRATCH "/%s-%s", unroll, target);
    snprintf(options, sizeof options, "--unroll=%s --target=%s", unroll, target);
    snprintf(cflags, sizeof cflags, "%s %s", plain ? GENERATED_C99 : GENERATED_GNU, optimizer);
    for (size_t i = 0; i < ncases; i++) {
        snprintf(prefixes[i], sizeof prefixes[i], "case%03zu", i);
        nets[i] = (generated){prefixes[i], cases[i].net, options, cflags, NULL};
    }
    void *library = generated_build_new(folder, nets, ncases, cc, known);
    for (size_t i = 0; i < ncases; i++)
        wrong += !known[i] && (!nets[i].model || check_network(&cases[i], nets[i].model, options) != 0);
    if (wrong)
        fprintf(stderr, "\n%s: %d of %zu networks differ from PyTorch\n", options, wrong, ncases);
    CU_ASSERT_EQUAL(wrong, 0);
    generated_close(library);
}

static void none_generic(void) { check_combination("none", "generic"); }
static void none_scalar(void)  { check_combination("none", "scalar"); }
static void full_generic(void) { check_combination("full", "generic"); }
static void full_scalar(void)  { check_combination("full", "scalar"); }
static void tile_generic(void) { check_combination("tile", "generic"); }
static void tile_scalar(void)  { check_combination("tile", "scalar"); }
static void auto_generic(void) { check_combination("auto", "generic"); }
static void auto_scalar(void)  { check_combination("auto", "scalar"); }
static void tile_avx2(void)    { check_combination("tile", "avx2"); }
static void tile_avx512(void)  { check_combination("tile", "avx512"); }
static void tile_neon(void)    { check_combination("tile", "neon"); }

/* ---- Dropout ---------------------------------------------------------------------------------- */

/* On `fc 1->M; dropout P; loss mse` with targets 0, one sample x and mask m, loss = mean (w x m)^2 and the gradient is
 * 2/M w (x m)^2: so the mask that backward used can be read off the gradient, must be 0 or 1/(1-P), must explain
 * the loss that forward gave, and must follow from rng alone. */
enum { UNITS = 499 };

static void dropout_mask(const nn_model *m, double p, uint64_t rng, unsigned char *kept)
{
    float *params = generated_memory(m->params_bytes), *gradients = generated_memory(m->params_bytes);
    float x = 1.5f, *t = calloc(UNITS, sizeof *t);
    void *work = generated_work(m);
    memset(params, 0, m->params_bytes);
    for (size_t i = 0; i < UNITS; i++)
        params[nn_place(&m->tensors[0], i)] = 0.5f + (float)(i % 7) / 8;
    m->set_rng(work, rng);
    double loss = (double)m->backward(params, work, 1, &x, t, gradients), expected = 0, share = 0;
    int odd = 0;
    for (size_t i = 0; i < UNITS; i++) {
        double w = (double)params[nn_place(&m->tensors[0], i)], d = (double)gradients[nn_place(&m->tensors[0], i)];
        double mask = sqrt(fmax(0, d * UNITS / 2 / w)) / (double)x;
        kept[i] = mask > 0;
        odd += mask != 0 && fabs(mask * (1 - p) - 1) > 1e-5;
        expected += pow(w * (double)x * mask, 2) / UNITS;
        share += kept[i] / (double)UNITS;
    }
    CU_ASSERT_EQUAL(odd, 0);
    CU_ASSERT_DOUBLE_EQUAL(loss, expected, 1e-5 * expected);
    CU_ASSERT_DOUBLE_EQUAL(share, 1 - p, 6 * sqrt(p * (1 - p) / UNITS));
    free(params), free(gradients), free(t), free(work);
}

static void dropout(void)
{
    static const char *unrolls[] = {"none", "tile", "full", "auto"};
    generated nets[8];
    char options[8][64], prefixes[8][32];
    unsigned char first[UNITS], again[UNITS], other[UNITS], reference[2][UNITS];
    for (int i = 0; i < 8; i++) {
        snprintf(options[i], sizeof options[i], "--unroll=%s --target=%s", unrolls[i % 4], i < 4 ? "generic" : "scalar");
        snprintf(prefixes[i], sizeof prefixes[i], "drop%d", i);
        nets[i] = (generated){prefixes[i],
                              i % 2 ? "input 1; batch 2; fc 499 bias=false; dropout 0.2; loss mse"
                                    : "input 1; batch 2; fc 499 bias=false; dropout; loss mse",
                              options[i], i < 4 ? GENERATED_GNU : GENERATED_C99, NULL};
    }
    void *library = generated_build(SCRATCH "/dropout", nets, 8, NULL);
    for (int i = 0; i < 8; i++) {
        CU_ASSERT_PTR_NOT_NULL(nets[i].model);
        if (!nets[i].model)
            continue;
        dropout_mask(nets[i].model, i % 2 ? 0.2 : 0.5, 7, first);
        dropout_mask(nets[i].model, i % 2 ? 0.2 : 0.5, 7, again);
        dropout_mask(nets[i].model, i % 2 ? 0.2 : 0.5, 8, other);
        CU_ASSERT_EQUAL(memcmp(first, again, UNITS), 0);
        CU_ASSERT_NOT_EQUAL(memcmp(first, other, UNITS), 0);
        if (i < 2)
            memcpy(reference[i], first, UNITS);
        CU_ASSERT_EQUAL(memcmp(first, reference[i % 2], UNITS), 0);     /* the same in every mode */
    }
    generated_close(library);
}

/* ---- Losses of many elements ------------------------------------------------------------------ */

/* A mean over 2^17 elements, added up: one by one in float, it would lose half of its digits. */
static void many_elements(void)
{
    static const char *losses[] = {"mse", "bce"}, *unrolls[] = {"none", "tile", "auto"};    /* full would be long */
    enum { BATCH = 32, ELEMENTS = 4096, NETS = 12 };
    generated nets[NETS];
    char text[2][128], options[NETS][64], prefixes[NETS][32];
    for (int i = 0; i < NETS; i++) {
        snprintf(text[i % 2], sizeof text[0], "input %d; tanh; loss %s", ELEMENTS, losses[i % 2]);
        snprintf(options[i], sizeof options[0], "--unroll=%s --target=%s", unrolls[i / 4], i / 2 % 2 ? "scalar" : "generic");
        snprintf(prefixes[i], sizeof prefixes[0], "many%d", i);
        nets[i] = (generated){prefixes[i], text[i % 2], options[i], i / 2 % 2 ? GENERATED_C99 : GENERATED_GNU, NULL};
    }
    void *library = generated_build(SCRATCH "/many", nets, NETS, NULL);
    float *x = generated_memory(BATCH * ELEMENTS * sizeof *x), *t = generated_memory(BATCH * ELEMENTS * sizeof *t);
    double expected[2] = {0, 0};
    for (int i = 0; i < BATCH * ELEMENTS; i++) {
        x[i] = (float)(i % 1021) / 511 - 1;
        t[i] = (float)(i % 31) / 31;
        double y = tanh((double)x[i]), r = (double)t[i];
        expected[0] += (y - r) * (y - r) / (BATCH * ELEMENTS);
        expected[1] += (fmax(y, 0) - y * r + log1p(exp(-fabs(y)))) / (BATCH * ELEMENTS);
    }
    for (int i = 0; i < NETS; i++) {
        CU_ASSERT_PTR_NOT_NULL(nets[i].model);
        if (!nets[i].model)
            continue;
        void *work = generated_work(nets[i].model), *params = generated_memory(64), *d = generated_memory(64);
        double loss = (double)nets[i].model->backward(params, work, BATCH, x, t, d);
        if (!(fabs(loss - expected[i % 2]) <= FORWARD_TOLERANCE * expected[i % 2]))
            fprintf(stderr, "\n%s (%s): loss is %.9g, not %.9g\n", text[i % 2], options[i], loss, expected[i % 2]);
        CU_ASSERT_DOUBLE_EQUAL(loss, expected[i % 2], FORWARD_TOLERANCE * expected[i % 2]);
        free(work), free(params), free(d);
    }
    free(x), free(t);
    generated_close(library);
}

void add_torch_suite(void)
{
    static CU_TestInfo tests[] = {
        {"unroll none, generic", none_generic}, {"unroll none, scalar", none_scalar},
        {"unroll full, generic", full_generic}, {"unroll full, scalar", full_scalar},
        {"unroll tile, generic", tile_generic}, {"unroll tile, scalar", tile_scalar},
        {"unroll auto, generic", auto_generic}, {"unroll auto, scalar", auto_scalar},
        {"unroll tile, avx2", tile_avx2},       {"unroll tile, avx512", tile_avx512},
        {"unroll tile, neon", tile_neon},
        {"dropout's mask", dropout},            {"losses of many elements", many_elements},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"PyTorch's numbers", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };
    if (CU_register_suites(suites) != CUE_SUCCESS)
        fprintf(stderr, "%s\n", CU_get_error_msg());
}
