# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Tables that change while packets flow: whom it does not concern loses nothing."""

import bng_packets as bng
import pytest
from drover_config import configuration, core, task
from drover_run import Drover
from workload import wait

pytestmark = [pytest.mark.anywhere]


def config(rate, mode, gen="", keys=""):
    """A generator and a task that it loads, over a ring."""
    return configuration(
        {"a": "ring:a", "b": "ring:a", "out": "null"},
        core(
            "live",
            task("gen", "", "a", f"rate={rate}", gen),
            task(mode, "b", "out", "route table=tables.csv", keys),
        ),
        mempool="4K",
    )


L3FWD = config("200k", "l3fwd")
HOP = "hop,0,192.0.2.1,02:00:00:00:00:01,100,0\nroute,198.18.0.0/15,0\n"
LINES = range(64)
USERS = HOP + "".join(f"user,7,{n},{700 + n}\n" for n in LINES)
BNG = config(
    "100k",
    "qinqdecapv4",
    "template=eth/qinq/ipv4/udp\nsvlan=7\nsrc mac=02:00:00:00:00:05\nrange=cvlan:0-63\nrange=src ip:10.0.0.1-10.0.0.64",
    "user table=tables.csv\nlocal ipv4=192.0.2.254",
)


class Live(Drover):
    def __init__(self, drover, directory, text, tables):
        (directory / "tables.csv").write_text(tables)
        super().__init__(drover, directory, text)
        self.runs()

    def task(self):
        return next(t for t in self.tasks() if t["mode"] != "gen")

    def pass_on(self, packets=3 * len(LINES)):
        """Waits until so many more have been sent."""
        begin = self.task()["tx"]
        wait(lambda: self.task()["tx"] >= begin + packets, 30, "traffic")

    def figures(self):
        """What the task says at the end; no packet is lost before it."""
        gen, task = self.end()["tasks"]
        assert 0 <= gen["tx"] - task["rx"] <= 64
        return task


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
        task = live.figures()
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
        fewer = live.task()
        assert "done" in live.ask("reload table=tables.csv file=tables.csv")
        live.pass_on()
        after = live.task()
        live.pass_on()
        assert lost(live.task()) == lost(after) and set(lost(after)) == {"unknown subscriber"}
        share = (fewer["tx"] - begin["tx"]) / (fewer["rx"] - begin["rx"])
        assert share < 0.5
        live.figures()
