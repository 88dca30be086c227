"""What the command line needs beside its commands: options made of settings, and a text read as it is."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from ..course import FineTuneConfig

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
