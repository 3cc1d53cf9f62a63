/* weights.c: FILE SEED ROUNDS: writes that many damaged weight files to FILE and loads each, under the
 * sanitizers.
 *
 * Damage that a reader may stumble over: numbers become huge, pieces of text go, double or change places,
 * brackets nest by the thousand, names get long, the header's length lies, the file ends early. The params
 * have no byte to spare, so that a step past their end is seen. Prints how many files loaded. */
#include "nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 16 };

static const nn_tensor tensors[] = {
    {"a", 2, {2, 2}, 0, 4, 0, 0, {0}, {0}},
    {"bn1.weight", 4, {3, 1, 1, 1}, 4, 3, 0, 0, {3, 1, 1, 1}, {1, 4, 4, 4}},
};
static const nn_model model = {.params_bytes = 7 * sizeof(float), .ntensors = 2, .tensors = tensors};

static const char whole[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\\ud83d\\ude00 \\u00fc\"},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
    "\"bn1.weight\":{\"shape\":[3,1,1,1],\"data_offsets\":[16,28],\"dtype\":\"F32\"},"
    "\"bn1.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[28,36]}}";

static uint64_t rng;
static char text[ROOM];
static size_t length;

static size_t below(size_t n)
{
    return (size_t)(nn_bits_at(rng++, 0) % n);
}

/* Puts count copies of a piece in the place of `gone` bytes at a place. */
static void put(size_t at, size_t gone, const char *piece, size_t size, size_t count)
{
    static char rest[ROOM];
    size_t left;

    gone = gone < length - at ? gone : length - at;
    left = length - at - gone;
    if (length - gone + size * count > ROOM - 64)
        return;
    memcpy(rest, text + at + gone, left);
    for (size_t i = 0; i < count; i++)
        memcpy(text + at + i * size, piece, size);
    memcpy(text + at + size * count, rest, left);
    length = at + size * count + left;
}

static void damage(void)
{
    static const char *const pieces[] = {
        "18446744073709551615", "18446744073709551616", "4294967296", "9223372036854775808", "0", "-1", "1e9", "{", "[", "}",
        "]", "\"", ",", ":", "\\", "\\u", "\\ud800", "\\u0000", "\xff", "\xe2\x82", "\xc2\x9b", "null", "\"a\":", "\"F16\"",
        "\"dtype\":\"F32\",", "\"shape\":[1,1,1,1,1,1,1],", "\"data_offsets\":[0,16],", "\"__metadata__\":{},", "[2,2]",
        ".num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[0,0]},\"",
    };
    const size_t at = below(length), n = 1 + below(40), size = n < length - at ? n : length - at;
    const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
    char copy[64];

    memcpy(copy, text + at, size);
    switch (below(6)) {
    case 0: /* another number */
        for (size_t i = at; i < length; i++)
            if (text[i] >= '0' && text[i] <= '9') {
                put(i, strspn(text + i, "0123456789"), piece, strlen(piece), 1);
                break;
            }
        break;
    case 1: put(at, size, "", 0, 0); break;
    case 2: put(at, 0, copy, size, 1 + below(3)); break;
    case 3: put(at, 0, piece, strlen(piece), 1); break;
    case 4: put(at, below(2), piece, strlen(piece), 1 + below(below(4) ? 4 : 2000)); break;
    default: text[at] ^= (char)(1 << below(8)); break;
    }
}

static void write_damaged(const char *path)
{
    unsigned char head[8] = {0}, data[36] = {0};
    FILE *file = fopen(path, "wb");
    size_t told, kept;

    length = sizeof whole - 1;
    memcpy(text, whole, length);
    for (size_t changes = below(4); changes > 0 && length > 0; changes--)
        damage();
    told = below(20) ? length : length + below(80) - 40;
    for (int i = 0; i < 8; i++)
        head[i] = (unsigned char)(below(50) ? (uint64_t)told >> 8 * i : below(256));
    kept = below(20) ? sizeof data : below(sizeof data);
    if (!file || fwrite(head, 1, 8, file) != 8 || fwrite(text, 1, length, file) != length ||
        fwrite(data, 1, kept, file) != kept || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    const int rounds = argc > 3 ? atoi(argv[3]) : 0;
    int loaded = 0;

    rng = argc > 2 ? strtoull(argv[2], NULL, 10) << 24 : 0;
    for (int round = 0; round < rounds; round++) {
        void *params = malloc(model.params_bytes);
        int error;

        write_damaged(argv[1]);
        error = nn_load(&model, params, argv[1]);
        loaded += error == NN_OK;
        if (strlen(nn_error(error)) > 1023 || strpbrk(nn_error(error), "\n\033"))
            abort();
        free(params);
    }
    printf("%d\n", loaded);
    return 0;
}
