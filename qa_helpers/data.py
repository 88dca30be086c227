"""Examples: SQuAD-shaped rows from the embedded corpus, local files or the Hugging Face hub, in one schema.

A row (*example*) is ``{"id", "title", "context", "question", "answers": {"text": [...], "answer_start": [...]}}``.
``answer_start`` counts characters of ``context``; an example without an answer (SQuAD 2.0) has two empty lists.

Every reader yields (place, row) pairs; :mod:`qa_helpers.examples` turns rows into examples and explains what is wrong
with bad ones.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset
from datasets.exceptions import DatasetGenerationError

from .engine.other_formats import refuse_other_format
from .engine.progress_bars import bars_shown, library_bars, track
from .engine.tables import (
    NO_TABLE,
    ROWS,
    check_columns,
    one_line,
    open_saved,
    read_csv,
    read_parquet,
    table_rows,
    text_of,
)
from .examples import FEATURES, example_problems, make_example, place_of, rows_to_dataset, shown, title_of, value_of

HUB_NAMES = {"squad": "rajpurkar/squad", "squad_v2": "rajpurkar/squad_v2"}
MINI_NAMES = ("mini", "mini_v2")
NOTES_NAMES = ("mini_notes", "mini_notes_v2")
SPLIT_PREFIXES = {"train": ("train",), "validation": ("dev", "valid", "val"), "test": ("test",)}
LEVELS = ("data", "paragraphs", "qas", "question")  # of SQuAD's JSON, each a list in the one before
LARGE = 16 * 2**20  # bytes: examples of files this large or larger are kept in the library's cache, not in memory


class Splits(DatasetDict):
    """Split → Dataset. Many publishers keep the answers of a test split secret: such a split raises an error only when
    asked for.

    Attributes:
        refused: split → the ValueError that says what is wrong with it.
    """

    refused: dict[str, ValueError] = {}

    def __missing__(self, split: str):
        raise self.refused.get(split) or ValueError(f"the source has no split {split!r}; it holds {', '.join(self)}")


def load_squad(source: str | Path = "mini") -> Splits:
    """Load question answering examples from any source, always with the same columns.

    Args:
        source: ``"mini"`` or ``"mini_v2"`` (embedded corpus, no network), ``"mini_notes"`` or ``"mini_notes_v2"`` (embedded
            notes, such as leases, recipes and minutes; the kinds of the validation split do not occur in training),
            ``"squad"`` or ``"squad_v2"`` (Hugging Face hub), any hub id (``"owner/name"``, or ``"owner/name:config"``) with
            SQuAD's columns, or a path: a file, a folder that holds ``train*`` and/or ``dev*`` (``valid*``, ``test*``) files,
            or a folder that ``save_to_disk`` wrote.

    Files are recognised by their extension:

    - ``.json``: SQuAD 1.1 or 2.0, nested as published; also a list of rows, and JSON lines.
    - ``.jsonl``, ``.ndjson``: one row per line.
    - ``.csv``, ``.tsv``: a header, then one row per line, with cells separated by commas, semicolons or tabs.
      ``answers`` is JSON or a Python literal; alternatively there are columns ``answer_text`` and ``answer_start``,
      both empty if there is no answer.
    - ``.parquet``: one example per row, with either set of columns.

    A row has ``id``, ``context``, ``question`` and ``answers`` (a list of ``{"text", "answer_start"}``, or one object
    with both as lists); ``title`` may be missing. Text is UTF-8, with or without a byte order mark, and is not altered.
    An ``answer_start`` must be a whole number, not ``12.0``, ``"12"`` or ``true``. (There are two exceptions: CSV cells
    are text, and pandas writes ``12.0`` in columns with gaps, so both are accepted in CSV files, and ``12.0`` in
    Parquet files, too.) ``is_impossible: true`` means no answer, whatever ``answers`` contains; ``plausible_answers``
    and other keys are ignored. Ids are text or whole numbers and must be unique within a split.

    Examples of files of 16 MB or more are kept in the Hugging Face datasets cache and memory-mapped, so that loading
    the same file again takes only a moment.

    Returns:
        DatasetDict with ``train`` and/or ``validation`` (and ``test``, if there is one), columns id, title, context,
        question, answers. A test split that cannot be read (usually because its answers are secret) raises its
        ValueError only when it is asked for.

    Raises:
        ValueError: the source is unknown (the nearest names are given), cannot be reached, or contains anything
            malformed (the message gives the place and the remedy; rows are counted from 0, lines from 1). Nothing is
            skipped silently.
    """
    name = str(source)
    if name in MINI_NAMES:
        from .mini.corpus import build_corpus

        corpus = build_corpus(unanswerable=name == "mini_v2")
        return Splits({split: rows_to_dataset(rows) for split, rows in corpus.items()})
    if name in NOTES_NAMES:
        from .mini.notes import build_notes

        notes = build_notes(unanswerable=name == "mini_notes_v2")
        return Splits({split: rows_to_dataset(rows) for split, rows in notes.items()})
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return Splits({_split_of(path) or "validation": _read_file(path)})
        if path.is_dir() and ((path / "dataset_dict.json").is_file() or (path / "state.json").is_file()):
            return _in_schema(open_saved(path, _split_of(path) or "validation"), path.name)
        if path.is_dir():
            return _readable(_split_files(path), _read_file)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name" of an unknown user
        raise ValueError(f"source {name!r} could not be read ({error})") from error
    if looks_like_path(name):
        raise ValueError(f"source {name!r}: there is no such file or folder (looked in {Path.cwd().name}/)")
    if name in HUB_NAMES or re.fullmatch(r"[\w.-]+/[\w.-]+(:[\w.-]+)?", name):
        return _from_hub(HUB_NAMES.get(name, name))
    raise ValueError(
        unknown_name("source", name, [*MINI_NAMES, *NOTES_NAMES, *HUB_NAMES], "a hub id like 'owner/name' or a path")
    )


def looks_like_path(name: str) -> bool:
    """Whether a source or checkpoint name must be a path ('./x', '../x', '/x', '~', 'a/b/c', 'x.json')."""
    ending = Path(name).suffix.lower() in READERS
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or ending


def unknown_name(what: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """The error message for an unknown name, with the nearest known names first."""
    known = list(known)
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"unknown {what} {name!r}{hint or '.'} Known: {', '.join(known)}, or {otherwise}"


def read_squad_json(path: str | Path) -> Iterator[dict]:
    """Yield the examples of a SQuAD 1.1 or 2.0 JSON file in order.

    Raises:
        ValueError: the file is not JSON of SQuAD's shape, an answer is not at its ``answer_start``, or an id occurs
            twice; the message names the file and the place in it.
    """
    return _sound(_read_json(Path(path)))


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


def _sound(pairs: Iterable[tuple[str, dict]]) -> Iterator[dict]:
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


def _read_file(path: Path) -> Dataset:
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
        split = _split_of(path) or "validation"
        raise ValueError(f"{path.name}: split {split!r} holds no examples; is it the right file?")
    return dataset


def _examples_of(path: Path, reader: Callable, written: int = 0) -> Iterator[dict]:
    """The examples of a file. ``written``, its modification time, lets the cache notice that the file has changed."""
    with track(_sound(reader(path)), f"Reading {path.name}", unit="examples") as examples:
        yield from examples


def _cached(path: Path, reader: Callable) -> Dataset:
    """The examples of a large file, memory-mapped from the library's cache."""
    arguments = {"path": path.resolve(), "reader": reader, "written": path.stat().st_mtime_ns}
    try:
        with library_bars(downloads=False, data=False):
            return Dataset.from_generator(_examples_of, features=FEATURES, gen_kwargs=arguments)
    except DatasetGenerationError as error:
        raise error.__cause__ if isinstance(error.__cause__, ValueError) else error from None


def _readable(splits: Mapping, read: Callable) -> Splits:
    """Apply ``read`` to each split, in order; the test split may fail, as long as there is another split."""
    found, refused = Splits(), {}
    for split in sorted(splits, key=_place_of_split):
        try:
            found[split] = read(splits[split])
        except ValueError as error:
            if split != "test" or len(splits) == 1:
                raise
            refused[split] = error
    found.refused = refused
    return found


def _in_schema(splits: dict[str, Dataset], name: str) -> Splits:
    """Check datasets that the library loaded; those that already have the course's schema are not copied."""

    def checked(named: tuple[str, Dataset]) -> Dataset:
        split, dataset = named
        if not len(dataset):
            raise ValueError(f"{name}: split {split!r} holds no examples; is it the right one?")
        where = f"{name}, split {split!r}"
        check_columns(dataset.column_names, where)
        batches = dataset.with_format("arrow").iter(ROWS)
        with track(_sound(table_rows(batches, where)), f"Checking {split}", len(dataset), "examples") as examples:
            if not _has_the_schema(dataset):
                return rows_to_dataset(list(examples))
            for _ in examples:
                pass  # reading an example checks it
        return dataset.select_columns(list(FEATURES))

    if not splits:
        raise ValueError(f"{name}: holds no split")
    # A split called "dev" is the validation split, just like a file called dev.json.
    usual = {
        split: next((k for k, v in SPLIT_PREFIXES.items() if split in v and k not in splits), split) for split in splits
    }
    return _readable({usual[split]: (split, dataset) for split, dataset in splits.items()}, checked)


def _has_the_schema(dataset: Dataset) -> bool:
    if not set(FEATURES) <= set(dataset.column_names) or "is_impossible" in dataset.column_names:
        return False
    kept = dataset.select_columns(list(FEATURES))
    return kept.features == FEATURES and not kept.data.column("title").null_count


def _place_of_split(split: str) -> int:
    return list(SPLIT_PREFIXES).index(split) if split in SPLIT_PREFIXES else len(SPLIT_PREFIXES)


def _split_of(path: Path) -> str | None:
    stem = path.stem.lower()
    return next((split for split, starts in SPLIT_PREFIXES.items() if stem.startswith(starts)), None)


def _split_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in READERS and path.is_file()):
        split = _split_of(path)
        if split is None:
            continue
        if split in found:
            raise ValueError(
                f"folder {folder.name!r} holds two files for {split}: {found[split].name} and {path.name}; "
                "keep one version per folder"
            )
        found[split] = path
    if not found:
        raise ValueError(
            f"folder {folder.name!r} holds no examples: expected train*.json and/or dev*.json in it "
            f"(or {', '.join(ending for ending in READERS if ending != '.json')})"
        )
    return found


def _from_hub(source: str) -> Splits:
    repository, _, config = source.partition(":")
    try:
        with library_bars(downloads=bars_shown(), data=bars_shown()):
            loaded = load_dataset(repository, **({"name": config} if config else {}))
    except Exception as error:  # many kinds: no network, no such repository, a loading script
        if "Config name is missing" in str(error):
            known = ", ".join(f"{repository}:{name}" for name in get_dataset_config_names(repository))
            raise ValueError(f"source {source!r} has several configurations; name one of them: {known}") from error
        raise ValueError(
            f"source {source!r} could not be loaded from the Hugging Face hub ({one_line(error)}). "
            f"Without a network, give a local folder with train*.json and "
            "dev*.json instead, or use the embedded source 'mini'"
        ) from error
    return _in_schema(loaded, f"source {source!r}")
