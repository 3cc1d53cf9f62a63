/* process.h: running a program in a folder and looking at all that it did, for tests. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct process {
    int    status;              /* exit status; -N: ended by signal N */
    char  *out, *err;           /* what it printed, NUL-terminated */
    size_t out_length, err_length;
} process;

/* The compiler under test, as an absolute path: the environment's NNC, or build/nnc. */
const char *nnc_path(void);

/* Runs argv (ends with NULL) with folder as its working folder and input on its standard input (NULL: empty).
 * out: where standard output goes (NULL: into the result). A run that takes more than a minute of processor time
 * ends with a signal. */
process process_run(const char *folder, const char *const *argv, const char *input, size_t length, const char *out);

/* The same for nnc with up to 15 arguments, the last one NULL. */
process nnc_run(const char *folder, ...);

/* A line of shell in folder, where $ROOT is the repository, $NNC the compiler under test, and MAKEFLAGS isn't set. setup: what
 * stands before the line, such as `A=1;`. */
process shell_run(const char *folder, const char *setup, const char *line);

void process_free(process *);

/* For tests of what root may do and others may not: be_plain_user makes root, in this process and what it runs, a user who owns
 * nothing; false where that can't be, or where such a user can't run nnc (be_myself all the same). Others stay who they are. */
bool be_plain_user(void);
void be_myself(void);

/* The whole of a file, NUL-terminated, or NULL. Free it. */
char *file_read(const char *path, size_t *length);

/* Writes a whole file; aborts when that can't be. */
void file_write(const char *path, const char *text, size_t length);

bool file_exists(const char *path);

/* Makes an empty folder (with those above it), in place of what was there. */
void folder_make(const char *path);

/* How many entries a folder has. */
int folder_count(const char *path);

#endif
