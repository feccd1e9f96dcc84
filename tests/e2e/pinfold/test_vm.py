# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold run --in vm: the very grant and image in a guest, its ends, its faults."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from execs import check_exec_while_it_ends, check_told_before_it_began
from features import needs_guests
from machines import BOOT, LOOK, LOOKED, VM, odd_image, qemu_of
from workload import (
    CPU,
    LEASES,
    OTHER,
    PYTHON,
    SLOW,
    ids,
    kill,
    needs_pages,
    needs_root,
    needs_two,
    unique,
    wait,
)

pytestmark = [needs_root, needs_guests, pytest.mark.limit(150)]


def test_program_and_status(pf):
    script = "echo out; echo err >&2; cat; uname -r; exit 77"
    p = pf.run(*VM, "-i", "--", "/bin/sh", "-c", script, input="in\n", seconds=BOOT)
    assert (p.returncode, p.stderr) == (77, "err\n")
    out = p.stdout.splitlines()
    assert out[:2] == ["out", "in"] and len(out) == 3
    assert out[2] != os.uname().release


def test_ends_as_in_a_container(pf):
    """Without -i its input has an end; what it leaves behind, and goes on to write, holds up nobody; no argument is lost."""
    script = "cat; echo $#; yes & exit 3"
    many = [str(n) for n in range(9000)]
    env = {**os.environ, "PINFOLD_DEBUG": "1"}
    p = pf.run(*VM, "--", "/bin/sh", "-c", script, "sh", *many, seconds=BOOT, env=env)
    assert p.returncode == 3, p.stderr[-500:]
    said = p.stdout.splitlines()
    assert said[0] == "9000" and set(said[1:]) <= {"y", ""}
    # how long the parts of its start took
    parts = re.search(
        r"tcg QEMU ([\d.]+) firmware ([\d.]+) kernel ([\d.]+) user ([\d.]+) program ([\d.]+)",
        p.stderr,
    )
    assert parts is not None, p.stderr[-500:]
    assert all(0 <= float(t) < BOOT for t in parts.groups())
    assert float(parts[3]) > 0.2


def test_exec_leaves_nothing_for_the_next(pf):
    """Of an input that its program did not read, at the same port of the guest."""
    name = pf.detach(*VM, name=unique("vm"))
    for _ in range(9):
        p = pf("exec", "-i", name, "--", "/bin/sh", "-c", "exit 4", input="x" * 400000)
        assert p.returncode == 4, p.stderr
        assert pf("exec", "-i", name, "--", "/bin/cat", input="y\n").stdout == "y\n"
    left = pf("exec", name, "--", "/bin/sh", "-c", "yes & exit 6")
    assert left.returncode == 6 and set(left.stdout.splitlines()) <= {"y", ""}


@needs_two
@needs_pages(64)
def test_guest_has_the_grant(pf):
    cpus = f"{min(CPU, OTHER)},{max(CPU, OTHER)}"
    script = """
        cat /run/pinfold/grant.json; echo; echo ---
        nproc; grep HugePages_Total /proc/meminfo; grep MemTotal /proc/meminfo
        grep -c . /sys/devices/system/node/online; cat /sys/devices/system/node/online
        grep hugetlbfs /proc/mounts; id -u; hostname; cat /proc/buddyinfo
    """
    p = pf.run(
        *VM, "--hugepages", "2M=64", "-u", "1000", "--hostname", "there", "--", "/bin/sh", "-c",
        script, cpu=cpus, seconds=BOOT,
    )  # fmt: skip
    assert p.returncode == 0, p.stderr
    grant, _, rest = p.stdout.partition("---\n")
    grant, lines = json.loads(grant), rest.splitlines()
    assert grant["cpus"] == "0-1" and grant["mems"] == "0"
    assert grant["machine"] == {"accel": "tcg", "emulated": True}
    assert lines[0] == "2" and lines[1].split() == ["HugePages_Total:", "64"]
    # what is not the hugepages of the grant is its memory, but for what the kernel keeps from the start
    assert 192 * 1024 * 0.7 < int(lines[2].split()[1]) - 64 * 2048 <= 192 * 1024
    assert lines[3:5] == ["1", "0"]
    assert (
        "/dev/hugepages hugetlbfs" in lines[5] and "size=134217728,min_size=134217728" in lines[5]
    )
    assert lines[6:8] == ["1000", "there"]
    # they come from the part of memory that is hugepages of the host, and leave little of it
    movable = next(line for line in lines if "Movable" in line).split()[4:]
    assert sum(int(n) << order for order, n in enumerate(movable)) * 4096 < 16 << 20


def check_pinned(qemu, cpus, rest):
    """Each virtual CPU has a thread on one granted CPU, and the rest of QEMU runs where it should."""
    where = {}
    for task in Path(f"/proc/{qemu}/task").iterdir():
        try:
            comm, status = ((task / name).read_text() for name in ("comm", "status"))
        except OSError:
            continue  # one of its helpers, which come and go
        comm, allowed = comm.strip(), re.search(r"Cpus_allowed_list:\s+(\S+)", status)[1]
        where.setdefault(comm if comm.startswith("CPU ") else "other", set()).add(allowed)
    other = where.pop("other")
    assert where == {f"CPU {i}/TCG": {str(cpu)} for i, cpu in enumerate(sorted(cpus))}
    assert len(other) == 1 and ids(other.pop()) == rest


def check_fence(qemu, base):
    """QEMU is what any program in a container is: nobody outside, without rights, in a network of its own."""
    status = Path(f"/proc/{qemu}/status").read_text()
    assert re.search(rf"^Uid:\s+{base}\s+{base}\s+{base}\s+{base}$", status, re.M)
    for field in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert re.search(rf"^{field}:\s+0+$", status, re.M)
    # its own filter beside the container's
    assert re.search(r"^Seccomp_filters:\s+2$", status, re.M)
    for space in ("net", "pid", "mnt", "ipc", "uts", "user", "cgroup"):
        assert os.readlink(f"/proc/{qemu}/ns/{space}") != os.readlink(f"/proc/self/ns/{space}")
    net = Path(f"/proc/{qemu}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in net] == ["lo"]


@needs_two
def test_while_it_runs(pf):
    """Its processes on the host, QEMU's own threads on the shared CPUs; and exec, logs, ps, stop."""
    script = "echo begun; trap 'echo told; exit 5' TERM; while :; do sleep 1; done"
    pool = pf.grant("--pool", "--cpus", OTHER)
    name = pf.detach(
        *VM, "--shared-cpus", pool, name=unique("vm"), command=("/bin/sh", "-c", script)
    )
    qemu = qemu_of(pf, name)
    check_pinned(qemu, {CPU, OTHER}, {OTHER})
    check_fence(qemu, pf.lease(name)["uid-base"])
    row = pf.ps()[name]
    assert (row["in"], row["accel"], row["emulated"]) == ("vm", "tcg", True)
    assert re.search(rf"^{name} +running +vm \(emulated\) ", pf.ok("ps"), re.M)
    p = pf("exec", "-i", name, "--", "/bin/sh", "-c", "cat; uname -r; exit 9", input="x\n")
    assert p.returncode == 9 and p.stdout.splitlines()[0] == "x"
    assert pf("exec", name, "--", "/no/such").returncode == 127
    check_told_before_it_began(pf, name)
    # as many as there are ports, one after the other and at once
    sleeps = ("/bin/sh", "-c", "echo up; exec sleep 1000")
    begun = [pf.start("exec", name, "--", *sleeps) for _ in range(8)]
    for b in begun:
        b.until("^up", 30)
    pf.fails("exec", name, "--", "/bin/true", like="8 other programs have been started")
    for b in begun:
        b.signal(signal.SIGTERM)
        assert b.end() == 128 + signal.SIGTERM
    assert pf("exec", name, "--", "/bin/echo", "y").stdout == "y\n"
    wait(lambda: "begun" in pf("logs", name).stdout, 30, "output")
    check_exec_while_it_ends(pf, name)
    assert "told" in pf("logs", name).stdout
    assert not (LEASES / f"{name}.json").exists()


def test_volumes(pf, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/old").write_text("old\n")
    (tmp_path / "file").write_text("file\n")
    os.chmod(tmp_path / "there", 0o777)
    p = pf.run(
        *VM, "-v", f"{tmp_path}/there:/data", "-v", f"{tmp_path}/there:/read:ro",
        "-v", f"{tmp_path}/file:/etc/some/file:ro", "--", "/bin/sh", "-c",
        "cat /data/old /etc/some/file; echo new >/data/new; ls /read; echo no >/read/no; echo $?",
        seconds=BOOT,
    )  # fmt: skip
    assert p.stdout.splitlines() == ["old", "file", "new", "old", "2"], p.stderr
    assert (tmp_path / "there/new").read_text() == "new\n"
    assert not (tmp_path / "there/no").exists()


def test_output_flood(pf):
    """A program that says more than anybody reads is held up, and ends with its reader."""
    p = subprocess.Popen(
        [
            pf.path,
            "run",
            "--cpus",
            str(CPU),
            *VM,
            "--",
            "/bin/sh",
            "-c",
            "yes | head -c 3000000; yes",
        ],
        stdout=subprocess.PIPE,
    )
    got = p.stdout.read(3000000)
    assert got == b"y\n" * 1500000
    p.stdout.close()
    assert p.wait(BOOT) == 128 + signal.SIGPIPE or p.returncode != 125


# ---- faults


def test_no_kernel(pf, tmp_path):
    env = {**os.environ, "PINFOLD_GUEST_CACHE": str(tmp_path)}
    pf.fails("run", *VM, "--cpus", str(CPU), "--", "/bin/true", like="pinfold host kernel", env=env)


def test_no_qemu(pf):
    """As on a machine without it: hidden in a mount namespace."""
    script = 'mount --bind /dev/null /usr/bin/qemu-system-x86_64 && exec "$@"'
    p = subprocess.run(
        ["unshare", "-m", "/bin/sh", "-c", script, "sh", pf.path, "run", "--in", "vm", "--cpus",
         str(CPU), "--", "/bin/true"],
        capture_output=True, text=True, timeout=BOOT, check=False,
    )  # fmt: skip
    assert p.returncode == 125
    assert "apt install qemu-system-x86" in p.stderr and p.stderr.count("\n") == 1, p.stderr


def test_more_hugepages_than_there_are(pf):
    begun = time.monotonic()
    pf.fails(
        "run", *VM, "--cpus", str(CPU), "--hugepages", "2M=100000", "--", "/bin/true",
        like="hugepages",
    )  # fmt: skip
    assert time.monotonic() - begun < 5 * SLOW


def test_stop_of_what_does_not_listen(pf):
    """Neither the program nor its guest is asked for longer than stop was told."""
    script = "trap '' TERM INT HUP; echo deaf; while :; do sleep 1; done"
    name = pf.detach(*VM, name=unique("vm"), command=("/bin/sh", "-c", script))
    wait(lambda: "deaf" in pf("logs", name).stdout, 30, "output")
    begun = time.monotonic()
    pf.ok("stop", "-t", "1", name)
    assert time.monotonic() - begun < 15 * SLOW
    assert not (LEASES / f"{name}.json").exists()


def test_console_flood(pf):
    """Nobody reads the guest's console; who writes there holds up nothing."""
    script = "head -c 2000000 /dev/zero | tr '\\0' x >/dev/ttyS0; echo written; exit 3"
    p = pf.run(*VM, "--", "/bin/sh", "-c", script, seconds=BOOT)
    assert (p.returncode, p.stdout) == (3, "written\n"), p.stderr


# Loaded at 16 MiB, entered by the note that QEMU looks for in a kernel (PVH), and there it stays.
STUCK = """
    .section .note.pvh, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .globl start
start:
    .code32
    jmp start
"""


@pytest.mark.full
def test_guest_that_does_not_come_up(pf, tmp_path):
    cache = Path(os.environ.get("PINFOLD_GUEST_CACHE", "/var/cache/pinfold-guest"))
    real = max(cache.glob("linux-*"), key=lambda d: d.stat().st_mtime)
    stuck = tmp_path / real.name
    stuck.mkdir()
    (stuck / "lib").symlink_to(real / "lib")
    (tmp_path / "stuck.S").write_text(STUCK)
    subprocess.run(
        ["gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x1000000", "-Wl,--build-id=none", "-o",
         stuck / "vmlinux", tmp_path / "stuck.S"],
        check=True,
    )  # fmt: skip
    for d in (tmp_path.parent, tmp_path, stuck):
        d.chmod(0o755)
    env = {**os.environ, "PINFOLD_GUEST_CACHE": str(tmp_path)}
    pf.fails(
        "run", *VM, "--cpus", str(CPU), "--", "/bin/true", seconds=90, env=env,
        like="within 50 s.*PINFOLD_GUEST_SECONDS",
    )  # fmt: skip


def test_refusals(pf):
    for flags, like in (
        (("--memory", "64M"), "a virtual machine takes at least --memory 160M"),
        (("--link", "memif:a"), "a memif is memory"),
        (("--cap", "NET_RAW"), "not --in vm"),
        (("--accel", "xen"), "auto, kvm or tcg"),
    ):
        pf.fails("run", "--in", "vm", "--cpus", str(CPU), *flags, "--", "/bin/true", like=like)
    pf.fails("run", "--accel", "tcg", "--cpus", str(CPU), "--", "/bin/true", like="--in vm")
    p = pf.run("--in", "vm", "--", "/no/such")
    assert p.returncode == 127


def test_guest_panic(pf):
    """It says why it ended, also behind much else that its console has, and leaves nothing."""
    script = "yes noise | head -c 50000 >/dev/ttyS0; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 100"
    p = pf.run(*VM, "--", "/bin/sh", "-c", script, seconds=BOOT)
    assert p.returncode == 125
    assert "the guest stopped" in p.stderr and "panic" in p.stderr


# Root of the guest takes the descriptor of the port that the guest's end of the program has, and writes there what that would not
HOSTILE = """
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
for pid in filter(str.isdigit, os.listdir("/proc")):
    for fd in os.listdir(f"/proc/{pid}/fd") if int(pid) != os.getpid() else []:
        if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("/dev/vport"):
            continue
        slot = open("/sys/class/virtio-ports/" + os.path.basename(
            os.readlink(f"/proc/{pid}/fd/{fd}")) + "/name").read().strip()
        if slot != "pinfold.0":
            continue
        port = libc.syscall(438, libc.syscall(434, int(pid), 0), int(fd), 0)
        assert port >= 0, os.strerror(ctypes.get_errno())
        os.set_blocking(port, True)
        os.write(port, {
            "noise": os.urandom(200000),
            "length": struct.pack("<BBHI", 4, 0, 0, 0xffffffff),
            "begun": struct.pack("<BBHI", 7, 0, 0, 0),
        }[sys.argv[1]])
        time.sleep(100)
sys.exit("no port")
"""


@pytest.mark.parametrize(
    "what", ["noise", *(pytest.param(w, marks=pytest.mark.full) for w in ("length", "begun"))]
)
def test_hostile_guest(pf, what):
    """What it says over virtio-serial and may not ends it, with the reason in one line, and leaves nothing."""
    p = pf.run(*VM, "--", PYTHON, "-I", "-c", HOSTILE, what, seconds=BOOT)
    assert p.returncode == 125, (p.stdout, p.stderr)
    assert (
        "the guest does not keep to the rules" in p.stderr and p.stderr.count("\n") == 1
    ), p.stderr


@pytest.mark.parametrize("victim", ["qemu", "supervisor"])
def test_killed(pf, victim):
    name = unique("vm")
    s = pf.start("run", *VM, "--name", name, "--cpus", str(CPU), "--", "/bin/sh", "-c",
                 "echo up; exec sleep 1000")  # fmt: skip
    s.until("up", BOOT)
    if victim == "qemu":
        kill(qemu_of(pf, name))
        assert s.end() == 125
        assert "QEMU was killed by signal 9" in s.text()
        return
    s.process.kill()
    s.process.wait()
    pf.ok("stop", name)
    pf.ok("gc")


@pytest.mark.parametrize("after", [0.05, 0.3, 1, 4])
def test_supervisor_killed_while_it_starts(pf, after):
    name = unique("vm")
    s = pf.start("run", *VM, "--name", name, "--cpus", str(CPU), "--", "/bin/sleep", "1000")
    time.sleep(after)
    early = pf.start("exec", name, "--", "/bin/sleep", "1000") if after == 1 else None
    s.process.kill()
    s.process.wait()
    if (LEASES / f"{name}.json").exists():
        pf("stop", name, "-t", "0")
    if early is not None:  # it waits while the guest boots
        assert early.end() == 125
        assert re.search(f"'{name}'(: it has ended| does not run); see pinfold ps", early.text())
    pf.ok("gc")
    assert not (LEASES / f"{name}.json").exists()


def test_kvm_that_does_not_run(pf):
    """Asked for by name it is an error with a reason, within its time."""
    if not Path("/dev/kvm").exists():
        pytest.skip("there is no /dev/kvm")
    if any(Path(f"/sys/module/kvm_{m}").exists() for m in ("intel", "amd")):
        pytest.skip("KVM may well work here")
    begun = time.monotonic()
    p = pf.run("--in", "vm", "--accel", "kvm", "--memory", "192M", "--", "/bin/true", seconds=BOOT)
    assert p.returncode == 125
    assert re.search("did not come up within|internal error|QEMU ended|killed", p.stderr), p.stderr
    assert time.monotonic() - begun < BOOT
    said = p.stderr.splitlines()
    assert "this machine has neither kvm_intel nor kvm_amd" in said[0]
    assert "come up" not in said[-1] or "--accel tcg emulates its CPU" in said[-1]


@pytest.mark.full
def test_falls_back(pf):
    """From a KVM that looks as if it ran guests; whoever looks is told what runs it then."""
    if not Path("/dev/kvm").exists():
        pytest.skip("there is no /dev/kvm")
    if any(Path(f"/sys/module/kvm_{m}").exists() for m in ("intel", "amd")):
        pytest.skip("KVM may well work here")
    name = unique("vm")
    pf.names.append(name)
    s = pf.start_other(
        "unshare", "-m", "/bin/sh", "-c",
        'mount -t tmpfs none /sys/module && mkdir /sys/module/kvm_amd && exec "$@"', "sh",
        pf.path, "run", "--name", name, "--cpus", CPU, "--in", "vm", "--memory", "192M", "--",
        "/bin/sh", "-c", "cat /run/pinfold/grant.json; echo; echo up; exec sleep 1000",
    )  # fmt: skip
    wait(lambda: name in pf.ps(), 30, "the start")
    assert pf.ps()[name]["accel"] == "kvm"
    s.until("^up", BOOT)
    assert (pf.ps()[name]["accel"], pf.ps()[name]["emulated"]) == ("tcg", True)
    assert "does not run the guest, so its CPU is emulated" in s.text()
    assert '"emulated": true' in s.text()


def files_below(*places):
    """All of them, with what each takes on disk."""
    return sorted((p, p.lstat().st_blocks) for place in places for p in Path(place).rglob("*"))


def memory_beside(pid):
    """Bytes that it has mapped (PSS) beside the guest's memory."""
    total, guest = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            guest = "memory-backend" in line
        elif line.startswith("Pss:") and not guest:
            total += int(line.split()[1]) * 1024
    return total


@needs_two
def test_second_takes_no_disk(pf, tmp_path):
    """Two machines of one image at once, which is odd and the same to a container; and what one takes of the host's memory is its guest's, and little more."""
    image, flags = odd_image(tmp_path)
    assert pf.run(*flags, "--", "/bin/sh", "-c", LOOK).stdout.split() == LOOKED.split()
    cache = os.environ.get("PINFOLD_GUEST_CACHE", "/var/cache/pinfold-guest")
    name = pf.detach(*VM, *flags, name=unique("vm"))
    assert pf.ok("exec", name, "--", "/bin/sh", "-c", LOOK).split() == LOOKED.split()
    before = files_below(cache, image)
    assert any(p.name.startswith("initramfs-") for p, _ in before)
    second = pf.detach(*VM, "--image", image, name=unique("vm"), cpu=OTHER)
    pf.ok("exec", second, "--", "/bin/sh", "-c", "echo written >/file")
    assert files_below(cache, image) == before
    qemu = qemu_of(pf, name)
    check_pinned(qemu, {CPU}, {CPU})
    assert 20e6 < memory_beside(qemu) <= 130e6
