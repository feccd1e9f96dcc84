# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What `drover check` says that a configuration needs is enough for it to start in a grant, and not much more."""

import json
import re
import signal

import pytest
from drover_run import execute
from places import TOP
from schemas import validate
from workload import OTHER, needs_pages, needs_root, needs_two

pytestmark = [pytest.mark.anywhere, needs_root]
CONFIGS = TOP / "data/drover"
LINKS = {
    "none": ["in=memif:server:in", "out=memif:server:out"],
    "l2fwd": ["in=memif:client:in", "out=null"],
    "both-ways": ["left=ring:x", "right=ring:x"],
    "bng": ["cpe0=memif:server:cpe", "inet0=memif:server:inet"],
    "gen-lat": ["out=ring:x", "back=ring:x"],
}


def ports(devices):
    return [word for device in devices for word in ("--port", device)]


def check(drover, name, *args):
    p = execute(drover, "check", *args, CONFIGS / f"{name}.cfg", seconds=60)
    assert p.returncode == 0, p.stderr
    return p.stdout


def grant_of(text):
    """The flags that check says last."""
    first, last = text.splitlines()
    assert first.endswith(": all of it starts") and last.startswith("grant: --cpu-count ")
    return last.removeprefix("grant: ").split()


def pages_of(flags):
    return int(re.search(r"\b2M=(\d+)", " ".join(flags))[1])


def shown(drover):
    """Flags of run that show drover and its configurations."""
    return ["-v", f"{drover}:/opt/drover:ro", "-v", f"{CONFIGS}:/data:ro"]


def started(pf, drover, flags, name, *args):
    run = "/opt/drover", "run", "--duration", "100ms", *args, f"/data/{name}.cfg"
    return pf("run", *flags, *shown(drover), "--", *run)


def starts(pf, drover, flags, name, *args):
    p = started(pf, drover, flags, name, *args)
    assert p.returncode == 0 and "traffic runs" in p.stderr, p.stderr


@needs_pages(64)
@pytest.mark.parametrize("name", ["none", "both-ways", "bng", "gen-lat"])
def test_it_starts_with_what_check_says(pf, drover, name):
    """And with a tenth less it does not."""
    given = ports(LINKS[name])
    flags = grant_of(check(drover, name, *given))
    starts(pf, drover, flags, name, *given)
    pages = pages_of(flags)
    fewer = [word.replace(f"2M={pages}", f"2M={pages - 2 - pages // 10}") for word in flags]
    p = started(pf, drover, fewer, name, *given)
    assert p.returncode == 1 and "grant more hugepages" in p.stderr, p.stderr


@pytest.mark.parametrize("name", ["none", "bng"])
def test_it_starts_without_hugepages(pf, drover, name):
    given = ports(LINKS[name])
    flags = grant_of(check(drover, name, "--no-huge", *given))
    assert "--hugepages" not in flags
    starts(pf, drover, flags, name, *given)


def test_buffers_that_no_packet_has_filled(drover):
    """What nobody has touched yet is needed as well, where it is ordinary memory."""

    def memory(*args):
        said = check(drover, "none", "--no-huge", *args, *ports(["in=null", "out=null"]))
        return int(re.search(r"--memory (\d+)M", said)[1])

    assert memory("-D", "mbuf size=9216") - memory() > 8191 * (9216 - 4096) >> 20


@needs_pages(64)
@pytest.mark.parametrize("name", ["none", "bng"])
def test_pages_are_told_where_there_are_none(pf, drover, name):
    """On a machine without hugepages, or in such a grant, they are guessed, and no worse than a quarter too many."""
    given = ports(LINKS[name])
    links = [flag for port in given[1::2] for flag in ("--link", f"memif:{port.split(':')[2]}")]
    run = "/opt/drover", "check", *given, f"/data/{name}.cfg"
    flags = grant_of(pf.run(*links, *shown(drover), "--", *run).stdout)
    measured = grant_of(check(drover, name, *given))
    assert pages_of(measured) - 1 <= pages_of(flags) <= pages_of(measured) * 5 / 4
    assert flags[-4:] == measured[-4:] == links
    starts(pf, drover, flags, name, *given)


@needs_pages(64)
def test_as_a_document(pf, drover, tmp_path):
    """That pinfold reads; the client of a link that is not there is checked all the same."""
    given = ports(LINKS["l2fwd"])
    doc = validate("request", json.loads(check(drover, "l2fwd", "--json", *given)))
    assert doc["links"] == ["memif:in"] and doc["cpu-count"] == 1
    assert doc["hugepages"][0]["size"] == "2M"
    (tmp_path / "need.json").write_text(json.dumps(doc))
    flags = ["--from", tmp_path / "need.json"]
    # a client starts only beside its server
    starts(pf, drover, flags, "l2fwd", *ports(["in=memif:server:in", "out=null"]))


@needs_two
@needs_pages(64)
def test_two_that_are_linked(pf, drover):
    """With what each was said to need packets go from one to the other and come back."""
    middle, tester = ports(LINKS["none"]), ports(["out=memif:client:in", "back=memif:client:out"])
    flags = grant_of(check(drover, "none", *middle))
    name = pf.unique()
    run = "/opt/drover", "run", *middle, "/data/none.cfg"
    s = pf.start("run", "--name", name, *flags, *shown(drover), "--", *run)
    s.until("traffic runs")
    flags = grant_of(check(drover, "gen-lat", *tester))
    run = "/opt/drover", "run", "--json", "-D", "time=2s", *tester, "/data/gen-lat.cfg"
    report = json.loads(pf.ok("run", *flags, *shown(drover), "--", *run))
    assert sum(port["ipackets"] for port in report["ports"]) > 1000
    s.signal(signal.SIGTERM)
    assert s.end() == 0, s.text()


def test_a_kernel_port(pf, drover):
    given = ports(["in=tap:exc0", "out=null"])
    flags = grant_of(check(drover, "none", "--no-huge", *given))
    assert flags[-2:] == ["--kernel-port", "exc0"]
    starts(pf, drover, flags, "none", *given)


def test_a_cpu_for_each_core_that_polls(pf, drover):
    given = ports(["access=null", "core=null"])
    flags = grant_of(check(drover, "gen-bng", "--no-huge", "--squeeze", *given))
    assert flags[:2] == ["--cpu-count", "2"]
    flags = ["--cpus", str(OTHER), *flags[2:]]
    p = started(pf, drover, flags, "gen-bng", *given)
    assert p.returncode == 1 and "2 polling cores, CPUs granted: 1" in p.stderr
