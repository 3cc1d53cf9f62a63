/* forecast.c: forecasts a series hour by hour, and a day ahead, as its values come in.
 *
 * The series is drawn here, as the load of a power grid might be: a day with two peaks, weekends, and weather that
 * wanders. The network learns from windows of 96 hours. Then it goes through eight weeks that it has not seen with
 * forecast_next, one hour in, the next hour's forecast out; what it remembers lies in a forecast_state, and has no end.
 * At midnight a copy of that state goes on with forecasts in the place of values, which gives the whole next day. All is
 * held against forecasts that know nothing: as now, as a day ago, as a week ago, as a day ago but moved to what is now.
 */
#include "forecast_net.h" /* made from forecast.nn */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 24, WEEK = 7 * DAY, LEARNT = 52 * WEEK, HOURS = 60 * WEEK, WINDOW = FORECAST_INPUT, METHODS = 5 };

static forecast_params weights, gradients;
static forecast_work   work;
static forecast_state  now; /* all zero: no hour has been seen */
static float memory[NN_STATE_HEAD + 2 * FORECAST_FLOATS]; /* what Adam remembers */
static float series[HOURS];
static float x[FORECAST_BATCH][WINDOW], t[FORECAST_BATCH][WINDOW];

static void draw_series(uint64_t *rng)
{
    const float round = 6.2831853f;
    float weather = 0, trend = 0;

    for (int hour = 0; hour < HOURS; hour++) {
        float time = (float)(hour % DAY) / DAY;
        float day = -0.8f * cosf(round * time) - 0.5f * cosf(2 * round * time + 0.6f);
        float weekend = hour % WEEK >= 5 * DAY ? 0.5f : 1;
        trend = 0.995f * trend + 0.06f * nn_normal(rng);
        weather = 0.9f * weather + 0.05f * nn_normal(rng);
        series[hour] = (1 + 0.4f * trend) * weekend * day + trend + weather;
    }
}

/* Windows from anywhere in the first year; at each hour the target is the next one. */
static void learn(int steps, uint64_t *rng)
{
    nn_optimizer adam = nn_adam(0);

    for (int step = 1; step <= steps; step++) {
        for (int s = 0; s < FORECAST_BATCH; s++) {
            int begin = (int)(nn_uniform(rng) * (LEARNT - WINDOW - 1));
            memcpy(x[s], series + begin, sizeof x[s]);
            memcpy(t[s], series + begin + 1, sizeof t[s]);
        }
        adam.lr = nn_lr_cosine(0.01f, (uint64_t)step - 1, (uint64_t)steps, 0.0003f);
        float loss = forecast_backward(&weights, &work, FORECAST_BATCH, x[0], t[0], &gradients);
        nn_clip((float *)&gradients, FORECAST_FLOATS, 1);
        nn_step(&adam, (float *)&weights, (const float *)&gradients, memory, FORECAST_FLOATS);
        if (step == 1 || step % 100 == 0)
            printf("step %4d   loss %.4f\n", step, loss);
    }
}

/* The hours after `now`, of which the first forecast is known: each forecast is taken for what will have been. */
static void look_ahead(float day[DAY])
{
    forecast_state then = now;

    for (int hour = 1; hour < DAY; hour++)
        forecast_next(&weights, &then, &work, &day[hour - 1], &day[hour]);
}

/* What forecasts say that know nothing, at that hour for some hours later, up to a day. */
static float simple(int method, int hour, int later)
{
    switch (method) {
    case 0: return series[hour];
    case 1: return series[hour + later - DAY];
    case 2: return series[hour + later - WEEK];
    default: return series[hour + later - DAY] + series[hour] - series[hour - DAY];
    }
}

int main(int argc, char **argv)
{
    static const char *const names[METHODS] = {"as now", "as a day ago", "as a week ago", "as a day ago, moved to now",
                                               "the network"};
    double next[METHODS] = {0}, ahead[METHODS] = {0};
    int steps = argc > 1 ? atoi(argv[1]) : 1000, hours = 0, days = 0;
    uint64_t rng = 1;

    draw_series(&rng);
    forecast_init(&weights, 1);
    learn(steps, &rng);
    for (int hour = LEARNT - WEEK; hour + DAY < HOURS; hour++) {
        float day[DAY];
        forecast_next(&weights, &now, &work, &series[hour], &day[0]);
        if (hour < LEARNT) /* in the last week of the first year it gets to know the series */
            continue;
        bool midnight = hour % DAY == DAY - 1;
        if (midnight)
            look_ahead(day);
        for (int m = 0; m < METHODS; m++)
            for (int later = 1; later <= (midnight ? DAY : 1); later++) {
                float forecast = m == METHODS - 1 ? day[later - 1] : simple(m, hour, later);
                double error = (double)forecast - (double)series[hour + later];
                next[m] += later == 1 ? error * error : 0;
                ahead[m] += midnight ? error * error / DAY : 0;
            }
        hours++;
        days += midnight;
    }
    printf("mean square error of      the next hour   the next day\n");
    for (int m = 0; m < METHODS; m++)
        printf("%-26s       %.4f         %.4f\n", names[m], next[m] / hours, ahead[m] / days);
    return 0;
}
