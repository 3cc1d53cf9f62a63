"""torch_cifar.py FOLDER EPOCHS SEED THREADS: what tests/bench/cifar.sh does, in PyTorch: prints the percentage of the test's
pictures that are classed rightly. Reads the pictures by PIL (Debian: python3-pil), all at the beginning."""
import os
import sys

import numpy
import torch
from PIL import Image
from torch import nn

folder, epochs, seed, threads = sys.argv[1], *map(int, sys.argv[2:])
torch.manual_seed(seed)
torch.set_num_threads(threads)
BATCH, RATE, DECAY, AVERAGE = 128, 0.03, 5e-4, 0.998


def load(part):
    pictures, labels = [], []
    for label, name in enumerate(sorted(os.listdir(f"{folder}/{part}"))):
        for file in sorted(os.listdir(f"{folder}/{part}/{name}")):
            pictures.append(numpy.asarray(Image.open(f"{folder}/{part}/{name}/{file}").convert("RGB")))
            labels.append(label)
    x = torch.from_numpy(numpy.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(), torch.tensor(labels)


class Normal(nn.Module):
    def forward(self, x):
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)))
        return (x - mean) / std


def step(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())


class Twice(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.steps = nn.Sequential(step(c, c), step(c, c))

    def forward(self, x):
        return x + self.steps(x)


def augmented(x):
    """Every other picture mirrored; zeros around it, four wide, and cut to its size at a random place."""
    n = len(x)
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.5, x.flip(3), x)
    rows, columns = (torch.randint(9, (n, 1)) + torch.arange(32) for _ in range(2))
    padded = nn.functional.pad(x, (4, 4, 4, 4)).permute(0, 2, 3, 1)
    return padded[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


model = nn.Sequential(Normal(), step(3, 32), nn.MaxPool2d(2), step(32, 64), Twice(64), nn.MaxPool2d(2), step(64, 128),
                      nn.MaxPool2d(2), Twice(128), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(128, 10))
average = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda old, new, n: AVERAGE * old + (1 - AVERAGE) * new)
images, labels = load("train")
matrices = [p for p in model.parameters() if p.ndim > 1]
vectors = [p for p in model.parameters() if p.ndim == 1]
optimizer = torch.optim.SGD([{"params": matrices, "weight_decay": DECAY}, {"params": vectors}], lr=RATE, momentum=0.9,
                            nesterov=True)
steps = epochs * ((len(images) + BATCH - 1) // BATCH)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, cycle_momentum=False)
loss = nn.CrossEntropyLoss(label_smoothing=0.1)
for epoch in range(epochs):
    for chosen in torch.randperm(len(images)).split(BATCH):
        optimizer.zero_grad()
        loss(model(augmented(images[chosen])), labels[chosen]).backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
for ours, theirs in zip(average.module.buffers(), model.buffers()):
    ours.copy_(theirs)  # the statistics are moving averages already
average.eval()
with torch.no_grad():
    images, labels = load("test")
    answers = torch.cat([average(part).argmax(1) for part in images.split(500)])
    print(f"{100 * (answers == labels).float().mean().item():.2f}")
