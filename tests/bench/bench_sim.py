#!/usr/bin/python3
"""What the simulator costs: client updates a CPU-second beside NumPy and PyTorch loops, an update that
nobody trains, and a million devices for a week.

All use one thread, and take turns in one run: a ratio is the median over repetitions of two rates that
were measured one after the other. Reading the samples counts for nobody: it is what a run of one round
takes, and a line of its own. The loops do the same task on the same samples: local SGD by ten of a
hundred clients a round, then the mean weighted by samples. Without NumPy, PyTorch or Fashion-MNIST
(Debian: python3-numpy, libopenblas0-pthread, python3-torch, dataset-fashion-mnist) it says so on a line.
"""

import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

SCENARIOS = pathlib.Path(__file__).resolve().parents[2] / "sim/scenario/shipped"
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
REPETITIONS = 5
CLIENTS, SAMPLES, BATCH, COHORT, RATE = 100, 600, 20, 10, 0.1
CNN = ("28x28x1 > conv 8 3x3 same relu > maxpool 2 > conv 16 3x3 same relu > maxpool 2 > "
       "dense 10 softmax")
NOOP = "28x28x1 > dense 126 relu > dense 10 softmax"  # 100,180 parameters
NOOP_SMALL = "28x28x1 > globalpool > dense 10 softmax"  # 20 parameters: only messages are left


def emit(case, value, unit, reference=None, ratio=None, **more):
    row = {"bench": "sim", "case": case, "value": value, "unit": unit, "reference": reference,
           "ratio": ratio}
    print(json.dumps(row | more), flush=True)


def run(scenario, **settings):
    """CPU and wall seconds, peak memory in MB, and the last line of one simulation."""
    command = [os.environ["MYCEL_BIN"], "sim", "run", str(SCENARIOS / scenario), "--json", "--quiet"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": time.monotonic() - start,
            "mb": usage.ru_maxrss / 1024, "done": json.loads(lines[-1])}


def own_rate(rounds, **settings):
    """Updates a CPU-second, without what one round takes; and that in seconds."""
    settings |= {"evaluate_every": 1000000}
    start = run("fashion.ini", rounds=1, **settings)["cpu_s"]
    whole = run("fashion.ini", rounds=1 + rounds, **settings)["cpu_s"]
    return rounds * COHORT / (whole - start), start


def clients_of(numpy):
    """Each client's samples, side by side in memory, as floats: what a loop is fastest with."""
    def read(name, offset):
        path = FASHION / name
        data = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
        return numpy.frombuffer(data, numpy.uint8, offset=offset)
    images = read("train-images-idx3-ubyte", 16).reshape(-1, 784)
    labels = read("train-labels-idx1-ubyte", 8)
    order = numpy.random.default_rng(1).permutation(len(labels)).reshape(CLIENTS, SAMPLES)
    return [((images[part] / numpy.float32(255)).astype(numpy.float32),
             labels[part].astype(numpy.int64)) for part in order]


class NumpyMlp:
    """The loop that one writes: matrices, in-place updates, a weighted mean."""

    def __init__(self, numpy, clients):
        self.np, self.clients = numpy, clients
        self.rng = numpy.random.default_rng(2)
        normal = self.rng.standard_normal
        self.model = [normal((784, 32), numpy.float32) * numpy.float32(0.05),
                      numpy.zeros(32, numpy.float32),
                      normal((32, 10), numpy.float32) * numpy.float32(0.2),
                      numpy.zeros(10, numpy.float32)]

    def update(self, client):
        np, (x, y) = self.np, self.clients[client]
        w1, b1, w2, b2 = [tensor.copy() for tensor in self.model]
        order = self.rng.permutation(SAMPLES)
        rate, each = np.float32(RATE), np.arange(BATCH)
        for first in range(0, SAMPLES, BATCH):
            part = order[first:first + BATCH]
            inputs = x[part]
            hidden = np.maximum(inputs @ w1 + b1, 0)
            error = hidden @ w2 + b2
            error -= error.max(1, keepdims=True)
            np.exp(error, error)
            error /= error.sum(1, keepdims=True)
            error[each, y[part]] -= 1
            error *= rate / np.float32(BATCH)
            back = error @ w2.T
            back[hidden <= 0] = 0
            w2 -= hidden.T @ error
            b2 -= error.sum(0)
            w1 -= inputs.T @ back
            b1 -= back.sum(0)
        return [w1, b1, w2, b2]

    def round(self):
        np = self.np
        total = [np.zeros_like(tensor) for tensor in self.model]
        for client in self.rng.choice(CLIENTS, COHORT, replace=False):
            for one, tensor in zip(total, self.update(client)):
                one += tensor * np.float32(SAMPLES)
        self.model = [one / np.float32(SAMPLES * COHORT) for one in total]


class Torch:
    """The same with modules, autograd and an optimizer."""

    def __init__(self, torch, numpy, clients, make, shape):
        torch.set_num_threads(1)
        torch.manual_seed(1)
        self.torch, self.module, self.rng = torch, make(torch.nn), numpy.random.default_rng(2)
        self.clients = [(torch.from_numpy(x).reshape(-1, *shape), torch.from_numpy(y))
                        for x, y in clients]
        self.model = [tensor.detach().clone() for tensor in self.module.parameters()]

    def update(self, client):
        torch, (x, y) = self.torch, self.clients[client]
        with torch.no_grad():
            for tensor, start in zip(self.module.parameters(), self.model):
                tensor.copy_(start)
        step = torch.optim.SGD(self.module.parameters(), RATE)
        order = torch.randperm(SAMPLES)
        for first in range(0, SAMPLES, BATCH):
            part = order[first:first + BATCH]
            step.zero_grad()
            torch.nn.functional.cross_entropy(self.module(x[part]), y[part]).backward()
            step.step()
        return [tensor.detach() for tensor in self.module.parameters()]

    def round(self):
        total = [self.torch.zeros_like(tensor) for tensor in self.model]
        for client in self.rng.choice(CLIENTS, COHORT, replace=False):
            for one, tensor in zip(total, self.update(client)):
                one += tensor * SAMPLES
        self.model = [one / (SAMPLES * COHORT) for one in total]


def mlp(nn):
    return nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


def cnn(nn):
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(784, 10))


def loop_rate(loop, rounds):
    start = time.process_time()
    for _ in range(rounds):
        loop.round()
    return rounds * COHORT / (time.process_time() - start)


def compare(case, target, loop, rounds, own_rounds, **settings):
    """Ours and theirs in turn; theirs is warmed up once."""
    loop.round()
    own, other, starts = [], [], []
    for _ in range(REPETITIONS):
        rate, start = own_rate(own_rounds, **settings)
        own.append(rate)
        starts.append(start)
        other.append(loop_rate(loop, rounds))
    ratio = statistics.median(a / b for a, b in zip(own, other))
    emit(case, round(statistics.median(own), 1), "updates/CPU-s",
         round(statistics.median(other), 1), round(ratio, 2), target=target)
    return statistics.median(starts)


def compare_all():
    try:
        import numpy
        clients = clients_of(numpy)
    except (ImportError, OSError) as problem:
        emit("numpy_or_fashion_missing", 0, str(problem))
        return
    start = compare("sim_mlp_vs_numpy", 3, NumpyMlp(numpy, clients), 12, 80)
    emit("sim_start_fashion", round(start, 3), "CPU-s")
    try:
        import torch
    except ImportError as problem:
        emit("torch_missing", 0, str(problem))
        return
    compare("sim_mlp_vs_torch", 8, Torch(torch, numpy, clients, mlp, (784,)), 6, 80)
    compare("sim_cnn_vs_torch", 5, Torch(torch, numpy, clients, cnn, (1, 28, 28)), 1, 6, model=CNN)


def noop_us(rounds, model, codec):
    """CPU of an update whose device reports a change of nothing: no samples read, no step done."""
    settings = {"data": "blobs:2000,28,10", "attack": "freerider:0", "attackers": 1, "model": model,
                "codec": codec, "evaluate_every": 1000000}
    costs = []
    for _ in range(REPETITIONS):
        start = run("fashion.ini", rounds=1, **settings)["cpu_s"]
        whole = run("fashion.ini", rounds=1 + rounds, **settings)["cpu_s"]
        costs.append((whole - start) * 1e6 / (rounds * COHORT))
    return statistics.median(costs)


def noop():
    """The whole of it, with 391 blocks down, 13 up, their hashes and the encoding; and what is left of
    it with twenty parameters: check-in, lease, plan, upload, receipt, ledger, the engine's rules."""
    whole = noop_us(60, NOOP, "drive1")
    emit("sim_noop_100k", round(whole, 1), "us", 60, round(whole / 60, 2), target=60)
    small = noop_us(1000, NOOP_SMALL, "drive1")
    emit("sim_noop_without_payload", round(small, 1), "us", 60, round(small / 60, 2))


def sizes():
    """A virtual day of the million's scenario at growing sizes, as many updates a round at each."""
    for devices in (1000, 10000, 100000, 1000000):
        found = run("million.ini", devices=devices, goal=min(1000, devices // 10),
                    virtual_max_s=86400)
        emit(f"sim_day_{devices}", round(found["cpu_s"], 2), "CPU-s", None, None,
             mb=round(found["mb"], 1), trained=found["done"]["trained"])


def week():
    full = os.environ.get("MYCEL_BENCH_FULL") == "1"
    settings = {} if full else {"devices": 100000, "goal": 100, "gateways": 100}
    found = run("million.ini", **settings)
    name = "sim_1M_week" if full else "sim_100k_week"
    done = found["done"]
    emit(name, round(found["wall_s"], 1), "s", 1800, round(found["wall_s"] / 1800, 4), target=1800,
         cpu_s=round(found["cpu_s"], 1), mb=round(found["mb"], 1), rounds=done["rounds"],
         trained=done["trained"], protocol_only=done["protocol_only"])


def main():
    compare_all()
    noop()
    sizes()
    week()


if __name__ == "__main__":
    main()
