/* test_bugs.c: each bug that was mended, with its story, so that it doesn't come back.
 *
 * A bug is tests/bugs/NAME.nn, the smallest network that shows it. The file begins with one to three lines of comment that
 * tell what was wrong, how it showed and what mended it. Among them may stand, each in a line of its own,
 *
 *     # nnc: OPTIONS        for nnc, such as the --unroll or --target without which the bug doesn't show
 *     # cc: OPTIONS         for the C compiler, such as -O2 or -ffast-math
 *
 * Beside it lies what it is to give:
 *
 *     NAME.err              standard error, whole; exit status 1, no files
 *     NAME.warn             standard error, whole; exit status 0
 *     neither               the network compiles, and its numbers are the interpreter's: under auto for several targets,
 *                           in each other unroll mode for one of them, with a full batch and with a part of one
 *
 * With UPDATE=1 in the environment (`make golden`) .err and .warn are rewritten. */
#include "back/back.h"
#include "generated.h"
#include "golden.h"
#include "networks.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <glob.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/bugs/"
#define TOLERANCE 1e-4        /* of the array's largest value */
#define CANCELLATION 1e-5     /* of the largest gradient of the whole network */
#define SCALED_BACK 1e-3      /* the same where batchnorm scales back what weights before it scale: the rest of their gradient is 0 */
#define NOTHING 1e-7          /* where all is about 0 */

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

enum { STORY_LINES = 3, STORY_LETTERS = 60, MAX_WORDS = 24, TRIES = 3 };

static uint64_t rng;

/* ---- The files --------------------------------------------------------------------------------------------------- */

/* One to three lines of comment at the head, options apart, that say something. */
static void check_story(const char *path)
{
    char *text = file_read(path, NULL);
    int lines = 0;
    size_t letters = 0;
    for (const char *line = text; *line == '#'; line += strcspn(line, "\n"), line += *line == '\n') {
        if (!strncmp(line, "# nnc:", 6) || !strncmp(line, "# cc:", 5))
            continue;
        lines++;
        letters += strcspn(line, "\n");
    }
    check(lines >= 1 && lines <= STORY_LINES, "%s: %d lines of comment at its head, not one to three", path, lines);
    check(letters >= STORY_LETTERS, "%s: its story is too short to be one", path);
    free(text);
}

static void stories_and_messages(void)
{
    glob_t found = {0};
    glob(FOLDER "*.nn", 0, NULL, &found);
    check(found.gl_pathc > 0, "there are no bugs");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        golden g = golden_read(found.gl_pathv[i], "# nnc:");
        check_story(found.gl_pathv[i]);
        golden_messages(&g, "err", 1);
        golden_messages(&g, "warn", 0);
        check(g.compared < 2, "%s: both .err and .warn lie beside it", found.gl_pathv[i]);
    }
    globfree(&found);
}

/* What lies in the folder and belongs to no bug would never be compared. */
static void no_orphans(void)
{
    glob_t found = {0};
    glob(FOLDER "*", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *file = found.gl_pathv[i], *suffix = strrchr(file, '.');
        bool known = suffix && (!strcmp(suffix, ".nn") || !strcmp(suffix, ".err") || !strcmp(suffix, ".warn"));
        check(known, "%s: not .nn, .err or .warn", file);
        if (known)
            check(file_exists(format("%.*s.nn", (int)(suffix - file), file)), "%s: there is no .nn of that name", file);
    }
    globfree(&found);
    free_all();
}

/* ---- Numbers --------------------------------------------------------------------------------------------------------- */

typedef struct Bug {
    const char *path, *text, *options, *cflags;
    const Net *net;
    const Prog *forward, *training;    /* training: NULL under --inference */
} Bug;

static double uniform(double low, double high)
{
    return (double)(float)(low + (high - low) * (double)nn_uniform(&rng));
}

static double *draw_array(int64_t count, double low, double high)
{
    double *v = NEW_ARRAY(double, count + 1);
    for (int64_t i = 0; i < count; i++)
        v[i] = uniform(low, high);
    return v;
}

static Binding draw_numbers(const Net *net, int n)
{
    double *t = draw_array(n * net->targets, 0, 1);
    for (int64_t i = 0; net->int_targets && i < n * net->targets; i++)
        t[i] = fmin(floor(t[i] * (double)net->loss_in->shape.c), (double)net->loss_in->shape.c - 1);
    double *x = draw_array(n * shape_count(net->input), -2, 2);
    for (int64_t i = 0; net->input.of && i < n * shape_count(net->input); i++)
        x[i] = floor((x[i] + 2) / 4 * (double)net->input.of);
    Binding b = {.n = n, .x = x, .t = t,
                 .y = NEW_ARRAY(double, n * shape_count(net->out->shape)), .weights = NEW_ARRAY(double *, net->nweights + 1),
                 .gradients = NEW_ARRAY(double *, net->nweights + 1), .rng = nn_bits(&rng)};
    for (const Weight *w = net->weights; w; w = w->next) {
        b.weights[w->id] = draw_array(w->count, w->statistic ? 0.5 : -1, w->statistic ? 2 : 1);
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
    }
    return b;
}

/* The interpreter's answer in b; for statistics, what training makes of them stands in the gradient's place. */
static void answer(const Bug *bug, Binding *b)
{
    interpret(bug->forward, b);
    if (!bug->training)
        return;
    Binding copy = *b;
    copy.weights = NEW_ARRAY(double *, bug->net->nweights + 1);
    for (const Weight *w = bug->net->weights; w; w = w->next) {
        copy.weights[w->id] = NEW_ARRAY(double, w->count);
        memcpy(copy.weights[w->id], b->weights[w->id], (size_t)w->count * sizeof(double));
    }
    if (bug->training->evaluation)
        interpret(bug->training->evaluation, &copy);
    interpret(bug->training, &copy);
    b->loss = copy.loss;
    b->inference_loss = copy.inference_loss;
    for (const Weight *w = bug->net->weights; w; w = w->next)
        if (w->statistic)
            memcpy(b->gradients[w->id], copy.weights[w->id], (size_t)w->count * sizeof(double));
}

static float *floats_of(const double *v, int64_t count)
{
    float *f = generated_memory((size_t)count * sizeof *f);
    for (int64_t i = 0; v && i < count; i++)
        f[i] = (float)v[i];
    return f;
}

/* What the compiled network answers to the numbers in b, into result. */
static void run(const Bug *bug, const nn_model *m, const Binding *b, Binding *result)
{
    const Net *net = bug->net;
    int64_t outputs = b->n * shape_count(net->out->shape), labels = b->n * net->targets;
    float *x = floats_of(b->x, b->n * shape_count(net->input)), *y = floats_of(NULL, outputs), *t = floats_of(b->t, labels);
    float *p = generated_memory(m->params_bytes), *g = generated_memory(m->params_bytes);
    void *work = generated_work(m);
    for (int64_t i = 0; net->input.of && i < b->n * shape_count(net->input); i++)
        ((int *)(void *)x)[i] = (int)b->x[i];
    for (int64_t i = 0; net->int_targets && i < labels; i++)
        ((int *)(void *)t)[i] = (int)b->t[i];
    memset(p, 0, m->params_bytes);
    for (const Weight *w = net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count; i++)
            p[nn_place(&m->tensors[w->id], (size_t)i)] = (float)b->weights[w->id][i];
    if (m->prepare)
        m->prepare(p);
    m->forward(p, work, b->n, x, y);
    for (int64_t i = 0; i < outputs; i++)
        result->y[i] = (double)y[i];
    if (m->loss)
        result->inference_loss = (double)m->loss(p, work, b->n, x, t, NULL);
    if (m->backward) {
        if (m->set_rng)
            m->set_rng(work, b->rng);
        result->loss = (double)m->backward(p, work, b->n, x, t, g);
        for (const Weight *w = net->weights; w; w = w->next)
            for (int64_t i = 0; i < w->count; i++)
                result->gradients[w->id][i] = (double)(w->statistic ? p : g)[nn_place(&m->tensors[w->id], (size_t)i)];
    }
    free(x), free(y), free(t), free(p), free(g), free(work);
}

static double largest(const double *v, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

/* The first element in which two arrays differ by more than `rounding` and a share of the largest; NULL: none. */
static const char *unlike(const char *what, const double *is, const double *right, int64_t count, double rounding)
{
    double most = TOLERANCE * largest(right, count) + rounding + NOTHING;
    for (int64_t i = 0; i < count; i++)
        if (isnan(right[i]) ? !isnan(is[i]) : is[i] != right[i] && !(fabs(is[i] - right[i]) <= most))
            return format("%s[%" PRId64 "] is %.9g, not %.9g", what, i, is[i], right[i]);
    return NULL;
}

static const char *difference(const Bug *bug, const Binding *is, const Binding *right)
{
    double all = 0;
    const char *what = unlike("output", is->y, right->y, right->n * shape_count(bug->net->out->shape), 0);
    if (!what && bug->training)
        what = unlike("loss", &is->loss, &right->loss, 1, 0);
    if (!what && bug->training)
        what = unlike("loss in inference", &is->inference_loss, &right->inference_loss, 1, 0);
    for (const Weight *w = bug->net->weights; w && bug->training; w = w->next)
        all = w->statistic ? all : fmax(all, largest(right->gradients[w->id], w->count));
    double rounding = (strstr(bug->text, "batchnorm") ? SCALED_BACK : CANCELLATION) * all;
    for (const Weight *w = bug->net->weights; w && bug->training && !what; w = w->next)
        what = unlike(format("%s of %s", w->statistic ? "training" : "the gradient", w->name), is->gradients[w->id],
                      right->gradients[w->id], w->count, w->statistic ? 0 : rounding);
    return what;
}

/* A relu or a maximum that falls to the other side by rounding does so for one draw of numbers, a bug does so for all. */
static void check_samples(const Bug *bug, const generated *g, int n)
{
    const char *what = NULL;
    for (int i = 0; i < TRIES && (i == 0 || what); i++) {
        Binding right = draw_numbers(bug->net, n), is = draw_numbers(bug->net, n);
        answer(bug, &right);
        run(bug, g->model, &right, &is);
        what = difference(bug, &is, &right);
    }
    check(!what, "%s (nnc %s; cc %s; n %d): %s", bug->path, g->options, g->cflags, n, what ? what : "");
}

/* Reads the network with its options, which nnc has accepted. */
static void understand(Bug *bug)
{
    char *words = format("%s", bug->options), *rest = NULL, *argv[MAX_WORDS + 3] = {format("nnc")};
    int n = 1;
    for (char *word = strtok_r(words, " ", &rest); word && n <= MAX_WORDS; word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    argv[n++] = format("net.nn");
    const Options options = parse_options(n, argv).options;
    bug->net = network_of(bug->text, &options);
    warning_reset();
    if (!bug->net)
        return;
    bug->forward = lower(bug->net, false);
    if (!options.inference) {
        Prog *training = lower(bug->net, true);
        differentiate(training);
        bug->training = training;
    }
}

/* ---- All of them ------------------------------------------------------------------------------------------------------- */

static const char *const unrolls[] = {"auto", "full", "tile", "none"};

/* -O0 is quick, and a bug that shows elsewhere says so. -march=native: long vectors that are taken apart are much more code, and
 * what one target shares with another is compiled once. */
static const struct {
    const char *name, *cflags;
} shapes[] = {
    {"generic", GENERATED_GNU " -O0 -march=native"},
    {"scalar", GENERATED_C99 " -O0"},
    {"avx2", GENERATED_GNU " -O0 -march=native"},
};

enum { UNROLLS = 4, SHAPES = 3, MODES = SHAPES + UNROLLS - 1 };

static Bug read_bug(const char *path)
{
    golden nnc = golden_read(path, "# nnc:"), cc = golden_read(path, "# cc:");
    char *text = file_read(path, NULL);
    Bug bug = {.path = format("%s", path), .text = format("%s", text), .options = format("%s", nnc.options),
               .cflags = format("%s", cc.options)};
    free(text);
    return bug;
}

/* A number that stays with the bug when others come. */
static unsigned turn_of(const Bug *bug)
{
    unsigned turn = 0;
    for (const char *c = bug->path; *c; c++)
        turn = 31 * turn + (unsigned char)*c;
    return turn;
}

/* auto for each target, the other unroll modes for one each; what the bug's own options say is not varied. */
static size_t add_builds(const Bug *bug, generated *nets, size_t n)
{
    bool one_unroll = strstr(bug->options, "--unroll="), one_target = strstr(bug->options, "--target=");
    for (unsigned i = 0; i < MODES; i++) {
        unsigned unroll = i < SHAPES ? 0 : i - SHAPES + 1, shape = i < SHAPES ? i : (turn_of(bug) + i) % SHAPES;
        if ((one_unroll && unroll > 0) || (one_target && i > 0 && i < SHAPES))
            continue;
        nets[n] = (generated){format("bug%zu", n), bug->text,
                              format("-Wno-all%s%s%s", one_unroll ? "" : format(" --unroll=%s", unrolls[unroll]),
                                     one_target ? "" : format(" --target=%s", shapes[shape].name), bug->options),
                              format("%s%s", shapes[one_target ? 2 : shape].cflags, bug->cflags), NULL};
        n++;
    }
    return n;
}

static void check_bug(Bug *bug, const generated *nets, const unsigned char *known, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check(nets[i].model || known[i], "%s (nnc %s; cc %s) does not build", bug->path, nets[i].options, nets[i].cflags);
        if (!nets[i].model)
            continue;
        if (!bug->net)
            understand(bug);
        check(bug->net != NULL, "%s: is refused here, but not by nnc: %s", bug->path, network_messages());
        if (!bug->net)
            return;
        int batch = (int)bug->net->batch;
        check_samples(bug, &nets[i], batch);
        if (batch > 2)
            check_samples(bug, &nets[i], (batch + 1) / 2);
    }
}

static void numbers(void)
{
    glob_t found = {0};
    rng = test_seed();
    glob(FOLDER "*.nn", 0, NULL, &found);
    size_t count = found.gl_pathc, n = 0;
    Bug *bugs = NEW_ARRAY(Bug, (int64_t)count + 1);
    size_t *first = NEW_ARRAY(size_t, (int64_t)count + 1);
    generated *nets = NEW_ARRAY(generated, (int64_t)count * MODES + 1);
    unsigned char *known = NEW_ARRAY(unsigned char, (int64_t)count * MODES + 1);
    for (size_t i = 0; i < count; i++) {
        golden g = golden_read(found.gl_pathv[i], "# nnc:");
        bugs[i] = read_bug(found.gl_pathv[i]);
        first[i] = n;
        if (!golden_has(&g, "err") && !golden_has(&g, "warn"))
            n = add_builds(&bugs[i], nets, n);
    }
    first[count] = n;
    globfree(&found);
    void *library = generated_build_new("build/tests/tmp/bugs", nets, n, NULL, known);
    for (size_t i = 0; i < count; i++)
        check_bug(&bugs[i], nets + first[i], known + first[i], first[i + 1] - first[i]);
    generated_close(library);
    free_all();
}

void add_bugs_suite(void)
{
    static CU_TestInfo tests[] = {
        {"stories and messages", stories_and_messages}, {"no orphans", no_orphans}, {"numbers", numbers}, CU_TEST_INFO_NULL,
    };
    add_suite("bugs", networks_start, networks_end, tests);
    add_to_check("bugs", "stories and messages");
    add_to_check("bugs", "no orphans");
}
