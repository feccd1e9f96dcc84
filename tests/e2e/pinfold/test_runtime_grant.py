# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold-runtime with a grant: a container of an engine gets what its annotation or environment names."""

import fcntl
import json
import resource
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from features import CGROUP, V2

from bundle import BUSYBOX, spec
from caller import SLEEP, Caller
from false_drover import FALSE_DROVER, NUMBERS
from workload import CPU, LEASES, NODE, PYTHON, needs_pages, needs_root, unique, wait

CRUN = shutil.which("crun")
pytestmark = [
    needs_root,
    pytest.mark.skipif(CRUN is None, reason="package crun is not installed"),
    pytest.mark.skipif(not BUSYBOX.exists(), reason="package busybox-static is not installed"),
]
ENGINE = Path("/run/pinfold/engine")


@pytest.fixture
def engine(pf, tmp_path):
    e = Caller(tmp_path)
    yield e
    e.put_away()


def granted(pf, *flags, by="annotation,env", **kw):
    return pf.grant("--cpus", CPU, "--claim-by", by, *flags, **kw)


@needs_pages(16)
@pytest.mark.guest
def test_a_container_finds_its_grant(pf, engine):
    grant = granted(pf, "--hugepages", "2M=16", "--memory", "96M", "--pids", "50")
    name = engine.start(engine.doc(grant))
    row = pf.ps()[grant]
    assert (row["state"], row["in"], row["cpus"]) == ("running", "engine", str(CPU))
    assert name in row["command"]
    (used,) = pf.json("stats", "--json", grant)
    assert used["cpu"] >= 0 and 0 < used["memory"] < 96 << 20 and used["processes"] == 1
    # what it sees
    assert engine.sh(name, "cat /sys/devices/system/cpu/online") == f"{CPU}\n"
    assert engine.sh(name, "ls -d /sys/devices/system/cpu/cpu[0-9]*").split() == [
        f"/sys/devices/system/cpu/cpu{CPU}"
    ]
    assert engine.sh(name, "cat /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") == "16\n"
    assert engine.sh(name, "grep -c ^processor /proc/cpuinfo") == "1\n"
    assert engine.sh(name, "ls /sys/bus/pci/devices") == ""
    inner = json.loads(engine.sh(name, "cat $PINFOLD_GRANT"))
    assert inner["name"] == grant and "claim-by" not in inner
    shown = json.loads(engine.sh(name, "/run/pinfold/inside show --json"))
    assert shown["cpus"]["affinity"] == shown["cpus"]["eal"] == str(CPU)
    # and what holds it
    assert engine.sh(name, "grep Cpus_allowed_list /proc/self/status").split()[1] == str(CPU)
    assert engine.sh(name, "grep Mems_allowed_list /proc/self/status").split()[1] == str(NODE)
    assert f",size={32 << 20}," in engine.sh(name, "grep hugetlbfs /proc/mounts")
    locked = engine.sh(name, "grep 'Max locked memory' /proc/1/limits").split()
    want, most = (32 + 96) << 20, resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    assert int(locked[3]) >= (want if most == resource.RLIM_INFINITY else min(want, most))
    p = engine.runtime("exec", name, "/bin/sh", "-c", "echo x > /run/pinfold/grant.json")
    assert p.returncode != 0
    # its end
    assert engine.runtime("kill", name, "KILL").returncode == 0
    wait(lambda: engine.runtime.state(name)["status"] == "stopped", what="its end")
    assert engine.runtime("delete", name).returncode == 0
    assert grant not in pf.ps() and not list(ENGINE.glob(f"{name}-*"))


@pytest.mark.parametrize("way", ["annotation", "PINFOLD_GRANT", "DOCKER_RESOURCE_PINFOLD"])
def test_run_and_its_end(pf, engine, way):
    """The runtime's own `run`: status and output are the program's, and the lease ends with it."""
    grant = granted(pf)
    script = "grep Cpus_allowed_list /proc/self/status; exit 9"
    p = engine.call("run", engine.doc(grant, "/bin/sh", "-c", script, way=way))
    assert (p.returncode, p.stdout.split()[1], p.stderr) == (9, str(CPU).encode(), b"")
    assert grant not in pf.ps()


def peers(pid, where):
    """Whom mounts below there go to: the group that the kernel has for them."""
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        words = line.split()
        if words[4] == str(where):
            return {w for w in words[6 : words.index("-")] if w.startswith("shared:")}
    return None


def test_mounts_in_it_do_not_go_back(pf, engine, tmp_path):
    """Also where a volume would have them do so."""
    where = tmp_path / "volume"
    where.mkdir()
    doc = engine.doc(granted(pf, by="annotation"))
    doc["mounts"].append(
        {"destination": "/x", "source": str(where), "options": ["rbind", "rshared"]}
    )
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", where], check=True)
    try:
        subprocess.run(["mount", "--make-shared", where], check=True)
        name = engine.start(doc)
        inside, here = peers(engine.runtime.state(name)["pid"], "/x"), peers("self", where)
        assert here and inside is not None and not inside & here
        assert engine.runtime("delete", "--force", name).returncode == 0
    finally:
        subprocess.run(["umount", where], check=True)


def test_one_at_a_time(pf, engine):
    grant = granted(pf, by="annotation")
    first = engine.start(engine.doc(grant))
    assert f"'{grant}' is in use" in engine.fails(engine.doc(grant), grant)
    # who may not have it does not learn who has
    said = engine.fails(engine.doc(grant, way="PINFOLD_GRANT"), "not made to be claimed")
    assert "in use" not in said and first not in said
    pf.fails("run", "--grant", grant, "--", "true", like="in use")
    pf.fails("exec", grant, "--", "true", like="engine's")
    assert engine.runtime("delete", "--force", first).returncode == 0
    assert engine.runtime("delete", "--force", engine.start(engine.doc(grant))).returncode == 0


def test_delete_of_one_whose_grant_another_has_by_then(pf, engine):
    """It ends its own lease, however long it waited for the ledger, and not the one that has the grant now."""
    grant = granted(pf, by="annotation")
    first = engine.start(engine.doc(grant))
    assert engine.runtime("kill", first, "KILL").returncode == 0
    wait(lambda: engine.runtime.state(first)["status"] == "stopped", what="its end")
    words = [engine.runtime.path, "--root", engine.runtime.root, "delete", first]
    null = subprocess.DEVNULL
    with open("/run/pinfold/lock", "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(words, stdin=null, stdout=null, stderr=null) as delete:
            # it has seen by now what there is to be seen without the lock
            gone = lambda: engine.runtime("state", first).returncode != 0  # noqa: E731
            wait(gone, what="the end of the container")
            time.sleep(0.2)
            # as the next create does, which finds the lease of what has ended
            lease = LEASES / f"{grant}.json"
            ended = json.loads(lease.read_text())
            ended["undo"] = [u for u in ended["undo"] if "/engine/" not in u["path"]]
            lease.write_text(json.dumps(ended))
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert delete.wait(20) == 0
    assert lease.exists(), "the lease of another"
    pf.ok("gc")
    assert not lease.exists()


def test_rootless_engine(engine):
    """An engine without root is root in a user namespace of its own."""
    engine.bundle.write(engine.doc("some-grant"))
    p = subprocess.run(
        ["unshare", "-Ur", engine.runtime.path, "--root", "/tmp", "create", unique("c")],
        cwd=engine.bundle.top,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert p.returncode == 1
    assert (
        "grant 'some-grant' is for engines that are root" in p.stderr and p.stderr.count("\n") == 1
    )


def test_claims_that_are_refused(pf, engine):
    grant = granted(pf, by="annotation")
    closed = pf.grant("--memory", "16M", "--cpu-count", 1)
    for doc, like in (
        (engine.doc(grant, way="PINFOLD_GRANT"), "not made to be claimed by environment"),
        (engine.doc(closed), "not made to be claimed by annotation"),
        (engine.doc("nothing"), "grant 'nothing' does not exist"),
        (engine.doc("../x"), "annotation dev.pinfold.grant"),
        (engine.doc("") | {"annotations": {"dev.pinfold.grnat": grant}}, "dev.pinfold.grant"),
        (engine.doc(grant) | {"annotations": {"dev.pinfold.grant": 7}}, "no text"),
    ):
        engine.fails(doc, like)
    both = engine.doc(grant)
    both["process"]["env"].append("PINFOLD_GRANT=other")
    engine.fails(both, "name one")
    cpus = engine.doc(grant)
    cpus["linux"]["resources"] = {"cpu": {"cpus": "0-63"}}
    engine.fails(cpus, "its grant has")
    for part in ("process", "linux", "mounts"):
        bad = engine.doc(grant)
        bad[part] = "text"
        engine.fails(bad, part)
    engine.fails('{"annotations": {"dev.pinfold.grant": "x"', "config.json")
    # a name written with an escape, and what is too large to look for one
    text = json.dumps(engine.doc("nothing"))
    engine.fails(text.replace("dev.", "dev\\u002e"), "grant 'nothing' does not exist")
    engine.fails(text + " " * (17 << 20), "larger than 16 MiB")


def test_a_start_that_fails_leaves_nothing(pf, engine):
    """The program is not there: the runtime's own word and status, and the grant is free."""
    grant = granted(pf)
    p = engine.call("run", engine.doc(grant, "/bin/nothing"))
    assert p.returncode != 0 and b"nothing" in p.stderr
    assert grant not in pf.ps()
    assert engine.runtime("delete", "--force", engine.start(engine.doc(grant))).returncode == 0


def test_what_the_engine_wrote_is_kept(pf, engine):
    """Numbers that JSON readers bend, members that nobody knows, mounts and limits of the engine's own."""
    grant = granted(pf)
    doc = engine.doc(grant)
    doc["process"]["rlimits"] = [
        {"type": "RLIMIT_FSIZE", "hard": 18446744073709551615, "soft": 18446744073709551615},
        {"type": "RLIMIT_NOFILE", "hard": 77, "soft": 66},
    ]
    doc["x-unknown"] = {"big": 123456789012345678901234567890, "part": 0.1}
    doc["mounts"].append(
        {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["size=64k"]}
    )
    name = engine.start(doc)
    assert "unlimited" in engine.sh(name, "grep 'Max file size' /proc/1/limits")
    assert engine.sh(name, "grep 'Max open files' /proc/1/limits").split()[3:5] == ["66", "77"]
    assert "64k" in engine.sh(name, "grep ' /data ' /proc/mounts")
    kept = (Path(engine.runtime.root) / name / "config.json").read_text()
    assert '"big":123456789012345678901234567890,"part":0.1' in kept


def test_an_engine_that_was_killed(pf, engine):
    """Its container is killed behind its back: the next start takes the grant back."""
    grant = granted(pf)
    name = engine.start(engine.doc(grant))
    subprocess.run(["kill", "-9", str(engine.runtime.state(name)["pid"])], check=True)
    wait(lambda: engine.runtime.state(name)["status"] == "stopped", what="its end")
    assert engine.runtime("delete", "--force", engine.start(engine.doc(grant))).returncode == 0
    assert engine.runtime("delete", "--force", name).returncode == 0
    assert grant not in pf.ps()


def given(engine, pages=8, slash=""):
    """Limits of hugepages and CPUs by the engine alone, as Kubernetes has them."""
    doc = spec(*SLEEP)
    doc["linux"]["cgroupsPath"] = f"/{unique('engine')}" + slash
    doc["linux"]["resources"] = {
        "cpu": {"cpus": str(CPU), "mems": str(NODE)},
        "memory": {"limit": 64 << 20},
        "hugepageLimits": [
            {"pageSize": "2MB", "limit": pages << 21},
            {"pageSize": "1GB", "limit": 0},
        ],
    }
    doc["process"]["rlimits"] = [{"type": "RLIMIT_MEMLOCK", "hard": 65536, "soft": 65536}]
    doc["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["set_mempolicy"], "action": "SCMP_ACT_ERRNO"}],
    }
    return doc


def create_given(engine, doc, name=None, tells=True):
    """As an engine; tells: with a file for the number of the first process."""
    engine.names.append(name or unique("c"))
    engine.bundle.write(doc)
    words = ["--bundle", str(engine.bundle.top)]
    words += ["--pid-file", str(engine.bundle.top / "pid")] if tells else []
    assert engine.runtime.create(*words, engine.names[-1]) == 0
    return engine.names[-1]


@needs_pages(8)
def test_no_file_of_its_first_process(pf, engine):
    """Which the specification does not know: the runtime is asked for it."""
    name = create_given(engine, given(engine), tells=False)
    lease = next(pf.lease(n) for n, r in pf.ps().items() if r["in"] == "given")
    pid = engine.runtime.state(name)["pid"]
    assert str(pid) in Path(lease["cgroup"], "cgroup.procs").read_text().split()


@needs_pages(8)
def test_packets_of_its_drovers(pf, engine):
    """Which are in the engine's cgroup itself, not below it."""
    name = create_given(engine, given(engine))
    assert engine.runtime("start", name).returncode == 0
    grant = next(n for n, r in pf.ps().items() if r["in"] == "given")
    cgroup = Path(pf.lease(grant)["cgroup"], "cgroup.procs")
    where = engine.bundle.top / "rootfs/run/dpdk/x"
    join = f"open({str(cgroup)!r}, 'w').write('0')\n"
    drover = [PYTHON, "-I", "-c", join + FALSE_DROVER, where, "answer", NUMBERS]
    pf.start_other(*drover).until("^up")
    text = pf.ok("stats", "--prometheus")
    assert f'pinfold_packets_received_total{{name="{grant}"}} 7\n' in text


@needs_pages(8)
@pytest.mark.guest
def test_what_the_engine_gave(pf, engine):
    """Its hugepages and CPUs are taken as they are, and whoever else has them."""
    grant = granted(pf)
    first = engine.start(engine.doc(grant))
    doc = given(engine)
    name = create_given(engine, doc)
    assert engine.runtime("start", name).returncode == 0
    row = next(r for r in pf.ps().values() if r["in"] == "given")
    assert (row["state"], row["cpus"]) == ("running", str(CPU))
    assert row["name"].startswith(f"ctr-{name[:10]}")
    # its limits are where the engine put them, and what it had no words for is there too
    pid = engine.runtime.state(name)["pid"]
    assert doc["linux"]["cgroupsPath"] in Path(f"/proc/{pid}/cgroup").read_text()
    found = list(
        Path("/sys/fs/cgroup").glob(f"**{doc['linux']['cgroupsPath']}/**/hugetlb.2MB.rsvd.[lm]*")
    )
    assert {
        int(f.read_text()) for f in found if f.name != "hugetlb.2MB.rsvd.max_usage_in_bytes"
    } == {16 << 20}
    # what it uses is not what it makes below its cgroup, whatever it calls that
    paths = {
        line.split(":", 2)[2].strip("/")
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        if ":memory:" in line or line.startswith("0::")
    }
    tops = map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/memory"))
    all_places = [top / path for top in tops for path in paths]
    boxes = [place / "box" for place in all_places if (place / "cgroup.procs").exists()]
    for box in boxes:
        box.mkdir()
    try:
        (used,) = pf.json("stats", "--json", row["name"])
        assert boxes and used["memory"] > 0
    finally:
        for box in boxes:
            box.rmdir()
    # what it sees, and can take
    seen = json.loads(engine.sh(name, "/run/pinfold/inside show --json --probe"))
    assert seen["cpus"]["online"] == seen["cpus"]["eal"] == str(CPU)
    pages = next(p for p in seen["hugepages"] if p["size"] == "2M")
    assert (pages["total"], pages["takeable"]) == (8, 8)
    locked = engine.sh(name, "grep 'Max locked memory' /proc/1/limits").split()
    assert int(locked[3]) > 65536
    # what its profile says about a call holds; what it does not say is added
    kept = json.loads((Path(engine.runtime.root) / name / "config.json").read_text())
    assert kept["linux"]["seccomp"]["syscalls"] == [
        {"names": ["set_mempolicy"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["get_mempolicy"], "action": "SCMP_ACT_ALLOW"},
    ]
    # another that has the same is not refused either
    other = create_given(engine, given(engine))
    for one in (other, name, first):
        assert engine.runtime("delete", "--force", one).returncode == 0
    assert pf.ps() == {}
    assert not [f for one in (other, name, first) for f in ENGINE.glob(f"{one}-*")]


@needs_pages(8)
def test_names_that_begin_alike(pf, engine):
    """Of ids that people choose, and that differ only at their end."""
    start = unique("Worker+of-mine")
    for end in ("1", "2"):
        create_given(engine, given(engine, pages=4), f"{start}-{end}")
    assert [row["in"] for row in pf.ps().values()] == ["given", "given"]


def test_only_hugepages_and_devices_are_taken(pf, engine):
    """CPUs alone, and limits of no hugepages, are none of pinfold's business."""
    doc = given(engine, pages=0)
    name = create_given(engine, doc)
    assert pf.ps() == {}
    kept = json.loads((Path(engine.runtime.root) / name / "config.json").read_text())
    assert kept == doc


@needs_pages(8)
def test_a_given_container_that_was_killed(pf, engine):
    name = create_given(engine, given(engine))
    grant = next(iter(pf.ps()))
    pf.ok("stop", "-t", "0", grant)
    assert pf.ps() == {}
    assert engine.runtime("delete", "--force", name).returncode == 0


@pytest.fixture
def neighbour():
    """A cgroup in every hierarchy, at one path, with a process in it."""
    name = unique("shared")
    p = subprocess.Popen(["/bin/sleep", "1000"])
    made = []
    for procs in [*CGROUP.glob("cgroup.procs"), *CGROUP.glob("*/cgroup.procs")]:
        group = procs.parent / name
        if group.parent.is_symlink() or (V2 and group.parent != CGROUP):
            continue
        group.mkdir()
        made.append(group)
        for of_the_machine in ("cpuset.mems", "cpuset.cpus"):
            if not V2 and (group / of_the_machine).exists():
                (group / of_the_machine).write_text((group.parent / of_the_machine).read_text())
        (group / "cgroup.procs").write_text(str(p.pid))
    yield name, p, made
    p.kill()
    p.wait()
    for group in made:
        wait(lambda g=group: not g.exists() or not (g / "cgroup.procs").read_text(), what="its end")
        if group.exists():
            group.rmdir()


@needs_pages(8)
@pytest.mark.parametrize(
    "way, like",
    [
        ("shared", "which is not the container's"),
        ("root", "of the whole machine"),
        ("none", "create: "),  # whose it is depends on who runs the test
    ],
)
def test_a_cgroup_that_others_are_in_is_not_limited(pf, engine, neighbour, way, like):
    """Its limits, and its end by pinfold, would be theirs."""
    name, other, made = neighbour
    doc, log = given(engine), engine.bundle.top / "log"
    doc["linux"]["cgroupsPath"] = {"shared": f"/{name}", "root": "/", "none": ""}[way]
    if way == "root":
        del doc["linux"]["resources"]["cpu"], doc["linux"]["resources"]["memory"]
    engine.bundle.write(doc)
    engine.names.append(unique("c"))
    before = ["--log", str(log), *(["--cgroup-manager", "disabled"] if way == "none" else [])]
    words = ["--bundle", str(engine.bundle.top), "--pid-file", str(engine.bundle.top / "pid")]
    limits = {f: f.read_text() for d in made for f in d.glob("hugetlb.*.rsvd.[lm]*")}
    assert engine.runtime.create(*words, engine.names[-1], before=before) == 1
    text = log.read_text()
    assert text.count("\n") == 1 and like in text and "cgroupsPath" in text
    assert pf.ps() == {} and other.poll() is None
    assert {f: f.read_text() for f in limits} == limits


@needs_pages(8)
@pytest.mark.skipif(V2, reason="crun itself cannot make such a cgroup on v2")
def test_a_cgroup_with_a_slash_at_its_end(pf, engine):
    name = create_given(engine, given(engine, slash="/"))
    assert engine.runtime("start", name).returncode == 0
    assert [row["in"] for row in pf.ps().values()] == ["given"]


def one_line(p, *like):
    text = p.stderr.decode()
    assert p.returncode == 1 and p.stdout == b"", p
    assert text.startswith("pinfold-runtime: ") and text.count("\n") == 1, text
    for word in like:
        assert word in text


def test_updates(pf, engine):
    """What the container was shown stays true."""
    grant = granted(pf)
    name = engine.start(engine.doc(grant))
    other = str(int(CPU) + 1)
    one_line(engine.runtime("update", "--cpuset-cpus", other, name), f"grant '{grant}' has {CPU}")
    doc = json.dumps({"cpu": {"cpus": other}}).encode()
    one_line(engine.runtime("update", "-r", "-", name, input=doc, stdin=None), grant)
    doc = {
        "cpu": {"cpus": str(CPU)},
        "pids": {"limit": 9},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
    }
    p = engine.runtime("update", "--resources=-", name, input=json.dumps(doc).encode(), stdin=None)
    assert p.returncode == 0, p
    assert engine.runtime("update", "--pids-limit", "20", name).returncode == 0
    one_line(engine.runtime("update", "--resources", "/nowhere", name), "/nowhere")
    assert engine.sh(name, "grep Cpus_allowed_list /proc/self/status").split()[1] == str(CPU)


def test_limits_of_the_grant(pf, engine):
    """By pinfold update, beside the engine's own: the less of both holds."""
    grant = granted(pf, "--memory", "64M", "--pids", "20")
    name = engine.start(engine.doc(grant))
    p = pf("update", grant, "--memory", "128M", "--pids", "40")
    assert p.returncode == 0 and "goes on to show those that it was made with" in p.stderr, p
    assert pf.lease(grant)["grant"]["memory"] == pf.json("grant", "show", grant)["memory"] == "128M"
    fill = "dd if=/dev/zero of=/dev/null bs=90M count=1 2>&1"
    assert "1+0 records out" in engine.sh(name, fill)
    locked = engine.sh(name, "grep 'Max locked memory' /proc/1/limits").split()
    most = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    assert int(locked[3]) >= (128 << 20 if most == resource.RLIM_INFINITY else min(128 << 20, most))
    pf.ok("update", grant, "--memory", "64M")
    p = engine.runtime("exec", name, "/bin/sh", "-c", fill)
    assert p.returncode != 0 and b"records out" not in p.stdout
    pf.fails("update", grant, "--hugepages", "2M=4", like="--hugepages stays")


def test_limits_of_the_engine(pf, engine):
    name = create_given(engine, given(engine))
    assert engine.runtime("start", name).returncode == 0
    (row,) = [row for row in pf.ps().values() if row["in"] == "given"]
    pf.fails("update", row["name"], "--memory", "1G", like="its engine's")


def test_checkpoints_are_refused(pf, engine):
    grant = granted(pf)
    name = engine.start(engine.doc(grant))
    one_line(engine.runtime("checkpoint", "--image-path", "/x", name), name, grant)
    engine.bundle.write(engine.doc(grant))
    one_line(engine.runtime("restore", "--bundle", str(engine.bundle.top), unique("c")), "restore")
    assert engine.sh(name, "echo on") == "on\n"


def test_over_runc(pf, engine, tmp_path):
    runc = shutil.which("runc")
    if runc is None:
        pytest.skip("package runc is not installed")
    grant = granted(pf)
    etc = tmp_path / "etc"
    (etc / "grants.d").mkdir(parents=True)
    (etc / "runtime.json").write_text(json.dumps({"runtime": runc}))
    # in a mount namespace of its own: the file is the machine's
    script = tmp_path / "over-runc"
    script.write_text(
        "#!/bin/sh\n"
        '[ "$1" = in ] || exec unshare -m --propagation slave "$0" in "$@"\n'
        f"mount --bind /etc/pinfold/grants.d {etc}/grants.d\n"
        f"mount --rbind {etc} /etc/pinfold\n"
        f'shift\nexec {engine.runtime.path} "$@"\n'
    )
    script.chmod(0o755)
    engine.runtime.path = str(script)
    name = engine.start(engine.doc(grant))
    assert engine.sh(name, "cat /sys/devices/system/cpu/online") == f"{CPU}\n"
    assert pf.ps()[grant]["state"] == "running"
    # its options have one dash or two, and may stand behind the container
    p = engine.runtime("update", name, "-cpuset-cpus", str(CPU + 1))
    one_line(p, f"grant '{grant}' has {CPU}")
    assert engine.runtime("delete", name, "-force").returncode == 0
    assert grant not in pf.ps()
    engine.names.append(unique("c"))
    engine.bundle.write(engine.doc(grant))
    words = ["-root", engine.runtime.root, "-systemd-cgroup", "create", engine.names[-1]]
    words += ["-bundle", engine.bundle.top, "-pid-file", engine.bundle.top / "pid"]
    null = subprocess.DEVNULL
    p = subprocess.run([script, *words], stdin=null, stdout=null, stderr=null, check=False)
    assert p.returncode == 0 and pf.ps()[grant]["state"] == "running"
    assert engine.runtime("delete", engine.names[-1], "--force").returncode == 0
    assert grant not in pf.ps()


@needs_pages(8)
def test_a_word_hides_nothing(pf, engine):
    """Whoever starts a container may write that it holds a pod's namespaces: what it was given counts."""
    doc = given(engine)
    doc["annotations"] = {"io.kubernetes.cri.container-type": "sandbox"}
    name = create_given(engine, doc)
    assert [row["in"] for row in pf.ps().values()] == ["given"]
    assert engine.runtime("delete", "--force", name).returncode == 0


@pytest.mark.parametrize("key", ["cri.container-type", "cri-o.ContainerType"])
def test_a_pods_own_container_takes_no_grant(pf, engine, key):
    """It has the annotations of its pod, whose grant is for a container that comes after it."""
    grant = granted(pf)
    doc = engine.doc(grant)
    doc["annotations"][f"io.kubernetes.{key}"] = "sandbox"
    sandbox = engine.start(doc)
    assert pf.ps() == {}
    name = engine.start(engine.doc(grant))
    assert pf.ps()[grant]["command"].endswith(name)
    for one in (name, sandbox):
        assert engine.runtime("delete", "--force", one).returncode == 0


def test_a_cdi_device_is_a_hook(pf, engine, tmp_path):
    """The hook that stands for the grant is taken out; what else the engine has run is."""
    grant = pf.grant("--cpus", CPU, "--claim-by", "cdi")
    devices = json.loads(Path("/etc/cdi/pinfold.json").read_text())["devices"]
    edits = next(d for d in devices if d["name"] == grant)["containerEdits"]
    ours = {k: v for k, v in edits["hooks"][0].items() if k != "hookName"}
    other = {"path": "/bin/busybox", "args": ["touch", str(tmp_path / "other")]}
    doc = engine.doc(None, way="NOTHING")
    doc["hooks"] = {edits["hooks"][0]["hookName"]: [other, ours]}
    name = engine.start(doc)
    assert pf.ps()[grant]["in"] == "engine" and (tmp_path / "other").exists()
    kept = json.loads((Path(engine.runtime.root) / name / "config.json").read_text())
    assert kept["hooks"] == {"createRuntime": [other]}
    # a mount was one before
    doc = engine.doc(None, way="NOTHING")
    source = f"/run/pinfold/cdi/{grant}"
    doc["mounts"].append({"destination": "/x", "source": source, "options": ["bind", "ro"]})
    engine.fails(doc, f"a mount of '{source}' claims no grant")
