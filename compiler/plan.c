/* plan.c: Prog to Plan.
 *
 * In: the statements of inference and of training. Out: for each of the two passes the functions that net.c
 * will have, one for each layer and direction, called in order for one sample after the other; in each
 * function the loop nests with their form, their regions and tiles; and an offset in the arena for every
 * buffer. How far a function is unrolled is decided here: as the option says, or under auto written out in
 * full where the prediction stays within the budget. */
#include <stdlib.h>
#include <string.h>

#include "nnc.h"

const Target targets[NTARGETS] = {
    [TARGET_GENERIC] = {"generic", 8, "-O2 -march=native"},
    [TARGET_SCALAR] = {"scalar", 1, "-std=c99 -O2"},
};

/* ---- Predictions ---------------------------------------------------------------------------------------
 *
 * Measured with gcc 12 -O2 on x86-64 on straight-line code for convolutions and fully connected layers: one
 * point of a statement takes 14 to 20 bytes, and 0.3 to 0.4 milliseconds to compile. */

enum { BYTES_A_POINT = 17, UNREASONABLE_BYTES = 1 << 20, MOST_POINTS = 50000000 };
static const double seconds_a_point = 350e-6;

/* What auto writes out in full: up to so many points of a function that multiplies, where lanes and tiles find
 * nothing to hold on to below; fewer of any other, since the C compiler makes good vector code of its loops. */
enum { CONTRACTION_BUDGET = 256, OTHER_BUDGET = 64 };

int64_t predicted_bytes(const Function *f)
{
    return f->terms * BYTES_A_POINT;
}

double predicted_seconds(const Function *f)
{
    return (double)f->terms * seconds_a_point;
}

/* ---- Forms --------------------------------------------------------------------------------------------------- */

int64_t box_volume(const Statement *s)
{
    int64_t volume = 1;
    for (int i = 0; i < s->nindex; i++)
        volume *= s->extent[i];
    return volume;
}

/* out += u v: also where no index is left to sum over */
static bool multiplies(const Statement *s)
{
    const Expr *e = s->rhs;
    return s->store == STORE_ADD && e->op == OP_MUL && e->arg[0]->op == OP_LOAD && e->arg[1]->op == OP_LOAD;
}

Form form_of(const Statement *s)
{
    const Expr *e = s->rhs;
    bool reduces = output_indices(s) < s->nindex || s->store == STORE_MAX;
    if (s->store == STORE_SET || !reduces)
        return s->store == STORE_SET && e->op == OP_CONSTANT ? FORM_FILL
               : s->store == STORE_SET && e->op == OP_LOAD ? FORM_MOVE : FORM_POINTWISE;
    if (multiplies(s))
        return FORM_CONTRACTION;
    bool scaled = e->op == OP_MUL && e->arg[0]->op == OP_LOAD && e->arg[1]->op == OP_CONSTANT;
    bool window = e->op == OP_LOAD ? e->access.padded : scaled && e->arg[0]->access.padded;
    return window ? FORM_WINDOW : FORM_REDUCTION;
}

const char *form_name(Form form)
{
    static const char *const names[NFORMS] = {"fill", "move", "pointwise", "contraction", "window", "reduction"};
    return names[form];
}

/* ---- Kernels --------------------------------------------------------------------------------------------------- */

static bool same_outputs(const Statement *a, const Statement *b)
{
    int n = output_indices(b);
    if (a->nindex != n || !access_equal(&a->out, &b->out))
        return false;
    for (int i = 0; i < n; i++)
        if (a->extent[i] != b->extent[i])
            return false;
    return true;
}

enum { MOST_REGIONS = 64 };

/* Fills in what follows from a kernel's statements. Where regions don't part the outputs, the first value
 * becomes a kernel of its own before this one. */
static Kernel *finish_kernel(Kernel *k, Unroll unroll, const Target *target)
{
    k->form = form_of(k->body ? k->body : k->first);
    k->terms = box_volume(k->body ? k->body : k->first);
    if (!k->body)
        return k;
    Region *regions;
    bool partition;
    int n = 0;
    if (split_regions(k->body, target->lanes, &regions, &partition)) {
        k->terms = 0;
        for (const Region *r = regions; r; r = r->next, n++)
            k->terms += region_volume(r, k->body);
        bool whole = partition || k->body->store == STORE_ADD;
        if (unroll == UNROLL_TILE && regions && n <= MOST_REGIONS && whole && gathers(k->body))
            k->regions = regions;
    }
    if (k->regions && !partition && k->first) {
        Kernel *before = NEW(Kernel);
        *before = (Kernel){.first = k->first, .next = k};
        k->first = NULL;
        finish_kernel(k, unroll, target);
        return finish_kernel(before, unroll, target);
    }
    choose_tiles(k, target);
    return k;
}

static Kernel **append(Kernel **end, Kernel *kernels, Unroll unroll, const Target *target)
{
    for (Kernel *k = kernels, *next; k; k = next) {
        next = k->next;
        k->next = NULL;
        for (*end = finish_kernel(k, unroll, target); *end; end = &(*end)->next)
            ;
    }
    return end;
}

/* Pairs a first value with the statement that accumulates onto it, and turns scattering into gathering. */
static Kernel *make_kernels(const Pass *pass, Statement *begin, const Statement *end, Unroll unroll,
                            const Target *target)
{
    Kernel *kernels = NULL, **last = &kernels;
    for (Statement *s = begin; s != end; s = s->next) {
        if (pass->root[s->out.tensor->id] != s->out.tensor)
            continue; /* a move that changes nothing */
        Statement *next = s->next == end ? NULL : s->next;
        bool pair = s->store == STORE_SET && next && next->store == STORE_ADD && next->out.tensor == s->out.tensor;
        Kernel *k = NULL;
        if (unroll != UNROLL_NONE && pair && !gathers(next))
            k = gather(s, next);
        if (unroll != UNROLL_NONE && !k && s->store == STORE_ADD && !gathers(s))
            k = gather(NULL, s);
        if (k && pair)
            s = next;
        if (!k) {
            k = NEW(Kernel);
            if (s->store == STORE_SET)
                k->first = s;
            else
                k->body = s;
            if (pair && gathers(next) && same_outputs(s, next))
                k->body = s = next;
        }
        last = append(last, k, unroll, target);
    }
    return kernels;
}

/* ---- Functions ------------------------------------------------------------------------------------------------------ */

typedef struct Params {
    Tensor *tensor[64];
    bool written[64];
    int n;
} Params;

static void add_param(Params *params, Tensor *tensor, bool written)
{
    for (int i = 0; i < params->n; i++)
        if (params->tensor[i] == tensor) {
            params->written[i] |= written;
            return;
        }
    if (params->n == 64)
        bug("a function with more than 64 tensors");
    params->tensor[params->n] = tensor;
    params->written[params->n++] = written;
}

static void add_read(const Access *access, void *params)
{
    if (access->tensor->role != TENSOR_CONSTANT)
        add_param(params, access->tensor, false);
}

static bool uses_op(const Expr *e, Op op)
{
    if (e->op == op)
        return true;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (uses_op(e->arg[i], op))
            return true;
    return false;
}

static void collect_params(Function *f)
{
    Params params = {.n = 0};
    for (const Kernel *k = f->kernels; k; k = k->next)
        for (int part = 0; part < 2; part++) {
            const Statement *s = part ? k->body : k->first;
            if (!s)
                continue;
            visit_loads(s->rhs, add_read, &params);
            f->uses_random |= uses_op(s->rhs, OP_RANDOM);
            f->uses_mean |= uses_op(s->rhs, OP_MEAN);
        }
    for (const Kernel *k = f->kernels; k; k = k->next)
        for (int part = 0; part < 2; part++) {
            const Statement *s = part ? k->body : k->first;
            if (s)
                add_param(&params, s->out.tensor, true);
            if (s && s->position)
                add_param(&params, s->position, true);
        }
    f->nparams = params.n;
    f->param = NEW_ARRAY(Tensor *, params.n + 1);
    f->param_written = NEW_ARRAY(bool, params.n + 1);
    memcpy(f->param, params.tensor, (size_t)params.n * sizeof *f->param);
    memcpy(f->param_written, params.written, (size_t)params.n * sizeof *f->param_written);
}

static int64_t count_terms(const Kernel *kernels)
{
    int64_t terms = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        terms += k->terms;
    return terms;
}

static const char *thousands(int64_t n)
{
    return n < 10000 ? format("%lld", (long long)n) : n < 10000000 ? format("%lldk", (long long)(n / 1000))
                                                    : format("%lldM", (long long)(n / 1000000));
}

static int64_t budget_of(const Function *f)
{
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->form == FORM_CONTRACTION)
            return CONTRACTION_BUDGET;
    return OTHER_BUDGET;
}

static Function *make_function(const Plan *plan, const Pass *pass, Statement *begin, const Statement *end)
{
    Function *f = NEW(Function);
    f->layer = begin->layer;
    f->backward = begin->backward;
    Unroll wish = plan->options->unroll;
    f->unroll = wish == UNROLL_AUTO ? UNROLL_FULL : wish;
    f->kernels = make_kernels(pass, begin, end, f->unroll, plan->target);
    f->terms = count_terms(f->kernels);
    f->why = "as told";
    if (wish == UNROLL_AUTO && f->terms > budget_of(f)) {
        f->why = format("%s points, over the budget", thousands(f->terms));
        f->unroll = UNROLL_TILE;
        f->kernels = make_kernels(pass, begin, end, f->unroll, plan->target);
        f->terms = count_terms(f->kernels);
    } else if (wish == UNROLL_AUTO)
        f->why = format("%s points, within the budget", thousands(f->terms));
    for (const Statement *s = begin; s != end; s = s->next)
        if (multiplies(s))
            f->macs += box_volume(s);
    collect_params(f);
    return f->kernels ? f : NULL;
}

/* What the code of a function depends on, as text: equal texts are equal functions. */
static char *signature(const Function *f)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        fail("out of memory");
    fprintf(stream, "%d %d\n", f->unroll, f->backward);
    for (const Kernel *k = f->kernels; k; k = k->next) {
        if (k->first)
            dump_statement(stream, k->first);
        if (k->body)
            dump_statement(stream, k->body);
    }
    fclose(stream);
    char *copy = copy_text(text, size);
    free(text);
    return copy;
}

/* ---- Passes ------------------------------------------------------------------------------------------------------------ */

static bool is_taken(const Plan *plan, const Pass *pass, const char *name)
{
    static const char *const reserved[] = {"init", "forward", "backward", "model", "tensors", "model_forward",
                                           "model_backward", "model_set_rng"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(name, format("%s_%s", plan->prefix, reserved[i])))
            return true;
    for (const Function *f = plan->forward.functions; f; f = f->next)
        if (!strcmp(name, f->name))
            return true;
    for (const Function *f = pass->functions; f && f->name; f = f->next)
        if (!strcmp(name, f->name))
            return true;
    return false;
}

/* The function's name in net.c; a label may ask for one that is taken. */
static const char *function_name(const Plan *plan, const Pass *pass, const Function *f, const char *direction)
{
    const char *name = format("%s_%s", f->layer->name, direction);
    while (is_taken(plan, pass, name))
        name = format("%s_", name);
    return name;
}

static const Function *same_layer(const Pass *forward, const Function *f)
{
    for (const Function *other = forward ? forward->functions : NULL; other && !f->backward; other = other->next)
        if (other->layer == f->layer)
            return other;
    return NULL;
}

static Pass make_pass(const Plan *plan, Prog *prog, const Pass *forward)
{
    Pass pass = {.prog = prog};
    share_moves(&pass);
    Function **last = &pass.functions;
    for (Statement *begin = prog->statements, *end; begin; begin = end) {
        if (!begin->per_sample)
            bug("%s: a statement outside the loop over samples", begin->layer->name);
        for (end = begin; end && end->layer == begin->layer && end->backward == begin->backward;)
            end = end->next;
        Function *f = make_function(plan, &pass, begin, end);
        if (!f)
            continue;
        const Function *other = same_layer(forward, f);
        f->twin = other && !strcmp(signature(other), signature(f));
        f->name = f->twin ? other->name
                          : function_name(plan, &pass, f, f->backward ? "backward" : other ? "training" : "forward");
        *last = f;
        last = &f->next;
    }
    place(&pass);
    return pass;
}

static int64_t layout_params(const Net *net)
{
    enum { VECTOR = 8, LINE = 16 };
    int64_t floats = 0;
    for (Weight *w = net->weights; w; w = w->next) {
        w->offset = floats;
        floats = (floats + w->count + VECTOR - 1) / VECTOR * VECTOR;
    }
    floats = (floats + LINE - 1) / LINE * LINE;
    return floats ? floats : LINE;
}

static void warn_if_unreasonable(const Plan *plan)
{
    for (const Pass *pass = &plan->forward; pass; pass = pass == &plan->forward ? &plan->training : NULL)
        for (const Function *f = pass->functions; f; f = f->next)
            if (f->unroll == UNROLL_FULL && !f->twin && f->terms > MOST_POINTS) {
                error_at(f->layer->loc, "%s written out in full would be %s points: use --unroll=tile or auto",
                         f->name, thousands(f->terms));
                return;
            }
    int64_t bytes = 0;
    double seconds = 0;
    const Function *largest = NULL;
    for (const Pass *pass = &plan->forward; pass; pass = pass == &plan->forward ? &plan->training : NULL)
        for (const Function *f = pass->functions; f; f = f->next)
            if (f->unroll == UNROLL_FULL && !f->twin) {
                bytes += predicted_bytes(f);
                seconds += predicted_seconds(f);
                if (!largest || f->terms > largest->terms)
                    largest = f;
            }
    if (bytes > UNREASONABLE_BYTES) {
        warning_at(WARN_UNROLL, largest->layer->loc,
                   "--unroll=full gives about %.1f MB of machine code, and gcc -O2 will take about %.0f s; most of it is %s",
                   (double)bytes / (1 << 20), seconds, largest->name);
    }
}

static char *upper(const char *text)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return copy;
}

Plan *make_plan(const Net *net, Prog *forward, Prog *training, const Options *options)
{
    Plan *plan = NEW(Plan);
    plan->net = net;
    plan->options = options;
    plan->target = &targets[options->target];
    plan->prefix = options->prefix;
    plan->PREFIX = upper(options->prefix);
    plan->floats = layout_params(net);
    plan->forward = make_pass(plan, forward, NULL);
    if (training)
        plan->training = make_pass(plan, training, &plan->forward);
    plan->arena = plan->forward.arena > plan->training.arena ? plan->forward.arena : plan->training.arena;
    if (options->unroll == UNROLL_FULL)
        warn_if_unreasonable(plan);
    return plan;
}

/* ---- The dump and the verifier --------------------------------------------------------------------------------------------- */

static const char *unroll_name(Unroll unroll)
{
    static const char *const names[] = {"auto", "full", "tile", "none"};
    return names[unroll];
}

static void dump_kernel(FILE *f, const Kernel *k)
{
    fprintf(f, "    %s, %lld points\n", form_name(k->form), (long long)k->terms);
    for (int part = 0; part < 2; part++)
        if (part ? k->body : k->first) {
            fputs("        ", f);
            dump_statement(f, part ? k->body : k->first);
        }
    const Statement *s = k->body;
    for (const Region *r = k->regions; r; r = r->next) {
        fputs("        region", f);
        for (int i = 0; i < s->nindex; i++)
            fprintf(f, " %s %lld+%lld", s->index_name[i], (long long)r->begin[i], (long long)r->count[i]);
        fputs(r->empty ? " empty" : ", tile", f);
        for (int side = 0; side < 2; side++)
            if (r->tile.index[side] >= 0)
                fprintf(f, " %lld %s", (long long)r->tile.factor[side], s->index_name[r->tile.index[side]]);
        if (r->tile.lane >= 0)
            fprintf(f, " lanes %s", s->index_name[r->tile.lane]);
        for (int i = 0; i < s->nindex; i++)
            if (r->tile.unrolled[i])
                fprintf(f, " all %s", s->index_name[i]);
        fputc('\n', f);
    }
}

static void dump_pass(FILE *f, const char *name, const Pass *pass)
{
    fprintf(f, "pass %s\n", name);
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        fprintf(f, "  %s: %s, %s%s\n", fn->name, unroll_name(fn->unroll), fn->why, fn->twin ? ", as in inference" : "");
        for (const Kernel *k = fn->twin ? NULL : fn->kernels; k; k = k->next)
            dump_kernel(f, k);
    }
    fprintf(f, "  arena %lld floats\n", (long long)pass->arena);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        fprintf(f, "    %8lld + %-8lld calls %d to %d  %s\n", (long long)b->offset, (long long)b->size, b->begin, b->end,
                b->tensor->name);
}

void dump_plan(FILE *f, const Plan *plan)
{
    fprintf(f, "plan for %s, %lld floats of parameters\n", plan->target->name, (long long)plan->floats);
    dump_pass(f, "forward", &plan->forward);
    if (plan->training.prog)
        dump_pass(f, "backward", &plan->training);
}

static void verify_pass(const Plan *plan, const Pass *pass)
{
    for (const Buffer *a = pass->buffers; a; a = a->next) {
        if (a->offset < 0 || a->size < a->tensor->count || a->offset + a->size > plan->arena)
            bug("%s lies outside the arena", a->tensor->name);
        for (const Buffer *b = a->next; b; b = b->next)
            if (a->begin <= b->end && b->begin <= a->end && a->offset < b->offset + b->size
                && b->offset < a->offset + a->size)
                bug("%s and %s overlap", a->tensor->name, b->tensor->name);
    }
    for (const Function *f = pass->functions; f; f = f->next)
        for (int i = 0; i < f->nparams; i++) {
            if (pass->root[f->param[i]->id]->role == TENSOR_VALUE && !buffer_of(pass, f->param[i]))
                bug("%s: %s has no buffer", f->name, f->param[i]->name);
            /* Functions promise (restrict) that what they write is nothing else that they are given. */
            for (int k = 0; k < f->nparams; k++)
                if (k != i && f->param_written[i] && pass->root[f->param[i]->id] == pass->root[f->param[k]->id])
                    bug("%s: %s and %s share memory", f->name, f->param[i]->name, f->param[k]->name);
        }
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next)
            for (const Region *a = k->regions; a; a = a->next)
                for (const Region *b = a->next; b; b = b->next) {
                    bool apart = false;
                    for (int i = 0; i < k->body->nindex; i++)
                        apart |= a->begin[i] + a->count[i] <= b->begin[i] || b->begin[i] + b->count[i] <= a->begin[i];
                    if (!apart)
                        bug("%s: two regions overlap", f->name);
                }
}

void verify_plan(const Plan *plan)
{
    for (const Weight *w = plan->net->weights; w; w = w->next)
        if (w->offset + w->count > (w->next ? w->next->offset : plan->floats))
            bug("%s overlaps the next weight", w->name);
    verify_pass(plan, &plan->forward);
    if (plan->training.prog)
        verify_pass(plan, &plan->training);
}
