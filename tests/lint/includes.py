"""Who may include whom. Usage: includes.py <root>

The two tables below are the architecture: a box is a folder (the longest prefix wins), and names
what it may use besides itself. Tests may include anything.
"""

import re
import sys

from tree import report, sources

BOXES = {
    "common": "",
    "proto": "common",
    "data": "common",
    "client/nn": "common",
    "client/runtime": "common proto",
    "client/port": "common proto data client/runtime client/nn",
    "server/engine": "common proto",
    "server/desk": "common proto server/engine",
    "server/store": "common proto server/engine",
    "server/net": "common proto server/engine",
    "server/eval": "common proto data server/engine client/nn",
    "server/daemon": "common proto server/engine server/desk server/store server/net server/eval",
    "server/cli": "common proto server/engine server/store server/net server/eval server/daemon"
                  " data client/port client/nn sim sim/scenario sim/training sim/report",
    "sim": "common proto data client/runtime server/engine sim/scenario sim/coordinator"
           " sim/training",
    "sim/scenario": "common",
    "sim/coordinator": "common proto data server/engine server/desk server/eval server/net"
                       " sim sim/scenario",
    "sim/training": "common proto data client/nn client/runtime client/port sim sim/scenario",
    "sim/report": "common",
}

# Public headers live in two include folders; each belongs to the box that implements it.
PUBLIC = {
    "common/include/mycel/": "common",
    "client/include/mycel/nn.h": "client/nn",
    "client/include/mycel/ring.h": "client/nn",
    "client/include/mycel/client.h": "client/runtime",
    "client/include/mycel/port.h": "client/runtime",
    "client/include/mycel/": "client/port",
}

# Third-party headers, and the only places that may see them.
EXTERNAL = {
    r"sqlite3\.h": "server/store",
    r"(mbedtls|psa)/.*": "common/crypto server/net client/port",
    r"coap3/.*": "server/net client/port",
    r"uv\.h": "server/daemon server/net server/cli",
    r"microhttpd\.h": "server/http",
    r"mpi\.h": "sim/mpi",
    r"pb(_common|_encode|_decode)?\.h": "proto server",
}

# Boxes that must build without an operating system see only these of the C library.
FREESTANDING = ("common", "proto", "client/nn", "client/runtime", "client/include", "server/engine",
                "server/desk")
FREESTANDING_HEADERS = re.compile(
    r"(float|inttypes|limits|math|stdalign|stdarg|stdbool|stddef|stdint|stdnoreturn|string"
    r"|immintrin|arm_neon|arm_acle|riscv_vector)\.h"
)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)


def longest_prefix(path, table):
    fits = [key for key in table if path == key or path.startswith(key.rstrip("/") + "/")]
    return max(fits, key=len, default=None)


def box_of(path):
    """The box a file of the tree belongs to, or None for files that no rule covers."""
    public = longest_prefix(path, PUBLIC)
    return PUBLIC[public] if public else longest_prefix(path, BOXES)


def is_below(path, folders):
    return any(path.startswith(folder + "/") for folder in folders)


def check_own(source, box, target):
    """An include of another file of this tree."""
    other = box_of(target)
    if other is None:
        return f"{target} lies in no known box"
    if other != box and other not in BOXES[box].split():
        return f"{box} must not include {target} ({other})"
    return None


def check_foreign(source, name):
    """An include of a header from outside."""
    for pattern, places in EXTERNAL.items():
        if re.fullmatch(pattern, name):
            if is_below(source.path, places.split()):
                return None
            return f"<{name}> may only be included in {places.replace(' ', ', ')}"
    if is_below(source.path, FREESTANDING) and not FREESTANDING_HEADERS.fullmatch(name):
        return f"<{name}> is not available without an operating system"
    return None


def check_file(source, known):
    if source.path.startswith("tests/"):
        return
    box = box_of(source.path)
    for match in INCLUDE.finditer(source.text):
        quote, name = match.groups()
        own = name
        if name.startswith("mycel/"):
            own = "common/include/" + name
            own = own if own in known else "client/include/" + name
        if own in known or name.endswith(".pb.h") or name.startswith("mycel/"):
            message = check_own(source, box, own)
        elif quote == '"':
            message = f'"{name}" is not a path from the root of the tree'
        else:
            message = check_foreign(source, name)
        if message:
            yield source.finding(match.start(), message)


def main():
    files = list(sources(sys.argv[1]))
    known = {source.path for source in files}
    report("includes", [finding for source in files for finding in check_file(source, known)])


main()
