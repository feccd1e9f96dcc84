# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""--security-label: what is refused, what the plan has, and under a policy what a container may then reach. (What is mounted
for containers of engines: test_plan_spec.c.)"""

import json
from pathlib import Path

import fake_host
import pytest

from workload import CPU

ENFORCE = Path("/sys/fs/selinux/enforce")
LABEL = "system_u:system_r:container_t:s0:c1,c2"
ONE = ["--cpus", str(CPU)]
WHO = ["--", "/bin/cat", "/proc/self/attr/current"]

needs_none = pytest.mark.skipif(ENFORCE.exists(), reason="SELinux has a policy here")
needs_policy = pytest.mark.skipif(
    not ENFORCE.exists() or ENFORCE.read_text() != "1", reason="no enforcing SELinux here"
)


@needs_none
def test_without_selinux(pf):
    for command in ("run", "plan"):
        like = "SELinux has no policy on this host; leave the option out"
        pf.fails(command, *ONE, "--security-label", LABEL, *WHO, like=like)


@pytest.mark.parametrize(
    "label",
    ["", "a", "a:b", "a:b:", ":b:c", "a::c", "a:b:c:", 'a:b:c",x="', "a b:c:d", "a:b:" + "c" * 253],
)
def test_bad_labels(pf, label):
    pf.fails("plan", *ONE, "--security-label", label, *WHO, like="USER:ROLE:TYPE:LEVEL")


def test_for_containers_alone(pf):
    for place in ("host", "vm"):
        words = ["--in", place, *ONE, "--security-label", LABEL, *WHO]
        pf.fails("plan", *words, like="--security-label")


@pytest.mark.parametrize("level", ["", ":s0", ":s0:c1,c2", ":s0-s0:c0.c1023"])
def test_files_have_the_level_of_the_processes(pf, tmp_path, level):
    fake_host.write(fake_host.kinds["two-selinux"](), str(tmp_path / "tree"))
    one = ["--cpus", "1"]  # of that machine
    words = ["plan", "--format", "oci", *one, "--security-label", f"u_u:u_r:mine_t{level}", *WHO]
    doc = json.loads(pf.ok("--host-tree", str(tmp_path / "tree"), *words))
    assert doc["process"]["selinuxLabel"] == f"u_u:u_r:mine_t{level}"
    assert doc["linux"]["mountLabel"] == f"u_u:object_r:container_file_t{level}"


@needs_policy
def test_under_a_policy(pf, tmp_path):
    """A file of the host that its mode would let anybody read."""
    (tmp_path / "open").write_text("mine")
    assert pf.ok("run", *ONE, "--security-label", LABEL, *WHO).strip("\0\n") == LABEL
    words = ["-v", f"{tmp_path}/open:/run/open:ro", "--", "/bin/cat", "/run/open"]
    assert pf.ok("run", *ONE, *words) == "mine"
    assert pf("run", *ONE, "--security-label", LABEL, *words).returncode == 1
