/* detector.c: learns to find figures in a picture, and to say of each what it is and where its sides are.
 *
 *     detector [STEPS]
 *
 * The network answers for each of 6 x 6 cells of a picture: does the middle of a figure lie here, of which
 * class is it, where are its sides? The losses are bce over all cells, and crossentropy and huber over those
 * with a figure; their sum, each with its weight, is minimised. y holds an answer's channels one behind the
 * other, so what concerns the figures is gathered first, and its gradients are put back.
 */
#include "detector_net.h" /* made from detector.nn */
#include "figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIDE = 48, CELL = 8, ROW = SIDE / CELL, CELLS = ROW * ROW, CLASSES = FIGURES_BOUNDED, SIDES = 4 };
enum { BATCH = DETECTOR_BATCH, MOST = 3, TESTS = 20 };
static const float learning_rate = 0.002f, object_weight = 1, class_weight = 0.2f, box_weight = 1;

static detector_params weights, gradients;
static detector_work   work;
static float state[NN_STATE_HEAD + 2 * DETECTOR_FLOATS]; /* what Adam remembers */
static float pictures[BATCH][3][SIDE][SIDE], y[BATCH][DETECTOR_OUTPUT], dy[BATCH][DETECTOR_OUTPUT];

/* A batch's figures: picture, cell, class; left, top, right, bottom in cells from the middle of that cell. */
static int   count, sample[BATCH * MOST], cell[BATCH * MOST], class[BATCH * MOST];
static float box[BATCH * MOST][SIDES];

/* The part that two boxes share of what they cover, where b lies x and y to the right of a and below it. */
static float overlap(const float a[SIDES], const float b[SIDES], float right, float below)
{
    float width = fmaxf(fminf(a[2], b[2] + right) - fmaxf(a[0], b[0] + right), 0);
    float both = width * fmaxf(fminf(a[3], b[3] + below) - fmaxf(a[1], b[1] + below), 0);
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

/* Adds a figure to picture i, unless it would lie on another: then it is none. */
static void add_figure(uint64_t *rng, int i)
{
    float size = 4 + 5 * nn_uniform(rng), at[3], ink[3];
    int n = count;
    for (int k = 0; k < 3; k++)
        at[k] = size + (SIDE - 2 * size) * nn_uniform(rng), ink[k] = 0.4f + 0.5f * nn_uniform(rng);
    sample[n] = i, class[n] = (int)(nn_bits(rng) % CLASSES);
    cell[n] = (int)(at[1] / CELL) * ROW + (int)(at[0] / CELL);
    for (int k = 0; k < SIDES; k++)
        box[n][k] = (at[k % 2] + (k < 2 ? -size : size)) / CELL - 0.5f - floorf(at[k % 2] / CELL);
    for (int k = n - 1; k >= 0 && sample[k] == i; k--)
        if (overlap(box[n], box[k], cell[k] % ROW - cell[n] % ROW, cell[k] / ROW - cell[n] / ROW) > 0)
            return;
    for (int v = 0; v < SIDE; v++)
        for (int u = 0; u < SIDE; u++)
            for (int c = 0; c < 3; c++)
                if (figure_covers(class[n], (u + 0.5f - at[0]) / size, (v + 0.5f - at[1]) / size))
                    pictures[i][c][v][u] = ink[c];
    count++;
}

static void paint(uint64_t *rng)
{
    count = 0;
    for (int i = 0; i < BATCH; i++) {
        figures_clear(rng, 3, SIDE, pictures[i][0][0]);
        for (int n = (int)(nn_bits(rng) % (MOST + 1)); n > 0; n--)
            add_figure(rng, i);
        figures_noise(rng, 3, SIDE, pictures[i][0][0]);
    }
}

/* The sum of the three losses; dy becomes its gradient. */
static float loss(void)
{
    static float object[BATCH][CELLS], logits[BATCH * MOST][CLASSES], sides[BATCH * MOST][SIDES];
    float is[BATCH][CELLS] = {{0}}, sum = 0;
    memset(dy, 0, sizeof dy);
    for (int i = 0; i < BATCH; i++)
        memcpy(object[i], &y[i][DETECTOR_AT_object], sizeof object[i]);
    for (int n = 0; n < count; n++) {
        const float *from = &y[sample[n]][cell[n]];
        is[sample[n]][cell[n]] = 1;
        for (int k = 0; k < CLASSES; k++)
            logits[n][k] = from[DETECTOR_AT_class + k * CELLS];
        for (int k = 0; k < SIDES; k++)
            sides[n][k] = from[DETECTOR_AT_box + k * CELLS];
    }
    sum += object_weight * nn_bce(BATCH * CELLS, object[0], is[0], object[0]);
    sum += class_weight * nn_crossentropy((size_t)count, CLASSES, logits[0], class, logits[0]);
    sum += box_weight * nn_huber((size_t)count * SIDES, 0.5f, sides[0], box[0], sides[0]);
    for (int k = 0; k < BATCH * CELLS; k++)
        dy[k / CELLS][DETECTOR_AT_object + k % CELLS] = object_weight * object[k / CELLS][k % CELLS];
    for (int n = 0; n < count; n++) {
        float *to = &dy[sample[n]][cell[n]];
        for (int k = 0; k < CLASSES; k++)
            to[DETECTOR_AT_class + k * CELLS] = class_weight * logits[n][k];
        for (int k = 0; k < SIDES; k++)
            to[DETECTOR_AT_box + k * CELLS] = box_weight * sides[n][k];
    }
    return sum;
}

/* How well the figures of new scenes are found. */
static void test(uint64_t rng)
{
    int figures = 0, found = 0, claimed = 0, right = 0;
    float shared = 0;
    for (int i = 0; i < TESTS; i++) {
        paint(&rng);
        detector_forward(&weights, &work, BATCH, pictures[0][0][0], y[0]);
        for (int k = 0; k < BATCH * CELLS; k++)
            claimed += y[k / CELLS][DETECTOR_AT_object + k % CELLS] > 0;
        for (int n = 0; n < count; n++, figures++) {
            const float *answer = &y[sample[n]][cell[n]], *logit = answer + DETECTOR_AT_class;
            float sides[SIDES];
            int best = 0;
            for (int k = 1; k < CLASSES; k++)
                best = logit[k * CELLS] > logit[best * CELLS] ? k : best;
            for (int k = 0; k < SIDES; k++)
                sides[k] = answer[DETECTOR_AT_box + k * CELLS];
            found += answer[DETECTOR_AT_object] > 0;
            right += best == class[n];
            shared += overlap(sides, box[n], 0, 0);
        }
    }
    printf("of %d unseen figures %d are found, and %d that are none; ", figures, found, claimed - found);
    printf("class accuracy %.1f %%   mean IoU %.3f\n", 100.0 * right / figures, shared / figures);
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 2000, part = steps / 5 > 0 ? steps / 5 : 1;
    nn_optimizer adam = nn_adam(learning_rate);
    uint64_t rng = 1;
    float sum = 0;
    detector_init(&weights, 1);
    for (int step = 1; step <= steps; step++, sum = (step - 1) % part ? sum : 0) {
        paint(&rng);
        detector_forward_train(&weights, &work, BATCH, pictures[0][0][0], y[0]);
        sum += loss();
        detector_backward(&weights, &work, BATCH, pictures[0][0][0], dy[0], &gradients, NULL);
        adam.lr = learning_rate * (1 - (float)(step - 1) / (float)steps);
        nn_step(&adam, (float *)&weights, (const float *)&gradients, state, DETECTOR_FLOATS);
        if (step % part == 0)
            printf("step %4d   loss %.3f   %.1f s\n", step, sum / part, (double)clock() / CLOCKS_PER_SEC);
    }
    test(99);
    return 0;
}
