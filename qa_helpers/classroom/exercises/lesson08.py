"""Lesson 08, evaluation: F1 of places, the best span in one pass, a cut for being sure enough."""

import math

from . import Wrong, call, checker, judge_each


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
    ((10, 20), [(14, 36)], "they share 6 characters"),
    ((0, 8), [(2, 4)], "the answer lies inside the prediction, which begins at character 0"),
    ((10, 20), [(30, 40)], "they share nothing"),
    ((10, 20), [(20, 30)], "they are adjacent and share nothing"),
    ((40, 44), [(10, 20)], "the prediction lies far after the answer"),
    ((10, 20), [(30, 40), (12, 20), (15, 18)], "the second of three answers fits best"),
    ((10, 20), [(10, 40), (12, 14)], "one answer is wider than the prediction, the other lies inside it"),
    ((5, 9), [(5, 9), (100, 190)], "the first of two answers is matched exactly"),
    ((0, 0), [(3, 7)], "nothing was predicted, and there is an answer"),
    ((3, 7), [], "something was predicted, and there is no answer"),
    ((0, 0), [], "nothing was predicted, and there is no answer"),
]


@checker("8.1")
def check_f1_of_places(f1_of_places) -> str:
    """``f1_of_places(prediction, answers)``: F1 of character positions, best over the answers."""

    def judge(prediction, answers, kind: str) -> None:
        right = _f1_of_places(prediction, answers)
        case = f"{kind} (prediction {prediction}, answers {answers})"
        try:
            found = call(f1_of_places, prediction, list(answers))
        except (ZeroDivisionError, ValueError, IndexError) as error:
            hint = (
                "there are no characters to divide by, or no answers to take the best of"
                if not answers or prediction == (0, 0)
                else "without common characters P and R are both 0, and 2·P·R / (P + R) divides by 0"
                if not any(_overlap(prediction, answer) for answer in answers)
                else "try that case on its own"
            )
            raise Wrong(f"{case}: your code raised {type(error).__name__}: {hint}") from error
        found = float(found)
        if math.isclose(found, right, abs_tol=1e-6):
            return
        case = f"{case}: you return {found:.3f}, expected {right:.3f}"
        if not answers or prediction == (0, 0):
            raise Wrong(f"{case}. Settle the empty cases first: 1.0 if both are empty, 0.0 if one of them is")
        if right and math.isclose(found, 100 * right, abs_tol=1e-6):
            raise Wrong(f"{case}. F1 is a share in 0..1 here, not a percentage")
        if found < 0 or found > 1:
            raise Wrong(f"{case}. A share lies in 0..1: without common characters it is 0, not less")
        size, sizes = prediction[1] - prediction[0], [b - a for a, b in answers]
        common = [_overlap(prediction, answer) for answer in answers]

        def is_any(*values, found=found) -> bool:
            return any(math.isclose(found, value, abs_tol=1e-6) for value in values)

        together = set().union(*(range(a, b) for a, b in answers))
        in_one = 2 * len(together & set(range(*prediction))) / (size + len(together))
        if len(answers) > 1 and is_any(in_one):
            raise Wrong(f"{case}. You put the characters of all answers together; compare with one answer at a time")
        precision, recall = max(common) / size, max(c / n for c, n in zip(common, sizes))
        if len(answers) > 1 and precision + recall and is_any(2 * precision * recall / (precision + recall)):
            raise Wrong(f"{case}. Precision and recall have to come from one and the same answer")
        if len(answers) > 1:
            each = [_f1(prediction, answer) for answer in answers]
            if is_any(each[0], each[-1]):
                raise Wrong(f"{case}. That is the score of one of the answers; the best of all of them counts")
            if is_any(sum(each) / len(each)):
                raise Wrong(f"{case}. That is the mean over the answers; the best one counts")
        if is_any(common[0] / (size + sizes[0] - common[0])):
            raise Wrong(f"{case}. That is the common characters divided by all characters; F1 is 2·P·R / (P + R)")
        if common[0] and is_any((common[0] / size + common[0] / sizes[0]) / 2):
            raise Wrong(
                f"{case}. That is the plain mean of precision and recall; F1 is the harmonic one, 2·P·R / (P + R)"
            )
        if is_any(common[0] / size, common[0] / sizes[0], common[0] / max(size, sizes[0])):
            raise Wrong(f"{case}. That is only one of precision and recall; F1 needs both")
        if is_any(2 * (common[0] + 1) / (size + sizes[0] + 2), 2 * common[0] / (size + sizes[0] + 2)) or (
            not common[0] and found
        ):
            raise Wrong(f"{case}. The end is exclusive: (10, 20) has 10 characters, and (20, 30) shares none of them")
        raise Wrong(case)

    judge_each(PLACES, judge, "cases")
    return "right: places instead of words, the best answer, and the empty cases"


_LOOKS = 12  # at the values of a token (start and end together) that a single pass may need; all pairs of 36 need more
# (starts, ends, context)
PASSES = [
    ([0, 3, 1, 0], [0, 0, 5, 1], (0, 4)),
    ([9, 1, 4, 2, 9], [9, 0, 1, 3, 9], (1, 4)),
    ([0, 2, 8, 1, 0], [0, 6, 5, 1, 3], (0, 5)),
    ([-9, 0, 5, 9, 0], [10, 0, 8, 0, 0], (0, 5)),
    ([2, 1, 9, 0, 3], [1, 9, 0, 0, 4], (0, 5)),
    ([5, 0, 5, 0], [0, 3, 0, 3], (0, 4)),
    ([5, 5, 0], [0, 0, 3], (0, 3)),
    ([-7, -3, -9, -4], [-8, -9, -2, -5], (0, 4)),
    ([0, 0, 0, 6, 0, 0], [0, 0, 0, 6, 0, 0], (3, 4)),
    ([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
     [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0],
     (0, 36)),
]  # fmt: skip


class _Watched(list):
    """A list that counts how many of its values are looked at."""

    looks = 0

    def __getitem__(self, place):
        found = super().__getitem__(place)
        self.looks += len(found) if isinstance(place, slice) else 1
        return found

    def __iter__(self):
        self.looks += len(self)
        return super().__iter__()


def _all_spans(starts, ends, context):
    first, beyond = context
    return [(s, e) for e in range(first, beyond) for s in range(first, e + 1)]


def _best(spans, starts, ends):
    return max(spans, key=lambda span: starts[span[0]] + ends[span[1]])  # the first of several


@checker("8.2")
def check_best_span_in_one_pass(best_span_in_one_pass) -> str:
    """``best_span_in_one_pass(starts, ends, context)``: first and last token of the best span."""

    def judge(starts, ends, context) -> None:
        first, beyond = context
        right = _best(_all_spans(starts, ends, context), starts, ends)
        watched = _Watched(starts), _Watched(ends)
        found = call(best_span_in_one_pass, *watched, context)
        found = tuple(int(place) for place in found)
        looks = sum(values.looks for values in watched)
        if found == right and looks <= _LOOKS * len(starts):
            return
        if found == right:
            raise Wrong(
                f"the span is right, but you look at {looks} values in a window of {len(starts)} tokens: go over the tokens "
                "once, and remember the best start so far"
            )
        if len(found) != 2:
            raise Wrong(f"you return {len(found)} numbers; return two, a start and an end")
        case = f"starts {starts}, ends {ends}, context {context}: you return {found}, expected {right}"
        inside = range(first, beyond)
        if all(starts[s] + ends[e] < 0 for s, e in _all_spans(starts, ends, context)):
            raise Wrong(
                f"{case}. All sums are negative here: do not let the best score, or the best start, begin with 0"
            )
        top = max(inside, key=lambda t: starts[t]), max(inside, key=lambda t: ends[t])
        if found == (right[0], right[1] + 1):
            raise Wrong(f"{case}. The end is the span's last token, not one past it")
        if first and found == (right[0] - first, right[1] - first):
            raise Wrong(f"{case}. Count tokens from the beginning of the window, not of the context")
        if not (first <= found[0] < beyond and first <= found[1] < beyond):
            raise Wrong(f"{case}. That is outside the context; walk from its first token to its last")
        if found[1] < found[0]:
            if found == top:
                raise Wrong(f"{case}. That is the best start and the best end, each on its own: it runs backwards")
            raise Wrong(f"{case}. It ends before it starts. Keep the start that was best when you reached the end")
        longer = [span for span in _all_spans(starts, ends, context) if span[0] < span[1]]
        if longer and right[0] == right[1] and found == _best(longer, starts, ends):
            raise Wrong(f"{case}. A span may be one token long: look at the start before the end")
        if starts[found[0]] + ends[found[1]] == starts[right[0]] + ends[right[1]]:
            raise Wrong(
                f"{case}. Both are equally good; take the one that ends first, and of these the one that starts first"
            )
        if found[0] == top[0] or found[1] == top[1]:
            raise Wrong(f"{case}. You choose the best start or the best end first, but only their sum decides")
        raise Wrong(case)

    judge_each(PASSES, judge, "windows")
    return f"right on all {len(PASSES)} windows, looking at each token only once"


# (probabilities, right, wanted)
CUTS = [
    ([0.9, 0.8, 0.5, 0.4], [1, 1, 0, 0], 0.6),
    ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], 1.0),
    ([0.6, 0.9, 0.7, 0.8], [0, 1, 1, 1], 0.75),
    ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 0, 1, 1, 0], 0.75),
    ([0.9, 0.8, 0.8, 0.8], [1, 1, 0, 0], 0.6),
    ([0.5, 0.5, 0.5, 0.4], [1, 1, 0, 0], 0.6),
    ([0.9, 0.8], [0, 0], 0.5),
    ([0.9, 0.8, 0.7], [0, 1, 1], 0.6),
    ([0.3, 0.2], [1, 1], 0.9),
    ([0.2, 0.5, 0.9, 0.4], [0, 0, 1, 1], 1.0),
    ([0.4, 0.0], [1, 1], 0.5),
]


def _cuts(probabilities, right, wanted) -> list[float]:
    """All cuts that reach the wanted share, ascending."""
    found = []
    for cut in sorted(set(probabilities)):
        above = [r for p, r in zip(probabilities, right) if p >= cut]
        if sum(above) >= wanted * len(above):
            found.append(cut)
    return found


@checker("8.3")
def check_sure_enough(sure_enough) -> str:
    """``sure_enough(probabilities, right, wanted)``: the lowest probability that keeps the share right, or None."""

    def judge(probabilities, right, wanted: float) -> None:
        cuts = _cuts(probabilities, right, wanted)
        expected = cuts[0] if cuts else None
        given = list(probabilities), list(right)
        found = call(sure_enough, *given, wanted)
        if given != (probabilities, right):
            raise Wrong("you change the lists that you are given; sort copies of them")
        if found == expected and (found is None) == (expected is None):
            return
        case = f"probabilities {probabilities}, right {right}, wanted {wanted}: you return {found}, expected {expected}"
        kept = [[r for p, r in zip(probabilities, right) if p >= cut] for cut in sorted(set(probabilities))]
        of_all = [cut for cut, own in zip(sorted(set(probabilities)), kept) if sum(own) >= wanted * len(right)]
        exactly = any(sum(own) == wanted * len(own) for own in kept)
        if not exactly and len(of_all) < len(cuts) and found == (of_all[0] if of_all else None):
            raise Wrong(f"{case}. The share refers to the answers that are kept, not to all questions")
        if found is None and expected == 0:
            raise Wrong(f"{case}. 0.0 is a probability like any other, but counts as false: test with `is None`")
        if expected is None:
            raise Wrong(f"{case}. No cut reaches the share, so return None")
        if found is None:
            ordered = sorted(zip(probabilities, right), reverse=True)
            if not ordered[0][1]:
                raise Wrong(
                    f"{case}. The surest answer is wrong, but further down the share is high enough: do not stop"
                )
            raise Wrong(f"{case}. A cut at {expected} reaches the wanted share exactly, and that is enough")
        in_order = [p for k, p in enumerate(probabilities, 1) if sum(right[:k]) >= wanted * k]
        if probabilities != sorted(probabilities, reverse=True) and in_order and found in (in_order[-1], min(in_order)):
            raise Wrong(f"{case}. The answers come in no order: sort them by probability, or compare each with the cut")
        groups = {p: [r for q, r in zip(probabilities, right) if q == p] for p in probabilities}
        alone = [p for p, own in groups.items() if sum(own) >= wanted * len(own)]
        if alone and found == min(alone):
            raise Wrong(f"{case}. A cut keeps all answers at or above it, not only those of one probability")
        if found not in probabilities:
            raise Wrong(f"{case}. Return one of the given probabilities")
        if len(cuts) > 1 and found == cuts[-1]:
            raise Wrong(f"{case}. That is the highest such cut; the lowest answers more questions")
        if found in cuts:
            raise Wrong(f"{case}. The share falls below `wanted` and rises again further down: try every cut")
        above = [r for p, r in zip(probabilities, right) if p >= found]
        if probabilities.count(found) > 1:
            raise Wrong(
                f"{case}. {probabilities.count(found)} answers have the probability {found}, and all of them are kept: "
                f"{sum(above)} of {len(above)} right"
            )
        raise Wrong(f"{case}. From {found} on {sum(above)} of {len(above)} are right, which is not enough")

    judge_each(CUTS, judge, "lists")
    return "right: the lowest cut that reaches the wanted share"
