"""Damage files by the thousand and load each: ``fuzz(group, count, folder)``, or as a program

    python tests/fuzz_files.py parquet 2000 FOLDER

which the tests use for formats that are read by compiled code: a crash there ends this program, not the tests.
"""

import json
import shutil
import sys
import traceback
from collections import Counter
from pathlib import Path

import conftest  # noqa: F401  (sets up: no network, no progress bars)
from file_mutations import ANY, TEXT, mutate
from file_oracle import expected_rows
from file_seeds import ROWS, parquet_files, save_dataset, text_files


def fuzz(group: str, count: int, folder: Path) -> dict:
    """Load ``count`` damaged files of a group ("text", "parquet" or "saved").

    Returns:
        read, refused, same (read, and equal to the undamaged one): how many; faults: what went wrong, with the number
        that names the file.
    """
    tried = {"text": _text, "parquet": _parquet, "saved": _saved}[group]
    tally: Counter = Counter()
    faults = []
    for number, path, what, expected, strict in tried(count, folder):
        result, fault = _load(path, expected, strict)
        tally[result] += 1
        if fault:
            faults.append(f"{group} {number} ({path.name}: {what}): {fault}")
    return {**{name: tally[name] for name in ("read", "refused")}, "faults": faults}


def _load(path: Path, expected: list[dict] | None, strict: bool) -> tuple[str, str]:
    """("read" or "refused", what is wrong with that or ""). ``strict``: sound files must be read, not refused."""
    from qa_helpers import load_squad
    from qa_helpers.data import example_problems

    try:
        (rows,) = (list(dataset) for dataset in load_squad(path).values())
    except ValueError as error:
        message = str(error)
        if type(error) is UnicodeDecodeError or path.name not in message or "\n" in message or len(message) > 1200:
            return "refused", f"unclear message {type(error).__name__}: {message[:300]!r}"
        if strict and expected is not None:
            return "refused", f"it holds {len(expected)} sound examples, but: {message[:300]}"
        return "refused", ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "raised", "".join(traceback.format_exception(error)[-3:])[-600:]
    if any(example_problems(row) for row in rows):
        return "read", "an example is not sound"
    if expected is None:
        return "read", f"{len(rows)} examples were read of a file that is not sound"
    if rows != expected:
        return "read", f"{len(rows)} examples were read, {len(expected)} are in it (or their values differ)"
    return "read", ""


def _text(count: int, folder: Path):
    files = list(text_files().items())
    for number in range(count):
        name, (kind, data, _) = files[number % len(files)]
        what, damaged = mutate(number // len(files), name, data, TEXT)
        yield number, _write(folder / name, damaged), what, expected_rows(kind, damaged), True


def _parquet(count: int, folder: Path):
    files = list(parquet_files().items())
    for number in range(count):
        name, (kind, data, _) = files[number % len(files)]
        what, damaged = mutate(number // len(files), name, data, ANY)
        _note(folder, number)
        yield number, _write(folder / name, damaged), what, expected_rows(kind, damaged), False


def _saved(count: int, folder: Path):
    whole = folder / "whole"
    save_dataset(whole)
    arrow = [f"train/data-0000{k}-of-00002.arrow" for k in (0, 1)]
    names = [*arrow, "train/state.json", *arrow, "train/dataset_info.json", "dataset_dict.json"]
    for number in range(count):
        name = names[number % len(names)]
        copy = folder / "saved"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
        what, damaged = mutate(number // len(names), name, (whole / name).read_bytes(), ANY if name in arrow else TEXT)
        _write(copy / name, damaged)
        _note(folder, number)
        expected = ROWS
        if name in arrow:
            parts = [expected_rows("arrow", (copy / part).read_bytes()) for part in arrow]
            cut = what.endswith("truncate")  # Arrow itself takes a stream that ends early for a shorter one
            expected = None if cut or not all(parts) else [row for rows in parts for row in rows]
        yield number, copy, f"{name}: {what}", expected, False


def _write(path: Path, data: bytes) -> Path:
    path.unlink(missing_ok=True)  # a new file: the old one may still be mapped into memory
    path.write_bytes(data)
    return path


def _note(folder: Path, number: int) -> None:
    """Which file is tried, should this process crash."""
    (folder / "number").write_text(str(number))


if __name__ == "__main__":
    print(json.dumps(fuzz(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
