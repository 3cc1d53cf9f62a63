#!/usr/bin/python3
"""Records what is done around an optimizer's step, from PyTorch: clipping, learning rates, averages, groups.

    tests/torch/around.py > tests/torch/around.ref          (PyTorch 1.13)

Numbers come from splitmix64, as in optimizers.py: weight i begins as uniform(1, i) - 0.5, and its gradient in step
s (from 1) is (uniform(2, 33 s + i) - 0.5) * 4^(i mod 5 - 2).

    clip MOST NORM G0 ... G32              the gradients of step 1, clipped
    rate NAME ARGUMENTS : R0 R1 ...        from step 0 on
    average : W0 ... W7                    the mean of the weights of 5 steps of SGD (lr 0.1), and under ema of 5
    ema DECAY : W0 ... W7
    groups NAME : W0 ... W32               after 5 steps; the tensors are 3x4, 3, 2x3x2, 6
    loss NAME MEAN D0 ... D32              of y = 6 (uniform(1, i) - 0.5) and t = uniform(2, i), where each fifth t is 0; or
                                           of 11 rows of 3 and the labels 3 uniform(3, i), of which the fifth is -100
"""
import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_
from torch.optim import lr_scheduler, swa_utils

from optimizers import N, uniform

SHAPES = {"body.weight": (3, 4), "body.bias": (3,), "head.weight": (2, 3, 2), "head.bias": (6,)}


def start():
    return torch.tensor([uniform(1, i) - 0.5 for i in range(N)])


def gradient(step):
    return torch.tensor([(uniform(2, N * step + i) - 0.5) * 4.0 ** (i % 5 - 2) for i in range(N)])


def text(values):
    return " ".join("%.9g" % v for v in values)


def clip(most):
    w = start().requires_grad_()
    w.grad = gradient(1)
    norm = clip_grad_norm_([w], most)
    print("clip %g %.9g" % (most, norm), text(w.grad.tolist()))


def rates(line, lr, steps, make):
    """The momentum, too, where the schedule moves it."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler, seen, momenta = make(optimizer), [], []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        scheduler.step()
    print("rate", line, ":", text(seen))
    if len(set(momenta)) > 1:
        print("rate momentum_" + line.split(" ", 1)[0], line.split()[-1], ":", text(momenta))


def averaged(line, module):
    model = torch.nn.Linear(N, 1, bias=False)
    model.weight.data = start().reshape(1, N)
    average = module(model)
    for step in range(1, 6):
        with torch.no_grad():
            model.weight -= 0.1 * gradient(step)
        average.update_parameters(model)
    print(line, ":", text(average.module.weight.flatten().tolist()[:8]))


def groups(name, make):
    tensors, at = {}, 0
    for k, shape in SHAPES.items():
        size = torch.Size(shape).numel()
        tensors[k] = start()[at:at + size].reshape(shape).clone().requires_grad_()
        at += size
    optimizer = make(tensors)
    for step in range(1, 6):
        at = 0
        for v in tensors.values():
            v.grad = gradient(step)[at:at + v.numel()].reshape(v.shape)
            at += v.numel()
        optimizer.step()
    print("groups", name, ":", text(torch.cat([v.detach().flatten() for v in tensors.values()]).tolist()))


def losses():
    y = (6 * start()).double()
    t = torch.tensor([uniform(2, i) if i % 5 else 0 for i in range(N)]).double()
    labels = torch.tensor([int(3 * uniform(3, i)) if i != 4 else -100 for i in range(N // 3)])
    for name, loss in {"crossentropy": lambda y: F.cross_entropy(y.reshape(-1, 3), labels),
                       "kl": lambda y: F.kl_div(F.log_softmax(y.reshape(-1, 3), 1), t.reshape(-1, 3), reduction="batchmean"),
                       "bce": lambda y: F.binary_cross_entropy_with_logits(y, t), "mse": lambda y: F.mse_loss(y, t),
                       "l1": lambda y: F.l1_loss(y, t), "huber": lambda y: F.huber_loss(y, t, delta=0.7)}.items():
        x = y.clone().requires_grad_()
        value = loss(x)
        value.backward()
        print("loss", name, "%.9g" % value.item(), text(x.grad.tolist()))


def main():
    print("# written by tests/torch/around.py, PyTorch", torch.__version__)
    for most in (100, 10, 1, 0.001, 0):
        clip(most)
    rates("constant 0.1", 0.1, 12, lambda o: lr_scheduler.LambdaLR(o, lambda step: 1.0))
    rates("step 0.1 3 0.1", 0.1, 12, lambda o: lr_scheduler.StepLR(o, 3, 0.1))
    rates("step 0.3 1 0.97", 0.3, 40, lambda o: lr_scheduler.StepLR(o, 1, 0.97))
    rates("cosine 0.1 20 0", 0.1, 21, lambda o: lr_scheduler.CosineAnnealingLR(o, 20))
    rates("cosine 0.3 7 0.01", 0.3, 8, lambda o: lr_scheduler.CosineAnnealingLR(o, 7, 0.01))
    rates("linear 0.1 5 0.2", 0.1, 9, lambda o: lr_scheduler.LinearLR(o, 0.2, 1, 5))
    for steps in (1, 2, 3, 4, 10, 37):
        rates("onecycle 0.5 %d" % steps, 0.5, steps, lambda o: lr_scheduler.OneCycleLR(o, 0.5, steps))
    averaged("average", swa_utils.AveragedModel)
    for decay in (0.9, 0.999):
        averaged("ema %g" % decay, lambda model: swa_utils.AveragedModel(model, avg_fn=lambda a, w, n: decay * a + (1 - decay) * w))
    groups("decay", lambda t: torch.optim.AdamW([
        {"params": [v for v in t.values() if v.dim() >= 2], "weight_decay": 0.5},
        {"params": [v for v in t.values() if v.dim() < 2], "weight_decay": 0.0}], lr=0.01))
    groups("head", lambda t: torch.optim.SGD([
        {"params": [v for k, v in t.items() if k.startswith("head.")], "lr": 0.2},
        {"params": [v for k, v in t.items() if k == "body.weight"], "lr": 0.01}], lr=1, momentum=0.9))
    losses()


if __name__ == "__main__":
    main()
