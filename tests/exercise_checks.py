"""Answers to the exercises, right and wrong, for ``test_exercises.py``: each lesson's test file enters its own here."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Answers:
    """Other ways to solve an exercise, and wrong answers by the idea that the checker's message must name."""

    right: list[Callable]
    wrong: dict[str, Callable]


ANSWERS: dict[str, Callable[[], Answers]] = {}


def answers(number: str) -> Callable:
    """Enter the function's :class:`Answers` under the exercise's number."""

    def enter(function: Callable[[], Answers]) -> Callable[[], Answers]:
        assert number not in ANSWERS, f"answers to exercise {number} are entered twice"
        ANSWERS[number] = function
        return function

    return enter


def leave(*_):
    """Ends the kernel, if nobody catches it."""
    raise SystemExit


class Rude:
    """Cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no")


# What a student may hand in by accident: of another type, of another shape, broken, or no function at all.
NONSENSE = {
    "a number": lambda *_: 7,
    "a fraction": lambda *_: 7.5,
    "an error": lambda *_: 1 / 0,
    "a text": lambda *_: "text",
    "an empty list in a list": lambda *_: [[]],
    "None": lambda *_: None,
    "a pair of two kinds": lambda *_: (0, "x"),
    "an object": lambda *_: object(),
    "an object that cannot be shown": lambda *_: Rude(),
    "a tensor": lambda *_: torch.ones(3),
    "the end of the program": leave,
    "a function of no arguments": lambda: 0,
    "no function, but None": None,
    "no function, but a number": 3,
}


def give_partial_credit(check: Callable, answer: Callable, least: float, most: float) -> str:
    """The message about an answer of which part is right; its share lies within the bounds."""
    feedback = check(answer)
    assert feedback.started and not feedback.passed and least <= feedback.share <= most, feedback
    return feedback.message
