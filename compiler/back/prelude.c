/* prelude.c: what the functions of net.c call by name: vectors, selections, exp and its kin. Which of it they
 * call is known from printing them; the C itself lies in fixed/: prelude.h, vectors.h, lanes4.h, ... */
#include <string.h>

#include "back/back.h"

/* What stands behind the names of what a pass's vectors are: their size, where the plan has another. */
const char *kind_of(const Plan *plan, const Pass *pass)
{
    return pass->target && pass->target->lanes != plan->target->lanes ? format("%d", pass->target->lanes)
                                                                      : "";
}

/* Code for vectors that the C compiler is not told of is right, but slow: it then says which flag it
 * misses. It says so in a message, which -Werror doesn't make an error. Vectors of 4 need no flags on x86. */
static void put_advice(FILE *f, const Target *target)
{
    const char *flags = strchr(target->machine->cflags, ' ');
    const FixedWord words[] = {{"FLAGS", flags ? flags + 1 : "-march=native"}, {0}};
    put_fixed(f, "prelude.h: advice", NULL);
    if (target->lanes > 4)
        put_fixed(f, format("prelude.h: advice for %d lanes", target->lanes), words);
    put_fixed(f, "prelude.h: advice for Arm", NULL);
}

static void put_vectors(FILE *f, int lanes, const char *kind, const Uses *uses)
{
    const FixedWord *words = vector_words(lanes, kind);
    const struct { bool used; const char *file, *section;
    } sections[] = {
        {true, "vectors", "vectors"},
        {uses->select || uses->absolute || uses->first, "vectors", "masks"},
        {true, "vectors", "load and store"},
        {uses->load_first || uses->store_first, "vectors", "the first k"},
        {uses->load_first, "vectors", "LOAD_FIRST"},
        {uses->store_first, "vectors", "STORE_FIRST"},
        {uses->first, "lanes", "FIRST"},
        {uses->all, "lanes", "ALL"},
        {uses->select, "vectors", "SELECT"},
        {uses->absolute, "vectors", "ABS"},
        {uses->lanes, "lanes", "LANES"},
        {uses->each, "lanes", "EACH"},
        {true, "vectors", "end of vectors"},
        {uses->sum, "lanes", "sum"},
        {uses->sum, "vectors", "SUM"},
        {uses->greatest, "lanes", "greatest"},
        {uses->greatest, "vectors", "GREATEST"},
    };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (sections[i].used)
            put_fixed(f, format("%s%s.h: %s", sections[i].file,
                                *sections[i].file == 'l' ? format("%d", lanes) : "", sections[i].section),
                      words);
}

/* uses[0]: of the plan's vectors, and of numbers; uses[1]: of training's, where they are others. calls:
 * some function may not be inlined. */
void put_prelude(FILE *f, const Plan *plan, const char *header_name, const Uses uses[2], bool calls)
{
    const FixedWord words[] = {{"NET_HEADER", format("\"%s\"", header_name ? header_name : "")}, {0}};
    put_fixed(f, "prelude.h: includes", NULL);
    if (header_name) {
        put_fixed(f, "prelude.h: include of the header", words);
    } else {
        fputc('\n', f);
        if (plan->options->is_static)
            put_fixed(f, "prelude.h: static", NULL);
        emit_header(f, plan);
    }
    put_fixed(f, "prelude.h: includes of C", NULL);
    if (uses[0].vectors || uses[1].vectors)
        put_advice(f, plan->target);
    if (calls)
        put_fixed(f, "prelude.h: functions of their own", NULL);
    if (uses[0].unrolled || uses[1].unrolled)
        put_fixed(f, "prelude.h: unrolled", NULL);
    if (uses[0].greater || uses[1].greater)
        put_fixed(f, "prelude.h: greater", NULL);
    if (uses[0].vectors)
        put_vectors(f, plan->target->lanes, "", &uses[0]);
    emit_math(f, plan->target->lanes, "", uses[0].scalar_math | uses[1].scalar_math, uses[0].vector_math);
    if (uses[1].vectors) {
        const char *kind = kind_of(plan, &plan->training);
        put_vectors(f, plan->training.target->lanes, kind, &uses[1]);
        emit_math(f, plan->training.target->lanes, kind, 0, uses[1].vector_math);
    }
}
