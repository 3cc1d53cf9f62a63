/* prelude.c: what the functions of net.c call by name: vectors, selections, exp and its kin. */
#include <string.h>

#include "back/back.h"

/* What stands behind the names of what a pass's vectors are: their size, where the plan has another. */
const char *kind_of(const Plan *plan, const Pass *pass)
{
    return pass->target && pass->target->lanes != plan->target->lanes ? format("%d", pass->target->lanes)
                                                                      : "";
}

/* Code for vectors that the C compiler is not told of is right, but slow: it then says which flag it
 * misses. It says so in a message, which -Werror doesn't make an error. Vectors of 4 need no flags on x86. */
static void put_advice(FILE *f, const Target *target)
{
    const bool wide = target->lanes > 8;
    const char *flags = strchr(target->machine->cflags, ' ');
    fprintf(f, "/* Where the C compiler may not use the vectors that this file is shaped for, it says so. "
               "NN_ANY_PROCESSOR silences it. */\n"
               "#if !defined(__OPTIMIZE__) || defined(NN_ANY_PROCESSOR)\n");
    if (target->lanes > 4)
        fprintf(f,
                "#elif (defined(__x86_64__) || defined(__i386__)) && %s\n"
                "#pragma message(\"nnc: this file is many times slower without %s: compile with%s, or use "
                "nnc --target=scalar\")\n",
                wide ? "!defined(__AVX512F__)" : "!(defined(__AVX2__) && defined(__FMA__))",
                wide ? "AVX-512" : "AVX2 and FMA", flags ? flags : " -march=native");
    fprintf(f, "#elif defined(__arm__) && !defined(__ARM_NEON)\n"
               "#pragma message(\"nnc: this file is many times slower without NEON: compile with -mfpu=neon, "
               "or use nnc --target=scalar\")\n"
               "#endif\n\n");
}

static void put_lanes(FILE *f, int lanes, const char *text)
{
    for (int i = 0; i < lanes; i++)
        fprintf(f, "%s%s", i ? ", " : "", text ? text : format("%d", i));
}

static void put_of_lanes(FILE *f, const char *kind, const char *macro, const char *function)
{
    fprintf(f, "#define %s%s(v) __extension__({ const vec%s v_ = (v); %s%s((const float *)&v_); })\n\n",
            macro, kind, kind, function, *kind ? kind : "_lanes");
}

/* Macros, since a function that takes or returns a vector wider than the machine's makes C compilers talk. */
static void put_vectors(FILE *f, int lanes, const char *kind, const Uses *uses)
{
    fprintf(f, "/* %d floats that are worked on together; in memory they may lie at any address. */\n",
            lanes);
    fprintf(f, "typedef float vec%s __attribute__((vector_size(%d)));\n", kind, 4 * lanes);
    fprintf(f, "typedef float vec_memory%s __attribute__((vector_size(%d), aligned(4), may_alias));\n", kind,
            4 * lanes);
    if (uses->select || uses->absolute || uses->first)
        fprintf(f, "typedef int vec_mask%s __attribute__((vector_size(%d)));\n", kind, 4 * lanes);
    fprintf(f,
            "#define LOAD%s(a) (*(const vec_memory%s *)&(a))\n#define STORE%s(a, v) (*(vec_memory%s *)&(a) = "
            "(v))\n",
            kind, kind, kind, kind);
    if (uses->load_first || uses->store_first)
        fprintf(f, "/* The first k floats of a vector, at the end of a row that is no whole number of "
                   "vectors. */\n");
    if (uses->load_first)
        fprintf(f,
                "#define LOAD_FIRST%s(k, a) __extension__({ vec%s v_ = {0}; memcpy(&v_, &(a), (k) * "
                "sizeof(float)); v_; })\n",
                kind, kind);
    if (uses->store_first)
        fprintf(f,
                "#define STORE_FIRST%s(k, a, v) __extension__({ const vec%s v_ = (v); memcpy(&(a), &v_, (k) "
                "* sizeof(float)); })\n",
                kind, kind);
    if (uses->first) {
        fprintf(f,
                "/* 0 in all lanes but the first k. */\n#define FIRST%s(k, v) ((vec%s)((vec_mask%s)(v) & "
                "((vec_mask%s){",
                kind, kind, kind, kind);
        put_lanes(f, lanes, NULL);
        fprintf(f, "} < (k))))\n");
    }
    if (uses->all) {
        fprintf(f, "#define ALL%s(x) __extension__({ const float x_ = (x); %s(vec%s){", kind,
                lanes > 8 ? "\\\n    " : "", kind);
        put_lanes(f, lanes, "x_");
        fprintf(f, "}; })\n");
    }
    if (uses->select)
        fprintf(f,
                "/* In each lane a where the test holds, else b. */\n#define SELECT%s(test, a, b) "
                "__extension__({ \\\n"
                "    const vec_mask%s m_ = (vec_mask%s)(test); \\\n    (vec%s)(((vec_mask%s)(a) & m_) | "
                "((vec_mask%s)(b) & ~m_)); })\n",
                kind, kind, kind, kind, kind, kind);
    if (uses->absolute)
        fprintf(f, "#define ABS%s(v) ((vec%s)((vec_mask%s)(v) & 0x7fffffff))\n", kind, kind, kind);
    if (uses->lanes) {
        fprintf(f, "#define LANES%s ((vec%s){", kind, kind);
        put_lanes(f, lanes, NULL);
        fprintf(f, "})\n");
    }
    if (uses->each) {
        fprintf(f, "/* An element of each of %d samples. */\n#define EACH%s(x, element) ((vec%s){", lanes,
                kind, kind);
        for (int i = 0; i < lanes; i++)
            fprintf(f, "%sx[%d] element", !i ? " \\\n    " : i % 8 ? ", " : ", \\\n    ", i);
        fprintf(f, "})\n");
    }
    fprintf(f, "\n");
}

/* Functions over the lanes of a vector, which lies in memory. */
static void put_over_lanes(FILE *f, int lanes, const char *kind, const Uses *uses)
{
    if (uses->sum) {
        fprintf(f, "/* The sum of %d floats. */\nstatic inline float sum%s(const float *a)\n{\n", lanes,
                *kind ? kind : "_lanes");
        fprintf(f, "    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));\n    "
                   "const four v = ");
        for (int i = 0; i < lanes; i += 4)
            fprintf(f, "%s*(const four *)%s", i ? " + " : "", i ? format("(a + %d)", i) : "a");
        fprintf(f, ";\n    return (v[0] + v[1]) + (v[2] + v[3]);\n}\n");
        put_of_lanes(f, kind, "SUM", "sum");
    }
    if (uses->greatest) {
        fprintf(f, "/* The greatest of %d floats. */\nstatic inline float greatest%s(const float *a)\n{\n",
                lanes, *kind ? kind : "_lanes");
        fprintf(f, "    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));\n"
                   "    typedef int four_mask __attribute__((vector_size(16)));\n    four best = *(const "
                   "four *)a, v;\n    four_mask m;\n");
        for (int i = 4; i < lanes + 8; i += 4) {
            if (i < lanes)
                fprintf(f, "    v = *(const four *)(a + %d);\n", i);
            else
                fprintf(f, "    v = (four){best[%s]};\n",
                        i == lanes ? "2], best[3], best[0], best[1" : "1], best[0], best[3], best[2");
            fprintf(f, "    m = GREATER(v, best);\n    best = (four)(((four_mask)v & m) | ((four_mask)best & "
                       "~m));\n");
        }
        fprintf(f, "    return best[0];\n}\n");
        put_of_lanes(f, kind, "GREATEST", "greatest");
    }
}

/* uses[0]: of the plan's vectors, and of numbers; uses[1]: of training's, where they are others. calls:
 * some function may not be inlined. */
void put_prelude(FILE *f, const Plan *plan, const char *header_name, const Uses uses[2], bool calls)
{
    fprintf(f,
            "#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here "
            "*/\n#include \"nn.h\"\n"
            "#include \"%s\"\n\n#include <math.h>\n#include <string.h>\n\n",
            header_name);
    if (uses[0].vectors || uses[1].vectors)
        put_advice(f, plan->target);
    if (calls)
        fprintf(f, "/* -fsanitize=undefined would test each of the many sums below for an overflow of its "
                   "address, and a C compiler\n"
                   " * would take hours. So it leaves layers out, unless NN_SANITIZE is defined; other "
                   "sanitizers look at them. */\n"
                   "#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 8) && !defined(NN_SANITIZE)\n"
                   "#define NO_UBSAN __attribute__((no_sanitize(\"undefined\")))\n#else\n#define "
                   "NO_UBSAN\n#endif\n\n"
                   "/* Layers stay functions of their own: gcc 12 -O2 confuses what restrict says of several "
                   "that it inlines into one\n"
                   " * block, and computes wrong numbers. Also, it digests short functions more quickly. The "
                   "briefest ones, where a\n"
                   " * call would count, may be inlined, and so do without restrict. */\n"
                   "#if defined(__GNUC__)\n#define NOINLINE __attribute__((noinline)) "
                   "NO_UBSAN\n#else\n#define NOINLINE\n#endif\n\n");
    if (uses[0].greater || uses[1].greater)
        fprintf(f, "/* A maximum of numbers one of which is NaN is NaN. */\n#define GREATER(v, best) (((v) > "
                   "(best)) | ((v) != (v)))\n\n");
    if (uses[0].vectors) {
        put_vectors(f, plan->target->lanes, "", &uses[0]);
        put_over_lanes(f, plan->target->lanes, "", &uses[0]);
    }
    emit_math(f, plan->target->lanes, "", uses[0].scalar_math | uses[1].scalar_math, uses[0].vector_math);
    if (uses[1].vectors) {
        const char *kind = kind_of(plan, &plan->training);
        put_vectors(f, plan->training.target->lanes, kind, &uses[1]);
        put_over_lanes(f, plan->training.target->lanes, kind, &uses[1]);
        emit_math(f, plan->training.target->lanes, kind, 0, uses[1].vector_math);
    }
}
