"""Networks on sequences beside PyTorch: a step of training, one sample, and one position of net_next.

    /usr/bin/python3 tests/bench/sequences.py [TARGET [SECONDS [NAME...]]]        in the repository's root, after make

Processor time of one thread, in turns of so many seconds; the median of the turns is printed, as a table. A step is forward,
backward, AdamW, and gradients cut to norm 1. PyTorch runs the modules that tests/torch/language.py makes of the same text,
eagerly; it has nothing like net_next.
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

TURNS = 3


def example(name, **changes):
    with open(f"examples/{name}.nn") as f:
        text = f.read()
    for old, new in changes.get("changes", []):
        text = text.replace(old, new)
    return text


# name: text, batch, has it net_next?
WIDE = [("input 64", "input 256"), ("embedding 128", "embedding 384"), ("repeat 4", "repeat 6"), ("attention 4", "attention 6"),
        ("fc 512", "fc 1536"), ("fc 128; add b", "fc 384; add b")]
NETWORKS = {
    "gpt": (example("gpt"), 12, True),                    # 4 layers, 4 heads, width 128, 64 positions
    "gpt384": (example("gpt", changes=WIDE), 4, True),    # 6 layers, 6 heads, width 384, 256 positions
    "lstm": ("input 100x16\nlstm 64\nfc 4\n", 32, True),
    "keywords": (example("keywords"), 32, False),
}
PROGRAM = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static net_params p, g;
static net_work w;
#ifdef NEXT
static net_state s;
#endif
static float state[2 * NET_FLOATS + NN_STATE_HEAD], y[NET_BATCH * NET_OUTPUT], x[NET_BATCH * NET_INPUT], t[NET_BATCH * NET_TARGETS];
static void fill(float *a, int count, int ints, int below)
{
    for (int i = 0; i < count; i++)
        if (ints)
            ((int *)(void *)a)[i] = i * 7 % below;
        else
            a[i] = (float)(i * 7919 % 1000) / 500 - 1;
}
static void work(int what)
{
    static nn_optimizer o;
    if (what == 0) {
        o = nn_adam(1e-3f);
        o.beta2 = 0.99f, o.decoupled = 1, o.weight_decay = 0.1f;
        net_backward(&p, &w, NET_BATCH, (void *)x, (void *)t, &g);
        nn_clip((float *)&g, NET_FLOATS, 1);
        nn_step(&o, (float *)&p, (const float *)&g, state, NET_FLOATS);
    } else if (what == 1)
        net_forward(&p, &w, 1, (void *)x, y);
#ifdef NEXT
    else if (!net_next(&p, &s, &w, (void *)x, y))
        memset(&s, 0, sizeof s);
#endif
}
int main(int argc, char **argv)
{
    const int what = atoi(argv[1]);
    const double seconds = atof(argv[argc - 1]);
    fill(x, NET_BATCH * NET_INPUT, net_model.vocabulary > 0, (int)net_model.vocabulary);
    fill(t, NET_BATCH * NET_TARGETS, net_model.int_targets, NET_OUTPUT / NET_TARGETS);
    net_init(&p, 1);
    work(what);
    const clock_t begin = clock();
    for (long rounds = 0, some = 1;; some *= 2) {
        for (long i = 0; i < some; i++)
            work(what);
        rounds += some;
        const double passed = (double)(clock() - begin) / CLOCKS_PER_SEC;
        if (passed > seconds)
            return printf("%g\\n", passed / (double)rounds) < 0;
    }
}
"""


def build(folder, target, text, batch, streams):
    for name, content in ("main.c", PROGRAM), ("net.nn", text):
        with open(f"{folder}/{name}", "w") as f:
            f.write(content)
    options = ["--stream"] if streams else []
    subprocess.run(["build/nnc", "--prefix=net", f"--batch={batch}", f"--target={target}", *options, "-o", f"{folder}/net.c",
                    f"{folder}/net.nn"], check=True)
    defines = ["-DNEXT"] if streams else []
    subprocess.run(["cc", "-O2", "-march=native", *defines, "-Iruntime", f"-I{folder}", "-o", f"{folder}/net", f"{folder}/main.c",
                    f"{folder}/net.c", "build/libnn.a", "-lm"], check=True)


class Theirs:
    def __init__(self, text, batch):
        self.net = language.read(text, batch=batch)
        shape = (batch, *self.net.shape)
        self.x = torch.randint(0, self.net.vocabulary, shape) if self.net.vocabulary else torch.rand(shape) * 2 - 1
        self.t = self.net.draw_targets(torch.Generator().manual_seed(1), batch)
        self.parameters = [v for _, v in self.net.parameters]
        self.rule = torch.optim.AdamW(self.parameters, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)

    def step(self):
        self.rule.zero_grad()
        self.net.loss(self.x, self.t).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.rule.step()

    def answer(self):
        self.net.forward(self.x[:1])


def turn(work, seconds):
    work()
    begin, rounds = time.process_time(), 0
    while (passed := time.process_time() - begin) < seconds:
        work()
        rounds += 1
    return passed / rounds


def compare(target, seconds, text, batch, streams):
    """[training, PyTorch's, one sample, PyTorch's, one position] in seconds"""
    theirs = Theirs(text, batch)
    times = [[] for _ in range(5)]
    with tempfile.TemporaryDirectory() as folder:
        build(folder, target, text, batch, streams)
        for _ in range(TURNS):
            for what, their_work in enumerate([theirs.step, theirs.answer] + [None] * streams):
                ours = subprocess.run([f"{folder}/net", str(what), str(seconds)], check=True, capture_output=True)
                times[2 * what].append(float(ours.stdout))
                if their_work:
                    times[2 * what + 1].append(turn(their_work, seconds))
    return [statistics.median(t) if t else None for t in times]


def main():
    target, seconds = (sys.argv[1:] + ["generic"])[0], float((sys.argv[2:] + ["1"])[0])
    torch.set_num_threads(1)
    print("| net | a step, ms | PyTorch | ratio | one sample, us | PyTorch | ratio | net_next, us |\n|---|---|---|---|---|---|---|---|")
    for name in sys.argv[3:] or NETWORKS:
        step, their_step, sample, their_sample, position = compare(target, seconds, *NETWORKS[name])
        print(f"| {name} | {1e3 * step:.3g} | {1e3 * their_step:.3g} | {their_step / step:.2f} | {1e6 * sample:.3g} | "
              f"{1e6 * their_sample:.3g} | {their_sample / sample:.2f} | {f'{1e6 * position:.3g}' if position else '-'} |", flush=True)


main()
