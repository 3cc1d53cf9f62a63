"""Times one network in PyTorch, one thread, under the protocol of net.c: `train SECONDS`, `infer SECONDS`.

The best of the ways that PyTorch offers is taken: eager or traced, channels first or last; it is found before the
first request is answered. Which library multiplies matrices is the system's affair; Debian's plain one (libblas3) is
some thirty times slower than libopenblas0."""
import os
import sys
import time

for library in "OPENBLAS", "OMP", "MKL", "BLIS":
    os.environ[library + "_NUM_THREADS"] = "1"    # each is asked when it is loaded

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, sys.argv[2])
import language


class Graph(nn.Module):
    """layers: (function, numbers of the values it reads); value 0 is the input, i what layer i gives."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers
        self.modules_ = nn.ModuleList([f for f, _ in layers if isinstance(f, nn.Module)])

    def forward(self, x):
        values = [x]
        for f, reads in self.layers:
            values.append(f(*(values[i] for i in reads)))
        return values[-1]


def plain(layers, shape):
    """Without the flattening that a flat value does not need."""
    result, values = [], [torch.zeros(1, *shape)]
    for kind, f, reads in layers:
        if kind == "fc" and values[reads[0]].dim() == 2:
            f = f[1]
        values.append(f(*(values[i] for i in reads)))
        result.append((f, reads))
    return result


def seconds_of(work, seconds):
    begin, n, block = time.perf_counter(), 0, 1
    while True:
        for _ in range(block):
            work()
        n += block
        passed = time.perf_counter() - begin
        if passed >= seconds:
            return passed / n
        if passed < seconds / 8:
            block *= 2


def main():
    torch.set_num_threads(1)
    net = language.read(open(sys.argv[1]).read())
    layers = plain(net.layers, net.shape)
    logits = layers[:net.loss_of]    # without the softmax that crossentropy contains
    x, t = torch.rand(net.batch, *net.shape), net.draw_targets(torch.Generator().manual_seed(1), net.batch)
    trains, infers = [], []
    for last in (False, True) if len(net.shape) == 3 else (False,):
        layout = torch.channels_last if last else torch.contiguous_format
        inputs = x.contiguous(memory_format=layout)
        for trace in (False, True):
            model = Graph(logits).train().to(memory_format=layout)
            run = torch.jit.trace(model, inputs) if trace else model
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-9, momentum=0.9)

            def train(run=run, optimizer=optimizer, inputs=inputs):
                optimizer.zero_grad(set_to_none=True)
                F.cross_entropy(run(inputs), t).backward()
                optimizer.step()

            whole, one = Graph(layers).eval().to(memory_format=layout), x[:1].contiguous(memory_format=layout)
            with torch.inference_mode():
                answer = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(whole, one))) if trace else whole

            def infer(answer=answer, one=one):
                with torch.inference_mode():
                    answer(one)

            trains.append(train)
            infers.append(infer)
    best = {}
    for name, ways in ("train", trains), ("infer", infers):
        times = []
        for way in ways:
            seconds_of(way, 0.1)
            times.append(seconds_of(way, 0.1))
        best[name] = ways[times.index(min(times))]
    for line in sys.stdin:
        name, seconds = line.split()
        took = seconds_of(best[name], float(seconds))
        print(f"{net.batch / took if name == 'train' else 1e6 * took:.6g}", flush=True)


main()
