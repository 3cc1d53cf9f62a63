/* peak.c: how many multiply-adds a core can do. stdin: peak SECONDS; answer: GFLOP/s of twelve independent sums of
 * vectors, two operations a multiply-add, no memory. */
#include <stdio.h>
#include <time.h>

typedef float vec __attribute__((vector_size(4 * LANES)));
#if defined(__x86_64__)
#define KEEP(v) __asm__ volatile("" : "+x"(v))
#elif defined(__aarch64__)
#define KEEP(v) __asm__ volatile("" : "+w"(v))
#else
#define KEEP(v) __asm__ volatile("" : "+m"(v))
#endif

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double run(long n)
{
    vec a = {0}, b = {0}, s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a, s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;
    double begin = now();
    for (long i = 0; i < n; i++) {
        KEEP(a);
        KEEP(b);
        s0 += a * b, s1 += a * b, s2 += a * b, s3 += a * b, s4 += a * b, s5 += a * b;
        s6 += a * b, s7 += a * b, s8 += a * b, s9 += a * b, s10 += a * b, s11 += a * b;
        KEEP(s0); KEEP(s1); KEEP(s2); KEEP(s3); KEEP(s4); KEEP(s5); KEEP(s6); KEEP(s7); KEEP(s8); KEEP(s9); KEEP(s10); KEEP(s11);
    }
    return 24.0 * LANES * (double)n / (now() - begin) * 1e-9;
}

int main(void)
{
    char line[100];
    double seconds;
    while (fgets(line, sizeof line, stdin))
        if (sscanf(line, "peak %lf", &seconds) == 1) {
            double best = 0, begin = now();
            do {
                double speed = run(1000000);
                best = speed > best ? speed : best;
            } while (now() - begin < seconds);
            printf("%.6g\n", best);
            fflush(stdout);
        }
    return 0;
}
