/* process.c: running a program in a folder and looking at all that it did; see process.h.
 *
 * Streams go through temporary files rather than pipes: no output is too large, and nothing can wait for us. */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(const char *what)
{
    perror(what);
    abort();
}

static char *read_all(FILE *file, size_t *length)
{
    rewind(file);
    size_t room = 1 << 12;
    char *text = malloc(room);
    *length = 0;
    while (text) {
        *length += fread(text + *length, 1, room - 1 - *length, file);
        if (*length < room - 1)
            break;
        text = realloc(text, room *= 2);
    }
    if (!text)
        give_up("read_all");
    text[*length] = '\0';
    return text;
}

const char *nnc_path(void)
{
    static char path[PATH_MAX];
    const char *given = getenv("NNC");
    if (!path[0] && !realpath(given ? given : "build/nnc", path))
        give_up(given ? given : "build/nnc");
    return path;
}

process process_run(const char *folder, const char *const *argv, const char *input, size_t length, const char *out_path)
{
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    if (!in || !out || !err)
        give_up("tmpfile");
    if (input && fwrite(input, 1, length, in) != length)
        give_up("tmpfile");
    rewind(in);
    fflush(stdout);
    fflush(stderr);

    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        struct rlimit minute = {60, 60}, no_core = {0, 0};
        setrlimit(RLIMIT_CPU, &minute);
        setrlimit(RLIMIT_CORE, &no_core);
        int out_fd = out_path ? open(out_path, O_WRONLY) : fileno(out);
        if (out_fd < 0 || dup2(fileno(in), 0) < 0 || dup2(out_fd, 1) < 0 || dup2(fileno(err), 2) < 0 ||
            (folder && chdir(folder) != 0))
            _exit(127);
        union { const char *const *constant; char *const *plain; } words = {argv};
        execvp(argv[0], words.plain);
        _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child)
        give_up("waitpid");
    process result = {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
    result.out = read_all(out, &result.out_length);
    result.err = read_all(err, &result.err_length);
    fclose(in);
    fclose(out);
    fclose(err);
    return result;
}

process nnc_run(const char *folder, ...)
{
    const char *argv[17] = {nnc_path()};
    va_list list;
    va_start(list, folder);
    for (int i = 1; i < 16; i++)
        if (!(argv[i] = va_arg(list, const char *)))
            break;
    va_end(list);
    return process_run(folder, argv, NULL, 0, NULL);
}

/* The saved user ID stays root's, so that there is a way back; what is run has none. */
bool be_plain_user(void)
{
    const uid_t nobody = 65534;
    nnc_path();
    return (geteuid() != 0 || setresuid(nobody, nobody, 0) == 0) && access(nnc_path(), X_OK) == 0;
}

void be_myself(void)
{
    uid_t real, effective, saved;
    if (getresuid(&real, &effective, &saved) != 0 || setresuid(saved, saved, saved) != 0)
        give_up("setresuid");
}

process shell_run(const char *folder, const char *setup, const char *line)
{
    static char root[PATH_MAX], text[PATH_MAX * 4];
    if (!realpath(".", root))
        perror(".");
    snprintf(text, sizeof text, "unset MAKEFLAGS; ROOT=%s NNC=%s; %s %s", root, nnc_path(), setup, line);
    return process_run(folder, (const char *const[]){"sh", "-c", text, NULL}, NULL, 0, NULL);
}

void process_free(process *p)
{
    free(p->out);
    free(p->err);
    *p = (process){0};
}

char *file_read(const char *path, size_t *length)
{
    size_t ignored;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = read_all(file, length ? length : &ignored);
    fclose(file);
    return text;
}

void file_write(const char *path, const char *text, size_t length)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, length, file) != length || fclose(file) != 0)
        give_up(path);
}

bool file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void folder_make(const char *path)
{
    char part[PATH_MAX];
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 1; i <= strlen(path); i++)
        if (path[i] == '/' || !path[i]) {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            mkdir(part, 0777);
        }
    if (!file_exists(path))
        give_up(path);
}

int folder_count(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        give_up(path);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return n;
}
