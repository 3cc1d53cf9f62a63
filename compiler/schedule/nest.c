/* nest.c: questions about one loop nest, its regions and its tiles.
 *
 * A nest (Kernel) is a first value and a sum or maximum onto it, what is done with each value while it is
 * in a register, and the parts of its box (Region) with the block of outputs that registers hold (Tile). */
#include "schedule/schedule.h"

/* ---- Forms ----------------------------------------------------------------------------------- */

Form form_of(const Statement *s)
{
    const Expr *e = s->rhs;
    bool reduces = output_indices(s) < s->nindex || s->store == STORE_MAX;
    if (s->store == STORE_SET || !reduces)
        return s->store == STORE_SET && e->op == OP_CONSTANT ? FORM_FILL
               : s->store == STORE_SET && e->op == OP_LOAD ? FORM_MOVE : FORM_POINTWISE;
    if (is_contraction(s))
        return FORM_CONTRACTION;
    if (is_transform(s))
        return FORM_TRANSFORM;
    bool scaled = e->op == OP_MUL && e->arg[0]->op == OP_LOAD && e->arg[1]->op == OP_CONSTANT;
    bool window = e->op == OP_LOAD ? e->access.padded : scaled && e->arg[0]->access.padded;
    return window ? FORM_WINDOW : FORM_REDUCTION;
}

const char *form_name(Form form)
{
    static const char *const names[NFORMS] = {"fill",      "move",   "pointwise", "contraction",
                                              "transform", "window", "reduction"};
    return names[form];
}

/* ---- Statements of a nest -------------------------------------------------------------------- */

const Statement *statement_of(const Kernel *k)
{
    return k->body ? k->body : k->first;
}

int64_t steps_of(const Kernel *k)
{
    return k->recurrence && !k->recurrence->outside ? k->recurrence->steps : 1;
}

const Kernel *behind_loop(const Kernel *k)
{
    const Kernel *end = k->next;
    while (end && (end->joins || (k->recurrence && end->recurrence == k->recurrence)))
        end = end->next;
    return end;
}

void add_parts(Kernel *k, Statement **part[MAX_PARTS], int *n)
{
    if (k->first)
        part[(*n)++] = &k->first;
    if (k->body)
        part[(*n)++] = &k->body;
    for (int i = 0; i < k->nthen; i++)
        part[(*n)++] = &k->then[i];
    for (Kernel *f = k->followers; f; f = f->next)
        add_parts(f, part, n);
}

void parts_of(Kernel *k, Statement **part[MAX_PARTS], int *n)
{
    *n = 0;
    add_parts(k, part, n);
    if (k->window)
        add_parts(k->window, part, n);
}

bool adds_to_memory(const Kernel *follower)
{
    return !follower->first && follower->body->store == STORE_ADD;
}

bool is_spread(const Kernel *maker, const Kernel *follower)
{
    return statement_of(follower)->nindex > output_indices(statement_of(maker));
}

const Access *held_in_registers(const Kernel *k, const Tensor *t)
{
    if (statement_of(k)->out.tensor == t)
        return &statement_of(k)->out;
    for (int i = 0; i < k->nthen; i++)
        if (k->then[i]->out.tensor == t)
            return &k->then[i]->out;
    for (const Kernel *f = k->followers; f; f = f->next)
        if (statement_of(f)->out.tensor == t && !adds_to_memory(f) && !is_spread(k, f))
            return &statement_of(f)->out;
    return NULL;
}

static bool is_then(const Kernel *k, const Statement *s)
{
    for (int i = 0; i < k->nthen; i++)
        if (k->then[i] == s)
            return true;
    return false;
}

bool stores(const Kernel *k, const Statement *s)
{
    if (k->window && s != k->first && s != k->body && !is_then(k, s))
        return stores(k->window, s);
    for (const Kernel *f = k->followers; f; f = f->next)
        if (s == f->first || s == f->body)
            return !f->dropped[0];
    for (int i = 0; i < k->nthen; i++)
        if (k->then[i] == s)
            return !k->dropped[i + 1];
    return !k->dropped[0];
}

/* A value that a statement of the kernel makes and a later one takes out of its register. */
bool passes_on(const Kernel *k, const Tensor *t)
{
    if (k->followers && held_in_registers(k, t))
        return true;
    bool made = k->dropped[0] && statement_of(k)->out.tensor == t;
    for (int i = 0; i < k->nthen; i++)
        made |= k->dropped[i + 1] && k->then[i]->out.tensor == t;
    return made || (k->window && passes_on(k->window, t));
}

/* ---- Regions and tiles ----------------------------------------------------------------------- */

Region *whole_box(const Statement *s)
{
    Region *all = NEW(Region);
    for (int i = 0; i < s->nindex; i++)
        all->count[i] = s->extent[i];
    return all;
}

/* Does some region have an index in lanes? */
bool has_vectors(const Kernel *k)
{
    for (const Region *r = k->regions; r; r = r->next)
        if (!r->empty && r->tile.width > 1)
            return true;
    return false;
}

/* What its tiles do over the first n indices, written out: vectors count once. */
int64_t vectors_of(const Kernel *k, int n)
{
    int64_t terms = 0;
    for (const Region *r = k->regions; r; r = r->next) {
        int64_t vectors = 1;
        for (int i = 0; i < n; i++)
            if (!is_picked(statement_of(k), i))
                vectors *= i == r->tile.lane ? (r->count[i] + r->tile.width - 1) / r->tile.width
                                             : r->count[i];
        terms += vectors;
    }
    return terms;
}

int64_t region_volume(const Region *r, const Statement *s)
{
    int64_t volume = !r->empty;
    for (int i = 0; i < s->nindex; i++)
        volume *= r->count[i];
    return volume;
}

Tile no_tile(void)
{
    Tile tile = {.lane = -1, .width = 1, .parted = -1, .parts = 1, .blocked = -1};
    for (int i = 0; i < MAX_INDEX; i++)
        tile.factor[i] = 1;
    return tile;
}

Region window_region(const Kernel *k, const Region *r)
{
    const Statement *s = k->window->body;
    int outputs = output_indices(s);
    Region region = {.begin = {0}};
    for (int i = 0; i < s->nindex; i++) {
        region.begin[i] = i < outputs ? r->begin[k->along[i]] / k->step[k->along[i]] : 0;
        region.count[i] = i < outputs ? r->count[k->along[i]] / k->step[k->along[i]] : s->extent[i];
    }
    return region;
}

Tile window_tile(const Kernel *k, const Tile *of)
{
    Tile tile = no_tile();
    tile.width = of->width;
    for (int i = 0; i < output_indices(k->window->body); i++) {
        tile.factor[i] = of->factor[k->along[i]] / k->step[k->along[i]];
        if (of->lane >= 0 && k->along[i] == of->lane)
            tile.lane = i;
    }
    return tile;
}
