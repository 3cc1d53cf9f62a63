/* arrays.c: a data set of one file that is an array of samples, and a second one that is an array of
 * targets. */
#include "data.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const array_format *const formats[] = {&kit_idx, &kit_npy};

static const array_format *format_of(const bytes *file)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i]->knows(file))
            return formats[i];
    return NULL;
}

static int knows(const bytes *file)
{
    return format_of(file) != NULL;
}

/* Writes to over the last from in a name, behind its last slash; both have the same length. */
static int rename_part(char *name, const char *from, const char *to)
{
    char *slash = strrchr(name, '/'), *at = NULL;

    for (char *next = slash != NULL ? slash : name; (next = strstr(next, from)) != NULL; next++)
        at = next;
    if (at != NULL)
        memcpy(at, to, strlen(to));
    return at != NULL;
}

/* The labels' file beside the images' under MNIST's names: train-images-idx3-ubyte.gz has
 * train-labels-idx1-ubyte, gzipped or not. NULL: none, or no memory. */
static char *labels_beside(const char *path)
{
    const size_t length = strlen(path);
    char *name = malloc(length + sizeof ".gz");

    if (name == NULL)
        return NULL;
    strcpy(name, path);
    if (rename_part(name, "images", "labels")) {
        rename_part(name, "idx3", "idx1");
        if (access(name, F_OK) == 0)
            return name;
        if (length > 3 && strcmp(name + length - 3, ".gz") == 0)
            name[length - 3] = '\0';
        else
            strcat(name, ".gz");
        if (access(name, F_OK) == 0)
            return name;
    }
    free(name);
    return NULL;
}

static int open_arrays(nn_data *data, part *p)
{
    const array_format *format = format_of(&p->file);
    int error = format->read(&p->file, p->path, &p->x);

    if (error != 0)
        return error;
    p->count = p->x.count;
    if (data->options.no_targets)
        return 0;
    if (p->labels_path == NULL)
        p->labels_path = labels_beside(p->path);
    if (p->labels_path == NULL)
        return 0;
    error = kit_bytes_open(&p->labels_file, p->labels_path);
    if (error != 0)
        return error;
    format = format_of(&p->labels_file);
    if (format == NULL)
        return kit_fail(NN_EFORMAT, "%s: it is no array (IDX, .npy), as the labels of %s should be",
                        p->labels_path, p->path);
    error = format->read(&p->labels_file, p->labels_path, &p->t);
    if (error == 0 && p->t.count != p->count)
        error = kit_fail(NN_EFORMAT, "%s: it holds labels of %zu samples, but %s has %zu; give files that "
                         "belong together", p->labels_path, p->t.count, p->path, p->count);
    return error;
}

const reader kit_arrays = {knows, open_arrays};
