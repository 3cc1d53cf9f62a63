/* predict.c: the command predict: a network's answers for data without targets, in the order of the samples.
 *
 * Samples are taken in waves: the threads answer a wave's shards, then they are printed. */
#include "messages.h"
#include "program.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { WAVE = 64 };

typedef struct asking {
    const nn_model *model;
    const nn_settings *settings;
    const void *weights;
    const nn_data *data, *names;  /* names: of the classes that the weights know */
    size_t count, first;          /* samples; where the wave begins */
    size_t shard;
    float **x, *y;                /* inputs of each thread; answers of the wave */
    void  **work;
    nn_team *team;
    size_t answered;              /* samples, of all files */
    _Alignas(64) atomic_int next;
    atomic_int error;
    char message[512];
} asking;

static void answer_shards(void *context, int thread, int threads)
{
    asking *a = context;
    const nn_model *model = a->model;

    (void)threads;
    for (size_t k;
         (k = (size_t)atomic_fetch_add(&a->next, 1)) < WAVE && a->first + k * a->shard < a->count;) {
        const size_t first = a->first + k * a->shard, left = a->count - first;
        const int n = (int)(left < a->shard ? left : a->shard);

        for (int i = 0; i < n; i++) {
            const int error =
                nn_data_read(a->data, first + (size_t)i, a->x[thread] + (size_t)i * model->input, NULL);
            int none = 0;

            if (error) {
                if (atomic_compare_exchange_strong(&a->error, &none, error))
                    kit_copy_message(a->message, sizeof a->message);
                return;
            }
        }
        model->forward(a->weights, a->work[thread], n, a->x[thread], a->y + k * a->shard * model->output);
    }
}

/* ---- Printing --------------------------------------------------------------------------------- */

static void print_name(const asking *a, const char *spec, size_t i)
{
    const char *file = nn_data_file(a->data, i);

    if (file)
        printf("%s", file);
    else if (a->count == 1)
        printf("%s", spec);
    else
        printf("%s[%zu]", spec, i);
}

/* The K greatest answers, the greatest first. */
static void print_top(const nn_model *model, const nn_data *names, const float *y, size_t top)
{
    double bound = HUGE_VAL;
    size_t at = SIZE_MAX;

    for (size_t k = 0; k < top && k < model->output; k++) {
        size_t best = SIZE_MAX;

        for (size_t c = 0; c < model->output; c++) /* behind the one before: smaller, or as great and later */
            if ((y[c] < bound || ((double)y[c] == bound && c > at)) && (best == SIZE_MAX || y[c] > y[best]))
                best = c;
        if (best == SIZE_MAX)
            return;
        if (nn_data_class(names, best))
            printf("  %s (%.4g)", nn_data_class(names, best), (double)y[best]);
        else
            printf("  %zu (%.4g)", best, (double)y[best]);
        bound = y[best];
        at = best;
    }
}

static void print_numbers(const nn_model *model, const float *y, const char *before)
{
    for (size_t i = 0; i < model->output; i++)
        printf("%s%.9g", before, (double)y[i]);
}

static void print_wave(const asking *a, const char *spec)
{
    const nn_model *model = a->model;
    const nn_settings *s = a->settings;
    const size_t left = a->count - a->first, n = left < WAVE * a->shard ? left : WAVE * a->shard;
    const bool classes = model->int_targets && model->targets == 1;

    if (strcmp(s->format, "npy") == 0) {
        fwrite(a->y, sizeof(float), n * model->output, stdout);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float *y = a->y + i * model->output;

        print_name(a, spec, a->first + i);
        if (strcmp(s->format, "csv") == 0)
            print_numbers(model, y, ",");
        else if (classes)
            print_top(model, a->names, y, s->top ? (size_t)s->top : 1);
        else
            print_numbers(model, y, "  ");
        printf("\n");
    }
}

/* The head of an .npy file (format 1.0, NumPy Enhancement Proposal 1): a float32 array n x output. */
static void print_npy_head(const nn_model *model, size_t n)
{
    const uint32_t one = 1;
    char head[128];
    int length =
        snprintf(head, sizeof head, "{'descr': '%cf4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                 *(const char *)&one ? '<' : '>', n, model->output);

    while ((10 + length + 1) % 64 != 0)
        head[length++] = ' ';
    head[length++] = '\n';
    fwrite("\x93NUMPY\x01\x00", 1, 8, stdout);
    putchar(length & 255);
    putchar(length >> 8);
    fwrite(head, 1, (size_t)length, stdout);
}

/* ---- The command ------------------------------------------------------------------------------ */

static int answer_data(asking *a, const char *spec)
{
    for (a->first = 0; a->first < a->count; a->first += WAVE * a->shard) {
        atomic_store(&a->next, 0);
        nn_team_run(a->team, a->count < 2 * a->shard ? 1 : 0, answer_shards, a);
        if (a->error)
            return kit_fail(a->error, "%s", a->message);
        print_wave(a, spec);
    }
    return 0;
}

static bool make_asking(asking *a)
{
    const nn_model *model = a->model;
    const int threads = a->team ? nn_team_threads(a->team) : 0;

    a->shard = (size_t)model->batch < 64 ? (size_t)model->batch : 64;
    a->x = calloc((size_t)threads + 1, sizeof *a->x);
    a->work = calloc((size_t)threads + 1, sizeof *a->work);
    a->y = kit_memory(WAVE * a->shard * model->output * sizeof(float));
    if (!threads || !a->x || !a->work || !a->y)
        return false;
    for (int i = 0; i < threads; i++) {
        a->x[i] = kit_memory(a->shard * model->input * sizeof(float));
        a->work[i] = kit_memory(model->work_bytes);
        if (!a->x[i] || !a->work[i])
            return false;
    }
    return true;
}

static void free_asking(asking *a)
{
    for (int i = 0; a->team && i < nn_team_threads(a->team); i++) {
        if (a->x)
            free(a->x[i]);
        if (a->work)
            free(a->work[i]);
    }
    free(a->x);
    free(a->work);
    free(a->y);
    nn_team_close(a->team);
}

/* All files are looked at before the first answer: the .npy head says how many there are, and no output is
 * half-written. */
static int answer_all(asking *a, command_line *line)
{
    nn_data **data = calloc((size_t)line->noperands, sizeof *data);
    size_t all = 0;
    int error = data ? 0 : kit_no_memory();

    for (int i = 0; i < line->noperands && !error; i++) {
        data[i] = open_data(a->model, a->settings, line->operands[i], a->names, false);
        error = data[i] ? 0 : NN_EFORMAT;
        all += data[i] ? nn_data_count(data[i]) : 0;
    }
    if (!error && strcmp(a->settings->format, "npy") == 0)
        print_npy_head(a->model, all);
    for (int i = 0; i < line->noperands && !error; i++) {
        a->data = data[i];
        a->count = nn_data_count(data[i]);
        error = answer_data(a, line->operands[i]);
    }
    for (int i = 0; data && i < line->noperands; i++)
        nn_data_close(data[i]);
    free(data);
    return error;
}

int predict_command(const nn_model *model, command_line *line)
{
    const nn_settings *s = &line->settings;
    int error;

    if (line->noperands < 1)
        return misused(line->program, "the usage is: %s predict FILE... --weights FILE", line->program);
    if (!s->weights)
        return misused(line->program, "no weights given: --weights FILE says which");
    void *weights = load_weights(model, s->weights);
    nn_data *names = weights ? nn_data_names(model, s->weights) : NULL;
    asking a = {
        .model = model, .settings = s, .weights = weights, .names = names,
        .team = names ? nn_team_open(s->threads) : NULL};

    if (!names)
        error = NN_EFORMAT;
    else
        error = make_asking(&a) ? answer_all(&a, line) : kit_no_memory();
    free_asking(&a);
    nn_data_close(names);
    free(weights);
    return error ? bad(line->program, nnkit_error()) : DONE;
}
