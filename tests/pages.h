/* pages.h: the pages that users read, and a session that types what they say.
 *
 * A page is Markdown or a manual page (mdoc). What its blocks are, an info string says: in Markdown behind the
 * fence, in a manual page in a comment before the display:
 *
 *     .\" console varies
 *     .Bd -literal -offset indent
 *
 *     sh               commands, one a line; each must succeed
 *     console          commands after "$ ", each with its output; the outputs must be equal. A line "..." stands for
 *                      any lines. The exit status is 0, or 1 where the output shown has an error
 *     console varies   the same, but words with a digit in them (and runs of blanks) may differ: loss, seconds, bytes
 *     nn, c, make, cmake, meson   with a name: a file, written as it stands. nn without: a network, which must compile;
 *                      c without: statements, which must compile inside a function that sees nn.h
 *     python           a program, written to page.py: where there is torch it runs after all the others
 *     text             no more than that
 *
 * Commands of nnc in the text of Markdown, such as `nnc --layers conv`, are run behind the blocks.
 *
 * A session runs in a folder of its own: there, nnc/ is a copy of this repository with its build in place, and
 * usr/ takes the place of /usr/local. The commands of one block continue in the folder in which those before ended.
 *
 * Some commands are not run to the letter: `make demo` and `make test` with -n only, since they install packages, take
 * minutes, and are what runs this; `make install` into usr/ and without sudo; `make bench` and what a suite runs, not
 * at all; and `make ... run-lenet` learns 400 pictures of a small data set drawn here, compiled with -O1, so the
 * program of `make demo` does run. MNIST is that set, too. */
#ifndef PAGES_H
#define PAGES_H

#include "process.h"

typedef struct block {
    char info[100];      /* "console varies" */
    int  line;           /* of its first line in the page */
    char *text;          /* what is in it, without the escapes of a manual page */
} block;

enum { MOST_BLOCKS = 100 };

typedef struct page {
    char path[100];      /* "README.md", "compiler/nnc.1" */
    char *text;          /* as it stands */
    block blocks[MOST_BLOCKS];
    int nblocks;
    char *python;        /* the folder with its page.py; NULL: it has none */
    int python_line;
} page;

/* Reads a page; false, with a message on stderr, where that can't be. */
bool page_read(page *, const char *path);
void page_free(page *);

/* Runs the blocks of a page from folder (in the session's; made where it isn't there) on. */
void page_run(page *, const char *folder);

/* Begins a session in that folder of this repository, empty before; not 0: failed, with a message. */
int session_start(const char *folder);

/* Runs a line of shell where the last one ended, with both streams in one. $root is the session's folder.
 * build_flags: with the flags of the make that runs this test, so that nothing of nnc is built again. */
process session(const char *command, bool build_flags);
bool session_succeeds(const char *command);
/* A command of a page, at that line, and what it shows; NULL: not compared. */
void session_type(const char *path, int line, const char *command, const char *shown, bool varies);
/* Writes a file where the session stands. */
void session_write(const char *name, const char *text, size_t length);

/* Installs nnc into the session's usr/, as `make install` does; not 0: failed, with a message. */
int session_install(void);

/* [text](file) in Markdown: the file is there. */
void page_links(const page *);

/* The text of a manual page as its reader sees it in a literal display. Free it. */
char *page_plain(const char *from, size_t length);

/* Where a file has a part between the lines begin and end, which follows from a table of the sources: compares it, or
 * with UPDATE=1 rewrites it (`make golden`). */
void file_part(const char *path, const char *begin, const char *end, const char *text);

/* The part of a manual page between the comments `begin NAME` and `end NAME`. */
void page_part(const char *path, const char *name, const char *text);

#endif
