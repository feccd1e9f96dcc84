# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The place of work: programs run with a limit, what they left behind is taken back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import term

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PINFOLD = f"{TOP}/build/src/cli/pinfold"
PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"


class Failure(Exception):
    """One line for people; log: a file whose end says more."""

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().strip()


def tail(path, lines=12):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            kept = [line.rstrip() for line in f if line.strip()]
    except OSError:
        return []
    return kept[-lines:]


class Interrupted(BaseException):
    """By a signal: its number."""


def set_signals(handler):
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, handler)


def interrupted(number, _frame):
    # once is enough: nothing may cut the putting away short
    set_signals(signal.SIG_IGN)
    raise Interrupted(number)


class Work:
    """A folder for logs and sockets, the programs that run, and what was lent by the machine."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="pinfold-", dir="/run")
        self.running = []
        self.lent = None  # what takes it back
        self.numbers = 0

    def number(self):
        """For names of files and sockets: no trial, and none that is made again, has it twice."""
        self.numbers += 1
        return self.numbers

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _trace):
        if isinstance(value, Failure) and value.log is not None:
            value.log = tail(value.log)  # the file goes
        set_signals(signal.SIG_IGN)
        for process in list(reversed(self.running)):
            self.stop(process)
        try:
            if self.lent:
                subprocess.run(self.lent, cwd=TOP, timeout=60, check=False)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, argv, limit, what, **more):
        """Runs to the end. Returns its output; a failure says what, with the end of its output."""
        log = f"{self.dir}/{os.path.basename(argv[0])}.log"
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                argv,
                cwd=TOP,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                **more,
            )
            self.running.append(process)
            try:
                text = process.communicate(timeout=limit)[0]
            except subprocess.TimeoutExpired:
                raise Failure(f"{what}: not done after {limit} s", log) from None
        self.running.remove(process)
        if process.returncode != 0:
            with open(log, "ab") as errors:
                errors.write(b"".join((text or b"").splitlines(keepends=True)[-8:]))
            raise Failure(f"{what}: ended with status {process.returncode}", log)
        return (text or b"").decode("utf-8", errors="replace")

    def start(self, argv, log, stdin=subprocess.PIPE, **more):
        """Starts a program. Its standard input stays open, and its end is what stops it; one that
        has no such input is asked by a signal."""
        with open(log, "wb") as f:
            process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=f,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **more,
            )
        self.running.append(process)
        return process

    def stop(self, process):
        """Asks, then insists. Returns the exit status."""
        if process.stdin is not None:
            try:
                process.stdin.close()
            except OSError:
                pass
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        for s, seconds in ((signal.SIGTERM, 8), (signal.SIGKILL, 5)):
            if process.poll() is not None:
                break
            # pinfold hands on what it is asked; killed, it goes with all of its session
            try:
                (os.kill if s == signal.SIGTERM else os.killpg)(process.pid, s)
            except ProcessLookupError:
                pass
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        if process in self.running:
            self.running.remove(process)
        return process.returncode

    def lend_hugepages(self, count):
        """So many free ones of 2 MiB, beside what others use."""
        used = int(read(f"{PAGES}/nr_hugepages")) - int(read(f"{PAGES}/free_hugepages"))
        promised = int(read(f"{PAGES}/resv_hugepages"))
        script = "scripts/hugepages"
        self.lent = [script, "down"]
        self.call([script, "up", str(used + promised + count)], 60, script)


def need_root():
    if os.geteuid() != 0:
        raise Failure("not root, and hugepages need it: run it with sudo")


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")


def version(argv):
    """The first line a program says about itself."""
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return (done.stdout.decode(errors="replace").splitlines() or ["unknown"])[0].strip()


def setup():
    """Where figures come from: kernel, processor, versions, revision."""
    model = [
        line.split(":", 1)[1].strip()
        for line in read("/proc/cpuinfo").splitlines()
        if line.startswith("model name")
    ]
    git = ["git", "-c", f"safe.directory={TOP}", "-C", TOP, "describe", "--always", "--dirty"]
    revision = version(git)
    uname = os.uname()
    debian = version(["dpkg-query", "-W", "-f=${Version}", "dpdk"])
    return {
        "kernel": uname.release,
        "command_line": read("/proc/cmdline"),
        "cpu": model[0] if model else uname.machine,
        "cpus": os.cpu_count(),
        "dpdk": debian,
        "crun": version(["crun", "--version"]),
        "pinfold": version([PINFOLD, "--version"]),
        "revision": "unknown" if " " in revision else revision,
        "load": round(os.getloadavg()[0], 2),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def main(run, args):
    """Runs it; what goes wrong is one line, then the end of the log of what failed."""
    set_signals(interrupted)
    try:
        need_root()
        if args.json:
            with open(args.json, "a", encoding="utf-8"):
                pass  # better now than after all the work
        return run(args)
    except Interrupted as e:
        term.progress.clear()
        print("interrupted; all that was taken is put back", file=sys.stderr)
        return 128 + e.args[0]
    except (Failure, OSError) as e:
        term.progress.clear()
        print(f"failed: {e}", file=sys.stderr)
        for line in getattr(e, "log", None) or []:
            print(f"  | {line}", file=sys.stderr)
        return 1
    finally:
        term.progress.clear()
