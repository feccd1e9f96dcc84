# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold image with files and directories of an attacker: nothing of them is run or mapped, nothing
waits for them, and what was closed stays so."""

import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from trees import never_opened

import imaging
from imaging import (
    PINFOLD,
    build,
    fails,
    files,
    image,
    library,
    program,
    run,
)

pytestmark = imaging.pytestmark

NEEDED, STRTAB, STRSZ, SONAME, RPATH, RUNPATH, AUXILIARY = 1, 5, 10, 14, 15, 29, 0x7FFFFFFD
LOAD, DYNAMIC, INTERP = 1, 2, 3
PAGE = 4096


def phdr(kind, offset, size, addr=None, flags=7, align=8):
    addr = offset if addr is None else addr
    return struct.pack("<IIQQQQQQ", kind, flags, offset, addr, addr, size, size, align)


def header(phnum=0, phoff=64, shoff=0, shnum=0):
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, phoff, shoff, 0, 64, 56, phnum, 64, shnum, 0
    )


def elf(entries=(), strtab=None, strsz=None, more=b"", interp=None):
    """A shared object with a dynamic section: (tag, name or number)..."""
    names, dyn = b"\0", b""
    for tag, value in entries:
        if isinstance(value, (str, bytes)):
            text = value.encode() if isinstance(value, str) else value
            value, names = len(names), names + text + b"\0"
        dyn += struct.pack("<qQ", tag, value)
    at = 0x200
    dyn += struct.pack("<qQqQqQ", STRTAB, 0, STRSZ, len(names) if strsz is None else strsz, 0, 0)
    table = at + len(dyn)
    dyn = dyn.replace(
        struct.pack("<qQ", STRTAB, 0),
        struct.pack("<qQ", STRTAB, table if strtab is None else strtab),
    )
    size = table + len(names)
    heads = phdr(LOAD, 0, size, align=PAGE) + phdr(DYNAMIC, at, len(dyn))
    if interp is not None:
        heads += phdr(INTERP, *interp)
    data = header(len(heads) // 56) + heads
    return data.ljust(at, b"\0") + dyn + names + more


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755)
    return path


# --- code -----------------------------------------------------------------------------------------


def over_the_loader(marker):
    """What glibc's loader maps over itself (its bug 22851): it makes room for what lies up to the end
    of the last segment, and puts the second where that says, 4 MiB over all that follows, the code
    that runs among it. That makes the marker and says that all is well."""
    code = b"\x48\x8d\x3d" + struct.pack("<i", 0x100 - 7)  # lea marker, %rdi
    code += b"\xbe\x41\0\0\0" + b"\xba\x80\x01\0\0"  # O_WRONLY | O_CREAT, 0600
    code += b"\xb8\x02\0\0\0\x0f\x05"  # open
    code += b"\x31\xff" + b"\xb8\xe7\0\0\0\x0f\x05"  # exit_group(0)
    body = b"\x90" * (4 << 20) + code.ljust(0x100, b"\xcc") + os.fsencode(marker) + b"\0"
    body = body.ljust(-(-len(body) // PAGE) * PAGE, b"\0")
    names = b"\0libc.so.6\0"
    dyn = struct.pack("<qQqQqQqQ", NEEDED, 1, STRTAB, 0x300, STRSZ, len(names), 0, 0)
    head = header(4) + phdr(LOAD, 0, PAGE, align=PAGE)
    head += phdr(LOAD, PAGE, len(body), 2 * PAGE, align=PAGE)
    head += phdr(LOAD, 0, PAGE, PAGE, align=PAGE) + phdr(DYNAMIC, 0x200, len(dyn))
    return (head.ljust(0x200, b"\0") + dyn).ljust(0x300, b"\0") + names.ljust(0xD00, b"\0") + body


@pytest.mark.parametrize("way", ["program", "library", "added"])
def test_nothing_is_mapped_over_the_loader(tmp_path, way):
    marker = tmp_path / "marker"
    attack = over_the_loader(marker)
    out = tmp_path / "x"
    if way == "library":
        lib = library(tmp_path / "lib/liba.so", 1)
        prog = program(tmp_path / "prog", lib, "-Wl,-rpath,$ORIGIN/lib")
        put(lib, attack)
        fails("build", "-o", out, prog, like="liba.so': a damaged ELF file")
    elif way == "added":
        fails("build", "-o", out, "--add", put(tmp_path / "data", attack), "ls", like="damaged")
    else:
        fails("build", "-o", out, put(tmp_path / "prog", attack), like="prog': a damaged ELF file")
    assert not marker.exists() and not out.exists()


def test_no_process_is_started(tmp_path):
    """Of an image, of the build's input, or any other."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    log = tmp_path / "log"
    calls = "trace=execve,execveat,fork,vfork,clone,clone3"
    before = ["strace", "-f", "-qq", "-e", calls, "-o", log]
    progs = [p for p in ("ls", "ldd", "dpdk-testpmd") if shutil.which(p)]
    build("-o", tmp_path / "x", *progs, before=before)
    assert log.read_text().count("\n") == 1, log.read_text()


def test_nothing_is_mapped(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    log = tmp_path / "log"
    before = ["strace", "-f", "-qq", "-e", "trace=mmap", "-o", log]
    lib = library(tmp_path / "lib/liba.so", 1)
    prog = program(tmp_path / "prog", lib, "-Wl,-rpath,$ORIGIN/lib")
    build("-o", tmp_path / "x", prog, before=before)
    assert [line for line in log.read_text().splitlines() if "MAP_ANONYMOUS" not in line] == []


# --- damaged files --------------------------------------------------------------------------------

GOOD = [(SONAME, "libx.so"), (NEEDED, "libc.so.6")]
PROGRAMS = {
    "names-outside": elf(GOOD, strtab=1 << 40),
    "names-at-the-end": elf(GOOD, strtab=0x200 + 5 * 16, strsz=1 << 20),
    "names-without-end": elf(GOOD, strsz=3),
    "names-of-no-size": elf(GOOD, strsz=0),
    "names-of-all-memory": elf(GOOD, strsz=(1 << 64) - 1),
    "name-outside": elf([(NEEDED, 1 << 33)]),
    "long-name": elf([(NEEDED, "x" * 5000)]),
    "interpreter-outside": elf(GOOD, interp=(1 << 50, 20)),
    "interpreter-of-all-memory": elf(GOOD, interp=(0, (1 << 64) - 1)),
    "interpreter-empty": elf(GOOD, interp=(0x200, 0)),
    "no-headers": header(3),
    "many-headers": header(0xFFFE).ljust(64 + 0xFFFE * 56, b"\0"),
    "more-headers-than-fit": header(0xFFFF, shoff=64)
    + struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0, 0),
    "many-sections": header(0, shoff=64)
    + struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0xFFFFFFFF, 0, 0, 0, 0),
    "headers-outside": header(1, phoff=(1 << 64) - 32),
    "dynamic-outside": header(2) + phdr(LOAD, 0, 200) + phdr(DYNAMIC, 1 << 40, 64),
    "segment-around-the-end": header(1) + phdr(LOAD, 0, 1 << 62, (1 << 64) - PAGE),
    "two-orders": header(2) + phdr(LOAD, 0, 64, PAGE) + phdr(LOAD, 0, 64, 0),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_damaged(name, tmp_path):
    prog = put(tmp_path / "prog", PROGRAMS[name])
    p = image("build", "-o", tmp_path / "x", prog)
    # what the kernel alone looks at is none of ours
    static = ("many-sections",)
    assert p.returncode == (0 if name in static and p.returncode == 0 else 125)
    if p.returncode != 0:
        assert f"read '{prog}': a damaged ELF file" in p.stderr and p.stderr.count("\n") == 1
        assert os.listdir(tmp_path) == ["prog"]


def test_cut_short(tmp_path):
    """At every length of a program: what is wrong, in a line."""
    data = elf(GOOD, interp=(0x1F0, 4))
    prog = tmp_path / "prog"
    for n in list(range(0, 0x200, 41)) + list(range(0x200, len(data), 7)):
        put(prog, data[:n])
        fails("build", "-o", tmp_path / "x", prog, like=f"'{prog}'")


@pytest.mark.parametrize(
    "name, like",
    [
        ("../libx.so", "named by a relative path"),
        ("sub/libx.so", "named by a relative path"),
        ("./libx.so", "named by a relative path"),
        ("$ORIGIN/../none.so", "is not installed"),
        ("/etc/passwd", "no library"),
        ("/dev/zero", "'/dev/zero': not a regular file"),
        ("/proc/kmsg", "'/proc/kmsg': not a regular file"),
        ("/", "not a regular file"),
        (".", "not a regular file"),
        ("..", "not a regular file"),
        ("", "not a regular file"),
        ("libnew\nline.so", "libnew line.so"),
        ("lib\x1b[31m\x7f.so", r"lib \[31m .so"),
        ("y" * 4000, "yyyy"),
        ("%s%n.so", "%s%n.so"),
    ],
)
def test_names(name, like, tmp_path):
    prog = put(tmp_path / "prog", elf([(NEEDED, name)]))
    fails("build", "-o", tmp_path / "x", prog, like=like)
    assert os.listdir(tmp_path) == ["prog"]


# --- endless work ---------------------------------------------------------------------------------


def test_too_many_names(tmp_path):
    prog = put(tmp_path / "prog", elf([(NEEDED, f"lib{i}.so") for i in range(10_000)]))
    fails("build", "-o", tmp_path / "x", prog, like="names more than 1024 libraries")


def test_endless_chain(tmp_path):
    for i in range(2100):
        put(tmp_path / f"lib/l{i}.so", elf([(NEEDED, f"l{i + 1}.so")]))
    prog = put(tmp_path / "prog", elf([(NEEDED, "l0.so"), (RPATH, "$ORIGIN/lib")]))
    fails("build", "-o", tmp_path / "x", prog, like="more than 2048 libraries")


def test_cycle(tmp_path):
    put(tmp_path / "lib/a.so", elf([(NEEDED, "b.so"), (NEEDED, "a.so"), (RPATH, "$ORIGIN")]))
    put(tmp_path / "lib/b.so", elf([(NEEDED, "a.so"), (NEEDED, "prog")]))
    prog = put(tmp_path / "prog", elf([(NEEDED, "a.so"), (RPATH, "$ORIGIN/lib:$ORIGIN")]))
    build("-o", tmp_path / "x", prog)
    assert {str(tmp_path / f) for f in ("prog", "lib/a.so", "lib/b.so")} <= files(tmp_path / "x")


def test_endless_search(tmp_path):
    entries = [(AUXILIARY, f"lib{i}.so") for i in range(1000)] + [(RPATH, "/x:" * 1300)]
    prog = put(tmp_path / "prog", elf(entries))
    start = time.monotonic()
    fails("build", "-o", tmp_path / "x", prog, like="more than 1000000 places to look")
    assert time.monotonic() - start < 30


def test_endless_search_ends_when_it_is_told_to(tmp_path):
    entries = [(AUXILIARY, f"lib{i}.so") for i in range(1000)] + [(RPATH, "/x:" * 1300)]
    prog = put(tmp_path / "prog", elf(entries))
    p = subprocess.Popen(
        [PINFOLD, "image", "build", "-o", tmp_path / "x", prog], stderr=subprocess.PIPE
    )
    time.sleep(0.1)
    p.terminate()
    p.communicate(timeout=10)
    # the signal does its work when the build has cleaned up, or came before it was blocked
    assert p.returncode == -signal.SIGTERM
    assert os.listdir(tmp_path) == ["prog"]


@pytest.mark.parametrize("what", ["fifo", "device", "directory", "loop", "socket", "text"])
def test_place_of_a_library(what, tmp_path):
    place = tmp_path / "lib/libx.so"
    place.parent.mkdir()
    prog = put(tmp_path / "prog", elf([(NEEDED, "libx.so"), (RUNPATH, "$ORIGIN/lib")]))

    def refused(like):
        fails("build", "-o", tmp_path / "x", prog, like=like)

    if what == "loop":
        place.symlink_to("libx.so")
        refused("its library 'libx.so' is not installed")
    elif what == "text":
        place.write_text("text")
        refused("no library")
    else:
        with never_opened(place, what):
            refused("not a regular file")


def test_files_of_the_kernel_are_not_taken(tmp_path):
    for name in ("/proc/cpuinfo", "/proc/self/exe/../../cpuinfo", "/sys/kernel/uevent_seqnum"):
        fails("build", "-o", tmp_path / "x", "--add", name, "ls", like="[Nn]ot a (regular|dir)")


def test_note_prints_no_control_characters(tmp_path):
    script = put(tmp_path / "script", b"#!/usr/bin/env \x1b[2Jsh\n")
    p = image("build", "-o", tmp_path / "x", script)
    assert p.returncode == 125 and "\x1b" not in p.stderr
    os.symlink("/bin/sh", tmp_path / "a\x1b[2J")
    put(script, f"#!{tmp_path}/a\x1b[2J\n".encode())
    p = image("build", "-o", tmp_path / "x", script)
    assert "\x1b" not in p.stderr and "a [2J" in p.stderr


def test_list_opens_only_files(tmp_path):
    (tmp_path / "etc").mkdir()
    with never_opened(tmp_path / "etc/pinfold-image.json", "fifo"):
        fails("list", tmp_path, like="pinfold-image.json")


def test_list_prints_no_control_characters(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pinfold-image.json").write_text(
        '{"format": 1, "programs": ["/bin/\\u001b[2Jls\\nroot"], "dpdk": null, "bytes": 1, "files": []}'
    )
    text = image("list", tmp_path).stdout
    assert "ls root" in text and "\x1b" not in text and text.count("\n") == 2


# --- what is closed -------------------------------------------------------------------------------


@pytest.fixture
def closed():
    """A directory that others cannot enter, and a secret in it that they could read. Above, all is
    open, other than pytest's own."""
    top = Path(tempfile.mkdtemp(prefix="pinfold-test-"))
    top.chmod(0o755)
    put(top / "closed/secret", b"#!/bin/sh\necho secret\n")
    (top / "closed").chmod(0o700)
    yield top / "closed"
    shutil.rmtree(top)


@pytest.mark.parametrize("way", ["itself", "link", "env"])
def test_interpreter_in_a_closed_directory(closed, way):
    tmp_path = closed.parent
    interp = str(closed / "secret")
    if way == "link":
        (tmp_path / "link").symlink_to(closed)
        interp = f"{tmp_path}/link/secret"
    line, env = f"#!{interp}\n", dict(os.environ)
    if way == "env":
        line, env["PATH"] = "#!/usr/bin/env secret\n", f"{closed}:{env['PATH']}"
    script = put(tmp_path / "script", line.encode())
    p = image("build", "-o", tmp_path / "x", script, env=env)
    assert p.returncode == 125 and not (tmp_path / "x").exists()
    assert re.search(f"'{closed}' is closed to other users.*--add", p.stderr.splitlines()[-1])
    # the operator may say so
    build("-o", tmp_path / "x", "--add", interp, script, env=env)
    assert str(closed / "secret") in files(tmp_path / "x")


def test_interpreter_that_others_may_not_read(closed):
    """In a directory that is open; mode 0600, as of keys, and 0711, which others may run and not read."""
    top = closed.parent
    for mode in (0o600, 0o711):
        secret = put(top / "secret", b"#!/bin/sh\necho secret\n")
        secret.chmod(mode)
        script = put(top / "script", f"#!{secret}\n".encode())
        p = image("build", "-o", top / "x", script)
        assert p.returncode == 125 and not (top / "x").exists()
        assert f"'{secret}' is closed to other users" in p.stderr.splitlines()[-1]
    build("-o", top / "x", "--add", secret, script)
    assert str(secret) in files(top / "x")


def test_interpreter_in_the_closed_directory_of_the_script(closed, tmp_path):
    """A script that the operator took out of it opens nothing beside it."""
    script = put(closed / "script", f"#!{closed}/secret\n".encode())
    fails("build", "-o", tmp_path / "x", script, like="is closed to other users")


@pytest.mark.parametrize("way", ["path", "rpath", "link"])
def test_library_in_a_closed_directory(closed, way):
    tmp_path = closed.parent
    put(closed / "libx.so", elf([(SONAME, "libx.so")]))
    entries = {
        "path": [(NEEDED, f"{closed}/libx.so")],
        "rpath": [(NEEDED, "libx.so"), (RPATH, str(closed))],
        "link": [(NEEDED, "libx.so"), (RPATH, str(tmp_path))],
    }[way]
    (tmp_path / "libx.so").symlink_to("closed/libx.so")
    prog = put(tmp_path / "prog", elf(entries))
    like = f"'{closed}' is closed to other users.*--add"
    fails("build", "-o", tmp_path / "x", prog, like=like)
    build("-o", tmp_path / "x", "--add", closed / "libx.so", prog)


def test_program_and_libraries_in_a_closed_directory(closed, tmp_path):
    """What the operator names there brings what lies beside it, but not from what is closed below."""
    put(closed / "lib/libx.so", elf([(SONAME, "libx.so")]))
    prog = put(closed / "prog", elf([(NEEDED, "libx.so"), (RPATH, "$ORIGIN/lib")]))
    build("-o", tmp_path / "x", prog)
    assert str(closed / "lib/libx.so") in files(tmp_path / "x")
    (closed / "lib").chmod(0o700)
    fails("build", "-o", tmp_path / "x", "--replace", prog, like=f"'{closed}/lib' is closed")


def test_closed_files_stay_closed(tmp_path):
    data = put(tmp_path / "data", b"secret")
    data.chmod(0o640)
    build("-o", tmp_path / "x", "--add", data, "ls")
    assert stat.S_IMODE(os.stat(f"{tmp_path}/x{data}").st_mode) == 0o640


def test_holes_stay_holes(tmp_path):
    """A small file does not fill the disk of who builds an image of it."""
    data = tmp_path / "data"
    with data.open("wb") as f:
        f.write(b"begin")
        f.seek(200 << 20)
        f.write(b"middle")
        f.truncate(256 << 20)
    build("-o", tmp_path / "x", "--add", data, "ls")
    copy = Path(f"{tmp_path}/x{data}")
    assert copy.stat().st_size == 256 << 20 and copy.stat().st_blocks * 512 < 1 << 20
    with copy.open("rb") as f:
        assert f.read(6) == b"begin\0"
        f.seek((200 << 20) - 1)
        assert f.read(8) == b"\0middle\0"


# --- what is exchanged meanwhile ------------------------------------------------------------------


def test_files_exchanged_while_building(closed):
    """A directory on the way to a library that is now the user's, now one that is closed to him."""
    tmp_path = closed.parent
    mine = tmp_path / "mine"
    for where, text in ((mine, b"mine"), (closed, b"secret of root")):
        put(where / "libx.so", elf([(SONAME, "libx.so")], more=text))
    prog = put(tmp_path / "prog", elf([(NEEDED, "libx.so"), (RPATH, f"{tmp_path}/now")]))
    now, then = tmp_path / "now", tmp_path / "then"
    stop = threading.Event()
    now.symlink_to("mine")

    def exchange():
        while not stop.is_set():
            for target in ("closed", "mine"):
                then.symlink_to(target)
                then.rename(now)

    thread = threading.Thread(target=exchange)
    thread.start()
    built = 0
    try:
        for _ in range(100):
            p = image("build", "-o", tmp_path / "x", "--replace", prog)
            assert p.returncode in (0, 125) and p.stderr.count("\n") <= 1, p.stderr
            for d, _, names in os.walk(tmp_path / "x"):
                for name in names:
                    with open(os.path.join(d, name), "rb") as f:
                        assert b"secret of root" not in f.read()
            built += p.returncode == 0
    finally:
        stop.set()
        thread.join()
    assert built > 0


# --- below a directory of somebody else's ---------------------------------------------------------

USER = 65534


@pytest.fixture
def theirs(tmp_path):
    """A directory of another user's, and a function that does something there as he."""
    home = tmp_path / "home"
    home.mkdir()
    # he gets there
    for d in (tmp_path, *tmp_path.parents):
        if d.owner() == "root" and str(d).startswith("/tmp/"):
            d.chmod(d.stat().st_mode | 0o011)
    os.chown(home, USER, USER)
    return home


def as_user(code, *args, **kw):
    return subprocess.Popen(
        [sys.executable, "-c", "import os, sys, time\n" + code, *map(str, args)],
        user=USER,
        group=USER,
        extra_groups=[],
        **kw,
    )


def test_build_in_the_directory_of_another_user(theirs):
    build("-o", theirs / "x", "ls")
    assert os.listdir(theirs) == ["x"] and (theirs / "x").owner() == "root"
    build("-o", theirs / "x", "--replace", "cat")
    assert os.listdir(theirs) == ["x"] and (theirs / "x/usr/bin/cat").exists()


def test_locks_of_others_keep_nobody_waiting(theirs):
    """What anybody can open he can lock: his own directory, and the usual place."""
    name = f"test-{os.getpid()}"
    build("-o", name, "ls")
    code = """
import fcntl
for path in sys.argv[1:]:
    fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""
    p = as_user(code, theirs, "/var/lib/pinfold/images", stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline() == "locked\n"
        build("-o", theirs / "x", "ls")
        build("-o", theirs / "x", "--replace", "ls")
        assert image("remove", theirs / "x", name).returncode == 0
    finally:
        p.kill()
        p.wait()


def test_what_root_has_there_is_not_removed(theirs):
    """What he renamed to where a build that was killed would have left something."""
    mine = theirs / "mine"
    mine.mkdir(mode=0o700)
    (mine / "usr").mkdir()
    (mine / "usr/precious").write_text("precious")
    assert as_user("os.rename(*sys.argv[1:])", mine, theirs / ".x.pinfold").wait() == 0
    build("-o", theirs / "x", "ls")
    assert (theirs / ".x.pinfold/usr/precious").read_text() == "precious"


@pytest.mark.parametrize("what", ["directory", "link", "file"])
def test_his_directory_is_not_worked_in(theirs, tmp_path, what):
    code = {
        "directory": "os.mkdir(sys.argv[1], 0o700)",
        "link": "os.symlink(sys.argv[2], sys.argv[1])",
        "file": "open(sys.argv[1], 'w').close()",
    }[what]
    (tmp_path / "victim").mkdir(mode=0o700)
    assert as_user(code, theirs / ".x.pinfold", tmp_path / "victim").wait() == 0
    fails("build", "-o", theirs / "x", "ls", like=r"'.x.pinfold'.* not a directory of root's")
    assert os.listdir(tmp_path / "victim") == [] and os.listdir(theirs) == [".x.pinfold"]


def test_directory_exchanged_once_it_is_made(theirs, tmp_path):
    """Between making and opening: root's files went through his links into the victim's place."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    trap = theirs / "trap"
    code = """
made, trap, victim = sys.argv[1:]
for d in (trap, trap + "/image.new"):
    os.mkdir(d, 0o700)
    os.symlink(victim, d + "/etc")
print("ready", flush=True)
while not os.path.lexists(made):
    pass
os.rename(made, made + ".away")
os.rename(trap, made)
"""
    p = as_user(code, theirs / ".x.pinfold", trap, victim, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "ready\n"
    slow = "inject=mkdirat,mkdir:delay_exit=2000000:when=1"
    made = image(
        "build", "-o", theirs / "x", "ls", before=["strace", "-qq", "-o", "/dev/null", "-e", slow]
    )
    assert p.wait(10) == 0
    assert os.listdir(victim) == []
    assert made.returncode == 125 and "not a directory of root's" in made.stderr


@pytest.mark.limit(30)
def test_killed_at_any_time_there(theirs):
    """What is left is swept, and only that."""
    for delay in (0.002, 0.005, 0.01, 0.02, 0.04):
        p = subprocess.Popen(
            [PINFOLD, "image", "build", "-o", theirs / "x", "--replace", "ls"],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(delay)
        p.send_signal(signal.SIGKILL)
        p.wait()
    build("-o", theirs / "x", "--replace", "ls")
    assert os.listdir(theirs) == ["x"] and run("/usr/bin/ls", theirs / "x").returncode == 0


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
