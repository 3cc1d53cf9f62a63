/* test_fixed.c: the C of net.c and net.h that is the same for all networks, but for names: compiler/back/fixed.
 *
 * Each file compiles as it stands with gcc and clang, without a word, for each target; helpers/fixed.c calls what is in
 * them. test_math.c has what exp and its kin round, the other suites what networks print of it. */
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/fixed"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)
#define FLAGS " -Wall -Wextra -Wpedantic -Werror -DNN_ANY_PROCESSOR -Icompiler/back/fixed -Iruntime "

static const char *const compilers[] = {"gcc", "clang"};

/* The command ends well and says nothing. */
static void silent(const char *command)
{
    process p = process_run(".", (const char *const[]){"/bin/sh", "-c", command, NULL}, NULL, 0, NULL);
    check(p.status == 0 && !p.out_length && !p.err_length, "%s: exit status %d\n%.2000s%.2000s", command, p.status, p.out, p.err);
    process_free(&p);
}

static void compile(const char *cc, const char *flags, const char *file)
{
    char command[1000];
    snprintf(command, sizeof command, "%s %s" FLAGS "-c -o " SCRATCH "/x.o %s", cc, flags, file);
    silent(command);
}

static void network(void)
{
    static const char *const kinds[] = {"", "-DPREPARED", "-DCLASS_WEIGHTS", "-DFROM_CALLER", "-DSTREAMS", "-DEVERY_TARGET"};
    char flags[100];
    folder_make(SCRATCH);
    for (int c = 0; c < 2; c++)
        for (int k = 0; k < 6; k++) {
            snprintf(flags, sizeof flags, "-std=c99 -O2 %s", kinds[k]);
            compile(compilers[c], flags, "compiler/back/fixed/net.c");
        }
    file_write(SCRATCH "/net.cc", "#include \"net.h\"\n", 17);
    compile("g++", "-std=c++98", SCRATCH "/net.cc");
    compile("g++", "-std=c++17 -DPREPARED -DSTREAMS", SCRATCH "/net.cc");
}

/* Functions for floats are ISO C; those for vectors take GCC's. */
static void alone(void)
{
    static const struct { const char *flags, *text;
    } files[] = {
        {"-std=c99", "#include \"elementary.h\"\nvoid f(float *);\nvoid f(float *x) { *x = exp_f(*x); }\n"},
        {"-std=c99", "#include \"prelude.h\"\nint f(float);\nint f(float x) { return GREATER(x, 1); }\n"},
        {"-std=gnu11", "#include \"prelude.h\"\n#include \"vectors.h\"\nvoid f(vec *);\nvoid f(vec *v) { *v = ALL(1); }\n"},
    };
    folder_make(SCRATCH);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        file_write(SCRATCH "/alone.c", files[i].text, strlen(files[i].text));
        for (int c = 0; c < 2; c++)
            compile(compilers[c], files[i].flags, SCRATCH "/alone.c");
    }
}

/* A vector that is wider than the machine's makes gcc talk where a function takes one: -Wno-psabi. Generated code has none. */
static void build(const char *cc, int lanes, const char *flags, const char *run)
{
    char command[1000];
    snprintf(command, sizeof command, "%s -std=gnu11 %s -Wno-psabi -DVEC_LANES=%d" FLAGS "-o " SCRATCH "/%d tests/helpers/fixed.c -lm",
             cc, flags, lanes, lanes);
    silent(command);
    if (!run)
        return;
    snprintf(command, sizeof command, "%s " SCRATCH "/%d", run, lanes);
    silent(command);
}

static void generic(void)
{
    folder_make(SCRATCH);
    for (int c = 0; c < 2; c++)
        for (int lanes = 4; lanes <= 16; lanes *= 2)
            build(compilers[c], lanes, c ? "-O0" : "-O2", "");
}

#if defined(__x86_64__)
static bool is_x86(void)
{
    return true;
}

/* Built in any case; run where the processor can. */
static void avx(void)
{
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
                        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    folder_make(SCRATCH);
    for (int c = 0; c < 2; c++) {
        build(compilers[c], 8, "-O2 -mavx2 -mfma", avx2 ? "" : NULL);
        build(compilers[c], 16, "-O2 -march=x86-64-v4", avx512 ? "" : NULL);
    }
}
#else
static bool is_x86(void)
{
    return false;
}

static void avx(void)
{
}
#endif

static bool has_aarch64(void)
{
    return command_succeeds("command -v qemu-aarch64 && command -v aarch64-linux-gnu-gcc");
}

static void neon(void)
{
    folder_make(SCRATCH);
    build("aarch64-linux-gnu-gcc -static", 4, "-O2", "qemu-aarch64");
}

void add_fixed_suite(void)
{
    static CU_TestInfo tests[] = {
        {"the frame of a network", network},
        {"each header alone", alone},
        {"vectors for any processor", generic},
        {"vectors for avx2 and avx512", avx},
        {"vectors for neon", neon},
        CU_TEST_INFO_NULL,
    };
    static const test_need x86 = {is_x86, "an x86-64 processor", NULL};
    static const test_need aarch64 = {has_aarch64, "qemu-aarch64 and a C compiler for AArch64",
                                      "qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"};
    add_suite("fixed", NULL, NULL, tests);
    add_need("fixed", "vectors for avx2 and avx512", &x86);
    add_need("fixed", "vectors for neon", &aarch64);
}
