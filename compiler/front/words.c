/* words.c: what PyTorch, Keras, darknet and ONNX call things, and what nnc calls them.
 *
 * In: a word that no kind, argument, loss or value of nnc is. Out: the row of the table that knows it.
 *
 * The one idea: a word that another tool has means what it means there, however near it is to one of nnc's
 * (`ce` is crossentropy, not bce; `deconv` is no conv). So this table is asked before "did you mean" looks
 * for similar words. Upper and lower case are the same here and '_' does not count: the row "maxpool2d"
 * stands for MaxPool2d, max_pool2d and MAXPOOL2D. The test of words goes through all rows: what they name
 * must exist. */
#include <ctype.h>
#include <string.h>

#include "front/front.h"

#define NOT_YET "is not in this version of nnc"
#define DEPTHWISE "write conv with as many groups as channels, as in 'conv 32 k3 p1 g32'"
#define SEPARABLE "write two convolutions, as in 'conv 32 k3 p1 g32; conv 64 k1'"
#define ELEMENTS NOT_YET "; dropout drops single elements, not whole channels"
#define VALUE "write 'param NAME = VALUE', and $NAME where it is used"
#define PIECE "write 'block NAME(a) { ... }', and NAME(16) where it is used"
#define TRAINING "is no part of a network, but of its training: see nn(3), and nnkit(3) for --main"
#define STATED "write pad=same for a conv of stride 1, else zeros on each side: p1 for k3, p2 for k5"

const Word foreign_words[] = {
    /* Kinds: convolutions and linear layers. */
    {WORD_KIND, "conv2d", "conv", NULL},
    {WORD_KIND, "convolution", "conv", NULL},
    {WORD_KIND, "convolution2d", "conv", NULL},
    {WORD_KIND, "convolutional", "conv", NULL},
    {WORD_KIND, "depthwiseconv2d", NULL, DEPTHWISE},
    {WORD_KIND, "depthwiseconv", NULL, DEPTHWISE},
    {WORD_KIND, "depthwise", NULL, DEPTHWISE},
    {WORD_KIND, "separableconv2d", NULL, SEPARABLE},
    {WORD_KIND, "separableconv", NULL, SEPARABLE},
    {WORD_KIND, "pointwise", NULL, "write 'conv 64 k1'"},
    {WORD_KIND, "convolution1d", "conv1d", NULL},
    {WORD_KIND, "conv3d", NULL, NOT_YET},
    {WORD_KIND, "deconv", "convtranspose", NULL},
    {WORD_KIND, "deconv2d", "convtranspose", NULL},
    {WORD_KIND, "deconvolution", "convtranspose", NULL},
    {WORD_KIND, "deconvolutional", "convtranspose", NULL},
    {WORD_KIND, "convtranspose2d", "convtranspose", NULL},
    {WORD_KIND, "conv2dtranspose", "convtranspose", NULL},
    {WORD_KIND, "transposedconv", "convtranspose", NULL},
    {WORD_KIND, "upconv", "convtranspose", NULL},
    {WORD_KIND, "let", NULL, VALUE},
    {WORD_KIND, "var", NULL, VALUE},
    {WORD_KIND, "const", NULL, VALUE},
    {WORD_KIND, "set", NULL, VALUE},
    {WORD_KIND, "define", NULL, VALUE},
    {WORD_KIND, "import", NULL, "write 'include \"FILE\"'"},
    {WORD_KIND, "function", NULL, PIECE},
    {WORD_KIND, "def", NULL, PIECE},
    {WORD_KIND, "module", NULL, PIECE},
    {WORD_KIND, "class", NULL, PIECE},
    {WORD_KIND, "for", NULL, "write 'repeat N { ... }'"},
    {WORD_KIND, "loop", NULL, "write 'repeat N { ... }'"},
    {WORD_KIND, "optimizer", NULL, TRAINING},
    {WORD_KIND, "optim", NULL, TRAINING},
    {WORD_KIND, "adam", NULL, TRAINING},
    {WORD_KIND, "sgd", NULL, TRAINING},
    {WORD_KIND, "epochs", NULL, TRAINING},
    {WORD_KIND, "compile", NULL, TRAINING},
    {WORD_KIND, "lr", NULL, TRAINING},
    {WORD_KIND, "linear", "fc", NULL},
    {WORD_KIND, "lazylinear", "fc", NULL},
    {WORD_KIND, "dense", "fc", NULL},
    {WORD_KIND, "gemm", "fc", NULL},
    {WORD_KIND, "matmul", "fc", NULL},
    {WORD_KIND, "innerproduct", "fc", NULL},
    {WORD_KIND, "connected", "fc", NULL},
    {WORD_KIND, "fullyconnected", "fc", NULL},
    {WORD_KIND, "bilinear", NULL, NOT_YET},

    /* Pooling and sizes. */
    {WORD_KIND, "pool", NULL, "write maxpool or avgpool"},
    {WORD_KIND, "pooling", NULL, "write maxpool or avgpool"},
    {WORD_KIND, "maxpool2d", "maxpool", NULL},
    {WORD_KIND, "maxpooling", "maxpool", NULL},
    {WORD_KIND, "maxpooling2d", "maxpool", NULL},
    {WORD_KIND, "avgpool2d", "avgpool", NULL},
    {WORD_KIND, "averagepool", "avgpool", NULL},
    {WORD_KIND, "averagepool2d", "avgpool", NULL},
    {WORD_KIND, "averagepooling2d", "avgpool", NULL},
    {WORD_KIND, "meanpool", "avgpool", NULL},
    {WORD_KIND, "maxpooling1d", "maxpool1d", NULL},
    {WORD_KIND, "averagepooling1d", "avgpool1d", NULL},
    {WORD_KIND, "globalaveragepool", "globalavgpool", NULL},
    {WORD_KIND, "globalaveragepooling2d", "globalavgpool", NULL},
    {WORD_KIND, "globalavgpool2d", "globalavgpool", NULL},
    {WORD_KIND, "globalpool", "globalavgpool", NULL},
    {WORD_KIND, "gap", "globalavgpool", NULL},
    {WORD_KIND, "globalmaxpool2d", "globalmaxpool", NULL},
    {WORD_KIND, "globalmaxpooling2d", "globalmaxpool", NULL},
    {WORD_KIND, "adaptiveavgpool2d", "adaptiveavgpool", NULL},
    {WORD_KIND, "adaptivemaxpool2d", NULL, NOT_YET},
    {WORD_KIND, "adaptivemaxpool", NULL, NOT_YET},
    {WORD_KIND, "upsampling2d", "upsample", NULL},
    {WORD_KIND, "upsampling", "upsample", NULL},
    {WORD_KIND, "upsamplingnearest2d", "upsample", NULL},
    {WORD_KIND, "upsamplingbilinear2d", NULL,
     "write 'upsample 2 mode=bilinear', which has align_corners=False"},
    {WORD_KIND, "interpolate", "upsample", NULL},
    {WORD_KIND, "resize", "upsample", NULL},
    {WORD_KIND, "shufflechannel", "channelshuffle", NULL},
    {WORD_KIND, "depthtospace", "pixelshuffle", NULL},
    {WORD_KIND, "subpixel", "pixelshuffle", NULL},
    {WORD_KIND, "zeropad2d", "zeropad", NULL},
    {WORD_KIND, "zeropadding2d", "zeropad", NULL},
    {WORD_KIND, "pad", "zeropad", NULL},
    {WORD_KIND, "reflectionpad2d", NULL, "write it with the convolution, as in 'conv 16 k3 p1 pad=reflect'"},
    {WORD_KIND, "replicationpad2d", NULL,
     "write it with the convolution, as in 'conv 16 k3 p1 pad=replicate'"},
    {WORD_KIND, "circularpad2d", NULL, "write it with the convolution, as in 'conv 16 k3 p1 pad=circular'"},

    /* Activations. */
    {WORD_KIND, "activation", NULL, "write the activation itself, such as relu"},
    {WORD_KIND, "leaky", "leakyrelu", NULL},
    {WORD_KIND, "lrelu", "leakyrelu", NULL},
    {WORD_KIND, "swish", "silu", NULL},
    {WORD_KIND, "hswish", "hardswish", NULL},
    {WORD_KIND, "hsigmoid", "hardsigmoid", NULL},
    {WORD_KIND, "logistic", "sigmoid", NULL},
    {WORD_KIND, "logsoftmax", NULL, "write softmax: the loss crossentropy takes its logarithm"},
    {WORD_KIND, "softmax2d", "softmax", NULL},
    {WORD_KIND, "identity", NULL, "leave it out"},
    {WORD_KIND, "parametricrelu", "prelu", NULL},
    {WORD_KIND, "clip", "hardtanh", NULL},
    {WORD_KIND, "clamp", "hardtanh", NULL},
    {WORD_KIND, "rrelu", NULL, NOT_YET},
    {WORD_KIND, "celu", NULL, NOT_YET},
    {WORD_KIND, "glu", NULL, NOT_YET},
    {WORD_KIND, "softmin", NULL, NOT_YET},
    {WORD_KIND, "softshrink", NULL, NOT_YET},
    {WORD_KIND, "hardshrink", NULL, NOT_YET},
    {WORD_KIND, "logsigmoid", NULL, NOT_YET},
    {WORD_KIND, "threshold", NULL, NOT_YET},
    {WORD_KIND, "exponential", NULL, NOT_YET},

    /* Normalisation and dropout. */
    {WORD_KIND, "batchnorm1d", "batchnorm", NULL},
    {WORD_KIND, "batchnorm2d", "batchnorm", NULL},
    {WORD_KIND, "batchnormalization", "batchnorm", NULL},
    {WORD_KIND, "bn", "batchnorm", NULL},
    {WORD_KIND, "layernormalization", "layernorm", NULL},
    {WORD_KIND, "ln", "layernorm", NULL},
    {WORD_KIND, "groupnormalization", "groupnorm", NULL},
    {WORD_KIND, "gn", "groupnorm", NULL},
    {WORD_KIND, "instancenorm2d", "instancenorm", NULL},
    {WORD_KIND, "instancenormalization", "instancenorm", NULL},
    {WORD_KIND, "rmsnorm", NULL, NOT_YET},
    {WORD_KIND, "localresponsenorm", NULL, NOT_YET},
    {WORD_KIND, "lrn", NULL, NOT_YET},
    {WORD_KIND, "normalization", "normalize", NULL},
    {WORD_KIND, "rescaling", NULL, "write 'normalize mean=0 std=255' for a division by 255"},
    {WORD_KIND, "dropout2d", NULL, ELEMENTS},
    {WORD_KIND, "dropout1d", NULL, ELEMENTS},
    {WORD_KIND, "spatialdropout2d", NULL, ELEMENTS},
    {WORD_KIND, "featurealphadropout", NULL, NOT_YET},
    {WORD_KIND, "alphadropout", NULL, NOT_YET},
    {WORD_KIND, "gaussiannoise", NULL, NOT_YET},
    {WORD_KIND, "droppath", NULL, NOT_YET},

    /* Shapes, and what brings branches together. */
    {WORD_KIND, "split", NULL, "write 'slice 0 16' for the first 16 channels"},
    {WORD_KIND, "chunk", NULL, "write 'slice 0 16' for the first 16 channels"},
    {WORD_KIND, "narrow", NULL, "write 'slice 0 16' for the first 16 channels"},
    {WORD_KIND, "view", "reshape", NULL},
    {WORD_KIND, "unflatten", "reshape", NULL},
    {WORD_KIND, "permute", NULL, "write transpose for a sequence, sequence for an image"},
    {WORD_KIND, "squeeze", NULL, "write flatten, or nothing: a size of 1 disturbs no layer"},
    {WORD_KIND, "unsqueeze", NULL, "write reshape with all sizes, as in 'reshape 1x28x28'"},
    {WORD_KIND, "concatenate", "concat", NULL},
    {WORD_KIND, "cat", "concat", NULL},
    {WORD_KIND, "route", NULL, "write 'from x' or 'concat x', where x is the label of a layer"},
    {WORD_KIND, "shortcut", NULL, "write 'add x', where x is the label of a layer"},
    {WORD_KIND, "residual", NULL, "write 'x:' before the branch and 'add x' after it"},
    {WORD_KIND, "skip", NULL, "write 'x:' before the branch and 'add x' after it"},
    {WORD_KIND, "sum", "add", NULL},
    {WORD_KIND, "plus", "add", NULL},
    {WORD_KIND, "multiply", "mul", NULL},
    {WORD_KIND, "times", "mul", NULL},
    {WORD_KIND, "sub", NULL, NOT_YET},
    {WORD_KIND, "subtract", NULL, NOT_YET},
    {WORD_KIND, "maximum", NULL, NOT_YET},
    {WORD_KIND, "average", NULL, NOT_YET},
    {WORD_KIND, "inputlayer", "input", NULL},
    {WORD_KIND, "inputshape", "input", NULL},
    {WORD_KIND, "batchsize", "batch", NULL},
    {WORD_KIND, "sequential", NULL, "write the layers one after the other, separated by ';' or new lines"},

    /* Sequences. */
    {WORD_KIND, "simplernn", "rnn", NULL},
    {WORD_KIND, "elman", "rnn", NULL},
    {WORD_KIND, "bidirectional", NULL, "write the layer twice, once with reverse=true, and concat"},
    {WORD_KIND, "timedistributed", NULL, NOT_YET},
    {WORD_KIND, "embed", "embedding", NULL},
    {WORD_KIND, "embeddingbag", NULL, NOT_YET},
    {WORD_KIND, "tokenembedding", "embedding", NULL},
    {WORD_KIND, "positionalencoding", "positions", NULL},
    {WORD_KIND, "clstoken", "classtoken", NULL},
    {WORD_KIND, "selfattention", "attention", NULL},
    {WORD_KIND, "multiheadattention", "attention", NULL},
    {WORD_KIND, "mha", "attention", NULL},
    {WORD_KIND, "transformer", NULL, "write its layers: `nnc --example gpt` prints one"},
    {WORD_KIND, "transformerencoder", NULL, "write its layers: `nnc --example gpt` prints one"},
    {WORD_KIND, "transformerencoderlayer", NULL, "write its layers: `nnc --example gpt` prints one"},

    /* Losses. */
    {WORD_LOSS, "ce", "crossentropy", NULL},
    {WORD_LOSS, "xent", "crossentropy", NULL},
    {WORD_LOSS, "celoss", "crossentropy", NULL},
    {WORD_LOSS, "crossentropyloss", "crossentropy", NULL},
    {WORD_LOSS, "categoricalcrossentropy", "crossentropy", NULL},
    {WORD_LOSS, "sparsecategoricalcrossentropy", "crossentropy", NULL},
    {WORD_LOSS, "softmaxcrossentropy", "crossentropy", NULL},
    {WORD_LOSS, "softmaxcrossentropyloss", "crossentropy", NULL},
    {WORD_LOSS, "softmaxloss", "crossentropy", NULL},
    {WORD_LOSS, "nll", "crossentropy", NULL},
    {WORD_LOSS, "nllloss", "crossentropy", NULL},
    {WORD_LOSS, "negativeloglikelihoodloss", "crossentropy", NULL},
    {WORD_LOSS, "logloss", NULL, "write crossentropy for one of several classes, or bce for yes or no"},
    {WORD_LOSS, "bceloss", "bce", NULL},
    {WORD_LOSS, "bcewithlogits", "bce", NULL},
    {WORD_LOSS, "bcewithlogitsloss", "bce", NULL},
    {WORD_LOSS, "binarycrossentropy", "bce", NULL},
    {WORD_LOSS, "binarycrossentropywithlogits", "bce", NULL},
    {WORD_LOSS, "sigmoidcrossentropy", "bce", NULL},
    {WORD_LOSS, "logistic", "bce", NULL},
    {WORD_LOSS, "mseloss", "mse", NULL},
    {WORD_LOSS, "meansquarederror", "mse", NULL},
    {WORD_LOSS, "squarederror", "mse", NULL},
    {WORD_LOSS, "l2", "mse", NULL},
    {WORD_LOSS, "l2loss", "mse", NULL},
    {WORD_LOSS, "sse", NULL, "write mse, which is the mean, not the sum"},
    {WORD_LOSS, "l1loss", "l1", NULL},
    {WORD_LOSS, "mae", "l1", NULL},
    {WORD_LOSS, "maeloss", "l1", NULL},
    {WORD_LOSS, "meanabsoluteerror", "l1", NULL},
    {WORD_LOSS, "huberloss", "huber", NULL},
    {WORD_LOSS, "smoothl1", NULL, "write 'huber 1', which is the same for beta 1"},
    {WORD_LOSS, "smoothl1loss", NULL, "write 'huber 1', which is the same for beta 1"},
    {WORD_LOSS, "hingeloss", "hinge", NULL},
    {WORD_LOSS, "sigmoidfocalloss", "focal", NULL},
    {WORD_LOSS, "categoricalhinge", NULL, "write hinge, which sums over all other classes"},
    {WORD_LOSS, "multimarginloss", "hinge", NULL},
    {WORD_LOSS, "kldiv", "kl", NULL},
    {WORD_LOSS, "kldivloss", "kl", NULL},
    {WORD_LOSS, "kldivergence", "kl", NULL},
    {WORD_LOSS, "focalloss", "focal", NULL},
    {WORD_LOSS, "diceloss", "dice", NULL},
    {WORD_LOSS, "ctc", NULL, NOT_YET},
    {WORD_LOSS, "ctcloss", NULL, NOT_YET},
    {WORD_LOSS, "cosine", NULL, NOT_YET},
    {WORD_LOSS, "cosinesimilarity", NULL, NOT_YET},
    {WORD_LOSS, "cosineembeddingloss", NULL, NOT_YET},
    {WORD_LOSS, "tripletmarginloss", NULL, NOT_YET},
    {WORD_LOSS, "poissonnllloss", NULL, NOT_YET},
    {WORD_LOSS, "gaussiannllloss", NULL, NOT_YET},

    /* Arguments: ours is the parameter of the kind's table, in capitals one without a name; "": leave it
     * out. */
    {WORD_ARGUMENT, "kernel", "k", NULL},
    {WORD_ARGUMENT, "kernelsize", "k", NULL},
    {WORD_ARGUMENT, "kernelshape", "k", NULL},
    {WORD_ARGUMENT, "ksize", "k", NULL},
    {WORD_ARGUMENT, "poolsize", "k", NULL},
    {WORD_ARGUMENT, "window", "k", NULL},
    {WORD_ARGUMENT, "windowsize", "k", NULL},
    {WORD_ARGUMENT, "size", "k", NULL},
    {WORD_ARGUMENT, "size", "N", NULL},
    {WORD_ARGUMENT, "stride", "s", NULL},
    {WORD_ARGUMENT, "strides", "s", NULL},
    {WORD_ARGUMENT, "padding", "p", NULL},
    {WORD_ARGUMENT, "pads", "p", NULL},
    {WORD_ARGUMENT, "pad", "p", NULL},
    {WORD_ARGUMENT, "dilation", "d", NULL},
    {WORD_ARGUMENT, "dilations", "d", NULL},
    {WORD_ARGUMENT, "dilationrate", "d", NULL},
    {WORD_ARGUMENT, "dilationrates", "d", NULL},
    {WORD_ARGUMENT, "groups", "g", NULL},
    {WORD_ARGUMENT, "group", "g", NULL},
    {WORD_ARGUMENT, "groups", "G", NULL},
    {WORD_ARGUMENT, "group", "G", NULL},
    {WORD_ARGUMENT, "numgroups", "G", NULL},
    {WORD_ARGUMENT, "outputpadding", "o", NULL},
    {WORD_ARGUMENT, "outchannels", "O", NULL},
    {WORD_ARGUMENT, "outfeatures", "O", NULL},
    {WORD_ARGUMENT, "filters", "O", NULL},
    {WORD_ARGUMENT, "units", "O", NULL},
    {WORD_ARGUMENT, "output", "O", NULL},
    {WORD_ARGUMENT, "outputs", "O", NULL},
    {WORD_ARGUMENT, "out", "O", NULL},
    {WORD_ARGUMENT, "channels", "O", NULL},
    {WORD_ARGUMENT, "features", "O", NULL},
    {WORD_ARGUMENT, "inchannels", "", "nnc knows the number of input channels"},
    {WORD_ARGUMENT, "infeatures", "", "nnc knows the number of input features"},
    {WORD_ARGUMENT, "inputdim", "", "nnc knows the number of input features"},
    {WORD_ARGUMENT, "numfeatures", "", "nnc knows the number of channels"},
    {WORD_ARGUMENT, "numchannels", "", "nnc knows the number of channels"},
    {WORD_ARGUMENT, "normalizedshape", "", "nnc knows the shape of the input"},
    {WORD_ARGUMENT, "usebias", "bias", NULL},
    {WORD_ARGUMENT, "biasterm", "bias", NULL},
    {WORD_ARGUMENT, "paddingmode", "pad", NULL},
    {WORD_ARGUMENT, "countincludepad", "countpad", NULL},
    {WORD_ARGUMENT, "outputsize", "SIZE", NULL},
    {WORD_ARGUMENT, "shape", "SIZE", NULL},
    {WORD_ARGUMENT, "batchsize", "N", NULL},
    {WORD_ARGUMENT, "scalefactor", "N", NULL},
    {WORD_ARGUMENT, "scale", "N", NULL},
    {WORD_ARGUMENT, "factor", "N", NULL},
    {WORD_ARGUMENT, "interpolation", "mode", NULL},
    {WORD_ARGUMENT, "negativeslope", "SLOPE", NULL},
    {WORD_ARGUMENT, "slope", "SLOPE", NULL},
    {WORD_ARGUMENT, "alpha", "SLOPE", NULL},
    {WORD_ARGUMENT, "alpha", "ALPHA", NULL},
    {WORD_ARGUMENT, "p", "P", NULL},
    {WORD_ARGUMENT, "rate", "P", NULL},
    {WORD_ARGUMENT, "ratio", "P", NULL},
    {WORD_ARGUMENT, "prob", "P", NULL},
    {WORD_ARGUMENT, "probability", "P", NULL},
    {WORD_ARGUMENT, "upscalefactor", "N", NULL},
    {WORD_ARGUMENT, "blocksize", "N", NULL},
    {WORD_ARGUMENT, "minval", "MIN", NULL},
    {WORD_ARGUMENT, "maxval", "MAX", NULL},
    {WORD_ARGUMENT, "min", "MIN", NULL},
    {WORD_ARGUMENT, "max", "MAX", NULL},
    {WORD_ARGUMENT, "init", "SLOPE", NULL},
    {WORD_ARGUMENT, "padding", "SIDES", NULL},
    {WORD_ARGUMENT, "delta", "DELTA", NULL},
    {WORD_ARGUMENT, "epsilon", "eps", NULL},
    {WORD_ARGUMENT, "variance", NULL, "write its square root, as in 'normalize mean=0 std=2'"},
    {WORD_ARGUMENT, "sigma", "std", NULL},
    {WORD_ARGUMENT, "labelsmoothing", "smooth", NULL},
    {WORD_ARGUMENT, "smoothing", "smooth", NULL},
    {WORD_ARGUMENT, "weight", "weights", NULL},
    {WORD_ARGUMENT, "classweight", "weights", NULL},
    {WORD_ARGUMENT, "classweights", "weights", NULL},
    {WORD_ARGUMENT, "approximate", NULL, "write 'gelu tanh=true' for the approximation by tanh"},
    {WORD_ARGUMENT, "activation", NULL, "write it as a statement of its own, as in 'conv 16 k3; relu'"},
    {WORD_ARGUMENT, "batchnormalize", NULL,
     "write it as a statement of its own, as in 'conv 16 k3; batchnorm'"},
    {WORD_ARGUMENT, "name", NULL, "write a label before the statement, as in 'stem: conv 16 k3'"},
    {WORD_ARGUMENT, "tied", NULL, "write weights=L for the weights of the layer with the label L"},
    {WORD_ARGUMENT, "share", NULL, "write weights=L for the weights of the layer with the label L"},
    {WORD_ARGUMENT, "shared", NULL, "write weights=L for the weights of the layer with the label L"},
    {WORD_ARGUMENT, "trainable", NULL, "write freeze=true for weights that do not learn"},
    {WORD_ARGUMENT, "requiresgrad", NULL, "write freeze=true for weights that do not learn"},
    {WORD_ARGUMENT, "inputshape", NULL, "write 'input CxHxW' as the first statement"},
    {WORD_ARGUMENT, "ceilmode", "ceil", NULL},
    {WORD_ARGUMENT, "beta", NULL, NOT_YET},
    {WORD_ARGUMENT, "ignoreindex", NULL, NOT_YET},
    {WORD_ARGUMENT, "kernelinitializer", NULL, NOT_YET},
    {WORD_ARGUMENT, "kernelregularizer", NULL, NOT_YET "; optimizers have weight_decay"},
    {WORD_ARGUMENT, "hiddensize", "O", NULL},
    {WORD_ARGUMENT, "gobackwards", "reverse", NULL},
    {WORD_ARGUMENT, "bidirectional", NULL, "write the layer twice, once with reverse=true, and concat"},
    {WORD_ARGUMENT, "numlayers", NULL, "write one layer after the other"},
    {WORD_ARGUMENT, "layers", NULL, "write one layer after the other"},
    {WORD_ARGUMENT, "heads", "H", NULL},
    {WORD_ARGUMENT, "nhead", "H", NULL},
    {WORD_ARGUMENT, "lr", NULL, TRAINING},
    {WORD_ARGUMENT, "learningrate", NULL, TRAINING},
    {WORD_ARGUMENT, "affine", "",
     "instancenorm has no weight and bias, all other normalisations have them"},
    {WORD_ARGUMENT, "elementwiseaffine", "", "normalisations always have weight and bias"},
    {WORD_ARGUMENT, "trackrunningstats", "", "batchnorm always keeps running statistics, instancenorm never"},
    {WORD_ARGUMENT, "aligncorners", "", "upsample works as with align_corners=False"},
    {WORD_ARGUMENT, "reduction", "", "losses are always means"},
    {WORD_ARGUMENT, "fromlogits", "", "a loss takes logits when no softmax or sigmoid comes last"},
    {WORD_ARGUMENT, "dim", "", "layers work on the channels, or on the features after fc"},
    {WORD_ARGUMENT, "axis", "", "layers work on the channels, or on the features after fc"},
    {WORD_ARGUMENT, "inplace", "", "nnc does that by itself"},
    {WORD_ARGUMENT, "batchfirst", "", "the samples always come first"},
    {WORD_ARGUMENT, "returnsequences", "", "a layer on a sequence gives all positions"},
    {WORD_ARGUMENT, "dataformat", "", "tensors are always channels first"},
    {WORD_ARGUMENT, "dtype", "", "all numbers are floats"},
    {WORD_ARGUMENT, "device", "", "the code runs on the processor"},

    /* Values: ours is one of the parameter's words, or a number. */
    {WORD_VALUE, "0", "false", NULL},
    {WORD_VALUE, "no", "false", NULL},
    {WORD_VALUE, "off", "false", NULL},
    {WORD_VALUE, "none", "false", NULL},
    {WORD_VALUE, "1", "true", NULL},
    {WORD_VALUE, "yes", "true", NULL},
    {WORD_VALUE, "on", "true", NULL},
    {WORD_VALUE, "zero", "zeros", NULL},
    {WORD_VALUE, "constant", "zeros", NULL},
    {WORD_VALUE, "reflection", "reflect", NULL},
    {WORD_VALUE, "edge", "replicate", NULL},
    {WORD_VALUE, "border", "replicate", NULL},
    {WORD_VALUE, "replication", "replicate", NULL},
    {WORD_VALUE, "wrap", "circular", NULL},
    {WORD_VALUE, "periodic", "circular", NULL},
    {WORD_VALUE, "linear", "bilinear", NULL},
    {WORD_VALUE, "valid", "0", NULL},
    {WORD_VALUE, "same", NULL, STATED},
    {WORD_VALUE, "sameupper", NULL, STATED},
};

const int nforeign_words = sizeof foreign_words / sizeof *foreign_words;

/* By kind: what PyTorch has at each position. "I": the input's channels; "-": what nnc knows itself. */
static const struct Order {
    const char *kind, *params;
} orders[] = {
    {"conv", "I O k s p d g bias pad"},
    {"convtranspose", "I O k s p o g bias d"},
    {"fc", "I O bias"},
    {"conv1d", "I O k s p d g bias pad"},
    {"maxpool1d", "k s p"},
    {"avgpool1d", "k s p"},
    {"maxpool", "k s p d - ceil"},
    {"avgpool", "k s p ceil countpad"},
    {"zeropad", "SIDES"},
    {"pixelshuffle", "N"},
    {"channelshuffle", "G"},
    {"hardtanh", "MIN MAX"},
    {"instancenorm", "- eps"},
    {"batchnorm", "- eps momentum"},
    {"layernorm", "- eps"},
    {"groupnorm", "G - eps"},
};

const char *positions_of(const Kind *kind)
{
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (!strcmp(orders[i].kind, kind->name))
            return orders[i].params;
    return NULL;
}

bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "_");
        b += strspn(b, "_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

const Word *find_word(WordUse use, const char *text, const Word *after)
{
    for (int i = after ? (int)(after - foreign_words) + 1 : 0; i < nforeign_words; i++)
        if (foreign_words[i].use == use && same_word(foreign_words[i].word, text))
            return &foreign_words[i];
    return NULL;
}

const Kind *find_kind(const char *name)
{
    for (int i = 0; i < nkinds; i++)
        if (!strcmp(kinds[i]->name, name))
            return kinds[i];
    return NULL;
}

/* ---- Which kind is meant --------------------------------------------------------------------- */

bool is_statement(const Kind *kind)
{
    return kind->role != ROLE_LOSS;
}

const Kind *kind_meant(const char *word, bool loss)
{
    for (int i = 0; i < nkinds; i++)
        if (is_statement(kinds[i]) != loss && same_word(kinds[i]->name, word))
            return kinds[i];
    const Word *known = find_word(loss ? WORD_LOSS : WORD_KIND, word, NULL);
    return known && known->ours ? find_kind(known->ours) : NULL;
}

/* "did you mean": the kind nearest to a word, by nnc's words and other tools'; NULL: none is near. */
static const Kind *kind_near(const char *word, bool loss)
{
    if (!errors_are_shown())
        return NULL; /* nobody would see it */
    const char **names = NEW_ARRAY(const char *, nkinds + nforeign_words);
    int n = 0;
    for (int i = 0; i < nkinds; i++)
        if (is_statement(kinds[i]) != loss)
            names[n++] = kinds[i]->name;
    for (int i = 0; i < nforeign_words; i++)
        if (foreign_words[i].use == (loss ? WORD_LOSS : WORD_KIND))
            names[n++] = foreign_words[i].word;
    const char *near = closest(word, names, n);
    return near ? kind_meant(near, loss) : NULL;
}

const Kind *unknown_kind(const Token *name, bool loss, const Kind **asked)
{
    const char *what = loss ? "loss" : "kind of layer", *text = name->text;
    const Word *word = find_word(loss ? WORD_LOSS : WORD_KIND, text, NULL);
    const Kind *meant = kind_meant(text, loss), *other = kind_meant(text, !loss), *near = NULL;
    if (meant)
        error_at(name->loc, "unknown %s '%s'; write %s [kind]", what, text, meant->name);
    else if (word && !strncmp(word->say, "is ", 3))
        error_at(name->loc, "'%s' %s [kind]", text, word->say);
    else if (word)
        error_at(name->loc, "unknown %s '%s'; %s [kind]", what, text, word->say);
    else if (other && !loss)
        error_at(name->loc, "%s is a loss: write `loss %s` [kind]", text, other->name);
    else if ((near = kind_near(text, loss)))
        error_at(name->loc, "unknown %s '%s'; did you mean %s? [kind]", what, text, near->name);
    else if (loss)
        error_at(name->loc, "unknown loss '%s': the losses are %s [loss]", text,
                 find_kind("loss")->syntax + strlen("loss "));
    else
        error_at(name->loc, "unknown kind of layer '%s' (nnc --help lists them all) [kind]", text);
    *asked = near;
    return meant;
}

bool is_choice(const Param *p, const char *text)
{
    size_t length = strlen(text);
    for (const char *c = p->choices; c && *c; c += strcspn(c, "|"), c += *c == '|')
        if (strcspn(c, "|") == length && !strncmp(c, text, length))
            return true;
    return false;
}

const Param *choice_of(const Kind *kind, const char *text)
{
    for (const Param *p = kind->params; p->name; p++)
        if (p->type == PARAM_CHOICE && is_choice(p, text))
            return p;
    return NULL;
}
