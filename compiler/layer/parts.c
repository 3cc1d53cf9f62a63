/* input with a label, output: several tensors in one.
 *
 * Of several inputs, and of several answers, each is a part of what the caller sees, one behind the other
 * within each sample. So x and y stay one flat tensor each, and a part is moved out of x, or into y:
 *
 *     left.out[c, y, x] = input[at + 16c + 4y + x]        output1.out[at + c] = value.out[c] */
#include <string.h>

#include "layer/layer.h"

static const Param input_params[] = {
    {"SIZE", PARAM_SIZE, true, NULL, 1, MOST_ELEMENTS, NULL, "size"},
    {"of", PARAM_OF, false, "", 1, MOST_TOKENS, NULL, "number of different tokens"},
    {0},
};

/* Where the next part of a list begins; it is added. */
static int64_t add_part(Part **list, const char *label, Loc loc, const Value *value)
{
    int64_t at = 0;
    for (; *list; list = &(*list)->next)
        at = (*list)->at + shape_count((*list)->value->shape);
    *list = NEW(Part);
    **list = (Part){label, loc, value, at, NULL};
    return at;
}

/* The element of the flat tensor where that part's element lies. */
static Access in_whole(Tensor *whole, Access element, int64_t at)
{
    return access_at(whole, affine_add(position_of(element), affine(at)));
}

/* ---- Inputs ---------------------------------------------------------------------------------- */

static bool input_shape(Net *net, Layer *layer)
{
    if (!shape_of_input(layer, &layer->out->shape))
        return false;
    add_part(&net->inputs, layer->name, layer->loc, layer->out);
    return true;
}

static const Part *part_of_value(const Net *net, const Value *value)
{
    const Part *part = net->inputs;
    while (part->value != value)
        part = part->next;
    return part;
}

Access token_at(Prog *prog, const Value *value, Affine position)
{
    const Net *net = prog->net;
    Affine begin = affine(value == net->in ? 0 : part_of_value(net, value)->at);
    return access_at(tensor_of(prog, net->in), affine_add(position, begin));
}

/* Tokens stay where they are. */
static void lower_input(Prog *prog, const Layer *layer)
{
    const Part *part = part_of_value(prog->net, layer->out);
    if (layer->out->shape.of)
        return;
    Statement *s = new_statement(prog);
    Access out = element(s, tensor_of(prog, layer->out));
    store(prog, s, STORE_SET, out, load(in_whole(tensor_of(prog, layer->in), out, part->at)));
}

const Kind kind_input_part = {
    .name = "input",
    .each_position = true,
    .role = ROLE_LAYER,
    .takes = TAKES_BOTH,
    .params = input_params,
    .shape = input_shape,
    .lower = lower_input,
    .torch = "x[:, {at}:{end}].reshape(len(x), {out_shape})",
};

/* ---- Answers --------------------------------------------------------------------------------- */

static const Param output_params[] = {
    {"L", PARAM_LABELS, true, NULL, 1, 48, NULL, "label"},
    {0},
};

/* Gives the flat tensor of all answers; of one answer alone, that one as it is. */
static bool output_shape(Net *net, Layer *layer)
{
    const Arg *names = &layer->arg[0];
    for (int i = 0; i < layer->nmore; i++) {
        const Token *label = &names->label[i];
        const Layer *producer = layer->more[i]->producer;
        if (!producer || producer->kind == &kind_input_part) {
            error_at(label->loc, "'%s' is an input: an answer must come from a layer", label->text);
            return false;
        }
        for (int k = 0; k < i; k++)
            if (!strcmp(names->label[k].text, label->text)) {
                error_at(label->loc, "output names '%s' twice", label->text);
                return false;
            }
        add_part(&net->answers, label->text, label->loc, layer->more[i]);
    }
    if (layer->nmore == 1)
        net->out = layer->more[0];
    return true;
}

static bool answers_shape(Net *net, Layer *layer)
{
    int64_t count = 0;
    (void)net;
    for (int i = 0; i < layer->nmore; i++)
        count += shape_count(layer->more[i]->shape);
    layer->in = layer->more[0]; /* what is current is no answer unless it is named */
    layer->out->shape = flat_shape(count);
    return true;
}

static void lower_answers(Prog *prog, const Layer *layer)
{
    for (const Part *part = prog->net->answers; part; part = part->next) {
        Statement *s = new_statement(prog);
        Access from = element(s, tensor_of(prog, part->value));
        store(prog, s, STORE_SET, in_whole(tensor_of(prog, layer->out), from, part->at), load(from));
    }
}

static const Kind kind_answers = {
    .name = "output",
    .each_position = true,
    .role = ROLE_LAYER,
    .params = output_params,
    .shape = answers_shape,
    .lower = lower_answers,
    .torch = "torch.cat([y.flatten(1) for y in ({others},)], 1)",
};

const Kind kind_output = {
    .name = "output",
    .role = ROLE_FLOW,
    .syntax = "output L...",
    .help = "the answers, one behind the other: those named and only those; the last statement before the "
            "loss",
    .params = output_params,
    .shape = output_shape,
    .layer = &kind_answers,
};
