/* explain.c: what the codes of messages mean, for --explain CODE.
 *
 * The one idea: each code has a network that gets it and one that does not. The tests compile both, so what
 * stands here is what nnc does. */
#include <string.h>

#include "base/base.h"

/* The errors of the command line, those of a text in the order in which it is read, then the warnings. */
const Explanation explanations[] = {
    {"option",
     "The command line has an option that nnc does not know, one that lacks its value or has one too many, "
     "or options that do not go together. `nnc --help` lists them.",
     NULL, NULL},
    {"option-value",
     "The value of an option has the wrong form, is out of its range or none of the words that it may be. "
     "`nnc --help` shows what each option takes.",
     NULL, NULL},
    {"output",
     "What nnc would write cannot be called so: a file has a name that is no C file's, is the input itself "
     "or would be written twice, or the prefix cannot begin a name in C. -o, --header and --prefix give "
     "other names.",
     NULL, NULL},
    {"file",
     "A file or a stream cannot be read or written; the message has the reason of the system. Nothing is "
     "written then, and what was there before stays as it was.",
     NULL, NULL},
    {"memory",
     "There is not enough memory to compile the network.",
     NULL, NULL},
    {"graphviz",
     "--graph=svg has graphviz draw the picture, and its program dot is missing or failed. --graph=dot "
     "prints the text that dot reads, and needs nothing.",
     NULL, NULL},
    {"weights-file",
     "The file of --weights cannot be read, is no safetensors file, or does not hold the tensors of this "
     "network: all of them, in their shapes, and no others. `nnc --summary` shows the layers, and nn_load "
     "takes and refuses the same files.",
     NULL, NULL},
    {"verify",
     "--verify compiles the network with $CC $CFLAGS (cc, and the flags in the head of the C, where they are "
     "not set) and runs it on this machine, or under $EMULATOR. There is no such compiler, it refuses the "
     "code, or what it made does not run here.",
     NULL, NULL},
    {"text",
     "The file is no text: it holds a NUL byte, as programs and pictures do.",
     NULL, NULL},
    {"syntax",
     "The text is not put together as statements are: `[label:] kind argument ...`, one behind the "
     "other, separated by new lines or ';'. The rest of the statement is passed over, so each statement "
     "has at most one such error.",
     "input 3x8x8; conv(16); relu", "input 3x8x8; conv 16 k3; relu"},
    {"kind",
     "A statement begins with a kind of layer that nnc does not have. `nnc --layers` lists those that "
     "it has. Words of PyTorch, Keras, darknet and ONNX are known, and the message says what they are "
     "called here.",
     "input 3x8x8; con 16 k3", "input 3x8x8; conv 16 k3"},
    {"argument",
     "The kind of layer takes no such argument, or lacks one, or gets it twice. `nnc --layers KIND` "
     "shows what it takes. Arguments with one letter are written with their number: k3 s2 p1.",
     "input 3x8x8; conv 16 k3 wide=2", "input 3x8x8; conv 16 k3 bias=false"},
    {"value",
     "The value of an argument has the wrong form, is out of its range or none of the words it may be.",
     "input 3x8x8; conv 16 k0", "input 3x8x8; conv 16 k3"},
    {"label",
     "A label is missing, misspelt or taken, or cannot be seen from here. A label names the output of "
     "the layer that it stands before, or, alone, the current tensor; it must stand before what reads "
     "it. Those in a block or a repeat are seen only inside. A label that is no identifier stands in "
     "quotes: \"layer1.0.conv1\".",
     "input 8; fc 8; add x", "input 8; x:; fc 8; add x"},
    {"block",
     "A block is defined as `block NAME(a, b) { statements }`, outside of all braces, and used as "
     "`NAME(32, 2)` with as many values as it has arguments. It may use other blocks, but not itself.",
     "input 8; block wide(n) { fc $n; relu }; wide(8, 2)",
     "input 8; block wide(n) { fc $n; relu }; wide(8)"},
    {"repeat",
     "`repeat N { statements }` stands for the statements N times, 0 to 100000.",
     "input 8; repeat x { fc 8; relu }", "input 8; repeat 2 { fc 8; relu }"},
    {"parameter",
     "`$name` stands for an argument of the block around it. Outside of blocks it stands for what "
     "`param NAME = VALUE` before it says, or -D NAME=VALUE on the command line. A block sees only its "
     "own arguments.",
     "input 8; fc $width", "param width = 4; input 8; fc $width"},
    {"include",
     "The file of an `include \"FILE\"` is not there, or includes itself. It is looked for beside the "
     "file that includes it, then in the folders of -I, in their order.",
     "include \"no-such-file.nn\"; input 8; fc 2", "input 8; fc 2"},
    {"version",
     "`nnc N` as the first statement says for which version of the language a network is written. This "
     "nnc reads version 1.",
     "nnc 2; input 8; fc 2", "nnc 1; input 8; fc 2"},
    {"input",
     "Nothing says what one sample is. Begin with `input CxHxW` or `input N`, or give --input=CxHxW.",
     "fc 10", "input 8; fc 10"},
    {"order",
     "The statement cannot stand here, or only once: input comes first, the loss last, output just "
     "before it, and settings stand outside of blocks and repeats.",
     "input 8; loss mse; fc 2", "input 8; fc 2; loss mse"},
    {"network",
     "There is no layer, or the answer does not depend on an input.",
     "input 8", "input 8; fc 2"},
    {"channels",
     "The I of `I->O` is not the number of channels (of features, for fc) that come in. `I->` may be "
     "left out; where it is given, it is checked. The notes name the layer that gives the channels.",
     "input 3x8x8; conv 1->16 k3", "input 3x8x8; conv 3->16 k3"},
    {"groups",
     "Groups cut the channels that come in, and those that go out, in equal parts: both must be "
     "divisible.",
     "input 3x8x8; conv 16 k3 g2", "input 4x8x8; conv 16 k3 g2"},
    {"window",
     "A window does not fit into its padded input. Along each axis the output has\n    N = floor((W - F "
     "+ 2P) / S) + 1\nelements, with W the input's size, F = D(K - 1) + 1 for kernel K and dilation D, "
     "padding P and stride S. N must be at least 1. The padding of a pooling is at most half its "
     "kernel.",
     "input 3x4x4; conv 16 k7", "input 3x4x4; conv 16 k7 p2"},
    {"weights",
     "`weights=L` uses the weights of the earlier layer that the label L stands before, in the place of "
     "a layer's own. Both need the same tensors, of the same shapes; a layer of another kind, such as an "
     "fc tied to an embedding, takes the weight and has a bias of its own.",
     "input 8; a: fc 4; tanh; fc 2 weights=a", "input 8; a: fc 8; tanh; fc 8 weights=a"},
    {"shape",
     "A layer does not take what comes in: it wants an image and gets a flat tensor, or the tensors "
     "that it puts together do not fit. The notes name the layers that gave these shapes.",
     "input 8; conv 16 k3", "input 3x8x8; conv 16 k3"},
    {"loss",
     "The loss is unknown, or cannot be that of this network.",
     "input 8; fc 2; loss 3", "input 8; fc 2; loss mse"},
    {"stream",
     "With --stream the network answers at each position when it comes, so no layer may look at later "
     "ones. What looks back alone can be streamed (rnn, gru, lstm, attention causal=true, conv1d "
     "pad=causal), and so can what works on each position alone (fc, layernorm, relu, add, ...).",
     NULL, NULL},
    {"limit",
     "Something is larger than nnc takes: a tensor or all weights together over 2147483647 elements, "
     "over 3000 layers, a word over 1000 characters, braces over 100 deep.",
     "input 100000; fc 100000", "input 1000; fc 1000"},
    {"-Wunroll",
     "The C would be very large or take minutes to compile: --unroll=full was asked for, or the network has "
     "many different layers. --unroll=tile is shorter than full, and --unroll=none the shortest.",
     NULL, NULL},
    {"-Wpadding",
     "A window of maxpool covers nothing but padding, so its maximum is minus infinity.",
     NULL, NULL},
    {"-Wloss",
     "The loss takes logits and applies softmax or sigmoid itself, but gets what is probabilities "
     "already. The network then learns badly. Leave the softmax out, or let it stand directly before "
     "the loss that knows it.",
     "input 8; fc 2; sigmoid; loss crossentropy", "input 8; fc 2; softmax; loss crossentropy"},
    {"-Wunused",
     "Nothing reads what the layer gives, so it is not computed and does not learn.",
     "input 8; x:; fc 4; from x; fc 2", "input 8; fc 2"},
    {"-Wbatch",
     "batchnorm in training takes statistics over the samples of a call; with a batch of 1 and one "
     "value a channel there is nothing to take them of.",
     "input 8; batch 1; fc 4; batchnorm", "input 8; batch 32; fc 4; batchnorm"},
    {"-Wlanes",
     "--lanes=samples was asked for and has no effect; the message says why.",
     NULL, NULL},
    {"-Wchannels",
     "Sizes are CxHxW, with the channels first; this one looks as if they came last.",
     "input 32x32x3; conv 8 k3", "input 3x32x32; conv 8 k3"},
    {"-Wmomentum",
     "The momentum of batchnorm is the weight of the newest batch, as in PyTorch. Keras means the "
     "opposite.",
     "input 8; fc 4; batchnorm momentum=0.9", "input 8; fc 4; batchnorm momentum=0.1"},
    {"-Wshortcut",
     "A label on the first layer of a branch names that layer's output. For what comes into the branch, "
     "the label stands alone before it.",
     "input 8; fc 8; relu; repeat 1 { x: fc 8; relu; fc 8; add x }",
     "input 8; fc 8; relu; repeat 1 { x:; fc 8; relu; fc 8; add x }"},
    {"-Wlabel",
     "Nothing reads the label. It may be misspelt where it was to be read.",
     "input 8; x:; fc 2", "input 8; fc 2"},
    {"-Wsoftmax-twice",
     "softmax makes probabilities of logits. Made of probabilities, what it gives is nearly the same "
     "for all classes, and the network learns badly.",
     "input 8; fc 4; softmax; softmax", "input 8; fc 4; softmax"},
    {"-Wlinear",
     "A linear layer of a linear layer is a linear layer: the two can do no more than one, and take "
     "longer. Usually an activation is missing between them. No warning where what lies between them is "
     "narrower than both sides, where there are groups, or where one of them shares its weights with another "
     "layer: that is done to save weights.",
     "input 8; fc 16; fc 4", "input 8; fc 16; relu; fc 4"},
    {"-Wdropout-last",
     "dropout as the last layer, or before the last softmax, drops answers: in training the loss sees 0 "
     "in their place. It belongs before the last layer that has weights.",
     "input 8; fc 4; dropout; softmax", "input 8; dropout; fc 4; softmax"},
    {"-Wrelu-logits",
     "softmax, and the losses that have one, take logits of any sign. Behind a relu none is below 0, so "
     "no class can become unlikely.",
     "input 8; fc 4; relu; softmax", "input 8; fc 4; softmax"},
    {"-Wrows",
     "The stride does not divide what the windows have to cover, so the last rows or columns of the "
     "input are not used. That is PyTorch's rule, too, and often meant, so the warning is off without "
     "-Wextra or -Wrows.",
     "input 1x7x7; maxpool 2; fc 4", "input 1x8x8; maxpool 2; fc 4"},
    {"-Wdefine",
     "-D gives a value to a name that the text does not use outside of blocks, nor declares by `param`. "
     "It may be misspelt.",
     NULL, NULL},
};
const int nexplanations = sizeof explanations / sizeof *explanations;

/* ---- --explain ------------------------------------------------------------------------------- */

void print_indented(const char *text, int indent)
{
    enum { COLUMNS = 78 };
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (column && column + 1 + length > COLUMNS)
            putchar('\n'), column = 0;
        if (column)
            putchar(' '), column++;
        else
            column = printf("%*s", indent, "");
        printf("%.*s", length, text);
        column += length;
        text += length;
        if (*text == '\n') {
            putchar('\n'), column = 0;
            for (text++; *text == ' '; text++)
                putchar(' ');
        } else if (*text) {
            text++;
        }
    }
    putchar('\n');
}

/* The row of a code: as messages print it, with or without brackets, -Wno-, or -W left out. */
static const Explanation *find_explanation(const char *code)
{
    const char *given = code[0] == '[' ? copy_text(code + 1, strcspn(code + 1, "]")) : code;
    if (strncmp(given, "-Werror=", 8) == 0)
        given = format("-W%s", given + 8);
    const char *forms[] = {given, format("-W%s", given)};
    for (int form = 0; form < 2; form++)
        for (int i = 0; i < nexplanations; i++)
            if (strcmp(explanations[i].code, forms[form]) == 0)
                return &explanations[i];
    return NULL;
}

void explain(const char *code)
{
    const Explanation *e = find_explanation(code);
    if (!e) {
        enum { MOST = 200 };
        const char *codes[MOST], *list = "";
        for (int i = 0; i < nexplanations && i < MOST; i++) {
            codes[i] = explanations[i].code;
            list = format("%s%s%s", list, i ? ", " : "", codes[i]);
        }
        const char *near = closest(code, codes, nexplanations);
        fail("--explain=%s: unknown; %s [option-value]", code,
             near ? format("did you mean %s?", near) : format("the codes are %s", list));
    }
    printf("%s\n\n", e->code);
    print_indented(e->text, 0);
    if (e->wrong)
        printf("\nwrong:  %s\nright:  %s\n", e->wrong, e->right);
}
