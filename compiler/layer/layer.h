/* layer.h: what a kind of layer may use: shapes and arguments of front, the builders of program.
 *
 * A kind is one file here and one row in kinds.c. */
#ifndef NNC_LAYER_LAYER_H
#define NNC_LAYER_LAYER_H

#include "front/front.h"
#include "program/program.h"

extern const Kind kind_input_part;                         /* parts.c */
bool shape_of_input(const Layer *, Shape *);               /* settings.c; false after an error */
/* parts.c: the token at that position of the network's input, or of one of several. */
Access token_at(Prog *, const Value *, Affine position);

/* crossentropy.c: the greatest logit and the sum of exp(in[c] - max) at each position, for a loss: the
 * answer's where that is worked out of the same logits, else parts "max", "exp" and "sum" of the loss. */
void lower_softmax_sum(Prog *, const Layer *, Tensor **greatest, Tensor **total);

#endif
