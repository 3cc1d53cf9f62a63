/* net.c: times one generated network; stdin says what, one request a line, and each gets a line of numbers.
 *
 *     train SECONDS     images/s: net_backward on NET_BATCH samples and a step of momentum
 *     infer SECONDS     microseconds of net_forward on one sample
 *     layers SECONDS    one line for each function that net_backward calls: name, seconds a sample; then "end".
 *                       Only where LAYERS names a copy of net.c in which the calls are TIMED (layers.awk). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#ifdef LAYERS
enum { MOST_SLOTS = 1000 };
static struct slot { const char *name; double ticks, calls; } slots[MOST_SLOTS];
static int nslots;

#if defined(__x86_64__)
#define TICKS() ((double)__builtin_ia32_rdtsc())
#else
#define TICKS() (1e9 * now())
#endif
#define TIMED(function, call) do { \
        static struct slot *slot; \
        if (!slot) \
            (slot = &slots[nslots++ % MOST_SLOTS])->name = function; \
        const double begin = TICKS(); \
        call; \
        slot->ticks += TICKS() - begin; \
        slot->calls++; \
    } while (0)
#include LAYERS
#endif

static net_params p, g;
static net_work w;
static float x[NET_BATCH * NET_INPUT], y[NET_BATCH * NET_OUTPUT];
static int t[NET_BATCH * NET_TARGETS];
static nn_optimizer optimizer;
static float *state;

static void train(void)
{
    net_backward(&p, &w, NET_BATCH, x, t, &g);
    nn_step(&optimizer, (float *)&p, (const float *)&g, state, NET_FLOATS);
}

static void infer(void)
{
    net_forward(&p, &w, 1, x, y);
}

/* Seconds a call, over about so many of them. */
static double seconds_of(void (*work)(void), double seconds)
{
    double begin = now(), end;
    long n = 0, block = 1;
    do {
        for (long i = 0; i < block; i++)
            work();
        n += block;
        end = now();
        if (end - begin < seconds / 8)
            block *= 2;
    } while (end - begin < seconds);
    return (end - begin) / (double)n;
}

static void print_layers(double seconds)
{
#ifdef LAYERS
    double begin = now(), ticks = TICKS(), empty = 0;
    for (int i = 0; i < nslots; i++)
        slots[i].ticks = slots[i].calls = 0;
    for (int i = 0; i < 1000; i++) {
        double a = TICKS();
        empty += TICKS() - a;
    }
    long calls = 0;
    for (; now() - begin < seconds; calls++)
        net_backward(&p, &w, NET_BATCH, x, t, &g);
    double per_tick = (now() - begin) / (TICKS() - ticks);
    for (int i = 0; i < nslots; i++)
        printf("%s %.6g\n", slots[i].name,
               (slots[i].ticks - slots[i].calls * empty / 1000) * per_tick / (double)calls / NET_BATCH);
#else
    (void)seconds;
#endif
    puts("end");
}

int main(void)
{
    uint64_t rng = 1;
    char line[100];
    double seconds;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = nn_uniform(&rng);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        t[i] = (int)(nn_bits(&rng) % NET_OUTPUT);
    net_init(&p, 1);
    optimizer = nn_momentum(1e-9f, 0.9f);
    state = calloc(nn_state_size(&optimizer, NET_FLOATS), sizeof *state);
    if (!state)
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "train %lf", &seconds) == 1)
            printf("%.6g\n", NET_BATCH / seconds_of(train, seconds));
        else if (sscanf(line, "infer %lf", &seconds) == 1)
            printf("%.6g\n", 1e6 * seconds_of(infer, seconds));
        else if (sscanf(line, "layers %lf", &seconds) == 1)
            print_layers(seconds);
        fflush(stdout);
    }
    return 0;
}
