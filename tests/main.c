/* main.c: runs the CUnit suites.
 *
 *     build/tests/run [SUITE [TEST]]  from the repository's root; SEED=N repeats a run's random choices
 *
 * Prints what CUnit's basic interface prints, and besides: how long a test took, and at the end, before CUnit's summary, what
 * was passed over since this machine lacks what it needs.
 *
 * Exit status: 0 all passed, 1 something failed or nothing ran, 2 there is no such suite or test. */
#include "base/base.h"
#include "process.h"
#include "suites.h"

#include <CUnit/TestRun.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NEEDS = 40 };

static uint64_t seed;

uint64_t test_seed(void)
{
    return seed;
}

void add_suite(const char *name, int (*start)(void), int (*end)(void), CU_TestInfo *tests)
{
    CU_SuiteInfo suites[] = {{name, start, end, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_register_suites(suites) != CUE_SUCCESS)
        fprintf(stderr, "%s\n", CU_get_error_msg());
}

void check_at(const char *file, int line, bool good, const char *fmt, ...)
{
    char message[2000];
    va_list list;
    va_start(list, fmt);
    vsnprintf(message, sizeof message, fmt, list);
    va_end(list);
    CU_assertImplementation(good, (unsigned)line, message, file, "", CU_FALSE);
}

/* ---- What tests need ----------------------------------------------------------------------------------- */

static struct {
    CU_Suite *suite;
    CU_Test *test;
    const test_need *need;
} needs[MAX_NEEDS];
static int nneeds;

void add_need(const char *suite_name, const char *test_name, const test_need *need)
{
    CU_Suite *suite = CU_get_suite(suite_name);
    CU_Test *test = suite ? CU_get_test(suite, test_name) : NULL;
    if (!test || nneeds == MAX_NEEDS) {
        fprintf(stderr, "%s: %s: %s\n", suite_name, test_name, test ? "too many needs" : "there is no such test");
        exit(1);
    }
    needs[nneeds].suite = suite;
    needs[nneeds].test = test;
    needs[nneeds++].need = need;
}

bool command_succeeds(const char *command)
{
    char line[1000];
    if ((size_t)snprintf(line, sizeof line, "{ %s\n} >/dev/null 2>&1", command) >= sizeof line)
        return false;
    int status = system(line);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool can_be_plain_user(void)
{
    bool can = be_plain_user();
    be_myself();
    return can;
}

const test_need plain_user = {can_be_plain_user, "a user other than root who may enter this folder", NULL};

/* Asks for what a test needs (NULL: those of a suite; NULL: all). */
static void look_for_needs(const CU_Suite *suite, const CU_Test *test)
{
    for (int i = 0; i < nneeds; i++)
        if ((!suite || needs[i].suite == suite) && (!test || needs[i].test == test) && !needs[i].need->there())
            CU_set_test_active(needs[i].test, CU_FALSE);
}

/* Adds the words of a list to another that are not in it. */
static void add_words(char *list, size_t room, const char *words)
{
    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " "), used = strlen(list);
        bool there = false;
        for (const char *at = list; (at = strstr(at, " ")) && !there;)
            there = !strncmp(++at, word, length) && strchr(" ", at[length]);
        if (!there)
            snprintf(list + used, room - used, " %.*s", (int)length, word);
        word += length + strspn(word + length, " ");
    }
}

static void print_passed_over(void)
{
    char packages[2000] = "";
    bool any = false;
    for (int i = 0; i < nneeds; i++) {
        if (needs[i].test->fActive)
            continue;
        const test_need *need = needs[i].need;
        printf("%s    %s: %s: needs %s", any ? "\n" : "\n\nPassed over, and counted as inactive:\n", needs[i].suite->pName,
               needs[i].test->pName, need->what);
        if (need->packages)
            printf(" (%s)", need->packages);
        add_words(packages, sizeof packages, need->packages ? need->packages : "");
        any = true;
    }
    if (*packages)
        printf("\nDebian has it in packages: apt-get install%s", packages);
}

/* ---- Bugs that the compiler finds in itself -------------------------------------------------------------- */

static struct {
    jmp_buf *place;      /* NULL: bug() aborts */
    pid_t process;       /* in a process that a test has forked it aborts, too */
    char message[1000];
} found_bug;

static void leave_for_test(const char *message)
{
    if (!found_bug.place || found_bug.process != getpid())
        return;
    snprintf(found_bug.message, sizeof found_bug.message, "%s", message);
    longjmp(*found_bug.place, 1);
}

const char *bug_found_by(void (*work)(void *with), void *with)
{
    jmp_buf here, *outside = found_bug.place;
    bool found = setjmp(here) != 0;
    if (!found) {
        found_bug.place = &here;
        found_bug.process = getpid();
        bug_handler = leave_for_test;
        work(with);
    }
    found_bug.place = outside;
    return found ? found_bug.message : NULL;
}

enum { MAX_TESTS = 1000 };

static struct {
    CU_Test *test;
    CU_TestFunc function;
} guarded[MAX_TESTS];
static int nguarded;

static void call(void *function)
{
    (*(CU_TestFunc *)function)();
}

/* What CUnit calls in the place of each test's function. */
static void run_guarded(void)
{
    int i = 0;
    while (guarded[i].test != CU_get_current_test())
        i++;
    const char *message = bug_found_by(call, &guarded[i].function);
    if (message)
        check_at("bug()", 0, false, "%s", message);
}

static void guard_tests(void)
{
    for (CU_Suite *suite = CU_get_registry()->pSuite; suite; suite = suite->pNext)
        for (CU_Test *test = suite->pTest; test; test = test->pNext) {
            if (nguarded == MAX_TESTS)
                abort();
            guarded[nguarded].test = test;
            guarded[nguarded++].function = test->pTestFunc;
            test->pTestFunc = run_guarded;
        }
}

/* ---- What CUnit's basic interface prints ---------------------------------------------------------------- */

static struct timespec started;
static double cpu_started;

/* Seconds of processor time that this process has taken, and those that it has waited for. */
static double cpu_seconds(void)
{
    double seconds = 0;
    struct rusage usage[2];
    getrusage(RUSAGE_SELF, &usage[0]);
    getrusage(RUSAGE_CHILDREN, &usage[1]);
    for (int i = 0; i < 2; i++)
        seconds += (double)(usage[i].ru_utime.tv_sec + usage[i].ru_stime.tv_sec) +
                   1e-6 * (double)(usage[i].ru_utime.tv_usec + usage[i].ru_stime.tv_usec);
    return seconds;
}

static void suite_starts(const CU_pSuite suite)
{
    printf("\nSuite: %s", suite->pName);
    fflush(stdout);
}

static void test_starts(const CU_pTest test, const CU_pSuite suite)
{
    (void)suite;
    printf("\n  Test: %s ...", test->pName);
    fflush(stdout);
    found_bug.place = NULL; /* a fatal assertion has left the last test by a jump of CUnit's */
    clock_gettime(CLOCK_MONOTONIC, &started);
    cpu_started = cpu_seconds();
}

static void test_ends(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failures)
{
    struct timespec now;
    (void)test, (void)suite;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - started.tv_sec) + 1e-9 * (double)(now.tv_nsec - started.tv_nsec);
    printf(failures ? "FAILED" : "passed");
    if (seconds >= 0.5)
        printf(" (%.1f s, %.1f s of processor)", seconds, cpu_seconds() - cpu_started);
    int i = 1;
    for (CU_pFailureRecord f = failures; f; f = f->pNext)
        printf("\n    %d. %s:%u  - %s", i++, f->strFileName ? f->strFileName : "", f->uiLineNumber,
               f->strCondition ? f->strCondition : "");
    fflush(stdout);
}

static void suite_cannot_start(const CU_pSuite suite)
{
    printf("\nWARNING - Suite initialization failed for '%s'.", suite->pName);
}

static void suite_cannot_end(const CU_pSuite suite)
{
    printf("\nWARNING - Suite cleanup failed for '%s'.", suite->pName);
}

static void all_ended(const CU_pFailureRecord failures)
{
    (void)failures;
    print_passed_over();
    printf("\n\n");
    CU_print_run_results(stdout);
    printf("\n");
    fflush(stdout);
}

/* ---- The run ----------------------------------------------------------------------------------------------- */

/* The whole registry, or the named suite or test of it. */
static int run(const char *name, const char *test_name)
{
    CU_set_fail_on_inactive(CU_FALSE);
    CU_set_suite_start_handler(suite_starts);
    CU_set_suite_init_failure_handler(suite_cannot_start);
    CU_set_suite_cleanup_failure_handler(suite_cannot_end);
    CU_set_test_start_handler(test_starts);
    CU_set_test_complete_handler(test_ends);
    CU_set_all_test_complete_handler(all_ended);
    if (!name) {
        look_for_needs(NULL, NULL);
        CU_run_all_tests();
        return 0;
    }
    CU_TestRegistry *registry = CU_get_registry();
    CU_Suite *suite = CU_get_suite_by_name(name, registry);
    if (!suite) {
        fprintf(stderr, "no suite is called %s; there are:\n", name);
        for (suite = registry->pSuite; suite; suite = suite->pNext)
            fprintf(stderr, "    %s\n", suite->pName);
        return 2;
    }
    CU_Test *test = test_name ? CU_get_test(suite, test_name) : NULL;
    if (test_name && !test) {
        fprintf(stderr, "no test of %s is called %s; there are:\n", name, test_name);
        for (test = suite->pTest; test; test = test->pNext)
            fprintf(stderr, "    %s\n", test->pName);
        return 2;
    }
    look_for_needs(suite, test);
    if (test)
        CU_run_test(suite, test);
    else
        CU_run_suite(suite);
    return 0;
}

int main(int argc, char **argv)
{
    const char *given = getenv("SEED");
    seed = given && *given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%" PRIu64 "\n", seed);
    fflush(stdout);

    if (CU_initialize_registry() != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return 1;
    }
#define SUITE(name) add_##name##_suite();
#include "suites.inc"
#undef SUITE
    guard_tests();

    if (run(argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL) != 0)
        return 2;
    unsigned failed = CU_get_number_of_failure_records() + CU_get_number_of_tests_failed() +
                      CU_get_number_of_suites_failed();
    unsigned ran = CU_get_number_of_tests_run();
    if (failed > 0 || ran == 0)
        printf("%s; to repeat: SEED=%" PRIu64 " build/tests/run%s%s\n", ran ? "FAILED" : "NOTHING RAN", seed,
               argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    CU_cleanup_registry();
    return failed > 0 || ran == 0;
}
