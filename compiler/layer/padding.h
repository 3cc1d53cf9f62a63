/* padding.h: what lies in the padding of a convolution, other than zeros: pieces of one side of its input. */
#ifndef NNC_LAYER_PADDING_H
#define NNC_LAYER_PADDING_H

#include "program/program.h"

enum { PAD_ZEROS, PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR, PAD_CAUSAL,
       PAD_SAME = PAD_CAUSAL }; /* conv1d has the one, conv the other */

/* A piece of one side of the padded input: where it begins there, how long it is, where its values come
 * from. */
typedef struct Piece {
    int64_t begin, length, from, step;
} Piece;

int cut_padding(int mode, int64_t size, int64_t p, Piece piece[3]); /* how many */
Affine along_piece(Affine index, int64_t from, int64_t step);

#endif
