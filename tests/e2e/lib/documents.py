# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the documents show to be typed: their blocks, the commands in these, what is shown below each.

A block is indented by four columns, or fenced. In one that is fenced as "sh" each line is a command, in one of
a program's settings none is.
Elsewhere "# " is root's prompt and "$ " a user's; the lines below, to the next prompt, are what is printed,
and "^C" is what ends it. A backslash at the end continues a command, and so does <<'WORD' until a line WORD.
"""

import re
from dataclasses import dataclass, field

from places import TOP

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
DOCUMENTS += sorted(str(path.relative_to(TOP)) for path in (TOP / "docs").glob("*.md"))
SETTINGS = ["yaml", "toml", "json", "ini"]
# of a line that is typed, or that says how: the first word
COMMAND = re.compile(
    r"(\w+=\S* )*(sudo |/run/pinfold/)?(pinfold|drover|inside|make|meson|apt|\./|scripts/|tests/)"
)


@dataclass
class Command:
    where: str  # as in "README.md:61"
    user: str  # "#", or "$"
    text: str
    heading: str  # what it stands below
    shown: list = field(default_factory=list)

    @property
    def interrupted(self):
        return self.shown[-1:] == ["^C"]

    @property
    def unfinished(self):
        here = re.search(r"<<'(\w+)'", self.text)
        return self.text.endswith("\\") or (here and here[1] not in self.text.splitlines()[1:])


def blocks(text):
    """Each as (number of the first line, word at its fence, lines without their margin, the heading above)."""
    fence, found, inside, heading = None, [], False, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if fence is None:
                fence = (number + 1, line[3:].strip(), [], heading)
            else:
                found.append(fence)
                fence = None
        elif fence is not None:
            fence[2].append(line)
        elif line.startswith("    "):
            if not inside:
                found.append((number, "", [], heading))
            found[-1][2].append(line[4:])
        elif line.startswith("#"):
            heading = line.lstrip("# ")
        inside = fence is None and line.startswith("    ")
    return found


def commands(document):
    """The commands of a document, and the other lines that begin with a program: (where, line)."""
    found, others = [], []
    for first, kind, lines, heading in blocks((TOP / document).read_text()):
        command = None
        for number, line in enumerate(lines, first):
            where = f"{document}:{number}"
            prompt = "" if kind in SETTINGS else line[:2]
            if command is not None and command.unfinished:
                command.text += f"\n{line}"
            elif kind == "sh":
                command = Command(where, "$", line, heading)
                found += [command] if line else []
            elif prompt in ("# ", "$ "):
                command = Command(where, prompt[0], line[2:], heading)
                found.append(command)
            elif command is not None:
                command.shown.append(line)
            elif COMMAND.match(line):
                others.append((where, line))
    return found, others


def section(document, heading):
    """The commands below a heading, which has some."""
    found = [c for c in commands(document)[0] if c.heading == heading]
    assert found, f"{document} has no commands below '{heading}'"
    return found


def pattern(line):
    """What is shown, with any number for a number, any space for space, anything for an ellipsis."""
    parts = re.split(r"(\d+|\s+|…)", line.strip())
    said = {"…": ".*"}
    return "".join(
        said.get(part)
        or (r"\d+" if part.isdigit() else r"\s+" if part.isspace() else re.escape(part))
        for part in parts
    )


def missing(shown, printed):
    """The first line that is shown and was not printed, after the one before it; a line of its own
    that is an ellipsis stands for any number of lines, also none."""
    lines = [line.strip() for line in printed.splitlines()]
    at, gap = 0, False
    for line in shown:
        if line.strip() in ("…", "^C"):
            gap = True
            continue
        want = re.compile(pattern(line))
        while at < len(lines) and not want.fullmatch(lines[at]):
            if not gap:
                return line
            at += 1
        if at == len(lines):
            return line
        at, gap = at + 1, False
    return None
