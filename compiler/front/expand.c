/* expand.c: writes a network out: repeats as often as they say, blocks in the place of their calls.
 *
 *     before:   block pair(c) { conv $c k3; relu }     after:   conv 8 k3; relu       (conv1, relu1 of pair1)
 *               repeat 2 { pair(8) }                            conv 8 k3; relu       (conv1, relu1 of pair2)
 *
 * In: the Ast. Out: statements one behind the other, as resolve wants them, each with its arguments put
 * in, with the scope that its labels have and with the place where its block is used, so that messages can
 * show both.
 *
 * A block sees nothing but its arguments: no label, and no other block's arguments. So it means the same
 * wherever it is used, and a recursion shows as a block that stands in its own chain of uses. */
#include <ctype.h>
#include <string.h>

#include "front/front.h"

/* MOST_BYTES: of the text of all statements, written out. */
enum { MOST_WRITTEN = 100000, MOST_BYTES = 32 << 20, LONGEST = 1000, DEEPEST = 20, MOST_ARGUMENTS = 100 };

typedef struct Block {
    const AstStatement *definition;
    const char *name;
    bool broken;         /* its definition is wrong, so nothing is said of its uses */
    struct Block *next;
} Block;

/* Where statements stand: in the network, a repeat or a block. */
typedef struct Place {
    const Scope *scope;
    const Use *use;
    const Block *block;  /* NULL: in none */
    const AstStatement *call; /* whose list block's arguments are */
    bool top;            /* in neither */
    Map *parameters;     /* outside of blocks: Parameter by name */
} Place;

/* What `$name` stands for outside of blocks. */
typedef struct Parameter {
    const char *name, *value;
    bool quoted;         /* the value is a label in quotes */
    Loc loc;             /* of its `param`; line 0: only -D says it */
    bool defined;        /* by -D, whatever the text says */
    bool used;           /* or said to be there */
} Parameter;

/* The lines of a file. */
typedef struct Lines {
    const Source *source;
    const char **line;   /* where each begins, from 1 */
    struct Lines *next;
} Lines;

typedef struct Expansion {
    const Source *source;
    Lines *lines;
    Parameter *parameters; /* of -D */
    Block *blocks, **last_block;
    Map *by_name;        /* the blocks */
    Written *written;
    int n, room;
    int steps;           /* statements and rounds gone through, also those that write nothing */
    size_t bytes;
    bool too_many;
} Expansion;

/* ---- The text of a statement ----------------------------------------------------------------- */

static const char **lines_of(const Source *source)
{
    int n = 1;
    for (const char *c = source->text; (c = strchr(c, '\n')); c++)
        n++;
    const char **line = NEW_ARRAY(const char *, n + 2);
    const char *c = source->text;
    for (int i = 1; i <= n; i++) {
        line[i] = c;
        const char *newline = strchr(c, '\n');
        c = newline ? newline + 1 : c;
    }
    return line;
}

static const char *text_at(Expansion *e, Loc loc)
{
    Lines *lines = e->lines;
    const Source *source = loc.source ? loc.source : e->source;
    while (lines && lines->source != source)
        lines = lines->next;
    if (!lines) {
        lines = NEW(Lines);
        *lines = (Lines){source, lines_of(source), e->lines};
        e->lines = lines;
    }
    char *text = copy_text(lines->line[loc.line] + loc.column - 1, (size_t)loc.length);
    for (char *t = text; *t; t++)
        if (*t == '\t')
            *t = ' ';
    return text;
}

/* ---- Arguments ------------------------------------------------------------------------------- */

static size_t word_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static void add_parameter(Map *parameters, Parameter *p)
{
    map_set(parameters, p->name, p);
}

/* The parameters that -D gives, "NAME=VALUE" each. The last one of a name counts, as for gcc. */
static Map *define_parameters(Expansion *e, const Options *options)
{
    Map *parameters = new_map();
    e->parameters = NEW_ARRAY(Parameter, options->ndefines + 1);
    for (int i = options->ndefines - 1; i >= 0; i--) {
        const char *equals = strchr(options->define[i], '=');
        Parameter *p = &e->parameters[i];
        *p = (Parameter){.name = copy_text(options->define[i], (size_t)(equals - options->define[i])),
                         .value = equals + 1, .defined = true};
        add_parameter(parameters, p);
    }
    return parameters;
}

/* param NAME = VALUE */
static void read_parameter(Expansion *e, const AstStatement *s, const Place *place)
{
    const AstArg *given = s->args;
    (void)e;
    if (!place->top || s->label.text) {
        error_at(s->label.text ? s->label.loc : s->loc, s->label.text ? "param cannot have a label "
                                                                        "[parameter]"
                 : "a param must stand outside of blocks and repeats [parameter]");
        return;
    }
    if (!given || given->form != ARG_NAMED || given->next || given->nvalues != 1 || s->listed || s->braced
        || !is_identifier(given->name.text)) {
        const AstArg *value = given && given->form == ARG_PLAIN ? given->next : NULL;
        error_at(s->loc, "expected param NAME = VALUE, with one value [parameter]");
        if (value && value->form == ARG_PLAIN && !value->next)
            help_at(s->loc, "write `param %s = %s`", given->value[0].text, value->value[0].text);
        return;
    }
    Parameter *p = map_find(place->parameters, given->name.text);
    if (p && p->loc.line) {
        error_at(given->loc, "the parameter '%s' is given twice [parameter]", p->name);
        note_at(p->loc, "the first time here");
    } else if (p) {
        p->loc = s->loc;
        p->used = true;
    } else {
        p = NEW(Parameter);
        *p = (Parameter){.name = given->name.text, .value = given->value[0].text,
                          .quoted = given->value[0].quoted, .loc = s->loc};
        add_parameter(place->parameters, p);
    }
}

static void collect_name(void *value, void *names)
{
    const char ***end = names;
    *(*end)++ = ((const Parameter *)value)->name;
}

static const char *closest_parameter(const Map *parameters, const char *name)
{
    const char **names = NEW_ARRAY(const char *, map_count(parameters) + 1), **end = names;
    map_each(parameters, collect_name, &end);
    return closest(name, names, (int)(end - names));
}

static bool unknown_parameter(const Place *place, const char *name, Loc loc)
{
    const char *near = closest_parameter(place->parameters, name);
    if (near)
        error_at(loc, "'$%s' has no value here; did you mean $%s? [parameter]", name, near);
    else
        error_at(loc, "'$%s' has no value here: outside of a block it needs `param %s = ...` before it, "
                      "or -D %s=... "
                 "[parameter]", name, name, name);
    return false;
}

/* Whoever misspells a name on the command line gets the default of the right one. */
static void warn_of_defines(const Expansion *e, const Options *options, const Map *parameters)
{
    const Loc nowhere = {0};
    for (int i = 0; i < options->ndefines; i++) {
        const Parameter *p = map_find(parameters, e->parameters[i].name);
        if (!p->used && p == &e->parameters[i])
            warning_at(WARN_DEFINE, nowhere, "-D %s: nothing uses $%s", options->define[i], p->name);
    }
}

static bool unknown_argument(const Place *place, const char *name, Loc loc)
{
    const AstStatement *definition = place->block->definition;
    const char **names = NEW_ARRAY(const char *, definition->nlist + 1);
    for (int i = 0; i < definition->nlist; i++)
        names[i] = definition->list[i].text;
    const char *near = closest(name, names, definition->nlist);
    if (near)
        error_at(loc, "block %s has no argument '%s'; did you mean $%s?"
                      " [parameter]", place->block->name, name, near);
    else
        error_at(loc, "block %s has no argument '%s' [parameter]", place->block->name, name);
    note_at(definition->loc, "the block is defined here");
    if (map_find(place->parameters, name))
        help_at(loc, "a block sees its arguments only: hand $%s to it as one", name);
    return false;
}

/* The text with each `$name` replaced by what the call says. *quoted: a label in quotes is the whole text;
 * quoted NULL: it gets its quotes. False after an error, whose place is loc. */
static bool fill(const Place *place, const char *text, Loc loc, const char **filled, bool *quoted)
{
    const char *dollar;
    *filled = text;
    if (!strchr(text, '$'))
        return true;
    size_t left = strlen(text), room = left + LONGEST + 1, used = 0;
    char *result = NEW_ARRAY(char, room);
    while ((dollar = strchr(text, '$'))) {
        size_t length = word_length(dollar + 1);
        const char *name = copy_text(dollar + 1, length), *value = NULL;
        bool is_quoted = false;
        for (int i = 0; place->block && i < place->block->definition->nlist; i++)
            if (!strcmp(place->block->definition->list[i].text, name)) {
                value = place->call->list[i].text;
                is_quoted = place->call->list[i].quoted;
            }
        Parameter *parameter = place->block ? NULL : map_find(place->parameters, name);
        if (parameter) {
            parameter->used = true;
            value = parameter->value;
            is_quoted = parameter->quoted;
        }
        if (value && is_quoted && quoted && (used || dollar != text || dollar[1 + length])) {
            error_at(loc, "'$%s' is a label in quotes, which is no part of a word [label]", name);
            return false;
        }
        if (quoted)
            *quoted |= is_quoted;
        else if (value && is_quoted)
            value = format("\"%s\"", value);
        if (!value)
            return place->block ? unknown_argument(place, name, loc) : unknown_parameter(place, name, loc);
        if (strlen(value) > LONGEST) { /* each block may double it */
            error_at(loc, "the value of '$%s' has more than %d characters [limit]", name, LONGEST);
            return false;
        }
        size_t before = (size_t)(dollar - text), after = strlen(value);
        text = dollar + 1 + length;
        left -= before + 1 + length;
        if (used + before + after + left >= room) {
            const char *old = result;
            room = 2 * (used + before + after + left + 1);
            result = NEW_ARRAY(char, room);
            memcpy(result, old, used);
        }
        memcpy(result + used, dollar - before, before);
        memcpy(result + used + before, value, after);
        used += before + after;
    }
    strcpy(result + used, text);
    *filled = result;
    return true;
}

static bool fill_token(const Place *place, Token *token)
{
    return !token->text || fill(place, token->text, token->loc, &token->text, &token->quoted);
}

static bool fill_tokens(const Place *place, Token **tokens, int n)
{
    Token *copy = NEW_ARRAY(Token, n + 1);
    bool good = true;
    for (int i = 0; i < n; i++) {
        copy[i] = (*tokens)[i];
        good &= fill_token(place, &copy[i]);
    }
    *tokens = copy;
    return good;
}

/* A copy with the arguments put in; NULL after an error. Its body is left as it is. */
static const AstStatement *fill_statement(const Place *place, const AstStatement *s)
{
    AstStatement *copy = NEW(AstStatement);
    *copy = *s;
    bool good = fill_token(place, &copy->kind) && fill_tokens(place, &copy->list, copy->nlist);
    AstArg **last = &copy->args;
    for (const AstArg *arg = s->args; arg; arg = arg->next) {
        *last = NEW(AstArg);
        **last = *arg;
        good = good && fill_token(place, &(*last)->name) && fill_tokens(place, &(*last)->value, arg->nvalues);
        last = &(*last)->next;
    }
    return good ? copy : NULL;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static const Block *find_block(const Expansion *e, const char *name)
{
    return map_find(e->by_name, name);
}

static void define(Expansion *e, const AstStatement *s)
{
    const AstArg *name = s->args;
    if (s->label.text)
        error_at(s->label.loc, "a block definition cannot have a label [block]");
    if (!name || name->form != ARG_PLAIN || name->next || !is_identifier(name->value[0].text)
        || name->value[0].quoted || !s->braced) {
        error_at(s->loc, "expected block NAME(a, b) { statements } [block]");
        return;
    }
    const char *text = name->value[0].text;
    const Block *other = find_block(e, text);
    if (find_kind(text)) {
        error_at(name->loc, "'%s' is already a kind of statement: give the block another name [block]", text);
        return;
    }
    if (other) {
        error_at(name->loc, "the block '%s' is defined twice [block]", text);
        note_at(other->definition->args->loc, "the first time here");
        return;
    }
    int errors = error_count();
    if (s->nlist > MOST_ARGUMENTS)
        error_at(s->loc, "a block takes at most %d arguments, not %d [limit]", MOST_ARGUMENTS, s->nlist);
    for (int i = 0; i < s->nlist && i < MOST_ARGUMENTS; i++) {
        if (!is_identifier(s->list[i].text) || s->list[i].quoted)
            error_at(s->list[i].loc, "the name of an argument must consist of letters, digits and '_'"
                                     " [block]");
        for (int k = 0; k < i; k++)
            if (!strcmp(s->list[i].text, s->list[k].text))
                error_at(s->list[i].loc, "block %s has two arguments '%s' [block]", text, s->list[i].text);
    }
    Block *block = *e->last_block = NEW(Block);
    e->last_block = &block->next;
    block->definition = s;
    block->name = text;
    block->broken = error_count() > errors;
    map_set(e->by_name, text, block);
}

static void unknown_block(const Expansion *e, const Token *name)
{
    int n = 0;
    for (const Block *block = e->blocks; block; block = block->next)
        n++;
    const char **names = NEW_ARRAY(const char *, n + 1);
    n = 0;
    for (const Block *block = e->blocks; block; block = block->next)
        names[n++] = block->name;
    const char *near = closest(name->text, names, n);
    if (kind_meant(name->text, false))
        error_parentheses(name);
    else if (near)
        error_at(name->loc, "there is no block '%s'; did you mean %s? [block]", name->text, near);
    else
        error_at(name->loc, "there is no block '%s' [block]", name->text);
}

/* ---- Writing out ----------------------------------------------------------------------------- */

static Written *add_written(Expansion *e)
{
    if (e->n == e->room) {
        Written *old = e->written;
        e->room = e->room ? 2 * e->room : 64;
        e->written = NEW_ARRAY(Written, e->room);
        if (old)
            memcpy(e->written, old, (size_t)e->n * sizeof *old);
    }
    return &e->written[e->n++];
}

/* A statement with an error stays in its place: what follows is not behind the one before it. */
static void add_broken(Expansion *e, const AstStatement *s, const Place *place)
{
    s->mistake->made = true;
    *add_written(e) = (Written){
        .statement = s, .origin = s, .text = "", .scope = place->scope, .use = place->use, .broken = true};
}

static bool is_too_large(Expansion *e, Loc loc)
{
    if (!e->too_many && ++e->steps > MOST_WRITTEN) {
        error_at(
            loc,
            "the network is too large: with repeats and blocks written out it has more than %d statements"
            " [limit]",
            MOST_WRITTEN);
        e->too_many = true;
    }
    return e->too_many;
}

static void expand_statements(Expansion *e, const AstStatement *s, const Place *place);

/* The names of its arguments. */
static const char *list_of(const AstStatement *definition)
{
    const char *list = "";
    for (int i = 0; i < definition->nlist; i++)
        list = format("%s%s%s", list, i ? ", " : "", definition->list[i].text);
    return list;
}

/* False after an error. */
static bool check_call(const Block *block, const AstStatement *call, const Place *place)
{
    const AstStatement *definition = block->definition;
    if (call->braced || call->args) {
        error_at(call->loc, "expected %s(%s) and nothing else [block]", block->name,
                 definition->nlist ? "..." : "");
        return false;
    }
    if (!call->listed) {
        error_at(call->loc, "block %s is used with parentheses, also where it has no arguments [block]",
                 block->name);
        help_at(call->loc, "write `%s(%s)`", block->name, list_of(definition));
        return false;
    }
    if (call->nlist != definition->nlist) {
        error_at(call->loc, "block %s expects %d argument%s in parentheses, got %d [block]", block->name,
                 definition->nlist, definition->nlist == 1 ? "" : "s", call->nlist);
        note_at(definition->loc, "the block is defined here");
        return false;
    }
    for (const Use *use = place->use; use; use = use->up)
        if (use->definition == block) {
            error_at(call->loc, "block %s uses itself [block]", block->name);
            note_at(definition->loc, "the block is defined here");
            return false;
        }
    int depth = 0;
    for (const Use *use = place->use; use; use = use->up)
        depth++;
    if (depth == DEEPEST) {
        error_at(call->loc,
                 "blocks stand in one another at most %d deep: write what this one holds in its place"
                 " [limit]",
                 DEEPEST);
        return false;
    }
    return true;
}

static void expand_call(Expansion *e, const Block *block, const AstStatement *call, const Place *place)
{
    const AstStatement *definition = block->definition;
    const char *name = NULL;
    if (!block->broken && check_call(block, call, place))
        name = take_name(place->scope, &call->label, block->name, "block", call->loc);
    if (!name) {
        add_broken(e, call, place);
        return;
    }
    Use *use = NEW(Use);
    *use = (Use){call->loc, format("block %s", block->name), place->use, block};
    Place inner = {new_scope(place->scope->names, NULL, format("%s.", name), false), use, block, call, false,
                   place->parameters};
    diag_inside(use);
    expand_statements(e, definition->body, &inner);
    diag_inside(place->use);
    if (call->label.text)
        *add_written(e) = (Written){
            .statement = call, .origin = call, .scope = place->scope, .use = place->use, .end_of_call = true};
}

static void expand_repeat(Expansion *e, const AstStatement *s, const Place *place)
{
    const AstArg *times = s->args;
    if (s->label.text) {
        error_at(s->label.loc, "repeat cannot have a label [repeat]");
        s->mistake->made = true;
    }
    if (!times || times->form != ARG_PLAIN || times->next || times->value[0].quoted || s->listed
        || !s->braced) {
        error_at(s->loc, "expected repeat N { statements } [repeat]");
        add_broken(e, s, place);
        return;
    }
    const char *text = times->value[0].text;
    int n = 0;
    for (const char *c = text; *c && n >= 0 && n <= MOST_WRITTEN; c++)
        n = isdigit((unsigned char)*c) ? 10 * n + (*c - '0') : -1;
    if (n < 0 || n > MOST_WRITTEN) {
        error_at(times->loc, "repeat expects a whole number from 0 to %d, not '%s'"
                             " [repeat]", MOST_WRITTEN, text);
        add_broken(e, s, place);
        return;
    }
    for (int i = 0; i < n && !is_too_large(e, s->loc); i++) {
        Place inner = *place;
        inner.scope = new_scope(place->scope->names, place->scope, place->scope->prefix, true);
        inner.top = false;
        expand_statements(e, s->body, &inner);
    }
}

static void unknown_braces(const AstStatement *s)
{
    const Word *word = find_word(WORD_KIND, s->kind.text, NULL);
    const bool known = word && word->say && !strncmp(word->say, "write", 5);
    error_at(s->loc, "%s takes no braces: %s [block]", s->kind.text,
             known ? word->say : "only repeat and block do");
}

/* A statement of a layer, a setting or a flow. */
static void write_statement(Expansion *e, const AstStatement *s, const AstStatement *filled,
                            const Place *place)
{
    if (filled->listed || filled->braced) {
        if (filled->listed)
            unknown_block(e, &filled->kind);
        else
            unknown_braces(filled);
        add_broken(e, filled, place);
        return;
    }
    const char *text = text_at(e, s->loc);
    if (!fill(place, text, s->loc, &text, NULL)) {
        add_broken(e, filled, place);
        return;
    }
    e->bytes += strlen(text);
    if (e->bytes > MOST_BYTES && !e->too_many) {
        error_at(s->loc, "the network is too large: written out it has more than %d MB of text [limit]",
                 MOST_BYTES >> 20);
        e->too_many = true;
        return;
    }
    *add_written(e) =
        (Written){.statement = filled, .origin = s, .text = text, .scope = place->scope, .use = place->use};
}

static void expand_include(Expansion *e, const AstStatement *s, const Place *place)
{
    if (s->label.text)
        error_at(s->label.loc, "include cannot have a label [include]");
    if (!s->included)
        error_at(s->loc, "expected include \"FILE\" [include]");
    expand_statements(e, s->body, place);
}

static void expand_one(Expansion *e, const AstStatement *s, const Place *place)
{
    const AstStatement *filled = s->broken ? NULL : fill_statement(place, s);
    const char *kind = filled ? filled->kind.text : NULL;
    const Block *block = kind ? find_block(e, kind) : NULL;
    if (!filled)
        add_broken(e, s, place);
    else if (kind && !strcmp(kind, "block") && place->top)
        ; /* define had it */
    else if (kind && !strcmp(kind, "block")) {
        error_at(s->loc, "a block cannot be defined inside a block or a repeat [block]");
        s->mistake->made = true;
    } else if (kind && !strcmp(kind, "repeat"))
        expand_repeat(e, filled, place);
    else if (kind && !strcmp(kind, "param"))
        read_parameter(e, filled, place);
    else if (kind && !strcmp(kind, "include"))
        expand_include(e, filled, place);
    else if (block)
        expand_call(e, block, filled, place);
    else
        write_statement(e, s, filled, place);
}

/* What was said of a statement is not said again, wherever it is used. */
static void expand_statement(Expansion *e, const AstStatement *s, const Place *place)
{
    bool again = s->mistake->made;
    int errors = error_count();
    if (again)
        diag_quiet(true);
    expand_one(e, s, place);
    if (again)
        diag_quiet(false);
    else if (error_count() > errors && !s->braced && !s->listed)
        s->mistake->made = true;
}

static void expand_statements(Expansion *e, const AstStatement *s, const Place *place)
{
    for (; s && !is_too_large(e, s->loc); s = s->next)
        expand_statement(e, s, place);
}

static void define_blocks(Expansion *e, const AstStatement *s)
{
    for (; s; s = s->next)
        if (s->included)
            define_blocks(e, s->body);
        else if (s->kind.text && !s->broken && !strcmp(s->kind.text, "block"))
            define(e, s);
}

Written *expand(const Ast *ast, const Options *options, const Scope *scope, int *count)
{
    Expansion e = {.source = ast->source, .by_name = new_map()};
    e.last_block = &e.blocks;
    Place place = {.scope = scope, .top = true, .parameters = define_parameters(&e, options)};
    define_blocks(&e, ast->statements);
    expand_statements(&e, ast->statements, &place);
    if (error_count() == 0)
        warn_of_defines(&e, options, place.parameters);
    *count = e.too_many ? -1 : e.n;
    return e.written;
}

bool is_argument_of(const Use *use, const char *text)
{
    const Block *block = use ? use->definition : NULL;
    for (int i = 0; block && i < block->definition->nlist; i++)
        if (!strcmp(block->definition->list[i].text, text))
            return true;
    return false;
}
