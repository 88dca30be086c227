"""Examples from tables: CSV, Parquet, and datasets that the ``datasets`` library saved. Each comes with its place."""

import ast
import csv
import itertools
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from datasets import Dataset, DatasetDict, load_from_disk

from ..examples import make_example, shown
from .read_json import not_utf8, parse

COLUMNS = ("id", "title", "context", "question", "answers", "answer_text", "answer_start", "is_impossible")
NEEDED = ("id", "context", "question")
_ROWS = 1000  # at once
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # the last bytes of an Arrow stream that was written to its end


def read_csv(path: Path) -> Iterator[tuple[str, dict]]:
    """(place, example) of a CSV file; rows count from 0, without the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # newline="": \r\n in a cell stays
            first = file.readline()
            delimiter = max(",;\t", key=lambda mark: len(set(_cells(first, mark)) & set(COLUMNS)))
            lines = csv.reader(itertools.chain([first], file), delimiter=delimiter, strict=True)
            try:
                yield from _csv_rows(path, lines, delimiter)
            except csv.Error as error:
                raise ValueError(
                    f"{path.name}: not valid CSV at line {lines.line_num} ({error}); is a quote missing, or the file cut off?"
                ) from None
    except UnicodeDecodeError:
        raise not_utf8(path) from None


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _csv_rows(path: Path, lines, delimiter: str) -> Iterator[tuple[str, dict]]:
    header = [cell.strip() for cell in _next(lines) or []]
    _check_columns(header, path.name)
    filled = (cells for cells in iter(lambda: _next(lines), None) if cells)  # an empty line is no row
    for k, cells in enumerate(filled):
        place = f"{path.name}: row {k} (line {lines.line_num})"
        if len(cells) != len(header):
            raise ValueError(
                f"{place}: {len(cells)} cells where the header has {len(header)}; put cells that hold a "
                f"{delimiter!r} or a line end in double quotes. Is the file cut off?"
            )
        row = {name: cell for name, cell in zip(header, cells) if name in COLUMNS}
        yield place, make_example({name: _value(name, cell, place) for name, cell in row.items()}, place)


def _value(name: str, cell: str, place: str):
    """What a CSV cell means: text for most columns; an empty cell of the others is nothing."""
    if name in ("id", "title", "context", "question"):
        return cell
    if not cell:
        return None
    if name == "answers":
        return _nested(cell, f"{place}, answers")
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


def _nested(cell: str, place: str):
    """A cell with nested data: JSON, or the Python text that pandas and ``datasets`` write, numpy's arrays and all."""
    try:
        return parse(cell, place)
    except ValueError as error:
        problem = error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of a text's backslashes
            return ast.literal_eval(_Arrays().visit(ast.parse(cell.strip(), mode="eval")))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError(f'{problem} (expected: {{"text": [...], "answer_start": [...]}})') from None


class _Arrays(ast.NodeTransformer):
    """``array([…], dtype=…)`` → ``[…]``; a key that stands twice is refused, as in JSON."""

    def visit_Dict(self, node):
        keys = [ast.dump(key) for key in node.keys if key is not None]
        if len(set(keys)) < len(keys):
            raise ValueError("a key occurs twice")
        return self.generic_visit(node)

    def visit_Call(self, node):
        types = [keyword.value for keyword in node.keywords if keyword.arg == "dtype"]  # object, or '<U9'
        of_a_type = len(types) == len(node.keywords) and all(
            isinstance(kind, ast.Name) or isinstance(kind, ast.Constant) and isinstance(kind.value, str)
            for kind in types
        )
        if isinstance(node.func, ast.Name) and node.func.id == "array" and len(node.args) == 1 and of_a_type:
            return node.args[0]
        return node  # which is no literal, and refused as such


def _next(lines) -> list[str] | None:
    """The next row's cells, None at the end. Contexts may be longer than the 131,072 characters that csv allows a cell.

    The limit is the same for everybody who uses csv in this process, so it is put back after each row.
    """
    before = csv.field_size_limit(2**31 - 1)
    try:
        return next(lines, None)
    finally:
        csv.field_size_limit(before)


def read_parquet(path: Path) -> Iterator[tuple[str, dict]]:
    """(place, example) of a Parquet file; rows count from 0."""
    with _told(path.name), pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        _check_columns(names, path.name)
        groups = sum(file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups))
        wanted, count = file.metadata.num_rows, 0
        if wanted != groups:
            raise ValueError(f"{path.name}: damaged: its footer counts {wanted} rows, its parts {groups}")
        batches = file.iter_batches(batch_size=_ROWS, columns=[name for name in COLUMNS if name in names])
        for item in _arrow_rows(batches, path.name):
            count += 1
            yield item
        if count != wanted:
            raise ValueError(f"{path.name}: damaged: its footer counts {wanted} rows, {count} can be read")


def _arrow_rows(batches: Iterable[pa.RecordBatch | pa.Table], name: str) -> Iterator[tuple[str, dict]]:
    first = 0
    for batch in batches:
        try:
            batch.validate(full=True)  # offsets within their buffers, text that is UTF-8: what Arrow itself relies on
        except pa.ArrowException as error:
            last = first + batch.num_rows - 1
            raise ValueError(
                f"{name}: rows {first} to {last}: damaged ({one_line(error)}); fetch or write it again"
            ) from error
        for k, row in enumerate(batch.to_pylist(), start=first):
            place = f"{name}: row {k}"
            if isinstance(row.get("answer_start"), float):  # how pandas keeps whole numbers in a column with gaps
                start = row["answer_start"]
                row["answer_start"] = None if math.isnan(start) else int(start) if start.is_integer() else start
            yield place, make_example(row, place)
        first += batch.num_rows


def dataset_rows(dataset: Dataset, name: str) -> Iterator[tuple[str, dict]]:
    """(place, example) of a Dataset with SQuAD's columns; ``name`` says in messages which it is."""
    _check_columns(dataset.column_names, name)
    chosen = dataset.select_columns([column for column in COLUMNS if column in dataset.column_names])
    with _told(name):
        yield from _arrow_rows(chosen.with_format("arrow").iter(batch_size=_ROWS), name)


def is_saved_dataset(folder: Path) -> bool:
    """Whether the folder was written by ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk``."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def open_saved(folder: Path, split: str) -> dict[str, Dataset]:
    """Split → Dataset (memory-mapped) of a saved folder; ``split`` is what a lone Dataset is called that does not say.

    Raises:
        ValueError: a file of it is missing, cut off, damaged, or names a file outside of the folder.
    """
    parts, listed = [folder], folder / "dataset_dict.json"
    if listed.is_file():
        names = _saved_json(listed, folder.name, "splits")
        parts = [folder / _plain(name, f"{folder.name}/{listed.name}") for name in names]
    for part in parts:
        _check_part(part, folder.name if part == folder else f"{folder.name}/{part.name}")
    try:
        loaded = load_from_disk(str(folder))
        tables = loaded if isinstance(loaded, DatasetDict) else {str(loaded.split or split): loaded}
        for dataset in tables.values():
            dataset.data.table.validate(full=True)  # before anything follows an offset in it
        return {name: dataset.with_format(None) for name, dataset in tables.items()}
    except Exception as error:  # the library raises many kinds for what it finds in these files
        raise _damaged(folder.name, error) from error


def _check_part(part: Path, place: str) -> None:
    """That the list of a split's files and the files themselves agree, and that each is whole."""
    listed = []
    for entry in _saved_json(part / "state.json", place, "_data_files"):
        name = _plain(entry.get("filename") if isinstance(entry, dict) else None, f"{place}/state.json")
        _check_end(part / name, f"{place}/{name}")
        listed.append(name)
    there = sorted(path.name for path in part.glob("data-*.arrow"))
    if there and listed != there:
        raise ValueError(
            f"{place}/state.json: it lists {shown(', '.join(listed))}, but the folder holds "
            f"{shown(', '.join(there))}; save the dataset again"
        )


def _saved_json(path: Path, place: str, key: str) -> list:
    if not path.is_file():
        raise ValueError(f"{place}/{path.name} is missing; save the dataset again with save_to_disk")
    try:
        values = parse(path.read_bytes().decode("utf-8-sig"), place)[key]
    except (ValueError, KeyError, TypeError):
        values = None
    if not isinstance(values, list) or not values:
        raise ValueError(f"{place}/{path.name}: damaged: it should hold a list under {key!r}; save the dataset again")
    return values


def _plain(name, place: str) -> str:
    """A name that leads nowhere but into its own folder."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,199}", name):
        raise ValueError(f"{place}: {shown(str(name))} is no name of something in this folder; save the dataset again")
    return name


def _check_end(path: Path, place: str) -> None:
    if not path.is_file():
        raise ValueError(f"{place} is missing; save the dataset again with save_to_disk")
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - len(_END), 0))
        if file.read() != _END:
            raise ValueError(f"{place}: cut off: it does not end as an Arrow file does; copy or save it again")
    with _told(place), pa.memory_map(str(path)) as file:
        for _ in pa.ipc.open_stream(file):
            pass
        if file.tell() != size:  # zeros in the middle read as an end: what follows would be left out
            raise ValueError(f"{place}: damaged: its table ends at byte {file.tell()} of {size}; copy or save it again")


def _check_columns(names: list[str], place: str) -> None:
    missing = [column for column in NEEDED if column not in names]
    if not missing and not {"answers", "answer_text", "is_impossible"} & set(names):
        missing = ["answers"]
    if missing:
        found = shown(", ".join(names)) if names else "none"
        raise ValueError(f"{place}: columns missing: {missing}; SQuAD has them. Found: {found}")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise ValueError(f"{place}: the column {twice[0]!r} occurs twice; keep the one that is meant")


@contextmanager
def _told(name: str):
    """What Arrow and ``datasets`` raise for damaged files, of whatever kind, becomes one ValueError with the name."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and not isinstance(error, (pa.ArrowException, UnicodeError)):
            raise  # the course's own, which says more
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> ValueError:
    return ValueError(f"{name}: damaged or not what its name says ({one_line(error)}); fetch or write it again")


def one_line(error: Exception) -> str:
    """The kind and the first line of another's error, for a message of one's own."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
