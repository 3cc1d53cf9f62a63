/* golden.c: what nnc prints for a network, compared with a file that lies beside it; see golden.h. */
#include "golden.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define check(good, ...) check_at(__FILE__, __LINE__, good, __VA_ARGS__)

enum { MAX_WORDS = 24 };

bool golden_update(void)
{
    const char *wanted = getenv("UPDATE");
    return wanted && *wanted && strcmp(wanted, "0") != 0;
}

golden golden_read(const char *path, const char *marker)
{
    golden g = {.compared = 0};
    snprintf(g.stem, sizeof g.stem, "%.*s", (int)strlen(path) - 3, path);
    char *text = file_read(path, NULL);
    for (const char *line = text; *line == '#'; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, marker, strlen(marker)) == 0)
            snprintf(g.options, sizeof g.options, "%.*s", (int)(strcspn(line, "\r\n") - strlen(marker)),
                     line + strlen(marker));
    free(text);
    return g;
}

process golden_run(golden *g, const char *option)
{
    char source[400], copy[400], options[sizeof g->options];
    char file[300];
    snprintf(file, sizeof file, "%s", strrchr(g->stem, '/') + 1);
    strcat(file, ".nn");
    folder_make(GOLDEN_SCRATCH);
    snprintf(source, sizeof source, "%s.nn", g->stem);
    snprintf(copy, sizeof copy, GOLDEN_SCRATCH "/%s", file);
    size_t length;
    char *text = file_read(source, &length);
    file_write(copy, text, length);

    const char *argv[MAX_WORDS + 4] = {nnc_path()};
    int n = 1;
    strcpy(options, g->options);
    bool from_stdin = false;
    for (char *word = strtok(options, " "); word && n < MAX_WORDS; word = strtok(NULL, " ")) {
        argv[n++] = word;
        from_stdin |= strcmp(word, "-") == 0;
    }
    if (option)
        argv[n++] = option;
    if (!from_stdin)
        argv[n++] = file;
    process run = process_run(GOLDEN_SCRATCH, argv, from_stdin ? text : NULL, length, NULL);
    free(text);
    return run;
}

bool golden_has(const golden *g, const char *suffix)
{
    char path[400];
    snprintf(path, sizeof path, "%s.%s", g->stem, suffix);
    return file_exists(path);
}

void golden_compare(golden *g, const char *suffix, const char *text, size_t length)
{
    char path[400], actual[400], command[1000];
    snprintf(path, sizeof path, "%s.%s", g->stem, suffix);
    g->compared++;
    size_t expected_length;
    char *expected = file_read(path, &expected_length);
    bool same = expected && expected_length == length && memcmp(expected, text, length) == 0;
    free(expected);
    if (!same && golden_update()) {
        file_write(path, text, length);
        printf("\n    rewritten: %s", path);
        return;
    }
    check(same, "%s", path);
    if (same)
        return;
    snprintf(actual, sizeof actual, GOLDEN_SCRATCH "/actual.%s", suffix);
    file_write(actual, text, length);
    snprintf(command, sizeof command, "diff -u '%s' '%s' | head -40", path, actual);
    printf("\n");
    fflush(stdout);
    if (system(command) != 0)
        printf("(no diff)\n");
}

void golden_messages(golden *g, const char *suffix, int status)
{
    if (!golden_has(g, suffix))
        return;
    process run = golden_run(g, NULL);
    check(run.status == status, "%s: exit status %d, not %d", g->stem, run.status, status);
    check(run.out_length == 0, "%s: prints to standard output", g->stem);
    if (run.status == status)
        golden_compare(g, suffix, run.err, run.err_length);
    if (status != 0)
        check(folder_count(GOLDEN_SCRATCH) <= 2, "%s: leaves files behind", g->stem);
    process_free(&run);
}
