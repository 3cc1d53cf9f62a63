"""Runs the modules that nnc --pytorch prints, and holds them against the interpreter's numbers.

    /usr/bin/python3 tests/torch/module.py FOLDER          tests/test_pytorch.c writes the folder and calls this

FOLDER/cases.py has a list CASES: the network's text, the module's text, weights, samples, targets, answers, the loss of the
answers, and, where training draws nothing, the gradients. One line for each difference; exit status 1.
"""
import array
import json
import keyword
import sys
import torch
import warnings

warnings.simplefilter("ignore")
folder = sys.argv[1]
names = {}
exec(open(f"{folder}/cases.py").read(), names)
failures = 0


def write_weights(weights, path):
    header, data = {}, b""
    for name, shape, numbers in weights:
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * len(numbers["v"])]}
        data += array.array("f", numbers["v"]).tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


def read_weights(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    return {name: (t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def differ(a, b):
    a, b = (torch.as_tensor(v, dtype=torch.float64).flatten() for v in (a, b))
    if a.shape != b.shape:
        return f"{len(a)} numbers, not {len(b)}"
    if not len(a) or torch.equal(a.isnan(), torch.ones(len(a), dtype=torch.bool)) and torch.equal(a.isnan(), b.isnan()):
        return None
    error = float((a - b).abs().max())
    return None if error <= 2e-6 * max(1.0, float(b.abs().max())) else f"{error:.3g} off, of {float(b.abs().max()):.3g}"


def run(case):
    module, path, again = {}, f"{folder}/case.safetensors", f"{folder}/again.safetensors"
    exec(case["module"], module)
    net = module["Net"]()
    write_weights(case["weights"], path)
    module["load"](net, path)
    module["save"](net, again)
    if read_weights(path) != read_weights(again):
        return "the file of weights comes back as another"
    net.double()
    x = torch.tensor(case["x"], dtype=torch.float64).reshape(case["n"], *case["shape"])
    if case["int_input"]:
        x = x.long()
    t = torch.tensor(case["t"], dtype=torch.float64).reshape(case["n"], *case["target_shape"])
    if case["int_targets"]:
        t = (t.flatten() if case["target_shape"] == [1] else t).long()
    net.train()        # first, since it moves running statistics, which the answers then rest on
    if case["loss"] is None:
        net(x)
    else:
        loss = net.loss(x, t)
        if loss.requires_grad:
            loss.backward()
    parameters = dict(net.named_parameters())
    for name, gradient in (case["gradients"] or {}).items():
        own = parameters[name].grad
        if error := differ(torch.zeros(len(gradient)) if own is None else own, gradient):
            return f"gradient of {name}: {error}"
    net.eval()
    with torch.no_grad():
        if error := differ(net(x), case["y"]):
            return f"answers: {error}"
        if case["loss"] is not None and (error := differ(net.loss(x, t), case["loss"])):
            return f"loss: {error}"
    return None


for case in names["CASES"]:
    try:
        error = run(case)
    except Exception as exception:
        error = f"{type(exception).__name__}: {exception}"
    if error:
        failures += 1
        print(f"{case['text']}\n    {error}")
# What every module has, and Python's words, may be labels: TAKEN is what pytorch.c knows of them.
for name in dir(torch.nn.Module()) + keyword.kwlist:
    if not name.startswith("_") and name not in names["TAKEN"]:
        failures += 1
        print(f"compiler/pytorch.c lacks {name} among its words")
sys.exit(failures > 0)
