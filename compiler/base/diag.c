/* diag.c: the three voices for errors.
 *
 *   error_at, warning_at, note_at   the user's text is wrong: place, message, the line itself and a caret
 *   help_at                         and what to write instead, without the line
 *   fail, bug                       the other two voices: voice.c
 *
 * What comes in: a place in the text and what there is to say. What goes out, to the stream of diag_start:
 *
 *     net.nn:3:6: error: conv expects 3 input channels, but its input has 5 (5x8x8) [channels]
 *         3 | conv 3->16 k3 s2
 *           |      ^~~~~
 *
 * The format of an error ends with its code in brackets, which --explain knows: explain.c.
 * The one idea: whatever the user's text holds, what we print is one line of printable characters no wider
 * than a window, with the caret under the right one. Control bytes, broken UTF-8 and characters that turn
 * the direction of writing are shown by number; tabs stay tabs, in both lines, so that they line up.
 * Every character counts as one column wide: simple on purpose, since kinds and arguments are ASCII.
 */
#include "base/base.h"

#include <limits.h>
#include <string.h>

enum {
    MAX_ERRORS = 20,     /* printed unless -fmax-errors says otherwise; the rest is only counted */
    MAX_MESSAGE = 600,   /* bytes of one message: a token of 100 KB must not fill the screen */
    BEFORE = 60,         /* bytes of a long line that are shown before the place ... */
    WINDOW = 100,        /* ... and in all */
    MAX_CODE = 30
};

static const Source *text;

static int errors, printed, max_errors = MAX_ERRORS;

static int quiet, errors_before_quiet; /* how often diag_quiet was called; nothing is shown then */

static bool last_was_hidden;     /* the message before was not shown: nor are its notes */

/* of the message before: a note at the same place need not repeat the line */
static Loc last_place;

static const Use *inside;        /* what messages are about */

static Map *given;               /* the warnings so far: NULL: none */

/* of the message before, to be said once its own notes are: where a block is used, a file included */
static const Use *pending;
static const Source *pending_source;

/* ---- Starting -------------------------------------------------------------------------------- */

/* Starts a compilation: where messages go (NULL: stderr), and whose text they quote (NULL: none yet). */
void diag_start(FILE *file, const Source *source, Color color)
{
    voice_start(file, color);
    text = source;
    errors = printed = quiet = 0;
    last_was_hidden = false;
    last_place = (Loc){0};
    inside = pending = NULL;
    pending_source = NULL;
    given = NULL;
}

void diag_max_errors(int most)
{
    max_errors = most ? most : INT_MAX;
}

/* What is counted in between is forgotten. */
void diag_quiet(bool on)
{
    if (on && !quiet++)
        errors_before_quiet = errors;
    else if (!on && !--quiet)
        errors = errors_before_quiet;
}

/* ---- The line and the caret ------------------------------------------------------------------ */

static const Source *source_of(Loc loc)
{
    return loc.line <= 0 ? NULL : loc.source ? loc.source : text;
}

/* The line that loc stands in, without its end; NULL: there is none. */
static const char *line_of(Loc loc, size_t *length)
{
    const Source *source = source_of(loc);
    if (!source)
        return NULL;
    const char *line = source->text, *end = source->text + source->length;
    for (int n = 1; n < loc.line; n++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return NULL;
        line++;
    }
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    *length = (size_t)((newline ? newline : end) - line);
    if (*length && line[*length - 1] == '\r')
        --*length;
    return line;
}

/* The column of a place `bytes` behind the line's begin, counted in characters from 1. */
static int column_of(Loc loc, int bytes)
{
    size_t length, taken;
    const char *line = line_of(loc, &length);
    char shown[16];
    int column = 1, at = 0;
    for (; line && at < bytes && at < (int)length; at += (int)taken, column++)
        show_character(line + at, length - (size_t)at, shown, &taken);
    return column + (at < bytes ? bytes - at : 0);
}

const char *text_from(Loc loc)
{
    size_t length, column = (size_t)(loc.column > 0 ? loc.column - 1 : 0);
    const char *line = line_of(loc, &length);
    return line && column < length ? copy_text(line + column, length - column) : NULL;
}

/* Prints the line that loc stands in, or the window of it around loc, and a caret line below. */
static void print_line(Loc loc)
{
    size_t length;
    const char *line = line_of(loc, &length);
    if (!line)
        return;
    size_t from = 0, until = length, mark = (size_t)(loc.column > 0 ? loc.column - 1 : 0);
    if (mark > length)
        mark = length;
    size_t mark_end = mark + (size_t)(loc.length > 1 ? loc.length : 1);
    if (length > WINDOW) {
        from = mark > BEFORE ? mark - BEFORE : 0;
        until = from + WINDOW < length ? from + WINDOW : length;
        while (from > 0 && from < mark && ((unsigned char)line[from] & 0xc0) == 0x80)
            from++;                 /* not within a character */
        while (until > mark && until < length && ((unsigned char)line[until] & 0xc0) == 0x80)
            until--;
    }

    fprintf(message_file(), "%5d | %s", loc.line, from > 0 ? "..." : "");
    char shown[16];
    for (size_t i = from, bytes; i < until; i += bytes) {
        show_character(line + i, until - i, shown, &bytes);
        fputs(shown, message_file());
    }
    fprintf(message_file(), "%s\n      | %s", until < length ? "..." : "", from > 0 ? "   " : "");
    paint("1;32");
    for (size_t i = from, bytes; i < until && i < mark_end; i += bytes) {
        int columns = show_character(line + i, until - i, shown, &bytes);
        for (int k = 0; k < columns; k++)
            fputc(shown[0] == '\t' && i < mark ? '\t'
                  : i < mark                   ? ' '
                  : i == mark && k == 0        ? '^'
                                               : '~',
                  message_file());
    }
    if (mark == until)
        fputc('^', message_file());
    paint("0");
    fputc('\n', message_file());
}

/* A message that fits the screen. */
static const char *shortened(const char *message)
{
    size_t length = strlen(message);
    if (length <= MAX_MESSAGE)
        return message;
    size_t begin = before_character(message, MAX_MESSAGE / 2);
    size_t end = before_character(message, length - MAX_MESSAGE / 4);
    return format("%.*s...%s", (int)begin, message, message + end);
}

static void record_message(Loc loc, const char *voice, const char *message, const char *code)
{
    const Source *source = source_of(loc);
    bool warned = code && strncmp(code, "-W", 2) == 0;
    bool belongs = !strcmp(voice, "note") || !strcmp(voice, "help");
    Record r = {.kind = voice, .message = message, .code = code, .option = warned ? code : NULL,
                .belongs = belongs};
    if (source) {
        int last = loc.column + (loc.length > 1 ? loc.length - 1 : 0);
        r.file = source->name;
        r.line = loc.line;
        r.column = column_of(loc, loc.column - 1);
        r.last_column = column_of(loc, last - 1);
    }
    record(message_file(), &r);
}

/* code: "channels", "-Wloss", ...; NULL: none. */
static void print_message(Loc loc, const char *voice, const char *color, const char *message,
                          const char *code)
{
    const Source *source = source_of(loc);
    message = shortened(message);
    if (records_wanted()) {
        record_message(loc, voice, message, code);
        return;
    }
    paint("1");
    if (source) {
        print_safely(message_file(), source->name, strlen(source->name));
        fprintf(message_file(), ":%d:%d: ", loc.line, column_of(loc, loc.column - 1));
    } else {
        fputs("nnc: ", message_file());
    }
    paint(color);
    fprintf(message_file(), "%s: ", voice);
    paint("0");
    paint("1");
    print_safely(message_file(), message, strlen(message));
    paint("0");
    if (code)
        fprintf(message_file(), " [%s]", code);
    fputc('\n', message_file());
    bool shown = loc.line == last_place.line && loc.column == last_place.column
                 && loc.length == last_place.length && loc.source == last_place.source;
    if (source && !(shown && strcmp(voice, "note") == 0) && strcmp(voice, "help") != 0)
        print_line(loc);
    last_place = loc;
}

/* ---- The first voice: the user's text is wrong ----------------------------------------------- */

/* Counts an error, and shows it unless there have been too many. */
static void report_error(Loc loc, const char *message, const char *code)
{
    errors++;
    last_was_hidden = printed >= max_errors;
    if (!last_was_hidden) {
        print_message(loc, "error", "1;31", message, code);
        printed++;
    } else if (printed == max_errors) {
        const Loc nowhere = {0};
        print_message(nowhere, "note", "1;36", "too many errors; the rest are not shown", NULL);
        printed++;
    }
}

/* Where the text of the message before is used. */
static void say_where_used(void)
{
    const Use *use = pending;
    const Source *source = pending_source;
    pending = NULL;
    pending_source = NULL;
    for (; use; use = use->up)
        note_at(use->loc, "in %s, used here", use->what);
    for (; source && source->included.line; source = source_of(source->included))
        note_at(source->included, "%s is included here", source->name);
}

void diag_inside(const Use *use)
{
    say_where_used();
    inside = use;
}

/* The code with which a format ends, "... [channels]", and the length of that end. Without one: "shape",
 * since most that is wrong with a network is what a layer takes. */
static const char *code_of(const char *fmt, char code[MAX_CODE], size_t *end)
{
    size_t length = strlen(fmt);
    const char *open = strrchr(fmt, '[');
    *end = 0;
    if (!open || open == fmt || open[-1] != ' ' || fmt[length - 1] != ']' || strlen(open) >= MAX_CODE)
        return "shape";
    memcpy(code, open + 1, strlen(open) - 2);
    code[strlen(open) - 2] = '\0';
    *end = strlen(open) + 1;
    return code;
}

static void wait_for_notes(Loc loc)
{
    pending = inside;
    pending_source = source_of(loc);
}

void error_at(Loc loc, const char *fmt, ...)
{
    if (quiet) {
        errors++;
        return;
    }
    say_where_used();
    char room[MAX_CODE];
    size_t end;
    const char *code = code_of(fmt, room, &end);
    va_list list;
    va_start(list, fmt);
    char *message = vformat(fmt, list);
    va_end(list);
    message[strlen(message) - end] = '\0'; /* which holds no conversion, and so ends the message, too */
    report_error(loc, message, code);
    wait_for_notes(loc);
}

void note_at(Loc loc, const char *fmt, ...)
{
    if (last_was_hidden || quiet)
        return;
    va_list list;
    va_start(list, fmt);
    print_message(loc, "note", "1;36", vformat(fmt, list), NULL);
    va_end(list);
}

void help_at(Loc loc, const char *fmt, ...)
{
    if (last_was_hidden || quiet)
        return;
    va_list list;
    va_start(list, fmt);
    print_message(loc, "help", "1;32", vformat(fmt, list), NULL);
    va_end(list);
}

/* The text of a block or a repeat is warned of once, however often it is used. */
static bool was_given(Warning warning, Loc loc)
{
    const char *key = format("%d %d:%d %p", warning, loc.line, loc.column, (const void *)source_of(loc));
    if (!given)
        given = new_map();
    if (loc.line <= 0 || map_find(given, key))
        return loc.line > 0;
    map_set(given, key, &given);
    return false;
}

void warning_at(Warning warning, Loc loc, const char *fmt, ...)
{
    if (quiet)
        return;
    say_where_used();
    last_was_hidden = !warning_is_on(warning) || was_given(warning, loc);
    if (last_was_hidden)
        return;
    va_list list;
    va_start(list, fmt);
    const char *message = vformat(fmt, list);
    va_end(list);
    if (warning_is_error(warning))
        report_error(loc, message, format("-Werror=%s", warning_name(warning)));
    else
        print_message(loc, "warning", "1;35", message, format("-W%s", warning_name(warning)));
    wait_for_notes(loc);
}

/* Errors since diag_start, shown or not. */
int error_count(void)
{
    return errors;
}

bool errors_are_shown(void)
{
    return printed < max_errors && !quiet;
}
