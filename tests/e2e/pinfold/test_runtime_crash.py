# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Containers of engines that are made where there is no room, and several at once for one grant. That are killed on the
way: test_crash_steps.py."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from bundle import BUSYBOX, Bundle
from caller import Caller
from workload import CPU, LEASES, needs_pages, needs_root, unique

pytestmark = [
    needs_root,
    pytest.mark.skipif(shutil.which("crun") is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
]
AT_ONCE = 6


@pytest.fixture
def engine(pf, tmp_path):
    e = Caller(tmp_path)
    yield e
    e.put_away()


@needs_pages(8)
@pytest.mark.guest
def test_creates_that_race_for_one_grant(pf, engine, tmp_path):
    """One has it; each of the others is told, in a line, that another has."""
    grant = pf.grant("--cpus", CPU, "--hugepages", "2M=8", "--claim-by", "annotation")
    names = [unique("c") for _ in range(AT_ONCE)]
    engine.names += names

    def create(name):
        bundle = Bundle(tmp_path / name, engine.doc(grant))
        log = tmp_path / f"{name}.log"
        words = ["--bundle", str(bundle.top), name]
        return engine.runtime.create(*words, before=["--log", str(log)]), log

    for _ in range(3):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = dict(zip(names, pool.map(create, names)))
        made = [name for name, (status, _) in found.items() if status == 0]
        assert len(made) == 1, found
        for name, (_, log) in found.items():
            if name in made:
                continue
            text = log.read_text()
            assert text.count("\n") == 1 and f"grant '{grant}' is in use by" in text, text
            assert made[0] in text
            log.unlink()
        assert pf.lease(grant)["command"].split()[1] == made[0]
        assert engine.runtime("delete", "--force", made[0]).returncode == 0
        assert pf.ps() == {}
        assert all(engine.runtime("state", name).returncode != 0 for name in names)


def test_a_full_disk(pf, engine):
    """Where the ledger is there is room for some files and not for others: wherever it ends, one line, and nothing is
    left."""
    grant = pf.grant("--cpus", CPU, "--claim-by", "annotation")
    engine.bundle.write(engine.doc(grant))
    ended, log = [], engine.bundle.top / "log"
    for pages in range(1, 16):
        name = unique("c")
        room = f"mount -t tmpfs -o size={4 * pages}k none /run/pinfold"
        runtime = f"'{engine.runtime.path}' --root '{engine.runtime.root}' --log '{log}'"
        # what is made goes with the file system that knows of it
        script = (
            f"{room} && if {runtime} create --bundle '{engine.bundle.top}' {name}; then "
            f"{runtime} delete --force {name} || exit 3; else echo refused; fi; "
            "find /run/pinfold/leases /run/pinfold/engine -type f"
        )
        log.write_text("")
        p = subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert "/run/pinfold/" not in p.stdout and p.returncode != 3, (pages, p)
        ended.append(p.stdout == "refused\n")
        text = log.read_text()
        if ended[-1]:
            assert text.count("\n") == 1 and "No space left on device" in text, (pages, text)
        else:
            assert text == "", (pages, text)
        assert engine.runtime("state", name).returncode != 0
    assert ended[0] and not ended[-1], ended
    assert not (LEASES / f"{grant}.json").exists()
