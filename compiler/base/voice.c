/* voice.c: printing what may hold anything to the stream of messages, and the two voices that end nnc.
 *
 *     fail   the environment failed (a file, memory): exits 2
 *     bug    we are wrong: aborts
 *
 * Control bytes, broken UTF-8 and characters that turn the direction of writing are shown by number.
 * Nothing here takes memory: it may run when there is none. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static FILE *stream;             /* NULL: stderr */

static bool colored;

FILE *message_file(void)
{
    return stream ? stream : stderr;
}

static bool wants_color(Color color, FILE *file)
{
    if (color != COLOR_AUTO)
        return color == COLOR_ALWAYS;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

void voice_start(FILE *file, Color color)
{
    stream = file;
    colored = wants_color(color, message_file());
}

/* ---- Printing text that may hold anything ---------------------------------------------------- */

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
int show_character(const char *s, size_t left, char shown[16], size_t *bytes)
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
size_t before_character(const char *s, size_t at)
{
    size_t from = at;
    while (from > 0 && at - from < 4 && ((unsigned char)s[from] & 0xc0) == 0x80)
        from--;
    return ((unsigned char)s[from] & 0xc0) == 0x80 ? at : from;
}

void print_safely(FILE *file, const char *s, size_t length)
{
    char shown[16];
    for (size_t i = 0, bytes; i < length; i += bytes) {
        show_character(s + i, length - i, shown, &bytes);
        fputs(shown[0] == '\t' ? " " : shown, file);
    }
}

void paint(const char *code)
{
    if (colored)
        fprintf(message_file(), "\033[%sm", code);
}

/* ---- The two voices -------------------------------------------------------------------------- */

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
    fputs("nnc: ", message_file());
    paint(color);
    fprintf(message_file(), "%s: ", voice);
    paint("0");
    print_safely(message_file(), message, strlen(message));
    fprintf(message_file(), "%s\n", suffix);
    fflush(message_file());
}

void fail(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    say("error", "1;31", fmt, list, "");
    va_end(list);
    exit(2);
}

void (*bug_handler)(const char *message);

void bug(const char *fmt, ...)
{
    va_list list;
    if (bug_handler) {
        char message[1000];
        va_start(list, fmt);
        vsnprintf(message, sizeof message, fmt, list);
        va_end(list);
        bug_handler(message);
    }
    va_start(list, fmt);
    say("internal error", "1;31", fmt, list, "; please report this");
    va_end(list);
    abort();
}
