/* dump.c: a Plan as text, for --dump=plan, and what each step of the schedule left behind, for
 * --dump=STEP. */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

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
    for (int i = 0; tile->ordered && i < output_indices(s); i++)
        fprintf(f, "%s%s", i ? ", " : ", loops over ", s->index_name[tile->order[i]]);
}

static void dump_kernel(FILE *f, const Kernel *k)
{
    const Statement *s = statement_of(k);
    fprintf(f, "    %s, %lld points, %.0f cycles%s\n", form_name(k->form), (long long)k->terms, k->cycles,
            k->recurrence ? format(", in a loop over %lld steps", (long long)steps_of(k))
            : !k->blocks ? ""
            : k->joins ? ", in the same loop"
                       : format(", in a loop over %lld blocks", (long long)k->blocks));
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

/* Its name, once it has one. */
static const char *function_text(const Function *f)
{
    return f->name ? f->name : format("%s%s", f->layer->name, f->backward ? ", backward" : "");
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
        fprintf(f, "  %s: %s, %lld multiply-adds in %.0f cycles (%s)%s%s%s\n", function_text(fn),
                unroll_name(fn->unroll), (long long)fn->macs, fn->cycles, fn->why,
                fn->per_call ? ", once a call" : "", fn->batched ? ", samples together" : "",
                fn->twin ? format(", the same code as for %s", fn->twin->layer->name) : "");
        for (const Kernel *k = fn->kernels; k; k = k->next)
            if (k->body && k->body->method)
                fprintf(f, "    %s, predicted to be %.2f times as fast as without\n", k->body->method,
                        k->body->gain);
        for (const Kernel *k = fn->twin ? NULL : fn->kernels; k; k = k->next)
            dump_kernel(f, k);
    }
    fprintf(f, "  arena %lld floats\n", (long long)pass->arena);
    for (const Buffer *b = pass->buffers; b; b = b->next)
        fprintf(f, "    %8lld + %-8lld calls %d to %d  %s%s\n", (long long)b->offset, (long long)b->size,
                b->begin, b->end, b->tensor->name,
                b->samples > 1 ? ", of all samples"
                : b->prepared  ? ", prepared"
                               : "");
}

void dump_plan(FILE *f, const Plan *plan)
{
    fprintf(f, "plan for %s, %lld floats of parameters\n", plan->target->machine->name,
            (long long)plan->floats);
    dump_pass(f, "forward", &plan->forward);
    if (plan->training.prog)
        dump_pass(f, "backward", &plan->training);
    if (plan->next.prog)
        dump_pass(f, "next", &plan->next);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static const char *pass_name(const Pass *pass)
{
    return pass->prog->positions ? "next" : pass->prog->training ? "backward" : "forward";
}

/* The statements as they lie in memory, or once there are functions those. */
const char *pass_text(const Pass *pass)
{
    TextStream memory;
    FILE *f = open_text(&memory);
    if (pass->functions)
        dump_pass(f, pass_name(pass), pass);
    else
        dump_prog(f, pass->prog);
    close_text(&memory);
    const char *copy = copy_text(memory.text, memory.length);
    free(memory.text);
    return copy;
}

static void dump_steps_of(FILE *f, const Pass *pass, const char *name)
{
    const char *before = "";
    for (const Trace *t = pass->trace; t; t = t->next) {
        if (!name || !strcmp(name, t->name)) {
            bool same = !name && !strcmp(before, t->text);
            fprintf(f, "---- %s, %s%s\n%s", t->name, pass_name(pass), same ? ": (unchanged)" : "",
                    same ? "" : t->text);
        }
        before = t->text;
    }
}

/* What the step of that name left behind; NULL: all steps. */
void dump_steps(FILE *f, const Plan *plan, const char *name)
{
    dump_steps_of(f, &plan->forward, name);
    if (plan->training.prog)
        dump_steps_of(f, &plan->training, name);
    if (plan->next.prog)
        dump_steps_of(f, &plan->next, name);
}
