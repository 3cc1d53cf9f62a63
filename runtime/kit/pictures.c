/* pictures.c: pictures: a folder with a folder for each class, a folder of pictures without classes, or
 * one file.
 *
 * The files' names are listed when the data is opened, in the order of their bytes, and of those whose
 * name does not say that they are pictures the first bytes are looked at. A picture is decoded and scaled
 * when it is read. */
#include "picture.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names, each in memory of its own. */
typedef struct names {
    char **at;
    size_t count, room;
} names;

static void free_names(names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->at[i]);
    free(n->at);
}

static int add_name(names *n, const char *name)
{
    if (n->count == n->room) {
        const size_t room = 2 * n->room + 16;
        char **at = realloc(n->at, room * sizeof *at);

        if (at == NULL)
            return kit_no_memory();
        n->at = at;
        n->room = room;
    }
    n->at[n->count] = kit_copy_text(name, strlen(name));
    return n->at[n->count++] != NULL ? 0 : kit_no_memory();
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join(const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    char *path = malloc(length + strlen(name) + 2);

    if (path != NULL)
        sprintf(path, length > 0 && folder[length - 1] == '/' ? "%s%s" : "%s/%s", folder, name);
    return path;
}

/* The sorted names in a folder but those that begin with a dot. 0 or an error. */
static int list(const char *folder, names *to)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    int error = 0;

    memset(to, 0, sizeof *to);
    if (open == NULL)
        return kit_fail(NN_EIO, "%s: cannot open the folder: %s", folder, strerror(errno));
    while (error == 0 && (entry = readdir(open)) != NULL)
        if (entry->d_name[0] != '.')
            error = add_name(to, entry->d_name);
    closedir(open);
    if (error == 0 && to->count > 0)
        qsort(to->at, to->count, sizeof *to->at, compare);
    return error;
}

int kit_is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* ---- The list of pictures -------------------------------------------------------------------- */

struct pictures {
    names    files;              /* paths */
    int32_t *labels;             /* or NULL */
    size_t   room;
    size_t   channels;
};

void kit_pictures_close(pictures *p)
{
    if (p == NULL)
        return;
    free_names(&p->files);
    free(p->labels);
    free(p);
}

const char *kit_picture_file(const pictures *p, size_t index)
{
    return p->files.at[index];
}

static int add_label(pictures *p, int32_t label)
{
    if (p->files.count > p->room) {
        int32_t *labels = realloc(p->labels, p->files.room * sizeof *labels);

        if (labels == NULL)
            return kit_no_memory();
        p->labels = labels;
        p->room = p->files.room;
    }
    p->labels[p->files.count - 1] = label;
    return 0;
}

/* Does the name end as a picture's? */
static int is_picture_name(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm"};
    const char *dot = strrchr(name, '.');
    char lower[8] = "";

    for (size_t i = 0; dot != NULL && dot[i] != '\0' && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)dot[i]);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(lower, ends[i]) == 0)
            return 1;
    return 0;
}

/* A file in a folder of pictures is a picture. 0 or an error. */
static int check_picture(const char *path)
{
    bytes file;
    int error;

    if (is_picture_name(path))
        return 0;
    if (kit_is_folder(path))
        return kit_fail(NN_EFORMAT, "%s: it is a folder, where pictures of one class are expected; name a "
                        "folder that has one folder for each class", path);
    error = kit_bytes_open(&file, path);
    if (error == 0 && !kit_is_picture(&file))
        error = kit_fail(NN_EFORMAT, "%s: it is no PNG, JPEG, PGM or PPM picture; remove it", path);
    kit_bytes_close(&file);
    return error;
}

/* Adds the pictures of a folder. 0 or an error. */
static int add_folder(pictures *p, const char *folder, int32_t label)
{
    names files;
    int error = list(folder, &files);

    if (error == 0 && files.count == 0)
        error = kit_fail(NN_EFORMAT, "%s: the folder holds no pictures", folder);
    for (size_t i = 0; i < files.count && error == 0; i++) {
        char *path = join(folder, files.at[i]);

        error = path == NULL ? kit_no_memory() : check_picture(path);
        if (error == 0)
            error = add_name(&p->files, path);
        if (error == 0)
            error = add_label(p, label);
        free(path);
    }
    free_names(&files);
    return error;
}

/* Leaves the folders' names in the list. */
static void keep_folders(const char *folder, names *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        char *path = join(folder, n->at[i]);

        if (path != NULL && kit_is_folder(path))
            n->at[kept++] = n->at[i];
        else
            free(n->at[i]);
        free(path);
    }
    n->count = kept;
}

/* Names of classes, where there are none yet. */
static int set_classes(nn_data *data, const names *classes)
{
    if (data->nclasses > 0 || data->options.no_targets)
        return 0;
    data->classes = calloc(classes->count, sizeof *data->classes);
    if (data->classes == NULL)
        return kit_no_memory();
    for (; data->nclasses < classes->count; data->nclasses++) {
        const char *name = classes->at[data->nclasses];

        data->classes[data->nclasses] = kit_copy_text(name, strlen(name));
        if (data->classes[data->nclasses] == NULL)
            return kit_no_memory();
    }
    return 0;
}

static int find_class(const nn_data *data, const char *path, const char *name, int32_t *label)
{
    *label = 0;
    if (data->options.no_targets)
        return 0;
    for (size_t i = 0; i < data->nclasses; i++)
        if (strcmp(data->classes[i], name) == 0) {
            *label = (int32_t)i;
            return 0;
        }
    return kit_fail(NN_EFORMAT, "%s: \"%s\" is none of the %zu known classes", path, name, data->nclasses);
}

/* Adds the folder of each class. 0 or an error. */
static int add_classes(nn_data *data, part *p, const names *classes)
{
    int error = set_classes(data, classes);

    for (size_t i = 0; i < classes->count && error == 0; i++) {
        char *path = join(p->path, classes->at[i]);
        int32_t label;

        error = path == NULL ? kit_no_memory() : find_class(data, path, classes->at[i], &label);
        if (error == 0)
            error = add_folder(p->pictures, path, label);
        free(path);
    }
    return error;
}

/* Makes the list the part's arrays. */
static int keep_pictures(nn_data *data, part *p, int has_labels)
{
    const nn_model *model = data->model;
    array t = {.at = (const unsigned char *)p->pictures->labels, .type = I32, .each = 1,
               .stride = sizeof(int32_t)};

    p->count = p->pictures->files.count;
    p->pictures->channels = (size_t)model->input_shape[0];
    if (model->input_shape[0] > 4 || model->input_shape[2] == 0 ||
        (model->input_shape[1] == 1 && model->input_shape[2] == 1))
        return kit_fail(NN_EMODEL, "%s: it holds pictures, but the network takes %dx%dx%d; write `input "
                        "3x32x32` (channels: 1 for grey, 3 for colours; height; width) in the .nn file",
                        p->path, model->input_shape[0], model->input_shape[1], model->input_shape[2]);
    if (has_labels) {
        t.big_endian = kit_is_big_endian();
        t.count = p->count;
        p->t = t;
    }
    return 0;
}

static int open_pictures(part *p)
{
    p->pictures = calloc(1, sizeof *p->pictures);
    return p->pictures != NULL ? 0 : kit_no_memory();
}

int kit_open_folder(nn_data *data, part *p)
{
    names classes;
    int has_classes = 0, error = list(p->path, &classes);

    if (error == 0)
        error = open_pictures(p);
    if (error == 0) {
        keep_folders(p->path, &classes);
        has_classes = classes.count > 0;
        error = has_classes ? add_classes(data, p, &classes) : add_folder(p->pictures, p->path, 0);
    }
    free_names(&classes);
    return error == 0 ? keep_pictures(data, p, has_classes && !data->options.no_targets) : error;
}

static int open_file(nn_data *data, part *p)
{
    int error = open_pictures(p);

    kit_bytes_close(&p->file);
    if (error == 0)
        error = add_name(&p->pictures->files, p->path);
    return error == 0 ? keep_pictures(data, p, 0) : error;
}

const reader kit_one_picture = {kit_is_picture, open_file};

/* ---- Reading one ----------------------------------------------------------------------------- */

/* Small files are read faster than they are mapped, by many threads above all. *memory is to be freed,
 * file to be closed. 0 or an error. */
static int load(const char *path, bytes *file, unsigned char **memory)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    size_t size, done = 0;
    ssize_t got = 1;

    memset(file, 0, sizeof *file);
    *memory = NULL;
    if (fd < 0)
        return kit_fail(NN_EIO, "%s: cannot open it: %s", path, strerror(errno));
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size < 1 << 30) {
        size = (size_t)status.st_size;
        *memory = malloc(size + 1);
        while (*memory != NULL && done < size && got > 0)
            if ((got = read(fd, *memory + done, size - done)) > 0)
                done += (size_t)got;
    }
    close(fd);
    if (done < 2 || ((*memory)[0] == 0x1f && (*memory)[1] == 0x8b)) {
        free(*memory);
        *memory = NULL;
        return kit_bytes_open(file, path);
    }
    file->at = *memory;
    file->size = done;
    return 0;
}

int kit_picture_read(const nn_data *data, const pictures *p, size_t index, float scale, float *x)
{
    const char *path = p->files.at[index];
    const nn_model *model = data->model;
    unsigned char *memory;
    bytes file;
    picture pixels = {0, 0, 0, NULL};
    int error = load(path, &file, &memory);

    if (error == 0)
        error = kit_picture_decode(&file, path, p->channels, &pixels);
    if (error == 0)
        error = kit_picture_scale(&pixels, (size_t)model->input_shape[2], (size_t)model->input_shape[1],
                                  scale, x);
    free(pixels.pixels);
    if (memory != NULL)
        free(memory);
    else
        kit_bytes_close(&file);
    return error;
}
