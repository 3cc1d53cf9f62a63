/* td3.c: learns to swing up a pendulum and to hold it there, by TD3 (Fujimoto, van Hoof and Meger, 2018).
 *
 *     td3 [SEED [STEPS]]         for so many steps of the pendulum (20000)
 *
 * The pendulum is Gymnasium's Pendulum-v1: its motor is too weak to lift it at once; each of a game's 200
 * steps costs something until it stands. After each step a batch of what was seen is learned from. Two
 * critics promise what an action is worth: what it brought, and what the less hopeful of two slow copies of
 * them promises for the state after it. The actor learns to do what the first critic promises most for: the
 * critic's dx is the actor's dy.
 */
#include "actor_net.h"  /* made from actor.nn */
#include "critic_net.h" /* made from critic.nn */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GAME = 200, DRAWN = 1000, MOST = 100000, BATCH = CRITIC_BATCH, TESTS = 100, SIZE = ACTOR_INPUT };
static const float discount = 0.98f, learning_rate = 0.001f, share = 0.005f;

static actor_params  actor, slow_actor, d_actor;
static critic_params critic, slow_critic, d_critic;
static actor_work    actor_scratch;
static critic_work   critic_scratch;
static float actor_state[NN_STATE_HEAD + 2 * ACTOR_FLOATS], critic_state[NN_STATE_HEAD + 2 * CRITIC_FLOATS];
typedef struct pendulum { double angle, speed; } pendulum; /* radians from upright, radians a second */

static pendulum new_pendulum(uint64_t *rng)
{
    double angle = 3.14159265358979 * (2 * nn_uniform(rng) - 1);
    return (pendulum){angle, 2 * nn_uniform(rng) - 1};
}

static void look(const pendulum *p, float state[SIZE])
{
    state[0] = cos(p->angle), state[1] = sin(p->angle), state[2] = p->speed;
}

/* Turns it, 1 kg on 1 m where gravity is 10, by a torque of 2 action for 0.05 seconds. Gives the reward. */
static float turn(pendulum *p, float action)
{
    double torque = 2 * action, off = remainder(p->angle, 2 * 3.14159265358979);
    double cost = off * off + 0.1 * p->speed * p->speed + 0.001 * torque * torque;
    p->speed = fmin(fmax(p->speed + 0.05 * (15 * sin(p->angle) + 3 * torque), -8), 8);
    p->angle += 0.05 * p->speed;
    return -cost;
}

/* What the actor does, but for some noise. */
static float act(const pendulum *p, float deviation, uint64_t *rng)
{
    float state[SIZE], y[ACTOR_OUTPUT];
    look(p, state);
    actor_forward(&actor, &actor_scratch, 1, state, y);
    return fminf(fmaxf(y[0] + deviation * nn_normal(rng), -1), 1);
}

static void follow(float *slow, const float *weights, int n)
{
    for (int i = 0; i < n; i++)
        slow[i] += share * (weights[i] - slow[i]);
}

/* What was seen: states with the actions there, what they brought, the states after them; a batch of it. */
static float seen[MOST][CRITIC_INPUT], reward[MOST], after[MOST][SIZE];
static float x[BATCH][CRITIC_INPUT], worth[BATCH][CRITIC_OUTPUT], asked[BATCH][CRITIC_INPUT];
static float states[BATCH][SIZE], y[BATCH][CRITIC_OUTPUT], dy[BATCH][CRITIC_OUTPUT], dx[BATCH][CRITIC_INPUT];

/* y: what critics promise for what an actor does in the states, but for some noise. */
static void ask(const actor_params *a, const critic_params *c, float deviation, uint64_t *rng)
{
    float action[BATCH];
    actor_forward(a, &actor_scratch, BATCH, states[0], action);
    for (int i = 0; i < BATCH; i++) {
        float noise = fminf(fmaxf(deviation * nn_normal(rng), -0.5f), 0.5f);
        memcpy(asked[i], states[i], sizeof states[i]);
        asked[i][CRITIC_AT_action] = fminf(fmaxf(action[i] + noise, -1), 1);
    }
    critic_forward(c, &critic_scratch, BATCH, asked[0], y[0]);
}

static void learn_critic(int known, const nn_optimizer *adam, uint64_t *rng)
{
    for (int i = 0; i < BATCH; i++) {
        int k = (int)(nn_bits(rng) % (unsigned)known);
        memcpy(x[i], seen[k], sizeof x[i]);
        memcpy(states[i], after[k], sizeof states[i]);
        worth[i][0] = reward[k];
    }
    ask(&slow_actor, &slow_critic, 0.2f, rng);
    for (int i = 0; i < BATCH; i++)
        worth[i][1] = worth[i][0] += discount * fminf(y[i][CRITIC_AT_one], y[i][CRITIC_AT_other]);
    critic_forward_train(&critic, &critic_scratch, BATCH, x[0], y[0]);
    nn_mse(BATCH * CRITIC_OUTPUT, y[0], worth[0], dy[0]);
    critic_backward(&critic, &critic_scratch, BATCH, x[0], dy[0], &d_critic, NULL);
    nn_step(adam, (float *)&critic, (const float *)&d_critic, critic_state, CRITIC_FLOATS);
    follow((float *)&slow_critic, (const float *)&critic, CRITIC_FLOATS);
}

/* In the states that the critics learned from just now. */
static void learn_actor(const nn_optimizer *adam, uint64_t *rng)
{
    float d_action[BATCH];
    for (int i = 0; i < BATCH; i++)
        memcpy(states[i], x[i], sizeof states[i]);
    ask(&actor, &critic, 0, rng);
    for (int i = 0; i < BATCH; i++)
        dy[i][CRITIC_AT_one] = -1.0f / BATCH, dy[i][CRITIC_AT_other] = 0; /* the more, the better */
    critic_backward(&critic, &critic_scratch, BATCH, asked[0], dy[0], NULL, dx[0]);
    for (int i = 0; i < BATCH; i++)
        d_action[i] = dx[i][CRITIC_AT_action];
    actor_backward(&actor, &actor_scratch, BATCH, states[0], d_action, &d_actor, NULL);
    nn_step(adam, (float *)&actor, (const float *)&d_actor, actor_state, ACTOR_FLOATS);
    follow((float *)&slow_actor, (const float *)&actor, ACTOR_FLOATS);
}

int main(int argc, char **argv)
{
    uint64_t rng = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    int steps = argc > 2 ? atoi(argv[2]) : 20000;
    nn_optimizer adam = nn_adam(learning_rate);
    pendulum p = new_pendulum(&rng);
    float sum = 0;

    actor_init(&actor, rng), critic_init(&critic, rng);
    slow_actor = actor, slow_critic = critic;
    for (int t = 0; t < steps && t < MOST; t++) {
        float action = t < DRAWN ? 2 * nn_uniform(&rng) - 1 : act(&p, 0.1f, &rng);
        look(&p, seen[t]);
        seen[t][CRITIC_AT_action] = action;
        reward[t] = turn(&p, action);
        look(&p, after[t]);
        if ((t + 1) % GAME == 0)
            p = new_pendulum(&rng);
        if (t >= DRAWN)
            learn_critic(t + 1, &adam, &rng);
        if (t >= DRAWN && t % 2)
            learn_actor(&adam, &rng);
    }
    printf("after %d steps in %.1f s: ", steps, (double)clock() / CLOCKS_PER_SEC);
    for (int t = 0; t < TESTS * GAME; t++) {
        if (t % GAME == 0)
            p = new_pendulum(&rng);
        sum += turn(&p, act(&p, 0, &rng));
    }
    printf("the mean return of %d games is %.1f\n", TESTS, sum / TESTS);
    return 0;
}
