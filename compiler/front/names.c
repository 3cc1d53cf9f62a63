/* names.c: what layers and labels are called.
 *
 * A layer is called by its label, or by its kind and its number among that kind. A label names a tensor
 * too: the output of the layer that it stands before, or what is current where it stands alone. No two
 * names of a network may be one, nor may they become one in C, where a dot is an underscore: `a_b.c` and
 * `a.b_c`.
 *
 * A scope is a stretch of the network in which a label can be seen. All names lie in one hash table. */
#include <string.h>

#include "front/front.h"

enum { BUCKETS = 4096, MOST_WARNINGS = 20 };
enum { LONGEST = 200 }; /* C compilers take longer names, but what is added to them is said many times */

typedef struct Name Name;
struct Name {
    /* "conv1": a name that is taken, as C has it; "@3 x": label x of scope 3; "#a.conv": a counter */
    const char *key;
    const char *name;    /* as the user writes it */
    Loc loc;
    const char *what;    /* "layer", "label" */
    Value *value;        /* of a label */
    const Scope *scope;
    /* of a label: the entry "%3:7" of its place in the text, shared by all rounds of a repeat */
    Name *place;
    int count;           /* of a counter: so far; of a place: how often its label is read */
    bool names_weights;  /* of a place: which is a use, too */
    Name *same_hash, *next;
};

struct Names {
    Name *bucket[BUCKETS], *first, **last;
    int scopes;
};

Names *new_names(void)
{
    Names *names = NEW(Names);
    names->last = &names->first;
    return names;
}

static unsigned hash(const char *key)
{
    unsigned h = 5381;
    for (; *key; key++)
        h = 33 * h + (unsigned char)*key;
    return h % BUCKETS;
}

static Name *find(const Names *names, const char *key)
{
    for (Name *name = names->bucket[hash(key)]; name; name = name->same_hash)
        if (!strcmp(name->key, key))
            return name;
    return NULL;
}

static Name *enter(Names *names, const char *key)
{
    Name *name = NEW(Name), **bucket = &names->bucket[hash(key)];
    name->key = key;
    name->same_hash = *bucket;
    *bucket = name;
    *names->last = name;
    names->last = &name->next;
    return name;
}

Scope *new_scope(Names *names, const Scope *outer, const char *prefix, bool repeated)
{
    Scope *scope = NEW(Scope);
    scope->names = names;
    scope->id = names->scopes++;
    scope->outer = outer;
    scope->prefix = prefix;
    scope->repeated = repeated;
    return scope;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int next_number(const Scope *scope, const char *word)
{
    const char *key = format("#%s%s", scope->prefix, word);
    Name *counter = find(scope->names, key);
    if (!counter)
        counter = enter(scope->names, key);
    return ++counter->count;
}

static const char *label_key(const Scope *scope, const char *text)
{
    return format("@%d %s", scope->id, text);
}

/* The label that `text` means in a scope, or NULL. */
static const Name *seen_from(const Scope *scope, const char *text)
{
    for (; scope; scope = scope->outer) {
        const Name *name = find(scope->names, label_key(scope, text));
        if (name)
            return name;
    }
    return NULL;
}

const char *take_name(const Scope *scope, const Token *label, const char *word, const char *what, Loc loc)
{
    Names *names = scope->names;
    int number = *word ? next_number(scope, word) : 0; /* labelled ones count, too */
    const char *own = !label->text    ? format("%s%d", word, number)
                    : scope->repeated ? format("%s%d", label->text, next_number(scope, label->text))
                                      : label->text;
    const char *full = format("%s%s", scope->prefix, own);
    if (strlen(full) > LONGEST) {
        error_at(label->text ? label->loc : loc,
                 *scope->prefix ? "the name of this %s has %zu characters, with those of the blocks around "
                                  "it: the most is %d [limit]"
                                : "the name of this %s has %zu characters: the most is %d [limit]",
                 what, strlen(full), LONGEST);
        return NULL;
    }
    const Name *taken = label->text ? seen_from(scope, label->text) : NULL;
    if (!taken)
        taken = find(names, c_name(full));
    if (!taken) {
        Name *name = enter(names, c_name(full));
        name->name = full;
        name->loc = loc;
        name->what = what;
        return full;
    }
    if (strcmp(taken->name, full) && strcmp(c_name(taken->name), full)
        && !strcmp(c_name(taken->name), c_name(full)))
        error_at(label->text ? label->loc : loc,
                 "'%s' and '%s' have the same name in C: give one of them another label"
                 " [label]", full, taken->name);
    else if (label->text)
        error_at(label->loc, "the name '%s' is already used [label]", label->text);
    else
        error_at(loc, "this %s would be called '%s', but that name is already used: give it a label"
                      " [label]", what,
                 full);
    note_at(taken->loc, "'%s' is this %s", taken->name, taken->what);
    return NULL;
}

bool is_misquoted(const Kind *kind, const AstArg *given)
{
    bool takes_labels = false;
    for (const Param *p = kind->params; p->name; p++)
        takes_labels |= p->type == PARAM_LABELS && given->form == (p->positional ? ARG_PLAIN : ARG_NAMED)
                        && (p->positional || !strcmp(p->name, given->name.text));
    for (int i = 0; i < given->nvalues && !takes_labels; i++)
        if (given->value[i].quoted) {
            error_at(given->value[i].loc, "%s is quoted: only labels may be [syntax]",
                     written_token(&given->value[i]));
            return true;
        }
    return false;
}

/* ---- Labels ---------------------------------------------------------------------------------- */

void set_label(const Scope *scope, const Token *label, const char *what, Value *value, Loc loc)
{
    Name *name = enter(scope->names, label_key(scope, label->text));
    name->name = label->text;
    name->loc = loc;
    name->what = what;
    name->scope = scope;
    name->value = value;
    const char *place =
        format("%%%d:%d:%p", label->loc.line, label->loc.column, (const void *)label->loc.source);
    name->place = find(scope->names, place);
    if (!name->place)
        name->place = enter(scope->names, place);
    name->place->name = label->text;
    name->place->loc = label->loc;
    name->place->names_weights |=
        !strcmp(what, "block") || (!strcmp(what, "layer") && value->producer->nweights);
}

/* The first of them: who has more will find them when these are gone. */
void warn_of_labels(const Names *names)
{
    int said = 0;
    for (const Name *name = names->first; name && said < MOST_WARNINGS; name = name->next)
        if (*name->key == '%' && !name->count && !name->names_weights && ++said)
            warning_at(WARN_LABEL, name->loc, "the label '%s' is never used", name->name);
}

static bool is_visible(const Scope *from, const Scope *scope)
{
    for (; from; from = from->outer)
        if (from == scope)
            return true;
    return false;
}

/* first: a label must stand here, whatever it is called. */
static void unknown_label(const Scope *scope, const Token *label, bool first)
{
    const Names *names = scope->names;
    const bool is_kind = find_kind(label->text) && !label->quoted;
    if (is_kind && !first) {
        error_at(label->loc, "'%s' begins a statement: write a ';' or a new line before it"
                             " [syntax]", label->text);
        return;
    }
    int n = 0;
    const Name *hidden = NULL;
    for (const Name *name = names->first; name; name = name->next)
        n += name->scope != NULL;
    const char **visible = NEW_ARRAY(const char *, n + 1);
    n = 0;
    for (const Name *name = names->first; name; name = name->next) {
        if (name->scope && is_visible(scope, name->scope))
            visible[n++] = name->name;
        else if (name->scope && !strcmp(name->name, label->text))
            hidden = name;
    }
    const char *near = closest(label->text, visible, n);
    const Name *layer = find(names, c_name(format("%s%s", scope->prefix, label->text)));
    if (layer) {
        error_at(label->loc, "%s has no label: write one before it, as in 'x: conv 16 k3', and name that"
                             " [label]",
                 label->text);
        note_at(layer->loc, "%s is this %s", label->text, layer->what);
    } else if (hidden) {
        error_at(label->loc, "the label '%s' is not visible here [label]", label->text);
        note_at(hidden->loc,
                "it is defined here; labels in a block, or in a round of a repeat, are visible only inside");
    } else if (near)
        error_at(label->loc, "there is no label '%s' before this; did you mean %s?"
                             " [label]", label->text, near);
    else
        error_at(label->loc, "there is no label '%s' before this [label]", label->text);
    if (is_kind)
        note_at(label->loc, "'%s' is a kind of layer; a label is a name written before the layer meant, as "
                            "in 'x: conv 16 k3'", label->text);
}

static const Name *read_label(const Scope *scope, const Token *label, bool first)
{
    const Name *name = seen_from(scope, label->text);
    if (!name)
        unknown_label(scope, label, first);
    else
        name->place->count++;
    return name;
}

Value *find_label(const Scope *scope, const Token *label, bool first)
{
    const Name *name = read_label(scope, label, first);
    return name ? name->value : NULL;
}

Layer *find_labelled(const Scope *scope, const Token *label)
{
    const Name *name = read_label(scope, label, true);
    if (!name)
        return NULL;
    if (!strcmp(name->what, "layer"))
        return name->value->producer;
    error_at(label->loc, "the label '%s' stands before no layer, so it names no weights [weights]",
             label->text);
    note_at(name->loc, !strcmp(name->what, "block") ? "it names what this block gives"
                                                    : "it stands alone, and names what is current there");
    return NULL;
}
