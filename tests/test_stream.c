/* test_stream.c: networks made with --stream: one position of a sequence at a time.
 *
 * Whatever net_forward answers at a position net_next has to answer there, too, given the positions before. Random
 * networks over all kinds that can be streamed are held against that in three ways: the interpreter's answer to one
 * position after the other against its answer to the whole sequence; the nodes, executed, against the interpreter; and
 * the C, in every mode and for several targets, against its own net_forward, with two sequences that take turns. What
 * is drawn follows from SEED. The kinds that are refused have golden messages (golden/errors/stream_*). */
#include "cases.h"
#include "generated.h"
#include "back/loops.h"
#include "networks.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/stream"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

enum { NETWORKS = 300, COMPILED = 12, SEQUENCES = 2 };

/* ---- Drawing ------------------------------------------------------------------------------------------------ */

static const char *draw_layer(Shape in)
{
    static const char *const alone[] = {"relu", "tanh", "sigmoid", "gelu", "softmax", "layernorm", "dropout 0.3", "batchnorm",
                                        "prelu channels=true", "normalize mean=0.1 std=2", "slice 0 1"};
    const int size = draw_size(), kernel = between(1, 4), dilation = between(1, 3), groups = between(1, 3);
    switch (between(0, 9)) {
    case 0: case 1: return alone[between(0, sizeof alone / sizeof *alone - 1)];
    case 2: return format("fc %d", size);
    case 3: return format("rnn %d", size);
    case 4: return format("gru %d", size);
    case 5: return format("lstm %d%s", size, between(0, 2) ? "" : " bias=false");
    case 6: return format("positions%s", in.c % 2 || between(0, 1) ? "" : " sincos");
    case 7: return format("conv1d %d k%d d%d%s pad=causal", size * groups, kernel, dilation,
                          in.c % groups ? "" : format(" g%d", groups));
    case 8: return between(0, 2) ? format("conv1d %d k%d pad=causal", size, kernel) : format("conv1d %d k1", size);
    default: return format("attention %d causal=true%s", in.c % 2 ? 1 : 2, between(0, 1) ? "" : " dropout=0.2");
    }
}

/* Layers, sometimes with a branch around some of them. most: of them, 1 or more. */
static bool draw_stream(Case *c, int most)
{
    const Options options = c->options;
    const int positions = between(1, 12), layers = between(1, most), from = between(0, layers - 1);
    const bool branch = between(0, 1);
    const char *text = between(0, 3) ? format("input %dx%d", positions, draw_size())
                                     : format("input %d of %d; embedding %d", positions, between(1, 20), draw_size());
    for (int i = 0; i < layers; i++) {
        text = format("%s; %s%s", text, branch && i == from ? "a: " : "", "");
        c->text = format("%s%s", text, i == 0 ? "tanh" : "relu");
        c->options = options;
        const Net *net = network_of(c->text, &c->options);
        if (!net)
            return false;
        text = format("%s%s", text, draw_layer(net->out->shape));
    }
    c->text = branch ? format("%s; %s a", text, between(0, 1) ? "concat" : "add") : text;
    return understand(c);
}

static const char *const unrolls[] = {"auto", "full", "tile", "none"};

static Case stream_case(int i)
{
    return (Case){.options = {.unroll = (Unroll)(i % 4), .target = (TargetName)(i / 4 % NTARGETS), .stream = true,
                              .inference = i / 5 % 3 == 2}};
}

static const char *case_text(const Case *c)
{
    return format("`%s` (--stream --unroll=%s --target=%s%s)", c->text, unrolls[c->options.unroll],
                  machines[c->options.target].name, c->options.inference ? " --inference" : "");
}

/* ---- Without a C compiler ----------------------------------------------------------------------------------- */

static int64_t state_count(const Prog *next)
{
    int64_t count = 0;
    for (const Tensor *t = next->tensors; t; t = t->next)
        count += t->role == TENSOR_STATE ? t->count : 0;
    return count;
}

static double greatest_difference(const double *a, const double *b, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = isnan(a[i] - b[i]) ? INFINITY : fmax(most, fabs(a[i] - b[i]) / fmax(1, fabs(a[i])));
    return most;
}

static Plan *plan_of(const Case *c, Prog *next)
{
    Options *options = NEW(Options);
    *options = c->options;
    options->prefix = "net";
    Prog *forward = lower(c->net, false), *training = options->inference ? NULL : lower(c->net, true);
    forward->next = next;
    if (training)
        differentiate(training);
    Plan *plan = make_plan(c->net, forward, training, options);
    verify_plan(plan);
    return plan;
}

/* What is wrong; NULL: nothing. */
static const char *step_by_step(const Case *c)
{
    Prog *next = lower_next(c->net);
    verify_prog(next);
    const Plan *plan = plan_of(c, next);
    Binding whole = draw_numbers(c, 1);
    interpret(lower(c->net, false), &whole);
    const int64_t positions = positions_in(c->net), inputs = shape_count(c->net->input) / positions;
    const int64_t outputs = shape_count(c->net->out->shape) / positions;
    Binding one = whole, nodes = whole;
    one.y = NEW_ARRAY(double, outputs);
    nodes.y = NEW_ARRAY(double, outputs);
    one.state = NEW_ARRAY(double, state_count(next) + 1);
    nodes.state = NEW_ARRAY(double, state_count(next) + 1);
    for (int64_t t = 0; t < positions; t++) {
        one.x = nodes.x = whole.x + t * inputs;
        one.position = nodes.position = t;
        interpret(next, &one);
        run_loops(plan, &plan->next, &nodes);
        double wrong = greatest_difference(whole.y + t * outputs, one.y, outputs);
        if (wrong > 1e-6)
            return format("position %d differs from the sequence by %g", (int)t, wrong);
        wrong = fmax(greatest_difference(one.y, nodes.y, outputs),
                     greatest_difference(one.state, nodes.state, state_count(next)));
        if (wrong > 1e-6)
            return format("at position %d the nodes differ from the interpreter by %g", (int)t, wrong);
    }
    return NULL;
}

static void interpreted(void)
{
    int failures = 0;
    draw_from(test_seed());
    for (int i = 0; i < NETWORKS; i++) {
        Case c = stream_case(i);
        while (!draw_stream(&c, 6))
            ;
        const char *wrong = step_by_step(&c);
        if (wrong && failures++ < 5)
            fprintf(stderr, "\n%s: %s\n", case_text(&c), wrong);
        free_all();
    }
    CU_ASSERT_EQUAL(failures, 0);
}

/* Each example of each kind: it is refused, or right. */
static void kinds_of_table(void)
{
    int refused = 0, right = 0;
    for (int k = 0; k < nkinds; k++)
        for (const char *example = kinds[k]->role == ROLE_LAYER ? kinds[k]->examples : NULL; example && *example;) {
            const size_t length = strcspn(example, "|");
            Case c = {.text = format("%.*s", (int)length, example), .options = {.inference = true}};
            example += length + (example[length] != '\0');
            const Net *net = network_of(c.text, &c.options);
            c.options.stream = true;
            const bool sequence = net && (net->input.rank == 2 || net->input.of);
            if (sequence && understand(&c)) {
                const char *wrong = step_by_step(&c);
                check(!wrong, "%s: %s", case_text(&c), wrong);
                right++;
            } else if (net) {
                check(!network_of(c.text, &c.options) && strstr(network_messages(), " [stream]\n"), "%s: %s", case_text(&c),
                      network_messages());
                refused++;
            }
        }
    free_all();
    check(right > 40 && refused > 40, "%d examples can be streamed, %d can't", right, refused);
}

/* ---- The C -------------------------------------------------------------------------------------------------- */

typedef struct Stream {
    const nn_model *model;
    size_t positions, inputs, outputs; /* of one position */
    void *p, *w;
} Stream;

static Stream open_stream(const nn_model *m, size_t positions)
{
    Stream s = {m, positions, m->input / positions, m->output / positions, generated_memory(m->params_bytes), generated_work(m)};
    memset(s.p, 0, m->params_bytes);
    nn_init(m, s.p, 3);
    return s;
}

static void close_stream(Stream *s)
{
    free(s->p), free(s->w);
}

static void *new_state(const nn_model *m)
{
    void *state = generated_memory(m->state_bytes);
    memset(state, 0, m->state_bytes);
    return state;
}

/* Numbers, or tokens: n of what the network takes. */
static void *draw_input(const nn_model *m, size_t n)
{
    float *x = generated_memory((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        if (m->vocabulary)
            ((int *)(void *)x)[i] = between(0, (int)m->vocabulary - 1);
        else
            x[i] = (float)uniform(-1, 1);
    return x;
}

static float *draw_floats(size_t n)
{
    float *x = generated_memory((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)uniform(-1, 1);
    return x;
}

static float worst(const float *a, const float *b, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = isnan(a[i] - b[i]) ? INFINITY : fmaxf(most, fabsf(a[i] - b[i]) / fmaxf(1, fabsf(a[i])));
    return most;
}

/* Two sequences take turns. Behind the last position a network that counts them gives 0 and touches nothing; one that
 * doesn't goes on. */
static void take_turns(const char *text, const nn_model *m, size_t positions)
{
    Stream s = open_stream(m, positions);
    const bool counts = strstr(text, "attention") || strstr(text, "positions");
    float *x[SEQUENCES], *y[SEQUENCES], *one = generated_memory((s.outputs + 1) * sizeof *one);
    void *state[SEQUENCES], *before = generated_memory(m->state_bytes);
    for (int k = 0; k < SEQUENCES; k++) {
        x[k] = draw_input(m, m->input);
        y[k] = generated_memory(m->output * sizeof **y);
        m->forward(s.p, s.w, 1, x[k], y[k]);
        state[k] = new_state(m);
    }
    for (size_t t = 0; t < s.positions; t++)
        for (int k = 0; k < SEQUENCES; k++) {
            int more = m->next(s.p, state[k], s.w, x[k] + t * s.inputs, one);
            float wrong = worst(y[k] + t * s.outputs, one, s.outputs);
            check(more == 1 && wrong < 1e-4f, "%s: position %zu differs by %g", text, t, (double)wrong);
        }
    for (size_t i = 0; i < s.outputs; i++)
        one[i] = 77;
    memcpy(before, state[0], m->state_bytes);
    int more = m->next(s.p, state[0], s.w, x[0], one);
    bool touched = memcmp(before, state[0], m->state_bytes) != 0 || one[0] != 77;
    check(more == !counts && (counts ? !touched : one[0] != 77), "%s: behind the last position: %d", text, more);
    for (int k = 0; k < SEQUENCES; k++)
        free(x[k]), free(y[k]), free(state[k]);
    free(one), free(before);
    close_stream(&s);
}

/* Every mode for three targets. */
static void compiled(void)
{
    static const TargetName targets[] = {TARGET_GENERIC, TARGET_SCALAR, TARGET_AVX2};
    Case cases[COMPILED];
    generated nets[COMPILED];
    draw_from(test_seed() + 1);
    for (int i = 0; i < COMPILED; i++) {
        Case *c = &cases[i];
        *c = stream_case(i);
        c->options.target = targets[i / 4 % 3];
        while (!draw_stream(c, 5) || points_of(c->backward) > 8000)
            ;
        const char *text = format("%s; loss mse", c->text);
        nets[i] = (generated){.prefix = format("s%d", i), .text = text,
                              .options = format("--stream --unroll=%s --target=%s%s -Wno-all", unrolls[c->options.unroll],
                                                machines[c->options.target].name, c->options.inference ? " --inference" : ""),
                              .cflags = c->options.target == TARGET_SCALAR ? GENERATED_C99
                                        : c->options.target == TARGET_AVX2 ? GENERATED_GNU " -mavx2 -mfma" : GENERATED_GNU};
    }
    void *library = generated_build(SCRATCH, nets, COMPILED, NULL);
    for (int i = 0; i < COMPILED; i++) {
        check(nets[i].model != NULL, "%s doesn't compile", case_text(&cases[i]));
        if (nets[i].model)
            take_turns(case_text(&cases[i]), nets[i].model, (size_t)positions_in(cases[i].net));
    }
    generated_close(library);
    free_all();
}

/* ---- Sanitizers --------------------------------------------------------------------------------------------- */

static const char *const watched[] = {
    "input 7x3; conv1d 5 k3 d2 pad=causal; relu; gru 5; x: fc 6; layernorm; attention 2 causal=true; add x; fc 3; softmax",
    "input 5x6; positions sincos; x:; lstm 3; concat x; attention 3 causal=true; tanh; fc 2",
};

/* x, y and the state end where their heap blocks end; two rounds, of which a network that counts refuses the second. */
static const char driver[] =
    "#include <stdlib.h>\n#include \"net.h\"\n\n"
    "int main(void)\n{\n"
    "    const nn_model *m = &net_model;\n"
    "    uint64_t rng = 1;\n"
    "    size_t inputs = m->input / T, outputs = m->output / T;\n"
    "    void *p = aligned_alloc(64, m->params_bytes), *w = aligned_alloc(64, m->work_bytes), *s = aligned_alloc(64, m->state_bytes);\n"
    "    float *x = malloc(inputs * sizeof *x), *y = malloc(outputs * sizeof *y);\n"
    "    for (size_t i = 0; i < m->state_bytes; i++)\n        ((char *)s)[i] = 0;\n"
    "    nn_init(m, p, 1);\n"
    "    int good = 1;\n"
    "    for (int t = 0; t < 2 * T; t++) {\n"
    "        for (size_t i = 0; i < inputs; i++)\n            x[i] = nn_uniform(&rng) - 0.5f;\n"
    "        good &= m->next(p, s, w, x, y) == (t < T);\n"
    "    }\n"
    "    free(p), free(w), free(s), free(x), free(y);\n"
    "    return !good;\n}\n";

static void sanitized(void)
{
    folder_make(SCRATCH "/watched");
    const char *commands = "cd " SCRATCH "/watched";
    for (int i = 0; i < 4; i++) { /* a mode each */
        const char *text = watched[i % 2], *folder = format(SCRATCH "/watched/%d", i);
        folder_make(folder);
        file_write(format("%s/net.nn", folder), text, strlen(text));
        file_write(format("%s/main.c", folder), driver, strlen(driver));
        commands = format("%s && (cd %d && ../../../../../nnc --stream --inference --unroll=%s --target=%s net.nn -o net.c && clang -O0 "
                          "-std=gnu11 -DT=%d -DNN_ANY_PROCESSOR -fsanitize=address,undefined -fno-sanitize-recover=all "
                          "-I../../../../../../runtime main.c net.c ../../../../../../runtime/{init,check,tensors,random}*.c -lm -o main "
                          "&& ./main)", commands, i, unrolls[i], i < 2 ? "generic" : "scalar", i % 2 ? 5 : 7);
    }
    process run = process_run(".", (const char *const[]){"/bin/bash", "-c", commands, NULL}, NULL, 0, NULL);
    check(run.status == 0, "%.2000s%.2000s", run.out, run.err);
    process_free(&run);
}

/* ---- A GPT --------------------------------------------------------------------------------------------------- */

/* The one of nnc(5), but for its size; and with its embedding's weights as those of its last layer. */
static void gpt(void)
{
    static const char *const ends[] = {"fc 40 bias=false", "fc 40 weights=tokens"};
    generated nets[2];
    for (int i = 0; i < 2; i++)
        nets[i] = (generated){.prefix = i ? "tied" : "gpt", .options = "--stream --inference --target=avx2 --batch=1",
                              .cflags = GENERATED_GNU " -mavx2 -mfma",
                              .text = format("input 24 of 40; tokens: embedding 32; positions; repeat 2 { a:; layernorm; attention 4 "
                                             "causal=true; add a; b:; layernorm; fc 64; gelu tanh=true; fc 32; add b }; layernorm; "
                                             "%s; softmax", ends[i])};
    void *library = generated_build(SCRATCH "/gpt", nets, 2, NULL);
    CU_ASSERT_FATAL(library && nets[0].model && nets[1].model);
    draw_from(11);
    for (int i = 0; i < 2; i++)
        take_turns(nets[i].text, nets[i].model, 24);
    generated_close(library);
    free_all();
}

/* ---- For ever ----------------------------------------------------------------------------------------------- */

/* Recurrent and convolutional networks of 4 positions go on as those of 40 do, whose weights are the same. */
static void for_ever(void)
{
    static const char *const layers[] = {"conv1d 5 k3 d2 pad=causal; tanh; gru 4; lstm 6; fc 3", "rnn 3; conv1d 4 k4 pad=causal g1"};
    generated nets[4];
    for (int i = 0; i < 4; i++)
        nets[i] = (generated){.prefix = format("e%d", i), .text = format("input %dx2; %s", i % 2 ? 40 : 4, layers[i / 2]),
                              .options = "--stream --inference --target=scalar", .cflags = GENERATED_C99};
    void *library = generated_build(SCRATCH "/ever", nets, 4, NULL);
    CU_ASSERT_FATAL(library != NULL);
    draw_from(7);
    for (int i = 0; i < 4; i += 2) {
        CU_ASSERT_FATAL(nets[i].model && nets[i + 1].model);
        Stream brief = open_stream(nets[i].model, 4), whole = open_stream(nets[i + 1].model, 40);
        const size_t outputs = brief.outputs;
        float *x = draw_floats(whole.model->input), *y = generated_memory(whole.model->output * sizeof *y);
        float *one = generated_memory(outputs * sizeof *one);
        void *state = new_state(brief.model);
        whole.model->forward(whole.p, whole.w, 1, x, y);
        for (size_t t = 0; t < 40; t++) {
            int more = brief.model->next(brief.p, state, brief.w, x + 2 * t, one);
            check(more == 1 && worst(y + t * outputs, one, outputs) < 1e-5f, "`%s`: position %zu", nets[i].text, t);
        }
        free(x), free(y), free(one), free(state);
        close_stream(&brief), close_stream(&whole);
    }
    generated_close(library);
    free_all();
}

/* ---- Where the answer lies ---------------------------------------------------------------------------------- */

/* Of several inputs and answers each has its part of one position, one behind the other. */
static void several(void)
{
    generated net = {.prefix = "parts", .text = "u: input 5x2; v: input 5x3; h: lstm 4; from u; k: gru 2; output h k; loss none",
                     .options = "--stream", .cflags = GENERATED_GNU};
    void *library = generated_build(SCRATCH "/several", &net, 1, NULL);
    CU_ASSERT_FATAL(library && net.model);
    Stream s = open_stream(net.model, 5);
    draw_from(9);
    float *x = draw_floats(25), y[30], one[6], here[5];
    void *state = new_state(net.model);
    s.model->forward(s.p, s.w, 1, x, y);
    for (int t = 0; t < 5; t++) {
        memcpy(here, x + 2 * t, 2 * sizeof *x);
        memcpy(here + 2, x + 10 + 3 * t, 3 * sizeof *x);
        check(s.model->next(s.p, state, s.w, here, one) == 1, "position %d", t);
        check(worst(y + 4 * t, one, 4) < 1e-5f && worst(y + 20 + 2 * t, one + 4, 2) < 1e-5f, "parts at position %d", t);
    }
    free(x), free(state);
    close_stream(&s);
    generated_close(library);
}

/* Without --stream a network has none of it. */
static void without(void)
{
    generated net = {.prefix = "plain", .text = "input 5x2; lstm 3", .options = "", .cflags = GENERATED_GNU};
    void *library = generated_build(SCRATCH "/plain", &net, 1, NULL);
    CU_ASSERT_FATAL(library && net.model);
    CU_ASSERT(!net.model->next && !net.model->state_bytes);
    generated_close(library);
}

/* ---- The suite ---------------------------------------------------------------------------------------------- */

void add_stream_suite(void)
{
    static CU_TestInfo tests[] = {
        {"interpreter and nodes", interpreted}, {"each kind", kinds_of_table}, {"generated C", compiled}, {"sanitizers", sanitized}, {"a GPT", gpt}, {"for ever", for_ever},
        {"several inputs and answers", several}, {"without --stream", without}, CU_TEST_INFO_NULL};
    add_suite("stream", networks_start, networks_end, tests);
    add_to_check("stream", "interpreter and nodes");
    add_to_check("stream", "each kind");
}
