/* card.c: trains the network that fits on a business card to tell ten figures and patterns apart.
 *
 * Its pictures, 32 x 32 in colour, are painted as they are needed: a figure of random colour, place and
 * size on a ground of random colour, under noise. No picture is shown twice, and each batch is answered
 * before it is learned, so the accuracy printed is that on pictures never seen before. All of
 * the program's memory is the few static variables below.
 */
#include "card_net.h" /* made from card.nn */
#include "figures.h"

#include <stdio.h>

#ifndef STEPS
#define STEPS 1500
#endif

enum { SIDE = 32, REPORT = STEPS / 10 };

static card_params weights, gradients;
static card_work   work;
static float       state[NN_STATE_HEAD + 2 * CARD_FLOATS]; /* what Adam remembers */
static float       pictures[CARD_BATCH][3][SIDE][SIDE];
static int         labels[CARD_BATCH];

static void paint(uint64_t *rng, int figure, float picture[3][SIDE][SIDE])
{
    float size = 7 + 5 * nn_uniform(rng);
    float cx = 10 + 12 * nn_uniform(rng), cy = 10 + 12 * nn_uniform(rng);
    float ground[3], ink[3];

    for (int c = 0; c < 3; c++) {
        ground[c] = 0.4f * nn_uniform(rng);
        ink[c]    = 0.1f + 0.25f * nn_uniform(rng);
    }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int inked = figure_covers(figure, ((float)x - cx) / size, ((float)y - cy) / size);
            for (int c = 0; c < 3; c++)
                picture[c][y][x] = ground[c] + (inked ? ink[c] : 0) + 0.25f * nn_uniform(rng);
        }
}

static int greatest(const float answer[CARD_OUTPUT])
{
    int best = 0;
    for (int k = 1; k < CARD_OUTPUT; k++)
        if (answer[k] > answer[best])
            best = k;
    return best;
}

int main(void)
{
    nn_optimizer adam = nn_adam(0.003f);
    float answers[CARD_BATCH][CARD_OUTPUT], loss = 0;
    int right = 0;
    uint64_t rng = 1;

    card_init(&weights, 1);
    for (int step = 1; step <= STEPS; step++) {
        for (int i = 0; i < CARD_BATCH; i++) {
            labels[i] = (int)(nn_bits(&rng) % 10);
            paint(&rng, labels[i], pictures[i]);
        }
        card_forward(&weights, &work, CARD_BATCH, pictures[0][0][0], answers[0]);
        for (int i = 0; i < CARD_BATCH; i++)
            right += greatest(answers[i]) == labels[i];
        loss += card_backward(&weights, &work, CARD_BATCH, pictures[0][0][0], labels, &gradients);
        nn_step(&adam, (float *)&weights, (const float *)&gradients, state, CARD_FLOATS);

        if (step % REPORT == 0) {
            printf("step %4d   loss %.3f   right %4.1f %%\n", step, loss / REPORT,
                   100.0 * right / (REPORT * CARD_BATCH));
            loss = 0;
            right = 0;
        }
    }
    return 0;
}
