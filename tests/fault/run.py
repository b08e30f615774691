"""Runs every fault sweep of a build in full and adds up what they counted.
Usage: run.py <faults.tsv> [<faults.tsv of a sanitized build>]

A sweep prints one JSON object: "fault" is its name, every other key a number. Sweeps in which memory is
what fails, or bytes are what lies, run from the sanitized build if there is one. Sweeps run side by side,
one for each core, and are reported in their order. The line before the last is the sum of everything, the
last one the sum of what scripts rely on. Exit status 0 only if every sweep ended well and nothing was
lost, doubled, wrong or wrongly accepted.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

# The last line, in this order, whether or not a sweep has counted it.
ORDER = ["crash_points", "lost", "doubled", "alloc_failures", "bit_flips", "truncations",
         "accepted_hostile"]
# None of these may be anything but 0.
BAD = ["lost", "doubled", "wrong", "accepted_hostile"]
# Each sweep's own business: not to be added up.
LOCAL = ["fault", "stride"]
# Names of sweeps that a sanitizer sees more in.
SANITIZED = ("_alloc", "_alloc_delta", "update")
TIMEOUT_S = 3600
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def read(path):
    """Name -> command, in the order of the file."""
    rows = [line.split("\t") for line in pathlib.Path(path).read_text().splitlines() if line]
    return {name: [program, *arguments] for name, program, *arguments in rows}


def run(name, command):
    """What the sweep printed, its numbers, and what is wrong with it, if anything."""
    begin = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          timeout=TIMEOUT_S, check=False, env={**os.environ, **ENVIRONMENT})
    print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    lines = done.stdout.strip().splitlines()
    try:
        counts = json.loads(lines[-1]) if lines else {}
    except ValueError:
        counts = {}
    if done.returncode != 0:
        return lines, counts, f"{name}: exit status {done.returncode}"
    return lines, counts, None if counts else f"{name}: printed no report"


def run_all(commands):
    """The result of run() for each, in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(run, commands.keys(), commands.values())


def main():
    commands = read(sys.argv[1])
    if len(sys.argv) > 2:
        sanitized = read(sys.argv[2])
        commands |= {name: sanitized[name] for name in commands if name.endswith(SANITIZED)}
    total = dict.fromkeys(ORDER, 0)
    problems = [] if commands else ["there is no sweep"]
    for lines, counts, problem in run_all(commands):
        print("\n".join(lines), flush=True)
        problems += [problem] if problem else []
        for key, value in counts.items():
            if key not in LOCAL:
                total[key] = total.get(key, 0) + value
    problems += [f"{key} is {total[key]}, not 0" for key in BAD if total.get(key, 0) != 0]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(json.dumps({"fault": "all", **total}))
    print(json.dumps({key: total[key] for key in ORDER}, separators=(",", ":")), flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
