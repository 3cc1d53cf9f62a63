/* share.c: weights=L: a layer that uses the weights of an earlier one in the place of its own.
 *
 * In: a layer whose shape function has added its weights, as if they were its own. Out: those that the other
 * layer has, too, are that layer's, under its name; the network has them once, and their gradients add up.
 *
 * Two layers of one kind share all their tensors. Of another kind a layer takes the weight and keeps a bias
 * of its own, as an fc does that is tied to an embedding. A bias that the other lacks is its own, too. */
#include <string.h>

#include "front/front.h"

static const Param
    freeze_param = {"freeze", PARAM_FLAG, false, "false", 0, 1, NULL, "keeps the weights as they are"},
    weights_param = {"weights", PARAM_LABELS, false, "", 1, 1, NULL, "the layer whose weights are used"};

const Param *common_param(const Kind *kind, const char *name)
{
    return kind->role != ROLE_LAYER     ? NULL
           : !strcmp(name, "freeze")  ? &freeze_param
           : !strcmp(name, "weights") ? &weights_param
                                      : NULL;
}

Arg *common_arg(Layer *layer, const Param *param)
{
    return param == &freeze_param ? &layer->freeze : &layer->weights;
}

/* "weight" of "fc1.weight" */
static const char *part_name(const Weight *weight)
{
    return weight->name + strlen(weight->layer->name) + 1;
}

static bool is_bias(const Weight *weight)
{
    return strstr(part_name(weight), "bias") != NULL;
}

/* What `with` calls by its own or by another's name as weight's layer calls weight; or NULL. */
static Weight *part_like(const Layer *with, const Weight *weight)
{
    for (int i = 0; i < with->nweights; i++)
        if (!strcmp(part_name(with->weight[i]), part_name(weight)))
            return with->weight[i];
    return NULL;
}

static bool same_dimensions(const Weight *a, const Weight *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++)
        same = a->dim[i] == b->dim[i];
    return same;
}

static const char *dimensions(const Weight *weight)
{
    const char *text = "";
    for (int i = 0; i < weight->rank; i++)
        text = format("%s%s%lld", text, i ? ", " : "", (long long)weight->dim[i]);
    return format("[%s]", text);
}

static void say_where(const Layer *with)
{
    note_at(with->loc, "'%s' is this %s", with->name, with->kind->name);
}

/* Has `with` all that the layer needs, in the same shapes? */
static bool agrees(const Layer *layer, const Layer *with)
{
    Loc loc = layer->weights.loc;
    bool of_a_kind = layer->kind == with->kind;
    for (int i = 0; i < layer->nweights; i++) {
        const Weight *own = layer->weight[i], *other = part_like(with, own);
        if (is_bias(own) && (!other || !of_a_kind))
            continue;
        if (!other) {
            error_at(loc, "%s has %s %s, but '%s' has none to share [weights]", layer->name,
                     own->statistic ? "the statistic" : "the tensor", part_name(own), with->name);
            say_where(with);
            return false;
        }
        if (!same_dimensions(own, other)) {
            error_at(loc, "the %s of %s is %s, but that of '%s' is %s [weights]", part_name(own), layer->name,
                     dimensions(own), with->name, dimensions(other));
            say_where(with);
            return false;
        }
    }
    for (int i = 0; i < with->nweights && !of_a_kind; i++)
        if (!is_bias(with->weight[i]) && !part_like(layer, with->weight[i])) {
            error_at(loc, "'%s' has %s, which %s has not: they cannot share weights [weights]", with->name,
                     part_name(with->weight[i]), layer->name);
            say_where(with);
            return false;
        }
    return true;
}

static bool has_weights(const Layer *layer, const Layer *with)
{
    const Layer *before = with->in ? with->in->producer : NULL;
    if (!layer->nweights)
        error_at(layer->weights.loc, "%s has no weights to share [argument]", layer->kind->name);
    else if (!with->nweights && error_count() == 0) {
        error_at(layer->weights.loc, "'%s' has no weights to share [weights]", with->name);
        say_where(with);
        if (before && before->nweights)
            help_at(with->loc, "a label before `%s` names its weights", before->text);
    }
    return layer->nweights && with->nweights;
}

/* The network without the weights of its last layer. */
static void remove_weights(Net *net, const Layer *layer)
{
    Weight **end = &net->weights;
    net->last_weight = NULL;
    for (; *end && (*end)->layer != layer; end = &(*end)->next)
        net->last_weight = *end;
    for (const Weight *w = *end; w; w = w->next) {
        net->nweights--;
        net->nparams -= w->statistic ? 0 : w->count;
    }
    *end = NULL;
}

static void put_back(Net *net, Weight *weight)
{
    if (net->last_weight)
        net->last_weight->next = weight;
    else
        net->weights = weight;
    net->last_weight = weight;
    weight->next = NULL;
    weight->id = net->nweights++;
    net->nparams += weight->statistic ? 0 : weight->count;
}

void share_weights(Net *net, Layer *layer, const Layer *with)
{
    if (!has_weights(layer, with) || !agrees(layer, with))
        return;
    remove_weights(net, layer);
    for (int i = 0; i < layer->nweights; i++) {
        Weight *other = part_like(with, layer->weight[i]);
        bool takes = other && (layer->kind == with->kind || !is_bias(other));
        if (!takes) {
            put_back(net, layer->weight[i]);
            continue;
        }
        layer->weight[i] = other;
        other->shared = true;
    }
}
