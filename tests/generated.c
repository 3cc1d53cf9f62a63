/* generated.c: runs nnc and the C compiler on many networks at once.
 *
 * The work is described to make, not done in a loop here: a Makefile with three rules for each network (.nn to .c,
 * .c to .o), one for each source of the runtime, and make -k goes as far as it can on all cores. What came out is
 * linked to one shared object, runtime included, since libnn.a need not be position-independent. The rule for a
 * network writes PREFIX.log; whatever it says is shown if the object is missing at the end. */
#define _POSIX_C_SOURCE 200809L
#include "generated.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LOGS = 5 };      /* failures shown in full for one call */

/* Opens folder/name for writing, or ends the program: a test that cannot write its scratch files is no test. */
static FILE *create(const char *folder, const char *name, const char *ending)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(2);
    }
    return f;
}

static void write_makefile(const char *folder, const generated *nets, size_t count, const char *cc)
{
    FILE *f = create(folder, "Makefile", "");
    fprintf(f, "# Run in the repository's root: make -f %s/Makefile\n", folder);
    fprintf(f, "all:");
    for (size_t i = 0; i < count; i++)
        fprintf(f, " %s/%s.o", folder, nets[i].prefix);
    fprintf(f, "\n");
    for (size_t i = 0; i < count; i++) {
        char stem[1024];
        snprintf(stem, sizeof stem, "%s/%s", folder, nets[i].prefix);
        fprintf(f, "%s.o: %s.nn\n", stem, stem);
        fprintf(f, "\t@build/nnc %s --prefix=%s -o %s.c %s.nn >%s.log 2>&1\n", nets[i].options, nets[i].prefix, stem,
                stem, stem);
        fprintf(f, "\t@%s %s -fPIC -Iruntime -I%s -c -o $@ %s.c >>%s.log 2>&1\n", cc, nets[i].cflags, folder, stem,
                stem);
    }
    glob_t sources;
    if (glob("runtime/*.c", 0, NULL, &sources) == 0) {
        for (size_t i = 0; i < sources.gl_pathc; i++) {
            fprintf(f, "all: %s/runtime%zu.o\n%s/runtime%zu.o: %s\n", folder, i, folder, i, sources.gl_pathv[i]);
            fprintf(f, "\t@%s -std=gnu11 -O1 -fPIC -Iruntime -c -o $@ $<\n", cc);
        }
        globfree(&sources);
    }
    fclose(f);
}

/* Copies the first lines of PREFIX.log to stderr. */
static void show_log(const char *folder, const generated *net)
{
    char path[1024], line[512];
    snprintf(path, sizeof path, "%s/%s.log", folder, net->prefix);
    fprintf(stderr, "%s/%s.nn (nnc %s; %s) did not build:\n    %s\n", folder, net->prefix, net->options, net->cflags,
            net->text);
    FILE *f = fopen(path, "r");
    for (int i = 0; f && i < 12 && fgets(line, sizeof line, f); i++)
        fprintf(stderr, "    %s", line);
    if (f)
        fclose(f);
}

void *generated_build(const char *folder, generated *nets, size_t count, const char *cc)
{
    char command[4096], path[1024], symbol[256];
    if (!cc)
        cc = getenv("CC") && *getenv("CC") ? getenv("CC") : "gcc";

    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p '%s'", folder, folder);
    if (system(command) != 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        FILE *f = create(folder, nets[i].prefix, ".nn");
        fprintf(f, "%s\n", nets[i].text);
        fclose(f);
    }
    write_makefile(folder, nets, count, cc);

    /* Our own make, not a part of the one that may be running us. */
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(command, sizeof command,
             "env -u MAKEFLAGS -u MAKELEVEL make -s -k -j%ld -f '%s/Makefile' >'%s/make.log' 2>&1;"
             "%s -shared -o '%s/all.so' '%s'/*.o -lm",
             cores < 1 ? 1 : cores, folder, folder, cc, folder, folder);
    if (system(command) != 0)
        fprintf(stderr, "%s: cannot link\n", folder);
    snprintf(path, sizeof path, "%s/all.so", folder);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fprintf(stderr, "%s\n", dlerror());

    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(symbol, sizeof symbol, "%s_model", nets[i].prefix);
        nets[i].model = library ? dlsym(library, symbol) : NULL;
        if (!nets[i].model && failed++ < MOST_LOGS)
            show_log(folder, &nets[i]);
    }
    if (failed > MOST_LOGS)
        fprintf(stderr, "... %d networks of %s did not build\n", failed, folder);
    return library;
}

void generated_close(void *library)
{
    if (library)
        dlclose(library);
}

void *generated_memory(size_t bytes)
{
    void *memory;
    size_t whole = (bytes / 64 + 1) * 64;
    if (posix_memalign(&memory, 64, whole) != 0) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        abort();
    }
    memset(memory, 0xff, whole);
    return memory;
}
