/* users.c: which functions of a pass touch a tensor.
 *
 * fuse.c and block.c ask, for one tensor after the other, who makes and who reads it. The list of its
 * users answers that without a walk through all functions, whose time would grow with the square of the
 * network's depth. A function that gives a kernel away stays in the lists: who asks looks at the kernels
 * anyway. */
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

static void add_user(Users *users, Function *f)
{
    int at = users->n;
    while (at > 0 && users->function[at - 1]->number > f->number)
        at--;
    if (at > 0 && users->function[at - 1] == f)
        return;
    if (users->n == users->room) {
        Function **old = users->function;
        users->room = users->room ? 2 * users->room : 4;
        users->function = NEW_ARRAY(Function *, users->room);
        if (old)
            memcpy(users->function, old, (size_t)users->n * sizeof *old);
    }
    memmove(users->function + at + 1, users->function + at,
            (size_t)(users->n - at) * sizeof *users->function);
    users->function[at] = f;
    users->n++;
}

typedef struct Using {
    Pass *pass;
    Function *function;
} Using;

static void note_use(const Access *access, void *context)
{
    const Using *use = context;
    add_user(&use->pass->users[access->tensor->id], use->function);
}

void note_users(Pass *pass, Function *f)
{
    Using use = {pass, f};
    Statement **part[MAX_PARTS];
    int n;
    for (Kernel *k = f->kernels; k; k = k->next)
        for (parts_of(k, part, &n); n--;) {
            const Statement *s = *part[n];
            visit_loads(s->rhs, note_use, &use);
            note_use(&s->out, &use);
            if (s->position)
                add_user(&pass->users[s->position->id], f);
        }
}

void find_users(Pass *pass)
{
    int number = 0;
    pass->users = NEW_ARRAY(Users, pass->prog->ntensors);
    for (Function *f = pass->functions; f; f = f->next) {
        f->number = number++;
        note_users(pass, f);
    }
}

typedef struct Read {
    Tensor **tensor;
    int n;
} Read;

static void count_load(const Access *access, void *n)
{
    (void)access;
    ++*(int *)n;
}

static void note_load(const Access *access, void *context)
{
    Read *read = context;
    int at = read->n;
    while (at > 0 && read->tensor[at - 1]->id > access->tensor->id)
        at--;
    if (at > 0 && read->tensor[at - 1]->id == access->tensor->id)
        return;
    memmove(read->tensor + at + 1, read->tensor + at, (size_t)(read->n++ - at) * sizeof *read->tensor);
    read->tensor[at] = access->tensor;
}

int tensors_read(const Statement *s, Tensor ***tensors)
{
    int most = 0;
    visit_loads(s->rhs, count_load, &most);
    Read read = {NEW_ARRAY(Tensor *, most), 0};
    visit_loads(s->rhs, note_load, &read);
    *tensors = read.tensor;
    return read.n;
}
