"""Checkers of lesson 02: tokens, offsets, and which text a token belongs to.

The cases are invented, and their offsets were written by hand.
"""

from collections.abc import Callable

from . import Wrong, call, call_each, checker, complain_of_errors, judge_each, partly

_PRICE = "It cost £1,250.50 then."
_PRICE_OFFSETS = [(0, 2), (3, 7), (8, 10), (10, 11), (11, 14), (14, 15), (15, 17), (18, 22), (22, 23)]
_SPACES = "Oda’s  two   lamps"
_SPACES_OFFSETS = [(0, 3), (3, 4), (4, 5), (7, 10), (13, 16), (16, 18)]
_TEXTS = [  # text, offsets, first, last
    (_SPACES, _SPACES_OFFSETS, 0, 3),
    (_PRICE, _PRICE_OFFSETS, 2, 6),
    (_PRICE, _PRICE_OFFSETS, 1, 4),
    (_SPACES, _SPACES_OFFSETS, 3, 5),
    (_PRICE, _PRICE_OFFSETS, 7, 7),
    (_PRICE, _PRICE_OFFSETS, 0, 8),
]


@checker("2.1")
def check_text_of_tokens(text_of_tokens: Callable) -> str:
    """``text_of_tokens(text, offsets, first, last) -> str``: the characters of a span of tokens, last included."""
    results = call_each(text_of_tokens, [(text, list(offsets), *ends) for text, offsets, *ends in _TEXTS])
    right = [text[offsets[first][0] : offsets[last][1]] for text, offsets, first, last in _TEXTS]
    good = [isinstance(result, str) and result == expected for result, expected in zip(results, right)]
    if all(good):
        return "one slice of the original text, from the start of the first token to the end of the last"
    complain_of_errors(results, good, lambda k: f"tokens {_TEXTS[k][2]} to {_TEXTS[k][3]} of {_TEXTS[k][0]!r}", "texts")
    raise partly(_about_text([x for x, fine in zip(zip(_TEXTS, results), good) if not fine]), good, "texts")


def _about_text(wrong: list) -> str:
    (text, offsets, first, last), result = wrong[0]
    expected = text[offsets[first][0] : offsets[last][1]]
    case = f"tokens {first} to {last} of {text!r} are {expected!r}, you return {result!r}"
    pieces = [text[a:b] for a, b in offsets[first : last + 1]]
    if not isinstance(result, str):
        return f"{case}: return a piece of the text, as a string"
    if result == " ".join(pieces):
        return f"{case}: joining with spaces adds spaces that the text does not have; cut the text once instead"
    if result == text[offsets[first][0] : offsets[last - 1][1]]:
        return f"{case}: the last token is missing; the span includes the token last"
    if result in ("".join(pieces), "".join(pieces[:-1])):
        return f"{case}: joining the tokens loses the spaces between them; cut the text once instead"
    if result == text[offsets[first][0] : offsets[last][0]]:
        return f"{case}: you cut where the last token starts; cut where it ends"
    if result == text[first : last + 1] or result == text[first:last]:
        return f"{case}: first and last are numbers of tokens; their offsets say which characters those are"
    if result == text[offsets[first][0] : offsets[last][1] + 1]:
        return f"{case}: one character too many; the end of an offset is already one past the last character"
    if result == " ".join(expected.split()):
        return f"{case}: the double space is part of the original; leave it as it is"
    return case


def _layout(*runs: tuple[int | None, int]) -> list[int | None]:
    return [side for side, length in runs for _ in range(length)]


_LAYOUTS = [  # name, sequence ids, expected
    ("[CLS] question [SEP] context [SEP]", _layout((None, 1), (0, 4), (None, 1), (1, 6), (None, 1)), (6, 12)),
    ("padding on the right", _layout((None, 1), (0, 2), (None, 1), (1, 3), (None, 5)), (4, 7)),
    ("two separators, as with RoBERTa", _layout((None, 1), (0, 3), (None, 2), (1, 4), (None, 1)), (6, 10)),
    ("padding on the left", _layout((None, 4), (0, 2), (None, 1), (1, 3), (None, 1)), (7, 10)),
    ("a context of one token", _layout((None, 1), (0, 3), (None, 1), (1, 1), (None, 1)), (5, 6)),
]


@checker("2.2")
def check_context_tokens(context_tokens: Callable) -> str:
    """``context_tokens(sequence_ids) -> (first, beyond)``: the context's tokens as a slice."""

    def judge(name: str, sequence_ids: list, expected: tuple[int, int]) -> None:
        try:
            result = call(context_tokens, list(sequence_ids))
        except Exception as error:
            if not getattr(error, "by_student", False):
                raise
            raise Wrong(_about_layout(name, sequence_ids, expected, error)) from error
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong(f"return two numbers, (first, beyond), not {result!r}")
        if tuple(result) != expected:
            raise Wrong(_about_layout(name, sequence_ids, expected, tuple(result)))

    judge_each(_LAYOUTS, judge, "layouts")
    return "you find the context by its sequence ids, whatever surrounds it"


def _about_layout(name: str, sequence_ids: list, expected: tuple[int, int], result) -> str:
    first, beyond = expected
    case = (
        f"{name}: expected {expected}, got {result!r}" if isinstance(result, tuple) else f"{name}: expected {expected}"
    )
    if isinstance(result, Exception):
        return f"{case}, your code raised {type(result).__name__}: {result}"
    if result == (first, beyond - 1):
        return f"{case}. The second number is the last context token; beyond is one past it, like the end of a slice"
    if result == (sequence_ids.index(0), sequence_ids.index(0) + sequence_ids.count(0)):
        return f"{case}. That is the question: its tokens have a 0, the context's tokens have a 1"
    if result == (first, beyond + 1):
        return f"{case}. You included the [SEP] at the end, which belongs to neither text: its sequence id is None"
    if result == (first, len(sequence_ids)):
        return f"{case}. You included what follows the context; beyond is where the 1s end"
    if result == (first, len(sequence_ids) - 1):
        return f"{case}. You included padding: the context does not always end just before the last token"
    if result[0] == first - 1:
        return f"{case}. You included a separator before the context; there may be two of them. Look for the first 1"
    return f"{case}. Look for the first and the last 1 in the list"


# The question is "Who lit it?", and "Varn" is cut into two tokens. Both texts count from 0, so an answer that looks a
# character up in the question finds a token there, and the checker can tell.
_CONTEXT = "It was  Ilse Varn."
_OFFSETS = [
    *((0, 0), (0, 3), (4, 7), (8, 10), (10, 11), (0, 0)),
    *((0, 2), (3, 6), (8, 12), (13, 14), (14, 17), (17, 18), (0, 0)),
]
_SIDES = _layout((None, 1), (0, 4), (None, 1), (1, 6), (None, 1))


def _covering(character: int) -> int | None:
    return next((k for k, (side, (a, b)) in enumerate(zip(_SIDES, _OFFSETS)) if side == 1 and a <= character < b), None)


def _with_end(character: int) -> int | None:
    return next(
        (k for k, (side, (a, b)) in enumerate(zip(_SIDES, _OFFSETS)) if side == 1 and a <= character <= b), None
    )


def _any_side(character: int) -> int | None:
    return next((k for k, (a, b) in enumerate(_OFFSETS) if a <= character < b), None)


@checker("2.3")
def check_token_at(token_at: Callable) -> str:
    """``token_at(offsets, sequence_ids, character) -> int | None``: the context token that covers a character."""
    characters = range(len(_CONTEXT))
    results = call_each(token_at, [(list(_OFFSETS), list(_SIDES), character) for character in characters])
    expected = [_covering(character) for character in characters]
    good = [found == right and not isinstance(found, (bool, float)) for found, right in zip(results, expected)]
    if all(good):
        return "you find the token of every character, and no token for the spaces"
    complain_of_errors(results, good, lambda k: f"character {k} ({_CONTEXT[k]!r}) of {_CONTEXT!r}", "characters")
    wrong = [k for k in characters if not good[k]]
    raise partly(_about_token(results, expected, wrong), good, "characters")


def _about_token(results: list, expected: list, wrong: list[int]) -> str:
    k = wrong[0]
    character = f"character {k} ({_CONTEXT[k]!r}) of {_CONTEXT!r}"
    if all(result is None for result in results):
        return "your function returns None for every character; does it return the token once it has found it?"
    if results == [_any_side(c) for c in range(len(_CONTEXT))]:
        return (
            f"{character}: you return token {results[k]}, which belongs to the question. Its offsets count characters "
            "of the question; look only at tokens whose sequence id is 1"
        )
    if all(results[c] in (0, 5) for c in wrong) and results[0] == 0:
        return f"{character}: you return a special token; special tokens have offsets (0, 0) and cover no character"
    if results == [_with_end(c) for c in range(len(_CONTEXT))]:
        return (
            f"{character}: you return token {results[k]}, which ends before it. An offset excludes its end: "
            "start ≤ character < end"
        )
    if all(expected[c] is None for c in wrong):
        if all(results[c] in (-1, 0) for c in wrong):
            return f"{character} has no token: return None, not {results[k]!r}"
        return f"{character} has no token, but you return {results[k]!r}; between tokens the result is None"
    if all(expected[c] is None or results[c] == expected[c] - _SIDES.index(1) for c in range(len(_CONTEXT))):
        return (
            f"{character}: you return {results[k]}, counted from the context's first token; count from the beginning of "
            "the whole sequence"
        )
    if all(
        results[c] == next((t for t, o in enumerate(_OFFSETS) if o[0] == c and _SIDES[t] == 1), None) for c in wrong
    ):
        return f"{character}: you find a token only by its first character; it covers all from start up to end"
    return f"{character} is in token {expected[k]}, you return {results[k]!r}"
