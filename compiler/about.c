/* about.c: what nnc says of itself: --layers, the documentation of kinds, and --example, ready networks.
 *
 * The one idea: the table of kinds is the documentation, and the networks are those of examples/, which the
 * tests train. */
#include <ctype.h>
#include <string.h>

#include "back/back.h"

static const struct {
    const char *name, *text;
} examples[] = {
#include "examples.inc"
};
enum { NEXAMPLES = sizeof examples / sizeof *examples };

const char *param_form(const Param *p)
{
    const char *name = p->name;
    if (isupper((unsigned char)*name) || p->positional)
        return p->type == PARAM_LABELS ? "LABEL..." : name;
    if (p->type == PARAM_OF)
        return format("%s N", name);
    const char *words = p->choices ? p->choices : p->type == PARAM_FLAG ? "true|false" : "X";
    return name[1] ? format("%s=%s", name, words)
                   : format("%sN%s", name, p->type == PARAM_PAIR ? format(" or %sHxW", name) : "");
}

static void print_kind(const Kind *kind, bool whole)
{
    printf("%s\n", kind->syntax);
    if (kind->help)
        print_indented(kind->help, 4);
    for (const Param *p = kind->params; whole && p->name; p++) {
        const char *fallback = !p->fallback ? "" : *p->fallback ? format("; %s if left out", p->fallback)
                                                                 : "; may be left out";
        printf("    %-20s %s%s\n", param_form(p), p->help ? p->help : "", fallback);
    }
    if (whole && kind->examples)
        printf("example:\n    %.*s\n", (int)strcspn(kind->examples, "|"), kind->examples);
}

void print_layers(const char *name)
{
    const char **names = NEW_ARRAY(const char *, nkinds);
    bool found = !name;
    for (int i = 0; i < nkinds; i++) {
        names[i] = kinds[i]->name;
        if (!kinds[i]->syntax || (name && strcmp(kinds[i]->name, name)))
            continue;
        print_kind(kinds[i], name != NULL);
        found = true;
    }
    const Kind *meant = found ? NULL : kind_meant(name, false);
    const char *near = found ? NULL : meant ? meant->name : closest(name, names, nkinds);
    if (!found)
        fail("--layers: there is no kind '%s'; %s [option-value]", name,
             near ? format("did you mean %s?", near) : "nnc --layers lists them all");
}

void print_example(const char *name)
{
    const char *names[NEXAMPLES];
    for (int i = 0; i < NEXAMPLES; i++) {
        names[i] = examples[i].name;
        if (!name)
            puts(names[i]);
        if (!name || strcmp(names[i], name))
            continue;
        fputs(examples[i].text, stdout);
        return;
    }
    const char *near = name ? closest(name, names, NEXAMPLES) : NULL;
    if (name)
        fail("--example: there is no network '%s'; %s [option-value]", name,
             near ? format("did you mean %s?", near) : "nnc --example lists them all");
}
