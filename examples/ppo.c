/* ppo.c: learns to balance a pole on a cart, by proximal policy optimisation (Schulman and others, 2017).
 *
 *     ppo [SEED [STEPS]]         for so many steps of the cart (100000)
 *
 * The cart is Gymnasium's CartPole-v1: each step is worth 1; a game is lost when the pole leans by 12 degrees
 * or the cart is 2.4 off, and ends after 500 steps. Eight games are played side by side, 32 steps each. From
 * these 256 steps the policy learns to do more often what went better than the value had promised, without
 * changing much at once, and the value to promise what came. The gradient of both is worked out in learn.
 */
#include "ppo_net.h" /* made from ppo.nn */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { GAMES = 8, SAMPLES = 32 * GAMES, PASSES = 20, LONGEST = 500, TESTS = 100 };
static const float discount = 0.98f, trace = 0.8f, learning_rate = 0.001f, clip = 0.2f; /* both fall */

static ppo_params weights, gradients;
static ppo_work   work;
static float      state[NN_STATE_HEAD + 2 * PPO_FLOATS]; /* what Adam remembers */

typedef struct cart {
    double place, speed, angle, turn; /* metres and radians, and their change in a second */
    int    steps;
} cart;

static cart new_cart(uint64_t *rng)
{
    float at[4];
    for (int k = 0; k < 4; k++)
        at[k] = 0.1f * nn_uniform(rng) - 0.05f;
    return (cart){at[0], at[1], at[2], at[3], 0};
}

/* Pushes the cart for 0.02 seconds. Is the game lost? */
static int push(cart *c, int right)
{
    const double gravity = 9.8, pole = 0.1, half = 0.5, mass = 1.1, force = right ? 10 : -10, t = 0.02;
    double sine = sin(c->angle), cosine = cos(c->angle);
    double pushed = (force + pole * half * c->turn * c->turn * sine) / mass;
    double turning = (gravity * sine - cosine * pushed) / (half * (4.0 / 3 - pole * cosine * cosine / mass));
    c->place += t * c->speed, c->speed += t * (pushed - pole * half * turning * cosine / mass);
    c->angle += t * c->turn, c->turn += t * turning, c->steps++;
    return fabs(c->place) > 2.4 || fabs(c->angle) > 12 * 3.14159265358979 / 180;
}

/* The network's answers y to n games, seen as x. */
static void look(const cart *c, int n, float x[][PPO_INPUT], float y[][PPO_OUTPUT])
{
    for (int i = 0; i < n; i++)
        x[i][0] = c[i].place, x[i][1] = c[i].speed, x[i][2] = c[i].angle, x[i][3] = c[i].turn;
    ppo_forward(&weights, &work, n, x[0], y[0]);
}

static float chance_of(int right, const float y[PPO_OUTPUT])
{
    float apart = y[PPO_AT_policy + 1] - y[PPO_AT_policy];
    return 1 / (1 + expf(right ? -apart : apart));
}

/* Step t of game i is sample GAMES t + i. */
static float seen[SAMPLES + GAMES][PPO_INPUT], y[SAMPLES + GAMES][PPO_OUTPUT], dy[SAMPLES][PPO_OUTPUT];
static float reward[SAMPLES], chance[SAMPLES], advantage[SAMPLES], worth[SAMPLES];
static int   action[SAMPLES], over[SAMPLES];

static void play(cart games[GAMES], uint64_t *rng)
{
    for (int k = 0; k < SAMPLES; k++) {
        cart *c = &games[k % GAMES];
        if (k % GAMES == 0)
            look(games, GAMES, &seen[k], &y[k]);
        action[k] = nn_uniform(rng) < chance_of(1, y[k]);
        chance[k] = chance_of(action[k], y[k]);
        int lost = push(c, action[k]), cut = !lost && c->steps == LONGEST;
        if (cut) /* it could have gone on: what would have followed has its value */
            look(c, 1, &seen[SAMPLES], &y[SAMPLES]);
        reward[k] = 1 + (cut ? discount * y[SAMPLES][PPO_AT_value] : 0);
        over[k] = lost || cut;
        if (over[k])
            *c = new_cart(rng);
    }
    look(games, GAMES, &seen[SAMPLES], &y[SAMPLES]);
}

/* How much better than its value each step went (generalised advantage estimation), and what it was worth. */
static void judge(void)
{
    float sum = 0, squares = 0;
    for (int k = SAMPLES - 1; k >= 0; k--) {
        float value = y[k][PPO_AT_value], next = y[k + GAMES][PPO_AT_value];
        float later = k + GAMES < SAMPLES ? advantage[k + GAMES] : 0, goes_on = over[k] ? 0 : discount;
        advantage[k] = reward[k] + goes_on * (next + trace * later) - value;
        worth[k] = advantage[k] + value;
        sum += advantage[k], squares += advantage[k] * advantage[k];
    }
    float mean = sum / SAMPLES, deviation = sqrtf(fmaxf(squares / SAMPLES - mean * mean, 0));
    for (int k = 0; k < SAMPLES; k++)
        advantage[k] = (advantage[k] - mean) / (deviation + 1e-8f);
}

/* A step down the mean of max(-A r, -A min(max(r, 1 - range), 1 + range)) + (value - worth)^2 / 2: A is the
 * advantage, r the chance of the action now divided by that when it was taken. left falls from 1 to 0. */
static void learn(float left)
{
    nn_optimizer adam = nn_adam(learning_rate * left);
    ppo_forward_train(&weights, &work, SAMPLES, seen[0], y[0]);
    for (int k = 0; k < SAMPLES; k++) {
        float A = advantage[k], range = clip * left, now = chance_of(action[k], y[k]), r = now / chance[k];
        float d_logit = (A > 0 ? r > 1 + range : r < 1 - range) ? 0 : -A * r * (1 - now);
        dy[k][PPO_AT_policy + action[k]] = d_logit / SAMPLES;
        dy[k][PPO_AT_policy + !action[k]] = -d_logit / SAMPLES;
        dy[k][PPO_AT_value] = (y[k][PPO_AT_value] - worth[k]) / SAMPLES;
    }
    ppo_backward(&weights, &work, SAMPLES, seen[0], dy[0], &gradients, NULL);
    nn_step(&adam, (float *)&weights, (const float *)&gradients, state, PPO_FLOATS);
}

/* The mean return of games in which the likelier push is made. */
static float test(uint64_t rng)
{
    int steps = 0;
    for (int i = 0; i < TESTS; i++) {
        cart c = new_cart(&rng);
        do
            look(&c, 1, seen, y);
        while (!push(&c, chance_of(1, y[0]) > 0.5f) && c.steps < LONGEST);
        steps += c.steps;
    }
    return (float)steps / TESTS;
}

int main(int argc, char **argv)
{
    uint64_t rng = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int rounds = (argc > 2 ? atoi(argv[2]) : 100000) / SAMPLES;
    cart games[GAMES] = {{0}};

    ppo_init(&weights, rng);
    for (int round = 0; round < rounds; round++) {
        play(games, &rng);
        judge();
        for (int pass = 0; pass < PASSES; pass++)
            learn(1 - (float)round / rounds);
    }
    printf("after %d steps in %.1f s: ", rounds * SAMPLES, (double)clock() / CLOCKS_PER_SEC);
    printf("the mean return of %d games is %.1f\n", TESTS, test(99));
    return 0;
}
