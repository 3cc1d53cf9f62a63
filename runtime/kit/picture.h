/* picture.h: what the files that read pictures share. */
#ifndef NNKIT_PICTURE_H
#define NNKIT_PICTURE_H

#include "data.h"

/* Rows of pixels, each of one to four bytes: grey, grey and alpha, red green blue, the same and alpha. */
typedef struct picture {
    size_t width, height, channels;
    unsigned char *pixels;
} picture;

/* A format: whether a file begins so, and how it is decoded, with the channels that the file has (grey:
 * where grey is wanted, and the decoder gives it). path is for messages. 0 or an error; in any case the
 * pixels are to be freed. */
typedef struct picture_format {
    int (*knows)(const unsigned char *at, size_t size);
    int (*decode)(const bytes *file, const char *path, int grey, picture *to);
} picture_format;

extern const picture_format kit_png, kit_jpeg, kit_pnm;

/* Memory for the pixels of a picture of this size. 0 or an error. */
int kit_picture_alloc(picture *, size_t width, size_t height, size_t channels, const char *path);
int kit_picture_damaged(const char *path, const char *format, const char *what);

/* Is it the beginning of a picture? */
int kit_is_picture(const bytes *);
/* A picture of that many channels from a file's bytes; its pixels are to be freed. 0 or an error. */
int kit_picture_decode(const bytes *file, const char *path, size_t channels, picture *to);

/* (scale.c) The picture as C x H x W floats, times scale (0: by 1/255). Sizes differ: an axis that shrinks
 * takes the average over the area of each new pixel, one that grows interpolates linearly. 0 or an error. */
int kit_picture_scale(const picture *, size_t width, size_t height, float scale, float *x);

#endif
