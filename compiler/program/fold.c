/* fold.c: what scales and shifts a sum goes into the sum.
 *
 * In: the statements of inference. A value that is nothing but a sum over weights, and that nobody reads
 * but one statement which scales and shifts it channel by channel, is never made; the scale goes into the
 * weights and the shift into what the sum begins with, both of them once a call:
 *
 *     before:   y[o, p]      = bias[o]              after:    folded[o, c] = w[o, c] * a[o]              once
 *               y[o, p]     += w[o, c] * in[p, c]          start[o]     = bias[o] * a[o] + b[o]          once
 *               z[o, p]      = y[o, p] * a[o] + b[o]                  z[o, p]      = start[o]
 *                                                                     z[o, p]     += folded[o, c] * in[p, c]
 *
 * This is how batchnorm in inference disappears into the convolution (Conv2d, ConvTranspose2d) or the
 * fully connected layer before it; but neither is asked for by name. The sum may scatter, have groups, or
 * be several sums; the scale may be any expression that is linear in y, and what has been folded is folded
 * again where another scale follows. Where the sum begins with 0, b is what it begins with.
 *
 * Since all that comes behind sees an ordinary sum over a tensor that lies as weights do, this holds in
 * every mode and for every target.
 *
 * What is worked out once, element by element, of weights that nobody reads any more then takes their
 * place, so that a folded network needs no more memory than one that isn't:
 *
 *     before:   folded[o, c] = w[o, c] * a[o]               after:    w[o, c] = w[o, c] * a[o]
 *               z[o, p]     += folded[o, c] * in[p, c]                z[o, p] += w[o, c] * in[p, c]
 *
 * So do the factors of a batchnorm that isn't folded. net_prepare executes what is done once, when the
 * weights have been loaded; that may be done to them only once (back/emit.c).
 *
 * Not folded is what has other readers, what reads more than one value of a sample (add, mul), what isn't
 * linear (an activation between), and a scale that is another one at each position. In training the scale
 * depends on the sum itself. */
#include <string.h>

#include "program/program.h"

/* ---- Who touches a tensor -------------------------------------------------------------------- */

/* The statements that touch a tensor, so that asking for them needs no walk through all of a deep network.
 * One that touches it no more may stay in the list: who asks looks at the statement. */
typedef struct Touching {
    Statement **statement;
    int n, room;
} Touching;

typedef struct Index {
    Touching *of;        /* by tensor id */
    Statement *s;
} Index;

static void add_touching(Index *index, const Tensor *t)
{
    Touching *list = &index->of[t->id];
    if (list->n && list->statement[list->n - 1] == index->s)
        return;
    if (list->n == list->room) {
        Statement **old = list->statement;
        list->room = list->room ? 2 * list->room : 4;
        list->statement = NEW_ARRAY(Statement *, list->room);
        if (old)
            memcpy(list->statement, old, (size_t)list->n * sizeof *old);
    }
    list->statement[list->n++] = index->s;
}

static void note_touching(const Access *access, void *index)
{
    add_touching(index, access->tensor);
}

/* All that there is now, each list in the order of the statements. */
static Index find_touching(const Prog *prog)
{
    Index index = {NEW_ARRAY(Touching, prog->ntensors), NULL};
    for (Statement *s = prog->statements; s; s = s->next) {
        index.s = s;
        visit_loads(s->rhs, note_touching, &index);
        add_touching(&index, s->out.tensor);
        if (s->position)
            add_touching(&index, s->position);
    }
    return index;
}

/* ---- a y + b --------------------------------------------------------------------------------- */

typedef struct Line {
    Expr *a, *b;
} Line;

typedef struct Reading {
    const Tensor *tensor;
    int times;
} Reading;

static void count_reading(const Access *access, void *reading)
{
    Reading *r = reading;
    r->times += access->tensor == r->tensor;
}

static int times_read(const Expr *e, const Tensor *t)
{
    Reading r = {t, 0};
    visit_loads(e, count_reading, &r);
    return r.times;
}

/* e as a line over y, which it loads at one place only; false where it is none. */
static bool as_line(Expr *e, const Tensor *y, Line *line)
{
    *line = (Line){constant(0), e};
    if (!times_read(e, y))
        return true;
    if (e->op == OP_LOAD) {
        *line = (Line){constant(1), constant(0)};
        return true;
    }
    Line u, v;
    bool arithmetic = e->op == OP_ADD || e->op == OP_SUB || e->op == OP_MUL || e->op == OP_DIV;
    if (!arithmetic || !as_line(e->arg[0], y, &u) || !as_line(e->arg[1], y, &v))
        return false;
    if (e->op == OP_ADD)
        *line = (Line){add(u.a, v.a), add(u.b, v.b)};
    else if (e->op == OP_SUB)
        *line = (Line){sub(u.a, v.a), sub(u.b, v.b)};
    else if (expr_is(v.a, 0))
        *line = e->op == OP_MUL ? (Line){mul(u.a, v.b), mul(u.b, v.b)}
                                : (Line){divide(u.a, v.b), divide(u.b, v.b)};
    else if (e->op == OP_MUL && expr_is(u.a, 0))
        *line = (Line){mul(u.b, v.a), mul(u.b, v.b)};
    else
        return false;
    return true;
}

/* ---- What may be folded ---------------------------------------------------------------------- */

typedef struct Fold {
    Prog *prog;
    Index *touching;     /* of the tensors that there were before anything was folded */
    bool *forgotten;     /* by their ids: is no longer made */
    Statement *scaling;  /* z = a y + b */
    Access y;            /* as scaling reads it */
    Line line;
    int channel;         /* the one dimension of y along which a and b may change, */
    int index;           /* and scaling's index there; -1: they don't change */
    Statement *first;    /* sets y; what adds to it comes behind */
} Fold;

typedef struct Search { /* the one access to a tensor of the sample */
    Access found;
    bool single;         /* there is one, always the same */
} Search;

static void note_sample_access(const Access *access, void *search)
{
    Search *s = search;
    if (!access->tensor->per_sample)
        return;
    s->single = !s->found.tensor || (s->single && access_equal(access, &s->found));
    s->found = *access;
}

/* Does it follow from the weights alone, whatever the call? */
static bool is_shared(const Expr *e)
{
    bool shared = e->op != OP_INDEX && e->op != OP_RANDOM && e->op != OP_MEAN && e->op != OP_SAMPLES
                  && (e->op != OP_LOAD || (!e->access.tensor->per_sample && !e->access.padded));
    for (int i = 0; i < op_info[e->op].arity; i++)
        shared = shared && is_shared(e->arg[i]);
    return shared;
}

static void note_indices(const Access *access, void *used)
{
    for (int i = 0; i < MAX_INDEX; i++)
        ((bool *)used)[i] |= depends_on(access, i);
}

/* Along which dimension of y do a and b change? False where it isn't one, or where it is no plain index. */
static bool find_channel(Fold *f)
{
    bool used[MAX_INDEX] = {false};
    visit_loads(f->line.a, note_indices, used);
    visit_loads(f->line.b, note_indices, used);
    f->channel = 0;
    f->index = -1;
    for (int i = 0; i < MAX_INDEX; i++) {
        if (!used[i])
            continue;
        if (f->index >= 0)
            return false;
        f->index = i;
        f->channel = -1;
        for (int d = 0; d < f->y.tensor->rank; d++) {
            Affine only = affine(0);
            only.coefficient[i] = 1;
            if (affine_equal(&f->y.at[d], &only))
                f->channel = d;
        }
    }
    return f->channel >= 0;
}

static bool is_scaling(Fold *f, Statement *s)
{
    Search search = {.single = false};
    if (s->store != STORE_SET || s->rhs->op == OP_LOAD) /* which is a move */
        return false;
    visit_loads(s->rhs, note_sample_access, &search);
    f->scaling = s;
    f->y = search.found;
    const Tensor *y = f->y.tensor;
    if (!search.single || y->role != TENSOR_VALUE || y->rank != s->out.tensor->rank
        || !as_line(s->rhs, y, &f->line))
        return false;
    for (int d = 0; d < y->rank; d++)
        if (y->dim[d] != s->out.tensor->dim[d] || !affine_equal(&f->y.at[d], &s->out.at[d]))
            return false;
    return is_shared(f->line.a) && is_shared(f->line.b) && covers_tensor(s, &f->y) && find_channel(f);
}

/* The operand that the samples share, 0 or 1; -1: there is none that lies as weights do. */
static int weight_operand(const Statement *sum)
{
    for (int i = 0; i < 2; i++) {
        const Access *w = &sum->rhs->arg[i]->access, *in = &sum->rhs->arg[1 - i]->access;
        bool weight = w->tensor->role == TENSOR_WEIGHT || w->tensor->folded;
        if (weight && !w->padded && in->tensor->per_sample)
            return i;
    }
    return -1;
}

/* Does every element of the weights belong to one channel of y? */
static bool is_sum(const Fold *f, const Statement *s)
{
    int operand = s->store == STORE_ADD && !s->recurrence && is_contraction(s) ? weight_operand(s) : -1;
    if (operand < 0)
        return false;
    const Access *w = &s->rhs->arg[operand]->access;
    const Affine *channel = &s->out.at[f->channel];
    int64_t least, most;
    affine_range(channel, s, &least, &most);
    Statement each = *s; /* through the indices of the weights alone */
    for (int i = 0; i < s->nindex; i++) {
        if (channel->coefficient[i] && !depends_on(w, i))
            return false;
        if (!depends_on(w, i))
            each.extent[i] = 1;
    }
    Affine map[MAX_INDEX] = {{0}};
    each.nindex = 0;
    for (int i = 0; i < s->nindex; i++)
        map[i] = index_of(&each, s->index_name[i], each.extent[i]);
    Access elements = substitute_access(*w, map);
    return least >= 0 && most < f->y.tensor->dim[f->channel] && covers_tensor(&each, &elements);
}

/* Is it a first value for each channel? */
static bool is_first(const Fold *f, const Statement *s)
{
    bool used[MAX_INDEX] = {false};
    visit_loads(s->rhs, note_indices, used);
    for (int i = 0; i < MAX_INDEX; i++)
        if (used[i] && !s->out.at[f->channel].coefficient[i])
            return false;
    return s->store == STORE_SET && is_shared(s->rhs) && covers_tensor(s, &s->out);
}

/* Does another statement than the scaling make z, or read y? If none, f->first is what sets y. The number of
 * statements that make y, 0 where they have not one first value. */
static int count_makers(Fold *f)
{
    const Tensor *y = f->y.tensor, *z = f->scaling->out.tensor;
    const Touching *of_y = &f->touching->of[y->id], *of_z = &f->touching->of[z->id];
    int makers = 0, firsts = 0;
    for (int i = 0; i < of_z->n; i++) {
        const Statement *s = of_z->statement[i];
        if (s != f->scaling && (s->out.tensor == z || s->position == z))
            return 0;
    }
    for (int i = 0; i < of_y->n; i++) {
        Statement *s = of_y->statement[i];
        if (s != f->scaling && (times_read(s->rhs, y) || s->position == y))
            return 0;
        makers += s->out.tensor == y;
        if (s->out.tensor == y && s->store == STORE_SET) {
            f->first = s;
            firsts++;
        }
    }
    return firsts == 1 ? makers : 0;
}

/* Is y set once, then only added to, then read by the scaling alone, which alone makes z? */
static bool finds_sums(Fold *f)
{
    const Tensor *y = f->y.tensor;
    int makers = count_makers(f), sums = 0;
    if (makers < 2 || !is_first(f, f->first))
        return false;
    const Statement *s = f->first->next;
    for (; s && s != f->scaling; s = s->next)
        if (s->out.tensor == y) {
            if (!is_sum(f, s))
                return false;
            sums++;
        }
    return s && sums == makers - 1;
}

/* ---- The rewrite ----------------------------------------------------------------------------- */

/* a or b for a statement that is at another place of y. */
static Expr *at_channel(const Fold *f, const Expr *e, Affine channel)
{
    Affine map[MAX_INDEX] = {{0}};
    if (f->index >= 0)
        map[f->index] = channel;
    return substitute_expr(e, map);
}

static Statement **link_to(Prog *prog, const Statement *s)
{
    return s->before ? &s->before->next : &prog->statements;
}

static void put_before(Prog *prog, Statement *at, Statement *s)
{
    Statement **link = link_to(prog, at);
    s->before = at->before;
    s->next = at;
    *link = at->before = s;
}

static void take_out(Prog *prog, const Statement *s)
{
    *link_to(prog, s) = s->next;
    if (s->next)
        s->next->before = s->before;
    else
        prog->last_statement = s->before;
}

/* Statements that no sample touches run before those that each does; so they may stand before them: those
 * between f->first and the scaling come to stand before f->first. */
static void shared_first(Fold *f)
{
    for (Statement *s = f->first->next, *next; s != f->scaling; s = next) {
        next = s->next;
        if (s->per_sample)
            continue;
        take_out(f->prog, s);
        put_before(f->prog, f->first, s);
    }
}

/* `to` = rhs once a call, where both use some of the indices of another statement. */
static Statement *once(Fold *f, const Statement *like, Access to, const Expr *rhs)
{
    Statement *s = new_statement(f->prog);
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i < like->nindex; i++)
        if (depends_on(&to, i))
            map[i] = index_of(s, like->index_name[i], like->extent[i]);
    complete(s, STORE_SET, substitute_access(to, map), substitute_expr(rhs, map));
    return s;
}

static void fold_first(Fold *f)
{
    Statement *first = f->first;
    Affine channel = first->out.at[f->channel];
    Expr *start = add(mul(first->rhs, at_channel(f, f->line.a, channel)), at_channel(f, f->line.b, channel));
    if (start->op != OP_LOAD && start->op != OP_CONSTANT) {
        const char *name = first->rhs->op == OP_LOAD ? format("%s.folded", first->rhs->access.tensor->name)
                                                     : format("%s.start", first->layer->name);
        Access to = access_at(
            new_tensor(f->prog, TENSOR_VALUE, name, false, 1, &f->y.tensor->dim[f->channel]), channel);
        put_before(f->prog, first, once(f, first, to, start));
        start = load(to);
    }
    first->rhs = start;
    first->out.tensor = f->scaling->out.tensor;
}

static void fold_sum(Fold *f, Statement *sum)
{
    Access *w = &sum->rhs->arg[weight_operand(sum)]->access, from = *w;
    w->tensor = new_tensor(f->prog, TENSOR_VALUE, format("%s.folded", from.tensor->name), false,
                           from.tensor->rank, from.tensor->dim);
    w->tensor->folded = true;
    Expr *a = at_channel(f, f->line.a, sum->out.at[f->channel]);
    put_before(f->prog, f->first, once(f, sum, *w, mul(load(from), a)));
    sum->out.tensor = f->scaling->out.tensor;
}

static void rewrite(Fold *f)
{
    Prog *prog = f->prog;
    const Tensor *y = f->y.tensor;
    Touching *of_z = &f->touching->of[f->scaling->out.tensor->id];
    prog->layer = f->scaling->layer;
    shared_first(f);
    for (int i = 0; i < of_z->n; i++)
        if (of_z->statement[i] == f->scaling)
            of_z->statement[i] = f->first;
    for (Statement *s = f->first->next; s != f->scaling; s = s->next)
        if (s->out.tensor == y) {
            fold_sum(f, s);
            f->touching->s = s;
            add_touching(f->touching, f->scaling->out.tensor);
        }
    fold_first(f);
    take_out(prog, f->scaling);
    f->forgotten[y->id] = true;
    Folded *note = NEW(Folded);
    *note = (Folded){f->scaling->layer, f->first->layer, prog->folded};
    prog->folded = note;
}

/* ---- In the place of what it is made of ------------------------------------------------------ */

typedef struct Place {
    const Statement *s;
    Tensor *weight;      /* which s reads at the element that it writes */
} Place;

static bool same_element(const Access *a, const Access *b)
{
    bool same = a->tensor->rank == b->tensor->rank && !a->padded;
    for (int d = 0; same && d < a->tensor->rank; d++)
        same = a->tensor->dim[d] == b->tensor->dim[d] && affine_equal(&a->at[d], &b->at[d]);
    return same;
}

/* Does anybody read it when s has run, or s itself another element? What each sample does comes behind
 * what is done once. */
static bool is_wanted(const Touching *of_weight, const Tensor *weight, const Statement *s)
{
    bool behind = false;
    for (int i = 0; i < of_weight->n; i++) {
        const Statement *other = of_weight->statement[i];
        if (other != s && (behind || other->per_sample) && times_read(other->rhs, weight))
            return true;
        behind |= other == s;
    }
    return times_read(s->rhs, weight) > 1;
}

static bool is_set_once(const Touching *of_made, const Statement *s)
{
    for (int i = 0; i < of_made->n; i++) {
        const Statement *other = of_made->statement[i];
        if (other != s && (other->out.tensor == s->out.tensor || other->position == s->out.tensor))
            return false;
    }
    return true;
}

static void note_weight(const Access *access, void *context)
{
    Place *place = context;
    if (!place->weight && access->tensor->role == TENSOR_WEIGHT && same_element(access, &place->s->out))
        place->weight = access->tensor;
}

static void exchange(Expr *e, const Tensor *from, Tensor *to)
{
    if (e->op == OP_LOAD && e->access.tensor == from)
        e->access.tensor = to;
    for (int i = 0; i < op_info[e->op].arity; i++)
        exchange(e->arg[i], from, to);
}

static void work_in_place(Prog *prog, bool *forgotten)
{
    Index index = find_touching(prog);
    for (Statement *s = prog->statements; s; s = s->next) {
        Tensor *made = s->out.tensor;
        const Touching *of_made = &index.of[made->id];
        if (s->per_sample || s->store != STORE_SET || made->role != TENSOR_VALUE || !covers_tensor(s, &s->out)
            || !is_set_once(of_made, s))
            continue;
        Place place = {s, NULL};
        visit_loads(s->rhs, note_weight, &place);
        if (!place.weight || is_wanted(&index.of[place.weight->id], place.weight, s))
            continue;
        s->out.tensor = place.weight;
        for (int i = 0; i < of_made->n; i++) {
            index.s = of_made->statement[i];
            exchange(index.s->rhs, made, place.weight);
            add_touching(&index, place.weight);
        }
        forgotten[made->id] = true;
    }
}

/* forgotten has the first n tensors; those made since are needed. */
static void forget_tensors(Prog *prog, const bool *forgotten, int n)
{
    Tensor **link = &prog->tensors;
    prog->last_tensor = NULL;
    while (*link)
        if ((*link)->id < n && forgotten[(*link)->id])
            *link = (*link)->next;
        else {
            prog->last_tensor = *link;
            link = &(*link)->next;
        }
}

/* Has a tensor that the samples share to wait for all of them? */
static bool sums_over_samples(const Prog *prog)
{
    for (const Statement *s = prog->statements; s; s = s->next)
        if (s->per_sample && !s->out.tensor->per_sample)
            return true;
    return false;
}

void fold(Prog *prog)
{
    if (sums_over_samples(prog))
        return;
    Statement *before = NULL;
    for (Statement *s = prog->statements; s; before = s, s = s->next)
        s->before = before;
    Index index = find_touching(prog);
    const int n = prog->ntensors;
    bool *forgotten = NEW_ARRAY(bool, n);
    for (Statement *s = prog->statements, *next; s; s = next) {
        next = s->next;
        Fold f = {.prog = prog, .touching = &index, .forgotten = forgotten};
        if (is_scaling(&f, s) && finds_sums(&f))
            rewrite(&f);
    }
    forget_tensors(prog, forgotten, n);
    merge_equal(prog);
    forgotten = NEW_ARRAY(bool, prog->ntensors);
    work_in_place(prog, forgotten);
    forget_tensors(prog, forgotten, prog->ntensors);
}
