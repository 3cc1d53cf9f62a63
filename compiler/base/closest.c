/* closest.c: "did you mean": the word that a mistyped one is nearest to. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { MAX_WORD = 40 };

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

/* Edits from a to b: a letter put in, left out, replaced, or two neighbours exchanged (Damerau 1964, without
 * edits inside an exchange). Upper and lower case count as the same letter. */
static int edits(const char *a, const char *b)
{
    int la = (int)strlen(a), lb = (int)strlen(b);
    int d[MAX_WORD + 1][MAX_WORD + 1];
    for (int i = 0; i <= la; i++)
        d[i][0] = i;
    for (int j = 0; j <= lb; j++)
        d[0][j] = j;
    for (int i = 1; i <= la; i++)
        for (int j = 1; j <= lb; j++) {
            int ai = tolower((unsigned char)a[i - 1]), bj = tolower((unsigned char)b[j - 1]);
            int best = least_of(d[i - 1][j] + 1, d[i][j - 1] + 1);
            best = least_of(best, d[i - 1][j - 1] + (ai != bj));
            if (i > 1 && j > 1 && ai == tolower((unsigned char)b[j - 2])
                && bj == tolower((unsigned char)a[i - 2]))
                best = least_of(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    return d[la][lb];
}

/* The candidate nearest to word, the first among equals; NULL when none is near enough to be what was meant
 * (one edit in three letters, and in one or two). Candidates may be NULL. */
const char *closest(const char *word, const char *const *candidates, int n)
{
    int length = (int)strlen(word), best = 0;
    const char *found = NULL;
    if (length > MAX_WORD)
        return NULL;
    for (int i = 0; i < n; i++) {
        int difference = candidates[i] ? (int)strlen(candidates[i]) - length : MAX_WORD;
        if (abs(difference) > (length + 1) / 3 || length + difference > MAX_WORD)
            continue; /* each letter more or less is an edit */
        int distance = edits(word, candidates[i]);
        if (distance <= (length + 1) / 3 && distance < length && (!found || distance < best)) {
            best = distance;
            found = candidates[i];
        }
    }
    return found;
}
