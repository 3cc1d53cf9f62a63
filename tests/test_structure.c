/* test_structure.c: compiler/ keeps to its structure: see structure.sh, which says what that is. */
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>

static void structure(void)
{
    CU_ASSERT_EQUAL(system("sh tests/structure.sh build"), 0);
}

static CU_TestInfo tests[] = {
    {"structure", structure},
    CU_TEST_INFO_NULL,
};

void add_structure_suite(void)
{
    add_suite("structure", NULL, NULL, tests);
    add_to_check("structure", NULL);
}
