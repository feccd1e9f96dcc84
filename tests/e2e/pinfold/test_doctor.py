# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold doctor: what it says of fake machines, sick and healthy ones, and of this one.

UPDATE_GOLDEN=1 writes tests/golden anew; read the difference before you keep it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import cures
import fake_host
import jsonschema
import pytest
from places import TOP
from workload import needs_pages, needs_root

GOLDEN = TOP / "tests/golden"
SCHEMA = json.loads((TOP / "data/schemas/doctor.json").read_text())
MODERN = "fpu sse4_2 pdpe1gb constant_tsc nonstop_tsc"


def run(pinfold, *args, tree=None, **kwargs):
    command = [pinfold] + (["--host-tree", str(tree)] if tree else []) + ["doctor", *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, **kwargs
    )


def report(pinfold, *args, tree=None):
    p = run(pinfold, "--json", *args, tree=tree)
    assert p.returncode in (0, 1), p.stderr
    doc = json.loads(p.stdout)
    jsonschema.validate(doc, SCHEMA)
    verdicts = [c["verdict"] for c in doc["checks"]]
    for word, count in zip(
        ["PASS", "WARN", "FAIL", "SKIP"], ["passed", "warned", "failed", "skipped"]
    ):
        assert verdicts.count(word) == doc[count]
    assert (p.returncode == 1) == (doc["failed"] > 0)
    for c in doc["checks"]:
        if c["cure"]:
            cures.check(pinfold, c["cure"], tree)
    return doc


def find(doc, check, like=""):
    """The checks of that name, "group/check", whose finding has the words."""
    group, name = check.split("/")
    return [
        c for c in doc["checks"] if (c["group"], c["check"]) == (group, name) and like in c["found"]
    ]


def one(doc, check, like=""):
    found = find(doc, check, like)
    assert len(found) == 1, found or [c for c in doc["checks"] if c["group"] in check]
    return found[0]


@pytest.fixture
def machine(memory_path):
    """A function that writes a kind of machine with changes, and says where."""

    def make(kind, files=None, **changes):
        m = fake_host.kinds[kind]()
        m.flags = MODERN
        m.files = files or {}
        for name, value in changes.items():
            setattr(m, name, value)
        tree = memory_path / f"{kind}-{len(os.listdir(memory_path))}"
        return Path(fake_host.write(m, str(tree)))

    return make


@pytest.fixture(scope="module")
def healthy(pinfold, memory_factory):
    """A function that says what is said of a kind of machine as it is."""
    reports = {}

    def ask(kind):
        if kind not in reports:
            m = fake_host.kinds[kind]()
            m.flags = MODERN
            reports[kind] = report(
                pinfold, tree=fake_host.write(m, str(memory_factory.mktemp("trees") / kind))
            )
        return reports[kind]

    return ask


# --- fake machines --------------------------------------------------------------------------------


CONTAINER = "docker-" + "c0ffee" * 10 + "beef.scope"
GROUPS = "sys/fs/cgroup/system.slice"
# of systemd, which knows no hugetlb
SLICE = {
    f"{GROUPS}/cgroup.subtree_control": "cpuset cpu io memory pids",
    f"{GROUPS}/{CONTAINER}/cgroup.subtree_control": "",
}
# as the makers of engines have them: for who may do more than is needed
BY_CAPABILITY = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {
                "names": ["get_mempolicy", "mbind", "set_mempolicy"],
                "action": "SCMP_ACT_ALLOW",
                "includes": {"caps": ["CAP_SYS_NICE"]},
            },
        ],
    }
)


def dpkg(**versions):
    """The installed packages of a machine."""
    stanza = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n\n"
    text = "".join(stanza.format(name.replace("_", "."), v) for name, v in versions.items())
    return {"var/lib/dpkg/status": "Package: base-files\nVersion: 12.4\n\n" + text}


ENGINES = {
    "usr/bin/dockerd": "",
    "usr/bin/podman": "",
    "etc/cdi/pinfold.json": "{}",
    "usr/share/containers/seccomp.json": BY_CAPABILITY,
    "proc/cmdline": "ro hugetlb_cma=4G",
    **dpkg(docker_io="20.10.24+dfsg1-1+b3", podman="4.3.1+ds1-8+deb12u1+b3"),
    **SLICE,
}

GOLDENS = {
    "doctor-engines": ("two-v2", "", ENGINES),
    "doctor-paper": ("paper", ""),
    "doctor-paper-nic": ("paper", "--cpu-count 4 --nic 82:00.0 --hugepages 1G=4"),
    "doctor-two-bare": ("two-bare", ""),
    "doctor-mlx5": ("mlx5", ""),
}


@pytest.mark.anywhere
@pytest.mark.parametrize("name", GOLDENS)
def test_golden(pinfold, machine, name):
    kind, flags, *files = GOLDENS[name]
    p = run(pinfold, "--all", *flags.split(), tree=machine(kind, *files))
    assert p.returncode in (0, 1) and p.stderr == ""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(p.stdout)
    assert p.stdout == path.read_text(), "see UPDATE_GOLDEN=1"


@pytest.mark.anywhere
@pytest.mark.parametrize("kind", ["two", "two-v2", "big", "gpus", "hybrid", "arm", "mlx5"])
def test_any_machine(pinfold, machine, kind):
    """Each check says where it read what it found, and what is not in order has a cure."""
    doc = report(pinfold, tree=machine(kind))
    assert len(doc["checks"]) > 10
    for c in doc["checks"]:
        assert "\n" not in c["found"] and c["found"]
        if c["verdict"] in ("WARN", "FAIL"):
            assert c["read"] and c["cure"], c


def nic(function, **fields):
    kind = {"group": 40, "driver": "vfio-pci", "bridge": ""} | fields
    return fake_host.Pci(f"0000:82:00.{function}", **kind)


def paper_nodes(*pages, surplus=0):
    cpus = [[c for c in range(48) if c % 24 // 12 == n] for n in range(2)]
    return {
        n: fake_host.Node(cpus[n], 32 << 20, {2048: [count, count, n * surplus]})
        for n, count in enumerate(pages)
    }


# a kernel without those of VFIO and of devices, and overlayfs
NO_MODULES = {"lib/modules/6.1.0-18-amd64/modules.dep": "kernel/fs/xfs/xfs.ko:\n"}
# of an idle CPU, in the order of their depth
CPUIDLE = "sys/devices/system/cpu/cpu2/cpuidle"
CSTATES = {
    f"{CPUIDLE}/state{i}/{name}": str(value)
    for i, state in enumerate([("POLL", 0), ("C1", 2), ("C1E", 33), ("C6", 133)])
    for name, value in zip(("name", "latency"), state)
}
# what is changed of a healthy machine, and what is to be said then
SICK = [
    ("paper", {"flags": "fpu"}, "processor/instructions", "FAIL", "SSE4.2"),
    ("paper", {"flags": "fpu sse4_2"}, "processor/pages-of-1g", "WARN", "1G"),
    ("paper", {"isolated": ""}, "isolation/cpus", "SKIP", "no CPU is granted or isolated"),
    ("paper", {"isolated": "1-11"}, "isolation/siblings", "WARN", "25-35"),
    ("paper", {"isolated": "1-23"}, "isolation/tickless", "WARN", "12"),
    ("paper", {"cmdline": "ro", "nohz_full": ""}, "isolation/rcu", "WARN", "1-11"),
    ("two", {"cgroup": "v1-bare"}, "cgroups/controllers", "FAIL", "not mounted"),
    ("paper", {"files": {"sys/fs/cgroup/cgroup.subtree_control": "cpuset cpu memory"}},
     "cgroups/below-the-root", "WARN", "not limited by: pids hugetlb"),
    ("paper", {"release": "5.4.0-1-amd64"}, "cgroups/reservations", "WARN", "Linux 5.7"),
    ("paper", {"nodes": paper_nodes(0, 256)}, "hugepages/pages", "WARN", "node 0 has CPUs and no"),
    ("paper", {"nodes": paper_nodes(0, 0)}, "hugepages/pages", "FAIL", "no hugepages are reserved"),
    ("two", {"files": {"usr/bin/containerd": ""}}, "runtime/containerd", "WARN", "hugepages out"),
    ("paper", {"pci": [], "files": {"sys/firmware/acpi/tables/DMAR": ""}},
     "iommu/iommu", "WARN", "off, though the firmware has one (DMAR)"),
    ("paper", {"pci": []}, "iommu/iommu", "WARN", "none that the firmware tells of"),
    ("paper", {"pci": [], "files": NO_MODULES}, "iommu/modules", "WARN", "kernel has no vfio-pci"),
    ("paper", {"nodes": paper_nodes(256, 256, surplus=3)}, "hugepages/surplus", "WARN",
     "2M on node 1: 3 are in use beyond"),
    ("paper", {"release": "5.10.0-1-amd64"}, "security/idmapped-mounts", "WARN", "Linux 5.12"),
    ("paper", {"files": CSTATES}, "isolation/c-states", "WARN", "wake up 133 us late (C6)"),
    ("paper", {"files": {"proc/irq/default_smp_affinity": "ffff,ffffffff"}},
     "noise/new-interrupts", "WARN", "may come there, too"),
    ("paper", {"files": NO_MODULES}, "devices/tun", "WARN", "no kernel port with a tap"),
    ("paper", {"files": NO_MODULES | {"proc/filesystems": "\text4"}},
     "security/overlayfs", "FAIL", "this kernel has none"),
    ("paper", {"pci": [nic(0)]}, "nics/nic-node", "WARN", "does not tell its NUMA node"),
    ("paper", {"pci": [nic(0, node=1, totalvfs=63, numvfs=2)]},
     "nics/nic-token", "WARN", "need its VF token"),
    ("paper", {"pci": [nic(0, node=1, totalvfs=63, numvfs=2)],
               "files": {"sys/class/misc/iommu/dev": "10:123"}},
     "nics/nic-token", "WARN", "where they use iommufd (Linux 6.17)"),
    ("paper", {"resv": {2048: 512}}, "hugepages/reserved", "WARN", "2M: the 512 that are free"),
    ("paper", {"cmdline": "ro hugetlb_cma=4G"}, "hugepages/cma", "WARN", "none is kept"),
    ("paper", {"files": SLICE}, "cgroups/of-containers", "WARN",
     "/system.slice are not limited by: hugetlb"),
    ("paper", {"pci": [nic(0, node=1), nic(1, node=1, driver="ixgbe", netdev="ens1")]},
     "nics/nic", "WARN", "shares IOMMU group 40 with 0000:82:00.1 (ixgbe)"),
    ("paper", {"pci": [nic(0, node=1, driver="uio_pci_generic")]}, "nics/nic", "WARN", "no memory"),
    ("paper", {"pci": [nic(0, node=1, group=-1)]}, "nics/nic", "WARN", "is in no IOMMU group"),
]  # fmt: skip
# the same by files
SICK_FILES = [
    ("proc/sys/kernel/nmi_watchdog", "1", "noise/nmi-watchdog", "WARN"),
    ("proc/sys/kernel/timer_migration", "0", "noise/timer-migration", "WARN"),
    ("proc/sys/vm/stat_interval", "1", "noise/statistics", "WARN"),
    ("proc/sys/kernel/numa_balancing", "1", "memory/numa-balancing", "WARN"),
    ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never",
     "memory/transparent-hugepages", "WARN"),
    ("sys/kernel/mm/ksm/run", "1", "memory/same-page-merging", "WARN"),
    ("proc/swaps", "Filename Type\n/dev/sda2 partition 1 0 -2", "memory/swap", "WARN"),
    ("proc/sys/vm/overcommit_memory", "2", "memory/promises", "WARN"),
    ("proc/sys/vm/max_map_count", "1000", "limits/mappings", "WARN"),
    ("sys/module/apparmor/parameters/enabled", "Y", "security/apparmor", "WARN"),
    ("sys/fs/selinux/enforce", "1", "security/selinux", "WARN"),
    ("proc/sys/user/max_user_namespaces", "0", "security/user-namespaces", "FAIL"),
    ("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y", "iommu/unsafe-noiommu", "FAIL"),
    ("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y",
     "iommu/interrupt-remapping", "WARN"),
    ("sys/kernel/iommu_groups/40/reserved_regions", "0x0 0xfff direct\n0xfee00000 0xfeefffff msi",
     "nics/nic", "WARN"),
    ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages", "5",
     "hugepages/overcommit", "WARN"),
    ("sys/devices/virtual/workqueue/cpumask", "ffff,ffffffff", "isolation/workqueues", "WARN"),
    ("sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "powersave",
     "isolation/frequency", "WARN"),
    ("sys/class/misc/kvm/dev", "10:232", "machines/kvm", "WARN"),
]  # fmt: skip


@pytest.mark.anywhere
@pytest.mark.parametrize("kind, changes, check, verdict, words", SICK)
def test_sick(pinfold, machine, healthy, kind, changes, check, verdict, words):
    assert (
        find(report(pinfold, tree=machine(kind, **changes)), check, words)[0]["verdict"] == verdict
    )
    assert verdict not in [c["verdict"] for c in find(healthy(kind), check)]


@pytest.mark.anywhere
@pytest.mark.parametrize("path, text, check, verdict", SICK_FILES)
def test_sick_file(pinfold, machine, healthy, path, text, check, verdict):
    doc = report(pinfold, tree=machine("paper", files={path: text}))
    assert verdict in [c["verdict"] for c in find(doc, check)], doc
    assert verdict not in [c["verdict"] for c in find(healthy("paper"), check)]


@pytest.mark.anywhere
@pytest.mark.parametrize("word", ["isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity"])
def test_lists_on_the_kernels_command_line(pinfold, machine, word):
    """Nonsense is said, with all the rest of it taken; what the kernel knows is not nonsense."""
    fine = ["1", "1-3,5", "1-N", "0-7:2/4", "1,,2", ",1", "1,"]
    wrong = ["nonsense", "1-", "3-1", "1;2", "0-7:4/2", "0-7:2", "-1", "2-300"]
    # flags, which the kernel takes all letters there for
    (fine if word == "isolcpus" else wrong).extend(
        ["domain,managed_irq,1-3", "more,1-3", "domain,"]
    )
    (wrong if word == "isolcpus" else fine).extend(["all", "N"])
    tree = machine("paper")
    for value in wrong + fine:
        (tree / "proc/cmdline").write_text(f"ro {word}={value} quiet\n")
        doc = report(pinfold, "--cpus", "1", tree=tree)
        said = find(doc, "isolation/command-line", f"{word}={value} cannot be parsed")
        assert len(said) == (value not in fine), (value, doc)
        assert len(find(doc, "isolation/command-line")) == len(said)


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "program, config",
    [
        ("dockerd", "docker/daemon.json"),
        ("podman", "containers/containers.conf"),
        ("podman", "containers/containers.conf.d/50-pinfold.conf"),
        ("containerd", "containerd/config.toml"),
        ("crio", "crio/crio.conf.d/50-pinfold.conf"),
    ],
)
def test_engine_that_knows_the_runtime(pinfold, machine, program, config):
    """In the file that pinfold runtime configure writes, or in the engine's own."""
    files = {f"usr/bin/{program}": "", f"etc/{config}": "/usr/bin/pinfold-runtime\n"}
    for known in (True, False):
        doc = report(pinfold, tree=machine("two", files=files))
        said = [c["found"] for c in find(doc, "runtime/engines")]
        assert len(said) == 1 and ("knows pinfold-runtime" in said[0]) == known, doc
        files[f"etc/{config}"] = "other\n"


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "program, packages, config, verdict, words",
    [
        ("dockerd", {"docker_io": "20.10.24+dfsg1"}, "", "WARN", "docker 25.0 or newer"),
        ("dockerd", {"docker-ce": "5:24.0.7-1~debian.12~bookworm"}, None, "WARN", "25.0 or newer"),
        ("dockerd", {"docker-ce": "5:25.0.3-1"}, None, "WARN", "echo '{"),
        ("dockerd", {"docker-ce": "5:25.0.3-1"}, "", "WARN", "in /etc/docker/daemon.json, then"),
        ("dockerd", {"docker-ce": "5:25.0.3-1"}, '{"features": {"cdi": true}}', "PASS", ""),
        ("dockerd", {"docker-ce": "5:24.0.7-1"}, '{"features": {"cdi": true}}', "WARN", "25.0 or"),
        ("dockerd", {"docker-ce": "5:28.1.1-1"}, "{}", "WARN", "daemon.json"),
        ("dockerd", {"docker-ce": "5:28.2.0-1"}, "{}", "PASS", ""),
        ("dockerd", {"docker-ce": "5:29.0.0-1"}, '{"features": {"cdi": false}}', "WARN", "true}"),
        ("dockerd", {"docker": "29.0"}, "{}", "SKIP", ""),
        ("dockerd", {}, '{"features": {"cdi": true}}', "PASS", ""),
        ("podman", {"podman": "4.3.1+ds1-8"}, None, "PASS", ""),
        ("podman", {"podman": "3.0.1+dfsg1-3"}, None, "WARN", "podman 4.1 or newer"),
        ("podman", {"podman": "not"}, None, "SKIP", ""),
    ],
)
def test_cdi_of_engines(pinfold, machine, program, packages, config, verdict, words):
    """By the version, and what Docker's configuration says; nothing is wrong where no grant is a CDI device."""
    files = {f"usr/bin/{program}": "", "etc/cdi/pinfold.json": "{}", **dpkg(**packages)}
    if config is not None:
        files["etc/docker/daemon.json"] = config
    said = one(report(pinfold, tree=machine("two", files)), "runtime/cdi")
    assert said["verdict"] == verdict and words in (said["cure"] or ""), said
    del files["etc/cdi/pinfold.json"]
    said = one(report(pinfold, tree=machine("two", files)), "runtime/cdi")
    assert said["verdict"] == ("SKIP" if verdict == "SKIP" else "PASS") and not said["cure"], said


def profile(default, *rules):
    return json.dumps({"defaultAction": f"SCMP_ACT_{default}", "syscalls": list(rules)})


def rule(action, names="get_mempolicy set_mempolicy", **more):
    return {"names": names.split(), "action": f"SCMP_ACT_{action}"} | more


NICE = {"caps": ["CAP_SYS_NICE"]}
PROFILES = [
    (profile("ERRNO", rule("ALLOW")), "PASS"),
    (profile("ALLOW"), "PASS"),
    (profile("ERRNO", {"name": "get_mempolicy", "action": "SCMP_ACT_ALLOW"},
             {"name": "set_mempolicy", "action": "SCMP_ACT_LOG"}), "PASS"),
    (profile("ERRNO", rule("ALLOW", includes={}, excludes={}, args=[])), "PASS"),
    (BY_CAPABILITY, "WARN unsaid"),
    (profile("ERRNO", rule("ALLOW", "get_mempolicy")), "WARN unsaid"),
    (profile("ERRNO", rule("ALLOW", includes={"arches": ["s390x"]})), "WARN unsaid"),
    (profile("ERRNO", rule("ALLOW", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}])),
     "WARN unsaid"),
    (profile("ERRNO", rule("ALLOW", includes=NICE), rule("ERRNO", excludes=NICE)), "WARN refused"),
    (profile("ALLOW", rule("ERRNO", "set_mempolicy")), "WARN refused"),
    ("[]", "SKIP"),
    ("{}", "SKIP"),
]  # fmt: skip


@pytest.mark.anywhere
@pytest.mark.parametrize("engine", ["docker", "podman"])
@pytest.mark.parametrize("text, verdict", PROFILES, ids=range(len(PROFILES)))
def test_calls_of_a_profile(pinfold, machine, engine, text, verdict):
    """Whether a container without more capabilities may place its memory, and what pinfold-runtime adds."""
    files = {
        "docker": {
            "usr/bin/dockerd": "",
            "etc/docker/daemon.json": '{"seccomp-profile": "/etc/docker/calls.json"}',
            "etc/docker/calls.json": text,
        },
        "podman": {
            "usr/bin/podman": "",
            "etc/containers/containers.conf": "[containers]\n"
            '#seccomp_profile = "/none"\n  seccomp_profile="/etc/my.json" # mine\n',
            "etc/my.json": text,
            "usr/share/containers/seccomp.json": profile("ALLOW"),
        },
    }[engine]
    said = one(report(pinfold, tree=machine("two", files)), "runtime/numa-calls")
    assert said["verdict"] == verdict.split()[0], said
    assert ("runtime configure" in (said["cure"] or "")) == ("unsaid" in verdict)
    assert ("take get_mempolicy" in (said["cure"] or "")) == ("refused" in verdict)
    assert said["read"].endswith((".json", "my.json"))
    known = "etc/containers/containers.conf.d/50-pinfold.conf"
    if engine == "docker":
        known = "etc/docker/daemon.json"
        runtimes = {"pinfold": {"path": "/usr/bin/pinfold-runtime"}}
        both = json.loads(files[known]) | {"runtimes": runtimes}
        files[known] = json.dumps(both)
    else:
        files[known] = "/usr/bin/pinfold-runtime"
    said = one(report(pinfold, tree=machine("two", files)), "runtime/numa-calls")
    # what it says nothing about they get with a grant; what it refuses stays refused
    expected = "PASS" if "unsaid" in verdict else verdict.split()[0]
    assert said["verdict"] == expected and "runtime configure" not in (said["cure"] or "")


@pytest.mark.anywhere
def test_calls_without_a_profile(pinfold, machine):
    """Docker's own is in its program, and is known; Podman's usual file comes before that of its package."""
    said = []
    for files in (
        {"usr/bin/dockerd": ""},
        {"usr/bin/dockerd": "", "etc/docker/daemon.json": '{"seccomp-profile": "builtin"}'},
        {"usr/bin/dockerd": "", "etc/docker/daemon.json": '{"seccomp-profile": "unconfined"}'},
        {"usr/bin/podman": ""},
        {"usr/bin/podman": "", "usr/share/containers/seccomp.json": profile("ALLOW")},
        {
            "usr/bin/podman": "",
            "usr/share/containers/seccomp.json": profile("ALLOW"),
            "etc/containers/seccomp.json": BY_CAPABILITY,
        },
    ):
        doc = report(pinfold, tree=machine("two", files))
        said.append(one(doc, "runtime/numa-calls")["verdict"])
    assert said == ["WARN", "WARN", "PASS", "SKIP", "PASS", "WARN"]


@pytest.mark.anywhere
def test_containers_of_engines(pinfold, machine):
    """What their directory does not get from above they are not limited by; the cure begins above."""
    top, word = "sys/fs/cgroup", "cgroup.subtree_control"
    pods = f"{top}/kubepods.slice/kubepods-burstable.slice"
    limits = "cpuset memory pids hugetlb"
    files = {
        f"{top}/{word}": "cpuset cpu memory pids",
        f"{top}/kubepods.slice/{word}": "cpu memory pids",
        f"{pods}/{word}": "cpu memory pids",
        f"{pods}/kubepods-burstable-pod1.slice/{word}": "",
        # none of an engine's
        f"{top}/system.slice/{word}": "memory pids",
        f"{top}/system.slice/cron.service/{word}": "",
        f"{top}/docker/{word}": limits,
        f"{top}/docker/{'ab' * 32}/{word}": "",
    }
    found = find(report(pinfold, tree=machine("two-v2", files)), "cgroups/of-containers")
    assert [c["verdict"] for c in found] == ["PASS", "WARN"]
    assert "/docker have all" in found[0]["found"]
    assert found[1]["found"].endswith("burstable.slice are not limited by: cpuset hugetlb")
    assert found[1]["cure"] == " && ".join(
        f"echo '{add}' > /{path}/{word}"
        for path, add in (
            (top, "+hugetlb"),
            (f"{top}/kubepods.slice", "+cpuset +hugetlb"),
            (pods, "+cpuset +hugetlb"),
        )
    )
    # a grant of ours is limited by a cgroup of ours
    doc = report(pinfold, "--cpus", "1", tree=machine("two-v2", files))
    assert not find(doc, "cgroups/of-containers")


@pytest.mark.anywhere
def test_memory_kept_for_large_pages(pinfold, machine):
    meminfo = (machine("two") / "proc/meminfo").read_text()
    files = {"proc/meminfo": meminfo + "CmaTotal:  4194304 kB\nCmaFree:  3145728 kB\n"}
    assert not find(report(pinfold, tree=machine("two", files)), "hugepages/cma")
    doc = report(pinfold, tree=machine("two", files, cmdline="ro hugetlb_cma=4G"))
    said = one(doc, "hugepages/cma", "4G is kept for pages of 1G at run time, 3G of it free")
    assert said["verdict"] == "PASS"


@pytest.mark.anywhere
def test_floors_of_the_kernel(pinfold, machine):
    """Only where something waits for a newer one."""
    vfs = [nic(0, node=1, totalvfs=63, numvfs=2)]
    node = {"sys/class/misc/iommu/dev": "10:123"}
    for release, files, old in (
        ("6.16.9-1-amd64", node, True),
        ("6.17.0-1-amd64", node, False),
        ("6.1.0-1-amd64", {}, False),
        ("7.0.0-1-amd64", node, False),
    ):
        tree = machine("paper", files, release=release, pci=vfs)
        said = one(report(pinfold, tree=tree), "nics/nic-token")
        assert ("iommufd (Linux 6.17)" in said["found"]) == old, (release, said)
    for release, program, verdicts in (
        ("6.8.0-1-amd64", "podman", ["WARN"]),
        ("6.9.0-1-amd64", "podman", ["PASS"]),
        ("6.8.0-1-amd64", "none", []),
    ):
        tree = machine("two", {f"usr/bin/{program}": ""}, release=release)
        doc = report(pinfold, tree=tree)
        assert not find(doc, "security/idmapped-hugetlbfs")
        with open(tree / "proc/mounts", "a", encoding="utf-8") as f:
            f.write("none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n")
        found = find(report(pinfold, tree=tree), "security/idmapped-hugetlbfs")
        assert [c["verdict"] for c in found] == verdicts


@pytest.mark.anywhere
def test_sleep_that_is_turned_off(pinfold, machine):
    for cpu, off in ((2, "0"), (3, "1")):
        files = CSTATES | {f"{CPUIDLE}/state3/disable": "1", "proc/irq/default_smp_affinity": "1"}
        files |= {f"{CPUIDLE}/state2/disable": off}
        doc = report(pinfold, "--cpus", "2", tree=machine("paper", files=files))
        [said] = find(doc, "isolation/c-states")
        assert said["verdict"] == ("WARN" if off == "0" else "PASS"), said
        assert ("33 us late (C1E)" if off == "0" else "within 2 us (C1)") in said["found"]
        assert find(doc, "noise/new-interrupts")[0]["verdict"] == "PASS"


@pytest.mark.anywhere
def test_iommufd(pinfold, machine):
    def said(files):
        return [
            c["found"]
            for c in find(report(pinfold, tree=machine("paper", files=files)), "iommu/iommufd")
        ]

    node, cdev = {"sys/class/misc/iommu/dev": "10:123"}, {"sys/class/vfio-dev/vfio0/dev": "511:0"}
    assert "by their groups" in said({})[0]
    assert "nodes of their own" in said(node | cdev)[0] and "no NIC that is bound" in said(node)[0]


@pytest.mark.anywhere
def test_tuned(pinfold, machine):
    """What its profile does, it is asked for: no cure of ours works against it."""
    files = {
        "etc/tuned/active_profile": "cpu-partitioning",
        "etc/tuned/cpu-partitioning-variables.conf": "isolated_cores=1-11",
        "run/tuned/tuned.pid": "900",
        "proc/900/status": "Name:\ttuned",
        "proc/sys/kernel/timer_migration": "0",
    }
    tree = machine("paper", files=files)
    doc = report(pinfold, "--cpus", "2", tree=tree)
    assert [c["verdict"] for c in find(doc, "isolation/tuned")] == ["PASS"]
    assert not find(doc, "noise/timer-migration")
    doc = report(pinfold, "--cpus", "2,13", tree=tree)
    [said] = find(doc, "isolation/tuned")
    assert said["verdict"] == "WARN" and said["read"].endswith("isolated_cores=1-11")
    assert said["cure"].startswith("isolated_cores=1-11,13 in /etc/tuned/cpu-part")
    [irqs] = find(doc, "noise/interrupts")
    assert irqs["cure"] == said["cure"] and "host prepare --cpus" not in irqs["cure"]
    # as its package has it: what that is the next boot says
    cores = {
        "etc/tuned/cpu-partitioning-variables.conf": "isolated_cores=${f:calc_isolated_cores:1}"
    }
    doc = report(pinfold, "--cpus", "2,13", tree=machine("paper", files=files | cores))
    [said] = find(doc, "isolation/tuned")
    assert said["verdict"] == "SKIP" and not said["cure"]
    [irqs] = find(doc, "noise/interrupts")
    assert irqs["cure"].startswith("CPUs 2,13, too, in isolated_cores of /etc/tuned/cpu-part")
    other = {"etc/tuned/active_profile": "balanced"}
    stopped = {"run/tuned/tuned.pid": ""}
    for changed in [other, stopped]:
        doc = report(pinfold, "--cpus", "2", tree=machine("paper", files=files | changed))
        assert not find(doc, "isolation/tuned") and find(doc, "noise/timer-migration")


@pytest.mark.anywhere
def test_mounts(pinfold, machine):
    """A hugetlbfs that others may fill without limit, and such as are no trouble."""
    tree = machine("paper")
    mounts = tree / "proc/mounts"
    fine = ["rw,mode=755,pagesize=2M", "rw,size=64M,mode=1777"]
    lines = [f"none /mnt/{i} hugetlbfs {o} 0 0" for i, o in enumerate(fine + ["rw,mode=1777"])]
    mounts.write_text(mounts.read_text() + "\n".join(lines + [""]))
    found = find(report(pinfold, tree=tree), "hugepages/mounts")
    assert [c["verdict"] for c in found] == ["PASS", "PASS", "WARN"]
    assert found[2]["cure"].startswith("umount /mnt/2 #")


@pytest.mark.anywhere
def test_grant_flags(pinfold, machine, memory_path):
    """Only what the grant needs is examined, and what it lacks is a failure."""
    tree = machine("two")
    doc = report(pinfold, "--cpus", "1", tree=tree)
    assert doc["failed"] == 0, doc
    assert not {"iommu", "nics", "hugepages"} & {c["group"] for c in doc["checks"]}
    assert "CPUs 1 are looked at" in one(doc, "isolation/cpus")["found"]
    (memory_path / "asked.json").write_text('{"cpus": "1"}')
    assert report(pinfold, "--from", str(memory_path / "asked.json"), tree=tree) == doc
    doc = report(pinfold, "--cpus", "1", "--nic", "00:03.0", tree=tree)
    assert one(doc, "iommu/iommu")["verdict"] == "FAIL"
    assert one(doc, "nics/nic")["verdict"] == "FAIL"
    doc = report(pinfold, "--cpus", "9", "--hugepages", "2M=9999", tree=tree)
    assert "CPU 9 does not exist" in one(doc, "grant/grant")["found"] or "9999" in str(doc)
    assert one(doc, "grant/grant")["verdict"] == "FAIL"
    # what a refusal quotes is no command
    doc = report(pinfold, "--cpu-count", "1", "--near", "x: pinfold gc;id", tree=tree)
    assert one(doc, "grant/grant")["verdict"] == "FAIL"
    assert one(doc, "grant/grant")["cure"] == "pinfold host free"
    doc = report(pinfold, "--cpu-count", "4", "--nic", "82:00.0", tree=machine("paper"))
    assert "CPUs 13-16 are" in one(doc, "isolation/cpus")["found"]
    assert one(doc, "nics/nic")["verdict"] == "PASS"


@pytest.mark.anywhere
def test_for_a_grant(pinfold, machine):
    tree = machine("paper")
    (tree / "run").mkdir()
    create = ["grant", "create", "--name", "slot", "--cpus", "1-2", "--hugepages", "2M=64@0"]
    subprocess.run([pinfold, "--host-tree", str(tree), *create], check=True, stdout=subprocess.PIPE)
    doc = report(pinfold, "--for", "slot", tree=tree)
    assert doc["grant"] == "slot" and one(doc, "grant/grant")["verdict"] == "PASS"
    assert "CPUs 1-2 are looked at" in one(doc, "isolation/cpus")["found"]
    # it holds the CPUs: of the whole machine they are what is looked at
    doc = report(pinfold, tree=tree)
    assert "CPUs 1-2 are looked at: they are granted" in one(doc, "isolation/cpus")["found"]
    p = run(pinfold, "--for", "slot", "--cpus", "3", tree=tree)
    assert p.returncode == 125 and "leave the other grant flags out" in p.stderr
    p = run(pinfold, "--for", "none", tree=tree)
    assert p.returncode == 125 and "'none'" in p.stderr


@pytest.mark.anywhere
@pytest.mark.parametrize(
    "words, like",
    [
        (["--jsn"], "did you mean '--json'"),
        (["x"], "'x' is no option"),
        (["--in", "jail"], "container, vm or host"),
        (["--hugepages", "2M"], "2M"),
    ],
)
def test_nonsense(pinfold, words, like):
    p = run(pinfold, *words)
    assert p.returncode == 125 and like in p.stderr and p.stderr.count("\n") == 1


# --- this machine ---------------------------------------------------------------------------------


@needs_root
@needs_pages(8)
@pytest.mark.guest
def test_here(pinfold):
    """The kernel is the judge."""
    doc = report(pinfold)
    assert doc["root"] is True
    pages = [c["found"] for c in find(doc, "hugepages/pages", "2M")]
    total = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages").read_text()
    assert sum(int(text.split(": ")[1].split(",")[0]) for text in pages) == int(total)
    groups = (
        os.listdir("/sys/kernel/iommu_groups") if Path("/sys/kernel/iommu_groups").exists() else []
    )
    assert (one(doc, "iommu/iommu")["verdict"] == "PASS") == bool(groups)
    assert one(doc, "runtime/oci-runtime")["verdict"] == "PASS"
    for c in find(doc, "cgroups/controllers"):
        assert c["verdict"] == "PASS"  # or nothing of these tests would run
    swap = len(Path("/proc/swaps").read_text().splitlines()) > 1
    assert (one(doc, "memory/swap")["verdict"] == "WARN") == swap


@pytest.mark.anywhere
@pytest.mark.parametrize("module", ["kvm_intel", "kvm_amd"])
def test_kvm_that_runs_guests(pinfold, machine, module):
    files = {"sys/class/misc/kvm/dev": "10:232", f"sys/module/{module}/parameters/nested": "Y"}
    doc = report(pinfold, "--cpus", "1", "--in", "vm", tree=machine("two", files=files))
    found = one(doc, "machines/kvm")
    assert (found["verdict"], found["found"]) == ("PASS", module)


@pytest.mark.anywhere
def test_machines(pinfold, monkeypatch, tmp_path):
    """What a virtual machine lacks here is a failure where one is asked for, and of no interest to a container."""
    monkeypatch.setenv("PINFOLD_GUEST_CACHE", str(tmp_path))
    found = one(report(pinfold, "--in", "vm"), "machines/kernel")
    assert (found["verdict"], found["cure"]) == ("FAIL", "pinfold host kernel")
    assert str(tmp_path) in found["found"]
    assert one(report(pinfold), "machines/kernel")["verdict"] == "WARN"
    assert not [c for c in report(pinfold, "--cpus", "0")["checks"] if c["group"] == "machines"]
    (tmp_path / "linux-9.9").mkdir()
    (tmp_path / "linux-9.9/vmlinux").touch()
    doc = report(pinfold, "--in", "vm")
    found = one(doc, "machines/kernel")
    assert found["verdict"] == "PASS" and found["found"].endswith("linux-9.9/vmlinux")
    installed = shutil.which("qemu-system-x86_64", path="/usr/local/bin:/usr/bin")
    assert one(doc, "machines/qemu")["verdict"] == ("PASS" if installed else "FAIL")
    works = Path("/dev/kvm").exists() and any(
        Path(f"/sys/module/kvm_{m}").exists() for m in ("intel", "amd")
    )
    assert one(doc, "machines/kvm")["verdict"] == ("PASS" if works else "WARN")


@needs_root
def test_without_root(pinfold, tmp_path):
    """It says which checks it could not make."""
    copy = tmp_path / "pinfold"
    copy.write_bytes(Path(pinfold).read_bytes())
    copy.chmod(0o755)
    for directory in [tmp_path, *tmp_path.parents][:3]:
        directory.chmod(0o755)
    p = run(str(copy), "--json", user=65534, group=65534, extra_groups=[])
    doc = json.loads(p.stdout)
    jsonschema.validate(doc, SCHEMA)
    assert doc["root"] is False
    assert "needs root" in one(doc, "leftovers/map-files")["found"]
    p = run(str(copy), user=65534, group=65534, extra_groups=[])
    assert p.stdout.splitlines()[-1].startswith("not as root")


@needs_root
@needs_pages(8)
def test_leftovers(pinfold, memory_path):
    """A file of hugepages that a program has locked, and one that nobody has."""
    where = memory_path / "huge"
    where.mkdir()
    subprocess.run(["mount", "-t", "hugetlbfs", "-o", "size=4M", "none", str(where)], check=True)
    try:
        (where / "rtemap_0").touch()
        (where / "rtemap_1").touch()
        with open(where / "rtemap_1", encoding="utf-8") as f:
            subprocess.run(["flock", "--shared", "--nonblock", str(f.fileno())],
                           pass_fds=[f.fileno()], check=True)  # fmt: skip
            c = one(report(pinfold), "leftovers/map-files", str(where))
            assert "1 of 2 files" in c["found"] and "rtemap_0" in c["found"]
            assert c["cure"] == f"rm {where}/rtemap_*"
        assert "2 of 2" in one(report(pinfold), "leftovers/map-files", str(where))["found"]
    finally:
        subprocess.run(["umount", str(where)], check=True)


@needs_root
@needs_pages(8)
@pytest.mark.parametrize(
    "hostile", ["$(touch pwned)", "x;touch pwned;", "it's; touch pwned #", "0"]
)
def test_a_cure_is_no_trap(pinfold, memory_path, hostile):
    """Whoever made a file or a directory chose its name: pasted, the cure removes that and does nothing else."""
    where = memory_path / f"huge {hostile}"
    where.mkdir()
    subprocess.run(["mount", "-t", "hugetlbfs", "-o", "size=4M", "none", str(where)], check=True)
    try:
        (where / f"{hostile}map_0").touch()
        (where / "other").touch()
        cure = one(report(pinfold), "leftovers/map-files", str(where))["cure"]
        subprocess.run(["sh", "-c", cure], cwd=memory_path, check=True)
        assert os.listdir(where) == ["other"]
        assert os.listdir(memory_path) == [where.name]
    finally:
        subprocess.run(["umount", str(where)], check=True)


@needs_root
def test_the_cure_of_an_open_mount_is_no_trap(pinfold, memory_path):
    where = memory_path / "$(touch pwned)"
    where.mkdir()
    words = ["mount", "-t", "hugetlbfs", "-o", "mode=1777", "none", str(where)]
    subprocess.run(words, check=True)
    try:
        cure = one(report(pinfold), "hugepages/mounts", str(where))["cure"]
        subprocess.run(["sh", "-c", cure], cwd=memory_path, check=True)
        assert not os.path.ismount(where) and os.listdir(memory_path) == [where.name]
    finally:
        subprocess.run(["umount", str(where)], check=False, stderr=subprocess.DEVNULL)
