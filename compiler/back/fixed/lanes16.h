/* lanes16.h: what is done with vectors of 16 floats, and is written otherwise for others: see vectors.h. */

// section FIRST
/* 0 in all lanes but the first k. */
#define FIRST(k, v) ((vec)((vec_mask)(v) & ((vec_mask){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < (k))))
// section ALL
#define ALL(x) __extension__({ const float x_ = (x); \
    (vec){x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_, x_}; })
// section LANES
#define LANES ((vec){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
// section EACH
/* An element of each of 16 samples. */
#define EACH(x, element) ((vec){ \
    x[0] element, x[1] element, x[2] element, x[3] element, x[4] element, x[5] element, x[6] element, x[7] element, \
    x[8] element, x[9] element, x[10] element, x[11] element, x[12] element, x[13] element, x[14] element, x[15] element})
// section sum
/* The sum of 16 floats. */
static inline float sum_lanes(const float *a)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    const four v = *(const four *)a + *(const four *)(a + 4) + *(const four *)(a + 8) + *(const four *)(a + 12);
    return (v[0] + v[1]) + (v[2] + v[3]);
}
// section greatest
/* The greatest of 16 floats. */
static inline float greatest_lanes(const float *a)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    typedef int four_mask __attribute__((vector_size(16)));
    four best = *(const four *)a, v;
    four_mask m;
    v = *(const four *)(a + 4);
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    v = *(const four *)(a + 8);
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    v = *(const four *)(a + 12);
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    v = (four){best[2], best[3], best[0], best[1]};
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    v = (four){best[1], best[0], best[3], best[2]};
    m = GREATER(v, best);
    best = (four)(((four_mask)v & m) | ((four_mask)best & ~m));
    return best[0];
}
// section root
#define root_v(x) ((vec){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3]), \
    sqrtf((x)[4]), sqrtf((x)[5]), sqrtf((x)[6]), sqrtf((x)[7]), \
    sqrtf((x)[8]), sqrtf((x)[9]), sqrtf((x)[10]), sqrtf((x)[11]), \
    sqrtf((x)[12]), sqrtf((x)[13]), sqrtf((x)[14]), sqrtf((x)[15])})

// end

// section times
/* Of vectors of 16: a product that is rounded, so that no compiler may fuse it with a sum, and what else the functions
 * below need for the same bits everywhere. */
#if defined(__AVX512F__)
#define times_v(a, b) __extension__({ vec product_ = (a) * (b); __asm__("" : "+v"(product_)); product_; })
#elif (defined(__x86_64__) || defined(__i386__)) && !defined(__FMA__) && !defined(__FMA4__)
#define times_v(a, b) ((a) * (b))
#else
#define times_v(a, b) \
    __extension__({ uint32_t zero_ = 0; __asm__("" : "+r"(zero_)); real_v(bits_v((a) * (b)) ^ zero_); })
#endif

// end
