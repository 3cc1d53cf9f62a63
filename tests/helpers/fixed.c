/* fixed.c: compiler/back/fixed as it stands: each macro and function on numbers, beside a loop that does the same with one
 * number after the other. -DVEC_LANES=N: of vectors of so many floats. Prints what is wrong; exit status 1 where something is.
 *
 * test_fixed.c compiles it with each compiler for each target. What exp and its kin round, test_math.c holds. */
#include "prelude.h"

#include "vectors.h"

#include "elementary.h"
#define OF_VECTORS
#include "elementary.h"

#include <stdio.h>

enum { N = VEC_LANES };

static int wrong;

static void check(const char *what, int good)
{
    if (!good)
        printf("%s of %d lanes is wrong\n", what, (int)N);
    wrong |= !good;
}

/* Is each lane what the expression in i says? */
#define CHECK_LANES(what, v, expected) do { \
    const vec w_ = (v); \
    int good_ = 1; \
    for (int i = 0; i < N; i++) \
        good_ &= w_[i] == (expected); \
    check(what, good_); \
} while (0)

static void check_memory(const float *a)
{
    float b[3 * N];
    CHECK_LANES("LOAD", LOAD(a[1]), a[1 + i]);
    for (int k = 0; k <= N; k++) {
        int good = 1;
        for (int i = 0; i < 3 * N; i++)
            b[i] = -1;
        CHECK_LANES("LOAD_FIRST", LOAD_FIRST(k, a[1]), i < k ? a[1 + i] : 0);
        CHECK_LANES("FIRST", FIRST(k, LOAD(a[1])), i < k ? a[1 + i] : 0);
        STORE_FIRST(k, b[1], LOAD(a[2]));
        for (int i = 0; i < 3 * N; i++)
            good &= b[i] == (i >= 1 && i < 1 + k ? a[1 + i] : -1);
        check("STORE_FIRST", good);
    }
    for (int i = 0; i < 3 * N; i++)
        b[i] = -1;
    STORE(b[3], LOAD(a[0]));
    int good = b[2] == -1 && b[3 + N] == -1;
    for (int i = 0; i < N; i++)
        good &= b[3 + i] == a[i];
    check("STORE", good);
}

static void check_values(const float *a)
{
    const vec u = LOAD(a[0]), v = LOAD(a[N]);
    CHECK_LANES("ALL", ALL(a[3]), a[3]);
    CHECK_LANES("LANES", LANES, (float)i);
    CHECK_LANES("SELECT", SELECT(u > v, u, v), a[i] > a[N + i] ? a[i] : a[N + i]);
    CHECK_LANES("ABS", ABS(u), fabsf(a[i]));
    CHECK_LANES("root_v", root_v(ABS(u)), sqrtf(fabsf(a[i])));
    CHECK_LANES("NAME_v", NAME_v(u), a[i]);
    CHECK_LANES("times_v", times_v(u, v), times_f(a[i], a[N + i]));
    CHECK_LANES("exp_v", exp_v(u), exp_f(a[i]));
    float sample[N][2];
    for (int i = 0; i < N; i++)
        sample[i][0] = 0, sample[i][1] = a[i];
    CHECK_LANES("EACH", EACH(sample, [1]), a[i]);
}

/* The numbers are whole, so that their sum is the same in every order. */
static void check_across(const float *a)
{
    for (int top = 0; top < N; top++) {
        float b[N], sum = 0;
        for (int i = 0; i < N; i++)
            sum += b[i] = i == top ? 100 : a[i];
        check("SUM", SUM(LOAD(b[0])) == sum);
        check("GREATEST", GREATEST(LOAD(b[0])) == 100);
        b[top] = NAN;
        const float greatest = GREATEST(LOAD(b[0]));
        check("GREATEST with NaN", greatest != greatest);
    }
}

int main(void)
{
    float a[3 * N];
    for (int i = 0; i < 3 * N; i++)
        a[i] = (float)(i * 7 % 23 - 11);
    check("GREATER", GREATER(2, 1) && !GREATER(1, 2) && GREATER(NAN, 1));
    check_memory(a);
    check_values(a);
    check_across(a);
    return wrong;
}
