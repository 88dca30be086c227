"""Examples: SQuAD-shaped rows from the embedded corpus, local files or the Hugging Face hub, in one schema.

A row (*example*) is ``{"id", "title", "context", "question", "answers": {"text": [...], "answer_start": [...]}}``.
``answer_start`` counts characters of ``context``; an example without an answer (SQuAD 2.0) has two empty lists.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
from datasets import Dataset, DatasetDict, load_dataset

from .engine.arrow_store import in_memory, stored
from .engine.garbage import without_collection
from .engine.progress_bars import bars_shown, library_bars, track
from .engine.read_json import read_json, read_json_lines
from .engine.read_tables import dataset_rows, is_saved_dataset, one_line, open_saved, read_csv, read_parquet
from .examples import FEATURES, Problem, example_problems, sound
from .examples import is_unicode as is_unicode  # for the rooms below

HUB_NAMES = {"squad": "rajpurkar/squad", "squad_v2": "rajpurkar/squad_v2"}
MINI_NAMES = ("mini", "mini_v2")
SPLIT_PREFIXES = {"train": ("train",), "validation": ("dev", "valid", "val"), "test": ("test",)}
READERS: dict[str, Callable] = {
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
_NO_TABLE = {  # how files begin that hold no table as they are
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"PK\x03\x04": "an archive or a workbook (zip); unpack it, or save it as CSV, first",
    b"BZh": "compressed (bzip2); unpack it first",
    b"\xfd7zX": "compressed (xz); unpack it first",
}


def load_squad(source: str | Path = "mini") -> DatasetDict:
    """Load question answering examples from any source, always with the same columns.

    Args:
        source: ``"mini"`` or ``"mini_v2"`` (embedded corpus, no network), ``"squad"`` or ``"squad_v2"`` (Hugging Face
            hub), any hub id (``"owner/name"``) with SQuAD's columns, or a path: a file, a folder that holds ``train*``
            and/or ``dev*`` (``valid*``, ``test*``) files, or a folder that ``save_to_disk`` wrote.

    Files, told apart by their ending:

    - ``.json``: SQuAD 1.1 or 2.0, nested as published; also a list of rows, and JSON lines.
    - ``.jsonl``, ``.ndjson``: a row a line.
    - ``.csv``, ``.tsv``: a row a line under a header, cells separated by commas, semicolons or tabs. ``answers`` is JSON
      or what pandas and ``datasets`` write of it; or there are the columns ``answer_text`` and ``answer_start``, both
      empty where there is no answer.
    - ``.parquet``: a row a row, in the columns of either kind.

    A row has ``id``, ``context``, ``question`` and ``answers`` (a list of ``{"text", "answer_start"}``, or one object
    with both as lists); ``title`` may be missing. Text is UTF-8, with or without a byte order mark, and taken as it is,
    character by character. An ``answer_start`` is a whole number, not ``12.0``, ``"12"`` or ``true`` (CSV cells are
    text, and pandas writes ``12.0`` in columns with gaps: both are read there, and so are such columns of Parquet).
    ``is_impossible: true`` means no answer, whatever ``answers`` holds; ``plausible_answers`` and other keys are
    ignored. Ids are text or whole numbers, and occur once in a split.

    Examples of files from 16 MB on are kept in the Hugging Face datasets cache and mapped into memory, so that loading
    the same content again takes a moment.

    Returns:
        DatasetDict with ``train`` and/or ``validation``, columns id, title, context, question, answers.

    Raises:
        ValueError: the source is unknown (the nearest names are given), cannot be reached, or holds anything malformed
            (the place and the remedy are given; rows count from 0, lines from 1). Nothing is left out silently.
    """
    name = str(source)
    if name in MINI_NAMES:
        from .mini.corpus import build_corpus

        corpus = build_corpus(unanswerable=name == "mini_v2")
        return _in_order({split: rows_to_dataset(rows) for split, rows in corpus.items()})
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return DatasetDict({_split_of(path) or "validation": _read_file(path)})
        if path.is_dir() and is_saved_dataset(path):
            return _in_schema(open_saved(path, _split_of(path) or "validation"), path.name)
        if path.is_dir():
            return _in_order({split: _read_file(file) for split, file in _split_files(path).items()})
    except (OSError, RuntimeError) as error:  # RuntimeError: "~somebody" who has no home
        raise ValueError(f"source {name!r} could not be read ({error})") from error
    if looks_like_path(name):
        raise ValueError(f"source {name!r}: there is no such file or folder (looked in {Path.cwd().name}/)")
    if name in HUB_NAMES or re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return _from_hub(HUB_NAMES.get(name, name))
    raise ValueError(unknown_name("source", name, [*MINI_NAMES, *HUB_NAMES], "a hub id like 'owner/name' or a path"))


def looks_like_path(name: str) -> bool:
    """Whether a source or checkpoint name can only be meant as a path ('./x', '../x', '/x', '~', 'a/b/c', 'x.json')."""
    ending = Path(name).suffix.lower() in READERS
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or ending


def unknown_name(what: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """The message for a name nobody knows: the nearest known names first."""
    known = list(known)
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"unknown {what} {name!r}{hint or '.'} Known: {', '.join(known)}, or {otherwise}"


def read_squad_json(path: str | Path) -> Iterator[dict]:
    """Yield the examples of a SQuAD 1.1 or 2.0 JSON file in order.

    Raises:
        ValueError: the file is not JSON of SQuAD's shape, an answer does not stand at its ``answer_start``, or an id
            occurs twice; the message names the file and the place in it.
    """
    return _examples_of(Path(path), read_json)


def check_examples(examples: Iterable[dict]) -> list[Problem]:
    """Check every example as :func:`example_problems` does, and that no id occurs twice.

    Args:
        examples: rows of a Dataset, or dicts of the same shape.

    Returns:
        All problems in order; an empty list means the data is sound.
    """
    problems, seen = [], set()
    with track(examples, "Checking", unit="examples") as counted:
        for example in counted:
            problems += example_problems(example)
            if example["id"] in seen:
                message = f"example {example['id']!r}: the id occurs twice; make it unique"
                problems.append(Problem(example["id"], "duplicate_id", message))
            seen.add(example["id"])
    return problems


def rows_to_dataset(rows: list[dict]) -> Dataset:
    """Rows in the course's schema → Dataset (in memory).

    Raises:
        ValueError: a row lacks a column, or holds what its column cannot; names both.
    """
    for k, row in enumerate(rows):
        for column in FEATURES:
            if column not in row:
                raise ValueError(f"row {k} has no {column!r}; an example has {', '.join(FEATURES)}")
    try:
        return Dataset.from_dict({column: [row[column] for row in rows] for column in FEATURES}, features=FEATURES)
    except (pa.ArrowException, AttributeError, TypeError, ValueError, OverflowError) as error:
        for k, row in enumerate(rows):
            for problem in example_problems(row):
                raise ValueError(f"row {k}: {problem.message}") from error
        raise ValueError(f"the rows do not fit the columns {', '.join(FEATURES)} ({error})") from error


def _read_file(path: Path) -> Dataset:
    with path.open("rb") as file:
        beginning = file.read(4)
    if not beginning:
        raise ValueError(f"{path.name}: the file is empty (0 bytes); fetch or write it again")
    for magic, what in _NO_TABLE.items():
        if beginning.startswith(magic):
            raise ValueError(f"{path.name}: {what}")
    if path.suffix.lower() == ".arrow":
        raise ValueError(f"{path.name}: give the folder that save_to_disk wrote, not one file of it")
    reader = READERS.get(path.suffix.lower(), read_parquet if beginning == b"PAR1" else read_json)
    with without_collection():
        dataset = stored(path, lambda: _examples_of(path, reader))
    if not len(dataset):
        raise ValueError(
            f"{path.name}: split {_split_of(path) or 'validation'!r} holds no examples; is it the right file?"
        )
    return dataset


def _examples_of(path: Path, reader: Callable) -> Iterator[dict]:
    try:
        yield from sound(lambda: reader(path))
    except OSError as error:
        raise ValueError(f"{path.name} could not be read ({error.strerror or error})") from error


def _in_schema(splits: dict[str, Dataset], name: str) -> DatasetDict:
    """Datasets that the library loaded, looked through; those that have the course's schema stay where they are."""
    done = {}
    for split, dataset in splits.items():

        def rows(dataset=dataset, where=f"{name}, split {split!r}"):
            return dataset_rows(dataset, where)

        if not len(dataset):
            raise ValueError(f"{name}: split {split!r} holds no examples; is it the right one?")
        with track(sound(rows), f"Checking {split}", len(dataset), "examples") as examples:
            if _has_the_schema(dataset):
                for _ in examples:
                    pass  # all sound
                done[split] = dataset.select_columns(list(FEATURES))
            else:
                done[split] = in_memory(examples)
    return DatasetDict(done)


def _has_the_schema(dataset: Dataset) -> bool:
    if not set(FEATURES) <= set(dataset.column_names) or "is_impossible" in dataset.column_names:
        return False
    kept = dataset.select_columns(list(FEATURES))
    same = kept.features == FEATURES and kept.data.schema.equals(FEATURES.arrow_schema)
    return same and not kept.data.column("title").null_count


def _in_order(splits: dict[str, Dataset]) -> DatasetDict:
    return DatasetDict({split: splits[split] for split in sorted(splits, key=list(SPLIT_PREFIXES).index)})


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


def _from_hub(repository: str) -> DatasetDict:
    try:
        with library_bars(downloads=bars_shown(), data=bars_shown()):
            loaded = load_dataset(repository)
    except Exception as error:  # the library raises many kinds: no network, no such repository, a loading script
        raise ValueError(
            f"source {repository!r} could not be loaded from the Hugging Face hub ({one_line(error)}). "
            f"Without a network, give a local folder with train*.json and "
            "dev*.json instead, or use the embedded source 'mini'"
        ) from error
    return _in_schema(loaded, f"source {repository!r}")
