# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold exec that is told to end before its program is there, and in a workload that ends; of a machine: test_vm.py."""

import pytest

from auditing import RUNTIMES
from execs import check_exec_while_it_ends, check_told_before_it_began
from workload import needs_root

pytestmark = needs_root


@pytest.mark.parametrize("flags", RUNTIMES)
def test_before_its_program_and_at_the_end(pf, flags):
    name = pf.detach(*flags)
    check_told_before_it_began(pf, name)
    check_exec_while_it_ends(pf, name)
