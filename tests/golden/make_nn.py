#!/usr/bin/python3
"""Makes the trainer's golden tensors with PyTorch, in double precision: outputs, loss, gradients and the
weights after 100 steps of small models. Debian's python3-torch is enough.

    /usr/bin/python3 tests/golden/make_nn.py

Each nn/<name>.golden holds one line of JSON (the model's description, the optimizer, the arrays' names
and lengths), then the arrays as little-endian binary32, one after the other. Inputs are channels last,
parameters in the canonical order of <mycel/model.h>.
"""

import json
import pathlib

import numpy
import torch
from torch import nn
from torch.nn import functional as F

STEPS = 100
SAMPLES = 12
BATCH = 4
HERE = pathlib.Path(__file__).parent / "nn"


class Residual(nn.Module):
    """A residual block: conv, conv, add, relu."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        a = F.relu(self.first(x))
        y = F.relu(self.second(a) + a)
        return self.head(y.mean((2, 3)))


def frozen_batchnorm(channels):
    layer = nn.BatchNorm2d(channels)
    layer.running_mean.uniform_(-0.5, 0.5)
    layer.running_var.uniform_(0.5, 2.0)
    return layer.eval()


def cases():
    """name, description, input shape (H, W, C) or (features,), module, loss, optimizer settings."""
    sgd = {"optimizer": "sgd", "learning_rate": 0.05}
    yield "mlp", "7 > dense 5 relu > dense 3 softmax", (7,), nn.Sequential(
        nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)), "crossentropy", sgd
    yield "mlp_tanh_momentum", "7 > dense 5 tanh > dense 3 softmax", (7,), nn.Sequential(
        nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 3)), "crossentropy", {
            "optimizer": "momentum", "learning_rate": 0.02, "momentum": 0.9}
    yield "mlp_leaky_nesterov", "7 > dense 6 leaky 0.1 > dense 3 softmax", (7,), nn.Sequential(
        nn.Linear(7, 6), nn.LeakyReLU(0.1), nn.Linear(6, 3)), "crossentropy", {
            "optimizer": "nesterov", "learning_rate": 0.02, "momentum": 0.9}
    yield "mlp_adamw", "7 > dense 6 sigmoid > dense 3 softmax", (7,), nn.Sequential(
        nn.Linear(7, 6), nn.Sigmoid(), nn.Linear(6, 3)), "crossentropy", {
            "optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1}
    yield "regression_mse", "7 > dense 6 relu6 > dense 2", (7,), nn.Sequential(
        nn.Linear(7, 6), nn.ReLU6(), nn.Linear(6, 2)), "mse", sgd
    yield "regression_huber", "7 > dense 6 relu > dense 2 > huber 0.5", (7,), nn.Sequential(
        nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 2)), "huber", sgd
    yield "binary_bce", "7 > dense 6 relu > dense 2 sigmoid", (7,), nn.Sequential(
        nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 2)), "bce", sgd
    yield "conv", "9x7x2 > conv 4 3x3 stride 2 pad 1 relu > conv 5 3x2 > dense 3 softmax", (9, 7, 2), \
        nn.Sequential(nn.Conv2d(2, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 5, (3, 2)), nn.Flatten(),
                      nn.Linear(5 * 3 * 3, 3)), "crossentropy", sgd
    yield "conv_pool", "8x8x1 > conv 4 3x3 same relu > maxpool 2 > conv 4 3x3 same relu > avgpool 2 > " \
        "dense 3 softmax", (8, 8, 1), nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(16, 3)), "crossentropy", sgd
    yield "separable", "8x8x3 > depthwise 3x3 same relu > pointwise 6 relu > globalpool > " \
        "dense 3 softmax", (8, 8, 3), nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1, groups=3), nn.ReLU(), nn.Conv2d(3, 6, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)), "crossentropy", sgd
    yield "groupnorm", "6x6x2 > conv 4 3x3 same > groupnorm 2 relu > dense 3 softmax", (6, 6, 2), \
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(),
                      nn.Linear(144, 3)), "crossentropy", sgd
    yield "batchnorm", "6x6x2 > conv 4 3x3 same > batchnorm relu > dense 3 softmax", (6, 6, 2), \
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), frozen_batchnorm(4), nn.ReLU(), nn.Flatten(),
                      nn.Linear(144, 3)), "crossentropy", sgd
    yield "residual", "6x6x2 > conv 4 3x3 same relu @a > conv 4 3x3 same > add @a relu > globalpool > " \
        "dense 3 softmax", (6, 6, 2), Residual(), "crossentropy", sgd
    yield "conv1d", "12x2 > conv1d 4 3 same relu > conv1d 3 5 stride 2 > dense 3 softmax", (1, 12, 2), \
        nn.Sequential(nn.Conv2d(2, 4, (1, 3), padding=(0, 1)), nn.ReLU(),
                      nn.Conv2d(4, 3, (1, 5), stride=(1, 2)), nn.Flatten(), nn.Linear(12, 3)), \
        "crossentropy", sgd


def parameters(module):
    """Tensors in canonical order: weight, bias (and mean, variance) layer by layer."""
    found = []
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            found += [layer.weight, layer.bias, layer.running_mean, layer.running_var]
        else:
            found += list(layer.parameters(recurse=False))
    return found


def flat(tensors):
    return numpy.concatenate([t.detach().numpy().ravel() for t in tensors])


def loss_of(kind, out, target):
    if kind == "crossentropy":
        return F.cross_entropy(out, target)
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(out, target)
    if kind == "huber":
        return F.huber_loss(out, target, delta=0.5)
    return F.mse_loss(out, target) / 2


def targets_of(kind, outputs):
    if kind == "crossentropy":
        return torch.arange(SAMPLES) * 7 % outputs
    if kind == "bce":
        return torch.randint(0, 2, (SAMPLES, outputs)).double()
    return torch.randn(SAMPLES, outputs).double()


def optimizer_of(settings, tensors):
    rate = settings["learning_rate"]
    if settings["optimizer"] == "adamw":
        return torch.optim.AdamW(tensors, rate, weight_decay=settings["weight_decay"])
    return torch.optim.SGD(tensors, rate, momentum=settings.get("momentum", 0),
                           nesterov=settings["optimizer"] == "nesterov")


def rounded(tensor):
    """What both sides really start from: binary32 values."""
    return tensor.detach().float().double()


def write(name, header, arrays):
    header["arrays"] = [[key, int(values.size)] for key, values in arrays]
    with (HERE / f"{name}.golden").open("wb") as file:
        file.write(json.dumps(header, separators=(",", ":")).encode() + b"\n")
        for _, values in arrays:
            file.write(values.astype("<f4").tobytes())


def make(name, text, shape, module, kind, settings):
    module = module.double()
    with torch.no_grad():
        for tensor in parameters(module):
            tensor.copy_(rounded(tensor))
    inputs = rounded(torch.randn(SAMPLES, *shape, dtype=torch.float64))
    planes = inputs.permute(0, 3, 1, 2) if len(shape) == 3 else inputs
    outputs = module(planes).shape[1]
    targets = targets_of(kind, outputs)
    if kind != "crossentropy":
        targets = rounded(targets)
    start = flat(parameters(module))
    out = module(planes)
    shown = {"crossentropy": out.softmax(1), "bce": out.sigmoid()}.get(kind, out)
    loss = loss_of(kind, out[:BATCH], targets[:BATCH])
    trained = [p for p in parameters(module) if p.requires_grad]
    gradient = dict(zip(map(id, trained), torch.autograd.grad(loss, trained)))
    gradients = [gradient.get(id(p), torch.zeros_like(p)) for p in parameters(module)]
    optimizer = optimizer_of(settings, trained)
    for step in range(STEPS):
        first = step * BATCH % SAMPLES
        optimizer.zero_grad()
        loss_of(kind, module(planes[first:first + BATCH]), targets[first:first + BATCH]).backward()
        optimizer.step()
    arrays = [("params", start), ("inputs", inputs.numpy().ravel()),
              ("targets", targets.double().numpy().ravel()), ("outputs", flat([shown])),
              ("loss", flat([loss.reshape(1)])), ("gradient", flat(gradients)),
              ("after", flat(parameters(module)))]
    write(name, {"model": text, "loss": kind, "samples": SAMPLES, "batch": BATCH, "steps": STEPS,
                 **settings}, arrays)


def main():
    torch.manual_seed(20)
    HERE.mkdir(exist_ok=True)
    for case in cases():
        make(*case)
        print(case[0])


if __name__ == "__main__":
    main()
