/* arithmetic.h: what the files that compute over arrays have in common. Not installed.
 *
 * WIDTHS before a function: it is compiled for several widths of vectors where the system can choose among
 * them when the program is loaded. The Makefile lets no compiler fuse a multiplication with an addition, so
 * each gives the same bits. */
#ifndef NN_ARITHMETIC_H
#define NN_ARITHMETIC_H

#include <math.h>
#include <stdint.h>

/* What chooses is called before these sanitizers are ready for calls. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WATCHED 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define WATCHED 1
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

#ifndef WIDTHS
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__) \
    && (!defined(__clang__) || __clang_major__ >= 14) && !WATCHED
#define WIDTHS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDTHS
#endif
#endif

/* The decimal of seven places that a decay constant was written as. 0.999f is 0.99900001, so that 1 -
 * 0.999f is off by 1.3e-5 of itself from the 0.001 that PyTorch, whose constants are doubles, computes
 * with. */
static inline double decimal(float decay)
{
    return floor(decay * 1e7 + 0.5) / 1e7;
}

/* x to the power k by repeated squaring; pow would weigh several KB on a microcontroller. */
static inline double power(double x, uint64_t k)
{
    double result = 1;

    for (; k > 0; k >>= 1, x *= x)
        if (k & 1)
            result *= x;
    return result;
}

#endif
