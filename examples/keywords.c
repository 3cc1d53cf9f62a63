/* keywords.c: learns to tell six words of a language of tones.
 *
 * A word is three syllables, high or low, spoken in a second: by a voice of its own pitch and volume, as fast as it likes,
 * a little out of tune, with overtones, into a room with hum and noise. Words are drawn as they are needed; none is
 * heard twice, and each batch is answered before it is learned, so the accuracy printed is that on words never
 * heard before.
 */
#include "keywords_net.h" /* made from keywords.nn */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RATE = 1600, SYLLABLES = 3, WORDS = KEYWORDS_OUTPUT }; /* RATE: numbers a second */

static const char *const words[WORDS] = {"low low high", "low high low", "high low low",
                                         "high high low", "high low high", "low high high"};
static const int high[WORDS][SYLLABLES] = {{0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}};

static keywords_params weights, gradients;
static keywords_work   work;
static float memory[NN_STATE_HEAD + 2 * KEYWORDS_FLOATS]; /* what Adam remembers */
static float sounds[KEYWORDS_BATCH][KEYWORDS_INPUT];
static int   labels[KEYWORDS_BATCH];

static float between(float low, float high_end, uint64_t *rng)
{
    return low + (high_end - low) * nn_uniform(rng);
}

/* Adds a tone that swells and fades. */
static void sing(float *sound, int begin, int length, float pitch, float volume, uint64_t *rng)
{
    const float round = 6.2831853f, phase = between(0, round, rng), overtone = between(0.1f, 0.5f, rng);

    for (int i = 0; i < length && begin + i < KEYWORDS_INPUT; i++) {
        float time = phase + round * pitch * (float)i / RATE, swell = sinf(0.5f * round * (float)i / (float)length);
        sound[begin + i] += volume * swell * (sinf(time) + overtone * sinf(2 * time));
    }
}

static void speak(int word, float *sound, uint64_t *rng)
{
    const float pitch = between(120, 240, rng), interval = between(1.4f, 1.7f, rng), volume = between(0.4f, 1.2f, rng);
    const float length = between(0.14f, 0.24f, rng) * RATE, noise = between(0.05f, 0.4f, rng);
    int begin = (int)between(0, KEYWORDS_INPUT - SYLLABLES * length, rng);

    for (int i = 0; i < KEYWORDS_INPUT; i++)
        sound[i] = noise * nn_normal(rng);
    sing(sound, 0, KEYWORDS_INPUT, 50, 0.2f, rng);
    for (int k = 0; k < SYLLABLES; k++) {
        float tone = pitch * (high[word][k] ? interval : 1) * between(0.97f, 1.03f, rng);
        sing(sound, begin, (int)(length * between(0.7f, 0.95f, rng)), tone, volume, rng);
        begin += (int)length;
    }
}

static int greatest(const float answer[WORDS])
{
    int best = 0;
    for (int k = 1; k < WORDS; k++)
        if (answer[k] > answer[best])
            best = k;
    return best;
}

int main(int argc, char **argv)
{
    nn_optimizer adam = nn_adam(0);
    int steps = argc > 1 ? atoi(argv[1]) : 1500, report = steps < 10 ? 1 : steps / 10, right = 0, heard[WORDS][WORDS] = {{0}};
    uint64_t rng = 1;

    keywords_init(&weights, 1);
    for (int step = 1; step <= steps; step++) {
        float answers[KEYWORDS_BATCH][WORDS];
        for (int s = 0; s < KEYWORDS_BATCH; s++) {
            labels[s] = (int)(nn_uniform(&rng) * WORDS);
            speak(labels[s], sounds[s], &rng);
        }
        keywords_forward(&weights, &work, KEYWORDS_BATCH, sounds[0], answers[0]);
        for (int s = 0; s < KEYWORDS_BATCH; s++) {
            right += greatest(answers[s]) == labels[s];
            heard[labels[s]][greatest(answers[s])] += step > steps - report;
        }
        adam.lr = nn_lr_onecycle(0.01f, (uint64_t)step - 1, (uint64_t)steps);
        float loss = keywords_backward(&weights, &work, KEYWORDS_BATCH, sounds[0], labels, &gradients);
        nn_clip((float *)&gradients, KEYWORDS_FLOATS, 1);
        nn_step(&adam, (float *)&weights, (const float *)&gradients, memory, KEYWORDS_FLOATS);
        if (step % report == 0) {
            printf("step %4d   loss %.4f   accuracy %.1f %%\n", step, loss, 100.0 * right / (report * KEYWORDS_BATCH));
            right = 0;
        }
    }
    printf("of the last words, heard as\n");
    for (int word = 0; word < WORDS; word++) {
        printf("%-14s", words[word]);
        for (int as = 0; as < WORDS; as++)
            printf("%6d", heard[word][as]);
        printf("\n");
    }
    return 0;
}
