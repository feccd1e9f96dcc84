# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Linux kernels of their own as neighbours on a wire: User Mode Linux, which has what the kernel at hand
may lack (VLANs, MPLS, GRE) and boots from this machine's files in some two seconds."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from workload import CPU, CPUS, SLOW

LINUX = shutil.which("linux.uml")
MODULES = Path("/usr/lib/uml/modules")
BOOT = 60 * SLOW  # seconds at most
KERNELS = ",".join(
    map(str, [c for c in CPUS if c != CPU] or CPUS)
)  # the last is for who forwards between them
MORTAL = ["setpriv", "--pdeathsig", "KILL"]  # ends with who started it, however that ends

INIT = """#!/bin/bash
export PATH=/usr/sbin:/sbin:/usr/bin:/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
stty -echo -onlcr
ip link set lo up
echo "@@ 0 0"
while IFS= read -r line; do
	eval "${line#* }" </dev/null 2>&1
	echo "@@ ${line%% *} $?"
done
echo o >/proc/sysrq-trigger
sleep 5
"""


def needs():
    """Skips where it cannot run."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and taps")
    if LINUX is None or not MODULES.is_dir():
        pytest.skip("package user-mode-linux is not installed")
    for tool in ("ip", "ping", "busybox", "nsenter", "unshare", "setpriv"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("the kernel has no /dev/net/tun")


class Lab:
    """A network of its own with a tap for each name. All that runs in it ends with it."""

    def __init__(self, directory, *taps):
        self.directory = directory
        (directory / "lib").mkdir()
        (directory / "lib/modules").symlink_to(MODULES)
        self.init = directory / "init"
        self.init.write_text(INIT)
        self.init.chmod(0o755)
        script = "".join(f"ip tuntap add {t} mode tap; ip link set {t} mtu 1600 up; " for t in taps)
        self.holder = subprocess.Popen(
            [
                *MORTAL,
                "unshare",
                "--net",
                "--pid",
                "--mount-proc",
                "--fork",
                "--kill-child",
                "sh",
                "-ec",
                f"{script} echo ready; exec sleep infinity",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self.holder.stdout.readline()
        if said != "ready\n":
            self.end()
            pytest.skip(f"no network namespace with taps here: {said.strip()}")
        pid = self.holder.pid
        first = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0]
        self.enter = ["nsenter", "-t", first, "-n"]

    def popen(self, *args, **kw):
        """A process in this network."""
        return subprocess.Popen([*MORTAL, *self.enter, *map(str, args)], **kw)

    def wait_for(self, tap):
        """Until a kernel's interface on it is up, which holds the tap: only then it has a queue."""
        deadline = time.monotonic() + 10 * SLOW
        while time.monotonic() < deadline:
            p = subprocess.run(
                [*self.enter, "ip", "link", "show", tap], capture_output=True, text=True, check=True
            )
            if "LOWER_UP" in p.stdout:
                return
            time.sleep(0.02)
        pytest.fail(f"nobody took {tap}")

    def end(self):
        """May be said again."""
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Linux:
    """One kernel, with one interface vec0 on a tap; obeys commands on its console."""

    def __init__(self, lab, tap, mac, modules):
        self.lab, self.name, self.said, self.asked = lab, tap, [], 0
        # a kernel of this kind is many processes: in the lab's namespace of them all end with it
        self.process = subprocess.Popen(
            [
                *lab.enter,
                "-p",
                "taskset",
                "-c",
                KERNELS,
                LINUX,
                "mem=96M",
                "rootfstype=hostfs",
                "root=/dev/root",
                "ro",
                "hostfs=/",
                "con=null",
                "con0=fd:0,fd:1",
                "quiet",
                f"umid={tap}",
                f"uml_dir={lab.directory}/",
                f"vec0:transport=tap,ifname={tap},depth=128,mac={mac}",
                f"init={lab.init}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.modules = f"modprobe -a -d {lab.directory} {' '.join(modules)}"

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.said.append(line.rstrip("\r\n"))
                self.news.notify_all()
        with self.news:
            self.said.append(None)
            self.news.notify_all()

    def answer(self, seconds):
        """What it said until the end of the command, and the status."""
        lines = []
        deadline = time.monotonic() + seconds
        while True:
            with self.news:
                if not self.news.wait_for(lambda: self.said, max(deadline - time.monotonic(), 0)):
                    pytest.fail(f"{self.name} hangs; it said: {lines}")
                line = self.said.pop(0)
            if line is None:
                self.said.append(None)
                # it has room for the registers of older CPUs: not for those with AMX
                if any("ptrace set fp regs failed" in said for said in lines):
                    pytest.skip("User Mode Linux does not run on this CPU: its registers are more")
                pytest.fail(f"{self.name} has gone; it said: {lines}")
            if not line.startswith("@@ "):
                lines.append(line)
                continue
            number, status = map(int, line[3:].split())
            if number == self.asked:
                return status, "\n".join(lines)
            lines = []  # of a command that took too long

    def up(self):
        self.answer(BOOT)
        self.run(self.modules)

    def start(self, command):
        self.asked += 1
        self.process.stdin.write(f"{self.asked} {command}\n")
        self.process.stdin.flush()

    def finish(self, seconds=20):
        return self.answer(seconds * SLOW)

    def ask(self, command, seconds=20):
        """Status and output."""
        self.start(command)
        return self.finish(seconds)

    def run(self, *commands):
        """The output of commands that must succeed, one after the other."""
        out = ""
        for command in commands:
            status, out = self.ask(command)
            assert status == 0, f"{self.name}: '{command}': {out}"
        return out

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                # Not this process alone: the kernel behind it would keep the console, and the reader wait
                self.lab.end()
                self.process.wait(20)
        self.reader.join(5)
        self.process.stdout.close()
