/* files.c: reading a network, writing whole files or none.
 *
 * What comes in: paths. What goes out: the text of the input, and output files that appear all together or
 * not at all: whatever fails, is interrupted or fills the disk, the files of the run before stay as they
 * were and nothing is left lying about.
 *
 * The one idea: each output is written to a temporary file in its own folder, closed and checked; only
 * when all are good does rename put them in place. Signals that end a process wait while a temporary file
 * is made and written down, and while the files are put in place.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SOURCE = 4 << 20, MAX_OUTPUTS = 3, MAX_LINKS = 40 };

typedef struct Output {
    const char *path;                /* as the user calls it */
    const char *place;               /* the file that is replaced: behind a symbolic link */
    const char *volatile temporary;  /* NULL: installed */
    const char *volatile backup;     /* another name of the old file, while outputs are put in place */
    bool existed;
    FILE *file;
} Output;

static Output outputs[MAX_OUTPUTS];
static volatile sig_atomic_t noutputs;

/* ---- Starting and ending --------------------------------------------------------------------- */

/* Signals that end the process. */
static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGABRT};
enum { NENDS = sizeof ends / sizeof *ends };

static sigset_t all_ends, let_through;

static void hold_signals(void)
{
    sigprocmask(SIG_BLOCK, &all_ends, &let_through);
}

static void release_signals(void)
{
    sigprocmask(SIG_SETMASK, &let_through, NULL);
}

/* Takes away whatever is unfinished. Only calls what a signal handler may call. */
static void discard_outputs(void)
{
    for (int i = 0; i < noutputs; i++) {
        if (outputs[i].temporary)
            unlink(outputs[i].temporary);
        if (outputs[i].backup)
            unlink(outputs[i].backup);
    }
}

static void discard(void)
{
    discard_outputs();
    remove_temporary();
}

static void interrupted(int number)
{
    discard();
    signal(number, SIG_DFL);
    raise(number);
}

/* Prepares the process: a closed pipe or a full disk is an error that a write returns, not a signal; an
 * interruption takes the temporary files away; no file that we open gets the number of a standard stream. */
void start_files(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            exit(2);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&all_ends);
    for (int i = 0; i < NENDS; i++)
        sigaddset(&all_ends, ends[i]);
    for (int i = 0; i < NENDS; i++) {
        struct sigaction old, ours = {.sa_handler = interrupted, .sa_mask = all_ends};
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ends[i], &ours, NULL);
    }
    if (atexit(discard) != 0)
        fail("out of memory [memory]");
}

/* Exits 2 if what was printed to standard output did not arrive. */
void finish_stdout(void)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        int reason = errno;
        fclose(stdout);
        fail("cannot write standard output: %s [file]", strerror(reason));
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The whole file, without its byte order mark; *why: it can't be read, or is too large. */
static void read_text(Source *source, FILE *file, const char **why)
{
    size_t room = 1 << 16, length = 0;
    char *text = NULL;
    for (;;) {
        char *larger = NEW_ARRAY(char, room + 1);
        if (text)
            memcpy(larger, text, length);
        text = larger;
        errno = 0;
        length += fread(text + length, 1, room - length, file);
        if (ferror(file))
            *why = strerror(errno);
        if (length < room || length > MAX_SOURCE)
            break;
        room *= 4;
    }
    if (length > MAX_SOURCE)
        *why = "it is larger than 4 MB";
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    text[length] = '\0';
    source->text = text;
    source->length = length;
}

Source *try_source(const char *path, const char **why)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    Source *source = NEW(Source);
    source->name = is_stdin ? "<stdin>" : path;
    *why = file ? NULL : strerror(errno);
    struct stat status;
    if (file && fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode))
        *why = "it is a folder";
    if (!*why)
        read_text(source, file, why);
    if (file && !is_stdin)
        fclose(file);
    if (*why)
        *why = format("cannot read %s: %s", source->name, *why);
    return *why ? NULL : source;
}

Source *read_source(const char *path)
{
    const char *why;
    Source *source = try_source(path, &why);
    if (!source)
        fail("%s [file]", why);
    return source;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A name in the same folder as path. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return format("%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
}

const char *find_included(const char *file, const char *by, const char *const *folders, int n)
{
    const char *path = *file == '/' ? file : beside(by, file);
    if (access(path, F_OK) == 0)
        return path;
    for (int i = 0; i < n && *file != '/'; i++) {
        path = format("%s%s%s", folders[i], folders[i][strlen(folders[i]) - 1] == '/' ? "" : "/", file);
        if (access(path, F_OK) == 0)
            return path;
    }
    return NULL;
}

/* The file that writing to path would write: behind symbolic links, which may lead to a file that is not
 * there yet. */
static const char *follow_links(const char *path)
{
    char target[PATH_MAX];
    const char *place = path;
    for (int links = 0; links <= MAX_LINKS; links++) {
        ssize_t length = readlink(place, target, sizeof target);
        if (length <= 0 || length == sizeof target)
            return place;
        char *next = copy_text(target, (size_t)length);
        place = *next == '/' ? next : beside(place, next);
    }
    return path;                     /* in a circle: opening it will say so */
}

static bool one_inode(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Whether writing one name would write the other: both lead to one file, or to one name in one folder, where
 * neither need be there. */
bool same_file(const char *a, const char *b)
{
    a = follow_links(a);
    b = follow_links(b);
    const char *name_a = strrchr(a, '/'), *name_b = strrchr(b, '/');
    return one_inode(a, b) || (strcmp(name_a ? name_a + 1 : a, name_b ? name_b + 1 : b) == 0 &&
                               one_inode(beside(a, "."), beside(b, ".")));
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Opens a file that will take path's place when install_outputs is called; exits 2 when that can't be. */
FILE *open_output(const char *path)
{
    if (noutputs == MAX_OUTPUTS)
        bug("open_output: more than %d files", MAX_OUTPUTS);
    Output *output = &outputs[noutputs];
    output->path = path;
    output->place = follow_links(path);

    struct stat status;
    bool exists = output->existed = stat(output->place, &status) == 0;
    if (!exists && errno != ENOENT)
        fail("cannot write %s: %s [file]", path, strerror(errno));
    if (exists && S_ISDIR(status.st_mode))
        fail("cannot write %s: it is a folder [file]", path);
    if (exists && !S_ISREG(status.st_mode))
        fail("cannot write %s: it is not a regular file [file]", path);
    if (exists && access(output->place, W_OK) != 0)
        fail("cannot write %s: %s [file]", path, strerror(errno));

    char *temporary = beside(output->place, ".nnc-XXXXXX");
    hold_signals();
    int fd = mkstemp(temporary);
    if (fd >= 0) {
        output->temporary = temporary;
        noutputs++;
    }
    int reason = errno;
    release_signals();
    if (fd < 0)
        fail("cannot write %s: %s [file]", path, strerror(reason));

    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, exists ? status.st_mode & 0777 : 0666 & ~mask) != 0)
        fail("cannot write %s: %s [file]", path, strerror(errno));
    output->file = fdopen(fd, "w");
    if (!output->file)
        fail("cannot write %s: %s [file]", path, strerror(errno));
    return output->file;
}

/* Undoes the renames before a failed one. */
static void put_back(int failed)
{
    for (int i = 0; i < failed; i++) {
        if (!outputs[i].existed)
            unlink(outputs[i].place);
        else if (outputs[i].backup && rename(outputs[i].backup, outputs[i].place) == 0)
            outputs[i].backup = NULL;
    }
}

/* Puts all outputs in place; exits 2, with the old files as they were, when one of them is not good. */
void install_outputs(void)
{
    for (int i = 0; i < noutputs; i++) {
        errno = 0;
        bool bad = ferror(outputs[i].file) != 0;
        if (fclose(outputs[i].file) != 0 || bad)
            fail("cannot write %s: %s [file]", outputs[i].path,
                 errno ? strerror(errno) : "the file is not complete");
    }
    hold_signals();
    for (int i = 0; i < noutputs; i++) {
        Output *output = &outputs[i];
        char *backup = format("%s~", output->temporary);
        if (link(output->place, backup) == 0)
            output->backup = backup;
        if (rename(output->temporary, output->place) != 0) {
            int reason = errno;
            put_back(i);
            fail("cannot write %s: %s [file]", output->path, strerror(reason));
        }
        output->temporary = NULL;
    }
    discard_outputs();
    noutputs = 0;
    release_signals();
}
