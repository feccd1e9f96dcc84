# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold image: the libraries it takes, found by reading, are those that the dynamic loader finds."""

import os
import re
import shutil
import subprocess
import sys

import pytest

import imaging
from imaging import (
    LOADER,
    build,
    compile_c,
    fails,
    files,
    library,
    program,
    resolved,
    run,
)

pytestmark = imaging.pytestmark

PROGRAMS = (
    "bash crun curl dpdk-testpmd dpkg gcc gdb git grep gpg ip ls lspci numactl perl ps "
    "python3 ssh tar tmux tshark vim"
).split()


def unnamed(paths):
    """Without what glibc loads when a thread ends, and names in no file."""
    return {p for p in paths if not os.path.basename(p).startswith("libgcc_s.so")}


def status(prog, root=None):
    return run(prog, root).returncode


def same(tmp_path, prog, **kw):
    """The image of a program has what the loader finds, and the program does in it as here."""
    root = tmp_path / "image"
    build("-o", root, prog, **kw)
    assert unnamed(files(root)) == unnamed({str(prog)} | resolved(prog))
    assert resolved(prog, root) == resolved(prog)
    assert status(prog, root) == status(prog)
    return root


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_this_machine(name, tmp_path):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    real = os.path.realpath(path)
    with open(real, "rb") as f:
        if f.read(4) != b"\x7fELF":
            pytest.skip(f"{name} is no ELF program")
    build("-o", tmp_path / "x", "--pmd", "none", path)
    assert unnamed(files(tmp_path / "x")) == unnamed({real} | resolved(real))
    assert unnamed(resolved(real, tmp_path / "x")) == unnamed(resolved(real))


# --- the loader's order ---------------------------------------------------------------------------


def needs(where, lib, *flags):
    """A library that returns what another one does."""
    symbol, other = (p.name.split(".")[0] for p in (where, lib))
    source = f"int {other}(void);int {symbol}(void){{return {other}();}}"
    soname = f"-Wl,-soname,{where.name}"
    return compile_c(where.parent, where.name, source, "-shared", "-fPIC", soname, lib, *flags)


def rpath(path):
    return f"-Wl,--disable-new-dtags,-rpath,{path}"


def runpath(path):
    return f"-Wl,--enable-new-dtags,-rpath,{path}"


@pytest.mark.parametrize(
    "form", ["$ORIGIN/lib", "${ORIGIN}/lib", "$ORIGIN/none:$ORIGIN/../app/lib", "{tmp}/app/lib"]
)
@pytest.mark.parametrize("how", [rpath, runpath])
def test_path_in_the_program(tmp_path, how, form):
    lib = library(tmp_path / "app/lib/liba.so", 5)
    prog = program(tmp_path / "app/prog", lib, how(form.replace("{tmp}", str(tmp_path))))
    root = same(tmp_path, prog)
    assert str(lib) in files(root)


@pytest.mark.parametrize("form", ["$ORIGIN/$LIB", "${ORIGIN}/${LIB}"])
def test_lib_token(tmp_path, form):
    for folder in ("lib/x86_64-linux-gnu", "lib64"):
        lib = library(tmp_path / folder / "liba.so", 5)
    same(tmp_path, program(tmp_path / "prog", lib, rpath(form)))


def test_platform_token(tmp_path):
    """Which platform it is the CPU says: all that are there are taken."""
    libs = [library(tmp_path / f"lib-{p}/liba.so", 5) for p in ("haswell", "xeon_phi", "x86_64")]
    prog = program(tmp_path / "prog", libs[0], rpath("$ORIGIN/lib-$PLATFORM"))
    build("-o", tmp_path / "x", prog)
    assert {str(p) for p in libs} <= files(tmp_path / "x")
    assert status(prog, tmp_path / "x") == status(prog) == 5


def test_rpath_is_inherited(tmp_path):
    b = library(tmp_path / "lib/libb.so", 6)
    a = needs(tmp_path / "lib/liba.so", b)
    same(tmp_path, program(tmp_path / "prog", a, rpath("$ORIGIN/lib")))


def test_runpath_is_not_inherited(tmp_path):
    b = library(tmp_path / "lib/libb.so", 6)
    a = needs(tmp_path / "lib/liba.so", b)
    prog = program(tmp_path / "prog", a, runpath("$ORIGIN/lib"))
    assert status(prog) == 127
    fails("build", "-o", tmp_path / "x", prog, like="liba.so': its library 'libb.so'")


def test_runpath_ends_the_rpath(tmp_path):
    b = library(tmp_path / "lib/libb.so", 6)
    a = needs(tmp_path / "lib/liba.so", b, runpath("$ORIGIN/none"))
    prog = program(tmp_path / "prog", a, rpath("$ORIGIN/lib"))
    assert status(prog) == 127
    fails("build", "-o", tmp_path / "x", prog, like="its library 'libb.so'")


def test_rpath_before_the_usual_folders(tmp_path):
    """Also for what others need: a copy of a library of the system is then the only one."""
    usual = next(p for p in resolved("/usr/bin/ls") if "libselinux" in p or "libpcre2" in p)
    own = (
        tmp_path
        / "lib"
        / next(
            n
            for n in os.listdir(os.path.dirname(usual))
            if os.path.realpath(f"{os.path.dirname(usual)}/{n}") == usual and n.count(".") == 2
        )
    )
    own.parent.mkdir()
    shutil.copy(usual, own)
    a = library(tmp_path / "lib/liba.so", 6)
    prog = program(tmp_path / "prog", a, "-Wl,--no-as-needed", own, rpath("$ORIGIN/lib"))
    root = same(tmp_path, prog)
    assert str(own) in files(root) and usual not in files(root)


def test_loaded_names_are_not_looked_for(tmp_path):
    """The first library of a name serves all, wherever the others would find one."""
    first = library(tmp_path / "one/liba.so", 1)
    other = library(tmp_path / "two/liba.so", 2)
    b = needs(tmp_path / "two/libb.so", other, runpath("$ORIGIN"))
    flags = ("-Wl,--no-as-needed", b, rpath(f"{tmp_path}/one:{tmp_path}/two"))
    root = same(tmp_path, program(tmp_path / "prog", first, *flags))
    assert str(other) not in files(root)


def test_one_file_of_two_names_is_one(tmp_path):
    a = library(tmp_path / "lib/liba.so", 1)
    alias = tmp_path / "lib/libalias.so"
    os.link(a, alias)
    b = needs(tmp_path / "lib/libb.so", a)
    prog = program(tmp_path / "prog", b, "-Wl,--no-as-needed", rpath("$ORIGIN/lib"))
    alias.unlink()
    alias.symlink_to("liba.so")
    root = same(tmp_path, prog)
    assert str(a) in files(root)


def test_other_machines_are_passed_over(tmp_path):
    a = library(tmp_path / "lib/liba.so", 4)
    other = tmp_path / "other/liba.so"
    other.parent.mkdir()
    data = bytearray(a.read_bytes())
    data[18:20] = b"\xb7\x00"  # AArch64
    other.write_bytes(data)
    root = same(tmp_path, program(tmp_path / "prog", a, rpath("$ORIGIN/other:$ORIGIN/lib")))
    assert str(other) not in files(root)


def supported():
    text = subprocess.run([LOADER, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(x86-64-v[234]) \(supported", text)


def hwcaps(where, name="liba.so"):
    """A library in all its versions, which return 10, and 12 to 14."""
    first = library(where / name, 10)
    return [first] + [
        library(where / f"glibc-hwcaps/x86-64-v{v}" / name, 10 + v) for v in (2, 3, 4)
    ]


def test_versions_for_cpus(tmp_path):
    """All are taken: the image may go to another machine. The loader chooses as it does here."""
    libs = hwcaps(tmp_path / "lib")
    prog = program(tmp_path / "prog", libs[0], rpath("$ORIGIN/lib"))
    root = tmp_path / "x"
    build("-o", root, prog)
    assert {str(p) for p in libs} <= files(root)
    assert status(prog, root) == status(prog)
    libs[0].unlink()
    build("-o", root, "--replace", prog)
    assert {str(p) for p in libs[1:]} <= files(root) and str(libs[0]) not in files(root)
    assert status(prog, root) == status(prog) == (12 if not supported() else status(prog))


# --- folders of /etc/ld.so.conf -------------------------------------------------------------------

CONF = 'mount --bind "$1" /etc/ld.so.conf.d && shift && exec "$@" || exit 99'


@pytest.fixture
def conf(tmp_path):
    """Writes a file for /etc/ld.so.conf.d; what is returned goes before a command that shall see it."""
    if not os.path.exists("/etc/ld.so.conf.d"):
        pytest.skip("no /etc/ld.so.conf.d here")
    with open("/etc/ld.so.conf", encoding="utf-8") as f:
        if not re.search(r"^include.*/etc/ld\.so\.conf\.d/\*\.conf", f.read(), re.M):
            pytest.skip("/etc/ld.so.conf does not include /etc/ld.so.conf.d")

    def write(text):
        folder = tmp_path / "conf.d"
        folder.mkdir(exist_ok=True)
        (folder / "test.conf").write_text(text)
        return ["unshare", "-m", "sh", "-c", CONF, "sh", folder]

    return write


def test_odd_folders(conf, tmp_path):
    """The image's own cache leads the loader there, to the first folder that has a library."""
    a = library(tmp_path / "odd place/liba.so", 21)
    library(tmp_path / "second/liba.so", 22)
    b = needs(tmp_path / "second/libb.so", a)
    prog = program(tmp_path / "prog", b)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/more").write_text(f"{tmp_path}/second\n")
    before = conf(
        f"# {tmp_path}/no\n  {tmp_path}/odd place  # yes\n\ninclude more none*\nhwcap 0 x\n"
    )
    root = tmp_path / "x"
    build("-o", root, prog, before=before)
    assert str(a) in files(root) and str(tmp_path / "second/liba.so") not in files(root)
    assert status(prog, root) == 21
    # by the word of the one who else writes such caches
    text = subprocess.run(
        ["ldconfig", "-p", "-C", root / "etc/ld.so.cache"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert text.stderr == "" and f"libb.so (libc6,x86-64) => {b}" in text.stdout


def test_odd_folder_with_origin(conf, tmp_path):
    """$ORIGIN is the folder that a library was found in, not where a link of it lies."""
    deep = library(tmp_path / "odd/deep/libdeep.so", 23)
    a = needs(tmp_path / "odd/liba.so", deep, runpath("$ORIGIN/deep"))
    prog = program(tmp_path / "prog", a)
    build("-o", tmp_path / "x", prog, before=conf(f"{tmp_path}/odd\n"))
    assert status(prog, tmp_path / "x") == 23


def test_odd_folder_with_versions_for_cpus(conf, tmp_path):
    libs = hwcaps(tmp_path / "odd")
    prog = program(tmp_path / "prog", libs[0])
    root = tmp_path / "x"
    build("-o", root, prog, before=conf(f"{tmp_path}/odd\n"))
    best = max([0, *(int(v[-1]) for v in supported())])
    assert status(prog, root) == 10 + best
    # the cache is as ldconfig's
    (root / "etc/ld.so.conf").write_text(f"{tmp_path}/odd\n")
    subprocess.run(["ldconfig", "-X", "-r", root], check=True)
    assert status(prog, root) == 10 + best


def test_names_in_the_order_of_the_loader(conf, tmp_path):
    """It searches by halves: numbers in names compare as numbers."""
    names = ["liba-2.so", "liba-10.so", "liba.so", "liba1b.so", "liba_.so", "libA.so", "liba9.so.1"]
    odd = tmp_path / "odd"
    for i, name in enumerate(names):
        library(odd / name, 30 + i, symbol="value")
    before = conf(f"{odd}\n")
    root = tmp_path / "x"
    progs = []
    for i, name in enumerate(names):
        source = "int value(void);int main(void){return value();}"
        progs.append(compile_c(tmp_path, f"prog{i}", source, odd / name))
    build("-o", root, *progs, before=before)
    for i, prog in enumerate(progs):
        assert status(prog, root) == 30 + i, names[i]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
