/* augment.c: random changes of training pictures, which keep what they show.
 *
 * What happens to a sample is drawn from the seed, the epoch and the sample's number alone, each number
 * from a place of its own in the stream: whatever thread does it, and whatever else is asked for, the same
 * comes out. */
#include "messages.h"
#include "nnkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Places in a sample's stream. */
enum { FLIP, ANGLE, SHIFT_X, SHIFT_Y, CROP_X, CROP_Y, NOISE };

/* ---- Options --------------------------------------------------------------------------------- */

/* The number behind "shift=", or an error. */
static int read_value(const char *word, size_t length, double most, float *to)
{
    const char *equals = memchr(word, '=', length);
    char text[32] = "", *end = text;
    double value = -1;

    if (equals != NULL && (size_t)(word + length - equals) <= sizeof text) {
        memcpy(text, equals + 1, (size_t)(word + length - equals) - 1);
        value = strtod(text, &end);
    }
    if (end == text || *end != '\0' || !(value >= 0 && value <= most))
        return kit_fail(NN_EMODEL, "augment: %.*s: a number from 0 to %g is expected behind the equals sign",
                        (int)length, word, most);
    *to = (float)value;
    return 0;
}

static int read_option(nn_augment *a, const nn_model *model, const char *word, size_t length)
{
    const size_t name = strcspn(word, "=,");
    const int height = model->input_shape[1], width = model->input_shape[2];
    const double edge = height < width ? height : width;
    float crop = 0;
    int error;

    if (name == 5 && memcmp(word, "noise", 5) == 0)
        return read_value(word, length, 1e6, &a->noise);
    if (name == 4 && length == 4 && memcmp(word, "flip", 4) == 0) {
        a->flip = 1;
        error = 0;
    } else if (name == 5 && memcmp(word, "shift", 5) == 0)
        error = read_value(word, length, edge, &a->shift);
    else if (name == 6 && memcmp(word, "rotate", 6) == 0)
        error = read_value(word, length, 180, &a->rotate);
    else if (name == 4 && memcmp(word, "crop", 4) == 0) {
        error = read_value(word, length, edge, &crop);
        a->crop = (int)crop;
        if (error == 0 && (float)a->crop != crop)
            error = kit_fail(NN_EMODEL, "augment: %.*s: a whole number of pixels is expected", (int)length,
                             word);
    } else
        return kit_fail(NN_EMODEL, "augment: %.*s: there are flip, shift=N, rotate=DEGREES, crop=N and "
                        "noise=X", (int)length, word);
    if (error == 0 && (width == 0 || height * width == 1))
        return kit_fail(NN_EMODEL, "augment: %.*s is for pictures, but the network's input is %zu numbers; "
                        "write `input CxHxW` in the .nn file", (int)length, word, model->input);
    return error;
}

int nn_augment_parse(const char *text, const nn_model *model, nn_augment *to)
{
    int error = 0;

    memset(to, 0, sizeof *to);
    while (error == 0 && *text != '\0') {
        const size_t length = strcspn(text, ",");

        error = read_option(to, model, text, length);
        text += length;
        if (*text == ',' && *++text == '\0' && error == 0)
            error = kit_fail(NN_EMODEL, "augment: something is missing behind the last comma");
    }
    return error;
}

/* ---- Pictures -------------------------------------------------------------------------------- */

static void flip(float *x, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, x += width)
        for (size_t i = 0; i < width / 2; i++) {
            const float left = x[i];

            x[i] = x[width - 1 - i];
            x[width - 1 - i] = left;
        }
}

/* From -most to most. */
static double draw(uint64_t stream, int place, double most)
{
    return (2 * (double)nn_uniform_at(stream, (uint64_t)place) - 1) * most;
}

/* By its series, so that every C library gives the same bits; angle from -pi to pi. */
static void turn(double angle, double *sine, double *cosine)
{
    double term = 1;

    *sine = *cosine = 0;
    for (int k = 1; k < 30; k++) {
        double *sum = k % 2 == 1 ? cosine : sine;

        *sum += k % 4 == 1 || k % 4 == 2 ? term : -term;
        term *= angle / k;
    }
}

/* A plane with a border of zeros, one left and above, two right and below, so that every place between pixels
 * that is asked for has four neighbours. */
static void put_plane(const float *x, size_t height, size_t width, float *plane)
{
    const size_t row = width + 3;

    memset(plane, 0, (height + 3) * row * sizeof *plane);
    for (size_t y = 0; y < height; y++)
        memcpy(plane + (y + 1) * row + 1, x + y * width, width * sizeof *x);
}

static float clamp(float at, float most)
{
    return at < 0 ? 0 : at > most ? most : at;
}

/* Turns and shifts; what comes in from outside is 0, what lies between pixels is interpolated. */
static void move(float *x, const nn_model *model, double angle, double right, double down, float *plane)
{
    const size_t height = (size_t)model->input_shape[1], width = (size_t)model->input_shape[2];
    const size_t row = width + 3;
    const double middle_x = (double)(width - 1) / 2, middle_y = (double)(height - 1) / 2;
    double sine, cosine;

    turn(angle, &sine, &cosine);
    for (int c = 0; c < model->input_shape[0]; c++, x += height * width) {
        put_plane(x, height, width, plane);
        for (size_t y = 0; y < height; y++) {
            const double dy = (double)y - down - middle_y;

            for (size_t i = 0; i < width; i++) {
                const double dx = (double)i - right - middle_x;
                const double old_x = cosine * dx + sine * dy + middle_x;
                const double old_y = cosine * dy - sine * dx + middle_y;
                const float at_x = clamp((float)(old_x + 1), (float)(width + 1));
                const float at_y = clamp((float)(old_y + 1), (float)(height + 1));
                const int left = (int)at_x, above = (int)at_y;
                const float b = at_x - (float)left, d = at_y - (float)above;
                const float *p = plane + (size_t)above * row + (size_t)left, *below = p + row;

                x[y * width + i] = (1 - d) * ((1 - b) * p[0] + b * p[1]) +
                                   d * ((1 - b) * below[0] + b * below[1]);
            }
        }
    }
}

/* The window of the network's size that begins right and down from the corner; outside the picture it is
 * 0. */
static void crop(float *x, const nn_model *model, int right, int down, float *plane)
{
    const int height = model->input_shape[1], width = model->input_shape[2];

    for (int c = 0; c < model->input_shape[0]; c++, x += height * width) {
        memcpy(plane, x, (size_t)(height * width) * sizeof *x);
        for (int y = 0; y < height; y++)
            for (int i = 0; i < width; i++) {
                const int from_x = i + right, from_y = y + down;
                const int inside = from_x >= 0 && from_x < width && from_y >= 0 && from_y < height;

                x[y * width + i] = inside ? plane[from_y * width + from_x] : 0;
            }
    }
}

/* A whole number from -most to most. */
static int draw_whole(uint64_t stream, int place, int most)
{
    return (int)((nn_bits_at(stream, (uint64_t)place) >> 32) * (uint64_t)(2 * most + 1) >> 32) - most;
}

int nn_data_augment(const nn_augment *a, const nn_model *model, float *x, uint64_t seed, uint64_t epoch,
                    uint64_t sample)
{
    const uint64_t stream = nn_bits_at(nn_bits_at(nn_bits_at(seed, 0x6175676d656e74u), epoch), sample);
    const size_t height = (size_t)model->input_shape[1], width = (size_t)model->input_shape[2];
    const double degree = 3.14159265358979323846 / 180;
    float *plane = NULL;

    if (a->shift > 0 || a->rotate > 0 || a->crop > 0) {
        plane = malloc((height + 3) * (width + 3) * sizeof *plane);
        if (plane == NULL)
            return kit_no_memory();
    }
    if (a->flip && nn_bits_at(stream, FLIP) >> 63 != 0)
        flip(x, model->input / width, width);
    if (a->shift > 0 || a->rotate > 0)
        move(x, model, draw(stream, ANGLE, (double)a->rotate * degree),
             draw(stream, SHIFT_X, (double)a->shift), draw(stream, SHIFT_Y, (double)a->shift), plane);
    if (a->crop > 0)
        crop(x, model, draw_whole(stream, CROP_X, a->crop), draw_whole(stream, CROP_Y, a->crop), plane);
    if (a->noise > 0) {
        uint64_t rng = nn_bits_at(stream, NOISE);

        for (size_t i = 0; i < model->input; i++)
            x[i] += a->noise * nn_normal(&rng);
    }
    free(plane);
    return 0;
}
