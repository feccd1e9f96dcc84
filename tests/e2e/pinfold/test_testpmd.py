# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Debian's dpdk-testpmd, unmodified, in its fence: what EAL finds, what it is refused."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from workload import CPU, EAL_NODES, NODE, OTHER, PYTHON, free_pages, ids, needs_pages, needs_root
from workload import needs_numa, needs_testpmd, needs_two, pool, processes_of, status_field, unique

pytestmark = [needs_root, needs_testpmd, needs_pages(96)]

MBUFS = "--total-num-mbufs=2048"
PAGES = ["--hugepages", "2M=40"]
USERS = [(), ("--user", "1000")]


def command(*eal, cpu=CPU, vdev="net_null0", app=()):
    """One CPU has both lcores: testpmd wants one for its own control."""
    return [
        "--",
        "dpdk-testpmd",
        "--lcores",
        f"0@{cpu},1@{cpu}",
        f"--vdev={vdev}",
        *eal,
        "--",
        MBUFS,
        *app,
    ]


def eal_lcores(log):
    """What EAL itself says it found: {lcore: node}."""
    return {
        int(m[1]): int(m[2])
        for m in re.finditer(r"Detected lcore (\d+) as core \d+ on socket (\d+)", log)
    }


def check_eal(log, cpus):
    assert eal_lcores(log) == dict.fromkeys(cpus, NODE), log
    assert f"EAL: Detected CPU lcores: {len(cpus)}\n" in log
    assert EAL_NODES in log
    assert "Probe PCI driver" not in log and "PCI device" not in log


@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
@pytest.mark.guest
def test_finds_its_grant(pf, user, place):
    if place and user:
        pytest.skip("a program on the bare host keeps its user")
    eal = ["--log-level=*:debug", *(["--no-pci"] if place else [])]
    p = pf.run(*PAGES, *user, *place, *command(*eal))
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    check_eal(log, [CPU])
    assert re.search(r"EAL: Detected memory type: socket_id:\d+ hugepage_sz:2097152", log)
    assert not re.search(r"memory type: socket_id:\d+ hugepage_sz:1073741824", log)
    assert "forwards packets on 1 streams" in log


@needs_two
@needs_pages(220)
def test_no_arguments_at_all(pf):
    """Two CPUs, and pages for testpmd's own idea of a pool: only the device has to be said."""
    both = f"{OTHER},{CPU}"
    p = pf.run("--hugepages", "2M=220", "--", "dpdk-testpmd", "--vdev=net_null0", cpu=both)
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    assert "EAL: Detected CPU lcores: 2\n" in log
    assert f"Logical Core {CPU} (socket {NODE}) forwards packets" in log


@needs_two
def test_shared_pool_for_control(pf):
    """An exclusive CPU that polls, and a shared one for testpmd's main lcore."""
    name = pf.grant("--pool", "--cpus", OTHER)
    flags = ["--shared-cpus", name, *PAGES, "--", "dpdk-testpmd", "--log-level=lib.eal:debug"]
    p = pf.run(*flags, "--vdev=net_null0", "--", MBUFS)
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    check_eal(log, [OTHER, CPU])
    assert f"Logical Core {CPU} (socket {NODE}) forwards packets" in log


@needs_two
@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
def test_two_at_once(pf, user):
    both = []
    for cpu in (OTHER, CPU):
        name = pf.unique()
        s = pf.start(
            "run",
            "--name",
            name,
            "--cpus",
            cpu,
            *PAGES,
            *user,
            *command("--log-level=lib.eal:debug", cpu=cpu, app=["--stats-period", "1"]),
        )
        both.append((s, name, cpu))
    for s, name, cpu in both:
        s.until(r"Rx-pps: +[1-9]")
        check_eal(s.text(), [cpu])
        for pid in processes_of(pf.lease(name)):
            status = Path(f"/proc/{pid}/status").read_text()
            assert ids(status_field(status, "Cpus_allowed_list")) == {cpu}
    for s, _, _ in both:
        s.signal(signal.SIGINT)
    for s, _, _ in both:
        assert s.end() == 0
        assert "Accumulated forward statistics" in s.text()


@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
def test_what_it_may_do(pf, user):
    """No capability, no new privileges, a filter, while it forwards."""
    name = pf.unique()
    s = pf.start(
        "run", "--name", name, "--cpus", CPU, *PAGES, *user, *command(app=["--stats-period", "1"])
    )
    s.until(r"Rx-pps: +\d")
    found = 0
    for pid in processes_of(pf.lease(name)):
        text = Path(f"/proc/{pid}/status").read_text()
        found += status_field(text, "Name").startswith("dpdk-testpmd")
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status_field(text, field), 16) == 0, (pid, field)
        assert status_field(text, "NoNewPrivs") == "1"
        assert status_field(text, "Seccomp") == "2"
        assert all(int(u) >= 0x70000000 for u in status_field(text, "Uid").split())
    assert found == 1
    s.signal(signal.SIGTERM)
    assert s.end() in (0, 128 + signal.SIGTERM)


@pytest.mark.parametrize("legacy", [(), ("--legacy-mem",)], ids=["", "legacy"])
@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
def test_one_page_more_is_refused(pf, legacy, user):
    p = pf.run(*PAGES, *user, *command("-m", "82", *legacy))
    log = p.stdout + p.stderr
    assert p.returncode != 0
    assert "Not enough memory available! Requested: 82MB, available: 80MB" in log
    p = pf.run(*PAGES, *user, *command("-m", "80", *legacy))
    assert p.returncode == 0, p.stdout + p.stderr


def test_in_memory_with_anonymous_pages(pf):
    flags = ["--hugepages", "2M=40,anon"]
    p = pf.run(*flags, *command("--in-memory", "-m", "80"))
    assert p.returncode == 0, p.stdout + p.stderr
    p = pf.run(*flags, *command("--in-memory", "-m", "82"))
    assert p.returncode != 0 and "available: 80MB" in p.stdout + p.stderr


def test_no_pci_device(pf):
    p = pf.run(*PAGES, *command("--log-level=bus.pci:debug", "--log-level=pmd:debug"))
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    assert not re.search(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d", log), log
    assert "Port 1" not in log
    assert pf.shell("ls /sys/bus/pci/devices") == ""


# --- other programs that look at the machine ------------------------------------------------------


@needs_numa
@pytest.mark.guest
def test_tools_agree_with_the_grant(pf):
    flags = ["--hugepages", "2M=40", "--memory", "256M"]
    text = pf.shell(
        "nproc; nproc --all; lscpu -J -e=CPU,NODE; numactl -H; free -m; "
        "cat /proc/cpuinfo | grep -c ^processor",
        *flags,
    )
    lines = text.splitlines()
    assert lines[:2] == ["1", "1"]
    rows = json.loads(re.search(r"\{.*?\n\}", text, re.S)[0])["cpus"]
    assert [(int(r["cpu"]), int(r["node"])) for r in rows] == [(CPU, NODE)]
    assert "available: 1 nodes" in text
    assert f"node {NODE} cpus: {CPU}\n" in text
    assert f"node {NODE} size: {256 + 80} MB" in text
    total = re.search(r"^Mem: +(\d+)", text, re.M)
    assert int(total[1]) == 256 + 80
    assert lines[-1] == "1"


def test_lstopo_agrees(pf):
    if not os.path.exists("/usr/bin/lstopo-no-graphics"):
        pytest.skip("package hwloc-nox is not installed")
    text = pf.shell("lstopo-no-graphics --of console --no-caches", "--hugepages", "2M=40")
    assert re.findall(r"PU P?L?#?(\S+)(?: \(P#(\d+)\))?", text), text
    assert re.findall(r"P#(\d+)\)", text) and f"PU L#0 (P#{CPU})" in text, text
    assert text.count("PU L#") == 1
    assert "PCI" not in text and "Net " not in text and "Block" not in text


# --- hugepages ------------------------------------------------------------------------------------

TAKE = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
kind, pages = sys.argv[1], int(sys.argv[2])
length, flags, fd = pages << 21, 1, -1
if kind == "anon":
    flags = 2 | 0x20 | 0x40000  # MAP_PRIVATE, MAP_ANONYMOUS, MAP_HUGETLB
elif kind == "memfd":
    fd = os.memfd_create("x", 4)  # MFD_HUGETLB
    os.ftruncate(fd, length)
else:
    fd = os.open("/dev/hugepages/x", os.O_CREAT | os.O_RDWR, 0o600)
    if kind == "file-truncated":
        os.ftruncate(fd, length)
at = libc.mmap(None, length, 3, flags, fd, 0)
if at == ctypes.c_void_p(-1).value:
    print(errno.errorcode[ctypes.get_errno()])
    sys.exit(3)
for i in range(pages):
    ctypes.memset(at + (i << 21), 1, 1)
print("taken", flush=True)
if len(sys.argv) > 3:
    import time
    time.sleep(1000)
"""


def take(kind, pages, *more):
    return ["--", PYTHON, "-I", "-c", TAKE, kind, str(pages), *more]


@pytest.mark.parametrize("runtime", ["crun", "runc"])
@pytest.mark.parametrize(
    "kind, grant",
    [("file", "2M=8"), ("memfd", "2M=8,anon"), ("anon", "2M=8,anon")],
)
@pytest.mark.guest
def test_over_use_is_an_error_of_mmap(pf, kind, grant, runtime):
    path = next(
        (f"{d}/{runtime}" for d in ("/usr/bin", "/usr/sbin") if os.path.exists(f"{d}/{runtime}")),
        None,
    )
    if path is None:
        pytest.skip(f"{runtime} is not installed")
    before = free_pages()
    flags = ["--hugepages", grant, "--runtime", path]
    for pages, status, says in ((8, 0, "taken\n"), (9, 3, "ENOMEM\n")):
        p = pf.run(*flags, *take(kind, pages))
        assert (p.returncode, p.stdout) == (status, says), p.stderr
        assert free_pages() == before


@pytest.mark.parametrize("kind", ["anon", "memfd"])
def test_without_a_grant_no_page_can_be_had(pf, kind):
    p = pf.run(*take(kind, 1))
    assert (p.returncode, p.stdout) == (3, "ENOMEM\n"), p.stderr


@pytest.mark.parametrize("kind", ["anon", "memfd"])
def test_pages_of_files_are_not_had_twice(pf, kind):
    """A grant of files holds its pages at once: they are there once, not once a kind."""
    before = pool("free")
    p = pf.run("--hugepages", "2M=8", *take(kind, 9))
    assert p.returncode != 0 and "taken" not in p.stdout
    assert pool("free") == before


@pytest.mark.parametrize("kind, grant", [("file", "2M=8"), ("anon", "2M=8,anon")])
@pytest.mark.parametrize("end", ["TERM", "KILL", "stop"])
def test_pages_are_free_right_after_the_end(pf, kind, grant, end):
    before = free_pages()
    name = pf.unique()
    s = pf.start("run", "--name", name, "--cpus", CPU, "--hugepages", grant, *take(kind, 8, "stay"))
    s.until("^taken")
    assert free_pages() == before - 8
    if end == "stop":
        pf.ok("stop", name)
    elif end == "TERM":
        s.signal(signal.SIGTERM)
    else:
        for pid in processes_of(pf.lease(name)):
            if "python" in Path(f"/proc/{pid}/comm").read_text():
                os.kill(pid, signal.SIGKILL)
    assert s.end() == 128 + (signal.SIGKILL if end == "KILL" else signal.SIGTERM)
    assert free_pages() == before


@needs_two
def test_grant_holds_its_pages_before_they_are_touched(pf):
    before = free_pages()
    s, name = pf.begin("--hugepages", "2M=30")
    assert free_pages() == before - 30
    pf.fails(
        "run",
        "--cpus",
        OTHER,
        "--hugepages",
        f"2M={before - 29}",
        "--",
        "/bin/true",
        like=f"{before - 29} wanted, {before - 30} available",
    )
    s.signal(signal.SIGTERM)
    s.end()
    assert free_pages() == before


@pytest.mark.guest
def test_hugepages_are_shown_as_granted(pf):
    script = (
        "grep -h . /sys/kernel/mm/hugepages/*/nr_hugepages "
        "/sys/devices/system/node/node*/hugepages/*/free_hugepages; ls /sys/kernel/mm/hugepages; "
        "grep HugePages_Total /proc/meminfo; stat -f -c %b /dev/hugepages; grep -c hugetlbfs "
        "/proc/mounts"
    )
    words = pf.shell(script, "--hugepages", "2M=12").split()
    assert words == ["12", "12", "hugepages-2048kB", "HugePages_Total:", "12", "12", "1"]


# --- links ----------------------------------------------------------------------------------------


@needs_two
@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
def test_memif_between_two_containers(pf, user):
    link = unique("l")
    socket = f"socket=/run/pinfold/links/{link}/m.sock,socket-abstract=no"
    ends = []
    for role, cpu, mode in (("server", OTHER, "rxonly"), ("client", CPU, "txonly")):
        name = unique(role)
        pf.names.append(name)
        s = pf.start(
            "run",
            "--name",
            name,
            "--cpus",
            cpu,
            *PAGES,
            *user,
            "--link",
            f"memif:{link}",
            *command(
                cpu=cpu,
                vdev=f"net_memif0,role={role},{socket}",
                app=["--stats-period", "1", f"--forward-mode={mode}"],
            ),
        )
        s.until(f"{mode} packet forwarding")
        ends.append(s)
    ends[0].until(r"RX-packets: [1-9]\d{3,}", 30)
    # Some of testpmd's exits with a memif end in a crash of its own, after the packets.
    for s in reversed(ends):
        s.signal(signal.SIGINT)
        assert s.end() in (0, 128 + signal.SIGSEGV)
    # the counters of a memif start again when the other end is gone: the highest counts
    received, sent = (
        max(int(n) for n in re.findall(rf"{d}-packets: (\d+)", s.text()))
        for s, d in zip(ends, ("RX", "TX"), strict=True)
    )
    assert received > 1000 and sent > 1000
    assert not os.path.exists(f"/run/pinfold/links/{link}")


def test_link_is_of_its_containers_only(pf):
    link = unique("l")
    s, name = pf.begin("--link", f"memif:{link}")
    st = os.stat(f"/run/pinfold/links/{link}")
    assert st.st_mode & 0o7777 == 0o2770 and st.st_uid == 0
    assert 0x78000000 <= st.st_gid < 0x78010000
    if CPU != OTHER:
        p = pf.run("--", "ls", "/run/pinfold/links", cpu=OTHER)
        assert link not in p.stdout
    s.signal(signal.SIGTERM)
    s.end()


# --- images ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(pinfold, tmp_path_factory):
    where = tmp_path_factory.mktemp("image")
    where.parent.chmod(0o755)
    where.chmod(0o755)
    subprocess.run(
        [
            pinfold,
            "image",
            "build",
            "--pmd",
            "net_null,mempool_ring,bus_vdev,bus_pci",
            "-o",
            where / "root",
            "dpdk-testpmd",
        ],
        check=True,
        timeout=120,
    )
    return where / "root"


@pytest.mark.limit(120)
@pytest.mark.parametrize("user", USERS, ids=["root", "1000"])
def test_image(pf, image, user):
    p = pf.run("--image", image, *PAGES, *user, *command("--log-level=lib.eal:debug"))
    log = p.stdout + p.stderr
    assert p.returncode == 0, log
    check_eal(log, [CPU])
