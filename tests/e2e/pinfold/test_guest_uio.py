# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""NICs on UIO, granted with unsafe-uio: packets through an unmodified testpmd, what else is there, and what is given back.

Only in the guest: elsewhere these NICs are somebody's.
"""

import ctypes
import json
import mmap
import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from auditing import INSIDE
from features import FAR, needs_nodes
from nics import MODULES, nics
from places import TOP

from workload import (
    EVERY_STEP,
    GUEST,
    NODES,
    PYTHON,
    SLOW,
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
CPUS = f"{NODES[0][0]},{NODES[0][1]}"
KILLAT = TOP / "build/tests/e2e/lib/killat"
RAL0 = 0x5400  # of an e1000e: half of its address, which a program may write
WRITTEN = 0x33221102
RESOURCES = [f"resource{bar}{wc}" for bar in range(6) for wc in ("", "_wc")]


class Uio:
    """A NIC of the guest on UIO, in a group that the IOMMU lets through."""

    def __init__(self, nic, driver):
        self.nic, self.bdf, self.path = nic, nic.bdf, nic.path
        self.type = Path(f"/sys/kernel/iommu_groups/{nic.group}/type")
        self.former = self.type.read_text().strip()
        nic.unbind()  # the kernel changes the type of an idle group alone
        self.type.write_text("identity")
        nic.bind(driver)
        self.node = os.listdir(self.path / "uio")[0]

    def put_back(self):
        self.nic.unbind()
        self.type.write_text(self.former)

    def files(self):
        return [p for p in (self.path / n for n in ("config", *RESOURCES)) if p.exists()]

    def owners(self):
        return {p.stat().st_uid for p in self.files()}

    def of_root(self):
        """Whether they are as the kernel made them."""
        found = {p.name: p.stat() for p in self.files()}
        modes = {n: s.st_mode & 0o7777 for n, s in found.items()}
        owners = {(s.st_uid, s.st_gid) for s in found.values()}
        return owners == {(0, 0)} and modes == {n: 0o644 if n == "config" else 0o600 for n in found}

    def masters(self):
        """Whether it may make DMA (the command register's bit 2)."""
        return bool(struct.unpack_from("<H", (self.path / "config").read_bytes(), 4)[0] & 4)

    def register(self):
        with open(self.path / "resource0", "r+b", buffering=0) as f:
            return ctypes.c_uint32.from_buffer(mmap.mmap(f.fileno(), 0x6000), RAL0).value


@pytest.fixture(params=["uio_pci_generic", "igb_uio"])
def driver(request):
    if subprocess.run(["modinfo", request.param], capture_output=True, check=False).returncode:
        pytest.skip(
            f"the guest's kernel has no module {request.param}: tests/guest/igb-uio makes it"
        )
    for module in ("uio", request.param, *MODULES):
        subprocess.run(["modprobe", module], check=True, timeout=60)
    return request.param


@pytest.fixture
def machine(driver):
    """Two NICs on UIO with a cable between them, and one on VFIO. To be asked for before `pf`."""
    a, b, far = nics(0x10D3)
    assert far.node == FAR
    made = [Uio(a, driver), Uio(b, driver)]
    far.bind("vfio-pci")
    yield *made, far
    for u in made:
        u.put_back()
    far.unbind()


def granted(*given):
    return [word for u in given for word in ("--nic", f"{u.bdf},unsafe-uio")]


@pytest.mark.limit(150)
@needs_testpmd
def test_packets_go_through(machine, pf):
    """No argument for EAL: it finds these two, takes physical addresses, and the third is not there."""
    a, b, far = machine
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    flags = ["--cpus", CPUS, *granted(a, b), "--hugepages", "2M=64"]
    s = pf.start("run", *flags, "--", "dpdk-testpmd", "--", *app)
    s.until(r"RX-packets: [1-9]\d{3,}", 60)
    assert "IOVA as 'PA'" in s.text() or "IOVA mode 'PA'" in s.text(), s.text()
    probed = set(re.findall(r"Probe PCI driver: \S+ .*device: (\S+)", s.text()))
    assert probed == {a.bdf, b.bdf}, s.text()
    s.signal(2)
    assert s.end() == 0
    assert int(re.findall(r"RX-packets: (\d+)", s.text())[-1]) > 1000  # the sum over both ports
    for u in a, b:
        assert u.of_root() and not u.masters()


@pytest.mark.limit(150)
@needs_testpmd
def test_one_is_taken_out_while_packets_go_through(machine, pf):
    """The kernel asks nobody for it, and waits for nobody: it is said, and the rest of its lease ends as ever."""
    a, b, _ = machine
    name = pf.unique()
    app = ["--total-num-mbufs=4096", "--stats-period", "1", "--tx-first"]
    flags = ["--name", name, "--cpus", CPUS, *granted(a, b), "--hugepages", "2M=64"]
    s = pf.start("run", *flags, "--", "dpdk-testpmd", "--", *app)
    s.until(r"RX-packets: [1-9]\d{3,}", 60)
    try:
        pull = pf.start_other("sh", "-c", f"echo 1 >{a.path}/remove && echo gone")
        pull.until("^gone", 30)
        s.until(f"^pinfold: '{name}': NIC {a.bdf} is gone: ")
        assert pf.ps()[name]["state"] == "running"
        pf.ok("stop", "-t", "5", name)
        assert not a.path.exists() and b.of_root() and not b.masters()
        assert pf.ps() == {} and pf.ok("gc") == "0 cleaned up\n"
    finally:
        pf.put_away()
        Path("/sys/bus/pci/rescan").write_text("1")
    wait(a.path.exists, what="the NIC")
    assert a.of_root()


SEEN = """
import errno, fcntl, json, os, sys
def tried(path, flags=os.O_RDWR):
    try:
        os.close(os.open(path, flags))
        return "opened"
    except OSError as e:
        return errno.errorcode[e.errno]
def commanded(number):
    try:
        return fcntl.ioctl(os.open("/", os.O_RDONLY), number, bytearray(8))
    except OSError as e:
        return errno.errorcode[e.errno]
pci = sorted(os.listdir("/sys/bus/pci/devices"))
own = f"/sys/bus/pci/devices/{pci[0]}"
seen = {
    "pci": pci,
    "nodes": sorted(n for n in os.listdir("/dev") if n.startswith(("uio", "vfio"))),
    "uio": {n: tried(f"/dev/{n}") for n in os.listdir("/dev") if n.startswith("uio")},
    "class": sorted(os.listdir("/sys/class/uio")),
    "files": {n: tried(f"{own}/{n}", os.O_WRONLY) for n in os.listdir(own)
              if os.path.isfile(f"{own}/{n}")},
    "by_class": tried(f"/sys/class/uio/{os.listdir('/sys/class/uio')[0]}/device/config"),
    "pfn": int.from_bytes(os.pread(os.open("/proc/self/pagemap", os.O_RDONLY), 8,
                                   id(own) // 4096 * 8), "little") & (1 << 55) - 1,
    "shadow": tried("/etc/shadow", os.O_RDONLY),
    # FIFREEZE, EXT4_IOC_SHUTDOWN, FS_IOC_GETFLAGS
    "commands": [commanded(n) for n in (0xC0045877, 0x8004587D, 0x80086601)],
    "made": [],
}
for name, number in json.loads(sys.argv[1]).items():
    try:
        os.mknod(f"/tmp/{name}", 0o20600, os.makedev(*number))
        seen["made"].append(name)
    except OSError:
        pass
seen["status"] = open("/proc/self/status").read()
print(json.dumps(seen))
"""


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_what_is_there(machine, pf, runtime):
    """Its own node and files, and nothing of the other one on UIO, nor of the one on VFIO."""
    a, b, far = machine
    numbers = {
        name: [os.major(n), os.minor(n)]
        for name in (f"/dev/{b.node}", f"/dev/vfio/{far.group}")
        for n in [os.stat(name).st_rdev]
    }
    numbers = {name.replace("/", "-"): n for name, n in numbers.items()}
    code = ["--", PYTHON, "-I", "-c", SEEN, json.dumps(numbers)]
    if shutil.which(runtime) is None:
        pytest.skip(f"package {runtime} is not installed")
    flags = ["--runtime", shutil.which(runtime), "--user", "1000"]
    p = pf("run", "--cpus", NODES[0][0], *flags, *granted(a), *code)
    assert p.returncode == 0, p.stderr
    seen = json.loads(p.stdout)
    assert (seen["pci"], seen["nodes"], seen["class"]) == ([a.bdf], [a.node], [a.node])
    assert seen["uio"] == {a.node: "opened"} and seen["by_class"] == "opened"
    wanted = {"config", *RESOURCES} & set(os.listdir(a.path))
    assert {n for n, word in seen["files"].items() if word == "opened"} == wanted
    # by the filter: the file system of its root knows none of them
    assert seen["commands"] == ["EPERM"] * 3
    assert seen["pfn"] != 0 and seen["shadow"] == "EACCES" and seen["made"] == []
    assert int(status_field(seen["status"], "CapEff"), 16) == 1 << 21  # SYS_ADMIN
    assert int(status_field(seen["status"], "Uid").split()[0]) % 65536 == 1000
    assert int(status_field(seen["status"], "Uid").split()[0]) > 65536
    assert status_field(seen["status"], "Seccomp") == "2"
    assert os.stat(f"/dev/{a.node}").st_uid == 0 and a.of_root()


def test_an_audit_says_what_it_has(machine, pf):
    a = machine[0]
    p = pf("run", "--cpus", NODES[0][0], *granted(a), "--", INSIDE, "audit", "--json")
    found = {row["name"]: row["verdict"] for row in json.loads(p.stdout)["properties"]}
    for name in "dev-nodes", "pci-functions":
        assert found[name] == "PASS", p.stdout
    for name in "capabilities", "user":
        assert found[name] == "FAIL", p.stdout


MASTER = """
import ctypes, mmap, os, sys, time
own = f"/sys/bus/pci/devices/{sys.argv[1]}"
config = os.open(f"{own}/config", os.O_RDWR)
command = int.from_bytes(os.pread(config, 2, 4), "little")
os.pwrite(config, (command | 4).to_bytes(2, "little"), 4)
"""
HOLD = (
    MASTER
    + """
registers = mmap.mmap(os.open(f"{own}/resource0", os.O_RDWR), 4096)
for name in os.listdir(own):
    if os.lstat(f"{own}/{name}").st_uid == os.getuid():
        os.chmod(f"{own}/{name}", 0o666)
print("up", flush=True)
time.sleep(1000)
"""
)
WAIT = "\nprint('up', flush=True)\ntime.sleep(1000)"


def kill_all(pf, s, name):
    s.process.kill()
    s.process.wait()
    for pid in processes_of(pf.lease(name)):
        kill(pid)


def test_nic_of_one_that_was_killed(machine, pf):
    """It is root's again and makes no DMA for the next one, who is not let in before."""
    a = machine[0]
    name = unique("killed")
    pf.names.append(name)
    flags = ["--name", name, "--cpus", NODES[0][0], *granted(a)]
    s = pf.start("run", *flags, "--", PYTHON, "-I", "-c", HOLD, a.bdf)
    s.until("^up")
    assert a.masters() and 0 not in a.owners()
    assert {p.stat().st_mode & 0o777 for p in a.files()} == {0o666}
    assert pf("exec", name, "--", "/bin/true").returncode == 0
    like = f"NIC {a.bdf} is granted to '{name}' already"
    again = ["run", "--cpus", NODES[0][1], *granted(a), "--", "/bin/true"]
    pf.fails(*again, like=like)
    pf.fails("nic", "unbind", a.bdf, like=f"in use by '{name}'")
    kill_all(pf, s, name)
    wait(lambda: pf.ok("gc") == "1 cleaned up\n")
    assert a.of_root() and not a.masters()
    assert pf(*again).returncode == 0


def test_dma_ends_where_a_lease_drains(machine, pf):
    """Its memory is others' by then. Nor does anybody wait long for a look at all that is open."""
    a = machine[0]
    name = unique("drains")
    pf.names.append(name)
    flags = ["--name", name, "--cpus", NODES[0][0], *granted(a)]
    s = pf.start("run", *flags, "--", PYTHON, "-I", "-c", HOLD, a.bdf)
    s.until("^up")
    code = (
        "import os, resource, time\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (60000, 60000))\n"
        "many = [os.eventfd(0) for _ in range(50000)]\n"
        f"os.open('{a.path}/config', os.O_RDWR){WAIT}"
    )
    other = pf.start_other(PYTHON, "-I", "-c", code)
    other.until("^up")
    kill_all(pf, s, name)
    wait(lambda: pf.ok("gc") == "0 cleaned up\n" and pf.ps()[name]["state"] == "draining")
    assert a.of_root() and not a.masters()
    begun = time.monotonic()
    pf.ok("gc")
    assert time.monotonic() - begun < 5 * SLOW
    pf.fails("stop", name, like=rf"draining: NIC {a.bdf} .* process {other.pid} \(python3\)")
    other.signal(9)
    other.process.wait()
    wait(lambda: pf.ok("gc") == "1 cleaned up\n")


RESET = (
    MASTER
    + f"""
registers = mmap.mmap(os.open(f"{{own}}/resource0", os.O_RDWR), 0x6000)
register = ctypes.c_uint32.from_buffer(registers, {RAL0})
register.value = {WRITTEN}
print(register.value)
"""
)


def test_it_is_reset(machine, pf):
    """What its program wrote into a register is gone. Of these the one behind a port of its own can be reset."""
    a, _, far = machine
    u = Uio(far, a.nic.driver)
    method = u.path / "reset_method"
    method.write_text("bus")
    try:
        before = u.register()
        run = ["run", "--cpus", NODES[0][0], *granted(u)]
        p = pf(*run, "--", PYTHON, "-I", "-c", RESET, u.bdf)
        assert (p.returncode, p.stdout) == (0, f"{WRITTEN}\n"), p.stderr
        assert u.register() == before != WRITTEN
        assert u.of_root() and not u.masters()
    finally:
        method.write_text("default")
        u.put_back()


THREAD = """
import ctypes, os, threading, time
def hold():
    time.sleep(1)
    os.open(PATH, os.O_RDWR)
    print("up", flush=True)
    time.sleep(1000)
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_nic_of_a_stranger(machine, pf):
    """Nobody else may have it, though the kernel would let him: neither its node nor a file of it."""
    a = machine[0]
    again = ["run", "--cpus", NODES[0][0], *granted(a), "--", "/bin/true"]
    node, config = f"/dev/{a.node}", str(a.path / "config")
    codes = [f"import os, time\nos.open({path!r}, os.O_RDWR){WAIT}" for path in (node, config)]
    # the first thread, whose descriptors are the process's, has ended
    for code in [*codes, THREAD.replace("PATH", repr(node))]:
        s = pf.start_other(PYTHON, "-I", "-c", code)
        s.until("^up")
        like = rf"NIC {a.bdf}: in use by process {s.pid} \(python3\); end that first"
        pf.fails(*again, like=like)
        pf.fails("nic", "bind", a.bdf, like=like)
        s.signal(9)
        s.process.wait()
    assert pf(*again).returncode == 0


def test_refusals(machine, pf):
    a, b, far = machine
    run = ["run", "--cpus", NODES[0][0]]
    true = ["--", "/bin/true"]
    pf.fails(*run, "--nic", a.bdf, *true, like=f"NIC {a.bdf} is bound to .*,unsafe-uio, and")
    like = f"NIC {far.bdf} is bound to vfio-pci, and unsafe-uio is for"
    pf.fails(*run, *granted(far), *true, like=like)
    name = b.nic.driver
    b.put_back()
    b.nic.bind(name)
    like = f"NIC {b.bdf} is bound to {name}, and the IOMMU keeps it from all memory"
    pf.fails(*run, *granted(b), *true, like=like)
    assert a.of_root() and b.of_root()


def test_beside_one_on_vfio(machine, pf):
    a, _, far = machine
    flags = ["--cpus", NODES[0][0], *granted(a), "--nic", far.bdf]
    p = pf("run", *flags, "--", "ls", "/dev", "/dev/vfio", "/sys/bus/pci/devices")
    assert p.returncode == 0, p.stderr
    words = set(p.stdout.split())
    assert {a.node, str(far.group), a.bdf, far.bdf} <= words
    code = "import fcntl, os\nprint(fcntl.ioctl(os.open('/dev/vfio/vfio', os.O_RDWR), 0x3B64))"
    p = pf("run", *flags, "--", PYTHON, "-I", "-c", code)  # VFIO_GET_API_VERSION
    assert (p.returncode, p.stdout) == (0, "0\n"), p.stderr


def killat(pf, *args):
    with open(pf.directory / "killat.out", "wb") as out:
        command = [KILLAT, "-s", str(40 * SLOW), *map(str, args)]
        return subprocess.run(
            command, stdout=out, stderr=out, timeout=50 * SLOW, check=False
        ).returncode


@pytest.mark.limit(1200 if EVERY_STEP else 240)
def test_death_at_every_step(machine, pf):
    """Before calls that give a file of the NIC or take it back: it makes no DMA then, which its program had it make."""
    a = machine[0]
    flags = ["--name", "killed", "--cpus", str(NODES[0][0]), *granted(a)]
    command = [pf.path, "run", *flags, "--", PYTHON, "-I", "-c", MASTER, a.bdf]
    listing = pf.directory / "calls"
    said = pf.directory / "killat.out"
    status = killat(pf, "-l", listing, "--", *command)
    if "cannot be seen" in said.read_text():
        pytest.skip("a look at all descriptors, traced, takes longer here than it may")
    assert status == 0, said.read_text()
    points = []
    for line in listing.read_text().splitlines():
        role, number, _, call, result, *path = line.split(" ")
        ours = path and path[0].rpartition("/")[2] in ("config", "reset", *RESOURCES)
        if role == "0" and ours and int(result) >= 0:
            points.append((number, " ".join([call, *path])))
    made = {(call.split(" ")[0], re.split("[ /]", call)[-1]) for _, call in points}
    assert ("pwrite64", "config") in made, sorted(made)
    assert {call for call, _ in made} >= {"lchown", "chmod", "fchownat", "fchmodat"}, points
    print(f"{len(points)} steps")
    if not EVERY_STEP:
        points = [points[i * (len(points) - 1) // 3] for i in range(4)]
    for number, call in points:
        killat(pf, "-k", f"0:{number}", "-v", "0", "--", *command)
        limit = time.monotonic() + 20 * SLOW
        while pf("gc").returncode != 0 or pf.ps().get("killed"):
            assert time.monotonic() < limit, call
            time.sleep(0.2)
        assert a.of_root() and not a.masters(), call


def test_on_the_bare_host(machine, pf):
    """It is root there anyway: the view shows the granted one alone."""
    a = machine[0]
    code = "import os\nprint(*os.listdir('/sys/bus/pci/devices'))"
    flags = ["--in", "host", "--cpus", NODES[0][0], *granted(a)]
    p = pf("run", *flags, "--", PYTHON, "-I", "-c", code)
    assert p.returncode == 0 and p.stdout.split() == [a.bdf], p.stderr
