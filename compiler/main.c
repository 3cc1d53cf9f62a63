/* main.c: the table of contents: one call for each stage, each followed by its verifier.
 *
 *     text --parse--> Ast --resolve--> Net --lower--> Prog --differentiate--> Prog --plan--> Plan --emit--> C
 *
 * What comes in: the command line, which names one network or several. What goes out: FILE.c and FILE.h of
 * each, or what --check, --summary and --dump ask for. Exit status: 0 done, 1 errors in a network, 2 usage or
 * environment.
 *
 * The one idea: a stage that finds errors has reported them when it returns; main only stops.
 */
#include "back/back.h"

#include <stdlib.h>
#include <string.h>

/* ---- Dependencies for Make ------------------------------------------------------------------- */

/* A file name as Make reads it, escaped as gcc does: white space gets a backslash (and the backslashes
 * before it are doubled), '#' a backslash, '$' a second one. */
static void print_make_name(FILE *file, const char *name)
{
    int backslashes = 0;
    for (; *name; name++) {
        if (*name == ' ' || *name == '\t')
            for (int i = 0; i <= backslashes; i++)
                fputc('\\', file);
        else if (*name == '#')
            fputc('\\', file);
        else if (*name == '$')
            fputc('$', file);
        backslashes = *name == '\\' ? backslashes + 1 : 0;
        fputc(*name, file);
    }
}

/* The rule that says what the output was made from. */
static void print_dependencies(FILE *file, const Command *command, const Ast *ast)
{
    if (command->dependency_target) {
        fputs(command->dependency_target, file);
    } else {
        print_make_name(file, command->options.output_file);
        if (command->header_file) {
            fputc(' ', file);
            print_make_name(file, command->header_file);
        }
    }
    fputc(':', file);
    if (strcmp(command->options.input_file, "-") != 0) {
        fputc(' ', file);
        print_make_name(file, command->options.input_file);
    }
    for (int i = 0; i < ast->nincluded; i++) {
        fputc(' ', file);
        print_make_name(file, ast->included[i]);
    }
    if (command->options.weights_file) {
        fputc(' ', file);
        print_make_name(file, command->options.weights_file);
    }
    fputc('\n', file);
    for (int i = 0; i < ast->nincluded && command->phony; i++) {
        fputc('\n', file);
        print_make_name(file, ast->included[i]);
        fputs(":\n", file);
    }
}

/* ---- The stages ------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Is anything wanted but a dump, a picture and PyTorch's text? */
static bool asks_of_plan(const Command *command)
{
    return command->writes || command->summary || command->ram || command->modes;
}

/* True when this stage was to be printed and nothing beyond it is wanted. */
static bool ends_with(const Command *command, Dump stage)
{
    return command->dump == stage && !asks_of_plan(command);
}

/* Is this stage to be printed? --dump=all prints each under its name. */
static bool prints(const Command *command, Dump stage, const char *name)
{
    if (command->dump == DUMP_ALL)
        printf("---- %s\n", name);
    return command->dump == stage || command->dump == DUMP_ALL;
}

static void dump_progs(const Prog *forward, const Prog *training)
{
    dump_prog(stdout, forward);
    const Prog *others[] = {forward->next, training ? training->forward_train : NULL,
                            training ? training->evaluation : NULL, training};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i]) {
            fputc('\n', stdout);
            dump_prog(stdout, others[i]);
        }
}

static void verify_progs(const Prog *forward, const Prog *training)
{
    verify_prog(forward);
    if (training)
        verify_prog(training);
    if (training && training->forward_train)
        verify_prog(training->forward_train);
    if (training && training->evaluation)
        verify_prog(training->evaluation);
    if (forward->next)
        verify_prog(forward->next);
}

#define NEEDS_GRAPHVIZ \
    "--graph=svg needs graphviz, whose dot draws it (Debian: graphviz); --graph=dot does not [graphviz]"

/* The picture on standard output; graphviz draws it. */
static void draw_graph(const Net *net, Graph graph)
{
    if (graph == GRAPH_DOT) {
        print_graph(stdout, net);
        return;
    }
    finish_stdout();
    FILE *dot = popen("dot -Tsvg", "w");
    if (dot)
        print_graph(dot, net);
    if (!dot || pclose(dot) != 0)
        fail(NEEDS_GRAPHVIZ);
}

/* All files of a network, or none: false after an error. */
static bool write_outputs(const Command *command, const Plan *plan, const Ast *ast)
{
    const char *header = command->header_file;
    TextStream text;
    emit_source(open_text(&text), plan, header ? base_name(header) : NULL);
    close_text(&text);
    warn_of_size(plan, (int64_t)text.length);
    if (error_count() > 0)
        return false;
    if (header)
        emit_header(open_output(header), plan);
    fputs(text.text, command->to_stdout ? stdout : open_output(command->options.output_file));
    free(text.text);
    if (command->dependency_file)
        print_dependencies(open_output(command->dependency_file), command, ast);
    finish_stdout();
    install_outputs();
    return true;
}

/* Runs the stages as far as the command asks; returns the exit status. */
static int compile(const Command *command, const Source *source)
{
    const Options *options = &command->options;

    Ast *ast = parse(source, options);
    bool readable = error_count() == 0;
    if (!ast)
        return 1;
    if (readable)
        verify_ast(ast);
    if (readable && prints(command, DUMP_AST, "ast"))
        dump_ast(stdout, ast);
    if (ends_with(command, DUMP_AST))
        return readable ? 0 : 1;

    Net *net = resolve(ast, options); /* after errors, too: it may have more to say */
    if (!net || error_count() > 0)
        return 1;
    verify_net(net);
    if (prints(command, DUMP_NET, "net"))
        dump_net(stdout, net);
    if (command->graph)
        draw_graph(net, command->graph);
    if (command->pytorch)
        print_pytorch(stdout, net, options->prefix);
    bool only_drawn = (command->graph || command->pytorch) && !asks_of_plan(command);
    if (command->check || only_drawn || ends_with(command, DUMP_NET))
        return 0;
    if (command->modes && !verify_network(command, net))
        return 1;
    if (!command->writes && !command->summary && !command->ram && !command->dump)
        return 0;

    Prog *forward = lower(net, false);
    Prog *training = options->inference ? NULL : lower(net, true);
    if (options->stream || (options->main && streams_tokens(net))) /* the command generate takes tokens so */
        forward->next = lower_next(net);
    verify_progs(forward, training);
    if (!training && !forward->next) { /* net_next reads the weights as they are */
        fold(forward);
        verify_prog(forward);
    }
    if (prints(command, DUMP_PROG, "prog"))
        dump_progs(forward, training);
    if (ends_with(command, DUMP_PROG))
        return 0;

    if (training) {
        differentiate(training);
        verify_prog(training);
    }
    if (prints(command, DUMP_GRAD, "grad"))
        dump_progs(forward, training);
    if (ends_with(command, DUMP_GRAD))
        return 0;

    warn_of_lanes(training, options);
    Plan *plan = make_plan(net, forward, training, options);
    if (!plan || error_count() > 0)
        return 1;
    verify_plan(plan);
    if (command->dump == DUMP_ALL || command->dump == DUMP_STEP)
        dump_steps(stdout, plan, command->step);
    if (prints(command, DUMP_PLAN, "plan"))
        dump_plan(stdout, plan);
    if (command->summary)
        (command->json ? print_summary_json : print_summary)(stdout, plan);
    if (command->ram && !print_fits(stdout, plan, command->ram, command->flash))
        return 1;
    if (!command->writes)
        return 0;

    if (options->weights_file)
        plan->weights = constant_weights(plan, options->weights_file);
    return write_outputs(command, plan, ast) ? 0 : 1;
}

/* With several networks, each one's name stands before what is printed of it. */
static void print_name(const Command *command, bool several)
{
    if (several && (command->summary || command->dump || command->ram))
        printf("%s:\n", command->options.input_file);
}

int main(int argc, char **argv)
{
    start_files();
    diag_start(stderr, NULL, COLOR_AUTO);
    const Command commands = parse_options(argc, argv);
    records_start(commands.format);
    diag_start(stderr, NULL, commands.color);
    int status = 0;
    for (const Command *command = &commands; command; command = command->next) {
        Mark mark = mark_memory();
        const char *why;
        print_name(command, commands.next);
        Source *source = try_source(command->options.input_file, &why);
        diag_start(stderr, source, command->color);
        int one = source ? compile(command, source) : 2;
        if (!source)
            complain("%s [file]", why);
        status = one > status ? one : status;
        diag_start(stderr, NULL, command->color); /* it keeps nothing of this text */
        release(mark);
    }
    finish_stdout();
    records_end(stderr);
    free_all();
    return status;
}
