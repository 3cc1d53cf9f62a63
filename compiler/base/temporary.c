/* temporary.c: a folder for what a run needs and nobody else wants: --verify compiles in it.
 *
 * In: names of files. Out: their paths in one folder of $TMPDIR, or of /tmp. Whatever ends the run, they are
 * taken away; so a file is written down before anybody makes it. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static const char *volatile folder;
static const char *const *volatile names;
static volatile sig_atomic_t nnames;

const char *temporary_folder(void)
{
    const char *root = getenv("TMPDIR");
    char *path = format("%s/nnc-XXXXXX", root && *root ? root : "/tmp");
    if (folder)
        return folder;
    if (!mkdtemp(path))
        fail("cannot make a folder in %s: %s [file]", root && *root ? root : "/tmp", strerror(errno));
    folder = path;
    return path;
}

const char *temporary_path(const char *name)
{
    const char *path = format("%s/%s", temporary_folder(), name);
    const char **longer = NEW_ARRAY(const char *, nnames + 1);
    for (int i = 0; i < nnames; i++) {
        if (!strcmp(names[i], path))
            return names[i];
        longer[i] = names[i];
    }
    longer[nnames] = path;
    names = longer;
    nnames = nnames + 1;
    return path;
}

FILE *open_temporary(const char *name)
{
    const char *path = temporary_path(name);
    FILE *file = fopen(path, "w");
    if (!file)
        fail("cannot write %s: %s [file]", path, strerror(errno));
    return file;
}

void close_temporary(FILE *file)
{
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad)
        fail("cannot write to %s: %s [file]", folder, errno ? strerror(errno) : "a file is not complete");
}

/* Only calls what a signal handler may call. */
void remove_temporary(void)
{
    for (int i = 0; i < nnames; i++)
        unlink(names[i]);
    if (folder)
        rmdir(folder);
    nnames = 0;
    folder = NULL;
}
