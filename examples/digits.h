/* digits.h: an endless supply of handwritten-looking digits, 28 x 28 grey values each.
 *
 * A stand-in for a data set where there is none: the pictures have the size, the range and the look
 * of scanned digits (bright ink, 1, on dark paper, 0), and no two of them are alike. Everything
 * comes from a seed, so every machine draws the same pictures.
 *
 *     uint64_t rng = 1;
 *     digits_fill(&rng, 1000, images, labels);
 */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

enum { DIGITS_SIDE = 28, DIGITS_PIXELS = DIGITS_SIDE * DIGITS_SIDE };

/* Draws the digit 0 .. 9 into image, row by row from the top; each value is a multiple of 1/255
 * between 0 and 1. Takes one number from *rng: picture k of a stream can be had without the others. */
void digits_draw(uint64_t *rng, int digit, float image[DIGITS_PIXELS]);

/* Draws n pictures, one behind the other, and says in labels which digit each shows. The order is
 * random, and each digit comes n/10 times (give or take one). */
void digits_fill(uint64_t *rng, int n, float *images, int *labels);

#endif
