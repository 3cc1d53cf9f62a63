/* nnc.y: tokens to Ast.
 *
 * What comes in: the tokens of nnc.l. What goes out: the list of statements: `label:` alone, or
 *
 *     [label:] word argument... [( value, ... )] [{ statements }]
 *     include "FILE"
 *
 * The one idea: the grammar knows no kinds of layers. It says what a statement looks like; the table of kinds
 * says what it means. The actions only call the builders of parse.c. After an error the rest of the statement
 * is skipped, so that each statement's first error is reported; in its place stands a broken statement, so that
 * what can be said of the others is said, too.
 */
%define api.pure full
%define api.value.type {ParseValue}
%define api.location.type {Loc}
%define parse.error custom
%locations
%expect 0

%param {void *scanner}
%parse-param {Parse *parse}

%code requires {
#include "front/front.h"

/* The braces that are open. */
typedef struct Brace {
    Loc loc;
    struct Brace *outer;
    int depth;               /* how many are open with this one */
    bool wrong;              /* nothing that has a body stands before it */
} Brace;

/* What the scanner and the parser share while they read one text. */
typedef struct Parse {
    const Source *source;
    Ast *ast;                /* of all files */
    AstStatement *statements; /* of this one */
    const Options *options;  /* NULL: none */
    int line, column;        /* where the scanner stands */
    bool reported;           /* this statement had its error */
    bool labelled;           /* it has a label */
    Token label, first;      /* this label, and the first token behind it */
    bool lost;               /* after an error nobody knows where statements begin */
    bool ended;              /* the last token was END, or there was none */
    int before;              /* the type of the token before the last one, END at a statement's start */
    int found;               /* and of the last one */
    Token before_token, found_token;
    Brace *braces;
    bool in_list;            /* between parentheses */
    Token list_of;           /* what stands before them */
} Parse;

typedef struct ArgList { AstArg *first, *last; } ArgList;
typedef struct TokenList { Token *token; int count, room; } TokenList;
typedef struct ValueList { TokenList values; Loc close; bool given; } ValueList;
typedef struct StatementList { AstStatement *first, *last; bool given; } StatementList;

typedef union ParseValue {
    Token token;
    AstArg *arg;
    ArgList args;
    TokenList tokens;
    ValueList list;
    StatementList statements;
    AstStatement *statement;
} ParseValue;
}

%code provides {
/* For the scanner, in parse.c. */
void scan_place(Parse *, Loc *, int length);
void scan_newline(Parse *);
int  scan_token(Parse *, ParseValue *, const Loc *, const char *text, int length, int type);
int  scan_quoted(Parse *, ParseValue *, const Loc *, const char *text, int length);
bool scan_expects_file(const Parse *);                   /* is this behind `include`? */
int  scan_stray(Parse *, const Loc *, const char *text, int length); /* its length in bytes */

/* For the grammar, in parse.c. */
AstArg *plain_arg(Token);
AstArg *arrow_arg(Token from, Token to);
AstArg *named_arg(Token name, TokenList values);
ArgList add_arg(ArgList, AstArg *);
TokenList add_token(TokenList, Token);
AstStatement *new_ast_statement(Parse *, Token kind, ArgList, ValueList, StatementList);
AstStatement *with_label(Token label, AstStatement *); /* NULL: the label stands alone */
AstStatement *broken_statement(Parse *);           /* what there is of one with a syntax error */
AstStatement *include_statement(Parse *, Token kind, Token file);
StatementList add_statement(StatementList, AstStatement *);
void syntax_error(Parse *, Loc);
}

%code {
int yylex(ParseValue *, Loc *, void *scanner);
static void yyerror(Loc *, void *scanner, Parse *, const char *message);

/* Where a piece of text begins; how far it reaches, the builders know. */
#define YYLLOC_DEFAULT(place, parts, count) ((place) = YYRHSLOC(parts, (count) > 0))
}

%token <token> WORD NUMBER QUOTED STRING
%token END ARROW

%type <statements> statements body
%type <statement> labelled statement
%type <list> list
%type <args> args
%type <arg> arg
%type <token> value label
%type <tokens> values

%%

text:
    statements                      { parse->statements = $1.first; }
  ;

statements:
    %empty                          { $$ = (StatementList){0}; }
  | statements END
  | statements labelled END         { $$ = add_statement($1, $labelled); }
  | statements error END            { yyerrok; $$ = add_statement($1, broken_statement(parse)); }
  ;

labelled:
    statement
  | label ':' statement             { $$ = with_label($label, $3); }
  | label ':'                       { $$ = with_label($label, NULL); }
  ;

label:
    WORD
  | QUOTED
  ;

statement:
    WORD args list body             { $$ = new_ast_statement(parse, $WORD, $args, $list, $body); }
  | WORD STRING                     { $$ = include_statement(parse, $WORD, $STRING); }
  ;

list:
    %empty                          { $$ = (ValueList){0}; }
  | '(' ')'                         { $$ = (ValueList){.close = @2, .given = true}; }
  | '(' values ')'                  { $$ = (ValueList){$values, @3, true}; }
  ;

body:
    %empty                          { $$ = (StatementList){0}; }
  | '{' statements '}'              { $$ = $2; $$.given = true; }
  | '{' statements labelled '}'     { $$ = add_statement($2, $labelled); $$.given = true; }
  | '{' statements error '}'        { yyerrok; $$ = add_statement($2, broken_statement(parse)); $$.given = true; }
  ;

args:
    %empty                          { $$ = (ArgList){0}; }
  | args arg                        { $$ = add_arg($1, $arg); }
  ;

arg:
    value                           { $$ = plain_arg($value); }
  | value[from] ARROW value[to]     { $$ = arrow_arg($from, $to); }
  | WORD '=' values                 { $$ = named_arg($WORD, $values); }
  ;

values:
    value                           { $$ = add_token((TokenList){0}, $value); }
  | values ',' value                { $$ = add_token($1, $value); }
  ;

value:
    WORD
  | NUMBER
  | QUOTED
  ;

%%

/* Bison calls this when its stack can't grow. */
static void yyerror(Loc *loc, void *scanner, Parse *parse, const char *message)
{
    (void)loc, (void)scanner, (void)parse;
    fail("parser: %s", message);
}

static int yyreport_syntax_error(const yypcontext_t *context, void *scanner, Parse *parse)
{
    (void)scanner;
    syntax_error(parse, *yypcontext_location(context));
    return 0;
}
