/* report.c: the command eval: what nn_evaluate finds, as text or JSON. */
#include "messages.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one class: how many have it, how many are taken for it, how many of these rightly. */
typedef struct class_counts { size_t labels, answers, right; } class_counts;

static class_counts counts_of(const nn_evaluation *e, size_t c)
{
    class_counts k = {0, 0, e->confusion[c * e->classes + c]};

    for (size_t i = 0; i < e->classes; i++) {
        k.labels += e->confusion[c * e->classes + i];
        k.answers += e->confusion[i * e->classes + c];
    }
    return k;
}

static double share(size_t part, size_t all)
{
    return all ? (double)part / (double)all : NAN;
}

static const char *class_name(const nn_data *data, size_t c, char text[static 32])
{
    const char *name = c < nn_data_classes(data) ? nn_data_class(data, c) : NULL;

    snprintf(text, 32, "%zu", c);
    return name ? name : text;
}

/* ---- Text ------------------------------------------------------------------------------------- */

static void put_percent(double part)
{
    if (isnan(part))
        printf(" %10s", "-");
    else
        printf(" %8.2f %%", 100 * part);
}

static void print_classes(const nn_evaluation *e, const nn_data *data)
{
    char text[32];

    printf("\n%-16s %10s %10s %10s\n", "class", "samples", "precision", "recall");
    for (size_t c = 0; c < e->classes; c++) {
        const class_counts k = counts_of(e, c);

        printf("%-16s %10zu", class_name(data, c, text), k.labels);
        put_percent(share(k.right, k.answers));
        put_percent(share(k.right, k.labels));
        printf("\n");
    }
}

static void print_confusion(const nn_evaluation *e, const nn_data *data)
{
    enum { MOST = 24 };
    char text[32];

    if (e->classes > MOST)
        return;
    printf("\nconfusion: a row for each class, a column for each answer\n%-16s", "");
    for (size_t a = 0; a < e->classes; a++)
        printf(" %6.6s", class_name(data, a, text));
    printf("\n");
    for (size_t c = 0; c < e->classes; c++) {
        printf("%-16s", class_name(data, c, text));
        for (size_t a = 0; a < e->classes; a++)
            printf(" %6zu", e->confusion[c * e->classes + a]);
        printf("\n");
    }
}

static void print_text(const nn_evaluation *e, const nn_data *data)
{
    printf("%zu samples", e->samples);
    if (!isnan(e->loss))
        printf(", loss %.6g", e->loss);
    if (e->labels)
        printf(", %.2f %% right (%zu of %zu)", 100 * share(e->right, e->labels), e->right, e->labels);
    printf("\n");
    if (e->classes && e->confusion) {
        print_classes(e, data);
        print_confusion(e, data);
    }
    if (!e->labels)
        printf("mean squared error %.6g, mean absolute error %.6g, R2 %.4f\n", e->mse, e->mae, e->r2);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void json_number(const char *name, double number)
{
    if (isfinite(number))
        printf(", \"%s\": %.9g", name, number);
    else
        printf(", \"%s\": null", name);
}

static void json_string(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < ' ' || *c == '"' || *c == '\\')
            printf("\\u%04x", *c);
        else
            putchar(*c);
    putchar('"');
}

static void json_classes(const nn_evaluation *e, const nn_data *data)
{
    char text[32];

    printf(", \"classes\": [");
    for (size_t c = 0; c < e->classes; c++) {
        const class_counts k = counts_of(e, c);

        printf("%s{\"name\": ", c ? ", " : "");
        json_string(class_name(data, c, text));
        printf(", \"samples\": %zu", k.labels);
        json_number("precision", share(k.right, k.answers));
        json_number("recall", share(k.right, k.labels));
        printf("}");
    }
    printf("], \"confusion\": [");
    for (size_t c = 0; c < e->classes; c++) {
        printf("%s[", c ? ", " : "");
        for (size_t a = 0; a < e->classes; a++)
            printf("%s%zu", a ? ", " : "", e->confusion[c * e->classes + a]);
        printf("]");
    }
    printf("]");
}

static void print_json(const nn_evaluation *e, const nn_data *data)
{
    printf("{\"samples\": %zu", e->samples);
    json_number("loss", e->loss);
    if (e->labels) {
        json_number("accuracy", share(e->right, e->labels));
        if (e->classes && e->confusion)
            json_classes(e, data);
    } else {
        json_number("mse", e->mse);
        json_number("mae", e->mae);
        json_number("r2", e->r2);
    }
    printf("}\n");
}

/* ---- The command ------------------------------------------------------------------------------ */

void *load_weights(const nn_model *model, const char *path)
{
    void *weights = kit_memory(model->params_bytes);

    if (!weights) {
        kit_no_memory();
        return NULL;
    }
    const int error = nn_load(model, weights, path);
    if (!error)
        return weights;
    kit_fail(error, "%s", nn_error(error));
    free(weights);
    return NULL;
}

int eval_command(const nn_model *model, command_line *line)
{
    const nn_settings *s = &line->settings;
    nn_evaluation e;
    int status = DONE;

    if (line->noperands != 1)
        return misused(line->program, "the usage is: %s eval DATA --weights FILE", line->program);
    if (!s->weights)
        return misused(line->program, "no weights given: --weights FILE says which");
    if (!model->targets)
        return misused(line->program, "the network has `loss none`: it has no targets to be held against");
    void *weights = load_weights(model, s->weights);
    nn_data *names = weights ? nn_data_names(model, s->weights) : NULL;
    nn_data *data = names ? open_data(model, s, line->operands[0], names, true) : NULL;
    nn_team *team = data ? nn_team_open(s->threads) : NULL;
    const nn_source source = {read_data, data};

    if (!weights || !data || nn_evaluate(model, weights, team, &source, NULL, nn_data_count(data), &e)) {
        status = bad(line->program, nnkit_error());
    } else {
        (s->json ? print_json : print_text)(&e, data);
        nn_evaluation_release(&e);
    }
    nn_team_close(team);
    nn_data_close(data);
    nn_data_close(names);
    free(weights);
    return status;
}
