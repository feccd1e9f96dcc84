#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Makes trees of plain files that stand in for another machine's /sys and /proc.

    fake_host.py KIND DIR
    fake_host.py all DIR      one directory below DIR for each kind, replacing those of last time

KIND is one of `kinds` below. As a library: take a machine from `kinds[name]()`, change its fields,
and call `write(machine, directory)`.
"""

import os
import shutil
import sys
from dataclasses import dataclass, field


@dataclass
class Node:
    cpus: list
    mem_kb: int
    pages: dict  # page size in kB -> [total, free, surplus]
    movable: bool = False  # all of its memory


@dataclass
class Pci:
    bdf: str
    vendor: int = 0x8086
    device: int = 0x10FB
    cls: int = 0x020000
    driver: str = ""
    group: int = -1
    node: int = -1
    netdev: str = ""
    uppers: list = field(default_factory=list)  # bonds, bridges and VLANs above, nearest first
    virtio: bool = False  # the interface is below a virtio0 directory
    physfn: str = ""
    totalvfs: int = 0
    numvfs: int = 0
    override: str = ""
    mac: str = ""
    link: str = ""  # operstate
    speed: int = 0
    rdma: str = ""  # name of its InfiniBand device
    noiommu: bool = False  # its group is one of VFIO's mode without an IOMMU
    address6: bool = False  # of the interface, and no route
    bridge: str = "0000:00:02.0"  # the root port it sits behind, "" for the root bus


@dataclass
class Machine:
    cpus: int
    cores: list  # per CPU: (package, core)
    nodes: dict  # node number -> Node
    distances: list  # rows in the order of the node numbers
    pci: list
    l3: list  # lists of CPUs that share a last-level cache
    numa: bool = True
    online: str = ""  # default: all
    isolated: str = ""
    nohz_full: str = None  # no such file
    cmdline: str = "BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro quiet"
    release: str = "6.1.0-18-amd64"
    hostname: str = "fake"
    boot_id: str = "6b2f4d52-3d2c-4b9b-8a6e-0f9f3c2a7d11"
    cgroup: str = "v2"  # v1, v1-bare (hugetlb not mounted), v2
    resv: dict = field(default_factory=dict)  # page size in kB -> resv_hugepages
    routes: list = field(default_factory=list)  # names with a default route, IPv4
    routes6: list = field(default_factory=list)
    rdma_netns: str = ""  # "N": each InfiniBand device is in one network namespace
    model: str = "Fake CPU"
    flags: str = "fpu pdpe1gb"
    cpufreq: bool = False
    lxcfs: bool = False
    selinux: bool = False
    iommu: str = ""  # name of an Intel IOMMU in front of the functions that have a group
    old_topology: bool = False  # a kernel before 5.3: no core_cpus_list
    caches: bool = True
    l2: list = field(
        default_factory=list
    )  # lists of CPUs that share one; default: the threads of a core
    atom: str = ""  # efficiency cores beside performance cores
    capacity: dict = field(default_factory=dict)  # CPU -> cpu_capacity
    irqs: list = field(default_factory=list)  # (number, handler or "", list of CPUs)
    tasks: list = field(default_factory=list)  # (pid, name, flags, list of CPUs)
    files: dict = field(default_factory=dict)  # path -> text, besides or instead of what is above


def format_list(ids):
    """The kernel's list format."""
    ids = sorted(ids)
    parts = []
    i = 0
    while i < len(ids):
        j = i
        while j + 1 < len(ids) and ids[j + 1] == ids[j] + 1:
            j += 1
        parts.append(str(ids[i]) if i == j else f"{ids[i]}-{ids[j]}")
        i = j + 1
    return ",".join(parts)


def parse_list(text):
    ids = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        ids += range(int(first), int(last or first) + 1)
    return ids


def format_mask(ids, count):
    words = [0] * max(1, (count + 31) // 32)
    for i in ids:
        words[i // 32] |= 1 << (i % 32)
    return ",".join(f"{w:08x}" for w in reversed(words))


class Tree:
    def __init__(self, root):
        self.root = root
        self.dirs = set()  # that are there: to ask for each of ten thousand takes a while

    def put(self, path, text):
        full = os.path.join(self.root, path)
        self.dir(os.path.dirname(path))
        with open(full, "w", encoding="utf-8") as f:
            f.write(text if text.endswith("\n") or text == "" else text + "\n")

    def dir(self, path):
        if path not in self.dirs:
            os.makedirs(os.path.join(self.root, path), exist_ok=True)
            self.dirs.add(path)

    def link(self, path, target):
        """A link at path to target, both from the root, relative as in sysfs."""
        full = os.path.join(self.root, path)
        self.dir(os.path.dirname(path))
        os.symlink(os.path.relpath(target, os.path.dirname(path)), full)


def online_cpus(m):
    return parse_list(m.online) if m.online else list(range(m.cpus))


def node_of(m, cpu):
    return next((n for n, node in m.nodes.items() if cpu in node.cpus), 0)


def by_cpu(groups, online):
    """Which of its group are online, for each CPU."""
    return {cpu: here for g in groups for here in [[c for c in g if c in online]] for cpu in g}


def write_caches(t, base, siblings, l2, l3):
    rows = [
        (1, "Data", "32K", siblings),
        (1, "Instruction", "32K", siblings),
        (2, "Unified", "256K", l2),
        (3, "Unified", "30720K", l3),
    ]
    for i, (level, kind, size, shared) in enumerate(rows):
        d = f"{base}/cache/index{i}"
        t.put(f"{d}/level", str(level))
        t.put(f"{d}/type", kind)
        t.put(f"{d}/size", size)
        t.put(f"{d}/id", str(min(shared)))
        t.put(f"{d}/coherency_line_size", "64")
        t.put(f"{d}/shared_cpu_list", format_list(shared))
        t.put(f"{d}/shared_cpu_map", format_mask(shared, max(shared) + 1))


def write_cpus(t, m):
    base = "sys/devices/system/cpu"
    online = online_cpus(m)
    everyone = range(m.cpus)
    t.put(f"{base}/online", format_list(online))
    t.put(f"{base}/offline", format_list(set(everyone) - set(online)))
    t.put(f"{base}/possible", format_list(everyone))
    t.put(f"{base}/present", format_list(everyone))
    t.put(f"{base}/isolated", m.isolated or "\n")
    if m.nohz_full is not None:
        t.put(f"{base}/nohz_full", m.nohz_full)
    t.put(f"{base}/kernel_max", "8191")
    packages, cores = {}, {}
    for cpu in online:
        packages.setdefault(m.cores[cpu][0], []).append(cpu)
        cores.setdefault(m.cores[cpu], []).append(cpu)
    l3_of, l2_of = by_cpu(m.l3, set(online)), by_cpu(m.l2, set(online))
    if m.atom:
        t.put("sys/devices/cpu_core/cpus", format_list(set(online) - set(parse_list(m.atom))))
        t.put("sys/devices/cpu_atom/cpus", m.atom)
    for cpu in everyone:
        d = f"{base}/cpu{cpu}"
        if cpu > 0:
            t.put(f"{d}/online", str(int(cpu in online)))
        if m.cpufreq:
            policy = f"{base}/cpufreq/policy{cpu}"
            t.put(f"{policy}/cpuinfo_min_freq", "1200000")
            t.put(f"{policy}/cpuinfo_max_freq", "3500000")
            t.put(f"{policy}/scaling_cur_freq", "2600000")
            t.link(f"{d}/cpufreq", policy)
        t.dir(d)
        if cpu not in online:
            continue
        if cpu in m.capacity:
            t.put(f"{d}/cpu_capacity", str(m.capacity[cpu]))
        package, core = m.cores[cpu]
        siblings = cores[m.cores[cpu]]
        topology = f"{d}/topology"
        t.put(f"{topology}/core_id", str(core))
        t.put(f"{topology}/physical_package_id", str(package))
        t.put(f"{topology}/thread_siblings_list", format_list(siblings))
        if not m.old_topology:
            t.put(f"{topology}/core_cpus_list", format_list(siblings))
        if m.caches:
            t.put(f"{topology}/thread_siblings", format_mask(siblings, m.cpus))
            t.put(f"{topology}/core_siblings", format_mask(packages[package], m.cpus))
            t.put(f"{topology}/core_siblings_list", format_list(packages[package]))
            t.put(f"{topology}/package_cpus_list", format_list(packages[package]))
            write_caches(t, d, siblings, l2_of.get(cpu, siblings), l3_of[cpu])
        if m.numa:
            t.link(f"{d}/node{node_of(m, cpu)}", f"sys/devices/system/node/node{node_of(m, cpu)}")


def write_pool(t, d, counts, resv=None):
    total, free, surplus = counts
    t.put(f"{d}/nr_hugepages", str(total))
    t.put(f"{d}/free_hugepages", str(free))
    t.put(f"{d}/surplus_hugepages", str(surplus))
    if resv is not None:
        t.put(f"{d}/resv_hugepages", str(resv))
        t.put(f"{d}/nr_hugepages_mempolicy", str(total))
        t.put(f"{d}/nr_overcommit_hugepages", "0")


def pools(m):
    """Page size in kB -> counts of the whole machine."""
    sizes = sorted({kb for n in m.nodes.values() for kb in n.pages})
    return {kb: [sum(n.pages[kb][i] for n in m.nodes.values()) for i in range(3)] for kb in sizes}


def free_kb(node):
    return node.mem_kb - node.mem_kb // 16 - sum(kb * c[0] for kb, c in node.pages.items())


def write_nodes(t, m):
    base = "sys/devices/system/node"
    for kb, counts in pools(m).items():
        write_pool(t, f"sys/kernel/mm/hugepages/hugepages-{kb}kB", counts, m.resv.get(kb, 0))
    if not m.numa:
        return
    online = online_cpus(m)
    t.put(f"{base}/online", format_list(m.nodes))
    t.put(f"{base}/possible", format_list(m.nodes))
    t.put(f"{base}/has_cpu", format_list(n for n in m.nodes if m.nodes[n].cpus))
    memory = [n for n in m.nodes if m.nodes[n].mem_kb]
    t.put(f"{base}/has_memory", format_list(memory))
    t.put(f"{base}/has_normal_memory", format_list(n for n in memory if not m.nodes[n].movable))
    for row, (n, node) in zip(m.distances, m.nodes.items()):
        d = f"{base}/node{n}"
        cpus = [c for c in node.cpus if c in online]
        t.put(f"{d}/cpulist", format_list(cpus))
        t.put(f"{d}/cpumap", format_mask(cpus, m.cpus))
        t.put(f"{d}/distance", " ".join(map(str, row)))
        t.put(
            f"{d}/meminfo",
            f"Node {n} MemTotal:       {node.mem_kb:8d} kB\n"
            f"Node {n} MemFree:        {free_kb(node):8d} kB\n"
            f"Node {n} MemUsed:        {node.mem_kb - free_kb(node):8d} kB\n",
        )
        for cpu in node.cpus:
            t.link(f"{d}/cpu{cpu}", f"sys/devices/system/cpu/cpu{cpu}")
        for kb, counts in node.pages.items():
            write_pool(t, f"{d}/hugepages/hugepages-{kb}kB", counts)


def device_path(p):
    bus = f"sys/devices/pci{p.bdf[:5]}{'00' if p.bdf[5] < '8' else '80'}"
    return f"{bus}/{p.bridge}/{p.bdf}" if p.bridge else f"{bus}/{p.bdf}"


def write_netdev(t, d, p):
    where = f"{d}/virtio0/net" if p.virtio else f"{d}/net"
    t.put(f"{where}/{p.netdev}/mtu", "1500")
    below = f"{where}/{p.netdev}"
    t.link(f"sys/class/net/{p.netdev}", below)
    t.put(f"{below}/address", p.mac or "02:00:00:00:00:01")
    t.put(f"{below}/operstate", p.link or "down")
    t.put(f"{below}/speed", str(p.speed or -1))
    for upper in p.uppers:
        above = f"sys/devices/virtual/net/{upper}"
        t.put(f"{above}/mtu", "1500")
        # two ports of a bond share what is above it
        if not os.path.lexists(os.path.join(t.root, f"{below}/upper_{upper}")):
            t.link(f"{below}/upper_{upper}", above)
        below = above


def write_uio(t, d, number):
    """What a program drives a function on UIO with."""
    t.put(f"{d}/uio/uio{number}/dev", f"245:{number}")
    os.symlink(
        f"../../../{os.path.basename(d)}", os.path.join(t.root, f"{d}/uio/uio{number}/device")
    )
    t.link(f"sys/class/uio/uio{number}", f"{d}/uio/uio{number}")
    for name in ("config", "resource0", "resource3"):
        t.put(f"{d}/{name}", "")


def write_rdma(t, d, p, number):
    """Its InfiniBand device, and what programs open."""
    t.dir(f"{d}/infiniband/{p.rdma}")
    t.link(f"sys/class/infiniband/{p.rdma}", f"{d}/infiniband/{p.rdma}")
    t.put(f"{d}/infiniband_verbs/uverbs{number}/dev", f"231:{192 + number}")
    t.link(f"sys/class/infiniband_verbs/uverbs{number}", f"{d}/infiniband_verbs/uverbs{number}")
    t.put("sys/class/infiniband_verbs/abi_version", "6")


def write_pci(t, m):
    if m.rdma_netns:
        t.put("sys/module/ib_core/parameters/netns_mode", m.rdma_netns)
    t.dir("sys/bus/pci/devices")
    t.dir("sys/kernel/iommu_groups")
    paths = {p.bdf: device_path(p) for p in m.pci}
    for p in m.pci:
        d = paths[p.bdf]
        t.put(f"{d}/vendor", f"0x{p.vendor:04x}")
        t.put(f"{d}/device", f"0x{p.device:04x}")
        t.put(f"{d}/class", f"0x{p.cls:06x}")
        t.put(f"{d}/numa_node", str(p.node))
        t.put(f"{d}/uevent", f"PCI_SLOT_NAME={p.bdf}")
        t.link(f"sys/bus/pci/devices/{p.bdf}", d)
        t.put(f"{d}/driver_override", p.override or "(null)")
        if p.rdma:
            write_rdma(t, d, p, sum(bool(o.rdma) for o in m.pci[: m.pci.index(p)]))
        if p.driver:
            t.dir(f"sys/bus/pci/drivers/{p.driver}")
            t.link(f"{d}/driver", f"sys/bus/pci/drivers/{p.driver}")
        if p.group >= 0:
            group = f"sys/kernel/iommu_groups/{p.group}"
            t.link(f"{d}/iommu_group", group)
            t.link(f"{group}/devices/{p.bdf}", d)
            if p.noiommu:
                t.put(f"{group}/name", "vfio-noiommu")
            if m.iommu:
                iommu = f"sys/devices/virtual/iommu/{m.iommu}"
                t.link(f"{d}/iommu", iommu)
                t.put(f"{iommu}/intel-iommu/cap", "d2008c40660462")
        if p.driver in ("uio_pci_generic", "igb_uio"):
            write_uio(t, d, sum("uio" in o.driver for o in m.pci[: m.pci.index(p)]))
        if p.netdev:
            write_netdev(t, d, p)
        if p.physfn:
            t.link(f"{d}/physfn", paths[p.physfn])
            mates = [v.bdf for v in m.pci if v.physfn == p.physfn]
            t.link(f"{paths[p.physfn]}/virtfn{mates.index(p.bdf)}", d)
        if p.totalvfs:
            t.put(f"{d}/sriov_totalvfs", str(p.totalvfs))
            t.put(f"{d}/sriov_numvfs", str(p.numvfs))
            t.put(f"{d}/sriov_drivers_autoprobe", "1")


def write_vfio(t, m):
    """The device numbers of /dev/vfio: one for each group that has a function bound to vfio-pci."""
    bound = [p for p in m.pci if p.driver == "vfio-pci" and p.group >= 0]
    groups = sorted({f"noiommu-{p.group}" if p.noiommu else str(p.group) for p in bound})
    if not groups:
        return
    for module in ("vfio", "vfio_iommu_type1", "vfio_pci"):
        t.dir(f"sys/module/{module}")
    t.put("sys/class/misc/vfio/dev", "10:196")
    for i, group in enumerate(groups):
        t.put(f"sys/class/vfio/{group}/dev", f"240:{i}")


def write_root(t, _machine):
    """The directories of a merged /usr, empty."""
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "opt"):
        t.dir(name)
    for name in ("bin", "lib", "lib64", "sbin"):
        t.link(name, f"usr/{name}")


V1 = ["cpuset", "cpu,cpuacct", "blkio", "memory", "devices", "freezer", "net_cls,net_prio", "pids"]
KNOWN = (
    "cpuset cpu cpuacct blkio memory devices freezer net_cls perf_event net_prio hugetlb pids rdma"
).split()


def write_cgroup(t, m):
    mounts = [
        "sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0",
        "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0",
        "/dev/sda1 / ext4 rw,relatime 0 0",
        "/dev/sda2 /mnt/two\\040words ext4 rw,relatime 0 0",
    ]
    root = "sys/fs/cgroup"
    mounted = []
    if m.cgroup == "v2":
        mounts.append(f"cgroup2 /{root} cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0")
        t.put(f"{root}/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc")
        t.put(f"{root}/cgroup.subtree_control", "cpuset cpu io memory hugetlb pids")
        t.put(f"{root}/cgroup.procs", "1")
    else:
        mounted = V1 + ([] if m.cgroup == "v1-bare" else ["hugetlb"])
        mounts.append(f"tmpfs /{root} tmpfs ro,nosuid,nodev,noexec,mode=755 0 0")
        mounts.append(f"cgroup2 /{root}/unified cgroup2 rw,nosuid,nodev,noexec,relatime 0 0")
        t.put(f"{root}/unified/cgroup.controllers", "\n")
        for name in mounted:
            mounts.append(f"cgroup /{root}/{name} cgroup rw,nosuid,nodev,relatime,{name} 0 0")
            t.put(f"{root}/{name}/cgroup.procs", "1")
        if "hugetlb" in mounted:
            for size in ("2MB", "1GB"):
                for kind in ("", "rsvd."):
                    limit = f"{root}/hugetlb/hugetlb.{size}.{kind}limit_in_bytes"
                    t.put(limit, "9223372036854771712")
    t.put("proc/mounts", "\n".join(mounts))
    lines = ["#subsys_name\thierarchy\tnum_cgroups\tenabled"]
    hierarchies = {name: i + 1 for i, d in enumerate(mounted) for name in d.split(",")}
    lines += [f"{name}\t{hierarchies.get(name, 0)}\t1\t1" for name in KNOWN]
    t.put("proc/cgroups", "\n".join(lines))


def write_routes(t, m):
    lines = ["Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"]
    for name in m.routes:
        lines.append(f"{name}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0")
        lines.append(f"{name}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0")
    t.put("proc/net/route", "\n".join(lines))
    zero = "0" * 32
    lines = [f"{zero[:-1]}1 80 {zero} 00 {zero} 00000000 00000002 00000000 80200001       lo"]
    for name in m.routes6:
        gateway = "fe80" + "0" * 27 + "1"
        lines.append(
            f"{zero} 00 {zero} 00 {gateway} 00000400 00000002 00000000 00000003     {name}"
        )
    lines.append(f"{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo")
    t.put("proc/net/ipv6_route", "\n".join(lines))
    lines = [f"{zero[:-1]}1 01 80 10 80       lo"]
    for number, p in enumerate(p for p in m.pci if p.netdev):
        lines.append(f"fe80{zero[:-5]}1 {number + 2:02x} 40 20 80 {p.netdev:>8}")
        if p.address6:
            lines.append(f"2001{zero[:-5]}1 {number + 2:02x} 40 00 80 {p.netdev:>8}")
    t.put("proc/net/if_inet6", "\n".join(lines))


def write_proc(t, m):
    total = sum(n.mem_kb for n in m.nodes.values())
    sizes = pools(m)
    default = sizes.get(2048, [0, 0, 0])
    t.put(
        "proc/meminfo",
        f"MemTotal:       {total:8d} kB\n"
        f"MemFree:        {sum(map(free_kb, m.nodes.values())):8d} kB\n"
        f"MemAvailable:   {sum(map(free_kb, m.nodes.values())):8d} kB\n"
        "Buffers:            2048 kB\n"
        "SwapTotal:             0 kB\n"
        f"HugePages_Total:   {default[0]:5d}\n"
        f"HugePages_Free:    {default[1]:5d}\n"
        f"HugePages_Rsvd:    {m.resv.get(2048, 0):5d}\n"
        f"HugePages_Surp:    {default[2]:5d}\n"
        + ("Hugepagesize:       2048 kB\n" if sizes else ""),
    )
    t.put("proc/cmdline", m.cmdline)
    online = online_cpus(m)
    t.put(
        "proc/cpuinfo",
        "\n".join(
            f"processor\t: {c}\nvendor_id\t: GenuineIntel\nmodel name\t: {m.model}\n"
            f"physical id\t: {m.cores[c][0]}\ncore id\t\t: {m.cores[c][1]}\n"
            f"flags\t\t: {m.flags}\n"
            for c in online
        ),
    )
    ticks = "100 0 100 1000 0 0 0 0 0 0"
    lines = [f"cpu  {ticks}"] + [f"cpu{c} {ticks}" for c in online]
    t.put("proc/stat", "\n".join(lines + ["intr 4711", "ctxt 4711", "btime 1700000000"]))
    t.put("proc/vmstat", "nr_free_pages 4711")
    t.put("proc/loadavg", "4.71 4.71 4.71 1/471 4711")
    t.put("proc/uptime", "4711.00 4711.00")
    if m.lxcfs:
        t.put("var/lib/lxcfs/proc/loadavg", "0.00 0.00 0.00 1/1 1")
        t.put("var/lib/lxcfs/proc/uptime", "1.00 1.00")
    if m.selinux:
        t.put("sys/fs/selinux/enforce", "1")
    t.put("proc/sys/kernel/random/boot_id", m.boot_id)
    t.put("proc/sys/kernel/osrelease", m.release)
    t.put("proc/sys/kernel/hostname", m.hostname)
    t.put("proc/sys/net/core/somaxconn", "4096")
    t.put("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456")


PF_KTHREAD, PF_NO_SETAFFINITY = 0x00200000, 0x04000000


def write_noise(t, m):
    for number, handler, cpus in m.irqs:
        t.put(f"proc/irq/{number}/smp_affinity_list", format_list(online_cpus(m)))
        t.put(f"proc/irq/{number}/effective_affinity_list", cpus)
        if handler:
            t.dir(f"proc/irq/{number}/{handler}")
    for pid, name, flags, cpus, *cgroups in m.tasks:
        rest = "0 " * 43
        for text in cgroups:
            t.put(f"proc/{pid}/cgroup", text)
        t.put(f"proc/{pid}/stat", f"{pid} ({name}) S 2 0 0 0 -1 {flags} {rest.strip()}")
        # those of further threads after a semicolon
        for n, may in enumerate(cpus.split(";")):
            text = f"Name:\t{name}\nCpus_allowed_list:\t{may}\nThreads:\t{cpus.count(';') + 1}"
            t.put(f"proc/{pid}/task/{pid + n}/status", text)
            if n == 0:
                t.put(f"proc/{pid}/status", text)


def write(m, directory):
    """Writes the tree into a directory, which must be empty or not yet there."""
    t = Tree(directory)
    t.dir("")
    if os.listdir(directory):
        raise FileExistsError(f"{directory} is not empty")
    parts = [write_cpus, write_nodes, write_pci, write_vfio, write_cgroup, write_routes]
    for part in parts + [write_proc, write_noise, write_root]:
        part(t, m)
    for path, text in m.files.items():
        t.put(path, text)
    return directory


def ring_distances(count, near=10, far=21):
    return [[near if a == b else far for b in range(count)] for a in range(count)]


def two(cgroup="v1", lxcfs=False, selinux=False):
    """A small virtual machine."""
    return Machine(
        cpus=2,
        cores=[(0, 0), (0, 1)],
        nodes={0: Node([0, 1], 4 << 20, {2048: [512, 500, 0], 1 << 20: [0, 0, 0]})},
        distances=[[10]],
        pci=[
            Pci("0000:00:00.0", device=0x0D57, cls=0x060000, bridge=""),
            Pci(
                "0000:00:03.0",
                vendor=0x1AF4,
                device=0x1041,
                driver="virtio-pci",
                netdev="eth0",
                virtio=True,
                bridge="",
            ),
            Pci(
                "0000:00:04.0",
                vendor=0x1AF4,
                device=0x1042,
                cls=0x018000,
                driver="virtio-pci",
                bridge="",
            ),
        ],
        l3=[[0, 1]],
        cgroup=cgroup,
        lxcfs=lxcfs,
        selinux=selinux,
        resv={2048: 12},
        routes=["eth0"],
        routes6=["eth0"],
        nohz_full="(null)",
        hostname="two",
        model="Fake virtual CPU",
    )


def paper():
    """The machine of the white paper: two Xeon E5-2690 v3 and two dual-port 82599."""
    node_cpus = [[c for c in range(48) if c % 24 // 12 == n] for n in range(2)]
    core_ids = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]  # as this processor numbers them
    isolated = "1-11,25-35,13-23,37-47"
    port = {"device": 0x2F04, "cls": 0x060400, "driver": "pcieport", "bridge": ""}
    igb = {"device": 0x1521, "driver": "igb", "totalvfs": 7, "bridge": ""}
    vfio = {"driver": "vfio-pci", "totalvfs": 63}
    second = {"node": 1, "bridge": "0000:80:02.0", **vfio}
    return Machine(
        cpus=48,
        cores=[((c % 24) // 12, core_ids[c % 12]) for c in range(48)],
        nodes={
            n: Node(cpus, 32 << 20, {2048: [256, 256, 0], 1 << 20: [16, 16, 0]})
            for n, cpus in enumerate(node_cpus)
        },
        distances=ring_distances(2),
        pci=[
            Pci("0000:00:02.0", group=1, node=0, **port),
            Pci("0000:01:00.0", group=20, node=0, netdev="eno1", **igb),
            Pci("0000:03:00.0", group=30, node=0, **vfio),
            Pci("0000:03:00.1", group=31, node=0, **vfio),
            Pci("0000:80:02.0", group=2, node=1, **port),
            Pci("0000:82:00.0", group=40, **second),
            Pci("0000:82:00.1", group=41, **second),
        ],
        l3=node_cpus,
        isolated=format_list(parse_list(isolated)),
        nohz_full=format_list(parse_list(isolated)),
        cmdline=f"BOOT_IMAGE=/boot/vmlinuz ro default_hugepagesz=2M hugepagesz=1G hugepages=32 "
        f"intel_iommu=on iommu=pt isolcpus={isolated} nohz_full={isolated} rcu_nocbs={isolated}",
        routes=["eno1"],
        hostname="paper",
        irqs=[
            (0, "timer", "0"),
            (9, "", "3"),  # nobody handles it
            (40, "eno1-TxRx-0", "0"),
            (41, "eno1-TxRx-1", "2"),
            (42, "ixgbe", "14"),
        ],
        tasks=[
            (1, "init", 0x00400100, "0,12,24,36"),
            (22, "ksoftirqd/2", PF_KTHREAD | PF_NO_SETAFFINITY, "2"),
            (90, "kworker/u96:1-events) S 1 (", PF_KTHREAD, "0-47"),
            (91, "kswapd0", PF_KTHREAD, "0,12,24,36"),
            (700, "collector", 0x00400000, "2"),
            (701, "wide", 0x00400000, "2,0"),
            (800, "testpmd", 0x00400000, "0-47;5;6"),
            (900, "vnf", 0x00400000, "7", "12:cpuset:/pinfold/fw/box\n0::/"),
        ],
        model="Intel(R) Xeon(R) CPU E5-2690 v3 @ 2.60GHz",
        cpufreq=True,
        iommu="dmar0",
    )


def big():
    """Two sockets of 64 cores in eight NUMA nodes, forty network functions."""
    node_cpus = [[c for c in range(256) if (c % 128) // 16 == n] for n in range(8)]
    distances = [
        [10 if a == b else 12 if a // 4 == b // 4 else 32 for b in range(8)] for a in range(8)
    ]
    nics = []
    for i in range(30):
        bdf = f"0000:{0x10 + (i // 2) * 8:02x}:00.{i % 2}"
        e810 = {"device": 0x1592, "driver": "ice", "totalvfs": 128, "bridge": ""}
        nics.append(Pci(bdf, group=100 + i, node=i * 8 // 30, netdev=f"ens{i}", **e810))
    # an old card: both ports in one group
    for i in range(2):
        old = {"driver": "ixgbe", "netdev": f"old{i}", "bridge": ""}
        nics.append(Pci(f"0000:f0:00.{i}", group=200, node=7, **old))
    pf = nics[0]
    pf.numvfs = 8
    for i in range(8):
        vf = {"device": 0x1889, "driver": "vfio-pci", "physfn": pf.bdf, "bridge": ""}
        nics.append(Pci(f"{pf.bdf[:8]}01.{i}", group=300 + i, node=pf.node, **vf))
    # the host reaches the world through a VLAN on a bond of two ports
    for nic in nics[2:4]:
        nic.uppers = ["bond0", "bond0.100"]
    return Machine(
        cpus=256,
        cores=[((c % 128) // 64, c % 64) for c in range(256)],
        nodes={
            n: Node(cpus, 64 << 20, {2048: [1024, 1000 + n, 0], 1 << 20: [8, 8 - n % 2, 0]})
            for n, cpus in enumerate(node_cpus)
        },
        distances=distances,
        pci=sorted(nics, key=lambda p: p.bdf),
        l3=[[c for c in range(256) if (c % 128) // 8 == g] for g in range(16)],
        routes=[],
        routes6=["bond0.100"],
        hostname="big",
        model="AMD EPYC 7763 64-Core Processor",
    )


def huge():
    """Many CPUs, few files each."""
    node_cpus = [[c for c in range(1024) if (c % 512) // 256 == n] for n in range(2)]
    return Machine(
        cpus=1024,
        cores=[((c % 512) // 256, c % 256) for c in range(1024)],
        nodes={n: Node(cpus, 512 << 20, {2048: [0, 0, 0]}) for n, cpus in enumerate(node_cpus)},
        distances=ring_distances(2, far=32),
        pci=[],
        l3=node_cpus,
        hostname="huge",
        caches=False,
        old_topology=True,
    )


def gpus():
    """Nodes of GPUs and of CXL have memory alone, and one of two sockets has none of its own."""
    far = {0: {1: 21, 2: 17, 250: 80}, 1: {2: 14, 250: 80}, 2: {250: 90}}
    numbers = [0, 1, 2, 250]
    return Machine(
        cpus=20,
        cores=[(c // 10, c % 10) for c in range(20)],
        nodes={
            0: Node(list(range(10)), 32 << 20, {2048: [64, 64, 0]}),
            1: Node(list(range(10, 20)), 0, {2048: [0, 0, 0]}),
            2: Node([], 16 << 20, {2048: [128, 128, 0]}),
            250: Node([], 96 << 20, {2048: [512, 512, 0]}, movable=True),
        },
        distances=[[10 if a == b else far[min(a, b)][max(a, b)] for b in numbers] for a in numbers],
        pci=[
            Pci("0000:b0:00.0", device=0x1021, vendor=0x15B3, node=1, netdev="cx0", bridge=""),
            Pci("0000:c0:00.0", device=0x1021, vendor=0x15B3, node=250, netdev="cx1", bridge=""),
        ],
        l3=[list(range(10)), list(range(10, 20))],
        nohz_full="(null)".rjust(20),
        hostname="gpus",
    )


def epyc():
    """Two sockets of 64 cores, one node each, whose L3 caches belong to eight cores each."""
    node_cpus = [[c for c in range(256) if (c % 128) // 64 == n] for n in range(2)]
    return Machine(
        cpus=256,
        cores=[((c % 128) // 64, c % 64) for c in range(256)],
        nodes={n: Node(cpus, 256 << 20, {2048: [512, 512, 0]}) for n, cpus in enumerate(node_cpus)},
        distances=ring_distances(2, far=32),
        pci=[Pci("0000:c1:00.0", group=9, node=1, netdev="ens1", bridge="")],
        l3=[[c for c in range(256) if (c % 128) // 8 == g] for g in range(16)],
        hostname="epyc",
        model="AMD EPYC 7763 64-Core Processor",
    )


def hybrid():
    """A laptop: six performance cores of two threads, and eight efficiency cores of which four share an L2."""
    return Machine(
        cpus=20,
        cores=[(0, c // 2 if c < 12 else c - 6) for c in range(20)],
        nodes={0: Node(list(range(20)), 16 << 20, {2048: [64, 64, 0]})},
        distances=[[10]],
        pci=[],
        l3=[list(range(20))],
        l2=[list(range(12, 16)), list(range(16, 20))],
        atom="12-19",
        hostname="hybrid",
        model="13th Gen Intel(R) Core(TM) i7-1370P",
    )


def arm():
    """Four big and four little cores, each kind with an L2 of its own, no L3."""
    return Machine(
        cpus=8,
        cores=[(0, c) for c in range(8)],
        nodes={0: Node(list(range(8)), 8 << 20, {2048: [64, 64, 0]})},
        distances=[[10]],
        pci=[],
        l3=[list(range(8))],
        l2=[list(range(4)), list(range(4, 8))],
        capacity={c: 446 if c < 4 else 1024 - c for c in range(8)},
        hostname="arm",
    )


def mlx5():
    """NICs whose driver stays in the kernel while DPDK works (ConnectX-6 Dx), and other NICs beside them."""
    cx6 = {"vendor": 0x15B3, "device": 0x101D, "driver": "mlx5_core", "totalvfs": 8, "bridge": ""}
    up = {"link": "up", "speed": 100000}
    return Machine(
        cpus=8,
        cores=[(0, c) for c in range(8)],
        nodes={0: Node(list(range(8)), 16 << 20, {2048: [512, 512, 0]})},
        distances=[[10]],
        pci=[
            Pci("0000:01:00.0", group=10, netdev="eno1", driver="igb", device=0x1521, bridge=""),
            Pci("0000:3b:00.0", group=20, netdev="ens1f0np0", rdma="mlx5_0", **up, **cx6),
            Pci("0000:3b:00.1", group=21, netdev="ens1f1np1", rdma="mlx5_1", address6=True, **cx6),
            Pci("0000:5e:00.0", group=30, netdev="ens2", driver="ice", device=0x159B, bridge=""),
            Pci("0000:5f:00.0", group=31, driver="igb_uio", override="igb_uio", bridge=""),
            Pci("0000:60:00.0", driver="ixgbe", netdev="ens3", bridge=""),
        ],
        l3=[list(range(8))],
        routes=["eno1"],
        hostname="mlx5",
        release="6.17.0-1-amd64",
        rdma_netns="N",
        iommu="dmar0",
    )


kinds = {
    "two": two,
    "two-v2": lambda: two("v2"),
    "two-bare": lambda: two("v1-bare"),
    "two-lxcfs": lambda: two(lxcfs=True),
    "two-selinux": lambda: two(selinux=True),
    "paper": paper,
    "big": big,
    "huge": huge,
    "gpus": gpus,
    "epyc": epyc,
    "hybrid": hybrid,
    "arm": arm,
    "mlx5": mlx5,
}


def main(argv):
    if len(argv) != 3 or (argv[1] != "all" and argv[1] not in kinds):
        print(f"usage: fake_host.py {'|'.join(kinds)}|all DIR", file=sys.stderr)
        return 2
    if argv[1] == "all":
        # a build runs this again when the script changed
        marker = os.path.join(argv[2], ".fake-hosts")
        if os.path.exists(marker):
            shutil.rmtree(argv[2])
        for name, make in kinds.items():
            write(make(), os.path.join(argv[2], name))
        with open(marker, "w", encoding="utf-8"):
            pass
    else:
        write(kinds[argv[1]](), argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
