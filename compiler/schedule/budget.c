/* budget.c: what written-out code costs, and what auto writes out. */
#include <stdlib.h>

#include "schedule/schedule.h"

/* ---- Predictions -----------------------------------------------------------------------------
 *
 * Measured with gcc 12 -O2 on x86-64 on straight-line code: 400 functions of 13 networks with all kinds of
 * layers, for scalar, generic (-mavx2 -mfma) and avx512. A point of a statement, which is one vector where
 * there are lanes, takes the bytes below; exp and its like are written in its place unless there are many.
 * So predicted, a function's size is off by a factor of 1.8 for scalar, where gcc makes vectors of some of
 * it, and 1.3 otherwise (root mean square of logarithms; at 17 bytes a point it was 3.6 and 2.6: xor's
 * took 5 times as many). A byte takes 15 to 35 microseconds to compile. Without lanes a point runs in half
 * a cycle. */

enum { TERM_BYTES = 12, STATEMENT_BYTES = 9, MAXIMUM_BYTES = 36, POSITION_BYTES = 12, MEMSET_BYTES = 20 };

enum { UNREASONABLE_BYTES = 1 << 20, MOST_POINTS = 2000000 };
static const double seconds_a_byte = 25e-6;

/* Of tiles, by the bytes of C: gpt, lenet, mobilenet and unet, each within a third of that. */
static const double code_of_text = 0.22, seconds_of_text = 10e-6;

/* Without vectors auto writes out more than a few points only for a clear gain. Where each weight of very
 * few serves a sample but once, samples are better taken together. */
enum { FEW_POINTS = 100, FEW_WEIGHTS = 256 };

static const double least_gain = 1.25;

/* A function that takes no longer may become part of its caller: a call costs some five cycles, and what
 * is stored for the next function needs as many more to arrive. */
enum { BRIEF_POINTS = 64, BRIEF_CYCLES = 128 };

static int64_t expr_bytes(const Expr *e, int width)
{
    int64_t bytes = op_info[e->op].bytes * (op_info[e->op].bytes_each ? width : 1);
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
        int64_t outputs = steps_of(k), each = STATEMENT_BYTES,
                points = k->regions ? steps_of(k) * vectors_of(k, s->nindex) : k->terms;
        for (int i = 0; i < output_indices(s); i++)
            outputs *= s->extent[i];
        if (k->regions)
            outputs = steps_of(k) * vectors_of(k, output_indices(s));
        if (k->form == FORM_FILL) {
            bytes += steps_of(k) * MEMSET_BYTES;
            continue;
        }
        if (k->first)
            each += expr_bytes(k->first->rhs, width);
        for (int i = 0; i < k->nthen; i++)
            each += expr_bytes(k->then[i]->rhs, width) + (k->dropped[i + 1] ? 0 : STATEMENT_BYTES);
        bytes += outputs * each;
        if (k->body)
            bytes += points
                   * (k->form == FORM_CONTRACTION ? TERM_BYTES
                                                  : expr_bytes(k->body->rhs, width)
                                                        + (k->body->store == STORE_MAX ? MAXIMUM_BYTES : 0)
                                                        + (k->body->position ? POSITION_BYTES : 0));
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

int64_t count_terms(const Kernel *kernels, Unroll unroll)
{
    int64_t terms = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        terms += unroll == UNROLL_FULL && k->regions ? steps_of(k) * vectors_of(k, statement_of(k)->nindex)
                                                     : k->terms;
    return terms;
}

const char *thousands(int64_t n)
{
    return n < 10000 ? format("%lld", (long long)n) : n < 10000000 ? format("%lldk", (long long)(n / 1000))
                                                    : format("%lldM", (long long)(n / 1000000));
}

double cycles_of_kernels(const Kernel *kernels)
{
    double cycles = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        cycles += k->cycles + 4;
    return cycles;
}

/* Scalars in straight-line code take more than their points where they wait for one another, and what they
 * store waits some 25 cycles before it can be loaded as a vector: measured with small networks. */
double straight_cycles(const Kernel *kernels, int64_t terms, const Target *target)
{
    double vectors = 0, scalars = 0;
    for (const Kernel *k = kernels; k; k = k->next) {
        const Statement *s = statement_of(k);
        if (k->regions)
            vectors += k->cycles;
        else
            scalars +=
                (double)k->terms * (is_contraction(s) ? target->machine->scalar_cycles : expr_cycles(s->rhs));
    }
    if (target->lanes == 1)
        return scalars * (terms > FEW_POINTS ? 1.5 : 1);
    return vectors + (scalars > 0 ? 2.25 * scalars + 25 : 0);
}

/* ---- What auto writes out in full ------------------------------------------------------------
 *
 * Those functions for which it is predicted to be faster, the greatest gain for its bytes first, while all
 * of them together stay in the instruction cache. */

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

/* May it be written out at all? Not where the bodies of its loops wait for nothing, and the loops cost
 * little; nor where samples are better taken together. */
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
    Candidate c = {
        .function = f, .terms = count_terms(f->straight, UNROLL_FULL), .bytes = bytes_of(f->straight)};
    c.cycles = straight_cycles(f->straight, c.terms, pass->target);
    c.gain = (f->cycles - c.cycles) / (double)c.bytes;
    c.may = may_be_full(f, c.terms);
    c.pays = least_gain * c.cycles <= f->cycles;
    return c;
}

/* all: the room of all that is written out; room: what is left of it. */
static const char *reason_of(const Candidate *c, int64_t all, int64_t room)
{
    const char *cycles_of_both = format("tile %.0f, full %.0f", c->function->cycles, c->cycles);
    if (!c->pays)
        return format("%s: too little gained", cycles_of_both);
    if (c->may && c->bytes <= room)
        return cycles_of_both;
    return format("%s, but %s", cycles_of_both, c->bytes > all ? "too large" : c->may ? "others take the room"
                  : weights_used_once(c->function) ? "samples go together" : "loops do as well");
}

static void write_out(const Candidate *c, int64_t all, int64_t room)
{
    Function *f = c->function;
    f->why = reason_of(c, all, room);
    f->unroll = UNROLL_FULL;
    f->kernels = f->straight;
    f->straight = NULL;
    f->terms = c->terms;
    f->cycles = c->cycles;
}

void write_out_what_pays(const Pass *pass)
{
    const int64_t all = pass->target->machine->code_bytes;
    int64_t room = all;
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
            if (c->function->straight && c->pays && c->may && c->bytes <= room
                && c->gain > (best ? best->gain : 0))
                best = c;
        if (!best)
            break;
        write_out(best, all, room);
        room -= best->bytes;
    }
    for (int i = 0; i < n; i++)
        if (candidates[i].function->straight)
            candidates[i].function->why = reason_of(&candidates[i], all, room);
}

/* The function of the most bytes, of those that are written out or of all; NULL: there is none. */
static const Function *largest_of(const Plan *plan, bool full, double (*bytes)(const Function *))
{
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation,
                            &plan->next};
    const Function *largest = NULL;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        for (const Function *f = passes[i]->functions; f; f = f->next)
            if (!f->twin && (!full || f->unroll == UNROLL_FULL) && (!largest || bytes(f) > bytes(largest)))
                largest = f;
    return largest;
}

static double machine_bytes(const Function *f)
{
    return (double)predicted_bytes(f);
}

static double text_bytes(const Function *f)
{
    return c_bytes_of(f->kernels);
}

void warn_if_unreasonable(const Plan *plan)
{
    int64_t bytes = 0, terms = 0;
    double seconds = 0;
    const Function *largest = largest_of(plan, true, machine_bytes);
    const Pass *passes[] = {&plan->forward, &plan->training, &plan->forward_train, &plan->evaluation,
                            &plan->next};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        for (const Function *f = passes[i]->functions; f; f = f->next)
            if (f->unroll == UNROLL_FULL && !f->twin) {
                bytes += predicted_bytes(f);
                terms += f->terms;
                seconds += predicted_seconds(f);
            }
    diag_inside(largest ? largest->layer->use : NULL);
    if (terms > MOST_POINTS) {
        error_at(largest->layer->loc,
                 "--unroll=full would write out %s operations, %s of them in %s: use --unroll=tile or auto",
                 thousands(terms), thousands(largest->terms), largest->name);
    } else if (bytes > UNREASONABLE_BYTES) {
        warning_at(WARN_UNROLL, largest->layer->loc,
                   "--unroll=full gives about %.1f MB of machine code, and gcc -O2 will take about %.0f s; "
                   "most of it is %s",
                   (double)bytes / (1 << 20), seconds, largest->name);
    }
    diag_inside(NULL);
}

void warn_of_size(const Plan *plan, int64_t text)
{
    const Function *largest = largest_of(plan, false, text_bytes);
    const double bytes = (double)text * code_of_text;
    if (plan->options->unroll == UNROLL_FULL || bytes < UNREASONABLE_BYTES || !largest)
        return;
    diag_inside(largest->layer->use);
    warning_at(WARN_UNROLL, largest->layer->loc,
               "this network gives about %.0f MB of C and %.0f MB of machine code, and gcc -O2 will take "
               "some %.0f0 s; the largest function is %s",
               (double)text / (1 << 20), bytes / (1 << 20), (double)text * seconds_of_text / 10,
               largest->name);
    help_at(largest->layer->loc, "--unroll=none gives plain loops, which are short and slow");
    diag_inside(NULL);
}

/* How many samples a function takes at once that isn't given a chunk of them. */
int64_t samples_of(const Pass *pass)
{
    return pass->samples ? pass->samples : 1;
}

double samples_at_once(const Pass *pass, const Function *f)
{
    int64_t samples = f->batched ? pass->chunk : samples_of(pass), batch = pass->batch;
    return pass->samples ? (double)batch / (double)((batch + samples - 1) / samples) : (double)samples;
}

double c_bytes_of(const Kernel *kernels)
{
    double bytes = 0;
    for (const Kernel *k = kernels; k; k = k->next)
        bytes += text_of_tiles(k);
    return bytes;
}

bool is_small(const Function *f, const Target *target)
{
    return f->terms / target->lanes * TERM_BYTES <= target->machine->code_bytes;
}

bool is_brief(const Function *f, const Pass *pass)
{
    return f->unroll != UNROLL_NONE && !f->per_call && !f->batched
        && f->terms <= BRIEF_POINTS * samples_of(pass) && f->cycles <= BRIEF_CYCLES;
}
