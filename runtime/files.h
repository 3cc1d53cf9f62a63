/* files.h: what errors.c, safetensors.c, save.c and the kit share; nobody else includes it. */
#ifndef NN_FILES_H
#define NN_FILES_H

#include "nn.h"

#include <stdio.h>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/stat.h>
#define POSIX 1
#endif

#ifdef __GNUC__
#define NN_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#else
#define NN_PRINTF(format_at, first)
#endif

/* Each leaves a message for nn_error, about the file at path, and returns 0. */
int nn_fail(int error, const char *path, const char *format, ...) NN_PRINTF(3, 4);
/* With a remedy of its own, where what the error advises does not fit. */
int nn_fail_with(int error, const char *path, const char *remedy, const char *format, ...) NN_PRINTF(4, 5);
/* The system refuses, for that value of errno. */
int nn_refused(const char *path, const char *what, int reason);

int nn_last_error(void);     /* of this thread: NN_EIO, ... */

/* The bytes of the UTF-8 character at s (RFC 3629) and which it is; 0 where it is none. */
size_t nn_decode(const char *s, size_t left, uint32_t *code);

/* Writes a file whole or not at all: write gets it open, and returns whether it could write. */
int nn_replace(const char *path, int (*write)(const void *what, FILE *file), const void *what);

#ifdef POSIX
/* Is it an ordinary file? If not, a message says so. */
int nn_is_regular(const char *path, const struct stat *status);
#endif

#endif
