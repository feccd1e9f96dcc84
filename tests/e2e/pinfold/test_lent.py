# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""scripts/hugepages, which ./try and ./check take pages with: what others reserve meanwhile is not given back."""

import subprocess

import pytest
from places import TOP

from workload import needs_root

PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
# with a state of its own, and a number of pages that nobody else sees
SETUP = f"""set -e
mount -t tmpfs none /run
echo "$2" >/run/pages
mount --bind /run/pages {PAGES}
script=$1
eval "$3"
test ! -e /run/pinfold-dev
exec cat {PAGES}
"""


@pytest.mark.anywhere
@needs_root
@pytest.mark.parametrize(
    "does, after, says",
    [
        ("$script up 8; $script down", 3, False),
        ("$script up 2; $script down", 3, False),  # there were enough
        ("$script up 8; (:; $script up 9; $script down; :); $script down", 3, False),
        (f"$script up 8; echo 20 >{PAGES}; $script down", 20, True),
        (f"$script up 8; echo 5 >{PAGES}; $script down", 5, True),
        # what somebody else has made is what there was before
        (f"$script up 8; echo 5 >{PAGES}; $script up 9; $script down", 5, False),
        # by one that was killed
        ("(:; $script up 8; :); $script up 8; $script down", 3, False),
        (f"(:; $script up 8; :); echo 20 >{PAGES}; $script up 8; $script down", 20, False),
    ],
    ids=str,
)
def test_pages(does, after, says):
    script = str(TOP / "scripts/hugepages")
    argv = ["unshare", "-m", "bash", "-c", SETUP, "bash", script, "3", does]
    p = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert p.returncode == 0, p.stderr
    assert p.stdout == f"{after}\n"
    assert ("somebody else" in p.stderr) == says, p.stderr
