/* test_readme.c: README.md, read as a stranger reads it: from the top, typing what it says.
 *
 * The session runs in build/tests/tmp/readme: there, nnc/ is a copy of this repository with its build in place, and
 * usr/ takes the place of /usr/local. The commands of one block continue in the folder in which those before ended.
 * What a fenced block is, its info string says:
 *
 *     sh               commands, one a line; each must succeed
 *     console          commands after "$ ", each with its output; the outputs must be equal. A line "..." stands for
 *                      any lines. The exit status is 0, or 1 where the output shown has an error
 *     console varies   the same, but words with a digit in them (and runs of blanks) may differ: loss, seconds, bytes
 *     nn, c, make      with a name: a file, written as it stands. nn without: a network, which must compile;
 *                      c without: statements, which must compile inside a function that sees nn.h
 *     cmake            with a name: a file; its program is built and run after all the others where cmake is installed
 *     python           a program, which runs after all the others where a python3 has torch; for safetensors, where that is
 *                      missing, tests/torch has a stand-in
 *
 * Four commands are not run to the letter: `make demo` and `make test` with -n only, since they install packages, take
 * minutes, and are what runs this; `make install` into usr/ and without sudo; and `make ... run-lenet` learns 300
 * pictures of a small data set drawn here, compiled with -O1, so the program of `make demo` does run. MNIST is that set, too. Outputs shown for
 * the first two aren't compared.
 *
 * Then the tables are held against the sources, and the other examples are run as users run them. */
#include "back/back.h"
#include "nn.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH "build/tests/tmp/readme"
#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)

/* ---- The shell ---------------------------------------------------------------------------------------- */

/* Runs a line of shell where the last one ended, with both streams in one, and notes where it ends. */
static process session(const char *command, bool build_flags)
{
    /* The make that runs this test is none of the reader's business; nor are its flags, but for building nnc itself. */
    static const char script[] =
        "unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES; export LC_ALL=C\n"
        "root=%s\n"
        "export PATH=$root/usr/bin:$PATH C_INCLUDE_PATH=$root/usr/include LIBRARY_PATH=$root/usr/lib\n"
        "%s\n"
        "cd \"$(cat $root/folder)\" && exec 2>&1 || exit 99\n"
        "%s\n"
        "status=$?; pwd > $root/folder; exit $status\n";
    static char root[PATH_MAX], text[PATH_MAX + 4000];
    if (!realpath(SCRATCH, root))
        perror(SCRATCH);
    snprintf(text, sizeof text, script, root, build_flags ? ":" : "unset CC CFLAGS CPPFLAGS LDFLAGS", command);
    const char *argv[] = {"sh", "-c", text, NULL};
    return process_run(NULL, argv, NULL, 0, NULL);
}

static bool succeeds(const char *command)
{
    process run = session(command, false);
    int status = run.status;
    process_free(&run);
    return status == 0;
}

/* A copy of the repository with what is built, as it is after `make`. */
static int start_session(void)
{
    static const char copy[] =
        "cp -a Makefile README.md LICENSE CHANGELOG.md .ci compiler grammar runtime examples tests " SCRATCH "/nnc && "
        "cd build && cp -a nnc libnn.a libnnkit.a flags compiler grammar runtime ../" SCRATCH "/nnc/build";
    folder_make(SCRATCH);
    folder_make(SCRATCH "/nnc/build");
    const char *argv[] = {"sh", "-c", copy, NULL};
    process run = process_run(NULL, argv, NULL, 0, NULL);
    int status = run.status;
    if (status != 0)
        fprintf(stderr, "%s", run.err);
    process_free(&run);

    char root[PATH_MAX];
    if (status == 0 && realpath(SCRATCH "/nnc", root))
        file_write(SCRATCH "/folder", root, strlen(root));
    return status;
}

/* Writes a file where the session stands. */
static void write_here(const char *name, const char *text, size_t length)
{
    char path[PATH_MAX];
    char *folder = file_read(SCRATCH "/folder", NULL);
    snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(folder, "\n"), folder, name);
    file_write(path, text, length);
    free(folder);
}

/* ---- Comparing outputs -------------------------------------------------------------------------------- */

/* The next line of *text without the blanks at its end; varies: words with a digit become '#', blanks one. */
static const char *next_line(const char **text, bool varies, char line[static 400])
{
    const char *end = *text + strcspn(*text, "\n");
    size_t n = 0;
    for (const char *c = *text; c < end && n < 399;) {
        size_t word = strcspn(c, varies ? " \t\n" : "\n"), blanks;
        word = word > 399 - n ? 399 - n : word;
        bool digit = false;
        for (size_t i = 0; varies && i < word; i++)
            digit |= isdigit((unsigned char)c[i]) != 0;
        if (digit)
            line[n++] = '#';
        else
            memcpy(line + n, c, word), n += word;
        c += word;
        blanks = strspn(c, " \t");
        if (blanks && n > 0 && n < 399)
            line[n++] = ' ';
        c += blanks;
    }
    while (n > 0 && line[n - 1] == ' ')
        n--;
    line[n] = '\0';
    *text = *end ? end + 1 : end;
    return line;
}

/* Is actual what shown says? Otherwise *missing becomes the first line of shown that found no match. */
static bool fits(const char *shown, const char *actual, bool varies, const char **missing)
{
    char want[400], have[400];
    while (*shown) {
        const char *here = shown;
        next_line(&shown, varies, want);
        if (strcmp(want, "...") == 0) {
            if (!*shown)
                return true;
            for (const char *from = actual; *from; next_line(&from, varies, have))
                if (fits(shown, from, varies, missing))
                    return true;
            return false;
        }
        if (!*actual || strcmp(want, next_line(&actual, varies, have)) != 0) {
            *missing = here;
            return false;
        }
    }
    return !*actual;
}

/* ---- Blocks ------------------------------------------------------------------------------------------- */

typedef struct block {
    char info[100];      /* "console varies" */
    int  line;           /* of its first line in README.md */
    char *text;          /* what is in it */
} block;

static block blocks[100];
static int nblocks;
static char *readme;

/* What other tests run: the folder in which it stands, and its line in README.md. */
typedef struct kept {
    char *folder;
    int line;
} kept;
static kept python, cmake;

static int read_readme(void)
{
    readme = file_read("README.md", NULL);
    if (!readme)
        return perror("README.md"), 1;
    int line = 1;
    block *open = NULL;
    nblocks = 0;
    for (const char *c = readme, *start = c; *c; line++, c += strcspn(c, "\n"), c += *c != '\0') {
        if (strncmp(c, "```", 3) != 0)
            continue;
        const char *after = c + strcspn(c, "\n");
        if (open) {
            open->text = strndup(start, (size_t)(c - start));
            open = NULL;
        } else if (nblocks < 100) {
            open = &blocks[nblocks++];
            snprintf(open->info, sizeof open->info, "%.*s", (int)(after - c - 3), c + 3);
            open->line = line + 1;
            start = after + (*after != '\0');
        }
    }
    if (open || nblocks == 100)
        return fprintf(stderr, "README.md: a block has no end, or there are too many\n"), 1;
    return start_session();
}

static int forget_readme(void)
{
    for (int i = 0; i < nblocks; i++)
        free(blocks[i].text);
    free(readme);
    free(python.folder);
    free(cmake.folder);
    python.folder = cmake.folder = NULL;
    return 0;
}

/* ---- Commands ----------------------------------------------------------------------------------------- */

/* A data set in MNIST's format, of which a network learns something in a second: a bar at ten heights. */
static void write_digits(void)
{
    enum { COUNT = 400, SIDE = 28 };
    static unsigned char images[16 + COUNT * SIDE * SIDE], labels[8 + COUNT];
    static const unsigned char
        images_head[16] = {0, 0, 8, 3, 0, 0, COUNT / 256, COUNT % 256, 0, 0, 0, SIDE, 0, 0, 0, SIDE},
        labels_head[8] = {0, 0, 8, 1, 0, 0, COUNT / 256, COUNT % 256};
    uint64_t rng = 1;
    memcpy(images, images_head, 16);
    memcpy(labels, labels_head, 8);
    for (int i = 0; i < COUNT; i++) {
        labels[8 + i] = (unsigned char)(i % 10);
        for (int k = 0; k < SIDE * SIDE; k++) {
            int below = k / SIDE - 2 * (i % 10);
            images[16 + i * SIDE * SIDE + k] =
                (unsigned char)((below >= 0 && below < 6 ? 200 : 0) + 50 * nn_uniform(&rng));
        }
    }
    static const char *const names[] = {"t10k", "train"};
    for (int i = 0; i < 2; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s-images-idx3-ubyte", names[i]);
        write_here(name, (const char *)images, sizeof images);
        snprintf(name, sizeof name, "%s-labels-idx1-ubyte", names[i]);
        write_here(name, (const char *)labels, sizeof labels);
    }
}

/* Puts `to` in the place of `from`; false if it isn't there. */
static bool replace(char *text, size_t room, const char *from, const char *to)
{
    char rest[1000];
    char *at = strstr(text, from);
    if (!at)
        return false;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, room - (size_t)(at - text), "%s%s", to, rest);
    return true;
}

static void run_command(const char *written, int line, const char *shown, bool varies)
{
    char command[1000];
    bool compares = shown != NULL, build_flags = false;
    snprintf(command, sizeof command, "%s", written);
    if (strcmp(command, "make demo") == 0 || strcmp(command, "make test") == 0) {
        replace(command, sizeof command, "make", "make -n");
        build_flags = true;
        compares = false;
    }
    if (strstr(command, "make install")) {
        command[strcspn(command, "#")] = '\0';
        CU_ASSERT_TRUE(replace(command, sizeof command, "sudo make install", "make install PREFIX=$root/usr"));
        build_flags = true;
    }
    if (strstr(command, "run-lenet")) {
        CU_ASSERT_TRUE(replace(command, sizeof command, " 8000\"", " 300\" CFLAGS=-O1"));
        write_digits();
    }
    if (strstr(command, "--main")) {
        write_digits();
        CU_ASSERT_TRUE(succeeds("gzip -k *-ubyte"));
    }
    CU_ASSERT_PTR_NULL(strstr(command, "sudo"));
    CU_ASSERT_PTR_NULL(strstr(command, "apt"));

    process run = session(command, build_flags);
    int status = shown && strstr(shown, "error:") ? 1 : 0;
    check(run.status == status, __LINE__, "README.md:%d: %s\nexit status %d: %s", line, command, run.status, run.out);
    const char *missing = "(its end)\n";
    if (compares && run.status == status && !fits(shown, run.out, varies, &missing))
        check(false, __LINE__, "README.md:%d: %s\nprints something else than shown, from this line on: %.*s\n%s", line,
              command, (int)strcspn(missing, "\n"), missing, run.out);
    process_free(&run);
}

static void run_sh(const block *b)
{
    int line = b->line;
    for (const char *c = b->text; *c; line++) {
        size_t length = strcspn(c, "\n");
        char *command = strndup(c, length);
        if (length > 0)
            run_command(command, line, NULL, false);
        free(command);
        c += length + (c[length] != '\0');
    }
}

static void run_console(const block *b, bool varies)
{
    int line = b->line;
    check(strncmp(b->text, "$ ", 2) == 0, __LINE__, "README.md:%d: the block doesn't begin with a command", line);
    for (const char *c = b->text; strncmp(c, "$ ", 2) == 0;) {
        char *command = strndup(c + 2, strcspn(c + 2, "\n"));
        const char *output = c + strcspn(c, "\n") + 1, *end = output;
        int first = line++;
        while (*end && strncmp(end, "$ ", 2) != 0)
            end += strcspn(end, "\n") + 1, line++;
        char *shown = strndup(output, (size_t)(end - output));
        run_command(command, first, shown, varies);
        free(command);
        free(shown);
        c = end;
    }
}

static void keep(const block *b, const char *name, kept *where)
{
    CU_ASSERT_PTR_NULL_FATAL(where->folder); /* there is one */
    write_here(name, b->text, strlen(b->text));
    where->folder = file_read(SCRATCH "/folder", NULL);
    where->folder[strcspn(where->folder, "\n")] = '\0';
    where->line = b->line;
}

static void run_blocks(void)
{
    for (int i = 0; i < nblocks; i++) {
        const block *b = &blocks[i];
        const char *name = strchr(b->info, ' ');
        size_t language = strcspn(b->info, " ");
#define IS(word) (language == strlen(word) && strncmp(b->info, word, language) == 0)
        if (IS("sh"))
            run_sh(b);
        else if (IS("console"))
            run_console(b, name && strcmp(name, " varies") == 0);
        else if (IS("python"))
            keep(b, "readme.py", &python);
        else if (IS("cmake") && name)
            keep(b, name + 1, &cmake);
        else if ((IS("nn") || IS("c") || IS("make")) && name)
            write_here(name + 1, b->text, strlen(b->text));
        else if (IS("nn")) {
            write_here("block.nn", b->text, strlen(b->text));
            run_command("$root/nnc/build/nnc --check -Werror block.nn && rm block.nn", b->line, "", false);
        } else if (IS("c")) {
            char text[2000];
            snprintf(text, sizeof text, "#include <nn.h>\nextern const nn_model net_model;\nextern struct { float all[1]; } weights;\nvoid f(void);\nvoid f(void)\n{\n%s%s}\n", b->text, strstr(b->text, " o =") ? "\n(void)o;\n" : "\n");
            write_here("block.c", text, strlen(text));
            run_command("cc -Wall -Wextra -Werror -c -o /dev/null block.c && rm block.c", b->line, "", false);
        } else
            check(false, __LINE__, "README.md:%d: what is a block of %s?", b->line, b->info);
#undef IS
    }
    CU_ASSERT_TRUE(nblocks > 10);
}

/* Installed into a folder of one's own, where no compiler looks by itself: the project is built as the
 * README says. Its Makefile left out LDFLAGS and CPPFLAGS, so that it could not be. */
static void private_prefix(void)
{
    static const char begin[] = "`make NNC=";
    const char *written = strstr(readme, begin);
    CU_ASSERT_PTR_NOT_NULL_FATAL(written);
    char command[1000];
    process run = session("export HOME=$root/home; cd $root/nnc && make install PREFIX=$HOME/.local && "
                          "grep -q \"^prefix=$HOME/.local$\" $HOME/.local/lib/pkgconfig/nnc.pc && "
                          "grep -q '^Version: [0-9]' $HOME/.local/lib/pkgconfig/nnc.pc", true);
    check(run.status == 0, __LINE__, "make install: exit status %d: %s", run.status, run.out);
    process_free(&run);
    snprintf(command, sizeof command,
             "PATH=${PATH#*:}; unset C_INCLUDE_PATH LIBRARY_PATH; HOME=$root/home; cd $root/circle && "
             "rm -f *.o *.d train net.c net.h && %.*s && ./train && test -f net.nn.d",
             (int)strcspn(written + 1, "`"), written + 1);
    run = session(command, false);
    check(run.status == 0 && strstr(run.out, " new points are right"), __LINE__, "%s\nexit status %d: %s", command,
          run.status, run.out);
    process_free(&run);
}

/* ---- The Python program ------------------------------------------------------------------------------- */

/* The first python3 that has torch: often only Debian's own has, and another stands before it on PATH. */
#define HAS_MODULE(python, name) \
    python " -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec(\"" name "\"))'"
#define CHOOSE_PYTHON "python=python3; " HAS_MODULE("$python", "torch") " || { python=/usr/bin/python3; " \
    HAS_MODULE("$python", "torch") "; }"

static bool has_torch(void)
{
    return command_succeeds(CHOOSE_PYTHON);
}

/* Loads what the Python program saved, and answers the same question. */
static const char loads_again[] =
    "#include \"net.h\"\n#include <stdio.h>\n\n"
    "static net_params p;\nstatic net_work work;\n\n"
    "int main(void)\n{\n"
    "    static const float x[4] = {0.1f, 0.2f, 0.9f, -0.9f};\n    float y[4];\n"
    "    int error = nn_load(&net_model, &p, \"net.safetensors\");\n"
    "    if (error)\n        return puts(nn_error(error)), 1;\n"
    "    net_forward(&p, &work, 2, x, y);\n"
    "    for (int i = 0; i < 4; i++)\n        printf(\"%.6f \", y[i]);\n"
    "    return 0;\n}\n";

/* The first four numbers of a text in which a point stands. */
static int read_numbers(const char *text, double numbers[4])
{
    int n = 0;
    for (const char *c = text; *c && n < 4;) {
        char *end;
        double number = strtod(c, &end);
        bool point = end > c && memchr(c, '.', (size_t)(end - c));
        if (point)
            numbers[n++] = number;
        c = point ? end : c + 1;
    }
    return n;
}

static void python_program(void)
{
    double printed[4], loaded[4];
    char command[2000];
    CU_ASSERT_PTR_NOT_NULL_FATAL(python.folder);
    snprintf(command, sizeof command,
             CHOOSE_PYTHON "; " HAS_MODULE("$python", "safetensors") " || export PYTHONPATH=$root/nnc/tests/torch; "
             "cd '%s' && touch -d 2000-01-01 net.safetensors before && $python readme.py && "
             "[ net.safetensors -nt before ]", python.folder);
    process run = session(command, false);
    check(run.status == 0, __LINE__, "README.md:%d: exit status %d: %s", python.line, run.status, run.out);
    int n = read_numbers(run.out, printed);
    check(n == 4, __LINE__, "README.md:%d: prints no four numbers: %s", python.line, run.out);
    process_free(&run);

    file_write(SCRATCH "/again.c", loads_again, sizeof loads_again - 1);
    snprintf(command, sizeof command, "cd '%s' && cc -I. -o again $root/again.c net.c -lnn -lm && ./again", python.folder);
    run = session(command, false);
    check(run.status == 0, __LINE__, "what README.md:%d saves can't be loaded: %s", python.line, run.out);
    check(read_numbers(run.out, loaded) == 4, __LINE__, "%s", run.out);
    for (int i = 0; i < 4 && n == 4 && run.status == 0; i++)
        check(fabs(printed[i] - loaded[i]) < 2e-4, __LINE__, "README.md:%d: prints %g, and here it is %g", python.line, printed[i],
              loaded[i]);
    process_free(&run);
}

/* ---- Tables and links --------------------------------------------------------------------------------- */

/* The row of the table of kinds: | `syntax` | help |, in which a bar is written \|. */
static char *kind_row(const Kind *kind)
{
    char *row = malloc(2000);
    size_t n = (size_t)sprintf(row, "| `");
    for (const char *c = kind->syntax; *c; c++)
        n += (size_t)sprintf(row + n, "%s%c", *c == '|' ? "\\" : "", *c);
    n += (size_t)sprintf(row + n, "` | ");
    for (const char *c = kind->help; *c; c++)
        n += (size_t)sprintf(row + n, "%s%c", *c == '|' ? "\\" : "", *c);
    sprintf(row + n, " |\n");
    return row;
}

static void table_of_kinds(void)
{
    static const char head[] = "\n| statement | meaning |\n|---|---|\n";
    const char *table = strstr(readme, head);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    table += strlen(head);
    for (int i = 0; i < nkinds; i++) {
        if (!kinds[i]->syntax)
            continue;
        char *row = kind_row(kinds[i]);
        bool same = strncmp(table, row, strlen(row)) == 0;
        check(same, __LINE__, "README.md: not the row of %s, which is\n%s", kinds[i]->name, row);
        table += strcspn(table, "\n") + 1;
        free(row);
    }
    check(*table != '|', __LINE__, "README.md: a row too many: %.60s", table);
}

/* Every field of an optimizer is explained. */
static void table_of_fields(void)
{
    char *header = file_read("runtime/nn.h", NULL);
    const char *c = strstr(header, "typedef struct nn_optimizer {"), *end = c ? strstr(c, "} nn_optimizer;") : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    int fields = 0;
    for (c = strchr(c, '\n') + 1; c < end; c += strcspn(c, "\n") + 1) {
        const char *names = c + strspn(c, " ");
        names += strcspn(names, " ");
        char list[200], quoted[200], *left = NULL;
        snprintf(list, sizeof list, "%.*s", (int)strcspn(names, ";"), names);
        for (char *name = strtok_r(list, " ,", &left); name; name = strtok_r(NULL, " ,", &left), fields++) {
            snprintf(quoted, sizeof quoted, "`%s`", name);
            check(strcmp(name, "method") == 0 || strstr(readme, quoted), __LINE__,
                  "README.md: no word of the field %s", name);
        }
    }
    CU_ASSERT_TRUE(fields > 10);
    free(header);
}

/* [text](file): the file is there. */
static void links(void)
{
    for (const char *c = readme; (c = strstr(c, "](")); ) {
        char target[300];
        c += 2;
        snprintf(target, sizeof target, "%.*s", (int)strcspn(c, ")"), c);
        check(strstr(target, "://") || file_exists(target), __LINE__, "README.md: there is no %s", target);
    }
}

/* ---- The examples ------------------------------------------------------------------------------------- */

static process run_example(const char *name)
{
    char command[200];
    snprintf(command, sizeof command, "cd $root/nnc && make -s --no-print-directory -C examples run-%s", name);
    process run = session(command, false);
    check(run.status == 0, __LINE__, "%s\nexit status %d: %s", command, run.status, run.out);
    return run;
}

static void xor(void)
{
    process run = run_example("xor");
    const char *table = strstr(run.out, " a  b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    table += strcspn(table, "\n");
    for (int i = 0; i < 4; i++) {
        int a, b, answer, sure, length = 0;
        CU_ASSERT_EQUAL_FATAL(sscanf(table, "%d %d %d %d %%%n", &a, &b, &answer, &sure, &length), 4);
        CU_ASSERT_TRUE(a == i / 2 && b == i % 2 && answer == (a ^ b) && sure > 90);
        table += length;
    }
    process_free(&run);
}

static void card(void)
{
    process run = run_example("card");
    double loss = 0, right = 0;
    int step = 0;
    for (const char *line = run.out; *line; line += strcspn(line, "\n"), line += *line != '\0')
        sscanf(line, "step %d loss %lf right %lf", &step, &loss, &right);
    check(step >= 1000 && right > 90, __LINE__, "card: after %d steps %.1f %% are right", step, right);
    process_free(&run);
}

/* Losses of one's own: parts of a batch add up (the program compares), and a few steps bring like pictures nearer. */
static void own_losses(void)
{
    process run = run_example("accumulate");
    process_free(&run);
    run = run_example("triplet TRIPLET_STEPS=200");
    double first = 0, last = 0;
    const char *end = run.out;
    for (const char *line = run.out; (line = strstr(line, "loss ")); line++)
        end = line;
    CU_ASSERT_EQUAL_FATAL(sscanf(run.out, "step 40 loss %lf", &first), 1);
    CU_ASSERT_EQUAL_FATAL(sscanf(end, "loss %lf", &last), 1);
    check(last > 0 && last < 0.75 * first, __LINE__, "triplet: the loss went from %.3f to %.3f", first, last);
    process_free(&run);
}

/* All pictures made for LeNet must please it, and digits changed a little deceive it. */
static void dream(void)
{
    /* What the commands of the page left there has learnt pictures that only look like MNIST's. */
    run_command("rm -f $root/nnc/build/examples/lenet.safetensors", __LINE__, "", false);
    process run = run_example("dream CFLAGS='-O1 -march=native'");
    const char *pleased = strstr(run.out, "It reads 10 of 10 such pictures"), *line = strstr(run.out, "% of 640");
    double right = 0, still = 100;
    while (line && line > run.out && line[-1] != '\n')
        line--;
    CU_ASSERT_TRUE(line && sscanf(line, "It reads %lf %% of 640 digits, and %lf", &right, &still) == 2);
    check(pleased && right > 95 && still < 40, __LINE__, "dream: from %.1f %% to %.1f %%", right, still);
    process_free(&run);
}

/* After a few steps each of the three losses tells; at first no figure is found, and the boxes are empty. */
static void detector(void)
{
    process run = run_example("detector DETECTOR_STEPS=300 CFLAGS='-O1 -march=native'");
    const char *line = strstr(run.out, "of ");
    int figures = 0, found = 0, wrong = 0;
    double right = 0, shared = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    sscanf(line, "of %d unseen figures %d are found, and %d that are none; class accuracy %lf %% mean IoU %lf", &figures,
           &found, &wrong, &right, &shared);
    check(figures > 500 && found > figures / 5 && wrong < found && right > 23 && shared > 0.6, __LINE__, "%s", run.out);
    process_free(&run);
}

/* A few games of a network that learns by trial; one that has learned nothing is far below the bound. */
static void trial(const char *arguments, double bound)
{
    process run = run_example(arguments);
    const char *is = strstr(run.out, " games is ");
    double mean = -INFINITY;
    check(is && sscanf(is, " games is %lf", &mean) == 1 && mean > bound, __LINE__, "%s: %s", arguments, run.out);
    process_free(&run);
}

static void trials(void)
{
    trial("ppo PPO_STEPS=20000", 60); /* 500 at best, 9 at worst, and 20 with pushes at random */
    trial("td3 TD3_STEPS=6000", -900); /* about -150 at best, and -1200 with actions at random */
}

/* A few steps of each network to start from; the loss must fall. */
static void networks(void)
{
    static const char *const names[] = {"resnet20", "mobilenet", "unet", "tags", "autoencoder"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "%s STEPS=20 CFLAGS='-O1 -march=native'", names[i]);
        process run = run_example(arguments);
        double loss = 0, first = 0;
        int step = 0, n = 0;
        for (const char *line = run.out; *line; line += strcspn(line, "\n"), line += *line != '\0')
            if (sscanf(line, "step %d loss %lf", &step, &loss) == 2 && n++ == 0)
                first = loss;
        check(step == 20 && loss > 0 && loss < first, __LINE__, "%s: from %g to %g", names[i], first, loss);
        process_free(&run);
    }
}

static void optimizers(void)
{
    enum { METHODS = 5 };
    CU_ASSERT_TRUE(succeeds("cd $root/nnc && make -C examples ../build/examples/optimizers.txt"));
    char *table = file_read(SCRATCH "/nnc/build/examples/optimizers.txt", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
    CU_ASSERT_EQUAL(strncmp(table, "# step       sgd  momentum   adagrad   rmsprop      adam\n", 57), 0);
    double loss[METHODS], first[METHODS] = {0}, last = 0, step;
    int rows = 0;
    for (const char *line = strchr(table, '\n') + 1; *line; line += strcspn(line, "\n") + 1, rows++) {
        CU_ASSERT_EQUAL_FATAL(sscanf(line, "%lf %lf %lf %lf %lf %lf", &step, &loss[0], &loss[1], &loss[2], &loss[3],
                                     &loss[4]), 6);
        CU_ASSERT_TRUE(step > last);
        last = step;
        for (int i = 0; i < METHODS; i++)
            first[i] = rows ? first[i] : loss[i];
    }
    CU_ASSERT_TRUE(rows >= 10);
    for (int i = 0; i < METHODS; i++)
        check(loss[i] > 0 && loss[i] < 0.8 * first[i], __LINE__, "column %d: from %g to %g", i + 1, first[i], loss[i]);
    free(table);
}

static bool has_gnuplot(void)
{
    return command_succeeds("command -v gnuplot");
}

/* The picture that was drawn now, and the one in the README. */
static void optimizers_picture(void)
{
    process run = run_example("optimizers");
    process_free(&run);
    static const char *const titles[] = {"<svg", ">SGD<", ">Momentum<", ">Adagrad<", ">RMSProp<", ">Adam<", "</svg>"};
    static const char *const pictures[] = {"examples/optimizers.svg", SCRATCH "/nnc/build/examples/optimizers.svg"};
    for (int k = 0; k < 2; k++) {
        char *picture = file_read(pictures[k], NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(picture);
        for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
            check(strstr(picture, titles[i]) != NULL, __LINE__, "%s lacks %s", pictures[k], titles[i]);
        free(picture);
    }
}

static bool find_cmake(void)
{
    return command_succeeds("cmake --version");
}

static void cmake_project(void)
{
    char command[2000];
    CU_ASSERT_PTR_NOT_NULL_FATAL(cmake.folder);
    snprintf(command, sizeof command, "cd '%s' && cmake -S . -B by-cmake && cmake --build by-cmake && by-cmake/train",
             cmake.folder);
    process run = session(command, false);
    check(run.status == 0, __LINE__, "README.md:%d: exit status %d: %s", cmake.line, run.status, run.out);
    process_free(&run);
}

void add_readme_suite(void)
{
    static CU_TestInfo tests[] = {
        {"commands and programs", run_blocks}, {"a private PREFIX", private_prefix},
        {"table of kinds", table_of_kinds}, {"table of fields", table_of_fields},
        {"links", links}, {"make run-xor", xor}, {"make run-card", card}, {"losses of one's own", own_losses}, {"make run-ppo, run-td3", trials}, {"make run-dream", dream}, {"make run-detector", detector},
        {"the optimizers' table", optimizers},
        {"make run-optimizers", optimizers_picture}, {"networks to start from", networks}, {"the Python program", python_program}, {"the CMake project", cmake_project},
        CU_TEST_INFO_NULL,
    };
    static const test_need torch = {has_torch, "a python3 with torch", "python3-torch"};
    static const test_need gnuplot = {has_gnuplot, "gnuplot", "gnuplot-nox"};
    static const test_need has_cmake = {find_cmake, "cmake", "cmake"};
    add_suite("README", read_readme, forget_readme, tests);
    add_need("README", "the CMake project", &has_cmake);
    add_need("README", "make run-optimizers", &gnuplot);
    add_need("README", "the Python program", &torch);
}
