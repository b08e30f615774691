#!/usr/bin/python3
"""Runs the commands that the documentation shows, as a reader would type them.

Every ```sh block of README.md and docs/*.md is run by bash in a temporary folder, one file after the
other, the blocks of a file in one place. A line that ends in "&", and a client, which runs for ever,
go to the background until the run that the page created has finished. `make` commands are not run
from inside a test: they have to exist in the Makefile. Usage: run_docs.py <source folder> <mycel>
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

FINISH_S = 240
BLOCK_S = 120


def blocks(page):
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.S | re.M)


def targets(makefile):
    return set(re.findall(r"^([a-z][a-z-]*):", makefile.read_text(), re.M))


def commands(block):
    """Logical lines: a backslash joins."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def runs_on(command):
    return command.rstrip().endswith("&") or re.match(r"mycel (serve|client)\b", command.strip())


def wait_for_run(environment, folder):
    end = time.monotonic() + FINISH_S
    while time.monotonic() < end:
        shown = subprocess.run(["mycel", "run", "show", "--json"], env=environment, cwd=folder,
                               capture_output=True, text=True, check=False)
        if shown.returncode == 0 and json.loads(shown.stdout)["state"] == "finished":
            return
        time.sleep(0.5)
    sys.exit("the run that the page created did not finish")


def run_page(page, environment, folder, known):
    background = []
    try:
        for block in blocks(page):
            for command in commands(block):
                named = re.findall(r"^make ([a-z-]+)", command)
                if command.startswith("make"):
                    if not set(named) <= known:
                        sys.exit(f"{page.name}: no such target: {command}")
                elif command.startswith("export "):
                    continue  # the test sets PATH and MYCEL_STATE itself
                elif runs_on(command):
                    line = command.rstrip().rstrip("&")
                    background.append(subprocess.Popen(["bash", "-c", f"exec {line}"],
                                                       env=environment, cwd=folder,
                                                       start_new_session=True))
                    time.sleep(1)
                else:
                    print("$", command, flush=True)
                    subprocess.run(["bash", "-ec", command], env=environment, cwd=folder,
                                   timeout=BLOCK_S, check=True)
            if len(background) > 1:
                wait_for_run(environment, folder)
        for process in background:
            if process.poll() not in (None, 0):
                sys.exit(f"{page.name}: a process ended with {process.returncode}")
    finally:
        for process in background:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)


def check_targets(source, known):
    """`make X` in plain blocks and text, too."""
    for page in [source / "README.md", source / "CONTRIBUTING.md", *source.glob("docs/*.md")]:
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.M):
            if name not in known:
                sys.exit(f"{page.name} names `make {name}`, which does not exist")


def main():
    source, binary = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    known = targets(source / "Makefile")
    check_targets(source, known)
    for page in [source / "README.md", *sorted(source.glob("docs/*.md"))]:
        with tempfile.TemporaryDirectory() as folder:
            environment = dict(os.environ, HOME=folder, MYCEL_STATE=f"{folder}/state",
                               PATH=f"{binary.parent}:{os.environ['PATH']}")
            run_page(page, environment, folder, known)


if __name__ == "__main__":
    main()
