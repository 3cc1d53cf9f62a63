/* save.c: weights to a safetensors file (safetensors.c has the format), whole or not at all.
 *
 * The file is written under another name beside the one that is wanted, brought to the disk, and then takes
 * its place: whoever reads it meanwhile, or whatever ends the program, finds the old one or the new one. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif

#define NN_COMPUTES
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef POSIX
#include <fcntl.h>
#include <unistd.h>
#endif

/* ---- Saving ---------------------------------------------------------------------------------- */

static void write_length(FILE *file, uint64_t length)
{
    for (int i = 0; i < 64; i += 8)
        putc((int)(length >> i & 255), file);
}

/* A JSON string. */
static void write_string(const char *text, FILE *file)
{
    putc('"', file);
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            fprintf(file, "\\u%04x", (unsigned)*c);
        else
            fprintf(file, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    putc('"', file);
}

/* The header's length is known when it has been written; its place is filled then. Its text is a multiple
 * of 8 bytes, so the data is aligned for readers that map the file. */
static int write_header(const nn_model *model, const nn_note *notes, FILE *file)
{
    unsigned long long begin = 0;
    long end;

    write_length(file, 0);
    fputs("{\"__metadata__\":{\"format\":\"pt\"", file);
    for (; notes != NULL && notes->name != NULL; notes++) {
        putc(',', file);
        write_string(notes->name, file);
        putc(':', file);
        write_string(notes->text, file);
    }
    putc('}', file);
    for (int t = 0; t < model->ntensors; t++) {
        const nn_tensor *tensor = &model->tensors[t];

        putc(',', file);
        write_string(tensor->name, file);
        fputs(":{\"dtype\":\"F32\",\"shape\":[", file);
        for (int d = 0; d < tensor->ndim; d++)
            fprintf(file, d == 0 ? "%d" : ",%d", tensor->shape[d]);
        fprintf(file, "],\"data_offsets\":[%llu,%llu]}", begin, begin + 4ull * tensor->count);
        begin += 4ull * tensor->count;
    }
    putc('}', file);
    while ((end = ftell(file)) > 0 && end % 8 != 0)
        putc(' ', file);
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0)
        return 0;
    write_length(file, (uint64_t)end - 8);
    return fseek(file, 0, SEEK_END) == 0;
}

typedef struct weights {
    const nn_model *model;
    const float *params;
    const nn_note *notes;
} weights;

static int write_data(const nn_model *model, const float *params, FILE *file)
{
    for (int t = 0; t < model->ntensors; t++)
        for (size_t i = 0; i < model->tensors[t].count; i++) {
            unsigned char bytes[4];
            uint32_t bits;

            memcpy(&bits, params + nn_place(&model->tensors[t], i), sizeof bits);
            for (int b = 0; b < 4; b++)
                bytes[b] = (unsigned char)(bits >> 8 * b);
            if (fwrite(bytes, 1, sizeof bytes, file) != sizeof bytes)
                return 0;
        }
    return 1;
}

static int write_weights(const void *what, FILE *file)
{
    const weights *w = what;

    return write_header(w->model, w->notes, file) && write_data(w->model, w->params, file);
}

/* A file that is written under another name, and then takes its place. */
typedef struct output {
    const char *path;
    /* behind symbolic links; the other name, in the same folder. NULL: not there */
    char *place, *temporary;
    FILE *file;
} output;

/* A name in the same folder as path, to be freed; or NULL. */
static char *beside(const char *path, const char *name)
{
    size_t length = strlen(path);
    char *joined;

#ifdef POSIX
    while (length > 0 && path[length - 1] != '/')
#else
    while (length > 0 && path[length - 1] != '/' && path[length - 1] != '\\')
#endif
        length--;
    joined = malloc(length + strlen(name) + 1);
    if (joined != NULL) {
        memcpy(joined, path, length);
        strcpy(joined + length, name);
    }
    return joined;
}

#ifdef POSIX
/* Sets the file that writing to the path would write. */
static int follow_links(output *o)
{
    char target[4096];
    ssize_t length;

    o->place = beside("", o->path);
    for (int links = 0; o->place != NULL; links++) {
        char *next;

        length = readlink(o->place, target, sizeof target - 1);
        if (length <= 0)
            break;
        if (links == 40 || length == sizeof target - 1)
            return nn_refused(o->path, "cannot write", ELOOP);
        target[length] = '\0';
        next = beside(*target == '/' ? "" : o->place, target);
        free(o->place);
        o->place = next;
    }
    return o->place != NULL || nn_fail(NN_ENOMEM, o->path, "no memory");
}

/* Gives a new file the owner, the group and the permissions of the old one. */
static int keep_mode(int fd, const struct stat *old)
{
    mode_t mode = old->st_mode & 0777;
    struct stat status;

    if (fstat(fd, &status) != 0)
        return 0;
    if ((status.st_uid != old->st_uid || status.st_gid != old->st_gid) &&
        fchown(fd, old->st_uid, old->st_gid) != 0 && fchown(fd, (uid_t)-1, old->st_gid) != 0)
        mode &= 0707; /* it is another group's now */
    return (status.st_mode & 0777) == mode || fchmod(fd, mode) == 0;
}
#endif

static FILE *open_new(const char *name, int mode)
{
#ifdef POSIX
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");

    if (fd >= 0 && file == NULL) {
        close(fd);
        remove(name);
    }
    return file;
#else
    (void)mode;
    return fopen(name, "wbx");
#endif
}

/* Opens a file of a new name beside the place. Other savers may do so at the same time, and killed ones
 * have left theirs, so names are drawn until one is free. */
static int open_temporary(output *o, int mode)
{
    uint64_t rng = (uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)&rng;
    char name[40];
#ifdef POSIX
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_REALTIME, &now);
    rng ^= (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid() << 16;
#endif
    for (uint64_t i = 0; i < 100; i++) {
        sprintf(name, ".nn_save-%08lx", (unsigned long)(nn_bits_at(rng, i) >> 32));
        o->temporary = beside(o->place, name);
        if (o->temporary == NULL)
            return nn_fail(NN_ENOMEM, o->path, "no memory");
        o->file = open_new(o->temporary, mode);
        if (o->file != NULL)
            return 1;
        free(o->temporary);
        o->temporary = NULL;
        if (errno != EEXIST)
            break;
    }
    return nn_refused(o->path, "cannot write", errno);
}

/* Only ordinary files are replaced, and only those that may be written. */
static int open_output(output *o)
{
#ifdef POSIX
    struct stat old;
    int there;

    if (!follow_links(o))
        return 0;
    there = stat(o->place, &old) == 0;
    if (!there && errno != ENOENT)
        return nn_refused(o->path, "cannot write", errno);
    if (there && !nn_is_regular(o->path, &old))
        return 0;
    if (there && access(o->place, W_OK) != 0)
        return nn_refused(o->path, "cannot write", errno);
    if (!open_temporary(o, there ? old.st_mode & 0777 : 0666))
        return 0;
    return !there || keep_mode(fileno(o->file), &old) || nn_refused(o->path, "cannot write", errno);
#else
    o->place = beside("", o->path);
    return o->place == NULL ? nn_fail(NN_ENOMEM, o->path, "no memory") : open_temporary(o, 0);
#endif
}

/* Everything has reached the disk, as far as one can ask for it. */
static int settle(FILE *file)
{
    if (ferror(file) || fflush(file) != 0)
        return 0;
#ifdef POSIX
    return fsync(fileno(file)) == 0;
#else
    return 1;
#endif
}

/* So has the new name, where the system can do that. */
static void settle_folder(const char *path)
{
#ifdef POSIX
    char *folder = beside(path, ".");
    const int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
#else
    (void)path;
#endif
}

static int write_output(output *o, int (*write)(const void *, FILE *), const void *what)
{
    int reason = 0;

    errno = 0;
    if (!write(what, o->file) || !settle(o->file))
        reason = errno != 0 ? errno : EIO;
    if (fclose(o->file) != 0 && reason == 0)
        reason = errno;
    o->file = NULL;
    if (reason == 0 && rename(o->temporary, o->place) != 0)
        reason = errno;
    if (reason != 0)
        return nn_refused(o->path, "cannot write", reason);
    free(o->temporary);
    o->temporary = NULL;
    settle_folder(o->place);
    return 1;
}

/* Are the tensors there? */
static int check_loaded(const nn_model *model, const void *params, const char *path)
{
    return model->ntensors == 0 || !nn_is_prepared(&model->tensors[0], params)
        || nn_fail(NN_EPREPARED, path,
                "cannot save: these weights are prepared for net_forward (batchnorm folded into them, "
                "for example), and what was loaded is gone");
}

int nn_replace(const char *path, int (*write)(const void *what, FILE *file), const void *what)
{
    output o = {.path = path};
    const int ok = open_output(&o) && write_output(&o, write, what);

    if (o.file != NULL)
        fclose(o.file);
    if (o.temporary != NULL)
        remove(o.temporary);
    free(o.temporary);
    free(o.place);
    return ok;
}

int nn_save(const nn_model *model, const void *params, const char *path)
{
    return nn_save_noted(model, params, NULL, path);
}

int nn_save_noted(const nn_model *model, const void *params, const nn_note *notes, const char *path)
{
    const weights w = {model, params, notes};

    return check_loaded(model, params, path) && nn_replace(path, write_weights, &w) ? NN_OK : nn_last_error();
}
