# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Who is at the other end of a device of drover goes and comes back, killed or not."""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time

import pytest
from drover_devices import MEMORY, Net, config, sends
from workload import SLOW, needs_root, wait

pytestmark = [pytest.mark.anywhere, needs_root]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_memif_server_comes_back(start, tmp_path, how):
    """While a client sends, three times; nothing that was counted is forgotten."""
    server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
    ended = start(server).runs()
    with start(sends(f"memif:client:{tmp_path}/s")) as client:
        client.runs()
        before = 0
        for _ in range(3):
            wait(lambda: client.port("l0")["opackets"] > before + 1000, 30, "packets")
            ended.process.send_signal(how)
            ended.process.communicate()
            wait(lambda: client.port("l0")["link"] == "down", 20, "the end of the link")
            assert client.port("l0")["opackets"] >= before + 1000
            before = client.port("l0")["opackets"]
            ended = start(server).runs()
            wait(lambda: client.port("l0")["link"] == "up", 5, "the link")
        wait(lambda: client.port("l0")["opackets"] > before + 1000, 30, "packets")
        ended.end()


def test_memif_server_that_ends_while_clients_come(start, tmp_path):
    """As its driver's handler of who comes does not end with it: some of them came before it looked."""
    over = threading.Event()

    def knock(path):
        while not over.is_set():
            with contextlib.suppress(OSError), socket.socket(
                socket.AF_UNIX, socket.SOCK_SEQPACKET
            ) as s:
                s.settimeout(10)
                s.connect(path)
                s.recv(256)  # that driver takes it badly when who it greets is gone

    ports = {f"l{i}": f"memif:server:{tmp_path}/s{i}" for i in range(4)}
    with start(config(ports, [(name, name) for name in ports])) as d:
        d.runs()
        knockers = [threading.Thread(target=knock, args=(f"{tmp_path}/s{i}",)) for i in range(4)]
        for t in knockers:
            t.start()
        time.sleep(0.2)
        try:
            assert len(d.end()["tasks"]) == 4
        finally:
            over.set()
            for t in knockers:
                t.join()
    assert [n for n in os.listdir(tmp_path) if n.startswith("s")] == []


def test_both_ends_of_links_end_at_once(start, tmp_path):
    """What a driver frees on one thread it does not use on another."""
    for _ in range(3):
        ends = []
        for role in "server", "client":
            ports = {f"l{i}": f"memif:{role}:{tmp_path}/b{i}" for i in range(4)}
            ends.append(start(config(ports, [(name, name) for name in ports])).runs())
        wait(lambda: all(ends[1].port(f"l{i}")["link"] == "up" for i in range(4)), 20, "links")
        for e in ends:
            e.process.terminate()
        for e in ends:
            e.process.wait(30 * SLOW)
        for e in ends:
            assert e.process.returncode == 0, e.said()
            e.end()


def test_memif_client_is_sent_away(start, tmp_path):
    """By a server that listens but has no port yet, as every server does while it starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as busy:
        busy.bind(f"{tmp_path}/s")
        busy.listen()
        with start(sends(f"memif:client:{tmp_path}/s")) as client:
            busy.settimeout(20)
            busy.accept()[0].close()
            time.sleep(0.5)
            assert client.process.poll() is None and "traffic runs" not in client.said()
            busy.close()
            (tmp_path / "s").unlink()
            server = config({"l0": f"memif:server:{tmp_path}/s"}, [("l0", "l0")])
            with start(server) as d:
                d.runs()
                client.runs()  # it waits a minute for its link


def test_server_that_is_not_there(start, tmp_path):
    why = f"start port 'l0': nobody is at the other end of 'memif:client:{tmp_path}/s'; start that first"
    with pytest.raises(AssertionError, match=why), start(sends(f"memif:client:{tmp_path}/s")) as d:
        d.runs()


@pytest.fixture
def mute(tmp_path):
    """A server that says nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(f"{tmp_path}/s")
        s.listen()
        yield f"memif:client:{tmp_path}/s"


def test_server_that_does_not_answer(start, mute):
    """A signal ends who waits for it."""
    with start(sends(mute)) as client:
        client.answers()
        time.sleep(0.5)
        begin = time.monotonic()
        report = client.end()
        assert time.monotonic() - begin < 10 * SLOW
        assert report["ports"][0]["opackets"] == 0 and "traffic runs" not in client.said()


@pytest.mark.full
@pytest.mark.limit(120)
def test_how_long_an_answer_is_waited_for(start, mute):
    with start(sends(mute)) as client:
        assert client.process.wait(90) == 1
        why = f"port 'l0': the link of '{mute}' is not up after 60 s; start its other end"
        assert why in client.said().splitlines()[-1]


@pytest.mark.parametrize("kind", ["vhost:{}", "memif:server:{}"])
def test_socket_of_who_was_killed(start, tmp_path, kind):
    text = config({"l0": kind.format(tmp_path / "s")}, [("l0", "l0")])
    for _ in range(2):
        d = start(text).runs()
        d.process.kill()
        d.process.communicate()
        shutil.rmtree(d.directory, ignore_errors=True)
        assert (tmp_path / "s").is_socket()


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_vhost_comes_back(start, tmp_path, how, memory):
    """While who is its client sends, three times: the client's port has its address and its figures still, and
    packets pass in both directions within 5 s."""
    vhost = config({"l0": f"vhost:{tmp_path}/s"}, [("l0", "l0")])
    ended = start(vhost, memory=memory).runs()
    with start(sends(f"virtio:{tmp_path}/s"), memory=memory) as client:
        client.runs()
        mac = client.port("l0")["mac"]
        for _ in range(3):
            before = client.port("l0")
            wait(lambda: client.port("l0")["ipackets"] > before["ipackets"] + 500, 30, "packets")
            ended.process.send_signal(how)
            ended.process.communicate()
            wait(lambda: client.port("l0")["link"] == "down", 20, "the end of the link")
            gone = client.port("l0")
            assert gone["opackets"] >= gone["ipackets"] > before["ipackets"] + 500
            ended = start(vhost, memory=memory).runs()
            wait(lambda: client.port("l0")["link"] == "up", 5, "the link")
            assert client.port("l0")["mac"] == mac
            assert client.port("l0")["ipackets"] >= gone["ipackets"]
            wait(lambda: ended.port("l0")["ipackets"] > 500, 5, "packets")
        report = client.end()
        assert client.process.returncode == 0
        (task,), (port,) = report["tasks"], report["ports"]
        assert task["tx"] == port["opackets"] > 4 * 500
        ended.end()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_client_of_a_vhost_comes_back(start, tmp_path, how):
    """Each finds it as the first one did."""
    vhost = config({"l0": f"vhost:{tmp_path}/s"}, [("l0", "l0")])
    with start(vhost) as d:
        d.runs()
        for _ in range(3):
            before = d.port("l0")
            client = start(sends(f"virtio:{tmp_path}/s")).runs()
            wait(lambda: client.port("l0")["ipackets"] > 500, 30, "packets")
            client.process.send_signal(how)
            client.process.communicate()
            shutil.rmtree(client.directory, ignore_errors=True)
            wait(lambda: d.port("l0")["link"] == "down", 20, "the end of the link")
            assert d.port("l0")["opackets"] > before["opackets"] + 500


def test_vhost_that_does_not_answer(start, tmp_path):
    """Neither who starts nor who waits for it to come back hangs by it; and who waits sends on by another port."""
    vhost = config({"l0": f"vhost:{tmp_path}/s"}, [("l0", "l0")])
    text = config(
        {"l0": f"virtio:{tmp_path}/s", "a": "null", "b": "null"}, [("l0", "l0")], [("a", "b")]
    )
    with start(vhost) as d:
        d.runs()
        client = start(text).runs()
        d.end()
    with socket.socket(socket.AF_UNIX) as mute, client:
        mute.bind(f"{tmp_path}/s")
        mute.listen()
        wait(lambda: client.port("l0")["link"] == "down", 20, "the end of the link")
        before = client.port("b")["opackets"]
        time.sleep(3)
        assert client.port("b")["opackets"] > before
        # the driver says it once or twice, and not each time the link is looked at
        assert client.said().count("is down") in (1, 2)
        with pytest.raises(AssertionError, match="does not answer as a vhost does within 5 s"):
            with start(text) as other:
                other.runs()
        ports = {p["name"]: p for p in client.end()["ports"]}
        assert client.process.returncode == 0 and ports["l0"]["link"] == "down"
    with pytest.raises(AssertionError, match="s': nobody is at the other end; start that first"):
        with start(text) as other:
            other.runs()


@pytest.mark.parametrize("kind", ["af_packet", "af_xdp"])
def test_link_of_an_interface(start, kind):
    """Down with its peer, down when it is gone, and not that of another one with its name."""
    with Net("v0") as net:
        with start(config({"v0": f"{kind}:v0"}, [("v0", "v0")]), net=net) as d:
            d.runs()

            def link(state):
                wait(lambda: d.port("v0")["link"] == state, 20, f"the link {state}")

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
