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
            help_at(label->loc, "write `%s:; %s` for its input, or `%s; %s:` for its output", label->text,
                    first->text, first->text, label->text);
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
