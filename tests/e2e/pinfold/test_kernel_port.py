# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Kernel ports: interfaces in a container's own network namespace, of which a program is the other end."""

import json
import os
import re

import pytest

from workload import CPU, GUEST, OTHER, PYTHON, needs_pages, needs_root, needs_testpmd, needs_two
from workload import unique

pytestmark = [needs_root]
HERE = """
import fcntl, json, os, socket, struct
def ask(request, name, room=32):
    with socket.socket() as s:
        return fcntl.ioctl(s, request, struct.pack("16s16x", name.encode()))[16:]
# if_nameindex() is netlink, which only CAP_NET_ADMIN has
names = [line.split(":")[0].strip() for line in open("/proc/self/net/dev") if ":" in line]
seen = {"names": names}
for name in names:
    seen[name] = {"flags": struct.unpack("H", ask(0x8913, name)[:2])[0] & 1,
                  "mtu": struct.unpack("i", ask(0x8921, name)[:4])[0]}
    try:
        seen[name]["address"] = socket.inet_ntoa(ask(0x8915, name)[4:8])
        seen[name]["mask"] = socket.inet_ntoa(ask(0x891B, name)[4:8])
    except OSError:
        pass
seen["six"] = [line.split()[0] for line in open("/proc/net/if_inet6")]
seen["caps"] = int(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("CapEff")), 16)
seen["dev"] = sorted(os.listdir("/dev/net"))
"""
OPEN = """
def tap(name, flags):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH14x", name.encode(), flags))
    return fd
"""


def seen(pf, *flags, more=""):
    p = pf.run(*flags, "--", PYTHON, "-I", "-c", HERE + more + "\nprint(json.dumps(seen))")
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


needs_vhost = pytest.mark.skipif(
    not GUEST and not os.path.exists("/sys/class/misc/vhost-net"),
    reason="this kernel has no vhost-net; tests/run guest has it",
)


def test_interfaces_as_they_were_asked_for(pf):
    found = seen(
        pf,
        *("--kernel-port", "exc0,192.0.2.1/24,2001:db8::1/64,mtu=1400"),
        *("--kernel-port", "ctl.1,198.51.100.5/31"),
    )
    assert sorted(found["names"]) == ["ctl.1", "exc0", "lo"]
    assert found["exc0"] == {
        "flags": 1,
        "mtu": 1400,
        "address": "192.0.2.1",
        "mask": "255.255.255.0",
    }
    assert found["ctl.1"]["address"] == "198.51.100.5"
    assert found["ctl.1"]["mask"] == "255.255.255.254"
    assert "20010db8000000000000000000000001" in found["six"]
    assert found["lo"]["flags"] == 1
    assert found["caps"] == 1 << 12  # CAP_NET_ADMIN, for net_tap


@needs_vhost
@pytest.mark.guest
def test_no_capability_for_virtio_user(pf):
    """Who owns a tap may open it, and makes no other one."""
    more = OPEN + (
        "os.close(tap('exc0', 0x5002))\n"
        "try:\n    tap('other', 0x5002)\nexcept OSError as e: seen['other'] = e.errno\n"
    )
    found = seen(pf, "--kernel-port", "exc0,vhost", more=more)
    assert (found["caps"], found["other"]) == (0, 1)
    found = seen(pf, "--user", "1000", "--kernel-port", "exc0,vhost", more=more)
    assert found["other"] == 1


def test_vhost_where_the_kernel_has_none(pf):
    if os.path.exists("/sys/class/misc/vhost-net") or GUEST:
        pytest.skip("this kernel has vhost-net")
    pf.fails("run", "--cpus", CPU, "--kernel-port", "a,vhost", "--", "true", like="vhost_net")


def test_none_without_asking(pf):
    p = pf.run("--", PYTHON, "-I", "-c", "import os; os.open('/dev/net/tun', os.O_RDWR)")
    assert p.returncode == 1 and "No such file" in p.stderr


def test_plan_says_so(pf):
    plan = pf.ok("plan", "--cpus", CPU, "--kernel-port", "exc0,192.0.2.1/24", "--", "true")
    assert re.search(r"port +exc0,192.0.2.1/24\n", plan)
    assert "netns      /run/pinfold/box/netns = exc0,192.0.2.1/24" in plan
    assert re.search("note: .*NET_ADMIN", plan)


@pytest.mark.parametrize(
    "value, like",
    [
        ("", "a name has 1 to 15"),
        ("lo", "is not lo"),
        ("a" * 16, "a name has 1 to 15"),
        ("../x", "a name has 1 to 15"),
        ("exc0,1.2.3.4", "write ADDRESS/PREFIX"),
        ("exc0,1.2.3/24", "'1.2.3' is no address"),
        ("exc0,1.2.3.4/33", "from 1 to 32"),
        ("exc0,fe80::/129", "from 1 to 128"),
        ("exc0,mtu=67", "from 68"),
        ("exc0,tap", "write ADDRESS/PREFIX"),
    ],
)
def test_bad_values(pf, value, like):
    pf.fails("run", "--cpus", CPU, "--kernel-port", value, "--", "true", like=like)


def test_where_there_is_none(pf):
    twice = ["--kernel-port", "a", "--kernel-port", "a"]
    pf.fails("run", "--cpus", CPU, *twice, "--", "true", like="'a' is asked for twice")
    like = "kernel ports are for containers that root starts"
    pf.fails("run", "--in", "host", "--cpus", CPU, "--kernel-port", "a", "--", "true", like=like)
    # before the kernel does
    pf.fails(
        *("run", "--cpus", CPU, "--kernel-port", "a,2001:db8::1/64,mtu=600", "--", "true"),
        like="kernel port 'a': '2001:db8::1/64' takes an MTU of 1280",
    )


PING = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(3)
def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
got = 0
for n in range(8):
    body = b"pinfold!" * 7
    head = struct.pack("!BBHHH", 8, 0, 0, 77, n)
    head = struct.pack("!BBHHH", 8, 0, checksum(head + body), 77, n)
    s.sendto(head + body, ("192.0.2.9", 0))
    try:
        reply = s.recv(2048)
        got += reply[20:22] == bytes(2) and reply[28:] == body
    except TimeoutError:
        pass
print(got)
"""


TAP = pytest.param("exc0,192.0.2.1/24", "net_tap0,iface=exc0", id="tap")
VHOST = pytest.param(
    "exc0,192.0.2.1/24,vhost",
    "virtio_user0,path=/dev/vhost-net,iface=exc0",
    id="vhost",
    marks=[needs_vhost, pytest.mark.guest],
)


@needs_testpmd
@needs_pages(64)
@pytest.mark.limit(90)
@pytest.mark.parametrize("port, device", [TAP, VHOST])
def test_ping_is_answered_by_a_program(pf, port, device):
    """The kernel's packets reach testpmd over the port, and its answers the kernel."""
    name = pf.unique()
    eal = ["--no-pci", "--lcores", f"0@{CPU},1@{CPU}", f"--vdev={device}"]
    app = ["--total-num-mbufs=2048", "--forward-mode=icmpecho", "--auto-start", "--stats-period=1"]
    flags = ["--kernel-port", port, "--cap", "NET_RAW", "--hugepages", "2M=64"]
    s = pf.start(
        "run", "--name", name, "--cpus", CPU, *flags, "--", "dpdk-testpmd", *eal, "--", *app
    )
    s.until("Port statistics|NIC statistics", 30)
    assert int(pf.ok("exec", name, "--", PYTHON, "-I", "-c", PING)) >= 7


SERVE = """
import hashlib, socket
s = socket.create_server(("192.0.2.2", 5001))
c, _ = s.accept()
h, n = hashlib.sha256(), 0
while (data := c.recv(65536)):
    h.update(data)
    n += len(data)
c.sendall(f"{n} {h.hexdigest()}".encode())
"""
SEND = """
import hashlib, socket, time
data = bytes(range(256)) * 1024
for _ in range(40):
    try:
        s = socket.create_connection(("192.0.2.2", 5001), 2)
        break
    except OSError:
        time.sleep(0.25)  # it is refused at once until somebody listens
s.settimeout(20)
for i in range(0, len(data), 4096):
    s.sendall(data[i:i + 4096])
s.shutdown(socket.SHUT_WR)
print(s.recv(200).decode() == f"{len(data)} {hashlib.sha256(data).hexdigest()}")
"""


@needs_two
@needs_testpmd
@needs_pages(128)
@pytest.mark.limit(120)
@pytest.mark.parametrize("port, device", [TAP, VHOST])
def test_tcp_between_two_containers(pf, port, device):
    """Kernel, kernel port, program, link, program, kernel port, kernel: and every byte is right."""
    link = unique("l")
    names = [unique(), unique()]
    pf.names += names
    for number, (name, cpu) in enumerate(zip(names, (CPU, OTHER))):
        memif = f"--vdev=net_memif0,role={('server', 'client')[number]},socket-abstract=no"
        eal = ["--no-pci", "--lcores", f"0@{cpu},1@{cpu}", f"--vdev={device}"]
        eal += [f"{memif},socket=/run/pinfold/links/{link}/s"]
        app = ["--total-num-mbufs=4096", "--auto-start", "--stats-period=1"]
        flags = ["--kernel-port", port.replace(".1/", f".{number + 1}/")]
        flags += ["--link", f"memif:{link}"]
        flags += ["--cpus", cpu, "--hugepages", "2M=64", "--name", name]
        s = pf.start("run", *flags, "--", "dpdk-testpmd", *eal, "--", *app)
        s.until("NIC statistics", 30)
    server = pf.start("exec", names[1], "--", PYTHON, "-I", "-c", SERVE)
    assert pf.ok("exec", names[0], "--", PYTHON, "-I", "-c", SEND) == "True\n"
    assert server.end() == 0
