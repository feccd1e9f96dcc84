# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold image: what is in an image, that it runs, and that a failure leaves nothing."""

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

import imaging
from imaging import build, compile_c, fails, image, PINFOLD
from schemas import validate
from workload import Started

pytestmark = imaging.pytestmark

TESTPMD = shutil.which("dpdk-testpmd")

needs_dpdk = pytest.mark.skipif(TESTPMD is None, reason="package dpdk is not installed")


def tree(root):
    """Path below root to (mode, link or size)."""
    res = {}
    for d, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(d, name)
            st = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(st.st_mode) else st.st_size
            res[os.path.relpath(path, root)] = (st.st_mode, what)
    return res


@pytest.fixture(scope="module")
def testpmd(tmp_path_factory):
    if TESTPMD is None:
        pytest.skip("package dpdk is not installed")
    where = tmp_path_factory.mktemp("image") / "testpmd"
    build("-o", where, "dpdk-testpmd")
    return where


# --- what is in it --------------------------------------------------------------------------------


@needs_dpdk
def test_size(testpmd):
    total = sum(os.lstat(os.path.join(d, f)).st_size for d, _, fs in os.walk(testpmd) for f in fs)
    assert total < 45_000_000


@needs_dpdk
def test_links_are_kept(testpmd):
    files = tree(testpmd)
    for path, (mode, what) in files.items():
        if not stat.S_ISLNK(mode):
            continue
        assert os.readlink("/" + path) == what or path == "var/run"
        # every link leads somewhere in the image
        target = os.path.normpath(os.path.join("/", os.path.dirname(path), what))
        assert os.path.lexists(str(testpmd) + target), path
    pmds = [p for p in files if "/dpdk/pmds-" in p]
    assert pmds
    # no file is there twice under two names
    for name in {os.path.basename(p) for p in pmds}:
        same = [mode for p, (mode, _) in files.items() if os.path.basename(p) == name]
        assert sum(map(stat.S_ISREG, same)) <= 1


@needs_dpdk
def test_modes_and_owner(testpmd):
    for d, dirs, files in os.walk(testpmd):
        for name in dirs + files:
            st = os.lstat(os.path.join(d, name))
            assert (st.st_uid, st.st_gid) == (0, 0)
            assert not st.st_mode & (stat.S_ISUID | stat.S_ISGID)
    for d in ("dev", "proc", "sys", "run", "tmp", "var/tmp"):
        assert os.path.isdir(testpmd / d) and os.listdir(testpmd / d) == []
    assert stat.S_IMODE(os.stat(testpmd).st_mode) == 0o755
    assert stat.S_IMODE(os.stat(testpmd / "tmp").st_mode) == 0o1777
    assert os.readlink(testpmd / "var/run") == "../run"


@needs_dpdk
def test_manifest(testpmd):
    m = json.loads((testpmd / "etc/pinfold-image.json").read_text())
    assert m["programs"] == [TESTPMD]
    assert "net_memif" in m["dpdk"]["pmds"] and "bus_vdev" in m["dpdk"]["pmds"]
    assert m["bytes"] == sum(f["bytes"] for f in m["files"])
    for f in m["files"]:
        assert os.lstat(str(testpmd) + f["path"]).st_size == f["bytes"]
    names = {os.path.basename(f["path"]) for f in m["files"]}
    assert "libgcc_s.so.1" in names and any(n.startswith("librte_eal.so") for n in names)


def test_setuid_is_dropped(tmp_path):
    if shutil.which("su") is None:
        pytest.skip("no su")
    build("-o", tmp_path / "x", "su")
    su = os.path.realpath(shutil.which("su"))
    assert os.stat(su).st_mode & stat.S_ISUID
    assert stat.S_IMODE(os.stat(str(tmp_path / "x") + su).st_mode) == 0o755


def test_static_program(tmp_path):
    prog = compile_c(tmp_path, "forty-two", "int main(void){return 42;}", "-static")
    build("-o", tmp_path / "x", prog)
    assert subprocess.run(["chroot", tmp_path / "x", "forty-two"], check=False).returncode == 42
    m = json.loads((tmp_path / "x/etc/pinfold-image.json").read_text())
    assert len(m["files"]) == 1 and m["dpdk"] is None


def test_relative_program_and_added_file(tmp_path):
    compile_c(tmp_path, "prog", "int main(void){return 7;}")
    (tmp_path / "data.txt").write_text("hello")
    build("-o", "./x", "--add", "data.txt", "./prog", cwd=tmp_path)
    root = tmp_path / "x"
    assert (root / str(tmp_path / "data.txt").lstrip("/")).read_text() == "hello"
    assert subprocess.run(["chroot", root, "prog"], check=False).returncode == 7


def test_script_takes_its_interpreter(tmp_path):
    script = tmp_path / "hello"
    script.write_text("#!/bin/sh\necho hello from $0\n")
    script.chmod(0o755)
    p = build("-o", tmp_path / "x", script)
    assert "is a script" in p.stderr and "/bin/sh" in p.stderr
    out = subprocess.run(
        ["chroot", tmp_path / "x", "hello"], capture_output=True, text=True, check=True
    )
    assert out.stdout.startswith("hello from")


@needs_dpdk
def test_choice_of_drivers(tmp_path):
    build("-o", tmp_path / "n", "--pmd", "none", "dpdk-testpmd")
    build("-o", tmp_path / "l", "--pmd", "null,bus_vdev", "dpdk-testpmd")
    m = json.loads((tmp_path / "n/etc/pinfold-image.json").read_text())
    assert m["dpdk"]["pmds"] == []
    m = json.loads((tmp_path / "l/etc/pinfold-image.json").read_text())
    # what every DPDK program needs is there whatever was named
    assert m["dpdk"]["pmds"] == ["bus_pci", "bus_vdev", "mempool_ring", "net_null"]
    e = tmp_path / "e"
    fails("build", "-o", e, "--pmd", "net_nul", "dpdk-testpmd", like="did you mean 'net_null'")
    fails("build", "-o", e, "--pmd", "memif", "ls", like="librte_eal")
    assert not (tmp_path / "e").exists()


# --- that it runs ---------------------------------------------------------------------------------

RUN = r"""
mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" &&
mount -t tmpfs run "$1/run" || { echo "cannot mount"; exit 99; }
root=$1; shift
exec chroot "$root" /usr/bin/dpdk-testpmd "$@"
"""


@needs_dpdk
def test_testpmd_runs_in_it(testpmd, tmp_path):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("testpmd wants two CPUs")
    s = Started(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            RUN,
            "sh",
            testpmd,
            "--no-huge",
            "--no-pci",
            "-m",
            "64",
            "--vdev",
            "net_null0",
            "--vdev",
            "net_memif0",
            "-l",
            f"{cpus[0]},{cpus[1]}",
            "--",
            "--total-num-mbufs=2048",
            "--stats-period",
            "1",
        ],
        tmp_path / "log",
    )
    try:
        if s.until("NIC statistics for port 1|^cannot mount", 40)[0] == "cannot mount":
            pytest.skip(" ".join(s.text().split()))
        s.signal(signal.SIGINT)
        s.end()
    finally:
        s.process.kill()
        s.process.wait()
    assert "Bye..." in s.text()


# --- list -----------------------------------------------------------------------------------------


def test_list(tmp_path):
    build("-o", tmp_path / "x", "ls")
    rows = validate("images", json.loads(image("list", "--json", tmp_path / "x").stdout))
    assert len(rows) == 1
    assert rows[0]["program"] == shutil.which("ls") and rows[0]["bytes"] > 0
    text = image("list", tmp_path / "x").stdout.splitlines()
    assert text[0].split() == ["NAME", "SIZE", "FILES", "DPDK", "PROGRAM"] and len(text) == 2
    fails("list", tmp_path, like="not an image")
    fails("list", tmp_path / "nothing", like="nothing")


def test_named_image():
    name = f"test-{os.getpid()}"
    where = f"/var/lib/pinfold/images/{name}"
    try:
        build("-o", name, "ls")
        assert os.path.isfile(f"{where}/etc/pinfold-image.json")
        assert name in [r["name"] for r in json.loads(image("list", "--json").stdout)]
    finally:
        shutil.rmtree(where, ignore_errors=True)


# --- remove ---------------------------------------------------------------------------------------


def removed(*names):
    p = image("remove", *names)
    assert (p.returncode, p.stdout, p.stderr) == (0, "", "")


def test_remove(tmp_path):
    build("-o", tmp_path / "x", "ls")
    build("-o", tmp_path / "y", "ls")
    removed(tmp_path / "x", f"{tmp_path}/y/")
    assert os.listdir(tmp_path) == []
    fails("remove", tmp_path / "x", like="remove image '.*/x': there is none")


def test_only_an_image_is_removed(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("precious")
    build("-o", tmp_path / "x", "ls")
    (tmp_path / "link").symlink_to("x")
    for name in ("mine", "link"):
        fails("remove", tmp_path / name, like=f"remove '.*/{name}': it is not an image")
    fails("remove", "/", like="not the name")
    # the others go
    p = image("remove", mine, tmp_path / "x")
    assert p.returncode == 125 and p.stderr.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["link", "mine"] and (mine / "file").exists()


def test_remove_of_a_damaged_image(tmp_path):
    build("-o", tmp_path / "x", "ls")
    (tmp_path / "x/etc/pinfold-image.json").write_text("{")
    removed(tmp_path / "x")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def named():
    """A name in the usual place, and the directory where a build of it works."""
    name = f"test-{os.getpid()}"
    where = f"/var/lib/pinfold/images/{name}", f"/var/lib/pinfold/images/.{name}.pinfold"
    yield name, where[1]
    for path in where:
        shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("what", ["new", "old"])
def test_what_is_left_of_it_is_named_and_removed(named, what):
    """Of a build that was killed, and of a removal that was."""
    name, work = named
    build("-o", name, "ls")
    os.mkdir(work, 0o700)
    shutil.copytree(f"/var/lib/pinfold/images/{name}", f"{work}/image.{what}", symlinks=True)
    rows = validate("images", json.loads(image("list", "--json").stdout))
    assert {"name": name, "path": work, "leftovers": True} in rows
    assert f"pinfold image remove {name}\n" in image("list").stdout
    removed(name)
    assert not os.path.exists(work)
    assert name not in [r["name"] for r in json.loads(image("list", "--json").stdout)]
    # also where there is no image of the name any more
    os.mkdir(work, 0o700)
    removed(name)
    assert not os.path.exists(work)


def test_what_a_build_works_on_is_not_left(named):
    name, work = named
    os.mkdir(work, 0o700)
    fd = os.open(work, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        assert name not in image("list").stdout
        fails("remove", name, like="another command builds or removes it")
    finally:
        os.close(fd)


# --- wrong input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args, like",
    [
        (["build"], "-o"),
        (["build", "ls"], "-o"),
        (["build", "-o"], "value"),
        (["build", "-o", "x"], "no program"),
        (["build", "-o", "Bad Name", "ls"], "Bad Name"),
        (["build", "-o", "./..", "ls"], "not the name"),
        (["build", "-o", "/", "ls"], "not the name"),
        (["build", "--relpace", "-o", "x", "ls"], "--replace"),
        (["nonsense"], "nonsense"),
        (["remove"], "name at least one image"),
        (["remove", "Bad Name"], "Bad Name"),
        (["remove", "--force", "x"], "unknown option"),
        ([], "build, list or remove"),
    ],
)
def test_usage(args, like, tmp_path):
    fails(*args, like=like, cwd=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "program, like",
    [
        ("no-such-program", "'no-such-program': not in PATH"),
        ("/no/such/program", "No such file"),
        ("/etc/passwd", "neither an ELF program nor a script"),
        ("/usr", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("", "empty"),
    ],
)
def test_wrong_program_leaves_nothing(program, like, tmp_path):
    fails("build", "-o", tmp_path / "x", program, like=like)
    assert os.listdir(tmp_path) == []


def test_damaged_programs(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with open(os.path.realpath(shutil.which("ls")), "rb") as f:
        data = f.read()
    cases = {
        "short": data[:30],
        "cut": data[:300],
        "machine": data[:18] + b"\xf3\x00" + data[20:],
        "class": data[:4] + b"\x01" + data[5:],
        "table": data[:32] + b"\xff" * 8 + data[40:],
    }
    for name, content in cases.items():
        prog = tmp_path / name
        prog.write_bytes(content)
        prog.chmod(0o755)
        fails("build", "-o", out / "x", prog, like=f"'{prog}'")
        assert os.listdir(out) == []


def test_missing_library_is_named(tmp_path):
    library = ["-shared", "-fPIC", "-Wl,-soname,libabsent.so.4"]
    compile_c(tmp_path, "libabsent.so", "int f(void){return 1;}", *library)
    source = "int f(void);int main(void){return f();}"
    prog = compile_c(tmp_path, "prog", source, f"-L{tmp_path}", "-Wl,--no-as-needed", "-labsent")
    fails("build", "-o", tmp_path / "x", prog, like="libabsent.so.4.*apt-file")
    assert sorted(os.listdir(tmp_path)) == ["libabsent.so", "prog"]


def test_foreign_loader_is_refused(tmp_path):
    source = "int main(void){return 0;}"
    prog = compile_c(tmp_path, "prog", source, "-Wl,--dynamic-linker=/bin/touch")
    fails("build", "-o", tmp_path / "x", prog, like="dynamic loader '/bin/touch'")
    assert os.listdir(tmp_path) == ["prog"]


def test_existing_directory(tmp_path):
    where = tmp_path / "x"
    where.mkdir()
    (where / "mine").write_text("precious")
    fails("build", "-o", where, "ls", like="--replace")
    fails("build", "-o", where, "--replace", "ls", like="not an image")
    assert (where / "mine").read_text() == "precious" and os.listdir(tmp_path) == ["x"]


def test_replace(tmp_path):
    where = tmp_path / "x"
    build("-o", where, "ls")
    fails("build", "-o", where, "cat", like="exists")
    build("-o", where, "--replace", "cat")
    assert (where / "usr/bin/cat").exists() and not (where / "usr/bin/ls").exists()
    assert os.listdir(tmp_path) == ["x"]
    # a failure keeps the old one
    fails("build", "-o", where, "--replace", "no-such-program", like="no-such-program")
    assert (where / "usr/bin/cat").exists() and os.listdir(tmp_path) == ["x"]


def test_two_builds_of_one_image(tmp_path):
    (tmp_path / ".x.pinfold").mkdir(mode=0o700)
    fd = os.open(tmp_path / ".x.pinfold", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fails("build", "-o", tmp_path / "x", "ls", like="another command builds or removes it")
    build("-o", tmp_path / "y", "ls")
    os.close(fd)
    build("-o", tmp_path / "x", "ls")
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]


IN_TMPFS = r"""
mount -t tmpfs -o "$1" none "$2" || exit 99
shift; cd "$1"; shift
"$@"; status=$?
ls -A | grep . && echo "left something" >&2
exit $status
"""


@pytest.mark.parametrize(
    "options, like",
    [
        ("size=1m", "MB are free"),
        ("size=64m,nr_inodes=20", "No space left"),
        ("size=64m,ro", "Read-only"),
    ],
)
def test_full_or_unwritable_destination(options, like, tmp_path):
    p = subprocess.run(
        [
            "unshare",
            "-m",
            "sh",
            "-c",
            IN_TMPFS,
            "sh",
            options,
            tmp_path,
            PINFOLD,
            "image",
            "build",
            "-o",
            "./x",
            "ls",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if p.returncode == 99:
        pytest.skip(f"cannot mount a tmpfs: {p.stderr}")
    assert p.returncode == 125 and p.stdout == ""
    assert like in p.stderr and p.stderr.count("\n") == 1


def test_missing_parent(tmp_path):
    fails("build", "-o", tmp_path / "no/x", "ls", like="No such file")
    fails("build", "-o", "/proc/x", "ls", like="/proc")


@needs_dpdk
@pytest.mark.parametrize("delay", [0.02, 0.05, 0.1, 0.15])
def test_interrupted_build_leaves_nothing(delay, tmp_path):
    p = subprocess.Popen(
        [PINFOLD, "image", "build", "-o", tmp_path / "x", "--pmd", "all", "dpdk-testpmd"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(delay)
    p.send_signal(signal.SIGTERM)
    status = p.wait(60)
    assert status in (0, 125, -signal.SIGTERM)
    assert os.listdir(tmp_path) in ([], ["x"])
    if status != 0 and os.listdir(tmp_path):
        # the signal came when the image was whole
        assert (tmp_path / "x/etc/pinfold-image.json").exists()


@needs_dpdk
def test_what_a_killed_build_left_is_swept(tmp_path):
    args = ["-o", tmp_path / "x", "--pmd", "all", "dpdk-testpmd"]
    left = tmp_path / ".x.pinfold/image.new/usr"
    for _ in range(20):
        p = subprocess.Popen([PINFOLD, "image", "build", *args], stdout=subprocess.DEVNULL)
        while p.poll() is None and not left.exists():
            pass
        p.kill()
        if p.wait() == -signal.SIGKILL and left.exists():
            break
        shutil.rmtree(tmp_path / "x", ignore_errors=True)  # it was done before we came
    assert left.exists()
    build("-o", tmp_path / "x", "ls")
    assert os.listdir(tmp_path) == ["x"] and not (tmp_path / "x/usr/bin/dpdk-testpmd").exists()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
