/* display.c: what one sees of a training: on a terminal one line that changes, elsewhere a plain line now
 * and then; a row of a table after each epoch. */
#include "program.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Texts ------------------------------------------------------------------------------------ */

/* "12 s", "3:05", "2:10:07" */
static const char *duration(double seconds, char text[static 32])
{
    const long s = seconds > 0 && seconds < 1e9 ? lround(seconds) : 0;

    if (s < 60)
        snprintf(text, 32, "%ld s", s);
    else if (s < 3600)
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

/* "950", "52.1k", "1.30M" */
static const char *count(double number, char text[static 32])
{
    if (number < 10000)
        snprintf(text, 32, "%.0f", number);
    else if (number < 1e6)
        snprintf(text, 32, "%.1fk", number / 1e3);
    else
        snprintf(text, 32, "%.2fM", number / 1e6);
    return text;
}

/* ---- The line --------------------------------------------------------------------------------- */

void start_display(display *d, bool quiet, int epochs, bool test, bool accuracy)
{
    *d = (display){.terminal = isatty(STDOUT_FILENO), .quiet = quiet, .accuracy = accuracy, .test = test,
                   .epochs = epochs, .last = now()};
    if (quiet)
        return;
    printf("epoch       loss");
    if (test)
        printf("  test loss");
    if (test && accuracy)
        printf("   accuracy");
    printf("  learning rate    images/s      time\n");
    fflush(stdout);
}

void clear_line(display *d)
{
    if (d->width > 0)
        printf("\r%*s\r", d->width, "");
    d->width = 0;
}

void show_step(display *d, int epoch, size_t step, size_t steps, double loss, double images, double left)
{
    enum { BAR = 20 };
    const double time = now(), pause = d->terminal ? 0.1 : 30;
    char speed[32], rest[32], bar[BAR + 1], reached[32] = "";
    int width;

    if (d->quiet || time - d->last < pause)
        return;
    d->last = time;
    count(images, speed);
    duration(left, rest);
    if (!d->terminal) {
        printf("epoch %d/%d, step %zu of %zu: loss %.4f, %s images/s, %s left\n", epoch, d->epochs, step,
               steps, loss, speed, rest);
    } else {
        const int full = steps ? (int)(step * BAR / steps) : 0;

        memset(bar, '.', BAR);
        memset(bar, '#', (size_t)full);
        bar[BAR] = '\0';
        if (d->reached > 0)
            snprintf(reached, sizeof reached, "  %.2f %%", 100 * d->reached);
        width = printf("\repoch %d/%d [%s] loss %.4f%s  %s images/s  %s left", epoch, d->epochs, bar, loss,
                       reached, speed, rest);
        width -= 1; /* the return */
        if (width < d->width)
            printf("%*s", d->width - width, "");
        d->width = width > d->width ? width : d->width;
    }
    fflush(stdout);
}

void show_row(display *d, const epoch_row *row, bool best)
{
    char speed[32], time[32];

    d->reached = row->accuracy;
    clear_line(d);
    if (d->quiet)
        return;
    printf("%5d %10.4f", row->epoch, row->loss);
    if (d->test)
        printf(" %10.4f", row->test_loss);
    if (d->test && d->accuracy && isnan(row->accuracy))
        printf("           -");
    else if (d->test && d->accuracy)
        printf("    %6.2f %%", 100 * row->accuracy);
    printf("  %13.3g  %10s  %8s%s\n", row->lr, count(row->images, speed), duration(row->seconds, time),
           best && d->test ? "  best" : "");
    fflush(stdout);
    d->last = now();
}
