/* fuzz_data.c: opens and reads damaged data sets, under sanitizers.
 *
 *     fuzz_data SEED COUNT SCRATCH C H W CLASSES FILE [C H W CLASSES FILE]...
 *
 * COUNT times one of the files is damaged at random, written to SCRATCH, opened for a network of that input and
 * those classes, and read. It may be refused, but then with one line of a message that names it; or it may be
 * read, but then as finite numbers and labels below CLASSES. Exit status 1 where something else happens. */
#include "nnkit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1 << 18 };

static uint64_t rng;

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(nn_bits(&rng) % n) : 0;
}

static size_t read_file(const char *path, unsigned char *to)
{
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(to, 1, MOST / 2, file) : 0;
    if (!file || size == 0) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return size;
}

/* Damages the bytes: often near their beginning, where heads are. */
static size_t damage(unsigned char *at, size_t size)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ',', '"', '-', '9'};
    for (size_t n = 1 + below(4); n > 0 && size > 0; n--) {
        const size_t place = below(below(2) ? size : size < 100 ? size : 100), length = 1 + below(20);
        switch (below(6)) {
        case 0:
            at[place] ^= (unsigned char)(1 << below(8));
            break;
        case 1:
            at[place] = values[below(sizeof values)];
            break;
        case 2:
            at[place] = (unsigned char)below(256);
            break;
        case 3: /* cut off */
            size = below(4) ? size - below(size < 50 ? size : 50) : place;
            break;
        case 4: /* taken out */
            if (place + length < size) {
                memmove(at + place, at + place + length, size - place - length);
                size -= length;
            }
            break;
        default: /* twice */
            if (place + length < size && size + length < MOST) {
                memmove(at + place + length, at + place, size - place);
                size += length;
            }
        }
    }
    return size;
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, nnkit_error());
    return 1;
}

/* Reads the data with targets or without. Returns 1 where it behaves badly. */
static int try(const char *path, const nn_model *m, int no_targets, float *x)
{
    const nn_data_options options = {.no_targets = no_targets};
    nn_data *data = nn_data_open(path, m, &options);
    if (!data)
        return strncmp(nnkit_error(), path, strlen(path)) || strpbrk(nnkit_error(), "\n\r\x1b") ? fail("a bad message") : 0;
    int bad = nn_data_count(data) == 0;
    for (size_t n = 0; n < nn_data_count(data) && n < 50 && !bad; n++) {
        int t = 0;
        if (nn_data_read(data, n, x, no_targets ? NULL : &t))
            bad = strncmp(nnkit_error(), path, strlen(path)) ? fail("a bad message") : 0;
        else {
            for (size_t i = 0; i < m->input; i++)
                bad |= !isfinite(x[i]);
            bad |= t != -100 && (t < 0 || t >= (int)m->output);
        }
    }
    nn_data_close(data);
    if (bad)
        fprintf(stderr, "bad data is read\n");
    return bad;
}

int main(int argc, char **argv)
{
    static unsigned char bytes[MOST];
    static float x[1 << 16];
    if (argc < 9 || (argc - 4) % 5 != 0)
        return 2;
    rng = strtoull(argv[1], NULL, 10);
    for (int i = 0; i < atoi(argv[2]); i++) {
        const uint64_t before = rng;
        char **set = argv + 4 + 5 * below((size_t)(argc - 4) / 5);
        const int c = atoi(set[0]), h = atoi(set[1]), w = atoi(set[2]), classes = atoi(set[3]);
        const nn_model m = {.name = "net", .input_shape = {c, h, w}, .input = (size_t)(c * h * w), .output = (size_t)classes,
                            .targets = 1, .int_targets = 1, .batch = 1};
        const size_t size = damage(bytes, read_file(set[4], bytes));
        FILE *to = fopen(argv[3], "wb");
        if (!to || fwrite(bytes, 1, size, to) != size || fclose(to) != 0)
            return 2;
        alarm(20); /* a hang ends by this signal */
        if (try(argv[3], &m, (int)below(2), x)) {
            fprintf(stderr, "%s, SEED %llu\n", set[4], (unsigned long long)before);
            return 1;
        }
    }
    return 0;
}
