/* test_outside.c: networks with `loss none`, held against what PyTorch computed from the same dy.
 *
 * tests/torch/outside.ref has each kind of layer as the first one, so that the gradient of x is its own, and two inputs and two
 * answers in every order: the answers in training, dx, the gradients of the weights, statistics (tests/torch/record.py wrote
 * it). They run through the interpreter, which is what test_generated.c holds the generated code against. */
#include "networks.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCE "tests/torch/outside.ref"
#define TOLERANCE 1e-6        /* of the array's largest value: seven digits are recorded */

static const Options options = {.input_file = "net.nn", .output_file = "net.c", .prefix = "net"};

typedef struct Array {
    const char *key, *tensor; /* tensor: of the keys w, d and s */
    int64_t count;
    double *values;
} Array;

typedef struct Recorded {     /* a case of the file */
    const char *name, *text;
    int n, narrays;
    Array array[40];
} Recorded;

static Recorded cases[100];
static int ncases;

/* Of `x 3 0.5 1 2` or `w conv1.weight 3 0.5 1 2`. */
static Array read_array(const char *key, char *rest)
{
    Array a = {.key = key};
    if (strchr("wds", key[0]) && !key[1])
        a.tensor = strtok_r(NULL, " ", &rest);
    a.count = strtoll(rest, &rest, 10);
    a.values = calloc((size_t)a.count + 1, sizeof *a.values);
    for (int64_t i = 0; i < a.count; i++) {
        const double value = strtod(rest, &rest);
        a.values[i] = strchr("wxt", key[0]) && strcmp(key, "trained") ? (double)(float)value : value;
    }
    return a;
}

static void read_line(char *line)
{
    char *rest = NULL;
    const char *key = strtok_r(line, " ", &rest);
    Recorded *c = &cases[ncases - 1];
    if (!strcmp(key, "case"))
        cases[ncases++].name = rest;
    else if (!strcmp(key, "net"))
        c->text = rest;
    else if (!strcmp(key, "n"))
        c->n = atoi(rest);
    else
        c->array[c->narrays++] = read_array(key, rest);
}

static const Array *find(const Recorded *c, const char *key, const char *tensor)
{
    for (int i = 0; i < c->narrays; i++)
        if (!strcmp(c->array[i].key, key) && (!tensor || !strcmp(c->array[i].tensor, tensor)))
            return &c->array[i];
    return NULL;
}

/* Is it what was recorded under that key? */
static void hold(const Recorded *c, const char *key, const char *tensor, const double *values, int64_t count)
{
    const Array *a = find(c, key, tensor);
    double largest = 0;
    CU_ASSERT_FATAL(a && a->count == count);
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(a->values[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(values[i] - a->values[i]) <= TOLERANCE * largest + 1e-9)) {
            check_at(__FILE__, __LINE__, false, "%s: `%s`: %s %s[%d] is %.9g, PyTorch has %.9g", c->name, c->text, key,
                     tensor ? tensor : "", (int)i, values[i], a->values[i]);
            return;
        }
}

static void check_case(const Recorded *c, const Net *net)
{
    Prog *backward = lower(net, true);
    differentiate(backward);
    const int64_t inputs = c->n * shape_count(net->input), answers = c->n * shape_count(net->out->shape);
    const Array *x = find(c, "x", NULL), *dy = find(c, "t", NULL);
    CU_ASSERT_FATAL(x && x->count == inputs && dy && dy->count == answers);
    Binding b = {.n = c->n, .x = x->values, .t = dy->values, .y = NEW_ARRAY(double, answers), .dx = NEW_ARRAY(double, inputs),
                 .weights = NEW_ARRAY(double *, net->nweights), .gradients = NEW_ARRAY(double *, net->nweights)};
    for (const Weight *w = net->weights; w; w = w->next) {
        const Array *a = find(c, "w", w->name);
        CU_ASSERT_FATAL(a && a->count == w->count);
        b.weights[w->id] = a->values;
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
    }
    interpret(backward->forward_train, &b);
    hold(c, "trained", NULL, b.y, answers);
    interpret(lower(net, false), &b);
    hold(c, find(c, "y", NULL) ? "y" : "trained", NULL, b.y, answers);
    interpret(backward, &b);
    hold(c, "dx", NULL, b.dx, net->input.of ? 0 : inputs);
    for (const Weight *w = net->weights; w; w = w->next)
        w->statistic ? hold(c, "s", w->name, b.weights[w->id], w->count) : hold(c, "d", w->name, b.gradients[w->id], w->count);
}

static void recorded(void)
{
    static bool first[200]; /* by number of the kind: it reads x, or a part of it, somewhere */
    CU_ASSERT_FATAL(nkinds < 200);
    for (int i = 0; i < ncases; i++) {
        const Net *net = network_of(cases[i].text, &options);
        check_at(__FILE__, __LINE__, net != NULL, "`%s`: %s", cases[i].text, network_messages());
        for (const Layer *layer = net ? net->layers : NULL; layer; layer = layer->next) {
            const Layer *before = layer->in->producer;
            for (int k = 0; k < nkinds; k++)
                first[k] |= layer->kind == kinds[k] && (!before || before->in == net->in);
        }
        if (net)
            check_case(&cases[i], net);
        free_all();
    }
    for (int k = 0; k < nkinds; k++)
        check_at(__FILE__, __LINE__, kinds[k]->role != ROLE_LAYER || first[k],
                 "there is no network in " REFERENCE " that begins with %s: write one in tests/torch/record.py", kinds[k]->name);
}

static int start(void)
{
    static char line[100000];
    FILE *f = fopen(REFERENCE, "r");
    if (!f)
        return perror(REFERENCE), 1;
    for (ncases = 0; fgets(line, sizeof line, f);) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            read_line(strdup(line));
    }
    fclose(f);
    return networks_start();
}

void add_outside_suite(void)
{
    static CU_TestInfo tests[] = {{"every kind from dy to dx", recorded}, CU_TEST_INFO_NULL};
    add_suite("outside", start, networks_end, tests);
}
