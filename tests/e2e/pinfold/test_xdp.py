# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What AF_XDP takes with DPDK 22.11, which docs/nics.md says is more than a container can be given: measured, without pinfold,
on a veth in a network namespace of the test's own."""

import shutil
import subprocess

import pytest

from workload import SLOW, TESTPMD, needs_root, needs_testpmd, unique

SMALLEST = {"sys_admin", "net_admin", "net_raw"}
VETH = "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up"
pytestmark = [
    needs_root,
    needs_testpmd,
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed"),
]


def port_on_it(*wrap, options=""):
    """What testpmd says of a port on it; it ends at once, since nobody types."""
    eal = ["--no-pci", "--no-huge", "-m", "64", "--file-prefix", unique("xdp")]
    eal += ["--lcores", "0,1@0", "--vdev", f"net_af_xdp0,iface=v0{options}"]
    app = [TESTPMD, *eal, "--", "--total-num-mbufs=2048"]
    p = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{VETH} && exec "$@"', "sh", *wrap, *app],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40 * SLOW,
        check=False,
    )
    return p.returncode == 0 and "Port 0: " in p.stdout, p.stdout + p.stderr


def with_caps(names):
    sets = ",".join(["-all", *(f"+{name}" for name in sorted(names))])
    return ["setpriv", "--bounding-set", sets, "--inh-caps", sets]


@pytest.fixture(autouse=True, scope="module")
def _works():
    works, said = port_on_it()
    if not works and "Failed to probe" not in said:
        pytest.skip(f"no AF_XDP here: {said[-200:]}")
    assert works, said


def test_smallest_set():
    works, said = port_on_it(*with_caps(SMALLEST))
    assert works, said


@pytest.mark.parametrize("less", sorted(SMALLEST))
def test_without_one_of_it(less):
    works, said = port_on_it(*with_caps(SMALLEST - {less}))
    assert not works, said


def test_not_by_those_of_bpf():
    """libxdp looks up by their numbers the programs that are loaded, which takes SYS_ADMIN."""
    works, said = port_on_it(*with_caps({"bpf", "perfmon", "net_admin", "net_raw", "ipc_lock"}))
    assert not works and "couldn't get program fd" in said, said


def test_not_in_a_user_namespace():
    """With all of its capabilities, over a network of its own."""
    works, said = port_on_it("unshare", "-r", "-n", "sh", "-c", f'{VETH} && exec "$@"', "sh")
    assert not works, said


def test_nothing_can_be_handed_over():
    """Of later versions of DPDK: a socket over which somebody else hands the map. This one knows no such key."""
    works, said = port_on_it(options=",use_cni=1")
    assert not works and "Invalid kvargs key" in said, said
