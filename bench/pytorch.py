"""The control of `npm run bench -- speed`: the same networks in PyTorch, on the CPU.

Reads one JSON command a line, answers one JSON line. Pictures are random: speed does not depend on
what is on them.

  {"do": "start", "threads": 2}                          -> {"version": "1.13.1"}
  {"do": "train", "layers": [...], "batch": 128, "ms": 1500}   -> {"rate": images a second}
  {"do": "infer", "layers": [...], "batch": 256, "ms": 1500}   -> {"rate": images a second}
"""
import json
import sys
import time

import torch
from torch import nn


def build(layers):
    modules, channels, side = [], 1, 28
    flat = None
    for index, layer in enumerate(layers):
        kind = layer["kind"]
        following = layers[index + 1]["kind"] if index + 1 < len(layers) else None
        if kind == "conv":
            kernel = layer["kernel"]
            pad = kernel // 2 if layer["padding"] == "same" else 0
            bias = following != "batchNorm"
            modules.append(nn.Conv2d(channels, layer["filters"], kernel, padding=pad, bias=bias))
            channels = layer["filters"]
            side = side + 2 * pad - kernel + 1
            if layer["activation"] == "relu":
                modules.append(nn.ReLU())
        elif kind == "batchNorm":
            modules.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1))
        elif kind == "relu":
            modules.append(nn.ReLU())
        elif kind == "maxPool":
            modules.append(nn.MaxPool2d(2))
            side //= 2
        elif kind == "globalAveragePool":
            modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            flat = channels
        elif kind == "flatten":
            modules.append(nn.Flatten())
            flat = channels * side * side
        elif kind == "dropout":
            modules.append(nn.Dropout(0.3))
        elif kind == "dense":
            modules.append(nn.Linear(flat, layer["units"]))
            flat = layer["units"]
            if layer["activation"] == "relu":
                modules.append(nn.ReLU())
        else:
            raise ValueError(kind)
    return nn.Sequential(*modules)


kept = {}


def trainer(layers, batch):
    """One training step, ready to run; made once for each network and batch size."""
    key = json.dumps([layers, batch])
    if key not in kept:
        model = build(layers)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
        x = torch.rand(batch, 1, 28, 28)
        labels = torch.arange(batch) % 10
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


for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "start":
        torch.set_num_threads(command["threads"])
        answer = {"version": torch.__version__}
    else:
        batch = command["batch"]
        if command["do"] == "train":
            model, step = trainer(command["layers"], batch)
            model.train()
            answer = {"rate": rate(step, batch, command["ms"])}
        else:
            model, _ = trainer(command["layers"], 128)
            model.eval()
            x = torch.rand(batch, 1, 28, 28)
            with torch.no_grad():
                model(x)
                answer = {"rate": rate(lambda: model(x), batch, command["ms"])}
    print(json.dumps(answer), flush=True)
