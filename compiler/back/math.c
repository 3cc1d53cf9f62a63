/* math.c: prints exp, tanh, sigmoid, log, log1p, erf and sqrt into net.c, for floats and for vectors of
 * them.
 *
 * The C library has these for single numbers only, and rounds them differently from machine to machine.
 * Ours are polynomials without branches (but for sqrt, which the library rounds rightly everywhere),
 * within 2 units in the last place for every float, denormal results included; NaN gives NaN (some NaN).
 * Otherwise each gives the same bits wherever float arithmetic is IEEE's, with every compiler, alone or in
 * any lane:
 *
 * - There is one text for each, written for REAL (float or vec) and BITS (the unsigned integers of its
 *   size); @ is the kind's letter, f or v. Few words differ from kind to kind: the vocabulary below.
 * - Compilers like to fuse a product with the sum that it goes into, which then is rounded once instead of
 *   twice. So a product that goes into a sum is either exact, and fusing changes nothing (a whole number of
 *   few bits by a constant of few bits, anything by a power of two), or made by times_@, which no compiler
 *   looks through.
 * - A float is rounded to a whole number by adding 1.5 * 2^23, whose last place is 1; the low bits then
 *   hold it.
 *
 * The coefficients are those of the smallest greatest error, rounded to float one after the other. ln 2 is
 * the sum of 0x1.62e4p-1 and 0x1.7f7ep-20, each short enough for exact products with whole numbers below
 * 256. */
#include <string.h>

#include "back/back.h"

/* ---- What differs from kind to kind ----------------------------------------------------------
 *
 * times_@  a product that is rounded before anything else is done with it
 * bits_@   the bits of a REAL; real_@ is its inverse
 * each_@   a constant
 * pick_@   the second where the first, a comparison, holds, else the third
 * root_@   the square root */

static const char float_vocabulary[] =
    "/* A product that is rounded, whatever becomes of it: no compiler may fuse it with a sum. That way the "
    "functions\n"
    " * below give the same bits everywhere. */\n"
    "static inline float times_f(float a, float b)\n"
    "{\n"
    "#if defined(__GNUC__) && (defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__))\n"
    "    float product = a * b;\n"
    "    __asm__(\"\" : \"+x\"(product));\n"
    "#elif defined(__GNUC__) && defined(__aarch64__)\n"
    "    float product = a * b;\n"
    "    __asm__(\"\" : \"+w\"(product));\n"
    "#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))\n"
    "    float product = a * b;   /* here is nothing to fuse it with */\n"
    "#else\n"
    "    volatile float product = a * b;\n"
    "#endif\n"
    "    return product;\n"
    "}\n\n"
    "static inline uint32_t bits_f(float x)\n"
    "{\n"
    "    uint32_t bits;\n"
    "    memcpy(&bits, &x, sizeof bits);\n"
    "    return bits;\n"
    "}\n\n"
    "static inline float real_f(uint32_t bits)\n"
    "{\n"
    "    float x;\n"
    "    memcpy(&x, &bits, sizeof x);\n"
    "    return x;\n"
    "}\n\n"
    "#define each_f(x) (x)\n"
    "#define pick_f(where, a, b) ((where) ? (a) : (b))\n\n";

/* Prints text with words[0] for REAL, words[1] for BITS and words[2] for @. */
static void put_text(FILE *f, const char *text, const char *const words[3])
{
    static const char *const names[3] = {"REAL", "BITS", "@"};
    while (*text) {
        int i = 0;
        while (i < 3 && strncmp(text, names[i], strlen(names[i])))
            i++;
        if (i == 3)
            fputc(*text++, f);
        else {
            fputs(words[i], f);
            text += strlen(names[i]);
        }
    }
}

/* Where a vector fits a register, the compiler is told that the product may be changed there. Where it
 * does not, it cannot be told so, and the product is changed, by a number that happens to be 0. */
static void put_vec_vocabulary(FILE *f, int lanes, const char *const words[3])
{
    static const char in_register[] = "#define times_@(a, b) __extension__({ REAL product_ = (a) * (b); "
                                      "__asm__(\"\" : \"+%s\"(product_)); product_; })\n";
    fprintf(f,
            "/* Of vectors of %d: a product that is rounded, so that no compiler may fuse it with a sum, and "
            "what else the functions\n"
            " * below need for the same bits everywhere. */\n",
            lanes);
    if (lanes <= 8) {
        fprintf(f, "#if defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__)\n");
        put_text(f, format(in_register, "x"), words);
        fprintf(f, "#elif defined(__x86_64__) || defined(__i386__)\n");
    } else {
        fprintf(f, "#if defined(__AVX512F__)\n");
        put_text(f, format(in_register, "v"), words);
        fprintf(
            f,
            "#elif (defined(__x86_64__) || defined(__i386__)) && !defined(__FMA__) && !defined(__FMA4__)\n");
    }
    put_text(f, "#define times_@(a, b) ((a) * (b))\n", words);
    if (lanes <= 4) {
        fprintf(f, "#elif defined(__aarch64__)\n");
        put_text(f, format(in_register, "w"), words);
    }
    put_text(f,
             "#else\n"
             "#define times_@(a, b) \\\n"
             "    __extension__({ uint32_t zero_ = 0; __asm__(\"\" : \"+r\"(zero_)); real_@(bits_@((a) * "
             "(b)) ^ zero_); })\n"
             "#endif\n\n",
             words);
    fprintf(f, "typedef uint32_t %s __attribute__((vector_size(%d)));\n", words[1], 4 * lanes);
    put_text(
        f,
        "#define bits_@(x) ((BITS)(x))\n"
        "#define real_@(bits) ((REAL)(bits))\n"
        "#define each_@(x) ((REAL){0} + (x))\n"
        "#define pick_@(where, a, b) real_@((bits_@(where) & bits_@(a)) | (~bits_@(where) & bits_@(b)))\n\n",
        words);
}

static void put_vec_root(FILE *f, int lanes, const char *const words[3])
{
    put_text(f, "#define root_@(x) ((REAL){", words);
    for (int i = 0; i < lanes; i++)
        fprintf(f, "%ssqrtf((x)[%d])", !i ? "" : i % 4 ? ", " : ", \\\n    ", i);
    fprintf(f, "})\n\n");
}

/* ---- The functions ---------------------------------------------------------------------------
 *
 * A function is a comment and a body, which makes y of x. Compilers have things to say about vectors in
 * parameter lists that are wider than the machine's, so there the function works in place, and a macro
 * makes a value of it. */

typedef struct MathFunction {
    unsigned in;
    const char *name, *comment, *body;
} MathFunction;

/* x = n ln 2 + r with |r| < 0.347, and exp(r) = 1 + v. `whole` is 1.5 * 2^23 + what is to be added to n. */
#define REDUCE(whole) \
    "    REAL t = times_@(x, 1.44269504f) + " whole ", n = t - " whole ";\n" \
    "    REAL r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;\n" \
    "    REAL low = times_@(r, 0.166665152f) + 0.5f, high = times_@(r, 0.00836940762f) + 0.041667819f;\n" \
    "    REAL v = r + times_@(r2, low + times_@(r2, high + times_@(r2, 0.00138032075f)));\n"

/* y = log(2^n (1 + f)), where 1 + f lies between sqrt(1/2) and sqrt(2). With s = f / (2 + f),
 *     log(1 + f) = 2 s + s R = f - (f^2/2 - s (f^2/2 + R)), R = 2/3 s^2 + 2/5 s^4 + ... */
#define LOG_OF_PARTS \
    "    REAL s = f / (f + 2.0f), s2 = s * s, half = times_@(0.5f * f, f);\n" \
    "    REAL R = times_@(s2, times_@(s2, times_@(s2, 0.298710734f) + 0.399775773f) + 0.666667759f);\n" \
    "    REAL y = n * 0x1.62e4p-1f + (f - (half - (times_@(s, half + R) + n * 0x1.7f7ep-20f)));\n"

static const MathFunction functions[] = {
    /* 2^n may lie outside of the floats when the result does not, so it is multiplied in halves: 2^a 2^b. */
    {MATH_EXP, "exp", "x = n ln 2 + r, exp(x) = 2^n (1 + v), |x| no larger than is needed for 0 and inf",
     "    x = pick_@(x > 89.0f, each_@(89.0f), x);\n"
     "    x = pick_@(x < -104.0f, each_@(-104.0f), x);\n" REDUCE(
         "12583166.0f") "    BITS sum = bits_@(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */\n"
                        "    REAL y = times_@((1.0f + v) * real_@(b << 23), real_@(a << 23));\n"},

    /* The sum of three is rounded once: `lost` is what the first two lose where one of them is much
     * smaller. */
    {MATH_SIGMOID, "sigmoid",
     "1 / (1 + exp(-x)) = 2^-a / (2^-a + 2^b + 2^b v), where exp(-x) = 2^(a + b) (1 + v)",
     "    x = pick_@(x > 104.0f, each_@(104.0f), x);\n"
     "    x = -pick_@(x < -104.0f, each_@(-104.0f), x);\n" REDUCE(
         "12583166.0f") "    BITS sum = bits_@(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */\n"
                        "    REAL one = real_@((254u - a) << 23), power = real_@(b << 23);\n"
                        "    REAL both = one + power, lost = one - (both - power);\n"
                        "    REAL y = one / (both + (lost + power * v));\n"},

    {MATH_TANH, "tanh", "below 0.55 an odd polynomial, above 1 - 2 / (1 + exp(2 |x|))",
     "    BITS sign = bits_@(x) & 0x80000000u;\n"
     "    REAL size = real_@(bits_@(x) ^ sign);\n"
     "    size = pick_@(size > 10.0f, each_@(10.0f), size);\n"
     "    REAL z = size * size;\n"
     "    REAL first = times_@(z, 0.133207247f) - 0.333329469f, second = times_@(z, 0.0164367948f) - "
     "0.0526715554f;\n"
     "    REAL below = size + times_@(size * z, first + times_@(z * z, second));\n"
     "    x = 2.0f * size;\n" REDUCE(
         "12583039.0f") "    REAL power = real_@(bits_@(t) << 23), above = 1.0f - 2.0f / (1.0f + power * "
                        "(1.0f + v));\n"
                        "    REAL y = real_@(bits_@(pick_@(size < 0.55f, below, above)) | sign);\n"},

    {MATH_ERF, "erf", "below 0.9 an odd polynomial, above 1 - exp(-q), q a polynomial in |x|",
     "    BITS sign = bits_@(x) & 0x80000000u;\n"
     "    REAL size = real_@(bits_@(x) ^ sign);\n"
     "    size = pick_@(size > 4.0f, each_@(4.0f), size);\n"
     "    REAL z = size * size, z2 = z * z;\n"
     "    REAL first = 0.128379151f - times_@(z, 0.376125067f), second = 0.112819612f - times_@(z, "
     "0.0267720968f);\n"
     "    REAL third = 0.0050014965f - times_@(z, 0.000603450695f);\n"
     "    REAL below = size + times_@(size, first + times_@(z2, second + times_@(z2, third)));\n"
     "    first = 0.000165186371f + times_@(size, 1.12780249f), second = 0.63696718f + times_@(size, "
     "0.104121551f);\n"
     "    third = times_@(size, 0.00306646293f) - 0.0223190431f - times_@(z, 0.000198320528f);\n"
     "    x = -(first + times_@(z, second + times_@(z, third)));\n" REDUCE(
         "12583039.0f") "    REAL power = real_@(bits_@(t) << 23), above = 1.0f - power * (1.0f + v);\n"
                        "    REAL y = real_@(bits_@(pick_@(size < 0.9f, below, above)) | sign);\n"},

    {MATH_SQRT, "sqrt", "the C library's", "    REAL y = root_@(x);\n"},

    /* 0x3f3504f3 is sqrt(1/2). 0x4b000000 is 2^23, whose low bits n + 127 becomes. */
    {MATH_LOG, "log", "x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2)",
     "    REAL shift = pick_@(x < 0x1p-126f, each_@(25.0f), each_@(0.0f));\n"
     "    BITS above = bits_@(pick_@(x < 0x1p-126f, x * 0x1p25f, x)) + (0x3f800000u - 0x3f3504f3u);\n"
     "    REAL n = real_@((above >> 23) | 0x4b000000u) - 8388735.0f - shift;\n"
     "    REAL f = real_@((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;\n" LOG_OF_PARTS
     "    y = pick_@(x > 0.0f, y, pick_@(x < 0.0f, each_@(NAN), each_@(-INFINITY)));\n"
     "    y = pick_@(x < INFINITY, y, x);\n"},

    /* What the sum lost, f has: it is (2^-n - 1) + 2^-n x, made with 2^(2-n), a float for n = 128 too. */
    {MATH_LOG1P, "log1p", "1 + x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2)",
     "    REAL sum = 1.0f + x;\n"
     "    BITS above = (bits_@(sum) + (0x3f800000u - 0x3f3504f3u)) >> 23;\n"
     "    REAL n = real_@(above | 0x4b000000u) - 8388735.0f, scale = real_@((256u - above) << 23);\n"
     "    REAL f = (0.25f * scale - 1.0f) + scale * (0.25f * x);\n" LOG_OF_PARTS
     "    y = pick_@(sum > 0.0f, y, pick_@(sum < 0.0f, each_@(NAN), each_@(-INFINITY)));\n"
     "    y = pick_@(real_@(bits_@(x) & 0x7fffffffu) < 0x1p-24f, x, y);\n"
     "    y = pick_@(x < INFINITY, y, x);\n"},
};

/* ---- Printing -------------------------------------------------------------------------------- */

static void put_float_function(FILE *f, const MathFunction *function)
{
    fprintf(f, "/* %s */\nstatic inline float %s_f(float x)\n{\n", function->comment, function->name);
    put_text(f, function->body, (const char *const[]){"float", "uint32_t", "f"});
    fprintf(f, "    return y;\n}\n\n");
}

static void put_vec_function(FILE *f, const MathFunction *function, const char *kind,
                             const char *const words[3])
{
    const char *name = function->name;
    fprintf(f, "/* %s */\nstatic inline void %s_in_place%s(%s *at)\n{\n    %s x = *at;\n", function->comment,
            name, kind, words[0], words[0]);
    put_text(f, function->body, words);
    fprintf(
        f,
        "    *at = y;\n}\n\n#define %s_%s(x) __extension__({ %s at_ = (x); %s_in_place%s(&at_); at_; })\n\n",
        name, words[2], words[0], name, kind);
}

void emit_math(FILE *f, int lanes, const char *kind, unsigned scalar_set, unsigned vector_set)
{
    const char *const words[3] = {format("vec%s", kind), format("vec_bits%s", kind), format("v%s", kind)};
    size_t count = sizeof functions / sizeof *functions;
    if (scalar_set
        & ~(unsigned)MATH_SQRT) /* sqrt needs none of it, and a compiler may mention what isn't needed */
        fputs(float_vocabulary, f);
    if (scalar_set & MATH_SQRT)
        fprintf(f, "#define root_f(x) sqrtf(x)\n\n");
    for (size_t i = 0; i < count; i++)
        if (functions[i].in & scalar_set)
            put_float_function(f, &functions[i]);
    if (lanes == 1 || !vector_set)
        return;
    if (vector_set & ~(unsigned)MATH_SQRT)
        put_vec_vocabulary(f, lanes, words);
    if (vector_set & MATH_SQRT)
        put_vec_root(f, lanes, words);
    for (size_t i = 0; i < count; i++)
        if (functions[i].in & vector_set)
            put_vec_function(f, &functions[i], kind, words);
}
