# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold-device-plugin, and a kubelet that lists, hands out and starts what it offers."""

import contextlib
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import processes
import protos
from engines import root_of
from kubelet import Kubelet
from places import TOP
from workload import CPU, CPUS, NODE, OTHER
from workload import needs_pages, needs_root, needs_two, status_field, unique, wait

BUILT = TOP / os.environ.get(
    "PINFOLD_DEVICE_PLUGIN", "build/src/deviceplugin/pinfold-device-plugin"
)
pytestmark = [
    needs_root,
    pytest.mark.skipif(bool(protos.lacks()), reason=protos.lacks()),
    pytest.mark.skipif(
        not BUILT.exists(), reason="it is not built: package libgrpc-dev is missing"
    ),
]
KUBELET = "/var/lib/kubelet/device-plugins"
DEFINITIONS = Path("/etc/pinfold/grants.d")
CDI = Path("/etc/cdi/pinfold.json")


@pytest.fixture
def sockets():
    # short: the path of a socket has 108 bytes at most
    with tempfile.TemporaryDirectory(prefix="pf-", dir="/tmp") as top:
        yield top


@pytest.fixture
def kubelet(sockets):
    made = Kubelet(sockets)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def started(pf, sockets):
    """Starts a plug-in; with the test all are ended, of themselves."""
    made = []

    def start():
        made.append(pf.start_other(BUILT, "--socket-dir", sockets, "--interval", "1"))
        return made[-1]

    yield start
    for s in made:
        if s.process.poll() is None:
            s.signal(signal.SIGTERM)
            assert s.end(10) == 0, s.text()


@pytest.fixture
def pair(pf):
    """Two grants of one resource, and one that is none of it. Returns the resource."""
    name = unique("k")
    for n, cpu in enumerate((CPU, OTHER), 1):
        pf.grant("--cpus", cpu, "--claim-by", "kubernetes", name=f"{name}-{n}")
    return f"pinfold.dev/{name}"


def token_of(grant):
    """What its CDI device is called beside its name."""
    names = [d["name"] for d in json.loads(CDI.read_text())["devices"]]
    return next(n for n in names if n.startswith(f"{grant}:")).partition(":")[2]


def names_of(resource):
    name = resource.partition("/")[2]
    return f"{name}-1", f"{name}-2"


@contextlib.contextmanager
def fails(code):
    import grpc  # pylint: disable=import-outside-toplevel

    with pytest.raises(grpc.RpcError) as e:
        yield e
    assert e.value.code().name == code, e.value


@needs_two
def test_what_it_offers(pf, kubelet, started, pair):
    p = started()
    plugin = kubelet.plugin(pair)
    request = kubelet.requests[pair]
    assert request.version == "v1beta1" and request.options.get_preferred_allocation_available
    assert list(kubelet.requests) == [pair]
    plugin.until(*names_of(pair))
    for device in plugin.lists[-1].values():
        assert [n.id for n in device.topology.nodes] == [NODE]
    assert plugin.options().get_preferred_allocation_available
    # without rights, in each of its threads
    for task in Path(f"/proc/{p.pid}/task").glob("*"):
        try:
            text = (task / "status").read_text()
        except OSError:
            continue  # it has ended
        for word in ("CapEff", "CapPrm", "CapBnd"):
            assert int(status_field(text, word), 16) == 0, text
        assert status_field(text, "NoNewPrivs") == "1" and status_field(text, "Seccomp") == "2"


@needs_two
def test_what_changes(pf, kubelet, started, pair):
    """Grants that come and go, and one that cannot be read, which is known until it is gone."""
    started()
    plugin = kubelet.plugin(pair)
    one, two = names_of(pair)
    plugin.until(one, two)
    file = DEFINITIONS / f"{one}.json"
    text = file.read_text()
    file.write_text("{")
    try:
        plugin.until(two)
        assert plugin.lists[-1][one].health == "Unhealthy"
        with fails("FAILED_PRECONDITION") as e:
            plugin.allocate(one)
        assert e.value.details() == f"grant '{one}': its definition cannot be read"
    finally:
        file.write_text(text)
    plugin.until(one, two)
    pf.ok("grant", "remove", two)
    plugin.until(one)
    wait(lambda: plugin.lists[-1] is not None and list(plugin.lists[-1]) == [one], what="the list")
    pf.ok("grant", "remove", one)
    plugin.until()
    # a resource of its own, without a number
    alone = pf.grant("--cpus", CPU, "--claim-by", "kubernetes,annotation", name=unique("k") + "x")
    kubelet.plugin(f"pinfold.dev/{alone}").until(alone)


@needs_two
def test_what_it_hands_out(kubelet, started, pair):
    started()
    plugin = kubelet.plugin(pair)
    one, two = names_of(pair)
    plugin.until(one, two)
    answer, token = plugin.allocate(two), token_of(two)
    assert [d.name for d in answer.cdi_devices] == [f"pinfold.dev/grant={two}:{token}"]
    assert {e.key: e.value for e in answer.annotations} == {
        "dev.pinfold.grant:kubernetes": two,
        "dev.pinfold.token:kubernetes": token,
    }
    assert {e.key: e.value for e in answer.envs} == {"PINFOLD_GRANT": two}
    # of each its own, and nobody else's to read
    assert len(token) == 32 and token != token_of(one)
    assert CDI.stat().st_mode & 0o777 == 0o600
    with fails("INVALID_ARGUMENT"):
        plugin.allocate(one, two)
    with fails("NOT_FOUND"):
        plugin.allocate("nothing")
    assert plugin.preferred(1, [one, two], must=[two]) == [two]
    assert plugin.preferred(2, [one, two, "nothing"]) == [one, two]
    with fails("UNIMPLEMENTED"):
        plugin.method("Nothing", "Empty", "Empty")(plugin.messages.Empty(), timeout=10)


@needs_two
def test_kubelet_comes_and_goes(kubelet, started, pair):
    """It removes all sockets when it starts, and what served them comes again; a plug-in that was killed too."""
    p = started()
    kubelet.plugin(pair).until(*names_of(pair))
    kubelet.stop()
    kubelet.refuses = 1
    kubelet.start()
    kubelet.plugin(pair).until(*names_of(pair))
    assert kubelet.refuses == 0 and p.process.poll() is None
    p.signal(signal.SIGKILL)
    p.end()
    wait(lambda: kubelet.plugins[pair].healthy() is None, what="its end")
    kubelet.plugins.clear()
    kubelet.requests.clear()
    p = started()
    kubelet.plugin(pair).until(*names_of(pair))
    # another takes its place: it gives way, and says so
    before = p
    kubelet.requests.clear()
    started()
    before.until("somebody else serves it now")
    assert before.end() == 125
    kubelet.plugins.pop(pair).close()
    kubelet.plugin(pair).until(*names_of(pair))


@needs_two
def test_before_kubelet(sockets, started, pair):
    """It waits for kubelet."""
    started()
    made = Kubelet(sockets)
    wait(lambda: list(Path(sockets).glob("*.sock")), what="its socket")
    made.start()
    try:
        made.plugin(pair).until(*names_of(pair))
    finally:
        made.stop()


def test_its_command_line(pf):
    p = pf.start_other(BUILT, "--help")
    assert p.end() == 0 and "pinfold.dev/NAME" in p.text()
    for words, like in ((["--interval", "0"], "1 to 3600"), (["x"], "'x' is no option")):
        p = pf.start_other(BUILT, *words)
        assert p.end() == 125 and like in p.text()


# ---- and starts it


def as_kubelet(answer, **resources):
    """Of a container what kubelet makes of an answer; its shared CPUs are those of the machine."""
    return {
        "annotations": {e.key: e.value for e in answer.annotations},
        "envs": [{"key": e.key, "value": e.value} for e in answer.envs],
        "resources": {"cpuset_cpus": ",".join(map(str, CPUS)), **resources},
    }


@needs_two
@needs_pages(8)
def test_a_pod_of_what_was_handed_out(pf, kubelet, started, cri):
    import grpc  # pylint: disable=import-outside-toplevel

    grant = f"{unique('k')}-1"
    pf.grant("--cpus", CPU, "--hugepages", "2M=8", "--claim-by", "kubernetes", name=grant)
    started()
    plugin = kubelet.plugin(f"pinfold.dev/{grant[:-2]}")
    answer = plugin.allocate(grant)
    container = cri.begin_in(cri.pod(), **as_kubelet(answer))
    assert pf.ps()[grant]["state"] == "running"
    seen = json.loads(cri.sh(container, "/run/pinfold/inside show --json --probe"))
    assert seen["cpus"]["affinity"] == seen["cpus"]["eal"] == str(CPU)
    assert next(p for p in seen["hugepages"] if p["size"] == "2M")["takeable"] == 8
    # it does not see what it was handed out with
    shown = "/proc/self/mountinfo /proc/1/environ /proc/1/cmdline /run/pinfold/grant.json"
    assert token_of(grant) not in cri.sh(container, f"cat {shown}")
    # kubelet's CPU manager goes on saying what all share
    shared = {"cpuset_cpus": ",".join(map(str, CPUS)), "cpu_shares": 512}
    cri.call("UpdateContainerResources", container_id=container, linux=shared)
    assert f"\t{CPU}\n" in cri.sh(container, "grep Cpus_allowed_list /proc/self/status")
    cri.remove(container)
    assert pf.ps() == {}
    # who was handed nothing has nothing, whatever his pod says
    for named in (
        {"annotations": {"dev.pinfold.grant": grant}},
        {"envs": [{"key": "PINFOLD_GRANT", "value": grant}]},
    ):
        with pytest.raises(grpc.RpcError) as e:
            cri.begin_in(cri.pod(), **named)
        assert f"grant '{grant}' is not made to be claimed by" in e.value.details(), e.value
    # nor, beside Kubernetes, who names it as kubelet would, with the token of another or none
    kubernetes = {"dev.pinfold.grant:kubernetes": grant}
    for token in ({}, {"dev.pinfold.token:kubernetes": "0" * 32}):
        with pytest.raises(grpc.RpcError) as e:
            cri.begin_in(cri.pod(), annotations=kubernetes | token)
        assert "comes without the token" in e.value.details(), e.value
        assert token_of(grant) not in e.value.details()
    # nor by a hostPath, which the engine makes where it is not there
    place = Path(f"/run/pinfold/cdi/{grant}")
    with pytest.raises(grpc.RpcError) as e:
        cri.begin_in(cri.pod(), mounts=[{"container_path": "/x", "host_path": str(place)}])
    assert f"a mount of '{place}' claims no grant" in e.value.details(), e.value
    place.rmdir()
    place.parent.rmdir()
    assert pf.ps() == {}


@needs_two
def test_as_a_pod_itself(pf, kubelet, sockets, cri, pair, pinfold):
    """In a container, as the manifest has it: without rights, on a root that it cannot write."""
    yaml = pytest.importorskip("yaml", reason="package python3-yaml is not installed")
    manifest = yaml.safe_load((TOP / "data/kubernetes/device-plugin.yaml").read_text())
    asked = manifest["spec"]["template"]["spec"]
    one, places = asked["containers"][0], {KUBELET: sockets}
    volumes = {v["name"]: v["hostPath"]["path"] for v in asked["volumes"]}
    root = root_of(f"{cri.top}/plugin", str(BUILT), pinfold=pinfold)
    cri.image(one["image"], root, "pinfold-device-plugin")
    shutil.rmtree(root)
    rights = one["securityContext"]
    container = cri.begin_in(
        cri.pod(handler="plain"),
        str(BUILT),  # where it is installed it is found by its name
        image=one["image"],
        mounts=[
            {
                "container_path": m["mountPath"],
                "host_path": places.get(volumes[m["name"]], volumes[m["name"]]),
                "readonly": m.get("readOnly", False),
            }
            for m in one["volumeMounts"]
        ],
        security={
            "readonly_rootfs": rights["readOnlyRootFilesystem"],
            "capabilities": {"drop_capabilities": rights["capabilities"]["drop"]},
            "run_as_user": {"value": rights["runAsUser"]},
            "seccomp": {
                "profile_type": {"RuntimeDefault": 0, "Unconfined": 1}[
                    rights["seccompProfile"]["type"]
                ]
            },
            "no_new_privs": not rights["allowPrivilegeEscalation"],
        },
    )
    kubelet.plugin(pair).until(*names_of(pair))
    running = [
        p for p in os.listdir("/proc") if p.isdigit() and processes.words(p)[:1] == [str(BUILT)]
    ]
    status = Path(f"/proc/{running[0]}/status").read_text()
    assert status_field(status, "Uid").split()[0] == "0"
    assert int(status_field(status, "CapBnd"), 16) == 0
    assert status_field(status, "NoNewPrivs") == "1" and status_field(status, "Seccomp") == "2"
    cri.remove(container)
