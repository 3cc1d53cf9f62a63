/* kernel.c: prints one function of net.c from its kernels.
 *
 * A nest without tiles, as all are under none, becomes nodes, and these C: back/loops.h. Here nests with
 * tiles are lowered and printed in one go; the modes differ in what becomes of each index:
 *
 *     tile    regions without tests; in the largest one outputs are unrolled into named registers, one index
 *             lies in the lanes of a vector, and the kernel's taps are written out
 *     full    every index is a number: the tiles of tile one after the other, each a block of its own; where
 *             nothing lies in lanes, one statement for each output, one term for each point inside
 *
 * Tensors are parameters with their real dimensions, in full plain pointers with constant offsets. A
 * function that full makes too long for the C compiler to digest quickly is cut into parts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "back/loops.h"

enum { WIDTH = 116, TERMS_A_SUM = 64, TERMS_A_PART = 256, MOST_SHARED = 64 };

/* ---- The state of printing one function ------------------------------------------------------ */

typedef struct Writer {
    FILE *file;
    const Plan *plan;
    const Function *function;
    const char *kind;    /* of the vectors, behind their names: "", "16" */
    Text body, term;     /* statements so far; one term of a sum */
    Named named, ever;   /* in this part, and in some part before */
    Text calls;          /* of the parts so far */
    int parts;
    int64_t terms;       /* in this part */
    bool *tables;
    Uses *uses;

    struct {             /* loads that stand before the statement at hand, as v1, v2, ... */
        Access access;
        int number;
    } early[16];
    int nearly;
    Numbering numbering;

    const Statement *s;  /* the statement at hand, and what its indices are: */
    bool fixed[MAX_INDEX]; /* a number, not a loop */
    int64_t offset[MAX_INDEX]; /* added to the loop's variable, or the number itself */
    int lane;            /* the index in the lanes of a vector, or -1 */
    int width;           /* of that vector */
    int64_t partial;     /* of the vector at hand only so many lanes count; 0: all */
    int level;           /* how far the kernel at hand is indented */

    struct {             /* values that are in registers, and the names of these */
        const Access *access;
        const char *name;
    } held[2 + MAX_THEN + MAX_FOLLOWERS];
    int nheld;

    struct {             /* loads that several outputs of a tile share */
        const char *text, *name;
    } shared[MOST_SHARED];
    int nshared, depth;
    bool sharing;
} Writer;

/* ---- Expressions ----------------------------------------------------------------------------- */

static void put_affine(Writer *w, Text *t, const Affine *a)
{
    int64_t constant = a->constant;
    bool first = true;
    for (int i = -1; i < w->s->nindex; i++) {
        int64_t k = a->coefficient[i < 0 ? BLOCK : i];
        constant += i < 0 ? 0 : k * w->offset[i];
        if (!k || (i >= 0 && w->fixed[i]))
            continue;
        put(t, "%s", first ? k < 0 ? "-" : "" : k < 0 ? " - " : " + ");
        if (k != 1 && k != -1)
            put(t, "%lld * ", (long long)llabs(k));
        put(t, "%s", i < 0 ? "block" : w->s->index_name[i]);
        first = false;
    }
    if (first)
        put(t, "%lld", (long long)constant);
    else if (constant)
        put(t, " %c %lld", constant < 0 ? '-' : '+', (long long)llabs(constant));
}

static bool is_fixed(const Writer *w, const Affine *a)
{
    for (int i = 0; i < w->s->nindex; i++)
        if (a->coefficient[i] && !w->fixed[i])
            return false;
    return !a->coefficient[BLOCK];
}

static int64_t fixed_value(const Writer *w, const Affine *a)
{
    int64_t value = a->constant;
    for (int i = 0; i < w->s->nindex; i++)
        value += a->coefficient[i] * w->offset[i];
    return value;
}

static void mark_used(Writer *w, const Tensor *tensor)
{
    for (int i = 0; i < w->function->nparams; i++)
        if (w->function->param[i] == tensor)
            w->named.param[i] = true;
}

static void put_access(Writer *w, Text *t, const Access *access)
{
    const Tensor *tensor = access->tensor;
    Affine position = position_of(*access);
    bool in_lanes = w->lane >= 0 && position.coefficient[w->lane];
    if (tensor->role == TENSOR_CONSTANT && is_fixed(w, &position) && !in_lanes) {
        put(t, "%s", c_float(tensor->data[fixed_value(w, &position)]));
        return;
    }
    if (tensor->role == TENSOR_CONSTANT)
        w->tables[tensor->id] = true;
    mark_used(w, tensor);
    put(t, "%s", c_name(tensor->name));
    if (tensor->rank == 0)
        put(t, "[0]");
    else if (w->function->unroll == UNROLL_FULL)
        put(t, "[%lld]", (long long)fixed_value(w, &position));
    else
        for (int d = 0; d < tensor->rank; d++) {
            Affine at = affine_add(access->at[d], affine(tensor->before[d]));
            put(t, "[");
            put_affine(w, t, &at);
            if (tensor->ragged && d == 0) {
                put(t, " < m ? ");
                put_affine(w, t, &at);
                put(t, " : m - 1");
            }
            put(t, "]");
        }
}

static bool in_lanes(const Writer *w, const Access *access)
{
    return w->lane >= 0 && depends_on(access, w->lane);
}

enum { ANY = 0, CONDITION = 1, COMPARISON = 2, SUM = 3, PRODUCT = 4, FACTOR = 5 }; /* how tightly it binds */

static void put_expr(Writer *w, Text *t, const Expr *e, int binds, bool as_int);

static const char *type_name(const Writer *w, bool vector)
{
    return vector ? format("vec%s", w->kind) : "float";
}

/* Is it another number in each lane? */
static bool varies(const Writer *w, const Expr *e)
{
    if (w->lane < 0)
        return false;
    if (e->op == OP_LOAD)
        return in_lanes(w, &e->access);
    if (e->op == OP_INDEX)
        return e->index.coefficient[w->lane] != 0;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (varies(w, e->arg[i]))
            return true;
    return false;
}

/* As a vector, also where all lanes are equal. */
static void put_vector(Writer *w, Text *t, const Expr *e)
{
    bool same = !varies(w, e);
    w->uses->all |= same;
    put(t, "%s", same ? format("ALL%s(", w->kind) : "");
    put_expr(w, t, e, ANY, false);
    put(t, "%s", same ? ")" : "");
}

static void put_function(Writer *w, Text *t, const char *name, const Expr *argument)
{
    put(t, "%s(", name);
    put_expr(w, t, argument, ANY, false);
    put(t, ")");
}

/* A function of math.c, on a float or a vector. */
static void put_math(Writer *w, Text *t, const Expr *e, const char *name, unsigned which)
{
    bool vector = varies(w, e);
    *(vector ? &w->uses->vector_math : &w->uses->scalar_math) |= which;
    put_function(w, t, format("%s_%s", name, vector ? format("v%s", w->kind) : "f"), e->arg[0]);
}

static void put_operator(Writer *w, Text *t, const Expr *e, const char *op, int level, int right_level)
{
    if (e->op == OP_SUB && expr_is(e->arg[0], 0))
        put(t, "-");
    else {
        put_expr(w, t, e->arg[0], level, false);
        put(t, " %s ", op);
    }
    put_expr(w, t, e->arg[1], right_level, false);
}

/* Lane by lane: both values are computed, a mask takes one. */
static void put_selection(Writer *w, Text *t, const Expr *e, const char *op)
{
    w->uses->select = true;
    put(t, "SELECT%s(", w->kind);
    put_expr(w, t, e->arg[0], SUM, false);
    put(t, " %s ", op);
    put_expr(w, t, e->arg[1], SUM, false);
    for (int i = 2; i < 4; i++) {
        put(t, ", ");
        put_vector(w, t, e->arg[i]);
    }
    put(t, ")");
}

static void put_conditional(Writer *w, Text *t, const Expr *e, const char *op)
{
    bool mask = varies(w, e->arg[0]) || varies(w, e->arg[1]);
    if (mask) {
        put_selection(w, t, e, op);
        return;
    }
    if (varies(w, e)) { /* one test, vectors behind it */
        put(t, "(");
        put_expr(w, t, e->arg[0], SUM, false);
        put(t, " %s ", op);
        put_expr(w, t, e->arg[1], SUM, false);
        put(t, " ? ");
        put_vector(w, t, e->arg[2]);
        put(t, " : ");
        put_vector(w, t, e->arg[3]);
        put(t, ")");
        return;
    }
    bool ints = false;
    for (int i = 0; i < 2; i++)
        ints |= e->arg[i]->op == OP_LOAD && e->arg[i]->access.tensor->is_int;
    put_expr(w, t, e->arg[0], SUM, ints);
    put(t, " %s ", op);
    put_expr(w, t, e->arg[1], SUM, ints);
    put(t, " ? ");
    put_expr(w, t, e->arg[2], COMPARISON, false);
    put(t, " : ");
    put_expr(w, t, e->arg[3], CONDITION, false);
}

/* May the whole vector that begins there be read? Behind a sample's value place.c leaves room for one. */
static bool vector_inside(const Writer *w, const Access *access)
{
    const Tensor *t = access->tensor;
    if (t->role == TENSOR_VALUE && (t->per_sample || t->of))
        return true;
    Affine at = position_of(*access);
    int64_t least, most;
    affine_range(&at, w->s, &least, &most);
    return most + w->width - w->partial < access->tensor->floats;
}

static void hold(Writer *w, const Access *access, const char *name)
{
    w->held[w->nheld].access = access;
    w->held[w->nheld++].name = name;
}

/* The register in which a value is; NULL: it is in memory. */
static const char *held_name(const Writer *w, const Access *access)
{
    for (int i = 0; i < w->nheld; i++)
        if (access_equal(w->held[i].access, access))
            return w->held[i].name;
    return NULL;
}

static void put_load(Writer *w, Text *t, const Access *access)
{
    const char *name = held_name(w, access);
    if (name) {
        put(t, "%s", name);
        return;
    }
    if (w->sharing) {
        w->sharing = false;
        Text load = {NULL, 0, 0};
        put_load(w, &load, access);
        w->sharing = true;
        for (int i = 0; i < w->nshared; i++)
            if (!strcmp(w->shared[i].text, load.data)) {
                put(t, "%s", w->shared[i].name);
                free(load.data);
                return;
            }
        put(t, "%s", load.data);
        free(load.data);
        return;
    }
    for (int i = 0; i < w->nearly; i++)
        if (access_equal(&w->early[i].access, access)) {
            put(t, "v%d", w->early[i].number);
            return;
        }
    if (!in_lanes(w, access)) {
        put(t, "%s", access->tensor->is_int && w->lane >= 0 ? "(float)" : "");
        put_access(w, t, access);
        return;
    }
    bool part = w->partial && !vector_inside(w, access);
    w->uses->load_first |= part;
    if (part)
        put(t, "LOAD_FIRST%s(%lld, ", w->kind, (long long)w->partial);
    else
        put(t, "LOAD%s(", w->kind);
    put_access(w, t, access);
    put(t, ")");
}

/* The number that an affine form is, as an int or a float, or one in each lane. */
static void put_index(Writer *w, Text *t, const Expr *e, bool as_int)
{
    if (varies(w, e)) {
        Affine first = e->index;
        first.coefficient[w->lane] = 0;
        first.constant += e->index.coefficient[w->lane] * w->offset[w->lane];
        w->uses->lanes = true;
        int64_t step = e->index.coefficient[w->lane];
        if (!w->fixed[w->lane]) /* offset[] is in the constant already */
            put(t, "(LANES%s * %lld.0f + (float)(%lld * %s + ", w->kind, (long long)step, (long long)step,
                w->s->index_name[w->lane]);
        else if (is_fixed(w, &first)) {
            const char *times = step == 1 ? "" : format(" * %lld.0f", (long long)step);
            int64_t at = fixed_value(w, &first);
            put(t, at ? "(LANES%s%s + %s)" : "LANES%s%s", w->kind, times, c_float((double)at));
            return;
        } else
            put(t, "(LANES%s * %lld.0f + (float)(", w->kind, (long long)step);
        put_affine(w, t, &first);
        put(t, "))");
    } else if (as_int)
        put_affine(w, t, &e->index);
    else if (is_fixed(w, &e->index))
        put(t, "%s", c_float((double)fixed_value(w, &e->index)));
    else {
        const size_t begin = t->length;
        put_affine(w, t, &e->index);
        const char *index = format("%s", t->data + begin);
        t->length = begin;
        put(t, strchr(index, ' ') ? "(float)(%s)" : "(float)%s", index);
    }
}

static void put_expr(Writer *w, Text *t, const Expr *e, int binds, bool as_int)
{
    static const int levels[NOPS] = {
        [OP_ADD] = SUM, [OP_SUB] = SUM, [OP_MUL] = PRODUCT, [OP_DIV] = PRODUCT,
        [OP_IF_LE] = CONDITION, [OP_IF_EQ] = CONDITION,
    };
    bool closed = levels[e->op] == CONDITION && varies(w, e); /* put_conditional gives it parentheses */
    bool parenthesis = levels[e->op] && levels[e->op] < binds && !closed;
    put(t, "%s", parenthesis ? "(" : "");
    switch (e->op) {
    case OP_CONSTANT:
        if (as_int)
            put(t, "%.0f", e->value);
        else
            put(t, "%s", c_float(e->value));
        break;
    case OP_LOAD:
        put_load(w, t, &e->access);
        break;
    case OP_INDEX: put_index(w, t, e, as_int); break;
    case OP_RANDOM:
        w->named.rng = true;
        put(t, "nn_uniform_at(rng, (uint64_t)(");
        put_affine(w, t, &e->index);
        put(t, "))");
        break;
    case OP_MEAN:
        w->named.mean = true;
        put(t, "mean");
        break;
    case OP_SAMPLES:
        w->named.samples = true;
        put(t, "samples");
        break;
    case OP_AT_HAND:
        put(t, "(float)m");
        break;
    case OP_ADD: put_operator(w, t, e, "+", SUM, SUM); break;
    case OP_SUB: put_operator(w, t, e, "-", SUM, PRODUCT); break;
    case OP_MUL: put_operator(w, t, e, "*", PRODUCT, PRODUCT); break;
    case OP_DIV: put_operator(w, t, e, "/", PRODUCT, FACTOR); break;
    case OP_EXP: put_math(w, t, e, "exp", MATH_EXP); break;
    case OP_LOG: put_math(w, t, e, "log", MATH_LOG); break;
    case OP_LOG1P: put_math(w, t, e, "log1p", MATH_LOG1P); break;
    case OP_TANH: put_math(w, t, e, "tanh", MATH_TANH); break;
    case OP_SIGMOID: put_math(w, t, e, "sigmoid", MATH_SIGMOID); break;
    case OP_ERF: put_math(w, t, e, "erf", MATH_ERF); break;
    case OP_SQRT: put_math(w, t, e, "sqrt", MATH_SQRT); break;
    case OP_ABS:
        w->uses->absolute |= varies(w, e);
        put_function(w, t, varies(w, e) ? format("ABS%s", w->kind) : "fabsf", e->arg[0]);
        break;
    case OP_IF_LE: put_conditional(w, t, e, "<="); break;
    case OP_IF_EQ: put_conditional(w, t, e, "=="); break;
    default: bug("op %d cannot be printed", e->op);
    }
    put(t, "%s", parenthesis ? ")" : "");
}

/* ---- Early loads -----------------------------------------------------------------------------
 *
 * In a loop, what a conditional expression reads in only one of its branches is read before it: gcc 12 -O3
 * makes masked vector loads of such branches, and for AVX and some lengths it makes wrong ones. */

static bool reads_in_branch(const Expr *e, bool in_branch)
{
    if (e->op == OP_LOAD)
        return in_branch;
    bool branches = e->op == OP_IF_LE || e->op == OP_IF_EQ, found = false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= reads_in_branch(e->arg[i], in_branch || (branches && i >= 2));
    return found;
}

static void put_early(Writer *w, const Expr *e, int depth, bool in_branch)
{
    bool branches = e->op == OP_IF_LE || e->op == OP_IF_EQ;
    for (int i = 0; i < op_info[e->op].arity; i++)
        put_early(w, e->arg[i], depth, in_branch || (branches && i >= 2));
    if (e->op != OP_LOAD || !in_branch || w->nearly == 16 || held_name(w, &e->access))
        return;
    for (int i = 0; i < w->nearly; i++)
        if (access_equal(&w->early[i].access, &e->access))
            return;
    indent(&w->body, depth);
    put(&w->body, "const %s v%d = ", e->access.tensor->is_int ? "int" : "float", ++w->numbering.operands);
    put_access(w, &w->body, &e->access);
    put(&w->body, ";\n");
    w->early[w->nearly].access = e->access;
    w->early[w->nearly++].number = w->numbering.operands;
}

/* ---- Points ---------------------------------------------------------------------------------- */

static void at_statement(Writer *w, const Statement *s)
{
    w->s = s;
    w->lane = -1;
    w->width = 1;
    w->partial = 0;
    memset(w->fixed, 0, sizeof w->fixed);
    memset(w->offset, 0, sizeof w->offset);
}

/* Do all accesses of the point that offset[] names lie inside? */
static bool access_inside(const Writer *w, const Access *access)
{
    for (int d = 0; access->padded && d < access->tensor->rank; d++) {
        int64_t at = fixed_value(w, &access->at[d]);
        if (at < 0 || at >= access->tensor->dim[d])
            return false;
    }
    return true;
}

static bool inside(const Writer *w, const Expr *e)
{
    if (e->op == OP_LOAD && !access_inside(w, &e->access))
        return false;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (!inside(w, e->arg[i]))
            return false;
    return true;
}

/* The next point of the box over the indices begin .. end-1; false behind the last. */
static bool next_point(Writer *w, int begin, int end)
{
    for (int i = end - 1; i >= begin; i--) {
        if (++w->offset[i] < w->s->extent[i])
            return true;
        w->offset[i] = 0;
    }
    return false;
}

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
    w->ever.rng |= w->named.rng;
    w->ever.mean |= w->named.mean;
    w->ever.samples |= w->named.samples;
    w->named.rng = w->named.mean = w->named.samples = false;
    w->body.length = 0;
    w->terms = 0;
}

/* ---- full ------------------------------------------------------------------------------------ */

static char *access_text(Writer *w, const Access *access)
{
    w->term.length = 0;
    put_access(w, &w->term, access);
    char *text = format("%s", w->term.data);
    w->term.length = 0;
    return text;
}

/* Appends w->term to the sum that the body ends in, on a new line where this one is full. */
static void put_term(Writer *w, size_t *line, const char *joint)
{
    if (w->body.length - *line + w->term.length > WIDTH) {
        *line = w->body.length + 1;
        put(&w->body, "\n           ");
    }
    put(&w->body, "%s%s", joint, w->term.data);
    w->term.length = 0;
}

/* A sum of which a class label picks the term: tests one after the other, since a C compiler may take very
 * long over a sum of as many conditional terms. */
static bool picks_by_label(const Expr *e)
{
    return e->op == OP_IF_EQ && e->arg[0]->op == OP_LOAD && e->arg[0]->access.tensor->is_int
        && expr_is(e->arg[3], 0);
}

static void full_pick(Writer *w, const Kernel *k)
{
    const Expr *e = k->body->rhs;
    const char *out = access_text(w, &k->body->out);
    int outputs = output_indices(k->body);
    for (int i = outputs; i < k->body->nindex; i++)
        w->offset[i] = 0;
    if (k->first) {
        put(&w->body, "    %s = ", out);
        put_expr(w, &w->body, k->first->rhs, ANY, false);
        put(&w->body, ";\n");
    }
    do
        if (inside(w, e)) {
            put(&w->body, "    if (");
            put_expr(w, &w->body, e->arg[0], SUM, true);
            put(&w->body, " == ");
            put_expr(w, &w->body, e->arg[1], SUM, true);
            put(&w->body, ")\n        %s += ", out);
            put_expr(w, &w->body, e->arg[2], ANY, false);
            put(&w->body, ";\n");
            w->terms++;
        }
    while (next_point(w, outputs, k->body->nindex));
}

/* out += the terms of one output: one expression, or several onto a local sum if there are very many. */
static void full_sum(Writer *w, const Kernel *k)
{
    const Statement *s = k->body;
    int outputs = output_indices(s), terms = 0;
    size_t line = w->body.length;
    int64_t points = 0;
    for (int i = outputs; i < s->nindex; i++)
        w->offset[i] = 0;
    do
        points += inside(w, s->rhs);
    while (next_point(w, outputs, s->nindex));
    bool local = points > TERMS_A_SUM; /* of one output; else the sum stands in one expression */
    if (!points && !k->first)
        return;
    const char *out = access_text(w, &s->out);
    line = w->body.length;
    if (local)
        put(&w->body, "    {\n    float sum = ");
    else
        put(&w->body, "    %s %s ", out, k->first ? "=" : "+=");
    const char *joint = "";
    bool zero = k->first && expr_is(k->first->rhs, 0);
    if (k->first && !(zero && points)) {
        put_expr(w, &w->term, k->first->rhs, SUM, false);
        put_term(w, &line, joint);
        joint = " + ";
    }
    do
        if (inside(w, s->rhs)) {
            if (local && terms && terms % TERMS_A_SUM == 0) {
                put(&w->body, ";\n");
                line = w->body.length;
                put(&w->body, "    sum += ");
                joint = "";
            }
            put_expr(w, &w->term, s->rhs, SUM, false);
            put_term(w, &line, joint);
            joint = " + ";
            terms++;
        }
    while (next_point(w, outputs, s->nindex));
    put(&w->body, ";\n");
    if (local)
        put(&w->body, "    %s %s sum;\n    }\n", out, k->first ? "=" : "+=");
    w->terms += terms;
}

/* The greatest of the points of one output, and which it was. */
static void full_max(Writer *w, const Kernel *k)
{
    const Statement *s = k->body;
    const char *out = access_text(w, &s->out);
    int outputs = output_indices(s);
    Access position = s->position ? same_place(s->out, s->position) : s->out;
    const char *at = s->position ? access_text(w, &position) : NULL;
    int64_t number = 0, candidates = 0;
    w->uses->greater = true;
    for (int i = outputs; i < s->nindex; i++)
        w->offset[i] = 0;
    put(&w->body, "    {\n");
    do {
        if (inside(w, s->rhs)) {
            w->term.length = 0;
            put_expr(w, &w->term, s->rhs, ANY, false);
            if (!candidates++)
                put(&w->body, "    float best = %s%s;\n", w->term.data,
                    at ? format(", at = %lld.0f", (long long)number) : "");
            else {
                put(&w->body, "    %s = %s;\n", candidates == 2 ? "float v" : "v", w->term.data);
                if (at)
                    put(&w->body, "    at = GREATER(v, best) ? %lld.0f : at;\n", (long long)number);
                put(&w->body, "    best = GREATER(v, best) ? v : best;\n");
            }
            w->term.length = 0;
        }
        number++;
    } while (next_point(w, outputs, s->nindex));
    put(&w->body, "    %s = %s;\n", out, candidates ? "best" : "-INFINITY");
    if (at)
        put(&w->body, "    %s = %s;\n", at, candidates ? "at" : "-1.0f");
    put(&w->body, "    }\n");
    w->terms += candidates;
}

static void emit_full(Writer *w, const Kernel *k)
{
    const Statement *s = k->body ? k->body : k->first;
    at_statement(w, s);
    for (int i = 0; i < s->nindex; i++)
        w->fixed[i] = true;
    bool sums = k->body && gathers(s);
    int indices = sums ? output_indices(s) : s->nindex;
    do {
        if (w->terms >= TERMS_A_PART)
            end_part(w);
        if (!sums && (!inside(w, s->rhs) || !access_inside(w, &s->out)))
            continue;
        if (sums && s->store == STORE_MAX)
            full_max(w, k);
        else if (sums && picks_by_label(s->rhs))
            full_pick(w, k);
        else if (sums)
            full_sum(w, k);
        else {
            put(&w->body, "    %s %s ", access_text(w, &s->out), k->body ? "+=" : "=");
            put_expr(w, &w->body, s->rhs, ANY, false);
            put(&w->body, ";\n");
            w->terms++;
        }
    } while (next_point(w, 0, indices));
}

/* ---- tile: loop nests ------------------------------------------------------------------------ */

/* One nest: a box, the outputs held in registers, the taps written out, one index in lanes. */
typedef struct Nest {
    const Kernel *kernel;
    int64_t begin[MAX_INDEX], count[MAX_INDEX];
    Tile tile;
    int64_t partial;     /* of the last vector along the lane only so many count; 0: all */
    int64_t whole;       /* samples that a tile takes; this nest does those left over. 0: it does not */
} Nest;

static bool is_vector(const Nest *nest)
{
    return nest->tile.lane >= 0 && nest->tile.width > 1;
}

/* Do lanes lie over an index that is summed up? Their sum is taken in the end. */
static bool is_across(const Nest *nest)
{
    return is_vector(nest) && nest->tile.lane >= output_indices(statement_of(nest->kernel));
}

static void open_loop(Writer *w, const Nest *nest, int i, int *depth)
{
    int64_t begin = nest->begin[i], end = begin + nest->count[i], step = nest->tile.factor[i];
    const char *name = w->s->index_name[i];
    if (i == nest->kernel->samples) {
        indent(&w->body, (*depth)++);
        if (nest->whole)
            put(&w->body, "for (int %s = m - m %% %lld; %s < m; %s++)\n", name, (long long)nest->whole, name,
                name);
        else if (step > 1)
            put(&w->body, "for (int %s = 0; %s + %lld <= m; %s += %lld)\n", name, name, (long long)step, name,
                (long long)step);
        else
            put(&w->body, "for (int %s = 0; %s < m; %s++)\n", name, name, name);
        return;
    }
    if (i == nest->tile.lane)
        step *= nest->tile.width;
    if (i == nest->tile.parted) {
        step = nest->tile.parts;
        end = begin + nest->count[i] / step * step;
    }
    if (nest->count[i] <= step) {
        w->fixed[i] = true;
        w->offset[i] = begin;
        return;
    }
    indent(&w->body, (*depth)++);
    if (i == nest->tile.blocked) {
        const char *stop = format("%s0 + %lld", name, (long long)nest->tile.block);
        put(&w->body, "for (int %s = %s0; %s < ", name, name, name);
        if (nest->count[i] % nest->tile.block)
            stop = format("(%s < %lld ? %s : %lld)", stop, (long long)end, stop, (long long)end);
        put(&w->body, "%s; %s++)\n", stop, name);
        return;
    }
    put(&w->body, "for (int %s = %lld; %s < %lld; %s", name, (long long)begin, name, (long long)end, name);
    put(&w->body, "%s\n", step == 1 ? "++)" : format(" += %lld)", (long long)step));
}

/* Does the last loop or test printed need braces? Puts them on its line. */
static void open_brace(Writer *w, int depth, int floor)
{
    if (depth > floor) {
        w->body.length--; /* the newline */
        put(&w->body, " {\n");
    } else {
        indent(&w->body, depth);
        put(&w->body, "{\n");
    }
}

static void close_brace(Writer *w, int depth)
{
    indent(&w->body, depth);
    put(&w->body, "}\n");
}

/* ---- The outputs of a tile ------------------------------------------------------------------- */

/* Where each loop of outputs stands, and which of the tile's outputs is at hand. */
typedef struct Output {
    int64_t base[MAX_INDEX], at[MAX_INDEX];
    int64_t row, vector; /* number of the vector along the lane, and of the row among all others */
} Output;

static void number_output(const Nest *nest, Output *o)
{
    o->row = o->vector = 0;
    for (int i = 0; i < output_indices(statement_of(nest->kernel)); i++)
        if (i == nest->tile.lane)
            o->vector = o->at[i];
        else
            o->row = o->row * nest->tile.factor[i] + o->at[i];
}

static void move_to(Writer *w, const Nest *nest, Output *o)
{
    int outputs = output_indices(w->s), lane = nest->tile.lane;
    for (int i = 0; i < outputs; i++)
        w->offset[i] = o->base[i] + o->at[i] * (i == lane ? nest->tile.width : 1);
    number_output(nest, o);
    w->partial = lane >= 0 && nest->partial && o->at[lane] == nest->tile.factor[lane] - 1 ? nest->partial : 0;
}

static void first_output(Writer *w, const Nest *nest, Output *o)
{
    memset(o->at, 0, sizeof o->at);
    move_to(w, nest, o);
}

/* The next of the outputs that differ in the indices `along`; the last is followed by the first, and
 * false. */
static bool next_along(Writer *w, const Nest *nest, const bool *along, Output *o)
{
    bool more = false;
    for (int i = output_indices(w->s) - 1; i >= 0 && !more; i--) {
        if (!along[i])
            continue;
        more = ++o->at[i] < nest->tile.factor[i];
        o->at[i] = more ? o->at[i] : 0;
    }
    move_to(w, nest, o);
    return more;
}

static bool next_output(Writer *w, const Nest *nest, Output *o)
{
    static const bool all[MAX_INDEX] = {true, true, true, true, true, true, true, true};
    return next_along(w, nest, all, o);
}

static int64_t outputs_held(const Nest *nest)
{
    int64_t n = 1;
    for (int i = 0; i < MAX_INDEX; i++)
        n *= nest->tile.factor[i];
    return n;
}

static const char *register_name(const Nest *nest, const Output *o, int64_t part)
{
    int64_t vectors = nest->tile.lane >= 0 ? nest->tile.factor[nest->tile.lane] : 1,
            held = outputs_held(nest);
    const Statement *s = statement_of(nest->kernel);
    if (is_transform(s)) /* row and column */
        return format("s%lld%lld", (long long)o->at[matrix_index(s, 0, true)],
                      (long long)o->at[matrix_index(s, 1, true)]);
    bool maximum = s->store == STORE_MAX;
    const char *name = held == 1 ? maximum ? "best" : "sum" : maximum ? "best" : "s";
    if (held > 1 && vectors > 1 && vectors < held)
        name = format("%s%lld%s%lld", name, (long long)o->row, o->row > 9 ? "_" : "", (long long)o->vector);
    else if (held > 1)
        name = format("%s%lld", name, (long long)(o->row + o->vector));
    if (is_across(nest))
        name = format("all_%s", name);
    return nest->tile.parts > 1 && part ? format("%s%c", name, (int)('a' + part)) : name;
}

/* What is behind "best" in the name of a register that holds a maximum. */
static const char *maximum_suffix(const char *name)
{
    return strstr(name, "best") + strlen("best");
}

/* ---- Loads and stores of vectors ------------------------------------------------------------- */

/* Does a vector that is stored whole at the end of a row write only into that row's padding? */
static bool ends_in_padding(const Writer *w, const Access *access)
{
    const Tensor *t = access->tensor;
    int d = t->rank - 1;
    if (d < 0 || t->before[d])
        return false;
    Affine only = affine(access->at[d].constant);
    only.coefficient[w->lane] = 1;
    int64_t begin = access->at[d].constant + w->offset[w->lane];
    return affine_equal(&only, &access->at[d]) && w->fixed[w->lane] && begin + w->partial == t->dim[d]
           && begin + w->width <= t->room[d];
}

/* The padding of values means nothing, that of weights and gradients is zero. */
static void put_store(Writer *w, const Nest *nest, const Access *access, const char *value)
{
    Text *t = &w->body;
    if (!is_vector(nest)) {
        put_access(w, t, access);
        put(t, " = %s;\n", value);
        return;
    }
    bool whole = !w->partial || ends_in_padding(w, access),
         zeros = w->partial && access->tensor->role != TENSOR_VALUE;
    int lane = w->lane;
    w->lane = -1;
    if (whole)
        put(t, "STORE%s(", w->kind);
    else {
        put(t, "STORE_FIRST%s(%lld, ", w->kind, (long long)w->partial);
        w->uses->store_first = true;
    }
    put_access(w, t, access);
    w->lane = lane;
    if (whole && zeros) {
        put(t, ", FIRST%s(%lld, %s));\n", w->kind, (long long)w->partial, value);
        w->uses->first = true;
    } else
        put(t, ", %s);\n", value);
}

static char *operand_text(Writer *w, const Expr *e, bool vector, int binds)
{
    Text old = w->term;
    w->term = (Text){NULL, 0, 0};
    put(&w->term, "%s", "");
    if (vector)
        put_vector(w, &w->term, e);
    else
        put_expr(w, &w->term, e, binds, false);
    char *text = format("%s", w->term.data);
    free(w->term.data);
    w->term = old;
    return text;
}

static char *expr_text(Writer *w, const Expr *e, bool vector)
{
    return operand_text(w, e, vector, ANY);
}

/* ---- Loads that several outputs share -------------------------------------------------------- */

static void share_load(const Access *access, void *context)
{
    Writer *w = context;
    Expr e = {.op = OP_LOAD, .access = *access};
    w->sharing = false;
    const char *text = expr_text(w, &e, false);
    w->sharing = true;
    for (int i = 0; i < w->nshared; i++)
        if (!strcmp(w->shared[i].text, text))
            return;
    if (w->nshared == MOST_SHARED)
        return;
    bool vector = in_lanes(w, access);
    const char *name = format("%s%d", vector ? "v" : "a", w->nshared);
    indent(&w->body, w->depth);
    put(&w->body, "const %s %s = %s;\n", type_name(w, vector), name, text);
    w->shared[w->nshared].text = text;
    w->shared[w->nshared++].name = name;
}

/* ---- Accumulation ---------------------------------------------------------------------------- */

static void put_first_value(Writer *w, const Nest *nest, const char *name, int64_t part, int depth)
{
    const Kernel *k = nest->kernel;
    bool vector = is_vector(nest);
    Text *t = &w->body;
    if (k->first && !vector && !part)
        put_early(w, k->first->rhs, depth, false);
    const char *value;
    bool zero =
        part || (k->first && expr_is(k->first->rhs, 0)) || (is_across(nest) && k->body->store == STORE_ADD);
    if (zero)
        value = vector ? "{0}" : "0.0f";
    else if (k->body->store == STORE_MAX)
        value = vector ? format("ALL%s(-INFINITY)", w->kind) : "-INFINITY";
    else {
        Expr old = {.op = OP_LOAD, .access = k->body->out};
        value = expr_text(w, k->first ? k->first->rhs : &old, vector);
    }
    indent(t, depth);
    put(t, "%s %s = %s;\n", type_name(w, vector), name, value);
    w->nearly = 0;
}

/* Which of the points over which a statement takes the maximum is at hand. */
static const char *number_of_point(Writer *w, bool vector)
{
    Expr number = {.op = OP_INDEX, .index = affine(0)};
    for (int i = output_indices(w->s); i < w->s->nindex; i++) {
        number.index = affine_scale(number.index, w->s->extent[i]);
        number.index.coefficient[i] = 1;
    }
    return expr_text(w, &number, vector);
}

/* `to` becomes a where value is greater than best. */
static void put_greater(Writer *w, const char *to, const char *value, const char *best, const char *a,
                        bool vector)
{
    if (vector)
        put(&w->body, "%s = SELECT%s(GREATER(%s, %s), %s, %s);\n", to, w->kind, value, best, a, to);
    else
        put(&w->body, "%s = GREATER(%s, %s) ? %s : %s;\n", to, value, best, a, to);
}

/* The lanes that count of a vector that is summed up. */
static const char *lanes_to_add(Writer *w, const char *value)
{
    if (!w->partial)
        return value;
    w->uses->first = true;
    return format("FIRST%s(%lld, %s)", w->kind, (long long)w->partial, value);
}

static const char *lanes_to_compare(Writer *w, const char *value)
{
    if (!w->partial)
        return value;
    w->uses->select = w->uses->lanes = w->uses->all = true;
    return format("SELECT%s(LANES%s < %lld.0f, %s, ALL%s(-INFINITY))", w->kind, w->kind,
                  (long long)w->partial, value, w->kind);
}

/* One accumulation at the point at hand. */
static void put_accumulation(Writer *w, const Nest *nest, const char *name, int depth)
{
    const Statement *s = nest->kernel->body;
    Text *t = &w->body;
    bool vector = is_vector(nest);
    if (!vector)
        put_early(w, s->rhs, depth, false);
    if (s->store == STORE_ADD) {
        w->depth = depth;
        w->sharing = outputs_held(nest) > 1;
        if (w->sharing)
            visit_loads(s->rhs, share_load, w);
        const char *term = expr_text(w, s->rhs, vector);
        indent(t, depth);
        put(t, "%s += %s;\n", name, is_across(nest) ? lanes_to_add(w, term) : term);
        w->sharing = false;
        w->nearly = 0;
        return;
    }
    const char *suffix = maximum_suffix(name), *value = expr_text(w, s->rhs, false);
    w->uses->greater = true;
    w->uses->select |= vector;
    w->uses->all |= vector;
    indent(t, depth);
    put(t, "v%s = %s;\n", suffix, is_across(nest) ? lanes_to_compare(w, value) : value);
    if (s->position) {
        indent(t, depth);
        put_greater(w, format("at%s", suffix), format("v%s", suffix), name, number_of_point(w, vector),
                    vector);
    }
    indent(t, depth);
    put_greater(w, name, format("v%s", suffix), name, format("v%s", suffix), vector);
}

/* The partial sum to which the point at hand goes, where the index that is parted is written out. */
static int64_t part_at(const Writer *w, const Nest *nest)
{
    int i = nest->tile.parted;
    return i >= 0 && nest->tile.unrolled[i] ? (w->offset[i] - nest->begin[i]) % nest->tile.parts : 0;
}

/* For each tap that is written out, and each partial sum, all outputs of the tile. */
static void put_taps(Writer *w, const Nest *nest, Output *o, int depth, bool parts)
{
    const Statement *s = nest->kernel->body;
    const Tile *tile = &nest->tile;
    int outputs = output_indices(s);
    const bool looped = tile->parted >= 0 && !tile->unrolled[tile->parted];
    for (int i = outputs; i < s->nindex; i++)
        if (tile->unrolled[i]) {
            w->fixed[i] = true;
            w->offset[i] = nest->begin[i];
        }
    int64_t taps = 1, from = looped ? w->offset[tile->parted] : 0;
    for (int i = outputs; i < s->nindex; i++)
        if (tile->unrolled[i])
            taps *= nest->count[i];
    bool blocks =
        outputs_held(nest) > 1 && s->store == STORE_ADD && (taps > 1 || (parts && looped && tile->parts > 1));
    for (bool more = true; more;) {
        for (int64_t part = 0; part < (parts && looped ? tile->parts : 1); part++) {
            if (looped)
                w->offset[tile->parted] = from + part;
            w->nshared = 0;
            if (blocks) {
                indent(&w->body, depth);
                put(&w->body, "{\n");
            }
            first_output(w, nest, o);
            do
                put_accumulation(w, nest, register_name(nest, o, looped ? part : part_at(w, nest)),
                                 depth + blocks);
            while (next_output(w, nest, o));
            if (blocks)
                close_brace(w, depth);
        }
        if (looped)
            w->offset[tile->parted] = from;
        more = false;
        for (int i = s->nindex - 1; i >= outputs && !more; i--)
            if (tile->unrolled[i]) {
                more = ++w->offset[i] < nest->begin[i] + nest->count[i];
                if (!more)
                    w->offset[i] = nest->begin[i];
            }
    }
}

/* The loop over partial sums: whole rounds of them, then the terms that are left over. */
static void put_parts(Writer *w, const Nest *nest, Output *o, int depth)
{
    int i = nest->tile.parted;
    int64_t whole = nest->count[i] / nest->tile.parts * nest->tile.parts;
    int inner = depth;
    open_loop(w, nest, i, &inner);
    if (inner > depth)
        open_brace(w, inner, depth);
    put_taps(w, nest, o, inner, true);
    if (inner > depth)
        close_brace(w, depth);
    Nest rest = *nest;
    rest.begin[i] += whole;
    rest.count[i] -= whole;
    rest.tile.parted = -1;
    w->fixed[i] = false;
    w->offset[i] = 0;
    if (!rest.count[i])
        return;
    inner = depth;
    open_loop(w, &rest, i, &inner);
    if (inner > depth)
        open_brace(w, inner, depth);
    put_taps(w, &rest, o, inner, false);
    if (inner > depth)
        close_brace(w, depth);
}

static void put_reduction(Writer *w, const Nest *nest, Output *o, int depth)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body;
    const Tile *tile = &nest->tile;
    int outputs = output_indices(s), inner = depth;
    int64_t points = outputs_held(nest);
    for (int i = outputs; i < s->nindex; i++) {
        if (!tile->unrolled[i] && i != tile->parted)
            open_loop(w, nest, i, &inner);
        if (tile->unrolled[i])
            points *= nest->count[i];
    }
    bool loop = tile->parted >= 0 && !tile->unrolled[tile->parted];
    bool many =
        points > 1 || s->store == STORE_MAX || loop || (!is_vector(nest) && reads_in_branch(s->rhs, false));
    bool braces = inner > depth && many;
    if (braces)
        open_brace(w, inner, depth);
    if (loop)
        put_parts(w, nest, o, inner);
    else
        put_taps(w, nest, o, inner, true);
    if (braces)
        close_brace(w, inner - 1);
}

/* In a block of its own, since a loop of one round is none. */
static void put_part_of_reduction(Writer *w, const Nest *nest, Output *o, int depth)
{
    bool block = outputs_held(nest) > 1 && nest->kernel->body->store == STORE_ADD;
    if (block) {
        indent(&w->body, depth);
        put(&w->body, "{\n");
    }
    put_reduction(w, nest, o, depth + block);
    if (block)
        close_brace(w, depth);
}

/* All of the reduction; where lanes lie over it, whole vectors, then what is left over. */
static void put_whole_reduction(Writer *w, const Nest *nest, Output *o, int depth)
{
    int lane = nest->tile.lane;
    Nest whole = *nest, rest = *nest;
    rest.partial = is_across(nest) ? nest->count[lane] % nest->tile.width : 0;
    if (!rest.partial) {
        put_reduction(w, nest, o, depth);
        return;
    }
    whole.count[lane] -= rest.partial;
    put_part_of_reduction(w, &whole, o, depth);
    rest.begin[lane] += whole.count[lane];
    rest.count[lane] = nest->tile.width;
    for (int i = output_indices(w->s); i < w->s->nindex; i++) {
        w->fixed[i] = false;
        w->offset[i] = 0;
    }
    put_part_of_reduction(w, &rest, o, depth);
    w->partial = 0;
}

/* What the lanes give together, with the first value: a number, whose name it returns. */
static const char *put_across(Writer *w, const Nest *flat, const Output *o, const char *lanes, int depth)
{
    const Kernel *k = flat->kernel;
    const char *name = register_name(flat, o, 0), *first = "";
    bool maximum = k->body->store == STORE_MAX;
    w->lane = -1;
    w->partial = 0;
    Expr old = {.op = OP_LOAD, .access = k->body->out};
    const Expr *begin = k->first ? k->first->rhs : &old;
    if (!maximum && !expr_is(begin, 0)) {
        put_early(w, begin, depth, false);
        first = format("%s + ", operand_text(w, begin, false, SUM));
        w->nearly = 0;
    }
    *(maximum ? &w->uses->greatest : &w->uses->sum) = true;
    indent(&w->body, depth);
    put(&w->body, "const float %s = %s%s%s(%s);\n", name, first, maximum ? "GREATEST" : "SUM", w->kind,
        lanes);
    return name;
}

static const char *then_name(int number, const char *of)
{
    return number ? format("then%d_%s", number, of) : of;
}

/* What follows on a value while it is in a register, and its way to memory. */
static void put_results(Writer *w, const Nest *nest, const char *name, int depth)
{
    const Kernel *k = nest->kernel;
    const Statement *s = statement_of(k);
    bool vector = is_vector(nest);
    if (!k->dropped[0]) {
        indent(&w->body, depth);
        put_store(w, nest, &s->out, name);
    }
    const char *first_name = name;
    const Access *made = &s->out;
    for (int i = 0; i < k->nthen; i++) {
        hold(w, made, name);
        if (!vector)
            put_early(w, k->then[i]->rhs, depth, false);
        const char *value = expr_text(w, k->then[i]->rhs, vector);
        w->nearly = 0;
        if (i + 1 < k->nthen || k->window || k->followers) {
            name = then_name(i + 1, first_name);
            indent(&w->body, depth);
            put(&w->body, "const %s %s = %s;\n", type_name(w, vector), name, value);
            value = name;
        }
        w->nheld = 0;
        if (!k->dropped[i + 1]) {
            indent(&w->body, depth);
            put_store(w, nest, &k->then[i]->out, value);
        }
        made = &k->then[i]->out;
    }
}

/* ---- Windows on a tile -----------------------------------------------------------------------
 *
 * The outputs of a tile are in registers; each window takes its own out of them. Its indices go with those
 * of the tile, which count `step` times as fast. */

/* The window's statement, whose loops are the tile's. */
static Statement *in_loops_of(const Kernel *k)
{
    Statement *s = NEW(Statement);
    *s = *k->window->body;
    for (int i = 0; i < output_indices(s); i++) {
        int64_t step = k->step[k->along[i]];
        if (step > 1)
            s->index_name[i] = format("%s / %lld", s->index_name[i], (long long)step);
    }
    return s;
}

/* The register in which the point at hand of a window is. */
static const char *point_name(const Writer *w, const Nest *nest, const Output *window)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->window->body;
    Output o = {.row = 0};
    for (int i = 0; i < s->nindex; i++)
        o.at[k->along[i]] += i < output_indices(s) ? window->at[i] * k->step[k->along[i]] : w->offset[i];
    number_output(nest, &o);
    return then_name(k->nthen, register_name(nest, &o, 0));
}

static const Access *looked_at(const Statement *window)
{
    return window->rhs->op == OP_LOAD ? &window->rhs->access : &window->rhs->arg[0]->access;
}

/* One point of a window, after the first. */
static void put_window_point(Writer *w, const char *result, const char *point, const char *where, bool vector,
                             int depth)
{
    bool maximum = w->s->store == STORE_MAX;
    hold(w, looked_at(w->s), point);
    const char *value = expr_text(w, w->s->rhs, vector);
    w->nheld = 0;
    indent(&w->body, depth);
    if (!maximum) {
        put(&w->body, "%s += %s;\n", result, value);
        return;
    }
    w->uses->greater = true;
    w->uses->select |= vector;
    if (w->s->position) {
        put_greater(w, where, value, result, number_of_point(w, vector), vector);
        indent(&w->body, depth);
    }
    put_greater(w, result, value, result, value, vector);
}

/* All points of the window at hand, then what follows on it. */
static void put_window(Writer *w, const Nest *nest, const Nest *inner, const Output *o, int depth)
{
    const Kernel *k = inner->kernel;
    bool vector = is_vector(nest), maximum = w->s->store == STORE_MAX;
    const char *type = type_name(w, vector), *number = strpbrk(register_name(inner, o, 0), "0123456789");
    const char *result = format("%s%s", maximum ? "most" : "total", number ? number : ""),
               *where = format("where%s", number ? number : "");
    int outputs = output_indices(w->s);
    for (int i = outputs; i < w->s->nindex; i++) {
        w->fixed[i] = true;
        w->offset[i] = 0;
    }
    if (w->s->position) {
        w->uses->all |= vector;
        indent(&w->body, depth);
        put(&w->body, "%s %s = %s;\n", type, where, number_of_point(w, vector));
    }
    Expr *first = maximum || expr_is(k->first->rhs, 0) ? w->s->rhs : add(k->first->rhs, w->s->rhs);
    hold(w, looked_at(w->s), point_name(w, nest, o));
    const char *value = expr_text(w, first, vector);
    w->nheld = 0;
    indent(&w->body, depth);
    put(&w->body, "%s %s = %s;\n", type, result, value);
    while (next_point(w, outputs, w->s->nindex))
        put_window_point(w, result, point_name(w, nest, o), where, vector, depth);
    put_results(w, inner, result, depth);
    if (w->s->position) {
        Access position = same_place(w->s->out, w->s->position);
        indent(&w->body, depth);
        put_store(w, inner, &position, where);
    }
}

/* Windows of a tile. index: only those that end, along that index of the tile, in the output at hand; -1:
 * all. */
static void put_windows(Writer *w, const Nest *nest, const Output *outer, int index, int depth)
{
    const Kernel *k = nest->kernel;
    const Writer before = *w;
    Nest inner = {.kernel = k->window, .tile = window_tile(k, &nest->tile), .partial = nest->partial};
    at_statement(w, in_loops_of(k));
    w->width = before.width;
    w->lane = is_vector(nest) ? inner.tile.lane : -1;
    Output o = {.row = 0};
    int along = -1;
    for (int i = 0; i < output_indices(w->s); i++) {
        w->fixed[i] = before.fixed[k->along[i]];
        o.base[i] = outer->base[k->along[i]] / k->step[k->along[i]];
        along = k->along[i] == index ? i : along;
    }
    first_output(w, &inner, &o);
    do {
        int64_t windows = along < 0 ? 1 : o.at[along] + 1;
        if (index < 0 || windows * k->step[index] == outer->at[index] + 1)
            put_window(w, nest, &inner, &o, depth);
    } while (next_output(w, &inner, &o));
    w->s = before.s;
    w->lane = before.lane;
    w->partial = before.partial;
    memcpy(w->fixed, before.fixed, sizeof w->fixed);
    memcpy(w->offset, before.offset, sizeof w->offset);
}

/* ---- Followers -------------------------------------------------------------------------------
 *
 * What follows on all that a tile holds (follow.c): for one row after the other its elements and its
 * numbers, each in a register of its own; in the end what is added to memory, which takes from all rows. */

/* A follower's value for the output at hand: its number among the rows, and along the row where it is one
 * of several there. */
static const char *follower_name(const Nest *nest, const Kernel *follower, const Output *o)
{
    const Kernel *k = nest->kernel;
    const Statement *s = statement_of(follower);
    int64_t row = 0;
    for (int i = 0; i < output_indices(statement_of(k)); i++)
        if (i != k->row)
            row = row * nest->tile.factor[i] + o->at[i];
    const char *name = format("%s%lld", c_name(s->out.tensor->name), (long long)row);
    bool several = k->row >= 0 && depends_on(&s->out, k->row) && nest->tile.factor[k->row] > 1;
    return several ? format("%s_%lld", name, (long long)o->at[k->row]) : name;
}

/* All that is in registers for the output at hand when a follower runs; NULL: the last one has. */
static void hold_output(Writer *w, const Nest *nest, const Output *o, const Kernel *until)
{
    const Kernel *k = nest->kernel;
    const char *name = register_name(nest, o, 0);
    w->nheld = 0;
    hold(w, &statement_of(k)->out, name);
    for (int i = 0; i < k->nthen; i++)
        hold(w, &k->then[i]->out, then_name(i + 1, name));
    for (const Kernel *f = k->followers; f != until; f = f->next)
        if (!adds_to_memory(f) && !is_spread(k, f))
            hold(w, &statement_of(f)->out, follower_name(nest, f, o));
}

/* A follower's expression for the output at hand. */
static const char *follower_text(Writer *w, const Nest *nest, const Kernel *f, const Statement *s,
                                 const Output *o, bool vector, int depth)
{
    const Statement *maker = w->s;
    hold_output(w, nest, o, f);
    w->s = s;
    if (w->lane < 0)
        put_early(w, s->rhs, depth, false);
    const char *text = operand_text(w, s->rhs, vector, SUM);
    w->nearly = 0;
    w->s = maker;
    return text;
}

static void put_follower_store(Writer *w, const Nest *nest, const Statement *s, const char *value, int depth)
{
    indent(&w->body, depth);
    if (w->lane >= 0 && depends_on(&s->out, w->lane)) {
        put_store(w, nest, &s->out, value);
        return;
    }
    put_access(w, &w->body, &s->out);
    put(&w->body, " = %s;\n", value);
}

/* The sum or the maximum of the row at hand. Where lanes lie along it, their vectors first, then of these
 * one number. */
static void put_row_number(Writer *w, const Nest *nest, const Kernel *f, Output *o, int depth)
{
    const Statement *s = f->body;
    const int row = nest->kernel->row;
    const int64_t count = nest->tile.factor[row];
    bool maximum = s->store == STORE_MAX, across = w->lane == row,
         vector = across || (w->lane >= 0 && depends_on(&s->out, w->lane));
    const char *name = follower_name(nest, f, o), *all = across ? format("all_%s", name) : name, *first = "";
    w->uses->greater |= maximum;
    w->uses->select |= maximum && vector && count > 1;
    if (f->first && !expr_is(f->first->rhs, 0))
        first = format("%s + ", follower_text(w, nest, f, f->first, o, vector && !across, depth));
    for (o->at[row] = 0; o->at[row] < count; o->at[row]++) {
        move_to(w, nest, o);
        const char *value = follower_text(w, nest, f, s, o, vector, depth), *type = type_name(w, vector);
        if (across)
            value = maximum ? lanes_to_compare(w, value) : lanes_to_add(w, value);
        if (across && count == 1) {
            all = value;
            continue;
        }
        indent(&w->body, depth);
        if (!o->at[row])
            put(&w->body, "%s%s %s = %s%s;\n", count == 1 ? "const " : "", type, all, across ? "" : first,
                value);
        else if (!maximum)
            put(&w->body, "%s += %s;\n", all, value);
        else {
            const char *other = format("%s_%lld", all, (long long)o->at[row]);
            put(&w->body, "const %s %s = %s;\n", type, other, value);
            indent(&w->body, depth);
            put_greater(w, all, other, all, other, vector);
        }
    }
    o->at[row] = 0;
    move_to(w, nest, o);
    if (across) {
        *(maximum ? &w->uses->greatest : &w->uses->sum) = true;
        indent(&w->body, depth);
        put(&w->body, "const float %s = %s%s%s(%s);\n", name, first, maximum ? "GREATEST" : "SUM", w->kind,
            all);
    }
    if (!f->dropped[0])
        put_follower_store(w, nest, s, name, depth);
}

/* At one output: a number, or a vector of them, or where it is spread all of its places. */
static void put_follower(Writer *w, const Nest *nest, const Kernel *f, const Output *o, int depth)
{
    const Statement *s = f->first, *maker = w->s;
    int outputs = output_indices(statement_of(nest->kernel));
    bool vector = w->lane >= 0 && depends_on(&s->out, w->lane);
    for (int i = outputs; i < s->nindex; i++) {
        w->fixed[i] = true;
        w->offset[i] = 0;
    }
    do {
        const char *value = follower_text(w, nest, f, s, o, vector, depth);
        if (!is_spread(nest->kernel, f)) {
            const char *name = follower_name(nest, f, o);
            indent(&w->body, depth);
            put(&w->body, "const %s %s = %s;\n", type_name(w, vector), name, value);
            value = name;
        }
        w->s = s;
        if (!f->dropped[0])
            put_follower_store(w, nest, s, value, depth);
    } while (next_point(w, outputs, s->nindex));
    w->s = maker;
}

/* All that follows on the row at hand, or where there are no rows on the output; o is the first of it. */
static void put_row(Writer *w, const Nest *nest, Output *o, int depth)
{
    const int row = nest->kernel->row;
    for (const Kernel *f = nest->kernel->followers; f; f = f->next) {
        if (adds_to_memory(f))
            continue;
        if (f->body) {
            put_row_number(w, nest, f, o, depth);
            continue;
        }
        put_follower(w, nest, f, o, depth);
        if (row < 0 || !depends_on(&f->first->out, row))
            continue;
        while (++o->at[row] < nest->tile.factor[row]) {
            move_to(w, nest, o);
            put_follower(w, nest, f, o, depth);
        }
        o->at[row] = 0;
        move_to(w, nest, o);
    }
}

/* What all outputs of a tile add to memory: where that has several places, sum by sum. */
static void put_sum_to_memory(Writer *w, const Nest *nest, const Kernel *f, Output *o, int depth)
{
    const Statement *s = f->body, *maker = w->s;
    bool vector = w->lane >= 0 && depends_on(&s->out, w->lane),
         across = w->lane >= 0 && !vector && varies(w, s->rhs);
    const char *type = type_name(w, vector || across);
    bool places[MAX_INDEX], terms[MAX_INDEX];
    for (int i = 0; i < MAX_INDEX; i++) {
        places[i] = depends_on(&s->out, i);
        terms[i] = !places[i] && rhs_depends_on(s, i);
    }
    first_output(w, nest, o);
    for (int64_t sums = 0, more = true; more; sums++) {
        const char *name = format("%s%lld", c_name(s->out.tensor->name), (long long)sums),
                   *begin = format("%s %s =", type, name);
        do {
            hold_output(w, nest, o, NULL);
            w->s = s;
            const char *value = expr_text(w, s->rhs, vector || across);
            w->s = maker;
            indent(&w->body, depth);
            put(&w->body, "%s %s;\n", begin, across ? lanes_to_add(w, value) : value);
            begin = format("%s +=", name);
        } while (next_along(w, nest, terms, o));
        w->s = s;
        indent(&w->body, depth);
        if (vector) /* what is in memory comes last: the next tile waits for it */
            put_store(w, nest, &s->out,
                      format("%s + %s", expr_text(w, &(Expr){.op = OP_LOAD, .access = s->out}, true), name));
        else {
            w->uses->sum |= across;
            put_access(w, &w->body, &s->out);
            put(&w->body, across ? " += SUM%s(%s);\n" : " += %s%s;\n", across ? w->kind : "", name);
        }
        w->s = maker;
        more = next_along(w, nest, places, o);
    }
}

static void put_followers(Writer *w, const Nest *nest, const Output *outer, int depth)
{
    const Kernel *k = nest->kernel;
    bool fixed[MAX_INDEX];
    int64_t offset[MAX_INDEX];
    Output o = *outer;
    memcpy(fixed, w->fixed, sizeof fixed);
    memcpy(offset, w->offset, sizeof offset);
    first_output(w, nest, &o);
    do
        if (k->row < 0 || !o.at[k->row])
            put_row(w, nest, &o, depth);
    while (next_output(w, nest, &o));
    for (const Kernel *f = k->followers; f; f = f->next)
        if (adds_to_memory(f))
            put_sum_to_memory(w, nest, f, &o, depth);
    w->nheld = 0;
    memcpy(w->fixed, fixed, sizeof fixed);
    memcpy(w->offset, offset, sizeof offset);
}

/* Opens the loops over outputs: along the lane first where that keeps a slice of weights near. */
static void open_outputs(Writer *w, const Nest *nest, int *depth)
{
    const Kernel *k = nest->kernel;
    int outputs = output_indices(w->s), lane = nest->tile.lane;
    bool lane_first = k->body && is_contraction(k->body) && lane >= 0 && lane < outputs;
    if (nest->tile.blocked >= 0) {
        int i = nest->tile.blocked;
        const char *name = w->s->index_name[i];
        indent(&w->body, (*depth)++);
        put(&w->body, "for (int %s0 = %lld; %s0 < %lld; %s0 += %lld)\n", name, (long long)nest->begin[i],
            name, (long long)(nest->begin[i] + nest->count[i]), name, (long long)nest->tile.block);
    }
    for (int i = 0; i < outputs && lane_first; i++)
        if (i != lane && is_batch(k->body, i))
            open_loop(w, nest, i, depth);
    if (lane_first)
        open_loop(w, nest, lane, depth);
    for (int i = 0; i < outputs; i++)
        if (!lane_first || (i != lane && !is_batch(k->body, i)))
            open_loop(w, nest, i, depth);
}

/* A nest without a sum: each output is computed and stored. */
static void emit_pointwise(Writer *w, const Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = statement_of(k);
    bool vector = is_vector(nest), early = !vector && reads_in_branch(s->rhs, false);
    int depth = w->level;
    w->uses->vectors |= vector;
    at_statement(w, s);
    w->lane = vector ? nest->tile.lane : -1;
    w->width = nest->tile.width;
    open_outputs(w, nest, &depth);
    Output o;
    memcpy(o.base, w->offset, sizeof o.base);
    bool braces = early || k->nthen || k->window || k->followers;
    if (braces) {
        open_brace(w, depth, w->level);
        depth += depth == w->level;
    }
    first_output(w, nest, &o);
    do {
        if (early)
            put_early(w, s->rhs, depth, false);
        const char *value = expr_text(w, s->rhs, vector);
        w->nearly = 0;
        if (k->nthen || k->window || k->followers) {
            const char *name = register_name(nest, &o, 0);
            indent(&w->body, depth);
            put(&w->body, "const %s %s = %s;\n", type_name(w, vector), name, value);
            value = name;
        }
        put_results(w, nest, value, depth);
    } while (next_output(w, nest, &o));
    if (k->window)
        put_windows(w, nest, &o, -1, depth);
    if (k->followers)
        put_followers(w, nest, &o, depth);
    if (braces)
        close_brace(w, depth - 1);
}

/* ---- Transforms ------------------------------------------------------------------------------
 *
 * out[i, j] = first + the sum over k, l of P[i, k] Q[j, l] in[k, l], all of it in registers: what is read,
 * then columns by P, then rows by Q. The matrices become sums of vectors in which nothing is multiplied by
 * one or added that is zero, and two rows, or columns, of the same numbers with other signs share what
 * they have in common. */

enum { MOST_ENTRIES = 16 };

/* Some of a matrix, and the names of what it is multiplied by; columns may be added. */
typedef struct Sums {
    double entry[MOST_ENTRIES][MOST_ENTRIES];
    const char *in[MOST_ENTRIES];
    const char *out[MOST_ENTRIES];
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

/* One sum of the row's products, terms without a minus first; of those with `sign` times what other says,
 * if given. */
static const char *sum_text(const Sums *s, const double *entry)
{
    const char *text = "";
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
            text = format("%s%s%s%s", text, *text ? e < 0 ? " - " : " + " : e < 0 ? "-" : "",
                          fabs(e) != 1 ? format("%s * ", c_float(fabs(e))) : "", s->in[c]);
        }
    return common == 1 ? text : format("%s * (%s)", c_float(common), text);
}

static const char *put_value(Writer *w, const Nest *nest, const char *name, const char *text, int depth)
{
    indent(&w->body, depth);
    put(&w->body, "const %s %s = %s;\n", type_name(w, is_vector(nest)), name,
        *text             ? text
        : is_vector(nest) ? "{0}"
                          : "0.0f");
    return name;
}

/* Two columns whose entries are alike but for their signs: their sum and their difference are columns
 * instead. */
static void share_columns(Writer *w, const Nest *nest, Sums *s, const char *suffix, int depth)
{
    for (int a = 0, columns = s->columns; a < columns; a++)
        for (int b = a + 1; b < columns; b++) {
            int same = 0, opposite = 0, other = 0;
            for (int r = 0; r < s->rows; r++) {
                double x = s->entry[r][a], y = s->entry[r][b];
                same += x && x == y;
                opposite += x && x == -y;
                other += x != y && x != -y;
            }
            if (other || !same || !opposite || same + opposite < 3)
                continue;
            for (int sign = 0; sign < 2; sign++) {
                int c = s->columns++;
                s->in[c] =
                    put_value(w, nest, format("%s%s", sign ? "minus" : "plus", format("%d%s", a, suffix)),
                              format("%s %c %s", s->in[a], sign ? '-' : '+', s->in[b]), depth);
                for (int r = 0; r < s->rows; r++)
                    s->entry[r][c] = s->entry[r][a] == (sign ? -1 : 1) * s->entry[r][b] ? s->entry[r][a] : 0;
            }
            for (int r = 0; r < s->rows; r++)
                s->entry[r][a] = s->entry[r][b] = 0;
        }
}

/* The sums of all rows, as texts; two rows that are alike but for signs share their two parts. */
static void put_sums(Writer *w, const Nest *nest, Sums *s, const char *suffix, int depth)
{
    share_columns(w, nest, s, suffix, depth);
    for (int a = 0; a < s->rows; a++) {
        for (int b = a + 1; b < s->rows && !s->out[a]; b++) {
            double part[2][MOST_ENTRIES] = {{0}};
            int same = 0, opposite = 0, other = 0;
            for (int c = 0; c < s->columns; c++) {
                double x = s->entry[a][c], y = s->entry[b][c];
                same += x && x == y;
                opposite += x && x == -y;
                other += x != y && x != -y;
                part[x != y][c] = x;
            }
            if (other || !same || !opposite || same + opposite < 3)
                continue;
            const char *even = put_value(w, nest, format("even%d%s", a, suffix), sum_text(s, part[0]), depth);
            const char *odd = put_value(w, nest, format("odd%d%s", a, suffix), sum_text(s, part[1]), depth);
            s->out[a] = format("%s + %s", even, odd);
            s->out[b] = format("%s - %s", even, odd);
        }
        if (!s->out[a])
            s->out[a] = sum_text(s, s->entry[a]);
    }
}

static void emit_transform(Writer *w, const Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body;
    int depth = w->level, to[2], from[2];
    w->uses->vectors |= is_vector(nest);
    at_statement(w, s);
    w->lane = is_vector(nest) ? nest->tile.lane : -1;
    w->width = nest->tile.width;
    open_outputs(w, nest, &depth);
    Output o;
    memcpy(o.base, w->offset, sizeof o.base);
    open_brace(w, depth, w->level);
    depth += depth == w->level;
    first_output(w, nest, &o);
    Sums matrix[2];
    for (int m = 0; m < 2; m++) {
        to[m] = matrix_index(s, m, true);
        from[m] = matrix_index(s, m, false);
        matrix[m] = sums_of(nest, m);
        w->fixed[from[m]] = true;
    }
    const char *between[MOST_ENTRIES][MOST_ENTRIES];
    for (int l = 0; l < nest->count[from[1]]; l++) {
        Sums columns = matrix[0];
        for (int c = 0; c < columns.columns; c++) {
            w->offset[from[0]] = nest->begin[from[0]] + c;
            w->offset[from[1]] = nest->begin[from[1]] + l;
            columns.in[c] = put_value(w, nest, format("in%d%d", c, l),
                                      expr_text(w, s->rhs->arg[1], is_vector(nest)), depth);
        }
        put_sums(w, nest, &columns, format("%d", l), depth);
        for (int i = 0; i < columns.rows; i++)
            between[i][l] = put_value(w, nest, format("column%d%d", i, l), columns.out[i], depth);
    }
    for (int i = 0; i < nest->count[to[0]]; i++) {
        Sums rows = matrix[1];
        memcpy(rows.in, between[i], sizeof rows.in);
        put_sums(w, nest, &rows, format("r%d", i), depth);
        for (int j = 0; j < rows.rows; j++) {
            o.at[to[0]] = i;
            o.at[to[1]] = j;
            move_to(w, nest, &o);
            const char *name = register_name(nest, &o, 0), *value = rows.out[j];
            Expr old = {.op = OP_LOAD, .access = s->out};
            const Expr *first = k->first ? k->first->rhs : &old;
            if (!expr_is(first, 0))
                value = format("%s%s%s", expr_text(w, first, is_vector(nest)), *value == '-' ? " - " : " + ",
                               value + (*value == '-'));
            put_results(w, nest, put_value(w, nest, name, value, depth), depth);
        }
        if (k->window)
            put_windows(w, nest, &o, to[0], depth);
    }
    if (k->followers)
        put_followers(w, nest, &o, depth);
    close_brace(w, depth - 1);
}

/* ---- Between samples and lanes --------------------------------------------------------------- */

/* Loops over all outputs, but for the last if that is the lane. */
static void open_elements(Writer *w, const Nest *nest, bool but_last, int *depth)
{
    for (int i = 0; i < output_indices(w->s) - but_last; i++) {
        w->fixed[i] = false;
        w->offset[i] = 0;
        open_loop(w, nest, i, depth);
    }
}

static void put_element(Writer *w, const char *text)
{
    put_access(w, &w->body, &w->s->out);
    put(&w->body, " = %s;\n", text);
}

/* Into the lanes what a group of samples begins with, as whole vectors where all samples are there. */
static void emit_samples(Writer *w, const Nest *nest)
{
    const Statement *s = nest->kernel->first;
    Access from = s->rhs->access;
    at_statement(w, s);
    int lane = s->nindex - 1, depth = 2;
    bool apart = stride_of(&from, lane) > 1;
    w->uses->vectors = true;
    indent(&w->body, 1);
    put(&w->body, "if (m == %lld)\n", (long long)s->extent[lane]);
    open_elements(w, nest, apart, &depth);
    indent(&w->body, depth);
    Text element = {NULL, 0, 0};
    put(&element, "%s", "");
    for (int d = 1; d < from.tensor->rank; d++) {
        put(&element, "[");
        put_affine(w, &element, &from.at[d]);
        put(&element, "]");
    }
    if (apart) {
        w->uses->each = true;
        w->fixed[lane] = true;
        put(&w->body, "STORE%s(", w->kind);
        put_access(w, &w->body, &s->out);
        put(&w->body, ", EACH%s(%s, %s));\n", w->kind, c_name(from.tensor->name), element.data);
    } else
        put_element(w, format("%s[%s]%s", c_name(from.tensor->name), s->index_name[lane], element.data));
    free(element.data);
    indent(&w->body, 1);
    put(&w->body, "else\n");
    depth = 2;
    open_elements(w, nest, false, &depth);
    indent(&w->body, depth);
    put_element(w, expr_text(w, s->rhs, false));
}

/* What the lanes have summed up is added up. */
static void emit_sum_of_lanes(Writer *w, const Nest *nest)
{
    const Statement *s = nest->kernel->body;
    int depth = 1;
    at_statement(w, s);
    w->uses->vectors = w->uses->sum = true;
    open_elements(w, nest, false, &depth);
    w->fixed[s->nindex - 1] = true;
    indent(&w->body, depth);
    put_access(w, &w->body, &s->out);
    put(&w->body, " += sum%s(&", *w->kind ? w->kind : "_lanes");
    put_access(w, &w->body, &s->rhs->access);
    put(&w->body, ");\n");
}

static void emit_nest(Writer *w, const Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = statement_of(k);
    const Tile *tile = &nest->tile;
    if (takes_samples_in(s)) {
        emit_samples(w, nest);
        return;
    }
    if (adds_up_lanes(s)) {
        emit_sum_of_lanes(w, nest);
        return;
    }
    if (!k->body) {
        emit_pointwise(w, nest);
        return;
    }
    if (is_transform(s)) {
        emit_transform(w, nest);
        return;
    }
    int depth = w->level;
    bool vector = is_vector(nest);
    w->uses->vectors |= vector;
    at_statement(w, s);
    w->lane = vector ? tile->lane : -1;
    w->width = tile->width;
    open_outputs(w, nest, &depth);
    Output o;
    memcpy(o.base, w->offset, sizeof o.base);
    open_brace(w, depth, w->level);
    depth += depth == w->level;
    first_output(w, nest, &o);
    do
        for (int64_t part = 0; part < tile->parts; part++) {
            const char *name = register_name(nest, &o, part);
            put_first_value(w, nest, name, part, depth);
            if (s->store == STORE_MAX) {
                const char *suffix = maximum_suffix(name);
                indent(&w->body, depth);
                put(&w->body, "%s v%s", type_name(w, vector), suffix);
                if (s->position)
                    put(&w->body, ", at%s = %s", suffix, vector ? format("ALL%s(-1.0f)", w->kind) : "-1.0f");
                put(&w->body, ";\n");
            }
        }
    while (next_output(w, nest, &o));
    put_whole_reduction(w, nest, &o, depth);
    Nest flat = *nest; /* without the lanes that are added up */
    if (is_across(nest)) {
        flat.tile.lane = -1;
        flat.tile.width = 1;
    }
    first_output(w, nest, &o);
    do {
        const char *name = register_name(nest, &o, 0);
        if (tile->parts > 1) {
            indent(&w->body, depth);
            put(&w->body, "%s += ", name);
            for (int64_t part = 1; part < tile->parts; part++)
                put(&w->body, "%s%s", part > 1 ? " + " : "", register_name(nest, &o, part));
            put(&w->body, ";\n");
        }
        if (is_across(nest))
            name = put_across(w, &flat, &o, name, depth);
        put_results(w, &flat, name, depth);
        if (s->position) {
            Access position = same_place(s->out, s->position);
            indent(&w->body, depth);
            put_store(w, nest, &position, format("at%s", maximum_suffix(name)));
        }
    } while (next_output(w, nest, &o));
    if (k->window)
        put_windows(w, &flat, &o, -1, depth);
    if (k->followers)
        put_followers(w, &flat, &o, depth);
    close_brace(w, depth - 1);
}

/* Under full each tile of a nest is a block of straight-line code, in which what is loaded lives no longer
 * than it is needed. */
static void emit_written_out(Writer *w, Nest nest)
{
    const Statement *s = statement_of(nest.kernel);
    int outputs = output_indices(s);
    if (w->terms >= TERMS_A_PART)
        end_part(w);
    for (int i = 0; i < outputs; i++) {
        int64_t step = nest.tile.factor[i] * (i == nest.tile.lane ? nest.tile.width : 1),
                end = nest.begin[i] + nest.count[i];
        if (nest.count[i] <= step)
            continue;
        for (nest.count[i] = step; nest.begin[i] < end; nest.begin[i] += step)
            emit_written_out(w, nest);
        return;
    }
    int64_t terms = outputs_held(&nest);
    nest.tile.blocked = -1;
    for (int i = outputs; i < s->nindex; i++) {
        nest.tile.unrolled[i] = true;
        terms *= nest.count[i];
    }
    emit_nest(w, &nest);
    w->terms += terms;
}

static void emit_as_told(Writer *w, const Nest *nest)
{
    if (w->function->unroll == UNROLL_FULL)
        emit_written_out(w, *nest);
    else
        emit_nest(w, nest);
}

/* Cuts a nest at the last whole multiple of its factors; the rests are nests of their own. */
static void emit_with_tails(Writer *w, Nest nest)
{
    Tile *tile = &nest.tile;
    int outputs = output_indices(statement_of(nest.kernel));
    for (int i = 0; i < outputs; i++) {
        bool lane = i == tile->lane;
        int64_t width = lane ? tile->width : 1, step = tile->factor[i] * width;
        int64_t rest_count = nest.count[i] % step;
        if (i == nest.kernel->samples || !rest_count || (lane && nest.partial))
            continue;
        Nest rest = nest;
        rest.begin[i] += nest.count[i] - rest_count;
        rest.count[i] = rest_count;
        rest.tile.factor[i] = (rest_count + width - 1) / width;
        rest.count[i] = rest.tile.factor[i] * width;
        if (lane)
            rest.partial = rest_count % width;
        nest.count[i] -= rest_count;
        if (nest.count[i])
            emit_with_tails(w, nest);
        emit_with_tails(w, rest);
        return;
    }
    emit_as_told(w, &nest);
}

/* A region whose taps all lie outside: out gets its first value, or -inf. */
static void emit_empty_region(Writer *w, const Kernel *k, const Region *r)
{
    const Statement *s = k->body;
    Statement first = *s;
    first.nindex = output_indices(s);
    first.store = STORE_SET;
    first.rhs = s->store == STORE_MAX ? constant(-INFINITY) : k->first ? k->first->rhs : NULL;
    Kernel fill = {
        .first = &first, .nthen = k->nthen, .followers = k->followers, .row = k->row, .samples = k->samples};
    memcpy(fill.then, k->then, sizeof fill.then);
    memcpy(fill.dropped, k->dropped, sizeof fill.dropped);
    Nest nest = {.kernel = &fill, .tile = no_tile()};
    memcpy(nest.begin, r->begin, sizeof nest.begin);
    memcpy(nest.count, r->count, sizeof nest.count);
    if (!first.rhs)
        return;
    emit_as_told(w, &nest);
    if (s->position) {
        Statement position = first;
        position.out = same_place(first.out, s->position);
        position.rhs = constant(-1);
        Kernel positions = {.first = &position, .row = -1, .samples = k->samples};
        nest.kernel = &positions;
        emit_as_told(w, &nest);
    }
}

static void emit_loops(Writer *w, const Kernel *k)
{
    const Statement *s = statement_of(k);
    Nest nest = {.kernel = k, .tile = no_tile()};
    for (int i = 0; i < s->nindex; i++)
        nest.count[i] = s->extent[i];
    if (!k->regions) {
        emit_nest(w, &nest);
        return;
    }
    for (const Region *r = k->regions; r; r = r->next) {
        if (r->empty) {
            emit_empty_region(w, k, r);
            continue;
        }
        memcpy(nest.begin, r->begin, sizeof nest.begin);
        memcpy(nest.count, r->count, sizeof nest.count);
        nest.tile = r->tile;
        nest.whole = 0;
        emit_with_tails(w, nest);
        if (k->samples >= 0 && k->samples < output_indices(s) && r->tile.factor[k->samples] > 1) {
            nest.whole = r->tile.factor[k->samples];
            nest.tile = r->rest;
            emit_with_tails(w, nest);
        }
    }
}

static void emit_plain(Writer *w, const Kernel *k)
{
    const Node *nodes = lower_kernel(k, &w->numbering);
    verify_loops(w->function, k, nodes);
    Printer printer = {.out = &w->body, .function = w->function, .named = &w->named, .tables = w->tables,
                       .uses = w->uses, .index[BLOCK] = "block"};
    print_nodes(&printer, nodes, w->level);
}

/* The kernels of one loop over blocks are one behind the other. */
static void emit_in_blocks(Writer *w, const Kernel *k)
{
    if (k->blocks && !k->joins)
        put(&w->body, "    for (int block = 0; block < %lld; block++) {\n", (long long)k->blocks);
    w->level = k->blocks ? 2 : 1;
    if (is_plain(k, w->function->unroll))
        emit_plain(w, k);
    else
        emit_loops(w, k);
    w->level = 1;
    if (k->blocks && !(k->next && k->next->joins))
        close_brace(w, 1);
}

/* ---- The function ---------------------------------------------------------------------------- */

static void put_unused(Writer *w)
{
    const Function *f = w->function;
    for (int i = 0; i < f->nparams; i++)
        if (!w->named.param[i] && !w->ever.param[i])
            fprintf(w->file, "    (void)%s;\n", c_name(f->param[i]->name));
    if (f->uses_random && !w->named.rng && !w->ever.rng)
        fprintf(w->file, "    (void)rng;\n");
    if (f->uses_mean && !w->named.mean && !w->ever.mean)
        fprintf(w->file, "    (void)mean;\n");
    if (f->uses_samples && !w->named.samples && !w->ever.samples)
        fprintf(w->file, "    (void)samples;\n");
}

void emit_function(FILE *file, const Plan *plan, const Function *f, const char *kind, bool *tables,
                   Uses *uses)
{
    Writer w = {.file = file,
                .plan = plan,
                .function = f,
                .kind = kind,
                .level = 1,
                .named.param = NEW_ARRAY(bool, f->nparams + 1),
                .ever.param = NEW_ARRAY(bool, f->nparams + 1),
                .tables = tables,
                .uses = uses};
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (f->unroll == UNROLL_FULL && !k->regions && !is_plain(k, f->unroll))
            emit_full(&w, k);
        else
            emit_in_blocks(&w, k);
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
    free(w.term.data);
    free(w.calls.data);
}
