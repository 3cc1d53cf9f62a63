/* data.c: a data set, opened for a network: which reader, does it fit, and the reading of a sample.
 *
 * A spec names one part or several. The reader of a part leaves arrays; fit.c holds them against the
 * network. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const reader *const readers[] = {&kit_arrays, &kit_one_picture, &kit_cifar, &kit_csv};

/* ---- Opening --------------------------------------------------------------------------------- */

char *kit_copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *kit_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    char *joined = malloc(length + strlen(name) + 1);

    if (joined != NULL) {
        memcpy(joined, path, length);
        strcpy(joined + length, name);
    }
    return joined;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A part of the spec: PATH, or PATH:LABELS where no file has the whole name. */
static int set_paths(part *p, const char *text, size_t length)
{
    char *colon;

    p->path = kit_copy_text(text, length);
    if (p->path == NULL)
        return kit_no_memory();
    colon = strrchr(p->path, ':');
    if (colon != NULL && !exists(p->path)) {
        *colon = '\0';
        p->labels_path = kit_copy_text(colon + 1, strlen(colon + 1));
        if (p->labels_path == NULL)
            return kit_no_memory();
    }
    return 0;
}

/* What the files of others begin with, and what to do with them. */
static const struct {
    const char *begins;
    size_t length;
    const char *what;
} foreign[] = {
    {"PK\3\4", 4, "a zip archive (.npz is one); unpack it"},
    {"BZh", 3, "packed by bzip2; unpack it, or pack it with gzip"},
    {"\xfd" "7zXZ", 5, "packed by xz; unpack it, or pack it with gzip"},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd; unpack it, or pack it with gzip"},
    {"\x89HDF", 4, "an HDF5 file; save its arrays with numpy.save"},
    {"PAR1", 4, "a Parquet file; save it as CSV"},
    {"\x80\2", 2, "a pickle of Python; save its arrays with numpy.save (CIFAR-10: take the binary version)"},
    {"\x80\3", 2, "a pickle of Python; save its arrays with numpy.save (CIFAR-10: take the binary version)"},
    {"\x80\4", 2, "a pickle of Python; save its arrays with numpy.save (CIFAR-10: take the binary version)"},
};

static int unknown(const part *p)
{
    const bytes *file = &p->file;

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (file->size >= foreign[i].length && memcmp(file->at, foreign[i].begins, foreign[i].length) == 0)
            return kit_fail(NN_EFORMAT, "%s: it is %s", p->path, foreign[i].what);
    if (file->size > 262 && memcmp(file->at + 257, "ustar", 5) == 0)
        return kit_fail(NN_EFORMAT, "%s: it is a tar archive; unpack it", p->path);
    return kit_fail(NN_EFORMAT, "%s: it is no data that can be read: IDX, CIFAR-10 batches, CSV, .npy, PNG, "
                    "JPEG, PGM or PPM, or a folder of them", p->path);
}

static int open_file(nn_data *data, part *p)
{
    int error = kit_bytes_open(&p->file, p->path);

    if (error != 0)
        return error;
    if (data->model->vocabulary > 0)
        return kit_open_text(data, p);
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (readers[i]->knows(&p->file)) {
            error = readers[i]->open(data, p);
            if (error == 0 && p->labels_path != NULL && p->labels_file.size == 0 && !data->options.no_targets)
                error = kit_fail(NN_EMODEL, "%s: only labels of IDX and .npy files may be in a file of "
                                 "their own", p->labels_path);
            return error;
        }
    return unknown(p);
}

/* Makes the part the data's. */
static int keep_part(nn_data *data, const part *p)
{
    part *parts = realloc(data->parts, (data->nparts + 1) * sizeof *parts);

    if (parts == NULL)
        return kit_no_memory();
    data->parts = parts;
    parts[data->nparts++] = *p;
    data->count += p->count;
    return 0;
}

static void close_part(part *p)
{
    kit_bytes_close(&p->file);
    kit_bytes_close(&p->labels_file);
    free(p->path);
    free(p->labels_path);
    kit_pictures_close(p->pictures);
}

static int add_part(nn_data *data, const char *text, size_t length);

/* Adds each batch of a folder of CIFAR's. *found: whether there are any. */
static int add_batches(nn_data *data, const char *folder, int *found)
{
    int error = 0;

    for (int i = 0; i < CIFAR_BATCHES && error == 0; i++) {
        char *path;

        error = kit_cifar_batch(folder, i, &path);
        if (path == NULL)
            continue;
        *found = 1;
        error = add_part(data, path, strlen(path));
        free(path);
    }
    return error;
}

/* Adds a part of the spec, or, of a folder, several. */
static int add_part(nn_data *data, const char *text, size_t length)
{
    part p = {0};
    int error = set_paths(&p, text, length), found = 0;

    if (error == 0 && kit_is_folder(p.path) && data->model->vocabulary > 0) {
        error = kit_fail(NN_EFORMAT, "%s: it is a folder; a network of tokens reads texts", p.path);
    } else if (error == 0 && kit_is_folder(p.path)) {
        error = add_batches(data, p.path, &found);
        if (error == 0 && !found)
            error = kit_open_folder(data, &p);
    } else if (error == 0)
        error = open_file(data, &p);
    if (found) {
        close_part(&p);
        return error;
    }
    if (error == 0 && p.tokens == 0)
        error = kit_fit(data, &p);
    if (error == 0)
        error = keep_part(data, &p);
    if (error != 0)
        close_part(&p);
    return error;
}

static int open_spec(nn_data *data, const char *spec)
{
    int error = 0;

    if (*spec == '\0')
        return kit_fail(NN_EIO, "no data is given: name a file or a folder");
    if (exists(spec))
        return add_part(data, spec, strlen(spec));
    for (;; spec++) {
        const size_t length = strcspn(spec, ",");

        error = add_part(data, spec, length);
        spec += length;
        if (error != 0 || *spec == '\0')
            return error;
    }
}

static int open_alphabet(nn_data *data)
{
    const char *path = data->options.alphabet;

    if (path == NULL)
        return 0;
    if (data->model->vocabulary == 0)
        return kit_fail(NN_EMODEL, "%s: an alphabet is for networks that read tokens, `input T of V`", path);
    return kit_alphabet_open(path, data->model, &data->alphabet);
}

nn_data *nn_data_open(const char *spec, const nn_model *model, const nn_data_options *options)
{
    nn_data *data = calloc(1, sizeof *data);

    if (data == NULL) {
        kit_no_memory();
        return NULL;
    }
    data->model = model;
    if (options != NULL)
        data->options = *options;
    if (open_alphabet(data) != 0 || kit_copy_names(data, data->options.like) != 0
        || open_spec(data, spec) != 0) {
        nn_data_close(data);
        return NULL;
    }
    data->options.label = data->options.alphabet = NULL; /* they need not outlive this call */
    data->options.like = NULL;
    return data;
}

void nn_data_close(nn_data *data)
{
    if (data == NULL)
        return;
    for (size_t i = 0; i < data->nparts; i++)
        close_part(&data->parts[i]);
    for (size_t i = 0; i < data->nclasses; i++)
        free(data->classes[i]);
    free(data->classes);
    kit_alphabet_close(data->alphabet);
    free(data->parts);
    free(data);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The part that has a sample; *index becomes its number there. */
static const part *part_of(const nn_data *data, size_t *index)
{
    const part *p = data->parts;

    for (; *index >= p->count; p++)
        *index -= p->count;
    return p;
}

static int read_input(const nn_data *data, const part *p, size_t index, float *x)
{
    const nn_model *model = data->model;
    const float scale = data->options.scale != 0 ? data->options.scale : data->options.no_scale ? 1 : 0;
    size_t good;

    if (p->pictures != NULL)
        return kit_picture_read(data, p->pictures, index, scale, x);
    good = kit_array_floats(&p->x, index, scale, x);
    if (good < p->x.each)
        return kit_fail(NN_EFORMAT, "%s: number %zu of sample %zu is NaN or infinite; leave the sample out, "
                        "or mend it", p->path, good, index);
    return p->channels_last ? kit_channels_first(x, (size_t)model->input_shape[0], model->input) : 0;
}

static void read_target(const nn_data *data, const part *p, size_t index, const float *x, void *t)
{
    const nn_model *model = data->model;
    float *floats = t;
    int whole;

    switch (p->rule) {
    case NO_TARGETS:
        break;
    case LABELS_AS_LABELS:
        for (size_t k = 0; k < model->targets; k++)
            ((int *)t)[k] = (int)kit_array_whole(&p->t, index, k, &whole);
        break;
    case LABEL_AS_FLOAT: case FLOATS:
        kit_array_floats(&p->t, index, 1, floats);
        break;
    case LABELS_AS_VECTORS:
        for (size_t k = 0; k < model->targets; k++)
            floats[k] = 0;
        floats[kit_array_whole(&p->t, index, 0, &whole)] = 1;
        break;
    case SAMPLE_ITSELF:
        memcpy(floats, x, model->input * sizeof *floats);
        break;
    }
}

int nn_data_read(const nn_data *data, size_t index, float *x, void *t)
{
    return nn_data_read_shifted(data, index, 0, x, t);
}

int nn_data_read_shifted(const nn_data *data, size_t index, size_t shift, float *x, void *t)
{
    const part *p;
    int error;

    if (index >= data->count)
        return kit_fail(NN_EMODEL, "sample %zu is asked for, but there are %zu", index, data->count);
    p = part_of(data, &index);
    if (p->tokens > 0) {
        kit_text_read(data, p, index, shift, (int *)(void *)x, t);
        return 0;
    }
    error = read_input(data, p, index, x);
    if (error == 0 && t != NULL)
        read_target(data, p, index, x, t);
    return error;
}

size_t nn_data_count(const nn_data *data)
{
    return data->count;
}

int nn_data_has_targets(const nn_data *data)
{
    return data->model->targets > 0 && !data->options.no_targets;
}

size_t nn_data_classes(const nn_data *data)
{
    return data->nclasses;
}

const char *nn_data_class(const nn_data *data, size_t k)
{
    return k < data->nclasses ? data->classes[k] : NULL;
}

const char *nn_data_file(const nn_data *data, size_t index)
{
    const part *p = index < data->count ? part_of(data, &index) : NULL;

    return p != NULL && p->pictures != NULL ? kit_picture_file(p->pictures, index) : NULL;
}
