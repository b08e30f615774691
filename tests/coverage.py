#!/usr/bin/env python3
"""Branch coverage of one source folder by the tests that match a pattern.

    tests/coverage.py server/engine '^unit/server/engine/[a-z]*$'
    tests/coverage.py server/store '^(unit/server/store/|fault/store_)'

Builds what they need once more in build/coverage with gcov's counters, runs the tests, lists every branch that
was never taken and ends with one JSON line. Assertions do not count: their failing side cannot be taken.
"""
import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "coverage")
LINE = re.compile(r"\s*([^:]+):\s*(\d+):(.*)")
TEST = re.compile(r'add_test\(\[=\[(.+?)\]=\] "([^"]+)"')
BRANCH = re.compile(r"branch\s+\d+ (never executed|taken (\d+))")


def run(*command, **options):
    subprocess.run(command, cwd=ROOT, check=True, **options)


def programs(pattern):
    """The executables of the tests that match, as ninja calls them. Several tests may share one."""
    found = set()
    for path in glob.glob(BUILD + "/**/CTestTestfile.cmake", recursive=True):
        with open(path, encoding="utf-8") as file:
            for name, program in TEST.findall(file.read()):
                if re.search(pattern, name) and program.startswith(BUILD):
                    found.add(os.path.relpath(program, BUILD))
    return sorted(found)


def build_and_test(pattern):
    # Without a compiler cache: an object from another folder counts there.
    run("cmake", "-S", ".", "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
        "-DCMAKE_C_COMPILER_LAUNCHER=",
        "-DCMAKE_C_FLAGS=--coverage", "-DMYCEL_WERROR=OFF", stdout=subprocess.DEVNULL)
    targets = programs(pattern)
    if not targets:
        sys.exit(f"no test matches {pattern}")
    run("ninja", "-C", BUILD, *targets, stdout=subprocess.DEVNULL)
    for counter in glob.glob(BUILD + "/**/*.gcda", recursive=True):
        os.remove(counter)
    run("ctest", "--test-dir", BUILD, "-R", pattern, "--output-on-failure", stdout=sys.stderr)


def branches(report):
    """(line number, source, times taken) of every branch that is not an assertion's."""
    number, source, asserting, counted = 0, "", False, True
    for line in report.splitlines():
        match = LINE.match(line)
        if match:
            number, source = int(match.group(2)), match.group(3).strip()
            asserting = asserting or "MYCEL_ASSERT(" in source
            counted = not asserting
            asserting = asserting and not source.endswith(";")
            continue
        match = BRANCH.match(line)
        if match and counted and number > 0:
            yield number, source, int(match.group(2) or 0)


def report(folder):
    total = taken = 0
    for counter in sorted(glob.glob(f"{BUILD}/{folder}/CMakeFiles/*.dir/*.gcda")):
        text = subprocess.run(["gcov", "-b", "-c", "-t", counter], cwd=ROOT, check=True,
                              capture_output=True, text=True).stdout
        name = os.path.basename(counter).removesuffix(".gcda")
        own = text.split("        -:    0:Source:")
        for part in own:
            if part.split("\n", 1)[0].endswith(f"{folder}/{name}"):
                for number, source, times in branches(part):
                    total += 1
                    taken += times > 0
                    if times == 0:
                        print(f"{folder}/{name}:{number}: {source}")
    return total, taken


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, pattern = sys.argv[1].rstrip("/"), sys.argv[2]
    build_and_test(pattern)
    total, taken = report(folder)
    if total == 0:
        sys.exit(f"no counters for {folder}")
    print(json.dumps({"bench": "coverage", "case": folder, "value": round(100 * taken / total, 2),
                      "unit": "% of branches", "branches": total, "taken": taken}))


if __name__ == "__main__":
    main()
