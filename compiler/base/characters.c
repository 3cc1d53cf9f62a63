/* characters.c: printing what may hold anything.
 *
 * Control bytes, broken UTF-8 and characters that turn the direction of writing are shown by number.
 * Nothing here takes memory: messages must come out when there is none. */
#include <string.h>

#include "base/base.h"

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
