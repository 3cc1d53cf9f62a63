/* test_data.c: the readers of data sets, on small files that are made here, good ones and damaged ones.
 *
 * A network is a nn_model with sizes alone: nothing is trained. What a damaged file is told is compared whole. */
#include "nnkit.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FOLDER "build/tests/tmp/data"

/* ---- Networks and files ------------------------------------------------------------------------------- */

static nn_model network(int c, int h, int w, size_t output, size_t targets, int int_targets)
{
    nn_model m = {.name = "net", .input_shape = {c, h, w}, .input = (size_t)(c * h * w), .output = output,
                  .targets = targets, .int_targets = int_targets, .batch = 4};
    return m;
}

static const char *put(const char *name, const void *content, size_t size)
{
    static char paths[4][200];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], FOLDER "/%s", name);
    file_write(path, content, size);
    return path;
}

/* Packs a file and removes it. */
static void gzip(const char *name)
{
    char path[200], packed[210];
    size_t size;
    snprintf(path, sizeof path, FOLDER "/%s", name);
    snprintf(packed, sizeof packed, "%s.gz", path);
    char *content = file_read(path, &size);
    gzFile to = gzopen(packed, "wb");
    CU_ASSERT_FATAL(content && to);
    CU_ASSERT_EQUAL(gzwrite(to, content, (unsigned)size), (int)size);
    gzclose(to);
    free(content);
    remove(path);
}

/* The data opens for the network. */
static nn_data *opens_at(int line, const char *spec, const nn_model *model, const nn_data_options *options)
{
    nn_data *data = nn_data_open(spec, model, options);
    check_at(__FILE__, line, data != NULL, "%s: %s", spec, nnkit_error());
    return data;
}

/* It does not, and the message is this; FOLDER/ stands for itself. */
static void refuses_at(int line, const char *spec, const nn_model *model, const nn_data_options *options,
                       const char *message)
{
    nn_data *data = nn_data_open(spec, model, options);
    check_at(__FILE__, line, !data, "%s opens, but should not: %s", spec, message);
    if (!data)
        check_at(__FILE__, line, !strcmp(nnkit_error(), message), "%s:\n      says   %s\n      not    %s", spec,
                 nnkit_error(), message);
    nn_data_close(data);
}

/* The sample has these numbers and this label. */
static void has_at(int line, const nn_data *data, size_t index, size_t n, const float *expected, int label)
{
    float x[64];
    int t = -1;
    int error = data && index < nn_data_count(data) ? nn_data_read(data, index, x, &t) : -1;
    check_at(__FILE__, line, error == 0, "sample %zu: error %d: %s", index, error, nnkit_error());
    if (error != 0)
        return;
    check_at(__FILE__, line, t == label, "sample %zu has label %d, not %d", index, t, label);
    for (size_t i = 0; i < n; i++)
        check_at(__FILE__, line, x[i] == expected[i], "sample %zu: number %zu is %g, not %g", index, i, x[i], expected[i]);
}

#define opens(...) opens_at(__LINE__, __VA_ARGS__)
#define refuses(...) refuses_at(__LINE__, __VA_ARGS__)
#define has(...) has_at(__LINE__, __VA_ARGS__)

/* ---- IDX ---------------------------------------------------------------------------------------------- */

/* Three pictures of 2x2 and their labels. */
static const char images[] = "\0\0\x08\3" "\0\0\0\3" "\0\0\0\2" "\0\0\0\2" "\0\1\2\3" "\4\5\6\7" "\xff\xfe\xfd\xfc";
static const char labels[] = "\0\0\x08\1" "\0\0\0\3" "\2\0\1";
enum { IMAGES = sizeof images - 1, LABELS = sizeof labels - 1 };

static void put_pair(const char *images_name, const char *labels_name)
{
    put(images_name, images, IMAGES);
    put(labels_name, labels, LABELS);
}

static void test_idx(void)
{
    const nn_model m = network(1, 2, 2, 3, 1, 1), flat = network(4, 1, 1, 3, 1, 1);
    const float second[] = {4 / 255.0f, 5 / 255.0f, 6 / 255.0f, 7 / 255.0f}, third[] = {255, 254, 253, 252};
    put_pair("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    nn_data *data = opens(FOLDER "/train-images-idx3-ubyte", &m, NULL);
    if (data) {
        CU_ASSERT_EQUAL(nn_data_count(data), 3);
        CU_ASSERT_TRUE(nn_data_has_targets(data));
        CU_ASSERT_EQUAL(nn_data_classes(data), 0);
    }
    has(data, 0, 4, (float[]){0, 1 / 255.0f, 2 / 255.0f, 3 / 255.0f}, 2);
    has(data, 1, 4, second, 0);
    has(data, 2, 4, (float[]){1, 254 / 255.0f, 253 / 255.0f, 252 / 255.0f}, 1);
    nn_data_close(data);

    data = opens(FOLDER "/train-images-idx3-ubyte", &flat, &(nn_data_options){.no_scale = 1});
    has(data, 2, 4, third, 1);
    nn_data_close(data);

    data = opens(FOLDER "/train-images-idx3-ubyte", &m, &(nn_data_options){.scale = 2, .no_targets = 1});
    has(data, 1, 4, (float[]){8, 10, 12, 14}, -1);
    nn_data_close(data);

    /* Gzipped, one or both; named; twice. */
    gzip("train-images-idx3-ubyte");
    data = opens(FOLDER "/train-images-idx3-ubyte.gz", &m, NULL);
    has(data, 1, 4, second, 0);
    nn_data_close(data);
    gzip("train-labels-idx1-ubyte");
    data = opens(FOLDER "/train-images-idx3-ubyte.gz", &m, NULL);
    has(data, 1, 4, second, 0);
    nn_data_close(data);
    put_pair("a", "b");
    data = opens(FOLDER "/a:" FOLDER "/b," FOLDER "/train-images-idx3-ubyte.gz", &m, &(nn_data_options){.no_scale = 1});
    if (data)
        CU_ASSERT_EQUAL(nn_data_count(data), 6);
    has(data, 2, 4, third, 1);
    has(data, 4, 4, (float[]){4, 5, 6, 7}, 0);
    nn_data_close(data);
    put_pair("a:b,c", "labels");
    data = opens(FOLDER "/a:b,c", &m, &(nn_data_options){.no_targets = 1});
    has(data, 0, 1, (float[]){0}, -1);
    nn_data_close(data);
}

static void test_idx_damaged(void)
{
    const nn_model m = network(1, 2, 2, 3, 1, 1), two = network(1, 2, 2, 2, 1, 1), other = network(3, 32, 32, 3, 1, 1);
    const char *pair = FOLDER "/a:" FOLDER "/b";
    char more[IMAGES + 2];
    put_pair("a", "b");
    refuses(pair, &other, NULL,
            FOLDER "/a: a sample is 2x2 (4 numbers), but the network takes 3x32x32 (3072); write `input 1x2x2` in the .nn "
            "file, or give data of the network's shape");
    refuses(pair, &two, NULL,
            FOLDER "/b: sample 0 has the label 2, but the network's classes are 0 to 1; mend the label, or give the "
            "network's last layer more outputs");
    refuses(FOLDER "/a", &m, NULL,
            FOLDER "/a: it has no labels, and none are beside it; give them as " FOLDER "/a:LABELS");
    refuses(FOLDER "/nowhere", &m, NULL,
            FOLDER "/nowhere: cannot open it: No such file or directory; check the path");
    put("a", images, IMAGES - 1);
    refuses(pair, &m, NULL,
            FOLDER "/a: its head says 3 samples of 2x2, but the file ends within sample 2; it is cut off: copy it again");
    memcpy(more, images, IMAGES);
    memcpy(more + IMAGES, "xy", 2);
    put("a", more, sizeof more);
    refuses(pair, &m, NULL,
            FOLDER "/a: 2 bytes lie behind the 3 samples of 2x2 that its head says; it is no IDX file, or a damaged one");
    put("a", images, 9);
    refuses(pair, &m, NULL, FOLDER "/a: the IDX file is cut off within its first bytes; copy it again");
    put("a", images, 0);
    refuses(pair, &m, NULL, FOLDER "/a: it is empty");
    put("a", images, IMAGES);
    put("b", "\0\0\x08\1" "\0\0\0\2" "\2\0", 10);
    refuses(pair, &m, NULL,
            FOLDER "/b: it holds labels of 2 samples, but " FOLDER "/a has 3; give files that belong together");
    put("b", "\0\0\x08\1" "\0\0\0\0", 8);
    refuses(pair, &m, NULL, FOLDER "/b: the IDX file holds no samples");
}

static void test_idx_floats(void)
{
    /* Two samples of two floats, 1 -2 and 0.5 NaN, and targets. */
    const nn_model m = network(2, 1, 1, 1, 1, 0);
    float x[2], t = 0;
    put("a", "\0\0\x0d\2" "\0\0\0\2" "\0\0\0\2" "\x3f\x80\0\0" "\xc0\0\0\0" "\x3f\0\0\0" "\x7f\xc0\0\0", 28);
    put("b", "\0\0\x0d\1" "\0\0\0\2" "\x40\x40\0\0" "\x40\x80\0\0", 16);
    nn_data *data = opens(FOLDER "/a:" FOLDER "/b", &m, NULL);
    if (data) {
        CU_ASSERT_EQUAL(nn_data_read(data, 0, x, &t), 0);
        CU_ASSERT_TRUE(x[0] == 1 && x[1] == -2 && t == 3);
        CU_ASSERT_EQUAL(nn_data_read(data, 1, x, &t), NN_EFORMAT);
        CU_ASSERT_STRING_EQUAL(nnkit_error(), FOLDER "/a: number 1 of sample 1 is NaN or infinite; leave the sample out, or "
                                              "mend it");
    }
    nn_data_close(data);
    put("b", "\0\0\x0d\1" "\0\0\0\2" "\x40\x40\0\0" "\x7f\x80\0\0", 16);
    refuses(FOLDER "/a:" FOLDER "/b", &m, NULL,
            FOLDER "/b: the target of sample 1 is NaN or infinite; leave the sample out, or mend it");
}

/* ---- gzip --------------------------------------------------------------------------------------------- */

static void test_gzip(void)
{
    const nn_model m = network(1, 2, 2, 3, 1, 1);
    const nn_data_options plain = {.no_scale = 1, .no_targets = 1};
    size_t size;
    put("a", images, IMAGES);
    gzip("a");
    char *packed = file_read(FOLDER "/a.gz", &size), *changed = calloc(1, 2 * size + 512);
    CU_ASSERT_FATAL(packed && changed);
    put("cut", packed, size - 9);
    refuses(FOLDER "/cut", &m, &plain, FOLDER "/cut: the gzipped file is cut off; copy it again (gzip -t tests it)");
    memcpy(changed, packed, size);
    changed[size - 5] ^= 1; /* the checksum */
    put("changed", changed, size);
    refuses(FOLDER "/changed", &m, &plain, FOLDER "/changed: the gzipped file is damaged; copy it again (gzip -t tests it)");
    memcpy(changed, packed, size);
    changed[size] = 'x';
    put("more", changed, size + 1);
    refuses(FOLDER "/more", &m, &plain,
            FOLDER "/more: the gzipped file has other bytes behind its end; copy it again (gzip -t tests it)");
    changed[size] = 0;
    put("zeros", changed, size + 512);
    nn_data *data = opens(FOLDER "/zeros", &m, &plain);
    has(data, 1, 4, (float[]){4, 5, 6, 7}, -1);
    nn_data_close(data);

    /* Two members, as `cat a.gz b.gz` makes them. */
    put("x", images, 20);
    gzip("x");
    put("y", images + 20, IMAGES - 20);
    gzip("y");
    CU_ASSERT_TRUE(command_succeeds("cd " FOLDER " && cat x.gz y.gz > xy"));
    data = opens(FOLDER "/xy", &m, &plain);
    has(data, 2, 4, (float[]){255, 254, 253, 252}, -1);
    nn_data_close(data);
    free(packed);
    free(changed);

    setenv("TMPDIR", "build/nowhere", 1);
    refuses(FOLDER "/xy", &m, &plain,
            FOLDER "/xy: cannot write a temporary file for what it holds in build/nowhere: No such file or directory; let "
            "TMPDIR name a folder with more room");
    unsetenv("TMPDIR");
}

static int start(void)
{
    folder_make(FOLDER);
    return 0;
}

void add_data_suite(void)
{
    static CU_TestInfo tests[] = {
        {"IDX", test_idx},
        {"IDX, damaged", test_idx_damaged},
        {"IDX, floats", test_idx_floats},
        {"gzip", test_gzip},
        CU_TEST_INFO_NULL,
    };
    add_suite("data", start, NULL, tests);
    add_to_check("data", NULL);
}
