# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What plane.py measured, for people and as JSON."""

import statistics

import plane
import stats
import term


def verdict(word):
    return {"met": term.green, "missed": term.red}.get(word, term.yellow)(word)


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


def case_row(link, mode, pairs):
    trials = len(pairs)
    pairs = [p for p in pairs if plane.alike(*p)]
    if len(pairs) < 2:
        text = f"{len(pairs)} of {trials} pairs comparable"
        row = [f"{link}: {mode}, {plane.PEERS[mode]}", text, "", "", "", "undecided"]
        return [row], {"verdict": "undecided", "comparable": len(pairs)}
    ours, theirs = ([p[i] for p in pairs] for i in (0, 1))
    name = f"{link}: {mode}, {plane.PEERS[mode]}"
    rows, value = [], {"comparable": len(pairs)}
    figures = [("Mpps", lambda t: t.mpps, True)]
    if link == "memif":
        figures.append(("cycles a packet", lambda t: t.cycles, False))
    for what, of, more in figures:
        ratio = stats.ratio([(of(a), of(b)) for a, b in pairs])
        word = plane.judge(ratio, more)
        a, b = (statistics.median(map(of, side)) for side in (ours, theirs))
        rows.append([name, what, f"{a:.2f}", f"{b:.2f}", ratio.text(), word])
        value[what] = {
            "drover": round(a, 3),
            "testpmd": round(b, 3),
            **ratio.json(),
            "verdict": word,
            "trials": [[round(of(x), 4), round(of(y), 4)] for x, y in pairs],
        }
        name = ""
    return rows, value


def bench_forward(w, cpus, repeats, seconds):
    found = plane.forward(w, cpus, repeats, seconds, term.progress.say)
    rows, value = [], {"crashed": found["crashed"], "disturbed": found["disturbed"]}
    for (link, mode), pairs in found["cases"].items():
        more, value[f"{link} {mode}"] = case_row(link, mode, pairs)
        rows += more
    term.heading("Forwarding on one core, beside testpmd")
    head = ["median", "", "drover", "testpmd", "ratio (95 % interval)", "not worse"]
    term.table(head, rows, {(i, 5): verdict for i in range(len(rows))})
    trials = [t for pairs in found["cases"].values() for pair in pairs for t in pair]
    memif = [t.mpps for t in trials if t.tester > 0]
    parted = sum(not plane.alike(*both) for pairs in found["cases"].values() for both in pairs)
    term.note(
        f"64 B, burst 32, {repeats} pairs of {seconds:g} s in the order A B B A, bare processes."
        " memif: received at overload by drover's generator and meter, one core, CPU"
        f" {cpus[0]}, the same for both, from the program under test on CPU {cpus[1]}; cycles of"
        " polls with packets, from"
        " drover's telemetry and from testpmd --record-core-cycles (on only while that is measured:"
        " it reads the clock for every poll, drover's account does not). null: packets out of one"
        " core. testpmd forwards both ways between its two ports, drover one way. A ratio within"
        f" ±{stats.SAME:.0%} is no difference."
    )
    term.note(
        f"drover: {plane.flags('/none.c')}. testpmd: Debian's build (dpkg's default flags, -O2, for"
        " -march=corei7). The drivers are the same shared libraries, Debian's."
    )
    term.note(
        f"memif, all trials: {min(memif):.1f} to {max(memif):.1f} Mpps. On a virtual machine"
        " this depends on how near the two CPUs are to each other at the time. What a packet costs"
        f" the tester tells: {parted} pairs are left out as it differed by more than a factor of"
        f" {plane.ALIKE} between the two."
    )
    quiet(found["crashed"], found["disturbed"], trials)
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


def bench_generator(w, cpus, repeats, seconds):
    found = plane.generator(w, cpus, repeats, seconds, term.progress.say)
    mpps, total = [t.mpps for t in found["trials"]], found["total"]
    word = "met" if found["mpps"] >= plane.OFFER_BOUND else "missed"
    term.heading("The generator on one core, over memif to the latency meter on another")
    term.out(
        f"  offered, Mpps of 64 B: {found['mpps']:.2f} ({min(mpps):.2f} to {max(mpps):.2f});"
        f" must be at least {plane.OFFER_BOUND:g}: {verdict(word)}"
    )
    arrived = "met" if found["all_arrived"] else "missed"
    names = ("lost", "duplicates", "reordered", "corrupt", "missed_by_port")
    rest = ", ".join(f"{n.replace('_', ' ')} {total[n]}" for n in names)
    term.out(f"  sent {total['sent']}, received {total['received']}, {rest}: {verdict(arrived)}")
    term.note(
        f"Median of {len(mpps)} trials of {seconds:g} s; gen on CPU {cpus[0]}, lat on CPU"
        f" {cpus[1]}, two processes. The meter numbers, stamps and checks every packet."
    )
    quiet(found["crashed"], 0, found["trials"])
    return {
        "offered_mpps": round(found["mpps"], 3),
        "bound": plane.OFFER_BOUND,
        "verdict": "missed" if "missed" in (word, arrived) else word,
        "all_arrived": found["all_arrived"],
        "mpps": [round(m, 3) for m in mpps],
        "crashed": found["crashed"],
        **total,
    }


def missed(value):
    """Whether any verdict in it is that a bound is missed."""
    if isinstance(value, dict):
        return value.get("verdict") == "missed" or any(map(missed, value.values()))
    return False
