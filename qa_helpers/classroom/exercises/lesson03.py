"""Lesson 03, stride windows: the windows of an example, their edges, and the window with the most context for a token."""

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly

MAPPINGS = [
    ([0, 0, 1, 2, 2, 2], [[0, 1], [2], [3, 4, 5]]),
    ([0, 1, 1, 1, 1, 2, 3, 3], [[0], [1, 2, 3, 4], [5], [6, 7]]),
    ([3, 1, 3, 2], [[], [1], [3], [0, 2]]),  # in any order, and example 0 has no windows
]


@checker("3.1")
def check_windows_of(windows_of) -> str:
    """``windows_of(mapping, example)``: the positions in ``mapping`` whose value is ``example``."""
    cases = [(mapping, k, right) for mapping, expected in MAPPINGS for k, right in enumerate(expected)]
    cases.sort(key=lambda case: case[1] == 0)  # example 0 last: in its first mapping, most mistakes give the same

    def name(mapping: list[int], example: int, *_) -> str:
        return f"windows_of({mapping}, {example})"

    def judge(mapping: list[int], example: int, right: list[int]) -> None:
        found = call(windows_of, list(mapping), example)
        case = name(mapping, example)
        if isinstance(found, int):
            if found == mapping.count(example):
                raise Wrong(f"{case} gave {found}: that is the number of its windows; return a list of them")
            if found == mapping[example]:
                raise Wrong(
                    f"{case} gave {found}: that is mapping[example], but the mapping works the other way: its "
                    "positions are features, and its values are examples"
                )
            if example in mapping and found == mapping.index(example):
                raise Wrong(f"{case} gave {found}: that is only the first of its windows; return a list of them all")
            raise Wrong(f"{case} gave the number {found}; return a list of features")
        found = [int(k) for k in found]
        if found == right:
            return
        if found == [value for value in mapping if value == example]:
            raise Wrong(f"{case} gave {found}: these are values of the mapping; return the positions where they occur")
        if right and found == list(range(right[0], right[-1] + 1)):
            raise Wrong(f"{case} gave {found}: the windows of an example need not be next to each other")
        each = len(mapping) // (max(mapping) + 1)
        if found == list(range(example * each, (example + 1) * each)):
            raise Wrong(f"{case} gave {found}: not all examples have the same number of windows")
        raise Wrong(f"{case} gave {found}, expected {right}")

    judge_each(cases, judge, "examples", name)
    return "right. Each value of the mapping is the example that the feature at its position was cut from"


# (n, room, stride)
SIZES = [
    (10, 6, 2),
    (6, 6, 2),
    (5, 6, 2),
    (7, 6, 0),
    (12, 6, 0),
    (14, 6, 2),
    (11, 6, 5),
    (120, 83, 50),
    (300, 83, 50),
    (1, 6, 2),
]


def _edges(n: int, room: int, stride: int) -> list[tuple[int, int]]:
    edges = [(0, min(room, n))]
    while edges[-1][1] < n:
        start = edges[-1][1] - stride
        edges.append((start, min(start + room, n)))
    return edges


@checker("3.2")
def check_window_edges(window_edges) -> str:
    """``window_edges(n, room, stride)``: the context tokens [start, end) of every window."""

    def judge(n: int, room: int, stride: int) -> None:
        right = _edges(n, room, stride)
        found = [(int(a), int(b)) for a, b in call(window_edges, n, room, stride)]
        if found == right:
            return
        case = f"window_edges(n={n}, room={room}, stride={stride}) gave {_short(found)}"
        if not found:
            raise Wrong(f"{case}: even a short context needs one window")
        if found == [(start, end - 1) for start, end in right]:
            raise Wrong(
                f"{case}: each end is too small by one. Ends are exclusive: one past the last token of the window", 0.5
            )
        starts = [start for start, _ in found]
        if len(starts) > 1 and stride and starts[1] - starts[0] == stride and room - stride != stride:
            raise Wrong(
                f"{case}: your windows move on by the stride. But the stride is what they share: they move on by room − stride"
            )
        if len(starts) > 1 and stride and starts[1] == room:
            raise Wrong(
                f"{case}: your windows share nothing; each should begin {stride} tokens before its predecessor ends"
            )
        if any(end > n for _, end in found):
            raise Wrong(f"{case}: a window goes on after the last token; the last window takes only what remains")
        if len(found) > len(right) and found[: len(right)] == right:
            raise Wrong(
                f"{case}: the last window adds no new token. Stop as soon as a window reaches the end of the context"
            )
        if len(found) < len(right) and found == right[: len(found)]:
            raise Wrong(
                f"{case}: the end of the context is missing. A window that is only partly filled is still a window, so "
                "round up"
            )
        if len(found) == len(right) and found[-1][1] == n and found[-1][0] == max(0, n - room):
            raise Wrong(
                f"{case}: you moved the last window back to fill it, but it shares {stride} tokens like all the others"
            )
        raise Wrong(f"{case}, expected {_short(right)}")

    # A loop that moves on by the stride would never end where the stride is 0, so it is first told of its mistake elsewhere.
    judge_each([size for size in SIZES if size[2]], judge, "contexts")
    judge_each(SIZES, judge, "contexts")
    return "right, even if one window is enough or the last one is short"


def _short(edges: list) -> str:
    return str(edges) if len(edges) <= 4 else f"[{edges[0]}, {edges[1]}, … {edges[-1]}]"


def _context(edge: tuple[int, int], token: int) -> tuple[int, int]:
    return token - edge[0], edge[1] - 1 - token


def _choose(edges, token: int, value) -> int:
    """The first window with the token for which ``value(left, right)`` is greatest."""
    holders = [k for k, (start, end) in enumerate(edges) if start <= token < end]
    return max(holders, key=lambda k: value(*_context(edges[k], token)))


@checker("3.3")
def check_most_context(most_context) -> str:
    """``most_context(edges, token)``: the first window in which the token has the most context on its poorer side."""
    layouts = [_edges(10, 6, 2), _edges(14, 6, 2), _edges(9, 6, 5), _edges(40, 20, 15), [(0, 5)], [(0, 6), (3, 16)]]
    cases = [(edges, token) for edges in layouts for token in range(edges[-1][1])]
    found = call_each(most_context, [(list(edges), token) for edges, token in cases])
    right = [_choose(edges, token, min) for edges, token in cases]
    good = [given == expected for given, expected in zip(found, right)]
    if all(good):
        return "right. Each token gets the window in which its poorer side is longest"
    complain_of_errors(found, good, lambda k: f"token {cases[k][1]} of {cases[k][0]}", "tokens")
    raise partly(_about_seat(cases, found, right), good, "tokens")


def _about_seat(cases: list, found: list, right: list) -> str:

    def all_by(rule) -> bool:
        return found == [rule(edges, token) for edges, token in cases]

    if all(isinstance(f, int | float) and f == min(_context(e[r], t)) for f, r, (e, t) in zip(found, right, cases)):
        return "you return how much context the best window gives; return the number of that window instead"
    if all_by(lambda edges, token: max(range(len(edges)), key=lambda k: min(_context(edges[k], token)))):
        return "you chose a window that does not hold the token; compare only those with start ≤ token < end"
    if all_by(lambda edges, token: _choose(edges, token, lambda left, right: 0)):
        return "you always take the first window with the token; compare all the windows that hold it"
    if all_by(lambda edges, token: _choose(edges, token, lambda left, right: left + right)):
        return "you add left and right. In full windows that sum is the same for every token; compare the smaller of the two"
    if all_by(lambda edges, token: _choose(edges, token, max)):
        return "you compare the richer sides, which favours the edges; compare the poorer ones: min, not max"
    reverse = [len(e) - 1 - _choose([(-b + 1, -a + 1) for a, b in e[::-1]], -t, min) for e, t in cases]
    if found == reverse:
        return "nearly: if two windows are equally good, return the first one, not the last"
    for (edges, token), given in zip(cases, found):
        if isinstance(given, int) and 0 <= given < len(edges) and not edges[given][0] <= token < edges[given][1]:
            return f"token {token} is not in window {given} of {edges}; compare only windows that hold it"
    for (edges, token), given in zip(cases, found):
        if given is None:
            return (
                f"most_context({edges}, {token}) gave None. The smaller of the two sides may be 0, so a best value that "
                "begins at 0 is never beaten there: begin below it"
            )
    for (edges, token), given, expected in zip(cases, found, right):
        if given != expected:
            return (
                f"most_context({edges}, {token}) gave {given}, expected {expected}. Count the tokens strictly to its left "
                "and strictly to its right within the window (whose end is exclusive), and take the smaller number"
            )
    return "a result is not a whole number; return the number of a window"
