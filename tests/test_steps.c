/* test_steps.c: losses, and what the runtime does around an optimizer's step, against PyTorch's numbers: tests/torch/around.ref,
 * of which tests/torch/around.py says what is in it. Steps in parts and in groups give the bits of whole ones. */
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "tests/torch/around.ref"
#define CHECK(condition, ...) check_at(__FILE__, __LINE__, condition, __VA_ARGS__)

enum { N = 33, MOST = 64 };

static float start_of(int i)
{
    return nn_uniform_at(1, (uint64_t)i) - 0.5f;
}

static float gradient_of(int step, int i)
{
    static const float scale[] = {0.0625f, 0.25f, 1, 4, 16};
    return (nn_uniform_at(2, (uint64_t)(N * step + i)) - 0.5f) * scale[i % 5];
}

static int close_to(double is, double expected)
{
    return fabs(is - expected) <= 1e-6 * fabs(expected) + 2e-7;
}

/* Calls use with each line of the reference that begins with the word, and what stands behind it; how many there were. */
static int each_line(const char *word, void (*use)(char *rest))
{
    static char line[8192];
    FILE *file = fopen(REFERENCE, "r");
    int count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (size_t length = strlen(word); fgets(line, sizeof line, file);)
        if (!strncmp(line, word, length) && line[length] == ' ') {
            use(line + length + 1);
            count++;
        }
    fclose(file);
    return count;
}

/* ---- Clipping ---- */

static void check_clip(char *rest)
{
    float g[N], before[N], most = strtof(rest, &rest), norm = strtof(rest, &rest), is;
    for (int i = 0; i < N; i++)
        g[i] = before[i] = gradient_of(1, i);
    is = nn_clip(g, N, most);
    CHECK(close_to(is, norm), "the norm is %.9g, PyTorch has %.9g", is, norm);
    CHECK(!memcmp(g, before, sizeof g) == (most > norm), "clipped to %g, gradients %s", most, most > norm ? "change" : "stay");
    for (int i = 0; i < N; i++) {
        double expected = strtod(rest, &rest);
        CHECK(fabs((double)g[i] - expected) <= 1e-6 * fabs(expected), "clipped to %g, gradient %d is %.9g, PyTorch has %.9g", most, i, g[i],
              expected);
    }
}

static void clip(void)
{
    float nan[] = {1, NAN, 2}, huge[] = {3e38f, 3e38f};
    CU_ASSERT_EQUAL(each_line("clip", check_clip), 5);
    CU_ASSERT(isnan(nn_clip(nan, 3, 1)) && isnan(nan[0]) && isnan(nan[2]));
    CU_ASSERT(nn_clip(huge, 2, 1) > 3e38f); /* infinite: PyTorch gives gradients of 0 */
    CU_ASSERT(huge[0] == 0 && huge[1] == 0);
    CU_ASSERT(nn_clip(huge, 0, 1) == 0);
}

/* ---- Learning rates ---- */

static float rate_of(const char *name, const float *a, uint64_t step)
{
    return !strcmp(name, "constant")   ? nn_lr_constant(a[0], step)
           : !strcmp(name, "step")     ? nn_lr_step(a[0], step, (uint64_t)a[1], a[2])
           : !strcmp(name, "cosine")   ? nn_lr_cosine(a[0], step, (uint64_t)a[1], a[2])
           : !strcmp(name, "linear")   ? nn_lr_linear(a[0], step, (uint64_t)a[1], a[2])
           : !strcmp(name, "onecycle") ? nn_lr_onecycle(a[0], step, (uint64_t)a[1])
                                       : nn_momentum_onecycle(step, (uint64_t)a[0]);
}

static void check_rates(char *rest)
{
    const char *name = strtok(rest, " "), *word;
    float arguments[4] = {0};
    for (int i = 0; (word = strtok(NULL, " ")) && *word != ':';)
        arguments[i++] = strtof(word, NULL);
    uint64_t step = 0;
    for (; (word = strtok(NULL, " \n")); step++) {
        double expected = strtod(word, NULL), is = (double)rate_of(name, arguments, step);
        CHECK(fabs(is - expected) <= 1e-6 * expected + 1e-9, "%s, step %d: %.9g, PyTorch has %.9g", name, (int)step, is, expected);
    }
    CU_ASSERT(step > 0);
}

static void rates(void)
{
    CU_ASSERT_EQUAL(each_line("rate", check_rates), 17);
    CU_ASSERT(nn_lr_onecycle(0.5f, 1000, 10) == nn_lr_onecycle(0.5f, 9, 10));
    CU_ASSERT(nn_lr_step(0.1f, UINT64_MAX, 1, 0.5f) == 0);
}

/* ---- Averages ---- */

static float decay; /* 0: the mean of all */

static void check_average(char *rest)
{
    float w[N], average[N];
    char *values = strchr(rest, ':') + 1;
    decay = values == rest + 1 ? 0 : strtof(rest, NULL);
    for (int i = 0; i < N; i++)
        w[i] = start_of(i);
    for (int step = 1; step <= 5; step++) {
        for (int i = 0; i < N; i++)
            w[i] -= 0.1f * gradient_of(step, i);
        if (decay > 0)
            nn_ema(average, w, N, decay, (uint64_t)step - 1);
        else
            nn_average(average, w, N, (uint64_t)step - 1);
    }
    for (int i = 0; i < 8; i++) {
        double expected = strtod(values, &values);
        CHECK(close_to(average[i], expected), "average (%g) of weight %d is %.9g, PyTorch has %.9g", decay, i, average[i], expected);
    }
}

static void averages(void)
{
    CU_ASSERT_EQUAL(each_line("average", check_average), 1);
    CU_ASSERT_EQUAL(each_line("ema", check_average), 2);
}

/* ---- Groups and parts ---- */

/* body.weight lies transposed in rows of 8 floats, of which 3 are used; behind the parameters lies a statistic. */
static const nn_tensor tensors[] = {
    {"body.weight", 2, {3, 4}, 0, 12, 0, 0, {1, 1, 3, 4}, {0, 0, 1, 8}, 0},
    {"body.bias", 1, {3}, 32, 3, 0, 0, {0}, {0}, 0},
    {"stem.running_mean", 1, {2}, 64, 2, 0, 0, {0}, {0}, 0},
    {"head.weight", 3, {2, 3, 2}, 40, 12, 0, 0, {0}, {0}, 0},
    {"head.bias", 1, {6}, 56, 6, 0, 0, {0}, {0}, 0},
};
enum { FLOATS = 64, ALL = 72, STATE = NN_STATE_HEAD + 3 * FLOATS };
static const nn_model model = {.name = "hand", .floats = FLOATS, .params_bytes = ALL * sizeof(float), .ntensors = 5, .tensors = tensors};

static void spread(float *params, float (*value)(int step, int i), int step)
{
    int k = 0;
    memset(params, 0, ALL * sizeof *params);
    for (int t = 0; t < model.ntensors; t++)
        for (size_t i = 0; i < tensors[t].count; i++)
            params[nn_place(&tensors[t], i)] = tensors[t].offset < FLOATS ? value(step, k++) : 7;
}

static float weight_of(int step, int i)
{
    (void)step;
    return start_of(i);
}

static void check_groups(char *rest)
{
    nn_optimizer o = nn_momentum(0.2f, 0.9f), slow = nn_momentum(0.01f, 0.9f), plain = nn_adam(0.01f), decaying = plain;
    plain.decoupled = decaying.decoupled = 1;
    decaying.weight_decay = 0.5f;
    const nn_group by_name[] = {{"head.", 0, o}, {"body.weight", 0, slow}}, by_rank[] = {{"", 2, decaying}, {"", 0, plain}};
    const nn_group *groups = strncmp(rest, "decay", 5) ? by_name : by_rank;
    float params[ALL], gradients[ALL], state[STATE] = {0};
    int k = 0;
    spread(params, weight_of, 0);
    for (int step = 1; step <= 5; step++) {
        spread(gradients, gradient_of, step);
        nn_step_groups(&model, groups, 2, params, gradients, state);
    }
    rest = strchr(rest, ':') + 1;
    for (int t = 0; t < model.ntensors; t++)
        for (size_t i = 0; i < tensors[t].count; i++) {
            float *at = &params[nn_place(&tensors[t], i)];
            double expected = tensors[t].offset < FLOATS ? strtod(rest, &rest) : 7;
            CHECK(close_to(*at, expected), "%s[%d] is %.9g, PyTorch has %.9g", tensors[t].name, (int)i, *at, expected);
            *at = 0;
            k++;
        }
    CU_ASSERT_EQUAL(k, N + 2);
    for (int i = 0; i < ALL; i++)
        CHECK(params[i] == 0, "padding at float %d is %g", i, params[i]);
}

/* All methods: nn_step, the same in parts that begin with the last, and in groups that are alike. */
static void check_parts(const nn_optimizer *o)
{
    static const size_t cuts[] = {0, 1, 7, 30, 33, 47, FLOATS};
    float params[4][ALL], gradients[ALL], state[4][STATE];
    const nn_group alike[] = {{"body.", 1, *o}, {"head.w", 0, *o}, {"", 0, *o}};
    memset(state, 0, sizeof state);
    for (int way = 0; way < 4; way++)
        spread(params[way], weight_of, 0);
    for (int step = 1; step <= 3; step++) {
        spread(gradients, gradient_of, step);
        nn_step(o, params[0], gradients, nn_state_size(o, FLOATS) ? state[0] : NULL, FLOATS);
        for (int way = 1; way < 3; way++) {
            if (nn_state_size(o, FLOATS))
                nn_count_step(state[way]);
            for (int i = 5; i >= 0; i--)
                if (way == 1)
                    nn_step_part(o, params[1], gradients, state[1], FLOATS, cuts[i], cuts[i + 1]);
                else
                    nn_step_groups_part(&model, alike, 3, params[2], gradients, state[2], cuts[i], cuts[i + 1]);
        }
        nn_step_groups(&model, alike, 3, params[3], gradients, nn_state_size(o, FLOATS) ? state[3] : NULL);
    }
    for (int way = 1; way < 4; way++) {
        CHECK(!memcmp(params[0], params[way], sizeof *params), "method %d, way %d: other weights", o->method, way);
        CHECK(!memcmp(state[0], state[way], sizeof *state), "method %d, way %d: another state", o->method, way);
    }
}

static void groups(void)
{
    CU_ASSERT_EQUAL(each_line("groups", check_groups), 2);
}

static void parts(void)
{
    nn_optimizer all[] = {nn_sgd(0.1f), nn_momentum(0.1f, 0.9f), nn_adagrad(0.1f), nn_rmsprop(0.1f), nn_rmsprop(0.1f), nn_adam(0.1f),
                          nn_adam(0.1f)};
    all[2].initial_accumulator_value = 0.5f;
    all[4].centered = 1;
    all[4].momentum = 0.9f;
    all[6].amsgrad = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        all[i].weight_decay = 0.01f;
        check_parts(&all[i]);
    }
}

/* ---- Losses ---- */

static float loss_of(const char *name, const float *y, const float *t, const int *labels, float *d)
{
    return !strcmp(name, "crossentropy") ? nn_crossentropy(N / 3, 3, y, labels, d)
           : !strcmp(name, "kl")         ? nn_kl(N / 3, 3, y, t, d)
           : !strcmp(name, "bce")        ? nn_bce(N, y, t, d)
           : !strcmp(name, "mse")        ? nn_mse(N, y, t, d)
           : !strcmp(name, "l1")         ? nn_l1(N, y, t, d)
           : !strcmp(name, "huber")      ? nn_huber(N, 0.7f, y, t, d)
                                         : NAN;
}

/* And with d in the place of y. */
static void check_loss(char *rest)
{
    float y[N], t[N], d[N];
    int labels[N / 3];
    const char *name = strtok_r(rest, " ", &rest);
    const double expected = strtod(rest, &rest);
    for (int i = 0; i < N; i++) {
        y[i] = 6 * start_of(i);
        t[i] = i % 5 ? nn_uniform_at(2, (uint64_t)i) : 0;
        labels[i / 3] = i / 3 == 4 ? -100 : (int)(3 * nn_uniform_at(3, (uint64_t)(i / 3)));
    }
    const double is = (double)loss_of(name, y, t, labels, d);
    CHECK(close_to(is, expected), "%s is %.9g, PyTorch has %.9g", name, is, expected);
    CHECK((double)loss_of(name, y, t, labels, NULL) == is, "%s is another one without d", name);
    CHECK((double)loss_of(name, y, t, labels, y) == is && !memcmp(d, y, sizeof d), "%s: another d in the place of y", name);
    for (int i = 0; i < N; i++) {
        const double right = strtod(rest, &rest);
        CHECK(close_to((double)d[i], right), "%s: d[%d] is %.9g, PyTorch has %.9g", name, i, (double)d[i], right);
    }
}

static void losses(void)
{
    CU_ASSERT_EQUAL(each_line("loss", check_loss), 6);
}

void add_steps_suite(void)
{
    static CU_TestInfo tests[] = {
        {"clipping", clip}, {"learning rates", rates}, {"averages of weights", averages}, {"groups", groups},
        {"steps in parts", parts}, {"losses", losses}, CU_TEST_INFO_NULL,
    };
    add_suite("steps", NULL, NULL, tests);
    add_to_check("steps", NULL);
}
