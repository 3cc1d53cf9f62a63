/* verify_numbers.c: numbers for a network, what the interpreter answers to them, and how far C may be from
 * it.
 *
 * The one idea: what rounding does to an answer depends on the network, on the length of its sums and on
 * what cancels in them, so it is not guessed. The interpreter answers once in double precision, and several
 * times more with each result of an operation moved by a random share of up to ROUNDINGS units in the last
 * place of a float, where arithmetic that rounds is off by at most half of one. What that moves an answer is
 * what C may be off.
 *
 * Elements that jump where two branches meet (relu, a maximum) jump under this, too. */
#include <math.h>
#include <string.h>

#include "../runtime/nn.h"
#include "verify.h"

#define UNIT (1.0 / 8388608)         /* 2^-23: of a float's last place, relative to 1 */
#define ROUNDINGS 4
#define WIDTH 1e-5                   /* of a finite difference */
#define DIFFERENCE 1e-6              /* of the array's largest gradient: what differences may be off */
#define ALONG 1e-4                   /* of the gradient's length: along a direction, where kinks lie */
#define LOST 1e-9                    /* of the loss: what differences lose to rounding */

enum {
    MOST_SAMPLES = 40,
    MOST_RUNS = 6,
    LEAST_RUNS = 3,
    FEWEST_RUNS = 2,                 /* where even one costs more than is given */
    FEW = 100,
    MOST_DIFFERENCES = 400
};

static uint64_t rng;

static double uniform(double low, double high)
{
    return (double)(float)(low + (high - low) * (double)nn_uniform(&rng));
}

static int64_t below(int64_t n)
{
    return (int64_t)(nn_bits(&rng) % (uint64_t)n);
}

double largest_of(const double *v, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = isnan(v[i]) ? most : fmax(most, fabs(v[i]));
    return most;
}

/* ---- Arrays ---------------------------------------------------------------------------------------- */

int array_count(const Trial *t)
{
    return GRADIENTS + t->net->nweights;
}

static const Weight *weight_of(const Trial *t, int array)
{
    const Weight *w = t->net->weights;
    while (w && w->id != array - GRADIENTS)
        w = w->next;
    return w;
}

int64_t array_floats(const Trial *t, int array)
{
    const Net *net = t->net;
    const int64_t answer = shape_count(net->out->shape), n = t->numbers.n;
    const bool trains = t->training != NULL, has_dx = trains && net->from_caller && !net->input.of;
    switch (array) {
    case ANSWERS: return n * answer;
    case FIRST_ANSWER: return answer;
    case STREAMED: return t->options->stream ? answer : 0;
    case LOSS: return trains && t->training->evaluation ? 1 : 0;
    case ANSWERS_IN_TRAINING: return trains && net->from_caller ? n * answer : 0;
    case INPUT_GRADIENT: return has_dx ? n * shape_count(net->input) : 0;
    case LOSS_IN_TRAINING: return trains && !net->from_caller ? 1 : 0;
    default: return trains ? weight_of(t, array)->count : 0;
    }
}

/* ---- The interpreter ------------------------------------------------------------------------------- */

Prog *oracle(const Net *net, bool training)
{
    Prog *prog = lower(net, training);
    if (training)
        differentiate(prog);
    return prog;
}

static double points_of(const Prog *prog)
{
    double points = 0;
    for (const Statement *s = prog ? prog->statements : NULL; s; s = s->next)
        points += (double)box_volume(s) * (s->recurrence ? (double)s->recurrence->steps : 1);
    return points;
}

/* Runs it; what it needs for that is gone afterwards. */
static void interpret_once(const Prog *prog, Binding *b)
{
    Mark mark = mark_memory();
    interpret(prog, b);
    release(mark);
}

static double *copy_of(const double *v, int64_t count)
{
    double *copy = NEW_ARRAY(double, count);
    memcpy(copy, v, (size_t)count * sizeof *v);
    return copy;
}

/* All that the network answers to these numbers. Training moves statistics, so it works on copies. */
static void answer(const Trial *t, Binding b, double *const *to)
{
    const Net *net = t->net;
    double **weights = b.weights, **copies = NEW_ARRAY(double *, net->nweights + 1);
    b.gradients = (double **)to + GRADIENTS;
    b.y = to[ANSWERS];
    interpret_once(t->forward, &b);
    memcpy(to[FIRST_ANSWER], b.y, (size_t)array_floats(t, FIRST_ANSWER) * sizeof(double));
    if (to[STREAMED])
        memcpy(to[STREAMED], b.y, (size_t)array_floats(t, STREAMED) * sizeof(double));
    if (!t->training)
        return;
    if (t->training->evaluation) {
        interpret_once(t->training->evaluation, &b);
        to[LOSS][0] = b.inference_loss;
    }
    for (const Weight *w = net->weights; w; w = w->next)
        copies[w->id] = copy_of(weights[w->id], w->count);
    b.weights = copies;
    b.dx = to[INPUT_GRADIENT];
    if (t->training->forward_train) {
        b.y = to[ANSWERS_IN_TRAINING];
        interpret_once(t->training->forward_train, &b);
    }
    interpret_once(t->training, &b);
    if (to[LOSS_IN_TRAINING])
        to[LOSS_IN_TRAINING][0] = b.loss;
    for (const Weight *w = net->weights; w; w = w->next) /* of statistics: what training made of them */
        if (w->statistic)
            memcpy(to[GRADIENTS + w->id], copies[w->id], (size_t)w->count * sizeof(double));
}

/* ---- Numbers ----------------------------------------------------------------------------------------- */

/* As nn_init draws them, but none is a constant that hides what it is multiplied with. */
static void draw_weight(const Weight *w, double *to)
{
    const bool normal = w->low > w->high, constant = w->low == w->high;
    for (int64_t i = 0; i < w->count; i++)
        to[i] = w->statistic ? uniform(0.5, 2)
                : normal     ? (double)(float)((double)nn_normal(&rng) * w->low)
                : constant   ? uniform(w->low - 0.5, w->low + 0.5)
                             : uniform(w->low, w->high);
}

/* As many samples as can be afforded, so that those that vectors leave over are seen, too. */
static int samples_for(const Trial *t)
{
    static const int counts[] = {MOST_SAMPLES, 17, 9, 5, 3, 2, 1};
    const int least = t->training ? (int)least_samples(t->training) : 1, batch = (int)t->net->batch;
    const double points = points_of(t->forward) + points_of(t->training);
    size_t i = 0;
    while (counts[i] > 1 && (counts[i] < batch ? counts[i] : batch) * points * LEAST_RUNS > t->points)
        i++;
    const int n = counts[i] < batch ? counts[i] : batch;
    return n > least ? n : least;
}

static void draw_numbers(Trial *t)
{
    const Net *net = t->net;
    const int n = samples_for(t);
    const int64_t inputs = n * shape_count(net->input), targets = n * net->targets;
    double *x = NEW_ARRAY(double, inputs), *target = NEW_ARRAY(double, targets + 1);
    t->numbers = (Binding){.n = n, .x = x, .t = target, .weights = NEW_ARRAY(double *, net->nweights + 1),
                           .rng = nn_bits(&rng)};
    for (int64_t i = 0; i < inputs; i++)
        x[i] = net->input.of ? (double)below(net->input.of) : uniform(-2, 2);
    for (int64_t i = 0; i < targets && t->training; i++)
        target[i] = net->int_targets  ? (double)below(net->loss_in->shape.c)
                    : net->from_caller ? uniform(-1, 1)
                                       : uniform(0, 1);
    for (const Weight *w = net->weights; w; w = w->next) {
        double *to = t->numbers.weights[w->id] = NEW_ARRAY(double, w->count);
        draw_weight(w, to);
        if (!t->params)
            continue;
        const nn_tensor tensor = tensor_of_weight(w);
        for (int64_t i = 0; i < w->count; i++)
            to[i] = (double)t->params[nn_place(&tensor, (size_t)i)];
    }
}

static double **new_answers(const Trial *t)
{
    double **to = NEW_ARRAY(double *, array_count(t));
    for (int i = 0; i < array_count(t); i++)
        if (array_floats(t, i))
            to[i] = NEW_ARRAY(double, array_floats(t, i));
    return to;
}

void fill_trial(Trial *t, uint64_t seed)
{
    rng = seed;
    draw_numbers(t);
    t->exact = new_answers(t);
    t->rounded = NEW_ARRAY(double, array_count(t));
    answer(t, t->numbers, t->exact);
    const double points = t->numbers.n * (points_of(t->forward) + points_of(t->training));
    const int runs = points > t->points               ? FEWEST_RUNS
                     : points * MOST_RUNS > t->points ? LEAST_RUNS
                                                      : MOST_RUNS;
    for (int run = 0; run < runs; run++) {
        Mark mark = mark_memory();
        double **moved = new_answers(t);
        Binding b = t->numbers;
        b.rounding = ROUNDINGS * UNIT;
        b.rounding_seed = nn_bits(&rng);
        answer(t, b, moved);
        for (int a = 0; a < array_count(t); a++)
            for (int64_t i = 0; i < array_floats(t, a); i++)
                t->rounded[a] = fmax(t->rounded[a], fabs(moved[a][i] - t->exact[a][i]));
        release(mark);
    }
    for (int a = STREAMED; a >= FIRST_ANSWER; a--)
        t->rounded[a] = t->rounded[ANSWERS];
}

/* ---- Finite differences ------------------------------------------------------------------------------ */

/* The loss in training; where the caller gives the gradient of the answer, the sum of answers times it. */
static double loss_of(const Trial *t, Binding *b, const Prog *forward)
{
    interpret_once(forward, b);
    for (int64_t i = 0; t->net->from_caller && i < b->n * t->net->targets; i++)
        b->loss += b->y[i] * b->t[i];
    return b->loss;
}

typedef struct Moved {               /* some numbers, in turn with a step: b's weights or x */
    double *at;
    const double *gradient;
    int64_t count;
} Moved;

/* Moves element i of one array, or where i is -1 all of all arrays, each in a direction of its own. */
static void move(const Moved *arrays, int n, int64_t i, double step, uint64_t seed)
{
    uint64_t drawn = 0;
    if (i >= 0)
        arrays->at[i] += step;
    for (; i < 0 && n > 0; n--, arrays++)
        for (int64_t k = 0; k < arrays->count; k++)
            arrays->at[k] += nn_bits_at(seed, drawn++) & 1 ? step : -step;
}

static double along(const Moved *arrays, int n, int64_t i, uint64_t seed)
{
    uint64_t drawn = 0;
    double sum = i >= 0 ? arrays->gradient[i] : 0;
    for (; i < 0 && n > 0; n--, arrays++)
        for (int64_t k = 0; k < arrays->count; k++)
            sum += nn_bits_at(seed, drawn++) & 1 ? arrays->gradient[k] : -arrays->gradient[k];
    return sum;
}

typedef struct Differences {
    Trial *trial;
    Binding b;
    const Prog *forward;
    Moved *arrays;                   /* those that have gradients */
    const char **names;
    int count;
} Differences;

static double quotient(Differences *d, int first, int n, int64_t i, double step, uint64_t seed)
{
    const Moved *arrays = &d->arrays[first];
    move(arrays, n, i, step, seed);
    double above = loss_of(d->trial, &d->b, d->forward);
    move(arrays, n, i, -2 * step, seed);
    double under = loss_of(d->trial, &d->b, d->forward);
    move(arrays, n, i, step, seed);
    return (above - under) / (2 * step);
}

/* One gradient, or the sum of all of them in a direction. Where two branches meet there is none: then two
 * differences disagree, and nothing is learnt. */
static bool compare_one(Differences *d, int first, int n, int64_t i, double scale, double allowed)
{
    const uint64_t seed = nn_bits(&rng);
    const double should = along(&d->arrays[first], n, i, seed);
    const double error = allowed * scale + LOST * (1 + fabs(d->b.loss));
    const double is = quotient(d, first, n, i, WIDTH, seed);
    if (fabs(is - should) <= error) {
        d->trial->difference = fmax(d->trial->difference, fabs(is - should) / fmax(scale, 1e-30));
        return true;
    }
    const double wide = quotient(d, first, n, i, 2 * WIDTH, seed);
    if (!(fabs(wide - is) <= error / 2))
        return false;
    if (i < 0)
        d->trial->wrong = format("along a direction of all weights the loss rises by %.9g, not by %.9g", is,
                                 should);
    else
        d->trial->wrong = format("the gradient of %s[%lld] is %.9g, by differences %.9g", d->names[first],
                                 (long long)i, should, is);
    return true;
}

static double length_of(const Differences *d)
{
    double squares = 0;
    for (int a = 0; a < d->count; a++)
        for (int64_t i = 0; i < d->arrays[a].count; i++)
            squares += d->arrays[a].gradient[i] * d->arrays[a].gradient[i];
    return sqrt(squares);
}

static void add_array(Differences *d, const char *name, double *at, const double *gradient, int64_t count)
{
    d->names[d->count] = name;
    d->arrays[d->count++] = (Moved){at, gradient, count};
    d->trial->gradients += count;
}

/* Fewer samples than C gets: each difference takes two runs. */
static Differences prepare_differences(Trial *t)
{
    const Net *net = t->net;
    Differences d = {.trial = t, .b = t->numbers, .arrays = NEW_ARRAY(Moved, net->nweights + 1),
                     .names = NEW_ARRAY(const char *, net->nweights + 1)};
    const int least = (int)least_samples(t->training);
    d.b.n = least > 1 || d.b.n < 2 || t->points < FEW * points_of(t->training) ? least : 2;
    d.forward = net->from_caller ? t->training->forward_train : lower(net, true);
    d.b.y = NEW_ARRAY(double, d.b.n * shape_count(net->out->shape));
    d.b.gradients = NEW_ARRAY(double *, net->nweights + 1);
    d.b.weights = NEW_ARRAY(double *, net->nweights + 1);
    for (const Weight *w = net->weights; w; w = w->next) {
        d.b.gradients[w->id] = NEW_ARRAY(double, w->count);
        d.b.weights[w->id] = copy_of(t->numbers.weights[w->id], w->count);
    }
    const int64_t inputs = d.b.n * shape_count(net->input);
    d.b.x = copy_of(t->numbers.x, inputs);
    d.b.dx = NEW_ARRAY(double, inputs);
    interpret_once(t->training, &d.b);
    for (const Weight *w = net->weights; w; w = w->next)
        if (!w->frozen && !w->statistic)
            add_array(&d, w->name, d.b.weights[w->id], d.b.gradients[w->id], w->count);
    if (net->from_caller && !net->input.of)
        add_array(&d, "the input", (double *)d.b.x, d.b.dx, inputs);
    return d;
}

void take_differences(Trial *t, uint64_t seed)
{
    if (!t->training)
        return;
    rng = seed + 1;
    Differences d = prepare_differences(t);
    const double each = 2 * d.b.n * points_of(d.forward);
    const int64_t most = each * MOST_DIFFERENCES > t->points ? (int64_t)(t->points / each) : MOST_DIFFERENCES;
    if (d.count)
        for (int tries = 0; tries < 3 && !compare_one(&d, 0, d.count, -1, length_of(&d), ALONG); tries++)
            ;
    /* Every one, where there are few; else some of each array, in turn. */
    const bool all = t->gradients <= most;
    for (int64_t k = 0; d.count && !t->wrong && k < (all ? t->gradients : most); k++) {
        int a = (int)(k % d.count);
        int64_t i = 0;
        if (all)
            for (a = 0, i = k; i >= d.arrays[a].count; a++)
                i -= d.arrays[a].count;
        else
            i = below(d.arrays[a].count);
        double scale = largest_of(d.arrays[a].gradient, d.arrays[a].count);
        t->differences += compare_one(&d, a, 1, i, scale, DIFFERENCE);
    }
}
