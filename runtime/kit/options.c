/* options.c: the command line of the program around a network.
 *
 * One table of options, which the parser, --help, "did you mean" and the checkpoint's settings walk.
 * --name VALUE and --name=VALUE are the same. */
#include "messages.h"
#include "program.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { TEXT, COUNT, SEED, REAL, FLAG } kind;

/* A run's options can't be changed when it goes on. */
enum { OF_RUN = 256 };

typedef struct option {
    const char *name, *value;     /* value: how --help calls it; A|B|C: one of these */
    kind kind;
    size_t at;                    /* in nn_settings */
    int commands;                 /* whose it is, and OF_RUN */
    double least, most;           /* of COUNT and REAL */
    const char *help;
} option;

#define AT(field) offsetof(nn_settings, field)
static const option options[] = {
    {"test", "DATA", TEXT, AT(test), TRAIN | OF_RUN, 0, 0, "data to test with after each epoch"},
    {"split", "F", REAL, AT(split), TRAIN | OF_RUN, 0, 0.999,
     "test with this share of DATA instead, drawn at random"},
    {"epochs", "N", COUNT, AT(epochs), TRAIN, 1, 1e6, "how often all samples are taken (10)"},
    {"batch", "N", COUNT, AT(batch), TRAIN | OF_RUN, 1, 1 << 20, "samples in a step (64)"},
    {"optimizer", "sgd|momentum|adagrad|rmsprop|adam|adamw", TEXT, AT(optimizer), TRAIN | OF_RUN, 0, 0,
     "the method (adam), as PyTorch has it"},
    {"lr", "X", REAL, AT(lr), TRAIN | OF_RUN, 0, 1e30,
     "learning rate (0.001; 0.01 for sgd, momentum, adagrad)"},
    {"momentum", "X", REAL, AT(momentum), TRAIN | OF_RUN, 0, 0.999999,
     "of sgd and rmsprop (0; 0.9 for momentum)"},
    {"weight-decay", "X", REAL, AT(weight_decay), TRAIN | OF_RUN, 0, 1e3, "L2 penalty (0; 0.01 for adamw)"},
    {"no-decay-on-vectors", NULL, FLAG, AT(no_decay_on_vectors), TRAIN | OF_RUN, 0, 0,
     "weight decay for tensors of two dimensions and more only: not for biases and norms"},
    {"nesterov", NULL, FLAG, AT(nesterov), TRAIN | OF_RUN, 0, 0, "Nesterov's momentum"},
    {"schedule", "constant|step|cosine|onecycle", TEXT, AT(schedule), TRAIN | OF_RUN, 0, 0,
     "how the learning rate goes (constant); step: a tenth after each third of the epochs"},
    {"warmup", "STEPS", COUNT, AT(warmup), TRAIN | OF_RUN, 0, 1e9,
     "steps in which the learning rate rises (0)"},
    {"clip", "NORM", REAL, AT(clip), TRAIN | OF_RUN, 0, 1e30, "greatest norm of the gradient"},
    {"average", "DECAY", REAL, AT(average), TRAIN | OF_RUN, 0, 0.9999999,
     "test and keep a moving average of the weights, such as 0.999"},
    {"seed", "N", SEED, AT(seed), TRAIN | GENERATE | OF_RUN, 0, 0,
     "of weights, order, dropout and augmentation (1); of what is drawn"},
    {"augment", "LIST", TEXT, AT(augment), TRAIN | OF_RUN, 0, 0,
     "change pictures at random: flip,shift=N,rotate=DEG,crop=N,noise=X"},
    {"scale", "F", REAL, AT(scale), TRAIN | EVAL | PREDICT | OF_RUN, 1e-37, 1e37,
     "multiply what DATA holds by F"},
    {"no-scale", NULL, FLAG, AT(no_scale), TRAIN | EVAL | PREDICT | OF_RUN, 0, 0,
     "leave bytes 0 to 255 as they are, instead of 0 to 1"},
    {"label", "NAME|NUMBER", TEXT, AT(label), TRAIN | EVAL | PREDICT | OF_RUN, 0, 0,
     "the column of a CSV file that holds the label (the last)"},
    {"alphabet", "FILE", TEXT, AT(alphabet), TRAIN | EVAL | PREDICT | GENERATE | OF_RUN, 0, 0,
     "the characters that are tokens 0, 1, ... (bytes)"},
    {"weights", "FILE", TEXT, AT(weights), TRAIN | EVAL | PREDICT | GENERATE, 0, 0,
     "weights to begin with, or to use (safetensors)"},
    {"output", "FILE", TEXT, AT(output), TRAIN, 0, 0,
     "where the best weights go; also -o (NAME.safetensors)"},
    {"checkpoint", "FILE", TEXT, AT(checkpoint), TRAIN, 0, 0,
     "save the state after each epoch and --every STEPS (Ctrl-C: NAME.checkpoint)"},
    {"every", "STEPS", COUNT, AT(every), TRAIN, 1, 1e9, "save the checkpoint also after that many steps"},
    {"resume", NULL, FLAG, AT(resume), TRAIN, 0, 0, "go on from the checkpoint, to the same bits"},
    {"log", "FILE", TEXT, AT(log), TRAIN, 0, 0, "a CSV file with a row for each epoch"},
    {"plot", "FILE", TEXT, AT(plot), TRAIN, 0, 0, "an SVG picture of loss and accuracy"},
    {"patience", "N", COUNT, AT(patience), TRAIN, 1, 1e6, "stop after N epochs without a better one"},
    {"threads", "N", COUNT, AT(threads), TRAIN | EVAL | PREDICT, 1, 1024,
     "as many threads (one a core, or fewer where that is faster)"},
    {"shard", "N", COUNT, AT(shard), TRAIN | OF_RUN, 1, 1 << 20,
     "samples of a batch that a thread takes at once (16); sums depend on it"},
    {"allreduce", NULL, FLAG, AT(allreduce), TRAIN, 0, 0,
     "of several processes: sum by MPI_Allreduce, where the order of sums is MPI's affair"},
    {"quiet", NULL, FLAG, AT(quiet), TRAIN, 0, 0, "no progress"},
    {"format", "text|csv|npy", TEXT, AT(format), PREDICT, 0, 0, "how answers are printed (text)"},
    {"top", "K", COUNT, AT(top), PREDICT, 1, 1e6, "the K likeliest classes"},
    {"prompt", "TEXT", TEXT, AT(prompt), GENERATE, 0, 0, "how the text begins (a new line)"},
    {"length", "N", COUNT, AT(length), GENERATE, 1, 1e9, "tokens behind it (500)"},
    {"temperature", "X", REAL, AT(temperature), GENERATE, 0, 1e6,
     "below 1 likely tokens come oftener, above 1 less often; 0: always the likeliest (1)"},
    {"top-k", "K", COUNT, AT(top_k), GENERATE, 1, 1e9, "draw from the K likeliest tokens only"},
    {"json", NULL, FLAG, AT(json), EVAL, 0, 0, "the result as JSON"},
};
enum { NOPTIONS = sizeof options / sizeof *options };

static const struct {
    const char *name, *operands, *help;
    int command;
} commands[] = {
    {"train", "DATA", "learn", TRAIN},
    {"eval", "DATA", "test weights on data", EVAL},
    {"predict", "FILE...", "answers for data", PREDICT},
    {"generate", "", "write a text, token after token", GENERATE},
    {"check", "", "hold gradients against finite differences", CHECK},
    {"info", "", "shapes, parameters, memory", INFO},
};
enum { NCOMMANDS = sizeof commands / sizeof *commands };

/* ---- Messages --------------------------------------------------------------------------------- */

static bool silent;

void be_silent(void)
{
    silent = true;
}

int misused(const char *program, const char *format, ...)
{
    va_list arguments;

    if (silent)
        return MISUSED;

    fflush(stdout);
    fprintf(stderr, "%s: ", program);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return MISUSED;
}

int bad(const char *program, const char *message)
{
    if (silent)
        return BAD;
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", program, message);
    return BAD;
}

static void print_options(int command)
{
    for (int i = 0; i < NOPTIONS; i++) {
        const option *o = &options[i];
        char name[80];

        if (!(o->commands & command))
            continue;
        snprintf(name, sizeof name, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        if (strlen(name) > 22)
            printf("  %s\n  %-22s %s\n", name, "", o->help);
        else
            printf("  %-22s %s\n", name, o->help);
    }
}

static void print_help(const char *program, const nn_model *model, int only)
{
    if (silent)
        return;
    printf("Usage: %s COMMAND [options]\n\nThe program around the network %s.\n", program, model->name);
    for (int i = 0; i < NCOMMANDS; i++) {
        if (only && commands[i].command != only)
            continue;
        printf("\n%s %s %s   %s\n", program, commands[i].name, commands[i].operands, commands[i].help);
        print_options(commands[i].command);
    }
    puts("\nExit status: 0 done, 1 bad data or weights, 2 usage or environment, 130 interrupted and saved.");
}

/* How many letters have to be changed, put in or left out (Levenshtein 1966), up to some. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 31 };
    int row[MOST + 1];
    const int na = (int)strlen(a), nb = (int)strlen(b);

    if (na > MOST || nb > MOST)
        return MOST;
    for (int j = 0; j <= nb; j++)
        row[j] = j;
    for (int i = 1; i <= na; i++) {
        int before = row[0];

        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            const int change = before + (a[i - 1] != b[j - 1]);

            before = row[j];
            row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < row[j] ? change : row[j];
        }
    }
    return row[nb];
}

static bool near(const char *word, const char *candidate, int *least)
{
    const int d = distance(word, candidate);

    if (d >= *least || d > 1 + (int)strlen(word) / 4)
        return false;
    *least = d;
    return true;
}

static int unknown_option(const char *program, const char *word)
{
    const char *best = NULL;
    int least = 99;

    for (int i = 0; i < NOPTIONS; i++)
        if (near(word + strspn(word, "-"), options[i].name, &least))
            best = options[i].name;
    return misused(program, "unknown option %s%s%s; %s --help lists them", word,
                   best ? "; did you mean --" : "", best ? best : "", program);
}

static int unknown_command(const char *program, const char *word)
{
    const char *best = NULL;
    int least = 99;

    for (int i = 0; i < NCOMMANDS; i++)
        if (near(word, commands[i].name, &least))
            best = commands[i].name;
    return misused(program,
                   "unknown command %s%s%s; it must be train, eval, predict, generate, check or info", word,
                   best ? "; did you mean " : "", best ? best : "");
}

/* ---- Values ----------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *value)
{
    const size_t length = strlen(value);

    for (const char *c = choices; length > 0; c += strcspn(c, "|") + 1) {
        if (strcspn(c, "|") == length && strncmp(c, value, length) == 0)
            return true;
        if (!c[strcspn(c, "|")])
            break;
    }
    return false;
}

/* Writes the value into the settings. 0, or an error with a message for nnkit_error. */
static int set_value(nn_settings *settings, const option *o, const char *value)
{
    void *field = (char *)settings + o->at;
    char *end = NULL;

    errno = 0;
    switch (o->kind) {
    case FLAG:
        *(int *)field = 1;
        return 0;
    case TEXT:
        if (strchr(o->value, '|') && strcmp(o->value, "NAME|NUMBER") != 0 && !is_choice(o->value, value))
            return kit_fail(NN_EMODEL, "--%s %s: must be one of %s", o->name, value, o->value);
        *(const char **)field = value;
        return 0;
    case SEED:
        *(long long *)field = strtoll(value, &end, 10);
        break;
    case COUNT: {
        const double number = strtod(value, &end);

        if (end != value && !*end && (number < o->least || number > o->most || number != floor(number)))
            return kit_fail(NN_EMODEL, "--%s %s: must be a whole number from %.0f to %.0f", o->name, value,
                            o->least, o->most);
        *(int *)field = (int)number;
        break;
    }
    case REAL: {
        const double number = strtod(value, &end);

        if (end != value && !*end && !(number >= o->least && number <= o->most))
            return kit_fail(NN_EMODEL, "--%s %s: must be from %g to %g", o->name, value, o->least, o->most);
        *(float *)field = (float)number;
        break;
    }
    }
    if (end == value || *end || errno == ERANGE)
        return kit_fail(NN_EMODEL, "--%s %s: must be a number", o->name, value);
    return 0;
}

static void print_value(FILE *file, const nn_settings *settings, const option *o)
{
    const void *field = (const char *)settings + o->at;

    switch (o->kind) {
    case FLAG:  fprintf(file, "%d", *(const int *)field); break;
    case TEXT:  fprintf(file, "%s", *(const char *const *)field ? *(const char *const *)field : ""); break;
    case SEED:  fprintf(file, "%lld", *(const long long *)field); break;
    case COUNT: fprintf(file, "%d", *(const int *)field); break;
    case REAL:  fprintf(file, "%.9g", (double)*(const float *)field); break;
    }
}

void nn_defaults(nn_settings *s)
{
    *s = (nn_settings){.epochs = 10,
                       .batch = 64,
                       .optimizer = "adam",
                       .lr = NAN,
                       .momentum = NAN,
                       .weight_decay = NAN,
                       .schedule = "constant",
                       .seed = 1,
                       .format = "text",
                       .length = 500,
                       .temperature = 1};
}

/* ---- The settings of a run, kept in a checkpoint ---------------------------------------------- */

char *text_of_run(const nn_settings *settings)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    for (int i = 0; file && i < NOPTIONS; i++)
        if (options[i].commands & OF_RUN) {
            fprintf(file, "%s=", options[i].name);
            print_value(file, settings, &options[i]);
            fputc('\n', file);
        }
    if (!file || fclose(file) != 0)
        return NULL;
    return text;
}

/* The value as text; free it. */
static char *value_text(const nn_settings *settings, const option *o)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    if (!file)
        return NULL;
    print_value(file, settings, o);
    return fclose(file) == 0 ? text : NULL;
}

static int take_setting(command_line *line, const option *o, const char *value, const char *path)
{
    char *own = value_text(&line->settings, o), *kept;
    const bool same = own && strcmp(own, value) == 0, given = line->given[o - options];
    int error = 0;

    free(own);
    if (same)
        return 0;
    if (given && o->kind == FLAG)
        return kit_fail(NN_EMODEL, "%s was made without --%s: leave it out, or begin anew", path, o->name);
    if (given)
        return kit_fail(NN_EMODEL, "%s was made with --%s %s: leave it out, or begin anew", path, o->name,
                        *value ? value : "left out");
    if (o->kind == FLAG) {
        *(int *)((char *)&line->settings + o->at) = atoi(value);
        return 0;
    }
    if (o->kind == TEXT && !*value) {
        *(const char **)((char *)&line->settings + o->at) = NULL;
        return 0;
    }
    if (o->kind == REAL && strcmp(value, "nan") == 0) {
        *(float *)((char *)&line->settings + o->at) = NAN;
        return 0;
    }
    kept = strdup(value); /* settings point to it to the end of the program */
    error = kept ? set_value(&line->settings, o, kept) : kit_no_memory();
    if (error || o->kind != TEXT)
        free(kept);
    return error;
}

int settings_of_run(command_line *line, const char *text, const char *path)
{
    for (const char *row = text; *row; row += strcspn(row, "\n") + 1) {
        const size_t length = strcspn(row, "\n"), name = strcspn(row, "=");
        char value[4096];

        if (name >= length || length - name >= sizeof value)
            return kit_fail(NN_EFORMAT, "%s: this checkpoint is damaged", path);
        memcpy(value, row + name + 1, length - name - 1);
        value[length - name - 1] = '\0';
        for (int i = 0; i < NOPTIONS; i++)
            if (strlen(options[i].name) == name && strncmp(options[i].name, row, name) == 0
                && take_setting(line, &options[i], value, path))
                return NN_EMODEL;
        if (!row[length])
            break;
    }
    return 0;
}

/* ---- Reading argv ----------------------------------------------------------------------------- */

/* Takes the option argv[*i], with its value, which may be the next word. */
static int take_option(command_line *line, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    const size_t length = strcspn(word, "=");
    const option *found = NULL;
    const char *value = word[length] ? word + length + 1 : NULL;

    for (int k = 0; k < NOPTIONS; k++)
        if ((strncmp(word, "--", 2) == 0 && strlen(options[k].name) == length - 2
             && strncmp(options[k].name, word + 2, length - 2) == 0)
            || (strcmp(word, "-o") == 0 && strcmp(options[k].name, "output") == 0))
            found = &options[k];
    if (!found)
        return unknown_option(line->program, word);
    if (!(found->commands & line->command))
        return misused(line->program, "--%s is no option of this command; %s --help lists them", found->name,
                       line->program);
    if (found->kind == FLAG && value)
        return misused(line->program, "--%s takes no value", found->name);
    if (found->kind != FLAG && !value && *i + 1 < argc)
        value = argv[++*i];
    if (found->kind != FLAG && (!value || !*value))
        return misused(line->program, "--%s needs a value: --%s %s", found->name, found->name, found->value);
    line->given[found - options] = true;
    return set_value(&line->settings, found, value) ? misused(line->program, "%s", nnkit_error()) : -1;
}

int read_command_line(command_line *line, const nn_model *model, int argc, char **argv)
{
    int status = -1;
    bool operands_only = false;

    *line = (command_line){.program = argc > 0 ? argv[0] : model->name, .operands = argv};
    nn_defaults(&line->settings);
    if (argc < 2)
        return misused(line->program, "no command given; %s --help lists them", line->program);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(line->program, model, 0);
        return DONE;
    }
    for (int i = 0; i < NCOMMANDS; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            line->command = commands[i].command;
    if (!line->command)
        return unknown_command(line->program, argv[1]);
    for (int i = 2; i < argc && status < 0; i++) {
        if (!operands_only && strcmp(argv[i], "--") == 0) {
            operands_only = true;
        } else if (!operands_only && strcmp(argv[i], "--help") == 0) {
            print_help(line->program, model, line->command);
            status = DONE;
        } else if (operands_only || argv[i][0] != '-' || !argv[i][1]) {
            argv[line->noperands++] = argv[i]; /* the words before were taken */
        } else {
            status = take_option(line, argc, argv, &i);
        }
    }
    return status;
}
