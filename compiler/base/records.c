/* records.c: messages for programs: --diagnostics-format=json and sarif.
 *
 * In: one message after the other, as text has them: an error or a warning, then its notes. Out: one JSON
 * array of them, laid out as gcc's, or one SARIF 2.1.0 log, each ended by records_end.
 *
 * The one idea: each record is written as it comes, so that nothing is kept, and a message about memory that
 * has run out comes out as well. What is written is ASCII but for what was UTF-8 in the user's text. */
#include <string.h>

#include "base/base.h"

static DiagnosticsFormat wanted;

static enum { CLOSED, OPENED, IN_MESSAGE, IN_NOTES } state;

void records_start(DiagnosticsFormat format)
{
    wanted = format;
    state = CLOSED;
}

bool records_wanted(void)
{
    return wanted != DIAGNOSTICS_TEXT;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void print_string(FILE *f, const char *text)
{
    size_t length = strlen(text);
    char shown[16];
    fputc('"', f);
    for (size_t i = 0, bytes; i < length; i += bytes) {
        show_character(text + i, length - i, shown, &bytes);
        for (const char *c = shown; *c; c++)
            if (*c == '"' || *c == '\\')
                fprintf(f, "\\%c", *c);
            else if (*c == '\t')
                fputs("\\t", f);
            else
                fputc(*c, f);
    }
    fputc('"', f);
}

static void print_field(FILE *f, const char *name, const char *text)
{
    fprintf(f, ", \"%s\": ", name);
    print_string(f, text);
}

/* ---- As gcc writes it ------------------------------------------------------------------------ */

static void json_place(FILE *f, const char *name, const Record *r, int line, int column)
{
    fprintf(f, "\"%s\": {\"file\": ", name);
    print_string(f, r->file);
    fprintf(f, ", \"line\": %d, \"column\": %d}", line, column);
}

static void json_record(FILE *f, const Record *r)
{
    fprintf(f, "{\"kind\": ");
    print_string(f, r->kind);
    print_field(f, "message", r->message);
    if (r->code)
        print_field(f, "code", r->code);
    if (r->option)
        print_field(f, "option", r->option);
    fprintf(f, ", \"locations\": [");
    if (r->file) {
        fputc('{', f);
        json_place(f, "caret", r, r->line, r->column);
        fputs(", ", f);
        json_place(f, "finish", r, r->line, r->last_column);
        fputc('}', f);
    }
    fprintf(f, "]");
}

/* ---- SARIF ----------------------------------------------------------------------------------- */

static void sarif_message(FILE *f, const Record *r)
{
    fprintf(f, "\"message\": {\"text\": ");
    print_string(f, r->message);
    fputc('}', f);
}

static void sarif_place(FILE *f, const Record *r)
{
    if (!r->file)
        return;
    fprintf(f, "\"physicalLocation\": {\"artifactLocation\": {\"uri\": ");
    print_string(f, r->file);
    fprintf(f, "}, \"region\": {\"startLine\": %d, \"startColumn\": %d, \"endColumn\": %d}}", r->line,
            r->column, r->last_column + 1);
}

static void sarif_record(FILE *f, const Record *r)
{
    fprintf(f, "{\"level\": ");
    print_string(f, r->kind);
    if (r->code)
        print_field(f, "ruleId", r->code);
    fprintf(f, ", ");
    sarif_message(f, r);
    fprintf(f, ", \"locations\": [{");
    sarif_place(f, r);
    fprintf(f, "}]");
}

static void sarif_note(FILE *f, const Record *r)
{
    fputc('{', f);
    sarif_place(f, r);
    fputs(r->file ? ", " : "", f);
    sarif_message(f, r);
    fputc('}', f);
}

/* ---- The stream ------------------------------------------------------------------------------ */

static void open_records(FILE *f)
{
    if (wanted == DIAGNOSTICS_SARIF)
        fputs("{\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\", \"version\": \"2.1.0\", "
              "\"runs\": [{\"tool\": {\"driver\": {\"name\": \"nnc\", \"version\": \"" NNC_VERSION "\"}}, "
              "\"columnKind\": \"unicodeCodePoints\", \"results\": [", f);
    else
        fputc('[', f);
    state = OPENED;
}

/* Ends the message before, with its notes. */
static void close_message(FILE *f)
{
    if (state == IN_MESSAGE)
        fputs(wanted == DIAGNOSTICS_SARIF ? "}" : ", \"children\": []}", f);
    else if (state == IN_NOTES)
        fputs("]}", f);
}

void record(FILE *f, const Record *r)
{
    bool sarif = wanted == DIAGNOSTICS_SARIF;
    if (state == CLOSED)
        open_records(f);
    if (r->belongs && state >= IN_MESSAGE) {
        fputs(state == IN_NOTES ? ", " : sarif ? ", \"relatedLocations\": [" : ", \"children\": [", f);
        state = IN_NOTES;
        if (sarif) {
            sarif_note(f, r);
        } else {
            json_record(f, r);
            fputc('}', f);
        }
        return;
    }
    close_message(f);
    fputs(state == OPENED ? "\n" : ",\n", f);
    state = IN_MESSAGE;
    sarif ? sarif_record(f, r) : json_record(f, r);
}

void records_end(FILE *f)
{
    if (!records_wanted())
        return;
    if (state == CLOSED)
        open_records(f);
    close_message(f);
    fputs(wanted == DIAGNOSTICS_SARIF ? "]}]}\n" : "]\n", f);
    fflush(f);
    state = CLOSED;
    wanted = DIAGNOSTICS_TEXT;
}
