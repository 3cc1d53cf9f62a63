/* count.c: what the nodes of a nest do when they run: what a model may be held against.
 *
 * A loop counts its body once and multiplies, unless a test inside asks its index: then round by round, so
 * that points which are left out do not count. */
#include <math.h>

#include "back/loops.h"

enum { MOST_TENSORS = 64 };

typedef struct Count {
    Counts counts;
    double times;        /* that the node at hand runs */
    const Node *around[2 * MAX_TERMS];
    int naround;
    bool fixed[MAX_TERMS];/* counted round by round: */
    int64_t round[MAX_TERMS];
    const int64_t *per;  /* of the windows around; NULL: there are none */
    const Tensor *tensor[MOST_TENSORS];
    int64_t least[MOST_TENSORS][MAX_RANK], most[MOST_TENSORS][MAX_RANK];
    int ntensors;
} Count;

/* Of as many samples as can be. */
static int64_t rounds(const Node *loop)
{
    const int64_t n = loop->to - loop->from;
    return loop->range == RANGE_PICKED ? 1
         : loop->range == RANGE_LEFT ? n % loop->many
         : loop->range == RANGE_SAMPLES ? n / loop->step : (n + loop->step - 1) / loop->step;
}

static void range_of(const Count *c, const Affine *a, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < c->naround; i++) {
        const Node *loop = c->around[i];
        int64_t k = a->coefficient[loop->index], from = loop->from, per = c->per ? c->per[loop->index] : 1;
        int64_t last = (from + (rounds(loop) - 1) * loop->step) / per;
        if (loop->range == RANGE_BLOCKS)
            continue;
        from /= per;
        if (c->fixed[loop->index])
            from = last = c->round[loop->index];
        *least += k * (k < 0 ? last : from);
        *most += k * (k < 0 ? from : last);
    }
}

/* lanes: floats from there on. */
static void touch(Count *c, const Access *place, int lanes)
{
    int t = 0;
    while (t < c->ntensors && c->tensor[t] != place->tensor)
        t++;
    bool new = t == c->ntensors;
    if (new && c->ntensors++ == MOST_TENSORS)
        bug("a nest of more than %d tensors", MOST_TENSORS);
    c->tensor[t] = place->tensor;
    for (int d = 0; d < place->tensor->rank; d++) {
        int64_t least, most;
        range_of(c, &place->at[d], &least, &most);
        most += d == place->tensor->rank - 1 ? lanes - 1 : 0;
        c->least[t][d] = new || least < c->least[t][d] ? least : c->least[t][d];
        c->most[t][d] = new || most > c->most[t][d] ? most : c->most[t][d];
    }
}

static void count_term(Count *c, const Term *v)
{
    int args = 0;
    for (; args < 4 && v->arg[args]; args++)
        count_term(c, v->arg[args]);
    if (v->kind == TERM_LOAD || v->kind == TERM_EACH) {
        const int lanes = v->kind == TERM_EACH ? 1 : v->first ? v->first : v->width;
        touch(c, v->place, lanes);
        c->counts.loads += v->kind == TERM_EACH ? c->times * v->width : c->times;
    }
    if (v->kind == TERM_OP || v->kind == TERM_GREATER || v->kind == TERM_EQUAL)
        *(args == 1 ? &c->counts.functions : &c->counts.flops) += args ? c->times : 0;
}

static bool is_product(const Term *v)
{
    return v->kind == TERM_OP && v->op == OP_MUL;
}

static bool tests_ask(const Node *n, int index)
{
    for (; n; n = n->next) {
        for (const Test *t = n->tests; t; t = t->next)
            if (t->at.coefficient[index])
                return true;
        if (tests_ask(n->body, index))
            return true;
    }
    return false;
}

static bool holds(const Count *c, const Test *tests)
{
    for (const Test *t = tests; t; t = t->next) {
        int64_t least, most;
        range_of(c, &t->at, &least, &most);
        if (t->end ? least >= t->end : least < 0)
            return false;
    }
    return true;
}

static void count_nodes(Count *c, const Node *n);

/* Of the rounds of a loop that ends or begins at a diagonal, on the average: the bound lies anywhere. */
static double share_below(const Count *c, const Node *n)
{
    const Affine *bound = n->last ? n->last : n->since;
    int64_t least, most;
    double from = (double)n->from, length = (double)(n->to - n->from);
    range_of(c, bound, &least, &most);
    const double middle = (0.5 * (double)(least + most) + (n->last != NULL) - from) / length;
    const double share = middle < 0 ? 0 : middle > 1 ? 1 : middle;
    return n->last ? share : 1 - share;
}

/* Of the loop over a block, on the average. */
static double trips(const Count *c, const Node *n)
{
    double blocks = 1;
    for (int i = 0; i < c->naround; i++)
        if (c->around[i]->range == RANGE_BLOCKS && c->around[i]->index == n->index)
            blocks = (double)rounds(c->around[i]);
    const double all = n->range == RANGE_BLOCK ? (double)rounds(n) / blocks : (double)rounds(n);
    return n->last || n->since ? all * share_below(c, n) : all;
}

static void count_loop(Count *c, const Node *n)
{
    const double times = c->times, each = trips(c, n);
    c->counts.trips += n->unrolled ? 0 : times * each;
    c->around[c->naround++] = n;
    c->fixed[n->index] = tests_ask(n->body, n->index);
    if (c->fixed[n->index])
        for (int64_t i = n->from; i < n->to; i += n->step) {
            c->round[n->index] = i;
            count_nodes(c, n->body);
        }
    else {
        c->times *= each;
        count_nodes(c, n->body);
    }
    c->fixed[n->index] = false;
    c->times = times;
    c->naround--;
}

static void count_store(Count *c, const Node *n)
{
    touch(c, n->place, n->first && !n->whole ? n->first : n->width);
    c->counts.stores += c->times;
    c->counts.loads += n->adds ? c->times : 0;
}

static void count_node(Count *c, const Node *n)
{
    const bool adds = n->kind == NODE_ADD || (n->kind == NODE_STORE && n->adds);
    const int64_t *per = c->per;
    if (n->value)
        count_term(c, n->value);
    c->counts.flops += adds ? c->times : 0;
    c->counts.madds += adds && is_product(n->value) ? c->times : 0;
    if (n->kind == NODE_STORE)
        count_store(c, n);
    if (n->kind == NODE_FILL) {
        c->counts.stores += c->times * (double)n->place->tensor->floats;
        c->counts.bytes += (double)sizeof(float) * (double)n->place->tensor->floats;
    }
    c->per = n->kind == NODE_WINDOWS ? n->per : per;
    if (n->kind == NODE_LOOP)
        count_loop(c, n);
    else if (n->kind != NODE_WHEN || holds(c, n->tests))
        count_nodes(c, n->body);
    c->per = per;
}

static void count_nodes(Count *c, const Node *n)
{
    for (; n; n = n->next)
        count_node(c, n);
}

Counts count_loops(const Node *nodes)
{
    Count c = {.times = 1};
    count_nodes(&c, nodes);
    for (int t = 0; t < c.ntensors; t++) {
        double bytes = sizeof(float);
        for (int d = 0; d < c.tensor[t]->rank; d++)
            bytes *= (double)(c.most[t][d] - c.least[t][d] + 1);
        c.counts.bytes += bytes;
    }
    return c.counts;
}
