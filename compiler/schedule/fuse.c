/* fuse.c: what is done with a value runs where it is in a register.
 *
 * In: the functions of a pass, in order, each with its kernels. Statements and whole kernels move from one
 * function into an earlier one, in three ways, and functions that are left with nothing are gone:
 *
 *     a function of single elements       runs on each value as it is made:  out = relu(bias + ...)
 *     a nest over windows side by side    runs on a tile that holds whole ones (window.c)
 *     what sums, compares or spreads      runs on all that a tile holds (follow.c)
 *
 * What nobody reads from memory then isn't stored. */
#include <math.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- Fusion ----------------------------------------------------------------------------------
 *
 * A pointwise statement whose input is computed just as it needs it, element by element, runs where that
 * value is still in a register: bias, then activation; in the backward pass input gradient, then the
 * activation's. */

Statement *last_of(const Kernel *k)
{
    return k->nthen ? k->then[k->nthen - 1] : k->body ? k->body : k->first;
}

bool nest_writes(Kernel *k, const Tensor *t)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(k, part, &n); n--;)
        if ((*part[n])->out.tensor == t || (*part[n])->position == t)
            return true;
    return false;
}

typedef struct Reading {
    const Tensor *tensor;
    int times;
    const Access *access;
    bool same;           /* all of them at the same place */
} Reading;

static void note_reading(const Access *access, void *context)
{
    Reading *r = context;
    if (access->tensor != r->tensor)
        return;
    r->same &= !r->times++ || access_equal(access, r->access);
    r->access = access;
}

static Reading reading_of(const Statement *s, const Tensor *t)
{
    Reading r = {t, 0, NULL, true};
    visit_loads(s->rhs, note_reading, &r);
    return r;
}

bool nest_reads(Kernel *k, const Tensor *t)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(k, part, &n); n--;)
        if (reading_of(*part[n], t).times)
            return true;
    return false;
}

/* Zeros around a tensor, not in it. */
bool is_halo_fill(const Kernel *k)
{
    if (k->body || !expr_is(k->first->rhs, 0))
        return false;
    const Access *out = &k->first->out;
    for (int d = 0; d < out->tensor->rank; d++) {
        int64_t least, most;
        affine_range(&out->at[d], k->first, &least, &most);
        if (most < 0 || least >= out->tensor->dim[d])
            return true;
    }
    return false;
}

/* Every element once, index by index in the tensor's own order. */
static bool reads_each(const Statement *s, const Access *access)
{
    for (int d = 0; d < access->tensor->rank; d++) {
        int n = 0;
        for (int i = 0; i < s->nindex; i++)
            n += access->at[d].coefficient[i] != 0;
        if (n > 1)
            return false;
    }
    return covers_tensor(s, access);
}

typedef struct Fusion {
    Pass *pass;
    Function *from, *into; /* whose statement, into which function */
    Kernel *consumer;
    Tensor *value;         /* that is taken out of its register */
} Fusion;

bool has_alias(const Pass *pass, const Tensor *t)
{
    return pass->shared[t->id];
}

/* Can the consumer run in these lanes wherever the producer can? */
static bool keeps_lanes(const Kernel *producer, const Statement *then)
{
    const Statement *s = producer->body ? producer->body : producer->first;
    for (int i = 0; i < output_indices(s); i++)
        if (in_vectors(s, i) && !in_vectors(then, i))
            return false;
    return true;
}

/* Are they worked out one by one there, while the consumer by itself does many at once, and has so much to do
 * that this outweighs a value stored and loaded? */
static bool wastes_lanes(const Kernel *producer, const Kernel *consumer, const Target *target)
{
    enum { OUTWEIGHS = 6 };
    for (const Region *r = producer->regions; r; r = r->next)
        if (r->tile.width > 1 && r->tile.lane < output_indices(statement_of(producer)))
            return false;
    return has_vectors(consumer)
           && expr_cycles(consumer->first->rhs) * (1 - 1.0 / target->lanes) > OUTWEIGHS;
}

/* The consumer's statement at the element that the producer has just made. */
static Statement *follow(const Kernel *producer, const Statement *consumer, const Access *value)
{
    const Statement *s = producer->body ? producer->body : producer->first, *last = last_of(producer);
    Affine map[MAX_INDEX] = {{0}};
    for (int d = 0; d < value->tensor->rank; d++)
        for (int i = 0; i < consumer->nindex; i++)
            if (value->at[d].coefficient[i])
                map[i] = last->out.at[d];
    Statement *then = NEW(Statement);
    *then = *consumer;
    then->next = NULL;
    then->nindex = output_indices(s);
    memcpy(then->extent, s->extent, sizeof then->extent);
    memcpy(then->index_name, s->index_name, sizeof then->index_name);
    then->out = substitute_access(consumer->out, map);
    then->rhs = substitute_expr(consumer->rhs, map);
    return then;
}

/* Is t made by kernels of one function that hold each element's last value in a register? */
static bool can_follow(Fusion *fusion, const Access *value)
{
    Tensor *t = fusion->value;
    const Users *users = &fusion->pass->users[t->id];
    fusion->into = NULL;
    for (int i = 0; i < users->n; i++)
        for (Kernel *k = users->function[i]->kernels; k; k = k->next) {
            if (!nest_writes(k, t) || is_halo_fill(k))
                continue;
            Function *f = users->function[i];
            bool complete_value =
                last_of(k)->out.tensor == t && (k->first || k->body->store == STORE_MAX) && k->regions;
            if (!complete_value || takes_samples_in(last_of(k)) || k->nthen == MAX_THEN || k->window
                || k->recurrence || f == fusion->from || f->purpose != fusion->from->purpose
                || (fusion->into && fusion->into != f))
                return false;
            fusion->into = f;
            if (wastes_lanes(k, fusion->consumer, fusion->pass->target))
                return false;
            if (!keeps_lanes(k, follow(k, fusion->consumer->first, value)))
                return false;
        }
    return fusion->into;
}

/* Everything else that the consumer reads must be there when the producer runs. */
static bool inputs_ready(const Fusion *fusion)
{
    Tensor **tensors;
    for (int n = tensors_read(fusion->consumer->first, &tensors); n--;) {
        const Tensor *t = tensors[n];
        if (t == fusion->value)
            continue;
        if (has_alias(fusion->pass, t)) /* the other name may be known there */
            return false;
        const Users *users = &fusion->pass->users[t->id];
        for (int i = 0; i < users->n; i++)
            for (Kernel *k = users->function[i]->kernels; k; k = k->next)
                if (users->function[i]->number >= fusion->into->number
                    && users->function[i]->number <= fusion->from->number && nest_writes(k, t))
                    return false;
    }
    return true;
}

void remove_kernel(Function *f, const Kernel *kernel)
{
    for (Kernel **link = &f->kernels; *link; link = &(*link)->next)
        if (*link == kernel) {
            *link = kernel->next;
            return;
        }
}

/* The halo of what the consumer writes is filled where the consumer now runs. */
static void take_fills(Fusion *fusion, const Tensor *t)
{
    for (Kernel *k = fusion->from->kernels, *next; k; k = next) {
        next = k->next;
        if (!nest_writes(k, t) || !is_halo_fill(k))
            continue;
        remove_kernel(fusion->from, k);
        k->next = fusion->into->kernels;
        fusion->into->kernels = k;
    }
}

/* Does a kernel, other than that one, read the value from memory? */
static bool is_read(const Pass *pass, const Tensor *value, const Kernel *except)
{
    const Users *users = &pass->users[value->id];
    for (int i = 0; i < users->n; i++)
        for (Kernel *k = users->function[i]->kernels; k; k = k->next)
            if (k != except && nest_reads(k, value))
                return true;
    return false;
}

/* Does nobody read the value from memory? Then its halo isn't filled. */
static bool drop_value(Fusion *fusion)
{
    bool read = is_read(fusion->pass, fusion->value, NULL);
    for (Kernel *k = fusion->into->kernels, *next; k; k = next) {
        next = k->next;
        if (!read && nest_writes(k, fusion->value) && is_halo_fill(k))
            remove_kernel(fusion->into, k);
    }
    return !read;
}

static void run_behind(Fusion *fusion, const Access *value)
{
    Tensor *t = fusion->value;
    const Statement *consumer = fusion->consumer->first;
    remove_kernel(fusion->from, fusion->consumer);
    bool dropped = drop_value(fusion);
    for (Kernel *k = fusion->into->kernels; k; k = k->next) {
        if (!nest_writes(k, t) || is_halo_fill(k))
            continue;
        Statement *then = follow(k, consumer, value);
        k->dropped[k->nthen] = dropped;
        k->then[k->nthen++] = then;
    }
    take_fills(fusion, consumer->out.tensor);
    note_users(fusion->pass, fusion->into);
    fusion->from->gone = !fusion->from->kernels;
}

static bool try_fusion(Pass *pass, Function *from, Kernel *consumer)
{
    const Statement *s = consumer->first;
    if (consumer->body || !s || consumer->nthen || consumer->recurrence || !s->per_sample
        || uses_op(s->rhs, OP_RANDOM) || gives_samples_out(s))
        return false;
    Tensor **tensors;
    const int n = tensors_read(s, &tensors);
    for (int i = 0; i < n; i++) {
        Tensor *t = tensors[i];
        Reading r = reading_of(s, t);
        if (!r.same || t->role != TENSOR_VALUE || !t->per_sample || has_alias(pass, t)
            || !reads_each(s, r.access))
            continue;
        Fusion fusion = {pass, from, NULL, consumer, t};
        Access value = *r.access;
        if (can_follow(&fusion, &value) && inputs_ready(&fusion)) {
            run_behind(&fusion, &value);
            return true;
        }
    }
    return false;
}

/* ---- Windows ---------------------------------------------------------------------------------
 *
 * Windows side by side on a value run where a tile of it is in registers, if nobody else reads it and that
 * is predicted to be faster. */

bool find_makers(const Pass *pass, const Tensor *t, Makers *makers)
{
    int64_t elements = 0;
    const Users *users = &pass->users[t->id];
    *makers = (Makers){.n = 0};
    for (int i = 0; i < users->n; i++)
        for (Kernel *k = users->function[i]->kernels; k; k = k->next) {
            Function *f = users->function[i];
            if (!nest_writes(k, t) || is_halo_fill(k))
                continue;
            bool complete_value =
                last_of(k)->out.tensor == t && (k->first || k->body->store == STORE_MAX) && k->regions;
            if (!complete_value || takes_samples_in(last_of(k)) || k->window || k->recurrence || f->per_call
                || makers->n == MOST_MAKERS || (makers->n && f != makers->function))
                return false;
            makers->function = f;
            makers->kernel[makers->n++] = k;
            elements += elements_made(k);
        }
    return elements == t->count;
}

/* What the windows look at; NULL: several tensors, or none. */
static Tensor *only_value(const Pass *pass, const Statement *s)
{
    Tensor **tensors;
    int n = tensors_read(s, &tensors);
    bool good =
        n == 1 && tensors[0]->role == TENSOR_VALUE && tensors[0]->per_sample && !has_alias(pass, tensors[0]);
    return good ? tensors[0] : NULL;
}

/* What the makers take, with the windows in their parts if such are given; INFINITY where a window lies in
 * several. */
static double cycles_with(const Pass *pass, const Makers *makers, Kernel *window)
{
    double cycles = 0;
    for (int i = 0; i < makers->n; i++) {
        Kernel with = *makers->kernel[i];
        if (window && !set_window(&with, window))
            return INFINITY;
        choose_tiles(&with, pass->target);
        cycles += with.cycles;
    }
    return cycles;
}

static bool try_window(Pass *pass, Function *from, Kernel *window)
{
    Fusion fusion = {.pass = pass, .from = from, .consumer = window};
    Makers makers;
    bool runs_on_tiles = window->body && window->regions && !window->recurrence;
    fusion.value = runs_on_tiles ? only_value(pass, window->body) : NULL;
    if (!fusion.value || !find_makers(pass, fusion.value, &makers))
        return false;
    fusion.into = makers.function;
    if (fusion.into == from || fusion.into->phase != from->phase || fusion.into->purpose != from->purpose)
        return false;
    for (int i = 0; i < window->nthen; i++) {
        Kernel then = {.first = window->then[i]};
        Fusion follower = {pass, from, fusion.into, &then, window->body->out.tensor};
        if (!inputs_ready(&follower))
            return false;
    }
    if (is_read(pass, fusion.value, window))
        /* it is stored all the same, and windows take registers: measured, level or up to 5 % slower */
        return false;
    if (cycles_with(pass, &makers, window) > cycles_with(pass, &makers, NULL) + window->cycles)
        return false;
    remove_kernel(from, window);
    drop_value(&fusion);
    for (int i = 0; i < makers.n; i++) {
        makers.kernel[i]->dropped[makers.kernel[i]->nthen] = true;
        set_window(makers.kernel[i], window);
    }
    take_fills(&fusion, last_of(window)->out.tensor);
    note_users(pass, fusion.into);
    from->gone = !from->kernels;
    return true;
}

/* ---- All of it ------------------------------------------------------------------------------- */

void fuse(Pass *pass)
{
    find_users(pass);
    for (Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels, *next; k; k = next) {
            next = k->next;
            if (!f->per_call)
                try_fusion(pass, f, k);
        }
}

void fuse_windows(Pass *pass)
{
    for (Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels, *next; k; k = next) {
            next = k->next;
            if (!f->per_call)
                try_window(pass, f, k);
        }
}
