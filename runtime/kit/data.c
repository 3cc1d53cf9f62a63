/* data.c: a data set, opened for a network: which reader, does it fit, and the reading of a sample.
 *
 * A spec names one part or several. The reader of a part leaves arrays; here they are held against the
 * network's input and targets. Every label is looked at, so that what is wrong is said before training. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The label that crossentropy does not count, as PyTorch's ignore_index. */
enum { NO_LABEL = -100 };

static const reader *const readers[] = {&kit_arrays};

/* ---- Does it fit the network? ---------------------------------------------------------------------- */

static int network_rank(const nn_model *model)
{
    return model->input_shape[1] == 1 && model->input_shape[2] == 1 ? 1 : 3;
}

static const char *network_shape(const nn_model *model, char *to, size_t room)
{
    size_t shape[3];

    for (int d = 0; d < 3; d++)
        shape[d] = (size_t)model->input_shape[d];
    return kit_shape_text(network_rank(model), shape, to, room);
}

/* The same shape, but for ones: 28x28 is 1x28x28. order: where each of shape's dimensions is in file's. */
static int same_shape(const array *x, const nn_model *model, const int order[3])
{
    size_t left[4] = {0}, right[4] = {0};
    int nleft = 0, nright = 0;

    for (int d = 0; d < x->rank && nleft < 4; d++)
        if (x->shape[d] != 1)
            left[nleft++] = x->shape[d];
    for (int d = 0; d < 3; d++)
        if (model->input_shape[order[d]] != 1)
            right[nright++] = (size_t)model->input_shape[order[d]];
    return nleft == nright && memcmp(left, right, sizeof left) == 0;
}

/* The samples have the network's input shape, or channels last; or one of the two is flat. */
static int check_input(const nn_data *data, part *p)
{
    static const int channels_first[] = {0, 1, 2}, channels_last[] = {1, 2, 0};
    const nn_model *model = data->model;
    char have[300], want[100];

    if (p->x.each == model->input) {
        if (p->x.rank <= 1 || network_rank(model) == 1 || same_shape(&p->x, model, channels_first))
            return 0;
        if (same_shape(&p->x, model, channels_last)) {
            p->channels_last = 1;
            return 0;
        }
    }
    kit_shape_text(p->x.rank, p->x.shape, have, sizeof have);
    network_shape(model, want, sizeof want);
    return kit_fail(NN_EMODEL, "%s: a sample is %s (%zu numbers), but the network takes %s (%zu); write "
                    "`input %s%s` in the .nn file, or give data of the network's shape", p->path, have,
                    p->x.each, want, model->input, p->x.rank == 2 ? "1x" : "", have);
}

/* The file that has the labels. */
static const char *labels_of(const part *p)
{
    return p->labels_path != NULL ? p->labels_path : p->path;
}

/* What the targets become, by the network's and the data's. */
static int choose_rule(const nn_data *data, part *p)
{
    const nn_model *model = data->model;
    const int have = p->t.count != 0, floats = have && (p->t.type == F32 || p->t.type == F64);

    if (data->options.no_targets || model->targets == 0)
        p->rule = NO_TARGETS;
    else if (model->int_targets && have && p->t.each == model->targets)
        p->rule = LABELS_AS_LABELS;
    else if (!model->int_targets && have && p->t.each == model->targets && (floats || model->targets > 1))
        p->rule = FLOATS;
    else if (!model->int_targets && have && p->t.each == 1 && model->targets == 1)
        p->rule = LABEL_AS_FLOAT;
    else if (!model->int_targets && model->targets == model->input && (!have || p->t.each == 1))
        p->rule = SAMPLE_ITSELF;
    else if (!model->int_targets && have && p->t.each == 1 && !floats)
        p->rule = LABELS_AS_VECTORS;
    else if (!have)
        return kit_fail(NN_EMODEL, "%s: it has no labels, and none are beside it; give them as %s:LABELS",
                        p->path, p->path);
    else
        return kit_fail(NN_EMODEL, "%s: a sample has %zu %s, but the network's loss takes %zu %s; give other "
                        "data, or change the loss or the last layer in the .nn file", labels_of(p), p->t.each,
                        floats ? "numbers as its target" : "labels", model->targets,
                        model->int_targets ? "labels" : "numbers");
    return 0;
}

/* The classes that labels are of: 0, where any whole number will do. */
static size_t classes_of(const nn_data *data, target_rule rule)
{
    const nn_model *model = data->model;

    if (rule == LABELS_AS_LABELS)
        return model->output / model->targets;
    return rule == LABELS_AS_VECTORS ? model->targets : 0;
}

static int check_label(const nn_data *data, const part *p, size_t n, size_t k)
{
    const long long classes = (long long)classes_of(data, p->rule);
    int whole;
    const long long label = kit_array_whole(&p->t, n, k, &whole);

    if (!whole)
        return kit_fail(NN_EFORMAT, "%s: the label of sample %zu is not a whole number; labels are the "
                        "classes' numbers, from 0", labels_of(p), n);
    if ((label < 0 && (label != NO_LABEL || p->rule != LABELS_AS_LABELS)) || label >= classes)
        return kit_fail(NN_EFORMAT, "%s: sample %zu has the label %lld, but the network's classes are 0 to "
                        "%lld; mend the label, or give the network's last layer more outputs", labels_of(p),
                        n, label, classes - 1);
    return 0;
}

/* Looks at every target: classes are whole numbers below their number, other targets finite. */
static int check_targets(const nn_data *data, part *p)
{
    const int are_classes = classes_of(data, p->rule) > 0;
    int error = 0;

    if (p->rule == NO_TARGETS || p->rule == SAMPLE_ITSELF)
        return 0;
    for (size_t n = 0; n < p->count && error == 0; n++)
        for (size_t k = 0; k < p->t.each && error == 0; k++)
            if (are_classes)
                error = check_label(data, p, n, k);
            else if (!kit_array_is_finite(&p->t, n, k))
                error = kit_fail(NN_EFORMAT, "%s: the target of sample %zu is NaN or infinite; leave the "
                                 "sample out, or mend it", labels_of(p), n);
    return error;
}

/* ---- Opening ---------------------------------------------------------------------------------------- */

static char *copy_text(const char *text, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

static int exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A part of the spec: PATH, or PATH:LABELS where no file has the whole name. */
static int set_paths(part *p, const char *text, size_t length)
{
    char *colon;

    p->path = copy_text(text, length);
    if (p->path == NULL)
        return kit_no_memory();
    colon = strrchr(p->path, ':');
    if (colon != NULL && !exists(p->path)) {
        *colon = '\0';
        p->labels_path = copy_text(colon + 1, strlen(colon + 1));
        if (p->labels_path == NULL)
            return kit_no_memory();
    }
    return 0;
}

static int open_part(nn_data *data, part *p)
{
    int error = kit_bytes_open(&p->file, p->path);
    size_t i = 0;

    if (error != 0)
        return error;
    while (i < sizeof readers / sizeof *readers && !readers[i]->knows(&p->file))
        i++;
    if (i == sizeof readers / sizeof *readers)
        return kit_fail(NN_EFORMAT, "%s: it is none of the kinds of data that can be read: IDX", p->path);
    error = readers[i]->open(data, p);
    if (error == 0)
        error = check_input(data, p);
    if (error == 0)
        error = choose_rule(data, p);
    if (error == 0)
        error = check_targets(data, p);
    return error;
}

/* Adds a part of the spec and opens it. */
static int add_part(nn_data *data, const char *text, size_t length)
{
    part *parts = realloc(data->parts, (data->nparts + 1) * sizeof *parts), *p;
    int error;

    if (parts == NULL)
        return kit_no_memory();
    data->parts = parts;
    p = &parts[data->nparts++];
    memset(p, 0, sizeof *p);
    error = set_paths(p, text, length);
    if (error == 0)
        error = open_part(data, p);
    data->count += p->count;
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
    if (open_spec(data, spec) != 0) {
        nn_data_close(data);
        return NULL;
    }
    data->options.label = NULL; /* they need not outlive this call */
    data->options.like = NULL;
    return data;
}

void nn_data_close(nn_data *data)
{
    if (data == NULL)
        return;
    for (size_t i = 0; i < data->nparts; i++) {
        kit_bytes_close(&data->parts[i].file);
        kit_bytes_close(&data->parts[i].labels_file);
        free(data->parts[i].path);
        free(data->parts[i].labels_path);
    }
    for (size_t i = 0; i < data->nclasses; i++)
        free(data->classes[i]);
    free(data->classes);
    free(data->parts);
    free(data);
}

/* ---- Reading ------------------------------------------------------------------------------------------ */

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
    const part *p;
    int error;

    if (index >= data->count)
        return kit_fail(NN_EMODEL, "sample %zu is asked for, but there are %zu", index, data->count);
    p = part_of(data, &index);
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
    (void)data, (void)index;
    return NULL;
}
