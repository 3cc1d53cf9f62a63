/* xor.c: a network learns "either, but not both".
 *
 * The four rows of the truth table are the whole data set. Each step shows all of them to the network
 * (xor_backward: how wrong is it, and which way is downhill for each weight?) and then moves
 * the weights a little that way (nn_step). Every program that trains a network has this shape.
 */
#include "xor_net.h" /* made from xor.nn */

#include <stdio.h>

static const float inputs[4][XOR_INPUT] = { {0, 0}, {0, 1}, {1, 0}, {1, 1} };
static const int   answers[4]           = {    0,      1,      1,      0   };

static xor_params weights, gradients;
static xor_work   work;
static float      state[NN_STATE_HEAD + XOR_FLOATS]; /* the weights' momentum */

int main(void)
{
    nn_optimizer momentum = nn_momentum(1.0f, 0.85f);
    float outputs[4][XOR_OUTPUT];
    int right = 0;

    xor_init(&weights, 1);
    for (int step = 0; step <= 500; step++) {
        float loss = xor_backward(&weights, &work, 4, inputs[0], answers, &gradients);
        if (step % 50 == 0)
            printf("step %3d   loss %.4f\n", step, loss);
        nn_step(&momentum, (float *)&weights, (const float *)&gradients, state, XOR_FLOATS);
    }

    xor_forward(&weights, &work, 4, inputs[0], outputs[0]);
    printf("\n a  b   a xor b   sure\n");
    for (int i = 0; i < 4; i++) {
        int answer = outputs[i][1] > outputs[i][0];
        printf("%2.0f %2.0f %9d   %3.0f %%\n", inputs[i][0], inputs[i][1], answer, 100 * outputs[i][answer]);
        right += answer == answers[i];
    }
    if (right < 4)
        fprintf(stderr, "xor: it has not learned\n");
    return right < 4;
}
