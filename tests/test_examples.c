/* test_examples.c: the networks that users start from, trained for a few steps beside PyTorch.
 *
 * tests/torch/examples.ref holds what PyTorch computes for the networks of examples/ (tests/torch/examples.py tells how): the
 * answers, the loss and the gradients of one batch, then the losses of a few steps of an optimizer and how far they moved
 * each weight and each running statistic. Weights, samples and targets come from nn_uniform_at on both sides, and arrays are
 * compared by their norm and two projections, so that the file stays small. One test is one unroll mode and target.
 *
 * At the end the weights go through a file: a network with statistics is saved and loaded whole. */
#include "generated.h"
#include "networks.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "tests/torch/examples.ref"
#define SCRATCH "build/tests/tmp/examples"

/* As in tests/torch/examples.py: in shares of the array's norm; and of the largest of its kind in the network. */
#define ANSWER_TOLERANCE 1e-5
#define GRADIENT_TOLERANCE 2e-4
#define LOSSES_TOLERANCE 1e-4
#define MOVED_TOLERANCE 2e-3
#define CANCELLATION 1e-6

enum { DIGEST = 3, MOST_EXAMPLES = 20, MOST_TENSORS = 200, MOST_STEPS = 20, LINE = 1000 };

typedef struct digest {
    char   name[64];
    double values[DIGEST];
} digest;

typedef struct example {
    char         name[32], options[64];
    int          seed, n, steps, ngradients, nmoved;
    nn_optimizer optimizer;
    float        matrices, clip;  /* not 0: vectors don't decay; the norm to which gradients are cut */
    digest       answer, gradients[MOST_TENSORS], moved[MOST_TENSORS];
    double       loss, losses[MOST_STEPS];
} example;

static example examples[MOST_EXAMPLES];
static int nexamples, failures;

/* ---- Reading examples.ref ------------------------------------------------------------------------------ */

/* The file is ours, so anything unexpected in it ends the program. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
static void malformed(const char *what)
{
    fprintf(stderr, "%s: %s\n", REFERENCE, what);
    exit(2);
}

static nn_optimizer read_optimizer(char *words, example *e)
{
    const char *method = strtok(words, " ");
    nn_optimizer o = !strcmp(method, "adam") ? nn_adam(0) : !strcmp(method, "rmsprop") ? nn_rmsprop(0) : nn_sgd(0);
    for (const char *field; (field = strtok(NULL, " ")) && strcmp(field, "end");) {
        float value = strtof(strtok(NULL, " "), NULL);
        if (!strcmp(field, "lr"))
            o.lr = value;
        else if (!strcmp(field, "momentum"))
            o.momentum = value;
        else if (!strcmp(field, "nesterov"))
            o.nesterov = value > 0;
        else if (!strcmp(field, "weight_decay"))
            o.weight_decay = value;
        else if (!strcmp(field, "eps"))
            o.eps = value;
        else if (!strcmp(field, "beta1"))
            o.beta1 = value;
        else if (!strcmp(field, "beta2"))
            o.beta2 = value;
        else if (!strcmp(field, "decoupled"))
            o.decoupled = value > 0;
        else if (!strcmp(field, "matrices"))
            e->matrices = value;
        else if (!strcmp(field, "clip"))
            e->clip = value;
        else
            malformed(field);
    }
    return o;
}

/* ` 3 NORM A B` */
static void read_digest(const char *text, const char *name, digest *d)
{
    snprintf(d->name, sizeof d->name, "%s", name);
    if (sscanf(text, "%*d %lf %lf %lf", &d->values[0], &d->values[1], &d->values[2]) != DIGEST)
        malformed(name);
}

static void read_line(char *line)
{
    char key[32], name[64];
    int length = 0;
    sscanf(line, "%31s %n", key, &length);
    char *rest = line + length;
    if (!strcmp(key, "example")) {
        if (nexamples == MOST_EXAMPLES)
            malformed("too many examples");
        snprintf(examples[nexamples++].name, sizeof examples[0].name, "%s", rest);
        return;
    }
    if (!nexamples)
        malformed("no example yet");
    example *e = &examples[nexamples - 1];
    if (e->ngradients == MOST_TENSORS || e->nmoved == MOST_TENSORS)
        malformed("too many tensors");
    if (!strcmp(key, "options"))
        snprintf(e->options, sizeof e->options, "%s", rest);
    else if (!strcmp(key, "seed"))
        e->seed = atoi(rest);
    else if (!strcmp(key, "n"))
        e->n = atoi(rest);
    else if (!strcmp(key, "optimizer"))
        e->optimizer = read_optimizer(rest, e);
    else if (!strcmp(key, "y"))
        read_digest(rest, "", &e->answer);
    else if (!strcmp(key, "loss"))
        e->loss = strtod(rest + 2, NULL);
    else if (!strcmp(key, "losses")) {
        e->steps = (int)strtol(rest, &rest, 10);
        if (e->steps > MOST_STEPS)
            malformed("too many steps");
        for (int i = 0; i < e->steps; i++)
            e->losses[i] = strtod(rest, &rest);
    } else {
        sscanf(rest, "%63s %n", name, &length);
        read_digest(rest + length, name, !strcmp(key, "d") ? &e->gradients[e->ngradients++] : &e->moved[e->nmoved++]);
    }
}

static int start(void)
{
    char line[LINE];
    FILE *f = fopen(REFERENCE, "r");
    if (!f)
        return perror(REFERENCE), 1;
    for (nexamples = 0; fgets(line, sizeof line, f);) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            read_line(line);
    }
    return fclose(f);
}

/* ---- One network in one mode ------------------------------------------------------------------------------ */

typedef struct network {
    const example  *e;
    const nn_model *model;
    const char     *options;
    float          *weights, *first, *gradients, *x, *y;
    void           *work, *t;
} network;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void differs(const network *w, const char *format, ...)
{
    va_list arguments;
    if (failures++ > 10) /* the rest would say the same */
        return;
    fprintf(stderr, "\n%s (%s): ", w->e->name, w->options);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

static int ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && !strcmp(name + n - m, ending);
}

/* Tensor k of seed's network: sizes as they are after some training, so that everything counts. */
static void draw_weights(network *w)
{
    memset(w->first, 0, w->model->params_bytes);
    for (int k = 0; k < w->model->ntensors; k++) {
        const nn_tensor *t = &w->model->tensors[k];
        double bound = sqrt(6 / ((double)t->count / t->shape[0])), low = -bound, high = bound;
        if (ends(t->name, ".running_var") || (t->ndim == 1 && ends(t->name, ".weight")))
            low = 0.5, high = 1.5;
        else if (ends(t->name, ".running_mean"))
            low = -0.5, high = 0.5;
        else if (strstr(t->name, ".bias") || ends(t->name, "in_proj_bias")) /* .bias_ih_l0, too */
            low = -0.1, high = 0.1;
        for (size_t i = 0; i < t->count; i++) {
            double u = (double)nn_uniform_at((uint64_t)(1000 * w->e->seed + k), i);
            w->first[nn_place(t, i)] = (float)(low + (high - low) * u);
        }
    }
    if (w->model->prepare)
        w->model->prepare(w->first);
}

static void draw_samples(network *w)
{
    const nn_model *m = w->model;
    uint64_t seed = (uint64_t)(1000 * w->e->seed);
    size_t n = (size_t)w->e->n, classes = m->output / m->targets;
    for (size_t i = 0; i < n * m->input; i++)
        if (m->vocabulary)
            ((int *)(void *)w->x)[i] = (int)((float)m->vocabulary * nn_uniform_at(seed + 998, i));
        else
            w->x[i] = (float)(-1 + 2 * (double)nn_uniform_at(seed + 998, i));
    for (size_t i = 0; i < n * m->targets; i++) {
        float u = nn_uniform_at(seed + 999, i);
        if (m->int_targets)
            ((int *)w->t)[i] = (int)((float)classes * u);
        else
            ((float *)w->t)[i] = u;
    }
}

static void take(digest *d, const float *values, const float *less, size_t count)
{
    double sums[DIGEST] = {0};
    for (size_t i = 0; i < count; i++) {
        double v = (double)values[i] - (less ? (double)less[i] : 0);
        sums[0] += v * v;
        for (uint64_t stream = 1; stream < DIGEST; stream++)
            sums[stream] += v * (2 * (double)nn_uniform_at(stream, i) - 1);
    }
    sums[0] = sqrt(sums[0]);
    memcpy(d->values, sums, sizeof sums);
}

/* The digest of a tensor of values (less those of `less`) in PyTorch's order. */
static int take_tensor(const network *w, const char *name, const float *values, const float *less, digest *d)
{
    const nn_tensor *t = nn_find(w->model, name);
    if (!t)
        return 0;
    float *a = malloc(t->count * sizeof *a), *b = calloc(t->count, sizeof *b);
    nn_get(t, values, a);
    if (less)
        nn_get(t, less, b);
    take(d, a, b, t->count);
    free(a), free(b);
    return 1;
}

static void compare(const network *w, const char *what, const digest *ours, const digest *reference, double allowed)
{
    for (int i = 0; i < DIGEST; i++)
        if (!(fabs(ours->values[i] - reference->values[i]) <= allowed)) {
            differs(w, "%s %s is %.9g by %s, PyTorch has %.9g", what, reference->name, ours->values[i],
                    i ? "a projection" : "its norm", reference->values[i]);
            return;
        }
}

static void compare_all(const network *w, const char *what, const digest *reference, int count, const float *values,
                        const float *less, double tolerance)
{
    double largest = 0;
    digest ours;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, reference[i].values[0]);
    for (int i = 0; i < count; i++)
        if (take_tensor(w, reference[i].name, values, less, &ours))
            compare(w, what, &ours, &reference[i], tolerance * reference[i].values[0] + CANCELLATION * largest);
        else
            differs(w, "there is no %s", reference[i].name);
}

static void check_forward(network *w)
{
    digest ours;
    w->model->forward(w->weights, w->work, w->e->n, w->x, w->y);
    take(&ours, w->y, NULL, (size_t)w->e->n * w->model->output);
    compare(w, "the answer", &ours, &w->e->answer, ANSWER_TOLERANCE * w->e->answer.values[0]);
}

static void check_training(network *w)
{
    const nn_model *m = w->model;
    const example *e = w->e;
    size_t bytes = (nn_state_size(&e->optimizer, m->floats) + 1) * sizeof(float);
    float *state = generated_memory(bytes);
    memset(state, 0, bytes);
    nn_group groups[] = {{"", 2, e->optimizer}, {"", 0, e->optimizer}};
    if (e->matrices > 0)
        groups[1].optimizer.weight_decay = 0;
    for (int step = 0; step < e->steps; step++) {
        double loss = (double)m->backward(w->weights, w->work, e->n, w->x, w->t, w->gradients);
        double allowed = step ? LOSSES_TOLERANCE : ANSWER_TOLERANCE;
        if (step == 0)
            compare_all(w, "the gradient of", e->gradients, e->ngradients, w->gradients, NULL, GRADIENT_TOLERANCE);
        if (!(fabs(loss - e->losses[step]) <= allowed * fabs(e->losses[0])))
            differs(w, "before step %d the loss is %.9g, PyTorch has %.9g", step + 1, loss, e->losses[step]);
        if (e->clip > 0)
            nn_clip(w->gradients, m->floats, e->clip);
        nn_step_groups(m, groups, 2, w->weights, w->gradients, state);
    }
    compare_all(w, "the way of", e->moved, e->nmoved, w->weights, w->first, MOVED_TOLERANCE);
    if (e->nmoved != m->ntensors)
        differs(w, "%d tensors, PyTorch has %d", m->ntensors, e->nmoved);
    free(state);
}

/* What was trained, through a file and back, statistics and all. */
static void check_file(network *w)
{
    char path[128];
    snprintf(path, sizeof path, SCRATCH "/%s.safetensors", w->e->name);
    float *loaded = generated_memory(w->model->params_bytes);
    memset(loaded, 0, w->model->params_bytes);
    if (nn_save(w->model, w->weights, path) != NN_OK || nn_load(w->model, loaded, path) != NN_OK)
        differs(w, "not saved and loaded: %s", nn_error(NN_EIO));
    else if (memcmp(loaded, w->weights, w->model->params_bytes) != 0)
        differs(w, "%s holds other weights than were saved", path);
    size_t size;
    char *file = file_read(path, &size), quoted[80];
    for (int i = 0; file && i < w->e->nmoved; i++) {
        snprintf(quoted, sizeof quoted, "\"%s\":", w->e->moved[i].name);
        if (!memmem(file, size, quoted, strlen(quoted)))
            differs(w, "%s lacks %s", path, quoted);
    }
    free(loaded), free(file);
}

static void check_example(const example *e, const nn_model *m, const char *options)
{
    network w = {.e = e, .model = m, .options = options};
    size_t n = (size_t)e->n;
    w.weights = generated_memory(m->params_bytes), w.first = generated_memory(m->params_bytes);
    w.gradients = generated_memory(m->params_bytes), w.work = generated_work(m);
    w.x = generated_memory(n * m->input * sizeof(float)), w.y = generated_memory(n * m->output * sizeof(float));
    w.t = generated_memory(n * m->targets * sizeof(float));
    draw_weights(&w);
    draw_samples(&w);
    memcpy(w.weights, w.first, m->params_bytes);
    check_forward(&w);
    if (m->backward) {
        check_training(&w);
        check_file(&w);
    }
    free(w.weights), free(w.first), free(w.gradients), free(w.work), free(w.x), free(w.y), free(w.t);
}

/* cc: NULL for the usual one. */
static void check_combination(const char *mode, const char *cflags, const char *cc)
{
    generated nets[MOST_EXAMPLES];
    char options[MOST_EXAMPLES][160], path[128], folder[128];
    char *text[MOST_EXAMPLES];
    unsigned char known[MOST_EXAMPLES];
    failures = 0;
    for (int i = 0; i < nexamples; i++) {
        snprintf(path, sizeof path, "examples/%.32s.nn", examples[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text[i] = file_read(path, NULL));
        snprintf(options[i], sizeof options[i], "%s %s", examples[i].options, mode);
        nets[i] = (generated){examples[i].name, text[i], options[i], cflags, NULL};
    }
    snprintf(folder, sizeof folder, SCRATCH "/%s", mode);
    for (char *c = folder; *c; c++)
        *c = *c == ' ' || *c == '=' ? '_' : *c;
    void *library = generated_build_new(folder, nets, (size_t)nexamples, cc, known);
    for (int i = 0; i < nexamples; i++) {
        failures += !nets[i].model && !known[i];
        if (nets[i].model)
            check_example(&examples[i], nets[i].model, options[i]);
        free(text[i]);
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_TRUE(nexamples > 5);
    generated_close(library);
}

/* gcc sees loops, and what the default gives; others take less time for the rest, of which gcc's optimizer sees other networks
 * in test_generated.c. Vectors are worth their compile time only where the machine has them. */
#define VECTORS GENERATED_GNU " -march=native"

static void auto_generic(void) { check_combination("--unroll=auto --target=generic", VECTORS " -O0", NULL); }
static void none_generic(void) { check_combination("--unroll=none --target=generic", GENERATED_C99 " -O0", generated_quick_cc()); }  /* as for scalar */
static void none_scalar(void)  { check_combination("--unroll=none --target=scalar", GENERATED_C99 " -O0", generated_quick_cc()); }
static void tile_scalar(void)  { check_combination("--unroll=tile --target=scalar", GENERATED_C99 " -O0", generated_quick_cc()); }
static void tile_avx2(void)    { check_combination("--unroll=tile --target=avx2", VECTORS " -O0", "clang"); }
static void auto_avx512(void)  { check_combination("--unroll=auto --target=avx512", VECTORS " -O0", "clang"); }
static void tile_neon(void)    { check_combination("--unroll=tile --target=neon", VECTORS " -O0", "clang"); }
static void inference(void)    { check_combination("--inference --target=generic", VECTORS " -O0", "clang"); }

/* MLPerf Tiny's networks have as many weights as the Keras models, which count the statistics of batchnorm among them. */
static void mlperf_tiny(void)
{
    static const struct { const char *name; int64_t weights; } models[] = {
        {"dscnn", 24908}, {"vww", 221794}, {"resnet8", 78666}, {"anomaly", 269992},
    };
    static const Options options = {.input_file = "net.nn", .output_file = "net.c", .prefix = "net"};
    CU_ASSERT_EQUAL_FATAL(networks_start(), 0);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[100];
        snprintf(path, sizeof path, "examples/%s.nn", models[i].name);
        char *text = file_read(path, NULL);
        const Net *net = text ? network_of(text, &options) : NULL;
        int64_t weights = 0;
        for (const Weight *w = net ? net->weights : NULL; w; w = w->next)
            weights += w->count;
        check_at(__FILE__, __LINE__, weights == models[i].weights, "%s: %d weights, the model has %d", path, (int)weights,
                 (int)models[i].weights);
        free(text);
        free_all();
    }
    networks_end();
}

void add_examples_suite(void)
{
    static CU_TestInfo tests[] = {
        {"unroll auto, generic", auto_generic}, {"unroll none, generic", none_generic}, {"unroll none, scalar", none_scalar},
        {"unroll tile, scalar", tile_scalar},   {"unroll tile, avx2", tile_avx2},       {"unroll auto, avx512", auto_avx512},
        {"unroll tile, neon", tile_neon},       {"inference", inference}, {"as in MLPerf Tiny", mlperf_tiny},
        CU_TEST_INFO_NULL,
    };
    add_suite("examples", start, NULL, tests);
}
