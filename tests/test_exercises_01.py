"""Answers to the exercises of lesson 01, right and wrong (``test_exercises.py`` tries them)."""

import re

import numpy as np
from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson01


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


def nowhere_is_passed_over(example):
    for text, start in zip(*example["answers"].values()):
        if text in example["context"] and not example["context"].startswith(text, start):
            return False
    return True


def by_search_from_the_start(example):
    return all(example["context"].find(t, s) == s for t, s in zip(*example["answers"].values()))


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


def zero_is_nothing(context, text, start):
    return repair(context, text, start) or None


def zero_is_nothing_in_a_loop(context, text, start):
    best = None
    for place in occurrences(context, text):
        if not best or abs(place - start) < abs(best - start):
            best = place
    return best if best else -1 if text in context else None


def signed(context, text, start):
    return min(occurrences(context, text), key=lambda place: place - start, default=None)


@answers("1.1")
def answers_fit_answers():
    return Answers(
        right=[answers_fit, answers_fit_otherwise, lambda example: np.all([answers_fit(example)])],
        wrong={
            "every answer": first_only,
            "two empty lists": no_answer_forgotten,
            "cut it out at its start": somewhere,
            "instead of searching": by_search,
            "upper and lower case": any_case,
            "a text without any place does not fit": nowhere_is_passed_over,
            "find gives -1 for such a text": by_search_from_the_start,
            "nothing wrong with it": none_is_wrong,
            "returned None": no_return,
        },
    )


@answers("1.2")
def occurrences_answers():
    return Answers(
        right=[occurrences, occurrences_otherwise],
        wrong={
            "only the first place": one_place,
            "one number": find_only,
            "how many": counted,
            "overlap": without_overlap,
            "re.escape": unescaped,
            "upper and lower case": caseless,
            "inside longer words": whole_words,
            "-1": minus_one,
        },
    )


@answers("1.3")
def repair_answers():
    return Answers(
        right=[repair, repair_otherwise, lambda *given: None if (k := repair(*given)) is None else np.int64(k)],
        wrong={
            "first place": first_place,
            "forwards only": forwards,
            "the start you were given": unchanged,
            "equally near": later_of_two,
            "Ask `is None`": zero_is_nothing,
            "return None, not -1": minus_one_for_none,
        },
    )


def test_a_signed_distance_is_rejected():
    assert not lesson01.check_repair(signed).passed


def test_a_place_at_zero_that_is_lost_is_named():
    feedback = lesson01.check_repair(zero_is_nothing_in_a_loop)
    assert not feedback.passed and "'The', given at 2, is at 0: your function returns -1" in feedback.message


def test_partial_credit():
    assert 0.5 < lesson01.check_answers_fit(first_only).share < 1
    assert 0 < lesson01.check_repair(first_place).share < 1
