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
