"""That no file is compiled without the flags that refuse bad code. Usage: flags.py <build folder>

Variable-length arrays are refused by the compiler, which only helps if it is always told to.
"""

import json
import pathlib
import sys

from tree import report

REQUIRED = ("-Werror=vla", "-Wall", "-Wextra", "-std=c11")


def main():
    build = pathlib.Path(sys.argv[1])
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    findings = [f"{entry['file']}:1: compiled without {flag}"
                for entry in commands for flag in REQUIRED
                if not entry["file"].endswith(".pb.c") and flag not in entry["command"].split()]
    report("flags", findings)


main()
