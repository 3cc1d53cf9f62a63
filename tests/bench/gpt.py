"""The GPT of examples/gpt.nn beside PyTorch: milliseconds of processor time that one step of training takes.

    /usr/bin/python3 tests/bench/gpt.py [TARGET [SECONDS]]        in the repository's root, after make

One thread each, in turns of a few seconds; the median of the turns is printed. A step is one of examples/gpt.c: 12 pieces of
64 bytes, AdamW, gradients cut to norm 1. PyTorch runs the modules that tests/torch/language.py makes of the same text.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

for library in "OPENBLAS", "OMP", "MKL", "BLIS":
    os.environ[library + "_NUM_THREADS"] = "1"
import torch

sys.dont_write_bytecode = True
sys.path.insert(0, "tests/torch")
import language

BATCH, TURNS = 12, 3
PROGRAM = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static net_params p, g;
static net_work w;
static float state[2 * NET_FLOATS + NN_STATE_HEAD];
static int x[NET_BATCH * NET_INPUT], t[NET_BATCH * NET_TARGETS];
int main(int argc, char **argv)
{
    nn_optimizer o = nn_adam(1e-3f);
    const double seconds = argc > 1 ? atof(argv[1]) : 1;
    int steps = 0;
    o.beta2 = 0.99f, o.decoupled = 1, o.weight_decay = 0.1f;
    for (int i = 0; i < NET_BATCH * NET_INPUT; i++)
        x[i] = i * 7 % 256, t[i] = i * 5 % 256;
    net_init(&p, 1);
    for (const clock_t begin = clock();; steps++) {
        const double passed = (double)(clock() - begin) / CLOCKS_PER_SEC;
        if (passed > seconds)
            return printf("%g\\n", 1000 * passed / steps) < 0;
        net_backward(&p, &w, NET_BATCH, x, t, &g);
        nn_clip((float *)&g, NET_FLOATS, 1);
        nn_step(&o, (float *)&p, (const float *)&g, state, NET_FLOATS);
    }
}
"""


def build(folder, target):
    with open(f"{folder}/main.c", "w") as f:
        f.write(PROGRAM)
    subprocess.run(["build/nnc", "--prefix=net", f"--batch={BATCH}", f"--target={target}", "-o", f"{folder}/net.c", "examples/gpt.nn"],
                   check=True)
    subprocess.run(["cc", "-O2", "-march=native", "-Iruntime", f"-I{folder}", "-o", f"{folder}/gpt", f"{folder}/main.c", f"{folder}/net.c",
                    "build/libnn.a", "-lm"], check=True)


def torch_step(net, x, t, rule):
    rule.zero_grad()
    net.loss(x, t).backward()
    torch.nn.utils.clip_grad_norm_([v for _, v in net.parameters], 1.0)
    rule.step()


def torch_turn(work, seconds):
    begin, steps = time.process_time(), 0
    while (passed := time.process_time() - begin) < seconds:
        work()
        steps += 1
    return 1000 * passed / steps


def main():
    target, seconds = (sys.argv[1:] + ["generic"])[0], float((sys.argv[2:] + ["3"])[0])
    torch.set_num_threads(1)
    with open("examples/gpt.nn") as f:
        net = language.read(f.read(), batch=BATCH)
    x, t = torch.randint(0, 256, (BATCH, 64)), torch.randint(0, 256, (BATCH, 64))
    rule = torch.optim.AdamW([v for _, v in net.parameters], lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        build(folder, target)
        torch_step(net, x, t, rule)
        for _ in range(TURNS):
            theirs.append(torch_turn(lambda: torch_step(net, x, t, rule), seconds))
            ours.append(float(subprocess.run([f"{folder}/gpt", str(seconds)], check=True, capture_output=True).stdout))
    theirs, ours = statistics.median(theirs), statistics.median(ours)
    print(f"{target}: {ours:.1f} ms a step, PyTorch {theirs:.1f} ms, ratio {theirs / ours:.2f}")


main()
