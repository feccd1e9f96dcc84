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
def test_a_tree_without_git_has_no_revision(tmp_path):
    """As a tarball is, also one below the checkout of something else."""
    shutil.copytree(
        TOP,
        tmp_path / "tree",
        ignore=lambda where, names: [
            n for n in names if n in (".git", "build") or n.startswith("build-")
        ],
    )
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    build = tmp_path / "build"
    setup = ["meson", "setup", build, tmp_path / "tree", "-Dtests=false"]
    subprocess.run(setup, check=True, capture_output=True)
    subprocess.run(["ninja", "-C", build, "src/cli/revision.h"], check=True, capture_output=True)
    assert '"unknown"' in (build / "src/cli/revision.h").read_text()
