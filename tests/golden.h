/* golden.h: what nnc prints for a network, compared with a file that lies beside it.
 *
 *     golden g = golden_read("tests/golden/errors/label.nn", "# options:");
 *     golden_messages(&g, "err", 1);
 *     check(g.compared > 0, ...);
 *
 * With UPDATE=1 in the environment the files are rewritten instead (`make golden`). */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "process.h"

#define GOLDEN_SCRATCH "build/tests/tmp/golden"

typedef struct golden {
    char   stem[300];                    /* tests/golden/errors/label */
    char   options[500];                 /* for nnc */
    int    compared;                     /* expectation files found */
} golden;

/* Whether files are rewritten instead of compared. */
bool golden_update(void);

/* The case at path, STEM.nn. Its options stand behind marker, in a line of the comment with which it begins. */
golden golden_read(const char *path, const char *marker);

/* Whether STEM.suffix is there. */
bool golden_has(const golden *, const char *suffix);

/* Runs nnc on a copy of the case, in GOLDEN_SCRATCH, with its options and one more (NULL: none). Where `-` is one of
 * them, the network comes from standard input. */
process golden_run(golden *, const char *option);

/* Compares text with STEM.suffix and shows the difference, or rewrites the file. */
void golden_compare(golden *, const char *suffix, const char *text, size_t length);

/* If STEM.suffix is there: a run must end with the status and print that to standard error. */
void golden_messages(golden *, const char *suffix, int status);

#endif
