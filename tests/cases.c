/* cases.c: random networks and numbers; see cases.h.
 *
 * The generator has no shape rules: it draws a statement, and draws again when resolve refuses it. */
#include "cases.h"
#include "networks.h"
#include "nn.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define CANCELLATION 1e-6     /* of the largest gradient of the whole network */
#define DELICATE 10           /* times all this where 1 - y y is taken from a y that was rounded near 1 */
#define SCALED_BACK 1e-3      /* of the largest gradient where a channel's norm scales back what weights before it scale: what cancelling
                               * leaves of their gradient is 0, times one over a deviation that may be small */
#define EXACT 4194304.0       /* 2^22: float holds whole numbers to 2^24, and the bound below is no proof */

enum {
    MAX_LAYERS = 7,
    POINTS = 40000,           /* of all statements of a training pass: what one network may cost */
    POINTS_WRITTEN_OUT = 5000 /* the same where they become straight-line code */
};

static uint64_t rng;

void draw_from(uint64_t seed)
{
    rng = seed;
}

int between(int low, int high)
{
    return low + (int)(nn_bits(&rng) % (uint64_t)(high - low + 1));
}

double uniform(double low, double high)
{
    return (double)(float)(low + (high - low) * (double)nn_uniform(&rng));
}

/* ---- Drawing networks -------------------------------------------------------------------------------- */

int draw_size(void)
{
    static const int sizes[] = {1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17};
    return sizes[between(0, sizeof sizes / sizeof *sizes - 1)];
}

/* ` k3` or ` k3x5` with a chance of 1 in `rarity`, else nothing. */
const char *draw_pair(const char *letter, int low, int high, int rarity)
{
    int a = between(low, high), b = between(low, high);
    if (between(1, rarity) != 1)
        return "";
    return between(0, 1) ? format(" %s%d", letter, a) : format(" %s%dx%d", letter, a, b);
}

const char *draw_conv(Shape in)
{
    static const char *pads[] = {"", "", "", " pad=zeros", " pad=reflect", " pad=replicate", " pad=circular"};
    int c = (int)in.c, g = 1, out = draw_size();
    if (between(0, 2) == 0) {
        do
            g = between(0, 1) ? c : between(1, c);
        while (c % g);
        out = g * between(1, 3);
    }
    const char *pad = pads[between(0, 6)];
    return format("conv %s%d%s%s%s%s%s%s%s", between(0, 3) ? "" : format("%d->", c), out, draw_pair("k", 1, 4, 1),
                  draw_pair("s", 1, 4, 2), *pad || between(0, 1) ? draw_pair("p", 0, between(0, 3) ? 2 : 7, 1) : "",
                  draw_pair("d", 1, 3, 4), g > 1 ? format(" g%d", g) : "", between(0, 3) ? "" : " bias=false", pad);
}

static const char *draw_normalize(Shape in)
{
    const char *list[2];
    for (int i = 0; i < 2; i++) {
        list[i] = format("%.2f", uniform(0.5, 2));
        for (int64_t c = 1, n = between(0, 1) ? in.c : 1; c < n; c++)
            list[i] = format("%s,%.2f", list[i], uniform(0.5, 2));
    }
    return format("normalize mean=%s std=%s", list[0], list[1]);
}

static const char *draw_maxpool(void)
{
    return format("maxpool%s%s%s%s", draw_pair("k", 1, 4, 1), draw_pair("s", 1, 4, 2), draw_pair("p", 0, 2, 2),
                  draw_pair("d", 1, 3, 3));
}

const char *draw_fc(void)
{
    return format("fc %d%s", draw_size(), between(0, 3) ? "" : " bias=false");
}

/* The statement that a random example of a random kind shows: for a layer the one behind the input, for a loss the
 * last. */
static const char *draw_from_examples(Role role)
{
    const Kind *kind;
    do
        kind = kinds[between(0, nkinds - 1)];
    while (kind->role != role);
    const char *example = kind->examples;
    for (int skip = between(0, 11); skip > 0; skip--)
        example = strchr(example, '|') ? strchr(example, '|') + 1 : kind->examples;
    char *text = format("%.*s", (int)strcspn(example, "|"), example);
    if (role == ROLE_LOSS)
        return strstr(text, "loss ") ? strstr(text, "loss ") : format("loss %s", kind->name);
    const char *statement = strstr(text, kind->name);
    return format("%.*s", (int)strcspn(statement, ";"), statement);
}

/* Brings the branch at hand together with labelled tensors, l0 and on. */
static const char *draw_join(int labels, bool whole)
{
    const char *text = format("%s l%d", between(0, 2) ? "add" : whole || between(0, 1) ? "concat" : "mul", between(0, labels - 1));
    while (text[0] != 'm' && between(0, 3) == 0)
        text = format("%s l%d", text, between(0, labels - 1));
    return text;
}

static const char *draw_statement(Shape in)
{
    static const char *pointwise[] = {"relu", "relu", "sigmoid", "tanh", "leakyrelu -0.25", "dropout 0.2", "softmax", "flatten"};
    switch (between(0, in.rank == 3 ? 18 : 8)) {
    case 0: return pointwise[between(0, 7)];
    case 1: case 2: case 3: return draw_from_examples(ROLE_LAYER);
    case 4: return draw_normalize(in);
    case 5: return draw_fc();
    case 6: case 7: case 8: return in.rank == 3 ? draw_maxpool() : draw_fc();
    case 9: case 10:
        return format("avgpool%s%s%s%s", draw_pair("k", 1, 4, 1), draw_pair("s", 1, 4, 2), draw_pair("p", 0, 2, 1),
                      between(0, 1) ? "" : " countpad=false");
    default: return draw_conv(in);
    }
}

/* Only what computes with whole numbers and powers of two. *bits: how many binary places it may add. */
static const char *draw_whole_statement(Shape in, int *bits)
{
    static const char *averages[] = {"avgpool 2", "avgpool k1x2 s1", "avgpool 2 s1 p1", "avgpool k2x4 s3 p1x2"};
    static const int places[] = {2, 1, 2, 3};
    int which = between(0, 3);
    *bits = 0;
    switch (between(0, in.rank == 3 ? 14 : 4)) {
    case 0: return "relu";
    case 1: *bits = 1; return "leakyrelu 0.5";
    case 2: return between(0, 2) ? "relu" : "flatten";
    case 3: return draw_fc();
    case 4: case 5: case 6: return in.rank == 3 ? draw_maxpool() : draw_fc();
    case 7: *bits = places[which]; return averages[which];
    default: return draw_conv(in);
    }
}

int64_t points_of(const Prog *prog)
{
    int64_t points = 0;
    for (const Statement *s = prog->statements; s; s = s->next)
        points += box_volume(s) * (s->recurrence ? s->recurrence->steps : 1);
    return points;
}

/* The network of c->text, if it is one that this test can afford. */
bool understand(Case *c)
{
    if (!(c->net = network_of(c->text, &c->options)))
        return false;
    Prog *backward = lower(c->net, true);
    differentiate(backward);
    c->backward = backward;
    c->forward = lower(c->net, false);
    return points_of(backward) <= (c->options.unroll == UNROLL_FULL ? POINTS_WRITTEN_OUT : POINTS);
}

/* The power of two that n is, or -1. */
int power_of_two(int64_t n)
{
    for (int p = 0; p < 40; p++)
        if (n == (int64_t)1 << p)
            return p;
    return -1;
}

/* Two numbers, normed, are 1 and -1 whatever they were: their gradient is all but 0, and rounding is all of it. */
static bool norms_few(const Net *net)
{
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        bool group = !strcmp(layer->kind->name, "groupnorm");
        int64_t groups = group ? arg_of(layer, "G")->i[0] : layer->in->shape.rank == 2 ? layer->in->shape.h : 1;
        if ((group || !strcmp(layer->kind->name, "layernorm")) && shape_count(layer->in->shape) / groups < 4)
            return true;
    }
    return false;
}

/* The statement in braces: repeated, a block, or both; sometimes with what comes in added to what it gives. */
static const char *wrap(const char *statement, int number)
{
    const char *body = between(0, 1) ? format("x:; %s; add x", statement) : statement;
    switch (between(0, 3)) {
    case 0: return format("repeat 2 { %s }", body);
    case 1: return format("block b%d() { %s }; b%d()", number, body, number);
    case 2: return format("block b%d(times) { repeat $times { %s } }; own%d: b%d(2)", number, body, number, number);
    default: return format("block b%d() { %s }; repeat 2 { b%d() }", number, body, number);
    }
}

/* Layers, each drawn until one fits on what comes before: a chain, or branches that leave labelled tensors and come
 * together again, some of them in blocks and repeats. */
void draw_chain(Case *c)
{
    bool branches = between(0, 1);
    bool many = c->options.lanes == LANES_SAMPLES; /* more than lie in lanes at once */
    int nlabels = 0, layers = branches + between(1, c->whole ? 4 : MAX_LAYERS);
    int batch = c->whole ? 1 << between(0, many ? 5 : 3) : between(1, many ? 40 : 9);
    switch (between(0, c->whole ? 7 : 8)) {
    case 0: c->text = format("input %d; batch %d", draw_size(), batch); break;
    case 8:
        c->text = format("input %d of %d; batch %d; embedding %d", draw_size(), draw_size(), batch, draw_size());
        break;
    case 1: case 2: c->text = format("input %dx%d; batch %d", draw_size(), draw_size(), batch); break;
    default: c->text = format("input %dx%dx%d; batch %d", between(1, 6), draw_size(), draw_size(), batch);
    }
    if (branches && between(0, 1))
        c->text = format("%s; l%d:", c->text, nlabels++);
    c->net = NULL;
    c->bits = 0;
    Case longer = *c;
    Shape shape = image_shape(1, 1, 1);
    for (int tries = 0; layers > 0 && tries < 60; tries++) {
        int bits = 0;
        const char *from = nlabels && between(0, 2) == 0 ? format("; from l%d", between(0, nlabels - 1)) : "";
        const char *next = nlabels && between(0, 1) ? draw_join(nlabels, c->whole)
                           : c->whole ? draw_whole_statement(shape, &bits) : draw_statement(shape);
        bool label = branches && between(0, 3);
        if (branches && between(0, 2) == 0 && !strstr(next, " l")) { /* labels outside are not seen in a block */
            next = wrap(next, layers);
            bits *= 2;
        }
        if (between(0, 9) == 0) /* refused where there are no weights */
            next = format("%s%s", next, between(0, 1) ? " freeze=true" : "; freeze");
        longer.text = format("%s%s; %s%s", c->text, from, next, label ? format("; l%d:", nlabels) : "");
        if (!understand(&longer) || norms_few(longer.net))
            continue;
        nlabels += label;
        shape = longer.net->out->shape;
        longer.bits += bits;
        *c = longer;
        layers--;
    }
    if (c->whole && !c->options.loss && power_of_two(c->net ? c->net->targets : 0) < 0)
        longer.text = format("%s; fc %d", c->text, 1 << between(0, 4));
    else if (!c->whole && between(0, 1))
        longer.text = format("%s; %s", c->text, draw_from_examples(ROLE_LOSS));
    if (understand(&longer))
        *c = longer;
}

double largest(const double *v, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

/* ---- Numbers and answers --------------------------------------------------------------------------------- */

static double draw_number(const Case *c, int low, int high)
{
    return c->whole ? between(low, high) : uniform(low, high);
}

int64_t answers_in(const Case *c, int n)
{
    return n * shape_count(c->net->out->shape) * (c->net->from_caller ? 2 : 1);
}

Binding draw_numbers(const Case *c, int n)
{
    const Net *net = c->net;
    int64_t inputs = n * shape_count(net->input), labels = n * net->targets;
    double *x = NEW_ARRAY(double, inputs), *t = NEW_ARRAY(double, labels);
    Binding b = {.n = n, .x = x, .t = t, .y = NEW_ARRAY(double, answers_in(c, n)), .dx = NEW_ARRAY(double, inputs),
                 .weights = NEW_ARRAY(double *, net->nweights), .gradients = NEW_ARRAY(double *, net->nweights),
                 .rng = nn_bits(&rng)};
    for (int64_t i = 0; i < inputs; i++)
        x[i] = net->input.of ? between(0, (int)net->input.of - 1) : draw_number(c, -2, 2);
    for (int64_t i = 0; i < labels; i++)
        t[i] = net->int_targets ? between(0, (int)net->loss_in->shape.c - 1) : draw_number(c, 0, 1);
    for (int64_t i = 1; i < labels && net->ignores && !c->whole; i++)
        t[i] = between(0, 7) ? t[i] : net->ignored;
    for (const Weight *w = net->weights; w; w = w->next) {
        b.weights[w->id] = NEW_ARRAY(double, w->count);
        b.gradients[w->id] = NEW_ARRAY(double, w->count);
        for (int64_t i = 0; i < w->count; i++)
            b.weights[w->id][i] = w->statistic ? uniform(0.5, 2) : draw_number(c, -1, 1);
    }
    return b;
}

/* The answer in y, loss and gradients; for statistics what backward made of them stands in the gradient's place. */
void answer(const Case *c, Binding *b)
{
    Binding copy = *b;
    copy.weights = NEW_ARRAY(double *, c->net->nweights);
    for (const Weight *w = c->net->weights; w; w = w->next) {
        copy.weights[w->id] = NEW_ARRAY(double, w->count);
        memcpy(copy.weights[w->id], b->weights[w->id], (size_t)w->count * sizeof(double));
    }
    interpret(c->backward, &copy);
    b->loss = copy.loss;
    if (c->net->from_caller) {
        copy.y = b->y + answers_in(c, b->n) / 2;
        interpret(c->backward->forward_train, &copy);
        copy.y = b->y;
    }
    interpret(c->forward, &copy);
    if (c->backward->evaluation)
        interpret(c->backward->evaluation, &copy);
    b->inference_loss = copy.inference_loss;
    for (const Weight *w = c->net->weights; w; w = w->next)
        if (w->statistic)
            memcpy(b->gradients[w->id], copy.weights[w->id], (size_t)w->count * sizeof(double));
}

/* A copy whose numbers are all passed through change; with room for an answer of its own. */
Binding changed(const Case *c, const Binding *b, double (*change)(double))
{
    const Net *net = c->net;
    Binding other = draw_numbers(c, b->n);
    double *x = (double *)other.x, *t = (double *)other.t;
    for (int64_t i = 0; i < b->n * shape_count(net->input); i++)
        x[i] = net->input.of ? b->x[i] : change(b->x[i]);
    for (int64_t i = 0; i < b->n * net->targets; i++)
        t[i] = net->int_targets ? b->t[i] : change(b->t[i]);
    for (const Weight *w = net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count; i++)
            other.weights[w->id][i] = change(b->weights[w->id][i]);
    other.rng = b->rng;
    return other;
}

static double largest_gradient(const Case *c, const Binding *b)
{
    double most = c->net->from_caller && !c->net->input.of ? largest(b->dx, b->n * shape_count(c->net->input)) : 0;
    for (const Weight *w = c->net->weights; w; w = w->next)
        most = fmax(most, largest(b->gradients[w->id], w->count));
    return most;
}

/* Targets become negative, so that y - t adds up. */
static double magnitude(double v)
{
    return fabs(v);
}

/* Whether all sums of the case are exact in float. With all numbers positive and all targets negative no sum cancels,
 * so its answer bounds every partial sum; below, no sum has more binary places than this. */
bool is_exact(const Case *c)
{
    int mean = c->net->from_caller ? 0 : power_of_two(c->net->targets * c->net->batch);
    if (mean < 0)
        return false;
    Binding b = draw_numbers(c, (int)c->net->batch), most = changed(c, &b, magnitude);
    for (int64_t i = 0; i < most.n * shape_count(c->net->input); i++)
        ((double *)most.x)[i] = 2;
    for (int64_t i = 0; i < most.n * c->net->targets; i++)
        ((double *)most.t)[i] = -1;
    for (const Weight *w = c->net->weights; w; w = w->next)
        for (int64_t i = 0; i < w->count; i++)
            most.weights[w->id][i] = 1;
    answer(c, &most);
    double bound = fmax(fmax(most.loss, most.inference_loss) * most.n, fmax(largest_gradient(c, &most) * most.n,
                                                 largest(most.y, answers_in(c, most.n))));
    return bound * ldexp(1, 2 * c->bits + mean) < EXACT;
}

/* ---- Comparing ---------------------------------------------------------------------------------------------- */

static double tolerance(const Case *c, const double *reference, int64_t count, double all)
{
    double share = strstr(c->text, "tanh") || strstr(c->text, "sigmoid") || strstr(c->text, "batchnorm") ? DELICATE : 1;
    if (c->options.math == MATH_WINOGRAD)
        share *= FEWER;
    bool scales = strstr(c->text, "batchnorm") || strstr(c->text, "instancenorm");
    double cancels = scales ? SCALED_BACK : share * CANCELLATION;
    return c->whole ? 0 : share * (TOLERANCE * largest(reference, count) + NOTHING) + cancels * all;
}

/* Describes the first difference between two answers to the same question; NULL: none. share: of the tolerance. */
const char *difference(const Case *c, const Binding *right, const Binding *other, double share)
{
    int64_t outputs = answers_in(c, right->n), inputs = right->n * shape_count(c->net->input);
    double most = share * tolerance(c, right->y, outputs, 0), all = largest_gradient(c, right);
    for (int64_t i = 0; i < outputs; i++)
        if (!(fabs(other->y[i] - right->y[i]) <= most))
            return format("output %" PRId64 " is %.9g, not %.9g", i, other->y[i], right->y[i]);
    if (!(fabs(other->loss - right->loss) <= share * tolerance(c, &right->loss, 1, 0)))
        return format("the loss is %.9g, not %.9g", other->loss, right->loss);
    if (!(fabs(other->inference_loss - right->inference_loss) <= share * tolerance(c, &right->inference_loss, 1, 0)))
        return format("the loss in inference is %.9g, not %.9g", other->inference_loss, right->inference_loss);
    for (const Weight *w = c->net->weights; w; w = w->next) {
        most = share * tolerance(c, right->gradients[w->id], w->count, all);
        for (int64_t i = 0; i < w->count; i++) {
            double is = other->gradients[w->id][i], should = right->gradients[w->id][i];
            if (!(fabs(is - should) <= most))
                return format("the gradient of %s[%" PRId64 "] is %.9g, not %.9g", w->name, i, is, should);
        }
    }
    if (!c->net->from_caller || c->net->input.of)
        return NULL;
    most = share * tolerance(c, right->dx, inputs, all);
    for (int64_t i = 0; i < inputs; i++)
        if (!(fabs(other->dx[i] - right->dx[i]) <= most))
            return format("dx[%" PRId64 "] is %.9g, not %.9g", i, other->dx[i], right->dx[i]);
    return NULL;
}
