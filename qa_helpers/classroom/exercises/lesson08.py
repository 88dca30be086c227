"""Lesson 08, BERT and friends: counting shared parameters once, judging seeds, DeBERTa's table of distances."""

import torch

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly


@checker("8.1")
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
            raise Wrong(f"{case}. You count tensors; the numbers in them are wanted, tensor.numel()")
        if found == sum(len(tensor) for tensor in tensors):
            raise Wrong(f"{case}. len(tensor) counts rows only; tensor.numel() counts all its numbers")
        if kind == "a tensor that is there twice" and found == sum(tensor.numel() for tensor in tensors):
            raise Wrong(f"{case}. The same memory is counted more than once; keep the data_ptr() you have seen")
        if kind == "two tensors of one shape":
            raise Wrong(f"{case}. They are alike in shape only; each has memory of its own")
        if kind == "two tensors of equal numbers":
            raise Wrong(f"{case}. They hold equal numbers, but each has memory of its own")
        raise Wrong(f"{case}. Two objects can stand for one memory; data_ptr() tells where it begins")

    judge_each(cases, judge, "lists")
    return "right: every memory once, whatever its shape, its numbers and its names"


@checker("8.2")
def check_verdict(verdict) -> str:
    """``verdict(first, second)``: "first", "second" or "undecided", from the scores of several seeds each."""
    cases = [  # scores of two families, verdict, what is special about them
        ([80.0, 82.0, 81.0], [70.0, 72.0, 71.0], "first", "apart"),
        ([70.0, 72.0, 71.0], [80.0, 82.0, 81.0], "second", "apart"),
        ([80.0, 76.0, 84.0], [78.0, 75.0, 77.0], "undecided", "overlapping"),
        ([75.0, 77.0, 76.0], [74.0, 80.0, 82.0], "undecided", "overlapping"),
        ([81.0, 79.0, 80.0], [60.0, 90.0, 60.0], "undecided", "one within the other"),
        ([82.0, 84.0], [78.0, 80.0, 82.0], "undecided", "touching"),
        ([82.5, 84.0], [78.0, 80.0, 82.0, 81.0], "first", "of different number"),
        ([79.0], [78.0], "undecided", "single"),
        ([90.0], [70.0, 71.0], "undecided", "single"),
    ]
    verdicts = call_each(verdict, [(list(first), list(second)) for first, second, *_ in cases])
    good = [given == case[2] for given, case in zip(verdicts, cases)]
    complain_of_errors(verdicts, good, lambda k: f"{cases[k][0]} against {cases[k][1]}", "pairs")
    means = [_by(lambda scores: sum(scores) / len(scores), first, second) for first, second, *_ in cases]
    tops = [_by(max, first, second) for first, second, *_ in cases]
    firsts = [_by(lambda scores: scores[0], first, second) for first, second, *_ in cases]
    for given, (first, second, right, kind) in zip(verdicts, cases):
        if given == right:
            continue
        case = f"{first} against {second}: you say {given!r}, but it is {right!r}"
        if given not in ("first", "second", "undecided"):
            raise partly(f"you return {given!r}; one of the words first, second, undecided is wanted", good, "pairs")
        if kind == "apart":
            raise partly(
                f"{case}. Every score of one is above every score of the other, and higher is better", good, "pairs"
            )
        if kind == "of different number":
            raise partly(f"{case}. The two need not have the same number of seeds", good, "pairs")
        for guesses, what in ((means, "the means"), (tops, "the best runs"), (firsts, "one run of each")):
            if verdicts == guesses:
                raise partly(
                    f"{case}. You compare {what}; the spread of the seeds decides whether that says much", good, "pairs"
                )
        if kind == "single":
            raise partly(f"{case}. One run says nothing about spread; ask for two of each at least", good, "pairs")
        if kind == "touching":
            raise partly(f"{case}. The worst of one is only as good as the best of the other", good, "pairs")
        raise partly(f"{case}. The ranges overlap, so another seed could turn the order round", good, "pairs")
    return "right: decided only where no seed of the one reaches the other"


def _by(measure, first: list[float], second: list[float]) -> str:
    a, b = measure(first), measure(second)
    return "undecided" if a == b else "first" if a > b else "second"


@checker("8.3")
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
                "the distance is i - j: row i looks, column j is looked at, and what stands before is a positive distance away",
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
                "before and behind must differ, so the distance keeps its sign",
            ),
        ):
            if found == wrong:
                raise Wrong(f"{case} gave {found}: {message}", 0.3)
        row, column = next((i, j) for i in places for j in places if found[i][j] != right[i][j])
        raise Wrong(f"{case}: for i = {row}, j = {column} you give {found[row][column]}, expected {right[row][column]}")

    judge_each(cases, judge, "tables")
    return "right, for short texts and for those longer than the table"
