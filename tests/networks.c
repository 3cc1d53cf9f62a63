/* networks.c: texts as the compiler understands them; see networks.h. */
#include "networks.h"

#include <stdlib.h>
#include <string.h>

static char *said;
static size_t said_length;
static FILE *messages;

Net *network_of(const char *text, const Options *options)
{
    Source *source = NEW(Source);
    *source = (Source){.name = "net.nn", .text = copy_text(text, strlen(text)), .length = strlen(text)};
    rewind(messages);
    diag_start(messages, source, COLOR_NEVER);
    const Ast *ast = parse(source, NULL);
    if (ast)
        verify_ast(ast);
    Net *net = ast ? resolve(ast, options) : NULL;
    bool good = net && error_count() == 0;
    fputc('\0', messages);
    fflush(messages);
    if (good)
        verify_net(net);
    return good ? net : NULL;
}

const char *network_messages(void)
{
    return said;
}

int networks_start(void)
{
    messages = open_memstream(&said, &said_length);
    return messages == NULL;
}

int networks_end(void)
{
    diag_start(NULL, NULL, COLOR_AUTO);
    int status = fclose(messages);
    free(said);
    return status;
}
