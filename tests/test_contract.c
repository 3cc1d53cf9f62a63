/* test_contract.c: what the public functions of a generated network promise besides right numbers.
 *
 * A wrong call ends with a message instead of writing where it shouldn't, a handler of the user's takes the message's place, and
 * NDEBUG leaves nothing of it. What has no part in the loss has a gradient of exactly 0. The head of net.c says of each layer
 * where it runs. */
#include "generated.h"
#include "back/back.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/contract"

static const char *const compilers[] = {"gcc", "clang"};

/* ---- Misuse ------------------------------------------------------------------------------------------------------ */

/* The program calls as `number` says. */
typedef struct Misuse {
    const char *call;      /* p, w, g, x, y, t are right; off is memory that malloc might give */
    const char *message;   /* what the message begins with; NULL: nothing is wrong */
} Misuse;

static const Misuse misuses[] = {
    {"net_init(p, 1); net_forward(p, w, 1, x, y); net_backward(p, w, 2, x, t, g); net_backward(p, w, NET_BATCH, x, t, g)", NULL},
    {"net_init(NULL, 1)", "net_init: p is NULL or not aligned to 64 bytes"},
    {"net_init((net_params *)off, 1)", "net_init: p is NULL or not aligned"},
    {"net_forward(NULL, w, 1, x, y)", "net_forward: p is NULL or not aligned"},
    {"net_forward((net_params *)off, w, 1, x, y)", "net_forward: p is NULL or not aligned"},
    {"net_forward(p, (net_work *)off, 1, x, y)", "net_forward: w is NULL or not aligned"},
    {"net_forward(p, w, 0, x, y)", "net_forward: n must be from 1 to NET_BATCH, 4: "},
    {"net_forward(p, w, 5, x, y)", "net_forward: n must be from 1 to NET_BATCH, 4: "},
    {"net_forward(p, w, 1, NULL, y)", "net_forward: x or y is NULL"},
    {"net_forward(p, w, 1, x, NULL)", "net_forward: x or y is NULL"},
    {"net_backward((net_params *)off, w, 2, x, t, g)", "net_backward: p is NULL or not aligned"},
    {"net_backward(p, NULL, 2, x, t, g)", "net_backward: w is NULL or not aligned"},
    {"net_backward(p, w, 2, x, t, (net_params *)off)", "net_backward: g is NULL or not aligned"},
    {"net_backward(p, w, 2, x, t, p)", "net_backward: g is p"},
    {"net_backward(p, w, -1, x, t, g)", "net_backward: n must be from 2 to NET_BATCH, 4: "},
    {"net_backward(p, w, 0, x, t, g)", "net_backward: n must be from 2 to NET_BATCH, 4: "},
    /* One value has no variance: running_var went towards 0, where PyTorch refuses. */
    {"net_backward(p, w, 1, x, t, g)", "net_backward: n must be from 2 to NET_BATCH, 4: batchnorm"},
    {"net_backward(p, w, 5, x, t, g)", "net_backward: n must be from 2 to NET_BATCH, 4: "},
    {"net_backward(p, w, 2, x, NULL, g)", "net_backward: x or t is NULL"},
    {"net_loss(p, w, 1, x, t, y); net_loss(p, w, NET_BATCH, x, t, NULL)", NULL},
    {"net_loss((net_params *)off, w, 2, x, t, y)", "net_loss: p is NULL or not aligned"},
    {"net_loss(p, w, 5, x, t, y)", "net_loss: n must be from 1 to NET_BATCH, 4: "},
    {"net_loss(p, w, 2, x, NULL, y)", "net_loss: x or t is NULL"},
    {"w->add = 1; net_backward(p, w, 2, x, t, g)", NULL},
    /* As in memory from malloc that nobody cleared. */
    {"w->add = 24; net_backward(p, w, 2, x, t, g)", NULL},
};
enum { MISUSES = sizeof misuses / sizeof *misuses };

static void write_program(const Misuse *calls, int ncalls)
{
    FILE *f = fopen(SCRATCH "/main.c", "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fprintf(f, "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include \"net.h\"\n\n"
               "#ifdef OWN\nvoid OWN(const char *function, const char *message)\n"
               "{\n    printf(\"mine: %%s: %%s\\n\", function, message);\n    exit(7);\n}\n#endif\n\n"
               "int main(int argc, char **argv)\n{\n"
               "    static float x[NET_BATCH * NET_INPUT], y[NET_BATCH * NET_OUTPUT], x2[NET_BATCH * NET_INPUT];\n    static int t[NET_BATCH];\n"
               "    net_params *p = aligned_alloc(64, sizeof *p), *g = aligned_alloc(64, sizeof *g);\n"
               "    net_work *w = aligned_alloc(64, sizeof *w);\n    memset(w, 0, sizeof *w);\n"
               "    void *off = (char *)aligned_alloc(64, 128 + sizeof *p + sizeof *w) + 16;\n"
               "    net_init(p, 1);\n    switch (argc > 1 ? atoi(argv[1]) : -1) {\n");
    for (int i = 0; i < ncalls; i++)
        fprintf(f, "    case %d: %s; break;\n", i, calls[i].call);
    fprintf(f, "    }\n    (void)off, (void)t, (void)x2;\n    return 0;\n}\n");
    fclose(f);
}

/* The same of a network whose gradient comes from the caller; y is as good a dy as any. */
static const Misuse outside[] = {
    {"net_forward_train(p, w, 2, x, y); net_backward(p, w, 2, x, y, g, x2)", NULL},
    {"net_backward(p, w, 2, x, y, NULL, x2); net_backward(p, w, 2, x, y, g, NULL); net_backward(p, w, 2, x, y, NULL, NULL)", NULL},
    {"net_forward_train(p, w, 1, x, y)", "net_forward_train: n must be from 2 to NET_BATCH, 4: batchnorm"},
    {"net_forward_train(p, w, 2, x, NULL)", "net_forward_train: x or y is NULL"},
    {"net_backward(p, w, 2, x, NULL, g, NULL)", "net_backward: x or dy is NULL"},
    {"net_backward(p, w, 2, x, y, (net_params *)off, NULL)", "net_backward: g is NULL or not aligned"},
    {"net_backward(p, w, 2, x, y, p, NULL)", "net_backward: g is p"},
};
enum { OUTSIDE = sizeof outside / sizeof *outside };

static process run_misuse(const char *program, int i)
{
    const char *path = format("./%s", program), *number = format("%d", i);
    return process_run(SCRATCH, (const char *[]){path, number, NULL}, NULL, 0, NULL);
}

static void misuse(void)
{
    static const char text[] = "input 2; batch 4; fc 3; batchnorm; fc 2; softmax\n";
    static const char own[] = "void mine(const char *, const char *);\n"
                              "#define NN_CHECK(condition, message) ((condition) ? (void)0 : mine(__func__, message))\n";
    folder_make(SCRATCH);
    write_program(misuses, MISUSES);
    file_write(SCRATCH "/net.nn", text, sizeof text - 1);
    file_write(SCRATCH "/own.h", own, sizeof own - 1);
    process nnc = nnc_run(SCRATCH, "net.nn", NULL);
    CU_ASSERT_EQUAL_FATAL(nnc.status, 0);
    process_free(&nnc);
    for (int c = 0; c < 2; c++) {
        const char *cc = format("%s -O1 -Wall -Wextra -Werror -std=gnu11 -I../../../../runtime", compilers[c]);
        /* own1: the handler is a macro of the user's; own2: the linker takes the user's function. bare: without checks. */
        const char *command = format("cd " SCRATCH " && L='../../../libnn.a -lm' && %s -c net.c && %s main.c net.o -o checked $L && "
                                     "%s -DOWN=mine -include own.h -o own1 main.c net.c $L && "
                                     "%s -DOWN=nn_misused -o own2 main.c net.o $L && %s -DNDEBUG -c net.c -o bare.o && "
                                     "nm net.o | grep -q nn_misused && ! nm bare.o | grep nn_misused && ! grep 'must be' bare.o && "
                                     "test $(stat -c %%s bare.o) -lt $(stat -c %%s net.o) && "
                                     "%s -ffreestanding -c ../../../../runtime/check.c -o alone.o && ! nm -u alone.o | grep U",
                                     cc, cc, cc, cc, cc, cc);
        CU_ASSERT_EQUAL_FATAL(system(command), 0);
        for (int i = 0; i < MISUSES; i++) {
            const char *message = misuses[i].message;
            process p = run_misuse("checked", i);
            check_at(__FILE__, __LINE__, p.status == (message ? -SIGABRT : 0) && !strncmp(p.err, message ? message : "", 
                     message ? strlen(message) : 1), "%s, %s: ends with %d and `%s`", compilers[c], misuses[i].call, p.status, p.err);
            process_free(&p);
            for (int own_handler = 1; message && i % 5 == 1 && own_handler < 3; own_handler++) {
                p = run_misuse(format("own%d", own_handler), i);
                check_at(__FILE__, __LINE__, p.status == 7 && strstr(p.out, message) == p.out + 6, "%s, own%d, %s: ends with %d and `%s`",
                         compilers[c], own_handler, misuses[i].call, p.status, p.out);
                process_free(&p);
            }
        }
    }
}

static void misuse_outside(void)
{
    static const char text[] = "input 2; batch 4; fc 3; batchnorm; fc 2; loss none\n";
    folder_make(SCRATCH);
    write_program(outside, OUTSIDE);
    file_write(SCRATCH "/net.nn", text, sizeof text - 1);
    process nnc = nnc_run(SCRATCH, "net.nn", NULL);
    CU_ASSERT_EQUAL_FATAL(nnc.status, 0);
    process_free(&nnc);
    CU_ASSERT_EQUAL_FATAL(system("cd " SCRATCH " && gcc -O1 -Wall -Wextra -Werror -std=gnu11 -fsanitize=undefined "
                                 "-fno-sanitize-recover=all -I../../../../runtime main.c net.c -o checked ../../../libnn.a -lm"), 0);
    for (int i = 0; i < OUTSIDE; i++) {
        const char *message = outside[i].message;
        process p = run_misuse("checked", i);
        check_at(__FILE__, __LINE__, p.status == (message ? -SIGABRT : 0) && !strncmp(p.err, message ? message : "",
                 message ? strlen(message) : 1), "%s: ends with %d and `%s`", outside[i].call, p.status, p.err);
        process_free(&p);
    }
}

/* ---- What has no part in the loss ----------------------------------------------------------------------------------- */

#define IMAGE(size, channels) "input 2x" #size "; batch 5; conv " #channels " k3 p1; batchnorm; relu; conv " #channels \
                              " k3 p1; relu; fc 3; softmax"
#define FLAT "input 2; batch 7; fc 5; batchnorm; relu; fc 5; relu; fc 3; softmax"

static const char *const dead_modes[] = {"none", "tile", "full", "auto"};

/* Where the second layer with weights is switched off, and the first gives the same number everywhere. */
static void fill(const nn_model *m, float *p, float *x, int *t, int n)
{
    uint64_t rng = 5;
    size_t plane = m->input / 2;
    nn_init(m, p, 3);
    for (size_t i = 0; i < (size_t)n * m->input; i++)
        x[i] = i / plane % 2 ? 0 : nn_normal(&rng) + 0.5f; /* the second channel is 0 */
    for (int i = 0; i < n; i++)
        t[i] = i % 3;
    for (int k = 0; k < m->ntensors; k++) {
        const nn_tensor *w = &m->tensors[k];
        size_t row = w->count / (size_t)w->shape[0];
        for (size_t i = 0; k == 0 && i < row; i++)
            p[nn_place(w, row + i)] = 0;             /* channel 1 of the first layer: its bias everywhere */
        if ((!strcmp(w->name, "conv1.bias") || (!strcmp(w->name, "fc1.bias") && w->shape[0] == 5)))
            p[nn_place(w, 1)] = 0.7f; /* whose sum, divided by the number of terms, was rounded to less */
        if (!strcmp(w->name, "conv2.bias") || (!strcmp(w->name, "fc2.bias") && w->shape[0] == 5))
            p[nn_place(w, 2)] = -100;                /* channel 2 of the second: off */
    }
}

/* Is element i of that tensor's gradient a sum of zeros alone? */
static bool is_dead(const nn_tensor *w, size_t i)
{
    size_t row = w->count / (size_t)w->shape[0], out = i / row;
    size_t in = w->ndim > 1 ? i % row / (row / (size_t)w->shape[1]) : 99;
    bool image = w->name[0] == 'c';
    if (!strncmp(w->name, "batchnorm1.running", 18))
        return false;
    if (!strncmp(w->name, "conv1.", 6) || (!strncmp(w->name, "fc1.", 4) && w->shape[0] == 5 && (w->ndim == 1 || w->shape[1] == 2)))
        return out == 1 || in == 1;                  /* in 1: the input is 0 */
    if (!strncmp(w->name, "batchnorm1.", 11))
        return out == 1;
    if (image || (!strncmp(w->name, "fc2.", 4) && w->shape[0] == 5))
        return out == 2 || in == 1;
    return false;
}

/* A channel that is the same everywhere was off its mean by what the sum had rounded, times one over the root of eps: the
 * gradient of its batchnorm's weight was 1e-7, and a relu behind, at exactly 0, let gradients through. Adam made whole steps. */
static void check_dead(const generated *net)
{
    const nn_model *m = net->model;
    int n = m->batch, wrong = 0, seen = 0;
    float *p = generated_memory(m->params_bytes), *g = generated_memory(m->params_bytes);
    float *x = generated_memory((size_t)n * m->input * sizeof *x);
    int *t = generated_memory((size_t)n * sizeof *t);
    void *w = generated_work(m);
    fill(m, p, x, t, n);
    m->backward(p, w, n, x, t, g);
    for (int k = 0; k < m->ntensors; k++) {
        const nn_tensor *tensor = &m->tensors[k];
        int live = 0;
        for (size_t i = 0; i < tensor->count; i++) {
            float value = g[nn_place(tensor, i)];
            bool dead = is_dead(tensor, i);
            seen += dead;
            live += !dead && value != 0;
            if (dead && value != 0 && wrong++ == 0)
                check_at(__FILE__, __LINE__, false, "`%s` %s: gradient %zu of %s is %g, not 0", net->text, net->options, i,
                         tensor->name, (double)value);
        }
        check_at(__FILE__, __LINE__, live > 0 || strstr(tensor->name, "running"), "`%s` %s: all of %s is 0", net->text, net->options,
                 tensor->name);
    }
    check_at(__FILE__, __LINE__, wrong == 0 && seen > 8, "`%s` %s: %d of %d gradients are not 0", net->text, net->options, wrong, seen);
    free(p), free(g), free(x), free(t), free(w);
}

static void dead_channels(void)
{
    generated nets[16];
    size_t n = 0;
    for (int i = 0; i < 9; i++) /* as quick to compile as may be: -O0 */
        nets[n++] = (generated){format("dead%d", i), i & 1 ? FLAT : IMAGE(3x5, 3),
                                format("--unroll=%s --target=%s", i / 8 ? "tile" : dead_modes[i / 2], i / 8 ? "scalar" : "generic"),
                                i / 8 ? GENERATED_C99 " -O0" : GENERATED_GNU " -O0", NULL};
    for (int filter = 0; filter_option(filter); filter++)
        nets[n++] = (generated){format("filter%d", filter), IMAGE(8x8, 8), format("--math=%s", filter_option(filter)),
                                GENERATED_GNU " -O0", NULL};
    void *library = generated_build(SCRATCH "/dead", nets, n, NULL);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(nets[i].model);
        check_dead(&nets[i]);
    }
    generated_close(library);
}

/* Winograd's weight gradient: in each sample one pixel is other than 0 (in all channels), and a relu lets one position of the
 * output through, that at which the pixel lies under the tap `met`. Under the other taps everything meets a 0: their
 * gradients were up to 6e-10, what was rounded on the way through the 36 elements of a tile. */
static void check_taps(const generated *net, size_t met)
{
    const nn_model *m = net->model;
    size_t plane = 18 * 18, channels = m->input / plane;
    float *p = generated_memory(m->params_bytes), *g = generated_memory(m->params_bytes);
    float *x = generated_memory((size_t)m->batch * m->input * sizeof *x);
    int *t = generated_memory((size_t)m->batch * sizeof *t), wrong = 0, live = 0;
    void *w = generated_work(m);
    uint64_t rng = 3 + met;
    nn_init(m, p, 3);
    for (size_t i = 0; i < m->tensors[0].count; i++) /* conv1.weight */
        p[nn_place(&m->tensors[0], i)] = i % 9 == met ? 1 : 0;
    for (size_t i = 0; i < m->tensors[1].count; i++)
        p[nn_place(&m->tensors[1], i)] = -0.01f;
    memset(x, 0, (size_t)m->batch * m->input * sizeof *x);
    for (int n = 0; n < m->batch; n++) {
        size_t at = (1 + (size_t)(16 * nn_uniform(&rng))) * 18 + 1 + (size_t)(16 * nn_uniform(&rng));
        for (size_t c = 0; c < channels; c++)
            x[(size_t)n * m->input + c * plane + at] = 0.1f + nn_uniform(&rng);
        t[n] = n % 3;
    }
    m->backward(p, w, m->batch, x, t, g);
    for (size_t i = 0; i < m->tensors[0].count; i++) {
        float value = g[nn_place(&m->tensors[0], i)];
        live += i % 9 == met && value != 0;
        wrong += i % 9 != met && value != 0;
    }
    check_at(__FILE__, __LINE__, !wrong && live * 9 == (int)m->tensors[0].count, "`%s` %s, tap %zu: %d gradients are not 0, %d are",
             net->text, net->options, met, wrong, live);
    free(p), free(g), free(x), free(t), free(w);
}

static void taps_that_never_meet(void)
{
    static const char *const targets[] = {"generic", "scalar"};
    generated nets[8];
    size_t n = 0;
    for (int filter = 0; filter_option(filter); filter++)
        for (int target = 0; target < 2 - filter; target++, n++)
            nets[n] = (generated){format("taps%zu", n), "input 8x18x18; batch 7; conv 12 k3 p1; relu; globalavgpool; fc 3; softmax",
                                  format("--math=%s --target=%s", filter_option(filter), targets[target]),
                                  target ? GENERATED_C99 " -O0" : GENERATED_GNU " -O0", NULL};
    void *library = generated_build(SCRATCH "/taps", nets, n, NULL);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(nets[i].model);
        for (size_t tap = 0; tap < 9; tap++)
            check_taps(&nets[i], tap);
    }
    generated_close(library);
}

/* ---- Tokens --------------------------------------------------------------------------------------------------------- */

/* Tokens without a row of weights, at the ends of what an int can be, beside others. */
static const int tokens[2][5] = {{4, -1, 0, 5, 4}, {INT_MAX, 1, INT_MIN, 4, 2}};

static bool has_row(int token)
{
    return token >= 0 && token < 5;
}

/* What a token without a row makes is NaN. Rows get the gradient of the tokens that are theirs and no other: the other
 * tokens' dy is NaN. */
static void check_tokens(const generated *net)
{
    enum { FEATURES = 9, OUTPUTS = 2 * 5 * FEATURES };
    const nn_model *m = net->model;
    float *p = generated_memory(m->params_bytes), *g = generated_memory(m->params_bytes);
    float y[OUTPUTS], dy[OUTPUTS], weights[5 * FEATURES], gradient[5 * FEATURES], expected[5 * FEATURES] = {0};
    void *work = generated_work(m);
    CU_ASSERT_EQUAL(m->vocabulary, 5);
    nn_init(m, p, 3);
    nn_get(&m->tensors[0], p, weights);
    m->set_rng(work, 1);
    m->forward(p, work, 2, tokens, y);
    for (int i = 0; i < OUTPUTS; i++) {
        int token = tokens[0][i / FEATURES], c = i % FEATURES;
        dy[i] = has_row(token) ? (float)(i % 7) : NAN;
        check_at(__FILE__, __LINE__, has_row(token) ? y[i] == weights[token * FEATURES + c] : isnan(y[i]),
                 "%s: y[%d] is %g", net->options, i, (double)y[i]);
        if (has_row(token))
            expected[token * FEATURES + c] += dy[i];
    }
    for (int times = 1; times <= 2; times++) { /* the second time it is added to the first */
        m->backward_from(p, work, 2, tokens, dy, g, NULL);
        nn_get(&m->tensors[0], g, gradient);
        for (int i = 0; i < 5 * FEATURES; i++)
            check_at(__FILE__, __LINE__, gradient[i] == (float)times * expected[i], "%s: the gradient of weight %d is %g, not %g",
                     net->options, i, (double)gradient[i], (double)expected[i]);
        m->set_add(work, 1);
    }
    free(p), free(g), free(work);
}

static void outside_the_vocabulary(void)
{
    static const char *const unroll[] = {"none", "tile", "full", "auto"}, *const targets[] = {"scalar", "generic", "avx512"};
    generated nets[12];
    size_t n = 0;
    for (; n < 12; n++)
        nets[n] = (generated){format("tokens%zu", n), "input 5 of 5; batch 2; embedding 9; loss none",
                              format("--unroll=%s --target=%s", unroll[n % 4], targets[n / 4]),
                              n / 4 ? GENERATED_GNU " -O0" : GENERATED_C99 " -O0", NULL};
    for (int i = 0; i < 2; i++) {
        void *library = generated_build(SCRATCH "/tokens", nets, n, compilers[i]);
        for (size_t k = 0; k < n; k++) {
            CU_ASSERT_PTR_NOT_NULL_FATAL(nets[k].model);
            check_tokens(&nets[k]);
        }
        generated_close(library);
    }
}

/* ---- The head of net.c ------------------------------------------------------------------------------------------------ */

/* Is the layer's row in the table that, runs of blanks apart? */
static void check_row(const char *text, const char *options, const char *row)
{
    static const char squeezed[] = "sed -n 's/  */ /gp' " SCRATCH "/head.c | grep -qxF";
    const char *line = format("%s\n", text);
    file_write(SCRATCH "/head.nn", line, strlen(line));
    process p = nnc_run(SCRATCH, options, "--target=avx2", "head.nn", NULL);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
    process_free(&p);
    check_at(__FILE__, __LINE__, system(format("%s ' * %s'", squeezed, row)) == 0, "`%s` %s: no row `%s`", text, options, row);
}

/* A layer that ran as a follower, or whose work the loss does, had a `-` where the table should say where it runs. */
static void head(void)
{
    static const char net[] = "input 1x6x6; conv 4 k3; relu; maxpool 2; fc 10; softmax";
    folder_make(SCRATCH);
    check_row(net, "--unroll=tile", "softmax1 10 0 0 in fc1_forward in fc1_training in fc1_training");
    check_row(net, "--unroll=none", "softmax1 10 0 0 loops in loss_forward in loss_backward");
    check_row("input 4; fc 3; sigmoid", "--unroll=none", "sigmoid1 3 0 0 loops in loss_forward in loss_backward");
}

void add_contract_suite(void)
{
    static CU_TestInfo tests[] = {
        {"wrong calls", misuse},
        {"wrong calls where the gradient is the caller's", misuse_outside},
        {"gradients that are exactly 0", dead_channels},
        {"taps that never meet", taps_that_never_meet},
        {"tokens outside the vocabulary", outside_the_vocabulary},
        {"where each layer runs", head},
        CU_TEST_INFO_NULL,
    };
    add_suite("contract", NULL, NULL, tests);
}
