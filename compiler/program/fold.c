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
#include "program/program.h"

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
    int operand = s->store == STORE_ADD && is_contraction(s) ? weight_operand(s) : -1;
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

/* Is y set once, then only added to, then read by the scaling alone, which alone makes z? */
static bool finds_sums(Fold *f)
{
    const Tensor *y = f->y.tensor, *z = f->scaling->out.tensor;
    int sums = 0;
    bool read = false;
    f->first = NULL;
    for (Statement *s = f->prog->statements; s; s = s->next) {
        if (s != f->scaling
            && (times_read(s->rhs, y) || s->out.tensor == z || s->position == z || s->position == y))
            return false;
        read |= s == f->scaling;
        if (s->out.tensor != y)
            continue;
        if (!f->first && is_first(f, s))
            f->first = s;
        else if (f->first && !read && is_sum(f, s))
            sums++;
        else
            return false;
    }
    return sums > 0;
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

/* Statements that no sample touches run before those that each does; so they may stand before them. The
 * link to f->first behind those which stood between it and the scaling. */
static Statement **shared_first(Fold *f)
{
    Statement **to = &f->prog->statements;
    while (*to != f->first)
        to = &(*to)->next;
    for (Statement **link = &f->first->next; *link != f->scaling;) {
        Statement *s = *link;
        if (s->per_sample) {
            link = &s->next;
            continue;
        }
        *link = s->next;
        to = insert_statement(to, s);
    }
    return to;
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

static Statement **fold_first(Fold *f, Statement **link)
{
    Statement *first = f->first;
    Affine channel = first->out.at[f->channel];
    Expr *start = add(mul(first->rhs, at_channel(f, f->line.a, channel)), at_channel(f, f->line.b, channel));
    if (start->op != OP_LOAD && start->op != OP_CONSTANT) {
        const char *name = first->rhs->op == OP_LOAD ? format("%s.folded", first->rhs->access.tensor->name)
                                                     : format("%s.start", first->layer->name);
        Access to = access_at(
            new_tensor(f->prog, TENSOR_VALUE, name, false, 1, &f->y.tensor->dim[f->channel]), channel);
        link = insert_statement(link, once(f, first, to, start));
        start = load(to);
    }
    first->rhs = start;
    first->out.tensor = f->scaling->out.tensor;
    return link;
}

static Statement **fold_sum(Fold *f, Statement *sum, Statement **link)
{
    Access *w = &sum->rhs->arg[weight_operand(sum)]->access, from = *w;
    w->tensor = new_tensor(f->prog, TENSOR_VALUE, format("%s.folded", from.tensor->name), false,
                           from.tensor->rank, from.tensor->dim);
    w->tensor->folded = true;
    Expr *a = at_channel(f, f->line.a, sum->out.at[f->channel]);
    link = insert_statement(link, once(f, sum, *w, mul(load(from), a)));
    sum->out.tensor = f->scaling->out.tensor;
    return link;
}

static void forget_tensor(Prog *prog, const Tensor *t)
{
    Tensor **link = &prog->tensors;
    prog->last_tensor = NULL;
    while (*link)
        if (*link == t)
            *link = t->next;
        else {
            prog->last_tensor = *link;
            link = &(*link)->next;
        }
}

static void rewrite(Fold *f)
{
    Prog *prog = f->prog;
    const Tensor *y = f->y.tensor;
    prog->layer = f->scaling->layer;
    Statement **link = shared_first(f);
    for (Statement *s = f->first->next; s != f->scaling; s = s->next)
        if (s->out.tensor == y)
            link = fold_sum(f, s, link);
    fold_first(f, link);
    for (Statement **at = &f->first; *at; at = &(*at)->next)
        if (*at == f->scaling) {
            *at = f->scaling->next;
            break;
        }
    prog->last_statement = f->first;
    while (prog->last_statement->next)
        prog->last_statement = prog->last_statement->next;
    forget_tensor(prog, y);
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
static bool is_wanted(const Prog *prog, const Tensor *weight, const Statement *s)
{
    bool behind = false;
    for (const Statement *other = prog->statements; other; other = other->next) {
        if (other != s && (behind || other->per_sample) && times_read(other->rhs, weight))
            return true;
        behind |= other == s;
    }
    return times_read(s->rhs, weight) > 1;
}

static bool is_set_once(const Prog *prog, const Statement *s)
{
    for (const Statement *other = prog->statements; other; other = other->next)
        if (other != s && (other->out.tensor == s->out.tensor || other->position == s->out.tensor))
            return false;
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

static void work_in_place(Prog *prog)
{
    for (Statement *s = prog->statements; s; s = s->next) {
        Tensor *made = s->out.tensor;
        if (s->per_sample || s->store != STORE_SET || made->role != TENSOR_VALUE || !covers_tensor(s, &s->out)
            || !is_set_once(prog, s))
            continue;
        Place place = {s, NULL};
        visit_loads(s->rhs, note_weight, &place);
        if (!place.weight || is_wanted(prog, place.weight, s))
            continue;
        s->out.tensor = place.weight;
        for (Statement *reader = prog->statements; reader; reader = reader->next)
            exchange(reader->rhs, made, place.weight);
        forget_tensor(prog, made);
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
    for (Statement *s = prog->statements, *next; s; s = next) {
        next = s->next;
        Fold f = {.prog = prog};
        if (is_scaling(&f, s) && finds_sums(&f))
            rewrite(&f);
    }
    work_in_place(prog);
}
