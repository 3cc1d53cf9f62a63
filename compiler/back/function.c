/* function.c: prints one function of net.c from its nests: lower, verify, print.
 *
 * Tensors are parameters with their real dimensions, in straight-line code plain pointers with constant
 * offsets. A function that straight-line code makes too long for the C compiler to digest quickly is cut
 * into parts. */
#include <stdlib.h>
#include <string.h>

#include "back/loops.h"

enum { TERMS_A_PART = 256 };

typedef struct Writer {
    FILE *file;
    const Function *function;
    Printer printer;
    Numbering numbering;
    Text body;           /* statements so far */
    Named named, ever;   /* in this part, and in some part before */
    Text calls;          /* of the parts so far */
    int parts;
    int64_t points;      /* in this part */
} Writer;

/* ---- Parameters and parts -------------------------------------------------------------------- */

/* As the C of a parameter has it. */
static const char *param_text(const Function *function, int i)
{
    const Tensor *tensor = function->param[i];
    const char *type =
        format("%s%s", function->param_written[i] ? "" : "const ", tensor->is_int ? "int" : "float");
    if (function->unroll == UNROLL_FULL)
        return format("%s *%s%s", type, function->brief ? "" : "restrict ", c_name(tensor->name));
    /* Where vectors may reach behind the last row the compiler isn't told where that is. */
    const char *outer =
        tensor->overrun ? "" : format("%lld", (long long)(tensor->rank ? tensor->room[0] : 1));
    char *text = format("%s %s[%s%s]", type, c_name(tensor->name),
                        function->brief ? ""
                        : *outer        ? "restrict "
                                        : "restrict",
                        outer);
    for (int d = 1; d < tensor->rank; d++)
        text = format("%s[%lld]", text, (long long)tensor->room[d]);
    return text;
}

/* Behind the head of the function: one below the other, or all in the next lines where the longest doesn't
 * fit there. */
static void put_params(Writer *w, FILE *f, const char *head, bool only_used)
{
    enum { MOST_COLUMNS = 129, MARGIN = 8 };
    const char *separator = "";
    const Function *function = w->function;
    int column = (int)strlen(head);
    for (int i = 0; i < function->nparams; i++)
        if ((!only_used || w->named.param[i]) && column + (int)strlen(param_text(function, i)) > MOST_COLUMNS)
            column = MARGIN;
    fprintf(f, "%s", head);
    if (column != (int)strlen(head))
        fprintf(f, "\n%*s", column, "");
    for (int i = 0; i < function->nparams; i++) {
        if (only_used && !w->named.param[i])
            continue;
        if (*separator)
            fprintf(f, ",\n%*s", column, "");
        fprintf(f, "%s", param_text(function, i));
        separator = ",";
    }
    if (only_used ? w->named.step : function->uses_step) {
        fprintf(f, "%s%sint step", separator, *separator ? " " : "");
        separator = ",";
    }
    if (only_used ? w->named.rng : function->uses_random) {
        fprintf(f, "%s%suint64_t rng", separator, *separator ? " " : "");
        separator = ",";
    }
    if (only_used ? w->named.mean : function->uses_mean) {
        fprintf(f, "%s%sfloat mean", separator, *separator ? " " : "");
        separator = ",";
    }
    if (only_used ? w->named.samples : function->uses_samples) {
        fprintf(f, "%s%sfloat samples", separator, *separator ? " " : "");
        separator = ",";
    }
    if (function->batched || function->uses_at_hand) {
        fprintf(f, "%s%sint m", separator, *separator ? " " : "");
        separator = ",";
    }
    if (!*separator)
        fprintf(f, "void");
}

static void put_used_arguments(Writer *w, Text *t)
{
    const char *separator = "";
    for (int i = 0; i < w->function->nparams; i++)
        if (w->named.param[i]) {
            put(t, "%s%s", separator, c_name(w->function->param[i]->name));
            separator = ", ";
        }
    if (w->named.step) {
        put(t, "%sstep", separator);
        separator = ", ";
    }
    if (w->named.rng) {
        put(t, "%srng", separator);
        separator = ", ";
    }
    if (w->named.mean) {
        put(t, "%smean", separator);
        separator = ", ";
    }
    if (w->named.samples)
        put(t, "%ssamples", separator);
}

/* Closes a part once it is long enough; w->calls gathers how the whole calls it. */
static void end_part(Writer *w)
{
    if (!w->body.length)
        return;
    char *head = format("static NOINLINE void %s_%d(", w->function->name, ++w->parts);
    put_params(w, w->file, head, true);
    fprintf(w->file, ")\n{\n%.*s}\n\n", (int)w->body.length, w->body.data);
    put(&w->calls, "    %s_%d(", w->function->name, w->parts);
    put_used_arguments(w, &w->calls);
    put(&w->calls, ");\n");
    for (int i = 0; i < w->function->nparams; i++) {
        w->ever.param[i] |= w->named.param[i];
        w->named.param[i] = false;
    }
    w->ever.step |= w->named.step;
    w->ever.rng |= w->named.rng;
    w->ever.mean |= w->named.mean;
    w->ever.samples |= w->named.samples;
    w->named.step = w->named.rng = w->named.mean = w->named.samples = false;
    w->body.length = 0;
    w->points = 0;
}

/* ---- Nests ----------------------------------------------------------------------------------- */

static void put_nest(Writer *w, const Kernel *k, int64_t step, int level)
{
    const Node *nodes = lower_kernel(k, w->function->unroll, step, &w->numbering);
    verify_loops(w->function, k, nodes);
    for (const Node *n = nodes; n; n = n->next) {
        if (n->points && w->points >= TERMS_A_PART)
            end_part(w);
        print_node(&w->printer, n, level);
        w->points += n->points;
    }
}

/* Kernels that share a loop over blocks or steps. In straight-line code the steps are written out. */
static void put_together(Writer *w, const Kernel *begin, const Kernel *end)
{
    const int64_t written = steps_written(begin, w->function->unroll);
    const int64_t rounds = begin->blocks ? begin->blocks : written > 1 ? 1 : steps_of(begin);
    const bool loop = begin->blocks || rounds > 1;
    const char *name = begin->blocks ? "block" : "step";
    if (loop)
        put(&w->body, "    for (int %s = 0; %s < %lld; %s++) {\n", name, name, (long long)rounds, name);
    for (int64_t step = 0; step < written; step++)
        for (const Kernel *k = begin; k != end; k = k->next)
            put_nest(w, k, written > 1 ? step : -1, loop ? 2 : 1);
    if (loop)
        put(&w->body, "    }\n");
}

/* ---- The function ---------------------------------------------------------------------------- */

static void put_unused(Writer *w)
{
    const Function *f = w->function;
    for (int i = 0; i < f->nparams; i++)
        if (!w->named.param[i] && !w->ever.param[i])
            fprintf(w->file, "    (void)%s;\n", c_name(f->param[i]->name));
    if (f->uses_step && !w->named.step && !w->ever.step)
        fprintf(w->file, "    (void)step;\n");
    if (f->uses_random && !w->named.rng && !w->ever.rng)
        fprintf(w->file, "    (void)rng;\n");
    if (f->uses_mean && !w->named.mean && !w->ever.mean)
        fprintf(w->file, "    (void)mean;\n");
    if (f->uses_samples && !w->named.samples && !w->ever.samples)
        fprintf(w->file, "    (void)samples;\n");
}

void emit_function(FILE *file, const Function *f, const char *kind, bool *tables, Uses *uses)
{
    const Mark mark = mark_memory(); /* a function's terms are many, and only it needs them */
    Writer w = {.file = file,
                .function = f,
                .named.param = NEW_ARRAY(bool, f->nparams + 1),
                .ever.param = NEW_ARRAY(bool, f->nparams + 1)};
    w.printer = (Printer){.out = &w.body, .function = f, .named = &w.named, .tables = tables, .uses = uses,
                          .kind = kind, .index[BLOCK] = "block", .index[STEP] = "step"};
    for (const Kernel *k = f->kernels, *end; k; k = end) {
        end = behind_loop(k);
        put_together(&w, k, end);
    }
    if (w.parts)
        end_part(&w);
    char *head = format("static %s void %s(", f->brief ? "inline" : "NOINLINE", f->name);
    put_params(&w, file, head, false);
    fprintf(file, ")\n{\n");
    put_unused(&w);
    const Text *text = w.parts ? &w.calls : &w.body;
    if (text->length)
        fwrite(text->data, 1, text->length, file);
    fprintf(file, "}\n\n");
    free(w.body.data);
    free(w.calls.data);
    release(mark);
}
