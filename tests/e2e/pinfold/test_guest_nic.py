# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NICs behind an IOMMU, granted for real: who gets a VFIO group, who does not, and packets through it.

Only in the guest: elsewhere these NICs are somebody's.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from auditing import INSIDE, bad, verdicts
from bundle import Bundle, Runtime, spec
from features import FAR, needs_nodes
from nics import MODULES, OPEN, PCI, nics
from places import program

from workload import (
    GUEST,
    NODES,
    PYTHON,
    free_pages,
    ids,
    kill,
    needs_root,
    needs_testpmd,
    processes_of,
    status_field,
    unique,
    wait,
)

pytestmark = [
    needs_root,
    needs_nodes,
    pytest.mark.guest,
    pytest.mark.skipif(not GUEST, reason="gives NICs away: only in the guest (tests/run guest)"),
]


@pytest.fixture(autouse=True, scope="module")
def _modules():
    for module in MODULES:
        subprocess.run(["modprobe", module], check=True, timeout=60)


def dmesg():
    return subprocess.run(["dmesg"], capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def bound():
    """Binds functions for the time of a test. Unbinding waits for whoever has them: to be asked for before `pf`
    where a workload may, so that it is ended first."""
    done = []

    def bind(*functions, driver="vfio-pci"):
        for f in functions:
            done.append(f)
            f.bind(driver)
        return functions

    yield bind
    for f in done:
        f.unbind()


@pytest.fixture
def e1000e():
    """Two NICs with a cable between them, each alone in its group, and one that has a node."""
    found = nics(0x10D3)
    assert len({f.group for f in found}) == len(found) == 3
    assert [f.node for f in found] == [-1, -1, FAR]
    return found


def run(pf, nics, *flags, cpu=None, **kw):
    """pinfold run of a command, with these NICs."""
    granted = [word for f in nics for word in ("--nic", f.bdf)]
    return pf("run", "--cpus", NODES[0][0] if cpu is None else cpu, *granted, *flags, **kw)


@pytest.mark.limit(120)
@needs_testpmd
@pytest.mark.parametrize("user", [(), ("--user", "1000")], ids=["root", "1000"])
def test_packets_go_through(pf, e1000e, bound, user):
    """Unmodified testpmd, two real NICs, an IOMMU; no device is named to it."""
    a, b = bound(*e1000e[:2])
    cpu = NODES[0][0]
    eal = ["--lcores", f"0@{cpu},1@{cpu}", "--log-level=bus.pci:debug"]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    s = pf.start(
        "run",
        "--cpus",
        cpu,
        "--nic",
        a.bdf,
        "--nic",
        b.bdf,
        "--hugepages",
        "2M=64",
        *user,
        "--",
        "dpdk-testpmd",
        *eal,
        "--",
        *app,
    )
    s.until(r"RX-packets: [1-9]\d{3,}", 30)
    probed = set(re.findall(r"Probe PCI driver: (\S+) .*device: (\S+)", s.text()))
    assert {bdf for _, bdf in probed} == {a.bdf, b.bdf}, s.text()
    assert "IOVA as 'VA'" in s.text() or "IOVA mode 'VA'" in s.text()
    s.signal(2)
    assert s.end() == 0
    counts = re.findall(r"RX-packets: (\d+)", s.text())
    assert int(counts[-1]) > 1000  # the sum over both ports


# argv: its own NIC and another one
SEEN = """
import ctypes, errno, fcntl, json, os, resource, struct, sys
own, other = sys.argv[1:]
seen = {"pci": sorted(os.listdir("/sys/bus/pci/devices")), "nodes": {}}
for name in os.listdir("/dev/vfio"):
    try:
        os.close(os.open(f"/dev/vfio/{name}", os.O_RDWR))
        seen["nodes"][name] = "opened"
    except OSError as e:
        seen["nodes"][name] = errno.errorcode[e.errno]
drivers = "/sys/bus/pci/drivers/vfio-pci/"
writes = {drivers + "bind": other, drivers + "unbind": own, drivers + "new_id": "8086 10d3",
          "/sys/bus/pci/rescan": "1", "/sys/bus/pci/drivers_probe": other}
for bdf in own, other:
    for file in "reset", "remove", "driver_override", "enable", "config", "resource0":
        writes[f"/sys/bus/pci/devices/{bdf}/{file}"] = "1"
seen["written"] = []
for path, text in writes.items():
    try:
        with open(path, "w") as f:
            f.write(text)
        seen["written"].append(path)
    except OSError:
        pass
group = next(name for name in os.listdir("/dev/vfio") if name != "vfio")
container, group = (os.open(f"/dev/vfio/{name}", os.O_RDWR) for name in ("vfio", group))
fcntl.ioctl(group, 0x3B68, struct.pack("i", container))  # VFIO_GROUP_SET_CONTAINER
fcntl.ioctl(container, 0x3B66, 1)  # VFIO_SET_IOMMU
get = lambda bdf: ctypes.CDLL(None).ioctl(group, 0x3B6A, bdf.encode())  # VFIO_GROUP_GET_DEVICE_FD
seen["of its group"] = [get(other) >= 0, get(own) >= 0]
seen["rights"] = {line.split()[1] for line in open("/proc/self/status") if line.startswith("Cap")}
seen["rights"] = sorted(seen["rights"])
seen["users"] = open("/proc/self/uid_map").read().split()
seen["locked"] = resource.getrlimit(resource.RLIMIT_MEMLOCK)
print(json.dumps(seen))
"""


def test_only_the_granted_group_is_there(pf, e1000e, bound):
    """Another NIC cannot be seen, opened, bound, reset or had by way of its own; nor are there rights to do so."""
    a, b = bound(*e1000e[:2])
    p = run(pf, [a], "--hugepages", "2M=16", "--", PYTHON, "-I", "-c", SEEN, a.bdf, b.bdf)
    assert p.returncode == 0, p.stderr
    seen = json.loads(p.stdout)
    assert seen["pci"] == [a.bdf]
    assert seen["nodes"] == {str(a.group): "opened", "vfio": "opened"}
    assert (seen["written"], seen["of its group"]) == ([], [False, True])
    assert seen["rights"] == ["0000000000000000"]
    assert int(seen["users"][1]) > 0  # of a namespace of its own
    soft, hard = seen["locked"]
    assert soft == hard and 16 << 21 <= hard < 1 << 32
    # a node of the host's keeps its owner
    assert os.stat(f"/dev/vfio/{a.group}").st_uid == 0
    assert b.group != a.group


@pytest.mark.limit(120)
def test_an_audit_knows_the_group(pf, e1000e, bound):
    """All holds in a container with a NIC. Its group is known by its number, which is dynamic: what is called so and is
    another device is none that was granted."""
    (a,) = bound(e1000e[0])
    flags = ["--hugepages", "2M=16", "--memory", "256M", "--pids", "50"]
    p = run(pf, [a], *flags, "--", INSIDE, "audit", "--json")
    assert bad(p.stdout) == [] and p.returncode == 0, p.stderr
    assert verdicts(p.stdout)["dev-nodes"] == "PASS"


def test_an_engine_calls_a_group_what_it_likes(pf, e1000e, bound, tmp_path):
    """It is known by its number, and the container is shown its NIC."""
    (a,) = bound(e1000e[0])
    number = os.stat(f"/dev/vfio/{a.group}").st_rdev
    rule = {"type": "c", "major": os.major(number), "minor": os.minor(number)}
    doc = spec("/bin/sleep", "1000")
    doc["linux"]["devices"] = [{"path": "/dev/mine", **rule}]
    doc["linux"]["resources"] = {"devices": [{"allow": True, "access": "rwm", **rule}]}
    doc["linux"]["cgroupsPath"] = f"/{unique('engine')}"
    runtime = Runtime(program("PINFOLD_RUNTIME", "build/src/cli/pinfold-runtime"), tmp_path / "s")
    bundle, name = Bundle(tmp_path / "bundle", doc), unique("c")
    words = ["--bundle", str(bundle.top), "--pid-file", str(tmp_path / "pid")]
    try:
        assert runtime.create(*words, name) == 0
        assert [row["in"] for row in pf.ps().values()] == ["given"]
        assert runtime("start", name).returncode == 0
        p = runtime("exec", name, "/bin/ls", "/sys/bus/pci/devices")
        assert p.stdout.decode().split() == [a.bdf], p
    finally:
        runtime("delete", "--force", name)
    assert pf.ps() == {}


def test_filter_of_devices_lets_only_the_group_through(pf, e1000e, bound):
    """Also for who could make device nodes: the filter on the cgroup knows the granted group alone."""
    a, b = bound(*e1000e[:2])
    _, name = pf.begin("--nic", a.bdf, cpu=NODES[0][0])
    pid = pf.program(name, "sleep")
    group = Path("/sys/fs/cgroup") / Path(f"/proc/{pid}/cgroup").read_text().strip()[4:]
    code = (
        "import os, sys\nopen(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
        "for name in sys.argv[2:]:\n"
        "  try:\n    os.close(os.open('/dev/vfio/' + name, os.O_RDWR)); print('opened')\n"
        "  except OSError as e: print(e.strerror)\n"
    )
    p = subprocess.run(
        [PYTHON, "-I", "-c", code, group, str(a.group), str(b.group)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert p.stdout.splitlines() == ["opened", "Operation not permitted"]


GIVE = """
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[2])
socket.send_fds(s, [b"x"], fds)
s.recv(1)
print("given", flush=True)
"""
# Takes them, and keeps what argv[2] says.
TAKE = """
import ctypes, fcntl, os, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.listen(1)
print("up", flush=True)
c, _ = s.accept()
container, group, device = socket.recv_fds(c, 1, 3)[1]
if sys.argv[2] == "map":  # of the BAR 0
    info = struct.pack("=IIIIQQ", 32, 0, 0, 0, 0, 0)
    offset = struct.unpack("=IIIIQQ", fcntl.ioctl(device, 0x3B6C, info))[5]
    mmap = ctypes.CDLL(None).mmap  # Python's own keeps a descriptor
    mmap.restype = ctypes.c_void_p
    mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
    assert mmap(None, 4096, 3, 1, device, offset) != ctypes.c_void_p(-1).value
for word, fd in ("container", container), ("group", group), ("device", device):
    if sys.argv[2] not in (word, "all"):
        os.close(fd)
c.send(b"k")
time.sleep(1000)
"""


class Taken:
    """A NIC that one workload was granted and another one, on a link of it, was passed."""

    def __init__(self, pf, nic, keep):
        self.pf, self.nic = pf, nic
        self.giver, self.taker, link = unique("giver"), unique("taker"), unique("l")
        pf.names += [self.giver, self.taker]
        self.socket = f"/run/pinfold/links/{link}/s"
        self.link = ["--memory", "128M", "--link", f"memif:{link}"]
        code = ["--", PYTHON, "-I", "-c", TAKE, self.socket, keep]
        pf.start("run", "--name", self.taker, "--cpus", NODES[0][1], *self.link, *code).until("^up")

    def command(self, more=""):
        flags = ["--name", self.giver, "--cpus", NODES[0][0], "--nic", self.nic.bdf, *self.link]
        code = ["--", PYTHON, "-I", "-c", OPEN + GIVE + more, self.nic.bdf, self.socket]
        return ["run", *flags, *code]

    def drains(self):
        """It is the giver's, and whoever looks is told who has it, if that can be seen."""
        pf, bdf = self.pf, self.nic.bdf
        row = pf.ps()[self.giver]
        assert row["state"] == "draining" and row["command"] == f"NIC {bdf}", row
        assert row["held"] == {"memory": 0, "hugepages": 0, "nics": [bdf]}
        pf.fails("stop", self.giver, like=f"draining: NIC {bdf} .*; stop '{self.taker}', then")
        like = f"NIC {bdf} is granted to '{self.giver}' already"
        pf.fails("run", "--cpus", NODES[0][0], "--nic", bdf, "--", "/bin/true", like=like)
        assert pf.ok("gc") == "0 cleaned up\n"
        return row["note"]

    def end(self):
        """The next one has a NIC that works."""
        self.pf.ok("stop", "-t", "0", self.taker)
        assert self.pf.ok("gc") == "1 cleaned up\n"
        p = run(self.pf, [self.nic], "--", PYTHON, "-I", "-c", OPEN, self.nic.bdf)
        assert (p.returncode, p.stderr) == (0, "")


@pytest.mark.limit(90)
@pytest.mark.parametrize("keep", ["all", "map"])
def test_nic_that_was_passed_on_is_not_given_to_another(bound, e1000e, pf, keep):
    """Whatever of it a peer keeps that was granted no NIC, the lease lasts until that is gone."""
    (nic,) = bound(e1000e[0])
    t = Taken(pf, nic, keep)
    p = pf(*t.command())
    assert (p.returncode, p.stdout) == (0, "given\n"), p.stderr
    assert p.stderr.endswith(
        f"'{t.giver}' has ended and is draining: NIC {nic.bdf} that it passed on is still used; "
        f"stop '{t.taker}', then: pinfold gc\n"
    )
    # what is only mapped is in no list of descriptors: then the peers on the links are named
    assert t.drains() == ("" if keep == "map" else f"used by '{t.taker}'")
    t.end()


@pytest.mark.limit(90)
def test_nic_of_one_that_was_killed(bound, e1000e, pf):
    """The collection sees it too; nobody is hindered by a container (of VFIO) alone, which has no NIC."""
    (nic,) = bound(e1000e[0])
    t = Taken(pf, nic, "device")
    s = pf.start(*t.command("time.sleep(1000)"))
    s.until("^given")
    s.process.kill()
    s.process.wait()
    for pid in processes_of(pf.lease(t.giver)):
        kill(pid)
    wait(lambda: pf.ok("gc") == "0 cleaned up\n" and pf.ps()[t.giver]["state"] == "draining")
    t.drains()
    t.end()
    t = Taken(pf, nic, "container")
    p = pf(*t.command())
    assert (p.returncode, p.stderr) == (0, "")
    assert t.giver not in pf.ps()


def kill_all(pf, s, name):
    """The supervisor, and all that is in the container."""
    s.process.kill()
    s.process.wait()
    for pid in processes_of(pf.lease(name)):
        kill(pid)


@pytest.mark.full
@pytest.mark.limit(150)
@needs_testpmd
def test_death_while_packets_go_through(pf, e1000e):
    """Two NICs make DMA when everybody is killed: they are back, so are the pages, no DMA went astray, the next ones work."""
    two = e1000e[:2]
    subprocess.run(["modprobe", "e1000e"], check=True, timeout=60)
    for nic in two:
        nic.bind("e1000e")
    before, pages, name = dmesg(), free_pages(), unique("killed")
    pf.names.append(name)
    flags = ["--name", name, "--cpu-count", "2", "--hugepages", "2M=64"]
    given = [word for nic in two for word in ("--nic", f"{nic.bdf},bind")]
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    command = ["run", *flags, *given, "--", "dpdk-testpmd", "--", *app]
    try:
        for _ in range(2):
            s = pf.start(*command)
            s.until(r"RX-packets: [1-9]\d{3,}", 40)
            kill_all(pf, s, name)
            wait(lambda: pf.ps().get(name, {}).get("state", "dead") == "dead", what="the end")
            wait(lambda: pf("gc").returncode == 0 and name not in pf.ps(), what="the collection")
            assert [nic.driver for nic in two] == ["e1000e"] * 2
            assert free_pages() == pages
        assert not re.search(r"DMAR.*fault|BUG:|WARNING:", dmesg()[len(before) :])
    finally:
        pf.put_away()
        for nic in two:
            nic.unbind()


# argv: its NIC, and what is to be in a register when it ends; prints what was there at first, and what is at last.
REGISTER = (
    OPEN
    + """
info = struct.pack("=IIIIQQ", 32, 0, 0, 0, 0, 0)
at = struct.unpack("=IIIIQQ", fcntl.ioctl(device, 0x3B6C, info))[5] + 0x5400  # RAL0, in BAR 0
get = lambda: struct.unpack("=I", os.pread(device, 4, at))[0]
print(get())
os.pwrite(device, struct.pack("=I", int(sys.argv[2])), at)
print(get())
"""
)


def test_next_tenant_finds_it_reset(pf, e1000e, bound):
    """What the one before wrote into a register is gone. Of these the one behind a port of its own can be reset."""
    (far,) = bound(e1000e[2])
    method = far.path / "reset_method"
    method.write_text("bus")
    try:
        seen = []
        for written in 0x12345678, 0x76543210:
            command = ["--", PYTHON, "-I", "-c", REGISTER, far.bdf, str(written)]
            p = run(pf, [far], *command, cpu=NODES[FAR][0])
            assert p.returncode == 0, p.stderr
            first, last = map(int, p.stdout.split())
            assert last == written
            seen.append(first)
        assert seen[1] == seen[0] != 0x12345678
    finally:
        method.write_text("default")


def test_nic_of_a_stranger(bound, e1000e, pf):
    """A program of the host has its group: the start is refused, and says who."""
    (nic,) = bound(e1000e[0])
    code = OPEN + "os.close(container)\nos.close(device)\nprint('up', flush=True)\ntime.sleep(1000)"
    s = pf.start_other(PYTHON, "-I", "-c", code, nic.bdf)
    s.until("^up")
    like = rf"NIC {nic.bdf}: in use by process {s.pid} \(python3\); end that first"
    pf.fails("run", "--cpus", NODES[0][0], "--nic", nic.bdf, "--", "/bin/true", like=like)
    s.signal(9)
    s.process.wait()
    assert run(pf, [nic], "--", "/bin/true").returncode == 0


def test_nic_without_vfio_is_refused(pf, e1000e):
    pf.fails(
        "run",
        "--cpus",
        NODES[0][0],
        "--nic",
        e1000e[0].bdf,
        "--",
        "/bin/true",
        like=f"NIC {e1000e[0].bdf} is bound to no driver; bind it to vfio-pci",
    )


def test_group_with_a_stranger_is_refused(pf, bound):
    """Behind a bridge to conventional PCI no function is alone."""
    a, b = nics(0x100E)
    assert a.group == b.group
    subprocess.run(["modprobe", "e1000"], check=True, timeout=60)
    bound(a)
    bound(b, driver="e1000")
    like = f"NIC {a.bdf} shares IOMMU group {a.group} with {b.bdf} .driver e1000.; grant both"
    pf.fails("run", "--cpus", NODES[0][0], "--nic", a.bdf, "--", "/bin/true", like=like)
    b.unbind()
    bound(b)
    p = run(pf, [a, b], "--", "ls", "/dev/vfio")
    assert sorted(p.stdout.split()) == sorted([str(a.group), "vfio"]), p.stderr
    pf.fails("run", "--cpus", NODES[0][0], "--nic", a.bdf, "--", "/bin/true", like=b.bdf)


def test_cpu_near_the_nic(pf, e1000e, bound):
    far = e1000e[2]
    bound(far)
    p = pf("run", "--cpu-count", "1", "--nic", far.bdf, "--", "cat", "/proc/self/status")
    assert p.returncode == 0, p.stderr
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) <= set(NODES[far.node])
    p = pf("run", "--cpu-count", "1", "--near", far.bdf, "--", "cat", "/proc/self/status")
    assert p.returncode == 0, p.stderr
    assert ids(status_field(p.stdout, "Cpus_allowed_list")) <= set(NODES[far.node])


# Where a page of the grant is, by the kernel's word.
PAGE = """
import mmap, os
fd = os.open("/dev/hugepages/page", os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 2 << 20)
page = mmap.mmap(fd, 2 << 20)
page[0] = 1
print(next(line for line in open("/proc/self/numa_maps") if "/dev/hugepages/page" in line))
"""


@pytest.mark.parametrize("nic", ["{bdf}", "driver=vfio-pci,node={node}"])
def test_pages_near_the_nic(pf, e1000e, bound, nic):
    """By its address, or chosen by its node: its pages come from there, and so does other memory."""
    *_, far = bound(*e1000e)
    pages = Path(f"/sys/devices/system/node/node{far.node}/hugepages/hugepages-2048kB/nr_hugepages")
    had = pages.read_text()
    pages.write_text(str(int(had) + 4))
    try:
        flags = ["--nic", nic.format(bdf=far.bdf, node=far.node), "--hugepages", "2M=4"]
        grant = json.loads(
            pf.ok("run", "--cpu-count", "1", *flags, "--", "cat", "/run/pinfold/grant.json")
        )
        assert [n["pci"] for n in grant["nics"]] == [far.bdf]
        assert grant["mems"] == str(far.node)
        assert [h["node"] for h in grant["hugepages"]] == [far.node]
        line = pf.ok("run", "--cpu-count", "1", *flags, "--", PYTHON, "-I", "-c", PAGE)
        assert re.search(rf"\bN{far.node}=1\b", line), line
    finally:
        pages.write_text(had)


def test_inventory_knows_the_groups(pf, e1000e):
    listed = {p["bdf"]: p for p in pf.json("host", "inventory", "--json")["pci"]}
    for path in sorted(PCI.iterdir()):
        group = int(os.readlink(path / "iommu_group").rpartition("/")[2])
        assert listed[path.name]["iommu_group"] == group
    for f in e1000e:
        assert listed[f.bdf]["node"] == (f.node if f.node >= 0 else None)
