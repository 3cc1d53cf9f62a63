/* program.h: what the files of the program around a network share; nobody else includes it. */
#ifndef NNKIT_PROGRAM_H
#define NNKIT_PROGRAM_H

#include "nnkit.h"

#include <stdbool.h>
#include <stdio.h>

enum { DONE = 0, BAD = 1, MISUSED = 2, INTERRUPTED = 130 }; /* exit status */

/* ---- options.c -------------------------------------------------------------------------------- */

enum { TRAIN = 1, EVAL = 2, PREDICT = 4, CHECK = 8, INFO = 16, GENERATE = 32 };

typedef struct command_line {
    nn_settings settings;
    const char *program;
    int command;
    char **operands;              /* the words that are no options */
    int noperands;
    bool given[64];               /* which options the user gave, by their place in the table */
} command_line;

/* From now on misused and bad print nothing: another process does. */
void be_silent(void);
/* Reads argv. Returns -1 to go on, or the exit status after a message or --help. */
int read_command_line(command_line *, const nn_model *, int argc, char **argv);

/* The settings that a run can't change when it goes on, one "--name=value" a line; free it. */
char *text_of_run(const nn_settings *);
/* Takes them from such a text, where the user gave none; returns 0, or an error where the user gave
 * another value. */
int   settings_of_run(command_line *, const char *text, const char *path);

/* An error of usage: prints it and returns MISUSED. */
__attribute__((format(printf, 2, 3))) int misused(const char *program, const char *format, ...);
/* Bad data or weights: prints what nnkit_error or nn_error says, and returns BAD. */
int bad(const char *program, const char *message);

/* ---- history.c -------------------------------------------------------------------------------- */

/* What an epoch gave. Numbers that there aren't are NaN. */
typedef struct epoch_row {
    int    epoch;
    double lr, loss, test_loss, accuracy, seconds, images;
} epoch_row;

typedef struct history {
    epoch_row *rows;
    int nrows, room;
} history;

int  add_row(history *, const epoch_row *);
/* All rows as CSV, or as a picture of curves; 0 or an error. */
int  write_log(const history *, const char *path);
int  write_plot(const history *, const char *path, const char *title);

/* ---- display.c -------------------------------------------------------------------------------- */

typedef struct display {
    bool   terminal, quiet, accuracy, test;
    double reached;               /* accuracy of the last test; 0 or NaN: none */
    double last;                  /* when something was last shown */
    int    width;                 /* of what stands on the updating line */
    int    epochs;
} display;

double now(void);                 /* seconds, from some moment on */
void start_display(display *, bool quiet, int epochs, bool test, bool accuracy);
/* step: of the epoch, which has so many; images: a second; left: seconds of the run */
void show_step(display *, int epoch, size_t step, size_t steps, double loss, double images, double left);
void show_row(display *, const epoch_row *, bool best);
void clear_line(display *);

/* ---- train.c ---------------------------------------------------------------------------------- */

/* Opens data as the settings say; NULL: an error. */
nn_data *open_data(const nn_model *, const nn_settings *, const char *spec, const nn_data *like,
                   bool targets);
/* nn_data_read for an nn_source. */
int read_data(const void *data, size_t index, float *x, void *t);

/* ---- report.c --------------------------------------------------------------------------------- */

/* Weights from a file; NULL: an error. Free them. */
void *load_weights(const nn_model *, const char *path);

/* ---- commands --------------------------------------------------------------------------------- */

int train_command(const nn_model *, command_line *);
int eval_command(const nn_model *, command_line *);
int predict_command(const nn_model *, command_line *);
int generate_command(const nn_model *, command_line *);
int check_command(const nn_model *, command_line *);
int info_command(const nn_model *, command_line *);

#endif
