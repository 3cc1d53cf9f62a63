/* reverse.c: learns to write words backwards, from pairs of words alone.
 *
 *     reverse [STEPS]
 *
 * While it learns, the network is given the right letters so far (teacher forcing) and learns the next one at all
 * places at once. When it writes, it is given its own, from the first to the 0 at the end. Words are drawn as they
 * are needed, one to twelve letters long; of the longer ones hardly one comes twice.
 */
#include "reverse_net.h" /* made from reverse.nn */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LETTERS = 26, LONGEST = REVERSE_INPUT_word, PLACES = REVERSE_INPUT_said, CLASSES = LETTERS + 1, NOT_COUNTED = -100 };
enum { SHOWN = 5 };

static reverse_params weights, gradients;
static reverse_work   work;
static float memory[NN_STATE_HEAD + 2 * REVERSE_FLOATS]; /* what Adam remembers */
static int   x[REVERSE_BATCH][REVERSE_INPUT], t[REVERSE_BATCH][REVERSE_TARGETS];
static float y[REVERSE_BATCH][PLACES][CLASSES];

/* A word and, as targets, what should be written: its letters from the last to the first, then 0. */
static void draw_word(int *word, int *target, uint64_t *rng)
{
    const int length = 1 + (int)(nn_bits(rng) % LONGEST);

    memset(word, 0, LONGEST * sizeof *word);
    for (int i = 0; i < length; i++)
        word[i] = 1 + (int)(nn_bits(rng) % LETTERS);
    for (int i = 0; i < PLACES; i++)
        target[i] = i < length ? word[length - 1 - i] : i == length ? 0 : NOT_COUNTED;
}

/* Before the first letter stands 0; where nothing is counted, anything may stand. */
static void tell(const int *target, int *said)
{
    for (int i = 0; i < PLACES; i++)
        said[i] = i == 0 || target[i - 1] == NOT_COUNTED ? 0 : target[i - 1];
}

static float train(int step, int steps, uint64_t *rng)
{
    static nn_optimizer adam;

    for (int n = 0; n < REVERSE_BATCH; n++) {
        draw_word(x[n] + REVERSE_AT_word, t[n], rng);
        tell(t[n], x[n] + REVERSE_AT_said);
    }
    const float loss = reverse_backward(&weights, &work, REVERSE_BATCH, x[0], t[0], &gradients);
    if (step == 0)
        adam = nn_adam(0);
    adam.lr = nn_lr_onecycle(0.005f, (uint64_t)step, (uint64_t)steps);
    nn_clip((float *)&gradients, REVERSE_FLOATS, 1);
    nn_step(&adam, (float *)&weights, (const float *)&gradients, memory, REVERSE_FLOATS);
    return loss;
}

static int greatest(const float *probabilities)
{
    int best = 0;

    for (int c = 1; c < CLASSES; c++)
        if (probabilities[c] > probabilities[best])
            best = c;
    return best;
}

/* Writes behind the words of x until each has its 0. said[n] begins with a 0 that nobody wrote. */
static void write_all(void)
{
    for (int n = 0; n < REVERSE_BATCH; n++)
        memset(x[n] + REVERSE_AT_said, 0, PLACES * sizeof **x);
    for (int i = 0; i + 1 < PLACES; i++) {
        reverse_forward(&weights, &work, REVERSE_BATCH, x[0], y[0][0]);
        for (int n = 0; n < REVERSE_BATCH; n++) {
            int *said = x[n] + REVERSE_AT_said;
            said[i + 1] = i > 0 && said[i] == 0 ? 0 : greatest(y[n][i]);
        }
    }
}

static void print_letters(const int *letters, int room)
{
    int i = 0;

    for (; i < room && letters[i]; i++)
        putchar('a' + letters[i] - 1);
    printf("%*s", LONGEST + 2 - i, "");
}

/* Of new words, how many are written without an error? Shows some of them. */
static double test(int shown, uint64_t *rng)
{
    int right = 0;

    for (int n = 0; n < REVERSE_BATCH; n++)
        draw_word(x[n] + REVERSE_AT_word, t[n], rng);
    write_all();
    for (int n = 0; n < REVERSE_BATCH; n++) {
        const int *said = x[n] + REVERSE_AT_said + 1;
        int same = 1;
        for (int i = 0; i < LONGEST && t[n][i] != NOT_COUNTED; i++)
            same &= said[i] == t[n][i];
        right += same;
        if (n < shown) {
            print_letters(x[n] + REVERSE_AT_word, LONGEST);
            print_letters(said, LONGEST);
            printf("%s\n", same ? "" : "wrong");
        }
    }
    return 100.0 * right / REVERSE_BATCH;
}

int main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 2000, report = steps < 10 ? 1 : steps / 10;
    uint64_t rng = 1, other = 2;
    float sum = 0;

    reverse_init(&weights, 1);
    for (int step = 0; step < steps; step++) {
        sum += train(step, steps, &rng);
        if ((step + 1) % report == 0) {
            printf("step %5d   loss %.4f   %.0f %% of new words right\n", step + 1, sum / (float)report, test(0, &other));
            fflush(stdout);
            sum = 0;
        }
    }
    printf("\nThe word      what it writes\n");
    test(SHOWN, &other);
    return 0;
}
