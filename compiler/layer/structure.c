/* repeat, block, include, param: how statements are put together; expand.c writes them out, so that no layer
 * comes from them. */
#include "layer/layer.h"

static const Param params[] = {{0}};

const Kind kind_repeat = {
    .name = "repeat",
    .role = ROLE_STRUCTURE,
    .syntax = "repeat N { ... }",
    .help = "the statements N times",
    .params = params,
};

const Kind kind_block = {
    .name = "block",
    .role = ROLE_STRUCTURE,
    .syntax = "block NAME(a, b) { ... }",
    .help = "a piece of network, used as NAME(32, 2), in which $a stands for 32",
    .params = params,
};

const Kind kind_include = {
    .name = "include",
    .role = ROLE_STRUCTURE,
    .syntax = "include \"FILE\"",
    .help = "the statements and blocks of another file, which lies beside this one or in a folder of -I",
    .params = params,
};

const Kind kind_param = {
    .name = "param",
    .role = ROLE_STRUCTURE,
    .syntax = "param NAME = VALUE",
    .help = "outside of blocks $NAME stands for VALUE from here on, or for that of -D NAME=VALUE",
    .params = params,
};
