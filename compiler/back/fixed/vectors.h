/* vectors.h: vectors of VEC_LANES floats (4, 8 or 16) in net.c, and what is done with them. Macros, since a function that
 * takes or returns a vector wider than the machine's makes C compilers talk. It stands behind prelude.h.
 *
 * What depends on the lanes in more than their number stands in lanes4.h, lanes8.h and lanes16.h. There, in times_v, a C
 * compiler is told that the product may be changed in its register; where a vector fits none it cannot be told so, and the
 * product is changed, by a number that happens to be 0. */
#ifndef VEC_LANES
#define VEC_LANES 8
#endif
#define VEC_BYTES (4 * VEC_LANES)
#include <stdint.h>
#include <string.h>

// section vectors
/* VEC_LANES floats that are worked on together; in memory they may lie at any address. */
typedef float vec __attribute__((vector_size(VEC_BYTES)));
typedef float vec_memory __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));
// section masks
typedef int vec_mask __attribute__((vector_size(VEC_BYTES)));
// section load and store
#define LOAD(a) (*(const vec_memory *)&(a))
#define STORE(a, v) (*(vec_memory *)&(a) = (v))
// section the first k
/* The first k floats of a vector, at the end of a row that is no whole number of vectors. */
// section LOAD_FIRST
#define LOAD_FIRST(k, a) __extension__({ vec v_ = {0}; memcpy(&v_, &(a), (k) * sizeof(float)); v_; })
// section STORE_FIRST
#define STORE_FIRST(k, a, v) __extension__({ const vec v_ = (v); memcpy(&(a), &v_, (k) * sizeof(float)); })
// section SELECT
/* In each lane a where the test holds, else b. */
#define SELECT(test, a, b) __extension__({ \
    const vec_mask m_ = (vec_mask)(test); \
    (vec)(((vec_mask)(a) & m_) | ((vec_mask)(b) & ~m_)); })
// section ABS
#define ABS(v) ((vec)((vec_mask)(v) & 0x7fffffff))
// section end of vectors

// section SUM
#define SUM(v) __extension__({ const vec v_ = (v); sum_lanes((const float *)&v_); })

// section GREATEST
#define GREATEST(v) __extension__({ const vec v_ = (v); greatest_lanes((const float *)&v_); })

// section bits of vectors
typedef uint32_t vec_bits __attribute__((vector_size(VEC_BYTES)));
#define bits_v(x) ((vec_bits)(x))
#define real_v(bits) ((vec)(bits))
#define each_v(x) ((vec){0} + (x))
#define pick_v(where, a, b) real_v((bits_v(where) & bits_v(a)) | (~bits_v(where) & bits_v(b)))

// section function begins
static inline void NAME_in_place(vec *at)
{
    vec x = *at;
// end
    vec y = x;
// section function ends
    *at = y;
}

#define NAME_v(x) __extension__({ vec at_ = (x); NAME_in_place(&at_); at_; })

// end
#if VEC_LANES == 4
#include "lanes4.h"
#elif VEC_LANES == 8
#include "lanes8.h"
#else
#include "lanes16.h"
#endif
