/* verify.c: --verify: the user's own proof for the user's own network and compiler.
 *
 * In: a network. Out: a table of how far compiled C is from the interpreter: the network as it stands, and
 * each of its layers alone, as a network of its own, so that an error shows where it arises. The
 * interpreter's gradients are held against finite differences of its losses.
 *
 * Errors are in ulp: units in the last place that a float has which is as large as the largest number of the
 * array. verify_numbers.c says what is allowed and why. */
#include <math.h>
#include <string.h>

#include "verify.h"

#define LEAST_ALLOWED 4              /* ulp, where the interpreter sees no rounding, or little by chance */
#define FEWER_PRODUCTS 4             /* times as much for Winograd's, which round more than direct sums */

/* What the interpreter is given: a few seconds in all. */
#define POINTS 2e7
#define LAYERS_POINTS 4e7

typedef struct Verification {
    const Command *command;
    Options options;                 /* of the whole, and of layers alone */
    Trial *trials, *last;            /* the whole first */
    int count;
    const Trial **alone;             /* by layer->id; NULL: it is not looked at alone */
    const char **faults;             /* what is wrong, a line each */
    int nfaults;
} Verification;

static void add_fault(Verification *v, const char *fault)
{
    const char **longer = NEW_ARRAY(const char *, v->nfaults + 1);
    for (int i = 0; i < v->nfaults; i++)
        longer[i] = v->faults[i];
    longer[v->nfaults++] = fault;
    v->faults = longer;
}

/* ---- Trials ------------------------------------------------------------------------------------------ */

static Trial *add_trial(Verification *v, const Net *net, const Layer *layer, const Options *options)
{
    Trial *t = NEW(Trial);
    *t = (Trial){.prefix = v->count ? format("layer%d", v->count) : "net", .net = net, .options = options,
                 .layer = layer, .forward = oracle(net, false),
                 .training = options->inference ? NULL : oracle(net, true)};
    *(v->last ? &v->last->next : &v->trials) = t;
    v->last = t;
    v->count++;
    return t;
}

static Plan *plan_of(const Trial *t, Unroll unroll)
{
    Options *o = NEW(Options);
    *o = *t->options;
    o->unroll = unroll;
    o->prefix = t->prefix;
    Prog *forward = lower(t->net, false), *training = o->inference ? NULL : oracle(t->net, true);
    if (o->stream)
        forward->next = lower_next(t->net);
    if (!training && !forward->next)
        fold(forward);
    diag_quiet(t->layer != NULL);
    Plan *plan = make_plan(t->net, forward, training, o);
    diag_quiet(false);
    if (plan)
        verify_plan(plan);
    return plan;
}

/* Each layer alone; those with one text and one shape are one. */
static void add_layers(Verification *v, const Net *net, const Options *options)
{
    Map *known = new_map();
    v->alone = NEW_ARRAY(const Trial *, net->nlayers + 1);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const char *text;
        const Net *alone = network_alone(layer, net, options, &text);
        Trial *t = map_find(known, text);
        if (alone && !t)
            map_set(known, text, t = add_trial(v, alone, layer, options));
        v->alone[layer->id] = t;
    }
}

/* ---- Comparing --------------------------------------------------------------------------------------- */

static double ulp_of(double v)
{
    int exponent;
    frexp(v, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static bool has_winograd(const Plan *plan)
{
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        for (const Statement *s = passes[i]->prog ? passes[i]->prog->statements : NULL; s; s = s->next)
            if (s->method)
                return true;
    return false;
}

static const char *what_is(const Trial *t, int array)
{
    static const char *const names[] = {"answer", "answer for one sample", "answer of net_next",
                                        "loss of net_loss", "answer in training", "gradient of the input",
                                        "loss of net_backward"};
    if (array < GRADIENTS)
        return names[array];
    const Weight *w = t->net->weights;
    while (w->id != array - GRADIENTS)
        w = w->next;
    const char *name = t->layer ? format("%s%s", t->layer->name, strrchr(w->name, '.')) : w->name;
    return w->statistic ? name : format("gradient of %s", name);
}

typedef struct Error {
    bool any;
    double ulp, allowed;             /* the largest, and what that array may have */
    bool wrong;
} Error;

/* One array. The unit is that of its largest number, or of `scale` where that is more. */
static Error compare_array(Verification *v, const CompiledTrial *c, int array, double scale)
{
    const Trial *t = c->trial;
    const int64_t count = array_floats(t, array);
    const double *is = c->answers[array], *should = t->exact[array], largest = largest_of(should, count);
    const double unit = ulp_of(fmax(largest, scale));
    const double allowed = fmax(LEAST_ALLOWED * ulp_of(largest), t->rounded[array])
                           * (has_winograd(c->plan) ? FEWER_PRODUCTS : 1);
    Error e = {.any = count > 0, .allowed = allowed / unit};
    int64_t worst = -1, wrong = 0;
    for (int64_t i = 0; i < count; i++) {
        const double error = isnan(is[i]) || isnan(should[i]) || isinf(should[i])
                                 ? (is[i] == should[i] || (isnan(is[i]) && isnan(should[i])) ? 0 : INFINITY)
                                 : fabs(is[i] - should[i]);
        wrong += error > allowed;
        if (error > e.ulp * unit) {
            e.ulp = error / unit;
            worst = i;
        }
    }
    e.wrong = wrong > 0;
    if (wrong)
        add_fault(v, format("%s%s: element %lld of the %s is %.9g, not %.9g: %.3g ulp, and %.3g are allowed; "
                            "%lld of %lld are wrong", t->layer ? t->layer->name : "network",
                            t->layer ? " alone" : "", (long long)worst, what_is(t, array), is[worst],
                            should[worst], e.ulp, e.allowed, (long long)wrong, (long long)count));
    return e;
}

static Error worse(Error a, Error b)
{
    const bool other = !a.any || (b.any && (b.wrong > a.wrong || (b.wrong == a.wrong && b.ulp > a.ulp)));
    return other ? b : a;
}

/* The gradients of the weights of one layer, or of all (NULL), as one. */
static Error compare_gradients(Verification *v, const CompiledTrial *c, const Layer *of)
{
    const Trial *t = c->trial;
    Error e = {0};
    double scale = 0;
    for (const Weight *w = t->net->weights; w && t->training; w = w->next)
        if ((!of || w->layer == of) && !w->statistic)
            scale = fmax(scale, largest_of(t->exact[GRADIENTS + w->id], w->count));
    for (const Weight *w = t->net->weights; w && t->training; w = w->next)
        if (!of || w->layer == of)
            e = worse(e, compare_array(v, c, GRADIENTS + w->id, w->statistic ? 0 : scale));
    return e;
}

static Error compare_arrays(Verification *v, const CompiledTrial *c, const int *arrays, int n)
{
    Error e = {0};
    for (int i = 0; i < n; i++)
        if (array_floats(c->trial, arrays[i]))
            e = worse(e, compare_array(v, c, arrays[i], 0));
    return e;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static void put_error(Error e)
{
    const char *text = !e.any ? "-" : e.ulp > 1e6 ? format("%.0e of %.3g", e.ulp, e.allowed)
                                                  : format("%.*f of %.*f", e.ulp < 100, e.ulp, 0, e.allowed);
    printf("  %-16s", text);
}

typedef struct Row {
    Error outputs, gradients, input, inside; /* inside the network: the gradients of its weights */
    bool wrong;
} Row;

static Row compare_trial(Verification *v, const CompiledTrial *c)
{
    static const int outputs[] = {ANSWERS, FIRST_ANSWER, STREAMED, ANSWERS_IN_TRAINING, LOSS,
                                  LOSS_IN_TRAINING}, input[] = {INPUT_GRADIENT};
    const int before = v->nfaults;
    Row row = {.outputs = compare_arrays(v, c, outputs, sizeof outputs / sizeof *outputs),
               .input = compare_arrays(v, c, input, 1)};
    if (c->trial->layer)
        row.gradients = compare_gradients(v, c, NULL);
    if (c->trial->wrong)
        add_fault(v, format("%s: %s", c->trial->layer ? c->trial->layer->name : "network", c->trial->wrong));
    row.wrong = v->nfaults > before;
    return row;
}

static void put_row(const char *name, int width, const Row *row)
{
    printf("%-*s", width, name);
    put_error(row->outputs);
    put_error(row->gradients);
    put_error(row->input);
    put_error(row->inside);
    printf("  %s\n", row->wrong ? "WRONG" : "good");
}

static int name_width(const Net *net)
{
    int width = (int)strlen("network");
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        width = (int)strlen(layer->name) > width ? (int)strlen(layer->name) : width;
    return width;
}

static void put_table(Verification *v, const CompiledTrial *c)
{
    const Trial *whole = v->trials;
    const Net *net = whole->net;
    const int width = name_width(net);
    Row *rows = NEW_ARRAY(Row, v->count);
    for (int i = 0; i < v->count; i++)
        rows[i] = compare_trial(v, &c[i]);
    printf("%-*s  %-52s  in the network:\n", width, "", "alone:");
    printf("%-*s  %-16s  %-16s  %-16s  %-16s  verdict\n", width, "layer", "outputs", "weight gradients",
           "input gradient", "weight gradients");
    Row last = rows[0];
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        Row row = {{0}, {0}, {0}, {0}, false};
        for (int i = 1; i < v->count; i++)
            if (c[i].trial == v->alone[layer->id])
                row = rows[i];
        row.inside = compare_gradients(v, c, layer);
        row.wrong |= row.inside.wrong;
        last.inside = worse(last.inside, row.inside);
        put_row(layer->name, width, &row);
    }
    last.wrong |= last.inside.wrong;
    put_row("network", width, &last);
}

static void put_differences(const Verification *v, uint64_t seed)
{
    int64_t compared = 0, all = 0;
    double most = 0;
    for (const Trial *t = v->trials; t; t = t->next) {
        compared += t->differences;
        all += t->gradients;
        most = fmax(most, t->difference);
    }
    if (all)
        printf("finite differences: %lld of %lld gradients, drawn with seed %llu; the interpreter's are off "
               "by %.1e of the largest at most\n", (long long)compared, (long long)all,
               (unsigned long long)seed, most);
}

/* ---- The whole --------------------------------------------------------------------------------------- */

static const char *const modes[] = {[UNROLL_AUTO] = "auto", "full", "tile", "none"};

/* False where something is wrong, which has been said. */
static bool verify_mode(Verification *v, Unroll unroll)
{
    CompiledTrial *c = NEW_ARRAY(CompiledTrial, v->count);
    int i = 0;
    for (const Trial *t = v->trials; t; t = t->next, i++) {
        c[i] = (CompiledTrial){.trial = t, .plan = plan_of(t, unroll)};
        if (!c[i].plan || error_count() > 0)
            return false;
    }
    v->nfaults = 0;
    const char *crash = run_compiled(c, v->count);
    printf("%s with --unroll=%s --target=%s, compiled with %s: largest errors in ulp, of so many that are "
           "allowed\n", v->trials->net->file, modes[unroll], machines[v->options.target].name,
           compiler_line(&v->options));
    if (crash)
        add_fault(v, crash);
    else
        put_table(v, c);
    for (int k = 0; k < v->nfaults; k++)
        printf("WRONG: %s\n", v->faults[k]);
    finish_stdout();
    return v->nfaults == 0;
}

bool verify_network(const Command *command, const Net *net)
{
    Verification v = {.command = command, .options = command->options};
    v.options.main = v.options.mpi = v.options.is_static = v.options.traced = false;
    Options *alone = NEW(Options);
    *alone = v.options;
    alone->input_size = alone->batch_size = alone->weights_file = NULL;
    alone->loss = NULL;
    alone->stream = false;
    Trial *whole = add_trial(&v, net, NULL, &v.options);
    if (v.options.weights_file) {
        const Plan *plan = plan_of(whole, v.options.unroll);
        whole->params = plan ? read_weights(plan, v.options.weights_file) : NULL;
    }
    add_layers(&v, net, alone);
    for (Trial *t = v.trials; t; t = t->next) {
        t->points = t->layer ? LAYERS_POINTS / v.count : POINTS;
        fill_trial(t, command->seed);
        take_differences(t, command->seed);
    }
    bool good = true;
    for (int mode = 0; mode < 4; mode++)
        if (command->modes & 1u << mode)
            good = verify_mode(&v, (Unroll)mode) && good;
    put_differences(&v, command->seed);
    remove_temporary();
    finish_stdout();
    return good;
}
