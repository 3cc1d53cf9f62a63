/* kernel.c: prints one function of net.c from its kernels.
 *
 * There is one way to print a loop nest; the modes differ in what becomes of each index:
 *
 *     none    every index is a loop, and a test leaves out the points that fall outside
 *     tile    regions without tests; in the largest one outputs are unrolled into named registers, one index
 *             lies in the lanes of a vector, and the kernel's taps are written out
 *     full    every index is a number: one statement for each output, one term for each point inside
 *
 * Tensors are parameters with their real dimensions, in full plain pointers with constant offsets. A function
 * that full makes too long for the C compiler to digest quickly is cut into parts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nnc.h"

enum { WIDTH = 116, TERMS_A_SUM = 64, TERMS_A_PART = 256 };

/* ---- Text ------------------------------------------------------------------------------------------- */

typedef struct Text {
    char *data;
    size_t length, room;
} Text;

static void put(Text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(Text *t, const char *fmt, ...)
{
    for (;;) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(t->data + t->length, t->room - t->length, fmt, ap);
        va_end(ap);
        if (n < 0)
            bug("vsnprintf failed");
        if ((size_t)n < t->room - t->length) {
            t->length += (size_t)n;
            return;
        }
        t->room = 2 * (t->length + (size_t)n) + 4096;
        t->data = realloc(t->data, t->room);
        if (!t->data)
            fail("out of memory");
    }
}

const char *c_name(const char *name)
{
    char *copy = format("%s", name);
    for (char *c = copy; *c; c++)
        if (*c == '.')
            *c = '_';
    return copy;
}

const char *c_float(double value)
{
    float number = (float)value;
    if (isnan(number))
        return "NAN";
    if (isinf(number))
        return number < 0 ? "-INFINITY" : "INFINITY";
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number)
            break;
    }
    return format("%s%sf", text, strpbrk(text, ".e") ? "" : ".0");
}

/* ---- The state of printing one function ---------------------------------------------------------------- */

typedef struct Writer {
    FILE *file;
    const Plan *plan;
    const Function *function;
    Text body, term;     /* statements so far; one term of a sum */
    bool *used, used_rng, used_mean;    /* by number of the parameter: occurs in this part */
    bool *ever, ever_rng, ever_mean;    /* in some part before */
    int parts;
    int64_t terms;       /* in this part */
    bool *tables;

    struct {             /* loads that stand before the statement at hand, as v1, v2, ... */
        Access access;
        int number;
    } early[16];
    int nearly, loads;

    const Statement *s;  /* the statement at hand, and what its indices are: */
    bool fixed[MAX_INDEX]; /* a number, not a loop */
    int64_t offset[MAX_INDEX]; /* added to the loop's variable, or the number itself */
    int lane;            /* the index in the lanes of a vector, or -1 */
} Writer;

static void indent(Text *t, int depth)
{
    put(t, "%*s", 4 * depth, "");
}

/* ---- Expressions --------------------------------------------------------------------------------------------- */

static void put_affine(Writer *w, Text *t, const Affine *a)
{
    int64_t constant = a->constant;
    bool first = true;
    for (int i = 0; i < w->s->nindex; i++) {
        int64_t k = a->coefficient[i];
        constant += k * w->offset[i];
        if (!k || w->fixed[i])
            continue;
        put(t, "%s", first ? k < 0 ? "-" : "" : k < 0 ? " - " : " + ");
        if (k != 1 && k != -1)
            put(t, "%lld * ", (long long)llabs(k));
        put(t, "%s", w->s->index_name[i]);
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
    return true;
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
            w->used[i] = true;
}

static void put_access(Writer *w, Text *t, const Access *access)
{
    const Tensor *tensor = access->tensor;
    Affine position = position_of(*access);
    if (tensor->role == TENSOR_CONSTANT && is_fixed(w, &position)) {
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
            put(t, "[");
            put_affine(w, t, &access->at[d]);
            put(t, "]");
        }
}

static bool in_lanes(const Writer *w, const Access *access)
{
    return w->lane >= 0 && depends_on(access, w->lane);
}

enum { ANY = 0, CONDITION = 1, COMPARISON = 2, SUM = 3, PRODUCT = 4, FACTOR = 5 }; /* how tightly it binds */

static void put_expr(Writer *w, Text *t, const Expr *e, int binds, bool as_int);

static void put_function(Writer *w, Text *t, const char *name, const Expr *argument)
{
    put(t, "%s(", name);
    put_expr(w, t, argument, ANY, false);
    put(t, ")");
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

static void put_conditional(Writer *w, Text *t, const Expr *e, const char *op)
{
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

static void put_load(Writer *w, Text *t, const Access *access)
{
    for (int i = 0; i < w->nearly; i++)
        if (access_equal(&w->early[i].access, access)) {
            put(t, "v%d", w->early[i].number);
            return;
        }
    bool vector = in_lanes(w, access);
    put(t, "%s", vector ? "LOAD(" : "");
    put_access(w, t, access);
    put(t, "%s", vector ? ")" : "");
}

static void put_expr(Writer *w, Text *t, const Expr *e, int binds, bool as_int)
{
    static const int levels[NOPS] = {
        [OP_ADD] = SUM, [OP_SUB] = SUM, [OP_MUL] = PRODUCT, [OP_DIV] = PRODUCT, [OP_SIGMOID] = PRODUCT,
        [OP_IF_LE] = CONDITION, [OP_IF_EQ] = CONDITION,
    };
    bool parenthesis = levels[e->op] && levels[e->op] < binds;
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
    case OP_INDEX:
        if (as_int)
            put_affine(w, t, &e->index);
        else if (is_fixed(w, &e->index))
            put(t, "%s", c_float((double)fixed_value(w, &e->index)));
        else {
            put(t, "(float)(");
            put_affine(w, t, &e->index);
            put(t, ")");
        }
        break;
    case OP_RANDOM:
        w->used_rng = true;
        put(t, "nn_uniform_at(rng, (uint64_t)(");
        put_affine(w, t, &e->index);
        put(t, "))");
        break;
    case OP_MEAN:
        w->used_mean = true;
        put(t, "mean");
        break;
    case OP_ADD: put_operator(w, t, e, "+", SUM, SUM); break;
    case OP_SUB: put_operator(w, t, e, "-", SUM, PRODUCT); break;
    case OP_MUL: put_operator(w, t, e, "*", PRODUCT, PRODUCT); break;
    case OP_DIV: put_operator(w, t, e, "/", PRODUCT, FACTOR); break;
    case OP_EXP: put_function(w, t, "expf", e->arg[0]); break;
    case OP_LOG: put_function(w, t, "logf", e->arg[0]); break;
    case OP_LOG1P: put_function(w, t, "log1pf", e->arg[0]); break;
    case OP_TANH: put_function(w, t, "tanhf", e->arg[0]); break;
    case OP_ABS: put_function(w, t, "fabsf", e->arg[0]); break;
    case OP_SIGMOID:
        put(t, "1.0f / (1.0f + expf(-");
        put_expr(w, t, e->arg[0], FACTOR, false);
        put(t, "))");
        break;
    case OP_IF_LE: put_conditional(w, t, e, "<="); break;
    case OP_IF_EQ: put_conditional(w, t, e, "=="); break;
    default: bug("op %d cannot be printed", e->op);
    }
    put(t, "%s", parenthesis ? ")" : "");
}

/* ---- Early loads ------------------------------------------------------------------------------------
 *
 * In a loop, what a conditional expression reads in only one of its branches is read before it: gcc 12 -O3 makes
 * masked vector loads of such branches, and for AVX and some lengths it makes wrong ones. */

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
    if (e->op != OP_LOAD || !in_branch || w->nearly == 16)
        return;
    for (int i = 0; i < w->nearly; i++)
        if (access_equal(&w->early[i].access, &e->access))
            return;
    indent(&w->body, depth);
    put(&w->body, "const %s v%d = ", e->access.tensor->is_int ? "int" : "float", ++w->loads);
    put_access(w, &w->body, &e->access);
    put(&w->body, ";\n");
    w->early[w->nearly].access = e->access;
    w->early[w->nearly++].number = w->loads;
}

/* ---- Points -------------------------------------------------------------------------------------------------------- */

static void at_statement(Writer *w, const Statement *s)
{
    w->s = s;
    w->lane = -1;
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

/* ---- Parameters and parts ----------------------------------------------------------------------------------------------- */

static void put_params(Writer *w, FILE *f, int column, bool only_used)
{
    const char *separator = "";
    const Function *function = w->function;
    for (int i = 0; i < function->nparams; i++) {
        if (only_used && !w->used[i])
            continue;
        const Tensor *tensor = function->param[i];
        fprintf(f, "%s", separator);
        if (*separator)
            fprintf(f, "\n%*s", column, "");
        fprintf(f, "%s%s ", function->param_written[i] ? "" : "const ", tensor->is_int ? "int" : "float");
        if (function->unroll == UNROLL_FULL)
            fprintf(f, "*restrict %s", c_name(tensor->name));
        else {
            fprintf(f, "%s[restrict %lld]", c_name(tensor->name), (long long)(tensor->rank ? tensor->dim[0] : 1));
            for (int d = 1; d < tensor->rank; d++)
                fprintf(f, "[%lld]", (long long)tensor->dim[d]);
        }
        separator = ",";
    }
    if (only_used ? w->used_rng : function->uses_random) {
        fprintf(f, "%s%suint64_t rng", separator, *separator ? " " : "");
        separator = ",";
    }
    if (only_used ? w->used_mean : function->uses_mean) {
        fprintf(f, "%s%sfloat mean", separator, *separator ? " " : "");
        separator = ",";
    }
    if (!*separator)
        fprintf(f, "void");
}

static void put_used_arguments(Writer *w, Text *t)
{
    const char *separator = "";
    for (int i = 0; i < w->function->nparams; i++)
        if (w->used[i]) {
            put(t, "%s%s", separator, c_name(w->function->param[i]->name));
            separator = ", ";
        }
    if (w->used_rng) {
        put(t, "%srng", separator);
        separator = ", ";
    }
    if (w->used_mean)
        put(t, "%smean", separator);
}

/* Closes a part once it is long enough; `calls` gathers how the whole calls it. */
static void end_part(Writer *w, Text *calls)
{
    if (!w->body.length)
        return;
    char *head = format("static NOINLINE void %s_%d(", w->function->name, ++w->parts);
    fprintf(w->file, "%s", head);
    put_params(w, w->file, (int)strlen(head), true);
    fprintf(w->file, ")\n{\n%.*s}\n\n", (int)w->body.length, w->body.data);
    put(calls, "    %s_%d(", w->function->name, w->parts);
    put_used_arguments(w, calls);
    put(calls, ");\n");
    for (int i = 0; i < w->function->nparams; i++) {
        w->ever[i] |= w->used[i];
        w->used[i] = false;
    }
    w->ever_rng |= w->used_rng;
    w->ever_mean |= w->used_mean;
    w->used_rng = w->used_mean = false;
    w->body.length = 0;
    w->terms = 0;
}

/* ---- full ---------------------------------------------------------------------------------------------------------------- */

static void put_zero(Writer *w, const Access *out)
{
    mark_used(w, out->tensor);
    put(&w->body, "    memset(%s, 0, %lld * sizeof(float));\n", c_name(out->tensor->name), (long long)out->tensor->count);
}

static bool is_zero_fill(const Kernel *k)
{
    return !k->body && expr_is(k->first->rhs, 0) && covers_tensor(k->first, &k->first->out);
}

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

/* A sum of which a class label picks the term: tests one after the other, since a C compiler may take very long
 * over a sum of as many conditional terms. */
static bool picks_by_label(const Expr *e)
{
    return e->op == OP_IF_EQ && e->arg[0]->op == OP_LOAD && e->arg[0]->access.tensor->is_int && expr_is(e->arg[3], 0);
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
    for (int i = outputs; i < s->nindex; i++)
        w->offset[i] = 0;
    put(&w->body, "    {\n");
    do {
        if (inside(w, s->rhs)) {
            w->term.length = 0;
            put_expr(w, &w->term, s->rhs, ANY, false);
            if (!candidates++)
                put(&w->body, "    float best = %s%s;\n", w->term.data, at ? format(", at = %lld.0f", (long long)number) : "");
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

static void emit_full(Writer *w, const Kernel *k, Text *calls)
{
    const Statement *s = k->body ? k->body : k->first;
    if (is_zero_fill(k)) {
        put_zero(w, &k->first->out);
        return;
    }
    at_statement(w, s);
    for (int i = 0; i < s->nindex; i++)
        w->fixed[i] = true;
    bool sums = k->body && gathers(s);
    int indices = sums ? output_indices(s) : s->nindex;
    do {
        if (w->terms >= TERMS_A_PART)
            end_part(w, calls);
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

/* ---- none and tile: loop nests -------------------------------------------------------------------------------------------------- */

/* One nest: a box, the outputs unrolled over two indices, the taps written out, one index in lanes. */
typedef struct Nest {
    const Kernel *kernel;
    int64_t begin[MAX_INDEX], count[MAX_INDEX];
    Tile tile;
    int64_t rest;        /* the reduction in lanes ends with a vector of which only the last so many count */
    bool begins;         /* sets the first value; else adds to what out holds */
    bool guarded;        /* tests each access that may fall outside */
} Nest;

static int64_t step_of(const Writer *w, const Nest *nest, int i)
{
    if (i == nest->tile.lane)
        return w->plan->target->lanes;
    for (int side = 0; side < 2; side++)
        if (i == nest->tile.index[side])
            return nest->tile.factor[side];
    return 1;
}

static void open_loop(Writer *w, const Nest *nest, int i, int *depth)
{
    int64_t begin = nest->begin[i], count = nest->count[i] - (i == nest->tile.lane ? nest->rest : 0);
    int64_t step = step_of(w, nest, i);
    if (count == step) {
        w->fixed[i] = true;
        w->offset[i] = begin;
        return;
    }
    const char *name = w->s->index_name[i];
    indent(&w->body, (*depth)++);
    put(&w->body, "for (int %s = %lld; %s < %lld; %s", name, (long long)begin, name, (long long)(begin + count), name);
    put(&w->body, "%s\n", step == 1 ? "++)" : format(" += %lld)", (long long)step));
}

/* The conditions under which the accesses of a statement lie inside, those that are known after loop `level`
 * of `order`; as C text, or NULL. */
typedef struct Guard {
    Writer *w;
    int level;
    const char *text;
} Guard;

static void add_guard(const Access *access, void *context)
{
    Guard *guard = context;
    Writer *w = guard->w;
    for (int d = 0; access->padded && d < access->tensor->rank; d++) {
        const Affine *a = &access->at[d];
        int64_t least, most, size = access->tensor->dim[d];
        affine_range(a, w->s, &least, &most);
        int last = -1;
        for (int i = 0; i < w->s->nindex; i++)
            if (a->coefficient[i])
                last = i;
        if (last != guard->level || (least >= 0 && most < size))
            continue;
        w->term.length = 0;
        put_affine(w, &w->term, a);
        const char *at = format("%s", w->term.data), *test = "";
        w->term.length = 0;
        if (least < 0)
            test = format("%s >= 0", at);
        if (most >= size)
            test = format("%s%s%s < %lld", test, *test ? " && " : "", at, (long long)size);
        if (!guard->text)
            guard->text = test;
        else if (!strstr(guard->text, test))
            guard->text = format("%s && %s", guard->text, test);
    }
}

static void put_guard(Writer *w, int level, int *depth)
{
    Guard guard = {w, level, NULL};
    add_guard(&w->s->out, &guard);
    visit_loads(w->s->rhs, add_guard, &guard);
    if (guard.text) {
        indent(&w->body, (*depth)++);
        put(&w->body, "if (%s)\n", guard.text);
    }
}

/* Moves every loop's variable that occurs in the tile to output (a, b) of it. */
static void at_output(Writer *w, const Nest *nest, const int64_t base[MAX_INDEX], int64_t a, int64_t b)
{
    for (int side = 0; side < 2; side++)
        if (nest->tile.index[side] >= 0)
            w->offset[nest->tile.index[side]] = base[nest->tile.index[side]] + (side ? b : a);
}

static const char *register_name(const Nest *nest, int64_t a, int64_t b)
{
    bool one = nest->tile.factor[0] * nest->tile.factor[1] == 1;
    return one ? nest->kernel->body->store == STORE_MAX ? "best" : "sum" : format("s%lld%lld", (long long)a, (long long)b);
}

static void put_first_value(Writer *w, const Nest *nest, const char *name, int depth, bool output_lane, bool reduction_lane)
{
    const Kernel *k = nest->kernel;
    Text *t = &w->body;
    if (nest->begins && k->first)
        put_early(w, k->first->rhs, depth, false);
    indent(t, depth);
    put(t, "%s %s = ", output_lane || reduction_lane ? "vec" : "float", name);
    int lane = w->lane;
    if (reduction_lane || (output_lane && nest->begins && k->first && expr_is(k->first->rhs, 0)))
        put(t, "{0}");
    else if (k->body->store == STORE_MAX)
        put(t, "-INFINITY");
    else if (nest->begins && k->first) {
        w->lane = -1;
        put(t, "%s", output_lane ? "ALL(" : "");
        put_expr(w, t, k->first->rhs, ANY, false);
        put(t, "%s", output_lane ? ")" : "");
    } else {
        put(t, "%s", output_lane ? "LOAD(" : "");
        put_access(w, t, &k->body->out);
        put(t, "%s", output_lane ? ")" : "");
    }
    w->lane = lane;
    w->nearly = 0;
    put(t, ";\n");
}

static void put_last_value(Writer *w, const Nest *nest, const char *name, bool output_lane, bool reduction_lane)
{
    const Kernel *k = nest->kernel;
    Text *t = &w->body;
    int lane = w->lane;
    w->lane = -1;
    put(t, "%s", output_lane ? "STORE(" : "");
    put_access(w, t, &k->body->out);
    put(t, "%s", output_lane ? ", " : reduction_lane && !(nest->begins && k->first) ? " += " : " = ");
    if (reduction_lane && nest->begins && k->first && !expr_is(k->first->rhs, 0)) {
        put_expr(w, t, k->first->rhs, SUM, false);
        put(t, " + ");
    }
    put(t, reduction_lane ? "SUM(%s)" : "%s", name);
    put(t, "%s", output_lane ? ");\n" : ";\n");
    w->lane = lane;
}

/* One accumulation at the point at hand. */
static void put_accumulation(Writer *w, const Nest *nest, const char *name, int depth, bool last)
{
    const Statement *s = nest->kernel->body;
    Text *t = &w->body;
    put_early(w, s->rhs, depth, false);
    indent(t, depth);
    if (last) { /* a contraction with a reduction in lanes: one factor is masked */
        int masked = !in_lanes(w, &s->rhs->arg[0]->access);
        put(t, "%s += ", name);
        put_expr(w, t, s->rhs->arg[!masked], PRODUCT, false);
        put(t, " * LAST(%lld, ", (long long)nest->rest);
        put_expr(w, t, s->rhs->arg[masked], ANY, false);
        put(t, ");\n");
        return;
    }
    if (s->store == STORE_ADD) {
        put(t, "%s += ", name);
        put_expr(w, t, s->rhs, ANY, false);
        put(t, ";\n");
        w->nearly = 0;
        return;
    }
    put(t, "v = ");
    put_expr(w, t, s->rhs, ANY, false);
    put(t, ";\n");
    indent(t, depth);
    if (!s->position) {
        put(t, "best = GREATER(v, best) ? v : best;\n");
        return;
    }
    Expr number = {.op = OP_INDEX, .index = affine(0)};
    for (int i = output_indices(s); i < s->nindex; i++) {
        number.index = affine_scale(number.index, s->extent[i]);
        number.index.coefficient[i] = 1;
    }
    put(t, "if (GREATER(v, best)) {\n");
    indent(t, depth + 1);
    put(t, "best = v;\n");
    indent(t, depth + 1);
    put(t, "at = ");
    put_expr(w, t, &number, ANY, false);
    put(t, ";\n");
    indent(t, depth);
    put(t, "}\n");
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

/* out = rhs or out op= rhs at each point, without a register. */
static void emit_direct(Writer *w, const Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body ? k->body : k->first;
    int depth = 1;
    at_statement(w, s);
    if (nest->guarded)
        put_guard(w, -1, &depth);
    for (int i = 0; i < s->nindex; i++) {
        open_loop(w, nest, i, &depth);
        if (nest->guarded)
            put_guard(w, i, &depth);
    }
    bool early = reads_in_branch(s->rhs, false);
    if (early) {
        open_brace(w, depth, 1);
        depth += depth == 1;
        put_early(w, s->rhs, depth, false);
    }
    indent(&w->body, depth);
    put_access(w, &w->body, &s->out);
    put(&w->body, "%s", k->body ? " += " : " = ");
    put_expr(w, &w->body, s->rhs, ANY, false);
    put(&w->body, ";\n");
    w->nearly = 0;
    if (early) {
        indent(&w->body, depth - 1);
        put(&w->body, "}\n");
    }
}

/* The accumulations inside all loops: for each written-out tap the outputs of the tile. A reduction in lanes is
 * the innermost loop; the vector that ends its row comes behind it. */
static void put_taps(Writer *w, const Nest *nest, const int64_t base[MAX_INDEX], int depth, bool last)
{
    const Statement *s = nest->kernel->body;
    const Tile *tile = &nest->tile;
    int outputs = output_indices(s);
    for (int i = outputs; i < s->nindex; i++)
        if (tile->unrolled[i]) {
            w->fixed[i] = true;
            w->offset[i] = nest->begin[i];
        }
    for (bool more = true; more;) {
        for (int64_t a = 0; a < tile->factor[0]; a++)
            for (int64_t b = 0; b < tile->factor[1]; b++) {
                at_output(w, nest, base, a, b);
                put_accumulation(w, nest, register_name(nest, a, b), depth, last);
            }
        more = false;
        for (int i = s->nindex - 1; i >= outputs && !more; i--)
            if (tile->unrolled[i]) {
                more = ++w->offset[i] < nest->begin[i] + nest->count[i];
                if (!more)
                    w->offset[i] = nest->begin[i];
            }
    }
}

static void put_points(Writer *w, const Nest *nest, const int64_t base[MAX_INDEX], int depth)
{
    int lane = nest->tile.lane, inner = depth;
    if (lane < output_indices(nest->kernel->body)) {
        put_taps(w, nest, base, depth, false);
        return;
    }
    if (nest->count[lane] > nest->rest) {
        open_loop(w, nest, lane, &inner);
        if (inner > depth)
            open_brace(w, inner, depth);
        put_taps(w, nest, base, inner, false);
        if (inner > depth) {
            indent(&w->body, depth);
            put(&w->body, "}\n");
        }
    }
    if (nest->rest) {
        w->fixed[lane] = true;
        w->offset[lane] = nest->begin[lane] + nest->count[lane] - w->plan->target->lanes;
        put_taps(w, nest, base, depth, true);
    }
}

static void emit_nest(Writer *w, const Nest *nest)
{
    const Kernel *k = nest->kernel;
    const Statement *s = k->body;
    int outputs = s ? output_indices(s) : 0, depth = 1;
    if (!s || !gathers(s) || (outputs == s->nindex && s->store == STORE_ADD && !(nest->begins && k->first)
                              && nest->tile.lane < 0 && nest->tile.factor[0] * nest->tile.factor[1] == 1)) {
        emit_direct(w, nest);
        return;
    }
    const Tile *tile = &nest->tile;
    bool output_lane = tile->lane >= 0 && tile->lane < outputs, reduction_lane = tile->lane >= outputs;
    at_statement(w, s);
    w->lane = tile->lane;
    for (int i = 0; i < outputs; i++)
        open_loop(w, nest, i, &depth);
    int64_t base[MAX_INDEX];
    memcpy(base, w->offset, sizeof base);
    open_brace(w, depth, 1);
    if (depth == 1)
        depth++;
    for (int64_t a = 0; a < tile->factor[0]; a++)
        for (int64_t b = 0; b < tile->factor[1]; b++) {
            at_output(w, nest, base, a, b);
            put_first_value(w, nest, register_name(nest, a, b), depth, output_lane, reduction_lane);
        }
    if (s->store == STORE_MAX) {
        indent(&w->body, depth);
        put(&w->body, "float v%s;\n", s->position ? ", at = -1.0f" : "");
    }
    at_output(w, nest, base, 0, 0);

    int inner = depth;
    if (nest->guarded)
        for (int i = -1; i < outputs; i++)
            put_guard(w, i, &inner);
    for (int i = outputs; i < s->nindex; i++)
        if (!tile->unrolled[i] && i != tile->lane) {
            open_loop(w, nest, i, &inner);
            if (nest->guarded)
                put_guard(w, i, &inner);
        }
    int64_t points = tile->factor[0] * tile->factor[1] * (nest->rest ? 2 : 1);
    for (int i = outputs; i < s->nindex; i++)
        if (tile->unrolled[i])
            points *= nest->count[i];
    /* A loop over lanes brings its own. */
    bool lane_loop = tile->lane >= outputs && !nest->rest && nest->count[tile->lane] > w->plan->target->lanes;
    bool braces = inner > depth && !lane_loop && (points > 1 || s->store == STORE_MAX || reads_in_branch(s->rhs, false));
    if (braces)
        open_brace(w, inner, depth);
    put_points(w, nest, base, inner);
    if (braces) {
        indent(&w->body, inner - 1);
        put(&w->body, "}\n");
    }
    for (int64_t a = 0; a < tile->factor[0]; a++)
        for (int64_t b = 0; b < tile->factor[1]; b++) {
            at_output(w, nest, base, a, b);
            indent(&w->body, depth);
            put_last_value(w, nest, register_name(nest, a, b), output_lane, reduction_lane);
        }
    if (s->position) {
        Access position = same_place(s->out, s->position);
        indent(&w->body, depth);
        put_access(w, &w->body, &position);
        put(&w->body, " = at;\n");
    }
    indent(&w->body, depth - 1);
    put(&w->body, "}\n");
}

/* Cuts a nest at the last whole multiple of its lanes and factors; the rests are nests of their own. */
static void emit_with_tails(Writer *w, Nest nest)
{
    Tile *tile = &nest.tile;
    int lanes = w->plan->target->lanes;
    int64_t in_lanes = tile->lane >= 0 ? nest.count[tile->lane] : 0;
    if (tile->lane >= output_indices(nest.kernel->body))
        nest.rest = in_lanes % lanes;
    else if (in_lanes % lanes) {
        int i = tile->lane;
        Nest rest = nest;
        nest.count[i] = in_lanes / lanes * lanes;
        if (nest.begins && nest.kernel->first) { /* the last vector again computes some of the one before */
            rest.begin[i] += in_lanes - lanes;
            rest.count[i] = lanes;
        } else {
            rest.begin[i] += nest.count[i];
            rest.count[i] = in_lanes % lanes;
            rest.tile.lane = -1;
        }
        emit_with_tails(w, nest);
        emit_with_tails(w, rest);
        return;
    }
    for (int side = 0; side < 2; side++) {
        int i = tile->index[side];
        if (i < 0)
            continue;
        if (tile->factor[side] > nest.count[i])
            tile->factor[side] = nest.count[i];
        int64_t rest_count = nest.count[i] % tile->factor[side];
        if (rest_count) {
            Nest rest = nest;
            rest.begin[i] += nest.count[i] - rest_count;
            rest.count[i] = rest.tile.factor[side] = rest_count;
            nest.count[i] -= rest_count;
            emit_with_tails(w, nest);
            emit_with_tails(w, rest);
            return;
        }
    }
    emit_nest(w, &nest);
}

/* A region whose taps all lie outside: out gets its first value, or -inf. */
static void emit_empty_region(Writer *w, const Kernel *k, const Region *r)
{
    const Statement *s = k->body;
    Statement first = *s;
    first.nindex = output_indices(s);
    first.store = STORE_SET;
    first.rhs = s->store == STORE_MAX ? constant(-INFINITY) : k->first ? k->first->rhs : NULL;
    Kernel fill = {.first = &first};
    Nest nest = {.kernel = &fill, .tile = no_tile(), .begins = true};
    memcpy(nest.begin, r->begin, sizeof nest.begin);
    memcpy(nest.count, r->count, sizeof nest.count);
    if (!first.rhs)
        return;
    emit_nest(w, &nest);
    if (s->position) {
        Statement position = first;
        position.out = same_place(first.out, s->position);
        position.rhs = constant(-1);
        fill.first = &position;
        emit_nest(w, &nest);
    }
}

static void emit_loops(Writer *w, const Kernel *k)
{
    const Statement *s = k->body ? k->body : k->first;
    if (is_zero_fill(k)) {
        put_zero(w, &k->first->out);
        return;
    }
    Nest nest = {.kernel = k, .tile = no_tile(), .begins = true, .guarded = true};
    for (int i = 0; i < s->nindex; i++)
        nest.count[i] = s->extent[i];
    if (!k->regions) {
        emit_nest(w, &nest);
        return;
    }
    nest.guarded = false;
    for (const Region *r = k->regions; r; r = r->next) {
        if (r->empty) {
            emit_empty_region(w, k, r);
            continue;
        }
        memcpy(nest.begin, r->begin, sizeof nest.begin);
        memcpy(nest.count, r->count, sizeof nest.count);
        nest.tile = r->tile;
        emit_with_tails(w, nest);
    }
}

/* ---- The function --------------------------------------------------------------------------------------------------------------------- */

static void put_unused(Writer *w)
{
    const Function *f = w->function;
    for (int i = 0; i < f->nparams; i++)
        if (!w->used[i] && !w->ever[i])
            fprintf(w->file, "    (void)%s;\n", c_name(f->param[i]->name));
    if (f->uses_random && !w->used_rng && !w->ever_rng)
        fprintf(w->file, "    (void)rng;\n");
    if (f->uses_mean && !w->used_mean && !w->ever_mean)
        fprintf(w->file, "    (void)mean;\n");
}

void emit_function(FILE *file, const Plan *plan, const Function *f, bool *tables)
{
    Writer w = {.file = file, .plan = plan, .function = f, .used = NEW_ARRAY(bool, f->nparams + 1),
                .ever = NEW_ARRAY(bool, f->nparams + 1), .tables = tables};
    Text calls = {NULL, 0, 0};
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (f->unroll == UNROLL_FULL)
            emit_full(&w, k, &calls);
        else
            emit_loops(&w, k);
    if (w.parts)
        end_part(&w, &calls);
    char *head = format("static NOINLINE void %s(", f->name);
    fprintf(file, "%s", head);
    put_params(&w, file, (int)strlen(head), false);
    fprintf(file, ")\n{\n");
    put_unused(&w);
    const Text *text = w.parts ? &calls : &w.body;
    if (text->length)
        fwrite(text->data, 1, text->length, file);
    fprintf(file, "}\n\n");
    free(w.body.data);
    free(w.term.data);
    free(calls.data);
}
