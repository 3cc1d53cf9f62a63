/* test_data.c: the readers of data sets, on small files that are made here, good ones and damaged ones.
 *
 * A network is a nn_model with sizes alone: nothing is trained. What a damaged file is told is compared whole. */
#include "nnkit.h"
#include "process.h"
#include "suites.h"

#include <CUnit/CUnit.h>
#include <math.h>
#include <png.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <jpeglib.h>

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
    CU_ASSERT_TRUE(command_succeeds("mkfifo " FOLDER "/pipe && (cat " FOLDER "/a > " FOLDER "/pipe &)"));
    data = opens(FOLDER "/pipe:" FOLDER "/b", &m, &(nn_data_options){.no_scale = 1});
    has(data, 2, 4, third, 1);
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

/* ---- .npy ----------------------------------------------------------------------------------------------- */

/* Writes a .npy file of version 1 with this head and these numbers. */
static void put_npy(const char *name, const char *head, const void *numbers, size_t size)
{
    char file[1000] = "\x93NUMPY\1\0";
    const size_t length = strlen(head);
    file[8] = (char)length;
    file[9] = (char)(length >> 8);
    memcpy(file + 10, head, length);
    memcpy(file + 10 + length, numbers, size);
    put(name, file, 10 + length + size);
}

#define NPY(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }          \n"

static void test_npy(void)
{
    const nn_model m = network(1, 2, 2, 3, 1, 1), colours = network(2, 1, 2, 3, 1, 1), real = network(4, 1, 1, 2, 2, 0),
                   itself = network(4, 1, 1, 4, 4, 0), one_hot = network(4, 1, 1, 3, 3, 0), one = network(4, 1, 1, 1, 1, 0);
    const char *pair = FOLDER "/x.npy:" FOLDER "/y.npy";
    const float x[] = {1, 2, 3, 4, -1, -2, -3, -4}, y[] = {5, 6, 7, 8};
    const double wide[] = {1, 2, 3, 4, -1, -2, -3, -4};
    const int16_t narrow[] = {1, 2, 3, 4, -1, -2, -3, -4};
    const long long labels64[] = {2, 1};
    float got[4], t[4];
    put_npy("y.npy", NPY("<i8", "(2,)"), labels64, sizeof labels64);
    put_npy("x.npy", NPY("<f4", "(2, 2, 2)"), x, sizeof x);
    nn_data *data = opens(pair, &m, NULL);
    has(data, 0, 4, x, 2);
    has(data, 1, 4, x + 4, 1);
    nn_data_close(data);
    put_npy("x.npy", NPY("<f8", "(2, 4)"), wide, sizeof wide);
    data = opens(pair, &m, NULL);
    has(data, 1, 4, x + 4, 1);
    nn_data_close(data);
    put_npy("x.npy", NPY("<i2", "(2, 1, 4)"), narrow, sizeof narrow);
    data = opens(pair, &real, &(nn_data_options){.no_targets = 1});
    has(data, 1, 4, x + 4, -1);
    nn_data_close(data);
    put_npy("x.npy", NPY("|u1", "(2, 4)"), "\0\1\2\xff" "\4\5\6\7", 8);
    data = opens(pair, &m, NULL);
    has(data, 0, 4, (float[]){0, 1 / 255.0f, 2 / 255.0f, 1}, 2);
    nn_data_close(data);

    /* 1x2x2 as the file has it is 2x1x2 with the channels last: they come first. */
    put_npy("x.npy", NPY("<f4", "(2, 1, 2, 2)"), x, sizeof x);
    data = opens(pair, &colours, NULL);
    has(data, 0, 4, (float[]){1, 3, 2, 4}, 2);
    nn_data_close(data);

    /* Float targets: as they are; the sample itself; 1 for the label's class; the label. */
    put_npy("y.npy", NPY("<f4", "(2, 2)"), y, sizeof y);
    data = opens(pair, &real, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 1, got, t) == 0 && t[0] == 7 && t[1] == 8);
    nn_data_close(data);
    data = opens(FOLDER "/x.npy", &itself, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 1, got, t) == 0 && !memcmp(t, x + 4, sizeof t));
    nn_data_close(data);
    put_npy("y.npy", NPY("<i8", "(2, 1)"), labels64, sizeof labels64);
    data = opens(pair, &one_hot, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 0, got, t) == 0 && t[0] == 0 && t[1] == 0 && t[2] == 1);
    nn_data_close(data);
    data = opens(pair, &one, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 0, got, t) == 0 && t[0] == 2);
    nn_data_close(data);

    refuses(pair, &real, NULL,
            FOLDER "/y.npy: sample 0 has the label 2, but the network's classes are 0 to 1; mend the label, or give the "
            "network's last layer more outputs");
    put_npy("y.npy", NPY("<f4", "(2,)"), ((float[]){2, 1.5f}), 8);
    refuses(pair, &m, NULL,
            FOLDER "/y.npy: the label of sample 1 is not a whole number; labels are the classes' numbers, from 0");
    put_npy("y.npy", NPY("<f4", "(2, 2)"), y, sizeof y);
    refuses(pair, &m, NULL,
            FOLDER "/y.npy: a sample has 2 numbers as its target, but the network's loss takes 1 labels; give other data, or "
            "change the loss or the last layer in the .nn file");
}

static void test_npy_damaged(void)
{
    const nn_model m = network(4, 1, 1, 4, 4, 0);
    const float x[] = {1, 2, 3, 4, -1, -2, -3, -4};
    const struct { const char *head; size_t size; const char *message; } cases[] = {
        {NPY("<f4", "(2, 4)"), 28, "its head says 2 samples of 4, but the file ends within sample 1; it is cut off: copy it "
                                   "again"},
        {NPY("<f4", "(1, 4)"), 32, "16 bytes lie behind the 1 samples of 4 that its head says; it is no .npy file, or a "
                                   "damaged one"},
        {NPY("<c8", "(1, 4)"), 32, "the .npy file's type is '<c8'; save numbers, as x.astype('float32')"},
        {NPY("<f2", "(4, 4)"), 32, "the .npy file's type is '<f2'; save numbers, as x.astype('float32')"},
        {NPY("<f4", "()"), 4, "the .npy file's shape is (), ; samples lie along its first axis"},
        {NPY("<f4", "(0, 4)"), 0, "the .npy file holds no samples"},
        {NPY("<f4", "(2, 0)"), 0, "a dimension of the .npy file is 0, which cannot be; it is damaged"},
        {NPY("<f4", "(2, 4294967296, 4294967296)"), 0, "a dimension of the .npy file is 4294967296, which cannot be; it is "
                                                       "damaged"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4), }\n", 32,
         "the .npy file is in Fortran's order; save numpy.ascontiguousarray(x)"},
        {"{'descr': '<f4', 'shape': (2, 4), }\n", 32,
         "the .npy file has no type, order or shape in its head; save it again with numpy.save"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[300];
        snprintf(message, sizeof message, FOLDER "/x.npy: %s", cases[i].message);
        put_npy("x.npy", cases[i].head, x, cases[i].size);
        refuses(FOLDER "/x.npy", &m, NULL, message);
    }
    put("x.npy", "\x93NUMPY\1\0\xff\xff{'descr'", 18);
    refuses(FOLDER "/x.npy", &m, NULL, FOLDER "/x.npy: the .npy file is cut off within its first bytes; save it again with "
                                       "numpy.save");
    put("x.npz", "PK\3\4....", 8);
    refuses(FOLDER "/x.npz", &m, NULL, FOLDER "/x.npz: it is a zip archive (.npz is one); unpack it");
}

/* ---- CIFAR ---------------------------------------------------------------------------------------------- */

/* Batches of two records; record r has the label labels[r] and the bytes r, r + 1, ... */
static void put_batch(const char *name, const char *labels_of, size_t labels_in, size_t more)
{
    static char file[2 * 3074 + 1];
    char *at = file;
    for (int r = 0; r < 2; r++) {
        memcpy(at, labels_of + (size_t)r * labels_in, labels_in);
        at += labels_in;
        for (int i = 0; i < 3072; i++)
            *at++ = (char)(r + i);
    }
    put(name, file, (size_t)(at - file) + more);
}

static void test_cifar(void)
{
    const nn_model m = network(3, 32, 32, 10, 1, 1), hundred = network(3, 32, 32, 100, 1, 1);
    static float x[3072];
    int t;
    folder_make(FOLDER "/cifar");
    put_batch("cifar/data_batch_1.bin", "\3\7", 1, 0);
    put_batch("cifar/data_batch_2.bin", "\0\x9", 1, 0);
    put_batch("cifar/test_batch.bin", "\1\1", 1, 0);
    gzip("cifar/data_batch_2.bin");
    const char names[] = "plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    put("cifar/batches.meta.txt", names, sizeof names - 1);
    nn_data *data = opens(FOLDER "/cifar", &m, NULL);
    if (data) {
        CU_ASSERT_EQUAL(nn_data_count(data), 4);
        CU_ASSERT_EQUAL(nn_data_classes(data), 10);
        CU_ASSERT_STRING_EQUAL(nn_data_class(data, 3), "cat");
        CU_ASSERT_PTR_NULL(nn_data_class(data, 10));
        CU_ASSERT_TRUE(nn_data_read(data, 1, x, &t) == 0 && t == 7 && x[0] == 1 / 255.0f && x[254] == 1 && x[255] == 0);
        CU_ASSERT_TRUE(nn_data_read(data, 3, x, &t) == 0 && t == 9);
        CU_ASSERT_TRUE(nn_data_read(data, 4, x, &t) != 0);
    }
    nn_data_close(data);
    put_batch("fine", "\3\x63\4\x62", 2, 0);
    data = opens(FOLDER "/fine", &hundred, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 1, x, &t) == 0 && t == 98 && x[0] == 1 / 255.0f);
    nn_data_close(data);
    put_batch("batch", "\3\xa", 1, 0);
    refuses(FOLDER "/batch", &m, NULL,
            FOLDER "/batch: sample 1 has the label 10, but the network's classes are 0 to 9; mend the label, or give the "
            "network's last layer more outputs");
    put_batch("batch", "\3\3", 1, 1);
    refuses(FOLDER "/batch", &m, NULL,
            FOLDER "/batch: it is no data that can be read: IDX, CIFAR-10 batches, CSV, .npy, PNG, JPEG, PGM or PPM, or a "
            "folder of them");
}

/* ---- CSV -------------------------------------------------------------------------------------------------- */

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* Two samples of three inputs, whichever way they are written. */
static void test_csv(void)
{
    const struct { const char *text, *label; } cases[] = {
        {"1,2.5,-3,2\n4,5,6e2,0\n", NULL},
        {"a,b,c,label\n1,2.5,-3,2\n4,5,6e2,0\n", NULL},
        {"a,b,c,label\r\n1,2.5,-3,2\r\n\r\n4,5,6e2,0", NULL},
        {"label;a;b;c\n2;1;2,5;-3\n0;4;5;600,0\n", "label"},
        {"label\ta\tb\tc\n2\t1\t2.5\t-3\n0\t4\t5\t600.0\n", "1"},
        {"  1   2.5 -3 2 \n4 5 6e2   0\n", NULL},
        {"\"a\", \"b,2\" ,c,\"the \"\"label\"\"\"\n \"1\",2.5,-3,\"2\"\n4,5,6e2,0\n", NULL},
        {"\xef\xbb\xbf" "a,2,b,c\n1,2,2.5,-3\n4,0,5,0.06e4\n", "2"},
        {"# a comment\n# another one\n1,2.5,-3,2\n4,5,600.00000000000000001,0\n", NULL},
    };
    const nn_model m = network(3, 1, 1, 3, 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("x.csv", cases[i].text);
        nn_data *data = opens(FOLDER "/x.csv", &m, &(nn_data_options){.label = cases[i].label});
        if (data)
            check_at(__FILE__, __LINE__, nn_data_count(data) == 2, "case %zu: %zu samples", i, nn_data_count(data));
        has(data, 0, 3, (float[]){1, 2.5f, -3}, 2);
        has(data, 1, 3, (float[]){4, 5, 600}, 0);
        nn_data_close(data);
    }
    gzip("x.csv");
    nn_data *data = opens(FOLDER "/x.csv.gz", &m, &(nn_data_options){.scale = 2});
    has(data, 0, 3, (float[]){2, 5, -6}, 2);
    nn_data_close(data);

    /* Without labels: those there are, and none. */
    put_text("x.csv", "1,2,3,what\n4,5,6,ever\n");
    data = opens(FOLDER "/x.csv", &m, &(nn_data_options){.no_targets = 1});
    has(data, 1, 3, (float[]){4, 5, 6}, -1);
    nn_data_close(data);
    put_text("x.csv", "1,2,3\n4,5,6\n");
    data = opens(FOLDER "/x.csv", &m, &(nn_data_options){.no_targets = 1});
    has(data, 1, 3, (float[]){4, 5, 6}, -1);
    nn_data_close(data);
}

static void test_csv_words(void)
{
    const nn_model m = network(1, 1, 1, 3, 1, 1), yes_no = network(1, 1, 1, 1, 1, 0);
    float x, t;
    put_text("train.csv", "size,animal\n1,dog\n2,cat\n3,\"cow\"\n4,cat\n");
    put_text("test.csv", "5,dog\n6,cow\n");
    nn_data *train = opens(FOLDER "/train.csv", &m, NULL);
    if (train) {
        CU_ASSERT_EQUAL(nn_data_classes(train), 3);
        CU_ASSERT_STRING_EQUAL(nn_data_class(train, 0), "cat");
        CU_ASSERT_STRING_EQUAL(nn_data_class(train, 1), "cow");
        CU_ASSERT_STRING_EQUAL(nn_data_class(train, 2), "dog");
    }
    has(train, 0, 1, (float[]){1}, 2);
    has(train, 2, 1, (float[]){3}, 1);
    has(train, 3, 1, (float[]){4}, 0);
    refuses(FOLDER "/test.csv", &m, NULL,
            FOLDER "/test.csv: the data has 2 classes (cow, dog), but the network's last layer is for 3; change it in the "
            ".nn file");
    nn_data *test = opens(FOLDER "/test.csv", &m, &(nn_data_options){.like = train});
    has(test, 0, 1, (float[]){5}, 2);
    has(test, 1, 1, (float[]){6}, 1);
    nn_data_close(test);
    put_text("test.csv", "5,dog\n6,crow\n");
    refuses(FOLDER "/test.csv", &m, &(nn_data_options){.like = train},
            FOLDER "/test.csv: line 2: the label \"crow\" is none of the 3 known classes");
    nn_data_close(train);
    test = opens(FOLDER "/train.csv," FOLDER "/train.csv", &m, NULL);
    has(test, 4, 1, (float[]){1}, 2);
    nn_data_close(test);

    /* One float target, as of bce: two words are 0 and 1. */
    put_text("x.csv", "1,yes\n2,no\n");
    test = opens(FOLDER "/x.csv", &yes_no, NULL);
    if (test)
        CU_ASSERT_TRUE(nn_data_read(test, 0, &x, &t) == 0 && t == 1 && nn_data_read(test, 1, &x, &t) == 0 && t == 0);
    nn_data_close(test);

    /* A quotation mark that is written twice is one of the word. */
    put_text("x.csv", "1,\"a \"\"b\"\"\"\n2,\"\"\"\"\n");
    test = opens(FOLDER "/x.csv", &yes_no, NULL);
    if (test) {
        CU_ASSERT_STRING_EQUAL(nn_data_class(test, 0), "\"");
        CU_ASSERT_STRING_EQUAL(nn_data_class(test, 1), "a \"b\"");
        CU_ASSERT_TRUE(nn_data_read(test, 0, &x, &t) == 0 && t == 1);
    }
    nn_data_close(test);
}

static void test_csv_floats(void)
{
    const nn_model two = network(2, 1, 1, 2, 2, 0), one_hot = network(2, 1, 1, 3, 3, 0), itself = network(3, 1, 1, 3, 3, 0);
    float x[3], t[3];
    put_text("x.csv", "a,b,c,d\n1,2,3,4.5\n5,6,7,-8\n");
    nn_data *data = opens(FOLDER "/x.csv", &two, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 1, x, t) == 0 && x[0] == 5 && t[0] == 7 && t[1] == -8);
    nn_data_close(data);
    data = opens(FOLDER "/x.csv", &two, &(nn_data_options){.label = "d,1"});
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 0, x, t) == 0 && x[0] == 2 && x[1] == 3 && t[0] == 4.5f && t[1] == 1);
    nn_data_close(data);
    put_text("x.csv", "1,2,2\n5,6,0\n");
    data = opens(FOLDER "/x.csv", &one_hot, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 0, x, t) == 0 && t[0] == 0 && t[1] == 0 && t[2] == 1);
    nn_data_close(data);
    data = opens(FOLDER "/x.csv", &itself, NULL);
    if (data)
        CU_ASSERT_TRUE(nn_data_read(data, 1, x, t) == 0 && x[2] == 0 && t[0] == 5 && t[2] == 0);
    nn_data_close(data);
}

static void test_csv_damaged(void)
{
    const nn_model m = network(2, 1, 1, 2, 1, 1), real = network(2, 1, 1, 1, 1, 0);
    const struct { const char *text, *label, *message; } cases[] = {
        {"1,2,0\n1,0\n", NULL, "line 2: it has 2 columns, but the lines before it have 3"},
        {"\n1,2,0\n1,2,3,0\n", NULL, "line 3: it has 4 columns, but the lines before it have 3"},
        {"1,2,3,0\n", NULL, "line 1: it has 4 columns, 3 without the label, but the network takes 2; write `input 3` in the "
                            ".nn file, or give other data"},
        {"a,b,c\n1,x,0\n", NULL, "line 2: column 2 (b) holds \"x\", which is no finite number"},
        {"\"a \"\"long\"\" name\",b,c\n\"\"\"x\"\"\",2,0\n", NULL,
         "line 2: column 1 (a \"long\" name) holds \"\"x\"\", which is no finite number"},
        {"1,2,0\n1,nan,0\n", NULL, "line 2: column 2 holds \"nan\", which is no finite number"},
        {"1,2,0\n1,1e99,0\n", NULL, "line 2: column 2 holds \"1e99\", which is no finite number"},
        {"1,2,0\n1,,0\n", NULL, "line 2: column 2 is empty; leave the line out, or write a number"},
        {"1,2,0\n1,2 3,0\n", NULL, "line 2: column 2 holds \"2 3\", which is no finite number"},
        {"1,2,0\n1,0x10,0\n", NULL, "line 2: column 2 holds \"0x10\", which is no finite number"},
        {"1,2,0\n1,-,0\n", NULL, "line 2: column 2 holds \"-\", which is no finite number"},
        {"1,2,0\n1,\"2,0\n", NULL, "line 2: a quotation mark is not closed"},
        {"1,2,0\n1,\"2\"2,0\n", NULL, "line 2: there is text behind a quoted field"},
        {"1,2,0\n1,2,2\n", NULL, "line 2: the label 2 is none of the network's classes, 0 to 1; mend it, or give the "
                                 "network's last layer more outputs"},
        {"1,2,0\n1,2,0.5\n", NULL, "line 2: the label 0.5 is none of the network's classes, 0 to 1; mend it, or give the "
                                   "network's last layer more outputs"},
        {"1,2,0\n1,2,-1\n", NULL, "line 2: the label -1 is none of the network's classes, 0 to 1; mend it, or give the "
                                  "network's last layer more outputs"},
        {"1,2,0\n1,2,x\n", NULL, "line 2: the label \"x\" is no number, as those before it are"},
        {"a,b,c\n1,2,0\n", "d", "line 1: there is no column \"d\" among its 3; name one of them, or give its number, from 1"},
        {"1,2,0\n", "4", "line 1: there is no column \"4\" among its 3; name one of them, or give its number, from 1"},
        {"1,2,0\n", "0", "line 1: there is no column \"0\" among its 3; name one of them, or give its number, from 1"},
        {"a,b,c\n", NULL, "it holds no samples"},
        {"\n\n", NULL, "it holds no samples"},
        {"# nothing\n", NULL, "it holds no samples"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[300];
        snprintf(message, sizeof message, FOLDER "/x.csv: %s", cases[i].message);
        put_text("x.csv", cases[i].text);
        refuses(FOLDER "/x.csv", &m, &(nn_data_options){.label = cases[i].label}, message);
    }
    put_text("x.csv", "a,b,c\n1,2,3\n1,2,inf\n");
    refuses(FOLDER "/x.csv", &real, NULL, FOLDER "/x.csv: line 3: column 3 (c) holds \"inf\", which is no finite number");
}

/* ---- Pictures ----------------------------------------------------------------------------------------------- */

enum { EDGE = 8 };

/* Colours that JPEG keeps nearly: each channel a ramp of its own. */
static void ramp(unsigned char *rgb)
{
    for (int y = 0; y < EDGE; y++)
        for (int x = 0; x < EDGE; x++) {
            *rgb++ = (unsigned char)(20 * x + 10);
            *rgb++ = (unsigned char)(20 * y + 20);
            *rgb++ = (unsigned char)(10 * x + 10 * y + 30);
        }
}

static void put_png(const char *name, png_uint_32 format, int edge, const void *pixels)
{
    char path[200];
    png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)edge, .height = (png_uint_32)edge,
                       .format = format};
    snprintf(path, sizeof path, FOLDER "/%s", name);
    CU_ASSERT_NOT_EQUAL_FATAL(png_image_write_to_file(&image, path, 0, pixels, 0, NULL), 0);
}

static void put_jpeg(const char *name, unsigned char *rgb)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long size = 0;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &out, &size);
    info.image_width = info.image_height = EDGE;
    info.input_components = 3;
    info.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < EDGE) {
        JSAMPROW row = rgb + 3 * EDGE * info.next_scanline;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    put(name, out, size);
    free(out);
}

/* The file, read as the network's input, is the rgb picture to within this many of 255; grey: its grey. */
static void is_ramp_at(int line, const char *path, int channels, const unsigned char *rgb, float within)
{
    const nn_model m = network(channels, EDGE, EDGE, 3, 1, 1);
    float x[4 * EDGE * EDGE];
    nn_data *data = opens_at(line, path, &m, &(nn_data_options){.no_targets = 1, .no_scale = 1});
    int error = data ? nn_data_read(data, 0, x, NULL) : 0;
    check_at(__FILE__, line, error == 0, "%s: %s", path, nnkit_error());
    for (int i = 0; data && !error && i < channels * EDGE * EDGE; i++) {
        const int channel = i / (EDGE * EDGE);
        const unsigned char *p = rgb + 3 * (i % (EDGE * EDGE));
        float expected = channel == 3 ? 255 : p[channel];
        if (channels == 1)
            expected = roundf(0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]);
        check_at(__FILE__, line, fabsf(x[i] - expected) <= within, "%s: number %d is %g, not %g", path, i, x[i], expected);
    }
    nn_data_close(data);
}

#define is_ramp(...) is_ramp_at(__LINE__, __VA_ARGS__)

static void test_pictures(void)
{
    unsigned char rgb[3 * EDGE * EDGE], grey[EDGE * EDGE], same[3 * EDGE * EDGE];
    char ppm[30 + sizeof rgb];
    ramp(rgb);
    put_png("a.png", PNG_FORMAT_RGB, EDGE, rgb);
    is_ramp(FOLDER "/a.png", 3, rgb, 0);
    is_ramp(FOLDER "/a.png", 1, rgb, 0);
    is_ramp(FOLDER "/a.png", 4, rgb, 0);
    put_jpeg("a.jpg", rgb);
    is_ramp(FOLDER "/a.jpg", 3, rgb, 2);
    is_ramp(FOLDER "/a.jpg", 1, rgb, 2);
    int head = sprintf(ppm, "P6\n# a comment\n%d %d 255\n", EDGE, EDGE);
    memcpy(ppm + head, rgb, sizeof rgb);
    put("a.ppm", ppm, (size_t)head + sizeof rgb);
    is_ramp(FOLDER "/a.ppm", 3, rgb, 0);
    gzip("a.ppm");
    is_ramp(FOLDER "/a.ppm.gz", 3, rgb, 0);

    /* Grey ones; one that says it is another kind. */
    for (int i = 0; i < EDGE * EDGE; i++)
        grey[i] = (unsigned char)(3 * i), memset(same + 3 * i, 3 * i, 3);
    put_png("grey.jpg", PNG_FORMAT_GRAY, EDGE, grey);
    is_ramp(FOLDER "/grey.jpg", 3, same, 0);
    is_ramp(FOLDER "/grey.jpg", 1, same, 0);
    head = sprintf(ppm, "P5 %d %d 255\n", EDGE, EDGE);
    memcpy(ppm + head, grey, sizeof grey);
    put("a.pgm", ppm, (size_t)head + sizeof grey);
    is_ramp(FOLDER "/a.pgm", 1, same, 0);
    put_text("b.pgm", "P2 # text, 16 bits\n2 2\n65535\n0 65535 32768\n257");
    const nn_model m = network(1, 2, 2, 3, 1, 1);
    nn_data *data = opens(FOLDER "/b.pgm", &m, &(nn_data_options){.no_targets = 1, .no_scale = 1});
    has(data, 0, 4, (float[]){0, 255, 128, 1}, -1);
    if (data)
        CU_ASSERT_STRING_EQUAL(nn_data_file(data, 0), FOLDER "/b.pgm");
    nn_data_close(data);
}

/* An axis that shrinks takes means over areas, one that grows interpolates. */
static void test_scaled(void)
{
    const nn_data_options options = {.no_targets = 1, .no_scale = 1};
    const nn_model half = network(1, 1, 2, 3, 1, 1), third = network(1, 1, 3, 3, 1, 1), twice = network(1, 4, 4, 3, 1, 1);
    put_text("a.pgm", "P2 4 1 255 10 20 30 50");
    nn_data *data = opens(FOLDER "/a.pgm", &half, &options);
    has(data, 0, 2, (float[]){15, 40}, -1);
    nn_data_close(data);
    data = opens(FOLDER "/a.pgm", &third, &options);
    float x[3];
    if (data && nn_data_read(data, 0, x, NULL) == 0)
        CU_ASSERT_TRUE(fabsf(x[0] - 12.5f) < 1e-4f && fabsf(x[1] - 25) < 1e-4f && fabsf(x[2] - 45) < 1e-4f);
    nn_data_close(data);
    put_text("a.pgm", "P2 2 2 255 0 40 80 120");
    data = opens(FOLDER "/a.pgm", &twice, &options);
    has(data, 0, 16, (float[]){0, 10, 30, 40, 20, 30, 50, 60, 60, 70, 90, 100, 80, 90, 110, 120}, -1);
    nn_data_close(data);
}

static void test_folder(void)
{
    const nn_model m = network(1, 2, 2, 2, 1, 1), three = network(1, 2, 2, 3, 1, 1), flat = network(4, 1, 1, 2, 1, 1);
    const char *folder = FOLDER "/classes";
    folder_make(FOLDER "/classes/dog");
    folder_make(FOLDER "/classes/cat");
    put_text("classes/readme", "no picture");
    put_text("classes/dog/b.pgm", "P2 2 2 255 1 2 3 4");
    put_text("classes/dog/a", "P2 2 2 255 5 6 7 8");
    put_text("classes/dog/.hidden", "no picture");
    put_text("classes/cat/c.PGM", "P2 2 2 255 9 10 11 12");
    gzip("classes/dog/a");
    nn_data *data = opens(folder, &m, &(nn_data_options){.no_scale = 1});
    if (data) {
        CU_ASSERT_EQUAL(nn_data_count(data), 3);
        CU_ASSERT_EQUAL(nn_data_classes(data), 2);
        CU_ASSERT_STRING_EQUAL(nn_data_class(data, 0), "cat");
        CU_ASSERT_STRING_EQUAL(nn_data_file(data, 2), FOLDER "/classes/dog/b.pgm");
    }
    has(data, 0, 4, (float[]){9, 10, 11, 12}, 0);
    has(data, 1, 4, (float[]){5, 6, 7, 8}, 1);
    has(data, 2, 4, (float[]){1, 2, 3, 4}, 1);

    /* A test set that lacks a class keeps the numbers; another class is refused. */
    folder_make(FOLDER "/test/dog");
    put_text("test/dog/d.pgm", "P2 2 2 255 1 2 3 4");
    nn_data *test = opens(FOLDER "/test", &m, &(nn_data_options){.like = data});
    has(test, 0, 1, (float[]){1 / 255.0f}, 1);
    nn_data_close(test);
    folder_make(FOLDER "/test/cow");
    refuses(FOLDER "/test", &m, &(nn_data_options){.like = data},
            FOLDER "/test/cow: \"cow\" is none of the 2 known classes");
    nn_data_close(data);

    refuses(folder, &three, NULL,
            FOLDER "/classes: the data has 2 classes (cat, dog), but the network's last layer is for 3; change it in the .nn "
            "file");
    refuses(folder, &flat, NULL,
            FOLDER "/classes: it holds pictures, but the network takes 4x1x1; write `input 3x32x32` (channels: 1 for grey, 3 "
            "for colours; height; width) in the .nn file");
    refuses(FOLDER "/classes/cat", &m, NULL,
            FOLDER "/classes/cat: its pictures have no classes; put those of each class in a folder of its own");
    refuses(FOLDER "/test", &m, NULL, FOLDER "/test/cow: the folder holds no pictures");
    put_text("test/cow/x", "text");
    refuses(FOLDER "/test", &m, NULL, FOLDER "/test/cow/x: it is no PNG, JPEG, PGM or PPM picture; remove it");
    folder_make(FOLDER "/sets/train/cat");
    refuses(FOLDER "/sets", &m, NULL,
            FOLDER "/sets/train/cat: it is a folder, where pictures of one class are expected; name a folder that has one "
            "folder for each class");
    data = opens(FOLDER "/classes/dog", &m, &(nn_data_options){.no_targets = 1});
    if (data)
        CU_ASSERT_EQUAL(nn_data_count(data), 2);
    nn_data_close(data);
}

/* A damaged picture is an error of the one that is read, which names it. The message begins so: libpng may go on. */
static void refuses_picture_at(int line, const char *name, const void *content, size_t size, const char *message)
{
    const nn_model m = network(3, 2, 2, 3, 1, 1);
    float x[12];
    char path[200], whole[300];
    snprintf(path, sizeof path, FOLDER "/%s", name);
    snprintf(whole, sizeof whole, "%s: %s", path, message);
    file_write(path, content, size);
    nn_data *data = opens_at(line, path, &m, &(nn_data_options){.no_targets = 1});
    if (!data)
        return;
    int error = nn_data_read(data, 0, x, NULL);
    check_at(__FILE__, line, error == NN_EFORMAT && !strncmp(nnkit_error(), whole, strlen(whole)), "error %d\n      says   %s\n      not    %s",
             error, nnkit_error(), whole);
    nn_data_close(data);
}

#define refuses_picture(...) refuses_picture_at(__LINE__, __VA_ARGS__)

static void test_pictures_damaged(void)
{
    unsigned char rgb[3 * EDGE * EDGE];
    size_t size;
    ramp(rgb);
    put_png("good.png", PNG_FORMAT_RGB, EDGE, rgb);
    char *file = file_read(FOLDER "/good.png", &size);
    refuses_picture("a.png", file, size - 1, "the PNG picture is damaged: it is cut off; copy it again, or remove it");
    refuses_picture("a.png", file, size - 20, "the PNG picture is damaged: it is cut off; copy it again, or remove it");
    file[size - 18] ^= 1;
    refuses_picture("a.png", file, size, "the PNG picture is damaged: IDAT: ");
    free(file);
    put_jpeg("good.jpg", rgb);
    file = file_read(FOLDER "/good.jpg", &size);
    refuses_picture("a.jpg", file, size - 20,
                    "the JPEG picture is damaged: Premature end of JPEG file; copy it again, or remove it");
    refuses_picture("a.jpg", file, 100,
                    "the JPEG picture is damaged: Premature end of JPEG file; copy it again, or remove it");
    free(file);
    const struct { const char *text, *message; } cases[] = {
        {"P2 2 2 255 1 2 3", "the PGM or PPM picture is damaged: it is cut off; copy it again, or remove it"},
        {"P5 2 2 255\n123", "the PGM or PPM picture is damaged: it is cut off; copy it again, or remove it"},
        {"P5 2 2 255\n12345", "the PGM or PPM picture is damaged: there are more bytes than its head says; copy it again, or "
                              "remove it"},
        {"P2 2 2 3 1 2 3 4", "the PGM or PPM picture is damaged: a pixel is greater than its head says; copy it again, or "
                             "remove it"},
        {"P2 2 x", "the PGM or PPM picture is damaged: its head is not complete; copy it again, or remove it"},
        {"P2 0 2 255 1", "a picture of 0 x 2 pixels cannot be read; make it smaller"},
        {"P5 100000 100000 255\n1", "a picture of 100000 x 100000 pixels cannot be read; make it smaller"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuses_picture("a.pgm", cases[i].text, strlen(cases[i].text), cases[i].message);
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

/* ---- Augmentation --------------------------------------------------------------------------------------- */

static nn_augment parsed_at(int line, const char *text, const nn_model *m)
{
    nn_augment a;
    int error = nn_augment_parse(text, m, &a);
    check_at(__FILE__, line, error == 0, "%s: %s", text, nnkit_error());
    return a;
}

#define parsed(...) parsed_at(__LINE__, __VA_ARGS__)

static void test_augment_options(void)
{
    const nn_model m = network(1, 4, 5, 3, 1, 1), flat = network(20, 1, 1, 3, 1, 1);
    const struct { const char *text, *message; } cases[] = {
        {"flop", "augment: flop: there are flip, shift=N, rotate=DEGREES, crop=N and noise=X"},
        {"flip=1", "augment: flip=1: there are flip, shift=N, rotate=DEGREES, crop=N and noise=X"},
        {"shift", "augment: shift: a number from 0 to 4 is expected behind the equals sign"},
        {"shift=5", "augment: shift=5: a number from 0 to 4 is expected behind the equals sign"},
        {"flip,rotate=-3", "augment: rotate=-3: a number from 0 to 180 is expected behind the equals sign"},
        {"crop=1.5", "augment: crop=1.5: a whole number of pixels is expected"},
        {"noise=x,flip", "augment: noise=x: a number from 0 to 1e+06 is expected behind the equals sign"},
        {"noise=nan", "augment: noise=nan: a number from 0 to 1e+06 is expected behind the equals sign"},
        {"flip,", "augment: something is missing behind the last comma"},
    };
    nn_augment a = parsed("flip,shift=2,rotate=10.5,crop=4,noise=0.25", &m);
    CU_ASSERT_TRUE(a.flip == 1 && a.shift == 2 && a.rotate == 10.5f && a.crop == 4 && a.noise == 0.25f);
    a = parsed("", &m);
    CU_ASSERT_TRUE(!a.flip && a.shift == 0 && a.rotate == 0 && a.crop == 0 && a.noise == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_at(__FILE__, __LINE__, nn_augment_parse(cases[i].text, &m, &a) == NN_EMODEL &&
                 !strcmp(nnkit_error(), cases[i].message), "%s: %s", cases[i].text, nnkit_error());
    parsed("noise=1", &flat);
    CU_ASSERT_TRUE(nn_augment_parse("flip", &flat, &a) == NN_EMODEL && !strcmp(nnkit_error(),
                   "augment: flip is for pictures, but the network's input is 20 numbers; write `input CxHxW` in the .nn "
                   "file"));
}

/* Each change by itself, over many samples: what it may do, and that it does all of it. */
static void test_augment(void)
{
    enum { C = 2, H = 5, W = 7, N = 400 };
    const nn_model m = network(C, H, W, 3, 1, 1);
    float before[C * H * W], x[C * H * W];
    for (int i = 0; i < C * H * W; i++)
        before[i] = (float)(1 + i);
    nn_augment a = parsed("flip", &m);
    int flipped = 0;
    for (uint64_t n = 0; n < N; n++) {
        memcpy(x, before, sizeof x);
        CU_ASSERT_EQUAL(nn_data_augment(&a, &m, x, 1, 2, n), 0);
        const int turned = x[0] == before[W - 1];
        for (int i = 0; i < C * H * W; i++)
            check_at(__FILE__, __LINE__, x[i] == before[turned ? i - i % W + W - 1 - i % W : i], "flip: number %d", i);
        flipped += turned;
    }
    check_at(__FILE__, __LINE__, flipped > 160 && flipped < 240, "%d of %d are mirrored", flipped, N);

    /* crop=2: one of 25 places, each of them. */
    int places[5][5] = {{0}};
    a = parsed("crop=2", &m);
    for (uint64_t n = 0; n < N; n++) {
        memcpy(x, before, sizeof x);
        CU_ASSERT_EQUAL(nn_data_augment(&a, &m, x, 1, 2, n), 0);
        const int at = (int)x[2 * W + 3] - 1, right = at % W - 3, down = at / W - 2; /* what is in the middle now */
        check_at(__FILE__, __LINE__, right >= -2 && right <= 2 && down >= -2 && down <= 2, "crop: %d, %d", right, down);
        places[down + 2][right + 2]++;
        for (int i = 0; i < C * H * W; i++) {
            const int y = i / W % H + down, column = i % W + right;
            const float expected = y >= 0 && y < H && column >= 0 && column < W ? before[i + down * W + right] : 0;
            check_at(__FILE__, __LINE__, x[i] == expected, "crop: number %d is %g, not %g", i, x[i], expected);
        }
    }
    for (int i = 0; i < 25; i++)
        check_at(__FILE__, __LINE__, places[i / 5][i % 5] > 0, "crop: place %d does not occur", i);

    a = parsed("noise=0.5", &m);
    double sum = 0, squares = 0;
    for (uint64_t n = 0; n < N; n++) {
        memcpy(x, before, sizeof x);
        CU_ASSERT_EQUAL(nn_data_augment(&a, &m, x, 1, 2, n), 0);
        for (int i = 0; i < C * H * W; i++)
            sum += x[i] - before[i], squares += (double)(x[i] - before[i]) * (x[i] - before[i]);
    }
    sum /= N * C * H * W;
    squares /= N * C * H * W;
    check_at(__FILE__, __LINE__, fabs(sum) < 0.02 && fabs(squares - 0.25) < 0.02, "noise: mean %g, variance %g", sum, squares);
}

/* Where the light of a picture is: its sum and its centre. */
static void centre_of(const float *x, int edge, double *sum, double *across, double *down)
{
    *sum = *across = *down = 0;
    for (int y = 0; y < edge; y++)
        for (int i = 0; i < edge; i++) {
            *sum += x[y * edge + i];
            *across += i * x[y * edge + i];
            *down += y * x[y * edge + i];
        }
    *across = *across / *sum - (edge - 1) / 2.0;
    *down = *down / *sum - (edge - 1) / 2.0;
}

/* shift and rotate move a spot as they should: bilinear weights keep its light and its centre. */
static void test_augment_moves(void)
{
    enum { W = 21, N = 200 };
    const nn_model m = network(1, W, W, 3, 1, 1);
    float before[W * W] = {0}, x[W * W];
    double sum, across, down, least = 9, most = -9;
    for (int y = -1; y <= 1; y++) /* around (4, 0) from the middle */
        for (int i = -1; i <= 1; i++)
            before[(W / 2 + y) * W + W / 2 + 4 + i] = (float)(2 - abs(y)) * (float)(2 - abs(i));
    nn_augment a = parsed("shift=3", &m);
    for (uint64_t n = 0; n < N; n++) {
        memcpy(x, before, sizeof x);
        CU_ASSERT_EQUAL(nn_data_augment(&a, &m, x, 1, 2, n), 0);
        centre_of(x, W, &sum, &across, &down);
        check_at(__FILE__, __LINE__, fabs(sum - 16) < 1e-3 && fabs(across - 4) < 3.01 && fabs(down) < 3.01,
                 "shift: sum %g, at %g, %g", sum, across, down);
        least = fmin(least, down);
        most = fmax(most, down);
    }
    check_at(__FILE__, __LINE__, least < -2.7 && most > 2.7, "shift: from %g to %g", least, most);
    a = parsed("rotate=90", &m);
    least = most = 0;
    for (uint64_t n = 0; n < N; n++) {
        memcpy(x, before, sizeof x);
        CU_ASSERT_EQUAL(nn_data_augment(&a, &m, x, 1, 2, n), 0);
        centre_of(x, W, &sum, &across, &down);
        check_at(__FILE__, __LINE__, fabs(sum - 16) < 2 && fabs(hypot(across, down) - 4) < 0.3 && across > -0.3,
                 "rotate: sum %g, at %g, %g", sum, across, down);
        least = fmin(least, atan2(down, across));
        most = fmax(most, atan2(down, across));
    }
    check_at(__FILE__, __LINE__, least < -1.45 && most > 1.45, "rotate: from %g to %g", least, most);
}

/* What happens depends on seed, epoch and sample, and on nothing else; a field's draws do not move with others. */
static void test_augment_draws(void)
{
    const nn_model m = network(1, 9, 9, 3, 1, 1);
    const uint64_t draws[][3] = {{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 2, 3}};
    float x[5][81], plain[81];
    nn_augment all = parsed("flip,shift=2,rotate=20,crop=2,noise=0.1", &m), crop = parsed("crop=2", &m),
               both = parsed("crop=2,noise=1e-6", &m);
    for (int d = 0; d < 5; d++) {
        for (int i = 0; i < 81; i++)
            x[d][i] = (float)i;
        CU_ASSERT_EQUAL(nn_data_augment(&all, &m, x[d], draws[d][0], draws[d][1], draws[d][2]), 0);
        for (int e = 0; e < d; e++)
            CU_ASSERT_EQUAL(!memcmp(x[d], x[e], sizeof x[d]), d == 4 && e == 0);
    }
    for (uint64_t n = 0; n < 20; n++) {
        for (int i = 0; i < 81; i++)
            plain[i] = x[0][i] = (float)i;
        CU_ASSERT_EQUAL(nn_data_augment(&crop, &m, plain, 1, 2, n), 0);
        CU_ASSERT_EQUAL(nn_data_augment(&both, &m, x[0], 1, 2, n), 0);
        for (int i = 0; i < 81; i++)
            CU_ASSERT_TRUE(fabsf(plain[i] - x[0][i]) < 1e-4f);
    }
}

/* ---- Threads ------------------------------------------------------------------------------------------------- */

enum { READERS = 4, READINGS = 200 };

static const char *const read_by_threads[] = {FOLDER "/sets/pictures", FOLDER "/sets/x.csv"};

typedef struct Reader {
    const nn_data *data[2];
    size_t wrong;
} Reader;

/* Reads the samples, each of which is filled with its label. */
static void *read_often(void *with)
{
    Reader *reader = with;
    for (size_t i = 0; i < READINGS; i++)
        for (int d = 0; d < 2; d++) {
            float x[4];
            int t = -1;
            int error = nn_data_read(reader->data[d], i % 3, x, &t);
            reader->wrong += error != 0 || x[0] != (float)t || x[3] != (float)t;
        }
    return NULL;
}

static void test_threads(void)
{
    const nn_model m = network(1, 2, 2, 3, 1, 1);
    const nn_data_options plain = {.no_scale = 1};
    Reader readers[READERS];
    pthread_t threads[READERS];
    for (int c = 0; c < 3; c++) {
        char name[60], text[60];
        snprintf(name, sizeof name, FOLDER "/sets/pictures/%d", c);
        folder_make(name);
        snprintf(name, sizeof name, "sets/pictures/%d/a.png", c);
        put_png(name, PNG_FORMAT_GRAY, 2, memset(text, c, 4));
    }
    put_text("sets/x.csv", "0,0,0,0,0\n1,1,1,1,1\n2,2,2,2,2\n");
    nn_data *data[2] = {opens(read_by_threads[0], &m, &plain), opens(read_by_threads[1], &m, &plain)};
    CU_ASSERT_FATAL(data[0] && data[1]);
    for (int r = 0; r < READERS; r++) {
        readers[r] = (Reader){.data = {data[0], data[1]}};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[r], NULL, read_often, &readers[r]), 0);
    }
    for (int r = 0; r < READERS; r++) {
        pthread_join(threads[r], NULL);
        check_at(__FILE__, __LINE__, readers[r].wrong == 0, "a thread reads %zu samples wrongly", readers[r].wrong);
    }
    nn_data_close(data[0]);
    nn_data_close(data[1]);
}

/* ---- Damage at random ------------------------------------------------------------------------------------- */

#define FUZZER "build/sanitize/tests/fuzz_data"

static bool has_fuzzer(void)
{
    return file_exists(FUZZER);
}

/* Good files of every kind, damaged thousands of times under the sanitizers. */
static void test_fuzz(void)
{
    unsigned char rgb[3 * EDGE * EDGE];
    const float x[] = {1, 2, 3, 4, -1, -2, -3, -4};
    char command[1000];
    folder_make(FOLDER "/good");
    put_pair("good/images", "good/labels");
    put("good/plain", images, IMAGES);
    gzip("good/images");
    put_npy("good/x.npy", NPY("<f4", "(2, 4)"), x, sizeof x);
    put_batch("good/batch", "\3\7", 1, 0);
    put_text("good/words.csv", "size,animal\n1,dog\n2,cat\n3,\"cow\"\n4,cat\n");
    put_text("good/numbers.csv", "a;b;c;label\n1;2,5;-3;2\n4;5;6e2;0\n");
    ramp(rgb);
    put_png("good/rgb.png", PNG_FORMAT_RGB, EDGE, rgb);
    put_png("good/map.png", PNG_FORMAT_GA, 4, rgb);
    put_jpeg("good/rgb.jpg", rgb);
    put_text("good/text.pgm", "P2 # text, 16 bits\n2 2\n65535\n0 65535 32768\n257");
    put_text("good/bytes.ppm", "P6 2 2 255\nabcdefghijkl");
    snprintf(command, sizeof command, "cd " FOLDER "/good && ../../../../../" FUZZER " %llu 3000 ../damaged 1 2 2 3 images.gz 1 2 2 3 plain "
             "4 1 1 3 x.npy 3 32 32 10 batch 1 1 1 3 words.csv 3 1 1 3 numbers.csv 3 8 8 3 rgb.png 2 4 4 3 map.png "
             "3 4 5 3 rgb.jpg 1 8 8 3 rgb.jpg 1 2 2 3 text.pgm 3 3 1 3 bytes.ppm", (unsigned long long)test_seed());
    const char *argv[] = {"sh", "-c", command, NULL};
    process run = process_run(NULL, argv, NULL, 0, NULL);
    check_at(__FILE__, __LINE__, run.status == 0, "%s\n      exit status %d: %s", command, run.status, run.err);
    process_free(&run);
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
        {".npy", test_npy},
        {".npy, damaged", test_npy_damaged},
        {"CIFAR", test_cifar},
        {"CSV", test_csv},
        {"CSV, words", test_csv_words},
        {"CSV, float targets", test_csv_floats},
        {"CSV, damaged", test_csv_damaged},
        {"pictures", test_pictures},
        {"pictures, scaled", test_scaled},
        {"pictures, folders", test_folder},
        {"pictures, damaged", test_pictures_damaged},
        {"gzip", test_gzip},
        {"augmentation, options", test_augment_options},
        {"augmentation", test_augment},
        {"augmentation, moves", test_augment_moves},
        {"augmentation, draws", test_augment_draws},
        {"threads", test_threads},
        {"damage at random", test_fuzz},
        CU_TEST_INFO_NULL,
    };
    static const test_need fuzzer = {has_fuzzer, "make SANITIZE=1 " FUZZER, NULL};
    add_suite("data", start, NULL, tests);
    add_need("data", "damage at random", &fuzzer);
    add_to_check("data", NULL);
}
