#!/usr/bin/env python3
"""Writes a copy of one source with a bug in it. Usage: plant.py <root> <bug> <output>

The text that a bug replaces has to occur exactly once, so that a change of the source that makes a bug
void is noticed when this is built.
"""
import pathlib
import sys

BUGS = {
    # A seat whose lease has expired stays taken.
    "lease_not_reclaimed": (
        "server/engine/lease.c",
        "e->devices[e->heap[0]].lease.deadline_ms <= e->now_ms) {",
        "e->devices[e->heap[0]].lease.deadline_ms == 0) {",
    ),
    # The device hears that its update counts before that is on the disk.
    "counted_before_commit": (
        "server/engine/update.c",
        "reply_receipt(e, &receipt, emit_batch(e));",
        "reply_receipt(e, &receipt, 0);",
    ),
    # … and the same for a lease.
    "leased_before_commit": (
        "server/engine/checkin.c",
        "lease->batch = emit_batch(e);",
        "lease->batch = 0;",
    ),
    # After a restart the engine does not know who was counted in the open round.
    "tally_forgotten": (
        "server/engine/restore.c",
        "    tally->accepted++;\n",
        "    tally->accepted += 0;\n",
    ),
    # A lease that was given up for a later one lives again after a restart.
    "lease_revived": (
        "server/engine/restore.c",
        "what->round == receipt->round && what->attempt < receipt->attempt",
        "what->round == receipt->round && what->attempt < 1",
    ),
    # One update too few makes a version.
    "below_minimum": (
        "server/engine/round.c",
        "if (!round->started || round->tally.accepted < run->spec.minimum) {",
        "if (!round->started || round->tally.accepted + 1 < run->spec.minimum) {",
    ),
}


def main():
    root, bug, output = sys.argv[1:]
    path, right, wrong = BUGS[bug]
    text = (pathlib.Path(root) / path).read_text(encoding="utf-8")
    if text.count(right) != 1:
        sys.exit(f"{bug}: {path} does not have this line once any more: {right.strip()}")
    pathlib.Path(output).write_text(text.replace(right, wrong), encoding="utf-8")


main()
