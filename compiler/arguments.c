/* arguments.c: reads the arguments of a statement against its kind's table of parameters.
 *
 * The grammar knows only words, numbers and arrows; here they get their sense. `k3x5` is the one-letter
 * parameter k, `pad=reflect` any parameter by name, and what has neither letter nor name goes to the first
 * positional parameter that is still free. Each error points at the argument and says what to write. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nnc.h"

static void show_syntax(const Kind *kind, Loc loc)
{
    note_at(loc, "the syntax is: %s", kind->syntax);
}

/* ---- Values ------------------------------------------------------------------------------------- */

/* The part of a token's text from `begin` on. */
typedef struct Text {
    const char *text;
    Loc loc;
} Text;

static Text rest_of(Token token, int begin)
{
    Text rest = {token.text + begin, token.loc};
    rest.loc.column += begin;
    rest.loc.length -= begin;
    return rest;
}

static bool in_range(const Param *param, double value, const char *what, Loc loc)
{
    if (value >= param->least && value <= param->most)
        return true;
    bool whole = param->type != PARAM_NUMBER && param->type != PARAM_NUMBERS;
    if (whole && value < param->least)
        error_at(loc, "%s must be at least %.0f", what, param->least);
    else if (whole)
        error_at(loc, "%s is too large: the most is %.0f", what, param->most);
    else
        error_at(loc, "%s must lie between %g and %g", what, param->least, param->most);
    return false;
}

/* Whole numbers separated by x: fills i[], at most `most` of them. */
static int read_sizes(const Param *param, Text value, const char *what, int64_t *i, int most)
{
    const char *c = value.text;
    bool negative = *c == '-' && isdigit((unsigned char)c[1]);
    for (int n = 0;; c++) {
        int64_t number = 0;
        const char *first = c += negative && c == value.text;
        for (; isdigit((unsigned char)*c); c++)
            number = number > MOST_ELEMENTS ? number : 10 * number + (*c - '0');
        if (c == first || (*c && *c != 'x')) {
            error_at(value.loc, most == 1 ? "%s must be a whole number, not '%s'"
                                : most == 2 ? "%s must be a whole number or a pair such as 3x5, not '%s'"
                                : "%s must be whole numbers such as 3x32x32 or 784, not '%s'", what, value.text);
            return 0;
        }
        if (n == most) {
            error_at(value.loc, most == 1 ? "%s must be a single number, not '%s'"
                                : most == 2 ? "%s must be a number or a pair of height and width, not '%s'"
                                : "%s must be CxHxW or N, not '%s'", what, value.text);
            return 0;
        }
        i[n++] = number;
        if (!in_range(param, negative ? -(double)number : (double)number, what, value.loc))
            return 0;
        if (!*c)
            return n;
    }
}

static bool read_number(const Param *param, Text value, const char *what, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(value.text, &end);
    bool plain = strspn(value.text, "+-.0123456789eE") == strlen(value.text);
    if (!plain || end == value.text || *end) {
        error_at(value.loc, "%s must be a number, not '%s'", what, value.text);
        return false;
    }
    if (!isfinite(*number) || fabs(*number) > 1e30) {
        error_at(value.loc, "%s is too large", what);
        return false;
    }
    return in_range(param, *number, what, value.loc);
}

static bool read_word(const char *choices, Text value, const char *what, int64_t *number)
{
    const char *words[8];
    int n = 0;
    for (char *c = format("%s", choices); c && n < 8;) {
        words[n++] = c;
        c = strchr(c, '|');
        if (c)
            *c++ = '\0';
    }
    for (*number = 0; *number < n; ++*number)
        if (!strcmp(words[*number], value.text))
            return true;
    const char *near = closest(value.text, words, n);
    char *list = format("%s", words[0]);
    for (int i = 1; i < n; i++)
        list = format("%s%s%s", list, i < n - 1 ? ", " : " or ", words[i]);
    if (near)
        error_at(value.loc, "%s must be %s, not '%s'; did you mean %s?", what, list, value.text, near);
    else
        error_at(value.loc, "%s must be %s, not '%s'", what, list, value.text);
    return false;
}

/* How errors call a parameter of a kind. */
static const char *describe(const Kind *kind, const Param *param)
{
    if (param->type == PARAM_CHANNELS)
        return format("the number of %s of %s", !strcmp(kind->name, "fc") ? "features" : "channels", kind->name);
    return format("the %s of %s", isupper((unsigned char)param->name[0]) || !param->name[1] ? param->help : param->name,
                  kind->name);
}

static bool one_value(const Kind *kind, const Param *param, const AstArg *given, int n)
{
    if (n == 1 || param->type == PARAM_NUMBERS)
        return true;
    error_at(given->value[1].loc, "%s takes one value", describe(kind, param));
    return false;
}

static bool read_value(const Kind *kind, const Param *param, const AstArg *given, Text first, Arg *arg)
{
    const char *what = describe(kind, param);
    const char *comma = strchr(what, ';'); /* "stride; the kernel if left out" */
    if (comma)
        what = format("%.*s of %s", (int)(comma - what), what, kind->name);
    arg->given = true;
    arg->loc = given->loc;
    if (given->form == ARG_ARROW && param->type != PARAM_CHANNELS) {
        error_at(given->loc, "%s takes no '->'", what);
        return false;
    }
    if (given->form != ARG_ARROW && !one_value(kind, param, given, given->nvalues))
        return false;
    switch (param->type) {
    case PARAM_PAIR:
        arg->n = read_sizes(param, first, what, arg->i, 2);
        if (arg->n == 1)
            arg->i[1] = arg->i[0];
        return arg->n > 0;
    case PARAM_INT:
        return (arg->n = read_sizes(param, first, what, arg->i, 1)) > 0;
    case PARAM_SIZE:
        return (arg->n = read_sizes(param, first, what, arg->i, 3)) > 0;
    case PARAM_CHANNELS:
        arg->i[0] = -1;
        if (given->form != ARG_ARROW)
            return read_sizes(param, first, what, &arg->i[1], 1) > 0;
        return read_sizes(param, rest_of(given->value[0], 0), what, &arg->i[0], 1) > 0
               && read_sizes(param, rest_of(given->value[1], 0), what, &arg->i[1], 1) > 0;
    case PARAM_FLAG:
        if (!read_word("false|true", first, what, &arg->i[0]))
            return false;
        return true;
    case PARAM_CHOICE:
        return read_word(param->choices, first, what, &arg->i[0]);
    case PARAM_NUMBER:
    case PARAM_NUMBERS:
        arg->n = given->nvalues;
        arg->list = NEW_ARRAY(double, arg->n);
        for (int i = 0; i < arg->n; i++)
            if (!read_number(param, i ? rest_of(given->value[i], 0) : first, what, &arg->list[i]))
                return false;
        return true;
    case PARAM_LABELS:
        break;
    }
    bug("%s cannot be read", what);
}

/* ---- Which parameter ------------------------------------------------------------------------------ */

static const Param *named(const Kind *kind, const char *name, size_t length)
{
    for (const Param *p = kind->params; p->name; p++)
        if (strlen(p->name) == length && !memcmp(p->name, name, length) && !isupper((unsigned char)*name))
            return p;
    return NULL;
}

static void unknown_argument(const Kind *kind, const char *name, Loc loc)
{
    const char *names[MAX_ARGS + 1];
    int n = 0;
    if (kind->role == ROLE_LAYER)
        names[n++] = "freeze";
    for (const Param *p = kind->params; p->name; p++)
        if (p->name[1] && !isupper((unsigned char)p->name[0]))
            names[n++] = p->name;
    const char *near = closest(name, names, n);
    if (near)
        error_at(loc, "%s has no argument '%s'; did you mean %s?", kind->name, name, near);
    else
        error_at(loc, "%s has no argument '%s'", kind->name, name);
    show_syntax(kind, loc);
}

static bool begins_statement(const char *word)
{
    const Kind *kind = find_kind(word);
    return kind && kind->role != ROLE_LOSS;
}

/* The parameter that an argument is for, and where its value begins in the first token; NULL after an error. */
static const Param *choose(const Kind *kind, const AstArg *given, const Layer *layer, int *begin)
{
    const char *text = given->value[0].text;
    *begin = 0;
    if (given->form == ARG_NAMED) {
        const Param *p = named(kind, given->name.text, strlen(given->name.text));
        if (!p)
            unknown_argument(kind, given->name.text, given->name.loc);
        return p;
    }
    bool word = given->form == ARG_PLAIN && (isalpha((unsigned char)text[0]) || text[0] == '_');
    for (const Param *p = kind->params; word && p->name; p++)
        if (p->type == PARAM_LABELS)
            return p;
    if (word && text[1] && !isalpha((unsigned char)text[1]) && text[1] != '_') {
        const Param *p = named(kind, text, 1);
        *begin = 1;
        if (!p)
            unknown_argument(kind, text, given->loc);
        return p;
    }
    if (word) {
        const Param *p = named(kind, text, strlen(text));
        if (p && !p->name[1])
            error_at(given->loc, "'%s' stands alone: write the number right behind it, as in %s3", text, text);
        else if (p)
            error_at(given->loc, "'%s' needs a value: write %s=%s", text, text,
                     p->type == PARAM_FLAG ? "true or false" : p->choices ? p->choices : "...");
        else if (begins_statement(text))
            error_at(given->loc, "'%s' begins a statement: write a ';' or a new line before it", text);
        else
            unknown_argument(kind, text, given->loc);
        return NULL;
    }
    for (const Param *p = kind->params; p->name; p++)
        if (p->positional && !layer->arg[p - kind->params].given)
            return p;
    error_at(given->loc, "%s takes no further '%s'", kind->name,
             given->form == ARG_ARROW ? format("%s->%s", text, given->value[1].text) : text);
    show_syntax(kind, given->loc);
    return NULL;
}

static const Param freeze_param = {"freeze", PARAM_FLAG, false, "false", 0, 1, NULL, "keeps the weights as they are"};

/* Of no kind in particular. */
static bool is_freeze(const Kind *kind, const AstArg *given)
{
    return kind->role == ROLE_LAYER && given->form == ARG_NAMED && !strcmp(given->name.text, "freeze");
}

/* One more of the names that the statement consists of. */
static void add_label(const Kind *kind, const Param *param, const AstArg *given, Arg *arg)
{
    if (given->form != ARG_PLAIN || !is_identifier(given->value[0].text)) {
        error_at(given->loc, "%s takes names of labels, not %s", kind->name,
                 given->form == ARG_ARROW ? "channels" : format("'%s'", given->value[0].text));
        show_syntax(kind, given->loc);
        return;
    }
    if (arg->n >= (int)param->most) {
        error_at(given->loc, "%s takes at most %d label%s", kind->name, (int)param->most, param->most > 1 ? "s" : "");
        show_syntax(kind, given->loc);
        return;
    }
    Token *label = NEW_ARRAY(Token, arg->n + 1);
    if (arg->n)
        memcpy(label, arg->label, (size_t)arg->n * sizeof *label);
    label[arg->n++] = given->value[0];
    arg->label = label;
    arg->given = true;
    arg->loc = given->loc;
}

bool read_arguments(const AstStatement *statement, const Kind *kind, Layer *layer)
{
    int errors = error_count();
    const AstArg *given = statement->args;
    if (find_kind(statement->kind.text)->role == ROLE_LOSS_STATEMENT && given)
        given = given->next; /* the name of the loss itself */
    for (; given; given = given->next) {
        int begin = 0;
        const Param *param = is_freeze(kind, given) ? &freeze_param : choose(kind, given, layer, &begin);
        if (!param && begins_statement(given->value[0].text))
            break; /* what follows belongs to the statement that it was meant to begin */
        if (!param)
            continue;
        Arg *arg = param == &freeze_param ? &layer->freeze : &layer->arg[param - kind->params];
        if (param->type == PARAM_LABELS) {
            add_label(kind, param, given, arg);
            continue;
        }
        if (arg->given) {
            error_at(given->loc, "%s is given twice", describe(kind, param));
            note_at(arg->loc, "the first time here");
            continue;
        }
        read_value(kind, param, given, rest_of(given->value[0], begin), arg);
    }
    if (error_count() > errors)
        return false;
    for (const Param *param = kind->params; param->name; param++) {
        Arg *arg = &layer->arg[param - kind->params];
        if (arg->given)
            continue;
        if (!param->fallback) {
            error_at(statement->loc, "%s is missing", describe(kind, param));
            show_syntax(kind, statement->loc);
            return false;
        }
        if (*param->fallback) {
            Token token = {param->fallback, statement->loc};
            AstArg fallback = {.form = ARG_PLAIN, .loc = statement->loc, .value = &token, .nvalues = 1};
            if (!read_value(kind, param, &fallback, rest_of(token, 0), arg))
                bug("the default of %s's %s is wrong", kind->name, param->name);
            arg->given = false;
        }
        arg->loc = statement->loc;
    }
    return true;
}
