/* elementary.h: exp, tanh, sigmoid, log, log1p, erf and sqrt, for floats and for vectors of them.
 *
 * The C library has these for single numbers only, and rounds them differently from machine to machine. Ours are polynomials
 * without branches (but for sqrt, which the library rounds rightly everywhere), within 2 units in the last place for every
 * float, denormal results included; NaN gives NaN (some NaN). Otherwise each gives the same bits wherever float arithmetic is
 * IEEE's, with every compiler, alone or in any lane:
 *
 * - There is one text for each, written for REAL (float or vec) and BITS (the unsigned integers of its size); names that
 *   end in _R end in _f for floats and in _v for vectors. Few words differ from kind to kind: the vocabulary.
 * - Compilers like to fuse a product with the sum that it goes into, which then is rounded once instead of twice. So a product
 *   that goes into a sum is either exact, and fusing changes nothing (a whole number of few bits by a constant of few bits,
 *   anything by a power of two), or made by times_R, which no compiler looks through.
 * - A float is rounded to a whole number by adding 1.5 * 2^23, whose last place is 1; the low bits then hold it.
 *
 * The vocabulary (of floats here, of vectors in vectors.h and lanes4.h, lanes8.h, lanes16.h):
 *
 *     times_R  a product that is rounded before anything else is done with it
 *     bits_R   the bits of a REAL; real_R is its inverse
 *     each_R   a constant
 *     pick_R   the second where the first, a comparison, holds, else the third
 *     root_R   the square root
 *
 * The coefficients are those of the smallest greatest error, rounded to float one after the other. ln 2 is the sum of
 * 0x1.62e4p-1 and 0x1.7f7ep-20, each short enough for exact products with whole numbers below 256.
 *
 * Included as it stands it defines the functions for floats; with OF_VECTORS, behind vectors.h, for vectors. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef OF_VECTORS
// section float vocabulary
/* A product that is rounded, whatever becomes of it: no compiler may fuse it with a sum. That way the functions
 * below give the same bits everywhere. */
static inline float times_f(float a, float b)
{
#if defined(__GNUC__) && (defined(__FMA__) || defined(__FMA4__) || defined(__AVX512F__))
    float product = a * b;
    __asm__("" : "+x"(product));
#elif defined(__GNUC__) && defined(__aarch64__)
    float product = a * b;
    __asm__("" : "+w"(product));
#elif defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    float product = a * b;   /* here is nothing to fuse it with */
#else
    volatile float product = a * b;
#endif
    return product;
}

static inline uint32_t bits_f(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float real_f(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define each_f(x) (x)
#define pick_f(where, a, b) ((where) ? (a) : (b))

// section float root
#define root_f(x) sqrtf(x)

// end
#define REAL float
#define BITS uint32_t
#define OF_KIND(name) name##_f
#else
#define REAL vec
#define BITS vec_bits
#define OF_KIND(name) name##_v
#endif

#define times_R OF_KIND(times)
#define bits_R OF_KIND(bits)
#define real_R OF_KIND(real)
#define each_R OF_KIND(each)
#define pick_R OF_KIND(pick)
#define root_R OF_KIND(root)
#define exp_R OF_KIND(exp)
#define sigmoid_R OF_KIND(sigmoid)
#define tanh_R OF_KIND(tanh)
#define erf_R OF_KIND(erf)
#define sqrt_R OF_KIND(sqrt)
#define log_R OF_KIND(log)
#define log1p_R OF_KIND(log1p)

/* x = n ln 2 + r with |r| < 0.347, and exp(r) = 1 + v: t, n, r, r2, low, high and v are made in the same way wherever exp
 * is needed, but that the large number has in it what is to be added to n.
 *
 * y = log(2^n (1 + f)), where 1 + f lies between sqrt(1/2) and sqrt(2), is made alike by log and log1p. With s = f / (2 + f),
 *     log(1 + f) = 2 s + s R = f - (f^2/2 - s (f^2/2 + R)), R = 2/3 s^2 + 2/5 s^4 + ... */

/* 2^n may lie outside of the floats when the result does not, so it is multiplied in halves: 2^a 2^b. */
// section exp
/* x = n ln 2 + r, exp(x) = 2^n (1 + v), |x| no larger than is needed for 0 and inf */
static inline REAL exp_R(REAL x)
{
    x = pick_R(x > 89.0f, each_R(89.0f), x);
    x = pick_R(x < -104.0f, each_R(-104.0f), x);
    REAL t = times_R(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    REAL r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    REAL low = times_R(r, 0.166665152f) + 0.5f, high = times_R(r, 0.00836940762f) + 0.041667819f;
    REAL v = r + times_R(r2, low + times_R(r2, high + times_R(r2, 0.00138032075f)));
    BITS sum = bits_R(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    REAL y = times_R((1.0f + v) * real_R(b << 23), real_R(a << 23));
    return y;
}

// end
/* The sum of three is rounded once: `lost` is what the first two lose where one of them is much smaller. */
// section sigmoid
/* 1 / (1 + exp(-x)) = 2^-a / (2^-a + 2^b + 2^b v), where exp(-x) = 2^(a + b) (1 + v) */
static inline REAL sigmoid_R(REAL x)
{
    x = pick_R(x > 104.0f, each_R(104.0f), x);
    x = -pick_R(x < -104.0f, each_R(-104.0f), x);
    REAL t = times_R(x, 1.44269504f) + 12583166.0f, n = t - 12583166.0f;
    REAL r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    REAL low = times_R(r, 0.166665152f) + 0.5f, high = times_R(r, 0.00836940762f) + 0.041667819f;
    REAL v = r + times_R(r2, low + times_R(r2, high + times_R(r2, 0.00138032075f)));
    BITS sum = bits_R(t), b = sum >> 1, a = sum - b;   /* a + b = 254 + n */
    REAL one = real_R((254u - a) << 23), power = real_R(b << 23);
    REAL both = one + power, lost = one - (both - power);
    REAL y = one / (both + (lost + power * v));
    return y;
}

// end
// section tanh
/* below 0.55 an odd polynomial, above 1 - 2 / (1 + exp(2 |x|)) */
static inline REAL tanh_R(REAL x)
{
    BITS sign = bits_R(x) & 0x80000000u;
    REAL size = real_R(bits_R(x) ^ sign);
    size = pick_R(size > 10.0f, each_R(10.0f), size);
    REAL z = size * size;
    REAL first = times_R(z, 0.133207247f) - 0.333329469f, second = times_R(z, 0.0164367948f) - 0.0526715554f;
    REAL below = size + times_R(size * z, first + times_R(z * z, second));
    x = 2.0f * size;
    REAL t = times_R(x, 1.44269504f) + 12583039.0f, n = t - 12583039.0f;
    REAL r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    REAL low = times_R(r, 0.166665152f) + 0.5f, high = times_R(r, 0.00836940762f) + 0.041667819f;
    REAL v = r + times_R(r2, low + times_R(r2, high + times_R(r2, 0.00138032075f)));
    REAL power = real_R(bits_R(t) << 23), above = 1.0f - 2.0f / (1.0f + power * (1.0f + v));
    REAL y = real_R(bits_R(pick_R(size < 0.55f, below, above)) | sign);
    return y;
}

// end
// section erf
/* below 0.9 an odd polynomial, above 1 - exp(-q), q a polynomial in |x| */
static inline REAL erf_R(REAL x)
{
    BITS sign = bits_R(x) & 0x80000000u;
    REAL size = real_R(bits_R(x) ^ sign);
    size = pick_R(size > 4.0f, each_R(4.0f), size);
    REAL z = size * size, z2 = z * z;
    REAL first = 0.128379151f - times_R(z, 0.376125067f), second = 0.112819612f - times_R(z, 0.0267720968f);
    REAL third = 0.0050014965f - times_R(z, 0.000603450695f);
    REAL below = size + times_R(size, first + times_R(z2, second + times_R(z2, third)));
    first = 0.000165186371f + times_R(size, 1.12780249f), second = 0.63696718f + times_R(size, 0.104121551f);
    third = times_R(size, 0.00306646293f) - 0.0223190431f - times_R(z, 0.000198320528f);
    x = -(first + times_R(z, second + times_R(z, third)));
    REAL t = times_R(x, 1.44269504f) + 12583039.0f, n = t - 12583039.0f;
    REAL r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7ep-20f, r2 = r * r;
    REAL low = times_R(r, 0.166665152f) + 0.5f, high = times_R(r, 0.00836940762f) + 0.041667819f;
    REAL v = r + times_R(r2, low + times_R(r2, high + times_R(r2, 0.00138032075f)));
    REAL power = real_R(bits_R(t) << 23), above = 1.0f - power * (1.0f + v);
    REAL y = real_R(bits_R(pick_R(size < 0.9f, below, above)) | sign);
    return y;
}

// end
// section sqrt
/* the C library's */
static inline REAL sqrt_R(REAL x)
{
    REAL y = root_R(x);
    return y;
}

// end
/* 0x3f3504f3 is sqrt(1/2). 0x4b000000 is 2^23, whose low bits n + 127 becomes. */
// section log
/* x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2) */
static inline REAL log_R(REAL x)
{
    REAL shift = pick_R(x < 0x1p-126f, each_R(25.0f), each_R(0.0f));
    BITS above = bits_R(pick_R(x < 0x1p-126f, x * 0x1p25f, x)) + (0x3f800000u - 0x3f3504f3u);
    REAL n = real_R((above >> 23) | 0x4b000000u) - 8388735.0f - shift;
    REAL f = real_R((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    REAL s = f / (f + 2.0f), s2 = s * s, half = times_R(0.5f * f, f);
    REAL R = times_R(s2, times_R(s2, times_R(s2, 0.298710734f) + 0.399775773f) + 0.666667759f);
    REAL y = n * 0x1.62e4p-1f + (f - (half - (times_R(s, half + R) + n * 0x1.7f7ep-20f)));
    y = pick_R(x > 0.0f, y, pick_R(x < 0.0f, each_R(NAN), each_R(-INFINITY)));
    y = pick_R(x < INFINITY, y, x);
    return y;
}

// end
/* What the sum lost, f has: it is (2^-n - 1) + 2^-n x, made with 2^(2-n), a float for n = 128 too. */
// section log1p
/* 1 + x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2) */
static inline REAL log1p_R(REAL x)
{
    REAL sum = 1.0f + x;
    BITS above = (bits_R(sum) + (0x3f800000u - 0x3f3504f3u)) >> 23;
    REAL n = real_R(above | 0x4b000000u) - 8388735.0f, scale = real_R((256u - above) << 23);
    REAL f = (0.25f * scale - 1.0f) + scale * (0.25f * x);
    REAL s = f / (f + 2.0f), s2 = s * s, half = times_R(0.5f * f, f);
    REAL R = times_R(s2, times_R(s2, times_R(s2, 0.298710734f) + 0.399775773f) + 0.666667759f);
    REAL y = n * 0x1.62e4p-1f + (f - (half - (times_R(s, half + R) + n * 0x1.7f7ep-20f)));
    y = pick_R(sum > 0.0f, y, pick_R(sum < 0.0f, each_R(NAN), each_R(-INFINITY)));
    y = pick_R(real_R(bits_R(x) & 0x7fffffffu) < 0x1p-24f, x, y);
    y = pick_R(x < INFINITY, y, x);
    return y;
}

// end

#undef REAL
#undef BITS
#undef OF_KIND
#undef times_R
#undef bits_R
#undef real_R
#undef each_R
#undef pick_R
#undef root_R
#undef exp_R
#undef sigmoid_R
#undef tanh_R
#undef erf_R
#undef sqrt_R
#undef log_R
#undef log1p_R
