/* diagnose.c: where numbers stopped being finite, asked only once they have.
 *
 * Weights that are no finite numbers came from a gradient that was none. It arose at the last of them, since
 * gradients go through the network from its end. Where all weights are finite, an answer of a layer
 * overflowed. Which: with all weights from some layer on set to 0 the loss is finite as long as what goes
 * into that layer is, since 0 times infinity is NaN. */
#include "engine.h"
#include "messages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_finite(const nn_tensor *tensor, const float *weights)
{
    for (size_t k = 0; k < tensor->count; k++)
        if (!isfinite(weights[nn_place(tensor, k)]))
            return false;
    return true;
}

static const char *broken_tensor(const nn_trainer *t)
{
    for (int i = t->model->ntensors; i-- > 0;)
        if (!is_finite(&t->model->tensors[i], t->weights))
            return t->model->tensors[i].name;
    return NULL;
}

/* Of "conv1.weight", "conv1". */
static int layer_length(const char *tensor)
{
    const char *dot = strrchr(tensor, '.');

    return dot ? (int)(dot - tensor) : (int)strlen(tensor);
}

static bool same_layer(const nn_tensor *a, const nn_tensor *b)
{
    const int length = layer_length(a->name);

    return length == layer_length(b->name) && strncmp(a->name, b->name, (size_t)length) == 0;
}

typedef struct trial {
    nn_trainer *t;
    float *params, *gradient;
    worker *w;
    int n, shard;
} trial;

/* Is the shard's loss finite with the weights from tensor `first` on set to 0? */
static bool is_loss_finite(const trial *a, int first)
{
    const nn_trainer *t = a->t;
    const nn_model *model = t->model;

    memcpy(a->params, t->weights, model->params_bytes);
    for (int i = first; i < model->ntensors; i++)
        if (model->tensors[i].offset < t->floats)
            for (size_t k = 0; k < model->tensors[i].count; k++)
                a->params[nn_place(&model->tensors[i], k)] = 0;
    model->set_rng(a->w->work, nn_bits_at(nn_bits_at(t->options.seed, t->steps), (uint64_t)a->shard));
    return isfinite(model->backward(a->params, a->w->work, a->n, a->w->x, a->w->t, a->gradient));
}

/* The tensor at which the loss stops being finite: -1: it is so before all of them; ntensors: it is not. */
static int first_broken(const trial *a)
{
    const nn_model *model = a->t->model;

    if (is_loss_finite(a, model->ntensors))
        return model->ntensors;
    for (int i = model->ntensors - 1; i >= 0; i--) {
        if (i > 0 && same_layer(&model->tensors[i], &model->tensors[i - 1]))
            continue;
        if (model->tensors[i].offset < a->t->floats && is_loss_finite(a, i))
            return i;
    }
    return -1;
}

/* 0: that can't be said. */
static int find_broken(nn_trainer *t, const nn_source *source, const size_t *samples, int n, char *to,
                       size_t room)
{
    const nn_model *model = t->model;
    const size_t target = model->targets * sizeof(float);
    trial a = {.t = t, .w = &t->workers[0]};
    int tensor = model->ntensors;

    while (a.shard * t->options.shard < n
           && (isfinite(t->results[a.shard].loss) || t->results[a.shard].counted == 0))
        a.shard++;
    const int first = a.shard * t->options.shard;
    a.n = n - first < t->options.shard ? n - first : t->options.shard;
    a.params = kit_memory(model->params_bytes);
    a.gradient = kit_memory(model->params_bytes);
    bool good = a.params && a.gradient && a.n > 0;
    for (int i = 0; good && i < a.n; i++)
        good = source->read(source->data, samples[first + i], a.w->x + (size_t)i * model->input,
                            (char *)a.w->t + (size_t)i * target) == 0;
    if (good)
        tensor = first_broken(&a);
    free(a.params);
    free(a.gradient);
    if (tensor == model->ntensors)
        return 0;
    if (tensor < 0)
        snprintf(to, room, "before the first layer with weights, or in the loss");
    else
        snprintf(to, room, "in %.*s or right behind it", layer_length(model->tensors[tensor].name),
                 model->tensors[tensor].name);
    return 1;
}

int kit_check_weights(const nn_trainer *t, int epoch)
{
    const char *tensor = broken_tensor(t);

    return !tensor ? 0
                   : kit_fail(NNKIT_EDIVERGED, "the gradient of %s was NaN or infinite in step %llu, epoch "
                              "%d. A smaller --lr or --clip 1 may help", tensor,
                              (unsigned long long)t->steps, epoch);
}

int kit_explain_loss(nn_trainer *t, const nn_source *source, const size_t *samples, int n, int epoch)
{
    const nn_model *model = t->model;
    const char *where = "no tensor";
    float most = 0;
    char message[256], layer[128];

    kit_copy_message(message, sizeof message);
    if (kit_check_weights(t, epoch))
        return NNKIT_EDIVERGED;
    for (int i = 0; i < model->ntensors; i++)
        for (size_t k = 0; k < model->tensors[i].count; k++) {
            const float w = fabsf(t->weights[nn_place(&model->tensors[i], k)]);

            if (w > most) {
                most = w;
                where = model->tensors[i].name;
            }
        }
    if (!find_broken(t, source, samples, n, layer, sizeof layer))
        strcpy(layer, "in a layer that can't be named");
    return kit_fail(NNKIT_EDIVERGED, "%s, epoch %d: the numbers first aren't finite %s; the greatest weight, "
                    "%g, is in %s. A smaller --lr or --clip 1 may help", message, epoch, layer,
                    (double)most, where);
}
