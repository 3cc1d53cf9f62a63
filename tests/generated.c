/* generated.c: runs nnc and the C compiler on many networks at once.
 *
 * The work is described to make, not done in a loop here: make -k goes as far as it can on all cores. A first Makefile
 * has nnc write the C of each network, a second compiles it. A C compiler takes as long to start and to read its headers as
 * to compile a small network, so several with the same flags are one translation unit: a file that includes theirs,
 * in which names that each has for itself (static functions, types, macros) are put out of each other's way by macros.
 * Where that doesn't compile, its networks are compiled one by one, and whatever nnc and the C compiler say of a
 * network is in PREFIX.log, which is shown if there is no object at the end.
 *
 * What came out is linked to one shared object, runtime included, since libnn.a need not be position-independent; the
 * runtime is compiled once for each C compiler, into files that appear whole, since two suites may do so at once. */
#define _POSIX_C_SOURCE 200809L
#include "generated.h"
#include "process.h"
#include "suites.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_LOGS = 5,           /* failures shown in full for one call */
    MOST_TOGETHER = 16,      /* networks in one translation unit */
    FILES_PER_CORE = 8       /* at least, where there are so many networks: or one core waits for the other */
};

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

/* ---- Which networks are compiled, and how -------------------------------------------------------- */

static char *read_output(const char *folder, const generated *net, const char *ending)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", folder, net->prefix, ending);
    return file_read(path, NULL);
}

/* FNV-1a of a C text, without its comments and what it would say to someone who compiles it with too few flags. */
static uint64_t hash_code(uint64_t hash, const char *text)
{
    static const char message[] = "#pragma message";
    while (*text) {
        if (text[0] == '/' && text[1] == '*')
            text = strstr(text, "*/") + 2;
        else if (!strncmp(text, message, sizeof message - 1))
            text += strcspn(text, "\n");
        else
            hash = (hash ^ (unsigned char)*text++) * 1099511628211u;
    }
    return hash;
}

/* Of the network's C and the flags for it; 0: nnc wrote no C. */
static uint64_t hash_network(const char *folder, const generated *net)
{
    char *header = read_output(folder, net, ".h"), *source = read_output(folder, net, ".c");
    uint64_t hash = 0;
    if (header && source)
        hash = hash_code(hash_code(hash_code(14695981039346656037u, net->cflags), header), source);
    free(header), free(source);
    return hash;
}

static uint64_t *built;       /* what calls that leave out what is known have built */
static size_t nbuilt;

static int is_known(uint64_t hash)
{
    for (size_t i = 0; i < nbuilt; i++)
        if (built[i] == hash)
            return 1;
    return 0;
}

static void make_known(uint64_t hash)
{
    built = realloc(built, (nbuilt + 1) * sizeof *built);
    if (!built)
        abort();
    built[nbuilt++] = hash;
}

/* ---- Makefiles ------------------------------------------------------------------------------------- */

static void write_sources_makefile(const char *folder, const generated *nets, size_t count)
{
    FILE *f = create(folder, "sources", ".mk");
    fprintf(f, "all:");
    for (size_t i = 0; i < count; i++)
        fprintf(f, " %s/%s.c", folder, nets[i].prefix);
    fprintf(f, "\n");
    for (size_t i = 0; i < count; i++) {
        char stem[1024];
        snprintf(stem, sizeof stem, "%s/%s", folder, nets[i].prefix);
        fprintf(f, "%s.c:\n\t@build/nnc %s --prefix=%s -o $@ %s.nn >%s.log 2>&1\n", stem, nets[i].options, nets[i].prefix,
                stem, stem);
    }
    fclose(f);
}

/* The name that a line at the left margin declares for its file alone, with its length; 0: none. */
static size_t own_name(const char *line, const char **name)
{
    static const char attribute[] = " __attribute__";
    const char *end = line + strcspn(line, "([=;\n");
    if (strncmp(line, "static ", 7) && strncmp(line, "typedef ", 8))
        return 0;
    if ((size_t)(end - line) > strlen(attribute) && !strncmp(end - strlen(attribute), attribute, strlen(attribute)))
        end -= strlen(attribute);
    while (end[-1] == ' ')
        end--;
    for (*name = end; isalnum((unsigned char)(*name)[-1]) || (*name)[-1] == '_';)
        --*name;
    return (size_t)(end - *name);
}

/* One of the files of a translation unit: its own names get its prefix, and its macros end with it. */
static void include_network(FILE *f, const char *folder, const generated *net)
{
    char *source = read_output(folder, net, ".c");
    for (int after = 0; after < 2; after++) {
        for (const char *line = source, *name; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
            size_t length = own_name(line, &name);
            if (length && after)
                fprintf(f, "#undef %.*s\n", (int)length, name);
            else if (length)
                fprintf(f, "#define %.*s %s_%.*s\n", (int)length, name, net->prefix, (int)length, name);
            else if (after && !strncmp(line, "#define ", 8))
                fprintf(f, "#undef %.*s\n", (int)strcspn(line + 8, " (\n"), line + 8);
        }
        if (!after)
            fprintf(f, "#include \"%s.c\"\n", net->prefix);
    }
    free(source);
}

static void print_compilation(FILE *f, const char *folder, const char *name, const char *cflags, const char *cc)
{
    fprintf(f, "%s %s -fPIC -Iruntime -I%s -c -o %s/%s.o %s/%s.c >>%s/%s.log 2>&1", cc, cflags, folder, folder, name, folder,
            name, folder, name);
}

/* n networks with the same flags. */
static void write_rule(FILE *f, const char *folder, generated *const *nets, size_t n, const char *cc)
{
    char name[256];
    snprintf(name, sizeof name, n > 1 ? "from-%s" : "%s", nets[0]->prefix);
    fprintf(f, "all: %s/%s.o\n%s/%s.o:\n\t@", folder, name, folder, name);
    print_compilation(f, folder, name, nets[0]->cflags, cc);
    if (n > 1) {
        FILE *unit = create(folder, name, ".c");
        fprintf(unit, "#include <math.h>\n#include <string.h>\n#include \"nn.h\"\n");
        for (size_t i = 0; i < n; i++)
            include_network(unit, folder, nets[i]);
        fclose(unit);
        fprintf(f, " || { echo '%s/%s.c did not compile'", folder, name);
        for (size_t i = 0; i < n; i++) {
            fprintf(f, "; ");
            print_compilation(f, folder, nets[i]->prefix, nets[i]->cflags, cc);
        }
        fprintf(f, "; }");
    }
    fprintf(f, "\n");
}

/* linker: the C compiler of the runtime, too; runtime: where its objects lie. */
static void write_objects_makefile(const char *folder, generated *const *nets, size_t count, const char *cc, size_t together,
                                   const char *linker, const char *runtime)
{
    FILE *f = create(folder, "objects", ".mk");
    char *done = calloc(count + 1, 1);
    fprintf(f, "all:\n");
    for (size_t i = 0; i < count; i++) {
        generated *unit[MOST_TOGETHER] = {nets[i]};
        size_t n = 1;
        if (done[i])
            continue;
        for (size_t k = i + 1; k < count && n < together; k++)
            if (!done[k] && !strcmp(nets[k]->cflags, nets[i]->cflags)) {
                done[k] = 1;
                unit[n++] = nets[k];
            }
        write_rule(f, folder, unit, n, cc);
    }
    free(done);
    fprintf(f, "all: $(patsubst %%,%s/%%.o,$(wildcard runtime/*.c))\n", runtime);
    fprintf(f, "%s/%%.o: %% $(wildcard runtime/*.h) tests/generated.c\n", runtime);
    fprintf(f, "\t@mkdir -p $(@D) && %s -std=gnu11 -O1 -fPIC -Iruntime -c -o $@.$$$$ $< && mv $@.$$$$ $@\n", linker);
    fclose(f);
}

/* ---- Building ------------------------------------------------------------------------------------- */

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

/* What tcc calls for a conversion of numbers, say; it links that by itself, but not to shared objects that dlopen likes. */
#define TCC_RUNTIME "tcc -print-search-dirs | grep 'libtcc1\\.a$'"

const char *generated_quick_cc(void)
{
    static const char *quick;
    if (!quick)
        quick = command_succeeds(TCC_RUNTIME " | grep .") ? "tcc" : "clang";
    return quick;
}

/* Our own make, not a part of the one that may be running us. */
static void run_make(const char *folder, const char *name, long cores)
{
    char command[4096];
    snprintf(command, sizeof command, "env -u MAKEFLAGS -u MAKELEVEL make -s -k -j%ld -f '%s/%s.mk' 2>'%s/%s-make.log'", cores,
             folder, name, folder, name);
    if (system(command) == -1)
        perror(command);
}

/* The folder of the runtime's objects for a C compiler, which may be more than a word. */
static const char *runtime_folder(const char *cc)
{
    static char path[512];
    int length = snprintf(path, sizeof path, "build/tests/tmp/runtime-%s", cc);
    for (char *p = path + length - strlen(cc); *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("+-.", *p))
            *p = '_';
    return path;
}

void *generated_build_new(const char *folder, generated *nets, size_t count, const char *cc, unsigned char *known)
{
    char command[4096], path[1024], symbol[256];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1)
        cores = 1;
    const char *usual = getenv("CC") && *getenv("CC") ? getenv("CC") : "gcc";
    if (!cc)
        cc = usual;
    bool tcc = !strcmp(cc, "tcc");
    const char *linker = tcc ? usual : cc, *runtime = runtime_folder(linker);

    snprintf(command, sizeof command, "rm -rf '%s' && mkdir -p '%s'", folder, folder);
    if (system(command) != 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        FILE *f = create(folder, nets[i].prefix, ".nn");
        fprintf(f, "%s\n", nets[i].text);
        fclose(f);
    }
    write_sources_makefile(folder, nets, count);
    run_make(folder, "sources", cores);

    uint64_t *hashes = calloc(count + 1, sizeof *hashes);
    generated **compiled = calloc(count + 1, sizeof *compiled);
    size_t ncompiled = 0;
    for (size_t i = 0; i < count; i++) {
        hashes[i] = hash_network(folder, &nets[i]);
        if (known)
            known[i] = hashes[i] && is_known(hashes[i]);
        if (hashes[i] && !(known && known[i]))
            compiled[ncompiled++] = &nets[i];
    }
    void *library = NULL;
    if (ncompiled) {
        size_t together = ncompiled / (size_t)(FILES_PER_CORE * cores);
        write_objects_makefile(folder, compiled, ncompiled, cc,
                               together < 1 ? 1 : together > MOST_TOGETHER ? MOST_TOGETHER : together, linker, runtime);
        run_make(folder, "objects", cores);
        snprintf(command, sizeof command, "%s -shared -z noexecstack -o '%s/all.so' '%s'/*.o $(printf '%s/%%s.o ' runtime/*.c) %s -lm",
                 linker, folder, folder, runtime, tcc ? "$(" TCC_RUNTIME ")" : "");
        if (system(command) != 0)
            fprintf(stderr, "%s: cannot link\n", folder);
        snprintf(path, sizeof path, "%s/all.so", folder);
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library)
            fprintf(stderr, "%s\n", dlerror());
    }

    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(symbol, sizeof symbol, "%s_model", nets[i].prefix);
        nets[i].model = library ? dlsym(library, symbol) : NULL;
        if (known && nets[i].model)
            make_known(hashes[i]);
        if (!nets[i].model && !(known && known[i]) && failed++ < MOST_LOGS)
            show_log(folder, &nets[i]);
    }
    if (failed > MOST_LOGS)
        fprintf(stderr, "... %d networks of %s did not build\n", failed, folder);
    free(hashes), free(compiled);
    return library;
}

void *generated_build(const char *folder, generated *nets, size_t count, const char *cc)
{
    return generated_build_new(folder, nets, count, cc, NULL);
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

void *generated_work(const nn_model *model)
{
    void *work = generated_memory(model->work_bytes);
    if (model->set_add)
        model->set_add(work, 0);
    return work;
}
