# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Where systemd is process 1, it has the cgroups beside pinfold's: what it does with its own leaves the limits as they are."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from features import CGROUP, V2
from places import TOP

from workload import CPU, GUEST, OTHER, PAGE, PYTHON, free_pages, ids, needs_root, needs_two
from workload import status_field, unique, wait

SYSTEMD = Path("/run/systemd/system").is_dir() and Path("/proc/1/comm").read_text() == "systemd\n"
THIS = "tests/e2e/pinfold/test_systemd.py"
TYPED = "tests/e2e/pinfold/test_documents.py"
PATHS = "tests/e2e/pinfold/test_paths.py"
# what is run, and what has to pass of it
IN_A_GUEST = [
    ([TOP / THIS], rf"{THIS}::test_limits_hold\[daemon-reexec\] PASSED"),
    ([TOP / TYPED, "-k", "nspawn-lxc"], r"\$NSPAWN nproc\] PASSED(.|\n)*\$LXC -- nproc\] PASSED"),
    # the operator's way has a test of its own there
    (
        [TOP / PATHS, "-k", "developer or planner"],
        r"test_developer PASSED(.|\n)*test_planner PASSED",
    ),
]

pytestmark = [needs_root]
needs_systemd = pytest.mark.skipif(
    not SYSTEMD or not V2,
    reason=f"systemd is not process 1 on cgroup v2: tests/guest/run --systemd -- tests/run e2e {THIS}",
)


@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.limit(1000)
@pytest.mark.parametrize("words, like", IN_A_GUEST, ids=["limits", "nspawn-lxc", "paths"])
def test_in_a_guest(words, like):
    """What of this file needs systemd, where it is; and what does it another way there."""
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    if "nspawn-lxc" in words and not all(map(shutil.which, ["systemd-nspawn", "lxc-execute"])):
        pytest.skip("package systemd-container or lxc is not installed")
    p = subprocess.run(
        [TOP / "tests/guest/run", "--systemd", "-t", "900", "--",
         TOP / "tests/run", "e2e", *words],
        capture_output=True,
        text=True,
        timeout=950,
        check=False,
    )  # fmt: skip
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    said = re.sub(r"\033\[[0-9;]*m", "", p.stdout)  # what it writes to is a terminal
    print(said)
    assert p.returncode == 0, p.stderr
    assert re.search(like, said)


def systemctl(*args):
    subprocess.run(["systemctl", *args], check=True, timeout=200)


def reload():
    systemctl("daemon-reload")


def reexec():
    systemctl("daemon-reexec")


def unit_with_cpus():
    """The controllers are turned on for it, and off again."""
    name = unique()
    subprocess.run(
        ["systemd-run", "--quiet", f"--unit={name}", f"--property=AllowedCPUs={OTHER}",
         "--property=MemoryMax=64M", "--property=TasksMax=9", "sleep", "1000"],
        check=True, timeout=200,
    )  # fmt: skip
    group = CGROUP / "system.slice" / f"{name}.service"
    wait(lambda: ids((group / "cpuset.cpus.effective").read_text()) == {OTHER}, 30, "its cpuset")
    systemctl("stop", name)
    wait(lambda: not group.exists(), 30, "its end")
    systemctl("daemon-reload")


def slice_with_cpus():
    """All of systemd's services, and the supervisor of such a one, away from the CPU."""
    systemctl("set-property", "--runtime", "system.slice", f"AllowedCPUs={OTHER}")
    systemctl("daemon-reload")
    systemctl("set-property", "--runtime", "system.slice", "AllowedCPUs=")


DONE = {
    "daemon-reload": reload,
    "daemon-reexec": reexec,
    "unit-with-AllowedCPUs": unit_with_cpus,
    "slice-with-AllowedCPUs": slice_with_cpus,
}
LIMITS = [
    *("cpuset.cpus", "cpuset.mems", "memory.max", "memory.oom.group", "pids.max"),
    *("hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"),
]


def limits(pf, name):
    box = Path(pf.lease(name)["cgroup"]) / "box"
    return {limit: (box / limit).read_text().strip() for limit in LIMITS}


@needs_systemd
@needs_two
@pytest.mark.limit(120)
@pytest.mark.parametrize("how", DONE)
def test_limits_hold(pf, how):
    pages = 4 if free_pages() >= 4 else 0
    flags = ["--memory", "64M", "--pids", "55", *(["--hugepages", f"2M={pages}"] if pages else [])]
    _, name = pf.begin(*flags)
    pid, before = pf.program(name, "sleep"), limits(pf, name)
    assert before["hugetlb.2MB.max"] == str(pages * PAGE) and before["cpuset.cpus"] == str(CPU)
    DONE[how]()
    assert limits(pf, name) == before
    assert pf.ps()[name]["state"] == "running"
    # and bind: the program that was there, one that comes, and memory
    for text in (Path(f"/proc/{pid}/status").read_text(),
                 pf.ok("exec", name, "--", "cat", "/proc/self/status")):  # fmt: skip
        assert ids(status_field(text, "Cpus_allowed_list")) == {CPU}
    p = pf("exec", name, "--", PYTHON, "-I", "-c", "x = b'x' * (256 << 20)")
    assert p.returncode == 128 + signal.SIGKILL, p.stderr
    wait(lambda: name not in pf.ps(), what="the end of all of it")
    row = next(row for row in pf.json("ps", "-a", "--json") if row["name"] == name)
    assert row["how"] == "memory" and "its limit of 64M was reached" in row["note"]
