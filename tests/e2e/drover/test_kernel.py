# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""drover's BNG between two Linux kernels that know nothing of it: a CPE with 802.1ad and 802.1Q
interfaces, and a core router with MPLS and GRE."""

import hashlib
import random
import re
import time

import pytest
import uml
from drover_config import configuration, core, task
from drover_run import Drover

pytestmark = [pytest.mark.anywhere]
LINES = [
    (100, 200, 7000),
    (100, 201, 7001),
    (101, 200, 7002),
    (4094, 1, 7003),
]  # svlan, cvlan, gre_id
LOCAL, CORE, CORE_MAC, CPE_MAC = "192.0.2.1", "192.0.2.2", "02:00:00:00:00:0d", "02:00:00:00:00:0c"
BNG_MAC = "02:00:00:00:00:b1"
UP, DOWN = "qinqdecapv4", "qinqencapv4"
FILE = 4 << 20  # bytes
SERVER, GATEWAY = "198.18.0.1", "10.0.0.1"
AGE = 10  # seconds until a CPE is forgotten; the clock has steps of half a second
LABEL = 1000
MTU = 1500 - 4 - 20 - 8  # behind label, outer header and GRE

TABLES = f"""hop,0,{CORE},{CORE_MAC},{LABEL},0
route,198.18.0.0/16,0
""" + "".join(
    f"user,{s},{c},{key}\n" for s, c, key in LINES
)

CONFIG = configuration(
    {"cpe0": "af_xdp:tcpe", "inet0": ("af_xdp:tcore", f"mac={BNG_MAC}")},
    core(
        "bng",
        task(
            UP,
            "cpe0",
            "",
            "tx ports from routing table=inet0,cpe0\nroute table=tables.csv\nuser table=tables.csv",
            f"local ipv4={LOCAL}\nhandle arp=yes\ngateway ipv4={GATEWAY}\nicmp ipv4={GATEWAY}",
            f"cpe table timeout ms={AGE * 1000}",
        ),
        task(
            DOWN,
            "inet0",
            "",
            "tx ports from cpe table=cpe0,inet0\nuser table=tables.csv",
            f"local ipv4={LOCAL}\nicmp ipv4={GATEWAY}",
        ),
    ),
    mempool="16K",
)


def address(line):
    return f"10.0.{line}.2"


class Net:
    """CPE, BNG and core."""

    def __init__(self, drover, directory):
        self.directory = directory
        self.lab = uml.Lab(directory, "tcpe", "tcore")
        self.cpe = self.core = self.bng = None
        try:
            self.cpe = uml.Linux(self.lab, "tcpe", CPE_MAC, ["8021q"])
            self.core = uml.Linux(
                self.lab, "tcore", CORE_MAC, ["ip_gre", "mpls_router", "mpls_iptunnel"]
            )
            self.cpe.up()
            self.core.up()
            self.set_up_core()
            self.set_up_cpe()
            self.start(drover)
        except BaseException:
            self.end()
            raise

    def start(self, drover):
        """The BNG: AF_XDP wants the taps held and up."""
        self.lab.wait_for("tcpe")
        self.lab.wait_for("tcore")
        (self.directory / "tables.csv").write_text(TABLES)
        self.bng = Drover(drover, self.directory, CONFIG, net=self.lab).runs()

    def set_up_core(self):
        self.core.run(
            f"ip link set vec0 up && ip addr add {CORE}/24 dev vec0 && ip addr add {SERVER}/32 dev lo",
            f"ip neigh add {LOCAL} lladdr {BNG_MAC} dev vec0",
            "sysctl -qw net.mpls.platform_labels=10000 net.mpls.conf.vec0.input=1"
            " net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.ip_forward=1",
            f"ip -f mpls route add {LABEL} dev lo",
            f"ip route add {LOCAL}/32 encap mpls 2000 via inet {LOCAL} dev vec0",
        )
        for i, (_, _, key) in enumerate(LINES):
            self.core.run(
                f"ip tunnel add g{i} mode gre local {CORE} remote {LOCAL} key {key} ttl 64"
                f" && ip link set g{i} mtu {MTU} up"
                f" && ip route add {address(i)}/32 dev g{i} src {SERVER} advmss 1460"
            )

    def set_up_cpe(self):
        self.cpe.run(
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1; ip link set vec0 up",
            "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0",
        )
        for svlan in sorted({s for s, _, _ in LINES}):
            self.cpe.run(
                f"ip link add link vec0 name s{svlan} type vlan proto 802.1ad id {svlan} && ip link set s{svlan} up"
            )
        for i, (svlan, cvlan, _) in enumerate(LINES):
            self.cpe.run(
                f"ip link add link s{svlan} name q{i} type vlan proto 802.1q id {cvlan}"
                f" && ip link set q{i} up && ip addr add {address(i)}/32 dev q{i}"
                f" && ip route add {GATEWAY}/32 dev q{i} metric {i + 1} src {address(i)}"
                f" && ip route add default via {GATEWAY} dev q{i} metric {i + 1} src {address(i)}"
            )

    def task(self, mode):
        return self.bng.tasks(mode)[0]

    def mac(self):
        """Of the BNG, on the side of the CPEs."""
        return self.bng.port("cpe0")["mac"].lower()

    def ping(self, line):
        """From the CPE of that line; it is known then."""
        self.cpe.run(f"ping -c 1 -W 10 -I q{line} {SERVER}")

    def end(self):
        try:
            for program in (self.bng, self.cpe, self.core):
                if program is not None:
                    program.end()
        finally:
            self.lab.end()


@pytest.fixture(scope="module")
def net(drover, tmp_path_factory):
    uml.needs()
    n = Net(drover, tmp_path_factory.mktemp("kernel"))
    yield n
    n.end()


def test_ping(net):
    """Out and back; the gateway was asked for by ARP, and nobody answered but the BNG."""
    before = net.task(UP)["report"]["arp_answered"]
    out = net.cpe.run(f"ip neigh flush all; ping -c 3 -i 0.05 -W 10 {SERVER}")
    assert "3 received" in out and "ttl=63" in out
    assert net.task(UP)["report"]["arp_answered"] > before
    assert f"{GATEWAY} dev q0 lladdr {net.mac()}" in net.cpe.run("ip neigh")
    assert "2 received" in net.core.run(f"ping -c 2 -i 0.05 -W 10 {address(0)}")


def test_all_subscribers_at_once(net):
    lines = range(len(LINES))
    pings = " ".join(f"ping -q -c 50 -i 0.02 -W 10 -I q{i} {SERVER} & " for i in lines)
    out = net.cpe.run(pings + "wait")
    assert out.count("50 packets transmitted, 50 received, 0% packet loss") == len(LINES), out
    # each by its own tunnel
    for i in lines:
        out = net.core.run(f"ip -s link show g{i}").splitlines()
        assert int(out[3].split()[1]) >= 50 <= int(out[5].split()[1])


def test_path_mtu(net):
    """What does not fit behind label and tunnel is answered, and the CPE's kernel takes note of it."""
    net.cpe.run("ip route flush cache")
    too_long = net.task(UP)["drops"]["too long"]
    assert "mtu" not in net.cpe.run(f"ip route get {SERVER}")
    status, out = net.cpe.ask(f"ping -c 1 -w 10 -M do -s {MTU - 28 + 1} {SERVER}")
    assert status != 0 and f"From {GATEWAY} icmp_seq=1 Frag needed and DF set (mtu = {MTU})" in out
    assert net.task(UP)["drops"]["too long"] == too_long + 1
    assert f"mtu {MTU}" in net.cpe.run(f"ip route get {SERVER}")
    assert "1 received" in net.cpe.run(f"ping -c 1 -W 10 -M do -s {MTU - 28} {SERVER}")
    # it cuts to pieces what is longer
    assert "2 received" in net.cpe.run(f"ping -c 2 -i 0.05 -W 10 -s 4000 {SERVER}")
    assert net.task(UP)["drops"]["too long"] == too_long + 1


def test_tcp(net):
    """A file down and a file up. The CPE's kernel begins with packets that are too long."""
    net.cpe.run("ip route flush cache")
    too_long = net.task(UP)["drops"]["too long"]
    data = random.Random(1).randbytes(FILE)
    (net.directory / "file").write_bytes(data)
    want = hashlib.sha256(data).hexdigest()
    for kernel, own, other in ((net.core, SERVER, net.cpe), (net.cpe, address(0), net.core)):
        kernel.run(f"busybox httpd -p {own}:80 -h {net.directory}")
        get = f"busybox timeout 30 busybox wget -q -O - http://{own}/file | sha256sum"
        assert other.ask(get, 40)[1].split()[0] == want
    assert net.task(UP)["drops"]["too long"] > too_long
    assert f"mtu {MTU}" in net.cpe.run(f"ip route get {SERVER}")


def test_time_exceeded(net):
    """traceroute shows the BNG, from both sides."""
    trace = "busybox traceroute -n -q 1 -w 10 -m 4"

    def hops(text):
        return re.findall(r"^ *\d+  ([0-9.]+)  ", text, re.M)

    assert hops(net.cpe.run(f"{trace} {SERVER}")) == [GATEWAY, SERVER]
    assert hops(net.core.run(f"{trace} {address(0)}")) == [GATEWAY, address(0)]


def test_unreachable(net):
    status, out = net.cpe.ask("ping -c 1 -w 10 203.0.113.9")
    assert status != 0 and f"From {GATEWAY} icmp_seq=1 Destination Net Unreachable" in out
    net.core.run("ip route replace 10.0.0.77/32 dev g0")
    status, out = net.core.ask("ping -c 1 -w 10 10.0.0.77")
    assert status != 0 and f"From {GATEWAY} icmp_seq=1 Destination Host Unreachable" in out


def test_age(net):
    """A CPE that is silent is forgotten, and known again as soon as it speaks."""
    net.ping(3)
    # it would ask for the gateway again, some seconds after it spoke
    net.cpe.run(f"ip neigh replace {GATEWAY} lladdr {net.mac()} dev q3 nud permanent")
    assert "1 received" in net.core.run(f"ping -c 1 -W 10 {address(3)}")
    unknown = net.task(DOWN)["drops"]["unknown cpe"]
    time.sleep(AGE + 3)
    status, out = net.core.ask(f"ping -c 1 -W 10 {address(3)}")
    assert status != 0 and "Destination Host Unreachable" in out
    assert net.task(DOWN)["drops"]["unknown cpe"] == unknown + 1
    net.ping(3)
    assert "1 received" in net.core.run(f"ping -c 1 -W 10 {address(3)}")
