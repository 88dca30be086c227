"""Examples: SQuAD-shaped rows from the embedded corpus, local files or the Hugging Face hub, in one schema.

A row (*example*) is ``{"id", "title", "context", "question", "answers": {"text": [...], "answer_start": [...]}}``.
``answer_start`` counts characters of ``context``; an example without an answer (SQuAD 2.0) has two empty lists.
:mod:`qa_helpers.examples` has the schema and the checks; ``engine/files.py`` and ``engine/tables.py`` read the files.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from .engine.files import READERS, read_file
from .engine.files import read_squad_json as read_squad_json
from .engine.splits import Splits, from_hub, in_schema, readable, split_files, split_of
from .engine.tables import open_saved
from .examples import rows_to_dataset

HUB_NAMES = {"squad": "rajpurkar/squad", "squad_v2": "rajpurkar/squad_v2"}
MINI_NAMES = ("mini", "mini_v2")
NOTES_NAMES = ("mini_notes", "mini_notes_v2")


def load_squad(source: str | Path = "mini") -> Splits:
    """Load question answering examples from any source, always with the same columns.

    Args:
        source: ``"mini"`` or ``"mini_v2"`` (embedded corpus), ``"mini_notes"`` or ``"mini_notes_v2"`` (embedded notes,
            such as leases, recipes and minutes; the kinds of the validation split do not occur in training),
            ``"squad"`` or ``"squad_v2"`` (Hugging Face hub), any hub id (``"owner/name"`` or ``"owner/name:config"``)
            with SQuAD's columns, or a path: a file, a folder of ``train*`` and ``dev*`` (``valid*``, ``test*``) files,
            or a folder that ``save_to_disk`` wrote.

    Files are recognised by their extension:

    - ``.json``: SQuAD 1.1 or 2.0, nested as published; also a list of rows, and JSON lines.
    - ``.jsonl``, ``.ndjson``: one row per line.
    - ``.csv``, ``.tsv``: a header, then one row per line, with cells separated by commas, semicolons or tabs.
      ``answers`` is JSON or a Python literal; alternatively there are columns ``answer_text`` and ``answer_start``,
      both empty if there is no answer.
    - ``.parquet``: one example per row, with either set of columns.

    A row has ``id``, ``context``, ``question`` and ``answers`` (a list of ``{"text", "answer_start"}``, or one object
    with both as lists); ``title`` may be missing, and other keys are ignored. Text is UTF-8 and is not altered.
    ``answer_start`` is a whole number, not ``12.0``, ``"12"`` or ``true`` (CSV cells are text, and pandas writes
    ``12.0`` in columns with gaps: both are accepted in CSV files, and ``12.0`` in Parquet files). ``is_impossible:
    true`` means no answer, whatever ``answers`` contains. Ids are text or whole numbers, unique within a split. Files
    of 16 MB or more are read once and then mapped from the cache of the datasets library.

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

        return _embedded(build_corpus(unanswerable=name == "mini_v2"))
    if name in NOTES_NAMES:
        from .mini.notes import build_notes

        return _embedded(build_notes(unanswerable=name == "mini_notes_v2"))
    try:
        path = Path(name).expanduser()
        if path.is_file():
            return Splits({split_of(path) or "validation": read_file(path)})
        if path.is_dir() and ((path / "dataset_dict.json").is_file() or (path / "state.json").is_file()):
            return in_schema(open_saved(path, split_of(path) or "validation"), path.name)
        if path.is_dir():
            return readable(split_files(path), read_file)
    except (OSError, RuntimeError) as error:  # RuntimeError: "~name" of an unknown user
        raise ValueError(f"source {name!r} could not be read ({error})") from error
    if looks_like_path(name):
        raise ValueError(f"source {name!r}: there is no such file or folder (looked in {Path.cwd().name}/)")
    if name in HUB_NAMES or re.fullmatch(r"[\w.-]+/[\w.-]+(:[\w.-]+)?", name):
        return from_hub(HUB_NAMES.get(name, name))
    known = [*MINI_NAMES, *NOTES_NAMES, *HUB_NAMES]
    raise ValueError(unknown_name("source", name, known, "a hub id like 'owner/name' or a path"))


def _embedded(splits: dict[str, list[dict]]) -> Splits:
    return Splits({split: rows_to_dataset(rows) for split, rows in splits.items()})


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
