/* cifar.c: the binary batches of CIFAR-10 and CIFAR-100: records of a label (CIFAR-100: the coarse one, then
 * the fine one, which is taken) and 3x32x32 bytes. The files have no head: they are known by their size, and
 * by a beginning that is no text. The names of the classes lie beside them. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PICTURE = 3 * 32 * 32 };

/* Labels in a record, or 0. */
static size_t labels_in(const bytes *file)
{
    if (kit_is_text(file))
        return 0;
    if (file->size % (PICTURE + 1) == 0 && file->at[0] < 10)
        return 1;
    return file->size % (PICTURE + 2) == 0 && file->at[0] < 20 && file->at[1] < 100 ? 2 : 0;
}

static int knows(const bytes *file)
{
    return labels_in(file) > 0;
}

/* The classes' names, one a line, in the file that CIFAR brings beside its batches. Without it, no names. */
static int read_names(nn_data *data, const char *path, size_t classes)
{
    char line[100], *name = kit_beside(path, classes == 10 ? "batches.meta.txt" : "fine_label_names.txt");
    char **names = calloc(classes, sizeof *names);
    FILE *file = name != NULL ? fopen(name, "r") : NULL;
    size_t n = 0;
    int error = name == NULL || names == NULL ? kit_no_memory() : 0;

    while (error == 0 && file != NULL && n < classes && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (*line == '\0')
            break;
        names[n++] = kit_copy_text(line, strlen(line));
        if (names[n - 1] == NULL)
            error = kit_no_memory();
    }
    if (file != NULL)
        fclose(file);
    free(name);
    if (error == 0 && n == classes && data->nclasses == 0) {
        data->classes = names;
        data->nclasses = n;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return error;
}

static int open_cifar(nn_data *data, part *p)
{
    const size_t labels = labels_in(&p->file);
    array x = {.at = p->file.at + labels, .type = U8, .rank = 3, .shape = {3, 32, 32}, .each = PICTURE};

    x.stride = labels + PICTURE;
    x.count = p->file.size / x.stride;
    p->count = x.count;
    p->x = x;
    if (data->options.no_targets)
        return 0;
    p->t = x;
    p->t.at = p->file.at + labels - 1;
    p->t.rank = 0;
    p->t.each = 1;
    return read_names(data, p->path, labels == 1 ? 10 : 100);
}

const reader kit_cifar = {knows, open_cifar};

/* ---- A folder of batches ------------------------------------------------------------------------------- */

int kit_cifar_batch(const char *folder, int i, char **path)
{
    static const char *const names[CIFAR_BATCHES] = {
        "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
        "train.bin",
    };

    *path = malloc(strlen(folder) + 32);
    if (*path == NULL)
        return kit_no_memory();
    sprintf(*path, "%s/%s", folder, names[i]);
    if (access(*path, F_OK) == 0)
        return 0;
    strcat(*path, ".gz");
    if (access(*path, F_OK) != 0) {
        free(*path);
        *path = NULL;
    }
    return 0;
}
