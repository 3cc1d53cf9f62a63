/* bench.c: measures the networks of this folder, and PyTorch beside them where python3 has it.
 *
 *     bench NNC CC TARGET FOLDER ROUNDS SECONDS BASELINE save|compare NET...
 *
 * Each network is compiled into FOLDER and runs as a child that answers requests (net.c); PyTorch is another
 * (torch_net.py), the core's peak a third (peak.c). Rounds are interleaved, first nnc, then PyTorch, then the peak, so
 * that what slows the machine slows all of them; the figures are medians, ratios the median of the rounds' ratios.
 * BASELINE holds the ratios of an earlier run: those that became worse are marked. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ROUNDS = 51, MOST_FUNCTIONS = 1000, MOST_RESULTS = 2000 };
enum { BATCH = 32 }; /* of the networks here, since they don't say */
static const double regression = 0.9;
static const double least_cycles = 30; /* what reading the clock takes can't be told from shorter functions */
static const double longest_compilation = 120; /* seconds, as nnc predicts */

static const char *nnc, *cc, *target, *folder, *source;
static const char *cflags;
static int rounds, lanes;
static double seconds;

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
    char *result = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&result, format, ap) < 0)
        exit(2);
    va_end(ap);
    return result;
}

static void run(const char *command)
{
    if (system(command) != 0) {
        fprintf(stderr, "bench: this failed: %s\n", command);
        exit(2);
    }
}

/* ---- Children ------------------------------------------------------------------------------------------- */

typedef struct Child {
    FILE *to, *from;
    pid_t pid;
} Child;

static Child start(const char *command)
{
    int in[2], out[2];
    Child child = {NULL, NULL, -1};
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (child.pid = fork()) < 0) {
        perror("bench");
        exit(2);
    }
    if (child.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/bin/sh", "sh", "-c", text("exec %s", command), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    child.to = fdopen(in[1], "w");
    child.from = fdopen(out[0], "r");
    return child;
}

/* NAN when the child is gone. */
static double ask(Child *child, const char *request)
{
    double answer = NAN;
    char line[100];
    if (!child->to)
        return NAN;
    fprintf(child->to, "%s %g\n", request, seconds);
    fflush(child->to);
    if (!fgets(line, sizeof line, child->from) || sscanf(line, "%lf", &answer) != 1)
        return NAN;
    return answer;
}

static void stop(Child *child)
{
    if (!child->to)
        return;
    fclose(child->to);
    fclose(child->from);
    waitpid(child->pid, NULL, 0);
    child->to = NULL;
}

/* ---- Figures ------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return n ? n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2 : NAN;
}

typedef struct Result {
    char name[100];
    double value;
} Result;

static Result results[MOST_RESULTS], baseline[MOST_RESULTS];
static int nresults, nbaseline;

static void read_baseline(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[200];
    while (f && nbaseline < MOST_RESULTS && fgets(line, sizeof line, f))
        nbaseline += sscanf(line, "%99s %lf", baseline[nbaseline].name, &baseline[nbaseline].value) == 2;
    if (f)
        fclose(f);
}

static void write_baseline(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(2);
    }
    for (int i = 0; i < nresults; i++)
        fprintf(f, "%s %.4g\n", results[i].name, results[i].value);
    fclose(f);
    fprintf(stderr, "%s is written\n", path);
}

/* Notes a figure of which more is better; says how it stands to the baseline. */
static const char *note(const char *name, double value)
{
    if (isnan(value))
        return "-";
    if (nresults < MOST_RESULTS) {
        snprintf(results[nresults].name, sizeof results->name, "%s", name);
        results[nresults++].value = value;
    }
    for (int i = 0; i < nbaseline; i++)
        if (!strcmp(baseline[i].name, name))
            return text("%.2f%s", value / baseline[i].value, value < regression * baseline[i].value ? " worse" : "");
    return "new";
}

static const char *number(double value)
{
    if (isnan(value))
        return "-";
    return value >= 1e6 ? text("%.1fM", value / 1e6) : value >= 1e4 ? text("%.0fk", value / 1e3) : value >= 1e3 ? text("%.1fk", value / 1e3)
           : value >= 100 ? text("%.0f", value) : value >= 10 ? text("%.1f", value) : text("%.3g", value);
}

static const char *ratio(double value)
{
    return isnan(value) ? "-" : value >= 10 ? text("%.0f", value) : text("%.2f", value);
}

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

static const char *build(const char *net, const char *options, const char *kind)
{
    const char *to = text("%s/%s-%s", folder, net, kind);
    run(text("mkdir -p %s && %s --target=%s %s -o %s/net.c %s/%s.nn", to, nnc, target, options, to, source, net));
    bool layers = !strncmp(kind, "layers", 6);
    if (layers)
        run(text("awk -f %s/layers.awk %s/net.c >%s/timed.c", source, to, to));
    run(text("%s %s -I%s -Iruntime %s %s/net.c %s build/libnn.a -lm -o %s/net", cc, cflags, to, layers ? "-DLAYERS='\"timed.c\"'" : "",
             source, layers ? "" : text("%s/net.c", to), to));
    return to;
}

static bool has_torch;

static void measure_net(const char *net)
{
    fprintf(stderr, "%s ", net);
    Child ours = start(text("%s/net", build(net, "", "auto"))), torch = {NULL, NULL, -1};
    if (has_torch)
        torch = start(text("/usr/bin/python3 %s/torch_net.py %s/%s.nn %s/../torch", source, source, net, source));
    double figure[2][2][MOST_ROUNDS], ratios[2][MOST_ROUNDS];
    static const char *const requests[] = {"train", "infer"};
    for (int i = 0; i < 2; i++) { /* a round for nothing */
        ask(&ours, requests[i]);
        ask(&torch, requests[i]);
    }
    for (int r = 0; r < rounds; r++, fputc('.', stderr))
        for (int i = 0; i < 2; i++) {
            figure[i][0][r] = ask(&ours, requests[i]);
            figure[i][1][r] = ask(&torch, requests[i]);
            ratios[i][r] = i ? figure[i][1][r] / figure[i][0][r] : figure[i][0][r] / figure[i][1][r];
        }
    fputc('\n', stderr);
    stop(&ours);
    stop(&torch);
    double train = median(figure[0][0], rounds), infer = median(figure[1][0], rounds);
    double torch_train = has_torch ? median(figure[0][1], rounds) : NAN, torch_infer = has_torch ? median(figure[1][1], rounds) : NAN;
    double train_ratio = has_torch ? median(ratios[0], rounds) : NAN, infer_ratio = has_torch ? median(ratios[1], rounds) : NAN;
    printf("| %s | %s | %s | %s | %s | %s | %s | %s, %s |\n", net, number(train), number(torch_train), ratio(train_ratio), number(infer),
           number(torch_infer), ratio(infer_ratio), note(text("%s.train", net), train_ratio), note(text("%s.infer", net), infer_ratio));
    fflush(stdout);
}

/* ---- Layers ---------------------------------------------------------------------------------------------------------- */

/* A function as nnc predicts it, and what a round measured. Several layers may call one. */
typedef struct Figures {
    char name[100], form[100];  /* form: of fewer multiplications, "F(4x4,3x3)"; empty: none */
    bool training, once;        /* of net_backward; called once a call, not for each sample */
    double macs, cycles;
    double took[MOST_ROUNDS];   /* seconds a sample, all its layers together */
    int layers;                 /* that call it */
} Figures;

typedef struct Prediction {
    Figures functions[MOST_FUNCTIONS];
    int n;
    double compilation;         /* seconds that the C compiler will take; 0: not worth a word */
} Prediction;

/* The number that stands before these words in a line of --dump=plan; NAN: they are not there. */
static double number_before(const char *line, const char *words)
{
    const char *end = strstr(line, words), *begin = end;
    while (begin && begin > line && strchr("0123456789.", begin[-1]))
        begin--;
    return begin == end ? NAN : atof(begin);
}

/* "    F(4x4,3x3), predicted to be 2.72 times as fast ...": a form that its function has. */
static void add_form(Figures *f, const char *line)
{
    const char *begin = line + strspn(line, " "), *end = strstr(line, ", predicted");
    char form[100];
    snprintf(form, sizeof form, "%.*s", (int)(end - begin), begin);
    if (!strstr(f->form, form))
        snprintf(f->form + strlen(f->form), sizeof f->form - strlen(f->form), "%s%s", *f->form ? ", " : "", form);
}

/* "  NAME: ... M multiply-adds in C cycles ...", whatever else stands in the lines. */
static void read_predictions(const char *net, const char *options, Prediction *p)
{
    FILE *plan = popen(text("%s --target=%s %s --dump=plan %s/%s.nn 2>&1", nnc, target, options, source, net), "r");
    char line[2000], name[100];
    bool training = false;
    p->n = 0;
    p->compilation = 0;
    while (plan && fgets(line, sizeof line, plan)) {
        double macs = number_before(line, " multiply-adds"), cycles = number_before(line, " cycles"),
               compilation = strstr(line, "will take about") ? number_before(line, " s;") : NAN;
        if (!strncmp(line, "pass ", 5))
            training = !strncmp(line, "pass backward", 13);
        else if (!isnan(compilation))
            p->compilation = compilation;
        else if (sscanf(line, "  %99[a-z0-9A-Z_]:", name) == 1 && !isnan(macs) && !isnan(cycles) && p->n < MOST_FUNCTIONS) {
            Figures *f = &p->functions[p->n++];
            memset(f, 0, sizeof *f);
            strcpy(f->name, name);
            f->training = training;
            f->once = strstr(line, "once a call") != NULL;
            f->macs = macs;
            f->cycles = cycles;
        } else if (strstr(line, ", predicted to be ") && p->n)
            add_form(&p->functions[p->n - 1], line);
    }
    if (plan)
        pclose(plan);
}

/* A function that is called for several layers has all their work. */
static Figures *find(Prediction *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->functions[i].name, name))
            return &p->functions[i];
    return NULL;
}

static void ask_layers(Child *child, Prediction *p, int round)
{
    char line[200], name[100];
    double took;
    for (int i = 0; i < p->n; i++) {
        p->functions[i].took[round] = 0;
        p->functions[i].layers = 0;
    }
    fprintf(child->to, "layers %g\n", seconds);
    fflush(child->to);
    while (fgets(line, sizeof line, child->from) && strcmp(line, "end\n")) {
        Figures *f = sscanf(line, "%99s %lf", name, &took) == 2 ? find(p, name) : NULL;
        if (f) {
            f->took[round] += took;
            f->layers++;
        }
    }
}

/* What function i of p is in a plan of the same network with other options: functions of the same contractions stand in the
 * same order, though under other names where other layers share their code. NULL: none. */
static Figures *counterpart(const Prediction *p, int i, Prediction *other)
{
    int place = 0, n[2] = {0};
    Figures *found = NULL;
    for (int k = 0; k < p->n; k++)
        if (p->functions[k].training && p->functions[k].macs > 0) {
            place = k == i ? n[0] : place;
            n[0]++;
        }
    for (int k = 0; k < other->n; k++)
        if (other->functions[k].training && other->functions[k].macs > 0)
            if (n[1]++ == place)
                found = &other->functions[k];
    return p->functions[i].training && n[0] == n[1] && found ? find(other, found->name) : NULL;
}

static char *gains; /* rows of a table of its own, printed behind that of the layers */

/* Functions with fewer multiplications, beside the same with the sums as written: is the gain what nnc predicts? */
static void note_gains(const char *net, const char *only, Prediction *p, Prediction *direct)
{
    for (int i = 0; i < p->n; i++) {
        const Figures *first = &p->functions[i], *f = find(p, first->name), *d;
        bool seen = false;
        for (int k = 0; k < i; k++)
            seen |= p->functions[k].training && !strcmp(p->functions[k].name, f->name);
        if (seen || !*first->form || (only && strncmp(f->name, only, strlen(only))) || !(d = counterpart(p, i, direct)) || !f->layers
            || !d->layers)
            continue;
        double gain[MOST_ROUNDS];
        for (int r = 0; r < rounds; r++)
            gain[r] = d->took[r] / d->layers / (f->took[r] / f->layers);
        gains = text("%s| %s | %s | %s | %.2f | %.2f |\n", gains ? gains : "", net, f->name, first->form, d->cycles / f->cycles,
                     median(gain, rounds));
    }
}

static void print_layers(const char *net, const char *only, const Prediction *p, const double *peaks)
{
    double cycle = 4 * lanes / (median(peaks, rounds) * 1e9); /* two multiply-adds on vectors */
    for (int i = 0; i < p->n; i++) {
        const Figures *f = &p->functions[i];
        double took = median(f->took, rounds), share[MOST_ROUNDS];
        if (!f->layers || (only && strncmp(f->name, only, strlen(only))) || took < least_cycles * cycle)
            continue;
        for (int r = 0; r < rounds; r++)
            share[r] = f->macs > 0 && f->layers == 1 ? 2 * f->macs / f->took[r] / (peaks[r] * 1e9) : NAN;
        double part = median(share, rounds);
        printf("| %s | %s | %s | %.0f | %.0f | %s | %s |\n", net, f->name, number(1e6 * took), took / cycle, f->layers * f->cycles,
               isnan(part) ? "-" : text("%.0f %%", 100 * part), isnan(part) ? "-" : note(text("%s.%s", net, f->name), part));
        fflush(stdout);
    }
}

static void measure_layers(const char *net, const char *only, Child *peak)
{
    static Prediction ours, direct;
    double peaks[MOST_ROUNDS];
    bool fewer = false;
    fprintf(stderr, "%s, layer by layer ", net);
    read_predictions(net, "", &ours);
    for (int i = 0; i < ours.n; i++)
        fewer |= *ours.functions[i].form != '\0';
    Child child = start(text("%s/net", build(net, "", "layers"))), other = {NULL, NULL, -1};
    if (fewer) {
        read_predictions(net, "--math=direct", &direct);
        other = start(text("%s/net", build(net, "--math=direct", "layers-direct")));
    }
    for (int r = 0; r < rounds; r++, fputc('.', stderr)) {
        peaks[r] = ask(peak, "peak");
        ask_layers(&child, &ours, r);
        if (fewer)
            ask_layers(&other, &direct, r);
    }
    fputc('\n', stderr);
    stop(&child);
    stop(&other);
    print_layers(net, only, &ours, peaks);
    if (fewer)
        note_gains(net, only, &ours, &direct);
}

/* Of a sample, as nnc predicts: in net_backward on a whole batch, or in net_forward alone. */
static double predicted_cycles(const Prediction *p, bool training)
{
    double cycles = 0;
    for (int i = 0; i < p->n; i++)
        if (p->functions[i].training == training)
            cycles += p->functions[i].cycles / (training && p->functions[i].once ? BATCH : 1);
    return cycles;
}

/* Are the predictions by which auto chooses right? */
static void measure_unrolling(const char *net, Child *peak)
{
    static const char *const modes[] = {"auto", "full", "tile"};
    static Prediction p[3];
    Child child[3];
    double figure[3][2][MOST_ROUNDS], peaks[MOST_ROUNDS];
    fprintf(stderr, "%s, unrolled ", net);
    for (int m = 0; m < 3; m++) {
        const char *options = text("--unroll=%s", modes[m]);
        read_predictions(net, options, &p[m]);
        child[m] = (Child){NULL, NULL, -1};
        if (p[m].n && p[m].compilation < longest_compilation)
            child[m] = start(text("%s/net", build(net, text("-Wno-unroll %s", options), modes[m])));
    }
    for (int r = 0; r < rounds; r++, fputc('.', stderr)) {
        peaks[r] = ask(peak, "peak");
        for (int m = 0; m < 3; m++) {
            figure[m][0][r] = ask(&child[m], "train");
            figure[m][1][r] = ask(&child[m], "infer");
        }
    }
    fputc('\n', stderr);
    double cycle = 4 * lanes / (median(peaks, rounds) * 1e9);
    for (int m = 0; m < 3; m++) {
        double train = median(figure[m][0], rounds), infer = median(figure[m][1], rounds);
        printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", net, modes[m], number(train), number(1 / train / cycle),
               number(predicted_cycles(&p[m], true)), number(infer), number(1e-6 * infer / cycle), number(predicted_cycles(&p[m], false)));
        stop(&child[m]);
    }
    fflush(stdout);
}

/* ---- Optimizers ---------------------------------------------------------------------------------------------------------- */

/* Steps beside a plain copy of as many bytes, where the weights fit the second cache and where they fit none. */
static void measure_optimizers(void)
{
    static const char *const names[] = {"copy", "sgd", "momentum", "adagrad", "rmsprop", "adam"};
    enum { NAMES = sizeof names / sizeof *names, SIZES = 2 };
    static const int weights[SIZES] = {16 << 10, 8 << 20};
    double speed[SIZES][NAMES][MOST_ROUNDS], ratios[SIZES][NAMES][MOST_ROUNDS];
    run(text("%s -O2 -Iruntime %s/optimizers.c build/libnn.a -lm -o %s/optimizers", cc, source, folder));
    Child child = start(text("%s/optimizers", folder));
    fprintf(stderr, "optimizers ");
    for (int r = 0; r < rounds; r++, fputc('.', stderr))
        for (int s = 0; s < SIZES; s++)
            for (int i = 0; i < NAMES; i++) {
                speed[s][i][r] = ask(&child, text("%s %d", names[i], weights[s]));
                ratios[s][i][r] = speed[s][i][r] / speed[s][0][r];
            }
    fputc('\n', stderr);
    stop(&child);
    printf("\n| optimizer | GB/s, %dk weights | of a copy | GB/s, %dM weights | of a copy |\n|---|---|---|---|---|\n", weights[0] >> 10,
           weights[1] >> 20);
    for (int i = 0; i < NAMES; i++) {
        printf("| %s |", names[i]);
        for (int s = 0; s < SIZES; s++)
            printf(" %s | %s |", number(median(speed[s][i], rounds)), i ? ratio(median(ratios[s][i], rounds)) : "-");
        putchar('\n');
    }
    fflush(stdout);
}

/* ---- All of it ------------------------------------------------------------------------------------------------------------ */

static bool cpu_has(const char *flag)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[10000];
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f))
        found = (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8)) && strstr(line, text(" %s ", flag)) != NULL;
    if (f)
        fclose(f);
    return found;
}

static const char *cpu_name(void)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[1000];
    const char *name = "an unknown processor";
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':')) {
            line[strcspn(line, "\n")] = '\0';
            name = text("%s", strchr(line, ':') + 2);
            break;
        }
    if (f)
        fclose(f);
    return name;
}

static void choose_target(void)
{
    static const struct { const char *name, *cflags; int lanes; } all[] = {
        {"generic", "-O2 -march=native", 8}, {"scalar", "-std=c99 -O2", 1}, {"avx2", "-O2 -mavx2 -mfma", 8},
        {"avx512", "-O2 -march=x86-64-v4", 16}, {"neon", "-O2", 4},
    };
    if (!strcmp(target, "best"))
        target = cpu_has("avx512f") && cpu_has("avx512vl") ? "avx512" : cpu_has("avx2") && cpu_has("fma") ? "avx2"
                 : cpu_has("asimd") ? "neon" : "generic";
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(target, all[i].name)) {
            cflags = all[i].cflags;
            lanes = all[i].lanes;
        }
    if (!cflags) {
        fprintf(stderr, "bench: there is no target %s\n", target);
        exit(2);
    }
}

static bool chosen(int n, char **nets, const char *net)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(nets[i], net))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 10) {
        fprintf(stderr, "bench NNC CC TARGET FOLDER ROUNDS SECONDS BASELINE save|compare NET... (make bench calls it)\n");
        return 2;
    }
    nnc = argv[1], cc = argv[2], target = argv[3], folder = argv[4], source = "tests/bench";
    rounds = atoi(argv[5]), seconds = atof(argv[6]);
    if (rounds < 1 || rounds > MOST_ROUNDS || !(seconds > 0)) {
        fprintf(stderr, "bench: ROUNDS is 1 to %d, SECONDS is positive\n", MOST_ROUNDS);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    choose_target();
    read_baseline(argv[7]);
    int n = argc - 9;
    char **nets = argv + 9;
    has_torch = system("/usr/bin/python3 -c 'import torch' >/dev/null 2>&1") == 0;
    if (!has_torch)
        fprintf(stderr, "PyTorch is not installed (Debian: python3-torch libopenblas0); its columns stay empty\n");
    run(text("mkdir -p %s && %s %s -DLANES=%d %s/peak.c -o %s/peak", folder, cc, cflags, lanes > 1 ? lanes : 4, source, folder));
    Child peak = start(text("%s/peak", folder));
    double gflops = ask(&peak, "peak");

    printf("One thread of %s, %.0f GFLOP/s; `--target=%s`, %s %s%s.\n\n", cpu_name(), gflops, target, cc, cflags,
           has_torch ? "" : "; without PyTorch");
    printf("| net | training, images/s | PyTorch | ratio | inference, us | PyTorch | ratio | of the baseline |\n|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < n; i++)
        if (nets[i][0] == 'N')
            measure_net(nets[i]);
    printf("\n| net | function | us a sample | cycles | predicted | share of peak | of the baseline |\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < n; i++)
        measure_layers(nets[i], nets[i][0] == 'C' ? "conv2" : NULL, &peak);
    if (gains)
        printf("\n| net | function | form | gain, predicted | measured |\n|---|---|---|---|---|\n%s", gains);
    static const char *const small[] = {"N0", "N1", "N3"};
    for (int i = 0, heads = 0; i < 3; i++)
        if (chosen(n, nets, small[i])) {
            if (!heads++)
                printf("\n| net | --unroll | training, images/s | cycles | predicted | inference, us | cycles | predicted |\n"
                       "|---|---|---|---|---|---|---|---|\n");
            measure_unrolling(small[i], &peak);
        }
    measure_optimizers();
    stop(&peak);
    if (!strcmp(argv[8], "save"))
        write_baseline(argv[7]);
    return 0;
}
