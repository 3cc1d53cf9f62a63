/* test_manual.c: the manual pages, which stand beside what they describe: compiler/nnc.1, grammar/nnc.5, runtime/nn.3
 * and runtime/kit/nnkit.3.
 *
 * They are complete: each option, each kind of layer with its arguments, each warning and code, each public function
 * with its parameters. What follows from a table of the sources is a part of a page that `make golden` rewrites; of
 * the rest a test says what is missing, and where it belongs. Their commands are run as those of README.md are
 * (pages.h), their networks and programs compiled, and mandoc and man find nothing to say of them. */
#include "back/back.h"
#include "nnkit.h"
#include "pages.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH "build/tests/tmp/manual"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static const char nnc1[] = "compiler/nnc.1", nnc5[] = "grammar/nnc.5", nn3[] = "runtime/nn.3",
    nnkit3[] = "runtime/kit/nnkit.3";

/* As a whole word. */
static bool holds(const char *path, const char *what)
{
    char *text = file_read(path, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *found = strstr(text, what);
    while (found && (isalnum((unsigned char)found[strlen(what)]) || found[strlen(what)] == '-'))
        found = strstr(found + 1, what);
    bool there = found != NULL;
    free(text);
    return there;
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

/* ---- Headers ------------------------------------------------------------------------------------------ */

/* What declares something, without comments, directives, attributes and the braces of extern "C". Free it. */
static char *declarations(const char *from, const char *end)
{
    char *text = malloc((size_t)(end - from) + 1), *to = text;
    bool line_begins = true;
    while (from < end) {
        const char *word = from + strspn(from, " ");
        if (strncmp(from, "/*", 2) == 0) {
            const char *close = strstr(from, "*/");
            from = close && close < end ? close + 2 : end;
        } else if (line_begins && (*word == '#' || strncmp(word, "__attribute__", 13) == 0
                                   || strncmp(word, "extern \"C\"", 10) == 0)) {
            bool goes_on = true;
            while (goes_on && from < end) {
                size_t n = strcspn(from, "\n");
                goes_on = n > 0 && from[n - 1] == '\\';
                from += n + 1;
            }
        } else {
            line_begins = *from == '\n';
            *to++ = *from++;
        }
    }
    *to = '\0';
    return text;
}

/* Words with one blank between them. */
static void put_words(const char *from, const char *end)
{
    bool blank = false, any = false;
    for (; from < end; from++) {
        if (isspace((unsigned char)*from)) {
            blank = any;
            continue;
        }
        put("%s%c", blank ? " " : "", *from);
        blank = false;
        any = true;
    }
}

/* .Ft and .Fn of a declaration, where it is one of a function. */
static void put_function(const char *from, const char *end)
{
    while (from < end && isspace((unsigned char)*from))
        from++;
    static const char inlined[] = "static inline ";
    const char *open = from;
    while (open < end && *open != '(')
        open++;
    if (open >= end || strncmp(from, "typedef", 7) == 0)
        return;
    from += strncmp(from, inlined, strlen(inlined)) == 0 ? strlen(inlined) : 0;
    const char *name = open, *close = end - 1;
    while (name > from && (isalnum((unsigned char)name[-1]) || name[-1] == '_'))
        name--;
    while (*close != ')')
        close--;
    put(".Ft \"");
    put_words(from, name);
    put("\"\n.Fn %.*s", (int)(open - name), name);
    int depth = 0;
    for (const char *c = open + 1, *first = c; c <= close; c++) {
        depth += (*c == '(') - (*c == ')' && c < close);
        if (depth == 0 && (*c == ',' || c == close)) {
            put(" \"");
            put_words(first, c);
            put("\"");
            first = c + 1;
        }
    }
    put("\n");
}

/* The functions that a piece of a header declares. */
static void put_functions(const char *from, const char *end)
{
    char *text = declarations(from, end);
    const char *first = text;
    int depth = 0;
    for (const char *c = text; *c; c++) {
        bool body = *c == '{' && depth == 0 && memchr(first, '(', (size_t)(c - first));
        if (body || (*c == ';' && depth == 0))
            put_function(first, c);
        depth += (*c == '{') - (*c == '}');
        if (depth < 0)
            depth = 0;
        if (depth == 0 && (*c == ';' || (*c == '}' && !strchr(" ;\n", c[1] ? c[1] : ' ')) || (*c == '}' && c[1] == '\n')))
            first = c + 1;
    }
    free(text);
}

/* SYNOPSIS: the functions of each section of a header, with their parameters. */
static void synopsis(const char *path, const char *header, const char *first)
{
    char *text = file_read(header, NULL), title[100];
    const char *section = text;
    snprintf(title, sizeof title, "%s", first);
    while (section) {
        const char *next = strstr(section + 1, "/* ---- ");
        begin_part();
        put_functions(section, next ? next : section + strlen(section));
        if (length)
            page_part(path, title, part);
        section = next;
        if (next)
            snprintf(title, sizeof title, "functions: %.*s", (int)strcspn(next + 8, "-\n") - 1, next + 8);
    }
    free(text);
}

/* The types, with the comments of the header. */
static void structures(const char *path, const char *header)
{
    static const char begin[] = "typedef struct ";
    char *text = file_read(header, NULL), title[100], close[100];
    for (const char *c = text; (c = strstr(c, begin)); c++) {
        const char *name = c + strlen(begin);
        if (name[strcspn(name, "{;")] == ';')
            continue; /* it stays closed */
        snprintf(title, sizeof title, "struct %.*s", (int)strcspn(name, " "), name);
        snprintf(close, sizeof close, "} %.*s;\n", (int)strcspn(name, " "), name);
        const char *end = strstr(c, close);
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        begin_part();
        put(".\\\" text\n.Bd -literal\n");
        put_code(c, (size_t)(end - c) + strlen(close));
        put(".Ed\n");
        page_part(path, title, part);
    }
    free(text);
}

/* Each function and each constant of a header is spoken of behind the synopsis. */
static void spoken_of(const char *path, const char *header)
{
    char *text = file_read(path, NULL), item[100];
    const char *description = strstr(text, "\n.Sh DESCRIPTION\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(description);
    for (const char *c = text; c < description && (c = strstr(c, "\n.Fn ")); c++) {
        snprintf(item, sizeof item, "Fn %.*s", (int)strcspn(c + 5, " \n"), c + 5);
        const char *said = strstr(description, item);
        while (said && !strchr(" \n", said[strlen(item)]))
            said = strstr(said + 1, item);
        check(said || c >= description, "%s, DESCRIPTION and behind: add what the function does, with `.%s`",
              path, item);
    }
    char *declared = file_read(header, NULL);
    for (const char *c = declared; (c = strstr(c, "enum ")); c++)
        for (const char *word = c + strcspn(c, "{;"); *word && *word != '}' && *word != ';'; word++)
            if (strncmp(word, "NN", 2) == 0 && !isalnum((unsigned char)word[-1]) && word[-1] != '_') {
                snprintf(item, sizeof item, "%.*s", (int)strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"), word);
                check(strstr(text, item), "%s: add what the constant %s is", path, item);
            }
    free(declared);
    free(text);
}

/* first: how the page calls the functions before the first section. */
static void header_of(const char *path, const char *header, const char *first)
{
    synopsis(path, header, first);
    structures(path, header);
    spoken_of(path, header);
}

static void nn_h(void)    { header_of(nn3, "runtime/nn.h", "functions"); }
static void nnkit_h(void) { header_of(nnkit3, "runtime/kit/nnkit.h", "functions"); }
static void nnmpi_h(void) { header_of(nnkit3, "runtime/kit/nnmpi.h", "functions of nnmpi.h"); }

/* What net.h may declare: all that its frame in the compiler has. */
static void net_h(void)
{
    char *frame = file_read("compiler/back/fixed/net.h", NULL), item[100];
    int found = 0;
    for (const char *c = frame; (c = strstr(c, " net_")); c++) {
        const char *line = c;
        while (line > frame && line[-1] != '\n')
            line--;
        size_t name = strspn(c + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (c[1 + name] != '(' || isspace((unsigned char)*line))
            continue;
        snprintf(item, sizeof item, ".Fn %.*s", (int)name, c + 1);
        check(holds(nn3, item), "%s, THE GENERATED INTERFACE: add what the function does, with `%s`", nn3, item);
        found++;
    }
    check(found > 4, "%d functions in the frame of net.h", found);
    free(frame);
}

/* Each option of the program around a network: `.It Fl -epochs`. */
static void options_of_program(void)
{
    fflush(stdout);
    const char *help = SCRATCH "-help/text";
    folder_make(SCRATCH "-help");
    pid_t child = fork();
    if (child == 0) {
        static const nn_model model = {.name = "net"};
        if (!freopen(help, "w", stdout))
            _exit(1);
        char name[] = "./net", option[] = "--help";
        int status = nn_main(&model, 2, (char *[]){name, option, NULL});
        fflush(stdout);
        _exit(status);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CU_ASSERT_EQUAL_FATAL(status, 0);
    char *text = file_read(help, NULL);
    int found = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        char item[100];
        if (strncmp(line, "./net ", 6) == 0) {
            snprintf(item, sizeof item, ".Ic ./net %.*s", (int)strcspn(line + 6, " \n"), line + 6);
            check(holds(nnkit3, item), "%s, SYNOPSIS, lacks a command of ./net --help: add `%s` there, and `.It Cm` with what "
                  "it does in section THE PROGRAM", nnkit3, item);
        }
        if (strncmp(line, "  --", 4) != 0)
            continue;
        snprintf(item, sizeof item, ".It Fl %.*s", (int)strcspn(line + 3, " \n"), line + 3);
        check(holds(nnkit3, item), "%s, section THE PROGRAM, lacks an option of ./net --help: add `%s` and what it does",
              nnkit3, item);
        found++;
    }
    check(found > 20, "%d options in --help", found);
    free(text);
}

/* ---- Form --------------------------------------------------------------------------------------------- */

static const char *const pages[] = {nnc1, nnc5, nn3, nnkit3};
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

static page runtime_page; /* nn(3) */

static int start(void)
{
    return session_start(SCRATCH) || session_install() || !page_read(&runtime_page, nn3);
}

static int end(void)
{
    page_free(&runtime_page);
    return 0;
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
                          "include/nnkit.h lib/libnn.a lib/libnnkit.a share/man/man1/nnc.1 share/man/man5/nnc.5 "
                          "share/bash-completion/completions/nnc.bash share/zsh/site-functions/_nnc share/nnc/vim/syntax/nnc.vim "
                          "share/nnc/vim/ftdetect/nnc.vim share/nnc/vscode/package.json share/nnc/vscode/nnc.tmLanguage.json && "
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
static void run_nn3(void)
{
    page_run(&runtime_page, "nn.3");
}

static void run_nnkit3(void) { run_page(nnkit3); }

/* ---- The Python program ------------------------------------------------------------------------------- */

/* The first python3 that has torch: often only Debian's own has, and another stands before it on PATH. */
#define HAS_MODULE(python, name) \
    python " -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec(\"" name "\"))'"
#define CHOOSE_PYTHON "python=python3; " HAS_MODULE("$python", "torch") " || { python=/usr/bin/python3; " \
    HAS_MODULE("$python", "torch") "; }"

static bool has_torch(void)
{
    return command_succeeds(CHOOSE_PYTHON);
}

/* Loads what the Python program saved, and answers the same question. */
static const char loads_again[] =
    "#include \"net.h\"\n#include <stdio.h>\n\n"
    "static net_params p;\nstatic net_work work;\n\n"
    "int main(void)\n{\n"
    "    static const float x[4] = {0.1f, 0.2f, 0.9f, -0.9f};\n    float y[4];\n"
    "    int error = nn_load(&net_model, &p, \"net.safetensors\");\n"
    "    if (error)\n        return puts(nn_error(error)), 1;\n"
    "    net_forward(&p, &work, 2, x, y);\n"
    "    for (int i = 0; i < 4; i++)\n        printf(\"%.6f \", y[i]);\n"
    "    return 0;\n}\n";

/* The first four numbers of a text in which a point stands. */
static int read_numbers(const char *text, double numbers[4])
{
    int n = 0;
    for (const char *c = text; *c && n < 4;) {
        char *end;
        double number = strtod(c, &end);
        bool point = end > c && memchr(c, '.', (size_t)(end - c));
        if (point)
            numbers[n++] = number;
        c = point ? end : c + 1;
    }
    return n;
}

static void python_program(void)
{
    double printed[4], loaded[4];
    char command[2000];
    CU_ASSERT_PTR_NOT_NULL_FATAL(runtime_page.python);
    snprintf(command, sizeof command,
             CHOOSE_PYTHON "; " HAS_MODULE("$python", "safetensors") " || export PYTHONPATH=$root/nnc/tests/torch; "
             "cd '%s' && touch -d 2000-01-01 net.safetensors before && $python page.py && "
             "[ net.safetensors -nt before ]", runtime_page.python);
    process run = session(command, false);
    check(run.status == 0, "runtime/nn.3:%d: exit status %d: %s", runtime_page.python_line, run.status, run.out);
    int n = read_numbers(run.out, printed);
    check(n == 4, "runtime/nn.3:%d: prints no four numbers: %s", runtime_page.python_line, run.out);
    process_free(&run);

    file_write(SCRATCH "/again.c", loads_again, sizeof loads_again - 1);
    snprintf(command, sizeof command, "cd '%s' && cc -I. -o again $root/again.c net.c -lnn -lm && ./again", runtime_page.python);
    run = session(command, false);
    check(run.status == 0, "what runtime/nn.3:%d saves can't be loaded: %s", runtime_page.python_line, run.out);
    check(read_numbers(run.out, loaded) == 4, "%s", run.out);
    for (int i = 0; i < 4 && n == 4 && run.status == 0; i++)
        check(fabs(printed[i] - loaded[i]) < 2e-4, "runtime/nn.3:%d: prints %g, and here it is %g", runtime_page.python_line, printed[i],
              loaded[i]);
    process_free(&run);
}

void add_manual_suite(void)
{
    static CU_TestInfo complete[] = {
        {"warnings and codes", codes}, {"kinds", table_of_kinds}, {"options of nnc", options_of_nnc},
        {"nn.h", nn_h}, {"net.h", net_h}, {"nnkit.h", nnkit_h}, {"nnmpi.h", nnmpi_h},
        {"options of the program", options_of_program},
        {"literal text", literal_text}, {"mandoc -T lint", lint}, {"man --warnings", man_warnings}, CU_TEST_INFO_NULL,
    };
    static CU_TestInfo commands[] = {
        {"nnc(1)", run_nnc1}, {"nnc(5)", run_nnc5}, {"nn(3)", run_nn3}, {"nnkit(3)", run_nnkit3}, {"the Python program", python_program},
        {"install and uninstall", installed}, CU_TEST_INFO_NULL,
    };
    static const test_need mandoc = {has_mandoc, "mandoc", "mandoc"}, man = {has_man, "man and groff", "man-db groff"},
        torch = {has_torch, "a python3 with torch", "python3-torch"};
    add_suite("manual", NULL, NULL, complete);
    add_suite("manual's commands", start, end, commands);
    add_to_check("manual", NULL);
    add_need("manual", "mandoc -T lint", &mandoc);
    add_need("manual", "man --warnings", &man);
    add_need("manual's commands", "the Python program", &torch);
}
