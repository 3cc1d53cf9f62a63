/* test_runtime.c: the runtime library, each half against something that is not itself.
 *
 * Optimizers are held against PyTorch's numbers (tests/torch/optimizers.ref; tests/torch/optimizers.py says what is in
 * it and how weights and gradients come about), random numbers against published ones, weight files against files of
 * another writer and against a table of broken headers. What a bad file must not change is compared bit by bit. */
#define _XOPEN_SOURCE 700
#include "nn.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFERENCE "tests/torch/optimizers.ref"
#define FOLDER "build/tests/tmp"
#define SCRATCH FOLDER "/runtime.safetensors"
#define SAVES FOLDER "/saves"

/* One assertion with a message of its own: CUnit prints only the expression. */
#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            printf("\n    "); \
            printf(__VA_ARGS__); \
        } \
        CU_ASSERT(condition); \
    } while (0)

/* ---- Optimizers ------------------------------------------------------------------------------ */

enum { N = 33, STEPS = 20, SHOWN = 8, ZERO = 5, STATE = NN_STATE_HEAD + 3 * N };

/* PyTorch fuses multiplications with additions where the processor can, so each of the 20 steps may differ in the last
 * place. Measured: at most 2.4e-7 absolute (weights up to 2) and 8e-7 of the larger of the weight and 0.1. The
 * absolute part of the bound is for weights that pass near 0. A constant 1 - beta2 taken from 0.999f itself, not from
 * 0.999, would differ by 4e-6. */
static const float RELATIVE = 2e-6f, ABSOLUTE = 2e-7f;

typedef struct optimizer_case {
    char line[512];
    nn_optimizer optimizer;
    float lr11;                  /* lr from step 11 on, 0: as before */
    float expected[STEPS][N];    /* SHOWN of them, N in the last step */
} optimizer_case;

static void start_weights(float *w)
{
    for (int i = 0; i < N; i++)
        w[i] = i == ZERO ? 0 : nn_uniform_at(1, (uint64_t)i) - 0.5f;
}

static void step_gradients(int step, float *g)
{
    static const float scale[] = {0.0625f, 0.25f, 1, 4, 16};

    for (int i = 0; i < N; i++)
        g[i] = i == ZERO ? 0 : (nn_uniform_at(2, (uint64_t)(N * step + i)) - 0.5f) * scale[i % 5];
}

static int set_field(optimizer_case *c, const char *name, double value)
{
    nn_optimizer *o = &c->optimizer;
    struct { const char *name; float *f; int *i; } fields[] = {
        {"lr", &o->lr, NULL}, {"weight_decay", &o->weight_decay, NULL}, {"momentum", &o->momentum, NULL},
        {"dampening", &o->dampening, NULL}, {"nesterov", NULL, &o->nesterov}, {"lr_decay", &o->lr_decay, NULL},
        {"initial_accumulator_value", &o->initial_accumulator_value, NULL}, {"alpha", &o->alpha, NULL},
        {"centered", NULL, &o->centered}, {"beta1", &o->beta1, NULL}, {"beta2", &o->beta2, NULL},
        {"amsgrad", NULL, &o->amsgrad}, {"decoupled", NULL, &o->decoupled}, {"eps", &o->eps, NULL},
        {"maximize", NULL, &o->maximize}, {"lr11", &c->lr11, NULL},
    };

    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++)
        if (strcmp(fields[k].name, name) == 0) {
            if (fields[k].f != NULL)
                *fields[k].f = (float)value;
            else
                *fields[k].i = (int)value;
            return 1;
        }
    return 0;
}

/* The optimizer of a line "case METHOD FIELD VALUE ...". */
static int parse_case(const char *line, optimizer_case *c)
{
    char method[32], name[32];
    double value;
    int used;

    memset(c, 0, sizeof *c);
    snprintf(c->line, sizeof c->line, "%.*s", (int)strcspn(line, "\n"), line);
    if (sscanf(line, "case %31s%n", method, &used) != 1)
        return 0;
    c->optimizer = strcmp(method, "sgd") == 0        ? nn_sgd(0)
                   : strcmp(method, "momentum") == 0 ? nn_momentum(0, 0)
                   : strcmp(method, "adagrad") == 0  ? nn_adagrad(0)
                   : strcmp(method, "rmsprop") == 0  ? nn_rmsprop(0)
                                                     : nn_adam(0);
    for (line += used; sscanf(line, "%31s %lf%n", name, &value, &used) == 2; line += used)
        if (!set_field(c, name, value))
            return 0;
    return 1;
}

/* The next case of the reference, 0 at its end. */
static int next_case(FILE *file, optimizer_case *c)
{
    static char line[16384];
    int found = 0;

    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "case ", 5) == 0;
    if (!found || !parse_case(line, c))
        return 0;
    for (int s = 0; s < STEPS; s++) {
        char *at = line;

        if (fgets(line, sizeof line, file) == NULL || strncmp(line, "step ", 5) != 0)
            return 0;
        strtol(line + 5, &at, 10);
        for (int i = 0; i < (s == STEPS - 1 ? N : SHOWN); i++)
            c->expected[s][i] = strtof(at, &at);
    }
    return 1;
}

static void compare_case(optimizer_case *c, int n, float *largest)
{
    float w[N], g[N], state[STATE] = {0};
    const float lr = c->optimizer.lr;

    start_weights(w);
    for (int s = 1; s <= STEPS; s++) {
        const int known = s == STEPS ? N : SHOWN;

        step_gradients(s, g);
        if (s == 11 && c->lr11 != 0)
            c->optimizer.lr = c->lr11;
        nn_step(&c->optimizer, w, g, nn_state_size(&c->optimizer, (size_t)n) ? state : NULL, (size_t)n);
        for (int i = 0; i < n && i < known; i++) {
            const float expected = c->expected[s - 1][i], error = fabsf(w[i] - expected);

            *largest = fmaxf(*largest, (error - ABSOLUTE) / fmaxf(fabsf(expected), FLT_MIN));
            CHECK(error <= RELATIVE * fabsf(expected) + ABSOLUTE, "%s: n %d, step %d, weight %d is %.9g, not %.9g",
                  c->line, n, s, i, w[i], expected);
        }
    }
    c->optimizer.lr = lr;
}

static void test_as_pytorch(void)
{
    static const int sizes[] = {1, 7, 8, N};
    static optimizer_case c;
    FILE *file = fopen(REFERENCE, "r");
    float largest = 0;
    int cases = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (; next_case(file, &c); cases++)
        for (int k = 0; k < 4; k++)
            compare_case(&c, sizes[k], &largest);
    fclose(file);
    CHECK(cases == 41, "%d cases read", cases);
    CHECK(largest <= RELATIVE, "largest relative difference %g", largest);
}

/* Ten steps, the state copied as bytes to elsewhere, ten more: the same bits as twenty steps. */
static void test_resume(void)
{
    static optimizer_case c;
    FILE *file = fopen(REFERENCE, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (next_case(file, &c)) {
        float w[2][N], g[N], state[2][STATE] = {{0}}, resumed_w[N], resumed[STATE];

        start_weights(w[0]);
        start_weights(w[1]);
        for (int s = 1; s <= STEPS; s++) {
            step_gradients(s, g);
            nn_step(&c.optimizer, w[0], g, state[0], N);
            nn_step(&c.optimizer, s <= 10 ? w[1] : resumed_w, g, s <= 10 ? state[1] : resumed, N);
            if (s == 10) {
                memcpy(resumed_w, w[1], sizeof w[1]);
                memcpy(resumed, state[1], sizeof state[1]);
            }
        }
        CHECK(memcmp(w[0], resumed_w, sizeof w[0]) == 0, "%s: other weights after resuming", c.line);
        CHECK(memcmp(state[0], resumed, sizeof resumed) == 0, "%s: another state after resuming", c.line);
    }
    fclose(file);
}

/* Padding: weights 0 with gradients 0, also where eps is 0 and PyTorch divides 0 by 0. */
static void test_zero_stays_zero(void)
{
    static const float zero[N];
    static optimizer_case c;
    FILE *file = fopen(REFERENCE, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (next_case(file, &c))
        for (int pass = 0; pass < 2; pass++) {
            float w[N] = {0}, state[STATE] = {0};

            for (int s = 1; s <= 5; s++)
                nn_step(&c.optimizer, w, zero, state, N);
            CHECK(memcmp(w, zero, sizeof w) == 0, "%s, eps %g: a weight of 0 moved", c.line, c.optimizer.eps);
            c.optimizer.eps = 0;
        }
    fclose(file);
}

static void test_state_size(void)
{
    nn_optimizer o = nn_sgd(0.1f);

    CU_ASSERT_EQUAL(nn_state_size(&o, 100), 0);
    o = nn_momentum(0.1f, 0.9f);
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 100);
    o = nn_adagrad(0.1f);
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 100);
    o = nn_rmsprop(0.1f);
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 100);
    o.centered = 1;
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 200);
    o.momentum = 0.9f;
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 300);
    o.centered = 0;
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 200);
    o = nn_adam(0.1f);
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 200);
    o.amsgrad = 1;
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 300);
    o.amsgrad = 0;
    o.decoupled = 1;
    CU_ASSERT_EQUAL(nn_state_size(&o, 100), NN_STATE_HEAD + 200);
}

/* nn_step keeps to its state: the floats behind nn_state_size are untouched. */
static void test_state_bounds(void)
{
    static optimizer_case c;
    FILE *file = fopen(REFERENCE, "r");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (next_case(file, &c)) {
        float w[N], g[N], state[STATE + 8] = {0};
        const size_t size = nn_state_size(&c.optimizer, N);

        start_weights(w);
        for (size_t i = size; i < STATE + 8; i++)
            state[i] = 77;
        for (int s = 1; s <= 3; s++) {
            step_gradients(s, g);
            nn_step(&c.optimizer, w, g, state, N);
        }
        for (size_t i = size; i < STATE + 8; i++)
            CHECK(state[i] == 77, "%s: wrote float %zu of %zu", c.line, i, size);
    }
    fclose(file);
}

/* A gradient that never changes leaves no variance but rounding; the root must not see less than 0. */
static void test_centered_constant(void)
{
    nn_optimizer o = nn_rmsprop(0.01f);
    float w[3] = {0, 0, 0}, state[NN_STATE_HEAD + 6] = {0};
    const float g[3] = {0.1f, 1.7f, 33.3f};

    o.centered = 1;
    o.alpha = 0.5f;
    for (int s = 0; s < 200; s++)
        nn_step(&o, w, g, state, 3);
    for (int i = 0; i < 3; i++)
        CHECK(w[i] == w[i], "weight %d is NaN", i);
}

/* ---- Random numbers and initialisation ------------------------------------------------------- */

/* The library's steps, for the widest vectors that this machine has, and the same source as plain C: the same bits. */
static void test_widths(void)
{
    static const int sizes[] = {1, 7, 64, 1003};
    nn_optimizer all[] = {nn_sgd(0.1f), nn_momentum(0.1f, 0.9f), nn_adagrad(0.1f), nn_rmsprop(0.1f), nn_rmsprop(0.1f),
                          nn_rmsprop(0.1f), nn_adam(0.1f), nn_adam(0.1f)};
    enum { MOST = 1003, ALL = sizeof all / sizeof *all };
    static float weights[2][MOST], state[2][NN_STATE_HEAD + 3 * MOST], gradients[MOST];
    void (*step)(const nn_optimizer *, float *, const float *, float *, size_t);
    void *library, *symbol;

    folder_make(FOLDER "/widths");
    CU_ASSERT_EQUAL_FATAL(system("gcc -std=c99 -O1 -ffp-contract=off -DWIDTHS= -shared -fPIC -Iruntime runtime/optimizer.c"
                                 " -o " FOLDER "/widths/plain.so -lm"), 0);
    library = dlopen(FOLDER "/widths/plain.so", RTLD_NOW | RTLD_LOCAL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(library);
    symbol = dlsym(library, "nn_step");
    CU_ASSERT_PTR_NOT_NULL_FATAL(symbol);
    memcpy(&step, &symbol, sizeof step);
    all[1].nesterov = 1;
    all[4].centered = 1;
    all[5].momentum = 0.9f;
    all[7].amsgrad = 1;
    for (size_t o = 0; o < ALL; o++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            size_t n = (size_t)sizes[k], floats = nn_state_size(&all[o], n);
            uint64_t rng = 5;
            all[o].weight_decay = 0.01f;
            for (size_t i = 0; i < n; i++)
                weights[0][i] = weights[1][i] = nn_uniform(&rng) - 0.5f;
            memset(state, 0, sizeof state);
            for (int times = 0; times < 3; times++) {
                for (size_t i = 0; i < n; i++)
                    gradients[i] = nn_uniform(&rng) - 0.5f;
                nn_step(&all[o], weights[0], gradients, state[0], n);
                step(&all[o], weights[1], gradients, state[1], n);
            }
            CU_ASSERT(!memcmp(weights[0], weights[1], n * sizeof **weights));
            CU_ASSERT(!memcmp(state[0], state[1], floats * sizeof **state));
        }
    dlclose(library);
}

static void test_bits(void)
{
    /* The first numbers from seed 1234567, as the algorithm's users publish them, and from seed 0. */
    static const uint64_t golden[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                      4593380528125082431u, 16408922859458223821u};
    uint64_t rng = 1234567;

    for (uint64_t k = 0; k < 5; k++) {
        CU_ASSERT_EQUAL(nn_bits_at(1234567, k), golden[k]);
        CU_ASSERT_EQUAL(nn_bits(&rng), golden[k]);
    }
    CU_ASSERT_EQUAL(nn_bits_at(0, 0), 0xe220a8397b1dcdafu);
    CU_ASSERT_EQUAL(nn_bits_at(0, 1), 0x6e789e6aa1b965f4u);
}

static void test_uniform_and_normal(void)
{
    enum { MANY = 200000 };
    uint64_t rng = 3, same = 3;
    double sum = 0, squares = 0, fourth = 0;

    for (uint64_t k = 0; k < MANY; k++) {
        float u = nn_uniform(&rng);

        CU_ASSERT(u >= 0 && u < 1 && u * 16777216.0f == floorf(u * 16777216.0f));
        CU_ASSERT(u == nn_uniform_at(3, k));
        sum += u;
        squares += (double)u * u;
        nn_bits(&same);
    }
    CU_ASSERT_EQUAL(rng, same);
    CU_ASSERT_DOUBLE_EQUAL(sum / MANY, 0.5, 0.003); /* 4.6 standard deviations */
    CU_ASSERT_DOUBLE_EQUAL(squares / MANY, 1.0 / 3, 0.003);

    sum = squares = 0;
    for (int k = 0; k < MANY; k++) {
        double z = nn_normal(&rng);

        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
    }
    for (int k = 0; k < 2 * MANY; k++)
        nn_bits(&same);
    CU_ASSERT_EQUAL(rng, same);
    CU_ASSERT_DOUBLE_EQUAL(sum / MANY, 0, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(squares / MANY, 1, 0.015);
    CU_ASSERT_DOUBLE_EQUAL(fourth / MANY, 3, 0.12);
}

static void test_shuffle(void)
{
    static const int sizes[] = {0, 1, 2, 3, 17, 1000};
    int order[1000], seen[1000], counts[6] = {0};
    uint64_t rng = 4;

    for (int k = 0; k < 6; k++) {
        memset(seen, 0, sizeof seen);
        nn_shuffle(&rng, order, sizes[k]);
        for (int i = 0; i < sizes[k]; i++)
            if (order[i] >= 0 && order[i] < sizes[k])
                seen[order[i]]++;
        for (int i = 0; i < sizes[k]; i++)
            CHECK(seen[i] == 1, "n %d: %d occurs %d times", sizes[k], i, seen[i]);
    }
    for (int k = 0; k < 6000; k++) { /* each of the 6 orders of 3 as often as the others */
        nn_shuffle(&rng, order, 3);
        counts[2 * order[0] + (order[1] > order[2])]++;
    }
    for (int k = 0; k < 6; k++)
        CHECK(counts[k] > 850 && counts[k] < 1150, "order %d occurs %d times of 6000", k, counts[k]);
}

/* A model by hand: three tensors with padding between them, one constant behind what the optimizer sees. */
static const nn_tensor tensors[] = {
    {"conv1.weight", 4, {2, 3, 2, 1}, 0, 12, -0.25f, 0.25f, {0}, {0}, 0},
    {"conv1.bias", 1, {2}, 16, 2, 0.5f, 0.75f, {0}, {0}, 0},
    {"odd \"name\"\\\t\xc3\xbc", 2, {3, 1}, 24, 3, -3, -1, {0}, {0}, 0},
    {"batchnorm1.running_var", 1, {5}, 32, 5, 1, 1, {0}, {0}, 0},
};

enum { FLOATS = 40 };

static const nn_model model = {.name = "hand", .params = 17, .floats = 32, .params_bytes = FLOATS * sizeof(float),
                               .ntensors = 4, .tensors = tensors};

static int is_padding(size_t i)
{
    for (int t = 0; t < model.ntensors; t++)
        if (i >= tensors[t].offset && i < tensors[t].offset + tensors[t].count)
            return 0;
    return 1;
}

static void test_init(void)
{
    float a[FLOATS], b[FLOATS], wide[1000] = {0}, low = 1, high = -1;
    const nn_tensor many = {"w", 1, {1000}, 0, 1000, -0.1f, 0.1f, {0}, {0}, 0}, narrow = {"w", 1, {1000}, 0, 1000, 1, 1.0000001f, {0}, {0}, 0};
    nn_model one = {.params_bytes = sizeof wide, .ntensors = 1, .tensors = &many};

    memset(a, 0xff, sizeof a);
    memset(b, 0x11, sizeof b);
    nn_init(&model, a, 42);
    nn_init(&model, b, 42);
    CU_ASSERT(memcmp(a, b, sizeof a) == 0);
    for (int t = 0; t < model.ntensors; t++)
        for (size_t i = tensors[t].offset; i < tensors[t].offset + tensors[t].count; i++)
            CHECK(a[i] >= tensors[t].low && (a[i] < tensors[t].high || tensors[t].low == tensors[t].high),
                  "%s: %g", tensors[t].name, a[i]);
    for (size_t i = 0; i < FLOATS; i++)
        if (is_padding(i))
            CHECK(a[i] == 0 && !signbit(a[i]), "padding %zu is %g", i, a[i]);
    CU_ASSERT_EQUAL(a[0], -0.25f + 0.5f * nn_uniform_at(42, 0)); /* exact: multiples of 2^-25 */
    CU_ASSERT_EQUAL(a[36], 1);
    nn_init(&model, b, 43);
    CU_ASSERT(memcmp(a, b, sizeof a) != 0);

    nn_init(&one, wide, 7);
    for (int i = 0; i < 1000; i++) {
        low = fminf(low, wide[i]);
        high = fmaxf(high, wide[i]);
    }
    CU_ASSERT(low >= -0.1f && low < -0.099f && high < 0.1f && high > 0.099f);
    one.tensors = &narrow; /* an interval that rounding would leave */
    nn_init(&one, wide, 7);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT(wide[i] == 1);
}

/* ---- Weight files ---------------------------------------------------------------------------- */

static size_t read_file(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t n = file == NULL ? 0 : fread(bytes, 1, room, file);

    if (file != NULL)
        fclose(file);
    return n;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static float from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_round_trip(void)
{
    static const uint32_t special[] = {0x80000000u, 0x00000001u, 0x807fffffu, 0x7f800000u, 0xff800000u,
                                       0x7fc00000u, 0x7f800001u, 0xffc12345u, 0x7f7fffffu, 0x3f800001u};
    float saved[FLOATS], loaded[FLOATS];

    nn_init(&model, saved, 5);
    for (size_t i = 0; i < 10; i++)
        saved[i] = from_bits(special[i]);
    for (size_t i = 0; i < FLOATS; i++)
        loaded[i] = 99;
    CU_ASSERT_EQUAL(nn_save(&model, saved, SCRATCH), NN_OK);
    CU_ASSERT_EQUAL(nn_load(&model, loaded, SCRATCH), NN_OK);
    for (size_t i = 0; i < FLOATS; i++)
        if (is_padding(i))
            CHECK(loaded[i] == 99, "padding %zu was written", i);
        else
            CHECK(memcmp(&saved[i], &loaded[i], sizeof(float)) == 0, "float %zu: %g became %g", i, saved[i], loaded[i]);
}

/* ---- Layouts ------------------------------------------------------------------------------------ */

/* The same tensors twice: row-major, and as nets for vectors lie: axes exchanged, padded, split, of extent 1. */
enum { LAID_OUT = 300 };
static const nn_tensor plain_tensors[] = {
    {"conv1.weight", 4, {5, 3, 2, 1}, 0, 30, -0.5f, 0.5f, {0}, {0}, 0},
    {"conv1.bias", 1, {5}, 32, 5, -0.25f, 0.25f, {0}, {0}, 0},
    {"fc1.weight", 2, {3, 12}, 40, 36, -1, 1, {0}, {0}, 0},
    {"fc2.weight", 2, {1, 3}, 80, 3, -1, 2, {0}, {0}, 0},
};
static const nn_tensor laid_tensors[] = {
    {"conv1.weight", 4, {5, 3, 2, 1}, 0, 30, -0.5f, 0.5f, {5, 3, 2, 1}, {1, 8, 24, 48}, 0}, /* [KH][KW][I][O], O padded to 8 */
    {"conv1.bias", 1, {5}, 48, 5, -0.25f, 0.25f, {5, 1, 1, 1}, {1, 0, 0, 0}, 0},
    {"fc1.weight", 2, {3, 12}, 64, 36, -1, 1, {3, 2, 3, 2}, {1, 8, 32, 16}, 0},             /* O; C, H, W of what comes in */
    {"fc2.weight", 2, {1, 3}, 280, 3, -1, 2, {1, 3, 1, 1}, {1, 8, 0, 0}, 0},
};
static const nn_model plain_model = {.params_bytes = LAID_OUT * sizeof(float), .ntensors = 4, .tensors = plain_tensors};
static const nn_model laid_model = {.params_bytes = LAID_OUT * sizeof(float), .ntensors = 4, .tensors = laid_tensors};

static void check_same(const float *plain, const float *laid, const char *what)
{
    char used[LAID_OUT] = {0};
    for (int t = 0; t < 4; t++) {
        float a[64], b[64];
        nn_get(&plain_tensors[t], plain, a);
        nn_get(&laid_tensors[t], laid, b);
        CHECK(memcmp(a, plain + plain_tensors[t].offset, plain_tensors[t].count * sizeof *a) == 0, "%s: row-major", what);
        CHECK(memcmp(a, b, plain_tensors[t].count * sizeof *a) == 0, "%s: %s differs", what, plain_tensors[t].name);
        for (size_t k = 0; k < laid_tensors[t].count; k++) {
            size_t at = nn_place(&laid_tensors[t], k);
            CHECK(at < LAID_OUT && !used[at], "%s: %s has element %zu at %zu", what, laid_tensors[t].name, k, at);
            used[at % LAID_OUT] = 1;
        }
    }
    for (size_t i = 0; i < LAID_OUT; i++)
        CHECK(used[i] || laid[i] == 0, "%s: padding %zu is %g", what, i, laid[i]);
}

static void test_layouts(void)
{
    static float plain[LAID_OUT], laid[LAID_OUT], again[LAID_OUT];
    CU_ASSERT_EQUAL(nn_place(&laid_tensors[0], 0), 0);
    CU_ASSERT_EQUAL(nn_place(&laid_tensors[0], 1), 24);           /* [0][0][1][0] */
    CU_ASSERT_EQUAL(nn_place(&laid_tensors[0], 29), 4 + 2 * 8 + 24);
    CU_ASSERT_EQUAL(nn_place(&laid_tensors[2], 12 + 6 + 2 + 1), 64 + 1 + 8 + 32 + 16); /* o 1, c 1, h 1, w 1 */
    CU_ASSERT_PTR_NULL(nn_find(&laid_model, "conv1.weigh"));
    CU_ASSERT_PTR_EQUAL(nn_find(&laid_model, "fc1.weight"), &laid_tensors[2]);
    nn_init(&plain_model, plain, 9);
    nn_init(&laid_model, laid, 9);
    check_same(plain, laid, "init");
    for (int t = 0; t < 4; t++) {
        float values[64];
        for (size_t k = 0; k < plain_tensors[t].count; k++)
            values[k] = (float)(100 * t) + (float)k;
        nn_set(&plain_tensors[t], plain, values);
        nn_set(&laid_tensors[t], laid, values);
    }
    check_same(plain, laid, "set");
    static unsigned char a[2000], b[2000];
    CU_ASSERT_EQUAL(nn_save(&plain_model, plain, SCRATCH), NN_OK);
    size_t size = read_file(SCRATCH, a, sizeof a);
    CU_ASSERT_EQUAL(nn_load(&laid_model, again, SCRATCH), NN_OK);
    CU_ASSERT_EQUAL(nn_save(&laid_model, laid, SCRATCH), NN_OK);
    CU_ASSERT(size > 300 && size < sizeof a && read_file(SCRATCH, b, sizeof b) == size && memcmp(a, b, size) == 0);
    check_same(plain, again, "load");
}

/* Once a mark says that net_prepare has written over them, the tensors can be neither read, nor written, nor saved. */
static size_t compose(unsigned char *bytes, const char *header, size_t data);

static void test_prepared(void)
{
    static const nn_tensor one[] = {{"a", 1, {3}, 0, 3, 0, 0, {0}, {0}, 5}};
    static const nn_model small = {.params_bytes = 8 * sizeof(float), .ntensors = 1, .tensors = one};
    const float from[3] = {1, 2, 3};
    const uint32_t mark = NN_PREPARED;
    unsigned char bytes[64];
    float params[8] = {0}, to[3] = {0};

    CU_ASSERT_EQUAL(nn_set(one, params, from), NN_OK);
    CU_ASSERT(nn_get(one, params, to) == NN_OK && memcmp(to, from, sizeof to) == 0);
    CU_ASSERT(nn_save(&small, params, SCRATCH) == NN_OK && !nn_is_prepared(one, params));
    memcpy(&params[4], &mark, sizeof mark);
    CU_ASSERT(nn_is_prepared(one, params));
    CU_ASSERT(nn_get(one, params, to) == NN_EPREPARED && isnan(to[0]) && isnan(to[1]) && isnan(to[2]));
    CU_ASSERT(nn_set(one, params, to) == NN_EPREPARED && memcmp(params, from, sizeof from) == 0);
    CU_ASSERT_EQUAL(nn_save(&small, params, SCRATCH), NN_EPREPARED);
    CU_ASSERT(strstr(nn_error(NN_EPREPARED), "save from a build without --inference") != NULL);
    write_file(SCRATCH, bytes, compose(bytes, "{}", 0));
    CU_ASSERT_EQUAL(nn_load_with(&small, params, SCRATCH, NN_LOAD_FEWER, NULL, NULL), NN_EPREPARED);
    CU_ASSERT(strstr(nn_error(NN_EPREPARED), "clear the params before") != NULL);
    params[4] = 0;
    CU_ASSERT_EQUAL(nn_load_with(&small, params, SCRATCH, NN_LOAD_FEWER, NULL, NULL), NN_OK);
    remove(SCRATCH);
}

/* The bytes of a file, so that it is known what others get to read. */
static void test_written_bytes(void)
{
    static const nn_tensor two[] = {{"a\"\\\x01", 2, {2, 1}, 1, 2, 0, 0, {0}, {0}, 0}, {"b", 1, {1}, 4, 1, 0, 0, {0}, {0}, 0}};
    static const nn_model small = {.params_bytes = 5 * sizeof(float), .ntensors = 2, .tensors = two};
    static const float params[] = {9, 1, -2, 9, 0.5f};
    static const char text[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                               "\"a\\\"\\\\\\u0001\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                               "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
    static const unsigned char data[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f};
    const size_t length = sizeof text - 1, padded = (length + 7) / 8 * 8;
    unsigned char bytes[512];
    float loaded[5] = {0};

    CU_ASSERT_EQUAL(nn_save(&small, params, SCRATCH), NN_OK);
    CU_ASSERT_EQUAL_FATAL(read_file(SCRATCH, bytes, sizeof bytes), 8 + padded + sizeof data);
    CU_ASSERT_EQUAL(bytes[0], padded);
    CU_ASSERT(memcmp(bytes + 1, "\0\0\0\0\0\0\0", 7) == 0);
    CU_ASSERT(memcmp(bytes + 8, text, length) == 0);
    for (size_t i = length; i < padded; i++)
        CU_ASSERT_EQUAL(bytes[8 + i], ' ');
    CU_ASSERT(memcmp(bytes + 8 + padded, data, sizeof data) == 0);
    CU_ASSERT_EQUAL(nn_load(&small, loaded, SCRATCH), NN_OK);
    CU_ASSERT(loaded[0] == 0 && loaded[1] == 1 && loaded[2] == -2 && loaded[3] == 0 && loaded[4] == 0.5f);
}

/* Files that tests/torch/optimizers.py wrote. */
static void test_files_of_others(void)
{
    static const nn_tensor fc[] = {{"fc1.weight", 2, {2, 3}, 0, 6, 0, 0, {0}, {0}, 0}, {"fc1.bias", 1, {2}, 8, 2, 0, 0, {0}, {0}, 0}};
    static const nn_model small = {.params_bytes = 10 * sizeof(float), .ntensors = 2, .tensors = fc};
    static const float expected[] = {1, -2.5f, 3.25f, 1e-40f, -0.0f, 3e38f, 0, 0, 0.5f, INFINITY};
    static char line[16384];
    FILE *file = fopen(REFERENCE, "r");
    int files = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    while (fgets(line, sizeof line, file) != NULL) {
        static unsigned char bytes[4096];
        float loaded[10] = {0};
        char name[32];
        unsigned byte;
        size_t n = 0;
        int used;

        if (sscanf(line, "file %31s%n", name, &used) != 1)
            continue;
        for (const char *at = line + used + 1; n < sizeof bytes && sscanf(at, "%2x", &byte) == 1; at += 2)
            bytes[n++] = (unsigned char)byte;
        write_file(SCRATCH, bytes, n);
        CHECK(nn_load(&small, loaded, SCRATCH) == NN_OK, "%s: %s", name, nn_error(NN_EFORMAT));
        CHECK(memcmp(loaded, expected, sizeof loaded) == 0, "%s: other numbers", name);
        files++;
    }
    fclose(file);
    CU_ASSERT_EQUAL(files, 2);
}

/* The model of the next tests: a [2,2] and b [3], 28 bytes of data. */
static const nn_tensor ab_tensors[] = {{"a", 2, {2, 2}, 0, 4, 0, 0, {0}, {0}, 0}, {"b", 1, {3}, 5, 3, 0, 0, {0}, {0}, 0}};
static const nn_model ab = {.params_bytes = 8 * sizeof(float), .ntensors = 2, .tensors = ab_tensors};

/* A file of a header, ' standing for ", and bytes of data 0, 1, 2, ... Returns its length. */
static size_t compose(unsigned char *bytes, const char *header, size_t data)
{
    const size_t n = strlen(header);

    memset(bytes, 0, 8);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(n >> 8 * i);
    for (size_t i = 0; i < n; i++)
        bytes[8 + i] = (unsigned char)(header[i] == '\'' ? '"' : header[i]);
    for (size_t i = 0; i < data; i++)
        bytes[8 + n + i] = (unsigned char)i;
    return 8 + n + data;
}

/* Loads SCRATCH into the model ab; the params must then be all as before, or those of the file's bytes a and b. */
static int load_whole(const unsigned char *a, const unsigned char *b)
{
    float params[8], before[8];
    int error;

    for (int i = 0; i < 8; i++)
        params[i] = before[i] = 1000.0f + (float)i;
    error = nn_load(&ab, params, SCRATCH);
    if (error != NN_OK) {
        CU_ASSERT(memcmp(params, before, sizeof params) == 0);
    } else {
        CU_ASSERT(memcmp(params, a, 16) == 0 && memcmp(params + 5, b, 12) == 0);
        CU_ASSERT(params[4] == before[4]);
    }
    return error;
}

#define A "'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0,16]}"
#define B "'b':{'dtype':'F32','shape':[3],'data_offsets':[16,28]}"

static void test_good_headers(void)
{
    static const struct { const char *header; int a, b, data; } good[] = {
        {"{" A "," B "}", 0, 16, 28},
        {"{" A "," B "}     ", 0, 16, 28},
        {"{" B "," A "}", 0, 16, 28},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[12,28]},"
         "'b':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}}", 12, 0, 28},
        {"{'__metadata__':{}," A "," B "}", 0, 16, 28},
        {"{" A ",'__metadata__':{'format':'pt','x':''}," B "}", 0, 16, 28},
        {"{ \n\t'a' : { 'shape' : [ 2 , 2 ] , 'data_offsets' : [ 0 , 16 ] , 'dtype' : 'F32' } ,\r\n" B " }", 0, 16, 28},
        {"{'\\u0061':{'\\u0064type':'\\u00463\\u0032','shape':[2,2],'data_offsets':[0,16]}," B "}", 0, 16, 28},
        {"{'__metadata__':{'\\uD83D\\uDE00\\n\\/\\\\\\'':'\xf0\x9f\x98\x80\xc3\xbc\xe2\x82\xac'}," A "," B "}",
         0, 16, 28},
        {"{" A "," B ",'bn1.num_batches_tracked':{'dtype':'I64','shape':[],'data_offsets':[28,36]}}", 0, 16, 36},
        {"{'bn1.num_batches_tracked':{'dtype':'I64','shape':[0,3],'data_offsets':[0,0]}," A "," B "}", 0, 16, 28},
    };
    unsigned char bytes[1024];

    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        const size_t n = compose(bytes, good[k].header, (size_t)good[k].data);
        const unsigned char *data = bytes + n - good[k].data;
        int error;

        write_file(SCRATCH, bytes, n);
        error = load_whole(data + good[k].a, data + good[k].b);
        CHECK(error == NN_OK, "%s: %s", good[k].header, nn_error(error));
    }
}

static void test_bad_headers(void)
{
    static const struct { const char *header; int data, error; const char *message; } bad[] = {
        /* text */
        {"", 28, NN_EFORMAT, "byte 0 of the header: expected '{'"},
        {" {" A "," B "}", 28, NN_EFORMAT, "expected '{'"},
        {"[" A "," B "]", 28, NN_EFORMAT, "expected '{'"},
        {"{", 0, NN_EFORMAT, "expected '\"'"},
        {"{" A "," B, 28, NN_EFORMAT, "expected '}'"},
        {"{" A " " B "}", 28, NN_EFORMAT, "expected '}'"},
        {"{" A "," B ",}", 28, NN_EFORMAT, "expected '\"'"},
        {"{" A "," B "}\n", 28, NN_EFORMAT, "only spaces"},
        {"{" A "," B "}{}", 28, NN_EFORMAT, "only spaces"},
        {"{" A "," B "} x", 28, NN_EFORMAT, "only spaces"},
        {"{a:1}", 28, NN_EFORMAT, "expected '\"'"},
        {"{'a' {}}", 28, NN_EFORMAT, "expected ':'"},
        {"{'a", 28, NN_EFORMAT, "expected '\"'"},
        {"{'a\\", 28, NN_EFORMAT, "unknown escape"},
        {"{'\\x'", 28, NN_EFORMAT, "unknown escape"},
        {"{'\\u12", 28, NN_EFORMAT, "four hexadecimal digits"},
        {"{'\\u12g4':1}", 28, NN_EFORMAT, "four hexadecimal digits"},
        {"{'\\ud800':1}", 28, NN_EFORMAT, "surrogate"},
        {"{'\\udc00':1}", 28, NN_EFORMAT, "surrogate"},
        {"{'\\ud800\\u0041':1}", 28, NN_EFORMAT, "surrogate"},
        {"{'\\ud800\\u", 28, NN_EFORMAT, "four hexadecimal digits"},
        {"{'a\nb':1}", 28, NN_EFORMAT, "control character"},
        {"{'\x80':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xc0\xaf':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xe0\x80\x80':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xed\xa0\x80':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xf4\x90\x80\x80':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xff':1}", 28, NN_EFORMAT, "not UTF-8"},
        {"{'\xf0\x9f\x98", 28, NN_EFORMAT, "not UTF-8"},
        /* an entry */
        {"{'a':1}", 28, NN_EFORMAT, "expected '{'"},
        {"{'a':[[[[[[[[[[[[[[[[[[[[", 28, NN_EFORMAT, "expected '{'"},
        {"{'a':{{{{{{{{{{{{{{{{{{{{", 28, NN_EFORMAT, "expected '\"'"},
        {"{'a':{'shape':[[2,2]],'dtype':'F32'}}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':{'dtype':'F32'}}}", 28, NN_EFORMAT, "expected '\"'"},
        {"{'a':{}}", 28, NN_EFORMAT, "expected '\"'"},
        {"{'a':{'dtype':'F32','data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "a has no \"shape\""},
        {"{'a':{'dtype':'F32','shape':[2,2]}," B "}", 28, NN_EFORMAT, "a has no \"data_offsets\""},
        {"{'a':{'shape':[2,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "a has no \"dtype\""},
        {"{'a':{'dtype':'F32','dtype':'F32','shape':[2,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT,
         "a has \"dtype\" twice"},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0,16],'more':1}," B "}", 28, NN_EFORMAT,
         "unknown key \"more\""},
        {"{'a':{'dtype':'F31','shape':[2,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "unknown dtype \"F31\""},
        {"{'a':{'dtype':3,'shape':[2,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "expected '\"'"},
        {"{" A "," A "," B "}", 28, NN_EFORMAT, "has \"a\" twice"},
        {"{" A ",'\\u0061':{'dtype':'F32','shape':[2,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT,
         "has \"a\" twice"},
        /* numbers */
        {"{'a':{'dtype':'F32','shape':[-2,-2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[2.0,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[2e0,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[1E3,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[02,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "needless 0"},
        {"{'a':{'dtype':'F32','shape':['2',2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[null,2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[2,],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "whole number"},
        {"{'a':{'dtype':'F32','shape':[2 2],'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "expected ']'"},
        {"{'a':{'dtype':'F32','shape':2,'data_offsets':[0,16]}," B "}", 28, NN_EFORMAT, "expected '['"},
        {"{'a':{'dtype':'F32','shape':[123456789012345678901234567890],'data_offsets':[0,16]}}", 28, NN_EFORMAT,
         "the number is too large"},
        {"{'a':{'dtype':'F32','shape':[18446744073709551616],'data_offsets':[0,16]}}", 28, NN_EFORMAT,
         "the number is too large"},
        {"{'a':{'dtype':'F32','shape':[18446744073709551615],'data_offsets':[0,16]}}", 28, NN_EFORMAT, "does not take"},
        {"{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,16]}}", 28, NN_EFORMAT,
         "the shape of a is too large"},
        {"{'a':{'dtype':'F32','shape':[4611686018427387905],'data_offsets':[0,4]}}", 28, NN_EFORMAT, "does not take"},
        /* where the data lies */
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0]}," B "}", 28, NN_EFORMAT, "expected ','"},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0,16,16]}," B "}", 28, NN_EFORMAT, "expected ']'"},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[16,0]}," B "}", 28, NN_EFORMAT, "lies at bytes 16 to 0"},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[0,12]}," B "}", 28, NN_EFORMAT, "does not take 12 bytes"},
        {"{" A "," B "}", 27, NN_EFORMAT, "b lies at bytes 16 to 28 of 27"},
        {"{" A "," B "}", 29, NN_EFORMAT, "1 bytes behind the last tensor"},
        {"{" A "}", 28, NN_EFORMAT, "12 bytes behind the last tensor"},
        {"{}", 28, NN_EFORMAT, "28 bytes behind"},
        {"{" A ",'b':{'dtype':'F32','shape':[3],'data_offsets':[20,32]}}", 32, NN_EFORMAT,
         "b begins at byte 20, but the tensors before it end at 16"},
        {"{" A ",'b':{'dtype':'F32','shape':[3],'data_offsets':[12,24]}}", 24, NN_EFORMAT,
         "b begins at byte 12, but the tensors before it end at 16"},
        {"{'a':{'dtype':'F32','shape':[2,2],'data_offsets':[4,20]},"
         "'b':{'dtype':'F32','shape':[3],'data_offsets':[20,32]}}",
         32, NN_EFORMAT, "a begins at byte 4"},
        /* metadata */
        {"{'__metadata__':{'x':1}," A "," B "}", 28, NN_EFORMAT, "expected '\"'"},
        {"{'__metadata__':{'x':{}}," A "," B "}", 28, NN_EFORMAT, "expected '\"'"},
        {"{'__metadata__':null," A "," B "}", 28, NN_EFORMAT, "expected '{'"},
        {"{'__metadata__':'x'," A "," B "}", 28, NN_EFORMAT, "expected '{'"},
        {"{'__metadata__':{'x':'y'", 0, NN_EFORMAT, "expected '}'"},
        {"{'__metadata__':{'x':'y','z':'','x':'y'}," A "," B "}", 28, NN_EFORMAT, "has \"x\" twice"},
        {"{'__metadata__':{},'__metadata__':{}," A "," B "}", 28, NN_EFORMAT, "has \"__metadata__\" twice"},
        /* another network's */
        {"{}", 0, NN_EMODEL, "a is in the network, but not in the file"},
        {"{" A "}", 16, NN_EMODEL, "b is in the network, but not in the file"},
        {"{" A "," B ",'c':{'dtype':'F32','shape':[],'data_offsets':[28,32]}}", 32, NN_EMODEL,
         "c is in the file, but not in the network"},
        {"{" A ",'b':{'dtype':'F32','shape':[1,3],'data_offsets':[16,28]}}", 28, NN_EMODEL,
         "b has shape [1, 3] in the file, [3] in the network"},
        {"{" A ",'b':{'dtype':'F32','shape':[2],'data_offsets':[16,24]}}", 24, NN_EMODEL,
         "b has shape [2] in the file, [3] in the network"},
        {"{" A ",'b':{'dtype':'F32','shape':[3,1,1,1,1],'data_offsets':[16,28]}}", 28, NN_EMODEL,
         "b has shape [3, 1, 1, 1, ...] in the file"},
        {"{" A ",'b':{'dtype':'I32','shape':[3],'data_offsets':[16,28]}}", 28, NN_EMODEL,
         "b has dtype I32 in the file, F32 in the network"},
        {"{" A ",'b':{'dtype':'F16','shape':[3],'data_offsets':[16,28]}}", 28, NN_EFORMAT, "does not take 12 bytes"},
        {"{" A "," B ",'.num_batches_tracked':{'dtype':'I64','shape':[],'data_offsets':[28,36]}}", 36, NN_EMODEL,
         "is in the file, but not in the network"},
        {"{'\\u001b[31m':{'dtype':'U8','shape':[],'data_offsets':[0,1]}}", 1, NN_EMODEL, ": \\u001B[31m is in the file"},
    };
    unsigned char bytes[1024];

    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        int error;

        write_file(SCRATCH, bytes, compose(bytes, bad[k].header, (size_t)bad[k].data));
        error = load_whole(bytes, bytes);
        CHECK(error == bad[k].error, "%s: error %d, not %d (%s)", bad[k].header, error, bad[k].error, nn_error(error));
        CHECK(strstr(nn_error(error), bad[k].message) != NULL, "%s: \"%s\" lacks \"%s\"", bad[k].header,
              nn_error(error), bad[k].message);
        CHECK(strncmp(nn_error(error), SCRATCH ": ", strlen(SCRATCH ": ")) == 0, "no file in \"%s\"", nn_error(error));
    }
}

/* The length in front, a NUL in the text, and what is not a file of weights at all. */
static void test_bad_files(void)
{
    static const struct { unsigned char length[8]; const char *message; } bad[] = {
        {{29, 0, 0, 0, 0, 0, 0, 0}, "a header of 29 bytes in a file of 36"},
        {{0, 0xe1, 0xf5, 5, 0, 0, 0, 0}, "a header of 100000000 bytes in a file of 36"},
        {{1, 0xe1, 0xf5, 5, 0, 0, 0, 0}, "a header of 100000001 bytes, at most 100000000"},
        {{255, 255, 255, 255, 255, 255, 255, 255}, "a header of 18446744073709551615 bytes"},
        {{0, 0, 0, 0, 0, 0, 0, 128}, "a header of 9223372036854775808 bytes"},
    };
    unsigned char bytes[512];
    size_t n;

    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        memset(bytes, ' ', sizeof bytes);
        memcpy(bytes, bad[k].length, 8);
        write_file(SCRATCH, bytes, 36);
        CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EFORMAT);
        CHECK(strstr(nn_error(NN_EFORMAT), bad[k].message) != NULL, "\"%s\" lacks \"%s\"", nn_error(NN_EFORMAT),
              bad[k].message);
    }
    n = compose(bytes, "{" A "," B "}    ", 28);
    for (size_t i = 8; i < n - 28; i++) {
        const unsigned char old = bytes[i];

        bytes[i] = 0;
        write_file(SCRATCH, bytes, n);
        CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EFORMAT);
        bytes[i] = old;
    }
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, FOLDER), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), FOLDER ": it is a folder; give the path of a file");
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, FOLDER "/none"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), FOLDER "/none: cannot open: No such file or directory; check the path");
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, "/dev/null"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), "/dev/null: it is a device or a pipe; give the path of an ordinary file");
    CU_ASSERT_STRING_EQUAL(nn_error(NN_OK), "no error");
    for (int error = -1; error < 10; error++)
        CU_ASSERT_PTR_NOT_NULL(nn_error(error));
}

/* What _Float16 is in this compiler's arithmetic, by scaling alone: sign, exponent, fraction. */
static float value_of_half(unsigned bits)
{
    const int exponent = bits >> 10 & 31;
    const float fraction = (float)(bits & 0x3ff) / 1024, sign = bits & 0x8000 ? -1.0f : 1.0f;

    if (exponent == 31)
        return fraction > 0 ? NAN : sign * INFINITY;
    return sign * (exponent > 0 ? ldexpf(1 + fraction, exponent - 15) : ldexpf(fraction, -14));
}

/* One tensor of all 65536 numbers of two bytes, as F16 and as BF16; and doubles. */
static void test_other_numbers(void)
{
    enum { MANY = 65536 };
    static const double wide[] = {0, -0.0, 1.0 / 3, -1e300, 1e-300, 3.4028235677973366e38, NAN, 1 + 1.0 / (1 << 24)};
    static const float narrow[] = {0, -0.0f, 1.0f / 3, -INFINITY, 0, INFINITY, NAN, 1};
    static unsigned char bytes[200 + 2 * MANY];
    static float loaded[MANY];
    const nn_tensor many = {"a", 1, {MANY}, 0, MANY, 0, 0, {0}, {0}, 0}, few = {"a", 1, {8}, 0, 8, 0, 0, {0}, {0}, 0};
    nn_model m = {.params_bytes = sizeof loaded, .ntensors = 1, .tensors = &many};
    size_t n;

    for (int brain = 0; brain < 2; brain++) {
        char header[128];

        snprintf(header, sizeof header, "{'a':{'dtype':'%s','shape':[65536],'data_offsets':[0,131072]}}", brain ? "BF16" : "F16");
        n = compose(bytes, header, 0);
        for (unsigned k = 0; k < MANY; k++) {
            bytes[n + 2 * k] = (unsigned char)k;
            bytes[n + 2 * k + 1] = (unsigned char)(k >> 8);
        }
        write_file(SCRATCH, bytes, n + 2 * MANY);
        CU_ASSERT_EQUAL_FATAL(nn_load(&m, loaded, SCRATCH), NN_OK);
        for (unsigned k = 0; k < MANY; k++) {
            const uint32_t high = k << 16;
            float expected = value_of_half(k);

            if (brain)
                memcpy(&expected, &high, sizeof expected);
            CHECK(isnan(expected) ? isnan(loaded[k]) : memcmp(&expected, &loaded[k], sizeof expected) == 0,
                  "%s %04x is loaded as %.9g, not %.9g", brain ? "BF16" : "F16", k, loaded[k], expected);
        }
    }
    m.tensors = &few;
    n = compose(bytes, "{'a':{'dtype':'F64','shape':[8],'data_offsets':[0,64]}}", 0);
    for (int i = 0; i < 8; i++) {
        uint64_t bits;

        memcpy(&bits, &wide[i], sizeof bits);
        for (int k = 0; k < 8; k++)
            bytes[n++] = (unsigned char)(bits >> 8 * k);
    }
    write_file(SCRATCH, bytes, n);
    CU_ASSERT_EQUAL_FATAL(nn_load(&m, loaded, SCRATCH), NN_OK);
    for (int i = 0; i < 8; i++)
        CHECK(isnan(narrow[i]) ? isnan(loaded[i]) : memcmp(&narrow[i], &loaded[i], sizeof narrow[i]) == 0,
              "%.17g is loaded as %.9g, not %.9g", wide[i], loaded[i], narrow[i]);
}

static void note_left(void *context, const char *name, int in_file)
{
    char *text = context;

    sprintf(text + strlen(text), "%s%s;", in_file ? "+" : "-", name);
}

#define C "'c\\u0041':{'dtype':'I64','shape':[1],'data_offsets':[16,24]}"

static void test_more_and_fewer(void)
{
    unsigned char bytes[512];
    float params[8];
    char left[64] = "";

    /* a fits, b is missing, and there is a cA that nobody asks for */
    write_file(SCRATCH, bytes, compose(bytes, "{" A "," C "}", 24));
    CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EMODEL);
    for (int flags = 1; flags < 4; flags++) {
        for (int i = 0; i < 8; i++)
            params[i] = 1000.0f + (float)i;
        const int error = nn_load_with(&ab, params, SCRATCH, flags, note_left, left);
        CHECK((error == NN_OK) == (flags == 3), "flags %d: error %d", flags, error);
        CHECK(strcmp(left, flags == 3 ? "-b;+cA;" : "") == 0, "flags %d: left \"%s\"", flags, left);
        CHECK(!memcmp(params, bytes + strlen("{" A "," C "}") + 8, 16) == (flags == 3), "flags %d: other weights", flags);
        CU_ASSERT(params[4] == 1004 && params[5] == 1005 && params[7] == 1007);
    }
    CU_ASSERT_EQUAL(nn_load_with(&ab, params, SCRATCH, 3, NULL, NULL), NN_OK);

    /* a shape that is another one is an error whatever the flags */
    write_file(SCRATCH, bytes, compose(bytes, "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}}", 16));
    CU_ASSERT_EQUAL(nn_load_with(&ab, params, SCRATCH, 3, NULL, NULL), NN_EMODEL);
    write_file(SCRATCH, bytes, compose(bytes, "{" A "}", 15));
    CU_ASSERT_EQUAL(nn_load_with(&ab, params, SCRATCH, 3, NULL, NULL), NN_EFORMAT);
}

static void test_no_permission(void)
{
    unsigned char bytes[512];
    const float params[FLOATS] = {0};

    write_file(SCRATCH, bytes, compose(bytes, "{" A "," B "}    ", 28));
    CU_ASSERT_EQUAL(chmod(SCRATCH, 0), 0);
    CU_ASSERT(be_plain_user());
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, SCRATCH), NN_EIO);
    CU_ASSERT(strstr(nn_error(NN_EIO), SCRATCH ": cannot open: ") != NULL);
    CU_ASSERT_EQUAL(nn_save(&model, params, SCRATCH), NN_EIO);
    CU_ASSERT(strstr(nn_error(NN_EIO), SCRATCH ": cannot write: Permission denied; check the permissions of") != NULL);
    be_myself();
    CU_ASSERT_EQUAL(chmod(SCRATCH, 0644), 0);
}

static void test_truncated(void)
{
    unsigned char bytes[512];
    const size_t n = compose(bytes, "{'__metadata__':{'format':'pt'}," A "," B "}   ", 28);

    for (size_t length = 0; length < n; length++) {
        write_file(SCRATCH, bytes, length);
        CHECK(load_whole(bytes, bytes) == NN_EFORMAT, "%zu bytes of %zu", length, n);
    }
}

/* Random damage: some of it spares the header, then the data must arrive as it is; the rest must be refused. */
static void test_damaged(void)
{
    static const char likely[] = "0123456789\"\\{}[],:u- ";
    unsigned char whole[512], bytes[512];
    const size_t n = compose(whole, "{'__metadata__':{'format':'pt'}," A "," B "}   ", 28);
    uint64_t rng = test_seed();
    int loaded = 0;

    for (int round = 0; round < 4000; round++) {
        const int changes = 1 + (int)(nn_bits(&rng) % 3);

        memcpy(bytes, whole, n);
        for (int k = 0; k < changes; k++) {
            const size_t at = nn_bits(&rng) % n;
            const uint64_t what = nn_bits(&rng);

            bytes[at] = (unsigned char)(what & 1 ? bytes[at] ^ 1u << (what >> 8) % 8
                                                 : (unsigned char)likely[(what >> 8) % (sizeof likely - 1)]);
        }
        write_file(SCRATCH, bytes, n);
        loaded += load_whole(bytes + n - 28, bytes + n - 12) == NN_OK;
    }
    CHECK(loaded > 100 && loaded < 2000, "%d of 4000 damaged files loaded", loaded);
}

/* Damage of every kind under the sanitizers; see tests/helpers/weights.c. */
static void test_sanitized(void)
{
    static const char build[] = "gcc -std=c99 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Iruntime"
                                " tests/helpers/weights.c runtime/errors.c runtime/safetensors.c runtime/tensors.c -o " FOLDER "/weights -lm";
    const char *argv[] = {FOLDER "/weights", SCRATCH, NULL, "3000", NULL};
    char seed[32];
    process run;

    CU_ASSERT_EQUAL_FATAL(system(build), 0);
    snprintf(seed, sizeof seed, "%lu", (unsigned long)test_seed());
    argv[2] = seed;
    setenv("ASAN_OPTIONS", "allocator_may_return_null=1:max_allocation_size_mb=200", 1);
    run = process_run(NULL, argv, NULL, 0, NULL);
    unsetenv("ASAN_OPTIONS");
    CHECK(run.status == 0 && atoi(run.out) > 500 && atoi(run.out) < 2000, "status %d, %s loaded; %s", run.status,
          run.out, run.err);
    process_free(&run);
}

/* A save that fails leaves the old file as it was and nothing beside it. */
static void test_failed_save(void)
{
    float params[FLOATS], loaded[FLOATS] = {0};
    struct rlimit old, small = {0, 0};

    nn_init(&model, params, 1);
    CU_ASSERT_EQUAL(nn_save(&model, params, FOLDER "/none/w"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), FOLDER "/none/w: cannot write: No such file or directory; check the path");

    folder_make(SAVES);
    mkdir(SAVES "/folder", 0777);
    mkdir(SAVES "/folder/full", 0777);
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/folder"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), SAVES "/folder: it is a folder; give the path of a file");
    CU_ASSERT(access(SAVES "/folder/full", F_OK) == 0 && folder_count(SAVES) == 1);

    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/w"), NN_OK);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit <= 512; limit += 128) { /* the disk is full at the start, in the header, in the data */
        float other[FLOATS];
        int error;

        nn_init(&model, other, 2);
        fflush(stdout);
        small.rlim_cur = limit;
        CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
        error = nn_save(&model, other, SAVES "/w");
        setrlimit(RLIMIT_FSIZE, &old);
        CHECK(error == (limit < 512 ? NN_EIO : NN_OK), "limit %d: %d", (int)limit, error);
        CU_ASSERT(error == NN_OK ||
                  strstr(nn_error(error), "w: cannot write: File too large; free some space there") != NULL);
        CU_ASSERT_EQUAL(folder_count(SAVES), 2);
        CU_ASSERT_EQUAL(nn_load(&model, loaded, SAVES "/w"), NN_OK);
        CU_ASSERT(memcmp(loaded, error == NN_OK ? other : params, sizeof loaded) == 0);
    }
    signal(SIGXFSZ, SIG_DFL);
}

static int mode_of(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? (int)status.st_mode : 0;
}

/* nn_save replaced whatever stood at the path: a link by a file, a pipe or a device (/dev/full, as root)
 * by a file, a file that only its owner may read by one that all may. */
static void test_what_saves_replace(void)
{
    float params[FLOATS], loaded[FLOATS] = {0};
    mode_t mask;

    nn_init(&model, params, 1);
    folder_make(SAVES);
    folder_make(SAVES "/run");
    CU_ASSERT_EQUAL_FATAL(symlink("run/7", SAVES "/latest"), 0); /* which is not there yet */
    CU_ASSERT_EQUAL_FATAL(symlink("../latest", SAVES "/run/best"), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("circle", SAVES "/circle"), 0);
    mask = umask(027);
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/latest"), NN_OK);
    umask(mask);
    CU_ASSERT_EQUAL(mode_of(SAVES "/run/7"), S_IFREG | 0640);
    CU_ASSERT_EQUAL(chmod(SAVES "/run/7", 0606), 0);
    params[0] = 0.125f;
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/run/best"), NN_OK);
    CU_ASSERT(S_ISLNK(mode_of(SAVES "/latest")) && S_ISLNK(mode_of(SAVES "/run/best")));
    CU_ASSERT_EQUAL(mode_of(SAVES "/run/7"), S_IFREG | 0606);
    CU_ASSERT_EQUAL(nn_load(&model, loaded, SAVES "/run/7"), NN_OK);
    CU_ASSERT(memcmp(loaded, params, sizeof loaded) == 0);
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/circle"), NN_EIO);
    CU_ASSERT(strstr(nn_error(NN_EIO), "; choose another path") != NULL);

    CU_ASSERT_EQUAL_FATAL(mkfifo(SAVES "/pipe", 0666), 0);
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/pipe"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), SAVES "/pipe: it is a device or a pipe; give the path of an ordinary file");
    CU_ASSERT_EQUAL(nn_load(&model, loaded, SAVES "/pipe"), NN_EIO); /* and doesn't wait for a writer */
    CU_ASSERT(S_ISFIFO(mode_of(SAVES "/pipe")));
    CU_ASSERT_EQUAL(symlink("/dev/full", SAVES "/full"), 0);
    CU_ASSERT_EQUAL(nn_save(&model, params, SAVES "/full"), NN_EIO);
    CU_ASSERT_EQUAL(folder_count(SAVES), 5);
    CU_ASSERT_EQUAL(folder_count(SAVES "/run"), 2);
}

/* A hundred killed savers had left their files: every save failed with "File exists". And several at a
 * time. */
static void test_many_savers(void)
{
    float params[FLOATS], loaded[FLOATS];
    char name[100];

    folder_make(SAVES);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, SAVES "/w.tmp%d", i);
        write_file(name, "x", 1);
    }
    fflush(stdout);
    for (int child = 0; child < 4; child++)
        if (fork() == 0) {
            int error = NN_OK;

            nn_init(&model, params, (uint64_t)child);
            for (int i = 0; i < 4 && error == NN_OK; i++)
                error = nn_save(&model, params, SAVES "/w");
            _exit(error);
        }
    for (int child = 0, status; child < 4; child++)
        CU_ASSERT(wait(&status) > 0 && status == 0);
    CU_ASSERT_EQUAL(folder_count(SAVES), 101);
    CU_ASSERT_EQUAL(nn_load(&model, loaded, SAVES "/w"), NN_OK);
}

/* What a message says of a name: nothing that moves the cursor or turns the writing round, and no half
 * character. */
static void test_messages(void)
{
    static const struct { const char *name, *shown; } names[] = {
        {"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\\u009b2J", "\\u009B2J"},                                /* moves the cursor as ESC [ does */
        {"\xc2\x9b", "\\u009B"},
        {"a\xe2\x80\xae" "b", "a\\u202Eb"},                         /* from right to left */
        {"\\u061c\\n\\r\\u007f", "\\u061C\\u000A\\u000D\\u007F"},
        {"\\udb40\\udc41", "\\U000E0041"},                         /* a tag, which nobody sees */
    };
    char header[1000], expected[1000], path[300];
    unsigned char bytes[1100];
    int length = 0;

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        snprintf(header, sizeof header, "{'%s':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", names[k].name);
        write_file(SCRATCH, bytes, compose(bytes, header, 1));
        CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EMODEL);
        snprintf(expected, sizeof expected,
                 SCRATCH ": %s is in the file, but not in the network; load it into the network that it was saved from, or give its tensors the network's names and shapes", names[k].shown);
        CHECK(strcmp(nn_error(NN_EMODEL), expected) == 0, "\"%s\"", nn_error(NN_EMODEL));
    }
    for (int shift = 0; shift < 3; shift++) { /* a long name is cut between two characters */
        length = snprintf(header, sizeof header, "{'%.*s", shift, "aaa");
        for (int i = 0; i < 60; i++)
            length += snprintf(header + length, sizeof header - (size_t)length, "\xe2\x82\xac");
        snprintf(header + length, sizeof header - (size_t)length, "':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}");
        write_file(SCRATCH, bytes, compose(bytes, header, 1));
        CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EMODEL);
        CHECK(strstr(nn_error(NN_EMODEL), "\xe2\x82\xac is in the file") != NULL, "\"%s\"", nn_error(NN_EMODEL));
    }
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, FOLDER "/\x1b[2J\xff\xe2\x82"), NN_EIO);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EIO), FOLDER "/\\u001B[2J\\xFF\\xE2\\x82: cannot open: No such file or directory; "
                                                    "check the path");
    memset(path, '\x01', sizeof path);
    path[sizeof path - 1] = '\0';
    CU_ASSERT_EQUAL(nn_load(&ab, NULL, path), NN_EIO);
    CU_ASSERT(strstr(nn_error(NN_EIO), "\\u0001...: cannot open: File name too long; choose another path") != NULL);

    write_file(SCRATCH, bytes, compose(bytes, "{" A ",'b':{'dtype':'I16','shape':[3],'data_offsets':[16,22]}}", 22));
    CU_ASSERT_EQUAL(load_whole(bytes, bytes), NN_EMODEL);
    CU_ASSERT_STRING_EQUAL(nn_error(NN_EMODEL), SCRATCH ": b has dtype I16 in the file, F32 in the network; convert it to F32 "
                                                        "and save it again (in PyTorch: tensor.float())");
}

static int make_folder(void)
{
    mkdir("build", 0777);
    mkdir("build/tests", 0777);
    mkdir(FOLDER, 0777);
    return access(FOLDER, W_OK);
}

/* ---- Losses ---------------------------------------------------------------------------------- */

enum { ELEMENTS = 60, ROWS = 12, CLASSES = 5, LOSSES = 5 };

static const char *const loss_names[LOSSES] = {"crossentropy", "bce", "mse", "l1", "huber"};

static float loss_of(int which, const float *y, const float *t, const int *labels, float *d)
{
    switch (which) {
    case 0: return nn_crossentropy(ROWS, CLASSES, y, labels, d);
    case 1: return nn_bce(ELEMENTS, y, t, d);
    case 2: return nn_mse(ELEMENTS, y, t, d);
    case 3: return nn_l1(ELEMENTS, y, t, d);
    default: return nn_huber(ELEMENTS, 0.7f, y, t, d);
    }
}

/* By PyTorch's definitions, in double. */
static double defined_loss(int which, const double *y, const float *t, const int *labels)
{
    double sum = 0, counted = 0;
    for (int i = 0; which == 0 && i < ROWS; i++) {
        double all = 0;
        for (int c = 0; c < CLASSES; c++)
            all += exp(y[i * CLASSES + c]);
        counted += labels[i] != -100;
        sum += labels[i] == -100 ? 0 : log(all) - y[i * CLASSES + labels[i]];
    }
    for (int i = 0; which > 0 && i < ELEMENTS; i++) {
        double e = y[i] - t[i];
        counted++;
        sum += which == 1 ? log(1 + exp(y[i])) - y[i] * t[i] : which == 2 ? e * e : which == 3 ? fabs(e)
             : fabs(e) <= 0.7f ? e * e / 2 : 0.7f * (fabs(e) - 0.7f / 2);
    }
    return sum / counted;
}

static void test_losses(void)
{
    float y[ELEMENTS], t[ELEMENTS], d[ELEMENTS];
    double exact[ELEMENTS];
    int labels[ROWS];
    uint64_t rng = 11;
    for (int i = 0; i < ELEMENTS; i++) {
        exact[i] = y[i] = 2 * nn_normal(&rng);
        t[i] = nn_uniform(&rng);
    }
    for (int i = 0; i < ROWS; i++)
        labels[i] = i % 4 == 3 ? -100 : (int)(nn_bits(&rng) % CLASSES);
    for (int which = 0; which < LOSSES; which++) {
        float loss = loss_of(which, y, t, labels, d);
        double right = defined_loss(which, exact, t, labels);
        CHECK(fabs((double)loss - right) < 3e-7 * right, "%s is %.9g, not %.9g", loss_names[which], (double)loss, right);
        CHECK(loss_of(which, y, t, labels, NULL) == loss, "%s is another one without d", loss_names[which]);
        for (int i = 0; i < ELEMENTS; i++) {
            const double h = 1e-6, value = exact[i];
            exact[i] = value + h;
            double above = defined_loss(which, exact, t, labels);
            exact[i] = value - h;
            double slope = (above - defined_loss(which, exact, t, labels)) / (2 * h);
            exact[i] = value;
            CHECK(fabs((double)d[i] - slope) < 1e-8, "%s: d[%d] is %.9g, not %.9g", loss_names[which], i, (double)d[i], slope);
        }
    }
}

/* Where a formula written as it stands would overflow or divide by zero. */
static void test_loss_edges(void)
{
    static const float logits[] = {1000, 0, -1000, 200, 200, 200}, ends[] = {1000, -1000, 1000, -1000}, answers[] = {1, 0, 0, 1};
    static const int first[] = {0, 1}, last[] = {2, -100}, none[] = {-100, -100}, wrong[] = {3, 1};
    static const float spread[] = {0.5f, 0.5f, 0};
    float d[6], ninety[4] = {0};
    CHECK(fabsf(nn_crossentropy(2, 3, logits, first, d) - 0.54930614f) < 1e-6f, "crossentropy of large logits");
    CHECK(d[0] == 0 && d[1] == 0 && fabsf(d[4] + 1 / 3.0f) < 1e-6f, "its gradient");
    CHECK(nn_crossentropy(2, 3, logits, last, d) == 2000 && d[0] == 1 && d[2] == -1 && d[3] == 0, "a row that isn't counted");
    CHECK(isnan(nn_crossentropy(2, 3, logits, none, d)) && d[0] == 0 && d[5] == 0, "no row is counted");
    CHECK(isnan(nn_crossentropy(2, 3, logits, wrong, d)) && isnan(d[1]) && !isnan(d[4]), "a label that is no class");
    CHECK(fabsf(nn_kl(1, 3, logits, spread, d) - 499.30685f) < 1e-4f && d[0] == 0.5f && d[1] == -0.5f && d[2] == 0, "kl of large logits");
    CHECK(nn_bce(4, ends, answers, d) == 500 && d[0] == 0 && d[1] == 0 && d[2] == 0.25f && d[3] == -0.25f, "bce of large logits");
    CHECK(nn_l1(4, ninety, ninety, d) == 0 && d[0] == 0, "l1 where nothing differs");
    CHECK(isnan(nn_mse(0, logits, logits, NULL)), "the mean of nothing");
    ninety[2] = NAN;
    CHECK(isnan(nn_bce(4, ninety, answers, d)) && isnan(d[2]) && !isnan(d[1]), "bce of NaN");
    CHECK(isnan(nn_l1(4, ninety, answers, d)) && isnan(d[2]) && isnan(nn_huber(4, 1, ninety, answers, d)) && isnan(d[2]), "of NaN");
}

void add_runtime_suite(void)
{
    CU_pSuite suite = CU_add_suite("runtime", make_folder, NULL);

    CU_add_test(suite, "optimizers give PyTorch's numbers", test_as_pytorch);
    CU_add_test(suite, "a saved state resumes exactly", test_resume);
    CU_add_test(suite, "zero stays zero", test_zero_stays_zero);
    CU_add_test(suite, "state sizes", test_state_size);
    CU_add_test(suite, "steps keep to their state", test_state_bounds);
    CU_add_test(suite, "centered RMSprop without variance", test_centered_constant);
    CU_add_test(suite, "the same bits at each width of vectors", test_widths);
    CU_add_test(suite, "losses and their gradients", test_losses);
    CU_add_test(suite, "losses at their edges", test_loss_edges);
    CU_add_test(suite, "splitmix64", test_bits);
    CU_add_test(suite, "uniform and normal numbers", test_uniform_and_normal);
    CU_add_test(suite, "shuffle", test_shuffle);
    CU_add_test(suite, "initialisation", test_init);
    CU_add_test(suite, "weights survive a round trip", test_round_trip);
    CU_add_test(suite, "layouts", test_layouts);
    CU_add_test(suite, "prepared weights", test_prepared);
    CU_add_test(suite, "the bytes of a weight file", test_written_bytes);
    CU_add_test(suite, "files of other writers", test_files_of_others);
    CU_add_test(suite, "headers that are allowed", test_good_headers);
    CU_add_test(suite, "headers that are not", test_bad_headers);
    CU_add_test(suite, "files that are not", test_bad_files);
    CU_add_test(suite, "F16, BF16 and F64", test_other_numbers);
    CU_add_test(suite, "files that hold more or fewer tensors", test_more_and_fewer);
    CU_add_test(suite, "files without permission", test_no_permission);
    CU_add_test(suite, "every truncation is refused", test_truncated);
    CU_add_test(suite, "random damage", test_damaged);
    CU_add_test(suite, "damage under sanitizers", test_sanitized);
    CU_add_test(suite, "a failed save leaves the old file", test_failed_save);
    CU_add_test(suite, "what saves replace", test_what_saves_replace);
    CU_add_test(suite, "many savers", test_many_savers);
    CU_add_test(suite, "what is wrong, where, what to do", test_messages);
    add_need("runtime", "files without permission", &plain_user);
}
