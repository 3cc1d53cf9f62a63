/* test_pytorch.c: --pytorch: every kind is said in PyTorch, and the modules compute what the interpreter does.
 *
 * Each example of each kind is printed as a module, its weights are written as a file, and tests/torch/module.py, where there
 * is a PyTorch, runs it: the file must come back to the byte, answers, loss and gradients must be those of the interpreter. A
 * kind without its text, or with one that does not fit an example, fails without PyTorch. One network goes the whole way of
 * files: from the C that nnc writes to PyTorch and back. */
#include "cases.h"
#include "generated.h"
#include "networks.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/pytorch"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

enum { SAMPLES = 3 };

/* Networks beside the examples: names that are no attributes, branches, tied weights, several inputs and answers. */
static const char *const networks[] = {
    ("input 3x6x6; \"layer1.0.conv1\": conv 4 k3 p1; relu; \"0\":; \"layer1.0.conv-2\": conv 4 k3 p1; add \"0\"; \"layer1\": conv 4 k1; "
     "\"layer1.0\": batchnorm; globalavgpool; half: fc 6; lambda: fc 5; forward: fc 4; \"type.to\": fc 3; softmax"),
    "left: input 3x4x4; right: input 5; from left; conv 2 k3; a: flatten; from right; fc 8; add a; b: fc 3; output a b; loss none",
    "input 6; a: fc 4; tanh; freeze; fc 6; sigmoid; fc 4 weights=a",
    "input 4x5; x: rnn 5; tanh; rnn 5 weights=x; globalavgpool; fc 3; softmax",
};

static FILE *cases;

static double to_float(double v)
{
    return (double)(float)v;
}

static void put_numbers(const char *name, const double *v, int64_t count)
{
    fprintf(cases, "\"%s\": [", name);
    for (int64_t i = 0; i < count; i++)
        fprintf(cases, "%.17g, ", v[i]);
    fprintf(cases, "], ");
}

static void put_shape(const char *name, Shape s)
{
    fprintf(cases, "\"%s\": [%lld", name, (long long)(s.rank == 2 ? s.h : s.c));
    if (s.rank > 1)
        fprintf(cases, ", %lld", (long long)(s.rank == 2 ? s.c : s.h));
    fprintf(cases, s.rank > 2 ? ", %lld], " : "], ", (long long)s.w);
}

static void put_text(const char *name, const char *text)
{
    fprintf(cases, "\"%s\": \"", name);
    for (; *text; text++)
        if (*text == '\n')
            fprintf(cases, "\\n");
        else
            fprintf(cases, "%s%c", strchr("\"\\", *text) ? "\\" : "", *text);
    fprintf(cases, "\", ");
}

/* The case with numbers, and what the interpreter makes of them. The weights as the file will have them. */
static void put_answers(const Case *c)
{
    const Net *net = c->net;
    Binding drawn = draw_numbers(c, SAMPLES), b = changed(c, &drawn, to_float);
    const bool learns = !net->from_caller && !c->backward->draws;
    answer(c, &b);
    fprintf(cases, "\"n\": %d, \"weights\": [", SAMPLES);
    for (const Weight *w = net->weights; w; w = w->next) {
        fprintf(cases, "(\"%s\", [", w->name);
        for (int i = 0; i < w->rank; i++)
            fprintf(cases, "%lld, ", (long long)w->dim[i]);
        fprintf(cases, "], {");
        put_numbers("v", b.weights[w->id], w->count);
        fprintf(cases, "}), ");
    }
    fprintf(cases, "], ");
    put_shape("shape", net->input);
    put_numbers("x", b.x, SAMPLES * shape_count(net->input));
    put_numbers("y", b.y, SAMPLES * shape_count(net->out->shape));
    put_numbers("t", b.t, SAMPLES * net->targets);
    Shape targets = net->loss_in->shape;
    if (net->int_targets)
        targets = targets.rank == 3 ? sequence_shape(targets.h, targets.w) : flat_shape(net->targets);
    put_shape("target_shape", targets);
    fprintf(cases, "\"int_targets\": %d, \"int_input\": %d, ", net->int_targets, c->backward->x->is_int);
    fprintf(cases, net->from_caller ? "\"loss\": None, " : "\"loss\": %.17g, ", b.inference_loss);
    fprintf(cases, "\"gradients\": %s", learns ? "{" : "None");
    for (const Weight *w = net->weights; w && learns; w = w->next)
        if (!w->statistic)
            put_numbers(w->name, b.gradients[w->id], w->count);
    fprintf(cases, learns ? "}" : "");
}

static int number;

static void one_case(const char *text)
{
    const char *loss = strstr(text, "; loss");
    if (loss && !memchr(text, ';', (size_t)(loss - text))) /* a loss of the input: give it a layer */
        text = format("%.*s; leakyrelu%s", (int)(loss - text), text, loss);
    Case c = {.text = text, .options = {.input_file = "net.nn", .prefix = "net"}};
    if (!understand(&c)) {
        check(false, "not understood: %s", text);
        return;
    }
    TextStream module;
    print_pytorch(open_text(&module), c.net, "net");
    close_text(&module);
    fprintf(cases, "{");
    put_text("text", text);
    put_text("module", module.text);
    put_answers(&c);
    fprintf(cases, "},\n");
    free(module.text);
    number++;
    free_all();
}

/* Prints all examples of all kinds; a kind that is not said in PyTorch, or not rightly, is a bug that the runner reports. */
static void each_example(void)
{
    folder_make(SCRATCH);
    cases = fopen(SCRATCH "/cases.py", "w");
    number = 0;
    fprintf(cases, "nan, inf = float('nan'), float('inf')\nCASES = [\n");
    draw_from(test_seed());
    for (int i = 0; i < nkinds; i++) {
        bool computes = kinds[i]->role == ROLE_LAYER || kinds[i]->role == ROLE_LOSS;
        check(!computes || kinds[i]->torch, "%s is not said in PyTorch: its kind lacks .torch, which compiler/pytorch.c explains",
              kinds[i]->name);
        if (computes && !kinds[i]->torch)
            continue;
        const char *example = kinds[i]->examples;
        while (example) {
            char *text = strndup(example, strcspn(example, "|"));
            one_case(text);
            free(text);
            example = strchr(example, '|') ? strchr(example, '|') + 1 : NULL;
        }
    }
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        one_case(networks[i]);
    fprintf(cases, "]\nTAKEN = '%s'.split()\n", words_of_pytorch);
    fclose(cases);
}

static const char *python(void)
{
    return command_succeeds("python3 -c 'import torch'") ? "python3" : "/usr/bin/python3";
}

static bool has_torch(void)
{
    return command_succeeds("python3 -c 'import torch'") || command_succeeds("/usr/bin/python3 -c 'import torch'");
}

static void in_torch(void)
{
    const char *argv[] = {python(), "tests/torch/module.py", SCRATCH, NULL};
    process run = process_run(".", argv, NULL, 0, NULL);
    check(run.status == 0, "of %d modules: exit status %d\n%.3000s%.2000s", number, run.status, run.out, run.err);
    process_free(&run);
}

/* What nn_save writes PyTorch reads, and answers as the C does; what its module writes nn_load reads. */
static void there_and_back(void)
{
    static const char text[] = "input 3x9x9; \"stem.0\": conv 12 k3 s2; batchnorm; relu; maxpool 2; body: conv 5 k2; prelu; fc 9; softmax";
    enum { N = 4 };
    generated net = {.prefix = "net", .text = text, .options = "--unroll=tile", .cflags = GENERATED_GNU};
    void *library = generated_build(SCRATCH "/files", &net, 1, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(net.model);
    const nn_model *m = net.model;
    float *p = generated_memory(m->params_bytes), *q = generated_memory(m->params_bytes);
    float *x = generated_memory(N * m->input * sizeof *x), *y = generated_memory(N * m->output * sizeof *y);
    float *z = generated_memory(N * m->output * sizeof *z);
    void *work = generated_work(m);
    memset(p, 0, m->params_bytes);
    memset(q, 0, m->params_bytes);
    nn_init(m, p, 7);
    for (size_t i = 0; i < N * m->input; i++)
        x[i] = (float)(i % 17) / 8 - 1;
    m->forward(p, work, N, x, y);
    CU_ASSERT_EQUAL(nn_save(m, p, SCRATCH "/files/net.safetensors"), 0);
    process module = nnc_run(SCRATCH "/files", "--pytorch", "net.nn", NULL);
    file_write(SCRATCH "/files/module_net.py", module.out, module.out_length);
    process_free(&module);
    static const char script[] =
        "import torch; from module_net import Net, load, save; n = Net(); load(n, 'net.safetensors'); save(n, 'back.safetensors')\n"
        "n.eval(); x = (torch.arange(4 * 243) % 17).float().reshape(4, 3, 9, 9) / 8 - 1\n"
        "for v in n(x).flatten().tolist(): print(v)";
    const char *argv[] = {python(), "-B", "-c", script, NULL};
    process run = process_run(SCRATCH "/files", argv, NULL, 0, NULL);
    check(run.status == 0, "%s", run.err);
    char *at = run.out;
    for (size_t i = 0; i < N * m->output; i++) {
        double v = strtod(at, &at);
        check(v > y[i] - 1e-6 && v < y[i] + 1e-6, "answer %zu is %g, in PyTorch %g", i, (double)y[i], v);
    }
    process_free(&run);
    CU_ASSERT_EQUAL(nn_load(m, q, SCRATCH "/files/back.safetensors"), 0);
    m->forward(q, work, N, x, z);
    CU_ASSERT_EQUAL(memcmp(y, z, N * m->output * sizeof *y), 0);
    free(p), free(q), free(x), free(y), free(z), free(work);
    generated_close(library);
}

void add_pytorch_suite(void)
{
    static CU_TestInfo tests[] = {
        {"each kind is said in PyTorch", each_example}, {"the modules compute what nnc does", in_torch},
        {"files of weights, there and back", there_and_back}, CU_TEST_INFO_NULL,
    };
    static const test_need torch = {has_torch, "a python3 with torch", "python3-torch"};
    add_suite("pytorch", networks_start, networks_end, tests);
    add_need("pytorch", "the modules compute what nnc does", &torch);
    add_need("pytorch", "files of weights, there and back", &torch);
    add_to_check("pytorch", "each kind is said in PyTorch");
}
