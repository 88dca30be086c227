"""Examples: their columns, and what can be wrong with one."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import pyarrow as pa
from datasets import Dataset, Features, List, Value

from .engine.misplaced import why_misplaced
from .engine.progress_bars import track
from .engine.rows import is_unicode, kind_of, shown

FEATURES = Features(
    {
        "id": Value("string"),
        "title": Value("string"),
        "context": Value("string"),
        "question": Value("string"),
        "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    }
)


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
            report("malformed", f"an answer's text is {kind_of(text)}, not a string; write it as one")
        elif not isinstance(start, Integral) or isinstance(start, bool):
            report("malformed", f"an answer_start is {kind_of(start)}, not a whole number; it counts characters")
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
