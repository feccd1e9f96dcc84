# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""One run of the guest: start it, watch it, end it in time, bring out what it left."""

import contextlib
import ctypes
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import initramfs
import kernel
import machine as qemu
from kernel import CACHE, Missing

TIMED_OUT, DIED = 124, 125
BOOT_SECONDS = {"kvm": 20, "tcg": 240}  # to the command: 2 or 3, emulated 15, busy 60
SYSTEMD = 3  # as process 1: so many times longer
BOOTS = 3  # at most, of a guest that starts itself again
DISK_MIB = 2048  # at most; what is not written takes no room
WAIT_SECONDS = 1800  # for another guest to end
PR_SET_PDEATHSIG = 1
TOP = Path(__file__).resolve().parents[2]


def say(text):
    print(f"guest: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone():
    """Holds the cache and the right to run a guest: one on a machine at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        deadline = time.monotonic() + WAIT_SECONDS
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                pass
            if time.monotonic() > deadline:
                raise Missing(f"another guest has been running for {WAIT_SECONDS} s")
            if not told:
                say("waiting for another guest to end")
                told = True
            time.sleep(0.5)
        yield


def prepare():
    """What guests want of the cache, for who holds the right to run several: all of them read there."""
    reason = kernel.igb_uio(kernel.find())
    if reason:
        say(reason)


def kvm_looks_usable():
    """Whether a try with KVM is worth its time. A VM that /dev/kvm lets one create may still not
    boot: some kernels emulate each instruction. Such have none of the two hardware modules."""
    wanted = os.environ.get("PINFOLD_GUEST_ACCEL", "")
    if wanted:
        return wanted == "kvm"
    modules = [Path("/sys/module/kvm_intel"), Path("/sys/module/kvm_amd")]
    return any(m.is_dir() for m in modules) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def settings(command, directory, modules, accel, tty, systemd):
    """Shell variables for the two stages."""
    values = {
        "accel": accel,
        "top": str(TOP),
        "dir": directory,
        "modules": str(modules),
        "tty": "1" if tty else "0",
        "disk": "/dev/vda" if systemd else "",
        "command": command,
    }
    return "".join(f"{k}={shlex.quote(v)}\n" for k, v in values.items())


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch(argv, out, boot, seconds, stdin):
    """Runs QEMU. Returns "ended", "not booted" or "late"; nothing of it runs afterwards."""
    started = out / "started"
    begin = time.monotonic()
    with (
        open(out / "qemu.log", "wb") as log,
        subprocess.Popen(argv, stdin=stdin, stderr=log, preexec_fn=die_with_parent) as process,
    ):
        try:
            while process.poll() is None:
                now = time.monotonic() - begin
                if now > boot and not started.exists():
                    return "not booted"
                if now > seconds:
                    return "late"
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
            return "ended"
        finally:
            process.kill()


def tell(out, lines=200):
    """For people: what QEMU complained about and the end of the serial line."""
    for name in ("qemu.log", "serial.log"):
        with contextlib.suppress(OSError):
            text = Path(out, name).read_text(errors="replace")
            shown = [s for s in text.replace("\r", "").splitlines() if s.strip()][-lines:]
            if shown:
                say(f"the end of {name}:")
                print("\n".join(f"    {s}" for s in shown), file=sys.stderr, flush=True)


def status_of(out):
    try:
        return int((out / "status").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def attempt(machine, argv, out, limit, seconds, stdin):
    """One boot. Returns the status, or None when the guest did not come as far as the command."""
    for name in ("started", "status", "status.new"):
        (out / name).unlink(missing_ok=True)
    begin = time.monotonic()
    how = watch(argv, out, limit, seconds, stdin)
    status = status_of(out)
    # a machine with a disk that ended so has started itself again. A new QEMU: one that emulates is slow to write to
    # pages that held code before
    for _ in range(BOOTS - 1 if machine.disk else 0):
        if how != "ended" or status is not None or not (out / "started").exists():
            break
        (out / "started").unlink()
        how = watch(argv, out, limit, seconds - (time.monotonic() - begin), stdin)
        status = status_of(out)
    if status is not None:
        return status
    if how == "late":
        say(f"took longer than {seconds} s")
        tell(out)
        return TIMED_OUT
    if (out / "started").exists():
        say("ended before its command did")
        tell(out)
        return DIED
    say(
        f"did not come up with {machine.accel} within {limit} s"
        if how == "not booted"
        else f"ended with {machine.accel} before it was up"
    )
    return None


def make_disk(path):
    """An empty file system, for a guest whose files are to outlive its reboot."""
    if shutil.which("mke2fs") is None:
        raise Missing("mke2fs is not installed (package e2fsprogs)")
    with open(path, "wb") as f:
        f.truncate(DISK_MIB << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", path], check=True, timeout=120)
    return str(path)


def run(
    command, machine, seconds=600, out=None, directory=None, tty=False, systemd=False, beside=False
):
    """Runs a shell command in the guest; its output goes to standard output.

    beside: another guest of the caller's, who holds the right to run them.
    systemd: it is process 1, and the files have a disk. When the guest is started again from inside, so is the
    command, which is to know how far it came.

    Returns its exit status, TIMED_OUT after that many seconds, or DIED when the guest ended by
    itself. What the command leaves in /out is in `out` afterwards. Raises Missing and ValueError.
    """
    if os.geteuid() != 0:
        raise Missing("needs root, to hand all of the machine's files to the guest")
    qemu.check(machine)
    right = contextlib.nullcontext() if beside else alone()
    with right, tempfile.TemporaryDirectory(prefix="pinfold-guest-") as work:
        out = Path(out).resolve() if out is not None else Path(work, "out")
        out.mkdir(parents=True, exist_ok=True)
        if "," in str(out):
            raise ValueError(f"'{out}': QEMU's options cannot say a comma in a path")
        found = kernel.find()
        initrd = Path(work, "initramfs")
        stdin = None if tty else subprocess.DEVNULL
        second = "systemd.sh" if systemd else "second.sh"
        if systemd:
            machine = replace(machine, disk=make_disk(Path(work, "disk")))
        # emulated, on a busy machine, a CPU that idles is now and then not woken again: once more
        for accel in ["kvm", "tcg", "tcg"] if kvm_looks_usable() else ["tcg", "tcg"]:
            machine = replace(machine, accel=accel)
            modules = found.modules.parent
            text = settings(command, directory or os.getcwd(), modules, accel, tty, systemd)
            initrd.write_bytes(initramfs.build(found, text, second, disk=systemd))
            argv = qemu.arguments(machine, found, initrd, out, tty)
            boot = BOOT_SECONDS[accel] * (SYSTEMD if systemd else 1)
            status = attempt(machine, argv, out, boot, seconds, stdin)
            if status is not None:
                return status
        tell(out)
        return DIED
