# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""CPUs to measure on, what the machine below takes of them, and what programs of DPDK can be asked."""

import json
import os
import socket

from work import Failure, read

ENOUGH = 0.90  # of its CPU that a polling thread must have had for a trial to count


def parse_list(text):
    """The kernel's list format."""
    found = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def choose_cpus():
    """Two CPUs for two programs that poll: two cores of one NUMA node where there are two, the last
    ones, since what the kernel does on its own it does on the first."""
    online = set(parse_list(read("/sys/devices/system/cpu/online")))
    usable = sorted(c for c in online & os.sched_getaffinity(0) if c < 128)
    if len(usable) < 2:
        raise Failure(
            f"only {len(usable)} CPU is online for this process, and two programs that poll"
            " need one each: use a machine with two, or give this one another (virtual) CPU"
        )

    def place(cpu, name):
        try:
            return read(f"/sys/devices/system/cpu/cpu{cpu}/topology/{name}")
        except OSError:
            return ""

    def core(cpu):
        return place(cpu, "physical_package_id"), place(cpu, "core_id")

    def node(cpu):
        where = f"/sys/devices/system/cpu/cpu{cpu}"
        return [n for n in os.listdir(where) if n.startswith("node")]

    last = usable[-1]
    others = usable[-2::-1]
    near = [c for c in others if core(c) != core(last) and node(c) == node(last)]
    return sorted(((near or [c for c in others if core(c) != core(last)] or others)[0], last))


class Telemetry:
    """A client of a DPDK program's own socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(2)
        try:
            self.socket.connect(path)
            self.room = json.loads(self.socket.recv(1024))["max_output_len"]
        except BaseException:
            self.socket.close()
            raise

    def ask(self, command):
        self.socket.send(command.encode())
        answer = json.loads(self.socket.recv(self.room))
        return answer[command.split(",")[0]]

    def close(self):
        self.socket.close()


def request(text):
    """As `drover ask` takes it: "rate task=g pps=5000"."""
    name, *rest = text.split()
    arguments = (word.split("=", 1) for word in rest)
    return {"request": name} | {k: int(v) if v.isdigit() else v for k, v in arguments}


class Control:
    """A client of a drover's own socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2)
        try:
            self.socket.connect(path)
        except BaseException:
            self.socket.close()
            raise
        self.answers = self.socket.makefile("rb")

    def ask(self, text):
        self.socket.sendall(json.dumps(request(text)).encode() + b"\n")
        return json.loads(self.answers.readline())

    def close(self):
        self.answers.close()
        self.socket.close()


def stolen(cpus):
    """Seconds for which the machine below has taken the CPUs."""
    ticks = 0
    for line in read("/proc/stat").splitlines():
        words = line.split()
        if words[0] in [f"cpu{c}" for c in cpus]:
            ticks += int(words[8])
    return ticks / os.sysconf("SC_CLK_TCK")
