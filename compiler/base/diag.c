/* diag.c: the three voices for errors.
 *
 *   error_at, warning_at, note_at   the user's text is wrong: place, message, the line itself and a caret
 *   help_at                         and what to write instead, without the line
 *   fail, bug                       the other two voices: voice.c
 *
 * What comes in: a place in the text and what there is to say. What goes out, to the stream of diag_start:
 *
 *     net.nn:3:6: error: conv expects 3 input channels, but its input has 5 (5x8x8)
 *         3 | conv 3->16 k3 s2
 *           |      ^~~~~
 *
 * The one idea: whatever the user's text holds, what we print is one line of printable characters no wider
 * than a window, with the caret under the right one. Control bytes, broken UTF-8 and characters that turn
 * the direction of writing are shown by number; tabs stay tabs, in both lines, so that they line up.
 * Every character counts as one column wide: simple on purpose, since kinds and arguments are ASCII.
 */
#include "base/base.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_ERRORS = 20,     /* printed; the rest is only counted */
    MAX_MESSAGE = 600,   /* bytes of one message: a token of 100 KB must not fill the screen */
    BEFORE = 60,         /* bytes of a long line that are shown before the place ... */
    WINDOW = 100         /* ... and in all */
};

static const struct {
    const char *name, *help;
} warnings[NWARNINGS] = {
    [WARN_UNROLL] = {"unroll", "code of --unroll=full that is very large or slow to compile"},
    [WARN_PADDING] = {"padding", "a window that covers only padding"},
    [WARN_LOSS] = {"loss", "a loss for logits behind softmax or sigmoid"},
    [WARN_UNUSED] = {"unused", "a layer whose output is never used"},
    [WARN_BATCH] = {"batch", "a batch too small for batchnorm"},
    [WARN_LANES] = {"lanes", "--lanes=samples where it has no effect"},
    [WARN_CHANNELS] = {"channels", "an input size with the channels last"},
    [WARN_MOMENTUM] = {"momentum", "a momentum of batchnorm above 0.5"},
    [WARN_SHORTCUT] = {"shortcut", "add of a label on the first layer of a branch, not before it"},
    [WARN_LABEL] = {"label", "a label that is never used"},
};

static bool warning_off[NWARNINGS];

static bool warnings_are_errors;

static const Source *text;

static int errors, printed;

static bool last_was_hidden;     /* the message before was not shown: nor are its notes */

/* of the message before: a note at the same place need not repeat the line */
static Loc last_place;

static const Use *inside;        /* what messages are about */

static const Use *pending;       /* of the message before: to be said once its own notes are */

/* ---- Starting, and the -W options ------------------------------------------------------------ */

/* Starts a compilation: where messages go (NULL: stderr), and whose text they quote (NULL: none yet). */
void diag_start(FILE *file, const Source *source, Color color)
{
    voice_start(file, color);
    text = source;
    errors = printed = 0;
    last_was_hidden = false;
    last_place = (Loc){0};
    inside = pending = NULL;
}

/* What stands behind -W: NAME, no-NAME, all, no-all, error, no-error. False: unknown. */
bool warning_option(const char *name)
{
    bool off = strncmp(name, "no-", 3) == 0;
    if (off)
        name += 3;
    if (strcmp(name, "error") == 0) {
        warnings_are_errors = !off;
        return true;
    }
    bool all = strcmp(name, "all") == 0, known = all;
    for (int i = 0; i < NWARNINGS; i++)
        if (all || strcmp(name, warnings[i].name) == 0) {
            warning_off[i] = off;
            known = true;
        }
    return known;
}

/* All warnings on, none an error. */
void warning_reset(void)
{
    memset(warning_off, 0, sizeof warning_off);
    warnings_are_errors = false;
}

/* The warnings and what they say, a line for each; for --help. */
const char *warning_names(void)
{
    const char *names = "";
    for (int i = 0; i < NWARNINGS; i++)
        names = format("%s  %-22s %s\n", names, format("-W%s", warnings[i].name), warnings[i].help);
    return names;
}

/* The -W option that was probably meant, without its -W; or NULL. */
const char *closest_warning(const char *name)
{
    const char *names[2 * NWARNINGS + 2] = {"all", "error"};
    for (int i = 0; i < NWARNINGS; i++) {
        names[2 + i] = warnings[i].name;
        names[2 + NWARNINGS + i] = format("no-%s", warnings[i].name);
    }
    return closest(name, names, 2 * NWARNINGS + 2);
}

/* ---- The line and the caret ------------------------------------------------------------------ */

/* The line that loc stands in, without its end; NULL: there is none. */
static const char *line_of(Loc loc, size_t *length)
{
    const char *line = text->text, *end = text->text + text->length;
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

const char *text_from(Loc loc)
{
    size_t length, column = (size_t)(loc.column > 0 ? loc.column - 1 : 0);
    const char *line = text && loc.line > 0 ? line_of(loc, &length) : NULL;
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

static void print_message(Loc loc, const char *voice, const char *color, const char *message,
                          const char *suffix)
{
    paint("1");
    if (loc.line > 0 && text) {
        print_safely(message_file(), text->name, strlen(text->name));
        fprintf(message_file(), ":%d:%d: ", loc.line, loc.column);
    } else {
        fputs("nnc: ", message_file());
    }
    paint(color);
    fprintf(message_file(), "%s: ", voice);
    paint("0");
    paint("1");
    size_t length = strlen(message);
    if (length > MAX_MESSAGE) {
        print_safely(message_file(), message, before_character(message, MAX_MESSAGE / 2));
        fputs("...", message_file());
        size_t rest = before_character(message, length - MAX_MESSAGE / 4);
        message += rest;
        length -= rest;
    }
    print_safely(message_file(), message, length);
    paint("0");
    fprintf(message_file(), "%s\n", suffix);
    bool shown =
        loc.line == last_place.line && loc.column == last_place.column && loc.length == last_place.length;
    if (loc.line > 0 && text && !(shown && strcmp(voice, "note") == 0) && strcmp(voice, "help") != 0)
        print_line(loc);
    last_place = loc;
}

/* ---- The first voice: the user's text is wrong ----------------------------------------------- */

/* Counts an error, and shows it unless there have been too many. */
static void report_error(Loc loc, const char *message, const char *suffix)
{
    errors++;
    last_was_hidden = printed >= MAX_ERRORS;
    if (!last_was_hidden) {
        print_message(loc, "error", "1;31", message, suffix);
        printed++;
    } else if (errors == MAX_ERRORS + 1) {
        fprintf(message_file(), "nnc: too many errors; the rest are not shown\n");
    }
}

/* Where the text of the message before is used. */
static void say_where_used(void)
{
    const Use *use = pending;
    pending = NULL;
    for (; use; use = use->up)
        note_at(use->loc, "in %s, used here", use->what);
}

void diag_inside(const Use *use)
{
    say_where_used();
    inside = use;
}

void error_at(Loc loc, const char *fmt, ...)
{
    say_where_used();
    va_list list;
    va_start(list, fmt);
    report_error(loc, vformat(fmt, list), "");
    va_end(list);
    pending = inside;
}

void note_at(Loc loc, const char *fmt, ...)
{
    if (last_was_hidden)
        return;
    va_list list;
    va_start(list, fmt);
    print_message(loc, "note", "1;36", vformat(fmt, list), "");
    va_end(list);
}

void help_at(Loc loc, const char *fmt, ...)
{
    if (last_was_hidden)
        return;
    va_list list;
    va_start(list, fmt);
    print_message(loc, "help", "1;32", vformat(fmt, list), "");
    va_end(list);
}

void warning_at(Warning warning, Loc loc, const char *fmt, ...)
{
    say_where_used();
    last_was_hidden = warning_off[warning];
    if (last_was_hidden)
        return;
    va_list list;
    va_start(list, fmt);
    const char *message = vformat(fmt, list);
    va_end(list);
    const char *name = warnings[warning].name;
    if (warnings_are_errors)
        report_error(loc, message, format(" [-Werror=%s]", name));
    else
        print_message(loc, "warning", "1;35", message, format(" [-W%s]", name));
    pending = inside;
}

/* Errors since diag_start, shown or not. */
int error_count(void)
{
    return errors;
}

bool errors_are_shown(void)
{
    return printed < MAX_ERRORS;
}

/* ---- Did you mean ---------------------------------------------------------------------------- */

enum { MAX_WORD = 40 };

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

/* Edits from a to b: a letter put in, left out, replaced, or two neighbours exchanged (Damerau 1964, without
 * edits inside an exchange). Upper and lower case count as the same letter. */
static int edits(const char *a, const char *b)
{
    int la = (int)strlen(a), lb = (int)strlen(b);
    int d[MAX_WORD + 1][MAX_WORD + 1];
    for (int i = 0; i <= la; i++)
        d[i][0] = i;
    for (int j = 0; j <= lb; j++)
        d[0][j] = j;
    for (int i = 1; i <= la; i++)
        for (int j = 1; j <= lb; j++) {
            int ai = tolower((unsigned char)a[i - 1]), bj = tolower((unsigned char)b[j - 1]);
            int best = least_of(d[i - 1][j] + 1, d[i][j - 1] + 1);
            best = least_of(best, d[i - 1][j - 1] + (ai != bj));
            if (i > 1 && j > 1 && ai == tolower((unsigned char)b[j - 2])
                && bj == tolower((unsigned char)a[i - 2]))
                best = least_of(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    return d[la][lb];
}

/* The candidate nearest to word, the first among equals; NULL when none is near enough to be what was meant
 * (one edit in three letters, and in one or two). Candidates may be NULL. */
const char *closest(const char *word, const char *const *candidates, int n)
{
    int length = (int)strlen(word), best = 0;
    const char *found = NULL;
    if (length > MAX_WORD)
        return NULL;
    for (int i = 0; i < n; i++) {
        int difference = candidates[i] ? (int)strlen(candidates[i]) - length : MAX_WORD;
        if (abs(difference) > (length + 1) / 3 || length + difference > MAX_WORD)
            continue; /* each letter more or less is an edit */
        int distance = edits(word, candidates[i]);
        if (distance <= (length + 1) / 3 && distance < length && (!found || distance < best)) {
            best = distance;
            found = candidates[i];
        }
    }
    return found;
}
