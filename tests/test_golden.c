/* test_golden.c: what the compiler prints, compared with what it printed when somebody last looked.
 *
 * Each tests/golden/FOLDER/NAME.nn is compiled, and whichever of these files lies beside it is compared whole:
 *
 *     NAME.err                              exit status 1, nothing written; standard error
 *     NAME.usage                            exit status 2, nothing written; standard error
 *     NAME.warn                             exit status 0; standard error
 *     NAME.ast .net .prog .grad .plan       --dump= of that stage
 *     NAME.summary .json .dot               --summary, --summary=json, --graph=dot
 *     NAME.c .h                             the files written
 *
 * The first line of the .nn may be a comment with options: `# options: --input=3x32x32 --unroll=none`. Where `-` is one
 * of them, the network comes from standard input. With UPDATE=1
 * in the environment (`make golden`) the files are rewritten instead; to add an expectation, make it as an empty file
 * and do that.
 *
 * The last test reads the compiler's sources: every error and warning in them must be seen in one of these files. */
#include "golden.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

/* ---- One case ----------------------------------------------------------------------------------------- */

/* A run that must succeed and print something. */
static void compare_print(golden *g, const char *suffix, const char *option)
{
    if (!golden_has(g, suffix))
        return;
    process run = golden_run(g, option);
    check(run.status == 0, "%s: %s: exit status %d: %s", g->stem, option, run.status, run.err);
    if (!golden_has(g, "warn"))
        check(run.err_length == 0, "%s: %s: warns: %s", g->stem, option, run.err);
    if (run.status == 0)
        golden_compare(g, suffix, run.out, run.out_length);
    process_free(&run);
}

/* The files that a run writes. */
static void compare_files(golden *g)
{
    static const char *const suffixes[] = {"c", "h"};
    for (int i = 0; i < 2; i++) {
        if (!golden_has(g, suffixes[i]))
            continue;
        process run = golden_run(g, NULL);
        char path[400];
        snprintf(path, sizeof path, GOLDEN_SCRATCH "/%s.%s", strrchr(g->stem, '/') + 1, suffixes[i]);
        size_t length;
        char *text = file_read(path, &length);
        check(run.status == 0 && text, "%s: exit status %d: %s", g->stem, run.status, run.err);
        if (text)
            golden_compare(g, suffixes[i], text, length);
        free(text);
        process_free(&run);
    }
}

/* ---- All cases ---------------------------------------------------------------------------------------------- */

static void all_cases(void)
{
    static const char *const stages[] = {"ast", "net", "prog", "grad", "plan"};
    glob_t found = {0};
    glob("tests/golden/*.nn", 0, NULL, &found);
    glob("tests/golden/*/*.nn", GLOB_APPEND, NULL, &found);
    check(found.gl_pathc > 0, "there are no cases");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        golden g = golden_read(found.gl_pathv[i], "# options:");
        golden_messages(&g, "err", 1);
        golden_messages(&g, "usage", 2);
        golden_messages(&g, "warn", 0);
        for (int k = 0; k < 5; k++) {
            char option[20];
            snprintf(option, sizeof option, "--dump=%s", stages[k]);
            compare_print(&g, stages[k], option);
        }
        compare_print(&g, "summary", "--summary");
        compare_print(&g, "json", "--summary=json");
        compare_print(&g, "dot", "--graph=dot");
        compare_files(&g);
        check(g.compared > 0, "%s.nn: nothing lies beside it to compare", g.stem);
    }
    globfree(&found);
}

/* An expectation without its .nn would never be compared. */
static void no_orphans(void)
{
    glob_t found = {0};
    glob("tests/golden/*.*", 0, NULL, &found);
    glob("tests/golden/*/*.*", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char path[400];
        const char *file = found.gl_pathv[i];
        snprintf(path, sizeof path, "%.*s.nn", (int)(strrchr(file, '.') - file), file);
        check(file_exists(path), "%s: there is no %s", file, path);
    }
    globfree(&found);
}

/* ---- Every message ---------------------------------------------------------------------------------------------- */

/* All the messages of the expectation files, one after the other. */
static char *seen;

static void read_seen(void)
{
    static const char *const patterns[] = {"tests/golden/*/*.err", "tests/golden/*/*.usage", "tests/golden/*/*.warn",
                                           "tests/bugs/*.err", "tests/bugs/*.warn"};
    size_t length = 0;
    seen = calloc(1, 1);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        glob_t found = {0};
        glob(patterns[i], 0, NULL, &found);
        for (size_t k = 0; k < found.gl_pathc; k++) {
            size_t more;
            char *text = file_read(found.gl_pathv[k], &more);
            seen = realloc(seen, length + more + 1);
            memcpy(seen + length, text, more + 1);
            length += more;
            free(text);
        }
        globfree(&found);
    }
}

/* Whether the line from `line` to `end` holds the format's fixed parts, in their order. */
static bool line_fits(const char *line, const char *end, const char *fmt)
{
    while (*fmt) {
        char part[500];
        size_t n = 0;
        while (*fmt && *fmt != '%' && n < sizeof part - 1)
            part[n++] = *fmt++;
        part[n] = '\0';
        if (*fmt == '%') {
            fmt++;
            fmt += strspn(fmt, "0123456789.*-lzhj");
            fmt += *fmt != '\0';
        }
        const char *at = memmem(line, (size_t)(end - line), part, n);
        if (!at)
            return false;
        line = at + n;
    }
    return true;
}

static bool message_seen(const char *fmt)
{
    for (const char *line = seen; *line;) {
        const char *end = strchr(line, '\n');
        if (!end)
            break;
        if (line_fits(line, end, fmt))
            return true;
        line = end + 1;
    }
    return false;
}

/* The next string literal before `end`, neighbours joined, into text; returns what follows, or NULL. */
static const char *next_literal(const char *c, const char *end, char *text, size_t room)
{
    size_t n = 0;
    while (c < end && *c != '"')
        c += *c == '\'' && c + 2 < end && c[2] == '\'' ? 3 : 1;
    if (c >= end)
        return NULL;
    while (c < end && *c == '"') {
        for (c++; c < end && *c != '"'; c++) {
            if (*c == '\\')
                c++;
            if (n < room - 1)
                text[n++] = *c;
        }
        c++;
        while (c < end && isspace((unsigned char)*c))
            c++;
    }
    text[n] = '\0';
    return c;
}

/* The end of the call whose first parenthesis is at c. */
static const char *end_of_call(const char *c)
{
    int depth = 0;
    for (bool quoted = false; *c; c++) {
        if (quoted && *c == '\\')
            c++;
        else if (*c == '"')
            quoted = !quoted;
        else if (!quoted && *c == '\'' && c[1] && c[2] == '\'')
            c += 2;
        else if (!quoted && *c == '(')
            depth++;
        else if (!quoted && *c == ')' && --depth == 0)
            break;
    }
    return c;
}

static void check_messages_of(const char *path)
{
    static const char *const voices[] = {"error_at(", "warning_at(", "note_at(", "help_at(", "fail("};
    char *text = file_read(path, NULL);
    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++)
        for (const char *call = text; (call = strstr(call, voices[i])); call++) {
            char literal[1000];
            const char *open = call + strlen(voices[i]) - 1, *end = end_of_call(open), *c = open;
            while ((c = next_literal(c, end, literal, sizeof literal)))
                if (strchr(literal, ' ') && strlen(literal) > 8 && strncmp(literal, "out of memory", 13) != 0)
                    check(message_seen(literal), "%s: no golden case for \"%s\"", path, literal);
        }
    free(text);
}

/* Every message in the sources is in an expectation file. Messages about files and memory are tested in
 * test_command.c, since they need folders that fail, and those about C compilers in test_verify.c. */
static void every_message(void)
{
    glob_t found = {0};
    glob("compiler/*.c", 0, NULL, &found);
    glob("compiler/*/*.c", GLOB_APPEND, NULL, &found);
    read_seen();
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *file = strrchr(found.gl_pathv[i], '/') + 1;
        if (!strstr("files.c memory.c temporary.c verify_run.c", file))
            check_messages_of(found.gl_pathv[i]);
    }
    free(seen);
    globfree(&found);
}

void add_golden_suite(void)
{
    CU_Suite *suite = CU_add_suite("golden", NULL, NULL);
    CU_add_test(suite, "each case", all_cases);
    CU_add_test(suite, "each expectation has its case", no_orphans);
    CU_add_test(suite, "each message has a case", every_message);
    add_to_check("golden", NULL);
}
