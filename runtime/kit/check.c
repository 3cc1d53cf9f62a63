/* check.c: this very program's gradient against finite differences.
 *
 * Along a direction d of a tensor the loss L changes by the gradient's part g d, which (L(w + h d) - L(w -
 * h d)) / 2h comes near to. Two directions are taken: that of the gradient itself, along which the loss
 * changes most and rounding counts least, and a random one. The loss is a float, and has corners (relu,
 * maxpool): of several h the best agreement counts. */
#include "messages.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct checking {
    const nn_model *model;
    float *params, *moved, *gradient, *y, *dy;
    void *work, *x, *t;
    int n;
} checking;

static void draw_inputs(checking *c)
{
    const nn_model *model = c->model;
    uint64_t rng = 7;

    for (size_t i = 0; i < (size_t)c->n * model->input; i++)
        if (model->vocabulary)
            ((int *)c->x)[i] = (int)(nn_bits(&rng) % model->vocabulary);
        else
            ((float *)c->x)[i] = nn_normal(&rng);
    for (size_t i = 0; i < (size_t)c->n * model->targets; i++)
        if (model->int_targets)
            ((int *)c->t)[i] = (int)(nn_bits(&rng) % (model->output / model->targets));
        else
            ((float *)c->t)[i] = nn_uniform(&rng) < 0.5f ? 0.0f : 1.0f; /* fits every loss */
    for (size_t i = 0; i < (size_t)c->n * model->output; i++)
        c->dy[i] = nn_normal(&rng);
}

/* The loss in training at the moved weights; gradient NULL: not wanted. */
static double loss_at(checking *c, float *gradient)
{
    const nn_model *model = c->model;
    double loss = 0;

    model->set_rng(c->work, 5);
    if (model->backward)
        return (double)model->backward(c->moved, c->work, c->n, c->x, c->t,
                                       gradient ? gradient : c->gradient);
    model->forward_train(c->moved, c->work, c->n, c->x, c->y);
    for (size_t i = 0; i < (size_t)c->n * model->output; i++)
        loss += (double)c->y[i] * c->dy[i];
    if (gradient)
        model->backward_from(c->moved, c->work, c->n, c->x, c->dy, gradient, NULL);
    return loss;
}

/* How far finite differences along d (length 1) are from `expected`, as a share of scale. */
static double difference(checking *c, const nn_tensor *tensor, const float *d, double expected, double scale)
{
    static const double steps[] = {0.1, 0.03, 0.01, 0.003, 0.001, 0.0003};
    double least = HUGE_VAL;

    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        double losses[2], moves = 0;

        for (int side = 0; side < 2; side++) {
            memcpy(c->moved, c->params, c->model->params_bytes);
            for (size_t k = 0; k < tensor->count; k++)
                c->moved[nn_place(tensor, k)] += (float)((side ? steps[s] : -steps[s]) * d[k]);
            losses[side] = loss_at(c, NULL);
        }
        moves = (losses[1] - losses[0]) / (2 * steps[s]);
        const double error = fabs(moves - expected) / scale;
        least = error < least ? error : least;
    }
    return least;
}

/* all: the length of the whole gradient, below a thousandth of which an error is rounding. */
static double check_tensor(checking *c, const nn_tensor *tensor, const float *gradient, double all)
{
    float *d = malloc(tensor->count * sizeof *d);
    double length = 0, size = 0, along = 0;
    uint64_t rng = 11;

    if (!d)
        return NAN;
    for (size_t k = 0; k < tensor->count; k++) {
        const double g = gradient[nn_place(tensor, k)];

        length += g * g;
    }
    length = sqrt(length);
    const double scale = length > 1e-3 * all ? length : all > 0 ? 1e-3 * all : 1;
    for (size_t k = 0; k < tensor->count; k++)
        d[k] = (float)(gradient[nn_place(tensor, k)] / scale);
    double worst = difference(c, tensor, d, length * length / scale, scale);

    for (size_t k = 0; k < tensor->count; k++) {
        d[k] = nn_normal(&rng);
        size += (double)d[k] * d[k];
    }
    for (size_t k = 0; k < tensor->count; k++) {
        d[k] = (float)(d[k] / sqrt(size));
        along += (double)d[k] * gradient[nn_place(tensor, k)];
    }
    const double other = difference(c, tensor, d, along, scale);
    free(d);
    return isnan(worst) || other > worst ? other : worst;
}

static bool make_checking(checking *c)
{
    const nn_model *model = c->model;

    c->n = model->batch < 4 ? model->batch : 4;
    c->params = kit_memory(model->params_bytes);
    c->moved = kit_memory(model->params_bytes);
    c->gradient = kit_memory(model->params_bytes);
    c->work = kit_memory(model->work_bytes);
    c->x = kit_memory((size_t)c->n * model->input * sizeof(float));
    c->y = kit_memory((size_t)c->n * model->output * sizeof(float));
    c->dy = kit_memory((size_t)c->n * model->output * sizeof(float));
    c->t = kit_memory((size_t)c->n * (model->targets + 1) * sizeof(float));
    return c->params && c->moved && c->gradient && c->work && c->x && c->y && c->dy && c->t;
}

static void free_checking(checking *c)
{
    void *memory[] = {c->params, c->moved, c->gradient, c->work, c->x, c->y, c->dy, c->t};

    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        free(memory[i]);
}

int check_command(const nn_model *model, command_line *line)
{
    const double bound = 0.02; /* what float and corners leave; a wrong gradient is off by its own size */
    checking c = {.model = model};
    float *gradient = kit_memory(model->params_bytes);
    const char *where = "no tensor";
    double worst = 0, all = 0;

    if (line->noperands || !model->set_rng) {
        free(gradient);
        return line->noperands
                   ? misused(line->program, "check takes no operands")
                   : misused(line->program, "the network was compiled with --inference and has no gradient");
    }
    if (!make_checking(&c) || !gradient) {
        free_checking(&c);
        free(gradient);
        kit_no_memory();
        return misused(line->program, "%s", nnkit_error());
    }
    nn_init(model, c.params, 1);
    draw_inputs(&c);
    memcpy(c.moved, c.params, model->params_bytes);
    loss_at(&c, gradient);
    for (size_t i = 0; i < model->floats; i++)
        all += (double)gradient[i] * gradient[i];
    printf("%-32s %10s   %s\n", "tensor", "numbers", "largest error of its gradient");
    for (int i = 0; i < model->ntensors; i++) {
        const nn_tensor *tensor = &model->tensors[i];

        if (tensor->offset >= model->floats)
            continue; /* a statistic has none */
        const double error = check_tensor(&c, tensor, gradient, sqrt(all));
        printf("%-32s %10zu   %.1e\n", tensor->name, tensor->count, error);
        if (!(error <= worst)) {
            worst = error;
            where = tensor->name;
        }
    }
    free_checking(&c);
    free(gradient);
    printf("largest: %.1e, in %s; %s\n", worst, where,
           worst <= bound ? "the gradients are right" : "over the bound of 0.02");
    return worst <= bound ? DONE : BAD;
}
