/* array.c: numbers of any type in memory, as floats or as whole numbers. */
#include "arithmetic.h"
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};

size_t kit_element_size(element type)
{
    return sizes[type];
}

const char *kit_shape_text(int rank, const size_t *shape, char *to, size_t room)
{
    size_t used = 0;

    snprintf(to, room, "1");
    for (int d = 0; d < rank && used < room; d++)
        used += (size_t)snprintf(to + used, room - used, d == 0 ? "%zu" : "x%zu", shape[d]);
    return to;
}

int kit_array_check(array *a, size_t size, const char *format, const char *path)
{
    char text[300];

    a->each = 1;
    for (int d = 0; d < a->rank; d++) {
        if (a->shape[d] == 0 || a->each > SIZE_MAX / 8 / a->shape[d])
            return kit_fail(NN_EFORMAT, "%s: a dimension of the %s file is %zu, which cannot be; it is "
                            "damaged", path, format, a->shape[d]);
        a->each *= a->shape[d];
    }
    a->stride = a->each * sizes[a->type];
    kit_shape_text(a->rank, a->shape, text, sizeof text);
    if (a->count == 0)
        return kit_fail(NN_EFORMAT, "%s: the %s file holds no samples", path, format);
    if (size / a->stride < a->count)
        return kit_fail(NN_EFORMAT, "%s: its head says %zu samples of %s, but the file ends within sample "
                        "%zu; it is cut off: copy it again", path, a->count, text, size / a->stride);
    if (size != a->count * a->stride)
        return kit_fail(NN_EFORMAT, "%s: %zu bytes lie behind the %zu samples of %s that its head says; it "
                        "is no %s file, or a damaged one", path, size - a->count * a->stride, a->count, text,
                        format);
    return 0;
}

/* The bits of a number, whatever order its bytes are in. */
static uint64_t bits(const array *a, const unsigned char *at)
{
    const size_t size = sizes[a->type];
    uint64_t value = 0;

    for (size_t b = 0; b < size; b++)
        value |= (uint64_t)at[a->big_endian ? size - 1 - b : b] << 8 * b;
    return value;
}

/* The whole number that size bytes hold, two's complement. */
static long long with_sign(uint64_t value, size_t size)
{
    const uint64_t sign = (uint64_t)1 << (8 * size - 1);

    return (value & sign) != 0 ? -(long long)(~value & (sign - 1)) - 1 : (long long)value;
}

static double real(const array *a, const unsigned char *at)
{
    const uint64_t value = bits(a, at);

    if (a->type == F64) {
        double number;
        memcpy(&number, &value, sizeof number);
        return number;
    }
    if (a->type == F32) {
        const uint32_t half = (uint32_t)value;
        float number;
        memcpy(&number, &half, sizeof number);
        return number;
    }
    switch (a->type) {
    case I8: case I16: case I32: case I64:
        return (double)with_sign(value, sizes[a->type]);
    default:
        return (double)value;
    }
}

int kit_is_big_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;

    memcpy(&first, &one, 1);
    return first == 0;
}

/* Samples are read in any order, so they come from memory: all lines of the cache at once, not one by one. */
static void fetch(const unsigned char *at, size_t size)
{
    enum { LINE = 64, MOST = 4096 };

#ifdef __GNUC__
    for (size_t i = 0; i < size && i < MOST; i += LINE)
        __builtin_prefetch(at + i);
#else
    (void)at, (void)size;
#endif
}

/* Divided by 255 is not the same as times 1/255; scale 0 asks for the division. */
WIDTHS static void floats_of_bytes(const unsigned char *restrict from, size_t n, float scale,
                                   float *restrict to)
{
    if (scale == 0)
        for (size_t i = 0; i < n; i++)
            to[i] = (float)from[i] / 255.0f;
    else
        for (size_t i = 0; i < n; i++)
            to[i] = (float)from[i] * scale;
}

size_t kit_array_floats(const array *a, size_t sample, float scale, float *to)
{
    const unsigned char *at = a->at + sample * a->stride;
    const size_t size = sizes[a->type];

    if (a->type == U8) {
        fetch(at, a->each);
        floats_of_bytes(at, a->each, scale, to);
        return a->each;
    }
    if (a->type == F32 && a->big_endian == kit_is_big_endian())
        memcpy(to, at, a->each * sizeof *to);
    else
        for (size_t i = 0; i < a->each; i++)
            to[i] = (float)real(a, at + i * size);
    if (scale != 0 && scale != 1)
        for (size_t i = 0; i < a->each; i++)
            to[i] *= scale;
    for (size_t i = 0; i < a->each; i++)
        if (!isfinite(to[i]))
            return i;
    return a->each;
}

long long kit_array_whole(const array *a, size_t sample, size_t k, int *whole)
{
    const unsigned char *at = a->at + sample * a->stride + k * sizes[a->type];

    if (a->type == F32 || a->type == F64) {
        const double number = real(a, at);

        *whole = number > -1e15 && number < 1e15 && floor(number) == number;
        return *whole ? (long long)number : 0;
    }
    *whole = a->type != U64 || bits(a, at) <= INT64_MAX;
    return a->type == U8 ? *at : *whole ? (long long)real(a, at) : 0;
}

int kit_array_is_finite(const array *a, size_t sample, size_t k)
{
    return (a->type != F32 && a->type != F64) ||
           isfinite((float)real(a, a->at + sample * a->stride + k * sizes[a->type]));
}

int kit_channels_first(float *x, size_t channels, size_t size)
{
    const size_t pixels = size / channels;
    float *last = malloc(size * sizeof *last);

    if (last == NULL)
        return kit_no_memory();
    memcpy(last, x, size * sizeof *last);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            x[c * pixels + i] = last[i * channels + c];
    free(last);
    return 0;
}
