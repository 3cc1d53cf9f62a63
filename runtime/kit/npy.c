/* npy.c: arrays of NumPy, as numpy.save writes them: a magic number, the version, the length of a text, the
 * text, the numbers. The text is a dictionary of Python with the type, the shape and the order of the axes:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 *
 * The first axis counts the samples. */
#include "data.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int knows(const bytes *file)
{
    return file->size >= 6 && memcmp(file->at, "\x93NUMPY", 6) == 0;
}

static int damaged(const char *path, const char *what)
{
    return kit_fail(NN_EFORMAT, "%s: the .npy file %s; save it again with numpy.save", path, what);
}

/* Where the value of a key begins in the text, or NULL. */
static const char *value_of(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    if (at == NULL)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

/* The type of "'<f4'". */
static int read_type(const char *at, array *to)
{
    static const struct { const char *name; element type; } types[] = {
        {"b1", U8}, {"u1", U8}, {"i1", I8}, {"u2", U16}, {"i2", I16}, {"u4", U32}, {"i4", I32}, {"u8", U64},
        {"i8", I64}, {"f4", F32}, {"f8", F64},
    };

    if ((*at != '\'' && *at != '"') || strchr("<>|=", at[1]) == NULL || at[1] == '\0')
        return 0;
    to->big_endian = at[1] == '>';
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strncmp(at + 2, types[i].name, 2) == 0 && at[4] == *at) {
            to->type = types[i].type;
            return 1;
        }
    return 0;
}

/* The shape of "(60000, 28, 28)". */
static int read_shape(const char *at, array *to)
{
    size_t sizes[MOST_DIMENSIONS + 1];
    int n = 0;

    if (*at++ != '(')
        return 0;
    for (;;) {
        size_t size = 0;

        at += strspn(at, " ,");
        if (*at == ')')
            break;
        if (!isdigit((unsigned char)*at) || n == MOST_DIMENSIONS)
            return 0;
        for (; isdigit((unsigned char)*at); at++) {
            if (size > SIZE_MAX / 16)
                return 0;
            size = 10 * size + (size_t)(*at - '0');
        }
        sizes[n++] = size;
    }
    if (n == 0)
        return 0;
    to->count = sizes[0];
    to->rank = n - 1;
    memcpy(to->shape, sizes + 1, (size_t)to->rank * sizeof *sizes);
    return 1;
}

static int read_text(const char *text, const char *path, array *to)
{
    const char *type = value_of(text, "'descr'"), *order = value_of(text, "'fortran_order'"),
               *shape = value_of(text, "'shape'");

    if (type == NULL || order == NULL || shape == NULL)
        return damaged(path, "has no type, order or shape in its head");
    if (!read_type(type, to))
        return kit_fail(NN_EFORMAT, "%s: the .npy file's type is %.*s; save numbers, as x.astype('float32')",
                        path, (int)strcspn(type, ","), type);
    if (!read_shape(shape, to))
        return kit_fail(NN_EFORMAT, "%s: the .npy file's shape is %.*s; samples lie along its first axis",
                        path, (int)strcspn(shape, "}"), shape);
    if (strncmp(order, "True", 4) == 0 && to->rank > 0)
        return kit_fail(NN_EFORMAT, "%s: the .npy file is in Fortran's order; save "
                        "numpy.ascontiguousarray(x)", path);
    return 0;
}

static int read_npy(const bytes *file, const char *path, array *to)
{
    char text[1024];
    size_t head, length;
    int error;

    memset(to, 0, sizeof *to);
    if (file->size < 12)
        return damaged(path, "is cut off within its first bytes");
    length = (size_t)file->at[8] | (size_t)file->at[9] << 8;
    if (file->at[6] != 1)
        length |= (size_t)file->at[10] << 16 | (size_t)file->at[11] << 24;
    head = (file->at[6] == 1 ? 10 : 12) + length;
    if (head > file->size)
        return damaged(path, "is cut off within its first bytes");
    if (length >= sizeof text) /* numbers take fewer */
        return kit_fail(NN_EFORMAT, "%s: the .npy file has fields; save each as an array of its own", path);
    memcpy(text, file->at + head - length, length);
    text[length] = '\0';
    error = read_text(text, path, to);
    if (error != 0)
        return error;
    to->at = file->at + head;
    return kit_array_check(to, file->size - head, ".npy", path);
}

const array_format kit_npy = {".npy", knows, read_npy};
