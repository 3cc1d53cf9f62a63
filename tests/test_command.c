/* test_command.c: the command as users and Makefiles call it.
 *
 * Options, exit statuses, names of what is written, dependencies for Make, standard streams that fail, outputs that
 * appear whole or not at all, the same bytes each time; and hostile texts, made by a seeded fuzzer out of good
 * ones, for which nothing but the statuses 0, 1 and 2 will do. The fuzzer runs in turn the builds with the sanitizers of
 * both compilers. */
#include "back/back.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRATCH "build/tests/tmp/command"
#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)
#define NET "input 1x6x6; conv 2 k3; relu; maxpool 2; fc 3; softmax\n"

/* ---- Small things that all tests use ----------------------------------------------------------------- */

static void fresh_folder(void)
{
    folder_make(SCRATCH);
    file_write(SCRATCH "/net.nn", NET, strlen(NET));
}

static const char *in_scratch(const char *file)
{
    static char path[4][300];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], SCRATCH "/%s", file);
    return path[next];
}

static bool exists(const char *file)
{
    return file_exists(in_scratch(file));
}

static void write_text(const char *file, const char *text)
{
    file_write(in_scratch(file), text, strlen(text));
}

static bool holds(const char *file, const char *part)
{
    char *text = file_read(in_scratch(file), NULL);
    bool found = text && strstr(text, part);
    free(text);
    return found;
}

static bool file_is(const char *file, const char *expected)
{
    char *text = file_read(in_scratch(file), NULL);
    bool same = text && strcmp(text, expected) == 0;
    if (!same)
        printf("\n    %s is: %s", file, text ? text : "missing");
    free(text);
    return same;
}

/* Runs nnc in the scratch folder and checks its status; err: what standard error must hold (NULL: nothing at all). */
#define EXPECT(status, err, ...) expect(__LINE__, status, err, nnc_run(SCRATCH, __VA_ARGS__, NULL))

static void expect(int line, int status, const char *err, process run)
{
    check(run.status == status, line, "exit status %d, not %d; %s", run.status, status, run.err);
    check(err ? strstr(run.err, err) != NULL : run.err_length == 0, line, "standard error: %s", run.err);
    if (status != 0)
        check(run.out_length == 0, line, "prints although it fails: %s", run.out);
    process_free(&run);
}

/* Runs a line of shell in the scratch folder, in which $NNC is the compiler; returns its exit status. */
static int shell(const char *line)
{
    setenv("NNC", nnc_path(), 1);
    const char *argv[] = {"sh", "-c", line, NULL};
    process run = process_run(SCRATCH, argv, NULL, 0, NULL);
    int status = run.status;
    process_free(&run);
    return status;
}

static char preloaded[PATH_MAX];

/* Compiles tests/helpers/NAME.c into a library for run_preloaded; false where nnc is built with a
 * sanitizer, which takes no such library. */
static bool preload(const char *name)
{
    char command[300];
    size_t length;
    char *program = file_read(nnc_path(), &length);
    bool sanitized = program && memmem(program, length, "__asan_init", 11);
    free(program);
    if (sanitized)
        return false;
    snprintf(command, sizeof command,
             "cc -O1 -shared -fPIC -o build/tests/tmp/%s.so tests/helpers/%s.c -ldl 2>build/tests/tmp/%s.log",
             name, name, name);
    int status = system(command);
    check(status == 0, __LINE__, "%s fails", command);
    snprintf(command, sizeof command, "build/tests/tmp/%s.so", name);
    return status == 0 && realpath(command, preloaded);
}

/* Runs nnc with that library, which reads the variable. */
static process run_preloaded(const char *option, const char *variable, unsigned long value)
{
    char number[32];
    snprintf(number, sizeof number, "%lu", value);
    setenv(variable, number, 1);
    setenv("LD_PRELOAD", preloaded, 1);
    process run = nnc_run(SCRATCH, option, "-MD", "-o", "net.c", "net.nn", NULL);
    unsetenv("LD_PRELOAD");
    return run;
}

/* ---- Names ------------------------------------------------------------------------------------------- */

static void output_names(void)
{
    fresh_folder();
    EXPECT(0, NULL, "net.nn");                               /* the input's stem, in this folder */
    CU_ASSERT_TRUE(exists("net.c") && exists("net.h"));
    CU_ASSERT_TRUE(holds("net.c", "net_forward") && holds("net.h", "NET_INPUT"));

    mkdir(SCRATCH "/sub", 0777);
    write_text("sub/lenet-5.nn", NET);
    EXPECT(0, NULL, "sub/lenet-5.nn");
    CU_ASSERT_TRUE(exists("lenet-5.c") && exists("lenet-5.h") && !exists("sub/lenet-5.c"));
    CU_ASSERT_TRUE(holds("lenet-5.h", "lenet_5_forward") && holds("lenet-5.h", "LENET_5_INPUT"));
    CU_ASSERT_TRUE(holds("lenet-5.c", "#include \"lenet-5.h\""));

    EXPECT(0, NULL, "net.nn", "-o", "sub/other.c");
    CU_ASSERT_TRUE(exists("sub/other.c") && exists("sub/other.h"));
    CU_ASSERT_TRUE(holds("sub/other.h", "other_forward") && holds("sub/other.c", "#include \"other.h\""));

    EXPECT(0, NULL, "-osub/3.d.c", "net.nn");
    CU_ASSERT_TRUE(exists("sub/3.d.h") && holds("sub/3.d.h", "n3_d_forward"));

    EXPECT(0, NULL, "--prefix=digits", "net.nn", "-o", "b.c");
    CU_ASSERT_TRUE(holds("b.h", "digits_forward") && holds("b.h", "DIGITS_BATCH") && holds("b.c", "#include \"b.h\""));

    write_text("-odd.nn", NET);
    EXPECT(0, NULL, "--", "-odd.nn");
    CU_ASSERT_TRUE(holds("-odd.h", "_odd_forward"));
    write_text("no_suffix", NET);
    EXPECT(0, NULL, "no_suffix");
    CU_ASSERT_TRUE(exists("no_suffix.c"));

    EXPECT(2, "used by the runtime", "net.nn", "-o", "nn.c");
    EXPECT(0, NULL, "--prefix=digits", "net.nn", "-o", "nn.c");
}

static void standard_input(void)
{
    fresh_folder();
    const char *write[] = {nnc_path(), "-", "-o", "std.c", NULL}, *look[] = {nnc_path(), "--check", "-", NULL};
    expect(__LINE__, 0, NULL, process_run(SCRATCH, write, NET, strlen(NET), NULL));
    CU_ASSERT_TRUE(holds("std.h", "std_forward"));
    expect(__LINE__, 0, NULL, process_run(SCRATCH, look, NET, strlen(NET), NULL));
    expect(__LINE__, 1, "<stdin>:1:1: error:", process_run(SCRATCH, look, "conv", 4, NULL));
    expect(__LINE__, 1, "no input", process_run(SCRATCH, look, "", 0, NULL));
    CU_ASSERT_EQUAL(shell("$NNC --check - <&-"), 2);         /* closed */
    CU_ASSERT_EQUAL(shell("$NNC --check - < ."), 2);         /* a folder */
}

/* ---- --weights ---------------------------------------------------------------------------------------- */

/* A safetensors file of so many floats, all 0. */
static void write_weights(const char *file, const char *header, size_t floats)
{
    size_t length = strlen(header), bytes = 8 + length + floats * 4;
    char *text = calloc(bytes, 1);
    for (int i = 0; i < 8; i++)
        text[i] = (char)(length >> 8 * i);
    memcpy(text + 8, header, length);
    file_write(in_scratch(file), text, bytes);
    free(text);
}

#define TENSOR(name, shape, begin, end) \
    "\"" name "\": {\"dtype\": \"F32\", \"shape\": " shape ", \"data_offsets\": [" #begin ", " #end "]}"

/* What a file of weights may have wrong: nothing is written then. */
static void wrong_weights(void)
{
    static const struct { const char *header; size_t floats; const char *says;
    } files[] = {
        {"{" TENSOR("fc1.weight", "[2, 3]", 0, 24) ", " TENSOR("fc1.bias", "[2]", 24, 32) ", " TENSOR("fc2.bias", "[1]", 32, 36) "}", 9,
         "--weights: w.st: fc2.bias is "},
        {"{" TENSOR("fc1.weight", "[2, 3]", 0, 24) "}", 6, "--weights: w.st: fc1.bias is "},
        {"{" TENSOR("fc1.weight", "[3, 2]", 0, 24) ", " TENSOR("fc1.bias", "[2]", 24, 32) "}", 8,
         "--weights: w.st: fc1.weight has shape [3, 2] in the file, [2, 3] in the network"},
        {"{" TENSOR("fc1.weight", "[2, 3]", 0, 24) ", " TENSOR("fc1.bias", "[2]", 24, 32) "}", 7, "--weights: w.st: "},
    };
    fresh_folder();
    write_text("fc.nn", "input 3; fc 2; softmax\n");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_weights("w.st", files[i].header, files[i].floats);
        EXPECT(2, files[i].says, "--weights=w.st", "fc.nn");
        EXPECT(2, "[weights-file]", "--inference", "--weights=w.st", "fc.nn");
        CU_ASSERT_FALSE(exists("fc.c") || exists("fc.h"));
    }
    write_weights("w.st", files[3].header, 8);
    EXPECT(0, NULL, "--weights=w.st", "fc.nn");
    CU_ASSERT_TRUE(holds("fc.c", "const fc_params fc_weights = {"));
    EXPECT(2, "is for one network, and 2 are given", "--weights=w.st", "fc.nn", "net.nn");
}

/* ---- What is printed --------------------------------------------------------------------------------- */

static void help(void)
{
    static const char *const words[] = {
        "-o", "--prefix", "--input", "--batch", "--unroll", "--target", "--inference", "--check", "--summary",
        "--dump", "-MD", "-MF", "-MT", "-Werror", "-Wunroll", "--color", "--help", "--version", "FILE.nn",
        "Exit status"};
    fresh_folder();
    process run = nnc_run(SCRATCH, "--help", NULL);
    CU_ASSERT_EQUAL(run.status, 0);
    CU_ASSERT_EQUAL(run.err_length, 0);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        check(strstr(run.out, words[i]) != NULL, __LINE__, "--help does not speak of %s", words[i]);
    for (int i = 0; i < nkinds; i++)
        check(!kinds[i]->syntax || strstr(run.out, kinds[i]->syntax), __LINE__, "--help lacks %s", kinds[i]->name);
    for (const char *line = run.out; *line;) {
        const char *end = strchr(line, '\n');
        check(end && end - line <= 120, __LINE__, "--help has a long line: %.40s...", line);
        line = end ? end + 1 : line + strlen(line);
    }
    process_free(&run);

    run = nnc_run(SCRATCH, "--version", NULL);
    CU_ASSERT_EQUAL(run.status, 0);
    CU_ASSERT_STRING_EQUAL(run.out, "nnc " NNC_VERSION "\n");
    process_free(&run);
}

/* --check, --summary and --dump write no files, unless -o asks for them. */
static void looking_only(void)
{
    static const char *const options[] = {"--check",     "--summary",   "--dump=ast", "--dump=net",
                                          "--dump=prog", "--dump=grad", "--dump=plan"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        fresh_folder();
        process run = nnc_run(SCRATCH, options[i], "net.nn", NULL);
        check(run.status == 0 && run.err_length == 0, __LINE__, "%s: status %d, %s", options[i], run.status, run.err);
        check((run.out_length > 0) == (i > 0), __LINE__, "%s prints %zu bytes", options[i], run.out_length);
        check(folder_count(SCRATCH) == 1, __LINE__, "%s writes files", options[i]);
        process_free(&run);

        run = nnc_run(SCRATCH, options[i], "net.nn", "-o", "net.c", NULL);
        check(run.status == 0, __LINE__, "%s: status %d, %s", options[i], run.status, run.err);
        check(folder_count(SCRATCH) == (i > 0 ? 3 : 1), __LINE__, "%s with -o", options[i]);
        process_free(&run);

        run = nnc_run(SCRATCH, options[i], "--inference", "net.nn", NULL);
        check(run.status == 0, __LINE__, "%s --inference: status %d, %s", options[i], run.status, run.err);
        process_free(&run);
    }
}

/* The header under another name, in another folder. */
static void header_name(void)
{
    fresh_folder();
    mkdir(SCRATCH "/include", 0777);
    EXPECT(0, NULL, "--header=include/digits.h", "-MD", "-o", "net.c", "net.nn");
    CU_ASSERT_TRUE(exists("include/digits.h") && !exists("net.h"));
    CU_ASSERT_TRUE(holds("net.c", "#include \"digits.h\"") && holds("include/digits.h", "net_forward"));
    CU_ASSERT_TRUE(file_is("net.nn.d", "net.c include/digits.h: net.nn\n"));
    EXPECT(2, "would be written twice", "--header=net.c", "-o", "net.c", "net.nn");
    EXPECT(2, "would overwrite the input", "--header=net.nn", "-o", "net.c", "net.nn");
    EXPECT(2, "-MP needs -MD", "-MP", "net.nn");
}

/* Each of several networks gets its own files; the errors of all are told, and the good ones are written. */
static void several_networks(void)
{
    fresh_folder();
    mkdir(SCRATCH "/sub", 0777);
    write_text("b.nn", "input 4; fc 2\n");
    write_text("sub/b.nn", "input 4; fc 2\n");
    write_text("bad.nn", "input 4; fx 2\n");
    write_text("worse.nn", "input 4; conv 2 k3\n");
    EXPECT(0, NULL, "net.nn", "b.nn", "-MD", "--batch=3");
    CU_ASSERT_TRUE(holds("net.h", "NET_BATCH   3") && holds("b.c", "b_forward") && file_is("b.nn.d", "b.c b.h: b.nn\n"));
    CU_ASSERT_EQUAL(shell("rm b.* net.[ch]; $NNC --check bad.nn sub/b.nn worse.nn 2>err; test $? = 1"), 0);
    CU_ASSERT_TRUE(holds("err", "bad.nn:1:10: error: ") && holds("err", "worse.nn:1:10: error: "));
    EXPECT(2, "net.c would be written twice: for net.nn and for sub/../net.nn", "net.nn", "sub/../net.nn");
    EXPECT(2, "cannot read gone.nn: No such file", "gone.nn", "sub/b.nn");
    CU_ASSERT_TRUE(exists("b.c") && !exists("gone.c"));
    EXPECT(1, "bad.nn:1:10: error: ", "bad.nn", "net.nn");
    CU_ASSERT_TRUE(exists("net.c") && !exists("bad.c"));
    static const char *const of_one[][2] = {{"-o", "x.c"}, {"--header", "x.h"}, {"--prefix", "x"}, {"-MF", "x.d"}};
    for (int i = 0; i < 4; i++) {
        char message[100];
        sprintf(message, "%s is for one network, and 2 are given", of_one[i][0]);
        EXPECT(2, message, "net.nn", "sub/b.nn", "-MD", of_one[i][0], of_one[i][1]);
    }
    EXPECT(2, "sub/../b.nn: No such file", "sub/../b.nn", "net.nn");   /* b.nn is gone, sub/b.nn is not */
    CU_ASSERT_EQUAL(shell("$NNC --summary net.nn sub/b.nn | grep -c '^net.nn:$\\|^sub/b.nn:$' >lines"), 0);
    CU_ASSERT_TRUE(file_is("lines", "2\n"));
    CU_ASSERT_EQUAL(shell("$NNC --check --diagnostics-format=json bad.nn gone.nn worse.nn 2>err; test $? = 2 && "
                          "grep -c '^\\[$\\|^{' err >lines"), 0);  /* one array of three messages */
    CU_ASSERT_TRUE(file_is("lines", "4\n"));
}

/* The C on standard output: what the two files would hold, or with --header what one of them would. */
static void output_to_stdout(void)
{
    fresh_folder();
    CU_ASSERT_EQUAL(shell("$NNC -o - net.nn >all && $NNC --header=net.h -o - net.nn >only && $NNC net.nn -o new.c --prefix=net && "
                          "test ! -f net.c && sed 's/new.h/net.h/' new.c | cmp - only && cmp new.h net.h"), 0);
    CU_ASSERT_TRUE(holds("all", "#define NET_INPUT ") && !holds("all", "#include \"net.h\"") && holds("only", "#include \"net.h\""));
    CU_ASSERT_EQUAL(shell("$NNC - -o - <net.nn | sed 's/<stdin>/net.nn/' | cmp - all"), 0);
    CU_ASSERT_EQUAL(shell("$NNC -o - net.nn >/dev/full"), 2);
    EXPECT(2, "standard output is for the C", "-o", "-", "--summary", "net.nn");
    EXPECT(2, "needs -MF FILE and -MT TARGET", "-o", "-", "-MD", "net.nn");
    CU_ASSERT_EQUAL(shell("$NNC -o - -MD -MF d -MT net.o net.nn | cmp - all"), 0);
    CU_ASSERT_TRUE(file_is("d", "net.o: net.nn\n"));
    write_text("bad.nn", "conf 3\n");
    EXPECT(1, "bad.nn:1:1: error:", "-o", "-", "bad.nn");
    EXPECT(2, "--header with --static", "--static", "--header=x.h", "net.nn");
    EXPECT(2, "must end in .c or .h", "--static", "-o", "x.cc", "net.nn");
}

/* nnc speaks of itself: every kind has its page, with an example that compiles; every ready network compiles. */
static void about(void)
{
    fresh_folder();
    for (int i = 0; i < nkinds; i++) {
        if (!kinds[i]->syntax || kinds[i]->role == ROLE_LOSS || kinds[i]->role == ROLE_LOSS_STATEMENT)
            continue;
        process run = nnc_run(SCRATCH, "--layers", kinds[i]->name, NULL);
        check(run.status == 0 && strstr(run.out, kinds[i]->syntax), __LINE__, "--layers %s: %s%s", kinds[i]->name, run.out, run.err);
        char *example = strstr(run.out, "example:\n    ");
        check(!kinds[i]->examples == !example, __LINE__, "--layers %s: %s", kinds[i]->name, run.out);
        if (example) {
            write_text("example.nn", example + strlen("example:\n    "));
            EXPECT(0, NULL, "--check", "-Wno-all", "example.nn");
        }
        process_free(&run);
    }
    process run = nnc_run(SCRATCH, "--layers", NULL);
    for (int i = 0; i < nkinds; i++)
        check(!kinds[i]->syntax || strstr(run.out, kinds[i]->syntax), __LINE__, "--layers lacks %s", kinds[i]->name);
    process_free(&run);
    glob_t found = {0};
    glob("examples/*.nn", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char name[100], *text = file_read(found.gl_pathv[i], NULL);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(found.gl_pathv[i] + 9, "."), found.gl_pathv[i] + 9);
        run = nnc_run(SCRATCH, "--example", name, NULL);
        check(run.status == 0 && !strcmp(run.out, text), __LINE__, "--example %s: %s", name, run.err);
        process_free(&run);
        free(text);
    }
    globfree(&found);
}

static bool there_is_graphviz(void)
{
    return command_succeeds("dot -V");
}

static const test_need graphviz = {there_is_graphviz, "dot", "graphviz"};

static void pictures(void)
{
    fresh_folder();
    process run = nnc_run(SCRATCH, "--graph=svg", "net.nn", NULL);
    check(run.status == 0 && strstr(run.out, "</svg>") && strstr(run.out, "conv 2 k3"), __LINE__, "%s", run.err);
    process_free(&run);
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 1);
}

/* Yes and 0, or no and 1 with the layer in the way; what must be taken is what --summary says. */
static void fits(void)
{
    static const struct {
        const char *option, *other;
        int status;
        const char *says;
    } cases[] = {
        {"--fits=1M,1M", "--check", 0, ""},                 /* nothing is planned */
        {"--fits=1M,1M", "--inference", 0, "yes: inference needs "},
        {"--fits", "1048576,1024k", 0, "yes: training needs "},
        {"--fits=100,1M", "--inference", 1, "RAM: conv1 is in the way, from 1x6x6 to 2x4x4"},
        {"--fits=1M,100", "--inference", 1, "flash: "},
        {"--fits=1M,100", "--batch=2", 1, "flash: the code is in the way"},
        {"--fits=1k,1M", "--batch=2", 1, "RAM: "},
        {"--fits=1k", "--batch=2", 2, ""},
        {"--fits=0,1", "--batch=2", 2, ""},
        {"--fits=1G,1", "--batch=2", 2, ""},
    };
    fresh_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process run = nnc_run(SCRATCH, cases[i].option, cases[i].other, "net.nn", NULL);
        check(run.status == cases[i].status && strstr(run.out, cases[i].says), __LINE__, "%s %s: exit status %d, %s%s",
              cases[i].option, cases[i].other, run.status, run.out, run.err);
        check(folder_count(SCRATCH) == 1, __LINE__, "%s writes files", cases[i].option);
        process_free(&run);
    }
    CU_ASSERT_EQUAL(shell("$NNC --fits=1M,1M -o n.c net.nn && test -f n.c"), 0);
    CU_ASSERT_EQUAL(shell("$NNC --fits=1M,1 -o m.c net.nn || test ! -f m.c"), 0);
}

static void failing_streams(void)
{
    static const char *const options[] = {"--help", "--version", "--summary net.nn", "--dump=ast net.nn",
                                          "--dump=plan -o net.c net.nn"};
    char line[300];
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        fresh_folder();
        snprintf(line, sizeof line, "$NNC %s > /dev/full", options[i]);
        check(shell(line) == 2, __LINE__, "%s", line);
        snprintf(line, sizeof line, "$NNC %s >&-", options[i]);
        check(shell(line) == 2, __LINE__, "%s", line);
        snprintf(line, sizeof line, "{ sleep 0.1; $NNC %s; echo $? > ../status; } | true", options[i]);
        check(shell(line) == 0, __LINE__, "%s", line);
        char *status = file_read(SCRATCH "/../status", NULL);
        check(status && strcmp(status, "2\n") == 0, __LINE__, "%s: status %s", line, status ? status : "?");
        free(status);
        check(folder_count(SCRATCH) == 1, __LINE__, "%s writes files although it fails", line);
    }
    /* Nobody reads the messages: still no signal, and what is written is whole. */
    CU_ASSERT_EQUAL(shell("$NNC net.nn 2>&-"), 0);
    CU_ASSERT_EQUAL(shell("$NNC nothing.nn 2>&-"), 2);
    CU_ASSERT_EQUAL(shell("echo conv > bad.nn; $NNC bad.nn 2>/dev/full"), 1);
    CU_ASSERT_EQUAL(shell("$NNC net.nn -o closed.c <&- >&- 2>&-"), 0);
    CU_ASSERT_TRUE(holds("closed.c", "closed_forward"));
}

static void colors(void)
{
    fresh_folder();
    write_text("bad.nn", "conf 3\n");
    process run = nnc_run(SCRATCH, "bad.nn", "--color=always", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(run.err, "\033[1;31merror: "));
    process_free(&run);
    run = nnc_run(SCRATCH, "bad.nn", NULL);                  /* not a terminal */
    CU_ASSERT_PTR_NULL(strchr(run.err, '\033'));
    process_free(&run);
    run = nnc_run(SCRATCH, "bad.nn", "--color=never", NULL);
    CU_ASSERT_PTR_NULL(strchr(run.err, '\033'));
    process_free(&run);
}

/* Whatever a message quotes, the terminal gets characters that show, whole ones. */
static void hidden_characters(void)
{
    static char text[8000];
    fresh_folder();
    write_text("a\xe2\x80\xae" "b\xc2\x9b\xff\n.nn", "fc\n");
    EXPECT(1, "a<U+202E>b<U+009B><FF><0A>.nn:1:1: error:", "--check", "a\xe2\x80\xae" "b\xc2\x9b\xff\n.nn");
    write_text("net.nn", "input 4; fc \xd8\x9c\xe3\x85\xa4\xc2\x9b\n");
    EXPECT(1, "fc <U+061C><U+3164><U+009B>\n", "--check", "net.nn");
    write_text("net.nn", NET);
    for (int shift = 0; shift < 3; shift++) {               /* long ones are cut */
        int length = sprintf(text, "--input=%.*s", shift, "aaa");
        for (int i = 0; i < 2000; i++)
            length += sprintf(text + length, "\xe2\x82\xac");
        process run = nnc_run(SCRATCH, text, "--check", "net.nn", NULL);
        check(run.status > 0 && strstr(run.err, "\xac...") && !strchr(run.err, '<'), __LINE__, "%s", run.err);
        process_free(&run);
        text[2] = '_';                                      /* an unknown option */
        run = nnc_run(SCRATCH, text, NULL);
        check(run.status == 2 && strstr(run.err, "\xac...\n") && !strchr(run.err, '<'), __LINE__, "%s", run.err);
        process_free(&run);
    }
}

static void warnings(void)
{
    fresh_folder();
    write_text("loss.nn", "input 4; fc 3; softmax; loss bce\n");
    EXPECT(0, "[-Wloss]", "--check", "loss.nn");
    EXPECT(0, NULL, "--check", "-Wno-loss", "loss.nn");
    EXPECT(0, NULL, "--check", "-Wno-all", "loss.nn");
    EXPECT(0, "[-Wloss]", "--check", "-Wno-all", "-Wloss", "loss.nn");
    EXPECT(0, "[-Wloss]", "--check", "-Wno-loss", "-Wall", "loss.nn");
    EXPECT(1, "error: bce", "--check", "-Werror", "loss.nn");
    EXPECT(1, "[-Werror=loss]", "-Werror", "loss.nn");
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 2);
    EXPECT(0, "[-Wloss]", "--check", "-Werror", "-Wno-error", "loss.nn");
    EXPECT(0, NULL, "--check", "-Werror", "-Wno-loss", "loss.nn");
}

/* ---- Dependencies for Make --------------------------------------------------------------------------- */

static void dependencies(void)
{
    fresh_folder();
    EXPECT(0, NULL, "-MD", "net.nn", "-o", "net.c");
    CU_ASSERT_TRUE(file_is("net.nn.d", "net.c net.h: net.nn\n"));

    mkdir(SCRATCH "/sub", 0777);
    EXPECT(0, NULL, "-MD", "net.nn", "-o", "sub/a.c");
    CU_ASSERT_TRUE(file_is("sub/a.nn.d", "sub/a.c sub/a.h: net.nn\n"));

    EXPECT(0, NULL, "-MD", "-MF", "x.dep", "-MT", "all", "net.nn");
    CU_ASSERT_TRUE(file_is("x.dep", "all: net.nn\n"));
    EXPECT(0, NULL, "-MD", "-MFy.dep", "-MTone", "-MT", "two", "net.nn");
    CU_ASSERT_TRUE(file_is("y.dep", "one two: net.nn\n"));

    write_text("a b$c#d.nn", NET);
    EXPECT(0, NULL, "-MD", "a b$c#d.nn", "-o", "e.c");
    CU_ASSERT_TRUE(file_is("e.nn.d", "e.c e.h: a\\ b$$c\\#d.nn\n"));
    write_text("Makefile", "e.c:\n\t@echo stale\n-include e.nn.d\n");
    CU_ASSERT_EQUAL(shell("make -rs e.c > before; touch -d tomorrow 'a b$c#d.nn'; make -rs e.c > after"), 0);
    CU_ASSERT_TRUE(file_is("before", "") && file_is("after", "stale\n"));

    fresh_folder();                                          /* beside what the C compiler writes */
    EXPECT(0, NULL, "-MD", "net.nn");
    CU_ASSERT_EQUAL(shell("echo 'int x;' > net.c && cc -MMD -c net.c && test -f net.d"), 0);
    CU_ASSERT_TRUE(file_is("net.nn.d", "net.c net.h: net.nn\n"));

    const char *write[] = {nnc_path(), "-", "-MD", "-o", "f.c", NULL};
    expect(__LINE__, 0, NULL, process_run(SCRATCH, write, NET, strlen(NET), NULL));
    CU_ASSERT_TRUE(file_is("f.nn.d", "f.c f.h:\n"));

    fresh_folder();
    EXPECT(0, NULL, "--check", "-MD", "net.nn");
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 1);
    EXPECT(2, "cannot write missing/x.d", "-MD", "-MF", "missing/x.d", "net.nn");
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 1);               /* not even the others */
}

/* ---- Whole or not at all ----------------------------------------------------------------------------- */

static void old_outputs(void)
{
    fresh_folder();
    write_text("net.c", "old c");
    write_text("net.h", "old h");
}

/* The files of the run before are as they were, and nothing else lies in the folder. */
static bool untouched(int entries)
{
    return file_is("net.c", "old c") && file_is("net.h", "old h") && folder_count(SCRATCH) == entries;
}

static void failing_runs_keep(void)
{
    old_outputs();
    write_text("bad.nn", "input 3x8x8; conf 3\n");
    EXPECT(1, "did you mean conv?", "bad.nn", "-o", "net.c");
    CU_ASSERT_TRUE(untouched(4));

    old_outputs();                                           /* the disk is full after 512 or 1024 bytes */
    CU_ASSERT_EQUAL(shell("ulimit -f 1; $NNC net.nn"), 2);
    CU_ASSERT_TRUE(untouched(3));

    old_outputs();                                           /* one of two can't be written */
    remove(in_scratch("net.h"));
    mkdir(in_scratch("net.h"), 0777);
    EXPECT(2, "cannot write net.h: it is a folder", "net.nn");
    CU_ASSERT_TRUE(file_is("net.c", "old c") && folder_count(SCRATCH) == 3);

    old_outputs();
    remove(in_scratch("net.c"));
    mkdir(in_scratch("net.c"), 0777);
    EXPECT(2, "cannot write net.c: it is a folder", "net.nn");
    CU_ASSERT_TRUE(file_is("net.h", "old h") && folder_count(SCRATCH) == 3);

    old_outputs();
    mkfifo(in_scratch("pipe.c"), 0666);
    EXPECT(2, "not a regular file", "net.nn", "-o", "pipe.c");
    CU_ASSERT_TRUE(untouched(4));

    old_outputs();
    EXPECT(2, "cannot write net.c/x.h: Not a directory", "net.nn", "-o", "net.c/x.c");
    EXPECT(2, "cannot write missing/x.h: No such file", "net.nn", "-o", "missing/x.c");
    CU_ASSERT_TRUE(untouched(3));

    write_text("x.c", NET);
    EXPECT(2, "x.c would overwrite the input", "x.c", "-o", "x.c");
    EXPECT(2, "would overwrite the input", "x.c", "-o", "./x.c");
    write_text("y.h", NET);
    EXPECT(2, "y.h would overwrite the input", "y.h");
    EXPECT(2, "would be written twice", "net.nn", "-MD", "-MF", "./net.c");
    CU_ASSERT_TRUE(file_is("x.c", NET) && file_is("y.h", NET) && untouched(5));
    const char *write[] = {nnc_path(), "-", "-o", "x.c", NULL};
    CU_ASSERT_EQUAL(shell("$NNC - -o x.c < x.c"), 2);
    expect(__LINE__, 0, NULL, process_run(SCRATCH, write, NET, strlen(NET), NULL));
}

static void no_permission(void)
{
    old_outputs();
    chmod(in_scratch("net.nn"), 0644);
    chmod(in_scratch("net.c"), 0666);
    chmod(SCRATCH, 0555);
    CU_ASSERT_TRUE(be_plain_user());
    EXPECT(0, NULL, "--check", "net.nn");
    EXPECT(2, "Permission denied", "net.nn");
    be_myself();
    chmod(SCRATCH, 0777);
    CU_ASSERT_TRUE(untouched(3));

    chmod(in_scratch("net.c"), 0444);
    be_plain_user();
    EXPECT(2, "Permission denied", "net.nn");
    be_myself();
    CU_ASSERT_TRUE(untouched(3));

    chmod(in_scratch("net.nn"), 0);
    be_plain_user();
    EXPECT(2, "cannot read net.nn: Permission denied", "net.nn");
    be_myself();
}

/* Two names of one file: by way of a folder's link or of a file's, whether the file is there yet or not. */
static void names_of_one_file(void)
{
    old_outputs();
    CU_ASSERT_EQUAL(shell("mkdir sub && ln -s sub sub2 && ln -s sub/later.c link.d && ln net.nn hard.h"), 0);
    EXPECT(2, "sub2/x.c would be written twice", "net.nn", "-o", "sub/x.c", "-MD", "-MF", "sub2/x.c");
    EXPECT(2, "sub/../sub2/x.h would be written twice", "net.nn", "-o", "sub/x.c", "-MD", "-MF", "sub/../sub2/x.h");
    EXPECT(2, "link.d would be written twice", "net.nn", "-o", "sub/later.c", "-MD", "-MF", "link.d");
    EXPECT(2, "hard.h would overwrite the input", "net.nn", "-o", "hard.c");
    EXPECT(2, "sub2/../net.nn would overwrite the input", "net.nn", "-o", "x.c", "-MD", "-MF", "sub2/../net.nn");
    CU_ASSERT_TRUE(untouched(7) && folder_count(SCRATCH "/sub") == 0);
    EXPECT(0, NULL, "net.nn", "-o", "x.c", "-MD", "-MF", "sub/x.c");
    EXPECT(0, NULL, "net.nn", "-o", "sub/y.c", "-MD", "-MF", "link.d");   /* a link that led nowhere */
    CU_ASSERT_TRUE(file_is("sub/later.c", "sub/y.c sub/y.h: net.nn\n"));
    struct stat status;
    CU_ASSERT_TRUE(lstat(in_scratch("link.d"), &status) == 0 && S_ISLNK(status.st_mode));
}

static int mode_of(const char *file)
{
    struct stat status;
    return stat(in_scratch(file), &status) == 0 ? (int)(status.st_mode & 0777) : -1;
}

static void good_runs_replace(void)
{
    old_outputs();
    chmod(in_scratch("net.h"), 0600);
    mode_t mask = umask(027);
    EXPECT(0, NULL, "net.nn");
    EXPECT(0, NULL, "net.nn", "-o", "new.c");
    umask(mask);
    CU_ASSERT_TRUE(holds("net.c", "net_forward") && holds("net.h", "net_forward"));
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 5);
    CU_ASSERT_EQUAL(mode_of("net.h"), 0600);                 /* as it was */
    CU_ASSERT_EQUAL(mode_of("new.c"), 0640);                 /* as the umask says */

    fresh_folder();                                          /* through a link, which stays one */
    mkdir(in_scratch("real"), 0777);
    write_text("real/net.c", "old c");
    CU_ASSERT_EQUAL(symlink("real/net.c", in_scratch("net.c")), 0);
    EXPECT(0, NULL, "net.nn");
    CU_ASSERT_TRUE(holds("real/net.c", "net_forward") && exists("net.h") && !exists("real/net.h"));
    struct stat status;
    CU_ASSERT_TRUE(lstat(in_scratch("net.c"), &status) == 0 && S_ISLNK(status.st_mode));
}

/* ---- Without memory ----------------------------------------------------------------------------------- */

/* Runs nnc with its allocation number `fails` failing, and looks at what it leaves: what the run without
 * failures left in good/ and printed, or nothing and a message. */
static bool survives_without(unsigned long fails, const char *option, const char *printed)
{
    process run = run_preloaded(option, "FAIL_ALLOCATION", fails);
    bool good;
    if (run.status == 0)
        good = strcmp(run.out, printed) == 0 && run.err_length == 0 &&
               shell("for f in good/*; do cmp $f ${f#good/} || exit 1; done") == 0;
    else
        good = run.status == 2 && (strstr(run.err, "out of memory") || strstr(run.err, "Cannot allocate")) &&
               folder_count(SCRATCH) == 2;
    check(good, __LINE__, "%s, allocation %lu: status %d, %s", option, fails, run.status, run.err);
    process_free(&run);
    remove(in_scratch("net.c"));
    remove(in_scratch("net.h"));
    remove(in_scratch("net.nn.d"));
    return good;
}

/* Each allocation in turn fails (every step-th, from a random one on): glibc's memory streams left out
 * what they had no memory for and told nobody, so that nnc ended well and net.c called
 * conv1_forward((null), ...). */
static void fail_allocations(const char *text, const char *option, unsigned long step)
{
    fresh_folder();
    write_text("net.nn", text);
    setenv("COUNT_ALLOCATIONS", "count", 1);
    process run = run_preloaded(option, "FAIL_ALLOCATION", 0);
    unsetenv("COUNT_ALLOCATIONS");
    char *count = file_read(SCRATCH "/count", NULL);
    CU_ASSERT_EQUAL(shell("rm count && mkdir good && mv net.c net.h net.nn.d good"), 0);
    unsigned long all = count ? strtoul(count, NULL, 10) : 0;
    check(run.status == 0 && all > 30 && all > step, __LINE__, "status %d, %lu allocations", run.status, all);
    int bad = 0;
    for (unsigned long fails = 1 + test_seed() % step; fails <= all && bad < 5; fails += step)
        bad += !survives_without(fails, option, run.out);
    free(count);
    process_free(&run);
}

static void without_memory(void)
{
    if (!preload("allocation"))
        return;
    fail_allocations("input 3; fc 2\n", "--summary", 1);
    fail_allocations("input 3; fc 2\n", "--dump=plan", 7);
    fail_allocations(NET, "--unroll=auto", 29);
    fail_allocations("input 3x16x16; x: conv 8 k3 p1; batchnorm; relu; conv 8 k3 p1; add x; fc 5\n", "--unroll=tile",
                     419);
}

/* SIGTERM in each of the calls that make files: afterwards both files are old or both are new, and nothing
 * else lies there. Between the renames it left a new net.h beside an old net.c, right after mkstemp the
 * temporary. */
static void interruptions(void)
{
    if (!preload("interruption"))
        return;
    int old = 0, new = 0;
    for (int call = 1; call < 20; call++) {
        old_outputs();
        process run = run_preloaded("--unroll=none", "INTERRUPT", (unsigned long)call);
        bool came = exists("interrupted");
        bool renewed = holds("net.c", "net_forward") && holds("net.h", "net_forward") && exists("net.nn.d");
        check(run.status == (came ? -SIGTERM : 0), __LINE__, "call %d: status %d", call, run.status);
        check(renewed ? folder_count(SCRATCH) == 4 + came : untouched(3 + came), __LINE__,
              "call %d leaves a mixture", call);
        old += !renewed;
        new += came && renewed;
        process_free(&run);
        if (!came)
            break;
    }
    check(old >= 3 && new >= 6, __LINE__, "%d and %d calls were interrupted", old, new);
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

static void unreadable_inputs(void)
{
    fresh_folder();
    EXPECT(2, "cannot read nothing.nn: No such file", "nothing.nn");
    EXPECT(2, "cannot read .: it is a folder", ".", "-o", "x.c");
    EXPECT(2, "cannot read", "", "-o", "x.c");
    fresh_folder();
    write_text("large.nn", "# ");
    CU_ASSERT_EQUAL(truncate(in_scratch("large.nn"), (4 << 20) + 1), 0);
    EXPECT(2, "larger than 4 MB", "large.nn");
    CU_ASSERT_EQUAL(truncate(in_scratch("large.nn"), 4 << 20), 0);
    EXPECT(1, "NUL byte", "--check", "large.nn");

    char text[60000];
    size_t length = (size_t)sprintf(text, "input 4; ");
    for (int i = 0; i < 4000; i++)
        length += (size_t)sprintf(text + length, "repeat 1 { ");
    write_text("deep.nn", text);
    EXPECT(1, "deep.nn:1:1119: error: braces are nested more than 100 deep", "--check", "deep.nn");
    CU_ASSERT_EQUAL(folder_count(SCRATCH), 3);
}

/* The same network, however its lines end. */
static void text_files(void)
{
    static const char *const texts[] = {
        "input 1x6x6\nconv 2 k3\nrelu\n", "\xef\xbb\xbfinput 1x6x6\r\nconv 2 k3\r\nrelu",
        "# x\n\n ;input\t1x6x6;;conv   2 k3 # two\n;\r\n\trelu # end", "input 1x6x6;conv k=3 1->2;relu;"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fresh_folder();
        write_text("net.nn", texts[i]);
        process run = nnc_run(SCRATCH, "--dump=prog", "net.nn", NULL);
        check(run.status == 0 && strstr(run.out, "conv1.out") && strstr(run.out, "relu1"), __LINE__, "text %zu: %s", i,
              run.err);
        process_free(&run);
    }
}

/* ---- The same bytes ---------------------------------------------------------------------------------- */

static void compare_bytes(const char *what, const char *a, const char *b)
{
    size_t la = 0, lb = 0;
    char *ta = file_read(a, &la), *tb = file_read(b, &lb);
    check(ta && tb && la == lb && memcmp(ta, tb, la) == 0, __LINE__, "%s: %s and %s differ", what, a, b);
    free(ta);
    free(tb);
}

static void same_bytes(void)
{
    static const char *const modes[] = {"--unroll=auto", "--unroll=full", "--unroll=tile", "--unroll=none"};
    for (int i = 0; i < 4; i++) {
        fresh_folder();
        mkdir(in_scratch("there"), 0777);
        mkdir(in_scratch("again"), 0777);
        EXPECT(0, NULL, modes[i], "net.nn");
        EXPECT(0, NULL, modes[i], "net.nn", "-o", "again/net.c");

        char path[PATH_MAX], *folder = realpath(SCRATCH, NULL);
        snprintf(path, sizeof path, "%s/net.nn", folder);
        free(folder);
        setenv("LC_ALL", "de_DE.UTF-8", 1);                  /* another place, another time, another language */
        setenv("TZ", "Asia/Tokyo", 1);
        expect(__LINE__, 0, NULL, nnc_run(SCRATCH "/there", modes[i], path, NULL));
        unsetenv("LC_ALL");
        unsetenv("TZ");
        compare_bytes(modes[i], SCRATCH "/net.c", SCRATCH "/again/net.c");
        compare_bytes(modes[i], SCRATCH "/net.h", SCRATCH "/again/net.h");
        compare_bytes(modes[i], SCRATCH "/net.c", SCRATCH "/there/net.c");
        compare_bytes(modes[i], SCRATCH "/net.h", SCRATCH "/there/net.h");
    }
}

/* ---- Hostile texts ----------------------------------------------------------------------------------- */

enum { FUZZ_RUNS = 600, MAX_TEXT = 1 << 20 };

static uint64_t random_state;

static uint64_t random_bits(void)                            /* splitmix64 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(random_bits() % n);
}

/* The builds that notice what goes wrong silently in turn, or only gcc's, which is five times as quick, or the one that
 * NNC_FUZZ names; NULL: it is missing. */
static bool only_quick;

static const char *fuzz_target(void)
{
    static const char *const builds[] = {"build/sanitize/nnc", "build/sanitize-clang/nnc"};
    static char path[PATH_MAX];
    static int turn;
    const char *given = getenv("NNC_FUZZ");
    return given ? given : realpath(builds[only_quick ? 0 : turn++ % 2], path) ? path : NULL;
}

static bool has_fuzz_targets(void)
{
    return fuzz_target() && fuzz_target();
}

/* Runs nnc on a text: the exit status must be 0, 1 or 2, errors must be told, and no sanitizer may speak. */
static int ended[3];                                         /* runs by exit status */

static bool survives(const char *text, size_t length, const char *option)
{
    const char *argv[] = {fuzz_target(), "-", option, "-o", "fuzz.c", NULL};
    process run = process_run(SCRATCH, argv, text, length, NULL);
    bool good = run.status >= 0 && run.status <= 2 && !strstr(run.err, "runtime error") &&
                !strstr(run.err, "Sanitizer") && (run.status == 0 || strstr(run.err, "error: ")) &&
                (run.status != 0 || !strstr(run.err, "error: "));
    if (good)
        ended[run.status]++;
    if (!good) {
        static int failures;
        char path[100];
        snprintf(path, sizeof path, "build/tests/tmp/fuzz-%d.nn", failures++);
        file_write(path, text, length);
        check(false, __LINE__, "status %d with %s; the text is in %s; %.600s", run.status, option, path, run.err);
    }
    process_free(&run);
    return good;
}

static const char *const good_texts[] = {
    NET,
    "input 3x32x32; conv 3->16 k3 s2 p1; relu; maxpool 2; fc 10; softmax\n",
    "input 3x9x7\nbatch 4\na: conv 6 k3x2 s2x1 p1x0 d1x2 g3 bias=false pad=zeros # first\n"
    "conv 4 k3 p2 pad=reflect; leakyrelu 0.2\nb: avgpool k2 s1 p1 countpad=false\nglobalavgpool\nfc 5\nloss mse\n",
    "input 1x5x5\r\nnormalize mean=0.5 std=0.25\r\nconv 2 k3 p1 pad=circular\r\ntanh; dropout 0.3\r\nflatten; fc 4 "
    "bias=false\r\nsigmoid\r\nloss bce\r\n",
    "input 12; fc 12->7; leakyrelu -0.5; fc 3; loss crossentropy",
    "input 2x4x4; normalize mean=0.1,-2e-1 std=1,.5; maxpool k3x2 s1 p1 d1; softmax; loss crossentropy",
};

static const char *const good_options[] = {
    "--check",       "--summary",     "--dump=ast",    "--dump=net",    "--dump=prog",     "--dump=grad", "--dump=plan",
    "--unroll=auto", "--unroll=tile", "--unroll=none", "--unroll=full", "--target=scalar", "--inference", "--math=winograd",
    "--lanes=samples"};

/* One random change of a text. */
static size_t mutate(char *text, size_t length)
{
    static const char *const pieces[] = {
        "->",     "=",    ",",      ":",      ";",          "\n",          "#",        "conv ",   "k3x5",
        "99999999999",
        "-1",     "0",    "1e30",   "x",      "3x",         "input 4;",    "loss ",    "softmax", "pad=",  "\r\n",
        "relu",   "{",    "$a",     "\xff",   "\xe2\x82",   "d65536",      "p100",     "g7",      "batch", "2147483647",
        "\t",     "1e-9", "\xf0\x9f\x98\x80", "0.5000000000000000000000000000000000001", "s9999", "fc 1", "std=0",
        "nan",
        "k-3",    "4294967296x4294967296x2",  "18446744073709551616", "maxpool 3 p1;", "flatten;", "batch 1;", "1x1x1"};
    size_t at = below(length + 1), n = 1 + below(8);
    if (n > length - at)
        n = length - at;
    switch (below(7)) {
    case 0:                                                  /* a byte flips */
        if (at < length)
            text[at] ^= (char)(1 << below(8));
        return length;
    case 1:                                                  /* bytes go */
        memmove(text + at, text + at + n, length - at - n);
        return length - n;
    case 2: {                                                /* bytes double */
        if (length + n > MAX_TEXT)
            return length;
        memmove(text + at + n, text + at, length - at);
        return length + n;
    }
    case 3: {                                                /* two stretches change places */
        size_t other = below(length + 1);
        for (size_t i = 0; i < n && other + i < length && at + i < length; i++) {
            char c = text[at + i];
            text[at + i] = text[other + i];
            text[other + i] = c;
        }
        return length;
    }
    case 4:                                                  /* a digit changes */
        for (size_t i = at; i < length; i++)
            if (text[i] >= '0' && text[i] <= '9') {
                text[i] = (char)('0' + below(10));
                break;
            }
        return length;
    default: {                                               /* something comes in */
        const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
        n = strlen(piece);
        if (length + n > MAX_TEXT)
            return length;
        memmove(text + at + n, text + at, length - at);
        memcpy(text + at, piece, n);
        return length + n;
    }
    }
}

static void fuzz(void)
{
    setenv("ASAN_OPTIONS", "exitcode=99:allocator_may_return_null=1", 1);
    setenv("UBSAN_OPTIONS", "exitcode=99", 1);
    random_state = test_seed();
    fresh_folder();
    char *text = malloc(MAX_TEXT + 1);
    int bad = 0;
    for (int run = 0; run < FUZZ_RUNS && bad < 5; run++) {
        const char *from = good_texts[below(sizeof good_texts / sizeof *good_texts)];
        size_t length = strlen(from);
        memcpy(text, from, length);
        for (size_t changes = below(6); changes > 0; changes--)
            length = mutate(text, length);
        bad += !survives(text, length, good_options[below(sizeof good_options / sizeof *good_options)]);
    }
    free(text);
    CU_ASSERT_EQUAL(bad, 0);
    CU_ASSERT_TRUE(ended[0] > FUZZ_RUNS / 20 && ended[1] > FUZZ_RUNS / 20); /* both ways were tried */
}

/* nnc read behind its list of tensors where batchnorm is folded into what is before it: only large, right networks get
 * so far. */
static void example_networks(void)
{
    static const char *const options[] = {"--inference", "--target=avx512", "--lanes=samples"};
    fresh_folder();
    glob_t found;
    CU_ASSERT_EQUAL_FATAL(glob("examples/*.nn", 0, NULL, &found), 0);
    only_quick = true;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t length;
        char *text = file_read(found.gl_pathv[i], &length);
        for (size_t k = 0; k < sizeof options / sizeof *options; k++)
            CU_ASSERT(survives(text, length, options[k]));
        free(text);
    }
    globfree(&found);
    only_quick = false;
}

/* head, then the piece so many times, then tail. */
static void survives_repeated(const char *head, const char *piece, size_t times, const char *tail, const char *option)
{
    size_t lh = strlen(head), lp = strlen(piece), lt = strlen(tail), length = lh + lp * times + lt;
    char *text = malloc(length + 1);
    memcpy(text, head, lh);
    for (size_t i = 0; i < times; i++)
        memcpy(text + lh + i * lp, piece, lp);
    memcpy(text + lh + lp * times, tail, lt + 1);
    survives(text, length, option);
    free(text);
}

static void long_texts(void)
{
    fresh_folder();
    survives_repeated("input 4; ", "relu ;", 2000, "fc 1", "--summary");
    survives_repeated("input 1", "0", 100000, "", "--check");
    survives_repeated("input 4; leakyrelu 0.", "3", 100000, "", "--check");
    survives_repeated("input 4; leakyrelu 1e", "9", 100000, "", "--check");
    survives_repeated("input 4\nfc 1", "0", 100000, "->5", "--check");
    survives_repeated("input 4; ", "x", 100000, "", "--check");
    survives_repeated("input 4; ", "x", 100000, ": fc 3", "--check");
    survives_repeated("", "a:", 50000, "", "--check");
    survives_repeated("conv ", "3->", 30000, "4", "--check");
    survives_repeated("input 4; fc ", "3 ", 50000, "", "--check");
    survives_repeated("input 4; normalize mean=1", ",2", 50000, " std=1", "--check");
    survives_repeated("input 50000; normalize mean=1", ",2", 49999, " std=1", "--check");
    survives_repeated("input 4; fc ", "k=", 50000, "1", "--check");
    survives_repeated("input 1x4", "x1", 50000, "; relu", "--check");
    survives_repeated("input ", "\t", 100000, "4; relu", "--check");
    survives_repeated("#", "#", 100000, "\ninput 4; relu", "--check");
    survives_repeated("", ";\n", 100000, "input 4; relu", "--check");
    survives_repeated("", "\xe2\x86\x92", 30000, "", "--check");
    survives_repeated("", "-> ;", 30000, "", "--check");
    survives_repeated("input 4; ", "(", 100000, "", "--check");
    survives_repeated("input 1x8x8; ", "conv 2 k3 p1;", 300, "fc 2", "--unroll=none");
}

/* A run may take so much memory and processor time, several times what it needs: 0 written, or 1 an error at its place. */
static void ends_soon(const char *what, const char *text)
{
    bool sanitized = strstr(nnc_path(), "sanitize"); /* which takes terabytes of addresses */
    const char *limited = sanitized ? "ulimit -t 40 && exec \"$0\" large.nn" : "ulimit -v 2000000 && ulimit -t 20 && exec \"$0\" large.nn";
    const char *const argv[] = {"sh", "-c", limited, nnc_path(), NULL};
    fresh_folder();
    write_text("large.nn", text);
    process p = process_run(SCRATCH, argv, NULL, 0, NULL);
    bool good = p.status == 0 || (p.status == 1 && strstr(p.err, "large.nn:"));
    if (!good)
        fprintf(stderr, "%s: status %d, %.300s\n", what, p.status, p.err);
    CU_ASSERT_TRUE(good);
    process_free(&p);
}

/* Texts that took minutes or gigabytes: each is compiled in little of both, or refused. */
static void large_texts(void)
{
    char *text = NULL;
    size_t size;
    FILE *f;
#define TEXT(what, print) (f = open_memstream(&text, &size), print, fclose(f), ends_soon(what, text), free(text))
#define TIMES(n, print) for (int i = 0; i < (n); i++) print
    TEXT("layers", ({fprintf(f, "input 4; batch 2\n"); TIMES(500, fprintf(f, "fc 4; relu\n"));}));
    TEXT("more layers than there may be", ({fprintf(f, "input 4\n"); TIMES(20000, fprintf(f, "fc 4; relu\n"));}));
    TEXT("a chain of blocks", ({fprintf(f, "input 4\nblock b0() { fc 2 }\n");
         TIMES(20000, fprintf(f, "block b%d() { b%d() }\n", i + 1, i)); fprintf(f, "b20000()\n");}));
    TEXT("blocks", ({fprintf(f, "input 4\n"); TIMES(90000, fprintf(f, "block b%d() { relu }\n", i)); fprintf(f, "b7(); fc 2\n");}));
    TEXT("a label", ({fprintf(f, "input 4\n"); TIMES(1000000, fputc('x', f)); fprintf(f, ": fc 2\n");}));
    TEXT("labels of add", ({fprintf(f, "input 4\nx: fc 4; add"); TIMES(1000000, fprintf(f, " x")); fprintf(f, "\n");}));
    TEXT("arguments put in", ({fprintf(f, "input 4\nblock b(a) { add"); TIMES(500000, fprintf(f, " $a")); fprintf(f, " }\nb(x)\n");}));
    TEXT("regions", fprintf(f, "input 1x40000x40000; conv 1 k20000 p9999\n"));
    TEXT("residues", fprintf(f, "input 4x400x400; conv 4 k1; conv 4 k200 s200\n"));
#undef TEXT
#undef TIMES
}

/* 900 rounds of convolution, batchnorm and relu end in the time in which any text has to. Folding alone took 20 s, since it
 * went through the whole network for each layer. And 950 equal convolutions take no more memory than what is made of them:
 * they took 1.1 GB, since each was tried with Winograd's filters in each pass, and no trial was forgotten. */
static void deep_networks(void)
{
    static const char *const options[] = {"--inference", "--batch=32"};
    for (int i = 0; i < 2; i++) {
        const char *limited = "ulimit -t 10 && exec \"$0\" --unroll=none \"$1\" deep.nn";
        const char *const argv[] = {"sh", "-c", limited, nnc_path(), options[i], NULL};
        fresh_folder();
        write_text("deep.nn", "input 3x8x8; conv 16 k3 p1; repeat 900 { conv 16 k3 p1; batchnorm; relu }; fc 2\n");
        process p = process_run(SCRATCH, argv, NULL, 0, NULL);
        check(p.status == 0, __LINE__, "%s: status %d, %.300s", options[i], p.status, p.err);
        process_free(&p);
    }
    if (strstr(nnc_path(), "sanitize"))
        return;
    const char *const argv[] = {"sh", "-c", "ulimit -v 250000 && ulimit -t 10 && exec \"$0\" -Wno-linear deep.nn", nnc_path(), NULL};
    write_text("deep.nn", "input 3x8x8; repeat 950 { conv 2 k3 p1 }; fc 2\n");
    process p = process_run(SCRATCH, argv, NULL, 0, NULL);
    check(p.status == 0, __LINE__, "950 convolutions: status %d, %.300s", p.status, p.err);
    process_free(&p);
}

static int draw(int least, int most)
{
    return least + rand() % (most - least + 1);
}

/* A convolution with much of what makes regions and statements: dilation, stride, padding. */
static void print_layer(FILE *f)
{
    int kernel = draw(1, 7), stride = draw(1, 4), padding = draw(0, 8);
    if (draw(0, 3))
        fprintf(f, "conv %d k%d s%d p%d d%d\n", draw(1, 16), kernel, draw(0, 1) ? stride : 1, padding, draw(0, 1) ? draw(2, 8) : 1);
    else
        fprintf(f, "convtranspose %d k%d s%d p%d\n", draw(1, 8), kernel, stride, padding < kernel ? padding : kernel - 1);
}

/* What auto writes stays in proportion to the number of layers. It was 1.9 MB for the first network, up to 14 for others. */
static void amount_of_code(void)
{
    enum { MOST_BYTES = 3 * 250000, NETWORKS = 16 }; /* of a layer: forward, input gradient, weight gradient */
    unsigned seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 10) : 1;
    srand(seed);
    for (int i = 0, written = 0; i < 10 * NETWORKS && written < NETWORKS; i++) {
        char *text;
        size_t size, length = 0;
        int layers = i ? draw(1, 4) : 2;
        FILE *f = open_memstream(&text, &size);
        if (i == 0)
            fprintf(f, "input 8x33x31; batch 2; conv 16 k3; conv 16 k3 p8 d8\n");
        else
            fprintf(f, "input %dx%dx%d; batch 2\n", draw(1, 8), draw(5, 40), draw(5, 40));
        for (int n = 0; i && n < layers; n++)
            print_layer(f);
        fclose(f);
        fresh_folder();
        write_text("size.nn", text);
        process p = nnc_run(SCRATCH, i % 2 ? "--target=scalar" : "--target=generic", "size.nn", NULL);
        if (p.status == 0) { /* else a window is larger than what it slides over */
            written++;
            free(file_read(SCRATCH "/size.c", &length));
        }
        if (length > (size_t)MOST_BYTES * (size_t)layers)
            fprintf(stderr, "SEED=%u: %zu bytes of C for %s\n", seed, length, text);
        CU_ASSERT_TRUE(length <= (size_t)MOST_BYTES * (size_t)layers);
        process_free(&p);
        free(text);
    }
}

void add_command_suite(void)
{
    CU_Suite *suite = CU_add_suite("command", NULL, NULL);
    CU_add_test(suite, "names of outputs", output_names);
    CU_add_test(suite, "standard input", standard_input);
    CU_add_test(suite, "wrong files of weights", wrong_weights);
    CU_add_test(suite, "--help and --version", help);
    CU_add_test(suite, "--check, --summary, --dump", looking_only);
    CU_add_test(suite, "--header", header_name);
    CU_add_test(suite, "several networks", several_networks);
    CU_add_test(suite, "-o -", output_to_stdout);
    CU_add_test(suite, "--fits", fits);
    CU_add_test(suite, "--layers and --example", about);
    CU_add_test(suite, "--graph=svg", pictures);
    add_need("command", "--graph=svg", &graphviz);
    CU_add_test(suite, "streams that fail", failing_streams);
    CU_add_test(suite, "colors", colors);
    CU_add_test(suite, "hidden characters", hidden_characters);
    CU_add_test(suite, "warnings", warnings);
    CU_add_test(suite, "dependencies", dependencies);
    CU_add_test(suite, "failing runs keep the old files", failing_runs_keep);
    CU_add_test(suite, "no permission", no_permission);
    CU_add_test(suite, "good runs replace them", good_runs_replace);
    CU_add_test(suite, "names of one file", names_of_one_file);
    CU_add_test(suite, "interruptions", interruptions);
    CU_add_test(suite, "each allocation fails", without_memory);
    CU_add_test(suite, "unreadable inputs", unreadable_inputs);
    CU_add_test(suite, "line ends", text_files);
    CU_add_test(suite, "the same bytes", same_bytes);
    CU_add_test(suite, "hostile texts", fuzz);
    CU_add_test(suite, "example networks", example_networks);
    CU_add_test(suite, "long texts", long_texts);
    CU_add_test(suite, "large texts", large_texts);
    CU_add_test(suite, "deep networks", deep_networks);
    CU_add_test(suite, "how much C is written", amount_of_code);

    static const test_need sanitized = {has_fuzz_targets, "make SANITIZE=1 build/sanitize/nnc and SANITIZE=clang build/sanitize-clang/nnc", NULL};
    add_need("command", "no permission", &plain_user);
    add_need("command", "hostile texts", &sanitized);
    add_need("command", "example networks", &sanitized);
    add_need("command", "long texts", &sanitized);
}
