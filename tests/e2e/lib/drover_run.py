# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover as a program: its configuration, a run to its end, and one that goes on and is asked."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import drover_packets as packets
import pytest

RUNTIME = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")


def config(mode="none", keys="", device="null", mtu=1500, mbuf=2048, mempool="2K", more=""):
    """One port, one core, one task."""
    return f"""[port 0]
name=if0
device={device}
mtu={mtu}
[global]
name=test
mbuf size={mbuf}
[defaults]
mempool size={mempool}
{more}
[core 0]
mode=master
[core 1]
name=forward
task=0
mode={mode}
rx port=if0
tx port=if0
{keys}
"""


def execute(drover, *args, seconds=30, prefix=(), **kw):
    """Runs it to its end, which leaves no directory of EAL's behind."""
    p = subprocess.Popen(
        [*prefix, drover, *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kw,
    )
    try:
        out, err = p.communicate(timeout=seconds)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    assert not os.path.exists(f"{RUNTIME}/dpdk/drover-{p.pid}")
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


def received(report):
    return sum(port["ipackets"] for port in report["ports"])


def forward(run, expected):
    """The report of a run in which so many packets came in: on a busy machine it takes longer."""
    for duration in ("250ms", "1s", "4s", "10s"):
        p = run("--duration", duration, "--json")
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        if received(report) >= expected:
            break
    assert received(report) == expected
    return report


FULL = "[port 1]\nname=full\ndevice=ring:full\n"


def full_config(keys, **kw):
    """Its output is a ring that nobody reads."""
    return config(more=FULL, keys=keys, **kw).replace("tx port=if0", "tx port=full")


def granted(drover, directory):
    """Flags of run that show drover and its packets."""
    return ["-v", f"{os.path.dirname(drover)}:/drover:ro", "-v", f"{directory}:/data"]


class Bench:
    """A directory with a configuration, the packets in and the packets out."""

    def __init__(self, drover, directory):
        self.drover = drover
        self.directory = directory
        directory.mkdir(exist_ok=True)
        directory.chmod(0o777)  # in a container the writer is nobody
        self.out = directory / "out.pcap"

    def write(self, sent, where=None, **kw):
        packets.write(self.directory / "in.pcap", sent)
        # beside a container it runs in that directory
        at = f"{where}/" if where else ""
        text = config(device=f"pcap:{at}in.pcap,{at}out.pcap", **kw)
        (self.directory / "test.cfg").write_text(text)

    def execute(self, command, *args):
        return execute(self.drover, command, "--no-huge", *args, "test.cfg", cwd=self.directory)

    def __call__(self, sent, *options, **kw):
        """What came out, and the report."""
        self.write(sent, **kw)

        def run(*args):
            return self.execute("run", *options, *args)

        report = forward(run, len(sent))
        return packets.read(self.out), report


def published():
    where = os.environ.get("DPPD_CONFIG_DIR")
    if not where:
        pytest.skip("DPPD_CONFIG_DIR does not say where DPPD's config/ and gen/ are")
    return Path(where)


class Control:
    """A client of drover's own socket that owes nothing to drover's."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(10)
        self.s.connect(path)
        self.answers = self.s.makefile("rb")

    def ask(self, text):
        """As `drover ask` takes it: "rate task=g pps=5000"."""
        name, *rest = text.split()
        arguments = (word.split("=", 1) for word in rest)
        ints = {k: int(v) if v.isdigit() else v for k, v in arguments}
        return self.send(json.dumps({"request": name} | ints).encode())

    def send(self, line):
        self.s.sendall(line + b"\n")
        return json.loads(self.answers.readline())

    def close(self):
        self.answers.close()
        self.s.close()


class Telemetry:
    """A client of DPDK's socket that owes nothing to drover's own."""

    def __init__(self, path):
        deadline = time.monotonic() + 10
        while True:
            self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.s.settimeout(10)
            try:
                self.s.connect(path)
                hello = self.s.recv(1024)
            except BlockingIOError:  # its backlog is full
                hello = b""
            if hello or time.monotonic() > deadline:
                break
            # DPDK takes 10 clients, and on a busy machine notices late that some have left
            self.s.close()
            time.sleep(0.05)
        self.hello = json.loads(hello)

    def ask(self, command):
        self.s.send(command.encode())
        answer = json.loads(self.s.recv(self.hello["max_output_len"]))
        return answer[command.split(",")[0]]


class Running:
    """A drover that goes on, until end()."""

    def __init__(self, drover, folder, prefix, text, cwd=None):
        config = folder / "figures.cfg"
        config.write_text(text.format(pid=os.getpid()))
        self.prefix = prefix
        self.log = open(folder / "log", "w+", encoding="utf-8")
        args = ["run", "--no-huge", "--squeeze", "--json", "--file-prefix", prefix, str(config)]
        self.process = subprocess.Popen(
            [drover, *args], stdout=subprocess.PIPE, stderr=self.log, cwd=cwd
        )
        self.directory = f"{RUNTIME}/dpdk/{prefix}"
        self.socket = f"{self.directory}/drover.sock"
        self.telemetry = f"{self.directory}/dpdk_telemetry.v2"
        deadline = time.monotonic() + 20
        while "traffic runs" not in self.messages():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                pytest.fail(f"drover does not run: {self.messages()}")
            time.sleep(0.05)

    def messages(self):
        with open(self.log.name, encoding="utf-8") as f:
            return f.read()

    def end(self):
        """Its report."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=20)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return out


def top(drover, *args, **kwargs):
    return subprocess.run(
        [drover, "top", *args], capture_output=True, text=True, timeout=30, check=False, **kwargs
    )
