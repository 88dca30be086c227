"""Lesson 12, put it to work: the matrix that int8 hurts most, a batch size, the limits section of a model card."""

import re
import statistics

import numpy as np

from . import Wrong, call, checker, judge_each


def _matrix(seed: int, rows: int = 24, columns: int = 16, outlier: float | None = None, uniform: bool = False):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (rows, columns)) if uniform else rng.standard_normal((rows, columns))
    if outlier is not None:
        values[rows // 2, columns // 2] = outlier
    return values


def _bad_columns(seed: int):
    """Normal numbers where every column has an outlier of its own, a moderate one."""
    values = _matrix(seed)
    values[np.arange(16) + 4, np.arange(16)] = 9.0
    return values


# (name → matrix, what kind of case it is)
MATRICES = [
    ({"query": _matrix(18), "key": _matrix(19, outlier=60.0), "value": _matrix(20)}, "one matrix has an outlier"),
    ({"flat": 5 * _matrix(3, 10, 10, uniform=True), "bell": _matrix(4, 40, 40)}, "no matrix has an outlier"),
    ({"first": _matrix(5, outlier=-70.0), "second": _matrix(6)}, "the outlier is negative"),
    ({"small": 0.01 * _matrix(7, outlier=50.0), "large": 100 * _matrix(8)}, "the matrix with an outlier has small numbers"),
    ({"wide": _matrix(9, 300, 200), "narrow": _matrix(10, 20, 20, outlier=60.0)}, "the matrices differ in size"),
    ({"one column": _matrix(11, outlier=20.0), "every column": _bad_columns(12)}, "one of many columns has the outlier"),
    ({"empty": np.zeros((5, 5)), "plain": _matrix(13, uniform=True)}, "a matrix of zeros"),
]  # fmt: skip


def _int8(matrix: np.ndarray, largest=None) -> np.ndarray:
    scale = (np.abs(matrix).max() if largest is None else largest) / 127
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale == 0, 0.0, np.round(matrix / scale) * scale)


def _share(matrix: np.ndarray, largest=None) -> float:
    """The size of the rounding error, divided by the size of the matrix."""
    size = np.linalg.norm(matrix)
    return float(np.linalg.norm(matrix - _int8(matrix, largest)) / size) if size else 0.0


# What a wrong answer may have measured instead; the first that explains the answer is named.
_OTHER_MEASURES = {
    "You compare the errors themselves. A matrix of large numbers has large errors and may still be fine: divide by the "
    "size of the matrix": lambda m: np.linalg.norm(m - _int8(m)),
    "The largest number does not decide: what counts is how much rounding changes all the others": (
        lambda m: np.abs(m).max()
    ),
    "The scale has to fit the largest number whatever its sign: take the maximum of the absolute values": (
        lambda m: _share(m, m.max())
    ),
    "You gave every column a scale of its own; here, a matrix has one scale": lambda m: _share(
        m, np.abs(m).max(axis=0)
    ),
    "You return the matrix that is hurt least; the question is which is hurt most": lambda m: -_share(m),
    "Divide by the size of the whole matrix, not by its largest number": (
        lambda m: np.linalg.norm(m - _int8(m)) / (np.abs(m).max() or 1)
    ),
}


@checker("12.1")
def check_worst_matrix(worst_matrix) -> str:
    """``worst_matrix(matrices)``: the name of the matrix that int8 changes most, in relation to its own size."""

    def judge(matrices: dict, kind: str) -> None:
        found = call(worst_matrix, {name: matrix.copy() for name, matrix in matrices.items()})
        shares = {name: _share(matrix) for name, matrix in matrices.items()}
        right = max(shares, key=shares.get)
        if not isinstance(found, str) or found not in matrices:
            raise Wrong(f"{kind}: you return {found!r}; return the name of a matrix, one of {list(matrices)}")
        if found == right:
            return
        listed = ", ".join(f"{name!r} loses {share:.1%}" for name, share in shares.items())
        case = f"{kind}: you return {found!r}, expected {right!r} ({listed})"
        if not np.any(matrices[found]):
            raise Wrong(f"{case}. A matrix of zeros loses nothing, but its scale is 0: do not divide by it")
        for idea, measure in _OTHER_MEASURES.items():
            if found == max(matrices, key=lambda name: measure(matrices[name])):
                raise Wrong(f"{case}. {idea}")
        raise Wrong(f"{case}. Round every number to a whole number of steps, and compare with the numbers as they were")

    judge_each(MATRICES, judge, "cases")
    return f"right in all {len(MATRICES)} cases: you know which matrix to look at first"


# (batch size → seconds of three runs, the longest that a batch may take, what kind of case it is)
SPEEDS = [
    ({1: [0.01] * 3, 4: [0.02] * 3, 16: [0.06] * 3}, 1.0, "larger batches answer more questions in a second"),
    ({1: [0.01] * 3, 4: [0.02] * 3, 16: [0.06] * 3}, 0.05, "the largest batch takes too long"),
    ({8: [0.04] * 3, 16: [0.09] * 3, 32: [0.3] * 3}, 1.0, "beyond some size, throughput falls again"),
    ({4: [0.02, 0.05, 0.02], 8: [0.065] * 3}, 1.0, "one run was a little slower"),
    ({4: [0.02, 0.02, 0.5], 8: [0.05] * 3}, 1.0, "one run was disturbed"),
    ({4: [0.04] * 3, 8: [0.05, 0.12, 0.12]}, 1.0, "one run was oddly fast"),
    ({4: [0.02, 0.02, 0.5], 8: [0.2] * 3}, 0.1, "a disturbed run took longer than a batch may"),
    ({2: [0.02] * 3, 4: [0.03] * 3}, 0.03, "a batch takes exactly as long as it may"),
    ({8: [0.2] * 3, 16: [0.3] * 3}, 0.1, "no batch is fast enough"),
    ({8: [0.04] * 3, 4: [0.02] * 3}, 1.0, "two sizes are equally fast"),
]


def _best_size(seconds: dict, longest: float, middle=statistics.median, within=None) -> int | None:
    typical = {size: middle(runs) for size, runs in seconds.items()}
    allowed = [size for size in sorted(typical) if (within or (lambda t: t <= longest))(typical[size])]
    return max(allowed, key=lambda size: size / typical[size], default=None)


@checker("12.2")
def check_choose_batch(choose_batch) -> str:
    """``choose_batch(seconds, longest)``: the size with the highest throughput whose latency is within the limit."""

    def judge(seconds: dict, longest: float, kind: str) -> None:
        found = call(choose_batch, {size: list(runs) for size, runs in seconds.items()}, longest)
        right = _best_size(seconds, longest)
        if found is None and right is None:
            return
        if found is not None and int(found) == found == right:
            return
        case = f"{kind} ({seconds}, at most {longest} s): you return {found!r}, expected {right!r}"
        if right is None:
            raise Wrong(f"{case}. If no size is within the limit, return None: then the model has to get faster")
        if found is None:
            raise Wrong(f"{case}. Some sizes are within the limit")
        if found not in seconds:
            raise Wrong(f"{case}. Return the size of the batch, not its seconds or its throughput")
        typical = {size: statistics.median(runs) for size, runs in seconds.items()}
        if typical[found] > longest:
            raise Wrong(
                f"{case}. A batch of {found} takes {typical[found]} s: the person who asked would wait too long"
            )
        if found / typical[found] == right / typical[right]:
            raise Wrong(
                f"{case}. Where two sizes answer equally many questions, take the smaller: nobody waits longer for it"
            )
        others = {
            "The mean follows a single disturbed run; take the median": _best_size(seconds, longest, statistics.mean),
            "The slowest run is an accident; take the median": _best_size(seconds, longest, max),
            "The fastest run is an accident; take the median": _best_size(seconds, longest, min),
            "A batch may take exactly as long as the limit": _best_size(seconds, longest, within=lambda t: t < longest),
            "That batch is done first, but the question is how many are answered in a second: the size, divided by the "
            "seconds": min(typical, key=typical.get),
            "The largest batch does not answer the most: divide its size by its seconds": max(
                size for size in typical if typical[size] <= longest
            ),
        }
        for idea, size in others.items():
            if found == size:
                raise Wrong(f"{case}. {idea}")
        raise Wrong(f"{case}. Throughput is the size of a batch divided by its median seconds")

    judge_each(SPEEDS, judge, "cases")
    return f"right in all {len(SPEEDS)} cases: as fast as possible, and nobody waits too long"


def _group(kind: str, examples: int, f1: float, low: float, high: float) -> dict:
    return {"kind": kind, "examples": examples, "F1": f1, "low": low, "high": high}


# (groups, F1 over all, the fewest examples that a score needs, what kind of case it is)
CARDS = [
    (
        [_group("who", 200, 88.24, 84.11, 91.93), _group("why", 60, 61.87, 50.31, 72.48), _group("when", 140, 86.02, 80.6, 90.9)],
        84.0, 30, "one kind is clearly worse",
    ),
    (
        [_group("where", 50, 80.13, 70.02, 89.51), _group("how", 90, 66.49, 57.24, 75.06)],
        82.0, 30, "one kind is lower, but its interval reaches the overall score",
    ),
    (
        [_group("how", 80, 70.32, 61.96, 77.77), _group("why", 40, 52.61, 39.88, 65.43), _group("who", 300, 90.04, 87.12, 92.66)],
        85.0, 30, "two kinds are worse",
    ),
    (
        [_group("whose", 4, 25.36, 2.47, 50.18), _group("what", 400, 83.71, 80.42, 86.89), _group("whom", 3, 100.0, 100.0, 100.0)],
        83.0, 30, "some kinds have few examples",
    ),
    ([_group("what", 30, 60.18, 45.27, 74.12), _group("who", 500, 86.43, 83.9, 88.8)], 85.0, 30, "a kind has just enough examples"),
    ([_group("who", 200, 84.52, 79.77, 88.86)], 84.0, 30, "nothing is worse"),
    (
        [_group("whom", 5, 41.0, 20.3, 63.7), _group("why", 70, 58.14, 47.52, 68.9), _group("what", 300, 86.2, 83.1, 89.3)],
        84.0, 30, "one kind is worse, and one has few examples",
    ),
    ([_group("how", 120, 75.31, 66.42, 83.0)], 83.0, 30, "an interval ends at the overall score, and so is not below it"),
]  # fmt: skip


def _says(number: float, line: str) -> bool:
    return re.search(rf"(?<![\d.]){number:.1f}(?![\d])", line) is not None


@checker("12.3")
def check_limits(limits) -> str:
    """``limits(groups, overall, fewest)``: the lines of a card's section on limits, from the scores by kind."""

    def judge(groups: list[dict], overall: float, fewest: int, kind: str) -> None:
        found = call(limits, [dict(group) for group in groups], overall, fewest)
        if isinstance(found, str):
            raise Wrong("you return one text; return a list with a line for each kind that belongs into the section")
        lines = list(found)
        if any(not isinstance(line, str) for line in lines):
            raise Wrong(f"{kind}: the list should contain lines of text, one for each kind that belongs there")
        few = [group for group in groups if group["examples"] < fewest]
        enough = [group for group in groups if group["examples"] >= fewest]
        worse = sorted((g for g in enough if g["high"] < overall), key=lambda g: g["F1"])
        about = {g["kind"]: [line for line in lines if re.search(rf"\b{g['kind']}\b", line)] for g in groups}
        for group in groups:
            name, said = group["kind"], about[group["kind"]]
            if len(said) > 1:
                raise Wrong(f"{kind}: {len(said)} lines are about {name!r}; one is enough")
            if group in few:
                if not said:
                    raise Wrong(f"{kind}: {name!r} has {group['examples']} examples, and no line says so. Readers must learn "
                                "what was hardly tested")  # fmt: skip
                if any(_says(group[part], said[0]) for part in ("F1", "low", "high")):
                    raise Wrong(f"{kind}: {name!r} has only {group['examples']} examples, and your line gives a score: "
                                "say that there are too few, and leave the score out")  # fmt: skip
                if not re.search(rf"\b{group['examples']}\b", said[0]):
                    raise Wrong(f"{kind}: say how few examples {name!r} has: {group['examples']}")
            elif group not in worse:
                if said and group["F1"] < overall:
                    raise Wrong(f"{kind}: {name!r} is lower, but its interval reaches up to {group['high']:.1f} and the overall F1 "
                                f"is {overall:.1f}: that may be chance, so it is no known limit")  # fmt: skip
                if said:
                    raise Wrong(f"{kind}: {name!r} is no worse than the whole; the section is about limits")
            elif not said:
                raise Wrong(f"{kind}: {name!r} has {group['examples']} examples, and its whole interval, up to {group['high']:.1f}, "
                            f"lies below the overall F1 of {overall:.1f}; it has no line")  # fmt: skip
            else:
                if not _says(group["F1"], said[0]):
                    otherwise = any(form.format(group["F1"]) in said[0] for form in ("{:.0f}", "{:.2f}", "{}"))
                    how = "gives its F1 otherwise than" if otherwise else "lacks its F1"
                    raise Wrong(f"{kind}: the line about {name!r} {how} with one decimal, {group['F1']:.1f}")
                if not (_says(group["low"], said[0]) and _says(group["high"], said[0])):
                    raise Wrong(f"{kind}: the line about {name!r} lacks its interval, {group['low']:.1f} to {group['high']:.1f}: "
                                "without it nobody knows how sure the score is")  # fmt: skip
                if not re.search(rf"\b{group['examples']}\b", said[0]):
                    raise Wrong(f"{kind}: the line about {name!r} lacks the number of examples, {group['examples']}")
        if len(lines) > len(worse) + len(few):
            raise Wrong(
                f"{kind}: you return {len(lines)} lines, and {len(worse) + len(few)} belong into the section; add no others"
            )
        order, rest = ([about[group["kind"]][0] for group in part] for part in (worse, few))
        if lines[: len(order)] != order or set(lines[len(order) :]) != set(rest):
            raise Wrong(
                f"{kind}: the right lines in another order: the lowest F1 first, then those with too few examples"
            )

    judge_each(CARDS, judge, "cards")
    return f"right on all {len(CARDS)} cards: whoever reads yours knows when not to use the model"
