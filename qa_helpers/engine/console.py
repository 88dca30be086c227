"""What the command line needs beside its commands: its options, a text read as it is, and results on the screen."""

import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ..course import FineTuneConfig, setup
from .processes import is_main, speaker

console = speaker()

Source = Annotated[
    str,
    typer.Option(
        help="mini, mini_v2, squad, squad_v2, a hub id, a file (SQuAD JSON, JSON lines, CSV, Parquet) or a folder."
    ),
]
Checkpoint = Annotated[str, typer.Option(help="A shipped name (mini-bert), a hub id (bert-base-cased) or a folder.")]
TrainedCheckpoint = Annotated[
    str, typer.Option(help="A fine-tuned model: a folder, a hub id or a shipped name (mini-bert-qa).")
]
Limit = Annotated[int | None, typer.Option(help="Use only the first N examples of each split.")]

NOT_PLAIN = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pdf", ".docx", ".xlsx")  # for ask
SUITED = ("learning_rate", "max_length", "stride", "align_to_words")  # their defaults depend on source and checkpoint


def with_settings(*names: str):
    """Give a command an option for each of these fields of :class:`FineTuneConfig`; it receives them as ``**settings``.

    Those in :data:`SUITED` are None unless they are given.
    """

    def add(command: Callable) -> Callable:
        parameters = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
        for field in fields(FineTuneConfig):
            if field.name in names:
                suited = field.name in SUITED
                help = field.metadata["help"] + (" Default: depends on source and checkpoint." if suited else "")
                kind = Annotated[field.type | None if suited else field.type, typer.Option(help=help)]
                default = None if suited else field.default
                parameters.append(
                    inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
                )
        command.__signature__ = inspect.Signature(parameters)
        return command

    return add


def read_text(document: Path | None) -> str:
    """The unaltered text of a file or of standard input: UTF-8, whatever the console's encoding, with every \\r."""
    name = "standard input" if document is None or str(document) == "-" else str(document)
    try:
        if name == "standard input":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        if document.is_dir() or document.suffix.lower() in NOT_PLAIN:
            what = "is a folder" if document.is_dir() else "is not plain text"
            raise ValueError(
                f"{document} {what}: ask takes one text file. For many documents use qa.QuestionAnswerer, which takes "
                "lists of questions and contexts"
            )
        return document.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8 plain text first") from error


def show_answers(answers: list[dict], text: str, as_json: bool) -> None:
    """Print answers as a table, each with the text around it, or as JSON."""
    if as_json:
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        print(json.dumps(answers, ensure_ascii=not unicode))
        return
    table = Table("answer", "score", "characters", "in the text")
    for answer in answers:
        around = text[max(0, answer["start"] - 30) : answer["end"] + 30].replace("\n", " ")
        found = escape(answer["answer"]) or "(no answer)"  # brackets in a text are not markup
        table.add_row(found, f"{answer['score']:.3f}", f"{answer['start']}-{answer['end']}", escape(around))
    console.print(table)


def print_scores(split: str, scores, more: str = "") -> None:
    """Print EM and F1, also those of the questions with and without an answer if there are both."""
    console.print(f"{split}: {scores}{more}")
    if scores.has_answer and scores.no_answer:
        console.print(f"  questions with an answer {scores.has_answer}, without {scores.no_answer}")


def limited(data, limit: int | None):
    """The first ``limit`` examples of each split; None: all."""
    if limit is None:
        return data
    return type(data)({split: rows.select(range(min(limit, len(rows)))) for split, rows in data.items()})


def suited(source: str, checkpoint: str, settings: dict) -> dict:
    """Settings, where those not given are the ones that the course uses for this source and checkpoint."""
    course_config = setup(source, checkpoint, seed=settings.get("seed", 0)).fine_tune_config()
    own = {name: getattr(course_config, name) for name in SUITED if name in settings and settings[name] is None}
    if own.get("stride") and settings["max_length"]:  # for a window of another length, the same share of it
        own["stride"] = settings["max_length"] * course_config.stride // course_config.max_length
    return settings | own


def save_halved(model, tokenizer, output_dir: str) -> None:
    """Replace a trained model in its folder by the same model in half precision; load_model reads it as float32."""
    from ..training import save_model
    from .whole_files import whole_folder

    if is_main():
        with whole_folder(output_dir) as partial:
            save_model(model.half(), tokenizer, partial)
