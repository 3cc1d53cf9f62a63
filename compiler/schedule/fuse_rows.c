/* fuse_rows.c: sums and maxima over rows, and what is worked out from them, follow on the tiles that hold the
 * rows. */
#include <math.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- Followers -------------------------------------------------------------------------------
 *
 * What is worked out from the values that tiles hold, by the functions right behind the one that makes
 * them, follows on these tiles (follow.c). What that needs and doesn't itself depend on the values goes
 * before them: zeros to add to, zeros around an output. What takes the sums up goes behind them. */

enum { MOST_MOVED = 32 };
static const double cycles_to_begin = 4; /* a kernel of its own */

typedef enum Where { AHEAD, ON_TILES, BEHIND } Where;

typedef struct Move {
    Function *from;
    Kernel *kernel;
    Where where;
    bool needed;         /* AHEAD: something that follows asks for it */
} Move;

typedef struct Following {
    Pass *pass;
    Makers makers;
    Kernel with[MOST_MAKERS]; /* the makers with what follows on them */
    double cycles;       /* of these, */
    double apart;        /* and of all kernels on their own */
    bool rows;           /* may they work on rows? */
    bool *written, *touched; /* by tensor id: by what stays behind the makers */
    bool *summed;        /* is added to by what follows */
    Move move[MOST_MOVED];
    int n;
} Following;

static int root_of(const Following *f, const Tensor *t)
{
    return f->pass->root[t->id]->id;
}

/* Do the makers hold all of it, and nothing that is in memory change it? */
static bool is_held(const Following *f, const Tensor *t)
{
    if (t->role != TENSOR_VALUE || f->written[root_of(f, t)] || has_alias(f->pass, t))
        return false;
    int64_t elements = 0;
    for (int i = 0; i < f->makers.n; i++) {
        const Access *held = held_in_registers(&f->with[i], t);
        elements += held ? places_taken(held, statement_of(&f->with[i])) : 0;
    }
    return elements == t->count;
}

typedef struct Needs {   /* of a kernel: does it read what is held, or what is summed; is all else there? */
    const Following *following;
    bool held, summed, ready;
} Needs;

static void note_need(const Access *access, void *context)
{
    Needs *needs = context;
    const Following *f = needs->following;
    bool held = is_held(f, access->tensor), summed = f->summed[root_of(f, access->tensor)];
    needs->held |= held;
    needs->summed |= summed;
    /* A sum, too, isn't there if one that stays adds to it; and what has another name may be known by that
     * one to the makers. */
    needs->ready &= held || (!f->written[root_of(f, access->tensor)] && !has_alias(f->pass, access->tensor));
}

static Needs needs_of(const Following *f, Kernel *k)
{
    Needs needs = {f, false, false, true};
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(k, part, &n); n--;) {
        const Statement *s = *part[n];
        visit_loads(s->rhs, note_need, &needs);
        needs.ready &= !f->touched[root_of(f, s->out.tensor)] && !has_alias(f->pass, s->out.tensor);
        needs.ready &= !uses_op(s->rhs, OP_RANDOM) && !gives_samples_out(s);
    }
    return needs;
}

static void note_touch(const Access *access, void *context)
{
    const Following *f = context;
    f->touched[root_of(f, access->tensor)] = true;
}

/* The kernel stays where it is, behind the makers. What it writes is not there yet when these run. */
static void leave(Following *f, Kernel *k, bool writes_late)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(k, part, &n); n--;) {
        const Statement *s = *part[n];
        visit_loads(s->rhs, note_touch, f);
        if (!writes_late)
            continue;
        f->written[root_of(f, s->out.tensor)] = f->touched[root_of(f, s->out.tensor)] = true;
        if (s->position)
            f->written[root_of(f, s->position)] = f->touched[root_of(f, s->position)] = true;
    }
}

/* Tiles may have in their lanes what they could have before. */
static bool keep_lanes(const Following *f, const Kernel *maker)
{
    for (int i = 0; i < output_indices(statement_of(maker)) && f->pass->target->lanes > 1; i++)
        for (const Kernel *follower = maker->followers; follower && in_vectors(statement_of(maker), i);
             follower = follower->next)
            if (!follower_in_vectors(follower, i))
                return false;
    return true;
}

static bool whole_rows(const Kernel *maker)
{
    for (const Region *r = maker->regions; r && maker->row >= 0; r = r->next)
        if (r->empty || r->count[maker->row] != statement_of(maker)->extent[maker->row])
            return false;
    return true;
}

static const Kernel *last_follower(const Kernel *maker)
{
    const Kernel *last = maker->followers;
    while (last->next)
        last = last->next;
    return last;
}

/* What the makers give without holding all of it can't be read by what follows. */
static void note_parts_made(Following *f)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(&f->with[0], part, &n); n--;) {
        const Tensor *t = (*part[n])->out.tensor;
        if (!f->summed[root_of(f, t)] && !is_held(f, t))
            f->written[root_of(f, t)] = true;
    }
}

static bool writes_same(Kernel *a, Kernel *b)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(a, part, &n); n--;)
        if (nest_writes(b, (*part[n])->out.tensor))
            return true;
    return false;
}

/* With one more follower on all makers. What stands for itself has to be no slower there than the kernel
 * on its own; what works on rows asks for others in turn, and is weighed with these in the end. */
static bool extend(Following *f, Kernel *consumer, double cycles_apart)
{
    Kernel with[MOST_MAKERS];
    double cycles = 0;
    if (writes_same(consumer, &f->with[0]))
        return false;
    for (int i = 0; i < f->makers.n; i++) {
        with[i] = f->with[i];
        with[i].followers = NULL;
        for (Kernel *k = f->with[i].followers, **end = &with[i].followers; k;
             k = k->next, end = &(*end)->next) {
            *end = NEW(Kernel);
            **end = *k;
            (*end)->next = NULL;
        }
        if (!add_follower(&with[i], consumer) || !keep_lanes(f, &with[i]) || !whole_rows(&with[i]))
            return false;
        for (const Kernel *k = with[i].followers; k; k = k->next)
            if (is_spread(&with[i], k) && weights_used_once(f->makers.function))
                return false; /* it would be kept for all samples that go together, and is larger */
        choose_tiles(&with[i], f->pass->target);
        cycles += with[i].cycles;
    }
    const Kernel *last = last_follower(&with[0]);
    bool sum = adds_to_memory(last), alone = sum || is_spread(&with[0], last);
    if (sum && last->body->out.tensor->count > (f->pass->samples ? f->pass->samples : 1))
        /* one for each channel: measured no faster, and up to a tenth slower where much else is read for
         * it */
        return false;
    if (cycles > f->cycles + cycles_apart + cycles_to_begin && (alone || cycles == INFINITY))
        return false;
    if (!f->rows && with[0].row >= 0)
        return false;
    f->apart += cycles_apart + cycles_to_begin;
    memcpy(f->with, with, sizeof with);
    f->cycles = cycles;
    return true;
}

static bool add_move(Following *f, Function *from, Kernel *k, Where where)
{
    if (f->n == MOST_MOVED)
        return false;
    f->move[f->n++] = (Move){from, k, where, false};
    return true;
}

/* The sum goes on from a first value that is set before. */
static bool split_first(Following *f, Function *from, Kernel *consumer)
{
    Kernel *first = NEW(Kernel), *rest = NEW(Kernel);
    if (!consumer->first || !consumer->body || consumer->body->store != STORE_ADD || consumer->nthen
        || f->n + 2 > MOST_MOVED)
        return false;
    *first = *rest = *consumer;
    first->body = NULL;
    rest->first = NULL;
    if (needs_of(f, first).held || needs_of(f, first).summed || !extend(f, rest, consumer->cycles))
        return false;
    choose_tiles(first, f->pass->target);
    add_move(f, NULL, first, AHEAD);
    f->move[f->n - 1].needed = true;
    f->summed[root_of(f, consumer->body->out.tensor)] = true;
    return add_move(f, from, consumer, ON_TILES);
}

static bool follows(Following *f, Function *from, Kernel *k)
{
    if (f->n < MOST_MOVED && extend(f, k, k->cycles)) {
        if (k->body && adds_to_memory(k))
            f->summed[root_of(f, k->body->out.tensor)] = true;
        return add_move(f, from, k, ON_TILES);
    }
    return split_first(f, from, k);
}

static void find_place(Following *f, Function *from, Kernel *k)
{
    Needs needs = needs_of(f, k);
    /* what takes sums up comes from where these were */
    bool with_others = f->n && f->move[f->n - 1].from == from;
    bool stays = !needs.ready || k->recurrence || from->purpose != f->makers.function->purpose
              || (needs.summed && (needs.held || !with_others));
    if (!stays && needs.held)
        stays = !follows(f, from, k);
    else if (!stays)
        stays = !add_move(f, from, k, needs.summed ? BEHIND : AHEAD);
    for (int n = 0; needs.summed && !stays && n <= k->nthen;
         n++) /* and so are those that take up what it gives */
        f->summed[root_of(f, (n < k->nthen ? k->then[n] : statement_of(k))->out.tensor)] = true;
    if (stays || !needs.held)
        leave(f, k, stays);
    else
        note_parts_made(f);
}

/* Does one kernel read or write what another makes? */
static bool touches_made(Kernel *k, Kernel *maker)
{
    Statement **part[MAX_PARTS];
    int n;
    for (parts_of(maker, part, &n); n--;)
        if (nest_reads(k, (*part[n])->out.tensor) || nest_writes(k, (*part[n])->out.tensor))
            return true;
    return false;
}

/* What is set ahead for one that follows, and for what that needs. */
static void mark_needed(Following *f)
{
    for (int i = f->n; i--;) {
        if (f->move[i].where == AHEAD && !f->move[i].needed)
            continue;
        for (int k = 0; k < i; k++)
            if (f->move[k].where == AHEAD && touches_made(f->move[i].kernel, f->move[k].kernel))
                f->move[k].needed = true;
    }
}

static bool is_maker(const Makers *makers, const Kernel *k)
{
    for (int i = 0; i < makers->n; i++)
        if (makers->kernel[i] == k)
            return true;
    return false;
}

/* Does something else read the value, which then has to be in memory? */
static bool is_read_elsewhere(const Following *f, const Tensor *t)
{
    const Users *users = &f->pass->users[t->id];
    for (int i = 0; i < users->n; i++)
        for (Kernel *k = users->function[i]->kernels; k; k = k->next)
            if (!is_maker(&f->makers, k) && nest_reads(k, t))
                return true;
    return false;
}

static void drop_unread(const Following *f, const Tensor *t, bool *dropped)
{
    *dropped |= t->role == TENSOR_VALUE && is_held(f, t) && !is_read_elsewhere(f, t);
    for (Kernel *k = f->makers.function->kernels, *next; k && *dropped; k = next) {
        next = k->next;
        if (nest_writes(k, t) && is_halo_fill(k))
            remove_kernel(f->makers.function, k);
    }
}

static void drop_all_unread(const Following *f)
{
    for (int i = 0; i < f->makers.n; i++) {
        Kernel *k = f->makers.kernel[i];
        drop_unread(f, statement_of(k)->out.tensor, &k->dropped[0]);
        for (int n = 0; n < k->nthen; n++)
            drop_unread(f, k->then[n]->out.tensor, &k->dropped[n + 1]);
        for (Kernel *follower = k->followers; follower; follower = follower->next)
            drop_unread(f, statement_of(follower)->out.tensor, &follower->dropped[0]);
    }
}

static void move_all(Following *f)
{
    Kernel **ahead = &f->makers.function->kernels, *last = f->makers.kernel[f->makers.n - 1];
    while (*ahead != f->makers.kernel[0])
        ahead = &(*ahead)->next;
    for (int i = 0; i < f->n; i++) {
        Move *move = &f->move[i];
        if (move->where == AHEAD && !move->needed)
            continue;
        if (move->from) {
            remove_kernel(move->from, move->kernel);
            move->from->gone = !move->from->kernels;
        }
        if (move->where == AHEAD) {
            move->kernel->next = *ahead;
            *ahead = move->kernel;
            ahead = &move->kernel->next;
        } else if (move->where == BEHIND) {
            move->kernel->next = last->next;
            last->next = move->kernel;
            last = move->kernel;
        }
    }
    for (int i = 0; i < f->makers.n; i++) {
        f->makers.kernel[i]->followers = f->with[i].followers;
        f->makers.kernel[i]->row = f->with[i].row;
    }
    note_users(f->pass, f->makers.function);
    drop_all_unread(f);
}

static int on_tiles(const Following *f)
{
    int n = 0;
    for (int i = 0; i < f->n; i++)
        n += f->move[i].where == ON_TILES;
    return n;
}

/* marks: room for three of each tensor */
static bool try_following(Pass *pass, Function *into, Kernel *first, bool rows, bool *marks)
{
    size_t tensors = (size_t)pass->prog->ntensors;
    Following f = {.pass = pass,
                   .rows = rows,
                   .written = marks,
                   .touched = marks + tensors,
                   .summed = marks + 2 * tensors};
    if (into->per_call || !find_makers(pass, last_of(first)->out.tensor, &f.makers)
        || f.makers.kernel[0] != first)
        return true;
    memset(marks, 0, 3 * tensors * sizeof *marks);
    for (int i = 0; i < f.makers.n; i++) {
        f.with[i] = *f.makers.kernel[i];
        choose_tiles(&f.with[i], pass->target);
        f.cycles += f.with[i].cycles;
    }
    f.apart = f.cycles;
    note_parts_made(&f);
    for (Kernel *k = first->next; k; k = k->next)
        if (!is_maker(&f.makers, k))
            leave(&f, k, true);
    for (Function *from = into->next; from && !from->per_call && from->phase == into->phase;
         from = from->next) {
        int before = on_tiles(&f);
        for (Kernel *k = from->kernels; k; k = k->next)
            find_place(&f, from, k);
        if (on_tiles(&f) == before && !from->gone)
            break;
    }
    if (!on_tiles(&f))
        return true;
    if (f.cycles > f.apart)
        return false;
    mark_needed(&f);
    move_all(&f);
    return true;
}

void fuse_rows(Pass *pass)
{
    bool *marks = NEW_ARRAY(bool, 3 * pass->prog->ntensors);
    for (Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels; k; k = k->next)
            if (!try_following(pass, f, k, true, marks))
                try_following(pass, f, k, false, marks);
    for (Function **link = &pass->functions; *link;)
        if ((*link)->gone)
            *link = (*link)->next;
        else
            link = &(*link)->next;
}
