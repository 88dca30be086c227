"""Answers to the exercises of lesson 09, right and wrong (``test_exercises.py`` tries them)."""

import math
import statistics

import numpy as np
import torch
from exercise_checks import Answers, answers


def count_once(tensors):
    return sum({tensor.data_ptr(): tensor.numel() for tensor in tensors}.values())


def count_with_a_set(tensors):
    seen, total = set(), 0
    for tensor in tensors:
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            total += int(torch.tensor(tensor.shape).prod())
    return total


@answers("9.1")
def count_once_answers():
    return Answers(
        right=[count_once, count_with_a_set, lambda tensors: torch.tensor(count_once(tensors))],
        wrong={
            "You count tensors": lambda tensors: len({tensor.data_ptr() for tensor in tensors}),
            "counts rows only": lambda tensors: sum(len(tensor) for tensor in tensors),
            "more than once": lambda tensors: sum(tensor.numel() for tensor in tensors),
            "alike in shape only": lambda tensors: sum({t.shape: t.numel() for t in tensors}.values()),
            "equal numbers, but": lambda tensors: sum({str(t): t.numel() for t in tensors}.values()),
            "Two objects": lambda tensors: sum({id(t): t.numel() for t in tensors}.values()),
        },
    )


def difference_interval(first, second, factor):
    a, b = np.var(first, ddof=1) / len(first), np.var(second, ddof=1) / len(second)
    degrees = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1))
    half = factor(degrees) * (a + b) ** 0.5
    return np.mean(first) - np.mean(second) - half, np.mean(first) - np.mean(second) + half


def by_statistics(first, second, factor):
    parts = [(len(runs), statistics.mean(runs), statistics.variance(runs)) for runs in (first, second)]
    variances = [variance / n for n, _, variance in parts]
    degrees = sum(variances) ** 2 / sum(v**2 / (n - 1) for v, (n, _, _) in zip(variances, parts))
    middle, half = parts[0][1] - parts[1][1], factor(degrees) * math.sqrt(sum(variances))
    return [middle - half, middle + half]


def mistaken(ddof=1, divide=True, add="variances", degrees=None, sign=1):
    def interval(first, second, factor):
        a, b = (np.var(runs, ddof=ddof) / (len(runs) if divide else 1) for runs in (first, second))
        n, m = len(first), len(second)
        error = {"variances": (a + b) ** 0.5, "errors": a**0.5 + b**0.5, "no root": a + b}[add]
        welch = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
        times = 1.96 if degrees == "many" else factor(degrees(n, m) if degrees else welch)
        middle = sign * (np.mean(first) - np.mean(second))
        return middle - times * error, middle + times * error

    return interval


@answers("9.2")
def difference_interval_answers():
    return Answers(
        right=[difference_interval, by_statistics, lambda *given: torch.tensor(by_statistics(*given), dtype=torch.float64)],
        wrong={
            "second minus first": mistaken(sign=-1),
            "The lower end comes first": lambda *given: difference_interval(*given)[::-1],
            "divided by their number": mistaken(divide=False),
            "ddof=1": mistaken(ddof=0),
            "Add the variances first": mistaken(add="errors"),
            "the root of the sum of the variances": mistaken(add="no root"),
            "1.96 is too small": mistaken(degrees="many"),
            "n + m - 2": mistaken(degrees=lambda n, m: n + m - 2),
            "a cautious guess": mistaken(degrees=lambda n, m: min(n, m) - 1),
            "widens with more runs": lambda a, b, factor: (min(a) - max(b), max(a) - min(b)),
            "a pair (low, high)": lambda a, b, factor: np.mean(a) - np.mean(b),
            "The middle is right": mistaken(degrees=lambda n, m: n + m),
            "The width is right": lambda *given: [0.5 + end for end in difference_interval(*given)],
        },
    )  # fmt: skip


def distance_rows(length, span):
    return [[max(0, min(i - j + span, 2 * span - 1)) for j in range(length)] for i in range(length)]


def distance_rows_of_torch(length, span):
    places = torch.arange(length)
    return (places[:, None] - places[None, :] + span).clamp(0, 2 * span - 1)


@answers("9.3")
def distance_rows_answers():
    def changed(change):
        return lambda length, span: [[change(i - j, span) for j in range(length)] for i in range(length)]

    return Answers(
        right=[
            distance_rows,
            distance_rows_of_torch,
            lambda length, span: np.clip(np.subtract.outer(range(length), range(length)) + span, 0, 2 * span - 1),
        ],
        wrong={
            "the distance is i - j": changed(lambda d, span: max(0, min(span - d, 2 * span - 1))),
            "add the span": changed(lambda d, span: d),
            "far distances share": changed(lambda d, span: d + span),
            "one too far": changed(lambda d, span: max(0, min(d + span, 2 * span))),
            "keeps its sign": changed(lambda d, span: min(abs(d) + span, 2 * span - 1)),
            "should have 3 rows": lambda length, span: distance_rows(length + 1, span),
            "you give": changed(lambda d, span: max(1, min(d + span, 2 * span - 1))),
        },
    )
