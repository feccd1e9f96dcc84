# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Limits on cgroup v2: that they are in place, that they hold, that nothing inside can lift them."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from features import CGROUP, REMOTE_PARTITIONS as REMOTE, needs_partitions, needs_v2
from processes import words

from workload import CPU, CPUS, GUEST, OTHER, PYTHON, ids, kill, needs_pages, needs_root, needs_two
from workload import processes_of, status_field, wait

pytestmark = [needs_root, needs_v2, pytest.mark.guest]
MIB = 1 << 20


def box_of(pf, name):
    return Path(pf.lease(name)["cgroup"]) / "box"


def control(group, name):
    return (group / name).read_text().strip()


@needs_pages(8)
def test_limits_are_in_place(pf):
    flags = ["--memory", "64M", "--pids", "55", "--hugepages", "2M=8"]
    _, name = pf.begin(*flags)
    box = box_of(pf, name)
    found = {f: control(box, f) for f in ("cpuset.cpus", "memory.max", "pids.max")}
    # one more process: the init of the container
    assert found == {"cpuset.cpus": str(CPU), "memory.max": str(64 * MIB), "pids.max": "56"}
    assert control(box, "memory.oom.group") == "1"
    assert ids(control(box, "cpuset.mems")) == ids(pf.lease(name)["grant"]["mems"])
    sizes = {f.name.split(".")[1] for f in box.glob("hugetlb.*.max")}
    assert "2MB" in sizes
    for size in sizes:
        wanted = str(16 * MIB if size == "2MB" else 0)
        assert control(box, f"hugetlb.{size}.max") == wanted
        assert control(box, f"hugetlb.{size}.rsvd.max") == wanted
    # where the program is, they bind
    pid = pf.program(name, "sleep")
    group = CGROUP / Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/")
    assert box in group.parents
    assert ids(control(group, "cpuset.cpus.effective")) == {CPU}
    assert control(group, "cpuset.mems.effective") == control(box, "cpuset.mems")
    assert int(control(group, "pids.current")) >= 1
    assert int(control(group, "memory.current")) > 0


def test_supervisor_and_runtime_are_outside_the_limits(pf):
    s, name = pf.begin()
    box, lease = box_of(pf, name), Path(pf.lease(name)["cgroup"])
    inside = {int(p) for f in box.rglob("cgroup.procs") for p in f.read_text().split()}
    beside = {int(p) for p in control(lease / "super", "cgroup.procs").split()}
    assert inside and beside and not inside & beside
    assert s.pid not in inside


def test_memory_limit_ends_the_whole_workload(pf):
    """The kernel ends the whole of it, not a process at random."""
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n  time.sleep(1000)\n"
        "x = bytearray()\nwhile True: x += b'x' * (1 << 20)"
    )
    s = pf.start("run", "--cpus", CPU, "--memory", "32M", "--", PYTHON, "-I", "-c", code)
    assert s.end() == 128 + signal.SIGKILL


@pytest.fixture
def swap():
    """256 MiB of swap in compressed memory."""
    if not GUEST:
        pytest.skip("turns on swap: only in the guest (tests/run guest)")
    subprocess.run(["modprobe", "zram"], check=True, timeout=60)
    Path("/sys/block/zram0/disksize").write_text(f"{256 * MIB}")
    subprocess.run(["mkswap", "-q", "/dev/zram0"], check=True, timeout=60)
    subprocess.run(["swapon", "/dev/zram0"], check=True, timeout=60)
    yield
    subprocess.run(["swapoff", "/dev/zram0"], check=True, timeout=60)
    Path("/sys/block/zram0/reset").write_text("1")


def test_memory_limit_holds_where_there_is_swap(pf, swap):
    """What does not fit is not put away on the machine's swap."""
    code = "x = bytearray(128 << 20)\nfor i in range(0, 128 << 20, 4096): x[i] = 1\nprint('had it')"
    p = pf.run("--memory", "32M", "--", PYTHON, "-I", "-c", code)
    assert (p.returncode, p.stdout) == (128 + signal.SIGKILL, ""), p.stderr


def in_group(group, code):
    """What a process of the host with all its privileges can do once it is in a cgroup."""
    join = f"open('{group}/cgroup.procs', 'w').write('0')\n"
    # a file system that device nodes are not ignored on
    script = 'mount -t tmpfs -o dev none /tmp && exec "$@"'
    p = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", PYTHON, "-I", "-c", join + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


NODES = """
import errno, json, os, stat
seen = {}
for name, kind, major, minor in (
    ("mem", stat.S_IFCHR, 1, 1), ("kmsg", stat.S_IFCHR, 1, 11), ("kvm", stat.S_IFCHR, 10, 232),
    ("vfio", stat.S_IFCHR, 10, 196), ("disk", stat.S_IFBLK, 254, 0), ("loop", stat.S_IFBLK, 7, 0),
    ("null", stat.S_IFCHR, 1, 3), ("zero", stat.S_IFCHR, 1, 5),
):
    path = f"/tmp/{name}"
    try:
        os.mknod(path, kind | 0o600, os.makedev(major, minor))
    except OSError as e:
        seen[name] = "mknod " + errno.errorcode[e.errno]
        continue
    try:
        os.close(os.open(path, os.O_RDONLY))
        seen[name] = "opened"
    except OSError as e:
        seen[name] = "open " + errno.errorcode[e.errno]
    os.unlink(path)
for path in ("/dev/kmsg", "/dev/mem"):
    try:
        os.close(os.open(path, os.O_RDONLY))
        seen[path] = "opened"
    except OSError as e:
        seen[path] = errno.errorcode[e.errno]
print(json.dumps(seen))
"""


def test_device_filter_holds_for_any_privilege(pf):
    """The filter of the cgroup alone, without user namespace, capabilities and seccomp before it:
    who gets past those still opens no device that was not granted."""
    _, name = pf.begin()
    pid = pf.program(name, "sleep")
    group = CGROUP / Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/")
    outside = in_group(CGROUP, NODES)
    assert outside["mem"] == outside["kmsg"] == outside["/dev/kmsg"] == "opened"
    held = in_group(group, NODES)
    assert held.pop("null") == held.pop("zero") == "opened"
    assert held.pop("/dev/kmsg") == "EPERM" and held.pop("/dev/mem") == "EPERM"
    # runtimes let nodes be made, which by itself opens nothing
    assert set(held.values()) <= {"open EPERM", "mknod EPERM"}, held


INSIDE = """
import errno, json, os
seen = {"writable": [], "made": "no", "tops": os.listdir("/sys/fs/cgroup")}
for where, dirs, files in os.walk("/sys/fs/cgroup"):
    for f in files:
        try:
            os.close(os.open(os.path.join(where, f), os.O_WRONLY))
            seen["writable"].append(os.path.join(where, f))
        except OSError:
            pass
try:
    os.mkdir("/sys/fs/cgroup/more")
    seen["made"] = "yes"
except OSError as e:
    seen["made"] = errno.errorcode[e.errno]
seen["self"] = open("/proc/self/cgroup").read().strip()
print(json.dumps(seen))
"""


@pytest.mark.parametrize("user", ["0", "1000"])
def test_no_limit_can_be_lifted_from_inside(pf, user):
    seen = json.loads(pf.python(INSIDE, "--user", user))
    assert seen["writable"] == [] and seen["made"] in ("EROFS", "EACCES", "EPERM", "ENOENT")
    assert seen["self"] == "0::/", "a namespace hides where it is on the host"


@needs_pages(16)
def test_a_second_start_finds_nothing_of_the_first(pf):
    """Limits are the new grant's, also in a cgroup of the same name."""
    name = pf.detach("--memory", "64M", "--hugepages", "2M=16")
    box = box_of(pf, name)
    pf.ok("stop", "-t", "0", name)
    assert not box.parent.exists()
    pf.detach("--memory", "96M", name=name)
    assert control(box, "memory.max") == str(96 * MIB)
    assert control(box, "hugetlb.2MB.max") == control(box, "hugetlb.2MB.rsvd.max") == "0"
    assert control(box, "hugetlb.2MB.events").startswith("max 0")


def test_exec_is_under_the_limits(pf):
    _, name = pf.begin()
    text = pf.ok("exec", name, "--", "cat", "/proc/self/status", "/proc/self/cgroup")
    assert ids(status_field(text, "Cpus_allowed_list")) == {CPU}
    s = pf.start("exec", name, "--", "/bin/sh", "-c", "echo in; exec sleep 999")
    s.until("^in")
    group = box_of(pf, name)

    def inside():
        found = {int(p) for f in group.rglob("cgroup.procs") for p in f.read_text().split()}
        # the runtime's own come and go
        return any(words(p)[:2] == ["sleep", "999"] for p in found)

    wait(inside, what="the program in the cgroup")


def test_on_the_bare_host(pf):
    """--in host has the same limits; it is its cgroup that makes it a grant."""
    _, name = pf.begin("--in", "host", "--memory", "64M", "--pids", "55")
    box = box_of(pf, name)
    assert (control(box, "memory.max"), control(box, "pids.max")) == (str(64 * MIB), "55")
    assert ids(control(box, "cpuset.cpus.effective")) == {CPU}
    pid = pf.program(name, "sleep")
    assert Path(f"/proc/{pid}/cgroup").read_text().strip() == f"0::{str(box)[len(str(CGROUP)):]}"
    assert os.sched_getaffinity(pid) == {CPU}


# --- isolated partitions ---------------------------------------------------------------------------

ISOLATE = ["--partition", "isolated"]


def partition_of(pf, name):
    """The cgroup that is the partition: the box or, before remote ones, the lease's own."""
    lease = Path(pf.lease(name)["cgroup"])
    return lease / "box" if REMOTE else lease


@needs_partitions
@needs_two
@pytest.mark.parametrize("place", ["container", "host"])
def test_partition_is_isolated(pf, place):
    mine, all_ = set(CPUS), ids(control(CGROUP, "cpuset.cpus.effective"))
    assert os.sched_getaffinity(0) == mine <= all_
    _, name = pf.begin("--in", place, *ISOLATE)
    group = partition_of(pf, name)
    assert group.parent == CGROUP or group.parent.parent == CGROUP
    assert control(group, "cpuset.cpus.partition") == "isolated"
    assert ids(control(group, "cpuset.cpus.effective")) == {CPU}
    # where the program is
    where = CGROUP / Path(f"/proc/{pf.program(name, 'sleep')}/cgroup").read_text().strip()[4:]
    assert ids(control(where, "cpuset.cpus.effective")) == {CPU}
    # nobody else has the CPU, also who had it before or asks for it
    assert ids(control(CGROUP, "cpuset.cpus.effective")) == all_ - {CPU}
    assert os.sched_getaffinity(0) == mine - {CPU}
    with pytest.raises(OSError, match="Invalid argument"):
        os.sched_setaffinity(0, [CPU])
    # what exec starts is among the isolated ones, and others have their grants beside it
    text = pf.ok("exec", name, "--", "cat", "/proc/self/status")
    assert ids(status_field(text, "Cpus_allowed_list")) == {CPU}
    p = pf.run("--", "/bin/cat", "/proc/self/status", cpu=OTHER)
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) == {OTHER}, p.stderr
    pf.ok("stop", "-t", "0", name)
    assert not group.exists()
    assert ids(control(CGROUP, "cpuset.cpus.effective")) == all_


@needs_partitions
@needs_two
def test_partition_is_taken_back_after_a_crash(pf):
    all_ = ids(control(CGROUP, "cpuset.cpus.effective"))
    s, name = pf.begin(*ISOLATE)
    lease = pf.lease(name)
    s.process.kill()
    runtime = control(Path(lease["cgroup"]) / "super", "cgroup.procs").split()
    for pid in [*map(int, runtime), *processes_of(lease)]:
        kill(pid)
    wait(lambda: pf.ps()[name]["state"] == "dead", what="the end")
    # its CPU is held until it is collected
    assert ids(control(CGROUP, "cpuset.cpus.effective")) == all_ - {CPU}
    pf.ok("gc")
    assert not Path(lease["cgroup"]).exists()
    assert ids(control(CGROUP, "cpuset.cpus.effective")) == all_


@needs_partitions
@needs_two
def test_partition_that_the_kernel_refuses(pf):
    """Another cgroup of the machine has the CPU: the kernel's own words are in the error."""
    (CGROUP / "cgroup.subtree_control").write_text("+cpuset")
    other = CGROUP / f"pinfold-test-{os.getpid()}"
    other.mkdir()
    try:
        (other / "cpuset.cpus").write_text(str(CPU))
        like = r"make cgroup '.*' an isolated partition: the kernel says 'isolated invalid \(.+\)'"
        if REMOTE:
            like = rf"make CPUs {CPU} exclusive in '.*': another cgroup has them"
        pf.fails("run", "--cpus", CPU, *ISOLATE, "--", "/bin/true", like=like)
    finally:
        # at once: of a cgroup that was removed the kernel forgets the CPUs a little later
        (other / "cpuset.cpus").write_text("\n")
        other.rmdir()
    assert pf.run(*ISOLATE, "--", "/bin/true").returncode == 0


@needs_partitions
@needs_two
def test_partition_of_a_definition(pf):
    name = pf.grant("--cpus", CPU, *ISOLATE)
    assert pf.json("grant", "show", "--json", name)["partition"] == "isolated"
    assert "an isolated partition" in pf.ok("plan", "--grant", name, "--", "/bin/true")
    p = pf("run", "--grant", name, "--", "/bin/cat", "/run/pinfold/grant.json")
    assert json.loads(p.stdout)["partition"] == "isolated", p.stderr
