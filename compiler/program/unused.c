/* unused.c: statements whose result nobody reads go.
 *
 * In: a Prog. Out: the same Prog without them. What the caller gets (the answer, the loss, gradients,
 * statistics) is read. */
#include <string.h>

#include "program/program.h"

static void need(const Access *access, void *needed)
{
    ((bool *)needed)[access->tensor->id] = true;
}

/* The weights that are written: statistics, which net_backward moves and net_forward_train doesn't, and what
 * inference folds. */
static bool is_result(const Prog *prog, const Tensor *tensor)
{
    if (tensor->role == TENSOR_WEIGHT)
        return !prog->training || !prog->answers;
    return tensor->role == TENSOR_OUTPUT || tensor->role == TENSOR_LOSS || tensor->role == TENSOR_GRADIENT
        || tensor->role == TENSOR_INPUT_GRADIENT || tensor->role == TENSOR_STATE;
}

static bool is_needed(const Prog *prog, const Statement *s, const bool *needed)
{
    return is_result(prog, s->out.tensor) || needed[s->out.tensor->id]
        || (s->position && needed[s->position->id]);
}

/* What a statement of a recurrence reads, others of it may write in an earlier step: marks what those need
 * that are needed, until there are no more. all[last] is the last of them. */
static void need_of_recurrence(const Prog *prog, Statement *const *all, int last, bool *needed)
{
    bool *known = NEW_ARRAY(bool, last + 1);
    for (bool found = true; found;) {
        found = false;
        for (int i = last; i >= 0 && in_one_recurrence(all[i], all[last]); i--) {
            if (known[i] || !is_needed(prog, all[i], needed))
                continue;
            visit_loads(all[i]->rhs, need, needed);
            found = known[i] = true;
        }
    }
}

void remove_unused(Prog *prog)
{
    int n = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        n++;
    Statement **all = NEW_ARRAY(Statement *, n + 1);
    n = 0;
    for (Statement *s = prog->statements; s; s = s->next)
        all[n++] = s;
    bool *needed = NEW_ARRAY(bool, prog->ntensors);
    prog->statements = prog->last_statement = NULL;
    for (int i = n - 1; i >= 0; i--) {
        Statement *s = all[i];
        if (s->recurrence && (i == n - 1 || !in_one_recurrence(s, all[i + 1])))
            need_of_recurrence(prog, all, i, needed);
        if (!is_needed(prog, s, needed))
            continue;
        visit_loads(s->rhs, need, needed);
        s->next = prog->statements;
        prog->statements = s;
        if (!prog->last_statement)
            prog->last_statement = s;
    }
}
