/* test_small.c: the example of one line on small machines, emulated: what it prints there is what it prints here. */
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <string.h>

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static process make(const char *target)
{
    static const char script[] = "unset MAKEFLAGS MAKELEVEL CC CFLAGS; "
                                 "exec make -s -C examples O=../build/tests/tmp/small SMALL_STEPS=10 \"$0\" 2>&1";
    return process_run(NULL, (const char *const[]){"sh", "-c", script, target, NULL}, NULL, 0, NULL);
}

static void prints_the_same(const char *target)
{
    process here = make("run-card-here"), there = make(target);
    check(here.status == 0 && strstr(here.out, "step   10   loss "), "run-card-here: status %d: %.500s", here.status, here.out);
    check(there.status == 0, "%s: status %d: %.500s", target, there.status, there.out);
    check(!strcmp(here.out, there.out), "%s prints\n%.600s\nand here it is\n%.600s", target, there.out, here.out);
    process_free(&here);
    process_free(&there);
}

static void cortex_m4(void) { prints_the_same("run-card-m4"); }
static void arm(void)       { prints_the_same("run-card-arm"); }

static bool has_cortex_m4(void)
{
    return command_succeeds("qemu-system-arm --version && "
                            "echo '#include <stdio.h>' | arm-none-eabi-gcc --specs=rdimon.specs -E -");
}

static bool has_arm(void)
{
    return command_succeeds("qemu-arm --version && echo '#include <stdio.h>' | arm-linux-gnueabihf-gcc -E -");
}

static int start(void)
{
    folder_make("build/tests/tmp/small");
    return 0;
}

void add_small_suite(void)
{
    static CU_TestInfo tests[] = {{"Cortex-M4F, bare", cortex_m4}, {"32-bit Arm", arm}, CU_TEST_INFO_NULL};
    static const test_need m4 = {has_cortex_m4, "arm-none-eabi-gcc with newlib, and qemu-system-arm",
                                 "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"};
    static const test_need linux_arm = {has_arm, "a C compiler for 32-bit Arm, and qemu-arm",
                                        "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user"};
    add_suite("small machines", start, NULL, tests);
    add_need("small machines", "Cortex-M4F, bare", &m4);
    add_need("small machines", "32-bit Arm", &linux_arm);
}
