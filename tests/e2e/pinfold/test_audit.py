# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold audit: what it says of a workload, how it ends, and that it changes nothing."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from auditing import EXHAUST, INSIDE, RUNTIMES, UNTRIED, bad, untried, verdicts
from leftovers import state
from places import TOP
from workload import CPU, free_pages, needs_pages, needs_root, unique, wait

pytestmark = [needs_root]


@pytest.fixture(scope="module")
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    doc = json.loads((TOP / "data/schemas/audit.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(doc)
    return jsonschema.Draft202012Validator(doc)


@needs_pages(40)
@pytest.mark.parametrize("place", RUNTIMES)
@pytest.mark.parametrize("user", ["0", "1000"])
@pytest.mark.guest
def test_all_hold_in_a_container(pf, schema, place, user):
    """Alone in its container, where nothing has to be left out."""
    flags = ["--cpus", CPU, "--hugepages", "2M=40", "--memory", "256M", "--pids", "50"]
    p = pf("run", *place, *flags, "--user", user, "--", INSIDE, "audit", "--json")
    assert bad(p.stdout) == [] and p.returncode == 0
    doc = json.loads(p.stdout)
    schema.validate(doc)
    left = len(untried(p.stdout))
    assert doc["exhaust"] is True and doc["failed"] == 0 and doc["skipped"] == left
    assert len(doc["properties"]) == len(verdicts(p.stdout)) == doc["passed"] + left
    for document in ("README.md", "docs/audit.md"):
        number = re.search(
            r"(\d+) ways out|^    passed +(\d+)$", (TOP / document).read_text(), re.M
        )
        assert len(doc["properties"]) == int(number[1] or number[2]), document


@needs_pages(40)
@pytest.mark.parametrize("place", RUNTIMES)
def test_workload(pf, schema, place):
    """Beside a program that runs: what it would feel is left out, unless it is asked for."""
    flags = ["--hugepages", "2M=40", "--memory", "256M"]
    name = pf.detach(*place, *flags)
    p = pf("audit", "--json", name)
    assert p.returncode == 0 and p.stderr == ""
    schema.validate(json.loads(p.stdout))
    assert {x["name"] for x in bad(p.stdout)} == EXHAUST - UNTRIED
    assert {x["verdict"] for x in bad(p.stdout)} == {"SKIP"}
    p = pf("audit", "--json", "--all", name)
    assert bad(p.stdout) == [] and p.returncode == 0
    assert pf.ps()[name]["state"] == "running"
    assert pf.ok("exec", name, "--", "cat", "/proc/sys/kernel/hostname") == f"{name}\n"


@pytest.mark.parametrize(
    "flags",
    [("--kernel-port", "k0,10.77.0.1/16"), ("--cap", "NET_ADMIN"), ("--cap", "NET_RAW")],
    ids=["port", "admin", "raw"],
)
def test_what_is_granted_is_no_failure(pf, flags):
    """And it is one where the grant does not say so."""
    if flags[0] == "--kernel-port" and not Path("/dev/net/tun").exists():
        pytest.skip("this kernel has no taps")
    p = pf.run(*flags, "--memory", "64M", "--", INSIDE, "audit", "--json")
    assert bad(p.stdout) == [] and p.returncode == 0
    less = {"format": 1, "name": "x", "cpus": "0", "mems": "0", "memory": "64M", "pids": 9}
    script = f"echo '{json.dumps(less)}' >/tmp/g; exec {INSIDE} audit --grant /tmp/g --json"
    p = pf.run(*flags, "--", "sh", "-c", script)
    assert {"capabilities", "sockets"} <= {x["name"] for x in bad(p.stdout)}


def test_streams_and_links(pf, tmp_path):
    """Whatever the caller has there, and however the link is used."""
    file = tmp_path / "file"
    file.write_text("x")
    flags = ["run", "--cpus", CPU, "--memory", "64M", "--link", f"memif:{unique('l')}"]
    with open(file, "r+b") as f:
        p = subprocess.run(
            [pf.path, *map(str, flags), "-i", "--", INSIDE, "audit", "--json"],
            stdin=f,
            stdout=subprocess.PIPE,
            stderr=f,
            check=False,
            timeout=50,
        )
    found = {x["name"]: x["found"] for x in json.loads(p.stdout)["properties"]}
    assert (p.returncode, bad(p.stdout)) == (0, [])
    assert found["streams"].startswith("pipes") and found["link-room"] == "1 links"


def test_text_says_the_same(pf):
    name = pf.detach()
    words = re.findall(r"^(PASS|FAIL|SKIP)  (\S+) ", pf.ok("audit", name), re.M)
    assert {n: v for v, n in words} == verdicts(pf.ok("audit", "--json", name))


def test_bare_host_has_no_fence(pf):
    """Its cgroups hold it, and nothing else does."""
    name = pf.detach("--in", "host")
    p = pf("audit", "--json", name)
    assert p.returncode == 1
    said = verdicts(p.stdout)
    for held in ("cpu-affinity", "cpu-threads", "numa-policy", "huge-anonymous", "huge-memfd"):
        assert said[held] == "PASS", held
    for open_ in ("capabilities", "seccomp", "user", "dev-nodes", "sys-write", "ns-make"):
        assert said[open_] == "FAIL", open_


def test_what_cannot_be_audited(pf):
    name = pf.detach()
    pf.fails("audit", unique(), like="does not run")
    pf.fails("audit", like="name one workload")
    pf.fails("audit", name, name, like="name one workload")
    pf.fails("audit", "--jsno", name, like="did you mean '--json'")
    pf.ok("stop", "-t", "0", name)
    pf.fails("audit", name, like=f"'{name}' does not run")


def test_one_that_ends_the_auditor(pf):
    """That is no verdict, and least of all that all is well."""
    script = (
        "echo up; while :; do for p in /proc/[0-9]*; do "
        "grep -q 'inside.audit' $p/cmdline 2>/dev/null && kill -9 ${p#/proc/}; done; done"
    )
    _, name = pf.begin(script=script)
    p = pf("audit", name)
    assert p.returncode in (1, 125) and "failed                    0" not in p.stdout


def test_one_that_takes_the_auditors_place(pf):
    """The program that pinfold brings in cannot be replaced from inside."""
    script = (
        "mv /run/pinfold /run/old && mkdir /run/pinfold; rm -f /run/pinfold/inside; "
        "printf '#!/bin/sh\\necho forged\\n' > /run/pinfold/inside; chmod 755 /run/pinfold/inside;"
        "mv /run /r; echo up; exec sleep 1000"
    )
    for flags in [(), ("--link", f"memif:{unique('l')}")]:
        _, name = pf.begin(*flags, script=script)
        assert "forged" not in pf("exec", name, "--", "echo", "true").stdout
        p = pf("audit", "--json", name)
        assert p.returncode == 0 and verdicts(p.stdout)["root-readonly"] == "PASS"
        pf.ok("stop", "-t", "0", name)


def test_grant_says_what_is_expected(pf, tmp_path):
    """The same container, measured with a smaller grant, has too much."""
    grant = json.loads(pf.shell("cat $PINFOLD_GRANT"))
    for key, value, name in [
        ("cpus", "1023", "cpu-affinity"),
        ("cpus", "1023", "cpu-threads"),
        ("mems", "1023", "numa-policy"),
        ("pids", 3, "limit-processes"),
        ("memory", "1M", "limit-memory"),
    ]:
        if name in UNTRIED:
            continue
        file = tmp_path / "grant.json"
        file.write_text(json.dumps({**grant, key: value}))
        file.chmod(0o644)
        p = pf.run("-v", f"{file}:/grant:ro", "--", INSIDE, "audit", "--json", "--grant", "/grant")
        if name in untried(p.stdout):
            continue
        assert p.returncode == 1 and verdicts(p.stdout)[name] == "FAIL", name
        assert {x["verdict"] for x in bad(p.stdout)} == {"FAIL"}


def test_bad_grant(inside, tmp_path):
    file = tmp_path / "grant"
    for text in ("{", "[]", "{}", '{"format": 2, "name": "x"}', '{"format": 1, "name": 3}'):
        file.write_text(text)
        p = subprocess.run(
            [inside, "audit", "--grant", file], capture_output=True, text=True, check=False
        )
        assert p.returncode == 125 and p.stdout == "" and p.stderr.count("\n") == 1, text
        assert p.stderr.startswith("pinfold-inside: audit: read grant")
    for words in (["--grant", "/no/such"], ["--no-such"], ["word"], ["--grant"]):
        p = subprocess.run([inside, "audit", *words], capture_output=True, text=True, check=False)
        assert p.returncode == 125 and p.stdout == ""


def host():
    """What an attempt that succeeds could have changed."""
    files = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/nr_hugepages", "/proc/sysvipc/shm"]
    return (
        state(),
        [Path(f).read_text() for f in files if os.path.exists(f)],
        {d: sorted(os.listdir(d)) for d in ("/", "/tmp", "/run", "/dev", "/dev/shm", "/etc")},
        os.uname().nodename,
        os.sched_getaffinity(0),
    )


def test_on_the_host_nothing_changes(inside):
    """Where nearly every attempt succeeds."""
    before, clock, mono = host(), time.time(), time.monotonic()
    p = subprocess.run(
        [inside, "audit", "--json", "--all"], capture_output=True, text=True, check=False
    )
    assert p.returncode == 1 and json.loads(p.stdout)["failed"] > 25
    wait(lambda: host() == before, 5, "the host as it was")
    assert abs((time.time() - clock) - (time.monotonic() - mono)) < 0.5


@needs_pages(8)
def test_pages_of_the_program_stay(pf):
    """An audit takes nothing of what a program holds or may still take."""
    code = (
        "import mmap, os, time\n"
        "f = os.open('/dev/hugepages/x', os.O_RDWR | os.O_CREAT)\n"
        "os.ftruncate(f, 4 << 21)\n"
        "m = mmap.mmap(f, 4 << 21)\n"
        "m[0] = 1\nprint('up', flush=True)\n"
        "while True:\n"
        "  n = mmap.mmap(f, 4 << 21); n[3 << 21] = 1; n.close()\n"
    )
    name = pf.unique()
    before = free_pages()
    s = pf.start(
        "run",
        "--name",
        name,
        "--cpus",
        CPU,
        "--hugepages",
        "2M=8",
        "--",
        "/usr/bin/python3",
        "-c",
        code,
    )
    s.until("^up")
    for _ in range(5):
        p = pf("audit", name)
        assert p.returncode == 0, [
            line for line in p.stdout.splitlines() if line.startswith("FAIL")
        ]
    assert s.process.poll() is None and free_pages() <= before
