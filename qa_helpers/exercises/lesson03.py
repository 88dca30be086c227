"""Lesson 03, stride windows: whose windows, the edges, the window with the most context."""

from . import Wrong, call, checker

MAPPINGS = [
    ([0, 0, 1, 2, 2, 2], [[0, 1], [2], [3, 4, 5]]),
    ([0, 1, 1, 1, 1, 2, 3, 3], [[0], [1, 2, 3, 4], [5], [6, 7]]),
    ([3, 1, 3, 2], [[], [1], [3], [0, 2]]),  # in any order, and an example without windows
]


@checker("3.1")
def check_windows_of(windows_of) -> str:
    """``windows_of(mapping, example)``: the positions in ``mapping`` at which ``example`` stands."""
    for mapping, expected in MAPPINGS:
        for example, right in enumerate(expected):
            found = call(windows_of, list(mapping), example)
            case = f"windows_of({mapping}, {example})"
            if isinstance(found, int):
                if found == mapping.count(example):
                    raise Wrong(f"{case} gave {found}: that is how many windows there are; return which ones", 0.3)
                if found == mapping[example]:
                    raise Wrong(
                        f"{case} gave {found}: you looked up mapping[example], but the mapping is read the other way: "
                        "its positions are features, its values examples"
                    )
                raise Wrong(f"{case} gave the number {found}; a list of features is wanted", 0.1)
            found = [int(k) for k in found]
            if found == right:
                continue
            if found == [value for value in mapping if value == example] and found != right:
                raise Wrong(
                    f"{case} gave {found}: these are the values; you want the positions at which they stand", 0.4
                )
            if right and found == list(range(right[0], right[-1] + 1)):
                raise Wrong(f"{case} gave {found}: the windows of an example need not stand side by side", 0.6)
            each = len(mapping) // (max(mapping) + 1)
            if found == list(range(example * each, (example + 1) * each)):
                raise Wrong(f"{case} gave {found}: examples do not all have the same number of windows", 0.2)
            raise Wrong(f"{case} gave {found}, expected {right}")
    return "right. Every value of the mapping names the example of the feature at that position"


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
    """``window_edges(n, room, stride)``: context tokens [start, end) of every window."""
    good = 0
    for n, room, stride in SIZES:
        right = _edges(n, room, stride)
        found = [(int(a), int(b)) for a, b in call(window_edges, n, room, stride)]
        if found == right:
            good += 1
            continue
        share = good / len(SIZES)
        case = f"window_edges(n={n}, room={room}, stride={stride}) gave {_short(found)}"
        if not found:
            raise Wrong(f"{case}: even a short context needs one window", share)
        if found == [(start, end - 1) for start, end in right]:
            raise Wrong(
                f"{case}: each end is one too small. An end is the first token that is no longer in the window", 0.5
            )
        starts = [start for start, _ in found]
        if len(starts) > 1 and stride and starts[1] - starts[0] == stride and room - stride != stride:
            raise Wrong(
                f"{case}: your windows move on by the stride. The stride is what they share; they move on by room − stride",
                share,
            )
        if len(starts) > 1 and stride and starts[1] == room:
            raise Wrong(
                f"{case}: your windows share nothing; each begins {stride} tokens before the last one ends", share
            )
        if any(end > n for _, end in found):
            raise Wrong(f"{case}: a window reaches past the last token; the last window takes only what remains", share)
        if len(found) > len(right) and found[: len(right)] == right:
            raise Wrong(
                f"{case}: the last window brings no new token. Stop once the end of the context is reached", share
            )
        if len(found) < len(right) and found == right[: len(found)]:
            raise Wrong(
                f"{case}: the end of the context is missing. A window that is only partly filled is still a window: "
                "round up",
                share,
            )
        if len(found) == len(right) and found[-1][1] == n and found[-1][0] == max(0, n - room):
            raise Wrong(
                f"{case}: you moved the last window back to fill it; it shares {stride} tokens like the others", share
            )
        raise Wrong(f"{case}, expected {_short(right)}", share)
    return "right, also where one window is enough and where the last one is short"


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
    """``most_context(edges, token)``: the first window in which the token's poorer side is longest."""
    layouts = [_edges(10, 6, 2), _edges(14, 6, 2), _edges(9, 6, 5), _edges(40, 20, 15), [(0, 5)], [(0, 6), (3, 16)]]
    cases = [(edges, token) for edges in layouts for token in range(edges[-1][1])]
    found, right = [], []
    for edges, token in cases:
        found.append(call(most_context, list(edges), token))
        right.append(_choose(edges, token, min))
    if found == right:
        return "right. Each token is judged where its poorer side is longest"
    share = sum(a == b for a, b in zip(found, right)) / len(cases)

    def all_by(rule) -> bool:
        return found == [rule(edges, token) for edges, token in cases]

    if all(isinstance(f, int | float) and f == min(_context(e[r], t)) for f, r, (e, t) in zip(found, right, cases)):
        raise Wrong("you return how much context the best window gives; return the number of that window", 0.6)
    if all_by(lambda edges, token: max(range(len(edges)), key=lambda k: min(_context(edges[k], token)))):
        raise Wrong(
            "a window that does not hold the token was chosen; look only at those with start ≤ token < end", share
        )
    if all_by(lambda edges, token: _choose(edges, token, lambda left, right: 0)):
        raise Wrong("you always take the first window with the token; compare all that hold it", share)
    if all_by(lambda edges, token: _choose(edges, token, lambda left, right: left + right)):
        raise Wrong(
            "you add left and right. In full windows that sum is the same for every token; what counts is the smaller of the two",
            share,
        )
    if all_by(lambda edges, token: _choose(edges, token, max)):
        raise Wrong(
            "you judge by the richer side, which favours the edges; the poorer side decides: min, not max", share
        )
    reverse = [len(e) - 1 - _choose([(-b + 1, -a + 1) for a, b in e[::-1]], -t, min) for e, t in cases]
    if found == reverse:
        raise Wrong("nearly: where two windows are equally good, the first is wanted, not the last", share)
    for (edges, token), given in zip(cases, found):
        if isinstance(given, int) and 0 <= given < len(edges) and not edges[given][0] <= token < edges[given][1]:
            raise Wrong(f"token {token} is not in window {given} of {edges}; look only at windows that hold it", share)
    for (edges, token), given, expected in zip(cases, found, right):
        if given != expected:
            raise Wrong(
                f"most_context({edges}, {token}) gave {given}, expected {expected}. Count the tokens strictly to its left "
                "and strictly to its right within the window (the end is not in it), and take the smaller number",
                share,
            )
    raise Wrong("some result is not a whole number; return the number of a window", share)
