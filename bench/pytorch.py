"""The control of `npm run bench -- speed`: the same networks in PyTorch, on the CPU.

Reads one JSON command a line, answers one JSON line. Images are random: speed does not depend on
what is on them. A network is a list of nodes in an order that can be computed, each with "id",
"kind", "from" and the fields of its kind, the last one giving the logits.

  {"do": "start", "threads": 2, "channelsLast": false}        -> {"version": "1.13.1"}
  {"do": "train", "nodes": [...], "batch": 128, "ms": 1500}   -> {"rate": images a second}
  {"do": "infer", "nodes": [...], "batch": 256, "ms": 1500}   -> {"rate": images a second}

What goes wrong is answered, too: {"error": "..."}.
"""
import json
import sys
import time

import torch
from torch import nn

INPUT = "input"
NUM_CLASSES = 10
DROPOUT = 0.3


class GlobalMax(nn.Module):
    def forward(self, x):
        return torch.amax(x, dim=(2, 3))


class GlobalAverage(nn.Module):
    def forward(self, x):
        return torch.mean(x, dim=(2, 3))


class Add(nn.Module):
    def forward(self, first, *others):
        for other in others:
            first = first + other
        return first


def square_window(node):
    if node["padding"] == "same" and node["stride"] != 1:
        raise ValueError("PyTorch pads strided windows otherwise than TensorFlow.")
    return node["size"] // 2 if node["padding"] == "same" else 0


class Network(nn.Module):
    """Runs the nodes in turn. Shapes are [channels, height, width] or [units]."""

    def __init__(self, nodes):
        super().__init__()
        read = set()
        self.plan = []
        for node in reversed(nodes):
            # Nothing is held longer than code written by hand would hold it.
            last_read = set(node["from"]) - read
            read |= last_read
            self.plan.insert(0, (node["id"], node["from"], last_read))
        self.layers = nn.ModuleList()
        shapes = {INPUT: (1, 28, 28)}
        for node in nodes:
            layer, shape = self.make(node, [shapes[source] for source in node["from"]])
            self.layers.append(layer)
            shapes[node["id"]] = shape

    @staticmethod
    def make(node, inputs):
        kind, shape = node["kind"], inputs[0]
        if kind == "conv":
            pad = square_window(node)
            size, stride, filters = node["size"], node["stride"], node["filters"]
            layer = nn.Conv2d(shape[0], filters, size, stride, pad, bias=node["bias"])
            sides = [(side + 2 * pad - size) // stride + 1 for side in shape[1:]]
            return layer, (filters, *sides)
        if kind == "maxPool":
            if node["padding"] == "same":
                raise ValueError("Only pooling without padding is measured.")
            size, stride = node["size"], node["stride"]
            sides = [(side - size) // stride + 1 for side in shape[1:]]
            return nn.MaxPool2d(size, stride), (shape[0], *sides)
        if kind == "batchNorm":
            # PyTorch's momentum is the share of the new value.
            return nn.BatchNorm2d(shape[0], eps=1e-3, momentum=0.1), shape
        if kind == "activation" and node["function"] == "relu":
            return nn.ReLU(), shape
        if kind == "globalMax":
            return GlobalMax(), shape[:1]
        if kind == "globalAverage":
            return GlobalAverage(), shape[:1]
        if kind == "add":
            return Add(), shape
        if kind == "flatten":
            units = 1
            for length in shape:
                units *= length
            return nn.Flatten(), (units,)
        if kind == "dropout":
            return nn.Dropout(DROPOUT if node["rate"] is None else node["rate"]), shape
        if kind == "dense":
            units = NUM_CLASSES if node["units"] == "classes" else node["units"]
            return nn.Linear(shape[0], units, bias=node["bias"]), (units,)
        raise ValueError(f"{kind} is not measured.")

    def forward(self, x):
        values = {INPUT: x}
        for layer, (name, sources, last_read) in zip(self.layers, self.plan):
            values[name] = layer(*[values[source] for source in sources])
            for source in last_read:
                del values[source]
        return values[name]


kept = {}
# As PyTorch has images by itself; "channels last" is faster with some of its kernels.
memory_format = torch.contiguous_format


def random_images(batch):
    return torch.rand(batch, 1, 28, 28).to(memory_format=memory_format)


def trainer(nodes, batch):
    """One training step, ready to run; made once for each network and batch size."""
    key = json.dumps([nodes, batch])
    if key not in kept:
        model = Network(nodes).to(memory_format=memory_format)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
        x = random_images(batch)
        labels = torch.arange(batch) % NUM_CLASSES
        loss = nn.CrossEntropyLoss()

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss(model(x), labels).backward()
            optimizer.step()

        kept[key] = (model, step)
        step()
        step()
    return kept[key]


def rate(step, batch, ms):
    start = time.perf_counter()
    images = 0
    while True:
        step()
        images += batch
        seconds = time.perf_counter() - start
        if seconds * 1000 >= ms:
            return images / seconds


def answer(command):
    global memory_format
    if command["do"] == "start":
        if command["channelsLast"]:
            memory_format = torch.channels_last
        torch.set_num_threads(command["threads"])
        return {"version": torch.__version__}
    batch = command["batch"]
    if command["do"] == "train":
        model, step = trainer(command["nodes"], batch)
        model.train()
        return {"rate": rate(step, batch, command["ms"])}
    model, _ = trainer(command["nodes"], 128)
    model.eval()
    x = random_images(batch)
    with torch.no_grad():
        model(x)
        return {"rate": rate(lambda: model(x), batch, command["ms"])}


for line in sys.stdin:
    try:
        result = answer(json.loads(line))
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)
