/* stream.c: what --stream asks of a network: one position of its sequences at a time.
 *
 * In: a Net. Out: errors for the layers that can't answer at a position before they know the later ones; and
 * the Net of one position: the same layers and the same weights, on sequences of length 1. What a layer of
 * that Net does with the positions before, its kind says (Kind.next). */
#include "front/front.h"

/* ---- Which networks -------------------------------------------------------------------------- */

/* 0: it is no sequence. */
static int64_t length_of(Shape shape)
{
    return shape.of ? shape.c : shape.rank == 2 ? shape.h : 0;
}

int64_t positions_in(const Net *net)
{
    return length_of(net->inputs ? net->inputs->value->shape : net->input);
}

static bool keeps_positions(const Net *net, const Value *value)
{
    return length_of(value->shape) && length_of(value->shape) == positions_in(net);
}

/* The general advice is given once. */
static void refuse(const Layer *layer, const char *why, const char *instead, bool *advised)
{
    error_at(layer->loc, "--stream: %s waits for later positions: %s [stream]", layer->name, why);
    if (instead)
        help_at(layer->loc, "write `%s`", instead);
    else if (!*advised)
        help_at(layer->loc, "take what looks back alone (rnn, gru, lstm, attention causal=true, conv1d "
                            "pad=causal) or works on each position alone (fc, layernorm, relu, ...)");
    *advised |= !instead;
}

static bool check_input(const Net *net)
{
    const Loc loc = net->in->loc;
    for (const Part *part = net->inputs; part; part = part->next)
        if (!keeps_positions(net, part->value)) {
            error_at(part->loc, "--stream: input %s is no sequence as long as the first: %s [stream]",
                     part->label, shape_text(part->value->shape));
            help_at(part->loc, "give it %lld positions", (long long)positions_in(net));
            return false;
        }
    if (net->inputs || length_of(net->input))
        return true;
    error_at(loc, "--stream: the input is no sequence, which has positions to take one at a time: %s "
                  "[stream]", shape_text(net->input));
    help_at(loc, "write `input TxC`: so many positions of so many features");
    return false;
}

/* Why a layer can't answer at a position before it knows the later ones; NULL: it can. */
static const char *why_waits(const Layer *layer, const char **instead)
{
    const Kind *kind = layer->kind;
    if (kind->looks_ahead)
        return kind->looks_ahead(layer, instead);
    return kind->each_position || kind->next ? NULL : "it works on the sequence as a whole";
}

bool streams_tokens(const Net *net)
{
    const char *instead;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        if (why_waits(layer, &instead))
            return false;
    return net->input.of && !net->inputs;
}

void check_stream(const Net *net)
{
    if (!check_input(net))
        return;
    bool advised = false;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const char *instead = NULL, *why = why_waits(layer, &instead);
        diag_inside(layer->use);
        if (why)
            refuse(layer, why, instead, &advised);
    }
    diag_inside(NULL);
}

/* ---- The Net of one position ----------------------------------------------------------------- */

typedef struct Copy {
    const Net *net;
    int64_t positions;
    Value **value;       /* by id: those of the copy */
} Copy;

/* What several inputs or answers are parts of is flat. */
static Shape one_position(const Copy *copy, Shape shape)
{
    if (shape.rank == 2)
        shape.h = 1;
    else
        shape.c /= copy->positions;
    return shape;
}

static Value *copy_value(Copy *copy, const Value *value)
{
    Value **slot = &copy->value[value->id];
    if (!*slot) {
        *slot = NEW(Value);
        **slot = *value;
        (*slot)->shape = one_position(copy, value->shape);
    }
    return *slot;
}

static Layer *copy_layer(Copy *copy, const Layer *layer)
{
    Layer *of_one = NEW(Layer);
    *of_one = *layer;
    of_one->next = NULL;
    of_one->in = copy_value(copy, layer->in);
    of_one->out = copy_value(copy, layer->out);
    of_one->out->producer = of_one;
    of_one->more = NEW_ARRAY(Value *, layer->nmore + 1);
    for (int i = 0; i < layer->nmore; i++)
        of_one->more[i] = copy_value(copy, layer->more[i]);
    return of_one;
}

static Part *copy_parts(Copy *copy, const Part *parts)
{
    Part *first = NULL, **end = &first;
    for (; parts; parts = parts->next, end = &(*end)->next) {
        *end = NEW(Part);
        **end = *parts;
        (*end)->next = NULL;
        (*end)->value = copy_value(copy, parts->value);
        (*end)->at = parts->at / copy->positions;
    }
    return first;
}

Net *net_of_one_position(const Net *net)
{
    Net *one = NEW(Net);
    Copy copy = {net, positions_in(net), NEW_ARRAY(Value *, net->nvalues)};
    *one = *net;
    one->batch = 1;
    one->input = one_position(&copy, net->input);
    one->in = copy_value(&copy, net->in);
    one->layers = one->last = NULL;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        Layer *of_one = copy_layer(&copy, layer);
        *(one->last ? &one->last->next : &one->layers) = of_one;
        one->last = of_one;
    }
    one->out = copy_value(&copy, net->out);
    one->loss_in = copy_value(&copy, net->loss_in);
    one->inputs = copy_parts(&copy, net->inputs);
    one->answers = copy_parts(&copy, net->answers);
    return one;
}
