/* suites.h: what every suite shares with main.c.
 *
 * tests/test_X.c defines add_X_suite, which registers the suite "X" with CUnit. The Makefile makes suites.inc from
 * the names of the files, so a new file is all that a new suite takes. */
#ifndef SUITES_H
#define SUITES_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdint.h>

#define SUITE(name) void add_##name##_suite(void);
#include "suites.inc"
#undef SUITE

/* The seed of this run: the environment's SEED, or else from the clock. It is printed at the start; the same seed
 * gives the same tests. */
uint64_t test_seed(void);

/* Registers a suite; start and end give 0 where all is well, NULL: there is nothing to do. tests end with CU_TEST_INFO_NULL. */
void add_suite(const char *name, int (*start)(void), int (*end)(void), CU_TestInfo *tests);

/* Marks a test that add_suite has added, or all of a suite (NULL), as one of `make check`: no C compiler, a few seconds. */
void add_to_check(const char *suite, const char *test);

/* What a test takes beyond what `make test` installs. Where there() says no, before the suite starts, the test is not run: it
 * counts as inactive, not as passed, and the end of the run says what it lacked and which Debian packages bring it. */
typedef struct test_need {
    bool      (*there)(void);
    const char *what;              /* "qemu-aarch64 and a C compiler for AArch64" */
    const char *packages;          /* "qemu-user gcc-aarch64-linux-gnu"; NULL: no package brings it */
} test_need;

/* Of a test that add_suite has added. The need stays where it is. */
void add_need(const char *suite, const char *test, const test_need *need);

/* Calls work(with), which may find a bug of the compiler: the message of bug(), or NULL. The message lasts until the next call.
 * Each test runs in such a call, so that a verifier's message fails the test and the run goes on. */
const char *bug_found_by(void (*work)(void *with), void *with);

/* Whether a shell command succeeds, in silence. */
bool command_succeeds(const char *command);

/* That be_plain_user of process.h works. */
extern const test_need plain_user;

/* One check, with a message of its own. */
__attribute__((format(printf, 4, 5))) void check_at(const char *file, int line, bool good, const char *fmt, ...);

#endif
