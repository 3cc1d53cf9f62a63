/* test_verify.c: nnc --verify, as users call it: networks of all sorts are found good, faults that a C compiler brings
 * in are found, and named where they are; and what can go wrong around it. tcc compiles: it takes no time. */
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRATCH "build/tests/tmp/verify"
#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)
#define TCC "export TMPDIR=$PWD/tmp CC=tcc CFLAGS=; unset CPPFLAGS LDFLAGS LDLIBS EMULATOR; "
#define NET "input 1x6x6; conv 2 k3; tanh; maxpool 2; fc 3; softmax\n"

static void start_folder(void)
{
    folder_make(SCRATCH);
    folder_make(SCRATCH "/tmp");
    file_write(SCRATCH "/net.nn", NET, strlen(NET));
}

static bool has(const process *p, const char *text)
{
    return strstr(p->out, text) || strstr(p->err, text);
}

/* Runs a line; all of it is gone afterwards. Free what it gives. */
static process run(const char *line, int status)
{
    process p = shell_run(SCRATCH, TCC, line);
    check(p.status == status, "%s: exit status %d, not %d\n%.3000s%.1000s", line, p.status, status, p.out, p.err);
    check(folder_count(SCRATCH "/tmp") == 0, "%s: leaves files", line);
    return p;
}

static void says(const char *line, int status, const char *text)
{
    process p = run(line, status);
    check(has(&p, text), "%s: does not say \"%s\"\n%.3000s%.1000s", line, text, p.out, p.err);
    process_free(&p);
}

/* ---- Good networks ------------------------------------------------------------------------------------------ */

static const struct { const char *options, *text;
} good[] = {
    {"--verify=all", NET},
    {"--verify", "input 2x4x4; conv 3 k3 p1; batchnorm; relu; dropout; globalavgpool; fc 2; loss none"},
    {"--verify", "a: input 3; b: input 1x2x2; from a; fc 4; x:; from b; flatten; add x; y: tanh; fc 2; z: softmax; "
                 "output z y; loss none"},
    {"--verify", "input 4 of 7; w: embedding 6; positions; attention 2 causal=true; x:; layernorm; gelu; add x; fc 7 weights=w; "
                 "loss crossentropy weights=1,2,1,1,1,3,1"},
    {"--verify --stream", "input 5x3; \"in\": fc 4; gru 4; lstm 3 reverse=false; concat \"in\"; fc 2; softmax"},
    {"--verify --inference", "input 2x5x5; conv 3 k3; batchnorm; relu6; fc 4; freeze; fc 2; sigmoid"},
    {"--verify=none,seed=9", "input 3; prelu; repeat 2 { fc 3 bias=false; batchnorm; relu }; loss huber 0.5"},
};

/* Every layer has its row, and each says good. */
static void networks(void)
{
    start_folder();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char line[300];
        file_write(SCRATCH "/good.nn", good[i].text, strlen(good[i].text));
        snprintf(line, sizeof line, "$NNC -Wno-all --target=scalar %s good.nn", good[i].options);
        process p = run(line, 0);
        check(has(&p, "\nnetwork ") && !has(&p, "WRONG") && !p.err_length, "%s: %s%s", good[i].text, p.out, p.err);
        check(has(&p, "finite differences: ") == !strstr(line, "--inference"), "%s: %s", good[i].text, p.out);
        process_free(&p);
    }
    process p = run("$NNC --verify=none,tile,full --target=scalar net.nn | grep -c 'good$'", 0);
    check(!strcmp(p.out, "18\n"), "three modes of six rows have %s", p.out);
    process_free(&p);
    says("$NNC --target=scalar --verify net.nn", 0, "finite differences: 316 of 316 gradients, drawn with seed 1;");
    p = run("$NNC --verify --target=scalar net.nn -o x.c && $NNC --verify --weights=no.safetensors net.nn", 2);
    check(file_exists(SCRATCH "/x.c") && has(&p, "no.safetensors") && has(&p, "[weights-file]"), "%s%s", p.out, p.err);
    process_free(&p);
}

/* ---- Faults --------------------------------------------------------------------------------------------------- */

/* A C compiler that reads what it is given wrong: sed's command changes the networks' C before. */
static const char wrong_cc[] = "#!/bin/sh\n"
                               "for file; do case $file in */layer*.c | */net.c) sed -i \"$SED\" \"$file\";; esac; done\n"
                               "exec tcc \"$@\"\n";

static const struct { const char *sed, *text, *finds;
} faults[] = {
    /* a constant of the polynomial of tanh, off by 1 in 10,000 */
    {"s/0\\.333329469/0.3333/", NET, "\nWRONG: tanh1 alone: element "},
    /* a comparison of relu */
    {"s/<= 0\\.0f/<= 0.125f/", "input 8; fc 8; relu; fc 2; loss mse", "\nWRONG: relu1 alone: element "},
    /* one tap of a convolution at one place */
    {"s/conv1_weight\\[1\\] \\* input\\[6\\]/conv1_weight[0] * input[6]/", "input 1x4x4; conv 1 k2; relu; fc 2; softmax",
     "\nWRONG: conv1 alone: element "},
    /* the gradient of a bias is not a sum */
    {"s/sum += /sum = /", NET, "of the gradient of conv1.bias is "},
    {"s/nn_uniform_at(rng/nn_uniform_at(rng + 1/", "input 9; fc 9; dropout; fc 2; loss mse", "\nWRONG: network: "},
};

static void found(void)
{
    start_folder();
    file_write(SCRATCH "/cc", wrong_cc, strlen(wrong_cc));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char line[500];
        file_write(SCRATCH "/wrong.nn", faults[i].text, strlen(faults[i].text));
        snprintf(line, sizeof line, "export SED='%s'; chmod +x cc; CC=./cc $NNC --verify=full,none --target=scalar wrong.nn",
                 faults[i].sed);
        says(line, 1, faults[i].finds);
    }
    says("export SED='s/^{$/{ abort();/'; CC=./cc $NNC --verify --target=scalar net.nn -o no.c", 1,
         "\nWRONG: it crashed (signal ");
    check(!file_exists(SCRATCH "/no.c"), "what is wrong is written");
}

/* ---- Around it -------------------------------------------------------------------------------------------------- */

static const char foreign_cc[] = "#!/bin/sh\n"
                                 "for word; do [ \"$last\" = -o ] && printf '\\177ELF nothing' >\"$word\" && chmod +x \"$word\"; last=$word; done\n";

/* Ends nnc while its compiler runs. */
static const char ending_cc[] = "#!/bin/sh\n"
                                "read -r _ name _ parent _ </proc/$PPID/stat\n"
                                "case $name in *nnc*) kill -TERM $PPID;; *) kill -TERM $parent;; esac\n";

static void surroundings(void)
{
    start_folder();
    file_write(SCRATCH "/foreign", foreign_cc, strlen(foreign_cc));
    file_write(SCRATCH "/ending", ending_cc, strlen(ending_cc));
    says("CC=no-such-cc $NNC --verify net.nn", 2, "needs a C compiler, and there is no no-such-cc: set CC");
    says("CC='tcc -Wunsupported -DNN_CHECK(' $NNC --verify --target=scalar net.nn", 2, "does not compile the network");
    says("CC=gcc CFLAGS=-Ofast $NNC --verify net.nn", 2, "NaN and infinity are needed here");
    says("CC=gcc CFLAGS=-Ofast $NNC --diagnostics-format=json --verify net.nn", 2, "\"code\": \"verify\"");
    says("chmod +x foreign ending; CC=./foreign $NNC --verify net.nn", 2, "for --target=generic, compiled with ./foreign");
    says("EMULATOR=false $NNC --verify --target=scalar net.nn", 1, "WRONG: it ended with the exit status 1");
    says("EMULATOR=env $NNC --verify --target=scalar net.nn", 0, "\nnetwork ");
    says("TMPDIR=$PWD/none $NNC --verify net.nn", 2, "cannot make a folder in ");
    says("$NNC --verify=some net.nn", 2, "must be one of auto|full|tile|none|all");
    process p = shell_run(SCRATCH, TCC, "CC=./ending $NNC --verify --target=scalar net.nn");
    check(p.status == 143 || p.status == -15, "ended by a signal: %d", p.status);
    for (int wait = 0; wait < 100 && folder_count(SCRATCH "/tmp") != 0; wait++)
        usleep(10000);
    check(folder_count(SCRATCH "/tmp") == 0, "an interrupted run leaves files");
    process_free(&p);
}

void add_verify_suite(void)
{
    static CU_TestInfo tests[] = {
        {"good networks", networks},
        {"faults are found", found},
        {"compilers and machines", surroundings},
        CU_TEST_INFO_NULL,
    };
    add_suite("verify", NULL, NULL, tests);
}
