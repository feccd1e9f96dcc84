# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Where the checkout is, and what was built of it."""

import os
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]


def program(variable, default):
    """The path of a program, which a variable of the environment may name."""
    path = TOP / os.environ.get(variable, default)
    if not os.access(path, os.X_OK):
        pytest.fail(f"'{path}' is not built: run make, or set {variable}", pytrace=False)
    return str(path)


def is_roots(path):
    """Whether root alone can put something else there."""
    path = Path(path).resolve()
    found = [p.stat() for p in [path, *path.parents]]
    return all(s.st_uid == 0 and not s.st_mode & (0o002 if s.st_gid == 0 else 0o022) for s in found)
