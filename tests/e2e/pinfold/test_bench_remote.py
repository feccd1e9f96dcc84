# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold bench run --remote: a function here, its generator and meter in another network, driven over ssh where sshd is
installed; and over what stands for it: a program of that name that starts a shell there and brings the socket here."""

import json
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from drover_devices import Net
from places import program
from processes import descendants, words
from workload import SLOW, needs_pages, needs_root, needs_two, wait

pytestmark = [pytest.mark.anywhere, needs_root, needs_two, needs_pages(224)]

SSH = """#!/bin/sh
ulimit -S -f unlimited  # there it is another machine's
[ ! -e {top}/down ] || {{ echo "ssh: connect to host tester: no route to host" >&2; exit 255; }}
while :; do
	case $1 in
	-T) shift ;;
	-o) shift 2 ;;
	-L) at=$2 && shift 2 ;;
	*) break ;;
	esac
done
[ "$1" = tester ] || exit 255
shift
# as ssh does, it takes no path that is there
ln -s "${{at#*:}}" "${{at%%:*}}" || {{ echo "unix_listener: cannot bind to path" >&2; exit 255; }}
dd status=none | nsenter -t {pid} -n sh -c "$*"
"""


DAEMON = """ListenAddress 10.9.9.2
HostKey {top}/host
AuthorizedKeysFile {top}/client.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
"""
CLIENT = """Host tester
HostName 10.9.9.2
User root
IdentityFile {top}/client
UserKnownHostsFile {top}/known
StrictHostKeyChecking accept-new
"""


def stand_in(tmp_path, _request, _here, there):
    return SSH.format(pid=there.holder.pid, top=tmp_path)


def real_ssh(tmp_path, request, here, there):
    """A daemon of its own in the other network, that a third cable leads to."""
    daemon = os.environ.get("SSHD") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if not daemon or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        pytest.skip("no sshd here: package openssh-server")
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        pytest.skip("no user 'sshd', whose rights sshd takes on: package openssh-server")
    for name in ("host", "client"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name]
        subprocess.run(make, check=True, timeout=30)
    (tmp_path / "daemon.conf").write_text(DAEMON.format(top=tmp_path), encoding="ascii")
    (tmp_path / "client.conf").write_text(CLIENT.format(top=tmp_path), encoding="ascii")
    here.run("ip", "addr", "add", "10.9.9.1/24", "dev", "m0")
    here.run("ip", "link", "set", "m0x", "netns", there.holder.pid)
    there.run("ip", "addr", "add", "10.9.9.2/24", "dev", "m0x")
    there.run("ip", "link", "set", "m0x", "up")
    # it wants a directory in /run, and has a /run of its own
    begin = 'mount -t tmpfs tmpfs /run; mkdir -m 755 /run/sshd; exec "$@"'
    command = ["unshare", "--mount", "sh", "-ec", begin, "sh", daemon, "-D", "-e"]
    with open(tmp_path / "daemon.log", "wb") as log:
        p = there.popen(*command, "-f", tmp_path / "daemon.conf", stdout=log, stderr=log)
    request.addfinalizer(p.wait)
    request.addfinalizer(p.kill)
    wait(lambda: "listening" in (tmp_path / "daemon.log").read_text(), 20, "sshd")
    return f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/client.conf "$@"\n'


@pytest.fixture(params=[stand_in, real_ssh])
def way(request):
    return request.param


@pytest.fixture
def machines(tmp_path, request):
    """Two networks with two cables between them. Gives what starts a program in the first one, and its environment."""
    way = request.getfixturevalue("way") if "way" in request.fixturenames else stand_in
    here, there = Net("v0", "v1", "m0"), Net()
    try:
        (tmp_path / "bin").mkdir()
        ssh = tmp_path / "bin/ssh"
        ssh.write_text(way(tmp_path, request, here, there), encoding="ascii")
        ssh.chmod(0o755)
        for name in ("v0x", "v1x"):
            here.run("ip", "link", "set", name, "netns", there.holder.pid)
            there.run("ip", "link", "set", name, "up")
        env = os.environ | {
            "PATH": f"{ssh.parent}:{os.environ['PATH']}",
            "PINFOLD_BENCH_TINY": "1",
        }
        env["PINFOLD_GUEST_CACHE"] = "/nonexistent"
        yield here, env
    finally:
        here.end()
        there.end()


def begin(machines, pinfold, where, *names, size="--quick"):
    here, env = machines
    drover = program("DROVER", "build/drover/drover")
    argv = [pinfold, "bench", "run", size, "-o", where, "--remote", "tester"]
    argv += [
        "--remote-cpu",
        "0",
        "--remote-drover",
        drover,
        "--port",
        "in=af_packet:v0",
        "--port",
        "out=af_packet:v1",
    ]
    argv += ["--remote-port", "out=af_packet:v0x", "--remote-port", "back=af_packet:v1x", *names]
    return here.popen(*argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def rows(where):
    doc = json.loads((where / "results.json").read_text(encoding="utf-8"))
    assert doc["set-up"]["second machine"] == "tester"
    (found,) = [e["rows"] for e in doc["experiments"] if e["experiment"] == "throughput"]
    return {(r["name"], r.get("environment")): r for r in found}


def left(pid):
    return list(Path("/tmp").glob(f"pinfold-bench-{pid}-*"))


@pytest.mark.limit(200)
def test_tester_on_a_second_machine(way, machines, pinfold, leaks, tmp_path):
    """Packets are accounted for on both; the connection is lost once, and that trial is made again."""
    p = begin(machines, pinfold, tmp_path / "r", "throughput")

    def measured():
        found = {d: words(d) for d in descendants(p.pid)}
        client = ["dd", "status=none"] if way == stand_in else [shutil.which("ssh"), "-F"]
        ssh = [d for d, line in found.items() if line[:2] == client]
        return ssh if any("vnf" in line for line in found.values()) else []

    os.kill(wait(measured, 60, "a trial")[0], signal.SIGKILL)
    out, _ = p.communicate(timeout=180 * SLOW)
    assert p.returncode == 0, out
    found = rows(tmp_path / "r")
    rate = found["none, 64 B: overload", "host"]
    # with a reason of a window packets came back, and this machine was too busy for it to count
    no = ("ended", "no packet came back", "not ready", "does not answer", "No such")
    if rate.get("invalid") and not any(word in rate["reason"] for word in no):
        pytest.skip(f"the machine is busy: {rate['reason']}")
    assert not rate.get("invalid") and rate["interval"]["value"] > 0.001, found
    assert sum(r.get("repeated", 0) for r in found.values()) >= 1, found
    # a kernel's interface is nothing that a container is granted
    assert found["none, 64 B: overload", "container"]["reason"], found
    assert left(p.pid) == []


@pytest.mark.full
@pytest.mark.limit(150)
def test_one_experiment_after_the_other(machines, pinfold, leaks, tmp_path):
    """In each the tester is alone at first, and what ssh made for it before is in nobody's way."""
    p = begin(machines, pinfold, tmp_path / "r", "throughput", "latency", size="--brief")
    out, _ = p.communicate(timeout=140 * SLOW)
    assert p.returncode == 0, out
    doc = json.loads((tmp_path / "r/results.json").read_text(encoding="utf-8"))
    complete = [e["experiment"] for e in doc["experiments"] if e["complete"]]
    assert complete == ["machine", "throughput", "latency"], doc["experiments"]
    assert left(p.pid) == []


@pytest.mark.limit(90)
def test_no_way_to_it(machines, pinfold, leaks, tmp_path):
    (tmp_path / "down").touch()
    p = begin(machines, pinfold, tmp_path / "r", "throughput")
    out, _ = p.communicate(timeout=80 * SLOW)
    assert p.returncode == 0, out
    doc = json.loads((tmp_path / "r/results.json").read_text(encoding="utf-8"))
    last = doc["experiments"][-1]
    # --resume makes it again
    assert "no route to host" in last["failed"] and not last["complete"], last


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--remote", "x"], "a second machine is --remote HOST, with --port in="),
        (["--port", "in=null"], "a second machine is --remote HOST"),
        (["--remote", "-oProxyCommand=x"], "that is no host"),
        (["--port", "inn=null"], "say in=DEVICE or out=DEVICE"),
    ],
)
def test_words(pinfold, argv, said):
    p = subprocess.run(
        [pinfold, "bench", "run", *argv, "view"], capture_output=True, text=True, check=False
    )
    assert p.returncode == 125 and said in p.stderr and p.stderr.count("\n") == 1, p.stderr
