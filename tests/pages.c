/* pages.c: reads the pages that users read and types what they say; see pages.h. */
#include "pages.h"
#include "golden.h"
#include "nn.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)

/* ---- The session -------------------------------------------------------------------------------------- */

static char root[PATH_MAX];

process session(const char *command, bool build_flags)
{
    /* The make that runs this test is none of the reader's business; nor are its flags, but for building nnc itself. */
    static const char script[] =
        "unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES; export LC_ALL=C\n"
        "root=%s\n"
        "export PATH=$root/usr/bin:$PATH C_INCLUDE_PATH=$root/usr/include LIBRARY_PATH=$root/usr/lib\n"
        "%s\n"
        "cd \"$(cat $root/folder)\" && exec 2>&1 || exit 99\n"
        "%s\n"
        "status=$?; pwd > $root/folder; exit $status\n";
    static char text[PATH_MAX + 4000];
    snprintf(text, sizeof text, script, root, build_flags ? ":" : "unset CC CFLAGS CPPFLAGS LDFLAGS", command);
    const char *argv[] = {"sh", "-c", text, NULL};
    return process_run(NULL, argv, NULL, 0, NULL);
}

bool session_succeeds(const char *command)
{
    process run = session(command, false);
    int status = run.status;
    process_free(&run);
    return status == 0;
}

static void stand_in(const char *folder)
{
    char file[PATH_MAX + 10];
    snprintf(file, sizeof file, "%s/folder", root);
    file_write(file, folder, strlen(folder));
}

/* A copy of the repository with what is built, as it is after `make`. */
int session_start(const char *folder)
{
    static const char copy[] =
        "cp -a Makefile README.md LICENSE CHANGELOG.md .ci compiler grammar runtime examples tests '%s/nnc' && "
        "cd build && cp -a nnc libnn.a libnnkit.a flags compiler grammar runtime fixed '%s/nnc/build'";
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "%s/nnc/build", folder);
    folder_make(folder);
    folder_make(command);
    if (!realpath(folder, root))
        return perror(folder), 1;
    snprintf(command, sizeof command, copy, root, root);
    process run = process_run(NULL, (const char *const[]){"sh", "-c", command, NULL}, NULL, 0, NULL);
    int status = run.status;
    if (status != 0)
        fprintf(stderr, "%s", run.err);
    process_free(&run);
    snprintf(command, sizeof command, "%s/nnc", root);
    stand_in(command);
    return status;
}

/* What is built stays as it is, whatever its flags were. */
#define INTO_USR "make install PREFIX=$root/usr -o build/nnc -o build/libnn.a -o build/libnnkit.a"

int session_install(void)
{
    process run = session("cd $root/nnc && " INTO_USR, true);
    int status = run.status;
    if (status != 0)
        fprintf(stderr, "make install: %s", run.out);
    process_free(&run);
    return status;
}

void session_write(const char *name, const char *text, size_t length)
{
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/folder", root);
    char *folder = file_read(path, NULL);
    snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(folder, "\n"), folder, name);
    file_write(path, text, length);
    free(folder);
}

/* ---- Comparing outputs -------------------------------------------------------------------------------- */

/* The next line of *text without the blanks at its end; varies: words with a digit become '#', blanks one. */
static const char *next_line(const char **text, bool varies, char line[static 400])
{
    const char *end = *text + strcspn(*text, "\n");
    size_t n = 0;
    for (const char *c = *text; c < end && n < 399;) {
        size_t word = strcspn(c, varies ? " \t\n" : "\n"), blanks;
        word = word > 399 - n ? 399 - n : word;
        bool digit = false;
        for (size_t i = 0; varies && i < word; i++)
            digit |= isdigit((unsigned char)c[i]) != 0;
        if (digit)
            line[n++] = '#';
        else
            memcpy(line + n, c, word), n += word;
        c += word;
        blanks = strspn(c, " \t");
        if (blanks && n > 0 && n < 399)
            line[n++] = ' ';
        c += blanks;
    }
    while (n > 0 && line[n - 1] == ' ')
        n--;
    line[n] = '\0';
    *text = *end ? end + 1 : end;
    return line;
}

/* Is actual what shown says? Otherwise *missing becomes the first line of shown that found no match. */
static bool fits(const char *shown, const char *actual, bool varies, const char **missing)
{
    char want[400], have[400];
    while (*shown) {
        const char *here = shown;
        next_line(&shown, varies, want);
        if (strcmp(want, "...") == 0) {
            if (!*shown)
                return true;
            for (const char *from = actual; *from; next_line(&from, varies, have))
                if (fits(shown, from, varies, missing))
                    return true;
            return false;
        }
        if (!*actual || strcmp(want, next_line(&actual, varies, have)) != 0) {
            *missing = here;
            return false;
        }
    }
    return !*actual;
}

/* ---- Reading a page ----------------------------------------------------------------------------------- */

static bool is_manual(const page *p)
{
    return !strstr(p->path, ".md");
}

/* The escapes of a literal display: \e is a backslash, \& nothing, and the rest are ASCII's own characters, which
 * would else be printed as others. */
char *page_plain(const char *from, size_t length)
{
    static const struct { const char *written; char plain; } escapes[] = {
        {"\\e", '\\'}, {"\\-", '-'}, {"\\(aq", '\''}, {"\\(ga", '`'}, {"\\(ha", '^'}, {"\\(ti", '~'}, {"\\(dq", '"'}};
    char *plain = malloc(length + 1);
    size_t n = 0;
    for (const char *c = from; c < from + length;) {
        size_t k = 0, count = sizeof escapes / sizeof *escapes;
        while (k < count && strncmp(c, escapes[k].written, strlen(escapes[k].written)) != 0)
            k++;
        if (strncmp(c, "\\&", 2) == 0)
            c += 2;
        else if (k < count)
            plain[n++] = escapes[k].plain, c += strlen(escapes[k].written);
        else
            plain[n++] = *c++;
    }
    plain[n] = '\0';
    return plain;
}

static block *open_block(page *p, const char *info, size_t length, int line)
{
    block *b = &p->blocks[p->nblocks < MOST_BLOCKS ? p->nblocks++ : MOST_BLOCKS - 1];
    snprintf(b->info, sizeof b->info, "%.*s", (int)length, info);
    b->line = line;
    return b;
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

bool page_read(page *p, const char *path)
{
    *p = (page){.nblocks = 0};
    snprintf(p->path, sizeof p->path, "%s", path);
    p->text = file_read(path, NULL);
    if (!p->text)
        return perror(path), false;
    const bool manual = is_manual(p);
    block *open = NULL;
    int line = 1;
    for (const char *c = p->text, *start = c, *info = ""; *c; line++) {
        const char *end = c + strcspn(c, "\n"), *next = end + (*end != '\0');
        if (open && begins(c, manual ? ".Ed" : "```")) {
            open->text = manual ? page_plain(start, (size_t)(c - start)) : strndup(start, (size_t)(c - start));
            open = NULL;
        } else if (!open && begins(c, manual ? ".Bd -literal" : "```")) {
            open = open_block(p, manual ? info : c + 3, manual ? strcspn(info, "\n") : (size_t)(end - c - 3), line + 1);
            start = next;
        }
        info = begins(c, ".\\\" ") ? c + 4 : "";
        c = next;
    }
    if (open || p->nblocks == MOST_BLOCKS)
        return fprintf(stderr, "%s: a block has no end, or there are too many\n", path), false;
    return true;
}

void page_free(page *p)
{
    for (int i = 0; i < p->nblocks; i++)
        free(p->blocks[i].text);
    free(p->text);
    free(p->python);
    *p = (page){.nblocks = 0};
}

void page_links(const page *p)
{
    char folder[100], target[500];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(p->path, '/') ? strrchr(p->path, '/') + 1 - p->path : 0), p->path);
    for (const char *c = p->text; (c = strstr(c, "](")); ) {
        c += 2;
        bool elsewhere = strncmp(c, "https://", 8) == 0 || *c == '#';
        snprintf(target, sizeof target, "%s%.*s", folder, (int)strcspn(c, ")#"), c);
        check(elsewhere || file_exists(target), __LINE__, "%s: there is no %s", p->path, target);
    }
}

/* ---- Parts that follow from tables -------------------------------------------------------------------- */

void file_part(const char *path, const char *begin, const char *end, const char *text)
{
    char *whole_file = file_read(path, NULL);
    char *from = whole_file ? strstr(whole_file, begin) : NULL, *to = from ? strstr(from + strlen(begin), end) : NULL;
    check(to, __LINE__, "%s lacks a part that follows from the sources: add the lines `%.*s` and `%.*s` "
          "where it belongs, and run `make golden`", path, (int)strcspn(begin, "\n"), begin, (int)strcspn(end, "\n"), end);
    if (!to) {
        free(whole_file);
        return;
    }
    from += strlen(begin);
    size_t length = (size_t)(to - from), same = 0;
    while (same < length && text[same] == from[same])
        same++;
    if (same < length || text[same]) {
        if (golden_update()) {
            char *whole = malloc(strlen(whole_file) + strlen(text) + 1);
            sprintf(whole, "%.*s%s%s", (int)(from - whole_file), whole_file, text, to);
            file_write(path, whole, strlen(whole));
            printf("\n    rewritten: %s", path);
            free(whole);
        } else {
            while (same > 0 && text[same - 1] != '\n')
                same--;
            check(false, __LINE__, "%s: the part behind `%.*s` is not what the sources say: run `make golden`, look at the "
                  "difference and commit it. First line that is missing or too much: %.*s", path,
                  (int)strcspn(begin, "\n"), begin, (int)strcspn(text + same, "\n"), text + same);
        }
    }
    free(whole_file);
}

void page_part(const char *path, const char *name, const char *text)
{
    char begin[120], end[120];
    snprintf(begin, sizeof begin, ".\\\" begin %s\n", name);
    snprintf(end, sizeof end, ".\\\" end %s\n", name);
    file_part(path, begin, end, text);
}

/* ---- Commands ----------------------------------------------------------------------------------------- */

/* A data set in MNIST's format, of which a network learns something in a second: a bar at ten heights. */
static void write_digits(void)
{
    enum { COUNT = 400, SIDE = 28 };
    static unsigned char images[16 + COUNT * SIDE * SIDE], labels[8 + COUNT];
    static const unsigned char
        images_head[16] = {0, 0, 8, 3, 0, 0, COUNT / 256, COUNT % 256, 0, 0, 0, SIDE, 0, 0, 0, SIDE},
        labels_head[8] = {0, 0, 8, 1, 0, 0, COUNT / 256, COUNT % 256};
    uint64_t rng = 1;
    memcpy(images, images_head, 16);
    memcpy(labels, labels_head, 8);
    for (int i = 0; i < COUNT; i++) {
        labels[8 + i] = (unsigned char)(i % 10);
        for (int k = 0; k < SIDE * SIDE; k++) {
            int below = k / SIDE - 2 * (i % 10);
            images[16 + i * SIDE * SIDE + k] =
                (unsigned char)((below >= 0 && below < 6 ? 200 : 0) + 50 * nn_uniform(&rng));
        }
    }
    static const char *const names[] = {"t10k", "train"};
    for (int i = 0; i < 2; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s-images-idx3-ubyte", names[i]);
        session_write(name, (const char *)images, sizeof images);
        snprintf(name, sizeof name, "%s-labels-idx1-ubyte", names[i]);
        session_write(name, (const char *)labels, sizeof labels);
    }
}

/* Puts `to` in the place of `from`; false if it isn't there. */
static bool replace(char *text, size_t room, const char *from, const char *to)
{
    char rest[1000];
    char *at = strstr(text, from);
    if (!at)
        return false;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, room - (size_t)(at - text), "%s%s", to, rest);
    return true;
}

/* What takes minutes or runs this test; the command line must be one that make knows. */
static bool only_looked_at(const char *command)
{
    return begins(command, "make demo") || begins(command, "make test") || begins(command, "make bench")
        || begins(command, "make check");
}

void session_type(const char *path, int line, const char *written, const char *shown, bool varies)
{
    char command[1000];
    bool compares = shown != NULL, build_flags = false;
    snprintf(command, sizeof command, "%s", written);
    if (only_looked_at(command)) {
        replace(command, sizeof command, "make", "make -n");
        build_flags = true;
        compares = false;
    }
    if (strstr(command, "make install")) {
        command[strcspn(command, "#")] = '\0';
        if (!strstr(command, "PREFIX="))
            CU_ASSERT_TRUE(replace(command, sizeof command, "sudo make install", INTO_USR));
        build_flags = true;
    }
    const bool digits = strstr(command, "run-lenet") && strstr(command, "ubyte");
    if (digits)
        CU_ASSERT_TRUE(replace(command, sizeof command, "ubyte.gz\"", "ubyte.gz\" CFLAGS=-O1"));
    if (digits || strstr(command, "--main")) {
        write_digits();
        CU_ASSERT_TRUE(session_succeeds("gzip -fk *-ubyte"));
    }
    CU_ASSERT_PTR_NULL(strstr(command, "sudo"));
    CU_ASSERT_PTR_NULL(strstr(command, "apt"));

    process run = session(command, build_flags);
    int status = shown && strstr(shown, "error:") ? 1 : 0;
    check(run.status == status, __LINE__, "%s:%d: %s\nexit status %d: %s", path, line, command, run.status, run.out);
    const char *missing = "(its end)\n";
    if (compares && run.status == status && !fits(shown, run.out, varies, &missing))
        check(false, __LINE__, "%s:%d: %s\nprints something else than shown, from this line on: %.*s\n%s", path, line,
              command, (int)strcspn(missing, "\n"), missing, run.out);
    process_free(&run);
}

static void run_sh(const page *p, const block *b)
{
    int line = b->line;
    for (const char *c = b->text; *c; line++) {
        size_t length = strcspn(c, "\n");
        char *command = strndup(c, length);
        if (length > 0)
            session_type(p->path, line, command, NULL, false);
        free(command);
        c += length + (c[length] != '\0');
    }
}

static void run_console(const page *p, const block *b, bool varies)
{
    int line = b->line;
    check(begins(b->text, "$ "), __LINE__, "%s:%d: the block doesn't begin with a command", p->path, line);
    for (const char *c = b->text; begins(c, "$ ");) {
        char *command = strndup(c + 2, strcspn(c + 2, "\n"));
        const char *output = c + strcspn(c, "\n") + 1, *end = output;
        int first = line++;
        while (*end && !begins(end, "$ "))
            end += strcspn(end, "\n") + 1, line++;
        char *shown = strndup(output, (size_t)(end - output));
        session_type(p->path, first, command, shown, varies);
        free(command);
        free(shown);
        c = end;
    }
}

/* A program, which runs later where there is what it takes; the folder in which it lies. */
static void keep_python(page *p, const block *b)
{
    char file[PATH_MAX + 10];
    CU_ASSERT_PTR_NULL_FATAL(p->python); /* there is one */
    session_write("page.py", b->text, strlen(b->text));
    snprintf(file, sizeof file, "%s/folder", root);
    p->python = file_read(file, NULL);
    p->python[strcspn(p->python, "\n")] = '\0';
    p->python_line = b->line;
}

static void compile_statements(const page *p, const block *b)
{
    static const char around[] =
        "#include <nn.h>\nextern const nn_model net_model;\nextern struct { float all[1]; } weights;\n"
        "void f(void);\nvoid f(void)\n{\n%s%s}\n";
    char text[3000];
    snprintf(text, sizeof text, around, b->text, strstr(b->text, " o =") ? "\n(void)o;\n" : "\n");
    session_write("block.c", text, strlen(text));
    session_type(p->path, b->line, "cc -Wall -Wextra -Werror -c -o /dev/null block.c && rm block.c", "", false);
}

static void run_block(page *p, const block *b)
{
    static const char *const files[] = {"nn", "c", "make", "cmake", "meson", "csv"};
    const char *name = strchr(b->info, ' ');
    size_t language = strcspn(b->info, " ");
    bool file = false;
#define IS(word) (language == strlen(word) && strncmp(b->info, word, language) == 0)
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        file |= name && IS(files[i]);
    if (file)
        session_write(name + 1, b->text, strlen(b->text));
    else if (IS("sh"))
        run_sh(p, b);
    else if (IS("console"))
        run_console(p, b, name && strcmp(name, " varies") == 0);
    else if (IS("python"))
        keep_python(p, b);
    else if (IS("nn")) {
        session_write("block.nn", b->text, strlen(b->text));
        session_type(p->path, b->line, "$root/nnc/build/nnc --check -Werror block.nn && rm block.nn", "", false);
    } else if (IS("c"))
        compile_statements(p, b);
    else
        check(IS("text"), __LINE__, "%s:%d: what is this block? Say it %s (console, sh, nn, c, text: tests/pages.h), not '%s'",
              p->path, b->line, is_manual(p) ? "in a comment on the line before it: .\\\" sh" : "behind its fence",
              b->info);
#undef IS
}

/* Commands of nnc in the text of Markdown, `nnc --layers conv`: each must succeed. */
static void run_spans(const page *p)
{
    static const char *const first[] = {"`nnc ", "`build/nnc "};
    bool fenced = false;
    int number = 1;
    for (const char *line = p->text; *line; line += strcspn(line, "\n") + 1, number++) {
        fenced ^= begins(line, "```");
        for (int i = 0; i < 2 && !fenced; i++) {
            const char *span = strstr(line, first[i]), *end = line + strcspn(line, "\n");
            for (; span && span < end; span = strstr(span + 1, first[i])) {
                char *command = strndup(span + 1, strcspn(span + 1, "`\n"));
                session_type(p->path, number, command, NULL, false);
                free(command);
            }
        }
    }
}

void page_run(page *p, const char *folder)
{
    char path[PATH_MAX + 100], command[PATH_MAX + 200];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    snprintf(command, sizeof command, "mkdir -p '%s'", path);
    CU_ASSERT_TRUE(command_succeeds(command));
    stand_in(path);
    for (int i = 0; i < p->nblocks; i++)
        run_block(p, &p->blocks[i]);
    if (!is_manual(p))
        run_spans(p);
}
