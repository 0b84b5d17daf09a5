"""Why each surviving mutant lives: by the function and the changed line, looked at by a person."""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = "**not looked at**"

_ROWS = "equal: the arrays have two axes, so the last one is axis 1"
_LAST = "equal: without an axis numpy partitions along the last"
_DOUBLE = "equal: None is numpy's float64"
_WIDER = "equal: one more column is broadcast, and never taken"
_WHOLE = "equal: what is shared is divided, and a quotient is float64"

REASONS: Mapping[tuple[str, str], str] = {
    ("x_wilson_", "min(2.0, centre + half)"): "equal: a score interval never passes 1 by itself",
    ("models.x__read", "there = True"): "a name that no file can have: opening it says so too",
    ("ship.x__overall", "sum(values, )"): "equal: a sum of fractions begins at 0 by itself",
    ("ship.x__of_harnesses", "strict="): "equal: there is one line for each result",
    ("ship.x__of_harnesses", "zip(lines, results, )"): "equal: there is one line for each result",
    ("gates.x__least", "most + 2"): "equal: the last candidate is never needed",
    ("gates.x__needed", "rate >= limit"): "equal: where they are the same nothing is needed",
    ("gates.x__needed", "range(math.floor"): "equal: without a miss nothing is ever near",
    ("gates.x__needed", "range(2,"): "equal: what is undecided has a miss, and one more decides",
    ("gates.x__real", "f - 1"): "equal: only where the search begins, and earlier",
    ("gates.x__real", "(2 + _ROUNDING)"): "equal: only where the search begins, and earlier",
    ("gates.x__real", "< alpha"): "equal: only where the search begins",
    ("gates.x__real", "alpha / (1"): "equal but for the rounding of a tail probability",
    ("gates.x__real", "(1 - _ROUNDING)"): "equal but for the rounding of a tail probability",
    ("gates.x__trials", "n, None)"): "equal: None is as untrue as False",
    ("gates.x_paired", "strict="): "equal: the lengths were compared before",
    ("gates.x_paired", "zip(candidate, baseline, )"): "equal: lengths were compared before",
    ("gates.x_tango_lower", "= -2.0"): "equal: only where the search begins, and wider",
    ("gates.x_tango_lower", "won + lost"): "equal: only where the search begins, and wider",
    ("gates.x_tango_lower", ">= z"): "equal: halving ends beside the root either way",
    ("x_needed_n_", "enough = 2"): "equal: only where the search begins",
    ("x_needed_n_", ">= alpha"): "equal: only how far the search doubles",
    ("x_needed_n_", "enough *= 3"): "equal: only how far the search goes at a time",
    ("x_needed_n_", "range(enough + 2)"): "equal: the last candidate is never needed",
    ("divergence.", "axis=+1"): _ROWS,
    ("divergence.x__gaps", "first, +1)"): _ROWS,
    ("divergence.x__gaps", "second, +1)"): _ROWS,
    ("divergence.x__gaps", "first, )"): "equal: the default axis of take_along_axis is the last",
    ("divergence.x__gaps", "second, )"): "equal: the default axis of take_along_axis is the last",
    ("divergence.x__gaps", "partition(-reference, 1, )"): _LAST,
    ("divergence.x_top_overlap", "k - 1, )"): _LAST,
    ("divergence.x_top_overlap", "dtype=None)"): _WHOLE,
    ("divergence.x_top_overlap", "np.array(shared, )"): _WHOLE,
    ("divergence.x_top_overlap", "k - 2"): "equal in effect: numpy's selection puts the k-th there",
    ("divergence.x_apart", "dtype=None"): "equal: an array of truths is of truths by itself",
    ("divergence.x__dot", "IJ,IJ->I"): "equal: other names of the same axes",
    ("divergence.x_apart", "strict="): "equal: the shapes were compared before",
    ("divergence.x_apart", "zip(reference, candidate, )"): "equal: shapes were compared before",
    ("divergence.x_apart", ")"): "equal: an array of truths is of truths by itself",
    ("divergence.x__finite_apart", "initial=None"): "equal: a row is never empty here",
    ("divergence.x__finite_apart", "max(axis=-1, )"): "equal: a row is never empty here",
    ("divergence.", "astype(None)"): _DOUBLE,
    ("divergence.x__gaps", "[:, :3]"): _WIDER,
    ("divergence.x__gaps", "best[:, :2] == first"): _WIDER,
    ("divergence.x__gaps", "best[:, :2])"): _WIDER,
    ("divergence.x__spread_out", "np.full(positions, missing, dtype=None)"): (
        "equal: NaN is float64 and -1 is int64 by itself"
    ),
    ("divergence.x__spread_out", "np.full(positions, missing, )"): (
        "equal: NaN is float64 and -1 is int64 by itself"
    ),
    ("divergence.x__not_negative", "values <= 0"): "equal: a zero becomes zero",
    (
        "divergence.x__not_negative",
        "values <= ROUNDING",
    ): "the bound itself: no pair of rows hits it",
    ("artifacts.", "super().__init__(None)"): "equal: the text of this error is never read",
    ("artifacts.", "super().__init__(message)"): "equal: the text of this error is never read",
    ("fit.x__ladder", "and False"): "equal: the last rung is only tried twice",
    ("fit.x__largest_batch", "+ 2) // 2"): "equal: the interval is only cut elsewhere",
    ("models.x__read", "there = None"): "equal: None is as untrue as False",
    ("artifacts.", '"UTF-8"'): "equal: another spelling of the same encoding",
    ("safetensors.x__place", "offset <= end"): "equal: one that begins at the end is not told",
    ("safetensors.x__tensor", "sound = None"): "equal: None is as untrue as False",
    ("gguf.x__alignment", "found - 2"): "equal: from 8 on, the same numbers pass",
    ("gguf.x__between", 'before = base, "'): "equal: no offset is negative, none meets the header",
    ("gguf.x__between", "end < size"): "equal: what is beyond end and padding is beyond end",
    ("gguf.x__preamble", "header.checked = 4"): "equal: nothing was checked before",
    ("apr.x__between", "last < end and"): "equal: where 64 bytes are left, last is before end",
    ("apr.x__start", "header.checked = 8"): "equal: nothing was checked before",
}
"""(part of the mutant's name, part of the line after the change) -> why no test finds it."""


def reason(survivor: Mapping[str, str]) -> str:
    """The reason of a survivor, or that nobody looked at it."""
    for (function, after), why in REASONS.items():
        if function in survivor["mutant"] and after in survivor["after"]:
            return why
    return UNKNOWN
