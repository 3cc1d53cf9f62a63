/* test_head.c: the table of layers at the head of net.c says of each layer where its work runs, and what functions are called.
 *
 * A layer has work in a pass where the Prog has statements of it. Its cell then names what does that: its own functions, the
 * function of another layer that has its values in registers, what it is folded into, or "in place" where it only gives a value
 * another name. Without statements the cell is "-", but for a softmax that the loss does. A function that the table names is one of
 * the pass. Held for the networks of tests/bench, examples and tests/golden/stages, in all modes. */
#include "networks.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

/* ---- Plans ---- */

typedef struct Stages {
    Prog *forward, *training; /* as make_plan gets them; training NULL: inference alone */
    Plan *plan;
} Stages;

static Stages stages_of(const Net *net, const Options *options)
{
    Stages stages = {lower(net, false), NULL, NULL};
    if (options->inference)
        fold(stages.forward);
    else {
        stages.training = lower(net, true);
        differentiate(stages.training);
    }
    stages.plan = make_plan(net, stages.forward, stages.training, options);
    return stages;
}

/* By 2 * layer's id + backward: has the Prog statements of it? make_plan works on copies. */
static bool *working(const Prog *prog)
{
    bool *work = NEW_ARRAY(bool, 2 * (prog->net->nlayers + 1));
    for (const Statement *s = prog->statements; s; s = s->next)
        work[2 * s->layer->id + s->backward] = true;
    return work;
}

/* ---- The table ---- */

/* What stands in a row from that column on, up to two spaces or the line's end. */
static const char *cell(const char *row, long column)
{
    size_t length = 0;
    const char *c = row + column;
    while (c[length] != '\n' && strncmp(c + length, "  ", 2))
        length++;
    return copy_text(c, length);
}

static bool has_function(const Pass *pass, const char *name)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (!strcmp(f->name, name))
            return true;
    return false;
}

static void check_cell(const char *what, const Layer *layer, const char *text, const Pass *pass, bool works)
{
    check(strcmp(text, "-") || !works, "%s: %s has work, and the head says -", what, layer->name);
    check(!strcmp(text, "-") || works || !strncmp(text, "in ", 3), "%s: %s has no work, and the head says %s", what, layer->name,
          text);
    if (!strncmp(text, "in ", 3) && strcmp(text, "in place"))
        check(has_function(pass, text + 3), "%s: %s is %s, which is none of the functions", what, layer->name, text);
}

static void check_head(const char *what, const Net *net, const Stages *stages)
{
    TextStream head;
    put_head(open_text(&head), stages->plan);
    close_text(&head);
    const char *titles = strstr(head.text, "\n * layer ") + 1, *row = titles;
    const long forward = strstr(titles, " forward") + 1 - titles;
    const char *end = strchr(titles, '\n'), *at = strstr(titles, " training"), *back = strstr(titles, " backward");
    const bool *work = working(stages->forward), *trains = stages->training ? working(stages->training) : NULL;
    check(!trains == !(back && back < end), "%s: a column for the backward pass", what);
    check(!trains || !stages->plan->training.samples || (at && at < end), "%s: no column for samples in lanes", what);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const int id = 2 * layer->id;
        row = strchr(row, '\n') + 1;
        check_cell(what, layer, cell(row, forward), &stages->plan->forward, work[id]);
        if (!trains)
            continue;
        if (at && at < end)
            check_cell(what, layer, cell(row, at + 1 - titles), &stages->plan->training, trains[id]);
        check_cell(what, layer, cell(row, back + 1 - titles), &stages->plan->training, trains[id + 1]);
    }
    free(head.text);
}

/* ---- The functions ---- */

/* A function that several layers share has the name of what it does, not that of the first of them; one name is one function. */
static void check_names(const char *what, const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next) {
        const char *layer = format("%s_", c_name(f->layer->name));
        const bool own = !strncmp(f->name, layer, strlen(layer));
        check(!f->shared || !own || strlen(f->name) > 50, "%s: %s is shared", what, f->name);
        check(strlen(f->name) <= 63 || own, "%s: %s has over 63 characters", what, f->name);
        for (const Function *g = f->next; g; g = g->next)
            check(strcmp(f->name, g->name) || (f->twin ? f->twin : f) == (g->twin ? g->twin : g), "%s: %s are two functions", what,
                  f->name);
    }
}

static void task_names(void)
{
    static const char *const names[] = {"conv3x3_64_64_on_8x8_backward_weights", "conv3x3_32_32_on_16x16_training",
                                        "batchnorm_16_on_32x32_forward", "fc1_training"};
    Options o = {.target = TARGET_AVX2, .prefix = "net"};
    char *text = file_read("tests/bench/N6.nn", NULL);
    const Stages stages = stages_of(network_of(text, &o), &o);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check(has_function(&stages.plan->training, names[i]), "ResNet-20 has no %s", names[i]);
    free(text);
    free_all();
}

/* ---- The networks ---- */

static void check_network(const char *path, const char *text)
{
    static const Options options[] = {
        {.target = TARGET_AVX2},
        {.target = TARGET_AVX512, .unroll = UNROLL_TILE},
        {.target = TARGET_SCALAR, .unroll = UNROLL_NONE},
        {.target = TARGET_NEON, .lanes = LANES_SAMPLES},
        {.target = TARGET_AVX2, .inference = true},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        Options o = options[i];
        o.prefix = "net";
        const Net *net = network_of(text, &o);
        if (!net)
            continue;
        const Stages stages = stages_of(net, &o);
        check_head(format("%s, options %d", path, (int)i), net, &stages);
        check_names(path, &stages.plan->forward);
        if (stages.training)
            check_names(path, &stages.plan->training);
        free_all();
    }
}

static void check_folder(const char *pattern)
{
    glob_t found = {0};
    glob(pattern, 0, NULL, &found);
    check(found.gl_pathc > 0, "nothing is %s", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = file_read(found.gl_pathv[i], NULL);
        check_network(found.gl_pathv[i], text);
        free(text);
    }
    globfree(&found);
}

static void bench(void)    { check_folder("tests/bench/N*.nn"); }
static void examples(void) { check_folder("examples/*.nn"); }
static void stages(void)   { check_folder("tests/golden/stages/*.nn"); }

void add_head_suite(void)
{
    static CU_TestInfo tests[] = {
        {"bench", bench},
        {"examples", examples},
        {"golden", stages},
        {"names of tasks", task_names},
        CU_TEST_INFO_NULL,
    };
    add_suite("head", networks_start, networks_end, tests);
    add_to_check("head", NULL);
}
