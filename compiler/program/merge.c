/* merge.c: what is made once a call, and made again, is made once.
 *
 * In: a Prog. Out: the same Prog, in which two tensors that the samples share, and that the same statements
 * make of the same tensors, are one. Layers that share weights have them folded, or taken apart into
 * Winograd's taps, alike:
 *
 *     before:   conv1.weight.taps[e, c, o]  = ... conv1.weight[k, l, c, o] ...     once
 *               conv1.weight.taps_[e, c, o] = ... conv1.weight[k, l, c, o] ...     once
 *     after:    conv1.weight.taps[e, c, o]  = ... conv1.weight[k, l, c, o] ...     once, read by both layers
 *
 * A network whose layers all have weights of their own is left as it is. */
#include <string.h>

#include "program/program.h"

/* The statements that make a tensor, by their numbers in the Prog. */
typedef struct Making {
    int first, last, n;
    bool once;           /* all of them run once a call, and for nothing else */
} Making;

typedef struct Merge {
    Prog *prog;
    Statement **all;
    int n;
    Making *of;          /* by tensor id */
    const Tensor *tensor, *like; /* the two that are compared: each stands for itself in its statements */
    int before;          /* what is read must have been made before that statement */
    bool settled;
} Merge;

static void note_maker(Merge *m, const Tensor *tensor, int number)
{
    Making *making = &m->of[tensor->id];
    const Statement *s = m->all[number];
    if (!making->n++) {
        making->first = number;
        making->once = tensor->role == TENSOR_VALUE && !tensor->per_sample;
    }
    making->last = number;
    making->once &= !s->per_sample && !s->position && !s->recurrence;
}

static void note_makers(Merge *m)
{
    for (Statement *s = m->prog->statements; s; s = s->next)
        m->n++;
    m->all = NEW_ARRAY(Statement *, m->n + 1);
    m->of = NEW_ARRAY(Making, m->prog->ntensors);
    m->n = 0;
    for (Statement *s = m->prog->statements; s; s = s->next) {
        m->all[m->n] = s;
        note_maker(m, s->out.tensor, m->n);
        if (s->position)
            note_maker(m, s->position, m->n);
        m->n++;
    }
}

static void note_settled(const Access *access, void *context)
{
    Merge *m = context;
    const Making *making = &m->of[access->tensor->id];
    m->settled &= access->tensor == m->tensor || !making->n || making->last < m->before;
}

static bool same_access(const Merge *m, const Access *a, const Access *b)
{
    Access like = *b;
    if (b->tensor == m->like)
        like.tensor = (Tensor *)m->tensor;
    return access_equal(a, &like);
}

static bool same_expr(const Merge *m, const Expr *a, const Expr *b)
{
    bool same = a->op == b->op && a->op != OP_RANDOM;
    if (same && a->op == OP_CONSTANT)
        return !memcmp(&a->value, &b->value, sizeof a->value);
    if (same && a->op == OP_LOAD)
        return same_access(m, &a->access, &b->access);
    if (same && a->op == OP_INDEX)
        return affine_equal(&a->index, &b->index);
    for (int i = 0; same && i < op_info[a->op].arity; i++)
        same = same_expr(m, a->arg[i], b->arg[i]);
    return same;
}

static bool same_statement(const Merge *m, const Statement *a, const Statement *b)
{
    bool same = a->nindex == b->nindex && a->store == b->store && same_access(m, &a->out, &b->out);
    for (int i = 0; i < a->nindex && same; i++)
        same = a->extent[i] == b->extent[i];
    return same && same_expr(m, a->rhs, b->rhs);
}

static bool same_layout(const Tensor *a, const Tensor *b)
{
    bool same = a->rank == b->rank && a->folded == b->folded;
    for (int d = 0; d < a->rank && same; d++)
        same = a->dim[d] == b->dim[d] && a->room[d] == b->room[d] && a->before[d] == b->before[d]
               && a->axis[d] == b->axis[d];
    return same;
}

/* Do the same statements make `like` later? */
static bool made_alike(Merge *m, const Tensor *tensor, const Tensor *like)
{
    const Making *a = &m->of[tensor->id], *b = &m->of[like->id];
    if (!b->once || a->n != b->n || b->first <= a->last || !same_layout(tensor, like))
        return false;
    m->tensor = tensor;
    m->like = like;
    m->before = a->first;
    m->settled = true;
    for (int i = a->first, k = b->first; i <= a->last && m->settled; i++, k++) {
        for (; m->all[i]->out.tensor != tensor; i++)
            if (i == a->last)
                return false;
        for (; m->all[k]->out.tensor != like; k++)
            if (k == b->last)
                return false;
        if (!same_statement(m, m->all[i], m->all[k]))
            return false;
        visit_loads(m->all[i]->rhs, note_settled, m);
    }
    return m->settled;
}

static void redirect(Expr *e, const Tensor *from, Tensor *to)
{
    if (e->op == OP_LOAD && e->access.tensor == from)
        e->access.tensor = to;
    for (int i = 0; i < op_info[e->op].arity; i++)
        redirect(e->arg[i], from, to);
}

/* All that read `like` read `tensor`, and nobody makes it. */
static void take_place(Merge *m, Tensor *tensor, const Tensor *like)
{
    Prog *prog = m->prog;
    Statement **link = &prog->statements;
    prog->last_statement = NULL;
    while (*link)
        if ((*link)->out.tensor == like)
            *link = (*link)->next;
        else {
            redirect((*link)->rhs, like, tensor);
            prog->last_statement = *link;
            link = &(*link)->next;
        }
    Tensor **at = &prog->tensors;
    prog->last_tensor = NULL;
    while (*at)
        if (*at == like)
            *at = (*at)->next;
        else {
            prog->last_tensor = *at;
            at = &(*at)->next;
        }
    m->of[like->id].once = false;
}

static bool shares_weights(const Net *net)
{
    for (const Weight *w = net->weights; w; w = w->next)
        if (w->shared)
            return true;
    return false;
}

void merge_equal(Prog *prog)
{
    if (!shares_weights(prog->net))
        return;
    Merge m = {.prog = prog};
    note_makers(&m);
    for (Tensor *tensor = prog->tensors; tensor; tensor = tensor->next)
        for (Tensor *like = prog->tensors, *next; like && m.of[tensor->id].once; like = next) {
            next = like->next;
            if (made_alike(&m, tensor, like))
                take_place(&m, tensor, like);
        }
}
