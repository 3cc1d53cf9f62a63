/* commute.c: a function that never falls, behind a maximum instead of before it.
 *
 * The greatest of relu(x) is relu of the greatest x. So where nobody but a maximum reads what such a layer
 * gives, the maximum is taken first, and the layer does its work on what is left, a quarter of it behind
 * windows of 2x2:
 *
 *     before:   relu1.out[c, y, x] = relu(conv1.out[c, y, x])                              for c<8 y<28 x<28
 *               maxpool1.out[c, y, x] max= relu1.out[c, 2y + ky, 2x + kx]         for c<8 y<14 x<14 ky<2 kx<2
 *
 *     after:    maxpool1.out[c, y, x] max= conv1.out[c, 2y + ky, 2x + kx]         for c<8 y<14 x<14 ky<2 kx<2
 *               relu1.out[c, y, x] = relu(maxpool1.out[c, y, x])                           for c<8 y<14 x<14
 *
 * More is won in training: the backward pass asks neither what the convolution gave nor what relu made of
 * it, so the windows run on the convolution's outputs in registers (window.c), and these are never stored.
 * Values and gradients are the same ones: where relu makes two equal, so that the first of them would be
 * taken and not the greater one, its slope is 0.
 *
 * The net stays as it was written: a statement belongs to the layer that says it, and work_of gives for a
 * layer the copy whose in and out are what it works on. */
#include <string.h>

#include "program/program.h"

static bool reads(const Layer *layer, const Value *value)
{
    bool found = layer->in == value;
    for (int i = 0; i < layer->nmore; i++)
        found |= layer->more[i] == value;
    return found;
}

/* Behind its producer, which is where readers are; NULL: nobody reads it. */
static const Layer *first_reader(const Value *value)
{
    const Layer *layer = value->producer->next;
    while (layer && !reads(layer, value))
        layer = layer->next;
    return layer;
}

static bool has_other_readers(const Net *net, const Value *value, const Layer *first)
{
    bool found = value == net->out || value == net->loss_in;
    for (const Layer *layer = first->next; layer && !found; layer = layer->next)
        found = reads(layer, value);
    return found;
}

/* A window that lies in the padding with all its taps gives -inf, and relu would make 0 of that: dilated
 * ones may. The greatest of all has no windows. */
static bool has_empty_windows(const Layer *maximum)
{
    if (!maximum->kind->params->name)
        return false;
    Window w = window_of(maximum);
    return (w.padding[0] && w.dilation[0] > 1) || (w.padding[1] && w.dilation[1] > 1);
}

static const Layer *maximum_behind(const Net *net, const Layer *layer)
{
    const Layer *reader = layer->kind->rises ? first_reader(layer->out) : NULL;
    return reader && reader->kind->greatest && reader->in == layer->out && !has_empty_windows(reader)
                && !has_other_readers(net, layer->out, reader)
             ? reader : NULL;
}

bool follows_maximum(const Net *net, const Layer *layer)
{
    return maximum_behind(net, layer) != NULL;
}

const Layer *followed_by(const Net *net, const Layer *maximum)
{
    const Layer *before = maximum->kind->greatest ? maximum->in->producer : NULL;
    return before && maximum_behind(net, before) == maximum ? before : NULL;
}

static Value *value_like(const Value *of, int id, const Layer *producer)
{
    Value *value = NEW(Value);
    *value = *of;
    value->id = id;
    value->producer = (Layer *)producer;
    return value;
}

static void lower_as(Prog *prog, const Layer *layer, Value *in, Value *out)
{
    Layer *work = NEW(Layer);
    *work = *layer;
    work->in = in;
    work->out = out;
    Commuted *note = NEW(Commuted);
    *note = (Commuted){layer, work, prog->commuted};
    prog->commuted = note;
    prog->layer = layer;
    layer->kind->lower(prog, work);
}

void lower_commuted(Prog *prog, const Layer *maximum, const Layer *follower)
{
    Value *between = value_like(maximum->out, prog->net->nvalues + prog->ncommuted++, maximum);
    lower_as(prog, maximum, follower->in, between);
    lower_as(prog, follower, between, value_like(maximum->out, maximum->out->id, follower));
}

const Layer *work_of(const Prog *prog, const Layer *layer)
{
    for (const Commuted *c = prog->commuted; c; c = c->next)
        if (c->layer == layer)
            return c->work;
    return layer;
}
