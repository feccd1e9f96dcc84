# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold host inventory: its format, and whether other programs say the same of the machine."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import fake_host
import pytest
from places import TOP
from workload import wait

PINFOLD = str(TOP / os.environ.get("PINFOLD", "build/src/cli/pinfold"))
NODES = Path("/sys/devices/system/node")


pytestmark = pytest.mark.usefixtures("pinfold")  # fails when it is not built


def run(*args, tree=None):
    command = [PINFOLD] + (["--host-tree", str(tree)] if tree else []) + list(args)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def inventory(tree=None):
    result = run("host", "inventory", "--json", tree=tree)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


def judge(*command):
    """What another program prints, or a skip."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    env = {**os.environ, "LC_ALL": "C"}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=env, check=False
    )
    if result.returncode != 0:
        why = result.stderr.strip() or f"exit status {result.returncode}"
        pytest.skip(f"{' '.join(command)}: {why}")
    return result.stdout


@pytest.fixture(scope="module", params=list(fake_host.kinds))
def fake(request, memory_factory):
    machine = fake_host.kinds[request.param]()
    tree = memory_factory.mktemp("trees") / request.param
    fake_host.write(machine, str(tree))
    return machine, tree


@pytest.fixture(scope="module")
def here():
    return inventory()


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    text = json.loads((TOP / "data/schemas/inventory.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(text)
    return jsonschema.Draft202012Validator(text)


def objects(schema):
    """Every part of a schema that describes an object."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)


@pytest.mark.anywhere
def test_schema_is_closed(schema):
    found = list(objects(schema.schema))
    assert len(found) > 5
    for part in found:
        assert part["additionalProperties"] is False
        assert set(part.get("required", [])) <= set(part["properties"])


@pytest.mark.guest
def test_schema_here(schema, here):
    schema.validate(here)


@pytest.mark.anywhere
def test_schema_fake(schema, fake):
    schema.validate(inventory(fake[1]))


@pytest.mark.anywhere
def test_fake_is_read_back(fake):
    machine, tree = fake
    seen = inventory(tree)
    assert seen["hostname"] == machine.hostname
    assert seen["cmdline"] == machine.cmdline
    assert fake_host.parse_list(seen["cpus"]["online"]) == list(range(machine.cpus))
    for cpu in seen["cpus"]["list"]:
        assert (cpu["package"], cpu["core"]) == machine.cores[cpu["id"]]
        assert cpu["id"] in machine.nodes[cpu["node"]].cpus
    assert [n["id"] for n in seen["nodes"]] == list(machine.nodes)
    for node, row in zip(seen["nodes"], machine.distances):
        wanted = machine.nodes[node["id"]]
        assert fake_host.parse_list(node["cpus"]) == sorted(wanted.cpus)
        assert node["distances"] == row
        assert node["memory"]["total"] == wanted.mem_kb * 1024
        counts = [[p["total"], p["free"], p["surplus"]] for p in node["hugepages"]]
        assert counts == [wanted.pages[kb] for kb in sorted(wanted.pages)]
    assert seen["cgroup"]["version"] == machine.cgroup[:2]
    assert [p["bdf"] for p in seen["pci"]] == [p.bdf for p in machine.pci]
    for function, wanted in zip(seen["pci"], machine.pci):
        assert int(function["vendor"], 16) == wanted.vendor
        assert int(function["device"], 16) == wanted.device
        assert int(function["class"], 16) == wanted.cls
        assert function["driver"] == (wanted.driver or None)
        assert function["iommu_group"] == (wanted.group if wanted.group >= 0 else None)
        assert function["node"] == (wanted.node if wanted.node >= 0 else None)
        assert function["netdev"] == (wanted.netdev or None)
        assert function["physfn"] == (wanted.physfn or None)
        assert (function["totalvfs"], function["numvfs"]) == (wanted.totalvfs, wanted.numvfs)
        names = {wanted.netdev, *wanted.uppers}
        routed = bool(wanted.netdev) and bool(names & {*machine.routes, *machine.routes6})
        assert function["default_route"] == routed


@pytest.mark.anywhere
def test_fake_lscpu_agrees(fake):
    """lscpu can read a tree too."""
    machine, tree = fake
    if machine.old_topology:
        pytest.skip("lscpu wants files that this tree leaves out to stay small")
    text = judge("lscpu", "--sysroot", str(tree), "-J", "-e=CPU,NODE,SOCKET,CORE")
    cpus = {c["id"]: c for c in inventory(tree)["cpus"]["list"]}
    assert_same_topology(json.loads(text)["cpus"], cpus)


@pytest.mark.anywhere
def test_fake_text(fake):
    machine, tree = fake
    result = run("host", "inventory", tree=tree)
    assert result.returncode == 0, result.stderr
    assert machine.hostname in result.stdout
    network = [p for p in machine.pci if p.cls >> 16 == 2]
    lines = [s for s in result.stdout.splitlines() if re.match(r"[0-9a-f]{4,}:..:..\.\d ", s)]
    assert [s.split()[0] for s in lines] == [p.bdf for p in network]
    result = run("host", "inventory", "--all", tree=tree)
    for p in machine.pci:
        assert p.bdf in result.stdout


@pytest.mark.anywhere
def test_text_notes(memory_path):
    machine = fake_host.big()
    fake_host.write(machine, str(memory_path / "big"))
    text = run("host", "inventory", tree=memory_path / "big").stdout
    assert "8 of 128 VFs" in text
    assert text.count("VF of 0000:10:00.0") == 8
    assert text.count("default route") == 2
    assert "n,n+128" in text


@pytest.mark.anywhere
def test_variations(memory_path):
    machine = fake_host.paper()
    machine.online = "0-46"
    machine.old_topology = True
    machine.numa = False
    seen = inventory(fake_host.write(machine, str(memory_path / "odd")))
    cpus = {c["id"]: c for c in seen["cpus"]["list"]}
    assert 47 not in cpus
    assert cpus[23]["siblings"] == "23"
    assert cpus[22]["siblings"] == "22,46"
    assert seen["numa"] is False
    assert [n["cpus"] for n in seen["nodes"]] == ["0-46"]
    assert seen["nodes"][0]["memory"] == seen["memory"]


@pytest.mark.anywhere
def test_files_that_say_something_else(memory_path, schema):
    """What a kernel writes is no reason to refuse anything: it is unknown, and a note says so."""
    tree = Path(fake_host.write(fake_host.gpus(), str(memory_path / "odd")))
    assert inventory(tree)["notes"] == []
    cpus, nodes = tree / "sys/devices/system/cpu", tree / "sys/devices/system/node"
    (cpus / "isolated").write_text("managed_irq,2-3\n")
    (cpus / "cpu3/topology/core_id").write_text("none\n")
    (nodes / "node2/distance").write_text("17 14 10 \x1b[2J\n")
    (nodes / "online").write_text("0-2,250,1024-4095\n")
    (tree / "proc/meminfo").unlink()
    (tree / "proc/cpuinfo").unlink()
    (tree / "proc/cpuinfo").mkdir()
    seen = inventory(tree)
    schema.validate(seen)
    assert [note.split(":")[0] for note in seen["notes"]] == [
        "sys/devices/system/cpu/isolated",
        "sys/devices/system/cpu/cpu3/topology/core_id",
        "sys/devices/system/node/online",
        "sys/devices/system/node/node2/distance",
    ]
    assert [n["id"] for n in seen["nodes"]] == [0, 1, 2, 250]
    text = run("host", "inventory", tree=tree).stdout
    assert re.findall(r"^Note: (.*)$", text, re.M) == seen["notes"]
    plan = run("plan", "--cpu-count", "2", "--hugepages", "2M=20", "--", "true", tree=tree)
    assert plan.returncode == 0, plan.stderr
    assert re.search(r"^ +nodes +0$", plan.stdout, re.M), plan.stdout


def assert_same_topology(rows, cpus):
    """lscpu numbers cores through all packages, so compare who is together with whom."""
    assert sorted(int(r["cpu"]) for r in rows) == sorted(cpus)
    together = {}
    for r in rows:
        together.setdefault((r.get("socket"), r.get("core")), set()).add(int(r["cpu"]))
    for r in rows:
        cpu = cpus[int(r["cpu"])]
        if r.get("node") is not None:
            assert int(r["node"]) == cpu["node"]
        if r.get("core") is not None:
            siblings = set(fake_host.parse_list(cpu["siblings"]))
            assert siblings == together[(r.get("socket"), r["core"])]


@pytest.mark.guest
def test_lscpu_agrees(here):
    rows = json.loads(judge("lscpu", "-J", "-e=CPU,NODE,SOCKET,CORE"))["cpus"]
    assert_same_topology(rows, {c["id"]: c for c in here["cpus"]["list"]})


@pytest.mark.guest
def test_lscpu_summary_agrees(here):
    def flat(rows):
        for row in rows:
            yield row["field"].rstrip(":"), row["data"]
            yield from flat(row.get("children", []))

    fields = dict(flat(json.loads(judge("lscpu", "-J"))["lscpu"]))
    cpus = here["cpus"]["list"]
    parse = fake_host.parse_list  # lscpu writes "0,1" for "0-1"
    assert parse(fields["On-line CPU(s) list"]) == parse(here["cpus"]["online"])
    if "Socket(s)" in fields:
        assert int(fields["Socket(s)"]) == len({c["package"] for c in cpus})
    if "Thread(s) per core" in fields:
        most = max(len(parse(c["siblings"])) for c in cpus)
        assert int(fields["Thread(s) per core"]) == most


def test_lscpu_caches_agree(here):
    rows = json.loads(judge("lscpu", "-J", "--bytes", "-C=NAME,ONE-SIZE,LEVEL,TYPE"))["caches"]
    letters = {"Data": "d", "Instruction": "i", "Unified": ""}
    ours = {}
    for cpu in here["cpus"]["list"]:
        for c in cpu["caches"]:
            ours.setdefault(f"L{c['level']}{letters[c['type']]}", set()).add(c["size"])
    assert {r["name"] for r in rows} == set(ours)
    # of cores of two kinds lscpu tells one
    assert all(int(r["one-size"]) in ours[r["name"]] for r in rows)


@pytest.mark.guest
def test_numactl_agrees():
    if not NODES.is_dir():
        pytest.skip(f"no {NODES} on this kernel")
    sizes = re.compile(r"^node \d+ size: .*$", re.M).findall
    for _ in range(5):
        text = judge("numactl", "-H")
        here = inventory()
        # a virtual machine's memory may grow and shrink
        if sizes(judge("numactl", "-H")) == sizes(text):
            break
    for node in here["nodes"]:
        n = node["id"]
        cpus = re.search(rf"^node {n} cpus:(.*)$", text, re.M).group(1).split()
        assert sorted(map(int, cpus)) == fake_host.parse_list(node["cpus"])
        megabytes = int(re.search(rf"^node {n} size: (\d+) MB$", text, re.M).group(1))
        assert node["memory"]["total"] >> 20 == megabytes
        row = re.search(rf"^ *{n}: +([\d ]+)$", text, re.M).group(1).split()
        assert list(map(int, row)) == node["distances"]


@pytest.mark.guest
def test_lspci_agrees(here):
    text = judge("lspci", "-Dnmmk")
    if not text.strip() and not here["pci"]:
        pytest.skip("this machine has no PCI")
    theirs = {}
    for line in text.splitlines():
        m = re.match(r'(\S+) "([0-9a-f]{4})" "([0-9a-f]{4})" "([0-9a-f]{4})"', line)
        if m:
            theirs[m.group(1)] = m.groups()[1:]
    ours = {p["bdf"]: (p["class"][:4], p["vendor"], p["device"]) for p in here["pci"]}
    assert ours == theirs


@pytest.mark.guest
def test_lspci_drivers_agree(here):
    drivers, bdf = {}, None
    for line in judge("lspci", "-Dnk").splitlines():
        if not line.startswith("\t"):
            bdf = line.split()[0]
        elif "Kernel driver in use:" in line:
            drivers[bdf] = line.split(":")[1].strip()
    assert {p["bdf"]: p["driver"] for p in here["pci"] if p["driver"]} == drivers


@pytest.mark.guest
def test_meminfo_agrees(here):
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    fields = dict(re.findall(r"^(\S+): +(\d+)", text, re.M))
    assert here["memory"]["total"] == int(fields["MemTotal"]) * 1024
    # the machine is not idle
    assert abs(here["memory"]["free"] - int(fields["MemFree"]) * 1024) < here["memory"]["total"] / 4
    if "Hugepagesize" not in fields:
        pytest.skip("a kernel without hugepages")
    size = int(fields["Hugepagesize"]) * 1024
    names = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    pages = {int(p["size"][:-1]) * names[p["size"][-1]]: p for p in here["hugepages"]}
    assert pages[size]["total"] == int(fields["HugePages_Total"])


def test_default_route_agrees(here):
    routes = json.loads(judge("ip", "-j", "route", "show", "default"))
    ports = {p["netdev"] for p in here["pci"] if p["netdev"]}
    routed = {p["netdev"] for p in here["pci"] if p["default_route"]}
    direct = {r["dev"] for r in routes if "dev" in r} & ports
    assert direct <= routed


@pytest.mark.guest
def test_other_facts(here):
    assert here["release"] == os.uname().release
    assert here["hostname"] == os.uname().nodename
    assert {c["id"] for c in here["cpus"]["list"]} >= os.sched_getaffinity(0)


@pytest.mark.parametrize(
    "args, words",
    [
        (["host", "inventory", "--jsn"], "--json"),
        (["host", "inventory", "more"], "'more'"),
    ],
)
@pytest.mark.anywhere
def test_wrong_usage(args, words):
    result = run(*args)
    assert result.returncode == 125
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr


def test_capture_by_a_relative_name(memory_path):
    with open(memory_path / "here.json", "w", encoding="utf-8") as f:
        subprocess.run([PINFOLD, "host", "capture"], stdout=f, check=True)
    p = subprocess.run(
        [PINFOLD, "--host-tree", "../" + memory_path.name + "/here.json", "host", "inventory"],
        cwd=memory_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "CPUs" in p.stdout and not p.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_capture_is_removed_after_a_signal(memory_path, how):
    with open(memory_path / "here.json", "w", encoding="utf-8") as f:
        subprocess.run([PINFOLD, "host", "capture"], stdout=f, check=True)
    before = set(Path("/tmp").glob("pinfold-host-*"))
    # it waits for its standard output
    here, there = os.pipe()
    fcntl.fcntl(there, fcntl.F_SETPIPE_SZ, 4096)
    os.write(there, bytes(4096))
    command = [
        PINFOLD,
        "--host-tree",
        str(memory_path / "here.json"),
        "host",
        "inventory",
        "--json",
    ]
    with subprocess.Popen(command, stdout=there) as p:
        wait(lambda: set(Path("/tmp").glob("pinfold-host-*")) - before, what="what was unpacked")
        p.send_signal(how)
        assert p.wait(20) in (-how, 128 + how)
    os.close(here)
    os.close(there)
    assert set(Path("/tmp").glob("pinfold-host-*")) == before


@pytest.mark.anywhere
def test_no_tree(memory_path):
    result = run("host", "inventory", tree=memory_path / "none")
    assert result.returncode == 125
    assert str(memory_path / "none") in result.stderr
    result = run("host", "inventory", tree=memory_path)
    assert result.returncode == 125
    assert "cpu/online" in result.stderr
