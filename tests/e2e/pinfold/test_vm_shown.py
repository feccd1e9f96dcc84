# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a guest is shown of the granted CPUs, and what pinfold audit says of it."""

import json
import re
import shlex
import shutil
import socket
import struct
import subprocess
from pathlib import Path

import fake_host
import pytest

from auditing import verdicts
from features import GUESTS, needs_guests
from machines import BOOT, VM
from workload import CPU, OTHER, SLOW, needs_pages, needs_root, needs_two, unique

pytestmark = [needs_root, needs_guests, pytest.mark.limit(150)]

# rows of pinfold audit that are about what a machine has; all else is its own kernel's
OF_A_MACHINE = {
    "cpu-affinity", "cpu-threads", "numa-policy", "numa-bind", "numa-move", "huge-mounts",
    "huge-file", "huge-anonymous", "huge-shared", "huge-populate", "huge-memfd", "huge-sysv",
    "huge-noreserve", "net-interfaces", "limit-memory",
}  # fmt: skip

SHOW = """
cd /sys/devices/system/cpu
for c in cpu[0-9]*; do
    t=$c/topology
    echo cpu $(cat $t/physical_package_id $t/core_id $t/core_cpus_list)
    for i in $c/cache/index*; do
        echo cache ${c#cpu} $(cat $i/level $i/type $i/size $i/shared_cpu_list)
    done
done
lscpu -p=cpu,core,socket,node | grep -v '^#'
"""


def threads_of(cpu):
    text = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    return len(re.split("[-,]", text.strip()))


@needs_two
def test_topology(pf):
    """sysfs, lscpu and hwloc in a guest say what the granted CPUs are."""
    if threads_of(CPU) > 1:
        pytest.skip("the CPUs of this machine are threads: what is granted of a core decides")
    hwloc = shutil.which("lstopo-no-graphics")
    cpus = sorted((CPU, OTHER))
    script = SHOW + ("echo ---; lstopo-no-graphics --of console --no-io" if hwloc else "")
    p = pf.run(*VM, "--", "/bin/sh", "-c", script, cpu=f"{cpus[0]},{cpus[1]}", seconds=BOOT)
    assert p.returncode == 0, p.stderr
    said, _, hwloc_said = p.stdout.partition("---\n")
    lines = [line.split() for line in said.splitlines()]
    assert [line for line in lines if line[0] == "cpu"] == [
        ["cpu", "0", "0", "0"],
        ["cpu", "0", "1", "1"],
    ]
    assert lines[-2:] == [["0,0,0,0"], ["1,1,0,0"]]
    # an emulated CPU has caches of QEMU's own making, which are shared as cores share them
    caches = [line[1:] for line in lines if line[0] == "cache"]
    assert {level for _, level, _, _, _ in caches} == {"1", "2", "3"}
    for cpu, level, _, _, shared in caches:
        assert shared == ("0-1" if level == "3" else cpu)
    if hwloc:
        assert len(re.findall(r"\bCore L#", hwloc_said)) == 2
        assert len(re.findall(r"\bPU L#", hwloc_said)) == 2
        assert len(re.findall(r"\bPackage L#", hwloc_said)) == 1


# machine of tests/fake_host.py, CPUs, and what QEMU is to make of them: sockets, cores, threads
OTHERS = [
    ("two", "0-1", (1, 2, 1)),
    ("paper", "0-3", (1, 4, 1)),
    ("paper", "0,24", (1, 1, 2)),
    ("paper", "0-1,24-25", (1, 2, 2)),
    ("paper", "0-1,12-13", (2, 2, 1)),
    ("paper", "0-1,24", (1, 3, 1)),
]


@pytest.mark.parametrize("kind,cpus,want", OTHERS, ids=[f"{k}-{c}" for k, c, _ in OTHERS])
def test_cpus_of_other_machines(pf, tmp_path, kind, cpus, want):
    """QEMU itself says what it makes of the command that other machines' CPUs lead to."""
    fake_host.write(fake_host.kinds[kind](), str(tmp_path / "host"))
    command = shlex.split(
        pf.ok(
            "--host-tree", tmp_path / "host", "plan", "--in", "vm", "--accel", "tcg", "--cpus",
            cpus, "--format", "qemu", "--", "/bin/true",
        ).replace("\\\n", " ")
    )  # fmt: skip
    smp = command[command.index("-smp") + 1]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        p = subprocess.Popen(
            [
                "qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-machine", "q35",
                "-accel", "tcg", "-m", "64M", "-smp", smp, "-cpu",
                command[command.index("-cpu") + 1], "-chardev",
                f"socket,id=q,fd={theirs.fileno()}", "-mon", "chardev=q,mode=control",
            ],
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
        try:
            ours.settimeout(20 * SLOW)
            f = ours.makefile("rw")
            f.readline()
            for word in ("qmp_capabilities", "query-hotpluggable-cpus"):
                f.write(json.dumps({"execute": word}))
                f.flush()
                answer = json.loads(f.readline())
        finally:
            p.kill()
            p.wait()
    places = [c["props"] for c in answer["return"]]
    found = tuple(len({c[k] for c in places}) for k in ("socket-id", "core-id", "thread-id"))
    assert found == want
    assert len(places) == want[0] * want[1] * want[2]


def job_of(pf, tree, *flags):
    """What QEMU would be told of a machine that is not this one, and what pinfold-inside does with it."""
    doc = pf.json("--host-tree", tree, "plan", "--in", "vm", "--accel", "tcg", *flags, "--format",
                  "json", "--", "/bin/true")  # fmt: skip
    (job,) = (s["value"] for s in doc["steps"] if s["path"].endswith("/own/vm/job.json"))
    return json.loads(job)


@pytest.mark.parametrize(
    "pages,want",
    [(("2M=40@0", "2M=24@1"), (40, 24)), (("2M=30@1",), (0, 30))],
    ids=["both", "one"],
)
def test_nodes_of_other_machines(pf, tmp_path, pages, want):
    """A guest's kernel itself says what it makes of the nodes of a machine with two: CPUs and hugepages are where they are granted."""
    fake_host.write(fake_host.kinds["paper"](), str(tmp_path / "host"))
    flags = [word for size in pages for word in ("--hugepages", size)]
    job = job_of(pf, tmp_path / "host", "--cpus", "1-2,12-13", "--memory", "256M", *flags)
    (tmp_path / "early").write_bytes(bytes.fromhex(job["early"]))
    given = job["tries"][0]["argv"]
    kernel = max(GUESTS.glob("linux-*"), key=lambda d: d.stat().st_mtime) / "vmlinux"
    command = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-serial",
               "stdio", "-kernel", kernel, "-initrd", tmp_path / "early"]  # fmt: skip
    for option, value in zip(given, given[1:]):
        if option == "-append":
            command += [option, value.replace("loglevel=4", "loglevel=7")]
        elif option in ("-accel", "-machine", "-cpu", "-smp", "-m", "-numa"):
            command += [option, value]
        elif option == "-object" and "memory-backend" in value:
            words = dict(w.partition("=")[::2] for w in value.split(",")[1:])
            backend = f"memory-backend-memfd,id={words['id']},size={words['size']},share=on"
            command += [option, backend]
    # it ends as it finds no first process
    p = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT, check=False
    )
    found = re.findall(r"SRAT: PXM \d+ -> APIC 0x(\w+) -> Node (\d)", p.stdout)
    assert [(int(apic, 16), int(node)) for apic, node in found] == [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
    ], p
    size = {0: 0, 1: 0}
    for node, first, last in re.findall(
        r"SRAT: Node (\d) PXM \d \[mem 0x(\w+)-0x(\w+)\]", p.stdout
    ):
        size[int(node)] += int(last, 16) + 1 - int(first, 16)
    assert size == {n: (128 << 20) + want[n] * (2 << 20) for n in (0, 1)}
    assert f"registered 2.00 MiB page size, pre-allocated {sum(want)} pages" in p.stdout
    # all that were asked for of each node
    assert "Only allocated" not in p.stdout
    setup = job["setup"]["grant"]
    assert (setup["cpus"], setup["mems"]) == ("0-3", "0-1")
    assert {h["node"]: h["count"] for h in setup["hugepages"]} == {
        n: count for n, count in enumerate(want) if count
    }


def test_numbers_of_cpus_in_the_table(pf, tmp_path):
    """Of three cores a socket the next socket's begin at 4, as QEMU numbers them."""
    fake_host.write(fake_host.kinds["paper"](), str(tmp_path / "host"))
    early = bytes.fromhex(job_of(pf, tmp_path / "host", "--cpus", "1-3,12-14")["early"])
    table = early[early.index(b"SRAT") :]
    table = table[: struct.unpack_from("<I", table, 4)[0]]
    assert sum(table) % 256 == 0
    found, at = [], 48
    while at < len(table):
        if table[at] == 0:
            found.append((table[at + 3], table[at + 2]))
        at += table[at + 1]
    assert found == [(0, 0), (1, 0), (2, 0), (4, 1), (5, 1), (6, 1)]


@needs_pages(16)
def test_audit(pf):
    """What a machine has is tried in the guest; what its kernel does for it is not held against it."""
    name = pf.detach(*VM, "--hugepages", "2M=16", name=unique("vm"))
    p = pf("audit", "--json", name)
    assert p.returncode == 0, p.stdout
    found = {x["name"]: x for x in json.loads(p.stdout)["properties"]}
    assert OF_A_MACHINE <= set(found)
    for row in found.values():
        if row["name"] == "huge-noreserve":
            assert row["verdict"] in ("PASS", "SKIP")
        elif row["name"] in OF_A_MACHINE:
            assert row["verdict"] == "PASS", row
        else:
            assert row["verdict"] == "SKIP" and row["found"].startswith("does not apply"), row
    # with all of it tried
    p = pf("audit", "--json", "--all", name)
    assert p.returncode == 0 and verdicts(p.stdout)["huge-noreserve"] == "PASS", p.stdout
    # and a smaller grant is overrun
    less = {"format": 1, "name": "x", "cpus": "7", "mems": "0", "memory": "9M", "pids": 9}
    less["machine"] = {"accel": "tcg", "emulated": True}
    script = (
        f"echo '{json.dumps(less)}' >/tmp/g; exec /run/pinfold/inside audit --grant /tmp/g --json"
    )
    p = pf("exec", name, "--", "/bin/sh", "-c", script)
    assert p.returncode == 1
    over = {n for n, verdict in verdicts(p.stdout).items() if verdict == "FAIL"}
    assert {"cpu-affinity", "cpu-threads", "limit-memory", "huge-file"} <= over <= OF_A_MACHINE


# QEMU may add a filter of its own
OPEN_TO_QEMU = {"filters", "calls-others"}


@needs_two
@needs_pages(16)
def test_audit_of_qemu(pf):
    """Beside QEMU, in its container, the fence is that of any container."""
    name = pf.detach(*VM, "--hugepages", "2M=16", name=unique("vm"))
    p = pf("audit", "--json", "--qemu", name)
    found = json.loads(p.stdout)["properties"]
    failed = {x["name"] for x in found if x["verdict"] == "FAIL"}
    assert failed <= OPEN_TO_QEMU, [x for x in found if x["verdict"] == "FAIL"]
    assert sum(x["verdict"] == "PASS" for x in found) >= 40
    box = pf.detach(cpu=OTHER)
    pf.fails("audit", "--qemu", box, like="is no virtual machine")
