/* lenet.c: teaches a network to read digits, and shows what it learned.
 *
 *     lenet FOLDER [DATA [TEST]]
 *
 * DATA and TEST are data sets as the program of `nnc --main` takes them, such as MNIST's train-images-idx3-ubyte.gz
 * and t10k-images-idx3-ubyte.gz. Without TEST a fifth of DATA is for testing; without both the program draws digits
 * (digits.h), and writes them to FOLDER in MNIST's format. The weights go there, too.
 *
 * Exit: as nn_train's, 0 done, 1 bad data, 2 wrong arguments or a file that can't be written.
 */
#include "digits.h"
#include "lenet_net.h" /* made from lenet.nn */
#include "nnkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lenet_params weights;
static lenet_work   work;

/* An IDX file of n elements of one byte, or n pictures of them. */
static void write_idx(const char *path, int n, int pictures, const float *values, const int *labels)
{
    const unsigned char head[16] = {0, 0, 8, pictures ? 3 : 1, 0, 0, (unsigned char)(n / 256), (unsigned char)(n % 256),
                                    0, 0, 0, DIGITS_SIDE, 0, 0, 0, DIGITS_SIDE};
    FILE *file = fopen(path, "wb");

    if (file)
        fwrite(head, 1, pictures ? 16 : 8, file);
    for (int i = 0; file && i < (pictures ? n * DIGITS_PIXELS : n); i++)
        putc(pictures ? (int)(values[i] * 255 + 0.5f) : labels[i], file);
    if (!file || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

/* Draws n digits into FOLDER/NAME-images and FOLDER/NAME-labels; images becomes the path of the first. */
static void draw(uint64_t *rng, int n, const char *folder, const char *name, char images[static 1000])
{
    float *x = malloc((size_t)n * DIGITS_PIXELS * sizeof *x);
    int   *t = malloc((size_t)n * sizeof *t);
    char   labels[1000];

    if (!x || !t)
        exit(2);
    digits_fill(rng, n, x, t);
    snprintf(images, 1000, "%s/%s-images", folder, name);
    snprintf(labels, sizeof labels, "%s/%s-labels", folder, name);
    write_idx(images, n, 1, x, t);
    write_idx(labels, n, 0, x, t);
    free(x);
    free(t);
}

enum { ABREAST = 3, MARGIN = 2 }; /* pictures side by side; columns left out at both sides of each */

/* Draws the first pictures that it reads rightly, or the first that it does not, and says below what they are. */
static void show(const nn_data *data, int rightly)
{
    float x[ABREAST][LENET_INPUT], y[LENET_OUTPUT];
    int   count = 0, label[ABREAST], answer[ABREAST];

    for (size_t i = 0; i < nn_data_count(data) && count < ABREAST; i++) {
        if (nn_data_read(data, i, x[count], &label[count]) != 0)
            return;
        lenet_forward(&weights, &work, 1, x[count], y);
        answer[count] = 0;
        for (int k = 1; k < LENET_OUTPUT; k++)
            if (y[k] > y[answer[count]])
                answer[count] = k;
        count += (answer[count] == label[count]) == rightly;
    }
    printf(count == 0 ? "" : rightly ? "\nSome digits that it reads rightly:\n\n" : "\nSome that it does not:\n\n");
    for (int row = 0; row < DIGITS_SIDE; row += 2) /* two rows of pixels in one line of text */
        for (int i = 0; i < count; i++) {
            const float *pixel = x[i] + row * DIGITS_SIDE;

            for (int k = MARGIN; k < DIGITS_SIDE - MARGIN; k++)
                putchar(" .:-=+*#%@"[(int)((pixel[k] + pixel[k + DIGITS_SIDE]) * 4.5f + 0.4f)]);
            fputs(i + 1 < count ? "  " : "\n", stdout);
        }
    for (int i = 0; i < count; i++)
        printf("%*sa %d, read as %d%*s", 6, "", label[i], answer[i], i + 1 < count ? 7 : 0, "");
    puts("");
}

int main(int argc, char **argv)
{
    char train[1000], test[1000], output[1000];
    uint64_t rng = 1;
    nn_settings settings;

    if (argc < 2 || argc > 4)
        return fprintf(stderr, "usage: lenet FOLDER [DATA [TEST]]\n"), 2;
    nn_defaults(&settings);
    settings.epochs = 4;
    settings.batch = 32;
    settings.optimizer = "momentum";
    settings.lr = 0.05f;
    settings.schedule = "cosine";
    snprintf(output, sizeof output, "%s/lenet.safetensors", argv[1]);
    settings.output = output;
    if (argc == 2) {
        draw(&rng, 8000, argv[1], "digits", train);
        draw(&rng, 2000, argv[1], "others", test);
    }
    settings.data = argc > 2 ? argv[2] : train;
    settings.test = argc > 3 ? argv[3] : argc == 2 ? test : NULL;
    settings.split = settings.test ? 0 : 0.2f;

    int status = nn_train(&lenet_model, &settings);
    if (status != 0)
        return status;
    nn_data *data = nn_data_open(settings.test ? settings.test : settings.data, &lenet_model, NULL);
    if (!data || nn_load(&lenet_model, &weights, output) != 0)
        return fprintf(stderr, "lenet: %s\n", nnkit_error()), 1;
    show(data, 1);
    show(data, 0);
    nn_data_close(data);
    return 0;
}
