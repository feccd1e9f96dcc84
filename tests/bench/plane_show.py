# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What plane.py measured, for people and as JSON."""

import statistics

import plane
import stats
import term


def verdict(word):
    return {"met": term.green, "missed": term.red}.get(word, term.yellow if word else str)(word)


def bench_cycles(w, cpu):
    found = plane.cycles(w, cpu)
    term.heading("Cycles a packet, beside a bare loop that does the same work")
    rows, value = [], {"bound": plane.CYCLES_BOUND, "flags": found["flags"]}
    for mode in plane.PEERS:
        pairs = found[mode]
        ours, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
        # the median of pairs, not their mean: an interrupt in one of them is no cost of ours
        ratio = statistics.median(a / b for a, b in pairs)
        word = "met" if ratio <= plane.CYCLES_BOUND else "missed"
        rows.append([mode, f"{ours:.2f}", f"{theirs:.2f}", f"{ratio:.3f}", word])
        value[mode] = {
            "drover": round(ours, 3),
            "bare": round(theirs, 3),
            "ratio": round(ratio, 4),
            "verdict": word,
            "pairs": pairs,
        }
    head = ["median", "drover", "bare loop", "ratio", f"at most {plane.CYCLES_BOUND}"]
    term.table(head, rows, {(i, 4): verdict for i in range(len(rows))})
    same = "the same flags" if found["same_flags"] else "DIFFERENT flags"
    term.note(
        f"TSC cycles at {found['tsc_mhz']} MHz on CPU {cpu}; 64 B, burst {found['burst']},"
        f" {found['packets']} packets that circulate through a ring; {len(found['none'])} pairs in"
        f" the order A B B A. One program holds both, {same} for both: {found['flags']}."
    )
    return value


def case_row(link, mode, sessions):
    name = f"{link}: {mode}, {plane.PEERS[mode]}"
    ratios = [r for r in map(plane.session_ratio, sessions) if r is not None]
    trials = [both for pairs in sessions for both in pairs]
    ours, theirs = (statistics.median(both[i].mpps for both in trials) for i in (0, 1))
    value = {"drover": round(ours, 3), "testpmd": round(theirs, 3)}
    value["trials"] = [[[round(t.mpps, 4) for t in both] for both in pairs] for pairs in sessions]
    if not ratios:
        return [name, f"{ours:.2f}", f"{theirs:.2f}", "disturbed", "undecided"], value
    ratio = stats.ratio([(r, 1) for r in ratios])
    word = plane.judge(ratio)
    row = [name, f"{ours:.2f}", f"{theirs:.2f}", ratio.text(), word]
    return row, value | ratio.json() | {"verdict": word}


def bench_forward(w, cpus, repeats, seconds):
    found = plane.forward(w, cpus, repeats, seconds, term.progress.say)
    rows, value = [], {"crashed": found["crashed"]}
    for (link, mode), sessions in found["cases"].items():
        row, value[f"{link} {mode}"] = case_row(link, mode, sessions)
        rows.append(row)
    term.heading("Forwarding on one core, beside testpmd")
    head = ["median Mpps", "drover", "testpmd", "ratio (95 % interval)", "not worse"]
    term.table(head, rows, {(i, 4): verdict for i in range(len(rows))})
    every = [pairs for sessions in found["cases"].values() for pairs in sessions]
    trials = [t for pairs in every for both in pairs for t in both]
    term.note(
        f"64 B, burst 32, bare processes. {repeats} sessions of each; in a session both stand on the"
        f" same CPUs and run in turns, {plane.WINDOWS} times {seconds:g} s each, one stopped while the"
        " other runs. The interval is that of the sessions' median ratios."
        f" memif: received at overload by drover's generator and meter on CPU {cpus[0]} from the"
        f" program under test on CPU {cpus[1]}. null: packets out of one core. testpmd forwards both"
        f" ways between its two ports, drover one way. A ratio within ±{stats.SAME:.0%} is no"
        " difference."
    )
    term.note(
        f"drover: {plane.flags('/task/vnf/none.c')}. testpmd: Debian's build (dpkg's default flags, -O2, for"
        " -march=corei7). The drivers are the same shared libraries, Debian's."
    )
    quiet(found["crashed"], sum(not t.valid() for t in trials), trials)
    return value


def quiet(crashed, disturbed, trials):
    share, steal = min(t.share for t in trials), sum(t.steal for t in trials)
    text = f"Each polling thread had at least {share:.0%} of its CPU; stolen below: {steal:.2f} s."
    if disturbed:
        text += f" Disturbed: {disturbed} trials of {len(trials)}."
    if crashed:
        text += (
            f" {crashed} trials were lost as a program crashed, and were repeated: memif of"
            " DPDK 22.11 may when its other end goes."
        )
    term.note(text)


def missed(value):
    """Whether any verdict in it is that a bound is missed."""
    if isinstance(value, dict):
        return value.get("verdict") == "missed" or any(map(missed, value.values()))
    return False
