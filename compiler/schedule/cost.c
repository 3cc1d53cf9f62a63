/* cost.c: the cycles of an expression, of a window, and of what follows on a tile. */

#include "schedule/schedule.h"

double expr_cycles(const Expr *e)
{
    double sum = op_info[e->op].cycles;
    for (int i = 0; i < op_info[e->op].arity; i++)
        sum += expr_cycles(e->arg[i]);
    return sum;
}

/* A point of a sum or a maximum. */
double window_cycles(const Statement *s)
{
    return expr_cycles(s->rhs) + 0.5 + (s->store == STORE_MAX);
}

/* A point of the kernel's windows, which is in a register: it is neither loaded nor stored. */
double held_window_cycles(const Kernel *k)
{
    return window_cycles(k->window->body) - 1.5;
}

typedef struct Loads {   /* of values that the tiles of a kernel hold: they cost nothing */
    const Kernel *kernel;
    double cycles;
} Loads;

static void note_held(const Access *access, void *context)
{
    Loads *held = context;
    if (held_in_registers(held->kernel, access->tensor))
        held->cycles += expr_cycles(&(Expr){.op = OP_LOAD});
}

/* What follows on a tile of so many vectors, or numbers, `row` of them in each row; whole: it is the only
 * tile. */
double followers_cycles(const Kernel *k, const Machine *core, const Tile *tile, double vectors,
                               double row, bool whole)
{
    double cycles = 0;
    for (const Kernel *f = k->followers; f; f = f->next) {
        const Statement *s = statement_of(f);
        Loads held = {k, 0};
        visit_loads(s->rhs, note_held, &held);
        bool of_row = k->row >= 0 && !rhs_depends_on(s, k->row);
        bool across = tile->lane >= 0 && !depends_on(&s->out, tile->lane) && rhs_depends_on(s, tile->lane);
        double places = 1, times = of_row ? vectors / row : vectors;
        for (int i = output_indices(statement_of(k)); i < s->nindex; i++)
            places *= (double)s->extent[i];
        cycles += times * places * (expr_cycles(s->rhs) - held.cycles + 0.5);
        cycles += adds_to_memory(f) && !whole ? core->store_cycles : 0;
        if (across)
            cycles += (s->store == STORE_MAX ? core->compare_cycles : core->sum_cycles)
                    * (adds_to_memory(f) ? 1 : vectors / row);
    }
    return cycles;
}
