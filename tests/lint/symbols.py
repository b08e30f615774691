"""What the pure archives may ask of the world. Usage: symbols.py <nm> <archive>...

The archives must define between them whatever they need, except for the few functions below: no
allocation, no clock, no randomness, no socket, no stdio, whatever the sources look like. Nor may
they hold a variable that can change.
"""

import re
import subprocess
import sys

from tree import report

ALLOWED = re.compile(
    r"mem(cpy|move|set|cmp|chr)|str(len|nlen|cmp|ncmp|chr)|__(memcpy|memmove|memset)_chk"
    r"|(exp2?|expm1|log1?p?|log2|sqrt|tanh?|sin|cos|pow|fabs|floor|ceil|l?round|l?rint|trunc|ldexp"
    r"|frexp|fmin|fmax|fma|copysign)f?"
    r"|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__cpu_model|__cpu_indicator_init|__assert_fail"
    r"|pb_\w+|psa_\w+|mbedtls_\w+"
)
# nm's letters: U is undefined; b, d and C are writable (constant data with addresses in it is d in
# a section .data.rel.ro, which nm shows only in its long format).
WRITABLE_SECTION = re.compile(r"\.(data(?!\.rel\.ro)|bss|tbss|tdata)|\*COM\*")


def symbols(nm, archive):
    """Yields (object, name, letter, section) of every symbol in the archive."""
    listing = subprocess.run([nm, "--format=sysv", archive], check=True, capture_output=True,
                             text=True, errors="replace").stdout
    member = "?"
    for line in listing.splitlines():
        heading = re.match(r".*?([\w.+-]+\.o)[\]:]", line)
        if heading:
            member = heading.group(1)
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield member, fields[0], fields[2], fields[6]


def main():
    nm, archives = sys.argv[1], sys.argv[2:]
    everything = [(archive.rsplit("/", 1)[-1], *symbol)
                  for archive in archives for symbol in symbols(nm, archive)]
    defined = {name for _, _, name, letter, _ in everything if letter not in "Uw"}
    findings = set()
    for archive, member, name, letter, section in everything:
        if letter in "Uw" and name not in defined and not ALLOWED.fullmatch(name):
            findings.add(f"{archive}({member}): {name} is not allowed here")
        if letter in "bBdDC" and WRITABLE_SECTION.match(section):
            findings.add(f"{archive}({member}): {name} is a variable that can change")
    report("symbols", sorted(findings))


main()
