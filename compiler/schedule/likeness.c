/* likeness.c: what statements have in common with others, as text: equal texts are equal work.
 *
 * In: statements, and the tensors that go by their number instead of by their name. Out: the text, by which
 * functions.c finds the layers that can share a function, and winograd.c what it has decided before. */
#include <stdlib.h>

#include "schedule/schedule.h"

void begin_likeness(Likeness *like)
{
    *like = (Likeness){.n = 0};
    open_text(&like->memory);
}

int number_tensor(Likeness *like, Tensor *tensor)
{
    for (int i = 0; i < like->n; i++)
        if (like->tensor[i] == tensor)
            return i;
    if (like->n == MOST_NUMBERED)
        bug("statements of more than %d tensors", MOST_NUMBERED);
    like->tensor[like->n] = tensor;
    like->name[like->n] = tensor->name;
    tensor->name = format("#%d", like->n);
    return like->n++;
}

static void print_room(const Access *access, void *stream)
{
    for (int d = 0; d < access->tensor->rank; d++)
        fprintf(stream, "%lld+%lld ", (long long)access->tensor->room[d],
                (long long)access->tensor->before[d]);
    fprintf(stream, "\n");
}

void note_likeness(Likeness *like, const Statement *s)
{
    dump_statement(like->memory.file, s);
    print_room(&s->out, like->memory.file);
    visit_loads(s->rhs, print_room, like->memory.file);
}

char *end_likeness(Likeness *like)
{
    close_text(&like->memory);
    for (int i = 0; i < like->n; i++)
        like->tensor[i]->name = like->name[i];
    char *copy = copy_text(like->memory.text, like->memory.length);
    free(like->memory.text);
    return copy;
}
