/* memory.c: the arena that holds everything a compilation makes.
 *
 * What comes in: sizes. What goes out: zeroed memory that stays until free_all, and streams into memory
 * that tell when there is none. A compiler runs once and briefly, so nothing is freed on its own: no
 * struct needs an owner, and no error path needs to clean up.
 *
 * The one idea: large blocks from calloc (zeroed already, and cheaply, in the largest pages that there
 * are), handed out in pieces from front to back. What only one step needs, and much of, can be given back
 * all at once when the step ends: release frees what was made since a mark, but for what was made to last,
 * in blocks of its own. Under AddressSanitizer every piece is a block of its own, so that a step past its
 * end is seen.
 */
#define _GNU_SOURCE /* madvise, fopencookie */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 16 };

#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_BYTES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_BYTES 1
#endif
#endif
#ifndef BLOCK_BYTES
#define BLOCK_BYTES (8u << 20)
#endif

typedef struct Block {
    struct Block *next;
    size_t used, size;   /* bytes, of data */
    _Alignas(ALIGNMENT) unsigned char data[];
} Block;

static Block *blocks;    /* the newest first: the one that pieces are taken from */
static Block *others;    /* of what lasts, or while that is made, of all else */

static Block *new_block(size_t size)
{
    if (size > SIZE_MAX - sizeof(Block))
        fail("out of memory: %zu bytes were asked for [memory]", size);
    Block *block = calloc(1, sizeof(Block) + size);
    if (!block)
        fail("out of memory: %zu bytes were asked for [memory]", size);
    block->size = size;
#ifdef MADV_HUGEPAGE
    enum { PAGE = 4096 }; /* a fault for each small page took a fifth of the time */
    uintptr_t begin = ((uintptr_t)block + PAGE - 1) / PAGE * PAGE,
              end = ((uintptr_t)block + sizeof(Block) + size) / PAGE * PAGE;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#endif
    return block;
}

/* Zeroed memory for count objects of the given size; never NULL. Exits 2 when there is none. */
void *allocate(size_t count, size_t size)
{
    if (size && count > (SIZE_MAX - ALIGNMENT) / size)
        fail("out of memory: %zu objects of %zu bytes were asked for [memory]", count, size);
    size_t bytes = count * size;
    bytes = bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;

    if (!blocks || bytes > blocks->size - blocks->used) {
        if (blocks && bytes > BLOCK_BYTES / 4 && BLOCK_BYTES > 1) {
            /* A large piece gets its own block, behind the newest: that one still has room for small ones. */
            Block *own = new_block(bytes);
            own->used = bytes;
            own->next = blocks->next;
            blocks->next = own;
            return own->data;
        }
        Block *block = new_block(bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
        block->next = blocks;
        blocks = block;
    }
    void *piece = blocks->data + blocks->used;
    blocks->used += bytes;
    return piece;
}

/* sprintf into the arena. */
char *vformat(const char *fmt, va_list list)
{
    char brief[512]; /* nearly all are */
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(brief, sizeof brief, fmt, list);
    if (length < 0 && errno == ENOMEM)
        fail("out of memory [memory]");
    if (length < 0)
        bug("format: vsnprintf refuses \"%s\"", fmt);
    char *text = (size_t)length < sizeof brief ? copy_text(brief, (size_t)length)
                                               : NEW_ARRAY(char, (size_t)length + 1);
    if ((size_t)length >= sizeof brief)
        vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}

char *format(const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    char *text = vformat(fmt, list);
    va_end(list);
    return text;
}

/* A copy of length bytes, with a NUL behind them. */
char *copy_text(const char *text, size_t length)
{
    char *copy = NEW_ARRAY(char, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

#ifdef __GLIBC__
/* Appends to a TextStream, as write does; 0 when there is no memory. */
static ssize_t append(void *cookie, const char *bytes, size_t count)
{
    TextStream *stream = cookie;
    if (count >= SIZE_MAX / 4 - stream->length)
        return 0;
    if (stream->length + count >= stream->room) {
        size_t room = 2 * (stream->length + count) + 256;
        char *text = realloc(stream->text, room);
        if (!text)
            return 0;
        stream->text = text;
        stream->room = room;
    }
    memcpy(stream->text + stream->length, bytes, count);
    stream->length += count;
    stream->text[stream->length] = '\0';
    return (ssize_t)count;
}
#endif

/* Not open_memstream where that is glibc's: it leaves out what it has no memory for, and neither ferror
 * nor fclose tell. */
FILE *open_text(TextStream *stream)
{
    *stream = (TextStream){0};
#ifdef __GLIBC__
    append(stream, "", 0);
    stream->file = stream->text ? fopencookie(stream, "w", (cookie_io_functions_t){.write = append}) : NULL;
#else
    stream->file = open_memstream(&stream->text, &stream->length);
#endif
    if (!stream->file)
        fail("out of memory [memory]");
    return stream->file;
}

void close_text(TextStream *stream)
{
    bool bad = ferror(stream->file) != 0;
    if (fclose(stream->file) != 0 || bad)
        fail("out of memory [memory]");
}

static void free_until(Block **list, const Block *end)
{
    while (*list != end) {
        Block *next = (*list)->next;
        free(*list);
        *list = next;
    }
}

Mark mark_memory(void)
{
    return (Mark){blocks, blocks ? blocks->next : NULL, blocks ? blocks->used : 0};
}

void release(Mark mark)
{
    free_until(&blocks, mark.newest);
    if (!blocks)
        return;
    free_until(&blocks->next, mark.behind); /* large pieces */
    memset(blocks->data + mark.used, 0, blocks->used - mark.used);
    blocks->used = mark.used;
}

static void exchange_blocks(void)
{
    Block *swap = blocks;
    blocks = others;
    others = swap;
}

void begin_lasting(void)
{
    exchange_blocks();
}

void end_lasting(void)
{
    exchange_blocks();
}

/* Frees all that allocate gave since the last call. */
void free_all(void)
{
    free_until(&blocks, NULL);
    free_until(&others, NULL);
}
