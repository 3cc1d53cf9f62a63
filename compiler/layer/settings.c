/* nnc, input, batch: statements that say something of the network and compute nothing. */
#include "layer/layer.h"

enum { LANGUAGE = 1 };           /* the version that this nnc reads */

static const Param nnc_params[] = {
    {"VERSION", PARAM_INT, true, NULL, 1, 1000, NULL, "version of the language"},
    {0},
};

static bool nnc_shape(Net *net, Layer *layer)
{
    const Arg *version = &layer->arg[0];
    (void)net;
    if (version->i[0] <= LANGUAGE)
        return true;
    error_at(version->loc, "this is written for version %lld of the language, and this nnc reads version "
                           "%d [version]",
             (long long)version->i[0], LANGUAGE);
    return false;
}

const Kind kind_nnc = {
    .name = "nnc",
    .role = ROLE_SETTING,
    .begins = true,
    .syntax = "nnc 1",
    .help = "the version of the language, as the first statement; it may be left out",
    .params = nnc_params,
    .shape = nnc_shape,
};

static const Param input_params[] = {
    {"SIZE", PARAM_SIZE, true, NULL, 1, MOST_ELEMENTS, NULL, "size"},
    {"of", PARAM_OF, false, "", 1, MOST_TOKENS, NULL, "number of different tokens"},
    {0},
};

bool shape_of_input(const Layer *layer, Shape *shape)
{
    const Arg *size = arg_of(layer, "SIZE"), *of = arg_of(layer, "of");
    *shape = shape_of_sizes(size);
    shape->of = of->n ? of->i[0] : 0;
    if (!of->n || size->n == 1)
        return true;
    shape->of = 0;
    error_at(size->loc, "tokens have one size, the number of them, not '%s' [value]", shape_text(*shape));
    help_at(layer->loc, "write `input %lld of %lld`", (long long)shape_count(*shape), (long long)of->i[0]);
    return false;
}

static bool input_shape(Net *net, Layer *layer)
{
    const Arg *size = &layer->arg[0];
    if (!shape_of_input(layer, &net->input))
        return false;
    if (shape_count(net->input) > MOST_ELEMENTS) {
        error_at(size->loc, "the input is too large: a tensor can have %d elements [limit]", MOST_ELEMENTS);
        return false;
    }
    return true;
}

const Kind kind_input = {
    .name = "input",
    .role = ROLE_SETTING,
    .syntax = "input CxHxW | input TxC | input N | input T of V",
    .help = "what one sample is: an image, a sequence, numbers, or T tokens from 0 to V-1; the first "
            "statement. Several inputs have a label each: `left: input 8`",
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
