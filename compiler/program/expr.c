/* expr.c: expressions, the right-hand sides of statements.
 *
 * They are built by constructors that simplify the trivial cases (x + 0, x * 1), and never change
 * afterwards. */
#include <math.h>
#include <string.h>

#include "program/program.h"

const OpInfo op_info[NOPS] = {
#define INFO(op, n, dump, c, cycles, bytes, each, value) [OP_##op] = {n, dump, c, cycles, bytes, each},
    OPS(INFO)
#undef INFO
};

/* ---- Expressions ----------------------------------------------------------------------------- */

static size_t size_of(Op op)
{
    return op == OP_LOAD                      ? sizeof(Expr)
         : op == OP_INDEX || op == OP_RANDOM ? offsetof(Expr, access)
                                              : offsetof(Expr, index);
}

static Expr *new_expr(Op op)
{
    Expr *e = allocate(1, size_of(op));
    e->op = op;
    return e;
}

Expr *constant(double value)
{
    Expr *e = new_expr(OP_CONSTANT);
    e->value = value;
    return e;
}

Expr *load(Access access)
{
    Expr *e = new_expr(OP_LOAD);
    e->access = access;
    return e;
}

Expr *index_value(Affine index)
{
    Expr *e = new_expr(OP_INDEX);
    e->index = index;
    return e;
}

Expr *random_value(Affine number)
{
    Expr *e = new_expr(OP_RANDOM);
    e->index = number;
    return e;
}

Expr *mean_value(void)
{
    return new_expr(OP_MEAN);
}

Expr *samples_value(void)
{
    return new_expr(OP_SAMPLES);
}

Expr *at_hand_value(void)
{
    return new_expr(OP_AT_HAND);
}

Expr *share_of_mean(const Prog *prog)
{
    return prog->net->ignores ? mean_value()
                              : mul(mean_value(), constant(1.0 / (double)prog->net->targets));
}

bool expr_is(const Expr *e, double value)
{
    return e->op == OP_CONSTANT && e->value == value;
}

Expr *unary(Op op, Expr *a)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    return e;
}

Expr *binary(Op op, Expr *a, Expr *b)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    e->arg[1] = b;
    return e;
}

/* The four below leave out what a neutral or an absorbing constant makes needless. */
Expr *add(Expr *a, Expr *b)
{
    return expr_is(a, 0) ? b : expr_is(b, 0) ? a : binary(OP_ADD, a, b);
}

Expr *sub(Expr *a, Expr *b)
{
    return expr_is(b, 0) ? a : binary(OP_SUB, a, b);
}

Expr *mul(Expr *a, Expr *b)
{
    if (expr_is(a, 0) || expr_is(b, 1))
        return a;
    if (expr_is(b, 0) || expr_is(a, 1))
        return b;
    return binary(OP_MUL, a, b);
}

Expr *divide(Expr *a, Expr *b)
{
    return expr_is(b, 1) || expr_is(a, 0) ? a : binary(OP_DIV, a, b);
}

static Expr *conditional(Op op, Expr *a, Expr *b, Expr *c, Expr *d)
{
    Expr *e = new_expr(op);
    e->arg[0] = a;
    e->arg[1] = b;
    e->arg[2] = c;
    e->arg[3] = d;
    return e;
}

Expr *if_le(Expr *a, Expr *b, Expr *c, Expr *d)
{
    return conditional(OP_IF_LE, a, b, c, d);
}

Expr *if_eq(Expr *a, Expr *b, Expr *c, Expr *d)
{
    return conditional(OP_IF_EQ, a, b, c, d);
}

void visit_loads(const Expr *e, void (*visit)(const Access *, void *), void *context)
{
    if (e->op == OP_LOAD)
        visit(&e->access, context);
    for (int i = 0; i < op_info[e->op].arity; i++)
        visit_loads(e->arg[i], visit, context);
}

Expr *copy_expr(const Expr *e, Access (*access)(Access, const void *), Affine (*index)(Affine, const void *),
                const void *context)
{
    Expr *copy = new_expr(e->op);
    memcpy(copy, e, size_of(e->op));
    if (e->op == OP_LOAD)
        copy->access = access(e->access, context);
    if (e->op == OP_INDEX || e->op == OP_RANDOM)
        copy->index = index(e->index, context);
    for (int i = 0; i < op_info[e->op].arity; i++)
        copy->arg[i] = copy_expr(e->arg[i], access, index, context);
    return copy;
}

static Access map_access(Access access, const void *map)
{
    return substitute_access(access, map);
}

static Affine map_index(Affine index, const void *map)
{
    return substitute(index, map);
}

Expr *substitute_expr(const Expr *e, const Affine *map)
{
    return copy_expr(e, map_access, map_index, map);
}
