/* gpt.c: a GPT of characters learns a text and goes on with it.
 *
 *     gpt [TEXT [STEPS [WEIGHTS]]]
 *
 * The last tenth of the text is not learned: the loss on it says how well unseen text is guessed, in nats a byte (5.55 is
 * guessing blindly). Without TEXT, or with "-", the program writes itself a text of small sums. In the end it writes some
 * text, byte by byte, each drawn from the probabilities behind the last 64.
 */
#define _POSIX_C_SOURCE 199309L
#include "gpt_net.h" /* made from gpt.nn */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DRAWN = 100000, REPORT = 100, VALIDATED = 32, WRITTEN = 300 };

static gpt_params weights, gradients;
static gpt_work   work;
static int   x[GPT_BATCH][GPT_INPUT], t[GPT_BATCH][GPT_TARGETS];
static float y[GPT_BATCH * GPT_OUTPUT];

/* ---- The text -------------------------------------------------------------------------------------------- */

static unsigned char *text;
static size_t length, learned; /* the first `learned` bytes are for training */

static void draw_text(void)
{
    uint64_t rng = 1;

    text = malloc(DRAWN + 40);
    while (text && length < DRAWN) {
        const int a = (int)(nn_bits(&rng) % 50), b = (int)(nn_bits(&rng) % 50);

        length += (size_t)sprintf((char *)text + length, "%d and %d is %d.\n", a, b, a + b);
    }
}

static void read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t room = 1 << 16, n;

    text = malloc(room);
    while (f && text && (n = fread(text + length, 1, room - length, f)) > 0) {
        length += n;
        if (length == room)
            text = realloc(text, room *= 2);
    }
    if (!f || ferror(f)) {
        perror(path);
        exit(2);
    }
    fclose(f);
}

/* n pieces of the text between two places, each with what stands one byte further. */
static void draw_pieces(int n, size_t from, size_t to, uint64_t *rng)
{
    for (int i = 0; i < n; i++) {
        const unsigned char *piece = text + from + nn_bits(rng) % (to - from - GPT_INPUT);

        for (int k = 0; k < GPT_INPUT; k++) {
            x[i][k] = piece[k];
            t[i][k] = piece[k + 1];
        }
    }
}

/* ---- Learning -------------------------------------------------------------------------------------------- */

/* The same pieces each time. */
static float validation_loss(void)
{
    uint64_t rng = 7;
    float sum = 0;

    for (int i = 0; i < VALIDATED; i++) {
        draw_pieces(GPT_BATCH, learned, length, &rng);
        sum += gpt_loss(&weights, &work, GPT_BATCH, x[0], t[0], NULL);
    }
    return sum / VALIDATED;
}

/* Slowly up in the first hundred steps, then down along a cosine; matrices decay, vectors don't. */
static void step(int number, int steps, float *state)
{
    nn_optimizer plain = nn_adam(1e-3f);

    plain.beta2 = 0.99f;
    plain.lr = nn_lr_linear(nn_lr_cosine(1e-3f, (uint64_t)number, (uint64_t)steps, 1e-4f), (uint64_t)number, 100, 0.01f);
    plain.decoupled = 1;
    nn_optimizer decays = plain;
    decays.weight_decay = 0.1f;
    const nn_group groups[] = {{"", 2, decays}, {"", 0, plain}};

    nn_clip((float *)&gradients, GPT_FLOATS, 1);
    nn_step_groups(&gpt_model, groups, 2, &weights, &gradients, state);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void train(int steps, float *state)
{
    uint64_t rng = 2;
    float sum = 0;
    int since = 0;
    double began = seconds();

    for (int i = 1; i <= steps; i++) {
        draw_pieces(GPT_BATCH, 0, learned, &rng);
        sum += gpt_backward(&weights, &work, GPT_BATCH, x[0], t[0], &gradients);
        since++;
        step(i - 1, steps, state);
        if (i % REPORT && i != steps)
            continue;
        const double now = seconds();
        printf("step %d/%d  loss %.4f  %.1f ms a step  validation loss %.4f\n", i, steps, sum / (float)since,
               1000 * (now - began) / since, validation_loss());
        fflush(stdout);
        sum = 0;
        since = 0;
        began = seconds();
    }
}

/* ---- Writing --------------------------------------------------------------------------------------------- */

static int draw(const float *probabilities, uint64_t *rng)
{
    float u = nn_uniform(rng);
    int c = 0;

    while (c < 255 && (u -= probabilities[c]) >= 0)
        c++;
    return c;
}

/* Begins behind the end of a line. No position looks at a later one, so what stands there means nothing. */
static void write_text(void)
{
    uint64_t rng = 3;
    int last = 0;

    memset(x[0], 0, sizeof x[0]);
    x[0][0] = '\n';
    for (int i = 0; i < WRITTEN; i++) {
        gpt_forward(&weights, &work, 1, x[0], y);
        const int c = draw(y + 256 * last, &rng);
        putchar(c == '\n' || (c >= ' ' && c < 127) ? c : '?');
        if (last == GPT_INPUT - 1)
            memmove(x[0], x[0] + 1, sizeof x[0] - sizeof x[0][0]);
        else
            last++;
        x[0][last] = c;
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    const int steps = argc > 2 ? atoi(argv[2]) : 2000;
    const nn_optimizer adam = nn_adam(0);
    float *state = calloc(nn_state_size(&adam, GPT_FLOATS), sizeof *state);

    if (argc > 1 && strcmp(argv[1], "-") != 0)
        read_text(argv[1]);
    else
        draw_text();
    learned = length / 10 * 9;
    if (!text || !state || length - learned < 2 * GPT_INPUT) {
        fprintf(stderr, "gpt: the text is too short, or there is no memory\n");
        return 2;
    }
    gpt_init(&weights, 1);
    printf("%zu bytes of text, %d weights, %d pieces of %d bytes a step\n", length, GPT_PARAMS, GPT_BATCH, GPT_INPUT);
    train(steps, state);
    printf("\n");
    write_text();
    free(text);
    free(state);
    if (argc > 3 && nn_save(&gpt_model, &weights, argv[3]) != 0) {
        fprintf(stderr, "%s\n", nn_error(NN_EIO));
        return 1;
    }
    return 0;
}
