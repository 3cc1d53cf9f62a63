/* lanes4.h: what is done with vectors of 4 floats, and is written otherwise for others: see vectors.h. */

// section FIRST
/* 0 in all lanes but the first k. */
#define FIRST(k, v) ((vec)((vec_mask)(v) & ((vec_mask){0, 1, 2, 3} < (k))))
// section ALL
#define ALL(x) __extension__({ const float x_ = (x); (vec){x_, x_, x_, x_}; })
// section LANES
#define LANES ((vec){0, 1, 2, 3})
// section EACH
/* An element of each of 4 samples. */
#define EACH(x, element) ((vec){ \
    x[0] element, x[1] element, x[2] element, x[3] element})
// section sum
/* The sum of 4 floats. */
static inline float sum_lanes(const float *a)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    const four v = *(const four *)a;
    return (v[0] + v[1]) + (v[2] + v[3]);
}
// section greatest
/* The greatest of 4 floats. */
static inline float greatest_lanes(const float *a)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    typedef int four_mask __attribute__((vector_size(16)));
    four best = *(const four *)a, v;
    four_mask m;
    v = (four){best[2], best[3], best[0], best[1]};
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    v = (four){best[1], best[0], best[3], best[2]};
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    return best[0];
}
// section root
#define root_v(x) ((vec){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3])})

// end

// section times
/* Of vectors of 4: a product that is rounded, so that no compiler may fuse it with a sum, and what else the functions
 * below need for the same bits everywhere. */
#if defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__)
#define times_v(a, b) __extension__({ vec product_ = (a) * (b); __asm__("" : "+x"(product_)); product_; })
#elif defined(__x86_64__) || defined(__i386__)
#define times_v(a, b) ((a) * (b))
#elif defined(__aarch64__)
#define times_v(a, b) __extension__({ vec product_ = (a) * (b); __asm__("" : "+w"(product_)); product_; })
#else
#define times_v(a, b) \
    __extension__({ uint32_t zero_ = 0; __asm__("" : "+r"(zero_)); real_v(bits_v((a) * (b)) ^ zero_); })
#endif

// end
