/* test_editors.c: what shells and editors know of nnc: completion for bash and zsh (compiler/nnc.bash, compiler/_nnc),
 * highlighting for Vim and VS Code (grammar/vim, grammar/vscode).
 *
 * Their lists of options and of kinds follow from `nnc --help` and from the table of kinds: `make golden` rewrites them.
 * The shells are asked what they make of a line, Vim what it shows. */
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

/* ---- Kinds -------------------------------------------------------------------------------------------- */

/* The first words of what `nnc --layers` shows, or with losses the words behind `loss`: each once, with sign between them. */
static const char *names_of_kinds(bool losses, const char *sign)
{
    const char *names = sign;
    for (int i = 0; i < nkinds; i++) {
        const char *name = kinds[i]->syntax;
        bool loss = name && strncmp(name, "loss ", 5) == 0;
        if (!name || (losses && (!loss || strchr(name, '|'))))
            continue;
        name += losses ? 5 : 0;
        const char *word = format("%.*s%s", (int)strcspn(name, " "), name, sign);
        if (!strstr(names, format("%s%s", sign, word)))
            names = format("%s%s", names, word);
    }
    return format("%.*s", (int)strlen(names) - 2, names + 1);
}

static const char *vim_keywords(const char *group, const char *names)
{
    enum { COLUMNS = 118 };
    const char *text = "";
    size_t column = COLUMNS;
    while (*names) {
        size_t word = strcspn(names, " ");
        if (column + 1 + word > COLUMNS) {
            const char *start = format("syntax keyword %s contained", group);
            text = format("%s%s%s", text, *text ? "\n" : "", start);
            column = strlen(start);
        }
        text = format("%s %.*s", text, (int)word, names);
        column += 1 + word;
        names += word + (names[word] != '\0');
    }
    return format("%s\n", text);
}

static void vim_lists(void)
{
    file_part("grammar/vim/syntax/nnc.vim", "\" begin kinds\n", "\" end kinds\n",
              format("%s%s", vim_keywords("nncKind", names_of_kinds(false, " ")), vim_keywords("nncLossName", names_of_kinds(true, " "))));
}

static void vscode_rule(const char *rule, const char *name, const char *before, const char *words)
{
    file_part("grammar/vscode/nnc.tmLanguage.json", format("        \"%s\": {\n", rule), "        },\n",
              format("            \"patterns\": [\n                {\n                    \"match\": \"%s(%s)\\\\b\",\n"
                     "                    \"captures\": {\"1\": {\"name\": \"%s\"}}\n                }\n            ]\n",
                     before, words, name));
}

static void vscode_lists(void)
{
    vscode_rule("kinds", "keyword.control.nnc", "(?:^|(?<=[;{:]))\\\\s*", names_of_kinds(false, "|"));
    vscode_rule("losses", "support.type.nnc", "(?<=\\\\bloss\\\\s)\\\\s*", names_of_kinds(true, "|"));
}

static bool has_vim(void)
{
    return command_succeeds("vim --version | grep -q '+syntax'");
}

/* A network, and how each word of it that has a group of its own shows; in Vim's names. */
static const char network[] = "input 3x8x8  # conv\n\"a.b\": conv 4 k3 p1 bias=false; tanh\nx:\nadd \"a.b\"; gelu tanh=true; from x\n"
    "repeat 2 { slice $a 3->4; Down(2, 3) }\nconv 4 pad=reflect\nfirst: fc 10; loss huber 0.5\n";
static const char shows[] = "input Kind|3x8x8 Number|# conv Comment|\"a.b\" Label|conv Kind|4 Number|k3 Short|p1 Short|bias Argument|"
    "false Boolean|tanh Kind|x Label|add Kind|\"a.b\" String|gelu Kind|tanh Argument|true Boolean|from Kind|repeat Kind|2 Number|"
    "slice Kind|$a Parameter|3 Number|-> Arrow|4 Number|Down Call|2 Number|3 Number|conv Kind|4 Number|pad Argument|reflect Value|"
    "first Label|fc Kind|10 Number|loss Kind|huber LossName|0.5 Number|";

/* Prints each piece of the text that has a group. */
static const char vim_script[] =
    "set nocompatible\nset runtimepath^=../../../../grammar/vim\nfiletype on\nsyntax on\nedit net.nn\nlet found = ''\n"
    "for line in range(1, line('$'))\n  let last = ''\n  for column in range(1, strlen(getline(line)) + 1)\n"
    "    let group = synIDattr(synID(line, column, 1), 'name')\n"
    "    if group !=# last && last !=# ''\n      let found .= ' ' . strpart(last, 3) . '|'\n    endif\n"
    "    let found .= group ==# '' ? '' : getline(line)[column - 1]\n    let last = group\n  endfor\nendfor\n"
    "call writefile([found], 'shows')\nqall!\n";

static void vim_shows(void)
{
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", network, sizeof network - 1);
    file_write(SCRATCH "/script.vim", vim_script, sizeof vim_script - 1);
    process run = process_run(SCRATCH, (const char *const[]){"vim", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", "script.vim", NULL},
                              NULL, 0, NULL);
    char *text = file_read(SCRATCH "/shows", NULL);
    check(text && strcmp(text, format("%s\n", shows)) == 0, "vim shows\n%s, not\n%s\n%s", text ? text : "nothing", shows, run.out);
    free(text);
    process_free(&run);
}

static bool has_python(void)
{
    return command_succeeds("python3 -c 'import json, re'");
}

/* The grammar is JSON with patterns that compile, and its rules, taken in their order as VS Code takes them, show what Vim
 * shows. */
static const char vscode_script[] =
    "import json, re, sys\n"
    "for name in 'package.json', 'language-configuration.json':\n    json.load(open(sys.argv[1] + '/' + name))\n"
    "grammar = json.load(open(sys.argv[1] + '/nnc.tmLanguage.json'))\n"
    "rules = [rule for part in grammar['patterns'] for rule in grammar['repository'][part['include'][1:]]['patterns']]\n"
    "for line in open('net.nn'):\n"
    "    line, at = line.rstrip('\\n'), 0\n"
    "    while at < len(line):\n"
    "        found = [(m.start(), i, m) for i, r in enumerate(rules) for m in [re.compile(r['match']).search(line, at)] if m]\n"
    "        if not found:\n            break\n"
    "        _, i, m = min(found, key=lambda f: f[:2])\n"
    "        group = 1 if 'captures' in rules[i] else 0\n"
    "        name = rules[i]['captures']['1']['name'] if group else rules[i]['name']\n"
    "        print(m.group(group), name[:-4], sep=' ', end='|')\n"
    "        at = max(m.end(), at + 1)\n";

static void vscode_shows(void)
{
    static const struct {
        const char *vim, *vscode;
    } names[] = {
        {"Kind", "keyword.control"}, {"Number", "constant.numeric"}, {"Comment", "comment.line.number-sign"},
        {"Label", "entity.name.label"}, {"Short", "constant.other"}, {"Argument", "variable.parameter"},
        {"Boolean", "constant.language"}, {"String", "string.quoted.double"}, {"Parameter", "variable.other"},
        {"Arrow", "keyword.operator"}, {"Call", "entity.name.function"}, {"Value", "support.constant"}, {"LossName", "support.type"},
    };
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", network, sizeof network - 1);
    process run = process_run(SCRATCH, (const char *const[]){"python3", "-c", vscode_script, "../../../../grammar/vscode", NULL},
                              NULL, 0, NULL);
    const char *expected = "";
    for (const char *c = shows; *c; c += strcspn(c, "|") + 1) {
        const char *piece = format("%.*s", (int)strcspn(c, "|"), c), *group = strrchr(piece, ' ');
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(group + 1, names[i].vim) == 0)
                expected = format("%s%.*s %s|%s", expected, (int)(group - piece), piece, names[i].vscode,
                                  strcmp(names[i].vim, "Argument") == 0 ? "= keyword.operator|" : "");
    }
    check(run.status == 0 && strcmp(run.out, expected) == 0, "VS Code shows\n%s, not\n%s\n%s", run.out, expected, run.err);
    process_free(&run);
}

void add_editors_suite(void)
{
    static CU_TestInfo tests[] = {
        {"bash's lists", bash_lists}, {"bash completes", bash_completes}, {"zsh's lists", zsh_lists}, {"zsh completes", zsh_completes},
        {"Vim's lists", vim_lists}, {"Vim shows", vim_shows}, {"VS Code's lists", vscode_lists}, {"VS Code shows", vscode_shows},
        CU_TEST_INFO_NULL,
    };
    static const test_need zsh = {has_zsh, "zsh", "zsh"}, vim = {has_vim, "vim with highlighting", "vim"},
        python = {has_python, "python3", "python3"};
    add_suite("editors", NULL, NULL, tests);
    add_to_check("editors", NULL);
    add_need("editors", "zsh completes", &zsh);
    add_need("editors", "Vim shows", &vim);
    add_need("editors", "VS Code shows", &python);
}
