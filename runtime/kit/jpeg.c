/* jpeg.c: JPEG pictures, by libjpeg. Its errors arrive by longjmp, so what must outlive one is in a
 * struct. What it only warns of, and fills with grey, is an error here when it means that the picture is
 * damaged. */
#include "picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { MOST_SCANS = 100 };     /* a small damaged file may claim thousands, each of which takes time */

typedef struct decoder {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr    errors;
    struct jpeg_progress_mgr progress;
    jmp_buf place;
    char    message[JMSG_LENGTH_MAX];
    picture read;
    int     error;
} decoder;

static int knows(const unsigned char *at, size_t size)
{
    return size >= 3 && at[0] == 0xff && at[1] == 0xd8 && at[2] == 0xff;
}

static void leave(j_common_ptr info)
{
    decoder *d = info->client_data;

    info->err->format_message(info, d->message);
    longjmp(d->place, 1);
}

static void warn(j_common_ptr info, int level)
{
    if (level >= 0)
        return;
    switch (info->err->msg_code) {
    case JWRN_ADOBE_XFORM: case JWRN_EXTRANEOUS_DATA: case JWRN_JFIF_MAJOR: case JWRN_TOO_MUCH_DATA:
        break;
    default:
        leave(info);
    }
}

static void pass_over(j_common_ptr info)
{
    (void)info;
}

static void count_scans(j_common_ptr info)
{
    decoder *d = info->client_data;

    if (d->info.input_scan_number > MOST_SCANS) {
        snprintf(d->message, sizeof d->message, "it has more than %d scans", MOST_SCANS);
        longjmp(d->place, 1);
    }
}

/* A picture for printers, in place: Adobe's programs write it inverted. */
static void cmyk_to_rgb(picture *p, int inverted)
{
    const unsigned flip = inverted ? 0 : 255;

    for (size_t i = 0; i < p->width * p->height; i++) {
        const unsigned char *from = p->pixels + 4 * i;
        unsigned char rgb[3];

        for (int c = 0; c < 3; c++)
            rgb[c] = (unsigned char)(((from[c] ^ flip) * (from[3] ^ flip) + 127) / 255);
        memcpy(p->pixels + 3 * i, rgb, 3);
    }
    p->channels = 3;
}

static void read_picture(decoder *d, const bytes *file, const char *path, int grey)
{
    struct jpeg_decompress_struct *info = &d->info;
    int is_cmyk;

    jpeg_create_decompress(info);
    info->progress = &d->progress;
    jpeg_mem_src(info, (unsigned char *)(size_t)file->at, (unsigned long)file->size);
    jpeg_read_header(info, TRUE);
    is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = is_cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    d->error = kit_picture_alloc(&d->read, info->image_width, info->image_height,
                                 is_cmyk ? 4 : grey ? 1 : 3, path);
    if (d->error != 0)
        return;
    jpeg_start_decompress(info);
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = d->read.pixels + info->output_scanline * d->read.width * d->read.channels;

        jpeg_read_scanlines(info, &row, 1);
    }
    jpeg_finish_decompress(info);
    if (is_cmyk)
        cmyk_to_rgb(&d->read, info->saw_Adobe_marker);
}

static int decode(const bytes *file, const char *path, int grey, picture *to)
{
    decoder *d = calloc(1, sizeof *d);
    int error;

    if (d == NULL)
        return kit_no_memory();
    d->info.err = jpeg_std_error(&d->errors);
    d->info.client_data = d;
    d->errors.error_exit = leave;
    d->errors.emit_message = warn;
    d->errors.output_message = pass_over;
    d->progress.progress_monitor = count_scans;
    if (setjmp(d->place) == 0)
        read_picture(d, file, path, grey);
    else
        d->error = kit_picture_damaged(path, "JPEG", d->message);
    jpeg_destroy_decompress(&d->info);
    *to = d->read;
    error = d->error;
    free(d);
    return error;
}

const picture_format kit_jpeg = {knows, decode};
