/* interface.c: x, y and dx with channels last, where that pays.
 *
 * The caller gives and takes images in the order C, H, W. Lanes lie over channels, so what is computed gets
 * channels last, and a move at the end; what is taken again and again, or in lanes, is moved first:
 *
 *     before:   y[o, p] += w[o, c] * x[c, p]
 *
 *     after:    x.hwc[c, p] = x[c, p]      y.hwc[o, p] += w[o, c] * x.hwc[c, p]      y[o, p] = y.hwc[o, p]
 *
 * where x.hwc and y.hwc are values, which layout.c lays out with channels innermost. */
#include "schedule/schedule.h"

static void exchange(Access *access, void *pair)
{
    Tensor **tensors = pair;
    if (access->tensor == tensors[0])
        access->tensor = tensors[1];
}

static bool has_channels(const Tensor *t, int lanes)
{
    return t && t->rank == 3 && enough_channels(t->dim[0], lanes) && t->dim[0] > 1
           && t->dim[1] * t->dim[2] > 1;
}

typedef struct Found {
    const Tensor *tensor;
    const Access *access;
} Found;

static void note_tensor(const Access *access, void *context)
{
    Found *found = context;
    if (access->tensor == found->tensor)
        found->access = access;
}

/* Where s reads t; NULL: it doesn't. */
static const Access *read_by(const Statement *s, const Tensor *t)
{
    Found found = {t, NULL};
    visit_loads(s->rhs, note_tensor, &found);
    return found.access;
}

/* Would the channels of what it takes be lanes, if they lay side by side? */
static bool wants_lanes(const Statement *s, const Access *taken, int lanes)
{
    const int last = innermost_dimension(s->out.tensor, lanes);
    for (int i = 0; s->out.tensor->rank && i < output_indices(s); i++)
        if (s->out.at[last].coefficient[i] == 1 && taken->at[0].coefficient[i])
            return true;
    return false;
}

/* How often does it take each element for the same output's channel? A kernel of 3x3 does so nine times. */
static int64_t taps_on(const Statement *s, const Access *taken)
{
    int64_t points = 1;
    for (int i = 0; i < s->nindex; i++)
        points *= depends_on(taken, i) ? s->extent[i] : 1;
    return points / taken->tensor->count;
}

/* Is there a contraction that gains more than a move costs? It reads t in lanes, or again and again, or adds
 * to each of its elements. */
static bool pays_to_move(const Prog *prog, const Tensor *t, int lanes)
{
    enum { OFTEN = 8, AGAIN = 4, PICTURE = 3 };
    if (t->dim[0] <= PICTURE) /* short vectors would take its colours; rows of it serve as well, unmoved */
        return false;
    for (const Statement *s = prog->statements; s; s = s->next) {
        const Access *taken = read_by(s, t);
        if (is_contraction(s) && box_volume(s) >= OFTEN * t->count
            && (s->out.tensor == t
                || (taken && (wants_lanes(s, taken, lanes) || taps_on(s, taken) >= AGAIN))))
            return true;
    }
    return false;
}

/* All statements up to `last` (NULL: all) get another tensor in the place of t, with channels last. */
static Tensor *put_channels_last(Prog *prog, Tensor *t, const Statement *last)
{
    Tensor *value = new_tensor(prog, TENSOR_VALUE, format("%s.hwc", t->name), true, 3, t->dim);
    Tensor *pair[] = {t, value};
    for (Statement *s = prog->statements; s != (last ? last->next : NULL); s = s->next)
        visit_statement(s, exchange, pair);
    return value;
}

/* to = from, in the layer and direction of a neighbour */
static Statement *move(Prog *prog, const Statement *neighbour, Tensor *to, Tensor *from)
{
    prog->layer = neighbour->layer;
    prog->backward = neighbour->backward;
    Statement *s = new_statement(prog);
    Access each = element(s, to);
    complete(s, STORE_SET, each, load(same_place(each, from)));
    return s;
}

/* y and dx are C,H,W for their reader; what computes them gets channels last, and a move at the end. */
static void move_given(Prog *prog, Tensor *t)
{
    Statement *last = NULL; /* what is behind reads the answer: the loss */
    for (Statement *s = prog->statements; s; s = s->next)
        last = s->out.tensor == t ? s : last;
    Tensor *value = put_channels_last(prog, t, last);
    Statement *s = move(prog, last, t, value);
    insert_statement(&last->next, s);
    if (prog->last_statement == last)
        prog->last_statement = s;
}

/* x is C,H,W; what reads it gets channels last, by a move before all else that the first such layer does. */
static void move_taken(Prog *prog, Tensor *t)
{
    Statement **first = &prog->statements, **link = first;
    for (; !read_by(*link, t); link = &(*link)->next)
        if ((*link)->layer != (*first)->layer)
            first = link;
    if ((*link)->layer != (*first)->layer)
        first = link;
    Tensor *value = put_channels_last(prog, t, NULL);
    insert_statement(first, move(prog, *first, value, t));
}

void move_interface(Prog *prog, int lanes)
{
    if (has_channels(prog->y, lanes))
        move_given(prog, prog->y);
    if (has_channels(prog->dx, lanes) && pays_to_move(prog, prog->dx, lanes))
        move_given(prog, prog->dx);
    if (has_channels(prog->x, lanes) && pays_to_move(prog, prog->x, lanes))
        move_taken(prog, prog->x);
}
