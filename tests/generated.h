/* generated.h: networks compiled to machine code and called, for tests.
 *
 *     generated nets[] = {{"a", "input 2; fc 3; softmax", "--unroll=full", GENERATED_C99},
 *                         {"b", "input 3x8x8; maxpool 2", "--unroll=none", GENERATED_GNU}};
 *     void *library = generated_build("build/tests/tmp/mine", nets, 2, NULL);
 *     float *y = generated_memory(nets[0].model->output * sizeof *y);
 *     ...
 *     generated_close(library);
 *
 * A C compiler takes longer to start than to compile a small network, so give many networks to one call: it compiles several
 * at a time and keeps every core busy. Tests run in the repository's root and need build/nnc there. */
#ifndef GENERATED_H
#define GENERATED_H

#include <stddef.h>
#include "nn.h"

/* The two dialects in which generated code promises to compile without a warning, at a level that is quick (append
 * another to override it). */
#define GENERATED_C99 "-std=c99 -pedantic -Wall -Wextra -Werror -O1"   /* --target=scalar */
#define GENERATED_GNU "-std=gnu11 -Wall -Wextra -Wpedantic -Werror -O1"           /* --target=generic */

/* A C compiler without an optimizer, which takes a twentieth of the time of the others without theirs. It knows no vectors,
 * so it is for plain C: --unroll=none, and --target=scalar. Whoever lacks it has clang in its place. */
const char *generated_quick_cc(void);

typedef struct generated {
    const char     *prefix;   /* its C prefix, unlike the others of the same call */
    const char     *text;     /* what stands in the .nn file */
    const char     *options;  /* for nnc: --unroll=..., --target=... */
    const char     *cflags;   /* for the C compiler: one of the two above, or your own */
    const nn_model *model;    /* result: NULL if nnc or the C compiler refused, and stderr has said why */
} generated;

/* Compiles count networks in folder (which is emptied first; PREFIX.nn, .h, .c and .log stay there to be read) and
 * loads them. cc is the C compiler; NULL is $CC, or gcc. A network that fails leaves its model NULL and the others
 * usable. Returns what generated_close takes, or NULL if nothing could be loaded. */
void *generated_build(const char *folder, generated *nets, size_t count, const char *cc);

/* The same without what is known: a network is left out if its C is, comments apart, what an earlier call of this function
 * built with the same flags, by whichever C compiler. known[i] becomes 1 for these and 0 for the others; their model is NULL. */
void *generated_build_new(const char *folder, generated *nets, size_t count, const char *cc, unsigned char *known);

/* Unloads the networks of one call: their models are gone. NULL is fine. */
void generated_close(void *library);

/* bytes of memory, aligned as net_params and net_work are and full of NaN, so that whoever reads what nobody wrote
 * is found out. Free with free(). Aborts when there is none left. */
void *generated_memory(size_t bytes);

/* The same for a network's scratch memory, of which only what a caller has to clear is clear. */
void *generated_work(const nn_model *model);

#endif
