"""Runs every bench of a build. Usage: run.py <benches.tsv> <output.jsonl> [<name>...]

A bench prints one JSON object a line with the keys below, and exits with 0. All lines go to the
output file and, as a table, to the terminal. A bench that fails or prints something else fails the
run, after the others have had their turn.
"""

import json
import pathlib
import subprocess
import sys

KEYS = {"bench", "case", "value", "unit", "reference", "ratio"}
TIMEOUT_S = 600


def parse(line):
    """The measurement in one line, or ValueError."""
    row = json.loads(line)
    if not isinstance(row, dict) or not KEYS <= set(row):
        raise ValueError(f"needs the keys {sorted(KEYS)}")
    return row


def show(row):
    against = ""
    if row["reference"] is not None and row["ratio"] is not None:
        against = f"   reference {row['reference']:g}   ratio {row['ratio']:.3g}"
    print(f"  {row['bench']:<14} {row['case']:<44} {row['value']:>12.6g} {row['unit']}{against}",
          flush=True)


def run(name, command, output):
    """Runs one bench; returns what is wrong with it, or None."""
    with subprocess.Popen([command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True) as process:
        count = 0
        for line in process.stdout:
            try:
                row = parse(line)
            except ValueError as error:
                process.kill()
                return f"{name}: not a measurement ({error}): {line.strip()}"
            output.write(line)
            show(row)
            count += 1
        code = process.wait(TIMEOUT_S)
    if code != 0:
        return f"{name}: exit status {code}"
    return None if count else f"{name}: printed no measurement"


def main():
    table, target, only = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    benches = [line.split("\t") for line in table.read_text().splitlines() if line]
    problems = []
    with target.open("w") as output:
        for name, command in sorted(benches):
            if not only or name in only:
                print(f"{name}:", flush=True)
                problems.append(run(name, command, output))
    problems = [problem for problem in problems if problem]
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    print(f"{len(benches)} bench(es), {len(problems)} failed; lines in {target}")
    sys.exit(1 if problems or not benches else 0)


main()
