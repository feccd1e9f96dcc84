# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What the tests of images have in common."""

import json
import os
import re
import shutil
import subprocess

import pytest
from places import TOP

PINFOLD = os.path.join(TOP, os.environ.get("PINFOLD", "build/src/cli/pinfold"))
LOADER = "/lib64/ld-linux-x86-64.so.2"

pytestmark = [
    pytest.mark.anywhere,
    pytest.mark.skipif(not os.access(PINFOLD, os.X_OK), reason=f"{PINFOLD} is not built"),
    pytest.mark.skipif(os.geteuid() != 0, reason="images belong to root: needs root"),
]


def image(*args, before=(), **kw):
    """before: a command that runs it."""
    return subprocess.run(
        [*before, PINFOLD, "image", *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **kw,
    )


def build(*args, **kw):
    p = image("build", *args, **kw)
    assert p.returncode == 0, p.stderr
    return p


def fails(*args, like, **kw):
    p = image(*args, **kw)
    assert p.returncode == 125
    assert p.stdout == ""
    assert p.stderr.startswith("pinfold: ") and p.stderr.count("\n") == 1
    assert re.search(like, p.stderr), p.stderr


def files(root):
    """The files of an image, by its manifest."""
    with open(os.path.join(root, "etc/pinfold-image.json"), encoding="utf-8") as f:
        return {f["path"] for f in json.load(f)["files"]}


def compile_c(tmp_path, name, source, *flags):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    out = tmp_path / name
    out.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-x", "c", "-", "-x", "none", "-o", out, *flags]
    subprocess.run(command, input=source, text=True, check=True)
    return out


def library(where, value, *flags, symbol=None):
    """A shared library, called by its file name, whose function returns a value."""
    symbol = symbol or where.name.split(".")[0].replace("-", "_")
    source = f"int {symbol}(void){{return {value};}}"
    soname = f"-Wl,-soname,{where.name}"
    return compile_c(where.parent, where.name, source, "-shared", "-fPIC", soname, *flags)


def program(where, lib, *flags):
    """A program that exits with what a library's function returns."""
    symbol = lib.name.split(".")[0].replace("-", "_")
    source = f"int {symbol}(void);int main(void){{return {symbol}();}}"
    return compile_c(where.parent, where.name, source, "-Wl,--allow-shlib-undefined", lib, *flags)


# of $ORIGIN the loader learns from /proc
CHROOT = ["unshare", "-m", "sh", "-c", 'mount --bind /proc "$1/proc" && exec chroot "$@"', "sh"]


def run(path, root=None, *args, **kw):
    """A program that may be run, here or in its image."""
    command = [*(CHROOT if root else []), *([root] if root else []), path, *args]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **kw)


def resolved(path, root=None):
    """The files that the dynamic loader finds for such a program, by its own word."""
    p = run(LOADER, root, "--list", path, capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    # links are the same in an image
    found = {os.path.realpath(f) for f in re.findall(r"(/\S+) \(0x", p.stdout)}
    assert all(os.path.isfile(f"{root or ''}{f}") for f in found)
    return found
