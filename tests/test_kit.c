/* test_kit.c: the program around a network (nnc --main, libnnkit.a), run as users run it on data drawn here.
 *
 * The network has all that makes a run depend on more than its weights: batchnorm's statistics, dropout, an order of
 * the samples. What runs give is compared as files of weights, to the byte. */
#include "engine.h"
#include "nnkit.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    return shell_run(FOLDER, "TRAIN=train-images-idx3-ubyte TEST=t10k-images-idx3-ubyte;", command);
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
static int make_program(const char *name, const char *network)
{
    char command[1000];
    snprintf(command, sizeof command,
             "printf '%s' | $NNC --main --unroll=none -o %s.c - && ${CC:-cc} -O1 -DNN_ANY_PROCESSOR -I$ROOT/runtime %s.c "
             "-L$ROOT/build -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread -o %s", network, name, name, name);
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
    folder_make(FOLDER "/by_hand");
    write_pictures("train", 301, 1);
    write_pictures("t10k", 100, 2);
    return make_program("net", "input 1x8x8\\nconv 4 k3 p1; batchnorm; relu; maxpool 2; dropout 0.2\\nfc 4; softmax")
        || make_program("other", "input 1x8x8; batch 16\\nfc 8; relu; fc 4; softmax")
        || make_program("sum", "input 2; fc 8; tanh; fc 1") || make_program("own", "input 2; fc 8; tanh; fc 1; loss none");
}

/* ---- The tests ---------------------------------------------------------------------------------------- */

/* 301 samples leave a rest of one in a shard of 20 and of 8, which batchnorm can't take alone. */
static void test_threads(void)
{
    static const char *const options[] = {
        "--batch 50 --shard 8", "--batch 100 --shard 20 --clip 0.5 --average 0.9", "--batch 32 --optimizer momentum",
        "--batch 301 --shard 3 --schedule onecycle --augment shift=1",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char command[500];
        snprintf(command, sizeof command,
                 "for n in 1 2 3 8; do ./net train $TRAIN --test $TEST --epochs 3 --quiet --threads $n -o $n.safetensors %s && "
                 "cmp 1.safetensors $n.safetensors || exit; done", options[i]);
        succeeds(command);
    }
}

/* However it ends and however often, a run that goes on gives what one gives that was left alone. */
static void test_resume(void)
{
    static const char *const options[] = {
        "--optimizer sgd", "--optimizer momentum --nesterov --schedule cosine", "--optimizer adagrad --warmup 20",
        "--optimizer rmsprop --momentum 0.5 --average 0.95", "--optimizer adam --clip 0.1 --schedule step",
        "--optimizer adamw --split 0.2 --average 0.9 --augment flip,noise=0.1,rotate=10",
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

/* A step is that of the whole batch, with what net_backward and nn_step give when they are called by hand, and the same bits for
 * each number of threads; also where labels are not counted, in all of a shard or in a part, and where classes have weights. */
static void test_steps(void)
{
    static const char *const losses[] = {"", "; loss crossentropy weights=1,0.5,2,3 smooth=0.1"};
    for (int i = 0; i < 2; i++) {
        char command[1000];
        snprintf(command, sizeof command,
                 "printf 'input 6; fc 16; tanh; fc 4; softmax%s' | $NNC -o by_hand/net.c - && cd by_hand && "
                 "${CC:-cc} -O1 -DNN_ANY_PROCESSOR -I. -I$ROOT/runtime -I$ROOT/runtime/kit -o steps $ROOT/tests/helpers/steps.c net.c "
                 "-L$ROOT/build -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread && for ignored in 0 20 70; do "
                 "./steps 1 $ignored >one && ./steps 2 $ignored >two && ./steps 3 $ignored >three && cmp one two && cmp one three "
                 "|| { cat one; exit 1; }; done", losses[i]);
        succeeds(command);
    }
}

/* Ctrl-C saves, says how to go on, and the run that goes on gives the same. */
static void test_interruption(void)
{
    succeeds("./net train $TRAIN --epochs 60 --quiet --batch 30 -o whole.safetensors && rm -f net.checkpoint");
    /* Too early, and it has not yet asked to be told; too late, and it has ended: until it says that it was interrupted. */
    succeeds(": >err; ms=20 tries=0; until grep -q './net: interrupted in epoch [0-9]* and saved; to go on, type the same with "
             "--resume --checkpoint net.checkpoint' err; do [ $((tries += 1)) -lt 200 ] || exit 1; "
             "timeout --preserve-status -s INT $((ms / 1000)).$(printf %03d $((ms % 1000))) ./net train $TRAIN --epochs 60 --quiet "
             "--batch 30 -o parts.safetensors 2>err && ms=$((ms / 2 + 1)) || ms=$((ms + 9)); done; "
             "./net train $TRAIN --epochs 60 --quiet --batch 30 -o parts.safetensors --resume --checkpoint net.checkpoint && "
             "cmp whole.safetensors parts.safetensors");
}

/* What a checkpoint is not for, and a damaged one. */
static void test_checkpoints(void)
{
    succeeds("./net train $TRAIN --epochs 2 --quiet --checkpoint k -o k.safetensors");
    says(1, "./net train $TRAIN --epochs 2 --quiet --checkpoint none --resume",
         "./net: none: cannot read: No such file or directory; check the path\n");
    says(1, "./net train $TRAIN --quiet --checkpoint k --resume --batch 32",
         "./net: k was made with --batch 64: leave it out, or begin anew\n");
    says(1, "./net train $TRAIN --quiet --checkpoint k --resume --nesterov",
         "./net: k was made without --nesterov: leave it out, or begin anew\n");
    says(1, "./net train $TEST --quiet --checkpoint k --resume",
         "./net: k was made with 301 samples; t10k-images-idx3-ubyte has 100\n");
    says(1, "head -c 2000 k > short; ./net train $TRAIN --quiet --checkpoint short --resume",
         "./net: short: this checkpoint is damaged: its checksum does not agree\n");
    says(1, "echo no > bad; ./net train $TRAIN --quiet --checkpoint bad --resume", "./net: bad: this is no checkpoint\n");
    says(1, "./other train $TRAIN --quiet --checkpoint k --resume",
         "./other: k: this checkpoint is of another network, or of the same compiled with other options\n");
    /* More epochs, after it is done. */
    succeeds("./net train $TRAIN --epochs 4 --quiet --checkpoint k -o k.safetensors --resume --log k.csv && "
             "./net train $TRAIN --epochs 4 --quiet -o whole.safetensors && cmp k.safetensors whole.safetensors && "
             "test $(wc -l < k.csv) = 5");
}

/* Each option has its effect. */
static void test_options(void)
{
    static const char *const change[] = {
        "--batch 32", "--optimizer adamw", "--optimizer sgd --momentum 0.9", "--lr 0.002", "--weight-decay 0.1",
        "--optimizer momentum --nesterov", "--schedule step", "--schedule cosine", "--schedule onecycle", "--warmup 5",
        "--clip 0.1", "--average 0.5", "--seed 2", "--shard 8", "--no-scale", "--scale 0.1", "--split 0.5", "--epochs 4",
        "--weights out.safetensors", "--augment noise=0.1",
    };
    succeeds("./net train $TRAIN --epochs 3 --quiet --output out.safetensors");
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        char command[400];
        snprintf(command, sizeof command,
                 "./net train $TRAIN --epochs 3 --quiet %s -o changed.safetensors && ! cmp -s out.safetensors changed.safetensors",
                 change[i]);
        succeeds(command);
    }
    prints("./net train $TRAIN --test $TEST --epochs 500 --lr 0.1 --patience 2", "no better epoch for 2: stopped\n");
    prints("./net train $TRAIN --split 0.25 --epochs 1", "226 samples for training, 75 for testing");
    prints("./net train $TRAIN --epochs 1 --quiet | wc -c", "0\n");
    prints("./net predict $TEST --weights out.safetensors --top 2 | head -1", "t10k-images-idx3-ubyte[0]  ");
    succeeds("./net predict $TEST $TEST --weights out.safetensors --format npy > y.npy && test $(wc -c < y.npy) = $((128 + 200 * 16))");
    says(2, "./net train $TRAIN --nesterov", "./net: --nesterov needs --optimizer momentum, or sgd with --momentum\n");
    says(2, "./net train $TRAIN --momentum 0.5", "./net: --momentum is for sgd, momentum and rmsprop; adam has none\n");
    says(2, "./net train $TRAIN --patience 3", "./net: --patience needs a test: --test DATA or --split F\n");
    says(2, "./net train $TRAIN --shard 33",
         "./net: a shard of 33 samples: must be 1 to 32, the most samples in a call of this network; compile it with "
         "--batch=33 or more\n");
    says(2, "./net train $TRAIN --shard 1",
         "./net: a shard of 1 sample: batchnorm takes the variance of a shard's samples, and one has none\n");
    says(2, "./net train $TRAIN --augment flip,", "./net: augment: something is missing behind the last comma\n");
    says(2, "./net train $TRAIN --split 0.001", "./net: --split 0.001 of 301 samples leaves none to test with\n");
    says(2, "./net train $TRAIN --test $TEST --split 0.1", "./net: --test and --split: one of them says what to test with\n");
}

/* A loss that is no number stops the run, and its weights are not kept. */
static void test_divergence(void)
{
    succeeds("rm -f nan.safetensors; ./other train $TRAIN --optimizer sgd --lr 1e20 -o nan.safetensors 2>err; "
             "test $? = 1 && test ! -f nan.safetensors && grep -q '^./other: the loss is [NiIaf].* in step [0-9]*, epoch 1: "
             "the numbers first aren.t finite in fc[12] or right behind it; the greatest weight, .*, is in fc[12]\\.[a-z]*. A smaller "
             "--lr or --clip 1 may help$' err || grep -q '^./other: the gradient of fc[12]\\.[a-z]* was NaN or infinite in step "
             "[0-9]*, epoch 1. A smaller --lr or --clip 1 may help$' err");
    /* Numbers of 1e25 are finite up to their product, which stands behind the second of three layers. */
    CU_ASSERT_EQUAL_FATAL(make_program("product", "input 2\\na: fc 4\\nfc 4; mul a; fc 1"), 0);
    succeeds("printf '1,2,3\\n4,5,6\\n' >big.csv; ./product train big.csv --scale 1e25 --quiet -o nan.safetensors 2>err; test $? = 1 && "
             "grep -q 'the loss is [NiIaf]* in step 1, epoch 1: the numbers first aren.t finite in fc2 or right behind it; the greatest' err");
}

/* With data next to 0 only the bias learns: no decay reaches it, but the weights. */
static void test_decay(void)
{
    CU_ASSERT_EQUAL_FATAL(make_program("decay", "input 1x8x8; fc 4; softmax"), 0);
    succeeds("set -- train $TRAIN --scale 1e-30 --epochs 2 --quiet; ./decay \"$@\" -o none.safetensors && "
             "./decay \"$@\" --weight-decay 0.1 --optimizer adamw --no-decay-on-vectors -o some.safetensors && "
             "./decay \"$@\" --weight-decay 0.1 --optimizer adamw -o all.safetensors && for w in none some all; do "
             "for f in 1e-30 1; do ./decay predict $TEST --weights $w.safetensors --scale $f --format csv >$w.$f || exit; done; done; "
             "cmp none.1e-30 some.1e-30 && ! cmp -s none.1 some.1 && ! cmp -s none.1e-30 all.1e-30");
    says(2, "./decay train $TRAIN --no-decay-on-vectors",
         "./decay: --no-decay-on-vectors needs --weight-decay, or --optimizer adamw\n");
}

/* Yes-or-no answers are judged as such: classes, where one of them is yes; one alone; and several at once. */
static void test_yes_or_no(void)
{
    CU_ASSERT_EQUAL_FATAL(make_program("each", "input 1x8x8; fc 4; sigmoid"), 0);
    CU_ASSERT_EQUAL_FATAL(make_program("one", "input 2; fc 1; loss bce"), 0);
    CU_ASSERT_EQUAL_FATAL(make_program("two", "input 1; fc 2; loss bce"), 0);
    prints("./each train $TRAIN --test $TEST --epochs 30 --lr 0.01 | tail -1", "% right; its weights");
    prints("./each eval $TEST --weights each.safetensors", "\nclass ");
    succeeds("awk 'BEGIN { for (i = 0; i < 60; i++) print i % 3 \",\" i % 5 \",\" (i % 3 > 1) }' >yes.csv; "
             "awk 'BEGIN { for (i = 0; i < 60; i++) print i % 4 \",\" (i % 4 > 1) \",\" (i % 4 > 2) }' >both.csv");
    succeeds("./one train yes.csv --epochs 150 --lr 0.1 --quiet; ./two train both.csv --label 2,3 --epochs 300 --lr 0.1 --quiet");
    prints("./one eval yes.csv --weights one.safetensors", "100.00 % right (60 of 60)");
    prints("./one eval yes.csv --weights one.safetensors --json", "\"accuracy\": 1, \"classes\": [{\"name\": \"0\", \"samples\": 40");
    prints("./two eval both.csv --label 2,3 --weights two.safetensors", "100.00 % right (120 of 120)\n");
}

static nn_trainer *timed;
static bool slow;

/* Pretends to be a step that several threads only hinder, or one that takes long. */
static float take_time(void *params, void *work, int n, const void *x, const void *t, void *gradients)
{
    const struct timespec pause = {0, slow || timed->threads > 1 ? 1500000 : 10000};
    (void)params, (void)work, (void)n, (void)x, (void)t;
    memset(gradients, 0, 64);
    nanosleep(&pause, NULL);
    return 1;
}

static void set_rng(void *work, uint64_t rng)
{
    (void)work, (void)rng;
}

static int read_nothing(const void *data, size_t index, float *x, void *t)
{
    (void)data, (void)index;
    *x = 0;
    *(float *)t = 0;
    return 0;
}

/* The first steps are measured: the team stays at one where that is faster, and works where a step takes milliseconds. */
static void test_measured(void)
{
    static const nn_model model = {.name = "net", .input = 1, .output = 1, .targets = 1, .batch = 4, .floats = 16, .params_bytes = 64,
                                   .work_bytes = 64, .backward = take_time, .set_rng = set_rng};
    const nn_source source = {read_nothing, NULL};
    const size_t samples[4] = {0};
    for (int i = 0; i < 2; i++) {
        const nn_trainer_options options = {.optimizer = nn_sgd(0.1f), .batch = 4, .shard = 1};
        float loss;
        slow = i == 1;
        timed = nn_trainer_open(&model, &options);
        CU_ASSERT_PTR_NOT_NULL_FATAL(timed);
        for (int step = 0; step < 20; step++)
            CU_ASSERT_EQUAL(nn_trainer_step(timed, &source, samples, 4, &loss), 0);
        CU_ASSERT(timed->trial.settled);
        CU_ASSERT_EQUAL(timed->threads, slow ? nn_team_threads(timed->team) : 1);
        nn_trainer_close(timed);
    }
}

static void answer_itself(const void *params, void *work, int n, const void *x, float *y)
{
    (void)params, (void)work;
    memcpy(y, x, (size_t)n * 6 * sizeof *y);
}

static int read_two(const void *data, size_t index, float *x, void *t)
{
    static const float numbers[2][6] = {{0, 5, 1, 9, 2, 3}, {7, 1, 2, 0, 1, 2}};
    static const int labels[2][2] = {{1, 0}, {0, 2}};
    (void)data;
    memcpy(x, numbers[index], sizeof numbers[index]);
    memcpy(t, labels[index], sizeof labels[index]);
    return 0;
}

/* An answer has its positions first in a sequence, its classes first in an image. */
static void test_positions(void)
{
    nn_model model = {.input_shape = {2, 3, 0}, .input = 6, .output = 6, .targets = 2, .int_targets = 1, .batch = 2,
                      .params_bytes = 64, .work_bytes = 64, .forward = answer_itself};
    const nn_source source = {read_two, NULL};
    nn_evaluation e;
    CU_ASSERT_EQUAL_FATAL(nn_evaluate(&model, NULL, NULL, &source, NULL, 2, &e), 0);
    CU_ASSERT_EQUAL(e.labels, 4);
    CU_ASSERT_EQUAL(e.right, 4);
    nn_evaluation_release(&e);
    model.input_shape[0] = 3, model.input_shape[1] = 1, model.input_shape[2] = 2;
    CU_ASSERT_EQUAL_FATAL(nn_evaluate(&model, NULL, NULL, &source, NULL, 2, &e), 0);
    CU_ASSERT_EQUAL(e.right, 2); /* the columns 0 1 2 and 5 9 3 say 2 and 1, but 7 2 1 and 1 0 2 rightly 0 and 2 */
    nn_evaluation_release(&e);
}

/* Texts: a network of tokens learns lines of "abc" and says it, token by token where it can be streamed, else by windows; the
 * test is the end of the text; windows begin elsewhere in each epoch, and the bits stay those of one thread. */
static void test_texts(void)
{
    CU_ASSERT_EQUAL_FATAL(make_program("talk", "input 8 of 4; embedding 8; attention 2 causal=true; fc 4; softmax"), 0);
    CU_ASSERT_EQUAL_FATAL(make_program("window", "input 8 of 4; embedding 8; flatten; fc 4; softmax"), 0);
    succeeds("grep -q talk_next talk.h && ! grep -q window_next window.h");
    succeeds("awk 'BEGIN { for (i = 0; i < 175; i++) print \"abc\" }' >abc.txt; gzip -c abc.txt >abc.txt.gz; printf 'abc\\n' >abc");
    prints("./talk train abc.txt.gz --alphabet abc --split 0.1 --epochs 30 --lr 0.02 --batch 16 --seed 2",
           "78 samples for training, 9 for testing"); /* 700 characters are 87 windows of 8, and one behind them */
    succeeds("for n in 1 3; do ./talk train abc.txt --alphabet abc --split 0.1 --epochs 3 --batch 16 --shard 4 --threads $n --quiet "
             "-o $n.safetensors || exit; done; cmp 1.safetensors 3.safetensors");
    prints("./talk generate --weights talk.safetensors --prompt abc --length 12 --temperature 0", "abc\nabc\nabc\nabc\n");
    succeeds("./window train abc.txt --alphabet abc --epochs 30 --lr 0.02 --batch 16 --quiet");
    prints("./window generate --weights window.safetensors --prompt abc --length 12 --temperature 0", "abc\nabc\nabc\nabc\n");
    succeeds("./talk generate --weights talk.safetensors --length 100 --temperature 90 --seed 1 >1.txt; ./talk generate "
             "--weights talk.safetensors --length 100 --temperature 90 --seed 2 >2.txt; test $(wc -c <1.txt) = 101 && ! cmp -s 1.txt 2.txt");
    prints("./talk generate --weights talk.safetensors --prompt abc --length 12 --temperature 90 --top-k 1", "abc\nabc\nabc\nabc\n");
    prints("./talk eval abc.txt --weights talk.safetensors", "87 samples, loss 0."); /* the weights know their alphabet */
    says(1, "printf 'abc\\nabd' >abd; ./talk train abd --alphabet abc",
         "./talk: abd: line 2, column 3: the character 'd' is not in the alphabet; add it, and write `input 8 of 5`\n");
    says(1, "./talk generate --weights talk.safetensors --prompt 'a\303\244'",
         "./talk: --prompt: line 1, column 2: the character '\303\244' is not in the alphabet; add it, and write `input 8 of 5`\n");
    says(1, "./talk train abc.txt", "./talk: abc.txt: line 1, column 1: the byte 97, but the network's tokens are 0 to 3; write "
         "`input 8 of 256`, or give an --alphabet\n");
    says(1, "./talk train abc.txt --alphabet abd", "./talk: abd: it has 5 symbols, but the network's tokens are 4; write `input 8 of 5` "
         "in the .nn file\n");
    says(1, "./talk train abc --alphabet abc", "./talk: abc: it has 4 tokens; a window takes 8 and the one behind them\n");
    says(2, "./net generate --weights out.safetensors", "./net: generate is for networks of tokens that say the next one: `input T of V` "
         "and at the end `fc V; softmax`\n");
}

static int read_window(const nn_data *data, size_t index, size_t shift)
{
    int x[4], t[4];
    CU_ASSERT_EQUAL(nn_data_read_shifted(data, index, shift, (float *)(void *)x, t), 0);
    for (int i = 1; i < 4; i++)
        CU_ASSERT(x[i] == x[0] + i && t[i] == x[i] + 1);
    return x[0];
}

/* Windows follow each other, shifted ones too, and the last ends with the text. */
static void test_windows(void)
{
    static const nn_model model = {.name = "net", .vocabulary = 256, .input = 4, .targets = 4, .int_targets = 1, .output = 1024};
    char text[15];
    for (int i = 0; i < 15; i++)
        text[i] = (char)(65 + i);
    file_write(FOLDER "/windows", text, sizeof text);
    nn_data *data = nn_data_open(FOLDER "/windows", &model, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    CU_ASSERT_EQUAL(nn_data_count(data), 3);
    CU_ASSERT_EQUAL(read_window(data, 1, 0), 65 + 4);
    CU_ASSERT_EQUAL(read_window(data, 1, 3), 65 + 7);
    CU_ASSERT_EQUAL(read_window(data, 2, 0), 65 + 8);
    CU_ASSERT_EQUAL(read_window(data, 2, 3), 65 + 10);
    nn_data_close(data);
}

/* Weights know the names of the classes, whatever classes the data for the test has. */
static void test_names(void)
{
    succeeds("awk 'BEGIN { for (i = 0; i < 90; i++) print i % 3 \",\" i % 2 \",\" (i % 3 == 0 ? \"green\" : i % 3 == 1 ? \"red\" "
             ": \"a blue\") }' | sed 's/green/\"green, \\\\\"/' >words.csv; grep red words.csv >red.csv");
    CU_ASSERT_EQUAL_FATAL(make_program("words", "input 2; fc 8; tanh; fc 3; softmax"), 0);
    succeeds("./words train words.csv --epochs 80 --lr 0.05 --quiet");
    prints("./words eval red.csv --weights words.safetensors", "30 samples, loss 0.");
    prints("./words eval red.csv --weights words.safetensors", "100.00 % right");
    prints("./words predict red.csv --weights words.safetensors | head -1", "red.csv[0]  red (0.9");
    prints("./words predict words.csv --weights words.safetensors --top 1 | head -1", "words.csv[0]  green, \\ (0.9");
}

/* Networks of numbers, and those that can't be trained here. */
static void test_kinds(void)
{
    succeeds("awk 'BEGIN { for (i = 0; i < 200; i++) printf \"%d,%d,%d\\n\", i % 5, i % 7, 2 * (i % 5) - i % 7 }' > sum.csv");
    succeeds("./sum train sum.csv --split 0.2 --epochs 60 --lr 0.02 --quiet");
    prints("./sum eval sum.csv --weights sum.safetensors", "R2 0.99");
    prints("./sum eval sum.csv --weights sum.safetensors --json", "{\"samples\": 200, \"loss\": ");
    prints("./sum predict sum.csv --weights sum.safetensors --format csv | wc -l", "200\n");
    prints("./sum check", "the gradients are right\n");
    prints("./own check", "the gradients are right\n");
    says(2, "./own train sum.csv", "./own: the network has `loss none`: train it by a loop of your own (nn.h)\n");
    says(2, "./own eval sum.csv --weights sum.safetensors",
         "./own: the network has `loss none`: it has no targets to be held against\n");
}

/* What is wrong is said in one line, with what to do, and nothing is written. */
static void test_messages(void)
{
    says(2, "./net", "./net: no command given; ./net --help lists them\n");
    says(2, "./net trian $TRAIN",
         "./net: unknown command trian; did you mean train; it must be train, eval, predict, generate, check or info\n");
    says(2, "./net train", "./net: no DATA given; the usage is: ./net train DATA [options]\n");
    says(2, "./net train $TRAIN $TEST", "./net: several DATA given: join them with commas\n");
    says(2, "./net train $TRAIN --epoch 3", "./net: unknown option --epoch; did you mean --epochs; ./net --help lists them\n");
    says(2, "./net eval $TRAIN --epochs 3", "./net: --epochs is no option of this command; ./net --help lists them\n");
    says(2, "./net train $TRAIN --epochs", "./net: --epochs needs a value: --epochs N\n");
    says(2, "./net train $TRAIN --quiet=1", "./net: --quiet takes no value\n");
    says(2, "./net train $TRAIN --epochs 1.5", "./net: --epochs 1.5: must be a whole number from 1 to 1000000\n");
    says(2, "./net train $TRAIN --lr fast", "./net: --lr fast: must be a number\n");
    says(2, "./net train $TRAIN --scale 0", "./net: --scale 0: must be from 1e-37 to 1e+37\n");
    says(2, "./net train $TRAIN --split 2", "./net: --split 2: must be from 0 to 0.999\n");
    says(2, "./net train $TRAIN --schedule cos", "./net: --schedule cos: must be one of constant|step|cosine|onecycle\n");
    says(1, "./net train nothing", "./net: nothing: cannot open it: No such file or directory; check the path\n");
    says(1, "./net eval $TEST --weights log", "./net: log: cannot open: No such file or directory; check the path\n");
    says(2, "./net train $TRAIN --quiet -o no/where",
         "./net: no/where: cannot write: No such file or directory; check the path\n");
    says(2, "./net train $TRAIN --quiet --log no/where",
         "./net: no/where: cannot write: No such file or directory; check the path\n");
    says(2, "./net eval $TRAIN", "./net: no weights given: --weights FILE says which\n");
}

/* Each command does what it says; and no option of --help is left out by the tests of programs. */
static void test_commands(void)
{
    succeeds("! ./net --help | grep -o -- ' --[a-z-]*' | sort -u | while read -r o; do grep -q -e \"$o[ \\\"]\" "
             "$ROOT/tests/test_kit.c $ROOT/tests/test_processes.c || echo \"$o\"; done | grep .");
    succeeds("./net train $TRAIN --test $TEST --epochs 12 --lr 0.01 --log log.csv --plot plot.svg > out");
    prints("cat out", "301 samples for training, 100 for testing; 308 weights; adam, batches of 64\n");
    prints("cat out", "its weights are in net.safetensors\n");
    prints("head -1 log.csv", "epoch,learning_rate,loss,test_loss,accuracy,seconds,images_per_second\n");
    prints("wc -l log.csv", "13 log.csv\n");
    prints("tail -1 plot.svg", "</svg>\n");
    prints("cut -d, -f4 log.csv | sed 1d | awk '$1 > 0 && $1 < 2' | wc -l", "12\n");
    prints("./net eval $TEST --weights net.safetensors", "100 samples, loss 0.0");
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
        {"a step is that of the whole batch", test_steps},
        {"Ctrl-C saves", test_interruption},
        {"checkpoints that don't fit", test_checkpoints},
        {"options", test_options},
        {"a loss that is NaN", test_divergence},
        {"weight decay without vectors", test_decay},
        {"yes-or-no answers", test_yes_or_no},
        {"the first steps are measured", test_measured},
        {"positions and classes", test_positions},
        {"numbers for targets, and no loss", test_kinds},
        {"texts", test_texts},
        {"windows of a text", test_windows},
        {"names of classes", test_names},
        {"messages", test_messages},
        {"train, eval, predict, check, info", test_commands},
        CU_TEST_INFO_NULL,
    };
    add_suite("kit", start, NULL, tests);
}
