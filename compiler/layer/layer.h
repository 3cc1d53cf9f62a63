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

#endif
