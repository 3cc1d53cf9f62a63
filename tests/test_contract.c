/* test_contract.c: what the public functions of a generated network promise besides right numbers.
 *
 * What has no part in the loss has a gradient of exactly 0. The head of net.c says of each layer
 * where it runs. */
#include "generated.h"
#include "nnc.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/contract"

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
    void *w = generated_memory(m->work_bytes);
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
        {"gradients that are exactly 0", dead_channels},
        {"where each layer runs", head},
        CU_TEST_INFO_NULL,
    };
    add_suite("contract", NULL, NULL, tests);
}
