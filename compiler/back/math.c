/* math.c: prints exp, tanh, sigmoid, log, log1p, erf and sqrt into net.c, for floats and for vectors of
 * them. The C itself lies in fixed/elementary.h: one text for both, which says how they are made. */
#include <string.h>

#include "back/back.h"

static const struct { unsigned in; const char *name;
} functions[] = {
    {MATH_EXP, "exp"},   {MATH_SIGMOID, "sigmoid"}, {MATH_TANH, "tanh"},   {MATH_ERF, "erf"},
    {MATH_SQRT, "sqrt"}, {MATH_LOG, "log"},         {MATH_LOG1P, "log1p"},
};

static const FixedWord of_floats[] = {{"REAL", "float"}, {"BITS", "uint32_t"}, {"_R", "_f"}, {0}};

/* Compilers have things to say about vectors in parameter lists that are wider than the machine's, so there
 * the function works in place, and a macro makes a value of it: its body gets another head and end. */
static void put_vec_function(FILE *f, const char *name, const char *kind, const FixedWord *of_vectors)
{
    const FixedWord words[] = {{"REAL", format("vec%s", kind)},
                               {"BITS", format("vec_bits%s", kind)},
                               {"_R", format("_v%s", kind)},
                               {0}};
    FixedWord around[40] = {{"NAME_in_place", format("%s_in_place%s", name, kind)},
                            {"NAME_v", format("%s_v%s", name, kind)}};
    for (int i = 0; of_vectors[i].word; i++)
        around[i + 2] = of_vectors[i];
    const char *text = fixed_text(format("elementary.h: %s", name), words), *head = strstr(text, "static ");
    const char *body = strstr(head, "{\n") + 2, *end = strstr(body, "    return y;\n");
    fprintf(f, "%.*s", (int)(head - text), text);
    put_fixed(f, "vectors.h: function begins", around);
    fprintf(f, "%.*s", (int)(end - body), body);
    put_fixed(f, "vectors.h: function ends", around);
}

void emit_math(FILE *f, int lanes, const char *kind, unsigned scalar_set, unsigned vector_set)
{
    size_t count = sizeof functions / sizeof *functions;
    if (scalar_set
        & ~(unsigned)MATH_SQRT) /* sqrt needs none of it, and a compiler may mention what isn't needed */
        put_fixed(f, "elementary.h: float vocabulary", NULL);
    if (scalar_set & MATH_SQRT)
        put_fixed(f, "elementary.h: float root", NULL);
    for (size_t i = 0; i < count; i++)
        if (functions[i].in & scalar_set)
            put_fixed(f, format("elementary.h: %s", functions[i].name), of_floats);
    if (lanes == 1 || !vector_set)
        return;
    const FixedWord *words = vector_words(lanes, kind);
    if (vector_set & ~(unsigned)MATH_SQRT) {
        put_fixed(f, format("lanes%d.h: times", lanes), words);
        put_fixed(f, "vectors.h: bits of vectors", words);
    }
    if (vector_set & MATH_SQRT)
        put_fixed(f, format("lanes%d.h: root", lanes), words);
    for (size_t i = 0; i < count; i++)
        if (functions[i].in & vector_set)
            put_vec_function(f, functions[i].name, kind, words);
}
