/* layers.c: the constants of net.c, and a function for each layer and direction, in the network's order, with
 * what it does above it. */
#include <string.h>

#include "back/back.h"

/* ---- Constants ------------------------------------------------------------------------------- */

static void put_constant(FILE *f, const Tensor *tensor)
{
    fprintf(f, "static const float %s%s = {", c_name(tensor->name),
            dims_text(tensor->rank, tensor->dim, "[", "][", "]"));
    for (int64_t i = 0; i < tensor->count; i++)
        fprintf(f, "%s%s", i % 8 ? ", " : i ? ",\n    " : "\n    ", c_float(tensor->data[i]));
    fprintf(f, "\n};\n\n");
}

const Pass *pass_of(const Plan *plan, int number)
{
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation,
                            &plan->next};
    return passes[number]->prog ? passes[number] : NULL;
}

/* The constants that the functions of a pass read by name; all passes have the same ones by the same names.
 * tables: by pass and id of the tensor. */
void put_constants(FILE *f, const Plan *plan, bool *const tables[MOST_PASSES])
{
    Map *done = new_map();
    for (int i = 0; i < MOST_PASSES; i++) {
        const Pass *pass = pass_of(plan, i);
        for (Tensor *t = pass ? pass->prog->tensors : NULL; t; t = t->next)
            if (tables[i][t->id] && !map_find(done, t->name)) {
                put_constant(f, t);
                map_set(done, t->name, t);
            }
    }
}

/* ---- A function for each layer and direction ------------------------------------------------- */

/* A pass's statements by the tensor that they write, each list in their order. */
typedef struct Writers {
    struct Writer {
        const Statement *statement;
        int number;
        struct Writer *next;
    } **first, **last;
} Writers;

static Writers find_writers(const Prog *prog)
{
    Writers writers = {NEW_ARRAY(struct Writer *, prog->ntensors),
                       NEW_ARRAY(struct Writer *, prog->ntensors)};
    int number = 0;
    for (const Statement *s = prog->statements; s; s = s->next) {
        struct Writer *w = NEW(struct Writer), **last = &writers.last[s->out.tensor->id];
        *w = (struct Writer){s, number++, NULL};
        *(*last ? &(*last)->next : &writers.first[s->out.tensor->id]) = w;
        *last = w;
    }
    return writers;
}

/* Is it what a part of the function does? */
static bool does(const Function *fn, const Statement *part, const Statement *s)
{
    return part->layer == s->layer && part->backward == s->backward && s->per_sample != fn->per_call
        && s->phase == fn->phase;
}

/* The statements that the function does, in their order, as they were before they were put into its
 * kernels. */
static void put_statements(FILE *f, const Writers *writers, const Function *fn)
{
    Statement **part[MAX_PARTS];
    int n, last = -1;
    for (;;) {
        const struct Writer *next = NULL;
        for (Kernel *k = fn->kernels; k; k = k->next)
            for (parts_of(k, part, &n); n--;)
                for (const struct Writer *w = writers->first[(*part[n])->out.tensor->id]; w; w = w->next)
                    if (w->number > last && (!next || w->number < next->number)
                        && does(fn, *part[n], w->statement))
                        next = w;
        if (!next)
            return;
        last = next->number;
        fprintf(f, " *     ");
        dump_statement(f, next->statement);
    }
}

/* ---- Names by role ---------------------------------------------------------------------------
 *
 * What several layers call has no layer's names inside: basic2.conv1.weight is conv.weight there. */

typedef struct Renamed {
    Tensor *tensor;
    const char *name;    /* that it has outside */
    struct Renamed *next;
} Renamed;

typedef struct Renaming {
    const Net *net;
    Map *roles;          /* by the name outside */
    Map *taken;
    Renamed *done;
} Renaming;

/* With its layer's kind in the place of its layer. */
static const char *role_of(const Renaming *r, const char *name)
{
    const char *d = strncmp(name, "d_", 2) ? "" : "d_", *part = name + strlen(d);
    size_t longest = 0;
    for (const Layer *l = r->net->layers; l; l = l->next) {
        const size_t n = strlen(l->name);
        if (n > longest && !strncmp(part, l->name, n) && part[n] == '.') {
            longest = n;
            name = format("%s%s%s", d, l->kind->name, part + n);
        }
    }
    return name;
}

static void rename_tensor(Renaming *r, Tensor *tensor)
{
    for (const Renamed *other = r->done; other; other = other->next)
        if (other->tensor == tensor)
            return;
    Renamed *renamed = NEW(Renamed);
    *renamed = (Renamed){tensor, tensor->name, r->done};
    r->done = renamed;
    const char *role = map_find(r->roles, tensor->name);
    if (!role) {
        const char *first = role_of(r, tensor->name);
        role = first;
        for (int number = 2; map_find(r->taken, c_name(role)); number++)
            role = format("%s%d", first, number);
        map_set(r->taken, c_name(role), tensor);
        map_set(r->roles, tensor->name, (void *)role);
    }
    tensor->name = role;
}

static void rename_loaded(const Access *access, void *renaming)
{
    rename_tensor(renaming, access->tensor);
}

/* All that the function touches, in memory or in registers. */
static void rename_tensors(Renaming *r, const Function *fn)
{
    Statement **part[MAX_PARTS];
    int n;
    for (int i = 0; i < fn->nparams; i++)
        rename_tensor(r, fn->param[i]);
    for (Kernel *k = fn->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            rename_tensor(r, (*part[n])->out.tensor);
            visit_loads((*part[n])->rhs, rename_loaded, r);
        }
}

static void name_as_before(Renaming *r)
{
    for (const Renamed *renamed = r->done; renamed; renamed = renamed->next)
        renamed->tensor->name = renamed->name;
}

void put_layers_functions(FILE *f, const Plan *plan, const Pass *pass, bool *tables, Uses *uses)
{
    const Writers writers = find_writers(pass->prog);
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        if (fn->twin)
            continue;
        const Layer *layer = fn->layer;
        Renaming renaming = {.net = plan->net, .roles = new_map(), .taken = new_map()};
        if (fn->shared)
            rename_tensors(&renaming, fn);
        const char *shapes = format("%s -> %s", shape_text(layer->in->shape),
                                    layer->out ? shape_text(layer->out->shape) : "a number");
        fprintf(f, "/* %s%s\n * %s: %s, %lld point%s\n *\n", comment_text(layer->text),
                fn->backward ? ", backward" : "", shapes, how_function(fn), (long long)fn->terms,
                fn->terms == 1 ? "" : "s");
        put_statements(f, &writers, fn);
        fprintf(f, " */\n");
        emit_function(f, fn, kind_of(plan, pass), tables, uses);
        name_as_before(&renaming);
    }
}
