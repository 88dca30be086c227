"""The checkers of lesson 01: right answers pass, the stub is open, natural mistakes are told apart."""

import re

import pytest
from exercise_checks import leaves_the_stub_open, passes

from qa_helpers.exercises import lesson01


def answers_fit(example):
    for text, start in zip(example["answers"]["text"], example["answers"]["answer_start"]):
        if example["context"][start : start + len(text)] != text:
            return False
    return True


def answers_fit_otherwise(example):
    return all(example["context"].startswith(t, s) for t, s in zip(*example["answers"].values()))


def occurrences(context, text):
    places = []
    place = context.find(text)
    while place != -1:
        places.append(place)
        place = context.find(text, place + 1)
    return places


def occurrences_otherwise(context, text):
    return [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]


def repair(context, text, start):
    return min(occurrences(context, text), key=lambda place: abs(place - start), default=None)


def repair_otherwise(context, text, start):
    for distance in range(max(len(context), start) + 1):
        for place in (start - distance, start + distance):
            if place >= 0 and context.startswith(text, place):
                return place
    return None


CHECKS = {
    lesson01.check_answers_fit: (answers_fit, answers_fit_otherwise),
    lesson01.check_occurrences: (occurrences, occurrences_otherwise),
    lesson01.check_repair: (repair, repair_otherwise),
}


@pytest.mark.parametrize("check", CHECKS)
def test_solutions_pass(check):
    passes(check, *CHECKS[check])


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_stub_is_open(check):
    leaves_the_stub_open(check)


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_a_student_hands_in_raises(check):
    for strange in (None, 3, lambda: True, lambda *_: 1 / 0, lambda *_: None, lambda *_: object()):
        assert not check(strange).passed


def first_only(example):
    text, start = example["answers"]["text"], example["answers"]["answer_start"]
    return not text or example["context"][start[0] : start[0] + len(text[0])] == text[0]


def no_answer_forgotten(example):
    text, start = example["answers"]["text"][0], example["answers"]["answer_start"][0]
    return answers_fit(example) and example["context"][start : start + len(text)] == text


def somewhere(example):
    return all(text in example["context"] for text in example["answers"]["text"])


def by_search(example):
    return all(example["context"].find(t) == s for t, s in zip(*example["answers"].values()))


def any_case(example):
    return all(example["context"].lower().startswith(t.lower(), s) for t, s in zip(*example["answers"].values()))


def none_is_wrong(example):
    return bool(example["answers"]["text"]) and answers_fit(example)


def no_return(example):
    answers_fit(example)


def one_place(context, text):
    return [context.find(text)] if text in context else []


def find_only(context, text):
    return context.find(text)


def counted(context, text):
    return context.count(text)


def without_overlap(context, text):
    return [m.start() for m in re.finditer(re.escape(text), context)]


def unescaped(context, text):
    return [m.start() for m in re.finditer(f"(?={text})", context)]


def caseless(context, text):
    return occurrences(context.lower(), text.lower())


def whole_words(context, text):
    return [m.start() for m in re.finditer(rf"(?=(?<!\w){re.escape(text)}(?!\w))", context)]


def minus_one(context, text):
    return occurrences(context, text) or [-1]


def first_place(context, text, start):
    return context.find(text) if text in context else None


def forwards(context, text, start):
    place = context.find(text, start)
    return None if place == -1 else place


def unchanged(context, text, start):
    return start if text in context else None


def later_of_two(context, text, start):
    return min(reversed(occurrences(context, text)), key=lambda place: abs(place - start), default=None)


def minus_one_for_none(context, text, start):
    place = repair(context, text, start)
    return -1 if place is None else place


def signed(context, text, start):
    return min(occurrences(context, text), key=lambda place: place - start, default=None)


MISTAKES = {
    lesson01.check_answers_fit: {
        first_only: "every answer",
        no_answer_forgotten: "two empty lists",
        somewhere: "cut it out at its start",
        by_search: "instead of searching",
        any_case: "upper and lower case",
        none_is_wrong: "nothing wrong with it",
        no_return: "returned None",
    },
    lesson01.check_occurrences: {
        one_place: "only the first place",
        find_only: "one number",
        counted: "how many",
        without_overlap: "overlap",
        unescaped: "re.escape",
        caseless: "upper and lower case",
        whole_words: "inside longer words",
        minus_one: "-1",
    },
    lesson01.check_repair: {
        first_place: "first place",
        forwards: "forwards only",
        unchanged: "the start you were given",
        later_of_two: "equally near",
        minus_one_for_none: "return None, not -1",
    },
}


@pytest.mark.parametrize("check", MISTAKES)
def test_natural_mistakes_are_told_apart(check):
    messages = set()
    for mistake, idea in MISTAKES[check].items():
        feedback = check(mistake)
        assert feedback.started and not feedback.passed, mistake.__name__
        assert idea in feedback.message, (mistake.__name__, feedback.message)
        messages.add(feedback.message)
    assert len(messages) == len(MISTAKES[check])


def test_a_signed_distance_is_rejected():
    assert not lesson01.check_repair(signed).passed


def test_partial_credit():
    assert 0.5 < lesson01.check_answers_fit(first_only).share < 1
    assert 0 < lesson01.check_repair(first_place).share < 1
