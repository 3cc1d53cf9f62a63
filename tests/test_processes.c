/* test_processes.c: the program around a network as several processes (nnc --main=mpi, libnnmpi.a), on this machine.
 *
 * What runs give is compared as files of weights, to the byte. The network has all that makes a run depend on more than its
 * weights, and a test takes several waves of calls. mpirun is told that it may be root and start more processes than there are cores. */
#include "nn.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "build/tests/tmp/processes"
#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)

static process shell(const char *command)
{
    return shell_run(FOLDER,
                     "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_ALLOW_RUN_AS_ROOT=1 "
                     "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
                     "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe "
                     "OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_hwloc_base_binding_policy=none;", command);
}

static void ends_at(int line, int status, const char *command)
{
    process run = shell(command);
    check(run.status == status, line, "%s\n      ends with %d, not %d:\n%s%s", command, run.status, status, run.out, run.err);
    process_free(&run);
}
#define succeeds(command) ends_at(__LINE__, 0, command)

/* 600 lines of two numbers and a class. */
static void write_data(void)
{
    char text[600 * 40];
    size_t used = 0;
    uint64_t rng = 3;
    for (int i = 0; i < 600; i++) {
        float a = nn_normal(&rng), b = nn_normal(&rng);
        used += (size_t)snprintf(text + used, sizeof text - used, "%.4f,%.4f,%d\n", (double)a, (double)b, (a > b) + (a > 0));
    }
    file_write(FOLDER "/data.csv", text, used);
}

#define NETWORK "printf 'input 2; batch 4; fc 12; batchnorm; tanh; dropout 0.2; fc 3; softmax' | $NNC --unroll=none"
#define LIBRARIES "-L$ROOT/build -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread"

static bool mpi_there(void)
{
    return command_succeeds("mpicc -show && mpirun --version && test -f build/libnnmpi.a");
}

/* ./alone without MPI, ./net with the MPI of libnnmpi.a, as the head of net.c says. */
static int start(void)
{
    folder_make(FOLDER);
    folder_make(FOLDER "/empty");
    write_data();
    int status = 0;
    const char *const programs[] = {
        NETWORK " --main -o alone.c - && ${CC:-cc} -O1 -DNN_ANY_PROCESSOR -I$ROOT/runtime alone.c " LIBRARIES " -o alone",
        NETWORK " --main=mpi -o net.c - && mpicc -O1 -DNN_ANY_PROCESSOR -I$ROOT/runtime net.c -L$ROOT/build -lnnmpi " LIBRARIES
                " -o net",
    };
    for (int i = 0; !status && i < 1 + mpi_there(); i++) {
        process run = shell(programs[i]);
        status = run.status;
        if (status)
            fprintf(stderr, "%s%s", run.out, run.err);
        process_free(&run);
    }
    return status;
}

/* Any number of processes, with any number of threads: of 15 shards, which is more than fit evenly, and of 2, of which the third
 * and fourth process get none. */
static void test_bits_by(const char *mpirun, const char *net, const char *counts)
{
    static const char *const options[] = {"--batch 60 --shard 4 --clip 0.5 --average 0.9", "--batch 8 --shard 4 --optimizer momentum"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char command[800];
        snprintf(command, sizeof command,
                 "set -- train data.csv --split 0.5 --epochs 2 --log log.csv %s; ./alone \"$@\" --quiet -o alone.safetensors && "
                 "cut -d, -f1-5 log.csv >alone.csv && for n in %s; do rm -f net.safetensors; "
                 "%s -n $n %s \"$@\" --quiet --threads $((n %% 2 + 1)) -o net.safetensors && cmp alone.safetensors net.safetensors && "
                 "cut -d, -f1-5 log.csv | cmp alone.csv - || exit; done", options[i], counts, mpirun, net);
        succeeds(command);
    }
}

static void test_bits(void)
{
    test_bits_by("mpirun", "./net", "1 2 3 4");
}

/* The one file around MPI goes with another MPI. */
static void test_mpich(void)
{
    succeeds("mpicc.mpich -O1 -DNN_ANY_PROCESSOR -I$ROOT/runtime net.c $ROOT/runtime/kit/nnmpi.c " LIBRARIES " -o net_mpich");
    test_bits_by("mpirun.mpich", "./net_mpich", "4");
}

/* A killed process ends the others, and the checkpoint goes on with another number of them to the same bits. */
static void test_death(void)
{
    succeeds("set -- train data.csv --batch 20 --shard 3 --epochs 400 --quiet --every 5 --checkpoint c; rm -f c\n"
             "mpirun -n 2 sh -c 'echo $$ >>pids; exec ./net \"$@\"' net \"$@\" -o cut.safetensors 2>err & \n"
             "n=0; until [ -f c ] || [ $n = 400 ]; do sleep 0.05; n=$((n + 1)); done; kill -9 $(tail -1 pids); wait $! && exit 3\n"
             "[ $(wc -c <err) -gt 50 ] || exit 4\n" /* mpirun says which process ended, and how */
             "./alone \"$@\" --resume --epochs 1 -o cut.safetensors; cp c d\n"
             "mpirun -n 3 ./net \"$@\" --checkpoint d --resume --epochs 4 -o three.safetensors && "
             "./alone \"$@\" --resume --epochs 4 -o one.safetensors && cmp one.safetensors three.safetensors");
}

/* What is wrong in one process, and what is wrong in all, is said once, and all end. */
static void test_messages(void)
{
    succeeds("mpirun -n 2 ./net train nothing >out 2>err; [ $? = 1 ] && "
             "[ \"$(grep -c 'nothing: cannot open it: No such file' err)\" = 1 ] && "
             "mpirun -n 2 ./net trian x 2>err; [ $? = 2 ] && [ \"$(grep -c 'did you mean train' err)\" = 1 ]");
    succeeds("mpirun -n 2 sh -c 'if mkdir taken 2>/dev/null; then cd empty; exec ../net \"$@\"; fi; "
             "exec ./net \"$@\"' net train data.csv -o x.safetensors >out 2>err; [ $? = 1 ] && "
             "[ \"$(grep -c 'data.csv: cannot open it: No such file' err)\" = 1 ]");
    succeeds("./alone train data.csv --allreduce 2>err; [ $? = 2 ] && "
             "grep -q 'allreduce is for several processes: nnc --main=mpi, and mpirun' err");
}

/* MPI's own sum learns, too. */
static void test_allreduce(void)
{
    succeeds("mpirun -n 3 ./net train data.csv --shard 4 --epochs 6 --lr 0.02 --quiet --allreduce -o all.safetensors && "
             "./alone train data.csv --shard 4 --epochs 6 --lr 0.02 --quiet -o one.safetensors && "
             "for w in all one; do ./alone eval data.csv --weights $w.safetensors | head -1 | cut -c1-22; done >losses && cat losses && "
             "[ $(uniq losses | wc -l) = 1 ]");
}

/* Other commands run in one process. The head of net.c says how it was compiled. */
static void test_library(void)
{
    succeeds("mpirun -n 2 ./net info | grep -c '^network  ' | grep -qx 1 && "
             "grep -q '^ \\* Compile with: mpicc .* net.c -lnnmpi -lnnkit -lnn' net.c");
}

static bool mpich_there(void)
{
    return mpi_there() && command_succeeds("mpicc.mpich -show && mpirun.mpich --version");
}

void add_processes_suite(void)
{
    static CU_TestInfo tests[] = {
        {"1, 2, 3 and 4 processes give the same bits", test_bits},
        {"so do those of MPICH", test_mpich},
        {"a process that dies", test_death},
        {"messages come once", test_messages},
        {"--allreduce", test_allreduce},
        {"commands, and the compile line", test_library},
        CU_TEST_INFO_NULL,
    };
    static const test_need mpi = {mpi_there, "mpicc, mpirun, and libnnmpi.a built by them", "openmpi-bin libopenmpi-dev"};
    static const test_need mpich = {mpich_there, "MPICH as Debian has it", "mpich libmpich-dev"};
    add_suite("processes", start, NULL, tests);
    for (CU_TestInfo *test = tests; test->pName; test++)
        add_need("processes", test->pName, test->pTestFunc == test_mpich ? &mpich : &mpi);
}
