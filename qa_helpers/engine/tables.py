"""Reading files: their text, the rows of a table (CSV, Parquet, Arrow), and the reason why a file could not be read.

:mod:`qa_helpers.data` reads SQuAD's own JSON; this module reads the rest, which no lesson is about.
"""

import ast
import csv
import io
import json
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet
from datasets import Dataset, load_from_disk

from .rows import shown

NO_TABLE = {  # first bytes of files that have to be unpacked or converted
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"PK\x03\x04": "an archive or a workbook (zip); unpack it, or save it as CSV, first",
    b"BZh": "compressed (bzip2); unpack it first",
    b"\xfd7zX": "compressed (xz); unpack it first",
}
_TOO_MANY = "cells without a header"
_TABLE_COLUMNS = ("id", "context", "question")
ROWS = 1000  # rows of a dataset that are checked at once


def text_of(path: Path) -> str:
    """A file's text, which is UTF-8, with or without a byte order mark."""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        like_utf16 = " (it begins like UTF-16)" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
        raise ValueError(
            f"{path.name}: byte {error.start}, in line {line}, is not UTF-8; save the file as UTF-8{like_utf16}"
        ) from None
    except OSError as error:
        raise ValueError(f"{path.name} could not be read ({error.strerror or error})") from error


def damaged(name: str, error: Exception) -> ValueError:
    """The error for a file that another library could not read."""
    return ValueError(f"{name}: damaged or not what its name says ({one_line(error)}); fetch or write it again")


def one_line(error: Exception | Warning) -> str:
    """The type and the first line of an error, to quote in another message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def read_csv(path: Path) -> Iterator[tuple[str, dict]]:
    """Rows of a CSV file: cells separated by commas, semicolons or tabs, under a header; rows count from 0."""
    text = text_of(path)
    separator = max(",;\t", key=text.partition("\n")[0].count)
    csv.field_size_limit(2**31 - 1)  # contexts may be longer than the default limit of 131,072 characters
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey=_TOO_MANY, strict=True)
    try:
        table.fieldnames = [name.strip() for name in table.fieldnames or ()]
        check_columns(table.fieldnames, path.name)
        for k, row in enumerate(table):
            place = f"{path.name}: row {k} (line {table.line_num})"
            if _TOO_MANY in row or None in row.values():
                raise ValueError(
                    f"{place}: not as many cells as the header has; put cells that hold a {separator!r} or a line end in "
                    "double quotes. Is the file cut off?"
                )
            yield place, {name: _cell(name, cell, place) for name, cell in row.items()}
    except csv.Error as error:
        raise ValueError(
            f"{path.name}: not valid CSV at line {table.line_num} ({error}); is a quote missing, or the file cut off?"
        ) from None


def _cell(name: str, cell: str, place: str):
    """The value of a CSV cell: text in most columns; in the others, an empty cell is None."""
    if name in ("id", "title", "context", "question"):
        return cell
    if not cell:
        return None
    if name == "answers":
        for read in (json.loads, ast.literal_eval):  # as JSON, or as Python writes it
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Python warns about backslashes in a text
                    return read(cell)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
        raise ValueError(
            f'{place}, answers: cannot be read: {shown(cell)}; write JSON: {{"text": [...], "answer_start": [...]}}. '
            "(Arrays as numpy prints them are not JSON: save them as lists)"
        )
    if name == "is_impossible":
        known = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
        if cell.strip().lower() not in known:
            raise ValueError(f"{place}, is_impossible: expected true or false, found {shown(cell)}")
        return known[cell.strip().lower()]
    if name == "answer_start":  # "51.0" is how pandas writes 51 in a column with gaps
        if not re.fullmatch(r"\s*-?[0-9]{1,18}(\.0*)?\s*", cell):
            raise ValueError(f"{place}, answer_start: expected a whole number, found {shown(cell)}")
        return int(cell.partition(".")[0])
    return cell


def read_parquet(path: Path) -> Iterator[tuple[str, dict]]:
    """The rows of a Parquet file, with their places."""
    try:
        table = pyarrow.parquet.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
    except Exception as error:  # Arrow raises many kinds of errors for damaged files
        raise damaged(path.name, error) from error
    check_columns(table.column_names, path.name)
    yield from table_rows(table.to_batches(ROWS), path.name)


def table_rows(batches: Iterable, name: str) -> Iterator[tuple[str, dict]]:
    """The rows of Arrow's record batches or tables, with their places."""
    count = 0
    for batch in batches:
        for row in batch.to_pylist():
            start = row.get("answer_start")
            if isinstance(start, float):  # how pandas stores whole numbers in a column with gaps
                row["answer_start"] = None if math.isnan(start) else int(start) if start.is_integer() else start
            yield f"{name}: row {count}", row
            count += 1


def open_saved(folder: Path, unnamed: str) -> dict[str, Dataset]:
    """Split → Dataset (memory-mapped) of a folder that ``save_to_disk`` wrote; ``unnamed``: the split of a lone Dataset."""
    try:
        loaded = load_from_disk(str(folder))
        if isinstance(loaded, Dataset):
            loaded = {str(loaded.split or unnamed): loaded}
        for dataset in loaded.values():
            dataset.data.table.validate(full=True)
        return {split: dataset.with_format(None) for split, dataset in loaded.items()}
    except Exception as error:  # the library raises many kinds of errors for damaged files
        raise damaged(folder.name, error) from error


def check_columns(names: list[str], place: str) -> None:
    """Raise a ValueError unless a table has the columns of examples."""
    missing = [column for column in _TABLE_COLUMNS if column not in names]
    if "id" in missing and {"qid", "guid"} & set(names):
        missing.remove("id")
    if not missing and not {"answers", "answer_text", "is_impossible", "detected_answers"} & set(names):
        missing = ["answers"]
    if missing:
        raise ValueError(
            f"{place}: columns missing: {missing}; SQuAD has them. Found: {shown(', '.join(map(str, names)))}"
        )
