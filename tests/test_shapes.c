/* test_shapes.c: what resolve makes of a text, by property.
 *
 * Golden files show single networks; here statements are drawn at random and their shapes worked out a second time, by
 * counting: the positions of a window are tried one after the other, parameters and multiply-adds are counted one by
 * one. A network must be accepted exactly when the count says that it has a meaning, and refused with the message
 * that names what is wrong. */
#include "networks.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 3000 };

static uint64_t rng;
static int failures, accepted, refused;      /* of the test at hand */

static int between(int low, int high)
{
    return low + (int)(nn_bits(&rng) % (uint64_t)(high - low + 1));
}

/* Counts a failure unless good; the first few are shown with what the compiler said. */
__attribute__((format(printf, 3, 4))) static void check(bool good, const char *text, const char *fmt, ...)
{
    if (good || failures++ > 5)
        return;
    va_list list;
    va_start(list, fmt);
    fprintf(stderr, "\n`%s`: ", text);
    vfprintf(stderr, fmt, list);
    fprintf(stderr, "\n%s", network_messages());
    va_end(list);
}

static Options options = {.input_file = "net.nn", .output_file = "net.c", .prefix = "net"};

static void begin(void)
{
    failures = accepted = refused = 0;
}

/* Nothing differed, and what was drawn went both ways often enough to mean something. */
static void finish(int least)
{
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(accepted >= least);
    CU_ASSERT(refused >= least);
    free_all();
}

/* Accepted exactly when reason is NULL; otherwise the message holds reason. */
static Net *expect(const char *text, const char *reason)
{
    Net *net = network_of(text, &options);
    const char *said = network_messages();
    accepted += net != NULL;
    refused += net == NULL;
    check((net != NULL) == (reason == NULL), text, "%s", net ? format("accepted, but: %s", reason) : "refused");
    if (reason && !net)
        check(strstr(said, reason) && strstr(said, "net.nn:1:") && strchr(said, '^'), text, "the message should say: %s",
              reason);
    return net;
}

/* ---- Windows ------------------------------------------------------------------------------------------ */

/* How many positions there are at which all taps of the window lie within the padded input. */
static int positions(int in, int k, int s, int p, int d)
{
    int n = 0;
    for (int first = -p; ; first += s) {
        for (int tap = 0; tap < k; tap++)
            if (first + tap * d >= in + p)
                return n;
        n++;
    }
}

/* `k3`, `k3x5`, `k=3`: one of the spellings, with a space in front. */
static const char *spelled(const char *letter, const int v[2])
{
    return v[0] == v[1] && between(0, 1) ? format(" %s%s%d", letter, between(0, 3) ? "" : "=", v[0])
                                         : format(" %s%s%dx%d", letter, between(0, 3) ? "" : "=", v[0], v[1]);
}

static void windows(void)
{
    static const char *names[] = {"conv", "maxpool", "avgpool"};
    static const char *pads[] = {"zeros", "reflect", "replicate", "circular"};
    begin();
    for (int draw = 0; draw < DRAWS; draw++) {
        int kind = between(0, 2), pad = kind == 0 && between(0, 1) ? between(0, 3) : 0, channels = between(1, 4);
        int in[2], k[2], s[2], p[2], d[2], out[2];
        for (int axis = 0; axis < 2; axis++) {
            in[axis] = between(1, 12);
            k[axis] = between(1, between(0, 3) ? 4 : 13);
            s[axis] = between(1, 5);
            p[axis] = between(0, between(0, 3) ? 2 : 14);
            d[axis] = between(0, 2) ? 1 : between(1, 5);
        }
        bool has_s = between(0, 3), has_p = between(0, 2), has_d = kind != 2 && between(0, 1);
        const char *text = format("input %dx%dx%d; %s%s%s%s%s%s%s%s", channels, in[0], in[1], names[kind],
                                  kind ? "" : " 5", spelled("k", k), has_s ? spelled("s", s) : "",
                                  has_p ? spelled("p", p) : "", has_d ? spelled("d", d) : "", pad ? " pad=" : "",
                                  pad ? pads[pad] : "");
        const char *reason = NULL;
        for (int axis = 1; axis >= 0; axis--) {
            int padding = has_p ? p[axis] : 0;
            out[axis] = positions(in[axis], k[axis], has_s ? s[axis] : kind ? k[axis] : 1, padding, has_d ? d[axis] : 1);
            if (out[axis] < 1)
                reason = "larger than its padded input";
            if (kind && 2 * padding > k[axis])
                reason = "at most half its kernel size";
        }
        for (int axis = 1; axis >= 0; axis--) {
            int padding = has_p ? p[axis] : 0;
            if (pad == 1 && padding >= in[axis])
                reason = "reflect padding must be smaller";
            if (pad == 3 && padding > in[axis])
                reason = "circular padding must be at most";
        }
        if (kind && reason && (out[0] < 1 || out[1] < 1))
            reason = "padd";        /* one of the two, whichever axis comes first */
        const Net *net = expect(text, reason);
        if (net && !reason) {
            Shape shape = net->out->shape;
            check(shape.rank == 3 && shape.c == (kind ? channels : 5) && shape.h == out[0] && shape.w == out[1], text,
                  "is %s, should be %dx%dx%d", shape_text(shape), kind ? channels : 5, out[0], out[1]);
        }
        free_all();
    }
    finish(DRAWS / 5);
}

/* ---- Weights -------------------------------------------------------------------------------------------- */

static void check_weight(const char *text, const Weight *w, const char *name, int rank, const int64_t *dim, double fan_in)
{
    int64_t count = 1;
    check(w && !strcmp(w->name, name), text, "%s is missing", name);
    if (!w)
        return;
    for (int i = 0; i < rank; i++) {
        check(w->dim[i] == dim[i], text, "%s has %" PRId64 " at dimension %d", name, w->dim[i], i);
        count *= dim[i];
    }
    check(w->rank == rank && w->count == count, text, "%s has rank %d, count %" PRId64, name, w->rank, w->count);
    check(fabs(w->high * sqrt(fan_in) - 1) < 1e-12 && w->low == -w->high, text, "%s lies in [%g, %g)", name, w->low,
          w->high);
}

static void groups(void)
{
    begin();
    for (int draw = 0; draw < DRAWS; draw++) {
        int in = between(1, 12), out = between(1, 12), g = between(1, 6), kh = between(1, 3), kw = between(1, 3);
        bool bias = between(0, 1), named = between(0, 1);
        const char *text = format("input %dx4x5; %sconv %d k%dx%d g%d%s", in, named ? "first: " : "", out, kh, kw, g,
                                  bias ? between(0, 1) ? " bias=true" : "" : " bias=false");
        const Net *net = expect(
            text, in % g || out % g ? format("must be divisible by the number of groups (%d)", g) : NULL);
        if (net) {
            const int64_t dim[] = {out, in / g, kh, kw};
            const char *name = named ? "first" : "conv1";
            int fan_in = in / g * kh * kw;
            check_weight(text, net->weights, format("%s.weight", name), 4, dim, fan_in);
            check(net->nweights == 1 + bias && net->nparams == (int64_t)out * fan_in + (bias ? out : 0), text,
                  "%d weights, %" PRId64 " parameters", net->nweights, net->nparams);
            if (bias)
                check_weight(text, net->weights->next, format("%s.bias", name), 1, dim, fan_in);
        }
        free_all();
    }
    finish(DRAWS / 5);
}

static void features(void)
{
    begin();
    for (int draw = 0; draw < DRAWS / 10; draw++) {
        int c = between(1, 5), h = between(1, 4), w = between(1, 4), out = between(1, 9), told = c * h * w + between(-1, 1);
        bool image = between(0, 1), sequence = !image && between(0, 1), arrow = between(0, 1), bias = between(0, 1);
        int in = image ? c * h * w : c;
        told = image ? told : c + between(0, 1);
        const char *text = format("input %s; fc %s%d%s", image      ? format("%dx%dx%d", c, h, w)
                                                         : sequence ? format("%dx%d", h, c)
                                                                    : format("%d", c),
                                  arrow ? format("%d->", told) : "", out, bias ? "" : " bias=false");
        const char *reason = NULL;
        if (arrow && told != in)
            reason = told < 1 ? "must be at least 1"
                              : format("expects %d input feature%s, but its input has %d", told,
                                       told == 1 ? "" : "s", in);
        const Net *net = expect(text, reason);
        if (net) {
            const int64_t dim[] = {out, in};
            Shape given = net->out->shape;
            check(given.rank == 1 + sequence && given.c == out && given.h == (sequence ? h : 1), text, "gives %s",
                  shape_text(given));
            check_weight(text, net->weights, "fc1.weight", 2, dim, in);
            check(net->nparams == (int64_t)out * (in + bias), text, "%" PRId64 " parameters", net->nparams);
            if (bias)
                check_weight(text, net->weights->next, "fc1.bias", 1, dim, in);
        }
        int expected = between(1, 5);
        text = format("input %dx2x2; conv %d->3 k1", c, expected);
        expect(text, expected == c ? NULL
                                   : format("expects %d input channel%s, but its input has %d", expected,
                                            expected == 1 ? "" : "s", c));
        free_all();
    }
    finish(DRAWS / 50);
}

static void normalize(void)
{
    begin();
    for (int draw = 0; draw < DRAWS; draw++) {
        int c = between(1, 4), n[2];
        const char *input = between(0, 1) ? format("%dx2x3", c) : format("%d", c), *list[2], *reason = NULL;
        bool zero = !between(0, 9);
        for (int i = 1; i >= 0; i--) {
            n[i] = between(1, 5);
            list[i] = i && zero ? "0" : "0.5";
            for (int j = 1; j < n[i]; j++)
                list[i] = format("%s,%d", list[i], j);
            if (n[i] != 1 && n[i] != c)
                reason = format("the argument '%s' has %d numbers, but the input has %d channel",
                                i ? "std" : "mean", n[i], c);
        }
        const char *text = format("input %s; normalize mean=%s std=%s", input, list[0], list[1]);
        expect(text, reason ? reason : zero ? "must be greater than 0" : NULL);
        free_all();
    }
    finish(5);
}

/* ---- Losses ------------------------------------------------------------------------------------------------ */

static void losses(void)
{
    static const char *layers[] = {"softmax", "sigmoid", "tanh", "relu", "leakyrelu", "dropout", "fc 6", "flatten"};
    static const char *names[] = {"crossentropy", "bce", "mse", ""};
    begin();
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        for (int j = 0; j < 4; j++)
            for (int form = 0; form < 3; form++) {
                static const char *const inputs[] = {"6", "6x2x5", "10x6"};
                const char *text = format("input %s; tanh; %s%s%s", inputs[form], layers[i],
                                          j < 3 ? "; loss " : "", names[j]);
                const Net *net = expect(text, NULL);
                if (!net)
                    continue;
                const char *name = j < 3 ? names[j] : i == 0 ? "crossentropy" : i == 1 ? "bce" : "mse";
                bool flat = !form || (form == 1 && i == 6) || i == 7, labels = !strcmp(name, "crossentropy");
                int elements = !form || (form == 1 && i == 6) ? 6 : 60, places = flat ? 1 : 10;
                bool absorbs = (i == 0 && labels) || (i == 1 && !strcmp(name, "bce"));
                check(!strcmp(net->loss->kind->name, name), text, "the loss is %s", net->loss->kind->name);
                check(net->int_targets == labels && net->targets == (labels ? places : elements), text,
                      "%" PRId64 " targets, int: %d", net->targets, net->int_targets);
                check(net->loss_in == (absorbs ? net->out->producer->in : net->out), text, "the loss reads the wrong value");
                bool warned = strstr(network_messages(), "[-Wloss]") != NULL, doubtful = i < 2 && !absorbs && j < 2;
                check(warned == doubtful, text, warned ? "an unwanted warning" : "no warning");
            }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_EQUAL(accepted, 96);
    free_all();
    expect("input 3; loss mse; relu", "the loss must be the last statement");
    expect("input 3; relu; loss mse; loss mse", "the loss must be the last statement");
    expect("input 3; relu; loss relu", "unknown loss");
    expect("input 3; mse", "write `loss mse`");
    CU_ASSERT_EQUAL(failures, 0);
    free_all();
}

/* ---- Names ---------------------------------------------------------------------------------------------------- */

static void names(void)
{
    static const char *kind_names[] = {"conv", "fc", "relu", "tanh", "dropout", "flatten", "maxpool"};
    static const char *arguments[] = {" 2 k1", " 3", "", "", "", "", " 1"};
    begin();
    for (int draw = 0; draw < DRAWS / 10; draw++) {
        int count[7] = {0}, nweights = 0, n = between(1, 8);
        const char *text = "input 2x2x2", *expected[8], *weights[16];
        bool flat = false;
        for (int i = 0; i < n; i++) {
            int k;
            do
                k = between(0, 6);
            while (flat && (k == 0 || k == 6));
            flat |= k == 1 || k == 5;
            bool label = between(0, 1);
            count[k]++;
            expected[i] = label ? format("l_%d", i) : format("%s%d", kind_names[k], count[k]);
            text = format("%s; %s%s%s", text, label ? format("%s: ", expected[i]) : "", kind_names[k], arguments[k]);
            for (int j = 0; j < 2 && k < 2; j++)
                weights[nweights++] = format("%s.%s", expected[i], j ? "bias" : "weight");
        }
        const Net *net = expect(text, NULL);
        int i = 0;
        for (const Layer *layer = net ? net->layers : NULL; layer; layer = layer->next, i++)
            check(i < n && !strcmp(layer->name, expected[i]), text, "layer %d is called %s", i, layer->name);
        check(i == n, text, "%d layers", i);
        i = 0;
        for (const Weight *w = net ? net->weights : NULL; w; w = w->next, i++)
            check(w->id == i && i < nweights && !strcmp(w->name, weights[i]), text, "weight %d is called %s", i, w->name);
        check(i == nweights, text, "%d weights", i);
        free_all();
    }
    expect("input 3; a: relu; a: tanh", "the name 'a' is already used");
    expect("input 3; relu1: tanh; relu", "would be called 'relu1'");
    expect("input 3; relu; relu1: tanh", "the name 'relu1' is already used");
    expect("input 3; a: batch 2; relu", "cannot have a label");
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_EQUAL(refused, 4);
    free_all();
}

/* ---- Totals ------------------------------------------------------------------------------------------------------ */

/* The text that print writes about the plan. Lives until free_all. */
static const char *printed(void (*print)(FILE *, const Plan *), const Plan *plan)
{
    char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);
    print(f, plan);
    fclose(f);
    const char *copy = copy_text(text, length);
    free(text);
    return copy;
}

/* The numbers of the row that begins with name: parameters, MACs, bytes. */
static bool read_row(const char *summary, const char *name, long long row[3])
{
    const char *line = strstr(summary, format("\n%s ", name));
    if (!line)
        return false;
    line += 1 + strlen(name) + strspn(line + 1 + strlen(name), " ");
    if (strcmp(name, "total") != 0)
        for (int i = 0; i < 2; i++) {        /* the shapes of input and output */
            line += strcspn(line, " ");
            line += strspn(line, " ");
        }
    return sscanf(line, "%lld %lld %lld", &row[0], &row[1], &row[2]) == 3;
}

/* Multiply-adds of a layer, one by one; padding counts, as it does everywhere where MACs are counted. */
static long long count_macs(const Layer *layer)
{
    long long macs = 0;
    Shape in = layer->in->shape, out = layer->out->shape;
    if (!strcmp(layer->kind->name, "conv")) {
        const int64_t *dim = layer->weight[0]->dim;
        for (int64_t at = 0; at < out.c * out.h * out.w; at++)
            for (int64_t c = 0; c < dim[1]; c++)
                for (int64_t tap = 0; tap < dim[2] * dim[3]; tap++)
                    macs++;
    } else if (!strcmp(layer->kind->name, "fc"))
        for (int64_t o = 0; o < out.c; o++)
            for (int64_t i = 0; i < in.c * in.h * in.w; i++)
                macs++;
    return macs;
}

static void totals(void)
{
    begin();
    for (int draw = 0; draw < 100; draw++) {
        int c = between(1, 4), g = between(0, 1) ? c : 1, k = between(1, 3), f = between(1, 9), b = between(1, 40);
        const char *pads[] = {"zeros", "reflect", "replicate", "circular"};
        const char *conv = format("conv %d k%d p%d g%d s%d%s pad=%s", g * between(1, 3), k, between(0, 2), g,
                                  between(1, 2), between(0, 1) ? " bias=false" : "", pads[between(0, 3)]);
        const char *text = format("input %dx%dx%d; batch %d; %s; relu; %s %d s1; fc %d; softmax", c, between(3, 6),
                                  between(3, 6), b, conv, between(0, 1) ? "maxpool" : "avgpool", between(1, 2), f);
        const Net *net = network_of(text, &options);
        if (!net) {               /* a window that doesn't fit: another test's affair */
            refused++;
            continue;
        }
        accepted++;
        Prog *forward = lower(net, false), *training = lower(net, true);
        differentiate(training);
        Plan *plan = make_plan(net, forward, training, &options);
        verify_plan(plan);
        const char *summary = printed(print_summary, plan), *header = printed(emit_header, plan);
        long long row[3], params = 0, macs = 0, bytes = 0;
        for (const Layer *layer = net->layers; layer; layer = layer->next) {
            long long own = 0, elements = shape_count(layer->out->shape);
            for (int i = 0; i < layer->nweights; i++)
                own += layer->weight[i]->count;
            check(read_row(summary, layer->name, row) && row[0] == own && row[1] == count_macs(layer) &&
                  row[2] == 4 * elements, text, "the row of %s is wrong:\n%s", layer->name, summary);
            params += own;
            macs += count_macs(layer);
            bytes += 4 * elements;
        }
        check(read_row(summary, "total", row) && row[0] == params && row[1] == macs && row[2] == bytes, text,
              "the totals should be %lld %lld %lld:\n%s", params, macs, bytes, summary);
        struct { const char *name; long long value; } lines[] = {
            {"NET_PARAMS", params}, {"NET_BATCH", b}, {"NET_OUTPUT", f}, {"NET_INPUT", shape_count(net->input)},
            {"NET_FLOATS", plan->floats},
        };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            long long value = -1;
            const char *line = strstr(header, format("#define %s ", lines[i].name));
            check(line && sscanf(line, "#define %*s %lld", &value) == 1 && value == lines[i].value, text,
                  "%s is %lld, not %lld", lines[i].name, value, lines[i].value);
        }
        check(plan->floats >= params, text, "%" PRId64 " floats for %lld parameters", plan->floats, params);
        free_all();
    }
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(accepted > 50);
}

/* ---- Settings and limits ------------------------------------------------------------------------------------------- */

static void settings(void)
{
    begin();
    const Net *net = expect("relu", "the network has no input");
    expect("relu; input 3", "input must be the first statement");
    expect("input 3x4x5x6; relu", "CxHxW, TxC or N");
    net = expect("input 3x4; relu", NULL);
    check(net && net->input.rank == 2 && net->input.h == 3 && net->input.c == 4, "input 3x4; relu",
          "not a sequence of 3 positions of 4 features");
    expect("input 3x4; conv 2 k1", "write `input 1x3x4`");
    expect("input 3", "the network has no layers");
    expect("input 46341x46341x1; relu", "too large");
    expect("input 2147483647; relu", NULL);
    expect("input 2147483648; relu", "too large");
    expect("input 999999999999999999999999999999; relu", "too large");
    expect("input 99999; fc 99999", "too many weights");
    expect("input 1x9999x9999; conv 100 k1", "too large");
    expect("input 4; conv 2 k1", "expects an image (CxHxW)");
    expect("input 4; batch 0; fc 2", "at least 1");
    net = expect("input 4; fc 2", NULL);
    check(net && net->batch == 32, "input 4; fc 2", "the batch is not 32");
    net = expect("input 4; fc 2; batch 7", NULL);
    check(net && net->batch == 7, "input 4; fc 2; batch 7", "the batch is not 7");
    options.input_size = "2x3x4";
    options.batch_size = "5";
    net = expect("input 4; batch 9; fc 2", NULL);
    check(net && net->batch == 5 && net->input.rank == 3 && shape_count(net->input) == 24, "--input, --batch",
          "the command line doesn't count");
    net = expect("fc 2", NULL);
    check(net && net->weights->dim[1] == 24, "--input alone", "the command line doesn't count");
    options.input_size = options.batch_size = NULL;
    CU_ASSERT_EQUAL(failures, 0);
    free_all();
}

static int start(void)
{
    rng = test_seed();
    return networks_start();
}

void add_shapes_suite(void)
{
    static CU_TestInfo tests[] = {
        {"windows", windows},     {"groups", groups}, {"features", features}, {"normalize", normalize},
        {"losses", losses},       {"names", names},   {"totals", totals},     {"settings and limits", settings},
        CU_TEST_INFO_NULL,
    };
    add_suite("shapes", start, networks_end, tests);
    add_to_check("shapes", NULL);
}
