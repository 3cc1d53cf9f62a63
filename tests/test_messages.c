/* test_messages.c: the codes of messages, --explain, and messages as JSON and SARIF. Their texts are golden files:
 * tests/golden/errors. */
#include "base/base.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/messages"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static process check_text(const char *text, const char *option)
{
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", text, strlen(text));
    return nnc_run(SCRATCH, "--check", option, "net.nn", NULL);
}

static bool is_known(const char *code)
{
    for (int i = 0; i < nexplanations; i++)
        if (!strcmp(explanations[i].code, code))
            return true;
    return false;
}

/* The network that is called wrong gets the message, the other one gets none at all. */
static void examples(void)
{
    for (int i = 0; i < nexplanations; i++) {
        const Explanation *e = &explanations[i];
        char code[50];
        if (!e->wrong)
            continue;
        snprintf(code, sizeof code, "[%s]\n", e->code);
        process run = check_text(e->wrong, "-Wextra");
        check(strstr(run.err, code) != NULL, "%s: `%s` gives no %s but %s", e->code, e->wrong, code, run.err);
        check(run.status == (e->code[0] == '-' ? 0 : 1), "%s: exit status %d", e->code, run.status);
        process_free(&run);
        run = check_text(e->right, "-Wextra");
        check(run.status == 0 && !run.err_length, "%s: `%s` gives %s", e->code, e->right, run.err);
        process_free(&run);
    }
}

/* Every code that the sources give a message is explained. */
static void codes_of_sources(void)
{
    glob_t found = {0};
    int n = 0;
    glob("compiler/front/*.c", 0, NULL, &found);
    glob("compiler/layer/*.c", GLOB_APPEND, NULL, &found);
    glob("compiler/*.c", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = file_read(found.gl_pathv[i], NULL), code[50];
        for (const char *c = text; (c = strstr(c, " [")); c++) {
            const char *line = c;
            while (line > text && line[-1] != '\n')
                line--;
            if (strstr(line, ".syntax") && strstr(line, ".syntax") < c)
                continue;
            size_t length = strspn(c + 2, "abcdefghijklmnopqrstuvwxyz-");
            if (!length || length >= sizeof code || strncmp(c + 2 + length, "]\"", 2))
                continue;
            snprintf(code, sizeof code, "%.*s", (int)length, c + 2);
            check(is_known(code), "%s: --explain does not know %s", found.gl_pathv[i], code);
            n++;
        }
        free(text);
    }
    globfree(&found);
    check(n > 100, "only %d codes were found", n);
    for (int w = 0; w < NWARNINGS; w++) {
        char name[50];
        snprintf(name, sizeof name, "-W%s", warning_name((Warning)w));
        check(is_known(name), "--explain does not know %s", name);
    }
}

static void explaining(void)
{
    static const char *const forms[] = {"--explain=-Wloss", "--explain=[-Wloss]", "--explain=[-Werror=loss]"};
    for (int i = 0; i < nexplanations; i++) {
        char option[60];
        snprintf(option, sizeof option, "--explain=%s", explanations[i].code);
        process run = nnc_run(".", option, NULL);
        check(run.status == 0 && !run.err_length && strstr(run.out, explanations[i].code), "%s: %s", option, run.err);
        for (const char *line = run.out; *line; line += strcspn(line, "\n"), line += *line == '\n')
            check(strcspn(line, "\n") <= 120, "%s: a long line: %.40s", option, line);
        process_free(&run);
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        process run = nnc_run(".", forms[i], NULL);
        check(run.status == 0 && !strncmp(run.out, "-Wloss\n\n", 8), "%s: %s%s", forms[i], run.out, run.err);
        process_free(&run);
    }
    process run = nnc_run(".", "--explain", "windoww", NULL);
    check(run.status == 2 && strstr(run.err, "did you mean window?"), "%s", run.err);
    process_free(&run);
}

/* ---- Messages for programs -------------------------------------------------------------------------------- */

/* Past one JSON value; NULL: there is none. */
static const char *after_value(const char *c);

static const char *after_space(const char *c)
{
    return c + strspn(c, " \n");
}

static const char *after_string(const char *c)
{
    if (*c++ != '"')
        return NULL;
    for (; *c != '"'; c++) {
        if ((unsigned char)*c < 0x20)
            return NULL;
        if (*c == '\\' && !strchr("\"\\/bfnrtu", *++c))
            return NULL;
    }
    return c + 1;
}

static const char *after_list(const char *c, char end)
{
    c = after_space(c + 1);
    if (*c == end)
        return c + 1;
    for (;;) {
        if (end == '}') {
            c = after_string(c);
            if (!c || *(c = after_space(c)) != ':')
                return NULL;
            c = after_space(c + 1);
        }
        c = after_value(c);
        if (!c)
            return NULL;
        c = after_space(c);
        if (*c == end)
            return c + 1;
        if (*c++ != ',')
            return NULL;
        c = after_space(c);
    }
}

static const char *after_value(const char *c)
{
    if (*c == '{' || *c == '[')
        return after_list(c, *c == '{' ? '}' : ']');
    if (*c == '"')
        return after_string(c);
    size_t digits = strspn(c, "0123456789");
    return digits ? c + digits : NULL;
}

static bool is_json(const char *text)
{
    const char *end = after_value(text);
    return end && !strcmp(end, "\n");
}

/* Whatever there is to say, and if it is nothing, standard error is one JSON document. */
static void json(void)
{
    static const char *const texts[] = {
        "input 8; fc 2\n",
        "input 3x8x8\nx: conv 4->16 k3\nconv 4 k20; add y\n",
        "input 8; fc 2; \"\\\x01\xff\t\xe2\x82\xac\n",
        "input 8; x:; fc 2; softmax; loss bce\n",
        "block b(n) { conv $n k9; }; input 3x4x4; b(2); fc x; fc y\n",
    };
    static const char *const formats[] = {"--diagnostics-format=json", "--diagnostics-format=sarif"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int k = 0; k < 2; k++) {
            process run = check_text(texts[i], formats[k]);
            check(is_json(run.err), "%s of `%s` is no JSON: %s", formats[k], texts[i], run.err);
            check((i == 0) == !strstr(run.err, "\"message\""), "%s: %s", formats[k], run.err);
            process_free(&run);
        }
    process run = nnc_run(SCRATCH, formats[0], "none.nn", NULL); /* the environment's fault */
    check(run.status == 2 && is_json(run.err) && strstr(run.err, "cannot read none.nn"), "%s", run.err);
    process_free(&run);
    static const char *const wrong[][3] = {{"--unknown", "none.nn", "option"}, {"--batch", "none.nn", "file"}};
    for (int i = 0; i < 4; i++) { /* wherever the format stands, what is wrong before it has it, too */
        const char *const *line = wrong[i / 2];
        run = nnc_run(SCRATCH, line[0], line[1], line[1], i % 2 ? formats[0] : "--diagnostics-format",
                      i % 2 ? "other.nn" : "sarif", NULL);
        check(run.status == 2 && is_json(run.err) && strstr(run.err, line[2]), "%s: %s", line[0], run.err);
        process_free(&run);
    }
    run = check_text("input 3; fc 2", "--batch=k3");
    check(run.status == 2 && strstr(run.err, "16777216 [option-value]\n"), "%s", run.err);
    process_free(&run);
    run = nnc_run(SCRATCH, formats[0], "--batch=k3", "net.nn", NULL); /* a code is a field there */
    check(run.status == 2 && is_json(run.err) && strstr(run.err, "16777216\", \"code\": \"option-value\""), "%s", run.err);
    process_free(&run);
}

/* Columns count characters, whatever bytes and columns they take; tabs and CRLF change nothing. */
static void columns(void)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"input 8\n\tfc 0\n", "net.nn:2:5: "},
        {"input 8\r\nfc 0\r\n", "net.nn:2:4: "},
        {"input 8; # \xe2\x82\xac\xe2\x82\xac\nfc 0", "net.nn:2:4: "},
        {"\xef\xbb\xbfinput 8\nfc 0", "net.nn:2:4: "},
        {"input 8\nfc 2; \xe2\x82\xac; ?", "net.nn:2:10: error: unexpected '?'"},
        {"input 8\nfc \xff\xff; ?", "net.nn:2:8: error: unexpected '?'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process run = check_text(cases[i].text, "--color=never");
        check(strstr(run.err, cases[i].place) != NULL, "`%s`: %s", cases[i].text, run.err);
        check(!strchr(run.err, '\r'), "`%s`: a carriage return is shown", cases[i].text);
        process_free(&run);
    }
}

static void most_errors(void)
{
    char text[600] = "input 8\n";
    for (int i = 0; i < 30; i++)
        strcat(text, "fc x\n");
    static const struct {
        const char *option;
        int shown;
    } cases[] = {{"-Wall", 20}, {"-fmax-errors=3", 3}, {"-fmax-errors=0", 30}, {"-fmax-errors=30", 30}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process run = check_text(text, cases[i].option);
        int n = 0;
        for (const char *c = run.err; (c = strstr(c, ": error: ")); c++)
            n++;
        check(run.status == 1 && n == cases[i].shown, "%s: %d errors", cases[i].option, n);
        check((strstr(run.err, "too many errors") != NULL) == (n < 30), "%s: %s", cases[i].option, run.err);
        process_free(&run);
    }
}

/* Each mistake is one error: what follows from it is not said, and what has nothing to do with it is. */
static void one_for_each(void)
{
    static const struct {
        const char *text;
        int errors;
    } cases[] = {
        {"input 3x8x8; conv 4->16 k3; conv 16->8 k3", 1},      /* told the wrong channels, it still has its outputs */
        {"input 3x8x8; conv 4->16 k3; conv 8->8 k3", 2},
        {"input 3x8x8; conv 16 k9; conv 8->8 k3; add x", 2},   /* nobody knows what comes out: only the label is said */
        {"input 3x8x8; conv 16 k9; fc 10; fc 9->2", 2},        /* known again */
        {"input 3x8x8; conf 16 k3; conv 8->8 k3", 2},          /* conv is meant */
        {"input 3x8x8; xyzzy 16 k3; conv 8->8 k3", 1},
        {"input 3x8x8; conv 16 kernel=3; conv 8->8 k3", 2},
        {"input 3x8x8; relu 3; conv 8->8 k3", 2},              /* keeps what comes in, whatever it was to do */
        {"input 3x8x8; relu (; conv 8->8 k3", 2},
        {"input 3x8x8; x: conv (; relu; add x; conv 8->8 k3", 1}, /* the label is known */
        {"input 3x8; conv 8->8 k3; add x", 2},
        {"conv 8->8 k3; add x", 2},                            /* no input */
        {"inputt 3x8x8; conv 8->8 k3", 2},
        {"input 3x8x8; from x; conv 8->8 k3", 1},
        {"input 8; x: fc 4; fc 3; add x; fc 2->2", 2},         /* add gives what came in */
        {"input 3x8x8; repeat 5 { conv 4->3 k1 }", 1},         /* however often it is used */
        {"input 3x8x8; block b(n) { conv $n k3 q4 }; b(4); b(5)", 1},
        {"input 3x8x8; block b(n, n) { conv $n k3 }; b(4); b(5, 5); conv 8->8 k3", 1},
        {"input 3x8x8; b(4); conv 8->8 k3", 1},
        {"input 3x8x8; block b(n) { conv $n k3 }; b(); conv 8->8 k3; fc 3; fc 2->2", 2},
        {"input 3x8x8; conv 8 $k; conv 7->8 k3", 1},
        {"input 3x8x8; loss mse; relu; relu; relu", 1},
        {"input 3x8x8; fc 2; loss nothing", 1},
        {"input 3x8x8; fc 0; loss huber 0", 1},
        {"input 3x8x8; fc 2; fc 3->2; loss huber 0", 2},
        {"input 3x8x8; repeat 2 { relu; conv ( }; add x", 2},
        {"input 3x8x8; freeze x; fc 3->2", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process run = check_text(cases[i].text, "--color=never");
        int n = 0;
        for (const char *c = run.err; (c = strstr(c, ": error: ")); c++)
            n++;
        check(run.status == 1 && n == cases[i].errors, "`%s`: %d errors, not %d: %s", cases[i].text, n,
              cases[i].errors, run.err);
        process_free(&run);
    }
}

/* The text with one of its arguments, which begins with a space and the letter, replaced. */
static void replace(char *out, size_t room, const char *text, const char *argument, size_t length)
{
    char begin[3] = {' ', argument[0], 0};
    const char *at = strstr(text, begin), *end = at ? at + 1 + strcspn(at + 1, " ;") : text;
    snprintf(out, room, "%.*s %.*s%s", (int)(at ? at - text : 0), text, (int)length, argument, end);
}

/* Every argument that help offers for a window that does not fit makes it fit. */
static void help_works(void)
{
    int tried = 0;
    for (int i = 0; i < 48; i++) {
        char text[200], mended[300];
        int h = 2 + i % 4, w = 3 + i / 4 % 3, k = 4 + i % 5;
        if (i % 6 == 5)
            snprintf(text, sizeof text, "input 2x%dx%d; maxpool k%dx3 s2 p0", h, w, k);
        else
            snprintf(text, sizeof text, "input 2x%dx%d; conv 3 k%dx%d s%d p%d d%d", h, w, k, 3 + i / 8 % 3, 1 + i % 3, i % 2,
                     1 + i / 16);
        process run = check_text(text, "--color=never");
        const char *help = strstr(run.err, "help: "), *end = help ? strstr(help, "\n") : NULL;
        check((run.status == 1) == (help != NULL), "`%s`: %s", text, run.err);
        for (const char *c = help ? help + 6 : NULL; c && c < end; c = strstr(c, ", or ") ? strstr(c, ", or ") + 5 : NULL) {
            char argument[40];
            size_t length = strcspn(c, " ,\n");
            snprintf(argument, sizeof argument, "%s%.*s", *c >= '0' && *c <= '9' ? "k" : "", (int)length, c);
            replace(mended, sizeof mended, text, argument, strlen(argument));
            process again = check_text(mended, "--color=never");
            check(again.status == 0, "`%s` for `%s`: %s", mended, text, again.err);
            process_free(&again);
            tried++;
        }
        process_free(&run);
    }
    check(tried > 40, "only %d offers were tried", tried);
}

/* -Werror=NAME makes an error of one, and turns it on; the others stay warnings. */
static void werror(void)
{
    const char *text = "input 8; x:; fc 2; softmax; loss bce\n";
    static const struct {
        const char *option;
        int status;
        const char *says;
    } cases[] = {{"-Werror=loss", 1, "[-Werror=loss]"}, {"-Werror=loss", 1, "[-Wlabel]"},
                 {"-Werror=label", 1, "[-Wloss]"},      {"-Werror=unused", 0, "[-Wloss]"},
                 {"-Wno-error=loss", 0, "[-Wloss]"},    {"-Werror=los", 2, "did you mean -Werror=loss?"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process run = check_text(text, cases[i].option);
        check(run.status == cases[i].status && strstr(run.err, cases[i].says), "%s: exit status %d, %s",
              cases[i].option, run.status, run.err);
        process_free(&run);
    }
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", text, strlen(text));
    process run = nnc_run(SCRATCH, "--check", "-Werror", "-Wno-error=loss", "-Wno-label", "net.nn", NULL);
    check(run.status == 0 && strstr(run.err, "[-Wloss]"), "exit status %d, %s", run.status, run.err);
    process_free(&run);
    run = nnc_run(SCRATCH, "--check", "-Wno-loss", "-Werror=loss", "net.nn", NULL);
    check(run.status == 1, "-Werror=loss does not turn it on");
    process_free(&run);
}

/* ---- Several files ----------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    char full[300];
    snprintf(full, sizeof full, SCRATCH "/%s", path);
    file_write(full, text, strlen(text));
}

/* Beside the file that includes it, then in the folders of -I in their order; messages show all places. */
static void includes(void)
{
    folder_make(SCRATCH);
    folder_make(SCRATCH "/sub");
    folder_make(SCRATCH "/one");
    folder_make(SCRATCH "/two");
    write_file("net.nn", "include \"sub/a.nn\"\ninput $size\nwide(4)\ninclude \"tail.nn\"\n");
    write_file("sub/a.nn", "nnc 1\nparam size = 8\ninclude \"b.nn\"");
    write_file("sub/b.nn", "block wide(n) { fc $n; relu }\n");
    write_file("two/tail.nn", "fc 3; softmax\n");
    process run = nnc_run(SCRATCH, "--dump=net", "-Ione", "-I", "two/", "-Dsize=9", "net.nn", NULL);
    check(run.status == 0 && !run.err_length, "%s", run.err);
    check(strstr(run.out, "input 9, batch 32, 55 parameters") != NULL, "%s", run.out);
    process_free(&run);
    run = nnc_run(SCRATCH, "-MD", "-MP", "-Itwo", "-o", "net.c", "net.nn", NULL);
    char *rule = file_read(SCRATCH "/net.nn.d", NULL);
    check(run.status == 0 && rule && !strcmp(rule, "net.c net.h: net.nn sub/a.nn sub/b.nn two/tail.nn\n\nsub/a.nn:\n\nsub/b.nn:\n\ntwo/tail.nn:\n"),
          "%s%s", run.err,
          rule ? rule : "no rule");
    free(rule);
    process_free(&run);

    write_file("one/tail.nn", "fc 4->3; softmax; fc 9->3\n"); /* the first folder */
    run = nnc_run(SCRATCH, "--check", "-Ione", "-Itwo", "net.nn", NULL);
    check(run.status == 1 && strstr(run.err, "one/tail.nn:1:22: error: fc expects 9"), "%s", run.err);
    check(strstr(run.err, "net.nn:4:1: note: one/tail.nn is included here\n    4 | include") != NULL, "%s", run.err);
    process_free(&run);

    write_file("sub/b.nn", "block wide(n) { fc 7->$n; relu }\n"); /* a block of another file */
    run = nnc_run(SCRATCH, "--check", "-Itwo", "net.nn", NULL);
    check(strstr(run.err, "sub/b.nn:1:20: error: ") && strstr(run.err, "net.nn:3:1: note: in block wide, used here")
              && strstr(run.err, "sub/a.nn:3:1: note: sub/b.nn is included here"), "%s", run.err);
    process_free(&run);

    write_file("sub/b.nn", "include \"../net.nn\"\n");
    run = nnc_run(SCRATCH, "--check", "-Itwo", "net.nn", NULL);
    check(run.status == 1 && strstr(run.err, "includes itself [include]"), "%s", run.err);
    process_free(&run);
    run = nnc_run(SCRATCH, "--check", "--dump=ast", "net.nn", NULL); /* not there without -I */
    check(run.status == 1 && strstr(run.err, "net.nn:4:9: error: cannot find the file \"tail.nn\""), "%s", run.err);
    process_free(&run);
    write_file("sub/b.nn", "block wide(n) { fc $n; relu }\nrelu (");
    run = nnc_run(SCRATCH, "--check", "-Itwo", "--dump=ast", "net.nn", NULL);
    check(run.status == 1 && strstr(run.err, "sub/b.nn:2:"), "%s", run.err);
    process_free(&run);
    write_file("sub/a.nn", "");
    write_file("net.nn", "input 8; fc 2; repeat 2 { include \"sub/c.nn\" }\n");
    write_file("sub/c.nn", "relu");
    run = nnc_run(SCRATCH, "--dump=ast", "net.nn", NULL);
    check(run.status == 0 && strstr(run.out, "include \"sub/c.nn\"\n"), "%s%s", run.out, run.err);
    process_free(&run);
}

void add_messages_suite(void)
{
    CU_Suite *suite = CU_add_suite("messages", NULL, NULL);
    CU_add_test(suite, "each explanation's networks", examples);
    CU_add_test(suite, "each code is explained", codes_of_sources);
    CU_add_test(suite, "--explain", explaining);
    CU_add_test(suite, "JSON and SARIF", json);
    CU_add_test(suite, "columns", columns);
    CU_add_test(suite, "one error for each mistake", one_for_each);
    CU_add_test(suite, "what help offers fits", help_works);
    CU_add_test(suite, "-fmax-errors", most_errors);
    CU_add_test(suite, "-Werror=NAME", werror);
    CU_add_test(suite, "include, param, -D, -I", includes);
    add_to_check("messages", NULL);
}
