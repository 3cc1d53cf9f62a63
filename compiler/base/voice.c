/* voice.c: the stream of messages, and the two voices that end nnc.
 *
 *     fail   the environment failed (a file, memory): exits 2
 *     bug    we are wrong: aborts
 *
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
    colored = wants_color(color, message_file()) && !records_wanted();
}

void paint(const char *code)
{
    if (colored)
        fprintf(message_file(), "\033[%sm", code);
}

/* ---- The two voices -------------------------------------------------------------------------- */

/* Takes the code off a message that ends with it, since its format does; NULL: it has none. */
static const char *take_code(const char *fmt, char *message)
{
    size_t length = strlen(message);
    const char *in_format = strrchr(fmt, '[');
    char *open = strrchr(message, '[');
    if (!in_format || fmt[strlen(fmt) - 1] != ']' || !open || open == message || strcmp(open, in_format) != 0)
        return NULL;
    open[-1] = message[length - 1] = '\0';
    return open + 1;
}

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
    if (records_wanted()) {
        const char *code = take_code(fmt, message);
        record(message_file(), &(Record){.kind = "error", .message = message, .code = code});
        return;
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
    records_end(message_file());
    exit(2);
}

void complain(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    say("error", "1;31", fmt, list, "");
    va_end(list);
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
    records_end(message_file());
    abort();
}
