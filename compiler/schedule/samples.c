/* samples.c: a sample in each lane.
 *
 * A small network leaves most lanes of a vector empty, and one sample after the other waits for its own
 * exp. So a pass may take as many samples at once as a vector has lanes: each value gets one more
 * dimension, the innermost, and the index s runs along it. Weights are one number for all lanes. Gradients
 * and the loss are summed up lane by lane, in memory of their own, which is cleared before the first
 * samples and added up behind the last. With 16 lanes:
 *
 *     before:   out[o] += w[i, o] * in[i]              for o<3 i<2              for each sample
 *               d_w[i, o] += d_out[o] * in[i]          for i<2 o<3
 *
 *     after:    in.lanes[i, s] = in[s, i]              for i<2 s<16             for each 16 samples
 *               out[o, s] += w[i, o] * in.lanes[i, s]  for o<3 s<16 i<2
 *               d_w.lanes[i, o, s] += d_out[o, s] * in.lanes[i, s]              for i<2 o<3 s<16
 *               d_w[i, o] += d_w.lanes[i, o, s]        for i<2 o<3 s<16         once
 *
 * So what was a sample is now a group of them, and the rest of the plan goes on as before: s is an index
 * of outputs that steps by one, and tile.c finds that it is the one for lanes.
 *
 * Where a call's last group has fewer samples, m, the lanes left over take the last sample once more (x
 * and t are `ragged`), so that nothing can come out of them that doesn't come out of a sample, and they
 * count for nothing: where a statement takes 1/samples, as each loss and each gradient of one does, it
 * gets 0 there, and the gradient of the answer, where the caller gives it, is multiplied by 0. (So an
 * infinite loss may be NaN here.) The gradient of the input is moved out of the lanes, for the m samples
 * alone. Labels become floats, which hold them exactly:
 *
 *     mean.lanes[s] = s + 1 <= m ? 1/samples : 0     for s<16
 *
 * It doesn't fit networks whose samples meet elsewhere (batchnorm), nor those that draw random numbers.
 * interpret doesn't run what comes out, since it knows no m. */
#include "schedule/schedule.h"

enum { MOST_LABELS = 1 << 24 };  /* a float holds whole numbers up to here */

/* ---- Where it fits --------------------------------------------------------------------------- */

static bool uses(const Expr *e, Op op)
{
    bool found = e->op == op;
    for (int i = 0; i < op_info[e->op].arity; i++)
        found |= uses(e->arg[i], op);
    return found;
}

static bool sums_up(const Tensor *t)
{
    return t->role == TENSOR_GRADIENT || t->role == TENSOR_LOSS;
}

/* What the first layer that doesn't fit does; NULL: they all fit. */
static const char *hindrance(const Prog *prog, const Layer **layer)
{
    *layer = prog->net->loss;
    if (prog->net->int_targets && prog->net->loss_in->shape.c > MOST_LABELS)
        return "has labels that a float can't hold";
    for (const Statement *s = prog->statements; s; s = s->next) {
        const Tensor *out = s->out.tensor;
        *layer = s->layer;
        if (uses(s->rhs, OP_RANDOM))
            return "draws random numbers";
        if (picked_index(s) >= 0)
            return "reads another row of its weights for each sample";
        if (!s->per_sample || uses(s->rhs, OP_SAMPLES) || (!out->per_sample && !sums_up(out)))
            return "works on all samples of a call";
        if (s->nindex == MAX_INDEX || out->rank == MAX_RANK)
            return "has too many dimensions already";
    }
    return NULL;
}

bool samples_fit_lanes(const Prog *prog)
{
    const Layer *layer;
    return prog->statements && !hindrance(prog, &layer); /* all may be frozen, and tokens have no gradient */
}

void warn_of_lanes(const Prog *training, const Options *o)
{
    const Loc command_line = {0};
    const Layer *layer;
    const char *does;
    if (o->lanes != LANES_SAMPLES)
        return;
    if (!training)
        warning_at(WARN_LANES, command_line, "--lanes=samples has no effect with --inference");
    else if (machines[o->target].lanes == 1)
        warning_at(WARN_LANES, command_line,
                   "--lanes=samples has no effect with --target=%s, which has no vectors",
                   machines[o->target].name);
    else if (o->unroll == UNROLL_FULL || o->unroll == UNROLL_NONE)
        warning_at(WARN_LANES, command_line, "--lanes=samples has no effect with --unroll=%s",
                   o->unroll == UNROLL_FULL ? "full" : "none");
    else if ((does = hindrance(training, &layer))) {
        diag_inside(layer->use);
        warning_at(WARN_LANES, layer->loc, "--lanes=samples has no effect, since %s %s", layer->name, does);
        diag_inside(NULL);
    } else if (o->math == MATH_WINOGRAD)
        warning_at(WARN_LANES, command_line,
                   "--math=winograd has no effect in training with --lanes=samples");
}

/* ---- What it makes that has a form of its own ------------------------------------------------ */

/* ---- Tensors --------------------------------------------------------------------------------- */

typedef struct Rewrite {
    Prog *prog;
    int lanes;
    Tensor **copy;       /* by tensor id: what a statement has in its place; NULL: the tensor itself */
    Tensor *mean;
    Affine s;            /* the index of the statement at hand */
} Rewrite;

static void count_elements(Tensor *t)
{
    t->count = t->floats = 1;
    for (int d = 0; d < t->rank; d++) {
        t->count *= t->dim[d];
        t->floats *= t->room[d];
    }
}

static void add_lanes(Tensor *t, int lanes)
{
    t->axis[t->rank] = t->rank;
    t->dim[t->rank] = t->room[t->rank] = lanes;
    t->rank++;
    count_elements(t);
}

/* x and t, samples outermost. */
static void add_samples(Tensor *t, int lanes)
{
    for (int d = t->rank; d > 0; d--)
        t->dim[d] = t->room[d] = t->dim[d - 1];
    t->dim[0] = t->room[0] = lanes;
    t->axis[t->rank] = t->rank;
    t->rank++;
    t->ragged = true;
    count_elements(t);
}

static Tensor *copy_in_lanes(Rewrite *r, Tensor *t)
{
    Tensor *copy =
        new_tensor(r->prog, TENSOR_VALUE, format("%s.lanes", t->name), t->per_sample, t->rank, t->dim);
    add_lanes(copy, r->lanes);
    copy->weight = t->weight;
    copy->sum = sums_up(t) ? t : NULL;
    return r->copy[t->id] = copy;
}

static void change_tensors(Rewrite *r)
{
    Tensor *last = r->prog->last_tensor;
    r->copy = NEW_ARRAY(Tensor *, r->prog->ntensors);
    for (Tensor *t = r->prog->tensors; t; t = t == last ? NULL : t->next) {
        bool given = t->role == TENSOR_INPUT || t->role == TENSOR_TARGET;
        bool got = t->role == TENSOR_INPUT_GRADIENT;
        if (given || got || sums_up(t))
            copy_in_lanes(r, t);
        if (given || got)
            add_samples(t, r->lanes);
        else if (t->per_sample)
            add_lanes(t, r->lanes);
    }
    r->mean = new_tensor(r->prog, TENSOR_VALUE, "mean.lanes", true, 0, NULL);
    add_lanes(r->mean, r->lanes);
}

/* ---- Statements ------------------------------------------------------------------------------ */

static void change_access(Rewrite *r, Access *access)
{
    Tensor *copy = r->copy[access->tensor->id];
    if (copy)
        access->tensor = copy;
    if (copy || access->tensor->per_sample)
        access->at[access->tensor->rank - 1] = r->s;
}

/* A gradient that the caller gives counts for nothing in the lanes left over. */
static bool is_given_gradient(const Rewrite *r, const Expr *e)
{
    return e->op == OP_LOAD && e->access.tensor == r->prog->t && r->prog->net->from_caller;
}

static Expr *change_expr(Rewrite *r, Expr *e)
{
    bool given = is_given_gradient(r, e);
    if (e->op == OP_LOAD)
        change_access(r, &e->access);
    if (given)
        return mul(e, load(access_at(r->mean, r->s)));
    if (e->op == OP_MEAN)
        return load(access_at(r->mean, r->s));
    for (int i = 0; i < op_info[e->op].arity; i++)
        e->arg[i] = change_expr(r, e->arg[i]);
    return e;
}

static void change_statement(Rewrite *r, Statement *s)
{
    r->s = index_of(s, "s", r->lanes);
    Access out = s->out;
    change_access(r, &out);
    s->rhs = change_expr(r, s->rhs);
    complete(s, s->store, out, s->rhs);
}

static Statement *new_beside(Rewrite *r, const Statement *other)
{
    r->prog->layer = other->layer;
    r->prog->backward = other->backward;
    return new_statement(r->prog);
}

/* The index that alone steps through a dimension; -1: several do, or none. */
static int only_index(const Affine *at, int nindex)
{
    int found = -1, n = 0;
    for (int i = 0; i < nindex; i++)
        if (at->coefficient[i]) {
            found = i;
            n++;
        }
    return n == 1 ? found : -1;
}

/* The element of a tensor at which indices of its first n dimensions stand; they are called as those with
 * which `writer` goes through it, where each dimension has its own. */
static Access each_element(Statement *s, Tensor *t, int n, const Statement *writer)
{
    static const char *const names[][4] = {{"c"}, {"y", "x"}, {"c", "y", "x"}, {"o", "c", "y", "x"}};
    Access access = {.tensor = t};
    bool own = writer;
    for (int d = 0; d < n && own; d++)
        own = t->dim[d] == 1 || only_index(&writer->out.at[d], writer->nindex) >= 0;
    for (int d = 0; d < n; d++) {
        int index = own ? only_index(&writer->out.at[d], writer->nindex) : -1;
        const char *name = names[n - 1][t->sum ? t->sum->axis[d] : d];
        access.at[d] = index_of(s, index >= 0 ? writer->index_name[index] : name, t->dim[d]);
    }
    return access;
}

/* What the caller gives, into lanes. */
static Statement *take_in(Rewrite *r, const Statement *reader, Tensor *given)
{
    Tensor *copy = r->copy[given->id];
    Statement *s = new_beside(r, reader);
    Access to = each_element(s, copy, copy->rank - 1, NULL), from = {.tensor = given};
    to.at[copy->rank - 1] = from.at[0] = index_of(s, "s", r->lanes);
    for (int d = 1; d < given->rank; d++)
        from.at[d] = to.at[d - 1];
    complete(s, STORE_SET, to, load(from));
    return s;
}

/* Out of the lanes, what the caller gets. */
static Statement *give_out(Rewrite *r, const Statement *writer, Tensor *got)
{
    Tensor *copy = r->copy[got->id];
    Statement *s = new_beside(r, writer);
    Access from = each_element(s, copy, copy->rank - 1, NULL), to = {.tensor = got};
    from.at[copy->rank - 1] = to.at[0] = index_of(s, "s", r->lanes);
    for (int d = 1; d < got->rank; d++)
        to.at[d] = from.at[d - 1];
    complete(s, STORE_SET, to, load(from));
    return s;
}

static Statement *last_writer(const Prog *prog, const Tensor *t)
{
    Statement *last = NULL;
    for (Statement *s = prog->statements; s; s = s->next)
        last = s->out.tensor == t ? s : last;
    return last;
}

static Statement *take_mean(Rewrite *r, const Statement *reader)
{
    Statement *s = new_beside(r, reader);
    Affine lane = index_of(s, "s", r->lanes);
    complete(s, STORE_SET, access_at(r->mean, lane),
             if_le(index_value(affine_add(lane, affine(1))), at_hand_value(),
                   r->prog->net->from_caller ? constant(1) : mean_value(), constant(0)));
    return s;
}

/* Before the first samples, and behind the last. */
static Statement *clear(Rewrite *r, const Statement *writer, Tensor *lanes)
{
    Statement *s = new_beside(r, writer);
    Access each = each_element(s, lanes, lanes->rank - 1, writer);
    each.at[lanes->rank - 1] = index_of(s, "s", r->lanes);
    complete(s, STORE_SET, each, constant(0));
    return s;
}

static Statement *add_up(Rewrite *r, const Statement *writer, Tensor *lanes)
{
    Statement *s = new_beside(r, writer);
    Access from = each_element(s, lanes, lanes->rank - 1, writer), to = {.tensor = (Tensor *)lanes->sum};
    for (int d = 0; d < to.tensor->rank; d++)
        to.at[d] = from.at[d];
    from.at[lanes->rank - 1] = index_of(s, "s", r->lanes);
    complete(s, STORE_ADD, to, load(from));
    return s;
}

typedef struct Need {
    const Tensor *tensor;
    bool found;
} Need;

static void note_need(const Access *access, void *context)
{
    Need *need = context;
    need->found |= access->tensor == need->tensor;
}

static bool reads(const Statement *s, const Tensor *t)
{
    Need need = {t, false};
    visit_loads(s->rhs, note_need, &need);
    return need.found;
}

static bool same_part(const Statement *a, const Statement *b)
{
    return a->layer == b->layer && a->backward == b->backward;
}

void put_samples_in_lanes(Prog *prog, int lanes)
{
    Rewrite r = {.prog = prog, .lanes = lanes};
    Tensor *given[] = {prog->x, prog->t};
    bool *there = NEW_ARRAY(bool, 2 * prog->ntensors + 1);
    /* where the layer's statements begin */
    Statement *sums = NULL, **last = &sums, **part = &prog->statements;
    const Statement *gives = last_writer(prog, prog->dx);
    Statement *given_out = NULL;
    change_tensors(&r);
    for (Statement *s = prog->statements, *before = NULL; s; before = s, s = s->next) {
        if (before && !same_part(before, s))
            part = &before->next;
        change_statement(&r, s);
        for (int i = 0; i < 2; i++) {
            const Tensor *copy = given[i] ? r.copy[given[i]->id] : NULL;
            if (!copy || there[copy->id] || !reads(s, copy))
                continue;
            there[copy->id] = true;
            part = insert_statement(part, take_in(&r, s, given[i]));
        }
        if (!there[r.mean->id] && reads(s, r.mean)) {
            there[r.mean->id] = true;
            part = insert_statement(part, take_mean(&r, s));
        }
        Tensor *out = s->out.tensor;
        if (out->sum && !there[out->id]) {
            there[out->id] = true;
            part = insert_statement(part, clear(&r, s, out));
            *last = add_up(&r, s, out);
            last = &(*last)->next;
        }
        if (s == gives)
            given_out = give_out(&r, s, prog->dx);
        if (given_out && behind_recurrence(s) == s->next) { /* all steps are through */
            insert_statement(&s->next, given_out);
            s = s->next;
            given_out = NULL;
        }
        prog->last_statement = s;
    }
    prog->last_statement->next = sums;
    for (Statement *s = sums; s; s = s->next)
        prog->last_statement = s;
}
