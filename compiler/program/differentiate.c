/* differentiate.c: reverse mode over loop statements.
 *
 * In: a training Prog that ends in the loss, or in the answer, whose gradient the caller gives. Out: the
 * same Prog with the adjoint statements behind it, so that each weight has its gradient, and in the second
 * case the input. The statements are taken last to first; one of them,
 *
 *     out[F] (=, +=) f(u[G], v[H], ...)     gives     d_u[G] += d_out[F] * df/du,  d_v[H] += d_out[F] * df/dv
 *
 * over the same box, so a contraction yields two contractions and a pointwise expression its derivative.
 * Points of the box that fall outside a tensor are left out of the adjoint just as they were forward.
 *     out[F] max= u[G]     gives     d_u[G] += (position[F] == number of this point) ? d_out[F] : 0
 *
 * A first contribution that covers its whole adjoint sets it; before any other first one it is set to
 * zero. Gradients of weights need neither: they are added to what g holds, which is zero or, with w->add,
 * of another call. Only tensors that depend on one of these are followed, and what nobody reads in the end is
 * removed. */
#include "program/program.h"

/* ---- Which tensors depend on a weight -------------------------------------------------------- */

static void note_active(const Access *access, void *active)
{
    *(bool *)active |= access->tensor->active;
}

static void mark_active(Prog *prog)
{
    prog->x->active = prog->net->from_caller && !prog->x->is_int;
    for (bool more = true; more;) { /* a recurrence may read what it writes further down */
        more = false;
        for (Statement *s = prog->statements; s; s = s->next) {
            bool before = s->out.tensor->active;
            visit_loads(s->rhs, note_active, &s->out.tensor->active);
            more |= s->recurrence && s->out.tensor->active != before;
        }
    }
}

/* ---- Adjoints -------------------------------------------------------------------------------- */

Tensor *adjoint_of(Prog *prog, Tensor *of)
{
    if (of->adjoint)
        return of->adjoint;
    TensorRole role = of->role == TENSOR_WEIGHT ? TENSOR_GRADIENT
                    : of->role == TENSOR_INPUT ? TENSOR_INPUT_GRADIENT : TENSOR_VALUE;
    of->adjoint = tensor_like(prog, role, format("d_%s", of->name), of);
    of->adjoint->weight = of->weight;
    return of->adjoint;
}

static void set_to_zero(Prog *prog, Tensor *adjoint)
{
    Statement *zero = new_statement(prog);
    zero->recurrence = NULL; /* before all steps: finish_adjoints sees to that */
    Access all = element(zero, adjoint);
    store(prog, zero, STORE_SET, all, constant(0));
}

Expr *adjoint_at(Prog *prog, Access access)
{
    if (access.tensor == prog->loss)
        return constant(1);
    if (!access.tensor->adjoint)
        bug("%s: the gradient of %s is asked for before any came in", prog->layer->name, access.tensor->name);
    access.tensor = access.tensor->adjoint;
    return load(access);
}

typedef struct Bounds {
    const Statement *s;
    bool inside;
} Bounds;

static void note_bounds(const Access *access, void *context)
{
    Bounds *bounds = context;
    for (int d = 0; d < access->tensor->rank; d++) {
        int64_t least, most;
        affine_range(&access->at[d], bounds->s, &least, &most);
        bounds->inside &= least >= 0 && most < access->tensor->dim[d];
    }
}

/* Is there no point of the box that is left out since rhs falls outside there? */
static bool always_inside(const Statement *s, const Expr *rhs)
{
    Bounds bounds = {s, true};
    visit_loads(rhs, note_bounds, &bounds);
    return bounds.inside;
}

/* One contribution to the adjoint of the element `of`; s holds the indices. Dropped where no weight
 * depends. */
void add_to_adjoint(Prog *prog, Statement *s, Access of, Expr *rhs)
{
    Tensor *tensor = of.tensor;
    if (!tensor->active || expr_is(rhs, 0))
        return;
    Store how = STORE_ADD;
    if (!tensor->adjoint) {
        Access target = same_place(of, adjoint_of(prog, tensor));
        if (tensor->role == TENSOR_WEIGHT)
            ;
        else if (!s->recurrence && covers_tensor(s, &target) && always_inside(s, rhs))
            how = STORE_SET;
        else
            set_to_zero(prog, tensor->adjoint);
    }
    store(prog, s, how, same_place(of, tensor->adjoint), rhs);
}

/* ---- The derivative of an expression --------------------------------------------------------- */

/* One rule for each operation: the derivative of e, whose operands e->arg have the derivatives d and whose
 * value can also be had as `value`. */
#define RULE(op) static Expr *d_##op(const Expr *e, Expr *const d[4], Expr *value)
#define ZERO(op) RULE(op) { (void)e, (void)d, (void)value; return constant(0); }

ZERO(CONSTANT)
ZERO(LOAD)
ZERO(INDEX)
ZERO(RANDOM)
ZERO(MEAN)
ZERO(SAMPLES)
ZERO(AT_HAND)

RULE(ADD) { (void)e, (void)value; return add(d[0], d[1]); }
RULE(SUB) { (void)e, (void)value; return sub(d[0], d[1]); }
RULE(MUL) { (void)value; return add(mul(d[0], e->arg[1]), mul(e->arg[0], d[1])); }
RULE(DIV) { return divide(sub(d[0], mul(value, d[1])), e->arg[1]); } /* (a' - (a/b) b') / b */
RULE(EXP) { (void)e; return mul(d[0], value); }
RULE(LOG) { (void)value; return divide(d[0], e->arg[0]); }
RULE(LOG1P) { (void)value; return divide(d[0], add(constant(1), e->arg[0])); }
RULE(TANH) { (void)e; return mul(d[0], sub(constant(1), mul(value, value))); }
RULE(SIGMOID) { (void)e; return mul(d[0], mul(value, sub(constant(1), value))); }
RULE(SQRT) { (void)e; return divide(mul(d[0], constant(0.5)), value); }

RULE(ERF) /* 2 / sqrt(pi) exp(-a^2) */
{
    (void)value;
    Expr *a = e->arg[0];
    return mul(d[0], mul(constant(1.12837916709551257), unary(OP_EXP, sub(constant(0), mul(a, a)))));
}

RULE(ABS)
{
    (void)value;
    Expr *a = e->arg[0];
    return mul(d[0], if_le(a, constant(0), if_eq(a, constant(0), constant(0), constant(-1)), constant(1)));
}

static Expr *d_selection(const Expr *e, Expr *const d[4])
{
    if (expr_is(d[2], 0) && expr_is(d[3], 0))
        return d[2];
    return (e->op == OP_IF_LE ? if_le : if_eq)(e->arg[0], e->arg[1], d[2], d[3]);
}

RULE(IF_LE) { (void)value; return d_selection(e, d); }
RULE(IF_EQ) { (void)value; return d_selection(e, d); }

/* d e / d u. Where e is the whole right side of `out = e`, out itself is the value of e. */
static Expr *derivative(const Expr *e, const Access *u, const Statement *s)
{
    if (e->op == OP_LOAD)
        return constant(access_equal(&e->access, u));
    Expr *d[4] = {NULL}, *value = e == s->rhs && s->store == STORE_SET ? load(s->out) : (Expr *)e;
    for (int i = 0; i < op_info[e->op].arity; i++)
        d[i] = derivative(e->arg[i], u, s);
    switch (e->op) {
#define CASE(op, ...) case OP_##op: return d_##op(e, d, value);
        OPS(CASE)
#undef CASE
    default: bug("there is no operation %d", (int)e->op);
    }
}

/* ---- Statements ------------------------------------------------------------------------------ */

typedef struct Loads {
    const Access *access[16];
    int n;
} Loads;

static void collect(const Access *access, void *context)
{
    Loads *loads = context;
    for (int i = 0; i < loads->n; i++)
        if (access_equal(loads->access[i], access))
            return;
    if (loads->n == 16)
        bug("a statement with more than 16 loads");
    loads->access[loads->n++] = access;
}

/* The number of a point among those that compete for one maximum. */
static Affine competitor(const Statement *s)
{
    Affine number = affine(0);
    for (int i = output_indices(s); i < s->nindex; i++) {
        number = affine_scale(number, s->extent[i]);
        number.coefficient[i] = 1;
    }
    return number;
}

static void adjoint_statements(Prog *prog, Statement *forward)
{
    if (forward->out.tensor != prog->loss && !forward->out.tensor->adjoint)
        return; /* nothing that matters depends on it */
    Loads loads = {{NULL}, 0};
    visit_loads(forward->rhs, collect, &loads);
    for (int i = 0; i < loads.n; i++) {
        const Access *u = loads.access[i];
        if (!u->tensor->active)
            continue;
        Statement *s = new_statement(prog);
        s->nindex = forward->nindex;
        for (int k = 0; k < s->nindex; k++) {
            s->index_name[k] = forward->index_name[k];
            s->extent[k] = forward->extent[k];
        }
        Expr *d_out = adjoint_at(prog, forward->out);
        if (forward->store == STORE_MAX) {
            if (!forward->position)
                forward->position = tensor_like(
                    prog, TENSOR_VALUE, format("%s.position", forward->layer->name), forward->out.tensor);
            d_out = if_eq(load(same_place(forward->out, forward->position)), index_value(competitor(forward)),
                          d_out, constant(0));
        }
        add_to_adjoint(prog, s, *u, mul(d_out, derivative(forward->rhs, u, forward)));
    }
}

/* Those of the statements first..last, the last one's first; where they are a recurrence, the last step's
 * first. */
static void adjoints_of(Prog *prog, Statement **forward, int first, int last)
{
    while (last >= first) {
        Statement *before = prog->last_statement;
        const Recurrence *recurrence = forward[last]->recurrence;
        if (recurrence)
            begin_steps(prog, recurrence->steps);
        do
            adjoint_statements(prog, forward[last]);
        while (--last >= first && recurrence && forward[last]->recurrence == recurrence);
        if (recurrence) {
            end_steps(prog);
            finish_adjoints(prog, before);
        }
    }
}

void differentiate(Prog *prog)
{
    mark_active(prog);
    int n = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        n++;
    Statement **forward = NEW_ARRAY(Statement *, n + 1);
    n = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        forward[n++] = s;
    prog->backward = true;
    if (prog->net->from_caller) {
        prog->layer = prog->net->loss;
        prog->layer->kind->gradient(prog, prog->layer);
    }
    for (int last = n - 1; last >= 0;) {
        const Layer *layer = forward[last]->layer;
        int first = last;
        while (first > 0 && forward[first - 1]->layer == layer)
            first--;
        prog->layer = layer;
        const Layer *work = work_of(prog, layer);
        bool wanted = layer->kind->role == ROLE_LOSS || tensor_of(prog, work->out)->adjoint;
        if (wanted && layer->kind->gradient)
            layer->kind->gradient(prog, work);
        else if (wanted)
            adjoints_of(prog, forward, first, last);
        last = first - 1;
    }
    if (prog->x->active) {
        if (!prog->x->adjoint) /* the answer doesn't depend on it, as behind `dropout 1` */
            set_to_zero(prog, adjoint_of(prog, prog->x));
        prog->dx = prog->x->adjoint;
    }
    remove_unused(prog);
}
