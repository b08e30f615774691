#!/usr/bin/python3
"""The trainer beside PyTorch, one thread each, on the same models in the same run.

Prints <case>_vs_torch lines: value is this project's samples a second, reference is PyTorch's. Without
PyTorch (Debian: python3-torch) it says so on one line and compares nothing.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

RUNS = 6


def emit(case, value, unit, reference, ratio):
    print(json.dumps({"bench": "nn_torch", "case": case, "value": value, "unit": unit,
                      "reference": reference, "ratio": ratio}), flush=True)


def own_rates():
    program = pathlib.Path(os.environ["MYCEL_BIN"]).parents[1] / "tests/bench/bench_nn"
    output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in output.splitlines()]
    return {row["case"]: row["value"] for row in rows if row["unit"] == "samples/s"}


def torch_rate(torch, make, shape, optimizer, batch):
    samples = 3200 if batch > 1 else 320
    torch.manual_seed(0)
    inputs = torch.rand(samples, *shape)
    labels = torch.arange(samples) * 7 % 10
    module = make()
    step = optimizer(module.parameters())
    best = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        for first in range(0, samples, batch):
            step.zero_grad()
            loss = torch.nn.functional.cross_entropy(module(inputs[first:first + batch]),
                                                     labels[first:first + batch])
            loss.backward()
            step.step()
        best = min(best, time.process_time() - start)
    return samples / best


def main():
    try:
        import torch
        from torch import nn
    except ImportError:
        emit("torch_missing", 0, "none", None, None)
        sys.exit(0)
    torch.set_num_threads(1)

    def mlp(inputs):
        return lambda: nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 10))

    def cnn():
        return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1),
                             nn.ReLU(), nn.Flatten(), nn.Linear(784, 10))

    def sgd(parameters):
        return torch.optim.SGD(parameters, 0.001)

    def adam(parameters):
        return torch.optim.AdamW(parameters, 0.001)

    cases = {"mlp784_sgd_b32": (mlp(784), (784,), sgd, 32), "mlp784_sgd_b1": (mlp(784), (784,), sgd, 1),
             "mlp784_adam_b32": (mlp(784), (784,), adam, 32),
             "mlp64_sgd_b32": (mlp(64), (64,), sgd, 32), "mlp64_sgd_b1": (mlp(64), (64,), sgd, 1),
             "cnn_sgd_b32": (cnn, (1, 28, 28), sgd, 32), "cnn_sgd_b1": (cnn, (1, 28, 28), sgd, 1)}
    own = own_rates()
    for name, case in cases.items():
        reference = torch_rate(torch, *case)
        emit(f"{name}_vs_torch", own[name], "samples/s", round(reference), own[name] / reference)


if __name__ == "__main__":
    main()
