# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""nic bind --persist over a real boot, in a guest whose process 1 is systemd and whose disk outlives it."""

import re
import subprocess

import pytest
from places import TOP

from workload import GUEST, needs_root


@needs_root
@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.limit(1000)
def test_nic_is_bound_at_the_second_boot():
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    p = subprocess.run(
        [TOP / "tests/guest/run", "--systemd", "-t", "900", "--", TOP / "tests/guest/nics-at-boot"],
        capture_output=True,
        text=True,
        timeout=950,
        check=False,
    )
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    print(p.stdout)
    assert p.returncode == 0, p.stderr
    assert re.search("^bound again at the second boot", p.stdout, re.M)
