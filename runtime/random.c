/* random.c: random numbers from a stream of 64 bits of state.
 *
 * In: a stream *rng, which is any number that the caller chose as seed. Out: the next numbers, with *rng
 * moved on. The generator is splitmix64, nn_bits_at in nn.h; a stream moves on by adding NN_GAMMA, so
 * nn_bits called k times gives the same numbers as nn_bits_at(rng, 0 .. k-1). */
#define NN_COMPUTES
#include "nn.h"

#include <math.h>

uint64_t nn_bits(uint64_t *rng)
{
    uint64_t bits = nn_bits_at(*rng, 0);

    *rng += NN_GAMMA;
    return bits;
}

float nn_uniform(uint64_t *rng)
{
    float uniform = nn_uniform_at(*rng, 0);

    *rng += NN_GAMMA;
    return uniform;
}

float nn_normal(uint64_t *rng)
{
    float radius = sqrtf(-2.0f * logf(1.0f - nn_uniform(rng))); /* of a number in (0,1] */
    float angle = 6.28318531f * nn_uniform(rng);

    return radius * cosf(angle);
}

/* Inside out: sample i enters at a random place among the first i + 1. The place is the upper half of a
 * product of 32 bits with i + 1 (Lemire 2019, without the rejection): its bias is below n / 2^32. */
void nn_shuffle(uint64_t *rng, int *order, int n)
{
    for (int i = 0; i < n; i++) {
        int place = (int)(((nn_bits(rng) >> 32) * ((uint64_t)i + 1)) >> 32);
        order[i] = order[place];
        order[place] = i;
    }
}
