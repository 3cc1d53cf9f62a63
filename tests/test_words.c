/* test_words.c: the table of other tools' words, row by row.
 *
 * What a row names must exist, and what is said about the word must be of use: the statement that the message
 * gives in the place of the wrong one is compiled, and must be accepted. */
#include "networks.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

static Options options = {.input_file = "net.nn", .output_file = "net.c", .prefix = "net"};

static bool is_loss(const Kind *kind)
{
    return kind->role == ROLE_LOSS;
}

/* ---- Statements with all that their kinds need ---------------------------------------------------------- */

static const char *value_for(const Param *p)
{
    switch (p->type) {
    case PARAM_PAIR:
    case PARAM_INT:
        return strcmp(p->name, "p") ? "2" : "1"; /* a pooling's padding is at most half its kernel */
    case PARAM_CHANNELS:
        return "4";
    case PARAM_SIZE:
        return "4x8x8";
    case PARAM_SIDES:
        return "1";
    case PARAM_FLAG:
        return "false";
    case PARAM_CHOICE:
        return format("%.*s", (int)strcspn(p->choices, "|"), p->choices);
    case PARAM_LABELS:
        return "x";
    default:
        return "0.5";
    }
}

/* The kind's arguments that have no default, but `without`; one that must come along with that. */
static const char *arguments(const Kind *kind, const Param *without)
{
    const char *text = "";
    for (const Param *p = kind->params; p->name; p++)
        if (!p->fallback && p != without)
            text = format("%s %s%s%s", text, p->positional ? "" : p->name,
                          !p->positional && p->name[1] ? "=" : "", value_for(p));
    return without && !strcmp(without->name, "o") ? format("%s s3", text) : text;
}

/* Does the first of the kind's examples begin with an input of two sizes? */
static bool wants_sequence(const Kind *kind)
{
    int t, c, w;
    return kind->examples && sscanf(kind->examples, "input %dx%dx%d", &t, &c, &w) == 2;
}

/* What the kind's place in a network comes behind. */
static const char *input_of(const Kind *kind)
{
    return kind->takes == TAKES_TOKENS ? "4 of 4" : wants_sequence(kind) ? "4x4" : "4x8x8";
}

/* The network in which a statement of that kind has its place. */
static const char *around(const Kind *kind, const char *statement)
{
    return kind->role == ROLE_SETTING
               ? format("%s%s; fc 1", strcmp(kind->name, "batch") ? "" : "input 4; ", statement)
           : is_loss(kind) ? format("input 4x8x8; fc 1; loss %s", statement)
                           : format("input %s; x:; %s; fc 1", input_of(kind), statement);
}

/* Compiles the statement, which must be refused with a message that has `says`; then what is to be written
 * instead, which must be accepted. corrected: there must be such a thing. */
static void refused(const Kind *kind, const char *statement, const char *says, bool corrected)
{
    const char *text = around(kind, statement);
    check(!network_of(text, &options), "`%s` is accepted", text);
    const char *said = format("%s", network_messages());
    check(strstr(said, says), "`%s`: should say \"%s\", says:\n%s", text, says, said);
    const char *help = strstr(said, "help: write `");
    check(!corrected || help, "`%s`: nothing to write instead:\n%s", text, said);
    if (!help)
        return;
    help += strlen("help: write `") + (is_loss(kind) ? strlen("loss ") : 0);
    const char *better = around(kind, format("%.*s", (int)strcspn(help, "`"), help));
    check(network_of(better, &options), "`%s`, in the place of `%s`, is refused:\n%s", better, text,
          network_messages());
}

/* ---- The rows -------------------------------------------------------------------------------------------------- */

static const Param *param_called(const Kind *kind, const char *name)
{
    for (const Param *p = kind->params; p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

/* Each word once, in the form in which it is looked up; each sentence in one of the forms that messages end
 * with. */
static void rows(void)
{
    check(nforeign_words > 200, "the table has only %d rows", nforeign_words);
    for (int i = 0; i < nforeign_words; i++) {
        const Word *w = &foreign_words[i];
        check(strspn(w->word, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(w->word),
              "'%s' can't be found", w->word);
        check(w->ours || w->say, "'%s' says nothing", w->word);
        if (w->say && w->use != WORD_ARGUMENT)
            check(!strncmp(w->say, "is ", 3) || !strncmp(w->say, "write ", 6)
                      || !strncmp(w->say, "leave ", 6),
                  "'%s': %s", w->word, w->say);
        for (int k = 0; k < i; k++) {
            const Word *other = &foreign_words[k];
            bool same = other->use == w->use && !strcmp(other->word, w->word);
            check(!same
                      || (w->use == WORD_ARGUMENT && w->ours && other->ours && strcmp(w->ours, other->ours)),
                  "'%s' is there twice", w->word);
        }
    }
}

/* No kind of nnc is called so, and what is meant is one. */
static void kinds_and_losses(void)
{
    for (int i = 0; i < nforeign_words; i++) {
        const Word *w = &foreign_words[i];
        bool loss = w->use == WORD_LOSS;
        if (w->use != WORD_KIND && !loss)
            continue;
        for (int k = 0; k < nkinds; k++)
            check(is_loss(kinds[k]) != loss || !same_word(kinds[k]->name, w->word), "'%s' is nnc's own",
                  w->word);
        const Kind *kind = w->ours ? find_kind(w->ours) : NULL;
        if (w->ours)
            check(kind && is_loss(kind) == loss, "'%s': there is no %s", w->word, w->ours);
        if (kind)
            refused(kind, format("%s%s", w->word, arguments(kind, NULL)),
                    format("'%s'; write %s", w->word, w->ours), true);
        else if (!w->ours)
            refused(find_kind(loss ? "mse" : "relu"), w->word, w->say, false);
    }
    free_all();
}

/* With every kind that has the parameter. Where the kind has an argument of that very name, the word isn't
 * looked up. */
static void arguments_of_kinds(void)
{
    for (int i = 0; i < nforeign_words; i++) {
        const Word *w = &foreign_words[i];
        int tried = 0;
        if (w->use != WORD_ARGUMENT)
            continue;
        for (int k = 0; k < nkinds && w->ours && *w->ours; k++) {
            const Param *p = param_called(kinds[k], w->ours);
            if (!p)
                continue;
            tried++;
            bool letter = p->name[1] == '\0' && !p->positional;
            if (strcmp(p->name, w->word))
                refused(kinds[k],
                        format("%s%s %s=%s", kinds[k]->name, arguments(kinds[k], p), w->word, value_for(p)),
                        format("write %s%s%s", letter || !p->positional ? p->name : "",
                               letter || p->positional ? "" : "=", value_for(p)),
                        true);
        }
        if (w->ours && *w->ours)
            check(tried, "'%s': no kind has an argument %s", w->word, w->ours);
        else
            refused(find_kind("fc"), format("fc 4 %s=1", w->word), w->say, w->ours != NULL);
        free_all();
    }
}

/* In the place of the words of every argument that takes some. */
static void values(void)
{
    for (int i = 0; i < nforeign_words; i++) {
        const Word *w = &foreign_words[i];
        int tried = 0;
        if (w->use != WORD_VALUE)
            continue;
        if (!w->ours || *w->ours == '0') {
            refused(find_kind("conv"), format("conv 4 k3 padding=%s", w->word), w->ours ? "write p0" : w->say,
                    w->ours != NULL);
            continue;
        }
        for (int k = 0; k < nkinds; k++)
            for (const Param *p = kinds[k]->params; p && p->name; p++) {
                const char *choices = p->type == PARAM_FLAG     ? "false|true"
                                      : p->type == PARAM_CHOICE ? p->choices
                                                                : "";
                if (!strstr(format("|%s|", choices), format("|%s|", w->ours)))
                    continue;
                tried++;
                refused(kinds[k],
                        format("%s%s %s=%s", kinds[k]->name, arguments(kinds[k], p), p->name, w->word),
                        format("write %s=%s", p->name, w->ours), true);
            }
        check(tried, "'%s': no argument takes %s", w->word, w->ours);
        free_all();
    }
}

/* A word that the table knows is never taken for one that looks like it, nor a spelling of nnc's own for a
 * foreign one. */
static void not_by_likeness(void)
{
    static const char *const asks[][2] = {
        {"input 4; fc 3; loss ce", "write crossentropy"},
        {"input 3x8x8; deconv 4 k2", "write convtranspose"},
        {"input 3x8x8; conv3d 4 k2", "is not in this version"},
        {"input 3x8x8; celu", "is not in this version"},
        {"input 3x8x8; RELU", "write relu"},
        {"input 3x8x8; Leaky_ReLU", "write leakyrelu"},
        {"input 3x8x8; Densse 4", "did you mean fc?"},
        {"input 3x8x8; conv 4 k2 paddding=1", "did you mean p?"},
        {"input 4; fc 3; loss ctc", "is not in this version"},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        check(!network_of(asks[i][0], &options), "`%s` is accepted", asks[i][0]);
        check(strstr(network_messages(), asks[i][1]), "`%s`: should say \"%s\", says:\n%s", asks[i][0],
              asks[i][1], network_messages());
    }
    free_all();
}

void add_words_suite(void)
{
    static CU_TestInfo tests[] = {
        {"each row is well formed", rows},
        {"kinds and losses of other tools", kinds_and_losses},
        {"arguments of other tools", arguments_of_kinds},
        {"values of other tools", values},
        {"words that look like others", not_by_likeness},
        CU_TEST_INFO_NULL,
    };
    add_suite("words", networks_start, networks_end, tests);
    add_to_check("words", NULL);
}
