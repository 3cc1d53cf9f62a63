/* arguments.c: reads the arguments of a statement against its kind's table of parameters.
 *
 * The grammar knows only words, numbers and arrows; here they get their sense. `k3x5` is the one-letter
 * parameter k, `pad=reflect` any parameter by name, and what has neither letter nor name goes to the first
 * positional parameter that is still free. Each error points at the argument and says what to write.
 *
 * Beside the values the statement is written anew as it should be: `conv 16 kernel=3 s2` as `conv 16 k3 s2`.
 * As long as each error has its correction, that is what the user is shown at the end. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

enum { LONGEST_LIST = 16 }; /* of values in what is to be written instead */

/* A statement on its way. */
typedef struct Reading {
    const AstStatement *statement;
    const Kind *kind;
    Layer *layer;
    const char *corrected;   /* so far, as it should be; NULL: nobody knows */
    unsigned proposed;       /* the parameters that it gets by corrections, a bit for each */
    bool show_syntax;        /* once its errors are said, at that place: */
    Loc at;
} Reading;

/* An error that nobody can correct but the user, who gets to see the syntax. */
static void lost(Reading *r, Loc loc)
{
    r->corrected = NULL;
    r->show_syntax = true;
    r->at = loc;
}

static void append(Reading *r, const char *text)
{
    if (r->corrected && text && *text)
        r->corrected = format("%s %s", r->corrected, text);
    if (!text)
        r->corrected = NULL;
}

/* ---- Values ---------------------------------------------------------------------------------- */

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
        error_at(loc, "%s must be at least %.0f [value]", what, param->least);
    else if (whole)
        error_at(loc, "%s is too large: at most %.0f [value]", what, param->most);
    else
        error_at(loc, "%s must be between %g and %g [value]", what, param->least, param->most);
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
            error_at(value.loc,
                     most == 1   ? "%s must be a whole number, not '%s' [value]"
                     : most == 2 ? "%s must be a whole number or a pair such as 3x5, not '%s' [value]"
                     : most == 3 ? "%s must be whole numbers such as 3x32x32 or 784, not '%s' [value]"
                                 : "%s must be a whole number or four such as 0x1x0x1, not '%s' [value]",
                     what, value.text);
            return 0;
        }
        if (n == most) {
            error_at(value.loc, most == 1 ? "%s must be a single number, not '%s' [value]"
                                : most == 2 ? "%s must be a number or a pair of height and width, not '%s'"
                                              " [value]"
                                : most == 3 ? "%s must be that of one sample, CxHxW, TxC or N, not '%s'"
                                              " [value]"
                                : "%s must be a number or four (above, below, left, right), not '%s' [value]",
                     what, value.text);
            return 0;
        }
        i[n++] = number;
        if (!in_range(param, negative ? -(double)number : (double)number, what, value.loc))
            return 0;
        if (!*c)
            return n;
    }
}

/* One number for all sides, or one for each. */
static bool read_sides(const Param *param, Text value, const char *what, Arg *arg)
{
    arg->n = read_sizes(param, value, what, arg->i, 4);
    if (arg->n == 2 || arg->n == 3)
        error_at(value.loc, "%s must be a number or four (above, below, left, right), not '%s' [value]", what,
                 value.text);
    if (arg->n == 1)
        arg->i[1] = arg->i[2] = arg->i[3] = arg->i[0];
    return arg->n == 1 || arg->n == 4;
}

static bool read_number(const Param *param, Text value, const char *what, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(value.text, &end);
    bool plain = strspn(value.text, "+-.0123456789eE") == strlen(value.text);
    if (!plain || end == value.text || *end) {
        error_at(value.loc, "%s must be a number, not '%s' [value]", what, value.text);
        return false;
    }
    if (!isfinite(*number) || fabs(*number) > 1e30) {
        error_at(value.loc, "%s is too large [value]", what);
        return false;
    }
    return in_range(param, *number, what, value.loc);
}

/* Fills words with those of "a|b|c"; gives their number. */
static int split_choices(const char *choices, const char *words[8])
{
    int n = 0;
    for (char *c = format("%s", choices); c && n < 8;) {
        words[n++] = c;
        c = strchr(c, '|');
        if (c)
            *c++ = '\0';
    }
    return n;
}

/* instead: what to write, or NULL. */
static bool read_word(const char *choices, Text value, const char *what, const char *instead, int64_t *number)
{
    const char *words[8];
    int n = split_choices(choices, words);
    for (*number = 0; *number < n; ++*number)
        if (!strcmp(words[*number], value.text))
            return true;
    const char *near = closest(value.text, words, n);
    char *list = format("%s", words[0]);
    for (int i = 1; i < n; i++)
        list = format("%s%s%s", list, i < n - 1 ? ", " : " or ", words[i]);
    if (instead)
        error_at(value.loc, "%s must be %s, not '%s'; write %s [value]", what, list, value.text, instead);
    else if (near)
        error_at(value.loc, "%s must be %s, not '%s'; did you mean %s?"
                            " [value]", what, list, value.text, near);
    else
        error_at(value.loc, "%s must be %s, not '%s' [value]", what, list, value.text);
    return false;
}

/* How errors call a parameter of a kind. */
static const char *describe(const Kind *kind, const Param *param)
{
    if (param->type == PARAM_CHANNELS)
        return format("the number of output %s of %s", kind->features ? "features" : "channels", kind->name);
    if (param->name[1] && !isupper((unsigned char)param->name[0]))
        return format("the argument '%s' of %s", param->name, kind->name);
    int length = (int)strcspn(param->help, ";"); /* "stride; the kernel if left out" */
    return format("the %.*s of %s", length, param->help, kind->name);
}

/* ---- What it should have been ---------------------------------------------------------------- */

/* The value as that parameter takes it; NULL: nobody knows. */
static const char *our_value(const Param *param, const char *text)
{
    const char *choices = param->type == PARAM_FLAG ? "false|true" : param->choices, *words[8];
    if (choices) {
        int n = split_choices(choices, words);
        for (int i = 0; i < n; i++) {
            if (same_word(words[i], text))
                return words[i];
            for (const Word *w = NULL; (w = find_word(WORD_VALUE, text, w));)
                if (w->ours && !strcmp(w->ours, words[i]))
                    return words[i];
        }
        return NULL;
    }
    if (param->type == PARAM_NUMBER || param->type == PARAM_NUMBERS) {
        char *end;
        (void)strtod(text, &end);
        return *end || strspn(text, "+-.0123456789eE") != strlen(text) ? NULL : text;
    }
    const Word *word = find_word(WORD_VALUE, text, NULL);
    if (word && word->ours && isdigit((unsigned char)*word->ours) && !strcmp(param->name, "p"))
        return word->ours;
    const char *digits =
        param->type == PARAM_PAIR || param->type == PARAM_SIZE || param->type == PARAM_SIDES
            ? "0123456789x" : "0123456789";
    return *text && strspn(text, digits) == strlen(text) ? text : NULL;
}

/* The argument as nnc has it; NULL: nobody knows. Four values are a padding as ONNX has it. */
static const char *written_as(const Param *param, const Token *value, int n)
{
    const char *text = n <= LONGEST_LIST ? our_value(param, value[0].text) : NULL;
    for (int i = 1; i < n && text; i++) {
        const char *more = our_value(param, value[i].text);
        if (param->type != PARAM_NUMBERS && (param->type != PARAM_PAIR || i >= 4))
            return NULL;
        if (more && i >= 2 && param->type == PARAM_PAIR)
            text = !strcmp(more, value[i - 2].text) && n == 4 ? text : NULL;
        else
            text = more ? format(param->type == PARAM_PAIR ? "%sx%s" : "%s,%s", text, more) : NULL;
    }
    if (!text)
        return NULL;
    if (param->type == PARAM_PAIR && n > 1 && !strcmp(value[0].text, value[1].text))
        text = value[0].text;
    if (param->positional || isupper((unsigned char)param->name[0]))
        return text;
    return format(param->name[1] ? "%s=%s" : "%s%s", param->name, text);
}

static const Param *param_called(const Kind *kind, const char *name)
{
    for (const Param *p = kind->params; p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

static const char *form_of_value(const Param *param)
{
    const char *name = param->name;
    if (param->positional || isupper((unsigned char)*name))
        return "alone";
    if (param->type == PARAM_PAIR)
        return format("as %s3, or as %s3x5 for height and width", name, name);
    return format("as %s%s", name, name[1] ? "=" : "3");
}

/* Says what to write for an argument that has another name in nnc, and does so. False: it has none. */
static bool correct(Reading *r, Token name, Loc loc, const Token *value, int n)
{
    const Word *sentence = NULL;
    for (const Word *w = NULL; (w = find_word(WORD_ARGUMENT, name.text, w));) {
        const Param *param = w->ours && *w->ours ? param_called(r->kind, w->ours) : NULL;
        const char *text = param && n ? written_as(param, value, n) : NULL;
        const Word *said = n ? find_word(WORD_VALUE, value[0].text, NULL) : NULL;
        if (!w->ours || !*w->ours)
            sentence = w;
        if (!param)
            continue;
        if (r->layer->arg[param - r->kind->params].given || r->proposed & 1u << (param - r->kind->params))
            r->corrected = NULL; /* twice */
        if (text && param_called(r->kind, name.text))
            error_at(loc, "the argument '%s' of %s must be %s; write %s for its size [value]", name.text,
                     r->kind->name, param_called(r->kind, name.text)->choices, text);
        else if (text)
            error_at(loc, "%s has no argument '%s'; write %s [argument]", r->kind->name, name.text, text);
        else if (said && said->say)
            error_at(loc, "%s has no %s=%s; %s"
                          " [argument]", r->kind->name, name.text, value[0].text, said->say);
        else
            error_at(loc, "%s has no argument '%s'; write its value %s [argument]", r->kind->name, name.text,
                     form_of_value(param));
        append(r, text);
        r->proposed |= 1u << (param - r->kind->params);
        return true;
    }
    if (!sentence)
        return false;
    if (sentence->ours)
        error_at(loc, "%s has no argument '%s': %s, so leave it out [argument]", r->kind->name, name.text,
                 sentence->say);
    else if (!strncmp(sentence->say, "write", 5))
        error_at(loc, "%s has no argument '%s'; %s [argument]", r->kind->name, name.text, sentence->say);
    else
        error_at(loc, "the argument '%s' %s [argument]", name.text, sentence->say);
    append(r, sentence->ours);
    return true;
}

static bool one_value(const Kind *kind, const Param *param, const AstArg *given, int n)
{
    if (n == 1 || param->type == PARAM_NUMBERS)
        return true;
    error_at(given->value[1].loc, "%s takes one value [value]", describe(kind, param));
    return false;
}

static bool read_value(const Kind *kind, const Param *param, const AstArg *given, Text first, Arg *arg)
{
    const char *what = describe(kind, param);
    const char *instead = given->form == ARG_NAMED ? written_as(param, given->value, given->nvalues) : NULL;
    arg->given = true;
    arg->loc = given->loc;
    if (given->form == ARG_ARROW && param->type != PARAM_CHANNELS) {
        error_at(given->loc, "%s takes no '->' [value]", what);
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
    case PARAM_OF:
        return (arg->n = read_sizes(param, first, what, arg->i, 1)) > 0;
    case PARAM_SIZE:
        return (arg->n = read_sizes(param, first, what, arg->i, 3)) > 0;
    case PARAM_SIDES:
        return read_sides(param, first, what, arg);
    case PARAM_CHANNELS:
        arg->i[0] = -1;
        if (given->form != ARG_ARROW)
            return read_sizes(param, first, what, &arg->i[1], 1) > 0;
        return read_sizes(param, rest_of(given->value[0], 0), what, &arg->i[0], 1) > 0
               && read_sizes(param, rest_of(given->value[1], 0), what, &arg->i[1], 1) > 0;
    case PARAM_FLAG:
        return read_word("false|true", first, what, instead, &arg->i[0]);
    case PARAM_CHOICE:
        return read_word(param->choices, first, what, instead, &arg->i[0]);
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

/* ---- Which parameter ------------------------------------------------------------------------- */

static const Param *named(const Kind *kind, const char *name, size_t length)
{
    for (const Param *p = kind->params; p->name; p++)
        if (strlen(p->name) == length && !memcmp(p->name, name, length) && !isupper((unsigned char)*name))
            return p;
    return NULL;
}

/* An argument that the kind has not got, with its values, if it has any. */
static void unknown_argument(Reading *r, Token name, Loc loc, const Token *value, int n)
{
    if (correct(r, name, loc, value, n))
        return;
    if (!errors_are_shown()) {
        error_at(loc, "%s has no argument '%s' [argument]", r->kind->name, name.text);
        lost(r, loc);
        return;
    }
    const Kind *kind = r->kind;
    const int most = MAX_ARGS + 2 + nforeign_words;
    const char **names = NEW_ARRAY(const char *, most), **ours = NEW_ARRAY(const char *, most);
    int count = 0;
    if (kind->role == ROLE_LAYER)
        names[0] = ours[0] = "freeze", names[1] = ours[1] = "weights", count = 2;
    for (const Param *p = kind->params; p->name; p++)
        if (p->name[1] && !isupper((unsigned char)p->name[0]))
            names[count] = ours[count] = p->name, count++;
    for (int i = 0; i < nforeign_words; i++) { /* `paddding` is meant to be padding, which is p */
        const Word *w = &foreign_words[i];
        if (w->use == WORD_ARGUMENT && w->ours && islower((unsigned char)*w->ours)
            && param_called(kind, w->ours))
            names[count] = w->word, ours[count++] = w->ours;
    }
    const char *near = closest(name.text, names, count);
    if (near) {
        for (int i = 0; near != ours[i]; i++)
            if (near == names[i]) {
                near = ours[i];
                break;
            }
        error_at(loc, "%s has no argument '%s'; did you mean %s? [argument]", kind->name, name.text, near);
    } else
        error_at(loc, "%s has no argument '%s' [argument]", kind->name, name.text);
    lost(r, loc);
}

static bool begins_statement(const char *word)
{
    const Kind *kind = find_kind(word);
    if (!kind && isalpha((unsigned char)*word))
        kind = kind_meant(word, false);
    return kind && kind->role != ROLE_LOSS;
}

/* Does the statement give that parameter, here or further on, by its letter or by another tool's name? */
static bool gives(const Reading *r, const Param *param)
{
    if (r->proposed & 1u << (param - r->kind->params))
        return true;
    for (const AstArg *arg = r->statement->args; arg; arg = arg->next) {
        const char *text = arg->value[0].text;
        if (arg->form == ARG_PLAIN && text[0] == param->name[0] && isdigit((unsigned char)text[1]))
            return true;
        for (const Word *w = NULL;
             arg->form == ARG_NAMED && (w = find_word(WORD_ARGUMENT, arg->name.text, w));)
            if (w->ours && !strcmp(w->ours, param->name))
                return true;
        if (arg->form == ARG_NAMED && !strcmp(arg->name.text, param->name))
            return true;
    }
    return false;
}

/* A number without a letter that no parameter takes: `conv 16 3 2 1` is k3 s2 p1, in PyTorch's order. */
static void letter_missing(Reading *r, const AstArg *given)
{
    const Kind *kind = r->kind;
    const char *text = given->value[0].text;
    const Param *first = kind->params;
    const bool channels = first->name && first->type == PARAM_CHANNELS && given->form == ARG_PLAIN;
    const Param *next = NULL;
    for (const Param *p = first; p->name && !next && given->form == ARG_PLAIN; p++)
        if (!p->name[1] && islower((unsigned char)*p->name) && !r->layer->arg[p - first].given
            && written_as(p, given->value, 1) && !gives(r, p))
            next = p;
    if (channels && r->corrected && r->layer->arg[0].given && r->layer->arg[0].i[0] < 0 && !r->proposed
        && (!next || strcmp(next->name, "k") || (strlen(text) > 1 && strcmp(text, "11")))) {
        /* A second number that is no kernel: `fc 10 20`, `conv 3 64 k3`. */
        const char *pair = format("%lld->%s", (long long)r->layer->arg[0].i[1], text);
        error_at(given->loc, "%s takes one number of %s; input and output %s are written %s"
                             " [argument]", kind->name,
                 next ? "channels" : "features", next ? "channels" : "features", pair);
        if (r->corrected && given == r->statement->args->next)
            r->corrected = format("%s %s", kind->name, pair);
        else
            r->corrected = NULL;
        r->proposed |= 1;
    } else if (next) {
        const char *written = written_as(next, given->value, 1);
        error_at(given->loc, "'%s' needs a letter that says what it is; write %s for the %.*s"
                             " [argument]", text, written,
                 (int)strcspn(next->help, ";"), next->help);
        append(r, written);
        r->proposed |= 1u << (next - first);
    } else if (r->layer->arg[0].given && given->form == ARG_PLAIN && first->positional
               && (!first[1].name || !first[1].positional)) {
        error_at(given->loc, "'%s' is one number too many: %s takes one, which is '%s' here [argument]", text,
                 kind->name, r->statement->args->value[0].text);
        lost(r, given->loc);
    } else if (kind->sizes_itself) {
        error_at(given->loc, "%s takes no size: nnc knows the shape of its input, so leave '%s' out"
                             " [argument]",
                 kind->name, text);
    } else {
        error_at(given->loc, "%s has no argument '%s' [argument]", kind->name,
                 given->form == ARG_ARROW ? format("%s->%s", text, given->value[1].text) : text);
        lost(r, given->loc);
    }
}

/* The argument behind this one, where it is a number without a letter; else NULL. */
static const AstArg *number_behind(const AstArg *given)
{
    const AstArg *next = given->next;
    return next && next->form == ARG_PLAIN && isdigit((unsigned char)next->value[0].text[0]) ? next : NULL;
}

/* A word alone, which may be meant to be the name of the number behind it: then that is passed over. */
static void lone_word(Reading *r, const AstArg **at)
{
    const AstArg *given = *at, *next = number_behind(given);
    const char *text = given->value[0].text;
    const Param *p = named(r->kind, text, strlen(text));
    if (!p && !begins_statement(text))
        p = common_param(r->kind, text);
    if (p && !p->name[1] && next) {
        const char *together = format("%s%s", text, next->value[0].text);
        error_at(given->loc, "'%s' and its number are written together: %s [argument]", text, together);
        append(r, together);
        r->proposed |= 1u << (p - r->kind->params);
        *at = next;
        return;
    }
    if (p && !p->name[1])
        error_at(given->loc, "'%s' needs its number right behind it, as in %s3 [argument]", text, text);
    else if (p)
        error_at(given->loc, "'%s' needs a value: write %s%s [argument]", text, text,
                 p->type == PARAM_OF ? " 256" : p->type == PARAM_FLAG ? "=true or false"
                 : p->choices ? format("=%s", p->choices) : "=...");
    else if (find_word(WORD_ARGUMENT, text, NULL)) {
        unknown_argument(r, given->value[0], given->loc, next ? next->value : NULL, next ? 1 : 0);
        *at = next ? next : given;
        return;
    } else if (begins_statement(text))
        error_at(given->loc, "'%s' begins a statement: write a ';' or a new line before it [syntax]", text);
    else if ((p = choice_of(r->kind, text)) != NULL) {
        error_at(given->loc, "'%s' needs the name of its argument; write %s=%s [argument]", text, p->name,
                 text);
        append(r, format("%s=%s", p->name, text));
        return;
    } else if (is_argument_of(r->layer->use, text))
        error_at(given->loc, "the block's argument '%s' is written $%s [argument]", text, text);
    else {
        unknown_argument(r, given->value[0], given->loc, NULL, 0);
        return;
    }
    r->corrected = NULL;
}

/* The parameter that an argument is for, and where its value begins in the first token; NULL after an error,
 * and then *at is the last argument that it was about. */
static const Param *choose(Reading *r, const AstArg **at, int *begin)
{
    const Kind *kind = r->kind;
    const AstArg *given = *at;
    const char *text = given->value[0].text;
    *begin = 0;
    if (given->form == ARG_NAMED) {
        const Param *p = named(kind, given->name.text, strlen(given->name.text));
        /* pad=1 is no kind of padding, but its size. */
        bool elsewhere = p && p->type == PARAM_CHOICE && find_word(WORD_ARGUMENT, given->name.text, NULL)
                         && !our_value(p, text)
                         && (isdigit((unsigned char)*text) || find_word(WORD_VALUE, text, NULL));
        if (!p || elsewhere)
            unknown_argument(r, given->name, given->loc, given->value, given->nvalues);
        return elsewhere ? NULL : p;
    }
    bool word = given->form == ARG_PLAIN
                && (isalpha((unsigned char)text[0]) || text[0] == '_' || given->value[0].quoted);
    for (const Param *p = kind->params; word && p->name; p++)
        if (p->type == PARAM_OF && !strcmp(p->name, text) && number_behind(given)) {
            *at = given->next;
            return p;
        } else if (p->positional
                   && (p->type == PARAM_LABELS || (p->type == PARAM_CHOICE && is_choice(p, text))))
            return p;
    if (word && text[1] && !isalpha((unsigned char)text[1]) && text[1] != '_') {
        const char small = (char)tolower((unsigned char)*text);
        const Param *p = named(kind, text, 1), *other = p ? NULL : named(kind, &small, 1);
        Token value = {.text = text + 1, .loc = given->loc};
        *begin = 1;
        if (other && our_value(other, text + 1)) {
            const char *written = written_as(other, &value, 1);
            error_at(given->loc, "%s has no argument '%s'; write %s [argument]", kind->name, text, written);
            append(r, written);
            r->proposed |= 1u << (other - kind->params);
        } else if (!p)
            unknown_argument(r, given->value[0], given->loc, NULL, 0);
        return p;
    }
    if (word) {
        lone_word(r, at);
        return NULL;
    }
    for (const Param *p = kind->params; p->name; p++)
        if (p->positional && !r->layer->arg[p - kind->params].given)
            return p;
    letter_missing(r, given);
    return NULL;
}

/* One more of the names that the statement consists of. */
static void add_label(Reading *r, const Param *param, const AstArg *given, Arg *arg)
{
    const Kind *kind = r->kind;
    if (!param->positional && arg->given) {
        error_at(given->loc, "%s is given twice [argument]", describe(kind, param));
        note_at(arg->loc, "the first time here");
        r->corrected = NULL;
        return;
    }
    if (given->form != (param->positional ? ARG_PLAIN : ARG_NAMED) || !may_be_label(&given->value[0])) {
        error_at(given->loc, "%s takes %s, not %s [label]",
                 param->positional ? kind->name : describe(kind, param),
                 param->positional ? "labels" : "a label",
                 given->form == ARG_ARROW ? "channels" : format("'%s'", given->value[0].text));
        lost(r, given->loc);
        return;
    }
    if (!param->positional && !one_value(kind, param, given, given->nvalues)) {
        r->corrected = NULL;
        return;
    }
    if (arg->n >= (int)param->most) {
        error_at(given->loc, "%s takes at most %d label%s [label]", kind->name, (int)param->most,
                 param->most > 1 ? "s" : "");
        lost(r, given->loc);
        return;
    }
    Token *label = NEW_ARRAY(Token, arg->n + 1);
    if (arg->n)
        memcpy(label, arg->label, (size_t)arg->n * sizeof *label);
    label[arg->n++] = given->value[0];
    arg->label = label;
    arg->given = true;
    arg->loc = given->loc;
    append(r, written_arg(given, LONGEST_LIST));
}

static void read_given(Reading *r)
{
    const AstArg *given = r->statement->args;
    if (r->kind->role == ROLE_LOSS && given)
        given = given->next; /* the name of the loss itself */
    for (; given; given = given->next) {
        int begin = 0;
        const Param *common = given->form == ARG_NAMED ? common_param(r->kind, given->name.text) : NULL;
        if (!common && is_misquoted(r->kind, given)) {
            lost(r, given->loc);
            continue;
        }
        const Param *param = common ? common : choose(r, &given, &begin);
        if (!param && given->form == ARG_PLAIN && !find_word(WORD_ARGUMENT, given->value[0].text, NULL)
            && begins_statement(given->value[0].text))
            break; /* what follows belongs to the statement that it was meant to begin */
        if (!param)
            continue;
        Arg *arg = common ? common_arg(r->layer, common) : &r->layer->arg[param - r->kind->params];
        if (param->type == PARAM_LABELS) {
            add_label(r, param, given, arg);
            continue;
        }
        if (arg->given) {
            error_at(given->loc, "%s is given twice [argument]", describe(r->kind, param));
            note_at(arg->loc, "the first time here");
            r->corrected = NULL;
            continue;
        }
        if (!common && r->proposed & 1u << (param - r->kind->params))
            r->corrected = NULL; /* it would be given twice */
        const char *written =
            given->form == ARG_NAMED ? written_as(param, given->value, given->nvalues) : NULL;
        const char *text = written_arg(given, LONGEST_LIST);
        if (param->type == PARAM_OF && given->form == ARG_PLAIN)
            text = format("%s %s", param->name, text);
        if (read_value(r->kind, param, given, rest_of(given->value[0], begin), arg))
            append(r, text);
        else /* what is out of range stays so */
            append(r, written && text && strcmp(written, text) ? written : NULL);
    }
}

/* The parameters that the statement lacks get their defaults; what has none is an error. */
static void read_defaults(Reading *r)
{
    const AstStatement *statement = r->statement;
    for (const Param *param = r->kind->params; param->name; param++) {
        Arg *arg = &r->layer->arg[param - r->kind->params];
        if (arg->given || r->proposed & 1u << (param - r->kind->params))
            continue;
        if (!param->fallback) {
            error_at(statement->loc, "%s is missing [argument]", describe(r->kind, param));
            lost(r, statement->loc);
        } else if (*param->fallback) {
            Token token = {.text = param->fallback, .loc = statement->loc};
            AstArg fallback = {.form = ARG_PLAIN, .loc = statement->loc, .value = &token, .nvalues = 1};
            if (!read_value(r->kind, param, &fallback, rest_of(token, 0), arg))
                bug("the default of %s's %s is wrong", r->kind->name, param->name);
            arg->given = false;
        }
        arg->loc = statement->loc;
    }
}

bool read_arguments(const AstStatement *statement, const Kind *kind, Layer *layer, const char **corrected)
{
    int errors = error_count();
    Reading r = {.statement = statement, .kind = kind, .layer = layer,
                 .corrected = kind->role == ROLE_LOSS ? format("loss %s", kind->name) : kind->name};
    read_given(&r);
    if (r.corrected || error_count() == errors) /* else what is missing may be what was mistyped */
        read_defaults(&r);
    if (r.show_syntax)
        note_at(r.at, "the syntax is: %s", kind->syntax);
    *corrected = r.corrected;
    return error_count() == errors;
}
