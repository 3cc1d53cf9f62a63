/* place.c: gives every buffer of a pass its place in the arena.
 *
 * A buffer lives from the first call that touches it to the last. Two that never live at the same time may
 * share memory. Largest first, each goes to the lowest offset where it meets nobody alive at its time. */
#include <stdlib.h>

#include "nnc.h"

enum { ALIGNMENT = 16 }; /* floats: a cache line */

/* ---- Moves that change nothing --------------------------------------------------------------------- */

static bool is_move(const Statement *s)
{
    if (s->store != STORE_SET || s->rhs->op != OP_LOAD || s->out.tensor->role != TENSOR_VALUE)
        return false;
    const Access *from = &s->rhs->access;
    Affine to_position = position_of(s->out), from_position = position_of(*from);
    return affine_equal(&to_position, &from_position) && covers_tensor(s, &s->out) && covers_tensor(s, from)
           && from->tensor->per_sample && from->tensor->count == s->out.tensor->count;
}

/* A tensor that one statement defines, as another tensor's elements in the same order, is that tensor. */
void share_moves(Pass *pass)
{
    const Prog *prog = pass->prog;
    int *definitions = NEW_ARRAY(int, prog->ntensors);
    pass->root = NEW_ARRAY(Tensor *, prog->ntensors);
    for (Tensor *t = prog->tensors; t; t = t->next)
        pass->root[t->id] = t;
    for (const Statement *s = prog->statements; s; s = s->next)
        definitions[s->out.tensor->id]++;
    for (const Statement *s = prog->statements; s; s = s->next)
        if (is_move(s) && definitions[s->out.tensor->id] == 1)
            pass->root[s->out.tensor->id] = pass->root[s->rhs->access.tensor->id];
}

/* ---- Offsets --------------------------------------------------------------------------------------------- */

const Buffer *buffer_of(const Pass *pass, const Tensor *tensor)
{
    for (const Buffer *b = pass->buffers; b; b = b->next)
        if (b->tensor == pass->root[tensor->id])
            return b;
    return NULL;
}

static bool meet(const Buffer *a, const Buffer *b)
{
    return a->begin <= b->end && b->begin <= a->end;
}

static int by_offset(const void *a, const void *b)
{
    int64_t x = (*(const Buffer *const *)a)->offset, y = (*(const Buffer *const *)b)->offset;
    return (x > y) - (x < y);
}

/* The first gap that is wide enough among the buffers alive at the same time; `alive` is room for them. */
static int64_t lowest_offset(Buffer *const *placed, int n, const Buffer *buffer, const Buffer **alive)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        if (meet(placed[i], buffer))
            alive[count++] = placed[i];
    qsort(alive, (size_t)count, sizeof *alive, by_offset);
    int64_t offset = 0;
    for (int i = 0; i < count && alive[i]->offset < offset + buffer->size; i++)
        if (alive[i]->offset + alive[i]->size > offset)
            offset = alive[i]->offset + alive[i]->size;
    return offset;
}

void place(Pass *pass)
{
    int ntensors = pass->prog->ntensors, n = 0, call = 0;
    Buffer **by_id = NEW_ARRAY(Buffer *, ntensors), **order = NEW_ARRAY(Buffer *, ntensors);
    Buffer **end = &pass->buffers;
    const Buffer **alive = NEW_ARRAY(const Buffer *, ntensors);
    for (const Function *f = pass->functions; f; f = f->next, call++)
        for (int i = 0; i < f->nparams; i++) {
            Tensor *root = pass->root[f->param[i]->id];
            if (root->role != TENSOR_VALUE)
                continue;
            Buffer *b = by_id[root->id];
            if (!b) {
                b = by_id[root->id] = *end = order[n++] = NEW(Buffer);
                end = &b->next;
                b->tensor = root;
                b->size = (root->count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
                b->begin = call;
            }
            b->end = call;
        }
    for (int i = 1; i < n; i++) /* by size, the largest first; equals in order of birth */
        for (int k = i; k > 0 && order[k]->size > order[k - 1]->size; k--) {
            Buffer *b = order[k];
            order[k] = order[k - 1];
            order[k - 1] = b;
        }
    for (int i = 0; i < n; i++) {
        order[i]->offset = lowest_offset(order, i, order[i], alive);
        if (order[i]->offset + order[i]->size > pass->arena)
            pass->arena = order[i]->offset + order[i]->size;
    }
}
