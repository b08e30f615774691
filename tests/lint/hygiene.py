"""What must never be committed. Usage: hygiene.py <root>

Paths of one machine, hosts of package registries, and files that a build makes. All files that
git knows are read; outside a git checkout, all files but build/.
"""

import pathlib
import re
import subprocess
import sys

from tree import Source, report

MACHINE_PATH = re.compile(r"(?<![\w.}$])/(work/|Users/|root/\.)[\w.-]")
REGISTRY_HOST = re.compile(
    r"\b(deb|ftp|snapshot|security|registry|artifactory|pypi|files|static|proxy|index|mirrors?)"
    r"\.[a-z0-9.-]*(debian|npmjs|python|pypi|pythonhosted|golang|crates|internal)[a-z0-9.-]*", re.I)
GENERATED = re.compile(r".*(\.(o|a|so|pyc|bin|npy|gz|db|sqlite3?|exe)|\.pb\.[ch]|\.orig|\.rej)")
BYTES_MAX = 512 * 1024


def files(root):
    if (root / ".git").exists():
        command = ["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z"]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [root / name for name in listing.split("\0") if name]
    everything = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return [path for path in everything if "build" not in path.relative_to(root).parts]


def check(root, path):
    name = path.relative_to(root).as_posix()
    if GENERATED.fullmatch(name):
        yield f"{name}:1: a generated or binary file"
        return
    if path.stat().st_size > BYTES_MAX:
        yield f"{name}:1: larger than {BYTES_MAX} bytes"
    try:
        source = Source(root, path)
    except UnicodeDecodeError:
        return
    for pattern, message in ((MACHINE_PATH, "names a path of one machine"),
                             (REGISTRY_HOST, "names the host of a package registry")):
        for match in pattern.finditer(source.text):
            yield source.finding(match.start(), f"{message}: {match.group()}")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    existing = [path for path in files(root) if path.is_file()]
    report("hygiene", [finding for path in existing for finding in check(root, path)])


main()
