/* habits.c: what compiles but is seldom meant: warnings about a whole network.
 *
 * In: a Net without errors. Out: warnings, at the place of the layer that one would change. */
#include <string.h>

#include "front/front.h"

static bool is_input(const Net *net, const Value *value)
{
    for (const Part *part = net->inputs; part; part = part->next)
        if (part->value == value)
            return true;
    return false;
}

/* Layers on which neither the answer nor the loss depends are not computed; an input must be. */
void warn_of_unused(const Net *net)
{
    int n = 0;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        n++;
    const Layer **layers = NEW_ARRAY(const Layer *, n + 1);
    bool *needed = NEW_ARRAY(bool, net->nvalues), *read = NEW_ARRAY(bool, net->nvalues);
    n = 0;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        layers[n++] = layer;
    needed[net->out->id] = true;
    for (int i = n - 1; i >= 0; i--) {
        bool used = needed[layers[i]->out->id];
        needed[layers[i]->in->id] |= used;
        read[layers[i]->in->id] = true;
        for (int k = 0; k < layers[i]->nmore; k++) {
            needed[layers[i]->more[k]->id] |= used;
            read[layers[i]->more[k]->id] = true;
        }
    }
    for (int i = 0; i < n; i++)
        if (!needed[layers[i]->out->id] && is_input(net, layers[i]->out))
            error_at(layers[i]->loc, "the answer does not depend on the input '%s': nothing that leads to it "
                     "reads it [network]", layers[i]->name);
        else if (!needed[layers[i]->out->id] && !read[layers[i]->out->id]) {
            diag_inside(layers[i]->use);
            warning_at(
                WARN_UNUSED, layers[i]->loc,
                "the output of %s is never used: it is not computed, and layers that lead only to it do not "
                "learn",
                layers[i]->name);
        }
    diag_inside(NULL);
}

/* Does the output of `from` reach what `add` adds to? */
static bool leads_to(const Layer *from, const Layer *add)
{
    const int first = from->out->id;
    bool *reached = NEW_ARRAY(bool, add->out->id - first + 1);
    reached[0] = true;
    for (const Layer *layer = from->next; layer != add; layer = layer->next)
        for (int k = -1; k < layer->nmore; k++) {
            int id = (k < 0 ? layer->in : layer->more[k])->id;
            reached[layer->out->id - first] |= id >= first && reached[id - first];
        }
    return add->in->id >= first && reached[add->in->id - first];
}

/* `{ x: conv 8 k3 p1; relu; conv 8 k3 p1; add x }` adds what the first conv gives, where nearly everybody
 * means what comes in. It is said where that would fit, too. */
void warn_of_shortcuts(const Net *net)
{
    const Loc *said = NULL;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        for (int k = 0; k < layer->nmore && !strcmp(layer->kind->name, "add"); k++) {
            const Layer *first = layer->more[k]->producer;
            const Token *label = first ? first->label : NULL;
            if (!label || strcmp(label->text, layer->arg[0].label[k].text)
                || !same_shapes(first->in, first->out)
                || (said && said->line == label->loc.line && said->column == label->loc.column)
                || !leads_to(first, layer))
                continue;
            said = &label->loc;
            diag_inside(first->use);
            warning_at(WARN_SHORTCUT, label->loc, "'add %s' adds the output of %s, not its input",
                       label->text, first->name);
            help_at(label->loc, "write `%s:; %s` for its input, or `%s; %s:` for its output",
                    written_token(label), first->text, first->text, written_token(label));
        }
    diag_inside(NULL);
}

/* Sizes are CxHxW; images elsewhere often are HxWxC. */
void warn_of_channels(const Net *net, const Layer *input)
{
    Shape s = net->input;
    if (s.rank != 3 || (s.w != 1 && s.w != 3 && s.w != 4) || s.w >= s.c || s.w >= s.h)
        return;
    Loc loc = input->arg[0].loc;
    warning_at(WARN_CHANNELS, loc, "the input has %lld channels, height %lld and width %lld: sizes are CxHxW",
               (long long)s.c, (long long)s.h, (long long)s.w);
    help_at(loc, "write %s for %lld channel%s", shape_text(image_shape(s.w, s.c, s.h)), (long long)s.w,
            s.w == 1 ? "" : "s");
}

/* ---- Layers that undo each other ------------------------------------------------------------- */

static int readers_of(const Net *net, const Value *value)
{
    int n = value == net->out;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        for (int k = -1; k < layer->nmore; k++)
            n += (k < 0 ? layer->in : layer->more[k]) == value;
    return n;
}

static bool has_groups(const Layer *layer)
{
    for (const Param *p = layer->kind->params; p->name; p++)
        if (!strcmp(p->name, "g") && layer->arg[p - layer->kind->params].i[0] > 1)
            return true;
    return false;
}

static bool has_weight(const Layer *layer, const Weight *weight)
{
    bool found = false;
    for (int i = 0; i < layer->nweights; i++)
        found |= layer->weight[i] == weight;
    return found;
}

/* Does another layer use its weights, too? */
static bool shares_weights(const Net *net, const Layer *layer)
{
    bool found = false;
    for (const Layer *other = net->layers; other; other = other->next)
        for (int i = 0; i < layer->nweights; i++)
            found |= other != layer && has_weight(other, layer->weight[i]);
    return found;
}

/* Two linear layers with nothing between them are one. A narrow place between them saves weights, and so do
 * groups and weights that are shared: these are meant. */
static void warn_of_linear(const Net *net, const Layer *layer)
{
    const Layer *first = layer->in->producer;
    if (!layer->kind->linear || !first || !first->kind->linear || has_groups(layer) || has_groups(first)
        || readers_of(net, first->out) > 1)
        return;
    int64_t between = shape_count(first->out->shape);
    if (between < shape_count(first->in->shape) && between < shape_count(layer->out->shape))
        return;
    if (shares_weights(net, layer) || shares_weights(net, first))
        return;
    warning_at(WARN_LINEAR, layer->loc, "%s and %s are both linear, with nothing between them: together "
                                        "they are one "
               "linear layer", first->name, layer->name);
    help_at(layer->loc, "write `relu` between them");
}

/* Rows and columns at the end of its input that no window covers; those of the padding are none. */
static void warn_of_rows(const Layer *layer)
{
    const Param *k = layer->kind->params;
    while (k->name && (strcmp(k->name, "k") || k->type != PARAM_PAIR))
        k++;
    if (!k->name || layer->in->shape.rank != 3 || layer->out->shape.rank != 3)
        return;
    Window w = window_of(layer);
    for (int axis = 0; axis < 2; axis++) {
        int64_t covered = (w.out[axis] - 1) * w.stride[axis] + w.dilation[axis] * (w.kernel[axis] - 1) + 1;
        int64_t left = w.in[axis] + w.padding[axis] - covered;
        if (left <= 0)
            continue;
        const char *what = axis ? "column" : "row";
        warning_at(WARN_ROWS, layer->loc, "the windows of %s leave out the last %s of its input: %lld of "
                   "%lld",
                   layer->name, left == 1 ? what : format("%lld %ss", (long long)left, what), (long long)left,
                   (long long)w.in[axis]);
    }
}

/* What gives a value, but for dropout. */
static const Layer *giver_of(const Value *value)
{
    while (value->producer && value->producer->kind->drops)
        value = value->producer->in;
    return value->producer;
}

static void warn_of_logits(const Net *net)
{
    const Layer *last = net->out->producer, *before = last->in->producer;
    bool classes = net->loss->kind->absorbs != NULL || last->kind->probabilities;
    const Layer *dropout = last->kind->drops ? last : last->kind->probabilities ? before : NULL;
    if (dropout && dropout->kind->drops) {
        diag_inside(dropout->use);
        warning_at(WARN_DROPOUT, dropout->loc, "%s drops %s at random: the loss sees them as "
                                               "0", dropout->name,
                   dropout == last ? "answers" : "logits");
    }
    const Layer *logits = giver_of(last->kind->probabilities ? last->in : net->loss_in);
    if (classes && logits && logits->kind->clips) {
        diag_inside(logits->use);
        warning_at(WARN_RELU, logits->loc, "%s gives the logits of %s, so none of them can be below 0",
                   logits->name, last->kind->probabilities ? last->name : net->loss->kind->name);
        help_at(logits->loc, "leave `%s` out", logits->text);
    }
}

void warn_of_habits(const Net *net)
{
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        const Layer *giver = giver_of(layer->in);
        diag_inside(layer->use);
        warn_of_linear(net, layer);
        warn_of_rows(layer);
        if (layer->kind->probabilities && giver && giver->kind->probabilities)
            warning_at(WARN_SOFTMAX, layer->loc, "%s takes the probabilities that %s gives for "
                                                 "logits", layer->name,
                       giver->name);
    }
    warn_of_logits(net);
    diag_inside(NULL);
}
