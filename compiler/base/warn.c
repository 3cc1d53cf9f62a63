/* warn.c: the warnings by name, and the -W options that turn them on, off or into errors.
 *
 * The one idea: one table, which the options, --help and "did you mean" walk. */
#include <string.h>

#include "base/base.h"

static const struct {
    const char *name, *help;
    bool extra;                      /* off unless -Wextra or its own option turns it on */
} warnings[NWARNINGS] = {
    [WARN_UNROLL] = {"unroll", "code that is very large or slow to compile", false},
    [WARN_PADDING] = {"padding", "a window that covers only padding", false},
    [WARN_LOSS] = {"loss", "a loss for logits behind softmax or sigmoid", false},
    [WARN_UNUSED] = {"unused", "a layer whose output is never used", false},
    [WARN_BATCH] = {"batch", "a batch too small for batchnorm", false},
    [WARN_LANES] = {"lanes", "--lanes=samples where it has no effect", false},
    [WARN_CHANNELS] = {"channels", "an input size with the channels last", false},
    [WARN_MOMENTUM] = {"momentum", "a momentum of batchnorm above 0.5", false},
    [WARN_SHORTCUT] = {"shortcut", "add of a label on the first layer of a branch, not before it", false},
    [WARN_LABEL] = {"label", "a label that is never used", false},
    [WARN_SOFTMAX] = {"softmax-twice", "softmax of what a softmax gives", false},
    [WARN_LINEAR] = {"linear", "two linear layers with nothing between them", false},
    [WARN_DROPOUT] = {"dropout-last", "dropout of the answer, or of its logits", false},
    [WARN_RELU] = {"relu-logits", "logits that cannot be below 0, since a relu gives them", false},
    [WARN_ROWS] = {"rows", "a window that leaves rows or columns of its input out", true},
    [WARN_DEFINE] = {"define", "-D NAME=VALUE where nothing uses $NAME", false},
};

static bool is_off[NWARNINGS], is_error[NWARNINGS];

/* All warnings on but the extra ones, none an error. */
void warning_reset(void)
{
    memset(is_error, 0, sizeof is_error);
    for (int i = 0; i < NWARNINGS; i++)
        is_off[i] = warnings[i].extra;
}

static int find_warning(const char *name)
{
    for (int i = 0; i < NWARNINGS; i++)
        if (strcmp(name, warnings[i].name) == 0)
            return i;
    return -1;
}

/* NAME behind -Werror= or -Wno-error=. As gcc has it, -Werror=NAME turns NAME on, too. */
static bool error_option(const char *name, bool error)
{
    int i = find_warning(name);
    if (i < 0)
        return false;
    is_error[i] = error;
    is_off[i] = is_off[i] && !error;
    return true;
}

/* What stands behind -W: NAME, all, extra, error, error=NAME, each also with no- before it. False:
 * unknown. */
bool warning_option(const char *name)
{
    bool off = strncmp(name, "no-", 3) == 0;
    name += off ? 3 : 0;
    if (strncmp(name, "error=", 6) == 0)
        return error_option(name + 6, !off);
    bool all = strcmp(name, "all") == 0, extra = strcmp(name, "extra") == 0;
    bool error = strcmp(name, "error") == 0;
    int one = find_warning(name);
    if (one >= 0)
        is_off[one] = off;
    for (int i = 0; i < NWARNINGS; i++)
        if (error)
            is_error[i] = !off;
        else if ((all && (off || !warnings[i].extra)) || (extra && warnings[i].extra))
            is_off[i] = off;
    return all || extra || error || one >= 0;
}

bool warning_is_on(Warning warning)
{
    return !is_off[warning];
}

bool warning_is_error(Warning warning)
{
    return is_error[warning];
}

const char *warning_name(Warning warning)
{
    return warnings[warning].name;
}

/* The warnings and what they say, a line for each; for --help. */
const char *warning_names(void)
{
    const char *names = "";
    for (int i = 0; i < NWARNINGS; i++)
        names = format("%s  %-22s %s%s\n", names, format("-W%s", warnings[i].name), warnings[i].help,
                       warnings[i].extra ? " (off)" : "");
    return names;
}

/* The -W option that was probably meant, without its -W; or NULL. */
const char *closest_warning(const char *name)
{
    enum { FORMS = 4, OTHERS = 3 };
    const char *names[FORMS * NWARNINGS + OTHERS] = {"all", "error", "extra"};
    for (int i = 0; i < NWARNINGS; i++) {
        const char **form = &names[OTHERS + FORMS * i];
        form[0] = warnings[i].name;
        form[1] = format("no-%s", warnings[i].name);
        form[2] = format("error=%s", warnings[i].name);
        form[3] = format("no-error=%s", warnings[i].name);
    }
    return closest(name, names, FORMS * NWARNINGS + OTHERS);
}
