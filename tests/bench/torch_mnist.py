"""torch_mnist.py FOLDER RECIPE EPOCHS BATCH LR SEED THREADS: what tests/bench/mnist.sh does, in PyTorch: prints the
percentage of the test's images that are read rightly."""
import gzip
import sys

import torch
from torch import nn

folder, recipe, epochs, batch, lr, seed, threads = sys.argv[1:]
epochs, batch, lr = int(epochs), int(batch), float(lr)
torch.manual_seed(int(seed))
torch.set_num_threads(int(threads))


def read(name, head):
    with gzip.open(f"{folder}/{name}.gz") as file:
        return torch.frombuffer(bytearray(file.read()[head:]), dtype=torch.uint8)


def load(name):
    labels = read(f"{name}-labels-idx1-ubyte", 8).long()
    return (read(f"{name}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28).float() / 255 - 0.1307) / 0.3081, labels


def convolutions(a, b):
    return [nn.Conv2d(1, a, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(a, b, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]


def cropped(x):
    """Each picture with a pixel of paper around it, cut to its size at a random place."""
    padded = nn.functional.pad(x, (1, 1, 1, 1), value=-0.1307 / 0.3081)
    rows, columns = (torch.randint(3, (len(x), 1)) + torch.arange(28) for _ in range(2))
    return padded[torch.arange(len(x))[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]


model = nn.Sequential(*{
    "98": lambda: [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)],
    "99.0": lambda: convolutions(8, 16) + [nn.Linear(256, 10)],
    "99.4": lambda: convolutions(32, 64) + [nn.Linear(1024, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)],
}[recipe]())
images, labels = load("train")
steps = epochs * ((len(images) + batch - 1) // batch)
optimizer = torch.optim.Adam(model.parameters(), lr=lr)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, cycle_momentum=False)
loss = nn.CrossEntropyLoss(label_smoothing=0.05)
for epoch in range(epochs):
    for chosen in torch.randperm(len(images)).split(batch):
        optimizer.zero_grad()
        x = images[chosen]
        loss(model(cropped(x) if recipe == "99.4" else x), labels[chosen]).backward()
        optimizer.step()
        schedule.step()
model.eval()
with torch.no_grad():
    images, labels = load("t10k")
    answers = torch.cat([model(part).argmax(1) for part in images.split(500)])
    print(f"{100 * (answers == labels).float().mean().item():.2f}")
