/* train.c: trains a network, whichever it is, on data that the program draws itself.
 *
 *     train TASK STEPS WEIGHTS.safetensors
 *
 * It knows its network by net_model alone (the network is compiled with --prefix=net), which says how large everything is
 * and what to call; nothing else is included. A task says what goes in, what should come out, and how good an answer is:
 * that is the part to replace by data of your own. Each batch is answered before it is learned, so what is printed is how
 * the network does on samples that it has never seen. */
#include "digits.h"
#include "figures.h"
#include "nn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const nn_model net_model;
static const nn_model *const net = &net_model;

/* Fills sample x and its target t (class labels or floats: the network's loss says which). */
typedef void draw_sample(uint64_t *rng, float *x, void *t);

/* Adds to sum[0] what is good about the answer y, and to sum[1] what would have been perfect. */
typedef void judge_answer(const float *y, const void *t, double sum[2]);

static int side(void)
{
    return net->input_shape[1];
}

/* ---- Ten figures and patterns, one in each picture -------------------------------------------------- */

static void draw_figure(uint64_t *rng, float *x, void *t)
{
    int figure = (int)(nn_bits(rng) % FIGURES);
    figures_clear(rng, 3, side(), x);
    figures_add(rng, 3, side(), figure, x, NULL, 0);
    figures_noise(rng, 3, side(), x);
    *(int *)t = figure;
}

/* One label, or one for each pixel: is its class the most probable one? */
static void judge_labels(const float *y, const void *t, double sum[2])
{
    size_t pixels = net->targets, classes = net->output / pixels;
    for (size_t i = 0; i < pixels; i++) {
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (y[c * pixels + i] > y[best * pixels + i])
                best = c;
        sum[0] += (int)best == ((const int *)t)[i];
        sum[1] += 1;
    }
}

/* ---- Which figure, if any, does each pixel belong to? ------------------------------------------------ */

static void draw_scene(uint64_t *rng, float *x, void *t)
{
    static const int figures[3] = {0, 2, 4}; /* disc, square, triangle */
    memset(t, 0, net->targets * sizeof(int));
    figures_clear(rng, 1, side(), x);
    for (int i = 0; i < 3; i++) {
        int which = (int)(nn_bits(rng) % 3);
        figures_add(rng, 1, side(), figures[which], x, t, 1 + which);
    }
    figures_noise(rng, 1, side(), x);
}

/* ---- Which of the figures are there? ----------------------------------------------------------------- */

static void draw_several(uint64_t *rng, float *x, void *t)
{
    float *there = t;
    figures_clear(rng, 3, side(), x);
    for (int figure = 0; figure < FIGURES_BOUNDED; figure++) {
        there[figure] = nn_uniform(rng) < 0.3f;
        if (there[figure] > 0)
            figures_add(rng, 3, side(), figure, x, NULL, 0);
    }
    figures_noise(rng, 3, side(), x);
}

static void judge_tags(const float *y, const void *t, double sum[2])
{
    for (size_t i = 0; i < net->output; i++) {
        sum[0] += (y[i] > 0.5f) == (((const float *)t)[i] > 0.5f);
        sum[1] += 1;
    }
}

/* ---- Friedman's function (1991): five of ten numbers count ------------------------------------------- */

static void draw_numbers(uint64_t *rng, float *x, void *t)
{
    for (int i = 0; i < 10; i++)
        x[i] = nn_uniform(rng);
    float centre = x[2] - 0.5f;
    *(float *)t = 10 * sinf(3.14159265f * x[0] * x[1]) + 20 * centre * centre + 10 * x[3] + 5 * x[4] + nn_normal(rng);
}

/* The share of the variance that is explained. */
static void judge_numbers(const float *y, const void *t, double sum[2])
{
    static const double mean = 14.4;
    double target = *(const float *)t, error = y[0] - target;
    sum[0] += (target - mean) * (target - mean) - error * error;
    sum[1] += (target - mean) * (target - mean);
}

/* ---- Digits, to be drawn again ------------------------------------------------------------------------ */

static void draw_digit(uint64_t *rng, float *x, void *t)
{
    digits_draw(rng, (int)(nn_bits(rng) % 10), x);
    memcpy(t, x, net->input * sizeof(float));
}

/* The share of the ink that lies where it should, less that which lies where it should not. */
static void judge_picture(const float *y, const void *t, double sum[2])
{
    for (size_t i = 0; i < net->output; i++) {
        double target = ((const float *)t)[i];
        sum[0] += target - fabs(y[i] - target);
        sum[1] += target;
    }
}

/* ---- Which digit is it? -------------------------------------------------------------------------------- */

static void draw_labelled(uint64_t *rng, float *x, void *t)
{
    int digit = (int)(nn_bits(rng) % 10);
    digits_draw(rng, digit, x);
    *(int *)t = digit;
}

/* ---- Training ------------------------------------------------------------------------------------------ */

static const struct task {
    const char   *name;
    draw_sample  *draw;
    judge_answer *judge;
    const char   *score;
    int           channels, side;    /* of the network's input; 0: of any size */
    int           labels;            /* are its targets labels? */
    size_t        targets;           /* how many a sample has; 0: one for each position */
} tasks[] = {
    {"figures", draw_figure, judge_labels, "right", 3, 0, 1, 1},
    {"scenes", draw_scene, judge_labels, "pixels right", 1, 0, 1, 0},
    {"tags", draw_several, judge_tags, "right", 3, 0, 0, FIGURES_BOUNDED},
    {"numbers", draw_numbers, judge_numbers, "explained", 10, 1, 0, 1},
    {"digits", draw_digit, judge_picture, "in place", 1, DIGITS_SIDE, 0, 0},
    {"reading", draw_labelled, judge_labels, "right", 1, DIGITS_SIDE, 1, 1},
};

/* Is the network one for this task? */
static int fits(const struct task *task)
{
    const int *in = net->input_shape;
    size_t positions = (size_t)in[1] * (size_t)in[2];
    return in[0] == task->channels && in[1] == in[2] && (task->side == 0 || in[1] == task->side)
           && net->int_targets == task->labels && net->targets == (task->targets ? task->targets : positions);
}

static void *memory(size_t bytes)
{
    size_t whole = (bytes / 64 + 1) * 64;
    void *m = aligned_alloc(64, whole);
    if (!m) {
        fprintf(stderr, "train: no memory\n");
        exit(1);
    }
    return memset(m, 0, whole);
}

int main(int argc, char **argv)
{
    const struct task *task = NULL;
    int steps = argc == 4 ? atoi(argv[2]) : 0, n = net->batch, error;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks && steps > 0; i++)
        if (!strcmp(argv[1], tasks[i].name))
            task = &tasks[i];
    if (!task) {
        fprintf(stderr, "usage: train figures|scenes|tags|numbers|digits|reading STEPS WEIGHTS.safetensors\n");
        return 2;
    }
    if (!fits(task)) {
        fprintf(stderr, "train: the network's input or targets are not those of %s\n", task->name);
        return 2;
    }

    nn_optimizer adam = nn_adam(0);
    float *weights = memory(net->params_bytes), *gradients = memory(net->params_bytes);
    float *state = memory(nn_state_size(&adam, net->floats) * sizeof(float));
    float *x = memory((size_t)n * net->input * sizeof(float)), *y = memory((size_t)n * net->output * sizeof(float));
    char *t = memory((size_t)n * net->targets * sizeof(float)); /* an int is as large as a float */
    void *work = memory(net->work_bytes);
    double loss = 0, sum[2] = {0, 0};
    int report = steps >= 10 ? steps / 10 : 1;
    uint64_t rng = 1;

    nn_init(net, weights, 1);
    net->set_rng(work, 1);
    for (int step = 1; step <= steps; step++) {
        for (int i = 0; i < n; i++)
            task->draw(&rng, x + (size_t)i * net->input, t + (size_t)i * net->targets * sizeof(float));

        net->forward(weights, work, n, x, y);
        for (int i = 0; i < n; i++)
            task->judge(y + (size_t)i * net->output, t + (size_t)i * net->targets * sizeof(float), sum);

        adam.lr = 0.003f * (1 - (float)step / (float)(steps + 1)); /* slower and slower */
        loss += net->backward(weights, work, n, x, t, gradients);
        nn_step(&adam, weights, gradients, state, net->floats);

        if (step % report == 0) {
            printf("step %4d   loss %.4f   %s %.1f %%\n", step, loss / report, task->score, 100 * sum[0] / sum[1]);
            fflush(stdout);
            loss = sum[0] = sum[1] = 0;
        }
    }
    if ((error = nn_save(net, weights, argv[3])) != NN_OK) {
        fprintf(stderr, "train: %s\n", nn_error(error));
        return 1;
    }
    return 0;
}
