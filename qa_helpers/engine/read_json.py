"""Examples from JSON: SQuAD's nested files, lists of rows, and JSON lines. Each comes with its place in the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..examples import Repeated, make_example, title_of, value_of

_NESTED = "nested too deeply to be SQuAD JSON; look for a run of brackets"
_LONG_NUMBER = re.compile(r"\d{4301,}")  # what Python refuses to read as a number


def read_json(path: Path) -> Iterator[tuple[str, dict]]:
    """(place, example) of SQuAD 1.1 or 2.0 JSON, of a list of rows, or of JSON lines under a ``.json`` name.

    The file is parsed in one go, which takes about 4 times its size in memory (8 times where every context holds an
    emoji or the like, for which Python keeps 4 bytes a character). Articles are let go of as they are done.
    """
    text = _text(path)
    try:
        content = parse(text, path.name)
    except _MoreFollows:
        if not _begins_with_a_row(text):
            raise
        del text
        yield from read_json_lines(path)
        return
    del text
    if isinstance(content, dict) and "data" not in content and "question" in content:
        content = [content]  # JSON lines with one line
    if isinstance(content, list) and content and _is_row(content[0]):
        articles, label = content, ""
    else:
        articles, label = value_of(content, "data", list, path.name), "data"
    content = None
    rows = bool(articles) and _is_row(articles[0])
    for a in range(len(articles)):
        article, articles[a] = articles[a], None
        place = f"{path.name}: {label}[{a}]"
        if rows:
            yield place, make_example(article, place)
        else:
            yield from _article(article, place)


def _article(article, here: str) -> Iterator[tuple[str, dict]]:
    paragraphs = value_of(article, "paragraphs", list, here)
    title = title_of(article, here)
    for p, paragraph in enumerate(paragraphs):
        there = f"{here}.paragraphs[{p}]"
        context = value_of(paragraph, "context", str, there)
        for q, qa in enumerate(value_of(paragraph, "qas", list, there)):
            place = f"{there}.qas[{q}]"
            yield place, make_example(qa, place, context, title)


def read_json_lines(path: Path) -> Iterator[tuple[str, dict]]:
    """(place, example) of a file with one JSON object a line; empty lines are passed over."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):  # bytes: a line ends at \n only, not at U+2028 and its like
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(" \t\r\n")
            except UnicodeDecodeError:
                raise not_utf8(path) from None
            if text:
                place = f"{path.name}: line {number}"
                yield place, make_example(parse(text, place), place)


class _MoreFollows(ValueError):
    """Whole JSON, and then something else."""


def parse(text: str, place: str):
    """JSON text → objects; one in which a key stands twice is a :class:`Repeated`.

    Raises:
        ValueError: it is not JSON; the message says where. Without ``from``: the cause would keep the text in memory.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if ": line " in place else f"line {error.lineno}, column {error.colno}"
        message = f"{place}: not valid JSON at {at} ({error.msg}); is it cut off?"
        raise (_MoreFollows if error.msg == "Extra data" else ValueError)(message) from None
    except RecursionError:
        raise ValueError(f"{place}: {_NESTED}") from None
    except ValueError:  # a number of more digits than Python converts
        found = _LONG_NUMBER.search(text)
        at, digits = (found.start(), len(found.group())) if found else (0, "very many")
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise ValueError(
            f"{place}: a number of {digits} digits at line {line}, column {column}; no number of SQuAD's is that long"
        ) from None


def _object(pairs: list) -> dict:
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    mapping, seen = Repeated(mapping), set()
    mapping.key = next(key for key, _ in pairs if key in seen or seen.add(key))
    return mapping


def _is_row(value) -> bool:
    return isinstance(value, dict) and "question" in value and "paragraphs" not in value


def _begins_with_a_row(text: str) -> bool:
    first = text.lstrip().partition("\n")[0]
    try:
        return _is_row(parse(first, "line 1"))
    except ValueError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise not_utf8(path) from None


def not_utf8(path: Path) -> ValueError:
    """The error for a file that is not UTF-8, with the place of the first wrong byte."""
    content = path.read_bytes()
    remedy = "save the file as UTF-8"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        remedy += " (it begins like UTF-16)"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return ValueError(f"{path.name}: byte {error.start}, in line {line}, is not UTF-8; {remedy}")
    return ValueError(f"{path.name}: not UTF-8 a moment ago, and UTF-8 now; is it being written?")
