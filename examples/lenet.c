/* lenet.c: teaches a network to read digits, and shows what it learned.
 *
 *     lenet [-o FILE] [IMAGES LABELS [COUNT]]
 *
 * Without arguments it draws its own digits (digits.h). Or it reads the two files of a data set in MNIST's
 * format: IMAGES is an idx3-ubyte file of 28 x 28 pictures, LABELS the idx1-ubyte file that says what they
 * show. The first COUNT pictures (four fifths, if left out) are for training, the rest for testing.
 * The weights go to FILE, or to lenet.safetensors beside the program.
 *
 * Everything that the network needs is in four static variables below; the heap holds the data set only.
 * Exit: 0 done, 1 the result could not be written, 2 wrong arguments or a bad data set.
 */
#define _POSIX_C_SOURCE 200809L /* isatty, fileno, clock_gettime */

#include "digits.h"
#include "lenet_net.h" /* made from lenet.nn */

#include <errno.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EPOCHS = 4, TRAIN = 8000, TEST = 2000 };

static const float learning_rate = 0.05f; /* at the beginning; falls evenly to 0 at the end */
static const float momentum      = 0.9f;

static lenet_params weights, gradients;
static lenet_work   work;
static float        state[NN_STATE_HEAD + LENET_FLOATS]; /* the weights' momentum */

typedef struct {
    int    n;
    float *images; /* n x LENET_INPUT, each 0 (paper) to 1 (ink) */
    int   *labels; /* n x 0 .. 9 */
} dataset;

static void fail(int status, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fputs("lenet: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- The data set ---------------------------------------------------------------------------- */

static dataset new_dataset(int n)
{
    dataset d = { n, malloc((size_t)n * LENET_INPUT * sizeof(float)), malloc((size_t)n * sizeof(int)) };
    if (!d.images || !d.labels)
        fail(2, "no memory for %d pictures", n);
    return d;
}

/* Pictures first .. first+n-1 of d. */
static dataset part(dataset d, int first, int n)
{
    dataset p = { n, d.images + (size_t)first * LENET_INPUT, d.labels + first };
    return p;
}

static unsigned long big_endian(const unsigned char *b)
{
    return (unsigned long)b[0] << 24 | (unsigned long)b[1] << 16 | (unsigned long)b[2] << 8 | b[3];
}

/* Opens an IDX file of bytes and checks its whole frame: magic number (2048 + the number of dimensions),
 * pictures of 28 x 28, and a length that fits the count. Returns the count; the file stands at the data. */
static int open_idx(const char *path, int dimensions, const char *what, FILE **file)
{
    unsigned char head[16];
    size_t size = 4 + 4 * (size_t)dimensions;
    unsigned long count;
    long long expected, length = -1;

    *file = fopen(path, "rb");
    if (!*file)
        fail(2, "%s: %s", path, strerror(errno));
    errno = 0;
    if (fread(head, 1, size, *file) != size)
        fail(2, "%s: %s", path, errno ? strerror(errno) : "too short to be an IDX file");
    if (head[0] == 0x1f && head[1] == 0x8b)
        fail(2, "%s: is compressed; run gunzip on it first", path);
    if (big_endian(head) != 2048 + (unsigned long)dimensions)
        fail(2, "%s: not an IDX file of %s: begins with the number %lu, not with %d",
             path, what, big_endian(head), 2048 + dimensions);
    if (dimensions == 3 && (big_endian(head + 8) != DIGITS_SIDE || big_endian(head + 12) != DIGITS_SIDE))
        fail(2, "%s: the pictures are %lu x %lu; this network takes %d x %d",
             path, big_endian(head + 8), big_endian(head + 12), DIGITS_SIDE, DIGITS_SIDE);

    count = big_endian(head + 4);
    expected = (long long)size + (long long)count * (dimensions == 3 ? DIGITS_PIXELS : 1);
    if (fseek(*file, 0, SEEK_END) || (length = ftell(*file)) < 0 || fseek(*file, (long)size, SEEK_SET))
        fail(2, "%s: %s", path, strerror(errno));
    if (length != expected)
        fail(2, "%s: is %lld bytes long; %lu %s would be %lld", path, length, count, what, expected);
    if (count > 100000000)
        fail(2, "%s: %lu %s are more than this program takes", path, count, what);
    return (int)count;
}

static dataset read_dataset(const char *image_path, const char *label_path)
{
    FILE *images, *labels;
    int n       = open_idx(image_path, 3, "images", &images);
    int nlabels = open_idx(label_path, 1, "labels", &labels);
    unsigned char bytes[LENET_INPUT];
    dataset d;

    if (n != nlabels)
        fail(2, "%s has %d images, but %s has %d labels", image_path, n, label_path, nlabels);
    if (n < 2)
        fail(2, "%s: %d images are too few to train and to test", image_path, n);
    d = new_dataset(n);
    for (int i = 0; i < n; i++) {
        int label = getc(labels);
        if (label == EOF || fread(bytes, 1, LENET_INPUT, images) != LENET_INPUT)
            fail(2, "%s: %s", label == EOF ? label_path : image_path, strerror(errno));
        if (label > 9)
            fail(2, "%s: label %d is %d, not a digit", label_path, i, label);
        d.labels[i] = label;
        for (int k = 0; k < LENET_INPUT; k++)
            d.images[(size_t)i * LENET_INPUT + (size_t)k] = (float)bytes[k] / 255.0f;
    }
    fclose(images);
    fclose(labels);
    return d;
}

/* ---- Training and testing -------------------------------------------------------------------- */

static void show_progress(int epoch, int done, int of, double loss, double took)
{
    static const char full[] = "####################", empty[] = "....................";
    int width = (int)sizeof full - 1, bar = (int)((long long)width * done / of);
    printf("epoch %d/%d  [%.*s%.*s]  loss %.4f  %6.0f images/s", epoch, EPOCHS,
           bar, full, width - bar, empty, loss, took > 0 ? done / took : 0.0);
}

/* One pass over d in a new random order. *step counts the batches of all epochs. */
static void train_epoch(dataset d, int *order, uint64_t *rng, int epoch, int *step)
{
    static float batch_images[LENET_BATCH * LENET_INPUT];
    static int   batch_labels[LENET_BATCH];
    nn_optimizer optimizer = nn_momentum(learning_rate, momentum);
    int steps = EPOCHS * ((d.n + LENET_BATCH - 1) / LENET_BATCH);
    int terminal = isatty(fileno(stdout));
    double loss = 0, start = seconds(), shown = start;

    nn_shuffle(rng, order, d.n);
    for (int done = 0, n; done < d.n; done += n) {
        n = d.n - done < LENET_BATCH ? d.n - done : LENET_BATCH;
        for (int i = 0; i < n; i++) {
            dataset one = part(d, order[done + i], 1);
            memcpy(batch_images + i * LENET_INPUT, one.images, LENET_INPUT * sizeof(float));
            batch_labels[i] = *one.labels;
        }
        loss += n * (double)lenet_backward(&weights, &work, n, batch_images, batch_labels, &gradients);
        optimizer.lr = learning_rate * (1 - (float)(*step)++ / (float)steps);
        nn_step(&optimizer, (float *)&weights, (const float *)&gradients, state, LENET_FLOATS);

        if (terminal && seconds() - shown > 0.1) {
            shown = seconds();
            putchar('\r');
            show_progress(epoch, done + n, d.n, loss / (done + n), shown - start);
            fflush(stdout);
        }
    }
    if (terminal)
        putchar('\r');
    show_progress(epoch, d.n, d.n, loss / d.n, seconds() - start);
}

/* Writes the network's answer to each picture; returns how many are right. */
static int test(dataset d, int *answers)
{
    float y[LENET_BATCH][LENET_OUTPUT];
    int right = 0;

    for (int done = 0, n; done < d.n; done += n) {
        n = d.n - done < LENET_BATCH ? d.n - done : LENET_BATCH;
        lenet_forward(&weights, &work, n, part(d, done, n).images, y[0]);
        for (int i = 0; i < n; i++) {
            int best = 0;
            for (int k = 1; k < LENET_OUTPUT; k++)
                if (y[i][k] > y[i][best])
                    best = k;
            answers[done + i] = best;
            right += best == d.labels[done + i];
        }
    }
    return right;
}

/* ---- The report ------------------------------------------------------------------------------ */

enum { ABREAST = 3, MARGIN = 2 }; /* pictures side by side; columns left out at both sides of each */

/* Draws up to ABREAST pictures as text, two rows of pixels in one line, and says below what they are. */
static void show(dataset d, const int *answers, const int *which, int count)
{
    static const char ink[] = " .:-=+*#%@";
    int width = DIGITS_SIDE - 2 * MARGIN;

    for (int y = 0; y < DIGITS_SIDE; y += 2) {
        for (int i = 0; i < count; i++) {
            const float *row = part(d, which[i], 1).images + y * DIGITS_SIDE;
            for (int x = MARGIN; x < DIGITS_SIDE - MARGIN; x++)
                putchar(ink[(int)((row[x] + row[x + DIGITS_SIDE]) * 0.5f * 9.0f + 0.4f)]);
            fputs(i + 1 < count ? "  " : "\n", stdout);
        }
    }
    for (int i = 0; i < count; i++) {
        int answer = answers[which[i]], label = d.labels[which[i]];
        if (answer == label)
            printf("%*sa %d%*s", width / 2 - 1, "", answer, width / 2, "");
        else
            printf("%*sa %d that looks like a %d%*s", width / 2 - 11, "", label, answer, width / 2 - 9, "");
    }
    puts("");
}

static void show_some(dataset d, const int *answers, int right_ones)
{
    int which[ABREAST], count = 0;

    for (int i = 0; i < d.n && count < ABREAST; i++)
        if ((answers[i] == d.labels[i]) == right_ones)
            which[count++] = i;
    if (count == 0)
        return;
    puts(right_ones ? "\nSome digits that it reads rightly:\n" : "\nSome that it does not:\n");
    show(d, answers, which, count);
}

/* ---- The program ----------------------------------------------------------------------------- */

static const char usage[] =
    "usage: lenet [-o FILE] [IMAGES LABELS [COUNT]]\n"
    "\n"
    "  IMAGES LABELS  a data set in MNIST's format (uncompressed); drawn digits, if left out\n"
    "  COUNT          so many of its images for training, the rest for testing (default: 80 %)\n"
    "  -o FILE        where the weights go (default: lenet.safetensors beside the program)\n";

int main(int argc, char **argv)
{
    char beside[4096];
    const char *output = beside, *names[3] = { NULL, NULL, NULL };
    const char *slash = strrchr(argv[0], '/');
    int nnames = 0, train_count, error, *order, *answers, step = 0, right = 0;
    uint64_t rng = 1;
    dataset all, train_set, test_set;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return fputs(usage, stdout) < 0;
        if (!strcmp(argv[i], "-o") && i + 1 < argc)
            output = argv[++i];
        else if (argv[i][0] == '-' || nnames == 3)
            return fprintf(stderr, "lenet: %s: %s\n%s", argv[i],
                           nnames == 3 ? "one argument too many" : "no such option, or its FILE is missing",
                           usage), 2;
        else
            names[nnames++] = argv[i];
    }
    if (nnames == 1)
        return fprintf(stderr, "lenet: the labels' file is missing\n%s", usage), 2;
    if (output == beside && snprintf(beside, sizeof beside, "%.*slenet.safetensors",
                                     slash ? (int)(slash - argv[0] + 1) : 0, argv[0]) >= (int)sizeof beside)
        fail(2, "its folder's name is too long; say -o FILE");

    if (nnames == 0) {
        all = new_dataset(TRAIN + TEST);
        digits_fill(&rng, all.n, all.images, all.labels);
        train_count = TRAIN;
    } else {
        all = read_dataset(names[0], names[1]);
        train_count = (int)(all.n * 0.8);
    }
    if (names[2]) {
        char *end;
        long count = strtol(names[2], &end, 10);
        if (*end || end == names[2] || count < 1 || count >= all.n)
            fail(2, "COUNT is \"%s\"; from 1 to %d images can be for training", names[2], all.n - 1);
        train_count = (int)count;
    }
    train_set = part(all, 0, train_count);
    test_set  = part(all, train_count, all.n - train_count);
    order   = malloc((size_t)train_set.n * sizeof *order);
    answers = malloc((size_t)test_set.n * sizeof *answers);
    if (!order || !answers)
        fail(2, "no memory for %d pictures", all.n);
    printf("%s: %d digits for training, %d for testing; %d weights\n",
           nnames ? names[0] : "drawn here", train_set.n, test_set.n, LENET_PARAMS);

    lenet_init(&weights, 1);
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        train_epoch(train_set, order, &rng, epoch, &step);
        right = test(test_set, answers);
        printf("  test %.2f %%\n", 100.0 * right / test_set.n);
    }

    for (int i = 0; i < LENET_FLOATS; i++)
        if (!isfinite(((const float *)&weights)[i]))
            fail(1, "a weight is no number any more: the learning rate is too large");
    show_some(test_set, answers, 1);
    show_some(test_set, answers, 0);
    printf("\nIt reads %d of %d digits that it never saw before: %.2f %%.\n",
           right, test_set.n, 100.0 * right / test_set.n);

    error = nn_save(&lenet_model, &weights, output);
    if (error)
        fail(1, "%s", nn_error(error));
    printf("Its weights are in %s.\n", output);
    if (fflush(stdout) || ferror(stdout))
        fail(1, "standard output: %s", strerror(errno));

    free(all.images);
    free(all.labels);
    free(order);
    free(answers);
    return 0;
}
