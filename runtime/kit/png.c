/* png.c: PNG pictures, by libpng. Its errors arrive by longjmp, so what must outlive one is in a struct. */
#include "picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct decoder {
    const unsigned char *at, *end;
    jmp_buf  place;
    char     message[200];
    png_structp png;
    png_infop   info;
    png_bytepp  rows;
    picture     read;
    int         error;
} decoder;

static int knows(const unsigned char *at, size_t size)
{
    return size >= 8 && memcmp(at, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static void take_bytes(png_structp png, png_bytep to, size_t size)
{
    decoder *d = png_get_io_ptr(png);

    if (size > (size_t)(d->end - d->at))
        png_error(png, "it is cut off");
    memcpy(to, d->at, size);
    d->at += size;
}

#ifdef __GNUC__
__attribute__((noreturn))
#endif
static void leave(png_structp png, png_const_charp message)
{
    decoder *d = png_get_error_ptr(png);

    snprintf(d->message, sizeof d->message, "%s", message);
    longjmp(d->place, 1);
}

static void pass_over(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void read_picture(decoder *d, const char *path)
{
    png_set_read_fn(d->png, d, take_bytes);
    png_set_user_limits(d->png, 1 << 27, 1 << 27);
    png_read_info(d->png, d->info);
    png_set_expand(d->png);
    png_set_scale_16(d->png);
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    d->error = kit_picture_alloc(&d->read, png_get_image_width(d->png, d->info),
                                 png_get_image_height(d->png, d->info), png_get_channels(d->png, d->info),
                                 path);
    if (d->error != 0)
        return;
    d->rows = malloc(d->read.height * sizeof *d->rows);
    if (d->rows == NULL) {
        d->error = kit_no_memory();
        return;
    }
    for (size_t y = 0; y < d->read.height; y++)
        d->rows[y] = d->read.pixels + y * d->read.width * d->read.channels;
    png_read_image(d->png, d->rows);
    png_read_end(d->png, NULL);
}

static int decode(const bytes *file, const char *path, int grey, picture *to)
{
    decoder *d = calloc(1, sizeof *d);
    int error;

    (void)grey;
    if (d == NULL)
        return kit_no_memory();
    d->at = file->at;
    d->end = file->at + file->size;
    if (setjmp(d->place) == 0) {
        d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, leave, pass_over);
        d->info = d->png != NULL ? png_create_info_struct(d->png) : NULL;
        if (d->info == NULL)
            d->error = kit_no_memory();
        else
            read_picture(d, path);
    } else
        d->error = kit_picture_damaged(path, "PNG", d->message);
    png_destroy_read_struct(&d->png, &d->info, NULL);
    free(d->rows);
    *to = d->read;
    error = d->error;
    free(d);
    return error;
}

const picture_format kit_png = {knows, decode};
