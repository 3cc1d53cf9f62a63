/* program.c: the program around a network: which command is meant, and the two that need no data. */
#include "messages.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- info ------------------------------------------------------------------------------------- */

static const char *shape_text(const int *shape, int n, char text[static 64])
{
    int length = 0;

    text[0] = '\0';
    for (int i = 0; i < n && length < 48; i++)
        length += snprintf(text + length, 64 - (size_t)length, i ? "x%d" : "%d", shape[i]);
    return text;
}

int info_command(const nn_model *model, command_line *line)
{
    const size_t statistics = model->params_bytes / sizeof(float) - model->floats;
    const int *in = model->input_shape;
    char text[64];

    if (line->noperands)
        return misused(line->program, "info takes no operands");
    printf("network            %s\n", model->name);
    const int dims = in[2] == 0 ? 2 : in[1] == 1 && in[2] == 1 ? 1 : 3;
    printf("input              %s\n", shape_text(in, dims, text));
    printf("answer             %zu numbers\n", model->output);
    if (model->targets)
        printf("target             %zu %s\n", model->targets,
               model->int_targets    ? model->targets == 1 ? "class label" : "class labels"
               : model->targets == 1 ? "number"
                                     : "numbers");
    printf("parameters         %zu\n", model->params);
    printf("samples in a call  %d\n", model->batch);
    printf("memory             %zu bytes of weights%s, %zu of work for each thread\n", model->params_bytes,
           statistics ? " and statistics" : "", model->work_bytes);
    printf("training           %s\n", model->backward        ? "yes"
                                      : model->backward_from ? "by your own loop (loss none)"
                                                             : "no (--inference)");
    if (model->ntensors)
        printf("\n%-32s %-16s %10s\n", "tensor", "shape", "numbers");
    for (int i = 0; i < model->ntensors; i++)
        printf("%-32s %-16s %10zu\n", model->tensors[i].name,
               shape_text(model->tensors[i].shape, model->tensors[i].ndim, text), model->tensors[i].count);
    return DONE;
}

/* ---- main ------------------------------------------------------------------------------------- */

int nn_main_of(const nn_model *model, const nn_processes *processes, int argc, char **argv)
{
    static const struct { int command; int (*run)(const nn_model *, command_line *);
    } commands[] = {{TRAIN, train_command},
                    {EVAL, eval_command},
                    {PREDICT, predict_command},
                    {GENERATE, generate_command},
                    {CHECK, check_command},
                    {INFO, info_command}};
    const bool leads = !processes || processes->rank == 0;
    command_line line;

    if (!leads)
        be_silent();
    int status = read_command_line(&line, model, argc, argv);
    line.settings.processes = processes;
    for (size_t i = 0; status < 0 && i < sizeof commands / sizeof *commands; i++)
        if (commands[i].command == line.command) /* processes work together in training */
            status = leads || line.command == TRAIN ? commands[i].run(model, &line) : DONE;
    if (fflush(stdout) != 0 || ferror(stdout))
        status = misused(line.program, "cannot write to standard output");
    return status;
}

int nn_main(const nn_model *model, int argc, char **argv)
{
    return nn_main_of(model, NULL, argc, argv);
}
