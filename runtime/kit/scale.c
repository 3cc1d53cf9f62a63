/* scale.c: a picture of any size as the network's input.
 *
 * Each axis is scaled by itself, to the network's size whatever the picture's proportions are. A new pixel
 * of an axis that shrinks is the mean over the old ones that it covers, by the part of each that it
 * covers; of an axis that grows, the two nearest ones weighted by their distance, as PyTorch's interpolate
 * with align_corners=False. */
#include "picture.h"

#include <stdlib.h>

/* A new pixel: the first old one, and the weights of it and its followers. */
typedef struct tap {
    size_t first, count;
    const float *weights;
} tap;

typedef struct axis {
    tap   *taps;                /* one for each new pixel */
    float *weights;
} axis;

static void close_axis(axis *a)
{
    free(a->taps);
    free(a->weights);
}

/* Weights of a new pixel that covers from .. from + width of the old ones. */
static size_t cover(size_t old, double from, double width, float *weights, size_t *first)
{
    size_t n = 0;

    *first = (size_t)from;
    for (size_t i = *first; i < old && (double)i < from + width; i++) {
        const double begin = (double)i > from ? (double)i : from;
        const double end = (double)(i + 1) < from + width ? (double)(i + 1) : from + width;

        if (end > begin || n == 0)
            weights[n++] = (float)((end - begin) / width);
    }
    return n;
}

static size_t interpolate(size_t old, double at, float *weights, size_t *first)
{
    const double inside = at < 0 ? 0 : at > (double)(old - 1) ? (double)(old - 1) : at;

    *first = (size_t)inside;
    weights[1] = (float)(inside - (double)*first);
    weights[0] = 1 - weights[1];
    return weights[1] > 0 ? 2 : 1;
}

/* 0 or an error. */
static int open_axis(axis *a, size_t old, size_t new)
{
    const double ratio = (double)old / (double)new;
    const size_t most = (size_t)ratio + 3;
    size_t used = 0;

    a->taps = malloc(new * sizeof *a->taps);
    a->weights = malloc(new * most * sizeof *a->weights);
    if (a->taps == NULL || a->weights == NULL)
        return kit_no_memory();
    for (size_t i = 0; i < new; i++) {
        tap *t = &a->taps[i];
        float *weights = a->weights + used;

        t->weights = weights;
        if (old > new)
            t->count = cover(old, (double)i * ratio, ratio, weights, &t->first);
        else
            t->count = interpolate(old, ((double)i + 0.5) * ratio - 0.5, weights, &t->first);
        used += most;
    }
    return 0;
}

/* One row of the picture's width, the weighted sum of the rows that a new one takes. */
static void add_rows(const picture *p, const tap *rows, float *sum)
{
    const size_t length = p->width * p->channels;

    for (size_t i = 0; i < length; i++)
        sum[i] = 0;
    for (size_t r = 0; r < rows->count; r++) {
        const unsigned char *row = p->pixels + (rows->first + r) * length;
        const float weight = rows->weights[r];

        for (size_t i = 0; i < length; i++)
            sum[i] += weight * (float)row[i];
    }
}

static float scaled(float number, float scale)
{
    return scale == 0 ? number / 255.0f : number * scale;
}

static void copy(const picture *p, float scale, float *x)
{
    const size_t pixels = p->width * p->height;

    for (size_t c = 0; c < p->channels; c++)
        for (size_t i = 0; i < pixels; i++)
            x[c * pixels + i] = scaled((float)p->pixels[i * p->channels + c], scale);
}

static void resample(const picture *p, const axis *across, const axis *down, size_t width, size_t height,
                     float scale, float *row, float *x)
{
    for (size_t y = 0; y < height; y++) {
        add_rows(p, &down->taps[y], row);
        for (size_t c = 0; c < p->channels; c++)
            for (size_t i = 0; i < width; i++) {
                const tap *t = &across->taps[i];
                float sum = 0;

                for (size_t k = 0; k < t->count; k++)
                    sum += t->weights[k] * row[(t->first + k) * p->channels + c];
                x[(c * height + y) * width + i] = scaled(sum, scale);
            }
    }
}

int kit_picture_scale(const picture *p, size_t width, size_t height, float scale, float *x)
{
    axis across = {NULL, NULL}, down = {NULL, NULL};
    float *row;
    int error;

    if (p->width == width && p->height == height) {
        copy(p, scale, x);
        return 0;
    }
    row = malloc(p->width * p->channels * sizeof *row);
    error = row != NULL ? open_axis(&across, p->width, width) : kit_no_memory();
    if (error == 0)
        error = open_axis(&down, p->height, height);
    if (error == 0)
        resample(p, &across, &down, width, height, scale, row, x);
    close_axis(&across);
    close_axis(&down);
    free(row);
    return error;
}
