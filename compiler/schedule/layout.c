/* layout.c: where every tensor's elements lie in memory, and what follows from it for the statements.
 *
 * In: a Prog, which knows tensors by their dimensions alone. Out: a copy of it in which
 *
 *     - channels are innermost and padded to whole vectors, in values [H][W][C] or [T][C] and in weights
 *       [KH][KW][I][O], so that the lanes of a vector are channels in every pass; values of few channels keep
 *       the order C, H, W and give lanes along W; x, y and t keep the order that the interface promises;
 *     - sums run over the indices that lie furthest apart first;
 *     - what scatters gathers (gather.c);
 *     - an input gradient reads weights transposed once a call, unless they are many and it is as fast
 *       without;
 *     - tensors that a contraction reads beyond their edge have a halo of zeros, which takes the place of a
 *       test, where that is no slower than borders of their own (halo.c).
 *
 * Under --unroll=none and on targets without vectors nothing moves. */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

/* ---- A copy ---------------------------------------------------------------------------------- */

static void redirect_access(Access *access, Tensor *const *copies)
{
    access->tensor = copies[access->tensor->id];
}

static void redirect_loads(Expr *e, Tensor *const *copies)
{
    if (e->op == OP_LOAD)
        redirect_access(&e->access, copies);
    for (int i = 0; i < op_info[e->op].arity; i++)
        redirect_loads(e->arg[i], copies);
}

Prog *copy_prog(const Prog *old)
{
    Prog *prog = NEW(Prog);
    *prog = *old;
    prog->tensors = prog->last_tensor = NULL;
    prog->statements = prog->last_statement = NULL;
    memset(prog->names, 0, sizeof prog->names);
    prog->ntensors = 0;
    Tensor **copies = NEW_ARRAY(Tensor *, old->ntensors + 1);
    for (const Tensor *t = old->tensors; t; t = t->next) {
        Tensor *copy = new_tensor(prog, t->role, t->name, t->per_sample, t->rank, t->dim);
        copy->is_int = t->is_int;
        copy->data = t->data;
        copy->weight = t->weight;
        copy->folded = t->folded;
        copy->channel = t->channel;
        copy->history = t->history;
        copy->heads = t->heads;
        copy->unread = t->unread;
        copies[t->id] = copy;
    }
    prog->x = old->x ? copies[old->x->id] : NULL;
    prog->y = old->y ? copies[old->y->id] : NULL;
    prog->t = old->t ? copies[old->t->id] : NULL;
    prog->loss = old->loss ? copies[old->loss->id] : NULL;
    prog->dx = old->dx ? copies[old->dx->id] : NULL;
    prog->weight = NEW_ARRAY(Tensor *, old->net->nweights + 1);
    for (Tensor *t = prog->tensors; t; t = t->next)
        if (t->role == TENSOR_WEIGHT)
            prog->weight[t->weight->id] = t;
    prog->value = NULL;
    Affine same[MAX_INDEX] = {{0}};
    for (int i = 0; i < MAX_INDEX; i++)
        same[i].coefficient[i] = 1;
    for (const Statement *s = old->statements; s; s = s->next) {
        Statement *copy = NEW(Statement);
        *copy = *s;
        copy->next = NULL;
        copy->rhs = substitute_expr(s->rhs, same);
        redirect_access(&copy->out, copies);
        redirect_loads(copy->rhs, copies);
        copy->position = s->position ? copies[s->position->id] : NULL;
        if (prog->last_statement)
            prog->last_statement->next = copy;
        else
            prog->statements = copy;
        prog->last_statement = copy;
    }
    return prog;
}

static void visit_accesses(Expr *e, void (*visit)(Access *, void *), void *context)
{
    if (e->op == OP_LOAD)
        visit(&e->access, context);
    for (int i = 0; i < op_info[e->op].arity; i++)
        visit_accesses(e->arg[i], visit, context);
}

void visit_statement(Statement *s, void (*visit)(Access *, void *), void *context)
{
    visit(&s->out, context);
    visit_accesses(s->rhs, visit, context);
}

/* ---- The order of dimensions ----------------------------------------------------------------- */

static int64_t round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static void set_floats(Tensor *t)
{
    t->floats = 1;
    for (int d = 0; d < t->rank; d++)
        t->floats *= t->room[d];
}

/* Dimension d of t is from now on the one that was axis[d]. */
static void permute_tensor(Tensor *t, const int *axis)
{
    Tensor old = *t;
    for (int d = 0; d < t->rank; d++) {
        t->dim[d] = t->room[d] = old.dim[axis[d]];
        t->axis[d] = old.axis[axis[d]];
        t->heads = axis[d] == d ? t->heads : 0;
    }
}

bool lies_as_weight(const Tensor *t)
{
    return t->role == TENSOR_WEIGHT || t->role == TENSOR_GRADIENT || t->folded;
}

static bool is_interface(const Tensor *t)
{
    return t->role == TENSOR_INPUT || t->role == TENSOR_OUTPUT || t->role == TENSOR_TARGET
        || t->role == TENSOR_INPUT_GRADIENT;
}

bool enough_channels(int64_t channels, int lanes)
{
    return 2 * channels >= lanes || channels >= 4;
}

bool wants_channels_last(const Tensor *t, int lanes)
{
    return t->role == TENSOR_VALUE && t->rank == 3 && enough_channels(t->dim[0], lanes);
}

/* Are the channels that would be innermost in a kernel too few for lanes, and those beside them not? Sums
 * over the others lie in lanes then, as where a picture is made of many channels. */
static bool first_is_few(const Tensor *t, int lanes)
{
    return t->rank == 4 && t->dim[0] > 1 && !enough_channels(t->dim[0], lanes) && t->dim[1] >= lanes;
}

int innermost_dimension(const Tensor *t, int lanes)
{
    if (lies_as_weight(t) && !t->channel)
        return first_is_few(t, lanes);
    return wants_channels_last(t, lanes) ? 0 : t->rank - 1;
}

/* Long rows get a line more where they would lie at a step by which few sets of a cache hold them all. */
static int64_t room_of_row(const Tensor *t, int64_t row, const Machine *core)
{
    enum { LONG = 4096, BAD_STEP = 2048 };
    const int64_t size = (int64_t)sizeof(float), bytes = row * size;
    bool apart = t->rank > 1 && t->count * size > core->first_cache && bytes >= LONG && bytes % BAD_STEP == 0;
    return apart ? row + core->line / size : row;
}

static void lay_out_tensor(Tensor *t, int lanes, const Machine *core)
{
    static const int value_axis[] = {1, 2, 0}, turned_axis[] = {2, 3, 0, 1},
                     weight_axis[][MAX_RANK] = {{0}, {1, 0}, {2, 1, 0}, {2, 3, 1, 0}};
    if (is_interface(t) || t->role == TENSOR_CONSTANT || t->role == TENSOR_LOSS || t->rank == 0)
        return;
    bool rows = t->rank == 3 || (t->rank == 2 && t->channel);
    bool pads = lies_as_weight(t) || t->rank == 1 || (rows && 2 * t->dim[t->rank - 1] >= lanes);
    if (lies_as_weight(t) && t->channel)
        ; /* its rows are read as a whole */
    else if (lies_as_weight(t))
        permute_tensor(t, first_is_few(t, lanes) ? turned_axis : weight_axis[t->rank - 1]);
    else if (wants_channels_last(t, lanes)) {
        permute_tensor(t, value_axis);
        pads = true;
    }
    if (pads && t->dim[t->rank - 1] > 1)
        t->room[t->rank - 1] = room_of_row(t, round_up(t->dim[t->rank - 1], lanes), core);
    set_floats(t);
}

static void permute_access(Access *access, void *context)
{
    (void)context;
    Access old = *access;
    for (int d = 0; d < access->tensor->rank; d++)
        access->at[d] = old.at[access->tensor->axis[d]];
}

static void reorder(Statement *s)
{
    Statement copy = *s;
    complete(s, copy.store, copy.out, copy.rhs);
}

/* ---- The order of sums ----------------------------------------------------------------------- */

/* Where a sum's operands lie far apart its loop comes first; the order of a maximum is its meaning. */
static void order_sum(Statement *s)
{
    if (s->store != STORE_ADD)
        return;
    int outputs = output_indices(s);
    const Access *near = NULL, *other = NULL;
    if (s->rhs->op == OP_MUL && s->rhs->arg[0]->op == OP_LOAD && s->rhs->arg[1]->op == OP_LOAD) {
        const Access *u = &s->rhs->arg[0]->access, *v = &s->rhs->arg[1]->access;
        bool u_in_lanes = outputs && depends_on(u, outputs - 1) && !depends_on(v, outputs - 1);
        near = u_in_lanes ? v : u;
        other = u_in_lanes ? u : v;
    } else if (s->rhs->op == OP_LOAD)
        near = other = &s->rhs->access;
    if (!near)
        return;
    int order[MAX_INDEX];
    for (int i = 0; i < s->nindex; i++)
        order[i] = i;
    for (int i = outputs + 1; i < s->nindex; i++)
        for (int k = i; k > outputs; k--) {
            int64_t a = llabs(stride_of(near, order[k])), b = llabs(stride_of(near, order[k - 1]));
            if (a == b) {
                a = llabs(stride_of(other, order[k]));
                b = llabs(stride_of(other, order[k - 1]));
            }
            if (a <= b)
                break;
            int swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    Statement fresh = *s;
    Affine map[MAX_INDEX] = {{0}};
    fresh.nindex = 0;
    for (int i = 0; i < s->nindex; i++)
        map[order[i]] = index_of(&fresh, s->index_name[order[i]], s->extent[order[i]]);
    fresh.out = substitute_access(s->out, map);
    fresh.rhs = substitute_expr(s->rhs, map);
    *s = fresh;
}

void order_sums(Prog *prog)
{
    for (Statement *s = prog->statements; s; s = s->next)
        order_sum(s);
}

/* ---- Scatter to gather ----------------------------------------------------------------------- */

void gather_all(Prog *prog)
{
    Statement **link = &prog->statements;
    while (*link) {
        Statement *s = *link, *next = s->next;
        bool pair = s->store == STORE_SET && next && next->store == STORE_ADD
                 && next->out.tensor == s->out.tensor && next->layer == s->layer
                 && next->backward == s->backward && next->recurrence == s->recurrence;
        Kernel *k = NULL;
        Statement *rest = next, *first = pair && gathers(next) ? first_by_indices_of(s, next) : NULL;
        if (first)
            *link = s = first;
        if (pair && !gathers(next) && (k = gather(s, next)))
            rest = next->next;
        else if (s->store == STORE_ADD && !gathers(s))
            k = gather(NULL, s);
        if (!k) {
            link = &s->next;
            continue;
        }
        for (; k; k = k->next)
            for (int part = 0; part < 2; part++) {
                Statement *made = part ? k->body : k->first;
                if (!made)
                    continue;
                *link = made;
                link = &made->next;
            }
        *link = rest;
    }
    prog->last_statement = NULL;
    for (Statement *s = prog->statements; s; s = s->next)
        prog->last_statement = s;
}

/* ---- Products -------------------------------------------------------------------------------- */

/* The operands of a contraction, or what a transform reads; how many. */
static int operands(Statement *s, Access *operand[2])
{
    bool transform = is_transform(s);
    if (!transform && !is_contraction(s))
        return 0;
    operand[0] = &s->rhs->arg[transform]->access;
    operand[1] = &s->rhs->arg[1]->access;
    return transform ? 1 : 2;
}

/* ---- Halos ----------------------------------------------------------------------------------- */

static void note_halo(const Statement *s, Access *access, Tensor *const *copies)
{
    Tensor *t = copies[access->tensor->id] ? copies[access->tensor->id] : access->tensor;
    for (int d = 0; d < t->rank; d++) {
        int64_t least, most, before = t->before[d], after = t->room[d] - before - t->dim[d];
        affine_range(&access->at[d], s, &least, &most);
        if (-least > before)
            before = -least;
        if (most >= t->dim[d] + after)
            after = most - t->dim[d] + 1;
        /* Behind rows alone lies padding, which means nothing, so that there a halo has two sides. */
        if (d == t->rank - 1 && most >= t->dim[d] && !before)
            before = 1;
        t->before[d] = before;
        t->room[d] = before + t->dim[d] + after;
    }
    set_floats(t);
    access->tensor = t;
    access->padded = false;
}

static void copy_input(Prog *prog, const Statement *reader, Tensor *x, Tensor **copies)
{
    if (x->role != TENSOR_INPUT || copies[x->id])
        return;
    Tensor *copy = new_tensor(prog, TENSOR_VALUE, format("%s.padded", x->name), true, x->rank, x->dim);
    prog->layer = reader->layer;
    prog->backward = false;
    Statement *s = new_statement(prog);
    Access each = element(s, copy);
    complete(s, STORE_SET, each, load(same_place(each, x)));
    s->next = prog->statements;
    prog->statements = s;
    copies[x->id] = copy;
}

/* Zeros around t, before its first value is written: slabs, along each dimension two. */
static void fill_halo(Prog *prog, Statement **link, Tensor *t)
{
    int64_t begin[MAX_RANK], end[MAX_RANK];
    for (int d = 0; d < t->rank; d++) {
        begin[d] = 0;
        end[d] = t->dim[d];
    }
    prog->layer = (*link)->layer;
    prog->backward = (*link)->backward;
    static const char *const names[] = {"y", "x", "c", "s"};
    for (int d = t->rank - 1; d >= 0; d--) {
        int64_t inner_begin = begin[d], inner_end = end[d];
        bool padding_only = d == t->rank - 1 && !t->before[d]; /* whole vectors, not a halo */
        for (int side = 0; side < 2 && !padding_only; side++) {
            begin[d] = side ? inner_end : -t->before[d];
            end[d] = side ? t->room[d] - t->before[d] : inner_begin;
            if (begin[d] == end[d])
                continue;
            Statement *s = new_statement(prog);
            Access out = {.tensor = t};
            for (int k = 0; k < t->rank; k++)
                out.at[k] = affine_add(index_of(s, names[k], end[k] - begin[k]), affine(begin[k]));
            complete(s, STORE_SET, out, constant(0));
            s->next = *link;
            *link = s;
            link = &s->next;
        }
        if (!padding_only) {
            begin[d] = -t->before[d];
            end[d] = t->room[d] - t->before[d];
        }
    }
}

static bool has_halo(const Tensor *t)
{
    if (t->spaced)
        return false;
    for (int d = 0; d < t->rank; d++)
        if (t->before[d] || (d < t->rank - 1 && t->room[d] > t->dim[d]))
            return true;
    return false;
}

void add_halos(Prog *prog, const Target *target)
{
    int n = prog->ntensors;
    Tensor **copies = NEW_ARRAY(Tensor *, n);
    for (Statement *s = prog->statements; s; s = s->next) {
        Access *operand[2];
        int count = operands(s, operand);
        if (!count || !needs_guard(s) || !worth_a_halo(s, target))
            continue;
        for (int i = 0; i < count; i++) {
            Access *access = operand[i];
            Tensor *t = access->tensor;
            if (!access->padded || !t->per_sample || t->is_int
                || (t->role != TENSOR_VALUE && t->role != TENSOR_INPUT))
                continue;
            copy_input(prog, s, t, copies);
            note_halo(s, access, copies);
        }
    }
    bool *filled = NEW_ARRAY(bool, prog->ntensors);
    const Recurrence *recurrence = NULL;
    for (Statement **link = &prog->statements, **begin = link; *link; link = &(*link)->next) {
        Tensor *t = (*link)->out.tensor;
        begin = recurrence && (*link)->recurrence == recurrence ? begin : link;
        recurrence = (*link)->recurrence;
        if (filled[t->id] || !has_halo(t))
            continue;
        filled[t->id] = true;
        const Statement *writer = *link, *first = *begin;
        fill_halo(prog, begin, t);
        while (*begin != first)
            begin = &(*begin)->next;
        for (link = begin; *link != writer;)
            link = &(*link)->next;
    }
}

/* ---- Transposed weights ---------------------------------------------------------------------- */

/* The output index that lanes would take, if it runs through a weight tensor in longer steps. */
static int blocked_lane(const Statement *s, const Access *access)
{
    if (access->tensor->role != TENSOR_WEIGHT && !access->tensor->folded)
        return -1;
    for (int i = 0; i < output_indices(s); i++)
        if (stride_of(&s->out, i) == 1 && depends_on(access, i) && stride_of(access, i) != 1)
            return i;
    return -1;
}

/* copy = weight with its dimension `last` innermost; not yet part of prog. */
static Statement *transposition(Prog *prog, const Statement *reader, Tensor *weight, int last,
                                const Target *target)
{
    int64_t dim[MAX_RANK];
    int axis[MAX_RANK], n = 0;
    for (int d = 0; d < weight->rank; d++)
        if (d != last)
            axis[n++] = d;
    axis[n] = last;
    for (int d = 0; d < weight->rank; d++)
        dim[d] = weight->dim[axis[d]];
    Tensor *copy =
        new_tensor(prog, TENSOR_VALUE, format("%s.transposed", weight->name), false, weight->rank, dim);
    copy->room[n] = room_of_row(copy, round_up(dim[n], target->lanes), target->machine);
    set_floats(copy);
    for (int d = 0; d < weight->rank; d++)
        copy->axis[d] = axis[d];
    prog->layer = reader->layer;
    prog->backward = true;
    Statement *s = new_statement(prog);
    static const char *const names[] = {"a", "b", "c", "d"};
    Access to = {.tensor = copy}, from = {.tensor = weight};
    for (int d = 0; d < weight->rank; d++)
        to.at[d] = from.at[axis[d]] = index_of(s, names[d], dim[d]);
    complete(s, STORE_SET, to, load(from));
    return s;
}

/* Where each weight serves a sample once, as in a fully connected layer, and there are many, lanes may lie
 * over what is summed up, and along the rows of the weights as they are. `copied` is the statement that
 * reads the copy which `move` makes once a call. 32 samples of 1024 -> 1024 take 0.6 ms so, 10 ms with the
 * copy; of 4096 -> 4096 14 and 441 ms. */
static bool reads_in_place(const Prog *prog, const Statement *s, const Statement *copied,
                           const Statement *move, const Target *target)
{
    const Tensor *weight = move->rhs->access.tensor;
    if (weight->count < target->machine->second_cache / 2 / (int64_t)sizeof(float)
        || box_volume(s) != weight->count)
        return false;
    double calls = prog->training ? 1.0 / (double)prog->net->batch : 1;
    return predicted_cycles(NULL, s, target)
        <= predicted_cycles(NULL, copied, target) + calls * predicted_cycles(move, NULL, target);
}

/* Its operand i read from a copy in which the lane's dimension of the weights is the last. maker: the last
 * statement that makes the weights; NULL: they are there from the beginning. */
static void read_transposed(Prog *prog, Statement *s, int i, int last, const Target *target,
                            Statement **moves, Statement *maker)
{
    Access *operand[2], old;
    operands(s, operand);
    old = *operand[i];
    Statement *move = moves[old.tensor->id];
    const Prog before = *prog;
    Tensor *last_tensor = prog->last_tensor;
    if (!move)
        move = transposition(prog, s, old.tensor, last, target);
    Statement copied = *s;
    Affine same[MAX_INDEX] = {{0}};
    for (int k = 0; k < MAX_INDEX; k++)
        same[k].coefficient[k] = 1;
    copied.rhs = substitute_expr(s->rhs, same);
    operands(&copied, operand);
    operand[i]->tensor = move->out.tensor;
    for (int d = 0; d < old.tensor->rank; d++)
        operand[i]->at[d] = old.at[move->out.tensor->axis[d]];
    if (moves[old.tensor->id] || !reads_in_place(prog, s, &copied, move, target)) {
        *s = copied;
        if (!moves[old.tensor->id])
            insert_statement(maker ? &maker->next : &prog->statements, move);
        moves[old.tensor->id] = move;
        return;
    }
    *prog = before;
    last_tensor->next = NULL;
}

void transpose_weights(Prog *prog, const Target *target)
{
    Statement **moves = NEW_ARRAY(Statement *, prog->ntensors); /* by tensor id: what makes its copy */
    Statement **maker = NEW_ARRAY(Statement *, prog->ntensors);
    for (Statement *s = prog->statements; s; s = s->next)
        maker[s->out.tensor->id] = s;
    for (Statement *s = prog->statements; s; s = s->next) {
        Access *operand[2];
        int count = operands(s, operand);
        for (int i = 0; i < count; i++) {
            const Access *access = operand[i];
            int lane = blocked_lane(s, access), last = -1;
            for (int d = 0; lane >= 0 && d < access->tensor->rank; d++)
                if (access->at[d].coefficient[lane])
                    last = d;
            if (last < 0 || access->at[last].coefficient[lane] != 1)
                continue;
            read_transposed(prog, s, i, last, target, moves, maker[access->tensor->id]);
            count = operands(s, operand);
        }
    }
}

/* Gives every tensor its order and its padding to whole vectors, or only the weights. */
void lay_out(Prog *prog, const Target *target, bool values)
{
    for (Tensor *t = prog->tensors; t; t = t->next)
        if (values || lies_as_weight(t))
            lay_out_tensor(t, target->lanes, target->machine);
    for (Statement *s = prog->statements; s; s = s->next) {
        visit_statement(s, permute_access, NULL);
        if (values)
            reorder(s);
    }
}
