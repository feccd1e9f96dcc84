# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Every command that README.md, CONTRIBUTING.md, SECURITY.md and docs/ show is typed as it stands there, in
the order of the document, and prints what is shown below it; or it is listed here with the reason why not."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import bng_packets as bng
import documents
import pytest

from desk import Desk
from features import needs_guests, needs_partitions, no_idmaps
from leftovers import changed, state
from places import TOP, program
from workload import CPUS, LEASES, NODES, SLOW, Pinfold, TESTPMD, free_pages

PLUGIN = TOP / os.environ.get(
    "PINFOLD_DEVICE_PLUGIN", "build/src/deviceplugin/pinfold-device-plugin"
)
DEFINITIONS = Path("/etc/pinfold/grants.d")
PAGES = 300

# what is not typed: a pattern of the command, and why
NOT_TYPED = [
    (r"\./try\b", "installs packages, then measures for three minutes"),
    (r"\./check\b", "is what runs this test"),
    (r"scripts/setup\b", "installs packages"),
    (r"tests/guest/run\b", "boots a virtual machine: test_guest_harness.py has it"),
    (
        r"pinfold (nic|run .*--(nic|kernel-port|netdev))\b",
        "test_nic.py, test_guest_bind.py, test_kernel_port.py and test_netdev.py have them",
    ),
    (r"pinfold host kernel\b", "fetches a package of 70 MB"),
    (r"rdma system set\b", "changes all of the machine, for NICs that it does not have"),
    (r"PROX=/path/to/", "needs other projects' programs"),
    (
        r"podman |kubectl ",
        "makes images of engines, and pods: test_plugin_image.py types those, test_kubernetes.py "
        "has the manifests",
    ),
    (
        r"ssh tester |pinfold bench run .*--remote tester",
        "needs a second machine: test_bench_remote.py stands in",
    ),
]


def needs_program(name, package):
    return pytest.mark.skipif(
        shutil.which(name) is None, reason=f"package {package} is not installed"
    )


# what a machine may lack: a pattern of the command, and the mark that says so
NEEDS = [
    (r"--partition\b", needs_partitions),
    (r"--in vm\b", needs_guests),
    (r"--cpus 2-3\b", pytest.mark.skipif(not {2, 3} <= set(CPUS), reason="needs CPUs 2 and 3")),
    (
        r"apparmor_parser\b",
        pytest.mark.skipif(
            not os.path.exists("/etc/apparmor.d/pinfold-default"),
            reason="AppArmor's profile is not installed here",
        ),
    ),
    (
        r"idmap|pinfold-data/new",
        pytest.mark.skipif(no_idmaps("/tmp") != "", reason=no_idmaps("/tmp")),
    ),
    (
        r"run --cpus 1 -- true",
        pytest.mark.skipif(len(CPUS) != 2, reason="says what is free of two CPUs"),
    ),
    (
        r"--hugepages 2M=60000\b",
        pytest.mark.skipif(len(NODES) != 1, reason="says what is free on one node"),
    ),
    (
        r"image build .*pinfold-device-plugin|plugin\.tar",
        pytest.mark.skipif(not os.path.exists(PLUGIN), reason="gRPC is not installed"),
    ),
    (r"pinfold run .*\$NSPAWN\b", needs_program("systemd-nspawn", "systemd-container")),
    (r"pinfold run .*\$LXC\b", needs_program("lxc-execute", "lxc")),
    (r"\bdpdk-", pytest.mark.skipif(TESTPMD is None, reason="package dpdk is not installed")),
]
# what is refused, as the text beside it says: with 125
REFUSED = [r"run --cpus 1 -- true$", r"--hugepages 2M=60000\b"]

# The drover that a page about running ones speaks of.
BNG = f"""[port 0]
name=cpe0
mac=02:00:00:00:00:aa
device=memif:server:DIRECTORY/cpe.sock
[port 1]
name=inet0
mac=02:00:00:00:00:01
device=null
[port 2]
name=line
device=memif:client:DIRECTORY/cpe.sock
[defaults]
mempool size=4K
[core 0]
mode=master
[core 1]
name=worker
task=0
mode=qinqdecapv4
rx port=cpe0
tx ports from routing table=inet0
route table=tables.csv
user table=tables.csv
local ipv4=192.0.2.254
[core 2]
name=subscriber
task=0
mode=gen
tx port=line
rate=1k
pkt inline={bng.access(bng.inner()).hex(" ")}
"""
BEFORE = {
    "docs/drover-stats.md": [
        "PREFIX=documents",
        'drover run --no-huge --squeeze --file-prefix "$PREFIX" bng.cfg >drover.log 2>&1 &',
        "for try in $(seq 200); do grep -q 'traffic runs' drover.log && break; sleep 0.1; done",
    ]
}

# what others leave where systemd is not process 1, in hierarchies of cgroup v1 that no grant has
AFTER = {
    "docs/nspawn-lxc.md": [
        "rmdir /sys/fs/cgroup/*/payload /sys/fs/cgroup/*/lxc.pivot /run/systemd/nspawn/propagate/fw || true"
    ]
}

TYPED, CALLS = [], []
# test_paths.py types that one
for document in sorted({*documents.DOCUMENTS} - {"docs/paths.md"}):
    found, others = documents.commands(document)
    TYPED += found
    CALLS += others


def reason(command):
    return next((why for like, why in NOT_TYPED if re.match(like, command.text)), None)


def names():
    """Of all that has a grant or holds one."""
    return {path.stem for where in (LEASES, DEFINITIONS) for path in where.glob("*.json")}


class Typist:
    """Has a desk for the document that is being typed; when the next one begins, all is put away."""

    def __init__(self, pinfold, *others):
        self.programs = pinfold, *others
        self.root = Pinfold(pinfold, None)
        self.document = self.desk = None

    def at(self, document):
        if document != self.document:
            self.put_away()
            self.before, self.document = state(), document
            self.desk = Desk(
                *self.programs,
                files={
                    "none.cfg": (TOP / "data/drover/none.cfg").read_text(),
                    "tables.csv": bng.tables(),
                    "bng.cfg": lambda directory: BNG.replace("DIRECTORY", directory),
                },
            )
            for line in BEFORE.get(document, []):
                status, said = self.desk("#", line, 20)
                assert status == 0, f"{line}: {said}"
        return self.desk

    def put_away(self):
        if self.desk is None:
            return
        self.root.names = list(names())
        self.root.grants = [path.stem for path in DEFINITIONS.glob("*.json")]
        self.root.put_away()
        for line in AFTER.get(self.document, []):
            self.desk("#", line, 20)
        self.desk.end()
        self.desk = None
        left = changed(self.before)
        assert not left, f"after {self.document} the machine is not as it was before:\n{left}"


@pytest.fixture(scope="module")
def typist(pinfold):
    if os.geteuid() != 0:
        pytest.skip("runs containers: needs root")
    if not {0, 1} <= set(CPUS):
        pytest.skip("the documents name CPUs 0 and 1")
    if free_pages() < PAGES:
        pytest.skip(f"needs {PAGES} free hugepages of 2M, there are {free_pages()}")
    if names():
        pytest.skip(f"this machine has grants: {', '.join(sorted(names()))}")
    one = Typist(pinfold, program("DROVER", "build/drover/drover"), PLUGIN)
    yield one
    one.put_away()


def document(command):
    return command.where.split(":")[0]


def marks(command):
    if document(command) not in OF_A_GUEST:
        return [pytest.mark.anywhere, *needs(command)]
    return [pytest.mark.whole, *needs(command)]


def needs(command):
    why = reason(command)
    if why is not None:
        return [pytest.mark.skip(reason=f"not typed: {why}")]
    return [mark for like, mark in NEEDS if re.search(like, command.text)]


# those with a command that few machines can do; the others say the same everywhere
OF_A_GUEST = {document(c) for c in TYPED if needs_partitions in needs(c)}


def parameters(commands):
    return [
        pytest.param(c, id=f"{c.where} {c.text.split('#')[0].strip()[:60]}", marks=marks(c))
        for c in commands
    ]


def makes(command):
    """A target of make: that there is one must do, as some build for minutes."""
    return re.match(r"make\b", command.text) is not None


@pytest.mark.parametrize("command", parameters([c for c in TYPED if not makes(c)]))
def test_command(typist, command):
    typed = typist.at(document(command))
    until = None
    if command.interrupted:

        def until(said):
            return documents.missing(command.shown, said) is None

    status, said = typed(command.user, command.text, 40 * SLOW, until)
    print(said)
    refused = any(re.search(like, command.text) for like in REFUSED)
    if command.interrupted:
        assert status in (0, 130), said
    else:
        assert status == (125 if refused else 0), said
    line = documents.missing(command.shown, said)
    assert line is None, f"{command.where} shows {line!r}, which was not printed:\n{said}"


@pytest.mark.anywhere
@pytest.mark.parametrize("command", parameters([c for c in TYPED if makes(c)]))
def test_target(command):
    line = command.text.split("#")[0].split()
    p = subprocess.run([*line, "-n"], cwd=TOP, capture_output=True, text=True, check=False)
    assert p.returncode == 0, p.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize("call", CALLS, ids=[" ".join(call) for call in CALLS])
def test_call(pinfold, inside, call):
    """How a program is called is what its own help says."""
    programs = {
        "pinfold": pinfold,
        "inside": inside,
        "drover": program("DROVER", "build/drover/drover"),
    }
    words = call[1].removeprefix("/run/pinfold/").split()
    assert words[0] in programs, f"{call[0]}: neither a command with a prompt nor a call: {call[1]}"
    own = [] if words[0] == "inside" else [words[1]]  # the static one has a single text
    p = subprocess.run(
        [programs[words[0]], *own, "--help"], capture_output=True, text=True, check=False
    )
    assert p.returncode == 0, p.stderr
    for option in re.findall(r"--[a-z-]+", call[1]):
        assert option in p.stdout, f"{call[0]}: {option} is not in the help:\n{p.stdout}"


@pytest.mark.anywhere
def test_lists():
    """No line of the lists above speaks of a command that no document shows."""
    for like in [*(like for like, _ in NOT_TYPED + NEEDS), *REFUSED]:
        assert any(re.search(like, c.text) for c in TYPED), f"{like!r} matches no command"
