# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Who is at the other end of a device of drover goes and comes back, killed or not."""

import shutil
import signal
import socket
import time

import pytest
from drover_devices import Drover, Net, config, port_of, sends
from workload import needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_memif_server_comes_back(drover, tmp_path, how):
    """While a client sends, three times; nothing that was counted is forgotten."""
    server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
    ended = Drover(drover, tmp_path, server, "--no-huge").runs()
    with Drover(drover, tmp_path, sends(f"memif:client:{tmp_path}/s"), "--no-huge") as client:
        client.runs()
        before = 0
        for _ in range(3):
            wait(lambda: port_of(client)["opackets"] > before + 1000, 10, "packets")
            ended.process.send_signal(how)
            ended.process.communicate()
            wait(lambda: port_of(client)["link"] == "down", 5, "the end of the link")
            assert port_of(client)["opackets"] >= before + 1000
            before = port_of(client)["opackets"]
            ended = Drover(drover, tmp_path, server, "--no-huge").runs()
            wait(lambda: port_of(client)["link"] == "up", 5, "the link")
        wait(lambda: port_of(client)["opackets"] > before + 1000, 10, "packets")
        ended.end()


def test_memif_client_is_sent_away(drover, tmp_path):
    """By a server that listens but has no port yet, as every server does while it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as busy:
        busy.bind(f"{tmp_path}/s")
        busy.listen()
        with Drover(drover, tmp_path, sends(f"memif:client:{tmp_path}/s"), "--no-huge") as client:
            busy.settimeout(20)
            busy.accept()[0].close()
            time.sleep(0.5)
            assert client.process.poll() is None and "traffic runs" not in client.said()
            busy.close()
            (tmp_path / "s").unlink()
            server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
            with Drover(drover, tmp_path, server, "--no-huge") as d:
                d.runs()
                client.runs()  # it waits a minute for its link


@pytest.mark.parametrize("kind", ["vhost:{}", "memif:server:{}"])
def test_socket_of_who_was_killed(drover, tmp_path, kind):
    text = config({"l0": kind.format(tmp_path / "s")}, [("l0", "l0")])
    for _ in range(2):
        d = Drover(drover, tmp_path, text, "--no-huge").runs()
        d.process.kill()
        d.process.communicate()
        shutil.rmtree(f"/var/run/dpdk/{d.prefix}", ignore_errors=True)
        assert (tmp_path / "s").is_socket()


def test_virtio_reports_without_its_vhost(drover, tmp_path):
    with Drover(
        drover, tmp_path, config({"l0": f"vhost:{tmp_path}/s"}, [("l0", "l0")]), "--no-huge"
    ) as a:
        a.runs()
        with Drover(
            drover, tmp_path, config({"l0": f"virtio:{tmp_path}/s"}, [("l0", "l0")]), "--no-huge"
        ) as b:
            b.runs()
            a.end()
            wait(lambda: port_of(b)["link"] == "down", 5, "the end of the link")
            assert b.end()["ports"] and b.process.returncode == 0


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp"])
def test_link_of_an_interface(drover, tmp_path, kind):
    """Down with its peer, down when it is gone, and not that of another one with its name."""
    with Net("v0") as net:
        with Drover(
            drover, tmp_path, config({"v0": f"{kind}:v0"}, [("v0", "v0")]), "--no-huge", net
        ) as d:
            d.runs()

            def link(state):
                wait(lambda: port_of(d, "v0")["link"] == state, 5, f"the link {state}")

            link("up")
            net.run("ip", "link", "set", "dev", "v0x", "down")
            link("down")
            net.run("ip", "link", "set", "dev", "v0x", "up")
            link("up")
            net.run("ip", "link", "del", "dev", "v0x")
            link("down")
            net.run(
                "sh",
                "-ec",
                "ip link add name v0 type veth peer name v0x; ip link set dev v0 up; ip link set dev v0x up",
            )
            time.sleep(0.5)
            link("down")
