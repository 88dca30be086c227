"""Lesson 00, the tour: a span that does not run backwards, and a score that takes the best comparison."""

import math

from ...metrics import normalize_answer
from . import Wrong, call, checker, judge_each, never_improved

# (start logits, end logits, what kind of case it is)
SPANS = [
    ([0, 4, 1, 0], [0, 1, 1, 3], "the best start stands before the best end"),
    ([1, 0, 0, 5], [6, 0, 2, 1], "the best start stands behind the best end"),
    ([0, 0, 7, 0], [0, 5, 6, 0], "the answer is a single token"),
    ([5, 4, 0, 9], [0, 9, 0, 1], "neither the best start nor a greedy choice wins"),
    ([-9, -2, -7, -3], [-8, -1, -9, -6], "all logits are negative"),
    ([3], [2], "there is one token only"),
]


def _spans(n: int) -> list[tuple[int, int]]:
    return [(start, end) for start in range(n) for end in range(start, n)]


@checker("0.1")
def check_best_span(best_span) -> str:
    """``best_span(starts, ends)``: tokens (start, end), the end included, with the highest sum of logits."""

    def judge(starts: list, ends: list, kind: str) -> None:
        n = len(starts)
        right = max(_spans(n), key=lambda span: starts[span[0]] + ends[span[1]])
        found = call(best_span, list(starts), list(ends))
        case = f"{kind} (starts {starts}, ends {ends}): you return {found!r}, expected {right}"
        if isinstance(found, int | float):
            raise Wrong(f"{case}. The place is wanted, not its score: the tokens (start, end)")
        found = found if found is None else tuple(found)
        if starts[right[0]] + ends[right[1]] < 0 and never_improved(found):
            raise Wrong(
                f"{case}. All sums are negative here, so a best score that begins at 0 is never beaten: begin with the "
                "first span, or with minus infinity"
            )
        found = tuple(int(place) for place in found)
        if found == right:
            return
        if len(found) != 2:
            raise Wrong(f"{case}. Two numbers are wanted, a start and an end")
        if found == (right[0], right[1] + 1):
            raise Wrong(f"{case}. The end is the span's last token, not the one behind it")
        if not (0 <= found[0] < n and 0 <= found[1] < n):
            raise Wrong(f"{case}. There are only the tokens 0 to {n - 1}")
        if found[1] < found[0]:
            raise Wrong(f"{case}. It ends before it starts: score whole spans, not the start and the end apart")
        if found == max(_spans(n), key=lambda span: starts[span[0]] * ends[span[1]]):
            raise Wrong(f"{case}. Add the two logits; with negative ones a product turns the order round")
        if right[0] == right[1] and found[0] != found[1]:
            raise Wrong(f"{case}. A span may be one token long: its start is its end, too")
        if starts[found[0]] == max(starts) or ends[found[1]] == max(ends):
            raise Wrong(f"{case}. You settle one side first and then look for the other; only their sum decides")
        raise Wrong(case)

    judge_each(SPANS, judge, "windows")
    return "right: of all spans that run forwards, the one with the highest sum"


# (predictions, acceptable answers of each, what kind of case it is)
SCORES = [
    (["1707", "1893"], [["1707"], ["1871"]], "one answer to each question, one of two right"),
    (["in 1707"], [["1707", "in 1707", "since 1707"]], "the second of three answers is met"),
    (["1707", "a bell", "Ilse"], [["1707"], ["a bell", "a bell", "the bell"], ["Oda"]], "two annotators agree"),
    (["170", "bell"], [["1707"], ["a bell"]], "the predictions are parts of the answers"),
    (["9", "8", "7", "6"], [["9"], ["8"], ["7"], ["5", "4"]], "three of four right"),
    (["x"], [["y", "z"]], "none right"),
    (["Ilse", "a Bell", "1707"], [["ilse"], ["a bell"], ["1707"]], "two differ from their answers in upper case"),
    (["the mill", "1893."], [["mill"], ["1893"]], "an article and a full stop are too many"),
]


@checker("0.2")
def check_exact_match_percent(exact_match_percent) -> str:
    """``exact_match_percent(predictions, answers)``: percent of predictions equal to one of their answers."""

    def judge(predictions: list[str], answers: list[list[str]], kind: str) -> None:
        n = len(predictions)
        met = [prediction in own for prediction, own in zip(predictions, answers)]
        right = 100 * sum(met) / n
        found = float(call(exact_match_percent, list(predictions), [list(own) for own in answers]))

        def like(value: float) -> bool:
            return math.isclose(found, value, abs_tol=1e-6)

        if like(right):
            return
        case = f"{kind} (predictions {predictions}, answers {answers}): you return {found:g}, expected {right:g}"
        pairs = [(prediction, one) for prediction, own in zip(predictions, answers) for one in own]
        firsts = [(prediction, own[0]) for prediction, own in zip(predictions, answers)]
        same = sum(prediction == one for prediction, one in pairs)
        if like(right / 100):
            raise Wrong(f"{case}. That is a share from 0 to 1; percent are wanted")
        if like(sum(met)):
            raise Wrong(f"{case}. That is how many are right; divide by the number of predictions")
        if like(100 * sum(prediction == own[0] for prediction, own in zip(predictions, answers)) / n):
            raise Wrong(f"{case}. Only the first answer is compared; any of the acceptable ones will do")
        if like(100 * same / len(pairs)):
            raise Wrong(f"{case}. You divide by the number of answers; a question counts once, however many it has")
        if found > right and like(100 * same / n):
            raise Wrong(f"{case}. A prediction that meets two annotators' answers is still one right answer")
        if found > right and like(100 * sum(one.lower() == own.lower() for one, own in firsts) / n):
            raise Wrong(f"{case}. Upper and lower case differ here: compare the texts as they are")
        if found > right and like(100 * sum(normalize_answer(one) == normalize_answer(own) for one, own in firsts) / n):
            raise Wrong(f"{case}. You tidy the texts up, as the real EM does; here they are compared as they are")
        if found > right:
            raise Wrong(f"{case}. Part of an answer is not the answer: *exact* match compares whole texts")
        raise Wrong(case)

    judge_each(SCORES, judge, "lists")
    return "right: each question counts once, by its best comparison"
