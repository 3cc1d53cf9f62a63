/* test_contract.c: what the public functions of a generated network promise besides right numbers.
 *
 * The head of net.c says of each layer
 * where it runs. */
#include "nnc.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/contract"

/* ---- The head of net.c ------------------------------------------------------------------------------------------------ */

/* Is the layer's row in the table that, runs of blanks apart? */
static void check_row(const char *text, const char *options, const char *row)
{
    static const char squeezed[] = "sed -n 's/  */ /gp' " SCRATCH "/head.c | grep -qxF";
    const char *line = format("%s\n", text);
    file_write(SCRATCH "/head.nn", line, strlen(line));
    process p = nnc_run(SCRATCH, options, "--target=avx2", "head.nn", NULL);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
    process_free(&p);
    check_at(__FILE__, __LINE__, system(format("%s ' * %s'", squeezed, row)) == 0, "`%s` %s: no row `%s`", text, options, row);
}

/* A layer that ran as a follower, or whose work the loss does, had a `-` where the table should say where it runs. */
static void head(void)
{
    static const char net[] = "input 1x6x6; conv 4 k3; relu; maxpool 2; fc 10; softmax";
    folder_make(SCRATCH);
    check_row(net, "--unroll=tile", "softmax1 10 0 0 in fc1_forward in fc1_training in fc1_training");
    check_row(net, "--unroll=none", "softmax1 10 0 0 loops in loss_forward in loss_backward");
    check_row("input 4; fc 3; sigmoid", "--unroll=none", "sigmoid1 3 0 0 loops in loss_forward in loss_backward");
}

void add_contract_suite(void)
{
    static CU_TestInfo tests[] = {
        {"where each layer runs", head},
        CU_TEST_INFO_NULL,
    };
    add_suite("contract", NULL, NULL, tests);
}
