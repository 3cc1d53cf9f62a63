/* pytorch.c: --pytorch: the network as a PyTorch module, in Python.
 *
 * In: a Net. Out: a class whose tensors are called as ours are, with functions that read and write our weight
 * files. What a layer is in PyTorch its kind says, as text:
 *
 *     sequence ? nn.Linear({in}, {O}, bias={bias})|nn.Linear({count}, {O}, bias={bias}) => @(x.flatten(1))
 *
 * Of the alternatives between '|' the first is taken whose conditions all hold; those without any hold.
 * What stands before '=>' makes the module, what stands behind it uses it, as @, on x; without '=>' a text
 * that begins with nn. makes a module that is called with x, and any other is computed without one.
 *
 *     conditions  flat, sequence, image: what comes in; 0=flat: the first of what else does;
 *                 NAME: an argument is given, NAME=WORD: it is that word
 *     in braces   NAME, NAME.1: an argument, its number 1; in, out: channels; count: elements that come in;
 *                 of: how many tokens there are; shape, out_shape: sizes; length: of a sequence; 0: what else
 *                 comes in, others: all of that, all: with x, sum: added up; at, end: where one of several
 *                 inputs lies */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"

typedef struct Module {
    const Net *net;
    const Layer *layer;
    const char *current;     /* how the text of the layer calls its input: x, or y in a loss */
    const bool *kept;        /* by id of a value: it has a name, since others come between */
    const Value *at_hand;    /* what x is */
} Module;

/* ---- Names ----------------------------------------------------------------------------------- */

static const char *value_name(const Module *m, const Value *value)
{
    if (value == m->at_hand)
        return m->current;
    return format("t_%s", value->producer ? c_name(value->producer->name) : "input");
}

/* Words that an attribute of a module cannot be: Python's own, and what every module has. */
const char words_of_pytorch[] =
    " False None True and as assert async await break class continue def del elif else except finally for "
    "from global if import in is lambda nonlocal not or pass raise return try while with yield "
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double "
    "dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half "
    "ipu load_state_dict loss modules mtia named_buffers named_children named_modules named_parameters "
    "parameters register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to "
    "to_empty train training type xpu zero_grad ";

static bool is_taken(const char *name)
{
    return *name == '_' || strstr(words_of_pytorch, format(" %s ", name));
}

/* Modules within others are put there by name: "layer1.0", and layer1 where there is one of that name. */
static bool is_attribute(const Net *net, const char *name)
{
    size_t length = strlen(name);
    bool holds_others = false;
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        holds_others |= !strncmp(layer->name, name, length) && layer->name[length] == '.';
    return is_identifier(name) && !is_taken(name) && !holds_others;
}

static const char *accessor(const Net *net, const char *name)
{
    return is_attribute(net, name) ? format("self.%s", name) : format("part(self, \"%s\")", name);
}

/* ---- What stands in braces ------------------------------------------------------------------- */

static const char *sizes_text(Shape s)
{
    return s.rank == 3   ? format("%lld, %lld, %lld", (long long)s.c, (long long)s.h, (long long)s.w)
           : s.rank == 2 ? format("%lld, %lld", (long long)s.h, (long long)s.c)
                         : format("%lld", (long long)s.c);
}

static const char *number_text(double value)
{
    const char *text = "";
    for (int digits = 1; digits <= 17 && (!*text || strtod(text, NULL) != value); digits++)
        text = format("%.*g", digits, value);
    return strpbrk(text, ".e") ? text : format("%s.0", text);
}

/* An argument as Python has it; part -1: all of it. */
static const char *argument_text(const Param *p, const Arg *arg, int part)
{
    const char *text = "", *words = p->choices;
    if (p->fallback && !*p->fallback && !arg->given)
        return "None";
    if (part >= 0)
        return format("%lld", (long long)arg->i[part]);
    switch (p->type) {
    case PARAM_PAIR:
        return format("(%lld, %lld)", (long long)arg->i[0], (long long)arg->i[1]);
    case PARAM_CHANNELS:
        return format("%lld", (long long)arg->i[1]);
    case PARAM_FLAG:
        return arg->i[0] ? "True" : "False";
    case PARAM_CHOICE:
        for (int64_t i = 0; i < arg->i[0]; i++)
            words = strchr(words, '|') + 1;
        return copy_text(words, strcspn(words, "|"));
    case PARAM_NUMBER:
        return number_text(arg->list[0]);
    case PARAM_NUMBERS:
        for (int i = 0; i < arg->n; i++)
            text = format("%s%s%s", text, i ? ", " : "", number_text(arg->list[i]));
        return format("[%s]", text);
    default:
        return format("%lld", (long long)arg->i[0]);
    }
}

static const Param *find_param(const Kind *kind, const char *name, size_t length)
{
    for (const Param *p = kind->params; p->name; p++)
        if (strlen(p->name) == length && !strncmp(p->name, name, length))
            return p;
    return NULL;
}

/* What else comes in, with separators between. */
static const char *others_text(const Module *m, const char *first, const char *separator)
{
    const char *text = first;
    for (int i = 0; i < m->layer->nmore; i++)
        text = format("%s%s%s", text, *text ? separator : "", value_name(m, m->layer->more[i]));
    return text;
}

static const char *filled_text(const Module *m, const char *word)
{
    const Layer *layer = m->layer;
    const Shape in = layer->in->shape;
    const Param *p = find_param(layer->kind, word, strcspn(word, "."));
    if (p)
        return argument_text(p, &layer->arg[p - layer->kind->params],
                             strchr(word, '.') ? strchr(word, '.')[1] - '0' : -1);
    const Part *part = m->net->inputs;
    while (part && part->value != layer->out)
        part = part->next;
    const struct { const char *word, *text;
    } words[] = {
        {"in", format("%lld", (long long)in.c)},
        {"of", format("%lld", (long long)in.of)},
        {"count", format("%lld", (long long)shape_count(in))},
        {"shape", sizes_text(in)},
        {"length", format("%lld", (long long)in.h)},
        {"out", layer->out ? format("%lld", (long long)layer->out->shape.c) : NULL},
        {"out_shape", layer->out ? sizes_text(layer->out->shape) : NULL},
        {"0", layer->nmore ? value_name(m, layer->more[0]) : NULL},
        {"others", others_text(m, "", ", ")},
        {"all", others_text(m, m->current, ", ")},
        {"sum", others_text(m, m->current, " + ")},
        {"at", part ? format("%lld", (long long)part->at) : NULL},
        {"end", part ? format("%lld", (long long)(part->at + shape_count(part->value->shape))) : NULL},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i].word) && words[i].text)
            return words[i].text;
    bug("%s: {%s} stands for nothing in PyTorch", layer->kind->name, word);
}

/* ---- Alternatives ---------------------------------------------------------------------------- */

static bool holds(const Module *m, const char *condition)
{
    static const char *const ranks[] = {"", "flat", "sequence", "image"};
    const Layer *layer = m->layer;
    if (!strncmp(condition, "0=", 2))
        return layer->nmore && !strcmp(condition + 2, ranks[layer->more[0]->shape.rank]);
    for (int rank = 1; rank <= 3; rank++)
        if (!strcmp(condition, ranks[rank]))
            return layer->in->shape.rank == rank;
    size_t length = strcspn(condition, "=");
    const Param *p = find_param(layer->kind, condition, length);
    if (!p)
        bug("%s: the condition %s says nothing in PyTorch", layer->kind->name, condition);
    const Arg *arg = &layer->arg[p - layer->kind->params];
    if (!condition[length])
        return arg->given;
    const char *word = argument_text(p, arg, -1);
    return !strcmp(condition + length + 1, p->type != PARAM_FLAG ? word : arg->i[0] ? "true" : "false");
}

/* The first alternative whose conditions hold. */
static const char *choose(const Module *m)
{
    const char *text = m->layer->kind->torch;
    if (!text)
        bug("%s is not said in PyTorch", m->layer->kind->name);
    for (const char *next; text; text = next ? next + 1 : NULL) {
        next = strchr(text, '|');
        const char *one = copy_text(text, next ? (size_t)(next - text) : strlen(text));
        const char *behind = strstr(one, " ? ");
        bool all = true;
        for (const char *c = one; behind && c < behind; c += strcspn(c, " ") + 1)
            all = all && holds(m, copy_text(c, strcspn(c, " ")));
        if (all)
            return behind ? behind + 3 : one;
    }
    bug("%s: no form of PyTorch fits", m->layer->kind->name);
}

/* The text with braces and @ filled in. */
static const char *fill(const Module *m, const char *text)
{
    const char *filled = "";
    while (*text) {
        size_t plain = strcspn(text, "{@");
        filled = format("%s%.*s", filled, (int)plain, text);
        text += plain;
        if (*text == '@') {
            filled = format("%s%s", filled, accessor(m->net, m->layer->name));
            text++;
        } else if (*text) {
            size_t length = strcspn(text, "}");
            filled = format("%s%s", filled, filled_text(m, copy_text(text + 1, length - 1)));
            text += length + 1;
        }
    }
    return filled;
}

/* What makes the layer's module, or NULL; and what computes its output. */
static const char *forms(const Module *m, const char **output)
{
    const char *text = choose(m), *arrow = strstr(text, " => ");
    bool module = arrow || !strncmp(text, "nn.", 3);
    *output = fill(m, arrow ? arrow + 4 : module ? "@(x)" : text);
    return module ? fill(m, copy_text(text, arrow ? (size_t)(arrow - text) : strlen(text))) : NULL;
}

/* ---- The module ------------------------------------------------------------------------------ */

/* Which values have names: those that are read when another is at hand. */
static const bool *kept_values(const Net *net)
{
    bool *kept = NEW_ARRAY(bool, net->nvalues);
    const Value *at_hand = net->in;
    for (const Layer *layer = net->layers; layer; layer = layer->next) {
        kept[layer->in->id] |= layer->in != at_hand;
        at_hand = layer->in;
        for (int i = 0; i < layer->nmore; i++)
            kept[layer->more[i]->id] |= layer->more[i] != at_hand;
        at_hand = layer->out;
    }
    kept[net->out->id] |= net->out != at_hand;
    return kept;
}

/* The tensors that are another layer's. */
static void put_ties(FILE *f, const Layer *layer)
{
    for (int i = 0; i < layer->nweights; i++) {
        const Weight *w = layer->weight[i];
        if (w->layer != layer)
            fprintf(f, "        tie(self, \"%s%s\", \"%s\")\n", layer->name, w->name + strlen(w->layer->name),
                    w->name);
    }
}

/* The module of a layer that has another's weights is that of the other, where nothing else differs. */
static const char *module_text(Module m, const Layer *layer)
{
    const Layer *other = layer->nweights ? layer->weight[0]->layer : layer;
    const char *output;
    m.layer = layer;
    m.at_hand = layer->in;
    const char *text = forms(&m, &output);
    const char *theirs = other != layer ? module_text(m, other) : NULL;
    return theirs && !strcmp(text, theirs) ? accessor(m.net, other->name) : text;
}

static void put_init(FILE *f, Module m)
{
    bool any = false;
    fprintf(f, "    def __init__(self):\n        super().__init__()\n");
    for (const Layer *layer = m.net->layers; layer; layer = layer->next) {
        const char *module = module_text(m, layer);
        if (!module)
            continue;
        any = true;
        if (is_attribute(m.net, layer->name))
            fprintf(f, "        self.%s = %s\n", layer->name, module);
        else
            fprintf(f, "        put(self, \"%s\", %s)\n", layer->name, module);
        if (layer->nweights && layer->weight[0]->frozen)
            fprintf(f, "        %s.requires_grad_(False)\n", accessor(m.net, layer->name));
        put_ties(f, layer);
    }
    fprintf(f, "%s\n", any ? "" : "        # nothing here has weights\n");
}

/* logits: forward can stop before the layer whose work the loss does. */
static void put_forward(FILE *f, Module m, bool logits)
{
    fprintf(f, "    def forward(self, x%s):\n", logits ? ", logits=False" : "");
    m.at_hand = m.net->in;
    if (m.kept[m.at_hand->id])
        fprintf(f, "        t_input = x\n");
    for (const Layer *layer = m.net->layers; layer; layer = layer->next) {
        const char *output;
        m.layer = layer;
        if (layer->in != m.at_hand)
            fprintf(f, "        x = %s\n", value_name(&m, layer->in));
        m.at_hand = layer->in;
        if (logits && layer->out == m.net->out)
            fprintf(f, "        if logits:\n            return x\n");
        forms(&m, &output);
        fprintf(f, "        x = %s\n", output);
        m.at_hand = layer->out;
        if (m.kept[layer->out->id])
            fprintf(f, "        t_%s = x\n", c_name(layer->name));
    }
    fprintf(f, "        return %s\n", value_name(&m, m.net->out));
}

static void put_loss(FILE *f, Module m, bool logits)
{
    m.layer = m.net->loss;
    m.at_hand = m.layer->in;
    m.current = "y";
    if (m.net->from_caller) {
        fprintf(f, "\n    # loss none: what is minimised is the caller's affair\n");
        return;
    }
    fprintf(f, "\n    def loss(self, x, t):\n        y = self(x%s)\n        return %s\n",
            logits ? ", logits=True" : "", fill(&m, choose(&m)));
}

/* ---- Around it ------------------------------------------------------------------------------- */

static const char part_text[] =
    "def part(module, name):\n"
    "    \"\"\"The module that is called \"a.b\" within this one.\"\"\"\n"
    "    for word in name.split(\".\"):\n"
    "        module = module._modules[word]\n"
    "    return module\n";

static const char put_text[] =
    "def put(module, name, inner):\n"
    "    *path, last = name.split(\".\")\n"
    "    for word in path:\n"
    "        module = module._modules.setdefault(word, nn.Module())\n"
    "    if last in module._modules:\n"
    "        inner._modules.update(module._modules[last]._modules)\n"
    "    module._modules[last] = inner\n";

static const char tie_text[] =
    "def tie(net, name, other):\n"
    "    \"\"\"Makes the one tensor the other, under whose name alone it stands in files.\"\"\"\n"
    "    path, last = name.rsplit(\".\", 1)\n"
    "    other_path, other_last = other.rsplit(\".\", 1)\n"
    "    setattr(part(net, path), last, getattr(part(net, other_path), other_last))\n"
    "    net.__dict__.setdefault(\"tied\", {})[name] = other\n";

static const char weight_text[] =
    "class Weight(nn.Module):\n"
    "    def __init__(self, *shape, deviation):\n"
    "        super().__init__()\n"
    "        self.weight = nn.Parameter(torch.randn(shape) * deviation)\n";

static const char files_text[] =
    "def load(net, path):\n"
    "    \"\"\"Reads the weights from a safetensors file, such as nn_save writes.\"\"\"\n"
    "    types = {\"F32\": torch.float32, \"F64\": torch.float64, \"F16\": torch.float16, "
    "\"BF16\": torch.bfloat16}\n"
    "    with open(path, \"rb\") as file:\n"
    "        header = json.loads(file.read(int.from_bytes(file.read(8), \"little\")))\n"
    "        data = bytearray(file.read())\n"
    "    header.pop(\"__metadata__\", None)\n"
    "    tensors = {}\n"
    "    for name, tensor in header.items():\n"
    "        begin, end = tensor[\"data_offsets\"]\n"
    "        flat = torch.frombuffer(data[begin:end], dtype=types[tensor[\"dtype\"]])\n"
    "        tensors[name] = flat.reshape(tensor[\"shape\"])\n"
    "    for name, other in getattr(net, \"tied\", {}).items():\n"
    "        tensors[name] = tensors[other]\n"
    "    net.load_state_dict(tensors)\n"
    "\n\n"
    "def save(net, path):\n"
    "    \"\"\"Writes the weights as a safetensors file, for nn_load.\"\"\"\n"
    "    header, data = {}, bytearray()\n"
    "    for name, tensor in net.state_dict().items():\n"
    "        if tensor.is_floating_point() and name not in getattr(net, \"tied\", {}):\n"
    "            begin = len(data)\n"
    "            data += array.array(\"f\", tensor.flatten().tolist()).tobytes()\n"
    "            header[name] = {\"dtype\": \"F32\", \"shape\": list(tensor.shape), "
    "\"data_offsets\": [begin, len(data)]}\n"
    "    text = json.dumps(header).encode()\n"
    "    text += b\" \" * (-len(text) % 8)\n"
    "    with open(path, \"wb\") as file:\n"
    "        file.write(len(text).to_bytes(8, \"little\") + text + data)\n";

/* The function, once, where the module calls it. */
static void put_helper(FILE *f, const char *helper, const char *module, Map *done)
{
    const char *name = strchr(helper, ' ') + 1;
    if (map_find(done, helper) || !strstr(module, copy_text(name, strcspn(name, "(") + 1)))
        return;
    map_set(done, helper, done);
    fprintf(f, "%s\n\n", helper);
}

void print_pytorch(FILE *f, const Net *net, const char *prefix)
{
    Module m = {.net = net, .current = "x", .kept = kept_values(net)};
    const bool logits = net->loss->in != net->out;
    TextStream memory;
    FILE *module = open_text(&memory);
    fprintf(module, "class %c%s(nn.Module):\n", toupper((unsigned char)*prefix), prefix + 1);
    put_init(module, m);
    put_forward(module, m, logits);
    put_loss(module, m, logits);
    close_text(&memory);
    const char *file = copy_text(net->file, strcspn(net->file, "\"\\\n"));
    fprintf(f, "\"\"\"The network of %s as a PyTorch module, made by nnc %s.\n\n"
               "    net = %c%s()\n"
               "    load(net, \"%s.safetensors\")      # the file that nn_save wrote\n"
               "    save(net, \"%s.safetensors\")      # for nn_load\n"
               "\"\"\"\n"
               "import array\nimport json\n\n"
               "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n",
            file, NNC_VERSION, toupper((unsigned char)*prefix), prefix + 1, prefix, prefix);
    Map *done = new_map();
    if (strstr(memory.text, "Weight("))
        fprintf(f, "%s\n\n", weight_text);
    if (strstr(memory.text, "part(self") || strstr(memory.text, "tie(self"))
        fprintf(f, "%s\n\n", part_text);
    if (strstr(memory.text, "tie(self"))
        fprintf(f, "%s\n\n", tie_text);
    if (strstr(memory.text, "put(self"))
        fprintf(f, "%s\n\n", put_text);
    for (const Layer *layer = net->layers; layer; layer = layer->next)
        if (layer->kind->torch_helper)
            put_helper(f, layer->kind->torch_helper, memory.text, done);
    if (net->loss->kind->torch_helper)
        put_helper(f, net->loss->kind->torch_helper, memory.text, done);
    fprintf(f, "%s\n\n%s", memory.text, files_text);
    free(memory.text);
}
