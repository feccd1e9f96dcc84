# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""How long drover takes to start with a million routes and a million subscribers, by the form of its tables."""

import statistics
import string
import time

import bng
import plane
import plane_show
import term
import traffic

PAGES = 900  # of 2 MiB
COUNT = 1_000_000
RUNS = 3
BOUNDS = {"Lua": 10.0, "text": 2.0}  # seconds
FIRST, STEP = 1 << 24, 1 << 8  # of the routes, /24 each

CONF = string.Template(
    """
[port 0]
name=cpe0
[port 1]
name=inet0
$lua
[defaults]
mempool size=4K
[core 0]
mode=master
[core 1]
name=worker
task=0
mode=qinqdecapv4
rx port=cpe0
tx ports from routing table=inet0
route table=$routes
user table=$users
local ipv4=192.0.2.254
task=1
mode=qinqencapv4
rx port=inet0
tx ports from cpe table=cpe0
user table=$users
"""
)
LUA = string.Template(
    """[lua]
users = {}
for i = 0, $count - 1 do
  users[i + 1] = {gre_id = i, svlan_id = i // $cvlans + 1, cvlan_id = i % $cvlans + 1, user_id = i}
end
$lua_routes"""
)


def write_text(path):
    with open(path, "w", encoding="ascii") as f:
        f.write(traffic.hop_lines())
        for i in range(COUNT):
            print(f"route,{traffic.dotted(FIRST + i * STEP)}/24,{i % traffic.HOPS}", file=f)
            print(f"user,{i // traffic.CVLANS + 1},{i % traffic.CVLANS + 1},{i}", file=f)


def prepare(w):
    """The configuration of each form."""
    lua = LUA.substitute(
        count=COUNT, cvlans=traffic.CVLANS, lua_routes=traffic.lua_routes(COUNT, FIRST, STEP)
    )
    forms = {
        "Lua": {"lua": lua, "routes": "lpm4", "users": "users"},
        "text": {"lua": "", "routes": "./tables.csv", "users": "./tables.csv"},
    }
    write_text(f"{w.dir}/tables.csv")
    for name, form in forms.items():
        with open(f"{w.dir}/tables-{name}.cfg", "w", encoding="ascii") as f:
            f.write(CONF.substitute(form))
    return forms


def start(w, form, cpu):
    """Seconds from the start of the program until traffic runs."""
    began = time.monotonic()
    program = plane.Drover(
        w,
        f"tables {form}",
        cpu,
        f"tables-{form}-{w.number()}",
        f"{w.dir}/tables-{form}.cfg",
        {"cpe0": "null", "inet0": "null"},
    )
    try:
        program.runs()
        taken = time.monotonic() - began
        program.end()
    finally:
        w.stop(program.process)
    return taken


def bench(w, cpus):
    forms = prepare(w)
    found = {form: [] for form in forms}
    for i in range(RUNS):
        for form in forms:
            term.progress.say(f"start-up with large tables, {form}, {i + 1} of {RUNS}")
            found[form].append(start(w, form, ",".join(map(str, cpus))))
    term.heading("Start-up with a million routes and a million subscribers")
    rows, value = [], {}
    for form, seconds in found.items():
        median = statistics.median(seconds)
        verdict = bng.word(median, BOUNDS[form])
        rows.append([form, f"{median:.2f}", f"{max(seconds):.2f}", f"{BOUNDS[form]:g}", verdict])
        value[form] = {"seconds": [round(s, 3) for s in seconds], "verdict": verdict}
    term.table(
        ["tables in", "median s", "most s", "at most", ""],
        rows,
        {(i, 4): plane_show.verdict for i in range(len(rows))},
    )
    term.note(
        f"{RUNS} starts each in turns, until packets may come: EAL, tables of {COUNT} /24 and {COUNT}"
        " subscribers, both directions of the BNG. Lua: loops in the configuration that make the entries;"
        " text: a file with an entry a line."
    )
    return value
