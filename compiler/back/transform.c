/* transform.c: Winograd's transforms.
 *
 *     out[i, j] = first + the sum over k, l of P[i, k] Q[j, l] in[k, l]
 *
 * What is read, column by column, times P: into an array. Then row by row of that times Q. Both are loops of
 * a few rounds, which the C compiler writes out (UNROLLED); windows and followers ask for several rows at
 * once, which are written out here. The matrices become sums of vectors in which nothing is
 * multiplied by one or added that is zero, and two rows, or columns, of the same numbers with other signs
 * share what they have in common. */
#include <math.h>

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

/* Row and column in an array: numbers, but that the loop over an index gives one of them (`which`) where
 * there is a loop. It begins with `from`. index -1: there is none. */
static const Affine *place_in_array(int64_t row, int64_t column, int which, int index, int64_t from)
{
    Affine *at = NEW_ARRAY(Affine, 2);
    at[0] = affine(row);
    at[1] = affine(column);
    if (index >= 0) {
        at[which] = affine(-from);
        at[which].coefficient[index] = 1;
    }
    return at;
}

/* What is read, column by column, times P: into an array, in a loop over the columns. */
static const Register *lower_columns(Lowering *l, const Nest *nest, const Sums *matrix, const int from[2])
{
    const Statement *s = nest->kernel->body;
    const int64_t begin = nest->begin[from[1]], count = nest->count[from[1]];
    const bool loop = count > 1;
    Register *between = new_register(l, "column", true);
    between->rows = matrix->rows;
    between->columns = (int)count;
    between->width = l->lane >= 0 ? l->width : 1;
    l->numbering->registers += between->rows * between->columns;
    append(l, (Node){.kind = NODE_LET, .reg = between});
    Node **behind = l->end;
    if (loop)
        append_around(l, (Node){.kind = NODE_LOOP, .index = from[1], .name = s->index_name[from[1]],
                                .from = begin, .to = begin + count, .step = 1, .unrolled = true});
    l->fixed[from[1]] = !loop;
    l->offset[from[1]] = loop ? 0 : begin;
    Sums columns = *matrix;
    for (int c = 0; c < columns.columns; c++) {
        l->offset[from[0]] = nest->begin[from[0]] + c;
        const Term *value = lower_expr(l, s->rhs->arg[1], false);
        value = l->lane >= 0 ? as_vector(l, value) : value;
        columns.in[c] = let_sum(l, format("in%d", c), value);
    }
    lower_sums(l, &columns, "");
    for (int i = 0; i < columns.rows; i++) {
        const Term *value = columns.out[i] ? columns.out[i] : number_term(0, false);
        value = l->lane >= 0 ? as_vector(l, value) : value;
        append(l, (Node){.kind = NODE_SET, .reg = between, .value = value,
                         .at = place_in_array(i, 0, 1, loop ? from[1] : -1, begin)});
    }
    append_behind(l, behind);
    l->fixed[from[1]] = true;
    return between;
}

static void lower_output(Lowering *l, const Nest *nest, const Output *o, const char *name, const Term *value)
{
    const Kernel *k = nest->kernel;
    if (!k->first || !expr_is(k->first->rhs, 0)) {
        const Term *first = k->first ? lower_expr(l, k->first->rhs, false) : lower_load(l, &k->body->out);
        first = l->lane >= 0 ? as_vector(l, first) : first;
        value = value ? begin_with(first, value) : first;
    }
    const bool more = k->nthen || k->window || k->followers;
    lower_results(l, nest, o, name, value && !more ? value : let_sum(l, name, value));
}

/* Rows times Q, row by row: in a loop where nothing follows that asks for several rows. */
static void lower_rows(Lowering *l, const Nest *nest, const Sums *matrix, const int to[2],
                       const Register *between, Output *o)
{
    const Kernel *k = nest->kernel;
    const int64_t begin = nest->begin[to[0]], count = nest->count[to[0]];
    const bool loop = count > 1 && !k->window && !k->followers;
    Node **behind = l->end;
    if (loop) {
        append_around(l, (Node){.kind = NODE_LOOP, .index = to[0], .name = l->s->index_name[to[0]],
                                .from = begin, .to = begin + count, .step = 1, .unrolled = true});
        l->fixed[to[0]] = false;
        o->base[to[0]] = 0;
    }
    for (int i = 0; i < (loop ? 1 : count); i++) {
        Sums rows = *matrix;
        for (int c = 0; c < rows.columns; c++)
            rows.in[c] = new_term((Term){.kind = TERM_REGISTER, .reg = between, .width = between->width,
                                         .affine = place_in_array(i, c, 0, loop ? to[0] : -1, begin)});
        lower_sums(l, &rows, loop ? "" : format("r%d", i));
        for (int j = 0; j < rows.rows; j++) {
            o->at[to[0]] = i;
            o->at[to[1]] = j;
            move_to(l, nest, o);
            lower_output(l, nest, o, loop ? format("s%d", j) : output_name(nest, o), rows.out[j]);
        }
        if (k->window)
            lower_windows(l, nest, o, to[0]);
    }
    if (loop)
        append_behind(l, behind);
}

void lower_transform(Lowering *l, Nest *nest)
{
    const Statement *s = nest->kernel->body;
    int to[2], from[2];
    Node **begin = l->end;
    Output o;
    Sums matrix[2];
    open_tile(l, nest, &o, true);
    for (int m = 0; m < 2; m++) {
        to[m] = matrix_index(s, m, true);
        from[m] = matrix_index(s, m, false);
        matrix[m] = sums_of(nest, m);
        l->fixed[from[m]] = true;
    }
    const Register *between = lower_columns(l, nest, &matrix[0], from);
    lower_rows(l, nest, &matrix[1], to, between, &o);
    if (nest->kernel->followers)
        lower_followers(l, nest, &o);
    append_behind(l, begin);
}
