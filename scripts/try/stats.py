# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Figures from repeats: means, and ratios with their 95 % interval."""

import math
import statistics
from dataclasses import dataclass

SAME = 0.03  # a ratio within 1 ± SAME is no difference

# two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom
T95 = [
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
    2.080,
    2.074,
    2.069,
    2.064,
    2.060,
    2.056,
    2.052,
    2.048,
    2.045,
    2.042,
]


def t95(degrees):
    if degrees <= len(T95):
        return T95[degrees - 1]
    # Cornish-Fisher expansion around the normal quantile; exact to 0.001 from here on
    z = 1.959964
    return (
        z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    )


def percentile(values, part):
    """Linear between the nearest two; part from 0 to 1."""
    ordered = sorted(values)
    at = part * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@dataclass
class Ratio:
    """A ratio of paired repeats: geometric mean and t interval of the logarithms."""

    value: float
    low: float  # 95 % interval; 0 and infinity with fewer than two pairs
    high: float
    pairs: int

    def verdict(self):
        if 1 - SAME <= self.low and self.high <= 1 + SAME:
            return "no difference"
        if self.low > 1 or self.high < 1:
            return "different"
        return "inconclusive"

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
            "verdict": self.verdict(),
        }


def means(pairs):
    """Of both: their quotient is the ratio, so that a difference of them never says otherwise."""
    return tuple(math.exp(statistics.fmean(math.log(p[i]) for p in pairs)) for i in (0, 1))


def ratio(pairs):
    """pairs: (above, below), each measured close to the other in time."""
    logs = [math.log(above / below) for above, below in pairs]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return Ratio(math.exp(mean), 0.0, math.inf, len(logs))
    half = t95(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), len(logs))
