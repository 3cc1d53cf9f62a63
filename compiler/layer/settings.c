/* input, batch: statements that say something of the network and compute nothing. */
#include "layer/layer.h"

static const Param input_params[] = {
    {"SIZE", PARAM_SIZE, true, NULL, 1, MOST_ELEMENTS, NULL, "size"},
    {0},
};

static bool input_shape(Net *net, Layer *layer)
{
    const Arg *size = &layer->arg[0];
    net->input = shape_of_sizes(size);
    if (shape_count(net->input) > MOST_ELEMENTS) {
        error_at(size->loc, "the input is too large: a tensor can have %d elements [limit]", MOST_ELEMENTS);
        return false;
    }
    return true;
}

const Kind kind_input = {
    .name = "input",
    .role = ROLE_SETTING,
    .syntax = "input CxHxW | input TxC | input N",
    .help = "what one sample is: an image, a sequence or numbers; the first statement. Several inputs have a "
            "label each: `left: input 8`",
    .params = input_params,
    .shape = input_shape,
    .layer = &kind_input_part,
};

static const Param batch_params[] = {
    {"N", PARAM_INT, true, NULL, 1, 1 << 24, NULL, "number of samples"},
    {0},
};

static bool batch_shape(Net *net, Layer *layer)
{
    net->batch = layer->arg[0].i[0];
    return true;
}

const Kind kind_batch = {
    .name = "batch",
    .role = ROLE_SETTING,
    .syntax = "batch N",
    .help = "the maximum number of samples in a call; 32 if left out",
    .params = batch_params,
    .shape = batch_shape,
};
