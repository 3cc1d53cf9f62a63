/* triplet.c: learns where to put pictures, so that pictures of the same figure lie near each other.
 *
 * Each step takes triplets: a picture, another of the same figure, one of a different figure. The loss of a triplet is
 *
 *     max(0, |a - p|^2 - |a - n|^2 + 1)
 *
 * with a, p and n the places that the network gives the three. All go through the same weights, in one call. Only seven
 * figures are learned. Then each of the other three, which the network has never seen, is told from the others by its
 * nearest neighbour among a few pictures. At the end the nearest neighbours of a picture of each figure are shown.
 */
#include "triplet_net.h" /* made from triplet.nn */
#include "figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 16, TRIPLETS = TRIPLET_BATCH / 3, LEARNED = 7, KNOWN = 30, NEAREST = 3, ASKED = TRIPLET_BATCH, PLACE = TRIPLET_OUTPUT };

static triplet_params weights, gradients;
static triplet_work   work;
static float state[NN_STATE_HEAD + 2 * TRIPLET_FLOATS]; /* what Adam remembers */
static float pictures[TRIPLET_BATCH][SIDE * SIDE], known[KNOWN][SIDE * SIDE];
static float place[TRIPLET_BATCH][PLACE], known_place[KNOWN][PLACE], d_place[TRIPLET_BATCH][PLACE];

/* The order in which figures are numbered here: the last three are the unseen ones. */
static const int figures[FIGURES] = {0, 2, 4, 5, 6, 7, 9, 1, 3, 8};
static const char *const names[FIGURES] = {"disc", "square", "triangle", "across", "upright", "rising", "checks",
                                           "ring", "cross", "falling"}; /* across to falling: stripes */

static void paint(uint64_t *rng, int figure, float picture[SIDE * SIDE])
{
    figures_clear(rng, 1, SIDE, picture);
    figures_add(rng, 1, SIDE, figures[figure], picture, NULL, 0);
    figures_noise(rng, 1, SIDE, picture);
}

static float distance(const float *a, const float *b)
{
    float sum = 0;
    for (int k = 0; k < PLACE; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* The mean loss, and in d_place its gradient. Samples i, TRIPLETS + i and 2 TRIPLETS + i are a triplet. */
static float triplet_loss(void)
{
    float loss = 0;
    for (int i = 0; i < TRIPLETS; i++) {
        const float *a = place[i], *p = place[TRIPLETS + i], *n = place[2 * TRIPLETS + i];
        float too_far = distance(a, p) - distance(a, n) + 1, counts = too_far > 0 ? 2.0f / TRIPLETS : 0;
        loss += too_far > 0 ? too_far / TRIPLETS : 0;
        for (int k = 0; k < PLACE; k++) {
            d_place[i][k] = counts * (n[k] - p[k]);
            d_place[TRIPLETS + i][k] = counts * (p[k] - a[k]);
            d_place[2 * TRIPLETS + i][k] = counts * (a[k] - n[k]);
        }
    }
    return loss;
}

static float learn(uint64_t *rng, const nn_optimizer *adam)
{
    for (int i = 0; i < TRIPLETS; i++) {
        int figure = (int)(nn_bits(rng) % LEARNED), other = (int)(nn_bits(rng) % (LEARNED - 1));
        paint(rng, figure, pictures[i]);
        paint(rng, figure, pictures[TRIPLETS + i]);
        paint(rng, other + (other >= figure), pictures[2 * TRIPLETS + i]);
    }
    triplet_forward_train(&weights, &work, TRIPLET_BATCH, pictures[0], place[0]);
    float loss = triplet_loss();
    triplet_backward(&weights, &work, TRIPLET_BATCH, pictures[0], d_place[0], &gradients, NULL);
    nn_step(adam, (float *)&weights, (const float *)&gradients, state, TRIPLET_FLOATS);
    return loss;
}

/* The share of pictures of figures from..to-1 whose nearest neighbour is of their figure. */
static float ask(uint64_t rng, int from, int to)
{
    int right = 0, n = to - from;
    for (int i = 0; i < KNOWN; i++)
        paint(&rng, from + i % n, known[i]);
    for (int i = 0; i < ASKED; i++)
        paint(&rng, from + i % n, pictures[i]);
    triplet_forward(&weights, &work, KNOWN, known[0], known_place[0]);
    triplet_forward(&weights, &work, ASKED, pictures[0], place[0]);
    for (int i = 0; i < ASKED; i++) {
        int nearest = 0;
        for (int k = 1; k < KNOWN; k++)
            if (distance(place[i], known_place[k]) < distance(place[i], known_place[nearest]))
                nearest = k;
        right += nearest % n == i % n;
    }
    return (float)right / ASKED;
}

/* For a picture of each figure, what its nearest neighbours show among three pictures of each. */
static void show_neighbours(uint64_t rng)
{
    for (int i = 0; i < KNOWN; i++)
        paint(&rng, i % FIGURES, known[i]);
    for (int i = 0; i < FIGURES; i++)
        paint(&rng, i, pictures[i]);
    triplet_forward(&weights, &work, KNOWN, known[0], known_place[0]);
    triplet_forward(&weights, &work, FIGURES, pictures[0], place[0]);
    puts("\na picture of   lies nearest to pictures of");
    for (int i = 0; i < FIGURES; i++) {
        float apart[KNOWN];
        for (int k = 0; k < KNOWN; k++)
            apart[k] = distance(place[i], known_place[k]);
        printf("%-12s", names[i]);
        for (int n = 0; n < NEAREST; n++) {
            int nearest = 0;
            for (int k = 1; k < KNOWN; k++)
                nearest = apart[k] < apart[nearest] ? k : nearest;
            printf("   %-8s", names[nearest % FIGURES]);
            apart[nearest] = INFINITY;
        }
        puts(i < LEARNED ? "" : "   unseen");
    }
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 2000;
    nn_optimizer adam = nn_adam(0.002f);
    uint64_t rng = 1;
    float loss = 0;

    const int every = steps < 5 ? 1 : steps / 5;
    triplet_init(&weights, 1);
    for (int step = 1; step <= steps; step++) {
        loss += learn(&rng, &adam);
        if (step % every == 0) {
            printf("step %4d   loss %.3f   nearest neighbour right: %3.0f %% of figures learned, %3.0f %% of unseen ones\n", step,
                   loss / every, 100 * ask(99, 0, LEARNED), 100 * ask(99, LEARNED, FIGURES));
            loss = 0;
        }
    }
    show_neighbours(99);
    return 0;
}
