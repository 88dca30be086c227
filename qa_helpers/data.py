"""Examples: SQuAD-shaped rows from the embedded corpus, local files or the Hugging Face hub, in one schema.

A row (*example*) is ``{"id", "title", "context", "question", "answers": {"text": [...], "answer_start": [...]}}``.
``answer_start`` counts characters of ``context``; an example without an answer (SQuAD 2.0) has two empty lists.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from datasets import Dataset, DatasetDict, Features, List, Value, load_dataset

FEATURES = Features(
    {
        "id": Value("string"),
        "title": Value("string"),
        "context": Value("string"),
        "question": Value("string"),
        "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    }
)
HUB_NAMES = {"squad": "rajpurkar/squad", "squad_v2": "rajpurkar/squad_v2"}
MINI_NAMES = ("mini", "mini_v2")
SPLIT_PREFIXES = {"train": ("train",), "validation": ("dev", "valid", "val"), "test": ("test",)}


def load_squad(source: str | Path = "mini") -> DatasetDict:
    """Load question answering examples from any source, always with the same columns.

    Args:
        source: ``"mini"`` or ``"mini_v2"`` (embedded corpus, no network), ``"squad"`` or ``"squad_v2"`` (Hugging Face
            hub), any hub id (``"owner/name"``) with SQuAD's columns, a SQuAD JSON file, or a folder that holds
            ``train*.json`` and/or ``dev*.json`` (``valid*.json``).

    Returns:
        DatasetDict with ``train`` and/or ``validation``, columns id, title, context, question, answers.

    Raises:
        ValueError: the source is unknown (the nearest names are given), cannot be reached, or holds a malformed row
            (the place and the remedy are given).
    """
    name = str(source)
    if name in MINI_NAMES:
        from .corpus import build_corpus

        return _as_dataset_dict(build_corpus(unanswerable=name == "mini_v2"))
    path = Path(name).expanduser()
    if path.is_file():
        return _as_dataset_dict({_split_of(path) or "validation": list(read_squad_json(path))})
    if path.is_dir():
        return _as_dataset_dict({split: list(read_squad_json(f)) for split, f in _split_files(path).items()})
    if looks_like_path(name):
        raise ValueError(f"source {name!r}: there is no such file or folder (looked in {Path.cwd().name}/)")
    if name in HUB_NAMES or re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return _from_hub(HUB_NAMES.get(name, name))
    raise ValueError(unknown_name("source", name, [*MINI_NAMES, *HUB_NAMES], "a hub id like 'owner/name' or a path"))


def looks_like_path(name: str) -> bool:
    """Whether a source or checkpoint name can only be meant as a path ('./x', '../x', '/x', '~', 'a/b/c', 'x.json')."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or name.endswith(".json")


def unknown_name(what: str, name: str, known: Iterable[str], otherwise: str) -> str:
    """The message for a name nobody knows: the nearest known names first."""
    known = list(known)
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"unknown {what} {name!r}{hint or '.'} Known: {', '.join(known)}, or {otherwise}"


def read_squad_json(path: str | Path) -> Iterator[dict]:
    """Yield the examples of a SQuAD 1.1 or 2.0 JSON file in order.

    Raises:
        ValueError: the file is not JSON of SQuAD's shape, or an answer does not stand at its ``answer_start``; the
            message names the file and the place in it.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path.name}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg}); is it cut off?"
        ) from error
    except RecursionError as error:
        raise ValueError(f"{path.name}: nested too deeply to be SQuAD JSON") from error
    for a, article in enumerate(_get(content, "data", list, path.name)):
        here = f"{path.name}: data[{a}]"
        title = article.get("title", "") if isinstance(article, dict) else ""
        for p, paragraph in enumerate(_get(article, "paragraphs", list, here)):
            there = f"{here}.paragraphs[{p}]"
            context = _get(paragraph, "context", str, there)
            for q, qa in enumerate(_get(paragraph, "qas", list, there)):
                place = f"{there}.qas[{q}]"
                answers = [] if isinstance(qa, dict) and qa.get("is_impossible") else _get(qa, "answers", list, place)
                example = {
                    "id": str(_get(qa, "id", (str, int), place)),
                    "title": str(title),
                    "context": context,
                    "question": _get(qa, "question", str, place),
                    "answers": {
                        "text": [_get(x, "text", str, f"{place}.answers[{k}]") for k, x in enumerate(answers)],
                        "answer_start": [
                            _get(x, "answer_start", int, f"{place}.answers[{k}]") for k, x in enumerate(answers)
                        ],
                    },
                }
                for problem in example_problems(example):
                    raise ValueError(f"{place}: {problem.message}")
                yield example


@dataclass(frozen=True)
class Problem:
    """What is wrong with one example: ``kind`` is one of empty_question, empty_context, malformed, empty_answer,
    misaligned; ``message`` says it in full, with the remedy."""

    example_id: str
    kind: str
    message: str


def example_problems(example: dict) -> list[Problem]:
    """Everything that would spoil training on this example; an empty list if it is sound."""
    identifier, context, answers = str(example["id"]), example["context"], example["answers"]
    found = []

    def report(kind: str, message: str) -> None:
        found.append(Problem(identifier, kind, f"example {identifier!r}: {message}"))

    for field in ("question", "context"):
        if not isinstance(example[field], str) or not example[field].strip():
            report(f"empty_{field}", f"the {field} is empty; fill it in or drop the example")
        elif not _is_unicode(example[field]):
            report("malformed", f"the {field} holds half a surrogate pair, which is no character; repair the text")
    if len(answers["text"]) != len(answers["answer_start"]):
        report("malformed", "answers.text and answers.answer_start differ in length; each text needs one start")
    for text, start in zip(answers["text"], answers["answer_start"]):
        if not text.strip():
            report("empty_answer", "an answer is empty; an unanswerable question has empty lists instead")
        elif start < 0 or context[start : start + len(text)] != text:
            at = context[max(start, 0) : max(start, 0) + len(text)]
            right = context.find(text)
            remedy = f"the text does occur at {right}" if right >= 0 else "the text does not occur in the context"
            report("misaligned", f"answer_start {start} points at {at!r}, not at the answer {text!r}; {remedy}")
    return found


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_examples(examples: Iterable[dict]) -> list[Problem]:
    """Check every example as :func:`example_problems` does, and that no id occurs twice.

    Args:
        examples: rows of a Dataset, or dicts of the same shape.

    Returns:
        All problems in order; an empty list means the data is sound.
    """
    problems, seen = [], set()
    for example in examples:
        problems += example_problems(example)
        if example["id"] in seen:
            problems.append(
                Problem(
                    example["id"], "duplicate_id", f"example {example['id']!r}: the id occurs twice; make it unique"
                )
            )
        seen.add(example["id"])
    return problems


def rows_to_dataset(rows: list[dict]) -> Dataset:
    """Rows in the course's schema → Dataset (in memory).

    Raises:
        ValueError: a row lacks a column; names both.
    """
    for k, row in enumerate(rows):
        for column in FEATURES:
            if column not in row:
                raise ValueError(f"row {k} has no {column!r}; an example has {', '.join(FEATURES)}")
    return Dataset.from_dict({column: [row[column] for row in rows] for column in FEATURES}, features=FEATURES)


def _as_dataset_dict(splits: dict[str, list[dict]]) -> DatasetDict:
    empty = [split for split, rows in splits.items() if not rows]
    if empty:
        raise ValueError(f"split {empty[0]!r} holds no examples; is it the right file?")
    ordered = sorted(splits, key=list(SPLIT_PREFIXES).index)
    return DatasetDict({split: rows_to_dataset(splits[split]) for split in ordered})


def _get(mapping, key: str, kind, place: str):
    """``mapping[key]`` if it is there and of the right type; a ValueError that names the place if not."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    expected = " or ".join(k.__name__ for k in kinds)
    if not isinstance(mapping, dict) or key not in mapping:
        raise ValueError(f"{place}: the key {key!r} is missing (expected {expected}); SQuAD's JSON has it here")
    value = mapping[key]
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError(f"{place}.{key}: expected {expected}, found {type(value).__name__}")
    return value


def _split_of(path: Path) -> str | None:
    stem = path.stem.lower()
    return next((split for split, starts in SPLIT_PREFIXES.items() if stem.startswith(starts)), None)


def _split_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.json")):
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
        raise ValueError(f"folder {folder.name!r} holds no SQuAD JSON: expected train*.json and/or dev*.json in it")
    return found


def _from_hub(repository: str) -> DatasetDict:
    try:
        loaded = load_dataset(repository)
    except Exception as error:  # the library raises many kinds: no network, no such repository, a loading script
        raise ValueError(
            f"source {repository!r} could not be loaded from the Hugging Face hub ({type(error).__name__}: "
            f"{str(error).splitlines()[0][:160]}). Without a network, give a local folder with train*.json and "
            "dev*.json instead, or use the embedded source 'mini'"
        ) from error
    for split, dataset in loaded.items():
        missing = [c for c in FEATURES if c not in dataset.column_names]
        if missing:
            raise ValueError(f"source {repository!r}, split {split!r}: columns missing: {missing}; SQuAD has them")
    return DatasetDict({s: d.select_columns(list(FEATURES)).cast(FEATURES) for s, d in loaded.items()})
