# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""./try: drover as a bare process and in a fenced container, side by side."""

import argparse
import sys
import time

import drover
import look
import pair
import table
import term
import work

ABOUT = """\
Loads drover's none and l2fwd, as a bare pinned process and in a fenced container in turn, with
packets over memif; then says what each could do, how long packets took, and what the container can
see and reach. Two to three minutes. Installs missing Debian packages and builds first. Needs root,
two CPUs and 256 MiB for hugepages; all that it takes it puts back."""


def arguments():
    def positive(kind, least, most):
        def parse(text):
            value = kind(text)
            if not least <= value <= most:
                raise ValueError
            return value

        parse.__name__ = f"number from {least} to {most}"
        return parse

    p = argparse.ArgumentParser(
        prog="./try", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "--repeats",
        type=positive(int, 1, 100),
        default=14,
        metavar="N",
        help="pairs of trials of each mode, container and bare (default %(default)s)",
    )
    p.add_argument(
        "--seconds",
        type=positive(float, 0.2, 600),
        default=0.6,
        metavar="S",
        help="of traffic at each load in a trial (default %(default)g)",
    )
    p.add_argument("--json", metavar="FILE", help="write the figures there, too")
    return p.parse_args()


def build(w):
    term.progress.say("looking for packages")
    # its output says what is installed, which may take a while
    term.progress.clear()
    w.call(["scripts/setup", "build", "run"], 1800, "install packages", quiet=False)
    term.progress.say("building")
    w.call(["make", "--no-print-directory"], 900, "build")


def prepare(w):
    term.progress.say("borrowing hugepages")
    w.lend("hugetlb-cgroup")
    w.lend_hugepages(2 * drover.PAGES)


def print_look(box, host):
    term.heading("What it can see and reach")
    term.table(["", "in a container", "on this host"], look.rows(box, host))
    term.note(
        "Seen and tried by pinfold-inside show --probe. To see is the view; to take, run on and"
        " call is the fence."
    )


def run(args):
    began = time.monotonic()
    with work.Work() as w:
        cpus = pair.choose_cpus()
        build(w)
        prepare(w)
        term.progress.say("looking around in a container and on the host")
        box = look.inside(w, cpus[1], drover.PAGES)
        host = look.outside(w)
        trials = drover.Trials(w, cpus, args.seconds, term.progress.say)
        trials.measure(args.repeats)
        found = table.show(trials)
        print_look(box, host)
        if args.json:
            value = {"setup": work.setup(), "container": box, "host": host}
            value["drover"] = table.to_json(trials, found)
            work.write_json(args.json, value)
        term.progress.say("putting everything back")
    term.out()
    term.out(f"Done in {time.monotonic() - began:.0f} s; all that was taken is put back.")
    return 0


sys.exit(work.main(run, arguments()))
