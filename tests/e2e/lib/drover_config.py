# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Configurations of drover, written by what is in them: ports, and cores with their tasks."""


def section(title, *lines):
    return "\n".join([f"[{title}]", *filter(None, lines)]) + "\n"


def task(mode, rx="", tx="", *keys):
    """rx, tx: names of ports; rx may be "ring", for what other tasks send."""
    source = "rx ring=yes" if rx == "ring" else f"rx port={rx}" if rx else ""
    return [f"mode={mode}", source, f"tx port={tx}" if tx else "", *keys]


def core(name, *tasks):
    return [f"name={name}", *(x for i, t in enumerate(tasks) for x in (f"task={i}", *t))]


def configuration(ports, *cores, name="test", mempool="", keys=()):
    """ports: name to device, or to device and further keys. Cores are numbered from 1. keys: of [global]."""
    text = ""
    for i, (port, device) in enumerate(ports.items()):
        device, *more = [device] if isinstance(device, str) else device
        text += section(f"port {i}", f"name={port}", device and f"device={device}", *more)
    text += section("global", f"name={name}", *keys)
    if mempool:
        text += section("defaults", f"mempool size={mempool}")
    text += section("core 0", "mode=master")
    return text + "".join(section(f"core {i}", *c) for i, c in enumerate(cores, 1))
