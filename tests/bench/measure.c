/* measure.c: what compiler/schedule/machine.c says of a core, measured on this one: `make measure`.
 *
 * Prints a line for each number that can be measured, under the name that it has in struct Machine, in cycles of the core.
 * A cycle is what one of a chain of dependent integer additions takes. Each figure is the best of several rounds, since
 * other programs only make a round longer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));

#if defined(__x86_64__)
#define KEEP(v) __asm__ volatile("" : "+x"(v))
#elif defined(__aarch64__)
#define KEEP(v) __asm__ volatile("" : "+w"(v))
#else
#define KEEP(v) __asm__ volatile("" : "+m"(v))
#endif

enum { ROUNDS = 15 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What is timed: each does its work n times ------------------------------------------------------------- */

static void additions(long n, void *unused)
{
    (void)unused;
    uint64_t a = (uint64_t)n;
    for (long i = 0; i < n; i++) {
        __asm__ volatile("" : "+r"(a));
        a += 3;
        __asm__ volatile("" : "+r"(a));
        a += 5;
        __asm__ volatile("" : "+r"(a));
        a += 7;
        __asm__ volatile("" : "+r"(a));
        a += 9;
    }
    __asm__ volatile("" : : "r"(a));
}

static void products(long n, void *unused)
{
    (void)unused;
    vec a = {0}, b = {0}, s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    for (long i = 0; i < n; i++) {
        KEEP(a);
        KEEP(b);
        s0 += a * b, s1 += a * b, s2 += a * b, s3 += a * b, s4 += a * b, s5 += a * b;
        s6 += a * b, s7 += a * b, s8 += a * b, s9 += a * b, s10 += a * b, s11 += a * b;
        KEEP(s0); KEEP(s1); KEEP(s2); KEEP(s3); KEEP(s4); KEEP(s5);
        KEEP(s6); KEEP(s7); KEEP(s8); KEEP(s9); KEEP(s10); KEEP(s11);
    }
}

static void one_sum(long n, void *unused)
{
    (void)unused;
    vec a = {0}, b = {0}, sum = {0};
    for (long i = 0; i < n; i++) {
        KEEP(a);
        KEEP(b);
        sum += a * b;
        KEEP(sum);
    }
}

typedef struct Array {
    vec *data;
    long count;          /* of vectors; a multiple of 8 */
} Array;

/* Reads the whole array n times. */
static void reads(long n, void *context)
{
    const Array *array = context;
    for (long i = 0; i < n; i++)
        for (long k = 0; k < array->count; k += 8) {
            const vec *v = array->data + k;
            vec s0 = v[0], s1 = v[1], s2 = v[2], s3 = v[3], s4 = v[4], s5 = v[5], s6 = v[6], s7 = v[7];
            KEEP(s0); KEEP(s1); KEEP(s2); KEEP(s3); KEEP(s4); KEEP(s5); KEEP(s6); KEEP(s7);
        }
}

static void store_and_add(long n, void *context)
{
    volatile float *where = context;
    for (long i = 0; i < n; i++)
        *where += 1.0f;
}

/* ---- Seconds of one -------------------------------------------------------------------------------------------- */

static double seconds(void (*work)(long, void *), long n, void *context)
{
    double best = 1e30;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = now();
        work(n, context);
        double took = (now() - begin) / (double)n;
        best = took < best ? took : best;
    }
    return best;
}

static void say(const char *name, double value, const char *unit)
{
    printf("    %-16s %10.2f   %s\n", name, value, unit);
}

static void say_paces(double cycle)
{
    static const struct {
        const char *name;
        long bytes;
    } sizes[] = {{"first cache", 16 << 10}, {"second_pace", 256 << 10}, {"third cache", 4 << 20}, {"far_pace", 64 << 20}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Array array = {aligned_alloc(64, (size_t)sizes[i].bytes), sizes[i].bytes / (long)sizeof(vec)};
        if (!array.data)
            exit(2);
        memset(array.data, 0, (size_t)sizes[i].bytes);
        double took = seconds(reads, 1 + (8 << 20) / sizes[i].bytes, &array);
        printf("    %-16s %10.2f   bytes a cycle, of %ld KB read again and again\n", sizes[i].name,
               (double)sizes[i].bytes * cycle / took, sizes[i].bytes >> 10);
        free(array.data);
    }
}

int main(void)
{
    double cycle = seconds(additions, 2000000, NULL) / 4;
    float place = 0;
    printf("this core, %.2f GHz, in vectors of %d floats:\n", 1e-9 / cycle, LANES);
    say("products", 12 * cycle / seconds(products, 500000, NULL), "multiply-adds of vectors a cycle");
    say("latency", seconds(one_sum, 2000000, NULL) / cycle, "cycles before a sum takes its next term, without the loop");
    Array near = {aligned_alloc(64, 8 << 10), (8 << 10) / (long)sizeof(vec)};
    if (!near.data)
        return 2;
    memset(near.data, 0, 8 << 10);
    say("loads", (double)near.count * cycle / seconds(reads, 20000, &near), "vectors loaded a cycle, in the first cache");
    free(near.data);
    say("store_cycles", seconds(store_and_add, 500000, &place) / cycle, "cycles to add to what has just been stored");
    say_paces(cycle);
#ifdef _SC_LEVEL1_DCACHE_SIZE
    say("first_cache", (double)sysconf(_SC_LEVEL1_DCACHE_SIZE) / 1024, "KB, as the system says");
    say("second_cache", (double)sysconf(_SC_LEVEL2_CACHE_SIZE) / 1024, "KB, all of it");
    say("line", (double)sysconf(_SC_LEVEL1_DCACHE_LINESIZE), "bytes");
#endif
    puts("compiler/schedule/machine.c has a row of these for each --target.");
    return 0;
}
