/* messages.c: the text of the last error of each thread. */
#include "nnkit.h"
#include "messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char message[1024];

/* The text as the message: what a terminal would obey is shown by its number, so that it stays one line. */
static void keep(const char *text)
{
    size_t used = 0;

    for (; *text != '\0' && used + 5 < sizeof message; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            used += (size_t)sprintf(message + used, "\\x%02X", (unsigned)(unsigned char)*text);
        else
            message[used++] = *text;
    message[used] = '\0';
}

int kit_fail(int error, const char *format, ...)
{
    va_list arguments;
    char text[sizeof message]; /* an argument may be the present message */

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep(text);
    return error;
}

int kit_no_memory(void)
{
    return kit_fail(NN_ENOMEM, "there is no memory left; free some, or take a smaller --batch or fewer "
                    "--threads");
}

const char *nnkit_error(void)
{
    return message;
}

void kit_copy_message(char *to, size_t room)
{
    snprintf(to, room, "%s", message);
}

void *kit_memory(size_t bytes)
{
    const size_t lines = bytes / 64 + 1;
    void *memory = bytes > SIZE_MAX - 128 ? NULL : aligned_alloc(64, 64 * lines);

    if (memory)
        memset(memory, 0, 64 * lines);
    return memory;
}
