"""How far the simulator is from reality: the same fleet twice, once as real processes over a shaped
link on loopback, once simulated; round time and bytes side by side.

Usage: sim_agreement.py <bin folder> <forwarder> [--devices 50] [--rounds 4] [--kbit 4000] [--rtt-ms 40]
       [--downlink f32]

Prints one line of JSON per figure and ends with 1 when round time or bytes differ by more than 10 %.
The training is made small on purpose: fifty real trainers on a few cores would measure the cores.
"""

import argparse
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

FEATURES, CLASSES, SAMPLES_EACH = 64, 4, 20
MODEL = f"{FEATURES} > dense 192 relu > dense {CLASSES} softmax"
HEADERS = 48  # IPv6 and UDP: on the shared link in both; in the bytes that the simulator tells, not in the forwarder's
LIMIT = 0.10


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("forwarder")
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--kbit", type=int, default=4000)
    parser.add_argument("--rtt-ms", type=int, default=40)
    parser.add_argument("--downlink", choices=["f32", "delta"], default="f32")
    return parser.parse_args()


def write_csv(path, samples, seed):
    """Noisy points around one centre per class."""
    draw = random.Random(seed)
    centres = [[random.Random(c).uniform(-1, 1) for _ in range(FEATURES)] for c in range(CLASSES)]
    with open(path, "w", encoding="ascii") as file:
        for i in range(samples):
            label = i % CLASSES
            point = [f"{x + draw.gauss(0, 0.5):.4f}" for x in centres[label]]
            file.write(",".join(point) + f",{label}\n")


class Fleet:
    """The coordinator, the forwarder and the devices as processes, all ended by their own handle."""

    def __init__(self, args, folder):
        self.args, self.folder, self.processes = args, folder, []
        self.mycel = os.path.join(args.bin, "mycel")
        self.state = self.path("state")

    def path(self, name):
        return os.path.join(self.folder, name)

    def call(self, *words):
        return subprocess.run([self.mycel, *words], check=True, capture_output=True, text=True).stdout

    def start(self, log, *words):
        with open(self.path(log), "w", encoding="utf-8") as out:
            process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def ready(self, name):
        for _ in range(200):
            if os.path.exists(self.path(name)) and os.path.getsize(self.path(name)) > 0:
                return open(self.path(name), encoding="ascii").read().split()[0]
            time.sleep(0.05)
        raise RuntimeError(f"{name} was not written")

    def prepare(self):
        for i in range(self.args.devices):
            self.call("device", "enroll", f"d{i}", "--state", self.state, "--key-out", self.path(f"d{i}.key"))
        self.call("run", "create", "--state", self.state, "--model", MODEL, "--goal", str(self.args.devices),
                  "--min", str(self.args.devices), "--rounds", str(self.args.rounds), "--codec", "f32",
                  "--strategy", "fedavg", "--over-selection", "1", "--staleness-max", "0", "--pace", "1s",
                  "--batch", "20", "--seed", "1", "--deadline", "10m", "--downlink", self.args.downlink)

    def run(self):
        args = self.args
        self.start("serve.log", self.mycel, "serve", "--state", self.state, "--port", "0", "--listen",
                   "127.0.0.1", "--log-format", "json", "--ready-file", self.path("serve.port"))
        port = self.ready("serve.port")
        forwarder = self.start("forwarder.json", args.forwarder, "--to", f"127.0.0.1:{port}", "--ready-file",
                               self.path("forwarder.port"), "--rtt-ms", str(args.rtt_ms), "--kbit",
                               str(args.kbit), "--header-bytes",
                               str(HEADERS), "--buffer-ms", "60000")
        port = self.ready("forwarder.port")
        for i in range(args.devices):
            self.start(f"d{i}.log", self.mycel, "client", "--coordinator", f"127.0.0.1:{port}", "--identity",
                       f"d{i}", "--key-file", self.path(f"d{i}.key"), "--directory", self.path(f"d{i}"),
                       "--data", self.path("train.csv"), "--slices", str(args.devices), "--slice", str(i),
                       "--pause", "100ms", "--on-battery", "--spread", "1s")
        started = time.monotonic()
        while json.loads(self.call("run", "list", "--state", self.state, "--json"))[0]["state"] != "finished":
            if time.monotonic() - started > 900:
                raise RuntimeError("the real run does not end")
            time.sleep(0.2)
        forwarder.send_signal(signal.SIGTERM)
        forwarder.wait(10)
        text = open(self.path("forwarder.json"), encoding="utf-8").read()
        return json.loads(text[text.index("{"):])

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            process.wait(20)


def commit_times(log):
    """Seconds of each round's commit, from the coordinator's log."""
    entries = [json.loads(line) for line in open(log, encoding="utf-8") if '"round_committed"' in line]
    return [datetime.datetime.fromisoformat(e["ts"].replace("Z", "+00:00")).timestamp() for e in entries]


def mean_gap(times):
    """Mean time from one commit to the next: the first round also has the processes' start in it."""
    return (times[-1] - times[0]) / (len(times) - 1)


def simulate(args, folder):
    scenario = os.path.join(folder, "same.ini")
    with open(scenario, "w", encoding="ascii") as file:
        file.write(f"""
[data]
data = {folder}/train.csv
test_data = {folder}/train.csv
[train]
model = {MODEL}
batch = 20
[run]
strategy = fedavg
codec = f32
downlink = {args.downlink}
mode = sync
goal = {args.devices}
rounds = {args.rounds}
pace_s = 1
evaluate_every = 1000
[fleet]
devices = {args.devices}
start_s = 1
[network]
backhaul_kbit = {args.kbit}
backhaul_ms = {args.rtt_ms / 2}
""")
    lines = subprocess.run([os.path.join(args.bin, "mycel"), "sim", "run", scenario, "--json"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def main():
    args = parse()
    with tempfile.TemporaryDirectory() as folder:
        write_csv(os.path.join(folder, "train.csv"), args.devices * SAMPLES_EACH, 1)
        fleet = Fleet(args, folder)
        try:
            fleet.prepare()
            forwarded = fleet.run()
        finally:
            fleet.end()
        real_s = mean_gap(commit_times(os.path.join(folder, "serve.log")))
        events = simulate(args, folder)
    rounds = [e for e in events if e["event"] == "round"]
    datagrams = sum(e["datagrams"] for e in events if e["event"] == "gateway")
    real = {"round_s": real_s, "datagrams": forwarded["up"]["offered"] + forwarded["down"]["offered"],
            "udp_bytes": forwarded["up"]["bytes"] + forwarded["down"]["bytes"]}
    simulated = {"round_s": mean_gap([e["virtual_s"] for e in rounds]), "datagrams": datagrams,
                 "udp_bytes": rounds[-1]["bytes_up"] + rounds[-1]["bytes_down"] - HEADERS * datagrams}
    return report(args, real, simulated)


def report(args, real, simulated):
    agrees = True
    for name, value in real.items():
        ratio = simulated[name] / value
        agrees = agrees and abs(ratio - 1) <= LIMIT
        print(json.dumps({"case": f"sim_agreement_{name}", "devices": args.devices, "rounds": args.rounds,
                          "downlink": args.downlink,
                          "real": round(value, 3), "simulated": round(simulated[name], 3),
                          "ratio": round(ratio, 4), "target": "0.9 to 1.1"}))
    return 0 if agrees else 1


sys.exit(main())
