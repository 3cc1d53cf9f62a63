/* accumulate.c: a batch in parts: eight calls of 32 samples give the gradient of one call of 256.
 *
 * The network has no loss of its own. Here it is the mean square over the whole batch, so that each part's gradient is
 * divided by the size of the whole; with w->add the parts add up in g. A batch that is larger than memory is taken so.
 */
#include "accumulate_net.h" /* made from accumulate.nn */

#include <math.h>
#include <stdio.h>

enum { WHOLE = 256, PART = 32 };

static accumulate_params weights, at_once, in_parts;
static accumulate_work   work; /* all zero: work.add, too */
static float x[WHOLE][ACCUMULATE_INPUT], target[WHOLE][ACCUMULATE_OUTPUT];

/* Writes the gradient of `samples` samples over g, or with work.add adds it to g. */
static void backward(int first, int samples, accumulate_params *g)
{
    float y[WHOLE][ACCUMULATE_OUTPUT], dy[WHOLE][ACCUMULATE_OUTPUT];

    accumulate_forward_train(&weights, &work, samples, x[first], y[0]);
    nn_mse((size_t)samples * ACCUMULATE_OUTPUT, y[0], target[first], dy[0]);
    for (int i = 0; i < samples; i++)
        for (int k = 0; k < ACCUMULATE_OUTPUT; k++)
            dy[i][k] *= (float)samples / WHOLE; /* of the mean over the part, of that over all */
    accumulate_backward(&weights, &work, samples, x[first], dy[0], g, NULL);
}

int main(void)
{
    uint64_t rng = 1;
    const float *a = (const float *)&at_once, *b = (const float *)&in_parts;
    float largest = 0, apart = 0;

    accumulate_init(&weights, 1);
    for (int i = 0; i < WHOLE; i++) {
        for (int k = 0; k < ACCUMULATE_INPUT; k++)
            x[i][k] = nn_normal(&rng);
        for (int k = 0; k < ACCUMULATE_OUTPUT; k++)
            target[i][k] = x[i][k] * x[i][k + 1];
    }
    backward(0, WHOLE, &at_once);
    for (int first = 0; first < WHOLE; first += PART) {
        work.add = first > 0;
        backward(first, PART, &in_parts);
    }
    for (int i = 0; i < ACCUMULATE_FLOATS; i++) {
        largest = fmaxf(largest, fabsf(a[i]));
        apart = fmaxf(apart, fabsf(a[i] - b[i]));
    }
    printf("the largest gradient is %.4f; in parts, all are the same to within %.0e of that\n", largest, apart / largest);
    return !(largest > 0 && apart < 1e-5f * largest);
}
