# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What came out of the trials of pair.py, for people and as JSON."""

import pair
import stats
import term


def results(pairs):
    """Figures from the pairs of trials: means of both, and the ratio."""
    found = {}
    for name, of in (("rate", lambda t: t.mpps), ("first", lambda t: t.first * 1000)):
        both = [(of(c), of(b)) for c, b in pairs]
        container, bare = stats.means(both)
        found[name] = {"container": container, "bare": bare, "ratio": stats.ratio(both)}
    return found


def judge(pairs, ratio):
    """The verdict, or that there is none; and how many pairs were disturbed."""
    bad = sum(not (c.valid() and b.valid()) for c, b in pairs)
    if bad * 3 > len(pairs):
        return "disturbed", bad
    return ratio.verdict(), bad


def show(pairs, cpus, seconds):
    found = results(pairs)
    rate, first = found["rate"], found["first"]
    verdict, bad = judge(pairs, rate["ratio"])
    term.heading("Packets there and back, and the time to the first")
    head = ["mean", "containers", "bare processes", "ratio (95 % interval)", ""]
    rows = [
        [
            "came back, Mpps",
            f"{rate['container']:.2f}",
            f"{rate['bare']:.2f}",
            rate["ratio"].text(),
            verdict,
        ],
        [
            "start to first packet, ms",
            f"{first['container']:.0f}",
            f"{first['bare']:.0f}",
            first["ratio"].text(),
            f"{first['container'] - first['bare']:+.0f} ms",
        ],
    ]
    term.table(head, rows, {(0, 4): term.verdict})
    error = max(t.first_error for both in pairs for t in both) * 1000
    share = min(t.share for both in pairs for t in both)
    steal = max(t.steal for both in pairs for t in both)
    gap = max(t.gap for both in pairs for t in both) * 1000
    term.note(
        f"64-byte packets, sender on CPU {cpus[0]}, forwarder on CPU {cpus[1]}; {len(pairs)} pairs"
        f" of trials, {seconds:g} s each, in the order A B B A. A ratio within ±3 % is no difference."
    )
    term.note(
        "testpmd wants two lcores, one of them for its own control: both get one CPU"
        " (--lcores 0@N,1@N), in the containers and bare."
    )
    term.note(
        f"Bare: same arguments, {pair.PAGES} hugepages from a hugetlbfs of its own too, taskset, in"
        " the root cgroups, no fence. First packet: from the start of the command of the sender until"
        " its telemetry counts a packet that came back, the forwarder being up; looked at every"
        f" {pair.POLL * 1000:g} ms, at worst {error:.0f} ms apart."
    )
    quiet = f"each polling thread had at least {share:.0%} of its CPU; steal up to {steal:.1%}"
    quiet += f"; longest gap {gap:.0f} ms"
    if bad:
        term.note(
            f"Disturbed: {bad} of {len(pairs)} pairs, other programs took the CPUs ({quiet}). For a"
            " verdict repeat on a quiet machine."
        )
    else:
        term.note(f"Quiet enough: {quiet}.")
    crashed = sum(not t.clean for both in pairs for t in both)
    if crashed:
        term.note(
            f"In {crashed} of {2 * len(pairs)} trials a testpmd crashed while it was being ended,"
            " after the measurement: memif of DPDK 22.11 may when its other end goes away."
        )
    return found, verdict, bad


def plain(figure, verdict):
    ratio = figure["ratio"].json()
    if verdict == "disturbed":
        ratio["verdict"] = verdict
    return {
        "container": round(figure["container"], 4),
        "bare": round(figure["bare"], 4),
        **ratio,
    }


def to_json(pairs, cpus, seconds, found, verdict, bad):
    return {
        "sender_cpu": cpus[0],
        "forwarder_cpu": cpus[1],
        "pages": pair.PAGES,
        "seconds": seconds,
        "trials": [{"container": c.json(), "bare": b.json()} for c, b in pairs],
        "disturbed_pairs": bad,
        "verdict": verdict,
        "rate_mpps": plain(found["rate"], verdict),
        "first_packet_ms": plain(found["first"], verdict),
    }
