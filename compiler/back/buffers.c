/* buffers.c: the buffers of a pass: how net.c declares them, each with the type that the functions want, and
 * how their calls are given them.
 *
 *     float (*const conv1_out)[12][8] = (void *)(w->arena + 64);       of the sample at hand
 *     float (*const relu1_out)[12][12][8] = (void *)(w->arena + 1216); of all samples: one's is relu1_out[s]
 *
 * What is only read there is const. ISO C makes no pointer to const rows out of one to rows, nor out of one
 * to const void; so what is written first and read then is cast to void where it is read. */
#include <stdlib.h>

#include "back/back.h"

/* To a float, or to rows of them. */
typedef struct Pointer {
    bool is_const;
    int rank;
    int64_t dim[MAX_RANK + 1];
} Pointer;

static bool is_flat(const Function *fn, const Tensor *tensor)
{
    return fn->unroll == UNROLL_FULL || tensor->rank < 2;
}

/* What the parameter is. */
static Pointer pointer_of_param(const Function *fn, int i)
{
    const Tensor *tensor = fn->param[i];
    Pointer to = {.is_const = !fn->param_written[i]};
    for (int d = 1; d < tensor->rank && !is_flat(fn, tensor); d++)
        to.dim[to.rank++] = tensor->room[d];
    return to;
}

/* Does it hold each sample's? */
static bool holds_samples(const Buffer *b)
{
    return b->samples > 1 || b->whole_batch;
}

/* Does its call stand where the loop's buffers are declared? net_prepare makes what is prepared. */
static bool is_called(const Loop *loop, const Function *fn)
{
    return !loop->pass->prepares || fn->per_call == loop->prepares;
}

/* How it is declared: as the first function that wants rows of it wants them. */
static Pointer pointer_to_buffer(const Loop *loop, const Buffer *b)
{
    const bool samples = holds_samples(b);
    Pointer to = {.is_const = true};
    for (const Function *fn = loop->declared; fn != loop->declared_end; fn = fn->next)
        for (int i = 0; i < fn->nparams; i++) {
            const Tensor *t = fn->param[i];
            if (buffer_of(loop->pass, t) != b || !is_called(loop, fn))
                continue;
            to.is_const &= !fn->param_written[i];
            const bool other = samples && !t->of && t->floats != b->tensor->floats;
            if (to.rank || is_flat(fn, t) || other)
                continue;
            for (int d = !samples || t->of; d < t->rank; d++)
                to.dim[to.rank++] = t->room[d];
        }
    if (!to.rank && samples)
        to.dim[to.rank++] = b->tensor->floats;
    return to;
}

void put_buffer(FILE *f, const Loop *loop, const Buffer *b)
{
    const Pointer to = pointer_to_buffer(loop, b);
    const char *name = c_name(b->tensor->name), *type = to.is_const ? "const float" : "float";
    const char *memory = b->prepared ? "p->weights" : "w->arena";
    const char *place = format("%s + %lld", memory, (long long)b->offset);
    if (to.rank)
        fprintf(f, "    %s (*const %s)%s = (void *)(%s);\n", type, name,
                dims_text(to.rank, to.dim, "[", "][", "]"), place);
    else
        fprintf(f, "    %s *const %s = %s;   /* %lld */\n", type, name, place, (long long)b->tensor->floats);
}

static int by_number(const void *a, const void *b)
{
    return (*(const Buffer *const *)a)->number - (*(const Buffer *const *)b)->number;
}

int buffers_of(const Pass *pass, const Function *begin, const Function *end, const Buffer ***buffers)
{
    int n = 0, kept = 0;
    for (const Function *f = begin; f != end; f = f->next)
        n += f->nparams;
    const Buffer **list = *buffers = NEW_ARRAY(const Buffer *, n + 1);
    n = 0;
    for (const Function *f = begin; f != end; f = f->next)
        for (int i = 0; i < f->nparams; i++)
            if (buffer_of(pass, f->param[i]))
                list[n++] = buffer_of(pass, f->param[i]);
    qsort(list, (size_t)n, sizeof *list, by_number);
    for (int i = 0; i < n; i++)
        if (!i || list[i] != list[i - 1])
            list[kept++] = list[i];
    return kept;
}

/* Is that rows of const floats, to be had of these? */
static bool fits(const Pointer *wanted, const Pointer *given, int from)
{
    bool same = wanted->rank == given->rank - from && (!wanted->rank || wanted->is_const == given->is_const);
    for (int d = 0; same && d < wanted->rank; d++)
        same = wanted->dim[d] == given->dim[d + from];
    return same;
}

void put_buffer_argument(FILE *f, const Loop *loop, const Function *fn, int i)
{
    const Tensor *tensor = fn->param[i];
    const Buffer *b = buffer_of(loop->pass, tensor);
    const Pointer wanted = pointer_of_param(fn, i), given = pointer_to_buffer(loop, b);
    const bool together = fn->batched && loop->pass->root[tensor->id]->per_sample;
    const bool from_first = b->whole_batch && loop->chunks, one = holds_samples(b) && !together;
    const char *text = c_name(b->tensor->name);
    if (one)
        text = format("%s[%s]", text, from_first ? "first + s" : "s");
    else if (from_first)
        text = format("%s + first", text);
    if (fits(&wanted, &given, one))
        fprintf(f, "%s", text);
    else
        fprintf(f, from_first && !one ? "(void *)(%s)" : "(void *)%s", text);
}
