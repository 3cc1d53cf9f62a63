/* messages.h: how the files of the kit report an error: a text for nnkit_error, and a number. */
#ifndef NNKIT_MESSAGES_H
#define NNKIT_MESSAGES_H

#include <stddef.h>

/* Keeps the message for nnkit_error and returns error. */
__attribute__((format(printf, 2, 3))) int kit_fail(int error, const char *format, ...);
int  kit_no_memory(void);
/* This thread's message, for another thread to report. */
void kit_copy_message(char *to, size_t room);
/* Memory of that many bytes, all zero, alone on its cache lines; NULL: none. Free it. */
void *kit_memory(size_t bytes);

#endif
