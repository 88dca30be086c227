"""Answers to the exercises of lesson 12, right and wrong (``test_exercises.py`` tries them)."""

import math
import statistics

import numpy as np
from exercise_checks import Answers, answers, give_partial_credit

from qa_helpers.classroom.exercises import lesson12


def share_lost(matrix, scale=None, size=np.linalg.norm):
    scale = np.abs(matrix).max() / 127 if scale is None else scale
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(size(matrix - np.round(matrix / scale) * scale) / size(matrix))


def worst_by(measure):
    return lambda matrices: max(matrices, key=lambda name: measure(matrices[name]))


def error_of(matrix):
    """Written with loops, and squares instead of a norm."""
    numbers = matrix.ravel().tolist()
    step = max(map(abs, numbers)) / 127
    if not step:
        return 0.0
    return math.sqrt(sum((n - round(n / step) * step) ** 2 for n in numbers) / sum(n * n for n in numbers))


def without_care_for_zeros(matrices):
    """A matrix of zeros gives NaN, which is greater than nothing and smaller than nothing."""
    worst, most = None, None
    for name, matrix in matrices.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.abs(matrix).max() / 127
            error = np.linalg.norm(matrix - np.round(matrix / scale) * scale) / np.linalg.norm(matrix)
        if most is None or error > most:
            worst, most = name, error
    return worst


@answers("12.1")
def worst_matrix_answers():
    return Answers(
        right=[worst_by(share_lost), worst_by(error_of), lambda m: sorted(m, key=lambda name: -error_of(m[name]))[0]],
        wrong={
            "hurt least": worst_by(lambda m: -share_lost(m)),
            "whatever its sign": worst_by(lambda m: share_lost(m, m.max() / 127)),
            "divide by the size of the matrix": worst_by(
                lambda m: (
                    np.linalg.norm(m - np.round(m / (np.abs(m).max() / 127)) * np.abs(m).max() / 127) if m.any() else 0
                )
            ),
            "not by its largest number": worst_by(
                lambda m: (
                    np.linalg.norm(m - np.round(m / (np.abs(m).max() / 127)) * np.abs(m).max() / 127) / np.abs(m).max()
                    if m.any()
                    else 0
                )
            ),
            "a scale of its own": worst_by(lambda m: share_lost(m, np.abs(m).max(axis=0) / 127)),
            "does not decide": worst_by(lambda m: np.abs(m).max()),
            "do not divide by it": without_care_for_zeros,
            "return the name of a matrix": lambda m: max(share_lost(matrix) for matrix in m.values()),
        },
    )


def choose(middle=statistics.median, allowed=lambda t, longest: t <= longest, worth=lambda size, t: size / t, order=1):
    def solution(seconds, longest):
        times = {size: middle(runs) for size, runs in seconds.items()}
        sizes = sorted((size for size in times if allowed(times[size], longest)), key=lambda size: order * size)
        return max(sizes, key=lambda size: worth(size, times[size]), default=None)

    return solution


def choose_by_loop(seconds, longest):
    best, most = None, 0.0
    for size in sorted(seconds):
        typical = sorted(seconds[size])[len(seconds[size]) // 2]
        if typical <= longest and size / typical > most:
            best, most = size, size / typical
    return best


@answers("12.2")
def choose_batch_answers():
    return Answers(
        right=[choose(), choose_by_loop, lambda *given: (found := choose()(*given)) and np.int64(found)],
        wrong={
            "That batch is done first": choose(worth=lambda size, t: -t),
            "The largest batch does not answer the most": choose(worth=lambda size, t: size),
            "would wait too long": choose(allowed=lambda t, longest: True),
            "The mean follows": choose(middle=statistics.mean),
            "The slowest run": choose(middle=max),
            "The fastest run": choose(middle=min),
            "exactly as long": choose(allowed=lambda t, longest: t < longest),
            "return None": lambda seconds, longest: choose()(seconds, longest) or min(seconds),
            "take the smaller": choose(order=-1),
            "not its seconds": lambda *given: (
                (found := choose()(*given)) and found / statistics.median(given[0][found])
            ),
            "a disturbed run took longer than a batch may": every_run_in_time,
            "Some sizes are within": lambda seconds, longest: choose()(seconds, longest) if len(seconds) > 2 else None,
        },
    )


def every_run_in_time(seconds, longest):
    within = {size: runs for size, runs in seconds.items() if max(runs) <= longest}
    return choose()(within, longest)


def line_of(group):
    return f"{group['kind']}: F1 {group['F1']:.1f} ({group['low']:.1f} to {group['high']:.1f}), {group['examples']} examples"


def few_of(group):
    return f"{group['kind']}: only {group['examples']} examples, too few for a score"


def section(
    line=line_of, few=few_of, worse=lambda g, overall: g["high"] < overall, order=lambda g: g["F1"], too_few=None
):
    def solution(groups, overall, fewest):
        rare = too_few or (lambda g, fewest: g["examples"] < fewest)
        enough = [g for g in groups if not rare(g, fewest)]
        lines = [line(g) for g in sorted(enough, key=order) if worse(g, overall)]
        return lines + [few(g) for g in groups if rare(g, fewest) and few]

    return solution


def limits_by_loop(groups, overall, fewest):
    lines, few = [], []
    for group in groups:
        if group["examples"] < fewest:
            few.append("Hardly tested ({examples} questions): {kind}".format(**group))
        elif group["high"] < overall:
            text = "Questions with '{kind}' reach only {F1:.1f} [{low:.1f}, {high:.1f}] on {examples} questions."
            lines.append((group["F1"], text.format(**group)))
    return [text for _, text in sorted(lines)] + few


def rare_kinds_by_name(groups, overall, fewest):
    lines = section()(groups, overall, fewest)
    rare = sum(group["examples"] < fewest for group in groups)
    return [*lines[: len(lines) - rare], *reversed(lines[len(lines) - rare :])]


def rare_kinds_first(groups, overall, fewest):
    return sorted(section()(groups, overall, fewest), key=lambda line: "only" not in line)


@answers("12.3")
def limits_answers():
    return Answers(
        right=[section(), limits_by_loop, lambda *given: tuple(section()(*given)), rare_kinds_by_name],
        wrong={
            "that may be chance": section(worse=lambda g, overall: g["F1"] < overall),
            "an interval ends at the overall score": section(worse=lambda g, overall: g["high"] <= overall),
            "no worse than the whole": section(worse=lambda g, overall: True),
            "it has no line": section(worse=lambda g, overall: g["high"] < overall - 15),
            "lacks its F1": section(line=lambda g: f"{g['kind']} ({g['low']:.1f} to {g['high']:.1f}), {g['examples']}"),
            "otherwise than with one decimal": section(
                line=lambda g: f"{g['kind']} {g['F1']:.0f}, {g['low']:.1f}, {g['high']:.1f}"
            ),
            "lacks its interval": section(line=lambda g: f"{g['kind']}: F1 {g['F1']:.1f} on {g['examples']} examples"),
            "lacks the number of examples": section(line=lambda g: line_of(g).split("),")[0]),
            "another order": section(order=lambda g: -g["F1"]),
            "one kind is worse, and one has few examples": rare_kinds_first,
            "no line says so": lambda groups, overall, fewest: [
                line for line in section()(groups, overall, fewest) if "only" not in line
            ],
            "leave the score out": section(few=lambda g: few_of(g) + f": {g['F1']:.1f}"),
            "say how few examples": section(few=lambda g: f"{g['kind']}: too few examples"),
            "a kind has just enough examples": section(too_few=lambda g, fewest: g["examples"] <= fewest),
            "one is enough": lambda *given: 2 * section()(*given),
            "add no others": lambda *given: [*section()(*given), "and nothing else"],
            "return a list": lambda *given: "\n".join(section()(*given)),
            "lines of text": lambda *given: [{"line": line} for line in section()(*given)],
        },
    )


def test_more_of_the_limits():
    message = give_partial_credit(lesson12.check_limits, section(order=lambda g: g["kind"]), 0.5, 0.95)
    assert "another order" in message or "right; look at" in message
