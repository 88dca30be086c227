"""Checkers of the exercises, a module per lesson: each takes what the student wrote and says what it sees.

A checker never raises because of the student's code. Its message points at the idea that is missing, not at a line.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Feedback:
    """What a checker found: ``passed``, a ``message``, and ``share``, the part that is right, in 0..1."""

    exercise: str
    passed: bool
    message: str
    share: float = 0.0
    started: bool = True

    def __repr__(self) -> str:
        mark = "✔" if self.passed else ("✘" if self.started else "○")
        return f"{mark} Exercise {self.exercise}: {self.message}"


class Wrong(Exception):
    """Raised inside a checker: the answer is wrong in a way that ``message`` explains; ``share`` of it is right."""

    def __init__(self, message: str, share: float = 0.0):
        super().__init__(message)
        self.share = share


class NotStarted(Exception):
    """Raised inside a checker: the stub is still as it was handed out."""


def checker(exercise: str) -> Callable:
    """Turn a function (answer → praise) into a checker (answer → :class:`Feedback`).

    The function returns a sentence when all is right and raises :class:`Wrong` when not. ``...`` (the stub), as the
    answer itself or as what the student's function returns, counts as not started; anything else that the student's
    code raises becomes feedback too.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def check(*answers, **options) -> Feedback:
            if any(answer is ... for answer in answers):
                return Feedback(exercise, False, _OPEN, started=False)
            try:
                return Feedback(exercise, True, function(*answers, **options), share=1.0)
            except Wrong as wrong:
                return Feedback(exercise, False, str(wrong), share=wrong.share)
            except NotStarted:
                return Feedback(exercise, False, _OPEN, started=False)
            except Exception as error:
                return Feedback(exercise, False, f"your code raised {type(error).__name__}: {error}")

        return check

    return decorate


def call(function: Callable, *arguments, **options):
    """The student's function's result; an untouched stub (it returns ``...``) raises :class:`NotStarted`."""
    result = function(*arguments, **options)
    if result is ...:
        raise NotStarted
    return result


_OPEN = "still open. Replace the ... with your code and run the cell again"
