/* shapes.c: sizes, weights and windows, for the shape functions of the kinds.
 *
 * In: a layer with checked arguments and its input's shape. Out: the shape of its output, its weights, or
 * an error at its place in the text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

/* Products stop at 2^62 instead of overflowing; every limit lies far below. */
int64_t product(int64_t a, int64_t b)
{
    const int64_t most = (int64_t)1 << 62;
    return b && a > most / b ? most : a * b;
}

int64_t shape_count(Shape s)
{
    return product(product(s.c, s.h), s.w);
}

Shape flat_shape(int64_t n)
{
    return (Shape){1, n, 1, 1};
}

Shape image_shape(int64_t c, int64_t h, int64_t w)
{
    return (Shape){3, c, h, w};
}

Shape sequence_shape(int64_t t, int64_t c)
{
    return (Shape){2, c, t, 1};
}

Shape shape_of_sizes(const Arg *size)
{
    return size->n == 1   ? flat_shape(size->i[0])
           : size->n == 2 ? sequence_shape(size->i[0], size->i[1])
                          : image_shape(size->i[0], size->i[1], size->i[2]);
}

const char *shape_text(Shape s)
{
    return s.rank == 1   ? format("%lld", (long long)s.c)
           : s.rank == 2 ? format("%lldx%lld", (long long)s.h, (long long)s.c)
                         : format("%lldx%lldx%lld", (long long)s.c, (long long)s.h, (long long)s.w);
}

/* ---- What the kinds' shape functions use ----------------------------------------------------- */

static const Arg *find_arg(const Layer *layer, const char *name)
{
    for (const Param *p = layer->kind->params; p->name; p++)
        if (!strcmp(p->name, name))
            return &layer->arg[p - layer->kind->params];
    return NULL;
}

const Arg *arg_of(const Layer *layer, const char *name)
{
    const Arg *arg = find_arg(layer, name);
    if (!arg)
        bug("%s has no parameter %s", layer->kind->name, name);
    return arg;
}

void say_where_from(const Value *value)
{
    if (value->producer)
        note_at(value->producer->loc, "the output of %s is %s", value->producer->name,
                shape_text(value->shape));
}

bool same_shapes(const Value *a, const Value *b)
{
    return a->shape.rank == b->shape.rank && a->shape.c == b->shape.c && a->shape.h == b->shape.h
           && a->shape.w == b->shape.w;
}

bool same_shape(Net *net, Layer *layer)
{
    (void)net;
    layer->out->shape = layer->in->shape;
    return true;
}

/* What a shape is, for those who expected another. */
static const char *nature_of(Shape s)
{
    const char *many = s.c == 1 ? "" : "s";
    return s.rank == 1   ? format("flat: %s feature%s", shape_text(s), many)
           : s.rank == 2 ? format("a sequence: %lld position%s of %lld feature%s", (long long)s.h,
                                  s.h == 1 ? "" : "s", (long long)s.c, many)
                         : format("an image: %s", shape_text(s));
}

static bool want_rank(const Layer *layer, int rank, const char *what)
{
    Shape in = layer->in->shape;
    if (in.rank == rank)
        return true;
    error_at(layer->loc, "%s expects %s, but its input is %s", layer->kind->name, what, nature_of(in));
    say_where_from(layer->in);
    if (rank == 3 && in.rank == 2 && !layer->in->producer)
        help_at(layer->loc, "write `input 1x%lldx%lld` for an image of one channel", (long long)in.h,
                (long long)in.c);
    return false;
}

bool want_image(const Layer *layer)
{
    return want_rank(layer, 3, "an image (CxHxW)");
}

bool want_sequence(const Layer *layer)
{
    return want_rank(layer, 2, "a sequence (TxC)");
}

bool check_channels(const Layer *layer, int64_t come_in)
{
    const Arg *o = arg_of(layer, "O");
    if (o->i[0] < 0 || o->i[0] == come_in)
        return true;
    error_at(o->loc, "%s expects %lld input %s%s, but its input has %lld (%s) [channels]", layer->kind->name,
             (long long)o->i[0], layer->kind->features ? "feature" : "channel",
             o->i[0] == 1 ? "" : "s", (long long)come_in, shape_text(layer->in->shape));
    say_where_from(layer->in);
    return false;
}

bool groups_divide(const Arg *groups, int64_t channels, const char *what)
{
    if (channels % groups->i[0] == 0)
        return true;
    error_at(groups->loc, "the number of %s (%lld) must be divisible by the number of groups (%lld)"
                          " [groups]", what,
             (long long)channels, (long long)groups->i[0]);
    return false;
}

bool add_weight(Net *net, Layer *layer, const char *name, int64_t fan_in, int rank, const int64_t *dim)
{
    Weight *weight = NEW(Weight);
    weight->name = format("%s.%s", layer->name, name);
    weight->rank = rank;
    weight->count = 1;
    for (int i = 0; i < rank; i++)
        weight->count = product(weight->count, weight->dim[i] = dim[i]);
    if (weight->count > MOST_ELEMENTS - net->nparams) {
        error_at(layer->loc, "%s has too many weights: a network can have %d [limit]", layer->kind->name,
                 MOST_ELEMENTS);
        return false;
    }
    /* kaiming_uniform_ with a = sqrt(5), as Conv2d and Linear reset their parameters. */
    weight->high = 1 / sqrt((double)fan_in);
    weight->low = -weight->high;
    weight->id = net->nweights++;
    net->nparams += weight->count;
    layer->weight[layer->nweights++] = weight;
    if (net->last_weight)
        net->last_weight->next = weight;
    else
        net->weights = weight;
    net->last_weight = weight;
    return true;
}

bool add_statistic(Net *net, Layer *layer, const char *name, double start, int rank, const int64_t *dim)
{
    if (!add_weight(net, layer, name, 1, rank, dim))
        return false;
    Weight *weight = net->last_weight;
    net->nparams -= weight->count;
    weight->statistic = true;
    weight->low = weight->high = start;
    return true;
}

int64_t parameters_of(const Layer *layer)
{
    int64_t n = 0;
    for (int i = 0; i < layer->nweights; i++)
        n += layer->weight[i]->statistic ? 0 : layer->weight[i]->count;
    return n;
}

static Window arguments_of_window(const Layer *layer)
{
    Window w = {.in = {layer->in->shape.h, layer->in->shape.w}};
    const Arg *k = arg_of(layer, "k"), *s = find_arg(layer, "s"), *p = find_arg(layer, "p"),
              *d = find_arg(layer, "d");
    for (int axis = 0; axis < 2; axis++) {
        w.kernel[axis] = k->i[axis];
        w.stride[axis] = s && s->n ? s->i[axis] : w.kernel[axis];
        w.padding[axis] = p ? p->i[axis] : 0;
        w.dilation[axis] = d ? d->i[axis] : 1;
    }
    return w;
}

Window window_of(const Layer *layer)
{
    Window w = arguments_of_window(layer);
    w.out[0] = layer->out->shape.h;
    w.out[1] = layer->out->shape.w;
    return w;
}

bool slide_window(const Layer *layer, int64_t *h, int64_t *w)
{
    Window window = arguments_of_window(layer);
    const char *name = layer->kind->name;
    bool pool = arg_of(layer, "k") == &layer->arg[0];
    for (int axis = 0; axis < 2; axis++) {
        const char *side = axis ? "width" : "height";
        int64_t kernel = window.kernel[axis], padding = window.padding[axis];
        int64_t field = product(window.dilation[axis], kernel - 1) + 1;
        if (pool && padding > kernel / 2) {
            error_at(arg_of(layer, "p")->loc,
                     "the padding of %s must be at most half its kernel size: padding %lld, kernel size %lld"
                     " [window]",
                     name, (long long)padding, (long long)kernel);
            return false;
        }
        int64_t room = window.in[axis] + 2 * padding - field;
        if (room < 0) {
            error_at(layer->loc, "the kernel of %s is larger than its padded input: %s %lld%s, input %s %lld"
                                 " [window]",
                     name, side, (long long)field, window.dilation[axis] > 1 ? " with dilation" : "", side,
                     (long long)(window.in[axis] + 2 * padding));
            say_where_from(layer->in);
            return false;
        }
        *(axis ? w : h) = room / window.stride[axis] + 1;
    }
    return true;
}

bool pool_shape(Net *net, Layer *layer)
{
    (void)net;
    int64_t h, w;
    if (!want_image(layer) || !slide_window(layer, &h, &w))
        return false;
    layer->out->shape = image_shape(layer->in->shape.c, h, w);
    return true;
}
