/* diag.c: the three voices for errors.
 *
 *   error_at, warning_at, note_at   the user's text is wrong: place, message, the line itself and a caret
 *   help_at                         and what to write instead, without the line
 *   fail                            the environment failed (a file, memory): exits 2
 *   bug                             we are wrong: aborts
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
#include "nnc.h"

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

static FILE *stream;             /* NULL: stderr */
static const Source *text;
static bool colored;
static int errors, printed;
static bool last_was_hidden;     /* the message before was not shown: nor are its notes */
static Loc last_place;           /* of the message before: a note at the same place need not repeat the line */
static const Use *inside;        /* what messages are about */
static const Use *pending;       /* of the message before: to be said once its own notes are */

static FILE *out(void)
{
    return stream ? stream : stderr;
}

/* ---- Starting, and the -W options ------------------------------------------------------------------ */

static bool wants_color(Color color, FILE *file)
{
    if (color != COLOR_AUTO)
        return color == COLOR_ALWAYS;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

/* Starts a compilation: where messages go (NULL: stderr), and whose text they quote (NULL: none yet). */
void diag_start(FILE *file, const Source *source, Color color)
{
    stream = file;
    text = source;
    colored = wants_color(color, out());
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

/* ---- Printing text that may hold anything ---------------------------------------------------------- */

/* How many bytes the character at s has and which it is; 1 and -1 where it isn't UTF-8. */
static size_t decode(const char *s, size_t left, long *code)
{
    const unsigned char *u = (const unsigned char *)s;
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = u[0] < 0x80 ? 1 : u[0] >> 5 == 6 ? 2 : u[0] >> 4 == 14 ? 3 : u[0] >> 3 == 30 ? 4 : 0;
    *code = -1;
    if (length == 0 || length > left)
        return 1;
    long c = length == 1 ? u[0] : u[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if (u[i] >> 6 != 2)
            return 1;
        c = c << 6 | (u[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 1;
    *code = c;
    return length;
}

static bool printable(long code)
{
    return !(code < 0x20 || (code >= 0x7f && code < 0xa0) ||   /* controls */
             code == 0xa0 || code == 0xad ||                   /* looks like a space, like nothing */
             code == 0x61c || (code >= 0x200b && code <= 0x200f) || /* no width, or direction */
             (code >= 0x2028 && code <= 0x202e) ||             /* line separators, direction */
             code == 0x115f || code == 0x1160 || code == 0x3164 || code == 0xffa0 || /* blank letters */
             (code >= 0x180b && code <= 0x180f) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
             (code >= 0xfff0 && code <= 0xffff) || code >= 0xe0000);
}

/* How the character at s is shown, into shown; returns its columns. *bytes is what it takes of s. */
static int show(const char *s, size_t left, char shown[16], size_t *bytes)
{
    long code;
    *bytes = decode(s, left, &code);
    if (code < 0)
        return sprintf(shown, "<%02X>", (unsigned)(unsigned char)*s);
    if (code == '\t' || printable(code)) {
        memcpy(shown, s, *bytes);
        shown[*bytes] = '\0';
        return 1;
    }
    return sprintf(shown, code < 0x80 ? "<%02lX>" : "<U+%04lX>", (unsigned long)code);
}

/* The place at or before `at` where a character begins, so that a cut there leaves none in halves. */
static size_t before_character(const char *s, size_t at)
{
    size_t from = at;
    while (from > 0 && at - from < 4 && ((unsigned char)s[from] & 0xc0) == 0x80)
        from--;
    return ((unsigned char)s[from] & 0xc0) == 0x80 ? at : from;
}

static void print_safely(FILE *file, const char *s, size_t length)
{
    char shown[16];
    for (size_t i = 0, bytes; i < length; i += bytes) {
        show(s + i, length - i, shown, &bytes);
        fputs(shown[0] == '\t' ? " " : shown, file);
    }
}

static void paint(const char *code)
{
    if (colored)
        fprintf(out(), "\033[%sm", code);
}

/* ---- The line and the caret ------------------------------------------------------------------------ */

/* Prints the line that loc stands in, or the window of it around loc, and a caret line below. */
static void print_line(Loc loc)
{
    const char *line = text->text, *end = text->text + text->length;
    for (int n = 1; n < loc.line; n++) {
        line = memchr(line, '\n', (size_t)(end - line));
        if (!line)
            return;
        line++;
    }
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t length = (size_t)((newline ? newline : end) - line);
    if (length && line[length - 1] == '\r')
        length--;

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

    fprintf(out(), "%5d | %s", loc.line, from > 0 ? "..." : "");
    char shown[16];
    for (size_t i = from, bytes; i < until; i += bytes) {
        show(line + i, until - i, shown, &bytes);
        fputs(shown, out());
    }
    fprintf(out(), "%s\n      | %s", until < length ? "..." : "", from > 0 ? "   " : "");
    paint("1;32");
    for (size_t i = from, bytes; i < until && i < mark_end; i += bytes) {
        int columns = show(line + i, until - i, shown, &bytes);
        for (int k = 0; k < columns; k++)
            fputc(shown[0] == '\t' && i < mark ? '\t' : i < mark ? ' ' : i == mark && k == 0 ? '^' : '~', out());
    }
    if (mark == until)
        fputc('^', out());
    paint("0");
    fputc('\n', out());
}

static void print_message(Loc loc, const char *voice, const char *color, const char *message, const char *suffix)
{
    paint("1");
    if (loc.line > 0 && text) {
        print_safely(out(), text->name, strlen(text->name));
        fprintf(out(), ":%d:%d: ", loc.line, loc.column);
    } else {
        fputs("nnc: ", out());
    }
    paint(color);
    fprintf(out(), "%s: ", voice);
    paint("0");
    paint("1");
    size_t length = strlen(message);
    if (length > MAX_MESSAGE) {
        print_safely(out(), message, before_character(message, MAX_MESSAGE / 2));
        fputs("...", out());
        size_t rest = before_character(message, length - MAX_MESSAGE / 4);
        message += rest;
        length -= rest;
    }
    print_safely(out(), message, length);
    paint("0");
    fprintf(out(), "%s\n", suffix);
    bool shown = loc.line == last_place.line && loc.column == last_place.column && loc.length == last_place.length;
    if (loc.line > 0 && text && !(shown && strcmp(voice, "note") == 0) && strcmp(voice, "help") != 0)
        print_line(loc);
    last_place = loc;
}

/* ---- The first voice: the user's text is wrong -------------------------------------------------------- */

/* Counts an error, and shows it unless there have been too many. */
static void report_error(Loc loc, const char *message, const char *suffix)
{
    errors++;
    last_was_hidden = printed >= MAX_ERRORS;
    if (!last_was_hidden) {
        print_message(loc, "error", "1;31", message, suffix);
        printed++;
    } else if (errors == MAX_ERRORS + 1) {
        fprintf(out(), "nnc: too many errors; the rest are not shown\n");
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

/* ---- The other two voices ----------------------------------------------------------------------------- */

/* These may run when the arena is out of memory, so they take none. */
static void PRINTF_LIKE(3, 0) say(const char *voice, const char *color, const char *fmt, va_list list,
                                  const char *suffix)
{
    char message[5000];
    int length = vsnprintf(message, sizeof message, fmt, list);
    if (length >= (int)sizeof message) { /* a path may be as long as that */
        size_t end = before_character(message, sizeof message - 4);
        memcpy(message + end, "...", 4);
    }
    paint("1");
    fputs("nnc: ", out());
    paint(color);
    fprintf(out(), "%s: ", voice);
    paint("0");
    print_safely(out(), message, strlen(message));
    fprintf(out(), "%s\n", suffix);
    fflush(out());
}

void fail(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    say("error", "1;31", fmt, list, "");
    va_end(list);
    exit(2);
}

void bug(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    say("internal error", "1;31", fmt, list, "; please report this");
    va_end(list);
    abort();
}

/* ---- Did you mean ------------------------------------------------------------------------------------- */

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
            if (i > 1 && j > 1 && ai == tolower((unsigned char)b[j - 2]) && bj == tolower((unsigned char)a[i - 2]))
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
