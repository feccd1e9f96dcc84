# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold plan on fake machines: golden plans, the published schemas, and that nothing is changed.

UPDATE_GOLDEN=1 writes tests/golden anew; read the difference before you keep it.
"""

import copy
import json
import os
import re
import subprocess
from pathlib import Path

import fake_host
import pytest
from places import TOP

GOLDEN = TOP / "tests/golden"
SCHEMAS = TOP / "build/data/schemas"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


pytestmark = [pytest.mark.anywhere]
# name: machine, flags, what is created in the machine's tree before
CASES = {
    "two": ("two", "--cpus 1 --hugepages 2M=40 --memory 256M", []),
    "two-lxcfs": ("two-lxcfs", "--cpus 1 --hugepages 2M=40", []),
    "two-selinux": (
        "two-selinux",
        "--cpus 1 --hugepages 2M=40 --security-label system_u:system_r:container_t:s0:c1,c2",
        [],
    ),
    "two-host": ("two", "--in host --cpus 1 --hugepages 2M=40", []),
    "two-vm": ("two", "--in vm --cpus 0-1 --hugepages 2M=40 --memory 256M -u 1000", []),
    "two-links-vm": (
        "two",
        "--in vm --cpus 0 --hugepages 2M=40 --memory 256M --prealloc no "
        "--link vhost-user:left --link vhost-user:right,server,packed",
        [],
    ),
    "nodes-vm": (
        "paper",
        "--in vm --accel tcg --cpus 1-2,12-13 --hugepages 2M=40@0 --hugepages 2M=24@1 --memory 256M",
        [],
    ),
    "paper-vm": (
        "paper",
        "--in vm --cpu-count 4 --hugepages 1G=2 --hugepages 2M=16,anon --memory 1G --accel kvm",
        [],
    ),
    "nics-vm": (
        "paper",
        "--in vm --cpu-count 2 --nic 82:00.0 --nic 82:00.1 --hugepages 1G=2 --memory 1G "
        "--link vhost-user:left --viommu --accel kvm",
        [],
    ),
    "vf-vm": (
        "big",
        "--in vm --cpu-count 3 --nic 10:01.2 --hugepages 2M=128 --memory 256M -u 1000 "
        "--prealloc no",
        [],
    ),
    "two-v2": ("two-v2", "--cpus 1 --hugepages 2M=40 --link memif:left", []),
    "two-v2-host": ("two-v2", "--in host --cpus 1 --link memif:left", []),
    "two-v2-partition": ("two-v2", "--cpus 1 --partition isolated", []),
    "paper-near": (
        "paper",
        "--cpu-count 4 --near 0000:82:00.0 --hugepages 1G=4 --memory 1G",
        [],
    ),
    "paper-nics": (
        "paper",
        "--cpu-count 2 --nic 82:00.0 --nic 82:00.1 --hugepages 1G=2 --hugepages 2M=16,anon",
        [],
    ),
    "big": ("big", "--cpu-count 3 --nic 10:01.2 --hugepages 2M=1200 -u 1000:100", []),
    "big-netdev": (
        "big",
        "--cpu-count 1 --netdev ens4,name=eth0,192.0.2.1/24,mtu=9000 --netdev ens5",
        [],
    ),
    "mlx5-uio": ("mlx5", "--cpu-count 2 --nic 5f:00.0,unsafe-uio --hugepages 2M=16", []),
    "mlx5": ("mlx5", "--cpu-count 2 --nic 3b:00.0 --hugepages 2M=16 -u 1000", []),
    "rights": ("two", "--cpus 1 --cap NET_ADMIN --cap NET_RAW --cap SYS_NICE -u 1000", []),
    "pool": (
        "paper",
        "--shared-cpus control --cpu-count 1",
        ["--pool --name control --cpus 0,24"],
    ),
    "defined": (
        "paper",
        "--grant slot-2",
        ["--name slot --count 3 --cpu-count 4 --hugepages 1G=2"],
    ),
}


def run(pinfold, *args, tree=None):
    command = [pinfold] + (["--host-tree", str(tree)] if tree else []) + list(args)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def output(pinfold, *args, tree=None):
    result = run(pinfold, *args, tree=tree)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.fixture(scope="module")
def machine(pinfold, memory_factory):
    """A function that makes the tree of a case or of a kind of machine, once."""
    made = {}

    def make(name):
        if name not in made:
            kind, _, grants = CASES.get(name, (name, None, []))
            tree = memory_factory.mktemp("trees") / name
            fake_host.write(fake_host.kinds[kind](), str(tree))
            (tree / "run").mkdir()
            for flags in grants:
                output(pinfold, "grant", "create", *flags.split(), tree=tree)
            made[name] = tree
        return made[name]

    return make


def plan(pinfold, machine, name, form):
    flags = CASES[name][1].split()
    program = ["--", "dpdk-testpmd", "--", "--nb-cores=1"]
    return output(pinfold, "plan", *flags, "--format", form, *program, tree=machine(name))


def document(pinfold, machine, name):
    return json.loads(plan(pinfold, machine, name, "json"))


def guest_setup(doc):
    """What a guest is told."""
    (job,) = [s["value"] for s in doc["steps"] if s["path"].endswith("/vm/job.json")]
    return json.loads(job)["setup"]


def compare(path, text):
    if UPDATE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    assert path.exists(), f"{path.name} is missing: run with UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8"), "see UPDATE_GOLDEN=1"


def without_repetition(doc, whole_filter):
    """What a plan says twice, and the system calls, which are the same in all of them, once."""
    doc = copy.deepcopy(doc)
    for step in doc["steps"]:
        if step["path"].endswith("/config.json"):
            assert json.loads(step["value"]) == doc["oci"]
            step["value"] = "(see oci)"
    if "oci" in doc and not whole_filter:
        seccomp = doc["oci"]["linux"]["seccomp"]
        qemus = [r for r in seccomp["syscalls"] if r["names"] == ["seccomp"]]
        assert len(qemus) == (doc["place"] == "vm")
        sockets = [
            r for r in doc["oci"]["linux"]["seccomp"]["syscalls"] if r["names"] == ["socket"]
        ]
        families = {r["args"][0]["value"] for r in sockets}
        raw = {17} if "NET_RAW" in doc["grant"].get("caps", []) else set()
        has = doc["oci"]["process"]["capabilities"]["effective"]
        beside = any(n.get("bifurcated") for n in doc["grant"]["nics"])
        netlink = {16} if "CAP_NET_ADMIN" in has or beside else set()
        assert families == {1, 2, 10} | netlink | raw
        doc["oci"]["linux"]["seccomp"] = "(see two.json)"
    return doc


@pytest.mark.parametrize("name", CASES)
def test_golden_text(pinfold, machine, name):
    compare(GOLDEN / f"{name}.txt", plan(pinfold, machine, name, "text"))


@pytest.mark.parametrize("name", CASES)
def test_golden_json(pinfold, machine, name):
    doc = without_repetition(document(pinfold, machine, name), name == "two")
    compare(GOLDEN / f"{name}.json", json.dumps(doc, indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name, says", [("runc", "crun"), ("crun", "runc"), ("mine", "crun")])
def test_runtime_is_what_it_says(pinfold, tmp_path, name, says):
    """A wrapper is what it runs, whatever it is called."""
    wrapper = tmp_path / name
    wrapper.write_text(f"#!/bin/sh\necho {says} version 1.8.1\n")
    wrapper.chmod(0o755)
    result = run(pinfold, "plan", "--cpu-count", "1", "--runtime", wrapper, "--format", "json")
    command = json.loads(result.stdout)["command"]
    assert command[0] == str(wrapper)
    assert ("--cgroup-manager=cgroupfs" in command) == (says == "crun")


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("-vm")])
def test_golden_qemu(pinfold, machine, name):
    compare(GOLDEN / f"{name}.qemu", plan(pinfold, machine, name, "qemu"))


@pytest.mark.parametrize("name", CASES)
def test_oci(pinfold, machine, name):
    doc = document(pinfold, machine, name)
    if doc["place"] == "host":
        result = run(
            pinfold, "plan", *CASES[name][1].split(), "--format", "oci", tree=machine(name)
        )
        assert result.returncode == 125
        assert result.stderr == "pinfold: --format oci: --in host has no container\n"
        return
    oci = json.loads(plan(pinfold, machine, name, "oci"))
    assert oci == doc["oci"]
    if name not in ("rights", "mlx5", "mlx5-uio"):  # more sockets; fewer commands of devices
        two = document(pinfold, machine, "two")
        # QEMU narrows itself; what it runs makes no system calls of this kernel
        if doc["place"] == "vm":
            rules = oci["linux"]["seccomp"]["syscalls"]
            rules.remove(next(r for r in rules if r["names"] == ["seccomp"]))
            of_kvm = [
                r for r in rules if r["names"] == ["ioctl"] and r["args"][0]["valueTwo"] == 0xAE00
            ]
            rules.remove(*of_kvm)
        assert oci["linux"]["seccomp"] == two["oci"]["linux"]["seccomp"]
    # every place is mounted once, and no mount hides one that came before
    targets = [m["destination"] for m in oci["mounts"]]
    assert len(set(targets)) == len(targets)
    for i, later in enumerate(targets):
        assert not any(early.startswith(later + "/") for early in targets[:i])


def test_golden_has_no_path_of_this_machine():
    for path in GOLDEN.iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(TOP) not in text
        for place in ("/home/", "/work/", "/tmp/", "/build"):
            assert place not in text, f"{path.name}: {place}"


def snapshot(tree):
    found = {}
    for where, below, names in os.walk(tree):
        for name in below + names:
            path = os.path.join(where, name)
            st = os.lstat(path)
            content = None
            if os.path.isfile(path) and not os.path.islink(path):
                content = Path(path).read_bytes()
            found[path] = (st.st_mode, st.st_size, st.st_mtime_ns, st.st_ino, content)
    return found


@pytest.mark.parametrize("name", CASES)
def test_changes_nothing_and_repeats(pinfold, machine, name):
    before = snapshot(machine(name))
    for form in ("text", "json"):
        first, second = (plan(pinfold, machine, name, form) for _ in range(2))
        assert first == second
    assert snapshot(machine(name)) == before


def test_refusal_changes_nothing(pinfold, machine):
    before = snapshot(machine("two"))
    for flags in ("--cpus 9", "--cpus 1 --hugepages 1G=1", "--cpus 1 --nic 00:03.0"):
        result = run(pinfold, "plan", *flags.split(), tree=machine("two"))
        assert result.returncode == 125
        assert result.stdout == ""
        assert re.fullmatch(r"pinfold: .*\n", result.stderr)
    assert snapshot(machine("two")) == before


@pytest.mark.parametrize(
    ("flags", "like"),
    [
        (
            "--in vm --viommu --nic f0:00.0,bind --nic f0:00.1,bind",
            "f0:00.0 and 0000:f0:00.1 share IOMMU group 200, which --viommu would have to part",
        ),
        ("--in vm --nic f0:00.0,bind", "shares IOMMU group 200 with 0000:f0:00.1"),
        ("--in vm --nic f0:00.0 --nic f0:00.1", "is bound to ixgbe; bind it to vfio-pci first"),
        ("--viommu --nic 10:01.2", "pinfold: --viommu is for --in vm"),
        (
            "--in host --viommu",
            "pinfold: --viommu is not for --in host, which runs the program as it is",
        ),
    ],
)
def test_nics_that_a_machine_cannot_have(pinfold, machine, flags, like):
    words = ["--cpu-count", "1", "--memory", "256M", *flags.split(), "--", "x"]
    result = run(pinfold, "plan", *words, tree=machine("big"))
    assert result.returncode == 125 and result.stdout == ""
    assert like in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_machine_with_nics(pinfold, machine):
    """What the guest, and what QEMU's container is told of them; QEMU may lock all of the guest, for each function with a
    vIOMMU."""
    gib = 1 << 30
    for name, spaces, memory in (("nics-vm", 2, 3 * gib), ("vf-vm", 1, gib // 2)):
        doc = document(pinfold, machine, name)
        setup = guest_setup(doc)
        driver = "vfio-pci" if spaces == 2 else "uio_pci_generic"
        granted = [f"0000:{i + 1:02x}:00.0" for i in range(spaces)]
        links = ["0000:00:10.0"] if name == "nics-vm" else []
        assert setup["nics"] == [{"pci": a, "driver": driver} for a in granted + links]
        assert [e["pci"] for e in setup["grant"]["nics"]] == granted
        limits = {r["type"]: r["hard"] for r in doc["oci"]["process"]["rlimits"]}
        assert limits["RLIMIT_MEMLOCK"] == spaces * (memory + (16 << 20))
        rules = [r for r in doc["oci"]["linux"]["resources"]["devices"] if r["allow"]]
        kvm = [[10, 232]] if name == "nics-vm" else []
        nodes = [[int(n) for n in s["device"].split(":")] for s in doc["steps"]
                 if s["do"] == "node" and "/box/vfio/" in s["path"]]  # fmt: skip
        assert [[r["major"], r["minor"]] for r in rules] == nodes
        assert len(nodes) == len(kvm) + 1 + spaces and all(r["access"] == "rw" for r in rules)


@pytest.mark.skipif(os.geteuid() != 0, reason="reading the ledger of this machine needs root")
def test_changes_nothing_here(pinfold, leaks):
    result = run(pinfold, "plan", "--cpu-count", "1", "--", "true")
    # a machine where all is taken, or where a limit is missing, has no plan
    assert result.returncode == 0 or re.fullmatch(r"pinfold: .*\n", result.stderr)


def test_run_refuses_a_tree(pinfold, machine):
    result = run(pinfold, "run", "--cpus", "1", "--", "true", tree=machine("two"))
    assert result.returncode == 125
    assert "works on this machine only" in result.stderr


def test_mounts_do_not_grow_with_the_machine(pinfold, memory_path):
    counts = {}
    for kind in fake_host.kinds:
        if kind in ("two-bare", "two-lxcfs"):  # one has no plan, one has more files to show
            continue
        tree = memory_path / kind
        fake_host.write(fake_host.kinds[kind](), str(tree))
        for cpus in (1, 2):
            text = output(pinfold, "plan", "--cpu-count", str(cpus), "--format", "json", tree=tree)
            doc = json.loads(text)
            binds = sum(step["do"] == "bind" for step in doc["steps"])
            counts.setdefault(cpus, set()).add(len(doc["oci"]["mounts"]) + binds)
    assert {len(c) for c in counts.values()} == {1}, counts
    assert counts[2].pop() == counts[1].pop() + 1


@pytest.mark.parametrize(
    ("kind", "flags", "words"),
    [
        ("epyc", "--cpu-count 8", "granted CPUs share an L3 cache: 8-15"),
        ("epyc", "--cpu-count 12", "granted CPUs have different L3 caches: 1-4 and 8-15;"),
        ("epyc", "--cpus 127-129", "with --lcores 0@127,1@128,2@129"),
        ("hybrid", "--cpus 16-18", "granted CPUs share an L2 cache: 16-18"),
        ("hybrid", "--cpu-count 14", "of different kinds, fast and slow: 0-11 and 12-13;"),
        ("arm", "--cpus 3,4", "of different kinds, fast and slow: 3 and 4;"),
    ],
)
def test_notes_say_what_is_shared(pinfold, machine, kind, flags, words):
    text = output(pinfold, "plan", *flags.split(), tree=machine(kind))
    assert any(words in line for line in text.splitlines() if line.startswith("note: ")), text


# ---- schemas


@pytest.fixture(scope="module")
def validators():
    """A validator for each schema, by its name."""
    jsonschema = pytest.importorskip("jsonschema")
    found = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in SCHEMAS.glob("*.json")}
    for name, schema in found.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$id"] == f"urn:pinfold:{name}:1"
    return {name: jsonschema.Draft202012Validator(schema) for name, schema in found.items()}


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects(part)


def test_schemas_are_closed(validators):
    assert {"request", "grant", "inner-grant", "lease", "plan"} <= set(validators)
    for name, validator in validators.items():
        for part in objects(validator.schema):
            if "properties" not in part:  # config.json, and maps of names
                assert name in ("plan", "lease", "bench")
                continue
            assert part["additionalProperties"] is False
            assert set(part.get("required", [])) <= set(part["properties"])


@pytest.mark.parametrize("name", ["lease", "plan"])
def test_schemas_agree_on_a_grant(validators, name):
    """Each file stands alone, so what a grant is stands in three of them."""
    grant = validators["grant"].schema
    part = validators[name].schema["$defs"]["grant"]
    assert part == {key: grant[key] for key in part}
    assert set(grant) - set(part) == {"$schema", "$id", "title", "$defs"}
    for key, value in grant["$defs"].items():
        assert validators[name].schema["$defs"][key] == value


@pytest.mark.parametrize("name", CASES)
def test_outputs_validate(pinfold, machine, validators, name):
    doc = document(pinfold, machine, name)
    validators["plan"].validate(doc)
    validators["grant"].validate(doc["grant"])
    inner = [s["value"] for s in doc["steps"] if s["path"].endswith("/box/own/grant.json")]
    assert len(inner) == 1
    validators["inner-grant"].validate(json.loads(inner[0]))
    if doc["place"] == "vm":
        validators["inner-grant"].validate(guest_setup(doc)["grant"])
    for path in (machine(name) / "etc").glob("pinfold/grants.d/*.json"):
        validators["grant"].validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("flags", [[], ["--cap", "NET_RAW"]], ids=["default", "cap"])
def test_system_calls_validate(pinfold, validators, flags):
    doc = json.loads(output(pinfold, "seccomp", "show", "--json", *flags))
    validators["seccomp"].validate(doc)


# A document that the parsers take, and changes that make it bad: path to the part, new value (None:
# removed). What the schema refuses must not pass the parser.
GRANT = {
    "format": 1,
    "kind": "workload",
    "name": "a",
    "cpus": "1",
    "mems": "0",
    "hugepages": [{"size": "2M", "count": 4, "node": 0, "kind": "fs"}],
    "memory": "512M",
    "pids": 128,
    "nics": [],
    "links": [{"kind": "memif", "name": "l"}],
    "caps": ["NET_RAW"],
}
BAD_GRANTS = [
    ("more", 1),
    ("format", None),
    ("format", 0),
    ("format", 2),
    ("format", "1"),
    ("kind", "vm"),
    ("kind", 1),
    ("name", None),
    ("name", ""),
    ("name", "A"),
    ("name", "-a"),
    ("name", "../a"),
    ("name", "a" * 49),
    ("cpus", None),
    ("cpus", 1),
    ("cpus", "1,"),
    ("cpus", "a"),
    ("mems", None),
    ("mems", "-1"),
    ("shared-cpus", "1"),
    ("shared-pool", "p"),
    ("hugepages", {}),
    ("hugepages.0", "2M=4"),
    ("hugepages.0.size", None),
    ("hugepages.0.size", "2X"),
    ("hugepages.0.size", 2097152),
    ("hugepages.0.count", None),
    ("hugepages.0.count", 0),
    ("hugepages.0.count", -1),
    ("hugepages.0.count", 1 << 32),
    ("hugepages.0.node", None),
    ("hugepages.0.node", 1024),
    ("hugepages.0.kind", "file"),
    ("hugepages.0.more", 1),
    ("memory", None),
    ("memory", 1),
    ("memory", "1.5G"),
    ("memory", ""),
    ("pids", None),
    ("pids", 0),
    ("pids", 4194305),
    ("pids", "1"),
    ("nics", "3b:00.0"),
    ("nics", ["3b:00.0"]),
    ("nics", [{"pci": "3b:00.0"}]),
    ("nics", [{"pci": "3b:00.8", "iommu-group": 1}]),
    ("nics", [{"pci": "3b:00.0", "iommu-group": -1}]),
    ("nics", [{"pci": "3b:00.0", "iommu-group": 1, "more": 1}]),
    ("nics", [{"pci": "3b:00.0", "iommu-group": 1, "unsafe-uio": True}]),
    ("nics", [{"pci": "3b:00.0", "bind": True, "unsafe-uio": True}]),
    ("nics", [{"pci": "3b:00.0", "bind": True, "bifurcated": True}]),
    ("nics", [{"pci": "3b:00.0", "iommu-group": 1, "bifurcated": True}]),
    ("nics", [{"pci": "3b:00.0", "unsafe-uio": True, "bifurcated": True}]),
    ("nics", [{"pci": "3b:00.0", "bifurcated": False}]),
    ("links.0.kind", "tap"),
    ("links.0.name", "A"),
    ("links.0.name", None),
    ("links.0.dir", "/x"),
    ("links", ["memif:l"]),
    ("caps", "NET_RAW"),
    ("caps", ["SYS_ADMIN"]),
    ("caps", ["CAP_NET_RAW"]),
    ("caps", ["NET_RAW", "NET_RAW"]),
    ("caps", [13]),
    ("seccomp", "x.json"),
    ("seccomp", "strict:x.json"),
    ("seccomp", "default "),
    ("seccomp", "/" + "x" * 255),
    ("seccomp", "/x\ny"),
    ("seccomp", {"defaultAction": "SCMP_ACT_ALLOW"}),
]
REQUEST = {
    "kind": "workload",
    "name": "a",
    "cpus": "1",
    "mems": "0",
    "hugepages": [{"size": "2M", "count": 4}],
    "memory": "512M",
    "pids": 128,
    "nics": [],
    "links": ["memif:l"],
    "caps": ["NET_RAW", "CHOWN"],
    "seccomp": "default",
}
BAD_REQUESTS = [
    ("more", 1),
    ("kind", "vm"),
    ("name", "A"),
    ("name", 1),
    ("cpus", ""),
    ("cpus", [1]),
    ("cpus", "1-"),
    ("cpu-count", 0),
    ("cpu-count", 8193),
    ("cpu-count", "4"),
    ("cpu-count", 1.5),
    ("near", ""),
    ("near", "x" * 64),
    ("shared-cpus", "A"),
    ("mems", ""),
    ("hugepages.0.size", "x"),
    ("hugepages.0.size", None),
    ("hugepages.0.count", None),
    ("hugepages.0.count", 0),
    ("hugepages.0.node", -1),
    ("hugepages.0.nodes", 0),
    ("hugepages", ["2M=4"]),
    ("memory", 1),
    ("memory", "-1"),
    ("pids", 0),
    ("nics", ["eth/0"]),
    ("nics", ["3b:20.0"]),
    ("nics", [1]),
    ("links", ["l"]),
    ("links", ["memif:"]),
    ("links", [{"kind": "memif", "name": "l"}]),
    ("caps", "NET_RAW"),
    ("caps", ["SYS_MODULE"]),
    ("caps", ["NET_RAW", "NET_RAW"]),
    ("seccomp", "x.json"),
    ("seccomp", "strict:"),
    ("seccomp", 1),
]
LEASE = {
    "format": 1,
    "grant": GRANT,
    "place": "container",
    "defined": False,
    "detached": False,
    "boot-id": "6b2f4d52-3d2c-4b9b-8a6e-0f9f3c2a7d11",
    "cgroup": "/sys/fs/cgroup/pids/pinfold/a",
    "runtime": "/usr/bin/crun",
    "uid-base": 1879048192,
    "started": 1700000000,
    "supervisor": 4711,
    "command": "testpmd",
    "link-groups": {"l": 2013265920},
    "undo": [{"what": "cgroup", "path": "pinfold/a"}],
}
BAD_LEASES = [
    ("more", 1),
    ("format", 2),
    ("grant", None),
    ("grant", 1),
    ("grant.cpus", 1),
    ("grant.more", 1),
    ("place", "zone"),
    ("place", None),
    ("defined", 1),
    ("detached", "yes"),
    ("boot-id", "x" * 40),
    ("cgroup", None),
    ("cgroup", "/" + "x" * 255),
    ("uid-base", -1),
    ("uid-base", 1 << 32),
    ("started", -1),
    ("supervisor", 1 << 31),
    ("command", 1),
    ("link-groups.l", -1),
    ("link-groups.l", "1"),
    ("undo.0", "cgroup"),
    ("undo.0.path", None),
    ("undo.0.more", 1),
    ("undo", [{"what": "tree", "path": "x"}] * 29),
]


def changed(doc, path, value):
    doc = copy.deepcopy(doc)
    *way, last = [int(w) if w.isdigit() else w for w in path.split(".")]
    part = doc
    for step in way:
        part = part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return doc


def describe(case):
    return f"{case[0]}={json.dumps(case[1])[:24]}"


@pytest.fixture
def small(memory_path):
    tree = memory_path / "tree"
    fake_host.write(fake_host.two(), str(tree))
    (tree / "etc/pinfold/grants.d").mkdir(parents=True)
    (tree / "run/pinfold/leases").mkdir(parents=True)
    return tree


def refused(result, what):
    """One line, and no plan."""
    assert result.returncode == 125, f"{what} is taken"
    assert re.fullmatch(r"pinfold: .*\n", result.stderr)


def plan_request(pinfold, tree, doc):
    path = tree / "request"
    path.write_text(json.dumps(doc), encoding="utf-8")
    return run(pinfold, "plan", "--from", str(path), "--", "true", tree=tree)


def plan_definition(pinfold, tree, doc):
    path = tree / "etc/pinfold/grants.d/a.json"
    path.write_text(json.dumps(doc), encoding="utf-8")
    return run(pinfold, "plan", "--grant", "a", "--", "true", tree=tree)


def plan_beside(pinfold, tree, doc):
    path = tree / "run/pinfold/leases/a.json"
    path.write_text(json.dumps(doc), encoding="utf-8")
    return run(pinfold, "plan", "--cpus", "0", "--", "true", tree=tree)


def test_good_documents(pinfold, small, validators):
    validators["request"].validate(REQUEST)
    assert plan_request(pinfold, small, REQUEST).returncode == 0
    validators["grant"].validate(GRANT)
    assert plan_definition(pinfold, small, GRANT).returncode == 0
    validators["lease"].validate(LEASE)
    assert plan_beside(pinfold, small, LEASE).returncode == 0
    (small / "run/pinfold/leases/a.json").unlink()


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=describe)
def test_bad_request(pinfold, small, validators, case):
    doc = changed(REQUEST, *case)
    assert not validators["request"].is_valid(doc)
    if case[0] == "cpu-count":
        del doc["cpus"]
    refused(plan_request(pinfold, small, doc), case)


@pytest.mark.parametrize("case", BAD_GRANTS, ids=describe)
def test_bad_grant(pinfold, small, validators, case):
    doc = changed(GRANT, *case)
    assert not validators["grant"].is_valid(doc)
    result = plan_definition(pinfold, small, doc)
    refused(result, case)
    # the parser's word, not the machine's
    assert "/etc/pinfold/grants.d/a.json" in result.stderr


@pytest.mark.parametrize("case", BAD_LEASES, ids=describe)
def test_bad_lease(pinfold, small, validators, case):
    doc = changed(LEASE, *case)
    assert not validators["lease"].is_valid(doc)
    result = plan_beside(pinfold, small, doc)
    refused(result, case)
    assert "/run/pinfold/leases/a.json" in result.stderr
