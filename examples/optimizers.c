/* optimizers.c: one network, five ways down.
 *
 *     optimizers [FILE]
 *
 * Trains the network of optimizers.nn on two thousand drawn digits with each optimizer of the runtime: from the
 * same first weights, on the same batches in the same order, at the same learning rate, so that whatever
 * differs is the optimizer's doing. (Which is best is another question: each has a rate that suits it.)
 * Writes a table, to FILE or to standard output: a line for each epoch, with the steps so far and the
 * mean loss of the epoch under each optimizer.
 */
#include "digits.h"
#include "optimizers_net.h" /* made from optimizers.nn */

#include <stdio.h>
#include <string.h>

enum { METHODS = 5, EPOCHS = 20, BATCHES = 64, DIGITS = BATCHES * NET_BATCH };

static const float rate = 0.01f;

static net_params weights, gradients;
static net_work   work;
static float      state[NN_STATE_HEAD + 2 * NET_FLOATS]; /* Adam's; the others need less */
static float      images[DIGITS][NET_INPUT];
static int        labels[DIGITS];

/* Trains from the beginning; losses[e] becomes the mean loss of epoch e. */
static void train(nn_optimizer optimizer, double losses[EPOCHS])
{
    static float batch_images[NET_BATCH][NET_INPUT];
    static int   batch_labels[NET_BATCH], order[DIGITS];
    uint64_t rng = 1; /* the same order for each optimizer */

    memset(state, 0, sizeof state);
    net_init(&weights, 1);
    for (int step = 0; step < EPOCHS * BATCHES; step++) {
        int batch = step % BATCHES;
        if (batch == 0)
            nn_shuffle(&rng, order, DIGITS);
        for (int i = 0; i < NET_BATCH; i++) {
            int digit = order[batch * NET_BATCH + i];
            memcpy(batch_images[i], images[digit], sizeof images[digit]);
            batch_labels[i] = labels[digit];
        }
        losses[step / BATCHES] += (double)net_backward(&weights, &work, NET_BATCH, batch_images[0],
                                                       batch_labels, &gradients) / BATCHES;
        nn_step(&optimizer, (float *)&weights, (const float *)&gradients, state, NET_FLOATS);
    }
}

int main(int argc, char **argv)
{
    static double losses[METHODS][EPOCHS];
    const char *path = argc > 1 ? argv[1] : "standard output";
    FILE *table = argc > 1 ? fopen(path, "w") : stdout;
    uint64_t rng = 2;

    if (!table) {
        perror(path);
        return 1;
    }
    digits_fill(&rng, DIGITS, images[0], labels);
    train(nn_sgd(rate),            losses[0]);
    train(nn_momentum(rate, 0.9f), losses[1]);
    train(nn_adagrad(rate),        losses[2]);
    train(nn_rmsprop(rate),        losses[3]);
    train(nn_adam(rate),           losses[4]);

    fprintf(table, "# step       sgd  momentum   adagrad   rmsprop      adam\n");
    for (int e = 0; e < EPOCHS; e++) {
        fprintf(table, "%6d", (e + 1) * BATCHES);
        for (int m = 0; m < METHODS; m++)
            fprintf(table, "%10.5f", losses[m][e]);
        fprintf(table, "\n");
    }
    if (ferror(table) | (fclose(table) != 0)) {
        perror(path);
        return 1;
    }
    return 0;
}
