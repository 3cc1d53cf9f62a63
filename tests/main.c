/* main.c: runs the CUnit suites.
 *
 *     build/tests/run [SUITE]         from the repository's root; SEED=N repeats a run's random choices
 *
 * Exit status: 0 all passed, 1 something failed or nothing ran, 2 there is no such suite. */
#include "suites.h"

#include <CUnit/Basic.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

/* The whole registry, or the named suite of it. */
static int run(const char *name)
{
    if (!name) {
        CU_basic_run_tests();
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
    CU_basic_run_suite(suite);
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

    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (run(argc > 1 ? argv[1] : NULL) != 0)
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
