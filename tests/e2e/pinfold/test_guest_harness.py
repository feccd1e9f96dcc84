# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""tests/guest: what the guest is started from, and that every way it can end is told apart."""

import os
import shutil
import subprocess
import sys
import types

import pytest
from places import TOP

from workload import GUEST, needs_root

sys.path.insert(0, str(TOP / "tests/guest"))
import initramfs
import kernel
import machine

RUN = TOP / "tests/guest/run"
pytestmark = [pytest.mark.anywhere]


def test_archive_is_what_cpio_reads(tmp_path):
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    archive = initramfs.Archive()
    archive.directory("d")
    for n in range(9):  # every alignment of name and content
        archive.file(f"d/{'n' * n}x", b"c" * n, 0o755)
    subprocess.run(
        ["busybox", "cpio", "-i"],
        input=archive.bytes(),
        cwd=tmp_path,
        check=True,
        timeout=20,
        capture_output=True,
    )
    found = {p.name: p.read_bytes() for p in (tmp_path / "d").iterdir()}
    assert found == {f"{'n' * n}x": b"c" * n for n in range(9)}
    assert (tmp_path / "d/x").stat().st_mode & 0o777 == 0o755


def test_modules_come_after_what_they_need(tmp_path):
    """The order is that of modules.dep, which depmod wrote of real modules: nearest need first."""
    (tmp_path / "modules.dep").write_text(
        "k/9p.ko: k/9pnet.ko k/fscache.ko k/netfs.ko\nk/9pnet.ko:\nk/netfs.ko:\n"
        "k/fscache.ko: k/netfs.ko\nk/virtio-pci.ko.xz: k/virtio.ko\nk/virtio.ko:\n"
    )
    fake = types.SimpleNamespace(modules=tmp_path)
    order = [p.name for p in initramfs.in_order(fake, ["virtio_pci", "9p", "built_in"])]
    assert order == ["virtio.ko", "virtio-pci.ko.xz", "netfs.ko", "fscache.ko", "9pnet.ko", "9p.ko"]


@pytest.mark.parametrize(
    "change, like",
    [
        ({"cpus": 3}, "3 CPUs"),
        ({"cpus": 0}, "0 CPUs"),
        ({"memory": 1024}, "1024 MiB"),
        ({"pages_1g": 4}, "hugepages"),
    ],
)
def test_machine_that_cannot_be(change, like):
    if shutil.which(machine.QEMU) is None:
        pytest.skip(f"{machine.QEMU} is not installed")
    with pytest.raises(ValueError, match=like):
        machine.check(machine.Machine(**change))


def test_without_qemu_it_says_so():
    p = subprocess.run(
        [RUN, "--", "true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": "/nowhere"},
    )
    assert p.returncode == 77 and p.stdout == ""
    assert p.stderr.count("\n") == 1
    assert "qemu-system-x86" in p.stderr or "needs root" in p.stderr


def test_without_a_kernel_it_says_so(tmp_path, monkeypatch):
    """No cache and no apt: one line, and nothing is left of a cache."""
    monkeypatch.setattr(kernel, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(kernel.Missing, match="linux-image-amd64"):
        kernel.find()
    assert list(tmp_path.rglob("*")) == []


def guest(command, *flags, seconds=240):
    if GUEST:
        pytest.skip("a guest in a guest would be tried for ever")
    p = subprocess.run(
        [RUN, *flags, "--", "sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if p.returncode == 77:
        pytest.skip(p.stderr.strip())
    return p


@needs_root
@pytest.mark.full
@pytest.mark.limit(300)
def test_status_output_and_files_come_out(tmp_path):
    (tmp_path / "big").write_text("host\n")
    script = (
        f"echo out; echo err >&2; echo x > /out/made; cat {TOP}/LICENSE >/dev/null && echo same;"
        f"echo guest > {TOP}/LICENSE; touch /etc/of-the-guest; ls {tmp_path}; exit 7"
    )
    p = guest(script, "-o", tmp_path / "results")
    assert p.returncode == 7, p.stderr
    assert p.stdout.splitlines()[:3] == ["out", "err", "same"]
    assert (tmp_path / "results/made").read_text() == "x\n"
    # the machine is as it was
    assert not os.path.exists("/etc/of-the-guest")
    assert (TOP / "LICENSE").read_text() != "guest\n"
    # what lies in the machine's /tmp is none of the guest's business
    assert "big" not in p.stdout


@needs_root
@pytest.mark.full
@pytest.mark.limit(300)
@pytest.mark.parametrize(
    "script, flags, status, says",
    [
        ("sleep 1000", ["-t", "60"], 124, "took longer than 60 s"),
        (
            "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger",
            [],
            125,
            "sysrq triggered crash",
        ),
        ("true", ["-a", "init=/nowhere rdinit=/nowhere"], 125, "before it was up"),
    ],
    ids=["late", "panic", "no-boot"],
)
def test_other_ends(script, flags, status, says):
    p = guest(script, *flags)
    assert p.returncode == status, p.stderr
    assert says in p.stderr, p.stderr
