/* csv.c: tables of numbers as text, one sample a line.
 *
 * Fields end at commas, semicolons, tabs or blanks, whichever the first line shows; they may be quoted. A
 * line that names the columns is known by a field that is no number where an input should be. The label's
 * column is the last, or what the options say; every other one is an input.
 *
 * The whole file is read when it is opened, so that what is wrong with a line is said then. Its numbers go to
 * a temporary file, as rows of floats with the targets behind them, and are read from there as an array.
 * Labels that are words are classes: a first reading gathers them, and the sorted words are counted. */
#include "data.h"

#include <float.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 10000 };     /* that are classes */

typedef struct field {
    const char *at;
    size_t length;
    int    quoted;
} field;

typedef struct table {
    nn_data *data;
    part    *p;
    const char *begin, *end;     /* of the text */
    const char *at;              /* the next line */
    size_t  line, lines_before;  /* the present line's number; lines before begin */
    size_t  names_line;          /* the number of the line of names, or 0 */
    char    separator;           /* ' ': blanks, one or more */
    field  *fields;              /* of the present line */
    size_t  nfields, room;
    char   *text;                /* of its quoted fields that hold quotation marks */
    size_t  text_used, text_room;
    size_t  columns, inputs;     /* of each line */
    size_t *labels, nlabels;     /* their columns; none where they are not wanted */
    char   *is_label;            /* by column */
    int     classes;             /* the labels are classes, so many; 0: they are numbers */
    int     words;               /* the classes are words */
} table;

/* The part of a field that a message shows: a precision and a text. */
#define SHOWN(f) (int)((f)->length < 50 ? (f)->length : 50), (f)->at

/* An error in the present line. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
static int bad_line(const table *t, const char *format, ...)
{
    va_list arguments;
    char text[400];

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return kit_fail(NN_EFORMAT, "%s: line %zu: %s", t->p->path, t->line, text);
}

/* ---- Lines and fields ------------------------------------------------------------------------ */

static int add_field(table *t, const char *at, size_t length, int quoted)
{
    if (t->nfields == t->room) {
        const size_t room = 2 * t->room + 16;
        field *fields = realloc(t->fields, room * sizeof *fields);

        if (fields == NULL)
            return kit_no_memory();
        t->fields = fields;
        t->room = room;
    }
    t->fields[t->nfields].at = at;
    t->fields[t->nfields].length = length;
    t->fields[t->nfields++].quoted = quoted;
    return 0;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const table *t, const char *at, const char *end)
{
    while (at < end && is_blank(*at) && *at != t->separator)
        at++;
    return at;
}

/* A quoted field whose quotation marks are written twice, with them once. What is left of the line has room
 * in text, which the first such field of a line makes. */
static int add_quoted_field(table *t, const char *at, const char *stop, const char *end)
{
    char *to;

    if (t->text_used == 0 && t->text_room < (size_t)(end - at)) {
        free(t->text);
        t->text_room = (size_t)(end - at);
        t->text = malloc(t->text_room);
        if (t->text == NULL) {
            t->text_room = 0;
            return kit_no_memory();
        }
    }
    to = t->text + t->text_used;
    for (; at < stop; at += 1 + (*at == '"'))
        t->text[t->text_used++] = *at;
    return add_field(t, to, (size_t)(t->text + t->text_used - to), 1);
}

/* One field, which begins at at; *next: behind it and its separator, or NULL where the line ends. */
static int read_field(table *t, const char *at, const char *end, const char **next)
{
    const char *stop;
    int error, marks = 0;

    at = skip_blanks(t, at, end);
    if (at < end && *at == '"') {
        for (stop = at + 1; stop < end && (*stop != '"' || (stop + 1 < end && stop[1] == '"')); stop++)
            if (*stop == '"') {
                stop++;
                marks = 1;
            }
        if (stop >= end)
            return bad_line(t, "a quotation mark is not closed");
        error = marks ? add_quoted_field(t, at + 1, stop, end)
                      : add_field(t, at + 1, (size_t)(stop - at) - 1, 1);
        stop = skip_blanks(t, stop + 1, end);
        if (stop < end && *stop != t->separator)
            return bad_line(t, "there is text behind a quoted field");
    } else {
        const char *last = stop = memchr(at, t->separator, (size_t)(end - at));

        if (stop == NULL)
            last = stop = end;
        while (last > at && is_blank(last[-1]))
            last--;
        error = add_field(t, at, (size_t)(last - at), 0);
    }
    while (t->separator == ' ' && stop + 1 < end && is_blank(stop[1]))
        stop++;
    *next = stop < end ? stop + 1 : NULL;
    return error;
}

/* The next line that is not blank, from *at; *end: behind its last character. 0: none is left. */
static int next_line(table *t, const char **begin, const char **end)
{
    while (t->at < t->end) {
        const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));

        *begin = t->at;
        *end = newline != NULL ? newline : t->end;
        t->at = newline != NULL ? newline + 1 : t->end;
        t->line++;
        while (*end > *begin && ((*end)[-1] == '\r' || is_blank((*end)[-1])) && (*end)[-1] != t->separator)
            (*end)--;
        if (t->separator == ' ' || t->separator == '\0') {
            while (*begin < *end && is_blank(**begin))
                (*begin)++;
            while (*end > *begin && (is_blank((*end)[-1]) || (*end)[-1] == '\r'))
                (*end)--;
        }
        if (*end > *begin)
            return 1;
    }
    return 0;
}

/* Reads the next line into fields; nfields 0: none is left. 0 or an error. */
static int read_line(table *t)
{
    const char *at, *end;
    int error = 0;

    t->nfields = t->text_used = 0;
    if (!next_line(t, &at, &end))
        return 0;
    while (at != NULL && error == 0)
        error = read_field(t, at, end, &at);
    if (error == 0 && t->columns != 0 && t->nfields != t->columns)
        error = bad_line(t, "it has %zu columns, but the lines before it have %zu", t->nfields, t->columns);
    return error;
}

static void rewind_table(table *t)
{
    t->at = t->begin;
    t->line = t->lines_before;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* What strtod makes of the text, which it expects with the locale's point. */
static int slow_number(const field *f, int comma, double *value)
{
    char text[128], *end;

    if (f->length >= sizeof text)
        return 0;
    for (size_t i = 0; i < f->length; i++) {
        const char c = f->at[i];

        if (strchr("0123456789+-.eE", c) == NULL && !(comma && c == ','))
            return 0;
        text[i] = c == '.' || c == ',' ? *localeconv()->decimal_point : c;
    }
    text[f->length] = '\0';
    *value = strtod(text, &end);
    return *text != '\0' && *end == '\0';
}

/* Is the field a number? comma: with a decimal comma. Numbers and powers of ten of up to 15 digits are exact
 * in a double, so that one division rounds as strtod does (Clinger 1990). */
static int read_number(const field *f, int comma, double *value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
                                    1e14, 1e15};
    const char *at = f->at, *const end = at + f->length;
    const int minus = at < end && *at == '-';
    int digits = 0, places = 0, point = 0;
    uint64_t mantissa = 0;

    at += minus;
    for (; at < end; at++) {
        if (*at >= '0' && *at <= '9') {
            mantissa = 10 * mantissa + (uint64_t)(*at - '0');
            places += point;
            if (++digits > 15)
                return slow_number(f, comma, value);
        } else if ((*at == '.' || (comma && *at == ',')) && !point)
            point = 1;
        else
            return slow_number(f, comma, value);
    }
    *value = (double)mantissa / powers[places];
    if (minus)
        *value = -*value;
    return digits > 0;
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* Does a column of the present line hold a number that a float can be? */
static int finite_number(const table *t, size_t column, double *value)
{
    return read_number(&t->fields[column], t->separator == ';', value) &&
           *value <= FLT_MAX && *value >= -FLT_MAX;
}

static int is_number(const table *t, size_t column)
{
    double value;

    return read_number(&t->fields[column], t->separator == ';', &value);
}

/* What separates the fields of the first line. */
static char find_separator(const char *at, const char *end)
{
    size_t counts[3] = {0};
    int quoted = 0, most = 0;

    for (; at < end; at++) {
        quoted ^= *at == '"';
        if (!quoted && *at == ';')
            counts[0]++;
        else if (!quoted && *at == '\t')
            counts[1]++;
        else if (!quoted && *at == ',')
            counts[2]++;
        else if (!quoted && *at == ' ')
            most = 1; /* blanks, if nothing else */
    }
    if (counts[0] > 0)
        return ';';
    if (counts[1] > 0)
        return '\t';
    return counts[2] > 0 || !most ? ',' : ' ';
}

/* The column of a number from 1, or of a name in the present line. */
static int find_column(const table *t, const char *name, size_t length, size_t *column)
{
    size_t number = 0, digits = 0;

    for (; digits < length && name[digits] >= '0' && name[digits] <= '9' && number <= t->nfields; digits++)
        number = 10 * number + (size_t)(name[digits] - '0');
    if (digits == length) {
        *column = number - 1;
        return number >= 1 && number <= t->nfields;
    }
    for (*column = 0; *column < t->nfields; ++*column)
        if (t->fields[*column].length == length && memcmp(t->fields[*column].at, name, length) == 0)
            return 1;
    return 0;
}

static void add_label(table *t, size_t column)
{
    if (!t->is_label[column])
        t->labels[t->nlabels++] = column;
    t->is_label[column] = 1;
}

/* The columns that the options name. */
static int named_labels(table *t)
{
    const char *name = t->data->options.label;

    size_t column;

    if (find_column(t, name, strlen(name), &column)) { /* a name may hold a comma */
        add_label(t, column);
        return 0;
    }
    while (*name != '\0') {
        const size_t length = strcspn(name, ",");

        if (!find_column(t, name, length, &column))
            return bad_line(t, "there is no column \"%.*s\" among its %zu; name one of them, or give its "
                            "number, from 1", (int)length, name, t->nfields);
        add_label(t, column);
        name += length + (name[length] == ',');
    }
    return 0;
}

/* The last columns: as many as the network has targets, or one, or none, where labels may be missing. */
static void last_labels(table *t)
{
    const nn_model *model = t->data->model;
    const int floats = model->targets > 0 && !model->int_targets;
    size_t n = 1;

    if (t->columns == model->input && (t->data->options.no_targets || model->targets == 0 ||
                                       (floats && model->targets == model->input)))
        n = 0;
    else if (model->targets > 0 && t->columns == model->input + model->targets)
        n = model->targets;
    for (size_t i = 0; i < n && n < t->columns; i++)
        add_label(t, t->columns - n + i);
}

/* Whether the targets are to be read. */
static int wants_labels(const table *t)
{
    const nn_model *model = t->data->model;

    return !t->data->options.no_targets && model->targets > 0 &&
           (model->int_targets || model->targets != model->input || t->nlabels == model->targets);
}

/* Reads the first line: the separator, the number of columns, which are labels, and whether it has names. */
static int read_first(table *t)
{
    const char *begin, *end;
    int error;

    do { /* comments */
        t->begin = t->at;
        t->lines_before = t->line;
        if (!next_line(t, &begin, &end))
            return kit_fail(NN_EFORMAT, "%s: it holds no samples", t->p->path);
    } while (*begin == '#');
    t->separator = find_separator(begin, end);
    rewind_table(t);
    error = read_line(t);
    if (error != 0)
        return error;
    t->columns = t->nfields;
    t->is_label = calloc(t->columns, 1);
    t->labels = calloc(t->columns, sizeof *t->labels);
    if (t->is_label == NULL || t->labels == NULL)
        return kit_no_memory();
    if (t->data->options.label != NULL) {
        error = named_labels(t);
        if (error != 0)
            return error;
    } else
        last_labels(t);
    t->inputs = t->columns - t->nlabels;
    if (t->inputs != t->data->model->input)
        return bad_line(t, "it has %zu columns, %zu without the label, but the network takes %zu; write "
                        "`input %zu` in the .nn file, or give other data", t->columns, t->inputs,
                        t->data->model->input, t->inputs);
    if (!wants_labels(t))
        t->nlabels = 0;
    for (size_t c = 0; c < t->columns && t->names_line == 0; c++)
        if (!t->is_label[c] && t->fields[c].length > 0 && !is_number(t, c))
            t->names_line = t->line;
    return 0;
}

/* ---- Labels ---------------------------------------------------------------------------------- */

/* The order of the classes: of their bytes. */
static int compare(const char *word, const field *f)
{
    const size_t length = strlen(word);
    const int order = memcmp(word, f->at, length < f->length ? length : f->length);

    return order != 0 ? order : length < f->length ? -1 : length > f->length;
}

/* The place of a word among the sorted classes, or where it would be; *found. */
static size_t place_of(const nn_data *data, const field *f, int *found)
{
    size_t low = 0, high = data->nclasses;

    while (low < high) {
        const size_t middle = (low + high) / 2;

        if (compare(data->classes[middle], f) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < data->nclasses && compare(data->classes[low], f) == 0;
    return low;
}

static int add_word(table *t, const field *f)
{
    nn_data *data = t->data;
    int found;
    const size_t place = place_of(data, f, &found);
    char **classes;

    if (found)
        return 0;
    if (data->nclasses == MOST_WORDS)
        return bad_line(t, "the label's column has more than %d different words, too many to be classes; "
                        "name another column (--label)", MOST_WORDS);
    classes = realloc(data->classes, (data->nclasses + 1) * sizeof *classes);
    if (classes == NULL)
        return kit_no_memory();
    data->classes = classes;
    memmove(classes + place + 1, classes + place, (data->nclasses - place) * sizeof *classes);
    classes[place] = kit_copy_text(f->at, f->length);
    data->nclasses++;
    return classes[place] != NULL ? 0 : kit_no_memory();
}

/* The next line of a sample. */
static int read_sample(table *t)
{
    int error = read_line(t);

    if (error == 0 && t->nfields > 0 && t->line == t->names_line)
        error = read_line(t);
    return error;
}

/* The words of all lines. */
static int gather_words(table *t)
{
    int error;

    rewind_table(t);
    while ((error = read_sample(t)) == 0 && t->nfields > 0)
        for (size_t i = 0; i < t->nlabels && error == 0; i++)
            error = add_word(t, &t->fields[t->labels[i]]);
    return error;
}

/* What the labels are, by the network and the first sample. */
static int choose_labels(table *t)
{
    const nn_model *model = t->data->model;
    int error, numbers = 1;

    rewind_table(t);
    error = read_sample(t);
    if (error != 0 || t->nlabels == 0)
        return error;
    for (size_t i = 0; i < t->nlabels && t->nfields > 0; i++)
        numbers &= is_number(t, t->labels[i]);
    if (model->int_targets)
        t->classes = (int)(model->output / model->targets);
    else if (model->targets > 1 && model->targets != model->input && t->nlabels == 1)
        t->classes = (int)model->targets;
    else if (model->targets == 1 && !numbers)
        t->classes = 2;
    if (t->classes == 0 || (numbers && t->data->nclasses == 0))
        return 0;
    t->words = 1;
    if (t->data->nclasses > 0) /* of the training data, or of the part before */
        return 0;
    if (t->data->options.like != NULL)
        return bad_line(t, "the label is a word, but the classes of the training data are numbers");
    return gather_words(t);
}

/* The class in a column. 0 or an error. */
static int read_class(const table *t, size_t column, int32_t *label)
{
    const field *f = &t->fields[column];
    double value;
    int found;

    *label = 0;
    if (t->words) {
        *label = (int32_t)place_of(t->data, f, &found);
        if (!found)
            return bad_line(t, "the label \"%.*s\" is none of the %zu known classes", SHOWN(f),
                            t->data->nclasses);
        return 0;
    }
    if (!finite_number(t, column, &value))
        return bad_line(t, "the label \"%.*s\" is no number, as those before it are", SHOWN(f));
    if (value > -1000 && value < 2e9)
        *label = (int32_t)value;
    if (*label != value || ((*label < 0 || *label >= t->classes) && *label != -100))
        return bad_line(t, "the label %.*s is none of the network's classes, 0 to %d; mend it, or give "
                        "the network's last layer more outputs", SHOWN(f), t->classes - 1);
    return 0;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* No finite number is in a column of the present line. */
static int not_a_number(table *t, size_t column)
{
    const field f = t->fields[column];
    const size_t line = t->line;
    char name[60] = "", held[60];

    snprintf(held, sizeof held, "%.*s", SHOWN(&f)); /* the field is gone when another line is read */
    if (t->names_line != 0) {
        rewind_table(t);
        if (read_line(t) == 0 && column < t->nfields)
            snprintf(name, sizeof name, " (%.*s)", SHOWN(&t->fields[column]));
        t->line = line;
    }
    if (f.length == 0)
        return bad_line(t, "column %zu%s is empty; leave the line out, or write a number", column + 1, name);
    return bad_line(t, "column %zu%s holds \"%s\", which is no finite number", column + 1, name, held);
}

/* The present line as a row: inputs, then labels. */
static int read_row(table *t, float *row)
{
    float *input = row, *label = row + t->inputs;
    double value;
    int32_t number;

    for (size_t c = 0; c < t->columns; c++)
        if (!t->is_label[c]) {
            if (!finite_number(t, c, &value))
                return not_a_number(t, c);
            *input++ = (float)value;
        }
    for (size_t i = 0; i < t->nlabels; i++)
        if (t->classes > 0) {
            if (read_class(t, t->labels[i], &number) != 0)
                return NN_EFORMAT;
            memcpy(&label[i], &number, sizeof number);
        } else {
            if (!finite_number(t, t->labels[i], &value))
                return not_a_number(t, t->labels[i]);
            label[i] = (float)value;
        }
    return 0;
}

static int copy_rows(table *t, spool *rows)
{
    float *row = malloc(t->columns * sizeof *row);
    int error = row != NULL ? 0 : kit_no_memory();

    rewind_table(t);
    while (error == 0 && (error = read_sample(t)) == 0 && t->nfields > 0) {
        error = read_row(t, row);
        if (error == 0)
            error = kit_spool_write(rows, t->p->path, row, (t->inputs + t->nlabels) * sizeof *row);
        t->p->count++;
    }
    free(row);
    return error;
}

/* The rows become the part's arrays, in the place of the text. */
static int keep_rows(table *t, spool *rows)
{
    part *p = t->p;
    int error;

    kit_bytes_close(&p->file);
    error = kit_spool_map(rows, p->path, &p->file);
    if (error != 0)
        return error;
    p->x.at = p->file.at;
    p->x.type = F32;
    p->x.big_endian = kit_is_big_endian();
    p->x.rank = 1;
    p->x.shape[0] = p->x.each = t->inputs;
    p->x.count = p->count;
    p->x.stride = (t->inputs + t->nlabels) * sizeof(float);
    if (t->nlabels == 0)
        return 0;
    p->t = p->x;
    p->t.at += t->inputs * sizeof(float);
    p->t.type = t->classes > 0 ? I32 : F32;
    p->t.shape[0] = p->t.each = t->nlabels;
    return 0;
}

static int read_table(table *t)
{
    spool rows;
    int error = read_first(t);

    if (error == 0)
        error = choose_labels(t);
    if (error == 0)
        error = kit_spool_open(&rows, t->p->path);
    if (error != 0)
        return error;
    error = copy_rows(t, &rows);
    if (error == 0 && t->p->count == 0)
        error = kit_fail(NN_EFORMAT, "%s: it holds no samples", t->p->path);
    if (error == 0)
        return keep_rows(t, &rows);
    kit_spool_close(&rows);
    return error;
}

static int open_csv(nn_data *data, part *p)
{
    table t = {.data = data, .p = p, .begin = (const char *)p->file.at};
    int error;

    t.end = t.begin + p->file.size;
    if (p->file.size >= 3 && memcmp(t.begin, "\xef\xbb\xbf", 3) == 0) /* some write this before UTF-8 */
        t.begin += 3;
    t.at = t.begin;
    error = read_table(&t);
    free(t.fields);
    free(t.text);
    free(t.labels);
    free(t.is_label);
    return error;
}

const reader kit_csv = {kit_is_text, open_csv};
