"""Lesson 09, BERT and friends: counting shared parameters once, the interval of a difference, DeBERTa's distances."""

import torch

from ...mini.comparison import t_factor
from . import Wrong, call, checker, judge_each


@checker("9.1")
def check_count_once(count_once) -> str:
    """``count_once(tensors)``: how many numbers they hold, those in the same memory counted once."""
    first, second, bias = torch.ones(4, 3), torch.zeros(4, 3), torch.zeros(4)
    other_bias = torch.zeros(4)
    cases = [  # tensors, how many numbers, what is special about them
        ([first], 12, "one tensor"),
        ([first, bias], 16, "two tensors"),
        ([first, second], 24, "two tensors of one shape"),
        ([bias, other_bias], 8, "two tensors of equal numbers"),
        ([first, first, bias], 16, "a tensor that is there twice"),
        ([first, bias, first.detach(), first.detach()], 16, "a tensor under several names"),
        ([first, second, bias, other_bias, first.detach()], 32, "all of that together"),
    ]

    def judge(tensors, right: int, kind: str) -> None:
        found = call(count_once, list(tensors))
        if isinstance(found, torch.Tensor):
            found = found.item()
        if found == right:
            return
        case = f"{kind}: you count {found!r}, expected {right}"
        if found == len(tensors) and right != len(tensors):
            raise Wrong(f"{case}. You count tensors; count the numbers in them: tensor.numel()")
        if found == sum(len(tensor) for tensor in tensors):
            raise Wrong(f"{case}. len(tensor) counts rows only; tensor.numel() counts all its numbers")
        if kind == "a tensor that is there twice" and found == sum(tensor.numel() for tensor in tensors):
            raise Wrong(f"{case}. The same memory is counted more than once; keep the data_ptr() you have seen")
        if kind == "two tensors of one shape":
            raise Wrong(f"{case}. They are alike in shape only; each has memory of its own")
        if kind == "two tensors of equal numbers":
            raise Wrong(f"{case}. They hold equal numbers, but each has memory of its own")
        raise Wrong(f"{case}. Two objects can share one memory; data_ptr() tells where it begins")

    judge_each(cases, judge, "lists")
    return "right: every memory once, whatever its shape, its numbers and its names"


@checker("9.2")
def check_difference_interval(difference_interval) -> str:
    """``difference_interval(first, second, factor)``: (low, high), Welch's interval of the mean of first minus second."""
    cases = [  # the scores of two families, one for each seed
        ([80.0, 82.0, 81.0, 79.0, 83.0], [76.0, 78.0, 75.0, 77.0, 74.0]),
        ([76.0, 78.0, 75.0, 77.0, 74.0], [80.0, 82.0, 81.0, 79.0, 83.0]),
        ([80.0, 76.0, 84.0], [79.0, 78.0, 80.0]),
        ([82.0, 84.0], [78.0, 80.0, 79.0, 81.0, 77.0, 80.5]),
        ([70.0, 70.5, 71.0, 69.5], [60.0, 90.0, 72.0, 55.0]),
    ]

    def judge(first: list[float], second: list[float]) -> None:
        right = _interval(first, second)
        given = call(difference_interval, list(first), list(second), t_factor)
        case = f"{first} against {second}"
        if isinstance(given, (str, bytes)) or not hasattr(given, "__len__") or len(given) != 2:
            raise Wrong(f"{case}: you return {given!r}; return a pair (low, high)")
        found = tuple(float(value) for value in given)
        if _near(found, right):
            return
        case += f": you give {found[0]:.2f} to {found[1]:.2f}, expected {right[0]:.2f} to {right[1]:.2f}"
        for wrong, message in _mistakes(first, second):
            if _near(found, wrong):
                raise Wrong(f"{case}. {message}", 0.4)
        low, high = right
        if abs(sum(found) - (low + high)) < 1e-6:
            raise Wrong(f"{case}. The middle is right, the width is not", 0.3)
        if abs((found[1] - found[0]) - (high - low)) < 1e-6:
            raise Wrong(f"{case}. The width is right, the middle is not: mean of first minus mean of second", 0.3)
        raise Wrong(case)

    judge_each(cases, judge, "pairs")
    return "right: the means, their standard error, and a factor that knows how few runs there are"


def _interval(first, second, ddof=1, sign=1, mean_of=len, add="variances", degrees_of=None) -> tuple[float, float]:
    """Welch's interval; the other arguments make the usual mistakes in it."""
    a, b = (_variance(runs, ddof) / mean_of(runs) for runs in (first, second))
    error = (a + b) ** 0.5 if add == "variances" else a**0.5 + b**0.5 if add == "errors" else a + b
    if degrees_of is None:
        degrees = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    else:
        degrees = degrees_of(len(first), len(second))
    difference = sign * (sum(first) / len(first) - sum(second) / len(second))
    half = (t_factor(degrees) if degrees else 1.96) * error
    return difference - half, difference + half


def _mistakes(first: list[float], second: list[float]):
    """What a usual mistake gives for two lists → what to say about it."""
    yield (
        _interval(first, second, sign=-1),
        "This is second minus first. The mean of first comes first",
    )
    low, high = _interval(first, second)
    yield (high, low), "The lower end comes first"
    yield (
        _interval(first, second, mean_of=lambda runs: 1),
        "The variance of a mean is that of the runs divided by their number",
    )
    yield (
        _interval(first, second, ddof=0),
        "The variance of a sample divides by the number of runs minus 1 (ddof=1)",
    )
    yield (
        _interval(first, second, add="errors"),
        "Add the variances first and take the root of the sum; standard errors themselves do not add up",
    )
    yield _interval(first, second, add="no root"), "The standard error is the root of the sum of the variances"
    yield _interval(first, second, degrees_of=lambda n, m: None), "With so few runs 1.96 is too small; call factor"
    yield (
        _interval(first, second, degrees_of=lambda n, m: n + m - 2),
        "n + m - 2 degrees hold if both vary alike; use Welch's formula",
    )
    yield (
        _interval(first, second, degrees_of=lambda n, m: min(n, m) - 1),
        "The smaller number minus 1 is a cautious guess at the degrees; use Welch's formula",
    )
    least, most = min(first) - max(second), max(first) - min(second)
    yield (least, most), "This is the range from the worst to the best run; it widens with more runs"


def _variance(runs: list[float], ddof: int) -> float:
    mean = sum(runs) / len(runs)
    return sum((score - mean) ** 2 for score in runs) / (len(runs) - ddof)


def _near(found: tuple[float, float], wanted: tuple[float, float]) -> bool:
    return all(abs(a - b) < 1e-6 for a, b in zip(found, wanted))


@checker("9.3")
def check_distance_rows(distance_rows) -> str:
    """``distance_rows(length, span)``: (length, length), the row of DeBERTa's table that position i uses for j."""
    cases = [(3, 8), (5, 8), (4, 2), (9, 3), (1, 1)]

    def judge(length: int, span: int) -> None:
        places = range(length)
        right = [[max(0, min(i - j + span, 2 * span - 1)) for j in places] for i in places]
        given = call(distance_rows, length, span)
        found = [[int(x) for x in row] for row in given]
        if found == right:
            return
        case = f"distance_rows({length}, {span})"
        if len(found) != length or any(len(row) != length for row in found):
            raise Wrong(f"{case} should have {length} rows of {length} numbers")
        for wrong, message in (
            (
                [list(column) for column in zip(*right)],
                "the distance is i - j: row i looks, column j is looked at, and a token before token i is at a positive distance",
            ),
            (
                [[i - j for j in places] for i in places],
                "these are the distances; add the span, so that none is negative",
            ),
            (
                [[i - j + span for j in places] for i in places],
                f"the table has rows 0 to {2 * span - 1} only; far distances share its first and its last row",
            ),
            (
                [[max(0, min(i - j + span, 2 * span)) for j in places] for i in places],
                f"one too far: a table of {2 * span} rows ends with row {2 * span - 1}",
            ),
            (
                [[min(abs(i - j) + span, 2 * span - 1) for j in places] for i in places],
                "before and after must differ, so the distance keeps its sign",
            ),
        ):
            if found == wrong:
                raise Wrong(f"{case} gave {found}: {message}", 0.3)
        row, column = next((i, j) for i in places for j in places if found[i][j] != right[i][j])
        raise Wrong(f"{case}: for i = {row}, j = {column} you give {found[row][column]}, expected {right[row][column]}")

    judge_each(cases, judge, "tables")
    return "right, for short texts and for those longer than the table"
