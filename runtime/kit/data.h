/* data.h: what the readers of data sets share; nobody else includes it.
 *
 * A data set is one part or several. A reader makes a part of a file or a folder: arrays of samples and of
 * targets in mapped memory (or, of pictures, the files' names). data.c holds the parts against the network
 * and reads their samples. */
#ifndef NNKIT_DATA_H
#define NNKIT_DATA_H

#include "messages.h"
#include "nnkit.h"

/* ---- Files (bytes.c) ---------------------------------------------------------------------------- */

/* A file's content, unpacked, in mapped memory. */
typedef struct bytes {
    const unsigned char *at;
    size_t size;
} bytes;

/* Maps a file; one that is gzipped, or no ordinary file, by way of a temporary one. 0 or an error. */
int  kit_bytes_open(bytes *, const char *path);
void kit_bytes_close(bytes *);
/* Whether it begins as a text does. */
int  kit_is_text(const bytes *);

/* A temporary file without a name that is written and then mapped. */
typedef struct spool {
    int    fd;
    size_t used, size;         /* bytes in the buffer, bytes in all */
    unsigned char *buffer;
} spool;

/* 0 or an error; path: what the bytes are of, for messages. A spool that fails is closed. */
int  kit_spool_open(spool *, const char *path);
int  kit_spool_write(spool *, const char *path, const void *from, size_t size);
int  kit_spool_map(spool *, const char *path, bytes *to);
void kit_spool_close(spool *);

/* ---- Arrays (array.c) --------------------------------------------------------------------------- */

typedef enum element { U8, I8, U16, I16, U32, I32, U64, I64, F32, F64 } element;

enum { MOST_DIMENSIONS = 32 };

/* Numbers in memory: count samples of each numbers. */
typedef struct array {
    const unsigned char *at;
    element type;
    int     big_endian;
    int     rank;                          /* of one sample */
    size_t  shape[MOST_DIMENSIONS];        /* of one sample */
    size_t  count, each;
    size_t  stride;                        /* bytes from one sample to the next */
} array;

size_t kit_element_size(element);
int    kit_is_big_endian(void);
/* Sets each and stride by the other fields, and holds them against the bytes there are. 0 or an error. */
int kit_array_check(array *, size_t size, const char *format, const char *path);
/* The numbers of a sample, times scale (0: bytes by 1/255). Returns the first number that is not finite, or
 * each. */
size_t kit_array_floats(const array *, size_t sample, float scale, float *to);
int kit_array_is_finite(const array *, size_t sample, size_t k);
/* A sample of size floats from H, W, C to C, H, W. 0 or an error. */
int kit_channels_first(float *x, size_t channels, size_t size);
/* Number k of a sample; *whole: whether it is a whole number that fits. */
long long kit_array_whole(const array *, size_t sample, size_t k, int *whole);

/* A file that is one array: whether a file's content is that, and what it holds. 0 or an error. */
typedef struct array_format {
    const char *name;
    int (*knows)(const bytes *file);
    int (*read)(const bytes *file, const char *path, array *to);
} array_format;

extern const array_format kit_idx, kit_npy;

/* "28x28", "784": the shape of a sample. */
const char *kit_shape_text(int rank, const size_t *shape, char *to, size_t room);

/* ---- Data sets (data.c) ------------------------------------------------------------------------- */

typedef enum target_rule {
    NO_TARGETS, LABELS_AS_LABELS, LABEL_AS_FLOAT, LABELS_AS_VECTORS, FLOATS, SAMPLE_ITSELF
} target_rule;

typedef struct pictures pictures;
typedef struct alphabet alphabet;

typedef struct part {
    char  *path, *labels_path;     /* labels_path NULL: the labels are in the same file, or there are none */
    bytes  file, labels_file;
    size_t count;
    array  x, t;                   /* t.count 0: no targets */
    pictures *pictures;            /* in the place of x, or NULL */
    size_t tokens;                 /* of a text, in the place of x; 0: it is none */
    int    channels_last;          /* x is H, W, C, the network C, H, W */
    target_rule rule;
} part;

struct nn_data {
    const nn_model *model;
    nn_data_options options;
    size_t count;
    size_t nparts;
    part  *parts;
    size_t nclasses;
    char **classes;                /* names, or NULL */
    alphabet *alphabet;            /* of texts; NULL: tokens are bytes */
};

/* Does the part fit the network? Sets its rule and channels_last. 0 or an error (fit.c). */
int kit_fit(const nn_data *, part *);

/* How an open file becomes a part. Everything else of the part is zero. 0 or an error. */
typedef struct reader {
    int (*knows)(const bytes *file);
    int (*open)(nn_data *, part *);
} reader;

extern const reader kit_arrays;     /* arrays.c */
extern const reader kit_cifar;      /* cifar.c */
extern const reader kit_csv;        /* csv.c */

extern const reader kit_one_picture; /* pictures.c */

int kit_is_folder(const char *path);
/* Opens p->path, a folder of pictures. 0 or an error. */
int kit_open_folder(nn_data *, part *);
/* Reads a picture as the network's input. 0 or an error. */
int kit_picture_read(const nn_data *, const pictures *, size_t index, float scale, float *x);
const char *kit_picture_file(const pictures *, size_t index);
void kit_pictures_close(pictures *);

/* Gives the data the names of other data's classes and tokens. 0 or an error (names.c). */
int kit_copy_names(nn_data *, const nn_data *like);

/* ---- Texts (text.c) ------------------------------------------------------------------------------ */

/* The symbols of a UTF-8 text; then those of a file, as many as the network has tokens. 0 or an error. */
int  kit_alphabet_of(const char *text, size_t size, const char *path, alphabet **to);
int  kit_alphabet_open(const char *path, const nn_model *, alphabet **to);
/* All of them, in their order. */
const char *kit_alphabet_text(const alphabet *);
/* A token as UTF-8; returns its bytes. */
size_t kit_alphabet_symbol(const alphabet *, size_t token, char text[static 8]);
void kit_alphabet_close(alphabet *);
/* Calls take for each token of a text until it returns an error. path: what messages call the text. */
int  kit_text_tokens(const nn_model *, const alphabet *, const char *path, const char *text, size_t size,
                     int (*take)(void *context, uint32_t token), void *context);
/* Opens p->file, a text. 0 or an error. */
int  kit_open_text(nn_data *, part *);
void kit_text_read(const nn_data *, const part *, size_t index, size_t shift, int *x, int *t);

enum { CIFAR_BATCHES = 6 };

/* The path of batch i of those for training in a folder, to be freed; *path NULL: it is not there. 0 or an
 * error. */
int kit_cifar_batch(const char *folder, int i, char **path);

/* The first length bytes of a text, to be freed; NULL: no memory. */
char *kit_copy_text(const char *, size_t length);
/* The path of a file of that name in the same folder, to be freed; NULL: no memory. */
char *kit_beside(const char *path, const char *name);

#endif
