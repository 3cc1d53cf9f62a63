/* steps.c: a trainer's steps beside the same steps written out: net_backward of the whole batch, clipping, nn_step, average.
 *
 *     steps THREADS IGNORED    IGNORED of 100 labels are -100, in whole shards, too
 *
 * Shards change the order of sums and nothing else, so weights agree to rounding. Prints the largest difference of a weight, and
 * that of the average, as shares of the largest weight, that of the loss, and the sum of the weights' bits. */
#include "net.h"
#include "nnkit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 100, BATCH = 27, STEPS = 12 };

static float x[SAMPLES][NET_INPUT];
static int   t[SAMPLES];

static int read_sample(const void *data, size_t index, float *to, void *target)
{
    (void)data;
    memcpy(to, x[index], sizeof x[index]);
    if (target)
        *(int *)target = t[index];
    return 0;
}

static net_params weights, average, gradient;
static net_work work;
static float state[NN_STATE_HEAD + 2 * NET_FLOATS];

static float plain_step(const nn_optimizer *o, const size_t *samples, int n, int step)
{
    static float batch[NET_BATCH][NET_INPUT];
    static int   labels[NET_BATCH];
    float *w = (float *)&weights, *g = (float *)&gradient, *a = (float *)&average, loss;
    double squares = 0;

    for (int i = 0; i < n; i++) {
        memcpy(batch[i], x[samples[i]], sizeof batch[i]);
        labels[i] = t[samples[i]];
    }
    loss = net_backward(&weights, &work, n, batch[0], labels, &gradient);
    for (int i = 0; i < NET_FLOATS; i++)
        squares += (double)g[i] * g[i];
    for (int i = 0; i < NET_FLOATS && squares > 0.01; i++)
        g[i] *= (float)(0.1 / (sqrt(squares) + 1e-6));
    nn_step(o, w, g, state, NET_FLOATS);
    for (int i = 0; i < NET_FLOATS; i++)
        a[i] = step == 0 ? w[i] : 0.75f * a[i] + 0.25f * w[i];
    return loss;
}

static double difference(const void *a, const void *b)
{
    const float *p = a, *q = b;
    double most = 0, size = 0;

    for (int i = 0; i < NET_FLOATS; i++) {
        most = fmax(most, fabs((double)p[i] - q[i]));
        size = fmax(size, fabs((double)p[i]));
    }
    return most / size;
}

static uint64_t bits_of(const void *params)
{
    const unsigned char *p = params;
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof weights; i++)
        sum = sum * 31 + p[i];
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const uint64_t ignored = strtoull(argv[2], NULL, 10);
    const nn_trainer_options options = {.optimizer = nn_adam(0.01f), .seed = 3, .batch = BATCH, .shard = 4, .threads = atoi(argv[1]),
                                        .clip = 0.1f, .average = 0.75f};
    const nn_source source = {read_sample, NULL};
    nn_trainer *trainer = nn_trainer_open(&net_model, &options);
    uint64_t rng = 1;
    double losses = 0;

    for (int i = 0; i < SAMPLES; i++) {
        t[i] = (int)(nn_bits(&rng) % NET_OUTPUT);
        for (int k = 0; k < NET_INPUT; k++)
            x[i][k] = nn_normal(&rng) + (float)(t[i] == k);
        if (nn_bits(&rng) % 100 < ignored)
            t[i] = -100;
    }
    net_init(&weights, 3);
    if (!trainer || memcmp(&weights, nn_trainer_weights(trainer), sizeof weights) != 0)
        return 1;
    for (int step = 0; step < STEPS; step++) {
        size_t samples[BATCH];
        const int n = step % 3 == 2 ? 10 : BATCH;
        float loss;

        for (int i = 0; i < n; i++)
            samples[i] = nn_bits(&rng) % SAMPLES;
        if (nn_trainer_step(trainer, &source, samples, n, &loss))
            return 1;
        losses = fmax(losses, fabs(loss - plain_step(&options.optimizer, samples, n, step)));
    }
    const int good = difference(&weights, nn_trainer_weights(trainer)) < 1e-4
                  && difference(&average, nn_trainer_average(trainer)) < 1e-4 && losses < 1e-5;
    printf("%g %g %g %llu\n", difference(&weights, nn_trainer_weights(trainer)),
           difference(&average, nn_trainer_average(trainer)), losses, (unsigned long long)bits_of(nn_trainer_weights(trainer)));
    nn_trainer_close(trainer);
    return !good;
}
