/* rates.c: learning rates as functions of the step.
 *
 * The definitions are those of torch.optim.lr_scheduler, in the closed form where there is one: what PyTorch
 * works out from the rate of the step before comes out the same but for rounding. All is worked out in double
 * from the number of the step alone, so that training goes on anywhere without a state. */
#define NN_COMPUTES
#include "nn.h"
#include "arithmetic.h"

static const double half_turn = 3.14159265358979323846;

/* From a to b by half a cosine; at 0: a, at 1: b. */
static double anneal(double a, double b, double at)
{
    return b + (a - b) / 2 * (1 + cos(half_turn * at));
}

float nn_lr_constant(float lr, uint64_t step)
{
    (void)step;
    return lr;
}

float nn_lr_step(float lr, uint64_t step, uint64_t size, float gamma)
{
    return (float)(lr * power(decimal(gamma), step / size));
}

float nn_lr_cosine(float lr, uint64_t step, uint64_t steps, float least)
{
    return (float)(least + ((double)lr - least) * (1 + cos(half_turn * (double)step / (double)steps)) / 2);
}

float nn_lr_linear(float lr, uint64_t step, uint64_t steps, float factor)
{
    double from = decimal(factor);
    return step >= steps ? lr : (float)(lr * (from + (1 - from) * (double)step / (double)steps));
}

/* Where the step lies in its half of the cycle: 0 to 1 on the way up, 1 to 2 on the way down. */
static double in_cycle(uint64_t step, uint64_t steps)
{
    const double top = 0.3 * (double)steps - 1, last = (double)steps - 1, at = (double)step;
    if (at >= last)
        return 2;
    return at <= top ? at / top : 1 + (at - top) / (last - top);
}

float nn_lr_onecycle(float most, uint64_t step, uint64_t steps)
{
    const double at = in_cycle(step, steps), first = most / 25.0;
    return (float)(at <= 1 ? anneal(first, most, at) : anneal(most, first / 1e4, at - 1));
}

float nn_momentum_onecycle(uint64_t step, uint64_t steps)
{
    const double at = in_cycle(step, steps);
    return (float)(at <= 1 ? anneal(0.95, 0.85, at) : anneal(0.85, 0.95, at - 1));
}
