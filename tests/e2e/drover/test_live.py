# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Tables that change while packets flow: whom it does not concern loses nothing."""

import json
import subprocess

import bng_packets as bng
import pytest
from drover_run import RUNTIME, Control
from workload import wait

pytestmark = [pytest.mark.anywhere]

CONFIG = """[port 0]
name=a
device=ring:a
[port 1]
name=b
device=ring:a
[port 2]
name=out
device=null
[defaults]
mempool size=4K
[core 0]
mode=master
[core 1]
name=live
task=0
mode=gen
tx port=a
{gen}
task=1
rx port=b
tx port=out
route table=tables.csv
{task}
"""
L3FWD = {"gen": "rate=200k", "task": "mode=l3fwd"}

HOP = "hop,0,192.0.2.1,02:00:00:00:00:01,100,0\nroute,198.18.0.0/15,0\n"
LINES = range(64)
USERS = HOP + "".join(f"user,7,{n},{700 + n}\n" for n in LINES)
BNG = {
    "gen": "rate=100k\ntemplate=eth/qinq/ipv4/udp\nsvlan=7\nsrc mac=02:00:00:00:00:05\nrange=cvlan:0-63\nrange=src ip:10.0.0.1-10.0.0.64",
    "task": "mode=qinqdecapv4\nuser table=tables.csv\nlocal ipv4=192.0.2.254",
}


class Live:
    """A generator and a task that it loads, over a ring."""

    def __init__(self, drover, directory, config, tables):
        self.directory = directory
        (directory / "live.cfg").write_text(CONFIG.format(**config))
        (directory / "tables.csv").write_text(tables)
        self.process = subprocess.Popen(
            [drover, "run", "--no-huge", "--json", "live.cfg"],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = self.process.stderr.readline()
        if "traffic runs" not in said:
            self.process.kill()
            pytest.fail(said)
        self.control = Control(f"{RUNTIME}/dpdk/drover-{self.process.pid}/drover.sock")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, command):
        return self.control.ask(command)

    def task(self):
        return next(t for t in self.ask("stats")["tasks"].values() if t["mode"] != "gen")

    def pass_on(self, packets=3 * len(LINES)):
        """Waits until so many more have been sent."""
        begin = self.task()["tx"]
        wait(lambda: self.task()["tx"] >= begin + packets, 30, "traffic")

    def end(self):
        """What generator and task say at the end; no packet is lost between them."""
        self.process.terminate()
        text, _ = self.process.communicate(timeout=20)
        gen, task = json.loads(text)["tasks"]
        assert 0 <= gen["tx"] - task["rx"] <= 64
        return gen, task


def lost(task):
    return {k: v for k, v in task["drops"].items() if v}


def test_routes(drover, tmp_path):
    """Nothing is lost while routes come and go, and the table is read anew."""
    with Live(drover, tmp_path, L3FWD, bng.tables()) as live:
        assert live.ask("tables") == {"tables.csv": {"routes": 4, "hops": 2}}
        hop = "hop_add table=tables.csv id=9 address=192.0.2.9 mac=02:00:00:00:00:09 label=9 port=0"
        assert "done" in live.ask(hop)
        for i in range(40):
            route = f"198.19.0.{i % 8 * 16}/28"
            assert live.ask(f"route_add table=tables.csv prefix={route} hop=9") == {
                "done": "route added"
            }
            if i % 8 == 7:
                assert "done" in live.ask("reload table=tables.csv file=tables.csv")
                assert "done" in live.ask(hop)
            else:
                assert "done" in live.ask(f"route_del table=tables.csv prefix={route}")
        for wrong in (
            "route_add table=tables.csv prefix=198.19.0.1/28 hop=9",
            "route_add table=tables.csv prefix=1.0.0.0/8 hop=77",
            "route_del table=tables.csv prefix=9.0.0.0/8",
            "reload table=tables.csv file=../x.csv",
            "reload table=none",
            "user_add table=tables.csv svlan=1 cvlan=1 gre_id=1",
            "hop_add table=tables.csv id=1",
            "route_add",
        ):
            assert "error" in live.ask(wrong), wrong
        _, task = live.end()
        assert lost(task) == {} and task["rx"] == task["tx"] > 1000


def test_subscribers(drover, tmp_path):
    """One that is removed is unknown, and no other; and is known again when it is added."""
    with Live(drover, tmp_path, BNG, USERS) as live:
        live.pass_on()
        assert lost(live.task()) == {}
        for n in (5, 63, 0):
            before = live.task()
            assert "done" in live.ask(f"user_del table=tables.csv gre_id={700 + n}")
            live.pass_on()
            # new ones, which want a larger table, are made beside the others
            for new in range(20):
                assert "done" in live.ask(
                    f"user_add table=tables.csv svlan={100 + new} cvlan={n} gre_id={9000 + 100 * n + new}"
                )
            live.pass_on()
            assert "done" in live.ask(
                f"user_add table=tables.csv svlan=7 cvlan={n} gre_id={700 + n}"
            )
            live.pass_on()
            after = live.task()
            assert set(lost(after)) == {"unknown subscriber"}
            missed = after["drops"]["unknown subscriber"] - before["drops"]["unknown subscriber"]
            # the one in 64 that it is, while it was away
            assert 3 <= missed <= (after["rx"] - before["rx"]) / len(LINES) + 1
            live.pass_on()
            assert lost(live.task()) == lost(after)
        (tmp_path / "fewer.csv").write_text(HOP + "user,7,1,701\n")
        assert "done" in live.ask("reload table=tables.csv file=fewer.csv")
        begin = live.task()
        live.pass_on(100)
        assert "done" in live.ask("reload table=tables.csv file=tables.csv")
        live.pass_on()
        after = live.task()
        live.pass_on()
        assert lost(live.task()) == lost(after) and set(lost(after)) == {"unknown subscriber"}
        share = (after["tx"] - begin["tx"]) / (after["rx"] - begin["rx"])
        assert share < 0.5
        live.end()
