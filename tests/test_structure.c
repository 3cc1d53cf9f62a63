/* test_structure.c: compiler/ keeps to its structure: see structure.sh, which says what that is. And what is built is the
 * same in every folder. */
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>

static void structure(void)
{
    CU_ASSERT_EQUAL(system("sh tests/structure.sh build"), 0);
}

/* Debugging information names the folder of the sources, unless it is told not to. */
static void no_folder(void)
{
    CU_ASSERT_NOT_EQUAL(system("grep -lF \"$PWD/\" build/nnc build/*.a"), 0);
    CU_ASSERT_EQUAL(system("grep -qF test_structure build/tests/run"), 0);    /* grep finds what is there */
}

static CU_TestInfo tests[] = {
    {"structure", structure},
    {"what is built names no folder", no_folder},
    CU_TEST_INFO_NULL,
};

void add_structure_suite(void)
{
    add_suite("structure", NULL, NULL, tests);
    add_to_check("structure", NULL);
}
