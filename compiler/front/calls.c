/* calls.c: a layer written as Python calls it, as nnc writes it: nn.Conv2d(3, 16, 3, padding=1).
 *
 * In: the text from the name on. Out: `conv 3->16 k3 p1`, for the error that says what to write; NULL where
 * an argument is no plain number, pair or known word, since a guess would be worse than the syntax.
 *
 * The one idea: positions and keywords mean what the tables of other tools' words say, and what has its
 * default is left out. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "front/front.h"

enum { MOST_PARAMS = 16, LONGEST_VALUE = 32 };

typedef struct Call {
    const char *at;      /* what is still to be read */
    const Kind *kind;
    const char *given[MOST_PARAMS]; /* by parameter; NULL: left out */
    const char *in;
    int positions;       /* arguments without a keyword */
} Call;

static void skip_blanks(Call *c)
{
    while (*c->at == ' ' || *c->at == '\t')
        c->at++;
}

static bool skip(Call *c, char character)
{
    skip_blanks(c);
    bool there = *c->at == character;
    c->at += there;
    skip_blanks(c);
    return there;
}

/* A word or a number; NULL: something else. */
static const char *read_word(Call *c)
{
    skip_blanks(c);
    size_t length = 0;
    while (isalnum((unsigned char)c->at[length]) || (c->at[length] && strchr("_.+-", c->at[length])))
        length++;
    const char *word = length && length < LONGEST_VALUE ? copy_text(c->at, length) : NULL;
    c->at += length;
    return word;
}

/* 3, (3, 5) as 3x5, True as true; NULL: something else. */
static const char *read_call_value(Call *c)
{
    if (skip(c, '(')) {
        const char *first = read_word(c), *second = skip(c, ',') ? read_word(c) : NULL;
        if (!first || !second || !skip(c, ')'))
            return NULL;
        return strcmp(first, second) ? format("%sx%s", first, second) : first;
    }
    const char *word = read_word(c);
    return word && same_word(word, "true") ? "true" : word && same_word(word, "false") ? "false" : word;
}

static int param_number(const Kind *kind, const char *name)
{
    for (int i = 0; i < MOST_PARAMS && kind->params[i].name; i++)
        if (!strcmp(kind->params[i].name, name))
            return i;
    return -1;
}

/* May that stand for the parameter? */
static bool fits(const Param *param, const char *value)
{
    bool pair = param->type == PARAM_PAIR;
    char *end;
    switch (param->type) {
    case PARAM_PAIR:
    case PARAM_INT:
    case PARAM_CHANNELS:
        return isdigit((unsigned char)*value) && !value[strspn(value, pair ? "0123456789x" : "0123456789")];
    case PARAM_NUMBER:
        strtod(value, &end);
        return !*end && !isalpha((unsigned char)*value);
    case PARAM_FLAG:
        return !strcmp(value, "true") || !strcmp(value, "false");
    default:
        return false;
    }
}

static bool give(Call *c, int number, const char *value)
{
    if (number < 0 || c->given[number] || !fits(&c->kind->params[number], value))
        return false;
    c->given[number] = value;
    return true;
}

/* The word at that position of an order; NULL: there is none. */
static const char *position_word(const char *order, int position)
{
    while (position-- && order)
        order = strchr(order, ' ') ? strchr(order, ' ') + 1 : NULL;
    return order ? copy_text(order, strcspn(order, " ")) : NULL;
}

/* input(3, 32, 32), add(x, y): all of them are one argument. */
static bool give_one_more(Call *c, const char *value)
{
    const bool sizes = c->kind->params[0].type == PARAM_SIZE;
    if (sizes && (!isdigit((unsigned char)*value) || value[strspn(value, "0123456789x")]))
        return false;
    c->given[0] = c->given[0] ? format("%s%s%s", c->given[0], sizes ? "x" : " ", value) : value;
    return sizes || is_identifier(value);
}

static bool give_position(Call *c, const char *value)
{
    const Param *first = c->kind->params;
    if (first->name && first->positional && (first->type == PARAM_SIZE || first->type == PARAM_LABELS))
        return give_one_more(c, value);
    const char *name = position_word(positions_of(c->kind), c->positions);
    c->positions++;
    if (!name) /* of the other kinds only the first one is sure */
        return c->positions == 1 && c->kind->params[0].name && !c->kind->params[1].name && give(c, 0, value);
    if (!strcmp(name, "-"))
        return true;
    if (strcmp(name, "I"))
        return give(c, param_number(c->kind, name), value);
    c->in = value;
    return value[strspn(value, "0123456789")] == '\0';
}

static bool give_keyword(Call *c, const char *name, const char *value)
{
    if (param_number(c->kind, name) >= 0)
        return give(c, param_number(c->kind, name), value);
    if (same_word(name, "inchannels") || same_word(name, "infeatures")) {
        c->in = value;
        return value[strspn(value, "0123456789")] == '\0';
    }
    for (const Word *word = NULL; (word = find_word(WORD_ARGUMENT, name, word));) {
        if (word->ours && !*word->ours)
            return true;
        int number = word->ours ? param_number(c->kind, word->ours) : -1;
        if (number >= 0)
            return give(c, number, value);
    }
    return false;
}

static bool read_call(Call *c)
{
    if (!skip(c, '('))
        return false;
    if (skip(c, ')'))
        return true;
    do {
        const char *before = c->at, *name = read_word(c);
        bool keyword = name && skip(c, '=');
        c->at = keyword ? c->at : before;
        const char *value = read_call_value(c);
        if (!value || !(keyword ? give_keyword(c, name, value) : give_position(c, value)))
            return false;
    } while (skip(c, ','));
    return skip(c, ')');
}

/* As nnc writes it, in the order of the kind's parameters. */
static const char *written_call(const Call *c)
{
    const char *text = c->kind->name;
    for (int i = 0; i < MOST_PARAMS && c->kind->params[i].name; i++) {
        const Param *param = &c->kind->params[i];
        const char *value = c->given[i];
        bool letter = param->name[1] == '\0' && islower((unsigned char)*param->name);
        if (!value && !param->fallback)
            return NULL;
        if (!value || (param->fallback && !strcmp(value, param->fallback)))
            continue;
        if (param->type == PARAM_CHANNELS && c->in)
            text = format("%s %s->%s", text, c->in, value);
        else if (param->positional)
            text = format("%s %s", text, value);
        else
            text = format("%s %s%s%s", text, param->name, letter ? "" : "=", value);
    }
    return text;
}

/* fc(10): one number is what comes out. */
static void take_for_output(Call *c)
{
    int out = param_number(c->kind, "O");
    if (out >= 0 && c->in && !c->given[out] && c->positions == 1) {
        c->given[out] = c->in;
        c->in = NULL;
    }
}

const char *mended_call(const char *text)
{
    Call c = {.at = text};
    const char *word = read_word(&c);
    c.kind = word ? kind_meant(word, false) : NULL;
    if (!c.kind || !c.kind->params)
        return NULL;
    /* Keras' are not told what comes in. */
    c.positions = !strcmp(word, "Conv2D") || !strcmp(word, "Conv2DTranspose");
    if (!read_call(&c))
        return NULL;
    take_for_output(&c);
    /* Keras' momentum is what is kept, not what is new. */
    bool reversed = same_word(word, "batchnormalization");
    return reversed && c.given[param_number(c.kind, "momentum")] ? NULL : written_call(&c);
}

/* Of a kind with parentheses behind it. */
void error_parentheses(const Token *name)
{
    const char *text = errors_are_shown() ? text_from(name->loc) : NULL;
    const char *mended = text ? mended_call(text) : NULL;
    const char *kind = kind_meant(name->text, false)->name;
    if (mended)
        error_at(name->loc, "%s takes no parentheses: write '%s' [syntax]", kind, mended);
    else
        error_at(name->loc,
                 "%s takes no parentheses: its arguments are separated by spaces, as in 'conv 3->16 k3'"
                 " [syntax]",
                 kind);
}

/* `x = conv 16 k3`, `width = 16`, `input = 3x32x32`, where that is all that stands before it; or something
 * else (name NULL). */
void error_equals(const char *name, Loc equals, const char *before)
{
    const char *value = name ? text_from(equals) : NULL;
    value = value ? value + 1 + strspn(value + 1, " \t") : "";
    const int length = (int)strcspn(value, " \t;\r");
    if (!name)
        error_at(equals, "expected the name of an argument before '=', as in 'bias=false', found %s [syntax]",
                 before);
    else if (find_kind(name))
        error_at(equals, "%s takes no '=': write '%s %.*s' [syntax]", name, name, length, value);
    else if (isdigit((unsigned char)*value))
        error_at(equals, "a value is given a name by 'param %s = %.*s' [syntax]", name, length, value);
    else
        error_at(equals, "a layer is given a name by a label: write '%s:' before it, and no '=' [syntax]",
                 name);
}

/* What to write in the place of a name with dots, of which the first stands there, as in nn.Linear(10).
 * NULL: unknown. */
const char *instead_of_dots(Loc dot)
{
    dot.column++;
    const char *text = errors_are_shown() ? text_from(dot) : NULL;
    size_t length = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz") : 0;
    while (length && text[length] == '.') { /* torch.nn.Linear */
        text += length + 1;
        length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    }
    Call c = {.at = text};
    const char *word = text ? read_word(&c) : NULL;
    const Kind *kind = word ? kind_meant(word, false) : NULL;
    if (!kind)
        return NULL;
    const char *mended = mended_call(text);
    const char *quote = mended ? "'" : "";
    return format("names have no dots: write %s%s%s, not nn.%s", quote, mended ? mended : kind->name, quote,
                  word);
}
