/* lines.c: text on its way into generated C: folded lines, harmless comments, memory streams. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

/* Text from outside, made harmless inside a C comment. */
const char *comment_text(const char *text)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        if (!isprint((unsigned char)*c) || (*c == '*' && c[1] == '/') || (*c == '/' && c[1] == '*'))
            *c = '?';
    return copy;
}

const char *dims_text(int rank, const int64_t *dim, const char *before, const char *between,
                      const char *after)
{
    char *text = format("%s", "");
    for (int i = 0; i < rank; i++)
        text =
            format("%s%s%lld%s", text, i ? between : before, (long long)dim[i], i == rank - 1 ? after : "");
    return text;
}

/* ---- Long lines ------------------------------------------------------------------------------ */

enum { COLUMNS = 130, LEAST_PIECE = 16, NO_BREAK = 1 << 30 };

/* How little a line should end before c, with so many parentheses open there; a bracket counts as three. */
static int cost_of_break(const char *c, int open)
{
    static const struct { const char *text; int cost;
    } operators[] = {
        {"for ", -1}, {"? ", 0},  {": ", 0}, {"+ ", 1}, {"- ", 1},
        {"<= ", 2},   {"== ", 2}, {"* ", 3}, {"/ ", 3},
    };
    if (c[-1] == ' ' && c[-2] == ',')
        return 4 * open;
    if (c[-1] == ' ' && c[-2] == '=')
        return 4 * open + 5;
    for (size_t i = 0; c[-1] == ' ' && i < sizeof operators / sizeof *operators; i++)
        if (!strncmp(c, operators[i].text, strlen(operators[i].text)))
            return 4 * open + operators[i].cost;
    return NO_BREAK;
}

/* A line of C or of a comment; too long a one goes on in the next, farther in. Strings stay whole. */
static void put_line(FILE *f, const char *line, int length)
{
    const char *c = line, *end = line + length;
    bool begins = !strncmp(line, "/*", 2), comment = begins || !strncmp(line, " *", 2);
    int margin = begins ? 3 : 2 * comment + (int)strspn(line + 2 * comment, " ") + 8;
    int room = COLUMNS, open = 0, least_piece = margin + LEAST_PIECE;
    while (end - line > room) {
        const char *best = NULL;
        int least = NO_BREAK, open_there = 0;
        bool quoted = false;
        for (c = line; c <= line + room + 1 && c < end; c++) {
            int cost = quoted || c - line < least_piece ? NO_BREAK : cost_of_break(c, open);
            if (cost <= least && cost < NO_BREAK) {
                best = c;
                least = cost;
                open_there = open;
            }
            quoted ^= *c == '"' && !comment;
            open += (*c == '(' || *c == '{') - (*c == ')' || *c == '}') + 3 * (*c == '[') - 3 * (*c == ']');
        }
        if (!best)
            break;
        for (c = best; c[-1] == ' ';)
            c--;
        fprintf(f, "%.*s\n%-*s", (int)(c - line), line, margin, comment ? " *" : "");
        line = best;
        open = open_there;
        room = COLUMNS - margin;
        least_piece = LEAST_PIECE;
    }
    fprintf(f, "%.*s\n", (int)(end - line), line);
}

/* The lines of what was printed to memory. Frees it. */
void put_lines(FILE *f, TextStream *memory)
{
    for (const char *line = memory->text, *end; (end = strchr(line, '\n')); line = end + 1)
        put_line(f, line, (int)(end - line));
    free(memory->text);
}
