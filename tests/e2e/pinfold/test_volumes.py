# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What of the host a program is given: files at a chosen path, directories that it may write, and where it runs."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import jsonschema
import pytest

from features import needs_idmaps
from places import TOP
from workload import CPU, OTHER, PYTHON, kill, needs_root, needs_two, processes_of, unique, wait

pytestmark = needs_root


@pytest.fixture
def top(tmp_path):
    """That others may pass to."""
    for path in (tmp_path, *tmp_path.parents[:-2]):
        os.chmod(path, path.stat().st_mode | 0o111)
    return tmp_path


@pytest.fixture
def conf(top):
    path = top / "my.conf"
    path.write_text("it is mine\n")
    return path


# ---- files


@pytest.mark.parametrize(
    "target",
    [
        "/etc/pinfold-test.conf",
        "/etc/pinfold-test/deep/my.conf",
        "/usr/share/pinfold-test.conf",
        "/opt/pinfold-test/my.conf",
        "/srv/my.conf",
    ],
)
def test_a_file_at_a_path(pf, conf, target):
    script = f"cat {target}; test -r /etc/passwd && test -x /usr/bin/env && echo and the rest"
    assert pf.shell(script, "-v", f"{conf}:{target}:ro") == "it is mine\nand the rest\n"
    assert not Path(target).exists()  # the host's own are as they were
    assert not Path("/etc/pinfold-test").exists()


def test_over_a_file(pf, conf):
    assert pf.shell("cat /etc/hostname", "-v", f"{conf}:/etc/hostname:ro") == "it is mine\n"


def test_several(pf, conf, top):
    (top / "d").mkdir()
    (top / "d/x").write_text("x\n")
    flags = [
        "-v",
        f"{conf}:/etc/pt/a:ro",
        "-v",
        f"{conf}:/etc/pt/b:ro",
        "-v",
        f"{top}/d:/usr/pt:ro",
    ]
    assert pf.shell("cat /etc/pt/a /etc/pt/b /usr/pt/x; ls /etc/pt", *flags) == (
        "it is mine\nit is mine\nx\na\nb\n"
    )


def test_nothing_is_opened_on_the_way(pf, conf):
    """A directory of the host that is closed to others stays closed."""
    closed = Path(f"/opt/pinfold-{unique()}")
    closed.mkdir(mode=0o700)
    try:
        (closed / "secret").write_text("secret\n")
        pf.fails(
            *("run", "--cpus", CPU, "-v", f"{conf}:{closed}/my.conf:ro", "--", "/bin/true"),
            like="open to all",
        )
        link = Path(f"{closed}-link")
        link.symlink_to(closed)
        try:
            flags = ["-v", f"{conf}:{link}/my.conf:ro"]
            pf.fails("run", "--cpus", CPU, *flags, "--", "/bin/true", like="is a link")
        finally:
            link.unlink()
    finally:
        (closed / "secret").unlink()
        closed.rmdir()


# ---- directories that may be written


@pytest.mark.parametrize("user", ["0", "1000:1000"])
def test_idmap(pf, top, user):
    """What its owner has there is the program's; what it makes is the owner's."""
    needs_idmaps(top)
    data = top / "data"
    data.mkdir(mode=0o755)
    (data / "old").write_text("old\n")
    (data / "others").write_text("secret\n")
    os.chmod(data / "others", 0o600)
    os.chmod(data / "old", 0o600)
    for path in (data, data / "old"):
        os.chown(path, 12345, 23456)
    script = (
        "cat /data/old; echo more >> /data/old; echo new > /data/new; mkdir /data/d; "
        "cat /data/others 2>/dev/null || echo closed; stat -c %u:%g /data/new /data/others"
    )
    out = pf.shell(script, "-u", user, "-v", f"{data}:/data:rw,idmap")
    ids = "0:0" if user == "0" else user
    assert out == f"old\nclosed\n{ids}\n65534:65534\n"
    assert (data / "old").read_text() == "old\nmore\n"
    for name in ("new", "d"):
        st = (data / name).stat()
        assert (st.st_uid, st.st_gid) == (12345, 23456)


def test_idmap_of_a_file_that_is_read(pf, top):
    needs_idmaps(top)
    path = top / "key"
    path.write_text("key\n")
    os.chmod(path, 0o600)
    assert pf.shell("cat /etc/key", "-v", f"{path}:/etc/key:ro,idmap") == "key\n"
    p = pf.run("-v", f"{path}:/etc/key:ro", "--", "/bin/cat", "/etc/key")
    assert p.returncode != 0 and "Permission denied" in p.stderr
    p = pf.run("-v", f"{path}:/etc/key:ro,idmap", "--", "/bin/sh", "-c", "echo x > /etc/key")
    assert p.returncode != 0 and path.read_text() == "key\n"


def test_idmap_where_it_cannot_be(pf, top):
    """The line says what to do; what was begun is taken back, and no file has another owner."""
    data = top / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", data], check=True)
    try:
        (data / "old").touch()
        flags = ["--cpus", CPU, "-v", f"{data}:/data:rw,idmap"]
        p = pf("run", *flags, "--", "/bin/true")
        assert p.returncode == 125 and p.stderr.count("\n") == 1
        assert f"volume '{data}': map the ids of its owner; where the kernel (5.12)" in p.stderr
        assert "say owner instead of idmap" in p.stderr
        assert {(f.stat().st_uid, f.stat().st_gid) for f in (data, data / "old")} == {(0, 0)}
        assert pf.shell("touch /data/new && echo made", "-v", f"{data}:/data:rw,owner") == "made\n"
        assert {(f.stat().st_uid, f.stat().st_gid) for f in (data, data / "old")} == {(0, 0)}
        # of no account, and of no later workload
        assert (data / "new").stat().st_uid >= 0x70000000
    finally:
        subprocess.run(["umount", data], check=True)


def test_idmap_makes_no_set_user_id(pf, top):
    """Its files are the owner's on the host, root's here: none may be a way to become him."""
    needs_idmaps(top)
    code = (
        "import os, shutil\n"
        "shutil.copy('/bin/true', '/data/true')\n"
        "for mode in (0o4755, 0o2755):\n"
        "    try:\n"
        "        os.chmod('/data/true', mode)\n"
        "    except OSError as e:\n"
        "        print('refused', e.errno)\n"
    )
    (top / "data").mkdir()
    assert pf.python(code, "-v", f"{top}/data:/data:rw,idmap").count("refused") == 2
    st = (top / "data/true").stat()
    assert st.st_mode & (stat.S_ISUID | stat.S_ISGID) == 0 and st.st_uid == 0


@pytest.mark.parametrize("user", ["0", "1000:1000"])
def test_owner(pf, top, user):
    """The directory is the program's while it runs, and his again whose it was; what is in it is nobody else's by that."""
    data = top / "data"
    data.mkdir()
    (data / "old").write_text("old\n")
    os.chmod(data / "old", 0o600)
    for path in (data, data / "old"):
        os.chown(path, 12345, 23456)
    os.chmod(data, 0o2750)
    before = data.stat()
    script = "stat -c %u:%g /data; cat /data/old 2>/dev/null || echo closed; umask 077; echo new > /data/new"
    flags = ["-v", f"{data}:/data:rw,owner"]
    p = pf.run("-u", user, *flags, "--", "/bin/sh", "-c", f"{script}; chmod 777 /data; exit 3")
    ids = "0:0" if user == "0" else user
    assert (p.returncode, p.stdout) == (3, f"{ids}\nclosed\n")
    after = data.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (12345, 23456, before.st_mode)
    assert (data / "old").stat().st_uid == 12345 and (data / "new").stat().st_uid >= 0x70000000
    # the next has other ids
    script = "cat /data/new 2>/dev/null || echo closed; rm -f /data/new /data/old; ls /data"
    assert pf.shell(script, "-u", user, *flags) == "closed\n"
    assert data.stat().st_uid == 12345


@needs_two
def test_owner_of_one_at_a_time(pf, top):
    """And after the death of all that watched it gc gives it back."""
    data = top / "data"
    data.mkdir(mode=0o700)
    flags = ["-v", f"{data}:/data:rw,owner"]
    name = pf.detach(*flags)
    assert data.stat().st_uid >= 0x70000000
    like = f"'{name}' is its owner while it runs; pinfold stop {name}"
    pf.fails("run", "--cpus", OTHER, *flags, "--", "/bin/true", like=like)
    assert data.stat().st_uid >= 0x70000000
    # a bind of it is the same directory
    other = top / "other"
    other.mkdir()
    subprocess.run(["mount", "--bind", data, other], check=True)
    try:
        words = ["run", "--cpus", OTHER, "-v", f"{other}:/data:rw,owner", "--", "/bin/true"]
        pf.fails(*words, like=like)
    finally:
        subprocess.run(["umount", other], check=True)
    kill(pf.lease(name)["supervisor"])
    pf.ok("stop", "-t", "0", name)
    pf.ok("gc")
    assert (data.stat().st_uid, data.stat().st_gid) == (0, 0)
    os.chown(data, 0x70010000, 0)
    like = f"chown USER:GROUP '{data}'"
    pf.fails("run", "--cpus", CPU, *flags, "--", "/bin/true", like=like)


def test_owner_after_a_power_cut(pf, top):
    """The disk has the program's id, and whose it was before; nothing else is left of the boot that gave it."""
    data = top / "data"
    data.mkdir(mode=0o710)
    os.chown(data, 12345, 23456)
    flags = ["-v", f"{data}:/data:rw,owner"]
    name = pf.detach(*flags)
    given = Path("/var/lib/pinfold/given").glob("*")
    [record] = [path for path in given if str(data) in path.read_text()]
    text, given = record.read_text(), data.stat()
    assert given.st_uid >= 0x70000000
    pf.ok("stop", "-t", "0", name)
    pf.ok("gc")
    assert not record.exists() and data.stat().st_uid == 12345

    def cut(written):
        record.write_text(written)
        os.chown(data, given.st_uid, given.st_gid)
        os.chmod(data, 0o777)

    text = re.sub("^[0-9a-f-]+:", "0-0:", text)
    cut(text)
    plan = pf.json("plan", "--cpus", CPU, *flags, "--format", "json", "--", "true")
    [undo] = [u["path"] for u in plan["undo"] if u["what"] == "owner"]
    assert undo.startswith("12345:23456:0710:") and data.stat().st_uid == given.st_uid
    assert pf.shell("stat -c %u /data", *flags) == "0\n"
    after = data.stat()
    assert (after.st_uid, after.st_gid, after.st_mode & 0o7777) == (12345, 23456, 0o710)
    assert not record.exists()
    # of another one that is said of nothing
    cut(text)
    ino = str(data.stat().st_ino)
    try:
        for other in [text.replace(ino, "1" + ino), "", "0-0", "0:0:0:755:", text[:12]]:
            cut(other)
            like = f"chown USER:GROUP '{data}'"
            pf.fails("run", "--cpus", CPU, *flags, "--", "/bin/true", like=like)
            assert data.stat().st_uid == given.st_uid
    finally:
        record.unlink()


def test_owner_of_a_lease_that_cannot_be_read(pf, top):
    """As a later version may have written it: what it has is known from what is written down."""
    data = top / "data"
    data.mkdir(mode=0o710)
    os.chown(data, 12345, 23456)
    name = pf.detach("-v", f"{data}:/data:rw,owner")
    lease = Path(f"/run/pinfold/leases/{name}.json")
    pids = [pf.lease(name)["supervisor"], *processes_of(pf.lease(name))]
    lease.write_text(lease.read_text().replace("{", '{ "of-tomorrow": 1,', 1))
    for pid in pids:
        kill(pid)
    wait(lambda: [pf("gc"), lease.exists()][1] is False, what="the end of the lease")
    after = data.stat()
    assert (after.st_uid, after.st_gid, after.st_mode & 0o7777) == (12345, 23456, 0o710)


def test_owner_of_what_is_renamed(pf, top):
    """By the program, which owns what it lies in, too: it is given back all the same."""
    above, data = top / "above", top / "above/data"
    data.mkdir(parents=True, mode=0o750)
    os.chown(data, 12345, 23456)
    flags = ["-v", f"{above}:/above:rw,owner", "-v", f"{data}:/data:rw,owner"]
    pf.shell("mv /above/data /above/other; mkdir /above/data", *flags)
    after = (above / "other").stat()
    assert (after.st_uid, after.st_gid) == (12345, 23456)
    assert above.stat().st_uid == 0
    assert (above / "data").stat().st_uid >= 0x70000000


def test_owner_once(pf, top):
    data = top / "data"
    data.mkdir()
    flags = ["-v", f"{data}:/a:rw,owner", "-v", f"{data}:/b:rw,owner"]
    pf.fails("run", "--cpus", CPU, *flags, "--", "/bin/true", like=f"write {data}:/b:rw")
    assert data.stat().st_uid == 0


def test_owner_in_a_plan(pf, top):
    data = top / "data"
    data.mkdir(mode=0o700)
    words = ["plan", "--cpus", CPU, "-v", f"{data}:/data:rw,owner"]
    plan = pf.json(*words, "--format", "json", "--", "true")
    schema = (TOP / "build/data/schemas/plan.json").read_text()
    jsonschema.validate(plan, json.loads(schema))
    [step] = [s for s in plan["steps"] if s["do"] == "owner"]
    assert (step["path"], step["where"]) == (str(data), "host")
    [undo] = [u["path"] for u in plan["undo"] if u["what"] == "owner"]
    assert undo.startswith("0:0:0700:") and undo.endswith(f":{data}")
    assert f"give back owner {undo}" in pf.ok(*words, "--", "true")
    assert any("ids of no account" in note for note in plan["notes"])
    assert data.stat().st_uid == 0


def test_idmap_in_a_plan(pf, top):
    data = top / "data"
    data.mkdir()
    plan = pf.json(
        "plan", "--cpus", CPU, "-v", f"{data}:/data:rw,idmap", "--format", "json", "--", "true"
    )
    step = next(s for s in plan["steps"] if s.get("idmapped"))
    assert step["value"] == str(data) and "recursive" not in step and "owner" in step


@pytest.mark.parametrize(
    "volume, like",
    [
        ("{}:/data:rx", "none of ro, rw, idmap and owner"),
        ("{}:/data:ro,rw", "both ro and rw"),
        ("{}:/data:idmap,x", "none of ro, rw, idmap and owner"),
        ("{}:/data:ro,", "'' is none of ro, rw, idmap and owner"),
        ("{}:/data:,idmap", "'' is none of ro, rw, idmap and owner"),
        ("{}:/data:ro,owner", "write rw,owner"),
        ("{}:/data:idmap,owner", "write rw,owner"),
        ("/etc/passwd:/data:rw,owner", "owner is for directories"),
        ("/bin/true:/run/pinfold/inside:ro", "has its own '/run/pinfold'"),
        ("{}:/run", "has its own '/run/pinfold'"),
        ("/run/pinfold:/data:rw,owner", "'/run/pinfold' is pinfold's own"),
        ("/var/lib:/data:rw,owner", "'/var/lib/pinfold' is pinfold's own"),
        ("/etc:/data:rw,idmap", "'/etc/pinfold' is pinfold's own"),
        ("/:/data:rw,owner", "'/etc/pinfold' is pinfold's own"),
        ("/proc/sys:/data:rw,owner", "the kernel's"),
        ("/sys/class:/data:rw,owner", "the kernel's"),
        ("/dev:/data:rw,owner", "the kernel's"),
    ],
)
def test_volumes_refused(pf, top, volume, like):
    pf.fails("run", "--cpus", CPU, "-v", volume.format(top), "--", "/bin/true", like=like)


def test_not_for_machines(pf, top):
    flags = {
        "idmap or owner of -v is": ["-v", f"{top}:/data:rw,idmap"],
        "idmap or owner of -v and --publish are": [
            "-v",
            f"{top}:/d:rw,owner",
            "--publish",
            "unix:/run/a/b.sock",
        ],
        "--workdir is": ["-w", "/usr"],
    }
    for said, words in flags.items():
        words = ["run", "--in", "vm", "--cpus", CPU, "--memory", "192M", *words, "--", "/bin/true"]
        pf.fails(
            *words,
            like=f"pinfold: {said} for containers, not --in vm",
        )


# ---- the working directory


@pytest.mark.parametrize("where", ["container", "host"])
def test_workdir(pf, where):
    flags = ["--in", where]
    assert pf.shell("pwd", *flags, "-w", "/usr/share") == "/usr/share\n"
    assert pf.shell("pwd", *flags, "--workdir", "/tmp") == "/tmp\n"
    p = pf.run(*flags, "-w", "/no/such", "--", "/bin/true")
    assert p.returncode == 125 and "/no/such" in p.stderr
    assert pf.run(*flags, "-w", "usr", "--", "/bin/true").returncode == 125


def test_workdir_of_a_volume(pf, conf):
    assert pf.shell("cat my.conf", "-v", f"{conf.parent}:/cfg:ro", "-w", "/cfg") == "it is mine\n"


@pytest.mark.parametrize("where", ["container", "host"])
def test_workdir_of_exec(pf, where):
    name = pf.detach("--in", where)
    assert pf.ok("exec", "-w", "/usr/share", name, "--", "/bin/pwd") == "/usr/share\n"
    p = pf("exec", "-w", "/no/such", name, "--", "/bin/true")
    assert p.returncode == 125 and "/no/such" in p.stderr
    pf.ok("stop", name)


# ---- programs that cannot be run, and why


def test_program_of_tmp(pf, top):
    program = top / "prog"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o755)
    like = "it is on the host, of which the container has /usr, /etc and /opt"
    pf.fails("run", "--cpus", CPU, "--", program, like=like, status=127)
    assert (
        pf.ok("run", "--cpus", CPU, "-v", f"{program}:/opt/prog:ro", "--", "/opt/prog") == "ran\n"
    )


def test_missing_loader(pf, top):
    program = top / "prog"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    flags = ["-v", f"{program}:/opt/prog:ro"]
    pf.fails("run", "--cpus", CPU, *flags, "--", "/opt/prog", like="its loader", status=127)
    data = Path(os.path.realpath(PYTHON)).read_bytes()
    loader = b"/lib64/ld-linux-x86-64.so.2"
    if loader in data:
        program.write_bytes(data.replace(loader, b"/lib64/ld-linux-x86-64.so.9"))
        pf.fails("run", "--cpus", CPU, *flags, "--", "/opt/prog", like="its loader", status=127)
