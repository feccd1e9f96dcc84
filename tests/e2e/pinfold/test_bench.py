# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold bench: the list, a short run that is disturbed on purpose, ctrl-C and --resume, report, compare."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from places import TOP
from processes import named
from schemas import validate
from workload import CPU, SLOW, needs_pages, needs_root, unique

# figures of an emulated machine would say nothing more
pytestmark = pytest.mark.anywhere
SCHEMA = json.loads((TOP / "data/schemas/bench.json").read_text(encoding="utf-8"))
# of the paper, and the machine's own judgement
NAMES = {
    *("machine", "startup", "disk", "memory", "density", "config", "view", "isolation", "table3"),
    *("throughput", "latency", "cost", "jitter", "links", "neighbours"),
}


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """No kernel for guests: an emulated one would take most of the time. And no podman, which mounts and unmounts
    its storage when it likes."""
    bin_ = tmp_path_factory.mktemp("bin")
    for name in ("podman", "docker"):
        (bin_ / name).write_text("#!/bin/sh\nexit 127\n", encoding="ascii")
        (bin_ / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as m:
        m.setenv("PINFOLD_GUEST_CACHE", "/nonexistent")
        m.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
        yield


def bench(pinfold, *words, status=0):
    p = subprocess.run(
        [pinfold, "bench", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=55 * SLOW,
    )
    assert p.returncode == status, p.stdout + p.stderr
    return p.stdout if status == 0 else p.stderr


def begin(pinfold, *words):
    return subprocess.Popen(
        [pinfold, "bench", "run", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(directory):
    doc = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(doc, SCHEMA)
    return doc, {e["experiment"]: e for e in doc["experiments"]}


def wait_for(what, seconds=20):
    deadline = time.monotonic() + seconds * SLOW
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return value


def test_list(pinfold):
    rows = validate("experiments", json.loads(bench(pinfold, "list", "--json")))
    assert {r["name"] for r in rows} >= NAMES
    for r in rows:
        assert r["about"] and r["quick-seconds"] <= r["full-seconds"], r
        assert r["possible"] or r["lacks"], r
    # all of a quick run is done within 20 minutes
    assert sum(r["quick-seconds"] for r in rows) <= 20 * 60
    text = bench(pinfold, "list")
    assert all(re.search(rf"^{name} ", text, re.M) for name in NAMES)
    assert "there is no kernel for guests" in " ".join(text.split())


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "say list, run, show, report or compare"),
        (["lst"], "did you mean"),
        (["run"], "name experiments, or all"),
        (["run", "strtup"], "there is no experiment 'strtup'; did you mean 'startup'?"),
        (["run", "--quick", "--full", "view"], "one of --brief, --quick, --full"),
        (["run", "--quik", "view"], "did you mean '--quick'?"),
        (["run", "-o", "a", "--resume", "b", "view"], "one directory"),
        (["run", "--full", "--resume", "b", "view"], "leave --full out"),
        (["run", "--resume", "/nonexistent", "view"], "No such file"),
        (["run", "-o", "/nonexistent/x", "view"], "make directory '/nonexistent/x'"),
        (["run", "--remote", "", "view"], "--remote '': that is no host"),
        (["show"], "name one directory"),
        (["show", "/nonexistent"], "read results '/nonexistent/results.json'"),
        (["run", "--brief", "config"], "a brief run has no 'config'"),
        (["report"], "name one directory"),
        (["report", "/nonexistent"], "read results '/nonexistent/results.json'"),
        (["compare", "/nonexistent"], "name two directories"),
        (["compare", "--fail-on", "bad", "a", "b"], "say worse"),
        (["compare", "--fail-on", "worse=x", "a", "b"], "a number of percent"),
        # said twice it is no other word; and what is no directory is refused before anything is measured
        (
            ["run", "-o", "/dev/null", "all", "all"],
            "write results into '/dev/null': Not a directory",
        ),
        (
            ["run", "--resume", "/dev/null", "all"],
            "write results into '/dev/null': Not a directory",
        ),
    ],
)
def test_bad_input(pinfold, words, said):
    error = bench(pinfold, *words, status=125)
    assert said in error and error.count("\n") == 1


def test_results_that_are_none(pinfold, tmp_path):
    for text in ("", "[]", "{}", '{"version": 2}', '{"version": 1, "size": "big"}'):
        (tmp_path / "results.json").write_text(text, encoding="utf-8")
        error = bench(pinfold, "report", tmp_path, status=125)
        assert "results.json" in error and error.count("\n") == 1


class Page(HTMLParser):
    """Whether tags are closed in order, and what it would fetch."""

    void = {"meta", "br", "img"}

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.ids = [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[a] for a in ("src", "href") if a in attrs]
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@needs_root
@needs_pages(48)
@pytest.mark.limit(90)
def test_a_run_that_is_disturbed(pinfold, leaks, tmp_path):
    """A function that is killed in its trial is started again, and nothing of the first is in its way."""
    where = tmp_path / "r"
    p = begin(pinfold, "--quick", "-o", where, "view", "config")
    killed = 0
    while p.poll() is None and killed < 2:
        if pid := named(p.pid, "drover"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it was done already
            killed += 1
            wait_for(lambda: not Path(f"/proc/{pid}").exists())
        time.sleep(0.005)
    out, error = p.communicate(timeout=60 * SLOW)
    assert p.returncode == 0, out + error
    assert "view" in out and "Report:" in out

    doc, found = results(where)
    assert [e["experiment"] for e in doc["experiments"]] == ["machine", "config", "view"]
    assert all(e["complete"] for e in doc["experiments"]), out + error
    rows = [r for r in found["config"]["rows"] if r["kind"] == "measured"]
    assert killed == 2 and sum(r.get("repeated", 0) for r in rows) >= 1, rows
    assert not any(r.get("invalid") for r in rows), rows
    seen = {(r["name"], r.get("environment")): r for r in found["view"]["rows"]}
    assert seen["shows CPUs that were not given", "container"]["claim"] == "does not"
    assert "no kernel for guests" in seen["what it shows", "vm"]["reason"]
    for word in ("kernel", "command line", "CPU", "pinning", "revision", "compiler", "hugepages"):
        assert doc["set-up"][word]

    html = (where / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert {"summary", "machine", "config", "view", "set-up"} <= page.ids
    # it needs no other file, nor the network
    assert all(a.startswith(("#", "data:")) for a in page.addresses), page.addresses
    assert "does not" in html and "How to read it" in html
    drawn = list((where / "figures").glob("*.svg")) if shutil.which("gnuplot") else []
    assert len([a for a in page.addresses if a.startswith("data:")]) == len(drawn)
    assert not shutil.which("gnuplot") or len(drawn) >= 2
    markdown = (where / "report.md").read_text(encoding="utf-8")
    assert "## What a program sees, Fig. 5, 6" in markdown

    # of what is within reach, more is never better
    counts = [r for r in found["view"]["rows"] if r.get("exact")]
    assert len(counts) >= 10
    assert all(r.get("less-is-better") or r.get("neither-is-better") for r in counts), counts
    for e in doc["experiments"]:
        said = [r for r in e["rows"] if r["name"] == "what the machine did meanwhile"]
        assert len(said) == (0 if e["experiment"] == "view" else 1), e["rows"]
        assert all("trials" in r["text"] and r["of-this-run"] for r in said), said
    assert "## Summary\n\n* This machine tells starts apart" in markdown

    # with itself nothing is different
    found = json.loads(bench(pinfold, "compare", "--json", where, where))
    assert {c["change"] for c in found["rows"]} <= {"same", "inconclusive"}
    assert found["agree"] == found["of"] >= 40 and found["notes"] == []
    bench(pinfold, "compare", "--fail-on", "worse,values,changed,missing", where, where)


@needs_root
@needs_pages(48)
@pytest.mark.limit(120)
def test_two_runs_agree(pinfold, leaks, tmp_path):
    """What another run has others of is not called changed; what is counted is the same."""
    for name in ("a", "b"):
        bench(pinfold, "run", "-o", tmp_path / name, "view")
    args = [tmp_path / "a", tmp_path / "b"]
    found = json.loads(bench(pinfold, "compare", "--json", *args))
    rows = [c for c in found["rows"] if c["experiment"] == "view"]
    assert len(rows) >= 40 and all(c["agrees"] in (True, None) for c in rows), rows
    assert found["agree"] >= 0.85 * found["of"] and found["notes"] == [], found
    bench(pinfold, "compare", "--fail-on", "worse,changed,missing", *args)
    last = bench(pinfold, "compare", *args).splitlines()[-1]
    assert last == f"{found['agree']} of {found['of']} rows agree within their intervals"


@needs_root
@needs_pages(8)
@pytest.mark.limit(120)
def test_ctrl_c_and_resume(pinfold, leaks, tmp_path):
    where = tmp_path / "r"
    p = begin(pinfold, "-o", where, "disk", "density")
    wait_for(lambda: (where / "results.json").exists())
    wait_for(lambda: named(p.pid, "pinfold"))
    for way in ("-o", "--resume"):  # of two runs in one directory the results of one would be gone
        error = bench(pinfold, "run", way, where, "disk", status=125)
        assert f"another bench run writes into '{where}': wait until" in error
    p.send_signal(signal.SIGINT)
    out, error = p.communicate(timeout=30 * SLOW)
    assert p.returncode == 130, out + error
    assert f"go on with pinfold bench run --resume {where} disk density\n" in error
    doc, found = results(where)
    assert found["machine"]["complete"]
    assert not all(found.get(n, {"complete": False})["complete"] for n in ("disk", "density"))
    assert "has results already" in bench(pinfold, "run", "-o", where, "disk", status=125)
    machine = found["machine"]["rows"]

    # not on another machine
    file = where / "results.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(doc["set-up"]["kernel"], "Linux 3.2"), encoding="utf-8")
    error = bench(pinfold, "run", "--resume", where, "disk", status=125)
    assert "begun with another set-up: kernel was 'Linux 3.2' and is" in error
    file.write_text(text, encoding="utf-8")

    # whose the CPU is it says before it begins and in what it shows; once that is free it is made again
    name = unique("holds")
    hold = [pinfold, "run", "-d", "--name", name, "--cpus", str(CPU), "--", "/bin/sleep", "300"]
    subprocess.run(hold, check=True, capture_output=True)
    try:
        p = begin(pinfold, "--resume", where, "disk")
        out, error = p.communicate(timeout=50 * SLOW)
    finally:
        subprocess.run([pinfold, "stop", name], check=True, capture_output=True)
    holds = f"granted to '{name}' already"
    assert p.returncode == 0 and holds in error.splitlines()[0], out + error
    disk = results(where)[1]["disk"]
    assert not disk["complete"] and holds in disk["failed"], disk
    assert (
        f"disk is not complete: pinfold: ended with status 125: pinfold: CPU {CPU} is"
        in " ".join(bench(pinfold, "show", where).split())
    )

    bench(pinfold, "run", "--resume", where, "disk")
    doc, found = results(where)
    assert (
        found["disk"]["complete"]
        and "failed" not in found["disk"]
        and found["machine"]["rows"] == machine
    )
    rows = {(r["name"], r.get("environment")): r for r in found["disk"]["rows"]}
    assert rows["what an instance adds to its image", "container"]["claim"] == "holds today"


def test_compare_says_what_is_worse(pinfold, tmp_path):
    def row(values, **more):
        interval = {"value": values[0], "low": None, "high": None, "n": len(values)}
        return {
            "name": "start",
            "less-is-better": True,
            "samples": values,
            "interval": interval,
        } | more

    def write(name, values, ratios, text, size="quick"):
        rows = [
            row(values, kind="measured", environment="host", unit="ms"),
            row(ratios, kind="ratio", environment="container/host"),
            {"kind": "fact", "name": "seen", "text": text},
        ]
        e = {"experiment": "startup", "title": "t", "complete": True, "seconds": 1, "rows": rows}
        doc = {"version": 1, "size": size, "set-up": {}, "experiments": [e]}
        jsonschema.validate(doc, SCHEMA)
        (tmp_path / name).write_text(json.dumps(doc), encoding="utf-8")
        return tmp_path / name

    a = write("a.json", [10, 10.1, 9.9, 10], [2, 2.01, 1.99, 2], "one")
    b = write("b.json", [14, 14.1, 13.9, 14], [2.4, 2.41, 2.39, 2.4], "two")
    same = write("same.json", [11, 11.1, 10.9, 11], [2, 2.01, 1.99, 2], "one", size="full")
    out = bench(pinfold, "compare", a, b)
    assert re.search(r"^worse +startup: start, host: .* B/A 1\.40", out, re.M)
    assert re.search(r"^worse +startup: start, container/host: .* B/A 1\.20", out, re.M)
    assert re.search(r"^changed +startup: seen: one -> two", out, re.M)
    assert "0 of 1 rows agree within their intervals" in out
    assert re.search(r"^better +startup: start", bench(pinfold, "compare", b, a), re.M)
    for words, fails in {
        "worse": True,
        "worse=10": True,
        "worse=30": False,
        "values": True,
        "values=10": True,
        "values=30": False,
        "changed": True,
        "missing": False,
    }.items():
        bench(pinfold, "compare", "--fail-on", words, a, b, status=1 if fails else 0)
    bench(pinfold, "compare", "--fail-on", "worse", "--fail-on", "missing", a, b, status=1)
    bench(pinfold, "compare", "--fail-on", "worse,values", b, a)
    # a tenth more, of a value alone, another run may have too
    bench(pinfold, "compare", "--fail-on", "worse,values,changed", a, same)
    assert "note: A is a quick run and B a full one" in bench(pinfold, "compare", a, same)
