/* safetensors.c: weights to and from files that PyTorch, JAX and others read too.
 *
 * In and out: the params of a generated network, described by its nn_model, and a file:
 *
 *     8 bytes   N, the header's length, little-endian, at most 100,000,000
 *     N bytes   JSON: {"NAME": {"dtype": "F32", "shape": [16,3], "data_offsets": [BEGIN,END]}, ...}, and
 *               perhaps "__metadata__", which maps strings to strings; padded with spaces
 *     the rest  the tensors, little-endian and row-major; BEGIN and END count from here
 *
 * (https://github.com/huggingface/safetensors, README, "Format".) The one idea is that nothing in a file
 * is believed. The header may be damaged or hostile, so its text is read by a parser for exactly this
 * schema, without recursion; every product is checked; memory is asked for in proportion to the bytes that
 * are really there. Only a file that has passed all of this, and whose data has been read to its end,
 * touches the params.
 *
 * Functions that check return 1, or 0 after they have left a message with nn_fail; so they chain with &&.
 * save.c writes such files. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif

#define NN_COMPUTES
#include "files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef POSIX
#include <fcntl.h>
#include <unistd.h>
#endif

/* ---- What a header says ---------------------------------------------------------------------- */

#define MAX_HEADER 100000000u

typedef struct span { /* bytes, not ended by a NUL */
    const char *at;
    size_t length;
} span;

/* A span for "%.*s"; a long one is cut between two characters. */
#define SHOWN(s) shown_bytes(s), (s).at

static int shown_bytes(span s)
{
    size_t length = s.length < 120 ? s.length : 120;

    while (length < s.length && length > 0 && ((unsigned char)s.at[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

typedef struct entry { /* a tensor of the file; name comes first, for by_name */
    span name;
    int dtype;                    /* index into dtypes */
    int ndim;
    uint64_t shape[NN_MAX_DIMS];  /* of a longer shape, the first dimensions */
    uint64_t count, begin, end;   /* elements, and the bytes of the data they take */
    const nn_tensor *tensor;      /* the model's tensor of this name */
} entry;

typedef struct list { /* of spans or entries */
    void *items;
    size_t count, room;
} list;

typedef struct header {
    const char *path;
    char *text, *at, *end;        /* all of it, the next byte, its end; strings are decoded in place */
    uint64_t data;                /* bytes of data behind the header */
    list entries;
    const char *wanted;           /* a note's name, or NULL */
    span note;                    /* its text; at NULL: there is none */
} header;

static const struct { const char *name; unsigned size;
} dtypes[] = {
    {"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2},     {"I8", 1},
    {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"C64", 8},
};
enum { F32, F64, F16, BF16, NDTYPES = sizeof dtypes / sizeof dtypes[0] };

static int is(span s, const char *word)
{
    return s.length == strlen(word) && memcmp(s.at, word, s.length) == 0;
}

static int append(const header *h, list *l, const void *item, size_t size)
{
    if (l->count == l->room) {
        size_t room = l->room == 0 ? 16 : 2 * l->room;
        void *items = room > SIZE_MAX / size ? NULL : realloc(l->items, room * size);

        if (items == NULL)
            return nn_fail(NN_ENOMEM, h->path, "no memory for the header");
        l->items = items;
        l->room = room;
    }
    memcpy((char *)l->items + l->count++ * size, item, size);
    return 1;
}

static int by_name(const void *a, const void *b)
{
    const span *s = a, *t = b;
    int order = memcmp(s->at, t->at, s->length < t->length ? s->length : t->length);

    return order != 0 ? order : (s->length > t->length) - (s->length < t->length);
}

/* Of items that are spans or begin with one. Sorts them. */
static int no_duplicates(const header *h, list *l, size_t size)
{
    char *item = l->items;

    if (l->count > 0)
        qsort(l->items, l->count, size, by_name);
    for (size_t i = 1; i < l->count; i++, item += size)
        if (by_name(item, item + size) == 0)
            return nn_fail(NN_EFORMAT, h->path, "the header has \"%.*s\" twice", SHOWN(*(span *)item));
    return 1;
}

/* ---- The parts of JSON that a header may have ------------------------------------------------ */

static int bad_text(const header *h, const char *what)
{
    return nn_fail(NN_EFORMAT, h->path, "byte %ld of the header: %s", (long)(h->at - h->text), what);
}

static void skip_space(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n' || *h->at == '\r'))
        h->at++;
}

static int next_is(header *h, char c)
{
    skip_space(h);
    if (h->at == h->end || *h->at != c)
        return 0;
    h->at++;
    return 1;
}

static int take(header *h, char c)
{
    char what[] = "expected '?'";

    what[10] = c;
    return next_is(h, c) || bad_text(h, what);
}

static int hex4(header *h, uint32_t *code)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";

    *code = 0;
    for (int i = 0; i < 4; i++, h->at++) {
        const char *digit = h->at < h->end && *h->at != '\0' ? strchr(digits, *h->at) : NULL;

        if (digit == NULL)
            return bad_text(h, "expected four hexadecimal digits after \\u");
        *code = *code << 4 | ((uint32_t)(digit - digits) & 15);
    }
    return 1;
}

/* What follows a backslash; of a surrogate pair both halves. */
static int escape(header *h, uint32_t *code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = h->at < h->end ? *h->at++ : '\0';
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    uint32_t low;

    if (known != NULL) {
        *code = (unsigned char)to[known - from];
        return 1;
    }
    if (c != 'u')
        return bad_text(h, "unknown escape in a string");
    if (!hex4(h, code))
        return 0;
    if (*code < 0xd800 || *code > 0xdfff)
        return 1;
    if (*code < 0xdc00 && h->end - h->at >= 2 && h->at[0] == '\\' && h->at[1] == 'u') {
        h->at += 2;
        if (!hex4(h, &low))
            return 0;
        *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
        if (low >= 0xdc00 && low <= 0xdfff)
            return 1;
    }
    return bad_text(h, "half a surrogate pair in a string");
}

static char *put_utf8(char *to, uint32_t code)
{
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

    *to++ = (char)(more == 0 ? code : (0xf0u << (3 - more) & 0xff) | code >> 6 * more);
    for (int i = more - 1; i >= 0; i--)
        *to++ = (char)(0x80 | (code >> 6 * i & 0x3f));
    return to;
}

/* A string, decoded over its own text, which is never shorter. */
static int string(header *h, span *s)
{
    char *to;

    if (!take(h, '"'))
        return 0;
    s->at = to = h->at;
    while (h->at < h->end && *h->at != '"') {
        uint32_t code;
        const size_t bytes = nn_decode(h->at, (size_t)(h->end - h->at), &code);

        if (bytes == 0)
            return bad_text(h, "not UTF-8");
        if (code < ' ')
            return bad_text(h, "control character in a string");
        h->at += bytes;
        if (code == '\\' && !escape(h, &code))
            return 0;
        to = put_utf8(to, code);
    }
    s->length = (size_t)(to - s->at);
    return take(h, '"');
}

static int number(header *h, uint64_t *value)
{
    const char *start;

    skip_space(h);
    start = h->at;
    for (*value = 0; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++) {
        const unsigned digit = (unsigned)(*h->at - '0');

        if (*value > (UINT64_MAX - digit) / 10)
            return bad_text(h, "the number is too large");
        *value = *value * 10 + digit;
    }
    if (h->at == start || (h->at < h->end && strchr(".eE", *h->at) != NULL))
        return bad_text(h, "expected a whole number, 0 or more");
    if (h->at - start > 1 && *start == '0')
        return bad_text(h, "the number begins with a needless 0");
    return 1;
}

/* ---- The header ------------------------------------------------------------------------------ */

static int metadata(header *h)
{
    list keys = {NULL, 0, 0};
    span key, value;
    int ok = take(h, '{');

    if (ok && !next_is(h, '}')) {
        do {
            ok = string(h, &key) && take(h, ':') && string(h, &value) && append(h, &keys, &key, sizeof key);
            if (ok && h->wanted != NULL && is(key, h->wanted))
                h->note = value;
        } while (ok && next_is(h, ','));
        ok = ok && take(h, '}') && no_duplicates(h, &keys, sizeof key);
    }
    free(keys.items);
    return ok;
}

static int dtype(header *h, entry *e)
{
    span s;

    if (!string(h, &s))
        return 0;
    for (e->dtype = 0; e->dtype < NDTYPES; e->dtype++)
        if (is(s, dtypes[e->dtype].name))
            return 1;
    return nn_fail(NN_EFORMAT, h->path, "%.*s has unknown dtype \"%.*s\"", SHOWN(e->name), SHOWN(s));
}

static int shape(header *h, entry *e)
{
    uint64_t size;

    e->count = 1;
    if (!take(h, '['))
        return 0;
    if (next_is(h, ']'))
        return 1;
    do {
        if (!number(h, &size))
            return 0;
        if (size != 0 && e->count > UINT64_MAX / size)
            return nn_fail(NN_EFORMAT, h->path, "the shape of %.*s is too large", SHOWN(e->name));
        e->count *= size;
        if (e->ndim < NN_MAX_DIMS)
            e->shape[e->ndim] = size;
        e->ndim++; /* no more than the header has bytes */
    } while (next_is(h, ','));
    return take(h, ']');
}

static int offsets(header *h, entry *e)
{
    return take(h, '[') && number(h, &e->begin) && take(h, ',') && number(h, &e->end) && take(h, ']');
}

static const char *shape_text(char *text, size_t room, int ndim, const uint64_t *shape)
{
    int n = 0;

    for (int i = 0; i < ndim && i < NN_MAX_DIMS; i++)
        n += snprintf(text + n, room - (size_t)n, "%s%llu", i > 0 ? ", " : "", (unsigned long long)shape[i]);
    snprintf(text + n, room - (size_t)n, "%s", ndim > NN_MAX_DIMS ? ", ..." : "");
    return text;
}

/* What follows a tensor's name. Its bytes must lie in the data and be as many as its shape and dtype want. */
static int tensor(header *h, entry *e)
{
    static const struct { const char *key; int (*parse)(header *, entry *); } fields[] = {
        {"dtype", dtype}, {"shape", shape}, {"data_offsets", offsets},
    };
    int seen[3] = {0, 0, 0};
    char text[128];
    span key;

    if (!take(h, '{'))
        return 0;
    do {
        int f = 0;

        if (!string(h, &key))
            return 0;
        while (f < 3 && !is(key, fields[f].key))
            f++;
        if (f == 3)
            return nn_fail(NN_EFORMAT, h->path, "%.*s has unknown key \"%.*s\"", SHOWN(e->name), SHOWN(key));
        if (seen[f]++)
            return nn_fail(NN_EFORMAT, h->path, "%.*s has \"%s\" twice", SHOWN(e->name), fields[f].key);
        if (!take(h, ':') || !fields[f].parse(h, e))
            return 0;
    } while (next_is(h, ','));
    if (!take(h, '}'))
        return 0;
    for (int f = 0; f < 3; f++)
        if (!seen[f])
            return nn_fail(NN_EFORMAT, h->path, "%.*s has no \"%s\"", SHOWN(e->name), fields[f].key);
    if (e->begin > e->end || e->end > h->data)
        return nn_fail(NN_EFORMAT, h->path, "%.*s lies at bytes %llu to %llu of %llu", SHOWN(e->name),
                    (unsigned long long)e->begin, (unsigned long long)e->end, (unsigned long long)h->data);
    if (e->count > UINT64_MAX / dtypes[e->dtype].size
        || e->count * dtypes[e->dtype].size != e->end - e->begin)
        return nn_fail(NN_EFORMAT, h->path, "%.*s, shape [%s], dtype %s, does not take %llu bytes",
                    SHOWN(e->name), shape_text(text, sizeof text, e->ndim, e->shape), dtypes[e->dtype].name,
                    (unsigned long long)(e->end - e->begin));
    return 1;
}

/* A name with what belongs to it. */
static int member(header *h, int *has_metadata)
{
    entry e = {.ndim = 0};

    if (!string(h, &e.name) || !take(h, ':'))
        return 0;
    if (!is(e.name, "__metadata__"))
        return tensor(h, &e) && append(h, &h->entries, &e, sizeof e);
    if ((*has_metadata)++)
        return nn_fail(NN_EFORMAT, h->path, "the header has \"__metadata__\" twice");
    return metadata(h);
}

static int parse(header *h)
{
    int has_metadata = 0;

    if (h->at == h->end || *h->at != '{')
        return bad_text(h, "expected '{'");
    h->at++;
    if (!next_is(h, '}')) {
        do
            if (!member(h, &has_metadata))
                return 0;
        while (next_is(h, ','));
        if (!take(h, '}'))
            return 0;
    }
    while (h->at < h->end && *h->at == ' ')
        h->at++;
    if (h->at < h->end)
        return bad_text(h, "expected only spaces behind the last '}'");
    return no_duplicates(h, &h->entries, sizeof(entry));
}

static int by_offset(const void *a, const void *b)
{
    const entry *e = a, *f = b;

    if (e->begin != f->begin)
        return e->begin < f->begin ? -1 : 1;
    return (e->end > f->end) - (e->end < f->end);
}

/* The tensors must cover the data without holes, overlaps or a rest. */
static int check_tiling(header *h)
{
    const entry *e = h->entries.items;
    uint64_t covered = 0;

    if (h->entries.count > 0)
        qsort(h->entries.items, h->entries.count, sizeof *e, by_offset);
    for (size_t i = 0; i < h->entries.count; i++, e++) {
        if (e->begin != covered)
            return nn_fail(NN_EFORMAT, h->path,
                        "%.*s begins at byte %llu, but the tensors before it end at %llu", SHOWN(e->name),
                        (unsigned long long)e->begin, (unsigned long long)covered);
        covered = e->end;
    }
    return covered == h->data || nn_fail(NN_EFORMAT, h->path, "%llu bytes behind the last tensor",
                                      (unsigned long long)(h->data - covered));
}

/* Sets e->tensor; NULL where the model may do without e. */
static int match(const header *h, entry *e, const nn_model *model, int flags)
{
    /* PyTorch's batchnorm counts; nothing here needs it */
    static const char ignored[] = ".num_batches_tracked";
    const size_t length = sizeof ignored - 1;
    uint64_t wanted[NN_MAX_DIMS] = {0};
    char text[2][128];
    int t = 0;

    while (t < model->ntensors && !is(e->name, model->tensors[t].name))
        t++;
    if (t == model->ntensors)
        return (e->name.length > length && memcmp(e->name.at + e->name.length - length, ignored, length) == 0)
            || flags & NN_LOAD_MORE
            || nn_fail(NN_EMODEL, h->path, "%.*s is in the file, but not in the network", SHOWN(e->name));
    e->tensor = &model->tensors[t];
    for (int d = 0; d < e->tensor->ndim; d++)
        wanted[d] = (uint64_t)e->tensor->shape[d];
    if (e->ndim != e->tensor->ndim || memcmp(e->shape, wanted, sizeof wanted) != 0)
        return nn_fail(NN_EMODEL, h->path, "%.*s has shape [%s] in the file, [%s] in the network",
                    SHOWN(e->name), shape_text(text[0], sizeof text[0], e->ndim, e->shape),
                    shape_text(text[1], sizeof text[1], e->tensor->ndim, wanted));
    return e->dtype <= BF16
        || nn_fail_with(NN_EMODEL, h->path,
                        "convert it to F32 and save it again (in PyTorch: tensor.float())",
                     "%.*s has dtype %s in the file, F32 in the network", SHOWN(e->name),
                     dtypes[e->dtype].name);
}

static int has(const header *h, const nn_tensor *tensor)
{
    const entry *e = h->entries.items;
    size_t i = 0;

    while (i < h->entries.count && e[i].tensor != tensor)
        i++;
    return i < h->entries.count;
}

/* Each tensor of the file must be one of the model, and the other way round, unless flags allow otherwise.
 * What the model is to keep must still be there. */
static int check_model(const header *h, const nn_model *model, const void *params, int flags)
{
    entry *e = h->entries.items;

    for (size_t i = 0; i < h->entries.count; i++)
        if (!match(h, &e[i], model, flags))
            return 0;
    for (int t = 0; t < model->ntensors; t++) {
        const nn_tensor *tensor = &model->tensors[t];

        if (has(h, tensor))
            continue;
        if (!(flags & NN_LOAD_FEWER))
            return nn_fail(NN_EMODEL, h->path, "%.120s is in the network, but not in the file",
                           tensor->name);
        if (nn_is_prepared(tensor, params))
            return nn_fail_with(NN_EPREPARED, h->path, "clear the params before, or load all tensors",
                                "%.120s is not in the file, and prepared weights are none to keep",
                                tensor->name);
    }
    return 1;
}

/* ---- Loading --------------------------------------------------------------------------------- */

static int read_bytes(FILE *file, const char *path, void *to, size_t n)
{
    errno = 0;
    if (fread(to, 1, n, file) == n)
        return 1;
    return ferror(file) ? nn_refused(path, "cannot read", errno)
                        : nn_fail(NN_EFORMAT, path, "the file ends too early");
}

/* n bytes of the file in new memory. */
static void *read_new(FILE *file, const char *path, uint64_t n)
{
    void *bytes = n >= SIZE_MAX ? NULL : malloc((size_t)n + 1);

    if (bytes == NULL)
        nn_fail(NN_ENOMEM, path, "no memory for its %llu bytes", (unsigned long long)n);
    else if (!read_bytes(file, path, bytes, (size_t)n)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

/* The header's text, and how much data lies behind it. */
static int read_header(header *h, FILE *file)
{
    unsigned char bytes[8];
    uint64_t length = 0;
    long end;

    if (!read_bytes(file, h->path, bytes, sizeof bytes))
        return 0;
    for (int i = 8; i-- > 0;)
        length = length << 8 | bytes[i];
    if (fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0 || fseek(file, 8, SEEK_SET) != 0)
        return nn_refused(h->path, "cannot tell the file's length", errno);
    if (length > MAX_HEADER)
        return nn_fail(NN_EFORMAT, h->path, "a header of %llu bytes, at most %u are allowed",
                    (unsigned long long)length, MAX_HEADER);
    if (end < 8 || length > (uint64_t)end - 8)
        return nn_fail(NN_EFORMAT, h->path,
                       "the file ends too early: a header of %llu bytes in a file of %ld",
                    (unsigned long long)length, end);
    h->data = (uint64_t)end - 8 - length;
    h->text = h->at = read_new(file, h->path, length);
    h->end = h->text == NULL ? NULL : h->text + length;
    return h->text != NULL;
}

static FILE *open_input(const char *path)
{
    FILE *file;
#ifdef POSIX
    struct stat status;

    if (stat(path, &status) == 0 && !nn_is_regular(path, &status)) /* a pipe would wait for somebody */
        return NULL;
#endif
    file = fopen(path, "rb");
    if (file == NULL)
        nn_refused(path, "cannot open", errno);
    return file;
}

/* A half has a sign, five bits of exponent and ten of fraction; each is a float. */
static uint32_t half_bits(uint32_t half)
{
    const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
    const float small = (float)fraction * (1.0f / 16777216);
    uint32_t bits;

    memcpy(&bits, &small, sizeof bits);
    if (exponent > 0)
        bits = (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    return bits | (half & 0x8000) << 16;
}

/* The bits of a float that is nearest to the element. */
static uint32_t float_bits(const unsigned char *from, int dtype)
{
    uint64_t bits = 0;
    uint32_t result;
    double wide;
    float value;

    for (int i = (int)dtypes[dtype].size; i-- > 0;)
        bits = bits << 8 | from[i];
    if (dtype == F32)
        return (uint32_t)bits;
    if (dtype == BF16)
        return (uint32_t)bits << 16;
    if (dtype == F16)
        return half_bits((uint32_t)bits);
    memcpy(&wide, &bits, sizeof wide);
    value = (float)wide;
    memcpy(&result, &value, sizeof result);
    return result;
}

static void load_tensor(const entry *e, const unsigned char *from, float *params)
{
    for (size_t k = 0; k < e->count; k++, from += dtypes[e->dtype].size) {
        uint32_t bits = float_bits(from, e->dtype);

        memcpy(params + nn_place(e->tensor, k), &bits, sizeof bits);
    }
}

/* Says which tensors of the model have stayed as they were, and which of the file were passed over. */
static void tell_left(const header *h, const nn_model *model, nn_left *left, void *context)
{
    entry *e = h->entries.items;

    for (int t = 0; t < model->ntensors; t++)
        if (!has(h, &model->tensors[t]))
            left(context, model->tensors[t].name, 0);
    for (size_t i = 0; i < h->entries.count; i++)
        if (e[i].tensor == NULL) {
            h->text[e[i].name.at - h->text + (ptrdiff_t)e[i].name.length] = '\0'; /* for the quote */
            left(context, e[i].name.at, 1);
        }
}

int nn_load(const nn_model *model, void *params, const char *path)
{
    return nn_load_with(model, params, path, 0, NULL, NULL);
}

int nn_load_with(const nn_model *model, void *params, const char *path, int flags, nn_left *left,
                 void *context)
{
    header h = {.path = path};
    unsigned char *data = NULL;
    FILE *file = open_input(path);
    const entry *e;
    int ok;

    if (file == NULL)
        return NN_EIO;
    if (read_header(&h, file) && parse(&h) && check_tiling(&h) && check_model(&h, model, params, flags))
        data = read_new(file, path, h.data);
    fclose(file);
    ok = data != NULL;
    if (ok && model->prepare != NULL && !(flags & NN_LOAD_FEWER))
        /* loaded, not prepared; and what was made of others is no padding */
        memset(params, 0, model->params_bytes);
    e = h.entries.items;
    for (size_t i = 0; ok && i < h.entries.count; i++)
        if (e[i].tensor != NULL)
            load_tensor(&e[i], data + e[i].begin, params);
    if (ok && model->prepare != NULL)
        model->prepare(params);
    if (ok && left != NULL)
        tell_left(&h, model, left, context);
    free(h.entries.items);
    free(h.text);
    free(data);
    return ok ? NN_OK : nn_last_error();
}

long nn_read_note(const char *path, const char *name, char *to, size_t room)
{
    header h = {.path = path, .wanted = name};
    FILE *file = open_input(path);
    long length = -2;

    if (file == NULL)
        return -2;
    if (read_header(&h, file) && parse(&h)) {
        const size_t copied = h.note.length < room ? h.note.length : room - 1;

        length = h.note.at == NULL ? -1 : (long)h.note.length;
        if (h.note.at != NULL && room > 0) {
            memcpy(to, h.note.at, copied);
            to[copied] = '\0';
        }
    }
    fclose(file);
    free(h.entries.items);
    free(h.text);
    return length;
}
