/* options.c: the command line.
 *
 * What comes in: argv. What goes out: a Command for each network, complete: output names and prefix worked
 * out (outputs.c), every value checked, except the texts of --input and --batch, which resolve reads as it
 * reads the statements.
 *
 * The one idea: one table of options, which the parser, --help and "did you mean" all walk.
 */
#include "back/back.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionId {
    OPT_OUTPUT,
    OPT_HEADER,
    OPT_STATIC,
    OPT_WEIGHTS,
    OPT_PREFIX,
    OPT_INPUT,
    OPT_BATCH,
    OPT_LOSS,
    OPT_FOLDER,
    OPT_DEFINE,
    OPT_UNROLL,
    OPT_TARGET,
    OPT_MATH,
    OPT_LANES,
    OPT_TILE,
    OPT_BLOCKS,
    OPT_INFERENCE,
    OPT_STREAM,
    OPT_MAIN,
    OPT_CHECK,
    OPT_SUMMARY,
    OPT_FITS,
    OPT_VERIFY,
    OPT_DUMP,
    OPT_MD,
    OPT_MF,
    OPT_MT,
    OPT_MP,
    OPT_COLOR,
    OPT_FORMAT,
    OPT_MAX_ERRORS,
    OPT_EXPLAIN,
    OPT_LAYERS,
    OPT_EXAMPLE,
    OPT_GRAPH,
    OPT_PYTORCH,
    OPT_HELP,
    OPT_VERSION
} OptionId;

static const struct Option {
    const char *name;
    const char *value;   /* how --help calls its value; NULL: it takes none. --NAME=VALUE, -X VALUE;
                          * --NAME VALUE and -XVALUE are taken as well */
    OptionId id;
    const char *help;
} options[] = {
    {"-o", "FILE.c", OPT_OUTPUT,
     "write FILE.c and FILE.h; FILE is the C prefix (default: the input's name);\n"
     "                         `-o -` prints the C, with the header in it, to standard output"},
    {"--header", "FILE.h", OPT_HEADER, "another name for the header, which may lie in another folder"},
    {"--static", NULL, OPT_STATIC, "one file, for #include: the header stands in it, all symbols are static"},
    {"--weights", "FILE", OPT_WEIGHTS,
     "add the weights of this safetensors file as the constant NAME_weights"},
    {"--prefix", "NAME", OPT_PREFIX, "another C prefix: NAME_forward, NAME_BATCH"},
    {"--input", "CxHxW", OPT_INPUT, "the size of one sample, as the statement `input`"},
    {"--batch", "N", OPT_BATCH, "the maximum number of samples in a call, as the statement `batch`"},
    {"--loss", "none", OPT_LOSS, "no loss, whatever the text says: as the statement `loss none`"},
    {"-I", "FOLDER", OPT_FOLDER, "where else to look for the files of `include`"},
    {"-D", "NAME=VALUE", OPT_DEFINE, "what $NAME stands for outside of blocks, whatever `param` says"},
    {"--unroll", "auto|full|tile|none", OPT_UNROLL,
     "how much straight-line code to generate (default: auto)"},
    {"--target", "generic|scalar|avx2|avx512|neon", OPT_TARGET,
     "vectors of 8 floats for any machine, plain C99, or vectors of one machine (default: generic)"},
    {"--math", "auto|direct|winograd|F4x4,3x3|F2x2,3x3", OPT_MATH,
     "3x3 convolutions directly, or by Winograd's algorithm (default: auto, whichever is faster);\n"
     "                         F4x4,3x3 and F2x2,3x3, for experiments: Winograd with that tile size only"},
    {"--lanes", "auto|channels|samples", OPT_LANES,
     "what a vector holds in training: channels or samples (default: auto, whichever is faster)"},
    {"--tile", "RxV", OPT_TILE, "for experiments: register tiles of R rows by V vectors, where possible"},
    {"--blocks", "N", OPT_BLOCKS, "for experiments: process large images in N blocks, where possible"},
    {"--inference", NULL, OPT_INFERENCE, "forward pass only"},
    {"--stream", NULL, OPT_STREAM,
     "add NAME_next, which takes the positions of a sequence one at a time, as they come"},
    {"--main", "[mpi]", OPT_MAIN,
     "add a main(), which trains, tests and uses the network: needs libnnkit.a;\n"
     "                         mpi: on several machines, and needs libnnmpi.a"},
    {"--check", NULL, OPT_CHECK, "check the network, write nothing"},
    {"--summary", "[json]", OPT_SUMMARY,
     "print a table of the layers, for programs as JSON; write files only with -o"},
    {"--fits", "RAM,FLASH", OPT_FITS,
     "say whether it fits into so many bytes, such as 64k,1M, and what is in the way (exit status 1)"},
    {"--verify", "[MODE,...]", OPT_VERIFY,
     "compile the network with $CC $CFLAGS, run it, and compare each layer's outputs and gradients\n"
     "                         with exact ones (exit status 1 where they differ); MODE: an --unroll, `all`, "
     "seed=N"},
    {"--dump", "ast|net|prog|grad|plan|all", OPT_DUMP,
     "print a stage of the compiler, all of them, or what a step of the schedule gives: layout,\n"
     "                         samples, gather, sums, transpose, winograd, halo, phases, moves, functions, "
     "full, fuse,\n"
     "                         windows, follow, together, blocks, tiles, names, place; write files only with "
     "-o"},
    {"-MD", NULL, OPT_MD, "also write FILE.nn.d, the dependencies as a rule for Make"},
    {"-MF", "FILE", OPT_MF, "write these dependencies to FILE"},
    {"-MT", "TARGET", OPT_MT, "the target of that rule"},
    {"-MP", NULL, OPT_MP, "also an empty rule for each included file, so that one can go"},
    {"--color", "auto|always|never", OPT_COLOR, "colored messages (default: auto, on a terminal)"},
    {"--diagnostics-format", "text|json|sarif", OPT_FORMAT,
     "messages as text, as JSON laid out as gcc's, or as SARIF 2.1.0"},
    {"-fmax-errors", "N", OPT_MAX_ERRORS, "show at most N errors (default: 20; 0: all)"},
    {"--graph", "dot|svg", OPT_GRAPH,
     "print the network as a picture: graphviz's text, or what its dot draws of it"},
    {"--pytorch", NULL, OPT_PYTORCH, "print the network as a PyTorch module, whose weight files are ours"},
    {"--layers", "[KIND]", OPT_LAYERS, "print what each kind of layer does, or that one with its arguments"},
    {"--example", "[NAME]", OPT_EXAMPLE, "print a ready network, such as lenet, or the names of all"},
    {"--explain", "CODE", OPT_EXPLAIN, "explain the code in brackets at a message's end"},
    {"--help", NULL, OPT_HELP, "print this"},
    {"--version", NULL, OPT_VERSION, "print the version"},
};
enum { NOPTIONS = sizeof options / sizeof *options, NMODES = UNROLL_NONE + 1 };

/* ---- --help and --version -------------------------------------------------------------------- */

/* Has its value behind '=': --NAME=VALUE, and -fmax-errors=N, as gcc has it. */
static bool is_long(const char *option)
{
    return option[1] == '-' || option[1] == 'f';
}

static void print_help(void)
{
    puts("Usage: nnc [options] FILE.nn...     (`-` reads standard input)\n"
         "\n"
         "Compiles a network, such as\n"
         "\n"
         "    input 3x32x32; conv 3->16 k3 s2 p1; relu; maxpool 2; fc 10; softmax\n"
         "\n"
         "into C source for exactly that network: FILE.c and FILE.h. Each of several networks gets its own.\n"
         "\n"
         "Options:");
    for (int i = 0; i < NOPTIONS; i++) {
        const struct Option *o = &options[i];
        const char *name =
            !o->value ? o->name : *o->value == '[' ? format("%s[=%s", o->name, o->value + 1)
                     : format("%s%s%s", o->name, is_long(o->name) ? "=" : " ", o->value);
        if (strlen(name) > 22)
            printf("  %s\n  %-22s %s\n", name, "", o->help);
        else
            printf("  %-22s %s\n", name, o->help);
    }
    printf("\nWarnings (-WNAME turns one on, -Wno-NAME off; on unless it says off):\n%s", warning_names());
    puts("  -Wall, -Wno-all        all that are on\n"
         "  -Wextra                those that are off without it\n"
         "  -Werror, -Werror=NAME  warnings are errors, or that one is");
    puts("\nStatements end at a newline or ';', comments begin with '#', [ ] marks what can be left out:");
    for (int i = 0; i < nkinds; i++) {
        if (!kinds[i]->syntax)
            continue;
        printf("  %s\n", kinds[i]->syntax);
        if (kinds[i]->help)
            print_indented(kinds[i]->help, 6);
    }
    puts("\nExit status: 0 done, 1 errors in the network, 2 usage or environment.");
}

/* ---- Values ---------------------------------------------------------------------------------- */

static const char *did_you_mean(const char *word, const char *const *candidates, int n)
{
    const char *near = closest(word, candidates, n);
    return near ? format("; did you mean %s?", near) : "";
}

/* Which of the words of "a|b|c" value is. */
static int choice(const char *option, const char *value, const char *choices)
{
    enum { MOST_WORDS = 40 };
    const char *words[MOST_WORDS];
    int n = 0;
    for (const char *word = choices; n < MOST_WORDS; n++) {
        size_t length = strcspn(word, "|");
        words[n] = copy_text(word, length);
        if (strcmp(value, words[n]) == 0)
            return n;
        if (!word[length]) {
            n++;
            break;
        }
        word += length + 1;
    }
    fail("%s=%s: must be %s%s%s [option-value]", option, value, n > 1 ? "one of " : "", choices,
         n > 1 ? did_you_mean(value, words, n) : "");
}

/* --dump: a stage, or a step of the schedule. */
static void dump_value(const char *option, const char *value, Command *command)
{
    const char *stages = "ast|net|prog|grad|plan|all", *all = stages;
    for (int i = 0; step_name(i); i++)
        all = format("%s|%s", all, step_name(i));
    int number = choice(option, value, all);
    bool stage = number <= DUMP_ALL - DUMP_AST;
    command->dump = stage ? (Dump)(DUMP_AST + number) : DUMP_STEP;
    command->step = stage ? NULL : value;
    command->options.traced = command->dump >= DUMP_ALL;
}

static void tile_value(const char *value, Options *o)
{
    int rows, vectors, end = 0;
    if (sscanf(value, "%2dx%2d%n", &rows, &vectors, &end) != 2 || value[end] || rows < 1 || vectors < 1)
        fail("--tile=%s: must be RxV, rows by vectors, such as 6x2 [option-value]", value);
    o->tile_rows = rows;
    o->tile_vectors = vectors;
}

static void blocks_value(const char *value, Options *o)
{
    int blocks, end = 0;
    if (sscanf(value, "%4d%n", &blocks, &end) != 1 || value[end] || blocks < 1)
        fail("--blocks=%s: must be a number of blocks, 1 or more [option-value]", value);
    o->blocks = blocks;
}

/* A whole number of at most six digits. */
static int count_value(const char *option, const char *value, int least)
{
    int number, end = 0;
    if (sscanf(value, "%6d%n", &number, &end) != 1 || value[end] || number < least)
        fail("%s=%s: must be a whole number, %d or more [option-value]", option, value, least);
    return number;
}

/* A number of bytes, with k or M for 1024 or 1048576 of them; *end: behind it. 0: it is none. */
static int64_t read_bytes(const char *text, const char **end)
{
    int64_t bytes = 0;
    for (*end = text; isdigit((unsigned char)**end) && bytes < (int64_t)1 << 40; ++*end)
        bytes = 10 * bytes + (**end - '0');
    if (**end == 'k' || **end == 'K')
        return ++*end, bytes << 10;
    return **end == 'M' ? ++*end, bytes << 20 : bytes;
}

static void fits_value(const char *value, Command *command)
{
    const char *end;
    command->ram = read_bytes(value, &end);
    command->flash = *end == ',' ? read_bytes(end + 1, &end) : 0;
    if (*end || !command->ram || !command->flash)
        fail("--fits=%s: must be RAM,FLASH in bytes, such as 65536,1M [option-value]", value);
}

/* Modes of --unroll, and seed=N, in any order; NULL: the mode of --unroll alone. */
static void verify_value(const char *value, Command *command)
{
    static const char words[] = "auto|full|tile|none|all";
    command->modes = 1u << NMODES;
    for (const char *word = value; word; word = *word ? word + 1 : NULL) {
        const char *one = copy_text(word, strcspn(word, ","));
        int end = 0;
        unsigned number;
        word += strlen(one);
        if (sscanf(one, "seed=%9u%n", &number, &end) == 1 && !one[end]) {
            command->seed = number;
            continue;
        }
        int mode = choice("--verify", one, words);
        command->modes |= mode == NMODES ? (1u << NMODES) - 1 : 1u << mode;
    }
}

/* NAME=VALUE, with a value that is one word of the language. */
static void define_value(const char *value)
{
    const char *equals = strchr(value, '=');
    const char *name = copy_text(value, equals ? (size_t)(equals - value) : 0);
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-";
    if (!equals || !is_identifier(name) || !equals[1] || strspn(equals + 1, letters) < strlen(equals + 1))
        fail("-D %s: must be NAME=VALUE, with a value such as 16, 3x32x32, 0.1 or false [option-value]",
             value);
}

/* A list with one more; the n words before stay. */
static const char **add_word(const char **list, int n, const char *word)
{
    const char **longer = NEW_ARRAY(const char *, n + 1);
    if (n)
        memcpy(longer, list, (size_t)n * sizeof *list);
    longer[n] = word;
    return longer;
}

static TargetName target_value(const char *value)
{
    for (int i = 0; i < NTARGETS; i++)
        if (strcmp(value, machines[i].name) == 0)
            return (TargetName)i;
    const char *names[NTARGETS], *list = "";
    for (int i = 0; i < NTARGETS; i++) {
        names[i] = machines[i].name;
        list = format("%s%s%s", list, i > 0 ? "|" : "", names[i]);
    }
    fail("--target=%s: must be one of %s%s [option-value]", value, list,
         did_you_mean(value, names, NTARGETS));
}

static void math_value(const char *value, Options *o)
{
    const char *names[16] = {"auto", "direct", "winograd"}, *list = "auto|direct|winograd";
    int n = MATH_WINOGRAD + 1;
    for (const char *name; (name = filter_option(n - MATH_WINOGRAD - 1)); list = format("%s|%s", list, name))
        names[n++] = name;
    for (int i = 0; i < n; i++)
        if (strcmp(value, names[i]) == 0) {
            o->math = i < MATH_WINOGRAD ? (Math)i : MATH_WINOGRAD;
            o->filter = i > MATH_WINOGRAD ? names[i] : NULL;
            return;
        }
    fail("--math=%s: must be one of %s%s [option-value]", value, list, did_you_mean(value, names, n));
}

static void warning_value(const char *name)
{
    if (warning_option(name))
        return;
    const char *near = closest_warning(name);
    fail("unknown warning -W%s; %s [option]", name,
         near ? format("did you mean -W%s?", near) : "nnc --help lists them");
}

/* ---- The command line ------------------------------------------------------------------------ */

/* Finds the option that argv[*i] is, and its value; moves *i past a value that stands apart. */
static const struct Option *find_option(int argc, char **argv, int *i, const char **value)
{
    const char *word = argv[*i];
    const bool with_equals = is_long(word);
    size_t length = with_equals ? strcspn(word, "=") : strlen(word);
    const struct Option *found = NULL;
    for (int k = 0; k < NOPTIONS; k++) {
        const struct Option *o = &options[k];
        if (strlen(o->name) == length && strncmp(o->name, word, length) == 0)
            found = o;
        else if (!with_equals && o->value && !found && strncmp(o->name, word, strlen(o->name)) == 0)
            found = o;                       /* -oFILE */
    }
    if (!found) {
        const char *names[NOPTIONS];         /* compared without dashes: they would count as letters */
        size_t dashes = strspn(word, "-");
        for (int k = 0; k < NOPTIONS; k++)
            names[k] = options[k].name + strspn(options[k].name, "-");
        const char *near = closest(copy_text(word + dashes, length - dashes), names, NOPTIONS);
        for (int k = 0; near && k < NOPTIONS; k++)
            if (near == names[k])
                near = options[k].name;
        fail("unknown option %s%s [option]", word, near ? format("; did you mean %s?", near) : "");
    }

    size_t name = strlen(found->name);
    *value = NULL;
    if (found->value && *found->value == '[' && !word[name]) { /* it may be left out */
        bool answers = found->id == OPT_LAYERS || found->id == OPT_EXAMPLE;
        if (answers && *i + 1 < argc && argv[*i + 1][0] != '-')
            *value = argv[++*i];
        return found;
    }
    if (!found->value) {
        if (word[name])
            fail("%s takes no value [option]", found->name);
    } else if (with_equals && word[name]) {
        if (!word[name + 1])
            fail("%s needs a value: %s=%s [option]", found->name, found->name, found->value);
        *value = word + name + 1;
    } else if (word[name]) {
        *value = word + name;
    } else {
        if (*i + 1 >= argc || !argv[*i + 1][0])
            fail("%s needs a value: %s%s%s [option]", found->name, found->name, with_equals ? "=" : " ",
                 found->value);
        *value = argv[++*i];
    }
    return found;
}

/* The options that are questions: nothing else is done. */
static void answer(const struct Option *option, const char *value)
{
    if (option->id == OPT_HELP)
        print_help();
    else if (option->id == OPT_EXPLAIN)
        explain(value);
    else if (option->id == OPT_LAYERS)
        print_layers(value);
    else if (option->id == OPT_EXAMPLE)
        print_example(value);
    else
        puts("nnc " NNC_VERSION);
    finish_stdout();
    exit(0);
}

/* The options of what goes on around the stages: dependencies and messages. */
static void take_around(Command *command, const struct Option *option, const char *value)
{
    switch (option->id) {
    case OPT_MD:
        command->dependencies = true;
        break;
    case OPT_MF:
        command->dependency_file = value;
        break;
    case OPT_MP:
        command->phony = true;
        break;
    case OPT_MT:
        command->dependency_target =
            command->dependency_target ? format("%s %s", command->dependency_target, value) : value;
        break;
    case OPT_COLOR:
        command->color = (Color)choice(option->name, value, option->value);
        break;
    case OPT_GRAPH:
        command->graph = choice(option->name, value, option->value) ? GRAPH_SVG : GRAPH_DOT;
        break;
    case OPT_PYTORCH:
        command->pytorch = true;
        break;
    case OPT_FORMAT:
        command->format = (DiagnosticsFormat)choice(option->name, value, option->value);
        break;
    case OPT_MAX_ERRORS:
        diag_max_errors(count_value(option->name, value, 0));
        break;
    default:
        answer(option, value);
    }
}

/* Those that ask for a look at the network. */
static void take_look(Command *command, const struct Option *option, const char *value)
{
    switch (option->id) {
    case OPT_CHECK:
        command->check = true;
        break;
    case OPT_SUMMARY:
        command->summary = true;
        command->json = value && choice(option->name, value, "json") == 0;
        break;
    case OPT_FITS:
        fits_value(value, command);
        break;
    case OPT_VERIFY:
        verify_value(value, command);
        break;
    case OPT_DUMP:
        dump_value(option->name, value, command);
        break;
    default:
        take_around(command, option, value);
    }
}

/* Takes one option into the command. */
static void take_option(Command *command, const struct Option *option, const char *value)
{
    Options *o = &command->options;
    switch (option->id) {
    case OPT_OUTPUT:
        o->output_file = value;
        break;
    case OPT_HEADER:
        command->header_file = value;
        break;
    case OPT_STATIC:
        o->is_static = true;
        break;
    case OPT_WEIGHTS:
        o->weights_file = value;
        break;
    case OPT_PREFIX:
        o->prefix = value;
        break;
    case OPT_INPUT:
        o->input_size = value;
        break;
    case OPT_BATCH:
        o->batch_size = value;
        break;
    case OPT_LOSS:
        choice(option->name, value, option->value);
        o->loss = value;
        break;
    case OPT_FOLDER:
        o->folders = add_word(o->folders, o->nfolders++, value);
        break;
    case OPT_DEFINE:
        define_value(value);
        o->define = add_word(o->define, o->ndefines++, value);
        break;
    case OPT_UNROLL:
        o->unroll = (Unroll)choice(option->name, value, option->value);
        break;
    case OPT_TARGET:
        o->target = target_value(value);
        break;
    case OPT_MATH:
        math_value(value, o);
        break;
    case OPT_LANES:
        o->lanes = (Lanes)choice(option->name, value, option->value);
        break;
    case OPT_TILE:
        tile_value(value, o);
        break;
    case OPT_BLOCKS:
        blocks_value(value, o);
        break;
    case OPT_INFERENCE:
        o->inference = true;
        break;
    case OPT_STREAM:
        o->stream = true;
        break;
    case OPT_MAIN:
        o->main = true;
        o->mpi = value && choice(option->name, value, "mpi") == 0;
        break;
    default:
        take_look(command, option, value);
    }
}

/* What goes together, and what doesn't. */
static void check_together(const Command *command, int ninputs)
{
    const Options *o = &command->options;
    if (!ninputs)
        fail("no network given; the usage is: nnc [options] FILE.nn (see nnc --help) [option]");
    const struct { const char *option; bool given;
    } of_one[] = {
        {"-o", o->output_file}, {"--header", command->header_file}, {"--prefix", o->prefix},
        {"-MF", command->dependency_file}, {"--weights", o->weights_file},
    };
    for (size_t i = 0; i < sizeof of_one / sizeof *of_one && ninputs > 1; i++)
        if (of_one[i].given)
            fail("%s is for one network, and %d are given [option]", of_one[i].option, ninputs);
    if (o->is_static && command->header_file)
        fail("--header with --static: there is no header, what it declares stands in the C file [option]");
    if (!command->dependencies && (command->dependency_file || command->dependency_target))
        fail("%s needs -MD [option]", command->dependency_file ? "-MF" : "-MT");
    if (!command->dependencies && command->phony)
        fail("-MP needs -MD [option]");
    bool to_stdout = o->output_file && !strcmp(o->output_file, "-");
    if (to_stdout && (command->summary || command->dump || command->ram || command->graph
                      || command->pytorch || command->modes))
        fail("-o -: standard output is for the C, and --summary, --dump, --fits, --graph, --pytorch and "
             "--verify print there, too [option]");
    if (to_stdout && command->dependencies && !(command->dependency_file && command->dependency_target))
        fail("-MD with -o - needs -MF FILE and -MT TARGET: nothing else says where the C goes [option]");
}

/* The form of messages, wherever it stands: what is wrong with the options before it is said in it, too. */
static DiagnosticsFormat format_in(int argc, char **argv)
{
    static const char name[] = "--diagnostics-format";
    DiagnosticsFormat format = DIAGNOSTICS_TEXT;
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        const char *value = strncmp(argv[i], name, sizeof name - 1) ? NULL : argv[i] + sizeof name - 1;
        value = !value ? "" : *value == '=' ? value + 1 : !*value && i + 1 < argc ? argv[i + 1] : "";
        format = !strcmp(value, "json")    ? DIAGNOSTICS_JSON
                 : !strcmp(value, "sarif") ? DIAGNOSTICS_SARIF
                 : !strcmp(value, "text")  ? DIAGNOSTICS_TEXT
                                           : format;
    }
    return format;
}

/* Reads the command line. Exits 2 on misuse, 0 after --help and --version. */
Command parse_options(int argc, char **argv)
{
    Command command = {.seed = 1};
    const char **inputs = NULL;
    int ninputs = 0;
    bool operands_only = false;
    warning_reset();
    records_start(format_in(argc, argv));

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!operands_only && strcmp(word, "--") == 0) {
            operands_only = true;
            continue;
        }
        if (operands_only || word[0] != '-' || !word[1]) {
            inputs = add_word(inputs, ninputs++, word);
            continue;
        }
        if (word[1] == 'W') {
            warning_value(word + 2);
            continue;
        }
        const char *value;
        const struct Option *option = find_option(argc, argv, &i, &value);
        take_option(&command, option, value);
    }

    check_together(&command, ninputs);
    const unsigned named = command.modes & ((1u << NMODES) - 1);
    if (command.modes)
        command.modes = named ? named : 1u << command.options.unroll;
    bool looks = command.summary || command.dump || command.ram || command.graph || command.pytorch
                 || command.modes;
    command.writes = !command.check && (command.options.output_file || !looks);
    return name_outputs(&command, inputs, ninputs);
}
