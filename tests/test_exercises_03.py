"""Answers to the exercises of lesson 03, right and wrong (``test_exercises.py`` tries them)."""

import math

from exercise_checks import Answers, answers

from qa_helpers.classroom.exercises import lesson03


@answers("3.1")
def windows_of_answers():
    def with_a_loop(mapping, example):
        found = []
        for position in range(len(mapping)):
            if mapping[position] == example:
                found.append(position)
        return tuple(found)

    def side_by_side(mapping, example):
        if example not in mapping:
            return []
        first = mapping.index(example)
        last = len(mapping) - 1 - mapping[::-1].index(example)
        return list(range(first, last + 1))

    def fails_where_there_is_none(mapping, example):
        mapping.index(example)
        return with_a_loop(mapping, example)

    return Answers(
        right=[lambda mapping, example: [k for k, owner in enumerate(mapping) if owner == example], with_a_loop],
        wrong={
            "the number of its windows": lambda mapping, example: mapping.count(example),
            "only the first of its windows": lambda mapping, example: (
                mapping.index(example) if example in mapping else 0
            ),
            "windows_of([3, 1, 3, 2], 0): your code raised": fails_where_there_is_none,
            "works the other way": lambda mapping, example: mapping[example],
            "the positions where they occur": lambda mapping, example: [v for v in mapping if v == example],
            "same number of windows": lambda mapping, example: list(range(example * 2, example * 2 + 2)),
            "next to each other": side_by_side,
        },
    )


def edges_by_formula(n, room, stride):
    count = 1 if n <= room else 1 + math.ceil((n - room) / (room - stride))
    return [(k * (room - stride), min(k * (room - stride) + room, n)) for k in range(count)]


def edges_by_loop(n, room, stride):
    start, edges = 0, []
    while True:
        edges.append([start, min(start + room, n)])
        if start + room >= n:
            return edges
        start += room - stride


def moved_by_stride(n, room, stride):
    return [(k, min(k + room, n)) for k in range(0, max(1, n - room + stride), stride or room)]


def filled_at_the_end(n, room, stride):
    *others, (_, end) = edges_by_formula(n, room, stride)
    return [*others, (max(0, end - room), end)]


def rounded_down(n, room, stride):
    count = 1 if n <= room else 1 + (n - room) // (room - stride)
    return edges_by_formula(n, room, stride)[:count]


def loop_that_moves_by_stride(n, room, stride):
    start, edges = 0, []
    while not edges or edges[-1][1] < n:
        assert len(edges) < 1000, "this would never end"
        edges.append((start, min(start + room, n)))
        start += stride
    return edges


@answers("3.2")
def window_edges_answers():
    return Answers(
        right=[edges_by_formula, edges_by_loop],
        wrong={
            "move on by the stride": moved_by_stride,
            "share nothing": lambda n, room, stride: [(k, min(k + room, n)) for k in range(0, n, room)],
            "no new token": lambda n, room, stride: [(k, min(k + room, n)) for k in range(0, n, room - stride)],
            "after the last token": lambda n, room, stride: [
                (a, a + room) for a, _ in edges_by_formula(n, room, stride)
            ],
            "too small by one": lambda n, room, stride: [(a, b - 1) for a, b in edges_by_formula(n, room, stride)],
            "round up": rounded_down,
            "to fill it": filled_at_the_end,
            "needs one window": lambda n, room, stride: edges_by_formula(n, room, stride) if n > room else [],
        },
    )


def best(value, last=False):
    def choose(edges, token):
        holders = [k for k, (start, end) in enumerate(edges) if start <= token < end]
        if last:
            holders = holders[::-1]
        return max(holders, key=lambda k: value(token - edges[k][0], edges[k][1] - 1 - token))

    return choose


def with_a_loop(edges, token):
    winner, most = None, -1
    for k, (start, end) in enumerate(edges):
        if token in range(start, end) and min(token - start, end - token - 1) > most:
            winner, most = k, min(token - start, end - token - 1)
    return winner


def begun_at_zero(edges, token):
    winner, most = None, 0
    for k, (start, end) in enumerate(edges):
        if token in range(start, end) and min(token - start, end - token - 1) > most:
            winner, most = k, min(token - start, end - token - 1)
    return winner


@answers("3.3")
def most_context_answers():
    return Answers(
        right=[best(min), with_a_loop],
        wrong={
            "the first window with the token": best(lambda left, right: 0),
            "add left and right": best(lambda left, right: left + right),
            "richer side": best(max),
            "not the last": best(min, last=True),
            "number of that window": lambda edges, token: max(
                min(token - start, end - 1 - token) for start, end in edges if start <= token < end
            ),
            "strictly to its right": lambda edges, token: max(
                (k for k, (a, b) in enumerate(edges) if a <= token < b),
                key=lambda k: min(token - edges[k][0], edges[k][1] - token),
            ),
            "begins at 0 is never beaten": begun_at_zero,
            "hold": lambda edges, token: 0,
        },
    )


def test_a_loop_that_would_never_end_without_overlap_is_told_of_its_mistake_before():
    assert "But the stride is what they share" in lesson03.check_window_edges(loop_that_moves_by_stride).message
