"""Checkers for the exercises, a module per lesson: each one runs the student's answer and says what it found.

A checker never raises because of the student's code. Its message points to the idea that is missing, not to a line of
code. ``catalogue`` lists all exercises.
"""

import functools
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Feedback:
    """What a checker found: ``passed``, a ``message``, and ``share``, the share of the answer that is right, in 0..1.

    ``started`` is False if the stub is unchanged. ``note`` says why the result could not be saved for ``qa.progress()``.
    """

    exercise: str
    passed: bool
    message: str
    share: float = 0.0
    started: bool = True
    note: str = ""

    def __repr__(self) -> str:
        mark = "✔" if self.passed else ("✘" if self.started else "○")
        return f"{mark} Exercise {self.exercise}: {self.message}" + (f"\n  ({self.note})" if self.note else "")


class Wrong(Exception):
    """Raised inside a checker: the answer is wrong, ``message`` explains how, and ``share`` says how much is right."""

    def __init__(self, message: str, share: float = 0.0):
        super().__init__(message)
        self.share = share


class NotStarted(Exception):
    """Raised inside a checker: the stub has not been changed yet."""


def checker(exercise: str) -> Callable:
    """Turn a function (answer → praise) into a checker (answer → :class:`Feedback`).

    The function returns a sentence if everything is right and raises :class:`Wrong` if not. ``...`` (the stub), as the
    answer itself or as the result of the student's function, means that the exercise has not been started. Any exception
    from the student's code becomes feedback, too. The results are saved for ``qa.progress()``.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def check(*answers, **options) -> Feedback:
            feedback = judge(*answers, **options)
            if not feedback.started:
                return feedback
            from ..progress import record

            return Feedback(**vars(feedback) | {"note": record(exercise, feedback.passed, feedback.share)})

        def judge(*answers, **options) -> Feedback:
            _LAST.clear()
            if any(answer is ... for answer in answers):
                return Feedback(exercise, False, _OPEN, started=False)
            try:
                return Feedback(exercise, True, function(*answers, **options), share=1.0)
            except Wrong as wrong:
                return Feedback(exercise, False, str(wrong), share=min(max(wrong.share, 0.0), _NEARLY))
            except NotStarted:
                return Feedback(exercise, False, _OPEN, started=False)
            except (Exception, SystemExit) as error:
                return Feedback(exercise, False, what_was_raised(error))

        return check

    return decorate


def call(function: Callable, *arguments, **options):
    """Call the student's function; if it returns ``...``, the stub is unchanged and :class:`NotStarted` is raised."""
    if not callable(function):
        raise Wrong(f"the checker expects a function, but got {function!r}. Did you use its name for something else?")
    try:
        result = function(*arguments, **options)
    except (Exception, SystemExit) as error:
        error.by_student = True  # tells it from errors of the checker itself, which an odd result may cause
        raise
    if result is ...:
        raise NotStarted
    _LAST[:] = [result]
    return result


def judge_each(
    cases: Iterable[Sequence], judge: Callable, noun: str = "cases", describe: Callable = lambda *case: ""
) -> None:
    """Call ``judge(*case)`` for every case, which raises if the case is wrong; raise :class:`Wrong` if any case is.

    ``describe(*case)`` names a case in which the student's code raises.

    The message is that of the first wrong case, preceded by the number of cases that are right. The share is that of the
    right cases, or the one that ``judge`` gave for the idea, whichever is larger.
    """
    faults, cases = {}, list(cases)
    for k, case in enumerate(cases):
        try:
            judge(*case)
        except NotStarted:
            raise
        except Wrong as wrong:
            faults[k] = wrong
        except (Exception, SystemExit) as error:
            faults[k] = Wrong(": ".join(filter(None, (describe(*case), what_was_raised(error)))))
    if faults:
        first = faults[min(faults)]
        raise partly(str(first), [k not in faults for k in range(len(cases))], noun, first.share)


def partly(message: str, good: Sequence[bool], noun: str = "cases", share: float = 0.0) -> Wrong:
    """A :class:`Wrong` that says how many cases are right, if any, and which of the others to look at first."""
    right = sum(map(bool, good))
    if right and right < len(good):
        message = (
            f"{right} of {len(good)} {noun} right; look at the {ordinal(list(map(bool, good)).index(False))}: {message}"
        )
    return Wrong(message, max(share, right / len(good)))


@dataclass(frozen=True, eq=False)
class Raised:
    """Takes the place of a result: the exception that the student's code raised instead. It equals no result."""

    error: BaseException


def call_each(function: Callable, cases: Iterable[Sequence]) -> list:
    """The results of all calls, with :class:`Raised` for those that fail, for checkers that look at them together."""
    results = []
    for case in cases:
        try:
            results.append(call(function, *case))
        except (NotStarted, Wrong):
            raise
        except (Exception, SystemExit) as error:
            results.append(Raised(error))
    return results


def complain_of_errors(results: Sequence, good: Sequence[bool], describe: Callable, noun: str = "cases") -> None:
    """Raise :class:`Wrong` if the student's code raised anywhere; ``describe(k)`` names that case."""
    for k, result in enumerate(results):
        if isinstance(result, Raised):
            # The message describes the case that raised, so it need not say which one to look at.
            right = f"{sum(map(bool, good))} of {len(good)} {noun} right; " if any(good) else ""
            raise Wrong(f"{right}{describe(k)}: {what_was_raised(result.error)}", sum(map(bool, good)) / len(good))


def never_improved(found, first: int = 0) -> bool:
    """Whether the result of a search is still its initial value: None, no places, or ``first`` for each place."""
    return found is None or all(part in (None, first, 0, -1) for part in found)


def what_was_raised(error: BaseException) -> str:
    """A sentence about an exception that the student's code raised, or that its result caused in the checker."""
    if getattr(error, "by_student", False):
        return f"your code raised {type(error).__name__}: {error}"
    if _LAST and _LAST[0] is None:
        return "your function returned None: does every path through it end with a return?"
    if _LAST:
        return f"your function returned {reprlib.repr(_LAST[0])}, which is not the kind of result asked for"
    return f"your answer made the checker fail with {type(error).__name__}: {error}"


def ordinal(k: int) -> str:
    """Position ``k`` (from 0) in words: first, second, …"""
    words = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
    ending = {1: "st", 2: "nd", 3: "rd"}.get((k + 1) % 10, "th") if (k + 1) % 100 not in (11, 12, 13) else "th"
    return words[k] if k < len(words) else f"{k + 1}{ending}"


_LAST: list = []  # the student's last result, to be named if the checker fails on it
_NEARLY = 0.95  # the largest share for an answer that is not right
_OPEN = "still open. Replace the ... with your code and run the cell again"
