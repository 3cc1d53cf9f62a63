/* prelude.h: how net.c begins, and macros that its functions are declared with. NET_HEADER is its header. */
#ifndef NET_HEADER
#define NET_HEADER "net.h"
#endif

// section includes
#define NN_COMPUTES   /* nn.h: sees to it that sums are made as they are written here */
#include "nn.h"
// section include of the header
#include NET_HEADER
// section includes of C

#include <math.h>
#include <string.h>

// section static
/* One file, for #include, of which a program may use only some functions. */
#if defined(__GNUC__)
#define NN_STATIC static __attribute__((unused))
#else
#define NN_STATIC static
#endif

// section advice
/* Where the C compiler may not use the vectors that this file is shaped for, it says so. NN_ANY_PROCESSOR silences it. */
#if !defined(__OPTIMIZE__) || defined(NN_ANY_PROCESSOR)
// section advice for 8 lanes
#elif (defined(__x86_64__) || defined(__i386__)) && !(defined(__AVX2__) && defined(__FMA__))
#pragma message("nnc: this file is many times slower without AVX2 and FMA: compile with FLAGS, or use nnc --target=scalar")
// section advice for 16 lanes
#elif (defined(__x86_64__) || defined(__i386__)) && !defined(__AVX512F__)
#pragma message("nnc: this file is many times slower without AVX-512: compile with FLAGS, or use nnc --target=scalar")
// section advice for Arm
#elif defined(__arm__) && !defined(__ARM_NEON)
#pragma message("nnc: this file is many times slower without NEON: compile with -mfpu=neon, or use nnc --target=scalar")
#endif

// section functions of their own
/* -fsanitize=undefined would test each of the many sums below for an overflow of its address, and a C compiler
 * would take hours. So it leaves layers out, unless NN_SANITIZE is defined; other sanitizers look at them. */
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 8) && !defined(NN_SANITIZE)
#define NO_UBSAN __attribute__((no_sanitize("undefined")))
#else
#define NO_UBSAN
#endif

/* Layers stay functions of their own: gcc 12 -O2 confuses what restrict says of several that it inlines into one
 * block, and computes wrong numbers. Also, it digests short functions more quickly. The briefest ones, where a
 * call would count, may be inlined, and so do without restrict. */
#if defined(__GNUC__)
#define NOINLINE __attribute__((noinline)) NO_UBSAN
#else
#define NOINLINE
#endif

// section unrolled
/* The few rounds of such a loop are to be written out: what it keeps in an array is in registers then. */
#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__)
#define UNROLLED _Pragma("GCC unroll 16")
#else
#define UNROLLED
#endif

// section greater
/* A maximum of numbers one of which is NaN is NaN. */
#define GREATER(v, best) (((v) > (best)) | ((v) != (v)))

// end
