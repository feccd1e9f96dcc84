# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What a container sees of the machine in /sys and /proc: its grant, and nothing of the host."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import fake_host
import pytest
from features import needs_tools
from workload import CPU, CPUS, EAL_NODES, NODE, OTHER, PYTHON, SLOW, ids, needs_numa, needs_pages
from workload import needs_root, needs_testpmd, needs_two


MEMORY = 256  # MiB
PAGES = 20
GRANT = ["--memory", f"{MEMORY}M", "--hugepages", f"2M={PAGES}"]
TOTAL = (MEMORY + 2 * PAGES) << 10  # kB

# Places that tell of the host alone: there is nothing inside.
HIDDEN = """
/proc/acpi /proc/buddyinfo /proc/bus /proc/bus/pci /proc/bus/pci/devices /proc/cmdline
/proc/diskstats /proc/driver /proc/fs /proc/interrupts /proc/iomem /proc/ioports /proc/irq
/proc/irq/default_smp_affinity /proc/kallsyms /proc/keys /proc/mdstat /proc/modules
/proc/partitions /proc/pressure /proc/pressure/cpu /proc/schedstat /proc/scsi /proc/softirqs
/proc/swaps /proc/timer_list /proc/vmallocinfo /proc/vmstat /proc/zoneinfo
/sys/block /sys/class /sys/bus/cpu /sys/bus/memory /sys/bus/pci/devices /sys/bus/pci/drivers /sys/bus/virtio
/sys/class/block /sys/class/dmi /sys/class/mem /sys/class/misc /sys/class/net /sys/class/pci_bus
/sys/class/tty /sys/class/vc /sys/dev /sys/dev/block /sys/dev/char /sys/devices/platform
/sys/devices/pci0000:00 /sys/devices/system/clocksource /sys/devices/system/memory
/sys/devices/virtual /sys/firmware /sys/fs/cgroup /sys/fs/ext4 /sys/hypervisor
/sys/kernel/boot_params /sys/kernel/debug /sys/kernel/iommu_groups /sys/kernel/irq
/sys/kernel/mm/swap /sys/kernel/notes /sys/kernel/security /sys/kernel/slab /sys/kernel/tracing
/sys/module /sys/module/kvm /sys/module/virtio_net /sys/power
""".split()

NODES = "/sys/devices/system/node"
POOL = "hugepages/hugepages-2048kB"
# Places that are there inside: what of them (a pattern) is the grant's and not the host's.
OWN = {
    "/proc/cpuinfo": r"(?m)^processor.*",
    "/proc/meminfo": r"MemTotal: *\d+",
    "/proc/stat": r"(?m)^cpu\d+|^intr \d",
    "/sys/devices/system/cpu": r'"cpu\d+"',
    "/sys/devices/system/cpu/online": r".+",
    "/sys/devices/system/cpu/possible": r".+",
    "/sys/devices/system/cpu/present": r".+",
    "/sys/devices": r".+",
    "/sys/kernel": r".+",
    f"/sys/kernel/mm/{POOL}/nr_hugepages": r".+",
    f"{NODES}/node{NODE}/cpulist": r".+",
    f"{NODES}/node{NODE}/meminfo": r"MemTotal: *\d+",
    f"{NODES}/node{NODE}/numastat": r"numa_hit \d+",
    f"{NODES}/node{NODE}/{POOL}/nr_hugepages": r".+",
}

if (cpulist := Path(NODES, f"node{NODE}/cpulist")).exists() and ids(cpulist.read_text()) == {CPU}:
    del OWN[str(cpulist)]  # the grant has all of them

READ = """
import json, os, sys
def read(path):
    try:
        if os.path.isdir(path):
            return json.dumps(sorted(os.listdir(path))) if os.listdir(path) else ""
        with open(path, errors="replace") as f:
            return f.read(1 << 20)
    except OSError:
        return ""
json.dump({path: read(path) for path in sys.argv[1:]}, sys.stdout)
"""
PATHS = [*HIDDEN, *OWN]
READER = [PYTHON, "-I", "-c", READ, *PATHS]


def told(host, inside):
    """The places where the inside tells what the host is."""
    found = {path for path in HIDDEN if host[path] and inside[path]}
    for path, pattern in OWN.items():
        theirs = re.findall(pattern, host[path])
        if theirs and theirs == re.findall(pattern, inside[path]):
            found.add(path)
    return found


@pytest.fixture(scope="module")
def host():
    p = subprocess.run(READER, capture_output=True, check=True, timeout=30 * SLOW)
    return json.loads(p.stdout)


@needs_two
@needs_pages(PAGES + 1)
@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_nothing_of_the_host(pf, host, runtime):
    runtime = shutil.which(runtime, path="/usr/bin:/usr/sbin")
    if runtime is None:
        pytest.skip("this runtime is not installed")
    inside = pf.json("run", "--cpus", CPU, *GRANT, "--runtime", runtime, "--", *READER)
    assert told(host, inside) == set()
    for path in OWN:
        assert inside[path] or not host[path], path


# A runtime that gives the container the host's /sys and /proc, as a plain container has them.
WITHOUT = """#!/usr/bin/python3 -I
import json, os, sys
args = sys.argv[1:]
if "--version" not in args:
    file = args[args.index("--bundle") + 1] + "/config.json"
    with open(file) as f:
        oci = json.load(f)
    oci["mounts"] = [m for m in oci["mounts"] if not m["destination"].startswith("/proc/")]
    sys = ["nosuid", "noexec", "nodev", "ro"]
    oci["mounts"].append(
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": sys}
    )
    oci["linux"]["maskedPaths"] = []
    with open(file, "w") as f:
        json.dump(oci, f)
os.execv("%s", ["crun", *args])
"""


@needs_two
@needs_pages(PAGES + 1)
def test_without_views_the_host_is_seen(pf, host, tmp_path):
    """That the test above can fail: each place that has something to tell tells it."""
    crun = shutil.which("crun")
    if crun is None:
        pytest.skip("crun is not installed")
    wrapper = tmp_path / "without"
    wrapper.write_text(WITHOUT % crun)
    wrapper.chmod(0o755)
    inside = pf.json("run", "--cpus", CPU, *GRANT, "--runtime", wrapper, "--", *READER)
    seen = told(host, inside)
    must = {
        *("/proc/cmdline", "/proc/cpuinfo", "/proc/diskstats", "/proc/interrupts", "/proc/stat"),
        *("/proc/meminfo", "/proc/bus", "/proc/irq", "/proc/zoneinfo", "/sys/block", "/sys/class"),
        *("/sys/bus/pci/devices", "/sys/devices/system/cpu/online", "/sys/devices/pci0000:00"),
        *("/sys/devices/system/memory", f"/sys/kernel/mm/{POOL}/nr_hugepages"),
        *(f"{NODES}/node{NODE}/meminfo", f"{NODES}/node{NODE}/{POOL}/nr_hugepages"),
    }
    assert {path for path in must if host[path]} - seen == set()


def test_view_cannot_be_changed(pf):
    for path in ("/sys/x", "/sys/devices/x", "/sys/devices/system/cpu/online", "/proc/meminfo"):
        p = pf.run("--", "/bin/sh", "-c", f"echo 1 > {path}")
        assert p.returncode != 0 and re.search("Read-only|denied", p.stderr), p.stderr
    # a granted CPU is the host's own directory: nothing is reached by going up from it
    text = pf.shell(f"cd -P /sys/devices/system/cpu/cpu{CPU}; ls ..; cd ../../..; ls; pwd -P")
    assert f"cpu{OTHER}\n" not in text or OTHER == CPU
    assert text.splitlines()[-2:] == ["system", "/sys/devices"]


@needs_pages(PAGES + 1)
@pytest.mark.parametrize("place", [(), ("--in", "host")], ids=["container", "host"])
def test_what_is_free_and_what_was_used(pf, place):
    """The files are pictures; the hugetlbfs and the processes tell."""
    text = pf.shell(
        "d=$(awk '$3 == \"hugetlbfs\" { print $2; exit }' /proc/mounts); "
        "stat -f -c '%S %b %f' $d; fallocate -l 6M $d/x; stat -f -c '%S %b %f' $d; "
        f"grep -h . /sys/kernel/mm/{POOL}/free_hugepages; grep HugePages_Free /proc/meminfo; "
        "rm $d/x; i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; cat /proc/$$/stat",
        *place,
        *GRANT,
    )
    before, after, pool, meminfo, own = text.splitlines()
    assert before == f"{2 << 20} {PAGES} {PAGES}"
    assert after == f"{2 << 20} {PAGES} {PAGES - 3}"
    assert int(pool) == PAGES and meminfo.split()[1] == str(PAGES)
    assert int(own.split()[13]) > 0


# ---- what programs make of it


@needs_numa
@needs_tools("lscpu", "numactl", "free", "numastat")
@needs_pages(PAGES + 1)
def test_programs_agree(pf):
    """Every program that looks finds the same machine, and that is the grant."""
    script = (
        "nproc; nproc --all; getconf _NPROCESSORS_ONLN; getconf _NPROCESSORS_CONF; "
        "grep -c ^processor /proc/cpuinfo; grep -c '^cpu[0-9]' /proc/stat; "
        f"{PYTHON} -I -c 'import os; print(os.cpu_count())'; "
        "lscpu -J -e=CPU,NODE; numactl -H; free -k; numastat; ps -e >/dev/null && echo ps"
    )
    text = pf.shell(script, *GRANT)
    assert text.splitlines()[:7] == ["1"] * 7
    rows = json.loads(re.search(r"\{.*?\n\}", text, re.S)[0])["cpus"]
    assert [(int(r["cpu"]), int(r["node"])) for r in rows] == [(CPU, NODE)]
    assert f"available: 1 nodes ({NODE})" in text
    assert f"node {NODE} cpus: {CPU}\n" in text
    assert f"node {NODE} size: {TOTAL >> 10} MB" in text
    assert f"node {NODE} free: {MEMORY} MB" in text
    assert re.search(rf"^Mem: +{TOTAL} +{(2 * PAGES) << 10} +{MEMORY << 10} ", text, re.M), text
    assert re.search(rf"^ +node{NODE}\nnuma_hit +0$", text, re.M), text
    assert text.endswith("ps\n")


@needs_pages(PAGES + 1)
def test_lstopo_agrees(pf):
    if not os.path.exists("/usr/bin/lstopo-no-graphics"):
        pytest.skip("package hwloc-nox is not installed")
    text = pf.shell("lstopo-no-graphics --of xml", *GRANT)
    assert re.findall(r'type="PU" os_index="(\d+)"', text) == [str(CPU)]
    assert re.findall(r'type="NUMANode" os_index="(\d+)"', text) == [str(NODE)]
    assert int(re.search(r'local_memory="(\d+)"', text)[1]) == TOTAL << 10
    pages = dict(re.findall(r'<page_type size="(\d+)" count="(\d+)"', text))
    assert int(pages[str(2 << 20)]) == PAGES
    assert int(pages["4096"]) == (MEMORY << 20) // 4096
    assert not re.search('type="(PCIDev|Bridge|OSDev)"', text)


@needs_testpmd
@needs_pages(PAGES + 1)
def test_eal_agrees(pf):
    p = pf.run(
        *GRANT,
        "--",
        "dpdk-testpmd",
        "--lcores",
        f"0@{CPU},1@{CPU}",
        "--log-level=lib.eal:debug",
        "--vdev",
        "net_null0",
        "--",
        "--total-num-mbufs=2048",
    )
    log = p.stdout + p.stderr
    assert "Detected CPU lcores: 1\n" in log, log
    assert EAL_NODES in log
    assert re.findall(r"Detected lcore (\d+) as core \d+ on socket (\d+)", log) == [
        (str(CPU), str(NODE))
    ]
    assert "sysfs is not mounted" not in log


def test_topology_is_the_hosts(pf):
    """Figure 5 of the paper: where a granted core lies, and what caches it has, is seen as it is."""
    top = Path(f"/sys/devices/system/cpu/cpu{CPU}")
    kinds = [
        "topology/*_id",
        "topology/*_list",
        "cache/index*/level",
        "cache/index*/type",
        "cache/index*/size",
        "cache/index*/shared_cpu_list",
    ]
    found = sorted(str(f.relative_to(top)) for kind in kinds for f in top.glob(kind))
    if not found:
        pytest.skip("this kernel says nothing of cores and caches")
    script = f"cd {top}; export LC_ALL=C; grep . {' '.join(found)}; ls -d topology cache node*; :"
    there = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, timeout=10 * SLOW, check=True
    )
    # a file may be empty, but not all of them
    assert re.search(r"^\S+:.+", there.stdout, re.M)
    assert pf.shell(script) == there.stdout


# ---- lxcfs


@pytest.fixture
def lxcfs():
    """lxcfs, running where it does on every host that has it."""
    where, program = Path("/var/lib/lxcfs"), shutil.which("lxcfs")
    if program is None or not os.path.exists("/dev/fuse"):
        pytest.skip("needs the package lxcfs and /dev/fuse")
    if os.path.ismount(where):
        pytest.skip("lxcfs runs on this machine already")
    where.mkdir(exist_ok=True)
    with subprocess.Popen(
        [program, "-f", where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 10 * SLOW
        while not (where / "proc/uptime").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.skip("lxcfs does not start here")
            time.sleep(0.02)
        yield where
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10 * SLOW)
        except subprocess.TimeoutExpired:
            process.kill()
    if os.path.ismount(where):
        subprocess.run(["umount", "-l", where], check=True, timeout=10)


@needs_root
@needs_pages(PAGES + 1)
def test_lxcfs(pinfold, lxcfs, leaks):
    """What changes from moment to moment is the container's own; the numbers stay the grant's."""
    command = ["--", "/bin/cat", "/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/proc/cpuinfo"]
    p = subprocess.run(
        [pinfold, "run", "--cpus", str(CPU), *GRANT, *command],
        capture_output=True,
        text=True,
        timeout=30 * SLOW,
        check=True,
    )
    assert float(p.stdout.split()[0]) < 30 < float(Path("/proc/uptime").read_text().split()[0])
    assert f"HugePages_Total: {PAGES:7}\n" in p.stdout
    assert re.findall(r"^processor\s*: (\d+)", p.stdout, re.M) == [str(CPU)]


# ---- machines that are not at hand: the view of a fake one, made by hand and looked at


def two_nodes():
    """Two CPUs and two nodes with one each."""
    machine = fake_host.two()
    machine.nodes = {n: fake_host.Node([n], 2 << 20, {2048: [256, 256, 0]}) for n in (0, 1)}
    machine.distances = fake_host.ring_distances(2)
    machine.resv = {}
    return machine


@pytest.fixture
def look(pinfold, tmp_path):
    """A function that says what a script prints where the view of a fake machine is /sys."""
    if os.geteuid() != 0:
        pytest.skip("mounts: needs root")

    def run(machine, flags, script):
        tree, view = tmp_path / "tree", tmp_path / "view"
        fake_host.write(machine, str(tree))
        plan = subprocess.run(
            [pinfold, "--host-tree", tree, "plan", "--format", "json", *flags, "--", "true"],
            capture_output=True,
            text=True,
            timeout=30 * SLOW,
            check=True,
        )
        for step in json.loads(plan.stdout)["steps"]:
            if not step["path"].startswith("/run/pinfold/box/view"):
                continue
            path = f"{view}{step['path'].removeprefix('/run/pinfold/box/view')}"
            if step["do"] == "dir":
                os.mkdir(path)
            elif step["do"] == "file":
                Path(path).write_text(step.get("value", ""))
            elif step["do"] == "symlink":
                os.symlink(step["value"], path)
            elif step["do"] == "bind":
                shutil.copytree(f"{tree}{step['value']}", path, symlinks=True, dirs_exist_ok=True)
        text = f"mount --bind {view}/sys /sys; mount --bind {view}/proc/meminfo /proc/meminfo; "
        return subprocess.run(
            ["unshare", "-m", "/bin/sh", "-ec", text + script],
            capture_output=True,
            text=True,
            timeout=50 * SLOW,
            check=True,
        ).stdout

    return run


SECOND = ["--cpus", "1", "--mems", "1", "--hugepages", "2M=20@1", "--memory", "256M"]


@pytest.mark.skipif(not {0, 1} <= set(CPUS), reason="needs CPUs 0 and 1")
@needs_tools("taskset", "numactl", "lscpu", "lstopo-no-graphics")
def test_second_node_only(look):
    """A grant on node 1 alone: no program expects a node 0."""
    script = (
        "taskset -c 1 nproc; numactl -H; lscpu -J -e=CPU,NODE,SOCKET; ls /sys/devices/system/node; "
        "taskset -c 1 lstopo-no-graphics --of xml"
    )
    text = look(two_nodes(), SECOND, script)
    assert text.startswith("1\n")
    assert "available: 1 nodes (1)" in text and "node 1 cpus: 1\n" in text
    assert "node 1 size: 296 MB" in text and "node 1 free: 256 MB" in text
    assert re.search(r"node +1 *\n +1: +10", text), text
    rows = json.loads(re.search(r"\{.*?\n\}", text, re.S)[0])["cpus"]
    assert [(int(r["cpu"]), int(r["node"])) for r in rows] == [(1, 1)]
    assert "node0" not in text.split("lstopo")[0].split("<?xml")[0]
    assert re.findall(r'type="NUMANode" os_index="(\d+)"', text) == ["1"]
    assert re.findall(r'type="PU" os_index="(\d+)"', text) == ["1"]


@needs_tools("numactl", "lscpu")
def test_large_machine_is_small_inside(look):
    """Of 256 CPUs and eight nodes, what is granted."""
    flags = ["--cpus", "16,100", "--mems", "1,6", "--memory", "256M"]
    text = look(fake_host.big(), flags, "lscpu -J -e=CPU,NODE; find /sys | wc -l; numactl -H || :")
    rows = json.loads(re.search(r"\{.*?\n\}", text, re.S)[0])["cpus"]
    assert [(int(r["cpu"]), int(r["node"])) for r in rows] == [(16, 1), (100, 6)]
    assert "available: 2 nodes (1,6)" in text
    assert re.search(r"node +1 +6 *\n +1: +10 +32 *\n +6: +32 +10", text), text
    assert int(re.search(r"^(\d+)$", text, re.M)[1]) < 300
