"""Answers to the exercises of lesson 00, the tour, right and wrong (``test_exercises.py`` tries them)."""

import pytest
import torch
from exercise_checks import Answers, answers, give_partial_credit

from qa_helpers.classroom.exercises import lesson00
from qa_helpers.metrics import normalize_answer


def spans(starts, forwards=lambda start, end: start <= end):
    return [(start, end) for start in range(len(starts)) for end in range(len(starts)) if forwards(start, end)]


def best_span(starts, ends):
    return max(spans(starts), key=lambda span: starts[span[0]] + ends[span[1]])


def best_span_with_loops(starts, ends):
    best, highest = None, float("-inf")
    for start, start_logit in enumerate(starts):
        for end in range(start, len(ends)):
            if start_logit + ends[end] > highest:
                best, highest = [start, end], start_logit + ends[end]
    return best


def apart(starts, ends):
    return starts.index(max(starts)), ends.index(max(ends))


def greedy(starts, ends):
    start = starts.index(max(starts))
    return start, max(range(start, len(ends)), key=lambda end: ends[end])


def end_first(starts, ends):
    end = ends.index(max(ends))
    return max(range(end + 1), key=lambda start: starts[start]), end


def turned_round(starts, ends):
    return tuple(sorted(apart(starts, ends)))


def without_the_last_token(starts, ends):
    return best_span(starts[:-1], ends[:-1]) if len(starts) > 1 else (0, 0)


def two_tokens_at_least(starts, ends):
    longer = spans(starts, lambda start, end: start < end) or [(0, 0)]
    return max(longer, key=lambda span: starts[span[0]] + ends[span[1]])


def one_too_far(starts, ends):
    start, end = best_span(starts, ends)
    return start, end + 1


def begun_at_zero(nothing):
    def best(starts, ends):
        found, highest = nothing, 0
        for start, end in spans(starts):
            if starts[start] + ends[end] > highest:
                found, highest = (start, end), starts[start] + ends[end]
        return found

    return best


@answers("0.1")
def best_span_answers():
    return Answers(
        right=[
            best_span_with_loops,
            best_span,
            lambda *given: torch.tensor(best_span(*given)),
            lambda *given: iter(best_span(*given)),
        ],
        wrong={
            "begins at 0": begun_at_zero((0, 0)),
            "ends before it starts": apart,
            "choose one end of the span first": greedy,
            "the other; only the sum": end_first,
            "turned the pair round": turned_round,
            "never tries the last token": without_the_last_token,
            "may be a single token": two_tokens_at_least,
            "not one past it": one_too_far,
            "ranks spans wrongly": lambda s, e: max(spans(s), key=lambda span: s[span[0]] * e[span[1]]),
            "Return where the span is": lambda s, e: max(s[i] + e[j] for i, j in spans(s)),
            "a start and an end": lambda s, e: (*best_span(s, e), 0),
            "tokens are numbered 0 to": lambda s, e: (best_span(s, e)[0], -1),
        },
    )


def percent(met, divide=None):
    def score(predictions, answers):
        points = [met(prediction, own) for prediction, own in zip(predictions, answers)]
        return 100 * sum(points) / (divide or len)(answers)

    return score


def percent_with_loops(predictions, answers):
    right = 0
    for k in range(len(predictions)):
        for answer in answers[k]:
            if predictions[k] == answer:
                right += 1
                break
    return right / len(predictions) * 100


@answers("0.2")
def exact_match_percent_answers():
    return Answers(
        right=[percent_with_loops, percent(lambda prediction, own: prediction in own)],
        wrong={
            "with the first answer only": percent(lambda prediction, own: prediction == own[0]),
            "or to demand all of them": percent(lambda prediction, own: set(own) == {prediction}),
            "Do not round": lambda *given: round(percent_with_loops(*given)),
            "its own question only": lambda predictions, answers: (
                100 * sum(p in sum(answers, []) for p in predictions) / len(predictions)
            ),
            "You strip spaces": percent(lambda p, own: p.strip() in own),
            "multiply it by 100": lambda predictions, answers: percent_with_loops(predictions, answers) / 100,
            "That is how many": lambda predictions, answers: (
                percent_with_loops(predictions, answers) / 100 * len(answers)
            ),
            "each question counts once": percent(lambda p, own: own.count(p), lambda answers: sum(map(len, answers))),
            "still one right prediction": percent(lambda prediction, own: own.count(prediction)),
            "Upper and lower case make a difference": percent(lambda p, own: p.lower() in [one.lower() for one in own]),
            "as the real EM does": percent(lambda p, own: normalize_answer(p) in map(normalize_answer, own)),
            "compares whole texts": percent(lambda prediction, own: any(prediction in one for one in own)),
        },
    )


def test_partial_credit():
    assert "of 7 windows right" in give_partial_credit(lesson00.check_best_span, apart, 0.5, 0.8)
    first = percent(lambda prediction, own: prediction == own[0])
    assert "9 of 10 lists right; look at the second" in give_partial_credit(
        lesson00.check_exact_match_percent, first, 0.85, 0.95
    )


@pytest.mark.parametrize("nothing", [None, (0, 0), [0, 0], (None, None), (-1, -1), ()])
def test_a_best_sum_that_begins_at_zero_is_named(nothing):
    feedback = lesson00.check_best_span(begun_at_zero(nothing))
    assert not feedback.passed and "a best score that begins at 0 is never beaten" in feedback.message
