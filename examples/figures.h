/* figures.h: ten figures and patterns, and pictures of them, for networks that have no data set.
 *
 * A picture is [channels][side][side], values about 0 to 1. Everything comes from *rng, so every machine paints the same.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>

enum { FIGURES = 10, FIGURES_BOUNDED = 5 };

/* Is the point x, y part of the figure? The first five (disc, ring, square, cross, triangle) lie within -1 .. 1,
 * the others go on for ever. */
int figure_covers(int figure, float x, float y);

/* A picture of the ground alone, dark, of one colour. */
void figures_clear(uint64_t *rng, int channels, int side, float *picture);

/* Lays a figure of random place, size and colour over the picture. Where it covers a pixel, mask (side x side; may be
 * NULL) becomes value. */
void figures_add(uint64_t *rng, int channels, int side, int figure, float *picture, int *mask, int value);

/* Noise over all. */
void figures_noise(uint64_t *rng, int channels, int side, float *picture);

#endif
