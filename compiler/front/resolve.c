/* resolve.c: Ast to Net.
 *
 * In: statements as written. Out: layers in an order in which each comes behind those that it reads, each
 * with its kind, its checked arguments, its name, the shape that comes in and the shape that goes out, its
 * weights. Whatever is wrong with a network is found here and reported at its place in the text; later
 * stages may rely on a Net being right.
 *
 * First every statement's kind and arguments are read, so that all mistyped ones are reported at once;
 * then shapes are followed from the input on, up to the first error, since nothing behind it has a shape. */
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

static Layer *read_statement(const Written *written)
{
    const AstStatement *statement = written->statement;
    int errors = error_count();
    const Kind *kind = find_kind(statement->kind.text);
    if (!kind || !is_statement(kind))
        kind = unknown_kind(&statement->kind, false);
    if (kind && kind->role == ROLE_LOSS_STATEMENT) {
        const AstArg *first = statement->args;
        if (!first || first->form != ARG_PLAIN) {
            error_at(statement->loc, "loss needs a name: %s [loss]", kind->syntax);
            return NULL;
        }
        kind = find_kind(first->value[0].text);
        if (!kind || is_statement(kind))
            kind = unknown_kind(&first->value[0], true);
    }
    if (!kind)
        return NULL;
    Layer *layer = NEW(Layer);
    layer->kind = kind;
    layer->loc = statement->loc;
    layer->use = written->use;
    layer->text = written->text;
    const char *corrected;
    bool good = read_arguments(statement, kind, layer, &corrected) && error_count() == errors;
    if (!good && corrected && !is_filled(written->origin))
        help_at(statement->loc, "write `%s`", corrected);
    return good ? layer : NULL;
}

/* A setting given on the command line: `text` is the argument that the statement would have. */
static Layer *read_option(Net *net, const char *kind_name, const char *text)
{
    const Kind *kind = find_kind(kind_name);
    bool sizes = kind->params->type == PARAM_SIZE;
    int64_t number = 0, product_so_far = 1, most = (int64_t)kind->params->most;
    int n = 1;
    bool good = true;
    for (const char *c = text;; c++)
        if (isdigit((unsigned char)*c))
            number = number > most ? number : 10 * number + (*c - '0');
        else {
            good &= number >= 1 && number <= most;
            product_so_far = product(product_so_far, number);
            if (*c != 'x') {
                good &= !*c;
                break;
            }
            number = 0;
            n++;
        }
    if (!good || product_so_far > most || (n != 1 && !(sizes && n <= 3)))
        sizes ? fail("--input=%s: must be CxHxW, TxC or N, each at least 1, with a product of at most %lld",
                     text, (long long)most)
              : fail("--batch=%s: must be a whole number from 1 to %lld", text, (long long)most);
    Token value = {.text = text};
    AstArg arg = {.form = ARG_PLAIN, .value = &value, .nvalues = 1};
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

/* The tensors that the statement names. */
static bool find_inputs(const Scope *scope, Layer *layer)
{
    const Arg *arg = NULL;
    for (const Param *p = layer->kind->params; p->name; p++)
        if (p->type == PARAM_LABELS)
            arg = &layer->arg[p - layer->kind->params];
    if (!arg)
        return true;
    layer->more = NEW_ARRAY(Value *, arg->n);
    for (int i = 0; i < arg->n; i++)
        if (!(layer->more[layer->nmore++] = find_label(scope, &arg->label[i])))
            return false;
    return true;
}

static bool follow_layer(Net *net, Layer *layer, const Scope *scope, const Token *label)
{
    layer->name = take_name(scope, label, layer->kind->name, "layer", layer->loc);
    if (!layer->name || !find_inputs(scope, layer))
        return false;
    layer->in = net->out;
    layer->out = new_value(net, layer);
    if (!layer->kind->shape(net, layer))
        return false;
    if (layer->freeze.given && !layer->nweights) {
        error_at(layer->freeze.loc, "%s has no weights to freeze [argument]", layer->kind->name);
        return false;
    }
    for (int i = 0; i < layer->nweights; i++)
        layer->weight[i]->frozen = layer->freeze.given && layer->freeze.i[0];
    if (shape_count(layer->out->shape) > MOST_ELEMENTS) {
        error_at(layer->loc, "the output of %s is too large: a tensor can have %d elements [limit]",
                 layer->kind->name, MOST_ELEMENTS);
        return false;
    }
    if (net->nlayers == MOST_LAYERS) {
        error_at(layer->loc, "the network is too large: it has more than %d layers [limit]", MOST_LAYERS);
        return false;
    }
    net->out = layer->out;
    layer->id = net->nlayers++;
    if (net->last)
        net->last->next = layer;
    else
        net->layers = layer;
    net->last = layer;
    return true;
}

/* A layer, a label alone, or a change of what is current. */
static bool follow(Net *net, const Written *written)
{
    Layer *layer = written->layer;
    const Token *label = &written->statement->label;
    bool is_layer = layer && layer->kind->role == ROLE_LAYER;
    if (is_layer) {
        if (!follow_layer(net, layer, written->scope, label))
            return false;
    } else if (layer) {
        layer->in = net->out;
        if (!find_inputs(written->scope, layer) || !layer->kind->shape(net, layer))
            return false;
        if (layer->kind->layer && layer->nmore > 1) {
            static const Token none;
            layer->kind = layer->kind->layer;
            layer->nmore = 0;
            return follow_layer(net, layer, written->scope, &none);
        }
    }
    if (label->text && !is_layer && !written->end_of_call
        && !take_name(written->scope, label, "", "label", label->loc))
        return false;
    if (label->text)
        set_label(written->scope, label,
                  is_layer               ? "layer"
                  : written->end_of_call ? "block"
                                         : "label",
                  net->out, is_layer ? layer->loc : label->loc);
    return true;
}

static bool is_input(const Net *net, const Value *value)
{
    for (const Part *part = net->inputs; part; part = part->next)
        if (part->value == value)
            return true;
    return false;
}

/* Layers on which neither the answer nor the loss depends are not computed; an input must be. */
static void warn_of_unused(const Net *net)
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
static void warn_of_shortcuts(const Net *net)
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
static void warn_of_channels(const Net *net, const Layer *input)
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
    for (int i = 0; i < nkinds; i++)
        if (kinds[i]->absorbs && !strcmp(kinds[i]->absorbs, last->kind->name))
            kind = kinds[i];
    return kind;
}

/* The loss: the command line's, that of the text, or by the rule. */
static bool follow_loss(Net *net, Layer *loss, const char *option)
{
    const Layer *last = net->out->producer;
    if (!loss || option) {
        loss = NEW(Layer);
        loss->kind = option ? find_kind(option) : loss_behind(last);
        loss->loc = last->loc;
        loss->text = format("loss %s", loss->kind->name);
        AstStatement none = {.kind = {"loss", last->loc}, .loc = last->loc};
        const char *corrected;
        if (!read_arguments(&none, loss->kind, loss, &corrected))
            return false;
    }
    bool absorbs = loss->kind->absorbs && !strcmp(loss->kind->absorbs, last->kind->name);
    if (loss->kind->absorbs && !absorbs && is_absorbed(last->kind))
        warning_at(
            WARN_LOSS, loss->loc,
            "%s expects logits or a %s before it, but %s gives probabilities, which it takes for logits",
            loss->kind->name, loss->kind->absorbs, last->name);
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
        return false;
    if (net->answers && net->answers->next && !net->from_caller) {
        error_at(loss->loc, "of several answers nnc knows no loss: what is minimised is the caller's affair"
                            " [loss]");
        help_at(loss->loc, "write `loss none` behind `output`");
        return false;
    }
    return true;
}

/* The same text can be wrong only once, however often it is used. */
static bool failed_before(const Written *written, const AstStatement **failed, int n)
{
    for (int i = 0; i < n; i++)
        if (failed[i] == written->origin)
            return true;
    return false;
}

typedef struct Settings {
    Layer *input, *batch, *loss; /* input: the first */
    Written *inputs;             /* all of them */
    int ninputs;
    const AstStatement *output;
    bool misplaced;              /* an input stands too late */
} Settings;

/* One input needs no label; several have one each. */
static void check_input(const Settings *settings, int number)
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
}

/* False where the loss, or the answers, have been said: then nothing but the loss may follow. */
static bool check_order(const Settings *settings, const AstStatement *s, const Layer *layer)
{
    bool is_loss = layer && layer->kind->role == ROLE_LOSS;
    if (settings->loss) {
        error_at(s->loc, "the loss must be the last statement [order]");
        note_at(settings->loss->loc, "the loss is here");
    } else if (settings->output && !is_loss) {
        error_at(s->loc, "output must be the last statement before the loss [order]");
        note_at(settings->output->loc, "output is here");
    }
    return !settings->loss && (!settings->output || is_loss);
}

/* Reads the kinds and arguments of all statements. Those that compute something stay in written; gives
 * their number. */
static int read_statements(Written *written, int count, const Scope *scope, Settings *settings)
{
    settings->inputs = NEW_ARRAY(Written, count + 1);
    const AstStatement **failed = NEW_ARRAY(const AstStatement *, count + 1);
    int n = 0, nfailed = 0;
    for (int i = 0; i < count; i++) {
        Written *w = &written[i];
        const AstStatement *s = w->statement;
        diag_inside(w->use);
        bool computes = s->kind.text && !w->end_of_call;
        bool again = w->scope != scope && failed_before(w, failed, nfailed);
        w->layer = computes && !again ? read_statement(w) : NULL;
        if (computes && !w->layer) {
            failed[nfailed++] = w->origin;
            continue;
        }
        if (!check_order(settings, s, w->layer))
            continue;
        bool flows = w->layer && w->layer->kind->role == ROLE_FLOW;
        bool is_output = flows && w->layer->kind->layer;
        if (!w->layer || w->layer->kind->role == ROLE_LAYER || (flows && !is_output)) {
            written[n++] = *w;
            continue;
        }
        const char *name = s->kind.text;
        bool is_input = !is_output && w->layer->kind->layer;
        if (w->scope != scope) {
            error_at(s->loc, "%s must stand outside of blocks and repeats [order]", name);
            failed[nfailed++] = w->origin;
            continue;
        }
        if (s->label.text && !is_input)
            error_at(s->label.loc, "%s cannot have a label [label]", name);
        if (is_output) {
            settings->output = s;
            written[n++] = *w;
            continue;
        }
        Layer **slot = w->layer->kind->role == ROLE_LOSS ? &settings->loss
                     : is_input ? &settings->input : &settings->batch;
        if (is_input) {
            settings->inputs[settings->ninputs] = *w;
            check_input(settings, settings->ninputs++);
        } else if (*slot) {
            error_at(s->loc, "%s is given twice [order]", name);
            note_at((*slot)->loc, "the first time here");
        }
        if (is_input && (n || settings->batch)) {
            error_at(s->loc, "input must be the first statement [order]");
            settings->misplaced = true;
        }
        *slot = w->layer;
    }
    diag_inside(NULL);
    return n;
}

/* What one sample is: that of the command line, of one input, or all inputs that have labels. */
static bool read_input(Net *net, Settings *settings, const Options *options)
{
    const Written *first = settings->inputs;
    bool parts = settings->ninputs && first->statement->label.text;
    if (parts && options->input_size)
        fail("--input=%s: the inputs of this network have labels, and their sizes in the text",
             options->input_size);
    if (options->input_size)
        settings->input = read_option(net, "input", options->input_size);
    if (!settings->input)
        return false;
    int64_t count = 0;
    for (int i = 0; i < settings->ninputs && parts; i++) {
        Layer *input = settings->inputs[i].layer;
        if (!input->kind->shape(net, input))
            return false;
        count += shape_count(net->input);
        if (count > MOST_ELEMENTS) {
            error_at(input->loc, "the inputs are too large: a sample can have %d elements"
                                 " [limit]", MOST_ELEMENTS);
            return false;
        }
        input->kind = input->kind->layer;
    }
    if (parts)
        net->input = flat_shape(count);
    return parts || settings->input->kind->shape(net, settings->input);
}

/* The inputs that have labels are layers that take their part of x. */
static bool follow_inputs(Net *net, const Settings *settings)
{
    for (int i = 0; i < settings->ninputs && settings->inputs[i].statement->label.text; i++) {
        const Written *w = &settings->inputs[i];
        net->out = net->in;
        if (!follow(net, w))
            return false;
        find_label(w->scope, &w->statement->label); /* the first layer may read it without its name */
    }
    return true;
}

static bool follow_all(Net *net, const Written *written, int n)
{
    bool good = true;
    for (int i = 0, scopes = -1; i < n && good; i++) {
        const Written *w = &written[i];
        const Layer *before = i ? written[i - 1].layer : NULL;
        bool begins = w->scope->id > scopes || (before && !strcmp(before->kind->name, "from"));
        scopes = w->scope->id > scopes ? w->scope->id : scopes;
        diag_inside(w->use);
        if (w->layer && begins && w->statement->label.text)
            w->layer->label = &w->statement->label;
        good = follow(net, w);
    }
    diag_inside(NULL);
    return good;
}

Net *resolve(const Ast *ast, const Options *options)
{
    int errors = error_count();
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
    Written *written = expand(ast, scope, &n);
    Settings settings = {0};
    n = read_statements(written, n, scope, &settings);
    if (error_count() > errors)
        return NULL;
    bool good = read_input(net, &settings, options);
    Layer *batch = settings.batch;
    if (options->batch_size)
        batch = read_option(net, "batch", options->batch_size);
    if (!settings.input && !settings.misplaced) {
        error_at(n ? written[0].statement->loc : end,
                 "the network has no input: begin with `input CxHxW`, or give --input=CxHxW [input]");
        return NULL;
    }
    if (!good || (batch && !batch->kind->shape(net, batch)))
        return NULL;
    net->in = net->out = new_value(net, NULL);
    net->in->shape = net->input;
    warn_of_channels(net, settings.input);
    if (!follow_inputs(net, &settings) || !follow_all(net, written, n))
        return NULL;
    if (!n || !net->layers) {
        error_at(end, "the network has no layers [network]");
        return NULL;
    }
    if (net->out == net->in) {
        error_at(end, "the network's output is its input: no layer follows [network]");
        return NULL;
    }
    warn_of_unused(net);
    if (error_count() > errors)
        return NULL;
    warn_of_shortcuts(net);
    warn_of_labels(names);
    return follow_loss(net, settings.loss, options->loss) ? net : NULL;
}

/* ---- The dump and the verifier --------------------------------------------------------------- */

static const char *value_name(const Value *value)
{
    return value->producer ? value->producer->name : "input";
}

void dump_net(FILE *f, const Net *net)
{
    const Value *before = net->in;
    fprintf(f, "net %s\n  input %s, batch %lld, %lld parameters\n", net->file, shape_text(net->input),
            (long long)net->batch, (long long)net->nparams);
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        fprintf(f, "  %-12s %s -> %s   # %s", layer->name, shape_text(layer->in->shape),
                shape_text(layer->out->shape), layer->text);
        if (layer->nmore || layer->in != before) /* no chain here */
            fprintf(f, "   <- %s", value_name(layer->in));
        for (int i = 0; i < layer->nmore; i++)
            fprintf(f, ", %s", value_name(layer->more[i]));
        fputc('\n', f);
        before = layer->out;
        for (int i = 0; i < layer->nweights; i++) {
            const Weight *w = layer->weight[i];
            fprintf(f, "      %s [", w->name);
            for (int k = 0; k < w->rank; k++)
                fprintf(f, "%s%lld", k ? ", " : "", (long long)w->dim[k]);
            fprintf(f, "] in [%.6g, %.6g)%s\n", w->low, w->high,
                    w->statistic ? ", a statistic"
                    : w->frozen  ? ", frozen"
                                 : "");
        }
    }
    fprintf(f, "  loss %s of %s, %lld %s target%s\n", net->loss->kind->name,
            value_name(net->loss_in), (long long)net->targets,
            net->int_targets ? "int" : "float", net->targets == 1 ? "" : "s");
}

void verify_net(const Net *net)
{
    int64_t params = 0;
    int weights = 0;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        Shape in = layer->in->shape, out = layer->out->shape;
        if (in.c < 1 || in.h < 1 || in.w < 1 || out.c < 1 || out.h < 1 || out.w < 1)
            bug("%s has an empty shape", layer->name);
        if ((out.rank == 1 && (out.h != 1 || out.w != 1)) || (out.rank == 2 && out.w != 1))
            bug("%s has more dimensions than its rank says", layer->name);
        if (layer->out->producer != layer || !layer->kind->lower)
            bug("%s is not connected", layer->name);
        for (int i = -1; i < layer->nmore; i++)
            if ((i < 0 ? layer->in : layer->more[i])->id >= layer->out->id)
                bug("%s reads what comes after it", layer->name);
        weights += layer->nweights;
        params += parameters_of(layer);
    }
    if (params != net->nparams || weights != net->nweights || !net->loss || !net->last
        || !net->out->producer || net->batch < 1)
        bug("the network's totals are wrong");
}
