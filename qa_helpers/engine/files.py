"""Reading a file of examples: SQuAD's JSON and JSON lines here, tables in :mod:`tables`, large files through the cache.

Every reader yields (place, row) pairs; :func:`sound` turns them into examples and explains what is wrong with bad ones.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from datasets import Dataset
from datasets.exceptions import DatasetGenerationError

from ..examples import FEATURES, example_problems, rows_to_dataset
from .other_formats import refuse_other_format
from .progress_bars import library_bars, track
from .rows import make_example, place_of, shown, title_of, value_of
from .tables import NO_TABLE, one_line, read_csv, read_parquet, text_of

SPLIT_PREFIXES = {"train": ("train",), "validation": ("dev", "valid", "val"), "test": ("test",)}
LEVELS = ("data", "paragraphs", "qas", "question")  # of SQuAD's JSON, each a list in the one before


LARGE = 16 * 2**20  # bytes: examples of files this large or larger are kept in the library's cache, not in memory


def read_file(path: Path) -> Dataset:
    with path.open("rb") as file:
        beginning = file.read(4)
    if not beginning:
        raise ValueError(f"{path.name}: the file is empty (0 bytes); fetch or write it again")
    for magic, what in NO_TABLE.items():
        if beginning.startswith(magic):
            raise ValueError(f"{path.name}: {what}")
    if path.suffix.lower() == ".arrow":
        raise ValueError(f"{path.name}: give the folder that save_to_disk wrote, not one file of it")
    named = READERS.get(path.suffix.lower())
    reader = named or (read_parquet if beginning == b"PAR1" else _read_json)
    if path.stat().st_size < LARGE:
        dataset = rows_to_dataset(list(_examples_of(path, reader)))
    else:
        dataset = _cached(path, reader)
    if not len(dataset):
        split = split_of(path) or "validation"
        raise ValueError(f"{path.name}: split {split!r} holds no examples; is it the right file?")
    return dataset


def split_of(path: Path) -> str | None:
    stem = path.stem.lower()
    return next((split for split, starts in SPLIT_PREFIXES.items() if stem.startswith(starts)), None)


def _examples_of(path: Path, reader: Callable, written: int = 0) -> Iterator[dict]:
    """The examples of a file. ``written``, its modification time, lets the cache notice that the file has changed."""
    with track(sound(reader(path)), f"Reading {path.name}", unit="examples") as examples:
        yield from examples


def _cached(path: Path, reader: Callable) -> Dataset:
    """The examples of a large file, memory-mapped from the library's cache."""
    arguments = {"path": path.resolve(), "reader": reader, "written": path.stat().st_mtime_ns}
    try:
        with library_bars(downloads=False, data=False):
            return Dataset.from_generator(_examples_of, features=FEATURES, gen_kwargs=arguments)
    except DatasetGenerationError as error:
        raise error.__cause__ if isinstance(error.__cause__, ValueError) else error from None


def read_squad_json(path: str | Path) -> Iterator[dict]:
    """Yield the examples of a SQuAD 1.1 or 2.0 JSON file in order.

    Raises:
        ValueError: the file is not JSON of SQuAD's shape, an answer is not at its ``answer_start``, or an id occurs
            twice; the message names the file and the place in it.
    """
    return sound(_read_json(Path(path)))


def sound(pairs: Iterable[tuple[str, dict]]) -> Iterator[dict]:
    """Turn (place, row) pairs into examples, and check that they are sound and that no id occurs twice.

    Raises:
        ValueError: an example is not sound; the message names the place and the remedy.
    """
    places: dict[str, str] = {}
    for place, row in pairs:
        example = make_example(row, place)
        if problems := example_problems(example):
            raise ValueError(f"{place}: {problems[0].message}")
        identifier = example["id"]
        if identifier in places:
            raise ValueError(
                f"{place}: the id {shown(identifier)} occurs twice, first at {places[identifier].partition(': ')[2]}. "
                "Answers and scores are matched by id: drop one of the two examples, or give it another id"
            )
        places[identifier] = place
        yield example


def _read_json(path: Path) -> Iterator[tuple[str, dict]]:
    """Read SQuAD 1.1 or 2.0 JSON (any level of its nesting), a list of rows, or JSON lines in a ``.json`` file."""
    text = text_of(path)
    try:
        content = parse_json(text, path.name)
    except _MoreFollows:  # a complete object, followed by another one
        yield from _json_lines(text, path.name)
        return
    yield from _questions(content, path.name, LEVELS, "question" if isinstance(content, list) else "data")


def _questions(item, place: str, levels: tuple, expected: str, **around: str) -> Iterator[tuple[str, dict]]:
    """Yield the questions inside one object of a JSON file, each with its enclosing ``context`` and ``title``.

    Args:
        item: any level of SQuAD's nesting: the whole file, an article, a paragraph, a question, or a list of one of
            these.
        levels: the levels that it may be, each given by the key that identifies it.
        expected: the key to ask for if none of these keys is there.
    """
    if isinstance(item, list):
        for k, part in enumerate(item):
            there = f"{place}[{k}]" if ": " in place else f"{place}: [{k}]"
            yield from _questions(None if isinstance(part, list) else part, there, levels, expected, **around)
        return
    if isinstance(item, dict):
        refuse_other_format(item, place)
    key = next((key for key in reversed(levels) if isinstance(item, dict) and key in item), expected)
    inside = value_of(item, key, str if key == "question" else list, place)
    if key == "question":
        yield place, {**item, **around}
        return
    if key == "paragraphs":
        around["title"] = title_of(item, place)
    elif key == "qas":
        around["context"] = value_of(item, "context", str, place)
    deeper = levels[levels.index(key) + 1 :]
    yield from _questions(inside, place_of(place, key), deeper, deeper[0], **around)


def _read_json_lines(path: Path) -> Iterator[tuple[str, dict]]:
    return _json_lines(text_of(path), path.name)


def _json_lines(text: str, name: str) -> Iterator[tuple[str, dict]]:
    """One JSON object per line; empty lines are skipped."""
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: a text may contain U+2028
        if line.strip():
            place = f"{name}: line {number}"
            row = parse_json(line, place)
            if not (isinstance(row, dict) and set(row) == {"header"}):  # MRQA's first line
                yield from _questions(row, place, LEVELS, "question")


class _MoreFollows(ValueError):
    """Complete JSON, followed by something else."""


def parse_json(text: str, place: str):
    """Parse JSON text; raise a ValueError that says where it is not JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if ": line " in place else f"line {error.lineno}, column {error.colno}"
        kind = _MoreFollows if error.msg == "Extra data" else ValueError
        raise kind(f"{place}: not valid JSON at {at} ({error.msg}); is it cut off?") from None
    except RecursionError:
        raise ValueError(f"{place}: nested too deeply to be SQuAD JSON; look for a run of brackets") from None
    except ValueError as error:  # a number too long for Python
        raise ValueError(f"{place}: not valid JSON ({one_line(error)})") from None


READERS: dict[str, Callable[[Path], Iterator[tuple[str, dict]]]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
