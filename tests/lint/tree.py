"""The source tree as the lints see it: which files there are, and C text without its comments.

Owns no rule. A finding is one line "path:line: message"; a lint that has findings exits with 1.
"""

import pathlib
import re
import sys

FOLDERS = ("common", "proto", "data", "client", "server", "sim", "tests")
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Source:
    """One file: its path relative to the root, its text, and its text reduced to code."""

    def __init__(self, root, path):
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")

    @property
    def code(self):
        """The text with comments and literals blanked; line numbers stay as they are."""
        return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), self.text)

    def finding(self, offset, message):
        line = self.text.count("\n", 0, offset) + 1
        return f"{self.path}:{line}: {message}"


def sources(root, suffixes=(".c", ".h"), folders=FOLDERS):
    """All files of the project with one of these suffixes, in order of path."""
    root = pathlib.Path(root).resolve()
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield Source(root, path)


def report(name, findings):
    """Prints the findings and ends the process."""
    for finding in findings:
        print(finding)
    print(f"{name}: {len(findings)} finding(s)")
    sys.exit(1 if findings else 0)
