/* base.h: what everybody uses: memory, messages, files, text. */
#ifndef NNC_BASE_BASE_H
#define NNC_BASE_BASE_H

#include "nnc.h"

/* ---- characters.c: printing what may hold anything -------------------------------------------- */

/* How the character at s is shown, into shown; returns its columns. *bytes is what it takes of s. */
int show_character(const char *s, size_t left, char shown[16], size_t *bytes);
/* The place at or before `at` where a character begins, so that a cut there leaves none in halves. */
size_t before_character(const char *s, size_t at);
void print_safely(FILE *file, const char *s, size_t length);

/* ---- records.c: messages as JSON or SARIF ---------------------------------------------------- */

typedef struct Record {
    const char *kind;        /* "error", "warning", "note", "help" */
    const char *message;
    const char *code;        /* "channels", "-Wloss"; NULL: none */
    const char *option;      /* of a warning: "-Wloss"; NULL: none */
    const char *file;        /* NULL: it has no place */
    int line, column, last_column; /* in characters, from 1; last_column is the last that belongs to it */
    bool belongs;            /* to the record before it */
} Record;
void records_start(DiagnosticsFormat);
bool records_wanted(void);                                 /* not DIAGNOSTICS_TEXT */
void record(FILE *, const Record *);
void records_end(FILE *);                                  /* completes what was written */

/* ---- voice.c: the stream of messages, and the two voices that end nnc ------------------------ */

void voice_start(FILE *, Color);                              /* NULL: stderr */
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;      /* the environment failed: exits 2 */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);           /* as fail, but it goes on */
void bug(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;       /* we are wrong: aborts */
/* bug() calls it before it says and does anything; the tests' leaves by longjmp. NULL in nnc. */
extern void (*bug_handler)(const char *message);
FILE *message_file(void);
void paint(const char *code);

/* ---- memory.c: the arena --------------------------------------------------------------------- */

#define NEW(type) ((type *)allocate(1, sizeof(type)))
#define NEW_ARRAY(type, n) ((type *)allocate((size_t)(n), sizeof(type)))
/* A stream into memory. Whoever opened it reads text when it is closed, and frees it. */
typedef struct TextStream {
    FILE *file;
    char *text;                    /* NUL-terminated */
    size_t length, room;
} TextStream;
void *allocate(size_t count, size_t size);                 /* zeroed; exits 2 when there is none */
char *format(const char *fmt, ...) PRINTF_LIKE(1, 2);      /* sprintf into the arena */
char *vformat(const char *fmt, va_list) PRINTF_LIKE(1, 0);
char *copy_text(const char *text, size_t length);
/* Where the arena stands; release frees what was made behind that mark, on which nothing older may point. */
typedef struct Mark {
    struct Block *newest, *behind;
    size_t used;
} Mark;
Mark mark_memory(void);
void release(Mark);
/* What is made between the two outlives the release of every mark: what one step notes for the next. */
void begin_lasting(void);
void end_lasting(void);
void free_all(void);
FILE *open_text(TextStream *);
void close_text(TextStream *);                             /* exits 2 when something of it was lost */

/* ---- warn.c: by name ---------------------------------------------------------------------- */

/* "unroll", "no-unroll", "error", "error=unroll", ...; false: unknown */
bool warning_option(const char *name);
void warning_reset(void);
bool warning_is_on(Warning);
bool warning_is_error(Warning);
const char *warning_name(Warning);
const char *warning_names(void);                           /* for --help */
const char *closest_warning(const char *name);             /* or NULL */

/* ---- closest.c: "did you mean" ---------------------------------------------------------------- */

const char *closest(const char *word, const char *const *candidates, int n); /* or NULL */

/* ---- explain.c: what the codes of messages mean ---------------------------------------------- */

typedef struct Explanation {
    const char *code;        /* "channels", "-Wloss" */
    const char *text;
    const char *wrong, *right; /* a network that gets this message, and one that does not */
} Explanation;
extern const Explanation explanations[];
extern const int nexplanations;
void print_indented(const char *text, int indent);         /* in lines of at most 78 columns */
void explain(const char *code);                            /* prints it; exits 2 where there is none */

/* ---- diag.c: the three voices for errors ----------------------------------------------------- */

/* Starts a compilation: where messages go, and whose text they quote. */
void diag_start(FILE *out, const Source *source, Color color);
void diag_max_errors(int most);                            /* that are shown; 0: all */
void diag_quiet(bool on); /* until it is off nothing is said, and errors count only until then */
/* The user's text is wrong: goes on. A format ends with the message's code: "... [channels]". */
void error_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);
void note_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);       /* belongs to the message before it */
void help_at(Loc, const char *fmt, ...) PRINTF_LIKE(2, 3);       /* the same: what to write instead */
/* messages from now on are about the text inside; NULL: none */
void diag_inside(const Use *);
void warning_at(Warning, Loc, const char *fmt, ...) PRINTF_LIKE(3, 4);
int  error_count(void);
const char *text_from(Loc);     /* the user's text from there to the end of the line; NULL: none */
bool errors_are_shown(void);    /* false: there are so many that the next is not */

/* ---- files.c: reading a network, writing whole files or none --------------------------------- */

void start_files(void);                                    /* before anything is opened */
/* A whole file, or standard input for "-", without its byte order mark; exits 2 when that can't be. */
Source *read_source(const char *path);
Source *try_source(const char *path, const char **why);    /* the same; NULL, and why, when that can't be */
/* The path of a file that another one includes, beside it or in one of the folders; NULL: it is nowhere. */
const char *find_included(const char *file, const char *by, const char *const *folders, int n);
FILE *open_output(const char *path);                       /* a new file, unseen until install_outputs */
void install_outputs(void);                                /* all of them, or none and exit 2 */
void finish_stdout(void);                                  /* exits 2 if what was printed did not arrive */
bool same_file(const char *a, const char *b);

/* ---- temporary.c: files that are gone when the run ends -------------------------------------- */

const char *temporary_folder(void);                        /* made on the first call; exits 2 */
const char *temporary_path(const char *name);              /* in it; whoever makes the file */
FILE *open_temporary(const char *name);                    /* exits 2 when that can't be */
void close_temporary(FILE *);                              /* exits 2 when something of it was lost */
void remove_temporary(void);                               /* the folder and all that is in it */

/* ---- map.c: what was noted under a text ------------------------------------------------------ */

typedef struct Map Map;
Map *new_map(void);
void *map_find(const Map *, const char *key);              /* NULL: nothing */
int map_count(const Map *);
void map_each(const Map *, void (*work)(void *value, void *with), void *with); /* in no order */
/* key stays the caller's; the first of equal keys is found */
void map_set(Map *, const char *key, void *value);

/* ---- text.c: names and numbers --------------------------------------------------------------- */

bool is_identifier(const char *);
const char *c_name(const char *);                          /* "conv1.weight" as an identifier */
const char *c_float(double);                               /* a literal that reads back exactly */

#endif
