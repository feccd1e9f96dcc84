# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover as a program: its configuration, a run to its end, and one that goes on and is asked."""

import functools
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import drover_packets as packets
import pytest
from drover_config import configuration, core, task
from uml import MORTAL
from workload import SLOW, unique, wait

RUNTIME = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")


def config(mode="none", keys="", device="null", mtu=1500, mbuf=2048, mempool="2K", to="if0"):
    """One port, one core, one task; to: its output, or a ring that nobody reads."""
    ports = {"if0": (device, f"mtu={mtu}")} | ({"full": "ring:full"} if to == "full" else {})
    forward = core("forward", task(mode, "if0", to, keys))
    return configuration(ports, forward, mempool=mempool, keys=[f"mbuf size={mbuf}"])


def popen(*args, **kw):
    """What ends with us."""
    return subprocess.Popen([*MORTAL, *map(str, args)], **kw)


def directories():
    """EAL's own. One whose process was killed stays, and numbers of processes come again."""
    try:
        return set(os.listdir(f"{RUNTIME}/dpdk"))
    except FileNotFoundError:
        return set()


def execute(drover, *args, seconds=30, prefix=(), **kw):
    """Runs it to its end, which leaves no directory of EAL's behind."""
    before = directories()
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
    assert f"drover-{p.pid}" not in directories() - before
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)


def received(report):
    return sum(port["ipackets"] for port in report["ports"])


def forward(run, expected):
    """The report of a run in which so many packets came in: on a busy machine it takes longer."""
    for duration in ("250ms", "1s", "4s", "10s"):
        p = run("--duration", duration, "--json")
        assert p.returncode == 0, p.stderr
        report = json.loads(p.stdout)
        # all of them came in, and none is on its way
        if received(report) >= expected and not any(r["used"] for r in report["rings"]):
            break
    assert received(report) == expected
    return report


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
        self.give(sent)
        # beside a container it runs in that directory
        at = f"{where}/" if where else ""
        self.write_config(config(device=f"pcap:{at}in.pcap,{at}out.pcap", **kw))

    def write_config(self, text):
        (self.directory / "test.cfg").write_text(text)

    def execute(self, command, *args):
        args = "--no-huge", "--squeeze", *args, "test.cfg"
        return execute(self.drover, command, *args, cwd=self.directory)

    def run(self, text, expected, *options):
        """The report of a run of that configuration, once so many packets came in."""
        self.write_config(text)
        return forward(functools.partial(self.execute, "run", *options), expected)

    def check(self, text):
        self.write_config(text)
        return self.execute("check")

    def read(self, name):
        return packets.read(self.directory / f"{name}.pcap")

    def give(self, sent, name="in"):
        packets.write(self.directory / f"{name}.pcap", sent)

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


class Drover:
    """A drover that goes on, on CPUs that may be shared; end() gives its report."""

    def __init__(self, drover, directory, config, *args, memory="--no-huge", net=None, prefix=()):
        """config: its text, or the path of one. net: whose network it runs in."""
        path = directory / unique("drover")
        self.log = path.with_suffix(".log")
        if isinstance(config, str):
            path.with_suffix(".cfg").write_text(config)
            config = path.with_suffix(".cfg")
        memory = [memory] if memory else []
        command = [*prefix, drover, "run", *memory, "--squeeze", "--json", *args, config]
        start = net.popen if net else popen
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = start(*command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.prefix = f"drover-{self.process.pid}"
        self.directory = f"{RUNTIME}/dpdk/{self.prefix}"
        self.socket = f"{self.directory}/drover.sock"
        self.telemetry = f"{self.directory}/dpdk_telemetry.v2"
        self.report = None

    def said(self):
        return self.log.read_text(encoding="utf-8")

    def until(self, condition, what):
        def holds():
            assert self.process.poll() is None, self.said()
            return condition()

        return wait(holds, 30, what)

    def runs(self):
        self.until(lambda: "traffic runs" in self.said(), "traffic")
        return self

    def answers(self):
        """Before traffic runs already."""
        self.until(lambda: os.path.exists(self.socket), "its socket")
        return self

    @functools.cached_property
    def control(self):
        return Control(self.socket)

    def ask(self, request):
        return self.control.ask(request)

    def tasks(self, mode=None):
        tasks = self.ask("stats")["tasks"].values()
        return [t for t in tasks if mode in (None, t["mode"])]

    def port(self, name):
        return self.ask(f"ports port={name}")["ports"][name]

    def end(self):
        if self.report is None:
            alive = self.process.poll() is None
            self.process.terminate()
            try:
                out, _ = self.process.communicate(timeout=20 * SLOW)
            finally:
                self.process.kill()
                shutil.rmtree(self.directory, ignore_errors=True)
            assert not alive or self.process.returncode == 0, self.said()
            self.report = json.loads(out) if out else {}
        return self.report

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.end()
        except AssertionError:
            if kind is None:
                raise


def top(drover, *args, **kwargs):
    return subprocess.run(
        [drover, "top", *args], capture_output=True, text=True, timeout=30, check=False, **kwargs
    )
