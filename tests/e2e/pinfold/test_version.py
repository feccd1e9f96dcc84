# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What pinfold --version says of the build and the machine."""

import re
import shutil
import subprocess

import pytest
from places import TOP

pytestmark = [pytest.mark.anywhere]


def test_version(pinfold):
    text = subprocess.run([pinfold, "--version"], capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(None, 1) for line in text.splitlines())
    assert re.fullmatch(r"\d+\.\d+\.\d+", lines["pinfold"])
    assert re.fullmatch(r"[0-9a-f]{12,}(-dirty)?|unknown", lines["revision"])
    assert re.match(r"(gcc|clang) \d+\.", lines["compiler"])
    assert re.match(r"\d+\.\d+", lines["DPDK"])
    runtime = shutil.which("crun") or shutil.which("runc")
    assert lines["runtime"].startswith(runtime or "none: find crun")


@pytest.mark.limit(240)
def test_the_revision_is_of_the_tree(tmp_path):
    """A tarball has none, also below the checkout of something else; one that was changed says so, and no other."""
    tree = tmp_path / "tree"
    shutil.copytree(
        TOP,
        tree,
        ignore=lambda where, names: [
            n for n in names if n in (".git", "build") or n.startswith("build-")
        ],
    )
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    build = tmp_path / "build"
    setup = ["meson", "setup", build, tree, "-Dtests=false"]
    subprocess.run(setup, check=True, capture_output=True)

    def revision():
        ninja = ["ninja", "-C", build, "src/cli/revision.h"]
        subprocess.run(ninja, check=True, capture_output=True)
        return re.search('"(.*)"', (build / "src/cli/revision.h").read_text())[1]

    def git(*words):
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", "-C", tree, *who, *words], check=True, capture_output=True)

    assert revision() == "unknown"
    git("init", "-q")
    git("add", "README.md", "src/cli")
    git("commit", "-qm", "x")
    assert re.fullmatch("[0-9a-f]{12}", revision())
    with (tree / "README.md").open("a") as f:
        f.write("x")
    assert re.fullmatch("[0-9a-f]{12}-dirty", revision())
