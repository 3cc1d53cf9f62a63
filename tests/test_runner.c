/* test_runner.c: what main.c promises of every test. */
#include "networks.h"
#include "program/program.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <string.h>

static void verify(void *prog)
{
    verify_prog(prog);
}

static void nothing(void *with)
{
    (void)with;
}

/* A program that writes its input is none. The verifier says so, and this test goes on. */
static void bugs_are_found(void)
{
    Prog *prog = lower(network_of("input 4; relu", &(Options){.unroll = UNROLL_NONE}), false);
    CU_ASSERT_PTR_NULL(bug_found_by(verify, prog));
    prog->statements->out.tensor->role = TENSOR_INPUT;
    const char *message = bug_found_by(verify, prog);
    CU_ASSERT_PTR_NOT_NULL_FATAL(message);
    CU_ASSERT_PTR_NOT_NULL(strstr(message, " is written"));
    CU_ASSERT_PTR_NULL(bug_found_by(nothing, NULL));
    free_all();
}

void add_runner_suite(void)
{
    static CU_TestInfo tests[] = {
        {"a bug that a verifier finds does not end the run", bugs_are_found},
        CU_TEST_INFO_NULL,
    };
    add_suite("runner", networks_start, networks_end, tests);
    add_to_check("runner", NULL);
}
