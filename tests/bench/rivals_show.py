# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What rivals.py measured, for people and as JSON."""

import statistics

import machine
import plane
import plane_show
import rivals
import stats
import term
import traffic


def evaluate(case, found):
    """A row of rates, one of cycles, and the figures."""
    sound = [t for t in found.turns if t[0].valid() and t[1].valid()]
    rates = [statistics.median(t[i].mpps for t in sound or found.turns) for i in range(3)]
    spent = [found.mhz / r for r in rates]
    spent += [c - spent[2] for c in spent[:2]]
    name = f"{case.name}; {case.peer}"
    word, text, value = "undecided", "disturbed", {}
    if sound:
        ratio = stats.ratio([(t[0].mpps, t[1].mpps) for t in sound])
        word = plane.judge(ratio, case.bound) if case.bound is not None else ""
        text, value = ratio.text(), ratio.json()
    value |= {
        "mpps": [round(r, 3) for r in rates],
        "cycles": [round(c, 1) for c in spent],
        "bound": case.bound,
        "verdict": word,
        "not_done": found.notes,
        "trials": [[round(one.mpps, 4) for one in t] for t in found.turns],
    }
    least = "" if case.bound is None else f"{case.bound:g}"
    row = [name, *(f"{r:.2f}" for r in rates), text, least, word]
    # what a program without any work of its own would have
    value["ports_to_peer"] = round(rates[2] / rates[1], 3)
    return row, [name, *(f"{c:.0f}" for c in spent), f"{value['ports_to_peer']:.2f}"], value


def show(cases, repeats, seconds, cpus):
    rows, spent, _ = zip(*(evaluate(case, found) for case, found in cases.items()))
    head = ["median Mpps", "drover", "peer", rivals.BARE, "drover/peer (95 %)", "at least", ""]
    term.table(head, rows, {(i, 6): plane_show.verdict for i in range(len(rows))})
    term.out()
    head = [
        "TSC cycles a packet",
        "drover",
        "peer",
        rivals.BARE,
        "drover less ports",
        "peer less ports",
    ]
    term.table([*head, "ports alone/peer"], spent)
    term.note(
        "ports alone/peer: the ratio of a program without any work of its own, the most there can be."
    )
    term.note(
        f"64 B, one polling core (CPU {cpus[1]}), {repeats} × {rivals.WINDOWS} turns of {seconds:g} s"
        " each, the others stopped; packets out by DPDK's counters of the port."
        f" net_pcap supplies {traffic.USERS} different packets from memory (infinite_rx), one of each"
        f" subscriber or to random destinations in random order; what is sent vanishes. {rivals.BARE}:"
        f" drover's mode=none there, the part that is neither's work. BNG: {traffic.USERS}"
        f" subscribers, {len(traffic.BNG_NETS)} routes, burst 32 (PROX: 64). Ratio of the turns in"
        f" which both had {machine.ENOUGH:.0%} of the CPU."
    )
    for case, found in cases.items():
        for who, notes in found.notes.items():
            if notes:
                term.out(f"  {who}, {case.name}, does otherwise: {'; '.join(notes)}")
    if any(case.peer == "PROX" for case in cases):
        term.note(
            "PROX learns CPEs from ARP alone (handle arp=yes), drover from every packet upstream;"
            " downstream PROX's upstream task goes on asking its port, empty by then, once in 64 packets"
            " (some 4 cycles each)."
        )
    if any(case.peer == "l3fwd" for case in cases):
        term.note(
            "l3fwd wants checksums from the port, which virtual devices refuse: it runs here only"
            " without that (rxmode.offloads = 0), and so verifies none; drover verifies each. It has one"
            f" next hop for each port, drover {traffic.HOPS}."
        )
    term.note(
        f"drover: {plane.flags('/task/vnf/none.c')}. The peers as they were built. The drivers are the same"
        " shared libraries, Debian's."
    )
    trials = [one for found in cases.values() for t in found.turns for one in t]
    plane_show.quiet(0, sum(not t.valid() for t in trials), trials)


def bench(w, cpus, repeats, seconds):
    """The cases whose peer is there; of the others the reason."""
    cases, reasons = {}, {}
    for case in rivals.CASES:
        reason = rivals.missing(case.peer)
        if reason is None:
            cases[case] = rivals.compare(w, case, cpus, repeats, seconds, term.progress.say)
        else:
            reasons[case.peer] = reason
    term.heading("BNG and routing on one core, beside PROX and DPDK's l3fwd")
    for reason in reasons.values():
        term.out(f"  skipped: {reason}")
    if cases:
        show(cases, repeats, seconds, cpus)
    value = {case.key(): evaluate(case, found)[2] for case, found in cases.items()}
    return value | {"skipped": reasons}
