/* team.c: a team of threads that works on one thing at a time.
 *
 * The caller's thread is number 0 and works, too. The others wait between two runs: a short while in a
 * loop, since a step of a small network takes microseconds and waking a thread takes tens of them, then
 * asleep. Where the machine has fewer cores than the team has threads, waiting in a loop would keep others
 * from working, so they sleep at once.
 *
 * What one thread writes often has cache lines of its own. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity */
#endif

#include "engine.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct member {
    nn_team *team;
    int number;
    pthread_t thread;
} member;

struct nn_team {
    int threads;                  /* with the caller's */
    int patience;                 /* rounds of the loop before a thread sleeps */
    member *members;              /* 1 .. threads-1 */
    const nn_processes *processes; /* NULL: this one is alone */

    /* Of the present run; written before round is raised. */
    void (*work)(void *context, int thread, int threads);
    void *context;
    int active;                   /* threads that take part */

    _Alignas(64) atomic_uint round;   /* raised at the beginning of a run */
    _Alignas(64) atomic_int busy;     /* others that have not finished the run */
    _Alignas(64) atomic_int sleepers; /* others that sleep, or are about to */
    atomic_bool caller_sleeps;
    atomic_bool over;
    pthread_mutex_t lock;
    pthread_cond_t begins, ends;
};

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits for the round after `seen`, and returns it. */
static unsigned await_round(nn_team *team, unsigned seen)
{
    unsigned round;

    for (int i = 0; i < team->patience; i++) {
        if ((round = atomic_load(&team->round)) != seen)
            return round;
        pause_briefly();
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->sleepers, 1);
    while ((round = atomic_load(&team->round)) == seen)
        pthread_cond_wait(&team->begins, &team->lock);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->lock);
    return round;
}

static void *be_member(void *argument)
{
    member *me = argument;
    nn_team *team = me->team;

    for (unsigned round = 0;;) {
        round = await_round(team, round);
        if (atomic_load(&team->over))
            return NULL;
        if (me->number < team->active)
            team->work(team->context, me->number, team->active);
        if (atomic_fetch_sub(&team->busy, 1) == 1 && atomic_load(&team->caller_sleeps)) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->ends);
            pthread_mutex_unlock(&team->lock);
        }
    }
}

static void begin_round(nn_team *team)
{
    atomic_fetch_add(&team->round, 1);
    if (atomic_load(&team->sleepers) > 0) {
        pthread_mutex_lock(&team->lock);
        pthread_cond_broadcast(&team->begins);
        pthread_mutex_unlock(&team->lock);
    }
}

static void await_others(nn_team *team)
{
    for (int i = 0; i < team->patience; i++) {
        if (atomic_load(&team->busy) == 0)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&team->lock);
    atomic_store(&team->caller_sleeps, true);
    while (atomic_load(&team->busy) > 0)
        pthread_cond_wait(&team->ends, &team->lock);
    atomic_store(&team->caller_sleeps, false);
    pthread_mutex_unlock(&team->lock);
}

void nn_team_run(nn_team *team, int threads, void (*work)(void *context, int thread, int threads),
                 void *context)
{
    const int active = threads < 1 || threads > team->threads ? team->threads : threads;

    if (active == 1) {
        work(context, 0, 1);
        return;
    }
    team->work = work;
    team->context = context;
    team->active = active;
    atomic_store(&team->busy, team->threads - 1);
    begin_round(team);
    work(context, 0, active);
    await_others(team);
}

int nn_team_threads(const nn_team *team)
{
    return team->threads;
}

void nn_team_connect(nn_team *team, const nn_processes *processes)
{
    team->processes = processes && processes->count > 1 ? processes : NULL;
}

const nn_processes *nn_team_processes(const nn_team *team)
{
    return team->processes;
}

static int cores(void)
{
#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

nn_team *nn_team_open(int threads)
{
    enum { MOST = 1024, ROUNDS = 4000 };
    const int n = threads < 1 ? cores() : threads > MOST ? MOST : threads;
    nn_team *team = aligned_alloc(64, (sizeof *team + 63) / 64 * 64);

    if (team == NULL)
        return NULL;
    *team = (nn_team){.threads = 1, .patience = n <= cores() ? ROUNDS : 0};
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begins, NULL);
    pthread_cond_init(&team->ends, NULL);
    team->members = calloc((size_t)n, sizeof *team->members);
    for (; team->members != NULL && team->threads < n; team->threads++) {
        member *m = &team->members[team->threads];

        *m = (member){.team = team, .number = team->threads};
        if (pthread_create(&m->thread, NULL, be_member, m) != 0)
            break; /* so the team is smaller: what it computes is the same */
    }
    return team;
}

void nn_team_close(nn_team *team)
{
    if (team == NULL)
        return;
    atomic_store(&team->over, true);
    begin_round(team);
    for (int i = 1; i < team->threads; i++)
        pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->begins);
    pthread_cond_destroy(&team->ends);
    pthread_mutex_destroy(&team->lock);
    free(team->members);
    free(team);
}
