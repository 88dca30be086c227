"""Answers to the exercises of lesson 08, right and wrong (``test_exercises.py`` tries them)."""

import random

from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson08


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


def common(p, a):
    return max(0, min(p[1], a[1]) - max(p[0], a[0]))


def merged(prediction, answers):
    if not answers or prediction == (0, 0):
        return places()(prediction, answers)
    mine, theirs = set(range(*prediction)), set().union(*(range(*answer) for answer in answers))
    return 2 * len(mine & theirs) / (len(mine) + len(theirs))


def mixed(prediction, answers):
    """The best precision and the best recall, of different answers."""
    if not answers or prediction == (0, 0):
        return places()(prediction, answers)
    precision = max(common(prediction, a) / (prediction[1] - prediction[0]) for a in answers)
    recall = max(common(prediction, a) / (a[1] - a[0]) for a in answers)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def plain_mean(p, a):
    return (common(p, a) / (p[1] - p[0]) + common(p, a) / (a[1] - a[0])) / 2


def divides(p, a):
    precision, recall = common(p, a) / (p[1] - p[0]), common(p, a) / (a[1] - a[0])
    return 2 * precision * recall / (precision + recall)


@answers("8.1")
def f1_of_places_answers():
    return Answers(
        right=[places(), places_by_sets],
        wrong={
            "the best of all of them counts": places(combine=lambda values: values[0]),
            "the mean over the answers": places(combine=lambda values: sum(values) / len(values)),
            "not less": places(overlap=lambda p, a: min(p[1], a[1]) - max(p[0], a[0])),
            "The end is exclusive": places(
                measure=lambda p, a: 2 * max(0, min(p[1], a[1]) - max(p[0], a[0]) + 1) / (p[1] - p[0] + a[1] - a[0] + 2)
            ),
            "divided by all characters": places(
                measure=lambda p, a: common(p, a) / (p[1] - p[0] + a[1] - a[0] - common(p, a))
            ),
            "only one of precision and recall": places(measure=lambda p, a: common(p, a) / (p[1] - p[0])),
            "no characters to divide by": places(empty=False),
            "the characters of all answers together": merged,
            "one and the same answer": mixed,
            "not a percentage": lambda p, answers: 100 * places()(p, answers),
            "the plain mean of precision and recall": places(measure=plain_mean),
            "divides by 0": places(measure=divides),
            "Settle the empty cases": lambda p, answers: places()(p, answers) if answers else 0.0,
        },
    )


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
    import numpy as np

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


def from_zero(starts, ends, context):
    first, beyond = context
    at, best, score = first, (first, first), 0
    for end in range(first, beyond):
        if starts[end] > starts[at]:
            at = end
        if starts[at] + ends[end] > score:
            at_best, score = at, starts[at] + ends[end]
            best = (at_best, end)
    return best


def start_from_zero(starts, ends, context):
    first, beyond = context
    at, highest, best, score = first, 0, (first, first), float("-inf")
    for end in range(first, beyond):
        if starts[end] > highest:
            at, highest = end, starts[end]
        if starts[at] + ends[end] > score:
            best, score = (at, end), starts[at] + ends[end]
    return best


def two_loops(starts, ends, context):
    best, score = None, float("-inf")
    for end in range(*context):
        for start in range(context[0], end + 1):
            if starts[start] + ends[end] > score:
                best, score = (start, end), starts[start] + ends[end]
    return best


def highest_before(starts, ends, context):
    first, beyond = context
    best = max(range(first, beyond), key=lambda end: max(starts[first : end + 1]) + ends[end])
    return starts.index(max(starts[first : best + 1]), first), best


def later_start(starts, ends, context):
    first, beyond = context
    at, best = first, (first, first)
    for end in range(first, beyond):
        if starts[end] >= starts[at]:
            at = end
        if starts[at] + ends[end] > starts[best[0]] + ends[best[1]]:
            best = (at, end)
    return best


@answers("8.2")
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
        right=[one_pass, by_running_maximum],
        wrong={
            "each on its own": apart,
            "outside the context": lambda starts, ends, _: one_pass(starts, ends, (0, len(starts))),
            "the best score, or the best start, begin with 0": from_zero,
            "begin with 0": start_from_zero,
            "go over the tokens once": two_loops,
            "remember the best start so far": highest_before,
            "of these the one that starts first": later_start,
            "may be one token long": late_start,
            "when you reached the end": forgets_the_start,
            "the best start or the best end first": greedy_start,
            "equally good": ties_the_other_way,
            "not one past it": behind,
            "from the beginning of the window": shifted,
            "return two, a start and an end": lambda *given: (*one_pass(*given), 0),
        },
    )


def test_more_of_best_span_in_one_pass():
    assert not lesson08.check_best_span_in_one_pass(limited).passed


def test_the_two_ways_of_one_pass_agree_with_the_checkers_search():
    chance = random.Random(3)
    for _ in range(300):
        n = chance.randint(1, 9)
        starts, ends = ([chance.randint(-3, 3) for _ in range(n)] for _ in range(2))
        first = chance.randrange(n)
        context = (first, chance.randint(first + 1, n))
        spans = lesson08._all_spans(starts, ends, context)
        expected = lesson08._best(spans, starts, ends)
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


def one_probability(probabilities, right, wanted):
    good = []
    for cut in set(probabilities):
        own = [r for p, r in zip(probabilities, right) if p == cut]
        good += [cut] * (sum(own) >= wanted * len(own))
    return min(good, default=None)


def share_of_all(probabilities, right, wanted):
    good = []
    for cut in set(probabilities):
        kept = [r for p, r in zip(probabilities, right) if p >= cut]
        good += [cut] * (sum(kept) >= wanted * len(right))
    return min(good, default=None)


def sorts_in_place(probabilities, right, wanted):
    found = cuts(probabilities, right, wanted)
    probabilities.sort()
    return found


@answers("8.3")
def sure_enough_answers():
    return Answers(
        right=[cuts, sure_by_sorting],
        wrong={
            "the highest such cut; the lowest answers more": lambda *given: cuts(*given, order=max),
            "rises again": stops_early,
            "all of them are kept": splits_ties,
            "exactly, and that is enough": lambda *given: cuts(*given, strict=True),
            "so return None": lambda *given: cuts(*given) or max(given[0]),
            "sort them by probability": unsorted,
            "not only those of one probability": one_probability,
            "not to all questions": share_of_all,
            "test with `is None`": lambda *given: cuts(*given) or None,
            "sort copies": sorts_in_place,
            "which is not enough": lambda *given: cuts(*given, at_least=False),
            "Return one of the given": lambda p, r, w: (cuts(p, r, w) or 0) - 0.01,
        },
    )


def test_more_of_sure_enough():
    feedback = lesson08.check_sure_enough(unsorted)
    assert not feedback.passed and feedback.share < 0.75
    assert "do not stop" in lesson08.check_sure_enough(lambda p, r, w: cuts(p, r, w) if r[0] or sum(r) == 0 else (
        cuts(p, r, w) if r == [0, 1, 1, 1] else None)).message  # fmt: skip
