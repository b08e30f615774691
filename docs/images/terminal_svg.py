#!/usr/bin/env python3
"""Runs a command on a terminal of its own and draws what stands there at the end as SVG.

Usage: terminal_svg.py OUT.svg COLUMNS COMMAND [ARGUMENT...]

Lines appear in the order and at the pace in which the command wrote them, then stay. It knows the
few control sequences that `mycel demo` uses. Braille and half blocks are drawn as shapes, so that
they look alike whatever fonts there are.
"""

import codecs
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from xml.sax.saxutils import escape

CELL_W, CELL_H, SIZE = 8.4, 18, 14
MARGIN, BAR = 18, 34
SHOWN_S = 9.0  # the whole session, compressed to this
BACKGROUND, TEXT = "#11161d", "#d7dde5"
COLORS = {31: "#ff7b72", 32: "#56d364", 36: "#56c8d8"}
SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


def record(columns, command):
    """[(seconds, text)] of a command on a pseudo-terminal, and the command's exit code."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.environ.pop("NO_COLOR", None)
        time.sleep(0.2)  # until the size is set
        os.execvp(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    start, decoder, chunks = time.time(), codecs.getincrementaldecoder("utf-8")(), []
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            break
        chunks.append((time.time() - start, decoder.decode(data)))
    return chunks, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Style:
    def __init__(self, fg=None, bg=None, bold=False, dim=False):
        self.fg, self.bg, self.bold, self.dim = fg, bg, bold, dim

    def key(self):
        return (self.fg, self.bg, self.bold, self.dim)


def grey(index):
    level = 8 + 10 * (index - 232)
    return f"#{level:02x}{level:02x}{level:02x}"


def restyle(style, codes):
    numbers = [int(c or 0) for c in codes.split(";")]
    s = Style(*style.key())
    while numbers:
        n = numbers.pop(0)
        if n == 0:
            s = Style()
        elif n == 1:
            s.bold = True
        elif n == 2:
            s.dim = True
        elif n in COLORS:
            s.fg = COLORS[n]
        elif n in (38, 48):
            color = grey(numbers[1])
            del numbers[:2]
            s.fg, s.bg = (color, s.bg) if n == 38 else (s.fg, color)
    return s


class Screen:
    """Rows of cells (character, style), each row with the time of its last change."""

    def __init__(self):
        self.rows, self.times, self.row, self.column, self.style = [[]], [0.0], 0, 0, Style()
        self.cut = ""  # the beginning of a sequence whose end comes with the next text

    def put(self, char, now):
        while len(self.rows) <= self.row:
            self.rows.append([])
            self.times.append(now)
        cells = self.rows[self.row]
        cells.extend((" ", Style()) for _ in range(self.column + 1 - len(cells)))
        cells[self.column] = (char, self.style)
        self.times[self.row] = now
        self.column += 1

    def control(self, private, codes, letter):
        if letter == "m":
            self.style = restyle(self.style, codes)
        elif letter == "A":
            self.row = max(0, self.row - int(codes or 1))
        elif letter == "J":
            del self.rows[self.row + 1 :], self.times[self.row + 1 :]
            if self.row < len(self.rows):
                del self.rows[self.row][self.column :]

    def write(self, text, now):
        text, self.cut = self.cut + text, ""
        begun = re.search(r"\x1b(\[\??[0-9;]*)?$", text)
        if begun:
            text, self.cut = text[: begun.start()], begun.group()
        at = 0
        while at < len(text):
            match = SEQUENCE.match(text, at)
            if match:
                self.control(*match.groups())
                at = match.end()
                continue
            char = text[at]
            if char == "\n":
                self.row += 1
                if self.row == len(self.rows):
                    self.rows.append([])
                    self.times.append(now)
            elif char == "\r":
                self.column = 0
            else:
                self.put(char, now)
            at += 1


def draw_braille(x, y, char, color):
    bits = ord(char) - 0x2800
    order = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    return "".join(
        f'<circle cx="{x + 2.1 + 4.2 * dx:.1f}" cy="{y + 2.2 + 4.5 * dy:.1f}" r="1.35" fill="{color}"/>'
        for bit, (dx, dy) in enumerate(order) if bits >> bit & 1)


def draw_half_block(x, y, style):
    half = CELL_H / 2
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{CELL_W + .3:.1f}" height="{half + .3:.1f}" '
            f'fill="{style.fg or TEXT}"/>'
            f'<rect x="{x:.1f}" y="{y + half:.1f}" width="{CELL_W + .3:.1f}" height="{half + .3:.1f}" '
            f'fill="{style.bg or BACKGROUND}"/>')


def draw_text(x, y, text, style):
    weight = ' font-weight="700"' if style.bold else ""
    faint = ' opacity=".6"' if style.dim else ""
    return (f'<text x="{x:.1f}" y="{y + 13.5:.1f}" fill="{style.fg or TEXT}"{weight}{faint} '
            f'textLength="{len(text) * CELL_W:.1f}">{escape(text)}</text>')


def draw_row(cells, y):
    out, run, run_x, run_style = [], "", 0.0, None

    def flush():
        nonlocal run
        if run.strip():
            out.append(draw_text(run_x, y, run, run_style))
        run = ""

    for column, (char, style) in enumerate(cells):
        x = MARGIN + column * CELL_W
        shape = None
        if 0x2800 <= ord(char) < 0x2900:
            shape = draw_braille(x, y, char, style.fg or TEXT)
        elif char == "▀":
            shape = draw_half_block(x, y, style)
        if shape is not None or (run and style.key() != run_style.key()):
            flush()
        if shape is not None:
            out.append(shape)
        else:
            if not run:
                run_x, run_style = x, style
            run += char
    flush()
    return "".join(out)


def draw(screen, columns, title):
    rows = [(cells, at) for cells, at in zip(screen.rows, screen.times)]
    while rows and not rows[-1][0]:
        rows.pop()
    width = 2 * MARGIN + columns * CELL_W
    height = BAR + len(rows) * CELL_H + MARGIN
    scale = SHOWN_S / max(at for _, at in rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
           f'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace" '
           f'font-size="{SIZE}" xml:space="preserve" role="img"><title>{escape(title)}</title>',
           "<style>text{white-space:pre}g rect{shape-rendering:crispEdges}g{animation:s .01s both}@keyframes s{from{opacity:0}}"
           "@media(prefers-reduced-motion){g{animation:none}}</style>",
           f'<rect width="100%" height="100%" rx="9" fill="{BACKGROUND}"/>']
    for i, color in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        out.append(f'<circle cx="{20 + 18 * i}" cy="17" r="5.5" fill="{color}"/>')
    out.append(f'<text x="{width / 2:.0f}" y="22" fill="{TEXT}" opacity=".6" '
               f'text-anchor="middle">{escape(title)}</text>')
    for number, (cells, at) in enumerate(rows):
        body = draw_row(cells, BAR + number * CELL_H)
        if body:
            out.append(f'<g style="animation-delay:{at * scale:.2f}s">{body}</g>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    path, columns, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    chunks, code = record(columns, command)
    screen = Screen()
    for at, text in chunks:
        screen.write(text, at)
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(screen, columns, " ".join(command)))
    return code


if __name__ == "__main__":
    sys.exit(main())
