/* verify_alone.c: a layer of the user's network as a network of its own, so that errors show where they
 * arise.
 *
 * In: a layer. Out: the network that reads what the layer reads as its inputs, has that statement alone, and
 * takes the gradient of what comes out from the caller: `in: input 8x6x6; a: input 8x6x6; from in; add a;
 * loss none`. */
#include <ctype.h>
#include <string.h>

#include "verify.h"

/* The statement without ` weights=L`: alone, a layer has weights of its own. */
static const char *with_own_weights(const char *text)
{
    const char *at = strstr(text, " weights=");
    if (!at)
        return text;
    const char *end = at + strlen(" weights=");
    if (*end == '"')
        end += 1 + strcspn(end + 1, "\"");
    end += strcspn(end, " ");
    return format("%.*s%s", (int)(at - text), text, end);
}

static bool is_before(const Layer *layer, const Token *label, const Arg *arg, int number)
{
    for (const Param *p = layer->kind->params; p->name; p++) {
        const Arg *other = &layer->arg[p - layer->kind->params];
        for (int i = 0; p->type == PARAM_LABELS && i < other->n; i++) {
            if (other == arg && i == number)
                return false;
            if (!strcmp(other->label[i].text, label->text))
                return true;
        }
    }
    return false;
}

/* The inputs that the labels of the statement name, and a name for what it reads itself: none of these. */
static const char *labelled_inputs(const Layer *layer, const char **own)
{
    const char *text = "";
    int more = 0;
    for (const Param *p = layer->kind->params; p->name; p++) {
        const Arg *arg = &layer->arg[p - layer->kind->params];
        for (int i = 0; p->type == PARAM_LABELS && i < arg->n && more < layer->nmore; i++, more++) {
            const Token *label = &arg->label[i];
            if (strlen(label->text) >= strlen(*own))
                *own = format("%s_", label->text);
            if (!is_before(layer, label, arg, i))
                text = format("%s\"%s\": input %s; ", text, label->text,
                              shape_text(layer->more[more]->shape));
        }
    }
    for (const char *c = *own; *c; c++) /* made of a label that stands in quotes, say */
        if (!isalnum((unsigned char)*c) && *c != '_')
            *own = copy_text("in__________________________________________", strlen(*own));
    return text;
}

Net *network_alone(const Layer *layer, const Net *of, const Options *options, const char **text)
{
    const char *own = "in", *statement = with_own_weights(layer->text);
    const char *more = labelled_inputs(layer, &own), *in = shape_text(layer->in->shape);
    *text = *more ? format("\"%s\": input %s; %sbatch %lld; from \"%s\"; %s; loss none", own, in, more,
                           (long long)of->batch, own, statement)
                  : format("input %s; batch %lld; %s; loss none", in, (long long)of->batch, statement);
    Source *source = NEW(Source);
    *source = (Source){.name = "", .text = *text, .length = strlen(*text)};
    diag_quiet(true);
    const int before = error_count();
    const Ast *ast = parse(source, options);
    Net *net = ast && error_count() == before ? resolve(ast, options) : NULL;
    if (error_count() != before)
        net = NULL;
    diag_quiet(false);
    if (net)
        verify_net(net);
    return net;
}
