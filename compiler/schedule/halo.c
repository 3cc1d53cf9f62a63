/* halo.c: are zeros around what a statement reads worth their memory? */
#include <string.h>

#include "schedule/schedule.h"

/* Points of the box that multiply a zero cost time. Few of them are less than what a test or borders of
 * their own take; where there are more, the prediction says which is faster. */
static const double little_waste = 1.25, most_waste = 2.2;

/* x is the caller's: a halo means a copy. What its rows take. */
typedef struct Copying {
    const Target *target;
    double cycles;
} Copying;

static void note_copying(const Access *access, void *context)
{
    Copying *copying = context;
    const Tensor *t = access->tensor;
    if (!access->padded || t->role != TENSOR_INPUT)
        return;
    int64_t row = t->dim[t->rank - 1], lanes = copying->target->lanes;
    copying->cycles += (double)(t->count / row) * (1.5 * (double)((row + lanes - 1) / lanes) + 3);
}

bool worth_a_halo(const Statement *s, const Target *target)
{
    Region *whole = NEW(Region);
    bool partition;
    int64_t inside = points_inside(s);
    if (inside <= 0 || (double)box_volume(s) > most_waste * (double)inside)
        return false;
    double apart = 0;
    Copying copying = {target, 0};
    visit_loads(s->rhs, note_copying, &copying);
    bool little = copying.cycles == 0 && (double)box_volume(s) <= little_waste * (double)inside;
    if (little || !best_split(s, target, &partition, &apart))
        return true;
    memcpy(whole->count, s->extent, sizeof whole->count);
    Kernel k = {.body = (Statement *)s, .regions = whole, .samples = -1, .row = -1};
    choose_tiles(&k, target);
    return k.cycles + copying.cycles <= apart;
}
