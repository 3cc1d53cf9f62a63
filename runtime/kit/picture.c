/* picture.c: a picture from a file's bytes, whatever its format; and the format that has no library: PGM
 * and PPM. */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A damaged head may claim any size. */
static const size_t most_pixels = (size_t)1 << 27;

int kit_picture_damaged(const char *path, const char *format, const char *what)
{
    return kit_fail(NN_EFORMAT, "%s: the %s picture is damaged: %s; copy it again, or remove it", path,
                    format, what);
}

int kit_picture_alloc(picture *to, size_t width, size_t height, size_t channels, const char *path)
{
    to->width = width;
    to->height = height;
    to->channels = channels;
    to->pixels = NULL;
    if (width == 0 || height == 0 || width > most_pixels / height)
        return kit_fail(NN_EFORMAT, "%s: a picture of %zu x %zu pixels cannot be read; make it smaller", path,
                        width, height);
    to->pixels = malloc(width * height * channels);
    return to->pixels != NULL ? 0 : kit_no_memory();
}

/* Gives the picture other channels. Grey has the weights of ITU-R BT.601; new alpha is 255. 0 or an error. */
static int convert(picture *p, size_t channels, const char *path)
{
    const size_t have_colours = p->channels - (p->channels % 2 == 0);
    const size_t want_colours = channels - (channels % 2 == 0);
    picture new;
    int error = kit_picture_alloc(&new, p->width, p->height, channels, path);

    for (size_t i = 0; error == 0 && i < p->width * p->height; i++) {
        const unsigned char *from = p->pixels + i * p->channels;
        unsigned char *to = new.pixels + i * channels;

        if (want_colours < have_colours)
            to[0] = (unsigned char)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768) >> 16);
        else
            for (size_t c = 0; c < want_colours; c++)
                to[c] = from[have_colours == 3 ? c : 0];
        if (channels > want_colours)
            to[want_colours] = p->channels > have_colours ? from[have_colours] : 255;
    }
    if (error == 0) {
        free(p->pixels);
        *p = new;
    }
    return error;
}

static const picture_format *format_of(const bytes *file)
{
    static const picture_format *const formats[] = {&kit_png, &kit_jpeg, &kit_pnm};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i]->knows(file->at, file->size))
            return formats[i];
    return NULL;
}

int kit_is_picture(const bytes *file)
{
    return format_of(file) != NULL;
}

int kit_picture_decode(const bytes *file, const char *path, size_t channels, picture *to)
{
    const picture_format *format = format_of(file);
    int error;

    memset(to, 0, sizeof *to);
    if (format == NULL)
        return kit_fail(NN_EFORMAT, "%s: it is no PNG, JPEG, PGM or PPM picture; remove it", path);
    error = format->decode(file, path, channels <= 2, to);
    if (error == 0 && to->channels != channels)
        error = convert(to, channels, path);
    return error;
}

/* ---- PGM and PPM ----------------------------------------------------------------------------- */

static int knows_pnm(const unsigned char *at, size_t size)
{
    return size >= 3 && at[0] == 'P' && strchr("2356", at[1]) != NULL && at[1] != '\0' &&
           strchr(" \t\r\n#", at[2]) != NULL && at[2] != '\0';
}

/* The next number of the text at *at, behind blanks and comments; -1: there is none. */
static long next_number(const unsigned char **at, const unsigned char *end)
{
    long number = 0;

    while (*at < end && ((**at >= '\t' && **at <= '\r') || **at == ' ' || **at == '#'))
        if (*(*at)++ == '#')
            while (*at < end && **at != '\n')
                ++*at;
    if (*at == end || **at < '0' || **at > '9')
        return -1;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at)
        number = number < 100000000 ? 10 * number + (**at - '0') : number;
    return number;
}

/* One sample of a picture, or -1. */
static long next_sample(const unsigned char **at, const unsigned char *end, int is_text, int wide)
{
    long number;

    if (is_text)
        return next_number(at, end);
    if (end - *at < 1 + wide)
        return -1;
    number = wide ? (*at)[0] << 8 | (*at)[1] : (*at)[0];
    *at += 1 + wide;
    return number;
}

/* The pixels behind the head. */
static int read_pixels(const unsigned char *at, const unsigned char *end, int is_text, long most,
                       const char *path, picture *to)
{
    for (size_t i = 0; i < to->width * to->height * to->channels; i++) {
        const long number = next_sample(&at, end, is_text, most > 255);

        if (number < 0)
            return kit_picture_damaged(path, "PGM or PPM", "it is cut off");
        if (number > most)
            return kit_picture_damaged(path, "PGM or PPM", "a pixel is greater than its head says");
        to->pixels[i] = (unsigned char)(most == 255 ? number : (number * 255 + most / 2) / most);
    }
    while (at < end && ((*at >= '\t' && *at <= '\r') || *at == ' '))
        at++;
    return at == end ? 0 : kit_picture_damaged(path, "PGM or PPM", "there are more bytes than its head says");
}

static int decode_pnm(const bytes *file, const char *path, int grey, picture *to)
{
    const unsigned char *at = file->at + 2, *const end = file->at + file->size;
    const int is_text = file->at[1] <= '3', is_colour = file->at[1] == '3' || file->at[1] == '6';
    const long width = next_number(&at, end), height = next_number(&at, end), most = next_number(&at, end);
    int error;

    (void)grey;
    if (width < 0 || height < 0 || most < 1 || most > 65535 || at == end)
        return kit_picture_damaged(path, "PGM or PPM", "its head is not complete");
    error = kit_picture_alloc(to, (size_t)width, (size_t)height, is_colour ? 3 : 1, path);
    return error == 0 ? read_pixels(at + 1, end, is_text, most, path, to) : error;
}

const picture_format kit_pnm = {knows_pnm, decode_pnm};
