# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Pods of containerd's CRI plug-in with the runtime pinfold, asked for as kubelet asks."""

import json

import pytest

from workload import CPU, CPUS, NODE, OTHER
from workload import needs_pages, needs_root, needs_two, wait

pytestmark = [needs_root]
GRANT = "dev.pinfold.grant"


def seen(cri, container):
    return json.loads(cri.sh(container, "/run/pinfold/inside show --json --probe"))


def refused(cri, like, *args, **kw):
    """Not created, and kubelet is told in pinfold's one line."""
    import grpc  # pylint: disable=import-outside-toplevel

    with pytest.raises(grpc.RpcError) as e:
        cri.begin_in(*args, **kw)
    assert "pinfold-runtime: " in e.value.details() and like in e.value.details(), e.value


@needs_pages(16)
@pytest.mark.parametrize("where", ("pod", "container"))
def test_a_pod_has_its_grant(cri, pf, where):
    """The annotation of its pod, or of itself; it is held to the grant, and nothing of it stays."""
    grant = pf.grant("--cpus", CPU, "--hugepages", "2M=16", "--claim-by", "annotation")
    named = {GRANT: grant}
    pod = cri.pod(named if where == "pod" else None)
    assert pf.ps() == {}, "what holds the namespaces takes no grant"
    more = {"annotations": named} if where == "container" else {}
    resources = {"memory_limit_in_bytes": 64 << 20}
    script = "echo up $PINFOLD_GRANT; exec sleep 1000"
    container = cri.begin_in(pod, "sh", "-c", script, resources=resources, **more)
    row = pf.ps()[grant]
    assert (row["state"], row["in"], row["cpus"]) == ("running", "engine", str(CPU))
    found = seen(cri, container)
    assert found["cpus"]["affinity"] == found["cpus"]["online"] == found["cpus"]["eal"] == str(CPU)
    assert found["numa"] == {"visible": str(NODE), "allowed": str(NODE)}
    pages = next(p for p in found["hugepages"] if p["size"] == "2M")
    assert (pages["total"], pages["takeable"]) == (16, 16)
    assert json.loads(cri.sh(container, "cat /run/pinfold/grant.json"))["name"] == grant
    assert "Seccomp:\t2\n" in cri.sh(container, "cat /proc/self/status")
    wait(lambda: "up /run/pinfold/grant.json" in cri.logs(container), what="its output")
    # another container of the pod has none of its own, and this one's is taken
    refused(cri, f"grant '{grant}' is in use by container '{container}'", pod, annotations=named)
    cri.remove(container)
    assert pf.ps() == {}
    # and again, with the whole pod removed while it runs
    cri.begin_in(pod, **more)
    assert pf.ps()[grant]["state"] == "running"
    cri.remove_pod(pod)
    assert pf.ps() == {}


@needs_pages(8)
def test_what_kubelet_gave(cri, pf):
    """CPUs of its own, a limit of hugepages, a volume of them and a device are shown as they were given."""
    container = cri.begin_in(
        cri.pod(),
        resources={
            "cpuset_cpus": str(CPU),
            "cpuset_mems": str(NODE),
            "memory_limit_in_bytes": 64 << 20,
            "hugepage_limits": [{"page_size": "2MB", "limit": 16 << 20}],
        },
        mounts=cri.hugetlbfs(16),  # kubelet's volume is the pod's
        devices=[{"container_path": "/dev/given", "host_path": "/dev/zero", "permissions": "rw"}],
    )
    row = next(iter(pf.ps().values()))
    assert (row["state"], row["in"], row["cpus"]) == ("running", "given", str(CPU))
    assert row["hugepages"] == "16M" and row["memory"] == "64M"
    found = seen(cri, container)
    assert found["cpus"]["affinity"] == found["cpus"]["online"] == str(CPU)
    pages = next(p for p in found["hugepages"] if p["size"] == "2M")
    assert (pages["total"], pages["takeable"]) == (8, 8)
    assert cri.sh(container, ": < /dev/given && stat -c %t,%T /dev/given") == "1,5\n"
    cri.remove(container)
    assert pf.ps() == {}


@needs_two
@needs_pages(4)
def test_kubelet_changes_its_mind(cri, pf):
    """Other CPUs than a running container was shown are refused; all else it may change."""
    import grpc  # pylint: disable=import-outside-toplevel

    given = {"cpuset_cpus": str(CPU), "hugepage_limits": [{"page_size": "2MB", "limit": 8 << 20}]}
    container = cri.begin_in(cri.pod(), resources=given)
    with pytest.raises(grpc.RpcError) as e:
        cri.call(
            "UpdateContainerResources", container_id=container, linux={"cpuset_cpus": str(OTHER)}
        )
    assert f"has {CPU} for good" in e.value.details(), e.value
    cri.call(
        "UpdateContainerResources",
        container_id=container,
        linux={"cpuset_cpus": str(CPU), "cpu_shares": 512},
    )
    assert seen(cri, container)["cpus"]["affinity"] == str(CPU)


def test_what_is_refused(cri, pf):
    grant = pf.grant("--cpus", CPU, "--claim-by", "env")
    pod = cri.pod({GRANT: grant})
    refused(cri, f"grant '{grant}' is not made to be claimed by annotation {GRANT}", pod)
    refused(cri, "grant 'nothing' does not exist", cri.pod({GRANT: "nothing"}))
    # not passed over: with it the pod would have no fence at all
    refused(cri, "annotation 'dev.pinfold.gramt' is none of", cri.pod({"dev.pinfold.gramt": grant}))
    assert pf.ps() == {}


@pytest.mark.parametrize("handler", ("pinfold", "plain"))
def test_without_a_grant(cri, pf, handler):
    """As with any other runtime; one that is not pinfold's knows no grants."""
    grant = pf.grant("--cpus", CPU, "--claim-by", "annotation")
    pod = cri.pod({GRANT: grant} if handler == "plain" else None, handler=handler)
    container = cri.begin_in(pod)
    assert "/run/pinfold" not in cri.sh(container, "cat /proc/mounts")
    assert len(CPUS) == 1 or f"\t{CPU}\n" not in cri.sh(
        container, "grep Cpus_allowed_list /proc/self/status"
    )
    assert pf.ps() == {}


def test_a_crash(cri, pf):
    """containerd is killed with its shims: the container goes on, and is removed when it is back."""
    grant = pf.grant("--cpus", CPU, "--claim-by", "annotation")
    pod = cri.pod({GRANT: grant})
    cri.begin_in(pod)
    cri.crash()
    assert pf.ps()[grant]["state"] == "running"
    cri.up()
    cri.remove_pod(pod)
    assert grant not in pf.ps()
