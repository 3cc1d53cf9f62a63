/* verify_run.c: the C of several networks, compiled with the user's compiler into one program, and run.
 *
 * In: plans, and numbers. Out: the answers. All files lie in a folder of their own, which is gone when nnc
 * ends: models.h, nn.h and verify.c (fixed/driver.c), NAME.c of each network, and what goes in and comes out
 * as bytes: fixed/driver.c has their order.
 *
 * As make does, it takes $CC, $CPPFLAGS, $CFLAGS, $LDFLAGS and $LDLIBS; $EMULATOR stands before the program
 * where it is for another machine. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verify.h"

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && value[strspn(value, " \t")] ? value : otherwise;
}

const char *compiler_line(const Options *options)
{
    const char *preprocess = variable("CPPFLAGS", ""), *flags = getenv("CFLAGS");
    flags = flags ? flags : machines[options->target].cflags;
    return format("%s%s%s%s%s", variable("CC", "cc"), *preprocess ? " " : "", preprocess,
                  *flags ? " " : "", flags);
}

/* A path as the shell takes it for a word. */
static const char *quoted(const char *path)
{
    const char *text = "'";
    for (; *path; path++)
        text = *path == '\'' ? format("%s'\\''", text) : format("%s%c", text, *path);
    return format("%s'", text);
}

/* ---- Writing ----------------------------------------------------------------------------------------- */

static void write_text(const char *name, const char *section)
{
    FILE *f = open_temporary(name);
    put_fixed(f, section, NULL);
    close_temporary(f);
}

static void write_sources(const CompiledTrial *c, int count)
{
    write_text("nn.h", "nn.h: all");
    write_text("verify.c", "driver.c: driver");
    FILE *models = open_temporary("models.h");
    fputs("#define MODELS(each)", models);
    for (int i = 0; i < count; i++)
        fprintf(models, " each(%s)", c[i].trial->prefix);
    fputc('\n', models);
    close_temporary(models);
    for (int i = 0; i < count; i++) {
        FILE *f = open_temporary(format("%s.c", c[i].trial->prefix));
        emit_source(f, c[i].plan, NULL);
        close_temporary(f);
    }
}

/* As the network takes them: floats, or where they are tokens or labels, ints. */
static void put_numbers(FILE *f, const double *v, int64_t count, bool ints)
{
    for (int64_t i = 0; i < count; i++) {
        const float number = (float)v[i];
        const int whole = ints ? (int)v[i] : 0;
        fwrite(ints ? (const void *)&whole : (const void *)&number, 4, 1, f);
    }
}

static void write_numbers(FILE *f, const CompiledTrial *c)
{
    const Binding *b = &c->trial->numbers;
    const Net *net = c->trial->net;
    const bool streams = c->plan->next.prog != NULL;
    const int counts[4] = {b->n, streams ? (int)positions_in(net) : 0, (int)c->plan->all_floats,
                           (int)net->targets};
    float *params = NEW_ARRAY(float, c->plan->all_floats);
    fwrite(counts, sizeof counts, 1, f);
    fwrite(&b->rng, sizeof b->rng, 1, f);
    for (const Weight *w = net->weights; w; w = w->next) {
        const nn_tensor tensor = tensor_of_weight(w);
        for (int64_t i = 0; i < w->count; i++)
            params[nn_place(&tensor, (size_t)i)] = (float)b->weights[w->id][i];
    }
    fwrite(params, sizeof *params, (size_t)c->plan->all_floats, f);
    put_numbers(f, b->x, b->n * shape_count(net->input), net->input.of > 0);
    put_numbers(f, b->t, b->n * net->targets, net->int_targets);
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

static void get(FILE *f, float *to, int64_t count)
{
    if (fread(to, sizeof *to, (size_t)count, f) != (size_t)count)
        fail("the answers of the compiled network are not complete [verify]");
}

static void get_array(FILE *f, const CompiledTrial *c, int array)
{
    const int64_t count = array_floats(c->trial, array);
    float *floats = NEW_ARRAY(float, count);
    get(f, floats, count);
    c->answers[array] = NEW_ARRAY(double, count);
    for (int64_t i = 0; i < count; i++)
        c->answers[array][i] = (double)floats[i];
}

static void read_answers(FILE *f, const CompiledTrial *c)
{
    static const int before[] = {ANSWERS, FIRST_ANSWER, STREAMED, LOSS, ANSWERS_IN_TRAINING, INPUT_GRADIENT,
                                 LOSS_IN_TRAINING};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (array_floats(c->trial, before[i]))
            get_array(f, c, before[i]);
    if (!c->trial->training)
        return;
    float *gradients = NEW_ARRAY(float, c->plan->all_floats), *moved = NEW_ARRAY(float, c->plan->all_floats);
    get(f, gradients, c->plan->all_floats);
    get(f, moved, c->plan->all_floats);
    for (const Weight *w = c->trial->net->weights; w; w = w->next) {
        const nn_tensor tensor = tensor_of_weight(w);
        double *to = c->answers[GRADIENTS + w->id] = NEW_ARRAY(double, w->count);
        for (int64_t i = 0; i < w->count; i++)
            to[i] = (double)(w->statistic ? moved : gradients)[nn_place(&tensor, (size_t)i)];
    }
}

/* ---- Compiling and running --------------------------------------------------------------------------- */

/* The first lines of what a command said. */
static const char *said(const char *log, int lines)
{
    FILE *f = fopen(log, "r");
    char line[400];
    const char *text = "";
    for (; f && lines > 0 && fgets(line, sizeof line, f); lines--)
        text = format("%s%s", text, line);
    if (f)
        fclose(f);
    return text;
}

/* Runs it; its exit status as the shell gives it. An interruption is ours, too. */
static int run_command(const char *command)
{
    fflush(NULL);
    const int status = system(command);
    if (status == -1)
        fail("cannot run a shell [file]");
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT))
        raise(WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void compile_sources(const CompiledTrial *c, int count)
{
    enum { MOST_LINES = 12 };
    const Options *options = c->trial->options;
    const char *folder = temporary_folder(), *program = temporary_path("verify"), *files = "";
    const char *log = temporary_path("log"), *cc = variable("CC", "cc");
    const char *word = copy_text(cc + strspn(cc, " \t"), strcspn(cc + strspn(cc, " \t"), " \t"));
    for (int i = 0; i < count; i++)
        files = format("%s %s", files, quoted(format("%s/%s.c", folder, c[i].trial->prefix)));
    if (run_command(format("command -v %s >/dev/null 2>&1", word)) != 0)
        fail("--verify needs a C compiler, and there is no %s: set CC to yours, as in `CC=clang nnc "
             "--verify net.nn` [verify]", word);
    const char *command = format("%s %s -I%s -o %s %s%s %s -lm >%s 2>&1", compiler_line(options),
                                 variable("LDFLAGS", ""), quoted(folder), quoted(program),
                                 quoted(format("%s/verify.c", folder)), files, variable("LDLIBS", ""),
                                 quoted(log));
    const int status = run_command(command);
    if (status == 0)
        return;
    if (!records_wanted())
        fputs(said(log, MOST_LINES), stderr);
    fail("--verify: %s does not compile the network: exit status %d%s%s [verify]", compiler_line(options),
         status, records_wanted() ? "; it says: " : "", records_wanted() ? said(log, 1) : "");
}

/* How it ended badly; NULL: it did not. A program for another machine is nothing of the network's. */
static const char *run_program(const Options *options, const char *numbers, const char *answers)
{
    const char *emulator = variable("EMULATOR", ""), *log = temporary_path("log");
    const int status = run_command(format("%s %s %s %s >%s 2>&1", emulator, quoted(temporary_path("verify")),
                                          quoted(numbers), quoted(answers), quoted(log)));
    if (status == 126 || status == 127 || status == 128 + SIGILL)
        fail("--verify: a program for --target=%s, compiled with %s, cannot run on this machine%s: run nnc "
             "on one where it can, or set EMULATOR to what runs it, such as qemu-aarch64 [verify]",
             machines[options->target].name, compiler_line(options),
             status == 128 + SIGILL ? " (illegal instruction)" : "");
    const char *text = said(log, 1);
    if (status > 128)
        return format("it crashed (signal %d)%s%.*s", status - 128, *text ? ": " : "",
                      (int)strcspn(text, "\n"), text);
    return status ? format("it ended with the exit status %d%s%.*s", status, *text ? ": " : "",
                           (int)strcspn(text, "\n"), text) : NULL;
}

const char *run_compiled(CompiledTrial *c, int count)
{
    write_sources(c, count);
    compile_sources(c, count);
    FILE *numbers = open_temporary("numbers");
    for (int i = 0; i < count; i++)
        write_numbers(numbers, &c[i]);
    close_temporary(numbers);
    const char *crash = run_program(c->trial->options, temporary_path("numbers"), temporary_path("answers"));
    if (crash)
        return crash;
    FILE *answers = fopen(temporary_path("answers"), "r");
    if (!answers)
        fail("cannot read what the compiled network answers [file]");
    for (int i = 0; i < count; i++) {
        c[i].answers = NEW_ARRAY(double *, array_count(c[i].trial));
        read_answers(answers, &c[i]);
    }
    fclose(answers);
    return NULL;
}
