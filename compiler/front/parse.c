/* parse.c: text to Ast: the builders that the grammar calls, its error messages, the Ast's dump and verifier.
 *
 * What comes in: the text of a FILE.nn. What goes out: its statements as they were written, each token with
 * its place, or error messages. The scanner and the grammar themselves are in grammar/.
 *
 * The one idea: a syntax error is explained by the token that could not stand and the one before it. That is
 * enough to say what was expected there and, for the usual slips, what to write instead.
 */
#include "front/front.h"

#include <ctype.h>
#include <string.h>

#include "nnc.tab.h"

/* Made by flex. */
int yylex_init_extra(Parse *, void **scanner);

void *yy_scan_bytes(const char *bytes, int length, void *scanner);

int yylex_destroy(void *scanner);

enum {
    STRAY = -1,              /* stands for a character that is no token */
    DEEPEST = 100,           /* braces within braces; each takes the parser a few places of its stack */
    MOST_INCLUDED = 100,    /* files, also in one another */
    LONGEST_TOKEN = 1000
};

/* ---- Places and tokens, for the scanner ------------------------------------------------------ */

/* The place of the next length bytes; moves past them. */
void scan_place(Parse *parse, Loc *loc, int length)
{
    *loc = (Loc){parse->line, parse->column, length, parse->source};
    parse->column += length;
}

void scan_newline(Parse *parse)
{
    parse->line++;
    parse->column = 1;
}

/* Is the next token the first of a statement? */
static bool starts_statement(int before)
{
    return before == END || before == '{';
}

/* Makes a token of the given type, remembers it for error messages, and returns the type. */
int scan_token(Parse *parse, ParseValue *value, const Loc *loc, const char *text, int length, int type)
{
    if (length > LONGEST_TOKEN) {
        parse->reported = parse->lost = true;
        Loc first = *loc;
        first.length = 1;
        error_at(first, "this word has %d characters: the most is %d [limit]", length, LONGEST_TOKEN);
        return YYEOF;
    }
    Token token = {.text = copy_text(text, (size_t)length), .loc = *loc};
    bool start = starts_statement(parse->found);
    parse->before = parse->found;
    parse->before_token = parse->found_token;
    parse->found = type;
    parse->found_token = token;
    parse->ended = type == END;
    if (start) {
        parse->reported = parse->labelled = parse->in_list = false;
        parse->label = (Token){0};
        parse->first = token;
    }
    if (parse->before == ':' && !parse->labelled) {
        parse->labelled = true;
        parse->label = parse->first;
        parse->first = token;
    }
    if (type == '(' && !parse->in_list)
        parse->list_of = parse->before_token;
    if (type == '(' || type == ')')
        parse->in_list = type == '(';
    if (parse->before == '}' && parse->braces)
        parse->braces = parse->braces->outer;
    if (type == '{') {
        Brace *brace = NEW(Brace);
        *brace = (Brace){*loc, parse->braces, parse->braces ? parse->braces->depth + 1 : 1, false};
        parse->braces = brace;
        if (brace->depth > DEEPEST) { /* the parser's stack has an end */
            parse->reported = parse->lost = true;
            error_at(*loc, "braces are nested more than %d deep [limit]", DEEPEST);
            return YYEOF;
        }
    }
    value->token = token;
    return type;
}

/* Only `include` takes a word in quotes. */
bool scan_expects_file(const Parse *parse)
{
    bool begins = starts_statement(parse->before) || parse->before == ':';
    return parse->found == WORD && begins && strcmp(parse->found_token.text, "include") == 0;
}

/* The place of a character that cannot stand in a label, or of all of it where that is none; length 0: it is
 * one. */
static Loc wrong_in_label(Loc loc, const char *text, int length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    static const char inside[] = ".-/:";
    for (int i = 0; i < length; i++)
        if (!strchr(letters, text[i]) && !strchr(inside, text[i])) {
            unsigned char lead = (unsigned char)text[i];
            loc.column += i + 1;
            loc.length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
            return loc;
        }
    if (length && strchr(letters, text[0]) && strchr(letters, text[length - 1]))
        loc.length = 0;
    return loc;
}

/* A label in quotes, for names that others have given. */
int scan_quoted(Parse *parse, ParseValue *value, const Loc *loc, const char *text, int length)
{
    bool start = starts_statement(parse->found), was_reported = !start && parse->reported;
    Loc wrong = wrong_in_label(*loc, text + 1, length - 2);
    int type = scan_token(parse, value, loc, text + 1, length - 2, QUOTED);
    value->token.quoted = parse->found_token.quoted = true;
    if (start || (parse->before == ':' && parse->first.loc.column == loc->column))
        parse->first.quoted = true;
    if (!wrong.length || type != QUOTED)
        return type;
    if (!was_reported && wrong.length == loc->length)
        error_at(wrong, "a label in quotes begins and ends with a letter, a digit or '_' [label]");
    else if (!was_reported)
        error_at(wrong, "a label in quotes consists of letters, digits and any of _ . - / : [label]");
    parse->reported = true;
    return YYerror;
}

const char *written_token(const Token *token)
{
    return token->quoted ? format("\"%s\"", token->text) : token->text;
}

/* An argument as it was written; NULL: it has more values than that. */
const char *written_arg(const AstArg *given, int most)
{
    const char *first = written_token(&given->value[0]);
    const char *text = given->form == ARG_NAMED ? format("%s=%s", given->name.text, first)
                     : given->form == ARG_ARROW ? format("%s->%s", first, given->value[1].text)
                                                : first;
    if (given->nvalues > most)
        return NULL;
    for (int i = 1; given->form == ARG_NAMED && i < given->nvalues; i++)
        text = format("%s,%s", text, given->value[i].text);
    return text;
}

bool may_be_label(const Token *token)
{
    return token->quoted || is_identifier(token->text);
}

/* What to write instead of a character that is no token; "": nothing to suggest. */
static const struct {
    const char *stray, *instead;
} slips[] = {
    {".", "names have no dots: write conv, not nn.Conv2d"},
    {"$", "it stands before the name of a block's argument, as in '$c'"},
    {"[", "brackets in the documentation only mark what can be left out"},
    {"]", "brackets in the documentation only mark what can be left out"},
    {"\"", "a label in quotes ends on the same line, and nothing else is quoted"},
    {"'", "words need no quotes, and a label has double ones"},
    {"/", "a comment begins with '#'"},
    {"|", "statements end at a newline or ';'"},
    {">", "input and output channels are written 3->16"},
    {"-", "input and output channels are written 3->16"},
    {"\u2192", "input and output channels are written 3->16"},
    {"*", "sizes are written 3x32x32"},
    {"+", "a sum is written 'x:' before the branch and 'add x' after it"},
    {"%", "a share is written 0.5"},
    {"<", "the name of a file stands in double quotes"},
    {"\u00d7", "sizes are written 3x32x32"},
    {"\u2212", "a negative number is written with '-'"},
    {"\u00a0", "this is a no-break space; write a plain one"},
    {"\r", "a line ends with a newline, or a carriage return and a newline"},
};

/* The rest of a label from the dot at that place on, where a ':' follows it; NULL: it is none. */
static const char *dotted_label(Loc dot)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    const char *text = text_from(dot);
    size_t length = text && *text == '.' ? strspn(text, letters) : 0;
    return length && text[length] == ':' ? copy_text(text, length) : NULL;
}

static bool is_file_name(const Parse *parse)
{
    return !strcmp(parse->first.text, "include") || !strcmp(parse->first.text, "import");
}

/* Reports a character that is no token, unless its statement had its error. Returns its length in bytes. */
int scan_stray(Parse *parse, const Loc *loc, const char *text, int length)
{
    Loc place = *loc;
    unsigned char lead = (unsigned char)text[0];
    place.length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (place.length > length)
        place.length = length;
    parse->column = place.column + place.length;

    bool start = starts_statement(parse->found);
    if (start) {
        parse->label = (Token){0};
        parse->first = (Token){.text = "", .loc = place};
    }
    parse->found = STRAY;
    parse->ended = false;
    if (!start && parse->reported)
        return place.length;
    parse->reported = true;

    const char *character = copy_text(text, (size_t)place.length), *instead = NULL;
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
        if (strcmp(character, slips[i].stray) == 0)
            instead = slips[i].instead;
    if (*character == '$' && text_from(place) && text_from(place)[1] == '{')
        instead = "write $c, without braces";
    const char *dotless = *character != '.'   ? NULL
                        : is_file_name(parse) ? "the name of a file stands in double quotes"
                        : dotted_label(place) ? "a label with dots is written in quotes: \"a.b\": conv 16 k3"
                                              : instead_of_dots(place);
    instead = dotless ? dotless : instead;
    error_at(place, "unexpected '%s'%s%s [syntax]", character, instead ? ": " : "", instead ? instead : "");
    return place.length;
}

/* ---- Syntax errors --------------------------------------------------------------------------- */

/* How a message calls a token. */
static const char *token_text(int type, const Token *token)
{
    if (type == END)
        return strcmp(token->text, "\n") == 0 ? "the end of the line"
             : strcmp(token->text, ";") == 0  ? "';'"
                                              : "the end of the text";
    return token->quoted ? written_token(token) : format("'%s'", token->text);
}

/* Explains why the last token cannot stand behind the one before it. */
void syntax_error(Parse *parse, Loc loc)
{
    parse->lost |= parse->found == '{' || parse->before == '}' || parse->found == YYEOF
                   || (parse->found == '}' && !parse->braces);
    if (parse->reported)
        return;
    parse->reported = true;

    int before = parse->before, found = parse->found;
    const char *found_text = token_text(found, &parse->found_token);
    const char *before_text = token_text(before, &parse->before_token);
    if (loc.length == 0)
        loc.length = 1;

    if (found == YYEOF) {
        if (error_count() == 0 && parse->braces)
            error_at(parse->braces->loc, "this '{' is never closed [syntax]");
    } else if (found == '}') {
        if (parse->braces && parse->braces->wrong)
            return; /* which was said where it was opened */
        if (!parse->braces && error_count() == 0)
            error_at(loc, "there is no '{' that this '}' closes [syntax]");
        else if (parse->braces)
            error_at(loc, "expected a value after %s, found '}' [syntax]", before_text);
    } else if (before == STRING)
        error_at(loc, "expected ';' or a new line after the name of the file, found %s [syntax]", found_text);
    else if (before == '}')
        error_at(loc, "expected ';' or a new line after '}', found %s [syntax]", found_text);
    else if (found == '{' && starts_statement(before)) {
        error_at(loc, "a '{' must be on the same line as its repeat or block [syntax]");
        parse->braces->wrong = true;
    } else if (found == ')' && !parse->in_list && before != '(')
        error_at(loc, "unexpected ')': arguments are separated by spaces, as in 'conv 3->16 k3' [syntax]");
    else if (parse->in_list && kind_meant(parse->list_of.text, false))
        error_parentheses(&parse->list_of);
    else if (parse->in_list || found == ')')
        error_at(loc,
                 "expected values separated by ',' between the parentheses, as in 'name(32, 2)', found %s"
                 " [syntax]",
                 found_text);
    else if (before == ')')
        error_at(loc, "expected ';' or a new line after ')', found %s [syntax]", found_text);
    else if (before == ':' && find_kind(parse->label.text))
        error_at(loc, "expected the name of a layer behind the label '%s', found %s: write '%s %s' [syntax]",
                 parse->label.text, found_text, parse->label.text, parse->found_token.text);
    else if (starts_statement(before) || before == ':')
        error_at(loc, "expected the name of a layer, such as conv, found %s [syntax]", found_text);
    else if (before == QUOTED && parse->first.quoted && !parse->labelled
             && parse->first.loc.column == parse->before_token.loc.column)
        error_at(loc, "a label is followed by ':', found %s [syntax]", found_text);
    else if (before == ARROW || before == '=' || before == ',')
        error_at(loc, "expected a value after %s, found %s [syntax]", before_text, found_text);
    else if (found == ':' && parse->labelled)
        error_at(parse->before_token.loc, "a statement can have only one label [syntax]");
    else if (found == ':' && (before == WORD || before == QUOTED))
        error_at(parse->before_token.loc,
                 "a label stands before the name of the layer; is a ';' missing before %s? [syntax]",
                 before_text);
    else if (found == ':')
        error_at(loc, "a label is a word, not %s [syntax]", before_text);
    else if (found == ',')
        error_at(loc, "arguments are separated by spaces; ',' only separates the values of one argument, "
                      "as in 'mean=0.5,0.4,0.3' [syntax]");
    else if (found == '=')
        error_equals(before == WORD && parse->first.loc.column == parse->before_token.loc.column
                         ? parse->first.text : NULL, loc, before_text);
    else if (found == ARROW)
        error_at(loc, "'->' stands between input and output channels, as in '3->16' [syntax]");
    else
        bug("syntax_error: %s behind %s is no error", found_text, before_text);
}

/* ---- Builders, for the grammar --------------------------------------------------------------- */

/* From the first byte of one place to the last of another on the same line. */
static Loc span(Loc from, Loc to)
{
    from.length = to.column + to.length - from.column;
    return from;
}

AstArg *plain_arg(Token value)
{
    AstArg *arg = NEW(AstArg);
    arg->form = ARG_PLAIN;
    arg->loc = value.loc;
    arg->value = NEW(Token);
    arg->value[0] = value;
    arg->nvalues = 1;
    return arg;
}

AstArg *arrow_arg(Token from, Token to)
{
    AstArg *arg = NEW(AstArg);
    arg->form = ARG_ARROW;
    arg->loc = span(from.loc, to.loc);
    arg->value = NEW_ARRAY(Token, 2);
    arg->value[0] = from;
    arg->value[1] = to;
    arg->nvalues = 2;
    return arg;
}

AstArg *named_arg(Token name, TokenList values)
{
    AstArg *arg = NEW(AstArg);
    arg->form = ARG_NAMED;
    arg->loc = span(name.loc, values.token[values.count - 1].loc);
    arg->name = name;
    arg->value = values.token;
    arg->nvalues = values.count;
    return arg;
}

ArgList add_arg(ArgList list, AstArg *arg)
{
    if (list.last)
        list.last->next = arg;
    else
        list.first = arg;
    list.last = arg;
    return list;
}

TokenList add_token(TokenList list, Token token)
{
    if (list.count == list.room) {
        Token *old = list.token;
        list.room = list.room ? 2 * list.room : 4;
        list.token = NEW_ARRAY(Token, list.room);
        if (old)
            memcpy(list.token, old, (size_t)list.count * sizeof *old);
    }
    list.token[list.count++] = token;
    return list;
}

/* Tokens that touch are a slip: `conv 3-16` is not 3 and -16. Nor is `features.0` a label. */
static void check_spaces(Parse *parse, AstStatement *statement)
{
    Loc before = statement->kind.loc;
    for (const AstArg *arg = statement->args; arg; arg = arg->next) {
        if (arg->loc.column == before.column + before.length) {
            const char *label = dotted_label(arg->loc);
            if (label)
                error_at(arg->loc, "a label with dots is written in quotes: \"%s%s\" [label]",
                         statement->kind.text, label);
            else
                error_at(arg->loc, "missing space before this argument (input and output channels are "
                                   "written 3->16) [syntax]");
            parse->reported |= label != NULL; /* the ':' behind it is part of the same slip */
            statement->broken = true;
        }
        before = arg->loc;
    }
}

AstStatement *new_ast_statement(Parse *parse, Token kind, ArgList args, ValueList list, StatementList body)
{
    AstStatement *statement = NEW(AstStatement);
    statement->mistake = NEW(Mistake);
    statement->kind = kind;
    statement->args = args.first;
    statement->listed = list.given;
    statement->list = list.values.token;
    statement->nlist = list.values.count;
    statement->braced = body.given;
    statement->body = body.first;
    statement->loc = list.given ? span(kind.loc, list.close)
                   : args.last  ? span(kind.loc, args.last->loc)
                                : kind.loc;
    check_spaces(parse, statement);
    return statement;
}

AstStatement *with_label(Token label, AstStatement *statement)
{
    if (!may_be_label(&label))
        error_at(label.loc, "a label must consist of letters, digits and '_' [label]");
    if (!statement) {
        statement = NEW(AstStatement);
        statement->mistake = NEW(Mistake);
        statement->loc = label.loc;
    }
    statement->label = label;
    return statement;
}

/* A broken definition or repeat takes the sense of what stands in its braces with it. */
AstStatement *broken_statement(Parse *parse)
{
    AstStatement *statement = NEW(AstStatement);
    statement->mistake = NEW(Mistake);
    statement->mistake->made = statement->broken = true;
    statement->label = parse->label;
    statement->kind = parse->first;
    statement->loc = parse->first.loc;
    parse->lost |= !strcmp(parse->first.text, "block") || !strcmp(parse->first.text, "repeat");
    return statement;
}

StatementList add_statement(StatementList list, AstStatement *statement)
{
    if (list.last)
        list.last->next = statement;
    else
        list.first = statement;
    list.last = statement;
    return list;
}

/* ---- Other files ----------------------------------------------------------------------------- */

static Ast *parse_file(Ast *whole, const Source *source, const Options *options, bool *lost);

/* Does the file include itself, by way of others? Says so. */
static bool is_cycle(const Source *by, const char *path, Loc loc)
{
    for (const Source *s = by; s; s = s->included.line ? s->included.source : NULL)
        if (same_file(s->name, path)) {
            error_at(loc, "%s includes itself [include]", path);
            return true;
        }
    return false;
}

/* Reads the file, whose statements stand in the place of this one. */
AstStatement *include_statement(Parse *parse, Token kind, Token file)
{
    AstStatement *statement = NEW(AstStatement);
    statement->mistake = NEW(Mistake);
    statement->kind = kind;
    statement->file = file;
    statement->loc = span(kind.loc, file.loc);
    statement->broken = true;
    const Options *options = parse->options;
    Ast *ast = parse->ast;
    const char *name = copy_text(file.text + 1, strlen(file.text) - 2);
    const char *path = !*name || !options ? NULL
                     : find_included(name, parse->source->name, options->folders, options->nfolders);
    if (!path) {
        error_at(file.loc, "cannot find the file %s, beside this one or in a folder of -I "
                           "[include]", file.text);
        return statement;
    }
    if (is_cycle(parse->source, path, file.loc))
        return statement;
    if (ast->nincluded == MOST_INCLUDED) {
        error_at(file.loc, "more than %d files are included [limit]", MOST_INCLUDED);
        return statement;
    }
    Source *source = read_source(path);
    source->included = statement->loc;
    if (!ast->included)
        ast->included = NEW_ARRAY(const char *, MOST_INCLUDED);
    ast->included[ast->nincluded++] = path;
    Ast *part = parse_file(ast, source, options, &parse->lost);
    statement->included = source;
    statement->body = part ? part->statements : NULL;
    statement->broken = !part;
    return statement;
}

/* ---- The stage ------------------------------------------------------------------------------- */

/* A NUL byte means that this is no text, so one error will do. (And flex is slow at them.) */
static bool check_text(const Source *source)
{
    const char *nul = memchr(source->text, '\0', source->length);
    if (!nul)
        return true;
    Loc loc = {1, 1, 1, source};
    for (const char *c = source->text; c < nul; c++) {
        loc.column++;
        if (*c == '\n')
            loc = (Loc){loc.line + 1, 1, 1, source};
    }
    error_at(loc, "not a text file: it contains a NUL byte [text]");
    return false;
}

/* whole: what the file is a part of, NULL: nothing. */
static Ast *parse_file(Ast *whole, const Source *source, const Options *options, bool *lost)
{
    if (!check_text(source)) {
        *lost = true;
        return NULL;
    }
    Ast *ast = NEW(Ast);
    ast->source = source;
    Parse state = {.source = source,
                   .ast = whole ? whole : ast,
                   .options = options,
                   .line = 1,
                   .column = 1,
                   .ended = true,
                   .before = END,
                   .found = END,
                   .found_token = {.text = ""},
                   .first = {.text = ""}};

    void *scanner;
    if (yylex_init_extra(&state, &scanner) != 0)
        fail("out of memory [memory]");
    yy_scan_bytes(source->text, (int)source->length, scanner);
    yyparse(scanner, &state);
    yylex_destroy(scanner);
    ast->statements = state.statements;
    if (ast->statements)
        ast->statements->first = true;
    *lost |= state.lost;
    return ast;
}

Ast *parse(const Source *source, const Options *options)
{
    bool lost = false;
    Ast *ast = parse_file(NULL, source, options, &lost);
    return lost ? NULL : ast;
}

static void dump_statements(FILE *file, const AstStatement *s, int in)
{
    for (; s; s = s->next) {
        fprintf(file, "%*s%d:%d ", in, "", s->loc.line, s->loc.column);
        if (s->label.text)
            fprintf(file, "%s:%s", written_token(&s->label), s->kind.text ? " " : "");
        fprintf(file, "%s%s%s\n", s->kind.text ? s->kind.text : "", s->file.text ? " " : "",
                s->file.text ? s->file.text : "");
        for (const AstArg *arg = s->args; arg; arg = arg->next) {
            fprintf(file, "%*s    %d:%d ", in, "", arg->loc.line, arg->loc.column);
            if (arg->form == ARG_PLAIN)
                fprintf(file, "%s", written_token(&arg->value[0]));
            else if (arg->form == ARG_ARROW)
                fprintf(file, "%s -> %s", arg->value[0].text, arg->value[1].text);
            else
                fprintf(file, "%s =", arg->name.text);
            for (int i = 0; arg->form == ARG_NAMED && i < arg->nvalues; i++)
                fprintf(file, "%s %s", i > 0 ? "," : "", written_token(&arg->value[i]));
            fputc('\n', file);
        }
        if (s->listed)
            fprintf(file, "%*s    (", in, "");
        for (int i = 0; i < s->nlist; i++)
            fprintf(file, "%s%d:%d %s", i > 0 ? ", " : "", s->list[i].loc.line, s->list[i].loc.column,
                    written_token(&s->list[i]));
        if (s->listed)
            fprintf(file, ")\n");
        if (s->braced || s->included) {
            fprintf(file, "%*s    {\n", in, "");
            dump_statements(file, s->body, in + 8);
            fprintf(file, "%*s    }\n", in, "");
        }
    }
}

/* One line for each statement, indented ones for its arguments, each with line:column. */
void dump_ast(FILE *file, const Ast *ast)
{
    dump_statements(file, ast->statements, 0);
}

/* ---- The verifier ---------------------------------------------------------------------------- */

/* A cursor over the text: verifying goes forward only, so finding lines costs one walk in all. */
typedef struct Cursor {
    const Source *source;
    int line;
    size_t offset;           /* of the line's first byte */
} Cursor;

/* The text at loc must be this token's, and loc must lie behind everything verified before. */
static void verify_token(Cursor *cursor, const Token *token)
{
    if (!token->text)
        bug("verify_ast: a token without text");
    const Source *source = cursor->source;
    const char *text = written_token(token);
    size_t length = strlen(text);
    if (token->loc.line < cursor->line || token->loc.column < 1 || (size_t)token->loc.length != length)
        bug("verify_ast: '%.40s' has an impossible place", token->text);
    while (cursor->line < token->loc.line) {
        const char *newline = memchr(source->text + cursor->offset, '\n', source->length - cursor->offset);
        if (!newline)
            bug("verify_ast: '%.40s' stands behind the last line", token->text);
        cursor->offset = (size_t)(newline + 1 - source->text);
        cursor->line++;
    }
    size_t at = cursor->offset + (size_t)token->loc.column - 1;
    if (at > source->length || source->length - at < length
        || memcmp(source->text + at, text, length) != 0)
        bug("verify_ast: '%.40s' is not what stands at its place", token->text);
}

static void verify_statements(Cursor *cursor, const AstStatement *s)
{
    for (; s; s = s->next) {
        if (s->label.text)
            verify_token(cursor, &s->label);
        if (!s->kind.text) {
            if (!s->label.text || s->args || s->listed || s->braced)
                bug("verify_ast: a statement without a kind is more or less than a label");
            continue;
        }
        verify_token(cursor, &s->kind);
        if (s->included) {
            Cursor inner = {s->included, 1, 0};
            verify_token(cursor, &s->file);
            verify_statements(&inner, s->body);
            continue;
        }
        Loc last = s->kind.loc;
        for (const AstArg *arg = s->args; arg; arg = arg->next) {
            bool good = arg->form == ARG_PLAIN ? arg->nvalues == 1 && !arg->name.text
                      : arg->form == ARG_ARROW ? arg->nvalues == 2 && !arg->name.text
                                               : arg->nvalues >= 1 && arg->name.text;
            if (!good)
                bug("verify_ast: an argument of '%.40s' does not have its form", s->kind.text);
            if (arg->name.text)
                verify_token(cursor, &arg->name);
            for (int i = 0; i < arg->nvalues; i++)
                verify_token(cursor, &arg->value[i]);
            last = arg->value[arg->nvalues - 1].loc;
            if (arg->loc.column + arg->loc.length != last.column + last.length)
                bug("verify_ast: an argument of '%.40s' does not end with its last value", s->kind.text);
        }
        if ((s->nlist && !s->listed) || (s->body && !s->braced))
            bug("verify_ast: '%.40s' has a list without parentheses, or statements without braces",
                s->kind.text);
        for (int i = 0; i < s->nlist; i++)
            verify_token(cursor, &s->list[i]);
        if (s->loc.column != s->kind.loc.column
            || (!s->listed && s->loc.column + s->loc.length != last.column + last.length))
            bug("verify_ast: '%.40s' does not reach from its kind to its last argument", s->kind.text);
        verify_statements(cursor, s->body);
    }
}

/* Every token is what stands at its place, and every statement and argument has what its form says. */
void verify_ast(const Ast *ast)
{
    if (!ast->source)
        bug("verify_ast: no source");
    Cursor cursor = {ast->source, 1, 0};
    verify_statements(&cursor, ast->statements);
}
