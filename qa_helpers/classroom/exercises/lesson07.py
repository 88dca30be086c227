"""Lesson 07, evaluation: F1 of places, the best span in one pass, a cut for being sure enough."""

import math

from . import Wrong, call, checker, judge_each, never_improved


def _overlap(prediction, answer) -> int:
    return max(0, min(prediction[1], answer[1]) - max(prediction[0], answer[0]))


def _f1(prediction, answer) -> float:
    return 2 * _overlap(prediction, answer) / (prediction[1] - prediction[0] + answer[1] - answer[0])


def _f1_of_places(prediction, answers) -> float:
    if not answers or prediction == (0, 0):
        return float(not answers and prediction == (0, 0))
    return max(_f1(prediction, answer) for answer in answers)


# (prediction, answers, what kind of case it is)
PLACES = [
    ((10, 20), [(10, 20)], "the prediction is the answer"),
    ((10, 20), [(15, 35)], "they share 5 characters"),
    ((0, 8), [(2, 4)], "the answer lies inside the prediction, which begins at character 0"),
    ((10, 20), [(30, 40)], "they share nothing"),
    ((10, 20), [(20, 30)], "they touch and share nothing"),
    ((40, 44), [(10, 20)], "the prediction lies far behind the answer"),
    ((10, 20), [(30, 40), (12, 20), (15, 18)], "the second of three answers fits best"),
    ((5, 9), [(5, 9), (100, 190)], "the first of two answers is met exactly"),
    ((10, 20), [(10, 40), (10, 12)], "one answer is longer than the prediction, the other shorter"),
    ((0, 0), [(3, 7)], "nothing was predicted, and there is an answer"),
    ((3, 7), [], "something was predicted, and there is no answer"),
    ((0, 0), [], "nothing was predicted, and there is no answer"),
]


def _merged(prediction, answers) -> tuple[float, float, float]:
    """What comes out if the answers are one: their union, all from the first start to the last end, or their sums."""
    mine, theirs = set(range(*prediction)), set().union(*(range(*answer) for answer in answers))
    whole = min(start for start, _ in answers), max(end for _, end in answers)
    sums = sum(_overlap(prediction, answer) for answer in answers), sum(end - start for start, end in answers)
    return (
        2 * len(mine & theirs) / (len(mine) + len(theirs)),
        _f1(prediction, whole),
        2 * sums[0] / (len(mine) + sums[1]),
    )


@checker("7.1")
def check_f1_of_places(f1_of_places) -> str:
    """``f1_of_places(prediction, answers)``: F1 of character positions, best over the answers."""

    def judge(prediction, answers, kind: str) -> None:
        right = _f1_of_places(prediction, answers)
        case = f"{kind} (prediction {prediction}, answers {answers})"
        try:
            found = call(f1_of_places, prediction, list(answers))
        except (ZeroDivisionError, ValueError, IndexError) as error:
            hint = (
                "no characters to divide by, or no answers to take the best of"
                if not answers or prediction == (0, 0)
                else "look at that case alone"
            )
            raise Wrong(f"{case}: your code raised {type(error).__name__}: {hint}") from error
        found = float(found)
        if math.isclose(found, right, abs_tol=1e-6):
            return
        case = f"{case}: you return {found:.3f}, expected {right:.3f}"
        if not answers or prediction == (0, 0):
            raise Wrong(f"{case}. Settle the empty cases first: both empty is 1.0, one of them 0.0")
        if found < 0 or found > 1:
            raise Wrong(f"{case}. A share lies in 0..1: no common characters is 0, not less")
        size, sizes = prediction[1] - prediction[0], [b - a for a, b in answers]
        common = [_overlap(prediction, answer) for answer in answers]

        def is_any(*values, found=found) -> bool:
            return any(math.isclose(found, value, abs_tol=1e-6) for value in values)

        if len(answers) > 1:
            each = [_f1(prediction, answer) for answer in answers]
            if is_any(each[0], each[-1]):
                raise Wrong(f"{case}. That is one of the answers; the best of all of them counts")
            if is_any(sum(each) / len(each)):
                raise Wrong(f"{case}. That is the mean over the answers; the best one counts")
            if is_any(*_merged(prediction, answers)):
                raise Wrong(f"{case}. You merge the answers into one; compare with each of them alone, the best counts")
            precision, recall = max(common) / size, max(c / s for c, s in zip(common, sizes))
            if precision and is_any(2 * precision * recall / (precision + recall)):
                raise Wrong(f"{case}. Your precision is that of one answer, your recall that of another")
        if is_any(common[0] / (size + sizes[0] - common[0])):
            raise Wrong(f"{case}. That is common characters by all characters; F1 is 2·P·R / (P + R)")
        if is_any(common[0] / size, common[0] / sizes[0], common[0] / max(size, sizes[0])):
            raise Wrong(f"{case}. That is only one of precision and recall; F1 needs both")
        if is_any(2 * (common[0] + 1) / (size + sizes[0] + 2), 2 * common[0] / (size + sizes[0] + 2)) or (
            not any(common) and found
        ):
            raise Wrong(f"{case}. The end is not included: (10, 20) has 10 characters, and (20, 30) none of them")
        raise Wrong(case)

    judge_each(PLACES, judge, "cases")
    return "right: places instead of words, the best answer, and the empty cases"


# (starts, ends, context)
PASSES = [
    ([0, 3, 1, 0], [0, 0, 5, 1], (0, 4)),
    ([9, 1, 4, 2, 9], [9, 0, 1, 3, 9], (1, 4)),
    ([0, 2, 8, 1, 0], [0, 6, 5, 1, 3], (0, 5)),
    ([-9, 0, 5, 9, 0], [10, 0, 8, 0, 0], (0, 5)),
    ([2, 1, 9, 0, 3], [1, 9, 0, 0, 4], (0, 5)),
    ([5, 0, 5, 0], [0, 3, 0, 3], (0, 4)),
    ([-7, -3, -9, -4], [-8, -9, -2, -5], (0, 4)),
    ([0, 0, 0, 6, 0, 0], [0, 0, 0, 6, 0, 0], (3, 4)),
    ([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
     [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0],
     (0, 36)),
]  # fmt: skip


def _all_spans(starts, ends, context):
    first, beyond = context
    return [(s, e) for e in range(first, beyond) for s in range(first, e + 1)]


def _best(spans, starts, ends):
    return max(spans, key=lambda span: starts[span[0]] + ends[span[1]])  # the first of several


@checker("7.2")
def check_best_span_in_one_pass(best_span_in_one_pass) -> str:
    """``best_span_in_one_pass(starts, ends, context)``: tokens (start, end) of the best span, end included."""

    def judge(starts, ends, context) -> None:
        first, beyond = context
        right = _best(_all_spans(starts, ends, context), starts, ends)
        found = call(best_span_in_one_pass, list(starts), list(ends), context)
        window = f"starts {starts}, ends {ends}, context {context}"
        found = found if found is None else tuple(found)
        if starts[right[0]] + ends[right[1]] < 0 and never_improved(found, first):
            raise Wrong(
                f"{window}: you return {found}. All sums are negative here, so a best score that begins at 0 is never beaten: begin with the "
                "first span's, or with minus infinity"
            )
        found = tuple(int(place) for place in found)
        if found == right:
            return
        if len(found) != 2:
            raise Wrong(f"you return {len(found)} numbers; a start and an end are wanted")
        case = f"{window}: you return {found}, expected {right}"
        if max(starts[first:beyond]) < 0 and found[0] == first:
            raise Wrong(
                f"{case}. All starts are negative here, so a best start logit that begins at 0 is never beaten: begin with "
                "the context's first token"
            )
        inside = range(first, beyond)
        top = max(inside, key=lambda t: starts[t]), max(inside, key=lambda t: ends[t])
        if found == (right[0], right[1] + 1):
            raise Wrong(f"{case}. The end is the span's last token, not the one behind it")
        if first and found == (right[0] - first, right[1] - first):
            raise Wrong(f"{case}. Count tokens from the beginning of the window, not of the context")
        if not (first <= found[0] < beyond and first <= found[1] < beyond):
            raise Wrong(f"{case}. That is outside the context; walk from its first token to its last")
        if found[1] < found[0]:
            if found == top:
                raise Wrong(f"{case}. That is the best start and the best end, each on its own: it runs backwards")
            raise Wrong(f"{case}. It ends before it starts. Keep the start that was best when you met the end")
        longer = [span for span in _all_spans(starts, ends, context) if span[0] < span[1]]
        if longer and right[0] == right[1] and found == _best(longer, starts, ends):
            raise Wrong(f"{case}. A span may be one token long: look at the start before the end")
        if starts[found[0]] + ends[found[1]] == starts[right[0]] + ends[right[1]]:
            raise Wrong(
                f"{case}. Both are equally good; the one that ends first is wanted, then the one that starts first"
            )
        if found[0] == top[0] or found[1] == top[1]:
            raise Wrong(f"{case}. You fix the best start or the best end first; only their sum decides")
        raise Wrong(case)

    judge_each(PASSES, judge, "windows")
    return f"right on all {len(PASSES)} windows, with one look at each token"


# (probabilities, right, wanted)
CUTS = [
    ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], 1.0),
    ([0.6, 0.9, 0.7, 0.8], [0, 1, 1, 1], 0.75),
    ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 0, 1, 1, 0], 0.75),
    ([0.9, 0.8, 0.8, 0.8], [1, 1, 0, 0], 0.6),
    ([0.5, 0.5, 0.5, 0.4], [1, 1, 0, 0], 0.6),
    ([0.9, 0.8], [0, 0], 0.5),
    ([0.9, 0.8, 0.7], [0, 1, 1], 0.6),
    ([0.3, 0.2], [1, 1], 0.9),
    ([0.2, 0.5, 0.9, 0.4], [0, 0, 1, 1], 1.0),
]


def _cuts(probabilities, right, wanted) -> list[float]:
    """All cuts that do, ascending."""
    found = []
    for cut in sorted(set(probabilities)):
        above = [r for p, r in zip(probabilities, right) if p >= cut]
        if sum(above) >= wanted * len(above):
            found.append(cut)
    return found


@checker("7.3")
def check_sure_enough(sure_enough) -> str:
    """``sure_enough(probabilities, right, wanted)``: the lowest probability that keeps the share right, or None."""

    def judge(probabilities, right, wanted: float) -> None:
        cuts = _cuts(probabilities, right, wanted)
        expected = cuts[0] if cuts else None
        found = call(sure_enough, list(probabilities), list(right), wanted)
        if found == expected:
            return
        case = f"probabilities {probabilities}, right {right}, wanted {wanted}: you return {found}, expected {expected}"
        if expected is None:
            raise Wrong(f"{case}. No cut keeps the share, so there is none to return")
        if found is None:
            ordered = sorted(zip(probabilities, right), reverse=True)
            if not ordered[0][1]:
                raise Wrong(f"{case}. The surest answer is wrong, but further down the share is high enough: go on")
            raise Wrong(f"{case}. That cut keeps exactly the share wanted, or more")
        if found not in probabilities:
            raise Wrong(f"{case}. One of the probabilities is wanted")
        if len(cuts) > 1 and found == cuts[-1]:
            raise Wrong(f"{case}. That cut does, but it is the highest; the lowest answers more questions")
        if found in cuts:
            raise Wrong(f"{case}. The share sinks below what is wanted and rises again further down: try every cut")
        above = [r for p, r in zip(probabilities, right) if p >= found]
        if probabilities.count(found) > 1:
            raise Wrong(
                f"{case}. {probabilities.count(found)} answers have the probability {found}, and all of them are kept: "
                f"{sum(above)} of {len(above)} right"
            )
        raise Wrong(f"{case}. From {found} on {sum(above)} of {len(above)} are right, which is not enough")

    judge_each(CUTS, judge, "lists")
    return "right: the lowest cut that keeps its promise"
