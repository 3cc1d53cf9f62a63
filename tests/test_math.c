/* test_math.c: exp, tanh, sigmoid, log, log1p, erf and sqrt, as they stand in compiler/back/fixed and as they are printed into
 * net.c.
 *
 * A program around the printed functions is built with each compiler and instruction set that there is, and run. It
 * takes floats from all over, every so manyth bit pattern from a random one on, and all around those where something
 * changes. One build compares with the C library in double precision; all of them must come to the same bits, for
 * floats, for vectors of all lengths, and, where qemu-aarch64 and a cross compiler are installed, on another machine.
 *
 * make does the work, on all cores: for each row of builds a program and what it printed. */
#include "back/back.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH "build/tests/tmp/math"

static const struct { const char *name; unsigned set; } functions[] = {
    {"exp", MATH_EXP}, {"tanh", MATH_TANH}, {"sigmoid", MATH_SIGMOID}, {"log", MATH_LOG}, {"log1p", MATH_LOG1P},
    {"erf", MATH_ERF}, {"sqrt", MATH_SQRT},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions, EVERYTHING = 127 };

/* ---- The program ---------------------------------------------------------------------------------------- */

static const char program[] =
    "#include HEADER\n"
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n\n"
    "static float x[1 << 20];\n"
    "static unsigned count;\n\n"
    "static void add(uint32_t bits)\n{\n"
    "    if (count < sizeof x / sizeof *x)\n"
    "        memcpy(&x[count++], &bits, sizeof bits);\n"
    "}\n\n"
    "/* With both signs, the floats around one. */\n"
    "static void add_around(float number)\n{\n"
    "    uint32_t bits;\n"
    "    memcpy(&bits, &number, sizeof bits);\n"
    "    for (uint32_t i = 0; i < 41; i++) {\n"
    "        add((bits + i - 20) & 0x7fffffff);\n"
    "        add((bits + i - 20) | 0x80000000);\n"
    "    }\n"
    "}\n\n"
    "static float special[] = {0, 0x1p-126f, 0x1p-24f, 0x1p-12f, 0x1p-13f, 0.346573591f, 0.5f, 0.55f, 0.549306154f, 0.9f, 4,\n"
    "    0.707106781f, 0.292893219f, 0.414213562f, 0.693147182f, 1, 1.41421354f, 2, 9.01091385f, 10, 16.635532f,\n"
    "    17.3286800f, 87.3365479f, 88.7228394f, 89, 103.278931f, 103.972084f, 104, 0x1p23f, 0x1p24f, 0x1p31f,\n"
    "    0x1p126f, 0x1p127f, 0x1.6a09e6p127f, 0x1.fffffep127f};\n\n"
    "static void add_all(uint32_t first, uint32_t step)\n{\n"
    "    for (unsigned i = 0; i < sizeof special / sizeof *special; i++)\n"
    "        add_around(special[i]);\n"
    "    add(0x7f800000); add(0xff800000); add(0x7fc00000); add(0xffc00000); add(0x7f800001); add(0xffffffff);\n"
    "    for (uint64_t bits = first; bits < (uint64_t)1 << 32; bits += step)\n"
    "        add((uint32_t)bits);\n"
    "    while (count % 16)\n"
    "        add(0);\n"
    "}\n\n"
    "/* All NaNs count as one. */\n"
    "static uint32_t value(float y)\n{\n"
    "    uint32_t bits;\n"
    "    memcpy(&bits, &y, sizeof bits);\n"
    "    return y != y ? 0x7fc00000 : bits;\n"
    "}\n\n"
    "#ifdef WIDTH\n"
    "static int same(const char *name, float number, float y, float z)\n{\n"
    "    if (value(y) != value(z))\n"
    "        printf(\"%s of %a is %a, in a lane %a\\n\", name, number, y, z);\n"
    "    return value(y) == value(z);\n"
    "}\n\n"
    "#define IN_LANES(name) \\\n"
    "    for (unsigned i = 0; i < count && ok; i += WIDTH) { \\\n"
    "        vec v; \\\n"
    "        memcpy(&v, x + i, sizeof v); \\\n"
    "        v = name##_v(v); \\\n"
    "        for (unsigned j = 0; j < WIDTH && ok; j++) \\\n"
    "            ok &= same(#name, x[i + j], name##_f(x[i + j]), v[j]); \\\n"
    "    }\n"
    "#else\n"
    "#define IN_LANES(name)\n"
    "#endif\n\n"
    "#define HASH(name) do { \\\n"
    "    uint64_t hash = 1; \\\n"
    "    IN_LANES(name) \\\n"
    "    for (unsigned i = 0; i < count; i++) \\\n"
    "        hash = (hash ^ value(name##_f(x[i]))) * 0x9e3779b97f4a7c15u; \\\n"
    "    printf(\"%s %016llx\\n\", #name, (unsigned long long)hash); \\\n"
    "} while (0)\n\n"
    "#ifdef ACCURACY\n"
    "static double true_sigmoid(double v) { return 1 / (1 + exp(-v)); }\n\n"
    "/* How many last places y is off. */\n"
    "static double places(float y, double is)\n{\n"
    "    if (is != is || y != y)\n"
    "        return is != is && y != y ? 0 : HUGE_VAL;\n"
    "    if (fabs(is) >= 0x1.ffffffp127 || isinf(y))\n"
    "        return (float)is == y ? 0 : HUGE_VAL;\n"
    "    if (is == 0)\n"
    "        return y == 0 && !signbit(y) == !signbit(is) ? 0 : HUGE_VAL;\n"
    "    int exponent;\n"
    "    frexp(is, &exponent);\n"
    "    return fabs(y - is) / ldexp(1, exponent < -125 ? -149 : exponent - 24);\n"
    "}\n\n"
    "#define CHECK(name, truth) do { \\\n"
    "    double worst = 0; \\\n"
    "    float at = 0; \\\n"
    "    for (unsigned i = 0; i < count; i++) { \\\n"
    "        double off = places(name##_f(x[i]), truth(x[i])); \\\n"
    "        if (off > worst) { \\\n"
    "            worst = off; \\\n"
    "            at = x[i]; \\\n"
    "        } \\\n"
    "    } \\\n"
    "    fprintf(stderr, \"%s: %.3f units in the last place at %a\\n\", #name, worst, at); \\\n"
    "    ok &= worst <= 2; \\\n"
    "} while (0)\n"
    "#endif\n\n"
    "int main(int argc, char **argv)\n{\n"
    "    int ok = argc == 3;\n"
    "#if defined(__SSE__) && defined(__GNUC__)\n"
    "    __builtin_ia32_ldmxcsr(0x1f80);   /* -ffast-math links code that makes denormal numbers 0 */\n"
    "#endif\n"
    "    add_all((uint32_t)strtoul(argv[1], NULL, 10), (uint32_t)strtoul(argv[2], NULL, 10));\n"
    "#ifdef ACCURACY\n"
    "    CHECK(exp, exp);\n    CHECK(tanh, tanh);\n    CHECK(sigmoid, true_sigmoid);\n"
    "    CHECK(log, log);\n    CHECK(log1p, log1p);\n    CHECK(erf, erf);\n    CHECK(sqrt, sqrt);\n"
    "#endif\n"
    "    HASH(exp);\n    HASH(tanh);\n    HASH(sigmoid);\n    HASH(log);\n    HASH(log1p);\n    HASH(erf);\n    HASH(sqrt);\n"
    "    return !ok;\n"
    "}\n";

/* ---- The builds ------------------------------------------------------------------------------------------- */

/* What a build asks of the machine that runs it, or of the compilers on it. */
typedef enum Runner { ANYTHING, HAS_FMA, HAS_AVX512, IS_AARCH64, IS_S390X, HAS_32_BITS, HAS_TCC, HAS_MUSL } Runner;

static const struct {
    Runner runner;
    int lanes;
    const char *cc;       /* NULL: gcc and clang */
    const char *flags;
} builds[] = {
    {ANYTHING, 8, "gcc", "-std=gnu11 -O2 -DACCURACY -Wno-psabi -DAS_IT_STANDS"},
    {ANYTHING, 8, "gcc", "-std=gnu11 -O2"},
    {ANYTHING, 1, NULL, "-std=c99 -pedantic -O2"},
    {ANYTHING, 4, NULL, "-std=gnu11 -O2"},
    {ANYTHING, 8, NULL, "-std=gnu11 -O3"},
    {ANYTHING, 8, NULL, "-std=gnu11 -O2 -march=native"},
    {ANYTHING, 16, "gcc", "-std=gnu11 -O1 -fsanitize=undefined,address -fno-sanitize-recover=all"},
    {ANYTHING, 16, "clang", "-std=gnu11 -O0 -fsanitize=undefined,address -fno-sanitize-recover=all"},
    {HAS_FMA, 8, "clang", "-std=gnu11 -O2 -mavx2 -mfma -ffp-contract=fast -DAS_IT_STANDS"},
    {HAS_FMA, 1, NULL, "-std=gnu11 -O3 -mavx2 -mfma"},
    {HAS_FMA, 1, NULL, "-std=c99 -O2 -mavx2 -mfma -ffp-contract=fast"},
    {HAS_FMA, 4, NULL, "-std=gnu11 -O3 -mavx2 -mfma -ffp-contract=fast"},
    {HAS_FMA, 8, NULL, "-std=gnu11 -O3 -mavx2 -mfma -ffp-contract=fast"},
    {HAS_FMA, 16, NULL, "-std=gnu11 -O2 -mavx2 -mfma -ffp-contract=fast"},
    {HAS_AVX512, 8, NULL, "-std=gnu11 -O2 -mavx512f -ffp-contract=fast"},
    {HAS_AVX512, 16, NULL, "-std=gnu11 -O3 -mavx512f -ffp-contract=fast"},
    {IS_AARCH64, 1, "aarch64-linux-gnu-gcc", "-static -std=c99 -pedantic -O2"},
    {IS_AARCH64, 4, "aarch64-linux-gnu-gcc", "-static -std=gnu11 -O3"},
    {IS_AARCH64, 8, "aarch64-linux-gnu-gcc", "-static -std=gnu11 -O2"},
    {IS_S390X, 1, "s390x-linux-gnu-gcc", "-static -std=gnu11 -O2"},
    {HAS_32_BITS, 4, "gcc", "-m32 -std=gnu11 -O2 -msse2 -mfpmath=sse"},
    {HAS_32_BITS, 1, NULL, "-m32 -std=c99 -O2 -msse2 -mfpmath=sse"},
    {HAS_TCC, 1, "tcc", ""},
    {HAS_MUSL, 1, "musl-gcc", "-std=c99 -O2"},
    /* What these flags allow is taken back by nn.h. */
    {ANYTHING, 8, NULL, "-std=gnu11 -O2 -funsafe-math-optimizations"},
    {ANYTHING, 1, NULL, "-std=c99 -O1 -ffast-math -fno-finite-math-only"},
    {HAS_FMA, 8, NULL, "-std=gnu11 -O3 -mavx2 -mfma -ffast-math -fno-finite-math-only"},
};

#define PROGRAM_BY(cc, run) \
    "dir=$(mktemp -d) && cd $dir && printf '#include <math.h>\\nint main(void) { return 0; }' >x.c && " cc " x.c -o x -lm && " \
    run " ./x; s=$?; rm -r $dir; exit $s"

static bool has_aarch64(void) { return command_succeeds(PROGRAM_BY("aarch64-linux-gnu-gcc -static", "qemu-aarch64")); }
static bool has_s390x(void)   { return command_succeeds(PROGRAM_BY("s390x-linux-gnu-gcc -static", "qemu-s390x")); }
static bool has_tcc(void)     { return command_succeeds(PROGRAM_BY("tcc", "")); }
static bool has_musl(void)    { return command_succeeds(PROGRAM_BY("musl-gcc", "")); }

#if defined(__x86_64__)
static bool has_fma(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}

static bool has_32_bits(void)
{
    return command_succeeds(PROGRAM_BY("gcc -m32 -msse2", "")) && command_succeeds(PROGRAM_BY("clang -m32 -msse2", ""));
}
#else
static bool has_fma(void)     { return false; }
static bool has_avx512(void)  { return false; }
static bool has_32_bits(void) { return false; }
#endif

static FILE *create(const char *name)
{
    FILE *f = fopen(format(SCRATCH "/%s", name), "w");
    if (!f) {
        perror(name);
        abort();
    }
    return f;
}

/* What is printed; with AS_IT_STANDS what it is printed from. */
static void write_header(const char *name, int lanes, unsigned scalar_set, unsigned vector_set)
{
    FILE *f = create(name);
    if (lanes > 1)
        fprintf(f, "#define WIDTH %d\n#define VEC_LANES WIDTH\n#ifdef AS_IT_STANDS\n#define NN_ANY_PROCESSOR\n#include \"prelude.h\"\n"
                "#include \"vectors.h\"\n#include \"elementary.h\"\n#define OF_VECTORS\n#include \"elementary.h\"\n#else\n", lanes);
    fprintf(f, "#define NN_COMPUTES\n#include \"nn.h\"\n#include <math.h>\n#include <stdint.h>\n#include <string.h>\n\n");
    if (lanes > 1)
        fprintf(f, "typedef float vec __attribute__((vector_size(%d)));\n\n", 4 * lanes);
    emit_math(f, lanes, "", scalar_set, vector_set);
    if (lanes > 1)
        fprintf(f, "#endif\n");
    fclose(f);
}

static bool run_make(void)
{
    return system(format("env -u MAKEFLAGS -u MAKELEVEL make -s -k -j%ld -C " SCRATCH " >" SCRATCH "/make.log 2>&1",
                         sysconf(_SC_NPROCESSORS_ONLN))) == 0;
}

static void show(const char *name)
{
    char *text = file_read(format(SCRATCH "/%s", name), NULL);
    fprintf(stderr, "%s/%s:\n%.3000s", SCRATCH, name, text ? text : "(missing)\n");
    free(text);
}

/* ---- The tests ---------------------------------------------------------------------------------------------- */

/* The builds for a machine, beside the first, which all have to agree with. */
static void same_bits(Runner runner)
{
    enum { STRIDE = 4993 };
    static const char *const both[] = {"gcc", "clang"};
    unsigned long first = (unsigned long)(test_seed() % STRIDE);
    static const int lanes[] = {1, 4, 8, 16};
    folder_make(SCRATCH);
    file_write(SCRATCH "/main.c", program, sizeof program - 1);
    for (int i = 0; i < 4; i++)
        write_header(format("math%d.h", lanes[i]), lanes[i], EVERYTHING, EVERYTHING);

    FILE *f = create("Makefile");
    int n = 0;
    fprintf(f, "all:\n");
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++)
        for (int c = 0; c < (builds[i].cc ? 1 : 2); c++) {
            if (n > 0 && builds[i].runner != runner)
                continue;
            const char *emulator = builds[i].runner == IS_AARCH64 ? "qemu-aarch64 "
                                   : builds[i].runner == IS_S390X ? "qemu-s390x " : "";
            fprintf(f, "all: %d.out\n%d:\n\t%s %s -Wall -Wextra -Werror -I../../../../runtime "
                    "-I../../../../compiler/back/fixed -DHEADER='\"math%d.h\"' main.c -o $@ -lm\n",
                    n, n, builds[i].cc ? builds[i].cc : both[c], builds[i].flags, builds[i].lanes);
            fprintf(f, "%d.out: %d\n\t%s./%d %lu %d >$@ || mv $@ %d.failed\n", n, n, emulator, n, first, STRIDE, n);
            n++;
        }
    fclose(f);
    bool made = run_make();
    char *log = file_read(SCRATCH "/make.log", NULL), *expected = file_read(SCRATCH "/0.out", NULL);
    /* Compilers are silent; only the comparison with the C library has something to say. */
    size_t spoken = 0;
    for (const char *line = log; line && *line; line = strchr(line, '\n') + 1, spoken++)
        if (!strchr(line, '\n'))
            break;
    CU_ASSERT_TRUE(made);
    CU_ASSERT_EQUAL(spoken, FUNCTIONS);
    CU_ASSERT_PTR_NOT_NULL(expected);
    if (!made || spoken != FUNCTIONS || !expected)
        show("make.log");
    for (int i = 1; i < n && expected; i++) {
        char *printed = file_read(format(SCRATCH "/%d.out", i), NULL);
        bool right = printed && !strcmp(printed, expected);
        CU_ASSERT_TRUE(right);
        if (!right) {
            fprintf(stderr, "build %d of " SCRATCH "/Makefile differs from build 0\n", i);
            show(format("%d.%s", i, printed ? "out" : "failed"));
        }
        free(printed);
    }
    free(log);
    free(expected);
}

static void same_bits_anywhere(void)    { same_bits(ANYTHING); }
static void same_bits_with_fma(void)    { same_bits(HAS_FMA); }
static void same_bits_with_avx512(void) { same_bits(HAS_AVX512); }
static void same_bits_on_aarch64(void)  { same_bits(IS_AARCH64); }
static void same_bits_on_s390x(void)    { same_bits(IS_S390X); }
static void same_bits_by_32_bits(void)  { same_bits(HAS_32_BITS); }
static void same_bits_by_tcc(void)      { same_bits(HAS_TCC); }
static void same_bits_by_musl(void)     { same_bits(HAS_MUSL); }

/* Only what is asked for, so that no compiler finds something unused; and no word about vectors that are wider
 * than registers. */
static void alone(void)
{
    folder_make(SCRATCH);
    FILE *f = create("Makefile");
    fprintf(f, "FLAGS = -std=gnu11 -Wall -Wextra -Wpedantic -Werror -I../../../../runtime\nall:\n");
    for (int i = 0; i < FUNCTIONS; i++)
        for (int vector = 0; vector < 2; vector++) {
            const char *name = format("%s_%c", functions[i].name, "fv"[vector]);
            write_header(format("%s.h", name), 16, vector ? 0 : functions[i].set, vector ? functions[i].set : 0);
            FILE *c = create(format("%s.c", name));
            fprintf(c, "#include \"%s.h\"\n\nvoid use(%s *);\nvoid use(%s *x)\n{\n    *x = %s(*x);\n}\n", name,
                    vector ? "vec" : "float", vector ? "vec" : "float", name);
            fclose(c);
            fprintf(f, "all: %s\n%s:\n\tgcc $(FLAGS) -c %s.c -o $@.o\n"
                       "\tclang $(FLAGS) -c %s.c -o $@.o\n", name, name, name, name);
        }
    fclose(f);
    bool made = run_make();
    size_t length = 1;
    free(file_read(SCRATCH "/make.log", &length));
    CU_ASSERT_TRUE(made);
    CU_ASSERT_EQUAL(length, 0);
    if (!made || length)
        show("make.log");

    f = create("nothing");
    emit_math(f, 8, "", 0, 0);
    emit_math(f, 1, "", 0, EVERYTHING);
    fclose(f);
    free(file_read(SCRATCH "/nothing", &length));
    CU_ASSERT_EQUAL(length, 0);
}

void add_math_suite(void)
{
    static CU_TestInfo tests[] = {
        {"within 2 units in the last place, and the same bits in each build", same_bits_anywhere},
        {"the same bits with AVX2 and FMA", same_bits_with_fma},
        {"the same bits with AVX-512", same_bits_with_avx512},
        {"the same bits on AArch64", same_bits_on_aarch64},
        {"the same bits on s390x", same_bits_on_s390x},
        {"the same bits in 32-bit code", same_bits_by_32_bits},
        {"the same bits by tcc", same_bits_by_tcc},
        {"the same bits by musl", same_bits_by_musl},
        {"each alone", alone},
        CU_TEST_INFO_NULL,
    };
    static const test_need fma = {has_fma, "a processor with AVX2 and FMA", NULL};
    static const test_need avx512 = {has_avx512, "a processor with AVX-512", NULL};
    static const test_need aarch64 = {has_aarch64, "qemu-aarch64 and a C compiler for AArch64",
                                      "qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"};
    static const test_need s390x = {has_s390x, "qemu-s390x and a C compiler for s390x",
                                    "qemu-user gcc-s390x-linux-gnu libc6-dev-s390x-cross"};
    static const test_need bits = {has_32_bits, "gcc -m32 and clang -m32", "gcc-multilib"};
    static const test_need tcc = {has_tcc, "tcc", "tcc"}, musl = {has_musl, "musl-gcc", "musl-tools"};
    add_suite("math", NULL, NULL, tests);
    add_need("math", "the same bits on s390x", &s390x);
    add_need("math", "the same bits in 32-bit code", &bits);
    add_need("math", "the same bits by tcc", &tcc);
    add_need("math", "the same bits by musl", &musl);
    add_need("math", "the same bits with AVX2 and FMA", &fma);
    add_need("math", "the same bits with AVX-512", &avx512);
    add_need("math", "the same bits on AArch64", &aarch64);
}
