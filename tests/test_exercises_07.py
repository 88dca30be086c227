"""Answers to the exercises of lesson 07, right and wrong (``test_exercises.py`` tries them)."""

import math
import random

import numpy as np
import pytest
from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson07


def places(overlap=None, combine=max, empty=True, measure=None):
    """An F1 of places with one part exchanged."""

    def plain_overlap(p, a):
        return max(0, min(p[1], a[1]) - max(p[0], a[0]))

    def f1(p, a):
        return 2 * (overlap or plain_overlap)(p, a) / (p[1] - p[0] + a[1] - a[0])

    def solution(prediction, answers):
        if empty and (not answers or prediction == (0, 0)):
            return float(not answers and prediction == (0, 0))
        return combine([(measure or f1)(prediction, answer) for answer in answers])

    return solution


def places_by_sets(prediction, answers):
    """Another way: sets of characters, precision and recall written out."""
    mine, best = set(range(*prediction)), 0.0
    if not answers:
        return 0.0 if mine else 1.0
    for answer in answers:
        theirs = set(range(*answer))
        both = len(mine & theirs)
        if both:
            precision, recall = both / len(mine), both / len(theirs)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def of_merged(merge):
    """An F1 with the one answer that ``merge`` makes of several, as a set of characters."""

    def solution(prediction, answers):
        if not answers or prediction == (0, 0):
            return float(not answers and prediction == (0, 0))
        mine, theirs = set(range(*prediction)), merge(answers)
        return 2 * len(mine & theirs) / (len(mine) + len(theirs))

    return solution


def of_sums(prediction, answers):
    if not answers or prediction == (0, 0):
        return float(not answers and prediction == (0, 0))
    lengths = prediction[1] - prediction[0] + sum(end - start for start, end in answers)
    return 2 * sum(common(prediction, answer) for answer in answers) / lengths


def from_two_answers(prediction, answers):
    if not answers or prediction == (0, 0):
        return float(not answers and prediction == (0, 0))
    shared = [common(prediction, answer) for answer in answers]
    precision = max(shared) / (prediction[1] - prediction[0])
    recall = max(s / (end - start) for s, (start, end) in zip(shared, answers))
    return 2 * precision * recall / (precision + recall) if precision else 0.0


def union(answers):
    return set().union(*(range(*answer) for answer in answers))


def common(p, a):
    return max(0, min(p[1], a[1]) - max(p[0], a[0]))


@answers("7.1")
def f1_of_places_answers():
    return Answers(
        right=[places(), places_by_sets, lambda *given: np.float32(places()(*given))],
        wrong={
            "the best of all of them counts": places(combine=lambda values: values[0]),
            "You merge the answers": of_merged(union),
            "your recall that of another": from_two_answers,
            "the mean over the answers": places(combine=lambda values: sum(values) / len(values)),
            "not less": places(overlap=lambda p, a: min(p[1], a[1]) - max(p[0], a[0])),
            "The end is not included": places(
                measure=lambda p, a: 2 * max(0, min(p[1], a[1]) - max(p[0], a[0]) + 1) / (p[1] - p[0] + a[1] - a[0] + 2)
            ),
            "by all characters": places(measure=lambda p, a: common(p, a) / (p[1] - p[0] + a[1] - a[0] - common(p, a))),
            "only one of precision and recall": places(measure=lambda p, a: common(p, a) / (p[1] - p[0])),
            "no characters to divide by": places(empty=False),
            "Settle the empty cases": lambda p, answers: places()(p, answers) if answers else 0.0,
        },
    )


def from_first_to_last(answers):
    return set(range(min(union(answers)), max(union(answers)) + 1))


@pytest.mark.parametrize("merged", [of_merged(from_first_to_last), of_sums])
def test_merged_answers_are_named_however_they_are_merged(merged):
    feedback = lesson07.check_f1_of_places(merged)
    assert not feedback.passed and "You merge the answers" in feedback.message


def one_pass(starts, ends, context):
    first, beyond = context
    at, best = first, (first, first)
    for end in range(first, beyond):
        if starts[end] > starts[at]:
            at = end
        if starts[at] + ends[end] > starts[best[0]] + ends[best[1]]:
            best = (at, end)
    return best


def by_running_maximum(starts, ends, context):
    starts, ends = np.array(starts[slice(*context)]), np.array(ends[slice(*context)])
    end = int((np.maximum.accumulate(starts) + ends).argmax())
    return [context[0] + int(starts[: end + 1].argmax()), context[0] + end]


def late_start(starts, ends, context):
    """Looks at the start after the end: spans of one token are never seen."""
    first, beyond = context
    at, best = first, (first, first + 1) if beyond - first > 1 else (first, first)
    for end in range(first + 1, beyond):
        if starts[at] + ends[end] > starts[best[0]] + ends[best[1]]:
            best = (at, end)
        if starts[end] > starts[at]:
            at = end
    return best


def forgets_the_start(starts, ends, context):
    """Returns the start that is best in the end, not the one that was best when the end was met."""
    found = one_pass(starts, ends, context)
    return max(range(*context), key=lambda t: starts[t]), found[1]


def limited(starts, ends, context):
    spans = [(s, e) for e in range(*context) for s in range(context[0], e + 1) if e - s < 30]
    return max(spans, key=lambda span: starts[span[0]] + ends[span[1]])


def begun_at_zero(nothing):
    def solution(starts, ends, context):
        at, best, highest = context[0], nothing, 0
        for token in range(*context):
            if starts[token] > starts[at]:
                at = token
            if starts[at] + ends[token] > highest:
                best, highest = (at, token), starts[at] + ends[token]
        return best

    return solution


def start_begun_at_zero(starts, ends, context):
    at, logit, best, highest = context[0], 0, (context[0], context[0]), -math.inf
    for token in range(*context):
        if starts[token] > logit:
            at, logit = token, starts[token]
        if starts[at] + ends[token] > highest:
            best, highest = (at, token), starts[at] + ends[token]
    return best


def greedy_start(starts, ends, context):
    start = max(range(*context), key=lambda t: starts[t])
    return start, max(range(start, context[1]), key=lambda t: ends[t])


def ties_the_other_way(starts, ends, context):
    first, beyond = context
    at, best = first, (first, first)
    for end in range(first, beyond):
        if starts[end] >= starts[at]:
            at = end
        if starts[at] + ends[end] >= starts[best[0]] + ends[best[1]]:
            best = (at, end)
    return best


@answers("7.2")
def best_span_in_one_pass_answers():
    def apart(starts, ends, context):
        inside = range(*context)
        return max(inside, key=lambda t: starts[t]), max(inside, key=lambda t: ends[t])

    def shifted(starts, ends, context):
        return tuple(place - context[0] for place in one_pass(starts, ends, context))

    def behind(*given):
        start, end = one_pass(*given)
        return start, end + 1

    return Answers(
        right=[one_pass, by_running_maximum, lambda *given: np.array(one_pass(*given))],
        wrong={
            "each on its own": apart,
            "a best score that begins at 0": begun_at_zero((0, 0)),
            "a best start logit that begins at 0": start_begun_at_zero,
            "outside the context": lambda starts, ends, _: one_pass(starts, ends, (0, len(starts))),
            "may be one token long": late_start,
            "when you met the end": forgets_the_start,
            "the best start or the best end first": greedy_start,
            "equally good": ties_the_other_way,
            "not the one behind it": behind,
            "from the beginning of the window": shifted,
            "a start and an end are wanted": lambda *given: (*one_pass(*given), 0),
        },
    )


@pytest.mark.parametrize("nothing", [None, (None, None), [0, 0], (-1, -1), np.zeros(2, dtype=int)])
def test_a_best_score_that_begins_at_zero_is_named(nothing):
    feedback = lesson07.check_best_span_in_one_pass(begun_at_zero(nothing))
    assert not feedback.passed and "All sums are negative" in feedback.message


def test_more_of_best_span_in_one_pass():
    assert not lesson07.check_best_span_in_one_pass(limited).passed


def test_the_two_ways_of_one_pass_agree_with_the_checkers_search():
    chance = random.Random(3)
    for _ in range(300):
        n = chance.randint(1, 9)
        starts, ends = ([chance.randint(-3, 3) for _ in range(n)] for _ in range(2))
        first = chance.randrange(n)
        context = (first, chance.randint(first + 1, n))
        spans = lesson07._all_spans(starts, ends, context)
        expected = lesson07._best(spans, starts, ends)
        assert one_pass(starts, ends, context) == expected == tuple(by_running_maximum(starts, ends, context))


def cuts(probabilities, right, wanted, strict=False, order=min, at_least=True):
    found = []
    for cut in set(probabilities):
        kept = [r for p, r in zip(probabilities, right) if (p >= cut if at_least else p > cut)]
        share = sum(kept) / len(kept) if kept else 0.0
        if share > wanted or (not strict and share == wanted):
            found.append(cut)
    return order(found) if found else None


def sure_by_sorting(probabilities, right, wanted):
    ordered = sorted(zip(probabilities, right), reverse=True)
    cut, total = None, 0
    for k, (p, r) in enumerate(ordered):
        total += r
        last_of_its_kind = k + 1 == len(ordered) or ordered[k + 1][0] < p
        if last_of_its_kind and total >= wanted * (k + 1):
            cut = p
    return cut


def stops_early(probabilities, right, wanted):
    ordered = sorted(zip(probabilities, right), reverse=True)
    cut, total = None, 0
    for k, (p, r) in enumerate(ordered):
        total += r
        if k + 1 < len(ordered) and ordered[k + 1][0] == p:
            continue
        if total < wanted * (k + 1):
            break
        cut = p
    return cut


def splits_ties(probabilities, right, wanted):
    ordered = sorted(zip(probabilities, right), reverse=True)
    cut, total = None, 0
    for k, (p, r) in enumerate(ordered):
        total += r
        if total >= wanted * (k + 1):
            cut = p
    return cut


def unsorted(probabilities, right, wanted):
    cut, total = None, 0
    for k, (p, r) in enumerate(zip(probabilities, right)):
        total += r
        if total >= wanted * (k + 1):
            cut = p
    return cut


@answers("7.3")
def sure_enough_answers():
    return Answers(
        right=[cuts, sure_by_sorting],
        wrong={
            "the highest; the lowest answers more": lambda *given: cuts(*given, order=max),
            "rises again": stops_early,
            "all of them are kept": splits_ties,
            "exactly the share wanted": lambda *given: cuts(*given, strict=True),
            "none to return": lambda *given: cuts(*given) or max(given[0]),
            "which is not enough": lambda *given: cuts(*given, at_least=False),
            "One of the probabilities": lambda p, r, w: (cuts(p, r, w) or 0) - 0.01,
        },
    )


def test_more_of_sure_enough():
    feedback = lesson07.check_sure_enough(unsorted)
    assert not feedback.passed and feedback.share < 0.7
    assert "go on" in lesson07.check_sure_enough(lambda p, r, w: cuts(p, r, w) if r[0] or sum(r) == 0 else (
        cuts(p, r, w) if r == [0, 1, 1, 1] else None)).message  # fmt: skip
