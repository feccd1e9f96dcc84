# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold host free, grant create --dry-run and host capture: what a machine has room for, here and elsewhere."""

import json
import os
import re
import subprocess
from pathlib import Path

import fake_host
import jsonschema
import pytest
from places import TOP
from workload import needs_root

SCHEMAS = {
    name: json.loads((TOP / f"data/schemas/{name}.json").read_text()) for name in ("free", "slots")
}


def run(pinfold, *args, tree=None, **kwargs):
    command = [pinfold] + (["--host-tree", str(tree)] if tree else []) + [str(a) for a in args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, **kwargs
    )


def asked(pinfold, schema, *args, tree=None, status=0):
    p = run(pinfold, *args, tree=tree)
    assert p.returncode == status, p.stderr
    doc = json.loads(p.stdout)
    jsonschema.validate(doc, SCHEMAS[schema])
    return doc


def slots(pinfold, tree, flags, status=0):
    words = ["grant", "create", "--name", "slot", "--dry-run", "--json", *flags.split()]
    return asked(pinfold, "slots", *words, tree=tree, status=status)


@pytest.fixture(scope="module")
def machine(memory_factory):
    """A function that writes a kind of machine once."""
    made = {}

    def make(kind):
        if kind not in made:
            made[kind] = memory_factory.mktemp("trees") / kind
            fake_host.write(fake_host.kinds[kind](), str(made[kind]))
            (made[kind] / "run").mkdir()
        return made[kind]

    return make


def files(tree):
    return {str(p): p.read_bytes() for p in Path(tree).rglob("*") if p.is_file()}


# kind, flags, how many fit, and what limits them; counted by hand from what the machines have
FIT = [
    # two sockets of 24 hyper-threads, 16 pages of 1G and 256 of 2M on each, four NICs
    ("paper", "--count max --cpu-count 4", 12, "cpus"),
    ("paper", "--count max --cpu-count 4 --hugepages 1G=4", 8, "hugepages"),
    ("paper", "--count max --cpu-count 5", 8, "nodes"),
    ("paper", "--count max --cpu-count 2 --nic driver=vfio-pci", 4, "nics"),
    ("paper", "--count max --cpu-count 4 --reserve 0,24,12,36", 10, "nodes"),
    ("paper", "--count 3 --cpu-count 4", 3, None),
    # two sockets of 64 cores, L3 caches of eight, 512 pages of 2M on each
    ("epyc", "--count max --cpu-count 8 --hugepages 2M=64", 16, "hugepages"),
    # eight nodes of 32 hyper-threads, 1000 to 1007 pages of 2M free
    ("big", "--count max --cpu-count 16 --hugepages 2M=500", 16, "cpus"),
    ("big", "--count max --cpu-count 4 --hugepages 1G=4 --hugepages 2M=100", 12, "nodes"),
    # six cores of two threads and eight of one
    ("hybrid", "--count max --cpu-count 2", 10, "cpus"),
    ("two", "--count max --cpu-count 1 --reserve 0", 1, "cpus"),
    ("two", "--count max --cpu-count 1 --hugepages 2M=300", 1, "hugepages"),
    # ordinary memory: 15.5G on each node of the first, 54G of the third, 3G of the last
    ("paper", "--count max --cpu-count 4 --memory 4G", 6, "memory"),
    ("paper", "--count 7 --cpu-count 4 --memory 4G", 6, "memory"),
    ("paper", "--count max --cpu-count 4 --memory 3G --reserve memory=8G", 6, "memory"),
    ("paper", "--count max --cpu-count 4 --memory 16G", 0, "memory"),
    ("paper", "--count 2 --cpu-count 4 --memory 15G", 2, None),
    ("big", "--count max --cpu-count 2 --memory 10G", 40, "memory"),
    ("two", "--count max --cpu-count 1 --memory 1G --reserve memory=2G", 1, "memory"),
    ("two", "--count 1 --cpu-count 1 --memory 5G", 0, "memory"),
    # the eight functions of one port, all at node 0
    ("big", "--count max --cpu-count 2 --nic pf=0000:10:00.0", 8, "nics"),
    ("big", "--count max --cpu-count 2 --nic pf=0000:10:00.0 --memory 10G", 5, "memory"),
    ("big", "--count max --cpu-count 2 --nic pf=0000:10:00.0,count=3", 2, "nics"),
    ("paper", "--count max --cpu-count 2 --nic driver=vfio-pci,node=1", 2, "nics"),
]


@pytest.mark.anywhere
@pytest.mark.parametrize("kind, flags, fit, limit", FIT)
def test_fit(pinfold, machine, kind, flags, fit, limit):
    tree = machine(kind)
    whole = fit > 0 if "max" in flags else limit is None
    doc = slots(pinfold, tree, flags, status=0 if whole else 1)
    assert (doc["fit"], doc["limit"]) == (fit, limit), doc["why"]
    assert len(doc["slots"]) == fit and (doc["why"] is None) == (limit is None)
    taken = [c for s in doc["slots"] for c in fake_host.parse_list(s["cpus"])]
    assert len(set(taken)) == len(taken)
    if "max" in flags:
        assert all(len(fake_host.parse_list(s["nodes"])) == 1 for s in doc["slots"])
    left = {c for n in doc["left"] for c in fake_host.parse_list(n["cpus"])}
    reserve = {
        c for word in re.findall(r"--reserve ([\d,]+)", flags) for c in fake_host.parse_list(word)
    }
    assert left | set(taken) | reserve == set(range(fake_host.kinds[kind]().cpus))
    assert not left & set(taken) and not reserve & (left | set(taken))
    assert sum(n["memory"] for n in doc["left"]) == sum(
        n["memory_total"] for n in doc["left"]
    ) - held_memory(flags, fit)


@pytest.mark.anywhere
def test_all_memory_is_the_hosts(pinfold, machine):
    flags = "--count max --cpu-count 1 --reserve memory=8G"
    doc = slots(pinfold, machine("two"), flags, status=1)
    assert (doc["fit"], doc["limit"]) == (0, "memory")


def held_memory(flags, fit):
    """Bytes that so many grants and the host have."""
    sizes = dict(re.findall(r"--(memory|reserve memory)[ =](\d+)G", flags))
    return (int(sizes.get("memory", 0)) * fit << 30 or fit << 29) + (
        int(sizes.get("reserve memory", 0)) << 30
    )


@pytest.mark.anywhere
def test_slots_share_a_cache(pinfold, machine):
    """Eight CPUs are the eight cores of one CCX."""
    caches = [set(group) for group in fake_host.epyc().l3]
    doc = slots(pinfold, machine("epyc"), "--count max --cpu-count 8 --hugepages 2M=64")
    for s in doc["slots"]:
        assert any(set(fake_host.parse_list(s["cpus"])) <= group for group in caches), s


@pytest.mark.anywhere
def test_nodes_and_cores_are_noted(pinfold, machine):
    doc = slots(pinfold, machine("paper"), "--count 9 --cpu-count 5")
    assert doc["fit"] == 9 and "on several nodes" in doc["slots"][8]["note"]
    doc = slots(pinfold, machine("paper"), "--count max --cpu-count 12")
    assert doc["fit"] == 4 and "shares cores" in doc["slots"][3]["note"]


@pytest.mark.anywhere
def test_too_many(pinfold, machine):
    doc = slots(pinfold, machine("two"), "--count 3 --cpu-count 1", status=1)
    assert (doc["fit"], doc["limit"]) == (2, "cpus")
    doc = slots(pinfold, machine("two"), "--count max --cpu-count 3", status=1)
    assert (doc["fit"], doc["slots"]) == (0, [])
    p = run(pinfold, "grant", "create", "--name", "s", "--count", "max", "--cpu-count", 3,
            tree=machine("two"))  # fmt: skip
    assert p.returncode == 125 and "3 CPUs wanted, 2 of 2" in p.stderr


@pytest.mark.anywhere
def test_what_is_shown_is_what_is_made(pinfold, memory_path):
    """And a look changes nothing."""
    tree = fake_host.write(fake_host.paper(), str(memory_path / "paper"))
    os.mkdir(f"{tree}/run")
    before = files(tree)
    words = (
        "grant create --name slot --count max --cpu-count 4 --hugepages 1G=4 --reserve 0,24".split()
    )
    shown = asked(pinfold, "slots", *words, "--dry-run", "--json", tree=tree)
    text = run(pinfold, *words, "--dry-run", tree=tree).stdout
    assert "8 fit; what limits them: hugepages (" in text and "What is left then:" in text
    full = run(pinfold, *words, "--memory", "5G", "--dry-run", tree=tree).stdout
    assert "6 fit; what limits them: memory (node 0: memory 5G wanted, 512M of 15872M" in full
    assert files(tree) == before
    p = run(pinfold, *words, tree=tree)
    assert p.stdout.split() == [s["name"] for s in shown["slots"]], p.stderr
    for s in shown["slots"]:
        made = json.loads(run(pinfold, "grant", "show", s["name"], tree=tree).stdout)
        assert made["cpus"] == s["cpus"]
        assert not {0, 24} & set(fake_host.parse_list(made["cpus"]))
    free = asked(pinfold, "free", "host", "free", "--json", tree=tree)
    reserved = {0, 24}
    for now, then in zip(free, shown["left"]):
        kept = set(fake_host.parse_list(now["cpus"])) - reserved
        assert kept == set(fake_host.parse_list(then["cpus"]))
        assert now["hugepages"] == then["hugepages"]
        assert now["memory"] == then["memory"] == now["memory_total"] - 4 * (512 << 20)


@pytest.mark.anywhere
def test_memory_of_several_and_of_one(pinfold, memory_path):
    """Several have no more of it than there is, all or none; one alone is limited and nothing more."""
    tree = fake_host.write(fake_host.two(), str(memory_path / "two"))
    os.mkdir(f"{tree}/run")
    words = "grant create --name slot --cpu-count 1 --memory 2G".split()
    p = run(pinfold, *words, "--count", 2, tree=tree)
    assert p.returncode == 125 and p.stderr.count("\n") == 1
    assert "grant 2 of 2: node 0: memory 2G wanted, 1G of 3G are" in p.stderr
    assert run(pinfold, "grant", "list", "--json", tree=tree).stdout.split() == ["[]"]
    made = run(pinfold, *words, "--count", "max", tree=tree)
    assert made.stdout.split() == ["slot"], made.stderr
    (row,) = asked(pinfold, "free", "host", "free", "--json", tree=tree)
    assert (row["memory"], row["memory_total"]) == (1 << 30, 3 << 30)
    none = run(pinfold, *words, "--name", "more", "--count", "max", tree=tree)
    assert none.returncode == 125 and "memory 2G wanted, 1G of 3G" in none.stderr
    alone = slots(pinfold, tree, "--name more --cpu-count 1 --memory 3G")
    assert (alone["fit"], alone["left"][0]["memory"]) == (1, 0)
    more = run(pinfold, *words, "--name", "more", tree=tree)
    assert more.stdout.split() == ["more"], more.stderr
    lines = run(pinfold, "host", "free", tree=tree).stdout.splitlines()
    assert lines[1].split()[-2:] == ["0/3G", "-"]


@pytest.mark.anywhere
def test_free(pinfold, machine):
    rows = asked(pinfold, "free", "host", "free", "--json", tree=machine("paper"))
    assert [r["node"] for r in rows] == [0, 1]
    assert rows[0]["cpus"] == "0-11,24-35" and rows[0]["cpus_total"] == 24
    assert rows[0]["nics"] == ["0000:03:00.0", "0000:03:00.1"]
    assert {p["size"]: p["free"] for p in rows[1]["hugepages"]} == {"2M": 256, "1G": 16}
    lines = run(pinfold, "host", "free", tree=machine("paper")).stdout.splitlines()
    assert lines[0].split() == ["NODE", "CPUS", "WHICH", "HUGEPAGES", "MEMORY", "NICS"]
    assert lines[2].split()[:5] == ["1", "24/24", "12-23,36-47", "2M=256/256", "1G=16/16"]
    assert lines[2].split()[5] == "15872M/15872M"
    # the host's own is none of them
    rows = asked(pinfold, "free", "host", "free", "--json", tree=machine("two"))
    assert rows[0]["nics"] == []


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "words, like",
    [
        ("--count maximum", "a number from 1 to 4096, or max"),
        ("--cpu-count 1 --json", "--json goes with --dry-run"),
        ("--reserve 3-1 --dry-run", "--reserve"),
        ("--reserve memory=much --dry-run", "--reserve: read size 'much'"),
        ("--count max --cpus 1 --dry-run", "say --cpu-count N, not --cpus"),
    ],
)
def test_nonsense(pinfold, machine, words, like):
    p = run(pinfold, "grant", "create", "--name", "x", *words.split(), tree=machine("two"))
    assert p.returncode == 125 and like in p.stderr and p.stderr.count("\n") == 1


# --- captures -------------------------------------------------------------------------------------


def temporary():
    return {p.name for p in Path("/tmp").glob("pinfold-host-*")}


@pytest.fixture(scope="module")
def capture(pinfold, memory_factory):
    file = memory_factory.mktemp("capture") / "this.json"
    with open(file, "w", encoding="utf-8") as f:
        subprocess.run([pinfold, "host", "capture"], stdout=f, timeout=60, check=True)
    return file


def still(doc):
    """Without what changes from one moment to the next."""
    doc.pop("memory")
    doc.pop("hugepages")
    for node in doc["nodes"]:
        node.pop("memory")
        node.pop("hugepages")
    return doc


@needs_root
@pytest.mark.guest
def test_capture_is_this_machine(pinfold, capture):
    """What a capture says is what the machine says."""
    before = temporary()
    here = json.loads(run(pinfold, "host", "inventory", "--json").stdout)
    there = run(pinfold, "host", "inventory", "--json", tree=capture)
    assert there.returncode == 0, there.stderr
    assert still(json.loads(there.stdout)) == still(here)
    assert run(pinfold, "nic", "list", tree=capture).stdout == run(pinfold, "nic", "list").stdout
    checks = [
        {
            (c["group"], c["check"], c["found"]): c["verdict"]
            for c in json.loads(p.stdout)["checks"]
            if c["group"] in ("processor", "cgroups", "iommu", "nics", "memory")
            and c["verdict"] != "SKIP"
        }
        for p in (run(pinfold, "doctor", "--json"), run(pinfold, "doctor", "--json", tree=capture))
    ]
    # of these only the machine itself is asked
    alive = (("iommu", "modules"), ("nics", "nic-reset"))
    told, shown = ({k: v for k, v in c.items() if k[:2] not in alive} for c in checks)
    assert told == shown
    slots(pinfold, capture, "--count max --cpu-count 1")
    assert temporary() == before


@needs_root
def test_capture_is_only_looked_at(pinfold, capture):
    p = run(pinfold, "grant", "create", "--name", "x", "--cpu-count", 1, tree=capture)
    assert p.returncode == 125 and "nothing is made" in p.stderr
    p = run(pinfold, "host", "capture", tree=capture)
    assert p.returncode == 125 and "without --host-tree" in p.stderr


@needs_root
@pytest.mark.parametrize(
    "change, like",
    [
        ({"pinfold": "0.0.9"}, "is of pinfold 0.0.9, this is .*capture that machine again"),
        ({"capture": 99}, "capture that machine again"),
        ({"capture": None}, "is no capture; make one with: pinfold host capture > FILE"),
        ({"files": []}, "no files are in it"),
        ({"files": {"../evil": "x"}}, "make '../evil'"),
        ({"files": {"/evil": "x"}}, "make '/evil'"),
        ({"files": {"a/../../evil": "x"}}, "make"),
        ({"files": {"a": {"link": "/tmp"}, "a/evil": "x"}}, "make 'a'"),
        ({"files": {"a": 7}}, "make 'a'"),
        ({"files": {"": "x"}}, "make ''"),
    ],
)
def test_capture_of_somebody_else(pinfold, capture, memory_path, change, like):
    """What is no capture, or is made to harm, is refused in one line, and leaves nothing."""
    doc = {**json.loads(capture.read_text()), **change}
    file = memory_path / "other.json"
    file.write_text(json.dumps({k: v for k, v in doc.items() if v is not None}))
    before = temporary()
    p = run(pinfold, "host", "inventory", tree=file)
    assert p.returncode == 125 and p.stderr.count("\n") == 1
    assert re.search(like, p.stderr), p.stderr
    assert temporary() == before
    assert not any(Path(d, "evil").exists() for d in ("/", "/tmp", memory_path))


@needs_root
@pytest.mark.parametrize("text", ["", "{", "[]", "\0", '{"files": 1}', "EAL: lcore 7"])
def test_no_capture(pinfold, memory_path, text):
    file = memory_path / "file"
    file.write_text(text)
    p = run(pinfold, "host", "inventory", tree=file)
    assert p.returncode == 125 and "is no capture" in p.stderr and p.stderr.count("\n") == 1


def test_capture_leads_nowhere(pinfold, memory_path):
    """A link of a capture stays below it."""
    file = memory_path / "links.json"
    version = run(pinfold, "--version").stdout.split()[1]
    links = {"proc": {"link": "/proc"}, "sys": {"link": "../../../../sys"}}
    file.write_text(json.dumps({"capture": 1, "pinfold": version, "files": links}))
    p = run(pinfold, "host", "inventory", "--json", tree=file)
    assert p.returncode == 125, p.stdout
