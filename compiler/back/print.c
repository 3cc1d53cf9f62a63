/* print.c: nodes to C. Nothing else knows braces, precedence or literals.
 *
 * A loop and a test have braces where several nodes are inside. On its way it notes what the C calls by
 * name: parameters, tables of constants, functions of math.c. */
#include <stdlib.h>
#include <string.h>

#include "back/loops.h"

/* ---- Text ------------------------------------------------------------------------------------ */

void put(Text *t, const char *fmt, ...)
{
    for (;;) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(t->data ? t->data + t->length : NULL, t->room - t->length, fmt, ap);
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
            fail("out of memory [memory]");
    }
}

void indent(Text *t, int depth)
{
    put(t, "%*s", 4 * depth, "");
}

/* ---- Terms ----------------------------------------------------------------------------------- */

/* step or block first, then the indices in the order of their loops; returns how many terms there are. */
static int put_affine(Printer *p, const Affine *a)
{
    int terms = 0;
    for (int n = 0; n < MAX_TERMS; n++) {
        int i = (n + BLOCK) % MAX_TERMS;
        int64_t k = a->coefficient[i];
        if (!k)
            continue;
        put(p->out, "%s", terms++ ? k < 0 ? " - " : " + " : k < 0 ? "-" : "");
        if (llabs(k) != 1)
            put(p->out, "%lld * ", (long long)llabs(k));
        put(p->out, "%s", p->index[i]);
        p->named->step |= i == STEP;
    }
    if (!terms)
        put(p->out, "%lld", (long long)a->constant);
    else if (a->constant)
        put(p->out, " %c %lld", a->constant < 0 ? '-' : '+', (long long)llabs(a->constant));
    return terms + (a->constant != 0);
}

static void name_tensor(Printer *p, const Tensor *tensor)
{
    if (tensor->role == TENSOR_CONSTANT)
        p->tables[tensor->id] = true;
    for (int i = 0; i < p->function->nparams; i++)
        if (p->function->param[i] == tensor)
            p->named->param[i] = true;
    put(p->out, "%s", c_name(tensor->name));
}

static void put_place(Printer *p, const Access *place, bool clamped)
{
    const Tensor *tensor = place->tensor;
    if (p->function->unroll == UNROLL_FULL) {
        Affine at = position_of(*place); /* a number, but where tokens or --stream say it */
        name_tensor(p, tensor);
        put(p->out, "[");
        put_affine(p, &at);
        put(p->out, "]");
        return;
    }
    name_tensor(p, tensor);
    if (tensor->rank == 0)
        put(p->out, "[0]");
    for (int d = 0; d < tensor->rank; d++) {
        Affine at = affine_add(place->at[d], affine(tensor->before[d]));
        put(p->out, "[");
        put_affine(p, &at);
        if (clamped && d == 0) {
            put(p->out, " < m ? ");
            put_affine(p, &at);
            put(p->out, " : m - 1");
        }
        put(p->out, "]");
    }
}

enum { ANY, CONDITION, COMPARISON, SUM, PRODUCT, FACTOR }; /* how tightly it binds */

/* Operators have a level of their own, and what their operands need. */
static const struct {
    int level, left, right;
    unsigned math;
} c_ops[NOPS] = {
    [OP_ADD] = {SUM, SUM, SUM, 0},
    [OP_SUB] = {SUM, SUM, PRODUCT, 0},
    [OP_MUL] = {PRODUCT, PRODUCT, PRODUCT, 0},
    [OP_DIV] = {PRODUCT, PRODUCT, FACTOR, 0},
    [OP_IF_LE] = {CONDITION, SUM, SUM, 0},
    [OP_IF_EQ] = {CONDITION, SUM, SUM, 0},
    [OP_EXP] = {.math = MATH_EXP},
    [OP_LOG] = {.math = MATH_LOG},
    [OP_LOG1P] = {.math = MATH_LOG1P},
    [OP_TANH] = {.math = MATH_TANH},
    [OP_SIGMOID] = {.math = MATH_SIGMOID},
    [OP_ERF] = {.math = MATH_ERF},
    [OP_SQRT] = {.math = MATH_SQRT},
};

static void put_term(Printer *p, const Term *v, int binds);

static bool is_vector(const Term *v)
{
    return v->width > 1;
}

static bool loads_vector(const Term *v)
{
    return is_vector(v) && v->kind == TERM_LOAD && !v->first;
}

/* Is it of the type of vectors in memory, of which C makes no choice with another? That is what is loaded,
 * and may be a sum or product of it. */
static bool may_be_of_memory(const Term *v)
{
    bool may = loads_vector(v);
    for (int i = 0; v->kind == TERM_OP && op_info[v->op].arity == 2 && i < 2; i++)
        may |= may_be_of_memory(v->arg[i]);
    return may;
}

static void put_chosen(Printer *p, const Term *v, const Term *other, int binds)
{
    bool casts = may_be_of_memory(v) && !(loads_vector(v) && loads_vector(other));
    if (casts)
        put(p->out, "(vec%s)", p->kind);
    put_term(p, v, casts ? FACTOR : binds);
}

static void put_choice(Printer *p, const Term *a, const Term *b)
{
    put(p->out, " ? ");
    put_chosen(p, a, b, COMPARISON);
    put(p->out, " : ");
    put_chosen(p, b, a, CONDITION);
}

/* What stands in parentheses behind a name, with commas between. */
static void put_arguments(Printer *p, const Term *const *v, int n, const char *before)
{
    put(p->out, "%s", before);
    for (int i = 0; i < n; i++) {
        put(p->out, "%s", i ? ", " : "");
        put_term(p, v[i], ANY);
    }
    put(p->out, ")");
}

/* A function of one number: exp_f, or for vectors exp_v. */
static void put_call(Printer *p, const Term *v, const char *text)
{
    if (is_vector(v)) {
        p->uses->vector_math |= c_ops[v->op].math;
        p->uses->absolute |= v->op == OP_ABS;
        text = v->op == OP_ABS ? format("ABS%s", p->kind)
                               : format("%.*s_v%s", (int)strlen(text) - 2, text, p->kind);
    } else
        p->uses->scalar_math |= c_ops[v->op].math;
    put_arguments(p, v->arg, 1, format("%s(", text));
}

/* Lane by lane: both values are computed, a mask takes one. */
static void put_selection(Printer *p, const Term *v, const char *text)
{
    p->uses->select = true;
    put(p->out, "SELECT%s(", p->kind);
    put_term(p, v->arg[0], SUM);
    put(p->out, " %s ", text);
    put_term(p, v->arg[1], SUM);
    put_arguments(p, v->arg + 2, 2, ", ");
}

static void put_op(Printer *p, const Term *v)
{
    const char *text = op_info[v->op].c;
    if (!*text && v->op != OP_RANDOM)
        bug("operation %d has no words in C", (int)v->op);
    p->named->rng |= v->op == OP_RANDOM;
    p->named->mean |= v->op == OP_MEAN;
    p->named->samples |= v->op == OP_SAMPLES;
    if (v->op == OP_RANDOM) {
        put(p->out, "nn_uniform_at(rng, (uint64_t)(");
        put_affine(p, v->affine);
        put(p->out, "))");
    } else if (op_info[v->op].arity == 0)
        put(p->out, "%s", v->op == OP_AT_HAND && v->is_int ? "m" : text);
    else if (op_info[v->op].arity == 1)
        put_call(p, v, text);
    else if (op_info[v->op].arity == 4 && (is_vector(v->arg[0]) || is_vector(v->arg[1])))
        put_selection(p, v, text);
    else {
        const Term *left = v->arg[0];
        bool minus = v->op == OP_SUB && left->kind == TERM_NUMBER && left->number == 0;
        if (!minus)
            put_term(p, left, c_ops[v->op].left);
        if (minus)
            put(p->out, "-");
        else
            put(p->out, " %s ", text);
        put_term(p, v->arg[1], c_ops[v->op].right);
        if (op_info[v->op].arity == 4)
            put_choice(p, v->arg[2], v->arg[3]);
    }
}

/* Another number in each lane. */
static void put_lanes(Printer *p, const Term *v)
{
    const char *times = v->step == 1 ? "" : format(" * %lld.0f", (long long)v->step);
    p->uses->lanes = true;
    if (affine_is_constant(v->affine) && !v->affine->constant)
        put(p->out, "LANES%s%s", p->kind, times);
    else if (affine_is_constant(v->affine))
        put(p->out, "(LANES%s%s + %s)", p->kind, times, c_float((double)v->affine->constant));
    else {
        put(p->out, "(LANES%s * %lld.0f + (float)(", p->kind, (long long)v->step);
        put_affine(p, v->affine);
        put(p->out, "))");
    }
}

static void put_index(Printer *p, const Term *v)
{
    if (is_vector(v)) {
        put_lanes(p, v);
        return;
    }
    if (v->is_int) {
        put_affine(p, v->affine);
        return;
    }
    const size_t begin = p->out->length;
    put_affine(p, v->affine);
    const char *index = format("%s", p->out->data + begin);
    p->out->length = begin;
    put(p->out, strchr(index, ' ') ? "(float)(%s)" : "(float)%s", index);
}

static void put_load(Printer *p, const Term *v)
{
    const Tensor *t = v->place->tensor;
    if (v->first)
        put(p->out, "LOAD_FIRST%s(%d, ", p->kind, v->first);
    else if (is_vector(v))
        put(p->out, "LOAD%s(", p->kind);
    else if (t->is_int && !v->is_int)
        put(p->out, "(float)");
    p->uses->load_first |= v->first > 0;
    put_place(p, v->place, v->clamped);
    if (is_vector(v))
        put(p->out, ")");
}

/* EACH(x, [2][3]): x[0][2][3], x[1][2][3], ... */
static void put_each(Printer *p, const Access *place)
{
    p->uses->each = true;
    put(p->out, "EACH%s(", p->kind);
    name_tensor(p, place->tensor);
    put(p->out, ", ");
    for (int d = 1; d < place->tensor->rank; d++) {
        put(p->out, "[");
        put_affine(p, &place->at[d]);
        put(p->out, "]");
    }
    put(p->out, ")");
}

/* at: its row and column, where it is one of an array. */
static void put_register(Printer *p, const Register *reg, const Affine *at)
{
    put(p->out, "%s", reg->name);
    for (int d = 0; reg->rows && d < 2; d++) {
        put(p->out, "[");
        put_affine(p, &at[d]);
        put(p->out, "]");
    }
}

static void put_greater(Printer *p, const Term *v)
{
    p->uses->greater = true;
    p->uses->select |= is_vector(v);
    put_arguments(p, v->arg, 2, is_vector(v) ? format("SELECT%s(GREATER(", p->kind) : "GREATER(");
    if (is_vector(v))
        put_arguments(p, v->arg + 2, 2, ", ");
    else
        put_choice(p, v->arg[2], v->arg[3]);
}

static void put_first(Printer *p, const Term *v)
{
    if (v->number == 0) {
        p->uses->first = true;
        put_arguments(p, v->arg, 1, format("FIRST%s(%d, ", p->kind, v->first));
        return;
    }
    p->uses->select = p->uses->lanes = p->uses->all = true;
    put(p->out, "SELECT%s(LANES%s < %d.0f, ", p->kind, p->kind, v->first);
    put_term(p, v->arg[0], ANY);
    put(p->out, ", ALL%s(%s))", p->kind, c_float(v->number));
}

/* Of all lanes of a vector in a register, or in memory. */
static void put_across(Printer *p, const Term *v)
{
    const Term *of = v->arg[0];
    const bool in_memory = of->kind == TERM_LOAD && v->kind == TERM_SUM;
    p->uses->vectors = true;
    p->uses->sum |= v->kind == TERM_SUM;
    p->uses->greatest |= v->kind == TERM_GREATEST;
    p->uses->greater |= v->kind == TERM_GREATEST; /* which its function calls */
    if (in_memory) {
        put(p->out, "sum%s(&", *p->kind ? p->kind : "_lanes");
        put_place(p, of->place, false);
        put(p->out, ")");
    } else
        put_arguments(p, v->arg, 1, format("%s%s(", v->kind == TERM_SUM ? "SUM" : "GREATEST", p->kind));
}

static const char *number_text(const Term *v)
{
    if (!is_vector(v))
        return v->is_int ? format("%.0f", v->number) : c_float(v->number);
    if (v->number != 0)
        bug("a vector of %g", v->number);
    return "{0}";
}

static int level_of(const Term *v)
{
    if (v->kind == TERM_GREATER)
        return is_vector(v) ? ANY : CONDITION;
    if (v->kind != TERM_OP)
        return ANY;
    /* a selection is a call */
    const bool selects = op_info[v->op].arity == 4 && (is_vector(v->arg[0]) || is_vector(v->arg[1]));
    return selects ? ANY : c_ops[v->op].level;
}

static void put_term(Printer *p, const Term *v, int binds)
{
    int level = level_of(v);
    /* so that nobody has to know that C gives a choice the weakest hold */
    bool choice = v->kind == TERM_OP && level == CONDITION && is_vector(v);
    bool parenthesis = level && (level < binds || choice);
    p->uses->vectors |= is_vector(v);
    if (parenthesis)
        put(p->out, "(");
    switch (v->kind) {
    case TERM_NUMBER: put(p->out, "%s", number_text(v)); break;
    case TERM_INDEX: put_index(p, v); break;
    case TERM_LOAD: put_load(p, v); break;
    case TERM_EACH: put_each(p, v->place); break;
    case TERM_REGISTER: put_register(p, v->reg, v->affine); break;
    case TERM_OP: put_op(p, v); break;
    case TERM_GREATER: put_greater(p, v); break;
    case TERM_EQUAL:
        put_term(p, v->arg[0], SUM);
        put(p->out, " == ");
        put_term(p, v->arg[1], SUM);
        break;
    case TERM_SPLAT:
        p->uses->all = true;
        put_arguments(p, v->arg, 1, format("ALL%s(", p->kind));
        break;
    case TERM_FIRST: put_first(p, v); break;
    case TERM_SUM:
    case TERM_GREATEST: put_across(p, v); break;
    }
    if (parenthesis)
        put(p->out, ")");
}

/* The value of a node. Straight-line code has sums of very many terms: they go on in the next line. */
static void put_sum(Printer *p, const Term *v, int binds, size_t *line)
{
    enum { WIDTH = 116 };
    if (p->function->unroll != UNROLL_FULL || v->kind != TERM_OP || v->op != OP_ADD || is_vector(v)) {
        put_term(p, v, binds);
        return;
    }
    put_sum(p, v->arg[0], SUM, line);
    const size_t end = p->out->length;
    put(p->out, " + ");
    put_term(p, v->arg[1], SUM);
    const int length = (int)(p->out->length - end);
    if ((int64_t)(end - *line) + length - 3 <= WIDTH)
        return;
    const char *term = format("%s", p->out->data + end);
    p->out->length = end;
    *line = end + 1;
    put(p->out, "\n           %s", term);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static void put_block(Printer *p, const Node *n, int depth)
{
    put(p->out, "{\n");
    print_nodes(p, n->body, depth + 1);
    indent(p->out, depth);
    put(p->out, "}\n");
}

/* Behind a loop or a test. */
static void put_inside(Printer *p, const Node *body, int depth)
{
    const bool block = body->kind == NODE_BLOCK && !body->next, one = !block && !body->next;
    const Node around = {.kind = NODE_BLOCK, .body = (Node *)body};
    put(p->out, one ? "\n" : " ");
    if (one)
        print_nodes(p, body, depth + 1);
    else
        put_block(p, block ? body : &around, depth);
}

/* From where the loop around over blocks stands, to its next round or the end. */
static const char *end_of_block(const Printer *p, const Node *n)
{
    const char *stop = format("%s + %lld", p->index[n->index], (long long)n->many);
    if ((n->to - n->from) % n->many == 0)
        return stop;
    return format("(%s < %lld ? %s : %lld)", stop, (long long)n->to, stop, (long long)n->to);
}

/* The index is a variable, and what is inside happens if it lies in its range. */
static void put_picked(Printer *p, const Node *n, int depth)
{
    const char *around = p->index[n->index];
    put(p->out, "const int %s = ", n->name);
    put_term(p, n->value, ANY);
    put(p->out, ";\n");
    indent(p->out, depth);
    put(p->out, "if (%s >= %lld && %s < %lld)", n->name, (long long)n->from, n->name, (long long)n->to);
    p->index[n->index] = n->name;
    put_inside(p, n->body, depth);
    p->index[n->index] = around;
}

/* from + (since - from) / step * step, where since is above from. */
static void put_first_round(Printer *p, const Node *n)
{
    Affine behind = *n->since;
    behind.constant -= n->from;
    if (!n->always) {
        put_affine(p, n->since);
        put(p->out, " < %lld ? %lld : ", (long long)n->from, (long long)n->from);
    }
    if (n->step == 1) {
        put_affine(p, n->since);
        return;
    }
    if (n->from)
        put(p->out, "%lld + ", (long long)n->from);
    put(p->out, "(");
    put_affine(p, &behind);
    put(p->out, ") / %lld * %lld", (long long)n->step, (long long)n->step);
}

static void put_loop(Printer *p, const Node *n, int depth)
{
    if (n->range == RANGE_PICKED) {
        put_picked(p, n, depth);
        return;
    }
    const char *i = n->name, *from = format("%lld", (long long)n->from);
    const char *test = format("%s < %lld", i, (long long)n->to);
    if (n->range == RANGE_BLOCK) {
        from = p->index[n->index];
        test = format("%s < %s", i, end_of_block(p, n));
    }
    if (n->range == RANGE_LEFT)
        from = format("m - m %% %lld", (long long)n->many);
    if (n->range == RANGE_SAMPLES || n->range == RANGE_LEFT)
        test = n->step > 1 ? format("%s + %lld <= m", i, (long long)n->step) : format("%s < m", i);
    const char *step = n->step == 1 ? "++" : format(" += %lld", (long long)n->step);
    p->uses->unrolled |= n->unrolled;
    put(p->out, "%sfor (int %s = ", n->unrolled ? "UNROLLED " : "", i);
    if (n->since)
        put_first_round(p, n);
    else
        put(p->out, "%s", from);
    put(p->out, "; %s%s", n->last && n->always ? "" : test, n->last && !n->always ? " && " : "");
    if (n->last) {
        put(p->out, "%s <= ", i);
        put_affine(p, n->last);
    }
    put(p->out, "; %s%s)", i, step);
    const char *around = p->index[n->index];
    p->index[n->index] = i;
    put_inside(p, n->body, depth);
    p->index[n->index] = around;
}

/* Inside, indices are divided. */
static void put_windows(Printer *p, const Node *n, int depth)
{
    const char *index[MAX_TERMS];
    memcpy(index, p->index, sizeof index);
    for (int i = 0; i < MAX_TERMS; i++)
        if (n->per[i] > 1 && p->index[i])
            p->index[i] = format("%s / %lld", index[i], (long long)n->per[i]);
    print_nodes(p, n->body, depth);
    memcpy(p->index, index, sizeof index);
}

static void put_when(Printer *p, const Node *n, int depth)
{
    put(p->out, "if (");
    if (n->value) {
        put_term(p, n->value, ANY);
        put(p->out, ")");
    }
    for (const Test *t = n->tests; t; t = t->next) {
        put_affine(p, &t->at);
        put(p->out, t->end ? " < %lld" : " >= 0", (long long)t->end);
        put(p->out, t->next ? " && " : ")");
    }
    put_inside(p, n->body, depth);
    if (n->otherwise) {
        indent(p->out, depth);
        put(p->out, "else");
        put_inside(p, n->otherwise, depth);
    }
}

static void put_right_side(Printer *p, const Node *n, size_t line)
{
    if (n->value)
        put_sum(p, n->value, ANY, &line);
    put(p->out, ";\n");
}

static bool begins_with_zero(const Node *n)
{
    return n && n->kind == NODE_LET && n->value && n->value->kind == TERM_NUMBER && n->value->number == 0
        && n->reg->changes && !n->reg->is_int;
}

/* Sums that begin with zero stand side by side; gives the last of them that has room on the line. */
static const Node *put_zeros(Printer *p, const Node *n, size_t line)
{
    enum { WIDTH = 100 };
    for (;; n = n->next) {
        put(p->out, "%s = %s", n->reg->name, number_text(n->value));
        if (!begins_with_zero(n->next) || n->next->reg->width != n->reg->width
            || p->out->length - line + strlen(n->next->reg->name) > WIDTH)
            return n;
        put(p->out, ", ");
    }
}

/* A register without a value stands on the line of the next of its kind; gives the last that it printed. */
static const Node *put_let(Printer *p, const Node *n, size_t line)
{
    const char *type = n->reg->width > 1 ? format("vec%s", p->kind) : n->reg->is_int ? "int" : "float";
    put(p->out, "%s%s ", n->reg->changes ? "" : "const ", type);
    if (n->reg->rows) {
        p->uses->vectors |= n->reg->width > 1;
        put(p->out, "%s[%d][%d];\n", n->reg->name, n->reg->rows, n->reg->columns);
        return n;
    }
    if (!n->value && n->next->kind == NODE_LET && n->next->value && n->next->reg->width == n->reg->width
        && n->next->reg->changes) {
        put(p->out, "%s, ", n->reg->name);
        n = n->next;
    }
    p->uses->vectors |= n->reg->width > 1;
    if (begins_with_zero(n)) {
        n = put_zeros(p, n, line);
        put(p->out, ";\n");
        return n;
    }
    put(p->out, n->value ? "%s = " : "%s", n->reg->name);
    put_right_side(p, n, line);
    return n;
}

static void put_store(Printer *p, const Node *n, size_t line)
{
    if (n->width > 1) {
        const bool all = !n->first || n->whole;
        p->uses->store_first |= !all;
        p->uses->vectors = true;
        if (all)
            put(p->out, "STORE%s(", p->kind);
        else
            put(p->out, "STORE_FIRST%s(%d, ", p->kind, n->first);
        put_place(p, n->place, false);
        put(p->out, ", ");
        put_term(p, n->value, ANY);
        put(p->out, ");\n");
        return;
    }
    put_place(p, n->place, false);
    put(p->out, n->adds ? " += " : " = ");
    put_right_side(p, n, line);
}

static void put_fill(Printer *p, const Tensor *tensor)
{
    put(p->out, "memset(");
    name_tensor(p, tensor);
    put(p->out, ", 0, %lld * sizeof(float));\n", (long long)tensor->floats);
}

static void put_set(Printer *p, const Node *n, size_t line)
{
    put_register(p, n->reg, n->at);
    put(p->out, n->kind == NODE_SET ? " = " : " += ");
    put_right_side(p, n, line);
}

/* Gives the last node that it printed. */
static const Node *put_node(Printer *p, const Node *n, int depth)
{
    const size_t line = p->out->length;
    if (n->kind == NODE_WINDOWS) {
        put_windows(p, n, depth);
        return n;
    }
    indent(p->out, depth);
    switch (n->kind) {
    case NODE_LOOP: put_loop(p, n, depth); break;
    case NODE_WHEN: put_when(p, n, depth); break;
    case NODE_BLOCK: put_block(p, n, depth); break;
    case NODE_LET: return put_let(p, n, line);
    case NODE_SET:
    case NODE_ADD: put_set(p, n, line); break;
    case NODE_STORE: put_store(p, n, line); break;
    case NODE_FILL: put_fill(p, n->place->tensor); break;
    case NODE_WINDOWS: break;
    }
    return n;
}

void print_node(Printer *p, const Node *n, int depth)
{
    put_node(p, n, depth);
}

void print_nodes(Printer *p, const Node *n, int depth)
{
    for (; n; n = n->next)
        n = put_node(p, n, depth);
}
