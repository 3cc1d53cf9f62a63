/* interruption.c: preloaded into a program, sends it SIGTERM in its call number INTERRUPT of mkstemp,
 * link, rename or unlink, counted from 1, when the call has done its work; a file "interrupted" then tells
 * that it came to that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count_call(void)
{
    static int calls;
    const char *number = getenv("INTERRUPT");
    if (number && ++calls == atoi(number)) {
        close(open("interrupted", O_WRONLY | O_CREAT, 0666));
        raise(SIGTERM);
    }
}

/* The function of that name that this library stands before, as the pointer *real. */
static void find(const char *name, void *real)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(real, &symbol, sizeof symbol);
}

int mkstemp(char *name)
{
    int (*real)(char *);
    find("mkstemp", &real);
    int fd = real(name);
    count_call();
    return fd;
}

int link(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    find("link", &real);
    int status = real(from, to);
    count_call();
    return status;
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    find("rename", &real);
    int status = real(from, to);
    count_call();
    return status;
}

int unlink(const char *name)
{
    int (*real)(const char *);
    find("unlink", &real);
    int status = real(name);
    count_call();
    return status;
}
