"""Examples: their columns, how a row of a file becomes one, and what can be wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import pyarrow as pa
from datasets import Dataset, Features, List, Value

from .engine.misplaced import why_misplaced
from .engine.other_formats import answers_of_mrqa
from .engine.progress_bars import track

FEATURES = Features(
    {
        "id": Value("string"),
        "title": Value("string"),
        "context": Value("string"),
        "question": Value("string"),
        "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    }
)

_WRITTEN = {
    str: "text",
    int: "a whole number, without quotes or a decimal point",
    list: "a list [...]",
    dict: "an object {...}",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with one example: ``kind`` is one of empty_question, empty_context, malformed, empty_answer,
    misaligned, duplicate_id; ``message`` explains it and gives the remedy."""

    example_id: str
    kind: str
    message: str


def example_problems(example: dict) -> list[Problem]:
    """Everything that would spoil training on this example; an empty list if it is sound."""
    identifier, context, answers = str(example["id"]), example["context"], example["answers"]
    found = []

    def report(kind: str, message: str) -> None:
        found.append(Problem(identifier, kind, f"example {shown(identifier)}: {message}"))

    for field in ("question", "context"):
        if not isinstance(example[field], str) or not example[field].strip():
            report(f"empty_{field}", f"the {field} is empty; fill it in or drop the example")
    for field in ("id", "title", "question", "context"):
        if isinstance(example.get(field), str) and not is_unicode(example[field]):
            report("malformed", f"the {field} holds half a surrogate pair, which is not a character; repair the text")
    try:
        texts, starts = answers["text"], answers["answer_start"]
        sizes = len(texts), len(starts)
    except (TypeError, KeyError, IndexError):
        report("malformed", "answers must be {'text': [...], 'answer_start': [...]}; an unanswerable one has two []")
        return found
    if sizes[0] != sizes[1]:
        report("malformed", "answers.text and answers.answer_start differ in length; each text needs one start")
    for text, start in zip(texts, starts):
        if not isinstance(text, str):
            report("malformed", f"an answer's text is {_kind(text)}, not a string; write it as one")
        elif not isinstance(start, Integral) or isinstance(start, bool):
            report("malformed", f"an answer_start is {_kind(start)}, not a whole number; it counts characters")
        elif not text.strip():
            report("empty_answer", "an answer is empty; an unanswerable question has empty lists instead")
        elif not isinstance(context, str):
            continue  # already reported above: there is no text to find the answer in
        elif start < 0 or context[start : start + len(text)] != text:
            at = context[max(start, 0) : max(start, 0) + len(text)]
            remedy = why_misplaced(context, text, start)
            report(
                "misaligned", f"answer_start {start} points at {shown(at)}, not at the answer {shown(text)}; {remedy}"
            )
    return found


def check_examples(examples: Iterable[dict]) -> list[Problem]:
    """Check every example with :func:`example_problems`, and check that no id occurs twice.

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
        ValueError: a row lacks a column, or has a value that does not fit its column; the message names both.
    """
    for k, row in enumerate(rows):
        for column in FEATURES:
            if column not in row:
                raise ValueError(f"row {k} has no {column!r}; an example has {', '.join(FEATURES)}")
    try:
        return Dataset.from_dict({column: [row[column] for row in rows] for column in FEATURES}, features=FEATURES)
    except (pa.ArrowException, AttributeError, TypeError, ValueError, OverflowError) as error:
        for k, row in enumerate(rows):
            if problems := example_problems(row):
                raise ValueError(f"row {k}: {problems[0].message}") from error
        raise ValueError(f"the rows do not fit the columns {', '.join(FEATURES)} ({error})") from error


def make_example(row: dict, place: str) -> dict:
    """Make an example from a row of a file.

    Args:
        row: a row of a table, or an item of SQuAD's ``qas`` with its enclosing ``context`` and ``title``. Other keys
            are ignored, and so are ``plausible_answers``; ``is_impossible: true`` means no answer, whatever ``answers``
            contains.
        place: where it is, for messages ("dev.json: data[0]", "train.csv: row 3").

    Raises:
        ValueError: a key is missing or of the wrong type; the message names it and ``place``.
    """
    named = next((key for key in ("id", "qid", "guid") if row.get(key) not in (None, "")), "id")  # SQuAD, MRQA, KLUE
    identifier = str(value_of(row, named, (str, int), place))
    if not identifier.strip():
        raise ValueError(f"{place_of(place, 'id')}: the id is empty; give each example its own id")
    return {
        "id": identifier,
        "title": title_of(row, place),
        "context": value_of(row, "context", str, place),
        "question": value_of(row, "question", str, place),
        "answers": _answers(row, place),
    }


def title_of(row: dict, place: str) -> str:
    """The title, which may be missing (then "") or a number."""
    return str(value_of(row, "title", (str, int), place)) if row.get("title") is not None else ""


def _answers(row: dict, place: str) -> dict[str, list]:
    impossible, here = row.get("is_impossible"), place_of(place, "answers")
    if impossible is not None and not isinstance(impossible, bool):
        where = place_of(place, "is_impossible")
        raise ValueError(f"{where}: expected true or false, found {_kind(impossible)}; write one of them")
    if impossible:
        return {"text": [], "answer_start": []}
    if "detected_answers" in row:
        row = row | {"answers": answers_of_mrqa(row["detected_answers"], value_of(row, "context", str, place), here)}
    if "answers" in row or not {"answer_text", "answer_start"} & row.keys():
        if "answers" in row and row["answers"] is None:
            raise ValueError(f"{here}: no value; a question without an answer has [], or is_impossible: true")
        pairs = _pairs(value_of(row, "answers", (list, dict), place), here)
    elif row.get("answer_text") is None and row.get("answer_start") is None:
        pairs = []
    else:  # the two columns of a table
        pairs = [(value_of(row, "answer_text", str, place), value_of(row, "answer_start", int, place))]
    if impossible is False and not pairs:
        raise ValueError(f"{here}: no answer, but is_impossible is false; add the answer, or set is_impossible to true")
    return {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]}


def _pairs(answers: list | dict, place: str) -> list[tuple[str, int]]:
    """(text, answer_start) of each answer, from SQuAD's list of objects or from the two lists in a row of a dataset."""
    if isinstance(answers, dict):
        texts, starts = value_of(answers, "text", list, place), value_of(answers, "answer_start", list, place)
        if len(texts) != len(starts):
            raise ValueError(f"{place}: {len(texts)} texts but {len(starts)} answer_start; each text needs one start")
        answers = [{"text": text, "answer_start": start} for text, start in zip(texts, starts)]
    places = [f"{place}[{k}]" for k in range(len(answers))]
    return [(value_of(a, "text", str, p), value_of(a, "answer_start", int, p)) for a, p in zip(answers, places)]


def value_of(mapping, key: str, kinds: type | tuple, place: str):
    """``mapping[key]``; raise a ValueError that names the place if it is missing or of the wrong type."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    expected = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(mapping, dict) or key not in mapping:
        raise ValueError(f"{place}: the key {key!r} is missing (expected {expected}); add it: SQuAD has it here")
    value = mapping[key]
    if not isinstance(value, kinds) or isinstance(value, bool):
        remedy = " or ".join(_WRITTEN[kind] for kind in kinds)
        raise ValueError(f"{place_of(place, key)}: expected {expected}, found {_kind(value)}; write {remedy}")
    return value


def place_of(place: str, key: str) -> str:
    """The place of a key: "dev.json: data", "dev.json: data[0].title", but "train.csv: row 3, title"."""
    if ": " not in place:
        return f"{place}: {key}"
    return f"{place}.{key}" if place.endswith(("]", "answers")) else f"{place}, {key}"


def shown(text: str) -> str:
    """Text for a message: quoted, and shortened in the middle if it is long."""
    quoted = repr(text if len(text) <= 1000 else text[:500] + text[-500:])
    return quoted if len(quoted) <= 160 else f"{quoted[:100]} … {quoted[-50:]}"


def _kind(value) -> str:
    return type(value).__name__


def is_unicode(text: str) -> bool:
    """Whether a text consists of valid characters only: half a surrogate pair is not one, and tokenizers reject it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
