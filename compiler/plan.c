/* plan.c: Prog to Plan.
 *
 * In: the statements of inference and of training. Out: for each of the two passes the functions that net.c
 * will have, one for each layer and direction, called in order for one sample after the other; in each
 * function the loop nests with their form, their regions and tiles; and an offset in the arena for every
 * buffer. How far a function is unrolled is decided here: as the option says, or under auto written out in
 * full where that is predicted to gain a quarter, while all that is stays in the instruction cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nnc.h"

const Target targets[NTARGETS] = {
    [TARGET_GENERIC] = {"generic", 8, 16, "-O2 -march=native", 0, 0, 0},
    [TARGET_SCALAR] = {"scalar", 1, 16, "-std=c99 -O2", 0, 0, 0},
    [TARGET_AVX2] = {"avx2", 8, 16, "-O2 -mavx2 -mfma", 0, 0, 0},
    [TARGET_AVX512] = {"avx512", 16, 32, "-O2 -march=x86-64-v4", 0, 0, 0},
    [TARGET_NEON] = {"neon", 4, 32, "-O2", 0, 0, 0},
};

/* ---- Predictions ---------------------------------------------------------------------------------------
 *
 * Measured with gcc 12 -O2 on x86-64 on straight-line code: 400 functions of 13 networks with all kinds of layers, for scalar,
 * generic (-mavx2 -mfma) and avx512. A point of a statement, which is one vector where there are lanes, takes the bytes below;
 * exp and its like are written in its place unless there are many. So predicted, a function's size is off by a factor of 1.8
 * for scalar, where gcc makes vectors of some of it, and 1.3 otherwise (root mean square of logarithms; at 17 bytes a point it
 * was 3.6 and 2.6: xor's took 5 times as many). A byte takes 15 to 35 microseconds to compile. Without lanes a point runs in half
 * a cycle. */

enum { TERM_BYTES = 12, STATEMENT_BYTES = 9, MAXIMUM_BYTES = 36, POSITION_BYTES = 12, MEMSET_BYTES = 20 };
static const int op_bytes[NOPS] = {
    [OP_LOAD] = 4, [OP_ADD] = 4, [OP_SUB] = 4, [OP_MUL] = 4, [OP_ABS] = 4, [OP_DIV] = 20, [OP_IF_LE] = 18, [OP_IF_EQ] = 18,
    [OP_EXP] = 180, [OP_TANH] = 180, [OP_SIGMOID] = 180, [OP_LOG] = 150, [OP_LOG1P] = 150, [OP_ERF] = 60,
    [OP_SQRT] = 150, [OP_RANDOM] = 90, /* in each lane */
};
enum { UNREASONABLE_BYTES = 1 << 20, MOST_POINTS = 2000000 };
static const double seconds_a_byte = 25e-6, cycles_a_point = 0.55;

/* auto writes out in full so many bytes of a pass at most, half of an instruction cache; without vectors more than a few
 * points only for a clear gain. Where each weight of very few serves a sample but once, samples are better taken together. */
enum { ROOM_FOR_FULL = 16 << 10, FEW_POINTS = 100, FEW_WEIGHTS = 256 };
static const double least_gain = 1.25;

/* A function that takes no longer may become part of its caller: a call costs some five cycles, and what is stored for the
 * next function needs as many more to arrive. */
enum { BRIEF_POINTS = 64, BRIEF_CYCLES = 128 };

/* ---- Forms --------------------------------------------------------------------------------------------------- */

int64_t box_volume(const Statement *s)
{
    int64_t volume = 1;
    for (int i = 0; i < s->nindex; i++)
        volume *= s->extent[i];
    return volume;
}

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
    static const char *const names[NFORMS] = {"fill", "move", "pointwise", "contraction", "transform", "window", "reduction"};
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

static Region *whole_box(const Statement *s)
{
    Region *all = NEW(Region);
    for (int i = 0; i < s->nindex; i++)
        all->count[i] = s->extent[i];
    return all;
}

const Statement *statement_of(const Kernel *k)
{
    return k->body ? k->body : k->first;
}

/* Does some region have an index in lanes? */
static bool has_vectors(const Kernel *k)
{
    for (const Region *r = k->regions; r; r = r->next)
        if (!r->empty && r->tile.width > 1)
            return true;
    return false;
}

/* What its tiles do over the first n indices, written out: vectors count once. */
static int64_t vectors_of(const Kernel *k, int n)
{
    int64_t terms = 0;
    for (const Region *r = k->regions; r; r = r->next) {
        int64_t vectors = 1;
        for (int i = 0; i < n; i++)
            vectors *= i == r->tile.lane ? (r->count[i] + r->tile.width - 1) / r->tile.width : r->count[i];
        terms += vectors;
    }
    return terms;
}

static int64_t expr_bytes(const Expr *e, int width)
{
    int64_t bytes = op_bytes[e->op] * (e->op == OP_SQRT || e->op == OP_RANDOM ? width : 1);
    for (int i = 0; i < op_info[e->op].arity; i++)
        bytes += expr_bytes(e->arg[i], width);
    return bytes;
}

/* Machine code of kernels that are written out. */
static int64_t bytes_of(const Kernel *kernels)
{
    int64_t bytes = 0;
    for (const Kernel *k = kernels; k; k = k->next) {
        const Statement *s = statement_of(k);
        const int width = k->regions ? k->regions->tile.width : 1;
        int64_t outputs = 1, points = k->regions ? vectors_of(k, s->nindex) : k->terms, each = STATEMENT_BYTES;
        for (int i = 0; i < output_indices(s); i++)
            outputs *= s->extent[i];
        if (k->regions)
            outputs = vectors_of(k, output_indices(s));
        if (k->form == FORM_FILL) {
            bytes += MEMSET_BYTES;
            continue;
        }
        if (k->first)
            each += expr_bytes(k->first->rhs, width);
        for (int i = 0; i < k->nthen; i++)
            each += expr_bytes(k->then[i]->rhs, width) + (k->dropped[i + 1] ? 0 : STATEMENT_BYTES);
        bytes += outputs * each;
        if (k->body)
            bytes += points * (k->form == FORM_CONTRACTION ? TERM_BYTES : expr_bytes(k->body->rhs, width)
                               + (k->body->store == STORE_MAX ? MAXIMUM_BYTES : 0) + (k->body->position ? POSITION_BYTES : 0));
        bytes += bytes_of(k->window);
    }
    return bytes;
}

int64_t predicted_bytes(const Function *f)
{
    return bytes_of(f->kernels);
}

double predicted_seconds(const Function *f)
{
    return (double)predicted_bytes(f) * seconds_a_byte;
}

/* Fills in what follows from a kernel's statements. Where regions don't part the outputs, the first value
 * becomes a kernel of its own before this one. What full writes out has regions where it has vectors. */
static Kernel *finish_kernel(Kernel *k, Unroll unroll, const Target *target)
{
    const bool tiles = unroll == UNROLL_TILE || (unroll == UNROLL_FULL && target->lanes > 1);
    k->form = form_of(k->body ? k->body : k->first);
    k->terms = box_volume(k->body ? k->body : k->first);
    k->regions = NULL;
    k->straight = unroll == UNROLL_FULL;
    bool partition = true;
    int64_t inside = k->body ? points_inside(k->body) : -1;
    if (inside >= 0) {
        double cycles = 0;
        k->terms = inside;
        if (tiles && gathers(k->body))
            k->regions = best_split(k->body, target, &partition, &cycles);
    }
    if (!k->body && tiles && !needs_guard(k->first))
        k->regions = whole_box(k->first);
    if (k->regions)
        choose_tiles(k, target);
    if (unroll == UNROLL_FULL && !has_vectors(k))
        k->regions = NULL;
    if (k->regions && !partition && k->first && k->body) {
        Kernel *before = NEW(Kernel);
        *before = (Kernel){.first = k->first, .next = k, .samples = k->samples, .row = -1, .blocks = k->blocks, .joins = k->joins,
                           .compact = k->compact};
        k->first = NULL;
        k->joins = k->blocks;
        finish_kernel(k, unroll, target);
        return finish_kernel(before, unroll, target);
    }
    if (!k->regions)
        k->cycles = (double)k->terms * expr_cycles(k->body ? k->body->rhs : k->first->rhs, 1);
    if (k->blocks) {
        k->terms *= k->blocks;
        k->cycles *= (double)k->blocks;
    }
    return k;
}

static Kernel *finish_kernels(Kernel *kernels, Unroll unroll, const Target *target)
{
    Kernel *result = NULL, **end = &result;
    for (Kernel *k = kernels, *next; k; k = next) {
        next = k->next;
        k->next = NULL;
        for (*end = finish_kernel(k, unroll, target); *end; end = &(*end)->next)
            ;
    }
    return result;
}

double predicted_cycles(const Statement *first, const Statement *body, const Target *target)
{
    Statement *copy[2] = {NULL, NULL};
    for (int part = 0; part < 2; part++)
        if (part ? body : first) {
            copy[part] = NEW(Statement);
            *copy[part] = *(part ? body : first);
        }
    Kernel *k = NEW(Kernel);
    *k = (Kernel){.first = copy[0], .body = copy[1], .samples = -1, .row = -1};
    double cycles = 0;
    for (k = finish_kernel(k, UNROLL_TILE, target); k; k = k->next)
        cycles += k->cycles;
    return cycles;
}

/* Pairs a first value with the statement that accumulates onto it. */
static Kernel *make_kernels(const Pass *pass, Statement *begin, const Statement *end)
{
    Kernel *kernels = NULL, **last = &kernels;
    for (Statement *s = begin; s != end; s = s->next) {
        if (pass->root[s->out.tensor->id] != s->out.tensor)
            continue; /* a move that changes nothing */
        Statement *next = s->next == end ? NULL : s->next;
        bool pair = s->store == STORE_SET && next && next->store == STORE_ADD && next->out.tensor == s->out.tensor;
        Kernel *k = *last = NEW(Kernel);
        last = &k->next;
        k->samples = k->row = -1;
        if (s->store == STORE_SET)
            k->first = s;
        else
            k->body = s;
        if (pair && gathers(next) && same_outputs(s, next))
            k->body = s = next;
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

bool uses_op(const Expr *e, Op op)
{
    if (e->op == op)
        return true;
    for (int i = 0; i < op_info[e->op].arity; i++)
        if (uses_op(e->arg[i], op))
            return true;
    return false;
}

static void add_parts(Kernel *k, Statement **part[MAX_PARTS], int *n)
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

static bool is_then(const Kernel *k, const Statement *s)
{
    for (int i = 0; i < k->nthen; i++)
        if (k->then[i] == s)
            return true;
    return false;
}

static bool stores(const Kernel *k, const Statement *s)
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
static bool passes_on(const Kernel *k, const Tensor *t)
{
    if (k->followers && held_in_registers(k, t))
        return true;
    bool made = k->dropped[0] && statement_of(k)->out.tensor == t;
    for (int i = 0; i < k->nthen; i++)
        made |= k->dropped[i + 1] && k->then[i]->out.tensor == t;
    return made || (k->window && passes_on(k->window, t));
}

typedef struct Reads {
    const Kernel *kernel;
    Params *params;
} Reads;

static void add_kernel_read(const Access *access, void *context)
{
    Reads *reads = context;
    if (!passes_on(reads->kernel, access->tensor))
        add_read(access, reads->params);
}

static void collect_params(Function *f)
{
    Params params = {.n = 0};
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next) {
        Reads reads = {k, &params};
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            visit_loads(s->rhs, add_kernel_read, &reads);
            f->uses_random |= uses_op(s->rhs, OP_RANDOM);
            f->uses_mean |= uses_op(s->rhs, OP_MEAN);
            f->uses_samples |= uses_op(s->rhs, OP_SAMPLES);
            f->uses_at_hand |= uses_op(s->rhs, OP_AT_HAND);
        }
    }
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            if (stores(k, s))
                add_param(&params, s->out.tensor, true);
            if (s->position)
                add_param(&params, s->position, true);
        }
    for (int i = 0; i < params.n; i++)
        f->uses_at_hand |= params.tensor[i]->ragged;
    f->nparams = params.n;
    f->param = NEW_ARRAY(Tensor *, params.n + 1);
    f->param_written = NEW_ARRAY(bool, params.n + 1);
    memcpy(f->param, params.tensor, (size_t)params.n * sizeof *f->param);
    memcpy(f->param_written, params.written, (size_t)params.n * sizeof *f->param_written);
}

static int64_t count_terms(const Kernel *kernels, Unroll unroll)
{
    int64_t terms = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        terms += unroll == UNROLL_FULL && k->regions ? vectors_of(k, statement_of(k)->nindex) : k->terms;
    return terms;
}

static const char *thousands(int64_t n)
{
    return n < 10000 ? format("%lld", (long long)n) : n < 10000000 ? format("%lldk", (long long)(n / 1000))
                                                    : format("%lldM", (long long)(n / 1000000));
}

static double sum_cycles(const Kernel *kernels)
{
    double cycles = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        cycles += k->cycles + 4;
    return cycles;
}

/* Scalars in straight-line code take more than their points where they wait for one another, and what they store waits some
 * 25 cycles before it can be loaded as a vector: measured with small networks. */
static double straight_cycles(const Kernel *kernels, int64_t terms, const Target *target)
{
    double vectors = 0, scalars = 0;
    for (const Kernel *k = kernels; k; k = k->next) {
        const Statement *s = statement_of(k);
        if (k->regions)
            vectors += k->cycles;
        else
            scalars += (double)k->terms * (is_contraction(s) ? cycles_a_point : expr_cycles(s->rhs, 1));
    }
    if (target->lanes == 1)
        return scalars * (terms > FEW_POINTS ? 1.5 : 1);
    return vectors + (scalars > 0 ? 2.25 * scalars + 25 : 0);
}

/* How many samples a function takes at once that isn't given a chunk of them. */
static int64_t samples_of(const Pass *pass)
{
    return pass->samples ? pass->samples : 1;
}

static double samples_at_once(const Pass *pass, const Function *f)
{
    int64_t samples = f->batched ? pass->chunk : samples_of(pass), batch = pass->batch;
    return pass->samples ? (double)batch / (double)((batch + samples - 1) / samples) : (double)samples;
}

static double text_of(const Kernel *kernels)
{
    double bytes = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        bytes += text_of_tiles(k);
    return bytes;
}

/* Where a function has so many regions or statements that its tiles would be out of proportion to what it does, the taps stay
 * loops, or it gets plain loops with tests. The reason; NULL: all is well. No layer of some 80 networks comes near the limit. */
static const char *keep_in_proportion(const Pass *pass, Function *f, Statement *begin, const Statement *end)
{
    enum { MOST_TEXT = 110000 };
    double bytes = text_of(f->kernels);
    if (bytes <= MOST_TEXT)
        return NULL;
    const char *too_large = format("written out it would be some %.0f kB of C", bytes / 1000);
    Kernel *kernels = make_kernels(pass, begin, end);
    for (Kernel *k = kernels; k; k = k->next)
        k->compact = true;
    f->kernels = finish_kernels(kernels, UNROLL_TILE, pass->target);
    if (text_of(f->kernels) <= MOST_TEXT)
        return format("%s, so taps are loops", too_large);
    f->unroll = UNROLL_NONE;
    f->kernels = finish_kernels(make_kernels(pass, begin, end), UNROLL_NONE, pass->target);
    return format("%s, so it is plain loops", too_large);
}

static Function *make_function(const Plan *plan, const Pass *pass, Statement *begin, const Statement *end)
{
    Function *f = NEW(Function);
    f->layer = begin->layer;
    f->backward = begin->backward;
    f->per_call = !begin->per_sample;
    f->phase = begin->phase;
    Unroll wish = plan->options->unroll;
    bool beforehand = f->per_call && pass->prepares && wish == UNROLL_FULL; /* and not worth straight-line code */
    f->unroll = wish == UNROLL_AUTO || beforehand ? UNROLL_TILE : wish;
    f->kernels = finish_kernels(make_kernels(pass, begin, end), f->unroll, pass->target);
    const char *too_large = f->unroll == UNROLL_TILE ? keep_in_proportion(pass, f, begin, end) : NULL;
    f->terms = count_terms(f->kernels, f->unroll);
    f->why = beforehand || (wish == UNROLL_AUTO && f->per_call) ? "too rare for full"
             : wish == UNROLL_AUTO && pass->samples ? "lanes over samples" : "as told";
    f->cycles = f->unroll == UNROLL_FULL ? straight_cycles(f->kernels, f->terms, pass->target) : sum_cycles(f->kernels);
    bool small = f->terms / pass->target->lanes * TERM_BYTES <= ROOM_FOR_FULL;
    if (wish == UNROLL_AUTO && !f->per_call && !pass->samples)
        f->why = format("%s points are too many for full", thousands(f->terms));
    if (wish == UNROLL_AUTO && !f->per_call && !pass->samples && small)
        f->straight = finish_kernels(make_kernels(pass, begin, end), UNROLL_FULL, pass->target);
    if (too_large)
        f->why = too_large;
    for (const Kernel *k = f->kernels; k; k = k->next)
        if (k->body && is_contraction(k->body)) /* forward with the padding, as they are commonly counted */
            f->macs += k->body->macs ? k->body->macs : (f->backward ? k->terms : box_volume(k->body)) / samples_of(pass);
    return f->kernels ? f : NULL;
}

/* ---- What auto writes out in full ------------------------------------------------------------------------------------
 *
 * Those functions for which it is predicted to be faster, the greatest gain for its bytes first, while all of them
 * together stay in the instruction cache. */

/* The number of weights that a function uses once for each sample; 0 if they are few. */
int64_t weights_used_once(const Function *f)
{
    for (const Kernel *k = f->kernels; k; k = k->next)
        for (int i = 0; k->body && is_contraction(k->body) && i < 3; i++) {
            const Tensor *t = i == 2 ? k->body->out.tensor : k->body->rhs->arg[i]->access.tensor;
            if (!t->per_sample && t->count >= FEW_WEIGHTS && t->count == box_volume(k->body))
                return t->count;
        }
    return 0;
}

/* May it be written out at all? Not where the bodies of its loops wait for nothing, and the loops cost little; nor where
 * samples are better taken together. */
static bool may_be_full(const Function *f, int64_t terms)
{
    bool sums = terms <= BRIEF_POINTS;
    for (const Kernel *k = f->kernels; k; k = k->next)
        sums |= k->body && is_contraction(k->body);
    return sums && !weights_used_once(f);
}

typedef struct Candidate { /* a function, written out */
    Function *function;
    int64_t terms, bytes;
    double cycles, gain; /* for each byte */
    bool may, pays;
} Candidate;

static Candidate candidate_of(const Pass *pass, Function *f)
{
    Candidate c = {.function = f, .terms = count_terms(f->straight, UNROLL_FULL), .bytes = bytes_of(f->straight)};
    c.cycles = straight_cycles(f->straight, c.terms, pass->target);
    c.gain = (f->cycles - c.cycles) / (double)c.bytes;
    c.may = may_be_full(f, c.terms);
    c.pays = least_gain * c.cycles <= f->cycles;
    return c;
}

static const char *reason_of(const Candidate *c, int64_t room)
{
    const char *cycles_of_both = format("tile %.0f, full %.0f", c->function->cycles, c->cycles);
    if (!c->pays)
        return format("%s: too little gained", cycles_of_both);
    if (c->may && c->bytes <= room)
        return cycles_of_both;
    return format("%s, but %s", cycles_of_both, c->bytes > ROOM_FOR_FULL ? "too large" : c->may ? "others take the room"
                  : weights_used_once(c->function) ? "samples go together" : "loops do as well");
}

static void write_out(const Candidate *c, int64_t room)
{
    Function *f = c->function;
    f->why = reason_of(c, room);
    f->unroll = UNROLL_FULL;
    f->kernels = f->straight;
    f->straight = NULL;
    f->terms = c->terms;
    f->cycles = c->cycles;
}

static void write_out_what_pays(const Pass *pass)
{
    int64_t room = ROOM_FOR_FULL;
    int n = 0;
    for (Function *f = pass->functions; f; f = f->next)
        n += f->straight != NULL;
    Candidate *candidates = NEW_ARRAY(Candidate, n);
    n = 0;
    for (Function *f = pass->functions; f; f = f->next)
        if (f->straight)
            candidates[n++] = candidate_of(pass, f);
    for (;;) {
        const Candidate *best = NULL;
        for (const Candidate *c = candidates; c < candidates + n; c++)
            if (c->function->straight && c->pays && c->may && c->bytes <= room && c->gain > (best ? best->gain : 0))
                best = c;
        if (!best)
            break;
        write_out(best, room);
        room -= best->bytes;
    }
    for (int i = 0; i < n; i++)
        if (candidates[i].function->straight)
            candidates[i].function->why = reason_of(&candidates[i], room);
}

/* ---- Samples together ----------------------------------------------------------------------------------------------
 *
 * Where each weight serves a sample only once (fully connected layers), several samples go through the function
 * together: a weight that is loaded then serves all of them. The sample becomes an index like any other, of
 * tensors that have one dimension more. */

/* What samples pass on is kept for all that go together. While the weights stay in a near cache, more samples than eight
 * were not faster (measured with 4, 8, 16 and 32); where they come from farther away each time, 32 were, by 4 to 10 %. */
enum { NEAR_SAMPLES = 8, FAR_SAMPLES = 32, FAR_WEIGHTS = 64 << 10 };

typedef struct Samples {
    Tensor **view;       /* by tensor id */
    int64_t count;
    int shift, index;    /* of the other indices; of the sample */
} Samples;

static Tensor *view_of(Samples *samples, Tensor *t)
{
    Tensor **view = &samples->view[t->id];
    if (*view || !t->per_sample)
        return t->per_sample ? *view : t;
    *view = NEW(Tensor);
    **view = *t;
    (*view)->of = t;
    (*view)->per_sample = false;
    (*view)->rank = t->rank + 1;
    (*view)->dim[0] = (*view)->room[0] = samples->count;
    (*view)->before[0] = 0;
    for (int d = 0; d < t->rank; d++) {
        (*view)->dim[d + 1] = t->dim[d];
        (*view)->room[d + 1] = t->room[d];
        (*view)->before[d + 1] = t->before[d];
    }
    (*view)->count *= samples->count;
    (*view)->floats *= samples->count;
    return *view;
}

static Access over_samples(Samples *samples, Access access)
{
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i + samples->shift < MAX_INDEX; i++)
        map[i].coefficient[i + samples->shift] = 1;
    access = substitute_access(access, map);
    if (!access.tensor->per_sample)
        return access;
    for (int d = access.tensor->rank; d > 0; d--)
        access.at[d] = access.at[d - 1];
    access.at[0] = affine(0);
    access.at[0].coefficient[samples->index] = 1;
    access.tensor = view_of(samples, access.tensor);
    return access;
}

static Expr *expr_over_samples(Samples *samples, const Expr *e)
{
    Affine map[MAX_INDEX] = {{0}};
    for (int i = 0; i + samples->shift < MAX_INDEX; i++)
        map[i].coefficient[i + samples->shift] = 1;
    Expr *copy = NEW(Expr);
    *copy = *e;
    if (e->op == OP_LOAD)
        copy->access = over_samples(samples, e->access);
    copy->index = substitute(e->index, map);
    for (int i = 0; i < op_info[e->op].arity; i++)
        copy->arg[i] = expr_over_samples(samples, e->arg[i]);
    return copy;
}

/* nindex: how many indices it has; first: the sample comes before them. */
static Statement *statement_over_samples(Samples *samples, const Statement *s, int nindex, bool first)
{
    if (!s)
        return NULL;
    Statement *copy = NEW(Statement);
    *copy = *s;
    samples->shift = first;
    samples->index = samples->shift ? 0 : nindex;
    copy->nindex = nindex + 1;
    for (int i = 0; i < nindex; i++) {
        copy->index_name[i + samples->shift] = s->index_name[i];
        copy->extent[i + samples->shift] = s->extent[i];
    }
    copy->index_name[samples->index] = "s";
    copy->extent[samples->index] = samples->count;
    copy->rhs = expr_over_samples(samples, s->rhs);
    copy->position = s->position ? view_of(samples, s->position) : NULL;
    copy->out = over_samples(samples, s->out);
    return copy;
}

static void check_rank(const Access *access, void *fits)
{
    if (access->tensor->per_sample && access->tensor->rank == MAX_RANK)
        *(bool *)fits = false;
}

static bool can_batch(const Function *f)
{
    if (f->unroll != UNROLL_TILE || f->per_call || !weights_used_once(f))
        return false;
    for (Kernel *k = f->kernels; k; k = k->next) {
        Statement **part[MAX_PARTS];
        int n;
        if (k->window)
            return false;
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            bool fits = true;
            check_rank(&s->out, &fits);
            visit_loads(s->rhs, check_rank, &fits);
            if (!fits || s->nindex == MAX_INDEX || uses_op(s->rhs, OP_RANDOM) || !k->regions)
                return false;
        }
    }
    return true;
}

static void take_samples_together(const Plan *plan, Pass *pass)
{
    Samples samples = {.view = NEW_ARRAY(Tensor *, pass->prog->ntensors)};
    samples.count = NEAR_SAMPLES;
    for (const Function *f = pass->functions; f; f = f->next)
        if (weights_used_once(f) >= FAR_WEIGHTS)
            samples.count = FAR_SAMPLES;
    if (samples.count > plan->net->batch)
        samples.count = plan->net->batch;
    if (samples.count < 2)
        return;
    for (Function *f = pass->functions; f; f = f->next) {
        if (!can_batch(f))
            continue;
        f->batched = true;
        pass->chunk = samples.count;
        for (Kernel *k = f->kernels; k; k = k->next) {
            const Statement *s = statement_of(k);
            bool output = s->out.tensor->per_sample;
            int nindex = s->nindex;
            k->samples = output ? 0 : nindex;
            if (k->first)
                k->first = statement_over_samples(&samples, k->first, k->body ? k->first->nindex : nindex, output);
            k->body = statement_over_samples(&samples, k->body, nindex, output);
            for (int i = 0; i < k->nthen; i++)
                k->then[i] = statement_over_samples(&samples, k->then[i], k->then[i]->nindex, output);
            for (Kernel *follower = k->followers; follower; follower = follower->next) {
                nindex = statement_of(follower)->nindex;
                follower->first = statement_over_samples(&samples, follower->first, nindex, output);
                follower->body = statement_over_samples(&samples, follower->body, nindex, output);
            }
            k->row += k->row >= 0;
        }
    }
}

static void print_room(const Access *access, void *stream)
{
    for (int d = 0; d < access->tensor->rank; d++)
        fprintf(stream, "%lld+%lld ", (long long)access->tensor->room[d], (long long)access->tensor->before[d]);
    fprintf(stream, "\n");
}

/* What the code of a function depends on, as text: equal texts are equal functions. The tensors that it is given
 * go by their number, constants by their name. */
static char *signature(const Function *f, int lanes)
{
    TextStream memory;
    FILE *stream = open_text(&memory);
    Params all = {.n = 0};
    Statement **part[MAX_PARTS];
    int n;
    for (int i = 0; i < f->nparams; i++)
        add_param(&all, f->param[i], f->param_written[i]);
    for (Kernel *k = f->kernels; k; k = k->next) /* and the values that stay in registers */
        for (parts_of(k, part, &n); n--;)
            add_param(&all, (*part[n])->out.tensor, true);
    const char *names[sizeof all.tensor / sizeof *all.tensor];
    for (int i = 0; i < all.n; i++) {
        names[i] = all.tensor[i]->name;
        all.tensor[i]->name = format("#%d", i);
        fprintf(stream, "%d%d ", all.tensor[i]->is_int, i < f->nparams ? f->param_written[i] : 2);
    }
    fprintf(stream, "%d %d %d %d %d\n", f->unroll, f->per_call, f->batched, f->brief, lanes);
    for (Kernel *k = f->kernels; k; k = k->next)
        for (fprintf(stream, "%lld%d ", (long long)k->blocks, k->joins), parts_of(k, part, &n); n--;) {
            fprintf(stream, "%d ", stores(k, *part[n]));
            dump_statement(stream, *part[n]);
            print_room(&(*part[n])->out, stream);
            visit_loads((*part[n])->rhs, print_room, stream);
        }
    close_text(&memory);
    for (int i = 0; i < all.n; i++)
        all.tensor[i]->name = names[i];
    char *copy = copy_text(memory.text, memory.length);
    free(memory.text);
    return copy;
}

/* ---- Passes ------------------------------------------------------------------------------------------------------------ */

typedef struct Taken {
    Map *names;          /* in net.c */
    Map *code;           /* by signature: the first function of that code */
} Taken;

static Taken taken_by(const Plan *plan, const Pass *forward)
{
    static const char *const reserved[] = {"init", "forward", "backward", "model", "tensors", "model_forward",
                                           "model_backward", "model_set_rng", "prepare", "model_prepare", "is_prepared"};
    Taken taken = {new_map(), new_map()};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        map_set(taken.names, format("%s_%s", plan->prefix, reserved[i]), &taken);
    for (Function *f = plan->forward.functions; f; f = f->next)
        map_set(taken.names, f->name, f);
    for (Function *f = forward ? forward->functions : NULL; f; f = f->next)
        if (!f->twin)
            map_set(taken.code, f->signature, f);
    return taken;
}

/* The function's name in net.c; a label may ask for one that is taken. */
static const char *function_name(const Taken *taken, const Function *f, const char *direction)
{
    const char *first = format("%s_%s", c_name(f->layer->name), direction), *name = first;
    for (int number = 2; map_find(taken->names, name); number++)
        name = format("%s%d", first, number);
    return name;
}

static bool makes_gradient(const Statement *s)
{
    return s->out.tensor->role == TENSOR_GRADIENT || (s->out.tensor->role == TENSOR_VALUE && s->out.tensor->weight);
}

/* "backward", or which half of it where there are two. */
static const char *part_name(const Function *f)
{
    bool gradients = false, others = false;
    for (const Kernel *k = f->kernels; k; k = k->next) {
        bool gradient = makes_gradient(k->body ? k->body : k->first);
        gradients |= gradient;
        others |= !gradient;
    }
    return gradients && !others ? "backward_weights" : f->layer->nweights && !gradients ? "backward_input" : "backward";
}

/* Does its layer do nothing there but add up what all samples share? Gradients don't count: they are what a pass is for. */
static bool adds_up(const Function *f)
{
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            const Tensor *t = (*part[n])->out.tensor;
            if ((*part[n])->layer == f->layer && t->role == TENSOR_VALUE && !t->per_sample && !t->of && !t->weight && !t->sum)
                return true;
        }
    return false;
}

/* Of what is done around the loops over samples. */
static const char *purpose_name(const Function *f)
{
    bool moves = f->per_call, fills = f->per_call, lanes = f->per_call;
    for (const Kernel *k = f->kernels; k; k = k->next) {
        moves &= k->form == FORM_MOVE;
        fills &= k->form == FORM_FILL;
        lanes &= k->body && adds_up_lanes(k->body);
    }
    return moves ? "transpose" : lanes ? "add_up" : format("%s%s", f->backward ? "backward_" : "", fills ? "clear" : f->per_call ? "once" : "sums");
}

static void name_functions(const Plan *plan, Pass *pass, const Pass *forward)
{
    const Taken taken = taken_by(plan, forward);
    for (Function *f = pass->functions; f; f = f->next) {
        f->signature = signature(f, pass->target->lanes);
        f->twin = map_find(taken.code, f->signature);
        bool forward_too = forward && !f->backward && !f->per_call && forward->of_layer[2 * f->layer->id];
        const char *direction = f->per_call || adds_up(f) ? purpose_name(f)
                                : f->backward ? part_name(f) : forward_too ? "training" : "forward";
        f->name = f->twin ? f->twin->name : function_name(&taken, f, direction);
        map_set(taken.names, f->name, f);
        if (!f->twin)
            map_set(taken.code, f->signature, f);
    }
}

typedef struct Made { /* is the tensor written by the statements from..end that don't make gradients? */
    const Statement *from, *end;
    bool found;
} Made;

static void note_made(const Access *access, void *context)
{
    Made *made = context;
    for (const Statement *s = made->from; s != made->end; s = s->next)
        made->found |= !makes_gradient(s) && (s->out.tensor == access->tensor || s->position == access->tensor);
}

/* The gradients of a layer's weights come first and are a function of their own, unless they need what the rest of
 * its backward pass works out. `begin` and the result are links of the list: where the layer's statements begin,
 * where its gradients end. */
static Statement **gradients_first(Statement **begin, Statement *end)
{
    Made made = {*begin, end, false};
    for (const Statement *s = *begin; s != end; s = s->next)
        if (makes_gradient(s))
            visit_loads(s->rhs, note_made, &made);
    if (made.found)
        return begin;
    Statement *gradients = NULL, **last = &gradients, *rest = NULL, **last_rest = &rest;
    for (Statement *s = *begin; s != end; s = s->next) {
        Statement ***to = makes_gradient(s) ? &last : &last_rest;
        **to = s;
        *to = &s->next;
    }
    *last_rest = end;
    if (!gradients)
        return begin;
    *last = rest ? rest : end;
    *begin = gradients;
    return last;
}

/* ---- Vectors that reach behind a value ---------------------------------------------------------------------------- */

typedef struct Reach {
    const Pass *pass;
    const Region *region;
    const Tile *tile;
    const Statement *s;
} Reach;

/* The last vector along the lane may begin anywhere in a row and is read whole. */
static void note_overrun(const Access *access, void *context)
{
    const Reach *reach = context;
    const Tile *tile = reach->tile;
    Tensor *t = access->tensor;
    Affine at = position_of(*access);
    if (t->role != TENSOR_VALUE || tile->lane < 0 || !at.coefficient[tile->lane])
        return;
    int64_t last = at.constant + (reach->s->blocks ? at.coefficient[BLOCK] * (reach->s->blocks - 1) : 0);
    for (int i = 0; i < reach->s->nindex; i++) {
        int64_t begin = reach->region->begin[i], steps = reach->region->count[i] - 1;
        steps = i == tile->lane ? steps / tile->width * tile->width : steps;
        last += at.coefficient[i] * (at.coefficient[i] < 0 ? begin : begin + steps);
    }
    if (last + tile->width > t->floats)
        t->overrun = reach->pass->root[t->id]->overrun = true;
}

static void note_region_overruns(const Pass *pass, Kernel *k, const Region *r, const Tile *tile)
{
    Statement **part[MAX_PARTS];
    int n = 0;
    for (add_parts(k, part, &n); n--;) {
        Reach reach = {pass, r, tile, *part[n]};
        visit_loads((*part[n])->rhs, note_overrun, &reach);
        if (k->body == *part[n] && !k->first) /* its first value is read */
            note_overrun(&k->body->out, &reach);
    }
}

static void note_overruns(const Pass *pass, const Function *f)
{
    for (Kernel *k = f->kernels; k; k = k->next)
        for (const Region *r = k->regions; r; r = r->next) {
            note_region_overruns(pass, k, r, &r->tile);
            note_region_overruns(pass, k, r, &r->rest);
            if (k->window) {
                Region region = window_region(k, r);
                Tile tile = window_tile(k, &r->tile);
                note_region_overruns(pass, k->window, &region, &tile);
            }
        }
}

static void note_hosted(Pass *pass, const Function *f, const Statement *s)
{
    const Function **host = &pass->host[2 * s->layer->id + s->backward];
    if (!*host)
        *host = f;
}

/* Which functions work for a layer. */
static void find_layers_functions(Pass *pass, int nlayers)
{
    Function **last = NEW_ARRAY(Function *, 2 * (nlayers + 1));
    pass->of_layer = NEW_ARRAY(const Function *, 2 * (nlayers + 1));
    pass->host = NEW_ARRAY(const Function *, 2 * (nlayers + 1));
    for (Function *f = pass->functions; f; f = f->next) {
        int at = 2 * f->layer->id + f->backward;
        if (!f->per_call) {
            *(last[at] ? &last[at]->same_layer : &pass->of_layer[at]) = f;
            last[at] = f;
        }
        Statement **part[MAX_PARTS];
        int n;
        for (Kernel *k = f->per_call ? NULL : f->kernels; k; k = k->next)
            for (parts_of(k, part, &n); n--;)
                note_hosted(pass, f, *part[n]);
    }
}

/* The pass of a Prog that is laid out already. */
static Pass make_pass(const Plan *plan, Prog *prog, const Target *target, int64_t samples, const Pass *forward)
{
    order_phases(prog);
    Pass pass = {.prog = prog, .target = target, .samples = samples, .batch = plan->net->batch,
                 .prepares = plan->options->inference};
    share_moves(&pass);
    Function **last = &pass.functions;
    for (Statement **link = &prog->statements, *end; *link;) {
        const Statement *first = *link;
        for (end = *link; end && end->layer == first->layer && end->backward == first->backward
                          && end->per_sample == first->per_sample && end->phase == first->phase;)
            end = end->next;
        Statement **middle = gradients_first(link, end), *parts[] = {*link, *middle, end};
        for (int i = 0; i < 2; i++) {
            Function *f = parts[i] == parts[i + 1] ? NULL : make_function(plan, &pass, parts[i], parts[i + 1]);
            if (!f)
                continue;
            *last = f;
            last = &f->next;
        }
        while (*link != end)
            link = &(*link)->next;
    }
    write_out_what_pays(&pass);
    fuse(&pass);
    if (!pass.samples)
        take_samples_together(plan, &pass);
    run_in_blocks(&pass, target);
    for (Function *f = pass.functions; f; f = f->next) {
        f->kernels = finish_kernels(f->kernels, f->unroll, target);
        f->cycles = f->unroll == UNROLL_FULL ? straight_cycles(f->kernels, f->terms, target)
                                             : sum_cycles(f->kernels) / (f->per_call ? 1 : samples_at_once(&pass, f));
        collect_params(f);
        note_overruns(&pass, f);
        f->brief = f->unroll != UNROLL_NONE && !f->per_call && !f->batched && f->terms <= BRIEF_POINTS * samples_of(&pass)
                   && f->cycles <= BRIEF_CYCLES;
    }
    find_layers_functions(&pass, plan->net->nlayers);
    name_functions(plan, &pass, forward);
    place(&pass, target->lanes);
    return pass;
}

enum { LINE = 16 };      /* floats in a line of the cache */
enum { FAR_GRADIENTS = 128 << 10 }; /* floats of all lanes' gradients beyond which training over samples isn't tried */

/* One weight after the other, each from a whole cache line on, as the laid out tensors of the passes say: the parameters,
 * or behind them the statistics. `floats` lie before them; the result says how many then. Where net_prepare makes something of
 * them, place.c has put them where they are loaded. */
static int64_t layout_params(const Plan *plan, bool statistics, int64_t floats)
{
    for (Weight *w = plan->net->weights; w; w = w->next) {
        if (w->statistic != statistics)
            continue;
        const Tensor *t = plan->forward.prog->weight[w->id];
        int64_t stride = 1;
        for (int d = 0; d < 4; d++) {
            w->axis[d] = 1;
            w->stride[d] = 0;
        }
        for (int d = t->rank - 1; d >= 0; d--) {
            w->axis[t->axis[d]] = t->dim[d];
            w->stride[t->axis[d]] = stride;
            stride *= t->room[d];
        }
        w->array = t;
        w->offset = plan->forward.prepared ? buffer_of(&plan->forward, t)->offset : floats;
        floats = (floats + t->floats + LINE - 1) / LINE * LINE;
    }
    return floats;
}

static void warn_if_unreasonable(const Plan *plan)
{
    int64_t bytes = 0, terms = 0;
    double seconds = 0;
    const Function *largest = NULL;
    for (const Pass *pass = &plan->forward; pass; pass = pass == &plan->forward ? &plan->training : NULL)
        for (const Function *f = pass->functions; f; f = f->next)
            if (f->unroll == UNROLL_FULL && !f->twin) {
                bytes += predicted_bytes(f);
                terms += f->terms;
                seconds += predicted_seconds(f);
                if (!largest || predicted_bytes(f) > predicted_bytes(largest))
                    largest = f;
            }
    diag_inside(largest ? largest->layer->use : NULL);
    if (terms > MOST_POINTS) {
        error_at(largest->layer->loc,
                 "--unroll=full would write out %s operations, %s of them in %s: use --unroll=tile or auto",
                 thousands(terms), thousands(largest->terms), largest->name);
    } else if (bytes > UNREASONABLE_BYTES) {
        warning_at(WARN_UNROLL, largest->layer->loc,
                   "--unroll=full gives about %.1f MB of machine code, and gcc -O2 will take about %.0f s; most of it is %s",
                   (double)bytes / (1 << 20), seconds, largest->name);
    }
    diag_inside(NULL);
}

static char *upper(const char *text)
{
    char *copy = format("%s", text);
    for (char *c = copy; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    return copy;
}

static double cycles_of(const Pass *pass, int64_t batch)
{
    double cycles = 0;
    for (const Function *f = pass->functions; f; f = f->next)
        cycles += f->cycles / (double)(f->per_call ? batch : 1);
    return cycles;
}

/* One machine with vectors of 16 works on them as fast as on 8, another takes twice as long. On the first kind LeNet-5 gains
 * 12 % in training and 18 % in inference by 16. */
static double share_of(const Target *target)
{
    return target->lanes > 8 ? 1.25 : 1;
}

static const Target *with_lanes(const Target *target, int lanes)
{
    Target *copy = NEW(Target);
    *copy = *target;
    copy->lanes = lanes;
    return copy;
}

/* The forward pass with vectors of so many lanes over channels; its predicted cycles for one sample. */
static double plan_forward(Plan *plan, const Prog *forward, int lanes)
{
    const Target *target = plan->target = with_lanes(plan->target, lanes);
    plan->forward = plan->training = (Pass){0};
    plan->forward = make_pass(plan, lay_out(forward, target, plan->options), target, 0, NULL);
    return share_of(target) * cycles_of(&plan->forward, 1);
}

/* Training beside it. */
static double plan_training(Plan *plan, const Prog *training)
{
    const Target *target = plan->target;
    if (training)
        plan->training = make_pass(plan, lay_out(training, target, plan->options), target, 0, &plan->forward);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch);
}

/* The gradients of all lanes are read and written once for each group of samples: what that takes for one of them, where they
 * lie beyond the nearest cache. */
static double gradient_cycles(const Net *net, const Target *target)
{
    enum { NEAREST_CACHE = 32 << 10 };
    static const double bytes_a_cycle = 32;
    double bytes = sizeof(float) * (double)net->nparams;
    return bytes * target->lanes > NEAREST_CACHE ? 2 * bytes / bytes_a_cycle : 0;
}

/* Training with a sample in each lane of the target's vectors. */
static double plan_samples(Plan *plan, const Prog *training, const Target *target)
{
    plan->training = make_pass(plan, lay_out_samples(training, plan->target, target), target, target->lanes, &plan->forward);
    return share_of(target) * cycles_of(&plan->training, plan->net->batch) + gradient_cycles(plan->net, target);
}

/* May the lanes of training lie over samples? Not where all is written out, and hardly where the gradients of all lanes
 * leave the near caches. */
static bool may_take_samples(const Plan *plan, const Prog *training)
{
    const Options *o = plan->options;
    bool near = plan->net->nparams * plan->target->lanes <= FAR_GRADIENTS || o->lanes == LANES_SAMPLES;
    if (o->math == MATH_WINOGRAD && o->lanes != LANES_SAMPLES)
        return false;
    return training && plan->target->lanes > 1 && (o->unroll == UNROLL_AUTO || o->unroll == UNROLL_TILE) && near
           && o->lanes != LANES_CHANNELS && samples_fit_lanes(training);
}

/* A network of few channels is faster in vectors that it fills: shorter ones, or, in training, such as take a sample in each
 * lane. Where shorter vectors are clearly slower in the forward pass they are not tried in training, nor shorter ones yet. */
static void choose_lanes(Plan *plan, const Prog *forward, const Prog *training)
{
    enum { FEWEST = 4 };
    static const double clearly_slower = 1.15;
    const Target *widest = plan->target;
    Plan best = *plan;
    double least = 0, least_forward = INFINITY, over_samples = INFINITY;
    bool samples = may_take_samples(plan, training);
    for (int lanes = widest->lanes;; lanes /= 2) {
        double cycles = plan_forward(plan, forward, lanes);
        if (cycles > clearly_slower * least_forward)
            break;
        least_forward = cycles < least_forward ? cycles : least_forward;
        double training_cycles = plan_training(plan, training);
        if (samples && lanes == widest->lanes) {
            Plan other = *plan;
            over_samples = plan->options->lanes == LANES_SAMPLES ? 0 : plan_samples(&other, training, widest);
        }
        cycles += over_samples < training_cycles ? over_samples : training_cycles;
        if (least == 0 || cycles <= least) {
            best = *plan;
            least = cycles;
            samples = over_samples < training_cycles;
        }
        if (lanes <= FEWEST || plan->options->unroll == UNROLL_NONE)
            break;
    }
    *plan = best;
    if (samples)
        plan_samples(plan, training, widest);
}

Plan *make_plan(const Net *net, Prog *forward, Prog *training, const Options *options)
{
    Plan *plan = NEW(Plan);
    plan->net = net;
    plan->options = options;
    Target *target = NEW(Target);
    *target = targets[options->target];
    target->rows = options->tile_rows;
    target->vectors = options->tile_vectors;
    target->blocks = options->blocks;
    target->chosen = no_tiles_chosen();
    plan->target = target;
    plan->prefix = options->prefix;
    plan->PREFIX = upper(options->prefix);
    choose_lanes(plan, forward, training);
    plan->floats = layout_params(plan, false, 0);
    if (!plan->floats)
        plan->floats = LINE;
    plan->all_floats = layout_params(plan, true, plan->floats);
    if (plan->forward.prepared) /* they share their room with what is made of them */
        plan->floats = plan->all_floats = plan->forward.prepared;
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

static void dump_tile(FILE *f, const Statement *s, const Tile *tile)
{
    for (int i = 0; i < s->nindex; i++) {
        if (i == tile->lane)
            fprintf(f, " %lld vectors %s", (long long)tile->factor[i], s->index_name[i]);
        else if (tile->factor[i] > 1)
            fprintf(f, " %lld %s", (long long)tile->factor[i], s->index_name[i]);
        if (tile->unrolled[i])
            fprintf(f, " all %s", s->index_name[i]);
        if (i == tile->parted)
            fprintf(f, " %lld sums %s", (long long)tile->parts, s->index_name[i]);
        if (i == tile->blocked)
            fprintf(f, " blocks of %lld %s", (long long)tile->block, s->index_name[i]);
    }
}

static void dump_kernel(FILE *f, const Kernel *k)
{
    const Statement *s = statement_of(k);
    fprintf(f, "    %s, %lld points, %.0f cycles%s\n", form_name(k->form), (long long)k->terms, k->cycles,
            !k->blocks ? "" : k->joins ? ", in the same loop" : format(", in a loop over %lld blocks", (long long)k->blocks));
    Statement **part[MAX_PARTS];
    int n;
    parts_of((Kernel *)k, part, &n);
    for (int i = 0; i < n; i++) {
        fputs("        ", f);
        if (!stores(k, *part[i]))
            fputs("in a register: ", f);
        dump_statement(f, *part[i]);
    }
    for (const Region *r = k->regions; r; r = r->next) {
        fputs("        region", f);
        for (int i = 0; i < s->nindex; i++)
            fprintf(f, " %s %lld+%lld", s->index_name[i], (long long)r->begin[i], (long long)r->count[i]);
        fprintf(f, r->empty ? " empty" : ", %.0f cycles, tile", r->tile.cycles);
        dump_tile(f, s, &r->tile);
        if (r->rest.cycles > 0) {
            fputs(", each sample left over", f);
            dump_tile(f, s, &r->rest);
        }
        fputc('\n', f);
    }
}

static void dump_pass(FILE *f, const char *name, const Pass *pass)
{
    fprintf(f, "pass %s", name);
    if (pass->chunk)
        fprintf(f, ", up to %lld samples together", (long long)pass->chunk);
    if (pass->samples)
        fprintf(f, ", lanes over %lld samples", (long long)pass->samples);
    fputc('\n', f);
    int phase = 0;
    for (const Function *fn = pass->functions; fn; fn = fn->next) {
        if (fn->phase && (fn == pass->functions || fn->phase != phase))
            fprintf(f, "  phase %d\n", fn->phase);
        phase = fn->phase;
        fprintf(f, "  %s: %s, %lld multiply-adds in %.0f cycles (%s)%s%s%s\n", fn->name, unroll_name(fn->unroll), (long long)fn->macs,
                fn->cycles, fn->why, fn->per_call ? ", once a call" : "",
                fn->batched ? ", samples together" : "", fn->twin ? format(", the same code as for %s", fn->twin->layer->name) : "");
        for (const Kernel *k = fn->kernels; k; k = k->next)
            if (k->body && k->body->method)
                fprintf(f, "    %s, predicted to be %.2f times as fast as without\n", k->body->method, k->body->gain);
        for (const Kernel *k = fn->twin ? NULL : fn->kernels; k; k = k->next)
            dump_kernel(f, k);
    }
    fprintf(f, "  arena %lld floats\n", (long long)pass->arena);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        fprintf(f, "    %8lld + %-8lld calls %d to %d  %s%s\n", (long long)b->offset, (long long)b->size, b->begin, b->end,
                b->tensor->name, b->samples > 1 ? ", of all samples" : b->prepared ? ", prepared" : "");
}

void dump_plan(FILE *f, const Plan *plan)
{
    fprintf(f, "plan for %s, %lld floats of parameters\n", plan->target->name, (long long)plan->floats);
    dump_pass(f, "forward", &plan->forward);
    if (plan->training.prog)
        dump_pass(f, "backward", &plan->training);
}

static void verify_block(const Access *access, void *context)
{
    const Statement *s = context;
    for (int d = 0; d < access->tensor->rank; d++) {
        int64_t least, most, before = access->tensor->before[d];
        affine_range(&access->at[d], s, &least, &most);
        if (least < -before || most >= access->tensor->room[d] - before)
            bug("%s: block by block %s is accessed outside its dimension %d", s->layer->name, access->tensor->name, d);
    }
}

/* Kernels of one loop over blocks agree on how many there are, and stay inside what they touch. */
static void verify_blocks(Kernel *kernels)
{
    for (Kernel *k = kernels; k; k = k->next) {
        Statement **part[MAX_PARTS];
        int n;
        if (k->joins && (k == kernels || !k->blocks))
            bug("a kernel joins a loop that is not there");
        if (k->next && k->next->joins && k->next->blocks != k->blocks)
            bug("kernels of %lld and of %lld blocks share a loop", (long long)k->blocks, (long long)k->next->blocks);
        for (parts_of(k, part, &n); k->blocks && n--;) {
            const Statement *s = *part[n];
            if (s->blocks != k->blocks || (s->position && s->position->count != s->out.tensor->count))
                bug("%s is not cut as its kernel is", s->out.tensor->name);
            verify_block(&s->out, *part[n]);
            visit_loads(s->rhs, verify_block, *part[n]);
        }
    }
}

static void verify_whole_samples(const Access *access, void *statement)
{
    if (access->tensor->ragged && !takes_samples_in(statement))
        bug("%s is read where a group may have fewer samples", access->tensor->name);
}

/* With a sample in each lane, every sum over samples is cleared once and added up once, and what is given is only taken in. */
static void verify_lanes(const Pass *pass)
{
    int *cleared = NEW_ARRAY(int, pass->prog->ntensors), *added = NEW_ARRAY(int, pass->prog->ntensors);
    for (const Function *f = pass->functions; f; f = f->next)
        for (Kernel *k = f->kernels; k; k = k->next) {
            Statement **part[MAX_PARTS];
            int n;
            for (parts_of(k, part, &n); n--;) {
                Statement *s = *part[n];
                visit_loads(s->rhs, verify_whole_samples, s);
                cleared[s->out.tensor->id] += f->per_call && s->out.tensor->sum && s->store == STORE_SET;
                if (adds_up_lanes(s))
                    added[s->rhs->access.tensor->id]++;
            }
        }
    for (const Tensor *t = pass->prog->tensors; t; t = t->next)
        if (t->sum && (cleared[t->id] != 1 || added[t->id] != 1))
            bug("%s is cleared %d times and added up %d times", t->name, cleared[t->id], added[t->id]);
}

static void verify_pass(const Plan *plan, const Pass *pass)
{
    verify_lanes(pass);
    for (const Function *f = pass->functions; f; f = f->next)
        verify_blocks(f->kernels);
    for (const Buffer *a = pass->buffers; a; a = a->next) {
        int64_t room = a->prepared ? pass->prepared : plan->arena;
        if (a->offset < 0 || a->size < a->tensor->floats * a->samples || a->offset + a->size > room)
            bug("%s lies outside the arena", a->tensor->name);
        if (a->prepared && a->lasting && a->offset <= pass->mark && pass->mark < a->offset + a->size)
            bug("%s lies where it is marked as prepared", a->tensor->name);
        for (const Buffer *b = a->next; b; b = b->next)
            if (a->prepared == b->prepared && a->begin <= b->end && b->begin <= a->end && a->offset < b->offset + b->size
                && b->offset < a->offset + a->size)
                bug("%s and %s overlap", a->tensor->name, b->tensor->name);
    }
    for (const Function *f = pass->functions; f; f = f->next)
        for (int i = 0; i < f->nparams; i++) {
            if (pass->root[f->param[i]->id]->role == TENSOR_VALUE && !buffer_of(pass, f->param[i]))
                bug("%s: %s has no buffer", f->name, f->param[i]->name);
            /* Functions promise (restrict) that what they are given is apart. */
            for (int k = 0; k < i; k++)
                if (pass->root[f->param[i]->id] == pass->root[f->param[k]->id])
                    bug("%s: %s and %s share memory", f->name, f->param[i]->name, f->param[k]->name);
        }
    for (const Function *f = pass->functions; f; f = f->next)
        for (const Kernel *k = f->kernels; k; k = k->next)
            for (const Region *a = k->regions; a; a = a->next)
                for (const Region *b = a->next; b; b = b->next) {
                    bool apart = false;
                    const Statement *s = statement_of(k);
                    for (int i = 0; i < s->nindex; i++)
                        apart |= a->begin[i] + a->count[i] <= b->begin[i] || b->begin[i] + b->count[i] <= a->begin[i];
                    if (!apart)
                        bug("%s: two regions overlap", f->name);
                }
}

void verify_plan(const Plan *plan)
{
    for (const Weight *w = plan->net->weights; w; w = w->next) {
        int64_t end = w->offset + w->array->floats;
        bool behind = w->statistic && !plan->forward.prepared;
        if (w->offset < (behind ? plan->floats : 0) || end > (w->statistic ? plan->all_floats : plan->floats))
            bug("%s lies outside its part of the parameters", w->name);
        for (const Weight *other = w->next; other; other = other->next)
            if (w->offset < other->offset + other->array->floats && other->offset < end)
                bug("%s and %s overlap", w->name, other->name);
    }
    verify_pass(plan, &plan->forward);
    if (plan->training.prog)
        verify_pass(plan, &plan->training);
}
