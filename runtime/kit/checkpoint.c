/* checkpoint.c: a trainer's state in a file, and back.
 *
 *     head       sizes, and what must be the same to go on
 *     extra      the caller's bytes
 *     floats     weights with statistics, the average if there is one, the optimizer's state of each chunk
 *     crc        of all before it (CRC-32, zlib)
 *
 * Numbers lie as in memory: a checkpoint is for the kind of machine that wrote it; the head's order tells. */
#include "engine.h"
#include "files.h"
#include "messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct head {
    char     magic[16];
    uint32_t order, version;
    uint64_t model;                 /* hash of the tensors' names, shapes and places */
    uint64_t floats, all, extra;
    uint64_t seed, steps;
    uint32_t batch, shard, chunk, averages;
    float    clip, average;
    nn_optimizer optimizer;
} head;

static const char magic[16] = "nnkit checkpoint";
enum { ORDER = 0x01020304, VERSION = 1 };

struct nn_checkpoint {
    head head;
    const char *path;
    char *bytes;
    size_t length;
};

/* ---- What a checkpoint is of ----------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ b[i]) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

static uint64_t hash_of(const nn_model *model)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (int i = 0; i < model->ntensors; i++) {
        const nn_tensor *tensor = &model->tensors[i];

        hash = mix(hash, tensor->name, strlen(tensor->name) + 1);
        hash = mix(hash, tensor->shape, (size_t)tensor->ndim * sizeof *tensor->shape);
        hash = mix(hash, &tensor->offset, sizeof tensor->offset);
        hash = mix(hash, tensor->stride, sizeof tensor->stride);
    }
    return hash;
}

static head head_of(const nn_trainer *t, size_t extra)
{
    const nn_trainer_options *o = &t->options;
    head h;

    memset(&h, 0, sizeof h); /* the bytes between fields are written, too */
    memcpy(h.magic, magic, sizeof magic);
    h.order = ORDER;
    h.version = VERSION;
    h.model = hash_of(t->model);
    h.floats = t->floats;
    h.all = t->all;
    h.extra = extra;
    h.seed = o->seed;
    h.steps = t->steps;
    h.batch = (uint32_t)o->batch;
    h.shard = (uint32_t)o->shard;
    h.chunk = CHUNK;
    h.averages = t->average != NULL;
    h.clip = o->clip;
    h.average = o->average;
    h.optimizer = o->optimizer;
    return h;
}

static size_t state_of(const nn_trainer *t, const chunk *c)
{
    return nn_state_size(&t->options.optimizer, c->count);
}

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct writing {
    const nn_trainer *t;
    const void *extra;
    size_t extra_bytes;
} writing;

static int put(FILE *file, uLong *crc, const void *bytes, size_t n)
{
    if (n == 0)
        return 1; /* crc32_z begins anew where bytes is NULL */
    *crc = crc32_z(*crc, bytes, n);
    return fwrite(bytes, 1, n, file) == n;
}

static int write_checkpoint(const void *what, FILE *file)
{
    const writing *w = what;
    const nn_trainer *t = w->t;
    const head h = head_of(t, w->extra_bytes);
    uLong crc = crc32(0, NULL, 0);
    int ok = put(file, &crc, &h, sizeof h) && put(file, &crc, w->extra, w->extra_bytes)
          && put(file, &crc, t->weights, t->all * sizeof(float))
          && (!t->average || put(file, &crc, t->average, t->all * sizeof(float)));

    for (int i = 0; ok && i < t->nchunks; i++)
        ok = put(file, &crc, t->chunks[i].state, state_of(t, &t->chunks[i]) * sizeof(float));
    const uint32_t sum = (uint32_t)crc;
    return ok && fwrite(&sum, 1, sizeof sum, file) == sizeof sum;
}

int nn_trainer_save(const nn_trainer *t, const char *path, const void *extra, size_t extra_bytes)
{
    const writing w = {t, extra, extra_bytes};

    return nn_replace(path, write_checkpoint, &w) ? 0
                                                  : kit_fail(NNKIT_EWRITE, "%s", nn_error(nn_last_error()));
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int read_file(nn_checkpoint *c)
{
    FILE *file = fopen(c->path, "rb");
    size_t room = 1 << 16, n;
    int ok = file != NULL;

    if (!file) {
        nn_refused(c->path, "cannot read", errno);
        return kit_fail(NN_EIO, "%s", nn_error(nn_last_error()));
    }
    if (fseek(file, 0, SEEK_END) == 0 && ftell(file) > 0)
        room = (size_t)ftell(file) + 1;
    rewind(file);
    c->bytes = malloc(room);
    while (ok && c->bytes && (n = fread(c->bytes + c->length, 1, room - c->length, file)) > 0) {
        c->length += n;
        if (c->length == room)
            c->bytes = realloc(c->bytes, room *= 2);
    }
    ok = c->bytes && !ferror(file);
    fclose(file);
    return ok ? 0 : c->bytes ? kit_fail(NN_EIO, "%s: cannot read", c->path) : kit_no_memory();
}

static int check_file(nn_checkpoint *c)
{
    uint32_t sum;

    if (c->length < sizeof c->head + sizeof sum || memcmp(c->bytes, magic, sizeof magic) != 0)
        return kit_fail(NN_EFORMAT, "%s: this is no checkpoint", c->path);
    memcpy(&c->head, c->bytes, sizeof c->head);
    if (c->head.order != ORDER || c->head.version != VERSION || c->head.chunk != CHUNK)
        return kit_fail(NN_EFORMAT, "%s: this checkpoint is of another version or another kind of machine",
                        c->path);
    c->length -= sizeof sum;
    memcpy(&sum, c->bytes + c->length, sizeof sum);
    if (sum != crc32_z(crc32(0, NULL, 0), (const Bytef *)c->bytes, c->length)
        || c->head.extra > c->length - sizeof c->head)
        return kit_fail(NN_EFORMAT, "%s: this checkpoint is damaged: its checksum does not agree", c->path);
    return 0;
}

nn_checkpoint *nn_checkpoint_open(const char *path)
{
    nn_checkpoint *c = calloc(1, sizeof *c);

    if (c == NULL) {
        kit_no_memory();
        return NULL;
    }
    c->path = path;
    if (read_file(c) == 0 && check_file(c) == 0)
        return c;
    nn_checkpoint_close(c);
    return NULL;
}

const void *nn_checkpoint_extra(const nn_checkpoint *c, size_t *bytes)
{
    *bytes = c->head.extra;
    return c->bytes + sizeof c->head;
}

void nn_checkpoint_close(nn_checkpoint *c)
{
    if (c != NULL)
        free(c->bytes);
    free(c);
}

static int check_same(const nn_trainer *t, const nn_checkpoint *c)
{
    const head own = head_of(t, 0), *h = &c->head;

    if (own.model != h->model || own.floats != h->floats || own.all != h->all)
        return kit_fail(
            NN_EMODEL,
            "%s: this checkpoint is of another network, or of the same compiled with other options", c->path);
    if (own.batch != h->batch || own.shard != h->shard)
        return kit_fail(NN_EMODEL, "%s: this checkpoint was made with batches of %u samples in shards of %u",
                        c->path, h->batch, h->shard);
    if (own.seed != h->seed)
        return kit_fail(NN_EMODEL, "%s: this checkpoint was made with the seed %llu", c->path,
                        (unsigned long long)h->seed);
    if (own.averages != h->averages || own.average != h->average)
        return kit_fail(NN_EMODEL, "%s: this checkpoint was made with an average of %g", c->path,
                        (double)h->average);
    if (own.optimizer.method != h->optimizer.method)
        return kit_fail(NN_EMODEL, "%s: this checkpoint was made with another optimizer", c->path);
    return 0;
}

int nn_trainer_restore(nn_trainer *t, const nn_checkpoint *c)
{
    const char *from = c->bytes + sizeof c->head + c->head.extra;
    size_t floats = t->all * (t->average ? 2 : 1);

    if (check_same(t, c))
        return NN_EMODEL;
    for (int i = 0; i < t->nchunks; i++)
        floats += state_of(t, &t->chunks[i]);
    if (c->length - sizeof c->head - c->head.extra != floats * sizeof(float))
        return kit_fail(NN_EMODEL, "%s: this checkpoint was made with other settings of the optimizer",
                        c->path);
    memcpy(t->weights, from, t->all * sizeof(float));
    from += t->all * sizeof(float);
    if (t->average) {
        memcpy(t->average, from, t->all * sizeof(float));
        from += t->all * sizeof(float);
    }
    for (int i = 0; i < t->nchunks; i++) {
        const size_t bytes = state_of(t, &t->chunks[i]) * sizeof(float);

        if (bytes > 0)
            memcpy(t->chunks[i].state, from, bytes);
        from += bytes;
    }
    t->steps = c->head.steps;
    return 0;
}
