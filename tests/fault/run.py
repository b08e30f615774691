"""Runs every fault sweep of a build in full and adds up what they counted. Usage: run.py <faults.tsv>

A sweep prints one JSON object: "fault" is its name, every other key a number. The last line printed is
the sum of all of them, with the keys that scripts rely on first. Exit status 0 only if every sweep ended
well and nothing was lost, doubled, wrong or wrongly accepted.
"""

import json
import pathlib
import subprocess
import sys

# What a complete report says, in this order, whether or not a sweep has counted it.
ORDER = ["crash_points", "lost", "doubled", "alloc_failures", "bit_flips", "truncations",
         "accepted_hostile"]
# None of these may be anything but 0.
BAD = ["lost", "doubled", "wrong", "accepted_hostile"]
# Each sweep's own business: not to be added up.
LOCAL = ["fault", "stride"]
TIMEOUT_S = 3600


def run(name, command):
    """The sweep's numbers and what is wrong with it, if anything."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=TIMEOUT_S, check=False)
    lines = done.stdout.strip().splitlines()
    try:
        counts = json.loads(lines[-1]) if lines else {}
    except ValueError:
        counts = {}
    for line in lines:
        print(line, flush=True)
    if done.returncode != 0:
        return counts, f"{name}: exit status {done.returncode}"
    return counts, None if counts else f"{name}: printed no report"


def main():
    rows = [line.split("\t") for line in pathlib.Path(sys.argv[1]).read_text().splitlines() if line]
    total = dict.fromkeys(ORDER, 0)
    problems = []
    for name, program, *arguments in rows:
        counts, problem = run(name, [program, *arguments])
        problems += [problem] if problem else []
        for key, value in counts.items():
            if key not in LOCAL:
                total[key] = total.get(key, 0) + value
    problems += [f"{key} is {total[key]}, not 0" for key in BAD if total.get(key, 0) != 0]
    problems += [] if rows else ["there is no sweep"]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(json.dumps(total), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
