#!/usr/bin/python3
"""Records what the runtime is compared with, from PyTorch and from a safetensors writer of its own.

    tests/torch/optimizers.py > tests/torch/optimizers.ref     records (PyTorch 1.13)
    tests/torch/optimizers.py FILE.safetensors                 reads a file strictly and prints what it holds

Weights and gradients are not recorded; both sides compute them from splitmix64. Weight i begins as
nn_uniform_at(1, i) - 0.5, except that weight 5 begins as 0; its gradient in step s (from 1) is
(nn_uniform_at(2, 33 s + i) - 0.5) * 4^(i mod 5 - 2), except that weight 5 has gradient 0. All of these are exact.

The text, line by line:
    case METHOD FIELD VALUE ...     a new optimizer; METHOD names the constructor, FIELDs those of nn_optimizer,
                                    and lr11 is the lr from step 11 on
    step S W0 ... W7                the first 8 weights after step S; after step 20 all 33
    file NAME HEX                   a safetensors file
An optimizer treats each weight by itself, so the first n weights serve as the case of n weights, too.
"""
import json
import struct
import sys

N, STEPS = 33, 20

CASES = """
sgd lr 0.1
sgd lr 0.1 weight_decay 0.01
sgd lr 0.1 maximize 1
sgd lr 0.1 weight_decay 0.05 maximize 1 lr11 0.01
momentum lr 0.01 momentum 0.9
momentum lr 0.01 momentum 0.9 dampening 0.1
momentum lr 0.01 momentum 0.9 nesterov 1
momentum lr 0.01 momentum 0.5 maximize 1
momentum lr 0.01 momentum 0.9 weight_decay 0.1
momentum lr 0.01 momentum 0.9 weight_decay 0.1 nesterov 1 maximize 1 lr11 0.002
momentum lr 0.01 momentum 0.9 weight_decay 0.1 dampening 0.5 lr11 0.002
adagrad lr 0.01
adagrad lr 0.1 lr_decay 0.1
adagrad lr 0.1 initial_accumulator_value 0.1
adagrad lr 0.1 weight_decay 0.01
adagrad lr 0.1 eps 0.001
adagrad lr 0.1 maximize 1
adagrad lr 0.1 lr_decay 0.05 initial_accumulator_value 0.5 weight_decay 0.1 eps 0.00001 maximize 1 lr11 0.2
rmsprop lr 0.01
rmsprop lr 0.01 alpha 0.9
rmsprop lr 0.01 momentum 0.9
rmsprop lr 0.01 centered 1
rmsprop lr 0.01 weight_decay 0.1
rmsprop lr 0.01 eps 0.001
rmsprop lr 0.01 maximize 1
rmsprop lr 0.01 alpha 0.95 momentum 0.5 centered 1
rmsprop lr 0.01 alpha 0.95 momentum 0.9 centered 1 weight_decay 0.1 eps 0.0001 maximize 1 lr11 0.001
adam lr 0.001
adam lr 0.01 beta1 0.5
adam lr 0.01 beta2 0.9
adam lr 0.01 beta1 0.95 beta2 0.9999
adam lr 0.01 amsgrad 1 beta2 0.8
adam lr 0.01 weight_decay 0.1
adam lr 0.01 eps 0.01
adam lr 0.01 maximize 1
adam lr 0.01 beta1 0.8 beta2 0.95 amsgrad 1 weight_decay 0.1 eps 0.001 maximize 1 lr11 0.001
adam decoupled 1 lr 0.001 weight_decay 0.01
adam decoupled 1 lr 0.01 weight_decay 0.5
adam decoupled 1 lr 0.01 weight_decay 0
adam decoupled 1 lr 0.01 amsgrad 1 beta2 0.8 weight_decay 0.5
adam decoupled 1 lr 0.01 beta1 0.8 beta2 0.95 amsgrad 1 weight_decay 0.5 eps 0.001 maximize 1 lr11 0.05
"""


def uniform(seed, k):
    mask = 2**64 - 1
    z = (seed + (k + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
    return ((z ^ z >> 31) >> 40) / 2.0**24


def optimizer(torch, method, fields, weights):
    """The torch.optim object for a case. Values that a case leaves out are PyTorch's defaults."""
    f = dict(fields)
    for flag in "nesterov", "centered", "amsgrad", "maximize":
        if flag in f:
            f[flag] = bool(f[flag])
    if method == "adam":
        f["betas"] = (f.pop("beta1", 0.9), f.pop("beta2", 0.999))
    decoupled = f.pop("decoupled", 0)
    kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adagrad": torch.optim.Adagrad,
             "rmsprop": torch.optim.RMSprop, "adam": torch.optim.AdamW if decoupled else torch.optim.Adam}
    return kinds[method]([weights], **f, foreach=False)


def record_case(torch, line):
    method, *words = line.split()
    fields = {name: float(value) for name, value in zip(words[::2], words[1::2])}
    lr11 = fields.pop("lr11", None)
    start = [uniform(1, i) - 0.5 if i != 5 else 0.0 for i in range(N)]
    weights = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    optim = optimizer(torch, method, fields, weights)
    print("case", line)
    for s in range(1, STEPS + 1):
        if s == 11 and lr11 is not None:
            optim.param_groups[0]["lr"] = lr11
        gradient = [(uniform(2, N * s + i) - 0.5) * 4.0 ** (i % 5 - 2) if i != 5 else 0.0 for i in range(N)]
        weights.grad = torch.tensor(gradient, dtype=torch.float32)
        optim.step()
        shown = weights.tolist()[:N if s == STEPS else 8]
        print("step", s, *("%.9g" % w for w in shown))


def write_safetensors(tensors, metadata=None, pad=8):
    """Bytes of a file; tensors: name -> (shape, list of float). As the format's text says, nothing more."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (shape, values) in tensors.items():
        bytes_ = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % pad)
    return struct.pack("<Q", len(text)) + text + data


def read_safetensors(content):
    """The other way round; raises ValueError at the first broken rule."""
    def no_duplicates(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    def require(condition, what):
        if not condition:
            raise ValueError(what)

    require(len(content) >= 8, "no length")
    length = struct.unpack("<Q", content[:8])[0]
    require(length <= 100_000_000 and 8 + length <= len(content), "header length")
    text, data = content[8:8 + length], content[8 + length:]
    require(text[:1] == b"{", "header begins with {")
    header = json.loads(text.rstrip(b" ").decode("utf-8"), object_pairs_hook=no_duplicates)
    metadata = header.pop("__metadata__", {})
    require(all(isinstance(v, str) for v in metadata.values()), "metadata")
    end, tensors = 0, {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        require(set(entry) == {"dtype", "shape", "data_offsets"} and entry["dtype"] == "F32", "entry")
        begin, stop = entry["data_offsets"]
        count = 1
        for size in entry["shape"]:
            count *= size
        require(begin == end and stop - begin == 4 * count, "offsets of " + name)
        end = stop
        tensors[name] = (entry["shape"], struct.unpack("<%df" % count, data[begin:stop]))
    require(end == len(data), "bytes behind the last tensor")
    return length, metadata, tensors


def record():
    import torch
    print("# written by tests/torch/optimizers.py, PyTorch", torch.__version__)
    for line in CASES.strip().splitlines():
        record_case(torch, line)
    tensors = {"fc1.weight": ([2, 3], [1.0, -2.5, 3.25, 1e-40, -0.0, 3e38]), "fc1.bias": ([2], [0.5, float("inf")])}
    print("file plain", write_safetensors(tensors).hex())
    backwards = dict(reversed(tensors.items()))
    print("file backwards", write_safetensors(backwards, {"format": "pt", "a \"b\"\n": "\u00fc\U0001f600"}, 1).hex())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        record()
    else:
        length, metadata, tensors = read_safetensors(open(sys.argv[1], "rb").read())
        print("header of %d bytes, metadata %s" % (length, metadata))
        for name, (shape, values) in tensors.items():
            print(name, shape, *("%.9g" % v for v in values[:8]))
