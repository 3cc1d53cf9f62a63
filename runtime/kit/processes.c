/* processes.c: what several processes agree on, so that all go the same way.
 *
 * Where the few bytes that this takes can't be had, the process ends itself, and the engine that started it
 * ends the others: they would wait for it. */
#include "engine.h"
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (!memory) {
        kit_no_memory();
        fprintf(stderr, "%s\n", nnkit_error());
        abort();
    }
    return memory;
}

void *kit_gather(const nn_processes *p, const void *mine, size_t each)
{
    char *all = must(calloc((size_t)p->count, each));
    size_t *begins = must(calloc((size_t)p->count + 1, sizeof *begins));

    for (int i = 0; i <= p->count; i++)
        begins[i] = (size_t)i * each;
    memcpy(all + begins[p->rank], mine, each);
    p->gather(p, all, begins);
    free(begins);
    return all;
}

void kit_gather_parts(const nn_processes *p, void *bytes, size_t whole, size_t each)
{
    size_t *begins = must(calloc((size_t)p->count + 1, sizeof *begins));

    for (int i = 0; i <= p->count; i++)
        begins[i] = kit_part(p, whole, i) * each;
    p->gather(p, bytes, begins);
    free(begins);
}

size_t kit_part(const nn_processes *p, size_t whole, int rank)
{
    return whole * (size_t)rank / (size_t)p->count;
}

int kit_agree(const nn_processes *p, int error)
{
    struct { int error; char message[508];
    } mine = {.error = error}, *all;

    if (!p)
        return error;
    if (error)
        kit_copy_message(mine.message, sizeof mine.message);
    all = kit_gather(p, &mine, sizeof mine);
    error = 0;
    for (int i = 0; i < p->count && !error; i++)
        if (all[i].error && i == 0)
            error = kit_fail(all[i].error, "%s", all[i].message);
        else if (all[i].error)
            error = kit_fail(all[i].error, "process %d: %s", i, all[i].message);
    free(all);
    return error;
}

bool kit_any(const nn_processes *p, bool mine)
{
    const char own = mine;
    char *all;
    bool any = mine;

    if (!p)
        return mine;
    all = kit_gather(p, &own, 1);
    for (int i = 0; i < p->count; i++)
        any |= all[i] != 0;
    free(all);
    return any;
}

bool kit_same(const nn_processes *p, uint64_t mine)
{
    uint64_t *all;
    bool same = true;

    if (!p)
        return true;
    all = kit_gather(p, &mine, sizeof mine);
    for (int i = 0; i < p->count; i++)
        same &= all[i] == all[0];
    free(all);
    return same;
}
