"""Lesson 00, the tour: a span that does not run backwards, and a score that takes the best comparison."""

import math

from ...metrics import normalize_answer
from . import Wrong, call, checker, judge_each, never_improved

# (start logits, end logits, what kind of case it is)
SPANS = [
    ([0, 4, 1, 0], [0, 1, 1, 3], "the best start comes before the best end"),
    ([1, 0, 0, 5], [6, 0, 2, 1], "the best start comes after the best end"),
    ([0, 0, 7, 0], [0, 5, 6, 0], "the answer is a single token"),
    ([5, 4, 0, 9], [0, 9, 0, 1], "neither the best start nor a greedy choice wins"),
    ([1, 0, 6, 0], [5, 0, 1, 4], "the best end comes before the best start, and loses"),
    ([-9, -2, -7, -3], [-8, -1, -9, -6], "all logits are negative"),
    ([3], [2], "there is only one token"),
]


def _spans(n: int) -> list[tuple[int, int]]:
    return [(start, end) for start in range(n) for end in range(start, n)]


@checker("0.1")
def check_best_span(best_span) -> str:
    """``best_span(starts, ends)``: the tokens (start, end) with the highest sum of logits, end inclusive."""

    def judge(starts: list, ends: list, kind: str) -> None:
        n = len(starts)
        right = max(_spans(n), key=lambda span: starts[span[0]] + ends[span[1]])
        found = call(best_span, list(starts), list(ends))
        case = f"{kind} (starts {starts}, ends {ends}): you return {found!r}, expected {right}"
        if isinstance(found, int | float):
            raise Wrong(f"{case}. Return where the span is, the tokens (start, end), not its score")
        found = found if found is None else tuple(found)
        if starts[right[0]] + ends[right[1]] < 0 and never_improved(found):
            raise Wrong(
                f"{case}. All sums are negative here, so a best score that begins at 0 is never beaten: start from the "
                "first span, or from minus infinity"
            )
        found = tuple(int(place) for place in found)
        if found == right:
            return
        if len(found) != 2:
            raise Wrong(f"{case}. Return two numbers, a start and an end")
        if found == (right[0], right[1] + 1):
            raise Wrong(f"{case}. The end is the span's last token, not one past it")
        if not (0 <= found[0] < n and 0 <= found[1] < n):
            raise Wrong(f"{case}. The tokens are numbered 0 to {n - 1}")
        apart = starts.index(max(starts)), ends.index(max(ends))
        if apart[1] < apart[0] and found == apart[::-1]:
            raise Wrong(
                f"{case}. You chose start and end separately and turned the pair round; nothing scored that span as a whole"
            )
        if found[1] < found[0]:
            raise Wrong(
                f"{case}. It ends before it starts: score whole spans instead of choosing start and end separately"
            )
        if found == max(_spans(n), key=lambda span: starts[span[0]] * ends[span[1]]):
            raise Wrong(f"{case}. Add the two logits: their product ranks spans wrongly as soon as logits are negative")
        if n > 1 and found == max(_spans(n - 1), key=lambda span: starts[span[0]] + ends[span[1]]):
            raise Wrong(f"{case}. Your search never tries the last token, {n - 1}")
        if right[0] == right[1] and found[0] != found[1]:
            raise Wrong(f"{case}. A span may be a single token, which is both its start and its end")
        if starts[found[0]] == max(starts) or ends[found[1]] == max(ends):
            raise Wrong(
                f"{case}. You choose one end of the span first and then the other; only the sum of the two counts"
            )
        raise Wrong(case)

    judge_each(SPANS, judge, "windows")
    return "correct. Of all spans that run forwards, you return the one with the highest sum"


# (predictions, acceptable answers of each, what kind of case it is)
SCORES = [
    (["1707", "1893"], [["1707"], ["1871"]], "one answer per question, one of two predictions right"),
    (["in 1707"], [["1707", "in 1707", "since 1707"]], "the prediction equals the second of three answers"),
    (
        ["1707", "a bell", "Ilse"],
        [["1707"], ["a bell", "a bell", "the bell"], ["Oda"]],
        "two annotators gave the same answer",
    ),
    (["170", "bell"], [["1707"], ["a bell"]], "the predictions are only parts of the answers"),
    (["9", "8", "7", "6"], [["9"], ["8"], ["7"], ["5", "4"]], "three of four predictions right"),
    (["x"], [["y", "z"]], "no prediction right"),
    (["Oda", "Ilse"], [["Ilse"], ["Oda"]], "each prediction is an answer to the other question"),
    (
        ["Ilse", "a Bell", "1707"],
        [["ilse"], ["a bell"], ["1707"]],
        "two predictions differ from their answers in upper case",
    ),
    (["1707 ", " Ilse"], [["1707"], ["Ilse"]], "the predictions have a space too many"),
    (["the mill", "1893."], [["mill"], ["1893"]], "the predictions have an article or a full stop too many"),
]


@checker("0.2")
def check_exact_match_percent(exact_match_percent) -> str:
    """``exact_match_percent(predictions, answers)``: the percentage of predictions that equal one of their answers."""

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
            raise Wrong(f"{case}. That is a fraction between 0 and 1; multiply it by 100 to get a percentage")
        if any(like(value) for value in (right // 1, round(right), round(right, 1), round(right, 2))):
            raise Wrong(f"{case}. Do not round, or two systems that differ may look alike")
        if like(sum(met)):
            raise Wrong(f"{case}. That is how many are right; divide by the number of predictions and multiply by 100")
        if like(100 * sum(prediction == own[0] for prediction, own in zip(predictions, answers)) / n):
            raise Wrong(
                f"{case}. A prediction may equal any one of the acceptable answers: it is too strict to compare it "
                "with the first answer only, or to demand all of them"
            )
        if like(100 * same / len(pairs)):
            raise Wrong(
                f"{case}. You divide by the number of answers; each question counts once, however many answers it has"
            )
        if found > right and like(100 * same / n):
            raise Wrong(f"{case}. A prediction that equals two annotators' answers is still one right prediction")
        everywhere = {one for own in answers for one in own}
        if found > right and like(100 * sum(prediction in everywhere for prediction in predictions) / n):
            raise Wrong(f"{case}. Compare a prediction with the answers to its own question only")
        if found > right and like(100 * sum(one.lower() == own.lower() for one, own in firsts) / n):
            raise Wrong(f"{case}. Upper and lower case make a difference here: compare the texts as they are")
        if found > right and like(100 * sum(one.strip() == own.strip() for one, own in firsts) / n):
            raise Wrong(f"{case}. You strip spaces, but here the texts are compared exactly as they are")
        if found > right and like(100 * sum(normalize_answer(one) == normalize_answer(own) for one, own in firsts) / n):
            raise Wrong(
                f"{case}. You normalize the texts, as the real EM does; in this exercise, compare them as they are"
            )
        if found > right:
            raise Wrong(f"{case}. A part of an answer does not count: *exact* match compares whole texts")
        raise Wrong(case)

    judge_each(SCORES, judge, "lists")
    return "correct. Each question counts once, by its best comparison"
