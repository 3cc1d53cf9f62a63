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
    return (Shape){1, n, 1, 1, 0};
}

Shape image_shape(int64_t c, int64_t h, int64_t w)
{
    return (Shape){3, c, h, w, 0};
}

Shape sequence_shape(int64_t t, int64_t c)
{
    return (Shape){2, c, t, 1, 0};
}

Shape shape_of_sizes(const Arg *size)
{
    return size->n == 1   ? flat_shape(size->i[0])
           : size->n == 2 ? sequence_shape(size->i[0], size->i[1])
                          : image_shape(size->i[0], size->i[1], size->i[2]);
}

const char *shape_text(Shape s)
{
    return s.of          ? format("%lld of %lld", (long long)s.c, (long long)s.of)
           : s.rank == 1 ? format("%lld", (long long)s.c)
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
    return s.of          ? format("tokens: %s", shape_text(s))
           : s.rank == 1 ? format("flat: %s feature%s", shape_text(s), many)
           : s.rank == 2 ? format("a sequence: %lld position%s of %lld feature%s", (long long)s.h,
                                  s.h == 1 ? "" : "s", (long long)s.c, many)
                         : format("an image: %s", shape_text(s));
}

static bool want_rank(const Layer *layer, int rank, const char *what)
{
    Shape in = layer->in->shape;
    if (in.rank == rank)
        return true;
    error_at(layer->loc, "%s expects %s, but its input is %s [shape]", layer->kind->name, what,
             nature_of(in));
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

/* Which of its inputs, -1 the current one, is not what the kind works on; -2: none. */
static int wrong_input(const Layer *layer)
{
    const Takes takes = layer->kind->takes;
    for (int i = -1; i < layer->nmore && takes != TAKES_BOTH; i++)
        if (((i < 0 ? layer->in : layer->more[i])->shape.of != 0) != (takes == TAKES_TOKENS))
            return i;
    return -2;
}

static const Token *label_of(const Layer *layer, int number)
{
    const Param *p = layer->kind->params;
    while (p->type != PARAM_LABELS)
        p++;
    return &layer->arg[p - layer->kind->params].label[number];
}

bool want_tokens_or_numbers(const Layer *layer)
{
    const int i = wrong_input(layer);
    if (i < -1)
        return true;
    const Value *value = i < 0 ? layer->in : layer->more[i];
    const Token *label = i < 0 ? NULL : label_of(layer, i);
    const Loc loc = label ? label->loc : layer->loc;
    error_at(loc, "%s expects %s, but %s is %s [shape]", layer->kind->name,
             layer->kind->takes == TAKES_TOKENS ? "tokens" : "numbers",
             label ? format("'%s'", label->text) : "its input", nature_of(value->shape));
    say_where_from(value);
    if (layer->kind->takes == TAKES_NUMBERS)
        help_at(loc, "write `embedding 32` before it, for 32 features of each token");
    else if (!value->producer)
        help_at(loc, "write `input %lld of 256` for tokens from 0 to 255", (long long)value->shape.c);
    return false;
}

bool check_channels(const Layer *layer, int64_t come_in)
{
    const Arg *o = arg_of(layer, "O");
    if (o->i[0] < 0 || o->i[0] == come_in)
        return true;
    error_at(o->loc, "%s expects %lld input %s%s, but its input has %lld (%s) [channels]", layer->kind->name,
             (long long)o->i[0], layer->kind->features ? "feature" : "channel",
             o->i[0] == 1 ? "" : "s", (long long)come_in, shape_text(layer->in->shape));
    say_origin(layer->in, come_in == layer->in->shape.c ? PART_CHANNELS : PART_ALL);
    if (!layer->use)
        help_at(o->loc, "write `%lld->%lld`, or `%lld` alone", (long long)come_in, (long long)o->i[1],
                (long long)o->i[1]);
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
    weight->layer = layer;
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

void draw_normal(Weight *weight, double deviation)
{
    weight->low = deviation;
    weight->high = -deviation;
}

int64_t parameters_of(const Layer *layer)
{
    int64_t n = 0;
    for (int i = 0; i < layer->nweights; i++)
        n += layer->weight[i]->statistic || layer->weight[i]->layer != layer ? 0 : layer->weight[i]->count;
    return n;
}

static Window arguments_of_window(const Layer *layer)
{
    Window w = {.in = {layer->in->shape.h, layer->in->shape.w}};
    const Arg *k = arg_of(layer, "k"), *s = find_arg(layer, "s"), *p = find_arg(layer, "p"),
              *d = find_arg(layer, "d");
    w.kernel[1] = w.stride[1] = w.dilation[1] = 1; /* along the positions of a sequence there is no width */
    for (int axis = 0; axis < (layer->in->shape.rank == 2 ? 1 : 2); axis++) {
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

/* Do windows go on where the division leaves a rest? */
static bool has_ceil(const Layer *layer)
{
    const Arg *ceil = find_arg(layer, "ceil");
    return ceil && ceil->i[0];
}

bool slide_window(const Layer *layer, int64_t *h, int64_t *w)
{
    Window window = arguments_of_window(layer);
    const char *name = layer->kind->name;
    bool pool = arg_of(layer, "k") == &layer->arg[0];
    for (int axis = 0; axis < 2; axis++) {
        const char *side = layer->in->shape.rank == 2 ? "length" : axis ? "width" : "height";
        int64_t kernel = window.kernel[axis], padding = window.padding[axis];
        int64_t field = product(window.dilation[axis], kernel - 1) + 1;
        if (pool && padding > kernel / 2) {
            error_at(arg_of(layer, "p")->loc,
                     "the padding of %s must be at most half its kernel size: padding %lld, kernel size %lld"
                     " [window]",
                     name, (long long)padding, (long long)kernel);
            help_at(layer->loc, "p%lld fits", (long long)kernel / 2);
            return false;
        }
        int64_t room = window.in[axis] + 2 * padding - field;
        bool ceil = has_ceil(layer);
        if (room < 0 && !(ceil && room > -window.stride[axis])) {
            error_at(layer->loc, "the kernel of %s is larger than its padded input: %s %lld%s, input %s %lld"
                                 " [window]",
                     name, side, (long long)field, window.dilation[axis] > 1 ? " with dilation" : "", side,
                     (long long)(window.in[axis] + 2 * padding));
            const Arg *pad = find_arg(layer, "pad");
            say_what_fits(layer, &window, axis, !pad || !pad->i[0]);
            return false;
        }
        int64_t last = (room + (ceil ? window.stride[axis] - 1 : 0)) / window.stride[axis];
        if (ceil && last * window.stride[axis] >= window.in[axis] + padding)
            last--; /* it would begin in the padding behind the input */
        *(axis ? w : h) = last + 1;
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

bool channels_shape(Net *net, Layer *layer)
{
    (void)net;
    if (layer->in->shape.rank != 2 && !want_image(layer))
        return false;
    layer->out->shape = flat_shape(layer->in->shape.c);
    return true;
}

/* ---- What the notes behind a shape error say --------------------------------------------------
 *
 *     net.nn:2:1: note: the output of conv1 is 16x16x16; relu1 and maxpool1 keep its 16 channels
 *     net.nn:5:1: note: N = floor((4 - 7 + 2*0)/1) + 1 = -2
 *     net.nn:5:1: help: k4 fits, or p2
 *
 * Whoever has the wrong number in hand wants to know which line to change, so the way back ends at the layer
 * that made the number, not at the last one that passed it on. */

static int64_t size_along(Shape s, ShapePart part)
{
    return part == PART_CHANNELS ? s.c : part == PART_HEIGHT ? s.h : s.w;
}

/* Does a layer give what it gets, as far as that part of the shape goes? One that says its channels itself
 * does not. */
static bool keeps(const Layer *layer, ShapePart part)
{
    Shape in = layer->in->shape, out = layer->out->shape;
    const Param *first = layer->kind->params;
    bool says_channels = first->name && first->type == PARAM_CHANNELS;
    if (in.rank != out.rank || (says_channels && (part == PART_CHANNELS || part == PART_ALL)))
        return false;
    return part == PART_ALL ? same_shapes(layer->in, layer->out)
                            : size_along(in, part) == size_along(out, part);
}

/* "relu1 and maxpool1 keep", for the layers from behind `from` to `last`. */
static const char *keepers(const Layer *last, const Value *from)
{
    enum { NAMED = 3 };
    const char *names = last->name;
    int n = 1;
    for (const Layer *layer = last; layer->in != from; n++) {
        layer = layer->in->producer;
        if (n < NAMED)
            names = format("%s%s %s", layer->name, n == 1 ? " and" : ",", names);
    }
    if (n > NAMED)
        return format("the %d layers up to %s keep", n, last->name);
    return format("%s %s", names, n == 1 ? "keeps" : "keep");
}

void say_origin(const Value *value, ShapePart part)
{
    static const char *const words[] = {[PART_HEIGHT] = "height", [PART_WIDTH] = "width"};
    const Value *from = value;
    while (from->producer && keeps(from->producer, part))
        from = from->producer->in;
    const Layer *maker = from->producer;
    const char *begin = maker ? format("the output of %s is %s", maker->name, shape_text(from->shape))
                              : format("the input is %s", shape_text(from->shape));
    const char *rest = "";
    long long size = size_along(value->shape, part);
    if (from == value)
        ;
    else if (part == PART_ALL)
        rest = format("; %s this shape", keepers(value->producer, from));
    else if (part == PART_CHANNELS)
        rest = format("; %s its %lld %s%s", keepers(value->producer, from), size,
                      value->shape.rank < 3 ? "feature" : "channel", size == 1 ? "" : "s");
    else
        rest = format("; %s its %s of %lld", keepers(value->producer, from), words[part], size);
    note_at(maker ? maker->loc : from->loc, "%s%s", begin, rest);
}

void say_where_from(const Value *value)
{
    say_origin(value, PART_ALL);
}

static int64_t rounded_down(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* A size along both axes as an argument: "k4", "4" without a letter, "k4x6". */
static const char *size_text(const char *letter, const int64_t size[2])
{
    return size[0] == size[1] ? format("%s%lld", letter, (long long)size[0])
                              : format("%s%lldx%lld", letter, (long long)size[0], (long long)size[1]);
}

/* The window along one axis is larger than its padded input: N by the formula, and what would fit on both. */
void say_what_fits(const Layer *layer, const Window *w, int axis, bool zeros)
{
    int64_t kernel[2], padding[2], dilation[2];
    bool pool = arg_of(layer, "k") == &layer->arg[0], dilates = true, pads = zeros;
    for (int a = 0; a < 2; a++) {
        int64_t room = w->in[a] + 2 * w->padding[a] - 1, k = w->kernel[a];
        int64_t field = product(w->dilation[a], k - 1) + 1;
        kernel[a] = k - 1 <= room / w->dilation[a] ? k : room / w->dilation[a] + 1;
        padding[a] = field <= room + 1 ? w->padding[a] : (field - w->in[a] + 1) / 2;
        dilation[a] = field <= room + 1 ? w->dilation[a] : k > 1 ? room / (k - 1) : 0;
        dilates &= dilation[a] >= 1;
        pads &= !pool || padding[a] <= k / 2;
    }
    if (layer->in->shape.rank == 2) { /* there is one axis */
        kernel[1] = kernel[0];
        padding[1] = padding[0];
        dilation[1] = dilation[0];
    }
    long long in = w->in[axis], p = w->padding[axis], s = w->stride[axis], d = w->dilation[axis];
    long long k = w->kernel[axis], field = product(d, k - 1) + 1;
    const char *dilated =
        d > 1 ? format(", with %lld = %lld*(%lld - 1) + 1 for the dilated kernel", field, d, k) : "";
    note_at(layer->loc, "N = floor((%lld - %lld + 2*%lld)/%lld) + 1 = %lld%s", in, field, p, s,
            (long long)rounded_down(in - field + 2 * p, s) + 1, dilated);
    say_origin(layer->in, axis ? PART_WIDTH : PART_HEIGHT);
    const char *text = format("%s fits", size_text(pool ? "" : "k", kernel));
    if (dilates && (w->dilation[0] > 1 || w->dilation[1] > 1))
        text = format("%s, or %s", text, size_text("d", dilation));
    if (pads)
        text = format("%s, or %s", text, size_text("p", padding));
    help_at(layer->loc, "%s", text);
}
