"""What the compiler does not refuse. Usage: style.py <root>

Banned functions, weak symbols, double and stdio where they must not be, direct recursion, and the
two ceilings: 500 lines a file, 70 lines a function.
"""

import re
import sys

from tree import FOLDERS, report, sources

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

BANNED = re.compile(
    r"\b(v?sprintf|strcpy|stpcpy|strcat|strtok|atoi|atol|atoll|atof|alloca|gets)\s*\("
)
WEAK = re.compile(r"\b__weak\b|__attribute__\s*\(\(\s*(__)?weak|#\s*pragma\s+weak")
ALLOCATION = re.compile(r"\b(malloc|calloc|realloc|free|strdup)\s*\(")
DOUBLE = re.compile(r"\bdouble\b")

# The shells own memory; everything else works in memory it is given.
MAY_ALLOCATE = ("server/net/", "server/store/", "server/daemon/", "server/cli/", "server/eval/",
                "client/port/", "data/", "sim/", "tests/")
NO_DOUBLE = ("client/nn/", "client/runtime/", "common/")

# clang-format puts a function's braces, and nothing else's, alone in the first column.
FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][^;{}#]*\))\s*\n\{\n(?P<body>.*?)^\}", re.M | re.S)
# The name may be made by a macro, as in TILE(dot)(...).
NAME = re.compile(r"([A-Z_]+\(\w+\)|[A-Za-z_]\w*)\s*$")


def check_words(source):
    code = source.code
    for match in BANNED.finditer(code):
        yield source.finding(match.start(), f"{match.group(1)}() is banned")
    for match in WEAK.finditer(code):
        yield source.finding(match.start(), "weak symbols are banned")
    if not source.path.startswith(MAY_ALLOCATE):
        for match in ALLOCATION.finditer(code):
            yield source.finding(match.start(), f"{match.group(1)}() outside the shells")
    if source.path.startswith(NO_DOUBLE):
        for match in DOUBLE.finditer(code):
            yield source.finding(match.start(), "double is not used here")


def name_of(head):
    """What stands before the parameters, which are the last pair of parentheses."""
    depth, position = 0, len(head)
    while position > 0:
        position -= 1
        depth += {")": 1, "(": -1}.get(head[position], 0)
        if depth == 0:
            break
    found = NAME.search(head[:position])
    return found.group(1) if found else head


def check_functions(source):
    for match in FUNCTION.finditer(source.code):
        name = name_of(match.group("head"))
        lines = match.group().count("\n") + 1
        if lines > FUNCTION_LINES_MAX:
            yield source.finding(match.start(), f"{name}() has {lines} lines")
        # A call through a table, as in store->erase(), is another function's.
        if re.search(rf"(?<![\w.>]){re.escape(name)}\s*\(", match.group("body")):
            yield source.finding(match.start(), f"{name}() calls itself")


def check_length(source):
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield source.finding(0, f"{lines} lines")


def main():
    root = sys.argv[1]
    findings = []
    for source in sources(root):
        for check in (check_words, check_functions):
            findings.extend(check(source))
    suffixes = (".c", ".h", ".py", ".sh", ".cmake")
    for source in sources(root, suffixes, (*FOLDERS, "cmake", "deploy")):
        findings.extend(check_length(source))
    report("style", findings)


main()
