/* errors.c: what nn_error says of the last call of nn_save or nn_load in this thread.
 *
 * A message names the file, what is wrong with it, and what to do. It may hold text from a file: characters
 * that control a terminal or cannot be seen are shown by number. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif

#define NN_COMPUTES
#include "files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Errors ---------------------------------------------------------------------------------- */

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L && !defined(__STDC_NO_THREADS__)
#define PER_THREAD _Thread_local
#elif defined(__GNUC__)
#define PER_THREAD __thread
#else
#define PER_THREAD /* one message for all threads */
#endif

static PER_THREAD struct {
    int error;
    char text[1024];
} last;

static const char *const advice[] = {
    [NN_EIO]     = "check the path and the device that it is on",
    [NN_EFORMAT] = "the file is damaged or not safetensors: copy it again or save it again",
    [NN_EMODEL]  = "load it into the network that it was saved from, or give its tensors the network's names "
                   "and shapes",
    [NN_ENOMEM]  = "free some memory",
    [NN_EPREPARED] = "save from a build without --inference, where the weights stay as they were loaded",
};

/* The bytes of the UTF-8 character at s (RFC 3629) and which it is; 0 where it is none. */
size_t nn_decode(const char *s, size_t left, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)*s;
    const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (length > left || (first >= 0x80 && first < 0xc0) || first >= 0xf8)
        return 0;
    *code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | ((unsigned char)s[i] & 0x3f);
    }
    return *code >= least[length] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? length : 0;
}

/* Characters that a terminal obeys, or that nobody sees. */
static int hidden(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x180b, 0x180f},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfeff, 0xfeff},
        {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return 1;
    return 0;
}

/* Appends a text to the message, hidden characters by their number, bytes that are no character by theirs;
 * what goes beyond room bytes becomes "...". */
static void say(const char *text, size_t room)
{
    size_t left = strlen(text), bytes;
    char *to = last.text + strlen(last.text), *const end = to + room, shown[16];

    for (; left > 0; text += bytes, left -= bytes) {
        uint32_t code = 0;

        bytes = nn_decode(text, left, &code);
        if (bytes == 0) {
            bytes = 1;
            sprintf(shown, "\\x%02X", (unsigned)(unsigned char)*text);
        } else if (hidden(code))
            sprintf(shown, code > 0xffff ? "\\U%08lX" : "\\u%04lX", (unsigned long)code);
        else
            sprintf(shown, "%.*s", (int)bytes, text);
        if (strlen(shown) + 3 > (size_t)(end - to)) {
            strcpy(to, "...");
            return;
        }
        to += sprintf(to, "%s", shown);
    }
}

#ifdef __GNUC__
__attribute__((format(printf, 4, 0)))
#endif
static int vfail(int error, const char *path, const char *remedy, const char *format, va_list arguments)
{
    char what[640];

    vsnprintf(what, sizeof what, format, arguments);
    last.error = error;
    last.text[0] = '\0';
    say(path, 280);
    say(": ", 8);
    say(what, 560);
    say("; ", 8);
    say(remedy, 160);
    return 0;
}

int nn_fail(int error, const char *path, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfail(error, path, advice[error], format, arguments);
    va_end(arguments);
    return 0;
}

/* The same, with a remedy of its own. */
int nn_fail_with(int error, const char *path, const char *remedy, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfail(error, path, remedy, format, arguments);
    va_end(arguments);
    return 0;
}

/* The system refuses, for the reason errno. */
int nn_refused(const char *path, const char *what, int reason)
{
    const char *remedy = advice[NN_EIO];

    switch (reason) {
#ifdef POSIX
    case ENOENT: case ENOTDIR:
        remedy = "check the path";
        break;
    case EACCES: case EPERM: case EROFS:
        remedy = "check the permissions of the file and of its folder";
        break;
    case ENOSPC: case EDQUOT: case EFBIG:
        remedy = "free some space there or choose another place";
        break;
    case EISDIR:
        remedy = "give the path of a file";
        break;
    case ENAMETOOLONG: case ELOOP:
        remedy = "choose another path";
        break;
    case EMFILE: case ENFILE:
        remedy = "close files that are not needed any more";
        break;
#endif
    case ENOMEM:
        remedy = advice[NN_ENOMEM];
        break;
    }
    return nn_fail_with(NN_EIO, path, remedy, "%s: %s", what, strerror(reason));
}

int nn_last_error(void)
{
    return last.error;
}

const char *nn_error(int error)
{
    if (error == last.error && error != NN_OK)
        return last.text;
    return error >= NN_EIO && error <= NN_EPREPARED ? advice[error] : "no error";
}

#ifdef POSIX
int nn_is_regular(const char *path, const struct stat *status)
{
    if (S_ISDIR(status->st_mode))
        return nn_fail_with(NN_EIO, path, "give the path of a file", "it is a folder");
    return S_ISREG(status->st_mode) ||
           nn_fail_with(NN_EIO, path, "give the path of an ordinary file", "it is a device or a pipe");
}
#endif
