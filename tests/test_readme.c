/* test_readme.c: README.md, read as a stranger reads it: from the top, typing what it says (pages.h says how). Then the
 * README.md of other folders, and the other examples are run as users run them. */
#include "back/back.h"
#include "pages.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH "build/tests/tmp/readme"
#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)

static page readme;
static int read_readme(void)
{
    return page_read(&readme, "README.md") ? session_start(SCRATCH) : 1;
}

static int forget_readme(void)
{
    page_free(&readme);
    return 0;
}

static void run_blocks(void)
{
    page_run(&readme, "nnc");
    CU_ASSERT_TRUE(readme.nblocks > 10);
}

/* Installed into a folder of one's own, where no compiler looks by itself: the project is built as the
 * README says. Its Makefile left out LDFLAGS and CPPFLAGS, so that it could not be. */
static void private_prefix(void)
{
    static const char begin[] = "`make NNC=";
    const char *written = strstr(readme.text, begin);
    CU_ASSERT_PTR_NOT_NULL_FATAL(written);
    char command[1000];
    process run = session("export HOME=$root/home; cd $root/nnc && make install PREFIX=$HOME/.local && "
                          "grep -q \"^prefix=$HOME/.local$\" $HOME/.local/lib/pkgconfig/nnc.pc && "
                          "grep -q '^Version: [0-9]' $HOME/.local/lib/pkgconfig/nnc.pc", true);
    check(run.status == 0, __LINE__, "make install: exit status %d: %s", run.status, run.out);
    process_free(&run);
    snprintf(command, sizeof command,
             "PATH=${PATH#*:}; unset C_INCLUDE_PATH LIBRARY_PATH; HOME=$root/home; cd $root/circle && "
             "rm -f *.o *.d train net.c net.h net.nn.d && %.*s && ./train && test -f net.nn.d",
             (int)strcspn(written + 1, "`"), written + 1);
    run = session(command, false);
    check(run.status == 0 && strstr(run.out, "step 2000 "), __LINE__, "%s\nexit status %d: %s", command,
          run.status, run.out);
    process_free(&run);
}

/* ---- The other pages ---------------------------------------------------------------------------------- */

static const char *const pages[] = {"README.md", "compiler/README.md", "examples/README.md", "tests/bench/README.md"};
enum { NPAGES = sizeof pages / sizeof *pages };

static void other_pages(void)
{
    for (int i = 1; i < NPAGES; i++) {
        page p;
        CU_ASSERT_TRUE_FATAL(page_read(&p, pages[i]));
        page_run(&p, "nnc");
        CU_ASSERT_TRUE(p.nblocks > 0);
        page_free(&p);
    }
}

static void links(void)
{
    for (int i = 0; i < NPAGES; i++) {
        page p;
        CU_ASSERT_TRUE_FATAL(page_read(&p, pages[i]));
        page_links(&p);
        page_free(&p);
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
    int alike = 0; /* of 30 neighbours, 3 by chance */
    const char *line = strstr(run.out, "nearest to pictures of");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    for (line = strchr(line, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        char own[10], other[3][10];
        CU_ASSERT_EQUAL_FATAL(sscanf(line, "%9s %9s %9s %9s", own, other[0], other[1], other[2]), 4);
        for (int n = 0; n < 3; n++)
            alike += strcmp(own, other[n]) == 0;
    }
    check(alike > 6, __LINE__, "triplet: %d neighbours are alike: %s", alike, run.out);
    process_free(&run);
}

/* A few steps on the text that the program writes itself: the guess on what it has not seen gets better than a blind one,
 * log 256 = 5.55. */
static void gpt(void)
{
    process run = run_example("gpt GPT_STEPS=20");
    const char *end = strstr(run.out, "validation loss ");
    double loss = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL_FATAL(sscanf(end, "validation loss %lf", &loss), 1);
    check(loss > 0 && loss < 5.1, __LINE__, "gpt: the validation loss is %.3f", loss);
    process_free(&run);
}

/* The program of `make demo` learns first. Then all pictures made for LeNet must please it, and digits changed a little
 * deceive it. */
static void dream(void)
{
    /* What the commands of the page left there has learnt pictures that only look like MNIST's. */
    CU_ASSERT_TRUE(session_succeeds("rm -f $root/nnc/build/examples/lenet.safetensors"));
    process run = run_example("dream CFLAGS='-O1 -march=native'");
    const char *pleased = strstr(run.out, "It reads 10 of 10 such pictures"), *line = strstr(run.out, "% of 640");
    const char *demo = strstr(run.out, "best: epoch 4, ");
    double right = 0, still = 100, learned = 0;
    CU_ASSERT_TRUE(demo && sscanf(demo, "best: epoch 4, %lf %% right", &learned) == 1);
    check(learned > 98 && strstr(run.out, "Some that it does not:"), __LINE__, "make demo: %s", run.out);
    while (line && line > run.out && line[-1] != '\n')
        line--;
    CU_ASSERT_TRUE(line && sscanf(line, "It reads %lf %% of 640 digits, and %lf", &right, &still) == 2);
    check(pleased && right > 95 && still < 40, __LINE__, "dream: from %.1f %% to %.1f %%", right, still);
    process_free(&run);
}

/* After a few steps LeNet, which has learned from real digits, reads the generated ones; one in ten at first. */
static void gan(void)
{
    process run = run_example("gan GAN_STEPS=300 CFLAGS='-O1 -march=native'");
    const char *line = strstr(run.out, "1200 generated digits: ");
    double right = 0, sure = 0;
    check(line && sscanf(line, "1200 generated digits: LeNet reads %lf %% right, %lf", &right, &sure) == 2 && right > 50 &&
          sure > 20, __LINE__, "gan: %s", run.out);
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

/* After a few steps the network forecasts the next hour better than what knows nothing; and words are heard, of which
 * one in six is right by chance, or written backwards without an error. */
static void sequences(void)
{
    process run = run_example("forecast FORECAST_STEPS=200 CFLAGS='-O1 -march=native'");
    static const char *const simple[] = {"\nas now ", "\nas a day ago ", "\nas a week ago ", "\nas a day ago, moved to now "};
    const char *line = strstr(run.out, "\nthe network ");
    double error = INFINITY, other = 0, accuracy = 0;
    check(line && sscanf(line, " the network %lf", &error) == 1, __LINE__, "%s", run.out);
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        line = strstr(run.out, simple[i]);
        check(line && sscanf(line + strlen(simple[i]), "%lf", &other) == 1 && error < other, __LINE__, "%s%s", simple[i], run.out);
    }
    process_free(&run);
    run = run_example("keywords KEYWORDS_STEPS=200 CFLAGS='-O1 -march=native'");
    line = strstr(run.out, "step  200");
    line = line ? strstr(line, "accuracy") : NULL;
    check(line && sscanf(line, "accuracy %lf", &accuracy) == 1 && accuracy > 30, __LINE__, "%s", run.out);
    process_free(&run);
    run = run_example("reverse REVERSE_STEPS=600 CFLAGS='-O1 -march=native'");
    line = strstr(run.out, "step   600");
    check(line && sscanf(line, "step 600 loss %lf %lf", &error, &accuracy) == 2 && accuracy > 30, __LINE__, "%s", run.out);
    process_free(&run);
}

/* A few steps of each network to start from; the loss must fall. */
static void networks(void)
{
    static const char *const names[] = {"resnet20", "mobilenet", "unet", "tags", "autoencoder", "vit"};
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
    CU_ASSERT_TRUE(session_succeeds("cd $root/nnc && make -C examples ../build/examples/optimizers.txt"));
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

void add_readme_suite(void)
{
    static CU_TestInfo tests[] = {
        {"commands and programs", run_blocks}, {"a private PREFIX", private_prefix},
        {"the other pages", other_pages}, {"links", links}, {"make run-xor", xor}, {"make run-card", card}, {"losses of one's own", own_losses}, {"make run-ppo, run-td3", trials}, {"make run-dream", dream}, {"make run-gan", gan}, {"make run-detector", detector}, {"make run-forecast, run-keywords, run-reverse", sequences},
        {"a GPT learns a text", gpt},
        {"the optimizers' table", optimizers},
        {"make run-optimizers", optimizers_picture}, {"networks to start from", networks},
        CU_TEST_INFO_NULL,
    };
    static const test_need gnuplot = {has_gnuplot, "gnuplot", "gnuplot-nox"};
    add_suite("README", read_readme, forget_readme, tests);
    add_need("README", "make run-optimizers", &gnuplot);
}
