/* names.c: what data call their classes and tokens, and how that goes with the weights that were trained on
 * them: as the notes "classes", a line for each, and "alphabet" of a safetensors file. */
#include "data.h"

#include <stdlib.h>
#include <string.h>

int kit_copy_names(nn_data *data, const nn_data *like)
{
    if (like == NULL)
        return 0;
    if (like->alphabet != NULL && data->alphabet == NULL) {
        const char *text = kit_alphabet_text(like->alphabet);
        const int error = kit_alphabet_of(text, strlen(text), "alphabet", &data->alphabet);

        if (error != 0)
            return error;
    }
    if (like->nclasses == 0)
        return 0;
    data->classes = calloc(like->nclasses, sizeof *data->classes);
    if (data->classes == NULL)
        return kit_no_memory();
    for (; data->nclasses < like->nclasses; data->nclasses++) {
        const char *name = like->classes[data->nclasses];

        data->classes[data->nclasses] = kit_copy_text(name, strlen(name));
        if (data->classes[data->nclasses] == NULL)
            return kit_no_memory();
    }
    return 0;
}

/* ---- To weights ------------------------------------------------------------------------------- */

/* The classes, a line for each; NULL: no memory. A name that has lines itself becomes one. */
static char *text_of_classes(const nn_data *data)
{
    size_t size = 1;

    for (size_t i = 0; i < data->nclasses; i++)
        size += strlen(data->classes[i]) + 1;
    char *text = calloc(size, 1), *to = text;
    for (size_t i = 0; text != NULL && i < data->nclasses; i++) {
        for (const char *c = data->classes[i]; *c != '\0'; c++)
            *to++ = *c == '\n' ? ' ' : *c;
        *to++ = '\n';
    }
    return text;
}

int nn_data_save(const nn_data *data, const nn_model *model, const void *weights, const char *path)
{
    nn_note notes[3] = {{NULL, NULL}};
    char *classes = data->nclasses > 0 ? text_of_classes(data) : NULL;
    int n = 0;

    if (data->nclasses > 0 && classes == NULL)
        return kit_no_memory();
    if (classes != NULL)
        notes[n++] = (nn_note){"classes", classes};
    if (data->alphabet != NULL)
        notes[n++] = (nn_note){"alphabet", kit_alphabet_text(data->alphabet)};
    const int error = nn_save_noted(model, weights, notes, path);
    free(classes);
    return error == 0 ? 0 : kit_fail(NNKIT_EWRITE, "%s", nn_error(error));
}

/* ---- From weights ----------------------------------------------------------------------------- */

/* A note's text, to be freed. NULL: there is none; *error says whether that is one. */
static char *read_note(const char *path, const char *name, int *error)
{
    char none[1];
    const long length = nn_read_note(path, name, none, sizeof none);
    char *text;

    if (length == -2)
        *error = kit_fail(NN_EFORMAT, "%s", nn_error(NN_EFORMAT));
    if (length < 0)
        return NULL;
    text = malloc((size_t)length + 1);
    if (text == NULL)
        *error = kit_no_memory();
    else
        nn_read_note(path, name, text, (size_t)length + 1);
    return text;
}

static int take_classes(nn_data *data, const char *text)
{
    size_t lines = 0;

    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    data->classes = calloc(lines + 1, sizeof *data->classes);
    if (data->classes == NULL)
        return kit_no_memory();
    for (const char *c = text; data->nclasses < lines; c = strchr(c, '\n') + 1) {
        data->classes[data->nclasses] = kit_copy_text(c, strcspn(c, "\n"));
        if (data->classes[data->nclasses++] == NULL)
            return kit_no_memory();
    }
    return 0;
}

nn_data *nn_data_names(const nn_model *model, const char *weights)
{
    nn_data *data = calloc(1, sizeof *data);
    int error = data == NULL ? kit_no_memory() : 0;

    if (error != 0)
        return NULL;
    data->model = model;
    char *classes = read_note(weights, "classes", &error);
    char *symbols = model->vocabulary > 0 && error == 0 ? read_note(weights, "alphabet", &error) : NULL;
    if (error == 0 && classes != NULL)
        error = take_classes(data, classes);
    if (error == 0 && symbols != NULL)
        error = kit_alphabet_of(symbols, strlen(symbols), weights, &data->alphabet);
    free(classes);
    free(symbols);
    if (error == 0)
        return data;
    nn_data_close(data);
    return NULL;
}
