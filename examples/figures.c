/* figures.c: see figures.h. */
#include "figures.h"

#include "nn.h"

#include <math.h>

/* Bands of width 1 and gaps of width 1, by turns. */
static int band(float at)
{
    return at - 2 * floorf(at / 2) < 1;
}

int figure_covers(int figure, float x, float y)
{
    float ax = fabsf(x), ay = fabsf(y), rr = x * x + y * y;
    switch (figure) {
    case 0:  return rr < 1;                                       /* disc */
    case 1:  return rr < 1 && rr > 0.4f;                          /* ring */
    case 2:  return ax < 0.9f && ay < 0.9f;                       /* square */
    case 3:  return ax < 1 && ay < 1 && (ax < 0.3f || ay < 0.3f); /* cross */
    case 4:  return y < 0.8f && y > 2 * ax - 1;                   /* triangle */
    case 5:  return band(4 * y);                                  /* stripes: across, */
    case 6:  return band(4 * x);                                  /* upright, */
    case 7:  return band(3 * (x + y));                            /* rising, */
    case 8:  return band(3 * (x - y));                            /* falling */
    default: return band(4 * x) != band(4 * y);                   /* checks */
    }
}

void figures_clear(uint64_t *rng, int channels, int side, float *picture)
{
    for (int c = 0; c < channels; c++) {
        float ground = 0.3f * nn_uniform(rng);
        for (int i = 0; i < side * side; i++)
            picture[c * side * side + i] = ground;
    }
}

void figures_add(uint64_t *rng, int channels, int side, int figure, float *picture, int *mask, int value)
{
    float size = (float)side * (0.15f + 0.2f * nn_uniform(rng));
    float cx = size + ((float)side - 2 * size) * nn_uniform(rng), cy = size + ((float)side - 2 * size) * nn_uniform(rng);
    float ink[4];

    for (int c = 0; c < channels; c++)
        ink[c] = 0.4f + 0.5f * nn_uniform(rng);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            int i = y * side + x;
            if (!figure_covers(figure, ((float)x - cx) / size, ((float)y - cy) / size))
                continue;
            for (int c = 0; c < channels; c++)
                picture[c * side * side + i] = ink[c];
            if (mask)
                mask[i] = value;
        }
}

void figures_noise(uint64_t *rng, int channels, int side, float *picture)
{
    for (int i = 0; i < channels * side * side; i++)
        picture[i] += 0.2f * (nn_uniform(rng) - 0.5f);
}
