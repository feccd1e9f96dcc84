# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A ratio of pairs with its 95 % interval, as pinfold bench compare has it."""

import json
import math
import statistics
import subprocess
import tempfile
from dataclasses import dataclass

import work

SAME = 0.03  # a ratio within 1 ± SAME is no difference: STATS_SAME of src/bench/verdict.h


@dataclass
class Ratio:
    """Geometric mean and t interval of the logarithms."""

    value: float
    low: float  # 95 % interval; 0 and infinity with fewer than two pairs
    high: float
    pairs: int

    def text(self):
        if self.pairs < 2:
            return f"{self.value:.3f} (one pair: no interval)"
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"

    def json(self):
        known = self.pairs >= 2
        return {
            "ratio": round(self.value, 4),
            "low": round(self.low, 4) if known else None,
            "high": round(self.high, 4) if known else None,
            "pairs": self.pairs,
        }


def results(path, samples):
    interval = {"value": statistics.median(samples), "low": None, "high": None, "n": len(samples)}
    row = {"kind": "ratio", "name": "ratio", "unit": ""}
    row |= {"samples": samples, "interval": interval}
    one = {"experiment": "pairs", "title": "", "complete": True, "seconds": 0, "rows": [row]}
    doc = {"version": 1, "size": "quick", "set-up": {}, "experiments": [one]}
    work.write_json(path, doc)


def ratio(pairs):
    """pairs: (above, below), each measured close to the other in time. Their ratios beside as many ones: what does not
    vary adds nothing to the interval."""
    with tempfile.TemporaryDirectory() as top:
        ones, ratios = f"{top}/ones.json", f"{top}/ratios.json"
        results(ones, [1.0] * len(pairs))
        results(ratios, [above / below for above, below in pairs])
        argv = [work.PINFOLD, "bench", "compare", "--json", ones, ratios]
        out = subprocess.run(argv, stdout=subprocess.PIPE, timeout=20, check=True).stdout
    (found,) = json.loads(out)["rows"]
    if found["low"] is None:
        return Ratio(found["ratio"], 0.0, math.inf, len(pairs))
    return Ratio(found["ratio"], found["low"], found["high"], len(pairs))
