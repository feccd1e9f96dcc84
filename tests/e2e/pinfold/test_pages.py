# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the pages promise about the sources: SECURITY.md names a test that is there for each thing it promises, and
every property of pinfold audit; architecture.md has its words in order."""

import re

import pytest

from places import TOP

pytestmark = [pytest.mark.anywhere]

PAGE = (TOP / "SECURITY.md").read_text(encoding="utf-8")
TESTS = {p.name for p in (TOP / "tests").rglob("*") if re.match(r"(test|fuzz)_.*\.(c|py)$", p.name)}
# a file, or what has all of a kind
NAME = re.compile(r"`((?:tests/[a-z0-9/]*)?(?:(?:test|fuzz)_\w+\.(?:c|py))?)`")


def named(text):
    """The tests that it names; that they are there is asserted."""
    found = [name for name in NAME.findall(text) if name]
    for name in found:
        assert (TOP / name).exists() if "/" in name else name in TESTS, name
    return found


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]


def rows(text):
    """Of its tables, without their titles."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    below = [*lines[1:], ""]
    return [
        [cell.strip() for cell in line[1:-1].split("|")]
        for line, after in zip(lines, below)
        if not line.startswith("|--") and not after.startswith("|--")
    ]


def properties():
    """The names in the tables of pinfold audit."""
    names = set()
    for path in (TOP / "src/inside/audit").glob("*.c"):
        for table in re.findall(
            r"^const struct property \w+\[\] = \{(.*?)^\};",
            path.read_text(encoding="utf-8"),
            re.M | re.S,
        ):
            names.update(re.findall(r'\{\s*"([a-z0-9-]+)",', table))
    return names


def audited(cell):
    """ "huge-file, -anonymous, calls-*" in full."""
    found, first = set(), ""
    for word in filter(None, cell.split(", ")):
        if word.startswith("-"):
            word = first + word
        first = word.split("-", maxsplit=1)[0]
        pattern = re.escape(word).replace(r"\*", ".*")
        matches = {name for name in properties() if re.fullmatch(pattern, name)}
        assert matches, f"'{word}' is no property of pinfold audit"
        found |= matches
    return found


def test_every_name_is_a_test():
    assert len(named(PAGE)) > 60


@pytest.mark.parametrize(
    "title", ["Who is trusted", "What a container can reach", "The keeper of a user's grant"]
)
def test_every_row_names_a_test(title):
    found = rows(section(title))
    assert len(found) > 8
    for row in found:
        audit = len(row) > 3 and title.startswith("What") and audited(row[2])
        assert named(row[-1]) or audit, f"no test: {row[0]}"


def test_every_rule_names_a_test():
    rules = re.split(r"^\* ", section("Rules the code keeps"), flags=re.M)[1:]
    assert len(rules) > 12
    for rule in rules:
        assert named(rule), f"no test: {rule}"


def test_every_bound_names_a_test():
    """Of what is not protected against: what is said of it in the first part is tried, in the second nothing is."""
    bounds, limits = section("What pinfold does not protect against").split("### Not at all")
    for text, tried in ((bounds, True), (limits, False)):
        found = re.split(r"^\* ", text, flags=re.M)[1:]
        assert len(found) > 10
        for one in found:
            assert bool(named(one)) == tried, one


def test_every_property_of_the_audit_is_in_a_row():
    found = set().union(*(audited(row[2]) for row in rows(section("What a container can reach"))))
    assert properties() - found == set() and len(found) > 40


def test_words_are_in_order():
    page = (TOP / "docs/architecture.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| (\w+) \|", page.split("## Words")[1].split("##")[0], re.M)
    assert words == sorted(words) and len(words) > 10
