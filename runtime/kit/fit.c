/* fit.c: does a part of a data set fit the network? Shapes, kinds of targets and each label are looked at, so
 * that what is wrong is said before training begins. */
#include "data.h"

#include <stdio.h>
#include <string.h>

/* The label that crossentropy does not count, as PyTorch's ignore_index. */
enum { NO_LABEL = -100 };

/* 1: numbers, 2: positions of features, 3: channels of rows of pixels. */
static int network_rank(const nn_model *model)
{
    if (model->input_shape[2] == 0)
        return 2;
    return model->input_shape[1] == 1 && model->input_shape[2] == 1 ? 1 : 3;
}

static const char *network_shape(const nn_model *model, char *to, size_t room)
{
    size_t shape[3];

    for (int d = 0; d < 3; d++)
        shape[d] = (size_t)model->input_shape[d];
    return kit_shape_text(network_rank(model), shape, to, room);
}

/* Are the samples C x H x W, as the network's, or H x W x C? */
static int is_in_order(const array *x, const nn_model *model, const int order[3])
{
    for (int d = 0; d < 3; d++)
        if (x->rank != 3 || x->shape[d] != (size_t)model->input_shape[order[d]])
            return 0;
    return 1;
}

/* The same shape, but for ones: 28x28 is 1x28x28. */
static int is_same_shape(const array *x, const nn_model *model)
{
    size_t left[4] = {0}, right[4] = {0};
    int nleft = 0, nright = 0;

    for (int d = 0; d < x->rank && nleft < 4; d++)
        if (x->shape[d] != 1)
            left[nleft++] = x->shape[d];
    for (int d = 0; d < 3; d++)
        if (model->input_shape[d] > 1)
            right[nright++] = (size_t)model->input_shape[d];
    return nleft == nright && memcmp(left, right, sizeof left) == 0;
}

/* The samples have the network's input shape, or channels last; or one of the two is flat. */
static int check_input(const nn_data *data, part *p)
{
    static const int channels_first[] = {0, 1, 2}, channels_last[] = {1, 2, 0};
    const nn_model *model = data->model;
    char have[300], want[100];

    if (p->pictures != NULL)
        return 0; /* they are scaled */
    if (p->x.each == model->input) {
        if (p->x.rank <= 1 || network_rank(model) == 1 || is_in_order(&p->x, model, channels_first))
            return 0;
        if (is_in_order(&p->x, model, channels_last)) {
            p->channels_last = model->input_shape[0] > 1;
            return 0;
        }
        if (is_same_shape(&p->x, model))
            return 0;
    }
    kit_shape_text(p->x.rank, p->x.shape, have, sizeof have);
    network_shape(model, want, sizeof want);
    return kit_fail(NN_EMODEL, "%s: a sample is %s (%zu numbers), but the network takes %s (%zu); write "
                    "`input %s%s` in the .nn file, or give data of the network's shape", p->path, have,
                    p->x.each, want, model->input,
                    p->x.rank == 2 && network_rank(model) != 2 ? "1x" : "", have);
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
    else if (!have && p->pictures != NULL)
        return kit_fail(NN_EMODEL, "%s: its pictures have no classes; put those of each class in a folder "
                        "of its own", p->path);
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

/* Where classes have names, they are as many as the network has classes. */
static int check_names(const nn_data *data, const part *p)
{
    const size_t classes = p->rule == LABEL_AS_FLOAT ? 2 : classes_of(data, p->rule);
    char names[200] = "";

    if (data->nclasses == 0 || classes == 0 || data->nclasses == classes)
        return 0;
    for (size_t i = 0; i < data->nclasses && strlen(names) < 100; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.40s", i > 0 ? ", " : "", data->classes[i]);
    }
    return kit_fail(NN_EMODEL, "%s: the data has %zu classes (%s%s), but the network's last layer is for "
                    "%zu; change it in the .nn file", labels_of(p), data->nclasses, names,
                    data->nclasses > 1 && strlen(names) >= 100 ? ", ..." : "", classes);
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

int kit_fit(const nn_data *data, part *p)
{
    int error = check_input(data, p);

    if (error == 0)
        error = choose_rule(data, p);
    if (error == 0)
        error = check_names(data, p);
    if (error == 0)
        error = check_targets(data, p);
    return error;
}
