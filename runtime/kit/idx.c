/* idx.c: IDX files, the format of MNIST: two zeros, the type, the number of dimensions, the dimensions as
 * four bytes each, the numbers; all with the greatest byte first. The first dimension counts the samples. */
#include "data.h"

#include <string.h>

static int type_of(int code, element *type)
{
    static const struct { int code; element type; } types[] = {
        {0x08, U8}, {0x09, I8}, {0x0b, I16}, {0x0c, I32}, {0x0d, F32}, {0x0e, F64},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code) {
            *type = types[i].type;
            return 1;
        }
    return 0;
}

static int knows(const bytes *file)
{
    element type;

    return file->size >= 4 && file->at[0] == 0 && file->at[1] == 0 && file->at[3] >= 1 &&
           type_of(file->at[2], &type);
}

static size_t word(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* The array that a file holds. */
static int read_header(const bytes *file, const char *path, array *to)
{
    const int rank = file->at[3];
    const size_t head = 4 + 4 * (size_t)rank;

    memset(to, 0, sizeof *to);
    type_of(file->at[2], &to->type);
    to->big_endian = 1;
    if (rank > MOST_DIMENSIONS || file->size < head)
        return kit_fail(NN_EFORMAT, "%s: the IDX file is cut off within its first bytes; copy it again",
                        path);
    to->at = file->at + head;
    to->count = word(file->at + 4);
    to->rank = rank - 1;
    for (int d = 1; d < rank; d++)
        to->shape[d - 1] = word(file->at + 4 + 4 * d);
    return kit_array_check(to, file->size - head, "IDX", path);
}

const array_format kit_idx = {"IDX", knows, read_header};
