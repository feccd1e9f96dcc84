# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What came out of the trials of drover.py, for people and as JSON."""

import statistics
from dataclasses import dataclass

import drover
import pair
import rates
import stats
import term

LONG = {
    "none": "packets go on untouched",
    "l2fwd": "Ethernet addresses are rewritten",
}

ENOUGH = 0.3  # of the pairs must be comparable for a verdict

# key, name, format, whether a ratio of it says something
OF_LOAD = [
    ("offered", "offered, Mpps", "{:.2f}", False),
    ("received", "received, Mpps", "{:.2f}", True),
    ("loss", "loss", "{:.3%}", False),
    ("cycles", "VNF cycles per packet", "{:.0f}", True),
    ("p50", "latency p50, µs", "{:.1f}", True),
    ("p99", "latency p99, µs", "{:.1f}", True),
    ("p999", "latency p99.9, µs", "{:.1f}", True),
    ("max", "latency max, µs", "{:.0f}", False),
]
OF_START = [
    ("ready", "start to forwarding, ms", "{:.0f}", True),
    ("first", "start to first packet back, ms", "{:.0f}", True),
]


def figure(pairs, of, compare):
    both = [(of(c), of(b)) for c, b in pairs]
    if compare and all(c > 0 and b > 0 for c, b in both):
        container, bare = stats.means(both)
        return {"container": container, "bare": bare, "ratio": stats.ratio(both)}
    return {
        "container": statistics.median(c for c, _ in both),
        "bare": statistics.median(b for _, b in both),
        "ratio": None,
    }


def choose(pairs, when):
    """Those that can be compared; all of them, and false, when these are too few."""
    good = [both for both in pairs if drover.comparable(*both, when)]
    if len(good) >= max(2, len(pairs) * ENOUGH):
        return good, True
    return pairs, len(good) == len(pairs)


@dataclass
class Part:
    """The figures of one load, or of the start."""

    figures: dict  # key: means of both and their ratio, or medians
    pairs: int  # that they are from
    sound: bool  # false: too few of them can be compared for a verdict


def results(pairs):
    """{"overload", "half", "start": Part}."""
    found = {}
    for when in ("overload", "half", "start"):
        chosen, sound = choose(pairs, when)
        if when == "start":
            figures = {
                key: figure(chosen, lambda t, k=key: getattr(t, k) * 1000, compare)
                for key, _, _, compare in OF_START
            }
        else:
            figures = {
                key: figure(chosen, lambda t, w=when, k=key: getattr(getattr(t, w), k), compare)
                for key, _, _, compare in OF_LOAD
            }
        found[when] = Part(figures, len(chosen), sound)
    return found


def ratio_text(ratio):
    """An interval that spans all is not worth its digits."""
    if ratio.pairs >= 2 and ratio.high > 10 * ratio.low:
        return f"{ratio.value:.2f} (too scattered)"
    return ratio.text()


def judge(f, start, sound):
    """The last column, and what colours it. A start has a difference to tell, not a verdict."""
    if start:
        return f"{f['container'] - f['bare']:+.0f} ms", str
    return (f["ratio"].verdict() if sound else "disturbed"), term.verdict


def rows(head, part, keys):
    lines, marks = [[head, "", "", f"{part.pairs} pairs", ""]], {(0, 0): term.bold}
    for key, name, form, _ in keys:
        f = part.figures[key]
        line = [f"  {name}", form.format(f["container"]), form.format(f["bare"]), "", ""]
        if f["ratio"] is not None:
            line[3] = ratio_text(f["ratio"])
            line[4], mark = judge(f, keys is OF_START, part.sound)
            marks[(len(lines), 4)] = mark
        lines.append(line)
    return lines, marks


def show_mode(mode, found, half):
    term.heading(f"{mode}: {LONG[mode]}")
    head = ["mean", "container", "bare process", "ratio (95 % interval)", ""]
    lines, marks = [], {}
    for name, when, keys in (
        ("overload: as fast as the link takes", "overload", OF_LOAD),
        (f"half of that: {half / 1e6:.2f} Mpps", "half", OF_LOAD),
        ("start", "start", OF_START),
    ):
        more, its = rows(name, found[when], keys)
        marks |= {(row + len(lines), column): mark for (row, column), mark in its.items()}
        lines += more
    term.table(head, lines, marks)


def show_summary(found):
    """What most people want to know, in six lines."""
    term.heading("In short: the container's figure divided by the bare process's")
    head, lines, marks = [""], [], {}
    for mode in found:
        head += [mode, ""]
    for row, (when, key, name) in enumerate(
        (
            ("overload", "received", "packets per second at overload"),
            ("overload", "cycles", "VNF cycles per packet at overload"),
            ("half", "p50", "latency p50 at half rate"),
            ("half", "p99", "latency p99 at half rate"),
            ("start", "ready", "start to forwarding"),
        )
    ):
        line = [name]
        for parts in found.values():
            f = parts[when].figures[key]
            if f["ratio"] is None:
                line += ["none", ""]
                continue
            word, mark = judge(f, when == "start", parts[when].sound)
            marks[(row, len(line) + 1)] = mark
            line += [ratio_text(f["ratio"]), word]
        lines.append(line)
    term.table(head, lines, marks)


def limits(trials):
    """What else than the function may have been the limit."""
    every = [t for pairs in trials.pairs.values() for both in pairs for t in both]
    idle = statistics.median(t.overload.idle for t in every)
    behind = statistics.median(t.half.behind for t in every)
    if idle > 0.1:
        term.note(
            f"At overload the function was idle for {idle:.0%} of its time: the tester, a generator"
            " and a meter on one CPU, was the limit. Its cycles per packet say what it costs, the"
            " Mpps only that it kept up."
        )
    if behind > 0.001:
        term.note(
            f"At half rate the generator could not offer {behind:.1%} of what was asked for"
            " (median): it was held up, or the link was full for a while."
        )


def show_quiet(every, pairs):
    """What the machine did meanwhile, and which pairs are left out for it."""
    quiet = f"each polling thread had at least {min(t.share for t in every):.0%} of its CPU"
    quiet += f"; steal up to {max(t.steal for t in every):.1%}"
    quiet += f"; longest gap {max(t.gap for t in every) * 1000:.0f} ms"
    bad = sum(not (c.quiet() and b.quiet()) for c, b in pairs)
    if bad:
        where = f"{bad} of {len(pairs)} pairs"
        term.note(f"Disturbed: other programs took the CPUs in {where} ({quiet}).")
    else:
        term.note(f"Quiet enough: {quiet}.")
    costs = [t.overload.tester for t in every if t.quiet()]
    unlike = sum(not drover.alike(c, b, "overload") for c, b in pairs)
    if unlike and costs:
        term.note(
            "The machine itself had several speeds: at overload a packet cost the tester, which is"
            f" the same in every trial, from {min(costs):.0f} to {max(costs):.0f} cycles (a likely"
            " cause: virtual CPUs that are moved nearer to each other or further away). In"
            f" {unlike} of {len(pairs)} pairs it changed by more than a factor of"
            f" {drover.LIKE['overload']:g} from one trial to the other."
        )
    term.note(
        "Means (of figures without a ratio: medians) and ratios are of the pairs in which the CPUs were there, the rate was offered and"
        " the machine was alike for both; where these are too few, of all, and there is no verdict:"
        " disturbed."
    )


def show_notes(trials):
    every = [t for pairs in trials.pairs.values() for both in pairs for t in both]
    term.note(
        f"64-byte packets over memif; tester on CPU {trials.cpus[0]}, bare, always the same; the"
        f" function on CPU {trials.cpus[1]}: {len(every) // 2} pairs of trials in the order"
        f" A B B A, {trials.seconds:g} s at each load, programs started anew for each. A ratio is"
        " container / bare; within ±3 % it is no difference."
    )
    term.note(
        "Bare: same binary, configuration and CPU, taskset, in the root cgroups, anonymous"
        f" hugepages (the container: {drover.PAGES} from a hugetlbfs of its own), no fence. Start"
        " to forwarding: from the start of the command until it says itself that its core polls"
        f" both links, looked at every {pair.POLL * 1000:g} ms, at worst"
        f" {max(t.look for t in every) * 1000:.0f} ms apart. Start to first packet back: the tester"
        " is started then, so its own start is in it for both."
    )
    term.note(
        "Latency is the tester's, there and back through both links. Offered is what the link took,"
        " lost is what then did not come back."
    )
    limits(trials)
    show_quiet(every, sum(trials.pairs.values(), []))
    if trials.crashed:
        term.note(
            f"{trials.crashed} of {trials.number} trials are not counted, since a program crashed:"
            " memif of DPDK 22.11 may when its other end goes away."
        )


def show(trials):
    """Returns what to_json() wants."""
    found = {mode: results(pairs) for mode, pairs in trials.pairs.items()}
    show_summary(found)
    for mode, parts in found.items():
        show_mode(mode, parts, trials.half[mode])
    term.out()
    show_notes(trials)
    return found


def plain(f, sound):
    if f["ratio"] is not None:
        return rates.plain(f, "" if sound else "disturbed")
    return {"container": round(f["container"], 6), "bare": round(f["bare"], 6)}


def to_json(trials, found):
    value = {
        "tester_cpu": trials.cpus[0],
        "vnf_cpu": trials.cpus[1],
        "pages": drover.PAGES,
        "seconds": trials.seconds,
        "crashed_trials": trials.crashed,
        "modes": {},
    }
    for mode, pairs in trials.pairs.items():
        of_mode = {
            "half_pps": trials.half[mode],
            "trials": [{"container": c.json(), "bare": b.json()} for c, b in pairs],
        }
        for when, part in found[mode].items():
            suffix = "_ms" if when == "start" else ""
            figures = {key + suffix: plain(f, part.sound) for key, f in part.figures.items()}
            of_mode[when] = {"pairs": part.pairs, "sound": part.sound, **figures}
        value["modes"][mode] = of_mode
    return value
