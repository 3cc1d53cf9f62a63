/* transform.c: Winograd's transforms, all of it in registers.
 *
 *     out[i, j] = first + the sum over k, l of P[i, k] Q[j, l] in[k, l]
 *
 * What is read, then columns by P, then rows by Q. The matrices become sums of vectors in which nothing is
 * multiplied by one or added that is zero, and two rows, or columns, of the same numbers with other signs
 * share what they have in common. */
#include <math.h>
#include <string.h>

#include "back/lowering.h"

enum { MOST_ENTRIES = 16 };

/* Some of a matrix, and what it is multiplied by; columns may be added. */
typedef struct Sums {
    double entry[MOST_ENTRIES][MOST_ENTRIES];
    const Term *in[MOST_ENTRIES];
    const Term *out[MOST_ENTRIES]; /* NULL: all of the row is zero */
    int rows, columns;
} Sums;

static Sums sums_of(const Nest *nest, int matrix)
{
    const Statement *s = nest->kernel->body;
    const Access *m = &s->rhs->arg[0]->arg[matrix]->access;
    int to = matrix_index(s, matrix, true), from = matrix_index(s, matrix, false);
    Affine at = position_of(*m);
    Sums sums = {.rows = (int)nest->count[to], .columns = (int)nest->count[from]};
    if (sums.rows > MOST_ENTRIES / 2 || sums.columns > MOST_ENTRIES / 2)
        bug("a matrix of %d x %d", sums.rows, sums.columns);
    for (int row = 0; row < sums.rows; row++)
        for (int column = 0; column < sums.columns; column++)
            sums.entry[row][column] =
                m->tensor->data[at.constant + at.coefficient[to] * (nest->begin[to] + row)
                                + at.coefficient[from] * (nest->begin[from] + column)];
    return sums;
}

/* sum + term, or sum - term; sum NULL: there is none so far. */
static const Term *extend(const Term *sum, const Term *term, bool minus)
{
    if (!sum)
        return minus ? op_term(OP_SUB, number_term(0, false), term) : term;
    return op_term(minus ? OP_SUB : OP_ADD, sum, term);
}

/* One sum of the row's products, those without a minus first; NULL: all of the row is zero. */
static const Term *sum_of_row(const Sums *s, const double *entry)
{
    const Term *sum = NULL;
    double common = 0;
    int n = 0;
    for (int c = 0; c < s->columns; c++) {
        if (!entry[c])
            continue;
        common = n++ && common != fabs(entry[c]) ? 1 : fabs(entry[c]);
    }
    if (n < 2)
        common = 1;
    for (int turn = 0; turn < 4; turn++) /* + x, + a x, - x, - a x */
        for (int c = 0; c < s->columns; c++) {
            double e = entry[c] / common;
            if (!e || (turn >= 2) != (e < 0) || (turn & 1) != (fabs(e) != 1))
                continue;
            const Term *product = s->in[c];
            if (fabs(e) != 1)
                product = op_term(OP_MUL, number_term(fabs(e), false), product);
            sum = extend(sum, product, e < 0);
        }
    return common == 1 ? sum : op_term(OP_MUL, number_term(common, false), sum);
}

/* first + sum, from left to right. */
static const Term *begin_with(const Term *first, const Term *sum)
{
    const bool adds = sum->kind == TERM_OP && (sum->op == OP_ADD || sum->op == OP_SUB);
    if (!adds)
        return op_term(OP_ADD, first, sum);
    const bool minus = sum->op == OP_SUB && sum->arg[0]->kind == TERM_NUMBER;
    return op_term(sum->op, minus ? first : begin_with(first, sum->arg[0]), sum->arg[1]);
}

static const Term *let_sum(Lowering *l, const char *name, const Term *value)
{
    if (!value)
        value = new_term((Term){.kind = TERM_NUMBER, .width = l->lane >= 0 ? l->width : 1});
    return register_term(let(l, name, false, value));
}

/* How many numbers of two rows, or columns, are the same, the same but for signs, or neither. */
typedef struct Alike {
    int same, opposite, other;
} Alike;

static void compare(Alike *alike, double x, double y)
{
    alike->same += x && x == y;
    alike->opposite += x && x == -y;
    alike->other += x != y && x != -y;
}

static bool worth_sharing(const Alike *alike)
{
    return !alike->other && alike->same && alike->opposite && alike->same + alike->opposite >= 3;
}

/* Two columns whose entries are alike but for their signs: their sum and their difference are columns
 * instead. */
static void share_columns(Lowering *l, Sums *s, const char *suffix)
{
    for (int a = 0, columns = s->columns; a < columns; a++)
        for (int b = a + 1; b < columns; b++) {
            Alike alike = {0, 0, 0};
            for (int r = 0; r < s->rows; r++)
                compare(&alike, s->entry[r][a], s->entry[r][b]);
            if (!worth_sharing(&alike))
                continue;
            for (int sign = 0; sign < 2; sign++) {
                int c = s->columns++;
                s->in[c] = let_sum(l, format("%s%d%s", sign ? "minus" : "plus", a, suffix),
                                   extend(s->in[a], s->in[b], sign));
                for (int r = 0; r < s->rows; r++)
                    s->entry[r][c] = s->entry[r][a] == (sign ? -1 : 1) * s->entry[r][b] ? s->entry[r][a] : 0;
            }
            for (int r = 0; r < s->rows; r++)
                s->entry[r][a] = s->entry[r][b] = 0;
        }
}

/* The sums of all rows; two rows that are alike but for signs share their two parts. */
static void lower_sums(Lowering *l, Sums *s, const char *suffix)
{
    share_columns(l, s, suffix);
    for (int a = 0; a < s->rows; a++) {
        for (int b = a + 1; b < s->rows && !s->out[a]; b++) {
            double part[2][MOST_ENTRIES] = {{0}};
            Alike alike = {0, 0, 0};
            for (int c = 0; c < s->columns; c++) {
                double x = s->entry[a][c], y = s->entry[b][c];
                compare(&alike, x, y);
                part[x != y][c] = x;
            }
            if (!worth_sharing(&alike))
                continue;
            const Term *even = let_sum(l, format("even%d%s", a, suffix), sum_of_row(s, part[0]));
            const Term *odd = let_sum(l, format("odd%d%s", a, suffix), sum_of_row(s, part[1]));
            s->out[a] = extend(even, odd, false);
            s->out[b] = extend(even, odd, true);
        }
        if (!s->out[a])
            s->out[a] = sum_of_row(s, s->entry[a]);
    }
}

/* What is read, column by column, times P. */
static void lower_columns(Lowering *l, const Nest *nest, const Sums *matrix, int from[2],
                          const Term *between[MOST_ENTRIES][MOST_ENTRIES])
{
    const Statement *s = nest->kernel->body;
    for (int column = 0; column < nest->count[from[1]]; column++) {
        Sums columns = *matrix;
        for (int c = 0; c < columns.columns; c++) {
            l->offset[from[0]] = nest->begin[from[0]] + c;
            l->offset[from[1]] = nest->begin[from[1]] + column;
            const Term *value = lower_expr(l, s->rhs->arg[1], false);
            value = l->lane >= 0 ? as_vector(l, value) : value;
            columns.in[c] = let_sum(l, format("in%d%d", c, column), value);
        }
        lower_sums(l, &columns, format("%d", column));
        for (int i = 0; i < columns.rows; i++)
            between[i][column] = let_sum(l, format("column%d%d", i, column), columns.out[i]);
    }
}

static void lower_output(Lowering *l, const Nest *nest, const Output *o, const Term *value)
{
    const Kernel *k = nest->kernel;
    const char *name = output_name(nest, o);
    if (!k->first || !expr_is(k->first->rhs, 0)) {
        const Term *first = k->first ? lower_expr(l, k->first->rhs, false) : lower_load(l, &k->body->out);
        first = l->lane >= 0 ? as_vector(l, first) : first;
        value = value ? begin_with(first, value) : first;
    }
    lower_results(l, nest, o, name, let_sum(l, name, value));
}

void lower_transform(Lowering *l, Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body;
    int to[2], from[2];
    Node **begin = l->end;
    Output o;
    Sums matrix[2];
    const Term *between[MOST_ENTRIES][MOST_ENTRIES];
    open_tile(l, nest, &o, true);
    for (int m = 0; m < 2; m++) {
        to[m] = matrix_index(s, m, true);
        from[m] = matrix_index(s, m, false);
        matrix[m] = sums_of(nest, m);
        l->fixed[from[m]] = true;
    }
    lower_columns(l, nest, &matrix[0], from, between);
    for (int i = 0; i < nest->count[to[0]]; i++) {
        Sums rows = matrix[1];
        memcpy(rows.in, between[i], sizeof rows.in);
        lower_sums(l, &rows, format("r%d", i));
        for (int j = 0; j < rows.rows; j++) {
            o.at[to[0]] = i;
            o.at[to[1]] = j;
            move_to(l, nest, &o);
            lower_output(l, nest, &o, rows.out[j]);
        }
        if (k->window)
            lower_windows(l, nest, &o, to[0]);
    }
    if (k->followers)
        lower_followers(l, nest, &o);
    append_behind(l, begin);
}
