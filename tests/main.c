/* main.c: runs the CUnit suites.
 *
 *     build/tests/run [--check | SUITE [TEST]]  from the repository's root; SEED=N repeats a run's random choices
 *
 * --check runs the quick tests, those that add_to_check has named. Several suites run two at a time, each in a process
 * of its own, and what it prints is shown when it ends; one suite runs in this process.
 *
 * Prints what CUnit's basic interface prints, and besides: how long a test took, and at the end, before the summary, what
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_NEEDS = 60,
    MAX_CHECKED = 40,
    JOBS = 2             /* suites at a time; those that compile much use every core by themselves */
};

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
    char message[2000] = "";
    if (!good) {        /* most of a million checks pass, and would spend their time on their texts */
        va_list list;
        va_start(list, fmt);
        vsnprintf(message, sizeof message, fmt, list);
        va_end(list);
    }
    CU_assertImplementation(good, (unsigned)line, message, file, "", CU_FALSE);
}

/* ---- Which tests run ------------------------------------------------------------------------------------- */

static struct {
    const char *suite, *test;
} in_check[MAX_CHECKED];
static int nin_check;

static bool check_alone;                        /* --check */
static const char *suite_asked, *test_asked;    /* NULL: all */

void add_to_check(const char *suite, const char *test)
{
    CU_Suite *there = CU_get_suite(suite);
    if (!there || (test && !CU_get_test(there, test)) || nin_check == MAX_CHECKED) {
        fprintf(stderr, "%s: %s: cannot be marked for --check\n", suite, test ? test : "all tests");
        exit(1);
    }
    in_check[nin_check].suite = suite;
    in_check[nin_check++].test = test;
}

static bool is_selected(const CU_Suite *suite, const CU_Test *test)
{
    bool marked = !check_alone;
    for (int i = 0; i < nin_check && !marked; i++)
        marked = !strcmp(in_check[i].suite, suite->pName) &&
                 (!in_check[i].test || !strcmp(in_check[i].test, test->pName));
    return marked && (!suite_asked || !strcmp(suite_asked, suite->pName)) &&
           (!test_asked || !strcmp(test_asked, test->pName));
}

/* How many tests of a suite run, if the machine has what they need. */
static unsigned selected_tests(const CU_Suite *suite)
{
    unsigned n = 0;
    for (const CU_Test *test = suite->pTest; test; test = test->pNext)
        n += is_selected(suite, test);
    return n;
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

/* Asks for what the selected tests need. */
static void look_for_needs(void)
{
    for (int i = 0; i < nneeds; i++)
        if (is_selected(needs[i].suite, needs[i].test) && !needs[i].need->there())
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
        if (needs[i].test->fActive || !is_selected(needs[i].suite, needs[i].test))
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

/* ---- The run ----------------------------------------------------------------------------------------------- */

/* What became of a suite, or of all. */
typedef struct Counts {
    unsigned suites, suites_run, suites_failed, suites_inactive;
    unsigned tests, tests_run, tests_failed, tests_inactive;
    unsigned asserts, asserts_failed;
    bool ended;          /* it ran to its end */
} Counts;

static void add_counts(Counts *sum, const Counts *counts)
{
    sum->suites += counts->suites;
    sum->suites_run += counts->suites_run;
    sum->suites_failed += counts->suites_failed;
    sum->suites_inactive += counts->suites_inactive;
    sum->tests += counts->tests;
    sum->tests_run += counts->tests_run;
    sum->tests_failed += counts->tests_failed;
    sum->tests_inactive += counts->tests_inactive;
    sum->asserts += counts->asserts;
    sum->asserts_failed += counts->asserts_failed;
}

/* As CUnit prints it. */
static void print_summary(const Counts *sum, double seconds)
{
    printf("\n\nRun Summary:    Type  Total    Ran Passed Failed Inactive\n");
    printf("              suites %6u %6u    n/a %6u %8u\n", sum->suites, sum->suites_run, sum->suites_failed,
           sum->suites_inactive);
    printf("               tests %6u %6u %6u %6u %8u\n", sum->tests, sum->tests_run, sum->tests_run - sum->tests_failed,
           sum->tests_failed, sum->tests_inactive);
    printf("             asserts %6u %6u %6u %6u      n/a\n\n", sum->asserts, sum->asserts,
           sum->asserts - sum->asserts_failed, sum->asserts_failed);
    printf("Elapsed time = %8.3f seconds\n", seconds);
    fflush(stdout);
}

/* Runs the selected tests of a suite. */
static void run_suite(CU_Suite *suite, Counts *counts)
{
    unsigned others = 0;
    for (CU_Test *test = suite->pTest; test; test = test->pNext)
        if (!is_selected(suite, test)) {
            CU_set_test_active(test, CU_FALSE);
            others++;
        }
    CU_run_suite(suite);
    counts->suites_run = CU_get_number_of_suites_run();
    counts->suites_failed = CU_get_number_of_suites_failed();
    counts->suites_inactive = CU_get_number_of_suites_inactive();
    counts->tests_run = CU_get_number_of_tests_run();
    counts->tests_failed = CU_get_number_of_tests_failed();
    counts->tests_inactive = CU_get_number_of_tests_inactive() - (counts->suites_run ? others : 0);
    counts->asserts = CU_get_number_of_asserts();
    counts->asserts_failed = CU_get_number_of_failures();
    counts->ended = true;
}

/* A suite that runs in a process of its own. */
typedef struct Job {
    pid_t process;       /* 0: none */
    CU_Suite *suite;
    Counts *counts;      /* shared with the process */
    FILE *said;
} Job;

/* Not all streams: a test that a bug has left leaves streams open whose buffers are gone. */
static void flush_output(void)
{
    fflush(stdout);
    fflush(stderr);
}

static void start_job(Job *job, CU_Suite *suite, Counts *counts)
{
    flush_output();
    *job = (Job){.suite = suite, .counts = counts, .said = tmpfile()};
    if (!job->said || (job->process = fork()) < 0) {
        perror(suite->pName);
        exit(1);
    }
    if (job->process > 0)
        return;
    dup2(fileno(job->said), 1);
    dup2(fileno(job->said), 2);
    run_suite(suite, counts);
    flush_output();
    _exit(0);
}

/* Waits until one of the jobs ends, and shows what it said. */
static void end_job(Job *jobs)
{
    int status, c;
    pid_t ended = wait(&status);
    for (Job *job = jobs; job < jobs + JOBS; job++) {
        if (job->process != ended)
            continue;
        rewind(job->said);
        while ((c = getc(job->said)) != EOF)
            putchar(c);
        fclose(job->said);
        if (!job->counts->ended) {
            printf("\nFAILED: the suite's process ended by %s %d", WIFSIGNALED(status) ? "signal" : "exit status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            job->counts->suites_failed++;
        }
        fflush(stdout);
        job->process = 0;
    }
}

/* Begun before the others, the longest first: a long suite that ran alone at the end would leave a processor
 * idle. */
static const char *const long_suites[] = {"PyTorch's numbers", "generated C", "examples", "README", "math"};
enum { LONG_SUITES = sizeof long_suites / sizeof *long_suites };

static int turn_of(const CU_Suite *suite)
{
    int turn = 0;
    while (turn < LONG_SUITES && strcmp(suite->pName, long_suites[turn]))
        turn++;
    return turn;
}

/* Runs each suite that has a selected test in a process of its own. */
static void run_suites(Counts *counts)
{
    Job jobs[JOBS] = {{0}};
    int running = 0;
    for (int turn = 0; turn <= LONG_SUITES; turn++) {
        Counts *own = counts;
        for (CU_Suite *suite = CU_get_registry()->pSuite; suite; suite = suite->pNext, own++) {
            if (turn_of(suite) != turn || !selected_tests(suite))
                continue;
            if (running == JOBS) {
                end_job(jobs);
                running--;
            }
            Job *job = jobs;
            while (job->process)
                job++;
            start_job(job, suite, own);
            running++;
        }
    }
    for (; running; running--)
        end_job(jobs);
}

/* All that is selected; the counts of each suite in the registry's order. */
static Counts run_selected(void)
{
    unsigned nsuites = CU_get_registry()->uiNumberOfSuites, i = 0;
    Counts *counts = mmap(NULL, nsuites * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), sum = {0};
    if (counts == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    look_for_needs();
    if (suite_asked)
        run_suite(CU_get_suite(suite_asked), counts + CU_get_suite_pos_by_name(suite_asked) - 1);
    else
        run_suites(counts);
    for (const CU_Suite *suite = CU_get_registry()->pSuite; suite; suite = suite->pNext, i++) {
        counts[i].tests = selected_tests(suite);
        counts[i].suites = counts[i].tests > 0;
        add_counts(&sum, &counts[i]);
    }
    return sum;
}

/* Whether there is what the command line names; else it says what there is. */
static bool is_there(void)
{
    CU_Suite *suite = suite_asked ? CU_get_suite(suite_asked) : NULL;
    if (suite_asked && !suite) {
        fprintf(stderr, "no suite is called %s; there are:\n", suite_asked);
        for (suite = CU_get_registry()->pSuite; suite; suite = suite->pNext)
            fprintf(stderr, "    %s\n", suite->pName);
        return false;
    }
    if (test_asked && !CU_get_test(suite, test_asked)) {
        fprintf(stderr, "no test of %s is called %s; there are:\n", suite_asked, test_asked);
        for (const CU_Test *test = suite->pTest; test; test = test->pNext)
            fprintf(stderr, "    %s\n", test->pName);
        return false;
    }
    return true;
}

static void set_handlers(void)
{
    CU_set_fail_on_inactive(CU_FALSE);
    CU_set_suite_start_handler(suite_starts);
    CU_set_suite_init_failure_handler(suite_cannot_start);
    CU_set_suite_cleanup_failure_handler(suite_cannot_end);
    CU_set_test_start_handler(test_starts);
    CU_set_test_complete_handler(test_ends);
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

    check_alone = argc > 1 && !strcmp(argv[1], "--check");
    suite_asked = argc > 1 && !check_alone ? argv[1] : NULL;
    test_asked = suite_asked && argc > 2 ? argv[2] : NULL;
    if (!is_there())
        return 2;
    set_handlers();

    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    const Counts sum = run_selected();
    clock_gettime(CLOCK_MONOTONIC, &after);
    print_passed_over();
    print_summary(&sum, (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec));
    bool failed = sum.asserts_failed + sum.tests_failed + sum.suites_failed > 0;
    if (failed || sum.tests_run == 0)
        printf("%s; to repeat: SEED=%" PRIu64 " build/tests/run%s%s\n", sum.tests_run ? "FAILED" : "NOTHING RAN", seed,
               argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    CU_cleanup_registry();
    return failed || sum.tests_run == 0;
}
