/* allocation.c: preloaded into a program, makes its allocation number FAIL_ALLOCATION fail, counted from
 * 1; 0: none fails. The number of allocations is written to the file COUNT_ALLOCATIONS at the end, if that
 * is set. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static unsigned long failing, counted;

static int fails(void)
{
    if (++counted != failing)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}

__attribute__((constructor)) static void start(void)
{
    const char *number = getenv("FAIL_ALLOCATION");
    failing = number ? strtoul(number, NULL, 10) : 0;
    counted = 0;
}

__attribute__((destructor)) static void finish(void)
{
    const char *path = getenv("COUNT_ALLOCATIONS");
    unsigned long all = counted;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%lu\n", all);
        fclose(file);
    }
}
