"""Checkers of lesson 01: answers as places in a text. The cases are invented, and short enough to read."""

import copy
import re
from collections.abc import Callable

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly

_LAMP = "The lamp cost £40; the glass cost £400."


def _example(context: str, texts: list[str], starts: list[int]) -> dict:
    answers = {"text": texts, "answer_start": starts}
    return {"id": "x", "title": "Lamp", "context": context, "question": "What did it cost?", "answers": answers}


# (what it is about, example, whether the answers fit, message for a function that says otherwise)
_FITS = [
    (
        "one sound answer",
        _example(_LAMP, ["£40"], [14]),
        True,
        "'£40' is at 14, just where its start says, but your function says that it does not fit",
    ),
    (
        "sound, but not the first place",
        _example(_LAMP, ["cost"], [29]),
        True,
        "'cost' fits: it also occurs earlier in the context, but there is one at 29. Cut the text out at its start "
        "instead of searching for it",
    ),
    (
        "start shifted",
        _example(_LAMP, ["£40"], [15]),
        False,
        "your function accepts a start that is off by one. It is not enough that the text occurs somewhere in the "
        "context: cut it out at its start and compare",
    ),
    (
        "nowhere",
        _example(_LAMP, ["£50"], [14]),
        False,
        "your function accepts '£50', which does not occur in the context: a text without any place does not fit, "
        "whatever its start",
    ),
    (
        "nowhere, as find says it",
        _example(_LAMP, ["£50"], [-1]),
        False,
        "your function accepts '£50', which does not occur in the context, with the start -1. find gives -1 for such a "
        "text, so comparing its result with the start is not enough. Cut the text out at its start and compare instead "
        "of searching for it",
    ),
    (
        "other case",
        _example(_LAMP, ["the lamp"], [0]),
        False,
        "your function accepts 'the lamp' where the context says 'The lamp': upper and lower case must agree, too",
    ),
    (
        "only a part",
        _example(_LAMP, ["£400,000"], [34]),
        False,
        "your function accepts '£400,000' where the context says '£400.': compare the whole text",
    ),
    (
        "two sound answers",
        _example(_LAMP, ["£40", "cost £40"], [14, 9]),
        True,
        "both answers of an example fit, but your function says that they do not",
    ),
    (
        "second faulty",
        _example(_LAMP, ["£40", "cost £40"], [14, 8]),
        False,
        "your function accepts two answers of which the second is misplaced: look at every answer, not only at the first",
    ),
    (
        "none",
        _example(_LAMP, [], []),
        True,
        "an example without answers has nothing wrong with it: return True",
    ),
]


@checker("1.1")
def check_answers_fit(answers_fit: Callable) -> str:
    """``answers_fit(example) -> bool``: whether every answer is where its start says."""

    def judge(name: str, example: dict, expected: bool, message: str) -> None:
        try:
            result = call(answers_fit, copy.deepcopy(example))
        except IndexError as error:
            if name != "none":
                raise
            raise Wrong(
                "an unanswerable question has two empty lists, and your function asks for the first item of one"
            ) from error
        if result is None:
            raise Wrong("your function returned None: does every path through it end with a return?")
        if bool(result) is not expected:
            raise Wrong(message)

    judge_each(_FITS, judge, "examples")
    return "correct. Every answer is cut out at its start and compared"


_OCCURRENCES = [
    ("The mill burned in 1874; the miller rebuilt the mill.", "mill", [4, 29, 48]),
    ("Built in 1874.", "1902", []),
    ("banana", "ana", [1, 3]),
    ("It cost $4.20 (about £3), not $4x20.", "$4.20", [8]),
    ("Rebuilt (c. 1874), sold (c. 1874)", "(c. 1874)", [8, 24]),
    ("The bell: the old bell.", "the", [10]),
    ("2 May 1902", "2", [0, 9]),
]


def _find_all(context: str, text: str) -> list[int]:
    return [k for k in range(len(context)) if context.startswith(text, k)]


def _words_only(context: str, text: str) -> list[int]:
    def inside(k):
        return 0 <= k < len(context) and context[k].isalnum()

    return [k for k in _find_all(context, text) if not inside(k - 1) and not inside(k + len(text))]


def _without_overlap(context: str, text: str) -> list[int]:
    places, begin = [], 0
    while (k := context.find(text, begin)) >= 0:
        places.append(k)
        begin = k + len(text)
    return places


def _as_pattern(context: str, text: str) -> list[int]:
    return [match.start() for match in re.finditer(text, context)]


@checker("1.2")
def check_occurrences(occurrences: Callable) -> str:
    """``occurrences(context, text) -> list[int]``: every start of text in context, overlapping ones too."""

    def judge(context: str, text: str, expected: list[int]) -> None:
        try:
            result = call(occurrences, context, text)
        except re.error as error:
            raise Wrong(_PATTERN) from error
        message = _about_occurrences(context, text, expected, result)
        if message:
            raise Wrong(message)

    judge_each(_OCCURRENCES, judge, "texts")
    return "correct. You find all places, overlapping ones too, and no others"


_PATTERN = (
    "in a regular expression, characters such as $ . ( ) have a special meaning: escape the text (re.escape), or do "
    "without regular expressions"
)


def _about_occurrences(context: str, text: str, expected: list[int], result) -> str:
    case = f"{text!r} in {context!r}"
    if isinstance(result, int):
        if result == context.count(text):
            return f"{case}: you return how many places there are; return where each of them starts"
        return f"{case}: you return one number; return a list of all starts (an empty one if the text does not occur)"
    if not isinstance(result, (list, tuple)):
        return f"{case}: return a list of numbers, not {type(result).__name__}"
    result = list(result)
    if result == expected:
        return ""
    if result == [-1]:
        return f"{case}: find returns -1 where it finds nothing; the list should be empty"
    if all(isinstance(k, str) for k in result) and result:
        return f"{case}: you return the texts found; return the positions at which they start"
    if result == _without_overlap(context, text):
        return f"{case}: places that overlap are missing; after a hit at k, continue from k + 1"
    if len(expected) > 1 and result == expected[:1]:
        return f"{case}: you find only the first place; go on searching after it until nothing is left"
    if result == _find_all(context.lower(), text.lower()):
        return f"{case}: upper and lower case differ, but your function treats them alike"
    if result == _words_only(context, text):
        return f"{case}: places inside longer words count as well, but you keep only whole words"
    if result == _as_pattern(context, text):
        return f"{case} should give {expected}, not {result}: {_PATTERN}"
    if any(isinstance(k, int) and not context.startswith(text, k) for k in result):
        extra = next(k for k in result if isinstance(k, int) and not context.startswith(text, k))
        found = context[max(extra, 0) : max(extra, 0) + len(text)]
        return (
            f"{case}: the text at {extra} is {found!r}, a different one"
            if found
            else f"{case}: {extra} is outside the context"
        )
    return f"{case} should give {expected}, not {result}"


_BELL = "The bell weighs 793 kg. A bell of 793 kg needs a frame; the old bell weighed 79 kg."
_REPAIRS = [  # context, text, start, expected
    (_BELL, "793 kg", 16, 16),
    (_BELL, "793 kg", 15, 16),
    (_BELL, "793 kg", 38, 34),
    (_BELL, "793 kg", 30, 34),
    (_BELL, "793 kg", 200, 34),
    (_BELL, "793 kg", 25, 16),
    (_BELL, "bell", 40, 26),
    (_BELL, "The", 2, 0),
    (_BELL, "clapper", 12, None),
]


@checker("1.3")
def check_repair(repair: Callable) -> str:
    """``repair(context, text, start) -> int | None``: the occurrence nearest to start."""
    results = call_each(repair, [case[:3] for case in _REPAIRS])
    good = [result == case[3] and not isinstance(result, bool) for case, result in zip(_REPAIRS, results)]
    if all(good):
        return "correct. You find the nearest place in both directions, and return None where there is none"
    complain_of_errors(results, good, lambda k: _given(*_REPAIRS[k]), "starts")
    wrong = [(case, result) for case, result, fine in zip(_REPAIRS, results, good) if not fine]
    raise partly(_about_repair(wrong), good, "starts")


def _given(context: str, text: str, start: int, expected: int | None) -> str:
    nowhere = ", which does not occur in the context (return None)" if expected is None else ""
    return f"{text!r}, given at {start}{nowhere}"


def _about_repair(wrong: list) -> str:
    (context, text, start, expected), result = wrong[0]
    case = f"{text!r}, given at {start}"
    places = _find_all(context, text)
    if expected is None:
        return f"{case}, does not occur in the context: return None, not {result!r}"
    if expected == 0 and len(places) == 1 and (result is None or result is False or result in (-1, start)):
        return (
            f"{case}, is at 0: your function returns {result!r}. 0 is a place, but Python treats it as false, so `or` and "
            "`if place` lose it. Ask `is None` instead"
        )
    if result is None or result == -1:
        start_too_high = all(case[3] < case[2] for case, _ in wrong if case[3] is not None)
        if start_too_high:
            return f"{case}, is at {expected}: you search forwards only, but a start can also be too high"
        return f"{case}, is at {expected}: your function finds no place"
    if result in places and abs(result - start) == abs(expected - start):
        return f"{case}: {result} and {expected} are equally near; return the earlier one"
    if all(result == _find_all(case[0], case[1])[0] for case, result in wrong if case[3] is not None):
        return f"{case}: {result} is the first place, but {expected} is nearer to {start}. Compare the distances"
    if result == start:
        return f"{case}: you return the start you were given, but the text is not there"
    if all(result == max(_find_all(*case[:2])) for case, result in wrong if case[3] is not None):
        return f"{case}: {result} is the last place, but {expected} is nearer. Compare the distances"
    if result in places:
        return f"{case}: the text does occur at {result}, but {expected} is nearer to {start}. A distance has no sign"
    return f"{case}: the text is at {places}, and the nearest of these is {expected}; you return {result!r}"
