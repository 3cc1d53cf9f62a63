/* optimizers.c: how fast a step of each optimizer runs over its arrays. stdin says what, one request a line:
 *
 *     NAME WEIGHTS SECONDS     sgd, momentum, adagrad, rmsprop, adam; or copy: as many bytes as adam's arrays have, from
 *                              their first half to their second
 *
 * and the answer is GB/s, what is read and what is written counted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nn.h"

enum { ARRAYS = 4 };    /* that Adam has: weights, gradients, two moments */

static float *area;     /* room for all of them */
static size_t n;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void work(const nn_optimizer *o)
{
    if (o)
        nn_step(o, area, area + n, area + 2 * n, n);
    else
        memcpy(area + ARRAYS / 2 * n, area, ARRAYS / 2 * n * sizeof *area);
}

/* Steps until the time is over, in blocks that take long beside reading the clock. */
static double seconds_a_step(const nn_optimizer *o, double seconds)
{
    double begin, end;
    long steps = 0, block = 1;
    work(o);
    begin = now();
    do {
        for (long i = 0; i < block; i++)
            work(o);
        steps += block;
        end = now();
        if (end - begin < seconds / 8)
            block *= 2;
    } while (end - begin < seconds);
    return (end - begin) / (double)steps;
}

/* Arrays that a step reads and writes: weights and moments both, gradients are only read. */
static double passes(const nn_optimizer *o)
{
    size_t moments = o && nn_state_size(o, n) ? (nn_state_size(o, n) - NN_STATE_HEAD) / n : 0;
    return o ? 3 + 2 * (double)moments : ARRAYS;
}

int main(void)
{
    const struct { const char *name; nn_optimizer o; } all[] = {
        {"sgd", nn_sgd(1e-3f)}, {"momentum", nn_momentum(1e-3f, 0.9f)}, {"adagrad", nn_adagrad(1e-3f)},
        {"rmsprop", nn_rmsprop(1e-3f)}, {"adam", nn_adam(1e-3f)},
    };
    char line[100], name[20];
    double seconds;
    while (fgets(line, sizeof line, stdin)) {
        const nn_optimizer *o = NULL;
        if (sscanf(line, "%19s %zu %lf", name, &n, &seconds) != 3)
            continue;
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            if (!strcmp(all[i].name, name))
                o = &all[i].o;
        area = calloc(ARRAYS * n + NN_STATE_HEAD, sizeof *area);
        if (!area)
            return 2;
        for (size_t i = 0; i < 2 * n; i++)
            area[i] = 1e-3f * (float)(i % 1000 + 1);
        printf("%.6g\n", passes(o) * (double)(n * sizeof *area) / seconds_a_step(o, seconds) * 1e-9);
        fflush(stdout);
        free(area);
    }
    return 0;
}
