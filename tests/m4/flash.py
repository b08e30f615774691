"""Sums the flash that the trainer's own objects take in a linker map: code and constants after
--gc-sections. The test's own program, the start values that it makes (a device in a fleet gets its
parameters) and the C library do not count. Usage: flash.py <file.map>"""

import re
import sys

OWN = re.compile(r"/(?!start|training|model_init)[a-z0-9_]+\.o$")
# " .text.name\n   0x00000000  0x1a4 /path/object.o", or all on one line.
ENTRY = re.compile(r"^ \.(text|rodata)\S*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$")


def total(text):
    memory = text.split("Linker script and memory map", 1)[1]
    joined = re.sub(r"^( \.\S+)\n\s+(0x)", r"\1 \2", memory, flags=re.M)
    used = 0
    for line in joined.splitlines():
        match = ENTRY.match(line)
        if match and OWN.search(match[4]) and "/lib" not in match[4]:
            used += int(match[3], 16)
    return used


print(total(open(sys.argv[1], encoding="utf-8").read()))
