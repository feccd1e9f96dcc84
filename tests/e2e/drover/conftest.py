# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the tests of drover share."""

import functools

import pytest
from drover_run import Bench, Drover
from places import program


@pytest.fixture(scope="session")
def drover():
    """The path of the program."""
    return program("DROVER", "build/drover/drover")


@pytest.fixture
def bench(drover, tmp_path):
    return Bench(drover, tmp_path / "bench")


@pytest.fixture
def start(drover, tmp_path):
    """Starts one that goes on: start(config, …)."""
    return functools.partial(Drover, drover, tmp_path)
