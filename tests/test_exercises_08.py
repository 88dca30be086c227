"""Answers to the exercises of lesson 08, right and wrong (``test_exercises.py`` tries them)."""

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


@answers("8.1")
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


def verdict(first, second):
    if min(len(first), len(second)) < 2:
        return "undecided"
    if min(first) > max(second):
        return "first"
    return "second" if min(second) > max(first) else "undecided"


def verdict_pair_by_pair(first, second):
    wins = [np.sign(a - b) for a in first for b in second]
    if len(first) == 1 or len(second) == 1 or len(set(wins)) > 1:
        return "undecided"
    return {1: "first", -1: "second", 0: "undecided"}[int(wins[0])]


def by(measure):
    def verdict(first, second):
        a, b = measure(first), measure(second)
        return "first" if a > b else "second" if b > a else "undecided"

    return verdict


@answers("8.2")
def verdict_answers():
    names = {"first": "second", "second": "first", "undecided": "undecided"}
    return Answers(
        right=[verdict, verdict_pair_by_pair],
        wrong={
            "You compare the means": by(np.mean),
            "You compare the best runs": by(max),
            "You compare one run": by(lambda scores: scores[0]),
            "higher is better": lambda first, second: names[verdict(first, second)],
            "only as good as": lambda a, b: "undecided" if len(a) < 2 or len(b) < 2 else
            "first" if min(a) >= max(b) else "second" if min(b) >= max(a) else "undecided",
            "nothing about spread": lambda a, b: "first" if min(a) > max(b) else "second" if min(b) > max(a) else "undecided",
            "same number of seeds": lambda a, b: verdict(a, b) if len(a) == len(b) else "undecided",
            "one of the words": lambda a, b: min(a) > max(b),
            "ranges overlap": lambda a, b: "first" if np.mean(a) > max(b) else "second" if np.mean(b) > max(a) else "undecided",
        },
    )  # fmt: skip


def distance_rows(length, span):
    return [[max(0, min(i - j + span, 2 * span - 1)) for j in range(length)] for i in range(length)]


def distance_rows_of_torch(length, span):
    places = torch.arange(length)
    return (places[:, None] - places[None, :] + span).clamp(0, 2 * span - 1)


@answers("8.3")
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
