/* kinds.c: the table of kinds. The parser's user, the documentation, "did you mean" and the tests of
 * gradients and of generated C all walk it; a new kind is its file in layer/ and its line here. */
#include <string.h>

#include "layer/layer.h"

#define KINDS(row) \
    row(nnc) row(input) row(batch) \
    row(conv) row(convtranspose) row(fc) row(maxpool) row(avgpool) row(adaptiveavgpool) row(globalavgpool) \
    row(globalmaxpool) row(upsample) row(zeropad) row(pixelshuffle) row(channelshuffle) \
    row(relu) row(relu6) row(leakyrelu) row(prelu) row(elu) row(selu) row(gelu) row(silu) row(mish) \
    row(softplus) row(softsign) row(hardtanh) \
    row(sigmoid) row(hardsigmoid) row(hardswish) row(tanh) row(softmax) \
    row(batchnorm) row(layernorm) row(groupnorm) row(instancenorm) \
    row(conv1d) row(maxpool1d) row(avgpool1d) row(last) row(first) row(sequence) row(image) row(transpose) \
    row(embedding) row(classtoken) row(positions) row(attention) \
    row(rnn) row(gru) row(lstm) \
    row(flatten) row(reshape) row(slice) row(dropout) row(normalize) \
    row(from) row(add) row(concat) row(mul) row(repeat) row(block) \
    row(include) row(param) row(freeze) row(output) \
    row(loss) row(crossentropy) row(bce) row(mse) row(l1) row(huber) row(hinge) row(focal) row(dice) row(kl) \
    row(none)

#define DECLARE(name) extern const Kind kind_##name;

KINDS(DECLARE)

#define ROW(name) &kind_##name,
const Kind *const kinds[] = {KINDS(ROW)};

const int nkinds = sizeof kinds / sizeof *kinds;
