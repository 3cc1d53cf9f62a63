/* driver.c: what --verify compiles beside the networks that it looks at: calls each with the numbers of a
 * file, and writes what it answers to another. It wants nn.h alone; what networks want of libnn.a is here.
 *
 *     driver NUMBERS ANSWERS
 *
 * verify_run.c writes the one and reads the other; both name the parts in their order. MODELS(each) names the networks. */
// section driver
#include "nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"

#define DECLARE(name) extern const nn_model name##_model;
MODELS(DECLARE)
#define POINT(name) &name##_model,
static const nn_model *const models[] = {MODELS(POINT) NULL};

/* What libnn.a has for generated code. The weights come from the file. */
#define INTERFACE_OF(number) nn_interface_##number
#define INTERFACE(number) INTERFACE_OF(number)
const int INTERFACE(NN_INTERFACE) = NN_INTERFACE;

void nn_init(const nn_model *model, void *params, uint64_t seed)
{
    (void)model;
    (void)params;
    (void)seed;
}

void nn_misused(const char *function, const char *message)
{
    fprintf(stderr, "%s: %s\n", function, message);
    abort();
}

static FILE *numbers, *answers;

/* Cleared, and aligned to 64 bytes. It stays: the program is a short one. */
static void *memory(size_t bytes)
{
    char *all = (char *)calloc(bytes + 128, 1);
    if (!all) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return all + (64 - (uintptr_t)all % 64);
}

static void *get(size_t bytes)
{
    void *to = memory(bytes);
    if (fread(to, 1, bytes, numbers) != bytes) {
        fprintf(stderr, "the numbers end too soon\n");
        exit(2);
    }
    return to;
}

static void put(const void *from, size_t bytes)
{
    if (fwrite(from, 1, bytes, answers) != bytes) {
        fprintf(stderr, "cannot write the answers\n");
        exit(2);
    }
}

/* NaN in each of them, so that what is not written shows. */
static float *room(size_t floats)
{
    float *all = (float *)memory(floats * sizeof *all);
    memset(all, 0xff, floats * sizeof *all);
    return all;
}

/* One sequence, a position at a time. */
static void stream(const nn_model *m, const void *p, void *w, const void *x, size_t positions)
{
    void *state = memory(m->state_bytes);
    const size_t one = m->input / positions;
    for (size_t i = 0; i < positions; i++) {
        float *y = room(m->output / positions);
        m->next(p, state, w, (const char *)x + i * one * sizeof(float), y);
        put(y, m->output / positions * sizeof *y);
    }
}

/* floats: of params; without weights there are none, but net_params has a size. */
static void train(const nn_model *m, void *p, size_t floats, int n, const void *x, const void *t, uint64_t rng)
{
    void *w = memory(m->work_bytes), *g = memory(m->params_bytes);
    float loss = 0;
    m->set_rng(w, rng);
    if (m->backward_from) {
        float *y = room((size_t)n * m->output), *dx = m->vocabulary ? NULL : room((size_t)n * m->input);
        m->forward_train(p, w, n, x, y);
        put(y, (size_t)n * m->output * sizeof *y);
        m->backward_from(p, w, n, x, (const float *)t, g, dx);
        if (dx)
            put(dx, (size_t)n * m->input * sizeof *dx);
    } else {
        loss = m->backward(p, w, n, x, t, g);
        put(&loss, sizeof loss);
    }
    put(g, floats * sizeof(float));
    put(p, floats * sizeof(float));
}

/* Inference first: training may move what it reads. */
static void run(const nn_model *m)
{
    const int *counts = (const int *)get(4 * sizeof *counts);
    const uint64_t rng = *(const uint64_t *)get(sizeof rng);
    const int n = counts[0], positions = counts[1];
    const size_t floats = (size_t)counts[2], targets = (size_t)counts[3];
    void *p = memory(m->params_bytes), *fresh = memory(m->params_bytes);
    const void *weights = get(floats * sizeof(float));
    void *x = get((size_t)n * m->input * sizeof(float));
    void *t = get((size_t)n * targets * sizeof(float));
    void *w = memory(m->work_bytes);
    float *y = room((size_t)n * m->output), *first = room(m->output);
    memcpy(p, weights, floats * sizeof(float));
    memcpy(fresh, weights, floats * sizeof(float));
    if (m->prepare)
        m->prepare(p);
    m->forward(p, w, n, x, y);
    put(y, (size_t)n * m->output * sizeof *y);
    m->forward(p, w, 1, x, first);
    put(first, m->output * sizeof *first);
    if (m->next && positions)
        stream(m, p, w, x, (size_t)positions);
    if (m->loss) {
        float loss = m->loss(p, w, n, x, t, NULL);
        put(&loss, sizeof loss);
    }
    if (m->set_rng)
        train(m, fresh, floats, n, x, t, rng);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    numbers = fopen(argv[1], "rb");
    answers = fopen(argv[2], "wb");
    if (!numbers || !answers) {
        perror(numbers ? argv[2] : argv[1]);
        return 2;
    }
    for (int i = 0; models[i]; i++)
        run(models[i]);
    return fclose(answers) == 0 ? 0 : 2;
}
// end
