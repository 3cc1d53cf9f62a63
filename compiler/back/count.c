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
    const Tensor *tensor[MOST_TENSORS];
    int64_t least[MOST_TENSORS][MAX_RANK], most[MOST_TENSORS][MAX_RANK];
    int ntensors;
} Count;

static int64_t rounds(const Node *loop)
{
    return (loop->to - loop->from + loop->step - 1) / loop->step;
}

static void range_of(const Count *c, const Affine *a, int64_t *least, int64_t *most)
{
    *least = *most = a->constant;
    for (int i = 0; i < c->naround; i++) {
        const Node *loop = c->around[i];
        int64_t k = a->coefficient[loop->index], from = loop->from;
        int64_t last = from + (rounds(loop) - 1) * loop->step;
        if (c->fixed[loop->index])
            from = last = c->round[loop->index];
        *least += k * (k < 0 ? last : from);
        *most += k * (k < 0 ? from : last);
    }
}

static void touch(Count *c, const Access *place)
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
        c->least[t][d] = new || least < c->least[t][d] ? least : c->least[t][d];
        c->most[t][d] = new || most > c->most[t][d] ? most : c->most[t][d];
    }
}

static void count_term(Count *c, const Term *v)
{
    int args = 0;
    for (; args < 4 && v->arg[args]; args++)
        count_term(c, v->arg[args]);
    if (v->kind == TERM_LOAD) {
        touch(c, &v->place);
        c->counts.loads += c->times;
    }
    if (v->kind != TERM_REGISTER && v->kind != TERM_LOAD)
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

static void count_loop(Count *c, const Node *n)
{
    const double times = c->times;
    c->counts.trips += times * (double)rounds(n);
    c->around[c->naround++] = n;
    c->fixed[n->index] = tests_ask(n->body, n->index);
    if (c->fixed[n->index])
        for (int64_t i = n->from; i < n->to; i += n->step) {
            c->round[n->index] = i;
            count_nodes(c, n->body);
        }
    else {
        c->times *= (double)rounds(n);
        count_nodes(c, n->body);
    }
    c->fixed[n->index] = false;
    c->times = times;
    c->naround--;
}

static void count_nodes(Count *c, const Node *n)
{
    for (; n; n = n->next) {
        if (n->value)
            count_term(c, n->value);
        const bool adds = n->kind == NODE_ADD || (n->kind == NODE_STORE && n->adds);
        c->counts.flops += adds ? c->times : 0;
        c->counts.madds += adds && is_product(n->value) ? c->times : 0;
        if (n->kind == NODE_STORE) {
            touch(c, &n->place);
            c->counts.stores += c->times;
            c->counts.loads += n->adds ? c->times : 0;
        }
        if (n->kind == NODE_FILL) {
            c->counts.stores += c->times * (double)n->place.tensor->floats;
            c->counts.bytes += (double)sizeof(float) * (double)n->place.tensor->floats;
        }
        if (n->kind == NODE_LOOP)
            count_loop(c, n);
        else if (n->kind == NODE_BLOCK || (n->kind == NODE_WHEN && holds(c, n->tests)))
            count_nodes(c, n->body);
    }
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
