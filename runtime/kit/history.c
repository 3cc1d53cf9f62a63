/* history.c: what the epochs gave, as CSV and as a picture of curves.
 *
 * Both files are written whole after each epoch, from all rows, so that a run that goes on from a
 * checkpoint leaves what one leaves that was never interrupted. */
#include "messages.h"
#include "files.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>

int add_row(history *h, const epoch_row *row)
{
    if (h->nrows == h->room) {
        const int room = h->room ? 2 * h->room : 64;
        epoch_row *rows = realloc(h->rows, (size_t)room * sizeof *rows);

        if (!rows)
            return kit_no_memory();
        h->rows = rows;
        h->room = room;
    }
    h->rows[h->nrows++] = *row;
    return 0;
}

/* ---- CSV -------------------------------------------------------------------------------------- */

static void put_number(FILE *file, double number)
{
    if (isfinite(number))
        fprintf(file, ",%.9g", number);
    else
        fputc(',', file);
}

static int put_log(const void *what, FILE *file)
{
    const history *h = what;

    fprintf(file, "epoch,learning_rate,loss,test_loss,accuracy,seconds,images_per_second\n");
    for (int i = 0; i < h->nrows; i++) {
        const epoch_row *row = &h->rows[i];

        fprintf(file, "%d", row->epoch);
        put_number(file, row->lr);
        put_number(file, row->loss);
        put_number(file, row->test_loss);
        put_number(file, row->accuracy);
        put_number(file, row->seconds);
        put_number(file, row->images);
        fputc('\n', file);
    }
    return !ferror(file);
}

static int write_file(const char *path, int (*write)(const void *, FILE *), const void *what)
{
    return nn_replace(path, write, what) ? 0 : kit_fail(NNKIT_EWRITE, "%s", nn_error(nn_last_error()));
}

int write_log(const history *h, const char *path)
{
    return write_file(path, put_log, h);
}

/* ---- SVG -------------------------------------------------------------------------------------- */

enum { WIDTH = 480, HEIGHT = 300, LEFT = 64, RIGHT = 16, TOP = 36, BOTTOM = 44 };

typedef struct curve {
    const char *name, *color;
    size_t at;                    /* in epoch_row, a double */
} curve;

typedef struct panel {
    const char *title;
    double factor;                /* of what is shown */
    const char *unit;
    const curve *curves;
    int ncurves;
} panel;

static const curve losses[] = {{"training", "#4477aa", offsetof(epoch_row, loss)},
                               {"test", "#cc6677", offsetof(epoch_row, test_loss)}};
static const curve accuracies[] = {{"test", "#cc6677", offsetof(epoch_row, accuracy)}};
static const panel panels[] = {{"loss", 1, "", losses, 2}, {"accuracy, %", 100, "", accuracies, 1}};

typedef struct plot {
    const history *history;
    const char *title;
} plot;

static double value_at(const history *h, int row, const curve *c, const panel *p)
{
    return p->factor * *(const double *)((const char *)&h->rows[row] + c->at);
}

/* The bounds of all that is finite in a panel; false: there is nothing. */
static bool bounds(const history *h, const panel *p, double *low, double *high)
{
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (int c = 0; c < p->ncurves; c++)
        for (int i = 0; i < h->nrows; i++) {
            const double v = value_at(h, i, &p->curves[c], p);

            if (isfinite(v)) {
                *low = v < *low ? v : *low;
                *high = v > *high ? v : *high;
            }
        }
    return *low <= *high;
}

/* 1, 2 or 5 times a power of ten: a step that gives about `ticks` of them. */
static double tick_step(double range, int ticks)
{
    const double raw = range / ticks, power = pow(10, floor(log10(raw))), digit = raw / power;

    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static double y_of(double v, double low, double high)
{
    return HEIGHT - BOTTOM - (v - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
}

static double x_of(double epoch, int epochs)
{
    return LEFT + (epochs > 1 ? (epoch - 1) / (epochs - 1) : 0.5) * (WIDTH - LEFT - RIGHT);
}

static void put_axes(FILE *f, const history *h, double low, double high, double step)
{
    const double across = h->nrows > 1 ? fmax(1, tick_step(h->nrows - 1, 6)) : 1;

    for (double v = ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step)
        fprintf(f,
                "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                LEFT, y_of(v, low, high), WIDTH - RIGHT, LEFT - 6, y_of(v, low, high) + 4,
                fabs(v) < step / 2 ? 0 : v);
    for (double e = 1; e <= h->nrows + 1e-9; e = e < across ? across : e + across)
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", x_of(e, h->nrows),
                HEIGHT - BOTTOM + 16, e);
    fprintf(f, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#333\"/>\n", LEFT, TOP, HEIGHT - BOTTOM,
            WIDTH - RIGHT);
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n", (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 10);
}

static void put_curve(FILE *f, const history *h, const panel *p, const curve *c, double low, double high)
{
    bool pen = false, any = false;

    fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-linejoin=\"round\" d=\"",
            c->color);
    for (int i = 0; i < h->nrows; i++) {
        const double v = value_at(h, i, c, p);

        if (isfinite(v))
            fprintf(f, "%c%.1f %.1f", pen ? 'L' : 'M', x_of(h->rows[i].epoch, h->nrows), y_of(v, low, high));
        pen = isfinite(v);
        any |= pen;
    }
    fprintf(f, "\"/>\n");
    if (any && h->nrows == 1)
        fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x_of(1, 1),
                y_of(value_at(h, 0, c, p), low, high), c->color);
}

static void put_panel(FILE *f, const history *h, const panel *p, int left)
{
    double low, high;

    if (!bounds(h, p, &low, &high))
        return;
    if (high - low <= 1e-9 * fabs(high))
        high += fmax(fabs(high), 1) * 0.1;
    const double step = tick_step(high - low, 5);
    low = floor(low / step) * step;
    high = ceil(high / step) * step;
    fprintf(f, "<g transform=\"translate(%d 0)\">\n<text x=\"%d\" y=\"22\" font-weight=\"bold\">%s</text>\n",
            left, LEFT, p->title);
    put_axes(f, h, low, high, step);
    for (int c = 0, key = WIDTH - RIGHT; c < p->ncurves; c++) {
        put_curve(f, h, p, &p->curves[c], low, high);
        fprintf(f, "<text x=\"%d\" y=\"22\" text-anchor=\"end\" fill=\"%s\">%s</text>\n", key,
                p->curves[c].color, p->curves[c].name);
        key -= 64;
    }
    fprintf(f, "</g>\n");
}

static int put_plot(const void *what, FILE *f)
{
    const plot *picture = what;
    const history *h = picture->history;
    double low, high;
    const bool two = bounds(h, &panels[1], &low, &high);

    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            two ? 2 * WIDTH : WIDTH, HEIGHT, picture->title);
    put_panel(f, h, &panels[0], 0);
    if (two)
        put_panel(f, h, &panels[1], WIDTH);
    fprintf(f, "</svg>\n");
    return !ferror(f);
}

int write_plot(const history *h, const char *path, const char *title)
{
    const plot picture = {h, title};

    return write_file(path, put_plot, &picture);
}
