#!/usr/bin/python3
"""What one round costs: memory of coordinator and client, bytes at the socket, server CPU per update.

Runs the demo (ten client processes, 25,450 parameters as f32, real DTLS) and looks at its processes
between two rounds. References: bytes against the parameters alone, both ways; CPU against moving the
same datagrams through a bare UDP socket on loopback, in the same run.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROUNDS = 12
WARM = 2  # rounds before the first look
LAST = ROUNDS - 2  # the last look: afterwards the processes begin to end
CLIENTS = 10
PARAMS = 25450
DATAGRAM = 1100  # bytes of a block with its headers
TICKS = os.sysconf("SC_CLK_TCK")


def emit(case, value, unit, reference, ratio):
    print(json.dumps({"bench": "round", "case": case, "value": value, "unit": unit,
                      "reference": reference, "ratio": ratio}), flush=True)


def children(pid):
    """Command and pid of every child process."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if int(status[1]) == pid and len(words) > 1:
            found.append((words[1].decode(), int(entry.name)))
    return found


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def bare_socket_us(datagrams):
    """CPU to receive and answer so many datagrams, nothing else done with them."""
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    a.bind(("127.0.0.1", 0))
    b.bind(("127.0.0.1", 0))
    a.connect(b.getsockname())
    b.connect(a.getsockname())
    block = bytes(DATAGRAM)
    room = bytearray(2048)
    start = time.process_time()
    for _ in range(datagrams):
        a.send(block)
        b.recv_into(room)
    spent = time.process_time() - start
    a.close()
    b.close()
    return spent * 1e6


def measure():
    command = [os.environ["MYCEL_BIN"], "demo", "--json", "--rounds", str(ROUNDS), "--target", "0"]
    marks = {}
    memory = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        for line in demo.stdout:
            event = json.loads(line)
            if event["event"] == "round" and event["round"] <= LAST:
                family = children(demo.pid)
                server = next(pid for name, pid in family if name == "serve")
                clients = [pid for name, pid in family if name == "client"]
                marks[event["round"]] = (event, cpu_s(server))
                memory = {"coordinator": peak_kb(server), "client": max(map(peak_kb, clients))}
    if demo.returncode != 0 or LAST not in marks:
        sys.exit("the demo failed")
    return marks, memory


def main():
    marks, memory = measure()
    (first, cpu_first), (last, cpu_last) = marks[WARM], marks[LAST]
    rounds = LAST - WARM
    raw = PARAMS * 4
    for who, kb in memory.items():
        emit(f"rss_{who}", kb, "KB", raw / 1024, kb * 1024 / raw)
    for way in ("up", "down"):
        each = (last[f"bytes_{way}"] - first[f"bytes_{way}"]) / rounds
        emit(f"bytes_{way}_per_round", round(each), "B", raw * CLIENTS, each / (raw * CLIENTS))
    update_us = (cpu_last - cpu_first) * 1e6 / (rounds * CLIENTS)
    blocks = 2 * (raw // 1024 + 1)
    bare = bare_socket_us(blocks * 200) / 200
    emit("server_cpu_per_update", round(update_us, 1), "us", round(bare, 1), update_us / bare)


if __name__ == "__main__":
    main()
