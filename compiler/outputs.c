/* outputs.c: what a run writes: the names of its files and the C prefix.
 *
 * What comes in: a Command as the options say it, and the networks. What goes out: a Command for each
 * network, with the files that it writes; two that would write one file, or over a network, are refused
 * before anything is written.
 */
#include "back/back.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- Names ----------------------------------------------------------------------------------- */

/* The file name without its folder and its suffix. */
static const char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    return copy_text(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

/* The same path with another suffix for its last two bytes. */
static const char *with_suffix(const char *path, const char *suffix)
{
    return format("%.*s%s", (int)strlen(path) - 2, path, suffix);
}

/* A stem as a C prefix: what can't stand in an identifier becomes '_', a digit in front gets an 'n'. */
static const char *prefix_of(const char *stem)
{
    char *prefix = format("%s%s", isdigit((unsigned char)*stem) ? "n" : "", stem);
    for (char *p = prefix; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            *p = '_';
    return prefix;
}

/* The file's name, where -o gives one: FILE.c, with --static FILE.h, too, or - for standard output. */
static void check_output(const Options *o)
{
    size_t length = strlen(o->output_file);
    const char *end = length > 2 && o->output_file[length - 3] != '/' ? o->output_file + length - 2 : "";
    if (o->is_static && strcmp(end, ".c") && strcmp(end, ".h"))
        fail("-o %s: the name of the output must end in .c or .h [output]", o->output_file);
    if (!o->is_static && strcmp(end, ".c"))
        fail("-o %s: the name of the output must end in .c (FILE.h is written beside it) [output]",
             o->output_file);
}

/* The C prefix, and what cannot be one. */
static void complete_prefix(Options *o)
{
    if (o->prefix && !is_identifier(o->prefix))
        fail("--prefix=%s: a prefix must consist of letters, digits and '_', and not begin with a digit "
             "[output]", o->prefix);
    if (!o->prefix)
        o->prefix = prefix_of(stem_of(o->output_file));
    if (strcasecmp(o->prefix, "nn") == 0)
        fail("the prefix %s is used by the runtime; choose another with --prefix=NAME [output]", o->prefix);
}

/* Works out output_file, header_file, dependency_file and prefix of one network. */
static void complete_names(Command *command)
{
    Options *o = &command->options;
    const bool from_stdin = strcmp(o->input_file, "-") == 0;
    const char *of_input = from_stdin ? "net.c" : format("%s.c", stem_of(o->input_file));
    command->to_stdout = o->output_file && strcmp(o->output_file, "-") == 0;
    if (command->to_stdout)
        o->output_file = of_input;
    else if (o->output_file)
        check_output(o);
    else if (from_stdin && command->writes)
        fail("a network from standard input needs -o FILE.c [output]");
    else
        o->output_file = of_input;
    if (command->dependencies && !command->dependency_file)
        command->dependency_file = with_suffix(o->output_file, ".nn.d");
    if (!command->header_file && !command->to_stdout && !o->is_static)
        command->header_file = with_suffix(o->output_file, ".h");

    const char *header = command->header_file ? strrchr(command->header_file, '/') : NULL;
    for (const char *p = header ? header : command->header_file; p && *p && command->writes; p++)
        if (iscntrl((unsigned char)*p) || *p == '"' || *p == '\\')
            fail("%s: this name cannot be used in the output's #include; choose another with -o [output]",
                 command->header_file);
    complete_prefix(o);
}

/* ---- Files that are in each other's way -------------------------------------------------------- */

enum { MOST_FILES = 3 };

/* What the command writes; how many. */
static int files_of(const Command *command, const char *files[MOST_FILES])
{
    const char *all[MOST_FILES] = {command->to_stdout ? NULL : command->options.output_file,
                                   command->header_file, command->dependency_file};
    int n = 0;
    for (int i = 0; i < MOST_FILES && command->writes; i++)
        if (all[i])
            files[n++] = all[i];
    return n;
}

static void check_files(const Command *first)
{
    for (const Command *command = first; command; command = command->next) {
        const char *files[MOST_FILES], *others[MOST_FILES];
        int n = files_of(command, files);
        for (int i = 0; i < n; i++) {
            for (const Command *other = first; other; other = other->next) {
                const char *input = other->options.input_file;
                if (same_file(files[i], strcmp(input, "-") == 0 ? "/dev/stdin" : input))
                    fail("%s would overwrite the input [output]", files[i]);
            }
            for (int j = 0; j < i; j++)
                if (same_file(files[i], files[j]))
                    fail("%s would be written twice [output]", files[i]);
            for (const Command *other = first; other != command; other = other->next)
                for (int j = files_of(other, others); j--;)
                    if (same_file(files[i], others[j]))
                        fail("%s would be written twice: for %s and for %s [output]", files[i],
                             other->options.input_file, command->options.input_file);
        }
    }
}

Command name_outputs(const Command *all, const char *const *inputs, int ninputs)
{
    Command first = {0}, *last = &first;
    for (int i = 0; i < ninputs; i++) {
        Command *command = i ? last->next = NEW(Command) : &first;
        *command = *all;
        command->options.input_file = inputs[i];
        complete_names(command);
        last = command;
    }
    check_files(&first);
    return first;
}
