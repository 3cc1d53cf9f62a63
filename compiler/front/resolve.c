/* resolve.c: Ast to Net.
 *
 * In: statements as written. Out: layers in an order in which each comes behind those that it reads, each
 * with its kind, its checked arguments, its name, the shape that comes in and the shape that goes out, its
 * weights. Whatever is wrong with a network is found here and reported at its place in the text; later
 * stages may rely on a Net being right.
 *
 * First every statement's kind and arguments are read, then shapes are followed from the input on. All
 * errors are reported, one for each mistake: behind one, a layer is what was meant, where that is plain
 * (`conv 16 kernel=3` is conv 16 k3, and a conv told the wrong input channels still has its outputs); else
 * its output is unknown, and so is all that reads it, in silence, until a size is known again. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

/* ---- Statements to layers -------------------------------------------------------------------- */

/* Were block's arguments put into it? Then nobody can write it otherwise in its place. */
static bool is_filled(const AstStatement *origin)
{
    bool filled = strchr(origin->kind.text, '$') != NULL;
    for (const AstArg *arg = origin->args; arg; arg = arg->next)
        for (int i = 0; i < arg->nvalues; i++)
            filled |= strchr(arg->value[i].text, '$') || (arg->name.text && strchr(arg->name.text, '$'));
    return filled;
}

/* The same layer, read from a text that would be right; NULL: it is not. Nothing is said. */
static Layer *read_meant(const Layer *layer, const AstStatement *statement, const char *corrected)
{
    diag_quiet(true);
    int errors = error_count();
    const Ast *ast = NULL;
    if (corrected) {
        Source *source = NEW(Source);
        *source = (Source){.name = "", .text = corrected, .length = strlen(corrected)};
        ast = parse(source, NULL);
        statement = ast && error_count() == errors ? ast->statements : NULL;
    }
    Layer *meant = NEW(Layer);
    meant->kind = layer->kind;
    meant->loc = layer->loc;
    meant->use = layer->use;
    meant->text = layer->text;
    bool good = statement && read_arguments(statement, layer->kind, meant, &corrected);
    diag_quiet(false);
    return good ? meant : NULL;
}

/* The kind that a statement names, which its first word does, or that of a loss. After an error *near is what
 * was probably meant. */
static const Kind *kind_of(const AstStatement *statement, const Kind **near)
{
    const Kind *kind = find_kind(statement->kind.text);
    if (!kind || !is_statement(kind))
        kind = unknown_kind(&statement->kind, false, near);
    if (!kind || kind->role != ROLE_LOSS_STATEMENT)
        return kind;
    const AstArg *first = statement->args;
    if (!first || first->form != ARG_PLAIN || first->value[0].quoted) {
        error_at(statement->loc, "loss needs a name: %s [loss]", kind->syntax);
        return NULL;
    }
    kind = find_kind(first->value[0].text);
    return kind && !is_statement(kind) ? kind : unknown_kind(&first->value[0], true, near);
}

/* Reads the kind and the arguments of a statement into written->layer; after errors written is broken. */
static void read_statement(Written *written)
{
    const AstStatement *statement = written->statement;
    Mistake *mistake = statement->mistake;
    int errors = error_count();
    const Kind *near = NULL;
    const Kind *kind = written->broken ? find_kind(statement->kind.text) : kind_of(statement, &near);
    if (!kind)
        kind = mistake->meant ? mistake->meant : near;
    mistake->meant = kind;
    if (!kind || kind->role == ROLE_LOSS_STATEMENT || kind->role == ROLE_STRUCTURE) {
        written->broken = true;
        return;
    }
    Layer *layer = NEW(Layer);
    layer->kind = kind;
    layer->loc = statement->loc;
    layer->use = written->use;
    layer->text = written->text;
    if (near || written->broken) {
        written->broken = true;
        written->layer = read_meant(layer, statement, NULL);
        return;
    }
    const char *corrected;
    bool good = read_arguments(statement, kind, layer, &corrected) && error_count() == errors;
    if (!good && corrected && !is_filled(written->origin))
        help_at(statement->loc, "write `%s`", corrected);
    written->broken = !good;
    written->layer = good ? layer : corrected ? read_meant(layer, statement, corrected) : NULL;
}

/* Is it whole numbers separated by x, up to n of them, each at least 1 and their product at most `most`? */
static bool are_sizes(const char *text, int n, int64_t most)
{
    int64_t product_so_far = 1;
    for (const char *c = text; n--; c++) {
        int64_t number = 0;
        for (; isdigit((unsigned char)*c); c++)
            number = number > most ? number : 10 * number + (*c - '0');
        product_so_far = product(product_so_far, number);
        if (!number || product_so_far > most || !*c)
            return number && product_so_far <= most;
        if (*c != 'x')
            return false;
    }
    return false;
}

/* A setting given on the command line: `text` is the argument that the statement would have. */
static Layer *read_option(Net *net, const char *kind_name, const char *text)
{
    const Kind *kind = find_kind(kind_name);
    bool sizes = kind->params->type == PARAM_SIZE;
    const long long most = (long long)kind->params->most;
    const char *of = sizes ? strstr(text, " of ") : NULL;
    Token value[] = {{.text = of ? copy_text(text, (size_t)(of - text)) : text}, {.text = "of"},
                     {.text = of ? of + 4 : ""}};
    AstArg arg = {.form = ARG_PLAIN, .value = &value[0], .nvalues = 1};
    AstArg more[] = {{.form = ARG_PLAIN, .value = &value[1], .nvalues = 1, .next = &more[1]},
                     {.form = ARG_PLAIN, .value = &value[2], .nvalues = 1}};
    arg.next = of ? more : NULL;
    if (!are_sizes(value[0].text, sizes && !of ? 3 : 1, most) || (of && !are_sizes(value[2].text, 1, most)))
        sizes ? fail("--input=%s: must be CxHxW, TxC, N or 'T of V', each at least 1, with a product of at "
                     "most %lld [option-value]", text, most)
              : fail("--batch=%s: must be a whole number from 1 to %lld [option-value]", text, most);
    AstStatement statement = {.kind = {.text = kind_name}, .args = &arg};
    Layer *layer = NEW(Layer);
    layer->kind = kind;
    layer->text = format("--%s=%s", kind_name, text);
    const char *corrected;
    if (!read_arguments(&statement, kind, layer, &corrected) || !kind->shape(net, layer))
        bug("--%s=%s was found right, then wrong", kind_name, text);
    return layer;
}

/* ---- The network ----------------------------------------------------------------------------- */

static Value *new_value(Net *net, Layer *producer)
{
    Value *value = NEW(Value);
    value->id = net->nvalues++;
    value->producer = producer;
    return value;
}

enum { MOST_LAYERS = 3000 }; /* a few of the largest kinds take a millisecond and half a megabyte each */

static bool is_unknown(const Value *value)
{
    return value->shape.rank == 0;
}

/* The tensors that the statement names; unknown ones where there is an error. False: one of them is. */
static bool find_inputs(Net *net, const Scope *scope, Layer *layer)
{
    const Arg *arg = NULL;
    bool known = true;
    for (const Param *p = layer->kind->params; p->name; p++)
        if (p->type == PARAM_LABELS)
            arg = &layer->arg[p - layer->kind->params];
    if (!arg)
        return true;
    layer->more = NEW_ARRAY(Value *, arg->n);
    for (int i = 0; i < arg->n; i++) {
        Value *value = find_label(scope, &arg->label[i], i == 0);
        layer->more[layer->nmore++] = value ? value : new_value(net, NULL);
        known &= value && !is_unknown(value);
    }
    return known;
}

/* What a layer gives, where nobody knows all of what it gets: a fully connected one says it. */
static Shape shape_meant(const Net *net, const Layer *layer)
{
    const Kind *kind = layer->kind;
    bool plain = net->input.rank == 1 || net->input.rank == 3; /* on a sequence it is another one */
    if (kind->features && kind->params->type == PARAM_CHANNELS && plain)
        return flat_shape(layer->arg[0].i[1]);
    return (Shape){0};
}

static void add_layer(Net *net, Layer *layer)
{
    if (net->nlayers == MOST_LAYERS)
        error_at(layer->loc, "the network is too large: it has more than %d layers [limit]", MOST_LAYERS);
    layer->id = net->nlayers++;
    if (net->last)
        net->last->next = layer;
    else
        net->layers = layer;
    net->last = layer;
}

static void follow_layer(Net *net, Layer *layer, const Scope *scope, const Token *label)
{
    bool known = find_inputs(net, scope, layer);
    const Layer *with = layer->weights.given ? find_labelled(scope, layer->weights.label) : NULL;
    layer->name = take_name(scope, label, layer->kind->name, "layer", layer->loc);
    if (!layer->name)
        layer->name = layer->kind->name;
    layer->in = net->out;
    net->out = layer->out = new_value(net, layer);
    if (!known || is_unknown(layer->in)) {
        layer->out->shape = shape_meant(net, layer);
        return;
    }
    if (!want_tokens_or_numbers(layer) || !layer->kind->shape(net, layer))
        return;
    if (layer->freeze.given && !layer->nweights)
        error_at(layer->freeze.loc, "%s has no weights to freeze [argument]", layer->kind->name);
    if (with)
        share_weights(net, layer, with);
    for (int i = 0; i < layer->nweights; i++)
        layer->weight[i]->frozen |= layer->freeze.given && layer->freeze.i[0];
    if (shape_count(layer->out->shape) > MOST_ELEMENTS) {
        error_at(layer->loc, "the output of %s is too large: a tensor can have %d elements [limit]",
                 layer->kind->name, MOST_ELEMENTS);
        layer->out->shape = (Shape){0};
        return;
    }
    add_layer(net, layer);
}

/* What changes what is current, or what was computed: from, freeze, output. */
static void follow_flow(Net *net, Written *written)
{
    Layer *layer = written->layer;
    bool known = find_inputs(net, written->scope, layer);
    layer->in = net->out;
    if (!known || (layer->nmore == 0 && error_count() > 0)) {
        net->out = layer->nmore ? new_value(net, NULL) : net->out;
        return;
    }
    if (layer->kind->shape(net, layer) && layer->kind->layer && layer->nmore > 1) {
        static const Token none;
        layer->kind = layer->kind->layer;
        layer->nmore = 0;
        follow_layer(net, layer, written->scope, &none);
    }
}

/* A broken statement of which nobody knows what was meant: what it gives is unknown, but for a kind that
 * keeps its input's shape. */
static void follow_unknown(Net *net, const Written *written)
{
    const Kind *kind = written->statement->mistake->meant;
    bool keeps = kind && (kind->shape == same_shape || (kind->role == ROLE_FLOW && !kind->params->name));
    if (!keeps)
        net->out = new_value(net, NULL);
}

/* A layer, a label alone, or a change of what is current. */
static void follow(Net *net, Written *written)
{
    Layer *layer = written->layer;
    const Token *label = &written->statement->label;
    bool is_layer = layer && layer->kind->role == ROLE_LAYER;
    if (is_layer)
        follow_layer(net, layer, written->scope, label);
    else if (layer)
        follow_flow(net, written);
    else if (written->broken)
        follow_unknown(net, written);
    if (!label->text || (!is_layer && !written->end_of_call
                         && !take_name(written->scope, label, "", "label", label->loc)))
        return;
    bool of_layer = is_layer && layer->out->producer;
    set_label(written->scope, label,
              of_layer               ? "layer"
              : written->end_of_call ? "block"
                                     : "label",
              net->out, is_layer ? layer->loc : label->loc);
}

/* No two tensors may have one name, nor may their names become one in C: "a.b" with a weight, and "a" with
 * b.weight. */
static void check_tensors(const Net *net)
{
    Map *tensors = new_map();
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        for (int i = 0; i < layer->nweights; i++) {
            const Weight *w = layer->weight[i], *other = map_find(tensors, c_name(w->name));
            if (!other)
                map_set(tensors, c_name(w->name), layer->weight[i]);
            if (!other || other == w)
                continue;
            if (strcmp(w->name, other->name))
                error_at(layer->loc,
                         "its tensor '%s' and '%s' have the same name in C: give the layer another label"
                         " [label]", w->name, other->name);
            else
                error_at(layer->loc, "another layer has a tensor '%s': give this one another label [label]",
                         w->name);
            return;
        }
}

/* Is there a loss that takes the input of such a layer directly? Then what it gives is no logits. */
static bool is_absorbed(const Kind *kind)
{
    for (int i = 0; i < nkinds; i++)
        if (kinds[i]->absorbs && !strcmp(kinds[i]->absorbs, kind->name))
            return true;
    return false;
}

/* By the rule: the loss that absorbs the layer that gives the answer, else the fallback. */
static const Kind *loss_behind(const Layer *last)
{
    const Kind *kind = NULL;
    for (int i = 0; i < nkinds; i++)
        if (kinds[i]->fallback)
            kind = kinds[i];
    for (int i = nkinds - 1; i >= 0; i--) /* of several the first */
        if (kinds[i]->absorbs && !strcmp(kinds[i]->absorbs, last->kind->name))
            kind = kinds[i];
    return kind;
}

/* The loss: the command line's, that of the text, or by the rule. */
static void follow_loss(Net *net, Layer *loss, const char *option)
{
    const Layer *last = net->out->producer;
    if (!loss || option) {
        loss = NEW(Layer);
        loss->kind = option ? find_kind(option) : loss_behind(last);
        loss->loc = last->loc;
        loss->text = format("loss %s", loss->kind->name);
        AstStatement none = {.kind = {.text = "loss", .loc = last->loc}, .loc = last->loc};
        const char *corrected;
        if (!read_arguments(&none, loss->kind, loss, &corrected))
            return;
    }
    bool absorbs = loss->kind->absorbs && !strcmp(loss->kind->absorbs, last->kind->name);
    const Layer *giver = last;
    while (giver->kind->drops && giver->in->producer)
        giver = giver->in->producer;
    if (loss->kind->absorbs && !absorbs && is_absorbed(giver->kind))
        warning_at(
            WARN_LOSS, loss->loc,
            "%s expects logits or a %s before it, but %s gives probabilities, which it takes for logits",
            loss->kind->name, loss->kind->absorbs, giver->name);
    net->loss = loss;
    loss->id = net->nlayers;
    net->loss_in = loss->in = absorbs ? last->in : net->out;
    loss->name = "loss"; /* its tensors are called by it, so no layer may be */
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        if (!strcmp(layer->name, loss->name)) {
            loss->name = format("%s_", loss->name);
            layer = net->layers;
        }
    if (!loss->kind->shape(net, loss))
        return;
    if (net->answers && net->answers->next && !net->from_caller) {
        error_at(loss->loc, "of several answers nnc knows no loss: what is minimised is the caller's affair"
                            " [loss]");
        help_at(loss->loc, "write `loss none` behind `output`");
    }
}

typedef struct Settings {
    Layer *input, *batch, *loss; /* input: the first */
    Written *inputs;             /* all of them */
    int ninputs;
    const AstStatement *output;
    bool misplaced;              /* an input stands too late, or is broken */
    bool disordered;             /* something stands behind the loss or the output, which was said */
} Settings;

/* One input needs no label; several have one each. */
static void check_input(Settings *settings, int number)
{
    const AstStatement *s = settings->inputs[number].statement, *first = settings->inputs[0].statement;
    if (!number || (s->label.text && first->label.text))
        return;
    if (!s->label.text && !first->label.text)
        error_at(s->loc, "input is given twice [order]");
    else
        error_at((s->label.text ? first : s)->loc, "of several inputs each needs a label: `left: input 8`"
                                                   " [order]");
    note_at(first->loc, "the first %s here", s->label.text || first->label.text ? "input is" : "time");
    settings->misplaced = true;
}

/* False where the loss, or the answers, have been said: then nothing but the loss may follow. */
static bool check_order(Settings *settings, const Written *w)
{
    const AstStatement *s = w->statement;
    const Layer *layer = w->layer;
    bool is_loss = layer && layer->kind->role == ROLE_LOSS;
    bool good = !settings->loss && (!settings->output || is_loss);
    if (good || settings->disordered || w->broken)
        return good;
    error_at(s->loc, settings->loss ? "the loss must be the last statement [order]"
                                    : "output must be the last statement before the loss [order]");
    note_at(settings->loss ? settings->loss->loc : settings->output->loc, settings->loss ? "the loss is here"
                                                                                         : "output is here");
    settings->disordered = true;
    return false;
}

/* A statement that says something of the network. n: how many that compute something stand before it. */
static void read_setting(Settings *settings, const Written *w, const Scope *scope, int n)
{
    const AstStatement *s = w->statement;
    const Kind *kind = w->layer->kind;
    bool is_input = kind->role == ROLE_SETTING && kind->layer, is_output = kind->role == ROLE_FLOW;
    const char *name = s->kind.text;
    if (w->scope != scope) {
        error_at(s->loc, "%s must stand outside of blocks and repeats [order]", name);
        settings->misplaced |= is_input;
        return;
    }
    if (s->label.text && !is_input)
        error_at(s->label.loc, "%s cannot have a label [label]", name);
    if (kind->begins) {
        if (!w->origin->first)
            error_at(s->loc, "%s must be the first statement [order]", name);
        kind->shape(NULL, w->layer);
        return;
    }
    if (is_output) {
        settings->output = s;
        return;
    }
    Layer **slot = kind->role == ROLE_LOSS ? &settings->loss : is_input ? &settings->input : &settings->batch;
    if (is_input) {
        settings->inputs[settings->ninputs] = *w;
        check_input(settings, settings->ninputs++);
    } else if (*slot) {
        error_at(s->loc, "%s is given twice [order]", name);
        note_at((*slot)->loc, "the first time here");
    }
    if (is_input && (n || settings->batch)) {
        error_at(s->loc, settings->ninputs > 1 ? "all inputs must stand before the other statements [order]"
                                               : "input must be the first statement [order]");
        settings->misplaced = true;
    }
    *slot = w->layer;
}

/* Reads the kinds and arguments of all statements. Those that compute something stay in written; gives
 * their number. */
static int read_statements(Written *written, int count, const Scope *scope, Settings *settings)
{
    settings->inputs = NEW_ARRAY(Written, count + 1);
    int n = 0, computing = 0;
    for (int i = 0; i < count; i++) {
        Written *w = &written[i];
        const AstStatement *s = w->statement;
        int errors = error_count();
        bool again = s->mistake->made;
        diag_inside(w->use);
        if (again)
            diag_quiet(true);
        if (s->kind.text && !w->end_of_call)
            read_statement(w);
        bool in_order = check_order(settings, w);
        const Kind *kind = w->layer ? w->layer->kind : s->mistake->meant;
        bool sets = kind && !w->end_of_call && (kind->role == ROLE_SETTING || kind->role == ROLE_LOSS
                                                || (kind->role == ROLE_FLOW && kind->layer));
        if (in_order && sets && w->layer)
            read_setting(settings, w, scope, computing);
        else if (sets)
            settings->misplaced |= kind->role == ROLE_SETTING && kind->layer;
        if (again)
            diag_quiet(false);
        s->mistake->made |= error_count() > errors;
        if (in_order && (!sets || (kind->role == ROLE_FLOW && w->layer && w->scope == scope)))
            written[n++] = *w;
        computing += in_order && !sets && !w->broken;
    }
    diag_inside(NULL);
    return n;
}

/* Are all inputs numbers, or all tokens? first: of as many tokens as `of`, or 0. */
static bool is_alike(const Net *net, const Layer *input, int64_t of, const Layer *first)
{
    if (!net->input.of == !of)
        return true;
    error_at(input->loc, "inputs of tokens and of numbers can't be together in one network [shape]");
    note_at(first->loc, "the first input is %s", of ? "tokens" : "numbers");
    help_at(input->loc, of ? "write `input %lld of %lld`, or give these numbers to a network of their own"
                           : "give these tokens to a network of their own",
            (long long)shape_count(net->input), (long long)of);
    return false;
}

/* What one sample is: that of the command line, of one input, or all inputs that have labels. */
static bool read_input(Net *net, Settings *settings, const Options *options)
{
    const Written *first = settings->inputs;
    bool parts = settings->ninputs && first->statement->label.text;
    if (parts && options->input_size)
        fail("--input=%s: the inputs of this network have labels, and their sizes in the text [option-value]",
             options->input_size);
    if (options->input_size)
        settings->input = read_option(net, "input", options->input_size);
    if (!settings->input)
        return false;
    int64_t count = 0, of = 0;
    for (int i = 0; i < settings->ninputs && parts; i++) {
        Layer *input = settings->inputs[i].layer;
        if (!input->kind->shape(net, input) || (i && !is_alike(net, input, of, first->layer)))
            return false;
        of = !of || net->input.of < of ? net->input.of : of; /* what is a token of each */
        count += shape_count(net->input);
        if (count > MOST_ELEMENTS) {
            error_at(input->loc, "the inputs are too large: a sample can have %d elements"
                                 " [limit]", MOST_ELEMENTS);
            return false;
        }
        input->kind = input->kind->layer;
    }
    if (parts) {
        net->input = flat_shape(count);
        net->input.of = of;
    }
    return parts || settings->input->kind->shape(net, settings->input);
}

/* The inputs that have labels are layers that take their part of x. Where the first has none, which was
 * said, the labels of the others name what nobody knows. */
static void follow_inputs(Net *net, const Settings *settings)
{
    for (int i = 0; i < settings->ninputs; i++) {
        Written *w = &settings->inputs[i];
        const Token *label = &w->statement->label;
        if (!label->text)
            continue;
        if (!settings->inputs[0].statement->label.text) {
            set_label(w->scope, label, "label", new_value(net, NULL), label->loc);
            continue;
        }
        net->out = net->in;
        follow(net, w);
        find_label(w->scope, label, true); /* the first layer may read it without its name */
    }
}

static void follow_all(Net *net, Written *written, int n)
{
    for (int i = 0, scopes = -1; i < n && net->nlayers <= MOST_LAYERS; i++) {
        Written *w = &written[i];
        const Layer *before = i ? written[i - 1].layer : NULL;
        bool begins = w->scope->id > scopes || (before && !strcmp(before->kind->name, "from"));
        bool again = w->statement->mistake->made;
        int errors = error_count();
        scopes = w->scope->id > scopes ? w->scope->id : scopes;
        diag_inside(w->use);
        if (w->layer && begins && w->statement->label.text)
            w->layer->label = &w->statement->label;
        if (again)
            diag_quiet(true);
        follow(net, w);
        if (again)
            diag_quiet(false);
        w->statement->mistake->made |= error_count() > errors;
    }
    diag_inside(NULL);
}

/* The network's input, which is unknown after errors; the settings. */
static void begin_net(Net *net, Settings *settings, const Options *options, Loc first)
{
    bool good = read_input(net, settings, options);
    Layer *batch = settings->batch;
    if (options->batch_size)
        batch = read_option(net, "batch", options->batch_size);
    if (!settings->input && !settings->misplaced)
        error_at(first, "the network has no input: begin with `input CxHxW`, or give --input=CxHxW [input]");
    if (batch)
        batch->kind->shape(net, batch);
    if (!good || settings->misplaced)
        net->input = (Shape){0};
    net->in = net->out = new_value(net, NULL);
    net->in->shape = net->input;
    if (settings->input)
        net->in->loc = settings->input->loc;
    if (good)
        warn_of_channels(net, settings->input);
}

Net *resolve(const Ast *ast, const Options *options)
{
    Net *net = NEW(Net);
    net->source = ast->source;
    const char *slash = strrchr(ast->source->name, '/');
    net->file = slash ? slash + 1 : ast->source->name;
    net->batch = 32;
    net->inference = options->inference;

    Names *names = new_names();
    const Scope *scope = new_scope(names, NULL, "", false);
    Loc end = {.line = 1, .column = 1};
    int n;
    for (const AstStatement *s = ast->statements; s; s = s->next)
        end = s->loc;
    Written *written = expand(ast, options, scope, &n);
    if (n < 0)
        return NULL;
    Settings settings = {0};
    n = read_statements(written, n, scope, &settings);
    begin_net(net, &settings, options, n ? written[0].statement->loc : end);
    follow_inputs(net, &settings);
    follow_all(net, written, n);
    if (error_count() == 0 && (!n || !net->layers))
        error_at(end, "the network has no layers [network]");
    else if (error_count() == 0 && net->out == net->in)
        error_at(end, "the network's output is its input: no layer follows [network]");
    if (error_count() == 0)
        check_tensors(net);
    if (error_count() == 0)
        warn_of_unused(net);
    if (error_count() == 0) {
        warn_of_shortcuts(net);
        warn_of_labels(names);
    }
    if (!is_unknown(net->out) && net->out->producer && net->out != net->in)
        follow_loss(net, settings.loss, options->loss);
    if (error_count() == 0)
        warn_of_habits(net);
    if (error_count() == 0 && options->stream)
        check_stream(net);
    return error_count() == 0 ? net : NULL;
}
