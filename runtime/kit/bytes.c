/* bytes.c: the content of a file as mapped memory, whatever it takes.
 *
 * An ordinary file is mapped as it is. A gzipped one is unpacked into a temporary file, whose name is gone
 * before it is written, and that is mapped; a pipe is copied into one. So memory never holds a file, and
 * nothing stays behind, however the program ends. */
#include "data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 18 };

/* ---- Temporary files ------------------------------------------------------------------------------ */

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");

    return folder != NULL && *folder != '\0' ? folder : "/tmp";
}

static int no_temporary(const char *path, int reason)
{
    return kit_fail(NN_EIO, "%s: cannot write a temporary file for what it holds in %s: %s; let TMPDIR name "
                    "a folder with more room", path, temporary_folder(), strerror(reason));
}

int kit_spool_open(spool *s, const char *path)
{
    const char *folder = temporary_folder();
    char *name = malloc(strlen(folder) + sizeof "/nnkit-XXXXXX");

    memset(s, 0, sizeof *s);
    s->fd = -1;
    s->buffer = malloc(BUFFER);
    if (name == NULL || s->buffer == NULL) {
        free(name);
        kit_spool_close(s);
        return kit_no_memory();
    }
    sprintf(name, "%s/nnkit-XXXXXX", folder);
    s->fd = mkstemp(name);
    if (s->fd < 0) {
        int reason = errno;
        free(name);
        kit_spool_close(s);
        return no_temporary(path, reason);
    }
    unlink(name);
    free(name);
    return 0;
}

static int flush(spool *s, const char *path)
{
    size_t done = 0;

    while (done < s->used) {
        ssize_t written = write(s->fd, s->buffer + done, s->used - done);

        if (written < 0 && errno != EINTR) {
            int reason = errno;
            kit_spool_close(s);
            return no_temporary(path, reason);
        }
        done += written > 0 ? (size_t)written : 0;
    }
    s->used = 0;
    return 0;
}

int kit_spool_write(spool *s, const char *path, const void *from, size_t size)
{
    const unsigned char *at = from;

    while (size > 0) {
        size_t now = size < BUFFER - s->used ? size : BUFFER - s->used;

        memcpy(s->buffer + s->used, at, now);
        s->used += now;
        s->size += now;
        at += now;
        size -= now;
        if (s->used == BUFFER && flush(s, path) != 0)
            return NN_EIO;
    }
    return 0;
}

static int map(int fd, size_t size, const char *path, bytes *to)
{
    void *at;

    to->size = size;
    to->at = (const unsigned char *)"";
    if (size == 0)
        return 0; /* which mmap refuses */
    at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        to->size = 0;
        return kit_fail(NN_EIO, "%s: cannot map it: %s", path, strerror(errno));
    }
    to->at = at;
    return 0;
}

int kit_spool_map(spool *s, const char *path, bytes *to)
{
    int error = flush(s, path);

    if (error == 0) {
        error = map(s->fd, s->size, path, to);
        kit_spool_close(s);
    }
    return error;
}

void kit_spool_close(spool *s)
{
    free(s->buffer);
    if (s->fd >= 0)
        close(s->fd);
    s->buffer = NULL;
    s->fd = -1;
}

/* ---- gzip ------------------------------------------------------------------------------------------ */

static int damaged(const char *path, const char *what)
{
    return kit_fail(NN_EFORMAT, "%s: the gzipped file %s; copy it again (gzip -t tests it)", path, what);
}

/* Unpacks all members of the file, one after the other. Zeros behind the last are padding, as for gzip. */
static int inflate_all(z_stream *z, const bytes *packed, const char *path, spool *to)
{
    size_t left = packed->size;
    int status = Z_STREAM_END;

    z->next_in = (unsigned char *)(size_t)packed->at;
    while (status == Z_STREAM_END ? left > 0 : 1) {
        const size_t room = BUFFER - to->used;

        if (status == Z_STREAM_END && z->next_in != packed->at) {
            while (left > 0 && *z->next_in == 0)
                z->next_in++, left--;
            if (left == 0)
                break;
            if (left < 2 || z->next_in[0] != 0x1f || z->next_in[1] != 0x8b)
                return damaged(path, "has other bytes behind its end");
            inflateReset(z);
        }
        z->avail_in = left < 1 << 30 ? (unsigned)left : 1 << 30;
        left -= z->avail_in;
        z->next_out = to->buffer + to->used;
        z->avail_out = (unsigned)room;
        status = inflate(z, Z_NO_FLUSH);
        left += z->avail_in;
        to->used += room - z->avail_out;
        to->size += room - z->avail_out;
        if (status == Z_MEM_ERROR)
            return kit_no_memory();
        if (status == Z_BUF_ERROR && left == 0)
            return damaged(path, "is cut off");
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return damaged(path, "is damaged");
        if (to->used == BUFFER && flush(to, path) != 0)
            return NN_EIO;
    }
    return 0;
}

static int unpack(bytes *file, const char *path)
{
    z_stream z;
    spool to;
    bytes packed = *file;
    int error = kit_spool_open(&to, path);

    file->at = (const unsigned char *)"";
    file->size = 0;
    if (error == 0) {
        memset(&z, 0, sizeof z);
        if (inflateInit2(&z, 16 + MAX_WBITS) == Z_OK)
            error = inflate_all(&z, &packed, path, &to);
        else
            error = kit_no_memory();
        inflateEnd(&z);
        if (error == 0)
            error = kit_spool_map(&to, path, file);
        else
            kit_spool_close(&to);
    }
    kit_bytes_close(&packed);
    return error;
}

/* ---- Files ------------------------------------------------------------------------------------------ */

static int copy(int fd, const char *path, bytes *to)
{
    unsigned char piece[4096];
    ssize_t got;
    spool s;
    int error = kit_spool_open(&s, path);

    while (error == 0 && ((got = read(fd, piece, sizeof piece)) > 0 || (got < 0 && errno == EINTR)))
        if (got > 0)
            error = kit_spool_write(&s, path, piece, (size_t)got);
    if (error != 0)
        return error;
    if (got < 0) {
        error = kit_fail(NN_EIO, "%s: cannot read it: %s", path, strerror(errno));
        kit_spool_close(&s);
        return error;
    }
    return kit_spool_map(&s, path, to);
}

int kit_bytes_open(bytes *file, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    int error;

    memset(file, 0, sizeof *file);
    if (fd < 0)
        return kit_fail(NN_EIO, "%s: cannot open it: %s; check the path", path, strerror(errno));
    if (fstat(fd, &status) != 0)
        error = kit_fail(NN_EIO, "%s: cannot open it: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        error = kit_fail(NN_EIO, "%s: it is a folder; give the path of a file", path);
    else if (S_ISREG(status.st_mode))
        error = map(fd, (size_t)status.st_size, path, file);
    else
        error = copy(fd, path, file);
    close(fd);
    if (error == 0 && file->size >= 2 && file->at[0] == 0x1f && file->at[1] == 0x8b)
        error = unpack(file, path);
    if (error == 0 && file->size == 0)
        error = kit_fail(NN_EFORMAT, "%s: it is empty", path);
    return error;
}

void kit_bytes_close(bytes *file)
{
    if (file->size > 0)
        munmap((void *)(size_t)file->at, file->size);
    file->size = 0;
}

int kit_is_text(const bytes *file)
{
    const size_t size = file->size < 1 << 16 ? file->size : 1 << 16;

    for (size_t i = 0; i < size; i++)
        if (file->at[i] < ' ' && (file->at[i] < '\t' || file->at[i] > '\r'))
            return 0;
    return size > 0;
}
