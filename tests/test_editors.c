/* test_editors.c: what shells know of nnc: completion for bash and zsh (compiler/nnc.bash, compiler/_nnc).
 *
 * Their lists of options follow from `nnc --help`: `make golden` rewrites them. The shells are asked what they make of a line. */
#include "back/back.h"
#include "pages.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/editors"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

/* ---- Options ------------------------------------------------------------------------------------------ */

/* An option as `nnc --help` shows it. */
typedef struct shown {
    char name[40], value[300], help[200]; /* value: with its brackets where it may be left out, without `=` */
    bool equals;                          /* --NAME=VALUE, not -X VALUE */
} shown;

enum { MOST_OPTIONS = 100 };

/* The options of --help, and the names of warnings with a blank before each. Gives the number of options. */
static int read_help(shown *options, char *warnings)
{
    process run = nnc_run(".", "--help", NULL);
    const char *line = strstr(run.out, "\nOptions:\n"), *end = line ? strstr(line, "\nWarnings") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    int n = 0;
    for (line += 10; line < end; line += strcspn(line, "\n") + 1) {
        if (strncmp(line, "  -", 3) != 0)
            continue;
        CU_ASSERT_FATAL(n < MOST_OPTIONS);
        shown *o = &options[n++];
        const char *form = line + 2, *form_end = form;
        while (*form_end != '\n' && strncmp(form_end, "  ", 2) != 0 && form_end - form < 22)
            form_end++;
        form_end += form_end - form == 22 && *form_end != ' ' ? strcspn(form_end, "\n") : 0;
        size_t name = strcspn(form, " =[\n");
        snprintf(o->name, sizeof o->name, "%.*s", (int)name, form);
        o->equals = form[name] == '=' || form[name] == '[';
        const char *value = form + name + (form[name] == '=' || form[name] == ' ');
        *o->value = '\0';
        if (value < form_end)
            snprintf(o->value, sizeof o->value, "%.*s", (int)(form_end - value), value);
        form_end += strspn(form_end, " \n");
        snprintf(o->help, sizeof o->help, "%.*s", (int)strcspn(form_end, "\n"), form_end);
        size_t last = strlen(o->help) - 1; /* it goes on: with a sentence, or as a list behind a colon */
        if (o->help[last] == ';')
            o->help[last] = '\0';
        else if (o->help[last] == ',')
            o->help[strcspn(o->help, ":")] = '\0';
    }
    *warnings = '\0';
    for (line = end; (line = strstr(line, "\n  -W")); line++) {
        const char *name = format("%.*s", (int)strcspn(line + 5, " "), line + 5);
        if (!strpbrk(name, ",=") && strcmp(name, "extra") != 0)
            strcat(strcat(warnings, " "), name);
    }
    process_free(&run);
    return n;
}

/* The words of a value, with a blank between them, or NULL: it is no choice of words. --dump takes the schedule's steps, too. */
static const char *words_of(const shown *o)
{
    const char *value = *o->value == '[' ? o->value + 2 : o->value;
    if (!strchr(value, '|') && !islower((unsigned char)*value))
        return NULL;
    char *words = format("%.*s", (int)strcspn(value, "]"), value);
    for (char *c = words; *c; c++)
        *c = *c == '|' ? ' ' : *c;
    for (int i = 0; strcmp(o->name, "--dump") == 0 && step_name(i); i++)
        words = format("%s %s", words, step_name(i));
    return words;
}

static char *replaced(const char *text, char from, char to)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        *c = *c == from ? to : *c;
    return copy;
}

static void bash_lists(void)
{
    static shown options[MOST_OPTIONS];
    char warnings[1000];
    int n = read_help(options, warnings);
    const char *text = "    forms=(\n";
    for (int i = 0; i < n; i++) {
        const shown *o = &options[i];
        const char *words = words_of(o);
        const char *value = !words ? o->value : *o->value == '[' ? format("[=%s]", replaced(words, ' ', '|')) : replaced(words, ' ', '|');
        const char *sign = !*o->value || *o->value == '[' ? "" : o->equals ? "=" : " ";
        text = format("%s        '%s%s%s'\n", text, o->name, sign, value);
    }
    text = format("%s    )\n    warnings='%s'\n", text, warnings + 1);
    file_part("compiler/nnc.bash", "    # begin options\n", "    # end options\n", text);
    check(n > 30 && strstr(warnings, " unused "), "%d options and the warnings%s in --help", n, warnings);
}

/* In an explanation of _arguments brackets and colons have a sense; in quotes a quote has. */
static const char *explanation(const char *help)
{
    const char *text = "";
    for (; *help; help++)
        text = format(*help == '\'' ? "%s'\\''" : strchr("[]:\\", *help) ? "%s\\%c" : "%s%c", text, *help);
    return text;
}

static const char *zsh_action(const shown *o, const char *words)
{
    return words ? format("(%s)", words) : strstr(o->value, "FILE") ? "_files" : strcmp(o->value, "FOLDER") == 0 ? "_files -/"
         : strstr(o->value, "[=KIND") ? "_nnc_kinds" : strcmp(o->name, "--example") == 0 ? "_nnc_examples" : " ";
}

static void zsh_lists(void)
{
    static shown options[MOST_OPTIONS];
    char warnings[1000];
    int n = read_help(options, warnings);
    const char *text = "    forms=(\n";
    for (int i = 0; i < n; i++) {
        const shown *o = &options[i];
        const char *words = words_of(o), *repeats = strcmp(o->name, "-I") && strcmp(o->name, "-D") ? "" : "*";
        bool optional = *o->value == '[';
        const char *sign = !*o->value ? "" : optional && words ? "=-" : o->equals ? "=" : "+";
        const char *name = words ? "value" : optional ? format("%.*s", (int)strlen(o->value) - 3, o->value + 2) : o->value;
        const char *value = !*o->value ? "" : format("%s%s:%s", optional ? "::" : ":", name, zsh_action(o, words));
        text = format("%s        '%s%s%s[%s]%s'\n", text, repeats, o->name, sign, explanation(o->help), value);
    }
    text = format("%s    )\n    warnings=(%s)\n", text, warnings + 1);
    file_part("compiler/_nnc", "    # begin options\n", "    # end options\n", text);
}

/* What bash offers for a line, of which the last word is completed; split as Readline does it. */
static process bash_offers(const char *words)
{
    const char *script = format("source ../../../../compiler/nnc.bash || exit 3\n"
                                "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                "_nnc '%s'\nprintf '%%s ' \"${COMPREPLY[@]}\"\n", words, nnc_path());
    return process_run(SCRATCH, (const char *const[]){"bash", "-u", "-c", script, NULL}, NULL, 0, NULL);
}

static void bash_offers_just(const char *words, const char *expected)
{
    process run = bash_offers(words);
    check(run.status == 0 && strcmp(run.out, expected) == 0 && !*run.err, "%s: bash offers %s, not %s; %s", words, run.out,
          expected, run.err);
    process_free(&run);
}

static void bash_completes(void)
{
    folder_make(SCRATCH "/folder");
    file_write(SCRATCH "/my net.nn", "", 0);
    file_write(SCRATCH "/my.c", "", 0);
    bash_offers_just("nnc --unr", "--unroll= ");
    bash_offers_just("nnc --unroll =", "auto full tile none ");
    bash_offers_just("nnc --unroll = f", "full ");
    bash_offers_just("nnc --unroll=f", "--unroll=full ");
    bash_offers_just("nnc --unroll f", "full ");
    bash_offers_just("nnc a.nn --math = F", "F4x4,3x3 F2x2,3x3 ");
    bash_offers_just("nnc --summ", "--summary=json --summary ");
    bash_offers_just("nnc --summary = ''", "json ");
    bash_offers_just("nnc --summary m", "my net.nn ");
    bash_offers_just("nnc --dump = wi", "winograd windows ");
    bash_offers_just("nnc --layers globalm", "globalmaxpool ");
    bash_offers_just("nnc --layers = globalm", "globalmaxpool ");
    bash_offers_just("nnc --example len", "lenet ");
    bash_offers_just("nnc -Wno-unu", "-Wno-unused ");
    bash_offers_just("nnc -Werror = unu", "unused ");
    bash_offers_just("nnc --check m", "my net.nn ");
    bash_offers_just("nnc f", "folder ");
    bash_offers_just("nnc -I ''", "folder ");
    bash_offers_just("nnc -o my.", "my.c ");
    bash_offers_just("nnc --batch = ''", " ");

    process run = bash_offers("nnc --layers ''");
    for (int i = 0; i < nkinds; i++) {
        const char *syntax = kinds[i]->syntax;
        if (syntax)
            check(strstr(format(" %s", run.out), format(" %.*s ", (int)strcspn(syntax, " "), syntax)),
                  "bash does not offer --layers %s", syntax);
    }
    process_free(&run);
}

static bool has_zsh(void)
{
    return command_succeeds("command -v zsh");
}

/* A zsh that thinks that somebody types: behind each line a tab, which completes it and writes down what stands there then. */
static const char zsh_script[] =
    "zmodload zsh/zpty\n"
    "lines() { local i; for i in {1..300}; do (( $(wc -l <made) >= $1 )) && return; sleep 0.1; done; exit 1 }\n"
    "zpty typist zsh -f -i\n"
    "zpty -w typist \"fpath=($PWD/../../../../compiler \\$fpath); path=(${1:h} \\$path); autoload -U compinit; compinit -u -D\"\n"
    "zpty -w typist 'tab() { zle complete-word; print -r -- $BUFFER >>made; BUFFER= }; zle -N tab; bindkey \"^I\" tab; echo >>made'\n"
    "lines 1\n"
    "count=1\nfor line in ${@:2}; do zpty -w -n typist $line$'\\t'; lines $((++count)); done\nzpty -d typist\n";

static void zsh_completes(void)
{
    static const char *const lines[][2] = {
        {"nnc --unr", "nnc --unroll="}, {"nnc --unroll=f", "nnc --unroll=full "}, {"nnc --math w", "nnc --math winograd "},
        {"nnc --dump=wino", "nnc --dump=winograd "}, {"nnc --summary=", "nnc --summary=json "},
        {"nnc --summary m", "nnc --summary my\\ net.nn "}, {"nnc --layers=globalm", "nnc --layers=globalmaxpool "},
        {"nnc --layers globalm", "nnc --layers globalmaxpool "}, {"nnc --example len", "nnc --example lenet "},
        {"nnc -Wno-unu", "nnc -Wno-unused "}, {"nnc -Wall -Werror=unu", "nnc -Wall -Werror=unused "},
        {"nnc -I a -I fo", "nnc -I a -I folder/"}, {"nnc --check m", "nnc --check my\\ net.nn "}, {"nnc -o my.", "nnc -o my.c "},
    };
    enum { NLINES = sizeof lines / sizeof *lines };
    folder_make(SCRATCH "/folder");
    file_write(SCRATCH "/my net.nn", "", 0);
    file_write(SCRATCH "/my.c", "", 0);
    file_write(SCRATCH "/made", "", 0);
    const char *arguments[NLINES + 7] = {"zsh", "-f", "-c", zsh_script, "zsh", nnc_path()}, *expected = "\n";
    for (int i = 0; i < NLINES; i++) {
        arguments[6 + i] = lines[i][0];
        expected = format("%s%s\n", expected, lines[i][1]);
    }
    process run = process_run(SCRATCH, arguments, NULL, 0, NULL);
    char *made = file_read(SCRATCH "/made", NULL);
    check(made && strcmp(made, expected) == 0, "zsh makes%s, not%s; %s", made, expected, run.err);
    free(made);
    process_free(&run);
}

void add_editors_suite(void)
{
    static CU_TestInfo tests[] = {
        {"bash's lists", bash_lists}, {"bash completes", bash_completes}, {"zsh's lists", zsh_lists}, {"zsh completes", zsh_completes},
        CU_TEST_INFO_NULL,
    };
    static const test_need zsh = {has_zsh, "zsh", "zsh"};
    add_suite("editors", NULL, NULL, tests);
    add_to_check("editors", NULL);
    add_need("editors", "zsh completes", &zsh);
}
