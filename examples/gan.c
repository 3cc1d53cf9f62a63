/* gan.c: learns to draw digits, against a network that learns to tell its digits from real ones.
 *
 *     gan [STEPS]                for so many steps (2000)
 *
 * The generator makes a picture from noise and a digit that is asked for. The discriminator gives, for each
 * digit, the logit of: this is a real picture of it. In each step the discriminator learns from real and from
 * generated pictures, then the generator learns to make pictures that the discriminator takes for real: the
 * discriminator's dx is the generator's dy (Goodfellow and others, 2014; with the digit asked for, Mirza and
 * Osindero, 2014). In the end a LeNet that has learned from real digits reads the generated ones.
 */
#include "digits.h"
#include "discriminator_net.h" /* made from discriminator.nn */
#include "generator_net.h"     /* made from generator.nn */
#include "lenet_net.h"         /* made from lenet.nn */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = GENERATOR_BATCH, DIGITS = LENET_OUTPUT, SIDE = DIGITS_SIDE, PIXELS = DIGITS_PIXELS };
enum { READER_STEPS = 1000, TESTS = 40, SHOWN = 12, ABREAST = 4 };

static generator_params     generator, d_generator;
static discriminator_params discriminator, d_discriminator;
static lenet_params         reader, d_reader;
static generator_work       generator_scratch;
static discriminator_work   discriminator_scratch;
static lenet_work           reader_scratch;
static float generator_state[NN_STATE_HEAD + 2 * GENERATOR_FLOATS]; /* what Adam remembers */
static float discriminator_state[NN_STATE_HEAD + 2 * DISCRIMINATOR_FLOATS];
static float reader_state[NN_STATE_HEAD + 2 * LENET_FLOATS];

static float noise[BATCH][GENERATOR_INPUT], real[BATCH][PIXELS], fake[BATCH][PIXELS], d_fake[BATCH][PIXELS];
static int   labels[BATCH], asked[BATCH]; /* the digits of real and of generated pictures */

/* Asks for each digit equally often. */
static void draw_noise(uint64_t *rng)
{
    memset(noise, 0, sizeof noise);
    for (int i = 0; i < BATCH; i++) {
        for (int k = 0; k < GENERATOR_AT_digit; k++)
            noise[i][k] = nn_normal(rng);
        asked[i] = i % DIGITS;
        noise[i][GENERATOR_AT_digit + asked[i]] = 1;
    }
}

/* The discriminator's loss if these were real pictures of the digits (is_real 1), or of none (0); in g its
 * gradient with respect to the weights, in dx with respect to the pictures. */
static float discriminate(float *x, const int *digits, float is_real, discriminator_params *g, float *dx)
{
    static float y[BATCH][DIGITS], dy[BATCH][DIGITS];
    float t[BATCH][DIGITS] = {{0}};
    for (int i = 0; i < BATCH; i++)
        t[i][digits[i]] = is_real;
    discriminator_forward_train(&discriminator, &discriminator_scratch, BATCH, x, y[0]);
    float loss = nn_bce(BATCH * DIGITS, y[0], t[0], dy[0]);
    discriminator_backward(&discriminator, &discriminator_scratch, BATCH, x, dy[0], g, dx);
    return loss;
}

static void learn(const nn_optimizer *adam, uint64_t *rng, float loss[2])
{
    digits_fill(rng, BATCH, real[0], labels);
    draw_noise(rng);
    generator_forward_train(&generator, &generator_scratch, BATCH, noise[0], fake[0]);
    discriminator_scratch.add = 0;
    loss[0] += discriminate(real[0], labels, 1, &d_discriminator, NULL);
    discriminator_scratch.add = 1; /* both gradients, summed */
    loss[0] += discriminate(fake[0], asked, 0, &d_discriminator, NULL);
    nn_step(adam, (float *)&discriminator, (const float *)&d_discriminator, discriminator_state,
            DISCRIMINATOR_FLOATS);

    loss[1] += discriminate(fake[0], asked, 1, NULL, d_fake[0]);
    generator_backward(&generator, &generator_scratch, BATCH, noise[0], d_fake[0], &d_generator, NULL);
    nn_step(adam, (float *)&generator, (const float *)&d_generator, generator_state, GENERATOR_FLOATS);
}

static void learn_to_read(uint64_t *rng)
{
    nn_optimizer adam = nn_adam(0.002f);
    for (int step = 0; step < READER_STEPS; step++) {
        digits_fill(rng, BATCH, real[0], labels);
        lenet_backward(&reader, &reader_scratch, BATCH, real[0], labels, &d_reader);
        nn_step(&adam, (float *)&reader, (const float *)&d_reader, reader_state, LENET_FLOATS);
    }
}

/* Says how many real or generated pictures the reader takes for the digits that they should be. */
static void judge(const char *what, float pictures[][PIXELS], const int *digits, uint64_t *rng)
{
    const float percent = 100.0f / (TESTS * BATCH);
    float y[BATCH][DIGITS];
    int right = 0, sure = 0, seen[DIGITS] = {0}, occur = 0;
    for (int test = 0; test < TESTS; test++) {
        digits_fill(rng, BATCH, real[0], labels);
        draw_noise(rng);
        generator_forward(&generator, &generator_scratch, BATCH, noise[0], fake[0]);
        lenet_forward(&reader, &reader_scratch, BATCH, pictures[0], y[0]);
        for (int i = 0; i < BATCH; i++) {
            int best = 0, sure_here = y[i][digits[i]] > 0.9f;
            for (int k = 1; k < DIGITS; k++)
                best = y[i][k] > y[i][best] ? k : best;
            right += best == digits[i], sure += sure_here, seen[digits[i]] += sure_here;
        }
    }
    for (int k = 0; k < DIGITS; k++)
        occur += seen[k] > 0;
    printf("%d %s digits: LeNet reads %.1f %% right, %.1f %% with a probability above 0.9; %d of ten occur\n",
           TESTS * BATCH, what, right * percent, sure * percent, occur);
}

/* Two rows of pixels in a line. */
static void show(float pictures[][PIXELS], int n)
{
    static const char ink[] = " .:-=+*#%@";
    for (int row = 0; row < PIXELS; row += 2 * SIDE)
        for (int i = 0; i < n; i++) {
            for (int k = row + 2; k < row + SIDE - 2; k++)
                putchar(ink[(int)((pictures[i][k] + pictures[i][k + SIDE]) * 0.5f * 9.0f + 0.4f)]);
            fputs(i + 1 < n ? "  " : "\n", stdout);
        }
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 2000, every = steps < 5 ? 1 : steps / 5;
    nn_optimizer adam = nn_adam(0);
    uint64_t rng = 1;
    float loss[2] = {0}; /* of the discriminator, of the generator */

    adam.beta1 = 0.5f;
    generator_init(&generator, 1), discriminator_init(&discriminator, 2), lenet_init(&reader, 3);
    for (int step = 1; step <= steps; step++) {
        adam.lr = nn_lr_cosine(0.001f, step - 1, steps, 0);
        learn(&adam, &rng, loss);
        if (step % every == 0) {
            printf("step %4d   %5.1f s   loss of the discriminator %.3f, of the generator %.3f\n", step,
                   (double)clock() / CLOCKS_PER_SEC, loss[0] / every, loss[1] / every);
            loss[0] = loss[1] = 0;
        }
    }
    learn_to_read(&rng);
    judge("real", real, labels, &rng);
    judge("generated", fake, asked, &rng);
    for (int i = 0; i < SHOWN; i += ABREAST)
        show(&fake[i], ABREAST);
    return 0;
}
