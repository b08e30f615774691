"""What a hostile fifth of the fleet does to each server rule: accuracy, mean over the last rounds and the
seeds, clean and attacked. Usage: sim_attacks.py <mycel> [--rounds 150] [--last 50] [--seeds 2]

The scenario is `hostile`: Fashion-MNIST, Dirichlet 0.3, 100 devices, 10 a round, 20 of them send -10 times
their delta. Prints one line of JSON per rule; ends with 1 when a rule misses its target.
"""

import argparse
import json
import statistics
import subprocess
import sys

# rule, what the attack may cost in points of its own clean accuracy; None: it is expected to collapse
RULES = (
    ("fedavg", None),
    ("clip adaptive > fedadam lr=0.01", 6),
    ("multikrum f=0.3 m=5", 4),
    ("fltrust", 4),
    ("median", None),
    ("trimmed f=0.3", None),
    ("rfa", None),
)


def accuracy(args, rule, attack, seed):
    words = [args.mycel, "sim", "run", "hostile", "--json", "--seed", str(seed), "--set", f"strategy={rule}",
             "--set", f"attack={attack}", "--set", f"rounds={args.rounds}", "--set", "evaluate_every=2"]
    lines = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    rounds = [json.loads(line) for line in lines]
    scores = [r["accuracy"] for r in rounds
              if r["event"] == "round" and "accuracy" in r and r["version"] > args.rounds - args.last]
    return statistics.mean(scores)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mycel")
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--last", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    missed = False
    for rule, target in RULES:
        mean = {attack: statistics.mean(accuracy(args, rule, attack, seed + 1) for seed in range(args.seeds))
                for attack in ("none", "scale:-10")}
        cost = 100 * (mean["none"] - mean["scale:-10"])
        missed = missed or (target is not None and cost > target)
        print(json.dumps({"case": "attack", "rule": rule, "clean": round(mean["none"], 4),
                          "attacked": round(mean["scale:-10"], 4), "points_lost": round(cost, 2),
                          "target": target}), flush=True)
    return 1 if missed else 0


sys.exit(main())
