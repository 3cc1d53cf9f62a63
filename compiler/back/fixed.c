/* fixed.c: the C of net.c and net.h that is the same for all networks, but for names and numbers.
 *
 * It lies in fixed/, as C files that are compiled and tested as they stand. The build makes of their
 * sections the table here (fixed/embed.awk), so that a network gets those that it needs. Some words of a
 * section stand for others: a list says which. To a C compiler that reads the file as it stands they are
 * macros or names. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

static const struct { const char *name, *text;
} sections[] = {
#include "fixed.inc"
};

static const char *text_of(const char *name)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (!strcmp(sections[i].name, name))
            return sections[i].text;
    bug("compiler/back/fixed has no section %s", name);
}

/* What the identifier becomes; NULL: it stays. */
static const char *other_word(const char *word, size_t length, const FixedWord *words)
{
    for (const FixedWord *w = words; w && w->word; w++) {
        size_t own = strlen(w->word);
        if (own > length)
            continue;
        if (own == length && !strncmp(word, w->word, own))
            return w->text;
        if (w->word[own - 1] == '_' && !strncmp(word, w->word, own))
            return format("%s%.*s", w->text, (int)(length - own), word + own);
        if (w->word[0] == '_' && !strncmp(word + length - own, w->word, own))
            return format("%.*s%s", (int)(length - own), word, w->text);
    }
    return NULL;
}

void put_fixed(FILE *f, const char *section, const FixedWord *words)
{
    for (const char *c = text_of(section); *c;) {
        size_t length = 0;
        while (isalnum((unsigned char)c[length]) || c[length] == '_')
            length++;
        const char *other = length ? other_word(c, length, words) : NULL;
        if (other)
            fputs(other, f);
        else
            fprintf(f, "%.*s", (int)(length ? length : 1), c);
        c += length ? length : 1;
    }
}

const char *fixed_text(const char *section, const FixedWord *words)
{
    TextStream memory;
    put_fixed(open_text(&memory), section, words);
    close_text(&memory);
    const char *text = copy_text(memory.text, memory.length);
    free(memory.text);
    return text;
}

const FixedWord *vector_words(int lanes, const char *kind)
{
    static const char *const names[] = {"vec", "vec_memory", "vec_mask", "vec_bits", "LOAD", "STORE",
                                        "LOAD_FIRST", "STORE_FIRST", "FIRST", "ALL", "SELECT", "ABS",
                                        "LANES", "EACH", "SUM", "GREATEST", "_in_place", "_v"};
    enum { NAMES = sizeof names / sizeof *names };
    FixedWord *words = NEW_ARRAY(FixedWord, NAMES + 5), *w = words;
    *w++ = (FixedWord){"VEC_LANES", format("%d", lanes)};
    *w++ = (FixedWord){"VEC_BYTES", format("%d", 4 * lanes)};
    if (!*kind)
        return words;
    *w++ = (FixedWord){"sum_lanes", format("sum%s", kind)};
    *w++ = (FixedWord){"greatest_lanes", format("greatest%s", kind)};
    for (int i = 0; i < NAMES; i++)
        *w++ = (FixedWord){names[i], format("%s%s", names[i], kind)};
    return words;
}
