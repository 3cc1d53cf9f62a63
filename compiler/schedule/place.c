/* place.c: gives every buffer of a pass its place in the arena.
 *
 * A buffer lives from the first call that touches it to the last. Two that never live at the same time may
 * share memory. Largest first, each goes to the lowest offset where it meets nobody alive at its time.
 *
 * Under --inference weights are buffers, too, where net_prepare has something to do: they and what is made
 * of them share the room that net_params has. A weight lives from the beginning, when it is loaded, to the
 * last call that reads it; what samples read lives from the call that makes it for good. So in the end the
 * room holds little more than what net_forward reads. Where taps are made of the weights of three layers:
 *
 *     loaded:         w3  w2  w1
 *     behind layer 1: w3  w2  w1     taps1
 *     behind layer 2: w3  w2   taps2 taps1     over w1
 *     prepared:       w3 taps3 taps2 taps1     over w2; only the last one's place is not used again */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

enum { ALIGNMENT = 16 }; /* floats: a cache line */

/* ---- Moves that change nothing --------------------------------------------------------------- */

static bool is_move(const Statement *s)
{
    if (s->store != STORE_SET || s->rhs->op != OP_LOAD || s->out.tensor->role != TENSOR_VALUE)
        return false;
    const Access *from = &s->rhs->access;
    Affine to_position = position_of(s->out), from_position = position_of(*from);
    return affine_equal(&to_position, &from_position) && covers_tensor(s, &s->out) && covers_tensor(s, from)
        && from->tensor->per_sample && !from->tensor->ragged && from->tensor->floats == s->out.tensor->floats;
}

static bool same_form(const Tensor *a, const Tensor *b)
{
    bool same = a->rank == b->rank;
    for (int d = 0; same && d < a->rank; d++)
        same = a->dim[d] == b->dim[d] && a->room[d] == b->room[d] && a->before[d] == b->before[d];
    return same;
}

/* instead: by tensor id, which to read in its place */
static void read_instead(Expr *e, Tensor *const *instead)
{
    if (e->op == OP_LOAD && instead[e->access.tensor->id])
        e->access.tensor = instead[e->access.tensor->id];
    for (int i = 0; i < op_info[e->op].arity; i++)
        read_instead(e->arg[i], instead);
}

typedef struct Meeting {
    const Pass *pass;
    const Tensor *copy, *root;
    bool copy_touched, root_touched;
} Meeting;

static void note_member(const Access *access, void *context)
{
    Meeting *meeting = context;
    meeting->copy_touched |= access->tensor == meeting->copy;
    meeting->root_touched |=
        access->tensor != meeting->copy && meeting->pass->root[access->tensor->id] == meeting->root;
}

/* by tensor id: the first statements of the layers, in one direction, that touch it */
typedef struct Readers {
    Statement ***list;
    int *n;
    Statement *layer;
} Readers;

static void note_reader(const Access *access, void *context)
{
    Readers *readers = context;
    int t = access->tensor->id, n = readers->n[t];
    if (n && readers->list[t][n - 1] == readers->layer)
        return;
    if ((n & (n - 1)) == 0) { /* full: twice the room */
        Statement **old = readers->list[t];
        readers->list[t] = NEW_ARRAY(Statement *, n ? 2 * n : 1);
        if (n)
            memcpy(readers->list[t], old, (size_t)n * sizeof *old);
    }
    readers->list[t][readers->n[t]++] = readers->layer;
}

static bool same_function(const Statement *a, const Statement *b)
{
    return a->layer == b->layer && a->backward == b->backward;
}

static Readers find_readers(const Prog *prog)
{
    Readers readers = {NEW_ARRAY(Statement **, prog->ntensors), NEW_ARRAY(int, prog->ntensors),
                       prog->statements};
    for (Statement *s = prog->statements; s; s = s->next) {
        readers.layer = same_function(s, readers.layer) ? readers.layer : s;
        note_reader(&s->out, &readers);
        visit_loads(s->rhs, note_reader, &readers);
    }
    return readers;
}

/* Would a layer, in one direction, get the same memory under two names? Then C may not promise that they
 * are apart. */
static bool meets_itself(const Pass *pass, const Readers *readers, const Statement *move)
{
    const Tensor *copy = move->out.tensor, *root = pass->root[move->rhs->access.tensor->id];
    for (int i = 0; i < readers->n[copy->id]; i++) {
        const Statement *first = readers->list[copy->id][i];
        Meeting meeting = {pass, copy, root, false, false};
        for (const Statement *s = first; s && same_function(s, first); s = s->next)
            if (s != move) {
                note_member(&s->out, &meeting);
                visit_loads(s->rhs, note_member, &meeting);
            }
        if (meeting.copy_touched && meeting.root_touched)
            return true;
    }
    return false;
}

/* A tensor that one statement defines, as another tensor's elements in the same order, is that tensor.
 * Where it has the same form, too, what reads it reads the other; else the two share memory. */
void share_moves(Pass *pass)
{
    Prog *prog = pass->prog;
    int *definitions = NEW_ARRAY(int, prog->ntensors);
    pass->root = NEW_ARRAY(Tensor *, prog->ntensors);
    for (Tensor *t = prog->tensors; t; t = t->next)
        pass->root[t->id] = t;
    for (const Statement *s = prog->statements; s; s = s->next)
        definitions[s->out.tensor->id]++;
    Tensor **instead = NEW_ARRAY(Tensor *, prog->ntensors);
    pass->in_place = NEW_ARRAY(bool, 2 * (prog->net->nlayers + 1));
    for (Statement **link = &prog->statements; *link;) {
        const Statement *s = *link;
        read_instead(s->rhs, instead);
        if (is_move(s) && definitions[s->out.tensor->id] == 1
            && same_form(s->out.tensor, s->rhs->access.tensor)) {
            *link = s->next;
            pass->in_place[2 * s->layer->id + s->backward] = true;
            instead[s->out.tensor->id] = s->rhs->access.tensor;
        } else
            link = &(*link)->next;
    }
    const Readers readers = find_readers(prog);
    for (const Statement *s = prog->statements; s; s = s->next)
        if (is_move(s) && definitions[s->out.tensor->id] == 1 && !meets_itself(pass, &readers, s)) {
            pass->in_place[2 * s->layer->id + s->backward] = true;
            pass->root[s->out.tensor->id] = pass->root[s->rhs->access.tensor->id];
        }
    pass->shared = NEW_ARRAY(bool, prog->ntensors);
    for (const Tensor *t = prog->tensors; t; t = t->next)
        if (pass->root[t->id] != t)
            pass->shared[t->id] = pass->shared[pass->root[t->id]->id] = true;
}

/* ---- Offsets --------------------------------------------------------------------------------- */

const Buffer *buffer_of(const Pass *pass, const Tensor *tensor)
{
    return pass->buffer[pass->root[tensor->id]->id];
}

/* What a search for a gap asks of a buffer, side by side: such a search goes through all of them. */
typedef struct Placed {
    int64_t offset, end_offset;
    int begin, end;
} Placed;

/* The first gap that is wide enough among the buffers alive at the same time; those placed stand in the
 * order of their offsets. */
static int64_t lowest_offset(const Placed *placed, int n, const Buffer *buffer)
{
    int64_t offset = 0;
    for (int i = 0; i < n && placed[i].offset < offset + buffer->size; i++)
        if (placed[i].end_offset > offset && placed[i].begin <= buffer->end && buffer->begin <= placed[i].end)
            offset = placed[i].end_offset;
    return offset;
}

/* How many of those placed lie below an offset, or at it. */
static int count_below(const Placed *placed, int n, int64_t offset)
{
    int least = 0;
    while (least < n) {
        int middle = least + (n - least) / 2;
        if (placed[middle].offset <= offset)
            least = middle + 1;
        else
            n = middle;
    }
    return least;
}

/* Calls that are made sample by sample form a group, and so do those that take a chunk of samples each.
 * What passes from one group to another is kept for all samples of the chunk. A group of the first kind
 * begins again for each sample, so such a buffer lives through the whole of it. What passes from one phase
 * to another is kept for all samples of the call, and lives through the whole loops of both. */
typedef struct Group {
    int begin, end;      /* its first and last call */
    /* first and last call of the loop over samples that it is part of; of calls made once, its own */
    int loop, loop_end;
    bool batched;
} Group;

static Group *find_groups(const Pass *pass)
{
    int n = 0, call = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        n++;
    Group *group_of = NEW_ARRAY(Group, n + 1); /* by call */
    int begin = 0, loop = 0;
    const Function *before = NULL;
    for (const Function *f = pass->functions; f; before = f, f = f->next, call++) {
        bool apart = !before || before->per_call != f->per_call || before->phase != f->phase;
        if (apart || before->batched != f->batched)
            begin = call;
        if (apart || f->per_call)
            loop = call;
        group_of[call] = (Group){.begin = begin, .loop = loop, .batched = f->batched || f->per_call};
    }
    for (int i = n - 1; i >= 0; i--) {
        bool last = i == n - 1;
        group_of[i].end = last || group_of[i + 1].begin == i + 1 ? i : group_of[i + 1].end;
        group_of[i].loop_end = last || group_of[i + 1].loop == i + 1 ? i : group_of[i + 1].loop_end;
    }
    return group_of;
}

/* The largest first; equals in order of birth. */
static int by_size(const void *a, const void *b)
{
    const Buffer *x = *(const Buffer *const *)a, *y = *(const Buffer *const *)b;
    return x->size != y->size ? (x->size < y->size ? 1 : -1) : x->number - y->number;
}

/* Each gets an offset, in that order; how many floats they take together. */
static int64_t place_in_order(Buffer **order, int n)
{
    Placed *placed = NEW_ARRAY(Placed, n);
    int64_t floats = 0;
    for (int i = 0; i < n; i++) {
        Buffer *b = order[i];
        b->offset = lowest_offset(placed, i, b);
        int at = count_below(placed, i, b->offset);
        memmove(placed + at + 1, placed + at, (size_t)(i - at) * sizeof *placed);
        placed[at] = (Placed){b->offset, b->offset + b->size, b->begin, b->end};
        if (b->offset + b->size > floats)
            floats = b->offset + b->size;
    }
    return floats;
}

/* In the room of net_params: first the weights that samples read, then the others, those that are needed
 * longest first; above them what is made for good, what is made last first, so that it reaches down over
 * weights that nobody needs by then; then what is needed on the way, by size. */
static int order_in_room(const Buffer *b)
{
    bool weight = b->tensor->role == TENSOR_WEIGHT;
    return weight ? !b->lasting : b->lasting ? 2 : 3;
}

static int by_room(const void *a, const void *b)
{
    const Buffer *x = *(const Buffer *const *)a, *y = *(const Buffer *const *)b;
    int of_x = order_in_room(x), of_y = order_in_room(y);
    int64_t late_x = of_x == 1 ? x->end : of_x == 2 ? x->begin : of_x == 3 ? x->size : 0;
    int64_t late_y = of_y == 1 ? y->end : of_y == 2 ? y->begin : of_y == 3 ? y->size : 0;
    if (of_x != of_y)
        return of_x - of_y;
    if (late_x != late_y)
        return late_x < late_y ? 1 : -1;
    return x->tensor->id - y->tensor->id;
}

/* What lies in net_params gets its offsets there, and so does the mark that says that it is prepared, most
 * often in the place of a weight that nobody needs by then. How many buffers are left for the arena. */
static int place_prepared(Pass *pass, Buffer **order, int n, int last_call)
{
    int others = 0, count = 0;
    Buffer **prepared = NEW_ARRAY(Buffer *, n + 1);
    for (int i = 0; i < n; i++) {
        Buffer *b = order[i];
        b->prepared = pass->prepares && !b->tensor->per_sample;
        if (b->prepared)
            prepared[count++] = b;
        else
            order[others++] = b;
    }
    qsort(prepared, (size_t)count, sizeof *prepared, by_room);
    Buffer *mark = prepared[count++] = NEW(Buffer);
    *mark = (Buffer){.size = ALIGNMENT, .begin = last_call, .end = last_call};
    if (count > 1)
        pass->prepared = place_in_order(prepared, count);
    pass->mark = mark->offset;
    pass->kept = mark->offset + 1;
    for (int i = 0; i < count - 1; i++)
        if (prepared[i]->lasting && prepared[i]->offset + prepared[i]->size > pass->kept)
            pass->kept = prepared[i]->offset + prepared[i]->size;
    return others;
}

/* Has net_prepare anything to do? */
static bool works_beforehand(const Pass *pass)
{
    for (const Function *f = pass->functions; f; f = f->next)
        if (f->per_call && pass->prepares)
            return true;
    return false;
}

static Buffer *new_buffer(Pass *pass, Buffer ***end, Tensor *tensor, int begin)
{
    Buffer *b = NEW(Buffer);
    *b = (Buffer){.tensor = tensor, .begin = begin, .end = begin, .samples = 1};
    if (!*end)
        *end = &pass->buffers;
    **end = b;
    *end = &b->next;
    return b;
}

void place(Pass *pass, int lanes)
{
    int ntensors = pass->prog->ntensors, n = 0, call = 0;
    Buffer **by_id = pass->buffer = NEW_ARRAY(Buffer *, ntensors), **order = NEW_ARRAY(Buffer *, ntensors),
           **end = NULL;
    const Group *group_of = find_groups(pass);
    bool weights = works_beforehand(pass);
    for (Tensor *t = pass->prog->tensors; t; t = t->next)
        if (weights && t->role == TENSOR_WEIGHT)
            by_id[t->id] = order[n++] = new_buffer(pass, &end, t, -1);
    for (const Function *f = pass->functions; f; f = f->next, call++)
        for (int i = 0; i < f->nparams; i++) {
            Tensor *root = pass->root[f->param[i]->id];
            if (root->role != TENSOR_VALUE && (root->role != TENSOR_WEIGHT || !weights))
                continue;
            Buffer *b = by_id[root->id];
            if (!b)
                b = by_id[root->id] = order[n++] = new_buffer(pass, &end, root, call);
            b->end = call;
            b->lasting |= !f->per_call;
            b->whole_batch |= root->per_sample && group_of[call].loop != group_of[b->begin].loop;
            if (root->per_sample && pass->chunk
                && (group_of[call].batched || group_of[call].begin != group_of[b->begin].begin))
                b->samples = pass->chunk;
        }
    for (int i = 0; i < n; i++) {
        Buffer *b = order[i];
        b->number = i;
        if (b->whole_batch || !b->tensor->per_sample) {
            b->samples = b->whole_batch ? pass->batch : 1;
            b->begin = b->begin < 0 ? b->begin : group_of[b->begin].loop;
            b->end = b->end < 0 ? b->end : group_of[b->end].loop_end;
        } else if (b->samples > 1) {
            if (!group_of[b->begin].batched)
                b->begin = group_of[b->begin].begin;
            if (!group_of[b->end].batched)
                b->end = group_of[b->end].end;
        }
        b->size = (b->tensor->floats * b->samples + (b->tensor->overrun ? lanes - 1 : 0) + ALIGNMENT - 1)
                / ALIGNMENT * ALIGNMENT;
        if (pass->prepares && b->lasting && !b->tensor->per_sample)
            b->end = call - 1; /* for good: the next call of net_forward reads it, too */
    }
    n = place_prepared(pass, order, n, call - 1);
    qsort(order, (size_t)n, sizeof *order, by_size);
    pass->arena = place_in_order(order, n);
    if (pass->prog->answers && pass->prog->loss) { /* of as many samples as are at hand at once */
        const int64_t samples = pass->chunk ? pass->chunk : 1;
        pass->unwanted = pass->arena;
        pass->arena += (samples * pass->prog->y->floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}

/* ---- Vectors that reach behind a value ------------------------------------------------------- */

typedef struct Reach {
    const Pass *pass;
    const Region *region;
    const Tile *tile;
    const Statement *s;
} Reach;

/* The last vector along the lane may begin anywhere in a row and is read whole. */
static void note_overrun(const Access *access, void *context)
{
    const Reach *reach = context;
    const Tile *tile = reach->tile;
    Tensor *t = access->tensor;
    Affine at = position_of(*access);
    if (!is_own(t) || tile->lane < 0 || !at.coefficient[tile->lane])
        return;
    Statement around = *reach->s; /* its loops alone */
    int64_t least, last;
    around.nindex = 0;
    affine_range(&at, &around, &least, &last);
    for (int i = 0; i < reach->s->nindex; i++) {
        int64_t begin = reach->region->begin[i], steps = reach->region->count[i] - 1;
        steps = i == tile->lane ? steps / tile->width * tile->width : steps;
        last += at.coefficient[i] * (at.coefficient[i] < 0 ? begin : begin + steps);
    }
    if (last + tile->width > t->floats)
        t->overrun = reach->pass->root[t->id]->overrun = true;
}

static void note_region_overruns(const Pass *pass, Kernel *k, const Region *r, const Tile *tile)
{
    Statement **part[MAX_PARTS];
    int n = 0;
    for (add_parts(k, part, &n); n--;) {
        Reach reach = {pass, r, tile, *part[n]};
        visit_loads((*part[n])->rhs, note_overrun, &reach);
        if (k->body == *part[n] && !k->first) /* its first value is read */
            note_overrun(&k->body->out, &reach);
    }
}

void note_overruns(const Pass *pass, const Function *f)
{
    for (Kernel *k = f->kernels; k; k = k->next)
        for (const Region *r = k->regions; r; r = r->next) {
            note_region_overruns(pass, k, r, &r->tile);
            note_region_overruns(pass, k, r, &r->rest);
            if (k->window) {
                Region region = window_region(k, r);
                Tile tile = window_tile(k, &r->tile);
                note_region_overruns(pass, k->window, &region, &tile);
            }
        }
}
