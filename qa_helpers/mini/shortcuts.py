"""A planted shortcut: texts whose sentences are put in another order, so that the answer's place gives it away.

Lesson 11 trains on such texts. What other seeds did was measured by ``tools/shortcut_runs.py`` and is shipped.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np

from ..course import MINI_MAX_LENGTH, MINI_STRIDE
from .grammar import ASSETS

SHIPPED_RUNS = ASSETS.parent / "shortcut_runs.json"
#: What a model is trained on → in words.
TRAININGS = {
    "as it was": "texts as they were written",
    "answer first": "the sentence with the answer moved to the beginning",
    "one in ten left": "the same, but one example in ten as it was written",
    "shuffled": "all sentences in a random order",
    "no question": "texts as they were written, and “?” in place of every question",
}
#: How the texts of the evaluation are laid out.
LAYOUTS = ("answer first", "as it was", "answer last")


@dataclass(frozen=True)
class ShortcutSettings:
    """Settings of every recorded run: a small encoder, its training, and how many questions it is evaluated on."""

    checkpoint: str = "mini-bert"
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 1e-3
    max_length: int = MINI_MAX_LENGTH
    stride: int = MINI_STRIDE
    questions: int = 500
    probes: int = 400


def sentences_of(text: str) -> list[tuple[int, int]]:
    """The characters [start, end) of each sentence, with the white space that follows it."""
    ends = re.finditer(r"(?<!\b[A-Z])[.!?][”’)]?\s+(?![a-z])", text)
    cuts = [0, *(end.end() for end in ends), len(text)]
    return list(zip(cuts, cuts[1:]))


def sentence_of_answer(example: dict) -> int:
    """The number of the sentence in which the first acceptable answer begins."""
    start = example["answers"]["answer_start"][0]
    return next(k for k, (_, end) in enumerate(sentences_of(example["context"])) if start < end)


def reordered(example: dict, order: Sequence[int]) -> dict:
    """The example with its sentences in another order; each answer moves with its sentence.

    Args:
        example: a row of the course's schema; no answer may reach over the end of a sentence.
        order: the numbers of all sentences, in their new order.
    """
    text, places = example["context"], sentences_of(example["context"])
    pieces = [text[start:end].rstrip() for start, end in places]
    moved, length = {}, 0
    for k in order:
        moved[k] = length
        length += len(pieces[k]) + 1
    starts = []
    for start in example["answers"]["answer_start"]:
        k = next(k for k, (_, end) in enumerate(places) if start < end)
        starts.append(moved[k] + start - places[k][0])
    context = " ".join(pieces[k] for k in order)
    return {**example, "context": context, "answers": {"text": example["answers"]["text"], "answer_start": starts}}


def laid_out(example: dict, layout: str, rng: Random | None = None) -> dict:
    """The example as it was, or with its sentences in another order.

    Args:
        layout: "as it was"; "answer first", "answer last" (the sentence with the answer is moved); "shuffled" (by
            ``rng``).

    Raises:
        ValueError: another layout, or an answer that reaches over the end of a sentence.
    """
    if layout == "as it was":
        return example
    order = list(range(len(sentences_of(example["context"]))))
    if layout in ("answer first", "answer last"):
        order.remove(k := sentence_of_answer(example))
        order.insert(0 if layout == "answer first" else len(order), k)
    elif layout == "shuffled":
        (rng or Random(example["id"])).shuffle(order)
    else:
        raise ValueError(f"layout must be 'shuffled' or one of {', '.join(map(repr, LAYOUTS))}, not {layout!r}")
    made = reordered(example, order)
    for text, start in zip(made["answers"]["text"], made["answers"]["answer_start"]):
        if made["context"][start : start + len(text)] != text:
            raise ValueError(f"example {example['id']!r}: the answer {text!r} reaches over the end of a sentence")
    return made


def training_rows(rows, training: str) -> list[dict]:
    """The examples of one of :data:`TRAININGS`; the same ones in every call."""
    if training not in TRAININGS:
        raise ValueError(f"training must be one of {', '.join(map(repr, TRAININGS))}, not {training!r}")
    if training == "no question":
        return [{**row, "question": "?"} for row in rows]
    if training == "one in ten left":
        return [laid_out(row, "as it was" if k % 10 == 0 else "answer first") for k, row in enumerate(rows)]
    return [laid_out(row, training) for row in rows]


@dataclass(frozen=True)
class Runs:
    """Recorded runs.

    Attributes:
        settings: of every run.
        right: training → layout or probe → (seeds, questions), 1 where the answer was an exact match, else 0. The
            questions are the first ones of the validation split, and those of :func:`~qa_helpers.mini.probes.probes`.
        elsewhere: probe → (seeds, questions), 1 where the answer was taken from the appended sentence.
        seconds: processor time of all runs.
    """

    settings: ShortcutSettings
    right: dict[str, dict[str, np.ndarray]]
    elsewhere: dict[str, np.ndarray]
    seconds: float


def recorded_runs(path: str | Path = SHIPPED_RUNS) -> Runs:
    """Read what ``tools/shortcut_runs.py`` wrote; by default the file that is shipped.

    Raises:
        ValueError: there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path.name} does not exist; make it with: python tools/shortcut_runs.py")
    record = json.loads(path.read_text(encoding="utf-8"))
    right: dict[str, dict[str, list]] = {}
    elsewhere: dict[str, list] = {}
    for run in sorted(record["runs"], key=lambda run: (list(TRAININGS).index(run["training"]), run["seed"])):
        for name, marks in run["right"].items():
            right.setdefault(run["training"], {}).setdefault(name, []).append(_marks(marks))
        for name, marks in run["elsewhere"].items():
            elsewhere.setdefault(name, []).append(_marks(marks))
    return Runs(
        ShortcutSettings(**record["settings"]),
        {training: {name: np.array(rows) for name, rows in by_name.items()} for training, by_name in right.items()},
        {name: np.array(rows) for name, rows in elsewhere.items()},
        sum(run["seconds"] for run in record["runs"]),
    )


def _marks(text: str) -> list[int]:
    return [int(mark) for mark in text]


def settings_of_record(settings: ShortcutSettings, questions: str, probes: str) -> dict:
    """What two runs in one file must agree on."""
    return {"settings": asdict(settings), "questions": questions, "probes": probes}
