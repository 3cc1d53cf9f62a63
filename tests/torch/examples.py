"""Writes examples.ref: the networks of examples/ under PyTorch, for tests/test_examples.c.

    /usr/bin/python3 tests/torch/examples.py        in the repository's root

Weights, samples and targets are not in the file: both sides draw them by the same formula from splitmix64 (nn_uniform_at of
nn.h), so that a network of 270,000 weights takes a page. What comes out stands there as three numbers an array, its norm and
two projections (sums of its elements, each times a number between -1 and 1 from the same generator): whatever changes
an array by a share of its norm changes a projection by about as much.

Answers, loss and gradients are those of one batch; then STEPS steps of an optimizer, and by how much they moved each weight
and each running statistic. All in double precision. A relu that rounding turns over, or a maximum, makes an
answer that depends on the order of sums: a seed is taken when single precision and disturbed weights stay far within
what the test allows.
"""
import os
import sys
import numpy as np
import torch

sys.dont_write_bytecode = True
import language
import record

STEPS = 4
CANCELLATION = 1e-6       # share of the network's largest that any array may be off: sums that cancel keep their rounding
# name, input, samples, optimizer: as small as the network's idea allows
EXAMPLES = [
    ("resnet20", (3, 16, 16), 2, "momentum lr 0.02 momentum 0.9 weight_decay 0.0001"),
    ("mobilenet", (3, 16, 16), 2, "momentum lr 0.02 momentum 0.9 nesterov 1"),
    ("unet", (1, 16, 16), 2, "adam lr 0.001 eps 0.001"),
    ("tags", (3, 32, 32), 3, "adam lr 0.001 eps 0.001"),
    ("regression", (10,), 8, "rmsprop lr 0.001 eps 0.001"),
    ("autoencoder", (1, 28, 28), 4, "sgd lr 0.1"),
    ("forecast", (96, 1), 3, "adam lr 0.001 eps 0.001"),
    ("keywords", (400, 1), 3, "adam lr 0.001 eps 0.001"),
    ("vit", (1, 14, 14), 3, "adam lr 0.001 eps 0.001"),
    ("reverse", None, 3, "adam lr 0.001 eps 0.001"),
    ("gpt", None, 2, "adam lr 0.001 beta1 0.9 beta2 0.99 eps 0.001 decoupled 1 weight_decay 0.1 matrices 1 clip 1"),
]
HEAD = """\
# The networks of examples/ under PyTorch, written by tests/torch/examples.py: don't edit. One item a line:
#
#   example NAME   options FOR NNC   seed SEED   n SAMPLES   optimizer METHOD FIELD VALUE .. end
#       (matrices 1: nothing else decays; clip: the norm to which gradients are cut)
#   y DIGEST       loss VALUE        d TENSOR DIGEST      losses COUNT VALUES     moved TENSOR DIGEST
#
# A digest is the array's norm and two projections.
"""


def uniform(stream, count):
    """nn_uniform_at(stream, 0 .. count-1), exactly."""
    with np.errstate(over="ignore"):
        z = np.uint64(stream) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 16777216


def between(low, high, stream, shape):
    """Doubles in [low, high), rounded to float."""
    values = low + (high - low) * uniform(stream, int(np.prod(shape)))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def draw(net, n, seed):
    """(weights, samples, targets); tensor k of the network has its own stream. test_examples.c does the same."""
    weights = []
    for k, (name, v) in enumerate(net.tensors):
        fan_in = v[0].numel() if v.dim() > 1 else 1
        bound = (6 / fan_in) ** 0.5
        low, high = {"running_var": (0.5, 1.5), "running_mean": (-0.5, 0.5), "bias": (-0.1, 0.1), "in_proj_bias": (-0.1, 0.1)}.get(
            name.split(".")[-1].split("_ih")[0].split("_hh")[0], (-bound, bound) if v.dim() > 1 else (0.5, 1.5))
        weights.append(between(low, high, 1000 * seed + k, tuple(v.shape)))
    x = between(0 if net.vocabulary else -1, net.vocabulary or 1, 1000 * seed + 998, (n, *net.shape))
    t = between(0, net.classes if net.int_targets else 1, 1000 * seed + 999, (n, *net.target_shape))
    x = x.floor() if net.vocabulary else x
    return weights, x, t.floor() if net.int_targets else t


def digest(v):
    v = v.detach().double().flatten()
    return [v.norm().item()] + [(v * torch.from_numpy(2 * uniform(stream, v.numel()) - 1)).sum().item() for stream in (1, 2)]


def train(net, weights, x, t, words, dtype):
    """record.train, but for gradients that are cut and vectors that don't decay."""
    fields = words.split()
    extra = {k: float(v) for k, v in zip(fields[1::2], fields[2::2]) if k in ("matrices", "clip")}
    if not extra:
        return record.train(net, weights, x, t, words, dtype, STEPS)
    net.to(dtype)
    for (_, v), w in zip(net.tensors, weights):
        v.data = w.to(dtype, copy=True)
    plain = " ".join(f for k, v in zip(["method"] + fields[1::2], [fields[0]] + fields[2::2])
                     for f in ([v] if k == "method" else [k, v]) if k not in extra)
    parameters = [v for _, v in net.parameters]
    rule, losses = record.optimizer(plain, [{"params": [v for v in parameters if v.dim() > 1]},
                                            {"params": [v for v in parameters if v.dim() == 1], "weight_decay": 0.0}]), []
    for _ in range(STEPS):
        rule.zero_grad()
        loss = net.loss(x.to(dtype), t.long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, extra["clip"])
        rule.step()
        losses.append(loss.detach())
    return torch.stack(losses), [v.detach().clone() for _, v in net.tensors]


def everything(net, weights, x, t, words, dtype, noise=0.0, noise_seed=1):
    """{line's key: digest or values}"""
    g = torch.Generator().manual_seed(noise_seed)
    disturbed = [w.to(dtype) * (1 + noise * torch.randn(w.shape, generator=g, dtype=dtype)) for w in weights]
    y, loss, gradients, _ = record.answers(net, disturbed, x, t, dtype)
    losses, final = train(net, disturbed, x, t, words, dtype)
    result = {"y": digest(y), "loss": [loss.item()], "losses": losses.tolist()}
    result |= {f"d {k}": digest(d) for (k, _), d in zip(net.parameters, gradients)}
    result |= {f"moved {k}": digest(f.double() - w.double()) for (k, _), f, w in zip(net.tensors, final, disturbed)}
    return result


def worst(exact, other):
    """How far apart, in shares of what the test allows; and where."""
    allowed = {"y": 1e-5, "loss": 1e-5, "losses": 1e-4, "d": 2e-4, "moved": 2e-3}
    largest = {key.split()[0]: 0 for key in exact}
    for key, values in exact.items():
        largest[key.split()[0]] = max(largest[key.split()[0]], *map(abs, values))
    def share(key):
        most = max(map(abs, exact[key])) * allowed[key.split()[0]] + CANCELLATION * largest[key.split()[0]]
        return max(abs(a - b) for a, b in zip(exact[key], other[key])) / most
    return max((share(key), key) for key in exact)


def main():
    torch.set_num_threads(1)
    lines = [HEAD]
    for name, shape, n, words in EXAMPLES:
        size = f"--input={'x'.join(map(str, shape))} " if shape else ""
        with open(f"examples/{name}.nn") as f:
            net = language.read(f.read(), input=shape, batch=n)
        for seed in range(1, 200):
            weights, x, t = draw(net, n, seed)
            exact = everything(net, weights, x, t, words, torch.float64)
            apart = (0, "")
            for how in [(torch.float32,)] + [(torch.float64, 3e-7, k) for k in range(6)]:
                apart = max(apart, worst(exact, everything(net, weights, x, t, words, *how)))
                if apart[0] > 0.3:
                    break
            else:
                break
        else:
            raise SystemExit(f"{name}: no stable draw")
        print(f"{name}: seed {seed}, rounding takes {apart[0]:.2f} of what is allowed, at {apart[1]}", flush=True)
        lines += [f"example {name}\noptions {size}--batch={n}\nseed {seed}\nn {n}\noptimizer {words} end"]
        for key, values in exact.items():
            lines += [f"{key} {len(values)} " + " ".join("%.9g" % v for v in values)]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "examples.ref")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
