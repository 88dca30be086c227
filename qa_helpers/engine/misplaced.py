"""Why an answer is not at its ``answer_start``: what the offset seems to count, or how the texts differ."""

import unicodedata
from collections.abc import Callable, Iterator


def places_of(text: str, context: str) -> list[int]:
    """Characters at which a text occurs, overlapping occurrences included."""
    found, place = [], context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return found


def why_misplaced(context: str, text: str, start: int) -> str:
    """Where an answer that is not at ``start`` really is, in words for an error message."""
    places = places_of(text, context)
    for unit, length in (
        ("UTF-16 units, as JavaScript and Java count", lambda before: len(before.encode("utf-16-le")) // 2),
        ("the bytes of UTF-8", lambda before: len(before.encode())),
    ):
        counted = [place for place in places if length(context[:place]) == start]
        if counted:
            return f"{start} counts {unit}; in characters the text does occur at {counted[0]}"
    if len(places) > 1:
        nearest = min(places, key=lambda place: abs(place - start))
        return f"the text does occur at {nearest}, the nearest of {len(places)} places; check which one is meant"
    if places:
        return f"the text does occur at {places[0]}"
    for difference, form in (
        ("letters with accents are composed in one and decomposed in the other (NFC, NFD)", _composed),
        ("their spaces are different characters (no-break spaces)", _plain_spaces),
        ("their characters are only compatible (NFKC), like a ligature and its letters", _compatible),
    ):
        place = place_in_form(context, text, form)
        if place is not None:
            begin, end = place
            return (
                f"the text does not occur in the context as it is written, but does at {begin} where {difference}; "
                f"take the answer from there, context[{begin}:{end}], with answer_start {begin}"
            )
    return "the text does not occur in the context"


def place_in_form(context: str, text: str, form: Callable[[str], str]) -> tuple[int, int] | None:
    """Characters [start, end) of the context that read like the text once both are brought into one form."""
    pieces, starts = [], []
    for begin, letter in _letters(context):
        formed = form(letter)
        pieces.append(formed)
        starts += [begin] * len(formed)
    wanted = form(text)
    at = "".join(pieces).find(wanted) if wanted else -1
    if at < 0:
        return None
    beyond = at + len(wanted)
    return starts[at], starts[beyond] if beyond < len(starts) else len(context)


def _letters(text: str) -> Iterator[tuple[int, str]]:
    """Yield (start, letter) for every letter, including the marks on it."""
    begin = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not unicodedata.combining(text[place]):
            yield begin, text[begin:place]
            begin = place


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _plain_spaces(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in _composed(text))


def _compatible(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
