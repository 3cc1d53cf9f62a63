"""A second reading of the network language, in PyTorch.

read(text) turns the text of a .nn file into torch.nn modules, so that the compiler's numbers can be held
against PyTorch's. It shares nothing with the compiler but the description of the language: it parses with
regular expressions, and it has no shape rules of its own, because PyTorch finds the shapes (and the shape
errors) by running each layer on one sample of zeros.

    net = read("input 3x8x8; conv 3->4 k3; relu; fc 5; softmax", batch=4)
    net.parameters          [("conv1.weight", tensor), ("conv1.bias", tensor), ("fc1.weight", ...), ...]
    net.forward(x)          inference: what the last layer gives (probabilities after softmax)
    net.tensors             likewise, with the running statistics behind the parameters of their layer, which loss moves
    net.loss(x, t)          as in training: the mean loss, ready for .backward()
    net.draw_targets(g, n)  random targets of the right shape and type

Whatever the language forbids raises LanguageError, be it a misspelt word or a kernel larger than its input.
Its subclass Unclear marks what PyTorch accepts although it has no meaning: nobody should depend on either answer.

Several inputs, which have labels, lie one behind the other in x; several answers likewise. With `loss none` the targets are dy,
the gradient of the answers, and the "loss" is the sum of y dy, whose gradients are those that dy leads to.

Two things are computed from what comes before the last layer, because only that is stable: crossentropy after
softmax from the logits (as torch.nn.CrossEntropyLoss), bce after sigmoid likewise (as BCEWithLogitsLoss).
"""
import math
import re
import torch
from torch import nn
import torch.nn.functional as F

DEFAULT_BATCH = 32


class LanguageError(Exception):
    pass


class Unclear(LanguageError):
    pass


def need(condition, message):
    if not condition:
        raise LanguageError(message)


# ---- What an argument may look like: each reads one word or raises ----

def count(word):
    need(re.fullmatch(r"\d+", word), f"not a whole number: {word}")
    need(len(word) < 10, f"too large: {word}")
    return int(word)


def pair(word):
    need(re.fullmatch(r"\d+(x\d+)?", word), f"not N or HxW: {word}")
    sizes = [count(w) for w in word.split("x")]
    return tuple(sizes * 2 if len(sizes) == 1 else sizes)


def positive(word):
    need(min(value := pair(word)) > 0, f"must be at least 1: {word}")
    return value


def size(word):
    need(re.fullmatch(r"\d+(x\d+){0,2}", word), f"not N, TxC or CxHxW: {word}")
    sizes = tuple(count(w) for w in word.split("x"))
    need(min(sizes) > 0, f"must be at least 1: {word}")
    return sizes


def sides(word):
    need(re.fullmatch(r"\d+(x\d+x\d+x\d+)?", word), f"not N or TxBxLxR: {word}")
    sizes = tuple(count(w) for w in word.split("x"))
    return sizes * 4 if len(sizes) == 1 else sizes


def number(word):
    need(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word), f"not a number: {word}")
    return float(word)


def numbers(word):
    return [number(w) for w in word.split(",")]


def channels(word):
    """`O` or `I->O`, as (I or None, O)."""
    words = [count(w) for w in word.split("->")]
    need(len(words) <= 2 and min(words) > 0, f"not O or I->O: {word}")
    return words[0] if len(words) == 2 else None, words[-1]


def one_of(**values):
    def read(word):
        need(word in values, f"not one of {', '.join(values)}: {word}")
        return values[word]
    return read


boolean = one_of(true=True, false=False)
modes = one_of(zeros="zeros", reflect="reflect", replicate="replicate", circular="circular", same="same")
modes_1d = one_of(zeros="zeros", reflect="reflect", replicate="replicate", circular="circular", causal="causal")
losses = one_of(**{name: name for name in ("crossentropy", "bce", "mse", "l1", "huber", "hinge", "focal", "dice", "kl", "none")})

# kind: (the argument without a name, how it reads, its default), (arguments with names). REQUIRED has no default.
REQUIRED = object()
WINDOW = {"s": (positive, None), "p": (pair, (0, 0)), "ceil": (boolean, False)}
KINDS = {
    "input": (("size", size, REQUIRED), {"of": (count, None)}),
    "embedding": (("features", count, REQUIRED), {"freeze": (boolean, False)}),
    "batch": (("n", count, REQUIRED), {}),
    "conv": (("channels", channels, REQUIRED),
             {"k": (positive, REQUIRED), "s": (positive, (1, 1)), "p": (pair, (0, 0)), "d": (positive, (1, 1)),
              "g": (count, 1), "bias": (boolean, True), "pad": (modes, "zeros"), "freeze": (boolean, False)}),
    "fc": (("channels", channels, REQUIRED), {"bias": (boolean, True), "freeze": (boolean, False)}),
    **{cell: (("channels", channels, REQUIRED), {"reverse": (boolean, False), "bias": (boolean, True), "freeze": (boolean, False)})
       for cell in ("rnn", "gru", "lstm")},
    "freeze": (None, {}),
    "maxpool": (("k", positive, REQUIRED), {"k": (positive, REQUIRED), **WINDOW, "d": (positive, (1, 1))}),
    "avgpool": (("k", positive, REQUIRED), {"k": (positive, REQUIRED), **WINDOW, "countpad": (boolean, True)}),
    "relu": (None, {}), "sigmoid": (None, {}), "tanh": (None, {}), "flatten": (None, {}), "softmax": (None, {}),
    "globalavgpool": (None, {}),
    "adaptiveavgpool": (("size", positive, REQUIRED), {}),
    "upsample": (("factor", positive, REQUIRED), {"mode": (one_of(nearest="nearest", bilinear="bilinear"), "nearest")}),
    "convtranspose": (("channels", channels, REQUIRED),
                      {"k": (positive, REQUIRED), "s": (positive, (1, 1)), "p": (pair, (0, 0)), "o": (pair, (0, 0)),
                       "d": (positive, (1, 1)), "g": (count, 1), "bias": (boolean, True)}),
    "conv1d": (("channels", channels, REQUIRED),
               {"k": (count, REQUIRED), "s": (count, 1), "p": (count, None), "d": (count, 1), "g": (count, 1), "bias": (boolean, True),
                "pad": (modes_1d, "zeros"), "freeze": (boolean, False)}),
    "maxpool1d": (("k", count, REQUIRED), {"k": (count, REQUIRED), "s": (count, None), "p": (count, 0)}),
    "avgpool1d": (("k", count, REQUIRED), {"k": (count, REQUIRED), "s": (count, None), "p": (count, 0)}),
    "last": (None, {}), "first": (None, {}), "sequence": (None, {}), "transpose": (None, {}),
    "image": (("size", positive, REQUIRED), {}),
    "classtoken": (None, {"freeze": (boolean, False)}),
    "positions": (("how", one_of(learnt="learnt", sincos="sincos"), "learnt"), {"freeze": (boolean, False)}),
    "attention": (("heads", count, REQUIRED),
                  {"causal": (boolean, False), "from": (str, None), "bias": (boolean, True), "dropout": (number, 0.0), "freeze": (boolean, False)}),
    "batchnorm": (None, {"eps": (number, 1e-5), "momentum": (number, 0.1), "freeze": (boolean, False)}),
    "layernorm": (None, {"eps": (number, 1e-5)}),
    "groupnorm": (("groups", count, REQUIRED), {"eps": (number, 1e-5)}),
    "relu6": (None, {}), "silu": (None, {}), "softplus": (None, {}), "hardsigmoid": (None, {}), "hardswish": (None, {}),
    "elu": (("alpha", number, 1.0), {}),
    "gelu": (None, {"tanh": (boolean, False)}),
    "leakyrelu": (("slope", number, 0.01), {}),
    "dropout": (("p", number, 0.5), {}),
    "mish": (None, {}), "selu": (None, {}), "softsign": (None, {}), "globalmaxpool": (None, {}),
    "hardtanh": ((("min", "max"), number, (-1.0, 1.0)), {}),
    "prelu": (("slope", number, 0.25), {"channels": (boolean, False), "freeze": (boolean, False)}),
    "instancenorm": (None, {"eps": (number, 1e-5)}),
    "reshape": (("size", size, REQUIRED), {}), "slice": ((("begin", "end"), count, (REQUIRED, REQUIRED)), {}),
    "zeropad": (("sides", sides, REQUIRED), {}),
    "pixelshuffle": (("n", count, REQUIRED), {}), "channelshuffle": (("groups", count, REQUIRED), {}),
    "from": (("labels", str, REQUIRED), {}), "add": (("labels", str, REQUIRED), {}),
    "concat": (("labels", str, REQUIRED), {}), "mul": (("labels", str, REQUIRED), {}), "output": (("labels", str, REQUIRED), {}),
    "normalize": (None, {"mean": (numbers, REQUIRED), "std": (numbers, REQUIRED)}),
}
# What follows the name of a loss.
LOSSES = {
    "crossentropy": (None, {"smooth": (number, 0.0), "weights": (numbers, None)}),
    "bce": (None, {"posweight": (numbers, [1.0]), "smooth": (number, 0.0)}), "kl": (None, {}),
    "mse": (None, {}), "l1": (None, {}),
    "huber": (("delta", number, 1.0), {}), "hinge": (("margin", number, 1.0), {}),
    "focal": (None, {"alpha": (number, 0.25), "gamma": (number, 2.0)}), "dice": (None, {"smooth": (number, 1.0)}),
    "none": (None, {}),
}


def names_of(positional):
    """The arguments without a name: one, or several in their order."""
    return positional[0] if isinstance(positional[0], tuple) else (positional[0],)


def expand(text):
    """The same network without blocks and repeats. Names are written out: stem.conv1."""
    def parse():
        nodes = []
        while pieces:
            head = pieces.pop(0).strip()
            sign = pieces.pop(0) if pieces else ""
            body = parse() if sign == "{" else None
            if head or body is not None:
                nodes.append((head, body))
            if sign == "}":
                break
        return nodes

    def name_of(label, word, prefix, repeated):
        def next_number(word):
            numbers[prefix, word] = numbers.get((prefix, word), 0) + 1
            return numbers[prefix, word]
        number = next_number(word) if word else 0
        return prefix + (f"{word}{number}" if not label else f"{label}{next_number(label)}" if repeated else label)

    def scopes_seen(scopes):
        return {k: v for scope in scopes for k, v in scope.items()}

    def walk(nodes, prefix, scopes, arguments, repeated):
        for head, body in nodes:
            head = re.sub(r"\$([A-Za-z_]\w*)", lambda m: arguments[m[1]], head)
            label, rest = re.fullmatch(r"(?:([A-Za-z_]\w*)\s*:)?\s*(.*)", head).groups()
            word = rest.split()[0] if rest else None
            if word == "block":
                continue
            if word == "repeat":
                for _ in range(count(rest.split()[1])):
                    walk(body, prefix, scopes + [{}], arguments, True)
            elif call := re.fullmatch(r"(\w+)\s*\((.*)\)", rest):
                need(call[1] in blocks, f"no block {call[1]}")
                names, inner = blocks[call[1]]
                values = [v.strip() for v in call[2].split(",")] if call[2].strip() else []
                need(len(names) == len(values), "wrong number of arguments")
                name = name_of(label, call[1], prefix, repeated)
                walk(inner, name + ".", [{}], dict(zip(names, values)), False)
                if label:
                    lines.append(f"{name}:")
                    scopes[-1][label] = name
            else:
                if word in ("from", "add", "concat", "mul", "output"):
                    see = {k: v for scope in scopes for k, v in scope.items()}
                    need(all(w in see for w in rest.split()[1:]), "no such label")
                    rest = " ".join([word] + [see[w] for w in rest.split()[1:]])
                elif source := re.search(r" from=(\w+)", rest):
                    need(source[1] in scopes_seen(scopes), "no such label")
                    rest = rest.replace(source[0], f" from={scopes_seen(scopes)[source[1]]}")
                if word != "loss" and (tied := re.search(r" weights=(\w+)", rest)):
                    need(tied[1] in scopes_seen(scopes), "no such label")
                    rest = rest.replace(tied[0], f" weights={scopes_seen(scopes)[tied[1]]}")
                layer = word not in (None, "from", "freeze", "output", "input", "batch", "loss")
                name = name_of(label, word if layer else None, prefix, repeated) if layer or label else None
                lines.append(f"{name}: {rest}" if name else rest)
                if label:
                    scopes[-1][label] = name

    pieces = re.split(r"([;\n{}])", re.sub(r"#[^\n]*", "", text))
    nodes, blocks, numbers, lines = parse(), {}, {}, []
    for head, body in nodes:
        if match := re.fullmatch(r"block\s+(\w+)\s*\((.*)\)", head):
            blocks[match[1]] = [v.strip() for v in match[2].split(",") if v.strip()], body
    walk(nodes, "", [{}], {}, False)
    return "\n".join(lines)


def statements(text):
    """Yields (label or None, kind, {argument: value}) for each statement; kind None: a label alone."""
    text = expand(text) if "{" in text else text
    for line in re.split(r"[;\n]", re.sub(r"#[^\n]*", "", text)):
        line = re.sub(r"\s*->\s*", "->", re.sub(r"(\binput\s+\d+)\s+of\s+(\d+)$", r"\1 of=\2", line.strip()))
        if not line:
            continue
        if match := re.fullmatch(r"([A-Za-z_][\w.]*)\s*:", line):
            yield match[1], None, {}
            continue
        match = re.fullmatch(r"(?:([A-Za-z_][\w.]*)\s*:\s*)?([A-Za-z_]\w*)((?:\s+\S+)*)", line)
        need(match, f"not a statement: {line}")
        label, kind, words = match[1], match[2], match[3].split()
        values = {}
        if kind == "loss":
            need(words, "loss lacks its name")
            values["name"] = losses(words.pop(0))
            positional, named = LOSSES[values["name"]]
        else:
            need(kind in KINDS, f"no such layer: {kind}")
            positional, named = KINDS[kind]
        if positional and positional[0] == "labels":
            need(words and all(re.fullmatch(r"[A-Za-z_][\w.]*", word) for word in words), f"{kind} takes labels")
            need(len(words) == 1 or kind in ("add", "concat", "output"), f"{kind} takes one label")
            values["labels"], words = words, []
        for word in words:
            if match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", word) or re.fullmatch(r"([a-z])(\d.*)", word):
                name, rest = match[1], match[2]
                if name == "weights" and kind != "loss":
                    need(name not in values, "weights given twice")
                    values["weights"] = rest
                    continue
                need(name in named, f"{kind} has no argument {name}")
                read = named[name][0]
            else:
                need(positional, f"{kind} takes no {word}")
                free = [n for n in names_of(positional) if n not in values]
                name, read, rest = (free or names_of(positional))[0], positional[1], word
            need(name not in values, f"{name} given twice")
            values[name] = read(rest)
        defaults = {k: v[1] for k, v in named.items()}
        if positional:
            several = isinstance(positional[0], tuple)
            defaults.update(zip(names_of(positional), positional[2] if several else [positional[2]]))
        for name, default in defaults.items():
            need(name in values or default is not REQUIRED, f"{kind} needs {name}")
            values.setdefault(name, default)
        if values.get("from"):
            values["labels"] = [values["from"]]
        yield label, kind, values


# ---- weights=L ----

def short_name(kind, path):
    return path.split(".", 1)[1] if kind == "attention" else path.split(".")[-1]


def tie(kind, layer, other_kind, other):
    """Puts the other's tensors in the place of the layer's, but for a bias that is its own; gives their short names."""
    def tensors_of(kind, module):
        named = [*module.named_parameters(), *((k, v) for k, v in module.named_buffers() if v.is_floating_point())]
        return {short_name(kind, k): (k, v) for k, v in named}
    own, others, tied = tensors_of(kind, layer), tensors_of(other_kind, other), set()
    need(own and others, "no weights to share")
    need(kind == other_kind or all("bias" in k or k in own for k in others), "a tensor that the layer lacks")
    for name, (path, tensor) in own.items():
        if "bias" in name and (kind != other_kind or name not in others):
            continue
        need(name in others and others[name][1].shape == tensor.shape, f"no {name} of that shape")
        module = layer.get_submodule(path.rpartition(".")[0])
        setattr(module, path.split(".")[-1], others[name][1])
        tied.add(name)
    return tied


# ---- Layers: kind -> a function of the tensor, built where the incoming shape is known ----

class ClassToken(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return torch.cat((self.weight.expand(x.shape[0], 1, -1), x), 1)


class Positions(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape) * 0.02)

    def forward(self, x):
        return x + self.weight


class Attention(nn.Module):
    def __init__(self, features, a):
        super().__init__()
        self.attention = nn.MultiheadAttention(features, a["heads"], dropout=a["dropout"], bias=a["bias"], batch_first=True)
        self.causal = a["causal"]

    def forward(self, x, source=None):
        source = x if source is None else source
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if self.causal else None
        return self.attention(x, source, source, attn_mask=mask, need_weights=False)[0]


def sinusoids(positions, features):
    """As "Attention is all you need" has them, rounded to float."""
    angle = torch.arange(positions, dtype=torch.float64)[:, None] / 10000 ** (torch.arange(0, features, 2, dtype=torch.float64) / features)
    return torch.stack((angle.sin(), angle.cos()), 2).flatten(1).float()


class ChannelsFirst(nn.Module):
    """A module of [n, C, T], of sequences [n, T, C]."""
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class Recurrent(nn.Module):
    def __init__(self, module, reverse):
        super().__init__()
        self.module, self.reverse = module, reverse

    def forward(self, x):
        return self.module(x.flip(1))[0].flip(1) if self.reverse else self.module(x)[0]


def build_on_sequence(kind, a, shape):
    positions, features = shape
    if kind == "conv1d":
        inputs, outputs = a["channels"]
        need(inputs in (None, features), f"{inputs} features declared, {features} come in")
        need(min(a["k"], a["s"], a["d"], a["g"]) > 0, "must be at least 1")
        causal = a["pad"] == "causal"
        need(not causal or a["p"] is None, "pad=causal knows its padding")
        conv = nn.Conv1d(features, outputs, a["k"], stride=a["s"], padding=a["p"] or 0, dilation=a["d"], groups=a["g"], bias=a["bias"],
                         padding_mode="zeros" if causal else a["pad"])
        if causal:
            return ChannelsFirst(nn.Sequential(nn.ConstantPad1d((a["d"] * (a["k"] - 1), 0), 0.0), conv))
        return ChannelsFirst(conv)
    if kind in ("maxpool1d", "avgpool1d"):
        need(a["k"] > 0 and a["s"] != 0, "must be at least 1")
        return ChannelsFirst((nn.MaxPool1d if kind == "maxpool1d" else nn.AvgPool1d)(a["k"], stride=a["s"], padding=a["p"]))
    if kind in ("last", "first"):
        return lambda x: x[:, -1 if kind == "last" else 0]
    if kind == "image":
        need(math.prod(a["size"]) == positions, "not as many pixels as positions")
        return lambda x: x.transpose(1, 2).reshape(x.shape[0], features, *a["size"])
    if kind == "transpose":
        return lambda x: x.transpose(1, 2)
    if kind == "attention":
        need(a["heads"] > 0 and features % a["heads"] == 0, "heads that don't divide the features")
        need(0 <= a["dropout"] <= 1, "no probability")
        return Attention(features, a)
    if kind == "classtoken":
        return ClassToken(features)
    if a["how"] == "learnt":
        return Positions(shape)
    need(features % 2 == 0, "an odd number of features")
    table = sinusoids(positions, features)
    return lambda x: x + table.to(x.dtype)


def shuffle_channels(groups):
    """ChannelShuffle, whose gradient PyTorch 1.13 lacks on a CPU."""
    return lambda x: x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:]).transpose(1, 2).reshape(x.shape)


def build(kind, a, shape):
    """The torch module (or function) of one layer; shape is that of one incoming sample."""
    flat, sequence = len(shape) == 1, len(shape) == 2
    features = shape[1] if sequence else shape[0]
    if kind == "embedding":
        return nn.Embedding(a["vocabulary"], a["features"])
    if kind in ("conv1d", "maxpool1d", "avgpool1d", "last", "first", "image", "transpose", "classtoken", "positions", "attention"):
        need(sequence, f"{kind} needs TxC")
        return build_on_sequence(kind, a, shape)
    if kind in ("conv", "convtranspose", "maxpool", "avgpool", "adaptiveavgpool", "upsample", "sequence", "instancenorm", "zeropad",
                "pixelshuffle", "channelshuffle") or not sequence and kind in ("globalavgpool", "globalmaxpool"):
        need(len(shape) == 3, f"{kind} needs CxHxW")
    if kind in ("rnn", "gru", "lstm"):
        need(sequence, f"{kind} needs TxC")
        inputs, outputs = a["channels"]
        need(inputs in (None, features), f"{inputs} features declared, {features} come in")
        return Recurrent(getattr(nn, kind.upper())(features, outputs, bias=a["bias"], batch_first=True), a["reverse"])
    if kind in ("conv", "convtranspose", "fc"):
        inputs, outputs = a["channels"]
        incoming = features if kind != "fc" or sequence else torch.Size(shape).numel()
        need(inputs in (None, incoming), f"{inputs} channels declared, {incoming} come in")
        if sequence:
            return nn.Linear(incoming, outputs, bias=a["bias"])
        if kind == "fc":
            return nn.Sequential(nn.Flatten(), nn.Linear(incoming, outputs, bias=a["bias"]))
        if kind == "convtranspose":
            need(all(o < max(s, d) for o, s, d in zip(a["o"], a["s"], a["d"])), "output padding must be below the stride or dilation")
            return nn.ConvTranspose2d(incoming, outputs, a["k"], stride=a["s"], padding=a["p"], output_padding=a["o"],
                                      groups=a["g"], bias=a["bias"], dilation=a["d"])
        if a["pad"] == "same":
            need(a["p"] == (0, 0), "p or pad=same")
            return nn.Conv2d(incoming, outputs, a["k"], stride=a["s"], padding="same", dilation=a["d"], groups=a["g"], bias=a["bias"])
        return nn.Conv2d(incoming, outputs, a["k"], stride=a["s"], padding=a["p"], dilation=a["d"], groups=a["g"],
                         bias=a["bias"], padding_mode=a["pad"])
    if kind == "maxpool":
        pool = nn.MaxPool2d(a["k"], stride=a["s"], padding=a["p"], dilation=a["d"], ceil_mode=a["ceil"])
        if pool(torch.zeros(1, *shape)).isinf().any():    # can only be under dilation
            raise Unclear("a window that lies in the padding alone")
        return pool
    if kind == "avgpool":
        return nn.AvgPool2d(a["k"], stride=a["s"], padding=a["p"], count_include_pad=a["countpad"], ceil_mode=a["ceil"])
    if kind == "adaptiveavgpool":
        return nn.AdaptiveAvgPool2d(a["size"])
    if kind == "upsample":
        return nn.Upsample(scale_factor=a["factor"], mode=a["mode"], align_corners=None if a["mode"] == "nearest" else False)
    if kind == "batchnorm":
        if not 0 <= a["momentum"] <= 1 or a["eps"] < 0:
            raise Unclear("statistics that move away, or a negative eps")
        norm = (nn.BatchNorm1d if flat or sequence else nn.BatchNorm2d)(features, eps=a["eps"], momentum=a["momentum"])
        return ChannelsFirst(norm) if sequence else norm
    if kind == "layernorm":
        return nn.LayerNorm(features if sequence else shape, eps=a["eps"])
    if kind == "groupnorm":
        need(a["groups"] > 0 and features % a["groups"] == 0, "channels that groups don't divide")
        if math.prod(shape) == a["groups"]:
            raise Unclear("groups of one number, which PyTorch refuses for a single sample")
        norm = nn.GroupNorm(a["groups"], features, eps=a["eps"])
        return ChannelsFirst(norm) if sequence else norm
    if kind == "instancenorm":
        need(shape[1] * shape[2] > 1, "more than one position")
        return nn.InstanceNorm2d(shape[0], eps=a["eps"])
    if kind == "zeropad":
        top, bottom, left, right = a["sides"]
        return nn.ZeroPad2d((left, right, top, bottom))
    if kind == "reshape":
        need(math.prod(a["size"]) == math.prod(shape), "reshape keeps the number of elements")
        return lambda x: x.reshape(len(x), *a["size"])
    if kind == "slice":
        need(a["begin"] < a["end"] <= features, "a slice of what is there")
        return lambda x: x[:, :, a["begin"]:a["end"]] if sequence else x[:, a["begin"]:a["end"]]
    if kind == "hardtanh":
        need(a["min"] < a["max"], "an interval")
        return nn.Hardtanh(a["min"], a["max"])
    if kind == "prelu":
        prelu = nn.PReLU(features if a["channels"] else 1, a["slope"])
        return ChannelsFirst(prelu) if sequence else prelu
    if kind in ("pixelshuffle", "channelshuffle"):
        n = a.get("n", a.get("groups"))
        need(n > 0 and shape[0] % (n * n if kind == "pixelshuffle" else n) == 0, "channels that fit")
        return nn.PixelShuffle(n) if kind == "pixelshuffle" else shuffle_channels(n)
    if kind == "globalmaxpool":
        return lambda x: x.amax(1) if sequence else F.adaptive_max_pool2d(x, 1).flatten(1)
    if kind == "globalavgpool":
        return lambda x: x.mean(1) if sequence else x.mean((2, 3))
    if kind == "sequence":
        return lambda x: x.flatten(2).transpose(1, 2)
    if kind == "normalize":
        need(all(len(v) in (1, features) for v in a.values()), "one number, or one for each channel")
        need(0 not in a["std"], "std must not be 0")
        if min(a["std"]) < 0:
            raise Unclear("a negative deviation")
        behind = (1,) * (0 if sequence else len(shape) - 1)
        mean, std = (torch.tensor(a[k], dtype=torch.float64).reshape((-1,) + behind) for k in ("mean", "std"))
        return lambda x: ((x - mean) / std).to(x.dtype)
    return {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "flatten": nn.Flatten,
            "softmax": lambda: nn.Softmax(2 if sequence else 1), "leakyrelu": lambda: nn.LeakyReLU(a["slope"]),
            "mish": nn.Mish, "selu": nn.SELU, "softsign": nn.Softsign,
            "relu6": nn.ReLU6, "silu": nn.SiLU, "softplus": nn.Softplus, "hardsigmoid": nn.Hardsigmoid, "hardswish": nn.Hardswish,
            "elu": lambda: nn.ELU(a["alpha"]), "gelu": lambda: nn.GELU("tanh" if a["tanh"] else "none"),
            "dropout": lambda: nn.Dropout(a["p"])}[kind]()


def focal(y, t, alpha, gamma):
    """torchvision.ops.sigmoid_focal_loss with reduction="mean"."""
    p = torch.sigmoid(y)
    share = alpha * t + (1 - alpha) * (1 - t) if alpha >= 0 else 1
    return (share * F.binary_cross_entropy_with_logits(y, t, reduction="none") * (1 - p * t - (1 - p) * (1 - t)) ** gamma).mean()


def join(kind, shapes):
    """The function of several tensors."""
    if kind == "add":
        need(len(set(shapes)) == 1, "add needs equal shapes")
        return lambda *x: sum(x[1:], x[0])
    if kind == "concat":
        need(len({len(s) for s in shapes}) == 1, "concat needs images, sequences or flat numbers")
        return lambda *x: torch.cat(x, 2 if len(shapes[0]) == 2 else 1)
    a, b = shapes
    if {len(a), len(b)} == {1, 2}:
        need(a[-1] == b[-1], "mul needs one factor for each feature")
        return lambda *x: torch.mul(*(v if v.dim() == 3 else v[:, None] for v in x))
    pixels = len(a) == len(b) == 3 and a[1:] == b[1:] and 1 in (a[0], b[0])
    if a != b and not pixels:      # a factor for each channel
        gate, image = (a, b) if (len(b), torch.Size(a).numel()) == (3, b[0]) else (b, a)
        need(len(image) == 3 and gate in (image[:1], image[:1] + (1, 1)), "mul needs equal shapes or C")
    deep = max(len(a), len(b))
    return lambda *x: torch.mul(*(v.reshape(*v.shape, *[1] * (deep + 1 - v.dim())) for v in x))


class Part:
    """One of several inputs, that lie one behind the other."""
    def __init__(self, begin, size):
        self.begin, self.size = begin, size

    def __call__(self, x):
        return x[:, self.begin:self.begin + math.prod(self.size)].reshape(len(x), *self.size)


class Network:
    def __init__(self, text, input=None, batch=None):
        self.layers, self.parameters, self.tensors, self.loss_name, self.loss_arguments = [], [], [], None, {}
        self.least_samples = 1
        # layers: (kind, function, numbers of the values it reads)
        self.shape, self.batch, self.vocabulary = input, batch, None
        seen, names, labels, per_kind, values, current = {}, set(), {}, {}, [], 0
        modules = {}    # label -> kind and module of the layer that it stands before
        parts = []      # of several inputs: label, shape, vocabulary
        for label, kind, a in statements(text):
            need("output" not in seen or kind == "loss", "output comes last")
            if kind in ("input", "batch", "loss", "output") and not (kind == "input" and label):
                need(kind not in seen, f"second {kind}")
                need(label is None, f"{kind} takes no label")
                seen[kind] = a
            if kind == "input" and label:
                need("batch" not in seen and "input" not in seen and not values and not input, "inputs come first")
                need(a["of"] is None or a["of"] > 0 and len(a["size"]) == 1, "one number of tokens")
                need(not parts or (a["of"] is None) == (parts[0][2] is None), "tokens and numbers together")
                need(label not in names, f"two things named {label}")
                names.add(label)
                parts.append((label, a["size"], a["of"]))
            elif kind == "input":
                need(len(seen) == 1 and not self.layers and not parts, "input comes first")
                self.shape, self.vocabulary = input or a["size"], a["of"]
                need(a["of"] is None or a["of"] > 0 and len(self.shape) == 1, "one number of tokens")
            elif kind == "batch":
                need(a["n"] > 0, "batch must be at least 1")
                self.batch = batch or a["n"]
            elif kind == "loss":
                self.loss_name, self.loss_arguments = a["name"], a
            else:
                if parts and not values:
                    self.shape, self.vocabulary = (sum(math.prod(size) for _, size, _ in parts),), min((of for _, _, of in parts), default=None) \
                        if parts[0][2] else None
                need(self.shape, "input is missing")
                need("loss" not in seen, "loss comes last")
                if not values:
                    values = [torch.zeros(1, *self.shape, dtype=torch.long if self.vocabulary else None)]
                    for part, size, of in parts:
                        begin = sum(math.prod(self.layers[i][1].size) for i in range(len(self.layers)))
                        self.layers.append(("input", Part(begin, size), [0]))
                        values.append(self.layers[-1][1](values[0]))
                        labels[part] = current = len(self.layers)
                name, more = label, []
                for other in a.get("labels", []):
                    need(other in labels, f"no label {other}")
                    more.append(labels[other])
                if kind not in (None, "from", "freeze", "output"):
                    per_kind[kind] = per_kind.get(kind, 0) + 1
                    name = label or f"{kind}{per_kind[kind]}"
                need(name not in names, f"two things named {name}")
                names |= {name} - {None}
                if kind == "from":
                    current = more[0]
                elif kind == "output":
                    need(len(set(a["labels"])) == len(more), "an answer given twice")
                    if len(more) > 1:
                        join_flat = lambda *x: torch.cat([v.flatten(1) for v in x], 1)
                        values.append(join_flat(*(values[i] for i in more)))
                        self.layers.append((kind, join_flat, more))
                    current = more[0] if len(more) == 1 else len(self.layers)
                elif kind == "freeze":
                    need(self.parameters, "nothing to freeze")
                    for _, parameter in self.parameters:
                        parameter.requires_grad_(False)
                elif kind:
                    reads = [current] + more
                    shapes = [tuple(values[i].shape[1:]) for i in reads]
                    need(all((values[i].dtype == torch.long) == (kind == "embedding") for i in reads), "tokens are for embedding alone")
                    if kind == "embedding":
                        need(a["features"] > 0, "must be at least 1")
                        a["vocabulary"] = parts[current - 1][2] if parts else self.vocabulary
                    try:
                        if kind == "attention" and more:
                            need(len(shapes[1]) == 2 and shapes[1][1] == shapes[0][1] and not a["causal"], "another sequence")
                        layer = join(kind, shapes) if more and kind != "attention" else build(kind, a, shapes[0])
                        if kind == "batchnorm":
                            layer.eval()    # a sample of zeros has no statistics
                            if math.prod(shapes[0][:1] if len(shapes[0]) == 2 else shapes[0][1:]) == 1:
                                self.least_samples = 2      # PyTorch refuses to train on one value a channel
                        x = layer(*(values[i] for i in reads))
                    except (RuntimeError, ValueError) as error:
                        raise LanguageError(str(error))
                    need(x.numel(), "an empty output")
                    self.layers.append((kind, layer, reads))
                    values.append(x)
                    current = len(self.layers)
                    need("weights" not in a or isinstance(layer, nn.Module), "no weights to share")
                    if isinstance(layer, nn.Module):
                        tied = set()
                        if "weights" in a:
                            need(a["weights"] in modules, "no layer with that label")
                            tied = tie(kind, layer, *modules[a["weights"]])
                        if a.get("freeze"):
                            layer.requires_grad_(False)
                        own = [(short_name(kind, k), v) for k, v in layer.named_parameters()]
                        own = [(f"{name}.{k}", v) for k, v in own if k not in tied]
                        kept = [(k.split(".")[-1], v) for k, v in layer.named_buffers() if v.is_floating_point()]
                        self.parameters += own
                        self.tensors += own + [(f"{name}.{k}", v) for k, v in kept if k not in tied]
                        if label:
                            modules[label] = kind, layer
                if label:
                    labels[label] = current
        need(self.shape, "input is missing")
        need(self.layers, "no layers")
        need(self.layers[current - 1][0] != "input" if current else False, "the answer is the input")
        self.answer, self.labels, self.shapes = current, labels, [tuple(v.shape[1:]) for v in values]
        self.batch = self.batch or DEFAULT_BATCH
        self.shape, self.output_shape = tuple(self.shape), tuple(values[current].shape[1:])
        last, _, reads = self.layers[current - 1]
        need(last != "output" or self.loss_name == "none", "several answers, and a loss")
        self.loss_name = self.loss_name or {"softmax": "crossentropy", "sigmoid": "bce"}.get(last, "mse")
        from_logits = (self.loss_name, last) in (("crossentropy", "softmax"), ("kl", "softmax"), ("bce", "sigmoid"), ("focal", "sigmoid"))
        self.loss_of = reads[0] if from_logits else current
        self.int_targets = self.loss_name in ("crossentropy", "hinge")
        a = self.loss_arguments
        self.of_positions = len(self.output_shape) == 2
        self.classes = classes = self.output_shape[self.of_positions]
        need(a.get("weights") is None or len(a["weights"]) == classes, "one weight for each class")
        need(len(a.get("posweight", [1])) in (1, classes), "one number, or one for each channel")
        need(0 <= a.get("smooth", 0) <= 1 and a.get("delta", 1) > 0, "out of range")
        need(all(w >= 0 for w in (a.get("weights") or []) + a.get("posweight", [])), "a negative weight")
        places = self.output_shape[:1] if self.of_positions else self.output_shape[1:]
        self.target_shape = places if self.int_targets else self.output_shape

    def label_shapes(self):
        return {label: self.shapes[value] for label, value in self.labels.items()}

    def to(self, dtype):
        for _, parameter in self.tensors:
            parameter.data = parameter.data.to(dtype)
            parameter.grad = None
        return self

    def run(self, x, wanted, training):
        """The value with that number: 0 is the input, i what layer i gives (the first is 1)."""
        values = [x.round().long() if self.vocabulary else x]
        for kind, layer, reads in self.layers[:wanted]:
            if isinstance(layer, nn.Module):
                layer.train(training)
            values.append(layer(*(values[i] for i in reads)))
        return values[wanted]

    def forward(self, x):
        with torch.no_grad():
            return self.run(x, self.answer, False)

    def loss(self, x, t, training=True):
        y = self.run(x, self.loss_of, training)
        a = self.loss_arguments
        if self.loss_name == "crossentropy":
            weights = torch.tensor(a["weights"], dtype=y.dtype) if a.get("weights") else None
            return F.cross_entropy(y.transpose(1, 2) if self.of_positions else y, t, weight=weights, label_smoothing=a.get("smooth", 0.0))
        if self.loss_name == "bce":
            weights = torch.tensor(a.get("posweight", [1.0]), dtype=y.dtype).reshape((-1,) + (1,) * (0 if self.of_positions else y.dim() - 2))
            smooth = a.get("smooth", 0.0)
            return F.binary_cross_entropy_with_logits(y, t * (1 - smooth) + smooth / 2, pos_weight=weights)
        if self.loss_name == "kl":
            return F.kl_div(F.log_softmax(y, 2 if self.of_positions else 1), t, reduction="batchmean")
        if self.loss_name == "huber":
            return F.huber_loss(y, t, delta=a["delta"])
        if self.loss_name == "hinge":      # PyTorch has it for flat scores
            scores = y if self.of_positions else y.flatten(2).transpose(1, 2) if y.dim() > 2 else y
            return F.multi_margin_loss(scores.reshape(-1, self.classes), t.reshape(-1), margin=a["margin"])
        if self.loss_name == "focal":
            return focal(y, t, a["alpha"], a["gamma"])
        if self.loss_name == "dice":
            over = (2, 3) if y.dim() == 4 else (1,)
            shares = (2 * (y * t).sum(over) + a["smooth"]) / (y.sum(over) + t.sum(over) + a["smooth"])
            return (1 - shares).mean()
        if self.loss_name == "none":
            return (y * t).sum()
        return {"mse": F.mse_loss, "l1": F.l1_loss}[self.loss_name](y, t)

    def draw_targets(self, generator, n):
        shape = (n, *self.target_shape)
        if self.int_targets:
            return torch.randint(self.classes, shape, generator=generator)
        if self.loss_name == "kl":      # probabilities of classes, some of them 0
            t = (torch.rand(shape, generator=generator) * 1.5 - 0.3).clamp(0, 1)
            return t / t.sum(2 if self.of_positions else 1, keepdim=True).clamp(0.1)
        if self.loss_name in ("bce", "focal", "dice"):      # probabilities, often just 0 or 1
            return (torch.rand(shape, generator=generator) * 1.6 - 0.3).clamp(0, 1)
        return torch.randn(shape, generator=generator)


def read(text, input=None, batch=None):
    return Network(text, input, batch)
