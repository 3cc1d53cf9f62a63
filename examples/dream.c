/* dream.c: what a network that reads digits would like to see, and what deceives it.
 *
 *     dream WEIGHTS          those that lenet.c leaves
 *
 * Nothing is learned here: net_backward gives no gradient of the weights (g is NULL), but that of the
 * picture, dx. A grey picture that goes along it, smoothed a little on its way, becomes one in which the
 * network sees a digit more clearly than in a real one. And a real digit, each pixel of which is made a
 * little lighter or darker by the sign of dx, is read as another (Goodfellow, Shlens and Szegedy, 2014; in
 * steps, as Madry and others, 2017).
 */
#include "digits.h"
#include "dream_net.h" /* made from dream.nn */

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = DIGITS_SIDE, PIXELS = DIGITS_PIXELS, CLASSES = DREAM_OUTPUT, BATCH = DREAM_BATCH, ABREAST = 3 };
enum { CLIMB = 200, TESTS = 20, STEPS = 10 };

static const float most = 0.15f; /* by which a pixel of a real digit may change; 1 is from black to white */

static dream_params weights;
static dream_work   work;
static float x[BATCH][PIXELS], real[BATCH][PIXELS], dx[BATCH][PIXELS], y[BATCH][CLASSES], dy[BATCH][CLASSES];
static int   labels[BATCH], before[BATCH], after[BATCH];

static float within(float v, float low, float high)
{
    return fminf(fmaxf(v, low), high);
}

/* What the network reads in n pictures. */
static void read_digits(int n, int *answers)
{
    dream_forward(&weights, &work, n, x[0], y[0]);
    for (int i = 0; i < n; i++) {
        answers[i] = 0;
        for (int k = 1; k < CLASSES; k++)
            answers[i] = y[i][k] > y[i][answers[i]] ? k : answers[i];
    }
}

/* Each pixel a little more like the four beside it. */
static void smooth(float picture[PIXELS], float share)
{
    float old[PIXELS];
    memcpy(old, picture, sizeof old);
    for (int i = SIDE + 1; i < PIXELS - SIDE - 1; i++)
        picture[i] += share * ((old[i - 1] + old[i + 1] + old[i - SIDE] + old[i + SIDE]) / 4 - old[i]);
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

/* Shows a picture for each class: uphill in its logit, downhill in the others. Gives how many are read so. */
static int dream(void)
{
    int seen = 0;
    for (int i = 0; i < CLASSES; i++)
        for (int k = 0; k < PIXELS; k++)
            x[i][k] = 0.1f;
    for (int step = 0; step < CLIMB; step++) {
        for (int i = 0; i < CLASSES; i++)
            for (int k = 0; k < CLASSES; k++)
                dy[i][k] = i == k ? -1 : 1.0f / CLASSES;
        dream_backward(&weights, &work, CLASSES, x[0], dy[0], NULL, dx[0]);
        for (int i = 0; i < CLASSES; i++) {
            float length = 1e-9f;
            for (int k = 0; k < PIXELS; k++)
                length += dx[i][k] * dx[i][k];
            for (int k = 0; k < PIXELS; k++)
                x[i][k] = within(x[i][k] - 0.5f * dx[i][k] / sqrtf(length) - 0.005f, 0, 1);
            smooth(x[i], 0.3f);
        }
    }
    read_digits(CLASSES, after);
    for (int i = 0; i < CLASSES; i++)
        seen += after[i] == i;
    for (int i = 0; i + ABREAST <= CLASSES; i += ABREAST)
        show(&x[i], ABREAST);
    return seen;
}

/* Makes the real digits' loss larger, no pixel by more than `most`. */
static void deceive(void)
{
    memcpy(x, real, sizeof x);
    for (int step = 0; step < STEPS; step++) {
        dream_forward_train(&weights, &work, BATCH, x[0], y[0]);
        nn_crossentropy(BATCH, CLASSES, y[0], labels, dy[0]);
        dream_backward(&weights, &work, BATCH, x[0], dy[0], NULL, dx[0]);
        for (int i = 0; i < BATCH; i++)
            for (int k = 0; k < PIXELS; k++) {
                float up = (float)((dx[i][k] > 0) - (dx[i][k] < 0)) * 2.5f * most / STEPS;
                x[i][k] = within(within(x[i][k] + up, real[i][k] - most, real[i][k] + most), 0, 1);
            }
    }
}

int main(int argc, char **argv)
{
    uint64_t rng = 99;
    int error, right = 0, still = 0;

    if (argc != 2)
        return fprintf(stderr, "usage: dream WEIGHTS\n"), 2;
    error = nn_load(&dream_model, &weights, argv[1]);
    if (error)
        return fprintf(stderr, "dream: %s\n", nn_error(error)), 1;
    puts("What it would like to see as a 0 to an 8:\n");
    printf("\nIt reads %d of 10 such pictures as it should.\n", dream());
    for (int test = 0; test < TESTS; test++) {
        digits_fill(&rng, BATCH, real[0], labels);
        memcpy(x, real, sizeof x);
        read_digits(BATCH, before);
        deceive();
        read_digits(BATCH, after);
        for (int i = 0; i < BATCH; i++)
            right += before[i] == labels[i], still += after[i] == labels[i];
    }
    puts("\nSome digits, and what else it reads there once they are changed a little:\n");
    show(real, ABREAST);
    show(x, ABREAST);
    for (int i = 0; i < ABREAST; i++)
        printf("%*s%d, read as %d%*s", SIDE / 2 - 7, "", labels[i], after[i], SIDE / 2 - 5, "");
    printf("\n\nIt reads %.1f %% of %d digits, and %.1f %% of them with pixels changed by at most %.2f.\n",
           100.0 * right / (TESTS * BATCH), TESTS * BATCH, 100.0 * still / (TESTS * BATCH), most);
    return 0;
}
