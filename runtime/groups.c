/* groups.c: an optimizer's step with other settings for some tensors.
 *
 * In: a model, its weights and gradients, and groups of tensors with an optimizer each. Out: the weights one
 * step further. Each tensor's floats, from its offset to that of the next one, are a part of a step of all
 * floats (nn_step_part), so that the state lies as nn_step's does. The table has parameters in the order of
 * their offsets, and running statistics lie behind all of them. */
#define NN_COMPUTES
#include "nn.h"

#include <string.h>

static const nn_optimizer *optimizer_of(const nn_tensor *tensor, const nn_group *groups, size_t ngroups)
{
    for (size_t i = 0; i < ngroups; i++)
        if (tensor->ndim >= groups[i].ndim
            && strncmp(tensor->name, groups[i].names, strlen(groups[i].names)) == 0)
            return &groups[i].optimizer;
    return NULL;
}

/* Where the floats end that begin with those of tensor t. */
static size_t end_of(const nn_model *model, int t)
{
    for (int next = t + 1; next < model->ntensors; next++)
        if (model->tensors[next].offset < model->floats)
            return model->tensors[next].offset;
    return model->floats;
}

void nn_step_groups_part(const nn_model *model, const nn_group *groups, size_t ngroups, void *params,
                         const void *gradients, float *state, size_t begin, size_t end)
{
    for (int t = 0; t < model->ntensors; t++) {
        const nn_tensor *tensor = &model->tensors[t];
        const nn_optimizer *o = optimizer_of(tensor, groups, ngroups);
        size_t first = tensor->offset, last;

        if (!o || first >= model->floats)
            continue;
        last = end_of(model, t);
        first = first > begin ? first : begin;
        last = last < end ? last : end;
        if (first < last)
            nn_step_part(o, params, gradients, state, model->floats, first, last);
    }
}

void nn_step_groups(const nn_model *model, const nn_group *groups, size_t ngroups, void *params,
                    const void *gradients, float *state)
{
    nn_count_step(state);
    nn_step_groups_part(model, groups, ngroups, params, gradients, state, 0, model->floats);
}
