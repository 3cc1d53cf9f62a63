/* text.c: a text as data for a network that reads tokens: windows of T + 1 of them, of which the network gets
 * the first T and is to say the last T (or, with one target, the last one).
 *
 * A token is a byte, or a character's place in an alphabet. Window i begins at token i T, so all windows say
 * every token but the first once. In training they begin a few tokens later, another number in each epoch,
 * so that over time every token stands at every place of a window. */
#include "data.h"
#include "files.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct alphabet {
    char     *text;                /* UTF-8 */
    size_t    count;
    struct place { uint32_t symbol, token; } *sorted;
};

/* ---- Alphabets -------------------------------------------------------------------------------- */

static int by_symbol(const void *a, const void *b)
{
    const uint32_t x = ((const struct place *)a)->symbol, y = ((const struct place *)b)->symbol;

    return x < y ? -1 : x > y;
}

/* The token of a character; -1: it is not in the alphabet. */
static long token_of(const alphabet *a, uint32_t symbol)
{
    const struct place key = {symbol, 0}, *found = bsearch(&key, a->sorted, a->count, sizeof key, by_symbol);

    return found ? (long)found->token : -1;
}

void kit_alphabet_close(alphabet *a)
{
    if (a == NULL)
        return;
    free(a->text);
    free(a->sorted);
    free(a);
}

/* Where a character stands in a text: lines and columns, in characters, from 1. */
static int bad_place(const char *path, const char *text, size_t at, const char *what)
{
    size_t line = 1, column = 1;

    for (size_t i = 0; i < at; i++)
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80)
            column++;
    return kit_fail(NN_EFORMAT, "%s: line %zu, column %zu: %s", path, line, column, what);
}

/* The character at s, of so many bytes; 0: these are no UTF-8. */
static size_t decode(const char *s, size_t left, uint32_t *symbol)
{
    if ((unsigned char)*s < 0x80) {
        *symbol = (unsigned char)*s;
        return 1;
    }
    return nn_decode(s, left, symbol);
}

/* Symbols are what the text has, in the order in which they first come. */
int kit_alphabet_of(const char *text, size_t size, const char *path, alphabet **to)
{
    alphabet *a = calloc(1, sizeof *a);
    size_t used = 0;
    uint32_t symbol;

    *to = a;
    if (a == NULL || (a->text = malloc(size + 1)) == NULL 
        || (a->sorted = malloc((size + 1) * sizeof *a->sorted)) == NULL)
        return kit_no_memory();
    for (size_t at = 0, length; at < size; at += length) {
        length = decode(text + at, size - at, &symbol);
        if (length == 0)
            return bad_place(path, text, at, "this is no UTF-8");
        if (token_of(a, symbol) >= 0)
            continue;
        memcpy(a->text + used, text + at, length);
        used += length;
        size_t i = a->count;
        for (; i > 0 && a->sorted[i - 1].symbol > symbol; i--)
            a->sorted[i] = a->sorted[i - 1];
        a->sorted[i] = (struct place){symbol, (uint32_t)a->count};
        a->count++;
    }
    a->text[used] = '\0';
    return a->count > 0 ? 0 : kit_fail(NN_EFORMAT, "%s: this alphabet is empty", path);
}

int kit_alphabet_open(const char *path, const nn_model *model, alphabet **to)
{
    bytes file;
    int error = kit_bytes_open(&file, path);

    *to = NULL;
    if (error != 0)
        return error;
    error = kit_alphabet_of((const char *)file.at, file.size, path, to);
    kit_bytes_close(&file);
    if (error == 0 && (*to)->count != model->vocabulary)
        error = kit_fail(NN_EMODEL, "%s: it has %zu symbols, but the network's tokens are %zu; write "
                         "`input %zu of %zu` in the .nn file", path, (*to)->count, model->vocabulary,
                         model->input, (*to)->count);
    return error;
}

const char *kit_alphabet_text(const alphabet *a)
{
    return a->text;
}

size_t kit_alphabet_symbol(const alphabet *a, size_t token, char text[static 8])
{
    const char *s = a->text;
    size_t length;

    for (;; s += length, token--) {
        for (length = 1; ((unsigned char)s[length] & 0xc0) == 0x80; length++)
            ;
        if (token == 0)
            break;
    }
    memcpy(text, s, length);
    return length;
}

/* ---- A text as tokens ------------------------------------------------------------------------- */

static int unknown_symbol(const nn_model *model, const alphabet *a, const char *path, const char *text,
                          size_t size, size_t at)
{
    uint32_t symbol;
    const size_t length = decode(text + at, size - at, &symbol);
    char what[200];

    if (a != NULL && length == 0)
        return bad_place(path, text, at, "this is no UTF-8");
    if (a != NULL && symbol >= ' ' && symbol != 0x7f)
        snprintf(what, sizeof what, "the character '%.*s' is not in the alphabet; add it, and write `input "
                 "%zu of %zu`", (int)length, text + at, model->input, a->count + 1);
    else if (a != NULL)
        snprintf(what, sizeof what, "the character U+%04X is not in the alphabet; add it, and write `input "
                 "%zu of %zu`", (unsigned)symbol, model->input, a->count + 1);
    else
        snprintf(what, sizeof what, "the byte %d, but the network's tokens are 0 to %zu; write `input %zu of "
                 "256`, or give an --alphabet", (unsigned char)text[at], model->vocabulary - 1, model->input);
    return bad_place(path, text, at, what);
}

int kit_text_tokens(const nn_model *model, const alphabet *a, const char *path, const char *text, size_t size,
                    int (*take)(void *context, uint32_t token), void *context)
{
    uint32_t symbol;
    int error = 0;

    for (size_t at = 0, length; at < size && error == 0; at += length) {
        length = a != NULL ? decode(text + at, size - at, &symbol) : 1;
        const long token = a == NULL ? (unsigned char)text[at] : length > 0 ? token_of(a, symbol) : -1;

        if (token < 0 || (size_t)token >= model->vocabulary)
            return unknown_symbol(model, a, path, text, size, at);
        error = take(context, (uint32_t)token);
    }
    return error;
}

typedef struct writing {
    spool spool;
    const char *path;
    size_t count;
} writing;

static int write_token(void *context, uint32_t token)
{
    writing *w = context;

    w->count++;
    return kit_spool_write(&w->spool, w->path, &token, sizeof token);
}

/* Bytes are tokens as they lie in the file, but they are looked at. */
static int count_token(void *context, uint32_t token)
{
    (void)token;
    ++*(size_t *)context;
    return 0;
}

/* Can the network be trained on a text? */
static int check_network(const nn_data *data, const part *p)
{
    const nn_model *model = data->model;

    if (data->options.no_targets || model->targets == 0
        || (model->int_targets && (model->targets == model->input || model->targets == 1)
            && model->output == model->targets * model->vocabulary))
        return 0;
    return kit_fail(NN_EMODEL, "%s: a text teaches a network to say the next token, so it must end in one "
                    "answer for each of the %zu tokens, at each of %zu positions or at the last; end it with "
                    "`fc %zu; softmax`", p->path, model->vocabulary, model->input, model->vocabulary);
}

int kit_open_text(nn_data *data, part *p)
{
    const nn_model *model = data->model;
    const char *text = (const char *)p->file.at;
    writing w = {.path = p->path};
    int error = check_network(data, p);

    if (error == 0 && data->alphabet == NULL) {
        error = kit_text_tokens(model, NULL, p->path, text, p->file.size, count_token, &p->tokens);
    } else if (error == 0) {
        error = kit_spool_open(&w.spool, p->path);
        if (error == 0)
            error = kit_text_tokens(model, data->alphabet, p->path, text, p->file.size, write_token, &w);
        if (error != 0)
            return error;
        kit_bytes_close(&p->file);
        p->file = (bytes){0};
        error = kit_spool_map(&w.spool, p->path, &p->file);
        p->tokens = w.count;
    }
    p->count = p->tokens > 0 ? (p->tokens - 1) / model->input : 0;
    if (error == 0 && p->count == 0)
        error = kit_fail(NN_EFORMAT, "%s: it has %zu tokens; a window takes %zu and the one behind them",
                         p->path, p->tokens, model->input);
    p->rule = data->options.no_targets || model->targets == 0 ? NO_TARGETS : LABELS_AS_LABELS;
    return error;
}

void kit_text_read(const nn_data *data, const part *p, size_t index, size_t shift, int *x, int *t)
{
    const size_t T = data->model->input, last = p->tokens - 1 - T;
    const size_t wanted = index * T + shift, at = wanted < last ? wanted : last;
    const uint32_t *symbols = (const uint32_t *)(const void *)p->file.at;

    for (size_t i = 0; i <= T; i++) {
        const int token = data->alphabet != NULL ? (int)symbols[at + i] : p->file.at[at + i];

        if (i < T)
            x[i] = token;
        if (t != NULL && p->rule != NO_TARGETS && data->model->targets == T && i > 0)
            t[i - 1] = token;
        else if (t != NULL && p->rule != NO_TARGETS && i == T)
            t[0] = token;
    }
}
