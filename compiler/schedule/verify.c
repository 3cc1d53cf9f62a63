/* verify.c: what holds behind the steps of the schedule, and of every Plan. What breaks it is our fault:
 * nnc aborts. */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- Statements in memory -------------------------------------------------------------------- */

static void verify_room(const Access *access, void *context)
{
    const Statement *s = context;
    for (int d = 0; d < access->tensor->rank && !access->padded; d++) {
        int64_t least, most, before = access->tensor->before[d];
        affine_range(&access->at[d], s, &least, &most);
        if (least < -before || most >= access->tensor->room[d] - before)
            bug("%s: %s is accessed outside the room of its dimension %d", s->layer->name,
                access->tensor->name, d);
    }
}

/* Nothing but what is marked as padded reaches beyond a tensor and the zeros around it, and gradients of
 * weights are only added to: where w->add asks for that, the caller's are not zero before. */
void verify_statements(const Pass *pass)
{
    verify_recurrences(pass->prog->statements);
    for (Statement *s = pass->prog->statements; s; s = s->next) {
        verify_room(&s->out, s);
        if (s->out.tensor->role == TENSOR_GRADIENT && s->store != STORE_ADD)
            bug("%s: %s is set, where it may be added to what the caller has in it", s->layer->name,
                s->out.tensor->name);
        visit_loads(s->rhs, verify_room, s);
    }
}

/* ---- Nests ----------------------------------------------------------------------------------- */

/* What leads to one gradient is called where that one is wanted, and touches the other never: it may be
 * NULL. */
static void verify_purpose(const Function *f, const Statement *s)
{
    TensorRole role = s->out.tensor->role;
    bool wrong = (role == TENSOR_GRADIENT && f->purpose != FOR_WEIGHTS)
              || (role == TENSOR_INPUT_GRADIENT && f->purpose != FOR_INPUT);
    if (wrong)
        bug("%s: %s is written even where nobody wants it", f->layer->name, s->out.tensor->name);
}

/* Each nest has statements of one box, and a first value comes with a sum onto the same tensor. */
void verify_nests(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels; k; k = k->next) {
            Statement **part[MAX_PARTS];
            int n = 0;
            for (const Kernel *other = k->recurrence ? behind_loop(k) : NULL; other; other = other->next)
                if (other->recurrence == k->recurrence)
                    bug("%s: a recurrence in two pieces", f->layer->name);
            if (from_the_caller(pass->prog))
                for (parts_of(k, part, &n); n--;)
                    verify_purpose(f, *part[n]);
            if (!k->first && !k->body)
                bug("%s: a nest without statements", f->layer->name);
            if (k->first && k->body && k->first->out.tensor != k->body->out.tensor)
                bug("%s: the first value of %s is given to %s", f->layer->name, k->body->out.tensor->name,
                    k->first->out.tensor->name);
            if (k->first && k->first->store != STORE_SET)
                bug("%s: %s begins with a sum", f->layer->name, k->first->out.tensor->name);
            if (k->body && k->body->store == STORE_SET)
                bug("%s: %s is set where it is summed up", f->layer->name, k->body->out.tensor->name);
            if (k->nthen > MAX_THEN)
                bug("%s: %d statements run on %s in registers", f->layer->name, k->nthen,
                    statement_of(k)->out.tensor->name);
        }
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static void verify_block(const Access *access, void *context)
{
    const Statement *s = context;
    for (int d = 0; d < access->tensor->rank; d++) {
        int64_t least, most, before = access->tensor->before[d];
        affine_range(&access->at[d], s, &least, &most);
        if (least < -before || most >= access->tensor->room[d] - before)
            bug("%s: block by block %s is accessed outside its dimension %d", s->layer->name,
                access->tensor->name, d);
    }
}

/* Kernels of one loop over blocks agree on how many there are, and stay inside what they touch. */
static void verify_blocks_of(Kernel *kernels)
{
    for (Kernel *k = kernels; k; k = k->next) {
        Statement **part[MAX_PARTS];
        int n;
        if (k->joins && (k == kernels || !k->blocks))
            bug("a kernel joins a loop that is not there");
        if (k->next && k->next->joins && k->next->blocks != k->blocks)
            bug("kernels of %lld and of %lld blocks share a loop", (long long)k->blocks,
                (long long)k->next->blocks);
        for (parts_of(k, part, &n); k->blocks && n--;) {
            const Statement *s = *part[n];
            if (s->blocks != k->blocks || (s->position && s->position->count != s->out.tensor->count))
                bug("%s is not cut as its kernel is", s->out.tensor->name);
            verify_block(&s->out, *part[n]);
            visit_loads(s->rhs, verify_block, *part[n]);
        }
    }
}

void verify_blocks(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        verify_blocks_of(f->kernels);
}

/* ---- Samples in lanes ------------------------------------------------------------------------ */

static void verify_whole_samples(const Access *access, void *statement)
{
    if (access->tensor->ragged && !takes_samples_in(statement))
        bug("%s is read where a group may have fewer samples", access->tensor->name);
}

/* With a sample in each lane, every sum over samples is cleared once and added up once, and what is given
 * is only taken in. */
void verify_lanes(const Pass *pass)
{
    int *cleared = NEW_ARRAY(int, pass->prog->ntensors), *added = NEW_ARRAY(int, pass->prog->ntensors);
    for (const Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels; k; k = k->next) {
            Statement **part[MAX_PARTS];
            int n;
            for (parts_of(k, part, &n); n--;) {
                Statement *s = *part[n];
                visit_loads(s->rhs, verify_whole_samples, s);
                cleared[s->out.tensor->id] += f->per_call && s->out.tensor->sum && s->store == STORE_SET;
                if (adds_up_lanes(s))
                    added[s->rhs->access.tensor->id]++;
            }
        }
    for (const Tensor *t = pass->prog->tensors; t; t = t->next)
        if (t->sum && (cleared[t->id] != 1 || added[t->id] != 1))
            bug("%s is cleared %d times and added up %d times", t->name, cleared[t->id], added[t->id]);
}

/* ---- Regions --------------------------------------------------------------------------------- */

static bool are_apart(const Region *a, const Region *b, int nindex)
{
    for (int i = 0; i < nindex; i++)
        if (a->begin[i] + a->count[i] <= b->begin[i] || b->begin[i] + b->count[i] <= a->begin[i])
            return true;
    return false;
}

/* The regions of a nest lie in its box and don't overlap. */
void verify_regions(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next)
            for (const Region *a = k->regions; a; a = a->next) {
                const Statement *s = statement_of(k);
                for (int i = 0; i < s->nindex; i++)
                    if (a->begin[i] < 0 || a->begin[i] + a->count[i] > s->extent[i])
                        bug("%s: a region lies outside the box", f->layer->name);
                for (const Region *b = a->next; b; b = b->next)
                    if (!are_apart(a, b, s->nindex))
                        bug("%s: two regions overlap", f->layer->name);
            }
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Each value has a buffer, and a function's parameters are apart: so they promise (restrict). */
static void verify_params(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        for (int i = 0; i < f->nparams; i++) {
            const Tensor *root = pass->root[f->param[i]->id];
            if (root->role == TENSOR_VALUE && !buffer_of(pass, f->param[i]))
                bug("%s: %s has no buffer", f->name, f->param[i]->name);
            for (int k = 0; k < i; k++)
                if (root == pass->root[f->param[k]->id])
                    bug("%s: %s and %s share memory", f->name, f->param[i]->name, f->param[k]->name);
        }
}

static void verify_buffer(const Pass *pass, const Buffer *b)
{
    int64_t room = b->prepared ? pass->prepared : pass->arena;
    if (b->offset < 0 || b->size < b->tensor->floats * b->samples || b->offset + b->size > room)
        bug("%s lies outside the arena", b->tensor->name);
    if (b->prepared && b->lasting && b->offset <= pass->mark && pass->mark < b->offset + b->size)
        bug("%s lies where it is marked as prepared", b->tensor->name);
}

static int by_begin(const void *a, const void *b)
{
    const Buffer *x = *(const Buffer *const *)a, *y = *(const Buffer *const *)b;
    return x->begin != y->begin ? (x->begin < y->begin ? -1 : 1) : x->number - y->number;
}

/* How many of those alive lie below b; they stand in the order of their offsets. */
static int alive_below(const Buffer *const *alive, int n, const Buffer *b)
{
    int least = 0;
    while (least < n) {
        int middle = least + (n - least) / 2;
        if (alive[middle]->offset < b->offset)
            least = middle + 1;
        else
            n = middle;
    }
    return least;
}

/* Buffers that live at the same time don't overlap. Those alive when one is born overlap with none, so it
 * is held against the two between which it comes to lie. A dead one goes when it is met there. */
static void verify_apart(const Buffer **order, int n)
{
    const Buffer **alive = NEW_ARRAY(const Buffer *, n + 1);
    int count = 0;
    qsort(order, (size_t)n, sizeof *order, by_begin);
    for (int i = 0; i < n; i++) {
        const Buffer *b = order[i];
        int at = alive_below(alive, count, b), from = at, to = at;
        while (from > 0 && alive[from - 1]->end < b->begin)
            from--;
        while (to < count && alive[to]->end < b->begin)
            to++;
        const Buffer *below = from > 0 ? alive[from - 1] : NULL, *above = to < count ? alive[to] : NULL;
        if (below && below->offset + below->size > b->offset)
            bug("%s and %s overlap", below->tensor->name, b->tensor->name);
        if (above && b->offset + b->size > above->offset)
            bug("%s and %s overlap", b->tensor->name, above->tensor->name);
        memmove(alive + from + 1, alive + to, (size_t)(count - to) * sizeof *alive);
        alive[from] = b;
        count += 1 - (to - from);
    }
}

static void verify_buffers(const Pass *pass)
{
    int n = 0;
    for (const Buffer *b = pass->buffers; b; b = b->next, n++)
        verify_buffer(pass, b);
    const Buffer **order = NEW_ARRAY(const Buffer *, n + 1);
    for (int prepared = 0; prepared < 2; prepared++) {
        n = 0;
        for (const Buffer *b = pass->buffers; b; b = b->next)
            if (b->prepared == prepared)
                order[n++] = b;
        verify_apart(order, n);
    }
}

void verify_places(const Pass *pass)
{
    verify_params(pass);
    verify_buffers(pass);
}

/* ---- The Plan -------------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
    const Weight *x = *(const Weight *const *)a, *y = *(const Weight *const *)b;
    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : x->id - y->id;
}

/* Parameters and statistics lie in their parts of net_params and don't overlap. */
void verify_plan(const Plan *plan)
{
    int n = 0;
    const Weight **order = NEW_ARRAY(const Weight *, plan->net->nweights + 1);
    for (const Weight *w = plan->net->weights; w; w = w->next) {
        bool behind = w->statistic && !plan->forward.prepared;
        if (w->offset < (behind ? plan->floats : 0)
            || w->offset + w->array->floats > (w->statistic ? plan->all_floats : plan->floats))
            bug("%s lies outside its part of the parameters", w->name);
        order[n++] = w;
    }
    qsort(order, (size_t)n, sizeof *order, by_offset);
    for (int i = 1; i < n; i++)
        if (order[i]->offset < order[i - 1]->offset + order[i - 1]->array->floats)
            bug("%s and %s overlap", order[i - 1]->name, order[i]->name);
}
