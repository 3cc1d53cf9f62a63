/* kernels.c: statements to loop nests.
 *
 * In: consecutive statements of a layer. Out: a nest for each, or for a first value and the sum onto it,
 * with its form, its regions, their tiles and the predicted cycles. */
#include <string.h>

#include "schedule/schedule.h"

static bool same_outputs(const Statement *a, const Statement *b)
{
    int n = output_indices(b);
    if (a->nindex != n || !access_equal(&a->out, &b->out))
        return false;
    for (int i = 0; i < n; i++)
        if (a->extent[i] != b->extent[i])
            return false;
    return true;
}

/* Fills in what follows from a kernel's statements. Where regions don't part the outputs, the first value
 * becomes a kernel of its own before this one. What full writes out has regions where it has vectors. */
static Kernel *finish_kernel(Kernel *k, Unroll unroll, const Target *target)
{
    const bool tiles = unroll == UNROLL_TILE || (unroll == UNROLL_FULL && target->lanes > 1);
    k->form = form_of(k->body ? k->body : k->first);
    k->terms = box_volume(k->body ? k->body : k->first);
    const int picked = k->body ? picked_index(k->body) : -1;
    k->regions = NULL;
    k->straight = unroll == UNROLL_FULL;
    bool partition = true;
    int64_t inside = k->body ? points_inside(k->body) : -1;
    if (picked >= 0) {
        k->terms /= k->body->extent[picked];
        k->regions = tiles ? whole_box(k->body) : NULL;
    } else if (inside >= 0) {
        double cycles = 0;
        k->terms = inside;
        if (tiles && gathers(k->body))
            k->regions = best_split(k->body, target, &partition, &cycles);
    }
    if (!k->body && tiles && !needs_guard(k->first) && !gives_samples_out(k->first))
        k->regions = whole_box(k->first);
    if (k->regions)
        choose_tiles(k, target);
    if (unroll == UNROLL_FULL && !has_vectors(k))
        k->regions = NULL;
    if (k->regions && !partition && k->first && k->body) {
        Kernel *before = NEW(Kernel);
        *before = (Kernel){.first = k->first,
                           .next = k,
                           .samples = k->samples,
                           .row = -1,
                           .blocks = k->blocks,
                           .joins = k->joins,
                           .recurrence = k->recurrence,
                           .compact = k->compact};
        k->first = NULL;
        k->joins = k->blocks;
        finish_kernel(k, unroll, target);
        return finish_kernel(before, unroll, target);
    }
    if (!k->regions)
        k->cycles = (double)k->terms * expr_cycles(k->body ? k->body->rhs : k->first->rhs);
    if (k->blocks) {
        k->terms *= k->blocks;
        k->cycles *= (double)k->blocks;
    }
    k->terms *= steps_of(k);
    k->cycles *= (double)steps_of(k);
    return k;
}

Kernel *finish_kernels(Kernel *kernels, Unroll unroll, const Target *target)
{
    Kernel *result = NULL, **end = &result;
    for (Kernel *k = kernels, *next; k; k = next) {
        next = k->next;
        k->next = NULL;
        for (*end = finish_kernel(k, unroll, target); *end; end = &(*end)->next)
            ;
    }
    return result;
}

double predicted_cycles(const Statement *first, const Statement *body, const Target *target)
{
    Statement *copy[2] = {NULL, NULL};
    for (int part = 0; part < 2; part++)
        if (part ? body : first) {
            copy[part] = NEW(Statement);
            *copy[part] = *(part ? body : first);
        }
    Kernel *k = NEW(Kernel);
    *k = (Kernel){.first = copy[0], .body = copy[1], .samples = -1, .row = -1};
    double cycles = 0;
    for (k = finish_kernel(k, UNROLL_TILE, target); k; k = k->next)
        cycles += k->cycles;
    return cycles;
}

/* Is the sum best taken in blocks? */
static bool wants_blocks(const Statement *s, const Target *target)
{
    const Mark mark = mark_memory();
    bool partition, wants = false;
    double cycles;
    Statement body = *s;
    Kernel k = {.body = &body, .samples = -1, .row = -1};
    k.regions = best_split(s, target, &partition, &cycles);
    if (k.regions) {
        choose_tiles(&k, target);
        choose_order(&k, target);
    }
    for (const Region *r = k.regions; r; r = r->next)
        wants |= r->tile.ordered && r->tile.blocked >= 0;
    release(mark);
    return wants;
}

/* Does it read weights that no near cache holds, in lanes over its outputs? Then it is summed up in memory,
 * so that the sum can be taken in blocks (order.c); where each weight serves a sample but once, always. */
static bool sums_in_memory(const Pass *pass, const Statement *s)
{
    const Unroll unroll = pass->target->options->unroll;
    bool far = false, once = false, lanes = false;
    if (!is_contraction(s) || pass->samples || pass->target->lanes == 1 || s->recurrence
        || (unroll != UNROLL_AUTO && unroll != UNROLL_TILE))
        return false;
    for (int u = 0; u < 2; u++) {
        const Tensor *t = s->rhs->arg[u]->access.tensor;
        far |= !t->per_sample && t->count * (int64_t)sizeof(float) > pass->target->machine->second_cache;
        once |= !t->per_sample && t->count == box_volume(s);
    }
    for (int i = 0; i < output_indices(s) && far; i++) {
        lanes |= in_vectors(s, i);
        far = !is_batch(s, i);
    }
    return lanes && far && (once || (!needs_guard(s) && wants_blocks(s, pass->target)));
}

/* Pairs a first value with the statement that accumulates onto it. */
Kernel *make_kernels(const Pass *pass, Statement *begin, const Statement *end)
{
    Kernel *kernels = NULL, **last = &kernels;
    for (Statement *s = begin; s != end; s = s->next) {
        if (pass->root[s->out.tensor->id] != s->out.tensor)
            continue; /* a move that changes nothing */
        Statement *next = s->next == end ? NULL : s->next;
        bool pair =
            s->store == STORE_SET && next && next->store == STORE_ADD && next->out.tensor == s->out.tensor
            && next->recurrence == s->recurrence;
        Kernel *k = *last = NEW(Kernel);
        last = &k->next;
        k->samples = k->row = -1;
        k->recurrence = s->recurrence;
        if (s->store == STORE_SET)
            k->first = s;
        else
            k->body = s;
        if (pair && gathers(next) && same_outputs(s, next) && picked_index(next) < 0
            && !sums_in_memory(pass, next))
            k->body = s = next;
    }
    return kernels;
}
