/* test_kit.c: the program around a network (nnc --main, libnnkit.a), run as users run it on data drawn here.
 *
 * The network has all that makes a run depend on more than its weights: batchnorm's statistics, dropout, an order of
 * the samples. What runs give is compared as files of weights, to the byte. */
#include "nn.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "build/tests/tmp/kit"
#define check(good, line, ...) check_at(__FILE__, line, good, __VA_ARGS__)

/* ---- Data and programs -------------------------------------------------------------------------------- */

/* n pictures of 8x8 and their labels: a bright square whose place is the class, and noise. */
static void write_pictures(const char *name, int n, uint64_t seed)
{
    unsigned char *images = calloc(1, (size_t)n * 64 + 16), *labels = calloc(1, (size_t)n + 8);
    const unsigned char head[16] = {0, 0, 8, 3, 0, 0, (unsigned char)(n >> 8), (unsigned char)n, 0, 0, 0, 8, 0, 0, 0, 8};
    char path[200];
    if (!images || !labels)
        abort();
    memcpy(images, head, 16);
    memcpy(labels, head, 8);
    labels[3] = 1;
    for (int i = 0; i < n; i++) {
        int label = (int)(nn_bits(&seed) % 4);
        labels[8 + i] = (unsigned char)label;
        for (int k = 0; k < 64; k++) {
            int inside = k / 8 / 4 == label / 2 && k % 8 / 4 == label % 2;
            images[16 + i * 64 + k] = (unsigned char)(nn_bits(&seed) % 128 + (inside ? 60 : 0));
        }
    }
    snprintf(path, sizeof path, FOLDER "/%s-images-idx3-ubyte", name);
    file_write(path, (char *)images, (size_t)n * 64 + 16);
    snprintf(path, sizeof path, FOLDER "/%s-labels-idx1-ubyte", name);
    file_write(path, (char *)labels, (size_t)n + 8);
    free(images);
    free(labels);
}

/* Runs a line of shell in FOLDER, where $TRAIN and $TEST are data. */
static process shell(const char *command)
{
    static char text[PATH_MAX * 7];
    snprintf(text, sizeof text, "unset MAKEFLAGS; TRAIN=train-images-idx3-ubyte TEST=t10k-images-idx3-ubyte; %s", command);
    const char *argv[] = {"sh", "-c", text, NULL};
    return process_run(FOLDER, argv, NULL, 0, NULL);
}

/* The line succeeds, or ends with the status given. */
static void ends_at(int line, int status, const char *command)
{
    process run = shell(command);
    check(run.status == status, line, "%s\n      ends with %d, not %d:\n%s%s", command, run.status, status, run.out, run.err);
    process_free(&run);
}
#define succeeds(command) ends_at(__LINE__, 0, command)

/* The line ends with the status, and prints this to stderr. */
static void says_at(int line, int status, const char *command, const char *message)
{
    process run = shell(command);
    check(run.status == status && !strcmp(run.err, message), line, "%s\n      ends with %d, not %d, and says\n%s      not\n%s",
          command, run.status, status, run.err, message);
    process_free(&run);
}
#define says(status, command, message) says_at(__LINE__, status, command, message)

/* It prints this among the rest. */
static void prints_at(int line, const char *command, const char *text)
{
    process run = shell(command);
    check(run.status == 0 && strstr(run.out, text), line, "%s\n      ends with %d and prints\n%s%s      without\n%s", command,
          run.status, run.out, run.err, text);
    process_free(&run);
}
#define prints(command, text) prints_at(__LINE__, command, text)

/* Makes the program NAME of a network. */
static int make_program(const char *name, const char *network, const char *options)
{
    char root[PATH_MAX], command[PATH_MAX * 6];
    if (!realpath(".", root))
        return 1;
    snprintf(command, sizeof command,
             "printf '%s' | %s --main --unroll=none %s -o %s.c - && "
             "${CC:-cc} -O1 -DNN_ANY_PROCESSOR -I%s/runtime %s.c -L%s/build -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o %s",
             network, nnc_path(), options, name, root, name, root, name);
    process run = shell(command);
    if (run.status != 0)
        fprintf(stderr, "%s\n%s", command, run.err);
    int status = run.status;
    process_free(&run);
    return status;
}

static int start(void)
{
    folder_make(FOLDER);
    write_pictures("train", 301, 1);
    write_pictures("t10k", 100, 2);
    return make_program("net", "input 1x8x8\\nconv 4 k3 p1; batchnorm; relu; maxpool 2; dropout 0.2\\nfc 4; softmax", "");
}

/* ---- The tests ---------------------------------------------------------------------------------------- */

/* 301 samples leave a rest of one in a shard of 20 and of 8, which batchnorm can't take alone. */
static void test_threads(void)
{
    static const char *const options[] = {
        "--batch 50 --shard 8", "--batch 100 --shard 20 --clip 0.5 --average 0.9", "--batch 32 --optimizer momentum",
        "--batch 301 --shard 3 --schedule onecycle",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char command[500];
        snprintf(command, sizeof command,
                 "for n in 1 2 3; do ./net train $TRAIN --test $TEST --epochs 3 --quiet --threads $n -o $n.safetensors %s || "
                 "exit; done; cmp 1.safetensors 2.safetensors && cmp 1.safetensors 3.safetensors", options[i]);
        succeeds(command);
    }
}

/* However it ends and however often, a run that goes on gives what one gives that was left alone. */
static void test_resume(void)
{
    static const char *const options[] = {
        "--optimizer sgd", "--optimizer momentum --nesterov --schedule cosine", "--optimizer adagrad --warmup 20",
        "--optimizer rmsprop --momentum 0.5 --average 0.95", "--optimizer adam --clip 0.1 --schedule step",
        "--optimizer adamw --split 0.2 --average 0.9",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char command[1500];
        snprintf(command, sizeof command,
                 "rm -f c *.csv; set -- train $TRAIN --batch 30 --shard 8 --epochs 8 --quiet %s\n"
                 "./net \"$@\" -o whole.safetensors --log whole.csv || exit\n"
                 "again=; n=0; until timeout -s KILL $(printf 0.%%03d $((15 + 3 * n))) ./net \"$@\" -o parts.safetensors "
                 "--checkpoint c --every 3 --log parts.csv --threads $((n %% 3 + 1)) $again; do "
                 "n=$((n + 1)); [ $n -lt 300 ] || exit 3; if [ -f c ]; then again=--resume; fi; done 2>killed\n"
                 "cmp whole.safetensors parts.safetensors && cut -d, -f1-5 whole.csv >w && cut -d, -f1-5 parts.csv | cmp w -",
                 options[i]);
        succeeds(command);
    }
}

/* What is wrong is said in one line, with what to do, and nothing is written. */
static void test_messages(void)
{
    says(2, "./net", "./net: no command given; ./net --help lists them\n");
    says(2, "./net trian $TRAIN",
         "./net: unknown command trian; did you mean train; it must be train, eval, predict, check or info\n");
    says(2, "./net train", "./net: no DATA given; the usage is: ./net train DATA [options]\n");
    says(2, "./net train $TRAIN $TEST", "./net: several DATA given: join them with commas\n");
    says(2, "./net train $TRAIN --epoch 3", "./net: unknown option --epoch; did you mean --epochs; ./net --help lists them\n");
    says(2, "./net eval $TRAIN --epochs 3", "./net: --epochs is no option of this command; ./net --help lists them\n");
    says(2, "./net train $TRAIN --epochs", "./net: --epochs needs a value: --epochs N\n");
    says(2, "./net train $TRAIN --quiet=1", "./net: --quiet takes no value\n");
    says(2, "./net train $TRAIN --epochs 1.5", "./net: --epochs 1.5: must be a whole number from 1 to 1000000\n");
    says(2, "./net train $TRAIN --lr fast", "./net: --lr fast: must be a number\n");
    says(2, "./net train $TRAIN --split 2", "./net: --split 2: must be from 0 to 0.999\n");
    says(2, "./net train $TRAIN --schedule cos", "./net: --schedule cos: must be one of constant|step|cosine|onecycle\n");
    says(2, "./net eval $TRAIN", "./net: no weights given: --weights FILE says which\n");
}

/* Each command does what it says. */
static void test_commands(void)
{
    succeeds("./net train $TRAIN --test $TEST --epochs 12 --lr 0.01 --log log.csv --plot plot.svg > out");
    prints("cat out", "301 samples for training, 100 for testing; 308 weights; adam, batches of 64\n");
    prints("cat out", "its weights are in net.safetensors\n");
    prints("head -1 log.csv", "epoch,learning_rate,loss,test_loss,accuracy,seconds,images_per_second\n");
    prints("wc -l log.csv", "13 log.csv\n");
    prints("tail -1 plot.svg", "</svg>\n");
    prints("./net eval $TEST --weights net.safetensors", "100 samples");
    prints("./net predict $TEST --weights net.safetensors --format csv | wc -l", "100\n");
    prints("./net check", "the gradients are right\n");
    prints("./net info", "parameters         308\n");
    prints("./net eval $TEST --weights net.safetensors --json", "\"accuracy\": 1, \"classes\": [{\"name\": \"0\", ");
}

void add_kit_suite(void)
{
    static CU_TestInfo tests[] = {
        {"1, 2 and 3 threads give the same bits", test_threads},
        {"a killed run goes on to the same bits", test_resume},
        {"messages", test_messages},
        {"train, eval, predict, check, info", test_commands},
        CU_TEST_INFO_NULL,
    };
    add_suite("kit", start, NULL, tests);
}
