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
            fail("out of memory");
    }
}

void indent(Text *t, int depth)
{
    put(t, "%*s", 4 * depth, "");
}

/* ---- Terms ----------------------------------------------------------------------------------- */

/* block first, then the indices in the order of their loops; returns how many terms there are. */
static int put_affine(Printer *p, const Affine *a)
{
    int terms = 0;
    for (int n = 0; n < MAX_TERMS; n++) {
        int i = n ? n - 1 : BLOCK;
        int64_t k = a->coefficient[i];
        if (!k)
            continue;
        put(p->out, "%s", terms++ ? k < 0 ? " - " : " + " : k < 0 ? "-" : "");
        if (llabs(k) != 1)
            put(p->out, "%lld * ", (long long)llabs(k));
        put(p->out, "%s", p->index[i]);
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

static void put_place(Printer *p, const Access *place)
{
    const Tensor *tensor = place->tensor;
    name_tensor(p, tensor);
    if (tensor->rank == 0)
        put(p->out, "[0]");
    for (int d = 0; d < tensor->rank; d++) {
        Affine at = affine_add(place->at[d], affine(tensor->before[d]));
        put(p->out, "[");
        put_affine(p, &at);
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

static void put_choice(Printer *p, const Term *a, const Term *b)
{
    put(p->out, " ? ");
    put_term(p, a, COMPARISON);
    put(p->out, " : ");
    put_term(p, b, CONDITION);
}

static void put_op(Printer *p, const Term *v)
{
    const char *text = op_info[v->op].c;
    if (!*text && v->op != OP_RANDOM)
        bug("operation %d has no words in C", (int)v->op);
    p->named->rng |= v->op == OP_RANDOM;
    p->named->mean |= v->op == OP_MEAN;
    p->named->samples |= v->op == OP_SAMPLES;
    p->uses->scalar_math |= c_ops[v->op].math;
    if (v->op == OP_RANDOM) {
        put(p->out, "nn_uniform_at(rng, (uint64_t)(");
        put_affine(p, &v->affine);
        put(p->out, "))");
    } else if (op_info[v->op].arity == 0)
        put(p->out, "%s", text);
    else if (op_info[v->op].arity == 1) {
        put(p->out, "%s(", text);
        put_term(p, v->arg[0], ANY);
        put(p->out, ")");
    } else {
        const Term *left = v->arg[0];
        bool minus = v->op == OP_SUB && left->kind == TERM_NUMBER && left->number == 0;
        if (!minus)
            put_term(p, left, c_ops[v->op].left);
        put(p->out, "%s", minus ? "-" : format(" %s ", text));
        put_term(p, v->arg[1], c_ops[v->op].right);
        if (op_info[v->op].arity == 4)
            put_choice(p, v->arg[2], v->arg[3]);
    }
}

static void put_index(Printer *p, const Term *v)
{
    if (v->is_int) {
        put_affine(p, &v->affine);
        return;
    }
    const size_t begin = p->out->length;
    put_affine(p, &v->affine);
    const char *index = format("%s", p->out->data + begin);
    p->out->length = begin;
    put(p->out, strchr(index, ' ') ? "(float)(%s)" : "(float)%s", index);
}

static void put_term(Printer *p, const Term *v, int binds)
{
    int level = v->kind == TERM_OP ? c_ops[v->op].level : v->kind == TERM_GREATER ? CONDITION : ANY;
    bool parenthesis = level && level < binds;
    put(p->out, "%s", parenthesis ? "(" : "");
    switch (v->kind) {
    case TERM_NUMBER: put(p->out, "%s", v->is_int ? format("%.0f", v->number) : c_float(v->number)); break;
    case TERM_INDEX: put_index(p, v); break;
    case TERM_LOAD: put_place(p, &v->place); break;
    case TERM_REGISTER: put(p->out, "%s", v->reg->name); break;
    case TERM_OP: put_op(p, v); break;
    case TERM_GREATER:
        p->uses->greater = true;
        put(p->out, "GREATER(");
        put_term(p, v->arg[0], ANY);
        put(p->out, ", ");
        put_term(p, v->arg[1], ANY);
        put(p->out, ")");
        put_choice(p, v->arg[2], v->arg[3]);
        break;
    }
    put(p->out, "%s", parenthesis ? ")" : "");
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
static void put_inside(Printer *p, const Node *n, int depth)
{
    put(p->out, n->body->next ? " " : "\n");
    if (n->body->next)
        put_block(p, n, depth);
    else
        print_nodes(p, n->body, depth + 1);
}

static void put_loop(Printer *p, const Node *n, int depth)
{
    put(p->out, "for (int %s = %lld; ", n->name, (long long)n->from);
    put(p->out, "%s < %s; %s", n->name, n->at_hand ? "m" : format("%lld", (long long)n->to), n->name);
    put(p->out, n->step == 1 ? "++)" : " += %lld)", (long long)n->step);
    p->index[n->index] = n->name;
    put_inside(p, n, depth);
}

static void put_when(Printer *p, const Node *n, int depth)
{
    put(p->out, "if (");
    for (const Test *t = n->tests; t; t = t->next) {
        put_affine(p, &t->at);
        put(p->out, t->end ? " < %lld" : " >= 0", (long long)t->end);
        put(p->out, t->next ? " && " : ")");
    }
    put_inside(p, n, depth);
}

/* A register without a value stands on the line of the next. */
static const Node *put_let(Printer *p, const Node *n)
{
    put(p->out, "%s%s ", n->reg->changes ? "" : "const ", n->reg->is_int ? "int" : "float");
    if (!n->value && n->next->kind == NODE_LET) {
        put(p->out, "%s, ", n->reg->name);
        n = n->next;
    }
    put(p->out, n->value ? "%s = " : "%s", n->reg->name);
    return n;
}

static void put_right_side(Printer *p, const Node *n)
{
    if (n->value)
        put_term(p, n->value, ANY);
    put(p->out, ";\n");
}

static void put_fill(Printer *p, const Tensor *tensor)
{
    put(p->out, "memset(");
    name_tensor(p, tensor);
    put(p->out, ", 0, %lld * sizeof(float));\n", (long long)tensor->floats);
}

void print_nodes(Printer *p, const Node *n, int depth)
{
    for (; n; n = n->next) {
        indent(p->out, depth);
        switch (n->kind) {
        case NODE_LOOP: put_loop(p, n, depth); break;
        case NODE_WHEN: put_when(p, n, depth); break;
        case NODE_BLOCK: put_block(p, n, depth); break;
        case NODE_LET: n = put_let(p, n), put_right_side(p, n); break;
        case NODE_SET: put(p->out, "%s = ", n->reg->name), put_right_side(p, n); break;
        case NODE_ADD: put(p->out, "%s += ", n->reg->name), put_right_side(p, n); break;
        case NODE_STORE:
            put_place(p, &n->place);
            put(p->out, n->adds ? " += " : " = ");
            put_right_side(p, n);
            break;
        case NODE_FILL: put_fill(p, n->place.tensor); break;
        }
    }
}
