# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a person sees: progress, colours where they are wanted, tables."""

import os
import shutil
import sys
import textwrap

terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
colours = terminal and not os.environ.get("NO_COLOR")


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if colours else text


def bold(text):
    return paint("1", text)


def green(text):
    return paint("32", text)


def red(text):
    return paint("31", text)


def yellow(text):
    return paint("33", text)


def verdict(word):
    return {"no difference": green, "different": red}.get(word, yellow)(word)


def width():
    return min(shutil.get_terminal_size((100, 24)).columns, 110) if terminal else 100


class Progress:
    """One line that is written over on a terminal; elsewhere a plain line a step."""

    def __init__(self):
        self.shown = False

    def say(self, text):
        if terminal:
            sys.stdout.write(f"\r\033[K{text[: width() - 1]}")
            self.shown = True
        else:
            print(f"… {text}")
        sys.stdout.flush()

    def clear(self):
        if self.shown:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()
            self.shown = False


progress = Progress()


def out(text=""):
    progress.clear()
    print(text, flush=True)


def heading(text):
    out()
    out(bold(text))


def note(text):
    """A paragraph below a table."""
    out(textwrap.fill(text, width() - 2, initial_indent="  ", subsequent_indent="  "))


def table(head, rows, marks=()):
    """Rows of strings, the first column names them. marks: (row, column) → what colours it."""
    marks = dict(marks)
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for at, line in enumerate(lines):
        cells = []
        for i, cell in enumerate(line):
            space = " " * (widths[i] - len(cell)) if i < len(line) - 1 else ""
            if at == 0:
                cell = bold(cell)
            cells.append(marks.get((at - 1, i), str)(cell) + space)
        out("  " + "   ".join(cells).rstrip())
