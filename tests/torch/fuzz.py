"""Random networks, compiled and held against PyTorch.

    /usr/bin/python3 tests/torch/fuzz.py [--seed S] [--count N] [--only I]      in the repository's root, after make

Each network is drawn from the whole language: chains of up to eight layers, sizes among which 1 and primes are
frequent, every argument in its several spellings, labels that C would mind, comments that C would mind. It is compiled
with an unroll mode, a target, a C compiler and a batch size, all drawn too, many networks to a shared object, and
called through ctypes: inference, loss, gradients, and 20 steps of a random optimizer are compared with what
torch.nn and torch.optim compute in double precision. Then the text is spoilt at random, a word misspelt or a
number changed, and the two must agree whether it is still a network; where it isn't, nnc must exit with 1 and name
the place.

The generator has no shape rules: it draws a statement, asks language.py whether PyTorch accepts it there, and
otherwise draws again. A difference that rounding explains is not one: before a network is reported, PyTorch's own
answers in single precision and under disturbances of that size must agree far better than nnc's do. What is
reported is shrunk first: statements, arguments and sizes go while the difference stays.

Everything follows from the seed, which is printed; a network from the seed and its number, so `--seed S --only I`
repeats just that one.
"""
import argparse
import ctypes
import glob
import json
import math
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
import torch

sys.dont_write_bytecode = True      # no __pycache__ beside the sources
import language
import record

FOLDER = "build/tests/tmp/fuzz"
SEQUENCES, SHARED = 0.4, 0.35     # how many networks have positions, how many share weights
OUTSIDE = 0.3            # how many have `loss none`
GROUP = 16               # networks to one shared object
SECONDS = 60             # more for checking one network means that its code hangs
STEPS = 20
FORWARD, GRADIENT, LOSSES, WEIGHTS = 1e-5, 1e-4, 1e-4, 1e-3    # tolerances, in shares of the largest value

SIZES = [1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 11, 13, 16, 17]
LABELS = ["a", "b", "x", "y", "t", "p", "w", "n", "g", "c1", "l2", "k3", "int", "for", "main", "double", "static", "restrict", "inline",
          "fc1_weight", "conv1_out", "d_conv1", "net", "NAN", "exp", "y0", "s00", "Head", "OUT", "_", "a_b_c", "i", "float", "if", "layer_12"]
COMMENTS = ["", " and so on", " conv 3 k3; fc 5", " */ not the end", " // \\", " \"quoted\" 100% %s %n", " µ ×", " ??/", " a: b: c", " ) } ]"]


SEQUENCE_KINDS = ["rnn", "gru", "lstm"] * 2 + ["attention"] * 4 + ["conv1d"] * 4 + ["fc"] * 5 + [
    "relu", "tanh", "gelu", "sigmoid", "silu", "softmax", "layernorm", "layernorm", "batchnorm", "groupnorm", "positions", "positions",
    "classtoken", "last", "first", "transpose", "maxpool1d", "avgpool1d", "flatten", "image", "globalavgpool", "prelu", "dropout"]
SHARERS = ("conv", "convtranspose", "fc", "embedding", "rnn", "gru", "lstm", "attention", "conv1d", "layernorm", "groupnorm", "batchnorm",
           "positions", "classtoken", "prelu")

EXTRA = ["k3", "s2", "s0", "p1", "p9", "d2", "d9", "g2", "g3", "bias=false", "pad=reflect", "pad=circular", "pad=reflet", "countpad=true",
         "3", "2->3", "0.5", "k=", "=3", "3x", "x3", "-1", "p-1", "1e9", "k3x3x3", "k3x3", "9" * 30, "p" + "9" * 30, "1e", "->", "3->",
         "mean=1", "std=0", "std=1", "smooth=0.1", "@", "relu", ":", "'", "\x01", "\\", "é"]


# ---- nn.h in ctypes ----

class Tensor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("ndim", ctypes.c_int), ("shape", ctypes.c_int * 4), ("offset", ctypes.c_size_t),
                ("count", ctypes.c_size_t), ("low", ctypes.c_float), ("high", ctypes.c_float),
                ("axis", ctypes.c_int * 4), ("stride", ctypes.c_size_t * 4), ("mark", ctypes.c_size_t)]

    def place(self):
        """The numbers of its elements in net_params, in PyTorch's order."""
        at = torch.tensor([self.offset])
        for axis, stride in zip(self.axis, self.stride):
            at = (at[:, None] + torch.arange(axis) * stride).flatten()
        return at


P = ctypes.c_void_p


class Model(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("input_shape", ctypes.c_int * 3), ("input", ctypes.c_size_t), ("output", ctypes.c_size_t),
                ("vocabulary", ctypes.c_size_t), ("targets", ctypes.c_size_t), ("int_targets", ctypes.c_int), ("loss_name", ctypes.c_char_p),
                ("logits", ctypes.c_int), ("batch", ctypes.c_int), ("params", ctypes.c_size_t),
                ("floats", ctypes.c_size_t), ("params_bytes", ctypes.c_size_t), ("work_bytes", ctypes.c_size_t),
                ("ntensors", ctypes.c_int), ("tensors", ctypes.POINTER(Tensor)),
                ("forward", ctypes.CFUNCTYPE(None, P, P, ctypes.c_int, P, P)),
                ("backward", ctypes.CFUNCTYPE(ctypes.c_float, P, P, ctypes.c_int, P, P, P)),
                ("loss", ctypes.CFUNCTYPE(ctypes.c_float, P, P, ctypes.c_int, P, P, P)),
                ("set_rng", ctypes.CFUNCTYPE(None, P, ctypes.c_uint64)),
                ("counted", ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, P)),
                ("set_add", ctypes.CFUNCTYPE(None, P, ctypes.c_int)),
                ("prepare", ctypes.CFUNCTYPE(None, P)),
                ("forward_train", ctypes.CFUNCTYPE(None, P, P, ctypes.c_int, P, P)),
                ("backward_from", ctypes.CFUNCTYPE(None, P, P, ctypes.c_int, P, P, P, P))]


class Optimizer(ctypes.Structure):
    _fields_ = [("method", ctypes.c_int)] + [(name, ctypes.c_int if name in ("nesterov", "centered", "amsgrad", "decoupled", "maximize")
                                              else ctypes.c_float)
                                             for name in ("lr weight_decay momentum dampening nesterov lr_decay initial_accumulator_value alpha "
                                                          "centered beta1 beta2 amsgrad decoupled eps maximize").split()]


class Memory:
    """Aligned memory full of NaN, as a float tensor."""
    def __init__(self, size):
        self.bytes = ctypes.create_string_buffer(size + 128)
        self.address = (ctypes.addressof(self.bytes) + 63) // 64 * 64
        ctypes.memset(self.address, 0xff, size + 64)
        self.floats = torch.frombuffer((ctypes.c_float * (size // 4 + 1)).from_address(self.address), dtype=torch.float32)
        self.ints = torch.frombuffer((ctypes.c_int * (size // 4 + 1)).from_address(self.address), dtype=torch.int32)


# ---- Drawing networks ----

def maybe(r, probability, word):
    return [word] if r.random() < probability else []


def draw_pair(r, values):
    a, b = r.choice(values), r.choice(values)
    return f"{a}" if r.random() < 0.5 else f"{a}x{b}"


def letter(r, name, value):
    return f"{name}{value}" if r.random() < 0.8 else f"{name}={value}"


def draw_statement(r, shape, sizes):
    """The words of a random layer that may or may not fit on shape."""
    kinds = ["relu", "relu", "leakyrelu", "sigmoid", "tanh", "tanh", "flatten", "dropout", "softmax", "normalize"]
    kinds += ["relu6", "elu", "gelu", "silu", "softplus", "hardsigmoid", "hardswish"]
    kinds += ["batchnorm", "batchnorm", "layernorm", "groupnorm"]
    if len(shape) == 3:
        kinds += ["convtranspose"] * 5 + ["upsample"] * 2 + ["adaptiveavgpool"] * 2
    kinds += ["conv"] * 16 + ["maxpool"] * 5 + ["avgpool"] * 5 + ["globalavgpool", "fc"] if len(shape) == 3 else ["fc"] * 7
    if len(shape) == 2:
        kinds = SEQUENCE_KINDS
    kind = r.choice(kinds)
    if kind in ("rnn", "gru", "lstm"):
        return [kind, f"{r.choice(sizes)}"] + maybe(r, 0.3, "reverse=true") + maybe(r, 0.2, "bias=false")
    if kind == "attention":
        heads = r.choice([h for h in range(1, shape[1] + 1) if shape[1] % h == 0])
        return [kind, f"{heads}"] + maybe(r, 0.5, "causal=true") + maybe(r, 0.2, "bias=false")
    if kind == "conv1d":
        words = [letter(r, "k", r.choice([1, 2, 3, 3, 5]))] + maybe(r, 0.3, letter(r, "s", r.choice([1, 2, 3])))
        if r.random() < 0.3:
            words = words[:1] + ["pad=causal"]
        elif r.random() < 0.6:
            words += [letter(r, "p", r.choice([0, 1, 2]))] + maybe(r, 0.2, "pad=replicate")
        return [kind, f"{r.choice(sizes)}"] + words + maybe(r, 0.2, letter(r, "d", 2)) + maybe(r, 0.2, "bias=false")
    if kind in ("maxpool1d", "avgpool1d"):
        return [kind, f"{r.choice([1, 2, 2, 3])}"] + maybe(r, 0.5, letter(r, "s", r.choice([1, 2, 3])))
    if kind == "positions":
        return [kind] + maybe(r, 0.3, "sincos")
    if kind == "image":
        height = r.choice([h for h in range(1, shape[0] + 1) if shape[0] % h == 0])
        return [kind, f"{height}x{shape[0] // height}"]
    if kind == "prelu":
        return [kind] + maybe(r, 0.5, "channels=true")
    if kind == "conv":
        channels, height, width = shape
        outputs, words = r.choice(sizes), []
        if r.random() < 0.3:
            groups = r.choice([g for g in range(1, channels + 1) if channels % g == 0])
            outputs = groups * r.choice([1, 1, 2, 3])
            words += maybe(r, 0.9 if groups > 1 else 0.3, letter(r, "g", groups))
        mode, pads = r.choice(["zeros"] * 4 + ["reflect", "replicate", "circular"]), [0, 1, 1, 2, 3]
        if mode != "zeros":
            pads = {"reflect": list(range(min(height, width))), "circular": list(range(min(height, width) + 1)),
                    "replicate": list(range(min(height, width) + 4))}[mode]
        kernel = f"{height}x{width}" if r.random() < 0.07 else draw_pair(r, [1, 2, 3, 3, 4, 5])
        if mode == "zeros" and r.random() < 0.3:    # what --math is about
            return ["conv", f"{outputs}"] + words + [letter(r, "k", "3")] + maybe(r, 0.7, letter(r, "p", draw_pair(r, [0, 1, 1, 2])))
        words += [letter(r, "k", kernel)] + maybe(r, 0.4, letter(r, "s", draw_pair(r, [1, 2, 2, 3, 4])))
        words += maybe(r, 0.6, letter(r, "p", draw_pair(r, pads))) + maybe(r, 0.2, letter(r, "d", draw_pair(r, [1, 2, 3])))
        words += maybe(r, 0.3, "bias=" + r.choice(["true", "false", "false"])) + maybe(r, 0.8 if mode != "zeros" else 0.2, f"pad={mode}")
        r.shuffle(words)
        return ["conv", f"{channels}->{outputs}" if r.random() < 0.3 else f"{outputs}"] + words
    if kind == "convtranspose":
        groups = r.choice([g for g in range(1, shape[0] + 1) if shape[0] % g == 0] + [1] * 4)
        outputs = groups * r.choice([1, 1, 2, 3, 5])
        words = [letter(r, "k", draw_pair(r, [1, 2, 3, 3, 4]))] + maybe(r, 0.6, letter(r, "s", draw_pair(r, [1, 2, 2, 3])))
        words += maybe(r, 0.5, letter(r, "p", draw_pair(r, [0, 1, 1, 2]))) + maybe(r, 0.3, letter(r, "o", draw_pair(r, [0, 1, 1, 2])))
        words += maybe(r, 0.9 if groups > 1 else 0.2, letter(r, "g", groups)) + maybe(r, 0.3, "bias=" + r.choice(["true", "false"]))
        r.shuffle(words)
        return [kind, f"{shape[0]}->{outputs}" if r.random() < 0.3 else f"{outputs}"] + words
    if kind == "upsample":
        return [kind, draw_pair(r, [1, 2, 2, 3, 4])] + maybe(r, 0.7, "mode=" + r.choice(["nearest", "bilinear", "bilinear"]))
    if kind == "adaptiveavgpool":
        return [kind, draw_pair(r, [1, 2, 3, 4, 5, 7])]
    if kind == "groupnorm":
        channels = shape[1] if len(shape) == 2 else shape[0]
        return [kind, f"{r.choice([g for g in range(1, channels + 1) if channels % g == 0])}"] + maybe(r, 0.3, "eps=0.01")
    if kind == "batchnorm":
        return [kind] + maybe(r, 0.3, r.choice(["eps=0.01", "eps=1e-3"])) + maybe(r, 0.3, r.choice(["momentum=0.5", "momentum=1", "momentum=0"]))
    if kind == "layernorm":
        return [kind] + maybe(r, 0.3, r.choice(["eps=0.01", "eps=1e-3"]))
    if kind == "fc":
        inputs = shape[1] if len(shape) == 2 else math.prod(shape)
        outputs = r.choice(sizes)
        return ["fc", f"{inputs}->{outputs}" if r.random() < 0.3 else f"{outputs}"] + maybe(r, 0.3, "bias=" + r.choice(["true", "false"]))
    if kind in ("maxpool", "avgpool"):
        kernel = "x".join(map(str, shape[1:])) if r.random() < 0.1 else draw_pair(r, [1, 2, 2, 3, 4])
        words = maybe(r, 0.5, letter(r, "s", draw_pair(r, [1, 2, 3]))) + maybe(r, 0.4, letter(r, "p", draw_pair(r, [0, 1, 1, 2])))
        if kind == "maxpool":
            words += maybe(r, 0.2, letter(r, "d", draw_pair(r, [1, 2, 3])))
        else:
            words += maybe(r, 0.4, "countpad=" + r.choice(["true", "false"]))
        if r.random() < 0.5 and "x" not in kernel:
            return [kind, kernel] + words
        words += [letter(r, "k", kernel)]
        r.shuffle(words)
        return [kind] + words
    if kind == "leakyrelu":
        return [kind] + maybe(r, 0.7, r.choice(["0", "0.2", "1", "1e-3", "1.5", "0.01"]))
    if kind == "elu":
        return [kind] + maybe(r, 0.7, r.choice(["0", "0.2", "1", "-0.5", "2"]))
    if kind == "gelu":
        return [kind] + maybe(r, 0.5, "tanh=" + r.choice(["true", "false"]))
    if kind == "dropout":
        return [kind] + maybe(r, 0.7, r.choice(["0", "0.3", "0.5", "0.9"]))
    if kind == "normalize":
        def values(v):
            return ",".join(r.choice(v) for _ in range(shape[0] if r.random() < 0.5 and shape[0] < 8 else 1))
        words = ["mean=" + values(["0", "0.5", "0.485", "-1", "2e-1"]), "std=" + values(["1", "0.5", "0.229", "2", "3.5"])]
        r.shuffle(words)
        return [kind] + words
    return [kind]


def draw_branch(r, shape, sizes, labels, fresh):
    """[(label or None, words)]: a piece of network that leaves or joins branches. labels: those there are, with shapes;
    fresh: names for new ones, taken from its end."""
    alike = [l for l in labels if labels[l] == shape]
    channels = [l for l in labels if len(labels[l]) == len(shape) and labels[l][1:] == shape[1:]]
    what = r.choice(["add", "add", "concat", "mul", "from", "label", "residual", "gate", "fork", "freeze"])
    if what == "label":
        return [(fresh.pop(), [])]
    if what == "freeze":
        return [(None, ["freeze"])]
    if what == "from" and labels:
        return [(None, ["from", r.choice(list(labels))]), (None, draw_statement(r, shape, sizes))]
    if what == "add" and alike:
        return [(None, ["add"] + [r.choice(alike) for _ in range(r.choice([1, 1, 2, 3]))])]
    if what == "concat" and channels:
        return [(None, ["concat"] + [r.choice(channels) for _ in range(r.choice([1, 1, 2]))])]
    if what == "mul" and alike:
        return [(None, ["mul", r.choice(alike)])]
    if what == "residual":         # something in between that leaves the shape as it is
        name = fresh.pop()
        middle = [["conv", f"{shape[0]}", "k3", "p1"], ["tanh"]] if len(shape) == 3 else [["fc", f"{shape[-1]}"], ["silu"]]
        return [(name, [])] + [(None, words) for words in middle + r.choice([[], [["batchnorm"]]])] + [(None, ["add", name])]
    if what == "gate" and len(shape) == 3:
        name, pool = fresh.pop(), r.choice([[["globalavgpool"], ["fc", f"{shape[0]}"]], [["adaptiveavgpool", "1"], ["conv", f"{shape[0]}", "k1"]]])
        return [(name, [])] + [(None, words) for words in pool + [[r.choice(["sigmoid", "hardsigmoid", "tanh"])], ["mul", name]]]
    if what == "fork":             # two ways from the same place, joined
        start, one = fresh.pop(), fresh.pop()
        a, b = draw_statement(r, shape, sizes), draw_statement(r, shape, sizes)
        return [(start, []), (None, a), (one, []), (None, ["from", start]), (None, r.choice([a, a, b])), (None, [r.choice(["add", "concat", "mul"]), one])]
    return [(fresh.pop(), draw_statement(r, shape, sizes))]


def work(net):
    """Multiply-adds of one sample, roughly (pooling counted by what comes out)."""
    values, total = [torch.zeros(1, *net.shape, dtype=torch.long if net.vocabulary else None)], 0
    for kind, layer, reads in net.layers:
        x = layer(*(values[i] for i in reads))
        values.append(x)
        weights = [p for p in layer.parameters() if p.dim() > 1] if isinstance(layer, torch.nn.Module) else []
        total += sum(p.numel() for p in weights) * max(x[0, 0].numel(), x.numel() // 8) + x.numel() * (9 if "pool" in kind else 1)
    return total


class Case:
    """A network and all that was drawn with it. statements: lists of words, labels apart."""
    def __init__(self, seed, number):
        r = random.Random(f"{seed}/{number}")
        self.number, self.draw_seed, self.inference = number, r.randrange(1 << 30), r.random() < 0.1
        largest = r.choice([3000] * 12 + [60000] * 7 + [1000000])      # multiply-adds of one sample
        while True:
            sizes = SIZES + [19, 24, 29, 32, 33] * (largest > 100000)
            shape = (r.choice(sizes),) if r.random() < 0.25 else (r.choice(sizes[:14]), r.choice(sizes), r.choice(sizes))
            self.input, self.statements, self.labels = "x".join(map(str, shape)), [], []
            self.second, self.answers = None, []
            if r.random() < SEQUENCES:
                shape = (r.choice(sizes[:14]), r.choice(sizes))
                self.input = "x".join(map(str, shape))
                if r.random() < 0.6:
                    self.input, self.statements = f"{shape[0]} of {r.choice([1, 2, 3, 5, 8, 17, 40])}", [["embedding", f"{shape[1]}"]]
                    self.labels = [None]
            self.loss, self.batch = None, r.choice([None, 1, 2, 3, 4, 7, 8, 9, 16, 33])
            fresh, branches, known = r.sample(LABELS, len(LABELS)), r.random() < 0.5, {}
            for _ in range(r.randint(1, 8)):
                for _ in range(20):
                    names = list(fresh)
                    piece = draw_branch(r, shape, sizes, known, names) if branches and r.random() < 0.5 else [(None, draw_statement(r, shape, sizes))]
                    for _, words in piece:
                        if words[:1] == ["dropout"] and not self.inference:
                            words[1:] = [r.choice(["0", "0", "0", "1"])]
                    before = self.statements, self.labels
                    self.statements = self.statements + [words for _, words in piece]
                    self.labels = self.labels + [label or (names.pop() if words and words[0] not in ("from", "freeze") and r.random() < 0.15 else None)
                                                 for label, words in piece]
                    try:
                        net = language.read(self.plain())
                        if work(net) <= largest and len(names) > 10:
                            known, fresh, shape = net.label_shapes(), names, net.output_shape
                            break
                    except language.LanguageError:
                        pass
                    self.statements, self.labels = before
            if not self.statements:
                continue
            try:
                whole = language.read(self.plain())
            except language.LanguageError:
                continue
            if r.random() < SHARED:
                for _ in range(r.randint(1, 3)):
                    self.share(r)
                whole = language.read(self.plain())
            if whole.least_samples > whole.batch or self.ambiguous(whole):
                continue
            self.loss = r.choice([None, None, "mse", "bce", "crossentropy", "l1", "huber", "huber 0.5", "crossentropy smooth=0.1", "bce posweight=2"])
            self.outside = not self.inference and r.random() < OUTSIDE
            if self.outside and not self.draw_outside(r):
                continue
            break
        net = language.read(self.plain())
        self.work = work(net)
        self.n = r.choice([net.least_samples, net.batch, r.randint(net.least_samples, net.batch)])
        self.unroll = r.choice(["none", "tile", "auto"] + ["full"] * (2 if self.work <= 3000 else 0))
        self.target = r.choice(["generic", "scalar", "avx2", "avx512", "neon"])
        self.cc = r.choice(["gcc", "clang"])
        self.flags = r.choice(["-O1", "-O2", "-O0", "-O2 -march=native", "-O1 -fsanitize=undefined "
                               + ("-fsanitize-undefined-trap-on-error" if self.cc == "gcc" else "-fsanitize-trap=undefined")])
        self.ignored = r.random() < 0.5
        self.whole = r.random() < 0.4 and all(s[0] in ("conv", "fc", "maxpool", "relu", "flatten") for s in self.statements if s)
        self.rule = draw_rule(r)
        self.options = ["--inference"] if self.inference and r.random() < 0.5 else []
        self.options += r.choice([[], ["--math=winograd"], ["--math=direct"]])
        self.options += r.choice([[], ["--lanes=samples"]])
        self.options += r.choice([[], ["--blocks=2"], ["--blocks=99"]])
        self.text = self.format(r)

    def share(self, r):
        """Tries to give a layer the weights of an earlier one, or to put such a layer somewhere behind it."""
        before = self.statements, self.labels
        names = [name for name in LABELS if name not in self.labels]
        for _ in range(12):
            self.statements, self.labels = [list(s) for s in before[0]], list(before[1])
            places = [i for i, s in enumerate(self.statements) if s and s[0] in SHARERS]
            if not places:
                break
            i = r.choice(places)
            if not self.labels[i]:
                self.labels[i] = r.choice(names)
            tied = f"weights={self.labels[i]}"
            later = [j for j in places if j > i and self.statements[j][0] == self.statements[i][0] and not any("weights=" in w for w in self.statements[j])]
            if later and r.random() < 0.5:
                self.statements[r.choice(later)].append(tied)
            else:
                copy = [w for w in self.statements[i] if "weights=" not in w]
                if self.statements[i][0] == "embedding":
                    copy = ["fc", self.input.split()[-1]]
                if "freeze=true" not in copy and r.random() < 0.1 and copy[0] in ("conv", "fc", "lstm", "attention"):
                    copy.append("freeze=true")
                piece = [copy + [tied]] + r.choice([[], [["tanh"]], [["silu"]]])
                at = r.randint(i + 1, len(self.statements))
                self.statements[at:at] = piece
                self.labels[at:at] = [None] * len(piece)
            try:
                net = language.read(self.plain())
                if work(net) <= 100000:
                    return
            except language.LanguageError:
                pass
        self.statements, self.labels = before

    def draw_outside(self, r):
        """`loss none`, often with a second input and with several answers; False: it doesn't fit."""
        self.loss, free = "none", [name for name in LABELS if name not in self.labels and name != "own"]
        r.shuffle(free)
        try:
            shape = language.read(self.plain()).output_shape
            if r.random() < 0.5:
                second = (r.choice(SIZES),) if r.random() < 0.5 else (r.choice(SIZES[:9]), r.choice(SIZES[:9]), r.choice(SIZES[:9]))
                size = r.choice([2, 5]) if " of " in self.input else 0
                text = f"{second[0]} of {size}" if size else "x".join(map(str, second))
                first, other, end, branch = (free.pop() for _ in range(4))
                self.second = [(first, self.input), (other, text)]
                r.shuffle(self.second)
                if self.second[1][0] != first or r.random() < 0.5:
                    self.statements, self.labels = [["from", first]] + self.statements, [None] + self.labels
                count = math.prod(shape)
                more = [[["from", other]] + ([["embedding", "3"]] if size else [])] + [[["fc", f"{count}"]]]
                more = more[0] + ([["flatten"]] if size else []) + r.choice([[], [["tanh"]]]) + more[1]
                if len(shape) == 1 and r.random() < 0.5:
                    more += [[r.choice(["add", "mul", "concat"]), end]]
                else:
                    self.answers = [end]
                self.statements += [[]] + more + [[]]
                self.labels += [end] + [None] * len(more) + [branch]
                self.answers += [branch]
                if len(self.answers) == 1 and r.random() < 0.5:
                    self.answers = []
            if r.random() < 0.5 or len(self.answers) > 1:
                if not self.answers:
                    self.answers = [free.pop()]
                    self.statements, self.labels = self.statements + [[]], self.labels + self.answers
                inputs = {label for label, _ in self.second or []}
                others = [label for label in self.labels if label and label not in self.answers and label not in inputs]
                self.answers += r.sample(others, min(len(others), r.choice([0, 1, 1, 2])))
                r.shuffle(self.answers)
            net = language.read(self.plain())
        except language.LanguageError:
            return False
        return work(net) <= 100000 and net.least_samples <= net.batch and all(net.labels[a] and net.layers[net.labels[a] - 1][0] != "input" for a in self.answers)

    @staticmethod
    def ambiguous(net):
        """Which layer the loss follows is not for us to say when a flatten or dropout comes after softmax or sigmoid."""
        at = net.answer
        while at and net.layers[at - 1][0] in ("flatten", "dropout"):
            at = net.layers[at - 1][2][0]
        return at not in (0, net.answer) and net.layers[at - 1][0] in ("softmax", "sigmoid")

    def plain(self, *more):
        """The network without ornament, one statement to a line."""
        inputs = [["input", self.input]] if not self.second else [[f"{label}:", "input", size] for label, size in self.second]
        lines = inputs + ([["batch", str(self.batch)]] if self.batch else [])
        lines += [([f"{label}:"] if label else []) + s for s, label in zip(self.statements, self.labels)]
        lines += list(more) + ([["output"] + self.answers] if self.answers else []) + ([["loss", self.loss]] if self.loss else [])
        return "\n".join(" ".join(words) for words in lines) + "\n"

    def wrapped(self, r):
        """plain(), but perhaps a piece of it is a block, and perhaps repeated."""
        count, lines = len(self.statements), self.plain().strip().split("\n")
        first = len(lines) - bool(self.loss) - count
        i = r.randrange(count)
        j = r.randint(i + 1, count)
        piece = self.statements[i:j]
        inside = {l for l in self.labels[i:j] if l}
        needed = {l for words in piece if words[:1] in (["from"], ["add"], ["concat"], ["mul"]) for l in words[1:]}
        outside = {l for words in self.statements[:i] + self.statements[j:] for l in words[1:]}
        if r.random() < 0.5 or needed - inside or inside & outside or ["freeze"] in piece:
            return lines
        body = lines[first + i:first + j]
        if r.random() < 0.5:
            sizes = [w for words in piece if words[:1] == ["fc"] for w in words[1:2] if w.isdigit()]
            if sizes and r.random() < 0.7:       # a number becomes an argument
                body = [re.sub(rf"\bfc {sizes[0]}\b", "fc $size", line) for line in body]
            arguments = ("size", sizes[0]) if any("$size" in line for line in body) else ("", "")
            text = [f"block piece({arguments[0]}) {{"] + body + ["}"]
            calls = [f"piece({arguments[1]})"]
            if r.random() < 0.3:
                calls = ["own: " + calls[0]]
            elif r.random() < 0.3:
                text += ["block around() {"] + calls + ["}"]
                calls = ["around()"]
            tried = text + lines[:first + i] + calls + lines[first + j:] if r.random() < 0.5 else lines[:first] + text + lines[first:first + i] + calls + lines[first + j:]
        else:
            tried = lines[:first + i] + ["repeat 2 {"] + body + ["}"] + lines[first + j:]
        try:
            net = language.read("\n".join(tried))
        except language.LanguageError:
            return lines
        plain = language.read(self.plain())
        return tried if net.target_shape == plain.target_shape and work(net) <= 3 * self.work and net.least_samples <= self.n else lines

    def format(self, r):
        """The same network as somebody else would type it."""
        lines = self.plain().strip().split("\n") if self.outside else self.wrapped(r)
        if not self.outside and self.batch and lines[1].startswith("batch") and not any("{" in line for line in lines) and r.random() < 0.3:        # batch may stand anywhere behind input
            line = lines.pop(1)
            if r.random() < 0.3:
                self.options.append("--" + line.replace(" ", "="))
            else:
                lines.insert(r.randint(1, len(lines) - bool(self.loss)), line)
        if lines[0].startswith("input") and r.random() < 0.15:
            self.options.append("'--" + lines.pop(0).replace(" ", "=", 1) + "'")
        text = "".join(r.choice(["", "", "\n", f"#{c}\n", " \t\n"]) for c in r.sample(COMMENTS, 1))
        for i, line in enumerate(lines):
            line = re.sub(r"(\w+): ", lambda m: m[1] + r.choice([": ", ": ", ":", ":  ", " : "]), line)
            line = re.sub(r"(?<! ) (?! )", lambda m: r.choice([" ", " ", " ", "  ", "\t"]), line)
            text += r.choice(["", "", "    ", "\t"]) + line
            text += r.choice(["\n", "; ", ";", " ; ", "\n\n", ";\n", f"  #{r.choice(COMMENTS)}\n", f"\n#{r.choice(COMMENTS)}\n"])
        return text if r.random() < 0.8 else text.rstrip("\n; \t")


def draw_rule(r):
    """An optimizer in the words of record.optimizer."""
    method = r.choice(["sgd", "momentum", "adagrad", "rmsprop", "adam"])
    rates = {"sgd": ["0.1", "0.01"], "momentum": ["0.05", "0.01"], "adagrad": ["0.05", "0.01"]}
    words = [method, "lr", r.choice(rates.get(method, ["0.01", "0.001"]))]
    if method == "momentum":
        words += ["momentum", r.choice(["0.9", "0.5"])] + r.choice([[], [], ["nesterov", "1"], ["dampening", "0.3"]])
    if method == "adagrad":
        words += r.choice([[], [], ["lr_decay", "0.1"], ["initial_accumulator_value", "0.2"], ["eps", "0.001"]])
    if method == "rmsprop":
        words += r.choice([[], [], ["alpha", "0.9"], ["centered", "1", "eps", "0.001"], ["momentum", "0.5"]])
    if method == "adam":
        words += r.choice([[], [], ["amsgrad", "1"], ["decoupled", "1", "weight_decay", "0.1"], ["beta1", "0.8", "beta2", "0.9"],
                           ["eps", "0.0001"]])
    if "weight_decay" not in words:
        words += r.choice([[], [], [], ["weight_decay", "0.01"]])
    return " ".join(words + r.choice([[]] * 6 + [["maximize", "1"]] * (words[2] in ("0.01", "0.001"))))


def nn_optimizer(words):
    method, *fields = words.split()
    fields = dict(zip(fields[::2], map(float, fields[1::2])))
    defaults = {"adagrad": {"eps": 1e-10}, "rmsprop": {"alpha": 0.99, "eps": 1e-8}, "adam": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}}
    o = Optimizer(method={"sgd": 0, "momentum": 0, "adagrad": 1, "rmsprop": 2, "adam": 3}[method])
    for name, value in {**defaults.get(method, {}), **fields}.items():
        setattr(o, name, int(value) if name in ("nesterov", "centered", "amsgrad", "decoupled", "maximize") else value)
    return o


# ---- Building ----

def build(cases, folder):
    """Compiles cases into folder/all.so; returns {number: what went wrong}."""
    subprocess.run(["rm", "-rf", folder], check=True)
    os.makedirs(folder)
    rules = ["all:"]
    for c in cases:
        stem = f"{folder}/net{c.number}"
        with open(stem + ".nn", "w", newline="") as f:
            f.write(c.text)
        std = "-std=c99 -pedantic" if c.target == "scalar" else "-std=gnu11"
        options = " ".join([f"--unroll={c.unroll} --target={c.target}", *c.options])
        rules += [f"all: {stem}.o", f"{stem}.o:",
                  f"\t@timeout 60 build/nnc {options} -o {stem}.c {stem}.nn >{stem}.log 2>&1; echo exit $$? >>{stem}.log",
                  f"\t@timeout 120 {c.cc} {std} -Wall -Wextra -Werror {c.flags} -fPIC -Iruntime -c -o $@ {stem}.c >>{stem}.log 2>&1"]
    for source in glob.glob("runtime/*.c"):
        target = f"{folder}/runtime_{os.path.basename(source)[:-2]}.o"
        rules += [f"all: {target}", f"{target}: {source}", "\t@gcc -std=gnu11 -O2 -fPIC -Iruntime -c -o $@ $<"]
    with open(f"{folder}/Makefile", "w") as f:
        f.write("\n".join(rules) + "\n")
    subprocess.run(["make", "-sk", f"-j{os.cpu_count()}", "-f", f"{folder}/Makefile"], capture_output=True)
    failed = {}
    for c in cases:
        if not os.path.exists(f"{folder}/net{c.number}.o"):
            log = open(f"{folder}/net{c.number}.log", errors="replace").read()
            failed[c.number] = "does not build: " + "\n    ".join([l for l in log.splitlines() if "rror" in l][:8])
    linked = subprocess.run(["gcc", "-shared", "-o", f"{folder}/all.so", *glob.glob(f"{folder}/*.o"), "-lm"], capture_output=True, text=True)
    if linked.returncode:
        failed = {c.number: failed.get(c.number, "does not link: " + linked.stderr[:500]) for c in cases}
    return failed


# ---- Comparing one network ----

class Difference(Exception):
    pass


def worst(values, reference, scale):
    """The largest difference in shares of scale, and where; NaN counts as infinite."""
    if not reference.numel():
        return 0.0, 0
    d = (values.double() - reference.double()).abs().flatten()
    d = torch.where(d.isnan(), torch.full_like(d, math.inf), d)
    return d.max().item() / max(scale, 1e-9), d.argmax().item()


def hold(what, values, reference, tolerance, others, scale=None):
    """values against reference. others() gives what rounding might have made of reference, and is asked only if need be."""
    scale = max(reference.abs().max().item() if reference.numel() else 0, scale or 0)
    if not math.isfinite(scale):
        return                                        # training that explodes in PyTorch too
    error, place = worst(values, reference, scale)
    if error > tolerance and not error <= 20 * max(worst(o, reference, scale)[0] for o in others()):
        raise Difference(f"{what}[{place}] is {values.flatten()[place].item():.9g}, PyTorch has {reference.flatten()[place].item():.9g}"
                         f" (apart by {error:.2g} of the largest; {tolerance:.0e} allowed)")


def compare_outside(c, net, model, weights, x, dy, load, params, gradients, scratch, batch_x, batch_y, batch_t, places, padding):
    """net_forward_train and net_backward from dy; each gradient without the other; with w->add."""
    n, cache, dx = c.n, [], Memory(4 * model.input * net.batch)
    y, d_x, d, moved = record.outside(net, weights, x, dy, torch.float64)

    def others(pick):
        if not cache:
            cache.append(record.outside(net, weights, x, dy, torch.float32))
            cache.extend(record.outside(net, weights, x, dy, torch.float64, noise) for noise in (1e-7, -1e-7, 3e-7, -3e-7))
        return [pick(o) for o in cache]

    def run(g, d_x):
        model.backward_from(params.address, scratch.address, n, batch_x.address, batch_t.address, g and g.address, d_x and d_x.address)

    before = params.floats[:model.params_bytes // 4].clone()
    model.forward_train(params.address, scratch.address, n, batch_x.address, batch_y.address)
    hold("the answer in training", batch_y.floats[:y.numel()].reshape(y.shape), y, FORWARD, lambda: others(lambda o: o[0]))
    if not torch.equal(before, params.floats[:model.params_bytes // 4]):
        raise Difference("net_forward_train changes p")
    tokens = bool(net.vocabulary)
    run(gradients, None if tokens else dx)
    largest = max([v.abs().max().item() for v in [*d, d_x] if v.numel()], default=0)
    if not tokens:
        hold("dx", dx.floats[:d_x.numel()].reshape(d_x.shape), d_x, GRADIENT, lambda: others(lambda o: o[1]), largest / 100)
        if not dx.floats[d_x.numel():model.input * net.batch].isnan().all():
            raise Difference("dx is written behind the samples of the call")
    learnt = [(k, place) for k, place in places if not record.is_statistic(k)]
    for i, (name, place) in enumerate(learnt):
        hold(f"gradient of {name}", gradients.floats[place].reshape(d[i].shape), d[i], GRADIENT, lambda: others(lambda o: o[2][i]), largest / 100)
    for i, (name, place) in enumerate([p for p in places if record.is_statistic(p[0])]):
        hold(name, params.floats[place].reshape(moved[i].shape), moved[i], FORWARD, lambda: others(lambda o: o[3][i]))
    if gradients.floats[:model.floats][padding].ne(0).any():
        raise Difference("padding of the gradients is not 0")
    first, first_x = gradients.floats[:model.floats].clone(), dx.floats[:d_x.numel()].clone()
    load()
    run(None, None if tokens else dx)
    if not torch.equal(first_x, dx.floats[:d_x.numel()]):
        raise Difference("another dx without g")
    load()
    run(gradients, None)
    if not torch.equal(first, gradients.floats[:model.floats]):
        raise Difference("another g without dx")
    load()
    model.set_add(scratch.address, 1)
    run(gradients, None if tokens else dx)
    model.set_add(scratch.address, 0)
    if not torch.equal(first_x, dx.floats[:d_x.numel()]):
        raise Difference("another dx with w->add")
    error, at = worst(gradients.floats[:model.floats], 2 * first.double(), 2 * first.abs().max().item() if first.numel() else 1)
    if error > 1e-6:
        raise Difference(f"with w->add the gradient is not twice as much: apart by {error:.2g} at {at}")


def compare(c, library):
    """Raises Difference where the compiled network c and PyTorch part."""
    torch.manual_seed(0)
    option = dict(o.strip("'")[2:].split("=") for o in c.options if "=" in o)
    net = language.read((f"input {option['input']}\n" if "input" in option else "") + c.text, None,
                        int(option["batch"]) if "batch" in option else None)
    model = Model.in_dll(library, f"net{c.number}_model")
    shape = (*net.shape, 0) if len(net.shape) == 2 else tuple(net.shape) + (1,) * (3 - len(net.shape))
    facts = {"input_shape": (tuple(model.input_shape), shape), "input": (model.input, math.prod(net.shape)), "batch": (model.batch, net.batch),
             "output": (model.output, math.prod(net.output_shape)), "targets": (model.targets, math.prod(net.target_shape) if net.loss_name != "none" else 0),
             "vocabulary": (model.vocabulary, net.vocabulary or 0), "int_targets": (model.int_targets, int(net.int_targets)), "params": (model.params, sum(v.numel() for _, v in net.parameters)),
             "tensors": ([(t.name.decode(), tuple(t.shape[:t.ndim])) for t in model.tensors[:model.ntensors]],
                         [(k, tuple(v.shape)) for k, v in net.tensors])}
    for name, (ours, theirs) in facts.items():
        if ours != theirs:
            raise Difference(f"{name} is {ours}, PyTorch has {theirs}")

    weights, x, t = record.draw(net, c.n, c.draw_seed, c.whole)
    if c.ignored and net.loss_name == "crossentropy" and t.numel() > 1:
        t.flatten()[1:][torch.rand(t.numel() - 1, generator=torch.Generator().manual_seed(c.draw_seed)) < 0.4] = -100
    params, gradients, scratch = Memory(model.params_bytes), Memory(model.params_bytes), Memory(model.work_bytes)
    batch_x, batch_y, batch_t = (Memory(4 * k * net.batch) for k in (model.input, model.output, max(model.output, model.targets)))
    places = [(k, t.place()) for (k, _), t in zip(net.tensors, model.tensors[:model.ntensors])]
    padding = torch.ones(model.params_bytes // 4, dtype=torch.bool)
    for _, place in places:
        padding[place] = False
    padding = padding[:model.floats]
    learnt = [(k, place) for k, place in places if not record.is_statistic(k)]
    statistics = [(k, place) for k, place in places if record.is_statistic(k)]

    def load():
        params.floats[:model.params_bytes // 4] = 0
        for (_, place), w in zip(places, weights):
            params.floats[place] = w.flatten()
        if model.prepare:
            model.prepare(params.address)

    load()
    if net.vocabulary:
        batch_x.ints[:x.numel()] = x.flatten().int()
    else:
        batch_x.floats[:x.numel()] = x.flatten()
    if net.int_targets:
        batch_t.ints[:t.numel()] = t.flatten().int()
    else:
        batch_t.floats[:t.numel()] = t.flatten()
    if model.set_rng:
        model.set_rng(scratch.address, 1)
        model.set_add(scratch.address, 0)

    def forward():
        model.forward(params.address, scratch.address, c.n, batch_x.address, batch_y.address)

    if net.loss_name == "none":
        compare_outside(c, net, model, weights, x, t, load, params, gradients, scratch, batch_x, batch_y, batch_t, places, padding)
        return

    def backward():
        return torch.tensor(model.backward(params.address, scratch.address, c.n, batch_x.address, batch_t.address, gradients.address))

    cache = []
    y, loss, d, moved = record.answers(net, weights, x, t, torch.float64)

    def others(pick):
        if not cache:
            cache.append(record.answers(net, weights, x, t, torch.float32))
            if not c.whole:
                cache.extend(record.answers(net, weights, x, t, torch.float64, noise) for noise in (1e-7, -1e-7, 3e-7, -3e-7))
        return [pick(o) for o in cache]

    for attempt in ("", "again, after training: "):
        forward()
        hold(attempt + "output", batch_y.floats[:y.numel()].reshape(y.shape), y, FORWARD, lambda: others(lambda o: o[0]))
        if not batch_y.floats[y.numel():model.output * net.batch].isnan().all():
            raise Difference("forward writes behind the samples of the call")
        if c.inference:
            if bool(model.backward) != ("--inference" not in c.options):
                raise Difference("backward is there although --inference, or not there without")
            return
        hold(attempt + "loss", backward(), loss, FORWARD, lambda: others(lambda o: o[1]))
        largest = max((v.abs().max().item() for v in d), default=0)
        for i, (name, place) in enumerate(learnt):
            hold(attempt + f"gradient of {name}", gradients.floats[place].reshape(d[i].shape), d[i], GRADIENT,
                 lambda: others(lambda o: o[2][i]), largest / 100)
        for i, (name, place) in enumerate(statistics):
            hold(attempt + name, params.floats[place].reshape(moved[i].shape), moved[i], FORWARD, lambda: others(lambda o: o[3][i]))
            params.floats[place] = dict(zip((k for k, _ in places), weights))[name].flatten()
        if gradients.floats[:model.floats][padding].ne(0).any():
            raise Difference("padding of the gradients is not 0")
    if not places:
        return

    o = nn_optimizer(c.rule)
    library.nn_state_size.restype = ctypes.c_size_t
    size = library.nn_state_size(ctypes.byref(o), ctypes.c_size_t(model.floats))
    state, losses = Memory(4 * size), []
    state.floats[:size] = 0
    load()
    for _ in range(STEPS):
        losses.append(backward())
        library.nn_step(ctypes.byref(o), P(params.address), P(gradients.address), P(state.address), ctypes.c_size_t(model.floats))
    reference, runs = record.train(net, weights, x, t, c.rule, torch.float64), []

    def reruns(pick):
        if not runs:
            g = torch.Generator().manual_seed(2)
            for noise in (0, 1e-7, 1e-7, 1e-7, 3e-7):
                disturbed = [w * (1 + noise * torch.randn(w.shape, generator=g)) for w in weights]
                runs.append(record.train(net, disturbed, x, t, c.rule, torch.float32))
        return [pick(r) for r in runs]

    hold(f"{c.rule}: loss before step", torch.stack(losses), reference[0], LOSSES, lambda: reruns(lambda r: r[0]))
    for i, (name, place) in enumerate(places):
        final = reference[1][i]
        hold(f"{c.rule}: after {STEPS} steps {name}", params.floats[place].reshape(final.shape), final, WEIGHTS,
             lambda: reruns(lambda r: r[1][i]))
    if params.floats[:model.floats][padding].ne(0).any():
        raise Difference("padding of the weights is not 0 after training")


def check(cases, folder):
    """Builds and compares; returns {number: message} of the cases that fail. The calls run in a child, since code
    that is wrong may also crash or hang."""
    failed = build(cases, folder)
    left = [c for c in cases if c.number not in failed]
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            torch.set_num_threads(1)
            with os.fdopen(writer, "w") as out:
                library = ctypes.CDLL(os.path.abspath(f"{folder}/all.so"))
                for c in left:
                    try:
                        compare(c, library)
                        message = None
                    except Difference as difference:
                        message = str(difference)
                    except Exception as error:       # ours, not the compiler's: say so
                        message = f"fuzz.py itself: {type(error).__name__}: {error}"
                    out.write(json.dumps(message) + "\n")
                    out.flush()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answers:
            while left:
                ready = select.select([answers], [], [], SECONDS)[0]
                line = answers.readline() if ready else ""
                if not line:
                    os.kill(child, signal.SIGKILL)
                    status = os.waitpid(child, 0)[1]
                    failed[left.pop(0).number] = f"crashes with signal {status & 127}" if ready else "hangs"
                    break
                c, message = left.pop(0), json.loads(line)
                if message:
                    failed[c.number] = message
            else:
                os.waitpid(child, 0)
    return failed


def shrink(c, message):
    """The smallest case found that still fails, by dropping statements and words and lowering numbers."""
    def copy(text, n):
        other = Case.__new__(Case)
        kept = [o for o in c.options if o in ("--inference", "--math=winograd", "--lanes=samples") or o.startswith("--blocks")]
        other.__dict__.update(c.__dict__, text=text, n=n, options=kept)
        return other

    def variants(lines, n):
        for i in range(len(lines)):
            yield lines[:i] + lines[i + 1:], n
        if n > 1:
            yield lines, 1
        for i, line in enumerate(lines):
            words = line.split()
            for k in range(1, len(words)):
                yield lines[:i] + [" ".join(words[:k] + words[k + 1:])] + lines[i + 1:], n
            for m in re.finditer(r"\d+(?!->)", line):
                for less in {1, int(m[0]) // 2, int(m[0]) - 1}:
                    if 0 <= less < int(m[0]):
                        yield lines[:i] + [line[:m.start()] + str(less) + line[m.end():]] + lines[i + 1:], n

    best, said, tries = c, message, 0
    if c.number in check([plain := copy(c.plain(), c.n)], FOLDER + "/shrink"):
        best = plain
        lines = [re.sub(r"\d+->", "", line) for line in c.plain().strip().split("\n")]
        again = True
        while again and tries < 150:
            again = False
            for smaller, n in variants(lines, best.n):
                text = "\n".join(smaller) + "\n"
                try:
                    net = language.read(text)
                except language.LanguageError:
                    continue
                if min(n, net.batch) < net.least_samples:
                    continue
                candidate = copy(text, min(n, net.batch))
                tries += 1
                if failed := check([candidate], FOLDER + "/shrink"):
                    best, said, lines, again = candidate, failed[c.number], smaller, True
                    break
                if tries >= 150:
                    break
    return best, said


# ---- What is not a network ----

def misspell(r, word):
    i = r.randrange(max(1, len(word)))
    return r.choice([word[:i] + word[i + 1:], word[:i] + r.choice("abcxyz_") + word[i:], word[:i] + word[i:i + 2][::-1] + word[i + 2:]])


def spoil(r, text):
    """text with one thing wrong, or perhaps not."""
    lines = [line.split() for line in text.strip().split("\n")]
    i = r.randrange(len(lines))
    k = r.randrange(len(lines[i]))

    def change():
        if numbers := list(re.finditer(r"\d+", lines[i][k])):
            m = r.choice(numbers)
            new = r.choice(["0", "1", "2", "3", "4", "5", "7", "8", "9", "13", "64", "2.5", "-1"])
            lines[i][k] = lines[i][k][:m.start()] + new + lines[i][k][m.end():]
    def repeat():
        lines[i].insert(k, lines[i][k])
    def drop():
        del lines[i][k]
    def wrong():
        lines[i][k] = misspell(r, lines[i][k])
    def more():
        lines[i].insert(k + 1, r.choice(EXTRA))
    def without_line():
        del lines[i]
    def line_twice():
        lines.insert(i, list(lines[i]))
    def swap():
        j = r.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    for _ in range(r.choice([1, 1, 1, 2])):
        i = r.randrange(len(lines)) if lines else 0
        if lines and lines[i]:
            k = r.randrange(len(lines[i]))
            r.choice([change] * 6 + [repeat, drop, drop, wrong, wrong, more, more, more, without_line, line_twice, swap])()
    return "\n".join(" ".join(words) for words in lines) + "\n"


def verdicts(c, seed, times):
    """Yields (text, message) where nnc and PyTorch do not agree whether something is a network."""
    r = random.Random(f"{seed}/{c.number}/spoilt")
    for _ in range(times):
        text = spoil(r, c.plain())
        try:
            language.read(text)
            theirs = None
        except language.Unclear:
            continue
        except language.LanguageError as error:
            theirs = str(error)
        try:
            ours = subprocess.run(["build/nnc", "--check", "-"], input=text, capture_output=True, text=True, timeout=30, errors="replace")
        except subprocess.TimeoutExpired:
            yield text, "--check takes more than 30 seconds"
            continue
        said = ours.stderr.strip().split("\n")
        if ours.returncode not in (0, 1):
            yield text, f"exit status {ours.returncode}"
        elif theirs is None and ours.returncode:
            yield text, "PyTorch accepts it; nnc: " + said[0]
        elif theirs is not None and not ours.returncode:
            yield text, "nnc accepts it; PyTorch: " + theirs
        elif ours.returncode and not re.match(r"[^:]+:\d+:\d+: ", said[0]):
            yield text, "no FILE:LINE:COLUMN in: " + said[0]
        elif ours.returncode and not any(re.fullmatch(r"[\s|\d]*\^~*\s*.*", line) for line in said[1:]):
            yield text, "no caret under: " + said[0]


def main():
    parser = argparse.ArgumentParser(description="random networks against PyTorch")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    parser.add_argument("--count", type=int, default=200, help="networks (200)")
    parser.add_argument("--only", type=int, help="just this one of them")
    parser.add_argument("--spoil", type=int, default=10, help="spoilt texts of each network (10)")
    parser.add_argument("--no-shrink", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"seed {a.seed}", flush=True)
    numbers = [a.only] if a.only is not None else list(range(a.count))
    wrong, disagreements, started = 0, {}, time.time()
    for first in range(0, len(numbers), GROUP):
        cases = [Case(a.seed, i) for i in numbers[first:first + GROUP]]
        failed = check(cases, FOLDER)
        for c in cases:
            if c.number in failed:
                wrong += 1
                print(f"\n---- network {c.number}: {failed[c.number]}\n{c.text}", flush=True)
                small, said = (c, None) if a.no_shrink else shrink(c, failed[c.number])
                options = " ".join(small.options + [f"--unroll={c.unroll} --target={c.target}, {c.cc} {c.flags}"])
                print(f"---- smallest found: {said}\n{small.text}---- n {small.n}{', whole numbers' if c.whole else ''}, {options}\n"
                      f"---- again: tests/torch/fuzz.py --seed {a.seed} --only {c.number}\n", flush=True)
            for text, message in [] if c.outside else verdicts(c, a.seed, a.spoil):
                kind = re.sub(r"\d+", "N", message)       # one of each sort is enough to read
                disagreements.setdefault(kind, []).append(text)
                if len(disagreements[kind]) == 1:
                    print(f"\n---- network {c.number} spoilt: {message}\n{text}", flush=True)
        print(f"{first + len(cases)} networks, {wrong} differ, {sum(map(len, disagreements.values()))} verdicts differ, "
              f"{time.time() - started:.0f} s", flush=True)
    sys.exit(bool(wrong or disagreements))


if __name__ == "__main__":
    main()
