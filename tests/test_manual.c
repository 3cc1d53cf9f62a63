/* test_manual.c: the manual pages, which stand beside what they describe: compiler/nnc.1, grammar/nnc.5, runtime/nn.3
 * and runtime/kit/nnkit.3.
 *
 * They are complete: each option, each kind of layer with its arguments, each warning and code, each public function
 * with its parameters. What follows from a table of the sources is a part of a page that `make golden` rewrites; of
 * the rest a test says what is missing, and where it belongs. Their commands are run as those of README.md are
 * (pages.h), their networks and programs compiled, and mandoc and man find nothing to say of them. */
#include "back/back.h"
#include "pages.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/manual"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static const char nnc1[] = "compiler/nnc.1", nnc5[] = "grammar/nnc.5";

static bool holds(const char *path, const char *what)
{
    char *text = file_read(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

/* ---- Parts that follow from tables -------------------------------------------------------------------- */

static char part[1 << 17];
static size_t length;

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
    va_list arguments;
    va_start(arguments, fmt);
    length += (size_t)vsnprintf(part + length, sizeof part - length, fmt, arguments);
    va_end(arguments);
    CU_ASSERT_FATAL(length < sizeof part);
}

static void begin_part(void)
{
    length = 0;
    part[0] = '\0';
}

/* Code in a display or as the argument of a macro: ASCII's own characters. */
static void put_code(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *escape = text[i] == '\\' ? "\\e" : text[i] == '-' ? "\\-" : text[i] == '\'' ? "\\(aq"
                           : text[i] == '`' ? "\\(ga" : text[i] == '^' ? "\\(ha" : text[i] == '"' ? "\\(dq" : NULL;
        if (escape)
            put("%s", escape);
        else
            put("%c", text[i]);
    }
}

/* A paragraph, each sentence on lines of its own; what stands in `...` is code. */
static void put_text(const char *text)
{
    enum { COLUMNS = 76 };
    size_t column = 0;
    while (*text) {
        const char *quote = *text == '`' ? strchr(text + 1, '`') : NULL;
        size_t word = quote ? (size_t)(quote + 1 - text) : strcspn(text, " \n");
        if (quote) { /* .Ql, with the stop behind it */
            size_t stop = strspn(quote + 1, ".,;:)");
            put("%s.Ql \"", column ? "\n" : "");
            put_code(text + 1, word - 2);
            put("\"%s%.*s\n", stop ? " " : "", (int)stop, quote + 1);
            text = quote + 1 + stop;
            column = 0;
        } else {
            if (column && column + 1 + word > COLUMNS)
                put("\n"), column = 0;
            put("%s%s", column ? " " : "", !column && (*text == '.' || *text == '\'') ? "\\&" : "");
            for (size_t i = 0; i < word; i++)
                put("%s", text[i] == '\\' ? "\\e" : (char[]){text[i], '\0'});
            column += word + (column > 0);
            text += word;
            bool ends = (text[-1] == '.' || text[-1] == '!') && *text == ' ' && isupper((unsigned char)text[1]);
            if (ends)
                put("\n"), column = 0;
        }
        text += strspn(text, " \n");
    }
    if (column)
        put("\n");
}

static void put_network(const char *intro, const char *network)
{
    put("%s\n.\\\" text\n.Bd -literal -offset indent -compact\n", intro);
    put_code(network, strlen(network));
    put("\n.Ed\n");
}

static void put_explanations(bool warnings)
{
    for (int i = 0; i < nexplanations; i++) {
        const Explanation *e = &explanations[i];
        if ((strncmp(e->code, "-W", 2) == 0) != warnings)
            continue;
        put(warnings ? ".It Fl %s\n" : ".It Bq %s\n", warnings ? e->code + 1 : e->code);
        put_text(e->text);
        if (e->wrong)
            put_network("This gets it:", e->wrong);
        if (e->right)
            put_network("This does not:", e->right);
    }
}

/* WARNINGS and DIAGNOSTICS of nnc(1): what --explain says, with its networks. */
static void codes(void)
{
    begin_part();
    put_explanations(true);
    page_part(nnc1, "warnings", part);
    begin_part();
    put_explanations(false);
    page_part(nnc1, "codes", part);
}

static void put_kind(const Kind *kind)
{
    put(".It Li \"");
    put_code(kind->syntax, strlen(kind->syntax));
    put("\"\n");
    if (kind->help)
        put_text(kind->help);
    if (!kind->params[0].name)
        return;
    put(".Bl -tag -width kN_or_kHxW -compact\n");
    for (const Param *p = kind->params; p->name; p++) {
        put(".It Li \"");
        put_code(param_form(p), strlen(param_form(p)));
        put("\"\n");
        const char *fallback = !p->fallback ? "" : *p->fallback ? format("; %s if left out", p->fallback)
                                                                 : "; may be left out";
        put_text(format("%s%s", p->help ? p->help : p->name, fallback));
    }
    put(".El\n");
}

/* STATEMENTS of nnc(5): what --layers says. */
static void table_of_kinds(void)
{
    begin_part();
    for (int i = 0; i < nkinds; i++)
        if (kinds[i]->syntax)
            put_kind(kinds[i]);
    page_part(nnc5, "kinds", part);
}

/* ---- What else must be there -------------------------------------------------------------------------- */

/* Each option of `nnc --help`, up to its value: `.It Fl -unroll`. */
static void options_of_nnc(void)
{
    process run = nnc_run(".", "--help", NULL);
    const char *line = strstr(run.out, "\nOptions:\n"), *end = line ? strstr(line, "\nWarnings") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    int found = 0;
    for (line += 10; line < end; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, "  -", 3) != 0)
            continue;
        char item[100];
        snprintf(item, sizeof item, ".It Fl %.*s", (int)strcspn(line + 3, " =[\n"), line + 3);
        check(holds(nnc1, item), "%s, section OPTIONS, lacks an option of --help: add `%s` and what it does", nnc1, item);
        found++;
    }
    check(found > 30, "%d options in --help", found);
    process_free(&run);
}

/* ---- Form --------------------------------------------------------------------------------------------- */

static const char *const pages[] = {nnc1, nnc5};
enum { NPAGES = sizeof pages / sizeof *pages };

static bool has_mandoc(void)
{
    return command_succeeds("command -v mandoc");
}

static bool has_man(void)
{
    return command_succeeds("man --version && groff --version");
}

static void is_silent(const char *command)
{
    process run = process_run(NULL, (const char *const[]){"sh", "-c", command, NULL}, NULL, 0, NULL);
    check(run.out_length == 0, "%s prints\n%s", command, run.out);
    process_free(&run);
}

/* Whether other pages are installed is no matter of these. */
static void lint(void)
{
    char command[300];
    for (int i = 0; i < NPAGES; i++) {
        snprintf(command, sizeof command, "mandoc -T lint %s 2>&1 | grep -v 'referenced manual not found' "
                                          "| grep -v 'outdated mandoc.db'", pages[i]);
        is_silent(command);
    }
}

static void man_warnings(void)
{
    char command[300];
    for (int i = 0; i < NPAGES; i++) {
        snprintf(command, sizeof command, "LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l %s 2>&1 >/dev/null", pages[i]);
        is_silent(command);
    }
}

/* Literal text is typed and copied: what troff prints as other characters is escaped there. */
static void literal_text(void)
{
    for (int i = 0; i < NPAGES; i++) {
        char *text = file_read(pages[i], NULL);
        bool literal = false;
        int number = 1;
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1, number++) {
            literal = (literal || strncmp(line, ".Bd -literal", 12) == 0) && strncmp(line, ".Ed", 3) != 0;
            for (size_t k = 0; literal && *line != '.' && k < strcspn(line, "\n"); k++) {
                bool escaped = k > 0 && line[k - 1] == '\\';
                check(escaped || !strchr("-'`^~", line[k]), "%s:%d: in literal text, write \\%s in the place of %c",
                      pages[i], number, line[k] == '-' ? "-" : line[k] == '\'' ? "(aq" : line[k] == '`' ? "(ga"
                                        : line[k] == '^' ? "(ha" : "(ti", line[k]);
            }
        }
        free(text);
    }
}

/* ---- Commands ----------------------------------------------------------------------------------------- */

static int start(void)
{
    return session_start(SCRATCH) || session_install();
}

static void run_page(const char *path)
{
    page p;
    CU_ASSERT_TRUE_FATAL(page_read(&p, path));
    page_run(&p, strrchr(path, '/') + 1);
    CU_ASSERT_TRUE(p.nblocks > 5);
    page_free(&p);
}

/* What install puts below DESTDIR and PREFIX is found there, and uninstall takes all of it away again. */
static void installed(void)
{
#define BELOW " -o build/nnc -o build/libnn.a -o build/libnnkit.a DESTDIR=$root/stage PREFIX=/opt/nnc"
    process run = session("cd $root/nnc && make install" BELOW " && cd $root/stage/opt/nnc && ls bin/nnc include/nn.h "
                          "include/nnkit.h lib/libnn.a lib/libnnkit.a share/man/man1/nnc.1 share/man/man5/nnc.5 && "
                          "grep -q '^prefix=/opt/nnc$' lib/pkgconfig/nnc.pc && grep -q '^Version: [0-9]' lib/pkgconfig/nnc.pc",
                          true);
    check(run.status == 0, "make install: exit status %d: %s", run.status, run.out);
    process_free(&run);
    run = session("cd $root/nnc && make uninstall" BELOW " && find $root/stage -type f", true);
    check(run.status == 0 && !strstr(run.out, "/stage/"), "make uninstall: exit status %d, and left: %s", run.status, run.out);
    process_free(&run);
}

static void run_nnc1(void) { run_page(nnc1); }
static void run_nnc5(void) { run_page(nnc5); }

void add_manual_suite(void)
{
    static CU_TestInfo complete[] = {
        {"warnings and codes", codes}, {"kinds", table_of_kinds}, {"options of nnc", options_of_nnc},
        {"literal text", literal_text}, {"mandoc -T lint", lint}, {"man --warnings", man_warnings}, CU_TEST_INFO_NULL,
    };
    static CU_TestInfo commands[] = {
        {"nnc(1)", run_nnc1}, {"nnc(5)", run_nnc5}, {"install and uninstall", installed}, CU_TEST_INFO_NULL,
    };
    static const test_need mandoc = {has_mandoc, "mandoc", "mandoc"}, man = {has_man, "man and groff", "man-db groff"};
    add_suite("manual", NULL, NULL, complete);
    add_suite("manual's commands", start, NULL, commands);
    add_to_check("manual", NULL);
    add_need("manual", "mandoc -T lint", &mandoc);
    add_need("manual", "man --warnings", &man);
}
